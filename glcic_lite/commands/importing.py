"""Weights published elsewhere, turned into a folder that `CompletionNetwork.from_pretrained` opens.

Two releases are known, recognised by the first bytes of the file:

- The paper's authors publish their completion network as a Torch7 file
  (https://github.com/satoshiiizuka/siggraph2017_inpainting). Such a file is only parsed: code in it stays a string, and
  every tensor is checked to lie inside the numbers that came with it.
- A widely used PyTorch program (https://github.com/otenim/GLCIC-PyTorch) publishes a state dict, trained on faces.
  It is read by `torch.load` with `weights_only=True`, which refuses whatever would have to be executed. That network
  normalises after ReLU, and sees the photo as it is, with the mean colour in the hole.
"""

import io
import os
import pickletools
import stat
import struct
import warnings
import zipfile
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from glcic_lite.method.architecture import COMPLETION_NETWORK
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.pretrained import WeightsError, check_weights, new_folder, what_instead, write_new_folder

Colour = tuple[float, float, float]

INSTALL = 'python -m pip install -e ".[import]" in the folder with pyproject.toml'

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
    write_new_folder(network, folder, release.card.format(name=os.path.basename(file), folder=folder.name))
    return network


def release_of(file: str | os.PathLike) -> Release:
    """Where a file comes from: `torch.save` begins a file as a zip archive or as a pickle, Torch7 as neither.

    Raises:
        WeightsError: no such file, or it cannot be read.
    """
    with _open(file) as stream:
        return OTENIM if stream.read(2) in (b"PK", b"\x80\x02") else AUTHORS


