"""Completing a photo soon and in little memory: the six steps of `method.completion`, for one part of a hole at a time.

The network is not run on the whole photo but only on what a part can see (lesson 01), layer by layer on no more than
the layers after it need (`fast_network`), and large parts are blended on a quadtree. The result is the same.
"""

import cv2
import numpy as np
import torch
from PIL import Image

from glcic_lite.method.blending import CROSS
from glcic_lite.method.completion import keep_inside, open_both, shipped_network
from glcic_lite.method.masks import Box, mask_to_tensor
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import PhotoSource, photo_to_tensor
from glcic_lite.speed.crops import parts, seen_by, tiles
from glcic_lite.speed.fast_network import FastNetwork
from glcic_lite.speed.quadtree import add_correction


def complete(
    photo: PhotoSource,
    mask: PhotoSource,
    network: CompletionNetwork | FastNetwork | None = None,
    blend: bool = True,
    dtype: torch.dtype | None = None,
) -> Image.Image:
    """Fill the hole of a photo.

    Args:
        photo: a PIL image, a path or an array; any size from 1 x 1, any mode (see `open_photo`).
        mask: the same; a hole where it is at least half white; of the photo's size.
        network: a `CompletionNetwork`; by default the shipped weights. It is run where its parameters lie. For many
            photos, a `FastNetwork` spares preparing it for each; its own dtype counts.
        blend: remove the tint between the hole and the photo by Poisson blending; False shows the bare network.
        dtype: what the network computes in, as for `FastNetwork`; by default bfloat16 where that is faster.

    Returns:
        An RGB image of the photo's size. Outside the hole every pixel equals the photo's. An empty mask returns the
        photo.

    Raises:
        PhotoError: a photo or mask that cannot be read.
        MaskError: a mask of another size, or one that covers the whole photo.
        WeightsError: the network paints NaN or infinite numbers.
    """
    image, hole = open_both(photo, mask)
    completed = image.copy()
    if not hole.any():
        return completed
    completed.info = {key: value for key, value in image.info.items() if key == "icc_profile"}
    fast = network if isinstance(network, FastNetwork) else FastNetwork(network or shipped_network(), dtype)
    for part in parts(hole):
        box = part.with_rim(hole.shape)
        view = seen_by(box, hole.shape).inside(hole.shape)  # nothing beyond matters: the cost follows the hole
        inside = box.relative_to(view)
        seen = np.asarray(image.crop(view))
        painted = paint_box(seen, hole[view.slices], inside, fast)
        known, its_hole = seen[inside.slices], hole[box.slices]
        if blend:
            add_correction(known, painted, its_hole)
        completed.paste(Image.fromarray(keep_inside(known, painted, its_hole)), (box.left, box.top))
    return completed


def paint(
    photo: np.ndarray, hole: np.ndarray, network: CompletionNetwork, dtype: torch.dtype | None = None
) -> np.ndarray:
    """Steps 2 to 5: what the network paints, on the crops of the photo that the hole needs.

    Args:
        photo: (H, W, 3) uint8.
        hole: (H, W) bool, True where the network is to paint.
        network: run with the statistics of evaluation mode, and left as it is.
        dtype: as for `complete`.

    Returns:
        (H, W, 3) float32 from 0 to 255: the network's output inside the hole and on its rim, the pixels just outside,
        where blending compares it with the photo; zeros elsewhere.
    """
    painted = np.zeros(photo.shape, dtype=np.float32)
    fast = FastNetwork(network, dtype)
    for part in parts(hole):
        box = part.with_rim(hole.shape)
        painted[box.slices] = paint_box(photo, hole, box, fast)
    return painted


def paint_box(photo: np.ndarray, hole: np.ndarray, box: Box, fast: FastNetwork) -> np.ndarray:
    """What `paint` paints in a box that holds a part of the hole and its rim: (box height, box width, 3)."""
    wanted = np.zeros(hole.shape, dtype=bool)
    wanted[box.slices] = cv2.dilate(hole[box.slices].astype(np.uint8), CROSS)
    painted = np.zeros((box.height, box.width, 3), dtype=np.float32)
    for tile in tiles(box, wanted):
        region = seen_by(tile, hole.shape)
        inputs = photo_to_tensor(_cut_out(photo, region)).to(fast.device)  # steps 2 and 3
        mask = mask_to_tensor(_cut_out(hole, region)).to(fast.device)
        output = fast(inputs, mask, tile.relative_to(region))  # steps 4 and 5: the network blackens the hole itself
        piece = (output[0] * 255).permute(1, 2, 0).cpu().numpy()
        np.copyto(painted[tile.relative_to(box).slices], piece, where=wanted[tile.slices][..., None])
    return painted


def _cut_out(array: np.ndarray, region: Box) -> np.ndarray:
    """A region of a photo; where it extends over the border, the last row and column are repeated."""
    cut = array[region.slices]
    missing = [(0, region.height - cut.shape[0]), (0, region.width - cut.shape[1]), (0, 0)][: cut.ndim]
    return np.pad(cut, missing, mode="edge") if any(after for _, after in missing) else cut
