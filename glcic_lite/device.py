"""Which processor to compute on, and in which number format: decided here and nowhere else."""

import contextlib
import os
import time
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from accelerate.utils import parse_flag_from_env

# An H100 takes some 800 to 1,200 of the paper's crops a second; a core cuts 50 out of files, or 160 out of photos that
# are in memory already.
MOST_WORKERS = 16
PRECISIONS = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device() -> torch.device:
    """The fastest device present: an NVIDIA (or ROCm) GPU, Apple's MPS, else the CPU.

    `accelerate launch --cpu` decides for the CPU.
    """
    if parse_flag_from_env("ACCELERATE_USE_CPU"):
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def training_processes_here() -> int:
    """How many processes of this training run share this machine; `accelerate launch` says so."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


@cache
def bfloat16_is_faster(device_type: str) -> bool:
    """Whether convolutions run faster in bfloat16 than in float32 on this device.

    On CUDA the hardware says so (older GPUs only emulate it, slowly). On a CPU it depends on instructions (AVX512-bf16,
    AMX) and on the library build, so it is tried: the network's middle layer on a small input, about 50 ms, once in a
    process.
    """
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device_type != "cpu":
        return False
    photo = torch.rand(1, 128, 64, 64).to(memory_format=torch.channels_last)
    weight = torch.rand(128, 128, 3, 3).to(memory_format=torch.channels_last)
    inputs = {dtype: (photo.to(dtype), weight.to(dtype)) for dtype in (torch.float32, torch.bfloat16)}
    best = dict.fromkeys(inputs, float("inf"))
    with torch.inference_mode():
        for _ in range(12):  # in turns, and the best of each counts: other programs may be at work
            for dtype, (x, w) in inputs.items():
                start = time.perf_counter()
                F.conv2d(x, w, padding=1)
                best[dtype] = min(best[dtype], time.perf_counter() - start)
    return best[torch.bfloat16] < 0.8 * best[torch.float32]


@dataclass(frozen=True)
class TrainingChoices:
    """How training uses a device: everything that differs between a CPU, an NVIDIA GPU and Apple's MPS.

    Attributes:
        device: the processor.
        precision: "bf16" or "fp16" for mixed precision, "no" for float32.
        memory_format: channels last where convolutions are faster that way; not on MPS, which gains nothing by it.
        pinned: whether batches wait in page-locked memory, from where they are copied while the GPU computes.
        fused: whether Adam updates all weights in one kernel.
        synchronised_norm: whether batch normalisation takes its statistics over all processes. Only CUDA can; on other
            devices each process normalises by its own share of the batch.
        workers: processes that decode photos beside the training.
    """

    device: torch.device
    precision: str
    memory_format: torch.memory_format
    pinned: bool
    fused: bool
    synchronised_norm: bool
    workers: int

    @property
    def autocast(self) -> contextlib.AbstractContextManager:
        """A context in which convolutions and matrix products compute in the chosen precision."""
        if self.precision == "no":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=PRECISIONS[self.precision])


def training_choices(
    precision: str = "auto", workers: int | None = None, device: torch.device | None = None
) -> TrainingChoices:
    """What is best on a device, by default on the fastest one present.

    Args:
        precision: "bf16", "fp16", "no", or "auto": bf16 where it is faster than float32; on NVIDIA GPUs too old for
            that fp16; else no.
        workers: processes that decode photos; None: as many as help. On a CPU, where they would only take turns with
            the training, that is none.

    Raises:
        ValueError: an unknown precision, or one that the device does not have.
    """
    device = device or choose_device()
    cuda = device.type == "cuda"
    if precision == "auto":
        precision = "bf16" if bfloat16_is_faster(device.type) else "fp16" if cuda else "no"
    if precision not in PRECISIONS:
        raise ValueError(f"unknown; choose one of auto, {', '.join(PRECISIONS)}")
    if precision == "fp16" and not cuda:
        raise ValueError(f"needs an NVIDIA GPU, and this is {device.type}")
    if workers is None:
        cores = (os.cpu_count() or 1) // training_processes_here()
        workers = 0 if device.type == "cpu" else max(1, min(MOST_WORKERS, cores - 1))
    return TrainingChoices(
        device=device,
        precision=precision,
        memory_format=torch.contiguous_format if device.type == "mps" else torch.channels_last,
        pinned=cuda,
        fused=device.type in ("cpu", "cuda"),
        synchronised_norm=cuda,
        workers=workers,
    )


def describe(device: torch.device) -> str:
    """The device in words, for the set-up cell of a lesson and for reports."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name} ({properties.total_memory / 2**30:.0f} GiB)"
    if device.type == "mps":
        return "Apple GPU (MPS)"
    kind = "with" if bfloat16_is_faster("cpu") else "without"
    return f"CPU, {torch.get_num_threads()} threads, {kind} fast bfloat16"
