"""Lesson 03: its measure of checkerboards, its stamps, and its explorer."""

import itertools

import numpy as np
import pytest
import torch

from glcic_lite.course.lesson_03.checkerboards import checkerboard_strength, stamp_with
from glcic_lite.course.lesson_03.explorer import TransposedExplorer, transposed, transposed_size


def test_checkerboards_are_measured():
    flat, board = torch.ones(1, 2, 32, 32), torch.ones(1, 2, 32, 32)
    board[..., ::2, ::2] = 0
    slope = torch.arange(32.0).expand(1, 2, 32, 32) / 32
    stairs = torch.randn(1, 2, 16, 16).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert checkerboard_strength(flat) == 0
    assert checkerboard_strength(board) == pytest.approx(0.75**0.5 / 2)
    assert checkerboard_strength(slope) < 1e-6
    assert checkerboard_strength(slope + 0.1 * board) == pytest.approx(0.1 * checkerboard_strength(board), rel=1e-3)
    assert checkerboard_strength(stairs) > 0.01


def test_equal_weights_copy_evenly_with_kernel_4_and_not_with_kernel_3():
    photo = torch.ones(1, 3, 12, 12)
    for kernel, even in ((4, True), (3, False)):
        large = stamp_with(photo, kernel)
        assert large.shape == (1, 3, 48, 48)
        inside = large[..., 8:-8, 8:-8]
        assert torch.allclose(inside, torch.ones_like(inside)) == even
        assert (checkerboard_strength(inside) < 1e-6) == even


# The explorer


def test_transposed_size_and_values_are_those_of_stamps():
    for size, kernel, stride, padding in itertools.product((1, 3, 6), (1, 3, 4), (1, 2, 4), (0, 1)):
        side = transposed_size(size, kernel, stride, padding)
        if side <= 0:
            continue
        canvas = np.zeros((side + 2 * padding,) * 2, dtype=int)
        for i, j in np.ndindex(size, size):
            canvas[i * stride : i * stride + kernel, j * stride : j * stride + kernel] += 1
        inside = canvas[padding : padding + side, padding : padding + side]
        assert (transposed(size, kernel, stride, padding, ones=True) == inside).all()
        assert transposed(size, kernel, stride, padding).shape == (side, side)


def test_transposed_explorer_explains_what_is_impossible_and_what_is_uneven():
    explorer = TransposedExplorer(size=1, kernel=1, padding=2)
    assert "Impossible" in explorer.words
    explorer.set(size=4, kernel=3, stride=2, padding=0)
    assert "uneven" in explorer.words
    explorer.set(kernel=4)
    assert "even</b> everywhere" in explorer.words
    explorer.set(kernel=2, stride=4)
    assert "never reached" in explorer.words
    explorer.set(size=1, kernel=1, stride=4)
    assert "never reached" not in explorer.words and "too few outputs" in explorer.words
    explorer.set(size=2, kernel=5, stride=2, padding=2)
    assert "too few outputs" in explorer.words
