"""The checks of lesson 07."""

import random
from functools import partial

import numpy as np
import torch
from scipy import ndimage

from glcic_lite.course.shared.checks import NotYet, exercise, read_as, whole
from glcic_lite.method.masks import Box
from glcic_lite.method.receptive_field import reach
from glcic_lite.speed.crops import seen_by

UP, DOWN = reach()  # how far an output pixel sees up or left, and down or right


def _to_multiple(photo: np.ndarray, how: str = "edge", always: bool = False) -> torch.Tensor:
    pads = [(0, 4 - side % 4 if always else -side % 4) for side in photo.shape[:2]]
    return torch.from_numpy(np.pad(photo, [*pads, (0, 0)], mode=how))


@exercise(
    1,
    _to_multiple,
    [
        (partial(_to_multiple, how="constant"), "zeros are added: black bars that the network takes for known pixels."),
        (partial(_to_multiple, always=True),
         "a side that is a multiple of 4 already needs nothing; yours gets four more."),
        (partial(_to_multiple, how="reflect"), "the photo is mirrored at its border, not repeated."),
        (lambda photo: photo[: photo.shape[0] // 4 * 4, : photo.shape[1] // 4 * 4],
         "the photo is cut down to a multiple of 4; those pixels would be lost."),
        (lambda photo: photo, "the photo is returned as it came."),
        (lambda photo: _to_multiple(np.pad(photo, [(-side % 4, 0) for side in photo.shape[:2]] + [(0, 0)], "edge")),
         "the rows and columns are added at the upper left; they belong at the lower right, where no pixel moves."),
        (lambda photo: _to_multiple(photo, how="wrap"), "the photo begins anew at its border; repeat the last pixel."),
        (partial(_to_multiple, how="mean"), "the mean is added; repeat the last pixel."),
        (lambda photo: _to_multiple(photo)[:, : photo.shape[1]], "the rows are added, the columns are not."),
        (lambda photo: _to_multiple(photo).transpose(0, 1), "rows and columns are exchanged."),
        (lambda photo: _to_multiple(photo) / 255, "the values are divided by 255; the photo's stay as they are."),
        (lambda photo: torch.from_numpy(
            np.pad(photo, [(0, photo.shape[0] % 4), (0, photo.shape[1] % 4), (0, 0)], "edge")),
         "`side % 4` says how much there is too much; `-side % 4` says how much is missing."),
        (lambda photo: torch.from_numpy(
            np.pad(photo, [(0, -photo.shape[0] % 8), (0, -photo.shape[1] % 8), (0, 0)], "edge")),
         "the sides are multiples of 8 now; 4 is enough."),
        (lambda photo: _to_multiple(photo.swapaxes(0, 1)).swapaxes(0, 1)[: photo.shape[0]],
         "the columns are added, the rows are not."),
    ],
    "Every size becomes a multiple of 4, and no pixel is lost.",
    without=dict(functions=(np.pad,)),
    say=lambda photo: f"a photo of shape {photo.shape}",
)  # fmt: skip
def padded():
    """`padded(photo)`, photo (H, W, 3) uint8: both sides multiples of 4, the last row and column repeated."""
    sizes = [(5, 7), (8, 12), (9, 8), (4, 6), (11, 13)]
    random.shuffle(sizes)
    for size in sizes:
        yield dict(photo=np.random.randint(1, 256, (*size, 3), dtype=np.uint8))


def _two(answer) -> tuple[int, int]:
    first, end = answer
    return whole(first), whole(end)


def _check_crop(crop: tuple[int, int], case: tuple[int, int, int], shown: str) -> None:
    """Raise `NotYet` unless a crop (first, end) is a good one for output pixels (start, stop) of a row of (size)."""
    (first, end), (start, stop, size) = crop, case
    if first < 0 or end > size:
        raise NotYet(f"For {shown} your crop, {first} to {end}, reaches over the photo's border.")
    exact = seen_by(Box(start, 0, stop, 1), (4, size))
    if (first, end) == (exact.left, exact.right):  # what just these pixels see: up to 4 px less than any pixel may
        return
    low, high = start - UP, stop + DOWN
    for missing, which, how_far in ((first - max(low, 0), "first", UP), (min(high, size) - end, "last", DOWN)):
        if missing > 0:
            cause = ""
            if which == "last" and missing == 1:
                cause = " Is `stop` the last output pixel, or one past it, as in Python?"
            elif missing < 4:
                cause = f" Are there {how_far} px on this side, and are they rounded outwards, not inwards?"
            elif missing >= how_far - 4:
                cause = " Does it have any margin on that side?"
            raise NotYet(
                f"For {shown} your crop, {first} to {end}, lacks pixels at its {which} end that the task asks for: "
                f"{missing}.{cause}"
            )
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


@exercise(
    2,
    lambda *, start, stop, size: (start, stop, size),  # many crops are right: each is held to what its case asks for
    praise="On {count} holes your crop contains all that the network looks at, and hardly more.",
    read=read_as(_two, "a pair (first, end) is"),
    compare=_check_crop,
)
def crop():
    """`crop(start, stop, size)`: (first, end) of the input pixels for output pixels start to stop - 1, one axis."""
    for start, stop, size in (
        (400, 500, 1000),
        (400, 503, 1000),
        (401, 402, 1000),
        (0, 100, 1000),
        (950, 1000, 1000),
        (0, 64, 64),
    ):
        yield dict(start=start, stop=stop, size=size)
    for _ in range(60):
        size = 4 * random.randint(50, 400)
        start = random.randint(0, size - 1)
        yield dict(start=start, stop=random.randint(start + 1, size), size=size)


def _folded(weight, bias, mean, variance, gamma, beta, eps, root=True, axis=0) -> tuple[torch.Tensor, torch.Tensor]:
    scale = gamma / ((variance + eps).sqrt() if root else variance + eps)
    shape = [1, 1, 1, 1]
    shape[axis] = -1
    return weight * scale.view(shape), (bias - mean) * scale + beta


@exercise(
    4,
    _folded,
    [
        (lambda w, b, *rest: (_folded(w, b, *rest)[0], b), "the bias is left as it was."),
        (lambda w, b, mean, v, g, beta, eps: (_folded(w, b, mean, v, g, beta, eps)[0], b - mean + beta),
         "the bias goes through the normalisation too, so it is scaled like the weights."),
        (lambda w, b, mean, v, g, beta, eps: _folded(w, b, mean, v, g, 0 * beta, eps), "beta is left out."),
        (lambda w, b, *rest: (_folded(w, b, *rest)[0], _folded(w, 0 * b, *rest)[1]),
         "the convolution's own bias is dropped: it goes through the normalisation, too."),
        (lambda w, b, mean, *rest: _folded(w, b, 0 * mean, *rest),
         "the mean is dropped: the normalisation subtracts it before it scales."),
        (lambda w, b, mean, v, g, beta, eps: (_folded(w, b, mean, v, g, beta, eps)[0],
                                             _folded(w, b, 0 * mean, v, g, beta, eps)[1] - mean),
         "the mean is subtracted after the scaling; it is subtracted before, so it is scaled as well."),
        (lambda w, b, mean, *rest: _folded(w, b, -mean, *rest), "the mean is added, not subtracted."),
        (lambda w, b, mean, v, g, beta, eps: _folded(w, b, mean, v, torch.ones_like(g), beta, eps),
         "gamma is left out."),
        (lambda w, b, *rest: (w, _folded(w, b, *rest)[1]), "the weight is left as it was."),
        (lambda w, b, *rest: (w, b), "weight and bias are left as they were."),
        (lambda w, b, mean, v, g, beta, eps: (
            _folded(w, b, mean, v, g, beta, eps)[0], (b - mean + beta) * g / (v + eps).sqrt()),
         "beta is scaled, too; it is added after the scaling."),
        (lambda w, b, mean, v, g, beta, eps: (
            _folded(w, b, mean, v, g, beta, eps)[0], (b - mean) / (v + eps).sqrt() + beta),
         "gamma is left out of the bias."),
        (lambda w, b, mean, v, g, beta, eps: (_folded(w, b, mean, v, g, beta, eps)[0], b + beta),
         "the bias goes through the normalisation too: it is shifted and scaled like z."),
        (lambda w, b, mean, v, g, beta, eps: _folded(w, b, mean, v, g, -beta, eps), "beta is subtracted; it is added."),
        (lambda w, b, mean, v, g, beta, eps: (
            _folded(w, b, mean, v, g, beta, eps)[0], (mean - b) * g / (v + eps).sqrt() + beta),
         "the sign: the bias minus the mean."),
        (lambda w, b, mean, v, g, beta, eps: _folded(w, b, mean, 1 / (v + eps) - eps, g, beta, eps),
         "it is multiplied by the standard deviation; divide."),
        (lambda w, b, mean, v, g, beta, eps: (
            _folded(w - mean.view(-1, 1, 1, 1), b, mean, v, g, beta, eps)[0],
            _folded(w, b, 0 * mean, v, g, beta, eps)[1]),
         "the mean is subtracted from the weights; it is a constant, so it belongs to the bias."),
        (lambda w, b, mean, v, g, beta, eps: _folded(w, b, mean, v.sqrt(), g, beta, eps, root=False),
         "eps is added to the standard deviation; it is added to the variance, under the root."),
        (partial(_folded, root=False), "divide by the square root of the variance."),
        (lambda *case: _folded(*case[:-1], 0), "eps is left out; it is added to the variance."),
        (partial(_folded, axis=1),
         "the normalisation is one of output channels: those are the first axis of the weight."),
    ],
    "One convolution now does what convolution and batch normalisation did.",
    parts=("the new weight", "the new bias"),
    tolerance=1e-3,
    say=lambda weight, eps, **rest: f"a weight of shape {tuple(weight.shape)} and eps={eps}",
)  # fmt: skip
def fold():
    """`fold(weight, bias, mean, variance, gamma, beta, eps)`: (weight, bias) of one convolution for both steps."""
    for _ in range(4):
        channels = random.choice([3, 4, 5])
        bias, mean, beta = torch.randn(3, channels)
        variance, gamma = torch.rand(channels) + 0.2, torch.rand(channels) + 0.5
        gamma[0] *= -1
        weight, eps = torch.randn(channels, channels, 3, 3), random.choice([0.1, 0.3])
        yield dict(weight=weight, bias=bias, mean=mean, variance=variance, gamma=gamma, beta=beta, eps=eps)


def _four_each(answer) -> list[tuple[int, int, int, int]]:
    return [(whole(start), whole(stop), whole(first), whole(end)) for start, stop, first, end in answer]


def _check_tiles(tiles: list[tuple[int, int, int, int]], case: tuple[int, int], shown: str) -> None:
    (size, tile), reached = case, 0
    for start, stop, first, end in tiles:
        if start != reached:
            kind = "left out" if start > reached else "painted twice"
            raise NotYet(f"For {shown} a target begins at {start}, the one before ended at {reached}: pixels {kind}.")
        if stop <= start:
            raise NotYet(f"For {shown} the target {start} to {stop} is empty.")
        if stop - start > tile:
            raise NotYet(f"For {shown} the target {start} to {stop} is larger than a tile.")
        if stop > size:
            raise NotYet(f"For {shown} the target {start} to {stop} reaches over the photo's border.")
        _check_crop((first, end), (start, stop, size), f"{shown}, the target {start} to {stop}")
        reached = stop
    if reached != size:
        raise NotYet(f"For {shown} the targets end at {reached}: the rest of the photo is left out.")
    if len(tiles) > -(-size // tile):
        raise NotYet(f"For {shown} there are {len(tiles)} tiles; fewer do, and each margin costs time.")


@exercise(
    3,
    lambda *, size, tile: (size, tile),
    praise="The tiles fill the photo without a gap, and each sees all it needs.",
    read=read_as(_four_each, "a list of (start, stop, first, end) is"),
    compare=_check_tiles,
)
def tiles():
    """`tiles(size, tile)`: a list of (start, stop, first, end), targets and the crops for them, along one axis."""
    for size, tile in (
        (1000, 256),
        (768, 256),
        (100, 256),
        (2048, 500),
        (520, 260),
        (1004, 4),
        (1000, 250),
        (520, 130),
    ):
        yield dict(size=size, tile=tile)


def _relaxed(
    values: np.ndarray, mask: np.ndarray, four=False, wrap=False, everywhere=False, edge="constant", itself=False
) -> torch.Tensor:
    """The mean of the neighbours, counted only inside the photo; by its options what is often made of it."""
    around = np.pad(values, 1, mode="wrap" if wrap else edge)
    inside = np.pad(np.ones(mask.shape), 1, constant_values=four or wrap or edge != "constant")
    total, count = (x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:] for x in (around, inside))
    if itself:
        total, count = total + values, count + 1
    return torch.from_numpy(np.where(mask | everywhere, total / count, values))


def _sum_of_neighbours(values: np.ndarray, mask: np.ndarray) -> torch.Tensor:
    around = np.pad(values, 1)
    total = around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]
    return torch.from_numpy(np.where(mask, total, values))


