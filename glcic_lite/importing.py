"""Weights published elsewhere, turned into a folder that `CompletionNetwork.from_pretrained` opens.

The paper's authors publish their completion network as a Torch7 file
(https://github.com/satoshiiizuka/siggraph2017_inpainting). Such a file is only parsed: what it holds of code stays a
string, and every tensor is checked to lie inside the numbers that came with it.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from glcic_lite.architecture import COMPLETION_NETWORK
from glcic_lite.networks import CompletionNetwork, ConvolutionBlock
from glcic_lite.pretrained import WeightsError
from glcic_lite.training.run_folder import write_text

LICENCE = (
    "the authors' weights are under the Creative Commons licence CC BY-NC-SA 4.0: not for commercial use, to be shared "
    "under the same licence, naming Iizuka, Simo-Serra and Ishikawa (2017)"
)

CARD = """---
library_name: glcic-lite
license: cc-by-nc-sa-4.0
tags: [image-inpainting, image-completion]
---

# Completion network of Iizuka, Simo-Serra and Ishikawa (2017)

The authors' own weights, from `{name}` of https://github.com/satoshiiizuka/siggraph2017_inpainting, turned from Torch7
into safetensors by `python -m glcic_lite import-weights`; not one number was trained here.

Copyright 2017 Satoshi Iizuka, Edgar Simo-Serra, Hiroshi Ishikawa. Licence: Creative Commons
Attribution-NonCommercial-ShareAlike 4.0 International (http://creativecommons.org/licenses/by-nc-sa/4.0/).

```python
from glcic_lite import CompletionNetwork, complete

network = CompletionNetwork.from_pretrained("{folder}")
completed = complete("photo.jpg", "mask.png", network)
```
"""


def import_weights(file: str | os.PathLike, out: str | os.PathLike) -> CompletionNetwork:
    """Turn the authors' Torch7 file into a folder with config.json, model.safetensors and a card with their licence.

    Args:
        file: such as completionnet_places2.t7, as the authors' download script fetches it.
        out: the folder to write.

    Raises:
        WeightsError: no such file, damaged, or of another network; or `out` holds something already.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise WeightsError(f"{out}: is there already; choose another folder")
    network = network_from_torch7(file)
    network.save_pretrained(out)
    write_text(out / "README.md", CARD.format(name=Path(file).name, folder=out.name))
    return network


def network_from_torch7(file: str | os.PathLike) -> CompletionNetwork:
    """The network in a Torch7 file: a table {model = nn.Sequential, mean = three numbers}.

    Torch7 and PyTorch lay out weights the same way: (out, in, rows, columns) for convolutions, (in, out, rows, columns)
    for transposed ones; and count padding and statistics the same way.

    Raises:
        WeightsError: as for `import_weights`.
    """
    content = _read(Path(file))
    if not isinstance(content, dict) or not {b"model", b"mean"} <= content.keys():
        raise WeightsError(f"{file}: no table with a model and a mean in this file")
    try:
        layers = _flat(content[b"model"])
        if not layers:
            raise WeightsError("it has no layers")
        mean = _numbers(content[b"mean"])
        if mean.shape != (3,) or mean.min() < 0 or mean.max() > 1:
            raise WeightsError(f"the mean colour must be three numbers from 0 to 1, not {mean.tolist()}")
        # The width, from the first layer: everything below is checked against a network of that width.
        channels = len(_numbers(_field(layers[0], "bias")))
        network = CompletionNetwork(channels / COMPLETION_NETWORK[0].channels, tuple(mean.tolist()))
        found = iter(layers)
        for name, block in network.layers.named_children():
            _fill(name, block, found)
        if (more := next(found, None)) is not None:
            raise WeightsError(f"a layer more than the paper's: {_kind(more)}")
    except WeightsError as error:
        raise WeightsError(f"{file}: not the authors' completion network: {error}") from error
    return network.eval()


def _fill(name: str, block: ConvolutionBlock, layers: Iterator) -> None:
    """Copy the next layers of the file into a block, if they are what the block is made of."""
    for part in block:
        layer = next(layers, None)
        if layer is None:
            raise WeightsError(f"it ends before {name}")
        wanted = KINDS[type(part)]
        if _kind(layer) not in wanted:
            raise WeightsError(f"in {name} a {wanted[0]} is expected, and there is a {_kind(layer)}")
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            _check_geometry(name, part, layer)
            weight = _numbers(_field(layer, "weight"))
            # Layers computed by matrix products keep their weights as a matrix.
            matrix = weight.ndim == 2 and weight.size == part.weight.numel()
            tensors = {"weight": weight.reshape(part.weight.shape) if matrix else weight}
            names = ("bias",)
        elif isinstance(part, nn.BatchNorm2d):
            tensors, names = {}, ("weight", "bias", "running_mean", "running_var")
        else:
            continue
        tensors |= {name: _numbers(_field(layer, name)) for name in names}
        if isinstance(part, nn.BatchNorm2d):  # only the sum of the two is ever used
            tensors["running_var"] = tensors["running_var"] + (_number(layer, "eps", part.eps) - part.eps)
        for key, value in tensors.items():
            target = getattr(part, key)
            if value.shape != target.shape:
                raise WeightsError(f"the {key} of {name} should be {tuple(target.shape)}, and is {tuple(value.shape)}")
            if not np.isfinite(value).all():
                raise WeightsError(f"the {key} of {name} is not all finite numbers")
            with torch.no_grad():
                target.copy_(torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32)))


