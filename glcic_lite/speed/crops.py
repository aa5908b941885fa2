"""Where the network has to be run: the parts of a hole, tiles of them, and the crop of the photo that each can see."""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from glcic_lite.method.architecture import size_divisor
from glcic_lite.method.masks import Box, hole_box
from glcic_lite.method.receptive_field import input_span

TILE = 1024  # more than the square of this many pixels is painted in tiles: memory stays bounded
CELL = 64  # pixels; what lies in the same or in neighbouring cells of this size belongs to the same part of a hole


def seen_by(target: Box, shape: tuple[int, int]) -> Box:
    """The crop that the network needs to paint `target` as it would with the whole photo of (height, width).

    Its corners are multiples of 4, so that strides and padding fall where they would in the whole photo; at the right
    and lower border it reaches over a photo whose sides are not.
    """
    divisor = size_divisor()
    height, width = (-(-side // divisor) * divisor for side in shape)
    left, right = input_span(target.left, target.right)
    top, bottom = input_span(target.top, target.bottom)
    return Box(
        max(left // divisor * divisor, 0),
        max(top // divisor * divisor, 0),
        min(-(-right // divisor) * divisor, width),
        min(-(-bottom // divisor) * divisor, height),
    )


def parts(hole: np.ndarray) -> list[Box]:
    """Boxes around the parts of a hole, bool (H, W), merged where one crop is less work than two.

    No box touches another, so that each connected part lies in one box together with the known pixels on its rim: it
    can be painted and blended without the others.
    """
    if not hole.any():
        return []
    around = hole_box(hole)
    # Coarse cells are enough to find what belongs together, and a thousand times fewer than pixels.
    rows = np.logical_or.reduceat(hole[around.slices], np.arange(0, around.height, CELL), axis=0)
    cells = np.logical_or.reduceat(rows, np.arange(0, around.width, CELL), axis=1)
    labels = ndimage.label(cells, structure=np.ones((3, 3)))[0]
    merged: list[Box] = []
    for rows, columns in ndimage.find_objects(labels):
        left, top = around.left + columns.start * CELL, around.top + rows.start * CELL
        right, bottom = around.left + columns.stop * CELL, around.top + rows.stop * CELL
        box = Box(left, top, right, bottom).inside(hole.shape).shrunk_to(hole)
        while True:  # a box that has grown by a merger may swallow further ones
            for other in merged:
                union = box.union(other)
                if box.touches(other) or _work(union, hole.shape) <= _work(box, hole.shape) + _work(other, hole.shape):
                    merged.remove(other)
                    box = union
                    break
            else:
                break
        merged.append(box)
    return merged


def tiles(box: Box, wanted: np.ndarray) -> Iterator[Box]:
    """The box itself; or its two halves, and theirs, if it is too large or they are less work.

    Args:
        box: holds some of the wanted pixels.
        wanted: (H, W) bool, True for the output pixels that are needed.
    """
    halves = [half.shrunk_to(wanted) for half in box.halves if wanted[half.slices].any()]
    if box.area > TILE**2 or sum(_work(half, wanted.shape) for half in halves) < _work(box, wanted.shape):
        for half in halves:
            yield from tiles(half, wanted)
    else:
        yield box


def regions(wanted: np.ndarray) -> Iterator[tuple[Box, Box]]:
    """All tiles of all parts of the wanted pixels, bool (H, W), each with the crop that it can see."""
    for part in parts(wanted):
        for tile in tiles(part, wanted):
            yield tile, seen_by(tile, wanted.shape)


def _work(target: Box, shape: tuple[int, int]) -> float:
    """What painting a box costs, in pixels: the first layers work on all it sees, the last ones on little more than it.

    Of the operations in a photo of any size, about half belong to either kind.
    """
    return (seen_by(target, shape).area + target.area) / 2
