"""The checks of lesson 08."""

import io
import threading
import time
from collections.abc import Callable, Iterator

import ipywidgets as widgets
import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from glcic_lite.course.lesson_08.figures import newest_wins
from glcic_lite.course.shared.checks import NotYet, call, check, exercise, kind_of, plain, read_as, whole
from glcic_lite.mask_canvas import MaskCanvas
from glcic_lite.mask_canvas.strokes import decode_runs, draw_stroke, encode_runs, grow
from glcic_lite.method.masks import Box, hole_box
from glcic_lite.method.photos import opened_formats


def _as_tensor(reference: Callable) -> Callable:
    """A function that returns a mask, made to return it as a tensor of 0 and 1."""
    return lambda **case: torch.from_numpy(reference(**case)).float()


def _read_mask(answer, expected: torch.Tensor, shown: str) -> torch.Tensor:
    """The learner's mask, (H, W) of any type, as a tensor of 0 and 1."""
    try:
        answer = np.asarray(plain(answer))
    except (ValueError, RuntimeError):
        raise NotYet(f"For {shown} an array is expected; your rows differ in length.") from None
    if answer.shape != expected.shape:
        raise NotYet(f"For {shown} the shape should be {tuple(expected.shape)}; yours is {answer.shape}.")
    if answer.dtype.kind == "c" or not np.isin(answer, (0, 1)).all():
        raise NotYet(f"For {shown} a mask is True or False; yours has other values.")
    return torch.from_numpy(answer.astype(np.float32))


def _random_mask(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), dtype=bool)
    points = [(int(random.integers(0, width)), int(random.integers(0, height))) for _ in range(3)]
    draw_stroke(mask, points, 2 * int(random.integers(0, 3)) + 1)
    return mask


def _without_zeros(runs: list[int], width: int, height: int) -> np.ndarray:
    kept = [length for length in runs if length]
    return np.repeat(np.arange(len(kept)) % 2 == 1, kept).reshape(height, width)


def _as_places(runs: list[int], width: int, height: int) -> np.ndarray:
    """What comes out if the runs are taken for pairs of a place and a length."""
    mask = np.zeros(height * width, dtype=bool)
    for place, length in zip(runs[::2], runs[1::2], strict=False):
        mask[place : place + length] = True
    return mask.reshape(height, width)


@exercise(
    1,
    _as_tensor(decode_runs),
    [
        (lambda *case: ~decode_runs(*case), "the first run is known, not hole."),
        (lambda runs, width, height: decode_runs(runs, height, width).T,
         "the runs go row by row, not column by column."),
        (_as_places, "a run of known pixels is taken for a place; it is a length, from the end of the run before."),
        (lambda runs, width, height: np.repeat(np.arange(len(runs)) > 0, runs).reshape(height, width),
         "every run after the first is taken for hole; they alternate."),
        (_without_zeros, "a first run of length 0 counts as well: the mask then begins with a hole."),
    ],
    "This is what Python does with every stroke that arrives.",
    say=lambda runs, width, height: f"{runs} in {width} x {height}",
    read=_read_mask,
)  # fmt: skip
def mask_from_runs():
    """`mask_from_runs(runs, width, height)`: bool (height, width); the first run is known."""
    random = np.random.default_rng(0)
    for height, width in ((3, 5), (6, 4), (7, 7), (5, 9)):
        mask = _random_mask(random, height, width)
        mask[0, 0] = height == 7  # one begins with a hole: its first run has length 0
        mask[-1, -1] = height == 6  # and one ends with a hole
        yield dict(runs=encode_runs(mask), width=width, height=height)


def _compare_strokes(answer: list[int], expected: list[int], shown: str) -> None:
    if answer != expected:
        more = len(answer) - len(expected)
        how = "too many" if more > 0 else "too few" if more else "as many as there are, but not the right ones"
        raise NotYet(f"For {shown} you show {len(answer)} completions, {answer}; {how}.")


