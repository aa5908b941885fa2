"""Completing a photo: the six steps of the program, for photos and masks of any size.

Here the network is run on the whole photo, and blending solves its equation on every pixel of the hole.
`glcic_lite.complete` gives the same pixels sooner and in less memory (`speed.completion`) at scale 1 (`method.scale`).
"""

import copy
from functools import cache

import numpy as np
import torch
from PIL import Image

from glcic_lite.method.architecture import size_divisor
from glcic_lite.method.blending import poisson_blend
from glcic_lite.method.masks import MaskError, mask_to_tensor, open_mask
from glcic_lite.method.metadata import kept
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import PhotoSource, open_photo, photo_to_tensor
from glcic_lite.method.pretrained import WeightsError
from glcic_lite.method.tones import on_curve, tone_curve


@cache
def shipped_network() -> CompletionNetwork:
    """The weights that come with the package, loaded once."""
    return CompletionNetwork.from_pretrained()


def complete(
    photo: PhotoSource, mask: PhotoSource, network: CompletionNetwork | None = None, blend: bool = True
) -> Image.Image:
    """Fill the hole of a photo. Arguments, result and errors are those of `glcic_lite.complete`, at scale 1."""
    image, hole = open_both(photo, mask)
    if not hole.any():
        return image.copy()
    known = np.asarray(image)
    painted = paint(known, hole, network or shipped_network())  # step 1, load the trained network, and steps 2 to 5
    painted = on_curve(painted, tone_curve(known, hole))  # a photo without colour stays without
    if blend:
        painted = poisson_blend(known[..., : painted.shape[2]], painted, hole)
    completed = Image.fromarray(keep_inside(known, painted, hole))  # step 6
    completed.info = kept(image.info)
    return completed


def open_both(photo: PhotoSource, mask: PhotoSource) -> tuple[Image.Image, np.ndarray]:
    """The photo as RGB, and its hole as bool (H, W); errors as for `glcic_lite.complete`."""
    image = open_photo(photo)
    hole = open_mask(mask, image.size)
    if hole.all():
        raise MaskError("the mask covers the whole photo: nothing is known to complete it from")
    return image, hole


@torch.no_grad()
def paint(photo: np.ndarray, hole: np.ndarray, network: CompletionNetwork) -> np.ndarray:
    """Steps 2 to 5: photo (H, W, 3) uint8 and hole (H, W) bool to what the network paints, (H, W, 3) float32 to 255."""
    height, width = hole.shape
    missing = [(0, -side % size_divisor()) for side in hole.shape]  # step 2: sides that are multiples of 4
    photo, hole = np.pad(photo, [*missing, (0, 0)], mode="edge"), np.pad(hole, missing, mode="edge")
    inputs, mask = photo_to_tensor(photo), mask_to_tensor(hole)  # step 3: tensors
    if network.training:
        network = copy.deepcopy(network).eval()  # the caller's stays in its mode
    device = network.mean_colour.device
    output = network(
        inputs.to(device), mask.to(device)
    )  # steps 4 and 5: it fills the hole with the mean colour, then paints
    return (output[0] * 255).permute(1, 2, 0).cpu().numpy()[:height, :width]


def keep_inside(photo: np.ndarray, painted: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Step 6: the photo (H, W, 3) uint8, and inside the hole the painting (H, W, 3 or 1), which is rounded in place.

    Raises a `WeightsError` where the painting contains NaN or infinite numbers.
    """
    if not np.isfinite(painted).all():
        raise WeightsError("the network paints NaN or infinite numbers: its weights are damaged, use other ones")
    np.rint(painted, out=painted).clip(0, 255, out=painted)
    result = photo.copy()
    np.copyto(result, painted, where=hole[..., None], casting="unsafe")
    return result
