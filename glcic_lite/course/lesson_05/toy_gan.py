"""Completion in miniature: an edge hidden in a hole of two pixels, so that all there is to know fits into one picture.

The photo is a strip of eight grey values, 0 black and 1 white. Three are known to be black, the last three to be white;
the two between them are the hole. The edge may lie before them, between them or behind them: three fills are plausible,
and they are three places in the plane of the two unknown grey values.
"""

import torch
from torch import Tensor

KNOWN = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
PLACES = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
FOG = PLACES.mean(0)  # what the squared error is smallest for
GRAIN = 0.05  # standard deviation of the noise in every true grey value
NEAR = 0.25  # a fill this close to one of the three places is called plausible: five times the grain


def hidden_edges(count: int) -> Tensor:
    """What the hole held in `count` photos: (count, 2) grey values, each of the three places equally likely."""
    return PLACES[torch.randint(len(PLACES), (count,))] + GRAIN * torch.randn(count, 2)


def strips(fills: Tensor) -> Tensor:
    """Fills of the hole with the known pixels around them: (N, 2) to (N, 8)."""
    known = KNOWN.expand(len(fills), -1)
    return torch.cat([known[:, :3], fills, known[:, 3:]], dim=1)


def shares(fills: Tensor) -> Tensor:
    """Which share of the fills lies at each of the three places: (..., N, 2) to (..., 3). The rest is implausible."""
    distances = (fills[..., None, :] - PLACES).norm(dim=-1)
    nearest = distances.argmin(-1)
    plausible = distances.amin(-1) < NEAR
    return torch.stack([(plausible & (nearest == place)).float().mean(-1) for place in range(len(PLACES))], dim=-1)


def plausible_share(history: Tensor) -> float:
    """The share of all fills in (a part of) a training that are plausible.

    Args:
        history: (snapshots, N, 2) fills of the same inputs in the course of a training.
    """
    return shares(history).sum(-1).mean().item()


def thirds(history: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The first, the second and the last third of a training."""
    return history.tensor_split(3)


def places_used(history: Tensor) -> float:
    """How many of the three places hold a twentieth of the fills or more, on average over the snapshots."""
    return (shares(history) > 0.05).sum(-1).float().mean().item()


def jumps(history: Tensor) -> int:
    """How often the place that most fills are at is not the one they were at last."""
    most, where = shares(history).max(-1)
    visited = where[most > 0.5]
    return int((visited[1:] != visited[:-1]).sum())


def error(history: Tensor) -> float:
    """The mean squared error of the fills against all that the hole may have held, without its grain."""
    return (history[..., None, :] - PLACES).square().mean().item()