def _in_turn(arrivals: list[float], seconds: float, every: bool = False) -> list[int]:
    """First come, first served: whose completions are shown (or, of every stroke, whose are not overtaken)."""
    free, kept = 0.0, []
    for number, arrival in enumerate(arrivals):
        begin = max(free, arrival)
        free = begin + seconds
        if every or not any(begin < later <= free for later in arrivals[number + 1 :]):
            kept.append(number)
    return kept


def _while_free(arrivals: list[float], seconds: float) -> list[int]:
    """The strokes that find the thread free, if it forgets all others."""
    free, begun = 0.0, []
    for number, arrival in enumerate(arrivals):
        if arrival >= free:
            free = arrival + seconds
            begun.append(number)
    return begun


def _all_at_once(arrivals: list[float], seconds: float) -> list[int]:
    return [n for n, time in enumerate(arrivals) if not any(time < other <= time + seconds for other in arrivals)]


@exercise(
    2,
    lambda arrivals, seconds: [span.stroke for span in newest_wins(arrivals, seconds) if span.shown],
    [
        (lambda arrivals, seconds: list(range(len(arrivals))), "every stroke is shown: nothing is dropped."),
        (_in_turn,
         "first come, first served: strokes wait in turn. A free thread takes the *newest* that has arrived; those "
         "before it are left out."),
        (_while_free,
         "what arrives while the thread works is forgotten: the thread should take the newest of it when it is free."),
        (_all_at_once,
         "a stroke is begun at the moment it arrives. Here the thread is busy until the completion under way is "
         "finished, even if that has been overtaken; only then does it take the newest."),
        (lambda arrivals, seconds: [n for n, (a, b) in enumerate(zip(arrivals, arrivals[1:], strict=False))
                                    if b - a > seconds],
         "the last stroke is missing: nothing overtakes it."),
        (lambda arrivals, seconds: [span.stroke + 1 for span in newest_wins(arrivals, seconds) if span.shown],
         "the strokes are numbered from 0."),
        (lambda arrivals, seconds: [span.stroke for span in newest_wins(arrivals, seconds) if not span.shown],
         "these are the ones that are *not* shown."),
        (lambda arrivals, seconds: [span.stroke for span in newest_wins(arrivals, seconds)],
         "a completion that a newer stroke has overtaken is begun, but not shown."),
        (lambda arrivals, seconds: [len(arrivals) - 1],
         "only the last one: in a pause between strokes there is time to show more."),
    ],
    "The last stroke is always among them: that is why it can be so simple.",
    read=read_as(lambda answer: [whole(stroke) for stroke in answer], "a list of numbers is"),
    compare=_compare_strokes,
)  # fmt: skip
def newest():
    """`shown(arrivals, seconds)`: the numbers of the strokes whose completion is shown."""
    random = np.random.default_rng(1)
    yield dict(arrivals=[0.0], seconds=0.3)
    yield dict(arrivals=[0.0, 0.1, 0.2], seconds=0.3)
    for count in (3, 5, 8, 12):
        gaps = random.choice([0.04, 0.11, 0.23, 0.47, 0.71], count)
        yield dict(arrivals=np.cumsum(gaps).round(2).tolist(), seconds=0.305)


def _rolled(mask: np.ndarray, pixels: int) -> np.ndarray:
    steps = range(-pixels, pixels + 1)
    near = [(y, x) for y in steps for x in steps if y * y + x * x < (pixels + 0.5) ** 2]
    return np.logical_or.reduce([np.roll(mask, step, (0, 1)) for step in near])


