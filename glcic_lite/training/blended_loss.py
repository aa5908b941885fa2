"""The painting as `complete` returns it, blended, for the losses to judge: the setting `through_blending`.

This course's addition. The paper blends when training is over (section 3.4). What blending adds in the hole depends
linearly on the painting: it solves Laplace's equation with the difference photo - painting on the rim
(`method.blending`). So it can stand between the network and its losses, and gradients pass through it. A tint is no
error any more, since blending takes it out; what is left to learn is the picture itself. The price: the bare painting
may drift in colour.

The equation is solved by the capacitance matrix method (Buzbee, Dorr, George and Golub, 1971), exactly and on any mask.
Put charges on the rim. Their potential solves Laplace's equation everywhere else, so in the hole too. How large the
charges are follows from what the potential has to be on the rim: a system of equations as large as the rim. The
potential of given charges on a whole rectangle is then a matter of cosine transforms. All of this is PyTorch, which
knows the gradients, on a GPU as well. On one core of an Intel Xeon with AMX it took half the time of a sparse
factorisation of each hole, as did banded Cholesky factors, which do not run on GPUs: a tenth of a step of LITE.
"""

from functools import lru_cache

import torch
from torch import Tensor

BLOCK = 64  # rows of a matrix that are computed at once


def blended(output: Tensor, photo: Tensor, mask: Tensor, rim: Tensor | None = None) -> Tensor:
    """What the network paints, after the Poisson blending of `method.blending.poisson_blend`; differentiable.

    `complete` then rounds it and cuts it off at black and white, and keeps photos without colour grey; that is not done
    here. Time and memory grow with the square of the rim's length; for rims of thousands of pixels, which boxes and
    strokes do not have, the time grows with its cube.

    Args:
        output: (N, 3, H, W) float32 or float64: what the network paints, read in the hole and on its rim.
        photo: (N, 3, H, W), read on the rim.
        mask: (N, 1, H, W), 1 in the hole. With a hole that is empty or covers everything there is nothing to blend.
        rim: what `rim_pixels` says of the mask; None: it is asked here, for which a GPU has to be waited for.

    Returns:
        (N, 3, H, W): `output`, with what blending adds to it in the hole.
    """
    tint = photo - output
    if output.device.type == "cpu" and rim is None:
        # One photo after the other is faster than all at once, as a GPU likes it: more of it stays in the caches.
        added = torch.cat(
            [_smooth_fill(x, rim_pixels(its)) for x, its in zip(tint.split(1), mask.split(1), strict=True)]
        )
    else:
        added = _smooth_fill(tint, rim_pixels(mask) if rim is None else rim)
    return output + torch.where(mask > 0.5, added, 0)


def _smooth_fill(values: Tensor, rim: Tensor) -> Tensor:
    """Values (N, C, H, W) on the rims of holes, continued into them by Laplace's equation: (N, C, H, W).

    What it says outside hole and rim is of no use.
    """
    count, channels, height, width = values.shape
    on_rim, rim = rim >= 0, rim.clamp(min=0)  # (N, R)
    places = rim[:, None].expand(-1, channels, -1)
    on_rim = on_rim[:, None].to(values.dtype)  # 0 for the numbers that only fill up
    wanted = values.flatten(2).gather(2, places) * on_rim  # (N, C, R)
    with torch.no_grad():
        # The matrix is positive definite. `cholesky` would look whether it is, and make the processor wait for a GPU.
        matrix, _ = torch.linalg.cholesky_ex(_potentials(rim, on_rim, height, width))
        # Charges whose sum is zero make every potential but for a constant, which is found first and added last.
        uniform = torch.cholesky_solve(on_rim.mT, matrix)  # the charges that make a potential of 1 all along the rim
        uniform /= uniform.sum(dim=1, keepdim=True).clamp(min=1e-9)
    constant = wanted @ uniform
    charges = torch.cholesky_solve((wanted - constant * on_rim).mT, matrix).mT * on_rim
    field = torch.zeros_like(values).flatten(2).scatter_add(2, places, charges).unflatten(2, (height, width))
    down, across, eigenvalues = _cosines(height, width, values.dtype, values.device)
    return down.T @ ((down @ field @ across.T) / eigenvalues) @ across + constant[..., None]


