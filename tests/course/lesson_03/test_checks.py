"""The checks of lesson 03: the untouched stub, right answers, and wrong ones that learners really give."""

from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import nn

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


def by_backward(row, weight, stride):
    photo = torch.zeros((len(row) - 1) * stride + len(weight), requires_grad=True)
    F.conv1d(photo[None, None], weight[None, None], stride=stride)[0, 0].backward(row)
    return photo.grad


RIGHT = [
    (checks.transposed_size, right_transposed_size),
    (checks.transposed_size, lambda n, k, s, p, o: Fraction(right_transposed_size(n, k, s, p, o))),
    (checks.convolution_matrix, right_matrix),
    (checks.convolution_matrix, lambda w, size, stride: right_matrix(w, size, stride).tolist()),
    (checks.convolution_matrix, lambda w, size, stride: list(right_matrix(w, size, stride))),
    (checks.convolution_matrix, lambda w, size, stride: (row for row in right_matrix(w, size, stride).numpy())),
    (checks.stamp, right_stamp),
    (checks.stamp, lambda row, weight, stride: right_stamp(row, weight, stride).tolist()),
    (checks.stamp, lambda row, weight, stride: list(right_stamp(row, weight, stride))),
    (checks.stamp, lambda row, weight, stride: right_stamp(row, weight, stride).requires_grad_()),
    (checks.overlaps, right_overlaps),
    (checks.overlaps, lambda size, kernel, stride: right_overlaps(size, kernel, stride).int().tolist()),
    (checks.overlaps, lambda size, kernel, stride: right_overlaps(size, kernel, stride).requires_grad_()),
    (checks.overlaps, lambda size, kernel, stride: (int(n) for n in right_overlaps(size, kernel, stride))),
    (checks.overlaps, lambda size, kernel, stride: [Fraction(int(n)) for n in right_overlaps(size, kernel, stride)]),
    (checks.interpolating_weights, torch.tensor([[[0.25, 0.75, 0.75, 0.25]]])),
    (checks.interpolating_weights, [0.25, 0.75, 0.75, 0.25]),
    (checks.interpolating_weights, [Fraction(1, 4), Fraction(3, 4), Fraction(3, 4), Fraction(1, 4)]),
    (checks.interpolating_weights, nn.Parameter(torch.tensor([0.25, 0.75, 0.75, 0.25]))),
    (checks.interpolating_weights, torch.tensor([0.25, 0.75, 0.75, 0.25])),
]

