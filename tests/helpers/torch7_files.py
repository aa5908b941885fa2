"""Writes Torch7 files, as Torch7 itself does: the form in which the paper's authors publish their weights."""

import struct

import numpy as np
from torch import nn

# A Torch7 writer. The format (torch7, File.lua): every value begins with a number for its type; tables and objects have
# an index, under which they are known when they come again.


class Torch7Object:
    def __init__(self, kind, fields):
        self.kind, self.fields = kind, fields


class Torch7Writer:
    NUMBER, STRING, TABLE, TORCH, BOOLEAN, FUNCTION = 1, 2, 3, 4, 5, 8

    def __init__(self):
        self.bytes, self.known, self.kept = b"", {}, []

    def integer(self, value):
        self.bytes += struct.pack("<i", value)

    def longs(self, *values):
        self.bytes += struct.pack(f"<{len(values)}q", *values)

    def text(self, value):
        self.integer(len(value))
        self.bytes += value.encode()

    def index(self, kind, value):
        """True where the value is new; else only its index is written."""
        self.integer(kind)
        new = id(value) not in self.known
        self.kept.append(value)  # or another object might get the same id
        self.integer(self.known.setdefault(id(value), len(self.known) + 1))
        return new

    def torch_class(self, name):
        self.text("V 1")
        self.text(name)

    def write(self, value):
        if value is None:
            self.integer(0)
        elif isinstance(value, bool):
            self.integer(self.BOOLEAN)
            self.integer(int(value))
        elif isinstance(value, int | float):
            self.integer(self.NUMBER)
            self.bytes += struct.pack("<d", value)
        elif isinstance(value, str):
            self.integer(self.STRING)
            self.text(value)
        elif isinstance(value, bytes):  # a compiled Lua function, with no variables of its own
            if self.index(self.FUNCTION, value):
                self.integer(len(value))
                self.bytes += value
                self.write(None)
        elif isinstance(value, list):
            self.write_table(value, dict(enumerate(value, start=1)))
        elif isinstance(value, dict):
            self.write_table(value, value)
        elif isinstance(value, np.ndarray):
            self.write_tensor(value)
        elif self.index(self.TORCH, value):
            self.torch_class(value.kind)
            self.write(value.fields)

    def write_table(self, original, items):
        if self.index(self.TABLE, original):
            self.integer(len(items))
            for key, value in items.items():
                self.write(key)
                self.write(value)

    def write_tensor(self, array, sizes=None, storage=None):
        if self.index(self.TORCH, array):
            self.torch_class("torch.FloatTensor")
            self.integer(array.ndim)
            self.longs(*(sizes or array.shape))
            self.longs(*(stride // array.itemsize for stride in array.strides))
            self.longs(1)  # where in the storage the tensor begins, counted from 1
            self.integer(self.TORCH)
            self.integer(len(self.known) + 1)
            self.known[object()] = len(self.known) + 1
            self.torch_class("torch.FloatStorage")
            storage = array if storage is None else storage
            self.longs(storage.size)
            self.bytes += storage.astype("<f4").tobytes()


def array(tensor):
    return np.ascontiguousarray(tensor.detach().numpy())


def torch7_layer(part, old_style=False):
    """A layer as Torch7 keeps it, its buffers for gradients and outputs left out."""
    if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
        (rows, columns), (down, across) = part.kernel_size, part.stride
        fields = {"kH": rows, "kW": columns, "dH": down, "dW": across, "padH": part.padding[0], "padW": part.padding[1]}
        kind = "nn.SpatialConvolution"
        fields |= {"weight": array(part.weight), "bias": array(part.bias)}
        if isinstance(part, nn.ConvTranspose2d):
            kind, fields = "nn.SpatialFullConvolution", fields | {"adjH": 0, "adjW": 0}
            fields |= {"nInputPlane": part.in_channels, "nOutputPlane": part.out_channels}
        elif part.dilation != (1, 1):
            kind, fields = (
                "nn.SpatialDilatedConvolution",
                fields | {"dilationH": part.dilation[0], "dilationW": part.dilation[1]},
            )
        elif old_style:
            kind, fields["weight"] = "nn.SpatialConvolutionMM", fields["weight"].reshape(part.out_channels, -1)
        return Torch7Object(kind, fields)
    if isinstance(part, nn.BatchNorm2d):
        names = ("weight", "bias", "running_mean", "running_var")
        fields = {name: array(getattr(part, name)) for name in names}
        return Torch7Object("nn.SpatialBatchNormalization", fields | {"eps": part.eps, "momentum": 0.1, "affine": True})
    if isinstance(part, nn.ReLU):
        return Torch7Object("nn.ReLU", {"inplace": True, "threshold": 0, "val": 0})
    return Torch7Object("nn.Sigmoid", {})


def torch7_layers(network, **options):
    return [torch7_layer(part, **options) for block in network.layers for part in block]


def sequential(layers):
    return Torch7Object("nn.Sequential", {"modules": layers, "_type": "torch.FloatTensor", "train": False})


def save(path, content):
    writer = Torch7Writer()
    writer.write(content)
    path.write_bytes(writer.bytes)
    return path
