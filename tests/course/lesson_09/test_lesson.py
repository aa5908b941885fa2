"""Lesson 09's own parts: crops for the ablations, the figures' arithmetic, and the explorer of fills."""

import base64
import io
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from glcic_lite.course.lesson_09 import ablation_trials, figures
from glcic_lite.course.lesson_09.explorer import CROP, LARGEST, SCENES, WIDTH, FillExplorer
from glcic_lite.course.shared import explorers
from glcic_lite.course.shared.sketch import SCALE
from glcic_lite.evaluation.ablations import FIRST_PHASE
from glcic_lite.evaluation.fills import every_fill
from glcic_lite.evaluation.metrics import METRICS, hole_psnr
from glcic_lite.evaluation.protocol import FILLS, HOLES, read_rows
from glcic_lite.evaluation.statistics import mean_interval
from glcic_lite.files import DATA, SHIPPED_WEIGHTS
from glcic_lite.method.photos import list_photos
from inputs import hole, narrow_network, texture


@pytest.fixture(scope="module")
def shown():
    return ablation_trials.trials(of_each=1)


def test_trials_are_of_every_test_photo_and_the_same_every_time(shown):
    assert [trial.photo_name for trial in shown] == [path.stem for path in list_photos(DATA / "photos" / "test")]
    again = ablation_trials.trials(of_each=1)
    assert all(np.array_equal(a.photo, b.photo) and a.hole == b.hole for a, b in zip(shown, again, strict=True))


def test_trials_have_holes_as_in_the_ablations_training(shown):
    low, high = FIRST_PHASE.hole_sides
    for trial in shown:
        assert trial.photo.shape == (FIRST_PHASE.crop_size, FIRST_PHASE.crop_size, 3)
        assert low <= min(trial.hole[2:]) and low <= trial.hole.width <= high and low <= trial.hole.height <= high
        assert trial.mask.sum() == trial.hole.width * trial.hole.height


def test_the_middle_lies_in_the_middle_of_the_hole():
    for trial in ablation_trials.trials(of_each=1, sides=(96, 96)):
        inside = ablation_trials.middle(trial)
        assert inside.sum() == 32 * 32 and trial.mask[inside].all()
        assert np.allclose(np.argwhere(inside).mean(axis=0), np.argwhere(trial.mask).mean(axis=0))


def test_completing_a_batch_is_completing_one_at_a_time_and_keeps_what_is_known(shown):
    network = narrow_network()
    together = ablation_trials.completed(network, shown[:3])
    for trial, result in zip(shown, together, strict=False):
        assert np.array_equal(result[~trial.mask], trial.photo[~trial.mask])
        (alone,) = ablation_trials.completed(network, [trial])
        assert np.abs(alone.astype(int) - result).max() <= 1
        with torch.inference_mode():
            photo = torch.tensor(trial.photo).permute(2, 0, 1)[None] / 255
            output = network(photo, torch.tensor(trial.mask)[None, None].float())[0].permute(1, 2, 0).numpy() * 255
        assert np.abs(output[trial.mask] - result[trial.mask]).max() <= 0.51


@pytest.mark.parametrize("box", [(20, 10, 50, 40), (0, 0, 12, 12), (70, 54, 80, 64), (0, 0, 80, 64)])
def test_a_cut_out_is_a_square_inside_the_photo_that_holds_the_hole(box):
    mask = hole(64, 80, box)
    window = figures.window_around(mask, 6)
    assert min(window) >= 0 and window.right <= 80 and window.bottom <= 64
    assert window.width == window.height
    if max(mask.sum(axis=0).max(), mask.sum(axis=1).max()) <= 52:
        assert mask[window.slices].sum() == mask.sum()
    assert figures.around(texture(64, 80), mask, 6).shape == (window.height, window.width, 3)


NUMBERS = [10.0, 20.0, 30.0, *[20.0] * 5]


def rows_of(numbers):
    return [
        {
            "photo": str(photo),
            "hole": kind,
            "fill": fill,
            "psnr": value,
            "ssim": 0.5,
            "haarpsi": 0.4,
            "texture": 0.25,
            "l1": 9.0,
            "seconds": 0.5,
        }
        for fill in figures.FILL_STYLES
        for kind in ("box 32", "stroke 20")
        for photo, value in enumerate(numbers)
    ]


