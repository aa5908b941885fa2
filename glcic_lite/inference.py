"""The completion network made ready for speed: the same function, fewer and cheaper operations."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from glcic_lite.architecture import COMPLETION_NETWORK, Layer, without_dilation
from glcic_lite.device import bfloat16_is_faster
from glcic_lite.masks import Box
from glcic_lite.networks import CompletionNetwork, ConvolutionBlock
from glcic_lite.receptive_field import input_span

Span = tuple[int, int]  # (first, one past the last)


class FastNetwork:
    """A completion network as it is best run on photos, in evaluation mode; the network itself is left untouched.

    - Each layer computes only what the layers after it need for the wanted part of the output. The later a layer, the
      less that is: at the end it is the hole, at the beginning the hole's whole receptive field.
    - Batch normalisation is folded into the convolution before it: both are linear once the statistics are fixed.
    - Pixels lie in memory with their channels side by side (channels last), as convolution kernels like them.
    - All layers but the last compute in bfloat16 where that is faster; the last one, whose output becomes pixels,
      in float32.

    Args:
        network: its weights are copied, and run where they lie.
        dtype: of all layers but the last; None: bfloat16 where it is faster on the network's device, else float32.
    """

    @torch.no_grad()
    def __init__(self, network: CompletionNetwork, dtype: torch.dtype | None = None):
        self.device = network.mean_colour.device
        if dtype is None:
            dtype = torch.bfloat16 if bfloat16_is_faster(self.device.type) else torch.float32
        self.dtype = dtype
        self.prepare = network.prepare
        dilated = any(block.convolution.dilation != (1, 1) for block in network.layers)
        self.table = COMPLETION_NETWORK if dilated else without_dilation()
        self.weights = []  # of each layer: (weight, bias)
        for row, block in zip(self.table, network.layers, strict=True):
            own = torch.float32 if row.kind == "output" else dtype
            weight, bias = _folded(block)
            self.weights.append((weight.to(own, memory_format=torch.channels_last, copy=True), bias.to(own, copy=True)))

    @torch.inference_mode()
    def __call__(self, photo: Tensor, mask: Tensor, target: Box | None = None) -> Tensor:
        """As `CompletionNetwork.forward`, for a part of the output.

        Args:
            photo: (N, 3, H, W), red, green, blue in [0, 1]; H and W multiples of 4.
            mask: (N, 1, H, W), 1 in the hole and 0 where the photo is known.
            target: the part of the output that is wanted; by default all of it.

        Returns:
            (N, 3, target height, target width) in [0, 1]: what the whole output holds there.
        """
        height, width = photo.shape[2:]
        target = target or Box(0, 0, width, height)
        rows = needs(target.top, target.bottom, height, self.table)
        columns = needs(target.left, target.right, width, self.table)
        values = self.prepare(photo, mask).to(self.dtype, memory_format=torch.channels_last)
        origin = (0, 0)  # row and column where `values` begins, in the pixels of its layer
        for row, weights, down, across in zip(self.table, self.weights, rows, columns, strict=True):
            if row.kind == "output":
                values = values.float()
            values = _cut(values, origin, down.span, across.span)
            if row.upsamples:
                stride = int(1 / row.stride)
                values = F.conv_transpose2d(values, *weights, stride=stride, padding=row.padding)
                origin = down.span[0] * stride, across.span[0] * stride
            else:
                values = _convolution(values, *weights, row, down.zeros, across.zeros)
                origin = down.output[0], across.output[0]
            values = torch.sigmoid_(values) if row.kind == "output" else F.relu_(values)
        return values


def _folded(block: ConvolutionBlock) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does what the block's convolution and normalisation do together."""
    convolution, norm = block.convolution, getattr(block, "norm", None)
    if norm is None:
        return convolution.weight, convolution.bias
    return fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
        transpose=isinstance(convolution, nn.ConvTranspose2d),
    )


class Need(NamedTuple):
    """What a layer needs along one axis, to compute a part of its output.

    Attributes:
        output: the part of the output, (first, one past the last).
        span: the part of the input that it is computed from.
        zeros: how many zeros of the padding lie before and after that: none but at the photo's border.
    """

    output: Span
    span: Span
    zeros: Span


def needs(start: int, stop: int, size: int, table: tuple[Layer, ...] = COMPLETION_NETWORK) -> list[Need]:
    """What each layer of a network needs, along one axis, to compute output pixels start to stop - 1.

    Args:
        size: of the photo along this axis, in pixels, a multiple of 4.

    Returns:
        One `Need` a layer, from the first to the last.
    """
    sizes = [size]  # of the input of each layer
    for layer in table[:-1]:
        sizes.append(int(sizes[-1] / layer.stride))
    found, output = [], (start, stop)
    for layer, size in zip(reversed(table), reversed(sizes), strict=True):
        first, last = input_span(*output, (layer,))
        span = max(first, 0), min(last, size)
        found.append(Need(output, span, (span[0] - first, last - span[1])))
        output = span
    return found[::-1]


def _cut(values: Tensor, origin: tuple[int, int], rows: Span, columns: Span) -> Tensor:
    """Some rows and columns of a layer of which `values` holds the part that begins at `origin`."""
    top, left = origin
    return values[..., rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left]


def _convolution(values: Tensor, weight: Tensor, bias: Tensor, row: Layer, above_below: Span, sides: Span) -> Tensor:
    """A convolution with just the zeros that belong to the photo's border, none at the edges of a crop."""
    room = (row.kernel - 1) * row.dilation + 1
    same_on_both_sides = all(
        before >= after and (size + 2 * before - room) // row.stride == (size + before + after - room) // row.stride
        for size, (before, after) in zip(values.shape[2:], (above_below, sides), strict=True)
    )
    if same_on_both_sides:
        padding = (above_below[0], sides[0])
    else:  # zeros on one side only: at one border of the photo
        values, padding = F.pad(values, (*sides, *above_below)), 0
    return F.conv2d(values, weight, bias, stride=row.stride, padding=padding, dilation=row.dilation)
