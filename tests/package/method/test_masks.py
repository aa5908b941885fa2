"""Masks: reading them, the box around a hole, the local patch, and random holes."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from glcic_lite.method.masks import (
    Box,
    MaskError,
    box_mask,
    free_form_strokes,
    grow,
    hole_box,
    local_patch,
    mask_image,
    open_mask,
    random_box,
    why_no_hole,
)
from glcic_lite.method.photos import PhotoError
from inputs import hole

MASK = hole(40, 60, (10, 5, 30, 25))


# Reading


@pytest.mark.parametrize("value, is_hole", [(0, False), (127, False), (128, True), (255, True)])
def test_a_mask_is_a_hole_where_it_is_at_least_half_white(value, is_hole):
    assert (open_mask(np.full((3, 5), value, np.uint8)) == is_hole).all()


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P", "RGBA", "LA", "CMYK", "I", "F"])
def test_a_mask_in_any_mode_says_the_same(mode):
    assert np.array_equal(open_mask(mask_image(MASK).convert("L").convert(mode)), MASK)


@pytest.mark.parametrize(
    "values",
    [MASK, MASK * np.uint8(255), MASK * np.uint8(1), MASK * np.uint16(65535), MASK * 1.0,
     np.repeat(MASK[..., None], 3, axis=2)],
    ids=["bool", "uint8", "uint8 of 0 and 1", "uint16", "float", "three channels"],
)  # fmt: skip
def test_a_mask_array_of_any_type_says_the_same(values):
    assert np.array_equal(open_mask(values), MASK)


@pytest.mark.parametrize("top", [1.02, 300.0, 1e10, -1.0])  # fractions
def test_a_mask_of_floats_of_which_nobody_knows_what_is_white_is_refused(top):
    with pytest.raises(PhotoError, match="from 0 to 1, to 255 or to 65535"):
        open_mask(Image.fromarray(np.linspace(0, top, 64, dtype=np.float32).reshape(8, 8)))


@pytest.mark.parametrize("white", [1, 255, 65535])
def test_a_mask_of_16_or_32_bits_says_the_same(white):
    for values in (MASK * np.int32(white), MASK * np.float32(white), MASK.astype(np.uint16) * np.uint16(white)):
        assert np.array_equal(open_mask(Image.fromarray(values)), MASK)


def test_a_mask_file_of_zeros_and_ones_is_understood(tmp_path):
    Image.fromarray(MASK.astype(np.uint8)).save(tmp_path / "mask.png")
    assert np.array_equal(open_mask(tmp_path / "mask.png"), MASK)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
def test_a_mask_file_comes_back_as_it_was_drawn(tmp_path, suffix):
    mask_image(MASK).save(tmp_path / f"mask{suffix}")
    assert np.array_equal(open_mask(tmp_path / f"mask{suffix}", (60, 40)), MASK)


def test_the_grey_fringes_of_a_poor_jpeg_are_settled(tmp_path):
    mask_image(MASK).save(tmp_path / "mask.jpg", quality=30)
    assert len(np.unique(np.asarray(Image.open(tmp_path / "mask.jpg")))) > 2, "the JPEG has no fringes to settle"
    assert np.array_equal(open_mask(tmp_path / "mask.jpg"), MASK)


def test_transparent_parts_of_a_mask_are_no_hole():
    white = np.full((4, 6, 4), 255, np.uint8)
    white[:, :3, 3] = 0
    assert np.array_equal(open_mask(white), hole(4, 6, (3, 0, 6, 4)))


def test_a_mask_in_a_mode_that_cannot_be_grey_is_refused():
    with pytest.raises(PhotoError, match="mode LAB"):
        open_mask(Image.new("LAB", (4, 4)))


@pytest.mark.parametrize("value, is_hole", [(32767, False), (32768, True)])
def test_a_16_bit_mask_has_its_threshold_at_half_white(tmp_path, value, is_hole):
    values = np.array([[0, 65535, value]], np.uint16)
    Image.fromarray(values).save(tmp_path / "mask.png")
    assert open_mask(tmp_path / "mask.png")[0].tolist() == [False, True, is_hole]


def test_a_mask_is_turned_by_its_exif_like_a_photo(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    mask_image(MASK).save(tmp_path / "mask.png", exif=exif)
    assert np.array_equal(open_mask(tmp_path / "mask.png", (40, 60)), np.rot90(MASK, -1))


@pytest.mark.parametrize("size", [(40, 60), (60, 41), (6, 4)])
def test_a_mask_of_another_size_is_refused_with_both_sizes(size):
    with pytest.raises(MaskError, match=f"60 x 40 pixels, the photo {size[0]} x {size[1]}"):
        open_mask(mask_image(MASK), size)


def test_a_mask_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "mask.png").write_bytes(b"no picture")
    with pytest.raises(PhotoError, match="mask.png"):
        open_mask(tmp_path / "mask.png")


# The box around a hole, the patch around the box

sizes = st.integers(1, 40)


@st.composite
def boxes(draw):
    """A photo's size (width, height) and a box inside it."""
    width, height = draw(sizes), draw(sizes)
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return (width, height), Box(left, top, draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height)))


