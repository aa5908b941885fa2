"""The blends that lesson 07 compares with the exact one: fast marching along the rim, and OpenCV's `seamlessClone`."""

import cv2
import numpy as np


def march_rim(photo: np.ndarray, painted: np.ndarray, mask: np.ndarray, width: int = 3) -> np.ndarray:
    """Fast marching (Telea, 2004): replace the outermost pixels of a painting by what both sides of them suggest.

    Args:
        photo, painted: (H, W, 3) uint8.
        mask: (H, W) bool, True in the hole.
        width: of the band along the inside of the rim, in pixels.

    Returns:
        (H, W, 3) uint8: the photo outside the hole, the painting deep inside it, in between the band.
    """
    deep = cv2.erode(mask.astype(np.uint8), np.ones((2 * width + 1, 2 * width + 1), np.uint8)) > 0
    together = np.where(mask[..., None], painted, photo)
    return cv2.inpaint(together, (mask & ~deep).astype(np.uint8), 3, cv2.INPAINT_TELEA)


def seamless_clone(photo: np.ndarray, painted: np.ndarray, mask: np.ndarray, march: bool = True) -> np.ndarray:
    """The post-processing of the authors' program, for comparison: OpenCV's `seamlessClone` after fast marching.

    OpenCV takes the box around the hole, erodes the hole by three pixels and centres the rest on a point given in whole
    pixels. So the painting may be shifted and cut off at the photo's border, and its edge rests on pixels inside the
    hole: those must hold something, and `march` says whether fast marching puts it there (else the painting is there).
    It solves in the whole box, so where the hole is no rectangle it may change known pixels as well.

    Arguments and result are those of `march_rim`.
    """
    together = np.where(mask[..., None], painted, photo)
    below = cv2.inpaint(together, mask.astype(np.uint8), 1, cv2.INPAINT_TELEA) if march else together
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    centre = (int(columns[0] + columns[-1] + 1) // 2, int(rows[0] + rows[-1] + 1) // 2)
    return cv2.seamlessClone(together, below, mask.astype(np.uint8) * 255, centre, cv2.NORMAL_CLONE)
