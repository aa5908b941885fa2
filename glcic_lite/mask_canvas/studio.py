"""The completion studio: paint over something on the left, and the network fills the place in on the right.

Its parts: the canvas (widget.py), the thread that completes (worker.py), one completion (completion.py), the network
(weights.py), the lists (sample_photos.py), files that come and go (uploads.py, exports.py), and a picture for readers
without a kernel (static_picture.py).
"""

import base64
import io
import traceback
from collections.abc import Callable
from functools import partial
from os.path import expanduser  # that of Path raises where there is no such user
from pathlib import Path, PurePath

import numpy as np
import traitlets
from PIL import Image

from glcic_lite.files import write_bytes, write_text
from glcic_lite.mask_canvas import sample_photos
from glcic_lite.mask_canvas.completion import (
    FILLS,
    NETWORK,
    OWN_FILL,
    Completion,
    Fill,
    Pace,
    Request,
    carry_out,
    words_for,
)
from glcic_lite.mask_canvas.exports import before_after_gif, wipe_page
from glcic_lite.mask_canvas.sample_photos import Opened, find_photo, reduced
from glcic_lite.mask_canvas.static_picture import still_picture
from glcic_lite.mask_canvas.uploads import LARGEST_MESSAGE, Upload, base_name, new_files, open_content
from glcic_lite.mask_canvas.weights import load_network
from glcic_lite.mask_canvas.widget import BROWSER, LONGEST_SIDE, MaskCanvas, linked, usual_brush
from glcic_lite.mask_canvas.worker import Worker
from glcic_lite.method.masks import MaskError, mask_image, open_mask
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import PhotoError, PhotoSource, save_image
from glcic_lite.speed.completion import complete


