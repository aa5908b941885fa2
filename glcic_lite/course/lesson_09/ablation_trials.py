"""The trials of lesson 09: photos that no network has learned from, cropped, completed in batches and measured."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from glcic_lite.evaluation.ablations import FIRST_PHASE
from glcic_lite.files import DATA
from glcic_lite.method.masks import Box, box_mask, mask_to_tensor, random_box
from glcic_lite.method.networks import CompletionNetwork, composite
from glcic_lite.method.photos import list_photos, open_photo, photo_to_tensor, tensor_to_photo

CROP = FIRST_PHASE.crop_size


class Trial(NamedTuple):
    """A crop of a photo and a box in it."""

    photo_name: str
    photo: np.ndarray  # (CROP, CROP, 3) uint8
    hole: Box

    @property
    def mask(self) -> np.ndarray:
        """(CROP, CROP) bool, True in the hole."""
        return box_mask((CROP, CROP), self.hole)


def trials(
    of_each: int, sides: tuple[int, int] = FIRST_PHASE.hole_sides, seed: int = 9, photos: str = "test"
) -> list[Trial]:
    """Random crops of every photo, at the scales of the ablations' training.

    Args:
        of_each: how many crops of each photo.
        sides: smallest and largest side of the boxes, in pixels.
        seed: determines scales, places and boxes.
        photos: "test", or "val" for those that watch over trainings.
    """
    random, found = np.random.default_rng(seed), []
    low, high = np.log(FIRST_PHASE.short_edge)
    for path in list_photos(DATA / "photos" / photos):
        photo = open_photo(path)
        for _ in range(of_each):
            scale = np.exp(random.uniform(low, high)) / min(photo.size)
            side = CROP / scale
            left, top = (random.uniform(0, length - side) for length in photo.size)
            crop = photo.resize(
                (CROP, CROP), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side), reducing_gap=3.0
            )
            found.append(Trial(path.stem, np.asarray(crop), random_box(random, (CROP, CROP), sides)))
    return found


@torch.inference_mode()
def completed(network: CompletionNetwork, shown: list[Trial], batch: int = 22) -> list[np.ndarray]:
    """Each trial completed by a network, not blended: (CROP, CROP, 3) uint8 each."""
    device, results = network.mean_colour.device, []
    for start in range(0, len(shown), batch):
        some = shown[start : start + batch]
        photos = torch.cat([photo_to_tensor(trial.photo) for trial in some]).to(device)
        masks = torch.cat([mask_to_tensor(trial.mask) for trial in some]).to(device)
        results += [tensor_to_photo(output) for output in composite(photos, network(photos, masks), masks)]
    return results


def middle(trial: Trial, side: int = 32) -> np.ndarray:
    """The mask of the middle of a trial's hole, `side` pixels square: (CROP, CROP) bool."""
    left, top = (trial.hole.left + trial.hole.right - side) // 2, (trial.hole.top + trial.hole.bottom - side) // 2
    return box_mask((CROP, CROP), Box(left, top, left + side, top + side))


def measured(
    measure: Callable[[np.ndarray, np.ndarray, np.ndarray], float],
    shown: list[Trial],
    results: list[np.ndarray],
    mask_of: Callable[[Trial], np.ndarray] = lambda trial: trial.mask,
) -> np.ndarray:
    """A measure of (photo, filled, mask) on completed trials, averaged within each photo: (photos,)."""
    values = [measure(trial.photo, result, mask_of(trial)) for trial, result in zip(shown, results, strict=True)]
    return mean_by_photo([trial.photo_name for trial in shown], values)


def mean_by_photo(names: Sequence[str], values: Sequence[float]) -> np.ndarray:
    """The mean of the values of each photo, in the order in which the photos first appear: (photos,)."""
    groups: dict[str, list[float]] = {}
    for name, value in zip(names, values, strict=True):
        groups.setdefault(name, []).append(value)
    return np.array([np.mean(group) for group in groups.values()])
