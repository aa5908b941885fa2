"""The checks of lesson 07: the untouched stub, right answers, and wrong ones that learners really give."""

import numpy as np
import torch

from exercise_checks import ExerciseChecks
from glcic_lite.course.lesson_07 import checks
from glcic_lite.method.masks import Box
from glcic_lite.speed.crops import seen_by


def pad(photo, mode="edge", always=False, before=False):
    """Without numpy's own function, which is out of reach."""
    places = []
    for side in photo.shape[:2]:
        more = 4 - side % 4 if always else -side % 4
        place = np.arange(-more, side) if before else np.arange(side + more)
        mirrored = side - 1 - np.abs(side - 1 - place)
        places.append({"wrap": place % side, "reflect": mirrored}.get(mode, place.clip(0, side - 1)))
    padded = photo[places[0]][:, places[1]]
    if mode == "constant":
        padded[photo.shape[0] :], padded[:, photo.shape[1] :] = 0, 0
    return padded


def crop(start, stop, size, up=153, down=150, clip=True, align=4, inward=False):
    first, end = start - up, stop + down
    first, end = (-(-first // align), end // align) if inward else (first // align, -(-end // align))
    first, end = first * align, end * align
    return (max(first, 0), min(end, size)) if clip else (first, end)


def exact_crop(start, stop, size):
    """What just these output pixels see: up to 4 px less than the most that any pixel sees."""
    box = seen_by(Box(start, 0, stop, 1), (4, size))
    return box.left, box.right


def fold(weight, bias, mean, variance, gamma, beta, eps):
    scale = gamma / torch.sqrt(variance + eps)
    return weight * scale[:, None, None, None], (bias - mean) * scale + beta


def tiles(size, tile, make=crop):
    return [(a, min(a + tile, size), *make(a, min(a + tile, size), size)) for a in range(0, size, tile)]


def relax(values, mask):
    around = np.pad(values, 1, constant_values=np.nan)
    means = np.nanmean([around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]], axis=0)
    return np.where(mask, means, values)


def rolled(values, mask):
    means = sum(np.roll(values, step, axis) for step in (-1, 1) for axis in (0, 1)) / 4
    return np.where(mask, means, values)


def by_four(values, mask):
    around = np.pad(values, 1)
    means = (around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]) / 4
    return np.where(mask, means, values)


def in_place(values, mask):
    for row, column in zip(*np.nonzero(mask), strict=True):
        around = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        values[row, column] = np.mean(
            [values[y, x] for y, x in around if 0 <= y < len(values) and 0 <= x < values.shape[1]]
        )
    return values


def into_the_input(values, mask):
    """Right numbers, but written into the array that was handed over."""
    values[mask] = relax(values, mask)[mask]
    return values


def by_edge(values, mask, mode):
    try:
        around = np.pad(values, 1, mode=mode)
    except ValueError:
        around = np.pad(values, 1, mode="edge")
    means = (around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]) / 4
    return np.where(mask, means, values)


RIGHT = [
    (checks.padded, pad),
    (checks.padded, lambda photo: torch.from_numpy(pad(photo))),
    (checks.crop, crop),
    (checks.crop, lambda start, stop, size: list(crop(start, stop, size))),
    (checks.crop, exact_crop),
    (checks.tiles, lambda size, tile: tiles(size, tile, exact_crop)),
    (checks.fold, fold),
    (checks.fold, lambda *case: [part.requires_grad_() for part in fold(*case)]),
    (checks.padded, lambda photo: pad(photo).tolist()),
    (checks.padded, lambda photo: pad(photo).astype(float)),
    (checks.crop, lambda a, b, size: np.array(crop(a, b, size), dtype=float)),
    (checks.tiles, lambda size, tile: iter(tiles(size, tile))),
    (checks.relax, lambda values, mask: torch.from_numpy(relax(values, mask))),
    (checks.tiles, tiles),
    (checks.tiles, lambda size, tile: [list(t) for t in tiles(size, tile)]),
    (checks.relax, relax),
]

