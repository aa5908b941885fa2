"""The checks of lesson 03."""

import random
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from glcic_lite.course.shared.checks import NotYet, check, exercise, read_as, read_value


def _torch_size(size: int, kernel: int, stride: int, padding: int, output_padding: int) -> int:
    row = torch.zeros(1, 1, size)
    return F.conv_transpose1d(
        row, torch.zeros(1, 1, kernel), stride=stride, padding=padding, output_padding=output_padding
    ).shape[2]


@exercise(
    1,
    _torch_size,
    [
        (lambda n, k, s, p, o: n * s,
         "that is the size of the usual settings only, kernel 4, stride 2 and padding 1 for instance."),
        (lambda n, k, s, p, o: n * s - 2 * p + k + o, "between n pixels there are n − 1 steps."),
        (lambda n, k, s, p, o: (n - 1) * s + 2 * p + k + o,
         "the padding of a transposed convolution cuts away; it does not add."),
        (lambda n, k, s, p, o: (n - 1) * s - p + k + o, "the padding cuts on both sides."),
        (lambda n, k, s, p, o: (n - 1) * s - 2 * p + k, "output_padding is not used: it adds rows at one end."),
        (lambda n, k, s, p, o: n * s - 2 * p + o, "the last stamp reaches over: it is k wide, not one stride."),
        (lambda n, k, s, p, o: (n - 1) * s - 2 * p + k - 1 + o,
         "by one: with a single input pixel and no padding the output is the kernel itself."),
        (lambda n, k, s, p, o: (n - 1) * s - 2 * p + k + 2 * o, "output_padding adds at one end only."),
        (lambda n, k, s, p, o: (n + 2 * p - k) // s + 1,
         "that is the ordinary convolution's formula; here it is turned around."),
        (lambda n, k, s, p, o: (n - 1) * s + k + o, "the padding is not used: it cuts away on both sides."),
        (lambda n, k, s, p, o: n - 1 - 2 * p + k + o, "the stride is not used: stamps begin `stride` pixels apart."),
        (lambda n, k, s, p, o: (n - 1) * s - 2 * p + k - o, "output_padding is taken away; it adds rows."),
        (lambda n, k, s, p, o: (n - 1) * s - 2 * o + k + p, "padding and output_padding are exchanged."),
        (lambda n, k, s, p, o: n * k - 2 * p + o,
         "the stamps are laid side by side; they begin `stride` pixels apart."),
        (lambda n, k, s, p, o: (n - 1) * s - 2 * p + o, "the last stamp is missing: it is `kernel` pixels wide."),
        (lambda n, k, s, p, o: (n - 1) * s - 2 * p + k + 1 + o,
         "by one: with a single input pixel and no padding the output is the kernel itself."),
    ],
    "It agrees with torch on {count} random settings.",
    without=dict(of_torch="conv.*"),
)  # fmt: skip
def transposed_size():
    """`transposed_size(size, kernel, stride, padding, output_padding)` against torch."""
    names = ("size", "kernel", "stride", "padding", "output_padding")
    for values in ((5, 4, 2, 1, 0), (3, 3, 2, 0, 0), (6, 3, 2, 1, 1)):
        yield dict(zip(names, values, strict=True))
    for _ in range(40):
        stride = random.randint(1, 4)
        low, high = (2, 1, stride, 0, 0), (30, 6, stride, 2, stride - 1)
        case = dict(zip(names, map(random.randint, low, high), strict=True))
        if (case["size"] - 1) * stride - 2 * case["padding"] + case["kernel"] + case["output_padding"] > 0:
            yield case


def _matrix(weight: torch.Tensor, size: int, stride: int) -> torch.Tensor:
    """Column by column: what the convolution makes of an input that is 1 at one pixel and 0 elsewhere."""
    return F.conv1d(torch.eye(size, dtype=weight.dtype)[:, None], weight.view(1, 1, -1), stride=stride)[:, 0].T


def _circulant(weight: torch.Tensor, size: int, stride: int) -> torch.Tensor:
    row = F.pad(weight, [0, size - len(weight)])
    return torch.stack([row.roll(start) for start in range(0, size, stride)])


