"""The completion studio: paint over something on the left, and the network fills the place in on the right."""

import base64
import io
import json
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import NamedTuple

import cv2
import numpy as np
import traitlets
from PIL import Image, ImageDraw, ImageFont

from glcic_lite.files import SHIPPED_WEIGHTS
from glcic_lite.mask_canvas import sample_photos
from glcic_lite.mask_canvas.strokes import grow
from glcic_lite.mask_canvas.widget import FOLDER, MaskCanvas, module
from glcic_lite.method.masks import MaskError, hole_box, mask_image
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import PhotoError, PhotoSource, open_photo, save_image
from glcic_lite.method.pretrained import WeightsError
from glcic_lite.speed.completion import complete, shipped_network

SAMPLE_LONG_SIDE = 640  # sample photos are shown at this size, at which the shipped weights were also evaluated
LARGEST_UPLOAD = 8 * 2**20  # bytes; Jupyter drops a message of more than 10 MiB together with the whole connection
OWN_WORDS = (PhotoError, MaskError, WeightsError, OSError)  # their messages are written for the reader

Fill = Callable[[Image.Image, np.ndarray, CompletionNetwork, bool], Image.Image]


class Request(NamedTuple):
    """All that a completion needs to know, as it was when it was asked for."""

    number: int
    photo: Image.Image
    photo_number: int
    shown_size: tuple[int, int]
    mask: np.ndarray
    grow_by: int
    blend: bool
    network: CompletionNetwork
    strokes: int  # how many the reader had completed


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
        network: the `CompletionNetwork`. Settable: also a folder of weights, a Hub id, or None for the shipped weights.
        fill: what completes, with the parameters of `glcic_lite.complete`; another function may be put in its place,
            and is used from the next change on.
        completions: counts the completions that were shown. Observable; observers are called in the thread that
            completes.
    """

    _esm = module("studioWidget", "mask_canvas.js", "studio.js")
    _css = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in ("mask_canvas.css", "studio.css"))

    blend = traitlets.Bool(True).tag(sync=True)
    grow_by = traitlets.Int(0, min=0, max=64).tag(sync=True)
    long_side = traitlets.Int(0, min=0).tag(sync=True)
    completions = traitlets.Int(0)
    _source = traitlets.Dict(help="What is open: title, credit, size, sample, mask, and the masks to choose.").tag(
        sync=True
    )
    _samples = traitlets.List(help="The sample photos, [name, what the list shows], in groups.").tag(sync=True)
    _network_name = traitlets.Unicode("").tag(sync=True)
    _completion = traitlets.Dict(help="The completed hole as a PNG, where it lies, and in which photo.").tag(sync=True)
    _working = traitlets.Bool(False).tag(sync=True)
    _answered = traitlets.Int(0, help="The stroke that the completion shown answers.").tag(sync=True)
    _note = traitlets.Unicode("", help="What became of the reader's latest wish, such as saving.").tag(sync=True)
    _largest_upload = traitlets.Int(LARGEST_UPLOAD).tag(sync=True)

    fill: Fill = staticmethod(complete)

    def __init__(self, photo: PhotoSource | None = None, network: CompletionNetwork | str | PurePath | None = None):
        self._changed = threading.Condition()  # guards what follows, which two threads share, and what is published
        self._worker: threading.Thread | None = None
        self._wanted: Request | None = None  # the newest request, until the worker takes it
        self._latest = 0  # its number
        self._result: Image.Image | None = None
        self._hole: np.ndarray | None = None
        self._failure: Exception | None = None
        self._failure_words = ""
        self._random = np.random.default_rng()
        self._network, name = _load_network(network)
        sample, original, title = _find(photo)
        long_side = SAMPLE_LONG_SIDE if sample else 0
        self._original = original
        super().__init__(
            _reduced(original, long_side),
            long_side=long_side,
            _source=self._describe(title, sample),
            _samples=_sample_groups(),
            _network_name=name,
        )
        self.on_msg(self._obey)
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
        sample, original, title = _find(photo)
        with self._changed, self.hold_sync():
            self._original = original
            self._source = self._describe(title, sample)
            self.set_trait("long_side", SAMPLE_LONG_SIDE if sample else 0)
            self._show(_reduced(original, self.long_side), None)

    def load_mask(self, name: str) -> None:
        """Take a mask from the list: a hand-made one of a sample photo, "box" or "strokes".

        Raises:
            MaskError: the list has no mask of this name for this photo.
        """
        offered = [known for known, _ in self._source["masks"]]
        if name not in offered:
            raise MaskError(f"no mask {name!r} for this photo; there are: {', '.join(offered)}")
        with self._changed, self.hold_sync():
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

    def _show(self, photo: Image.Image, mask: np.ndarray | None) -> None:
        """Make `photo` the one that is drawn on; without a mask it has no hole."""
        with self._changed, self.hold_sync():
            jpeg = self._take_photo(photo)
            self._photo = jpeg
            self.mask = np.zeros(photo.size[::-1], dtype=bool) if mask is None else mask
            self.brush_size = max(self._shown_size) // 40 * 2 + 1

    @traitlets.observe("long_side")
    def _resize(self, change: traitlets.Bunch) -> None:
        size = _reduced_size(self._original.size, self.long_side)
        if size != self._full_photo.size:
            mask = sample_photos.resized_mask(self.mask, size)
            self._show(_reduced(self._original, self.long_side), mask)

    # ------------------------------------------------------------------------------------------ the network

    @property
    def network(self) -> CompletionNetwork:
        return self._network

    @network.setter
    def network(self, network: CompletionNetwork | str | PurePath | None) -> None:
        self._network, self._network_name = _load_network(network)
        self._request()

    # ------------------------------------------------------------------------------------------ completing

    @traitlets.observe("_drawing", "blend", "grow_by")
    def _request(self, change: traitlets.Bunch | None = None) -> None:
        """Ask for a completion of what is there now. A request that is still waiting is forgotten."""
        mask = self.mask
        with self._changed:
            self._latest += 1
            self._failure = None
            if not mask.any():
                self._wanted = None
                self._result, self._hole = None, mask
                self._publish({}, self.completed_strokes)
                return
            self._wanted = Request(
                self._latest,
                self._full_photo,
                self._photo_number,
                self._shown_size,
                mask,
                self.grow_by,
                self.blend,
                self._network,
                self.completed_strokes,
            )
            self._working = True
            self._start_worker()

    def _warm_up(self) -> None:
        """Complete something small now, out of sight: the first time takes three times as long as all others."""
        width, height = self._full_photo.size
        mask = np.zeros((height, width), dtype=bool)
        mask[height // 2, width // 2] = True
        if mask.size > 1:
            with self._changed:
                self._wanted = Request(0, self._full_photo, 0, (0, 0), mask, 0, False, self._network, 0)
                self._start_worker()

    def _start_worker(self) -> None:
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="completion", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        """In a thread of its own, so that the kernel stays free: complete what is asked for until there is nothing."""
        try:
            self._complete_requests()
        except BaseException:  # an observer's, of what is published: a request that waits gets a new thread
            with self._changed:
                self._worker = None
                if self._wanted is not None:
                    self._start_worker()
                self._changed.notify_all()
            raise

    def _complete_requests(self) -> None:
        while True:
            with self._changed:
                request, self._wanted = self._wanted, None
                if request is None:
                    self._worker = None
                    self._changed.notify_all()
                    return
            result = hole = failure = None
            shown, words = {}, ""
            try:
                hole = grow(request.mask, request.grow_by) if request.grow_by else request.mask
                fill = self.fill if request.number else complete
                result = fill(request.photo, hole, request.network, request.blend)
                if request.number:
                    shown = self._shown(request, hole, result)
            except Exception as error:  # whatever it is: in a log, which is where it would go, nobody would see it
                failure = error
                words = str(error) if isinstance(error, OWN_WORDS) else traceback.format_exc()
            with self._changed:
                if request.number == self._latest and request.number:  # else something newer is waiting: dropped
                    self._result, self._hole, self._failure = result, hole, failure
                    self._publish(shown, request.strokes, words)
                    self._count()

    def _publish(self, shown: dict, strokes: int, words: str = "") -> None:
        with self.hold_sync():  # one message
            self._completion, self._working, self._answered = shown, False, strokes
            if words or self.error == self._failure_words:  # an error of a callback is not ours to clear
                self.error = words
            self._failure_words = words

    def _count(self) -> None:
        try:
            self.completions += 1
        except Exception:  # of an observer
            self.error = traceback.format_exc()

    def _shown(self, request: Request, hole: np.ndarray, result: Image.Image) -> dict:
        """The completed pixels as the browser gets them: a PNG of the hole's box, transparent outside the hole."""
        box = hole_box(hole)
        (width, height), (shown_width, shown_height) = request.photo.size, request.shown_size
        left, top = box.left * shown_width // width, box.top * shown_height // height
        right, bottom = -(-box.right * shown_width // width), -(-box.bottom * shown_height // height)
        size = right - left, bottom - top
        if request.photo.size == request.shown_size:
            piece, alpha = result.crop(box), mask_image(hole[box.slices])
        else:
            part = left * width / shown_width, top * height / shown_height
            part += right * width / shown_width, bottom * height / shown_height
            piece = result.resize(size, Image.Resampling.LANCZOS, box=part, reducing_gap=2.0)
            alpha = mask_image(hole).resize(size, Image.Resampling.BOX, box=part).point(lambda share: 255 * (share > 0))
        piece = piece.convert("RGB")
        piece.putalpha(alpha)
        png = io.BytesIO()
        piece.save(png, "PNG", compress_level=1, icc_profile=request.photo.info.get("icc_profile"))
        return {
            "number": request.number,
            "photo": request.photo_number,
            "left": left,
            "top": top,
            "png": png.getvalue(),
            "across": hole_width(hole),
            "learned": _learned_width(request.network),
        }

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is being completed any more. Returns False if it takes longer than `seconds`."""
        if threading.current_thread() is self._worker:
            return True  # an observer of `completions`: what it waits for is done
        with self._changed:
            return self._changed.wait_for(lambda: self._worker is None, seconds)

    @property
    def result(self) -> Image.Image:
        self.wait()
        if self._failure is not None:
            raise self._failure
        return self._full_photo.copy() if self._result is None else self._result

    @property
    def hole(self) -> np.ndarray:
        self.wait()
        return self.mask if self._hole is None else self._hole.copy()

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
        title = PurePath(self._source["title"]).stem or "photo"
        number = 1
        while True:
            name = title if number == 1 else f"{title}-{number}"
            files = tuple(Path(folder) / f"{name}-{part}.png" for part in ("completed", "mask"))
            if not any(file.exists() for file in files):
                break
            number += 1
        save_image(result, files[0])
        save_image(mask_image(hole), files[1])
        return files

    # ------------------------------------------------------------------------------------------ from the browser

    def set_state(self, sync_data: dict) -> None:
        with self._changed:  # the worker publishes before or after, never in between
            asked_before = self._latest
            super().set_state(sync_data)
            if "completed_strokes" in sync_data and self._latest == asked_before:
                self._request()  # a stroke and its undoing came in one message: the browser waits for an answer

    @traitlets.observe("completed_strokes")
    def _forget_the_list(self, change: traitlets.Bunch) -> None:
        if self._source["mask"]:  # the mask is the reader's own now
            self._source = {**self._source, "mask": ""}

    def _obey(self, _widget, message: dict, buffers: list) -> None:
        """Do what a button or a list in the browser asks for; say what became of it."""
        with self._changed:
            self._do(message, buffers)

    def _do(self, message: dict, buffers: list) -> None:
        self.error = self._note = ""
        try:
            match message:
                case {"do": "open", "sample": str(name)}:
                    if name not in sample_photos.photo_names():
                        raise PhotoError(f"there is no sample photo {name!r}")
                    self.load_photo(name)
                case {"do": "open", "path": str(path)}:
                    self.load_photo(Path(path.strip().strip("\"'")).expanduser())
                    self._note = f"Opened {self._source['title']} at its full size."
                case {"do": "upload", "name": str(name), "reduced": str(reduced)}:
                    self._open_upload(name, bytes(buffers[0]))
                    self._note = reduced or f"Opened {name} at its full size."
                case {"do": "mask", "name": str(name)}:
                    self.load_mask(name)
                case {"do": "network", "folder": str(folder)}:
                    self.network = Path(folder.strip()).expanduser() if folder.strip() else None
                    self._note = f"Completing with {self._network_name}."
                case {"do": "save"}:
                    files = self.save()
                    self._note = f"Saved {files[0]} and {files[1]} in {Path.cwd()}."
                case _:
                    raise ValueError("a message from the browser that the studio does not know")
        except Exception as error:
            self.error = str(error) if isinstance(error, OWN_WORDS) else traceback.format_exc()
            self.send_state(["_source", "_network_name"])  # the lists go back to what is there

    def _open_upload(self, name: str, content: bytes) -> None:
        name = PurePath(name.replace("\\", "/")).name or "photo"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "upload"
            file.write_bytes(content)
            try:
                photo = open_photo(file)
            except PhotoError as error:
                raise PhotoError(str(error).replace(str(file), name)) from error
        self.load_photo(photo)
        self._source = {**self._source, "title": name}

    # ------------------------------------------------------------------------------------------ without a kernel

    def picture(self, width: int = 960) -> Image.Image:
        """The studio as a still picture, `width` pixels wide: the photo with its hole, and completed."""
        photo, result, hole = self._full_photo, self.result, self.hole
        gap, title = 16, 30
        wide = (width - gap) // 2
        each = wide, min(max(1, round(wide * photo.height / photo.width)), 4 * width)  # of a very long photo: squeezed
        canvas = Image.new("RGB", (width, each[1] + title), "white")
        draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(18)
        marked = np.asarray(photo).copy()
        rows, columns = np.nonzero(hole)
        stripe = (rows + columns) // max(1, 7 * max(photo.size) // each[0]) % 2
        strength = np.where(stripe, 0.63, 0.45)[:, None]  # as on the canvas
        marked[hole] = np.rint(marked[hole] * (1 - strength) + np.array([222, 0, 120]) * strength)
        for left, name, content in ((0, "Painted over", Image.fromarray(marked)), (each[0] + gap, "Completed", result)):
            draw.text((left, 2), name, fill="black", font=font)
            canvas.paste(content.resize(each, Image.Resampling.LANCZOS, reducing_gap=3.0), (left, title))
        return canvas

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

    The photo is completed in a thread of its own, so that the notebook goes on; if a stroke follows before that is
    done, the newer one counts. In the browser are lists of sample photos and masks, a way to open photos of one's own,
    switches for blending, growing the mask and the network, a before/after slider, and saving.

    Args:
        photo: a path, a PIL image or an array, used at its full size; the name of a sample photo; or None for the first
            of these.
        network: a `CompletionNetwork`, a folder of weights, a Hub id, or None for the shipped weights.

    Raises:
        PhotoError, WeightsError: the photo or the weights cannot be used; the message says why.
    """
    return CompletionStudio(photo, network)


def hole_width(mask: np.ndarray) -> int:
    """How many pixels a hole is across at its widest: the diameter of the largest disc in it.

    What lies beyond the photo's border is unknown as well, so a hole at the border counts as wider than it looks.
    """
    box, (height, width) = hole_box(mask), mask.shape
    rows = slice(max(box.top - 1, 0), min(box.bottom + 1, height))  # with a rim of what is known, where there is one
    columns = slice(max(box.left - 1, 0), min(box.right + 1, width))
    return round(2 * float(cv2.distanceTransform(mask[rows, columns].astype(np.uint8), cv2.DIST_L2, 5).max()))


def _learned_width(network: CompletionNetwork) -> int:
    """The widest holes that the shipped weights were trained on, in pixels; 0 for other weights: not known."""
    if network is not shipped_network():
        return 0
    settings = json.loads((SHIPPED_WEIGHTS / "settings.json").read_text(encoding="utf-8"))
    return settings["hole_sides"][1]


def _load_network(network: CompletionNetwork | str | PurePath | None) -> tuple[CompletionNetwork, str]:
    """The network, and what it is called."""
    if network is None:
        return shipped_network(), "the shipped weights"
    if isinstance(network, CompletionNetwork):
        return network, "the shipped weights" if network is shipped_network() else "your network"
    return CompletionNetwork.from_pretrained(str(network)), str(network)


def _find(photo: PhotoSource | None) -> tuple[str, Image.Image, str]:
    """A photo: the name of the sample that it is, or an empty string; the picture; and a title."""
    names = sample_photos.photo_names()
    if photo is None:
        with_masks = [name for name in names if sample_photos.mask_names(name)]
        if not with_masks:
            raise PhotoError("the sample photos are not there (a folder data/ beside the package): name a photo")
        photo = "ocean-beach-from-above" if "ocean-beach-from-above" in with_masks else with_masks[0]
    if isinstance(photo, str) and photo in names:
        return photo, open_photo(sample_photos.photo_file(photo)), photo
    title = PurePath(photo).name if isinstance(photo, str | PurePath) else "photo"
    return "", open_photo(photo), title


def _reduced_size(size: tuple[int, int], long_side: int) -> tuple[int, int]:
    if not 0 < long_side < max(size):
        return tuple(size)
    return tuple(max(1, round(side * long_side / max(size))) for side in size)


def _reduced(photo: Image.Image, long_side: int) -> Image.Image:
    size = _reduced_size(photo.size, long_side)
    return photo if size == photo.size else photo.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _sample_groups() -> list:
    names = sample_photos.photo_names()
    with_masks = [[name, label] for name, label in names.items() if sample_photos.mask_names(name)]
    others = [[name, label] for name, label in names.items() if not sample_photos.mask_names(name)]
    return [["With hand-made masks", with_masks], ["More photos", others]]
