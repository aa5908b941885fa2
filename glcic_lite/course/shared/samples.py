"""The repository's own photos and hand-drawn masks, by name, and the credit that must be shown with each photo."""

from pathlib import Path

import numpy as np
from PIL import Image

from glcic_lite.files import DATA, MASK_SEPARATOR
from glcic_lite.mask_canvas.sample_photos import attribution
from glcic_lite.method.masks import open_mask
from glcic_lite.method.photos import open_photo


def photo_path(name: str) -> Path:
    """The file of a photo of the test split, by the name of its file without ".jpg"."""
    return DATA / "photos" / "test" / f"{name}.jpg"


def sample_photo(name: str, long_side: int | None = None) -> Image.Image:
    """A photo of the test split, never trained on; its long side reduced to `long_side` pixels where that is given."""
    photo = open_photo(photo_path(name))
    if long_side is not None:
        photo.thumbnail((long_side, long_side), Image.Resampling.LANCZOS)
    return photo


def sample_names() -> list[str]:
    """The names of all hand-drawn masks: a photo's name, or that and what is covered, "photo--what"."""
    return sorted(path.stem for path in (DATA / "masks").glob("*.png"))


def sample(name: str) -> tuple[Image.Image, np.ndarray]:
    """A photo and a hand-drawn mask for it: a PIL image and bool (H, W)."""
    photo = sample_photo(name.split(MASK_SEPARATOR)[0])
    return photo, open_mask(DATA / "masks" / f"{name}.png", photo.size)


def credit(*names: str) -> str:
    """Who took the photos and under which licence, in one line, as the licences require."""
    return "Photos: " + "; ".join(attribution(name.split(MASK_SEPARATOR)[0]) for name in names) + "."
