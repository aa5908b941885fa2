"""How good a completion is: numbers for the hole, against classical fills, on photos never seen, with intervals."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image
from scipy.stats import bootstrap
from skimage.metrics import structural_similarity

from glcic_lite.blending import poisson_blend, smooth_fill
from glcic_lite.completion import complete, paint, shipped_network
from glcic_lite.masks import Box, box_mask, free_form_strokes, hole_box
from glcic_lite.networks import CompletionNetwork
from glcic_lite.photos import PhotoError, list_photos, open_photo

CROP = 256  # side of the test crops, in pixels
LONG_SIDE = 640  # the photos are reduced to this first: at full size a crop would show a piece of fur, not a scene
BOX_SIDES = (32, 48, 64)
STROKE_WIDTH = 20

Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]  # photo (H, W, 3) uint8 and mask (H, W) bool to (H, W, 3) uint8


class TestCase(NamedTuple):
    """A crop of a test photo and one hole in it."""

    photo_name: str
    hole_kind: str
    photo: np.ndarray  # (CROP, CROP, 3) uint8
    mask: np.ndarray  # (CROP, CROP) bool


def test_cases(folder: str | os.PathLike, seed: int = 0) -> Iterator[TestCase]:
    """One crop of every photo in a folder, each with a box of every size and one brush stroke; the same every time."""
    for number, path in enumerate(list_photos(folder)):
        try:
            photo = open_photo(path)
        except PhotoError as error:
            warnings.warn(f"photo skipped: {error}", stacklevel=2)
            continue
        photo.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS, reducing_gap=None)
        if min(photo.size) < CROP:
            warnings.warn(f"photo skipped: {path} is smaller than {CROP} x {CROP} once reduced", stacklevel=2)
            continue
        random = np.random.default_rng((seed, number))
        left, top = (int(random.integers(0, side - CROP, endpoint=True)) for side in photo.size)
        crop = np.asarray(photo.crop((left, top, left + CROP, top + CROP)))
        name = path.relative_to(folder).as_posix()  # in another folder there may be another photo of this name
        for side in BOX_SIDES:
            x, y = (int(v) for v in random.integers(0, CROP - side, size=2, endpoint=True))
            yield TestCase(name, f"box {side}", crop, box_mask((CROP, CROP), Box(x, y, x + side, y + side)))
        stroke = free_form_strokes(random, (CROP, CROP), (STROKE_WIDTH, STROKE_WIDTH), CROP // 2)
        yield TestCase(name, f"stroke {STROKE_WIDTH}", crop, stroke)


# The fills. None of them reads the photo inside the hole.


def mean_fill(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean colour of what is known of this photo, all over the hole."""
    result = photo.copy()
    result[mask] = np.rint(photo[~mask].mean(axis=0))
    return result


