"""The evaluation protocol: which crops and holes are tested, and every fill measured on each of them.

It is the course's own, not the paper's.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from glcic_lite.evaluation.fills import every_fill
from glcic_lite.evaluation.metrics import measure_all
from glcic_lite.method.masks import Box, box_mask, free_form_strokes
from glcic_lite.method.networks import CompletionNetwork
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
    """One crop of every photo in a folder, each with a box of every size and one brush stroke; the same every time.

    Photos that cannot be read or are too small are skipped with a warning.
    """
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
        name = path.relative_to(folder).as_posix()  # another folder may hold another photo of the same name
        for side in BOX_SIDES:
            x, y = (int(v) for v in random.integers(0, CROP - side, size=2, endpoint=True))
            yield HoleCase(name, f"box {side}", crop, box_mask((CROP, CROP), Box(x, y, x + side, y + side)))
        stroke = free_form_strokes(random, (CROP, CROP), (STROKE_WIDTH, STROKE_WIDTH), CROP // 2)
        yield HoleCase(name, f"stroke {STROKE_WIDTH}", crop, stroke)


def evaluate(
    folder: str | os.PathLike,
    network: CompletionNetwork | None = None,
    seed: int = 0,
    on_case: Callable[[HoleCase, dict[str, np.ndarray]], None] | None = None,
) -> list[dict]:
    """Fill every hole of `hole_cases` in every way and measure the result.

    Args:
        folder: photos never trained on.
        network: the weights to measure; None: the shipped ones.
        seed: determines crops and holes.
        on_case: called after each hole with the case and the result of every fill, by the fill's name.

    Returns:
        One row for each hole and fill: photo, hole, fill, psnr (dB), ssim, texture (ratio), l1 (grey levels).

    Raises:
        PhotoError: no photo in the folder can be used.
    """
    rows = []
    for case in hole_cases(folder, seed):
        filled = every_fill(case.photo, case.mask, network)
        for name, result in filled.items():
            row = {"photo": case.photo_name, "hole": case.hole_kind, "fill": name}
            rows.append(row | measure_all(case.photo, result, case.mask))
        if on_case:
            on_case(case, filled)
    if not rows:
        raise PhotoError(f"{folder}: no photo can be read and is large enough for a crop of {CROP} x {CROP}")
    return rows
