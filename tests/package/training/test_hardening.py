"""Nothing lost: numbers that break, two trainers on one run, killed trainers, damaged logs, impossible settings."""

import dataclasses
import os
import signal
import subprocess
import sys
import warnings

import pytest
import torch

from glcic_lite.training import RunError, Settings, TrainingError
from glcic_lite.training.checkpoints import is_finite
from glcic_lite.training.run_folder import RunFolder
from training_runs import TINY, assert_same_run, one_iteration, phases, starter


@pytest.fixture
def start(photos_folder, tmp_path, monkeypatch):
    return starter(photos_folder, tmp_path, monkeypatch)


# Numbers that break


def break_weights(trainer, iteration, value=float("nan")):
    """What a gradient that is not finite does: the loss of this iteration is still sound, the weights are not."""

    def spoil(optimizer, args, kwargs):
        if trainer.progress.iteration == iteration:
            optimizer.param_groups[0]["params"][0].data.fill_(value)

    optimizer = trainer.optimizer
    return getattr(optimizer, "optimizer", optimizer).register_step_post_hook(spoil)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_break_before_a_checkpoint_are_not_saved_and_the_named_checkpoint_works(start, value):
    settings = phases(6, 0, 0)
    straight = start(settings, name="straight", checkpoint_minutes=0)
    straight.train()
    trainer = start(settings, checkpoint_minutes=0, validate_every=100)
    break_weights(trainer, 3, value)
    with pytest.raises(
        TrainingError, match="iteration 4: weights or optimizer contain.*Resume from .*00000003.*learning rate"
    ):
        trainer.train(progress=False)
    resumed = start(None, resume=True, checkpoint_minutes=0)
    assert resumed.progress.iteration == 3
    resumed.train(progress=False)
    assert_same_run(straight, resumed)


def test_weights_that_break_before_a_validation_replace_no_sound_ones(start):
    trainer = start(phases(6, 0, 0), validate_every=2)
    break_weights(trainer, 3)
    with pytest.raises(TrainingError, match="iteration 4: weights or optimizer contain NaN.*Start a new run"):
        trainer.train(progress=False)
    assert [row["iteration"] for row in trainer.run.rows("validation.csv")] == ["2"]


def test_a_checkpoint_with_nan_is_refused_with_the_way_out(start, monkeypatch):
    trainer = start(phases(4, 0, 0))
    one_iteration(trainer)
    trainer.save_checkpoint()
    next(trainer.bare_network.parameters()).data.fill_(float("nan"))
    one_iteration(trainer)
    assert not is_finite(trainer.accelerator)
    monkeypatch.setattr("glcic_lite.training.loop.is_finite", lambda accelerator: True)  # as earlier versions did
    trainer.save_checkpoint()
    with pytest.raises(RunError, match="00000002 cannot be read .*NaN.*; delete this folder"):
        start(None, resume=True)


def test_a_checkpoint_whose_optimizer_holds_nan_is_refused_before_it_spoils_the_weights(start):
    trainer = start(phases(4, 0, 0))
    one_iteration(trainer)
    trainer.save_checkpoint()
    file = trainer.run.latest_checkpoint() / "optimizer.bin"
    state = torch.load(file)
    next(x for x in state["state"][0].values() if x.ndim).fill_(float("nan"))
    torch.save(state, file)
    with pytest.raises(RunError, match="00000001 cannot be read .*NaN"):
        start(None, resume=True)


# Two trainers, and killed ones


def test_a_run_has_one_trainer_at_a_time(start, tmp_path):
    trainer = start()

    def try_both(trainer, row):
        rows = trainer.run.rows("log.csv")
        with pytest.raises(RunError, match="another trainer is at work"):
            start(None, resume=True)
        assert trainer.run.rows("log.csv") == rows
        return True

    trainer.train(on_log=try_both, progress=False)
    start(None, resume=True).train(progress=False)


@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="workers are not forked here")
def test_a_killed_trainer_leaves_no_lock_even_if_its_worker_lives(tmp_path):
    script = (
        "import os, sys, time\nfrom glcic_lite.training.run_folder import RunFolder\n"
        "with RunFolder(sys.argv[1]).alone():\n    child = os.fork()\n    if child: print(child, flush=True)\n"
        "    time.sleep(60)\n"
    )
    call = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as process:
        child = int(process.stdout.readline())
        try:
            with pytest.raises(RunError, match="another trainer"), RunFolder(tmp_path).alone():
                pass
            process.send_signal(signal.SIGKILL)
            process.wait()
            os.kill(child, 0)  # it lives
            with RunFolder(tmp_path).alone():
                pass
        finally:
            os.kill(child, signal.SIGKILL)
            process.stdout.close()


def test_what_a_killed_trainer_left_half_written_is_gone_after_the_next_start(start):
    trainer = start()
    trainer.train(on_log=lambda trainer, row: row["iteration"] == 3, progress=False)
    trainer._validate(1)
    run = trainer.run.path
    (run / "best").rename(run / ".old-best")  # killed between two renames: the only copy of the best weights
    for folder in (".new-best", ".new-network", ".old-network", "checkpoints/.partial"):
        (run / folder).mkdir()
        (run / folder / "half").write_bytes(b"x")
    for file in (".log.csv.123.partial", ".settings.json.9.partial", "samples/.00000001.png.123.partial"):
        (run / file).write_bytes(b"x")
    start(None, resume=True)
    left = {p.name for p in run.rglob(".*")} - {".lock"}
    assert not left and (run / "best/model.safetensors").is_file()


