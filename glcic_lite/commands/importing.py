"""Weights published elsewhere, turned into a folder that `CompletionNetwork.from_pretrained` opens.

Two releases are known, recognised by the first bytes of the file:

- The paper's authors publish their completion network as a Torch7 file
  (https://github.com/satoshiiizuka/siggraph2017_inpainting). Such a file is only parsed: code in it stays a string, and
  every tensor is checked to lie inside the numbers that came with it.
- A widely used PyTorch program (https://github.com/otenim/GLCIC-PyTorch) publishes a state dict, trained on faces.
  It is read by `torch.load` with `weights_only=True`, which refuses whatever would have to be executed. That network
  normalises after ReLU, and sees the photo as it is, with the mean colour in the hole.
"""

import os
import struct
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from glcic_lite.files import write_text
from glcic_lite.method.architecture import COMPLETION_NETWORK
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.pretrained import WeightsError, new_folder

Colour = tuple[float, float, float]

# The mean colour of the PyTorch release: "mpv" in the config.json beside it, as programs that use it quote that file.
# It is the mean of the CelebA photos that the network was trained on; the state dict does not contain it.
CELEBA_MEAN = (0.5062325495504219, 0.4255871700324652, 0.38299278586700136)


class Release(NamedTuple):
    """What whoever imports weights of one origin is told, and what the folder's README.md says."""

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

The authors' own weights, from `{name}` of https://github.com/satoshiiizuka/siggraph2017_inpainting, converted from
Torch7 to safetensors by `python -m glcic_lite import-weights`; nothing was trained here.

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

The weights in `{name}`, of https://github.com/otenim/GLCIC-PyTorch or trained with it, converted to safetensors by
`python -m glcic_lite import-weights`; nothing was trained here. This network normalises after ReLU, where the
paper's normalises before it, and the mean colour is not subtracted: config.json says so, and `complete` acts on it.

