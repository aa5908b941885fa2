"""Lesson 06, section 2: is the error in the hole a better teacher than the error everywhere, in longer runs?

    python -m glcic_lite.course.lesson_06.loss_trials

trains the section's small network for `SEEDS`' steps with both losses, as the lesson's loop does it, and writes
`loss_trials.csv` beside this file: the PSNR in holes of photos never seen.
"""

import csv
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import default_collate

from glcic_lite.course.lesson_06.small_photos import write_small_photos
from glcic_lite.method.losses import reconstruction_loss
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.training import LESSON, Settings
from glcic_lite.training.crops import mean_colour
from glcic_lite.training.samples import TrainingSamples
from glcic_lite.training.validation import Validation

QUICK = replace(LESSON, phase_1=90, phase_2=0, phase_3=0, learning_rate_decay=0.3)  # those of the lesson's live runs
SEEDS = {400: 8, 1600: 3}  # how many, by the steps of a run
LOG = Path(__file__).with_name("loss_trials.csv")


def everywhere(output: Tensor, photo: Tensor, mask: Tensor) -> Tensor:
    """The squared error over all pixels."""
    return (output - photo).square().mean()


LOSSES: dict[str, Callable] = {"error in the hole": reconstruction_loss, "error everywhere": everywhere}


def trained(settings: Settings, photos: Path, loss: Callable) -> CompletionNetwork:
    """A network after phase 1, on the processor, in float32."""
    torch.manual_seed(settings.seed)
    network = CompletionNetwork(settings.width, mean_colour(photos)).to(memory_format=torch.channels_last)
    optimizer, samples = torch.optim.Adam(network.parameters()), TrainingSamples(photos, settings)
    for iteration in range(settings.phase_1):
        first = iteration * settings.batch_size
        batch = default_collate([samples[n] for n in range(first, first + settings.batch_size)])
        photo, mask = (batch[name].contiguous(memory_format=torch.channels_last) for name in ("photo", "mask"))
        for group in optimizer.param_groups:
            group["lr"] = settings.network_learning_rate(iteration)
        optimizer.zero_grad()
        loss(network(photo, mask), photo, mask).backward()
        optimizer.step()
    return network


def logged() -> dict[int, list[float]]:
    """From `loss_trials.csv`: for each length of run, by how many decibels the error in the hole is ahead, by seed."""
    with open(LOG, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    of = {(row["loss"], int(row["steps"]), int(row["seed"])): float(row["psnr"]) for row in rows}
    hole, all_pixels = LOSSES
    return {steps: [of[hole, steps, n] - of[all_pixels, steps, n] for n in range(SEEDS[steps])] for steps in SEEDS}


def trials(folder: Path) -> Iterator[dict]:
    """Train all, and yield the rows of the log."""
    photos = write_small_photos(folder, short_edge=200, grey=True)
    exam, kind = Validation(photos / "val", QUICK), f"box_{QUICK.hole_sides[1]}"
    for steps, seeds in SEEDS.items():
        for seed in range(seeds):
            for name, loss in LOSSES.items():
                network = trained(replace(QUICK, phase_1=steps, seed=seed), photos / "train", loss)
                psnr = exam.measure(network, torch.device("cpu"))[kind]
                yield {"loss": name, "steps": steps, "seed": seed, "psnr": f"{psnr:.3f}"}


def main() -> None:
    """Train, and write the log."""
    with open(LOG, "w", newline="", encoding="utf-8") as file, tempfile.TemporaryDirectory() as folder:
        writer = csv.DictWriter(file, ["loss", "steps", "seed", "psnr"], lineterminator="\n")
        writer.writeheader()
        for row in trials(Path(folder) / "photos"):
            print(*row.values(), flush=True)
            writer.writerow(row)
            file.flush()


if __name__ == "__main__":
    main()
