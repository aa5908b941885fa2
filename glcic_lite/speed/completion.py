"""Completing a photo soon and in little memory: the six steps of `method.completion`, for one part of a hole at a time.

The network is not run on the whole photo but only on what a part can see (lesson 01), layer by layer on no more than
the layers after it need (`fast_network`), and large parts are blended on a quadtree. The result is the same.

Unless `scale` is 1, parts thicker than the network has learned are completed in a reduced copy: see `method.scale`.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image

from glcic_lite.method.blending import CROSS
from glcic_lite.method.completion import keep_inside, open_both, shipped_network
from glcic_lite.method.masks import Box, mask_to_tensor
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import PhotoSource, photo_to_tensor
from glcic_lite.method.scale import Scale, depth, enlarged, given_reduction, reduced, reduction_for
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
            reduced copy of it; "auto" takes for each part of the hole one in which it is as thick as the network has
            learned (see `method.scale`). `scale_of` tells which.
        should_stop: asked many times a second, in this thread, whether the completion is to be given up.

    Returns:
        An RGB image of the photo's size. Outside the hole every pixel equals the photo's. An empty mask returns the
        photo.

    Raises:
        PhotoError: a photo or mask that cannot be read.
        MaskError: a mask of another size, or one that covers the whole photo.
        WeightsError: the network paints NaN or infinite numbers.
        ValueError: `scale` is none of those above.
        Stopped: `should_stop` returned True.
    """
    reduction, check = given_reduction(scale), check_for(should_stop)
    image, hole = open_both(photo, mask)
    completed = image.copy()
    if not hole.any():
        return completed
    completed.info = {key: value for key, value in image.info.items() if key == "icc_profile"}
    fast = network if isinstance(network, FastNetwork) else FastNetwork(network or shipped_network(), dtype)
    for part in parts(hole):
        for piece in pieces(hole, part, fast.largest_hole, reduction):
            check()
            box = piece.box
            painted = _painted(image, hole, piece, fast, blend, check)
            known = np.asarray(image.crop(box))
            if blend:
                add_correction(known, painted, piece.hole, check)
            known = np.asarray(completed.crop(box))
            completed.paste(Image.fromarray(keep_inside(known, painted, piece.hole)), (box.left, box.top))
    return completed


class Piece(NamedTuple):
    """Those connected parts of a hole that lie close together and are completed at the same scale.

    Attributes:
        box: holds them and the known pixels on their rim.
        hole: bool (box height, box width), True where they are.
        reduction: how many times smaller the copy of the photo is in which they are completed.
    """

    box: Box
    hole: np.ndarray
    reduction: int


def pieces(hole: np.ndarray, part: Box, largest_hole: float, reduction: int | None) -> Iterator[Piece]:
    """A part of a hole, divided by the scale at which each connected part is best completed.

    Args:
        hole: bool (H, W).
        part: one of its `parts`.
        largest_hole: that of the network.
        reduction: the same for all, or None: by their thickness.
    """
    box = part.with_rim(hole.shape)
    inside = hole[box.slices]
    if reduction is None:
        deep = depth(inside)
        reduction = reduction_for(2 * float(deep.max()), largest_hole, hole.shape)
        if reduction > 1:
            count, labels = cv2.connectedComponents(inside.astype(np.uint8), connectivity=4)
            thick = np.zeros(count)
            np.maximum.at(thick, labels[inside], 2 * deep[inside])
            reductions = np.array([reduction_for(t, largest_hole, hole.shape) for t in thick])
            reductions[0] = 0  # the known pixels
            for one in np.unique(reductions[1:]):
                chosen = (reductions == one)[labels]
                own = Box(0, 0, box.width, box.height).shrunk_to(chosen).with_rim(chosen.shape)
                its_box = Box(own.left + box.left, own.top + box.top, own.right + box.left, own.bottom + box.top)
                yield Piece(its_box, chosen[own.slices], int(one))
            return
    yield Piece(box, inside, reduction)


def _painted(
    image: Image.Image, hole: np.ndarray, piece: Piece, fast: FastNetwork, blend: bool, check: Check
) -> np.ndarray:
    """Steps 2 to 5 for a piece, at its scale: what the network paints in its box, (height, width, 3) float32."""
    times = piece.reduction
    if times == 1:
        view = seen_by(piece.box, hole.shape).inside(hole.shape)  # nothing beyond matters: the cost follows the hole
        its_box = piece.box.relative_to(view)
        return paint_box(np.asarray(image.crop(view)), hole[view.slices], its_box, fast, piece.hole, check)
    copy_shape = tuple(-(-side // times) for side in hole.shape)
    box = Box(
        *(edge // times - MARGIN for edge in piece.box[:2]), *(-(-edge // times) + MARGIN for edge in piece.box[2:])
    )
    box = box.inside(copy_shape)
    view = seen_by(box, copy_shape).inside(copy_shape)
    copy, copy_hole = _reduced_view(image, hole, view, times, check)
    inside = box.relative_to(view)
    known, its_hole = copy[inside.slices], copy_hole[inside.slices]
    painted = paint_box(copy, copy_hole, inside, fast, its_hole, check)
    if blend:
        add_correction(known, painted, its_hole, check)
    np.copyto(painted, known, where=~its_hole[..., None])
    large = enlarged(painted, times)
    stands_for = Box(*(edge * times for edge in box))
    return np.ascontiguousarray(large[piece.box.relative_to(stands_for).slices])


def _reduced_view(
    image: Image.Image, hole: np.ndarray, view: Box, times: int, check: Check
) -> tuple[np.ndarray, np.ndarray]:
    """A part of the reduced copy: `reduced`, some rows at a time, so that memory stays bounded."""
    strip = max(1, STRIP // (view.width * times**2))  # rows of the copy
    copies, holes = [], []
    for top in range(view.top, view.bottom, strip):
        check()
        rows = view._replace(top=top, bottom=min(top + strip, view.bottom))
        source = Box(*(edge * times for edge in rows)).inside(hole.shape)
        copy, copy_hole = reduced(np.asarray(image.crop(source)), hole[source.slices], times)
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
    for tile in tiles(box, wanted):
        region = seen_by(tile, hole.shape)
        inputs = photo_to_tensor(_cut_out(photo, region)).to(fast.device)  # steps 2 and 3
        mask = mask_to_tensor(_cut_out(hole, region)).to(fast.device)
        output = fast(inputs, mask, tile.relative_to(region), check)  # steps 4 and 5: the network blackens the hole
        piece = (output[0] * 255).permute(1, 2, 0).cpu().numpy()
        np.copyto(painted[tile.relative_to(box).slices], piece, where=wanted[tile.slices][..., None])
    return painted


def _cut_out(array: np.ndarray, region: Box) -> np.ndarray:
    """A region of a photo; where it extends over the border, the last row and column are repeated."""
    cut = array[region.slices]
    missing = [(0, region.height - cut.shape[0]), (0, region.width - cut.shape[1]), (0, 0)][: cut.ndim]
    return np.pad(cut, missing, mode="edge") if any(after for _, after in missing) else cut
