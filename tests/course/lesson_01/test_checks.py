"""The checks of lesson 01: the untouched stub, right answers, and wrong ones that learners really give."""

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F

from exercise_checks import ExerciseChecks
from glcic_lite.course.lesson_01 import checks
from glcic_lite.course.shared.checks import NOT_YET


def span(kernel, dilation):
    return dilation * (kernel - 1) + 1


def right_size(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - span(kernel, dilation)) // stride + 1


def right_field(layers):
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += (kernel - 1) * dilation * jump
        jump *= stride
    return field


def jump_too_early(layers):
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        jump *= stride
        field += (kernel - 1) * dilation * jump
    return field


def right_zeros(weight, dilation):
    outs, ins, kernel, _ = weight.shape
    large = torch.zeros(outs, ins, span(kernel, dilation), span(kernel, dilation))
    large[:, :, ::dilation, ::dilation] = weight
    return large


def trailing_zeros(weight, dilation):
    outs, ins, kernel, _ = weight.shape
    large = torch.zeros(outs, ins, kernel * dilation, kernel * dilation)
    large[:, :, ::dilation, ::dilation] = weight
    return large


def transposed_zeros(weight, dilation):
    return right_zeros(weight, dilation).transpose(2, 3)


def zeros_written_into_input(weight, dilation):
    weight *= 0
    return weight


