"""What the package asks of the processor."""

import platform
import subprocess
import sys

import pytest

# Pages that the system has to hand out anew while a step's worth of tensors is made and freed ten times over.
PAGES = """
import resource, sys, torch
from glcic_lite.device import keep_freed_memory

def step():
    for _ in range(10):
        tensors = [torch.ones(2**22) for _ in range(3)]  # 16 MiB each
        del tensors

if sys.argv[1] == "keep":
    keep_freed_memory()
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep freed memory")
def test_freed_memory_is_kept_and_used_again():
    def pages(how: str) -> int:
        return int(
            subprocess.run([sys.executable, "-c", PAGES, how], capture_output=True, text=True, check=True).stdout
        )

    assert pages("keep") < 100 < pages("plain")


def test_a_system_without_glibc_is_left_alone(monkeypatch):
    from glcic_lite import device

    for error in (OSError, TypeError, AttributeError):  # no such library; Windows; macOS
        monkeypatch.setattr(device.ctypes, "CDLL", lambda name, error=error: (_ for _ in ()).throw(error))
        device.keep_freed_memory.__wrapped__()