def rim_pixels(mask: Tensor) -> Tensor:
    """The known pixels beside each hole of masks (N, 1, H, W), 1 or True in the hole.

    Returns:
        Their numbers, row by row, filled up with -1 to the length of the longest rim, but at least one: (N, R) int64.
    """
    hole = mask[:, 0] > 0.5
    beside = torch.zeros_like(hole)
    beside[:, 1:] |= hole[:, :-1]
    beside[:, :-1] |= hole[:, 1:]
    beside[:, :, 1:] |= hole[:, :, :-1]
    beside[:, :, :-1] |= hole[:, :, 1:]
    which, pixels = (beside & ~hole).flatten(1).nonzero(as_tuple=True)
    lengths = torch.bincount(which, minlength=len(hole))
    place = torch.arange(len(which), device=hole.device) - (lengths.cumsum(0) - lengths)[which]
    rim = pixels.new_full((len(hole), max(1, int(lengths.max()))), -1)
    rim[which, place] = pixels
    return rim


def _potentials(rim: Tensor, on_rim: Tensor, height: int, width: int) -> Tensor:
    """The potential at each rim pixel of a charge of 1 at each other: (N, R, R), of which the upper half is not filled.

    Where pixels only fill up, it is the identity.
    """
    potential = _around_a_charge(height, width, on_rim.dtype, rim.device).flatten()
    y, x = rim // width, rim % width
    matrix = on_rim.new_zeros(*rim.shape, rim.shape[1])
    for start in range(0, rim.shape[1], BLOCK):
        rows, columns = slice(start, start + BLOCK), slice(0, start + BLOCK)
        (y_here, x_here), (y_there, x_there) = (
            (y[:, rows, None], x[:, rows, None]),
            (y[:, None, columns], x[:, None, columns]),
        )
        # Outside the photo there are no neighbours. Mirror images of the charge behind its border stand for that.
        down = [2 * width * (y_here - y_there).abs(), 2 * width * (y_here + y_there + 1)]
        across = [(x_here - x_there).abs(), x_here + x_there + 1]
        for row in down:
            for column in across:
                block = matrix[:, rows, columns]
                block += potential.index_select(0, (row + column).flatten()).view_as(block)
    matrix *= on_rim * on_rim.mT
    matrix.diagonal(dim1=1, dim2=2).add_(1 - on_rim[:, 0])
    return matrix


@lru_cache(maxsize=4)
@torch.inference_mode(False)  # a validation may ask first, and what it makes could not be trained through
def _around_a_charge(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The potential of a charge at the corner of a periodic rectangle twice as high and wide: (2 H, 2 W)."""
    down, across = (torch.arange(2 * side, dtype=torch.float64) * (torch.pi / side) for side in (height, width))
    eigenvalues = 4 - 2 * down.cos()[:, None] - 2 * across.cos()
    eigenvalues[0, 0] = torch.inf  # a constant is no potential of charges
    return torch.fft.ifft2(1 / eigenvalues).real.to(device, dtype)


@lru_cache(maxsize=4)
@torch.inference_mode(False)
def _cosines(height: int, width: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Cosine transforms along columns (H, H) and rows (W, W), and what Laplace's operator does to each wave (H, W)."""
    waves, values = [], []
    for side in (height, width):
        frequency = torch.arange(side, dtype=torch.float64) * (torch.pi / side)
        wave = (frequency[:, None] * (torch.arange(side) + 0.5)).cos() * (2 / side) ** 0.5
        wave[0] = side**-0.5
        waves.append(wave.to(device, dtype))
        values.append(2 - 2 * frequency.cos())
    eigenvalues = values[0][:, None] + values[1]
    eigenvalues[0, 0] = torch.inf  # as above
    return waves[0], waves[1], eigenvalues.to(device, dtype)
