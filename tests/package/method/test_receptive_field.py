"""The receptive field: arithmetic against measurement, and the numbers that the lessons quote."""

from fractions import Fraction

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from glcic_lite.method.architecture import COMPLETION_NETWORK, Layer, without_dilation
from glcic_lite.method.networks import CompletionNetwork, ConvolutionBlock
from glcic_lite.method.receptive_field import field_by_phase, field_layer_by_layer, input_span, measured_span, reach

TABLES = {"dilated": COMPLETION_NETWORK, "undilated": without_dilation()}


@pytest.mark.parametrize("name, smallest, largest", [("dilated", 299, 303), ("undilated", 91, 95)])
def test_exact_field_of_an_output_pixel_depends_on_its_phase(name, smallest, largest):
    fields = field_by_phase(TABLES[name])
    assert len(fields) == 4
    assert (min(fields), max(fields)) == (smallest, largest)


@pytest.mark.parametrize("name, field", [("dilated", 307), ("undilated", 99)])
def test_counting_three_taps_a_deconvolution_gives_the_papers_numbers(name, field):
    assert field_layer_by_layer(TABLES[name], deconv_taps=3)[-1].field == field


@pytest.mark.parametrize("name, field", [("dilated", 301), ("undilated", 93)])
def test_the_textbook_recursion_gives_the_middle_of_the_exact_fields(name, field):
    assert field_layer_by_layer(TABLES[name])[-1].field == field


@pytest.mark.parametrize("taps", [None, 3])
def test_dilation_adds_208_pixels_however_deconvolutions_are_counted(taps):
    with_it, without_it = (field_layer_by_layer(table, taps)[-1].field for table in TABLES.values())
    assert with_it - without_it == 208


def test_field_grows_and_jump_follows_the_strides():
    rows = field_layer_by_layer()
    assert [row.field for row in rows] == sorted(row.field for row in rows)
    assert [row.jump for row in rows] == [1, 2, 2, *[4] * 9, 2, 2, 1, 1, 1]
    assert [row.field for row in rows[:4]] == [5, 7, 11, 15]


def test_an_output_pixel_reaches_at_most_153_up_or_left_and_150_down_or_right():
    assert reach() == (153, 150)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("phase", range(4))
def test_arithmetic_equals_the_gradient_of_the_network_itself(name, phase):
    network = CompletionNetwork(width=1 / 256, dilated=name == "dilated")
    size = 320 if name == "dilated" else 112
    position = size // 2 // 4 * 4 + phase
    start, stop = input_span(position, position + 1, TABLES[name])
    assert start > 0 and stop < size  # the photo is large enough to hold the whole field
    assert measured_span(network, position, size) == (start, stop)


def test_measuring_leaves_the_network_as_it_was():
    network = CompletionNetwork(width=1 / 256, dilated=False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    measured_span(network, 20, 40)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert hasattr(network.layers[-1], "sigmoid") and network.training


convolutions = st.builds(
    lambda kernel, dilation, stride: Layer(1, "conv", kernel, dilation, stride, 1),
    st.sampled_from([1, 2, 3, 4, 5]),
    st.integers(1, 3),
    st.integers(1, 3),
)
deconvolutions = st.sampled_from([(2, 2), (3, 2), (4, 2), (5, 2), (3, 3), (5, 3)]).map(
    lambda x: Layer(1, "deconv", x[0], 1, Fraction(1, x[1]), 1)
)


def brute_force_span(layers: tuple[Layer, ...], start: int, stop: int, size: int) -> tuple[int, int]:
    """The input columns that change output columns start to stop - 1 of a real stack of modules."""
    stack = nn.Sequential(*[ConvolutionBlock(layer, 1, 1) for layer in layers]).double().eval()
    for part in stack.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
    photo = torch.ones(1, 1, size, size, dtype=torch.double, requires_grad=True)
    output = stack(photo)
    assume(stop < output.shape[-1])
    # All rows: strides larger than a kernel skip some, and one row alone could see nothing.
    output[..., start:stop].sum().backward()
    columns = photo.grad[0, 0].sum(dim=0).nonzero().flatten()
    return int(columns[0]), int(columns[-1]) + 1


@settings(max_examples=40)
@given(st.lists(convolutions | deconvolutions, min_size=1, max_size=4), st.integers(0, 5), st.integers(1, 4))
def test_input_span_equals_brute_force_on_any_table(layers, phase, length):
    size = 48
    middle = Fraction(size, 2)
    for layer in layers:
        middle /= layer.stride
    start = int(middle) + phase
    low, high = input_span(start, start + length, layers)
    assume(low > 0 and high < size)  # the border of the photo cuts nothing off
    assert brute_force_span(tuple(layers), start, start + length, size) == (low, high)


@given(st.integers(0, 400), st.integers(1, 50))
def test_a_span_is_the_union_of_the_spans_of_its_pixels(start, length):
    spans = [input_span(i, i + 1) for i in range(start, start + length)]
    assert input_span(start, start + length) == (min(s[0] for s in spans), max(s[1] for s in spans))


@given(st.integers(0, 100))
def test_spans_repeat_every_four_pixels(start):
    low, high = input_span(start, start + 1)
    assert input_span(start + 4, start + 5) == (low + 4, high + 4)
