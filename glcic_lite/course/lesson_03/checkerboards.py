"""Measuring the checkerboards that transposed convolutions leave, and producing them."""

import torch
import torch.nn.functional as F
from torch import Tensor


def checkerboard_strength(pictures: Tensor, block: int = 8) -> float:
    """How strongly pixels in even and odd rows and columns differ, on average over small blocks.

    In every block of block × block pixels each of the four phases (even or odd row, even or odd column) is averaged
    separately. A smooth picture gives four nearly equal means; a checkerboard or comb of period 2 does not.

    Args:
        pictures: (N, C, H, W).
        block: side of the blocks, even.

    Returns:
        The standard deviation of the four means, averaged over all blocks, channels and pictures.
    """
    phases = torch.stack([F.avg_pool2d(pictures[..., i::2, j::2], block // 2) for i in (0, 1) for j in (0, 1)])
    return float(phases.std(0, correction=0).mean())


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