@exercise(
    3,
    _as_tensor(grow),
    [
        (lambda mask, pixels: ndimage.binary_dilation(mask, np.ones((3, 3)), pixels),
         "grown by a square: in the corners a pixel lies farther away than `pixels`."),
        (lambda mask, pixels: ndimage.binary_dilation(mask, None, pixels),
         "grown by a diamond: steps across and down, none in between."),
        (lambda mask, pixels: ndimage.distance_transform_edt(~mask) <= pixels,
         "only half a pixel is missing: less than `pixels + 0.5`."),
        (_rolled, "what leaves the photo on one side comes back on the other (`np.roll` does that)."),
        (lambda mask, pixels: ndimage.distance_transform_edt(~mask) < pixels,
         "the farthest pixels are missing: less than `pixels + 0.5`."),
        (lambda mask, pixels: ndimage.distance_transform_edt(~mask) < pixels + 1,
         "it reaches half a pixel too far: less than `pixels + 0.5`."),
        (lambda mask, pixels: ndimage.distance_transform_edt(mask) < pixels + 0.5,
         "the distance is measured inside the hole: the transform measures the way from a True to the nearest False."),
        (lambda mask, pixels: ~grow(mask, pixels), "this is True where it should be False, and the other way round."),
        (lambda mask, pixels: mask, "the mask has not grown at all."),
        (lambda mask, pixels: ndimage.binary_dilation(mask), "it grows by one pixel only, whatever `pixels` is."),
        (lambda mask, pixels: ndimage.binary_dilation(mask, np.ones((3, 3))), "it grows by one pixel only."),
        (lambda mask, pixels: ~grow(~mask, pixels), "the hole shrinks."),
        (lambda mask, pixels: grow(mask, pixels) & ~mask, "the hole itself is lost."),
        (lambda mask, pixels: mask | (ndimage.distance_transform_edt(mask) < pixels + 0.5),
         "the distance is measured inside the hole: give the function the inverted mask."),
    ],
    "The same pixels as the canvas's brush would paint along the rim.",
    without=dict(functions=(grow,)),
    say=lambda mask, pixels: f"a mask of {mask.shape[1]} x {mask.shape[0]} and pixels={pixels}",
    read=_read_mask,
)  # fmt: skip
def grown():
    """`grown(mask, pixels)`: all pixels less than pixels + 1/2 away from the hole."""
    random = np.random.default_rng(2)
    for pixels in (1, 2, 3, 4, 5):
        yield dict(mask=_random_mask(random, 14, 18), pixels=pixels)
    alone = np.zeros((40, 44), dtype=bool)
    alone[19, 21] = True
    yield dict(mask=alone, pixels=12)
    edge = np.zeros((12, 15), dtype=bool)
    edge[0, 3] = edge[11, 14] = True
    yield dict(mask=edge, pixels=3)


def _four_numbers(answer) -> tuple[int, int, int, int]:
    left, top, right, bottom = (whole(value) for value in answer)
    return left, top, right, bottom


def _compare_boxes(answer: tuple[int, ...], expected: Box, shown: str) -> None:
    differing = [name for name, a, b in zip(Box._fields, answer, expected, strict=True) if a != b]
    if differing:
        raise NotYet(f"For {shown} this differs: {', '.join(differing)}.")


def _of_box(change: Callable[[Box], tuple]) -> Callable:
    return lambda mask: change(hole_box(mask))


def _of_counts(mask: np.ndarray) -> tuple[int, ...]:
    """The right and lower end as the first one plus how many columns and rows hold any of the hole."""
    box = hole_box(mask)
    return box.left, box.top, box.left + int(mask.any(axis=0).sum()), box.top + int(mask.any(axis=1).sum())


