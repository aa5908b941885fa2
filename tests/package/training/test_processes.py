"""Training in several processes, several trainers in one process, and other devices."""

import dataclasses
import multiprocessing
import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch._dynamo.exc import TorchDynamoException

from glcic_lite.device import choose_device
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.training.choices import room_for_photos, training_choices
from glcic_lite.training.log import Progress, TrainingError
from glcic_lite.training.run_folder import RunError, RunFolder
from training_runs import SMOOTH, one_iteration, phases, same, script_call, starter


@pytest.fixture
def start(photos_folder, tmp_path, monkeypatch):
    return starter(photos_folder, tmp_path, monkeypatch)


# Several processes


@pytest.fixture
def one_thread():
    """Sums in the same order as in a process with one thread: to the last bit, threads matter."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("together", [True, False])
def test_two_processes_make_the_same_updates_as_one(start, tmp_path, photos_folder, one_thread, together):
    """Two processes with half a batch each equal one process that computes the batch in two parts.

    That is the true comparison: batch normalisation sees half a batch in both. The statistics it keeps for evaluation
    are each process's own, so weights and logged losses are compared; weights up to the end of phase 2, because in
    phase 3 the network meets discriminators that have, or have not yet, made their step.
    """
    settings = phases(1, 1, 1, SMOOTH, judged_together=together)
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    launch += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    call = [*launch, *script_call(tmp_path, photos_folder, "two", settings)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(call, capture_output=True, text=True, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("2 processes") == 2
    assert RunFolder(tmp_path / "two").rows("log.csv")[-1]["iteration"] == "3"

    one = start(dataclasses.replace(settings, accumulation=2), name="one", checkpoint_minutes=0)
    one.train()
    compared = 0
    for file in ("model.safetensors", "model_1.safetensors"):
        here, there = (load_file(Path(tmp_path / run / "checkpoints/00000002" / file)) for run in ("one", "two"))
        assert here.keys() == there.keys()
        for name in here:
            if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
                assert torch.allclose(here[name], there[name], atol=2e-5, rtol=1e-3), name
                compared += 1
    assert compared > 60
    for here, there in zip(one.run.rows("log.csv"), RunFolder(tmp_path / "two").rows("log.csv"), strict=True):
        for name in ("reconstruction", "discriminator", "real_accuracy", "fake_accuracy"):
            assert bool(here[name]) == bool(there[name])
            if here[name]:
                assert float(here[name]) == pytest.approx(float(there[name]), rel=1e-3), (name, here["iteration"])


NOTEBOOK = """
import sys
from accelerate import notebook_launcher
from glcic_lite.training import Settings, train, validation
validation.CROPS = 8
photos, out, settings, port = sys.argv[1], sys.argv[2], Settings(**eval(sys.argv[3])), sys.argv[4]

def run():
    train(settings, photos + "/train", photos + "/val", out, precision="no", log_every=1)

