"""The completion studio without a browser: newest wins, what it completes, the lists, messages, and saving."""

import base64
import io
import json
import re
import shutil
import threading
import time

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image

from glcic_lite import CompletionNetwork, Stopped, complete, scale_of
from glcic_lite.evaluation.fills import CLASSICAL_FILLS, FillError
from glcic_lite.files import SHIPPED_WEIGHTS
from glcic_lite.mask_canvas import completion_studio, sample_photos
from glcic_lite.mask_canvas.completion import Pace, hole_width
from glcic_lite.mask_canvas.strokes import decode_runs, encode_runs, grow
from glcic_lite.mask_canvas.studio import CompletionStudio
from glcic_lite.method.masks import MaskError, open_mask
from glcic_lite.method.networks import fingerprint
from glcic_lite.method.photos import PhotoError, open_photo
from glcic_lite.method.pretrained import WeightsError
from glcic_lite.speed.completion import shipped_network
from inputs import narrow_network, noise

WIDTH, HEIGHT = 96, 64
SECONDS = 60


def box(left, top, right, bottom, size=(WIDTH, HEIGHT)):
    mask = np.zeros(size[::-1], dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


def draw(canvas, mask):
    """What the browser sends when a stroke ends."""
    drawing = {**canvas._drawing, "runs": encode_runs(mask)}
    canvas.set_state({"_drawing": drawing, "completed_strokes": canvas.completed_strokes + 1})


class SlowFill:
    """In the place of `complete`: paints the hole grey, and waits for permission before each answer."""

    def __init__(self):
        self.asked: list[np.ndarray] = []
        self.begun = threading.Semaphore(0)
        self.allowed = threading.Semaphore(0)

    def __call__(self, photo, mask, network, blend):
        self.asked.append(mask.copy())
        self.begun.release()
        assert self.allowed.acquire(timeout=SECONDS)
        result = np.asarray(photo).copy()
        result[mask] = 128
        return Image.fromarray(result)


@pytest.fixture
def photo():
    return Image.fromarray(noise(HEIGHT, WIDTH))


@pytest.fixture
def ready(photo):
    """A studio with a small network, once it has warmed up."""
    made = completion_studio(photo, narrow_network())
    assert made.wait(SECONDS)
    return made


@pytest.fixture
def slow(ready):
    """The same, whose completions wait: (studio, its fill)."""
    ready.fill = SlowFill()
    yield ready, ready.fill
    for _ in range(9):
        ready.fill.allowed.release()
    assert ready.wait(SECONDS)


def patch(made):
    """What the browser gets: the PNG of the hole's box as an array (h, w, 4), and its corner."""
    shown = made._completion
    return np.asarray(Image.open(io.BytesIO(shown["png"]))), shown["left"], shown["top"]


def test_it_completes_what_is_drawn_and_nothing_else(ready, photo):
    hole = box(30, 20, 50, 31)
    draw(ready, hole)
    result = ready.result
    assert result.size == photo.size
    assert np.array_equal(np.asarray(result), np.asarray(complete(photo, hole, ready.network)))
    assert np.array_equal(np.asarray(result)[~hole], np.asarray(photo)[~hole])
    assert not np.array_equal(np.asarray(result)[hole], np.asarray(photo)[hole])
    assert np.array_equal(ready.hole, hole) and ready.completions == 1 and not ready.error
    assert (ready._working, ready._answered) == (False, ready.completed_strokes)


def test_the_browser_gets_the_hole_and_nothing_else(ready):
    hole = box(30, 20, 50, 31) | box(40, 40, 41, 45)
    draw(ready, hole)
    result = np.asarray(ready.result)
    pixels, left, top = patch(ready)
    assert (left, top, *pixels.shape) == (30, 20, 25, 20, 4)
    inside = hole[20:45, 30:50]
    assert np.array_equal(pixels[..., 3], np.where(inside, 255, 0))
    assert np.array_equal(pixels[inside][:, :3], result[20:45, 30:50][inside])
    assert not pixels[~inside].any(), "known pixels under the transparent part would cost many bytes"


def test_a_mask_set_by_python_is_completed_too_and_an_empty_one_is_the_photo(ready, photo):
    assert np.array_equal(np.asarray(ready.result), np.asarray(photo)) and ready._completion == {}
    ready.mask = box(10, 10, 20, 20)
    assert not np.array_equal(np.asarray(ready.result), np.asarray(photo))
    assert ready._completion
    ready.mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    assert np.array_equal(np.asarray(ready.result), np.asarray(photo))
    assert ready._completion == {} and not ready._working


def test_the_newest_stroke_wins(slow):
    made, fill = slow
    masks = [box(5 * n, 10, 5 * n + 4, 20) for n in range(4)]
    draw(made, masks[0])
    assert fill.begun.acquire(timeout=SECONDS)  # the first is under way ...
    for mask in masks[1:]:
        draw(made, mask)  # ... while three more arrive
    assert made._working
    fill.allowed.release()
    assert fill.begun.acquire(timeout=SECONDS)
    assert made._completion == {} and made._working and made.completions == 0, "the first answer is dropped"
    fill.allowed.release()
    assert made.wait(SECONDS)
    assert [np.argmax(mask.any(axis=0)) for mask in fill.asked] == [0, 15], "the two in the middle are never begun"
    assert np.array_equal(made.hole, masks[3]) and made.completions == 1
    assert made._answered == made.completed_strokes == 4 and not made._working


def test_a_stroke_and_its_undoing_in_one_message_are_answered(ready):
    """The browser sends what changed while the kernel was busy at once: more strokes, and the drawing as it was."""
    draw(ready, box(30, 20, 50, 31))
    assert ready.wait(SECONDS)
    ready.set_state({"_drawing": ready._drawing, "completed_strokes": ready.completed_strokes + 2})
    assert ready.wait(SECONDS)
    assert ready._answered == ready.completed_strokes == 3 and not ready._working


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_observer_that_fails_does_not_end_the_studio(ready):
    def fail(change):
        raise RuntimeError("the observer's own")

    ready.observe(fail, "_completion")
    draw(ready, box(30, 20, 50, 31))
    assert ready.wait(SECONDS), "whoever waits must not wait for ever"
    ready.unobserve(fail, "_completion")
    draw(ready, box(10, 20, 20, 31))
    assert ready.wait(SECONDS) and ready._answered == ready.completed_strokes


def test_clearing_while_it_completes_shows_nothing_afterwards(slow, photo):
    made, fill = slow
    draw(made, box(5, 10, 9, 20))
    assert fill.begun.acquire(timeout=SECONDS)
    draw(made, np.zeros((HEIGHT, WIDTH), dtype=bool))
    assert not made._working
    fill.allowed.release()
    assert made.wait(SECONDS)
    assert made._completion == {} and made.completions == 0
    assert np.array_equal(np.asarray(made.result), np.asarray(photo))


def test_an_answer_for_the_photo_before_is_dropped(slow):
    made, fill = slow
    draw(made, box(5, 10, 9, 20))
    assert fill.begun.acquire(timeout=SECONDS)
    made.photo = Image.new("RGB", (50, 40), "red")
    fill.allowed.release()
    assert made.wait(SECONDS)
    assert made._completion == {} and made.result.size == (50, 40) and not made.hole.any()


def test_drawing_does_not_wait_for_the_completion(slow):
    made, fill = slow
    start = time.perf_counter()
    for n in range(10):
        draw(made, box(n, 10, n + 4, 20))
        assert np.array_equal(made.mask, box(n, 10, n + 4, 20))
    assert time.perf_counter() - start < 5, "the fill has not answered once"
    assert not made.wait(0.01)


@pytest.mark.parametrize("pixels", [1, 5])
def test_the_mask_is_grown_before_it_is_completed(ready, photo, pixels):
    hole = box(30, 20, 50, 31)
    ready.mask = hole
    before = np.asarray(ready.result)
    ready.grow_by = pixels
    result, used = np.asarray(ready.result), ready.hole
    assert np.array_equal(used, grow(hole, pixels)) and np.array_equal(ready.mask, hole)
    assert np.array_equal(result[~used], np.asarray(photo)[~used])
    assert np.array_equal(result, np.asarray(complete(photo, used, ready.network)))
    ready.grow_by = 0
    assert np.array_equal(np.asarray(ready.result), before)


def test_the_studio_says_that_it_waits_for_a_download(ready, monkeypatch, weights_folder):
    said = []

    def download(owner_and_name, file, **options):
        said.append(ready._note)
        return str(weights_folder / file)

    monkeypatch.setattr("glcic_lite.method.pretrained.hf_hub_download", download)
    ready._receive_message(ready, {"do": "network", "folder": "hf:owner/name"}, [])
    assert said[0] == "Downloading the weights hf:owner/name from the Hugging Face Hub ..."
    assert ready._note == "Completing with hf:owner/name."


def test_blending_and_the_network_can_be_switched(ready, photo, weights_folder):
    hole = box(30, 20, 50, 31)
    ready.mask = hole
    blended = np.asarray(ready.result)
    ready.blend = False
    bare = np.asarray(ready.result)
    assert np.array_equal(bare, np.asarray(complete(photo, hole, ready.network, blend=False)))
    assert not np.array_equal(bare, blended)
    ready.network = narrow_network(seed=1)
    other = np.asarray(ready.result)
    assert not np.array_equal(other, bare)
    ready._receive_message(ready, {"do": "network", "folder": f" {weights_folder} "}, [])
    assert not ready.error and str(weights_folder) in ready._note
    assert np.array_equal(np.asarray(ready.result), bare), "that folder holds the first network"
    assert str(weights_folder) in ready._network_name


def test_the_shipped_weights_are_what_it_begins_with(photo):
    made = completion_studio(photo)
    assert made.network is shipped_network() and made._network_name == "the shipped weights"
    made.mask = box(30, 20, 50, 31)
    assert np.array_equal(np.asarray(made.result), np.asarray(complete(photo, made.mask)))
    settings = json.loads((SHIPPED_WEIGHTS / "settings.json").read_text())
    assert made._completion["learned"] == settings["hole_sides"][1]


def test_a_failed_completion_is_said_in_words(ready, photo):
    ready.mask = np.ones((HEIGHT, WIDTH), dtype=bool)
    assert ready.wait(SECONDS)
    assert ready.error == "the mask covers the whole photo: nothing is known to complete it from"
    assert ready._completion == {} and not ready._working
    with pytest.raises(MaskError, match="whole photo"):
        _ = ready.result

    def broken(photo, mask, network, blend):
        raise ZeroDivisionError("on purpose")

    ready.fill = broken
    draw(ready, box(3, 3, 9, 9))
    assert ready.wait(SECONDS)
    assert "ZeroDivisionError: on purpose" in ready.error and "Traceback" in ready.error
    ready.fill = complete
    draw(ready, box(3, 3, 9, 10))
    assert ready.result.size == photo.size
    assert not ready.error, "once it works again the error goes"


def test_errors_of_callbacks_and_observers_are_not_lost(ready):
    def fail(*_):
        raise ValueError("holes please")

    ready.on_stroke(fail)
    draw(ready, box(3, 3, 9, 9))
    assert ready.wait(SECONDS)
    assert "holes please" in ready.error, "a completion that works does not clear it"
    ready.on_stroke(fail, remove=True)
    ready.observe(fail, names="completions")
    draw(ready, box(3, 3, 9, 10))
    assert ready.wait(SECONDS)
    assert "holes please" in ready.error
    assert ready._completion


def test_observers_of_completions_see_the_result(ready):
    seen = []
    ready.observe(lambda change: seen.append(ready.result.getpixel((5, 5))), names="completions")
    ready.fill = lambda photo, mask, network, blend: Image.new("RGB", photo.size, (1, 2, 3))
    draw(ready, box(3, 3, 9, 9))
    assert ready.wait(SECONDS)
    assert seen == [(1, 2, 3)]


@pytest.mark.parametrize(("sides", "across"), [((20, 11), 12), ((8, 40), 8), ((1, 1), 2)])
def test_how_wide_a_hole_is(sides, across):
    width, height = sides
    assert abs(hole_width(box(30, 10, 30 + width, 10 + height)) - across) <= 1
    assert hole_width(box(0, 0, 20, HEIGHT)) >= 38, "beyond the border nothing is known"


# What is open


def test_photos_are_taken_at_full_size_and_samples_at_640(tmp_path):
    large = Image.fromarray(noise(900, 1700))
    made = CompletionStudio(large, narrow_network())
    assert made.photo.size == (1700, 900) and made.long_side == 0
    made.mask = box(800, 300, 900, 340, (1700, 900))
    result = np.asarray(made.result)
    assert result.shape == (900, 1700, 3)
    assert np.array_equal(result[~made.mask], np.asarray(large)[~made.mask])
    pixels, left, top = patch(made)
    scale = 1600 / 1700  # the photo is shown at 1600 pixels, and so is the patch
    assert abs(left - 800 * scale) <= 1 and abs(top - 300 * scale) <= 1
    assert abs(pixels.shape[1] - 100 * scale) <= 2 and abs(pixels.shape[0] - 40 * scale) <= 2
    assert (pixels[1:-1, 1:-1, 3] == 255).all()
    made.load_photo("petra-treasury")
    assert max(made.photo.size) == 640 and made.long_side == 640 and not made.hole.any()
    assert made._source["sample"] == "petra-treasury" and made._source["credit"]
    made.load_photo(large)
    assert made.photo.size == (1700, 900) and made._source["credit"] == ""


def test_another_size_keeps_the_drawing(ready):
    made = ready
    made.load_photo(Image.fromarray(noise(800, 1000)))
    made.mask = box(400, 200, 500, 300, (1000, 800))
    made.long_side = 500
    assert made.photo.size == (500, 400)
    assert np.array_equal(made.mask, box(200, 100, 250, 150, (500, 400)))
    assert made.result.size == (500, 400)
    made.long_side = 0
    assert made.photo.size == (1000, 800)
    assert np.array_equal(made.mask, box(400, 200, 500, 300, (1000, 800)))
    made.long_side = 5000
    assert made.photo.size == (1000, 800), "photos are never enlarged"


def test_the_lists_hold_all_sample_photos_and_their_masks():
    names = sample_photos.photo_names()
    files = {path.stem for path in sample_photos.PHOTOS.glob("*.jpg")}
    assert set(names) == files and len(files) > 10
    masks = {mask for name in names for mask in sample_photos.mask_names(name)}
    assert masks == {path.stem for path in sample_photos.MASKS.glob("*.png")}, "every hand-made mask has its photo"
    assert list(sample_photos.mask_names("river-otters")) == ["river-otters", "river-otters--swimmer"]
    assert sample_photos.mask_names("river-otters")["river-otters--swimmer"] == "by hand: swimmer"
    assert sample_photos.mask_names("river") == {} == sample_photos.mask_names("no-such-photo")
    made = completion_studio("river-otters", narrow_network())
    (_, with_masks), (_, others) = made._samples
    assert sorted(name for name, _ in [*with_masks, *others]) == sorted(files)
    assert all(sample_photos.mask_names(name) for name, _ in with_masks)
    assert not any(sample_photos.mask_names(name) for name, _ in others)
    assert [name for name, _ in made._source["masks"]] == ["river-otters", "river-otters--swimmer", "box", "strokes"]


def test_masks_of_the_list(photo):
    made = completion_studio("river-otters", narrow_network())
    made.load_mask("river-otters")
    full = open_mask(sample_photos.MASKS / "river-otters.png")
    assert made.mask.shape[::-1] == made.photo.size
    assert full.mean() <= made.mask.mean() < 1.3 * full.mean(), "reduced, and no pixel of the hole lost"
    assert made._source["mask"] == "river-otters" and made.result.size == made.photo.size
    draw(made, box(5, 5, 9, 9, made.photo.size))
    assert made._source["mask"] == "", "painted over: no longer the one of the list"
    for name in ("box", "strokes"):
        made.load_mask(name)
        assert 0 < made.mask.mean() < 0.2
    made.load_photo(photo)
    with pytest.raises(MaskError, match="no mask 'river-otters'"):
        made.load_mask("river-otters")
    made.load_mask("box")
    assert made.mask.any()


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (3, 2)])
def test_tiny_photos(size):
    made = completion_studio(Image.new("RGB", size), narrow_network())
    made.load_mask("box")
    assert made.wait(SECONDS)
    made.load_mask("strokes")
    assert made.wait(SECONDS)
    if size != (1, 1):
        made.mask = box(0, 0, 1, 1, size)
        assert made.result.size == size


