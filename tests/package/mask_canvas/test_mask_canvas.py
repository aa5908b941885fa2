"""The mask canvas without a browser: run lengths, strokes in numpy, and the widget's Python side."""

import re

import numpy as np
import pytest
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from glcic_lite.mask_canvas import MaskCanvas
from glcic_lite.mask_canvas.strokes import (
    RunLengthError,
    decode_runs,
    disc,
    draw_rectangle,
    draw_stroke,
    encode_runs,
    grow,
    line,
    shrink,
)
from glcic_lite.mask_canvas.studio import CompletionStudio
from glcic_lite.method.masks import MaskError
from glcic_lite.method.photos import PhotoError

masks = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12))
points = st.tuples(st.integers(-30, 60), st.integers(-30, 60))


@given(masks)
def test_run_lengths_come_back_as_the_same_mask(mask):
    runs = encode_runs(mask)
    height, width = mask.shape
    assert np.array_equal(decode_runs(runs, width, height), mask)
    assert sum(runs) == mask.size and all(length > 0 for length in runs[1:])


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.booleans())
def test_a_mask_comes_back_as_the_same_run_lengths(runs, begins_with_hole):
    runs = [0, *runs] if begins_with_hole else runs
    assert encode_runs(decode_runs(runs, sum(runs), 1)) == runs


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        ([5], "add up to 5"),
        ([7], "add up to 7"),
        ([], "add up to 0"),
        ([8, -2], "length -2"),
        ([2, 0, 4], "run 1 has length 0"),
        ([2.0, 4], "not a whole number"),
        (["2", 4], "not a whole number"),
        ([True, 5], "not a whole number"),
        ([None, 6], "not a whole number"),
        ([0, 1, 1, 1, 1, 1, 1, 0], "more than 2 x 3"),
        ([2**70, 6 - 2**70], "length"),
        ("6", "not a str"),
        (None, "not a NoneType"),
        ({"0": 6}, "not a dict"),
    ],
)
def test_bad_run_lengths_are_refused(runs, reason):
    with pytest.raises(RunLengthError, match=reason):
        decode_runs(runs, 2, 3)


@given(points, points)
def test_a_line_is_connected_and_keeps_to_the_ideal_one(start, end):
    pixels = np.array(line(start, end))
    assert tuple(pixels[0]) == start and tuple(pixels[-1]) == end
    assert len(pixels) == max(abs(end[0] - start[0]), abs(end[1] - start[1])) + 1
    assert (np.abs(np.diff(pixels, axis=0)).max(axis=1, initial=0) <= 1).all()
    direction = np.subtract(end, start)
    if direction.any():
        offset = pixels - start
        distance = (offset[:, 0] * direction[1] - offset[:, 1] * direction[0]) / np.linalg.norm(direction)
        assert np.abs(distance).max() <= 0.5


def test_discs_are_round_and_symmetric():
    assert disc(1).tolist() == [[True]]
    for size in range(1, 80, 2):
        brush = disc(size)
        assert brush.shape == (size, size)
        assert np.array_equal(brush, brush.T) and np.array_equal(brush, brush[::-1])
        assert abs(brush.sum() - np.pi / 4 * size**2) <= 0.1 * size**2 + 2
    for bad in (0, 2, -3):
        with pytest.raises(ValueError, match="odd size"):
            disc(bad)


@settings(max_examples=50)
@given(st.lists(points, min_size=1, max_size=4), st.sampled_from([1, 3, 9, 25]))
def test_a_stroke_is_every_pixel_within_the_brush_of_its_line(stroke, size):
    mask = np.zeros((30, 40), dtype=bool)
    draw_stroke(mask, stroke, size)
    centres = np.array(
        [pixel for start, end in zip(stroke, stroke[1:] or stroke, strict=False) for pixel in line(start, end)]
    )
    y, x = np.mgrid[:30, :40]
    distance = (x[..., None] - centres[:, 0]) ** 2 + (y[..., None] - centres[:, 1]) ** 2
    radius = size // 2
    assert np.array_equal(mask, distance.min(axis=2) <= radius**2 + radius)
    draw_stroke(mask, stroke, size, erase=True)
    assert not mask.any()


def test_a_rectangle_holds_both_its_corners_and_is_clipped():
    mask = np.zeros((5, 6), dtype=bool)
    draw_rectangle(mask, (4, 3), (2, 1))
    assert mask.sum() == 9 and mask[1, 2] and mask[3, 4]
    draw_rectangle(mask, (-9, -9), (99, 99))
    assert mask.all()
    draw_rectangle(mask, (-9, -9), (-1, -1), erase=True)
    assert mask.all()


def test_growing_is_drawing_with_a_brush_and_shrinking_its_opposite():
    mask = np.zeros((20, 30), dtype=bool)
    mask[8, 10] = True
    drawn = np.zeros_like(mask)
    draw_stroke(drawn, [(10, 8)], 7)
    assert np.array_equal(grow(mask, 3), drawn)
    assert np.array_equal(shrink(drawn, 3), mask)
    everything = np.ones_like(mask)
    assert shrink(everything, 2).all(), "a hole that runs over the border does not shrink away from it"


