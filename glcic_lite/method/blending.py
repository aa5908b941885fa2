"""Poisson blending: taking the tint out of a completion, so that no seam shows where it meets the photo.

The paper (section 3.4) names two steps, fast marching and Poisson blending. `complete` takes only the second. In the
authors' program fast marching fills the hole so that OpenCV's `seamlessClone`, whose edge lies inside the hole, has
something to rest on; the solver here rests on the photo's own pixels around the hole and reads nothing inside it.
Measured on the holes of `evaluation.protocol`, marching a band along the rim before the Poisson solve lowered PSNR and
SSIM, and after it brought nothing (lesson 07 shows it).
"""

from collections.abc import Callable

import cv2
import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=np.uint8)  # a pixel and its four neighbours
Correction = Callable[[np.ndarray, np.ndarray, np.ndarray], None]  # arguments as for `add_correction`


def rim_of(mask: np.ndarray) -> np.ndarray:
    """The known pixels next to a hole, left, right, above or below it: bool (H, W)."""
    return (cv2.dilate(mask.astype(np.uint8), CROSS) > 0) & ~mask


def add_correction(photo: np.ndarray, painted: np.ndarray, mask: np.ndarray) -> None:
    """Add to `painted`, in the hole, the smoothest function that makes it meet the photo on the rim.

    Args:
        photo: (H, W, C) numbers of any range, read on the rim of the hole.
        painted: (H, W, C) floats in the same range, read on the rim and changed in the hole.
        mask: (H, W) bool, True in the hole.
    """
    rim = rim_of(mask)
    tint = np.zeros(photo.shape)
    tint[rim] = photo[rim].astype(np.float64) - painted[rim]
    painted[mask] += smooth_fill(tint, mask)


def poisson_blend(
    photo: np.ndarray, painted: np.ndarray, mask: np.ndarray, correct: Correction = add_correction
) -> np.ndarray:
    """Put `painted` into the hole of `photo`, keeping its gradients but not its tint (Pérez et al., 2003).

    Inside the hole the result has the gradients of `painted`; on the hole's rim it meets the photo. What has to be
    added to `painted` for that is the smoothest of all functions: on the rim, just outside the hole, it is the
    difference photo - painted, and inside it solves Laplace's equation. At the photo's own border it is left free.

    If `painted` equals the photo on the rim, nothing is added. Nothing inside the hole of `photo` is read.

    Args:
        photo: (H, W, C) numbers of any range.
        painted: (H, W, C) in the same range; it matters in the hole and on its rim, one pixel wide.
        mask: (H, W) bool, True in the hole.
        correct: solves the equation. `add_correction` solves it on every pixel; for large holes
            `speed.quadtree.add_correction` needs less time and memory.

    Returns:
        (H, W, C), float32 if `painted` is, else float64: the photo outside the hole, the blended painting inside.

    Raises:
        ValueError: the shapes differ.
    """
    photo, painted = np.asarray(photo), np.asarray(painted)
    if photo.shape != painted.shape or mask.shape != photo.shape[:2]:
        raise ValueError(f"shapes differ: photo {photo.shape}, painted {painted.shape}, mask {mask.shape}")
    result = painted.astype(np.float32 if painted.dtype == np.float32 else np.float64, order="C")
    if mask.any():
        correct(photo, result, mask)
    np.copyto(result, photo, where=~mask[..., None])
    return result


def smooth_fill(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill a hole with the solution of Laplace's equation: each pixel the mean of its neighbours.

    Parts of the hole that touch no known pixel are filled with zeros.

    Args:
        values: (H, W, C), read only on the rim of the hole.
        mask: (H, W) bool, True in the hole, which must not be empty.

    Returns:
        (number of hole pixels, C) float64, in the order of `values[mask]`.
    """
    return solve(*laplace_equations(values, mask))


def solve(matrix: sparse.sparray, right: np.ndarray) -> np.ndarray:
    """Solve a sparse, symmetric, positive definite system (n, n) for several right-hand sides (n, C)."""
    # One order of elimination for rows and columns alike keeps the factors small; they are so sparse that it is
    # fastest to eliminate few columns together.
    factors = splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", panel_size=2, options={"SymmetricMode": True})
    return factors.solve(right)


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
