"""The completion network made ready for speed: the same function, fewer and cheaper operations."""

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from glcic_lite.device import bfloat16_is_faster
from glcic_lite.method.architecture import COMPLETION_NETWORK, Layer, without_dilation
from glcic_lite.method.masks import Box
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.receptive_field import input_span
from glcic_lite.speed.stopping import Check, never

Span = tuple[int, int]  # (first, one past the last)
BAND = 128  # rows of the photo: about so many at a time go through the layers before and after the quarter size


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


class PreparedLayer(NamedTuple):
    """One layer as it is run.

    Attributes:
        row: of the layer table.
        weight, bias: of the convolution, with the normalisation before the activation folded in.
        norm: (factor, summand), (C, 1, 1) each, of a normalisation after the activation, or None.
    """

    row: Layer
    weight: Tensor
    bias: Tensor
    norm: tuple[Tensor, Tensor] | None


class FastNetwork:
    """A completion network as it is best run on photos, in evaluation mode; the network itself is left untouched.

    - Each layer computes only what the layers after it need for the wanted part of the output. The later a layer, the
      less that is: at the end it is the hole, at the beginning the hole's whole receptive field.
    - Batch normalisation is folded into the convolution before it: both are linear once the statistics are fixed.
      Where ReLU stands between them, it stays: a factor and a summand for each channel.
    - Pixels lie in memory with their channels side by side (channels last), as convolution kernels like them; but not
      on Apple's MPS, where some releases of PyTorch take a part of such a tensor for a whole one.
    - On a CPU the first and the last layers, whose pixels are many, go through the photo in bands of rows: memory that
      is used again and again costs less time than fresh memory, and less of it is needed.
    - All layers but the last compute in bfloat16 where that is faster; the last one, whose output becomes pixels,
      in float32.

    Args:
        network: its weights are copied, and run where they lie.
        dtype: of all layers but the last; None: bfloat16 where it is faster on the network's device, else float32.
    """

    @torch.no_grad()
    def __init__(self, network: CompletionNetwork, dtype: torch.dtype | None = None):
        self.device = network.mean_colour.device
        self.largest_hole = network.largest_hole
        if dtype is None:
            dtype = torch.bfloat16 if bfloat16_is_faster(self.device.type) else torch.float32
        self.dtype = dtype
        self.layout = torch.contiguous_format if self.device.type == "mps" else torch.channels_last
        self.prepare = network.prepare
        dilated = any(block.convolution.dilation != (1, 1) for block in network.layers)
        self.table = COMPLETION_NETWORK if dilated else without_dilation()
        inner = 1 + max(i for i, row in enumerate(self.table) if row.stride > 1)
        outer = min(i for i, row in enumerate(self.table) if row.upsamples)
        self.stages = slice(0, inner), slice(inner, outer), slice(outer, len(self.table))  # down, at a quarter, up
        self.layers = [
            _prepared(row, block, network.norm_after_activation, dtype, self.layout)
            for row, block in zip(self.table, network.layers, strict=True)
        ]

    @torch.inference_mode()
    def __call__(self, photo: Tensor, mask: Tensor, target: Box | None = None, check: Check = never) -> Tensor:
        """As `CompletionNetwork.forward`, for a part of the output.

        Args:
            photo: (N, 3, H, W), red, green, blue in [0, 1]; H and W multiples of 4.
            mask: (N, 1, H, W), 1 in the hole and 0 where the photo is known.
            target: the part of the output that is wanted; by default all of it.
            check: called before each layer; whatever it raises ends the run.

        Returns:
            (N, 3, target height, target width) in [0, 1]: what the whole output holds there.
        """
        height, width = photo.shape[2:]
        target = target or Box(0, 0, width, height)
        rows = needs(target.top, target.bottom, height, self.table)
        columns = needs(target.left, target.right, width, self.table)
        values = self.prepare(photo, mask).to(self.dtype, memory_format=self.layout)
        origin = (0, 0)  # row and column where `values` begins, in the pixels of its layer
        size = height  # of that layer
        for stage in self.stages:
            table, (first, last) = self.table[stage], rows[stage][-1].output
            size_after = size
            for row in table:
                size_after = int(size_after / row.stride)
            bands = 1
            if self.device.type == "cpu" and size != size_after:
                bands = max(1, round((last - first) * height / size_after / BAND))
            edges = [first + (last - first) * i // bands for i in range(bands + 1)]
            done = [
                self._run(stage, values, origin, needs(start, stop, size, table), columns[stage], check)
                for start, stop in pairwise(edges)
            ]
            values = torch.cat(done, dim=2) if bands > 1 else done[0]
            del done  # the bands are not needed beside the whole
            origin, size = (first, columns[stage][-1].output[0]), size_after
        return values

    def _run(
        self, stage: slice, values: Tensor, origin: tuple[int, int], rows: list[Need], columns: list[Need], check: Check
    ) -> Tensor:
        """Some layers, for a part of what they paint: what the last of `rows` and `columns` says."""
        for layer, down, across in zip(self.layers[stage], rows, columns, strict=True):
            check()
            row = layer.row
            if row.kind == "output":
                values = values.float()
            values = _cut(values, origin, down.span, across.span)
            if row.upsamples:
                stride = int(1 / row.stride)
                values = F.conv_transpose2d(values, layer.weight, layer.bias, stride=stride, padding=row.padding)
                origin = down.span[0] * stride, across.span[0] * stride
            else:
                values = _convolution(values, layer, down.zeros, across.zeros)
                origin = down.output[0], across.output[0]
            values = torch.sigmoid_(values) if row.kind == "output" else F.relu_(values)
            if layer.norm is not None:
                factor, summand = layer.norm
                values = values.mul_(factor).add_(summand)
        return values


def _prepared(
    row: Layer, block: nn.Module, norm_after_activation: bool, dtype: torch.dtype, layout: torch.memory_format
) -> PreparedLayer:
    """A layer's own copy of its weights, in the format it computes in; the last one's is float32."""
    dtype = torch.float32 if row.kind == "output" else dtype
    norm = getattr(block, "norm", None)  # the last layer has none
    before, after = (None, norm) if norm_after_activation else (norm, None)
    weight, bias = _folded(block.convolution, before)
    return PreparedLayer(
        row,
        weight.to(dtype, memory_format=layout, copy=True),
        bias.to(dtype, copy=True),
        None if after is None else tuple(x.to(dtype) for x in _factor_and_summand(after)),
    )


def _folded(convolution: nn.Conv2d | nn.ConvTranspose2d, norm: nn.BatchNorm2d | None) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does what the convolution and the normalisation after it do together."""
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


def _factor_and_summand(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What batch normalisation multiplies each channel by and then adds, once its statistics are fixed: (C, 1, 1) each.

    The next convolution could not take the summand over: it pads with zeros after the normalisation, not before it.
    """
    factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return factor.view(-1, 1, 1), (norm.bias - norm.running_mean * factor).view(-1, 1, 1)


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


def _convolution(values: Tensor, layer: PreparedLayer, above_below: Span, sides: Span) -> Tensor:
    """A convolution with just the zeros that belong to the photo's border, none at the edges of a crop."""
    row, weight, bias = layer.row, layer.weight, layer.bias
    room = (row.kernel - 1) * row.dilation + 1
    same_on_both_sides = all(
        before >= after and (size + 2 * before - room) // row.stride == (size + before + after - room) // row.stride
        for size, (before, after) in zip(values.shape[2:], (above_below, sides), strict=True)
    )
    if same_on_both_sides:
        padding = (above_below[0], sides[0])
    else:  # zeros on one side only: at one border of the photo
        values, padding = F.pad(values, (*sides, *above_below)), (0, 0)
    dtype, columns = values.dtype, 1 + (values.shape[3] + 2 * padding[1] - room) // row.stride
    if dtype == torch.bfloat16 and row.stride > 1 and columns == 1:
        # For a single column oneDNN (PyTorch 2.13, processors with AMX) reads memory that nobody has written.
        values, weight, bias = (x.float() for x in (values, weight, bias))
    return F.conv2d(values, weight, bias, stride=row.stride, padding=padding, dilation=row.dilation).to(dtype)
