"""Opening photos safely, and writing them atomically."""

import ctypes
import importlib
import io
import logging
import os
import stat
import warnings
from contextlib import suppress
from math import ceil
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin

from glcic_lite.files import write_bytes
from glcic_lite.method import metadata
from glcic_lite.method.colour_profiles import colour_space, fit_for, grey_tones, to_srgb, with_tones

MAX_PIXELS = 120_000_000  # more than any camera's photo; a small file can claim far more and fill the memory

# The formats that are opened. Pillow knows more, and opens one of them, PostScript, by running Ghostscript on the file.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM", "TGA", "ICO", "PSD", "HEIF")
HOLDS_ALPHA = ("PNG", "WEBP", "TIFF", "AVIF", "JPEG2000", "TGA")  # formats that keep how transparent each pixel is

with suppress(ImportError):  # phones' HEIC photos are read where this package is installed; nothing else needs it
    importlib.import_module("pillow_heif").register_heif_opener()
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}  # bytes 8 to 11 of such a file

# The endings that files of these formats have, such as ".jpg". ".mpo" is a JPEG with a second picture inside.
PHOTO_SUFFIXES = {".heic", ".heif", ".hif"} | {
    suffix for suffix, kind in Image.registered_extensions().items() if kind in (*FORMATS, "MPO")
}

with suppress(AttributeError, OSError):  # Windows: out of reach, inside Pillow
    # libtiff prints lines of its own to standard error about every damaged file; Pillow raises the error all the same.
    ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)
logging.getLogger("PIL").addHandler(logging.NullHandler())  # so does Pillow

PhotoSource = Image.Image | np.ndarray | str | os.PathLike


SHOW_ONE = ("MPO", "PSD", "HEIF")  # several pictures in a file, one of which is the photo: layers, a burst, a preview


class PhotoError(ValueError):
    """A photo that cannot be used; the message names it and says why."""


def open_image(source: PhotoSource, max_pixels: int = MAX_PIXELS, least_edge: int | None = None) -> Image.Image:
    """Open a still picture in its own mode, upright, fully decoded.

    Args:
        source: a path, a PIL image, or an array: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); bool, unsigned 8 or 16 bit
            integers, or floats in [0, 1]. A PIL image that needs no change is returned itself, not copied.
        max_pixels: refuse pictures of more pixels than this before decoding them.
        least_edge: a JPEG file may be decoded at a half, a quarter or an eighth of its size, as long as its short edge
            keeps this many pixels; None: at its size.

    Raises:
        PhotoError: unreadable, truncated, animated, too large, empty, or an array of another shape or range.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _upright(source, _name(source), max_pixels, None, ours=False)
    if not isinstance(source, str | os.PathLike):
        hint = _tensor_hint(source) if hasattr(source, "permute") else ""
        raise PhotoError(
            f"a path, a PIL image or a numpy array is expected, but this is of type {type(source).__name__}{hint}"
        )
    with _opened(source, max_pixels) as image:  # closes the file, and leaves the pixels
        return _upright(image, _name(source), max_pixels, least_edge, ours=True)


def _tensor_hint(tensor: torch.Tensor) -> str:
    steps = {2: "", 3: ".permute(1, 2, 0)", 4: "[0].permute(1, 2, 0)"}.get(tensor.ndim)
    return "" if steps is None else f"; this tensor becomes one by {steps}.detach().cpu().numpy()"


def opened_formats() -> list[str]:
    """Those of `FORMATS` that this installation of Pillow opens: the `formats` of every `Image.open`."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _name(source: PhotoSource) -> str:
    return "the picture" if isinstance(source, Image.Image | np.ndarray) else str(source)


