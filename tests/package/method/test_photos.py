"""Opening and saving photos of every kind, and listing a folder of them."""

import errno
import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, TiffImagePlugin

from glcic_lite.files import DATA
from glcic_lite.method.masks import open_mask
from glcic_lite.method.photos import (
    PHOTO_SUFFIXES,
    PhotoError,
    list_files,
    list_photos,
    open_image,
    open_photo,
    opened_formats,
    save_image,
    with_alpha,
)
from inputs import folder_with, noise, texture

PHOTO = noise(12, 16)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def saved(image, path, **options):
    image.save(path, **options)
    return path


def array(image) -> np.ndarray:
    assert image.mode == "RGB"
    return np.asarray(image)


# Photos of every kind


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotation_from_exif_is_applied(tmp_path, orientation):
    turn = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, 1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = open_photo(saved(Image.fromarray(PHOTO), tmp_path / "turned.png", exif=exif))
    assert np.array_equal(array(opened), turn(PHOTO))
    assert np.array_equal(array(ImageOps.exif_transpose(opened)), array(opened)), "it would be turned twice"


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
def test_every_pixel_of_a_lossless_photo_arrives(tmp_path, suffix):
    options = {"lossless": True} if suffix == ".webp" else {}
    path = saved(Image.fromarray(PHOTO), tmp_path / f"photo{suffix}", **options)
    assert np.array_equal(array(open_photo(path)), PHOTO)


def test_a_greyscale_photo_becomes_rgb(tmp_path):
    grey = PHOTO[..., 0]
    opened = open_photo(saved(Image.fromarray(grey), tmp_path / "grey.png"))
    assert np.array_equal(array(opened), np.stack([grey] * 3, axis=-1))


def test_a_black_and_white_photo_becomes_rgb(tmp_path):
    opened = open_photo(saved(Image.fromarray(PHOTO[..., 0] > 127), tmp_path / "bits.png"))
    assert np.array_equal(array(opened)[..., 1], np.where(PHOTO[..., 0] > 127, 255, 0))


def test_a_palette_photo_gets_its_colours(tmp_path):
    palette = Image.fromarray(PHOTO).quantize(8)
    opened = open_photo(saved(palette, tmp_path / "palette.png"))
    assert np.array_equal(array(opened), np.asarray(palette.convert("RGB")))


def over_white(rgb, alpha):
    return rgb * alpha + 255.0 * (1 - alpha)


def test_transparent_parts_are_laid_over_white(tmp_path):
    alpha = PHOTO[..., 1]
    opened = open_photo(saved(Image.fromarray(np.dstack([PHOTO, alpha])), tmp_path / "rgba.png"))
    assert np.abs(array(opened) - over_white(PHOTO, alpha[..., None] / 255)).max() <= 1


def test_a_transparent_greyscale_photo_is_laid_over_white(tmp_path):
    grey, alpha = PHOTO[..., 0], PHOTO[..., 1]
    image = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    opened = open_photo(saved(image, tmp_path / "la.png"))
    assert np.abs(array(opened)[..., 0] - over_white(grey, alpha / 255)).max() <= 1


def test_an_indexed_picture_without_a_palette_is_refused(tmp_path):
    palette = Image.fromarray(PHOTO).quantize(8)
    content = saved(palette, tmp_path / "palette.png").read_bytes()
    start = content.index(b"PLTE") - 4
    length = int.from_bytes(content[start : start + 4], "big") + 12
    (tmp_path / "none.png").write_bytes(content[:start] + content[start + length :])
    for opened in (open_photo, open_mask):
        with pytest.raises(PhotoError, match="none.png: truncated or damaged .*palette"):
            opened(tmp_path / "none.png")


def test_the_transparent_colour_of_a_palette_becomes_white(tmp_path):
    palette = Image.fromarray((PHOTO[..., 0] > 127).astype(np.uint8), mode="P")
    palette.putpalette([200, 0, 0, 0, 0, 200])
    opened = array(open_photo(saved(palette, tmp_path / "palette.png", transparency=1)))
    assert {tuple(c) for c in opened.reshape(-1, 3)} == {(200, 0, 0), (255, 255, 255)}


def test_the_transparent_colour_of_an_rgb_photo_becomes_white(tmp_path):
    flat = np.zeros((4, 6, 3), np.uint8)
    flat[:, :3] = (10, 20, 30)
    opened = open_photo(saved(Image.fromarray(flat), tmp_path / "key.png", transparency=(10, 20, 30)))
    assert (array(opened)[:, :3] == 255).all() and (array(opened)[:, 3:] == 0).all()
    assert "transparency" not in opened.info


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_16_bit_photo_is_reduced_to_8_bit(tmp_path, suffix):
    deep = np.arange(256 * 256, dtype=np.uint16).reshape(256, 256)
    opened = array(open_photo(saved(Image.fromarray(deep), tmp_path / f"deep{suffix}")))
    assert np.abs(opened[..., 0] - deep / 257).max() <= 0.51


