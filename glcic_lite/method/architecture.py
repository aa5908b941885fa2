"""The layer tables of Iizuka, Simo-Serra and Ishikawa (2017), as data.

This is the one place where a kernel size, a dilation or a stride is written down. The networks are built from these
tables (`networks.py`), the receptive field is computed from them (`receptive_field.py`), and the lessons print them.
"""

from dataclasses import dataclass
from fractions import Fraction

HALF = Fraction(1, 2)  # the stride of a transposed convolution: each step on its input is two steps on its output


@dataclass(frozen=True)
class Layer:
    """One row of a layer table.

    Attributes:
        number: position in the table, counted from 1.
        kind: "conv", "dilated conv", "deconv" (transposed convolution) or "output".
        kernel: side of the square kernel, in taps.
        dilation: distance between neighbouring taps, in pixels of the layer's input.
        stride: input pixels from one output pixel to the next; 1/2 for a transposed convolution, which doubles
            the size.
        channels: number of output channels at width 1.
    """

    number: int
    kind: str
    kernel: int
    dilation: int
    stride: int | Fraction
    channels: int

    @property
    def upsamples(self) -> bool:
        """Whether this is a transposed convolution, whose output is larger than its input."""
        return self.stride < 1

    @property
    def padding(self) -> int:
        """Zero padding that keeps the size (divided by the stride) of an input whose sides divide by the stride."""
        if self.upsamples:
            return (self.kernel - int(1 / self.stride)) // 2
        return self.dilation * (self.kernel - 1) // 2

    @property
    def name(self) -> str:
        """The layer's name in a state dict, such as "07_dilated_conv"; it sorts in the order of the table."""
        return f"{self.number:02d}_{self.kind.replace(' ', '_')}"


# Table 1 of the paper: 17 layers. Each convolution is followed by batch normalisation and ReLU, except the output
# layer, which is followed by a sigmoid alone.
COMPLETION_INPUT_CHANNELS = 4  # red, green, blue and the mask
# fmt: off
COMPLETION_NETWORK = (
    #     number  kind       kernel dilation stride channels
    Layer(1, "conv",            5,   1,   1,     64),
    Layer(2, "conv",            3,   1,   2,    128),
    Layer(3, "conv",            3,   1,   1,    128),
    Layer(4, "conv",            3,   1,   2,    256),
    Layer(5, "conv",            3,   1,   1,    256),
    Layer(6, "conv",            3,   1,   1,    256),
    Layer(7, "dilated conv",    3,   2,   1,    256),
    Layer(8, "dilated conv",    3,   4,   1,    256),
    Layer(9, "dilated conv",    3,   8,   1,    256),
    Layer(10, "dilated conv",   3,  16,   1,    256),
    Layer(11, "conv",           3,   1,   1,    256),
    Layer(12, "conv",           3,   1,   1,    256),
    Layer(13, "deconv",         4,   1,   HALF, 128),
    Layer(14, "conv",           3,   1,   1,    128),
    Layer(15, "deconv",         4,   1,   HALF,  64),
    Layer(16, "conv",           3,   1,   1,     32),
    Layer(17, "output",         3,   1,   1,      3),
)
# fmt: on

# Table 2 of the paper: the two discriminators. After each convolution batch normalisation and ReLU; then one fully
# connected layer of 1024 with ReLU. The two vectors, 2048 numbers together, meet in one fully connected layer.
LOCAL_DISCRIMINATOR = (
    Layer(1, "conv", 5, 1, 2, 64),
    Layer(2, "conv", 5, 1, 2, 128),
    Layer(3, "conv", 5, 1, 2, 256),
    Layer(4, "conv", 5, 1, 2, 512),
    Layer(5, "conv", 5, 1, 2, 512),
)
GLOBAL_DISCRIMINATOR = (*LOCAL_DISCRIMINATOR, Layer(6, "conv", 5, 1, 2, 512))
DISCRIMINATOR_FEATURES = 1024
LOCAL_DISCRIMINATOR_SIZE = 128  # side of the square patch around the hole, in pixels
GLOBAL_DISCRIMINATOR_SIZE = 256  # side to which the whole photo is rescaled, in pixels


def size_divisor(layers: tuple[Layer, ...] = COMPLETION_NETWORK) -> int:
    """The number that a photo's sides must be multiples of: 4 for the completion network, halved twice inside."""
    divisor = 1
    for layer in layers:
        if layer.stride > 1:
            divisor *= int(layer.stride)
    return divisor


def without_dilation(layers: tuple[Layer, ...] = COMPLETION_NETWORK) -> tuple[Layer, ...]:
    """The same layers with every dilation set to 1: the comparison of the paper's section 3.2."""
    return tuple(Layer(x.number, x.kind, x.kernel, 1, x.stride, x.channels) for x in layers)
