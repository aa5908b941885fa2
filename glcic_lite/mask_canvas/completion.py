"""One completion for the studio: what was asked for, as it was at that moment, and what the browser gets of it."""

import io
import traceback
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from glcic_lite.mask_canvas.strokes import grow
from glcic_lite.mask_canvas.weights import learned_width
from glcic_lite.method.masks import MaskError, hole_box, mask_image
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import PhotoError
from glcic_lite.method.pretrained import WeightsError

Fill = Callable[[Image.Image, np.ndarray, CompletionNetwork, bool], Image.Image]
OWN_WORDS = (PhotoError, MaskError, WeightsError, OSError)  # their messages are written for the reader


class Request(NamedTuple):
    """All that a completion needs to know, as it was when it was asked for."""

    photo: Image.Image
    photo_number: int
    shown_size: tuple[int, int]
    mask: np.ndarray
    grow_by: int
    blend: bool
    network: CompletionNetwork
    fill: Fill
    strokes: int  # how many the reader had completed


class Completion(NamedTuple):
    """What became of a request: a result, its hole and what the browser shows of it, or a failure."""

    result: Image.Image | None = None
    hole: np.ndarray | None = None
    shown: dict = {}
    failure: Exception | None = None


def words_for(error: Exception) -> str:
    """What the reader gets to see of an error: its message if that was written for readers, else the traceback."""
    return str(error) if isinstance(error, OWN_WORDS) else "".join(traceback.format_exception(error))


def carry_out(request: Request) -> Completion:
    """Complete the photo. Errors become part of the answer: in a thread's log nobody would see them."""
    hole = grow(request.mask, request.grow_by) if request.grow_by else request.mask
    try:
        result = request.fill(request.photo, hole, request.network, request.blend)
        return Completion(result, hole, patch(request, hole, result))
    except Exception as error:
        return Completion(hole=hole, failure=error)


def patch(request: Request, hole: np.ndarray, result: Image.Image) -> dict:
    """The completed pixels as the browser gets them: a PNG of the hole's box, transparent outside the hole."""
    box = hole_box(hole)
    (width, height), (shown_width, shown_height) = request.photo.size, request.shown_size
    left, top = box.left * shown_width // width, box.top * shown_height // height
    right, bottom = -(-box.right * shown_width // width), -(-box.bottom * shown_height // height)
    if request.photo.size == request.shown_size:
        piece, alpha = result.crop(box), mask_image(hole[box.slices])
    else:
        size = right - left, bottom - top
        part = left * width / shown_width, top * height / shown_height
        part += right * width / shown_width, bottom * height / shown_height
        piece = result.resize(size, Image.Resampling.LANCZOS, box=part, reducing_gap=2.0)
        alpha = mask_image(hole).resize(size, Image.Resampling.BOX, box=part).point(lambda share: 255 * (share > 0))
    piece = piece.convert("RGB")
    piece.putalpha(alpha)
    png = io.BytesIO()
    piece.save(png, "PNG", compress_level=1, icc_profile=request.photo.info.get("icc_profile"))
    return {
        "photo": request.photo_number,
        "left": left,
        "top": top,
        "png": png.getvalue(),
        "across": hole_width(hole),
        "learned": learned_width(request.network),
    }


def hole_width(mask: np.ndarray) -> int:
    """How many pixels a hole is across at its widest: the diameter of the largest disc in it.

    What lies beyond the photo's border is unknown as well, so a hole at the border counts as wider than it looks.
    """
    box, (height, width) = hole_box(mask), mask.shape
    rows = slice(max(box.top - 1, 0), min(box.bottom + 1, height))  # with a rim of what is known, where there is one
    columns = slice(max(box.left - 1, 0), min(box.right + 1, width))
    return round(2 * float(cv2.distanceTransform(mask[rows, columns].astype(np.uint8), cv2.DIST_L2, 5).max()))
