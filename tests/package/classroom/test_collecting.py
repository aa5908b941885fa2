"""Five students, made by code, collected in one call: right, wrong, half done, and two hostile ones."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time

import psutil
import pytest

from glcic_lite.classroom import collecting
from glcic_lite.classroom.answers import HandInError, read_answers, stubs
from glcic_lite.classroom.collecting import collect, hand_ins, lessons, plain, run_answers, table
from glcic_lite.classroom.running import run
from glcic_lite.classroom.sealing import can_seal, sealed
from glcic_lite.files import NOTEBOOKS

# A lesson with three exercises, whose checks need no PyTorch: a process for it starts at once.
CHECKS = """
from types import SimpleNamespace

def compare(function, right):
    if function(3) is None:
        return SimpleNamespace(state="not attempted", message="")
    state = "correct" if function(3) == right else "not yet"
    return SimpleNamespace(state=state, message="twice is too small" if state == "not yet" else "")

class checks:
    twice = staticmethod(lambda function: compare(function, 6))
    square = staticmethod(lambda function: compare(function, 9))
    cube = staticmethod(lambda function: compare(function, 27))
"""
NAMES = ("twice", "square", "cube")
RIGHT = ["def twice(n):\n    return FACTOR * n", "def square(n):\n    return n**2", "def cube(n):\n    return power(n)"]
STUB = "def {name}(n): ..."


def code(source):
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}


def lesson(answers):
    """A notebook with these answers; one that is None is the stub."""
    cells = [
        code("from invented import checks\nFACTOR = 2"),
        code("%matplotlib inline\nraise RuntimeError('a training')\ndef power(n):\n    return n**3"),
    ]
    for number, (name, answer) in enumerate(zip(NAMES, answers, strict=True), 1):
        heading = f"#### Exercise {number}: {name} (5 minutes, easy)"
        cells.append({"cell_type": "markdown", "metadata": {}, "source": [heading + "\n", "Do it."]})
        cells.append(code(f"{answer or STUB.format(name=name)}\n\n\nchecks.{name}({name})"))
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def course(tmp_path, monkeypatch):
    """The invented lesson in place of the course's."""
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "invented.py").write_text(CHECKS)
    path = tmp_path / "course" / "01_numbers.ipynb"
    path.write_text(lesson([None] * 3))
    import_line = f"import sys; sys.path.insert(0, {str(path.parent)!r}); from invented import checks"
    monkeypatch.setattr(collecting, "lessons", lambda: {"01": path})
    monkeypatch.setattr(collecting, "import_of_checks", lambda path: import_line)
    return path


def hand_in(folder, name, answers):
    (folder / name / "notebooks").mkdir(parents=True)
    (folder / name / "notebooks" / "01_numbers.ipynb").write_text(lesson(answers))


