"""`complete` for a single photo: what is refused before the work, and what ends in one line."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glcic_lite import __main__ as command_line
from glcic_lite.files import REPOSITORY
from glcic_lite.method import completion
from glcic_lite.method.masks import grow, mask_image
from glcic_lite.method.pretrained import WeightsError
from glcic_lite.speed.completion import complete
from inputs import hole, narrow_network, texture

PHOTO = texture(40, 60)
MASK = hole(40, 60, (20, 10, 40, 30))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(PHOTO).save("photo.png")
    mask_image(MASK).save("mask.png")
    return tmp_path


@pytest.fixture
def call(here, monkeypatch, capsys, weights_folder):
    """Runs `complete` in this process: (exit status, standard error)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["glcic_lite", "complete", *arguments, "--weights", str(weights_folder)])
        with pytest.raises(SystemExit) as end:
            command_line.main()
        return end.value.code or 0, capsys.readouterr().err

    return call


@pytest.mark.parametrize("out", ["photo.png", "./mask.png", "symbolic.png", "hard.png", "linked/photo.png"])
def test_a_result_never_replaces_the_photo_or_the_mask(here, call, out):
    os.symlink("mask.png", "symbolic.png")
    os.link("photo.png", "hard.png")
    os.symlink(".", "linked")
    before = [(here / name).read_bytes() for name in ("photo.png", "mask.png")]
    status, err = call("photo.png", "mask.png", "-o", out)
    assert status == 2 and err.count("\n") == 1 and "is one of the inputs" in err
    assert [(here / name).read_bytes() for name in ("photo.png", "mask.png")] == before


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="only Linux has a folder that not even root can write to")
@pytest.mark.parametrize("out", ["folder.png", f"{'x' * 300}.png", "/proc/self/out.png", "pipe.png"])
def test_a_result_that_cannot_be_written_is_refused_before_the_work(here, call, monkeypatch, out):
    os.mkdir("folder.png")
    os.mkfifo("pipe.png")
    monkeypatch.setattr("glcic_lite.speed.completion.complete", lambda *args: pytest.fail("worked"))
    status, err = call("photo.png", "mask.png", "-o", out)
    assert status == 2 and err.count("\n") == 1 and out in err


def test_a_pipe_instead_of_a_photo_or_mask_is_refused_without_waiting(call):
    os.mkfifo("pipe.png")
    for inputs in (("pipe.png", "mask.png"), ("photo.png", "pipe.png")):
        status, err = call(*inputs, "-o", "out.png")
        assert status == 2 and err == "glcic_lite: pipe.png: not a regular file\n"


@pytest.mark.parametrize("fill", [complete, completion.complete])
@pytest.mark.parametrize("bad", [-1.0, np.nan])
def test_a_network_that_paints_no_numbers_is_an_error(fill, bad):
    network = narrow_network()
    network.layers[3].norm.running_var.fill_(bad)
    for blend in (True, False):
        with pytest.raises(WeightsError, match="NaN"):
            fill(PHOTO, MASK, network, blend)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a POSIX shell and /dev/full")
