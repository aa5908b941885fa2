"""Draw a hole on a photo, in a notebook: `MaskCanvas(photo)`, then read its `.mask`."""

from glcic_lite.mask_canvas.widget import MaskCanvas

__all__ = ["MaskCanvas"]