def test_the_transparent_level_of_a_16_bit_photo_becomes_white(tmp_path):
    deep = Image.fromarray(np.array([[0, 300, 30000, 300]], dtype=np.uint16))
    opened = array(open_photo(saved(deep, tmp_path / "deep.png", transparency=300)))
    assert opened[0, :, 0].tolist() == [0, 255, 117, 255]


def test_a_float_photo_from_0_to_1_is_stretched(tmp_path):
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    opened = array(open_photo(saved(Image.fromarray(values), tmp_path / "float.tif")))
    assert np.abs(opened[..., 0] - values * 255).max() <= 0.5


def test_a_float_photo_that_holds_no_numbers_is_refused(tmp_path):
    values = np.full((3, 4), np.nan, dtype=np.float32)
    with pytest.raises(PhotoError, match="finite"):
        open_photo(saved(Image.fromarray(values), tmp_path / "nan.tif"))


def test_a_cmyk_photo_becomes_rgb(tmp_path):
    path = saved(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), tmp_path / "ink.jpg")
    red, green, blue = array(open_photo(path)).mean(axis=(0, 1))
    assert red < 30 and green > 220 and blue > 220


def test_a_cmyk_photo_with_a_damaged_profile_is_still_shown(tmp_path):
    path = saved(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), tmp_path / "ink.jpg", icc_profile=b"nonsense" * 40)
    opened = open_photo(path)
    assert array(opened)[..., 0].mean() < 30
    assert "icc_profile" not in opened.info


MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBX",
    "RGBa",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_rgb_or_is_refused_by_name(mode):
    try:
        assert open_photo(Image.new(mode, (4, 4))).mode == "RGB"
    except PhotoError as error:
        assert f"mode {mode}" in str(error)


@pytest.mark.parametrize("white", [1, 255, 65535])
def test_a_photo_of_floats_is_as_bright_as_it_means_to_be(white):
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    seen = np.asarray(open_photo(Image.fromarray(ramp * white)))[..., 0]
    assert np.abs(seen - 255 * ramp).max() <= 0.51


@pytest.mark.parametrize("top", [1.02, 1.9, 3.5, 12.0, 257.5, 300.0, 65700.0, 1e10, 3e38])
def test_a_photo_of_floats_of_which_nobody_knows_what_is_white_is_refused(top):
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    for values in (ramp * np.float32(top), -ramp):
        with pytest.raises(PhotoError, match="from 0 to 1, to 255 or to 65535"):
            open_photo(Image.fromarray(values))


@pytest.mark.parametrize("white", [1, 255, 65535])
def test_what_resampling_leaves_beyond_black_and_white_is_cut_off(white):
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    hair = np.linspace(-1e-4, 1 + 1e-4, 64, dtype=np.float32).reshape(8, 8)
    clean, beyond = (np.asarray(open_photo(Image.fromarray(x * np.float32(white)))).astype(int) for x in (ramp, hair))
    assert np.abs(clean - beyond).max() <= 1


def test_sixteen_bits_in_a_picture_of_floats_or_of_signed_numbers_are_those_of_a_file_with_sixteen():
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 5  # a dark photo: up to 315 of 65535
    expected = np.asarray(open_photo(Image.fromarray(values)))
    for kind in (np.float32, np.int32):
        assert np.array_equal(np.asarray(open_photo(Image.fromarray(values.astype(kind)))), expected)
    signed = np.where(values == 0, -1, 200 * values.astype(np.int32))
    assert np.asarray(open_photo(Image.fromarray(signed.astype(np.int32)))).max() > 200


@pytest.mark.parametrize("values", [[-3, -2], [0, 2**31 - 1], [-30_000, 30_000], [0, 65_700]])
def test_a_photo_of_whole_numbers_beyond_16_bits_is_refused(values):
    with pytest.raises(PhotoError, match="from 0 to 1, to 255 or to 65535"):
        open_photo(Image.fromarray(np.array([values], dtype=np.int32)))


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_a_tiff_in_which_zero_is_white_is_no_negative(tmp_path, kind):
    """Pillow turns 1 and 8 bits round by itself, but not more."""
    dark = np.full((8, 10), 65535 if kind is np.uint16 else 255, kind)
    dark[2:5, 3:7] = 0  # which is white there
    Image.fromarray(dark).save(tmp_path / "black_is_zero.tif")
    content = (tmp_path / "black_is_zero.tif").read_bytes()
    tag = struct.pack("<HHIH", 262, 3, 1, 1)
    assert content.count(tag) == 1
    (tmp_path / "white_is_zero.tif").write_bytes(content.replace(tag, struct.pack("<HHIH", 262, 3, 1, 0)))
    usual, other = (np.asarray(open_photo(tmp_path / f"{name}_is_zero.tif")) for name in ("black", "white"))
    assert usual[0, 0, 0] == 255 and usual[3, 4, 0] == 0 and np.array_equal(other, 255 - usual)
    hole = open_mask(tmp_path / "white_is_zero.tif")
    assert hole[2:5, 3:7].all() and hole.sum() == 12


