"""Ways to fill a hole: classical ones, and the network. None of them reads the photo inside the hole."""

from collections.abc import Callable

import cv2
import numpy as np

from glcic_lite.method.blending import poisson_blend
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.speed.completion import complete, paint, shipped_network
from glcic_lite.speed.quadtree import add_correction, smooth_fill

Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]  # photo (H, W, 3) uint8 and mask (H, W) bool to (H, W, 3) uint8


def mean_fill(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean colour of the known pixels, everywhere in the hole."""
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
    """`complete` as a fill, with the given network; None: the shipped one."""
    return lambda photo, mask: np.asarray(complete(photo, mask, network, blend))


def network_fills(
    photo: np.ndarray, mask: np.ndarray, network: CompletionNetwork | None = None
) -> dict[str, np.ndarray]:
    """The bare output and the blended one, by their names in `evaluate`; the network runs once for both."""
    painted = paint(photo, mask, network or shipped_network())
    filled = {}
    blended = poisson_blend(photo, painted, mask, add_correction)
    for name, values in (("network", painted), ("network, blended", blended)):
        filled[name] = photo.copy()
        filled[name][mask] = np.rint(values[mask]).clip(0, 255)
    return filled


def every_fill(photo: np.ndarray, mask: np.ndarray, network: CompletionNetwork | None = None) -> dict[str, np.ndarray]:
    """A photo with its hole filled in each of the ways that `evaluate` measures, by name."""
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
