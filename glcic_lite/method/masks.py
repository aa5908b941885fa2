"""Masks: where the hole is. A mask is True (white in a file) in the hole and False (black) where the photo is known."""

import os
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw

from glcic_lite.method.photos import PhotoError, PhotoSource, levels, open_image


class MaskError(ValueError):
    """A mask that cannot be used with its photo; the message says why."""


class Box(NamedTuple):
    """A rectangle in pixels; right and bottom lie just outside, as in Pillow."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns: `mask[box.slices]` is what a mask (H, W) holds in the box."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def area(self) -> int:
        return self.width * self.height

    @property
    def halves(self) -> tuple["Box", ...]:
        """Two boxes that share the longer side; a single pixel is returned as it is."""
        if max(self.width, self.height) < 2:
            return (self,)
        if self.width >= self.height:
            middle = (self.left + self.right) // 2
            return self._replace(right=middle), self._replace(left=middle)
        middle = (self.top + self.bottom) // 2
        return self._replace(bottom=middle), self._replace(top=middle)

    def inside(self, shape: tuple[int, int]) -> "Box":
        """The part of the box that lies in a photo of (height, width)."""
        return Box(max(self.left, 0), max(self.top, 0), min(self.right, shape[1]), min(self.bottom, shape[0]))

    def with_rim(self, shape: tuple[int, int]) -> "Box":
        """The box and one pixel around it, inside a photo of (height, width)."""
        return Box(self.left - 1, self.top - 1, self.right + 1, self.bottom + 1).inside(shape)

    def union(self, other: "Box") -> "Box":
        """The smallest box that holds both."""
        left, top = min(self.left, other.left), min(self.top, other.top)
        return Box(left, top, max(self.right, other.right), max(self.bottom, other.bottom))

    def touches(self, other: "Box") -> bool:
        """Whether the two boxes, each with its rim, have a pixel in common."""
        beside = self.left <= other.right + 1 and other.left <= self.right + 1
        return beside and self.top <= other.bottom + 1 and other.top <= self.bottom + 1

    def relative_to(self, origin: "Box") -> "Box":
        """The same box in the pixels of another one that holds it."""
        left, top = origin[:2]
        return Box(self.left - left, self.top - top, self.right - left, self.bottom - top)

    def shrunk_to(self, mask: np.ndarray) -> "Box":
        """The smallest box around the part of the hole that lies in this one; there must be some."""
        inner = hole_box(mask[self.slices])
        return Box(inner.left + self.left, inner.top + self.top, inner.right + self.left, inner.bottom + self.top)


def open_mask(source: PhotoSource, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read a mask: a hole wherever it is at least half white.

    Args:
        source: a path, a PIL image or an array, in any mode; arrays of whole numbers may be of any type, with 1,
            255 or 65535 for white. Transparent parts count as black. The threshold settles a JPEG's grey fringes. In a
            mask that holds only 0 and 1, 1 is white.
        size: (width, height) that the mask must have: the photo's.

    Returns:
        Bool (H, W), True in the hole.

    Raises:
        MaskError: the mask has another size.
        PhotoError: it cannot be read, is in a mode such as LAB, or holds numbers of which nobody can say what is white:
            NaN, or those that `photos.levels` refuses.
    """
    values, white = _grey_levels(source, size)
    return values >= white / 2


def looks_like_a_photo(source: PhotoSource) -> bool:
    """Whether a mask, as `open_mask` reads it, is full of greys: more than a fifth of it is neither black nor white."""
    values, white = _grey_levels(source)
    return bool(((values > 0.08 * white) & (values < 0.92 * white)).mean() > 0.2)