def test_twelve_bits_in_a_tiff_go_up_to_4095(tmp_path):
    """Two pixels in three bytes: 0 and 4095 in each pair."""
    width, height = 6, 4
    entries = [(256, width), (257, height), (258, 12), (259, 1), (262, 1), (273, 122), (277, 1), (278, height),
               (279, width * height * 3 // 2)]  # fmt: skip
    directory = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in entries)
    header = b"II*\0" + struct.pack("<IH", 8, len(entries))
    pixels = bytes([0x00, 0x0F, 0xFF]) * (width * height // 2)
    (tmp_path / "twelve.tif").write_bytes((header + directory).ljust(122, b"\0") + pixels)
    assert set(np.unique(array(open_photo(tmp_path / "twelve.tif")))) == {0, 255}
    assert open_mask(tmp_path / "twelve.tif").mean() == 0.5


def test_a_damaged_tiff_is_named_in_one_line(tmp_path):
    content = saved(Image.fromarray(PHOTO), tmp_path / "sound.tif").read_bytes()
    tag = struct.pack("<HHIH", 277, 3, 1, 3)
    assert content.count(tag) == 1
    (tmp_path / "damaged.tif").write_bytes(content.replace(tag, struct.pack("<HHIH", 277, 3, 1, 61)))
    program = "from glcic_lite.method.photos import open_photo; import sys\ntry: open_photo(sys.argv[1])\n"
    program += "except ValueError: pass"
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "damaged.tif"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_colours_of_sixteen_bits_stored_plane_by_plane_are_refused(tmp_path):
    """Pillow would read them as eight bits, and show something else."""
    width, height, plane = 6, 4, 6 * 4 * 2
    entries = [(256, 3, [width]), (257, 3, [height]), (258, 3, [16] * 3), (259, 3, [1]), (262, 3, [2]),
               (273, 4, [8 + plane * i for i in range(3)]), (277, 3, [3]), (278, 3, [height]), (279, 4, [plane] * 3),
               (284, 3, [2])]  # fmt: skip
    directory, after = b"", 8 + 3 * plane + 2 + 12 * len(entries) + 4
    more = b""
    for tag, kind, values in entries:
        packed = struct.pack("<" + ("H" if kind == 3 else "I") * len(values), *values)
        if len(packed) > 4:
            directory += struct.pack("<HHII", tag, kind, len(values), after + len(more))
            more += packed
        else:
            directory += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    header = b"II*\0" + struct.pack("<I", 8 + 3 * plane)
    pixels = np.full((3, height, width), 30_000, "<u2").tobytes()
    count = struct.pack("<H", len(entries))
    (tmp_path / "planes.tif").write_bytes(header + pixels + count + directory + bytes(4) + more)
    with pytest.raises(PhotoError, match="plane by plane"):
        open_photo(tmp_path / "planes.tif")


@pytest.mark.parametrize("name", ["x.ico", "x.icns", "x.pdf", "x.eps"])
def test_a_format_that_changes_the_size_or_is_no_photos_is_not_written(tmp_path, name):
    with pytest.raises(PhotoError, match="unknown picture format"):
        save_image(Image.fromarray(PHOTO), tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_mode_that_cannot_become_rgb_is_refused_by_name(monkeypatch):
    def refuse(image, mode):
        raise ValueError("conversion not supported")

    monkeypatch.setattr(Image.Image, "convert", refuse)
    with pytest.raises(PhotoError, match="mode HSV"):
        open_photo(Image.new("HSV", (4, 4)))


@pytest.mark.parametrize("mode, kept", [("RGB", True), ("RGBA", True), ("P", True), ("L", False), ("LA", False)])
def test_an_embedded_profile_stays_where_it_still_fits(tmp_path, mode, kept):
    path = saved(Image.fromarray(PHOTO).convert(mode), tmp_path / "photo.png", icc_profile=SRGB)
    assert (open_photo(path).info.get("icc_profile") == SRGB) is kept


def test_a_phones_jpeg_with_a_second_picture_inside_is_no_animation(tmp_path):
    image = Image.fromarray(texture(16, 16))
    image.save(tmp_path / "phone.jpg", format="MPO", save_all=True, append_images=[image.resize((8, 8))])
    assert open_photo(tmp_path / "phone.jpg").size == (16, 16)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux lists the open files of a process there")
def test_files_are_closed_whether_they_are_taken_or_refused(tmp_path):
    """On Windows an open file cannot be deleted, and a folder of an upload is, at once."""
    image = Image.fromarray(texture(16, 16))
    for name in ("phone.jpg", "moves.gif"):
        kind = "MPO" if name == "phone.jpg" else "GIF"
        image.save(tmp_path / name, format=kind, save_all=True, append_images=[image.rotate(90)])
    photo = open_photo(tmp_path / "phone.jpg")
    with pytest.raises(PhotoError) as refused:
        open_photo(tmp_path / "moves.gif")
    opened = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    assert not [path for path in opened if str(tmp_path) in path], refused
    assert np.asarray(photo).shape == (16, 16, 3), "the pixels stay"


# Photos that are refused, by name


def test_metadata_of_a_wrong_type_are_refused_by_name(tmp_path):
    """To be turned, with a resolution written as text: Pillow stumbles over it with a TypeError."""
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack("<HHI4s", 0x011A, 2, 4, b"72\0\0")
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0)
    Image.fromarray(noise(8, 12)).save(tmp_path / "odd.jpg", exif=exif)
    with pytest.raises(PhotoError, match="odd.jpg: truncated or damaged"):
        open_photo(tmp_path / "odd.jpg")


@pytest.mark.parametrize("error", [TypeError, struct.error, KeyError, OverflowError])
@pytest.mark.parametrize("step", ["PIL.Image.open", "PIL.ImageFile.ImageFile.load"])
def test_whatever_pillow_raises_for_a_damaged_file_becomes_a_photo_error(tmp_path, monkeypatch, error, step):
    Image.fromarray(noise(8, 12)).save(tmp_path / "odd.png")

    def fail(*args, **kwargs):
        raise error("odd")

    monkeypatch.setattr(step, fail)
    with pytest.raises(PhotoError, match="odd.png"):
        open_photo(tmp_path / "odd.png")


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_animated_and_many_page_pictures_are_refused_by_name(tmp_path, suffix):
    frames = [Image.fromarray(noise(8, 8, seed)) for seed in range(3)]
    frames[0].save(tmp_path / f"moves{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(PhotoError, match=rf"moves{suffix}: an animated .*3 frames"):
        open_photo(tmp_path / f"moves{suffix}")


def test_a_still_gif_is_a_photo(tmp_path):
    assert open_photo(saved(Image.fromarray(PHOTO).quantize(8), tmp_path / "still.gif")).size == (16, 12)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_photos_are_refused_by_name(tmp_path, suffix, share):
    path = saved(Image.fromarray(noise(64, 64)), tmp_path / f"cut{suffix}")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(PhotoError, match=f"cut{suffix}"):
        open_photo(path)


@pytest.mark.parametrize("content", [b"", b"text, no photo", b"\x89PNG\r\n\x1a\n"])
def test_files_that_are_no_photos_are_refused_by_name(tmp_path, content):
    (tmp_path / "other.jpg").write_bytes(content)
    with pytest.raises(PhotoError, match="other.jpg: not a picture"):
        open_photo(tmp_path / "other.jpg")


def test_a_folder_is_refused_by_name(tmp_path):
    with pytest.raises(PhotoError, match="a folder, not a photo"):
        open_photo(tmp_path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(PhotoError, match="lost.jpg: no such file"):
        open_photo(tmp_path / "lost.jpg")


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("width, height", [(12_000, 12_000), (65_000, 65_000), (2**31 - 1, 2**31 - 1)])
def test_a_small_file_that_claims_a_huge_photo_is_refused_undecoded(tmp_path, monkeypatch, width, height):
    (tmp_path / "bomb.png").write_bytes(png_that_claims(width, height))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with warnings.catch_warnings(), pytest.raises(PhotoError, match="bomb.png.*(megapixels|not a picture)"):
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        open_photo(tmp_path / "bomb.png")


def test_the_size_limit_is_inclusive():
    assert open_photo(Image.new("RGB", (10, 10)), max_pixels=100).size == (10, 10)
    with pytest.raises(PhotoError, match="megapixels"):
        open_photo(Image.new("RGB", (10, 11)), max_pixels=100)


def test_a_picture_without_pixels_is_refused():
    with pytest.raises(PhotoError, match="no pixels"):
        open_photo(Image.new("RGB", (0, 5)))


FORMATS = {"JPEG": {}, "PNG": {}, "WEBP": {}, "TIFF": {"compression": "tiff_lzw"}, "GIF": {"save_all": True}, "BMP": {}}


@settings(max_examples=150)
@given(kind=st.sampled_from(sorted(FORMATS)), data=st.data())
def test_no_damaged_file_makes_opening_fail_otherwise_than_with_a_photo_error(tmp_path_factory, kind, data):
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(texture(20, 30))
    image.save(buffer, format=kind, exif=exif, **FORMATS[kind])
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(1, len(content)))]
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            opened = open_photo(path, max_pixels=1_000_000)
        except PhotoError:
            return
    assert opened.mode == "RGB"


# Arrays


@pytest.mark.parametrize(
    "values",
    [PHOTO, PHOTO.astype(np.uint16) * 257, PHOTO / 255, (PHOTO / 255).astype(np.float32)],
    ids=lambda a: str(a.dtype),
)
def test_arrays_of_every_documented_type_are_the_same_photo(values):
    assert np.array_equal(array(open_photo(values)), PHOTO)


def test_an_array_of_bools_is_black_and_white():
    assert np.array_equal(array(open_photo(PHOTO[..., 0] > 99))[..., 2], np.where(PHOTO[..., 0] > 99, 255, 0))


@pytest.mark.parametrize("shape", [(12, 16), (12, 16, 1)])
def test_an_array_with_one_channel_is_greyscale(shape):
    grey = PHOTO[..., 0]
    assert np.array_equal(array(open_photo(grey.reshape(shape)))[..., 0], grey)


def test_an_array_with_four_channels_is_laid_over_white():
    clear = np.dstack([PHOTO, np.zeros((12, 16), np.uint8)])
    assert (array(open_photo(clear)) == 255).all()


def test_an_array_that_is_a_view_is_a_photo_too():
    assert np.array_equal(array(open_photo(PHOTO[::-1, ::2])), PHOTO[::-1, ::2])


@pytest.mark.parametrize("shape", [(), (5,), (0, 5), (5, 5, 2), (5, 5, 5), (3, 5, 5), (1, 5, 5, 3), (0, 5, 3)])
def test_arrays_of_other_shapes_are_refused_by_shape(shape):
    with pytest.raises(PhotoError, match="shape"):
        open_photo(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint32, np.complex64, "U1", object])
def test_arrays_of_other_types_are_refused_by_type(dtype):
    with pytest.raises(PhotoError, match="an array of"):
        open_photo(np.zeros((4, 4, 3), dtype))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.01, 1.01])
