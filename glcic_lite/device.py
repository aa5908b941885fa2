"""Which processor to compute on, and in which number format: decided here and nowhere else."""

import time
from functools import cache

import torch
import torch.nn.functional as F


def choose_device() -> torch.device:
    """The fastest device present: an NVIDIA (or ROCm) GPU, Apple's MPS, else the CPU.

    `accelerate launch --cpu` decides for the CPU.
    """
    from accelerate.utils import parse_flag_from_env  # here, as importing it takes half a second

    if parse_flag_from_env("ACCELERATE_USE_CPU"):
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


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


def describe(device: torch.device) -> str:
    """The device in words, for the set-up cell of a lesson and for reports."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name} ({properties.total_memory / 2**30:.0f} GiB)"
    if device.type == "mps":
        return "Apple GPU (MPS)"
    kind = "with" if bfloat16_is_faster("cpu") else "without"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}, {kind} fast bfloat16"
