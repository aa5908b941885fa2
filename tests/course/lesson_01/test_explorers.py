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
from glcic_lite.course.lesson_01.stack_explorer import DILATIONS, OWN, PRESETS, StackExplorer, jumps, paths

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
        text = re.search(r"column \d+: (.*?) = <b>(-?\d+)</b>", explorer.words)
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
    assert "Impossible" in explorer.words
    assert "spans 25 pixels" in explorer.words
    assert "padding of" not in explorer.words, "the slider ends before the 10 that would be needed"
    explorer.set(kernel=7, dilation=1, padding=0)
    assert "A padding of 1 or more would help" in explorer.words
    explorer.set(kernel=6, dilation=1, padding=1)
    assert "Impossible" not in explorer.words


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


@pytest.mark.parametrize("strides", [(1, 2, 1, 2), (2, 2, 2, 2), (1, 1, 2, 1)])
@pytest.mark.parametrize("dilations", [(1, 1, 1, 1), (1, 2, 4, 8), (3, 1, 9, 2)])
def test_paths_and_jumps_with_strides_are_those_of_torch(dilations, strides):
    field = len(paths(dilations, strides)[0])
    row = torch.zeros(1, 1, field + 3 * jumps(strides)[-1], dtype=torch.double, requires_grad=True)
    value = row
    for dilation, stride in zip(dilations, strides, strict=True):
        value = F.conv1d(value, torch.ones(1, 1, 3, dtype=torch.double), dilation=dilation, stride=stride)
    first, second = (torch.autograd.grad(value[0, 0, place], row, retain_graph=True)[0][0, 0] for place in (0, 1))
    assert (first[:field].numpy() == paths(dilations, strides)[0]).all() and (first[field:] == 0).all()
    assert torch.equal(second[jumps(strides)[-1] :], first[: -jumps(strides)[-1]]), "the jump"


def test_presets_move_the_sliders_and_a_slider_leaves_the_preset():
    explorer = StackExplorer()
    assert explorer.settings["preset"] == OWN
    for name, (dilations, strides) in PRESETS.items():
        explorer.set(preset=name)
        assert tuple(explorer.settings[f"dilation_{layer}"] for layer in (1, 2, 3, 4)) == dilations
        assert tuple(explorer.settings[f"stride_{layer}"] for layer in (1, 2, 3, 4)) == strides
        assert f"<b>{len(paths(dilations, strides)[0])}</b> pixels wide" in explorer.words
        if set(strides) == {1}:
            assert f"<b>{1 + 2 * sum(dilations)}</b>" in explorer.words
        assert explorer.settings["preset"] == name
    explorer.set(dilation_1=9)
    assert explorer.settings["preset"] == OWN
    assert explorer.settings["dilation_1"] == 9
    assert max(DILATIONS) == 27


def test_the_jump_of_each_level_is_drawn_and_printed():
    explorer = StackExplorer(preset="strides 1, 2, 1, 2: as in the encoder")
    assert "Jump, from the input up: 1, 1, 2, 2, 4." in explorer.words and "<b>4</b> input pixels" in explorer.words
    marks = explorer.scene(**explorer.settings).sketch.marks
    assert [mark["text"] for mark in marks if mark.get("text", "").startswith("jump ")] == [
        "jump 1", "jump 1", "jump 2", "jump 2", "jump 4",
    ]  # fmt: skip
    bars = [mark["dx"] for mark in marks if mark["kind"] == "line" and mark["thickness"] == 3]
    assert [bar / bars[0] for bar in bars] == pytest.approx([1, 1, 2, 2, 4])


@pytest.mark.parametrize(("dilations", "strides"), PRESETS.values())
def test_every_level_lies_over_the_pixels_that_it_reads(dilations, strides):
    """The lines of the taps end in the middles of pixels of the level below."""
    explorer = StackExplorer()
    for layer, (dilation, stride) in enumerate(zip(dilations, strides, strict=True), 1):
        explorer.set(**{f"dilation_{layer}": dilation, f"stride_{layer}": stride})
    marks = explorer.scene(**explorer.settings).sketch.marks
    taps = [mark for mark in marks if mark["kind"] == "line" and mark["thickness"] == 0.8]
    read = [mark for mark in marks if mark["kind"] == "rectangle" and mark["thickness"] == 0.5]
    middles = {(round(mark["x"] + mark["width"] / 2, 3), round(mark["y"], 3)) for mark in read}
    ends = {(round(mark["x"] + mark["dx"], 3), round(mark["y"] + mark["dy"], 3)) for mark in taps}
    assert ends and ends <= middles
