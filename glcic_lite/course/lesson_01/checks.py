"""The checks of lesson 01."""

import random
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from glcic_lite.course.lesson_01.stack_explorer import paths
from glcic_lite.course.shared.checks import (
    NotAttempted,
    NotYet,
    Suspect,
    call,
    check,
    compare_tensors,
    expect_number,
    expect_tensor,
    likely_cause,
    try_numbers,
)


def _torch_output_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    row = torch.zeros(1, 1, size)
    return F.conv1d(row, torch.zeros(1, 1, kernel), stride=stride, padding=padding, dilation=dilation).shape[2]


@check("Exercise 1")
def output_size(output_size: Callable) -> str:
    """`output_size(size, kernel, stride, padding, dilation)` against torch's own convolution."""
    cases = []
    while len(cases) < 40:
        case = dict(
            size=random.randint(5, 40),
            kernel=random.randint(1, 7),
            stride=random.randint(1, 4),
            padding=random.randint(0, 4),
            dilation=random.randint(1, 4),
        )
        if case["size"] + 2 * case["padding"] > case["dilation"] * (case["kernel"] - 1):
            cases.append(case)
    # One of each kind, so that no wrong formula passes by luck.
    cases += [
        dict(size=8, kernel=3, stride=2, padding=1, dilation=1),
        dict(size=9, kernel=3, stride=1, padding=0, dilation=3),
        dict(size=32, kernel=5, stride=1, padding=2, dilation=1),
    ]
    suspects = [
        Suspect(
            lambda size, kernel, stride, padding, dilation: (size + 2 * padding - kernel) // stride + 1,
            "the dilation is not used: it stretches the kernel.",
        ),
        Suspect(
            lambda size, kernel, stride, padding, dilation: (
                (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1
            ),
            "the division must round down, so use `//`.",
        ),
        Suspect(
            lambda size, kernel, stride, padding, dilation: (
                (size + padding - dilation * (kernel - 1) - 1) // stride + 1
            ),
            "padding is added on both sides.",
        ),
        Suspect(
            lambda size, kernel, stride, padding, dilation: (
                (size + 2 * padding - dilation * (kernel - 1) - 1) // stride
            ),
            "the first position counts too, before any step is taken.",
        ),
        Suspect(
            lambda size, kernel, stride, padding, dilation: (size + 2 * padding - dilation * kernel) // stride + 1,
            "a kernel of k taps has k − 1 gaps between them, not k.",
        ),
    ]
    try_numbers(output_size, cases, _torch_output_size, suspects)
    return f"It agrees with torch on {len(cases)} random convolutions."


def _conv_field(layers: Sequence[tuple[int, int, int]]) -> int:
    """The field of a stack, counted: the pixels between the first and the last that one output pixel depends on."""
    low = high = 0
    for kernel, stride, dilation in reversed(layers):
        low, high = low * stride, high * stride + (kernel - 1) * dilation
    return high - low + 1


@check("Exercise 2")
def receptive_field(receptive_field: Callable) -> str:
    """`receptive_field(layers)`, layers a list of (kernel, stride, dilation), against counting."""
    cases = [dict(layers=[(3, 1, 1)]), dict(layers=[(3, 1, 1), (3, 1, 1)]), dict(layers=[(3, 2, 1), (3, 1, 1)])]
    for _ in range(30):
        layers = [
            (random.choice([1, 2, 3, 5]), random.choice([1, 1, 2, 3]), random.choice([1, 1, 2, 4]))
            for _ in range(random.randint(1, 6))
        ]
        cases.append(dict(layers=layers))
    cases.append(dict(layers=[(3, 2, 2), (3, 2, 4), (5, 1, 2)]))

    def recursion(layers, jump_first=False, use_jump=True, use_dilation=True, start=1, full_kernel=False):
        field, jump = start, 1
        for kernel, stride, dilation in layers:
            if jump_first:
                jump *= stride
            taps = kernel if full_kernel else kernel - 1
            field += taps * (dilation if use_dilation else 1) * (jump if use_jump else 1)
            if not jump_first:
                jump *= stride
        return field

    suspects = [
        Suspect(lambda layers: recursion(layers, jump_first=True),
                "a layer's own stride acts on the layers after it, so multiply the jump after adding to the field."),
        Suspect(lambda layers: recursion(layers, use_jump=False),
                "after a stride, one step of a later layer is several pixels of the photo: keep track of the jump."),
        Suspect(lambda layers: recursion(layers, use_dilation=False), "the dilation is not used."),
        Suspect(lambda layers: recursion(layers, start=0), "with no layer at all, a pixel sees one pixel: itself."),
        Suspect(lambda layers: recursion(layers, full_kernel=True),
                "a kernel of k taps widens the view by its k − 1 gaps."),
        Suspect(lambda layers: recursion(list(reversed(layers))),
                "the layers are taken from the last to the first; this recursion goes from the first to the last."),
    ]  # fmt: skip
    try_numbers(receptive_field, cases, _conv_field, suspects, unit=" px")
    return f"It agrees with counting on {len(cases)} random stacks."


@check("Exercise 3")
def zero_filled(zero_filled: Callable) -> str:
    """`zero_filled(weight, dilation)` against a dilated convolution with the small kernel."""
    cases, answers, wrong = [], [], None
    shapes = [(1, 1, 3, 2), (1, 1, 3, 1), (2, 3, 3, 4), (4, 2, 5, 3), (3, 1, 2, 2)]
    for number, (outs, ins, kernel, dilation) in enumerate(shapes):
        weight = torch.randn(outs, ins, kernel, kernel)
        shown = f"a weight of shape {tuple(weight.shape)} and dilation {dilation}"
        answer = call(zero_filled, weight, dilation, shown=shown, first=number == 0)
        span = dilation * (kernel - 1) + 1
        expected = torch.zeros(outs, ins, span, span)
        expected[:, :, ::dilation, ::dilation] = weight
        cases.append(dict(weight=weight, dilation=dilation))
        answers.append(answer)
        try:
            compare_tensors(answer, expected, shown)
        except NotYet as difference:
            wrong = wrong or difference
            continue
        photo = torch.randn(1, ins, span + 5, span + 6)
        if not torch.allclose(
            F.conv2d(photo, expect_tensor(answer, expected, shown)), F.conv2d(photo, weight, dilation=dilation),
            rtol=1e-4, atol=1e-4,
        ):  # fmt: skip
            raise NotYet(f"For {shown} the convolution differs from the dilated one.")
    if wrong:

        def kronecker(weight, dilation):
            return torch.kron(weight, torch.ones(dilation, dilation))

        def trailing(weight, dilation):
            outs, ins, kernel, _ = weight.shape
            large = torch.zeros(outs, ins, kernel * dilation, kernel * dilation)
            large[:, :, ::dilation, ::dilation] = weight
            return large

        def one_axis(weight, dilation):
            outs, ins, kernel, _ = weight.shape
            large = torch.zeros(outs, ins, dilation * (kernel - 1) + 1, kernel)
            large[:, :, ::dilation] = weight
            return large

        suspects = [
            Suspect(kronecker, "every weight is repeated; zeros belong between the weights."),
            Suspect(trailing, "there are zeros after the last row and column of weights; only those between count."),
            Suspect(one_axis, "rows are spread but columns are not."),
            Suspect(lambda weight, dilation: weight, "the weights are returned as they came."),
        ]
        raise NotYet(str(wrong) + likely_cause(cases, answers, suspects))
    return "Your large kernel does what the dilated small one does."


@check("Exercise 4")
def dilations(dilations: Sequence[int] | None) -> str:
    """Four dilations whose field has no gap and is as wide as that can be; found by counting, not by a list."""
    if dilations is None or dilations is ...:
        raise NotAttempted("Put your answer in place of `None`, then run this cell again.")
    try:
        chosen = [int(d) for d in dilations]
    except (TypeError, ValueError):
        raise NotYet("A list of four whole numbers is expected, such as `[1, 1, 1, 1]`.") from None
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
            f"The field is {field} pixels wide, but {gaps} of them are never read, first the one at offset {first}."
        )
    doubled = int((counts > 1).sum())
    if doubled:
        raise NotYet(
            f"The field is {field} pixels wide and has no gaps. It can be wider: {doubled} pixels are read along "
            "more than one path, and each of those paths could have gone to a new pixel."
        )
    return f"{field} pixels, every one of them read along exactly one path: nothing wider is possible with 3⁴ paths."