def _grey_levels(source: PhotoSource, size: tuple[int, int] | None = None) -> tuple[np.ndarray, float]:
    """A mask's levels, (H, W), and which of them is white. See `open_mask`."""
    image = open_image(_settled(source) if isinstance(source, np.ndarray) else source)
    if size is not None and image.size != tuple(size):
        raise MaskError(f"the mask is {image.width} x {image.height} pixels, the photo {size[0]} x {size[1]}")
    if image.mode.startswith("I") or image.mode == "F":  # 16 or 32 bit: half of the largest value the file can mean
        name = str(source) if isinstance(source, str | os.PathLike) else "the mask"
        values, white = levels(image, name)
        if image.mode.startswith("I;16") and values.max() <= 255:  # only 0 and 1, or 0 and 255, as programs write masks
            white = 255.0 if values.max() > 1 else 1.0
        return values, white
    try:
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
        values = np.asarray(image.convert("L"))
    except ValueError as error:
        raise PhotoError(f"a mask in mode {image.mode} cannot be made grey") from error
    return values, 255.0 if values.max() > 1 else 1.0


def _settled(mask: np.ndarray) -> np.ndarray:
    """An array of whole numbers of any type, or of grey levels as floats, as one that `open_image` takes."""
    if isinstance(mask, np.ma.MaskedArray):
        return mask  # refused there
    if mask.ndim == 2 and np.issubdtype(mask.dtype, np.floating) and ((mask >= 0) & (mask <= 1)).all():
        return mask >= 0.5
    wider = np.issubdtype(mask.dtype, np.integer) and mask.dtype != np.uint8
    if wider and mask.size and mask.min() >= 0:
        for white, narrow in ((1, bool), (255, np.uint8)):
            if mask.max() <= white:
                return mask.astype(narrow)
        if mask.max() == 65535:  # a smaller number beyond 255 is no white that anybody uses
            return mask.astype(np.uint16)
    return mask


