"""Photos without colour and toned prints: which they are, and that what is painted takes their tones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glcic_lite.method.tones import BRIGHTNESS, on_curve, tone_curve
from inputs import hole, noise, texture

NO_HOLE = np.zeros((60, 80), bool)
BROWN = np.array([1.0, 0.8, 0.55])


def sepia(grey: np.ndarray) -> np.ndarray:
    """A brown print of a grey picture (H, W): white stays nearly white."""
    share = grey[..., None] / 255
    return np.rint(255 * share ** (1 / BROWN) * 0.9 + 20 * BROWN).clip(0, 255).astype(np.uint8)


def grey_texture(seed: int = 0) -> np.ndarray:
    return texture(60, 80, seed)[..., 0]


def test_a_grey_photo_has_one_channel_that_stands_for_three():
    curve = tone_curve(grey_texture()[..., None].repeat(3, axis=2), NO_HOLE)
    assert curve.shape == (256, 1) and np.array_equal(curve[:, 0], np.arange(256))


def test_the_hole_is_not_read():
    """A colour drawn over what is to go does not make a grey photo one with colours."""
    photo = grey_texture()[..., None].repeat(3, axis=2)
    mask = hole(60, 80, (20, 20, 50, 40))
    photo[mask] = (255, 0, 0)
    assert tone_curve(photo, mask).shape == (256, 1)
    photo[0, 0] = (1, 2, 3)
    assert tone_curve(photo, mask).shape == (256, 3)  # all but grey


@pytest.mark.parametrize("noise_level", [0, 1.5])
def test_the_curve_of_a_toned_print_is_found(noise_level):
    grey = grey_texture()
    photo = sepia(grey)
    shaken = np.rint(photo + np.random.default_rng(0).normal(0, noise_level, photo.shape)).clip(0, 255).astype(np.uint8)
    curve = tone_curve(shaken, NO_HOLE)
    assert curve.shape == (256, 3)
    there = np.rint(photo @ BRIGHTNESS).astype(int)
    assert np.abs(curve[there] - photo).mean() < 1.5


def test_colour_photos_have_none():
    assert tone_curve(texture(60, 80), NO_HOLE) is None
    assert tone_curve(noise(60, 80), NO_HOLE) is None
    assert tone_curve(noise(1, 1), np.zeros((1, 1), bool)) is None, "one pixel proves no curve"
    assert tone_curve(noise(3, 4), np.zeros((3, 4), bool)) is None


def test_large_photos_are_judged_by_a_sample_but_greyness_by_every_pixel():
    photo = np.full((700, 900, 3), 90, np.uint8)
    assert tone_curve(photo, np.zeros((700, 900), bool)).shape == (256, 1)
    photo[33, 35, 0] += 1
    assert tone_curve(photo, np.zeros((700, 900), bool)).shape == (256, 3)


def test_what_is_painted_takes_the_tones():
    curve = tone_curve(sepia(grey_texture()), NO_HOLE)
    painted = on_curve(texture(20, 30, 1).astype(np.float32), curve)
    assert painted.shape == (20, 30, 3) and painted.dtype == np.float32
    nearest = np.abs(painted.reshape(-1, 1, 3) - curve[None]).max(axis=2).min(axis=1)
    assert nearest.max() < 1.5
    unchanged = texture(20, 30, 1).astype(np.float32)
    assert on_curve(unchanged, None) is unchanged


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_without_colour_the_brightness_is_kept(seed):
    painted = noise(9, 11, seed).astype(np.float32)
    grey = on_curve(painted.copy(), np.arange(256.0)[:, None])
    assert grey.shape == (9, 11, 1)
    assert np.abs(grey[..., 0] - painted @ BRIGHTNESS).max() < 0.01