def test_bad_photos_and_weights_are_refused(tmp_path, photo):
    with pytest.raises(PhotoError, match="no such file"):
        completion_studio(tmp_path / "nothing.jpg")
    with pytest.raises(WeightsError, match="no such folder"):
        completion_studio(photo, tmp_path / "nothing")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"do": "open", "path": "/no/such/photo.jpg"}, "/no/such/photo.jpg: no such file"),
        ({"do": "open", "path": "~nosuchuser/photo.jpg"}, "~nosuchuser/photo.jpg: no such file"),
        ({"do": "open", "path": "."}, "a folder, not a photo"),
        ({"do": "open", "sample": "../../README"}, "no sample photo '../../README'"),
        ({"do": "mask", "name": "../secret"}, "no mask '../secret'"),
        ({"do": "network", "folder": "/no/such/folder"}, "/no/such/folder: no such folder"),
        ({"do": "save", "as": "png"}, "nothing is completed yet"),
        ({"do": "save", "as": "page"}, "nothing is completed yet"),
        ({"do": "save", "as": "gif"}, "nothing is completed yet"),
        ({"do": "save", "as": "bmp"}, "does not know"),
        ({"do": "continue"}, "nothing is completed yet"),
        ({"do": "dance"}, "does not know"),
        ({"do": "upload", "what": "photo", "name": "x.jpg", "part": 0, "parts": 1}, "IndexError"),
        ("nonsense", "does not know"),
    ],
)
def test_requests_that_cannot_be_met_are_answered_in_words(ready, photo, message, words):
    network = ready.network
    ready._receive_message(ready, message, [])
    assert words in ready.error and not ready._note
    assert ready.photo.size == photo.size and ready.network is network, "what was there stays"