def test_five_students_in_one_call(course, tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("precious")
    delete = f"def square(n):\n    import os\n    os.remove({str(victim)!r})\n    return 9"
    class_ = tmp_path / "class"
    hand_in(class_, "anna", RIGHT)
    hand_in(class_, "ben", ["def twice(n):\n    return n", "def square(n):\n    return 1 / 0", "def cube(n) return n"])
    hand_in(class_, "cleo", [RIGHT[0], None, None])
    hand_in(class_, "dirk", ["def twice(n):\n    while True: pass", delete, RIGHT[2]])
    hand_in(class_, "emil", [RIGHT[0], "def square(n):\n    import os\n    os._exit(0)", RIGHT[2]])
    (class_ / "anna" / "notebooks" / "progress.jsonl").write_text(
        '{"lesson": "01", "exercise": 1, "time": "2026-03-02T14:00:00+01:00", "passed": false}\n'
        '{"lesson": "01", "exercise": 1, "time": "2026-03-02T14:05:00+01:00", "passed": true}\n'
    )
    seen = []
    results = collect(hand_ins([class_]), seconds=1, on_student=lambda name, results: seen.append(name))
    assert seen == ["anna", "ben", "cleo", "dirk", "emil"]
    marks = {line.split()[0]: line.split()[1:] for line in table(results).splitlines() if line[:4] in seen}
    marks["ben"] = next(line.split()[1:] for line in table(results).splitlines() if line.startswith("ben"))
    assert marks == {
        "anna": ["✓✓✓", "3/3"],
        "ben": ["✗✗✗", "0/3"],
        "cleo": ["✓○○", "1/3"],
        "dirk": ["!✗✓", "1/3"],
        "emil": ["✓!✓", "2/3"],
    }
    said = {(r.student, r.exercise): r.message for r in results}
    assert "no end after 1 seconds" in said["dirk", 1]
    assert "PermissionError" in said["dirk", 2] and victim.read_text() == "precious"
    assert "ended Python" in said["emil", 2]
    assert "line 1" in said["ben", 3] and "ZeroDivisionError" in said["ben", 2]
    assert (results[0].attempts, results[0].time) == (2, "2026-03-02T14:05:00+01:00")


MISCHIEF = {
    "writes": "open({outside!r}, 'w').write('x')",
    "writes by number": "import os\n    os.open({outside!r}, os.O_CREAT | os.O_WRONLY)",
    "moves": "import os\n    os.rename({victim!r}, 'here')",
    "deletes a folder": "import shutil\n    shutil.rmtree({folder!r})",
    "follows a link": "import os\n    os.symlink({folder!r}, 'link')\n    os.remove('link/victim.txt')",
    "starts a program": "import subprocess\n    subprocess.run(['rm', {victim!r}])",
    "asks the shell": "import os\n    os.system('rm ' + {victim!r})",
    "calls C": "import ctypes\n    ctypes.CDLL(None).remove({victim!r}.encode())",
    "connects": "import socket\n    socket.create_connection(('127.0.0.1', 9), 1)",
    "kills": "import os\n    os.kill(os.getppid(), 9)",
    "fills the memory": "return len(bytearray(10**9))",
}


def test_mischief_is_refused_and_costs_only_itself(course, tmp_path):
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "victim.txt").write_text("precious")
    places = {"victim": str(folder / "victim.txt"), "outside": str(folder / "new.txt"), "folder": str(folder)}
    mischief = {number: words.format(**places) for number, words in enumerate(MISCHIEF.values(), 1)}
    stub = stubs(course)[0]
    answers = []
    for number, words in {**mischief, 99: "return 6"}.items():
        path = tmp_path / "answer.ipynb"
        path.write_text(lesson([f"def twice(n):\n    {words}\n    return 6", None, None]))
        answers.append(type(stub)(number, stub.check, stub.source))
        answers[-1] = read_answers(path, [answers[-1]])[0]
    found = run_answers(answers, collecting.import_of_checks(course), seconds=5, memory=300_000_000)
    assert found.pop(99)[0] == "correct", "whoever comes after them is checked as ever"
    for name, (state, message) in zip(MISCHIEF, found.values(), strict=True):
        assert state != "correct" and ("Error" in message or "memory" in message), (name, state, message)
    assert [path.name for path in folder.iterdir()] == ["victim.txt"]


def test_what_an_answer_writes_in_its_own_folder_is_fine(course, tmp_path):
    words = "import tempfile, pathlib\n    with tempfile.TemporaryDirectory() as name:\n"
    words += "        pathlib.Path(name, 'a').write_text('b')\n    open('here', 'w').write('x')\n    return 6"
    hand_in(tmp_path, "fay", [f"def twice(n):\n    {words}", None, None])
    assert collect(hand_ins([tmp_path / "fay"]), seconds=5)[0].state == "correct"


def test_a_link_is_nobodys_own_work(course, tmp_path):
    hand_in(tmp_path / "class", "ann", RIGHT)
    own = tmp_path / "class" / "bob" / "notebooks"
    own.mkdir(parents=True)
    (own / "01_numbers.ipynb").symlink_to(tmp_path / "class" / "ann" / "notebooks" / "01_numbers.ipynb")
    (own / "01_numbers-Copy1.ipynb").write_text(lesson([None] * 3))
    (tmp_path / "class" / "cid").mkdir()
    (tmp_path / "class" / "cid" / "notebooks").symlink_to(tmp_path / "class" / "ann" / "notebooks")
    students = hand_ins([tmp_path / "class"])
    assert sorted(students) == ["ann", "bob"]
    results = collect(students, seconds=5)
    assert [r.state for r in results if r.student == "bob"] == ["not attempted"] * 3


