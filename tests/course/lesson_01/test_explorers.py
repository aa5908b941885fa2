"""The explorers of lesson 01 say what torch computes."""

import itertools
import re

import pytest
import torch
import torch.nn.functional as F

from glcic_lite.course.lesson_01.convolution_explorer import (
    INPUTS,
    WEIGHTS,
    ConvolutionExplorer,
    convolved,
    output_size,
)
from glcic_lite.course.lesson_01.stack_explorer import DILATIONS, PRESETS, StackExplorer, paths

# The convolution explorer


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_size_formula_is_that_of_torch(stride):
    for size, kernel, padding, dilation in itertools.product((1, 5, 12), (1, 3, 6), (0, 2), (1, 3)):
        computed = output_size(size, kernel, stride, padding, dilation)
        try:
            expected = convolved(size, kernel, stride, padding, dilation).shape[0]
        except RuntimeError:  # torch refuses where the kernel does not fit
            assert computed <= 0
        else:
            assert computed == expected


def test_the_sum_in_words_is_the_value():
    explorer = ConvolutionExplorer(size=6, kernel=3, padding=1, stride=2, dilation=2)
    for position in range(explorer._controls["position"].max + 1):
        explorer.set(position=position)
        text = re.search(r"column \d+: (.*?) = <b>(-?\d+)</b>", explorer._words.value)
        total = sum(
            int(a) * int(b.strip("()").replace("−", "-")) for a, b in (x.split("·") for x in text[1].split(" + "))
        )
        assert total == int(text[2])
    photo, weight = torch.from_numpy(INPUTS[:6, :6]).double(), torch.from_numpy(WEIGHTS[:3, :3]).double()
    expected = F.conv2d(photo[None, None], weight[None, None], stride=2, padding=1, dilation=2)
    assert int(text[2]) == expected[0, 0, -1, -1]


def test_impossible_settings_are_explained():
    explorer = ConvolutionExplorer(size=5)
    explorer.set(kernel=7, dilation=4)
    assert "Impossible" in explorer._words.value
    assert "spans 25 pixels" in explorer._words.value and "padding of 10" in explorer._words.value
    explorer.set(kernel=6, dilation=1, padding=1)
    assert "Impossible" not in explorer._words.value


def test_the_output_pixel_stays_inside_when_the_output_shrinks():
    explorer = ConvolutionExplorer(size=12, position=99)
    assert explorer.settings["position"] == 99
    explorer.set(size=3)
    assert explorer.settings["position"] == 0


# The stack explorer


@pytest.mark.parametrize("dilations", [(1, 1, 1, 1), (2, 4, 8, 16), (4, 4, 4, 4), (27, 1, 3, 9)])
def test_paths_are_the_gradient_of_a_stack_of_ones(dilations):
    row = torch.zeros(1, 1, 2 * sum(dilations) + 1, dtype=torch.double, requires_grad=True)
    value = row
    for dilation in dilations:
        value = F.conv1d(value, torch.ones(1, 1, 3, dtype=torch.double), dilation=dilation)
    value.sum().backward()
    assert value.numel() == 1
    assert (row.grad[0, 0].numpy() == paths(dilations)[0]).all()


def test_presets_move_the_sliders_and_a_slider_leaves_the_preset():
    explorer = StackExplorer()
    for preset in filter(None, PRESETS.values()):
        explorer.set(preset=preset)
        assert tuple(explorer.settings[f"layer_{layer}"] for layer in (1, 2, 3, 4)) == preset
        assert f"<b>{1 + 2 * sum(preset)}</b>" in explorer._words.value
    explorer.set(layer_1=9)
    assert explorer.settings["preset"] == ()
    assert explorer.settings["layer_1"] == 9
    assert max(DILATIONS) == 27
