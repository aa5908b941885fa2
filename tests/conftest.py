"""Fixtures that several test modules share, and what happens to all tests."""

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # tests run beside each other: one thread for each, set before torch starts
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from accelerate.state import AcceleratorState, GradientState, PartialState
from hypothesis import settings
from PIL import Image

from exercise_checks import ExerciseChecks
from glcic_lite.method.networks import CompletionNetwork
from inputs import narrow_network, texture

# A busy machine must not fail a property test for being slow; the same examples in every run.
settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")


def pytest_collection_modifyitems(items):
    """Keep the tests of a file together, but for whole notebooks; skip, by name, what needs an NVIDIA GPU."""
    for item in items:
        # A browser or a trained network is made once for the tests of its file. Executions of notebooks share nothing
        # and take longest: they are spread over the workers.
        if item.originalname != "test_it_runs":
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="needs an NVIDIA GPU"))


def pytest_generate_tests(metafunc):
    """Tables of right and wrong answers become tests: see `exercise_checks.py`."""
    if metafunc.cls is not None and issubclass(metafunc.cls, ExerciseChecks):
        metafunc.cls.parametrize(metafunc)


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
