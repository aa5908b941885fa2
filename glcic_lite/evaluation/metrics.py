"""How good a completion is, in numbers computed over the pixels of the hole.

Everywhere `photo` and `filled` are (H, W, 3) with grey levels from 0 to 255, of any number type, and `mask` is (H, W)
bool, True in a hole that is not empty.
"""

import numpy as np
from skimage.metrics import structural_similarity

from glcic_lite.method.masks import hole_box

PSNR_LIMIT = 100.0  # dB; what a mean counts where hole and photo are equal: here, and in the validation of a training
FLAT = 0.25  # grey levels per pixel


def hole_psnr(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    """Peak signal-to-noise ratio over the pixels of the hole, in decibels; infinite where they are equal."""
    error = np.mean((photo[mask].astype(np.float64) - filled[mask]) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def hole_l1(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    """Mean absolute difference over the pixels of the hole, in grey levels, 0 to 255."""
    return float(np.mean(np.abs(photo[mask].astype(np.float64) - filled[mask])))


def hole_ssim(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    """Structural similarity (Wang et al., 2004): the mean of its map over the pixels of the hole, -1 to 1."""
    window = _around(mask, 7)  # the map's windows are 7 pixels wide and reach 3 pixels out; the rest only costs time
    _, similarity = structural_similarity(photo[window], filled[window], channel_axis=2, full=True, data_range=255)
    return float(similarity[mask[window]].mean())


def gradient_energy_ratio(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    """Mean gradient magnitude in the hole relative to the real photo's: near 0 for fog, 1 for as much texture.

    NaN where the photo's own is below `FLAT`, as in a white studio background: there is nothing to compare with.
    """
    window = _around(mask, 2)
    hole = mask[window]
    real = gradient(photo[window])[hole].mean()
    return float(gradient(filled[window])[hole].mean() / real) if real >= FLAT else float("nan")


def gradient(photo: np.ndarray) -> np.ndarray:
    """Gradient magnitude of the grey level at each pixel, in grey levels per pixel: (H, W, 3) to (H, W)."""
    down, across = np.gradient(photo.astype(np.float64).mean(axis=2))
    return np.hypot(down, across)


def _around(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Rows and columns of the hole's bounding box and a margin around it, clipped to the photo."""
    box = hole_box(mask)
    return (
        slice(max(box.top - margin, 0), box.bottom + margin),
        slice(max(box.left - margin, 0), box.right + margin),
    )


METRICS = {"psnr": hole_psnr, "ssim": hole_ssim, "texture": gradient_energy_ratio, "l1": hole_l1}


def measure_all(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Every one of `METRICS`, by name."""
    return {name: measure(photo, filled, mask) for name, measure in METRICS.items()}
