"""Colour profiles: those for grey are applied, those for RGB kept, and a large one makes no PNG that nobody opens."""

import io
import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from glcic_lite.method.colour_profiles import colour_space
from glcic_lite.method.photos import open_photo, save_image
from inputs import texture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RED_AND_BLUE_SWAPPED = SRGB.replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")


def grey_profile(gamma: float) -> bytes:
    """A profile for grey with this gamma, as printers and scanners embed them."""

    def xyz(*values):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    desc = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + b"\0" * 78
    curve = b"curv\0\0\0\0" + struct.pack(">IH2x", 1, round(gamma * 256))
    tags = {b"desc": desc + b"\0" * (-len(desc) % 4), b"cprt": b"text\0\0\0\0none\0\0\0\0"}
    tags |= {b"wtpt": xyz(0.9642, 1, 0.8249), b"kTRC": curve}
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


GREY = grey_profile(1.2)
RAMP = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
RIGHT = ImageCms.profileToProfile(
    Image.fromarray(RAMP), ImageCms.ImageCmsProfile(io.BytesIO(GREY)), ImageCms.createProfile("sRGB"), outputMode="RGB"
)
TONES = np.asarray(RIGHT)[0, :, 1].astype(int)


def deep_png(values: np.ndarray) -> bytes:
    """A PNG of 16 bit, grey or grey and alpha, with the grey profile: Pillow opens the latter as RGBA."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = values.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, 16, 0 if values.ndim == 2 else 4, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    profile = chunk(b"iCCP", b"grey\0\0" + zlib.compress(GREY))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + profile
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


DEEP = RAMP.astype(np.uint16) * 257
GREY_FILES = {
    "8 bit": Image.fromarray(RAMP),
    "JPEG": Image.fromarray(RAMP),
    "with alpha": Image.merge("LA", [Image.fromarray(RAMP), Image.new("L", (256, 4), 255)]),
    "palette": Image.fromarray(RAMP).convert("P"),
    "RGB": Image.fromarray(RAMP).convert("RGB"),
    "16 bit": deep_png(DEEP),
    "16 bit with alpha": deep_png(np.dstack([DEEP, np.full_like(DEEP, 65535)])),
}


@pytest.mark.parametrize("kind", GREY_FILES)
def test_a_grey_profile_is_applied_and_gone_however_grey_is_stored(tmp_path, kind):
    path, image = tmp_path / ("photo.jpg" if kind == "JPEG" else "photo.png"), GREY_FILES[kind]
    if isinstance(image, bytes):
        path.write_bytes(image)
    else:
        image.save(path, icc_profile=GREY, **({"quality": 100} if kind == "JPEG" else {}))
    photo = open_photo(path)
    seen = np.asarray(photo).astype(int)
    assert np.abs(TONES - np.arange(256)).max() > 50, "the profile means something"
    assert np.abs(seen - TONES[:, None]).max() <= (4 if kind == "JPEG" else 1)
    assert (seen == seen[..., :1]).all(), "grey stays grey"
    assert "icc_profile" not in photo.info


def test_transparent_parts_are_white_whatever_the_profile_says(tmp_path):
    """The tones come first: white paper shows through, not white ink."""
    clear = Image.merge("LA", [Image.fromarray(RAMP), Image.new("L", (256, 4), 128)])
    clear.save(tmp_path / "clear.png", icc_profile=GREY)
    expected = TONES * (128 / 255) + 255 * (127 / 255)
    assert np.abs(np.asarray(open_photo(tmp_path / "clear.png"))[0, :, 0] - expected).max() <= 1


def test_16_bit_levels_between_two_tones_lie_between_them():
    image = Image.fromarray(np.array([[100 * 257 + 128]], dtype=np.uint16))
    image.info["icc_profile"] = GREY
    assert TONES[100] <= np.asarray(open_photo(image))[0, 0, 0] <= TONES[101]


@pytest.mark.parametrize("profile", [GREY, GREY[:150], SRGB[:16] + b"CMYK" + SRGB[20:]])
def test_a_profile_that_does_not_fit_colours_is_dropped_and_changes_nothing(tmp_path, profile):
    Image.fromarray(texture(20, 30)).save(tmp_path / "photo.png", icc_profile=profile)
    photo = open_photo(tmp_path / "photo.png")
    assert np.array_equal(np.asarray(photo), texture(20, 30)) and "icc_profile" not in photo.info


def test_a_damaged_grey_profile_changes_nothing():
    image = Image.fromarray(RAMP)
    image.info["icc_profile"] = GREY[:150]
    assert np.array_equal(np.asarray(open_photo(image))[..., 0], RAMP)


def large(profile: bytes) -> bytes:
    content = bytearray(profile + os.urandom(1_200_000))
    content[:4] = len(content).to_bytes(4, "big")
    return bytes(content)


@pytest.fixture
def photo_with(tmp_path):
    def photo_with(profile):
        Image.fromarray(texture(20, 30)).save(tmp_path / "photo.jpg", icc_profile=profile, quality=98)
        return open_photo(tmp_path / "photo.jpg")

    return photo_with


def opened_elsewhere(path, monkeypatch) -> Image.Image:
    """As programs open it that have Pillow's own limit."""
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_CHUNK", 2**20)
    return Image.open(path)


