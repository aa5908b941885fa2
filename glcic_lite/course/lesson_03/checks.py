"""The checks of lesson 03."""

import random
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from glcic_lite.course.shared.checks import NotAttempted, NotYet, Suspect, check, try_numbers, try_tensors


def _torch_size(size: int, kernel: int, stride: int, padding: int, output_padding: int) -> int:
    row = torch.zeros(1, 1, size)
    return F.conv_transpose1d(
        row, torch.zeros(1, 1, kernel), stride=stride, padding=padding, output_padding=output_padding
    ).shape[2]


@check("Exercise 1")
def transposed_size(transposed_size: Callable) -> str:
    """`transposed_size(size, kernel, stride, padding, output_padding)` against torch."""
    cases = [
        dict(size=5, kernel=4, stride=2, padding=1, output_padding=0),
        dict(size=3, kernel=3, stride=2, padding=0, output_padding=0),
        dict(size=6, kernel=3, stride=2, padding=1, output_padding=1),
    ]
    while len(cases) < 40:
        stride = random.randint(1, 4)
        case = dict(
            size=random.randint(2, 30),
            kernel=random.randint(1, 6),
            stride=stride,
            padding=random.randint(0, 2),
            output_padding=random.randint(0, stride - 1),
        )
        if (case["size"] - 1) * stride - 2 * case["padding"] + case["kernel"] + case["output_padding"] > 0:
            cases.append(case)
    suspects = [
        Suspect(lambda size, kernel, stride, padding, output_padding: size * stride,
                "that is the size of the usual settings only, kernel 4, stride 2 and padding 1 for instance."),
        Suspect(lambda size, kernel, stride, padding, output_padding:
                size * stride - 2 * padding + kernel + output_padding,
                "between n pixels there are n − 1 steps."),
        Suspect(lambda size, kernel, stride, padding, output_padding:
                (size - 1) * stride + 2 * padding + kernel + output_padding,
                "the padding of a transposed convolution cuts away; it does not add."),
        Suspect(lambda size, kernel, stride, padding, output_padding:
                (size - 1) * stride - padding + kernel + output_padding,
                "the padding cuts on both sides."),
        Suspect(lambda size, kernel, stride, padding, output_padding: (size - 1) * stride - 2 * padding + kernel,
                "output_padding is not used: it adds rows at one end."),
        Suspect(lambda size, kernel, stride, padding, output_padding: (size + 2 * padding - kernel) // stride + 1,
                "that is the ordinary convolution's formula; here it is turned round."),
    ]  # fmt: skip
    try_numbers(transposed_size, cases, _torch_size, suspects)
    return f"It agrees with torch on {len(cases)} random settings."


def _matrix(weight: torch.Tensor, size: int, stride: int) -> torch.Tensor:
    """Column by column: what the convolution makes of an input that is 1 at one pixel and 0 elsewhere."""
    return F.conv1d(torch.eye(size, dtype=weight.dtype)[:, None], weight.view(1, 1, -1), stride=stride)[:, 0].T


@check("Exercise 2")
def convolution_matrix(convolution_matrix: Callable) -> str:
    """`convolution_matrix(weight, size, stride)` as a matrix, against torch's convolution of unit vectors."""
    cases = [
        dict(weight=torch.randn(kernel), size=size, stride=stride)
        for kernel, size, stride in [(3, 7, 2), (2, 5, 1), (4, 10, 2), (3, 8, 3), (1, 4, 2)]
    ]
    suspects = [
        Suspect(lambda weight, size, stride: _matrix(weight, size, stride).T,
                "rows and columns are exchanged: one row for each output, one column for each input."),
        Suspect(lambda weight, size, stride: _matrix(weight.flip(0), size, stride),
                "the weights are mirrored; torch's convolution does not mirror them."),
        Suspect(lambda weight, size, stride: _matrix(weight, size, 1),
                "the stride is not used: each row is shifted by `stride` columns against the one above."),
    ]  # fmt: skip
    try_tensors(
        convolution_matrix,
        cases,
        _matrix,
        suspects,
        lambda weight, size, stride: f"a weight of {len(weight)} taps, size={size} and stride={stride}",
    )
    return "Your matrix does what torch's convolution does, and its transpose what the transposed one does."


def _stamped(row: torch.Tensor, weight: torch.Tensor, stride: int) -> torch.Tensor:
    return F.conv_transpose1d(row[None, None], weight[None, None], stride=stride)[0, 0]


