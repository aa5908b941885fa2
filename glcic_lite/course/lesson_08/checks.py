"""The checks of lesson 08."""

import io
from collections.abc import Callable, Iterator, Sequence

import ipywidgets as widgets
import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from glcic_lite.course.lesson_08.figures import newest_wins
from glcic_lite.course.shared.checks import NotYet, Suspect, call, check, old_likely_cause, try_tensors
from glcic_lite.mask_canvas import MaskCanvas
from glcic_lite.mask_canvas.strokes import decode_runs, draw_stroke, encode_runs, grow
from glcic_lite.method.masks import hole_box


def _as_mask(answer, shape: tuple[int, int], shown: str) -> torch.Tensor:
    """The learner's mask as a bool tensor of the right shape, or words about what it is instead."""
    if isinstance(answer, torch.Tensor):
        answer = answer.numpy()
    try:
        answer = np.asarray(answer)
    except ValueError:
        raise NotYet(f"For {shown} an array of shape {shape} is expected; your rows differ in length.") from None
    if answer.shape != shape:
        raise NotYet(f"For {shown} the shape should be {shape}; yours is {answer.shape}.")
    if answer.dtype != bool:
        if not np.isin(answer, (0, 1)).all():
            raise NotYet(f"For {shown} a mask is True or False; yours holds other values.")
        answer = answer.astype(bool)
    return torch.from_numpy(np.ascontiguousarray(answer))


def _try_masks(function: Callable, cases: list[dict], oracle: Callable, suspects: Sequence[Suspect], say: Callable):
    """Hold a function that returns a mask equal to an oracle. `say` names a case in a message."""
    try_tensors(
        function,
        cases,
        lambda **case: torch.from_numpy(oracle(**case)).float(),
        suspects,
        say,
        lambda answer, expected, shown: _as_mask(answer, tuple(expected.shape), shown).float(),
    )


def _random_mask(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), dtype=bool)
    points = [(int(random.integers(0, width)), int(random.integers(0, height))) for _ in range(3)]
    draw_stroke(mask, points, 2 * int(random.integers(0, 3)) + 1)
    return mask


@check("Exercise 1")
def mask_from_runs(mask_from_runs: Callable) -> str:
    """`mask_from_runs(runs, width, height)`: bool (height, width); the first run is known."""
    random = np.random.default_rng(0)
    cases = []
    for height, width in ((3, 5), (6, 4), (7, 7), (5, 9)):
        mask = _random_mask(random, height, width)
        mask[0, 0] = height == 7  # one begins with a hole: its first run has length 0
        cases.append(dict(runs=encode_runs(mask), width=width, height=height))
    suspects = [
        Suspect(lambda **c: torch.from_numpy(~decode_runs(**c)), "the first run is known, not hole."),
        Suspect(lambda runs, width, height: torch.from_numpy(decode_runs(runs, height, width).T.copy()),
                "the runs go row by row, not column by column."),
        Suspect(lambda runs, width, height: torch.from_numpy(_without_zeros(runs, width, height)),
                "a first run of length 0 counts as well: the mask then begins with a hole."),
    ]  # fmt: skip
    _try_masks(
        mask_from_runs, cases, decode_runs, suspects, lambda runs, width, height: f"{runs} in {width} x {height}"
    )
    return "This is what Python does with every stroke that arrives."


def _without_zeros(runs: list[int], width: int, height: int) -> np.ndarray:
    kept = [length for length in runs if length]
    return np.repeat(np.arange(len(kept)) % 2 == 1, kept).reshape(height, width)


