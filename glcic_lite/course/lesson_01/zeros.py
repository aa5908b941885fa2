"""A dilated kernel as the large ordinary kernel that does the same. Exercise 3 asks for one like it."""

import torch
from torch import Tensor


def with_zeros(weight: Tensor, dilation: int) -> Tensor:
    """The same weights with zeros written out between them: (out, in, k, k) to (out, in, span, span).

    The span is dilation · (k − 1) + 1.
    """
    impulse = torch.zeros(dilation, dilation)
    impulse[0, 0] = 1
    spread = torch.kron(weight, impulse)  # zeros behind the last weights too, which are cut off
    return spread[..., : spread.shape[2] - dilation + 1, : spread.shape[3] - dilation + 1].contiguous()
