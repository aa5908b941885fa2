"""One completion for the studio: what was asked for, as it was at that moment, and what the browser gets of it."""

import inspect
import io
import threading
import time
import traceback
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from glcic_lite.evaluation.fills import CLASSICAL_FILLS, FillError
from glcic_lite.mask_canvas.strokes import grow
from glcic_lite.method.masks import MaskError, hole_box, mask_image
from glcic_lite.method.metadata import kept
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import PhotoError
from glcic_lite.method.pretrained import WeightsError
from glcic_lite.method.scale import reduction_for, thickness
from glcic_lite.speed.completion import complete
from glcic_lite.speed.crops import parts
from glcic_lite.speed.stopping import Stopped

Fill = Callable[[Image.Image, np.ndarray, CompletionNetwork, bool], Image.Image]
OWN_WORDS = (PhotoError, MaskError, WeightsError, FillError, OSError)  # their messages are written for the reader
NETWORK, OWN_FILL = "the network", "your function"
FILLS = [NETWORK, *CLASSICAL_FILLS]  # what a hole can be filled by, besides a function of the reader's own


class Request(NamedTuple):
    """All that a completion needs to know, as it was when it was asked for."""

    photo: Image.Image
    photo_number: int
    shown_size: tuple[int, int]
    mask: np.ndarray
    grow_by: int
    blend: bool
    network: CompletionNetwork
    filled_by: str  # one of FILLS, or OWN_FILL
    fill: Fill  # the function behind OWN_FILL
    strokes: int  # how many the reader had completed


class Completion(NamedTuple):
    """What became of a request: a result, its hole and what the browser shows of it, or a failure."""

    result: Image.Image | None = None
    hole: np.ndarray | None = None
    shown: dict = {}
    failure: Exception | None = None
    seconds: float = 0.0


def words_for(error: Exception) -> str:
    """What the reader gets to see of an error: its message if that was written for readers, else the traceback."""
    return str(error) if isinstance(error, OWN_WORDS) else "".join(traceback.format_exception(error))


def carry_out(request: Request, should_stop: Callable[[], bool] | None = None) -> Completion:
    """Complete the photo. Errors become part of the answer: in a thread's log nobody would see them.

    Args:
        should_stop: asked again and again whether the completion is still wanted; the network's is then given up.
    """
    hole = grow(request.mask, request.grow_by) if request.grow_by else request.mask
    begin = time.perf_counter()
    try:
        result = filled(request, hole, should_stop)
        seconds = time.perf_counter() - begin
        return Completion(result, hole, patch(request, hole, result), seconds=seconds)
    except Stopped:
        return Completion(hole=hole)  # nobody will see it
    except Exception as error:
        return Completion(hole=hole, failure=error)


def filled(request: Request, hole: np.ndarray, should_stop: Callable[[], bool] | None) -> Image.Image:
    """The photo with its hole filled, by whatever was asked to fill it."""
    if request.filled_by == OWN_FILL:
        return by_own_function(request, hole, should_stop)
    if request.filled_by == NETWORK:
        return complete(request.photo, hole, request.network, request.blend, should_stop=should_stop)
    fill = CLASSICAL_FILLS[request.filled_by]
    result = Image.fromarray(abandonable(lambda: fill(np.asarray(request.photo), hole), should_stop))
    result.info = kept(request.photo.info)
    return result