@check("Exercise 2")
def newest(shown: Callable) -> str:
    """`shown(arrivals, seconds)`: the numbers of the strokes whose completion is shown."""
    random = np.random.default_rng(1)
    cases = [dict(arrivals=[0.0], seconds=0.3), dict(arrivals=[0.0, 0.1, 0.2], seconds=0.3)]
    for count in (3, 5, 8, 12):
        gaps = random.choice([0.04, 0.11, 0.23, 0.47, 0.71], count)
        cases.append(dict(arrivals=np.cumsum(gaps).round(2).tolist(), seconds=0.305))
    answers, wrong = [], None
    for number, case in enumerate(cases):
        words = f"arrivals={case['arrivals']}, seconds={case['seconds']}"
        answer = call(shown, *case.values(), shown=words, first=number == 0)
        try:
            answer = [int(stroke) for stroke in answer]
        except (TypeError, ValueError):
            raise NotYet(f"For {words} a list of numbers is expected.") from None
        answers.append(answer)
        expected = [span.stroke for span in newest_wins(**case) if span.shown]
        if answer != expected and wrong is None:
            wrong = f"For {words} you show {len(answer)} completions, {answer}; "
            if len(answer) != len(expected):
                wrong += f"{'too many' if len(answer) > len(expected) else 'too few'}."
            else:
                wrong += "as many as there are, but not the right ones."
    if wrong:
        suspects = [
            Suspect(lambda arrivals, seconds: list(range(len(arrivals))), "every stroke is shown: nothing is dropped."),
            Suspect(lambda arrivals, seconds: [s.stroke for s in newest_wins(arrivals, seconds)],
                    "an answer that a newer stroke has overtaken is begun, but not shown."),
            Suspect(lambda arrivals, seconds: [len(arrivals) - 1],
                    "only the last one: in a pause between strokes there is time to show more."),
        ]  # fmt: skip
        raise NotYet(wrong + old_likely_cause(cases, answers, suspects))
    return "The last stroke is always among them: that is why it can be so simple."


@check("Exercise 3")
def grown(grown: Callable) -> str:
    """`grown(mask, pixels)`: all pixels less than pixels + 1/2 away from the hole."""
    random = np.random.default_rng(2)
    cases = [dict(mask=_random_mask(random, 14, 18), pixels=pixels) for pixels in (1, 2, 3, 4, 5)]
    edge = np.zeros((12, 15), dtype=bool)
    edge[0, 3] = edge[11, 14] = True
    cases.append(dict(mask=edge, pixels=3))
    square = np.ones((3, 3), dtype=bool)
    suspects = [
        Suspect(lambda mask, pixels: torch.from_numpy(ndimage.binary_dilation(mask, square, pixels)),
                "grown by a square: in the corners a pixel lies further away than `pixels`."),
        Suspect(lambda mask, pixels: torch.from_numpy(ndimage.binary_dilation(mask, None, pixels)),
                "grown by a diamond: steps across and down, none in between."),
        Suspect(lambda mask, pixels: torch.from_numpy(ndimage.distance_transform_edt(~mask) <= pixels),
                "only half a pixel is missing: less than `pixels + 0.5`."),
        Suspect(lambda mask, pixels: torch.from_numpy(_rolled(mask, pixels)),
                "what leaves the photo on one side comes back on the other (`np.roll` does that)."),
        Suspect(lambda mask, pixels: torch.from_numpy(~grow(~mask, pixels)), "the hole shrinks."),
        Suspect(lambda mask, pixels: torch.from_numpy(grow(mask, pixels) & ~mask), "the hole itself is lost."),
    ]  # fmt: skip
    _try_masks(
        grown, cases, grow, suspects,
        lambda mask, pixels: f"a mask of {mask.shape[1]} x {mask.shape[0]} and pixels={pixels}",
    )  # fmt: skip
    return "The same pixels as the canvas's brush would paint along the rim."


def _rolled(mask: np.ndarray, pixels: int) -> np.ndarray:
    steps = range(-pixels, pixels + 1)
    near = [(y, x) for y in steps for x in steps if y * y + x * x < (pixels + 0.5) ** 2]
    return np.logical_or.reduce([np.roll(mask, step, (0, 1)) for step in near])


