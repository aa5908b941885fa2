"""Weights in folders and on the Hub: opened without executing anything, refused where they are unsound."""

import inspect
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
)
from huggingface_hub.utils import logging as hub_logging
from safetensors import SafetensorError
from safetensors.torch import load_file

from glcic_lite.files import LARGEST_TEXT, expect_writable, read_json, write_text, written_beside

HUB = "hf:"  # begins the names of weights on the Hugging Face Hub; every other name is a folder
LARGEST_WEIGHT = 1e8
LARGEST_ARGUMENT = 1e6  # of a network, in config.json

_PICKLE = "a Python pickle, which can run code, and is not opened"

# How files begin that turn up in place of weights, and what they are.
OTHER_FILES = {
    b"version https://git-lfs": "a Git LFS pointer, not the weights themselves; fetch those with `git lfs pull`",
    b"<": "a web page, not weights; download the file itself, in a browser if need be",
    b"{": "JSON text, not weights; download the file itself",
    b"\x1f\x8b": "a gzip archive; unpack it first",
    b"BZh": "a bzip2 archive; unpack it first",
    b"\xfd7zXZ": "an xz archive; unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd archive; unpack it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"Rar!": "a RAR archive; unpack it first",
    b"\x89HDF": "an HDF5 file, as Keras writes it, and none of the weights known here",
    b"\x93NUMPY": "an array of NumPy, and none of the weights known here",
    b"\x80\x03": _PICKLE,
    b"\x80\x04": _PICKLE,
    b"\x80\x05": _PICKLE,
    b"GGUF": "a GGUF file, and none of the weights known here",
    b"\x89PNG": "a picture, not weights",
    b"\xff\xd8\xff": "a picture, not weights",
    b"GIF8": "a picture, not weights",
    b"%PDF": "a PDF document, not weights",
}


class WeightsError(ValueError):
    """Weights that are missing, damaged, of another network, or in a format that could run code."""


class Pretrained(
    PyTorchModelHubMixin,
    library_name="glcic-lite",
    license="mit",
    tags=["image-inpainting", "image-completion"],
):
    """Gives a network `from_pretrained`, `save_pretrained` and `push_to_hub`.

    A folder of weights holds config.json, the arguments of the network's constructor, and model.safetensors.
    """

    SHIPPED: Path  # the folder that `from_pretrained` opens when none is named

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path | None = None, **kwargs):
        """Load weights: the shipped ones, a folder with config.json and model.safetensors, or "hf:owner/name".

        The Hugging Face Hub is asked only for names that begin with "hf:". The network comes back in evaluation mode.
        Only safetensors files are opened: they hold numbers and no code.

        Raises:
            WeightsError: for a folder without such weights, damaged ones, ones of another network, or ones that no
                training leaves behind (see `check_weights`).
        """
        name = str(cls.SHIPPED if pretrained_model_name_or_path is None else pretrained_model_name_or_path)
        download = {option: kwargs.pop(option) for option in _DOWNLOAD_OPTIONS if option in kwargs}
        try:
            folder = _downloaded(name.removeprefix(HUB), download) if on_the_hub(name) else name
            if not os.path.isdir(folder):
                hint = f"; weights on the Hugging Face Hub are called {HUB}{name}" if _HUB_ID.fullmatch(name) else ""
                raise WeightsError(f"no such folder; expected one with config.json and model.safetensors{hint}")
            for needed in _FILES:
                if not os.path.isfile(os.path.join(folder, needed)):
                    raise WeightsError(
                        f"no {needed} in this folder "
                        "(pickled weights such as .pt, .pth or .bin are not opened: they can run code)"
                    )
            _expect_weights(Path(folder), {*inspect.signature(cls.__init__).parameters} - {"self"} | {"fingerprint"})
            return super().from_pretrained(folder, **kwargs)
        except WeightsError as error:
            raise WeightsError(f"{name}: {error}") from error
        except Exception as error:  # of whatever kind, the reason is in the two files
            raise WeightsError(f"{name}: not the weights of a {cls.__name__} ({_first_line(error)})") from error

    @classmethod
    def _from_pretrained(cls, *, model_id, map_location="cpu", strict=True, **kwargs):
        """Called by the mixin once it has read config.json. Its own version would also open pickled weights."""
        for option in _DOWNLOAD_OPTIONS:
            kwargs.pop(option, None)
        for name, parameter in inspect.signature(cls.__init__).parameters.items():
            if name in kwargs:
                _check_kind(name, kwargs[name], parameter.default)
        state = load_file(Path(model_id) / "model.safetensors", device=str(map_location))
        for name, value in state.items():
            if value.is_complex():
                raise WeightsError(f"{name} holds complex numbers")
            if not value.is_floating_point() and not name.endswith("num_batches_tracked"):
                kind = str(value.dtype).removeprefix("torch.")
                raise WeightsError(f"{name} holds numbers of type {kind}; floats are expected")
        with torch.device("meta"):  # shapes alone: config.json may ask for more memory than there is
            cls(**kwargs).load_state_dict(state, strict=strict, assign=True)
        network = cls(**kwargs)
        network.load_state_dict(state, strict=strict)
        check_weights(network.eval())
        return network


def on_the_hub(name: object) -> bool:
    """Whether these weights are to be looked up on the Hugging Face Hub."""
    return str(name).startswith(HUB)


