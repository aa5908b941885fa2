"""Small photos spoiled in known ways, to find out what a discriminator sees: lesson 05's experiment on claim S8.

Crops of 64 px, in each a hole of 24 px, and around the hole the patch of 32 px that a local discriminator is shown.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

CROP, PATCH, HOLE = 64, 32, 24
FEATHER = 6  # a foreign piece covers the whole patch, and fades out over this many pixels beyond it
BLUR = 1.5  # standard deviation, in pixels
STEP = 0.1  # of brightness, black to white being 1


def crops_and_corners(photos: Sequence[Tensor], count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random crops, and in each a random place for the patch: (count, 3, CROP, CROP) in [0, 1], (count, 2) top, left.

    Args:
        photos: (3, H, W) uint8 each, of any sizes from CROP up.
    """
    crops = []
    for index in torch.randint(len(photos), (count,), generator=generator):
        photo = photos[index]
        top = int(torch.randint(photo.shape[1] - CROP + 1, (1,), generator=generator))
        left = int(torch.randint(photo.shape[2] - CROP + 1, (1,), generator=generator))
        crop = photo[:, top : top + CROP, left : left + CROP]
        crops.append(crop.flip(2) if torch.rand(1, generator=generator) < 0.5 else crop)
    corners = torch.randint(CROP - PATCH + 1, (count, 2), generator=generator)
    return torch.stack(crops).float() / 255, corners


def boxes(corners: Tensor, side: int) -> Tensor:
    """Squares of this side, centred on the patches: (N, 1, CROP, CROP), 1 inside."""
    positions = torch.arange(CROP)
    first = corners + (PATCH - side) // 2
    inside = (positions >= first[..., None]) & (positions < first[..., None] + side)  # (N, 2, CROP)
    return (inside[:, 0, :, None] & inside[:, 1, None, :])[:, None].float()


def blurred(photos: Tensor, deviation: float = BLUR) -> Tensor:
    """Photos under a Gaussian blur: (N, 3, H, W)."""
    reach = round(4 * deviation)
    weights = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * deviation**2))
    weights /= weights.sum()
    channels = photos.shape[1]
    padded = F.pad(photos, (reach,) * 4, mode="replicate")
    across = F.conv2d(padded, weights.view(1, 1, 1, -1).expand(channels, -1, -1, -1), groups=channels)
    return F.conv2d(across, weights.view(1, 1, -1, 1).expand(channels, -1, -1, -1), groups=channels)


def blurred_hole(photos: Tensor, corners: Tensor, generator: torch.Generator) -> Tensor:
    """The hole holds a blurred copy of what belongs there: it fits in, but its texture is gone."""
    return torch.where(boxes(corners, HOLE) > 0, blurred(photos), photos)


def brightness_step(photos: Tensor, corners: Tensor, generator: torch.Generator) -> Tensor:
    """The hole holds what belongs there, a little too bright or too dark: a seam runs around it."""
    sign = torch.where(torch.rand(len(photos), 1, 1, 1, generator=generator) < 0.5, -1.0, 1.0)
    return torch.where(boxes(corners, HOLE) > 0, (photos + STEP * sign).clamp(0, 1), photos)


def foreign_piece(photos: Tensor, corners: Tensor, generator: torch.Generator) -> Tensor:
    """The patch and a soft frame around it come from another photo: a flawless patch in the wrong place."""
    patch = boxes(corners, PATCH)
    weight = torch.maximum(patch, blurred(boxes(corners, PATCH + FEATHER), FEATHER / 4))
    return weight * photos.roll(1, 0) + (1 - weight) * photos


Defect = Callable[[Tensor, Tensor, torch.Generator], Tensor]
DEFECTS: dict[str, Defect] = {
    "blurred hole": blurred_hole,
    "brightness step": brightness_step,
    "foreign piece": foreign_piece,
}


def spoiled(photos: Tensor, corners: Tensor, generator: torch.Generator) -> Tensor:
    """Each photo with one defect, all defects in equal numbers: (N, 3, CROP, CROP), N a multiple of their number."""
    parts = zip(DEFECTS.values(), photos.chunk(len(DEFECTS)), corners.chunk(len(DEFECTS)), strict=True)
    return torch.cat([defect(some, theirs, generator) for defect, some, theirs in parts])
