"""The scale that a hole is completed at: a network paints well what is as thick as the holes it was trained on.

Deep inside a thicker hole it sees little but hole, and hardly uses the rest (lesson 01). In a reduced copy of the photo
the same hole is thin, and the network sees what lies around it. What it paints is blended there, enlarged, put into the
photo and blended once more.

This course's addition: the paper trains on holes of 96 to 128 px in photos of 256 x 256, and says nothing of others.
"""

from collections.abc import Iterator
from typing import Literal

import cv2
import numpy as np

Scale = float | Literal["auto"]
BEST_THICKNESS = 0.5  # of the largest hole learned: thicker holes are completed best as thin as that (lesson 07)
SMALLEST_COPY = 48  # pixels: the shorter side of a photo is not reduced below that, or too little of it is left to see


def scale_of(hole: np.ndarray, largest_hole: float) -> float:
    """The scale that `complete` takes for a hole: 1, 1/2, 1/3, ...; that of its thickest part, if it has several.

    Args:
        hole: (H, W) bool, True in the hole.
        largest_hole: that of the network, in pixels.
    """
    return 1 / reduction_for(thickness(hole), largest_hole, hole.shape)


def thickness(hole: np.ndarray) -> float:
    """How thick a hole is, in pixels: twice the largest distance from it to what is known; 0 for no hole.

    A box of 40 x 100 px is 40 px thick. What lies beyond the photo's border is not known: a hole at the border is
    thicker than it looks.

    Args:
        hole: (H, W) bool, True in the hole.
    """
    return 2 * float(depth(hole).max(initial=0))


def depth(hole: np.ndarray) -> np.ndarray:
    """The distance from each pixel of a hole, bool (H, W), to the nearest known one, in pixels: (H, W) float32."""
    if hole.all():
        return np.full(hole.shape, max(hole.shape, default=0), dtype=np.float32)
    return cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)


def by_scale(hole: np.ndarray, largest_hole: float, shape: tuple[int, int]) -> Iterator[tuple[np.ndarray, int]]:
    """The connected parts of a hole, grouped by how many times smaller the copy is that suits them.

    Args:
        hole: (H, W) bool, a piece of a photo's mask that holds all known pixels on the hole's rim.
        largest_hole, shape: as for `reduction_for`.

    Yields:
        Bool (H, W), True in the parts of a group; and the group's 1, 2, 3, ...
    """
    distance = depth(hole)
    largest = reduction_for(2 * float(distance.max(initial=0)), largest_hole, shape)
    if largest == 1:
        yield hole, 1
        return
    count, labels = cv2.connectedComponents(hole.astype(np.uint8), connectivity=4)
    deepest = np.zeros(count, dtype=np.float32)
    np.maximum.at(deepest, labels.astype(np.int32, copy=False), distance)
    reductions = np.array([reduction_for(2 * float(d), largest_hole, shape) for d in deepest])
    reductions[0] = 0  # the known pixels
    for reduction in np.unique(reductions[1:]):
        yield (reductions == reduction)[labels], int(reduction)


def reduction_for(thick: float, largest_hole: float, shape: tuple[int, int]) -> int:
    """How many times smaller the copy is in which a part of a hole is completed: 1, 2, 3, ...

    Args:
        thick: the part's thickness, in pixels.
        largest_hole: how thick the holes were that the network was trained on, in pixels.
        shape: (height, width) of the photo.
    """
    if thick <= largest_hole:
        return 1
    return max(1, min(round(thick / (BEST_THICKNESS * largest_hole)), min(shape) // SMALLEST_COPY))


def given_reduction(scale: Scale) -> int | None:
    """1, 2, 3, ... for a scale of 1, 1/2, 1/3, ...; None for "auto".

    Raises:
        ValueError: the scale is none of these.
    """
    if isinstance(scale, str) and scale == "auto":
        return None
    number = isinstance(scale, int | float | np.integer | np.floating) and not isinstance(scale, bool)
    reduction = round(1 / scale) if number and 1e-4 <= scale <= 1 else 0
    if not reduction or abs(scale * reduction - 1) > 0.02:
        raise ValueError(f'scale is "auto", 1, 1/2, 1/3, 1/4, ..., not {scale!r}')
    return reduction


def reduced(photo: np.ndarray, hole: np.ndarray, reduction: int) -> tuple[np.ndarray, np.ndarray]:
    """A copy of a photo and its hole, so many times smaller.

    A pixel of the copy is the mean of the known ones among those it stands for, and known if they are at least half of
    them: nothing in the hole is read. Where the sides are no multiples, the last pixels stand for what there is.

    Args:
        photo: (H, W, C) uint8.
        hole: (H, W) bool, True in the hole.

    Returns:
        (H / reduction, W / reduction, C) uint8, and the hole as bool; both rounded up.
    """
    height, width, channels = photo.shape
    rows, columns = -(-height // reduction), -(-width // reduction)
    missing = (0, rows * reduction - height), (0, columns * reduction - width)

    def sums(values: np.ndarray) -> np.ndarray:  # of whole numbers: exact, and the same in every channel
        down = values.reshape(rows, reduction, columns * reduction, -1).sum(axis=1, dtype=np.uint32)
        return down.reshape(rows, columns, reduction, -1).sum(axis=2)

    known = np.pad(~hole, missing).astype(np.uint8)
    number = sums(known)
    pixels = sums(np.pad(np.ones(hole.shape, dtype=np.uint8), missing))
    total = sums(np.pad(photo, (*missing, (0, 0))) * known[..., None])
    mean = np.rint(total / np.maximum(number, 1)).astype(np.uint8)
    return mean, (2 * number < pixels)[..., 0]


def enlarged(painted: np.ndarray, reduction: int) -> np.ndarray:
    """A copy (h, w, C) float32 that many times larger, smooth between its pixels."""
    height, width, channels = painted.shape
    size = width * reduction, height * reduction
    return cv2.resize(painted, size, interpolation=cv2.INTER_CUBIC).reshape(*size[::-1], channels)
