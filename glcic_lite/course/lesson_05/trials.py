"""Lesson 05, section 6: what a discriminator finds, alone or beside the other, after a short training and a long one.

    python -m glcic_lite.course.lesson_05.trials

trains all three for `LONG` steps with three seeds each, and writes `trials.csv` beside this file.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F

from glcic_lite.course.lesson_05 import defects
from glcic_lite.course.shared.discriminator_scores import preferred_share
from glcic_lite.course.shared.small_completion import small_photos
from glcic_lite.method.networks import ContextDiscriminator
from glcic_lite.training.samples import cut_patches

KINDS: dict[str, dict] = {
    "local alone": dict(use_global=False),
    "global alone": dict(use_local=False),
    "both together": {},
}
SEEDS, BATCH = 3, 24
LONG = 1000  # steps of the logged trainings
LOG = Path(__file__).with_name("trials.csv")


def train_discriminator(seed: int, kind: str, steps: int) -> ContextDiscriminator:
    """A discriminator of 1/16 of the paper's width, trained to tell photos from spoiled ones of all three kinds."""
    torch.manual_seed(seed)
    discriminator = ContextDiscriminator(defects.CROP, defects.PATCH, width=1 / 16, **KINDS[kind])
    optimizer = torch.optim.Adam(discriminator.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    chance = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        photos, corners = defects.crops_and_corners(small_photos("train"), BATCH, chance)
        both = torch.cat([photos, defects.spoiled(photos, corners, chance)])
        logits = discriminator(both, cut_patches(both, corners.repeat(2, 1), defects.PATCH))
        loss = F.softplus(-logits[:BATCH]).mean() + F.softplus(logits[BATCH:]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return discriminator.eval()


@torch.inference_mode()
def found_by(discriminator: ContextDiscriminator) -> dict[str, float]:
    """For each defect: how often an untouched crop, never seen before, scores higher than the same crop spoiled."""
    chance = torch.Generator().manual_seed(7)
    photos, corners = defects.crops_and_corners(small_photos("val") + small_photos("test"), 200, chance)
    untouched = discriminator(photos, cut_patches(photos, corners, defects.PATCH))
    result = {}
    for name, defect in defects.DEFECTS.items():
        changed = defect(photos, corners, chance)
        result[name] = preferred_share(untouched, discriminator(changed, cut_patches(changed, corners, defects.PATCH)))
    return result


def logged() -> dict[str, dict[str, list[float]]]:
    """The long trainings from `trials.csv`: for each defect, for each kind, a share for each seed."""
    found: dict[str, dict[str, list[float]]] = {name: {kind: [] for kind in KINDS} for name in defects.DEFECTS}
    with open(LOG, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name in found:
                found[name][row["kind"]].append(float(row[name]))
    return found


def _rows() -> Iterator[list]:
    for seed in range(SEEDS):
        for kind in KINDS:
            found = found_by(train_discriminator(seed, kind, LONG))
            yield [kind, seed, LONG, *(f"{found[name]:.4f}" for name in defects.DEFECTS)]


def main() -> None:
    """Train, and write the log; row by row, so that it can be watched."""
    with open(LOG, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["kind", "seed", "steps", *defects.DEFECTS])
        for row in _rows():
            writer.writerow(row)
            file.flush()
            print(*row, flush=True)


if __name__ == "__main__":
    main()
