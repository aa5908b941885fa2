"""The benchmark: what it counts, and that its table says what was measured."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from glcic_lite.method.masks import Box
from glcic_lite.speed import benchmarks, measuring
from glcic_lite.speed.benchmarks import complete_table, hole_mask, matrix_peak, measure, operations
from glcic_lite.speed.fast_network import FastNetwork
from inputs import narrow_network


@pytest.mark.parametrize("target", [Box(0, 0, 64, 48), Box(10, 9, 21, 30)])
def test_operations_are_those_that_torch_counts(target):
    network, region = narrow_network(), Box(0, 0, 64, 48)
    with FlopCounterMode(display=False) as counter:
        FastNetwork(network, torch.float32)(torch.zeros(1, 3, 48, 64), torch.zeros(1, 1, 48, 64), target)
    assert operations(network, target, region) == counter.get_total_flops()


def test_operations_at_an_offset_are_counted_within_the_region():
    network = narrow_network()
    counted = operations(network, Box(10, 9, 21, 30), Box(0, 0, 64, 48))
    assert operations(network, Box(210, 109, 221, 130), Box(200, 100, 264, 148)) == counted


def test_the_matrix_peak_is_a_speed():
    assert 1e8 < matrix_peak(torch.float32, torch.device("cpu"), seconds=0.01) < 1e15


def test_holes_are_squares_in_the_middle_or_all_but_a_frame():
    assert hole_mask((300, 200), 100).sum() == 100 * 100
    assert (~hole_mask((300, 200), None)).sum() == 300 * 200 - 268 * 168


@pytest.mark.parametrize("plain", [True, False])
def test_a_measurement_has_times_and_memory(plain):
    row = measure(narrow_network(), (130, 97), 40, plain, rounds=1, peak=1e12)
    assert row.seconds > 0 and row.auto_seconds > 0 and 0 < row.share < 1
    assert (row.plain_seconds is not None) == plain
    if sys.platform == "linux":
        assert row.bytes is not None


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_on_other_systems_than_linux_no_memory_is_told_and_nothing_of_linux_is_touched(platform, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(measuring.ctypes, "CDLL", lambda name: pytest.fail("ctypes.CDLL(None) fails on Windows"))
    monkeypatch.setattr(measuring, "Path", lambda path: pytest.fail(f"{path} is read"))
    row = measure(narrow_network(), (32, 24), 8, True, rounds=1, peak=1e12)
    assert row.bytes is row.plain_bytes is None
    assert "MB" not in benchmarks._line(row, row.plain_seconds)


def test_the_table_has_a_line_a_photo_and_hole_and_the_reported_times(monkeypatch):
    monkeypatch.setattr(benchmarks, "SIZES", ((160, 120), (960, 540)))
    monkeypatch.setattr(benchmarks, "matrix_peak", lambda dtype, device: 1e11)
    lines = list(complete_table(width=1 / 16, eager_megapixels=0.1, rounds=1))
    rows = [line for line in lines if re.match(r"\s*\d+ x", line)]
    assert len(rows) == 1 + 3, "squares of 100 and 300 px do not fit into the small photo"
    assert all("10.6 s" in row for row in rows if "960" in row)
    assert all("~" in row for row in rows if "960" in row), "the plain network was not run there"
    assert not any("~" in row for row in rows if "160" in row)


MEMORY = """
import resource, sys
import numpy as np, torch
from PIL import Image
from glcic_lite import CompletionNetwork, complete
torch.manual_seed(0)
height, width = int(sys.argv[1]), int(sys.argv[2])
photo = Image.fromarray(np.full((height, width, 3), (90, 60, 80), np.uint8))
photo.paste((10, 200, 20), (0, 0, 8, height))
photo.paste((200, 200, 120), (0, 0, width, 8))
mask = np.zeros((height, width), bool)
mask[16:-16, 16:-16] = True
result = complete(photo, mask, CompletionNetwork(float(sys.argv[3])), scale={"1": 1, "auto": "auto"}[sys.argv[4]])
assert result.size == photo.size
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has another unit elsewhere")
@pytest.mark.parametrize("scale", ["1", "auto"])
def test_24_megapixels_of_hole_complete_in_less_than_2_gigabytes(scale):
    """A narrow network, so that the test is quick: the wide one needs more for its tiles, but no more for the photo."""
    call = [sys.executable, "-c", MEMORY, "4000", "6000", "0.0625", scale]
    done = subprocess.run(call, capture_output=True, text=True, timeout=900, check=True)
    assert float(done.stdout) < 2.0


def test_memory_for_a_small_hole_does_not_grow_with_the_photo():
    network = narrow_network()
    rows = [measure(network, size, 100, False, 1, 1e12) for size in ((1000, 1000), (3000, 3000))]
    if rows[0].bytes is None:
        pytest.skip("this system does not tell")
    photo_bytes = 4 * 3000 * 3000  # the result itself, as Pillow keeps it
    assert rows[1].bytes < rows[0].bytes + 2 * photo_bytes + 20e6
    assert np.isclose(rows[0].operations, rows[1].operations, rtol=0.1)
