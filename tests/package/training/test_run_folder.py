"""A run in its folder: stopped, killed and gone on with; what survives a full disk and what is refused."""

import json
import os
import pickle
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from safetensors.torch import load_file

from glcic_lite.method.losses import hole_errors
from glcic_lite.method.networks import CompletionNetwork, ContextDiscriminator
from glcic_lite.method.photos import PhotoError
from glcic_lite.method.pretrained import WeightsError
from glcic_lite.training import RunError, TrainingError
from glcic_lite.training import train as train_run
from glcic_lite.training.checkpoints import checkpoint_size
from glcic_lite.training.loop import Trainer
from glcic_lite.training.run_folder import RunFolder
from inputs import narrow_network, noise
from training_runs import TINY, assert_same_run, one_iteration, phases, same, script_call, starter


@pytest.fixture
def start(photos_folder, tmp_path, monkeypatch):
    return starter(photos_folder, tmp_path, monkeypatch)


# Stopping and going on


@pytest.mark.parametrize("stop", [1, 3, 4, 5, 6])
def test_a_resumed_run_has_the_numbers_of_one_never_interrupted(start, stop):
    """Stopped in every phase, and between them; with rows of the log that average over several iterations."""
    options = {"log_every": 2, "validate_every": 1}
    straight = start(name="straight", **options)
    straight.train()
    stopped = start(name="stopped", **options)
    stopped.train(on_validation=lambda trainer, row: row["iteration"] == stop)
    assert stopped.progress.iteration == stop
    resumed = start(None, name="stopped", resume=True, **options)
    assert resumed.progress.iteration == stop
    resumed.train()
    assert_same_run(straight, resumed)


def test_a_run_with_workers_has_the_numbers_of_one_without(start):
    alone, shared = start(name="alone"), start(name="shared", workers=2)
    alone.train()
    shared.train()
    assert_same_run(alone, shared)


def test_resuming_goes_back_to_the_last_checkpoint_and_forgets_the_rows_after_it(start):
    straight = start(name="straight", validate_every=2)
    straight.train()
    trainer = start(name="killed", validate_every=2)
    trainer.train(on_validation=lambda trainer, row: row["iteration"] == 4)
    for name in ("log.csv", "validation.csv"):  # what a run writes between its last checkpoint and its end
        row = trainer.run.rows(name)[-1]
        trainer.run.append(name, row | {"iteration": 5})
        with open(trainer.run.path / name, "a") as file:
            file.write("6,3,0.")
    resumed = start(None, name="killed", resume=True, validate_every=2)
    resumed.train()
    assert_same_run(straight, resumed)


def test_a_run_killed_before_its_first_checkpoint_begins_again(start):
    straight = start(name="straight")
    straight.train()
    start(name="killed").run.append("log.csv", {"iteration": 1, "phase": 1})
    resumed = start(None, name="killed", resume=True)
    assert resumed.progress.iteration == 0
    resumed.train()
    assert_same_run(straight, resumed)


@pytest.mark.parametrize("phase, begun", [(1, 1), (2, 31), (3, 41)])
def test_a_run_killed_at_any_moment_ends_with_the_numbers_of_one_never_interrupted(
    start, tmp_path, photos_folder, phase, begun
):
    settings = phases(30, 10, 20)
    straight = start(settings, name="straight", validate_every=10)
    straight.train()
    call = [sys.executable, *script_call(tmp_path, photos_folder, "killed", settings)]
    checkpoints = tmp_path / "killed/checkpoints"
    with subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not (checkpoints.is_dir() and any(p.name >= f"{begun:08d}" for p in checkpoints.glob("0*"))):
            assert process.poll() is None and time.monotonic() < deadline, "the run did not get going"
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
    resumed = start(None, name="killed", resume=True, validate_every=10)
    print("killed; resumed from iteration", resumed.progress.iteration)
    assert resumed.progress.iteration >= begun
    resumed.train()
    assert_same_run(straight, resumed)