def test_the_table_holds_means_and_intervals():
    table = figures.means_table(rows_of(NUMBERS), "psnr").splitlines()
    assert table[0] == "| PSNR, in dB | box 32 | stroke 20 |"
    interval = mean_interval(NUMBERS)
    cell = f"**20.0** ({interval.low:.1f} to {interval.high:.1f})"
    assert table[2:] == [f"| {fill} | {cell} | {cell} |" for fill in figures.FILL_STYLES]


def test_figures_draw_what_they_are_given():
    figure = figures.means_figure(rows_of(NUMBERS))
    assert len(figure.axes) == len(METRICS)
    marks = [line for line in figure.axes[0].lines if line.get_label() in figures.FILL_STYLES]
    assert [line.get_ydata().tolist() for line in marks] == [[20.0, 20.0]] * len(figures.FILL_STYLES)
    figure, axes = plt.subplots(1, 2)
    figures.draw_differences(axes[0], {"x": [1.0, 2.0, 3.0], "y": [-1.0, -1.0, -4.0]}, "dB")
    diamonds = [line.get_xdata().item() for line in axes[0].lines if line.get_marker() == "D"]
    assert diamonds == [2.0, -2.0]
    curves = {"network, blended": np.array([[1.0, 2.0], [3.0, 4.0]]), "Telea": np.array([[0.0, 0.0]])}
    panels = figures.curves_figure([16, 32], {"left": curves, "texture": curves}, "side", shaded=(24, 32, "here")).axes
    assert [line.get_ydata().tolist() for line in panels[0].lines] == [[2.0, 3.0], [0.0, 0.0]]
    assert panels[1].get_ylim() == (0, 1.1)
    figures.draw_runs(axes[1], {"full": {0: 1.0, 1: 3.0}, "less": {0: 0.5}}, "dB", baselines={"mean colour": 9.0})
    assert "mean colour" in [text.get_text() for text in axes[1].texts] and axes[1].get_xlim()[1] > 9
    dots = [line.get_xdata().item() for line in axes[1].lines if line.get_marker() == "o"]
    assert dots == [1.0, 3.0, 0.5]
    plt.close("all")


def test_networks_that_are_not_trained_yet_are_said_to_be_missing():
    values = {"full": {0: 1.0, 1: 3.0}, "long-full": {}}
    (ax,) = figures.middles_figure({"dB": values}, least=2, baselines=[{"mean colour": 2.0}]).axes
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["full", "long-full"]
    assert [text.get_position()[1] for text in ax.texts if text.get_text() == "not trained yet"] == [1]
    none = {"long-full": {}, "long-no-dilation": {}}  # baselines alone
    assert len(figures.middles_figure({"dB": none}, 2, [{"mean colour": 2.0, "harmonic": 3.0}]).axes) == 1
    plt.close("all")


def test_every_fill_of_the_evaluation_has_a_style_and_every_metric_words():
    assert set(figures.FILL_STYLES) == set(FILLS) and set(figures.METRIC_WORDS) == set(METRICS)
    looks = [(str(style["color"]), style["marker"], str(style["linestyle"])) for style in figures.FILL_STYLES.values()]
    assert len(set(looks)) == len(looks)


def test_the_table_of_the_contest_follows_from_the_rows_shipped_with_the_weights():
    rows = read_rows(SHIPPED_WEIGHTS / "evaluation.csv")
    assert Counter((row["hole"], row["fill"]) for row in rows) == {(hole, fill): 22 for hole in HOLES for fill in FILLS}
    mean = np.mean([float(r["psnr"]) for r in rows if (r["hole"], r["fill"]) == ("box 192", "shift-map")])
    assert f"| {mean:.1f}\u00a0/\u00a0" in next(
        x for x in figures.contest_table(rows).splitlines() if x.startswith("| shift-map")
    )


