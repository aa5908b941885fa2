"""The drawing widget's Python side. What happens under the pointer is in browser/canvas.js."""

import io
import json
import re
import traceback
from collections.abc import Callable
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from PIL import Image

from glcic_lite.mask_canvas.strokes import RunLengthError, decode_runs, encode_runs
from glcic_lite.method.masks import open_mask
from glcic_lite.method.photos import PhotoSource, open_photo

LONGEST_SIDE = 1600  # of the photo as the browser gets it: enough for a projector, and within what tablets can draw
BROWSER = Path(__file__).parent / "browser"
BY_THE_BROWSER = ("_drawing", "_view_count")  # internal traits that the browser may set; the second is ipywidgets' own
LINKED = """\
const sources = %s;
const addresses = {};
for (const [name, source] of Object.entries(sources)) {
  const text = source.replace(/from "\\.\\/([\\w.]+)"/g, (_, imported) => `from "${addresses[imported]}"`);
  const parts = [text, `\\n//# sourceURL=mask_canvas/browser/${name}`];
  addresses[name] = URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));
}
const { default: widget } = await import(Object.values(addresses).at(-1));
Object.values(addresses).forEach((address) => URL.revokeObjectURL(address));
export default widget;
"""


def linked(entry: str) -> str:
    """One JavaScript module that brings along a module of the folder `browser/` and all that it imports.

    anywidget hands the browser one text, in which `from "./mask.js"` would lead nowhere. So the text carries the
    sources, makes a module with an address (a blob URL, as anywidget does with the text itself) of each, and lets the
    imports point there. There is nothing to build: after a change to a module, restart the kernel.
    """
    sources: dict[str, str] = {}

    def add(name: str) -> None:
        source = (BROWSER / name).read_text(encoding="utf-8")
        for imported in re.findall(r'from "\./([\w.]+)"', source):
            if imported not in sources:
                add(imported)
        sources[name] = source  # after what it imports

    add(entry)
    return LINKED % json.dumps(sources)


