"""Lesson 02: its four ways to make a picture smaller, its test pattern, and its explorer."""

import numpy as np
import pytest
import torch

from glcic_lite.course.lesson_02.blur import blur_then_stride
from glcic_lite.course.lesson_02.explorer import OPERATIONS, PATTERNS, SIZE, DownsamplingExplorer, pattern, shrunk
from glcic_lite.course.lesson_02.figures import zone_plate
from lesson_cells import from_lesson

(WAYS,) = from_lesson(2, "WAYS")


@pytest.mark.parametrize("shrink", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_shrinking_keeps_a_constant_and_divides_the_size(shrink, stride):
    smaller = shrink(torch.full((2, 3, 16, 24), 0.7), stride)
    assert smaller.shape == (2, 3, 16 // stride, 24 // stride)
    assert torch.allclose(smaller, torch.full_like(smaller, 0.7))


def test_a_blur_takes_the_finest_stripes_out_and_a_bare_stride_does_not():
    stripes = torch.zeros(1, 1, 16, 16)
    stripes[..., ::2] = 1
    assert torch.allclose(blur_then_stride(stripes, 2), torch.full((1, 1, 8, 8), 0.5))
    assert WAYS["bare stride"](stripes, 2).min() == 1


def test_the_zone_plate_is_finest_at_its_edge():
    plate = zone_plate(64)
    assert plate.shape == (1, 1, 64, 64)
    assert plate.min() >= 0 and plate.max() <= 1
    row = plate[0, 0, 32]
    assert row[32] == 1
    assert row.diff().abs()[32:36].mean() < 0.2 * row.diff().abs()[-4:].mean()


# The explorer


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("window", "stride"), [(1, 1), (2, 2), (3, 2), (5, 5), (2, 5)])
def test_shrinking_agrees_with_loops(operation, window, stride):
    values = pattern("a slope", 1)
    smaller = shrunk(values, operation, window, stride)
    assert len(smaller) == (SIZE - window) // stride + 1
    for i, j in np.ndindex(smaller.shape):
        block = values[i * stride : i * stride + window, j * stride : j * stride + window]
        half = window // 2
        expected = {
            "max pooling": block.max(),
            "average pooling": block.mean(),
            "strided convolution (mean)": block.mean(),
            "strided convolution (edges)": block[:, window - half :].mean() - block[:, :half].mean() if half else 0,
        }[operation]
        assert smaller[i, j] == pytest.approx(expected)


def test_a_mean_by_convolution_is_average_pooling_in_the_explorer_too():
    for name in PATTERNS:
        one = shrunk(pattern(name, 0), "strided convolution (mean)", 3, 2)
        assert np.allclose(one, shrunk(pattern(name, 0), "average pooling", 3, 2))


def test_no_number_is_minus_zero():
    explorer = DownsamplingExplorer(operation="strided convolution (edges)", picture="fine stripes", window=3, stride=1)
    for position in range(8):
        explorer.set(position=position)
        assert "−0<" not in explorer.words


def test_downsampling_explorer_says_what_no_window_reaches():
    explorer = DownsamplingExplorer(window=3, stride=2)
    assert "never read" in explorer.words
    explorer.set(window=2)
    assert "never read" not in explorer.words
    explorer.set(window=1)
    assert "between them that are never read" in explorer.words and "No window reaches" not in explorer.words
    explorer.set(window=2, stride=3)
    assert "between them that are never read" in explorer.words and "last rows and columns" in explorer.words


def test_the_unshifted_picture_stands_beside_the_shifted_one():
    explorer = DownsamplingExplorer(operation="max pooling", picture="an edge", window=2, stride=2, shift=1)
    written = [mark["text"] for mark in explorer.scene(**explorer.settings).sketch.marks if mark["kind"] == "text"]
    halves = written.index("as it was"), written.index("shifted by 1")
    left, right = written[halves[0] : halves[1]], written[halves[1] :]
    for half, shift in ((left, 0), (right, 1)):
        numbers = [int(text) for text in half if text.isdigit()]
        values = pattern("an edge", shift)
        assert numbers[: SIZE * SIZE] == values.ravel().tolist()
        assert numbers[SIZE * SIZE :] == shrunk(values, "max pooling", 2, 2).ravel().tolist()
    assert "≠" not in left and right.count("≠") == 5
