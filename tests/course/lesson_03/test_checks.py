"""The checks of lesson 03: the untouched stub, right answers, and wrong ones that learners really give."""

import torch

from exercise_checks import ExerciseChecks
from glcic_lite.course.lesson_03 import checks


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
    (checks.transposed_size, right_transposed_size),
    (checks.convolution_matrix, right_matrix),
    (checks.stamp, right_stamp),
    (checks.overlaps, right_overlaps),
    (checks.overlaps, lambda size, kernel, stride: right_overlaps(size, kernel, stride).int().tolist()),
    (checks.interpolating_weights, [0.25, 0.75, 0.75, 0.25]),
    (checks.interpolating_weights, torch.tensor([0.25, 0.75, 0.75, 0.25])),
]

# (check, wrong answer, words that the message must hold)
WRONG = [
    (checks.transposed_size, lambda size, stride, **rest: size * stride, "usual settings"),
    (
        checks.transposed_size,
        lambda size, kernel, stride, padding, output_padding: right_transposed_size(
            size + 1, kernel, stride, padding, output_padding
        ),
        "n − 1 steps",
    ),
    (
        checks.transposed_size,
        lambda size, kernel, stride, padding, output_padding: right_transposed_size(
            size, kernel, stride, -padding, output_padding
        ),
        "cuts away",
    ),
    (
        checks.transposed_size,
        lambda size, kernel, stride, padding, output_padding: right_transposed_size(size, kernel, stride, padding, 0),
        "output_padding is not used",
    ),
    (
        checks.transposed_size,
        lambda size, kernel, stride, padding, output_padding: (size + 2 * padding - kernel) // stride + 1,
        "turned around",
    ),
    (
        checks.convolution_matrix,
        lambda weight, size, stride: right_matrix(weight, size, stride).T,
        "exchanged",
    ),
    (
        checks.convolution_matrix,
        lambda weight, size, stride: right_matrix(weight.flip(0), size, stride),
        "mirrored",
    ),
    (checks.convolution_matrix, lambda weight, size, stride: right_matrix(weight, size, 1), "not used"),
    (checks.convolution_matrix, lambda weight, size, stride: torch.zeros(2, 2), "shape"),
    (checks.stamp, lambda row, weight, stride: right_stamp(row, weight, stride, add=False), "replaces"),
    (checks.stamp, lambda row, weight, stride: right_stamp(row, weight.flip(0), stride), "mirrored"),
    (checks.stamp, lambda row, weight, stride: right_stamp(row * 0 + 1, weight, stride), "same strength"),
    (checks.stamp, lambda row, weight, stride: right_stamp(row, weight, stride)[:-1], "shape"),
    (checks.stamp, lambda row, weight, stride: row[99], "IndexError"),
    (
        checks.overlaps,
        lambda size, kernel, stride: (right_overlaps(size, kernel, stride) > 0) * 1,
        "how often",
    ),
    (checks.overlaps, lambda size, kernel, stride: right_overlaps(size, kernel, stride) - 1, "counts as one"),
    (checks.overlaps, lambda size, kernel, stride: right_overlaps(size, kernel, 1), "shape"),
    (checks.overlaps, lambda size, kernel, stride: ["a"], "list of numbers"),
    (checks.interpolating_weights, [1, 1, 1, 1], "brightness"),
    (checks.interpolating_weights, [0.5, 0.5, 0.5, 0.5], "stairs"),
    (checks.interpolating_weights, [1, 2, 3, 4], "checkerboard"),
    (checks.interpolating_weights, [0.75, 0.25, 0.25, 0.75], "stairs"),
    (checks.interpolating_weights, [0.25, 0.75, 0.75], "Four"),
    (checks.interpolating_weights, [float("nan")] * 4, "finite"),
    (checks.interpolating_weights, ["a", 1, 1, 1], "numbers"),
]


class TestChecks(ExerciseChecks):
    RIGHT, WRONG = RIGHT, WRONG
    VALUES = (checks.interpolating_weights,)
    FEWEST_WRONG = 4


def test_the_answer_is_never_printed():
    assert "0.75" not in checks.interpolating_weights([0.5, 0.5, 0.5, 0.5]).message
