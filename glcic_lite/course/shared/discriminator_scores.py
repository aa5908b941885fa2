"""What discriminators say of photos and fills: test crops like those they were trained on, every fill, every vote."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from glcic_lite.evaluation.fills import harmonic_fill, mean_fill, network_fill, telea_fill
from glcic_lite.files import DATA
from glcic_lite.method.masks import Box, box_mask, local_patch, random_box
from glcic_lite.method.networks import CompletionNetwork, ContextDiscriminator
from glcic_lite.training import LITE
from glcic_lite.training.crops import PhotoCrops

CROP, PATCH = LITE.crop_size, LITE.local_size


class Exhibit(NamedTuple):
    """A crop of a test photo, the hole in it, and the patch around the hole."""

    photo: np.ndarray  # (CROP, CROP, 3) uint8
    hole: Box
    patch: Box

    @property
    def mask(self) -> np.ndarray:
        """(CROP, CROP) bool, True in the hole."""
        return box_mask((CROP, CROP), self.hole)


def exhibits(count: int, seed: int = 5) -> list[Exhibit]:
    """Random crops of the test photos, at the scales and with the boxes of `LITE`, close to those of their training."""
    crops = PhotoCrops(DATA / "photos" / "test", CROP, LITE.short_edge, seed)
    found = []
    for number in range(count):
        photo = np.rint(crops[number].transpose(1, 2, 0) * 255).astype(np.uint8)
        hole = random_box(np.random.default_rng((seed, number)), (CROP, CROP), LITE.hole_sides)
        found.append(Exhibit(photo, hole, local_patch(hole, PATCH, (CROP, CROP))))
    return found


def fills(network: CompletionNetwork) -> dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
    """Ways to treat a hole, by name. "photo" leaves the truth in it; "network" is what the critics were trained on."""
    return {
        "photo": lambda photo, mask: photo.copy(),
        "mean colour": mean_fill,
        "harmonic": harmonic_fill,
        "Telea": telea_fill,
        "network": network_fill(network, blend=False),
        "network, blended": network_fill(network),
    }


def as_tensor(photo: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 to (3, H, W) in [0, 1]."""
    return torch.tensor(photo).permute(2, 0, 1).float() / 255


def views(photo: np.ndarray, patch: Box) -> tuple[Tensor, Tensor]:
    """What the global and the local discriminator get: (3, H, W) and (3, PATCH, PATCH), both in [0, 1]."""
    whole = as_tensor(photo)
    return whole, whole[(slice(None), *patch.slices)]


def fill_all(shown: list[Exhibit], network: CompletionNetwork) -> dict[str, tuple[Tensor, Tensor]]:
    """Every exhibit under every fill, as the discriminators get it: (N, 3, CROP, CROP) and (N, 3, PATCH, PATCH)."""
    seen = {}
    for name, fill in fills(network).items():
        pairs = [views(fill(exhibit.photo, exhibit.mask), exhibit.patch) for exhibit in shown]
        seen[name] = tuple(torch.stack(part) for part in zip(*pairs, strict=True))
    return seen


@torch.inference_mode()
def votes(critics: ContextDiscriminator, photos: Tensor, patches: Tensor) -> dict[str, Tensor]:
    """The logit, and the two parts it is the sum of: (N,) each.

    The last layer is a weighted sum over the features of both critics, so each critic's share of it can be told; the
    bias is given to neither.

    Returns:
        "both" (the logit), "global" and "local".
    """
    device = critics.concatenation.weight.device
    photos, patches = photos.to(device), patches.to(device)
    weight = critics.concatenation.weight[0]
    split = critics.global_discriminator.features
    return {
        "both": critics(photos, patches).cpu(),
        "global": (critics.global_discriminator(photos) @ weight[:split]).cpu(),
        "local": (critics.local_discriminator(patches) @ weight[split:]).cpu(),
    }


def won(photo: Tensor, fill: Tensor) -> float:
    """The share of pairs in which the photo gets the higher vote; a tie counts half. 0.5 is what guessing gives."""
    return ((photo > fill).float() + 0.5 * (photo == fill).float()).mean().item()


def gradients(critics: ContextDiscriminator, photos: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
    """How much each pixel sways the logit: the size of its gradient over red, green and blue.

    Args:
        photos, patches: as for the critics, (N, 3, H, W) each.

    Returns:
        (N, H, W) for the global and for the local critic, 0 or more.
    """
    device = critics.concatenation.weight.device
    photos, patches = (x.to(device).clone().requires_grad_() for x in (photos, patches))
    maps = torch.autograd.grad(critics(photos, patches).sum(), (photos, patches))
    return tuple(gradient.norm(dim=1).cpu() for gradient in maps)


def hole_factor(maps: Tensor, holes: list[np.ndarray]) -> Tensor:
    """How much more a pixel in the hole counts than one outside: the ratio of the two means, 1 where both count alike.

    Args:
        maps: (N, H, W), 0 or more.
        holes: (H, W) bool each. Where all, or all but a fiftieth, is hole, there is no outside to compare with.

    Returns:
        One number for each map that has an outside.
    """
    inside = torch.stack([torch.from_numpy(hole) for hole in holes])
    compared = inside.float().mean((1, 2)) < 0.98
    maps, inside = maps[compared], inside[compared]
    within = (maps * inside).sum((1, 2)) / inside.sum((1, 2))
    return within / ((maps * ~inside).sum((1, 2)) / (~inside).sum((1, 2)))
