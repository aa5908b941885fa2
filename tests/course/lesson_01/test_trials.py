"""Lesson 01, section 7: what is measured in the hole, and the log that its verdict rests on."""

import numpy as np
import pytest
import torch

from glcic_lite.course.lesson_01 import trials
from glcic_lite.course.shared.small_completion import CROP, HOLE_SIDE, MARGIN, never_seen, small_network


def test_the_middle_is_eight_pixels_wide_and_both_parts_are_measured_apart():
    assert trials.PARTS["middle"].sum() == 8 * 8 and not (trials.PARTS["middle"] & trials.PARTS["rim"]).any()
    crops, filled = torch.zeros(1, 3, CROP, CROP), torch.zeros(1, 3, CROP, CROP)
    filled[..., CROP // 2 - 4 : CROP // 2 + 4, CROP // 2 - 4 : CROP // 2 + 4] = 0.25
    assert trials.part_errors(filled, crops) == {"middle": pytest.approx(0.25), "rim": 0}


@pytest.mark.parametrize(("kind", "field", "blind"), [("undilated", 39, range(20, 32)), ("dilated", 79, range(0))])
def test_the_fields_are_those_that_the_lesson_reckons(kind, field, blind):
    """Their width by gradients; and the columns of the hole from which the network sees nothing but hole."""
    size = 3 * CROP  # so that no border cuts a field off
    network = small_network(trials.KINDS[kind]).double().eval()
    for part in network.modules():
        if isinstance(part, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            torch.nn.init.constant_(part.weight, 1 / part.weight[0].numel())  # nothing cancels, and no ReLU closes
            torch.nn.init.zeros_(part.bias)
    spans = []
    for column in range(MARGIN, MARGIN + HOLE_SIDE):
        photo = torch.ones(1, 4, size, size, dtype=torch.float64, requires_grad=True)
        network[:-1](photo)[0, 0, size // 2, CROP + column].backward()  # before the sigmoid
        seen = photo.grad.abs().sum((0, 1, 2)).nonzero().flatten() - CROP
        spans.append((int(seen[0]), int(seen[-1])))
    assert {last - first + 1 for first, last in spans} == {field}
    only_hole = [first >= MARGIN and last < MARGIN + HOLE_SIDE for first, last in spans]
    assert np.flatnonzero(only_hole).tolist() == list(blind)


def test_no_other_constant_is_much_better():
    crops = never_seen()
    found = trials.constant_errors(crops)["middle"]
    for change in (-0.1, 0.1):
        other = (trials.mean_of_holes() + change).expand_as(crops)
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