def test_floats_outside_0_to_1_are_refused(bad):
    values = np.full((4, 4, 3), 0.5)
    values[1, 2, 0] = bad
    with pytest.raises(PhotoError, match="0 to 1"):
        open_photo(values)


def test_opening_a_pil_image_leaves_it_as_it_was():
    image = Image.fromarray(np.dstack([PHOTO, PHOTO[..., :1]]))
    before = np.asarray(image).copy()
    open_photo(image)
    assert image.mode == "RGBA" and np.array_equal(np.asarray(image), before)


def test_open_image_keeps_the_mode(tmp_path):
    assert open_image(saved(Image.fromarray(PHOTO).convert("LA"), tmp_path / "la.png")).mode == "LA"


# Saving


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".PNG", ".tif", ".webp"])
def test_saved_photos_open_again(tmp_path, suffix):
    save_image(Image.fromarray(texture(20, 30)), tmp_path / f"out{suffix}")
    assert open_photo(tmp_path / f"out{suffix}").size == (30, 20)
    assert [p.name for p in tmp_path.iterdir()] == [f"out{suffix}"]


def test_png_keeps_every_pixel_and_jpeg_nearly(tmp_path):
    photo = np.repeat(texture(40, 40)[..., :1], 3, axis=2)  # grey: JPEG halves the resolution of colour
    for name, tolerance in (("out.png", 0), ("out.jpg", 3)):
        save_image(Image.fromarray(photo), tmp_path / name)
        assert np.abs(array(open_photo(tmp_path / name)).astype(int) - photo).mean() <= tolerance