def grow(mask: np.ndarray, pixels: int) -> np.ndarray:
    """A new mask whose hole is larger by `pixels` on every side: each of its pixels becomes a disc.

    Useful where a mask follows an object closely: its soft edge and its shadow belong to it. This course's addition.

    Args:
        mask: (H, W) bool, True in the hole.
        pixels: the disc's radius, at least 0 and up to some 2,000.
    """
    if not pixels or not mask.any():
        return mask.copy()
    hole = hole_box(mask)
    box = Box(hole.left - pixels, hole.top - pixels, hole.right + pixels, hole.bottom + pixels).inside(mask.shape)
    away = cv2.distanceTransform((~mask[box.slices]).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    grown = mask.copy()
    # r * r + r instead of r * r, as for the brush: the circle looks rounder.
    grown[box.slices] = np.rint(np.square(away, dtype=np.float64)) <= pixels * pixels + pixels
    return grown


def why_no_hole(source: PhotoSource) -> str:
    """For a mask in which `open_mask` has found no hole: what it shows instead, and how it becomes a mask."""
    nothing = "nothing in it is white, so there is no hole to fill"
    image = open_image(_settled(source) if isinstance(source, np.ndarray) else source)
    if image.mode.startswith("I") or image.mode == "F":
        brightest = np.asarray(image).max()
    else:
        black = Image.new("RGBA", image.size, "black")
        pixels = np.asarray(Image.alpha_composite(black, image.convert("RGBA")))[..., :3].reshape(-1, 3)
        brightest = pixels[pixels.sum(axis=1).argmax()]
    if not np.any(brightest):
        return f"{nothing}: it is all black, or transparent, which counts as black"
    colour = ", ".join(str(value) for value in np.atleast_1d(brightest))
    return f"{nothing}: its brightest colour is {colour}; in a label picture or coloured strokes, paint the hole white"


def mask_to_tensor(mask: np.ndarray) -> torch.Tensor:
    """A mask as the networks take it: bool (H, W) to (1, 1, H, W) float32, 1 in the hole; step 3 of the program."""
    return torch.from_numpy(np.array(mask))[None, None].float()


def mask_image(mask: np.ndarray) -> Image.Image:
    """A bool mask (H, W) as a black and white picture to save or look at."""
    return Image.fromarray(mask.astype(np.uint8) * 255)


def box_mask(size: tuple[int, int], box: Box) -> np.ndarray:
    """A mask of (width, height) whose hole is one box: bool (H, W)."""
    mask = np.zeros((size[1], size[0]), dtype=bool)
    mask[box.slices] = True
    return mask


def random_box(random: np.random.Generator, size: tuple[int, int], sides: tuple[int, int]) -> Box:
    """A random rectangle inside a photo of (width, height), each side drawn evenly from sides[0] to sides[1] pixels.

    The paper uses 96 to 128 pixels in photos of 256 x 256 (section 3.3).
    """
    if not 1 <= sides[0] <= sides[1] <= min(size):
        raise ValueError(f"a box with sides {sides} does not fit into a photo of {size[0]} x {size[1]}")
    width, height = (int(x) for x in random.integers(sides[0], sides[1], size=2, endpoint=True))
    left = int(random.integers(0, size[0] - width, endpoint=True))
    top = int(random.integers(0, size[1] - height, endpoint=True))
    return Box(left, top, left + width, top + height)


def free_form_strokes(
    random: np.random.Generator, size: tuple[int, int], width: tuple[int, int], length: int, strokes: int = 1
) -> np.ndarray:
    """Brush strokes as a hand would draw them: lines that bend as they go, with round ends.

    Args:
        random: decides everything.
        size: (width, height) of the photo.
        width: smallest and largest width of a stroke, in pixels.
        length: length of each stroke, in pixels, where the photo's border does not cut it short.
        strokes: how many.

    Returns:
        Bool (H, W), True in the hole; never empty.
    """
    image = Image.new("1", size)
    draw = ImageDraw.Draw(image)
    for _ in range(strokes):
        brush = int(random.integers(width[0], width[1], endpoint=True))
        x, y = random.uniform(0, size[0] - 1), random.uniform(0, size[1] - 1)
        angle = random.uniform(0, 2 * np.pi)
        step = max(2.0, length / 12)
        r = brush / 2
        draw.ellipse((x - r, y - r, x + r, y + r), fill=1)  # a round end
        for _ in range(max(1, round(length / step))):
            angle += random.normal(0, 0.5)
            to_x = min(max(x + step * float(np.cos(angle)), 0.0), size[0] - 1.0)
            to_y = min(max(y + step * float(np.sin(angle)), 0.0), size[1] - 1.0)
            draw.line((x, y, to_x, to_y), fill=1, width=brush)
            draw.ellipse((to_x - r, to_y - r, to_x + r, to_y + r), fill=1)  # and round joints
            if (to_x in (0, size[0] - 1)) or (to_y in (0, size[1] - 1)):
                angle += np.pi / 2  # turn away from the border
            x, y = to_x, to_y
    mask = np.array(image, dtype=bool)
    mask[int(y), int(x)] = True
    return mask


def hole_box(mask: np.ndarray) -> Box:
    """The smallest box around the hole of a bool mask (H, W).

    Raises:
        MaskError: the mask has no hole.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise MaskError("the mask has no hole")
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def local_patch(hole: Box, patch_size: int, size: tuple[int, int]) -> Box:
    """The square that the local discriminator sees: centred on the hole, moved inside the photo at its border.

    Args:
        hole: the box around the hole.
        patch_size: side of the square, in pixels.
        size: (width, height) of the photo.

    Raises:
        ValueError: the photo is smaller than the patch.
    """
    if patch_size > min(size):
        raise ValueError(f"a patch of {patch_size} px does not fit into a photo of {size[0]} x {size[1]}")
    left = min(max((hole.left + hole.right - patch_size) // 2, 0), size[0] - patch_size)
    top = min(max((hole.top + hole.bottom - patch_size) // 2, 0), size[1] - patch_size)
    return Box(left, top, left + patch_size, top + patch_size)
