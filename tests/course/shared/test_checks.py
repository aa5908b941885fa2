"""Every exercise's check: the untouched stub, the right answer, and wrong answers that learners really give."""

import re

import torch
import torch.nn.functional as F

from exercise_checks import ExerciseChecks
from glcic_lite.course.lesson_01 import checks as receptive
from glcic_lite.course.lesson_02 import checks as downsampling
from glcic_lite.course.lesson_03 import checks as transposed
from glcic_lite.course.shared.checks import CORRECT, NOT_ATTEMPTED, NOT_YET, Verdict


def span(kernel, dilation):
    return dilation * (kernel - 1) + 1


# Lesson 01


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


# Lesson 02


def right_max_pool(photo, size):
    height, width = photo.shape
    return photo.reshape(height // size, size, width // size, size).amax(dim=(1, 3))


def reshaped_wrongly(photo, size):
    height, width = photo.shape
    return photo.reshape(size, height // size, size, width // size).amax(dim=(0, 2))


def starts_from_zero(photo, size):
    return right_max_pool(photo, size).clamp(min=0)


def right_average(channels, size):
    weights = torch.zeros(channels, channels, size, size)
    for channel in range(channels):
        weights[channel, channel] = 1 / size**2
    return weights


def grouped(channels, size):
    return torch.full((channels, 1, size, size), 1 / size**2)


def right_multiplications(layers, height, width):
    total = 0
    for kernel, stride, ins, outs in layers:
        height, width = height // stride, width // stride
        total += kernel**2 * ins * outs * height * width
    return total


def before_the_stride(layers, height, width):
    total = 0
    for kernel, stride, ins, outs in layers:
        total += kernel**2 * ins * outs * height * width
        height, width = height // stride, width // stride
    return total


def sizes_before(layers, height, width):
    for layer in layers:
        yield layer, height, width
        height, width = height // layer[1], width // layer[1]


def no_square(layers, height, width):
    return sum(
        right_multiplications([layer], height, width) // layer[0]
        for layer, height, width in sizes_before(layers, height, width)
    )


def right_blur(photo, mode="reflect", scale=1 / 16, stride=2):
    taps = torch.tensor([1.0, 2.0, 1.0])
    kernel = torch.outer(taps, taps) * scale
    channels = photo.shape[1]
    padded = F.pad(photo, [1] * 4, mode=mode)
    return F.conv2d(padded, kernel.expand(channels, 1, 3, 3), stride=stride, groups=channels)


# Lesson 03


def right_transposed_size(size, kernel, stride, padding, output_padding):
    return (size - 1) * stride - 2 * padding + kernel + output_padding


def right_matrix(weight, size, stride):
    rows = (size - len(weight)) // stride + 1
    matrix = torch.zeros(rows, size)
    for i in range(rows):
        matrix[i, i * stride : i * stride + len(weight)] = weight
    return matrix


def right_stamp(row, weight, stride, add=True):
    output = torch.zeros((len(row) - 1) * stride + len(weight))
    for i, value in enumerate(row):
        part = slice(i * stride, i * stride + len(weight))
        output[part] = output[part] * add + value * weight
    return output


def right_overlaps(size, kernel, stride):
    return right_stamp(torch.ones(size), torch.ones(kernel), stride)


RIGHT = [
    (transposed.transposed_size, right_transposed_size),
    (transposed.convolution_matrix, right_matrix),
    (transposed.stamp, right_stamp),
    (transposed.overlaps, right_overlaps),
    (transposed.overlaps, lambda size, kernel, stride: right_overlaps(size, kernel, stride).int().tolist()),
    (transposed.interpolating_weights, [0.25, 0.75, 0.75, 0.25]),
    (transposed.interpolating_weights, torch.tensor([0.25, 0.75, 0.75, 0.25])),
    (downsampling.max_pool, right_max_pool),
    (downsampling.max_pool, lambda photo, size: F.max_pool2d(photo[None], size)[0]),
    (downsampling.average_weights, right_average),
    (downsampling.not_linear, ([[1, 0], [0, 0]], [[0, 0], [0, 1]])),
    (downsampling.not_linear, (torch.tensor([[1.0, -1], [0, 0]]), -torch.tensor([[1.0, -1], [0, 0]]))),
    (downsampling.multiplications, right_multiplications),
    (downsampling.blur_pool, right_blur),
    (receptive.output_size, right_size),
    (receptive.receptive_field, right_field),
    (receptive.zero_filled, right_zeros),
    (receptive.zero_filled, lambda weight, dilation: right_zeros(weight, dilation).numpy()),
    (receptive.dilations, [1, 3, 9, 27]),
    (receptive.dilations, (27, 1, 9, 3)),
    (receptive.measured_field, right_measurement),
]

# (check, wrong answer, words that the message must hold)
WRONG = [
    (transposed.transposed_size, lambda size, stride, **rest: size * stride, "usual settings"),
    (
        transposed.transposed_size,
        lambda size, kernel, stride, padding, output_padding: right_transposed_size(
            size + 1, kernel, stride, padding, output_padding
        ),
        "n − 1 steps",
    ),
    (
        transposed.transposed_size,
        lambda size, kernel, stride, padding, output_padding: right_transposed_size(
            size, kernel, stride, -padding, output_padding
        ),
        "cuts away",
    ),
    (
        transposed.transposed_size,
        lambda size, kernel, stride, padding, output_padding: right_transposed_size(size, kernel, stride, padding, 0),
        "output_padding is not used",
    ),
    (
        transposed.transposed_size,
        lambda size, kernel, stride, padding, output_padding: (size + 2 * padding - kernel) // stride + 1,
        "turned round",
    ),
    (
        transposed.convolution_matrix,
        lambda weight, size, stride: right_matrix(weight, size, stride).T,
        "exchanged",
    ),
    (
        transposed.convolution_matrix,
        lambda weight, size, stride: right_matrix(weight.flip(0), size, stride),
        "mirrored",
    ),
    (transposed.convolution_matrix, lambda weight, size, stride: right_matrix(weight, size, 1), "not used"),
    (transposed.convolution_matrix, lambda weight, size, stride: torch.zeros(2, 2), "shape"),
    (transposed.stamp, lambda row, weight, stride: right_stamp(row, weight, stride, add=False), "replaces"),
    (transposed.stamp, lambda row, weight, stride: right_stamp(row, weight.flip(0), stride), "mirrored"),
    (transposed.stamp, lambda row, weight, stride: right_stamp(row * 0 + 1, weight, stride), "same strength"),
    (transposed.stamp, lambda row, weight, stride: right_stamp(row, weight, stride)[:-1], "shape"),
    (transposed.stamp, lambda row, weight, stride: row[99], "IndexError"),
    (
        transposed.overlaps,
        lambda size, kernel, stride: (right_overlaps(size, kernel, stride) > 0) * 1,
        "how often",
    ),
    (transposed.overlaps, lambda size, kernel, stride: right_overlaps(size, kernel, stride) - 1, "counts as one"),
    (transposed.overlaps, lambda size, kernel, stride: right_overlaps(size, kernel, 1), "shape"),
    (transposed.overlaps, lambda size, kernel, stride: ["a"], "list of numbers"),
    (transposed.interpolating_weights, [1, 1, 1, 1], "brightness"),
    (transposed.interpolating_weights, [0.5, 0.5, 0.5, 0.5], "stairs"),
    (transposed.interpolating_weights, [1, 2, 3, 4], "checkerboard"),
    (transposed.interpolating_weights, [0.75, 0.25, 0.25, 0.75], "stairs"),
    (transposed.interpolating_weights, [0.25, 0.75, 0.75], "Four"),
    (transposed.interpolating_weights, [float("nan")] * 4, "finite"),
    (transposed.interpolating_weights, ["a", 1, 1, 1], "numbers"),
    (downsampling.max_pool, reshaped_wrongly, "reshape"),
    (downsampling.max_pool, starts_from_zero, "negative"),
    (downsampling.max_pool, lambda photo, size: photo[::size, ::size], "first pixel"),
    (downsampling.max_pool, lambda photo, size: F.avg_pool2d(photo[None], size)[0], "mean"),
    (downsampling.max_pool, lambda photo, size: F.max_pool2d(photo[None], size, stride=1)[0], "its own size"),
    (downsampling.max_pool, lambda photo, size: photo.max(), "shape"),
    (downsampling.average_weights, lambda channels, size: right_average(channels, size) * size**2, "sum"),
    (downsampling.average_weights, lambda channels, size: right_average(channels, size) * size, "size × size"),
    (downsampling.average_weights, grouped, "groups"),
    (
        downsampling.average_weights,
        lambda channels, size: torch.full((channels, channels, size, size), 1 / size**2),
        "keeps channels apart",
    ),
    (downsampling.not_linear, ([[1, 0], [0, 0]], [[1, 0], [0, 0]]), "same place"),
    (downsampling.not_linear, ([[0, 0], [0, 0]], [[0, 3], [0, 1]]), "equal"),
    (downsampling.not_linear, ([[1, 0, 0]], [[0, 0], [0, 1]]), "shape"),
    (downsampling.not_linear, [[1, 0], [0, 0]], "shape"),
    (downsampling.not_linear, 5, "pair"),
    (downsampling.not_linear, ([[float("inf"), 0], [0, 0]], [[0, 0], [0, 1]]), "finite"),
    (downsampling.multiplications, before_the_stride, "its own layer's output"),
    (downsampling.multiplications, no_square, "kernel × kernel"),
    (
        downsampling.multiplications,
        lambda layers, height, width: right_multiplications([(k, 1, i, o) for k, _, i, o in layers], height, width),
        "a quarter",
    ),
    (
        downsampling.multiplications,
        lambda layers, height, width: right_multiplications([(k, s, 1, o) for k, s, i, o in layers], height, width),
        "every input channel",
    ),
    (downsampling.blur_pool, lambda photo: right_blur(photo, mode="constant"), "zeros"),
    (downsampling.blur_pool, lambda photo: right_blur(photo, mode="replicate"), "repeated"),
    (downsampling.blur_pool, lambda photo: right_blur(photo, scale=1), "add up to 1"),
    (downsampling.blur_pool, lambda photo: right_blur(photo, scale=1 / 4), "two axes"),
    (downsampling.blur_pool, lambda photo: right_blur(photo, stride=1), "not yet made smaller"),
    (downsampling.blur_pool, lambda photo: photo[..., ::2, ::2], "not blurred"),
    (downsampling.blur_pool, lambda photo: F.avg_pool2d(photo, 2), "two taps"),
    (receptive.output_size, lambda size, kernel, stride, padding, dilation: size // stride, ""),
    (
        receptive.output_size,
        lambda size, kernel, stride, padding, dilation: (size + 2 * padding - kernel) // stride + 1,
        "dilation is not used",
    ),
    (
        receptive.output_size,
        lambda size, kernel, stride, padding, dilation: (size + 2 * padding - span(kernel, dilation)) / stride + 1,
        "//",
    ),
    (
        receptive.output_size,
        lambda size, kernel, stride, padding, dilation: (size + 2 * padding - span(kernel, dilation)) // stride,
        "first position",
    ),
    (
        receptive.output_size,
        lambda size, kernel, stride, padding, dilation: (size + padding - span(kernel, dilation)) // stride + 1,
        "both sides",
    ),
    (receptive.output_size, lambda size, kernel, stride, padding, dilation: "7", "a number is expected"),
    (receptive.output_size, lambda size, kernel, stride, padding, dilation: 1 // 0, "ZeroDivisionError"),
    (receptive.output_size, lambda size, kernel: size, "TypeError"),
    (
        receptive.output_size,
        lambda size, kernel, stride, padding, dilation: (
            right_size(size, kernel, stride, padding, dilation) if dilation == 1 else None
        ),
        "return",
    ),
    (receptive.output_size, 7, "function is expected"),
    (receptive.receptive_field, jump_too_early, "own stride"),
    (receptive.receptive_field, lambda layers: 1 + sum((k - 1) * d for k, s, d in layers), "jump"),
    (receptive.receptive_field, lambda layers: right_field([(k, s, 1) for k, s, d in layers]), "dilation"),
    (receptive.receptive_field, lambda layers: right_field(layers) - 1, "itself"),
    (receptive.receptive_field, lambda layers: right_field(layers[::-1]), "last to the first"),
    (receptive.receptive_field, lambda layers: float("nan"), "NaN"),
    (receptive.zero_filled, trailing_zeros, "after the last"),
    (receptive.zero_filled, lambda weight, dilation: weight, "as they came"),
    (
        receptive.zero_filled,
        lambda weight, dilation: torch.kron(weight, torch.ones(dilation, dilation)),
        "repeated",
    ),
    (receptive.zero_filled, transposed_zeros, "values differ"),
    (receptive.zero_filled, lambda weight, dilation: right_zeros(weight, dilation)[0], "number of dimensions"),
    (receptive.zero_filled, lambda weight, dilation: -right_zeros(weight, dilation), "values differ"),
    (receptive.zero_filled, zeros_written_into_input, ""),
    (receptive.zero_filled, lambda weight, dilation: [1, 2, 3], "tensor is expected"),
    (receptive.dilations, [2, 4, 8, 16], "never read"),
    (receptive.dilations, [1, 2, 4, 8], "can be wider"),
    (receptive.dilations, [1, 3, 9, 28], "never read"),
    (receptive.dilations, [1, 3, 9], "four dilations"),
    (receptive.dilations, [0, 1, 3, 9], "1 or more"),
    (receptive.dilations, "no idea", "whole numbers"),
    (receptive.dilations, [1, 1, 1, 10**9], "large"),
    (receptive.measured_field, last_minus_first, "one less"),
    (receptive.measured_field, lambda network, size: len(gradient_columns(network, size)), "gaps"),
    (receptive.measured_field, whole_output, "one output pixel"),
    (receptive.measured_field, lambda network, size: right_measurement(network, size) ** 2, "side is asked for"),
    (receptive.measured_field, lambda network, size: network.nothing, "AttributeError"),
]


class TestChecks(ExerciseChecks):
    RIGHT, WRONG = RIGHT, WRONG
    VALUES = (receptive.dilations, downsampling.not_linear, transposed.interpolating_weights)
    FEWEST_WRONG = 4


def test_an_answer_that_torch_cannot_compute_is_no_untouched_stub():
    verdict = receptive.zero_filled(lambda weight, dilation: F.softplus(torch.zeros(3, dtype=torch.long)))
    assert verdict.state == NOT_YET and "NotImplementedError" in verdict.message


def test_the_answer_is_never_printed():
    message = receptive.dilations([1, 2, 4, 8]).message + receptive.dilations([2, 4, 8, 16]).message
    assert "0.75" not in transposed.interpolating_weights([0.5, 0.5, 0.5, 0.5]).message
    assert "27" not in message
    assert "81" not in message
    for answer in (0, 10**6):
        message = receptive.output_size(lambda **case: answer).message  # noqa: B023
        case = dict(re.findall(r"(\w+)=(\d+)", message))
        expected = right_size(**{name: int(value) for name, value in case.items()})
        told = re.sub(r"\w+=\d+", "", message)
        assert not re.search(rf"\b{expected}\b", told) or expected == answer


def test_a_verdict_speaks_in_words_and_with_a_mark():
    for state, mark in ((NOT_ATTEMPTED, "○"), (NOT_YET, "✗"), (CORRECT, "✓")):
        verdict = Verdict("Exercise 1", state, "Words.")
        for text in (repr(verdict), verdict._repr_markdown_()):
            assert mark in text and state in text and "Exercise 1" in text and "Words." in text
