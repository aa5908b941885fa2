"""Weights in folders and on the Hub: opened without executing anything, refused where they are unsound."""

from pathlib import Path

import torch
from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
)
from safetensors import SafetensorError
from safetensors.torch import load_file


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
        """Load weights: the shipped ones, a folder with config.json and model.safetensors, or a Hub id.

        The network comes back in evaluation mode. Only safetensors files are opened: they hold numbers and no
        code.

        Raises:
            WeightsError: for a folder without such weights, damaged ones, or ones of another network.
        """
        name = str(cls.SHIPPED if pretrained_model_name_or_path is None else pretrained_model_name_or_path)
        folder = Path(name)
        if folder.exists() or name.count("/") != 1 or name.startswith((".", "/", "~")):  # no Hub id "owner/name"
            if not folder.is_dir():
                raise WeightsError(f"{name}: no such folder; expected one with config.json and model.safetensors")
            for needed in ("config.json", "model.safetensors"):
                if not (folder / needed).is_file():
                    raise WeightsError(
                        f"{name}: no {needed} in this folder "
                        "(pickled weights such as .pt, .pth or .bin are not opened: they can run code)"
                    )
        try:
            return super().from_pretrained(name, **kwargs)
        except WeightsError:
            raise
        except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError) as error:
            raise WeightsError(
                f"{name}: no such folder, and the Hub has no such weights (or is out of reach)"
            ) from error
        except (
            SafetensorError,
            RuntimeError,
            KeyError,
            TypeError,
            ValueError,
            AttributeError,  # config.json holds no dictionary
            OverflowError,  # or an infinite width
        ) as error:
            raise WeightsError(f"{name}: not the weights of a {cls.__name__} ({_first_line(error)})") from error

    @classmethod
    def _from_pretrained(cls, *, model_id, map_location="cpu", strict=True, **kwargs):
        """Called by the mixin once it has read config.json. Its own version would also open pickled weights."""
        download = {name: kwargs.pop(name) for name in _DOWNLOAD_OPTIONS if name in kwargs}
        if Path(model_id).is_dir():
            file = Path(model_id) / "model.safetensors"
        else:
            try:
                file = hf_hub_download(model_id, "model.safetensors", **download)
            except EntryNotFoundError as error:
                raise WeightsError(f"{model_id}: no model.safetensors there; other formats are not opened") from error
        state = load_file(file, device=str(map_location))
        if any(value.is_floating_point() and not value.isfinite().all() for value in state.values()):
            raise WeightsError(f"{model_id}: some of these weights are NaN or infinite")
        with torch.device("meta"):  # shapes alone: config.json may ask for more memory than there is
            cls(**kwargs).load_state_dict(state, strict=strict, assign=True)
        network = cls(**kwargs)
        network.load_state_dict(state, strict=strict)
        return network.eval()


def new_folder(out: str | Path) -> Path:
    """A folder to write weights to.

    Raises:
        WeightsError: the folder is not empty, and what it holds would be lost.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise WeightsError(f"{out}: already exists; choose another folder")
    return out


_DOWNLOAD_OPTIONS = ("revision", "cache_dir", "force_download", "local_files_only", "token")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[1] if len(lines) > 1 else lines[0] if lines else type(error).__name__)[:200]
