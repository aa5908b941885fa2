"""Lesson 01, section 7: the two networks that differ in their dilations, trained three times as long as in the lesson.

    python -m glcic_lite.course.lesson_01.trials

trains both with `SEEDS` seeds each, and writes `trials.csv` beside this file: every `EVERY` steps the error on photos
never seen, in the middle of the hole and near its rim.
"""

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from glcic_lite.course.shared.small_completion import (
    HOLE_SIDE,
    IN_HOLE,
    Training,
    depth,
    never_seen,
    random_crops,
    small_network,
    small_photos,
)

KINDS = {"undilated": (1, 1, 1), "dilated": (2, 4, 2)}
PARTS = {"middle": depth >= HOLE_SIDE // 2 - 4, "rim": depth < 6}  # the middle 8 x 8 pixels, and 6 pixels along the rim
SEEDS, STEPS, EVERY = 4, 540, 60
LOG = Path(__file__).with_name("trials.csv")


def part_errors(filled: Tensor, crops: Tensor) -> dict[str, float]:
    """Root mean square error in each of `PARTS` of the hole; (N, 3, CROP, CROP) each, white minus black being 1."""
    squared = ((filled - crops) ** 2)[IN_HOLE].mean((0, 1)).numpy()
    return {name: float(np.sqrt(squared[part].mean())) for name, part in PARTS.items()}


@cache
def mean_of_holes() -> Tensor:
    """What to answer where nothing is known of a photo: the training photos' mean colour in the hole, (3, 1, 1)."""
    crops = random_crops(small_photos("train"), 600, torch.Generator().manual_seed(1))
    return crops[IN_HOLE].mean((0, 2, 3)).view(3, 1, 1)


def constant_errors(crops: Tensor) -> dict[str, float]:
    """The baseline: `part_errors` of painting `mean_of_holes` into every hole."""
    return part_errors(mean_of_holes().expand_as(crops), crops)


def logged() -> dict[str, dict[str, dict[int, list[float]]]]:
    """The trainings from `trials.csv`: part of the hole, kind of network and step to an error for each seed."""
    found: dict[str, dict[str, dict[int, list[float]]]] = {part: {kind: {} for kind in KINDS} for part in PARTS}
    with open(LOG, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for part in PARTS:
                found[part][row["kind"]].setdefault(int(row["step"]), []).append(float(row[part]))
    return found


def rows(seed: int, kind: str, steps: int, every: int) -> Iterator[list]:
    """One training, as rows of the log."""
    training = Training(lambda: small_network(KINDS[kind]), seed, steps)
    crops = never_seen()
    for step in range(1, steps + 1):
        training.step()
        if step % every == 0:
            errors = part_errors(training.fill(crops), crops)
            yield [kind, seed, step, *(f"{errors[part]:.4f}" for part in PARTS)]


def main() -> None:
    """Train, and write the log; row by row, so that it can be watched."""
    with open(LOG, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["kind", "seed", "step", *PARTS])
        for seed in range(SEEDS):
            for kind in KINDS:
                for row in rows(seed, kind, STEPS, EVERY):
                    writer.writerow(row)
                    file.flush()
                    print(*row, flush=True)


if __name__ == "__main__":
    main()
