"""The benchmark of training: that its table says what was measured."""

import re
from dataclasses import replace
from functools import partial

import pytest
import torch

from glcic_lite.training import Trainer, benchmarks
from glcic_lite.training.benchmarks import training_table
from training_runs import TINY

SMALL_STEP = replace(TINY, accumulation=2)


def test_the_training_table_measures_the_plain_step_and_the_projects_in_turns(photos_folder, monkeypatch):
    monkeypatch.setattr("glcic_lite.training.validation.CROPS", 2)
    monkeypatch.setattr("glcic_lite.training.choices.bfloat16_is_faster", lambda device_type: True)
    monkeypatch.setattr(benchmarks, "matrix_peak", lambda dtype, device: 1e9)
    measured = []
    iterate = Trainer.iterate

    def watch(trainer, batches):
        idle = [p for p in trainer.bare_network.parameters() if not p.requires_grad]
        measured.append((trainer.settings.phase(0), trainer.precision, bool(idle)))
        return iterate(trainer, batches)

    monkeypatch.setattr(Trainer, "iterate", watch)
    lines = list(training_table(SMALL_STEP, photos_folder / "train", rounds=2))
    plain, project = ("no", False), ("bf16", True)
    assert measured == [(phase, *kind) for phase in (1, 3) for kind in (plain, project, plain, *(plain, project) * 2)]
    rows = [line.split() for line in lines if line.startswith("phase")]
    assert [row[:2] for row in rows] == [["phase", "1"], ["phase", "3"]]
    for row in rows:
        seconds, ratio = [float(row[i]) for i in (2, 8)], float(row[-3])
        assert ratio == pytest.approx(seconds[0] / seconds[1], rel=0.2)
        assert float(row[4]) == pytest.approx(4 / seconds[0], rel=0.2)
        assert float(row[-1].rstrip("%")) > 0
    speeds = [float(re.search(r"([\d.]+) a second", line)[1]) for line in lines if "samples" in line]
    assert len(speeds) == 3 and min(speeds) > 1


def test_on_request_the_projects_step_alone_is_compiled(photos_folder, monkeypatch):
    monkeypatch.setattr("glcic_lite.training.validation.CROPS", 2)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    monkeypatch.setattr(benchmarks, "STEPS", {"phase 1": benchmarks.STEPS["phase 1"]})
    monkeypatch.setattr(benchmarks, "matrix_peak", lambda dtype, device: 1e9)
    compiled = []
    iterate = Trainer.iterate

    def watch(trainer, batches):
        compiled.append(trainer.bare_network._compiled_call_impl is not None)
        return iterate(trainer, batches)

    monkeypatch.setattr(Trainer, "iterate", watch)
    lines = list(training_table(SMALL_STEP, photos_folder / "train", rounds=1, compile=True))
    assert compiled == [False, True, False, False, True] and "compiled" in lines[1]
