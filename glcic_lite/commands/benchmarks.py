"""How fast `complete` and training are on this machine, against the plain way: tables, each measured in one run."""

import contextlib
import ctypes
import itertools
import math
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from glcic_lite.device import choose_device, describe
from glcic_lite.method.masks import Box, box_mask
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.speed.completion import complete, regions
from glcic_lite.speed.fast_network import FastNetwork, needs
from glcic_lite.training import Settings, Trainer
from glcic_lite.training.choices import training_choices
from glcic_lite.training.crops import PhotoCrops
from glcic_lite.training.loop import fastest_kernels
from glcic_lite.training.samples import TrainingSamples

# What the commissioning report gives for its program, photo opened to photo saved, on its own machine.
REPORTED_SECONDS = {(1083, 658): 14.6, (960, 540): 10.6}
SIZES = ((256, 256), (512, 512), (960, 540), (1083, 658), (1920, 1080), (4000, 3000), (6000, 4000))
HOLES = (100, 300, None)  # sides of a square hole in pixels; None: all but a frame
FRAME = 16  # pixels that stay known around the photo where all else is hole
# The steps of training that are measured: the completion network alone, and both against each other.
STEPS = {"phase 1": {"phase_1": 1}, "phase 3": {"phase_1": 0, "phase_2": 0, "phase_3": 1}}


@dataclass(frozen=True)
class Measured:
    """One line of the table: a photo with a hole.

    Attributes:
        size: (width, height) of the photo.
        hole: as in `HOLES`.
        plain_seconds, plain_bytes: of the plain network on the whole photo, or None where it was not run.
        seconds, bytes: of `complete`, blending included; bytes are what it needs beyond what it is given.
        operations: of the network in `complete`, two for each multiplication with its addition. They are those of the
            plain convolutions, also where `complete` gets along with fewer (see `winograd.py`).
        share: of the processor's measured matrix peak that those operations in that time come to.
    """

    size: tuple[int, int]
    hole: int | None
    plain_seconds: float | None
    plain_bytes: int | None
    seconds: float
    bytes: int | None
    operations: float
    share: float


def matrix_peak(dtype: torch.dtype, device: torch.device, seconds: float = 0.5) -> float:
    """The most operations a second that this device does in large matrix products: the processor's practical limit."""
    best = 0.0
    shapes = ((2048, 2048, 2048), (16384, 2304, 256))  # a square one, and one as in the network's middle layers
    for rows, inner, columns in shapes:
        left, right = (torch.rand(shape, device=device).to(dtype) for shape in ((rows, inner), (inner, columns)))
        (left @ right).sum().item()
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            taken, _ = _timed(lambda left=left, right=right: left @ right, device)
            best = max(best, 2 * rows * inner * columns / taken)
    return best


def operations(network: CompletionNetwork, target: Box, region: Box) -> float:
    """Operations to paint `target`, given `region` of the photo: two for each multiplication with its addition.

    Those of the plain convolutions: a way of reckoning that needs fewer does not lower the count.
    """
    fast_needs = [
        needs(start - origin, stop - origin, size)
        for start, stop, origin, size in (
            (target.top, target.bottom, region.top, region.height),
            (target.left, target.right, region.left, region.width),
        )
    ]
    total = 0.0
    for block, rows, columns in zip(network.layers, *fast_needs, strict=True):
        weights = block.convolution.weight
        # A transposed convolution uses its weights once for every input pixel, the others once for every output pixel.
        spans = ("span",) if isinstance(block.convolution, torch.nn.ConvTranspose2d) else ("output",)
        pixels = np.prod([getattr(need, spans[0])[1] - getattr(need, spans[0])[0] for need in (rows, columns)])
        total += 2.0 * weights.numel() * pixels
    return total


def hole_mask(size: tuple[int, int], hole: int | None) -> np.ndarray:
    """A square hole in the middle of a photo of (width, height), or all but a frame: bool (H, W)."""
    width, height = size
    if hole is None:
        return box_mask(size, Box(FRAME, FRAME, width - FRAME, height - FRAME))
    left, top = (width - hole) // 2, (height - hole) // 2
    return box_mask(size, Box(left, top, left + hole, top + hole))


