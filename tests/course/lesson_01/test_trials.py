"""Lesson 01, section 7: what is measured in the hole, and the log that its verdict rests on."""

import numpy as np
import pytest
import torch

from glcic_lite.course.lesson_01 import trials
from glcic_lite.course.shared.small_completion import CROP, never_seen


def test_the_middle_is_eight_pixels_wide_and_both_parts_are_measured_apart():
    assert trials.PARTS["middle"].sum() == 8 * 8 and not (trials.PARTS["middle"] & trials.PARTS["rim"]).any()
    crops, filled = torch.zeros(1, 3, CROP, CROP), torch.zeros(1, 3, CROP, CROP)
    filled[..., CROP // 2 - 4 : CROP // 2 + 4, CROP // 2 - 4 : CROP // 2 + 4] = 0.25
    assert trials.part_errors(filled, crops) == {"middle": pytest.approx(0.25), "rim": 0}


def test_no_other_constant_is_much_better():
    crops = never_seen()
    found = trials.constant_errors(crops)["middle"]
    for change in (-0.1, 0.1):
        other = (trials.mean_colour() + change).expand_as(crops)
        assert trials.part_errors(other, crops)["middle"] > found


def test_a_training_repeats_itself():
    first, again = (list(trials.rows(0, "dilated", 2, 2)) for _ in range(2))
    assert first == again and [row[:3] for row in first] == [["dilated", 0, 2]]


def test_the_log_bears_out_what_the_lesson_says():
    found = trials.logged()
    constant = trials.constant_errors(never_seen())["middle"]
    undilated, dilated = (np.array(found["middle"][kind][trials.STEPS]) for kind in trials.KINDS)
    assert len(undilated) == len(dilated) == trials.SEEDS
    assert (abs(undilated - constant) < 0.01).all()
    assert (dilated < 0.95 * undilated).all() and dilated.max() < 0.95 * constant