def test_a_large_profile_that_means_nothing_is_left_out_of_a_png(tmp_path, monkeypatch, photo_with):
    photo = photo_with(large(SRGB))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_image(photo, tmp_path / "out.png")
    out = opened_elsewhere(tmp_path / "out.png", monkeypatch)
    assert np.array_equal(np.asarray(out), np.asarray(photo)) and "icc_profile" not in out.info


def test_a_large_profile_that_means_something_is_applied_with_a_warning(tmp_path, monkeypatch, photo_with):
    photo = photo_with(large(RED_AND_BLUE_SWAPPED))
    with pytest.warns(UserWarning, match="PNG written in sRGB: .*1 MB"):
        save_image(photo, tmp_path / "out.png")
    out = opened_elsewhere(tmp_path / "out.png", monkeypatch)
    swapped = np.asarray(photo)[..., ::-1].astype(int)  # as it looks
    assert np.abs(np.asarray(out) - swapped).mean() < 12 < np.abs(np.asarray(photo) - swapped).mean()
    assert len(out.info["icc_profile"]) < 10_000


@pytest.mark.parametrize("suffix", [".bmp", ".jp2", ".tga"])
@pytest.mark.parametrize("profile, converted", [(SRGB, False), (RED_AND_BLUE_SWAPPED, True)])
def test_a_format_without_profiles_shows_the_same_colours(tmp_path, suffix, profile, converted):
    photo = Image.fromarray(texture(20, 30))
    photo.info["icc_profile"] = profile
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        save_image(photo, tmp_path / f"out{suffix}")
    out = np.asarray(open_photo(tmp_path / f"out{suffix}")).astype(int)
    expected = np.asarray(photo)[..., ::-1] if converted else np.asarray(photo)
    assert np.abs(out - expected).mean() < (12 if converted else 1e-9)
    assert [f"{Image.EXTENSION[suffix]} written in sRGB" in str(warning.message) for warning in told] == [
        True
    ] * converted


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif"])
def test_other_formats_keep_a_large_profile(tmp_path, photo_with, suffix):
    profile = large(RED_AND_BLUE_SWAPPED)
    save_image(photo_with(profile), tmp_path / f"out{suffix}")
    assert open_photo(tmp_path / f"out{suffix}").info["icc_profile"] == profile


def test_a_png_with_a_large_profile_is_a_photo(tmp_path):
    Image.fromarray(texture(20, 30)).save(tmp_path / "photo.png", icc_profile=large(SRGB))
    assert np.array_equal(np.asarray(open_photo(tmp_path / "photo.png")), texture(20, 30))


def test_the_space_of_a_profile_is_read_from_its_header():
    assert [colour_space(profile) for profile in (SRGB, GREY, b"nonsense", None)] == ["RGB", "GRAY", "", ""]