def test_deep_nonsense_among_the_results_costs_only_itself(tmp_path):
    file = tmp_path / "results.jsonl"
    file.write_text("[" * 100_000 + '\n{"exercise": 2, "state": "correct", "message": ""}\n')
    assert collecting._read_results(file)[0] == {2: ("correct", "")}


def test_whoever_gives_up_waiting_leaves_no_code_running(course, tmp_path, monkeypatch):
    started, process = [], collecting._process
    monkeypatch.setattr(collecting.os, "cpu_count", lambda: 2)  # one student after the other
    monkeypatch.setattr(collecting, "_process", lambda *given: started.append(given) or process(*given))
    for name in ("ann", "bob", "cid", "dee"):
        hand_in(tmp_path / "class", name, ["def twice(n):\n    while True: pass", None, None])

    def interrupt():
        while not _answers_at_work():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        collect(hand_ins([tmp_path / "class"]), seconds=300)
    assert len(started) == 1, "the others' code is not begun"
    assert not collecting._given_up.is_set(), "the next call begins anew"
    assert not _answers_at_work()


def _answers_at_work():
    """Processes of this one that run answers; those of tests beside it do not count."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            found += [process] if "glcic_lite.classroom.running" in process.cmdline() else []
    return found


def test_progress_files_alone_execute_nothing(course, tmp_path, monkeypatch):
    monkeypatch.setattr(collecting, "run_answers", None)
    hand_in(tmp_path / "class", "gil", ["raise SystemExit", None, None])
    (tmp_path / "class" / "gil" / "notebooks" / "progress.jsonl").write_text(
        '{"lesson": "01", "exercise": 2, "time": "2026-03-02T14:00:00+01:00", "passed": true}\n'
        '{"lesson": "01", "exercise": 3, "time": "2026-03-02T14:00:00+01:00", "passed": false}\n'
    )
    results = collect(hand_ins([tmp_path / "class"]), run_code=False)
    assert [r.state for r in results] == ["not attempted", "correct", "not yet"]


def test_hand_ins_are_found_and_what_is_none_is_named(course, tmp_path):
    hand_in(tmp_path / "a", "hal", RIGHT)
    hand_in(tmp_path / "b", "hal", RIGHT)
    assert list(hand_ins([tmp_path / "a" / "hal", tmp_path / "b"])) == ["hal", str(tmp_path / "b" / "hal")]
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", course):
        with pytest.raises(HandInError, match=str(folder.name)):
            hand_ins([folder])


def test_what_a_zip_file_unpacks_to_is_found_and_copies_are_not_mistaken(course, tmp_path):
    hand_in(tmp_path / "class" / "kim" / "my-course", "", RIGHT)
    folder = tmp_path / "class" / "kim" / "my-course" / "notebooks"
    (folder / "01_numbers-Copy1.ipynb").write_text(lesson([None] * 3))
    assert [r.state for r in collect(hand_ins([tmp_path / "class"]))] == ["correct"] * 3
    (folder / "01_numbers.ipynb").rename(folder / "01_numbers (1).ipynb")
    os.utime(folder / "01_numbers-Copy1.ipynb", (0, 0))
    results = collect(hand_ins([tmp_path / "class"]))
    assert [(r.student, r.state) for r in results] == [("kim", "correct")] * 3, "the latest one"


def test_notebooks_that_are_none_are_named(course, tmp_path):
    broken = ["{", '{"cells": 3}', "[" * 100_000, '{"cells": [{"cell_type": "code"}]}', "\x00"]
    for number, text in enumerate(broken):
        (tmp_path / "class" / str(number)).mkdir(parents=True)
        (tmp_path / "class" / str(number) / "01_numbers.ipynb").write_text(text)
    results = collect(hand_ins([tmp_path / "class"]))
    assert {r.state for r in results} == {"missing"} and all("01_numbers.ipynb" in r.message for r in results)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_in_place_of_a_notebook_holds_nobody_up(course, tmp_path):
    (tmp_path / "ida").mkdir()
    os.mkfifo(tmp_path / "ida" / "01_numbers.ipynb")
    assert collect(hand_ins([tmp_path / "ida"]))[0].state == "missing"


def test_a_definition_is_found_wherever_the_student_has_put_it(course, tmp_path):
    notebook = json.loads(lesson([None] * 3))
    notebook["cells"].insert(1, code("import math as m\ndef helper(n):\n    return m.floor(n * FACTOR)"))
    notebook["cells"][4]["source"] = "FACTOR = 2.0\ntwice = lambda n: helper(n)\nchecks.twice(twice)"
    path = tmp_path / "01_numbers.ipynb"
    path.write_text(json.dumps(notebook))
    answer = read_answers(path, stubs(course))[0]
    assert "import math" in answer.code and "training" not in answer.code
    space = {}
    exec(answer.code, space)
    assert space["twice"](3) == 6


@pytest.mark.parametrize("number", ["03", "07"])
def test_the_solutions_are_right(number):
    """Answers as they stand in real notebooks, run in this process, which has imported PyTorch already."""
    path = lessons()[number]
    answers = read_answers(NOTEBOOKS / "solutions" / f"{number}_solutions.ipynb", stubs(path))
    assert len(answers) == 5 and not any(answer.problem for answer in answers)
    space = {}
    exec(collecting.import_of_checks(path), space)
    assert {run(vars(answer), space["checks"])[0] for answer in answers} == {"correct"}


def test_every_lesson_but_the_first_has_exercises_that_can_be_collected():
    assert list(lessons()) == [f"{n:02d}" for n in range(1, 10)]
    for number, path in lessons().items():
        assert collecting.import_of_checks(path).endswith("import checks")
        assert len(stubs(path)) == (7 if number == "06" else 5)


@pytest.mark.skipif(not can_seal(), reason="this system cannot seal off a process")
def test_a_sealed_process_cannot_write_elsewhere_whatever_it_is_written_in(tmp_path):
    """`torch.save` writes in C++, past Python's own guards; here it is the shell, which has none."""
    (tmp_path / "work").mkdir()
    (tmp_path / "precious.txt").write_text("precious")
    script = f"echo x > here; echo x > {tmp_path}/precious.txt; mount -o remount,bind,rw / && echo x > {tmp_path}/new"
    subprocess.run([*sealed(tmp_path / "work", tmp_path / "work"), "sh", "-c", script], capture_output=True)
    assert (tmp_path / "work" / "here").exists()
    assert (tmp_path / "precious.txt").read_text() == "precious" and not (tmp_path / "new").exists()


