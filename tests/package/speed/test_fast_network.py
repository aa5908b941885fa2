"""The fast copy of the network computes the same function."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glcic_lite.method.architecture import COMPLETION_NETWORK
from glcic_lite.method.masks import Box, mask_to_tensor
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import photo_to_tensor
from glcic_lite.speed import fast_network
from glcic_lite.speed.completion import paint
from glcic_lite.speed.fast_network import FastNetwork, needs
from inputs import hole, narrow_network, noise

NETWORKS = {dilated: narrow_network(dilated=dilated) for dilated in (True, False)}


@pytest.fixture
def inputs():
    return photo_to_tensor(noise(64, 72)), mask_to_tensor(hole(64, 72, (20, 20, 50, 44)))


def test_in_float32_it_equals_the_network_to_rounding(inputs):
    network = narrow_network()
    with torch.inference_mode():
        expected = network(*inputs)
    assert (FastNetwork(network, torch.float32)(*inputs) - expected).abs().max() < 1e-5


def test_in_bfloat16_it_is_within_a_grey_level_on_average(inputs):
    network = narrow_network()
    with torch.inference_mode():
        expected = network(*inputs)
    difference = FastNetwork(network, torch.bfloat16)(*inputs) - expected
    assert 0 < difference.abs().mean() * 255 < 1


def test_the_shipped_weights_in_bfloat16_are_within_a_grey_level_on_average():
    network = CompletionNetwork.from_pretrained()
    photo, mask = noise(96, 96), hole(96, 96, (30, 30, 70, 62))
    exact, fast = (paint(photo, mask, network, dtype) for dtype in (torch.float32, torch.bfloat16))
    assert np.abs(exact - fast)[mask].mean() < 1


@settings(max_examples=40)
@given(st.sampled_from([(4, 4), (8, 400), (64, 72), (340, 16)]), st.booleans(), st.integers(0, 2**32))
def test_each_layer_may_compute_only_what_is_wanted(size, dilated, seed):
    """Any part of the output is what the whole output holds there, however it lies at the photo's border."""
    height, width = size
    network = NETWORKS[dilated]
    random = np.random.default_rng(seed)
    left, top = int(random.integers(width)), int(random.integers(height))
    right, bottom = int(random.integers(left + 1, width + 1)), int(random.integers(top + 1, height + 1))
    photo, mask = photo_to_tensor(noise(height, width)), mask_to_tensor(hole(height, width, (left, top, right, bottom)))
    with torch.inference_mode():
        expected = network(photo, mask)[..., top:bottom, left:right]
    target = Box(left, top, right, bottom)
    assert (FastNetwork(network, torch.float32)(photo, mask, target) - expected).abs().max() < 1e-5


def test_a_photo_of_four_columns_is_painted_in_bfloat16_as_in_float32():
    """On processors with AMX, oneDNN took what memory held before for pixels: nan, where it was told so as here."""
    torch.manual_seed(0)
    photo, mask = torch.rand(1, 3, 72, 4), (torch.rand(1, 1, 72, 4) < 0.7).float()
    exact, fast = (FastNetwork(narrow_network(), dtype) for dtype in (torch.float32, torch.bfloat16))
    for _ in range(5):
        written = [torch.full((2**size,), float("nan")) for size in range(6, 18) for _ in range(20)]
        del written  # the memory stays as it is until someone else gets it
        assert (fast(photo, mask) - exact(photo, mask)).abs().max() < 0.05


def test_the_later_a_layer_the_less_it_computes_for_a_small_hole():
    steps = needs(500, 600, 1000)
    in_pixels = []  # what each layer computes, in pixels of the photo
    jump = 1.0
    for row, step in zip(COMPLETION_NETWORK, steps, strict=True):
        jump *= float(row.stride)
        in_pixels.append((step.output[1] - step.output[0]) * jump)
    assert in_pixels == sorted(in_pixels, reverse=True)
    assert in_pixels[-1] == 100 and in_pixels[0] > 380


def test_zeros_are_added_only_at_the_photos_border():
    assert all(step.zeros == (0, 0) for step in needs(400, 500, 1000))
    assert all(
        step.zeros[0] == row.padding
        for row, step in zip(COMPLETION_NETWORK, needs(0, 64, 64), strict=True)
        if row.stride == 1
    )


def test_the_network_it_was_made_from_stays_as_it_was(inputs):
    network = narrow_network().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    FastNetwork(network)(*inputs)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(hasattr(block, "norm") for block in network.layers[:-1])


@pytest.mark.parametrize("target", [None, Box(3, 5, 70, 201), Box(20, 90, 21, 204)])
def test_bands_of_rows_change_nothing(target, monkeypatch):
    photo, mask = torch.rand(2, 3, 204, 72), torch.zeros(2, 1, 204, 72)
    mask[..., 10:190, 20:50] = 1
    fast = FastNetwork(narrow_network(), torch.float32)
    runs = []
    run = FastNetwork._run

    def watch(self, stage, *others):
        runs.append(stage)
        return run(self, stage, *others)

    monkeypatch.setattr(FastNetwork, "_run", watch)
    results = []
    for band in (10**6, 16):
        monkeypatch.setattr(fast_network, "BAND", band)
        results.append(fast(photo, mask, target))
        if band == 10**6:
            assert len(runs) == 3
    assert len(runs) > 3 + 8, "several bands"
    assert (results[0] - results[1]).abs().max() < 1e-6