def test_opening_by_path(ready, tmp_path):
    file = tmp_path / "my photo.png"
    Image.fromarray(noise(30, 44)).save(file)
    ready._receive_message(ready, {"do": "open", "path": f' "{file}" '}, [])
    assert not ready.error and "my photo.png" in ready._note
    assert ready.photo.size == (44, 30) and ready._source["title"] == "my photo.png"


def test_uploads(ready):
    content = io.BytesIO()
    picture = noise(30, 44)
    Image.fromarray(picture).save(content, "PNG")
    upload(ready, "C:\\photos\\mine.png", content.getvalue())
    assert not ready.error and np.array_equal(np.asarray(ready.photo), picture)
    assert ready._source["title"] == "mine.png" and "mine.png at its full size" in ready._note
    upload(ready, "broken.png", content.getvalue()[:500])
    assert "broken.png" in ready.error and "tmp" not in ready.error
    assert np.array_equal(np.asarray(ready.photo), picture), "the photo before stays"


def upload(made, name, content, what="photo", parts=1):
    """What the browser sends of a file."""
    size = -(-len(content) // parts)
    for part in range(parts):
        message = {"do": "upload", "what": what, "name": name, "part": part, "parts": parts}
        made._receive_message(made, message, [memoryview(content[part * size : (part + 1) * size])])


def test_a_large_file_arrives_in_parts_and_whole(ready):
    content = io.BytesIO()
    picture = noise(60, 88)
    Image.fromarray(picture).save(content, "PNG")
    upload(ready, "large.png", content.getvalue(), parts=7)
    assert not ready.error and np.array_equal(np.asarray(ready.photo), picture)
    message = {"do": "upload", "what": "photo", "name": "late.png", "part": 3, "parts": 5}
    ready._receive_message(ready, message, [b"middle"])
    assert "late.png: a part of it was lost" in ready.error
    assert np.array_equal(np.asarray(ready.photo), picture)


def test_the_parts_of_uploads_leave_room_in_a_message(ready):
    assert 0 < ready._largest_message < 9 * 2**20  # Jupyter drops a message of more than 10 MiB


def test_a_file_as_mask(ready, tmp_path):
    hole = box(30, 20, 50, 31)
    file = tmp_path / "mask.png"
    Image.fromarray(hole).save(file)
    ready.load_mask(str(file))
    assert np.array_equal(ready.mask, hole) and ready.wait(SECONDS) and ready._completion
    ready.mask = np.zeros_like(hole)
    upload(ready, "mask.png", file.read_bytes(), what="mask")
    assert not ready.error and np.array_equal(ready.mask, hole)
    upload(ready, "other.png", png_of(np.ones((3, 3), bool)), what="mask")
    assert ready.error == "the mask is 3 x 3 pixels, the photo 96 x 64"
    upload(ready, "black.png", png_of(np.zeros_like(hole)), what="mask")
    assert "no hole" in ready.error and np.array_equal(ready.mask, hole), "the mask before stays"
    upload(ready, "text.png", b"no picture", what="mask")
    assert ready.error.startswith("text.png: not a picture")


def png_of(array):
    content = io.BytesIO()
    Image.fromarray(array).save(content, "PNG")
    return content.getvalue()


def test_a_mask_of_the_full_size_for_a_reduced_photo(ready):
    ready.load_photo(Image.fromarray(noise(800, 1000)))
    ready.long_side = 500
    ready.load_mask(Image.fromarray(box(400, 200, 500, 300, (1000, 800))))
    assert np.array_equal(ready.mask, box(200, 100, 250, 150, (500, 400)))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_can_be_the_mask(ready, tmp_path, mode):
    hole = box(30, 20, 50, 31)
    picture = Image.fromarray(noise(HEIGHT, WIDTH))
    picture.putalpha(Image.fromarray(~hole))
    file = tmp_path / "cut out.png"
    if mode == "P":
        indices = picture.convert("RGB").quantize(255)
        indices.putpalette([*indices.getpalette()[: 3 * 255], 0, 0, 0])
        indices.paste(255, mask=Image.fromarray(hole))
        indices.save(file, transparency=255)
    else:
        picture.convert(mode).save(file)
    ready.load_photo(file)
    assert ["transparent", "its transparent part"] in ready._source["masks"]
    ready.load_mask("transparent")
    assert np.array_equal(ready.mask, hole)
    assert (np.asarray(ready.photo)[hole] == 255).all(), "transparent parts lie over white"
    ready.load_photo(Image.fromarray(noise(HEIGHT, WIDTH)))
    assert "transparent" not in dict(ready._source["masks"])
    ready.load_photo(Image.new("RGBA", (WIDTH, HEIGHT)))
    assert "transparent" not in dict(ready._source["masks"]), "nothing would be known"


# Keeping


def test_saving_writes_photo_and_mask_and_overwrites_nothing(ready, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MaskError, match="nothing is completed yet"):
        ready.save()
    ready.mask = box(30, 20, 50, 31)
    ready.grow_by = 2
    completed, mask = ready.save()
    assert (completed.name, mask.name) == ("photo-completed.png", "photo-mask.png")
    assert np.array_equal(np.asarray(open_photo(tmp_path / completed)), np.asarray(ready.result))
    assert np.array_equal(open_mask(tmp_path / mask), grow(ready.mask, 2))
    ready._receive_message(ready, {"do": "save", "as": "png"}, [])
    assert "photo-2-completed.png" in ready._note and not ready.error
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "photo-2-completed.png",
        "photo-2-mask.png",
        "photo-completed.png",
        "photo-mask.png",
    ]