def _timed(function: Callable, device: torch.device) -> tuple[float, int | None]:
    """Seconds, and bytes at the peak beyond those in use before (None where the system does not tell)."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    else:
        before = _process_bytes("VmRSS", reset=True)
    start = time.perf_counter()
    function()
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter() - start, torch.cuda.max_memory_allocated() - before
    taken = time.perf_counter() - start
    after = _process_bytes("VmHWM")
    return taken, None if before is None or after is None else max(after - before, 0)


def _process_bytes(name: str, reset: bool = False) -> int | None:
    """Memory of this process now ("VmRSS") or at its peak since the last reset ("VmHWM"); Linux only."""
    try:
        if reset:
            ctypes.CDLL(None).malloc_trim(0)  # give back what was used and is free now, or it would not be counted
            Path("/proc/self/clear_refs").write_text("5")
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    except (OSError, AttributeError):  # no Linux with glibc
        pass
    return None


def measure(
    network: CompletionNetwork, size: tuple[int, int], hole: int | None, plain: bool, rounds: int, peak: float
) -> Measured:
    """Complete a photo of noise, and run the plain network on it, in turns; the fastest of several rounds counts.

    Args:
        network: in evaluation mode, where it shall run.
        size, hole: as in `SIZES` and `HOLES`.
        plain: whether to run the plain network too.
        rounds: how often each of the two is measured.
        peak: operations a second, as from `matrix_peak`.
    """
    device = network.mean_colour.device
    mask = hole_mask(size, hole)
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*mask.shape, 3), dtype=np.uint8))

    def run_plain():
        padded = [(0, -side % 4) for side in mask.shape]
        values = np.pad(np.asarray(photo), [*padded, (0, 0)], mode="edge").transpose(2, 0, 1)[None]
        inputs = torch.from_numpy(values).to(device).float() / 255
        where = torch.from_numpy(np.pad(mask, padded, mode="edge")[None, None]).to(device).float()
        with torch.no_grad():
            network(inputs, where).cpu()

    results: dict[str, list[tuple[float, int | None]]] = {"plain": [], "complete": []}
    for _ in range(rounds):
        if plain:
            results["plain"].append(_timed(run_plain, device))
        results["complete"].append(_timed(lambda: complete(photo, mask, network), device))
    seconds, memory = min(results["complete"])[0], results["complete"][0][1]
    plain_seconds, plain_memory = (min(results["plain"])[0], results["plain"][0][1]) if plain else (None, None)
    done = sum(operations(network, target, region) for target, region in regions(mask))
    return Measured(size, hole, plain_seconds, plain_memory, seconds, memory, done, done / seconds / peak)


def complete_table(
    width: float = 1.0, megapixels: float = 24.0, eager_megapixels: float = 1.0, rounds: int = 3
) -> Iterator[str]:
    """The lines of the table, each as soon as it is measured.

    Args:
        width: of the network, whose weights are random: its speed does not depend on them.
        megapixels: larger photos are left out.
        eager_megapixels: on larger photos the plain network is not run; its time is reckoned from its operations.
        rounds: as for `measure`; photos of more than 2 megapixels are measured once.
    """
    device = choose_device()
    torch.manual_seed(0)
    network = CompletionNetwork(width).to(device).eval()
    fast = FastNetwork(network)
    peak = matrix_peak(fast.dtype, device)
    yield f"{platform.processor() or platform.machine()}, {describe(device)}, torch {torch.__version__}"
    yield f"network of width {width:g}, random weights; complete computes in {str(fast.dtype).removeprefix('torch.')}"
    yield f"matrix peak of this device in that format: {peak / 1e9:.0f} billion operations a second"
    yield ""
    yield ("      photo   hole px    plain float32       complete           ratio  of peak  report")
    plain_speed = 0.0  # operations a second of the plain network, where it was run
    for size in SIZES:
        if size[0] * size[1] > megapixels * 1e6 + 1:
            continue
        small = size[0] * size[1] <= eager_megapixels * 1e6
        whole = Box(0, 0, size[0] - size[0] % -4, size[1] - size[1] % -4)
        plain = None  # does not depend on the hole
        for hole in HOLES:
            if hole and hole > min(size) - 2 * FRAME:
                continue
            few = 1 if size[0] * size[1] > 2.1e6 and hole is None else rounds
            row = measure(network, size, hole, small and not plain, few, peak)
            plain = plain or row
            row = replace(row, plain_seconds=plain.plain_seconds, plain_bytes=plain.plain_bytes)
            work = operations(network, whole, whole)
            if row.plain_seconds:
                plain_speed = max(plain_speed, work / row.plain_seconds)
            yield _line(row, row.plain_seconds or (work / plain_speed if plain_speed else math.nan))


def _line(row: Measured, plain_seconds: float) -> str:
    """A line of the table; what was reckoned and not measured has a tilde. nan: there was nothing to reckon from."""
    sign = " " if row.plain_seconds else "~"
    hole = "frame" if row.hole is None else str(row.hole)
    report = f"{REPORTED_SECONDS[row.size]:.1f} s" if row.size in REPORTED_SECONDS else ""
    memories = [_megabytes(used) for used in (row.plain_bytes, row.bytes)]
    return (
        f"{row.size[0]:5} x {row.size[1]:4}  {hole:>7}  {sign}{plain_seconds:7.2f} s {memories[0]} "
        f"{row.seconds:7.2f} s {memories[1]}  {sign}{plain_seconds / row.seconds:5.1f} x  {row.share:6.0%}  {report}"
    ).rstrip()


def _megabytes(used: int | None) -> str:
    return f"{used / 1e6:5.0f} MB" if used is not None else " " * 8


def training_table(
    settings: Settings, photos: str | os.PathLike, rounds: int = 5, compile: bool = False
) -> Iterator[str]:
    """The lines of another table: a training step, plain against the project's, and how fast samples are drawn.

    Plain is the same step in float32, with pixels in memory channel after channel, an Adam that updates one weight
    tensor after the other, and gradients also for the biases that batch normalisation cancels. The batch is drawn
    beforehand; drawing is measured by itself. Memory is what a step needs at its peak beyond the weights and what the
    optimizers keep.

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
    yield ""
    yield "step                 plain float32                         the project's               ratio"
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
            turns = [[_timed(step, fast.device) for step in steps] for _ in range(rounds)]
        (plain_seconds, plain_bytes), (seconds, memory) = (min(times) for times in zip(*turns, strict=True))
        columns = "   ".join(
            f"{taken:6.3f} s {settings.batch_size / taken:7.1f} photos/s {_megabytes(used)}"
            for taken, used in ((plain_seconds, plain_bytes), (seconds, memory))
        )
        yield f"{name:8}  {columns}  {plain_seconds / seconds:6.2f} x"
    yield ""
    for place, cached in (("opened anew each time", False), ("in memory", True)):
        speed = samples_a_second(settings, photos, cached)
        yield f"samples drawn by one process, photos {place}: {speed:.0f} a second"


def _step(trainer: Trainer, kernels: Callable[[], contextlib.AbstractContextManager]) -> Callable[[], None]:
    """One iteration, always on the same photos; the first, which prepares things, has been made."""
    batches = itertools.islice(trainer.batches(), trainer.settings.accumulation)
    batch = list(batches)

    def step():
        with kernels():
            trainer.iterate(iter(batch))

    step()
    return step


def samples_a_second(settings: Settings, photos: str | os.PathLike, cached: bool, count: int = 60) -> float:
    """How many training samples one process draws in a second: opening, cropping, resizing, a hole.

    Args:
        cached: whether the photos are in memory already, as later in a run with few photos.
        count: how many samples are drawn.
    """
    samples = TrainingSamples(photos, settings)
    samples.crops = PhotoCrops(photos, settings.crop_size, settings.short_edge, cache_bytes=10**9 if cached else 0)
    if cached:
        list(map(samples.__getitem__, range(count)))
    start = time.perf_counter()
    list(map(samples.__getitem__, range(count)))
    return count / (time.perf_counter() - start)
