"""The scale of a completion: how thick a hole is, how far its photo is reduced, and that nothing in it is read."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from glcic_lite.method.scale import (
    SMALLEST_COPY,
    by_scale,
    enlarged,
    given_reduction,
    reduced,
    reduction_for,
    scale_of,
    thickness,
)
from inputs import hole, noise, texture

LARGE = (4000, 6000)  # (height, width) of a photo that sets no limit


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((100, 80, 140, 180), 40),  # 40 x 100 in the middle
        ((100, 80, 101, 81), 2),  # a pixel: one pixel from what is known, on either side
        ((0, 80, 40, 180), 80),  # at the left border: nothing is known beyond it
        ((0, 0, 200, 50), 100),  # all along the upper border
        ((0, 100, 200, 140), 40),  # from border to border, known above and below
    ],
)
def test_a_hole_is_as_thick_as_its_narrower_side_and_the_photos_border_is_no_rim(box, expected):
    assert thickness(hole(300, 200, box)) == pytest.approx(expected, rel=0.03)


def test_a_disc_is_as_thick_as_its_diameter_and_no_hole_has_no_thickness():
    y, x = np.mgrid[:201, :201] - 100
    assert thickness(x**2 + y**2 < 40**2) == pytest.approx(80, rel=0.04)
    assert thickness(np.zeros((20, 30), bool)) == 0
    assert thickness(np.zeros((0, 0), bool)) == 0
    assert thickness(np.ones((20, 30), bool)) > 20


@settings(max_examples=100)
@given(st.floats(1, 3000), st.sampled_from([16, 64, 96, 128]))
def test_a_reduced_hole_is_as_thick_as_learned_ones_and_a_thin_one_is_not_reduced(thick, largest):
    reduction = reduction_for(thick, largest, (100_000, 100_000))
    if thick <= largest:
        assert reduction == 1
    else:
        assert 0.3 * largest < thick / reduction < largest


@settings(max_examples=50)
@given(st.integers(1, 500), st.integers(1, 500))
def test_no_photo_becomes_smaller_than_a_context_needs(height, width):
    reduction = reduction_for(10_000, 64, (height, width))
    assert reduction == 1 or min(height, width) / reduction >= SMALLEST_COPY


def test_the_scale_is_that_of_the_thickest_part():
    mask = hole(*LARGE, (10, 10, 30, 30), (1000, 1000, 1200, 1200))
    assert scale_of(mask, 64) == 1 / 6
    assert scale_of(mask, 200) == 1
    assert scale_of(np.zeros((20, 30), bool), 64) == 1


@pytest.mark.parametrize(
    ("scale", "reduction"),
    [("auto", None), (1, 1), (1.0, 1), (1 / 2, 2), (1 / 3, 3), (0.333, 3), (np.float32(0.25), 4), (1 / 60, 60)],
)
def test_a_scale_is_one_over_a_whole_number_or_auto(scale, reduction):
    assert given_reduction(scale) == reduction


@pytest.mark.parametrize(
    "scale", [0, -1, 2, 0.7, True, None, "half", "1", float("nan"), float("inf"), (1, 2), [], np.ones(2), 1e-9, 1j]
)
def test_any_other_scale_is_refused_in_one_line(scale):
    with pytest.raises(ValueError, match=r'scale is "auto", 1, 1/2, 1/3') as refused:
        given_reduction(scale)
    assert "\n" not in str(refused.value)


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.floats(0, 1), st.integers(0, 2**32))
def test_a_pixel_of_the_copy_is_the_mean_of_the_known_ones_it_stands_for(height, width, reduction, share, seed):
    photo, mask = noise(height, width, seed), np.random.default_rng(seed).random((height, width)) < share
    copy, copy_hole = reduced(photo, mask, reduction)
    assert copy.shape == (-(-height // reduction), -(-width // reduction), 3) and copy_hole.shape == copy.shape[:2]
    for y, x in np.ndindex(copy_hole.shape):
        block = np.s_[y * reduction : (y + 1) * reduction, x * reduction : (x + 1) * reduction]
        known = photo[block][~mask[block]]
        assert copy_hole[y, x] == (2 * len(known) < mask[block].size)
        if len(known):
            assert np.abs(copy[y, x] - known.mean(axis=0)).max() <= 0.5 + 1e-9


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_nothing_in_the_hole_reaches_the_copy(seed, reduction):
    random = np.random.default_rng(seed)
    photo, mask = noise(30, 40, seed), random.random((30, 40)) < 0.4
    other = np.where(mask[..., None], random.integers(0, 256, (30, 40, 3)), photo).astype(np.uint8)
    for one, two in zip(reduced(photo, mask, reduction), reduced(other, mask, reduction), strict=True):
        assert np.array_equal(one, two)


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_equal_channels_stay_equal(seed, reduction):
    photo = noise(31, 43, seed)[..., :1].repeat(3, axis=2)
    copy, _ = reduced(photo, np.random.default_rng(seed).random((31, 43)) < 0.5, reduction)
    assert (copy == copy[..., :1]).all()


@pytest.mark.parametrize("reduction", [1, 2, 3, 5])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_copy_enlarged_lies_where_the_photo_lay(reduction, channels):
    ramp = np.add.outer(np.arange(60.0), 2 * np.arange(90.0))
    photo = np.rint(ramp)[..., None].repeat(3, axis=2).astype(np.uint8)
    copy = reduced(photo, np.zeros(ramp.shape, bool), reduction)[0][..., :channels].astype(np.float32)
    large = enlarged(copy, reduction)
    assert large.shape == (60, 90, channels)
    inner = np.s_[2 * reduction : -2 * reduction, 2 * reduction : -2 * reduction]
    assert np.abs(large[inner] - ramp[inner][..., None]).max() < 1.5


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.sampled_from([2, 4, 64]))
def test_every_connected_part_is_in_one_group(seed, largest):
    mask = texture(80, 120, seed)[..., 0] > 140
    mask[0, 0] = False
    groups = list(by_scale(mask, largest, LARGE))
    assert np.array_equal(sum(group.astype(int) for group, _ in groups), mask)
    assert len({reduction for _, reduction in groups}) == len(groups)
    labels, count = ndimage.label(mask)
    for number in range(1, count + 1):
        part = labels == number
        [reduction] = [reduction for group, reduction in groups if (group & part).any()]
        assert reduction == reduction_for(thickness(part), largest, LARGE)


def test_a_thin_part_beside_a_thick_one_keeps_its_size():
    mask = hole(300, 300, (20, 20, 120, 120), (125, 20, 135, 120))
    (thin, one), (thick, reduction) = by_scale(mask, 40, LARGE)
    assert one == 1 and reduction == 5
    assert thin.sum() == 10 * 100 and thick.sum() == 100 * 100
