"""Lesson 01: the zero-filled kernel that the cost of dilation is measured with."""

import pytest
import torch
import torch.nn.functional as F

from glcic_lite.course.lesson_01.zeros import with_zeros


@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (3, 2), (5, 3), (2, 4), (1, 5)])
def test_with_zeros_does_what_dilation_does(kernel, dilation):
    weight, photo = torch.randn(2, 3, kernel, kernel), torch.randn(1, 3, 24, 24)
    large = with_zeros(weight, dilation)
    assert large.shape == (2, 3, *[dilation * (kernel - 1) + 1] * 2)
    assert torch.allclose(F.conv2d(photo, large), F.conv2d(photo, weight, dilation=dilation), atol=1e-4)
