"""The checks of lesson 02."""

import random
from functools import partial

import torch
import torch.nn.functional as F

from glcic_lite.course.lesson_02.blur import blur_then_stride
from glcic_lite.course.shared.checks import NotYet, check, exercise, read_value


def _max_pool(photo: torch.Tensor, size: int, **options) -> torch.Tensor:
    return F.max_pool2d(photo[None, None], size, **options)[0, 0]


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
    if abs(one_by_one - together) < 1e-9:
        raise NotYet(
            f"Pooled one by one and then added: {one_by_one:g}. Added first and then pooled: {together:g}. "
            "These are equal, so this pair proves nothing: both maxima stand at the same place."
        )
    return (
        f"One by one: {one_by_one:g}; added first: {together:g}. A convolution (without bias) gives the same both "
        "ways, so no convolution is max pooling."
    )


def _from_the_photo(layers, height, width) -> int:
    """Every layer's stride divides the photo's own size, as if no layer came before it."""
    return sum(k * k * ins * outs * (height // s) * (width // s) for k, s, ins, outs in layers)


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
    ],
    "Counted correctly for {count} random stacks.",
)  # fmt: skip
def multiplications():
    """`multiplications(layers, height, width)` of a stack of (kernel, stride, in, out) with padding that keeps size."""
    yield dict(layers=[(3, 1, 1, 1)], height=4, width=6)
    yield dict(layers=[(3, 2, 4, 8)], height=8, width=8)
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
    ],
    "Blurred, then made smaller.",
    say=lambda photo: f"a photo of shape {tuple(photo.shape)}",
)  # fmt: skip
def blur_pool():
    """`blur_pool(photo)`: 1-2-1 blur along both axes with reflected borders, then every second pixel."""
    for shape in ((1, 1, 8, 8), (2, 3, 6, 10), (1, 4, 12, 4)):
        yield dict(photo=torch.rand(shape))