# (check, wrong answer, words that the message must hold)
WRONG = [
    (checks.transposed_size, lambda size, kernel, stride, *rest: size * stride, "usual settings"),
    (checks.transposed_size, lambda n, k, s, p, o: n * s - 2 * p + o, "one stride"),
    (checks.transposed_size, lambda n, k, s, p, o: (n - 1) * s - 2 * p + k - 1 + o, "kernel itself"),
    (checks.transposed_size, lambda n, k, s, p, o: (n - 1) * s - 2 * p + k + 2 * o, "one end only"),
    (checks.transposed_size, lambda n, k, s, p, o: (n - 1) * s - p + k + o, "both sides"),
    (checks.transposed_size, lambda n, k, s, p, o: float("inf"), "too large"),
    (
        checks.transposed_size,
        lambda n, k, s, p, o: F.conv_transpose1d(torch.ones(1, 1, n), torch.ones(1, 1, k), None, s, p, o).shape[2],
        "without it",
    ),
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
    (checks.transposed_size, lambda n, k, s, p, o: right_transposed_size(n, k, s, 0, o), "padding is not used"),
    (checks.transposed_size, lambda n, k, s, p, o: right_transposed_size(n, k, 1, p, o), "stride is not used"),
    (checks.transposed_size, lambda n, k, s, p, o: right_transposed_size(n, k, s, p, -o), "taken away"),
    (checks.transposed_size, lambda n, k, s, p, o: n * k - 2 * p + o, "side by side"),
    (checks.transposed_size, lambda n, k, s, p, o: (n - 1) * s - 2 * p + o, "last stamp is missing"),
    (checks.convolution_matrix, lambda w, n, s: right_matrix(w, n, s).flip(0), "rows are in reverse"),
    (checks.convolution_matrix, lambda w, n, s: right_matrix(w, n, s)[:-1], "last row is missing"),
    (checks.convolution_matrix, lambda w, n, s: right_matrix(w, n, s).roll(1, 1), "by one column"),
    (checks.convolution_matrix, lambda w, n, s: right_matrix(w, n, s).int(), "whole numbers"),
    (checks.convolution_matrix, lambda w, n, s: F.pad(right_matrix(w, n, s), [0, 0, 0, n])[:n], "up to a square"),
    (checks.convolution_matrix, lambda weight, size, stride: torch.zeros(2, 2), "shape"),
    (checks.convolution_matrix, lambda w, n, s: right_matrix(w, n, 1)[: (n - len(w)) // s + 1], "number of rows only"),
    (checks.convolution_matrix, lambda w, n, s: right_matrix(w * 0 + 1, n, s), "there are ones"),
    (checks.convolution_matrix, lambda w, n, s: right_matrix(w, n, s).to(torch.complex64), "real numbers"),
    (checks.convolution_matrix, lambda w, n, s: right_matrix(w, n, s)[0], "number of dimensions"),
    (checks.convolution_matrix, lambda w, n, s: [[1, 2], [3]], "tensor is expected"),
    (checks.convolution_matrix, lambda w, n, s: "matrix", "tensor is expected"),
    (checks.stamp, lambda row, weight, stride: right_stamp(row, weight, stride, add=False), "replaces"),
    (checks.stamp, lambda row, weight, stride: right_stamp(row, weight.flip(0), stride), "mirrored"),
    (checks.stamp, lambda row, weight, stride: right_stamp(row * 0 + 1, weight, stride), "same strength"),
    (checks.stamp, lambda row, weight, stride: right_stamp(row, weight, stride)[:-1], "shape"),
    (checks.stamp, lambda row, weight, stride: row[99], "IndexError"),
    (checks.stamp, by_backward, "without it"),
    (
        checks.stamp,
        lambda row, weight, stride: torch.nn.grad.conv1d_input(
            (1, 1, (len(row) - 1) * stride + len(weight)), weight[None, None], row[None, None], stride
        )[0, 0],
        "without it",
    ),
    (checks.stamp, lambda row, weight, stride: right_stamp(row, weight, len(weight)), "side by side"),
    (checks.stamp, lambda row, weight, stride: right_stamp(row, weight, stride + 1), "`stride` zeros"),
    (checks.stamp, lambda row, weight, stride: right_stamp(F.pad(row[:-1], [0, 1]), weight, stride), "last pixel's"),
    (checks.stamp, lambda row, weight, stride: right_stamp(row.flip(0), weight, stride), "from its end"),
    (checks.stamp, lambda row, weight, stride: right_stamp(row, weight, stride)[None], "number of dimensions"),
    (
        checks.stamp,
        lambda row, weight, stride: F.conv_transpose1d(row[None, None], weight[None, None], stride=stride)[0, 0],
        "without it",
    ),
    (
        checks.stamp,
        lambda row, weight, stride: torch.conv_transpose1d(row[None, None], weight[None, None], stride=stride)[0, 0],
        "without it",
    ),
    (
        checks.stamp,
        lambda row, weight, stride: nn.ConvTranspose1d(1, 1, len(weight), stride)(row[None])[0],
        "without it",
    ),
    (checks.stamp, lambda row, weight, stride: right_stamp(row, weight, 1), "not used"),
    (checks.stamp, lambda row, weight, stride: right_stamp(row, weight * 0 + 1, stride), "weights are not used"),
    (checks.stamp, lambda row, weight, stride: F.pad(right_stamp(row, weight, stride), [0, stride - 1]), ""),
    (checks.stamp, lambda row, weight, stride: right_stamp(row, weight, stride)[: len(row) * stride], ""),
    (checks.stamp, lambda row, weight, stride: row.sum() * weight.sum(), "shape"),
    (
        checks.overlaps,
        lambda size, kernel, stride: (right_overlaps(size, kernel, stride) > 0) * 1,
        "how often",
    ),
    (checks.overlaps, lambda size, kernel, stride: right_overlaps(size, kernel, stride) - 1, "counts as one"),
    (checks.overlaps, lambda size, kernel, stride: right_overlaps(size, kernel, stride + 1), "shape"),
    (checks.overlaps, lambda size, kernel, stride: ["a"], "list of numbers"),
    (checks.overlaps, lambda size, kernel, stride: right_overlaps(kernel, size, stride), "exchanged"),
    (checks.overlaps, lambda size, kernel, stride: right_overlaps(size, kernel, 1), "not used"),
    (checks.overlaps, lambda n, k, s: right_stamp(torch.arange(n) + 1.0, torch.ones(k), s), "numbers are added up"),
    (checks.overlaps, lambda n, k, s: right_overlaps(n, k, s) * 0 + k / s, "towards the border"),
    (checks.overlaps, lambda n, k, s: right_overlaps(n, k, s)[: n * s], ""),
    (checks.overlaps, lambda n, k, s: k // s, "shape"),
    (checks.overlaps, lambda n, k, s: F.pad(right_overlaps(n - 1, k, s), [0, s]), "one stamp is missing"),
    (checks.overlaps, lambda n, k, s: right_overlaps(n, k + 1, s)[:-1], "one pixel too many"),
    (checks.overlaps, lambda n, k, s: right_overlaps(n, k, s)[1:-1], "first and the last"),
    (checks.overlaps, lambda n, k, s: right_overlaps(n, k, s) * 0 + -(-k // s), "most there can be"),
    (checks.overlaps, lambda n, k, s: right_overlaps(n, k, s) + 0.4, "too large"),
    (checks.interpolating_weights, [1, 1, 1, 1], "brightness"),
    (checks.interpolating_weights, [0.5, 0.5, 0.5, 0.5], "stairs"),
    (checks.interpolating_weights, [1, 2, 3, 4], "checkerboard"),
    (checks.interpolating_weights, [0.75, 0.25, 0.25, 0.75], "stairs"),
    (checks.interpolating_weights, [0.25, 0.75, 0.75], "Four"),
    (checks.interpolating_weights, [float("nan")] * 4, "finite"),
    (checks.interpolating_weights, ["a", 1, 1, 1], "numbers"),
    (checks.interpolating_weights, [0.75, 0.75, 0.25, 0.25], ""),
    (checks.interpolating_weights, [0, 1, 1, 0], "stairs"),
    (checks.interpolating_weights, [1, 0.5, 0, 0.5], ""),
    (checks.interpolating_weights, [0, 0.25, 1, 0.75], "stairs"),
    (checks.interpolating_weights, [1e300] * 4, ""),
    (checks.interpolating_weights, [float("inf"), 1, 1, 1], "finite"),
    (checks.interpolating_weights, [[0.25, 0.75, 0.75, 0.25]], "numbers"),
    (checks.interpolating_weights, 0.25, "numbers"),
    (checks.interpolating_weights, [1j] * 4, "numbers"),
]


class TestChecks(ExerciseChecks):
    RIGHT, WRONG = RIGHT, WRONG
    VALUES = (checks.interpolating_weights,)
    FEWEST_WRONG = 4


def test_the_answer_is_never_printed():
    assert "0.75" not in checks.interpolating_weights([0.5, 0.5, 0.5, 0.5]).message
