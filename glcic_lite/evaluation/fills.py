"""Ways to fill a hole: classical ones, and the network. None of them reads the photo inside the hole."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from skimage.restoration import inpaint_biharmonic

from glcic_lite.method.blending import poisson_blend
from glcic_lite.method.masks import MaskError
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.scale import Scale, scale_of
from glcic_lite.speed.completion import complete, paint, shipped_network
from glcic_lite.speed.fast_network import FastNetwork
from glcic_lite.speed.quadtree import add_correction, smooth_fill

Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]  # photo (H, W, 3) uint8 and mask (H, W) bool to (H, W, 3) uint8


class FillError(RuntimeError):
    """A fill that cannot run in this installation, or measurements that cannot be read; the message says why."""


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


def biharmonic_fill(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The fill that bends least: it continues slopes as well as colours. scikit-image's implementation."""
    result = photo.copy()
    filled = inpaint_biharmonic(_emptied(photo, mask) / 255.0, mask, channel_axis=2, split_into_regions=True)
    result[mask] = np.rint(255 * filled[mask])
    return result


def telea_fill(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fast marching (Telea, 2004), OpenCV's implementation, radius 3."""
    return cv2.inpaint(_emptied(photo, mask), mask.astype(np.uint8), 3, cv2.INPAINT_TELEA)


def navier_stokes_fill(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Navier-Stokes inpainting (Bertalmio et al., 2001), OpenCV's implementation, radius 3."""
    return cv2.inpaint(_emptied(photo, mask), mask.astype(np.uint8), 3, cv2.INPAINT_NS)


def fsr_fast_fill(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Frequency selective reconstruction, OpenCV's quick setting: the same every time, and on any number of threads."""
    return _xphoto_fill(photo, mask, "INPAINT_FSR_FAST", cv2.COLOR_RGB2BGR, cv2.COLOR_BGR2RGB)


def fsr_best_fill(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Frequency selective reconstruction, OpenCV's thorough setting: many times slower than the quick one."""
    return _xphoto_fill(photo, mask, "INPAINT_FSR_BEST", cv2.COLOR_RGB2BGR, cv2.COLOR_BGR2RGB)


def shift_map_fill(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Copies pixels of the photo, moved by a few offsets that it chooses (statistics of patches, and graph cuts)."""
    return _xphoto_fill(photo, mask, "INPAINT_SHIFTMAP", cv2.COLOR_RGB2Lab, cv2.COLOR_Lab2RGB)


def _xphoto_fill(photo: np.ndarray, mask: np.ndarray, method: str, there: int, back: int) -> np.ndarray:
    """A fill of OpenCV's module xphoto, which takes its mask the other way round: zero in the hole.

    Its documentation wants BGR for FSR and a colour space with brightness apart, such as Lab, for the shift-map. Both
    change known pixels (by rounding, and by seams), which are put back; the shift-map draws random numbers, so their
    seed is set; and it ends the whole process where nothing is to be filled.
    """
    if not hasattr(getattr(cv2, "xphoto", None), method):
        raise FillError(
            "this OpenCV lacks the fills of xphoto; run: pip uninstall -y opencv-python opencv-python-headless "
            "opencv-contrib-python opencv-contrib-python-headless && pip install opencv-contrib-python-headless"
        )
    result = photo.copy()
    if mask.any():
        cv2.setRNGSeed(0)
        emptied = cv2.cvtColor(_emptied(photo, mask), there)
        filled = np.zeros_like(emptied)
        cv2.xphoto.inpaint(emptied, np.where(mask, 0, 255).astype(np.uint8), filled, getattr(cv2.xphoto, method))
        result[mask] = cv2.cvtColor(filled, back)[mask]
    return result


def network_fill(
    network: CompletionNetwork | FastNetwork | None = None, blend: bool = True, scale: Scale = "auto"
) -> Fill:
    """`complete` as a fill, with the given network; None: the shipped one."""
    return lambda photo, mask: np.asarray(complete(photo, mask, network, blend, scale=scale))


def network_fills(
    photo: np.ndarray, mask: np.ndarray, network: CompletionNetwork | None = None
) -> dict[str, np.ndarray]:
    """The bare output at scale 1 and what `complete` returns; where that is at scale 1 too, the network runs once."""
    network = network or shipped_network()
    painted = paint(photo, mask, network)
    bare = photo.copy()
    bare[mask] = np.rint(painted[mask]).clip(0, 255)
    if scale_of(mask, network.largest_hole) == 1:
        completed = photo.copy()
        completed[mask] = np.rint(poisson_blend(photo, painted, mask, add_correction)[mask]).clip(0, 255)
    else:
        completed = network_fill(network)(photo, mask)
    return {"network": bare, "network, blended": completed}


def every_fill(photo: np.ndarray, mask: np.ndarray, network: CompletionNetwork | None = None) -> dict[str, np.ndarray]:
    """A photo with its hole filled by the network, bare and blended, and in the `QUICK` classical ways, by name."""
    return network_fills(photo, mask, network) | {name: CLASSICAL_FILLS[name](photo, mask) for name in QUICK}


def _emptied(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    photo = photo.copy()
    photo[mask] = 0
    return photo


@dataclass(frozen=True)
class ClassicalFill:
    """A fill without a network. Call it: photo (H, W, 3) uint8 and mask (H, W) bool to (H, W, 3) uint8.

    Attributes:
        function: what fills.
        about: what it does, in one line.
        source: who described it, and whose implementation runs.
        slow: whether a hole of 64 pixels takes longer than a tenth of a second or so; one of 192, many times that.
    """

    function: Fill
    about: str
    source: str
    slow: bool = False

    def __call__(self, photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """The photo with its hole filled; every known pixel as it was. An empty mask returns a copy.

        Raises:
            MaskError: nothing is known.
            FillError: this installation lacks it.
        """
        if not mask.any():
            return photo.copy()
        if mask.all():
            raise MaskError("the mask covers the whole photo: there is nothing to fill the hole from")
        return self.function(photo, mask)


CLASSICAL_FILLS: dict[str, ClassicalFill] = {
    "mean colour": ClassicalFill(mean_fill, "the mean colour of all known pixels", "the plainest baseline"),
    "harmonic": ClassicalFill(harmonic_fill, "each pixel the mean of its four neighbours", "Laplace's equation"),
    "biharmonic": ClassicalFill(
        biharmonic_fill,
        "continues slopes as well as colours, as smoothly as it can",
        "Damelin and Hoang 2018; scikit-image",
    ),
    "Telea": ClassicalFill(
        telea_fill, "marches inwards from the rim, averaging what is known nearby", "Telea 2004; OpenCV"
    ),
    "Navier-Stokes": ClassicalFill(
        navier_stokes_fill, "lets lines of equal brightness flow in from the rim", "Bertalmio and others 2001; OpenCV"
    ),
    "FSR fast": ClassicalFill(
        fsr_fast_fill,
        "continues the waves that describe the surroundings, block by block; quick setting",
        "Seiler and others 2015, Genser and others 2018; OpenCV",
        slow=True,
    ),
    "FSR best": ClassicalFill(
        fsr_best_fill,
        "the same waves, thorough setting: minutes for a large hole",
        "Seiler and others 2015, Genser and others 2018; OpenCV",
        slow=True,
    ),
    "shift-map": ClassicalFill(
        shift_map_fill,
        "copies pixels from elsewhere in the photo, along a few offsets",
        "He and Sun 2012; OpenCV",
        slow=True,
    ),
}

QUICK = ("mean colour", "harmonic", "Telea", "Navier-Stokes")  # while a slider moves
NETWORK_FILLS = ("network", "network, blended, scale 1", "network, blended")  # their names in `evaluate`