@check("Exercise 4")
def box(box: Callable) -> str:
    """`box(mask)`: (left, top, right, bottom) around the hole, the last two just outside."""
    random = np.random.default_rng(3)
    masks = [_random_mask(random, height, width) for height, width in ((9, 14), (20, 11), (16, 16), (7, 25))]
    one = np.zeros((6, 8), dtype=bool)
    one[5, 2] = True
    parts = np.zeros((10, 16), dtype=bool)
    parts[6:8, 2:5] = parts[1, 11:14] = True
    masks += [one, np.ones((4, 5), dtype=bool), parts]
    cases, answers, wrong = [dict(mask=mask) for mask in masks], [], None
    for number, mask in enumerate(masks):
        shown = f"a mask of {mask.shape[1]} x {mask.shape[0]} pixels"
        answer = call(box, mask, shown=shown, first=number == 0)
        try:
            answer = tuple(int(value) for value in answer)
        except (TypeError, ValueError):
            raise NotYet(f"For {shown} four whole numbers are expected.") from None
        if len(answer) != 4:
            raise NotYet(f"For {shown} four numbers are expected: left, top, right, bottom. Yours are {len(answer)}.")
        answers.append(answer)
        if mask is parts:
            shown += ", in which the hole has two parts,"
        differing = [name for name, a, b in zip(hole_box(mask)._fields, answer, hole_box(mask), strict=True) if a != b]
        if differing and wrong is None:
            wrong = f"For {shown} this differs: {', '.join(differing)}."
    if wrong:
        suspects = [
            Suspect(lambda mask: (lambda b: (b.left, b.top, b.right - 1, b.bottom - 1))(hole_box(mask)),
                    "right and bottom lie just outside the hole."),
            Suspect(lambda mask: (lambda b: (b.top, b.left, b.bottom, b.right))(hole_box(mask)),
                    "columns and rows are exchanged: left and right are columns."),
            Suspect(lambda mask: (lambda b: (b.left, b.top, b.width, b.height))(hole_box(mask)),
                    "that is the width and the height, not the right and lower end."),
            Suspect(lambda mask: tuple(hole_box(~mask)) if not mask.all() else (),
                    "that is the box around what is known."),
        ]  # fmt: skip
        raise NotYet(wrong + old_likely_cause(cases, answers, suspects))
    return "Lesson 07 builds its crop on this box, and the local discriminator its patch."


def _parts(widget) -> Iterator[widgets.Widget]:
    """A widget and all that lies in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _parts(child)


@check("Exercise 5")
def mini_studio(mini_studio: Callable) -> str:
    """`mini_studio(photo)`: a box with a MaskCanvas and an Image that holds the completed photo, as a PNG."""
    random = np.random.default_rng(4)
    pixels = ndimage.gaussian_filter(random.normal(size=(48, 72, 3)), (3, 3, 0))
    pixels = np.rint(255 * (pixels - pixels.min()) / np.ptp(pixels)).astype(np.uint8)
    photo = Image.fromarray(pixels)
    made = call(mini_studio, photo, shown="a photo of 72 x 48 pixels", first=True)
    if not isinstance(made, widgets.Box):
        raise NotYet(f"A box of widgets is expected (`widgets.HBox`), not a {type(made).__name__}.")
    parts = list(_parts(made))
    canvases = [part for part in parts if isinstance(part, MaskCanvas)]
    pictures = [part for part in parts if isinstance(part, widgets.Image)]
    if not canvases or not pictures:
        raise NotYet(f"In the box a {'`MaskCanvas`' if not canvases else '`widgets.Image`'} is missing.")
    canvas, picture = canvases[0], pictures[0]

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
            seen = Image.open(io.BytesIO(picture.value))
            seen.load()
        except OSError:
            raise NotYet(f"{when} the picture holds no PNG. `value` takes the bytes of a picture file.") from None
        if seen.format != "PNG":
            raise NotYet(f"{when} the picture is a {seen.format}, which changes known pixels. Save it as PNG.")
        if seen.size != photo.size:
            raise NotYet(f"{when} the picture is {seen.width} x {seen.height} pixels, the photo 72 x 48.")
        return np.asarray(seen.convert("RGB"))

    before = None
    for number in range(3):
        mask = stroke(number)
        when = f"After stroke {number + 1}" if number < 2 else "After the eraser and a stroke elsewhere"
        if not picture.value and not canvas.error:
            raise NotYet(
                f"{when} the picture is empty. Does the canvas call your function (`on_stroke`)? And does that hand "
                "over all bytes of the file (`getvalue()`; `read()` begins where writing has ended)?"
            )
        seen = look(when)
        if before is not None and np.array_equal(seen, before):
            raise NotYet(f"{when} the picture is the one after the stroke before.")
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
        before = seen
    return "You have built the heart of this lesson. What the large one adds: a thread, and a browser's comfort."
