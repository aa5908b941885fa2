"""Lesson 09, section 2.1: FSR in the reduced copy in which `complete` paints large holes: what is left of the lead?

    python -m glcic_lite.course.lesson_09.fsr_in_copy

fills the large boxes of `evaluate` so, and writes `fsr_in_copy.csv` beside this file, in the columns of `evaluate`.
"""

from pathlib import Path

import numpy as np

from glcic_lite.evaluation.fills import CLASSICAL_FILLS
from glcic_lite.evaluation.metrics import METRICS, measure_all
from glcic_lite.evaluation.protocol import LARGE_BOX_SIDES, hole_cases, read_rows
from glcic_lite.files import DATA, csv_text, write_text
from glcic_lite.method.blending import poisson_blend
from glcic_lite.method.completion import shipped_network
from glcic_lite.method.scale import enlarged, reduced, scale_of

FILL = "FSR fast, in the same copy"
LOG = Path(__file__).with_name("fsr_in_copy.csv")


def fill_in_copy(photo: np.ndarray, mask: np.ndarray, reduction: int) -> np.ndarray:
    """FSR's answer in a smaller copy, enlarged and blended, as `complete` does it with the network's.

    Args:
        photo: (H, W, 3) uint8.
        mask: (H, W) bool, True in the hole.
        reduction: how many times smaller the copy is.

    Returns:
        (H, W, 3) uint8.
    """
    copy, its_hole = reduced(photo, mask, reduction)
    filled = CLASSICAL_FILLS["FSR fast"](copy, its_hole)
    painted = enlarged(filled.astype(np.float32), reduction)[: mask.shape[0], : mask.shape[1]]
    blended = poisson_blend(photo, painted, mask)
    return np.where(mask[..., None], np.rint(blended).clip(0, 255), photo).astype(np.uint8)


def logged() -> list[dict]:
    """The rows of `fsr_in_copy.csv`."""
    return read_rows(LOG)


def main() -> None:
    """Fill, measure, and write the log."""
    learned, rows = shipped_network().largest_hole, []
    for case in hole_cases(DATA / "photos" / "test", large=True):
        if case.hole_kind in {f"box {side}" for side in LARGE_BOX_SIDES}:
            filled = fill_in_copy(case.photo, case.mask, round(1 / scale_of(case.mask, learned)))
            row = measure_all(case.photo, filled, case.mask)
            key = {"photo": case.photo_name, "hole": case.hole_kind, "fill": FILL, "case": case.digest}
            rows.append(key | {column: f"{row[column]:.6g}" for column in METRICS})
            print(*rows[-1].values(), flush=True)
    write_text(LOG, csv_text(rows))


if __name__ == "__main__":
    main()