@exercise(
    4,
    hole_box,
    [
        (_of_box(lambda b: (b.left, b.top, b.right - 1, b.bottom - 1)), "right and bottom lie just outside the hole."),
        (_of_box(lambda b: (b.top, b.left, b.bottom, b.right)),
         "columns and rows are exchanged: left and right are columns."),
        (_of_box(lambda b: (b.top, b.left, b.bottom - 1, b.right - 1)),
         "columns and rows are exchanged, and right and bottom should lie just outside the hole."),
        (_of_box(lambda b: (b.left, b.top, b.right, b.bottom - 1)), "the lower end, too, lies just outside the hole."),
        (_of_box(lambda b: (b.left, b.top, b.right - 1, b.bottom)), "the right end, too, lies just outside the hole."),
        (_of_box(lambda b: (b.left - 1, b.top - 1, b.right, b.bottom)),
         "left and top are the first ones *in* the hole; only right and bottom lie outside."),
        (_of_box(lambda b: (b.left, b.top, b.width, b.height)),
         "that is the width and the height, not the right and lower end."),
        (lambda mask: hole_box(~mask), "that is the box around what is known."),
        (_of_counts,
         "the columns and rows of the hole are counted; known ones between two parts lie in the box as well."),
        (_of_box(lambda b: (b.top, b.bottom, b.left, b.right)), "the order is left, top, right, bottom."),
        (_of_box(lambda b: (b.left, b.right, b.top, b.bottom)), "the order is left, top, right, bottom."),
        (_of_box(lambda b: (b.left, b.top, b.right + 1, b.bottom + 1)), "right and bottom are one too far."),
        (lambda mask: (0, 0, mask.shape[1], mask.shape[0]), "that is the whole photo."),
        (lambda mask: hole_box(ndimage.label(mask)[0] == 1),
         "that is the box around one part; the hole may have several."),
    ],
    "Lesson 07 builds its crop on this box, and the local discriminator its patch.",
    say=lambda mask: f"a mask of {mask.shape[1]} x {mask.shape[0]} pixels"
    + ", in which the hole has two parts," * (ndimage.label(mask)[1] == 2),
    read=read_as(_four_numbers, "four whole numbers (left, top, right, bottom) are"),
    compare=_compare_boxes,
)  # fmt: skip
def box():
    """`box(mask)`: (left, top, right, bottom) around the hole, the last two just outside."""
    random = np.random.default_rng(3)
    for height, width in ((9, 14), (20, 11), (16, 16), (7, 25)):
        yield dict(mask=_random_mask(random, height, width))
    one, parts = np.zeros((6, 8), dtype=bool), np.zeros((10, 16), dtype=bool)
    one[5, 2] = parts[6:8, 2:5] = parts[1, 11:14] = True
    for mask in (one, np.ones((4, 5), dtype=bool), parts):
        yield dict(mask=mask)


