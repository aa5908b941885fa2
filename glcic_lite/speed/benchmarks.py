"""How fast `complete` is on this machine, against the plain network on the whole photo: a table."""

import copy
import math
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from glcic_lite.device import choose_device, describe
from glcic_lite.method.completion import paint
from glcic_lite.method.masks import Box, box_mask
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.speed.completion import complete
from glcic_lite.speed.crops import regions
from glcic_lite.speed.fast_network import FastNetwork
from glcic_lite.speed.measuring import megabytes, timed

# What the commissioning report gives for its program, photo opened to photo saved, on its own machine.
REPORTED_SECONDS = {(1083, 658): 14.6, (960, 540): 10.6}
SIZES = ((256, 256), (512, 512), (960, 540), (1083, 658), (1920, 1080), (4000, 3000), (6000, 4000))
HOLES = (100, 300, None)  # sides of a square hole in pixels; None: all but a frame
FRAME = 16  # pixels that stay known around the photo where all else is hole


@dataclass(frozen=True)
class Measured:
    """One line of the table: a photo with a hole.

    Attributes:
        size: (width, height) of the photo.
        hole: as in `HOLES`.
        plain_seconds, plain_bytes: of the plain network on the whole photo, or None where it was not run.
        seconds, bytes: of `complete` at scale 1, blending included; bytes are what it needs beyond what it is given.
        auto_seconds: of `complete` as it is called by default, which reduces thick holes (`method.scale`).
        operations: of the network in `complete`, two for each multiplication with its addition.
        share: of the processor's measured matrix peak that those operations in that time come to.
    """

    size: tuple[int, int]
    hole: int | None
    plain_seconds: float | None
    plain_bytes: int | None
    seconds: float
    bytes: int | None
    auto_seconds: float
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
            taken, _ = timed(lambda left=left, right=right: left @ right, device)
            best = max(best, 2 * rows * inner * columns / taken)
    return best


def operations(network: CompletionNetwork, target: Box, region: Box) -> int:
    """Operations to paint `target`, given `region` of the photo: two for each multiplication with its addition.

    PyTorch counts them on a copy of the network that has shapes but no numbers.
    """
    fast = FastNetwork(copy.deepcopy(network).to("meta"), torch.float32)
    photo = torch.zeros(1, 3, region.height, region.width, device="meta")
    with FlopCounterMode(display=False) as counter:
        fast(photo, photo[:, :1], target.relative_to(region))
    return counter.get_total_flops()


def hole_mask(size: tuple[int, int], hole: int | None) -> np.ndarray:
    """A square hole in the middle of a photo of (width, height), or all but a frame: bool (H, W)."""
    width, height = size
    if hole is None:
        return box_mask(size, Box(FRAME, FRAME, width - FRAME, height - FRAME))
    left, top = (width - hole) // 2, (height - hole) // 2
    return box_mask(size, Box(left, top, left + hole, top + hole))


def measure(
    network: CompletionNetwork, size: tuple[int, int], hole: int | None, plain: bool, rounds: int, peak: float
) -> Measured:
    """Complete a photo of noise, at scale 1 and at "auto", and run the plain network on it, in turns.

    The fastest of several rounds counts.

    Args:
        network: in evaluation mode, on the device to measure.
        size, hole: as in `SIZES` and `HOLES`.
        plain: whether to run the plain network too.
        rounds: how often each of the two is measured.
        peak: operations a second, as from `matrix_peak`.
    """
    device = network.mean_colour.device
    mask = hole_mask(size, hole)
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*mask.shape, 3), dtype=np.uint8))

    results: dict[str, list[tuple[float, int | None]]] = {"plain": [], "complete": [], "auto": []}
    for _ in range(rounds):
        if plain:
            results["plain"].append(timed(lambda: paint(np.asarray(photo), mask, network), device))
        results["complete"].append(timed(lambda: complete(photo, mask, network, scale=1), device))
        results["auto"].append(timed(lambda: complete(photo, mask, network), device))
    seconds, memory = min(results["complete"])[0], results["complete"][0][1]
    plain_seconds, plain_memory = (min(results["plain"])[0], results["plain"][0][1]) if plain else (None, None)
    done = sum(operations(network, target, region) for target, region in regions(mask))
    auto = min(results["auto"])[0]
    return Measured(size, hole, plain_seconds, plain_memory, seconds, memory, auto, done, done / seconds / peak)


def complete_table(
    width: float = 1.0, megapixels: float = 24.0, eager_megapixels: float = 1.0, rounds: int = 3
) -> Iterator[str]:
    """The lines of the table, each as soon as it is measured.

    Args:
        width: of the network, whose weights are random: its speed does not depend on them.
        megapixels: larger photos are left out.
        eager_megapixels: on larger photos the plain network is not run; its time is estimated from its operations.
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
    yield "      photo   hole px    plain float32       complete           ratio  of peak  scale auto  report"
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
    """A line of the table; what was estimated and not measured has a tilde. nan: there was nothing to estimate from."""
    sign = " " if row.plain_seconds else "~"
    hole = "frame" if row.hole is None else str(row.hole)
    report = f"{REPORTED_SECONDS[row.size]:.1f} s" if row.size in REPORTED_SECONDS else ""
    memories = [megabytes(used) for used in (row.plain_bytes, row.bytes)]
    return (
        f"{row.size[0]:5} x {row.size[1]:4}  {hole:>7}  {sign}{plain_seconds:7.2f} s {memories[0]} "
        f"{row.seconds:7.2f} s {memories[1]}  {sign}{plain_seconds / row.seconds:5.1f} x  {row.share:6.0%}  "
        f"{row.auto_seconds:8.2f} s  {report}"
    ).rstrip()
