"""How training uses a device: precision, memory layout, worker processes."""

import contextlib
import multiprocessing
import os
from dataclasses import dataclass

import psutil
import torch

from glcic_lite.device import bfloat16_is_faster, choose_device

# An H100 takes some 800 to 1,200 of the paper's crops a second; a core cuts 50 out of files, or 160 out of photos that
# are in memory already.
MOST_WORKERS = 16
PRECISIONS = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def training_processes_here() -> int:
    """How many processes of this training run share this machine; `accelerate launch` says so."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


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
        photos_on_device: whether photos that fit (see `room_for_photos`) are kept in the device's memory, and crops cut
            there; with the setting `scales_per_octave` only.
    """

    device: torch.device
    precision: str
    memory_format: torch.memory_format
    pinned: bool
    fused: bool
    synchronised_norm: bool
    workers: int
    photos_on_device: bool = False

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
            the training, that means none.

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
        # Each process that decodes gets the photos by fork; where processes are started anew they would be copied.
        photos_on_device=cuda and (workers == 0 or multiprocessing.get_start_method() == "fork"),
    )


def room_for_photos(device: torch.device) -> int:
    """Bytes that decoded photos may take on a device: a quarter of what is free there, and of the main memory, too."""
    free = psutil.virtual_memory().available // training_processes_here()
    if device.type == "cuda":
        free = min(free, torch.cuda.mem_get_info(device)[0])
    return free // 4
