"""The network run plainly on the whole photo: what cropping, tiling and speed must not change."""

import numpy as np
import torch
from hypothesis import strategies as st

from glcic_lite.speed.completion import paint
from inputs import noise


def on_the_whole_photo(photo, mask, network):
    """What the network paints when it is run once, on everything."""
    height, width = mask.shape
    pad = [(0, -height % 4), (0, -width % 4)]
    photo, padded = np.pad(photo, [*pad, (0, 0)], mode="edge"), np.pad(mask, pad, mode="edge")
    inputs = torch.from_numpy(photo).permute(2, 0, 1)[None] / 255, torch.from_numpy(padded)[None, None].float()
    with torch.no_grad():
        output = network(*inputs)[0].permute(1, 2, 0).numpy() * 255
    return output[:height, :width]


def assert_same_as_on_the_whole_photo(photo, mask, network):
    difference = np.abs(paint(photo, mask, network, torch.float32) - on_the_whole_photo(photo, mask, network))[mask]
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