@given(boxes())
def test_the_box_around_a_box_is_the_box(size_and_box):
    size, box = size_and_box
    mask = box_mask(size, box)
    assert mask.shape == size[::-1]
    assert mask.sum() == box.width * box.height
    assert hole_box(mask) == box


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 29)), min_size=1, max_size=5))
def test_the_box_around_scattered_pixels_touches_the_outermost_ones(pixels):
    mask = np.zeros((20, 30), bool)
    for y, x in pixels:
        mask[y, x] = True
    ys, xs = zip(*pixels, strict=True)
    assert hole_box(mask) == (min(xs), min(ys), max(xs) + 1, max(ys) + 1)


def test_a_mask_without_a_hole_has_no_box():
    with pytest.raises(MaskError, match="no hole"):
        hole_box(np.zeros((5, 5), bool))


@given(boxes(), st.integers(1, 40))
def test_the_local_patch_lies_inside_the_photo_and_covers_what_it_can_of_the_hole(size_and_box, patch_size):
    (width, height), box = size_and_box
    assume(patch_size <= min(width, height))
    patch = local_patch(box, patch_size, (width, height))
    assert patch.width == patch.height == patch_size
    assert patch.left >= 0 and patch.top >= 0 and patch.right <= width and patch.bottom <= height
    for low, high, first, last in ((box.left, box.right, *patch[::2]), (box.top, box.bottom, *patch[1::2])):
        covered = min(high, last) - max(low, first)
        assert covered == min(high - low, patch_size)


def test_the_local_patch_is_centred_on_the_hole_away_from_borders():
    assert local_patch(Box(40, 50, 60, 60), 32, (128, 128)) == (34, 39, 66, 71)


@pytest.mark.parametrize(
    "box, corner", [((0, 0, 4, 4), (0, 0)), ((60, 60, 64, 64), (32, 32)), ((0, 60, 4, 64), (0, 32))]
)
def test_the_local_patch_is_moved_inside_at_the_border(box, corner):
    assert local_patch(Box(*box), 32, (64, 64))[:2] == corner


def test_a_patch_larger_than_the_photo_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        local_patch(Box(0, 0, 2, 2), 33, (64, 32))


# Random holes


@given(st.integers(0, 2**32), st.tuples(sizes, sizes), st.data())
def test_random_boxes_lie_inside_the_photo_with_sides_in_the_range(seed, size, data):
    low = data.draw(st.integers(1, min(size)))
    high = data.draw(st.integers(low, min(size)))
    box = random_box(np.random.default_rng(seed), size, (low, high))
    assert low <= box.width <= high and low <= box.height <= high
    assert box.left >= 0 and box.top >= 0 and box.right <= size[0] and box.bottom <= size[1]


def test_random_boxes_use_the_whole_range_and_the_whole_photo():
    random = np.random.default_rng(0)
    drawn = [random_box(random, (10, 12), (3, 5)) for _ in range(400)]
    assert {b.width for b in drawn} == {b.height for b in drawn} == {3, 4, 5}
    assert min(b.left for b in drawn) == min(b.top for b in drawn) == 0
    assert max(b.right for b in drawn) == 10 and max(b.bottom for b in drawn) == 12


@pytest.mark.parametrize("sides", [(0, 4), (5, 4), (3, 11)])
def test_boxes_that_cannot_be_are_refused(sides):
    with pytest.raises(ValueError, match="does not fit"):
        random_box(np.random.default_rng(0), (10, 20), sides)


@given(st.integers(0, 2**32), st.tuples(sizes, sizes), st.integers(1, 9), st.integers(1, 60), st.integers(1, 3))
def test_strokes_are_never_empty_and_have_the_photos_size(seed, size, width, length, strokes):
    mask = free_form_strokes(np.random.default_rng(seed), size, (1, width), length, strokes)
    assert mask.dtype == bool and mask.shape == size[::-1]
    assert mask.any()


@given(st.integers(0, 2**32))
def test_strokes_are_the_same_for_the_same_seed(seed):
    first, second = (free_form_strokes(np.random.default_rng(seed), (50, 40), (3, 9), 60) for _ in range(2))
    assert np.array_equal(first, second)


def test_strokes_differ_from_seed_to_seed():
    masks = {free_form_strokes(np.random.default_rng(i), (50, 40), (3, 9), 60).tobytes() for i in range(10)}
    assert len(masks) == 10