@pytest.mark.parametrize("iteration", [2, 4, 7])
def test_an_interrupt_ends_the_iteration_writes_a_checkpoint_and_says_so(start, monkeypatch, capsys, iteration):
    straight = start(name="straight", log_every=3)
    straight.train()
    stopped = start(name="stopped", log_every=3)
    interrupt_in(stopped, monkeypatch, iteration, times=1)
    assert stopped.train() is False
    assert stopped.progress.iteration == iteration
    assert f"stopped after iteration {iteration} of 8" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed = start(None, name="stopped", resume=True, log_every=3)
    assert resumed.progress.iteration == iteration
    assert resumed.train() is True
    assert_same_run(straight, resumed)


def test_a_second_interrupt_does_not_wait(start, monkeypatch):
    trainer = start()
    interrupt_in(trainer, monkeypatch, 4, times=2)
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    assert trainer.progress.iteration == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def interrupt_in(trainer, monkeypatch, iteration, times):
    iterate = trainer.iterate

    def interrupted(*args, **options):
        if trainer.progress.iteration == iteration - 1:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return iterate(*args, **options)

    monkeypatch.setattr(trainer, "iterate", interrupted)


def test_a_trainer_may_work_beside_the_main_thread(start):
    """Only the main thread is told of interrupts, and only it may ask for them."""
    trainer = start()
    thread = threading.Thread(target=trainer.train)
    thread.start()
    thread.join()
    assert trainer.progress.iteration == 8


def test_a_run_of_an_earlier_version_goes_on_with_the_same_numbers(start, tmp_path):
    """Without the newer settings, columns of the log and parts of the checkpoint."""
    straight = start(name="straight", validate_every=2)
    straight.train()
    start(name="old", validate_every=2).train(on_validation=lambda trainer, row: row["iteration"] == 6)
    old = tmp_path / "old"
    settings = json.loads((old / "settings.json").read_text())
    del settings["discriminator_width"]
    (old / "settings.json").write_text(json.dumps(settings))
    header, *rows = (old / "log.csv").read_text().splitlines()
    count = header.split(",").index("logit_spread")
    (old / "log.csv").write_text("".join(",".join(row.split(",")[:count]) + "\n" for row in (header, *rows)))
    progress = old / "checkpoints/00000006/custom_checkpoint_1.pkl"
    state = torch.load(progress)
    del state["watched"]
    torch.save(state, progress)

    resumed = start(None, name="old", resume=True, validate_every=2)
    resumed.train()
    log = resumed.run.rows("log.csv")
    assert [bool(row["logit_spread"]) for row in log] == [False] * 6 + [True] * 2
    assert all(len(row) == len(log[0]) for row in log)
    for name in straight.run.rows("log.csv")[0].keys() - {"seconds"}:
        assert [row[name] for row in log][6:] == [row[name] for row in straight.run.rows("log.csv")][6:], name
    assert same(straight.bare_network.state_dict(), resumed.bare_network.state_dict())


def test_a_resumed_run_keeps_its_precision(start, tmp_path, monkeypatch):
    """Which format is faster is timed; a busy moment must not change the numbers of a run."""
    monkeypatch.setattr("glcic_lite.training.choices.bfloat16_is_faster", lambda device: False)
    start(precision="auto")
    monkeypatch.setattr("glcic_lite.training.choices.bfloat16_is_faster", lambda device: True)
    assert start(None, resume=True, precision="auto").precision == "no"


def test_bfloat16_trains(start):
    trainer = start(precision="bf16")
    trainer.train()
    assert all(np.isfinite(float(row["psnr"])) for row in trainer.run.rows("validation.csv"))


def test_an_unknown_precision_is_refused_before_a_run_is_made(start, tmp_path):
    with pytest.raises(RunError, match="precision nonsense"):
        start(precision="nonsense")
    assert not (tmp_path / "run").exists()


def test_phases_may_be_made_longer_on_resuming(start):
    start(phases(1, 0, 0)).train()
    longer = start(phases(1, 1, 1), resume=True)
    longer.train()
    assert longer.progress.iteration == 3


