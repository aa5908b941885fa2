"""Poisson blending: it takes out the tint, moves nothing else, and never looks at the hidden truth."""

from functools import partial

import numpy as np
import pytest

from glcic_lite.method import blending
from glcic_lite.speed import quadtree
from inputs import hole, texture

HEIGHT, WIDTH = 48, 64
PHOTO = texture(HEIGHT, WIDTH).astype(float)
HOLES = {
    "in the middle": hole(HEIGHT, WIDTH, (20, 12, 44, 36)),
    "at the border": hole(HEIGHT, WIDTH, (40, 0, 64, 20)),
    "a whole side": hole(HEIGHT, WIDTH, (0, 0, 10, 48)),
    "several": hole(HEIGHT, WIDTH, (2, 2, 12, 12), (30, 8, 50, 20), (54, 40, 64, 48)),
    "one pixel": hole(HEIGHT, WIDTH, (7, 9, 8, 10)),
    "all but one pixel": ~hole(HEIGHT, WIDTH, (30, 20, 31, 21)),
    "ring": hole(HEIGHT, WIDTH, (10, 10, 40, 40)) & ~hole(HEIGHT, WIDTH, (20, 20, 30, 30)),
}
every_hole = pytest.mark.parametrize("mask", HOLES.values(), ids=HOLES.keys())
SOLVERS = {
    "every pixel": {},
    # With DISTANCE 2 holes as small as these have squares of several sizes, with 100 none is larger than a pixel.
    "quadtree": {"EVERY_PIXEL": 1, "DISTANCE": 2},
    "small squares": {"EVERY_PIXEL": 1, "DISTANCE": 100},
}
exact_solvers = pytest.mark.parametrize("solver", ["every pixel", "small squares"], indirect=True)


@pytest.fixture(params=SOLVERS)
def solver(request, monkeypatch):
    """Plain and fast solver, as the module that has it; coarse squares solve the equation of each pixel only nearly."""
    for name, value in SOLVERS[request.param].items():
        monkeypatch.setattr(quadtree, name, value)
    return quadtree if SOLVERS[request.param] else blending


@pytest.fixture
def poisson_blend(solver):
    return partial(blending.poisson_blend, correct=solver.add_correction)


@pytest.fixture
def smooth_fill(solver):
    return solver.smooth_fill


@every_hole
def test_a_perfect_painting_is_not_moved(poisson_blend, mask):
    assert np.abs(poisson_blend(PHOTO, PHOTO, mask) - PHOTO).max() < 0.01


@every_hole
def test_a_tint_is_taken_out_completely(poisson_blend, mask):
    tinted = PHOTO + [30, -12, 7]
    assert np.abs(poisson_blend(PHOTO, tinted, mask) - PHOTO).max() < 0.01


@every_hole
def test_the_photo_outside_the_hole_is_not_touched(poisson_blend, mask):
    result = poisson_blend(PHOTO, texture(HEIGHT, WIDTH, 9), mask)
    assert np.array_equal(result[~mask], PHOTO[~mask])


@every_hole
def test_the_hidden_truth_is_never_read(poisson_blend, mask):
    painted = texture(HEIGHT, WIDTH, 9)
    hidden = np.where(mask[..., None], np.nan, PHOTO)
    assert np.array_equal(poisson_blend(hidden, painted, mask), poisson_blend(PHOTO, painted, mask))


@every_hole
def test_the_painting_matters_only_in_the_hole_and_on_its_rim(poisson_blend, mask):
    painted = texture(HEIGHT, WIDTH, 9)
    near = mask.copy()
    for axis in (0, 1):
        near |= np.roll(mask, 1, axis) | np.roll(mask, -1, axis)
    elsewhere = np.where(near[..., None], painted, 1000.0)
    assert np.allclose(poisson_blend(PHOTO, elsewhere, mask), poisson_blend(PHOTO, painted, mask))


@exact_solvers
def test_blending_keeps_the_gradients_of_the_painting_up_to_a_smooth_change(poisson_blend):
    mask, painted = HOLES["in the middle"], texture(HEIGHT, WIDTH, 9).astype(float)
    added = (poisson_blend(PHOTO, painted, mask) - painted)[12:36, 20:44]
    inner = added[1:-1, 1:-1]
    around = (added[:-2, 1:-1] + added[2:, 1:-1] + added[1:-1, :-2] + added[1:-1, 2:]) / 4
    assert np.abs(inner - around).max() < 1e-3


def test_a_hole_without_known_pixels_keeps_the_painting(poisson_blend):
    painted = texture(HEIGHT, WIDTH, 9)
    everything = np.ones((HEIGHT, WIDTH), bool)
    assert np.array_equal(poisson_blend(PHOTO, painted, everything), painted)


def test_a_hole_that_touches_nothing_known_is_filled_with_zeros(smooth_fill):
    assert not smooth_fill(PHOTO, np.ones((HEIGHT, WIDTH), bool)).any()


@pytest.mark.parametrize("change", [lambda a: a[:-1], lambda a: a[..., :1]])
def test_paintings_of_another_shape_are_refused(change):
    with pytest.raises(ValueError, match="shapes differ"):
        blending.poisson_blend(PHOTO, change(PHOTO), HOLES["several"])


def test_masks_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="shapes differ"):
        blending.poisson_blend(PHOTO, PHOTO, HOLES["several"][1:])


@exact_solvers
@every_hole
def test_a_smooth_fill_is_everywhere_the_mean_of_its_neighbours(smooth_fill, mask):
    filled = PHOTO.copy()
    filled[mask] = smooth_fill(PHOTO, mask)
    padded = np.pad(filled, [(1, 1), (1, 1), (0, 0)], constant_values=np.nan)
    neighbours = [
        padded[1 + dy : HEIGHT + 1 + dy, 1 + dx : WIDTH + 1 + dx] for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1))
    ]
    assert np.abs(filled - np.nanmean(neighbours, axis=0))[mask].max() < 1e-3


@every_hole
def test_a_smooth_fill_stays_between_the_smallest_and_the_largest_known_value(smooth_fill, mask):
    filled = smooth_fill(PHOTO, mask)
    assert (filled > PHOTO[~mask].min(axis=0) - 1e-3).all() and (filled < PHOTO[~mask].max(axis=0) + 1e-3).all()


def test_a_smooth_fill_continues_a_ramp(smooth_fill):
    ramp = np.tile(np.arange(WIDTH, dtype=float)[:, None], (HEIGHT, 1, 3))
    mask = HOLES["in the middle"]
    assert np.allclose(smooth_fill(ramp, mask), ramp[mask], atol=1e-4)


def test_a_large_painting_in_float32_stays_in_float32(poisson_blend):
    mask = HOLES["in the middle"]
    assert poisson_blend(PHOTO.astype(np.uint8), PHOTO.astype(np.float32), mask).dtype == np.float32
