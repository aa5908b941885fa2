"""The explorers: every setting is drawn or explained, and what they say is what torch computes."""

import itertools
import random
import re
import time

import numpy as np
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
from glcic_lite.course.lesson_02.explorer import OPERATIONS, PATTERNS, SIZE, DownsamplingExplorer, pattern, shrunk
from glcic_lite.course.lesson_03.explorer import TransposedExplorer, transposed, transposed_size
from glcic_lite.course.shared import explorers

EXPLORERS = [ConvolutionExplorer, StackExplorer, DownsamplingExplorer, TransposedExplorer]
STEP_SECONDS = 0.1  # so that a slider feels like a lever


@pytest.fixture(autouse=True)
def no_callback_errors():
    explorers.callback_errors.clear()
    yield
    assert explorers.callback_errors == []


def values_of(control):
    if hasattr(control, "options"):
        return [value for _, value in control._options_full]
    return [control.min, (control.min + control.max) // 2, control.max]


@pytest.mark.parametrize("kind", EXPLORERS)
def test_every_control_at_its_ends_and_many_settings_at_random(kind):
    explorer, chance = kind(), random.Random(0)
    size = explorer.picture().size
    for _ in range(60):
        name = chance.choice(list(explorer.settings))
        explorer.set(**{name: chance.choice(values_of(explorer._controls[name]))})
        assert explorer.picture().size == size, "the layout would jump"
        assert "<p" in explorer._words.value


@pytest.mark.parametrize("kind", EXPLORERS)
def test_a_step_is_fast(kind):
    """The processor's time is measured, so that a busy machine does not fail this."""
    explorer = kind()
    steps = []
    for name, control in explorer._controls.items():
        for value in values_of(control):
            start = time.process_time()
            explorer.set(**{name: value})
            steps.append(time.process_time() - start)
    assert np.median(steps) < STEP_SECONDS


@pytest.mark.parametrize("kind", EXPLORERS)
def test_shown_it_brings_a_picture_for_readers_without_a_kernel(kind):
    data, _ = kind()._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"} <= set(data)


@pytest.mark.parametrize("kind", EXPLORERS)
def test_an_unknown_setting_is_named(kind):
    with pytest.raises(TypeError, match="nonsense"):
        kind(nonsense=1)


def test_a_fault_is_shown_and_kept_and_does_not_stop_the_explorer():
    class Broken(ConvolutionExplorer):
        def scene(self, kernel, **settings):
            if kernel == 5:
                raise ValueError("<out of order>")
            return super().scene(kernel=kernel, **settings)

    explorer = Broken()
    explorer.set(kernel=5)
    assert "✗" in explorer._words.value and "&lt;out of order&gt;" in explorer._words.value
    assert len(explorers.callback_errors) == 1 and "out of order" in explorers.callback_errors[0]
    explorer.set(kernel=3)
    assert "✗" not in explorer._words.value
    explorers.callback_errors.clear()


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


# The downsampling explorer


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("window", "stride"), [(1, 1), (2, 2), (3, 2), (5, 5), (2, 5)])
def test_shrinking_agrees_with_loops(operation, window, stride):
    values = pattern("a slope", 1)
    smaller = shrunk(values, operation, window, stride)
    assert len(smaller) == (SIZE - window) // stride + 1
    for i, j in np.ndindex(smaller.shape):
        block = values[i * stride : i * stride + window, j * stride : j * stride + window]
        half = window // 2
        expected = {
            "max pooling": block.max(),
            "average pooling": block.mean(),
            "strided convolution (mean)": block.mean(),
            "strided convolution (edges)": block[:, window - half :].mean() - block[:, :half].mean() if half else 0,
        }[operation]
        assert smaller[i, j] == pytest.approx(expected)


def test_a_mean_by_convolution_is_average_pooling_in_the_explorer_too():
    for name in PATTERNS:
        one = shrunk(pattern(name, 0), "strided convolution (mean)", 3, 2)
        assert np.allclose(one, shrunk(pattern(name, 0), "average pooling", 3, 2))


# The transposed explorer


def test_transposed_size_and_values_are_those_of_stamps():
    for size, kernel, stride, padding in itertools.product((1, 3, 6), (1, 3, 4), (1, 2, 4), (0, 1)):
        side = transposed_size(size, kernel, stride, padding)
        if side <= 0:
            continue
        canvas = np.zeros((side + 2 * padding,) * 2, dtype=int)
        for i, j in np.ndindex(size, size):
            canvas[i * stride : i * stride + kernel, j * stride : j * stride + kernel] += 1
        inside = canvas[padding : padding + side, padding : padding + side]
        assert (transposed(size, kernel, stride, padding, ones=True) == inside).all()
        assert transposed(size, kernel, stride, padding).shape == (side, side)


def test_transposed_explorer_explains_what_is_impossible_and_what_is_uneven():
    explorer = TransposedExplorer(size=1, kernel=1, padding=2)
    assert "Impossible" in explorer._words.value
    explorer.set(size=4, kernel=3, stride=2, padding=0)
    assert "uneven" in explorer._words.value
    explorer.set(kernel=4)
    assert "even</b> everywhere" in explorer._words.value
    explorer.set(kernel=2, stride=4)
    assert "never reached" in explorer._words.value
    explorer.set(size=1, kernel=1, stride=4)
    assert "never reached" not in explorer._words.value and "too few outputs" in explorer._words.value
    explorer.set(size=2, kernel=5, stride=2, padding=2)
    assert "too few outputs" in explorer._words.value


def test_no_number_is_minus_zero():
    explorer = DownsamplingExplorer(operation="strided convolution (edges)", picture="fine stripes", window=3, stride=1)
    for position in range(8):
        explorer.set(position=position)
        assert "−0<" not in explorer._words.value


def test_downsampling_explorer_says_what_no_window_reaches():
    explorer = DownsamplingExplorer(window=3, stride=2)
    assert "never read" in explorer._words.value
    explorer.set(window=2)
    assert "never read" not in explorer._words.value
    explorer.set(window=1)
    assert "between them that are never read" in explorer._words.value
