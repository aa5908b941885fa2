"""The checks of lesson 01."""

import math
import random
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from glcic_lite.course.lesson_01.stack_explorer import paths
from glcic_lite.course.shared.checks import NotYet, check, exercise, read_value, whole


def _torch_output_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    row = torch.zeros(1, 1, size)
    return F.conv1d(row, torch.zeros(1, 1, kernel), stride=stride, padding=padding, dilation=dilation).shape[2]


@exercise(
    1,
    _torch_output_size,
    [
        (lambda n, k, s, p, d: (n + 2 * p - k) // s + 1, "the dilation is not used: it stretches the kernel."),
        (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1, "the division must round down, so use `//`."),
        (lambda n, k, s, p, d: -(-(n + 2 * p - d * (k - 1) - 1) // s) + 1,
         "the division is rounded up; a step for which there is no room left is not taken."),
        (lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1, "padding is added on both sides."),
        (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s,
         "the first position counts too, before any step is taken."),
        *((lambda n, k, s, p, d, more=more: (n + 2 * p - d * k - more) // s + 1,
           "a kernel of k taps has k − 1 steps between them, not k.") for more in (0, 1)),
        (lambda n, k, s, p, d: n + 2 * p - d * (k - 1) - 1 // s + 1,
         "only the last term is divided: brackets are missing before `//`."),
        (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s + 1,
         "the steps between the taps alone are counted: the kernel spans one pixel more."),
        (lambda n, k, s, p, d: (n - d * (k - 1) - 1) // s + 1, "the padding is not used."),
        (lambda n, k, s, p, d: n + 2 * p - d * (k - 1), "the stride is not used."),
        (lambda n, k, s, p, d: n // s, "that is the size of the usual settings only, rounded down."),
        (lambda n, k, s, p, d: -(-n // s), "that is the size of the usual settings only, with padding that keeps it."),
        (lambda n, k, s, p, d: (n + 2 * p - (k - 1) * (d - 1) - 1) // s + 1,
         "the kernel's span: there are k − 1 steps of d pixels, and one pixel more."),
        (lambda n, k, s, p, d: (n + 2 * p - k - d + 1) // s + 1,
         "the kernel's span: the dilation stretches every one of its k − 1 steps."),
        (lambda n, k, s, p, d: (n + 2 * p - s * (k - 1) - 1) // d + 1, "stride and dilation are exchanged."),
        (lambda n, k, s, p, d: round((n + 2 * p - d * (k - 1) - 1) / s) + 1,
         "the division is rounded to the nearest; it must round down: `//`."),
    ],
    "It agrees with torch on {count} random convolutions.",
    without=dict(of_torch="conv.*|unfold|.*pool.*"),
)  # fmt: skip
def output_size():
    """`output_size(size, kernel, stride, padding, dilation)` against torch's own convolution."""
    names = ("size", "kernel", "stride", "padding", "dilation")
    # One of each kind, so that no wrong formula passes by luck.
    for values in ((8, 3, 2, 1, 1), (9, 3, 1, 0, 3), (32, 5, 1, 2, 1)):
        yield dict(zip(names, values, strict=True))
    for _ in range(40):
        low, high = (5, 1, 1, 0, 1), (40, 7, 4, 4, 4)
        case = dict(zip(names, map(random.randint, low, high), strict=True))
        if case["size"] + 2 * case["padding"] > case["dilation"] * (case["kernel"] - 1):
            yield case


def _conv_field(layers: Sequence[tuple[int, int, int]]) -> int:
    """The field of a stack, counted: the pixels between the first and the last that one output pixel depends on."""
    low = high = 0
    for kernel, stride, dilation in reversed(layers):
        low, high = low * stride, high * stride + (kernel - 1) * dilation
    return high - low + 1


def _recursion(
    layers, jump_first=False, use_jump=True, use_dilation=True, start=1, fewer=1, replace=False, add=False
) -> int:
    field, jump = start, 1
    for kernel, stride, dilation in layers:
        before, jump = jump, stride if replace else jump + stride - 1 if add else jump * stride
        field += (
            (kernel - fewer) * (dilation if use_dilation else 1) * ((jump if jump_first else before) if use_jump else 1)
        )
    return field


@exercise(
    2,
    _conv_field,
    [
        (partial(_recursion, jump_first=True),
         "a layer's own stride acts on the layers after it, so multiply the jump after adding to the field."),
        (partial(_recursion, use_jump=False),
         "after a stride, one step of a later layer is several pixels of the photo: keep track of the jump."),
        (partial(_recursion, use_dilation=False), "the dilation is not used."),
        (partial(_recursion, replace=True),
         "the jump is replaced by the last stride; strides multiply, since each one skips pixels of a skipping layer."),
        (partial(_recursion, add=True), "the strides are added up; they multiply."),
        (lambda layers: sum((k - 1) * d for k, _, d in layers) + sum(s - 1 for _, s, _ in layers) + 1,
         "a stride is added to the field; it widens what later layers add."),
        (partial(_recursion, start=0), "with no layer at all, a pixel sees one pixel: itself."),
        (partial(_recursion, fewer=0), "a kernel of k taps widens the view by its k − 1 steps."),
        (lambda layers: _recursion(layers[::-1]),
         "the layers are taken from the last to the first; this recursion goes from the first to the last."),
        (lambda layers: _conv_field([(k, s * d, d) for k, s, d in layers]),
         "the jump is multiplied by the dilation as well; only strides move the next layer's pixels apart."),
        (lambda layers: _conv_field([(k, d, s) for k, s, d in layers]),
         "stride and dilation are exchanged: a layer is (kernel, stride, dilation)."),
        (lambda layers: 1 + sum(k // 2 * d for k, _, d in layers), "that is one side only; a kernel looks to both."),
        (lambda layers: sum(k for k, _, _ in layers),
         "the kernels are added up; a layer adds its k − 1 steps to what the layers before it see."),
        (lambda layers: math.prod(k for k, _, _ in layers), "the kernels are multiplied; fields add up."),
        (lambda layers: _conv_field(layers[:1]),
         "only the first layer counts. Does the `return` stand inside the loop?"),
        (lambda layers: _conv_field(layers[-1:]), "only the last layer counts."),
        (lambda layers: _conv_field(layers[:-1]), "the last layer is missing."),
        (lambda layers: _conv_field(layers) ** 2, "those are the pixels of the square; its side is asked for."),
    ],
    "It agrees with counting on {count} random stacks.",
)  # fmt: skip
def receptive_field():
    """`receptive_field(layers)`, layers a list of (kernel, stride, dilation), against counting."""
    for layers in ([(3, 1, 1)], [(3, 1, 1), (3, 1, 1)], [(3, 2, 1), (3, 1, 1)], [(3, 2, 2), (3, 2, 4), (5, 1, 2)]):
        yield dict(layers=layers)
    for _ in range(30):
        kinds = ([1, 2, 3, 5], [1, 1, 2, 3], [1, 1, 2, 4])
        yield dict(layers=[tuple(map(random.choice, kinds)) for _ in range(random.randint(1, 6))])


def _spread(weight: torch.Tensor, dilation: int, trailing: bool = False, columns: bool = True) -> torch.Tensor:
    outs, ins, kernel, _ = weight.shape
    span = dilation * kernel if trailing else dilation * (kernel - 1) + 1
    large = torch.zeros(outs, ins, span, span if columns else kernel)
    large[:, :, ::dilation, :: dilation if columns else 1] = weight
    return large


@exercise(
    3,
    _spread,
    [
        (lambda weight, dilation: torch.kron(weight, torch.ones(dilation, dilation)),
         "every weight is repeated; zeros belong between the weights."),
        (partial(_spread, trailing=True),
         "there are zeros after the last row and column of weights; only those between count."),
        (partial(_spread, columns=False), "rows are spread but columns are not."),
        (lambda weight, dilation: _spread(weight.transpose(2, 3), dilation), "rows and columns are exchanged."),
        (lambda weight, dilation: _spread(weight.transpose(0, 1), dilation),
         "the channels are exchanged: out comes first, then in."),
        (lambda weight, dilation: _spread(weight.flip(2, 3), dilation), "the kernel is turned around."),
        (lambda weight, dilation: (_spread(weight, dilation) != 0).float(),
         "there are ones where the weights belong."),
        (lambda weight, dilation: weight, "the weights are returned as they came."),
        (lambda weight, dilation: F.pad(_spread(weight, dilation), [dilation - 1, 0, dilation - 1, 0]),
         "there are zeros before the first row and column of weights; only those between count."),
        (lambda weight, dilation: _spread(weight, dilation + 1),
         "there are `dilation` zeros between two weights; so many pixels lie from one weight to the next."),
        (lambda weight, dilation: F.interpolate(weight, size=_spread(weight, dilation).shape[2:]),
         "the gaps are filled with copies; zeros belong there."),
        (lambda weight, dilation: F.interpolate(
            weight, size=_spread(weight, dilation).shape[2:], mode="bilinear", align_corners=True),
         "the gaps are filled with what lies between the weights; zeros belong there."),
        (lambda weight, dilation: F.pad(weight, [dilation * (weight.shape[3] - 1) // 2 - weight.shape[3] // 2] * 4),
         "the zeros are put around the kernel; they belong between its weights."),
    ],
    "Your large kernel does what the dilated small one does.",
    without=dict(of_torch="kron", functions=(np.kron,)),
    say=lambda weight, dilation: f"a weight of shape {tuple(weight.shape)} and dilation {dilation}",
)  # fmt: skip
def zero_filled():
    """`zero_filled(weight, dilation)`: the kernel with which an ordinary convolution does what the dilated one does."""
    for *shape, dilation in ((1, 1, 3, 2), (1, 1, 3, 1), (2, 3, 3, 4), (4, 2, 5, 3), (3, 1, 2, 2)):
        yield dict(weight=torch.randn(*shape, shape[-1]), dilation=dilation)


@check("Exercise 4")
def dilations(dilations: Sequence[int] | None) -> str:
    """Four dilations whose field has no gap and is as wide as that can be; found by counting, not by a list."""
    chosen = read_value(
        dilations,
        lambda value: [whole(d) for d in value],
        "A list of four whole numbers is expected, such as `[1, 1, 1, 1]`.",
    )
    if len(chosen) != 4:
        raise NotYet(f"There are four layers, so four dilations are needed; yours has {len(chosen)}.")
    if min(chosen) < 1:
        raise NotYet("A dilation is a distance between taps: 1 or more.")
    if max(chosen) > 1000:
        raise NotYet("No dilation needs to be that large.")
    counts = paths(tuple(chosen))[0]
    gaps = int((counts == 0).sum())
    field = len(counts)
    if gaps:
        first = int((counts == 0).nonzero()[0][0]) - field // 2
        raise NotYet(
            f"The field is {field} pixels wide, but {gaps} of them are never read, first the one at offset "
            f"{first} from the middle.".replace("-", "−")
        )
    doubled = int((counts > 1).sum())
    if doubled:
        raise NotYet(
            f"The field is {field} pixels wide and has no gaps. It can be wider: {doubled} pixels are read along "
            "more than one path, and all but one of these paths could each have gone to a new pixel."
        )
    return f"{field} pixels, every one of them read along exactly one path: nothing wider is possible with 3⁴ paths."


def _touched(layers: Sequence[tuple[int, int, int]]) -> int:
    """How many input pixels, along one axis, an output pixel really reads."""
    reads = {0}
    for kernel, stride, dilation in reversed(layers):
        reads = {pixel * stride + tap * dilation for pixel in reads for tap in range(kernel)}
    return len(reads)


def _seen(
    network: nn.Module,
    size: int,
    corner: bool = False,
    middle_of_input: bool = False,
    last: bool = False,
    positive: bool = False,
) -> int:
    """The columns that an output pixel depends on, by autograd; by its options what is often counted instead."""
    photo = torch.ones(1, 1, size, size, requires_grad=True)
    output = network(photo)[0, 0]
    row, column = (0 if corner else (size if middle_of_input else side) // 2 for side in output.shape)
    (slope,) = torch.autograd.grad(output[min(row, len(output) - 1), min(column, output.shape[1] - 1)], photo)
    columns = (slope.clamp(min=0) if positive else slope.abs()).sum(dim=(0, 1, 2)).nonzero().flatten()
    return int(columns[-1]) + 1 - (0 if last else int(columns[0]))


class _Chain(nn.Module):
    """Convolutions in a row with weights that cannot cancel; square input, one channel.

    Args:
        layers: (kernel, stride, dilation) of each.
        flat: whether the kernels are one row high, so that only columns are mixed.
        sign: of a kernel's first and last column of weights, 1 or -1; the others are positive.
    """

    def __init__(self, layers: Sequence[tuple[int, int, int]], flat: bool = False, sign: int = 1):
        super().__init__()
        self.stack, self.flat = layers, flat
        self.layers = nn.Sequential(
            *(
                nn.Conv2d(
                    1, 1, (1 if flat else kernel, kernel), stride=stride,
                    padding=(0 if flat else dilation * (kernel - 1) // 2, dilation * (kernel - 1) // 2),
                    dilation=dilation,
                )
                for kernel, stride, dilation in layers
            )
        ).double()  # fmt: skip
        with torch.no_grad():
            for layer in self.layers:
                layer.weight.copy_(torch.rand_like(layer.weight) + 0.5)
                layer.weight[..., [0, -1]] *= sign

    def forward(self, photo):
        return self.layers(photo.double())


def _shown_stack(network: _Chain, size: int) -> str:
    flat = " with kernels one row high" * network.flat
    return f"a network of (kernel, stride, dilation) = {network.stack}{flat} and size={size}"


@exercise(
    5,
    lambda network, size: _conv_field(network.stack),
    [
        (lambda network, size: _conv_field(network.stack) ** 2,
         "you count pixels of the square; its side is asked for."),
        (lambda network, size: _conv_field(network.stack) ** (1 if network.flat else 2),
         "you count pixels of the square; its side is asked for."),
        (lambda network, size: _conv_field(network.stack) - 1,
         "the distance from the first to the last column is one less than the number of columns."),
        (lambda network, size: size, "every input pixel has a gradient: is one output pixel taken, or the sum of all?"),
        (lambda network, size: _touched(network.stack),
         "you count the columns that are read; those in the gaps between them belong to the field too."),
        (lambda network, size: _touched(network.stack) ** (1 if network.flat else 2),
         "you count the pixels that are read; the columns from the first to the last are asked for."),
        (lambda network, size: _seen(network, size, corner=True),
         "the output pixel in the corner is measured, half of whose field lies outside; take the one in the middle."),
        (lambda network, size: _seen(network, size, middle_of_input=True),
         "the middle of the *output* is asked for; after a stride it is no longer at `size // 2`."),
        (lambda network, size: _seen(network, size, positive=True),
         "negative gradients count too: take the absolute value."),
        (lambda network, size: _seen(network, size, last=True),
         "that is the number of the last column; the distance from the first one is asked for."),
        (lambda network, size: _conv_field(network.stack) // 2, "that is one side of the field; it has two."),
        (lambda network, size: 1 if network.flat else _conv_field(network.stack),
         "these are the rows that the output pixel depends on; the columns are asked for."),
    ],
    "Autograd and counting agree on {count} networks.",
    say=_shown_stack,
)  # fmt: skip
def measured_field():
    """`measured_field(network, size)` by autograd, against counting on random stacks."""
    stacks = [[(3, 1, 1)], [(3, 1, 1), (3, 1, 2)], [(5, 1, 1), (3, 2, 1), (3, 1, 4)]]
    stacks += [[(random.choice([3, 5]), 1, random.choice([1, 2, 3])) for _ in range(3)] for _ in range(3)]
    for stack in stacks:
        yield dict(network=_Chain(stack), size=random.choice([65, 69]))
    yield dict(network=_Chain([(4, 1, 1), (3, 1, 1)]), size=65)  # reaches farther to one side than to the other
    yield dict(network=_Chain([(3, 1, 2)], sign=-1), size=65)
    yield dict(network=_Chain([(3, 1, 2), (5, 1, 1)], flat=True), size=61)
