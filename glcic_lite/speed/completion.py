"""Completing a photo: the program's six steps, for photos and masks of any size.

1. Load the trained network.
2. Bring photo and mask to sides that are multiples of 4.
3. Turn them into tensors.
4. Blacken the hole.
5. Feed both to the network.
6. Keep the network's answer inside the hole only, and add it to the photo.

The network is not run on the whole photo but only on what the hole can see (lesson 01): the result is the same.
"""

from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from glcic_lite.method.architecture import COMPLETION_NETWORK, size_divisor
from glcic_lite.method.blending import CROSS, blend_in_place
from glcic_lite.method.masks import Box, MaskError, hole_box, open_mask
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import PhotoSource, open_photo
from glcic_lite.method.receptive_field import input_span
from glcic_lite.speed.fast_network import FastNetwork

TILE = 1024  # more than the square of this many pixels are completed in tiles: memory stays bounded
CELL = 64  # pixels; what lies in the same or in neighbouring cells of this size is one part of a hole


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
    fast = FastNetwork(network, dtype)
    completed = image.copy()
    completed.info = {key: value for key, value in image.info.items() if key == "icc_profile"}
    for part in parts(hole):
        box = _with_rim(part, hole.shape)
        view = _inside(seen_by(box, hole.shape), hole.shape)  # nothing beyond matters: the cost follows the hole
        known, its_hole = np.asarray(image.crop(view)), hole[view.slices]
        inside = _relative(box, view)
        painted = paint_box(known, its_hole, inside, fast)
        known, its_hole = known[inside.slices], its_hole[inside.slices]
        if blend:
            blend_in_place(known, painted, its_hole)
        np.rint(painted, out=painted).clip(0, 255, out=painted)
        piece = known.copy()
        np.copyto(piece, painted, where=its_hole[..., None], casting="unsafe")  # step 6: it counts in the hole only
        completed.paste(Image.fromarray(piece), (box.left, box.top))
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
    painted = np.zeros(photo.shape, dtype=np.float32)
    fast = FastNetwork(network, dtype)
    for part in parts(hole):
        box = _with_rim(part, hole.shape)
        painted[box.slices] = paint_box(photo, hole, box, fast)
    return painted


def paint_box(photo: np.ndarray, hole: np.ndarray, box: Box, fast: FastNetwork) -> np.ndarray:
    """What `paint` paints in a box that holds whole parts of the hole and their rim: (box height, box width, 3)."""
    wanted = np.zeros(hole.shape, dtype=bool)
    wanted[box.slices] = cv2.dilate(hole[box.slices].astype(np.uint8), CROSS)
    painted = np.zeros((box.height, box.width, 3), dtype=np.float32)
    for target, region in regions(wanted):
        inputs = torch.from_numpy(_cut_out(photo, region).transpose(2, 0, 1)[None].copy())  # steps 2 and 3
        mask = torch.from_numpy(_cut_out(hole, region)[None, None].copy())
        inputs, mask = inputs.to(fast.device).float() / 255, mask.to(fast.device).float()
        output = fast(inputs, mask, _relative(target, region))  # steps 4 and 5: the network blackens the hole itself
        piece = (output[0] * 255).permute(1, 2, 0).cpu().numpy()
        np.copyto(painted[_relative(target, box).slices], piece, where=wanted[target.slices][..., None])
    return painted


def _cut_out(array: np.ndarray, region: Box) -> np.ndarray:
    """A region of a photo; where it reaches over the border, the last row and column are repeated."""
    cut = array[region.slices]
    missing = [(0, region.height - cut.shape[0]), (0, region.width - cut.shape[1]), (0, 0)][: cut.ndim]
    return np.pad(cut, missing, mode="edge") if any(after for _, after in missing) else cut


def regions(wanted: np.ndarray) -> Iterator[tuple[Box, Box]]:
    """Where to run the network: for each part of the wanted pixels, the part's box and the crop of the photo it needs.

    Parts that lie close together share a crop where that is less work than a crop each. Large parts are cut into
    tiles, and so are parts that leave much of their box empty.

    Args:
        wanted: (H, W) bool, True for the output pixels that are needed.

    Yields:
        (target, region): together the targets hold all wanted pixels; a region is all that its target can see, clipped
        to the photo (padded to multiples of 4), with corners at multiples of 4, so that strides and padding fall where
        they would in the whole photo.
    """
    for part in parts(wanted):
        for tile in _tiles(part, wanted):
            yield tile, seen_by(tile, wanted.shape)


