"""The unlabelled logs: each shows its disease, each sick one leaves the healthy range, and they can be made again."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from glcic_lite.course.lesson_06 import blind_logs, figures
from glcic_lite.course.lesson_06.health import late_means, outside_healthy


@pytest.fixture(scope="module")
def by_disease():
    names, logs = blind_logs.letters(), blind_logs.logs()
    return {names[letter]: rows for letter, rows in logs.items()}


def phase(rows, number, column):
    return [row[column] for row in rows if row["phase"] == number]


def test_there_are_six_logs_of_different_runs(by_disease):
    assert set(by_disease) == set(blind_logs.DISEASES) and len(by_disease) == 6
    for disease, rows in by_disease.items():
        settings = blind_logs.DISEASES[disease].settings
        assert rows[-1]["iteration"] == settings.iterations
        assert [sum(row["phase"] == n for row in rows) for n in (1, 2, 3)] == pytest.approx(
            [length / blind_logs.LOG_EVERY for length in (settings.phase_1, settings.phase_2, settings.phase_3)], abs=1
        )
    assert blind_logs.LOG.stat().st_size < 100_000


def test_only_the_healthy_log_is_inside_the_healthy_range(by_disease):
    inside = [disease for disease, rows in by_disease.items() if outside_healthy(rows) == "nothing"]
    assert inside == ["healthy"]
    assert "ratio" in outside_healthy(by_disease["alpha too large"])


def test_each_disease_shows_its_sign(by_disease):
    means = {disease: late_means(rows) for disease, rows in by_disease.items()}
    healthy = by_disease["healthy"]
    grey = phase(healthy, 1, "reconstruction")[0]
    assert phase(healthy, 1, "reconstruction")[-1] < 0.75 * grey
    late = {disease: np.mean(phase(rows, 3, "reconstruction")[-5:]) for disease, rows in by_disease.items()}
    assert means["alpha too large"]["gradient_ratio"] > 100 and late["alpha too large"] > 1.5 * late["healthy"]
    blind = by_disease["blind discriminators"]
    assert (
        max(phase(blind, 2, "discriminator")) > 10 and abs(means["blind discriminators"]["discriminator"] - 1.39) < 0.1
    )
    short = by_disease["phase 1 too short"]
    assert len(phase(short, 1, "iteration")) == 1 and means["phase 1 too short"]["accuracy"] > 0.98
    slow = phase(by_disease["network too slow"], 1, "reconstruction")
    assert np.mean(slow[-5:]) > 0.95 * np.mean(slow[:5])
    assert min(phase(by_disease["network too fast"], 1, "reconstruction")) > 2.5 * grey


def test_letters_are_the_same_every_time_and_in_no_telling_order():
    assert blind_logs.letters() == blind_logs.letters()
    assert list(blind_logs.letters().values()) not in (list(blind_logs.DISEASES), sorted(blind_logs.DISEASES))


def test_every_case_has_a_cure_that_can_be_chosen():
    for case in blind_logs.DISEASES.values():
        assert case.cures and set(case.cures) <= set(blind_logs.CURES)


def test_a_log_of_nothing_but_nan_is_outside():
    row = {"phase": 3, "discriminator": np.nan, "gan": 1.0, "real_accuracy": 0.7, "fake_accuracy": 0.7}
    assert outside_healthy([row | {"gradient_ratio": 1.0}]).startswith("discriminators' loss nan")


def test_the_figure_has_a_row_for_each_log():
    figure = figures.blind_figure(blind_logs.logs())
    assert [ax.get_ylabel() for ax in figure.axes[::4]] == list("ABCDEF")
    assert all(ax.lines for ax in figure.axes)


def test_training_gives_the_columns_of_the_logs(tmp_path):
    photos = tmp_path / "photos"
    for split in ("train", "val"):
        (photos / split).mkdir(parents=True)
        Image.effect_noise((70, 66), 60).save(photos / split / "noise.png")
    short = replace(blind_logs.HEALTHY, phase_1=3, phase_2=3, phase_3=3)
    rows = blind_logs.train(short, photos, tmp_path / "run")
    assert [row["phase"] for row in rows] == [1, 2, 3]
    assert set(blind_logs.COLUMNS) <= rows[-1].keys()


def test_the_ratio_of_the_gradients_is_drawn_for_every_failure(by_disease):
    courses = {name: [row for row in by_disease[name] if row["phase"] > 1] for name in ("healthy", "alpha too large")}
    figure = figures.failure_figure(courses, smooth=2)
    (ratio,) = [ax for ax in figure.axes if ax.get_title() == "ratio of the gradients"]
    assert [np.nanmax(line.get_ydata()) > 50 for line in ratio.lines if line.get_label()[0] != "_"] == [False, True]
    assert len(figure.axes) == 4 and all(ax.get_title() for ax in figure.axes)
