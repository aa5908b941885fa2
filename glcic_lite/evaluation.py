"""How good a completion is: PSNR, SSIM and texture inside the hole, against classical fills, on photos never seen."""

import os
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image
from skimage.metrics import structural_similarity

from glcic_lite.blending import smooth_fill
from glcic_lite.completion import complete
from glcic_lite.masks import Box, box_mask, free_form_strokes
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
        for side in BOX_SIDES:
            x, y = (int(v) for v in random.integers(0, CROP - side, size=2, endpoint=True))
            yield TestCase(path.name, f"box {side}", crop, box_mask((CROP, CROP), Box(x, y, x + side, y + side)))
        stroke = free_form_strokes(random, (CROP, CROP), (STROKE_WIDTH, STROKE_WIDTH), CROP // 2)
        yield TestCase(path.name, f"stroke {STROKE_WIDTH}", crop, stroke)


# The fills. None of them reads the photo inside the hole.


def mean_fill(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean colour of what is known: what the network is given to start from."""
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


def hole_ssim(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    """Structural similarity (Wang et al., 2004), the mean of its map over the pixels of the hole, -1 to 1."""
    _, similarity = structural_similarity(photo, filled, channel_axis=2, full=True, data_range=255)
    return float(similarity[mask].mean())


def gradient_energy_ratio(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    """Mean gradient magnitude in the hole relative to the real photo's: near 0 for fog, 1 for as much texture."""
    return float(_gradient(filled)[mask].mean() / max(_gradient(photo)[mask].mean(), 1e-9))


def _gradient(photo: np.ndarray) -> np.ndarray:
    down, across = np.gradient(photo.astype(np.float64).mean(axis=2))
    return np.hypot(down, across)


METRICS = {"psnr": hole_psnr, "ssim": hole_ssim, "texture": gradient_energy_ratio}


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
        One row a fill and hole: photo, hole, fill, psnr (dB), ssim, texture (ratio).

    Raises:
        PhotoError: no photo in the folder can be used; a few that cannot are skipped with a warning.
    """
    fills = {
        "network": network_fill(network, blend=False),
        "network, blended": network_fill(network),
        **CLASSICAL_FILLS,
    }
    rows = []
    for case in test_cases(folder, seed):
        filled = {name: fill(case.photo, case.mask) for name, fill in fills.items()}
        for name, result in filled.items():
            row = {"photo": case.photo_name, "hole": case.hole_kind, "fill": name}
            row |= {metric: measure(case.photo, result, case.mask) for metric, measure in METRICS.items()}
            rows.append(row)
        if on_case:
            on_case(case, filled)
    if not rows:
        raise PhotoError(f"{folder}: no photo can be read and is large enough for a crop of {CROP} x {CROP}")
    return rows


def averages(rows: list[dict]) -> list[dict]:
    """The mean over photos of every metric, one row for each kind of hole and fill, in the order of `rows`."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in sorted(rows, key=lambda r: r["hole"]):
        groups.setdefault((row["hole"], row["fill"]), []).append(row)
    return [
        {"hole": hole, "fill": fill, "photos": len(group)}
        | {metric: float(np.mean([row[metric] for row in group])) for metric in METRICS}
        for (hole, fill), group in groups.items()
    ]