def test_wider_longer_and_more_strokes_cover_more():
    def covered(**options):
        options = {"width": (6, 6), "length": 60, "strokes": 1} | options
        return np.mean([free_form_strokes(np.random.default_rng(i), (200, 200), **options).mean() for i in range(20)])

    assert covered(width=(12, 12)) > 1.5 * covered()
    assert covered(length=120) > 1.5 * covered()
    assert covered(strokes=3) > 2 * covered()


def test_a_mask_picture_is_black_and_white():
    picture = mask_image(MASK)
    assert picture.mode == "L"
    assert np.array_equal(np.asarray(picture), np.where(MASK, 255, 0))


def test_a_mask_of_nothing_but_zeros_and_ones_means_the_same_in_every_type():
    expected = np.zeros((6, 8), dtype=bool)
    expected[2:4, 3:7] = True
    for kind in (bool, np.uint8, np.int8, np.uint16, np.int16, np.int32, np.int64, np.float16, np.float32, np.float64):
        assert np.array_equal(open_mask(expected.astype(kind)), expected), kind
        assert not open_mask(0 * expected.astype(kind)).any(), kind
        if kind not in (bool, np.int8) and not np.issubdtype(kind, np.floating):
            assert np.array_equal(open_mask(expected.astype(kind) * kind(255)), expected), kind
    assert np.array_equal(open_mask(expected.astype(np.uint16) * 65535), expected)


def test_a_mask_of_probabilities_is_a_hole_from_one_half_on():
    levels = np.array([[0.003, 0.3, 0.4999], [0.5, 0.7, 1.0]])
    assert np.array_equal(open_mask(levels), [[False] * 3, [True] * 3])
    assert not open_mask(levels * 0.004).any(), "almost black is black, whatever its brightest pixel is"


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint32, np.uint64])
def test_sixteen_bits_may_come_in_wider_numbers(kind):
    assert np.array_equal(open_mask(MASK.astype(kind) * kind(65535)), MASK)


def test_floats_may_lie_beyond_white_by_a_hair():
    assert np.array_equal(open_mask(MASK * (1 + 1e-7)), MASK)


@pytest.mark.parametrize("values", [np.full((2, 3), -1), np.full((2, 3), 256), np.full((2, 3), np.nan)])
def test_numbers_that_are_no_grey_levels_are_refused(values):
    with pytest.raises(PhotoError):
        open_mask(values)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_float_file_with_numbers_that_are_not_finite_is_refused_by_name(tmp_path, bad):
    values = np.full((4, 6), 20, np.float32)
    values[1, 2] = bad
    Image.fromarray(values).save(tmp_path / "mask.tif")
    with pytest.raises(PhotoError, match="mask.tif: .*finite"):
        open_mask(tmp_path / "mask.tif")


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
def test_a_masked_array_is_refused(kind):
    with pytest.raises(PhotoError, match="masked array"):
        open_mask(np.ma.MaskedArray(np.ones((4, 6), kind), mask=np.eye(4, 6)))


# Growing


@settings(max_examples=40)
@given(st.integers(0, 2**32), sizes, sizes, st.integers(0, 45))
def test_a_grown_hole_is_what_lies_within_the_disc_of_each_of_its_pixels(seed, height, width, pixels):
    mask = np.random.default_rng(seed).random((height, width)) < 0.01
    expected = np.zeros_like(mask)
    rows, columns = np.indices(mask.shape)
    for row, column in np.argwhere(mask):
        expected |= (rows - row) ** 2 + (columns - column) ** 2 <= pixels * pixels + pixels
    before = mask.copy()
    assert np.array_equal(grow(mask, pixels), expected)
    assert np.array_equal(mask, before)


def test_a_large_disc_is_round_to_the_pixel():
    mask = np.zeros((2001, 5), bool)
    mask[0, 0] = True
    assert grow(mask, 1990)[:, 0].sum() == 1991


# Masks without a hole

LABELS = Image.fromarray(MASK.astype(np.uint8), mode="P")
LABELS.putpalette([0, 0, 0, 128, 0, 0])


@pytest.mark.parametrize(
    "picture, words",
    [
        (mask_image(np.zeros_like(MASK)), "all black"),
        (Image.new("RGBA", (6, 4), (255, 255, 255, 0)), "all black, or transparent"),
        (LABELS, "128, 0, 0"),
        (Image.fromarray(MASK[..., None] * np.array([255, 30, 30], np.uint8)), "255, 30, 30"),
        (Image.fromarray(MASK.astype(np.uint16) * 9000), "9000"),
    ],
    ids=["black", "transparent", "labels", "red strokes", "16 bit"],
)
def test_a_mask_without_a_white_pixel_is_explained(tmp_path, picture, words):
    picture.save(tmp_path / "mask.png")
    assert not open_mask(tmp_path / "mask.png").any()
    assert words in why_no_hole(tmp_path / "mask.png")
