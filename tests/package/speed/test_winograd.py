"""Winograd's convolution: the plain one, from fewer multiplications."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from glcic_lite.speed import winograd


def case(rows, columns, channels=(5, 7), photos=1, seed=0):
    """Values as after ReLU, weight and bias."""
    random = torch.Generator().manual_seed(seed)
    values = torch.randn(photos, channels[0], rows, columns, generator=random).relu()
    weight = torch.randn(channels[1], channels[0], 3, 3, generator=random) / (9 * channels[0]) ** 0.5
    return values.to(memory_format=torch.channels_last), weight, torch.randn(channels[1], generator=random)


def plain(values, weight, bias, dilation, above_below, sides):
    return F.conv2d(F.pad(values, (sides, sides, *above_below)), weight, bias, dilation=dilation)


@settings(max_examples=60)
@given(
    st.integers(1, 60),
    st.integers(1, 2),
    st.sampled_from([1, 2, 4, 8]),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    st.sampled_from([2, 16]),
)
def test_it_is_the_plain_convolution(rows, photos, dilation, zeros, step):
    above, below, sides = (dilation * z for z in zeros)
    values, weight, bias = case(rows + 2 * dilation - above - below, 2 * dilation + 3, photos=photos)
    if not values.shape[2] > 0:
        return
    whole = winograd.ROWS
    try:
        winograd.ROWS = step
        found = winograd.convolution(values, winograd.filters(weight), bias, dilation, (above, below), sides)
    finally:
        winograd.ROWS = whole
    expected = plain(values, weight, bias, dilation, (above, below), sides)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize("rows, dilation", [(10, 1), (33, 1), (40, 4), (165, 8)])
def test_it_multiplies_less_where_it_is_said_to_be_worth_it(rows, dilation):
    values, weight, bias = case(rows, 40)
    with FlopCounterMode(display=False) as counter:
        plain(values, weight, bias, dilation, (dilation, dilation), dilation)
    before = counter.get_total_flops()
    with FlopCounterMode(display=False) as counter:
        winograd.convolution(values, winograd.filters(weight), bias, dilation, (dilation, dilation), dilation)
    assert winograd.is_worth_it(rows, dilation)
    assert counter.get_total_flops() <= winograd.SHARE * before


@pytest.mark.parametrize("rows, dilation", [(1, 1), (20, 8), (36, 16)])
def test_few_rows_are_not_worth_it(rows, dilation):
    assert not winograd.is_worth_it(rows, dilation)


def test_in_bfloat16_its_error_stays_below_twice_that_of_the_plain_convolution():
    values, weight, bias = case(48, 48, channels=(64, 64))
    values = values.bfloat16()
    exact = plain(values.float(), weight, bias, 1, (1, 1), 1)
    four = [taps.bfloat16() for taps in winograd.filters(weight)]
    found = winograd.convolution(values, four, bias.bfloat16(), 1, (1, 1), 1)
    rounded = plain(values, weight.bfloat16(), bias.bfloat16(), 1, (1, 1), 1)
    errors = [(result.float() - exact).square().mean().sqrt() for result in (found, rounded)]
    assert 0 < errors[0] < 2 * errors[1]


def test_nothing_below_its_field_reaches_an_output():
    """Sums that cancel must not let in a pixel that the plain convolution does not see."""
    values, weight, bias = case(12, 9)
    four = winograd.filters(weight)
    before = winograd.convolution(values, four, bias, 1, (0, 0), 0)
    values[:, :, 7:] = 1e6
    assert torch.equal(winograd.convolution(values, four, bias, 1, (0, 0), 0)[:, :, :5], before[:, :, :5])