def harmonic_fill(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The smoothest fill: Laplace's equation, each pixel the mean of its neighbours."""
    result = photo.copy()
    result[mask] = np.rint(smooth_fill(photo.astype(np.float64), mask)).clip(0, 255)
    return result


def telea_fill(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fast marching (Telea, 2004), OpenCV's implementation, radius 3."""
    return cv2.inpaint(_emptied(photo, mask), mask.astype(np.uint8), 3, cv2.INPAINT_TELEA)


def navier_stokes_fill(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Navier-Stokes inpainting (Bertalmio et al., 2001), OpenCV's implementation, radius 3."""
    return cv2.inpaint(_emptied(photo, mask), mask.astype(np.uint8), 3, cv2.INPAINT_NS)


def network_fill(network: CompletionNetwork | None = None, blend: bool = True) -> Fill:
    """`complete` as a fill, with a network of one's choice."""
    return lambda photo, mask: np.asarray(complete(photo, mask, network, blend))


def network_fills(
    photo: np.ndarray, mask: np.ndarray, network: CompletionNetwork | None = None
) -> dict[str, np.ndarray]:
    """The bare output and the blended one, by the names they have in `evaluate`; the network is run once for both."""
    painted = paint(photo, mask, network or shipped_network())
    filled = {}
    for name, values in (("network", painted), ("network, blended", poisson_blend(photo, painted, mask))):
        filled[name] = photo.copy()
        filled[name][mask] = np.rint(values[mask]).clip(0, 255)
    return filled


def every_fill(photo: np.ndarray, mask: np.ndarray, network: CompletionNetwork | None = None) -> dict[str, np.ndarray]:
    """A photo with its hole filled in every way of `evaluate`, by name."""
    classical = {name: fill(photo, mask) for name, fill in CLASSICAL_FILLS.items()}
    return network_fills(photo, mask, network) | classical


def _emptied(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    photo = photo.copy()
    photo[mask] = 0
    return photo


CLASSICAL_FILLS: dict[str, Fill] = {
    "mean colour": mean_fill,
    "harmonic": harmonic_fill,
    "Telea": telea_fill,
    "Navier-Stokes": navier_stokes_fill,
}


# The metrics


def hole_psnr(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    """Peak signal to noise ratio over the pixels of the hole, in decibels; infinite where they are equal."""
    error = np.mean((photo[mask].astype(np.float64) - filled[mask]) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def hole_l1(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    """Mean absolute difference over the pixels of the hole, in grey levels, 0 to 255."""
    return float(np.mean(np.abs(photo[mask].astype(np.float64) - filled[mask])))


def hole_ssim(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    """Structural similarity (Wang et al., 2004), the mean of its map over the pixels of the hole, -1 to 1."""
    window = _around(mask, 7)  # the map looks 3 pixels far, and needs 7 of them; what lies beyond only costs time
    _, similarity = structural_similarity(photo[window], filled[window], channel_axis=2, full=True, data_range=255)
    return float(similarity[mask[window]].mean())


def gradient_energy_ratio(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    """Mean gradient magnitude in the hole relative to the real photo's: near 0 for fog, 1 for as much texture.

    Not a number where the photo has none that could be compared with: less than `FLAT`, as in a studio's white.
    """
    window = _around(mask, 2)
    hole = mask[window]
    real = gradient(photo[window])[hole].mean()
    return float(gradient(filled[window])[hole].mean() / real) if real >= FLAT else float("nan")


def gradient(photo: np.ndarray) -> np.ndarray:
    """How fast the grey level changes at each pixel, in grey levels a pixel: (H, W, 3) to (H, W)."""
    down, across = np.gradient(photo.astype(np.float64).mean(axis=2))
    return np.hypot(down, across)


def _around(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Rows and columns of the hole and a margin around it, as far as the photo goes."""
    box = hole_box(mask)
    return (
        slice(max(box.top - margin, 0), box.bottom + margin),
        slice(max(box.left - margin, 0), box.right + margin),
    )


FLAT = 0.25  # grey levels a pixel
EQUAL = 100.0  # dB that a mean counts where hole and photo are equal, as the validation while training does

METRICS = {"psnr": hole_psnr, "ssim": hole_ssim, "texture": gradient_energy_ratio, "l1": hole_l1}


def evaluate(
    folder: str | os.PathLike,
    network: CompletionNetwork | None = None,
    seed: int = 0,
    on_case: Callable[[TestCase, dict[str, np.ndarray]], None] | None = None,
) -> list[dict]:
    """Fill every hole of `test_cases` in every way and measure it.

    Args:
        folder: photos never trained on.
        network: the weights to measure; None: the shipped ones.
        seed: decides crops and holes.
        on_case: called after each hole with the case and what every fill, by its name, has made of it.

    Returns:
        One row a fill and hole: photo, hole, fill, psnr (dB), ssim, texture (ratio), l1 (grey levels).

    Raises:
        PhotoError: no photo in the folder can be used; a few that cannot are skipped with a warning.
    """
    rows = []
    for case in test_cases(folder, seed):
        filled = every_fill(case.photo, case.mask, network)
        for name, result in filled.items():
            row = {"photo": case.photo_name, "hole": case.hole_kind, "fill": name}
            row |= {metric: measure(case.photo, result, case.mask) for metric, measure in METRICS.items()}
            rows.append(row)
        if on_case:
            on_case(case, filled)
    if not rows:
        raise PhotoError(f"{folder}: no photo can be read and is large enough for a crop of {CROP} x {CROP}")
    return rows


class Interval(NamedTuple):
    """A mean, and where it would probably lie had other photos been drawn."""

    mean: float
    low: float
    high: float


def mean_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """The mean and its 95 % bootstrap interval (Efron, 1979): what the means of resampled values mostly lie between.

    Args:
        values: independent of each other: one a photo, not one a hole, since holes of a photo resemble each other.
        seed: decides the 4000 resamplings.

    Returns:
        With fewer than two values there is nothing to resample: `low` and `high` are not a number then.
    """
    values = np.asarray(values, dtype=float)
    if values.size < 2:
        return Interval(float(values[0]) if values.size else float("nan"), float("nan"), float("nan"))
    random = np.random.default_rng(seed)  # by this name SciPy takes it in old and in new versions
    found = bootstrap((values,), np.mean, n_resamples=4000, method="percentile", random_state=random)
    return Interval(float(values.mean()), *(float(end) for end in found.confidence_interval))


def averages(rows: list[dict], intervals: bool = False) -> list[dict]:
    """The mean over photos of every metric, one row for each kind of hole and fill, in the order of `rows`.

    Args:
        rows: as from `evaluate`, or read from a CSV file of it; metrics that they lack are left out, and so are photos
            where a metric is no number.
        intervals: adds the ends of each mean's interval, as "psnr_low" and "psnr_high".
    """
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in sorted(rows, key=lambda r: r["hole"]):
        groups.setdefault((row["hole"], row["fill"]), []).append(row)
    means = []
    for (hole, fill), group in groups.items():
        mean = {"hole": hole, "fill": fill, "photos": len(group)}
        for metric in METRICS:
            if metric in group[0]:
                values = [value for row in group if not np.isnan(value := _number(row, metric))]
                mean[metric] = float(np.mean(values)) if values else float("nan")
                if intervals:
                    _, mean[f"{metric}_low"], mean[f"{metric}_high"] = mean_interval(values)
        means.append(mean)
    return means


def _number(row: dict, metric: str) -> float:
    """A metric of a row, as it goes into a mean: infinite decibels as `EQUAL`."""
    value = float(row[metric])
    return min(value, EQUAL) if metric == "psnr" else value


def paired(rows: list[dict], fill: str, other: str, metric: str = "psnr", hole: str | None = None) -> dict[str, float]:
    """How much higher one fill measures than another, photo by photo: what differs between photos drops out.

    Args:
        rows: as from `evaluate`.
        fill, other: the names of two fills.
        metric: one of `METRICS`.
        hole: a kind of hole; None takes the mean over all kinds, so that a photo still counts once.

    Returns:
        A difference for each photo, by its name.
    """
    differences: dict[str, dict[str, float]] = {}  # photo to kind of hole to difference
    for sign, name in ((1, fill), (-1, other)):
        for row in rows:
            if row["fill"] == name and hole in (None, row["hole"]) and not np.isnan(value := _number(row, metric)):
                of_photo = differences.setdefault(row["photo"], {})
                of_photo[row["hole"]] = of_photo.get(row["hole"], 0.0) + sign * value
    return {photo: float(np.mean(list(found.values()))) for photo, found in differences.items()}
