"""EXIF, resolution and profile go from the photo to its result, but for what must not: orientation and thumbnail."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin

from glcic_lite.method import completion
from glcic_lite.method.photos import open_photo, save_image
from glcic_lite.speed.completion import complete
from inputs import hole, narrow_network, texture

NETWORK = narrow_network()
PHOTO, MASK = texture(40, 60), hole(40, 60, (20, 10, 30, 20))
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
THUMBNAIL = b"what was removed is still to be seen here"
SUFFIXES = [".jpg", ".png", ".webp", ".tif"]


def camera_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Copyright] = "Leica", "Anna"
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.IFD.Exif] = {
        ExifTags.Base.DateTimeOriginal: "2020:01:02 03:04:05",
        ExifTags.Base.ExposureTime: TiffImagePlugin.IFDRational(1, 125),
        **{ExifTags.Base.ExifImageWidth: 60, ExifTags.Base.ExifImageHeight: 40},
        ExifTags.IFD.Interop: {1: "R98"},
    }
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (52.0, 30.0, 4.5)}
    return exif


def with_thumbnail(exif: Image.Exif) -> bytes:
    """EXIF data as cameras write them: a second directory after the first, with a small JPEG."""
    content = bytearray(exif.tobytes()[6:])
    order = ">" if content[:2] == b"MM" else "<"
    entries = struct.unpack_from(f"{order}H", content, 8)[0]
    struct.pack_into(f"{order}I", content, 10 + 12 * entries, len(content))
    at = len(content) + 2 + 2 * 12 + 4
    content += struct.pack(f"{order}H", 2)
    for tag, value in ((0x0201, at), (0x0202, len(THUMBNAIL))):
        content += struct.pack(f"{order}HHII", tag, 4, 1, value)
    return b"Exif\0\0" + bytes(content) + struct.pack(f"{order}I", 0) + THUMBNAIL


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """The same photo in every format, with all that a camera and an editor write."""
    folder, exif = tmp_path_factory.mktemp("photos"), camera_exif()
    options = {"dpi": (300, 300), "icc_profile": SRGB}
    of_webp, of_tiff = camera_exif(), Image.Exif()
    of_webp.update({282: 300.0, 283: 300.0, 296: 2})  # it has no other place for the resolution
    of_tiff.load(exif.tobytes())
    of_tiff.get_ifd(ExifTags.IFD.Exif)[ExifTags.IFD.Interop] = {1: "R98"}
    contents = {".webp": with_thumbnail(of_webp), ".tif": of_tiff}
    for suffix in SUFFIXES:
        content = contents.get(suffix, with_thumbnail(exif))
        Image.fromarray(PHOTO).save(folder / f"photo{suffix}", exif=content, **options)
    return folder


@pytest.mark.parametrize("source", SUFFIXES)
@pytest.mark.parametrize("target", SUFFIXES)
def test_metadata_go_from_the_photo_to_the_result(photos, tmp_path, source, target):
    if source != ".tif":
        assert THUMBNAIL in (photos / f"photo{source}").read_bytes()
    save_image(complete(photos / f"photo{source}", MASK.T, NETWORK), tmp_path / f"out{target}")
    assert THUMBNAIL not in (tmp_path / f"out{target}").read_bytes()
    with Image.open(tmp_path / f"out{target}") as out:
        assert out.size == (40, 60), "it is upright, once"
        exif = out.getexif()
        assert (exif[ExifTags.Base.Make], exif[ExifTags.Base.Copyright]) == ("Leica", "Anna")
        assert ExifTags.Base.Orientation not in exif
        inner, place = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
        assert inner[ExifTags.Base.DateTimeOriginal] == "2020:01:02 03:04:05"
        assert inner[ExifTags.Base.ExposureTime] == TiffImagePlugin.IFDRational(1, 125)
        assert (inner[ExifTags.Base.ExifImageWidth], inner[ExifTags.Base.ExifImageHeight]) == (40, 60)
        assert exif.get_ifd(ExifTags.IFD.Interop)[1] == "R98"
        assert place[ExifTags.GPS.GPSLatitude] == (52.0, 30.0, 4.5)
        assert out.info["icc_profile"] == SRGB
    assert np.allclose(open_photo(tmp_path / f"out{target}").info["dpi"], 300, atol=0.1)


@pytest.mark.parametrize("fill", [complete, completion.complete])
@pytest.mark.parametrize("mask", [MASK.T, np.zeros_like(MASK.T)])
def test_both_completions_hand_them_on_and_nothing_else(photos, fill, mask):
    info = fill(photos / "photo.jpg", mask, NETWORK).info
    assert {"exif", "dpi", "icc_profile"} <= set(info)
    if mask.any():
        assert set(info) == {"exif", "dpi", "icc_profile"}


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "I;16"])
def test_metadata_outlive_every_conversion(tmp_path, mode):
    image = Image.fromarray(PHOTO[..., 0].astype(np.uint16)) if mode == "I;16" else Image.fromarray(PHOTO).convert(mode)
    image.save(tmp_path / "photo.tif", exif=camera_exif().tobytes(), dpi=(300, 300))
    info = open_photo(tmp_path / "photo.tif").info
    assert b"Leica" in info["exif"] and info["dpi"] == (300, 300)


def test_a_callers_picture_stays_as_it_is(photos):
    with Image.open(photos / "photo.jpg") as image:
        before = dict(image.info)
        assert open_photo(image).info["exif"] != before["exif"]
        assert image.info == before and ExifTags.Base.Orientation in image.getexif()


def test_what_a_tiff_says_of_its_own_pixels_is_left_behind(tmp_path):
    """Layers and other copies of the photo would show what was removed."""
    info = {37724: b"layers of Photoshop", 270: "the harbour"}
    Image.fromarray(PHOTO).save(tmp_path / "photo.tif", tiffinfo=info)
    exif = Image.Exif()
    exif.load(open_photo(tmp_path / "photo.tif").info["exif"])
    assert dict(exif) == {270: "the harbour"}


def test_exif_that_a_jpeg_has_no_room_for_is_left_out(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "x" * 70_000
    Image.fromarray(PHOTO).save(tmp_path / "photo.png", exif=exif)
    for suffix, there in ((".jpg", False), (".png", True)):
        save_image(open_photo(tmp_path / "photo.png"), tmp_path / f"out{suffix}")
        assert ("exif" in open_photo(tmp_path / f"out{suffix}").info) is there


@pytest.mark.parametrize("dpi", [(0, 0), (1, 1), (-72, 72), (float("nan"), 72), (float("inf"), 72), (1e9, 1e9)])
def test_a_resolution_that_makes_no_sense_is_not_handed_on(tmp_path, dpi):
    image = Image.fromarray(PHOTO)
    image.info["dpi"] = dpi
    photo = open_photo(image)
    assert "dpi" not in photo.info
    for suffix in SUFFIXES:
        save_image(photo, tmp_path / f"out{suffix}")


@pytest.mark.filterwarnings("ignore:::PIL")  # about what is damaged
@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(10, 400), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_exif_never_keeps_a_photo_from_being_saved(tmp_path_factory, damage):
    content = bytearray(with_thumbnail(camera_exif()))
    content[34] = 0  # not to be turned, or the damage is refused
    for place, value in damage:
        content[place % len(content)] = value
    image = Image.fromarray(PHOTO)
    image.info["exif"] = bytes(content)
    try:
        photo = open_photo(image)
    except ValueError:  # it could not be told which side is up
        return
    for suffix in SUFFIXES:
        save_image(photo, tmp_path_factory.getbasetemp() / f"damaged{suffix}")
