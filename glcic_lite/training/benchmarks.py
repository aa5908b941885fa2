"""How fast training is on this machine, against the plain way: a table, measured in one run."""

import contextlib
import itertools
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from glcic_lite.device import describe
from glcic_lite.speed.benchmarks import matrix_peak
from glcic_lite.speed.measuring import megabytes, timed
from glcic_lite.training import LITE, Settings, Trainer
from glcic_lite.training.choices import PRECISIONS, training_choices
from glcic_lite.training.loop import fastest_kernels
from glcic_lite.training.samples import TrainingSamples

# The steps of training that are measured: the completion network alone, and both against each other.
STEPS = {"phase 1": {"phase_1": 1}, "phase 3": {"phase_1": 0, "phase_2": 0, "phase_3": 1}}


def training_table(
    settings: Settings, photos: str | os.PathLike, rounds: int = 5, compile: bool = False
) -> Iterator[str]:
    """The lines of the table: a training step, plain against the project's, and how fast samples are drawn.

    Plain is the same step in float32, with pixels in memory channel after channel, an Adam that updates one weight
    tensor after the other, and gradients also for the biases that batch normalisation cancels. The batch is drawn
    beforehand; drawing is measured by itself. The share of the device's peak counts the operations of convolutions and
    matrix products, as PyTorch does. Memory is what a step needs at its peak beyond the weights and what the optimizers
    keep.

    Args:
        settings: of the step; its networks start at random.
        photos: a folder of photos.
        rounds: how often each step is measured, in turns; the fastest counts.
        compile: whether the project's step runs through `torch.compile`. Compiling itself, which takes it a minute or
            more, is not measured.
    """
    fast = training_choices(workers=0)
    plain = replace(fast, precision="no", memory_format=torch.contiguous_format, fused=False)
    yield f"{platform.processor() or platform.machine()}, {describe(fast.device)}, torch {torch.__version__}"
    crops = f"{settings.batch_size} crops of {settings.crop_size} x {settings.crop_size} pixels"
    compiled = ", compiled" if compile else ""
    yield f"{crops}, networks of width {settings.width:g}, the project's step in precision {fast.precision!r}{compiled}"
    peak = matrix_peak(PRECISIONS[fast.precision], fast.device)
    yield f"matrix peak of this device in that format: {peak / 1e9:.0f} billion operations a second"
    yield ""
    yield "step                 plain float32                         the project's               ratio   of peak"
    for name, lengths in STEPS.items():
        with tempfile.TemporaryDirectory() as folder:
            steps = []
            own = replace(settings, **lengths)
            for kind, choices, compiles, kernels in (
                ("plain", plain, False, contextlib.nullcontext),
                ("project", fast, compile, fastest_kernels),
            ):
                trainer = Trainer(own, photos, photos, Path(folder, kind), choices=choices, compile=compiles)
                if kind == "plain":
                    trainer.bare_network.requires_grad_(True)
                    trainer.bare_discriminator.requires_grad_(True)
                steps.append(_step(trainer, kernels))
            with FlopCounterMode(display=False) as counter:
                steps[0]()  # both do the same work
            turns = [[timed(step, fast.device) for step in steps] for _ in range(rounds)]
        (plain_seconds, plain_bytes), (seconds, memory) = (min(times) for times in zip(*turns, strict=True))
        columns = "   ".join(
            f"{taken:6.3f} s {settings.batch_size / taken:7.1f} photos/s {megabytes(used)}"
            for taken, used in ((plain_seconds, plain_bytes), (seconds, memory))
        )
        share = counter.get_total_flops() / seconds / peak
        yield f"{name:8}  {columns}  {plain_seconds / seconds:6.2f} x  {share:8.1%}"
    yield ""
    sizes = settings.scales_per_octave or LITE.scales_per_octave
    for how, cached, scales in (
        ("opened anew each time, crops of any size", False, 0),
        ("in memory, crops of any size", True, 0),
        (f"in memory in {sizes} sizes per octave (scales_per_octave)", True, sizes),
    ):
        speed = samples_a_second(replace(settings, scales_per_octave=scales), photos, cached)
        yield f"samples drawn by one process, photos {how}: {speed:.0f} a second"


def _step(trainer: Trainer, kernels: Callable[[], contextlib.AbstractContextManager]) -> Callable[[], None]:
    """One iteration, always on the same photos; the first, which prepares things, is already done."""
    batches = itertools.islice(trainer.batches(), trainer.settings.accumulation)
    batch = list(batches)

    def step():
        with kernels():
            trainer.iterate(iter(batch))

    step()
    return step


def samples_a_second(settings: Settings, photos: str | os.PathLike, cached: bool, count: int = 64) -> float:
    """How many training samples one process draws in a second, in batches: opening, cropping, resizing, a hole.

    Args:
        cached: whether the photos are in memory already, as later in a run with few photos. Drawing is so fast then
            that it is measured five times, and the fastest counts.
        count: how many samples are drawn.
    """
    samples = TrainingSamples(photos, settings, cache_bytes=10**9 if cached else 0)
    if cached:
        samples[range(count)]
    speeds = []
    for _ in range(5 if cached else 1):
        start = time.perf_counter()
        for first in range(0, count, 8):
            samples[range(first, min(first + 8, count))]
        speeds.append(count / (time.perf_counter() - start))
    return max(speeds)
