"""Fill every hole of the evaluation in every way, and measure it."""

import os
from collections.abc import Callable

import numpy as np

from glcic_lite.evaluation.cases import CROP, HoleCase, hole_cases
from glcic_lite.evaluation.fills import every_fill
from glcic_lite.evaluation.metrics import METRICS
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import PhotoError


def evaluate(
    folder: str | os.PathLike,
    network: CompletionNetwork | None = None,
    seed: int = 0,
    on_case: Callable[[HoleCase, dict[str, np.ndarray]], None] | None = None,
) -> list[dict]:
    """Fill every hole of `test_cases` in every way and measure it.

    Args:
        folder: photos never trained on.
        network: the weights to measure; None: the shipped ones.
        seed: decides crops and holes.
        on_case: called after each hole with the case and what every fill, by its name, has made of it.

    Returns:
        One row a fill and hole: photo, hole, fill, psnr (dB), ssim, texture (ratio), l1 (grey levels).

    Raises:
        PhotoError: no photo in the folder can be used; a few that cannot are skipped with a warning.
    """
    rows = []
    for case in hole_cases(folder, seed):
        filled = every_fill(case.photo, case.mask, network)
        for name, result in filled.items():
            row = {"photo": case.photo_name, "hole": case.hole_kind, "fill": name}
            row |= {metric: measure(case.photo, result, case.mask) for metric, measure in METRICS.items()}
            rows.append(row)
        if on_case:
            on_case(case, filled)
    if not rows:
        raise PhotoError(f"{folder}: no photo can be read and is large enough for a crop of {CROP} x {CROP}")
    return rows
