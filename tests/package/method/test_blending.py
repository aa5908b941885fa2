"""Poisson blending: it takes out the tint, moves nothing else, and never looks at the hidden truth."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from glcic_lite.method import blending
from glcic_lite.method.blending import poisson_blend, smooth_fill
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
# Every test runs with all solvers, but those that compare them.
all_solvers = pytest.mark.usefixtures("solver")
exact_solvers = pytest.mark.usefixtures("exact_solver")
every_hole = pytest.mark.parametrize("mask", HOLES.values(), ids=HOLES.keys())


@pytest.fixture(params=["every pixel", "quadtree", "multigrid"])
def solver(request, monkeypatch):
    if request.param != "every pixel":
        monkeypatch.setattr(blending, "EVERY_PIXEL", 1)
    if request.param == "quadtree":
        monkeypatch.setattr(quadtree, "DISTANCE", 2)  # so that holes as small as these have squares of several sizes
    if request.param == "multigrid":
        monkeypatch.setattr(blending, "DIRECT_SOLVE", 0)  # and every square is one pixel wide


@pytest.fixture(params=["every pixel", "small squares"])
def exact_solver(request, monkeypatch):
    """Not the coarse squares, which solve the equation of each pixel only nearly."""
    if request.param == "small squares":
        monkeypatch.setattr(blending, "EVERY_PIXEL", 1)
        monkeypatch.setattr(quadtree, "DISTANCE", 100)


@all_solvers
@every_hole
def test_a_perfect_painting_is_not_moved(mask):
    assert np.abs(poisson_blend(PHOTO, PHOTO, mask) - PHOTO).max() < 0.01


@all_solvers
@every_hole
def test_a_tint_is_taken_out_completely(mask):
    tinted = PHOTO + [30, -12, 7]
    assert np.abs(poisson_blend(PHOTO, tinted, mask) - PHOTO).max() < 0.01


@all_solvers
@every_hole
def test_the_photo_outside_the_hole_is_not_touched(mask):
    result = poisson_blend(PHOTO, texture(HEIGHT, WIDTH, 9), mask)
    assert np.array_equal(result[~mask], PHOTO[~mask])


@all_solvers
@every_hole
def test_the_hidden_truth_is_never_read(mask):
    painted = texture(HEIGHT, WIDTH, 9)
    hidden = np.where(mask[..., None], np.nan, PHOTO)
    assert np.array_equal(poisson_blend(hidden, painted, mask), poisson_blend(PHOTO, painted, mask))


@all_solvers
@every_hole
def test_the_painting_matters_only_in_the_hole_and_on_its_rim(mask):
    painted = texture(HEIGHT, WIDTH, 9)
    near = mask.copy()
    for axis in (0, 1):
        near |= np.roll(mask, 1, axis) | np.roll(mask, -1, axis)
    elsewhere = np.where(near[..., None], painted, 1000.0)
    assert np.allclose(poisson_blend(PHOTO, elsewhere, mask), poisson_blend(PHOTO, painted, mask))


@exact_solvers
def test_blending_keeps_the_gradients_of_the_painting_up_to_a_smooth_change():
    mask, painted = HOLES["in the middle"], texture(HEIGHT, WIDTH, 9).astype(float)
    added = (poisson_blend(PHOTO, painted, mask) - painted)[12:36, 20:44]
    inner = added[1:-1, 1:-1]
    around = (added[:-2, 1:-1] + added[2:, 1:-1] + added[1:-1, :-2] + added[1:-1, 2:]) / 4
    assert np.abs(inner - around).max() < 1e-3


@all_solvers
def test_a_hole_without_known_pixels_keeps_the_painting():
    painted = texture(HEIGHT, WIDTH, 9)
    everything = np.ones((HEIGHT, WIDTH), bool)
    assert np.array_equal(poisson_blend(PHOTO, painted, everything), painted)


@all_solvers
def test_a_hole_that_touches_nothing_known_is_filled_with_zeros():
    assert not smooth_fill(PHOTO, np.ones((HEIGHT, WIDTH), bool)).any()


@pytest.mark.parametrize("change", [lambda a: a[:-1], lambda a: a[..., :1]])
def test_paintings_of_another_shape_are_refused(change):
    with pytest.raises(ValueError, match="shapes differ"):
        poisson_blend(PHOTO, change(PHOTO), HOLES["several"])


def test_masks_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="shapes differ"):
        poisson_blend(PHOTO, PHOTO, HOLES["several"][1:])


@exact_solvers
@every_hole
def test_a_smooth_fill_is_everywhere_the_mean_of_its_neighbours(mask):
    filled = PHOTO.copy()
    filled[mask] = smooth_fill(PHOTO, mask)
    padded = np.pad(filled, [(1, 1), (1, 1), (0, 0)], constant_values=np.nan)
    neighbours = [
        padded[1 + dy : HEIGHT + 1 + dy, 1 + dx : WIDTH + 1 + dx] for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1))
    ]
    assert np.abs(filled - np.nanmean(neighbours, axis=0))[mask].max() < 1e-3


@all_solvers
@every_hole
def test_a_smooth_fill_stays_between_the_smallest_and_the_largest_known_value(mask):
    filled = smooth_fill(PHOTO, mask)
    assert (filled > PHOTO[~mask].min(axis=0) - 1e-3).all() and (filled < PHOTO[~mask].max(axis=0) + 1e-3).all()


@all_solvers
def test_a_smooth_fill_continues_a_ramp():
    ramp = np.tile(np.arange(WIDTH, dtype=float)[:, None], (HEIGHT, 1, 3))
    mask = HOLES["in the middle"]
    assert np.allclose(smooth_fill(ramp, mask), ramp[mask], atol=1e-4)


def solve_with(limits, photo, painted, mask):
    """`poisson_blend` with other limits: {(module, name): value}."""
    with pytest.MonkeyPatch.context() as patch:
        for (module, name), value in limits.items():
            patch.setattr(module, name, value)
        return poisson_blend(photo, painted, mask)


EVERY_PIXEL = {(blending, "EVERY_PIXEL"): 10**9}
QUADTREE = {(blending, "EVERY_PIXEL"): 1}
MULTIGRID = QUADTREE | {(blending, "DIRECT_SOLVE"): 0}


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.floats(0.02, 0.9))
def test_all_solvers_agree_on_ragged_holes(seed, share):
    """Where no square is larger than a pixel, the equations are the same."""
    random = np.random.default_rng(seed)
    mask = random.random((14, 17)) < share
    mask[random.integers(14), random.integers(17)] = False  # something stays known
    assume(not any(len(squares) for squares in quadtree.quadtree(mask).squares[1:]))
    photo, painted = random.uniform(0, 255, (2, 14, 17, 3))
    results = [solve_with(limits, photo, painted, mask) for limits in (EVERY_PIXEL, QUADTREE, MULTIGRID)]
    assert np.abs(results[0] - results[1]).max() < 1e-6
    assert np.abs(results[0] - results[2]).max() < 1e-3


@settings(max_examples=10)
@given(
    st.sampled_from([(130, 150), (129, 161), (97, 200)]),
    st.tuples(*[st.integers(0, 3)] * 4),
    st.integers(0, 2**32),
)
def test_the_quadtree_stays_close_to_the_solution_on_every_pixel(size, frame, seed):
    """However the hole lies at the photo's borders: within half a per cent of the tint's range."""
    height, width = size
    left, top, right, bottom = frame
    mask = hole(height, width, (left, top, width - right, height - bottom))
    random = np.random.default_rng(seed)
    mask[random.integers(height), random.integers(width)] = False
    photo, painted = (texture(height, width, s).astype(float) for s in (seed % 100, 200))
    exact, fast = (solve_with(limits, photo, painted, mask) for limits in (EVERY_PIXEL, QUADTREE))
    tint = (photo - painted)[blending.rim_of(mask)]
    assert np.abs(exact - fast).max() < 0.005 * np.ptp(tint)
    assert np.abs(exact - fast).mean() < 0.0002 * np.ptp(tint)


def test_the_squares_fill_the_hole_once_and_grow_with_the_distance_to_its_rim():
    mask = hole(200, 210, (5, 7, 190, 195)) & ~hole(200, 210, (60, 50, 62, 53))
    tree = quadtree.quadtree(mask)
    assert len(tree.squares) >= 3
    covered = np.zeros(mask.shape, int)
    size_at = np.zeros(mask.shape, int)
    for level, squares in enumerate(tree.squares):
        for row, column in squares:
            covered[row : row + 2**level, column : column + 2**level] += 1
            size_at[row : row + 2**level, column : column + 2**level] = 2**level
            if level:
                assert mask[row : row + 2**level + 1, column : column + 2**level + 1].all()
    assert covered.max() == 1
    assert covered[mask].all()
    for a, b in ((size_at[1:], size_at[:-1]), (size_at[:, 1:], size_at[:, :-1])):
        both = (a > 0) & (b > 0)
        assert (np.maximum(a, b)[both] <= 2 * np.minimum(a, b)[both]).all()


def test_the_unknowns_follow_the_rim_and_not_the_area():
    def unknowns(side):
        return len(quadtree.QuadtreeEquations(hole(side, side, (2, 2, side - 2, side - 2))).unknown)

    assert unknowns(1024) < 2.5 * unknowns(512)


@pytest.mark.parametrize("corner", [(0, 0), (2, 5)])
def test_holes_in_many_pieces_are_blended_piece_by_piece(corner, monkeypatch):
    mask = np.zeros((90, 110), bool)
    mask[corner[0] :: 12, corner[1] :: 9] = True
    mask[30:60, 40:70] = True
    whole = poisson_blend(texture(90, 110), texture(90, 110, 9), mask)
    monkeypatch.setattr(blending, "EVERY_PIXEL", 40)
    monkeypatch.setattr(quadtree, "DISTANCE", 100)
    assert np.abs(poisson_blend(texture(90, 110), texture(90, 110, 9), mask) - whole).max() < 1e-6


def test_a_large_painting_in_float32_stays_in_float32():
    mask = HOLES["in the middle"]
    assert poisson_blend(PHOTO.astype(np.uint8), PHOTO.astype(np.float32), mask).dtype == np.float32
