"""The checks of lesson 07."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from glcic_lite.course.shared.checks import (
    NotYet,
    Suspect,
    call,
    check,
    compare_tensors,
    expect_number,
    expect_tensor,
    old_likely_cause,
)
from glcic_lite.method.receptive_field import input_span, reach

UP, DOWN = reach()  # how far an output pixel sees up or left, and down or right


def _tensor(answer):
    """Arrays as tensors, for comparing; anything else as it is."""
    return torch.from_numpy(np.ascontiguousarray(answer)) if isinstance(answer, np.ndarray) else answer


def _to_multiple(photo: torch.Tensor, how: str = "edge", always: bool = False) -> torch.Tensor:
    pads = [(0, 4 - side % 4 if always else -side % 4) for side in photo.shape[:2]]
    return torch.from_numpy(np.pad(photo.numpy(), [*pads, (0, 0)], mode=how))


@check("Exercise 1")
def padded(padded: Callable) -> str:
    """`padded(photo)`, photo (H, W, 3) uint8: both sides multiples of 4, the last row and column repeated."""
    sizes = [(5, 7), (8, 12), (9, 8), (4, 6), (11, 13)]
    random.shuffle(sizes)
    cases, answers, wrong = [], [], None
    for number, size in enumerate(sizes):
        photo = torch.randint(1, 256, (*size, 3), dtype=torch.uint8)
        shown = f"a photo of shape {tuple(photo.shape)}"
        answer = _tensor(call(padded, photo.numpy(), shown=shown, first=number == 0))
        cases.append({"photo": photo})
        answers.append(answer)
        try:
            compare_tensors(answer, _to_multiple(photo), shown)
        except NotYet as difference:
            wrong = wrong or difference
    if wrong:
        suspects = [
            Suspect(lambda photo: _to_multiple(photo, "constant"),
                    "zeros are added: black bars that the network takes for known pixels."),
            Suspect(lambda photo: _to_multiple(photo, always=True),
                    "a side that is a multiple of 4 already needs nothing; yours gets four more."),
            Suspect(lambda photo: _to_multiple(photo, "reflect"), "the photo is mirrored at its border, not repeated."),
            Suspect(lambda photo: photo[: photo.shape[0] // 4 * 4, : photo.shape[1] // 4 * 4],
                    "the photo is cut down to a multiple of 4; those pixels would be lost."),
            Suspect(lambda photo: photo, "the photo is returned as it came."),
        ]  # fmt: skip
        raise NotYet(str(wrong) + old_likely_cause(cases, answers, suspects))
    return "Every size becomes a multiple of 4, and no pixel is lost."


def _pair(answer, shown: str) -> tuple[int, int]:
    try:
        first, last = answer
    except (TypeError, ValueError):
        raise NotYet(f"For {shown} a pair (first, end) is expected.") from None
    return int(expect_number(first, shown)), int(expect_number(last, shown))


def _hold_crop(first: int, end: int, start: int, stop: int, size: int, shown: str) -> None:
    """Raise `NotYet` unless pixels first to end - 1 are a good crop for output pixels start to stop - 1."""
    if first < 0 or end > size:
        raise NotYet(f"For {shown} your crop, {first} to {end}, reaches over the photo's border.")
    low, high = input_span(start, stop)
    for missing, which, how_far in ((first - max(low, 0), "first", UP), (min(high, size) - end, "last", DOWN)):
        if missing > 0:
            cause = ""
            if which == "last" and missing == 1:
                cause = " Is `stop` the last output pixel, or one past it, as in Python?"
            elif missing < 4:
                cause = " Is it rounded in the right direction? A crop may be larger than needed, never smaller."
            elif missing >= how_far - 4:
                cause = " Does it have any margin on that side?"
            raise NotYet(f"For {shown} your crop, {first} to {end}, lacks pixels at its {which} end: {missing}.{cause}")
    for edge, name in ((first, "begins"), (end, "ends")):
        if edge % 4:
            raise NotYet(
                f"For {shown} your crop {name} at {edge}, which is no multiple of 4: the strides would "
                "skip other pixels than in the whole photo."
            )
    if first < max(start - UP - 3, 0) or end > min(stop + DOWN + 3, size):
        raise NotYet(
            f"For {shown} your crop, {first} to {end}, is right, but larger than it need be: an output pixel "
            f"sees {UP} px to one side and {DOWN} to the other."
        )


@check("Exercise 2")
def crop(crop: Callable) -> str:
    """`crop(start, stop, size)`: (first, end) of the input pixels for output pixels start to stop - 1, one axis."""
    cases = [(400, 500, 1000), (401, 402, 1000), (0, 100, 1000), (950, 1000, 1000), (0, 64, 64)]
    for _ in range(60):
        size = 4 * random.randint(50, 400)
        start = random.randint(0, size - 1)
        cases.append((start, random.randint(start + 1, size), size))
    for number, (start, stop, size) in enumerate(cases):
        shown = f"start={start}, stop={stop}, size={size}"
        first, end = _pair(call(crop, start, stop, size, shown=shown, first=number == 0), shown)
        _hold_crop(first, end, start, stop, size, shown)
    return f"On {len(cases)} holes your crop holds all that the network looks at, and hardly more."


def _folded(weight, bias, mean, variance, gamma, beta, eps, root=True, use_eps=True, axis=0):
    scale = variance + (eps if use_eps else 0)
    scale = gamma / (scale.sqrt() if root else scale)
    shape = [1, 1, 1, 1]
    shape[axis] = -1
    return weight * scale.view(shape), (bias - mean) * scale + beta


@check("Exercise 4")
def fold(fold: Callable) -> str:
    """`fold(weight, bias, mean, variance, gamma, beta, eps)`: (weight, bias) of one convolution for both steps."""
    cases, answers, wrong = [], [], None
    for number in range(4):
        channels = random.choice([3, 4, 5])
        weight, bias = torch.randn(channels, channels, 3, 3), torch.randn(channels)
        mean, variance = torch.randn(channels), torch.rand(channels) + 0.2
        gamma, beta, eps = torch.rand(channels) + 0.5, torch.randn(channels), random.choice([0.1, 0.3])
        case = dict(weight=weight, bias=bias, mean=mean, variance=variance, gamma=gamma, beta=beta, eps=eps)
        shown = f"a weight of shape {tuple(weight.shape)} and eps={eps}"
        answer = call(fold, *case.values(), shown=shown, first=number == 0)
        try:
            new_weight, new_bias = answer
        except (TypeError, ValueError):
            raise NotYet(f"For {shown} a pair (weight, bias) is expected.") from None
        new_weight, new_bias = expect_tensor(new_weight, weight, shown), expect_tensor(new_bias, bias, shown)
        photo = torch.randn(2, channels, 9, 8)
        expected = F.batch_norm(F.conv2d(photo, weight, bias), mean, variance, gamma, beta, eps=eps)
        cases.append(case)
        answers.append(torch.cat([new_weight.flatten(), new_bias]))
        try:
            compare_tensors(F.conv2d(photo, new_weight, new_bias), expected, shown, tolerance=1e-3)
        except NotYet as difference:
            wrong = wrong or difference
    if wrong:

        def variant(change: Callable) -> Callable:
            return lambda **case: torch.cat([part.flatten() for part in change(**case)])

        suspects = [
            Suspect(variant(lambda **c: (_folded(**c)[0], c["bias"])), "the bias is left as it was."),
            Suspect(variant(lambda **c: (_folded(**c)[0], c["bias"] - c["mean"] + c["beta"])),
                    "the bias goes through the normalisation too, so it is scaled like the weights."),
            Suspect(variant(lambda **c: (_folded(**c)[0], _folded(**c)[1] - c["beta"])), "beta is left out."),
            Suspect(variant(lambda **c: _folded(**c, root=False)), "divide by the square root of the variance."),
            Suspect(variant(lambda **c: _folded(**c, use_eps=False)), "eps is left out; it is added to the variance."),
            Suspect(variant(lambda **c: _folded(**c, axis=1)),
                    "the normalisation is one of output channels: those are the first axis of the weight."),
        ]  # fmt: skip
        raise NotYet("What comes out differs. " + str(wrong) + old_likely_cause(cases, answers, suspects))
    return "One convolution now does what convolution and batch normalisation did."


@check("Exercise 3")
def tiles(tiles: Callable) -> str:
    """`tiles(size, tile)`: a list of (start, stop, first, end), targets and the crops for them, along one axis."""
    cases = [(1000, 256), (768, 256), (100, 256), (2048, 500), (520, 260), (1004, 4)]
    for number, (size, tile) in enumerate(cases):
        shown = f"size={size}, tile={tile}"
        answer = call(tiles, size, tile, shown=shown, first=number == 0)
        if isinstance(answer, list | np.ndarray):
            answer = [t.tolist() if isinstance(t, np.ndarray) else t for t in answer]
        if not isinstance(answer, Sequence) or any(not isinstance(t, Sequence) or len(t) != 4 for t in answer):
            raise NotYet(f"For {shown} a list of (start, stop, first, end) is expected.")
        reached = 0
        for start, stop, first, end in answer:
            if start != reached:
                kind = "left out" if start > reached else "painted twice"
                raise NotYet(
                    f"For {shown} a target begins at {start}, the one before ended at {reached}: pixels {kind}."
                )
            if stop <= start:
                raise NotYet(f"For {shown} the target {start} to {stop} is empty.")
            if stop - start > tile:
                raise NotYet(f"For {shown} the target {start} to {stop} is larger than a tile.")
            if stop > size:
                raise NotYet(f"For {shown} the target {start} to {stop} reaches over the photo's border.")
            _hold_crop(first, end, start, stop, size, f"{shown}, the target {start} to {stop}")
            reached = stop
        if reached != size:
            raise NotYet(f"For {shown} the targets end at {reached}: the rest of the photo is left out.")
        if len(answer) > -(-size // tile):
            raise NotYet(f"For {shown} there are {len(answer)} tiles; fewer do, and each margin costs time.")
    return "The tiles fill the photo without a gap, and each sees all it needs."


def _relaxed(values: np.ndarray, mask: np.ndarray, four: bool = False, wrap: bool = False, everywhere: bool = False):
    height, width = mask.shape
    total, count = np.zeros_like(values), np.zeros(mask.shape)
    for down, across in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        rows, columns = np.indices(mask.shape)
        rows, columns = rows + down, columns + across
        inside = np.ones_like(mask) if wrap else (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        total += np.where(inside, values[rows % height, columns % width], 0)
        count += inside
    return np.where(mask | everywhere, total / (4 if four else count), values)


def _in_place(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    values = values.copy()
    for row, column in zip(*np.nonzero(mask), strict=True):
        around = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        inside = [values[y, x] for y, x in around if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]]
        values[row, column] = np.mean(inside)
    return values


@check("Exercise 5")
def relax(relax: Callable) -> str:
    """`relax(values, mask)`: every hole pixel the mean of its old neighbours inside the photo, the others kept."""
    cases, answers, wrong = [], [], None
    for number, (height, width, share) in enumerate([(6, 7, 0.4), (5, 5, 0.8), (1, 8, 0.5), (9, 4, 0.6)]):
        values = np.random.uniform(0, 255, (height, width))
        mask = np.random.random((height, width)) < share
        mask[0, 0], mask[-1, -1] = True, False  # a corner, and something known
        if number == 0:
            mask[2:4, 2:5] = True
        shown = f"values of shape {values.shape} and {mask.sum()} hole pixels"
        answer = _tensor(call(relax, values, mask, shown=shown, first=number == 0))
        cases.append(dict(values=values, mask=mask))
        answers.append(answer)
        try:
            compare_tensors(answer, torch.from_numpy(_relaxed(values, mask)), shown)
        except NotYet as difference:
            wrong = wrong or difference
    if wrong:
        suspects = [
            Suspect(lambda **c: torch.from_numpy(_in_place(**c)),
                    "some neighbours are new already: read from the old values, write into a copy."),
            Suspect(lambda **c: torch.from_numpy(_relaxed(**c, four=True)),
                    "at the photo's border a pixel has fewer than four neighbours to divide by."),
            Suspect(lambda **c: torch.from_numpy(_relaxed(**c, wrap=True)),
                    "at the photo's border the neighbours come from the opposite side (`np.roll` does that)."),
            Suspect(lambda **c: torch.from_numpy(_relaxed(**c, everywhere=True)), "known pixels change too."),
            Suspect(lambda values, mask: torch.from_numpy(values), "nothing is changed."),
        ]  # fmt: skip
        raise NotYet(str(wrong) + old_likely_cause(cases, answers, suspects))
    return "Repeated long enough, this solves Laplace's equation."