def test_on_resuming_changed_settings_are_refused_by_name(start):
    start(phases(1, 0, 0)).train()
    with pytest.raises(RunError, match="batch_size, alpha|alpha, batch_size"):
        start(phases(1, 0, 0, batch_size=2, alpha=1.0), resume=True)


def test_there_must_be_a_run_to_resume(start):
    with pytest.raises(RunError, match="there is no run here"):
        start(None, resume=True)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"widht": 1}', '{"width": 1, "crop_size": "big"}'])
def test_damaged_settings_of_a_run_are_named(start, tmp_path, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/settings.json").write_text(content)
    with pytest.raises(RunError, match="settings.json cannot be read"):
        start(None, resume=True)


@pytest.mark.parametrize(
    "name",
    [
        "network/mine.txt",
        "best/mine.txt",
        "checkpoints/mine.pt",
        "checkpoints/00000100/mine.pt",
        "samples/1.png",
        "log.csv",
    ],
)
def test_files_that_are_no_runs_are_refused_and_kept(start, tmp_path, name):
    file = tmp_path / "run" / name
    file.parent.mkdir(parents=True)
    file.write_text("precious")
    with pytest.raises(RunError, match="belongs to no run; choose another folder"):
        start()
    assert file.read_text() == "precious"


def test_a_run_made_longer_stays_so(start):
    start(phases(2, 0, 0)).train()
    start(phases(4, 0, 0), resume=True).train()
    again = start(None, resume=True)
    assert again.settings == phases(4, 0, 0) and again.progress.iteration == 4 and again.train()


def test_a_run_made_shorter_than_it_is_has_ended(start):
    start(phases(4, 0, 0)).train()
    assert start(phases(2, 0, 0), resume=True).train()


def test_a_run_made_shorter_than_it_is_leaves_the_weights_that_it_has(start):
    start(phases(9, 0, 0)).train(on_log=lambda trainer, row: row["iteration"] == 5)  # long before a validation
    ended = start(phases(3, 0, 0), resume=True)
    assert not (ended.run.path / "network").exists()
    assert ended.train()
    (row,) = ended.run.rows("validation.csv")
    assert row["iteration"] == "5"
    saved = CompletionNetwork.from_pretrained(ended.run.path / "network").state_dict()
    assert all(torch.equal(value, saved[name]) for name, value in ended.validated_network.state_dict().items())
    assert ended.train() and len(ended.run.rows("validation.csv")) == 1


def test_after_an_interrupt_in_the_middle_of_a_joint_step_training_goes_on(start, monkeypatch):
    trainer = start(phases(0, 0, 3))

    def interrupted(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("glcic_lite.training.step.hole_errors", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trainer.train(progress=False)
    weights = list(trainer.bare_discriminator.parameters())
    assert any(weight.grad is not None or not weight.requires_grad for weight in weights)
    assert trainer.train(progress=False)
    assert all(weight.grad is None for weight in weights)


@pytest.mark.parametrize("damage", ["shorten", "remove", "overwrite"])
@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.bin", "custom_checkpoint_0.pkl"])
def test_a_damaged_checkpoint_is_named(start, damage, file):
    trainer = start(phases(2, 0, 0))
    trainer.train(on_validation=lambda trainer, row: True)
    path = trainer.run.latest_checkpoint() / file
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if damage == "shorten" else b"nonsense")
    with pytest.raises(RunError, match=f"{path.parent.name} cannot be read.*delete this folder"):
        start(None, resume=True)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("custom_checkpoint_0.pkl", lambda state: [1]),
        ("custom_checkpoint_1.pkl", lambda state: [1]),
        ("optimizer.bin", lambda state: [1]),
        *(
            ("custom_checkpoint_1.pkl", lambda state, name=name, value=value: state | {name: value})
            for name, value in [
                ("photos", 7), ("photos", ["a", "b"]), ("seconds", "a"), ("seconds", float("nan")), ("window", 5),
                ("window", [3]), ("watched", 3), ("watched", [(3, 1, 2)]), ("watched", [("a", "b", {})]),
                ("watched", [(3, 500, {"gan": 1.0})]), ("iteration", -5), ("iteration", "x"),
                ("iteration", 10**9), ("iteration", 1), ("best_psnr", None),
            ]
        ),
    ],
)  # fmt: skip
def test_a_checkpoint_of_the_right_format_with_something_else_in_it_is_named(start, file, change):
    trainer = start(phases(2, 0, 0))
    trainer.train(on_validation=lambda trainer, row: True)
    path = trainer.run.latest_checkpoint() / file
    torch.save(change(torch.load(path)), path)
    with pytest.raises(RunError, match=f"{path.parent.name} cannot be read.*delete this folder"):
        start(None, resume=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
@pytest.mark.parametrize(
    "file", ["model.safetensors", "optimizer.bin", "custom_checkpoint_0.pkl", "random_states_0.pkl"]
)
def test_a_pipe_in_a_checkpoint_holds_nobody_up(start, file):
    trainer = start(phases(2, 0, 0))
    trainer.train(on_validation=lambda trainer, row: True)
    path = trainer.run.latest_checkpoint() / file
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RunError, match=f"{path.parent.name} cannot be read.*{file}: not a regular file"):
        start(None, resume=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_in_place_of_the_lock_holds_nobody_up(start, tmp_path):
    (tmp_path / "run").mkdir()
    os.mkfifo(tmp_path / "run/.lock")
    with pytest.raises(RunError, match="not a regular file"):
        start(phases(2, 0, 0))


def test_what_somebody_has_left_in_a_checkpoint_does_no_harm(start):
    trainer = start(phases(4, 0, 0))
    trainer.train(on_validation=lambda trainer, row: True)
    checkpoint = trainer.run.latest_checkpoint()
    (checkpoint / ".ipynb_checkpoints").mkdir()
    (checkpoint / "notes.bin").write_bytes(b"mine")
    assert start(None, resume=True).train(progress=False)


def test_a_checkpoint_of_other_settings_is_not_said_to_be_damaged(start):
    trainer = start(phases(2, 0, 0))
    trainer.train(on_validation=lambda trainer, row: True)
    settings = trainer.run.path / "settings.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"width": 1 / 8}))
    with pytest.raises(RunError, match="belongs to networks with other settings than .*settings.json") as refused:
        start(None, resume=True)
    assert "delete" not in str(refused.value)


def test_a_run_whose_sample_pictures_were_deleted_goes_on(start):
    trainer = start(phases(4, 0, 0), validate_every=1)
    trainer.train(on_validation=lambda trainer, row: True)
    shutil.rmtree(trainer.run.samples)
    assert start(None, resume=True, validate_every=1).train(progress=False)


@pytest.mark.parametrize("text", ["null", "[]", "3", '{"precision": [1]}', '{"width": 1, "width": 0.5}', "[" * 100_000])
def test_settings_of_a_run_that_are_something_else_are_named(start, text):
    start(phases(2, 0, 0)).train(on_validation=lambda trainer, row: True)
    run = start(None, resume=True).run
    (run.path / "settings.json").write_text(text)
    with pytest.raises(RunError, match="settings.json cannot be read") as refused:
        run.settings()
    assert "attribute" not in str(refused.value)


def test_gradients_that_are_not_finite_make_no_checkpoint_unreadable(start):
    """In float16 they are, now and then: the scaler leaves such a step out."""
    trainer = start(phases(2, 0, 0))
    trainer.train(on_validation=lambda trainer, row: True)
    path = trainer.run.latest_checkpoint() / "custom_checkpoint_1.pkl"
    row = {"reconstruction": 0.1, "network_gradient": float("nan")}
    torch.save(torch.load(path) | {"window": [row], "watched": [(1, 1, row)]}, path)
    assert start(None, resume=True).progress.iteration == trainer.progress.iteration


class LeavesATrace:
    """Unpickled, it runs code."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), "w")


def test_nothing_in_a_checkpoint_is_run(start, tmp_path):
    trainer = start(phases(2, 0, 0))
    trainer.train(on_validation=lambda trainer, row: True)
    checkpoint = trainer.run.latest_checkpoint()
    files = sorted(checkpoint.glob("*.pkl")) + sorted(checkpoint.glob("*.bin"))
    assert len(files) >= 4  # two optimizers, the averaged weights, the progress
    for file in files:
        sound, trace = file.read_bytes(), tmp_path / "trace"
        file.write_bytes(pickle.dumps(LeavesATrace(trace), protocol=2))
        try:
            start(None, resume=True)
        except RunError as error:
            assert "cannot be read" in str(error)
            assert "weights_only" not in str(error)  # PyTorch advises to open such a file without it
        assert not trace.exists(), file.name
        file.write_bytes(sound)
    assert start(None, resume=True).train()


def test_a_folder_that_holds_a_run_is_refused_and_kept(start, tmp_path):
    start(phases(1, 0, 0)).train()
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    with pytest.raises(RunError, match="holds a run already; continue it with --resume"):
        start()
    assert {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()} == before


def test_a_new_run_needs_settings(start):
    with pytest.raises(RunError, match="settings"):
        start(None)


def test_a_file_in_the_way_of_the_run_folder_is_named(start, tmp_path):
    (tmp_path / "run").write_text("precious")
    with pytest.raises(RunError, match="cannot be written to"):
        start()
    assert (tmp_path / "run").read_text() == "precious"


@pytest.mark.parametrize("missing", ["train", "val"])
def test_a_missing_photo_folder_is_named_before_a_run_is_made(photos_folder, tmp_path, missing):
    folders = {name: photos_folder / name for name in ("train", "val")} | {missing: tmp_path / "lost"}
    with pytest.raises(PhotoError, match="lost"):
        Trainer(TINY, folders["train"], folders["val"], tmp_path / "run", precision="no")
    assert not (tmp_path / "run").exists()


# Weights to start from


def test_a_run_may_start_from_weights(start, tmp_path):
    weights = narrow_network(seed=5)
    weights.save_pretrained(tmp_path / "weights")
    trainer = start(start_from=tmp_path / "weights")
    assert same(trainer.bare_network.state_dict(), weights.state_dict())
    assert same(trainer.average.module.state_dict(), weights.state_dict())


def test_a_run_that_starts_from_weights_with_a_log_keeps_it(start, tmp_path):
    narrow_network(seed=5).save_pretrained(tmp_path / "weights")
    first = start(name="weights")  # a run's folder, with weights beside its log, as published ones have
    narrow_network(seed=5).save_pretrained(tmp_path / "weights")
    first.train()
    second = start(name="second", start_from=tmp_path / "weights")
    second.train()
    for name in ("log.csv", "validation.csv"):
        rows, before, own = (second.run.all_rows(name), first.run.rows(name), second.run.rows(name))
        assert rows[: len(before)] == before
        assert [int(row["iteration"]) for row in rows[len(before) :]] == [
            first.settings.iterations + int(row["iteration"]) for row in own
        ]
    assert first.run.all_rows("log.csv") == first.run.rows("log.csv")


def test_a_run_killed_before_its_first_checkpoint_remembers_the_weights_it_started_from(start, tmp_path):
    narrow_network(seed=5).save_pretrained(tmp_path / "weights")
    straight = start(name="straight", start_from=tmp_path / "weights")
    straight.train()
    start(name="killed", start_from=tmp_path / "weights")
    shutil.rmtree(tmp_path / "weights")
    resumed = start(None, name="killed", resume=True)
    resumed.train()
    assert_same_run(straight, resumed)


def test_weights_of_another_network_to_start_from_are_refused_before_a_run_is_made(start, tmp_path):
    narrow_network(width=1 / 8).save_pretrained(tmp_path / "weights")
    with pytest.raises(WeightsError, match="not of the network"):
        start(start_from=tmp_path / "weights")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("flag", ["dilated", "mask_channel", "norm_after_activation", "subtract_mean"])
def test_weights_of_a_network_that_differs_in_no_tensor_but_in_what_it_does_are_refused(start, tmp_path, flag):
    usual = getattr(narrow_network(), flag)
    narrow_network(**{flag: not usual}).save_pretrained(tmp_path / "weights")
    with pytest.raises(WeightsError, match=f"not of the network.*{flag} = {not usual}"):
        start(start_from=tmp_path / "weights")
    assert not (tmp_path / "run/settings.json").exists()


@pytest.mark.parametrize("option", ["start_from", "discriminators_from"])
def test_a_resumed_run_takes_no_other_weights_to_start_from(start, weights_folder, option):
    start()
    with pytest.raises(RunError, match="its own weights"):
        start(None, resume=True, **{option: weights_folder})


def test_a_run_may_start_from_discriminators(start, tmp_path):
    trained = start(phases(0, 2, 0), name="trained")
    trained.train()
    folder = trained.run.path / "discriminators"
    trainer = start(phases(0, 1, 1), discriminators_from=folder)
    assert same(trainer.bare_discriminator.state_dict(), ContextDiscriminator.from_pretrained(folder).state_dict())
    trainer.train()
    assert not same(trainer.bare_discriminator.state_dict(), trained.bare_discriminator.state_dict())


def test_a_run_killed_before_its_first_checkpoint_remembers_the_discriminators_it_started_from(start, tmp_path):
    source = start(phases(0, 2, 0), name="trained")
    source.train()
    given = source.run.path / "discriminators"
    straight = start(phases(0, 2, 1), name="straight", discriminators_from=given)
    straight.train()
    start(phases(0, 2, 1), name="killed", discriminators_from=given)
    resumed = start(None, name="killed", resume=True)
    resumed.train()
    assert_same_run(straight, resumed)


@pytest.mark.parametrize("other", [{"width": 1 / 8}, {"use_local": False}, {"local_size": 64}])
def test_discriminators_of_another_form_are_refused_before_a_run_is_made(start, tmp_path, other):
    form = {"global_size": TINY.crop_size, "local_size": TINY.local_size, "width": TINY.width} | other
    ContextDiscriminator(**form).save_pretrained(tmp_path / "weights")
    with pytest.raises(WeightsError, match="not of the network"):
        start(discriminators_from=tmp_path / "weights")
    assert not (tmp_path / "run/settings.json").exists()


# What goes wrong


def test_a_loss_that_is_no_number_stops_the_run_with_advice_and_sound_checkpoints(start, monkeypatch):
    trainer = start(checkpoint_minutes=0)

    def explode(*given):
        loss = hole_errors(*given)
        return loss * float("nan") if trainer.progress.iteration == 2 else loss

    monkeypatch.setattr("glcic_lite.training.step.hole_errors", explode)
    with pytest.raises(
        TrainingError, match="iteration 3: the reconstruction loss is no longer a number.*learning rate"
    ):
        trainer.train()
    assert trainer.run.latest_checkpoint().name == "00000002"
    for file in trainer.run.latest_checkpoint().glob("*.safetensors"):
        assert all(value.isfinite().all() for value in load_file(file).values() if value.is_floating_point())


def checkpoint_bytes(trainer):
    folder = trainer.run.latest_checkpoint()
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def assert_last_checkpoint_survives(trainer, error="not written.*the one before is intact"):
    before = checkpoint_bytes(trainer)
    one_iteration(trainer)
    with pytest.raises(TrainingError, match=error):
        trainer.save_checkpoint()
    assert checkpoint_bytes(trainer) == before
    assert [p.name for p in trainer.run.checkpoints.iterdir()] == ["00000001"], "half a checkpoint was left"


@pytest.mark.parametrize(
    "step", ["accelerate.Accelerator.save_state", "os.fsync", "os.replace", "accelerate.accelerator.save_custom_state"]
)
def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one_intact(start, monkeypatch, step):
    trainer = start()
    one_iteration(trainer)
    trainer.save_checkpoint()

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(step, fail)
    assert_last_checkpoint_survives(trainer)


@pytest.mark.parametrize("room", [3_000, 100_000])
def test_a_disk_that_fills_up_for_real_leaves_the_last_checkpoint_intact(start, room):
    """Torch and safetensors report a failed write in their own ways; a limit on file sizes provokes it."""
    trainer = start()
    one_iteration(trainer)
    trainer.save_checkpoint()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        assert_last_checkpoint_survives(trainer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_log_that_cannot_be_written_stops_the_run_and_leaves_the_last_checkpoint_intact(start, monkeypatch):
    trainer = start(checkpoint_minutes=0)
    append = RunFolder.append

    def fill(run, name, row):
        if row["iteration"] == 6:
            raise OSError(28, "No space left on device")
        append(run, name, row)

    monkeypatch.setattr(RunFolder, "append", fill)
    with pytest.raises(TrainingError, match="iteration 6: .*No space left.*intact. Free some disk space and resume"):
        trainer.train()
    monkeypatch.undo()
    resumed = start(None, resume=True)
    assert resumed.progress.iteration == 5
    resumed.train()


@pytest.mark.parametrize("resume", [False, True])
def test_a_disk_without_room_for_checkpoints_is_named_before_hours_are_lost(start, tmp_path, monkeypatch, resume):
    room = namedtuple("Room", "total used free")(10**9, 10**9 - 1000, 1000)
    if resume:
        start(phases(1, 0, 0)).train()
        shutil.rmtree(tmp_path / "run/checkpoints/00000001")
    monkeypatch.setattr("shutil.disk_usage", lambda folder: room)
    with pytest.raises(RunError, match="checkpoints need .* GB, and 0.0 GB are free"):
        start(None if resume else TINY, resume=resume)
    assert (tmp_path / "run/settings.json").exists() == resume


def test_the_room_asked_for_is_what_checkpoints_take(start):
    trainer = start(checkpoint_minutes=0)
    trainer.train()
    newest = sum(p.stat().st_size for p in trainer.run.latest_checkpoint().rglob("*") if p.is_file())
    assert 0.5 * newest < checkpoint_size(trainer.bare_network, trainer.bare_discriminator) < newest


def test_columns_that_a_csv_file_lacks_are_added_to_it(tmp_path):
    run = RunFolder(tmp_path)
    run.append("log.csv", {"iteration": 1, "loss": 0.5})
    run.append("log.csv", {"iteration": 2, "loss": 0.4, "more": 7})
    run.append("log.csv", {"more": 8, "iteration": 3})
    assert run.rows("log.csv") == [
        {"iteration": "1", "loss": "0.5", "more": ""},
        {"iteration": "2", "loss": "0.4", "more": "7"},
        {"iteration": "3", "loss": "", "more": "8"},
    ]


def test_only_the_two_newest_checkpoints_are_kept(start):
    trainer = start(checkpoint_minutes=0)
    trainer.train()
    assert sorted(p.name for p in trainer.run.checkpoints.iterdir()) == ["00000007", "00000008"]


@pytest.mark.filterwarnings("ignore:photo skipped")
def test_broken_photos_among_the_training_photos_do_not_stop_a_run(tmp_path, photos_folder):
    (tmp_path / "photos").mkdir()
    Image.fromarray(noise(80, 80)).save(tmp_path / "photos/good.png")
    (tmp_path / "photos/bad.png").write_bytes(b"no photo")
    weights = train_run(phases(1, 1, 1), tmp_path / "photos", photos_folder / "val", tmp_path / "run", precision="no")
    assert (weights / "model.safetensors").is_file()


def test_a_batch_that_processes_cannot_share_is_refused(start, tmp_path, monkeypatch):
    monkeypatch.setattr(Accelerator, "num_processes", 2)
    with pytest.raises(RunError, match="3 cannot be shared by 2"):
        start(phases(1, 0, 0, batch_size=3))
    assert not (tmp_path / "run").exists(), "no run has begun"
