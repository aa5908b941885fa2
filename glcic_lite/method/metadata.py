"""What a file says about its photo: EXIF data, resolution, colour profile. They go from a photo to its result.

The thumbnail in EXIF data is left behind, for it still shows what was removed; so is the orientation, which has been
applied. This course's addition.
"""

from contextlib import suppress
from typing import Any

from PIL import ExifTags, Image

KEPT = ("icc_profile", "exif", "dpi")  # keys of Pillow's `Image.info`
HOLDS_EXIF = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")  # formats; the first names Pillow's
HOLDS_DPI = ("JPEG", "PNG", "TIFF", "BMP")
LARGEST_JPEG_EXIF = 65_533  # bytes: a JPEG has no room for more

Tag = ExifTags.Base
INNER = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)  # directories inside that of EXIF data
SIDES = (Tag.ExifImageWidth, Tag.ExifImageHeight)
RESOLUTION = (Tag.XResolution, Tag.YResolution, Tag.ResolutionUnit)
# Other entries of a TIFF say how its pixels are stored, or are a second copy of them: layers, thumbnails.
KEPT_OF_TIFF = {
    *(Tag.DocumentName, Tag.ImageDescription, Tag.Make, Tag.Model, Tag.Software, Tag.DateTime, Tag.Artist),
    *(Tag.HostComputer, Tag.Copyright, Tag.Rating, Tag.RatingPercent, *RESOLUTION),
    *(Tag.XPTitle, Tag.XPComment, Tag.XPAuthor, Tag.XPKeywords, Tag.XPSubject),
}


def kept(info: dict[Any, Any]) -> dict[Any, Any]:
    """The part of a photo's `info` that its result takes over."""
    return {key: info[key] for key in KEPT if info.get(key)}


def read(image: Image.Image) -> dict[Any, Any]:
    """`exif`, bytes, and `dpi`, two floats, of a picture whose file is still open; only what is there and valid."""
    found: dict[Any, Any] = {}
    dpi = image.info.get("dpi")
    with suppress(Exception):  # damaged metadata make Pillow raise anything; the photo itself is sound
        exif = _copied(image.getexif(), image.format == "TIFF")
        dpi = dpi or _resolution(exif)
        if len(exif):
            found["exif"] = exif.tobytes()
    with suppress(TypeError, ValueError, ZeroDivisionError):
        if dpi and all(1 < side < 65_535 for side in dpi):
            found["dpi"] = float(dpi[0]), float(dpi[1])
    return found


def _copied(exif: Image.Exif, of_tiff: bool) -> Image.Exif:
    """EXIF data without orientation and thumbnail; width and height are those of the upright picture."""
    copy = Image.Exif()
    for tag, value in exif.items():
        wanted = tag in KEPT_OF_TIFF if of_tiff else tag != Tag.Orientation
        if wanted and tag not in INNER:
            copy[tag] = value
    turned = exif.get(Tag.Orientation) in (5, 6, 7, 8)
    for tag in INNER:
        entries = dict(exif.get_ifd(tag))
        if turned and SIDES[0] in entries and SIDES[1] in entries:
            entries[SIDES[0]], entries[SIDES[1]] = entries[SIDES[1]], entries[SIDES[0]]
        if ExifTags.IFD.Interop in entries:
            entries[ExifTags.IFD.Interop] = dict(exif.get_ifd(ExifTags.IFD.Interop))
        if entries:
            copy[tag] = entries
    return copy


def _resolution(exif: Image.Exif) -> tuple[float, float] | None:
    """Pixels an inch, if EXIF data have them."""
    across, down, unit = (exif.get(tag) for tag in RESOLUTION)
    if across is None or down is None or unit not in (2, 3):
        return None
    an_inch = 2.54 if unit == 3 else 1.0  # in centimetres
    return float(across) * an_inch, float(down) * an_inch


def to_save(info: dict[Any, Any], kind: str) -> dict[str, Any]:
    """The options that make Pillow write into a file of this format what a photo's `info` says."""
    options = {"icc_profile": info["icc_profile"]} if info.get("icc_profile") else {}
    dpi = info.get("dpi")
    if dpi and kind in HOLDS_DPI:
        options["dpi"] = dpi
    if kind in HOLDS_EXIF:
        exif = Image.Exif()
        exif.load(info.get("exif") or b"")
        if dpi and kind not in HOLDS_DPI:
            exif.update(zip(RESOLUTION, (*dpi, 2), strict=True))
        content = exif.tobytes() if len(exif) else b""
        if content and not (kind == "JPEG" and len(content) > LARGEST_JPEG_EXIF):
            options["exif"] = content
        inner = exif.get_ifd(INNER[0])
        if content and kind == "TIFF" and ExifTags.IFD.Interop in inner:  # Pillow would write where it lies, not what
            inner[ExifTags.IFD.Interop] = dict(exif.get_ifd(ExifTags.IFD.Interop))
            options["exif"] = exif
    return options
