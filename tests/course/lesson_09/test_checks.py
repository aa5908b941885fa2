"""The checks of lesson 09: the untouched stub, right answers, and wrong ones that learners really give."""

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from exercise_checks import ExerciseChecks
from glcic_lite.course.lesson_09 import checks
from glcic_lite.course.shared.checks import NOT_YET
from glcic_lite.evaluation import metrics
from glcic_lite.evaluation.metrics import gradient_energy_ratio, hole_psnr
from glcic_lite.method.masks import hole_box

# Exercise 1


def psnr(photo, filled, mask, peak=255.0**2, factor=10, log=np.log10, cast=np.float64):
    difference = photo[mask].astype(cast) - filled[mask].astype(cast)
    return factor * log(peak / np.mean(difference**2))


def everywhere(mask):
    return np.ones_like(mask)


def by_channel(photo, filled, mask):
    return np.mean([psnr(photo[..., c], filled[..., c], mask) for c in range(3)])


def divided_by_hole(photo, filled, mask):
    return 10 * np.log10(255**2 / (np.square(photo.astype(float) - filled).sum() / (3 * mask.sum())))


def mean_absolute(photo, filled, mask):
    return 10 * np.log10(255**2 / np.abs(photo[mask].astype(float) - filled[mask]).mean())


@np.errstate(divide="ignore")
def outside(photo, filled, mask):
    return psnr(photo, filled, ~mask)


# Exercise 3


def interval(ours, theirs, random, rounds=5000, share=95, flat=False):
    gains = (ours - theirs).ravel() if flat else (ours - theirs).mean(axis=1)
    means = gains[random.integers(0, len(gains), (rounds, len(gains)))].mean(axis=1)
    return tuple(np.percentile(means, [50 - share / 2, 50 + share / 2]))


def interval_by_loop(ours, theirs, random):
    means = []
    for _ in range(5000):
        drawn = random.choice(len(ours), len(ours))
        means.append((ours[drawn] - theirs[drawn]).mean())
    return np.quantile(means, 0.025), np.quantile(means, 0.975)


def drawn_again_among_the_holes(ours, theirs, random):
    (photos, holes), gains = ours.shape, ours - theirs
    rows, columns = random.integers(photos, size=(5000, photos)), random.integers(holes, size=(5000, photos))
    return np.percentile(gains[rows, columns].mean(axis=1), [2.5, 97.5])


def unpaired(ours, theirs, random):
    ours, theirs = (
        values.mean(axis=1)[random.integers(0, len(values), (5000, len(values)))].mean(axis=1)
        for values in (ours, theirs)
    )
    return np.percentile(ours - theirs, [2.5, 97.5])


def around_mean(ours, theirs, random, divisor=lambda count: 1):
    gains = (ours - theirs).mean(axis=1)
    spread = gains.std(ddof=1) / divisor(len(gains))
    return gains.mean() - spread, gains.mean() + spread


# Exercise 4


def by_depth(
    photo, filled, mask, depths=ndimage.distance_transform_edt, cast=float, root=np.sqrt, start=1, inside=None
):
    errors = ((photo.astype(cast) - filled.astype(cast)) ** 2).mean(axis=2)
    depth = depths(mask)
    found, inside = [], mask if inside is None else inside(mask)
    for k in range(start, int(depth[inside].max()) + 1):
        band = inside & (k <= depth) & (depth < k + 1)
        found.append(root(errors[band].mean()) if band.any() else np.nan)
    return np.array(found)