@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_output_is_no_obstacle(here, weights_folder, redirection):
    command = f'"{sys.executable}" -m glcic_lite complete photo.png mask.png -o out.png --weights "{weights_folder}"'
    done = subprocess.run(f"{command} {redirection}", shell=True, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0 and done.stderr == ""
    assert Image.open("out.png").size == (60, 40)


def test_a_results_path_that_is_a_folder_is_refused_as_such(here, call):
    os.mkdir("results")
    status, err = call("photo.png", "mask.png", "-o", "results")
    assert status == 2 and err == "glcic_lite: results: is a folder or a device; the result needs a file's name\n"


# What can be asked for


def result(name: str = "out.png") -> np.ndarray:
    return np.asarray(Image.open(name))


@pytest.mark.parametrize("options, how", [(("--grow", "3"), {}), (("--grow", "3", "--scale", "1/2"), {"scale": 1 / 2})])
def test_the_hole_grows_and_the_scale_is_chosen(call, options, how):
    assert call("photo.png", "mask.png", "-o", "out.png", *options) == (0, "")
    expected = np.asarray(complete(PHOTO, grow(MASK, 3), narrow_network(), **how))
    assert np.array_equal(result(), expected)
    assert (expected != PHOTO).any(axis=2)[~MASK].any(), "it is completed around the mask too"


def test_known_pixels_keep_their_transparency(here, call):
    rgba = np.dstack([PHOTO, PHOTO[..., 0]])
    Image.fromarray(rgba).save("clear.png")
    assert call("clear.png", "mask.png", "-o", "out.png", "--keep-alpha", "--grow", "1") == (0, "")
    hole = grow(MASK, 1)
    assert np.array_equal(result()[~hole], rgba[~hole]) and (result()[hole, 3] == 255).all()
    assert np.array_equal(result()[hole, :3], np.asarray(complete("clear.png", hole, narrow_network()))[hole])


def test_the_quality_of_a_jpeg_is_chosen(here, call):
    for quality in ("20", "95"):
        assert call("photo.png", "mask.png", "-o", f"{quality}.jpg", "--quality", quality)[0] == 0
    assert (here / "20.jpg").stat().st_size < 0.6 * (here / "95.jpg").stat().st_size


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("-o", "out.jpg", "--keep-alpha"), "out.jpg: JPEG keeps no transparency"),
        (("-o", "out.png", "--format", "jpg"), "--format is for a folder"),
        (("-o", "out.png", "--mask-suffix", "_m"), "--mask-suffix is for a folder"),
        (("-o", "out.png", "--scale", "1/x"), "'1/x' is none of auto, 1, 1/2"),
        (("-o", "out.png", "--scale", "1/0"), "'1/0' is none of auto, 1, 1/2"),
        (("-o", "out.png", "--grow", "many"), "--grow"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_before_the_work(here, call, monkeypatch, arguments, words):
    monkeypatch.setattr("glcic_lite.speed.completion.complete", lambda *args: pytest.fail("worked"))
    status, err = call("photo.png", "mask.png", *arguments)
    assert status == 2 and err.count("\n") == 1 and words in err


def test_a_label_picture_is_explained(here, weights_folder, capsys, monkeypatch):
    Image.fromarray(MASK[..., None] * np.array([0, 0, 128], np.uint8)).save("labels.png")
    arguments = ["labels.png", "-o", "out.png", "--weights", str(weights_folder)]
    monkeypatch.setattr(sys, "argv", ["glcic_lite", "complete", "photo.png", *arguments])
    with pytest.raises(SystemExit):
        command_line.main()
    out = capsys.readouterr().out
    assert "labels.png: nothing in it is white" in out and "0, 0, 128" in out and "label picture" in out
    assert np.array_equal(result(), PHOTO)


# README


def readme_blocks(language: str) -> str:
    section = (REPOSITORY / "README.md").read_text(encoding="utf-8").partition("### What people ask for\n")[2]
    return re.search(rf"```{language}\n(.+?)```", section, re.DOTALL)[1]


@pytest.fixture
def readmes_files(here):
    image, rgba = Image.fromarray(PHOTO), Image.fromarray(np.dstack([PHOTO, PHOTO[..., 0]]))
    image.save("photo.jpg")
    rgba.save("logo.png")
    for folder in ("photos", "masks"):
        os.mkdir(folder)
    image.save("photos/harbour.jpg")
    mask_image(MASK).save("masks/harbour.png")
    mask_image(MASK).save("masks/harbour_mask001.png")


@pytest.mark.parametrize("line", readme_blocks("bash").splitlines())
def test_the_calls_that_readme_shows_work(readmes_files, call, line):
    words = shlex.split(line, comments=True)
    assert words[:4] == ["python", "-m", "glcic_lite", "complete"]
    status, err = call(*words[4:])
    assert status == 0, err
    out = Path(words[words.index("-o") + 1])
    assert out.is_file() or [path.stem.partition("_")[0] for path in out.iterdir()] == ["harbour"]


def test_the_program_that_readme_shows_works(readmes_files, monkeypatch):
    monkeypatch.setattr("glcic_lite.speed.completion.shipped_network", narrow_network)
    exec(readme_blocks("python"), {})
    assert result("completed.jpg").shape == PHOTO.shape
