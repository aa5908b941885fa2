"""Lesson 04, section 3: does a deep network train whose random weights let every photo fade?

    python -m glcic_lite.course.lesson_04.late_start

trains the paper's 17 layers at 1/8 of their width, without and with normalisation, and writes `late_start.csv` beside
this file: the error in the hole on photos never seen, every 30 steps.
"""

import csv
from pathlib import Path

import torch
from torch import Tensor, nn

from glcic_lite.course.shared.small_completion import (
    IN_HOLE,
    four_channels,
    mean_colour,
    never_seen,
    random_crops,
    small_photos,
)
from glcic_lite.method.networks import CompletionNetwork

WIDTH, STEPS, EVERY, BATCH = 1 / 8, 600, 30, 8
EXAM = 40  # photos never seen
LOG = Path(__file__).with_name("late_start.csv")
KINDS = {  # name: (whether the weights are torch's usual ones, whether there is normalisation)
    "usual weights, no normalisation": (True, False),
    "He's weights, no normalisation": (False, False),
    "usual weights, normalised": (True, True),
}
SEEDS = 3  # of each kind


class Bare(nn.Module):
    """The 17 layers by themselves: (N, 4, H, W) to (N, 3, H, W)."""

    def __init__(self, usual: bool, normalise: bool):
        super().__init__()
        self.layers = CompletionNetwork(WIDTH).layers
        for layer in self.layers[:-1]:
            if not normalise:
                layer.norm = nn.Identity()
        if usual:
            for layer in self.layers:
                layer.convolution.reset_parameters()

    def forward(self, values: Tensor) -> Tensor:
        return self.layers(values)


def curve(kind: str, seed: int, steps: int = STEPS) -> list[tuple[int, float]]:
    """(step, root mean square error in the hole on photos never seen), every `EVERY` steps of one training."""
    torch.manual_seed(seed)
    network, generator, exam = Bare(*KINDS[kind]), torch.Generator().manual_seed(seed), never_seen(EXAM)
    optimizer = torch.optim.Adam(network.parameters(), 0.002)  # the same rate from the first step to the last
    found = []
    for step in range(1, steps + 1):
        crops = random_crops(small_photos("train"), BATCH, generator)
        loss = _squared_error(network, crops)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % EVERY == 0:
            network.eval()
            with torch.inference_mode():
                found.append((step, _squared_error(network, exam).sqrt().item()))
                print(kind, seed, step, f"{found[-1][1]:.4f}", flush=True)
            network.train()
    return found


def _squared_error(network: nn.Module, crops: Tensor) -> Tensor:
    return ((network(four_channels(crops)) - crops) ** 2)[IN_HOLE].mean()


def flat_error() -> float:
    """The baseline: the error of painting the training photos' mean colour into every hole of the same photos."""
    return ((mean_colour() - never_seen(EXAM)) ** 2)[IN_HOLE].mean().sqrt().item()


def logged() -> dict[str, list[list[tuple[int, float]]]]:
    """The curves from `late_start.csv`: for each kind a list of curves, one a seed."""
    found: dict[str, list[list[tuple[int, float]]]] = {kind: [[] for _ in range(SEEDS)] for kind in KINDS}
    with open(LOG, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[row["kind"]][int(row["seed"])].append((int(row["step"]), float(row["error"])))
    return found


def main() -> None:
    """Train, and write the log."""
    with open(LOG, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["kind", "seed", "step", "error"])
        for seed in range(SEEDS):
            for kind in KINDS:
                rows = curve(kind, seed)
                writer.writerows([kind, seed, step, f"{error:.5f}"] for step, error in rows)
                file.flush()


if __name__ == "__main__":
    main()