def _parts(widget) -> Iterator[widgets.Widget]:
    """A widget and all that lies in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _parts(child)


def _jump(seen: np.ndarray, mask: np.ndarray) -> float:
    """The mean difference, in grey levels, between a hole pixel at the rim and the known one beside it."""
    differences = []
    for axis in (0, 1):
        crossing = np.diff(mask.astype(int), axis=axis) != 0
        differences.append(np.abs(np.diff(seen.astype(int), axis=axis))[crossing])
    return float(np.concatenate(differences).mean())


PATIENCE = 20.0  # seconds to wait for the picture after a stroke, at most: a thread may be at work on it
REST = 3.0  # seconds without a change after which it is taken for finished


def _wait_until_finished(pictures: list[widgets.Image], before: list[bytes], threads: int, canvas: MaskCanvas) -> None:
    """Wait for the pictures after a stroke: not at all if they have changed and no thread is left at work.

    Args:
        before: what the pictures held before the stroke.
        threads: how many there were then.
    """
    end, seen, since = time.monotonic() + PATIENCE, before, 0.0
    while not canvas.error and time.monotonic() < end:
        values = [picture.value for picture in pictures]
        if values != seen:
            seen, since = values, time.monotonic()
        if seen != before and (threading.active_count() <= threads or time.monotonic() - since > REST):
            return
        time.sleep(0.02)


@check("Exercise 5")
def mini_studio(mini_studio: Callable) -> str:
    """`mini_studio(photo)`: a box with a MaskCanvas and an Image that holds the completed photo, as a PNG."""
    random = np.random.default_rng(4)
    pixels = ndimage.gaussian_filter(random.normal(size=(48, 72, 3)), (3, 3, 0))
    pixels = np.rint(255 * (pixels - pixels.min()) / np.ptp(pixels)).astype(np.uint8)
    photo = Image.fromarray(pixels)
    made = call(mini_studio, photo, shown="a photo of 72 x 48 pixels", first=True)
    if not isinstance(made, widgets.Box):
        raise NotYet(f"A box of widgets is expected (`widgets.HBox`), not {kind_of(made)}.")
    parts = list(_parts(made))
    canvases = [part for part in parts if isinstance(part, MaskCanvas)]
    pictures = [part for part in parts if isinstance(part, widgets.Image)]
    if not canvases or not pictures:
        raise NotYet(f"In the box a {'`MaskCanvas`' if not canvases else '`widgets.Image`'} is missing.")
    canvas, picture = canvases[0], pictures[0]
    at_first = [part.value for part in pictures]

    def stroke(number: int) -> np.ndarray:
        """Draw, as the browser does. Returns the mask."""
        mask = canvas.mask
        if number == 2:  # erase all, and draw elsewhere
            mask[:] = False
            mask[32:42, 44:60] = True
        else:
            mask[10 + 4 * number : 14 + 6 * number, 20 : 32 + number] = True
        drawing = {**canvas._drawing, "runs": encode_runs(mask)}
        try:
            canvas.set_state({"_drawing": drawing, "completed_strokes": canvas.completed_strokes + 1})
        except Exception as error:  # of a function that observes the mask
            raise NotYet(f"Your callback stopped with {type(error).__name__}: {str(error)[:160]}") from None
        return mask

    def look(when: str) -> np.ndarray:
        if canvas.error:
            raise NotYet(f"{when} your callback stopped: {canvas.error.strip().splitlines()[-1][:160]}")
        try:
            seen = Image.open(io.BytesIO(picture.value), formats=opened_formats())
            seen.load()
        except OSError:
            raise NotYet(f"{when} the picture is not a PNG. `value` takes the bytes of a picture file.") from None
        if seen.format != "PNG":
            raise NotYet(f"{when} the picture is a {seen.format}, which changes known pixels. Save it as PNG.")
        if seen.size != photo.size:
            raise NotYet(f"{when} the picture is {seen.width} x {seen.height} pixels, the photo 72 x 48.")
        return np.asarray(seen.convert("RGB"))

    before = None
    for number in range(3):
        values, threads = [part.value for part in pictures], threading.active_count()
        mask = stroke(number)
        _wait_until_finished(pictures, values, threads, canvas)
        when = f"After stroke {number + 1}" if number < 2 else "After the eraser and a stroke elsewhere"
        if number == 0:  # beside the completed photo there may be other pictures, such as the photo as it was
            picture = next(
                (part for part, value in zip(pictures, at_first, strict=True) if part.value != value), picture
            )
        if not picture.value and not canvas.error:
            raise NotYet(
                f"{when} the picture is empty. Does the canvas call your function (`on_stroke`)? And does that set "
                "all bytes of the file (`getvalue()`; `read()` begins where writing has ended)?"
            )
        seen = look(when)
        if before is not None and np.array_equal(seen, before):
            raise NotYet(f"{when} the picture is still the one after the stroke before.")
        if np.array_equal(seen, pixels):
            raise NotYet(
                f"{when} the picture is still the photo. Does the canvas call your function (`on_stroke`), and does "
                "that ask for `canvas.mask` anew?"
            )
        changed = (seen != pixels).any(axis=2)
        if (changed & ~mask).any():
            if number == 2:
                raise NotYet(f"{when} the old hole is still filled. Complete the photo, not your last result.")
            raise NotYet(f"{when} pixels outside the hole have changed. Show what `complete` returns, unresized.")
        if changed[mask].mean() < 0.5:
            raise NotYet(f"{when} only {changed[mask].mean():.0%} of the hole has changed. Is it the canvas's mask?")
        if (np.ptp(seen[mask].astype(int), axis=0) == 0).all():
            raise NotYet(
                f"{when} the hole has one single colour: that is a hole, and no completion. Show what `complete` "
                "returns."
            )
        if _jump(seen, mask) > 45:  # `complete` leaves 5 to 7 here, without blending 13 to 21; black leaves 130
            raise NotYet(
                f"{when} the hole does not meet what is around it: at its rim the colours jump by "
                f"{_jump(seen, mask):.0f} grey levels. Show what `complete` returns, and nothing drawn over it."
            )
        before = seen
    return "You have built the heart of this lesson. What the large one adds: a thread, and a browser's comfort."
