"""A photo in several sizes, each resized once: training crops are then cut out, and there is nothing left to compute.

This course's addition (setting `scales_per_octave`). The paper resizes each photo to a random length of its short edge
before it cuts (section 4); here that length is one of a few.
"""

import math

import numpy as np
from PIL import Image


def scales(limits: tuple[int, int], per_octave: int) -> list[int]:
    """Lengths of the short edge, largest first, in equal steps, `per_octave` of which halve it; and the smallest.

    Args:
        limits: smallest and largest length, in pixels.
    """
    steps = math.ceil(per_octave * math.log2(limits[1] / limits[0]))
    return sorted({_scale(limits, per_octave, step) for step in range(steps + 1)}, reverse=True)


def nearest_scale(short_edge: float, limits: tuple[int, int], per_octave: int) -> int:
    """The one of `scales` to take for any length between the limits."""
    return _scale(limits, per_octave, round(per_octave * math.log2(limits[1] / short_edge)))


def _scale(limits: tuple[int, int], per_octave: int, step: int) -> int:
    return max(limits[0], round(limits[1] / 2 ** (step / per_octave)))


class Pyramid:
    """A photo in several sizes, resized when asked for, or all at once and kept.

    A photo is never enlarged, unless it is smaller than the crops.

    Args:
        photo: RGB.
        crop_size: side of the crops, in pixels.
    """

    def __init__(self, photo: Image.Image, crop_size: int):
        self._photo: Image.Image | None = photo
        self._size, self._crop_size = photo.size, crop_size
        self._levels: dict[tuple[int, int], np.ndarray] = {}
        self._starts: dict[tuple[int, int], int] = {}

    def __getitem__(self, short_edge: int) -> np.ndarray:
        """The photo with a short edge of so many pixels: (H, W, 3) uint8, the pixels that Pillow gives."""
        size = self._size_at(short_edge)
        if size in self._levels:
            return self._levels[size]
        assert self._photo is not None, "all sizes that are asked for were kept"
        return np.asarray(self._photo.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0))

    def bytes_of(self, short_edges: list[int]) -> int:
        """Memory that these sizes take."""
        return sum(3 * width * height for width, height in {self._size_at(x) for x in short_edges})

    def keep(self, short_edges: list[int]) -> None:
        """Make these sizes, and forget the photo."""
        self._levels = {self._size_at(x): self[x] for x in short_edges}
        self._photo = None

    def move_into(self, block: np.ndarray, start: int) -> int:
        """Move the sizes that are kept into a block of bytes, one after the other; returns where they end."""
        for size, pixels in self._levels.items():
            self._starts[size], end = start, start + pixels.size
            self._levels[size] = block[start:end].reshape(pixels.shape)
            self._levels[size][:] = pixels
            start = end
        return start

    def start(self, short_edge: int) -> int:
        """Where in that block the photo with such a short edge begins; -1: it is in none."""
        return self._starts.get(self._size_at(short_edge), -1)

    def _size_at(self, short_edge: int) -> tuple[int, int]:
        least = min(self._size)
        short_edge = min(short_edge, max(least, self._crop_size))
        width, height = (round(side * short_edge / least) for side in self._size)
        return width, height
