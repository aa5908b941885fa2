"""The holes of the evaluation: crops of photos never seen, with seeded boxes and a brush stroke."""

import os
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from glcic_lite.method.masks import Box, box_mask, free_form_strokes
from glcic_lite.method.photos import PhotoError, list_photos, open_photo

CROP = 256  # side of the test crops, in pixels
LONG_SIDE = 640  # the photos are reduced to this first: at full size a crop would show a piece of fur, not a scene
BOX_SIDES = (32, 48, 64)
STROKE_WIDTH = 20


class HoleCase(NamedTuple):
    """A crop of a test photo and one hole in it."""

    photo_name: str
    hole_kind: str
    photo: np.ndarray  # (CROP, CROP, 3) uint8
    mask: np.ndarray  # (CROP, CROP) bool


def hole_cases(folder: str | os.PathLike, seed: int = 0) -> Iterator[HoleCase]:
    """One crop of every photo in a folder, each with a box of every size and one brush stroke; the same every time."""
    for number, path in enumerate(list_photos(folder)):
        try:
            photo = open_photo(path)
        except PhotoError as error:
            warnings.warn(f"photo skipped: {error}", stacklevel=2)
            continue
        photo.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS, reducing_gap=None)
        if min(photo.size) < CROP:
            warnings.warn(f"photo skipped: {path} is smaller than {CROP} x {CROP} once reduced", stacklevel=2)
            continue
        random = np.random.default_rng((seed, number))
        left, top = (int(random.integers(0, side - CROP, endpoint=True)) for side in photo.size)
        crop = np.asarray(photo.crop((left, top, left + CROP, top + CROP)))
        name = path.relative_to(folder).as_posix()  # in another folder there may be another photo of this name
        for side in BOX_SIDES:
            x, y = (int(v) for v in random.integers(0, CROP - side, size=2, endpoint=True))
            yield HoleCase(name, f"box {side}", crop, box_mask((CROP, CROP), Box(x, y, x + side, y + side)))
        stroke = free_form_strokes(random, (CROP, CROP), (STROKE_WIDTH, STROKE_WIDTH), CROP // 2)
        yield HoleCase(name, f"stroke {STROKE_WIDTH}", crop, stroke)
