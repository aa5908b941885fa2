"""Seconds and bytes that a call takes: how both benchmarks measure.

What only Linux can do (telling a process's memory, trimming the heap) stands in `process_bytes` and nowhere else;
elsewhere no memory is told, and the tables leave it out.
"""

import ctypes
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch


def timed(function: Callable, device: torch.device) -> tuple[float, int | None]:
    """Seconds, and bytes at the peak beyond those in use before (None where the system does not tell)."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    else:
        before = process_bytes("VmRSS", reset=True)
    start = time.perf_counter()
    function()
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter() - start, torch.cuda.max_memory_allocated() - before
    taken = time.perf_counter() - start
    after = process_bytes("VmHWM")
    return taken, None if before is None or after is None else max(after - before, 0)


def process_bytes(name: str, reset: bool = False) -> int | None:
    """Memory of this process now ("VmRSS") or at its peak since the last reset ("VmHWM"); None where not on Linux."""
    if sys.platform != "linux":
        return None
    try:
        if reset:
            libc = ctypes.CDLL(None)
            if hasattr(libc, "malloc_trim"):  # glibc
                libc.malloc_trim(0)  # give back what was used and is free now, or it would not be counted
            Path("/proc/self/clear_refs").write_text("5")
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    except OSError:  # a container may hide /proc
        pass
    return None


def megabytes(used: int | None) -> str:
    """Bytes as a column of a table, empty where they are not known."""
    return f"{used / 1e6:5.0f} MB" if used is not None else " " * 8
