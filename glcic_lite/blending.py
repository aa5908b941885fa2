"""Blending: taking the tint out of a completion, so that no seam shows where it meets the photo."""

import numpy as np
import pyamg
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

DIRECT_SOLVE_PIXELS = 60_000  # beyond this many unknowns multigrid is faster than a direct solve
NEIGHBOURS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=bool)


def poisson_blend(photo: np.ndarray, painted: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Put `painted` into the hole of `photo`, keeping its gradients but not its tint (Perez et al., 2003).

    Inside the hole the result has the gradients of `painted`; on the hole's rim it meets the photo. What has to be
    added to `painted` for that is the smoothest of all functions: on the rim, just outside the hole, it is the
    difference photo - painted, and inside it solves Laplace's equation. At the photo's own border it is left free.

    If `painted` equals the photo on the rim, nothing is added. Nothing inside the hole of `photo` is read.

    Args:
        photo: (H, W, C) numbers of any range.
        painted: (H, W, C) in the same range; it matters in the hole and on its rim, one pixel wide.
        mask: (H, W) bool, True in the hole.

    Returns:
        (H, W, C) float64: the photo outside the hole, the blended painting inside.
    """
    photo, painted = np.asarray(photo, dtype=np.float64), np.asarray(painted, dtype=np.float64)
    if photo.shape != painted.shape or mask.shape != photo.shape[:2]:
        raise ValueError(f"shapes differ: photo {photo.shape}, painted {painted.shape}, mask {mask.shape}")
    result = np.where(mask[..., None], painted, photo)
    rim = ndimage.binary_dilation(mask, NEIGHBOURS) & ~mask
    if rim.any():
        tint = np.where(rim[..., None], photo - painted, 0.0)
        result[mask] += smooth_fill(tint, mask)
    return result


def smooth_fill(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill a hole with the solution of Laplace's equation: each pixel the mean of its neighbours.

    Parts of the hole that touch no known pixel are filled with zeros.

    Args:
        values: (H, W, C), read only on the rim of the hole.
        mask: (H, W) bool, True in the hole.

    Returns:
        (number of hole pixels, C) float64, in the order of `values[mask]`.
    """
    matrix, right = laplace_equations(values, mask)
    if len(right) <= DIRECT_SOLVE_PIXELS:
        return splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(right)
    multigrid = pyamg.ruge_stuben_solver(matrix.tocsr(), max_coarse=500)
    return np.stack([multigrid.solve(column, tol=1e-9, accel="cg") for column in right.T], axis=1)


def laplace_equations(values: np.ndarray, mask: np.ndarray) -> tuple[sparse.coo_array, np.ndarray]:
    """One equation a hole pixel: (number of neighbours) * pixel - (its neighbours in the hole) = (those outside).

    Returns:
        The sparse square matrix and the right-hand side (number of hole pixels, C).
    """
    height, width = mask.shape
    number = np.full(mask.shape, -1, dtype=np.int64)
    number[mask] = np.arange(mask.sum())
    rows, columns = np.nonzero(mask)
    count = np.zeros(len(rows))
    touches_known = np.zeros(len(rows), dtype=bool)
    right = np.zeros((len(rows), values.shape[2]))
    pairs = []
    for down, across in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        y, x = rows + down, columns + across
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)  # no equation across the photo's border
        count += inside
        y, x = y.clip(0, height - 1), x.clip(0, width - 1)
        hole = inside & mask[y, x]
        pairs.append((np.flatnonzero(hole), number[y[hole], x[hole]]))
        known = inside & ~mask[y, x]
        right[known] += values[y[known], x[known]]
        touches_known |= known
    # A part of the hole without known neighbours has no unique solution: tie it to zero.
    part = ndimage.label(mask)[0][rows, columns]
    anchored = np.bincount(part, weights=touches_known) > 0
    count[~anchored[part]] += 1
    first = np.concatenate([np.arange(len(rows)), *(p[0] for p in pairs)])
    second = np.concatenate([np.arange(len(rows)), *(p[1] for p in pairs)])
    entries = np.concatenate([count, *(-np.ones(len(p[0])) for p in pairs)])
    return sparse.coo_array((entries, (first, second)), shape=(len(rows), len(rows))), right
