"""The operations that lessons 02 and 03 compare: ways to shrink, ways to grow, and the measure of checkerboards."""

import pytest
import torch

from glcic_lite.course.lesson_02.downsampling import WAYS, blur_pool, keep_every, zone_plate
from glcic_lite.course.lesson_03.checkerboards import checkerboard_strength, stamp_with


@pytest.mark.parametrize("shrink", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_shrinking_keeps_a_constant_and_divides_the_size(shrink, stride):
    smaller = shrink(torch.full((2, 3, 16, 24), 0.7), stride)
    assert smaller.shape == (2, 3, 16 // stride, 24 // stride)
    assert torch.allclose(smaller, torch.full_like(smaller, 0.7))


def test_a_blur_takes_the_finest_stripes_out_and_a_bare_stride_does_not():
    stripes = torch.zeros(1, 1, 16, 16)
    stripes[..., ::2] = 1
    assert torch.allclose(blur_pool(stripes, 2), torch.full((1, 1, 8, 8), 0.5))
    assert keep_every(stripes, 2).min() == 1


def test_the_zone_plate_is_finest_at_its_edge():
    plate = zone_plate(64)
    assert plate.shape == (1, 1, 64, 64)
    assert plate.min() >= 0 and plate.max() <= 1
    row = plate[0, 0, 32]
    assert row[32] == 1
    assert row.diff().abs()[32:36].mean() < 0.2 * row.diff().abs()[-4:].mean()


def test_checkerboards_are_measured():
    flat, board = torch.ones(1, 2, 32, 32), torch.ones(1, 2, 32, 32)
    board[..., ::2, ::2] = 0
    slope = torch.arange(32.0).expand(1, 2, 32, 32) / 32
    assert checkerboard_strength(flat) == 0
    assert checkerboard_strength(board) == pytest.approx(0.75**0.5 / 2)
    assert checkerboard_strength(slope) < 0.1 * checkerboard_strength(board)


def test_equal_weights_copy_evenly_with_kernel_4_and_not_with_kernel_3():
    photo = torch.ones(1, 3, 12, 12)
    for kernel, even in ((4, True), (3, False)):
        large = stamp_with(photo, kernel)
        assert large.shape == (1, 3, 48, 48)
        inside = large[..., 8:-8, 8:-8]
        assert torch.allclose(inside, torch.ones_like(inside)) == even
        assert (checkerboard_strength(inside) < 1e-6) == even
