"""Four ways to make a picture smaller, each as a function of a (N, C, H, W) tensor, and pictures to try them on."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def keep_every(photo: Tensor, stride: int) -> Tensor:
    """Keep one pixel in every stride × stride, drop the others: what a stride alone does."""
    return photo[..., ::stride, ::stride]


def max_pool(photo: Tensor, stride: int) -> Tensor:
    """The largest value of every stride × stride block."""
    return F.max_pool2d(photo, stride)


def average_pool(photo: Tensor, stride: int) -> Tensor:
    """The mean of every stride × stride block."""
    return F.avg_pool2d(photo, stride)


def blur_pool(photo: Tensor, stride: int) -> Tensor:
    """Blur first, then keep one pixel in stride × stride (Zhang, 2019).

    The blur is a binomial kernel of 2 · stride + 1 taps along each axis: 1 4 6 4 1 for a stride of 2.
    """
    taps = torch.ones(1)
    for _ in range(2 * stride):
        taps = F.conv1d(taps.view(1, 1, -1), torch.ones(1, 1, 2), padding=1).flatten()
    kernel = torch.outer(taps, taps)
    kernel = (kernel / kernel.sum()).to(photo.dtype).expand(photo.shape[1], 1, -1, -1)
    padded = F.pad(photo, [stride] * 4, mode="reflect")
    return F.conv2d(padded, kernel, stride=stride, groups=photo.shape[1])


WAYS = {
    "keep every n-th pixel": keep_every,
    "max pooling": max_pool,
    "average pooling": average_pool,
    "blur, then stride": blur_pool,
}


def zone_plate(side: int = 256) -> Tensor:
    """Rings that get finer outwards, up to one light and one dark pixel at the edge: (1, 1, side, side), 0 to 1.

    Wherever a smaller picture shows rings that are not around the middle, it shows what was never there: aliasing.
    """
    axis = torch.arange(side, dtype=torch.float64) - side / 2
    squared = axis[:, None] ** 2 + axis[None, :] ** 2
    return (0.5 + 0.5 * torch.cos(np.pi * squared / side)).float()[None, None]
