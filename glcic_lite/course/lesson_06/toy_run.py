"""A training run small enough to be held in one hand, for the exercise on checkpoints in lesson 06."""

import torch
from torch import nn


class ToyRun:
    """Training with all that a real run carries along, in milliseconds.

    Attributes:
        network: has weights and batch norm statistics.
        optimizer: Adam, which keeps two running averages a weight.
        average: a moving average over all weights, one flat tensor; what the run hands out in the end.
        generator: draws the samples.
        iteration: steps done; the learning rate follows from it.
        losses: of the steps since this object was made; nothing depends on them.
    """

    def __init__(self, seed: int = 0):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
        self.optimizer = torch.optim.Adam(self.network.parameters())
        self.generator = torch.Generator().manual_seed(seed)
        self.average = self.weights()
        self.iteration = 0
        self.losses: list[float] = []

    def weights(self) -> torch.Tensor:
        """All weights in one flat tensor, a copy."""
        return torch.cat([p.detach().flatten() for p in self.network.parameters()])

    def step(self) -> None:
        """One step: draw samples, set the learning rate, descend, average."""
        samples = torch.randn(8, 6, generator=self.generator)
        for group in self.optimizer.param_groups:
            group["lr"] = 0.05 / (1 + self.iteration)
        loss = (self.network(samples).squeeze(1) - samples.prod(dim=1)).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.average = self.average.lerp(self.weights(), 0.1)
        self.iteration += 1
        self.losses.append(loss.item())