KINDS = {
    nn.Conv2d: ("SpatialConvolution", "SpatialConvolutionMM", "SpatialDilatedConvolution"),
    nn.ConvTranspose2d: ("SpatialFullConvolution",),
    nn.BatchNorm2d: ("SpatialBatchNormalization",),
    nn.ReLU: ("ReLU",),
    nn.Sigmoid: ("Sigmoid",),
}


def _check_geometry(name: str, part: nn.Conv2d | nn.ConvTranspose2d, layer) -> None:
    for axis, letter in enumerate("HW"):
        for ours, theirs, usual in (
            (part.kernel_size, "k", None),
            (part.stride, "d", 1),
            (part.padding, "pad", 0),
            (part.dilation, "dilation", 1),
            (part.output_padding, "adj", 0),
        ):
            found = _number(layer, theirs + letter, usual)
            if found != ours[axis]:
                raise WeightsError(f"{theirs}{letter} of {name} should be {ours[axis]}, and is {found}")


def _flat(module) -> list:
    """The layers of a module, those of sequences within the sequence included."""
    if _kind(module) != "Sequential":
        return [module]
    modules = _field(module, "modules")
    if not isinstance(modules, list):
        raise WeightsError("a Sequential without modules")
    return [layer for part in modules for layer in _flat(part)]


def _kind(layer) -> str:
    """The class of a Torch7 layer, without the library that computes it (nn, cudnn)."""
    name = getattr(layer, "_typename", None)
    return name.decode("ascii", "replace").rpartition(".")[2] if isinstance(name, bytes) else type(layer).__name__


def _field(layer, name: str):
    fields = getattr(layer, "_obj", None)
    return fields.get(name.encode()) if isinstance(fields, dict) else None


def _number(layer, name: str, usual: float | None) -> float | None:
    value = _field(layer, name)
    return value if isinstance(value, int | float) else usual


def _numbers(value) -> np.ndarray:
    """An array of real numbers: a tensor of the file, or a table of numbers."""
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise WeightsError("where numbers are expected there is something else") from error
    if numbers.ndim == 0:
        raise WeightsError("where a tensor is expected there is none")
    return numbers


def _read(file: Path):
    """What the file holds, as dictionaries, lists, numbers, arrays and `torchfile.TorchObject`s."""
    try:
        import torchfile
    except ImportError as error:
        raise WeightsError("Torch7 files need the package torchfile: pip install glcic-lite[import]") from error

    class Reader(torchfile.T7Reader):
        """With integers of 8 bytes on every system, and arrays only where there are numbers for them."""

        def read_long(self) -> int:
            return struct.unpack("<q", self.f.read(8))[0]

        def read_long_array(self, n: int) -> list[int]:
            return [self.read_long() for _ in range(n)]

        def read_obj(self):
            value = super().read_obj()
            if isinstance(value, np.ndarray):
                _check_extent(value)
            return value

    try:
        with open(file, "rb") as stream:
            return Reader(stream).read_obj()
    except FileNotFoundError as error:
        raise WeightsError(f"{file}: no such file") from error
    except WeightsError as error:
        raise WeightsError(f"{file}: damaged ({error})") from error
    except OSError as error:
        raise WeightsError(f"{file}: cannot be read ({error.strerror})") from error
    except Exception as error:  # the parser has no errors of its own; whatever it stumbles over is in the file
        raise WeightsError(f"{file}: not a Torch7 file, or damaged ({type(error).__name__})") from error


def _check_extent(array: np.ndarray) -> None:
    """Refuse a tensor that claims more numbers than its storage has: torchfile trusts the sizes in the file."""
    if not array.size or array.base is None:
        return
    storage = array
    while storage.base is not None:
        storage = storage.base
    last = sum((size - 1) * stride for size, stride in zip(array.shape, array.strides, strict=True))
    first = array.__array_interface__["data"][0] - storage.__array_interface__["data"][0]
    if min(array.strides) < 0 or first < 0 or first + last + array.itemsize > storage.nbytes:
        raise WeightsError("a tensor reaches beyond its numbers")