TWICE = "def twice(n): return 2 * n\n"


@pytest.mark.parametrize(
    ("source", "state"),
    [
        (TWICE + "checks.twice(function=twice)", "correct"),
        (TWICE + "verdict = checks.twice(twice)\nchecks.twice(twice)", "correct"),
        (TWICE + "checks.twice(twice) if True else 0", "correct"),
        (TWICE + "checks.twice(*[twice])", "correct"),
        ('x = """\nchecks.twice(twice)\n"""', "missing"),
        ("def twice(n): return " + "-" * 3000 + "n\nchecks.twice(twice)", "not yet"),
        ("twice = " + "+".join("1" for _ in range(3000)) + "\nchecks.twice(twice)", "not yet"),
        ("def twice(n): return '\ud800'\nchecks.twice(twice)", "not yet"),
    ],
    ids=["by name", "twice", "in an expression", "starred", "in a text", "deep", "long", "surrogate"],
)
def test_however_the_check_is_called(course, tmp_path, source, state):
    notebook = json.loads(lesson([None] * 3))
    notebook["cells"][3]["source"] = source
    (tmp_path / "01_numbers.ipynb").write_text(json.dumps(notebook))
    results = collect({"jo": tmp_path}, seconds=10)
    assert [r.state for r in results] == [state, "not attempted", "not attempted"], results[0]


def test_names_are_safe_in_terminals_and_spreadsheets():
    assert plain("=cmd|' /C calc'!A0") == "'=cmd|' /C calc'!A0" and plain("a\x1b[2Jb") == "a?[2Jb"
