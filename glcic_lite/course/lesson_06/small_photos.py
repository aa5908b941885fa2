"""Small copies of the training photos: a training of a minute must not spend half of it on decoding large files."""

import os
from pathlib import Path

from PIL import Image

from glcic_lite.files import DATA
from glcic_lite.method.photos import list_photos, open_photo, opened_formats


def write_small_photos(folder: str | os.PathLike, short_edge: int = 200, grey: bool = False) -> Path:
    """Copies of all photos of the splits train/ and val/, as JPEG.

    Args:
        folder: gets a folder for each split.
        short_edge: of the copies, in pixels.
        grey: whether they are to be black and white.

    Returns:
        The folder.
    """
    for split in ("train", "val"):
        target = Path(folder) / split
        target.mkdir(parents=True)
        for path in list_photos(DATA / "photos" / split):
            with Image.open(path, formats=opened_formats()) as file:
                file.draft("RGB", (2 * short_edge, 2 * short_edge))  # a JPEG is decoded at a fraction of its size
                photo = open_photo(file)
            scale = short_edge / min(photo.size)
            photo = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.LANCZOS)
            (photo.convert("L") if grey else photo).save(target / f"{path.stem}.jpg", quality=95)
    return Path(folder)