@exercise(
    2,
    _matrix,
    [
        (lambda weight, size, stride: _matrix(weight, size, stride).T,
         "rows and columns are exchanged: one row for each output, one column for each input."),
        (lambda weight, size, stride: _matrix(weight.flip(0), size, stride),
         "the weights are mirrored; torch's convolution does not mirror them."),
        (lambda weight, size, stride: _matrix(weight, size, 1)[: (size - len(weight)) // stride + 1],
         "the stride is used for the number of rows only: each row is shifted by `stride` columns against the one "
         "above."),
        (lambda weight, size, stride: _matrix(torch.ones_like(weight), size, stride),
         "there are ones where the weights belong."),
        (lambda weight, size, stride: F.pad(_matrix(weight, size, stride), [0, 0, 0, 1])[: -(-size // stride)],
         "there is one row more than the kernel has places."),
        (lambda weight, size, stride: _matrix(weight, size, 1),
         "the stride is not used: each row is shifted by `stride` columns against the one above."),
        (lambda weight, size, stride: _matrix(weight, size, stride).flip(0), "the rows are in reverse order."),
        (lambda weight, size, stride: _matrix(weight, size, stride).flip(1),
         "the columns are in reverse order: the first row begins with the weights."),
        (lambda weight, size, stride: _matrix(weight, size, stride)[:-1],
         "the last row is missing: there are (size − k) // stride + 1 places."),
        (lambda weight, size, stride: F.pad(_matrix(weight, size, stride), [0, 0, 0, size])[:size],
         "it is filled up to a square; a row for each output is enough."),
        (_circulant, "the last rows begin anew on the left; without padding there is no place for them."),
        (lambda weight, size, stride: _matrix(weight, size, stride).roll(1, 1),
         "by one column: in row 0 the weights begin in column 0."),
        (lambda weight, size, stride: _matrix(weight, size, stride).sum(dim=0), "the rows are added up; stack them."),
    ],
    "Your matrix does what torch's convolution does, and its transpose what the transposed one does.",
    without=dict(of_torch="conv.*"),
    say=lambda weight, size, stride: f"a weight of {len(weight)} taps, size={size} and stride={stride}",
)  # fmt: skip
def convolution_matrix():
    """`convolution_matrix(weight, size, stride)` as a matrix, against torch's convolution of unit vectors."""
    for kernel, size, stride in ((3, 7, 2), (2, 5, 1), (4, 10, 2), (3, 8, 3), (1, 4, 2)):
        yield dict(weight=torch.randn(kernel), size=size, stride=stride)


def _stamped(row: torch.Tensor, weight: torch.Tensor, stride: int) -> torch.Tensor:
    return F.conv_transpose1d(row[None, None], weight[None, None], stride=stride)[0, 0]


def _overwritten(row: torch.Tensor, weight: torch.Tensor, stride: int) -> torch.Tensor:
    out = torch.zeros((len(row) - 1) * stride + len(weight))
    for index, value in enumerate(row):
        out[index * stride : index * stride + len(weight)] = value * weight
    return out


@exercise(
    3,
    _stamped,
    [
        (_overwritten, "where stamps overlap, the later one replaces the earlier; they should add up."),
        (lambda row, weight, stride: _stamped(row, weight.flip(0), stride), "the weights are mirrored."),
        *((lambda row, weight, stride, longer=longer:
           F.pad(_stamped(row, weight, 1), [0, longer * (len(row) - 1) * (stride - 1)]),
           "the stride is not used: stamp number i begins at pixel i × stride.")
          for longer in (0, 1)),  # with the length of one stride, or the right one
        (lambda row, weight, stride: _stamped(row, torch.ones_like(weight), stride), "the weights are not used."),
        (lambda row, weight, stride: F.pad(_stamped(row, weight, stride), [0, stride - 1]),
         "there are zeros behind the last stamp: the output ends where that ends."),
        (lambda row, weight, stride: _stamped(row, weight, stride)[: len(row) * stride],
         "the last stamp is cut off: the output ends where that ends."),
        (lambda row, weight, stride: _stamped(torch.ones_like(row), weight, stride),
         "every stamp has the same strength; it should be multiplied by its pixel's value."),
        (lambda row, weight, stride: _stamped(weight, row, stride), "row and weights are exchanged."),
        (lambda row, weight, stride: _stamped(row, weight, stride + 1),
         "there are `stride` zeros between the stamps' beginnings; stamp number i begins at pixel i × stride."),
        (lambda row, weight, stride: _stamped(row, weight, len(weight)),
         "the stamps are laid side by side; stamp number i begins at pixel i × stride."),
        (lambda row, weight, stride: _stamped(F.pad(row[:-1], [0, 1]), weight, stride),
         "the last pixel's stamp is missing."),
        (lambda row, weight, stride: _stamped(F.pad(row[1:], [1, 0]), weight, stride),
         "the first pixel's stamp is missing."),
        (lambda row, weight, stride: _stamped(row.flip(0), weight, stride), "the row is read from its end."),
        (lambda row, weight, stride: _stamped(row, weight, stride) / _overlaps(len(row), len(weight), stride).clamp(1),
         "where stamps overlap, their mean is taken; they should add up."),
        (lambda row, weight, stride: _stamped(row, torch.ones_like(weight), stride)
         + _stamped(torch.ones_like(row), weight, stride),
         "pixel and weights are added; each weight is multiplied by the pixel."),
    ],
    "Stamp by stamp the same as torch.",
    without=dict(of_torch="conv_transpose.*|convolution_backward|grad|backward"),
    say=lambda row, weight, stride: f"a row of {len(row)} pixels, {len(weight)} weights and stride={stride}",
)  # fmt: skip
def stamp():
    """`stamp(row, weight, stride)`: a transposed convolution of a row of pixels, against torch's."""
    for size, kernel, stride in ((3, 3, 2), (4, 4, 2), (1, 5, 1), (5, 2, 3), (6, 3, 1)):
        yield dict(row=torch.randn(size), weight=torch.randn(kernel), stride=stride)


def _numbers(answer) -> torch.Tensor:
    return answer.float() if isinstance(answer, torch.Tensor) else torch.from_numpy(np.array(answer, dtype=float))


def _overlaps(size: int, kernel: int, stride: int) -> torch.Tensor:
    return _stamped(torch.ones(size), torch.ones(kernel), stride)


@exercise(
    4,
    _overlaps,
    [
        (lambda *case: (_overlaps(*case) > 0).float(), "that says whether a pixel is reached; count how often."),
        (lambda *case: _overlaps(*case) - 1, "a single stamp counts as one."),
        *(
            (
                lambda size, kernel, stride, longer=longer: F.pad(
                    _overlaps(size, kernel, 1), [0, longer * (size - 1) * (stride - 1)]
                ),
                "the stride is not used: stamp number i begins at pixel i × stride.",
            )
            for longer in (0, 1)  # with the length of one stride, or the right one
        ),
        (lambda size, kernel, stride: _overlaps(kernel, size, stride), "size and kernel are exchanged."),
        (
            lambda size, kernel, stride: _stamped(torch.arange(size) + 1.0, torch.ones(kernel), stride),
            "the stamps' numbers are added up; each counts as one.",
        ),
        (
            lambda size, kernel, stride: torch.full_like(_overlaps(size, kernel, stride), kernel / stride),
            "that is the number in the middle, if the stride divides the kernel; towards the border it falls.",
        ),
        (
            lambda size, kernel, stride: _overlaps(size, kernel, stride)[: size * stride],
            "the last stamp is cut off: the output ends where that ends.",
        ),
        (
            lambda *case: F.pad(_overlaps(*case), [0, 1]) + F.pad(_overlaps(*case), [1, 0]).clamp(max=0),
            "there is a zero behind the last stamp.",
        ),
        (
            lambda size, kernel, stride: _overlaps(size, kernel + 1, stride)[:-1],
            "each stamp covers one pixel too many: it ends before `start + kernel`.",
        ),
        (
            lambda size, kernel, stride: _overlaps(size, kernel + 1, stride),
            "each stamp covers one pixel too many: it ends before `start + kernel`.",
        ),
        (
            lambda size, kernel, stride: F.pad(_overlaps(size - 1, kernel, stride), [0, stride]),
            "one stamp is missing: there are as many as there are input pixels.",
        ),
        (
            lambda size, kernel, stride: torch.full_like(_overlaps(size, kernel, stride), -(-kernel // stride)),
            "that is the most there can be; it is not reached at every pixel.",
        ),
        (lambda *case: _overlaps(*case)[1:-1], "the first and the last pixel are missing."),
        (lambda *case: _overlaps(*case).cumsum(0), "the counts are added up from the left; each pixel has its own."),
    ],
    "Every stamp is counted.",
    read=read_as(_numbers, "a list of numbers is"),
)
def overlaps():
    """`overlaps(size, kernel, stride)`: how many stamps meet at each output pixel of a row."""
    for size, kernel, stride in ((4, 3, 2), (4, 4, 2), (3, 2, 3), (5, 5, 1), (6, 5, 3)):
        yield dict(size=size, kernel=kernel, stride=stride)


@check("Exercise 5")
def interpolating_weights(weights: Sequence[float] | None) -> str:
    """Four weights (stride 2, padding 1) that double a row by linear interpolation: even rows and slopes stay so."""
    kernel = read_value(
        weights,
        # A tensor as `conv_transpose1d` wants it, (1, 1, 4), is right as well.
        lambda value: torch.as_tensor(
            [float(w) for w in (value.flatten() if isinstance(value, torch.Tensor) else value)], dtype=torch.double
        ),
        "A list of four numbers is expected.",
    )
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
        raise NotYet("Slopes stay straight, but they are shifted or reversed. Are the weights symmetric?")
    return "Even rows stay even and slopes stay straight: linear interpolation, written as a transposed convolution."
