"""Who has done what: the answers of many students, each run in a process of its own and checked as in the lesson.

otter-grader would be the tool for this, but run locally (`otter run`, version 7) it executes whole notebooks without
any limit: an endless loop never ended, an answer that deletes files deleted them, a crash lost all that had been handed
in; its limits need Docker.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from glcic_lite.classroom.answers import Answer, HandInError, import_of_checks, read_answers, stubs
from glcic_lite.classroom.sealing import sealed
from glcic_lite.course.shared.progress import FILE, Record, read_progress
from glcic_lite.files import NOTEBOOKS, REPOSITORY

SECONDS = 60.0  # for one answer, and for importing the libraries before the first
MEMORY = 2_000_000_000  # bytes, beyond what the libraries take
_given_up = threading.Event()  # set while a collection that was interrupted winds up
MARKS = {"correct": "✓", "not yet": "✗", "not attempted": "○", "missing": "–", "stopped": "!"}


@dataclass(frozen=True)
class Result:
    """One exercise of one student: `state` is one of `MARKS`; attempts and time are those of the progress file."""

    student: str
    lesson: str
    exercise: int
    state: str
    attempts: int
    time: str
    message: str


def lessons() -> dict[str, Path]:
    """The course's own lessons that have exercises, by number."""
    found = {path.name[:2]: path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
    if not found:
        raise FileNotFoundError(f"{NOTEBOOKS}: no lessons here; answers are collected in a copy of the repository")
    return {number: path for number, path in found.items() if stubs(path)}


def hand_ins(folders: Iterable[Path]) -> dict[str, Path]:
    """The students' folders, by name: each folder given, or those in it, if it holds one for each student.

    A student's folder has notebooks or a progress file in it, in a folder `notebooks` in it, or, as zip files unpack, a
    folder or two further down.

    Raises:
        HandInError: a folder holds neither.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise HandInError(f"{folder}: is not a folder; unpack what the students have handed in")
        of_one = _files(folder) or _files(folder / "notebooks")
        inner = [folder] if of_one else sorted(path for path in folder.iterdir() if path.is_dir() and _notebooks(path))
        if not inner:
            raise HandInError(f"{folder}: no notebooks and no {FILE} here, nor in the folders of it")
        for path in inner:
            name = plain(path.resolve().name)
            found[name if name not in found else plain(str(path))] = path
    return found


def plain(text: str) -> str:
    """Text that a terminal shows as it is and a spreadsheet does not take for a formula."""
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _files(folder: Path) -> list[Path]:
    """A student's own files in a folder; a link may lead to somebody else's."""
    return [x for name in ("[0-9][0-9]_*.ipynb", FILE) for x in folder.glob(name) if not x.is_symlink()]


def _notebooks(folder: Path) -> Path | None:
    """Where in a student's folder the notebooks lie."""
    for depth in ("", "*/", "*/*/"):
        for place in [folder] if not depth else sorted(x for x in folder.glob(depth) if not x.is_symlink()):
            for here in (place, place / "notebooks"):
                if (here == folder or not here.is_symlink()) and _files(here):
                    return here
    return None


def _handed_in(here: Path, lesson: Path) -> Path | None:
    """A student's notebook of a lesson: the one of its name, or else the latest (01_x-Copy1, "01_x (2)")."""
    own = [path for path in _files(here) if path.name.startswith(f"{lesson.name[:2]}_")]
    return next((x for x in own if x.name == lesson.name), max(own, key=lambda x: x.stat().st_mtime, default=None))


def collect(
    students: dict[str, Path],
    run_code: bool = True,
    seconds: float = SECONDS,
    memory: int = MEMORY,
    on_student: Callable[[str, list[Result]], None] = lambda name, results: None,
) -> list[Result]:
    """What each student has done, lesson by lesson.

    Args:
        students: folders by name; see `hand_ins`.
        run_code: whether to run the answers; otherwise the progress files alone are read, and nothing is executed.
        seconds: for each answer.
        memory: bytes, beyond what the libraries take.
        on_student: called for each student in turn.
    """
    posed = lessons()
    at_once = max(1, (os.cpu_count() or 2) // 2)
    found = []
    with ThreadPoolExecutor(at_once) as pool:
        work = [pool.submit(_student, name, path, posed, run_code, seconds, memory) for name, path in students.items()]
        try:
            for name, waiting in zip(students, work, strict=True):
                on_student(name, results := waiting.result())
                found += results
        except BaseException:  # Ctrl-C, say: then nobody's code runs on
            _given_up.set()
            pool.shutdown(cancel_futures=True)  # waits for those at work, which end at once
            raise
        finally:
            _given_up.clear()
    return found


def _student(name: str, folder: Path, posed: dict, run_code: bool, seconds: float, memory: int) -> list[Result]:
    here = _notebooks(folder) or folder
    record = read_progress(here / FILE) if here / FILE in _files(here) else {}
    results = []
    for lesson, path in posed.items():
        verdicts = _lesson(here, path, seconds, memory) if run_code else {}
        for stub in stubs(path):
            kept = record.get((lesson, stub.exercise), Record())
            state = "correct" if kept.passed else "not yet" if kept.attempts else "not attempted"
            state, message = verdicts.get(stub.exercise, (state, ""))
            time, message = plain(kept.time), plain(message)
            results.append(Result(name, lesson, stub.exercise, state, kept.attempts, time, message))
    return results


def _lesson(here: Path, path: Path, seconds: float, memory: int) -> dict[int, tuple[str, str]]:
    """State and message of each exercise of a lesson, from the student's notebook."""
    posed = stubs(path)
    handed_in = _handed_in(here, path)
    if handed_in is None:
        return {stub.exercise: ("missing", "no such notebook") for stub in posed}
    try:
        answers = read_answers(handed_in, posed)
    except HandInError as error:
        return {stub.exercise: ("missing", str(error)) for stub in posed}
    verdicts = {a.exercise: _without_running(a) for a in answers if a.problem}
    return verdicts | run_answers([a for a in answers if not a.problem], import_of_checks(path), seconds, memory)


def _without_running(answer: Answer) -> tuple[str, str]:
    return (answer.problem, "") if answer.problem in MARKS else ("not yet", answer.problem)


def run_answers(
    answers: list[Answer], import_line: str, seconds: float = SECONDS, memory: int = MEMORY
) -> dict[int, tuple[str, str]]:
    """Run answers in a process of their own. One that hangs or crashes costs itself; the others get a new process.

    Args:
        answers: to exercises of one lesson.
        import_line: the Python that imports the lesson's checks.
        seconds: for each answer.
        memory: bytes.

    Returns:
        State and message by exercise.
    """
    found: dict[int, tuple[str, str]] = {}
    left = list(answers)
    while left and not _given_up.is_set():
        verdicts, guilty, why = _process(left, import_line, seconds, memory)
        found |= verdicts
        left = [answer for answer in left if answer.exercise not in found]
        if left:
            culprit = guilty if guilty in [answer.exercise for answer in left] else left[0].exercise
            found[culprit] = ("stopped", why)
            left = [answer for answer in left if answer.exercise != culprit]
    return found


def _process(
    answers: list[Answer], import_line: str, seconds: float, memory: int
) -> tuple[dict[int, tuple[str, str]], int | None, str]:
    """The verdicts of one process; the exercise that it was at when it ended early, and why it did."""
    import psutil

    # Links to the folder are resolved: the process compares paths.
    with tempfile.TemporaryDirectory(prefix="glcic-answers-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        work, job, results = folder / "work", folder / "job.json", folder / "results.jsonl"
        work.mkdir()
        results.touch()
        # Of processor time, in case nobody is left to watch: more than any answer may take by the clock.
        most = int(2 * (SECONDS + seconds * len(answers)))
        content = {"import": import_line, "memory": memory, "seconds": most, "answers": [vars(x) for x in answers]}
        job.write_text(json.dumps(content), encoding="utf-8")
        command = [sys.executable, "-m", "glcic_lite.classroom.running", str(job), str(results)]
        child = subprocess.Popen(
            [*sealed(folder, work), *command],
            cwd=work,
            env=_environment(work),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        why, size, since = "", 0, time.monotonic()
        largest: int | None = None  # resident memory when the answers begin, and what they may add to it
        while child.poll() is None and not why:
            time.sleep(0.05)
            if _given_up.is_set():
                why = "given up"
            if results.stat().st_size != size:
                size, since = results.stat().st_size, time.monotonic()
            try:
                resident = psutil.Process(child.pid).memory_info().rss
            except psutil.Error:
                continue
            if size and largest is None:
                largest = resident + memory
            if largest and resident > largest:
                why = f"took more than {memory / 1e9:g} GB of memory"
            elif time.monotonic() - since > (seconds if size else seconds + SECONDS):
                why = f"no end after {seconds:g} seconds"
        _end(child)
        return *_read_results(results), why or f"ended Python (exit status {child.returncode})"


def _end(child: subprocess.Popen) -> None:
    """End the process and whatever it has started."""
    if os.name == "posix":
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            child.kill()
    else:
        child.kill()
    child.wait()


def _read_results(file: Path) -> tuple[dict[int, tuple[str, str]], int | None]:
    """The verdicts, and the exercise that was begun last."""
    verdicts, begun = {}, None
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            if "begun" in entry:
                begun = int(entry["exercise"])
            elif entry["state"] in MARKS:
                verdicts[int(entry["exercise"])] = (entry["state"], str(entry["message"])[:1000])
        except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
            continue
    return verdicts, begun


def _environment(work: Path) -> dict[str, str]:
    """What the process sees of this one's environment: no secrets that lie in its variables, no home, no GPU."""
    kept = {k: v for k, v in os.environ.items() if k.upper() in ("PATH", "SYSTEMROOT", "LANG", "LC_ALL")}
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    where = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "MPLCONFIGDIR", "HF_HOME"), str(work))
    return kept | threads | where | {
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONIOENCODING": "utf-8",
        "MPLBACKEND": "Agg",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
    }  # fmt: skip


def table(results: list[Result]) -> str:
    """A line a student: a mark for each exercise, and how many are right."""
    students = list(dict.fromkeys(result.student for result in results))
    numbers = list(dict.fromkeys(result.lesson for result in results))
    width = max(len(name) for name in ["student", *students])
    exercises = {n: len({r.exercise for r in results if r.lesson == n}) for n in numbers}
    lines = [f"{'student':{width}}  " + " ".join(f"{n:{max(2, exercises[n])}}" for n in numbers) + "  done"]
    for name in students:
        of_student = [result for result in results if result.student == name]
        marks = ("".join(MARKS[r.state] for r in of_student if r.lesson == n) for n in numbers)
        done = sum(result.state == "correct" for result in of_student)
        lines.append(f"{name:{width}}  {' '.join(f'{mark:2}' for mark in marks)}  {done:2d}/{len(of_student)}")
    words = (f"{mark} {state}" for state, mark in MARKS.items())
    return "\n".join([*lines, "", ", ".join(words)])
