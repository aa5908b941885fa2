"""Helpers and fixtures that several test modules share."""

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # tests run beside each other: one thread for each, set before torch starts
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState, GradientState, PartialState
from exercise_checks import ExerciseChecks
from hypothesis import settings
from PIL import Image
from scipy import ndimage
from torch import nn

from glcic_lite.masks import Box, box_mask
from glcic_lite.networks import CompletionNetwork

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = REPOSITORY / "data"
NARROW = 1 / 16  # width of the networks in tests: 4 to 16 channels a layer

# A busy machine must not fail a property test for being slow; the same examples in every run.
settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")


def pytest_collection_modifyitems(items):
    """Keep the tests of a file together, but for whole notebooks; skip, by name, what needs an NVIDIA GPU."""
    for item in items:
        # A browser or a trained network is made once for the tests of its file. Executions of notebooks share nothing
        # and take longest: they are spread over the workers.
        if item.originalname != "test_it_runs":
            item.add_marker(pytest.mark.xdist_group(item.path.name))
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="needs an NVIDIA GPU"))


def pytest_generate_tests(metafunc):
    """Tables of right and wrong answers become tests: see `exercise_checks.py`."""
    if metafunc.cls is not None and issubclass(metafunc.cls, ExerciseChecks):
        metafunc.cls.parametrize(metafunc)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A photo of independent random pixels: (H, W, 3) uint8. No two pixels say the same."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A photo with structure at several scales: (H, W, 3) uint8."""
    random = np.random.default_rng(seed)
    layers = [
        ndimage.gaussian_filter(random.normal(size=(height, width, 3)), (sigma, sigma, 0), mode="wrap") * sigma
        for sigma in (1, 4, 12)
    ]
    values = sum(layers)
    return np.rint(255 * (values - values.min()) / np.ptp(values)).astype(np.uint8)


def hole(height: int, width: int, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A mask (H, W) whose hole is made of boxes (left, top, right, bottom)."""
    mask = np.zeros((height, width), dtype=bool)
    for box in boxes:
        mask |= box_mask((width, height), Box(*box))
    return mask


def narrow_network(seed: int = 0, width: float = NARROW, **options) -> CompletionNetwork:
    """A random network with random batch statistics, in evaluation mode: every part of it has a say."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = CompletionNetwork(width, **options)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1, generator=generator)
            part.running_var.uniform_(0.5, 1.5, generator=generator)
            part.bias.data.normal_(0.2, 0.1, generator=generator)
    return network.eval()


@pytest.fixture
def network() -> CompletionNetwork:
    return narrow_network()


@pytest.fixture(scope="session")
def weights_folder(tmp_path_factory) -> Path:
    """A weights folder as `save_pretrained` writes it. Read only: tests that damage it work on a copy."""
    folder = tmp_path_factory.mktemp("weights")
    narrow_network().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def photos_folder(tmp_path_factory) -> Path:
    """A data folder with train/, val/ and test/, a few small photos in each. Read only."""
    folder = tmp_path_factory.mktemp("photos")
    for number, (split, count, height, width) in enumerate(
        [("train", 5, 90, 110), ("val", 3, 80, 100), ("test", 2, 270, 300)]
    ):
        (folder / split).mkdir()
        for i in range(count):
            Image.fromarray(texture(height, width, 100 * number + i)).save(folder / split / f"{split}-{i}.png")
    return folder


@pytest.fixture
def fresh_accelerator():
    """Accelerate remembers the precision of the first run in a process; each test gets a clean slate."""

    def forget():
        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()
        assert not PartialState._shared_state

    forget()
    yield
    forget()
