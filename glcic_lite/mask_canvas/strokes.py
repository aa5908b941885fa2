"""What the canvas draws, in numpy: the reference the browser's ink is tested against, pixel by pixel.

A mask is a bool array (H, W), True in the hole. Points are (x, y), whole pixels from the top left; they may lie
outside the mask. Everything is integer arithmetic, so that JavaScript and numpy cannot differ by a rounding.
"""

from collections.abc import Iterable, Sequence
from math import isqrt
from numbers import Integral

import numpy as np

from glcic_lite.method.masks import grow

Point = tuple[int, int]


class RunLengthError(ValueError):
    """A list that is not the run lengths of a mask of the size in question; the message says why."""


def line(start: Point, end: Point) -> list[Point]:
    """The pixels of a straight line, both ends included (Bresenham's algorithm)."""
    (x, y), (end_x, end_y) = start, end
    distance_x, distance_y = abs(end_x - x), -abs(end_y - y)
    step_x, step_y = (1 if x < end_x else -1), (1 if y < end_y else -1)
    error = distance_x + distance_y
    points = [(x, y)]
    while (x, y) != (end_x, end_y):
        doubled = 2 * error
        if doubled >= distance_y:
            error += distance_y
            x += step_x
        if doubled <= distance_x:
            error += distance_x
            y += step_y
        points.append((x, y))
    return points


def disc(size: int) -> np.ndarray:
    """The brush: a round bool array (size, size). `size` is odd, so that the disc has a middle pixel.

    Raises:
        ValueError: for a size that is even or below 1.
    """
    if size < 1 or size % 2 == 0:
        raise ValueError(f"a brush has an odd size of at least 1 pixel, not {size}")
    radius = size // 2
    offset = np.abs(np.arange(-radius, radius + 1))
    # r * r + r instead of r * r: the circle runs through the middle of the outermost pixels' edges and looks rounder.
    half_widths = np.array([isqrt(radius * radius + radius - int(dy) ** 2) for dy in offset])
    return offset[None, :] <= half_widths[:, None]


def draw_stroke(mask: np.ndarray, points: Sequence[Point], size: int, erase: bool = False) -> None:
    """Stamp the brush on `mask`, in place, along the lines from point to point. One point makes one disc."""
    brush, radius = disc(size), size // 2
    height, width = mask.shape
    for start, end in zip(points, [*points[1:], points[-1]], strict=True):
        for x, y in line(start, end):
            left, top, right, bottom = x - radius, y - radius, x + radius + 1, y + radius + 1
            inside = np.s_[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
            stamp = brush[max(-top, 0) : max(height - top, 0), max(-left, 0) : max(width - left, 0)]
            mask[inside][stamp] = not erase


def draw_rectangle(mask: np.ndarray, corner: Point, opposite: Point, erase: bool = False) -> None:
    """Fill the rectangle between two corners, in place; both corner pixels belong to it."""
    (left, right), (top, bottom) = (sorted(pair) for pair in zip(corner, opposite, strict=True))
    mask[max(top, 0) : max(bottom + 1, 0), max(left, 0) : max(right + 1, 0)] = not erase


def shrink(mask: np.ndarray, pixels: int) -> np.ndarray:
    """A new mask whose hole is smaller by `pixels` on every side, except where it runs over the photo's border."""
    return ~grow(~mask, pixels)


def encode_runs(mask: np.ndarray) -> list[int]:
    """The lengths of the runs of equal pixels, row by row from the top left: known, hole, known, hole, and so on.

    Only the first length may be 0: it is where the mask begins with a hole.

    >>> encode_runs(np.array([[False, False, True], [True, False, False]]))
    [2, 2, 2]
    """
    pixels = mask.ravel()
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    runs = np.diff(changes, prepend=0, append=pixels.size).tolist()
    return [0, *runs] if pixels[0] else runs


def decode_runs(runs: Iterable[int], width: int, height: int) -> np.ndarray:
    """The mask that `encode_runs` was given: bool (height, width).

    Raises:
        RunLengthError: `runs` is not a list, has more runs than pixels, contains anything but whole numbers above 0
            (the first may be 0), or does not add up to width x height.
    """
    if not isinstance(runs, list | tuple):
        raise RunLengthError(f"run lengths are a list, not a {type(runs).__name__}")
    pixels = width * height
    if len(runs) > pixels + 1:
        raise RunLengthError(f"{len(runs)} runs are more than {width} x {height} pixels can have")
    for position, length in enumerate(runs):
        if isinstance(length, bool) or not isinstance(length, Integral):
            raise RunLengthError(f"run {position} is {length!r}, not a whole number")
        if length < 0 or (length == 0 and position > 0):
            raise RunLengthError(f"run {position} has length {length}")
    if sum(runs) != pixels:
        raise RunLengthError(f"the runs add up to {sum(runs)}, but {width} x {height} pixels are {pixels}")
    is_hole = np.arange(len(runs)) % 2 == 1
    return np.repeat(is_hole, runs).reshape(height, width)
