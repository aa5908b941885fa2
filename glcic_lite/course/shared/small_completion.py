"""The small experiment of lesson 01, for later lessons: 80 px photos, a 48 px hole, seconds to train.

Lesson 01 builds all of this in view. Here it stands once more, with a choice of how to shrink (lesson 02) and how to
grow (lesson 03); a test makes sure that both versions are equal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from glcic_lite.files import DATA
from glcic_lite.method.photos import list_photos, open_photo

CROP, HOLE_SIDE = 80, 48
MARGIN = (CROP - HOLE_SIDE) // 2
IN_HOLE = (..., slice(MARGIN, MARGIN + HOLE_SIDE), slice(MARGIN, MARGIN + HOLE_SIDE))

small_hole = torch.zeros(1, 1, CROP, CROP)
small_hole[IN_HOLE] = 1

_rows, _columns = np.indices((HOLE_SIDE, HOLE_SIDE))
depth = np.minimum.reduce([_rows, _columns, HOLE_SIDE - 1 - _rows, HOLE_SIDE - 1 - _columns])  # px from the rim


@cache
def small_photos(split: str) -> tuple[Tensor, ...]:
    """All photos of a split, (3, H, W) uint8, their short edge reduced to 96 px."""
    photos = []
    for path in list_photos(DATA / "photos" / split):
        small = open_photo(path, least_edge=192)  # a JPEG can be decoded at a fraction of its size, much faster
        scale = 96 / min(small.size)
        small = small.resize((round(small.width * scale), round(small.height * scale)), Image.Resampling.LANCZOS)
        photos.append(torch.from_numpy(np.array(small)).permute(2, 0, 1))
    return tuple(photos)


def random_crops(photos: Sequence[Tensor], count: int, generator: torch.Generator) -> Tensor:
    """(count, 3, CROP, CROP) in [0, 1], half of them mirrored."""
    crops = []
    for index in torch.randint(len(photos), (count,), generator=generator):
        chosen = photos[index]
        top = int(torch.randint(chosen.shape[1] - CROP + 1, (1,), generator=generator))
        left = int(torch.randint(chosen.shape[2] - CROP + 1, (1,), generator=generator))
        crop = chosen[:, top : top + CROP, left : left + CROP]
        crops.append(crop.flip(2) if torch.rand(1, generator=generator) < 0.5 else crop)
    return torch.stack(crops).float() / 255


@cache
def mean_colour() -> Tensor:
    """The mean colour of the training photos: (3, 1, 1)."""
    return torch.stack([p.float().mean((1, 2)) for p in small_photos("train")]).mean(0).view(3, 1, 1) / 255


def never_seen(count: int = 160) -> Tensor:
    """Crops of the photos that are not trained on, (count, 3, CROP, CROP); the same every time."""
    return random_crops(small_photos("val") + small_photos("test"), count, torch.Generator().manual_seed(99))


def four_channels(crops: Tensor) -> Tensor:
    """Hole filled with the mean colour, mean colour subtracted, mask beside it: (N, 4, CROP, CROP)."""
    known = (crops - mean_colour()) * (1 - small_hole)
    return torch.cat([known, small_hole.expand(len(crops), -1, -1, -1)], dim=1)


def _block(*convolution: nn.Module, channels: int) -> list[nn.Module]:
    return [*convolution, nn.BatchNorm2d(channels), nn.ReLU()]


SHRINK: dict[str, Callable[[int, int], list[nn.Module]]] = {
    "strided convolution": lambda a, b: [nn.Conv2d(a, b, 3, stride=2, padding=1)],
    "max pooling": lambda a, b: [nn.Conv2d(a, b, 3, padding=1), nn.MaxPool2d(2)],
    "average pooling": lambda a, b: [nn.Conv2d(a, b, 3, padding=1), nn.AvgPool2d(2)],
}
GROW: dict[str, Callable[[int, int], list[nn.Module]]] = {
    "deconvolution, kernel 4": lambda a, b: [nn.ConvTranspose2d(a, b, 4, stride=2, padding=1)],
    "deconvolution, kernel 3": lambda a, b: [nn.ConvTranspose2d(a, b, 3, stride=2, padding=1, output_padding=1)],
    "enlarge, then convolve": lambda a, b: [nn.Upsample(scale_factor=2), nn.Conv2d(a, b, 3, padding=1)],
}


def small_network(
    dilations: Sequence[int] = (2, 4, 2),
    shrink: str = "strided convolution",
    grow: str = "deconvolution, kernel 4",
) -> nn.Sequential:
    """(N, 4, 80, 80) to (N, 3, 80, 80): halved twice, three layers, doubled twice.

    Args:
        dilations: of the layers at a quarter of the size.
        shrink: a key of `SHRINK`; all have the same number of weights.
        grow: a key of `GROW`.
    """
    parts = _block(*SHRINK[shrink](4, 16), channels=16) + _block(*SHRINK[shrink](16, 32), channels=32)
    for dilation in dilations:
        parts += _block(nn.Conv2d(32, 32, 3, padding=dilation, dilation=dilation), channels=32)
    parts += _block(*GROW[grow](32, 16), channels=16) + _block(*GROW[grow](16, 8), channels=8)
    return nn.Sequential(*parts, nn.Conv2d(8, 3, 3, padding=1), nn.Sigmoid())


@dataclass
class Training:
    """One small network and its training.

    Attributes:
        make: builds the network, with weights drawn after `seed` has been set.
        seed: of weights and photos.
        total: number of steps.
        batch: crops in a step.
        losses: mean squared error in the hole on the training photos, one number for each step.
        network: what `make` returned, trained in place.
    """

    make: Callable[[], nn.Module]
    seed: int
    total: int
    batch: int = 16
    losses: list[float] = field(default_factory=list)

    def __post_init__(self):
        torch.manual_seed(self.seed)
        self.network = self.make()
        self._optimizer = torch.optim.Adam(self.network.parameters())
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(self._optimizer, max_lr=0.01, total_steps=self.total)
        self._generator = torch.Generator().manual_seed(self.seed)

    def step(self) -> None:
        """Train on one batch."""
        crops = random_crops(small_photos("train"), self.batch, self._generator)
        loss = ((self.network(four_channels(crops)) - crops) ** 2)[IN_HOLE].mean()
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        self._schedule.step()
        self.losses.append(loss.item())

    def run(self) -> "Training":
        """Carry out all remaining steps, and return this object."""
        while len(self.losses) < self.total:
            self.step()
        return self

    def fill(self, crops: Tensor) -> Tensor:
        """The photos with the network's answer in the hole."""
        self.network.eval()
        with torch.inference_mode():
            painted = self.network(four_channels(crops))
        self.network.train()
        return torch.where(small_hole > 0, painted, crops)

    def error_by_depth(self, crops: Tensor) -> np.ndarray:
        """Root mean square error at each distance from the rim of the hole, 0 to 23 px."""
        squared = ((self.fill(crops) - crops) ** 2)[IN_HOLE].mean((0, 1)).numpy()
        return np.sqrt([squared[depth == d].mean() for d in range(HOLE_SIDE // 2)])

    def error(self, crops: Tensor) -> float:
        """Root mean square error over the whole hole."""
        return float(((self.fill(crops) - crops) ** 2)[IN_HOLE].mean().sqrt())
