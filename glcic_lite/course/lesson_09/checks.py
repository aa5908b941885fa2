"""The checks of lesson 09."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from scipy import ndimage, stats

from glcic_lite.course.shared.checks import NotYet, call, check, exercise, expect_number, read_as, read_value
from glcic_lite.course.shared.samples import sample_photo
from glcic_lite.evaluation.fills import harmonic_fill, mean_fill
from glcic_lite.evaluation.metrics import gradient_energy_ratio, hole_psnr
from glcic_lite.method.masks import Box, box_mask, free_form_strokes, hole_box


def _scene(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A photo with large and small structure: (height, width, 3) uint8."""
    values = sum(
        sigma * ndimage.gaussian_filter(random.normal(size=(height, width, 3)), (sigma, sigma, 0), mode="wrap")
        for sigma in (1, 5)
    )
    return np.rint(40 + 175 * (values - values.min()) / np.ptp(values)).astype(np.uint8)


def _spoiled(
    photo: np.ndarray, where: np.ndarray, random: np.random.Generator, spread: float | np.ndarray = 30
) -> np.ndarray:
    """The photo with an error of its own in every channel of some pixels."""
    spoiled = photo + np.rint(spread * random.normal(size=photo.shape)).astype(int) + random.integers(5, 20)
    return np.where(where[..., None], spoiled.clip(0, 255), photo).astype(np.uint8)


