"""Lesson 04: the costs of layers, feature maps and how far into a hole they are filled, the explorer, the figures."""

import random

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from glcic_lite.course.lesson_04 import features, figures
from glcic_lite.course.lesson_04.explorer import ORDERS, FeatureExplorer
from glcic_lite.course.lesson_04.layer_costs import TensorMemory, cost_lines, layer_costs, without_strides
from glcic_lite.method.architecture import COMPLETION_NETWORK
from glcic_lite.method.masks import Box, box_mask, mask_to_tensor
from glcic_lite.method.networks import CompletionNetwork, count_parameters
from glcic_lite.method.photos import photo_to_tensor, tensor_to_photo
from glcic_lite.method.receptive_field import field_layer_by_layer
from inputs import hole, narrow_network, texture
from lesson_cells import from_lesson

SIDE = 64


@pytest.fixture(scope="module")
def scene():
    """A photo, its hole, and the network's view of them."""
    photo, mask = texture(SIDE, SIDE), hole(SIDE, SIDE, (20, 16, 44, 48))
    return photo, mask, features.feature_maps(narrow_network(), photo_to_tensor(photo), mask_to_tensor(mask))


# Costs


def test_costs_of_the_papers_network_sum_up():
    with torch.device("meta"):
        network = CompletionNetwork()
    costs = layer_costs(network.layers, (256, 256))
    assert sum(cost.parameters for cost in costs) == count_parameters(network) == 6_072_131
    by_hand, height, ins = 0, 256, 4
    for layer in COMPLETION_NETWORK:
        before, height = height, int(height / layer.stride)
        positions = (before if layer.upsamples else height) ** 2  # a deconvolution's stamps are counted by its input
        by_hand += layer.kernel**2 * ins * layer.channels * positions
        ins = layer.channels
    assert sum(cost.multiplications for cost in costs) == by_hand == 32_554_090_496
    lines = list(cost_lines(costs))
    assert len(lines) == 19 and "6,072,131" in lines[-1]


def test_sizes_and_channels_are_those_that_run(scene):
    _, _, maps = scene
    costs = layer_costs(narrow_network().layers, (SIDE, SIDE))
    assert [(c.channels, c.height, c.width) for c in costs] == [tuple(values.shape[1:]) for values in maps[1:]]


def test_multiplications_of_a_deconvolution_are_counted_by_its_input():
    """Against a count of every product: one for each tap, pair of channels and pixel that goes in."""
    layer = next(row for row in COMPLETION_NETWORK if row.upsamples)
    block = narrow_network().layers[layer.number - 1]
    (cost,) = layer_costs([block], (8, 12), [layer])
    ins, outs = block.convolution.in_channels, block.convolution.out_channels
    assert (cost.height, cost.width) == (16, 24)
    assert cost.multiplications == 8 * 12 * ins * outs * layer.kernel**2


def test_without_strides_nothing_changes_its_size():
    table = without_strides()
    assert all(layer.stride == 1 and not layer.upsamples for layer in table)
    assert [layer.channels for layer in table] == [layer.channels for layer in COMPLETION_NETWORK]
    assert [layer.dilation for layer in table] == [layer.dilation for layer in COMPLETION_NETWORK]
    assert field_layer_by_layer(table)[-1].field < field_layer_by_layer()[-1].field / 3


def test_tensor_memory_counts_what_lives_at_the_same_time():
    with TensorMemory() as memory:
        one = torch.ones(1000)  # 4000 bytes
        two = one * 2
        assert memory.live == 8000
        del two
        assert memory.live == 4000
        one.add_(1)  # in place, and a view: nothing new
        view = one[:10]
        assert memory.live == 4000
    assert memory.peak == 8000
    del one, view
    assert memory.live == 0


def test_tensor_memory_of_a_network_is_that_of_its_largest_neighbours():
    network, values = narrow_network(), torch.rand(1, 4, SIDE, SIDE)
    with torch.inference_mode(), TensorMemory() as completing:
        network.layers(values)
    with TensorMemory() as training:
        network.layers(values)
    costs = layer_costs(network.layers, (SIDE, SIDE))
    outputs = [4 * cost.channels * cost.height * cost.width for cost in costs]
    largest = max(before + 2 * after for before, after in zip([0, *outputs], [*outputs, 0], strict=True))
    assert completing.peak == largest  # a convolution's input and output, and what the normalisation makes of it
    assert training.peak > sum(outputs) > completing.peak


# Features


def test_feature_maps_end_in_the_output(scene):
    photo, mask, maps = scene
    tensors = photo_to_tensor(photo), mask_to_tensor(mask)
    network = narrow_network()
    with torch.inference_mode():
        assert torch.equal(maps[-1], network(*tensors))
        assert torch.equal(maps[0], network.prepare(*tensors))
    assert len(maps) == 18 and len(features.layer_names()) == 17


def test_pictures_and_tensors_are_exact(scene):
    photo, mask, _ = scene
    assert np.array_equal(tensor_to_photo(photo_to_tensor(photo)), photo)
    assert np.array_equal(mask_to_tensor(mask)[0, 0].numpy() > 0, mask)


def test_grey_runs_from_black_to_white():
    grey = features.as_grey(torch.linspace(-3, 5, 1000).view(10, 100))
    assert grey.min() == 0 and grey.max() == 1
    assert (features.as_grey(torch.full((4, 4), 2.0)) == 0).all()  # nothing to see, and no division by zero


def test_the_strongest_channel_varies_most():
    values = torch.zeros(3, 8, 8)
    values[0] += 100  # large, but the same everywhere
    values[2, :, ::2] = 1
    assert features.strongest_channel(values) == 2