def test_the_profile_is_saved_with_the_photo(tmp_path):
    image = Image.fromarray(PHOTO)
    image.info["icc_profile"] = SRGB
    save_image(image, tmp_path / "out.png")
    assert open_photo(tmp_path / "out.png").info["icc_profile"] == SRGB


@pytest.mark.parametrize("name", ["out", "out.xyz", "out.txt"])
def test_an_unknown_suffix_is_refused_by_name(tmp_path, name):
    with pytest.raises(PhotoError, match="unknown picture format"):
        save_image(Image.fromarray(PHOTO), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix, width", [("webp", 16384), ("jpg", 65501)])
def test_a_picture_too_large_for_its_format_is_refused_by_name(tmp_path, suffix, width):
    with pytest.raises(PhotoError, match=f"out.{suffix}: .*{width} x 1 pixels.*use .png"):
        save_image(Image.new("RGB", (width, 1)), tmp_path / f"out.{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("step", ["PIL.Image.Image.save", "os.fsync", "os.replace"])
def test_a_failing_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    (tmp_path / "out.png").write_bytes(b"precious")

    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(step, fail)
    with pytest.raises(OSError, match="disk full"):
        save_image(Image.fromarray(PHOTO), tmp_path / "out.png")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("out.png", b"precious")]


def test_the_old_file_stays_whole_until_the_new_one_is(tmp_path, monkeypatch):
    (tmp_path / "out.png").write_bytes(b"precious")
    write = Image.Image.save

    def watch(image, file, **options):
        write(image, file, **options)
        assert (tmp_path / "out.png").read_bytes() == b"precious"

    monkeypatch.setattr(Image.Image, "save", watch)
    save_image(Image.fromarray(PHOTO), tmp_path / "out.png")
    monkeypatch.undo()
    assert np.array_equal(array(open_photo(tmp_path / "out.png")), PHOTO)


# A folder of photos


def test_photos_are_listed_by_suffix_sorted_with_subfolders_and_without_hidden_files(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.png", "sub/c.webp"):
        (tmp_path / name).touch()
    assert [str(p.relative_to(tmp_path)) for p in list_photos(tmp_path)] == ["a.png", "b.JPG", "sub/c.webp"]


def every_path(folder):
    """The same list the simple way."""
    return sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in PHOTO_SUFFIXES and p.is_file() and not p.name.startswith(".")
    )


def test_the_listing_has_the_order_of_paths(tmp_path):
    """Sample n of a run is a photo by its number: the order must never change."""
    names = ("b/1.jpg", "b.jpg", "b-c/2.jpg", "b/a/9.jpg", "b/a.jpg", "B/x.PNG", "é/ü.jpg", "a b.jpeg", "z/.h/k.webp")
    for name in (*names, "b/10.jpg", "b/a/note.txt", "z/.hidden.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to(tmp_path / "b.jpg")
    photos = list_photos(tmp_path)
    assert photos == every_path(tmp_path)
    assert len(photos) == len(names) + 2


def test_the_listing_of_the_course_photos_is_the_list_of_their_paths():
    assert list_photos(DATA / "photos") == every_path(DATA / "photos")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read_is_skipped_with_a_warning(tmp_path):
    folder_with(tmp_path, a_png=PHOTO)
    (tmp_path / "locked").mkdir(mode=0)
    with pytest.warns(UserWarning, match="locked"):
        assert len(list_photos(tmp_path)) == 1


def test_a_link_to_a_folder_is_not_followed_but_named(tmp_path):
    folder_with(tmp_path, a_png=PHOTO)
    (tmp_path / "linked").symlink_to(tmp_path, target_is_directory=True)
    with pytest.warns(UserWarning, match="linked: a link"):
        assert [path.name for path in list_photos(tmp_path)] == ["a.png"]


@pytest.mark.parametrize("size, factor", [((425, 525), 1), ((512, 526), 2), ((1050, 1026), 4), ((511, 2250), 1)])
def test_large_jpegs_are_decoded_smaller_and_others_are_not(tmp_path, size, factor):
    width, height = size
    row = np.linspace(20, 230, width).astype(np.uint8)
    photo = np.broadcast_to(row[None, :, None], (height, width, 3))
    for name in ("a.jpg", "a.png"):
        Image.fromarray(np.ascontiguousarray(photo)).save(tmp_path / name)
    small = open_photo(tmp_path / "a.jpg", least_edge=256)
    assert small.size == (-(-width // factor), -(-height // factor))
    assert np.abs(array(small)[0, :, 0].astype(int) - row[::factor]).max() <= 4
    assert open_photo(tmp_path / "a.png", least_edge=256).size == size
    assert open_photo(tmp_path / "a.jpg").size == size


@pytest.mark.parametrize("thing", [torch.zeros(3, 4, 5), [[0, 255], [255, 0]], None, 7])
def test_what_is_no_picture_is_named_by_its_kind(thing):
    with pytest.raises(PhotoError) as error:
        open_photo(thing)
    assert type(thing).__name__ in str(error.value) and len(str(error.value)) < 150
    assert ("numpy()" in str(error.value)) == isinstance(thing, torch.Tensor)


# What opening never does


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 96 72\n%%EndComments\nshowpage\n%%EOF\n"


def test_a_postscript_file_is_never_run_whatever_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *args, **kwargs: pytest.fail("Ghostscript runs"))
    (tmp_path / "photo.jpg").write_bytes(EPS)
    with pytest.raises(PhotoError, match="photo.jpg: not a picture"):
        open_photo(tmp_path / "photo.jpg")
    with Image.open(tmp_path / "photo.jpg") as image, pytest.raises(PhotoError, match="EPS is not opened"):
        open_photo(image)


@pytest.mark.parametrize("kind", sorted(set(opened_formats()) - {"PSD", "HEIF"}))
def test_every_format_of_the_list_is_opened(tmp_path, kind):
    if kind not in Image.SAVE:
        pytest.skip(f"this Pillow does not write {kind}")
    Image.fromarray(texture(48, 48)).save(tmp_path / "photo", format=kind)
    assert open_photo(tmp_path / "photo").size == (48, 48)


@pytest.mark.parametrize("kind", ["PCX", "SGI", "DDS", "MSP"])
def test_other_formats_are_refused(tmp_path, kind):
    Image.fromarray(texture(8, 8)).convert("1" if kind == "MSP" else "RGB").save(tmp_path / "photo.png", format=kind)
    with pytest.raises(PhotoError, match="photo.png: not a picture.*known are JPEG, PNG"):
        open_photo(tmp_path / "photo.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_a_pipe_or_a_device_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "photo.jpg")
    os.symlink("/dev/zero", tmp_path / "zeros.png")
    for path in list_photos(tmp_path):
        with pytest.raises(PhotoError, match=f"{path.name}: not a regular file"):
            open_photo(path)


def test_a_loop_of_links_is_refused_by_name(tmp_path):
    os.symlink("loop.jpg", tmp_path / "loop.jpg")
    with pytest.raises(PhotoError, match="loop.jpg: not a picture.*symbolic links"):
        open_photo(tmp_path / "loop.jpg")


@pytest.mark.parametrize("shape", [(4, 6), (3, 4, 6), (1, 4, 6), (1, 3, 4, 6)])
def test_the_hint_for_a_tensor_works(shape):
    tensor = torch.rand(shape, requires_grad=True)
    with pytest.raises(PhotoError) as refused:
        open_photo(tensor)
    step = str(refused.value).rpartition("becomes one by ")[2]
    assert open_photo(eval(f"tensor{step}")).size == (6, 4)


def test_a_masked_array_is_refused():
    with pytest.raises(PhotoError, match="masked array.*filled"):
        open_photo(np.ma.masked_less(PHOTO, 9))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jp2", ".webp", ".tif"])
def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path, monkeypatch, suffix):
    path = saved(Image.fromarray(PHOTO), tmp_path / f"out{suffix}")
    before = path.read_bytes()
    really_open = open
    monkeypatch.setattr("builtins.open", lambda file, *how, **more: really_open("/dev/full", "wb", buffering=0))
    with pytest.raises(OSError, match=f"No space.*out{suffix}"):
        save_image(Image.fromarray(texture(90, 90)), path)
    monkeypatch.undo()
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_name_of_the_greatest_length_can_be_written(tmp_path):
    save_image(Image.fromarray(PHOTO), tmp_path / f"{'x' * 251}.png")
    assert [len(p.name) for p in tmp_path.iterdir()] == [255]


@pytest.mark.skipif(os.name == "nt", reason="libtiff lies inside Pillow there")
@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "group4"])
def test_libtiff_prints_nothing_of_its_own_about_a_damaged_file(tmp_path, capfd, compression):
    image = Image.fromarray(noise(64, 64)).convert("1" if compression == "group4" else "RGB")
    path = saved(image, tmp_path / "damaged.tif", compression=compression)
    content = bytearray(path.read_bytes())
    for place in range(200, 300, 7):
        content[place] ^= 255
    path.write_bytes(content)
    with suppress(PhotoError):
        open_photo(path)
    assert capfd.readouterr() == ("", "")


# Several pictures in a file, of which one is the photo


def tiff_of(path, *pages: tuple[np.ndarray, dict]):
    """A TIFF of several pages, each with tags of its own."""
    with TiffImagePlugin.AppendingTiffWriter(str(path), new=True) as file:
        for page, tags in pages:
            Image.fromarray(page).save(file, format="TIFF", tiffinfo=tags)
            file.newFrame()
    return path


SMALL, BLACK = PHOTO[::2, ::2].copy(), np.zeros((12, 16), np.uint8)
REDUCED, OLD_REDUCED, MASK_OF_IT = {254: 1}, {255: 2}, {254: 4}


@pytest.mark.parametrize(
    "pages",
    [
        [(PHOTO, {}), (SMALL, REDUCED)],
        [(PHOTO, {}), (SMALL, REDUCED), (SMALL[::2], REDUCED), (BLACK, MASK_OF_IT)],
        [(PHOTO, {}), (SMALL, OLD_REDUCED)],
        [(SMALL, REDUCED), (PHOTO, {})],  # as cameras write them: the thumbnail first
    ],
    ids=["thumbnail", "overviews and a mask", "old tag", "thumbnail first"],
)
def test_a_tiff_with_thumbnails_or_overviews_is_one_picture(tmp_path, pages):
    path = tiff_of(tmp_path / "photo.tif", *pages)
    assert np.array_equal(array(open_photo(path)), PHOTO)
    with Image.open(path) as image:
        assert np.array_equal(array(open_photo(image)), PHOTO)


@pytest.mark.parametrize("second", [{}, {254: 2}, {255: 3}])
def test_a_tiff_of_several_photos_is_refused(tmp_path, second):
    path = tiff_of(tmp_path / "pages.tif", (PHOTO, {}), (PHOTO, second), (SMALL, REDUCED))
    with pytest.raises(PhotoError, match="pages.tif: .*multi-page picture .3 frames"):
        open_photo(path)


def test_the_size_limit_holds_for_the_page_that_is_taken(tmp_path):
    path = tiff_of(tmp_path / "photo.tif", (SMALL, REDUCED), (PHOTO, {}))
    with pytest.raises(PhotoError, match="16 x 12 is more than"):
        open_photo(path, max_pixels=100)


def layered_psd() -> bytes:
    """Two layers that differ from the picture that shows them both."""
    side = 8
    record = struct.pack(">4iH", 0, 0, side, side, 3)
    record += b"".join(struct.pack(">hI", channel, 2 + side * side) for channel in range(3))
    record += b"8BIMnorm" + bytes([255, 0, 0, 0]) + struct.pack(">I", 13) + struct.pack(">II", 0, 0) + b"\x01a\0\0\0"
    channels = b"".join(struct.pack(">H", 0) + bytes([value]) * side**2 for value in (10, 20, 30))
    info = struct.pack(">h", 2) + record * 2 + channels * 2
    info += b"\0" * (len(info) % 2)
    layers = struct.pack(">I", len(info)) + info + struct.pack(">I", 0)
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, side, side, 8, 3) + struct.pack(">II", 0, 0)
    shown = b"".join(bytes([value]) * side**2 for value in (200, 150, 100))
    return head + struct.pack(">I", len(layers)) + layers + struct.pack(">H", 0) + shown