# (check, wrong answer, words that the message must hold)
WRONG = [
    (checks.padded, lambda photo: pad(photo, "constant"), "black bars"),
    (checks.padded, lambda photo: pad(photo, always=True), "four more"),
    (checks.padded, lambda photo: pad(photo, "reflect"), "mirrored"),
    (checks.padded, lambda photo: photo[: len(photo) // 4 * 4, : photo.shape[1] // 4 * 4], "lost"),
    (checks.padded, lambda photo: photo, "as it came"),
    (checks.padded, lambda p: np.pad(p, [(0, -len(p) % 4), (0, -p.shape[1] % 4), (0, 0)], "edge"), "without it"),
    (checks.padded, lambda photo: pad(photo, before=True), "upper left"),
    (checks.padded, lambda photo: pad(photo, "wrap"), "begins anew"),
    (checks.padded, lambda photo: pad(photo)[: len(photo)], "the rows are not"),
    (checks.padded, lambda photo: pad(photo) + 0.4, "too large"),
    (checks.padded, lambda photo: pad(photo)[:, : photo.shape[1]], "the columns are not"),
    (checks.padded, lambda photo: pad(photo) / 255, "divided by 255"),
    (checks.padded, lambda photo: pad(photo).swapaxes(0, 1), "exchanged"),
    (checks.crop, lambda a, b, size: crop(a, b, size, up=150), "Are there 153 px"),
    (checks.padded, lambda photo: pad(photo)[..., :1], "shape"),
    (checks.padded, lambda photo: photo.shape, "tensor is expected"),
    (checks.crop, lambda a, b, size: crop(a, b, size, clip=False), "over the photo's border"),
    (checks.crop, lambda a, b, size: crop(a, b, size, align=1), "no multiple of 4"),
    (checks.crop, lambda a, b, size: crop(a, b, size, inward=True), "lacks pixels"),
    (checks.crop, lambda a, b, size: crop(a, b, size, up=0, down=0), "margin"),
    (checks.crop, lambda a, b, size: crop(a, b, size, up=95, down=95), "lacks pixels"),
    (checks.crop, lambda a, b, size: crop(a, b, size, up=303, down=303), "larger than it need be"),
    (checks.crop, lambda a, b, size: (0, size), "larger than it need be"),
    (checks.crop, lambda a, b, size: a, "pair"),
    (checks.crop, lambda a, b, size: (crop(a, b, size)[0], min((b + 150) // 4 * 4, size)), "lacks pixels at its last"),
    (checks.crop, lambda a, b, size: (max(-((153 - a) // 4) * 4, 0), crop(a, b, size)[1]), "lacks pixels at its first"),
    (checks.crop, lambda a, b, size: crop(a, b - 1, size), "one past it"),
    (checks.crop, lambda a, b, size: crop(a, b, size, up=150, down=153), "lacks pixels at its first"),
    (checks.crop, lambda a, b, size: (crop(a, b, size)[0] + 0.5, crop(a, b, size)[1]), "pair"),
    (checks.crop, lambda a, b, size: (float("inf"), 4), "pair"),
    (checks.crop, lambda a, b, size: crop(a, b, size)[::-1], ""),
    (checks.fold, lambda w, b, *rest: (fold(w, b, *rest)[0], b), "bias is left"),
    (checks.fold, lambda w, b, m, v, g, be, e: (fold(w, b, m, v, g, be, e)[0], b - m + be), "scaled"),
    (checks.fold, lambda w, b, m, v, g, be, e: fold(w, b, m, v, g, be * 0, e), "beta"),
    (checks.fold, lambda w, b, m, v, g, be, e: fold(w, b, m, v, g, be, 0), "eps"),
    (checks.fold, lambda w, b, m, v, g, be, e: fold(w, b, m, (v + e) ** 2 - e, g, be, e), "square root"),
    (
        checks.fold,
        lambda w, b, *rest: (fold(w.transpose(0, 1), b, *rest)[0].transpose(0, 1), fold(w, b, *rest)[1]),
        "first axis",
    ),
    (checks.fold, lambda w, *rest: w, "pair"),
    (checks.fold, lambda w, b, *rest: (fold(w, b, *rest)[0], fold(w, b * 0, *rest)[1]), "own bias is dropped"),
    (checks.fold, lambda w, b, m, *rest: fold(w, b, m * 0, *rest), "mean is dropped"),
    (checks.fold, lambda w, b, m, *rest: (fold(w, b, m, *rest)[0], fold(w, b, m * 0, *rest)[1] - m), "after the scal"),
    (checks.fold, lambda w, b, m, *rest: fold(w, b, -m, *rest), "added, not subtracted"),
    (checks.fold, lambda w, b, m, v, g, be, e: fold(w, b, m, v, g * 0 + 1, be, e), "gamma"),
    (checks.fold, lambda w, b, *rest: (w, fold(w, b, *rest)[1]), "weight is left"),
    (checks.fold, lambda w, b, m, v, g, be, e: fold(w, b, m, (v**0.5 + e) ** 2 - e, g, be, e), "under the root"),
    (checks.fold, lambda *case: fold(*case)[::-1], "shape"),
    (checks.fold, lambda w, b, m, v, g, be, e: (fold(w, b, m, v, g, be, e)[0], b + be), "like z"),
    (checks.fold, lambda w, b, m, v, g, be, e: fold(w, b, m, v, g, -be, e), "subtracted; it is added"),
    (checks.fold, lambda w, b, m, v, g, be, e: fold(w, b, m, 1 / (v + e) - e, g, be, e), "divide"),
    (checks.fold, lambda w, b, *rest: (w, b), "left as they were"),
    (checks.tiles, lambda size, tile: tiles(size, tile)[:-1], "left out"),
    (checks.tiles, lambda size, tile: tiles(size, tile + 4), "larger than a tile"),
    (checks.tiles, lambda size, tile: tiles(size, max(tile // 2, 1)), "fewer do"),
    (checks.tiles, lambda size, tile: [(a, min(a + tile, size), *crop(a, min(a + tile, size), size))
                                             for a in range(0, size, max(tile - 8, 1))], "twice"),
    (checks.tiles, lambda size, tile: tiles(size, tile, lambda a, b, s: (a // 4 * 4, -(-b // 4) * 4)), "margin"),
    (checks.tiles, lambda size, tile: [(a, a + tile, *crop(a, a + tile, size)) for a in range(0, size, tile)],
     "over the photo's border"),
    (checks.tiles, lambda size, tile: [(0, size)], "list of (start, stop, first, end)"),
    (checks.relax, in_place, "old values"),
    (checks.relax, rolled, "opposite side"),
    (checks.relax, by_four, "fewer than four"),
    (checks.relax, lambda values, mask: relax(values, np.ones_like(mask)), "known pixels"),
    (checks.relax, lambda values, mask: values, "nothing is changed"),
    (checks.relax, into_the_input, "Write into a copy"),
    (checks.relax, lambda values, mask: by_edge(values, mask, "edge"), "stands in for the neighbour"),
    (checks.relax, lambda values, mask: by_edge(values, mask, "reflect"), "counted twice"),
    (checks.relax, lambda values, mask: relax(values, ~mask), "exchanged"),
    (checks.relax, lambda values, mask: np.where(mask, relax(np.where(mask, 0, values), mask), values), "old values"),
    (checks.relax, lambda values, mask: np.where(mask, values[~mask].mean(), values), "four neighbours"),
    (checks.relax, lambda values, mask: relax(values, mask)[mask], "shape"),
    (checks.relax, lambda values, mask: relax(relax(values, mask), mask), "two steps"),
    (checks.relax, lambda values, mask: (values + relax(values, mask)) / 2, "half of the way"),
    (checks.relax, lambda values, mask: relax(values, mask).astype(int), "whole numbers"),
]  # fmt: skip


class TestChecks(ExerciseChecks):
    RIGHT, WRONG = RIGHT, WRONG
