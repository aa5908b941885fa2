"""The fast copy of the network computes the same function."""

import numpy as np
import pytest
import torch
from conftest import hole, narrow_network, noise

from glcic_lite.completion import paint
from glcic_lite.inference import FastNetwork
from glcic_lite.networks import CompletionNetwork


@pytest.fixture
def inputs():
    photo = torch.from_numpy(noise(64, 72)).permute(2, 0, 1)[None] / 255
    mask = torch.from_numpy(hole(64, 72, (20, 20, 50, 44)))[None, None].float()
    return photo, mask


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


def test_the_network_it_was_made_from_stays_as_it_was(inputs):
    network = narrow_network().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    FastNetwork(network)(*inputs)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(hasattr(block, "norm") for block in network.layers[:-1])
