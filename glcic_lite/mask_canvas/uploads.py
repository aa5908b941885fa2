"""Photos that come into the studio as uploads, and results that leave it as files."""

import tempfile
from pathlib import Path, PurePath

import numpy as np
from PIL import Image

from glcic_lite.method.masks import mask_image
from glcic_lite.method.photos import PhotoError, open_photo, save_image


def open_upload(name: str, content: bytes) -> tuple[str, Image.Image]:
    """A file that the browser has sent: its name without folders, and the photo.

    Raises:
        PhotoError: it is not a photo; the message calls it by its name.
    """
    name = PurePath(name.replace("\\", "/")).name or "photo"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "upload"
        file.write_bytes(content)
        try:
            return name, open_photo(file)
        except PhotoError as error:
            raise PhotoError(str(error).replace(str(file), name)) from error


def save_new(folder: str | PurePath, title: str, result: Image.Image, hole: np.ndarray) -> tuple[Path, Path]:
    """Write a completed photo and its mask under names that are still free. See `CompletionStudio.save`."""
    number = 1
    while True:
        name = title if number == 1 else f"{title}-{number}"
        files = tuple(Path(folder) / f"{name}-{part}.png" for part in ("completed", "mask"))
        if not any(file.exists() for file in files):
            break
        number += 1
    save_image(result, files[0])
    save_image(mask_image(hole), files[1])
    return files