def test_what_cannot_be_saved_is_said(ready, tmp_path):
    ready.mask = box(30, 20, 50, 31)
    with pytest.raises(OSError):
        ready.save(tmp_path / "no such folder")
    assert not list(tmp_path.iterdir())


def test_before_and_after_as_a_page_and_as_a_gif(ready, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ready.mask = hole = box(30, 20, 50, 31)
    ready._source = {**ready._source, "title": "a <b> & c.png"}
    for kind in ("page", "gif"):
        ready._receive_message(ready, {"do": "save", "as": kind}, [])
        assert not ready.error and f"before-after.{'html' if kind == 'page' else kind}" in ready._note
    page = (tmp_path / "a <b> & c-before-after.html").read_text(encoding="utf-8")
    assert "<b>" not in page.split("<body>")[1] and "a &lt;b&gt; &amp; c.png" in page and "@@" not in page
    assert not re.search(r"""(src|href)=["'](?!data:)|https?:|import""", page), "it needs nothing from elsewhere"
    pictures = [base64.b64decode(data) for data in re.findall(r"data:image/png;base64,([^\"]+)", page)]
    before, after = (np.asarray(Image.open(io.BytesIO(data))) for data in pictures)
    assert np.array_equal(before, np.asarray(photo)) and np.array_equal(after, np.asarray(ready.result))
    gif = Image.open(tmp_path / "a <b> & c-before-after.gif")
    frames = []
    for number in range(gif.n_frames):
        gif.seek(number)
        frames.append(np.asarray(gif.convert("RGB")).astype(int))
    assert gif.info["loop"] == 0 and len(frames) > 10
    middle = len(frames) // 2
    assert np.array_equal(frames[0][~hole], frames[middle][~hole]), "outside the hole nothing flickers"
    assert np.abs(frames[0][hole] - frames[middle][hole]).mean() > 10
    assert np.abs(frames[middle][hole] - np.asarray(ready.result).astype(int)[hole]).mean() < 20


# Continuing, on demand, what fills


def test_continuing_from_the_result(ready, photo):
    ready.mask = box(30, 20, 50, 31)
    first = ready.result
    ready.continue_from_result()
    assert np.array_equal(np.asarray(ready.photo), np.asarray(first)) and not ready.mask.any()
    ready.mask = box(5, 5, 9, 9)
    second = np.asarray(ready.result)
    assert np.array_equal(second[~ready.mask], np.asarray(first)[~ready.mask])
    with pytest.raises(MaskError, match="nothing is completed yet"):
        completion_studio(photo, narrow_network()).continue_from_result()


def test_a_sample_continued_keeps_its_credit():
    made = completion_studio("river-otters", narrow_network())
    credit, title = made._source["credit"], made._source["title"]
    made.load_mask("river-otters")
    made.continue_from_result()
    assert (made._source["credit"], made._source["title"], made._source["sample"]) == (credit, title, "")
    assert max(made.photo.size) == 640 and made._source["size"] == list(made.photo.size)


def test_on_demand_it_completes_when_asked(ready, photo):
    ready.on_demand = True
    ready.fill = counted = Counted()
    draw(ready, box(30, 20, 50, 31))
    draw(ready, box(30, 20, 50, 35))
    assert ready.wait(SECONDS) and counted.times == 0 and not ready._working
    assert ready._answered == ready.completed_strokes, "the browser waits for nothing"
    with pytest.raises(MaskError, match="not completed yet"):
        ready.save()
    ready._receive_message(ready, {"do": "complete"}, [])
    assert ready.wait(SECONDS) and counted.times == 1 and ready._completion
    draw(ready, box(3, 3, 9, 9))
    assert ready._completion == {}, "what was completed before is not this drawing's"
    ready.on_demand = False
    assert ready.wait(SECONDS) and counted.times == 2 and ready._completion


def test_what_is_completed_stays_when_each_stroke_is_switched_off_and_on(ready):
    ready.fill = counted = Counted()
    draw(ready, box(30, 20, 50, 31))
    assert ready.wait(SECONDS) and counted.times == 1
    shown = ready._completion
    ready.on_demand = True
    assert ready._completion == shown and not ready._working
    ready.on_demand = False
    assert ready.wait(SECONDS) and ready._completion == shown and counted.times == 1


def test_a_cancel_that_comes_late_takes_nothing_away(ready):
    draw(ready, box(30, 20, 50, 31))
    assert ready.wait(SECONDS)
    shown, ready._note = ready._completion, "Saved it."
    ready._receive_message(ready, {"do": "cancel"}, [])
    assert ready._completion == shown and ready._note == "Saved it."


def test_what_an_upload_has_said_outlasts_the_stroke_that_is_under_way(ready):
    ready._receive_message(ready, {"do": "upload", "what": "photo", "name": "x.txt", "part": 0, "parts": 1}, [b"text"])
    said = ready.error
    assert "x.txt" in said
    draw(ready, box(30, 20, 50, 31))
    assert ready.wait(SECONDS) and ready.error == said
    ready._receive_message(ready, {"do": "open", "sample": "meerkats"}, [])
    assert not ready.error


class Counted:
    """A fill that counts how often it is asked."""

    times = 0

    def __call__(self, photo, mask, network, blend):
        self.times += 1
        return Image.new("RGB", photo.size)


def test_a_completion_can_be_cancelled(slow, photo):
    made, fill = slow
    draw(made, box(5, 10, 9, 20))
    assert fill.begun.acquire(timeout=SECONDS)
    made._receive_message(made, {"do": "cancel"}, [])
    assert not made._working and made._completion == {} and made._answered == made.completed_strokes
    fill.allowed.release()
    assert made.wait(SECONDS)
    assert made._completion == {} and np.array_equal(np.asarray(made.result), np.asarray(photo))


def test_a_completion_that_is_overtaken_stops(ready, monkeypatch):
    """The network is asked to stop: what comes after a large hole does not wait for it."""
    begun, stopped = threading.Semaphore(0), []

    def endless(photo, mask, network, blend, should_stop):
        begun.release()
        end = time.monotonic() + SECONDS
        while mask.sum() > 100 and time.monotonic() < end:
            if should_stop():
                stopped.append(mask.sum())
                raise Stopped("taken back")
        return complete(photo, mask, network, blend)

    monkeypatch.setattr("glcic_lite.mask_canvas.completion.complete", endless)
    draw(ready, box(5, 5, 60, 60))
    assert begun.acquire(timeout=SECONDS)
    draw(ready, np.zeros((HEIGHT, WIDTH), dtype=bool))
    assert ready.wait(SECONDS) and stopped == [55 * 55]
    draw(ready, box(5, 5, 10, 10))
    assert ready.wait(SECONDS) and ready._completion and not ready.error


def test_a_classical_fill_is_abandoned_when_it_is_overtaken(ready, monkeypatch):
    """OpenCV cannot be stopped; what comes after it does not wait all the same."""
    begun, gate = threading.Semaphore(0), threading.Event()

    def endless(photo, mask):
        begun.release()
        assert gate.wait(SECONDS)
        return photo

    monkeypatch.setitem(CLASSICAL_FILLS, "Telea", endless)
    ready.filled_by = "Telea"
    draw(ready, box(5, 5, 60, 60))
    assert begun.acquire(timeout=SECONDS)
    ready.filled_by = "harmonic"
    try:
        assert ready.wait(SECONDS) and ready._completion["filled_by"] == "harmonic"
    finally:
        gate.set()


def test_the_failure_of_a_classical_fill_is_said(ready, monkeypatch):
    def fail(photo, mask):
        raise FillError("this OpenCV lacks it")

    monkeypatch.setitem(CLASSICAL_FILLS, "Telea", fail)
    ready.filled_by = "Telea"
    draw(ready, box(5, 5, 60, 60))
    assert ready.wait(SECONDS) and ready.error == "this OpenCV lacks it"


@pytest.mark.parametrize("name", ["harmonic", "FSR fast", "shift-map", "mean colour"])
def test_classical_fills_can_be_chosen(ready, photo, name):
    if name in ("FSR fast", "shift-map"):
        pytest.importorskip("cv2.xphoto", reason="this OpenCV has no xphoto")
    hole = box(30, 20, 50, 31)
    ready.mask = hole
    by_network = np.asarray(ready.result)
    ready.filled_by = name
    result = np.asarray(ready.result)
    assert np.array_equal(result, CLASSICAL_FILLS[name](np.asarray(photo), hole))
    assert np.array_equal(result[~hole], np.asarray(photo)[~hole]) and not np.array_equal(result, by_network)
    assert ready._completion["filled_by"] == name and ready._completion["seconds"] > 0
    ready.filled_by = "the network"
    assert np.array_equal(np.asarray(ready.result), by_network)
    with pytest.raises(traitlets.TraitError, match="one of the network, mean colour"):
        ready.filled_by = "magic"


def test_a_function_of_the_readers_own_may_draw_on_what_it_is_given(ready):
    def careless(photo, mask, network, blend):
        photo.paste((255, 0, 0), (0, 0, photo.width, photo.height))
        mask[:] = False
        return photo

    before, drawn = np.asarray(ready.photo).copy(), box(20, 20, 40, 40)
    ready.fill = careless
    draw(ready, drawn)
    assert ready.result.getpixel((0, 0)) == (255, 0, 0)
    assert np.array_equal(ready.photo, before) and np.array_equal(ready.hole, drawn)


def test_a_function_of_the_readers_own_fills(ready):
    ready.mask = box(30, 20, 50, 31)
    ready.fill = lambda photo, mask, network, blend: Image.new("RGB", photo.size, (1, 2, 3))
    assert ready.result.getpixel((0, 0)) == (1, 2, 3)
    assert ready.filled_by == "your function" == ready._fills[-1]
    ready.filled_by = "harmonic"
    assert ready.result.getpixel((0, 0)) != (1, 2, 3)
    ready.filled_by = "your function"
    assert ready.result.getpixel((0, 0)) == (1, 2, 3)
    ready.fill = complete
    assert ready.filled_by == "the network"


def test_a_function_of_the_readers_own_can_be_stopped(ready):
    begun, stopped = threading.Semaphore(0), []

    def endless(photo, mask, network, blend, should_stop):
        begun.release()
        end = time.monotonic() + SECONDS
        while mask.sum() > 100 and time.monotonic() < end:
            if should_stop():
                stopped.append(mask.sum())
                raise Stopped("taken back")
        return photo

    ready.fill = endless
    draw(ready, box(5, 5, 60, 60))
    assert begun.acquire(timeout=SECONDS)
    draw(ready, box(5, 5, 10, 10))
    assert ready.wait(SECONDS) and stopped == [55 * 55]
    assert ready._completion["filled_by"] == "your function" and not ready.error


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "your function returned a NoneType; it should return the completed photo, 96 x 64"),
        (Image.new("RGB", (3, 2)), "your function returned a picture of 3 x 2"),
        (np.zeros((HEIGHT, WIDTH, 3)), "your function returned a ndarray"),
        (SystemExit(3), "your function called sys.exit()"),
    ],
)
def test_what_a_function_of_the_readers_own_does_wrong_is_said(ready, answer, words):
    def fill(photo, mask, network, blend):
        if isinstance(answer, SystemExit):
            raise answer
        return answer

    ready.fill = fill
    draw(ready, box(3, 3, 9, 9))
    assert ready.wait(SECONDS) and ready.error.startswith(words) and "\n" not in ready.error
    ready.fill = lambda photo, mask, network, blend: np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert ready.result.getpixel((4, 4)) == (0, 0, 0) and not ready.error, "an array of the photo's kind will do"


