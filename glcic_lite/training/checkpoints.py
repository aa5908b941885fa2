"""Checkpoints: the full state of a run, written whole or not at all, from which it resumes as if never interrupted."""

import pickle
import shutil
import warnings
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils.other import load as load_numbers
from safetensors import SafetensorError
from torch import nn

from glcic_lite.files import expect_regular
from glcic_lite.training.log import Progress, TrainingError, first_line
from glcic_lite.training.run_folder import RunError, RunFolder

# What torch, pickle and safetensors raise for files that are missing, cut off, of another network or of another kind.
_UNREADABLE = (
    OSError, RuntimeError, ValueError, TypeError, AttributeError, LookupError, EOFError, pickle.UnpicklingError,
    SafetensorError,
)  # fmt: skip

# What accelerate opens of a checkpoint, beside the weights.
_OPENED = (
    "optimizer*.bin",
    "scheduler*.bin",
    "sampler*.bin",
    "scaler.pt",
    "custom_checkpoint_*.pkl",
    "random_states_*",
)


def checkpoint_size(network: nn.Module, discriminator: nn.Module) -> int:
    """Bytes of a checkpoint: weights, two numbers a weight in each optimizer, and the averaged weights."""
    network, discriminator = (
        sum(p.numel() * p.element_size() for p in module.parameters()) for module in (network, discriminator)
    )
    return 4 * network + 3 * discriminator


def save_checkpoint(run: RunFolder, accelerator: Accelerator, iteration: int) -> None:
    """Write the state of everything registered with the accelerator, and of the random generators.

    Raises:
        TrainingError: it could not be written; the last checkpoint is as it was.
    """
    partial = run.checkpoints / ".partial"
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
    accelerator.wait_for_everyone()
    try:
        accelerator.save_state(str(partial))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            run.publish_checkpoint(partial, iteration)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors report a full disk as these
        shutil.rmtree(partial, ignore_errors=True)
        raise TrainingError(
            f"checkpoint of iteration {iteration} not written ({first_line(error)}); the one before is intact"
        ) from error
    accelerator.wait_for_everyone()


def load_checkpoint(run: RunFolder, accelerator: Accelerator) -> None:
    """Load the newest checkpoint; before the first one there is nothing to load.

    A missing random state is only warned about: the samples of a run do not depend on it.

    Raises:
        RunError: it is damaged, contains NaN, or belongs to other settings.
    """
    checkpoint = run.latest_checkpoint()
    if checkpoint is None:
        return
    try:
        _expect_files(checkpoint, len(accelerator._models))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            accelerator.load_state(str(checkpoint))
        done = {x.iteration for x in accelerator._custom_objects if isinstance(x, Progress)}
        if done - {int(checkpoint.name)}:
            raise ValueError(f"it says that it belongs to iteration {done.pop()}")
        _expect_random_state(checkpoint / f"random_states_{accelerator.process_index}.pkl")
        if not is_finite(accelerator):
            raise ValueError("it contains NaN or infinity")
    except _UNREADABLE as error:
        if "Error(s) in loading state_dict" in str(error):  # PyTorch's words where names or shapes do not fit
            raise RunError(
                f"{checkpoint} belongs to networks with other settings than {run.path / 'settings.json'}; has that "
                "file been changed?"
            ) from error
        raise RunError(
            f"{checkpoint} cannot be read ({first_line(error)}); delete this folder to go on from the checkpoint before"
        ) from error


def _expect_files(checkpoint: Path, models: int) -> None:
    """Raise one of `_UNREADABLE`, which names the file, if one is missing or no file, or cannot be read.

    accelerate opens pickles in a way that lets a file run code; opened this way, such a file is an error.
    """
    weights = ["model.safetensors", *(f"model_{number}.safetensors" for number in range(1, models))]
    others = sorted(file for names in _OPENED for file in checkpoint.glob(names))  # a stray file does no harm
    for file in [*(checkpoint / name for name in weights), *others]:
        if not file.exists():
            raise ValueError(f"{file.name} is missing")
        expect_regular(file)
        if file.suffix in (".bin", ".pkl") and not file.name.startswith("random_states"):
            try:
                torch.load(file, map_location="cpu", weights_only=True)
            except _UNREADABLE as error:
                raise ValueError(f"{file.name} is damaged, or not a file of numbers alone") from error


def _expect_random_state(file: Path) -> None:
    # accelerate takes no notice where there is none to load.
    try:
        load_numbers(file)
    except FileNotFoundError:
        warnings.warn(f"{file}: is missing, so random numbers that callbacks draw may differ", stacklevel=2)


def is_finite(accelerator: Accelerator) -> bool:
    """Whether all weights, statistics and optimizers' states are finite, in all processes."""
    modules = [*accelerator._models, *(x for x in accelerator._custom_objects if isinstance(x, nn.Module))]
    values = [x for module in modules for x in module.state_dict().values()]
    states = [state for optimizer in accelerator._optimizers for state in optimizer.state.values()]
    values += [x for state in states for x in state.values() if isinstance(x, torch.Tensor)]
    broken = torch.stack([~x.isfinite().all().to(accelerator.device) for x in values]).any()
    return not accelerator.reduce(broken.float(), "sum").item()
