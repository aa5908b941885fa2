"""Two pictures in the same place, and a slider that wipes from one to the other, in the browser alone."""

import base64
import html
import io
from uuid import uuid4

from IPython.display import HTML
from PIL import Image

from glcic_lite.method.photos import PhotoSource, open_photo

_TEMPLATE = """
<figure style="width:{width}px;max-width:100%;margin:0">
  <div style="position:relative;line-height:0">
    <img src="data:image/jpeg;base64,{before}" alt="{before_title}" style="width:100%;max-width:none">
    <img id="{id}" src="data:image/jpeg;base64,{after}" alt="{after_title}"
         style="width:100%;max-width:none;position:absolute;left:0;top:0;clip-path:inset(0 0 0 50%)">
    <div id="{id}-line" style="position:absolute;top:0;bottom:0;left:50%;width:2px;background:white;
         box-shadow:0 0 4px black;pointer-events:none"></div>
  </div>
  <input type="range" min="0" max="100" step="0.5" value="50" style="width:100%;margin:6px 0 0"
    aria-label="Wipe from {before_title} to {after_title}"
    oninput="document.getElementById('{id}').style.clipPath='inset(0 0 0 '+this.value+'%)';
             document.getElementById('{id}-line').style.left=this.value+'%'">
  <figcaption style="display:flex;justify-content:space-between;font-size:90%">
    <span>{before_title}</span><span>{after_title}</span></figcaption>
</figure>
"""


def before_after(
    before: PhotoSource, after: PhotoSource, titles: tuple[str, str] = ("before", "after"), width: int = 640
) -> HTML:
    """A before/after slider for mouse, finger or arrow keys; once shown, it needs no kernel.

    Args:
        before, after: two pictures of the same size.
        titles: what they are called, for the line below and for screen readers.
        width: in pixels; larger pictures are reduced to it, so that the notebook stays small.

    Raises:
        ValueError: the two pictures differ in size.
    """
    before, after = open_photo(before), open_photo(after)
    if before.size != after.size:
        raise ValueError(f"the two pictures differ in size: {before.size} and {after.size}")
    pictures = [_encoded(picture, width) for picture in (before, after)]
    return HTML(
        _TEMPLATE.format(
            id=f"wipe-{uuid4().hex[:8]}",
            width=min(width, before.width),
            before=pictures[0],
            after=pictures[1],
            before_title=html.escape(titles[0]),
            after_title=html.escape(titles[1]),
        )
    )


def _encoded(picture: Image.Image, width: int) -> str:
    if picture.width > width:
        height = max(1, round(picture.height * width / picture.width))
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return base64.b64encode(buffer.getvalue()).decode()