@torch.no_grad()
def check_weights(network: Any) -> None:
    """Refuse a network with numbers that no training leaves behind: it would fill the hole with garbage.

    A completion network, in evaluation mode, also completes a tiny picture: what comes out of each layer must be
    finite.

    Raises:
        WeightsError: NaN, infinite or absurdly large weights, a layer whose weights are all zero, a negative variance,
            or an output that is not finite.
    """
    for name, value in network.state_dict().items():
        if not value.isfinite().all():
            raise WeightsError("some of these weights are NaN or infinite")
        if value.is_floating_point() and value.numel() and value.abs().max() > LARGEST_WEIGHT:
            raise WeightsError(f"{name} has values above {LARGEST_WEIGHT:g}, which no training leaves behind")
        if value.ndim > 1 and not value.any():
            raise WeightsError(f"{name} is zero throughout, which no training leaves behind")
        if name == "mean_colour" and not ((value >= 0) & (value <= 1)).all():
            raise WeightsError("mean_colour must be three numbers from 0 to 1")
        if name.endswith("running_var") and (value < 0).any():
            raise WeightsError(f"{name} has negative values, and a variance has none")
    if hasattr(network, "prepare"):
        picture = torch.linspace(0, 1, 3 * 16 * 16).view(1, 3, 16, 16)
        values = network.prepare(picture, (picture[:, :1] > 0.2).float())
        for name, block in network.layers.named_children():
            for part in block.children():  # before ReLU and sigmoid, which turn infinite values into finite ones
                values = part(values)
                if not values.isfinite().all():
                    raise WeightsError(f"with these weights, what comes out of {name} is not finite")


def _check_kind(name: str, value: object, default: object) -> None:
    """Refuse an argument of another kind than its default: PyTorch takes "no" for true."""

    def is_number(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST_ARGUMENT

    if isinstance(default, bool):
        wanted, good = "true or false", isinstance(value, bool)
    elif isinstance(default, tuple):
        wanted, good = (
            f"a list of numbers below {LARGEST_ARGUMENT:g}",
            isinstance(value, list | tuple) and all(map(is_number, value)),
        )
    else:
        wanted, good = f"a number below {LARGEST_ARGUMENT:g}", is_number(value)
    if not good:
        raise WeightsError(f"{name} in config.json should be {wanted}, not {repr(value)[:60]}")


def _downloaded(owner_and_name: str, options: dict) -> str:
    """The folder with the two files of these weights on the Hub.

    Says on standard error what it waits for, in place of the Hub's own lines: without a network it tries for long.
    """
    print(f"asking the Hugging Face Hub for {owner_and_name} ...", file=sys.stderr)
    verbosity = hub_logging.get_verbosity()
    hub_logging.set_verbosity_error()
    try:
        files = [hf_hub_download(owner_and_name, file, **options) for file in _FILES]
    except EntryNotFoundError as error:
        if isinstance(error, LocalEntryNotFoundError):
            raise WeightsError(_NOT_ON_HUB) from error
        raise WeightsError(
            f"the Hub has these weights, but not as {' and '.join(_FILES)}; other formats are not opened"
        ) from error
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise WeightsError(_NOT_ON_HUB) from error
    finally:
        hub_logging.set_verbosity(verbosity)
    return os.path.dirname(files[-1])


def what_instead(start: bytes) -> str | None:
    """What a file is, judged by its first bytes, if it is plainly something else than weights."""
    if not start:
        return "an empty file; perhaps the download was cut off"
    if start[257:262] == b"ustar":
        return "a tar archive; unpack it first"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((what for beginning, what in OTHER_FILES.items() if text.startswith(beginning)), None)


def _expect_weights(folder: Path, names: set[str]) -> None:
    """Say what the two files are where they are plainly something else; config.json may hold these names only."""
    for name in _FILES:
        with open(folder / name, "rb") as file:
            start = file.read(512)
        what = what_instead(start)
        if what and not (name == "config.json" and what == OTHER_FILES[b"{"]):
            raise WeightsError(f"{name} in this folder is {what}")
    if os.path.getsize(folder / "config.json") > LARGEST_TEXT:
        raise WeightsError(f"config.json in this folder has more than {LARGEST_TEXT:,} bytes")
    try:
        unknown = sorted(set(read_json(folder / "config.json")) - names)
    except ValueError as error:
        raise WeightsError(f"config.json in this folder cannot be read: {error}") from error
    if unknown:  # a slip in a name would otherwise give another network
        raise WeightsError(f"{unknown[0][:60]!r} in config.json is unknown here")


def new_folder(out: str | Path) -> Path:
    """A folder to write weights to.

    Raises:
        WeightsError: the folder is not empty, and what it holds would be lost.
        OSError: it cannot be written to.
    """
    out = Path(out)
    if os.path.lexists(out) and not (out.is_dir() and all(name.endswith(".partial") for name in os.listdir(out))):
        raise WeightsError(f"{out}: already exists; choose another folder")
    expect_writable([out / name for name in _FILES])
    return out


def write_new_folder(network: Pretrained, out: str | Path, card: str) -> None:
    """Write a folder of weights, with a README.md, whole or not at all.

    Raises:
        WeightsError: the folder is not empty.
        OSError: it cannot be written, or the disk is full.
    """
    out = new_folder(out)
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with written_beside(out / "weights") as partial:
            network.save_pretrained(partial)
            write_text(partial / "README.md", card)
            for file in sorted(partial.iterdir()):
                os.replace(file, out / file.name)
    except (OSError, SafetensorError) as error:  # the latter for a full disk
        if made:
            with suppress(OSError):
                out.rmdir()
        raise OSError(f"{out}: cannot be written ({_first_line(error)})") from error


_FILES = ("config.json", "model.safetensors")
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_NOT_ON_HUB = "the Hub has no such weights, or is out of reach"
_DOWNLOAD_OPTIONS = ("revision", "cache_dir", "force_download", "local_files_only", "token")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[1] if len(lines) > 1 else lines[0] if lines else type(error).__name__)[:200]
