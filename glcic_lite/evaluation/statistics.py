"""What measurements of a few photos allow to be said: means, their intervals, and differences photo by photo."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap

from glcic_lite.evaluation.metrics import METRICS

EQUAL = 100.0  # dB that a mean counts where hole and photo are equal, as the validation while training does


class Interval(NamedTuple):
    """A mean, and where it would probably lie had other photos been drawn."""

    mean: float
    low: float
    high: float


def mean_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """The mean and its 95 % bootstrap interval (Efron, 1979): what the means of resampled values mostly lie between.

    Args:
        values: independent of each other: one a photo, not one a hole, since holes of a photo resemble each other.
        seed: decides the 4000 resamplings.

    Returns:
        With fewer than two values there is nothing to resample: `low` and `high` are not a number then.
    """
    values = np.asarray(values, dtype=float)
    if values.size < 2:
        return Interval(float(values[0]) if values.size else float("nan"), float("nan"), float("nan"))
    random = np.random.default_rng(seed)  # by this name SciPy takes it in old and in new versions
    found = bootstrap((values,), np.mean, n_resamples=4000, method="percentile", random_state=random)
    return Interval(float(values.mean()), *(float(end) for end in found.confidence_interval))


def averages(rows: list[dict], intervals: bool = False) -> list[dict]:
    """The mean over photos of every metric, one row for each kind of hole and fill, in the order of `rows`.

    Args:
        rows: as from `evaluate`, or read from a CSV file of it; metrics that they lack are left out, and so are photos
            where a metric is no number.
        intervals: adds the ends of each mean's interval, as "psnr_low" and "psnr_high".
    """
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in sorted(rows, key=lambda r: r["hole"]):
        groups.setdefault((row["hole"], row["fill"]), []).append(row)
    means = []
    for (hole, fill), group in groups.items():
        mean = {"hole": hole, "fill": fill, "photos": len(group)}
        for metric in METRICS:
            if metric in group[0]:
                values = [value for row in group if not np.isnan(value := _number(row, metric))]
                mean[metric] = float(np.mean(values)) if values else float("nan")
                if intervals:
                    _, mean[f"{metric}_low"], mean[f"{metric}_high"] = mean_interval(values)
        means.append(mean)
    return means


def _number(row: dict, metric: str) -> float:
    """A metric of a row, as it goes into a mean: infinite decibels as `EQUAL`."""
    value = float(row[metric])
    return min(value, EQUAL) if metric == "psnr" else value


def paired(rows: list[dict], fill: str, other: str, metric: str = "psnr", hole: str | None = None) -> dict[str, float]:
    """How much higher one fill measures than another, photo by photo: what differs between photos drops out.

    Args:
        rows: as from `evaluate`.
        fill, other: the names of two fills.
        metric: one of `METRICS`.
        hole: a kind of hole; None takes the mean over all kinds, so that a photo still counts once.

    Returns:
        A difference for each photo, by its name.
    """
    differences: dict[str, dict[str, float]] = {}  # photo to kind of hole to difference
    for sign, name in ((1, fill), (-1, other)):
        for row in rows:
            if row["fill"] == name and hole in (None, row["hole"]) and not np.isnan(value := _number(row, metric)):
                of_photo = differences.setdefault(row["photo"], {})
                of_photo[row["hole"]] = of_photo.get(row["hole"], 0.0) + sign * value
    return {photo: float(np.mean(list(found.values()))) for photo, found in differences.items()}


def paired_verdict(claim: str, better: Sequence[float], worse: Sequence[float], unit: str = "") -> str:
    """One line: in how many pairs `better` is larger, by how much on average, and whether that settles the claim.

    The interval holds 95 % of the mean differences of 4000 resamplings (bootstrap, seed 0). A claim holds if the
    interval lies above 0, its opposite if it lies below; otherwise the question stays open.
    """
    difference = np.asarray(better, dtype=float) - np.asarray(worse, dtype=float)
    random = np.random.default_rng(0)
    means = difference[random.integers(0, difference.size, (4000, difference.size))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    verdict = "holds" if low > 0 else "the opposite holds" if high < 0 else "open"
    return (
        f"{claim}: {verdict.upper()}. In {np.count_nonzero(difference > 0)} of {difference.size} pairs; "
        f"mean difference {difference.mean():+.2f}{unit}, interval {low:+.2f} to {high:+.2f}{unit}"
    )
