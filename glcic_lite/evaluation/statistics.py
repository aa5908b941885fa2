"""The course's one rule of evidence: a mean over photos, its interval, and the verdict that follows from the interval.

Lesson 09, section 2, builds all of it in view.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t

from glcic_lite.evaluation.metrics import GRAIN_METRICS, METRICS, PSNR_LIMIT

HOLDS, DOES_NOT_HOLD = "holds", "does not hold"
NO_DIFFERENCE, UNDECIDED = "no difference larger than", "undecided"
VERDICTS = (HOLDS, NO_DIFFERENCE, DOES_NOT_HOLD, UNDECIDED)
FEWEST = 8  # values; with fewer, an interval depends too much on its assumption of normality to be printed


class Interval(NamedTuple):
    """A mean and its 95 % interval; `low` and `high` are NaN where there are too few values for one."""

    mean: float
    low: float
    high: float

    def ends(self, spec: str = ".2f", unit: str = "") -> str:
        """The two ends in words, such as "0.12 to 0.34 dB", formatted by `spec`; "none" where there is no interval."""
        return "none" if np.isnan(self.low) else f"{self.low:{spec}} to {self.high:{spec}}{unit}"


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean and its 95 % t interval (Student, 1908): such intervals contain the true mean about 19 times in 20.

    Args:
        values: independent of each other: one per photo, not one per hole, since holes of one photo resemble each
            other. With fewer than `FEWEST` values the interval is NaN.
    """
    values = np.asarray(values, dtype=float)
    mean = float(values.mean()) if values.size else float("nan")
    if values.size < FEWEST:
        return Interval(mean, float("nan"), float("nan"))
    reach = float(t.ppf(0.975, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size))
    return Interval(mean, mean - reach, mean + reach)


def verdict(differences: Interval, small: float = 0.0) -> str:
    """What the interval of a mean difference says of the claim that the difference is above 0.

    Args:
        differences: from `mean_interval`.
        small: what counts as a small difference, in the same unit, fixed before looking.

    Returns:
        `HOLDS`: the interval lies above 0. `DOES_NOT_HOLD`: below 0. `NO_DIFFERENCE` (larger than `small`): it touches
        0 and lies between -small and small. `UNDECIDED`: none of these, or no interval.
    """
    _, low, high = differences
    if low > 0:
        return HOLDS
    if high < 0:
        return DOES_NOT_HOLD
    return NO_DIFFERENCE if max(-low, high) < small else UNDECIDED


def amount(word: str, small: float, unit: str = "") -> str:
    """What follows a verdict: " 0.5 dB", its size, after "no difference larger than"; nothing after the others."""
    return f" {small:g}{unit}" if word == NO_DIFFERENCE else ""


def paired_verdict(claim: str, better: ArrayLike, worse: ArrayLike = 0.0, unit: str = "", small: float = 0.0) -> str:
    """One line: the verdict on the claim that `better` is larger than `worse`, and the numbers that it rests on.

    Args:
        claim: in a few words, which begin the line.
        better, worse: one value per pair (mostly: per photo) each; or the differences themselves, and nothing for
            `worse`.
        unit: printed after the numbers, with its space, such as " dB".
        small: as for `verdict`.
    """
    difference = np.asarray(better, dtype=float) - np.asarray(worse, dtype=float)
    interval = mean_interval(difference)
    word = verdict(interval, small)
    spec = f"+.{decimals(interval)}f"
    larger = np.count_nonzero(difference > 0)
    return (
        f"{claim}: {word.upper()}{amount(word, small, unit)}. In {larger} of {difference.size} pairs; "
        f"mean difference {interval.mean:{spec}}{unit}, interval {interval.ends(spec, unit)}"
    )


def verdict_over_seeds(
    better: dict[int, ArrayLike],
    worse: dict[int, ArrayLike],
    baseline: ArrayLike,
    seeds: Sequence[int],
    small: float,
    unit: str = "",
) -> tuple[str, str]:
    """The verdict on the claim that one network is better than another, each trained with several seeds.

    Three rules, fixed before looking: nothing is decided before every seed is there; a seed counts where at least one
    of its two networks gets past a baseline that has learned nothing; and a verdict is what every seed says.

    Args:
        better, worse: seed to one value per photo, of the two networks.
        baseline: the values of a fill that has learned nothing, per photo.
        seeds: those that are needed.
        small, unit: as for `paired_verdict`.

    Returns:
        One of the four verdicts, and one sentence that says why; `NO_DIFFERENCE` is followed by its size there.
    """
    there = [seed for seed in seeds if seed in better and seed in worse]
    if len(there) < len(seeds):
        return UNDECIDED, f"{len(there)} of {len(seeds)} pairs of networks are trained"
    floor = np.asarray(baseline, dtype=float)
    for seed in there:
        if HOLDS not in (verdict(mean_interval(np.asarray(run[seed]) - floor)) for run in (better, worse)):
            return UNDECIDED, f"with seed {seed} neither network is shown to be above the baseline"
    words = [verdict(mean_interval(np.asarray(better[seed]) - np.asarray(worse[seed])), small) for seed in there]
    if len(set(words)) > 1:
        return UNDECIDED, "the seeds disagree: " + ", ".join(words)
    word = words[0]
    agreed = f"every one of {len(there)} seeds says"
    return word, f"{small:g}{unit}, as {agreed}" if word == NO_DIFFERENCE else f"{agreed} so"


def decimals(interval: Interval, least: int = 2) -> int:
    """How many decimals to print an interval with, so that an end that is not 0 does not read as 0: at most 6."""
    ends = [abs(end) for end in interval if np.isfinite(end) and end]
    return min(max(least, *(int(np.ceil(-np.log10(end))) for end in ends), least), 6) if ends else least


def averages(rows: list[dict]) -> list[dict]:
    """The mean over photos of every metric: one row for each kind of hole and fill.

    Args:
        rows: as from `evaluate`, or read as text from a CSV file of it; metrics that they lack are left out, and so are
            photos where a metric is NaN.

    Returns:
        hole, fill, photos (their number), and for each metric its mean ("psnr") and `Interval` ("psnr_interval"); where
        the rows have them, also the mean of seconds. Boxes come first, the small ones before the large ones.
    """
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in sorted(rows, key=lambda r: _by_kind_and_size(r["hole"])):
        groups.setdefault((row["hole"], row["fill"]), []).append(row)
    means = []
    for (hole, fill), group in groups.items():
        mean = {"hole": hole, "fill": fill, "photos": len(group)}
        for metric in (*METRICS, *GRAIN_METRICS, "lpips"):
            if metric in group[0]:
                values = [value for row in group if not np.isnan(value := _number(row, metric))]
                mean[f"{metric}_interval"] = mean_interval(values)
                mean[metric] = mean[f"{metric}_interval"].mean
        if "seconds" in group[0]:
            mean["seconds"] = float(np.mean([float(row["seconds"]) for row in group]))
        means.append(mean)
    return means


def _by_kind_and_size(hole: str) -> tuple[str, int]:
    """What sorts "box 96" before "box 128", and both before "stroke 20"."""
    kind, _, size = hole.rpartition(" ")
    return kind, int(size) if size.isdecimal() else 0


def _number(row: dict, metric: str) -> float:
    """A metric of a row as it enters a mean: PSNR at most `PSNR_LIMIT`."""
    value = float(row[metric])
    return min(value, PSNR_LIMIT) if metric == "psnr" else value


def paired_differences(
    rows: list[dict], fill: str, other: str, metric: str = "psnr", hole: str | None = None
) -> dict[str, float]:
    """How much higher one fill scores than another, photo by photo: what is hard for both drops out.

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
