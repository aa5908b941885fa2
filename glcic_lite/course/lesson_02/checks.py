"""The checks of lesson 02."""

import random
from collections.abc import Callable

import torch
import torch.nn.functional as F

from glcic_lite.course.lesson_02.downsampling import blur_pool as _blur_pool
from glcic_lite.course.shared.checks import (
    NotAttempted,
    NotYet,
    Suspect,
    call,
    check,
    compare_tensors,
    expect_tensor,
    likely_cause,
    try_numbers,
    try_tensors,
)


@check("Exercise 1")
def max_pool(max_pool: Callable) -> str:
    """`max_pool(photo, size)`, photo (H, W), against torch's max pooling with window and stride `size`."""
    # All negative: a pool that starts from zeros would be found out.
    cases = [
        dict(photo=-torch.rand(size * rows, size * columns) - 0.1, size=size)
        for size, rows, columns in [(2, 3, 4), (2, 1, 1), (3, 2, 5), (4, 3, 2), (1, 4, 3)]
    ]
    suspects = [
        Suspect(lambda photo, size: F.avg_pool2d(photo[None, None], size)[0, 0],
                "that is the mean of each block."),
        Suspect(lambda photo, size: photo[::size, ::size], "that is the first pixel of each block."),
        Suspect(lambda photo, size: F.max_pool2d(photo[None, None], size, stride=1)[0, 0],
                "the window moves by one pixel; it should move by its own size."),
        Suspect(lambda photo, size: F.max_pool2d(photo[None, None], size)[0, 0].clamp(min=0),
                "the maximum is taken of the block and zero; the block's values may all be negative."),
        Suspect(lambda photo, size: photo.reshape(size, -1, size, photo.shape[1] // size).amax(dim=(0, 2)),
                "`reshape` cuts rows in the order (block, row within the block): (H // size, size, ...)."),
    ]  # fmt: skip
    try_tensors(
        max_pool,
        cases,
        lambda photo, size: F.max_pool2d(photo[None, None], size)[0, 0],
        suspects,
        lambda photo, size: f"a photo of shape {tuple(photo.shape)} and size {size}",
    )
    return "It agrees with torch, negative numbers included."


@check("Exercise 2")
def average_weights(average_weights: Callable) -> str:
    """`average_weights(channels, size)`: a convolution of stride `size` with these weights is average pooling."""
    cases, answers, wrong = [], [], None
    for number, (channels, size) in enumerate([(1, 2), (3, 2), (4, 3), (2, 4), (5, 1)]):
        shown = f"channels={channels}, size={size}"
        answer = call(average_weights, channels, size, shown=shown, first=number == 0)
        cases.append(dict(channels=channels, size=size))
        answers.append(answer)
        photo = torch.rand(1, channels, 4 * size, 3 * size)
        try:
            shape = torch.zeros(channels, channels, size, size)
            pooled = F.conv2d(photo, expect_tensor(answer, shape, shown), stride=size)
            compare_tensors(pooled, F.avg_pool2d(photo, size), f"{shown}: a random photo convolved with your weights,")
        except NotYet as difference:
            wrong = wrong or difference
    if wrong:

        def diagonal(channels, size, value):
            return torch.eye(channels).view(channels, channels, 1, 1).expand(-1, -1, size, size) * value

        suspects = [
            Suspect(lambda channels, size: torch.full((channels, channels, size, size), 1 / size**2),
                    "every output channel adds up all input channels; pooling keeps channels apart."),
            Suspect(lambda channels, size: torch.full((channels, channels, size, size), 1 / (channels * size**2)),
                    "every output channel is the mean over all channels; pooling keeps channels apart."),
            Suspect(lambda channels, size: diagonal(channels, size, 1.0),
                    "that is the sum of each block, not its mean."),
            Suspect(lambda channels, size: diagonal(channels, size, 1 / size),
                    "a block has size × size pixels."),
            Suspect(lambda channels, size: torch.full((channels, 1, size, size), 1 / size**2),
                    "that is the shape for `groups=channels`; here a full (out, in, size, size) is asked for."),
        ]  # fmt: skip
        raise NotYet(str(wrong) + likely_cause(cases, answers, suspects))
    return "Convolved with your weights, random photos come out average-pooled."


@check("Exercise 3")
def not_linear(pair) -> str:
    """A pair of 2 × 2 blocks x, y that shows max pooling to be no convolution: max(x) + max(y) is not max(x + y)."""
    if pair is None or pair is ...:
        raise NotAttempted("Put your answer in place of `None`, then run this cell again.")
    try:
        x, y = (torch.as_tensor(block, dtype=torch.double) for block in pair)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(
            "A pair of blocks is expected: `([[1, 2], [3, 4]], [[5, 6], [7, 8]])` has the right form."
        ) from None
    for name, block in (("first", x), ("second", y)):
        if block.shape != (2, 2):
            raise NotYet(f"The {name} block has shape {tuple(block.shape)}; 2 × 2 is expected.")
        if not torch.isfinite(block).all():
            raise NotYet(f"The {name} block holds something that is no finite number.")
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


@check("Exercise 4")
def multiplications(multiplications: Callable) -> str:
    """`multiplications(layers, height, width)` of a stack of (kernel, stride, in, out) with padding that keeps size."""
    cases = [dict(layers=[(3, 1, 1, 1)], height=4, width=6), dict(layers=[(3, 2, 4, 8)], height=8, width=8)]
    for _ in range(12):
        layers, ins = [], random.choice([1, 3, 4])
        for _ in range(random.randint(1, 4)):
            outs = random.choice([2, 8, 16])
            layers.append((random.choice([1, 3, 5]), random.choice([1, 1, 2]), ins, outs))
            ins = outs
        cases.append(dict(layers=layers, height=16 * random.randint(1, 4), width=16 * random.randint(1, 4)))

    def counted(layers, height, width, square=True, channels=True, stride_first=True, shrink=True):
        total = 0
        for kernel, stride, ins, outs in layers:
            if stride_first and shrink:
                height, width = height // stride, width // stride
            taps = kernel * kernel if square else kernel
            total += taps * (ins * outs if channels else outs) * height * width
            if not stride_first and shrink:
                height, width = height // stride, width // stride
        return total

    suspects = [
        Suspect(lambda **case: counted(**case, stride_first=False),
                "a stride shrinks its own layer's output already, and only output pixels are computed."),
        Suspect(lambda **case: counted(**case, shrink=False),
                "after a stride of 2 there are a quarter as many pixels."),
        Suspect(lambda **case: counted(**case, square=False), "a kernel has kernel × kernel taps."),
        Suspect(lambda **case: counted(**case, channels=False), "every output channel reads every input channel."),
    ]  # fmt: skip
    try_numbers(multiplications, cases, counted, suspects)
    return f"Counted right for {len(cases)} random stacks."


@check("Exercise 5")
def blur_pool(blur_pool: Callable) -> str:
    """`blur_pool(photo)`: 1-2-1 blur along both axes with reflected borders, then every second pixel."""
    taps = torch.tensor([1.0, 2.0, 1.0])
    kernel = torch.outer(taps, taps) / 16

    def expected_of(photo, mode="reflect", scale=1.0, stride=2, blurred=True):
        if not blurred:
            return photo[..., ::2, ::2]
        channels = photo.shape[1]
        padded = F.pad(photo, [1] * 4, mode=mode)
        return F.conv2d(padded, kernel.expand(channels, 1, 3, 3) * scale, stride=stride, groups=channels)

    cases = [dict(photo=torch.rand(shape)) for shape in [(1, 1, 8, 8), (2, 3, 6, 10), (1, 4, 12, 4)]]
    suspects = [
        Suspect(lambda photo: expected_of(photo, mode="constant"),
                "the border is padded with zeros; `F.pad(..., mode=\"reflect\")` mirrors it."),
        Suspect(lambda photo: expected_of(photo, mode="replicate"),
                "the border is repeated; `mode=\"reflect\"` mirrors it."),
        Suspect(lambda photo: expected_of(photo, scale=16.0), "the weights of a blur add up to 1."),
        Suspect(lambda photo: expected_of(photo, scale=4.0),
                "1 + 2 + 1 is 4 along one axis, and there are two axes."),
        Suspect(lambda photo: expected_of(photo, stride=1), "it is blurred, but not yet made smaller."),
        Suspect(lambda photo: expected_of(photo, blurred=False), "it is made smaller, but not blurred before."),
        Suspect(lambda photo: F.avg_pool2d(photo, 2), "that is average pooling, whose blur has two taps."),
        Suspect(lambda photo: _blur_pool(photo, 2), "that is the course's own function, whose blur has five taps."),
    ]  # fmt: skip
    try_tensors(blur_pool, cases, expected_of, suspects, lambda photo: f"a photo of shape {tuple(photo.shape)}")
    return "Blurred, then made smaller."