def test_a_layered_psd_is_the_picture_that_shows_all_layers(tmp_path):
    (tmp_path / "layers.psd").write_bytes(layered_psd())
    with Image.open(tmp_path / "layers.psd") as image:
        assert image.n_frames == 2
    assert {tuple(colour) for colour in array(open_photo(tmp_path / "layers.psd")).reshape(-1, 3)} == {(200, 150, 100)}


# Which files are photos


def test_the_endings_are_those_of_the_formats_that_are_opened():
    assert {".jfif", ".gif", ".jp2", ".heic", ".heif", ".psd", ".mpo"} <= PHOTO_SUFFIXES
    assert (".avif" in PHOTO_SUFFIXES) is ("AVIF" in opened_formats())
    assert not {".eps", ".ps", ".pdf", ".svg", ".mp4", ".txt", ""} & PHOTO_SUFFIXES


HEIC = struct.pack(">I", 24) + b"ftypheic" + struct.pack(">I", 0) + b"mif1heic" + b"\0" * 40


@pytest.mark.parametrize("name", ["photo.heic", "photo.jpg"])
def test_a_heic_photo_is_named_with_the_way_out(tmp_path, monkeypatch, name):
    monkeypatch.setattr(Image, "OPEN", {kind: how for kind, how in Image.OPEN.items() if kind != "HEIF"})
    (tmp_path / name).write_bytes(HEIC)
    with pytest.raises(PhotoError, match=f"{name}: a HEIC picture.*pip install pillow-heif"):
        open_photo(tmp_path / name)


