"""Watching a run: pictures and status in place, stopped by number or signal, and gone on with."""

import dataclasses
import signal

import numpy as np
import pytest
import torch
from IPython.display import Markdown
from PIL import Image
from torch import nn

from glcic_lite.course.lesson_06 import figures, live_training, training_costs
from glcic_lite.course.lesson_06.live_training import LiveTraining
from glcic_lite.course.lesson_06.small_photos import write_small_photos
from glcic_lite.method.architecture import Layer
from glcic_lite.method.networks import ConvolutionBlock
from glcic_lite.training import LESSON, LITE, PAPER, Settings, Trainer, TrainingError
from glcic_lite.training.log import split_runs, split_validation
from glcic_lite.training.run_folder import RunFolder
from glcic_lite.training.samples import TrainingSamples
from inputs import NARROW

TINY = Settings(
    width=NARROW, crop_size=64, local_size=32, short_edge=(64, 80), hole_sides=(12, 16), phase_1=4, phase_2=2,
    phase_3=4, batch_size=4, optimizer="adam", learning_rate=1e-3, joint_learning_rate=1e-3,
    discriminator_learning_rate=1e-3, averaging=0.9,
)  # fmt: skip


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, in order: (object, then its updates)."""
    shown = []

    class Handle:
        def __init__(self, first):
            self.contents = [first]
            shown.append(self)

        def update(self, new):
            self.contents.append(new)

    monkeypatch.setattr(live_training, "display", lambda thing, display_id=False: Handle(thing))
    return shown


@pytest.fixture
def start(photos_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("glcic_lite.training.validation.CROPS", 8)

    def start(settings=TINY, **options):
        folders = photos_folder / "train", photos_folder / "val", tmp_path / "run"
        return Trainer(settings, *folders, **{"precision": "no", "log_every": 1, "validate_every": 1000} | options)

    return start


def test_a_run_is_shown_from_its_beginning_to_its_end(start, shown):
    live = LiveTraining(start(), crops=(0, 1, 2))
    assert live.run()
    status, picture = shown
    assert "■" in status.contents[0].data
    assert isinstance(status.contents[-1], Markdown) and "All 10 iterations are done" in status.contents[-1].data
    sizes = {Image.open(live_training.io.BytesIO(frame.data)).size for frame in picture.contents}
    assert len(picture.contents) >= 2 and len(sizes) == 1, "the picture must not jump"


def test_it_stops_where_it_is_told_to_and_goes_on_with_the_same_curves(start, shown):
    live = LiveTraining(start(), crops=(0, 1))
    assert not live.run(until=3)
    assert live.trainer.progress.iteration == 3
    assert live.trainer.run.latest_checkpoint().name == "00000003"
    assert "after iteration 3 of 10, in phase 1" in live.summary()
    resumed = LiveTraining(start(None, resume=True), crops=(0, 1))
    assert resumed.run()
    assert [int(row["iteration"]) for row in resumed.trainer.run.rows("log.csv")] == list(range(1, 11))


def test_an_interrupt_stops_it_with_a_checkpoint(start, shown, capsys):
    live = LiveTraining(start(), crops=(0,))
    watch = live._on_log

    def interrupt(trainer, row):
        if row["iteration"] == 5:
            signal.raise_signal(signal.SIGINT)
        return watch(trainer, row)

    live._on_log = interrupt
    assert not live.run()
    assert live.trainer.progress.iteration == 5
    assert "in phase 2" in live.summary()


def test_it_promises_no_checkpoint_that_is_not_there(start, shown, monkeypatch):
    live = LiveTraining(start(), crops=(0,))

    def break_down(**given):
        live.trainer.progress.iteration += 2
        raise TrainingError("the loss is no longer a number")

    monkeypatch.setattr(live.trainer, "train", break_down)
    with pytest.raises(TrainingError):
        live.run()
    assert "no checkpoint yet" in live.summary() and "no checkpoint yet" in shown[0].contents[-1].data
    live.trainer.save_checkpoint()
    assert "A checkpoint is written" in live.summary()
    shown.clear()
    with pytest.raises(TrainingError):
        live.run()
    assert "last checkpoint is of iteration 2" in live.summary()
    assert len(shown) == 2, "the second cell has a status and a picture of its own"


def test_a_run_that_is_done_already_is_only_shown(start, shown):
    LiveTraining(start(), crops=(0,)).run()
    shown.clear()
    assert LiveTraining(start(None, resume=True), crops=(0,)).run()
    assert [len(handle.contents) for handle in shown] == [1, 1], "one picture, one sentence"


def test_watching_changes_no_numbers(start, shown, tmp_path, photos_folder):
    live = LiveTraining(start(), crops=(0, 1))
    live.run()
    alone = Trainer(
        TINY, photos_folder / "train", photos_folder / "val", tmp_path / "alone", precision="no", log_every=1,
        validate_every=1000,
    )  # fmt: skip
    alone.train(progress=False)
    for ours, other in zip(live.trainer.bare_network.parameters(), alone.bare_network.parameters(), strict=True):
        assert torch.equal(ours, other)


def test_known_pixels_of_the_crops_are_left_alone(start):
    live = LiveTraining(start(), crops=(0, 1, 2))
    emptied, completed, truth = live.completed()
    known = live.masks.permute(0, 2, 3, 1).numpy()[..., 0] == 0
    assert np.array_equal(completed[known], truth[known]) and np.array_equal(emptied[known], truth[known])
    assert (emptied[~known] != truth[~known]).mean() > 0.9 and (completed[~known] != truth[~known]).mean() > 0.9


# The figures


def test_numbers_leave_out_what_a_phase_does_not_have(tmp_path):
    run = RunFolder(tmp_path)
    run.append("log.csv", {"iteration": "5", "gan": "", "phase": "1", "reconstruction": "0.5"})
    assert run.numbers("log.csv") == [{"iteration": 5, "phase": 1, "reconstruction": 0.5}]


@pytest.mark.parametrize("phases", [(1,), (1, 2), (1, 2, 3), (3,), (1, 2, 3, 1, 3)])
def test_logs_of_any_phases_and_columns_can_be_drawn(phases):
    rows = []
    for n, phase in enumerate(p for p in phases for _ in range(5)):
        row = {"iteration": n + 1.0, "phase": float(phase)}
        row |= {"reconstruction": 0.1} if phase != 2 else {}
        row |= {"discriminator": 1.2, "real_accuracy": 0.6, "fake_accuracy": 0.7} if phase > 1 else {}
        row |= {"gan": 0.8} if phase == 3 else {}
        rows.append(row)
    validation = [{"iteration": 1.0, "phase": 1.0, "psnr": 12.0, "box_12": 12.0, "strokes": 11.0}]
    for figure in (figures.log_figure(rows, validation), figures.health_figure(rows)):
        figure.canvas.draw()
        figures.plt.close(figure)


@pytest.mark.parametrize("phases", [(1, 3, 1, 3, 3), (1, 3, 1, 2, 3, 1)])
def test_the_health_of_a_run_trained_on_is_that_of_its_last_phases(phases):
    rows = [{"iteration": float(n), "phase": float(phase), "discriminator": 1.0} for n, phase in enumerate(phases)]
    figure = figures.health_figure(rows)
    assert figure.axes[0].get_xlim() == (3, 4) and figure.axes[0].lines
    figures.plt.close(figure)


def test_the_timetable_draws_all_named_settings():
    figure = figures.timetable_figure({"a": PAPER, "b": LITE, "c": LESSON})
    assert [ax.get_xlim()[1] for ax in figure.axes] == [s.iterations for s in (PAPER, LITE, LESSON)]
    figures.plt.close(figure)


def test_samples_are_drawn_with_their_own_patches(photos_folder):
    samples = TrainingSamples(photos_folder / "train", TINY)
    chosen = [samples[0], samples[1]]
    figure = figures.samples_figure(chosen, TINY.local_size)
    real = figure.axes[4].images[0].get_array()
    top, left = chosen[0]["real_patch"].tolist()
    patch = chosen[0]["photo"][:, top : top + 32, left : left + 32].permute(1, 2, 0).numpy()
    assert np.abs(real / 255 - patch).max() < 0.003
    figures.plt.close(figure)


# The small copies of the photos


def test_small_copies(tmp_path, photos_folder, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "photos").symlink_to(photos_folder)
    monkeypatch.setattr("glcic_lite.course.lesson_06.small_photos.DATA", tmp_path / "data")
    folder = write_small_photos(tmp_path / "small", short_edge=40, grey=True)
    for split, count in (("train", 5), ("val", 3)):
        copies = [Image.open(path) for path in sorted((folder / split).iterdir())]
        assert len(copies) == count
        assert all(min(copy.size) == 40 and copy.mode == "L" for copy in copies)


# The costs


def test_a_log_of_several_runs_is_cut_where_the_phases_begin_anew():
    rows = [{"iteration": n, "phase": phase} for n, phase in enumerate((1, 1, 2, 3, 3, 1, 3, 2))]
    assert [[row["iteration"] for row in run] for run in split_runs(rows)] == [
        [0, 1, 2, 3, 4],
        [5, 6],
        [7],
    ]
    assert split_runs([]) == []


def test_a_validation_is_cut_where_the_log_tells_that_a_run_ends():
    phases = (1, 2, 3, 3, 2, 3, 3, 3)
    log = [{"iteration": 10.0 * n, "phase": float(phase)} for n, phase in enumerate(phases, 1)]
    # Phase 2 is not validated: phase 3 follows phase 3, and the last row comes after the log's last.
    validation = [{"iteration": n, "phase": 3.0, "box_16": 20.0} for n in (30.0, 40.0, 60.0, 70.0, 85.0)]
    parts = split_validation(log, validation)
    assert [[row["iteration"] for row in part] for part in parts] == [[30, 40], [60, 70, 85]]
    assert len(split_runs(validation)) == 1  # which by itself cannot know
    with_errors = [row | {"reconstruction": 0.1} for row in log]
    figure = figures.log_figure(with_errors, [row | {"strokes": 20.0} for row in validation])
    curves = [line for line in figure.axes[1].lines if line.get_marker() != "None"]  # not the ends of the phases
    assert [len(line.get_xdata()) for line in curves] == [2, 3, 2, 3]  # boxes, then strokes
    figures.plt.close(figure)
    assert split_validation(log, []) == []


def test_validations_with_other_holes_are_another_run_and_all_kinds_are_drawn():
    rows = [{"iteration": float(n), "phase": 1.0, "strokes": 11.0} for n in range(1, 5)]
    validation = [row | {"box_16" if row["iteration"] < 3 else "box_24": 12.0, "box_64": 10.0} for row in rows]
    assert [len(run) for run in split_runs(validation)] == [2, 2]
    figure = figures.log_figure([row | {"reconstruction": 0.1} for row in rows], validation)
    drawn = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert drawn == ["box 16 px", "box 24 px", "box 64 px", "strokes"]
    assert [len(line.get_xdata()) for line in figure.axes[1].lines] == [2, 2, 2, 2, 2, 2]  # box 64, strokes: two runs
    figures.plt.close(figure)


def test_operations_and_kept_numbers_of_one_block_are_those_counted_by_hand():
    with torch.device("meta"):
        block = ConvolutionBlock(Layer(1, "conv", 3, 1, 1, 0), 4, 6)
        counted = training_costs.one_pass(block, torch.zeros(1, 4, 8, 8))
    assert counted.operations == 2 * 4 * 6 * 3 * 3 * 8 * 8
    assert counted.parameters == 4 * 6 * 9 + 6 + 6 + 6
    # The input, for the convolution; its output, for the normalisation; what comes out, for the ReLU. And two numbers
    # a channel, mean and deviation.
    assert counted.kept == 4 * 64 + 6 * 64 + 6 * 64 + 2 * 6


def test_a_transposed_convolution_is_counted_by_its_input():
    with torch.device("meta"):
        counted = training_costs.one_pass(nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1), torch.zeros(1, 3, 6, 6))
    assert counted.operations == 2 * 3 * 5 * 16 * 36


def test_the_cost_grows_as_it_should():
    one, two = training_costs.cost(TINY), training_costs.cost(dataclasses.replace(TINY, batch_size=8))
    assert two.operations == {phase: 2 * value for phase, value in one.operations.items()}
    assert two.photo_bytes == one.photo_bytes == training_costs.cost(TINY, mixed=False).photo_bytes / 2
    assert one.memory(8) - one.memory(4) == pytest.approx(4 * one.photo_bytes)
    longer = training_costs.cost(dataclasses.replace(TINY, phase_2=4))
    assert longer.operations[2] == 2 * one.operations[2] and longer.operations[1] == one.operations[1]


def test_the_papers_run_is_as_large_as_its_networks():
    network, discriminator = training_costs.passes(PAPER)
    assert (network.parameters, discriminator.parameters) == (6_072_131, 45_063_681)
    assert training_costs.cost(PAPER).weights_bytes == 16 * (6_072_131 + 45_063_681)
