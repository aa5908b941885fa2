"""The completion studio: paint over something on the left, and the network fills the place in on the right.

Its parts: the canvas (widget.py), the thread that completes (worker.py), one completion (completion.py), the network
(weights.py), the lists (sample_photos.py), uploads and saving (uploads.py), and a picture for readers without a kernel
(static_picture.py).
"""

import base64
import io
import traceback
from functools import partial
from os.path import expanduser  # that of Path raises where there is no such user
from pathlib import Path, PurePath

import numpy as np
import traitlets
from PIL import Image

from glcic_lite.mask_canvas import sample_photos
from glcic_lite.mask_canvas.completion import Completion, Fill, Request, carry_out, words_for
from glcic_lite.mask_canvas.sample_photos import find_photo, reduced
from glcic_lite.mask_canvas.static_picture import still_picture
from glcic_lite.mask_canvas.uploads import open_upload, save_new
from glcic_lite.mask_canvas.weights import load_network
from glcic_lite.mask_canvas.widget import BROWSER, MaskCanvas, linked
from glcic_lite.mask_canvas.worker import Worker
from glcic_lite.method.masks import MaskError
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import PhotoError, PhotoSource
from glcic_lite.speed.completion import complete

LARGEST_UPLOAD = 8 * 2**20  # bytes; Jupyter drops a message of more than 10 MiB together with the whole connection


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
        fill: what completes, with the parameters of `glcic_lite.complete`; another function may be put in its place,
            and is used from the next change on.
        completions: counts the completions that were shown. Observable; observers are called in the thread that
            completes.
    """

    _esm = linked("studio.js")
    _css = "\n".join((BROWSER / name).read_text(encoding="utf-8") for name in ("canvas.css", "studio.css"))

    blend = traitlets.Bool(True).tag(sync=True)
    grow_by = traitlets.Int(0, min=0, max=64).tag(sync=True)
    long_side = traitlets.Int(0, min=0).tag(sync=True)
    completions = traitlets.Int(0)
    _source = traitlets.Dict(help="What is open: title, credit, size, sample, mask, and the masks to choose.").tag(
        sync=True
    )
    _samples = traitlets.List(help="The sample photos, [name, what the list shows], in groups.").tag(sync=True)
    _network_name = traitlets.Unicode("").tag(sync=True)
    _completion = traitlets.Dict(help="The completed hole as a PNG, its place, its photo, its number.").tag(sync=True)
    _working = traitlets.Bool(False).tag(sync=True)
    _answered = traitlets.Int(0, help="The stroke that the completion shown answers.").tag(sync=True)
    _note = traitlets.Unicode("", help="What became of the reader's latest request, such as saving.").tag(sync=True)
    _largest_upload = traitlets.Int(LARGEST_UPLOAD).tag(sync=True)

    fill: Fill = staticmethod(complete)

    def __init__(self, photo: PhotoSource | None = None, network: CompletionNetwork | str | PurePath | None = None):
        self._worker = Worker()
        self._completed = Completion()  # what `result` and `hole` give; like what is published, under the worker's lock
        self._failure_words = ""
        self._random = np.random.default_rng()
        self._network, name = load_network(network)
        sample, self._original, title = find_photo(photo)
        long_side = sample_photos.LONG_SIDE if sample else 0
        super().__init__(
            reduced(self._original, long_side),
            long_side=long_side,
            _source=self._describe(title, sample),
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
        sample, original, title = find_photo(photo)
        with self._worker.lock, self.hold_sync():
            self._original = original
            self._source = self._describe(title, sample)
            self.set_trait("long_side", sample_photos.LONG_SIDE if sample else 0)
            self._replace_photo(reduced(original, self.long_side), None)

    def load_mask(self, name: str) -> None:
        """Take a mask from the list: a hand-made one of a sample photo, "box" or "strokes".

        Raises:
            MaskError: the list has no mask of this name for this photo.
        """
        offered = [known for known, _ in self._source["masks"]]
        if name not in offered:
            raise MaskError(f"no mask {name!r} for this photo; there are: {', '.join(offered)}")
        with self._worker.lock, self.hold_sync():
            self.mask = sample_photos.mask_for(name, self._full_photo.size, self._random)
            self._source = {**self._source, "mask": name}

    def _describe(self, title: str, sample: str) -> dict:
        masks = sample_photos.mask_names(sample) | sample_photos.ANY_PHOTO
        return {
            "title": title,
            "sample": sample,
            "credit": sample_photos.credit(sample),
            "size": list(self._original.size),
            "masks": [list(pair) for pair in masks.items()],
            "mask": "",
        }

    def _replace_photo(self, photo: Image.Image, mask: np.ndarray | None) -> None:
        """Make `photo` the one that is drawn on; without a mask it has no hole."""
        with self._worker.lock, self.hold_sync():
            self._photo = self._take_photo(photo)
            self.mask = np.zeros(photo.size[::-1], dtype=bool) if mask is None else mask
            self.brush_size = max(self._shown_size) // 40 * 2 + 1

    @traitlets.observe("long_side")
    def _resize(self, change: traitlets.Bunch) -> None:
        size = sample_photos.reduced_size(self._original.size, self.long_side)
        if size != self._full_photo.size:
            mask = sample_photos.resized_mask(self.mask, size)
            self._replace_photo(reduced(self._original, self.long_side), mask)

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
        self._request_completion()

    # ------------------------------------------------------------------------------------------ completing

    @traitlets.observe("_drawing", "blend", "grow_by")
    def _request_completion(self, change: traitlets.Bunch | None = None) -> None:
        """Ask for a completion of what is there now."""
        mask = self.mask
        with self._worker.lock:
            self._completed = Completion(hole=mask)
            if not mask.any():
                self._worker.cancel()
                self._publish({}, self.completed_strokes)
                return
            request = Request(
                self._full_photo,
                self._photo_number,
                self._shown_size,
                mask,
                self.grow_by,
                self.blend,
                self._network,
                self.fill,
                self.completed_strokes,
            )
            self._working = True
            self._worker.ask(lambda: carry_out(request), lambda completion: self._take_over(request, completion))

    def _warm_up(self) -> None:
        """Complete something small now, out of sight: the first time takes three times as long as all others."""
        photo, network = self._full_photo, self._network
        mask = np.zeros(photo.size[::-1], dtype=bool)
        mask[photo.height // 2, photo.width // 2] = True
        if mask.size > 1:
            request = Request(photo, 0, photo.size, mask, 0, False, network, complete, 0)
            self._worker.ask(lambda: carry_out(request), lambda completion: None)

    def _take_over(self, request: Request, completion: Completion) -> None:
        """Keep and show what the worker has made; nothing newer has been asked for."""
        self._completed = completion
        words = words_for(completion.failure) if completion.failure else ""
        shown = {**completion.shown, "number": self._worker.asked} if completion.shown else {}
        self._publish(shown, request.strokes, words)
        try:
            self.completions += 1
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
        result, hole = self.result, self.hole
        if not hole.any():
            raise MaskError("nothing to save yet: paint over something first")
        return save_new(folder, PurePath(self._source["title"]).stem or "photo", result, hole)

    # ------------------------------------------------------------------------------------------ from the browser

    def set_state(self, sync_data: dict) -> None:
        with self._worker.lock:  # the worker publishes before or after, never in between
            asked_before = self._worker.asked
            super().set_state(sync_data)
            if "completed_strokes" in sync_data and self._worker.asked == asked_before:
                # A stroke and its undoing in one message: nothing has changed, but the browser waits for an answer.
                self._request_completion()

    @traitlets.observe("completed_strokes")
    def _forget_the_list(self, change: traitlets.Bunch) -> None:
        if self._source["mask"]:  # the mask is the reader's own now
            self._source = {**self._source, "mask": ""}

    def _receive_message(self, _widget, message: dict, buffers: list) -> None:
        """Do what a button or a list in the browser asks for; say what became of it."""
        with self._worker.lock:
            self._carry_out_message(message, buffers)

    def _carry_out_message(self, message: dict, buffers: list) -> None:
        self.error = self._note = ""
        try:
            match message:
                case {"do": "open", "sample": str(name)}:
                    if name not in sample_photos.photo_names():
                        raise PhotoError(f"there is no sample photo {name!r}")
                    self.load_photo(name)
                case {"do": "open", "path": str(path)}:
                    self.load_photo(Path(expanduser(path.strip().strip("\"'"))))
                    self._note = f"Opened {self._source['title']} at its full size."
                case {"do": "upload", "name": str(name), "reduced": str(reduced)}:
                    name, photo = open_upload(name, bytes(buffers[0]))
                    self.load_photo(photo)
                    self._source = {**self._source, "title": name}
                    self._note = reduced or f"Opened {name} at its full size."
                case {"do": "mask", "name": str(name)}:
                    self.load_mask(name)
                case {"do": "network", "folder": str(folder)}:
                    self.network = Path(expanduser(folder.strip())) if folder.strip() else None
                    self._note = f"Completing with {self._network_name}."
                case {"do": "save"}:
                    files = self.save()
                    self._note = f"Saved {files[0]} and {files[1]} in {Path.cwd()}."
                case _:
                    raise ValueError("a message from the browser that the studio does not know")
        except Exception as error:
            self.error = words_for(error)
            self.send_state(["_source", "_network_name"])  # the lists go back to what is there

    # ------------------------------------------------------------------------------------------ without a kernel

    def picture(self, width: int = 960) -> Image.Image:
        """The studio as a still picture, `width` pixels wide: the photo with its hole, and completed."""
        return still_picture(self._full_photo, self.hole, self.result, width)

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
    photos of one's own, switches for blending, growing the mask and the network, a before/after slider, and saving.

    Args:
        photo: a path, a PIL image or an array, used at its full size; the name of a sample photo; or None for the first
            of these.
        network: a `CompletionNetwork`, a folder of weights, "hf:owner/name", or None for the shipped weights.

    Raises:
        PhotoError, WeightsError: the photo or the weights cannot be used; the message says why.
    """
    return CompletionStudio(photo, network)