Licence: that of the file. The program is under the MIT licence, copyright 2019 Otenim, and names no licence for
weights; the released ones were trained on the faces of CelebA, whose photos are for non-commercial research only.
"""
    + USE,
)


def import_weights(
    file: str | os.PathLike, out: str | os.PathLike, mean_colour: Colour | None = None
) -> CompletionNetwork:
    """Turn a released file into a folder with config.json, model.safetensors and a card with the weights' licence.

    Args:
        file: the authors' file, such as completionnet_places2.t7; or one of the PyTorch release, such as
            model_cn_step400000.
        out: the folder to write.
        mean_colour: as for `network_from_pytorch`; the authors' file contains its own.

    Raises:
        WeightsError: the file is missing, damaged, or of another network; or `out` is not empty.
    """
    folder = new_folder(os.fspath(out))
    release = release_of(file)
    if release is OTENIM:
        network = network_from_pytorch(file, CELEBA_MEAN if mean_colour is None else mean_colour)
    elif mean_colour is None:
        network = network_from_torch7(file)
    else:
        raise WeightsError(f"{file}: a Torch7 file contains its own mean colour; leave yours out")
    network.save_pretrained(folder)
    write_text(folder / "README.md", release.card.format(name=os.path.basename(file), folder=folder.name))
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


def _empty_network(first_channels: int, mean_colour, **options) -> CompletionNetwork:
    """A network that has shapes but no memory, as wide as its first layer says, until numbers turn up to fill it."""
    if len(mean_colour) != 3 or not all(0 <= value <= 1 for value in mean_colour):
        raise WeightsError(f"the mean colour must be three numbers from 0 to 1, not {list(mean_colour)}")
    with torch.device("meta"):
        return CompletionNetwork(first_channels / COMPLETION_NETWORK[0].channels, tuple(mean_colour), **options)


def _fill(network: CompletionNetwork, mean_colour, found: dict[str, Tensor], their_name=str) -> CompletionNetwork:
    """Give an empty network the numbers found under `their_name`s, once each is known to be like the one expected."""
    state = {"mean_colour": torch.tensor(mean_colour, dtype=torch.float32).view(3, 1, 1)}
    for name, wanted in network.state_dict().items():
        if name in state:
            continue
        theirs = their_name(name)
        if theirs not in found and name.endswith("num_batches_tracked"):  # new in PyTorch 0.4.1; nothing reads it
            state[name] = torch.zeros((), dtype=wanted.dtype)
            continue
        if theirs not in found:
            raise WeightsError(f"{theirs} is missing")
        value = found.pop(theirs)
        if value.shape != wanted.shape:
            raise WeightsError(f"{theirs} should be {tuple(wanted.shape)}, and is {tuple(value.shape)}")
        state[name] = value.to(wanted.dtype, copy=True, memory_format=torch.contiguous_format)
        if value.is_floating_point() != wanted.is_floating_point() or not state[name].isfinite().all():
            raise WeightsError(f"{theirs} is not all finite numbers of its kind")
    if found:
        raise WeightsError(f"{min(found)} does not belong to it")
    network.load_state_dict(state, assign=True)
    return network.eval()


# The PyTorch release


def network_from_pytorch(file: str | os.PathLike, mean_colour: Colour = CELEBA_MEAN) -> CompletionNetwork:
    """The network in a state dict of the PyTorch release, or of one trained with its program, at any width.

    Args:
        file: as `torch.save` writes it, today or before PyTorch 1.6.
        mean_colour: red, green and blue in [0, 1] for the hole: "mpv" in the config.json beside the file.

    Raises:
        WeightsError: as for `import_weights`.
    """
    found = _state_dict(file)
    try:
        first = found.get("conv1.weight", torch.empty(0))
        if not first.ndim or not len(first):
            raise WeightsError("conv1.weight is missing")
        network = _empty_network(len(first), mean_colour, norm_after_activation=True, subtract_mean=False)
        return _fill(network, mean_colour, found, _name_in_release)
    except WeightsError as error:
        raise WeightsError(f"{file}: not the completion network of GLCIC-PyTorch: {error}") from error


def _state_dict(file: str | os.PathLike) -> dict[str, Tensor]:
    """The tensors of a file by their names, without the "module." that `nn.DataParallel` puts before all of them."""
    with _open(file) as stream:
        try:
            content = torch.load(stream, map_location="cpu", weights_only=True)
        except Exception as error:  # of whatever kind: the reason is in the file
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
            raise WeightsError(f"{file}: {name} is not a tensor with numbers of its own")
    wrapped = all(name.startswith("module.") for name in content)
    return {name.removeprefix("module.") if wrapped else name: value.detach() for name, value in content.items()}


def _name_in_release(name: str) -> str:
    """What the release calls an entry of our state dict: "layers.13_deconv.convolution.bias" is "deconv13.bias"."""
    _, layer, part, entry = name.split(".")
    number, _, kind = layer.partition("_")
    theirs = "bn" if part == "norm" else "deconv" if kind == "deconv" else "conv"
    return f"{theirs}{int(number)}.{entry}"


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
            raise WeightsError("the mean colour is not a row of numbers")
        network = _empty_network(len(_numbers(_field(layers[0], "bias"))), mean.tolist())
        return _fill(network, mean.tolist(), _torch7_state(network, layers))
    except RecursionError:
        raise WeightsError(f"{file}: not the authors' completion network: a layer that contains itself") from None
    except WeightsError as error:
        raise WeightsError(f"{file}: not the authors' completion network: {error}") from error


KINDS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Conv2d: ("SpatialConvolution", "SpatialConvolutionMM", "SpatialDilatedConvolution"),
    nn.ConvTranspose2d: ("SpatialFullConvolution",),
    nn.BatchNorm2d: ("SpatialBatchNormalization",),
    nn.ReLU: ("ReLU",),
    nn.Sigmoid: ("Sigmoid",),
}


def _torch7_state(network: CompletionNetwork, layers: list) -> dict[str, Tensor]:
    """The numbers of Torch7 layers by the names of our state dict, if the layers are those of the network."""
    state = {}
    remaining = iter(layers)
    for name, block in network.layers.named_children():
        for part_name, part in block.named_children():
            layer = next(remaining, None)
            if layer is None:
                raise WeightsError(f"it ends before {name}")
            wanted = KINDS[type(part)]
            if _kind(layer) not in wanted:
                raise WeightsError(f"expected a {wanted[0]} in {name}, and found a {_kind(layer)}")
            entries = {entry: _numbers(_field(layer, entry)) for entry, _ in part.named_parameters()}
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
                _check_geometry(name, part, layer)
                if entries["weight"].ndim == 2 and entries["weight"].size == part.weight.numel():
                    # Layers that compute by matrix products keep their weights as a matrix.
                    entries["weight"] = entries["weight"].reshape(part.weight.shape)
            elif isinstance(part, nn.BatchNorm2d):
                entries["running_mean"] = _numbers(_field(layer, "running_mean"))
                # Only the sum of variance and epsilon is ever used.
                epsilon = _number(layer, "eps", part.eps)
                entries["running_var"] = _numbers(_field(layer, "running_var")) + (epsilon - part.eps)
            for entry, value in entries.items():
                state[f"layers.{name}.{part_name}.{entry}"] = torch.from_numpy(np.ascontiguousarray(value))
    if (more := next(remaining, None)) is not None:
        raise WeightsError(f"one layer more than the paper's: {_kind(more)}")
    return state


def _check_geometry(name: str, part: nn.Conv2d | nn.ConvTranspose2d, layer) -> None:
    for axis, letter in enumerate("HW"):
        for ours, theirs, usual in (
            (part.kernel_size, "k", -1),
            (part.stride, "d", 1),
            (part.padding, "pad", 0),
            (part.dilation, "dilation", 1),
            (part.output_padding, "adj", 0),
        ):
            found = _number(layer, theirs + letter, usual)
            if found != ours[axis]:
                raise WeightsError(f"{theirs}{letter} of {name} should be {ours[axis]}, and is {found}")


def _flat(module) -> list:
    """The layers of a module, including those of sequences within the sequence."""
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


def _field(layer, name: str) -> Any:
    fields = getattr(layer, "_obj", None)
    return fields.get(name.encode()) if isinstance(fields, dict) else None


def _number(layer, name: str, usual: float) -> float:
    value = _field(layer, name)
    return value if isinstance(value, int | float) else usual


def _numbers(value) -> np.ndarray:
    """An array of real numbers: a tensor of the file, or a table of numbers."""
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise WeightsError("expected numbers, and found something else") from error
    if numbers.ndim == 0:
        raise WeightsError("expected a tensor, and found none")
    return numbers


def _read(file: str | os.PathLike):
    """The content of the file, as dictionaries, lists, numbers, arrays and `torchfile.TorchObject`s."""
    try:
        import torchfile
    except ImportError as error:
        raise WeightsError("Torch7 files need the package torchfile: pip install glcic-lite[import]") from error

    class Reader(torchfile.T7Reader):
        """Reads integers of 8 bytes on every system, and refuses arrays without the numbers to fill them."""

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
        except Exception as error:  # the parser has no errors of its own; of whatever kind, the reason is in the file
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
