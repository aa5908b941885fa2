"""Measuring the checkerboards that transposed convolutions leave, and producing them."""

import torch
import torch.nn.functional as F
from torch import Tensor


def checkerboard_strength(pictures: Tensor, block: int = 8) -> float:
    """How strong a pattern of period 2 is, on average over small blocks: combs along rows or columns, and chessboards.

    Second differences are taken, 2 · here − one before − one after, so that an even slope counts for nothing. In a
    pattern of period 2 they change their sign from pixel to pixel; multiplied by +1 and −1 in turn they all have the
    same one, and their mean over a block stays, while that of anything else goes towards 0.

    Args:
        pictures: (N, C, H, W).
        block: side of the blocks.

    Returns:
        The standard deviation that the pattern alone has, averaged over all blocks, channels and pictures.
    """
    channels, (rows, columns) = pictures.shape[1], pictures.shape[-2:]
    smooth, rough = torch.tensor([1.0, 2.0, 1.0]) / 4, torch.tensor([-1.0, 2.0, -1.0]) / 4
    down, across = (1 - 2.0 * (torch.arange(side - 2) % 2) for side in (rows, columns))
    down = down[:, None]
    strengths = []
    for along_columns, along_rows, sign in (
        (smooth, rough, across),
        (rough, smooth, down),
        (rough, rough, down * across),
    ):
        weight = torch.outer(along_columns, along_rows).expand(channels, 1, 3, 3)
        strengths.append(F.avg_pool2d(F.conv2d(pictures, weight, groups=channels) * sign, block))
    return float(torch.stack(strengths).square().sum(0).sqrt().mean())


def stamp_with(photo: Tensor, kernel: int, times: int = 2) -> Tensor:
    """Enlarge a photo by transposed convolutions whose weights are all equal and, on average, sum to 1 at each output.

    Such a layer can do no more than copy; whatever shows besides the photo is the pattern of its overlaps.

    Args:
        photo: (N, C, H, W).
        kernel: side of the kernel; the stride is 2.
        times: how many times the size is doubled.

    Returns:
        (N, C, H · 2^times, W · 2^times).
    """
    channels = photo.shape[1]
    weight = torch.full((channels, 1, kernel, kernel), 4 / kernel**2)
    for _ in range(times):
        photo = F.conv_transpose2d(photo, weight, stride=2, padding=(kernel - 1) // 2, output_padding=kernel % 2,
                                   groups=channels)  # fmt: skip
    return photo
