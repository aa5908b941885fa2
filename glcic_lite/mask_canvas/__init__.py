"""Draw a hole on a photo, in a notebook: `completion_studio()` fills it in, `MaskCanvas(photo)` gives the mask."""

from glcic_lite.mask_canvas.studio import completion_studio
from glcic_lite.mask_canvas.widget import MaskCanvas

__all__ = ["MaskCanvas", "completion_studio"]