def _relaxed_around_the_first(values: np.ndarray, mask: np.ndarray) -> torch.Tensor:
    """Above and on the left index −1 is taken for a neighbour, below and on the right there is none."""
    around = np.pad(np.pad(values, [(1, 0)] * 2, mode="wrap"), [(0, 1)] * 2)
    inside = np.pad(np.ones(mask.shape), [(0, 1)] * 2)
    inside = np.pad(inside, [(1, 0)] * 2, constant_values=1)
    total, count = (x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:] for x in (around, inside))
    return torch.from_numpy(np.where(mask, total / count, values))


def _relaxed_in_place(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    values = values.copy()
    for row, column in zip(*np.nonzero(mask), strict=True):
        around = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        inside = [values[y, x] for y, x in around if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]]
        values[row, column] = np.mean(inside)
    return values


@exercise(
    5,
    _relaxed,
    [
        (_relaxed_in_place, "some neighbours are new already: read from the old values, write into a copy."),
        (partial(_relaxed, four=True), "at the photo's border a pixel has fewer than four neighbours to divide by."),
        (partial(_relaxed, edge="edge"),
         "at the photo's border the pixel itself stands in for the neighbour it lacks; divide by those it has."),
        (partial(_relaxed, edge="reflect"),
         "at the photo's border a neighbour is counted twice; divide by those that there are."),
        (partial(_relaxed, itself=True), "the pixel itself is counted; take its neighbours only."),
        (lambda values, mask: _relaxed(values, ~mask), "hole and known pixels are exchanged: the mask is True in the "
         "hole."),
        (lambda values, mask: _relaxed(np.where(mask, 0, values), mask),
         "only known neighbours count; those in the hole count, too, with their old values."),
        (lambda values, mask: torch.from_numpy(np.where(mask, values[~mask].mean(), values)),
         "the mean is that of all known pixels; take each pixel's four neighbours."),
        (partial(_relaxed, wrap=True),
         "at the photo's border the neighbours come from the opposite side (`np.roll` does that)."),
        (_relaxed_around_the_first,
         "in Python index −1 is the last row or column, and not outside; ask for it before you read."),
        (partial(_relaxed, everywhere=True), "known pixels change too."),
        (lambda values, mask: values, "nothing is changed."),
        (lambda values, mask: torch.from_numpy(
            np.where(mask, (ndimage.convolve(values, np.ones((3, 3)), mode="constant") - values)
                     / (ndimage.convolve(np.ones_like(values), np.ones((3, 3)), mode="constant") - 1), values)),
         "the corners count as well; take the four neighbours above, below, left and right."),
        (lambda values, mask: torch.from_numpy(np.where(mask, ndimage.uniform_filter(values, 3), values)),
         "that is the mean of a square of nine; take the four neighbours."),
        (lambda values, mask: _relaxed(_relaxed(values, mask).numpy(), mask), "those are two steps; one is asked for."),
        (lambda values, mask: (values + _relaxed(values, mask).numpy()) / 2,
         "it goes half of the way; a hole pixel becomes the mean of its neighbours."),
        (_sum_of_neighbours, "the neighbours are added up, but not divided by their number."),
    ],
    "Repeated long enough, this solves Laplace's equation.",
    keeps=True,
    say=lambda values, mask: f"values of shape {values.shape} and {mask.sum()} hole pixels",
)  # fmt: skip
def relax():
    """`relax(values, mask)`: every hole pixel the mean of its old neighbours inside the photo, the others kept."""
    for height, width, share in ((6, 7, 0.4), (5, 5, 0.8), (1, 8, 0.5), (9, 4, 0.6)):
        mask = np.random.random((height, width)) < share
        mask[0, 0], mask[-1, -1] = True, False  # a corner, and something known
        if width == 7:
            mask[2:4, 2:5] = True
        yield dict(values=np.random.uniform(0, 255, (height, width)), mask=mask)
