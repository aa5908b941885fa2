"""What discriminators say of photos and fills: crops of test photos like those of their training, and their scores."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from glcic_lite.evaluation.fills import harmonic_fill, mean_fill, network_fill, telea_fill
from glcic_lite.files import DATA
from glcic_lite.method.masks import Box, box_mask, local_patch, random_box
from glcic_lite.method.networks import CompletionNetwork, ContextDiscriminator
from glcic_lite.method.photos import photo_to_tensor, tensor_to_photo
from glcic_lite.training import LITE
from glcic_lite.training.crops import PhotoCrops

CROP, PATCH = LITE.crop_size, LITE.local_size


class CropWithHole(NamedTuple):
    """A crop of a test photo, the hole in it, and the patch around the hole."""

    photo: np.ndarray  # (CROP, CROP, 3) uint8
    hole: Box
    patch: Box

    @property
    def mask(self) -> np.ndarray:
        """(CROP, CROP) bool, True in the hole."""
        return box_mask((CROP, CROP), self.hole)


def crops_with_holes(count: int, seed: int = 5) -> list[CropWithHole]:
    """Random crops of the test photos, at the scales and with the boxes of `LITE`, close to those of their training."""
    crops = PhotoCrops(DATA / "photos" / "test", CROP, LITE.short_edge, seed)
    found = []
    for number in range(count):
        hole = random_box(np.random.default_rng((seed, number)), (CROP, CROP), LITE.hole_sides)
        photo = tensor_to_photo(torch.from_numpy(crops[number]))
        found.append(CropWithHole(photo, hole, local_patch(hole, PATCH, (CROP, CROP))))
    return found


def fills(network: CompletionNetwork) -> dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
    """Ways to fill a hole, by name. "photo" leaves the truth in it; discriminators are trained against the network."""
    return {
        "photo": lambda photo, mask: photo.copy(),
        "mean colour": mean_fill,
        "harmonic": harmonic_fill,
        "Telea": telea_fill,
        "network": network_fill(network, blend=False),
        "network, blended": network_fill(network),
    }


def views(photo: np.ndarray, patch: Box) -> tuple[Tensor, Tensor]:
    """What the global and the local discriminator get: (3, H, W) and (3, PATCH, PATCH), both in [0, 1]."""
    whole = photo_to_tensor(photo)[0]
    return whole, whole[(slice(None), *patch.slices)]


def fill_all(crops: list[CropWithHole], network: CompletionNetwork) -> dict[str, tuple[Tensor, Tensor]]:
    """Every crop with every fill, as the discriminators get it: (N, 3, CROP, CROP) and (N, 3, PATCH, PATCH)."""
    seen = {}
    for name, fill in fills(network).items():
        both_views = [views(fill(crop.photo, crop.mask), crop.patch) for crop in crops]
        seen[name] = tuple(torch.stack(view) for view in zip(*both_views, strict=True))
    return seen


@torch.inference_mode()
def scores(discriminators: ContextDiscriminator, photos: Tensor, patches: Tensor) -> Tensor:
    """The logits, (N,), on the CPU, wherever the discriminators are; their sigmoid is the probability of being real."""
    device = discriminators.concatenation.weight.device
    return discriminators(photos.to(device), patches.to(device)).cpu()


def preferred_share(photo: Tensor, fill: Tensor) -> float:
    """How often a photo scores higher than its fill; a tie counts half. Guessing gives 0.5."""
    return ((photo > fill).float() + 0.5 * (photo == fill).float()).mean().item()
