"""How good a completion is, in numbers computed over the pixels of the hole.

Everywhere `photo` and `filled` are (H, W, 3) with grey levels from 0 to 255, of any number type, and `mask` is (H, W)
bool, True in a hole that is not empty.
"""

from collections.abc import Callable

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from skimage.metrics import structural_similarity

from glcic_lite.method.losses import mesh_kernels
from glcic_lite.method.masks import hole_box

PSNR_LIMIT = 100.0  # dB; what a mean counts where hole and photo are equal: here, and in the validation of a training
FLAT = 0.25  # grey levels per pixel
LEAST_MESH = 1e-4  # grey levels squared


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


def hole_haarpsi(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    """Haar wavelet-based perceptual similarity (Reisenhofer et al., 2018) over the hole, 0 to 1 for equal.

    Compares how strong edges are, of two finenesses and two directions, place by place at half the resolution; places
    with coarse structure in either picture count most. So a lost outline costs more than lost grain. It was
    made for slightly damaged photos, and agrees with people's scores of those better than SSIM; not for large holes.
    """
    top, left = (max(edge - 20, 0) // 2 * 2 for edge in (hole_box(mask).top, hole_box(mask).left))
    window = np.s_[top : hole_box(mask).bottom + 20, left : hole_box(mask).right + 20]
    first, second = (_halved(picture[window].astype(np.float64) @ RGB_TO_YIQ.T) for picture in (photo, filled))
    inside = _halved(mask[window].astype(np.float64)) > 0  # squares of 2 x 2 pixels that touch the hole
    similarities, weights = [], []
    for across in (False, True):
        fine = [_similarity(*(_haar(picture[..., 0], size, across) for picture in (first, second))) for size in (2, 4)]
        similarities.append(np.mean(fine, axis=0))
        weights.append(np.maximum(*(np.abs(_haar(picture[..., 0], 8, across)) for picture in (first, second))))
    soft = [
        cv2.blur(picture[..., 1:], (2, 2), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT) for picture in (first, second)
    ]
    similarities.append(_similarity(*soft).mean(axis=2))
    weights.append(np.mean(weights, axis=0))
    similar, weight = (np.array(maps)[:, inside] for maps in (similarities, weights))
    weight = weight + 1e-9  # where both are flat, all places count alike
    score = np.average(1 / (1 + np.exp(-HAARPSI_ALPHA * similar)), weights=weight)
    return float((np.log(score / (1 - score)) / HAARPSI_ALPHA) ** 2)


RGB_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
HAARPSI_C, HAARPSI_ALPHA = 30.0, 4.2  # the paper's


def _halved(picture: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels; a last odd row or column is halved with zeros, as in the authors' program."""
    height, width = (side + side % 2 for side in picture.shape[:2])
    even = np.zeros((height, width, *picture.shape[2:]))
    even[: picture.shape[0], : picture.shape[1]] = picture
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4


def _haar(grey: np.ndarray, size: int, across: bool) -> np.ndarray:
    """The Haar coefficient at each place: one half of a square of `size` pixels minus the other."""
    kernel = np.full((size, size), 1 / size)
    kernel[size // 2 :] *= -1
    anchor = (size // 2 - 1, size // 2 - 1)
    return cv2.filter2D(grey, -1, kernel.T if across else kernel, anchor=anchor, borderType=cv2.BORDER_CONSTANT)


def _similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """1 where two magnitudes are equal, near 0 where one is much the larger."""
    first, second = np.abs(first), np.abs(second)
    return (2 * first * second + HAARPSI_C) / (first**2 + second**2 + HAARPSI_C)


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


def colour_texture_ratio(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    """`gradient_energy_ratio` of the colours alone, of each pixel without its grey: above 1 for coloured grain.

    NaN where the photo's own is below `FLAT`, as in a grey photo.
    """
    window = _around(mask, 2)
    hole = mask[window]
    real, painted = (_colour_gradient(picture[window])[hole].mean() for picture in (photo, filled))
    return float(painted / real) if real >= FLAT else float("nan")


def _colour_gradient(photo: np.ndarray) -> np.ndarray:
    """Gradient magnitude, over all three colours, of what is left of each pixel without its grey: (H, W)."""
    colours = photo.astype(np.float64)
    down, across = np.gradient(colours - colours.mean(axis=2, keepdims=True), axis=(0, 1))
    return np.sqrt((down**2 + across**2).sum(axis=2))


def hole_mesh(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
    """How much more than the photo alternates from pixel to pixel in the hole, in decibels: above 0 for a fine mesh.

    The energy, in grey, of what `mesh_kernels` let through. `gradient_energy_ratio` does not see it: a gradient
    compares a pixel's two neighbours, not the pixel with its neighbour. Fog is far below 0. NaN where the photo has
    next to none of it, as in an even sky.
    """
    window = _around(mask, 4)
    hole = mask[window]
    real, painted = (_alternating(picture[window])[hole].mean() for picture in (photo, filled))
    return float(10 * np.log10(max(painted, LEAST_MESH) / real)) if real >= LEAST_MESH else float("nan")


def _alternating(photo: np.ndarray) -> np.ndarray:
    """Energy at each pixel of what alternates from column to column, row to row or like a chessboard: (H, W)."""
    grey = torch.from_numpy(photo.astype(np.float32).mean(axis=2))[None, None]
    waves = F.conv2d(F.pad(grey, (4, 4, 4, 4), mode="replicate"), mesh_kernels(grey.device))
    return waves.square().sum(dim=1)[0].numpy()


def _around(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Rows and columns of the hole's bounding box and a margin around it, clipped to the photo."""
    box = hole_box(mask)
    return (
        slice(max(box.top - margin, 0), box.bottom + margin),
        slice(max(box.left - margin, 0), box.right + margin),
    )


Measure = Callable[[np.ndarray, np.ndarray, np.ndarray], float]  # of (photo, filled, mask)
METRICS: dict[str, Measure] = {
    "psnr": hole_psnr,
    "ssim": hole_ssim,
    "haarpsi": hole_haarpsi,
    "texture": gradient_energy_ratio,
    "l1": hole_l1,
}

# Two more, of flaws that those do not see: for `evaluate --grain`.
GRAIN_METRICS: dict[str, Measure] = {"colour_texture": colour_texture_ratio, "mesh": hole_mesh}


def measure_all(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Every one of `METRICS`, by name."""
    return {name: measure(photo, filled, mask) for name, measure in METRICS.items()}
