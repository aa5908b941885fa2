"""Colour profiles (ICC): what the numbers in a photo mean.

A profile for grey or for inks is applied when a photo is opened; one for RGB stays with the photo. This course's
addition.
"""

import io
import warnings

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

LARGEST_IN_PNG = 1_000_000  # bytes: Pillow, and whatever reads with it, refuses a PNG with a larger profile
HOLDS_ANY_PROFILE = ("JPEG", "WEBP", "TIFF", "AVIF", "HEIF")  # other formats hold none
LARGEST_READ = 2**24  # bytes: here such PNGs are opened all the same
UNSEEN = 2  # grey levels: a profile that changes no pixel by more says nothing worth keeping

PngImagePlugin.MAX_TEXT_CHUNK = max(PngImagePlugin.MAX_TEXT_CHUNK, LARGEST_READ)


def colour_space(profile: bytes | None) -> str:
    """What a profile is for: "RGB", "GRAY", "CMYK", ...; "" where there is none, or no valid one."""
    if not profile or profile[36:40] != b"acsp":
        return ""
    return profile[16:20].decode("latin-1").strip()


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """A picture in the colours of the screen, RGB or RGBA; None: the profile is damaged, or one for other colours."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError):
        return None


def grey_tones(profile: bytes | None) -> np.ndarray | None:
    """The tone on the screen of each grey level, for a grey photo with this profile.

    Returns:
        (256,) uint8; None where it changes nothing: no profile, one for colours, or a damaged one.
    """
    if profile is None or colour_space(profile) != "GRAY":
        return None
    ramp = to_srgb(Image.fromarray(np.arange(256, dtype=np.uint8)[None]), profile)
    return None if ramp is None else np.asarray(ramp)[0, :, 1]


def with_tones(photo: Image.Image, tones: np.ndarray) -> Image.Image:
    """An RGB or RGBA photo whose grey levels are replaced; one with colours is left as it is."""
    red, green, blue = photo.split()[:3]
    if red.tobytes() != green.tobytes() or green.tobytes() != blue.tobytes():
        return photo
    unchanged = range(256)  # transparency
    return photo.point([*tones.tolist() * 3, *(unchanged if photo.mode == "RGBA" else ())])


def fit_for(image: Image.Image, kind: str) -> Image.Image:
    """A picture whose profile a file of this format (Pillow's name) can hold.

    One that it cannot hold goes; if that would change what is seen, the pixels are converted to sRGB, with a warning.
    """
    profile, most = image.info.get("icc_profile"), LARGEST_IN_PNG if kind == "PNG" else 0
    if not profile or kind in HOLDS_ANY_PROFILE or len(profile) <= most:
        return image
    plain, info = image.copy(), {key: value for key, value in image.info.items() if key != "icc_profile"}
    converted = to_srgb(image, profile)
    if converted is not None:
        away = np.abs(np.asarray(converted, dtype=np.int16) - np.asarray(image.convert(converted.mode))).max(initial=0)
        if away > UNSEEN:
            reason = (
                "few programs open a PNG whose colour profile is over 1 MB" if most else "for want of colour profiles"
            )
            warnings.warn(f"{kind} written in sRGB: {reason}", stacklevel=3)
            plain, info = converted, {**info, "icc_profile": converted.info.get("icc_profile")}
    plain.info = info
    return plain