@pytest.mark.skipif("HEIF" not in opened_formats(), reason="pillow-heif is not installed")
def test_a_heic_photo_is_read_where_pillow_heif_is_installed(tmp_path):
    Image.fromarray(texture(64, 48)).save(tmp_path / "photo.heic")
    assert np.abs(array(open_photo(tmp_path / "photo.heic")).astype(int) - texture(64, 48)).mean() < 30


def test_every_file_is_listed_but_hidden_ones(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.JPG", "notes.txt", ".hidden.png", "sub/c", "sub/d.jfif"):
        (tmp_path / name).touch()
    assert [str(p.relative_to(tmp_path)) for p in list_files(tmp_path)] == ["b.JPG", "notes.txt", "sub/c", "sub/d.jfif"]


# Transparency of what is known


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_known_pixels_keep_their_transparency_and_the_hole_is_opaque(tmp_path, mode):
    rgba = np.dstack([PHOTO if mode != "LA" else PHOTO[..., :1].repeat(3, axis=2), PHOTO[..., 1]])
    image = Image.fromarray(rgba)
    if mode == "P":
        image = image.quantize(16, method=Image.Quantize.FASTOCTREE)
        rgba = np.asarray(image.convert("RGBA"))
    saved(image if mode == "P" else image.convert(mode), tmp_path / "clear.png")
    mask = np.zeros((12, 16), bool)
    mask[3:7, 4:9] = True
    painted = Image.fromarray(np.full((12, 16, 3), 77, np.uint8))
    result = np.asarray(with_alpha(tmp_path / "clear.png", painted, mask))
    assert np.array_equal(result[~mask], rgba[~mask])
    assert (result[mask] == (77, 77, 77, 255)).all()


def test_an_opaque_photo_has_no_transparency_to_keep():
    painted = Image.fromarray(PHOTO)
    assert with_alpha(PHOTO, painted, np.zeros((12, 16), bool)) is painted
