"""The receptive field: which input pixels an output pixel depends on, by arithmetic and by measurement."""

import copy
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import nn

from glcic_lite.method.architecture import COMPLETION_NETWORK, Layer, size_divisor


@dataclass(frozen=True)
class FieldAfterLayer:
    """The receptive field after one layer of a table, in input pixels.

    Attributes:
        layer: the table row.
        field: side of the square that one output pixel of this layer sees.
        jump: distance in the input between the centres of neighbouring output pixels.
    """

    layer: Layer
    field: int
    jump: Fraction


def field_layer_by_layer(
    layers: tuple[Layer, ...] = COMPLETION_NETWORK, deconv_taps: int | None = None
) -> list[FieldAfterLayer]:
    """The textbook recursion: field += (taps - 1) * dilation * jump, then jump *= stride.

    An output pixel of a transposed convolution with kernel 4 and stride 1/2 touches 4 / 2 = 2 input pixels, and the
    recursion gives 301 px for the completion network. Counted as three taps, as a 3x3 convolution would have, it gives
    the paper's 307 (and 99 without dilation).

    Args:
        layers: a layer table.
        deconv_taps: input taps counted for a transposed convolution; by default those it has, kernel times stride.
    """
    field, jump, rows = 1, Fraction(1), []
    for layer in layers:
        taps = layer.kernel if not layer.upsamples else deconv_taps or int(layer.kernel * layer.stride)
        field += int((taps - 1) * layer.dilation * jump)
        jump *= layer.stride
        rows.append(FieldAfterLayer(layer, field, jump))
    return rows


def input_span(start: int, stop: int, layers: tuple[Layer, ...] = COMPLETION_NETWORK) -> tuple[int, int]:
    """The input pixels that output pixels start to stop - 1 depend on, along one axis, exactly.

    Followed backwards from the last layer to the first. The span is not clipped at the photo's border, where the
    network sees zero padding: it can begin below 0.

    Returns:
        (first input pixel, one past the last).
    """
    low, high = start, stop - 1
    for layer in reversed(layers):
        if layer.upsamples:
            # Output o of a transposed convolution gets input i through tap t where o = i * stride - padding + t.
            stride = int(1 / layer.stride)
            low = -((layer.kernel - 1 - layer.padding - low) // stride)
            high = (high + layer.padding) // stride
        else:
            stride = int(layer.stride)
            low = low * stride - layer.padding
            high = high * stride - layer.padding + (layer.kernel - 1) * layer.dilation
    return low, high + 1


def field_by_phase(layers: tuple[Layer, ...] = COMPLETION_NETWORK) -> list[int]:
    """The exact field of output pixels 0, 1, 2, ...: it depends on the position modulo 4, as strides skip positions."""
    spans = [input_span(i, i + 1, layers) for i in range(size_divisor(layers))]
    return [stop - start for start, stop in spans]


def reach(layers: tuple[Layer, ...] = COMPLETION_NETWORK) -> tuple[int, int]:
    """How far an output pixel sees at most: (pixels up or left, pixels down or right), over all positions."""
    spans = [(i, *input_span(i, i + 1, layers)) for i in range(size_divisor(layers))]
    return max(i - start for i, start, _ in spans), max(stop - 1 - i for i, _, stop in spans)


def measured_span(network: nn.Module, position: int, size: int) -> tuple[int, int]:
    """The same span measured by autograd on a network itself, along a row through the middle of a photo.

    The gradient of one output pixel is non-zero exactly where the output depends on the input, provided that nothing
    cancels and no ReLU is closed. So this works on a copy in which every weight is positive and every normalisation
    neutral; the connections, all that matters here, stay as they are.

    Args:
        network: a `CompletionNetwork` of any width.
        position: column of the output pixel.
        size: side of the square input, in pixels, a multiple of 4.

    Returns:
        (first column with a gradient, one past the last).
    """
    layers: Any = copy.deepcopy(network.layers).double().eval()
    for part in layers.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.constant_(part.weight, 1 / part.weight[0].numel())
            part.bias.data.zero_()
        elif isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
            part.reset_parameters()
    layers[-1].sigmoid = nn.Identity()  # it would flatten the gradient of large values to exactly zero
    channels = layers[0].convolution.in_channels
    photo = torch.ones(1, channels, size, size, dtype=torch.double, requires_grad=True)
    layers(photo)[0, :, size // 2, position].sum().backward()
    columns = photo.grad.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
    return int(columns[0]), int(columns[-1]) + 1
