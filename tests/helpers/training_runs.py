"""Small training runs for the tests: settings, trainers, comparisons."""

import dataclasses

import torch

from glcic_lite.training import Settings
from glcic_lite.training.loop import Trainer
from inputs import NARROW

TINY = Settings(
    width=NARROW,
    crop_size=64,
    local_size=32,
    short_edge=(64, 80),
    hole_sides=(16, 16),
    stroke_share=0.4,
    stroke_width=(4, 8),
    phase_1=3,
    phase_2=2,
    phase_3=3,
    batch_size=4,
    optimizer="adam",
    learning_rate=1e-3,
    joint_learning_rate=1e-3,
    discriminator_learning_rate=1e-3,
    averaging=0.9,
)
# Adadelta's step is smooth in the gradient; Adam's is nearly its sign, which turns rounding into whole steps.
SMOOTH = dataclasses.replace(
    TINY, optimizer="adadelta", learning_rate=1.0, joint_learning_rate=1.0, discriminator_learning_rate=1.0, averaging=0
)


def starter(photos_folder, tmp_path, monkeypatch):
    """Makes trainers: start(settings, "name of its folder", **options)."""
    monkeypatch.setattr("glcic_lite.training.validation.CROPS", 8)

    def start(settings=TINY, name="run", **options):
        options = {"precision": "no", "log_every": 1, "checkpoint_minutes": 1000} | options
        return Trainer(settings, photos_folder / "train", photos_folder / "val", tmp_path / name, **options)

    return start


def phases(phase_1, phase_2, phase_3, settings=TINY, **changes):
    return dataclasses.replace(settings, phase_1=phase_1, phase_2=phase_2, phase_3=phase_3, **changes)


def one_iteration(trainer):
    losses = trainer.iterate(trainer.batches())
    trainer.progress.iteration += 1
    return losses


def state_of(*modules):
    return [{name: value.clone() for name, value in module.state_dict().items()} for module in modules]


def same(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def flat_tensors(value):
    """All tensors and numbers in an optimizer's state, in order."""
    if isinstance(value, dict):
        return [x for key in sorted(value, key=str) for x in flat_tensors(value[key])]
    if isinstance(value, list | tuple):
        return [x for item in value for x in flat_tensors(item)]
    return [value]


def assert_same_run(first: Trainer, second: Trainer):
    """The two runs hold the same numbers, bit for bit, in memory and in their logs."""
    for name in ("bare_network", "bare_discriminator", "average"):
        assert same(getattr(first, name).state_dict(), getattr(second, name).state_dict()), name
    for name in ("optimizer", "discriminator_optimizer"):
        pairs = zip(
            flat_tensors(getattr(first, name).state_dict()),
            flat_tensors(getattr(second, name).state_dict()),
            strict=True,
        )
        assert all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs), name
    for name in ("log.csv", "validation.csv"):
        rows = [[{k: v for k, v in row.items() if k != "seconds"} for row in t.run.rows(name)] for t in (first, second)]
        assert rows[0] == rows[1], name
    assert first.progress.best_psnr == second.progress.best_psnr
    assert (first.run.path / "best/model.safetensors").read_bytes() == (
        second.run.path / "best/model.safetensors"
    ).read_bytes()


SCRIPT = """
import sys
from glcic_lite.training import Settings, validation
from glcic_lite.training.loop import Trainer
validation.CROPS = 8
photos, out, settings = sys.argv[1], sys.argv[2], Settings(**eval(sys.argv[3]))
trainer = Trainer(settings, photos + "/train", photos + "/val", out, precision="no", checkpoint_minutes=0,
                  log_every=1, validate_every=10)
sys.stdout.write(f"{trainer.accelerator.num_processes} processes\\n")
trainer.train()
"""


def script_call(tmp_path, photos_folder, out, settings):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    return [str(script), str(photos_folder), str(tmp_path / out), repr(settings.to_dict())]