def test_the_scale_is_said(photo):
    network = narrow_network(largest_hole=8)
    made = completion_studio(Image.fromarray(noise(400, 500)), network)
    made.mask = hole = box(200, 100, 260, 150, (500, 400))
    assert made.wait(SECONDS)
    assert made._completion["reduction"] == round(1 / scale_of(hole, 8)) > 1
    assert (made._completion["learned"], made._completion["across"]) == (8, 50)
    made.mask = box(200, 100, 206, 106, (500, 400))
    assert made.wait(SECONDS) and made._completion["reduction"] == 1


def test_it_says_how_long_a_completion_will_take(ready, monkeypatch):
    pace = ready._pace

    def learn(request, completion):  # on a machine that is always equally fast, whatever runs beside this test
        seconds = 1e-7 * pace._work(request, completion.hole)
        Pace.learn(pace, request, completion._replace(seconds=seconds))

    monkeypatch.setattr(pace, "learn", learn)
    draw(ready, box(30, 20, 50, 31))
    assert ready.wait(SECONDS)
    assert ready._expected == 0, "nothing was known yet"
    foreseen = []
    ready.observe(lambda change: foreseen.append(change.new), "_expected")
    draw(ready, box(30, 20, 50, 32))
    assert ready.wait(SECONDS) and 0 < foreseen[0] < SECONDS
    draw(ready, box(5, 5, 90, 60))
    assert ready.wait(SECONDS) and foreseen[1] > foreseen[0]