notebook_launcher(run, num_processes=2, use_port=port)
"""


def test_two_processes_started_from_a_notebook_share_each_batch(start, tmp_path, photos_folder, one_thread):
    """As the docstring of `train` has it, in a fresh process as in a fresh kernel."""
    settings = phases(2, 0, 0, SMOOTH)
    (tmp_path / "notebook.py").write_text(NOTEBOOK)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    call = [sys.executable, "notebook.py", str(photos_folder), "two", repr(settings.to_dict()), port]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(call, capture_output=True, text=True, timeout=240, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "FutureWarning" not in done.stderr
    one = start(dataclasses.replace(settings, accumulation=2), name="one")
    one.train()
    losses = [
        [float(row["reconstruction"]) for row in run.rows("log.csv")] for run in (one.run, RunFolder(tmp_path / "two"))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_on_gpus_batch_normalisation_spans_the_processes_under_the_same_names(start, monkeypatch):
    """What can be seen of it without GPUs: the kind of the layers, and what is in the weights files."""
    monkeypatch.setattr(
        "glcic_lite.training.loop.training_choices",
        lambda precision, workers: dataclasses.replace(training_choices("no", 0), synchronised_norm=True),
    )
    monkeypatch.setattr("accelerate.Accelerator.num_processes", 2)
    monkeypatch.setattr("glcic_lite.training.loop.Trainer.save_checkpoint", lambda trainer: None)
    trainer = start()
    monkeypatch.undo()
    plain = start(name="plain")
    for name in ("bare_network", "bare_discriminator"):
        kinds = [{type(m) for m in getattr(x, name).modules() if "Norm" in type(m).__name__} for x in (trainer, plain)]
        assert kinds == [{nn.SyncBatchNorm}, {nn.BatchNorm2d}]
        assert getattr(trainer, name).state_dict().keys() == getattr(plain, name).state_dict().keys()
    assert not any(isinstance(m, nn.SyncBatchNorm) for m in trainer.average.modules()), "what is validated and saved"


# Several trainers in one process


def test_trainers_in_one_process_share_nothing(start):
    """Precision and accumulation are each trainer's own, also where they take turns."""
    kinds = {"parts": ({"accumulation": 2}, "no"), "half": ({}, "bf16"), "whole": ({}, "no")}
    alone, in_turns = {}, {}
    for name, (changes, precision) in kinds.items():
        alone[name] = start(phases(2, 1, 2, **changes), name, precision=precision)
        for _ in range(5):
            one_iteration(alone[name])
    for name, (changes, precision) in kinds.items():
        in_turns[name] = start(phases(2, 1, 2, **changes), f"{name} in turns", precision=precision)
    for _ in range(5):
        for trainer in in_turns.values():
            one_iteration(trainer)
    for name in kinds:
        assert alone[name].precision == in_turns[name].precision == kinds[name][1]
        for module in ("bare_network", "bare_discriminator", "average"):
            assert same(getattr(alone[name], module).state_dict(), getattr(in_turns[name], module).state_dict())
    assert not same(in_turns["half"].bare_network.state_dict(), in_turns["whole"].bare_network.state_dict())


# Devices


def choices(kind, monkeypatch, bfloat16=True, **options):
    monkeypatch.setattr(
        "glcic_lite.training.choices.bfloat16_is_faster", lambda device_type: bfloat16 and device_type != "mps"
    )
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    return training_choices(device=torch.device(kind), **options)


def test_each_device_is_used_in_its_own_way(monkeypatch):
    cpu, cuda, mps = (choices(kind, monkeypatch) for kind in ("cpu", "cuda", "mps"))
    assert [x.precision for x in (cpu, cuda, mps)] == ["bf16", "bf16", "no"]
    assert [x.pinned for x in (cpu, cuda, mps)] == [False, True, False]
    assert [x.fused for x in (cpu, cuda, mps)] == [True, True, False]
    assert [x.synchronised_norm for x in (cpu, cuda, mps)] == [False, True, False]
    assert [x.workers for x in (cpu, cuda, mps)] == [0, 15, 15]
    assert [x.photos_on_device for x in (cpu, cuda, mps)] == [
        False,
        multiprocessing.get_start_method() == "fork",
        False,
    ]
    assert mps.memory_format is torch.contiguous_format
    assert cpu.memory_format is cuda.memory_format is torch.channels_last


def test_gpus_too_old_for_bfloat16_train_in_float16_and_cpus_in_float32(monkeypatch):
    assert choices("cuda", monkeypatch, bfloat16=False).precision == "fp16"
    assert choices("cpu", monkeypatch, bfloat16=False).precision == "no"


@pytest.mark.parametrize("kind", ["cpu", "mps"])
def test_float16_needs_an_nvidia_gpu(monkeypatch, kind):
    with pytest.raises(ValueError, match=f"NVIDIA GPU, and this is {kind}"):
        choices(kind, monkeypatch, precision="fp16")


