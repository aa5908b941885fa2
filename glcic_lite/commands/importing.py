"""Weights published elsewhere, turned into a folder that `CompletionNetwork.from_pretrained` opens.

Two releases are known, each told by its first bytes:

- The paper's authors publish their completion network as a Torch7 file
  (https://github.com/satoshiiizuka/siggraph2017_inpainting). Such a file is only parsed: what it holds of code stays a
  string, and every tensor is checked to lie inside the numbers that came with it.
- A widely used program for PyTorch (https://github.com/otenim/GLCIC-PyTorch) publishes a state dict, trained on faces.
  It is read by `torch.load` with `weights_only=True`, which refuses whatever would have to be executed. That network
  normalises after ReLU, and it is shown the photo as it is, with the mean colour in the hole.
"""

import os
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from glcic_lite.files import write_text
from glcic_lite.method.architecture import COMPLETION_NETWORK
from glcic_lite.method.networks import CompletionNetwork, ConvolutionBlock
from glcic_lite.method.pretrained import WeightsError, new_folder

# The mean colour of the PyTorch release: "mpv" in the config.json beside it, as programs that use it quote that file.
# It is the mean of the CelebA photos that the network was trained on; the state dict does not hold it.
CELEBA_MEAN = (0.5062325495504219, 0.4255871700324652, 0.38299278586700136)


class Release(NamedTuple):
    """What is said of weights of one origin: to whoever imports them, and in the folder's README.md."""

    licence: str
    card: str


USE = """
```python
from glcic_lite import CompletionNetwork, complete

network = CompletionNetwork.from_pretrained("{folder}")
completed = complete("photo.jpg", "mask.png", network)
```
"""

AUTHORS = Release(
    licence="the authors' weights are under the Creative Commons licence CC BY-NC-SA 4.0: not for commercial use, to "
    "be shared under the same licence, naming Iizuka, Simo-Serra and Ishikawa (2017)",
    card="""---
library_name: glcic-lite
license: cc-by-nc-sa-4.0
tags: [image-inpainting, image-completion]
---

# Completion network of Iizuka, Simo-Serra and Ishikawa (2017)

The authors' own weights, from `{name}` of https://github.com/satoshiiizuka/siggraph2017_inpainting, turned from Torch7
into safetensors by `python -m glcic_lite import-weights`; not one number was trained here.

Copyright 2017 Satoshi Iizuka, Edgar Simo-Serra, Hiroshi Ishikawa. Licence: Creative Commons
Attribution-NonCommercial-ShareAlike 4.0 International (http://creativecommons.org/licenses/by-nc-sa/4.0/).
"""
    + USE,
)

OTENIM = Release(
    licence="the file's own terms apply: its program is under the MIT licence, copyright 2019 Otenim, and names none "
    "for weights; the released ones were trained on CelebA, whose photos are for non-commercial research only",
    card="""---
library_name: glcic-lite
license: other
tags: [image-inpainting, image-completion]
---

# Completion network of GLCIC-PyTorch

The weights in `{name}`, of https://github.com/otenim/GLCIC-PyTorch or trained with it, turned into safetensors by
`python -m glcic_lite import-weights`; not one number was trained here. This network normalises after ReLU, where the
paper's normalises before it, and the mean colour is not subtracted: config.json says so, and `complete` acts on it.

Licence: that of the file. The program is under the MIT licence, copyright 2019 Otenim, and names no licence for
weights; the released ones were trained on the faces of CelebA, whose photos are for non-commercial research only.
"""
    + USE,
)


def import_weights(
    file: str | os.PathLike, out: str | os.PathLike, mean_colour: tuple[float, float, float] | None = None
) -> CompletionNetwork:
    """Turn a released file into a folder with config.json, model.safetensors and a card with the weights' licence.

    Args:
        file: of the authors, such as completionnet_places2.t7; or of the PyTorch release, such as model_cn_step400000.
        out: the folder to write.
        mean_colour: as for `network_from_pytorch`; the authors' file holds its own.

    Raises:
        WeightsError: no such file, damaged, or of another network; or `out` holds something already.
    """
    out = new_folder(out)
    release = release_of(file)
    if release is OTENIM:
        network = network_from_pytorch(file, CELEBA_MEAN if mean_colour is None else mean_colour)
    elif mean_colour is None:
        network = network_from_torch7(file)
    else:
        raise WeightsError(f"{file}: a Torch7 file holds its own mean colour; leave yours out")
    network.save_pretrained(out)
    write_text(out / "README.md", release.card.format(name=Path(file).name, folder=out.name))
    return network


def release_of(file: str | os.PathLike) -> Release:
    """Where a file comes from: `torch.save` begins a file as a zip archive or as a pickle, Torch7 as neither.

    Raises:
        WeightsError: no such file, or it cannot be read.
    """
    with _open(file) as stream:
        return OTENIM if stream.read(2) in (b"PK", b"\x80\x02") else AUTHORS


def _open(file: str | os.PathLike) -> BinaryIO:
    try:
        return open(file, "rb")
    except FileNotFoundError as error:
        raise WeightsError(f"{file}: no such file") from error
    except OSError as error:
        raise WeightsError(f"{file}: cannot be read ({error.strerror})") from error


def _check_colour(colour) -> None:
    if len(colour) != 3 or not all(0 <= value <= 1 for value in colour):
        raise WeightsError(f"the mean colour must be three numbers from 0 to 1, not {list(colour)}")


# The PyTorch release