def by_own_function(request: Request, hole: np.ndarray, should_stop: Callable[[], bool] | None) -> Image.Image:
    """What a function of the reader's own makes of it. One that has a parameter `should_stop` can be stopped by it.

    Raises:
        FillError: it returned something that is not the photo, or wanted to end Python.
    """
    try:
        takes_it = "should_stop" in inspect.signature(request.fill).parameters
    except (TypeError, ValueError):  # of some functions written in C nobody knows
        takes_it = False
    options = {"should_stop": should_stop} if takes_it else {}
    try:
        # copies: what it draws on them must not change what the studio has
        result = request.fill(request.photo.copy(), hole.copy(), request.network, request.blend, **options)
    except SystemExit as error:
        raise FillError("your function called sys.exit(); raise an exception instead, and it is shown here") from error
    if isinstance(result, np.ndarray) and result.dtype == np.uint8 and result.shape[2:] == (3,):
        result = Image.fromarray(result)
    (width, height), is_picture = request.photo.size, isinstance(result, Image.Image)
    if not is_picture or result.size != (width, height):
        what = f"a picture of {result.width} x {result.height}" if is_picture else f"a {type(result).__name__}"
        raise FillError(f"your function returned {what}; it should return the completed photo, {width} x {height}")
    return result


_running = threading.BoundedSemaphore(3)  # what was abandoned still computes; more at once would slow everything down


def abandonable(work: Callable[[], np.ndarray], should_stop: Callable[[], bool] | None) -> np.ndarray:
    """What `work()` returns. It cannot be stopped, as OpenCV cannot; but nobody need wait until it has come to its end.

    Raises:
        Stopped: `should_stop` returned True; `work` goes on in a thread of its own, and what it finds is thrown away.
    """
    outcome: list = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:
            outcome.append(error)
        finally:
            _running.release()

    def check() -> None:
        if should_stop is not None and should_stop():
            raise Stopped("taken back")

    while not _running.acquire(timeout=0.05):
        check()
    thread = threading.Thread(target=run, name="classical fill")
    thread.start()
    while thread.is_alive():
        thread.join(0.02)
        if thread.is_alive():
            check()
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


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
    piece = Image.composite(
        piece.convert("RGB"), Image.new("RGB", piece.size), alpha
    )  # what is not seen costs no bytes
    piece.putalpha(alpha)
    png = io.BytesIO()
    piece.save(png, "PNG", compress_level=1, icc_profile=request.photo.info.get("icc_profile"))
    by_network = request.filled_by == NETWORK
    thick, learned = hole_width(hole), request.network.largest_hole
    return {
        "photo": request.photo_number,
        "left": left,
        "top": top,
        "png": png.getvalue(),
        "filled_by": request.filled_by,
        "across": thick,
        "learned": learned if by_network else 0,
        "reduction": reduction_for(thick, learned, hole.shape) if by_network else 1,
    }


def hole_width(mask: np.ndarray) -> int:
    """How many pixels a hole is across at its widest: the diameter of the largest disc in it.

    What lies beyond the photo's border is unknown as well, so a hole at the border counts as wider than it looks.
    """
    return round(thickness(mask[hole_box(mask).with_rim(mask.shape).slices]))


class Pace:
    """How long completions take here: learned from those before, to say how long the next one will."""

    AROUND = 150  # pixels around a hole that the network looks at, roughly

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, float]] = {}  # what fills: seconds, and the work done in them

    def learn(self, request: Request, completion: Completion) -> None:
        """Take a completion's time into account; those before count half as much each time."""
        if completion.result is not None and completion.hole is not None and completion.hole.any():
            seconds, work = self._known.get(request.filled_by, (0.0, 0.0))
            new = completion.seconds, self._work(request, completion.hole)
            self._known[request.filled_by] = seconds / 2 + new[0], work / 2 + new[1]

    def expect(self, request: Request) -> float:
        """About how many seconds a request will take; 0: nothing is known of what fills."""
        seconds, work = self._known.get(request.filled_by, (0.0, 1.0))
        return seconds / work * self._work(request, request.mask)

    def _work(self, request: Request, hole: np.ndarray) -> float:
        """Pixels to compute: the hole's own for classical fills; for the network what it sees, in the reduced copy."""
        if request.filled_by != NETWORK:
            return float(hole.sum())
        reduction = reduction_for(hole_width(hole), request.network.largest_hole, hole.shape)
        sides = [
            (box.width / reduction + 2 * self.AROUND, box.height / reduction + 2 * self.AROUND) for box in parts(hole)
        ]
        return sum(wide * high for wide, high in sides)
