"""`complete` for a single photo: what is refused before the work, and what ends in one line."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from glcic_lite import __main__ as command_line
from glcic_lite.method import completion
from glcic_lite.method.masks import mask_image
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
