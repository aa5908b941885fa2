"""Convolutions with 3 x 3 taps in two thirds of the multiplications: Winograd's filters, along the columns of a photo.

A filter with the taps g0, g1, g2 gives two neighbouring outputs from four inputs d0 to d3 with six multiplications.
Four are enough, as what only depends on the taps is reckoned once:

    m0 = (d0 - d2) g0                       y0 = m0 + m1 + m2
    m1 = (d1 + d2) (g0 + g1 + g2) / 2       y1 = m1 - m2 - m3
    m2 = (d2 - d1) (g0 - g1 + g2) / 2
    m3 = (d1 - d3) g2

Here d0 to d3 are rows, and each product is a convolution with the three taps along the row, over all channels. The sums
round once more: in bfloat16 the error of a layer is about one and a half times that of the plain convolution.

S. Winograd: "Arithmetic Complexity of Computations", SIAM, 1980. A. Lavin and S. Gray: "Fast Algorithms for
Convolutional Neural Networks", CVPR 2016.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

CHANNELS = 192  # layers with fewer spend more time on the sums than they save on the products
SHARE = 0.75  # of the plain convolution's multiplications: with more than this there is nothing to gain
ROWS = 16  # rows of each of the four pictures that are worked on at once


def filters(weight: Tensor) -> list[Tensor]:
    """What the four products are taken with: (O, I, 3, 3) to four times (O, I, 1, 3)."""
    above, middle, below = weight.unbind(dim=2)
    half = (above + below) / 2
    return [taps.unsqueeze(2) for taps in (above, half + middle / 2, half - middle / 2, below)]


def is_worth_it(rows: int, dilation: int) -> bool:
    """Whether so many rows of output take clearly fewer multiplications: they are made in groups of 2 * dilation."""
    return _groups(rows, dilation) * 2 * dilation * 2 / 3 <= SHARE * rows


def _groups(rows: int, dilation: int) -> int:
    return -(-rows // (2 * dilation))


def convolution(
    values: Tensor, four_filters: list[Tensor], bias: Tensor, dilation: int, above_below: tuple[int, int], sides: int
) -> Tensor:
    """The convolution that the filters were made from, with stride 1.

    Args:
        values: (N, I, H, W), in memory with their channels side by side.
        four_filters: from `filters`.
        bias: (O,).
        dilation: distance between neighbouring taps, in pixels.
        above_below, sides: zeros added above and below, and on either side.

    Returns:
        (N, O, H + zeros - 2 * dilation, W + zeros - 2 * dilation), with channels side by side.
    """
    rows = values.shape[2] + sum(above_below) - 2 * dilation
    groups = _groups(rows, dilation)
    missing = (groups + 1) * 2 * dilation - values.shape[2] - above_below[0]
    padded = F.pad(values, (0, 0, above_below[0], missing)).permute(0, 2, 3, 1)
    # Taps lie a dilation apart, so rows are paired with those a dilation further on: (N, groups, 2, dilation, W, I).
    padded = padded.unflatten(1, (groups + 1, 2, dilation))
    out, step = None, max(1, ROWS // dilation)
    for start in range(0, groups, step):
        stop = min(start + step, groups)
        d0, d1 = padded[:, start:stop].unbind(dim=2)
        d2, d3 = padded[:, start + 1 : stop + 1].unbind(dim=2)
        m0, m1, m2, m3 = (
            F.conv2d(d.flatten(1, 2).permute(0, 3, 1, 2), taps, added, padding=(0, sides), dilation=(1, dilation))
            .permute(0, 2, 3, 1)
            .unflatten(1, (stop - start, dilation))
            for d, taps, added in zip(
                (d0 - d2, d1 + d2, d2 - d1, d1 - d3), four_filters, (None, bias, None, None), strict=True
            )
        )
        if out is None:
            out = m0.new_empty(m0.shape[0], groups, 2, *m0.shape[2:])
        torch.add(m1 + m2, m0, out=out[:, start:stop, 0])
        torch.sub(m1.sub_(m2), m3, out=out[:, start:stop, 1])
    return out.flatten(1, 3)[:, :rows].permute(0, 3, 1, 2)
