"""Lesson 04, section 3: the logged trainings that its verdict on batch normalisation rests on."""

import matplotlib.pyplot as plt
import pytest
import torch

from glcic_lite.course.lesson_04 import figures, late_start
from glcic_lite.method.networks import CompletionNetwork


def test_the_log_bears_out_what_the_lesson_says():
    logged = late_start.logged()
    assert all(len(runs) == late_start.SEEDS for runs in logged.values())
    assert all(run[-1][0] == late_start.STEPS for runs in logged.values() for run in runs)
    usual, he, normalised = ([[error for _, error in run] for run in logged[kind]] for kind in late_start.KINDS)
    flat = late_start.flat_error()
    still, late, also_still = usual
    assert min(still + also_still) > 0.25 and abs(flat - 0.255) < 0.001, "two seeds never leave the flat colour"
    assert late[1] > 0.245 and late[2] < 0.23, "the third starts after some sixty steps"
    assert all(run[0] < flat - 0.005 and run[3] < 0.235 for run in he), "all get going at once"
    assert all(flat < max(run[:10]) for run in normalised), "peaks in the first 300 steps, as the network is used"
    as_trained = late_start.logged(late_start.AS_TRAINED)["usual weights, normalised"]
    assert max(error for run in as_trained for _, error in run) < flat, "and none by the batch's own statistics"
    ahead = [run_he[-1] - run[-1] for run_he, run in zip(he, normalised, strict=True)]
    assert ahead == pytest.approx([0.011, 0.004, 0.002], abs=5e-4)


def test_a_training_repeats_itself_and_its_layers_have_what_their_kind_says():
    for kind, (_, normalise) in late_start.KINDS.items():
        first, again = (late_start.curve(kind, 0, late_start.EVERY) for _ in range(2)) if normalise else ([], [])
        assert first == again
        names = [type(part).__name__ for part in late_start.Bare(*late_start.KINDS[kind]).modules()]
        assert ("BatchNorm2d" in names) == normalise


def test_he_weights_keep_the_size_of_numbers_through_a_deconvolution():
    torch.manual_seed(0)
    layers = CompletionNetwork(1 / 2).layers
    deconvolution = next(part for part in layers.modules() if isinstance(part, torch.nn.ConvTranspose2d))
    values = torch.relu(torch.randn(2, deconvolution.in_channels, 32, 32))
    with torch.no_grad():
        half = deconvolution(values).square().mean() / 2 / values.square().mean()  # what a ReLU leaves of the square
        late_start.give_he_weights(layers)
        whole = deconvolution(values).square().mean() / 2 / values.square().mean()
    assert half.item() == pytest.approx(1 / 4, rel=0.15) and whole.item() == pytest.approx(1, rel=0.15)


def test_the_figure_names_every_kind_once():
    figure, ax = plt.subplots()
    as_trained = late_start.logged(late_start.AS_TRAINED)["usual weights, normalised"]
    figures.draw_late_start(ax, late_start.logged(), late_start.flat_error(), as_trained)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == [*late_start.KINDS, "the same, by the batch's statistics", "the mean colour"]
    plt.close(figure)
