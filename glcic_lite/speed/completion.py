"""Completing a photo soon and in little memory: the six steps of `method.completion`, for one part of a hole at a time.

The network is not run on the whole photo but only on what a part can see (lesson 01), layer by layer on no more than
the layers after it need (`fast_network`), and large parts are blended on a quadtree. The result is the same.

Unless `scale` is 1, parts thicker than the network has learned are completed in a reduced copy: see `method.scale`.
"""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from PIL import Image

from glcic_lite.method.blending import CROSS
from glcic_lite.method.completion import keep_inside, open_both, shipped_network
from glcic_lite.method.masks import Box, mask_to_tensor
from glcic_lite.method.metadata import kept
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import PhotoSource, photo_to_tensor
from glcic_lite.method.scale import Scale, by_scale, enlarged, given_reduction, reduced
from glcic_lite.method.tones import on_curve, tone_curve
from glcic_lite.speed.crops import parts, seen_by, tiles
from glcic_lite.speed.fast_network import FastNetwork
from glcic_lite.speed.quadtree import add_correction
from glcic_lite.speed.stopping import Check, check_for, never

MARGIN = 2  # pixels of a reduced copy around a part of a hole, which enlarging reads
STRIP = 4_000_000  # pixels of the photo that are reduced at once


def complete(
    photo: PhotoSource,
    mask: PhotoSource,
    network: CompletionNetwork | FastNetwork | None = None,
    blend: bool = True,
    dtype: torch.dtype | None = None,
    scale: Scale = "auto",
    should_stop: Callable[[], bool] | None = None,
) -> Image.Image:
    """Fill the hole of a photo.

    Args:
        photo: a PIL image, a path or an array; any size from 1 x 1, any mode (see `open_photo`).
        mask: the same; a hole where it is at least half white; of the photo's size.
        network: a `CompletionNetwork`; by default the shipped weights. It is run where its parameters lie. For many
            photos, a `FastNetwork` spares preparing it for each; its own dtype counts.
        blend: remove the tint between the hole and the photo by Poisson blending; False shows the bare network.
        dtype: what the network computes in, as for `FastNetwork`; by default bfloat16 where that is faster.
        scale: of the photo in which the network paints: 1 is the photo as it is, as in the paper; 1/2, 1/3, ... a
            reduced copy of it; "auto" takes 1 for each part of the hole that is no thicker than what the network has
            learned, and for thicker ones a copy in which they are half as thick as that (see `method.scale`).
            `scale_of` tells which.
        should_stop: asked many times a second, in this thread, whether the completion is to be given up.

    Returns:
        An RGB image of the photo's size. Outside the hole every pixel equals the photo's. An empty mask returns the
        photo. EXIF data, resolution and colour profile are in its `info` (see `open_photo`).

    Raises:
        PhotoError: a photo or mask that cannot be read.
        MaskError: a mask of another size, or one that covers the whole photo.
        WeightsError: the network paints NaN or infinite numbers.
        ValueError: `scale` is none of those above.
        Stopped: `should_stop` returned True.
    """
    given, check = given_reduction(scale), check_for(should_stop)
    image, hole = open_both(photo, mask)
    completed = image.copy()
    if not hole.any():
        return completed
    completed.info = kept(image.info)
    fast = network if isinstance(network, FastNetwork) else FastNetwork(network or shipped_network(), dtype)
    for part in parts(hole):
        box = part.with_rim(hole.shape)
        inside = hole[box.slices]
        groups = [(inside, given)] if given else by_scale(inside, fast.largest_hole, hole.shape)
        for group, reduction in groups:
            check()
            painted = _painted(image, hole, box, group, reduction, fast, blend, check)
            known = np.asarray(completed.crop(box))
            if blend:
                add_correction(known[..., : painted.shape[2]], painted, group, check)
            completed.paste(Image.fromarray(keep_inside(known, painted, group)), (box.left, box.top))
    return completed


