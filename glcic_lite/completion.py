"""Completing a photo: the program's six steps, for photos and masks of any size.

1. Load the trained network.
2. Bring photo and mask to sides that are multiples of 4.
3. Turn them into tensors.
4. Blacken the hole.
5. Feed both to the network.
6. Keep the network's answer inside the hole only, and add it to the photo.

The network is not run on the whole photo but only on what the hole can see (`lesson 01`): the result is the same.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from glcic_lite.architecture import COMPLETION_NETWORK, size_divisor
from glcic_lite.blending import poisson_blend
from glcic_lite.inference import FastNetwork
from glcic_lite.masks import Box, MaskError, open_mask
from glcic_lite.networks import CompletionNetwork
from glcic_lite.photos import PhotoSource, open_photo
from glcic_lite.receptive_field import input_span

TILE = 768  # holes larger than this are completed in tiles of this side, in pixels: memory stays bounded


@cache
def shipped_network() -> CompletionNetwork:
    """The weights that come with the package, loaded once."""
    return CompletionNetwork.from_pretrained()


def complete(
    photo: PhotoSource,
    mask: PhotoSource,
    network: CompletionNetwork | None = None,
    blend: bool = True,
    dtype: torch.dtype | None = None,
) -> Image.Image:
    """Fill the hole of a photo.

    Args:
        photo: a PIL image, a path or an array; any size from 1 x 1, any mode (see `open_photo`).
        mask: the same; a hole where it is at least half white; of the photo's size.
        network: a `CompletionNetwork`; by default the shipped weights. It is run where its parameters lie.
        blend: remove the tint between the hole and the photo by Poisson blending; False shows the bare network.
        dtype: what the network computes in, as for `FastNetwork`; by default bfloat16 where that is faster.

    Returns:
        An RGB image of the photo's size. Outside the hole every pixel equals the photo's. An empty mask returns the
        photo.

    Raises:
        PhotoError: a photo or mask that cannot be read.
        MaskError: a mask of another size, or one that covers the whole photo.
    """
    image = open_photo(photo)
    hole = open_mask(mask, image.size)
    if not hole.any():
        return image.copy()
    if hole.all():
        raise MaskError("the mask covers the whole photo: nothing is known to complete it from")
    network = network or shipped_network()  # step 1
    known = np.asarray(image)
    painted = paint(known, hole, network, dtype)
    filled = poisson_blend(known, painted, hole) if blend else painted
    result = known.copy()
    result[hole] = np.rint(filled[hole]).clip(0, 255).astype(np.uint8)  # step 6: the answer counts in the hole only
    completed = Image.fromarray(result)
    if image.info.get("icc_profile"):
        completed.info["icc_profile"] = image.info["icc_profile"]
    return completed


def paint(
    photo: np.ndarray, hole: np.ndarray, network: CompletionNetwork, dtype: torch.dtype | None = None
) -> np.ndarray:
    """Steps 2 to 5: what the network paints, on the crops of the photo that the hole needs.

    Args:
        photo: (H, W, 3) uint8.
        hole: (H, W) bool, True where the network shall paint.
        network: run with the statistics of evaluation mode, and left as it is.
        dtype: as for `complete`.

    Returns:
        (H, W, 3) float32 from 0 to 255: the network's output inside the hole and on its rim, the pixels just outside,
        where blending compares it with the photo; zeros elsewhere.
    """
    height, width = hole.shape
    padded_photo, padded_hole = _padded(photo), _padded(hole)  # step 2
    wanted = ndimage.binary_dilation(padded_hole)
    painted = np.zeros((*padded_hole.shape, 3), dtype=np.float32)
    device = network.mean_colour.device
    fast = FastNetwork(network, dtype)
    for target, region in regions(wanted):
        inputs = torch.from_numpy(padded_photo[region.slices].transpose(2, 0, 1)[None].copy())  # step 3
        mask = torch.from_numpy(padded_hole[region.slices][None, None].copy())
        inputs, mask = inputs.to(device).float() / 255, mask.to(device).float()
        output = fast(inputs, mask)[0]  # steps 4 and 5: the network blackens the hole itself
        inside = Box(*(np.array(target) - np.array(region[:2] * 2)).tolist())
        piece = output[(slice(None), *inside.slices)].permute(1, 2, 0) * 255
        where = wanted[target.slices]
        painted[target.slices][where] = piece.cpu().numpy()[where]
    return painted[:height, :width]


def _padded(array: np.ndarray) -> np.ndarray:
    """Repeat the last row and column until both sides are multiples of 4."""
    divisor = size_divisor()
    down, across = -array.shape[0] % divisor, -array.shape[1] % divisor
    return np.pad(array, [(0, down), (0, across), (0, 0)][: array.ndim], mode="edge")


def regions(wanted: np.ndarray) -> Iterator[tuple[Box, Box]]:
    """Where to run the network: for each part of the wanted pixels, the part's box and the crop of the photo it needs.

    Parts that lie close together share a crop where that is less work than a crop each. Large parts are cut into
    tiles.

    Args:
        wanted: (H, W) bool, True for the output pixels that are needed; both sides multiples of 4.

    Yields:
        (target, region): together the targets hold all wanted pixels; a region is all that its target can see, clipped
        to the photo, with corners at multiples of 4, so that strides and padding fall where they would in the whole
        photo.
    """
    for part in _parts(wanted):
        for top in range(part.top, part.bottom, TILE):
            for left in range(part.left, part.right, TILE):
                tile = Box(left, top, min(left + TILE, part.right), min(top + TILE, part.bottom))
                if wanted[tile.slices].any():
                    yield tile, seen_by(tile, wanted.shape)


def seen_by(target: Box, shape: tuple[int, int]) -> Box:
    """The crop that the network needs to paint `target` as it would with the whole photo of (height, width)."""
    divisor = size_divisor()
    height, width = shape
    left, right = input_span(target.left, target.right, COMPLETION_NETWORK)
    top, bottom = input_span(target.top, target.bottom, COMPLETION_NETWORK)
    return Box(
        max(left // divisor * divisor, 0),
        max(top // divisor * divisor, 0),
        min(-(-right // divisor) * divisor, width),
        min(-(-bottom // divisor) * divisor, height),
    )


def _parts(wanted: np.ndarray) -> list[Box]:
    """Boxes around the connected parts of a mask, merged while that saves work."""
    found = ndimage.find_objects(ndimage.label(wanted, structure=np.ones((3, 3)))[0])
    boxes = [Box(columns.start, rows.start, columns.stop, rows.stop) for rows, columns in found]
    merged: list[Box] = []
    for box in boxes:
        while True:  # a box that has grown by a merger may swallow further ones
            for other in merged:
                union = _union(box, other)
                if _work(union, wanted.shape) <= _work(box, wanted.shape) + _work(other, wanted.shape):
                    merged.remove(other)
                    box = union
                    break
            else:
                break
        merged.append(box)
    return merged


def _union(a: Box, b: Box) -> Box:
    return Box(min(a.left, b.left), min(a.top, b.top), max(a.right, b.right), max(a.bottom, b.bottom))


def _work(target: Box, shape: tuple[int, int]) -> int:
    region = seen_by(target, shape)
    return region.width * region.height