def _opened(source: str | os.PathLike, max_pixels: int) -> Image.Image:
    """A picture file of which only the header has been read yet."""
    name = _name(source)
    try:
        kind = os.stat(source).st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):  # opening a pipe or a device may wait for ever
            raise PhotoError(f"{name}: not a regular file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit applies below
            return Image.open(source, formats=opened_formats())
    except PhotoError:
        raise
    except FileNotFoundError as error:
        raise PhotoError(f"{name}: no such file") from error
    except Image.DecompressionBombError as error:
        raise PhotoError(f"{name}: more than {max_pixels / 1e6:.0f} megapixels, the limit") from error
    except IsADirectoryError as error:
        raise PhotoError(f"{name}: is a folder, not a photo") from error
    except Exception as error:  # damaged files make Pillow raise TypeError, struct.error and many more
        if "HEIF" not in Image.OPEN and _is_heic(source):
            way_out = "python -m pip install pillow-heif; or save it as JPEG"
            raise PhotoError(f"{name}: a HEIC picture, which needs one more package: {way_out}") from error
        why = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
        raise PhotoError(f"{name}: not a picture that can be read{why}; known are {', '.join(FORMATS)}") from error


def _is_heic(file: str | os.PathLike) -> bool:
    with suppress(OSError, ValueError), open(file, "rb") as content:
        head = content.read(12)
        return head[4:8] == b"ftyp" and head[8:] in HEIC_BRANDS
    return False


def _upright(image: Image.Image, name: str, max_pixels: int, least_edge: int | None, ours: bool) -> Image.Image:
    """The picture decoded, and turned as its EXIF data says, which are then without orientation and thumbnail.

    Unless it is ours, the given picture stays as it is.
    """
    if image.format not in (None, "MPO", *FORMATS):  # a PIL image that the caller has opened, perhaps not yet decoded
        raise PhotoError(f"{name}: {image.format} is not opened; save it as PNG")
    _refuse_size(image, name, max_pixels)
    try:
        frames = getattr(image, "n_frames", 1)
        several = frames > 1 and image.format not in SHOW_ONE
        if several and isinstance(image, TiffImagePlugin.TiffImageFile):
            several = not _one_page(image)
    except Exception as error:
        raise PhotoError(f"{name}: truncated or damaged ({error})") from error
    if several:
        raise PhotoError(f"{name}: an animated or multi-page picture ({frames} frames); save one of them as a photo")
    _refuse_size(image, name, max_pixels)  # that of the page that was chosen
    found = metadata.read(image)  # before decoding, which may close the file
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        found |= _tiff_white(image, name)
    try:
        if least_edge is not None and min(image.size) >= 2 * least_edge:
            scale = least_edge / min(image.size)
            image.draft(None, (ceil(image.width * scale), ceil(image.height * scale)))
        image.load()
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        upright = ImageOps.exif_transpose(image) if turned else image
    except Exception as error:  # see `_opened`
        raise PhotoError(f"{name}: truncated or damaged ({error})") from error
    if upright.mode in ("P", "PA") and upright.palette is None:
        raise PhotoError(f"{name}: truncated or damaged (it has no palette)")
    ours_to_say = ("exif", "dpi", WHITE_IS_ZERO, WHITE)
    if any(upright.info.get(key) != found.get(key) for key in ours_to_say):
        if upright is image and not ours:
            upright = image.copy()
        upright.info = {**{key: upright.info[key] for key in upright.info if key not in ours_to_say}, **found}
    return upright


WHITE_IS_ZERO = "white_is_zero"  # in a picture's `info`: its numbers are those of a negative
WHITE = "white"  # the same: the largest number it can hold, where that is not 65535


def _tiff_white(tiff: TiffImagePlugin.TiffImageFile, name: str) -> dict:
    """`WHITE_IS_ZERO`, if that is so: Pillow turns 1 and 8 bits round, but not 16 and 32. And `WHITE`, of 9 to 15 bits.

    Raises:
        PhotoError: colours of 16 bits that lie plane by plane, uncompressed: Pillow would take them for 8 bits.
    """
    tags = tiff.tag_v2
    bits = tags.get(258, (1,))
    bits = max(bits if isinstance(bits, tuple) else (bits,))
    if tags.get(284) == 2 and tags.get(259, 1) == 1 and bits > 8:
        raise PhotoError(f"{name}: colours of 16 bits, stored plane by plane, are not read; save it as PNG")
    found: dict = {WHITE_IS_ZERO: True} if tags.get(262) == 0 and tiff.mode not in ("1", "L") else {}
    signed = tags.get(339) in (2, (2,))  # then half of the numbers are negative
    return found | ({WHITE: 2 ** (bits - signed) - 1} if 8 < bits <= 16 and bits - signed < 16 else {})


def _refuse_size(image: Image.Image, name: str, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise PhotoError(f"{name}: {width} x {height} is more than {max_pixels / 1e6:.0f} megapixels, the limit")
    if width * height == 0:
        raise PhotoError(f"{name}: has no pixels")


def _one_page(tiff: TiffImagePlugin.TiffImageFile) -> bool:
    """Whether all pages of a TIFF but one are reduced copies of that one (thumbnails, overviews) or masks for it; it is
    then the current page."""
    pages = []
    for number in range(tiff.n_frames):
        tiff.seek(number)
        kind, older_kind = tiff.tag_v2.get(254, 0), tiff.tag_v2.get(255)  # NewSubfileType, SubfileType
        if not kind & 0b101 and older_kind != 2:
            pages.append(number)
    tiff.seek(pages[0] if pages else 0)
    return len(pages) == 1


def open_photo(source: PhotoSource, max_pixels: int = MAX_PIXELS, least_edge: int | None = None) -> Image.Image:
    """Open a photo as 8-bit RGB, whatever its mode.

    Rotation from EXIF is applied; greyscale and palette photos become RGB; 16-bit ones are reduced to 8 bit; those with
    a colour profile for inks (CMYK) or for grey are converted through it; transparent parts are laid over white.

    An embedded RGB profile, EXIF data without orientation and thumbnail, and the resolution stay in `info`, under
    "icc_profile", "exif" and "dpi"; `complete` hands them on, and `save_image` writes them.

    Args and errors are those of `open_image`.
    """
    image = open_image(source, max_pixels, least_edge)
    if _is_plain_rgb(image):
        return image
    photo = _as_rgb(image, _name(source))
    if photo.mode == "RGBA":
        info, white = photo.info, Image.new("RGBA", photo.size, "white")
        photo = Image.alpha_composite(white, photo).convert("RGB")
        photo.info = info
    return photo


def _is_plain_rgb(image: Image.Image) -> bool:
    space = colour_space(image.info.get("icc_profile"))
    return image.mode == "RGB" and not image.has_transparency_data and space in ("RGB", "")


def _as_rgb(image: Image.Image, name: str) -> Image.Image:
    """A photo of any mode as 8-bit RGB, or as RGBA if it has transparent parts, with the metadata that are kept."""
    info = metadata.kept(image.info)
    profile = info.pop("icc_profile", None)
    tones = grey_tones(profile)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        photo = _levels_to_rgb(image, name, tones)
    elif image.mode == "CMYK":
        photo = (to_srgb(image, profile) if profile else None) or image.convert("RGB")
    else:
        try:
            photo = image.convert("RGBA" if image.has_transparency_data else "RGB")
        except ValueError as error:
            raise PhotoError(f"{name}: a picture in mode {image.mode} cannot be made RGB") from error
        if tones is not None:
            photo = with_tones(photo, tones)
        grey = image.mode in ("1", "L", "LA", "La")  # a profile for colours says nothing of such a photo
        if profile and not grey and colour_space(profile) in ("RGB", ""):
            info["icc_profile"] = profile
    photo.info = info
    return photo


def _levels_to_rgb(image: Image.Image, name: str, tones: np.ndarray | None) -> Image.Image:
    """A picture of one channel with more than 256 levels, as RGB, or as RGBA if one of them is transparent."""
    values, top = levels(image, name)
    if image.mode == "I" and top == 1:  # a photo of whole numbers has at least 256 levels; a mask may have two
        top = 255.0
    transparent = values == image.info.get("transparency")  # a level that a PNG may name
    values = values * (255 / top)
    if tones is not None:
        values = np.interp(values, np.arange(256), tones)
    photo = Image.fromarray(np.rint(values).astype(np.uint8)).convert("RGB")
    if transparent.any():
        photo.putalpha(Image.fromarray(np.where(transparent, np.uint8(0), np.uint8(255))))
    return photo


def with_alpha(source: PhotoSource, completed: Image.Image, hole: np.ndarray) -> Image.Image:
    """A completed photo with the transparency that the photo had: known pixels are the photo's, the hole is opaque.

    Args:
        source: the photo, as it was given to `complete`.
        completed: what that returned.
        hole: (H, W) bool, True in the hole.

    Returns:
        RGBA; the completed photo itself, RGB, where the photo has no transparent parts.
    """
    photo = _as_rgb(open_image(source), _name(source))
    if photo.mode != "RGBA":
        return completed
    photo.paste(completed, mask=Image.fromarray(hole.astype(np.uint8) * 255))
    photo.info = completed.info
    return photo


def levels(image: Image.Image, name: str) -> tuple[np.ndarray, float]:
    """The numbers of a picture of one channel with 16 or 32 bits, as float64 (H, W), and which of them is white.

    White is 65535 in 16 bits, 4095 in a TIFF's 12. Of 32 bits a file does not say it: the smallest of 1, 255 and 65535
    that none exceeds. What lies beyond black or white by a hair, as resampling leaves it, is cut off.

    Raises:
        PhotoError: some are infinite, NaN, or well outside of 0 to 65535; or fractions go somewhat beyond 1 or 255, as
            in HDR pictures: then nobody can say what is white.
    """
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise PhotoError(f"{name}: a picture in mode {image.mode} must hold finite numbers")
    largest = float(image.info.get(WHITE, 65535))
    if image.mode.startswith("I;16"):
        return (largest - values if image.info.get(WHITE_IS_ZERO) else values), largest
    least, most, hair, whole = values.min(), values.max(), 1e-3, not (values % 1).any()
    white = next((white for white in (1.0, 255.0, largest) if most <= white * (1 + hair)), 0.0)
    black = -max(hair * white, float(whole))  # programs mark with -1
    # Fractions up to 16 are more likely HDR than a nearly black photo of 255 levels; likewise those a little above 255.
    beyond = not whole and (1 + hair < most < 16 or 255 * (1 + hair) < most < 510)
    if not white or least < black or beyond:
        raise PhotoError(
            f"{name}: a picture in mode {image.mode} must hold numbers from 0 to 1, to 255 or to {largest:.0f}; these "
            f"go from {least:.6g} to {most:.6g}"
        )
    values = values.clip(0, white)
    return (white - values if image.info.get(WHITE_IS_ZERO) else values), white


def _from_array(array: np.ndarray) -> Image.Image:
    if isinstance(array, np.ma.MaskedArray):
        raise PhotoError("a masked array says nothing about its hidden values; use its .filled(0)")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or array.size == 0:
        raise PhotoError(f"an array of shape {array.shape} is not a picture; expected (H, W), (H, W, 3) or (H, W, 4)")
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif array.dtype == np.uint16:
        array = np.rint(array / 257).astype(np.uint8)
    elif np.issubdtype(array.dtype, np.floating):
        hair = 1e-3  # as in `levels`
        if not np.isfinite(array).all() or array.min() < -hair or array.max() > 1 + hair:
            raise PhotoError("an array of floats must hold finite numbers from 0 to 1")
        array = np.rint(array.clip(0, 1) * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise PhotoError(f"an array of {array.dtype} is not a picture; expected bool, uint8, uint16 or floats")
    return Image.fromarray(np.ascontiguousarray(array))


def photo_to_tensor(photo: Image.Image | np.ndarray) -> torch.Tensor:
    """A photo as the networks take it: (H, W, 3) uint8 to (1, 3, H, W) float32 in [0, 1]; step 3 of the program."""
    return torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 255


def tensor_to_photo(tensor: torch.Tensor) -> np.ndarray:
    """The reverse: (3, H, W) or (1, 3, H, W) in [0, 1], on any device, to (H, W, 3) uint8, rounded."""
    values = tensor.detach().reshape(tensor.shape[-3:]) * 255
    return values.round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()


def picture_format(path: str | os.PathLike) -> str:
    """Pillow's name for the format that a file's suffix stands for.

    Raises:
        PhotoError: no format with this suffix is written, or none that keeps a photo's size.
    """
    suffix = Path(path).suffix
    kind = Image.registered_extensions().get(suffix.lower())
    if kind not in Image.SAVE or kind not in FORMATS or kind == "ICO":  # which changes the size
        raise PhotoError(f"{path}: unknown picture format {suffix!r}; use .png or .jpg")
    return kind


def expect_alpha(path: str | os.PathLike) -> None:
    """Refuse a file whose format, which the suffix names, keeps no transparency."""
    kind = picture_format(path)
    if kind not in HOLDS_ALPHA:
        raise PhotoError(f"{path}: {kind} keeps no transparency; use .png")


def save_image(image: Image.Image, path: str | os.PathLike, quality: int = 95) -> None:
    """Write a picture whole or not at all: encoded in memory first, then as `files.write_bytes` does.

    The suffix decides the format. Photos written as PNG keep every pixel, unless their colour profile is over 1 MB (see
    `fit_for`); `quality`, 1 to 100, is for JPEG, WebP and AVIF. Metadata in `info` are written where the format has
    a place for them.

    Raises:
        PhotoError: the suffix names no picture format, or one that cannot hold this picture.
        OSError: the folder cannot be written to.
    """
    path = Path(path)
    kind = picture_format(path)
    image = fit_for(image, kind)
    options = metadata.to_save(image.info, kind)
    if kind in ("JPEG", "WEBP", "AVIF"):
        options["quality"] = quality
    if kind == "WEBP":
        options["exact"] = True  # also the colours of transparent pixels
    encoded = io.BytesIO()
    try:
        image.save(encoded, format=kind, **options)
    except (ValueError, OSError) as error:
        if getattr(error, "errno", None) is not None:  # the machine is to blame, not the format
            raise
        size = f"{image.width} x {image.height} pixels in mode {image.mode}"
        raise PhotoError(f"{path}: {kind} cannot hold {size} ({error}); use .png") from error
    write_bytes(path, encoded.getvalue())


def list_photos(folder: str | os.PathLike) -> list[Path]:
    """The photos in a folder and the folders below it, sorted by path; recognized by their suffix, not opened.

    Folders that are links or cannot be read are skipped with a warning.

    Raises:
        PhotoError: there is no such folder, or no photo in it.
    """
    photos = [file for file in list_files(folder) if file.suffix.lower() in PHOTO_SUFFIXES]
    if not photos:
        raise PhotoError(f"{folder}: no photos in this folder; known are {', '.join(FORMATS)}")
    return photos


def list_files(folder: str | os.PathLike) -> list[Path]:
    """All files in a folder and the folders below it, sorted by path, but for hidden ones. See `list_photos`."""
    if not Path(folder).is_dir():
        raise PhotoError(f"{folder}: no such folder")

    def warn(error: OSError) -> None:
        warnings.warn(f"folder skipped: {error.filename}: {error.strerror}", stacklevel=4)

    files = []
    for place, folders, names in os.walk(Path(folder), onerror=warn):
        files += [Path(place, name) for name in names if not name.startswith(".")]
        for link in filter(os.path.islink, (os.path.join(place, inner) for inner in folders)):
            warnings.warn(f"folder skipped: {link}: a link, which is not followed", stacklevel=3)
    return sorted(files)