def _painted(
    image: Image.Image,
    hole: np.ndarray,
    box: Box,
    group: np.ndarray,
    reduction: int,
    fast: FastNetwork,
    blend: bool,
    check: Check,
) -> np.ndarray:
    """Steps 2 to 5 for a group of connected parts of the hole, in a copy of the photo that many times smaller.

    Args:
        box: holds the group and its rim.
        group: bool (box height, box width).

    Returns:
        What is painted in the box, enlarged again: (box height, box width, 3 or 1) float32, as `on_curve` has it.
    """
    if reduction == 1:
        view = seen_by(box, hole.shape).inside(hole.shape)  # nothing beyond matters: the cost follows the hole
        seen, its_hole = np.asarray(image.crop(view)), hole[view.slices]
        painted = paint_box(seen, its_hole, box.relative_to(view), fast, group, check)
        return on_curve(painted, tone_curve(seen, its_hole))
    copy_shape = -(-hole.shape[0] // reduction), -(-hole.shape[1] // reduction)
    copy_box = _in_copy(box, reduction).inside(copy_shape)
    view = seen_by(copy_box, copy_shape).inside(copy_shape)
    seen, its_hole = _reduced_view(image, hole, view, reduction, check)
    inside = copy_box.relative_to(view)
    part = its_hole[inside.slices]
    painted = paint_box(seen, its_hole, inside, fast, part, check)
    curve = tone_curve(seen, its_hole)
    if its_hole.all() or (curve is not None and curve.shape[1] == 1):  # thin colours at the rim may be lost in the copy
        curve = tone_curve(np.asarray(image.crop(box)), hole[box.slices])
    painted = on_curve(painted, curve)
    known = seen[inside.slices][..., : painted.shape[2]]
    if blend and part.any():
        add_correction(known, painted, part, check)
    np.copyto(painted, known, where=~part[..., None])
    stands_for = Box(*(edge * reduction for edge in copy_box))
    return enlarged(painted, reduction)[box.relative_to(stands_for).slices]


def _in_copy(box: Box, reduction: int) -> Box:
    """What a box of the photo is in the copy, and a margin around it."""
    left, top = (edge // reduction - MARGIN for edge in box[:2])
    right, bottom = (-(-edge // reduction) + MARGIN for edge in box[2:])
    return Box(left, top, right, bottom)


def _reduced_view(
    image: Image.Image, hole: np.ndarray, view: Box, reduction: int, check: Check
) -> tuple[np.ndarray, np.ndarray]:
    """A part of the reduced copy: `reduced`, some rows at a time, so that memory stays bounded."""
    strip = max(1, STRIP // (view.width * reduction**2))  # rows of the copy
    copies, holes = [], []
    for top in range(view.top, view.bottom, strip):
        check()
        rows = view._replace(top=top, bottom=min(top + strip, view.bottom))
        source = Box(*(edge * reduction for edge in rows)).inside(hole.shape)
        copy, copy_hole = reduced(np.asarray(image.crop(source)), hole[source.slices], reduction)
        copies.append(copy)
        holes.append(copy_hole)
    return np.concatenate(copies), np.concatenate(holes)


def paint(
    photo: np.ndarray, hole: np.ndarray, network: CompletionNetwork, dtype: torch.dtype | None = None
) -> np.ndarray:
    """Steps 2 to 5 at scale 1: what the network paints, on the crops of the photo that the hole needs.

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
        painted[box.slices] = paint_box(photo, hole, box, fast, hole[box.slices])
    return painted


def paint_box(
    photo: np.ndarray, hole: np.ndarray, box: Box, fast: FastNetwork, part: np.ndarray, check: Check = never
) -> np.ndarray:
    """What `paint` paints in a box, in and next to a part of the hole: (box height, box width, 3).

    Args:
        part: bool (box height, box width), the part of the hole that is wanted.
    """
    wanted = np.zeros(hole.shape, dtype=bool)
    wanted[box.slices] = cv2.dilate(part.astype(np.uint8), CROSS)
    painted = np.zeros((box.height, box.width, 3), dtype=np.float32)
    if not part.any():
        return painted
    for tile in tiles(box.shrunk_to(wanted), wanted):
        region = seen_by(tile, hole.shape)
        inputs = photo_to_tensor(_cut_out(photo, region)).to(fast.device)  # steps 2 and 3
        mask = mask_to_tensor(_cut_out(hole, region)).to(fast.device)
        output = fast(inputs, mask, tile.relative_to(region), check)  # steps 4 and 5
        piece = (output[0] * 255).permute(1, 2, 0).cpu().numpy()
        np.copyto(painted[tile.relative_to(box).slices], piece, where=wanted[tile.slices][..., None])
    return painted


def _cut_out(array: np.ndarray, region: Box) -> np.ndarray:
    """A region of a photo; where it extends over the border, the last row and column are repeated."""
    cut = array[region.slices]
    missing = [(0, region.height - cut.shape[0]), (0, region.width - cut.shape[1]), (0, 0)][: cut.ndim]
    return np.pad(cut, missing, mode="edge") if any(after for _, after in missing) else cut