def _open(file: str | os.PathLike) -> BinaryIO:
    """Open a file that may be of one of the releases; say what it is where it is plainly something else."""
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):  # opening a pipe would wait for ever
            raise WeightsError(f"{file}: cannot be read: not a file, but a folder, a pipe or a device")
        stream = open(file, "rb")  # noqa: SIM115, closed by whoever asked for it
    except FileNotFoundError as error:
        raise WeightsError(f"{file}: no such file") from error
    except (OSError, ValueError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{file}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    start = stream.read(512)
    stream.seek(0)
    what = what_instead(start)
    if start[8:9] == b"{":
        what = "a safetensors file, which needs no import: put it as model.safetensors beside its config.json"
    elif start.startswith((b"4\n", b"3\n")) and b"\nV 1\n" in start:
        what = "a Torch7 file in ASCII; in Torch, write it anew with torch.save(name, content), which is binary"
    if what:
        stream.close()
        raise WeightsError(f"{file}: this is {what}")
    return stream


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
        if value.is_floating_point() == wanted.is_floating_point() and not value.is_complex():
            state[name] = value.to(wanted.dtype, copy=True, memory_format=torch.contiguous_format)
        if name not in state or not state[name].isfinite().all():
            raise WeightsError(f"{theirs} is not all finite numbers of its kind")
    if found:
        raise WeightsError(f"{_printable(min(found))} does not belong to it")
    network.load_state_dict(state, assign=True)
    check_weights(network.eval())
    return network


def _printable(name: str) -> str:
    """A name from a file, fit for a message of one line."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:80])


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
        if _is_discriminator(found):
            raise WeightsError(A_DISCRIMINATOR)
        first = found.get("conv1.weight", torch.empty(0))
        if not first.ndim or not len(first):
            raise WeightsError("conv1.weight is missing")
        network = _empty_network(len(first), mean_colour, norm_after_activation=True, subtract_mean=False)
        return _fill(network, mean_colour, found, _name_in_release)
    except Exception as error:  # of whatever kind, the reason is in the file
        raise WeightsError(f"{file}: not the completion network of GLCIC-PyTorch: {_reason(error)}") from error


A_DISCRIMINATOR = "this is a discriminator, which only training needs; import the completion network (the generator)"


A_LAYER = "deconv13.weight"  # which only the completion network has


def _is_discriminator(found: dict[str, Tensor]) -> bool:
    """Whether these are entries of a discriminator: fully connected layers, and no transposed convolution."""
    dense = ("linear", "fc", "model_ld.", "model_gd.", "discriminator", "local_d", "global_d")
    return not any("deconv" in name for name in found) and any(
        name.startswith(dense) or ".linear" in name for name in found
    )


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, WeightsError) else f"damaged ({type(error).__name__})"


# What programs call the weights in a file that also holds other things, such as the state of an optimizer.
WRAPPINGS = ("state_dict", "model_state_dict", "model", "generator", "model_cn", "netG", "net", "params", "weights")


def _unwrapped(content: Any) -> Any:
    """The state dict in what `torch.load` returned: under one of the usual names, or the only one of its kind.

    Raises:
        WeightsError: there are several, and nothing says which is meant.
    """
    for _ in range(3):  # one wrapping in another; not for ever, since a file may claim to contain itself
        if not isinstance(content, dict):
            break
        inner = [name for name in WRAPPINGS if isinstance(content.get(name), dict)]
        if not inner and not any(isinstance(value, Tensor) for value in content.values()):
            inner = [name for name, value in content.items() if _may_be_the_network(value)]
        if len(inner) > 1:
            names = _printable(", ".join(map(str, inner)))
            raise WeightsError(f"weights under several names ({names}); save one of them alone")
        if not inner:
            break
        content = content[inner[0]]
    return content


def _may_be_the_network(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(name, str) and isinstance(entry, Tensor) for name, entry in value.items())
        and not _is_discriminator(value)
    )


def _expect_bounded(stream: BinaryIO, size: int) -> None:
    """Refuse zip archives of other kinds, and files that hold more, once unpacked, than they have room for."""
    if not zipfile.is_zipfile(stream):
        stream.seek(0)
        for _ in range(5):  # before PyTorch 1.6 there were five pickles one after the other, and then the numbers
            _expect_no_unfolding(stream)
        return
    with zipfile.ZipFile(stream) as archive:
        parts = archive.infolist()
        pickles = [part for part in parts if part.filename.endswith("data.pkl")]
        if not pickles:
            raise WeightsError("this is a zip archive, and not one of PyTorch; unpack it first")
        if any(part.filename.endswith("constants.pkl") for part in parts):
            raise WeightsError("this is a TorchScript program, and code is never run; save the network's state_dict()")
        if sum(part.file_size for part in parts) > size:
            raise WeightsError("this archive unpacks to more numbers than the file has room for")
        for part in pickles:
            with archive.open(part) as content:
                _expect_no_unfolding(content)


MOST_UNFOLDED = 10**7  # values; a state dict of the paper's network has some thousands


def _expect_no_unfolding(stream: IO[bytes]) -> None:
    """Refuse a pickle whose values refer to one another so often that comparing or printing one would never end.

    Nothing is unpickled: its steps are followed with, in place of each value, the number of values in it, and whether
    it lies in another one. Python fills a value before it does that.
    """
    stack: list[list] = []  # of these pairs, as lists, for the same value may lie here twice
    marks: list[int] = []  # places in the stack
    memo: dict[Any, list] = {}
    for step, argument, _ in pickletools.genops(stream):
        if "PUT" in step.name:
            memo[argument] = stack[-1]
        elif "GET" in step.name:
            stack.append(memo[argument])
        elif step.name == "MARK":
            marks.append(len(stack))
        else:
            after_mark = pickletools.markobject in step.stack_before
            place = marks.pop() if after_mark else len(stack) - len(step.stack_before)
            inner, stack[place:] = stack[place:], []
            if step.name in ("APPENDS", "SETITEMS"):
                inner.insert(0, stack.pop())
            made = inner[0] if step.name in GROWING else [1, False]
            added = [value for value in inner if value is not made]
            made[0] += sum(value[0] for value in added)
            if made[0] > MOST_UNFOLDED or (made[1] and added):
                raise WeightsError("values in it refer to one another so often that they would fill the memory")
            for value in added:
                value[1] = True
            stack += [made] * len(step.stack_after)


GROWING = ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "BUILD")


def _state_dict(file: str | os.PathLike) -> dict[str, Tensor]:
    """The tensors of a file by their names, without a prefix, such as the "module." of `nn.DataParallel`."""
    with _open(file) as stream:
        try:
            _expect_bounded(stream, os.path.getsize(file))
            stream.seek(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of PyTorch, about its own storages
                content = _unwrapped(torch.load(stream, map_location="cpu", weights_only=True))
        except WeightsError as error:
            raise WeightsError(f"{file}: {error}") from error
        except Exception as error:  # of whatever kind: the reason is in the file
            raise WeightsError(
                f"{file}: not a PyTorch file of tensors alone, which can be read without running code; or damaged "
                f"({type(error).__name__})"
            ) from error
    if not isinstance(content, dict) or not content or not all(isinstance(name, str) for name in content):
        raise WeightsError(f"{file}: no state dict in this file")
    prefixes = [name.removesuffix(A_LAYER) for name in content if name.endswith(A_LAYER)]
    if len(prefixes) == 1:  # of the network; other prefixes are of others, such as discriminators
        content = {name.removeprefix(prefixes[0]): content[name] for name in content if name.startswith(prefixes[0])}
    for name, value in content.items():
        # A tensor may claim more numbers than it has, by repeating some.
        if (
            not isinstance(value, Tensor)
            or value.layout is not torch.strided
            or value.device.type != "cpu"
            or value.numel() * value.element_size() > value.untyped_storage().nbytes()
        ):
            raise WeightsError(f"{file}: {_printable(name)} is not a tensor with numbers of its own")
    return {name: value.detach() for name, value in content.items()}


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
        what = A_DISCRIMINATOR if _judges(content) else "no table with a model and a mean in this file"
        raise WeightsError(f"{file}: {what}")
    try:
        layers = _flat(content[b"model"])
        if not layers:
            raise WeightsError("it has no layers")
        if _judges(content[b"model"]):
            raise WeightsError(A_DISCRIMINATOR)
        mean = _numbers(content[b"mean"])
        if mean.shape != (3,):
            raise WeightsError("the mean colour is not a row of three numbers")
        network = _empty_network(len(_numbers(_field(layers[0], "bias"))), mean.tolist())
        return _fill(network, mean.tolist(), _torch7_state(network, layers))
    except Exception as error:  # of whatever kind, the reason is in the file
        raise WeightsError(f"{file}: not the authors' completion network: {_reason(error)}") from error


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


MOST_LAYERS = 500  # the paper's network has 50; files may share layers so that they unfold to billions


def _flat(module) -> list:
    """The layers of a module, including those of sequences within the sequence."""
    layers: list = []
    visits = iter(range(MOST_LAYERS))

    def visit(module, around: tuple[int, ...]) -> None:
        if id(module) in around:
            raise WeightsError("a layer that contains itself")
        if next(visits, None) is None:
            raise WeightsError(f"more than {MOST_LAYERS} layers")
        parts = _field(module, "modules")
        if _kind(module) != "Sequential":
            layers.append(module)
        elif not isinstance(parts, list):
            raise WeightsError("a Sequential without modules")
        else:
            for part in parts:
                visit(part, (*around, id(module)))

    visit(module, ())
    return layers


def _judges(module) -> bool:
    """Whether a Torch7 module is a discriminator: with a fully connected layer, and no transposed convolution."""
    seen, waiting = {id(module)}, [module]
    kinds = set()
    while waiting:
        module = waiting.pop()
        kinds.add(_kind(module))
        fields = module if isinstance(module, dict) else getattr(module, "_obj", None)
        parts = module if isinstance(module, list) else fields.values() if isinstance(fields, dict) else ()
        new = [part for part in parts if isinstance(part, list | dict) or hasattr(part, "_obj")]
        waiting += [part for part in new if id(part) not in seen]
        seen |= {id(part) for part in new}
    return "Linear" in kinds and "SpatialFullConvolution" not in kinds


def _kind(layer) -> str:
    """The class of a Torch7 layer, without the library that computes it (nn, cudnn)."""
    name = getattr(layer, "_typename", None)
    if not isinstance(name, bytes):
        return type(layer).__name__
    return _printable(name.decode("ascii", "replace").rpartition(".")[2])


def _field(layer, name: str) -> Any:
    fields = getattr(layer, "_obj", None)
    return fields.get(name.encode()) if isinstance(fields, dict) else None


def _number(layer, name: str, usual: float) -> float:
    value = _field(layer, name)
    return value if isinstance(value, int | float) else usual


def _numbers(value) -> np.ndarray:
    """An array of real numbers: a tensor of the file, or a table of numbers. A table of tables may be far larger than
    the file, so none is unfolded."""
    if isinstance(value, list) and all(isinstance(number, int | float) for number in value):
        value = np.asarray(value, dtype=np.float64)
    if not isinstance(value, np.ndarray):
        raise WeightsError("expected a tensor, and found none")
    if value.dtype.kind != "f":
        raise WeightsError("expected a tensor of real numbers, and found other numbers")
    return value


def _read(file: str | os.PathLike):
    """The content of the file, as dictionaries, lists, numbers, arrays and `torchfile.TorchObject`s."""
    with _open(file) as stream:  # before the package is missed: the file may be no Torch7 file at all
        if not (kind := stream.read(4)).endswith(b"\0\0\0") or kind[0] > 8:
            raise WeightsError(f"{file}: neither a Torch7 nor a PyTorch file")
    try:
        import torchfile
    except ImportError as error:
        raise WeightsError(f"{file}: a Torch7 file, which needs the package torchfile: {INSTALL}") from error
    size = os.path.getsize(file)

    class Bounded(io.BufferedReader):
        """Reads what is there, or fails: before it makes room for what the file only claims to contain."""

        def read(self, count=None, /):
            if count is None or not 0 <= count <= size - self.tell():
                raise EOFError
            return super().read(count)

    class Reader(torchfile.T7Reader):
        """Reads integers of 8 bytes on every system, and refuses arrays without the numbers to fill them."""

        def read_long(self) -> int:
            value = struct.unpack("<q", self.f.read(8))[0]
            if not 0 <= value <= size:  # these integers count numbers, or steps between them
                raise WeightsError("a tensor claims more numbers than the file has")
            return value

        def read_long_array(self, n: int) -> list[int]:
            return [self.read_long() for _ in range(n)]

        def read_obj(self):
            value = super().read_obj()
            if isinstance(value, np.ndarray):
                _check_extent(value)
            return value

    with Bounded(io.FileIO(file)) as stream:
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
    if (
        array.nbytes > storage.nbytes
        or min(array.strides) < 0
        or first < 0
        or first + last + array.itemsize > storage.nbytes
    ):
        raise WeightsError("a tensor reaches beyond its numbers")
