"""What a healthy joint phase looks like: the ranges of lesson 06, section 7, this course's addition."""

from collections.abc import Mapping, Sequence

import numpy as np

# By column of the log: the name, and the range in which its mean over some iterations stays.
HEALTHY = {
    "discriminator": ("discriminators' loss", (0.1, 1.5)),
    "accuracy": ("share judged rightly", (0.5, 0.98)),
    "gan": ("GAN loss", (0.7, 8.0)),
    "gradient_ratio": ("ratio of the gradients", (1 / 50, 50.0)),
}


def accuracy(row: Mapping[str, float]) -> float:
    """The share of real and completed photos together that the discriminators judge rightly."""
    return (row["real_accuracy"] + row["fake_accuracy"]) / 2


def late_means(rows: Sequence[Mapping[str, float]], last: int = 10) -> dict[str, float]:
    """The mean of each measure over the last rows of phase 3.

    Args:
        rows: a log with a phase 3.
        last: how many of its rows.
    """
    late = [row for row in rows if row["phase"] == 3][-last:]
    late = [{**row, "accuracy": accuracy(row)} for row in late]
    return {name: float(np.mean([row[name] for row in late])) for name in HEALTHY}


def outside_healthy(rows: Sequence[Mapping[str, float]], last: int = 10) -> str:
    """Which measures lie outside the healthy range at the end of a run, in words; "nothing" if none does."""
    means = late_means(rows, last)
    found = [
        f"{label} {means[name]:.3g}"
        for name, (label, (low, high)) in HEALTHY.items()
        if not low <= means[name] <= high  # so that NaN is outside, too
    ]
    return ", ".join(found) or "nothing"