def test_accelerates_wish_for_the_cpu_is_heard(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device().type == "cuda"
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert choose_device().type == "cpu"


def test_a_device_that_the_process_cannot_train_on_is_refused(start):
    with pytest.raises(RunError, match="cannot train on meta"):
        start(choices=dataclasses.replace(training_choices("no"), device=torch.device("meta")))


@pytest.mark.parametrize(
    "error, words",
    [(torch.OutOfMemoryError("CUDA out of memory"), "accumulation"),
     (TorchDynamoException("no compiler"), "train without it")],
)  # fmt: skip
def test_what_pytorch_cannot_do_here_ends_in_advice(start, monkeypatch, error, words):
    trainer = start()

    def fail(*args):
        raise error

    monkeypatch.setattr(trainer.step, "iterate", fail)
    with pytest.raises(TrainingError, match=words):
        trainer.train()


def test_kernels_are_chosen_by_trying_while_training_only(start):
    assert not torch.backends.cudnn.benchmark
    seen = []
    start().train(on_log=lambda trainer, row: seen.append(torch.backends.cudnn.benchmark))
    assert all(seen) and seen and not torch.backends.cudnn.benchmark


def test_the_scale_of_float16_is_part_of_a_checkpoint_and_may_be_missing():
    with_scale, other, without = Progress(), Progress(), Progress()
    with_scale.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    other.scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    without.load_state_dict(with_scale.state_dict())
    assert without.scaler is None and without.state_dict()["scaler"] is None
    other.load_state_dict(with_scale.state_dict())
    assert other.scaler.state_dict()["scale"] == 8.0
    other.load_state_dict(without.state_dict())
    assert other.scaler.state_dict()["scale"] == 8.0, "a checkpoint without one leaves it as it is"


def test_processes_on_one_machine_share_its_cores_for_decoding(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert choices("cuda", monkeypatch).workers == 3


def test_photos_on_a_device_take_at_most_a_quarter_of_the_memory_and_are_not_sent_to_processes(monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=8000))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1600, 9999))
    assert [room_for_photos(torch.device(kind)) for kind in ("cpu", "cuda")] == [2000, 400]
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "10")
    assert room_for_photos(torch.device("cuda")) == 200, "each process of a run keeps them once in main memory"
    monkeypatch.setattr("multiprocessing.get_start_method", lambda: "spawn")
    assert not choices("cuda", monkeypatch).photos_on_device
    assert choices("cuda", monkeypatch, workers=0).photos_on_device


def test_compiled_networks_have_the_same_numbers_and_names(start, monkeypatch):
    """With the compiler's front half, which is what decides numbers and names; the other half needs a C++ compiler."""
    plain = start(phases(2, 1, 2, SMOOTH), "plain")
    plain.train()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    compiled = start(phases(2, 1, 2, SMOOTH), "compiled", compile=True)
    assert compiled.bare_network._compiled_call_impl is not None
    compiled.train()
    for name in ("bare_network", "bare_discriminator"):
        here, there = (getattr(x, name).state_dict() for x in (plain, compiled))
        assert here.keys() == there.keys()
        assert all(torch.allclose(here[key], there[key], rtol=1e-3, atol=1e-4) for key in here)
    CompletionNetwork.from_pretrained(compiled.run.path / "network")
    resumed = start(phases(3, 1, 2, SMOOTH), "compiled", resume=True)
    assert resumed.progress.iteration == 5


@pytest.mark.cuda
def test_training_runs_on_cuda(start):
    trainer = start(precision="auto")
    trainer.train()
    assert trainer.device.type == "cuda"
    assert all(np.isfinite(float(row["psnr"])) for row in trainer.run.rows("validation.csv"))


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
def test_every_precision_trains_on_cuda_and_resumes(start, precision):
    stopped = start(precision=precision, validate_every=4)
    stopped.train(on_validation=lambda trainer, row: row["iteration"] == 4)
    resumed = start(None, resume=True, precision="auto", validate_every=2)
    assert resumed.precision == precision
    assert resumed.train(on_validation=lambda trainer, row: row["iteration"] == 6) is False
    other = start(None, resume=True, precision="no" if precision == "fp16" else "fp16")
    assert other.train()
    assert all(p.device.type == "cuda" for p in resumed.bare_network.parameters())
    assert all(np.isfinite(float(row["reconstruction"] or 0)) for row in resumed.run.rows("log.csv"))
