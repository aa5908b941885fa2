"""Lesson 05, section 5: the shipped network trained on for a few steps, with the GAN loss and without it.

    python -m glcic_lite.course.lesson_05.this_hole

does so with `SEEDS` draws of photos and holes, and writes `this_hole.csv` beside this file.
"""

import copy
import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from glcic_lite.course.shared.discriminator_scores import CROP, PATCH, CropWithHole, crops_with_holes
from glcic_lite.evaluation.metrics import gradient_energy_ratio, hole_psnr
from glcic_lite.files import DATA
from glcic_lite.method.losses import discriminator_loss, gan_loss, hole_errors
from glcic_lite.method.masks import Box, local_patch
from glcic_lite.method.networks import CompletionNetwork, ContextDiscriminator, composite
from glcic_lite.method.photos import photo_to_tensor, tensor_to_photo
from glcic_lite.training import LITE
from glcic_lite.training.choices import training_choices
from glcic_lite.training.samples import TrainingSamples, cut_patches

STEPS, BATCH = 40, 8
COLOUR_WEIGHT = 16  # else a tint gets ahead of everything in so few steps, as the GAN loss cares little for it
ALPHA = 0.004  # ten times the paper's: there is a minute, not two months
WAYS = {"squared error alone": 0.0, "with the GAN loss": ALPHA}
SEEDS = 3
LOG = Path(__file__).with_name("this_hole.csv")
MEASURES = ("texture", "psnr")
CLOSE = 72  # side of what is shown close up, in pixels

# Holes much like those of the network's own last training, but boxes only: the local patch is centred on one.
SAMPLES = replace(
    LITE, hole_sides=(24, 64), holes=1, stroke_share=0.0, shuffled_colours=0.0, lowered_contrast=0.0, phase_1=0
)


def batches(seed: int, steps: int = STEPS) -> list[dict[str, Tensor]]:
    """Batches of `BATCH` training photos with holes, as `TrainingSamples` describes them."""
    samples = TrainingSamples(DATA / "photos" / "train", replace(SAMPLES, seed=100 + seed))
    return [default_collate([samples[step * BATCH + n] for n in range(BATCH)]) for step in range(steps)]


def joint_step(network, discriminators, learn: dict[nn.Module, torch.optim.Optimizer], batch: dict, alpha: float):
    """One step of phase 3; the lesson builds it in view. With alpha 0 it is one of phase 1.

    Args:
        learn: the optimizer of each of the two networks.
        batch: photo (N, 3, H, W), mask (N, 1, H, W), real_patch and fake_patch (N, 2).
    """
    photo, mask = batch["photo"], batch["mask"]
    output = network(photo, mask)
    completed = composite(photo, output, mask)
    loss = hole_errors(output, photo, mask, COLOUR_WEIGHT).mean()

    def judged(fake):
        both, corners = torch.cat([photo, fake]), torch.cat([batch["real_patch"], batch["fake_patch"]])
        return discriminators(both, cut_patches(both, corners, PATCH)).float().chunk(2)

    if alpha:
        learn[discriminators].zero_grad()
        discriminator_loss(*judged(completed.detach())).backward()
        learn[discriminators].step()
        loss = loss + alpha * gan_loss(judged(completed)[1])
    learn[network].zero_grad()
    loss.backward()
    learn[network].step()


class Twin:
    """A copy of the network and of the discriminators that is trained on, with or without the GAN loss.

    Args:
        network, discriminators: stay as they are.
        alpha: weight of the GAN loss; 0: the squared error alone.
        device: to train on.
        step: what a step is; the lesson hands in the one it builds.

    Attributes:
        network: the copy. Batch normalisation keeps the statistics that it has.
    """

    def __init__(self, network, discriminators, alpha: float, device: torch.device, step=joint_step):
        self._choices = training_choices(device=device)
        layout = self._choices.memory_format
        self.network = copy.deepcopy(network).eval().to(device, memory_format=layout)
        self._discriminators = copy.deepcopy(discriminators).train().to(device, memory_format=layout)
        self._learn = {
            one: torch.optim.Adam(one.parameters(), rate, betas=(0.5, 0.999))
            for one, rate in ((self.network, 1e-4), (self._discriminators, 5e-4))
        }
        self._alpha, self._step = alpha, step

    def train_on(self, batch: dict[str, Tensor]) -> None:
        """One step on one batch."""
        moved = {name: part.to(self._choices.device) for name, part in batch.items()}
        with self._choices.autocast:
            self._step(self.network, self._discriminators, self._learn, moved, self._alpha)

    def weights(self) -> dict[str, Tensor]:
        """A copy of the network's weights as they are now, on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}


def between(one: dict[str, Tensor], other: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights on the straight line from one network (share 0) to another that grew from the same (1), and beyond."""
    return {
        name: value + share * (other[name] - value) if value.is_floating_point() else value
        for name, value in one.items()
    }