def usual_brush(shown_size: tuple[int, int]) -> int:
    """What a brush begins with, odd: a twentieth of the long side, or, of a panorama, a third of the short one."""
    return min(max(shown_size) // 20, max(min(shown_size) // 3, 9)) // 2 * 2 + 1


class MaskCanvas(anywidget.AnyWidget):
    """Paint a hole on a photo with mouse, pen, finger or keyboard.

        canvas = MaskCanvas("photo.jpg")
        canvas            # as a cell's last line: shows it
        canvas.mask       # in a later cell: what was drawn

    The ink is drawn in the browser, so it follows the pointer while Python is busy. The mask comes to Python when a
    stroke ends. Large photos are shown, and drawn on, at no more than 1600 pixels on the long side; the mask has the
    photo's own size all the same.

    Args:
        photo: a path, a PIL image or an array.
        mask: a mask to start with: anything that `glcic_lite.method.masks.open_mask` reads, of the photo's size.
        brush_size: the brush's diameter in pixels of the photo as shown; odd. A twentieth of the long side if left out,
            less for a panorama.

    Attributes:
        photo: the PIL image, RGB. Setting another one clears the mask.
        mask: bool (H, W), True in the hole, of the photo's size. Each access returns a new array; to change the mask,
            set it. Observable: `canvas.observe(function, names="mask")` is told of every change, from either side.
        completed_strokes: counts what the reader did: strokes, rectangles, undoing, growing and so on. Observable.
            While Python is busy several of them may arrive as one change, always with the latest mask.
        brush_size: settable and observable.
        error: the traceback of the latest failure in a callback, shown under the canvas; empty while all is well.

    Raises:
        PhotoError, MaskError: the photo or the mask cannot be used; the message says why.
    """

    _esm = linked("canvas.js")
    _css = BROWSER / "canvas.css"

    _photo = traitlets.Bytes(help="The photo as shown, as a JPEG.").tag(sync=True)
    _photo_size = traitlets.List(help="[width, height] of the photo itself, which may be larger.").tag(sync=True)
    # The mask as it travels, and which photo it belongs to: a stroke may still be on its way when the photo changes.
    _drawing = traitlets.Dict(help="{photo: its number, width, height: as shown, runs: run lengths}").tag(sync=True)
    brush_size = traitlets.Int(help="The brush's diameter in pixels of the photo as shown; odd.").tag(sync=True)
    completed_strokes = traitlets.Int(0, help="What the reader did so far, from either side.").tag(sync=True)
    error = traitlets.Unicode("", help="The latest failure in a callback, shown under the canvas.").tag(sync=True)

    def __init__(self, photo: PhotoSource, mask: PhotoSource | None = None, brush_size: int | None = None, **options):
        self._callbacks: list[Callable[[MaskCanvas], None]] = []
        self._callback_error = ""
        self._photo_number = 0
        jpeg = self._take_photo(photo)
        drawing = self._take_mask(np.zeros(self._full_photo.size[::-1], dtype=bool) if mask is None else mask)
        brush_size = usual_brush(self._shown_size) if brush_size is None else brush_size
        size = list(self._full_photo.size)
        super().__init__(_photo=jpeg, _photo_size=size, _drawing=drawing, brush_size=brush_size, **options)

    @property
    def photo(self) -> Image.Image:
        return self._full_photo

    @photo.setter
    def photo(self, photo: PhotoSource) -> None:
        jpeg = self._take_photo(photo)
        with self.hold_sync():  # one message: the browser never sees the new photo under the old mask
            self._photo, self._photo_size = jpeg, list(self._full_photo.size)
            self.mask = np.zeros(self._full_photo.size[::-1], dtype=bool)

    def _take_photo(self, photo: PhotoSource) -> bytes:
        """Make this the photo. Returns what the browser gets: a JPEG."""
        self._full_photo = shown = open_photo(photo)
        if max(shown.size) > LONGEST_SIDE:
            scale = LONGEST_SIDE / max(shown.size)
            shown = shown.resize([max(1, round(side * scale)) for side in shown.size], reducing_gap=2.0)
        jpeg = io.BytesIO()
        shown.save(jpeg, "JPEG", quality=90, icc_profile=self._full_photo.info.get("icc_profile"))
        self._shown_size = shown.size
        self._photo_number += 1
        return jpeg.getvalue()

    @property
    def mask(self) -> np.ndarray:
        if self._assigned_mask is not None:
            return self._assigned_mask.copy()
        shown = decode_runs(self._drawing["runs"], *self._shown_size)
        (width, height), (shown_width, shown_height) = self._full_photo.size, self._shown_size
        if (width, height) == (shown_width, shown_height):
            return shown
        rows = np.arange(height) * shown_height // height
        columns = np.arange(width) * shown_width // width
        return shown[rows][:, columns]

    @mask.setter
    def mask(self, mask: PhotoSource) -> None:
        self._drawing = self._take_mask(mask)

    def _take_mask(self, mask: PhotoSource) -> dict:
        """Make this the mask. Returns what the browser gets."""
        full = open_mask(mask, self._full_photo.size)
        (width, height), (shown_width, shown_height) = self._full_photo.size, self._shown_size
        # The blocks of pixels that `mask` above makes of one shown pixel. One hole pixel makes the whole block a hole.
        first_rows = -(-np.arange(shown_height) * height // shown_height)
        first_columns = -(-np.arange(shown_width) * width // shown_width)
        shown = np.logical_or.reduceat(np.logical_or.reduceat(full, first_rows, axis=0), first_columns, axis=1)
        self._assigned_mask = full  # comes back exactly as it was set, until the reader draws on it
        runs = encode_runs(shown)
        return {"photo": self._photo_number, "width": shown_width, "height": shown_height, "runs": runs}

    def on_stroke(self, callback: Callable[["MaskCanvas"], None], remove: bool = False) -> None:
        """Call `callback(canvas)` after everything the reader draws, erases or undoes, or stop doing so.

        If it raises an exception, the canvas shows it, and `error` keeps the traceback.

        Raises:
            TypeError: `callback` is no function, such as what calling one has returned.
        """
        if not callable(callback):
            raise TypeError(
                f"on_stroke takes a function, not {callback!r}: canvas.on_stroke(show), without parentheses"
            )
        if remove:
            self._callbacks.remove(callback)
        else:
            self._callbacks.append(callback)

    def set_state(self, sync_data: dict) -> None:
        """Take over what arrives from the browser: of what is internal only the drawing, and that after checking it."""
        internal = [name for name in sync_data if name.startswith("_") and name not in BY_THE_BROWSER]
        if internal:
            sync_data = {name: value for name, value in sync_data.items() if name not in internal}
            self.send_state(
                [name for name in internal if self.has_trait(name)]
            )  # the browser goes back to what is true
        drawing = sync_data.get("_drawing")
        if drawing is not None:
            try:
                is_current = self._check_drawing(drawing)
            except RunLengthError as error:
                is_current = False
                self.error = f"The drawing that arrived from the browser was refused: {error}"
            if is_current:
                self._assigned_mask = None
            else:
                sync_data = {k: v for k, v in sync_data.items() if k not in ("_drawing", "completed_strokes")}
                self.send_state(["_drawing", "completed_strokes"])  # the browser goes back to what Python has
        super().set_state(sync_data)

    def _check_drawing(self, drawing: dict) -> bool:
        """Whether a drawing from the browser belongs to the current photo. RunLengthError: it is not a mask at all."""
        if not isinstance(drawing, dict) or drawing.keys() != {"photo", "width", "height", "runs"}:
            raise RunLengthError("it does not have the four parts of a drawing")
        if drawing["photo"] != self._photo_number:
            return False
        if (drawing["width"], drawing["height"]) != self._shown_size:
            raise RunLengthError(f"it is {drawing['width']} x {drawing['height']}, but the photo as shown is not")
        decode_runs(drawing["runs"], *self._shown_size)
        return True

    @traitlets.validate("brush_size")
    def _check_brush_size(self, proposal: traitlets.Bunch) -> int:
        if proposal["value"] < 1 or proposal["value"] % 2 == 0:
            raise traitlets.TraitError(f"a brush has an odd size of at least 1 pixel, not {proposal['value']}")
        return proposal["value"]

    @traitlets.observe("_drawing")
    def _tell_observers_of_mask(self, change: traitlets.Bunch) -> None:
        # `mask` is a property, worked out when it is asked for. This makes it observable like a trait.
        self.notify_change(traitlets.Bunch(type="change", name="mask", owner=self, old=None, new=self.mask))

    @traitlets.observe("completed_strokes")
    def _call_callbacks(self, change: traitlets.Bunch) -> None:
        if self.error == self._callback_error:  # what an upload said, say, stays
            self.error = ""
        self._callback_error = ""
        for callback in list(self._callbacks):
            try:
                callback(self)
            except Exception:  # of any kind: from here it would go to a log, where nobody would see it
                self.error = self._callback_error = traceback.format_exc()