class CompletionStudio(MaskCanvas):
    """A `MaskCanvas` that completes the photo whenever its mask changes. See `completion_studio`.

    Attributes, besides those of `MaskCanvas`:
        result: the completed photo, a PIL image of the photo's size; the photo itself while there is no hole. Waits for
            a completion that is under way, and raises the error of one that failed.
        hole: bool (H, W), the mask that `result` was made with: the drawn one, grown.
        blend: whether the tint between hole and photo is taken out. Settable, observable.
        grow_by: pixels by which the drawn mask is grown before it is completed. Settable, observable.
        long_side: the photo is reduced to this many pixels on its long side; 0 leaves it as it is. Settable,
            observable; the drawing is kept.
        network: the `CompletionNetwork`. Settable: also a folder of weights, "hf:owner/name", or None for the
            shipped weights.
        filled_by: what fills the hole: "the network", or the name of a classical fill such as "harmonic" (see `FILLS`).
            Settable, observable.
        fill: a function of your own that fills the hole, with the first four parameters of `glcic_lite.complete`, and
            what it returns. If it has a parameter `should_stop` as well, it is given a function that says whether its
            answer is still wanted (raise `glcic_lite.Stopped` if not); without it, what comes next waits for its end.
            Setting it makes `filled_by` "your function".
        on_demand: completes only when asked to, by the button or `complete_now`, and not at every stroke. Settable,
            observable.
        view: "side by side", "in place" (the completed photo appears where you paint), or "auto": in place where the
            window is narrow. Settable, observable.
        completions: counts the completions that were shown. Observable; observers are called in the thread that
            completes.
    """

    _esm = linked("studio.js")
    _css = "\n".join((BROWSER / name).read_text(encoding="utf-8") for name in ("canvas.css", "studio.css"))

    blend = traitlets.Bool(True, help="Whether the tint between hole and photo is taken out.").tag(sync=True)
    grow_by = traitlets.Int(0, min=0, max=64, help="Pixels by which the drawn mask is grown.").tag(sync=True)
    long_side = traitlets.Int(0, min=0, help="Pixels on the photo's long side; 0: as it is.").tag(sync=True)
    filled_by = traitlets.Unicode(NETWORK, help="What fills the hole: one of `_fills`.").tag(sync=True)
    on_demand = traitlets.Bool(False, help="Whether to complete only when asked to.").tag(sync=True)
    view = traitlets.Enum(["auto", "side by side", "in place"], "auto", help="Where the result is.").tag(sync=True)
    completions = traitlets.Int(0, read_only=True, help="How many completions were shown.")
    _fills = traitlets.List(FILLS, help="What the list offers to fill the hole by.").tag(sync=True)
    _expected = traitlets.Float(0.0, help="Seconds that the completion under way will take; 0: not known.").tag(
        sync=True
    )
    _source = traitlets.Dict(help="What is open: title, credit, size, sample, mask, and the masks to choose.").tag(
        sync=True
    )
    _samples = traitlets.List(help="The sample photos, [name, what the list shows], in groups.").tag(sync=True)
    _network_name = traitlets.Unicode("").tag(sync=True)
    _completion = traitlets.Dict(help="The completed hole as a PNG, its place, its photo, its number.").tag(sync=True)
    _working = traitlets.Bool(False).tag(sync=True)
    _answered = traitlets.Int(0, help="The stroke that the completion shown answers.").tag(sync=True)
    _note = traitlets.Unicode("", help="What became of the reader's latest request, such as saving.").tag(sync=True)
    _largest_message = traitlets.Int(LARGEST_MESSAGE).tag(sync=True)

    def __init__(self, photo: PhotoSource | None = None, network: CompletionNetwork | str | PurePath | None = None):
        self._worker = Worker()
        self._completed = Completion()  # what `result` and `hole` give; like what is published, under the worker's lock
        self._failure_words = ""
        self._random = np.random.default_rng()
        self._pace = Pace()
        self._upload = Upload()
        self._own_fill: Fill = complete
        self._network, name = load_network(network)
        self._opened = find_photo(photo)
        long_side = sample_photos.LONG_SIDE if self._opened.sample else 0
        super().__init__(
            reduced(self._opened.photo, long_side),
            long_side=long_side,
            _source=self._describe(),
            _samples=sample_photos.photo_groups(),
            _network_name=name,
        )
        self.on_msg(self._receive_message)
        self._warm_up()

    # ------------------------------------------------------------------------------------------ what is open

    @property
    def photo(self) -> Image.Image:
        return self._full_photo

    @photo.setter
    def photo(self, photo: PhotoSource) -> None:
        self.load_photo(photo)

    def load_photo(self, photo: PhotoSource) -> None:
        """Open another photo, without a hole.

        Args:
            photo: a path, a PIL image or an array, taken at its full size; or the name of a sample photo, reduced to
                640 pixels.

        Raises:
            PhotoError: it cannot be used; the one before stays.
        """
        self._open(find_photo(photo))

    def _open(self, opened: Opened) -> None:
        with self._worker.lock, self.hold_sync():
            self._opened = opened
            self._source = self._describe()
            self.set_trait("long_side", sample_photos.LONG_SIDE if opened.sample else 0)
            self._replace_photo(reduced(opened.photo, self.long_side), None)

    def continue_from_result(self) -> None:
        """Make the completed photo the one that is painted on, at its present size.

        Raises:
            MaskError: nothing has been completed yet.
        """
        result = self._expect_result()
        self._open(self._opened._replace(photo=result, sample="", transparent=None))

    def load_mask(self, mask: PhotoSource) -> None:
        """Take a ready-made mask.

        Args:
            mask: one of the list: a hand-made one of a sample photo, "box", "strokes", or "transparent" for a photo
                that has a transparent part; else a file, a PIL image or an array: white in the hole, and as large as
                the photo, before or after it was reduced.

        Raises:
            MaskError: there is no such mask for this photo, it has another size, or no hole.
        """
        offered = [known for known, _ in self._source["masks"]]
        size = self._full_photo.size
        if isinstance(mask, str) and mask in offered:
            if mask == "transparent":
                new = sample_photos.resized_mask(self._opened.transparent, size)
            else:
                new = sample_photos.mask_for(mask, size, self._random)
        elif isinstance(mask, str) and not Path(expanduser(mask)).exists():
            raise MaskError(f"no mask {mask!r} for this photo; there are: {', '.join(offered)}, and files")
        else:
            new = self._mask_of_file(Path(expanduser(mask)) if isinstance(mask, str) else mask)
        with self._worker.lock, self.hold_sync():
            self.mask = new
            self._source = {**self._source, "mask": mask if isinstance(mask, str) and mask in offered else ""}

    def _mask_of_file(self, mask: PhotoSource) -> np.ndarray:
        new, size, original = open_mask(mask), self._full_photo.size, self._opened.photo.size
        if new.shape[::-1] not in (size, original):
            sizes = " or ".join(f"{width} x {height}" for width, height in dict.fromkeys((size, original)))
            raise MaskError(f"the mask is {new.shape[1]} x {new.shape[0]} pixels, the photo {sizes}")
        if not new.any():
            raise MaskError("this mask has no hole: paint white (at least half white) what is to be filled")
        return sample_photos.resized_mask(new, size)

    def _describe(self) -> dict:
        opened = self._opened
        return {
            "title": opened.title,
            "sample": opened.sample,
            "credit": opened.credit,
            "size": list(opened.photo.size),
            "masks": [list(pair) for pair in opened.masks.items()],
            "mask": "",
        }

    def _replace_photo(self, photo: Image.Image, mask: np.ndarray | None) -> None:
        """Make `photo` the one that is drawn on; without a mask it has no hole."""
        with self._worker.lock, self.hold_sync():
            self._photo, self._photo_size = self._take_photo(photo), list(photo.size)
            self.mask = np.zeros(photo.size[::-1], dtype=bool) if mask is None else mask
            self.brush_size = usual_brush(self._shown_size)

    @traitlets.observe("long_side")
    def _resize(self, change: traitlets.Bunch) -> None:
        size = sample_photos.reduced_size(self._opened.photo.size, self.long_side)
        if size != self._full_photo.size:
            mask = sample_photos.resized_mask(self.mask, size)
            self._replace_photo(reduced(self._opened.photo, self.long_side), mask)

    # ------------------------------------------------------------------------------------------ the network

    @property
    def network(self) -> CompletionNetwork:
        return self._network

    @network.setter
    def network(self, network: CompletionNetwork | str | PurePath | None) -> None:
        try:
            self._network, self._network_name = load_network(network, say=partial(self.set_trait, "_note"))
        finally:
            self._note = ""
        self._something_changed()

    # ------------------------------------------------------------------------------------------ completing

    @property
    def fill(self) -> Fill:
        return self._own_fill

    @fill.setter
    def fill(self, fill: Fill) -> None:
        self._own_fill = fill
        if fill is complete:
            self.filled_by = NETWORK
            return
        self._fills = [*FILLS, OWN_FILL]
        if self.filled_by == OWN_FILL:
            self._something_changed()  # another function under the same name
        self.filled_by = OWN_FILL

    @traitlets.validate("filled_by")
    def _check_filled_by(self, proposal: traitlets.Bunch) -> str:
        if proposal["value"] not in self._fills:
            raise traitlets.TraitError(
                f"a hole is filled by one of {', '.join(self._fills)}, not {proposal['value']!r}"
            )
        return proposal["value"]

    @traitlets.observe("on_demand")
    def _every_stroke_again(self, change: traitlets.Bunch) -> None:
        """Switched off, what is completed or under way stays; switched on, what is not completed yet will be."""
        if not self.on_demand and not self._working and self._completed.result is None:
            self.complete_now()

    @traitlets.observe("_drawing", "blend", "grow_by", "filled_by")
    def _something_changed(self, change: traitlets.Bunch | None = None) -> None:
        """Complete what is there now; if that is done on demand, forget the completion of what was there before."""
        if self.on_demand:
            self.cancel()
        else:
            self.complete_now()

    def cancel(self) -> None:
        """Give up the completion under way, and show none."""
        with self._worker.lock:
            self._worker.cancel()
            self._completed = Completion(hole=self.mask)
            self._publish({}, self.completed_strokes)

    def complete_now(self) -> None:
        """Ask for a completion of what is there now. `wait` waits for it, and so does `result`."""
        mask = self.mask
        with self._worker.lock:
            if not mask.any():
                self.cancel()
                return
            self._completed = Completion(hole=mask)
            request = Request(
                self._full_photo,
                self._photo_number,
                self._shown_size,
                mask,
                self.grow_by,
                self.blend,
                self._network,
                self.filled_by,
                self._own_fill,
                self.completed_strokes,
            )
            with self.hold_sync():
                self._expected, self._working = self._pace.expect(request), True
            self._ask(request, lambda completion: self._take_over(request, completion))

    def _ask(self, request: Request, show: Callable[[Completion], None]) -> None:
        self._worker.ask(lambda: carry_out(request, self._worker.overtaken), show)

    def _warm_up(self) -> None:
        """Complete something small now, out of sight: the first time takes three times as long as all others."""
        photo, network = self._full_photo, self._network
        mask = np.zeros(photo.size[::-1], dtype=bool)
        mask[photo.height // 2, photo.width // 2] = True
        if mask.size > 1:
            request = Request(photo, 0, photo.size, mask, 0, False, network, NETWORK, complete, 0)
            self._ask(request, lambda completion: None)

    def _take_over(self, request: Request, completion: Completion) -> None:
        """Keep and show what the worker has made; nothing newer has been asked for."""
        self._completed = completion
        self._pace.learn(request, completion)
        words = words_for(completion.failure) if completion.failure else ""
        shown = {}
        if completion.shown:
            shown = {**completion.shown, "number": self._worker.asked, "seconds": completion.seconds}
        self._publish(shown, request.strokes, words)
        try:
            self.set_trait("completions", self.completions + 1)
        except Exception:  # of an observer
            self.error = traceback.format_exc()

    def _publish(self, shown: dict, strokes: int, words: str = "") -> None:
        with self.hold_sync():  # one message
            self._completion, self._working, self._answered = shown, False, strokes
            if words or self.error == self._failure_words:  # an error of a callback is not ours to clear
                self.error = words
            self._failure_words = words

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is being completed any more. Returns False if it takes longer than `seconds`."""
        return self._worker.wait(seconds)

    @property
    def result(self) -> Image.Image:
        self.wait()
        if self._completed.failure is not None:
            raise self._completed.failure
        return self._full_photo.copy() if self._completed.result is None else self._completed.result

    @property
    def hole(self) -> np.ndarray:
        self.wait()
        return self.mask if self._completed.hole is None else self._completed.hole.copy()

    # ------------------------------------------------------------------------------------------ keeping

    def save(self, folder: str | PurePath = ".") -> tuple[Path, Path]:
        """Write the completed photo and the mask it was made with as PNG files, each whole or not at all.

        Nothing is overwritten: a file that is there already makes the next number be used.

        Returns:
            The two files: "<photo>-completed.png" and "<photo>-mask.png".

        Raises:
            MaskError: there is no hole yet.
            OSError: the folder cannot be written to.
        """
        result = self._expect_result()
        completed, mask = new_files(folder, self._name_for_files(), ["completed.png", "mask.png"])
        save_image(result, completed)
        save_image(mask_image(self.hole), mask)
        return completed, mask

    def save_page(self, folder: str | PurePath = ".") -> Path:
        """Write before and after as one HTML file with a wipe, which any browser opens. Errors are those of `save`.

        Photos are reduced to 1600 pixels on the long side.
        """
        before, after = self._before_and_after(LONGEST_SIDE)
        (file,) = new_files(folder, self._name_for_files(), ["before-after.html"])
        title, credit = self._source["title"], self._source["credit"]
        filled_by = self._completed.shown["filled_by"]
        write_text(file, wipe_page(before, after, title, filled_by, f"Photo: {credit}." if credit else ""))
        return file

    def save_gif(self, folder: str | PurePath = ".") -> Path:
        """Write before and after as an animated GIF, for a slide. Errors are those of `save`."""
        before, after = self._before_and_after(LONGEST_SIDE)
        (file,) = new_files(folder, self._name_for_files(), ["before-after.gif"])
        write_bytes(file, before_after_gif(before, after))
        return file

    def _before_and_after(self, long_side: int) -> tuple[Image.Image, Image.Image]:
        result = self._expect_result()
        return reduced(self._full_photo, long_side), reduced(result, long_side)

    def _name_for_files(self) -> str:
        return PurePath(self._source["title"]).stem or "photo"

    def _expect_result(self) -> Image.Image:
        """The result, which must be there: `result` itself is the photo while there is none."""
        result = self.result
        if not self.mask.any():
            raise MaskError("nothing is completed yet: paint over something first")
        if self._completed.result is None:
            raise MaskError("not completed yet: press Complete first")
        return result

    # ------------------------------------------------------------------------------------------ from the browser

    def set_state(self, sync_data: dict) -> None:
        with self._worker.lock:  # the worker publishes before or after, never in between
            asked_before = self._worker.asked
            super().set_state(sync_data)
            if "completed_strokes" in sync_data and self._worker.asked == asked_before:
                # A stroke and its undoing in one message: nothing has changed, but the browser waits for an answer.
                self._something_changed()

    @traitlets.observe("completed_strokes")
    def _forget_the_list(self, change: traitlets.Bunch) -> None:
        if self._source["mask"]:  # the mask is the reader's own now
            self._source = {**self._source, "mask": ""}

    def _receive_message(self, _widget, message: dict, buffers: list) -> None:
        """Do what a button or a list in the browser asks for; say what became of it."""
        with self._worker.lock:
            self._carry_out_message(message, buffers)

    def _carry_out_message(self, message: dict, buffers: list) -> None:
        self.error = ""
        try:
            match message:
                case {"do": "upload" | "cancel"}:  # an upload comes in parts, and "Saved ..." stays true
                    pass
                case _:
                    self._note = ""
            match message:
                case {"do": "open", "sample": str(name)}:
                    if name not in sample_photos.photo_names():
                        raise PhotoError(f"there is no sample photo {name!r}")
                    self.load_photo(name)
                case {"do": "open", "path": str(path)}:
                    self.load_photo(Path(expanduser(path.strip().strip("\"'"))))
                    self._note = f"Opened {self._source['title']} at its full size."
                case {"do": "upload", "what": str(what), "name": str(name), "part": int(part), "parts": int(parts)}:
                    self._upload.add(name, part, bytes(buffers[0]))
                    if part == parts - 1:
                        self._take_upload(what, name)
                case {"do": "mask", "name": str(name)}:
                    self.load_mask(name)
                case {"do": "complete"}:
                    self.complete_now()
                case {"do": "cancel"}:
                    if self._working:  # it may come late: what is completed by now stays
                        self.cancel()
                case {"do": "continue"}:
                    self.continue_from_result()
                    self._note = "The completed photo is now the one that you paint on."
                case {"do": "network", "folder": str(folder)}:
                    self.network = Path(expanduser(folder.strip())) if folder.strip() else None
                    self._note = f"Completing with {self._network_name}."
                case {"do": "save", "as": "png"}:
                    files = self.save()
                    self._note = f"Saved {files[0]} and {files[1]} in {Path.cwd()}."
                case {"do": "save", "as": "page"}:
                    self._note = f"Saved {self.save_page()} in {Path.cwd()}."
                case {"do": "save", "as": "gif"}:
                    self._note = f"Saved {self.save_gif()} in {Path.cwd()}."
                case _:
                    raise ValueError("a message from the browser that the studio does not know")
        except Exception as error:
            self._note, self.error = "", words_for(error)
            self.send_state(["_source", "_network_name"])  # the lists go back to what is there

    def _take_upload(self, what: str, name: str) -> None:
        content, name = self._upload.take(), base_name(name)
        self._note = ""  # so that the browser hears of the same words again
        if what == "mask":
            open_content(name, content, self.load_mask)
            self._note = f"The mask is that of {name}."
        else:
            opened = open_content(name, content, find_photo)
            self._open(opened._replace(title=name))
            self._note = f"Opened {name} at its full size."

    # ------------------------------------------------------------------------------------------ without a kernel

    def picture(self, width: int = 960) -> Image.Image:
        """The studio as a still picture, `width` pixels wide: the photo with its hole, and completed."""
        credit = self._source["credit"]
        return still_picture(self._full_photo, self.hole, self.result, width, f"Photo: {credit}" if credit else "")

    def _repr_mimebundle_(self, **kwargs):
        """The live studio, and beside it, for readers without a kernel, a picture of it."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        jpeg = io.BytesIO()
        self.picture().save(jpeg, "JPEG", quality=85, optimize=True)
        data["image/jpeg"] = base64.b64encode(jpeg.getvalue()).decode()
        data["text/plain"] = "Completion studio: run this cell to draw"
        return data, metadata


def completion_studio(
    photo: PhotoSource | None = None, network: CompletionNetwork | str | PurePath | None = None
) -> CompletionStudio:
    """Paint over something in a photo; when the stroke ends, the network fills the place in.

        studio = completion_studio()
        studio                 # as a cell's last line: shows it
        studio.result          # in a later cell: the completed photo, a PIL image
        studio.hole            # and the mask it was made with

    The photo is completed in a thread of its own, so that the notebook stays responsive; if another stroke
    follows before it is done, the newer one counts. The browser offers lists of sample photos and masks, a way to open
    photos and masks of one's own, switches for what fills the hole, blending and growing, a before/after slider, and
    saving.

    Args:
        photo: a path, a PIL image or an array, used at its full size; the name of a sample photo; or None for the first
            of these.
        network: a `CompletionNetwork`, a folder of weights, "hf:owner/name", or None for the shipped weights.

    Raises:
        PhotoError, WeightsError: the photo or the weights cannot be used; the message says why.
    """
    return CompletionStudio(photo, network)
