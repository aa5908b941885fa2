"""The checks of lesson 02."""

import math
import random
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from glcic_lite.course.lesson_02.blur import blur_then_stride
from glcic_lite.course.shared.checks import NotYet, check, exercise, read_value


def _max_pool(photo: torch.Tensor, size: int, **options) -> torch.Tensor:
    return F.max_pool2d(photo[None, None], size, **options)[0, 0]


def _blocks(photo: torch.Tensor, size: int) -> torch.Tensor:
    return photo.reshape(photo.shape[0] // size, size, photo.shape[1] // size, size)


@exercise(
    1,
    _max_pool,
    [
        (lambda photo, size: F.avg_pool2d(photo[None, None], size)[0, 0], "that is the mean of each block."),
        (lambda photo, size: photo[::size, ::size], "that is the first pixel of each block."),
        (partial(_max_pool, stride=1), "the window moves by one pixel; it should move by its own size."),
        (lambda photo, size: _max_pool(photo, size).clamp(min=0),
         "the maximum is taken of the block and zero; the block's values may all be negative."),
        (lambda photo, size: photo.reshape(photo.shape[0] // size, size, -1, size).amax(dim=(0, 2)),
         "the maximum is taken over the blocks, for each place within a block; take it within each block."),
        (lambda photo, size: -F.max_pool2d(-photo[None, None], size)[0, 0], "that is the smallest of each block."),
        (lambda photo, size: photo.reshape(-1, size, photo.shape[1]).amax(dim=1),
         "the columns are pooled but the rows are not: a block is as wide as it is high."),
        (lambda photo, size: photo.reshape(photo.shape[0], -1, size).amax(dim=2),
         "the rows are pooled but the columns are not: a block is as high as it is wide."),
        (lambda photo, size: photo.reshape(size, -1, size, photo.shape[1] // size).amax(dim=(0, 2)),
         "`reshape` cuts rows in the order (block, row within the block): (H // size, size, ...)."),
        *((lambda photo, size, dims=dims: _blocks(photo, size).amax(dim=dims),
           "the maximum goes over the wrong two of the four dimensions (H // size, size, W // size, size): which two "
           "are inside a block?") for dims in ((0, 1), (0, 3), (1, 2), (2, 3))),
        (lambda photo, size: photo.max(), "that is the largest value of the whole photo; each block has its own."),
        (lambda photo, size: photo[size - 1 :: size, size - 1 :: size], "that is the last pixel of each block."),
        (lambda photo, size: photo[size // 2 :: size, size // 2 :: size], "that is one pixel in each block's middle."),
        (lambda photo, size: _max_pool(photo, size).T, "rows and columns are exchanged."),
        (lambda photo, size: _max_pool(photo.abs(), size), "the signs are lost before the maximum is taken."),
        (lambda photo, size: _blocks(photo, size).sum(dim=(1, 3)), "that is the sum of each block."),
        (lambda photo, size: _max_pool(photo, size).repeat_interleave(size, 0).repeat_interleave(size, 1),
         "every pixel has its block's maximum now; one number is left of each block."),
        (lambda photo, size: _blocks(photo, size).transpose(1, 2).flatten(2).argmax(dim=2),
         "that says where in its block the maximum stands; its value is asked for."),
    ],
    "It agrees with torch, negative numbers included.",
    without=dict(of_torch=".*max_pool.*"),
    say=lambda photo, size: f"a photo of shape {tuple(photo.shape)} and size {size}",
)  # fmt: skip
def max_pool():
    """`max_pool(photo, size)`, photo (H, W), against torch's max pooling with window and stride `size`."""
    for size, rows, columns in ((2, 3, 4), (2, 1, 1), (3, 2, 5), (4, 3, 2), (1, 4, 3)):
        # All negative: a pool that starts from zeros would be found out.
        yield dict(photo=-torch.rand(size * rows, size * columns) - 0.1, size=size)
    yield dict(photo=torch.randn(6, 8), size=2)


def _apart(channels: int, size: int, power: int = 2) -> torch.Tensor:
    """Each channel by itself, with equal weights: their sum is 1 for power 2."""
    return torch.eye(channels).view(channels, channels, 1, 1).expand(-1, -1, size, size) / size**power


@exercise(
    2,
    _apart,
    [
        (lambda channels, size: torch.full((channels, channels, size, size), 1 / size**2),
         "every output channel adds up all input channels; pooling keeps channels apart."),
        (lambda channels, size: torch.full((channels, channels, size, size), 1 / (channels * size**2)),
         "every output channel is the mean over all channels; pooling keeps channels apart."),
        (lambda channels, size: F.pad(torch.eye(channels)[..., None, None], [0, size - 1] * 2),
         "that keeps the first pixel of each block; a mean takes them all."),
        (lambda channels, size: _apart(channels, size) / channels,
         "each channel is pooled by itself, so the number of channels does not come into it."),
        (partial(_apart, power=0), "that is the sum of each block, not its mean."),
        (partial(_apart, power=1), "a block has size × size pixels."),
        (lambda channels, size: torch.full((channels, 1, size, size), 1 / size**2),
         "that is the shape for `groups=channels`; here a full (out, in, size, size) is asked for."),
        (lambda channels, size: torch.ones(channels, channels, size, size),
         "all weights are 1: those of an output channel add up to 1, and it reads its own input channel alone."),
        (lambda channels, size: torch.eye(size).expand(channels, channels, size, size) / size,
         "the weights stand on the diagonal of the kernel; it is channels that are kept apart, and every tap counts."),
        (lambda channels, size: size * _apart(channels, size) * torch.eye(size),
         "the channels are right, but only the taps on the kernel's diagonal have a weight; a mean takes every tap."),
        (lambda channels, size: _apart(1, size), "one channel only: the shape is (channels, channels, size, size)."),
        (lambda channels, size: _apart(channels, size).permute(2, 3, 0, 1),
         "the order of the dimensions: the channels come first, out and in, then the taps."),
        (lambda channels, size: 1 / size**2 - _apart(channels, size),
         "every output channel reads all channels but its own."),
        (lambda channels, size: 0 * _apart(channels, size),
         "everything is zero. Is a whole number divided with `//`, or are the weights integers?"),
    ],
    "Convolved with your weights, photos come out average-pooled.",
)  # fmt: skip
def average_weights():
    """`average_weights(channels, size)`: a convolution of stride `size` with these weights is average pooling."""
    for channels, size in ((1, 2), (3, 2), (4, 3), (2, 4), (5, 1)):
        yield dict(channels=channels, size=size)


def _two_blocks(pair) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = (torch.as_tensor(block, dtype=torch.double) for block in pair)
    return x, y


@check("Exercise 3")
def not_linear(pair) -> str:
    """A pair of 2 × 2 blocks x, y that shows max pooling to be no convolution: max(x) + max(y) is not max(x + y)."""
    x, y = read_value(
        pair,
        _two_blocks,
        "A pair of blocks is expected: `([[1, 2], [3, 4]], [[5, 6], [7, 8]])` has the right form.",
    )
    for name, block in (("first", x), ("second", y)):
        if block.shape != (2, 2):
            raise NotYet(f"The {name} block has shape {tuple(block.shape)}; 2 × 2 is expected.")
        if not torch.isfinite(block).all():
            raise NotYet(f"The {name} block contains a value that is not a finite number.")
    one_by_one, together = float(x.max() + y.max()), float((x + y).max())
    if not math.isfinite(one_by_one):
        raise NotYet("The numbers are so large that their sum is infinite.")
    if one_by_one == together:
        raise NotYet(
            f"Pooled one by one and then added: {one_by_one:g}. Added first and then pooled: {together:g}. "
            "These are equal, so this pair proves nothing"
            + (": both maxima stand at the same place." if ((x == x.max()) & (y == y.max())).any() else ".")
        )
    return (
        f"One by one: {one_by_one:g}; added first: {together:g}. A convolution (without bias) gives the same both "
        "ways, so no convolution is max pooling."
    )


def _from_the_photo(layers, height, width) -> int:
    """Every layer's stride divides the photo's own size, as if no layer came before it."""
    return sum(k * k * ins * outs * (height // s) * (width // s) for k, s, ins, outs in layers)


def _counted(each: Callable, power: int = 2) -> Callable:
    """Counts by another price of an output pixel, given kernel, input and output channels."""

    def count(layers, height, width):
        pixels, total = height * width, 0
        for kernel, stride, ins, outs in layers:
            pixels //= stride**power
            total += each(kernel, ins, outs) * pixels
        return total

    return count


def _multiplications(layers, height, width, square=True, channels=True, before=1, after=0) -> int:
    """Counted; a layer's stride takes effect before it, or by mistake after it (or never)."""
    total = 0
    for kernel, stride, ins, outs in layers:
        height, width = height // stride**before, width // stride**before
        total += (kernel * kernel if square else kernel) * (ins * outs if channels else outs) * height * width
        height, width = height // stride**after, width // stride**after
    return total


@exercise(
    4,
    _multiplications,
    [
        (partial(_multiplications, before=0, after=1),
         "a stride shrinks its own layer's output already, and only output pixels are computed."),
        (partial(_multiplications, before=0), "after a stride of 2 there are a quarter as many pixels."),
        (_from_the_photo,
         "each stride divides the photo's size; it divides what the strides before it have left: they multiply up."),
        (lambda layers, height, width: _multiplications([(k, s * s, i, o) for k, s, i, o in layers], height, width),
         "a stride of 2 halves each side; yours quarters it."),
        (lambda layers, height, width: sum(_multiplications([(*layer,)], height, width, before=0) for layer in layers),
         "after a stride of 2 there are a quarter as many pixels."),
        (partial(_multiplications, square=False), "a kernel has kernel × kernel taps."),
        (partial(_multiplications, channels=False), "every output channel reads every input channel."),
        (_counted(lambda k, i, o: k * k * i), "the output channels are missing: each one is computed."),
        (_counted(lambda k, i, o: k * k * (i + o)), "input and output channels are multiplied, not added."),
        (_counted(lambda k, i, o: (k * k * i + 1) * o), "a bias is added; it multiplies nothing."),
        (_counted(lambda k, i, o: 2 * k * k * i * o), "additions are counted too; multiplications only, please."),
        (_counted(lambda k, i, o: k * k * i * o, power=1),
         "a stride of 2 halves height *and* width: a quarter of the pixels is left."),
        (lambda layers, height, width: sum(k * k * i * o for k, _, i, o in layers),
         "these are the weights; each is used once for every output pixel."),
        (lambda layers, height, width: _multiplications(layers[:1], height, width),
         "only the first layer counts. Does the `return` stand inside the loop?"),
        (lambda layers, height, width: _multiplications(layers, height, width)
         - _multiplications(layers[:-1], height, width), "only the last layer counts; add them up."),
        (lambda layers, height, width: _multiplications(layers, height, height), "the photo is no square."),
        (lambda layers, height, width: _multiplications([(k, 1, i, o) for k, _, i, o in layers[:1]], height, width),
         "only the first layer counts, and its stride is not used."),
    ],
    "Counted correctly for {count} stacks.",
)  # fmt: skip
def multiplications():
    """`multiplications(layers, height, width)` of a stack of (kernel, stride, in, out) with padding that keeps size."""
    yield dict(layers=[(3, 1, 1, 1)], height=4, width=6)
    yield dict(layers=[(3, 2, 4, 8)], height=8, width=8)
    # Two strides, of which one comes after another layer: so each slip gives another number.
    yield dict(layers=[(3, 1, 2, 3), (5, 2, 3, 4), (3, 2, 4, 2), (1, 1, 2, 5)], height=16, width=24)
    yield dict(layers=[(3, 1, 2, 3), (5, 3, 3, 4)], height=9, width=12)
    for _ in range(12):
        layers, ins = [], random.choice([1, 3, 4])
        for _ in range(random.randint(1, 4)):
            outs = random.choice([2, 8, 16])
            layers.append((random.choice([1, 3, 5]), random.choice([1, 1, 2]), ins, outs))
            ins = outs
        yield dict(layers=layers, height=16 * random.randint(1, 4), width=16 * random.randint(1, 4))


def _binomial(
    photo: torch.Tensor, mode="reflect", scale=1.0, stride=2, down=(1.0, 2.0, 1.0), across=(1.0, 2.0, 1.0)
) -> torch.Tensor:
    channels = photo.shape[1]
    kernel = scale / 16 * torch.outer(torch.tensor(down), torch.tensor(across)).expand(channels, 1, 3, 3)
    return F.conv2d(F.pad(photo, [1] * 4, mode=mode), kernel, stride=stride, groups=channels)


@exercise(
    5,
    _binomial,
    [
        (partial(_binomial, mode="constant"),
         'the border is padded with zeros; `F.pad(..., mode="reflect")` mirrors it.'),
        (partial(_binomial, mode="replicate"), 'the border is repeated; `mode="reflect"` mirrors it.'),
        (partial(_binomial, scale=16), "the weights of a blur add up to 1."),
        (partial(_binomial, scale=4), "1 + 2 + 1 is 4 along one axis, and there are two axes."),
        (partial(_binomial, stride=1), "it is blurred, but not yet made smaller."),
        (lambda photo: photo[..., ::2, ::2], "it is made smaller, but not blurred before."),
        (partial(_binomial, down=(0.0, 4.0, 0.0)), "it is blurred along one axis only: across, but not down."),
        (partial(_binomial, across=(0.0, 4.0, 0.0)), "it is blurred along one axis only: down, but not across."),
        (partial(_binomial, down=(1.0, 1.0, 1.0), across=(1.0, 1.0, 1.0), scale=16 / 9),
         "all nine weights are equal; along each axis they are 1, 2, 1."),
        (lambda photo: _binomial(photo, stride=1)[..., 1::2, 1::2],
         "every second pixel is kept, but beginning with the second."),
        (lambda photo: _binomial(photo[..., ::2, ::2], stride=1), "it is blurred after it was made smaller."),
        (lambda photo: F.avg_pool2d(photo, 2), "that is average pooling, whose blur has two taps."),
        (lambda photo: blur_then_stride(photo, 2), "that is the course's own function, whose blur has five taps."),
        (partial(_binomial, mode="circular"), 'the border goes on at the opposite side; `mode="reflect"` mirrors it.'),
        (lambda photo: _binomial(photo)[..., 1:-1, 1:-1], "the border is not padded: mirror it by one pixel."),
        (lambda photo: _binomial(photo, stride=1)[..., 1:-1:2, 1:-1:2],
         "the border is not padded: mirror it by one pixel."),
        (lambda photo: _binomial(photo.sum(dim=1, keepdim=True)).expand(-1, photo.shape[1], -1, -1),
         "the channels are added up; each is blurred by itself (`groups=C`)."),
        (lambda photo: _binomial(photo.mean(dim=1, keepdim=True)).expand(-1, photo.shape[1], -1, -1),
         "the channels are averaged; each is blurred by itself (`groups=C`)."),
        (lambda photo: _binomial(photo.mean(dim=1, keepdim=True)), "one channel comes out; each is blurred by itself."),
        (lambda photo: _binomial(photo, stride=1)[..., 1::2, ::2], "the rows begin with the second."),
        (lambda photo: _binomial(photo, stride=1)[..., ::2, 1::2], "the columns begin with the second."),
        (lambda photo: _binomial(photo)[..., ::2], "the columns are made smaller twice: by the stride, and again."),
        (lambda photo: F.max_pool2d(photo, 2), "that is max pooling, and no blur."),
        (lambda photo: F.interpolate(photo, scale_factor=0.5, mode="bilinear", antialias=True),
         "that is torch's own way to make photos smaller, with other weights."),
    ],
    "Blurred, then made smaller.",
    say=lambda photo: f"a photo of shape {tuple(photo.shape)}",
)  # fmt: skip
def blur_pool():
    """`blur_pool(photo)`: 1-2-1 blur along both axes with reflected borders, then every second pixel."""
    for shape in ((1, 1, 8, 8), (2, 3, 6, 10), (1, 4, 12, 4), (1, 2, 7, 9)):
        yield dict(photo=torch.rand(shape))