@pytest.mark.parametrize("where", ["copy", "folder"])
def test_weights_are_recognised_by_what_they_are(photo, where, tmp_path):
    """A copy of the shipped weights is called by their name; it knows how wide their holes were."""
    if where == "copy":
        network = CompletionNetwork.from_pretrained()
    else:
        network = shutil.copytree(
            SHIPPED_WEIGHTS, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("*.csv", "*.jpg")
        )
    made = completion_studio(photo, network)
    assert made._network_name == "the shipped weights"
    made.mask = box(30, 20, 50, 31)
    assert made.wait(SECONDS) and made._completion["learned"] == 64
    changed = CompletionNetwork.from_pretrained()
    assert fingerprint(changed) == json.loads((SHIPPED_WEIGHTS / "config.json").read_text())["fingerprint"]
    with torch.no_grad():
        next(changed.parameters())[0, 0, 0, 0] += 1e-3
    made.network = changed
    assert made._network_name == "your network"
    unlike = CompletionNetwork.from_pretrained()
    unlike.subtract_mean = False
    assert fingerprint(unlike) != fingerprint(shipped_network()), "the same numbers, used otherwise"


def test_the_credit_follows_the_photo(photo):
    made = completion_studio(sample_photos.photo_file("river-otters"), narrow_network())
    assert "River otters" in made._source["credit"] or made._source["credit"]
    assert made._source["sample"] == "" and made.long_side == 0
    with_credit = made.picture().height
    made.load_photo(photo)
    assert made._source["credit"] == ""
    made.load_photo("river-otters")
    assert made._source["credit"] and with_credit > 0