def test_depth_counts_from_the_rim():
    depth = features.depth_below(hole(20, 20, (5, 5, 12, 12)))
    assert depth[5, 8] == 1 and depth[8, 8] == 4 and depth[4, 8] == 0


# With any weights: what was measured is what the arithmetic of lesson 01 says


@pytest.mark.parametrize("box", [(16, 16, 112, 112), (20, 24, 100, 92)])
def test_news_comes_exactly_as_far_as_the_receptive_field(box):
    mask = hole(128, 128, box)
    photos = torch.cat([photo_to_tensor(texture(128, 128, seed)) for seed in (1, 2)])
    network = narrow_network(width=1 / 8)
    (arrival,) = from_lesson(4, "arrival")
    changes = arrival(network, photos, mask_to_tensor(mask))
    shares, reached = features.depth_by_layer(changes, mask)
    assert reached == features.predicted_arrival(Box(*box))
    assert shares.shape == (17, features.depth_below(mask).max())
    for row, depth in zip(shares, reached, strict=True):
        assert (row[:depth] > 0).all() and (row[depth:] == 0).all()
    assert network.mean_colour.dtype == torch.float32  # the network itself is left as it was


def test_prediction_grows_with_the_dilations():
    reached = features.predicted_arrival(Box(32, 32, 224, 224))
    assert reached[0] == 2  # half of a 5 × 5 kernel
    assert reached == sorted(reached)
    assert reached[8] < 96 == reached[9]


# The explorer


@pytest.fixture(scope="module")
def explorer(scene):
    photo, mask, _ = scene
    return FeatureExplorer(narrow_network(), photo, mask)


def test_every_setting_of_the_explorer(explorer):
    chance, size = random.Random(0), explorer.picture().size
    for _ in range(60):
        explorer.set(layer=chance.randint(0, 17))
        explorer.set(order=chance.choice(list(ORDERS.values())))
        explorer.set(channel=chance.randint(1, explorer._controls["channel"].max))
        assert explorer.picture().size == size, "the layout would jump"
        assert "<p" in explorer.words
    explorer.set(layer=12)
    explorer.set(channel=16)
    explorer.set(layer=17)  # only three channels are left
    assert explorer.settings["channel"] == 3 and explorer._controls["channel"].max == 3


def test_a_step_does_not_run_the_network_again(explorer, monkeypatch):
    def run(*_):
        raise AssertionError("the network ran")

    monkeypatch.setattr(torch.nn.Module, "__call__", run)
    for layer in range(18):
        explorer.set(layer=layer)


def test_shown_the_explorer_brings_a_picture(explorer):
    data, _ = explorer._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"} <= set(data)


def test_an_unknown_setting_is_named(scene):
    photo, mask, _ = scene
    with pytest.raises(TypeError, match="nonsense"):
        FeatureExplorer(narrow_network(), photo, mask, nonsense=1)


def test_orders_sort_by_what_they_say(explorer, scene):
    _, mask, maps = scene
    values = maps[3][0]
    inside = mask[::2, ::2]
    by_hole = explorer._orders[3]["hole"]
    means = values[:, inside].mean(1)[by_hole.copy()]
    assert (means.diff() <= 0).all()
    spreads = values.flatten(1).std(1)[explorer._orders[3]["varied"].copy()]
    assert (spreads.diff() <= 0).all() and int(explorer._orders[3]["varied"][0]) == features.strongest_channel(values)


def test_the_words_tell_of_the_hole(explorer):
    explorer.set(layer=0)
    assert "no trace" in explorer.words
    explorer.set(layer=10)
    assert "dilation 16" in explorer.words and "varies" in explorer.words
    explorer.set(layer=13)
    assert "doubles the size" in explorer.words


# Figures


def test_the_drawing_has_a_block_for_each_layer(scene):
    photo, _, maps = scene
    costs = layer_costs(narrow_network().layers, (SIDE, SIDE))
    faces = [features.as_grey(values[0, 0]) for values in maps[1:]]
    figure = figures.draw_network(costs, faces, photo / 255)
    (ax,) = figure.axes
    assert len(ax.images) == 18
    words = [text.get_text() for text in ax.texts]
    assert all(str(number) in words for number in range(1, 18))
    assert any("2, 4, 8, 16" in text for text in words) and "a quarter of each side" in words
    figure.canvas.draw()
    plt.close(figure)


def test_shares_sum_to_a_whole_and_maps_are_drawn(scene):
    _, mask, maps = scene
    figure, axes = plt.subplots(2, 1)
    figures.draw_shares(axes, layer_costs(narrow_network().layers, (SIDE, SIDE)))
    for ax in axes:
        assert sum(bar.get_height() for bar in ax.patches) == pytest.approx(100)
    plt.close(figure)
    figure = figures.layers_figure(
        [features.as_grey(values[0, 0]) for values in maps[1:]], features.layer_names(), mask
    )
    assert sum(len(ax.images) for ax in figure.axes) == 17
    plt.close(figure)


def test_the_line_of_arrival_is_drawn_where_it_was_computed():
    figure, ax = plt.subplots()
    mask = box_mask((256, 256), Box(32, 32, 224, 224))
    reached = features.predicted_arrival(Box(32, 32, 224, 224))
    figures.draw_arrival(ax, np.ones((17, features.depth_below(mask).max())), reached)
    assert sorted(set(ax.lines[0].get_xdata())) == sorted(set(reached))
    plt.close(figure)