def absolute_by_depth(photo, filled, mask):
    depth = ndimage.distance_transform_edt(mask)
    error = np.abs(photo.astype(float) - filled).mean(axis=2)
    return np.array([error[mask & (depth // 1 == k)].mean() for k in range(1, int(depth.max()) + 1)])


def from_border(mask):
    return ndimage.distance_transform_edt(np.pad(np.ones_like(mask), 1))[1:-1, 1:-1]


def from_middle(mask):
    rows, columns = np.nonzero(mask)
    middle = np.ones_like(mask)
    middle[int(rows.mean()), int(columns.mean())] = False
    return ndimage.distance_transform_edt(middle)


# Exercise 5


def fair(
    fill,
    photo,
    mask,
    hide=lambda photo, mask: np.random.default_rng().integers(0, 256, (mask.sum(), 3)),
    copy_photo=True,
    copy_mask=True,
    where=lambda mask: mask,
):
    shown = photo.copy() if copy_photo else photo
    shown[mask] = hide(photo, mask)
    truth = photo
    filled = fill(shown, mask.copy() if copy_mask else mask)
    return hole_psnr(truth, filled, where(mask))


def one_pixel_of_the_hole(photo, mask):
    pixels = photo[mask]
    return pixels[np.random.default_rng().integers(len(pixels))]


def writing_into_the_photo(fill, photo, mask):
    truth = photo.copy()
    photo[mask] = np.random.default_rng(0).integers(0, 256, (np.count_nonzero(mask), 3))
    return hole_psnr(truth, fill(photo, mask.copy()), mask)


def noise_around_a_random_colour(photo, mask):
    random = np.random.default_rng()
    return (random.integers(0, 256, 3) + random.normal(0, 9, (mask.sum(), 3))).clip(0, 255)


def trusting(fill, photo, mask):
    return hole_psnr(photo, fill(photo, mask), mask)


def trusting_with_copies(fill, photo, mask):
    return hole_psnr(photo, fill(photo.copy(), mask.copy()), mask)


def noise_everywhere(fill, photo, mask):
    shown = np.random.default_rng(0).integers(0, 256, photo.shape, dtype=np.uint8)
    return hole_psnr(photo, fill(shown, mask.copy()), mask)


def emptied_only_once(fill, photo, mask):
    """Hides the truth, but lends the very array that it compares with afterwards."""
    truth = photo.copy()
    photo[mask] = 127
    filled = fill(photo, mask.copy())
    return hole_psnr(photo, filled, mask) if (photo != truth).any() else hole_psnr(truth, filled, mask)


def constant(value):
    return lambda photo, mask: value


def a_second_look(fill, photo, mask):
    score = fair(fill, photo, mask)
    fill(photo.copy(), mask.copy())  # and now it knows
    return score


def a_first_look(fill, photo, mask):
    fill(photo.copy(), mask.copy())
    return fair(fill, photo, mask)


RIGHT = [
    (checks.psnr_in_hole, psnr),
    (checks.psnr_in_hole, lambda p, f, m: psnr(p / 255, f / 255, m, peak=1)),
    (checks.psnr_in_hole, lambda p, f, m: psnr(p, f, m, cast=np.float32)),
    (checks.psnr_in_hole, lambda p, f, m: 20 * np.log10(255 / np.sqrt(((p[m] / 1.0 - f[m]) ** 2).mean()))),
    (checks.psnr_in_hole, lambda p, f, m: psnr(p.astype(int), f.astype(int), m, cast=int)),
    (checks.prediction, ("CABD", "BCD")),
    (checks.prediction, (list("CABD"), {"D", "C", "B"})),
    (checks.prediction, ("c, a, b, d", "b c d")),
    (checks.prediction, ("C → A → B → D", "B/C/D")),
    (checks.prediction, (np.array(list("CABD")), frozenset("BCD"))),
    (checks.interval, interval),
    (checks.interval, interval_by_loop),
    (checks.interval, lambda o, t, random: np.array(interval(o, t, random, rounds=20_000))),
    (checks.errors_by_depth, by_depth),
    (checks.errors_by_depth, lambda *case: by_depth(*case).tolist()),
    (checks.errors_by_depth, lambda *case: torch.from_numpy(by_depth(*case)).requires_grad_()),
    (checks.errors_by_depth, lambda *case: (error for error in by_depth(*case))),
    (checks.errors_by_depth, lambda *case: by_depth(*case).astype(np.float64)),
    (checks.fair_psnr, fair),
    (checks.fair_psnr, lambda *case: fair(*case, hide=constant(0))),
    (checks.fair_psnr, lambda *case: fair(*case, hide=noise_around_a_random_colour)),
    (checks.fair_psnr, lambda *case: fair(*case, hide=lambda photo, mask: photo[~mask].mean(axis=0))),
    (checks.fair_psnr, lambda *case: fair(*case, hide=lambda p, m: np.random.default_rng().integers(0, 256, 3))),
]

# (check, wrong answer, words that the message must hold)
WRONG = [
    (checks.psnr_in_hole, lambda p, f, m: psnr(p, f, everywhere(m)), "whole photo"),
    (checks.psnr_in_hole, lambda p, f, m: psnr(p, f, m, cast=np.uint8), "0 to 255 only"),
    (checks.psnr_in_hole, lambda p, f, m: psnr(p, f, everywhere(m), cast=np.uint8), "two at once"),
    (checks.psnr_in_hole, lambda p, f, m: psnr(p, f, m, cast=np.int16), "int16 holds"),
    (checks.psnr_in_hole, lambda p, f, m: psnr(p, f, hole_box(m).slices), "box around the hole"),
    (checks.psnr_in_hole, lambda p, f, m: psnr(*(x * m[..., None] for x in (p, f)), everywhere(m)), "yet count"),
    (checks.psnr_in_hole, lambda p, f, m: psnr(p, f, m, factor=5), "was a root taken"),
    (checks.psnr_in_hole, lambda p, f, m: psnr(p, f, m, factor=1), "bel"),
    (checks.psnr_in_hole, lambda p, f, m: psnr(p, f, m, peak=255**2 / 3), "over the channels"),
    (checks.psnr_in_hole, lambda p, f, m: psnr(p / 255, f / 255, m), "divided by 255"),
    (
        checks.psnr_in_hole,
        lambda p, f, m: 10 * np.log10(255**2 / np.mean((p[m] - f[m]).astype(float) ** 2)),
        "floats come too late",
    ),
    (checks.psnr_in_hole, lambda p, f, m: psnr(p, f, m, peak=1), "the peak is 1"),
    (checks.psnr_in_hole, lambda p, f, m: psnr(p, f, m, peak=255), "squared, like the error"),
    (checks.psnr_in_hole, lambda p, f, m: psnr(p, f, m, factor=20), "20 belongs"),
    (checks.psnr_in_hole, lambda p, f, m: psnr(p, f, m, log=np.log), "base 10"),
    (checks.psnr_in_hole, lambda p, f, m: -psnr(p, f, m), "the sign"),
    (checks.psnr_in_hole, outside, "inside and outside"),
    (checks.psnr_in_hole, mean_absolute, "not squared"),
    (checks.psnr_in_hole, by_channel, "one logarithm"),
    (checks.psnr_in_hole, divided_by_hole, "outside the hole"),
    (checks.psnr_in_hole, lambda p, f, m: float("nan"), "not NaN"),
    (checks.psnr_in_hole, lambda p, f, m: hole_psnr(p, f, m), "without it"),
    (checks.psnr_in_hole, lambda p, f, m: metrics.hole_psnr(p, f, m), "without it"),
    (checks.psnr_in_hole, lambda p, f, m: float("inf"), "too large"),
    (checks.psnr_in_hole, lambda p, f, m: "30 dB", "a number is expected"),
    (checks.prediction, ("CDAB", "BCD"), "D does not come before A"),
    (checks.prediction, ("DCAB", "BCD"), "10 grey levels"),
    (checks.prediction, ("CADB", "BCD"), "two different stones"),
    (checks.prediction, ("CBAD", "BCD"), "something added"),
    (checks.prediction, ("ABCD", "BCD"), "B does not come before C"),
    (checks.prediction, ("CABD", "CD"), "B belongs to"),
    (checks.prediction, ("CABD", "ABCD"), "A is not among"),
    (checks.prediction, ("CAB", "BCD"), "all four letters"),
    (checks.prediction, ("CABX", "BCD"), "letters A to D"),
    (checks.prediction, "CABD", "pair is expected"),
    (checks.prediction, (1, 2), "letters are expected"),
    (checks.interval, lambda o, t, random: interval(o, t, random, flat=True), "every hole is drawn by itself"),
    (checks.interval, lambda o, t, random: interval(o[:-1], t[:-1], random), "your interval"),
    (checks.interval, lambda o, t, random: interval(o[1:], t[1:], random), "your interval"),
    (checks.interval, unpaired, "drawn apart"),
    (checks.interval, drawn_again_among_the_holes, "too wide"),
    (checks.interval, around_mean, "standard deviation"),
    (checks.interval, lambda *case: around_mean(*case, divisor=lambda n: n**0.5 / 1.96), "by formula"),
    (checks.interval, lambda *case: around_mean(*case, divisor=lambda n: n**0.5 / stats.t.ppf(0.975, n - 1)),
     "by formula"),
    (checks.interval, lambda *case: around_mean(*case, divisor=lambda n: (n - 1) ** 0.5 / 1.96), "your interval"),
    (checks.interval, lambda o, t, random: (float("-inf"), float("inf")), "too wide"),
    (checks.interval, lambda o, t, random: ("low", "high"), "a number is expected"),
    (checks.interval, lambda *case: around_mean(*case, divisor=np.sqrt), "two thirds"),
    (checks.interval, lambda o, t, random: interval(o, t, random, share=90), "90 %"),
    (checks.interval, lambda o, t, random: interval(t, o, random), "the sign"),
    (checks.interval, lambda o, t, random: interval(o, 0 * t, random), "not subtracted"),
    (checks.interval, lambda o, t, random: interval(o[:, :1], t[:, :1], random), "only the first holes"),
    (checks.interval, lambda o, t, random: np.multiply(interval(o, t, random), len(o)), "sums over the photos"),
    (checks.interval, lambda o, t, _: np.percentile((o - t).mean(axis=1), [2.5, 97.5]), "nothing is resampled"),
    (checks.interval, lambda o, t, random: np.percentile(o - t, [2.5, 97.5]), "single holes"),
    (checks.interval, lambda *case: interval(*case)[::-1], "lower end comes first"),
    (checks.interval, lambda *case: np.mean(interval(*case)), "pair (low, high)"),
    (checks.interval, lambda o, t, random: ((o - t).mean(), (o - t).mean()), "too narrow"),
    (checks.errors_by_depth, lambda *case: by_depth(*case, depths=from_border), "photo's border"),
    (checks.errors_by_depth, lambda *case: by_depth(*case, depths=from_middle), "For a box"),
    (
        checks.errors_by_depth,
        lambda p, f, m: by_depth(p, f, m, lambda m: ndimage.distance_transform_edt(~m), inside=np.logical_not),
        "hand it the mask as it is",
    ),
    (
        checks.errors_by_depth,
        lambda *case: by_depth(*case, lambda m: ndimage.distance_transform_cdt(m, "chessboard")),
        "corner",
    ),
    (
        checks.errors_by_depth,
        lambda *case: by_depth(*case, lambda m: ndimage.distance_transform_cdt(m, "taxicab")),
        "rows and columns",
    ),
    (
        checks.errors_by_depth,
        lambda *case: by_depth(*case, lambda m: ndimage.distance_transform_edt(np.pad(m, 1))[1:-1, 1:-1]),
        "do not pad",
    ),
    (checks.errors_by_depth, lambda *case: by_depth(*case, cast=np.uint8), "0 to 255 only"),
    (checks.errors_by_depth, lambda *case: by_depth(*case, cast=np.int16), ""),
    (checks.errors_by_depth, lambda *case: by_depth(*case, root=lambda x: x), "root is missing"),
    (checks.errors_by_depth, absolute_by_depth, "not squared"),
    (checks.errors_by_depth, lambda *case: by_depth(*case)[::-1], "begin at the rim"),
    (checks.errors_by_depth, lambda *case: by_depth(*case, inside=np.ones_like, start=0), "known pixels"),
    (checks.errors_by_depth, lambda p, f, m: psnr(p, f, m), "number of dimensions"),
    (checks.errors_by_depth, lambda *case: "deep", "an array of"),
    (checks.errors_by_depth, lambda *case: by_depth(*case) + 0j, "an array of"),
    (checks.errors_by_depth, lambda *case: [str(error) for error in by_depth(*case)], "an array of"),
    (checks.errors_by_depth, lambda *case: by_depth(*case)[:-1], "deepest pixels are missing"),
    (checks.errors_by_depth, lambda *case: 3**0.5 * by_depth(*case), "over the channels"),
    (checks.errors_by_depth, lambda p, f, m: by_depth(p - f, np.zeros_like(p), m), "floats come too late"),
    (checks.fair_psnr, trusting, "shown the truth"),
    (checks.fair_psnr, trusting_with_copies, "shown the truth"),
    (checks.fair_psnr, lambda *case: fair(*case, copy_photo=False), "is too"),
    (checks.fair_psnr, lambda *case: fair(*case, copy_mask=False), "copy of the mask"),
    (checks.fair_psnr, lambda *case: fair(*case, where=everywhere), "pixels of the hole"),
    (checks.fair_psnr, lambda *case: fair(*case, where=np.logical_not), "is too"),
    (checks.fair_psnr, emptied_only_once, "is too"),
    (checks.fair_psnr, writing_into_the_photo, "Write into a copy"),
    (checks.fair_psnr, lambda *case: fair(*case, hide=one_pixel_of_the_hole), "made from the truth"),
    (checks.fair_psnr, noise_everywhere, "Known pixels are changed"),
    (checks.fair_psnr, lambda fill, p, m: fair(lambda x, y: fill(x, ~y), p, m), "another mask"),
    (checks.fair_psnr, lambda *case: fair(*case, hide=lambda p, m: p[m].mean(axis=0)), "made from the truth"),
    (checks.fair_psnr, lambda *case: fair(*case, hide=lambda p, m: p.mean(axis=(0, 1))), "made from the truth"),
    (checks.fair_psnr, lambda *case: fair(*case, hide=lambda p, m: p.mean()), "made from the truth"),
    (checks.fair_psnr, lambda *case: fair(*case, hide=lambda p, m: np.median(p, axis=(0, 1))), "made from the truth"),
    (checks.fair_psnr, lambda *case: fair(*case, hide=lambda p, m: p[m].max()), "made from the truth"),
    (checks.fair_psnr, lambda *case: fair(*case, hide=lambda p, m: p[m][0]), "made from the truth"),
    (
        checks.fair_psnr,
        lambda *case: fair(*case, hide=lambda p, m: np.random.default_rng().permutation(p[m])),
        "made from the truth",
    ),
    (
        checks.fair_psnr,
        lambda *case: fair(*case, hide=lambda p, m: 255 - p[m]),
        "resembles the truth",
    ),
    (  # what blurs in from around the hole decides by which of two signs it is found out
        checks.fair_psnr,
        lambda *case: fair(*case, hide=lambda p, m: ndimage.uniform_filter(p, (3, 3, 1))[m]),
        "What stands in the hole",
    ),
    (checks.fair_psnr, lambda fill, p, m: 25.0, "never calls the fill"),
    (checks.fair_psnr, a_second_look, "shown the truth"),
    (checks.fair_psnr, a_first_look, "shown the truth"),
    (checks.fair_psnr, lambda fill, p, m: fair(fill, p, m, where=lambda m: m[::-1]), "is too"),
    (checks.fair_psnr, lambda fill, p, m: fair(lambda x, y: fill(x / 255, y), p, m), "needs a photo"),
]  # fmt: skip


class TestChecks(ExerciseChecks):
    RIGHT, WRONG = RIGHT, WRONG
    VALUES = (checks.prediction,)
    FEWEST_WRONG = 8


def test_the_four_fills_keep_what_is_known_and_lie_apart():
    """The order that exercise 2 asks for must not hang on a rounding."""
    photo, mask, fills = checks.four_fills()
    assert all((filled == photo)[~mask].all() for filled in fills.values())
    psnr = sorted(hole_psnr(photo, filled, mask) for filled in fills.values())
    assert np.diff(psnr).min() > 0.7
    ratios = [gradient_energy_ratio(photo, filled, mask) for filled in fills.values()]
    assert all(abs(ratio - limit) > 0.05 for ratio in ratios for limit in (0.85, 1.15))


def test_no_message_gives_an_answer_away():
    """What is said of a wrong prediction never holds the whole right one."""
    for order in ("ABCD", "CDAB", "CADB", "CBAD"):
        verdict = checks.prediction((order, "A"))
        assert verdict.state == NOT_YET
        assert "CABD" not in verdict.message and "BCD" not in verdict.message


@pytest.mark.parametrize("rounds", [2, 20])
def test_too_few_resamplings_are_noticed(rounds):
    verdicts = [checks.interval(lambda o, t, random: interval(o, t, random, rounds=rounds)) for _ in range(4)]
    assert all(verdict.state == NOT_YET for verdict in verdicts)
    # Now and then so few draws look like another mistake.
    assert any("enough of them" in verdict.message for verdict in verdicts)