# Without a kernel


def test_it_brings_a_picture_of_itself_along(ready, photo):
    ready.mask = box(30, 20, 50, 31)
    picture = np.asarray(ready.picture(width=2 * WIDTH + 16))
    title = picture.shape[0] - HEIGHT
    assert title > 0 and picture.shape[1] == 2 * WIDTH + 16
    left, right = picture[title:, :WIDTH], picture[title:, WIDTH + 16 :]
    assert np.array_equal(right, np.asarray(ready.result))
    assert np.array_equal(left[~ready.mask], np.asarray(photo)[~ready.mask])
    inside = left[ready.mask].mean(axis=0)
    assert inside[0] > inside[1] + 50, "the hole is pink"
    data, _ = ready._repr_mimebundle_()
    assert data["image/jpeg"] and any("widget-view" in kind for kind in data)


def test_a_panoramas_picture_is_stacked(ready):
    ready.load_photo(Image.fromarray(noise(60, 600)))
    assert ready.picture(600).size == (600, 2 * (60 + 30) + 16)


@pytest.mark.parametrize("shape", [(1, 2000), (2000, 1), (3000, 20)])
def test_photos_of_any_shape_have_a_picture(shape):
    made = completion_studio(np.zeros((*shape, 3), np.uint8), narrow_network())
    assert made.wait(SECONDS)
    data, _ = made._repr_mimebundle_()
    assert Image.open(io.BytesIO(base64.b64decode(data["image/jpeg"]))).width == 960


def test_run_lengths_of_the_drawing_are_the_mask(ready):
    hole = box(30, 20, 50, 31)
    ready.mask = hole
    assert np.array_equal(decode_runs(ready._drawing["runs"], WIDTH, HEIGHT), hole)
