"""The checks of lesson 02: the untouched stub, right answers, and wrong ones that learners really give."""

import torch
import torch.nn.functional as F

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


RIGHT = [
    (checks.max_pool, right_max_pool),
    (checks.max_pool, lambda photo, size: F.max_pool2d(photo[None], size)[0]),
    (checks.average_weights, right_average),
    (checks.not_linear, ([[1, 0], [0, 0]], [[0, 0], [0, 1]])),
    (checks.not_linear, (torch.tensor([[1.0, -1], [0, 0]]), -torch.tensor([[1.0, -1], [0, 0]]))),
    (checks.multiplications, right_multiplications),
    (checks.blur_pool, right_blur),
]

# (check, wrong answer, words that the message must hold)
WRONG = [
    (checks.max_pool, reshaped_wrongly, "reshape"),
    (checks.max_pool, starts_from_zero, "negative"),
    (checks.max_pool, lambda photo, size: photo[::size, ::size], "first pixel"),
    (checks.max_pool, lambda photo, size: F.avg_pool2d(photo[None], size)[0], "mean"),
    (checks.max_pool, lambda photo, size: F.max_pool2d(photo[None], size, stride=1)[0], "its own size"),
    (checks.max_pool, lambda photo, size: photo.max(), "shape"),
    (checks.average_weights, lambda channels, size: right_average(channels, size) * size**2, "sum"),
    (checks.average_weights, lambda channels, size: right_average(channels, size) * size, "size × size"),
    (checks.average_weights, grouped, "groups"),
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
    (checks.not_linear, ([[float("inf"), 0], [0, 0]], [[0, 0], [0, 1]]), "finite"),
    (checks.multiplications, before_the_stride, "its own layer's output"),
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
    (checks.blur_pool, lambda photo: photo[..., ::2, ::2], "not blurred"),
    (checks.blur_pool, lambda photo: F.avg_pool2d(photo, 2), "two taps"),
]


class TestChecks(ExerciseChecks):
    RIGHT, WRONG = RIGHT, WRONG
    VALUES = (checks.not_linear,)
    FEWEST_WRONG = 4
