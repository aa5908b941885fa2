"""Laplace's equation on a quadtree: close to the solution on every pixel, with far fewer unknowns."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from glcic_lite.method import blending
from glcic_lite.method.blending import poisson_blend, rim_of
from glcic_lite.speed import quadtree
from glcic_lite.speed.quadtree import add_correction
from inputs import hole, texture


def on_a_quadtree(photo, painted, mask):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quadtree, "EVERY_PIXEL", 1)
        return poisson_blend(photo, painted, mask, add_correction)


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.floats(0.02, 0.9))
def test_both_solvers_agree_on_ragged_holes(seed, share):
    """Where no square is larger than a pixel, the equations are the same."""
    random = np.random.default_rng(seed)
    mask = random.random((14, 17)) < share
    mask[random.integers(14), random.integers(17)] = False  # something stays known
    assume(not any(len(squares) for squares in quadtree.quadtree(mask).squares[1:]))
    photo, painted = random.uniform(0, 255, (2, 14, 17, 3))
    assert np.abs(poisson_blend(photo, painted, mask) - on_a_quadtree(photo, painted, mask)).max() < 1e-6


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
    exact, fast = poisson_blend(photo, painted, mask), on_a_quadtree(photo, painted, mask)
    tint = (photo - painted)[rim_of(mask)]
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
    photo, painted = texture(90, 110), texture(90, 110, 9)
    solved = []
    plain = blending.add_correction
    monkeypatch.setattr(blending, "add_correction", lambda *given: solved.append(given[2].sum()) or plain(*given))
    whole = poisson_blend(photo, painted, mask)
    monkeypatch.setattr(quadtree, "EVERY_PIXEL", 40)
    monkeypatch.setattr(quadtree, "DISTANCE", 100)
    assert np.abs(poisson_blend(photo, painted, mask, add_correction) - whole).max() < 1e-6
    assert len(solved) > 1 and max(solved) <= 40
