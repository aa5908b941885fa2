"""The trials of lesson 09: crops as the ablations were trained on, of photos never seen, and batches completed."""

from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from glcic_lite.evaluation.ablations import FIRST_PHASE
from glcic_lite.files import DATA
from glcic_lite.method.masks import Box, box_mask, random_box
from glcic_lite.method.networks import CompletionNetwork, composite
from glcic_lite.method.photos import list_photos, open_photo

CROP = FIRST_PHASE.crop_size


class Trial(NamedTuple):
    """A crop of a test photo and a box in it."""

    photo_name: str
    photo: np.ndarray  # (CROP, CROP, 3) uint8
    hole: Box

    @property
    def mask(self) -> np.ndarray:
        """(CROP, CROP) bool, True in the hole."""
        return box_mask((CROP, CROP), self.hole)


def trials(of_each: int, sides: tuple[int, int] = FIRST_PHASE.hole_sides, seed: int = 9) -> list[Trial]:
    """Random crops of every test photo, at the scales of the ablations' training.

    Args:
        of_each: how many of each photo.
        sides: smallest and largest side of the boxes, in pixels.
        seed: decides scales, places and boxes.
    """
    random, found = np.random.default_rng(seed), []
    low, high = np.log(FIRST_PHASE.short_edge)
    for path in list_photos(DATA / "photos" / "test"):
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
    """What a network makes of each trial, not blended: (CROP, CROP, 3) uint8 each."""
    device, results = network.mean_colour.device, []
    for start in range(0, len(shown), batch):
        some = shown[start : start + batch]
        photos = torch.from_numpy(np.stack([trial.photo for trial in some])).permute(0, 3, 1, 2).to(device) / 255
        masks = torch.from_numpy(np.stack([trial.mask for trial in some]))[:, None].float().to(device)
        output = composite(photos, network(photos, masks), masks)
        results += list((output * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy())
    return results


def middle(trial: Trial, side: int = 32) -> np.ndarray:
    """The mask of the middle of a trial's hole, `side` pixels square: (CROP, CROP) bool."""
    left, top = (trial.hole.left + trial.hole.right - side) // 2, (trial.hole.top + trial.hole.bottom - side) // 2
    return box_mask((CROP, CROP), Box(left, top, left + side, top + side))
