"""Lesson 00, the last section: a photo of the reader's own, with its hole, completed, and close up."""

from collections.abc import Sequence
from os.path import expanduser

import numpy as np
from PIL import Image

from glcic_lite.course.shared.figures import caption, show_pictures, with_hole
from glcic_lite.course.shared.samples import credit, sample_photo
from glcic_lite.method.masks import Box, MaskError, local_patch, looks_like_a_photo, open_mask, why_no_hole
from glcic_lite.method.photos import PhotoError, PhotoSource, open_photo
from glcic_lite.method.scale import depth

MEADOW = "wildflower-meadow"
CLOSE = 120  # pixels: the least side of the close-up
TALL = 2.5  # height over width of a photo that would fill several screens


def opened(photo: PhotoSource | None, mask: PhotoSource | None) -> tuple[Image.Image, np.ndarray, str]:
    """The reader's photo, its hole, and what to say of them.

    Args:
        photo: None: the course's meadow.
        mask: None: a round hole of 48 pixels, or less in a small photo.

    Returns:
        The photo in RGB; the hole, (H, W) bool; a sentence or two.

    Raises:
        PhotoError, MaskError: one of them cannot be used; the message says why.
    """
    image = sample_photo(MEADOW, long_side=640) if photo is None else open_photo(_path(photo, "my_photo"))
    words = "Your photo." if photo is not None else f"A meadow. ({credit(MEADOW)})"
    if mask is None:
        return image, *_round_hole(image, words)
    source = _path(mask, "my_mask")
    hole = open_mask(source, image.size)
    if not hole.any():
        raise MaskError(f"the mask has no hole: {why_no_hole(source)}")
    if hole.all():
        raise MaskError("the mask covers the whole photo: nothing is known to complete it from")
    if hole.mean() > 0.5:
        words += " Its mask is mostly white, and white is the hole: invert it if the wrong part is filled."
    if looks_like_a_photo(source):
        words += " Its mask is full of greys: is it a mask? The hole is wherever it is more white than black."
    return image, hole, words


def _path(source: PhotoSource, name: str) -> PhotoSource:
    if not isinstance(source, str):
        return source
    if not source.strip():
        raise PhotoError(f"{name} is empty; write the path of a file, or None")
    if source.strip().startswith(("http://", "https://")):
        raise PhotoError(f"{name} is a web address; download the picture first, and write its path")
    return expanduser(source.strip().strip('"'))  # Windows copies paths with quotes


def _round_hole(image: Image.Image, words: str) -> tuple[np.ndarray, str]:
    width, height = image.size
    radius = min(24, min(width, height) // 6)
    if radius < 2:
        raise PhotoError(f"the photo has only {width} x {height} pixels, too few for a round hole; give it a mask")
    rows, columns = np.ogrid[:height, :width]
    hole = (columns - 0.67 * width) ** 2 + (rows - 0.68 * height) ** 2 < radius**2
    return hole, f"{words} A round hole, {2 * radius} pixels across, in the lower right quarter."


def close_up(hole: np.ndarray) -> Box:
    """A square around the place in the hole, (H, W) bool, that is farthest from what is known."""
    away = depth(hole)
    y, x = np.unravel_index(away.argmax(), hole.shape)
    side = min(max(CLOSE, int(4 * away.max())), *hole.shape)
    return local_patch(Box(int(x), int(y), int(x) + 1, int(y) + 1), side, hole.shape[::-1])


def show(photo: Image.Image, hole: np.ndarray, results: Sequence[Image.Image], words: str) -> None:
    """The photo with its hole and both results, bare and blended; below, the same close up."""
    part = close_up(hole).slices
    pieces = [with_hole(np.asarray(photo)[part], hole[part]), *(np.asarray(result)[part] for result in results)]
    rows = [[with_hole(photo, hole), *results], pieces]
    where = "Below, close up."
    if photo.height > TALL * photo.width:
        rows, where = rows[1:], "Close up."
    show_pictures(
        rows,
        titles=["with its hole", "the network alone", "and blended"],
        caption_text=f"{where} The network alone may leave a tint, which blending removes. Specks, if it painted any, "
        "stay.",
    )
    caption(words)
