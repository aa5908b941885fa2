"""Progress in a pipe: lines instead of a bar that is drawn over and over; and data found from any folder."""

import io
import sys

from glcic_lite.commands import bars
from glcic_lite.commands.options import DATA_FOLDER


def test_in_a_pipe_each_state_is_a_line(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(bars, "SECONDS_A_LINE", 1e-6)
    with bars.progress_bar("photo", 3) as bar:
        for _ in range(3):
            bar.update()
    lines = stream.getvalue().splitlines()
    assert "\r" not in stream.getvalue() and "3/3" in lines[-1] and len(lines) > 1


def test_what_is_done_soon_leaves_nothing_in_a_log(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with bars.progress_bar("photo") as bar:
        bar.reset(2)
        bar.update()
    assert stream.getvalue() == ""


def test_without_standard_error_there_is_no_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with bars.progress_bar("photo") as bar:
        bar.update()


def test_the_courses_photos_are_found_from_any_folder():
    assert DATA_FOLDER.is_absolute() and (DATA_FOLDER / "test").is_dir()