def test_a_canvas_begins_without_a_hole_and_takes_masks():
    canvas = MaskCanvas(Image.new("RGB", (64, 48)))
    assert canvas.mask.shape == (48, 64) and canvas.mask.dtype == bool and not canvas.mask.any()
    heard = []
    canvas.observe(lambda change: heard.append(change.new), names="mask")
    hole = np.zeros((48, 64), dtype=bool)
    hole[10:20, 30:50] = True
    canvas.mask = hole
    assert np.array_equal(canvas.mask, hole) and np.array_equal(heard[-1], hole)
    canvas.mask[:] = True
    assert np.array_equal(canvas.mask, hole), "what was read is a copy"
    canvas.mask = Image.fromarray(hole).convert("L")
    assert np.array_equal(canvas.mask, hole)
    with pytest.raises(MaskError, match="3 x 3"):
        canvas.mask = np.ones((3, 3), dtype=bool)
    with pytest.raises(PhotoError):
        MaskCanvas("no such photo.jpg")
    assert np.array_equal(MaskCanvas(np.zeros((48, 64, 3), np.uint8), mask=hole).mask, hole)
    canvas.photo = Image.new("RGB", (30, 20))
    assert canvas.mask.shape == (20, 30) and not canvas.mask.any()


def test_brush_sizes():
    assert MaskCanvas(Image.new("RGB", (640, 480))).brush_size == 33
    assert MaskCanvas(Image.new("RGB", (1, 1))).brush_size == 1
    assert MaskCanvas(Image.new("RGB", (1600, 90))).brush_size == 31, "of a panorama it leaves something standing"
    assert MaskCanvas(Image.new("RGB", (3, 1600))).brush_size == 9
    canvas = MaskCanvas(Image.new("RGB", (64, 48)), brush_size=9)
    assert canvas.brush_size == 9
    for bad in (0, 8, -1):
        with pytest.raises(traitlets.TraitError):
            canvas.brush_size = bad


@pytest.mark.parametrize("size", [(1, 1), (1600, 1), (1, 3000), (1601, 1200), (6000, 4000), (2011, 3019)])
def test_masks_have_the_photos_size_however_it_is_shown(size):
    width, height = size
    canvas = MaskCanvas(Image.new("RGB", size))
    drawing = canvas._drawing
    assert max(drawing["width"], drawing["height"]) <= 1600
    hole = np.random.default_rng(0).random((height, width)) < 0.001
    hole[-1, -1] = True
    canvas.mask = hole
    assert np.array_equal(canvas.mask, hole), "what is set comes back"
    canvas.set_state({"_drawing": dict(canvas._drawing), "completed_strokes": 1})  # as from the browser
    drawn = canvas.mask
    assert drawn.shape == (height, width) and (drawn | ~hole).all(), "no pixel of the hole is lost"
    canvas.mask = drawn
    canvas.set_state({"_drawing": dict(canvas._drawing), "completed_strokes": 2})
    assert np.array_equal(canvas.mask, drawn), "there and back changes nothing any more"


@pytest.mark.parametrize(
    "change",
    [
        {"runs": [5]},
        {"runs": [64 * 48 + 1, -1]},
        {"runs": [64.0 * 48]},
        {"runs": None},
        {"runs": [1] * (64 * 48 + 2)},
        {"width": 48, "height": 64},
        {"more": 1},
    ],
)
def test_a_bad_message_is_refused_and_said(change):
    canvas = MaskCanvas(Image.new("RGB", (64, 48)))
    hole = np.zeros((48, 64), dtype=bool)
    hole[3:7, 5:9] = True
    canvas.mask = hole
    calls = []
    canvas.on_stroke(calls.append)
    canvas.set_state({"_drawing": canvas._drawing | change, "completed_strokes": 1})
    assert "refused" in canvas.error
    assert np.array_equal(canvas.mask, hole) and canvas.completed_strokes == 0 and not calls


def test_the_browser_sets_what_the_reader_may_change_and_nothing_internal(monkeypatch):
    canvas = MaskCanvas(Image.new("RGB", (12, 8), "teal"))
    before, sent = canvas.get_state(), []
    monkeypatch.setattr(canvas, "send_state", lambda key=None: sent.append(key))
    canvas.set_state({"_photo": b"", "_photo_size": [1, 1], "_esm": "", "_nothing": 1, "brush_size": 7})
    assert canvas.get_state() == before | {"brush_size": 7}
    assert ["_photo", "_photo_size", "_esm"] in sent, "and is told what they are"


@pytest.mark.parametrize("widget", [MaskCanvas, CompletionStudio])
def test_every_trait_says_what_it_is(widget):
    public = {name: trait for name, trait in widget.class_own_traits().items() if not name.startswith("_")}
    assert public and all(trait.help for trait in public.values())
    for name in public:
        assert re.search(rf"^        {name}: ", widget.__doc__, re.M), f"{name} is not among the attributes"


def test_a_stroke_that_arrives_after_its_photo_was_changed_is_dropped():
    canvas = MaskCanvas(Image.new("RGB", (64, 48)))
    late = canvas._drawing | {"runs": [0, 64 * 48]}
    canvas.photo = Image.new("RGB", (64, 48), "red")
    canvas.set_state({"_drawing": late, "completed_strokes": 1})
    assert not canvas.mask.any() and not canvas.error


def test_callbacks_see_the_new_mask_and_their_errors_are_kept():
    canvas = MaskCanvas(Image.new("RGB", (64, 48)))
    seen = []

    def look(canvas):
        seen.append(int(canvas.mask.sum()))

    def fail(canvas):
        raise ZeroDivisionError("on purpose")

    def draw(number):
        canvas.set_state(
            {"completed_strokes": number, "_drawing": canvas._drawing | {"runs": [10, number, 64 * 48 - 10 - number]}}
        )

    canvas.on_stroke(look)
    draw(1)
    assert seen == [1] and not canvas.error
    canvas.on_stroke(fail)
    canvas.on_stroke(look)
    draw(2)
    assert seen == [1, 2, 2], "the others are called all the same"
    assert "ZeroDivisionError: on purpose" in canvas.error and "Traceback" in canvas.error
    canvas.on_stroke(fail, remove=True)
    draw(3)
    assert not canvas.error
