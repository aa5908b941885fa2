"""Lesson 09, section 2.1: FSR in a reduced copy, filled and measured as the log says."""

import numpy as np

from glcic_lite.course.lesson_09 import fsr_in_copy
from glcic_lite.evaluation.metrics import hole_psnr
from glcic_lite.evaluation.protocol import LARGE_BOX_SIDES, hole_cases, read_rows
from glcic_lite.evaluation.statistics import mean_interval, paired_differences
from glcic_lite.files import DATA, SHIPPED_WEIGHTS


def test_known_pixels_stay_and_the_log_says_what_comes_out():
    case = next(case for case in hole_cases(DATA / "photos" / "test", large=True) if case.hole_kind == "box 96")
    filled = fsr_in_copy.fill_in_copy(case.photo, case.mask, 3)
    assert np.array_equal(filled[~case.mask], case.photo[~case.mask])
    row = next(row for row in fsr_in_copy.logged() if row["case"] == case.digest)
    assert abs(hole_psnr(case.photo, filled, case.mask) - float(row["psnr"])) < 0.05


def test_the_log_has_every_large_box_and_bears_out_what_the_lesson_says():
    rows = fsr_in_copy.logged()
    assert len(rows) == 22 * len(LARGE_BOX_SIDES)
    contest = read_rows(SHIPPED_WEIGHTS / "evaluation.csv") + rows
    ahead = [
        mean_interval(list(paired_differences(contest, "network, blended", fsr_in_copy.FILL, "psnr", box).values()))
        for box in (f"box {side}" for side in LARGE_BOX_SIDES)
    ]
    assert [interval.low > 0 for interval in ahead] == [True, False, True]