@check("Exercise 3")
def stamp(stamp: Callable) -> str:
    """`stamp(row, weight, stride)`: a transposed convolution of a row of pixels, against torch's."""
    cases = [
        dict(row=torch.randn(size), weight=torch.randn(kernel), stride=stride)
        for size, kernel, stride in [(3, 3, 2), (4, 4, 2), (1, 5, 1), (5, 2, 3), (6, 3, 1)]
    ]

    def overwriting(row, weight, stride):
        out = torch.zeros((len(row) - 1) * stride + len(weight))
        for index, value in enumerate(row):
            out[index * stride : index * stride + len(weight)] = value * weight
        return out

    suspects = [
        Suspect(overwriting, "where stamps overlap, the later one replaces the earlier; they should add up."),
        Suspect(lambda row, weight, stride: _stamped(row, weight.flip(0), stride), "the weights are mirrored."),
        Suspect(lambda row, weight, stride: _stamped(torch.ones_like(row), weight, stride),
                "every stamp has the same strength; it should be multiplied by its pixel's value."),
    ]  # fmt: skip
    try_tensors(
        stamp,
        cases,
        _stamped,
        suspects,
        lambda row, weight, stride: f"a row of {len(row)} pixels, {len(weight)} weights and stride={stride}",
    )
    return "Stamp by stamp the same as torch."


def _overlaps(size: int, kernel: int, stride: int) -> torch.Tensor:
    return _stamped(torch.ones(size), torch.ones(kernel), stride)


def _as_row(answer, expected: torch.Tensor, shown: str):
    """A list of counts as a tensor; anything but a list as it is."""
    if isinstance(answer, list | tuple):
        try:
            return torch.tensor(answer, dtype=torch.float)
        except (TypeError, ValueError):
            raise NotYet(f"For {shown} a list of numbers is expected.") from None
    return answer.float() if isinstance(answer, torch.Tensor) else answer


@check("Exercise 4")
def overlaps(overlaps: Callable) -> str:
    """`overlaps(size, kernel, stride)`: how many stamps meet at each output pixel of a row."""
    names = ("size", "kernel", "stride")
    numbers = [(4, 3, 2), (4, 4, 2), (3, 2, 3), (5, 5, 1), (6, 5, 3)]
    cases = [dict(zip(names, case, strict=True)) for case in numbers]

    def reached(size, kernel, stride):
        return (_overlaps(size, kernel, stride) > 0).float()

    suspects = [
        Suspect(reached, "that says whether a pixel is reached; count how often."),
        Suspect(lambda size, kernel, stride: _overlaps(size, kernel, stride) - 1,
                "a single stamp counts as one."),
    ]  # fmt: skip
    try_tensors(
        overlaps,
        cases,
        _overlaps,
        suspects,
        lambda **case: ", ".join(f"{name}={value}" for name, value in case.items()),
        _as_row,
    )
    return "Every stamp is counted."


@check("Exercise 5")
def interpolating_weights(weights: Sequence[float] | None) -> str:
    """Four weights (stride 2, padding 1) that double a row by linear interpolation: even rows and slopes stay so."""
    if weights is None or weights is ...:
        raise NotAttempted("Put your answer in place of `None`, then run this cell again.")
    try:
        kernel = torch.as_tensor([float(w) for w in weights], dtype=torch.double)
    except (TypeError, ValueError):
        raise NotYet("A list of four numbers is expected.") from None
    if len(kernel) != 4:
        raise NotYet(f"Four weights are needed; yours has {len(kernel)}.")
    if not torch.isfinite(kernel).all():
        raise NotYet("Only finite numbers, please.")

    def doubled(row):
        return F.conv_transpose1d(row[None, None].double(), kernel[None, None], stride=2, padding=1)[0, 0, 2:-2]

    even = doubled(torch.ones(8))
    if not torch.allclose(even, torch.ones_like(even), atol=1e-6):
        if torch.allclose(even, even[:1].expand_as(even), atol=1e-6):
            raise NotYet(
                f"A row of ones becomes a row of {even[0].item():.4g}: even, but of another brightness. "
                "At each output pixel two weights meet; what must they add up to?"
            )
        raise NotYet(
            f"A row of ones becomes {even[0].item():.4g}, {even[1].item():.4g}, {even[0].item():.4g}, ...: a "
            "checkerboard. Weights 1 and 3 meet at one output pixel, 2 and 4 at the next; both sums must be the same."
        )
    slope = doubled(torch.arange(8.0))
    steps = slope.diff()
    if not torch.allclose(steps, steps[:1].expand_as(steps), atol=1e-6):
        raise NotYet(
            "Even rows stay even, but a slope 0, 1, 2, ... becomes stairs with steps of "
            f"{steps[0].item():.4g} and {steps[1].item():.4g} in turn. A new pixel lies at a quarter of the way "
            "between two old ones: how much of each is it?"
        )
    if not torch.allclose(slope, torch.arange(2.0, 2 + len(slope)).double() / 2 - 0.25, atol=1e-6):
        raise NotYet("Slopes stay straight, but they are moved or turned round. Are the weights symmetric?")
    return "Even rows stay even and slopes stay straight: linear interpolation, written as a transposed convolution."
