"""Lesson 04, section 3: does a deep network train whose random weights let every photo fade?

    python -m glcic_lite.course.lesson_04.late_start

trains the paper's 17 layers at 1/8 of their width, without and with normalisation, and writes `late_start.csv` beside
this file: the error in the hole on photos never seen, every 30 steps. It is measured twice: as the network is used,
with averages of the statistics, and as it is trained, with the statistics of the batch.
"""

import copy
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
AS_USED, AS_TRAINED = "error", "error_as_trained"  # columns of the log


@torch.no_grad()
def give_he_weights(layers: nn.Module) -> None:
    """Make the package's starting weights, in place, those of He and others.

    They are, but for the deconvolutions', which are half as large: a stride of 2 lets a quarter of the taps through,
    and normalisation makes up for it (`networks._initialise`). Here there is none.
    """
    for part in layers.modules():
        if isinstance(part, nn.ConvTranspose2d):
            part.weight *= 2


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
        else:
            give_he_weights(self.layers)

    def forward(self, values: Tensor) -> Tensor:
        return self.layers(values)


def curve(kind: str, seed: int, steps: int = STEPS) -> list[tuple[int, float, float]]:
    """One training: every `EVERY` steps (step, root mean square error in the hole on photos never seen, as used and as
    trained)."""
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
            # Copies, so that the exam leaves no trace in the averages.
            modes = copy.deepcopy(network).eval(), copy.deepcopy(network).train()
            with torch.inference_mode():
                found.append((step, *(_squared_error(mode, exam).sqrt().item() for mode in modes)))
            print(kind, seed, step, *(f"{error:.4f}" for error in found[-1][1:]), flush=True)
    return found


def _squared_error(network: nn.Module, crops: Tensor) -> Tensor:
    return ((network(four_channels(crops)) - crops) ** 2)[IN_HOLE].mean()


def flat_error() -> float:
    """The baseline: the error of painting the training photos' mean colour into every hole of the same photos."""
    return ((mean_colour() - never_seen(EXAM)) ** 2)[IN_HOLE].mean().sqrt().item()


def logged(column: str = AS_USED) -> dict[str, list[list[tuple[int, float]]]]:
    """The curves of a column of `late_start.csv`: for each kind a list of curves, one a seed."""
    found: dict[str, list[list[tuple[int, float]]]] = {kind: [[] for _ in range(SEEDS)] for kind in KINDS}
    with open(LOG, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[row["kind"]][int(row["seed"])].append((int(row["step"]), float(row[column])))
    return found


def main() -> None:
    """Train, and write the log."""
    with open(LOG, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["kind", "seed", "step", AS_USED, AS_TRAINED])
        for seed in range(SEEDS):
            for kind in KINDS:
                rows = curve(kind, seed)
                writer.writerows([kind, seed, step, *(f"{error:.5f}" for error in errors)] for step, *errors in rows)
                file.flush()


if __name__ == "__main__":
    main()
