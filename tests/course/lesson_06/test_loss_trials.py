"""Lesson 06, section 2: the logged runs with two losses, and that they train as the lesson's loop does."""

from dataclasses import replace

import nbformat
import numpy as np
import torch

from glcic_lite.course.lesson_06 import loss_trials
from glcic_lite.evaluation.statistics import mean_interval
from glcic_lite.files import NOTEBOOKS
from glcic_lite.training.samples import TrainingSamples


def test_the_log_bears_out_what_the_lesson_says():
    logged = loss_trials.logged()
    assert {steps: len(ahead) for steps, ahead in logged.items()} == loss_trials.SEEDS
    short, long = (np.array(ahead) for ahead in logged.values())
    ahead = mean_interval([-x for x in short])
    assert sum(short < 0) == 7 and ahead.low > 0, "after 400 steps the error everywhere is ahead"
    lesson = " ".join(cell.source for cell in nbformat.read(NOTEBOOKS / "06_training_on_cuda.ipynb", 4).cells)
    assert f"by {ahead.mean:.2f} dB on average, interval {ahead.low:.1f} to {ahead.high:.1f}" in " ".join(
        lesson.split()
    )
    assert long.min() < 0 < long.max(), "after 1,600 steps the seeds disagree"


def test_they_train_as_the_lessons_loop_does(photos_folder, tmp_path):
    cells = nbformat.read(NOTEBOOKS / "06_training_on_cuda.ipynb", as_version=4).cells
    names = {"device": torch.device("cpu")}
    imports = next(cell.source for cell in cells if cell.source.startswith("import json")).partition("device =")[0]
    loop = next(cell.source for cell in cells if cell.source.startswith("class Loop"))
    exec(f"{imports}\n{loop}", names)
    settings = replace(loss_trials.QUICK, phase_1=3)
    for loss in loss_trials.LOSSES.values():
        ours = loss_trials.trained(settings, photos_folder, loss)
        theirs = names["Loop"](settings, photos_folder, loss)
        for _ in range(settings.phase_1):
            theirs.step()
        for mine, right in zip(ours.state_dict().values(), theirs.network.state_dict().values(), strict=True):
            assert torch.equal(mine, right)
    assert isinstance(theirs.samples, TrainingSamples)