@torch.inference_mode()
def filled(network: CompletionNetwork, crops: list[CropWithHole]) -> list[np.ndarray]:
    """The crops with the network's answer in the hole: (H, W, 3) uint8 each."""
    device = next(network.parameters()).device
    pictures = []
    for start in range(0, len(crops), 16):
        part = crops[start : start + 16]
        photos = torch.cat([photo_to_tensor(crop.photo) for crop in part]).to(device)
        masks = torch.stack([torch.from_numpy(crop.mask)[None].float() for crop in part]).to(device)
        completed = composite(photos, network(photos, masks), masks).cpu()
        pictures += [tensor_to_photo(one[None]) for one in completed]
    return pictures


def measured(network: CompletionNetwork, crops: list[CropWithHole]) -> dict[str, float]:
    """Means over the crops: texture in the hole (the photo's own is 1), and PSNR of the hole in dB."""
    texture, psnr = measured_each(network, crops)
    return {"texture": float(np.nanmean(texture)), "psnr": float(np.mean(psnr))}


def measured_each(network: CompletionNetwork, crops: list[CropWithHole]) -> np.ndarray:
    """The same for each crop: (2, crops), texture and PSNR. Texture is NaN where the photo has none."""
    pictures = filled(network, crops)
    triples = [(crop.photo, picture, crop.mask) for crop, picture in zip(crops, pictures, strict=True)]
    return np.array([[of(*triple) for triple in triples] for of in (gradient_energy_ratio, hole_psnr)])


def close_up(hole: Box) -> Box:
    """A square of `CLOSE` pixels around the hole, moved inside the crop where need be."""
    return local_patch(hole, CLOSE, (CROP, CROP))


def relative(box: Box, part: Box) -> Box:
    """A box as it lies in a part of the photo: counted from the part's corner."""
    return Box(box.left - part.left, box.top - part.top, box.right - part.left, box.bottom - part.top)


def logged() -> dict[str, dict[str, list[float]]]:
    """The trainings from `this_hole.csv`: for each measure, for each way and "before", one number a seed."""
    found: dict[str, dict[str, list[float]]] = {name: {way: [] for way in ("before", *WAYS)} for name in MEASURES}
    with open(LOG, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name in MEASURES:
                found[name][row["way"]].append(float(row[name]))
    return found


def _rows() -> Iterator[list]:
    network, discriminators = CompletionNetwork.from_pretrained(), ContextDiscriminator.from_pretrained()
    device, crops = training_choices().device, crops_with_holes(64)
    before = measured(network.eval(), crops)
    for seed in range(SEEDS):
        yield ["before", seed, 0, *(f"{before[name]:.4f}" for name in MEASURES)]
        given = batches(seed)
        for way, alpha in WAYS.items():
            torch.manual_seed(seed)
            twin = Twin(network, discriminators, alpha, device)
            for batch in given:
                twin.train_on(batch)
            found = measured(twin.network, crops)
            yield [way, seed, STEPS, *(f"{found[name]:.4f}" for name in MEASURES)]


def main() -> None:
    """Train, and write the log; row by row, so that it can be watched."""
    with open(LOG, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["way", "seed", "steps", *MEASURES])
        for row in _rows():
            writer.writerow(row)
            file.flush()
            print(*row, flush=True)


if __name__ == "__main__":
    main()