# What is said in one line


@pytest.mark.parametrize("content", [b"iteration,phase\n\xff\xfe,1\n", b"iteration,phase\nmany,1\n", b"phase\n1\n"])
def test_a_damaged_log_is_named(start, content):
    trainer = start()
    (trainer.run.path / "log.csv").write_bytes(content)
    with pytest.raises(RunError, match="log.csv: is not a log"):
        start(None, resume=True)


def test_photos_removed_since_the_run_began_are_told(start, photos_folder, tmp_path, monkeypatch):
    trainer = start()
    trainer.train(on_log=lambda trainer, row: row["iteration"] == 2, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        start(None, resume=True)
    for photo in sorted((photos_folder / "train").iterdir())[1:]:
        (tmp_path / "fewer/train").mkdir(parents=True, exist_ok=True)
        (tmp_path / "fewer/train" / photo.name).symlink_to(photo)
    (tmp_path / "fewer/val").symlink_to(photos_folder / "val")
    fewer = starter(tmp_path / "fewer", tmp_path, monkeypatch)
    with pytest.warns(UserWarning, match="the photos are not those of the last checkpoint"):
        fewer(None, resume=True)


def test_a_missing_random_state_is_told_and_a_damaged_one_refused(start):
    trainer = start()
    one_iteration(trainer)
    trainer.save_checkpoint()
    file = trainer.run.latest_checkpoint() / "random_states_0.pkl"
    whole = file.read_bytes()
    file.write_bytes(whole[:50])
    with pytest.raises(RunError, match="cannot be read"):
        start(None, resume=True)
    file.unlink()
    with pytest.warns(UserWarning, match="random_states_0.pkl: is missing"):
        start(None, resume=True)


@pytest.mark.parametrize(
    "error, words",
    [
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error."), "fewer workers"),
        (RuntimeError("unable to allocate shared memory(shm) for file </torch_1_2>: No space left"), "shm-size"),
        (RuntimeError("received 0 items of ancdata"), "fewer workers"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "accumulation"),
        (MemoryError(), "accumulation"),
    ],
)
def test_too_little_memory_of_any_kind_ends_in_advice(start, monkeypatch, error, words):
    trainer = start()

    def fail(*args):
        raise error

    monkeypatch.setattr(trainer.step, "iterate", fail)
    with pytest.raises(TrainingError, match=words):
        trainer.train(progress=False)


class Broken:
    encoding = "utf-8"

    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")

    flush = fileno = isatty = lambda self: False


@pytest.mark.parametrize("stream", [Broken(), None])
def test_training_goes_on_where_nobody_reads_the_progress_bar(start, monkeypatch, stream):
    trainer = start()
    monkeypatch.setattr(sys, "stderr", stream)
    assert trainer.train()


# Settings


@pytest.mark.parametrize(
    "field, value",
    [("width", 1e308), ("width", 1e5), ("width", 1e-9), ("discriminator_width", 17), ("crop_size", 0),
     ("crop_size", 2**40), ("local_size", 0), ("local_size", 10**30), ("short_edge", (10**30, 10**30)),
     ("hole_sides", (0, 5)), ("holes", 0), ("holes", 10**30), ("stroke_width", (10**30, 10**30)),
     ("stroke_width", (0, 5)), ("stroke_width", (5, 65)), ("lowered_contrast", 1.1), ("least_contrast", 1e9),
     ("seed", 10**400), ("phase_1", 10**30), ("alpha", 1e300), ("colour_weight", -1), ("mesh_weight", -1),
     ("batch_size", 0), ("batch_size", 10**30), ("accumulation", 0), ("accumulation", 10**9),
     ("learning_rate", 1e30), ("learning_rate_end", 2), ("learning_rate_decay", 1.5), ("joint_learning_rate", 1e30),
     ("joint_learning_rate_end", 3), ("discriminator_learning_rate", 1e30), ("averaging", 1)],
)  # fmt: skip
def test_a_setting_out_of_bounds_names_itself_in_a_short_line(field, value):
    with pytest.raises(ValueError, match=field) as refused:
        dataclasses.replace(TINY, **{field: value})
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    "changes, words",
    [({"use_global": False, "use_local": False}, "one discriminator must be left"),
     ({"hole_sides": (20, 10)}, "must be two rising numbers"),
     ({"phase_1": 0, "phase_2": 0, "phase_3": 0}, "nothing to train")],
)  # fmt: skip
def test_settings_that_contradict_each_other_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(TINY, **changes)


def test_every_number_among_the_settings_is_bounded():
    from glcic_lite.training.settings import _BOUNDS

    numbers = {x.name for x in dataclasses.fields(Settings) if x.type not in (bool, str)}
    assert numbers - set(_BOUNDS) == {"network_momentum", "averaging"}, "these two must be below 1"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[]", "7", '{"width": 1' + "0" * 5000 + "}"])
def test_a_settings_file_of_another_kind_is_refused_in_one_line(tmp_path, text):
    from glcic_lite.commands.options import settings_named

    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(RunError, match="settings"):
        RunFolder(tmp_path).settings()
    with pytest.raises(RunError, match="settings"):
        settings_named(str(tmp_path / "settings.json"))


@pytest.mark.parametrize("width", [float("nan"), 1e308, 1e5])
def test_bench_refuses_the_widths_that_settings_refuse(width):
    from glcic_lite.commands.bench import bench_complete

    with pytest.raises(RunError, match="--width"):
        bench_complete(width=width)