def _random_box(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    tall, wide = (int(n) for n in random.integers(8, 17, 2))
    top, left = int(random.integers(3, height - tall - 3)), int(random.integers(3, width - wide - 3))
    return box_mask((width, height), Box(left, top, left + wide, top + tall))


def _with_large_errors(photo: np.ndarray, filled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (pixels, 3) of a photo and of a fill, the first two of them as far apart as they can be."""
    return np.r_[np.full_like(photo[:2], 255), photo[2:]], np.r_[np.zeros_like(filled[:2]), filled[2:]]


# Exercise 1


@np.errstate(divide="ignore")
def _psnr(error: float, peak: float = 255**2, factor: float = 10, logarithm: Callable = np.log10) -> float:
    return float(factor * logarithm(np.float64(peak) / np.float64(error)))


def _wrong_psnr(where: str = "hole", cast: type = float, measure: Callable = np.square, **change) -> Callable:
    def compute(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
        chosen = {"hole": mask, "all": np.ones_like(mask), "known": ~mask}[where]
        return _psnr(np.mean(measure(photo[chosen].astype(cast) - filled[chosen].astype(cast))), **change)

    return compute


def _over_hole_count(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    return _psnr(np.sum((photo.astype(float) - filled) ** 2) / (3 * np.count_nonzero(mask)))


def _zero_elsewhere(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    return _psnr(np.mean(((photo.astype(float) - filled) * mask[..., None]) ** 2))


def _in_bounding_box(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    box = hole_box(mask).slices
    return _psnr(np.mean((photo[box].astype(float) - filled[box]) ** 2))


def _wrong_end(finish: Callable) -> Callable:
    """What is made of the differences in the hole, (pixels, 3), in another way."""
    return lambda photo, filled, mask: float(finish(photo[mask].astype(float) - filled[mask]))


def _own_peak(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    return _psnr(np.mean((photo[mask].astype(float) - filled[mask]) ** 2), peak=float(photo.max()) ** 2)


def _by_channel(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    errors = np.mean((photo[mask].astype(float) - filled[mask]) ** 2, axis=0)
    return float(np.mean([_psnr(error) for error in errors]))


_OVERFLOW = (
    "a uint8 holds 0 to 255 only: 3 − 5 becomes 254, and a square wraps round as well. Make floats of the photos first."
)
_FLATTERY = (
    "the mean is taken over the whole photo. What is known is right by itself, so every fill looks good, and the "
    "smaller its hole, the better."
)


def _shown_hole(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> str:
    touched = ", known pixels changed too," if (photo != filled)[~mask].any() else ""
    return f"a photo of {mask.shape[1]} x {mask.shape[0]} pixels with a hole of {np.count_nonzero(mask)}{touched}"


@exercise(
    1,
    hole_psnr,
    [
        (_wrong_psnr("all"), _FLATTERY),
        (_wrong_psnr(cast=np.uint8), _OVERFLOW),
        (_wrong_psnr("all", cast=np.uint8), f"two at once: {_OVERFLOW} And {_FLATTERY}"),
        (lambda p, f, m: _psnr(np.mean((p[m] - f[m]).astype(float) ** 2)),
         "the floats come too late: the subtraction was one of uint8, and 3 − 5 is 254."),
        (_zero_elsewhere, "the errors outside the hole are 0, and yet count in the mean, which is over the hole only."),
        (_in_bounding_box, "the mean goes over a box around the hole, and not over its pixels only."),
        (_wrong_psnr(cast=np.int16), "an int16 holds up to 32767 only, and 200 squared is more. Make floats first."),
        (_over_hole_count, "changed pixels outside the hole are counted too."),
        (_wrong_psnr("known"), "inside and outside are swapped: the mask is True in the hole."),
        (_wrong_psnr(peak=1), "the peak is 1, but these photos go up to 255."),
        (_wrong_psnr(peak=255), "the peak is squared, like the error."),
        (_wrong_psnr(factor=20), "20 belongs to the logarithm of a root; the mean *square* takes 10."),
        (_wrong_psnr(factor=5), "the factor of 10 belongs to a mean *square*; was a root taken?"),
        (_wrong_psnr(factor=1), "the logarithm is not multiplied by 10: that would be bel, not decibel."),
        (_wrong_psnr(peak=255**2 / 3), "the mean goes over the channels, too: they are added here."),
        (_wrong_psnr(peak=255**4), "the differences are divided by 255, and so the peak is 1."),
        (_wrong_psnr(logarithm=np.log), "a decibel needs the logarithm to base 10."),
        (_wrong_psnr(factor=-10), "the sign: a smaller error is a higher PSNR."),
        (_wrong_psnr(measure=np.abs), "the differences are not squared."),
        (_by_channel, "one mean over pixels *and* channels, and then one logarithm."),
        (_wrong_end(lambda off: _psnr(np.sqrt(np.mean(off**2)))),
         "the factor 10 goes with the mean *square*; with its root, use 20 and 255 / root."),
        (_wrong_end(lambda off: _psnr(np.mean(off**2), peak=255, factor=20)),
         "with the factor 20, 255 is divided by the *root* of the mean square."),
        (_wrong_end(lambda off: _psnr(np.mean(off) ** 2)),
         "the mean is squared: errors of both signs cancel. Square first, then take the mean."),
        (_wrong_end(lambda off: np.mean(off**2)),
         "that is the mean square itself; PSNR is 255² over it, in decibels."),
        (_own_peak, "the peak is 255, the largest level there can be, and not the photo's own maximum."),
    ],
    "The same as `hole_psnr` of the package. Over the whole photo it would be higher for every fill alike.",
    without=dict(functions=(hole_psnr,)),
    noun="PSNR in dB",
    tolerance=1e-4,
    say=_shown_hole,
)  # fmt: skip
def psnr_in_hole():
    """`psnr_in_hole(photo, filled, mask)`: (H, W, 3) uint8 twice and (H, W) bool; decibels over the hole's pixels."""
    random = np.random.default_rng()
    for number in range(4):
        height, width = (int(n) for n in random.integers(24, 40, 2))
        photo, mask = _scene(random, height, width), _random_box(random, height, width)
        if number == 2:  # in the other cases the hole is all of its bounding box
            mask &= random.random(mask.shape) < 0.6
        # Not the same in all channels: else a mean of three PSNRs, one a channel, can come out right by chance.
        filled = _spoiled(photo, mask, random, spread=random.uniform(12, 40) * random.permutation((0.4, 0.8, 1.2)))
        if number == 1:  # an error whose square is more than an int16 can hold
            photo[mask], filled[mask] = _with_large_errors(photo[mask], filled[mask])
        if number == 3:  # and a fill that has touched what is known
            filled = _spoiled(filled, ~mask, random, spread=3)
        yield dict(photo=photo, filled=filled, mask=mask)


# Exercise 2


def four_fills() -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """A piece of a stone wall with a hole of 64 pixels, filled in four ways. Nothing in it was trained.

    Returns:
        The photo (H, W, 3) uint8, the mask (H, W) bool, and the filled photos by their letters.
    """
    whole = np.asarray(sample_photo("stone-wall-and-sky", 640))
    around = Box(176, 226, 288, 338)
    photo = whole[around.slices].copy()
    mask = box_mask((112, 112), Box(24, 24, 88, 88))
    smooth = harmonic_fill(photo, mask)
    grain = np.random.default_rng(0).normal(size=(112, 112, 1))
    moved = whole[around.top - 3 : around.bottom - 3, around.left - 3 : around.right - 3]
    made = {"A": smooth, "B": smooth + 27 * grain, "C": photo + 10.0, "D": moved}
    fills = {
        letter: np.where(mask[..., None], np.rint(values).clip(0, 255), photo).astype(np.uint8)
        for letter, values in made.items()
    }
    return photo, mask, fills


def _letters(answer, words: str) -> str:
    several = isinstance(answer, list | tuple | set | frozenset | np.ndarray)
    text = "".join(str(part) for part in answer) if several else answer
    if not isinstance(text, str):
        raise NotYet(f'{words}: letters are expected, such as "AB".')
    text = "".join(letter for letter in text.upper() if letter.isalnum())  # whatever stands between them
    if set(text) - set("ABCD") or len(set(text)) < len(text):
        raise NotYet(f"{words}: the letters A to D are expected, each once at most. Yours: {text!r}.")
    return text


def _two(value) -> tuple:
    first, second = value
    return first, second


@check("Exercise 2")
def prediction(prediction: tuple[str, str] | None) -> str:
    """A pair: the letters of `four_fills` by PSNR, best first; those with a texture ratio of 0.85 to 1.15."""
    order, textured = read_value(
        prediction,
        _two,
        'A pair is expected, such as ("ABCD", "AB"): the order by PSNR, and those with texture.',
    )
    order, textured = _letters(order, "The order by PSNR"), _letters(textured, "Those with texture")
    if len(order) < 4:
        raise NotYet(f"The order by PSNR has all four letters; yours has {len(order)}.")
    photo, mask, fills = four_fills()
    psnr = {letter: hole_psnr(photo, filled, mask) for letter, filled in fills.items()}
    reasons = {
        "C": "In C every pixel is off by the same 10 grey levels. How large is the mean square of that?",
        "AB": "B is A and something added. Does what was added bring a pixel closer to the truth?",
        "AD": "D looks right; but PSNR does not look, it compares each pixel with the one that was there.",
        "BD": "One is the error of a smooth fill plus that of its noise. In the other, two different stones meet in "
        "every pixel: each as far from the mean as stones are.",
    }
    for first, second in zip(order, order[1:], strict=False):
        if psnr[first] < psnr[second]:
            pair = "".join(sorted(first + second))
            raise NotYet(f"Measured, {first} does not come before {second}. {reasons['C' if 'C' in pair else pair]}")
    right = {name for name, filled in fills.items() if 0.85 < gradient_energy_ratio(photo, filled, mask) < 1.15}
    if right != set(textured):
        doubtful = sorted(right ^ set(textured))[0]
        said = "is not among" if doubtful in textured else "belongs to"
        raise NotYet(
            f"The order by PSNR is as measured. But {doubtful} {said} those with a texture ratio near 1. The ratio "
            "asks how strong the gradients are, and not whether they are the right ones."
        )
    return (
        "The right stones, moved by three pixels, come last, behind noise. And the noise buys a perfect texture ratio. "
        "No single number knows what a good fill is."
    )


# Exercise 3

_ROUNDS = 20_000


def _resampled_means(values: np.ndarray, random: np.random.Generator, rounds: int = _ROUNDS) -> np.ndarray:
    """The means of many resamplings of a row of numbers."""
    return values[random.integers(0, values.size, (rounds, values.size))].mean(axis=1)


def _percentiles(means: np.ndarray, share: float = 95) -> tuple[float, float]:
    low, high = np.percentile(means, [50 - share / 2, 50 + share / 2])
    return float(low), float(high)


def _near(answer: tuple[float, float], expected: tuple[float, float]) -> bool:
    """Whether two intervals agree but for the chance in resampling: within a fifth of a standard error."""
    allowed = 0.2 * (expected[1] - expected[0]) / 3.92
    return all(abs(a - b) < allowed for a, b in zip(answer, expected, strict=True))


def _read_interval(answer, expected: tuple[float, float], shown: str) -> tuple[float, float]:
    try:
        low, high = answer
    except (TypeError, ValueError):
        raise NotYet(f"For {shown} a pair (low, high) is expected.") from None
    low, high = (float(expect_number(end, shown)) for end in (low, high))
    if low > high:
        raise NotYet(f"For {shown} your interval goes from {low:.2f} to {high:.2f} dB: the lower end comes first.")
    return low, high


def _compare_intervals(answer: tuple[float, float], expected: tuple[float, float], shown: str) -> None:
    if not _near(answer, expected):
        ratio = (answer[1] - answer[0]) / (expected[1] - expected[0])
        how = "too wide" if ratio > 1.08 else "too narrow" if ratio < 0.92 else "not in the right place"
        raise NotYet(f"For {shown} your interval, {answer[0]:+.2f} to {answer[1]:+.2f} dB, is {how}.")


def _hint(answers: list, expected: list) -> str:
    """What to look at where no suspect explains the answers."""
    widths = [(mine[1] - mine[0]) / (right[1] - right[0]) for mine, right in zip(answers, expected, strict=True)]
    if max(widths) < 0.1:
        return (
            " All your resampled means are nearly the same: are photos drawn with repetition, and is a mean taken of "
            "each draw?"
        )
    below = all(2 * right[0] - right[1] < mine[1] < right[0] for mine, right in zip(answers, expected, strict=True))
    if below and max(widths) < 0.5:  # both ends among the smallest means
        return " If you use `np.percentile`: it counts in per cent, 2.5 and 97.5."
    return (
        " Is it the mean of each resampling that you keep, and are there enough of them (5000)? Or is it SciPy's "
        '`bootstrap` without `method="percentile"`?'
    )


def _gains(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    return (ours - theirs).mean(axis=1)


def _around_mean(values: np.ndarray, spread: float) -> tuple[float, float]:
    return values.mean() - spread, values.mean() + spread


def _standard_error(values: np.ndarray) -> float:
    return values.std(ddof=1) / len(values) ** 0.5


_SCATTER = "that is how far single photos scatter; the question is how far their *mean* would."


@exercise(
    3,
    # More rounds than are asked for: of two intervals that are compared, one should lie still.
    lambda ours, theirs, random: _percentiles(_resampled_means(_gains(ours, theirs), random, 20 * _ROUNDS)),
    [
        (lambda o, t, random: _percentiles(_resampled_means((o - t).ravel(), random)),
         "every hole is drawn by itself. Holes of one photo are alike, so there are fewer independent numbers than "
         "holes: draw whole photos, which are rows."),
        (lambda o, t, random: _percentiles(
            _resampled_means(o.mean(axis=1), random) - _resampled_means(t.mean(axis=1), random)),
         "the two fills are drawn apart from each other. A hard photo is hard for both; draw photos, and take both "
         "fills from the same ones."),
        (lambda o, t, random: _percentiles(_resampled_means(_gains(o, t), random), 90),
         "this interval covers 90 %: 5 % are cut off at each end instead of 2.5 %."),
        (lambda o, t, random: _percentiles(_resampled_means(_gains(t, o), random)), "the sign: ours minus theirs."),
        (lambda o, t, random: _percentiles(_resampled_means(o.mean(axis=1), random)), "theirs is not subtracted."),
        (lambda o, t, random: _around_mean(_gains(o, t), _gains(o, t).std()), f"mean ± standard deviation: {_SCATTER}"),
        (lambda o, t, random: _around_mean(_gains(o, t), _gains(o, t).std() / len(o) ** 0.5),
         "one standard error to each side covers about two thirds, not 95 %."),
        *((lambda o, t, random, times=times: _around_mean(_gains(o, t), times(len(o)) * _standard_error(_gains(o, t))),
           "that is the interval by formula, which lies evenly around the mean. The bootstrap's ends come from the "
           "resampled means themselves, and lie unevenly where the gains do.")
          for times in (lambda count: 1.96, lambda count: stats.t.ppf(0.975, count - 1))),
        (lambda o, t, random: _percentiles(_gains(o, t)), f"nothing is resampled: {_SCATTER}"),
        (lambda o, t, random: _percentiles(_resampled_means((o - t)[:, 0], random)), "only the first holes count."),
        (lambda o, t, random: _percentiles(len(o) * _resampled_means(_gains(o, t), random)),
         "these are sums over the photos drawn, not means."),
        (lambda o, t, random: _percentiles(_resampled_means(_gains(o, t)[:-1], random)),
         "the last photo is never drawn: the upper end of `integers` is not included."),
        (lambda o, t, random: _percentiles((o - t).ravel()),
         "nothing is resampled: that is how far single holes scatter."),
    ],
    "An interval above 0 says: with other photos of this kind the sign would most likely be the same.",
    say=lambda ours, theirs, random: f"{len(ours)} photos with {ours.shape[1]} holes each",
    read=_read_interval,
    compare=_compare_intervals,
    same=_near,
    otherwise=_hint,
)  # fmt: skip
def interval():
    """`paired_interval(ours, theirs, random)`: the 95 % bootstrap interval of the mean paired difference, over photos.

    `ours` and `theirs` are PSNR in dB, (photos, holes); `random` is a numpy Generator.
    """
    random = np.random.default_rng()
    for photos, holes, ahead in ((22, 4, 0.5), (30, 3, 0.0), (18, 5, -0.7)):
        level = random.normal(22, 4, (photos, 1))  # how hard a photo is, for any fill
        gain = ahead + random.normal(0, 0.8, (photos, 1)) + random.normal(0, 0.35, (photos, holes))
        gain[0], gain[-1] = gain[0] + 3, gain[-1] - 3  # whoever never draws the first or the last photo, misses one
        # Holes of a photo lie far apart: whoever draws among them, too, gets a wider interval.
        apart = random.normal(0, 3, (photos, holes))
        gain += apart - apart.mean(axis=1, keepdims=True)
        theirs = level + random.normal(0, 0.5, (photos, holes))
        yield dict(ours=theirs + gain, theirs=theirs, random=np.random.default_rng(photos))
    # Few photos, one of which gains much: here an interval by formula, even around the mean, lies too low.
    skewed = (-np.log(1 - (np.arange(12) + 0.5) / 12)) ** 2
    theirs = random.normal(22, 4, (12, 1)) + random.normal(0, 0.5, (12, 4))
    apart = random.normal(0, 0.3, (12, 4)) + np.array([1, 0, 0, 0])  # whoever takes the first holes only, is far off
    gain = skewed[:, None] + apart - apart.mean(axis=1, keepdims=True)
    yield dict(ours=theirs + gain, theirs=theirs, random=np.random.default_rng(12))


# Exercise 4


def _depths(mask: np.ndarray) -> np.ndarray:
    return ndimage.distance_transform_edt(mask)


def _by_depth(
    photo: np.ndarray,
    filled: np.ndarray,
    mask: np.ndarray,
    depths: Callable = _depths,
    cast: type = float,
    finish: Callable = np.sqrt,
    measure: Callable = np.square,
    first: int = 1,
    among: Callable = lambda mask: mask,
    of_pixel: Callable = lambda errors: errors,
    grey: bool = False,
    band: Callable = np.floor,
) -> torch.Tensor:
    """The error at each depth; the options are ways to get it wrong."""
    off = photo.astype(cast) - filled.astype(cast)
    errors = of_pixel(measure(off.mean(axis=2, keepdims=True) if grey else off).mean(axis=2))
    deep, chosen = depths(mask), among(mask)
    whole = band(deep).astype(int)
    bins = [
        errors[chosen & (whole == depth)]
        for depth in range(first, int(max(deep[chosen].max(), whole[chosen].max())) + 1)
    ]
    return torch.tensor([finish(values.mean()) if values.size else np.nan for values in bins], dtype=torch.double)


def _by_depth_and_channel(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> torch.Tensor:
    """The mean of three roots, one for each channel."""
    channels = [np.s_[..., n : n + 1] for n in range(photo.shape[2])]
    return torch.stack([_by_depth(photo[channel], filled[channel], mask) for channel in channels]).mean(dim=0)


def _from_border(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(mask.shape)
    return np.minimum.reduce([rows, columns, len(mask) - 1 - rows, mask.shape[1] - 1 - columns]) + 1


def _from_centre(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(mask.shape)
    row, column = (np.flatnonzero(mask.any(axis=axis)).mean() for axis in (1, 0))
    return np.hypot(rows - row, columns - column) + 1


def _padded_depths(mask: np.ndarray) -> np.ndarray:
    return _depths(np.pad(mask, 1))[1:-1, 1:-1]


def _steps(metric: str) -> Callable:
    return lambda mask: ndimage.distance_transform_cdt(mask, metric)


def _shown_depths(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> str:
    count, share = ndimage.label(mask)[1], mask.sum() / hole_box(mask).area
    name = "a large and a small box" if count > 1 else "a box" if share == 1 else "a stroke"
    at_border = " at the border" if share == 1 and mask[0].any() else ""
    return f"{name}{at_border} in a photo of {mask.shape[1]} x {mask.shape[0]} pixels"


def _row_of_numbers(answer) -> torch.Tensor:
    numbers = np.asarray(answer.tolist() if isinstance(answer, torch.Tensor) else answer)
    if numbers.dtype.kind in "cSU":
        raise TypeError("numbers are expected, not text or complex ones")
    return torch.from_numpy(numbers.astype(float))


@exercise(
    4,
    _by_depth,
    [
        (partial(_by_depth, of_pixel=np.sqrt, finish=lambda mean: mean),
         "a root is taken of each pixel's error; it comes last, after the mean over a depth."),
        (_by_depth_and_channel, "a root is taken of each channel's error; one mean goes over pixels and channels."),
        (partial(_by_depth, grey=True),
         "the channels are averaged before they are squared: errors of opposite signs cancel."),
        (partial(_by_depth, band=np.ceil),
         "the depth is rounded up: depth *k* goes from k up to, but not including, k + 1."),
        (partial(_by_depth, band=lambda depths: np.ceil(depths) - 1),
         "a whole depth counts with the band before it: depth *k* goes from k up to, but not including, k + 1."),
        (partial(_by_depth, depths=_from_border), "that is the distance from the photo's border."),
        (partial(_by_depth, depths=_from_centre), "that is the distance from the hole's middle."),
        (partial(_by_depth, depths=lambda mask: _depths(~mask), among=np.logical_not),
         "the distance of known pixels from the hole. The distance transform measures the way from a True to the "
         "nearest False: hand it the mask as it is."),
        (partial(_by_depth, depths=_steps("chessboard")), "a step across a corner is counted as 1; it is √2."),
        (partial(_by_depth, depths=_steps("taxicab")),
         "steps along rows and columns are counted; the straight line is what counts."),
        (partial(_by_depth, depths=_padded_depths),
         "beyond the photo's border nothing is known: do not pad with known pixels."),
        (partial(_by_depth, depths=lambda mask: np.rint(_depths(mask))), "the distances are rounded, not cut off."),
        (partial(_by_depth, first=0), "no pixel of the hole is nearer than 1: the first depth is 1 to 2."),
        (partial(_by_depth, first=0, among=np.ones_like), "the first number is that of the known pixels, at depth 0."),
        (partial(_by_depth, cast=np.uint8), "a uint8 holds 0 to 255 only; make floats of the photos first."),
        (lambda *case: _by_depth(*case)[:-1], "the deepest pixels are missing: `range` stops before its end."),
        (lambda *case: 3**0.5 * _by_depth(*case), "the mean goes over the channels, too: they are added here."),
        (lambda p, f, m: _by_depth((p - f), np.zeros_like(p), m),
         "the floats come too late: the subtraction was one of uint8, and 3 − 5 is 254."),
        (partial(_by_depth, finish=float), "the root is missing."),
        (partial(_by_depth, measure=np.abs, finish=float), "the differences are not squared."),
        (lambda *case: _by_depth(*case).flip(0), "the order: begin at the rim, end in the depth."),
    ],
    "This is how section 4 asks why large holes are hard: most of their pixels are far from all that is known.",
    say=_shown_depths,
    read=read_as(_row_of_numbers, "an array of one number a depth is"),
)  # fmt: skip
def errors_by_depth():
    """`errors_by_depth(photo, filled, mask)`: the root mean square error at depth 1 to 2, 2 to 3, ... in the hole."""
    random = np.random.default_rng()
    holes = [box_mask((50, 40), Box(12, 10, 33, 27)), box_mask((44, 36), Box(0, 8, 17, 25))]  # inside; at the border
    holes.append(holes[0] | box_mask((50, 40), Box(40, 30, 45, 36)))  # a large and a small one
    stroke = free_form_strokes(random, (48, 48), (9, 14), 24)
    while _depths(stroke).max() % 1 == 0:  # else rounding the deepest down or up makes no difference
        stroke = free_form_strokes(random, (48, 48), (9, 14), 24)
    for mask in (*holes, stroke):
        photo = _scene(random, *mask.shape)
        deeper = np.where(mask, 4 * _depths(mask), 0)[..., None]  # the error grows inwards, as it does in life
        filled = np.where(mask[..., None], (photo + deeper * random.normal(1, 1, photo.shape)).clip(0, 255), photo)
        filled = filled.astype(np.uint8)
        photo[mask], filled[mask] = _with_large_errors(photo[mask], filled[mask])
        yield dict(photo=photo, filled=filled, mask=mask)


# Exercise 5


def _raw_fill(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Returns a whole painting, other than the photo outside the hole too, as the bare network does."""
    return ndimage.uniform_filter(harmonic_fill(photo, mask), (3, 3, 1))


def _careless_fill(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Writes into the photo it was given."""
    photo[mask] = (200, 30, 90)
    return photo


def _greedy_fill(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Rubs the hole out of the mask, but for one row."""
    filled = harmonic_fill(photo, mask)
    mask[np.flatnonzero(mask.any(axis=1))[1:]] = False
    return filled


@check("Exercise 5")
def fair_psnr(fair_psnr: Callable) -> str:
    """`fair_psnr(fill, photo, mask)`: the PSNR in the hole of what a fill makes of a photo, whatever the fill tries."""
    random = np.random.default_rng()
    photo, mask = _scene(random, 48, 56), box_mask((56, 48), Box(14, 12, 44, 38))
    mask &= random.random(mask.shape) < 0.9  # no box: whoever blanks the box around a hole changes known pixels
    # Truths that differ in brightness, contrast and tint, and nothing else differs. Each is shown several times, since
    # what is drawn at random scatters by itself, and that is no leak.
    truths = (((0, 0, 0), (60, 60, 60)), ((195, 195, 195), (255, 255, 255)), ((0, 0, 0), (255, 255, 255)),
              ((195, 0, 0), (255, 60, 60)))  # fmt: skip
    looks: list[list[np.ndarray]] = []
    truthful: list[int] = []  # how many pixels of the truth there were, by each look
    for darkest, brightest in truths:
        photo[mask] = random.integers(darkest, brightest, (np.count_nonzero(mask), 3), endpoint=True)
        looks.append([_given_in_hole(fair_psnr, photo, mask, first=not looks) for _ in range(12)])
        truthful += [(look == photo[mask]).all(axis=1).sum() for look in looks[-1]]
    always_equal = all(np.array_equal(look, of_one[0]) for of_one in looks for look in of_one)
    if always_equal and not all(np.array_equal(of_one[0], looks[0][0]) for of_one in looks):
        raise NotYet("What stands in the hole is made from the truth: with another truth it is another.")
    # Brightness of each colour, and contrast: (truths, looks, 4).
    numbers = np.array([[[*look.mean(axis=0), look.std()] for look in of_one] for of_one in looks])
    means, variances = numbers.mean(axis=1), numbers.var(axis=1, ddof=1)
    by_chance = np.sqrt((variances + variances[0]) / numbers.shape[1])  # how far two means lie apart without a leak
    gaps = np.abs(means - means[0])
    if ((gaps > 5) & (gaps > 10 * by_chance)).any():
        raise NotYet(
            "What stands in the hole is made from the truth: a fill learns how bright, or how rough, that was."
        )
    if max(truthful) > 5:  # by chance a pixel meets its truth once in 200,000 times
        raise NotYet("Some pixels of the hole still show the truth.")
    photo = _scene(random, 48, 56)
    fills = {
        "an honest fill": (mean_fill, "Is it the PSNR over the pixels of the hole, against the photo as it came?"),
        "an honest fill that repaints the known pixels a little": (
            _raw_fill,
            "What is outside the hole does not count.",
        ),
        "a fill that writes into the photo it is given": (
            _careless_fill,
            "Afterwards you compare with a photo that the fill has changed: give it a copy.",
        ),
        "a fill that rubs most of the hole out of the mask": (
            _greedy_fill,
            "Afterwards you measure where the fill has left you a mask: give it a copy of the mask, too.",
        ),
    }
    for shown, (fill, cause) in fills.items():
        lent, lent_mask = photo.copy(), mask.copy()  # `call` would hand out copies, and not see them spoiled
        answer = call(partial(fair_psnr, fill, lent, lent_mask), shown=shown)
        answer = float(expect_number(answer, shown))
        expected = hole_psnr(photo, fill(photo.copy(), mask.copy()), mask)
        if not abs(answer - expected) < 0.01:
            how = "high" if answer > expected else "low"
            raise NotYet(f"For {shown} your PSNR, {answer:.2f} dB, is too {how}. {cause}")
        if (lent != photo).any() or (lent_mask != mask).any():
            raise NotYet(
                "The number is right, but afterwards the photo or the mask that your function was given has changed: "
                "the next fill would be measured against that. Write into a copy."
            )
    return (
        "Nothing can be read, changed or rubbed out behind your back. Test your own fills this way, and other people's."
    )


def _given_in_hole(fair_psnr: Callable, photo: np.ndarray, mask: np.ndarray, first: bool) -> np.ndarray:
    """What a fill is shown in the hole, (pixels, 3). The photo holds noise there.

    Raises:
        NotYet: it is shown the truth, or not shown what is known.
    """
    seen = []

    def spy(shown_photo: np.ndarray, shown_mask: np.ndarray) -> np.ndarray:
        seen.append((np.array(shown_photo), np.array(shown_mask)))
        return np.array(shown_photo)

    shown = "a fill that returns what it is given"
    expect_number(call(fair_psnr, spy, photo, mask, shown=shown, first=first), shown)
    if not seen:
        raise NotYet("Your function never calls the fill: `fill(photo, mask)` returns the filled photo.")
    for given, given_mask in seen[1:] + seen[:1]:  # every look counts
        stand_in = _see_through(given, given_mask, photo, mask)
    return stand_in


def _see_through(given: np.ndarray, given_mask: np.ndarray, photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What one call shows a fill in the hole; `NotYet` if that is the truth, or not what is known."""
    if given.shape != photo.shape or given.dtype != np.uint8:
        raise NotYet(f"The fill is given {given.dtype} of shape {given.shape}; it needs a photo, uint8 {photo.shape}.")
    if given_mask.shape != mask.shape or (given_mask.astype(bool) != mask).any():
        raise NotYet("The fill is given another mask than the one you got: it would fill the wrong place.")
    if (given != photo)[~mask].any():
        raise NotYet("Known pixels are changed before the fill gets them. It needs those to do its work.")
    truth, stand_in = photo[mask].astype(float), given[mask].astype(float)
    if (truth == stand_in).mean() > 0.5:
        raise NotYet("The fill is shown the truth: with `return photo` it wins without any work.")
    centred = (truth - truth.mean(axis=0)).ravel(), (stand_in - stand_in.mean(axis=0)).ravel()
    scale = np.linalg.norm(centred[0]) * np.linalg.norm(centred[1])
    # Six standard deviations of what chance does with numbers that have nothing to do with each other.
    if scale and abs(centred[0] @ centred[1]) / scale > 6 / centred[0].size ** 0.5:
        raise NotYet("What stands in the hole still resembles the truth: it is made from it. A fill could undo that.")
    return stand_in
