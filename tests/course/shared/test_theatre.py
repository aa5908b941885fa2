"""The theatre of arithmetic: its numbers are torch's, its frames can glide, its picture moves without a kernel."""

import base64
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from glcic_lite.course.shared import figures, plays
from glcic_lite.course.shared.figures import INPUT
from glcic_lite.course.shared.sketch import Sketch, tint
from glcic_lite.course.shared.stage import BROWSER, as_changes
from glcic_lite.course.shared.theatre import PLAYS, STILL_WIDTH, ArithmeticTheatre

LARGEST = 60_000  # bytes of a moving picture


@pytest.fixture(scope="module", params=PLAYS)
def play(request):
    return PLAYS[request.param]()


def tensor(array):
    return torch.from_numpy(array.copy()).double()[None, None]


EXPECTED = {
    "stride 2": F.conv2d(tensor(plays.STRIDED_INPUT), tensor(plays.KERNEL), stride=2),
    "dilation 2": F.conv2d(tensor(plays.DILATED_INPUT), tensor(plays.KERNEL), dilation=2),
    "transposed: stamps": F.conv_transpose2d(tensor(plays.SMALL_INPUT), tensor(plays.KERNEL), stride=2),
    "transposed: zeros between": F.conv_transpose2d(tensor(plays.SMALL_INPUT), tensor(plays.KERNEL), stride=2),
}


def output(frame):
    """The numbers written in the output grid, from the top left; None where there is none yet."""
    written = [
        mark["text"]
        for mark in frame.sketch.marks
        if mark["kind"] == "text" and mark["x"] > plays.KERNEL_AT + 150 and 40 < mark["y"] < plays.SUM_AT - 20
        and mark["bold"]
    ]  # fmt: skip
    return [int(text) if text else None for text in written]


def test_the_sizes_are_those_of_the_report():
    sizes = [tuple(EXPECTED[PLAYS[name]().name].shape[2:]) for name in PLAYS]
    assert sizes == [(2, 2), (3, 3), (5, 5), (5, 5)]
    assert plays.STRIDED_INPUT.shape == (5, 5) and plays.DILATED_INPUT.shape == (7, 7)
    assert plays.SMALL_INPUT.shape == (2, 2)


def test_it_ends_in_the_numbers_of_torch(play):
    assert output(play.frames[0]) == [None] * EXPECTED[play.name].numel()
    assert output(play.frames[-1]) == EXPECTED[play.name].long().flatten().tolist()


def test_each_step_of_a_sliding_kernel_computes_one_more_output(play):
    if play.name == "transposed: stamps":
        return
    final = EXPECTED[play.name].long().flatten().tolist()
    for step, frame in enumerate(play.frames[:-1]):
        assert output(frame) == [*final[:step], *[None] * (len(final) - step)]


def test_each_stamp_adds_what_its_labels_say():
    frames = PLAYS["stamps"]().frames
    for step in range(1, 5):
        before, after = (np.array([v or 0 for v in output(frames[k])]).reshape(5, 5) for k in (step - 1, step))
        labels = [m["text"] for m in frames[step].sketch.marks if m.get("text", "").startswith("+") and not m["hidden"]]
        added = [int(a) * int(b) for a, b in (label[1:].split("·") for label in labels)]
        row, column = divmod(step - 1, 2)
        expected = np.zeros((5, 5), dtype=int)
        expected[2 * row : 2 * row + 3, 2 * column : 2 * column + 3] = np.reshape(added, (3, 3))
        assert (after - before == expected).all()


def test_the_sum_below_the_picture_is_the_number_in_the_output(play):
    for step, frame in enumerate(play.frames):
        (line,) = [m["text"] for m in frame.sketch.marks if m["kind"] == "text" and m["y"] == plays.SUM_AT]
        assert bool(line) == (0 < step < len(play.frames) - 1)
        if " = " in line:
            terms, total = line.split(" = ")
            assert sum(int(a) * int(b) for a, b in (term.split("·") for term in terms.split(" + "))) == int(total)
            assert output(frame)[step - 1] == int(total)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(0, 10**6))
def test_zeros_between_and_a_turned_kernel_are_a_transposed_convolution(size, kernel, stride, seed):
    chance = np.random.default_rng(seed)
    photo, weights = chance.integers(-9, 10, (size, size)), chance.integers(-9, 10, (kernel, kernel))
    spread = plays.with_zeros_between(photo, stride, kernel - 1)
    expected = F.conv_transpose2d(tensor(photo), tensor(weights), stride=stride)[0, 0].long().numpy()
    assert (plays.convolution(spread, weights[::-1, ::-1]) == expected).all()
    assert (plays.transposed_convolution(photo, weights, stride) == expected).all()


