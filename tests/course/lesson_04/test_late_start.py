"""Lesson 04, section 3: the logged trainings that its verdict on batch normalisation rests on."""

import matplotlib.pyplot as plt

from glcic_lite.course.lesson_04 import figures, late_start


def test_the_log_bears_out_what_the_lesson_says():
    logged = late_start.logged()
    assert all(len(runs) == late_start.SEEDS for runs in logged.values())
    assert all(run[-1][0] == late_start.STEPS for runs in logged.values() for run in runs)
    usual, he, normalised = ([[error for _, error in run] for run in logged[kind]] for kind in late_start.KINDS)
    flat = late_start.flat_error()
    still, late, also_still = usual
    assert min(still + also_still) > 0.25 and abs(flat - 0.255) < 0.001, "two seeds never leave the flat colour"
    assert late[1] > 0.245 and late[2] < 0.23, "the third starts after some sixty steps"
    assert max(run[1] for run in he) < 0.24
    assert all(flat < max(run[:5]) for run in normalised), "a bad spell before step 150"
    assert max(run[-1] for run in normalised) < min(run[-1] for run in he) - 0.004


def test_a_training_repeats_itself_and_its_layers_have_what_their_kind_says():
    for kind, (_, normalise) in late_start.KINDS.items():
        first, again = (late_start.curve(kind, 0, late_start.EVERY) for _ in range(2)) if normalise else ([], [])
        assert first == again
        names = [type(part).__name__ for part in late_start.Bare(*late_start.KINDS[kind]).modules()]
        assert ("BatchNorm2d" in names) == normalise


def test_the_figure_names_every_kind_once():
    figure, ax = plt.subplots()
    figures.draw_late_start(ax, late_start.logged(), late_start.flat_error())
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [*late_start.KINDS, "the mean colour"]
    plt.close(figure)
