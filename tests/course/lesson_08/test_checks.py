"""The checks of lesson 08: the untouched stub, right answers, and wrong ones that learners really give."""

import io
import threading
import time

import ipywidgets as widgets
import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from exercise_checks import ExerciseChecks
from glcic_lite.course.lesson_08 import checks
from glcic_lite.course.lesson_08.figures import newest_wins
from glcic_lite.course.shared.checks import NOT_YET
from glcic_lite.course.shared.figures import with_hole
from glcic_lite.evaluation.fills import harmonic_fill, mean_fill
from glcic_lite.mask_canvas import MaskCanvas
from glcic_lite.method.masks import mask_image


def from_runs(runs, width, height, first=False):
    values = np.arange(len(runs)) % 2 == (0 if first else 1)
    return np.repeat(values, runs).reshape(height, width)


def without_the_last_hole(runs, width, height):
    mask, place = np.zeros(width * height, dtype=bool), runs[0]
    for i in range(1, len(runs) - 1, 2):
        mask[place : place + runs[i]] = True
        place += runs[i] + runs[i + 1]
    return mask.reshape(height, width)


def from_runs_slowly(runs, width, height):
    mask, place, value = [[0] * width for _ in range(height)], 0, 0
    for run in runs:
        for pixel in range(place, place + run):
            mask[pixel // width][pixel % width] = value
        place, value = place + run, 1 - value
    return mask


def shown(arrivals, seconds, drop=True, newest=True):
    free, taken, answers = 0.0, -1, []
    while taken < len(arrivals) - 1:
        begin = max(free, arrivals[taken + 1])
        taken = max(n for n, time in enumerate(arrivals) if time <= begin) if newest else taken + 1
        free = begin + seconds
        if not drop or not any(begin < time <= free for time in arrivals[taken + 1 :]):
            answers.append(taken)
    return answers


def a_thread_each(arrivals, seconds):
    return [n for n, time in enumerate(arrivals) if not any(time < other <= time + seconds for other in arrivals)]


def places_and_lengths(runs, width, height):
    mask = np.zeros(width * height, dtype=bool)
    for place, length in zip(runs[::2], runs[1::2], strict=False):
        mask[place : place + length] = True
    return mask.reshape(height, width)


def forgetful(arrivals, seconds):
    taken = [0]
    for number, arrival in enumerate(arrivals):
        if arrival >= arrivals[taken[-1]] + seconds:
            taken.append(number)
    return taken


def grown(mask, pixels, more=0.5):
    return ndimage.distance_transform_edt(~mask) < pixels + more


def rolled(mask, pixels):
    result = mask.copy()
    for y in range(-pixels, pixels + 1):
        for x in range(-pixels, pixels + 1):
            if y * y + x * x < (pixels + 0.5) ** 2:
                result |= np.roll(mask, (y, x), (0, 1))
    return result


def box(mask, end=1):
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return columns[0], rows[0], columns[-1] + end, rows[-1] + end


def of_the_first_part(mask):
    parts, _ = ndimage.label(mask)
    return box(parts == 1)


def completing_the_last_result(photo):
    last = [photo]

    def fill(_, mask):
        last[0] = paint(last[0], mask)
        return last[0]

    return mini_studio(photo, fill=fill)


def mini_studio(
    photo,
    fill=lambda photo, mask: paint(photo, mask),
    kind="PNG",
    listen=True,
    size=None,
    observe=False,
    wrap=widgets.HBox,
    thread=False,
):
    canvas = MaskCanvas(photo)
    picture = widgets.Image()

    def show(*_):
        buffer = io.BytesIO()
        result = fill(photo, canvas.mask)
        (result.resize(size) if size else result).save(buffer, kind)
        picture.value = buffer.getvalue()

    if observe:
        canvas.observe(show, names="mask")
    elif listen:
        canvas.on_stroke((lambda *_: threading.Thread(target=show).start()) if thread else show)
    return wrap([canvas, picture])


def slowly_beside_the_mask(photo):
    """A right answer: first the mask is shown, then in a thread, a second later, the completed photo."""
    canvas, picture, drawn = MaskCanvas(photo), widgets.Image(), widgets.Image()

    def png(image):
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return buffer.getvalue()

    def work(mask):
        time.sleep(1)
        picture.value = png(paint(photo, mask))

    def show(canvas):
        drawn.value = png(mask_image(canvas.mask))
        threading.Thread(target=work, args=(canvas.mask,)).start()

    canvas.on_stroke(show)
    return widgets.HBox([canvas, picture, drawn])


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Wrong answers, whose picture never comes, are not waited for as long as a learner's."""
    monkeypatch.setattr(checks, "PATIENCE", 2.5)


def paint(photo, mask):
    """A stand-in for the network: a fill that depends on what is around the hole."""
    return Image.fromarray(harmonic_fill(np.asarray(photo), mask))


def one_colour(photo, mask, colour):
    result = np.asarray(photo).copy()
    result[mask] = colour
    return Image.fromarray(result)


def striped(photo, mask):
    return Image.fromarray(np.asarray(with_hole(photo, mask)))


def in_noise(photo, mask):
    result = np.asarray(photo).copy()
    result[mask] = np.random.default_rng(0).integers(0, 256, (np.count_nonzero(mask), 3))
    return Image.fromarray(result)


RIGHT = [
    (checks.mask_from_runs, from_runs),
    (checks.mask_from_runs, from_runs_slowly),
    (checks.mask_from_runs, lambda runs, width, height: torch.from_numpy(from_runs(runs, width, height))),
    (checks.newest, shown),
    (checks.newest, lambda arrivals, seconds: np.array(shown(arrivals, seconds))),
    (checks.mask_from_runs, lambda n, w, h: torch.from_numpy(from_runs(n, w, h)).float().requires_grad_()),
    (checks.newest, lambda times, each: (stroke for stroke in shown(times, each))),
    (checks.newest, lambda times, each: torch.tensor(shown(times, each)).float()),
    (checks.grown, grown),
    (checks.grown, lambda mask, pixels: grown(mask, pixels).astype(np.uint8)),
    (checks.box, box),
    (checks.box, lambda mask: list(map(int, box(mask)))),
    (checks.mini_studio, mini_studio),
    (checks.mini_studio, lambda photo: mini_studio(photo, observe=True)),
    (checks.mini_studio, lambda photo: mini_studio(photo, thread=True)),
    (checks.mini_studio, slowly_beside_the_mask),
    (checks.mini_studio, lambda photo: mini_studio(photo, wrap=lambda parts: widgets.HBox([widgets.Image(), *parts]))),
    (
        checks.mini_studio,
        lambda photo: mini_studio(photo, wrap=lambda parts: widgets.VBox([widgets.HBox(parts)])),
    ),
]

# (check, wrong answer, words that the message must hold)
WRONG = [
    (checks.mask_from_runs, lambda *args: from_runs(*args, first=True), "first run is known"),
    (checks.mask_from_runs, lambda runs, w, h: from_runs(runs, h, w).T, "row by row"),
    (checks.mask_from_runs, lambda runs, w, h: from_runs(runs, h, w), "shape"),
    (checks.mask_from_runs, lambda runs, *size: [[True] * n for n in runs], "differ in length"),
    (checks.mask_from_runs, lambda runs, w, h: from_runs([n for n in runs if n], w, h), "length 0"),
    (checks.mask_from_runs, lambda runs, w, h: np.full((h, w), 7), "True or False"),
    (checks.mask_from_runs, lambda runs, w, h: runs[99], "IndexError"),
    (checks.mask_from_runs, lambda *args: from_runs(*args) + 0j, "True or False"),
    (checks.mask_from_runs, places_and_lengths, "taken for a place"),
    (checks.newest, lambda arrivals, seconds: list(range(len(arrivals))), "nothing is dropped"),
    (checks.newest, lambda *args: shown(*args, drop=False), "not shown"),
    (checks.newest, lambda arrivals, seconds: [len(arrivals) - 1], "only the last one"),
    (checks.newest, lambda *args: shown(*args, newest=False), "first come, first served"),
    (checks.newest, a_thread_each, "the thread is busy"),
    (checks.newest, forgetful, "is forgotten"),
    (checks.newest, lambda *args: [n + 1 for n in shown(*args)], "numbered from 0"),
    (checks.newest, lambda *args: [n for n in range(len(args[0])) if n not in shown(*args)], ""),
    (checks.newest, lambda *args: shown(*args)[:-1], "too few"),
    (checks.newest, lambda *args: [n + 0.5 for n in shown(*args)], "list of numbers"),
    (checks.newest, lambda *args: [float("inf")], "list of numbers"),
    (checks.newest, lambda *args: shown(*args)[::-1], ""),
    (checks.newest, lambda arrivals, seconds: 3, "list of numbers"),
    (checks.grown, lambda mask, n: ndimage.binary_dilation(mask, np.ones((3, 3)), n), "square"),
    (checks.grown, lambda mask, n: ndimage.binary_dilation(mask, iterations=n), "diamond"),
    (checks.grown, lambda mask, n: ndimage.distance_transform_edt(~mask) <= n, "half a pixel"),
    (checks.grown, rolled, "other"),
    (checks.grown, lambda mask, n: ~grown(~mask, n), "shrinks"),
    (checks.grown, lambda mask, n: grown(mask, n) & ~mask, "lost"),
    (checks.grown, lambda mask, n: grown(mask, n)[1:], "shape"),
    (checks.grown, lambda mask, n: mask, "not grown at all"),
    (checks.grown, lambda mask, n: ~grown(mask, n), "other way round"),
    (checks.grown, lambda mask, n: ndimage.binary_dilation(mask), "one pixel only"),
    (checks.grown, lambda mask, n: grown(mask, n, more=0), "missing"),
    (checks.grown, lambda mask, n: grown(mask, n, more=1), "too far"),
    (checks.grown, lambda mask, n: grown(~mask, n), "inside the hole"),
    (checks.grown, lambda mask, n: ndimage.distance_transform_edt(~mask), "True or False"),
    (checks.box, lambda mask: box(mask, end=0), "just outside"),
    (checks.box, lambda mask: np.array(box(mask))[[1, 0, 3, 2]], "exchanged"),
    (checks.box, lambda mask: np.array(box(mask, end=0))[[1, 0, 3, 2]], "exchanged, and right and bottom"),
    (checks.box, lambda mask: np.array(box(mask)) - [0, 0, 0, 1], "the lower end, too"),
    (checks.box, lambda mask: np.array(box(mask)) - [0, 0, 1, 0], "the right end, too"),
    (checks.box, lambda mask: np.array(box(mask)) - [1, 1, 0, 0], "*in* the hole"),
    (checks.box, lambda mask: (*box(mask)[:2], *np.subtract(box(mask)[2:], box(mask)[:2])), "width"),
    (checks.box, lambda mask: box(~mask) if not mask.all() else (0, 0, 0, 0), "differs"),
    (checks.box, lambda mask: box(mask)[:2], "four whole numbers"),
    (checks.box, of_the_first_part, "two parts"),
    (checks.box, lambda mask: "box", "four whole numbers"),
    (checks.box, lambda mask: np.array(box(mask)) + 0.5, "four whole numbers"),
    (checks.box, lambda mask: (float("nan"), *box(mask)[1:]), "four whole numbers"),
    (checks.box, lambda mask: np.array(box(mask))[[0, 2, 1, 3]], "the order is"),
    (checks.box, lambda mask: box(mask, end=2), "one too far"),
    (checks.box, lambda mask: (0, 0, mask.shape[1], mask.shape[0]), "whole photo"),
    (checks.mini_studio, lambda photo: MaskCanvas(photo), "box of widgets"),
    (checks.mini_studio, lambda photo: photo, "not an Image."),
    (checks.mask_from_runs, without_the_last_hole, "at [5, 3]"),
    (checks.mini_studio, lambda photo: widgets.HBox([widgets.Image()]), "`MaskCanvas` is missing"),
    (checks.mini_studio, lambda photo: widgets.HBox([MaskCanvas(photo)]), "`widgets.Image` is missing"),
    (checks.mini_studio, lambda photo: mini_studio(photo, listen=False), "empty"),
    (checks.mini_studio, lambda photo: mini_studio(photo, kind="JPEG"), "JPEG"),
    (checks.mini_studio, lambda photo: mini_studio(photo, size=(36, 24)), "36 x 24"),
    (checks.mini_studio, lambda photo: mini_studio(photo, fill=lambda photo, mask: photo), "still the photo"),
    (checks.mini_studio, lambda photo: mini_studio(photo, fill=lambda p, m: paint(p, ~m)), "outside the hole"),
    (checks.mini_studio, lambda photo: mini_studio(photo, fill=lambda p, m: 1 / 0), "ZeroDivisionError"),
    (checks.mini_studio, lambda p: mini_studio(p, fill=lambda p, m: one_colour(p, m, 0)), "one single colour"),
    (checks.mini_studio, lambda p: mini_studio(p, fill=lambda p, m: one_colour(p, m, (255, 0, 255))), "single colour"),
    (
        checks.mini_studio,
        lambda p: mini_studio(p, fill=lambda p, m: Image.fromarray(mean_fill(np.asarray(p), m))),
        "one single colour",
    ),
    (checks.mini_studio, lambda p: mini_studio(p, fill=in_noise), "does not meet"),
    (checks.mini_studio, lambda p: mini_studio(p, fill=striped), "does not meet"),
    (checks.mini_studio, completing_the_last_result, "old hole is still filled"),
    (checks.mini_studio, lambda p: mini_studio(p, fill=lambda p, m: 1 / 0, observe=True), "ZeroDivisionError"),
]  # fmt: skip


class TestChecks(ExerciseChecks):
    RIGHT, WRONG = RIGHT, WRONG


def test_a_picture_that_is_late_by_one_stroke_is_noticed():
    def late(photo):
        canvas, picture, ready = MaskCanvas(photo), widgets.Image(), []

        def show(canvas):
            buffer = io.BytesIO()
            paint(photo, canvas.mask).save(buffer, "PNG")
            ready.append(buffer.getvalue())
            picture.value = ready[0]

        canvas.on_stroke(show)
        return widgets.HBox([canvas, picture])

    verdict = checks.mini_studio(late)
    assert verdict.state == NOT_YET and "stroke before" in verdict.message


# What the lesson measures with


def test_the_newest_stroke_wins():
    spans = newest_wins([0.0, 0.1, 0.2, 1.0], 0.25)
    assert [(span.stroke, span.shown) for span in spans] == [(0, False), (2, True), (3, True)]
    assert [span.begin for span in spans] == [0.0, 0.25, 1.0]
    assert newest_wins([], 0.25) == []
