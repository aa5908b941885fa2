"""The learner's record: what a check writes, that it survives damage, and that it can be turned off."""

import json
import os
from datetime import datetime

import pytest

from glcic_lite.course.lesson_01 import checks
from glcic_lite.course.lesson_03.checks import transposed_size
from glcic_lite.course.shared import progress
from glcic_lite.course.shared.checks import check
from glcic_lite.course.shared.progress import Record, keep_progress, note, progress_map, read_progress


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The record, as in a notebook."""
    path = tmp_path / progress.FILE
    monkeypatch.setattr(progress, "progress_file", lambda: path)
    return path


def right(size, kernel, stride=1, padding=0, dilation=1):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def test_a_check_writes_each_attempt_and_nothing_for_an_untouched_stub(file):
    checks.output_size(...)
    checks.output_size(None)
    assert not file.exists()
    checks.output_size(lambda *case: 1 / 0)
    checks.output_size(lambda *case: object())  # of a kind that cannot be compared
    assert checks.output_size(right).state == "correct"
    checks.output_size(right)
    checks.dilations([1, 1, 1, 1])
    transposed_size(lambda *case: -1)
    record = read_progress(file)
    assert {key: (r.attempts, r.passed) for key, r in record.items()} == {
        ("01", 1): (3, True),
        ("01", 4): (1, False),
        ("03", 1): (1, False),
    }
    assert abs((datetime.now().astimezone() - datetime.fromisoformat(record["01", 1].time)).total_seconds()) < 600


def test_a_check_of_no_lesson_is_not_recorded(file):
    @check("Exercise 1")
    def of_no_lesson(answer):
        return "good"

    of_no_lesson(1)
    assert not file.exists()


def test_nothing_is_written_outside_of_a_notebook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checks.output_size(right)
    assert not list(tmp_path.iterdir())


def test_it_lies_beside_the_notebook_but_not_beside_the_solutions(tmp_path, monkeypatch):
    IPython = pytest.importorskip("IPython")
    monkeypatch.setattr(IPython, "get_ipython", lambda: type("Shell", (), {"kernel": object()}))
    monkeypatch.chdir(tmp_path)
    assert progress.progress_file() == tmp_path / progress.FILE
    (tmp_path / "solutions").mkdir()
    monkeypatch.chdir(tmp_path / "solutions")
    assert progress.progress_file() is None


def test_the_switch(file, capsys):
    note("01", 1, False)
    keep_progress(False)
    note("01", 1, True)
    assert read_progress(file)["01", 1].attempts == 1 and not read_progress(file)["01", 1].passed
    keep_progress(True)
    note("01", 1, True)
    assert read_progress(file)["01", 1].passed
    assert "any more" in capsys.readouterr().out


def test_damaged_lines_cost_only_themselves(file):
    note("01", 1, True)
    with open(file, "ab") as record:
        for line in (
            b"\xff\xfe\n",
            b"null\n",
            b'"keep"\n',
            b'{"lesson": 1}\n',
            b"[" * 10_000 + b"\n",
            b"{}\n",
            b'{"lesson": "01", "exercise": Infinity}\n',
        ):
            record.write(line)
    note("02", 3, True)
    assert set(read_progress(file)) == {("01", 1), ("02", 3)}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_what_cannot_be_written_does_not_spoil_the_exercise(file):
    os.mkfifo(file)
    with pytest.warns(UserWarning, match="progress is not kept"):
        assert checks.output_size(right).state == "correct"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_the_switch_claims_nothing_that_it_could_not_write(file, capsys):
    os.mkfifo(file)
    with pytest.warns(UserWarning, match="progress is not kept"):
        keep_progress(False)
    assert capsys.readouterr().out == ""


def test_the_map_shows_what_is_done(file, tmp_path):
    heading = {"cell_type": "markdown", "source": ["# 00 · Say hello\n", "\n"]}
    cell = {"cell_type": "markdown", "source": ["#### Exercise 1: a (5 minutes, easy)\n", "x\n"]}
    other = {"cell_type": "markdown", "source": "#### Exercise 2: b (5 minutes, hard)"}
    for name, cells in (("00_hello.ipynb", [heading]), ("01_far_away.ipynb", [cell, other])):
        (tmp_path / name).write_text(json.dumps({"cells": cells}))
    note("01", 1, True)
    note("01", 2, False)
    lines = progress_map(tmp_path).splitlines()
    assert "no exercises" in lines[0] and lines[0].endswith("  Say hello")
    assert "✓ ✗" in lines[1] and "far away" in lines[1]
    assert lines[2].startswith("1 of 2 exercises passed")


@pytest.mark.parametrize("content", ["no json", "[" * 100_000, '{"cells": [{"cell_type": "markdown", "source": 5}]}'])
def test_a_notebook_that_is_none_has_no_exercises_on_the_map(tmp_path, content):
    (tmp_path / "01_far_away.ipynb").write_text(content)
    assert "no exercises" in progress_map(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_on_the_map_holds_nobody_up(tmp_path):
    os.mkfifo(tmp_path / "01_far_away.ipynb")
    assert "no exercises" in progress_map(tmp_path)
    with pytest.raises(OSError, match="no such folder"):
        progress_map(tmp_path / "nowhere")


def test_a_torn_line_does_not_take_the_next_one_with_it(file):
    file.write_text('{"lesson": "01", "exer')
    note("01", 2, True)
    assert read_progress(file)["01", 2].passed
    keep_progress(False)
    note("01", 3, True)
    assert ("01", 3) not in read_progress(file)


def test_the_map_of_the_course_knows_every_exercise():
    lines = progress_map(progress.NOTEBOOKS).splitlines()
    assert " of 47 exercises" in lines[-1]
    assert lines[6] == "06  ○ ○ ○ ○ ○ ○ ○  Training" and lines[9].endswith("  How good is it, and where does it fail?")
    assert len({line.rindex("  ") for line in lines[:-1]}) == 1, "the names stand below one another"


def test_a_record_begins_empty():
    assert Record() == Record(0, False, "")
