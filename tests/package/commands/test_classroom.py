"""The classroom's commands, and that the list of commands can be read whole."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from typer.testing import CliRunner

from glcic_lite.__main__ import app
from glcic_lite.files import NOTEBOOKS


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("group", [(), ("bench",), ("classroom",)])
def test_no_description_is_cut_off(group):
    assert "..." not in call(*group, "--help").output.split("Commands:")[1]


def test_collect_prints_a_table_and_writes_a_csv(tmp_path):
    for name, passed in (("anna", True), ("ben", False)):
        (tmp_path / "class" / name).mkdir(parents=True)
        line = {"lesson": "02", "exercise": 3, "time": "2026-03-02T14:00:00+01:00", "passed": passed}
        (tmp_path / "class" / name / "progress.jsonl").write_text(json.dumps(line) + "\n")
    result = call("classroom", "collect", tmp_path / "class", "--progress-only", "-o", tmp_path / "done.csv")
    assert result.exit_code == 0, result.output
    assert "○○✓○○" in result.output and "○○✗○○" in result.output and "Running" not in result.output
    with open(tmp_path / "done.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 94 and sum(row["state"] == "correct" for row in rows) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("received", [signal.SIGTERM, getattr(signal, "SIGHUP", 0)])
def test_whoever_ends_collect_ends_the_students_code(tmp_path, received):
    lesson = "01_receptive_fields_and_dilation.ipynb"
    notebook = json.loads((NOTEBOOKS / lesson).read_text(encoding="utf-8"))
    stub = next(cell for cell in notebook["cells"] if "checks.output_size(" in "".join(cell["source"]))
    stub["source"] = ["while True: pass\n", *stub["source"]]
    (tmp_path / "class" / "eve").mkdir(parents=True)
    (tmp_path / "class" / "eve" / lesson).write_text(json.dumps(notebook), encoding="utf-8")
    command = [sys.executable, "-m", "glcic_lite", "classroom", "collect", str(tmp_path / "class"), "--seconds", "300"]
    program = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while program.poll() is None and not any("glcic_lite.classroom.running" in words for words in _at_work(program)):
        time.sleep(0.1)
    at_work = program.children(recursive=True)
    assert at_work, "no answer was run"
    program.send_signal(received)
    assert program.wait(60) == 128 + received
    assert psutil.wait_procs(at_work, 10)[1] == [], "still at work"


def _at_work(program):
    """The command lines of a process's children, their children, and so on."""
    for child in program.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            yield child.cmdline()


def test_progress_shows_the_map(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "0 of 47 exercises passed" in call("classroom", "progress").output


def test_times_names_every_lesson():
    assert [line[:2] for line in call("classroom", "times").output.splitlines()[1:]] == [f"{n:02d}" for n in range(10)]


def test_new_refuses_what_is_there(tmp_path):
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine").write_text("x")
    result = call("classroom", "new", tmp_path / "copy")
    assert isinstance(result.exception, FileExistsError)
