"""A moving average over a network's weights: better than the weights themselves, which the last batches push around."""

import itertools

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel


class MovingAverage(AveragedModel):
    """An exponential moving average over a network's weights and statistics.

    It starts short, so that the random first weights are soon forgotten. With a decay of 0 it is unused, and keeps
    the first weights.
    """

    def __init__(self, network: nn.Module, decay: float):
        super().__init__(network, use_buffers=True)
        self.decay = decay

    def to(self, device: torch.device) -> "MovingAverage":
        super().to(device)
        self.n_averaged = self.n_averaged.cpu()  # read in every iteration, which must not wait for a GPU
        return self

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Move a little towards the weights that a network has now."""
        if not self.decay:
            return
        n = int(self.n_averaged)
        share = 1.0 if n == 0 else 1 - min(self.decay, (1 + n) / (10 + n))
        pairs = [
            (own, new)
            for own, new in zip(
                itertools.chain(self.module.parameters(), self.module.buffers()),
                itertools.chain(model.parameters(), model.buffers()),
                strict=True,
            )
        ]
        fractions = [pair for pair in pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_(*(list(side) for side in zip(*fractions, strict=True)), share)
        for own, new in pairs:
            if not own.is_floating_point():
                own.copy_(new)
        self.n_averaged += 1
