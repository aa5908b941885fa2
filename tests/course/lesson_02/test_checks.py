"""The checks of lesson 02: the untouched stub, right answers, and wrong ones that learners really give."""

from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import nn

from exercise_checks import ExerciseChecks
from glcic_lite.course.lesson_02 import checks


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


def over_the_blocks(photo, size):
    height, width = photo.shape
    return photo.reshape(height // size, size, width // size, size).amax(dim=(0, 2))


def each_by_itself(layers, height, width):
    return sum(right_multiplications([layer], height, width) for layer in layers)


def one_axis(photo, down, across):
    kernel = torch.outer(torch.tensor(down).float(), torch.tensor(across).float()) / 16
    channels = photo.shape[1]
    padded = F.pad(photo, [1] * 4, mode="reflect")
    return F.conv2d(padded, kernel.expand(channels, 1, 3, 3), stride=2, groups=channels)


def even_sizes_only(photo):
    return right_blur(photo)[..., : photo.shape[2] // 2, : photo.shape[3] // 2]


def strides_of_two_only(layers, height, width):
    return right_multiplications([(k, s if s == 2 else 1, i, o) for k, s, i, o in layers], height, width)


RIGHT = [
    (checks.max_pool, right_max_pool),
    (checks.max_pool, lambda photo, size: photo.unfold(0, size, size).unfold(1, size, size).amax((2, 3))),
    (checks.max_pool, lambda picture, side: right_max_pool(picture, side).tolist()),
    (checks.average_weights, right_average),
    (checks.average_weights, lambda channels, size: right_average(channels, size).requires_grad_()),
    (checks.not_linear, ([[1, 0], [0, 0]], [[0, 0], [0, 1]])),
    (checks.not_linear, torch.tensor([[[1.0, 0], [0, 0]], [[0, 0], [0, 1]]], requires_grad=True)),
    (checks.not_linear, (torch.tensor([[1.0, -1], [0, 0]]), -torch.tensor([[1.0, -1], [0, 0]]))),
    (checks.not_linear, ([[1e-10, 0], [0, 0]], [[0, 1e-10], [0, 0]])),
    (checks.average_weights, lambda channels, size: (kernel for kernel in right_average(channels, size))),
    (checks.multiplications, right_multiplications),
    (checks.multiplications, lambda stack, h, w: Fraction(right_multiplications(stack, h, w))),
    (checks.multiplications, lambda stack, h, w: float(right_multiplications(stack, h, w))),
    (checks.blur_pool, right_blur),
    (checks.blur_pool, lambda photo: right_blur(photo.double().float().requires_grad_())),
]

# (check, wrong answer, words that the message must hold)
WRONG = [
    (checks.max_pool, lambda p, n: p.reshape(len(p) // n, n, -1, n).amax(dim=(2, 3)), "which two are inside"),
    (checks.max_pool, lambda photo, size: photo.max(), "of the whole photo"),
    (checks.max_pool, lambda photo, size: photo[size - 1 :: size, size - 1 :: size], "last pixel"),
    (checks.max_pool, lambda photo, size: right_max_pool(photo, size).T, "exchanged"),
    (checks.max_pool, lambda photo, size: right_max_pool(photo.abs(), size), "signs are lost"),
    (checks.max_pool, lambda photo, size: right_max_pool(photo, size).repeat_interleave(size, 0), "shape should be"),
    (checks.max_pool, lambda photo, size: F.adaptive_max_pool2d(photo[None], (len(photo) // size, 1)), "without it"),
    (checks.average_weights, lambda channels, size: torch.ones(channels, channels, size, size), "add up to 1"),
    (checks.average_weights, lambda channels, size: right_average(1, size), "one channel only"),
    (checks.average_weights, lambda channels, size: right_average(channels, size).permute(2, 3, 0, 1), "order of the"),
    (checks.average_weights, lambda channels, size: right_average(channels, size).long() // size**2, "whole numbers"),
    (checks.average_weights, lambda channels, size: right_average(channels, size).half(), "float16 keeps"),
    (checks.not_linear, ([[1.7e308, 0], [0, 0]], [[0, 1.7e308], [0, 0]]), "infinite"),
    (checks.not_linear, ([[2, 2], [2, 2]], [[1, 0], [0, 0]]), "equal"),
    (checks.not_linear, ([1, 0, 0, 0], [0, 0, 0, 1]), "2 × 2 is expected"),
    (checks.multiplications, lambda stack, h, w: right_multiplications(stack[:1], h, w), "first layer counts"),
    (checks.multiplications, lambda stack, h, w: 2 * right_multiplications(stack, h, w), "additions are counted"),
    (checks.multiplications, lambda stack, h, w: sum(k * k * i * o for k, _, i, o in stack), "these are the weights"),
    (checks.multiplications, lambda stack, h, w: right_multiplications(stack, h, h), "no square"),
    (
        checks.multiplications,
        lambda stack, h, w: right_multiplications([(k, s, i, 1) for k, s, i, o in stack], h, w),
        "output channels are missing",
    ),
    (
        checks.multiplications,
        lambda stack, h, w: right_multiplications([(k, s, i + o, 1) for k, s, i, o in stack], h, w),
        "not added",
    ),
    (checks.blur_pool, lambda photo: right_blur(photo, mode="circular"), "opposite side"),
    (checks.blur_pool, lambda photo: right_blur(photo, stride=1)[..., 1:-1:2, 1:-1:2], "not padded"),
    (
        checks.blur_pool,
        lambda photo: right_blur(photo.sum(1, keepdim=True)).expand(photo[..., ::2, ::2].shape),
        "added",
    ),
    (checks.blur_pool, lambda photo: right_blur(photo, stride=1)[..., 1::2, ::2], "rows begin"),
    (checks.blur_pool, lambda photo: F.max_pool2d(photo, 2), "max pooling"),
    (checks.blur_pool, even_sizes_only, "the shape should be (1, 2, 4, 5)"),
    (checks.multiplications, strides_of_two_only, "too large"),
    (checks.not_linear, ([[1e20, 0], [0, 0]], [[0, 0], [0, 1]]), "proves nothing."),
    (checks.not_linear, ([[1, 1], [1, 1]], [[0, 0], [0, 2]]), "at the same place"),
    (checks.max_pool, reshaped_wrongly, "reshape"),
    (checks.max_pool, starts_from_zero, "negative"),
    (checks.max_pool, lambda photo, size: photo[::size, ::size], "first pixel"),
    (checks.max_pool, lambda photo, size: F.avg_pool2d(photo[None], size)[0], "mean"),
    (checks.max_pool, lambda photo, size: photo.unfold(0, size, 1).unfold(1, size, 1).amax((2, 3)), "its own size"),
    (checks.max_pool, lambda photo, size: F.max_pool2d(photo[None], size)[0], "without it"),
    (checks.max_pool, lambda photo, size: nn.MaxPool2d(size)(photo[None])[0], "without it"),
    (checks.max_pool, lambda photo, size: torch.max_pool2d(photo[None], size)[0], "without it"),
    (checks.max_pool, lambda p, n: F.adaptive_max_pool2d(p[None], (len(p) // n, p.shape[1] // n))[0], "without it"),
    (checks.max_pool, over_the_blocks, "within each block"),
    (checks.max_pool, lambda photo, size: -right_max_pool(-photo, size), "smallest"),
    (checks.max_pool, lambda photo, size: photo.unfold(0, size, size).amax(2), "as wide as it is high"),
    (checks.max_pool, lambda photo, size: photo.unfold(1, size, size).amax(2), "as high as it is wide"),
    (checks.max_pool, lambda photo, size: photo.max(), "shape"),
    (checks.average_weights, lambda channels, size: right_average(channels, size) * size**2, "sum"),
    (checks.average_weights, lambda channels, size: right_average(channels, size) * size, "size × size"),
    (checks.average_weights, grouped, "groups"),
    (
        checks.average_weights,
        lambda n, size: right_average(n, size) * size**2 * (torch.arange(size) == 0).outer(torch.arange(size) == 0),
        "first pixel",
    ),
    (checks.average_weights, lambda n, size: right_average(n, size) / n, "by itself"),
    (checks.average_weights, lambda n, size: torch.full((n, n, size, size), 1 / (n * size**2)), "over all channels"),
    (checks.average_weights, lambda n, size: torch.full((size, size), 1 / size**2), "number of dimensions"),
    (checks.average_weights, lambda n, size: 1 / size**2, "tensor is expected"),
    (checks.average_weights, lambda n, size: right_average(size, n), ""),
    (
        checks.average_weights,
        lambda channels, size: torch.full((channels, channels, size, size), 1 / size**2),
        "keeps channels apart",
    ),
    (checks.not_linear, ([[1, 0], [0, 0]], [[1, 0], [0, 0]]), "same place"),
    (checks.not_linear, ([[0, 0], [0, 0]], [[0, 3], [0, 1]]), "equal"),
    (checks.not_linear, ([[1, 0, 0]], [[0, 0], [0, 1]]), "shape"),
    (checks.not_linear, [[1, 0], [0, 0]], "shape"),
    (checks.not_linear, 5, "pair"),
    (checks.not_linear, "no", "pair"),
    (checks.not_linear, {"x": 1, "y": 2}, "pair"),
    (checks.not_linear, ([[1j, 0], [0, 0]], [[0, 0], [0, 1]]), "pair"),
    (checks.not_linear, ([[1, 0], [0]], [[0, 0], [0, 1]]), "pair"),
    (checks.not_linear, ([[float("inf"), 0], [0, 0]], [[0, 0], [0, 1]]), "finite"),
    (checks.multiplications, before_the_stride, "its own layer's output"),
    (checks.multiplications, each_by_itself, "multiply up"),
    (
        checks.multiplications,
        lambda stack, h, w: right_multiplications([(k, s * s, i, o) for k, s, i, o in stack], h, w),
        "quarters",
    ),
    (checks.multiplications, lambda stack, h, w: sum(k * k * i * o for k, _, i, o in stack), "too small"),
    (checks.multiplications, lambda stack, h, w: right_multiplications(stack[:1], h, w), "too small"),
    (checks.multiplications, lambda stack, h, w: right_multiplications(stack, h, w) + 1, "By one"),
    (checks.multiplications, lambda stack, h, w: float("inf"), "too large"),
    (checks.multiplications, no_square, "kernel × kernel"),
    (
        checks.multiplications,
        lambda layers, height, width: right_multiplications([(k, 1, i, o) for k, _, i, o in layers], height, width),
        "a quarter",
    ),
    (
        checks.multiplications,
        lambda layers, height, width: right_multiplications([(k, s, 1, o) for k, s, i, o in layers], height, width),
        "every input channel",
    ),
    (checks.blur_pool, lambda photo: right_blur(photo, mode="constant"), "zeros"),
    (checks.blur_pool, lambda photo: right_blur(photo, mode="replicate"), "repeated"),
    (checks.blur_pool, lambda photo: right_blur(photo, scale=1), "add up to 1"),
    (checks.blur_pool, lambda photo: right_blur(photo, scale=1 / 4), "two axes"),
    (checks.blur_pool, lambda photo: right_blur(photo, stride=1), "not yet made smaller"),
    (checks.blur_pool, lambda photo: one_axis(photo, (0, 4, 0), (1, 2, 1)), "across, but not down"),
    (checks.blur_pool, lambda photo: one_axis(photo, (1, 2, 1), (0, 4, 0)), "down, but not across"),
    (checks.blur_pool, lambda photo: one_axis(photo, (4 / 3,) * 3, (4 / 3,) * 3), "nine weights are equal"),
    (checks.blur_pool, lambda photo: right_blur(photo, stride=1)[..., 1::2, 1::2], "with the second"),
    (checks.blur_pool, lambda photo: right_blur(photo[..., ::2, ::2], stride=1), "after it was made smaller"),
    (checks.blur_pool, lambda photo: right_blur(photo)[:1], ""),
    (checks.blur_pool, lambda photo: photo[..., ::2, ::2], "not blurred"),
    (checks.blur_pool, lambda photo: F.avg_pool2d(photo, 2), "two taps"),
]


class TestChecks(ExerciseChecks):
    RIGHT, WRONG = RIGHT, WRONG
    VALUES = (checks.not_linear,)
    FEWEST_WRONG = 4