def network_from_pytorch(
    file: str | os.PathLike, mean_colour: tuple[float, float, float] = CELEBA_MEAN
) -> CompletionNetwork:
    """The network in a state dict of the PyTorch release, or of one trained with its program, at any width.

    Args:
        file: as `torch.save` writes it, today or before PyTorch 1.6.
        mean_colour: red, green and blue in [0, 1] for the hole: "mpv" in the config.json beside the file.

    Raises:
        WeightsError: as for `import_weights`.
    """
    state = _state_dict(file)
    try:
        _check_colour(mean_colour)
        if "conv1.weight" not in state or not state["conv1.weight"].ndim or not len(state["conv1.weight"]):
            raise WeightsError("conv1.weight is missing")
        # The width, from the first layer: everything else is checked against a network of that width.
        width = len(state["conv1.weight"]) / COMPLETION_NETWORK[0].channels
        with torch.device("meta"):  # shapes alone, until the file is known to hold numbers for them
            network = CompletionNetwork(width, tuple(mean_colour), norm_after_activation=True, subtract_mean=False)
        numbers = {"mean_colour": torch.tensor(mean_colour, dtype=torch.float32).view(3, 1, 1)}
        for name, wanted in network.state_dict().items():
            if name not in numbers:
                numbers[name] = _take(state, _name_in_release(name), wanted)
        if state:
            raise WeightsError(f"{min(state)} does not belong to it")
        network.load_state_dict(numbers, assign=True)
    except WeightsError as error:
        raise WeightsError(f"{file}: not the completion network of GLCIC-PyTorch: {error}") from error
    return network.eval()


def _state_dict(file: str | os.PathLike) -> dict[str, Tensor]:
    """The tensors of a file by their names, without the "module." that `nn.DataParallel` puts before all of them."""
    with _open(file) as stream:
        try:
            content = torch.load(stream, map_location="cpu", weights_only=True)
        except Exception as error:  # whatever it stumbles over is in the file
            raise WeightsError(
                f"{file}: not a PyTorch file of tensors alone, which can be read without running code; or damaged "
                f"({type(error).__name__})"
            ) from error
    if not isinstance(content, dict) or not content or not all(isinstance(name, str) for name in content):
        raise WeightsError(f"{file}: no state dict in this file")
    for name, value in content.items():
        # A tensor may claim more numbers than it has, by repeating some.
        if (
            not isinstance(value, Tensor)
            or value.layout is not torch.strided
            or value.device.type != "cpu"
            or value.numel() * value.element_size() > value.untyped_storage().nbytes()
        ):
            raise WeightsError(f"{file}: {name} is no tensor with numbers of its own")
    wrapped = all(name.startswith("module.") for name in content)
    return {name.removeprefix("module.") if wrapped else name: value.detach() for name, value in content.items()}


def _name_in_release(name: str) -> str:
    """What the release calls an entry of our state dict: "layers.13_deconv.convolution.bias" is "deconv13.bias"."""
    _, layer, part, entry = name.split(".")
    number, _, kind = layer.partition("_")
    theirs = "bn" if part == "norm" else "deconv" if kind == "deconv" else "conv"
    return f"{theirs}{int(number)}.{entry}"


def _take(state: dict[str, Tensor], name: str, wanted: Tensor) -> Tensor:
    """Take a tensor out of a state dict: a copy, if it is like the one that is wanted."""
    if name not in state and name.endswith("num_batches_tracked"):  # unknown before PyTorch 0.4.1; nothing reads it
        return torch.zeros((), dtype=wanted.dtype)
    if name not in state:
        raise WeightsError(f"{name} is missing")
    value = state.pop(name)
    if value.shape != wanted.shape:
        raise WeightsError(f"{name} should be {tuple(wanted.shape)}, and is {tuple(value.shape)}")
    if value.is_floating_point() != wanted.is_floating_point() or not value.isfinite().all():
        raise WeightsError(f"{name} is not all finite numbers of its kind")
    return value.to(wanted.dtype, copy=True, memory_format=torch.contiguous_format)


# The authors' Torch7 file


def network_from_torch7(file: str | os.PathLike) -> CompletionNetwork:
    """The network in a Torch7 file: a table {model = nn.Sequential, mean = three numbers}.

    Torch7 and PyTorch lay out weights the same way: (out, in, rows, columns) for convolutions, (in, out, rows, columns)
    for transposed ones; and count padding and statistics the same way.

    Raises:
        WeightsError: as for `import_weights`.
    """
    content = _read(file)
    if not isinstance(content, dict) or not {b"model", b"mean"} <= content.keys():
        raise WeightsError(f"{file}: no table with a model and a mean in this file")
    try:
        layers = _flat(content[b"model"])
        if not layers:
            raise WeightsError("it has no layers")
        mean = _numbers(content[b"mean"])
        if mean.ndim != 1:
            raise WeightsError("the mean colour is no row of numbers")
        _check_colour(mean.tolist())
        # The width, from the first layer: everything below is checked against a network of that width.
        channels = len(_numbers(_field(layers[0], "bias")))
        make = partial(CompletionNetwork, channels / COMPLETION_NETWORK[0].channels, tuple(mean.tolist()))
        with torch.device("meta"):  # shapes alone, until the file is known to hold numbers for them
            _fill_all(make(), layers)
        network = make()
        _fill_all(network, layers)
    except RecursionError:
        raise WeightsError(f"{file}: not the authors' completion network: a layer that holds itself") from None
    except WeightsError as error:
        raise WeightsError(f"{file}: not the authors' completion network: {error}") from error
    return network.eval()


def _fill_all(network: CompletionNetwork, layers: list) -> None:
    found = iter(layers)
    for name, block in network.layers.named_children():
        _fill(name, block, found)
    if (more := next(found, None)) is not None:
        raise WeightsError(f"a layer more than the paper's: {_kind(more)}")


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


def _read(file: str | os.PathLike):
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

    with _open(file) as stream:
        try:
            return Reader(stream).read_obj()
        except WeightsError as error:
            raise WeightsError(f"{file}: damaged ({error})") from error
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
