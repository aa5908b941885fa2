"""The photos and hand-made masks that the studio offers: the repository's own, where the package lies in it."""

import csv
from functools import cache
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np
from PIL import Image

from glcic_lite.files import DATA, MASK_SEPARATOR
from glcic_lite.method.masks import Box, box_mask, free_form_strokes, mask_image, open_mask
from glcic_lite.method.photos import PHOTO_SUFFIXES, PhotoError, PhotoSource, open_image, open_photo

PHOTOS = DATA / "photos" / "test"  # never trained on
MASKS = DATA / "masks"
LONG_SIDE = 640  # pixels; sample photos are shown at this size, at which the shipped weights were also evaluated
PROPER_NAMES = {"bridge", "gard", "lake", "nagasaki", "nagoya", "petra", "picchu", "sherburne", "tower"}
FIRST = "ocean-beach-from-above"  # what the studio begins with

# Masks for any photo; as wide as what the shipped weights learned on, once a photo is reduced to 640 pixels.
ANY_PHOTO = {"box": "a box in the middle", "strokes": "brush strokes at random"}
TRANSPARENT = {"transparent": "its transparent part"}  # for a photo that has one


class Opened(NamedTuple):
    """A photo that the studio has opened.

    Attributes:
        photo: RGB, at its full size.
        title: what it is called, such as its file's name.
        sample: the name of the sample photo that it is, or empty.
        credit: who took it, if it is one of the repository's.
        transparent: bool (H, W), where the file is transparent, if part of it is; these parts are white in the photo.
    """

    photo: Image.Image
    title: str
    sample: str = ""
    credit: str = ""
    transparent: np.ndarray | None = None

    @property
    def masks(self) -> dict[str, str]:
        """The ready-made masks for it: names, and what a list shows for each."""
        return mask_names(self.sample) | ANY_PHOTO | (TRANSPARENT if self.transparent is not None else {})


@cache
def photo_names() -> dict[str, str]:
    """The sample photos: names, and what a list shows for each. Empty where the repository's data is not there."""
    paths = sorted(PHOTOS.glob("*")) if PHOTOS.is_dir() else []
    return {path.stem: _shown_name(path.stem) for path in paths if path.suffix.lower() in PHOTO_SUFFIXES}


def _shown_name(stem: str) -> str:
    """ "machu-picchu" as "Machu Picchu", "forest-stream" as "Forest stream"."""
    first, *others = (word.capitalize() if word in PROPER_NAMES else word for word in stem.split("-"))
    return " ".join([first[:1].upper() + first[1:], *others])


@cache
def mask_names(photo: str) -> dict[str, str]:
    """The hand-made masks for a sample photo: names of their files, and what a list shows for each."""
    found = {}
    for path in sorted(MASKS.glob(f"{photo}*.png"), key=lambda path: path.stem) if photo in photo_names() else []:
        _, separator, what = path.stem.partition(MASK_SEPARATOR)
        if path.stem == photo or separator:
            found[path.stem] = f"by hand: {what.replace('-', ' ')}" if what else "by hand"
    return found


def photo_file(name: str) -> Path:
    """The file of a sample photo."""
    return next(path for path in PHOTOS.glob(f"{name}.*") if path.suffix.lower() in PHOTO_SUFFIXES)


def find_photo(photo: PhotoSource | None) -> Opened:
    """A photo for the studio.

    Args:
        photo: a path, a PIL image or an array; the name of a sample photo; or None for the first of these.

    Raises:
        PhotoError: it cannot be used; the message says why.
    """
    names = photo_names()
    if photo is None:
        with_masks = [name for name in names if mask_names(name)]
        if not with_masks:
            raise PhotoError("the sample photos are not there (a folder data/ beside the package): name a photo")
        photo = FIRST if FIRST in with_masks else with_masks[0]
    if isinstance(photo, str) and photo in names:
        return Opened(open_photo(photo_file(photo)), photo, photo, credit(photo))
    is_path = isinstance(photo, str | PurePath)
    picture = open_image(photo)
    title = PurePath(photo).name if is_path else "photo"
    return Opened(open_photo(picture), title, "", _credit_of_file(photo) if is_path else "", _transparent(picture))


def _transparent(picture: Image.Image) -> np.ndarray | None:
    """Where a picture is at least half transparent; None: nowhere, or everywhere."""
    if not picture.has_transparency_data:
        return None
    part = np.asarray(picture.convert("RGBA"))[..., 3] < 128
    return part if part.any() and not part.all() else None


def _credit_of_file(path: str | PurePath) -> str:
    """The attribution of a file that is one of the repository's photos."""
    file = Path(path).resolve()
    inside = (DATA / "photos").resolve() in file.parents
    return attribution(file.stem) if inside and file.stem in _attribution() else ""


def photo_groups() -> list[list]:
    """The sample photos for a list, in groups: [[title, [[name, what the list shows], ...]], ...]."""
    groups = {True: [], False: []}
    for name, label in photo_names().items():
        groups[bool(mask_names(name))].append([name, label])
    return [["With hand-made masks", groups[True]], ["More photos", groups[False]]]


def mask_for(name: str, size: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """A mask of the list, for a photo that is (width, height) pixels by now: bool (H, W).

    Args:
        name: one of `mask_names`, or of `ANY_PHOTO`.
        random: decides where brush strokes run.
    """
    unit = max(size) / LONG_SIDE
    if name == "box":
        side = min(max(1, round(64 * unit)), *size)
        left, top = (size[0] - side) // 2, (size[1] - side) // 2
        return box_mask(size, Box(left, top, left + side, top + side))
    if name == "strokes":
        width = max(1, round(20 * unit))
        return free_form_strokes(random, size, (width, width), round(200 * unit), strokes=2)
    return resized_mask(open_mask(MASKS / f"{name}.png"), size)


def reduced_size(size: tuple[int, int], long_side: int) -> tuple[int, int]:
    """(width, height) with the long side at most `long_side` pixels; 0: no limit."""
    if not 0 < long_side < max(size):
        return tuple(size)
    return tuple(max(1, round(side * long_side / max(size))) for side in size)


def reduced(photo: Image.Image, long_side: int) -> Image.Image:
    """A photo at its `reduced_size`."""
    size = reduced_size(photo.size, long_side)
    return photo if size == photo.size else photo.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def resized_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask for its photo at another (width, height). A pixel that holds any of the hole belongs to it."""
    if mask.shape[::-1] == tuple(size):
        return mask
    return np.asarray(mask_image(mask).resize(size, Image.Resampling.BOX)) > 0


@cache
def _attribution() -> dict[str, dict[str, str]]:
    with open(DATA / "photos" / "ATTRIBUTION.csv", newline="", encoding="utf-8") as file:
        return {Path(row["file"]).stem: row for row in csv.DictReader(file)}


def attribution(photo: str) -> str:
    """Who took one of the repository's photos and under which licence, as the licences ask."""
    row = _attribution()[photo]
    return f"“{row['title']}” by {row['author']} ({row['licence']})"


def credit(photo: str) -> str:
    """The attribution of a sample photo; empty for any other photo."""
    return attribution(photo) if photo in photo_names() else ""
