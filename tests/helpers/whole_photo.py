"""The network run plainly on the whole photo: what cropping, tiling and speed must not change."""

import numpy as np
import torch
from hypothesis import strategies as st

from glcic_lite.method import completion as plain
from glcic_lite.speed.completion import paint
from inputs import noise


def assert_same_as_on_the_whole_photo(photo, mask, network):
    difference = np.abs(paint(photo, mask, network, torch.float32) - plain.paint(photo, mask, network))[mask]
    assert difference.max() < 0.01


@st.composite
def photos_with_holes(draw):
    height, width = draw(st.integers(1, 64) | st.integers(300, 340)), draw(st.integers(300, 400))
    mask = np.zeros((height, width), bool)
    for _ in range(draw(st.integers(1, 3))):
        tall, wide = draw(st.integers(1, min(height, 40))), draw(st.integers(1, 40))
        top = draw(st.sampled_from([0, height - tall]) | st.integers(0, height - tall))
        left = draw(st.sampled_from([0, width - wide]) | st.integers(0, width - wide))
        mask[top : top + tall, left : left + wide] = True
    return noise(height, width), mask