def _touched(layers: Sequence[tuple[int, int, int]]) -> int:
    """How many input pixels, along one axis, an output pixel really reads."""
    reads = {0}
    for kernel, stride, dilation in reversed(layers):
        reads = {pixel * stride + tap * dilation for pixel in reads for tap in range(kernel)}
    return len(reads)


class _Chain(nn.Module):
    """Convolutions in a row with weights that cannot cancel; square input, one channel."""

    def __init__(self, layers: Sequence[tuple[int, int, int]]):
        super().__init__()
        self.layers = nn.Sequential(
            *(
                nn.Conv2d(1, 1, kernel, stride=stride, padding=dilation * (kernel - 1) // 2, dilation=dilation)
                for kernel, stride, dilation in layers
            )
        ).double()
        with torch.no_grad():
            for layer in self.layers:
                layer.weight.copy_(torch.rand_like(layer.weight) + 0.5)

    def forward(self, photo):
        return self.layers(photo.double())


@check("Exercise 5")
def measured_field(measured_field: Callable) -> str:
    """`measured_field(network, size)` by autograd, against counting on random stacks."""
    stacks = [[(3, 1, 1)], [(3, 1, 1), (3, 1, 2)], [(5, 1, 1), (3, 2, 1), (3, 1, 4)]]
    stacks += [[(random.choice([3, 5]), 1, random.choice([1, 2, 3])) for _ in range(3)] for _ in range(3)]
    wrong, differences = None, set()
    for number, stack in enumerate(stacks):
        shown = f"a network of (kernel, stride, dilation) = {stack} and size=65"
        answer = expect_number(call(measured_field, _Chain(stack), 65, shown=shown, first=number == 0), shown)
        expected = _conv_field(stack)
        differences.add(
            (answer == expected**2, answer == expected - 1, answer == 65, answer == _touched(stack), answer == expected)
        )
        if answer != expected and not wrong:
            wrong = f"For {shown} your answer, {answer:g}, is too {'large' if answer > expected else 'small'}."
    if wrong:
        causes = (
            "you count pixels of the square; its side is asked for.",
            "the distance from the first to the last column is one less than the number of columns.",
            "every input pixel has a gradient: is one output pixel taken, or the sum of all?",
            "you count the columns that are read; those in the gaps between them belong to the field too.",
        )
        for position, cause in enumerate(causes):
            if all(d[position] or (d[-1] and position == 2) for d in differences):
                wrong += f" Likely cause: {cause}"
                break
        raise NotYet(wrong)
    return f"Autograd and counting agree on {len(stacks)} networks."