def test_the_contest_marks_the_best_of_every_hole_and_draws_every_side():
    def row(fill, hole, psnr, texture):
        return {"photo": "a", "hole": hole, "fill": fill, "psnr": psnr, "texture": texture, "seconds": 0.25}

    rows = [row("harmonic", "box 32", 20, 0.4), row("Telea", "box 32", 21, 1.5), row("harmonic", "box 96", 18, 1.2),
            row("Telea", "box 96", 17, 0.7)]  # fmt: skip

    def lines_of(rows):
        table = figures.contest_table(rows, ("psnr", "texture")).splitlines()
        return [line.replace("\u00a0/\u00a0", " / ").replace("<br>", " / ") for line in table[2:]]

    assert lines_of(rows) == ["| Telea | **21.0** / **1.50** / 0.25 | 17.0 / 0.70 / 0.25 |",
                         "| harmonic | 20.0 / 0.40 / 0.25 | **18.0** / **1.20** / 0.25 |"]  # fmt: skip
    close = [row("harmonic", "box 32", 20.01, 0.9255), row("Telea", "box 32", 20.04, 1.0655)]
    assert lines_of(close) == ["| Telea | **20.0** / **1.07** / 0.25 |", "| harmonic | **20.0** / 0.93 / 0.25 |"]
    figure = figures.contest_figure(rows, ("psnr", "texture"))
    assert [line.get_xydata().tolist() for line in figure.axes[0].lines] == [[[32, 21], [96, 17]], [[32, 20], [96, 18]]]
    plt.close("all")


def test_a_table_of_verdicts_holds_words_means_and_intervals():
    one = [1.0, 1.2] * 5
    table = figures.verdicts_table({"x above y": {"all": one, "box 32": [-v for v in one]}, "z": {"all": one[:3]}}, 0.5)
    lines = table.splitlines()
    assert lines[0] == "|  | all | box 32 |"
    assert "**holds**<br>+1.10 (+1.02" in lines[2] and "**does not hold**<br>-1.10" in lines[2]
    assert lines[3].count("|") == 4 and "**undecided**<br>+1.07 (none)" in lines[3]
    assert "no difference larger than 0.5" in figures.verdicts_table({"a": {"b": [-0.1, 0.1] * 5}}, 0.5)


def test_values_of_one_photo_count_once():
    assert ablation_trials.mean_by_photo(["b", "a", "b"], [1.0, 5.0, 3.0]).tolist() == [2.0, 5.0]


def test_a_sheet_holds_every_strip_where_it_belongs():
    strips = [np.full((4, 6, 3), n, np.uint8) for n in range(3)]
    page = figures.sheet(strips, across=2, gap=2)
    assert page.shape == (10, 14, 3)
    assert (page[:4, :6] == 0).all() and (page[:4, 8:] == 1).all() and (page[6:, :6] == 2).all()
    assert (page[6:, 8:] == 255).all()


# The explorer


@pytest.fixture(scope="module")
def explorer():
    return FillExplorer(narrow_network())


def test_the_explorer_keeps_every_hole_inside(explorer):
    before = len(explorers.callback_errors)
    for photo in SCENES:
        explorer.set(photo=photo)
    explorer.set(side=8, left=CROP - 8, top=CROP - 8)
    explorer.set(side=LARGEST)
    assert explorer.settings["left"] == explorer.settings["top"] == CROP - LARGEST
    assert len(explorers.callback_errors) == before


def test_the_explorer_stars_the_highest_psnr(explorer):
    explorer.set(photo="meerkats", side=40, left=100, top=90)
    left, top = SCENES["meerkats"]
    photo = Image.open(DATA / "photos" / "test" / "meerkats.jpg").convert("RGB")
    photo.thumbnail((640, 640), Image.Resampling.LANCZOS)
    crop = np.asarray(photo.crop((left, top, left + CROP, top + CROP)))
    mask = hole(CROP, CROP, (100, 90, 140, 130))
    scores = {name: hole_psnr(crop, result, mask) for name, result in every_fill(crop, mask, explorer.network).items()}
    assert f"(★): <b>{max(scores, key=scores.get)}</b>" in explorer.scene(**explorer.settings).words


def test_where_the_photo_is_flat_no_fill_is_praised_for_its_texture(explorer):
    explorer.set(photo="citrus-slices", side=8, left=7, top=129)
    words = explorer.scene(**explorer.settings).words
    assert "no texture here" in words and "nan" not in words and "mean colour" not in words


def test_the_explorer_leaves_a_jpeg_for_readers_without_a_kernel(explorer):
    data, metadata = explorer._repr_mimebundle_()
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/jpeg"])))
    assert picture.format == "JPEG" and picture.width == WIDTH
    assert "image/png" not in data and metadata["image/jpeg"]["width"] == WIDTH
    assert "Highest PSNR" in metadata["image/jpeg"]["alt"]
    assert explorer.picture().width == WIDTH * SCALE