def seen_by(target: Box, shape: tuple[int, int]) -> Box:
    """The crop that the network needs to paint `target` as it would with the whole photo of (height, width).

    Its corners are multiples of 4; at the right and lower border it reaches over a photo whose sides are not.
    """
    divisor = size_divisor()
    height, width = (-(-side // divisor) * divisor for side in shape)
    left, right = input_span(target.left, target.right, COMPLETION_NETWORK)
    top, bottom = input_span(target.top, target.bottom, COMPLETION_NETWORK)
    return Box(
        max(left // divisor * divisor, 0),
        max(top // divisor * divisor, 0),
        min(-(-right // divisor) * divisor, width),
        min(-(-bottom // divisor) * divisor, height),
    )


def parts(wanted: np.ndarray) -> list[Box]:
    """Boxes around the parts of a mask, merged while that saves work.

    No box touches another, so that each connected part lies in one box together with the known pixels on its rim.
    """
    if not wanted.any():
        return []
    around = hole_box(wanted)
    # Coarse cells are enough to find what belongs together, and a thousand times fewer than pixels.
    rows = np.logical_or.reduceat(wanted[around.slices], np.arange(0, around.height, CELL), axis=0)
    cells = np.logical_or.reduceat(rows, np.arange(0, around.width, CELL), axis=1)
    labels = ndimage.label(cells, structure=np.ones((3, 3)))[0]
    merged: list[Box] = []
    for rows, columns in ndimage.find_objects(labels):
        box = Box(
            around.left + columns.start * CELL,
            around.top + rows.start * CELL,
            min(around.left + columns.stop * CELL, around.right),
            min(around.top + rows.stop * CELL, around.bottom),
        )
        box = _shrunk(box, wanted)
        while True:  # a box that has grown by a merger may swallow further ones
            for other in merged:
                union = _union(box, other)
                if _touch(box, other) or _work(union, wanted.shape) <= sum(
                    _work(b, wanted.shape) for b in (box, other)
                ):
                    merged.remove(other)
                    box = union
                    break
            else:
                break
        merged.append(box)
    return merged


def _tiles(box: Box, wanted: np.ndarray) -> Iterator[Box]:
    """The box itself; or its two halves, and theirs, if it is too large or they are less work."""
    halves = [_shrunk(half, wanted) for half in _halves(box) if wanted[half.slices].any()]
    if box.width * box.height > TILE**2 or sum(_work(half, wanted.shape) for half in halves) < _work(box, wanted.shape):
        for half in halves:
            yield from _tiles(half, wanted)
    else:
        yield box


def _halves(box: Box) -> tuple[Box, ...]:
    if max(box.width, box.height) < 2:
        return (box,)
    if box.width >= box.height:
        middle = (box.left + box.right) // 2
        return box._replace(right=middle), box._replace(left=middle)
    middle = (box.top + box.bottom) // 2
    return box._replace(bottom=middle), box._replace(top=middle)


def _work(target: Box, shape: tuple[int, int]) -> float:
    """What painting a box costs, in pixels: the first layers work on all it sees, the last ones on little more than it.

    Of the operations in a photo of any size, about half belong to either kind.
    """
    region = seen_by(target, shape)
    return (region.width * region.height + target.width * target.height) / 2


def _shrunk(box: Box, wanted: np.ndarray) -> Box:
    """The box around the wanted pixels in a box, which has some."""
    inner = hole_box(wanted[box.slices])
    return Box(inner.left + box.left, inner.top + box.top, inner.right + box.left, inner.bottom + box.top)


def _with_rim(box: Box, shape: tuple[int, int]) -> Box:
    """The box and one pixel around it, inside a photo of (height, width)."""
    return _inside(Box(box.left - 1, box.top - 1, box.right + 1, box.bottom + 1), shape)


def _inside(box: Box, shape: tuple[int, int]) -> Box:
    """What of a box lies in a photo of (height, width)."""
    return Box(max(box.left, 0), max(box.top, 0), min(box.right, shape[1]), min(box.bottom, shape[0]))


def _union(a: Box, b: Box) -> Box:
    return Box(min(a.left, b.left), min(a.top, b.top), max(a.right, b.right), max(a.bottom, b.bottom))


def _touch(a: Box, b: Box) -> bool:
    """Whether two boxes, each with its rim, have a pixel in common."""
    return a.left <= b.right + 1 and b.left <= a.right + 1 and a.top <= b.bottom + 1 and b.top <= a.bottom + 1


def _relative(box: Box, origin: Box) -> Box:
    """A box in the pixels of another one that holds it."""
    return Box(box.left - origin.left, box.top - origin.top, box.right - origin.left, box.bottom - origin.top)
