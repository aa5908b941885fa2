"""The layer tables are those of the paper."""

from collections import Counter
from fractions import Fraction

import pytest

from glcic_lite.method.architecture import (
    COMPLETION_NETWORK,
    GLOBAL_DISCRIMINATOR,
    LOCAL_DISCRIMINATOR,
    Layer,
    size_divisor,
    without_dilation,
)

TABLE_1 = """
1 conv 5 1 1 64
2 conv 3 1 2 128
3 conv 3 1 1 128
4 conv 3 1 2 256
5 conv 3 1 1 256
6 conv 3 1 1 256
7 dilated 3 2 1 256
8 dilated 3 4 1 256
9 dilated 3 8 1 256
10 dilated 3 16 1 256
11 conv 3 1 1 256
12 conv 3 1 1 256
13 deconv 4 1 1/2 128
14 conv 3 1 1 128
15 deconv 4 1 1/2 64
16 conv 3 1 1 32
17 output 3 1 1 3
"""


def test_completion_network_is_table_1_of_the_paper():
    rows = [
        f"{x.number} {x.kind.split()[0]} {x.kernel} {x.dilation} {x.stride} {x.channels}" for x in COMPLETION_NETWORK
    ]
    assert rows == TABLE_1.split("\n")[1:-1]


def test_seventeen_layers_are_eleven_convolutions_four_dilated_and_two_deconvolutions():
    kinds = Counter(layer.kind for layer in COMPLETION_NETWORK)
    assert (kinds["conv"] + kinds["output"], kinds["dilated conv"], kinds["deconv"]) == (11, 4, 2)
    assert len(COMPLETION_NETWORK) == 17


@pytest.mark.parametrize(
    "table, channels",
    [(LOCAL_DISCRIMINATOR, [64, 128, 256, 512, 512]), (GLOBAL_DISCRIMINATOR, [64, 128, 256, 512, 512, 512])],
)
def test_discriminators_are_table_2_of_the_paper(table, channels):
    assert [layer.channels for layer in table] == channels
    assert {(layer.kind, layer.kernel, layer.dilation, layer.stride) for layer in table} == {("conv", 5, 1, 2)}
    assert [layer.number for layer in table] == list(range(1, len(channels) + 1))


@pytest.mark.parametrize(
    "table, divisor", [(COMPLETION_NETWORK, 4), (LOCAL_DISCRIMINATOR, 32), (GLOBAL_DISCRIMINATOR, 64)]
)
def test_size_divisor_multiplies_the_strides(table, divisor):
    assert size_divisor(table) == divisor


def test_without_dilation_changes_nothing_but_the_dilation():
    for plain, dilated in zip(without_dilation(), COMPLETION_NETWORK, strict=True):
        assert plain.dilation == 1
        assert (plain.number, plain.kind, plain.kernel, plain.stride, plain.channels) == (
            dilated.number,
            dilated.kind,
            dilated.kernel,
            dilated.stride,
            dilated.channels,
        )


def test_layer_names_sort_in_the_order_of_the_table():
    names = [layer.name for layer in COMPLETION_NETWORK]
    assert names == sorted(names)
    assert names[6] == "07_dilated_conv"


@pytest.mark.parametrize("kernel, dilation, padding", [(1, 1, 0), (3, 1, 1), (5, 1, 2), (3, 16, 16), (5, 3, 6)])
def test_padding_of_a_convolution_keeps_the_size(kernel, dilation, padding):
    assert Layer(1, "conv", kernel, dilation, 1, 1).padding == padding


def test_padding_of_a_deconvolution_makes_it_double_the_size_exactly():
    layer = Layer(1, "deconv", 4, 1, Fraction(1, 2), 1)
    assert layer.upsamples
    assert (10 - 1) * 2 - 2 * layer.padding + layer.kernel == 20