def test_all_frames_have_the_same_marks_so_that_they_can_glide(play):
    kinds = [[mark["kind"] for mark in frame.sketch.marks] for frame in play.frames]
    assert all(other == kinds[0] for other in kinds)
    sizes = {(frame.sketch.width, frame.sketch.height) for frame in play.frames}
    assert sizes == {(plays.WIDTH, plays.HEIGHT)}


def test_every_output_pixel_leads_to_its_step(play):
    clicks = [mark["click"]["step"] for mark in play.frames[0].sketch.marks if "click" in mark]
    assert clicks == list(range(1, len(play.frames) - 1))


def test_frames_travel_as_changes_and_arrive_whole(play):
    frames = [{"sketch": frame.sketch.for_browser(), "words": frame.words} for frame in play.frames]
    marks = frames[0]["sketch"]["marks"]
    for short, frame in zip(as_changes(frames)[1:], frames[1:], strict=True):
        marks = [short["changes"].get(str(place), mark) for place, mark in enumerate(marks)]
        assert marks == frame["sketch"]["marks"] and short["words"] == frame["words"]


@pytest.mark.parametrize("name", PLAYS)
def test_without_a_kernel_it_is_a_small_moving_picture_that_begins_with_the_end(name):
    theatre = ArithmeticTheatre(name)
    data, metadata = theatre._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    content = base64.b64decode(data["image/png"])
    assert len(content) < LARGEST
    assert len(metadata["image/png"]["alt"].split()) > 8
    play = PLAYS[name]()
    picture = Image.open(io.BytesIO(content))
    assert picture.width == STILL_WIDTH and picture.n_frames >= len(play.frames)
    scale = STILL_WIDTH / plays.WIDTH
    drawn = [np.asarray(frame.sketch.drawn(scale), dtype=int) for frame in [play.frames[-1], *play.frames]]
    first = np.asarray(picture.convert("RGB"), dtype=int)
    assert np.abs(first - drawn[0]).mean() < 2
    for number in (1, len(play.frames) // 2, picture.n_frames - 1):
        picture.seek(number)
        shown = np.asarray(picture.convert("RGB"), dtype=int)
        nearest = min(np.abs(shown - frame).mean() for frame in drawn)
        assert nearest < 2, "few colours, but the same picture"


def test_an_unknown_play_is_named():
    with pytest.raises(ValueError, match="nonsense.*strided, dilated, stamps, zeros"):
        ArithmeticTheatre("nonsense")


def test_colours_of_the_dark_theme_can_be_read_and_belong_to_the_course():
    css = (BROWSER / "stage.css").read_text(encoding="utf-8")
    dark = css[css.index('[data-jp-theme-light="false"]') : css.index("@media (prefers-color-scheme")]
    changed = dict(re.findall(r"--c([0-9a-f]{6}): #([0-9a-f]{6});", dark))
    palette = {value[1:].lower() for value in vars(figures).values() if re.fullmatch(r"#\w{6}", str(value))}
    assert changed and changed.keys() <= palette, "a colour was renamed in figures.py"
    elsewhere = css[css.index("@media (prefers-color-scheme") :]
    assert all(f"--c{name}: #{colour};" in elsewhere for name, colour in changed.items()), "outside JupyterLab too"
    weight, quiet, wrong = (changed[getattr(figures, name)[1:].lower()] for name in ("WEIGHT", "QUIET", "WRONG"))
    assert contrast(weight, "ffffff") >= 4.5 and contrast(weight, "111111") >= 3
    assert contrast(quiet, "111111") >= 4.5 and contrast(wrong, "111111") >= 4.5


def contrast(one, other):
    """As WCAG 2.2 defines it."""

    def light(colour):
        parts = np.array([int(colour[i : i + 2], 16) for i in (0, 2, 4)]) / 255
        return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    darker, lighter = sorted((light(one), light(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_browser_paints_a_tint_on_the_themes_ground():
    source = (BROWSER / "stage.js").read_text(encoding="utf-8")
    colours = [INPUT, tint(INPUT, 0.35), None]
    sketch = Sketch(1, 1)
    for colour in colours:
        sketch.rectangle(0, 0, 1, 1, colour)
    sent = [mark.get("fill") for mark in sketch.for_browser()["marks"]]
    assert sent == ["#56B4E9", "#56B4E9/35", None]
    program = f"{source}\nconsole.log(JSON.stringify({json.dumps(sent)}.map(paint)));"
    done = subprocess.run(
        ["node", "--input-type=module"], input=program, capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(done.stdout) == [
        "var(--c56b4e9, #56B4E9)",
        "color-mix(in srgb, var(--c56b4e9, #56B4E9) 35%, var(--paper))",
        "none",
    ]