def gradient_columns(network, size):
    photo = torch.ones(1, 1, size, size, requires_grad=True)
    output = network(photo)
    output[0, 0, output.shape[2] // 2, output.shape[3] // 2].backward()
    return photo.grad.abs().sum(dim=(0, 1, 2)).nonzero().flatten()


def right_measurement(network, size):
    columns = gradient_columns(network, size)
    return int(columns[-1] - columns[0]) + 1


def last_minus_first(network, size):
    columns = gradient_columns(network, size)
    return int(columns[-1] - columns[0])


def whole_output(network, size):
    photo = torch.ones(1, 1, size, size, requires_grad=True)
    network(photo).sum().backward()
    columns = photo.grad.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
    return int(columns[-1] - columns[0]) + 1


def rows_instead(network, size):
    photo = torch.ones(1, 1, size, size, requires_grad=True)
    output = network(photo)[0, 0]
    output[output.shape[0] // 2, output.shape[1] // 2].backward()
    rows = photo.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    return int(rows[-1] - rows[0]) + 1


def pixels_of_the_square(network, size):
    return rows_instead(network, size) * right_measurement(network, size)


def corner_pixel(network, size):
    photo = torch.ones(1, 1, size, size, requires_grad=True)
    network(photo)[0, 0, 0, 0].backward()
    columns = photo.grad.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
    return int(columns[-1] - columns[0]) + 1


def last_stride_only(layers):
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += (kernel - 1) * dilation * jump
        jump = stride
    return field


def strides_added(layers):
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += (kernel - 1) * dilation * jump
        jump += stride - 1
    return field


def impulse(dilation):
    one = torch.zeros(dilation, dilation)
    one[0, 0] = 1
    return one


def by_kron(weight, dilation):
    span_now = span(weight.shape[2], dilation)
    return torch.kron(weight, impulse(dilation))[..., :span_now, :span_now]


def by_method(weight, dilation):
    span_now = span(weight.shape[2], dilation)
    return weight.kron(impulse(dilation))[..., :span_now, :span_now]


def by_numpy(weight, dilation):
    span_now = span(weight.shape[2], dilation)
    return np.kron(weight.numpy(), impulse(dilation).numpy())[..., :span_now, :span_now]


RIGHT = [
    (checks.output_size, right_size),
    (checks.output_size, lambda n, k, s, p, d: right_size(n, k, s, p, d)),  # the parameters' names are the learner's
    (checks.output_size, lambda n, k, s, p, d: Fraction(right_size(n, k, s, p, d))),
    (checks.output_size, lambda n, k, s, p, d: float((n + 2 * p - span(k, d)) // s + 1)),
    (checks.output_size, lambda n, k, s, p, d: Decimal(right_size(n, k, s, p, d))),
    (checks.output_size, lambda n, k, s, p, d: len(range(0, n + 2 * p - span(k, d) + 1, s))),
    (checks.receptive_field, right_field),
    (checks.receptive_field, lambda stack: torch.tensor(float(right_field(stack)), requires_grad=True)),
    (checks.zero_filled, right_zeros),
    (checks.zero_filled, lambda weight, dilation: right_zeros(weight, dilation).numpy()),
    (checks.zero_filled, lambda weight, dilation: right_zeros(weight, dilation).requires_grad_()),
    (checks.zero_filled, lambda weight, dilation: right_zeros(weight, dilation).tolist()),
    (checks.zero_filled, lambda weight, dilation: right_zeros(weight, dilation).to_sparse()),
    (checks.zero_filled, lambda weight, dilation: (kernel for kernel in right_zeros(weight, dilation).double())),
    (checks.zero_filled, lambda weight, dilation: list(right_zeros(weight, dilation))),
    (checks.dilations, [1, 3, 9, 27]),
    (checks.dilations, torch.tensor([1.0, 3, 9, 27], requires_grad=True)),
    (checks.dilations, np.array([9, 3, 27, 1])),
    (checks.dilations, (27, 1, 9, 3)),
    (checks.measured_field, right_measurement),
]

# (check, wrong answer, words that the message must hold)
WRONG = [
    (checks.output_size, lambda size, kernel, stride, padding, dilation: size // stride, ""),
    (
        checks.output_size,
        lambda size, kernel, stride, padding, dilation: (size + 2 * padding - kernel) // stride + 1,
        "dilation is not used",
    ),
    (
        checks.output_size,
        lambda size, kernel, stride, padding, dilation: (size + 2 * padding - span(kernel, dilation)) / stride + 1,
        "//",
    ),
    (
        checks.output_size,
        lambda size, kernel, stride, padding, dilation: (size + 2 * padding - span(kernel, dilation)) // stride,
        "first position",
    ),
    (
        checks.output_size,
        lambda size, kernel, stride, padding, dilation: (size + padding - span(kernel, dilation)) // stride + 1,
        "both sides",
    ),
    (checks.output_size, lambda n, k, s, p, d: -(-(n + 2 * p - span(k, d)) // s) + 1, "rounded up"),
    (checks.output_size, lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1, "steps"),
    (checks.output_size, lambda n, k, s, p, d: (n - span(k, d)) // s + 1, "too small"),
    (checks.output_size, lambda n, k, s, p, d: float("inf"), "too large"),
    (checks.output_size, lambda n, k, s, p, d: True, "a number is expected"),
    (checks.output_size, lambda n, k, s, p, d: 2j, "a number is expected"),
    (checks.output_size, lambda n, k, s, p, d: exit(), "SystemExit"),
    (
        checks.output_size,
        lambda n, k, s, p, d: F.conv1d(torch.zeros(1, 1, n), torch.ones(1, 1, k), None, s, p, d).shape[2],
        "without it",
    ),
    (checks.output_size, lambda size, kernel, stride, padding, dilation: "7", "a number is expected"),
    (checks.output_size, lambda size, kernel, stride, padding, dilation: 1 // 0, "ZeroDivisionError"),
    (checks.output_size, lambda size, kernel: size, "TypeError"),
    (
        checks.output_size,
        lambda size, kernel, stride, padding, dilation: (
            right_size(size, kernel, stride, padding, dilation) if dilation == 1 else None
        ),
        "return",
    ),
    (checks.output_size, 7, "function is expected"),
    (checks.output_size, lambda n, k, s, p, d: torch.arange(n + 2 * p).unfold(0, span(k, d), s).shape[0], "without it"),
    (checks.output_size, lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s + 1, "one pixel more"),
    (checks.output_size, lambda n, k, s, p, d: (n - span(k, d)) // s + 1, "padding is not used"),
    (checks.output_size, lambda n, k, s, p, d: n + 2 * p - span(k, d) + 1, "stride is not used"),
    (checks.output_size, lambda n, k, s, p, d: -(-n // s), "usual settings"),
    (checks.output_size, lambda n, k, s, p, d: right_size(n, k, d, p, s), "exchanged"),
    (checks.output_size, lambda n, k, s, p, d: right_size(n, k + d - 1, s, p, 1), "every one of its"),
    (checks.output_size, lambda n, k, s, p, d: round((n + 2 * p - span(k, d)) / s) + 1, "nearest"),
    (checks.receptive_field, lambda layers: right_field([(k, s * d, d) for k, s, d in layers]), "dilation as well"),
    (checks.receptive_field, lambda layers: right_field([(k, d, s) for k, s, d in layers]), "are exchanged"),
    (checks.receptive_field, lambda layers: 1 + sum(k // 2 * d for k, _, d in layers), "one side only"),
    (checks.receptive_field, lambda layers: sum(k for k, _, _ in layers), "kernels are added up"),
    (checks.receptive_field, lambda layers: right_field(layers[:1]), "inside the loop"),
    (checks.receptive_field, lambda layers: right_field(layers[:-1]), "last layer is missing"),
    (checks.receptive_field, lambda layers: right_field(layers) ** 2, "its side is asked for"),
    (checks.zero_filled, lambda weight, dilation: right_zeros(weight, dilation + 1), "`dilation` zeros"),
    (checks.zero_filled, lambda weight, dilation: right_zeros(weight, dilation).int(), "whole numbers (int32)"),
    (checks.zero_filled, lambda weight, dilation: right_zeros(weight, dilation).bfloat16(), "bfloat16 keeps"),
    (
        checks.zero_filled,
        lambda weight, dilation: F.pad(right_zeros(weight, dilation), [dilation - 1, 0] * 2),
        "before the first",
    ),
    (
        checks.zero_filled,
        lambda weight, dilation: F.interpolate(weight, size=[span(weight.shape[2], dilation)] * 2),
        "filled with copies",
    ),
    (checks.receptive_field, jump_too_early, "own stride"),
    (checks.receptive_field, lambda layers: 1 + sum((k - 1) * d for k, s, d in layers), "jump"),
    (checks.receptive_field, lambda layers: right_field([(k, s, 1) for k, s, d in layers]), "dilation"),
    (checks.receptive_field, lambda layers: right_field(layers) - 1, "itself"),
    (checks.receptive_field, lambda layers: right_field(layers[::-1]), "last to the first"),
    (checks.receptive_field, lambda layers: float("nan"), "NaN"),
    (checks.receptive_field, lambda layers: 1 + sum(k * d for k, s, d in layers), "too large"),
    (checks.receptive_field, last_stride_only, "strides multiply"),
    (checks.receptive_field, strides_added, "added up"),
    (checks.receptive_field, lambda layers: right_field(layers) + 0.5, "too large"),
    (checks.receptive_field, lambda layers: [right_field(layers)], "number is expected"),
    (checks.zero_filled, by_kron, "without it"),
    (checks.zero_filled, by_method, "without it"),
    (checks.zero_filled, by_numpy, "without it"),
    (checks.zero_filled, lambda weight, dilation: right_zeros(weight, dilation).transpose(0, 1), ""),
    (checks.zero_filled, lambda weight, dilation: right_zeros(weight.flip(2, 3), dilation), "turned around"),
    (checks.zero_filled, lambda weight, dilation: (right_zeros(weight, dilation) != 0) * 1, "there are ones"),
    (checks.zero_filled, lambda weight, dilation: right_zeros(weight, dilation) * float("nan"), "NaN"),
    (checks.zero_filled, trailing_zeros, "after the last"),
    (checks.zero_filled, lambda weight, dilation: weight, "as they came"),
    (
        checks.zero_filled,
        lambda weight, dilation: weight.repeat_interleave(dilation, 2).repeat_interleave(dilation, 3),
        "repeated",
    ),
    (checks.zero_filled, transposed_zeros, "rows and columns are exchanged"),
    (checks.zero_filled, lambda weight, dilation: right_zeros(weight, dilation)[0], "number of dimensions"),
    (checks.zero_filled, lambda weight, dilation: -right_zeros(weight, dilation), "values differ"),
    (checks.zero_filled, zeros_written_into_input, ""),
    (checks.zero_filled, lambda weight, dilation: [1, 2, 3], "tensor is expected"),
    (checks.dilations, [2, 4, 8, 16], "never read"),
    (checks.dilations, [1, 2, 4, 8], "can be wider"),
    (checks.dilations, [1, 3, 9, 28], "never read"),
    (checks.dilations, [1, 3, 9], "four dilations"),
    (checks.dilations, [0, 1, 3, 9], "1 or more"),
    (checks.dilations, "no idea", "whole numbers"),
    (checks.dilations, "1392", "whole numbers"),
    (checks.dilations, [1.5, 3.2, 9.9, 27.1], "whole numbers"),
    (checks.dilations, [1, 3, 9, float("inf")], "whole numbers"),
    (checks.dilations, [1, 3, 9, float("nan")], "whole numbers"),
    (checks.dilations, [True, 3, 9, 27], "whole numbers"),
    (checks.dilations, [[1, 3, 9, 27]], "whole numbers"),
    (checks.dilations, 27, "whole numbers"),
    (checks.dilations, [1, 1, 1, 1], "can be wider"),
    (checks.dilations, [3, 3, 3, 3], "never read"),
    (checks.dilations, [1, 1, 1, 10**9], "large"),
    (checks.measured_field, last_minus_first, "one less"),
    (checks.measured_field, lambda network, size: len(gradient_columns(network, size)), "gaps"),
    (checks.measured_field, whole_output, "one output pixel"),
    (checks.measured_field, lambda network, size: right_measurement(network, size) ** 2, "side is asked for"),
    (checks.measured_field, lambda network, size: network.nothing, "AttributeError"),
    (checks.measured_field, lambda network, size: int(gradient_columns(network, size)[-1]) + 1, "last column"),
    (checks.measured_field, lambda network, size: right_measurement(network, size) // 2, "has two"),
    (checks.measured_field, corner_pixel, "in the corner"),
    (checks.measured_field, rows_instead, "these are the rows"),
    (checks.measured_field, pixels_of_the_square, "side is asked for"),
]


class TestChecks(ExerciseChecks):
    RIGHT, WRONG = RIGHT, WRONG
    VALUES = (checks.dilations,)
    FEWEST_WRONG = 4


def test_an_answer_that_torch_cannot_compute_is_no_untouched_stub():
    verdict = checks.zero_filled(lambda weight, dilation: F.softplus(torch.zeros(3, dtype=torch.long)))
    assert verdict.state == NOT_YET and "NotImplementedError" in verdict.message


def test_the_answer_is_never_printed():
    message = checks.dilations([1, 2, 4, 8]).message + checks.dilations([2, 4, 8, 16]).message
    assert "27" not in message
    assert "81" not in message
    for answer in (0, 10**6):
        message = checks.output_size(lambda *case: answer).message  # noqa: B023
        case = dict(re.findall(r"(\w+)=(\d+)", message))
        expected = right_size(**{name: int(value) for name, value in case.items()})
        told = re.sub(r"\w+=\d+", "", message)
        assert not re.search(rf"\b{expected}\b", told) or expected == answer
