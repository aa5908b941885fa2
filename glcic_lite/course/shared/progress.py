"""What a learner has done: a small file beside the notebooks, never sent anywhere.

Each attempt at an exercise adds one line of JSON to `progress.jsonl` in the folder of the notebook: lesson, exercise,
time, and whether it passed. Lines are only ever added, so that two notebooks can write at once, and a torn line costs
an attempt, not the record. A line {"keep": false} turns the record off, {"keep": true} on again: see `keep_progress`.
"""

import json
import re
import sys
import warnings
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from glcic_lite.files import NOTEBOOKS

FILE = "progress.jsonl"
LONGEST = 5_000_000  # bytes; a file beyond it is not one of ours
_TITLE = re.compile(r"^# \d\d · (.{1,80})$", re.MULTILINE)
_EXERCISE = re.compile(r"^#+ Exercise (\d+): (.*) \((\d+) minutes, \w+\)$", re.MULTILINE)


@dataclass
class Record:
    """One exercise: attempts counted up to and with the first that passed; when that was, or the latest attempt."""

    attempts: int = 0
    passed: bool = False
    time: str = ""  # such as "2026-03-02T14:05:31+01:00"


def progress_file() -> Path | None:
    """Where a check writes: beside the notebook that runs it. Nowhere outside of a notebook, or in `solutions`."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    here = Path.cwd()
    return here / FILE if getattr(shell, "kernel", None) and here.name != "solutions" else None


def note(lesson: str, exercise: int, passed: bool, file: Path | None = None) -> None:
    """Add an attempt. A file that cannot be written must not spoil an exercise: a warning, and no more.

    Args:
        lesson: its number as text, "01".
        exercise: its number in the lesson.
        passed: whether the check said *correct*.
        file: by default `progress_file()`.
    """
    file = file or progress_file()
    if file is not None and _read(file)[1]:
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        _add(file, {"lesson": lesson, "exercise": exercise, "time": now, "passed": passed})


def keep_progress(keep: bool, file: Path | None = None) -> None:
    """Turn the record on or off, for all lessons of this folder. To forget everything, delete the file."""
    file = file or progress_file() or Path(FILE)
    if _read(file)[1] != bool(keep) and not _add(file, {"keep": bool(keep)}):
        return
    print(f"Your progress is kept in {file.name}." if keep else f"Nothing is added to {file.name} any more.")


def _add(file: Path, line: dict) -> bool:
    """Add a line to the record. Returns whether that went well; if not, a warning says so."""
    try:
        if file.exists() and not file.is_file():  # opening a pipe would wait for ever
            raise OSError("it is not a file")
        torn = file.exists() and file.read_bytes()[-1:] not in (b"", b"\n")
        with open(file, "a", encoding="utf-8") as record:
            record.write("\n" * torn + json.dumps(line) + "\n")
        return True
    except OSError as error:
        reason = error.strerror or error
        warnings.warn(f"{file}: your progress is not kept ({reason}); the exercises work all the same", stacklevel=3)
        return False


def read_progress(file: Path) -> dict[tuple[str, int], Record]:
    """The record by (lesson, exercise). A file that is missing, or lines that are damaged, count as nothing."""
    return _read(file)[0]


def _read(file: Path) -> tuple[dict[tuple[str, int], Record], bool]:
    """The record, and whether it is kept on."""
    found: dict[tuple[str, int], Record] = {}
    keep = True
    try:
        known = file.is_file() and file.stat().st_size <= LONGEST
        lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines() if known else []
    except OSError:
        lines = []
    for line in lines:
        try:
            entry = json.loads(line)
            if "keep" in entry:
                keep = bool(entry["keep"])
                continue
            key, passed, time = (str(entry["lesson"]), int(entry["exercise"])), entry["passed"] is True, entry["time"]
        except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
            continue
        record = found.setdefault(key, Record())
        if not record.passed:
            record.attempts, record.passed, record.time = record.attempts + 1, passed, str(time)[:40]
    return found, keep


def exercises(notebook: Path) -> dict[int, str]:
    """The exercises of a lesson: number and name, as its headings give them; none in a file that is no notebook."""
    return {int(number): name for number, name, _ in _EXERCISE.findall(_words(notebook))}


def title(notebook: Path) -> str:
    """A lesson's name, as its first heading gives it, or else its file."""
    found = _TITLE.search(_words(notebook))
    return found[1] if found else notebook.stem[3:].replace("_", " ")


def _words(notebook: Path) -> str:
    """The text between a notebook's cells of code; none in a file that is no notebook."""
    try:
        if not notebook.is_file():  # opening a pipe would wait for ever
            return ""
        cells = json.loads(notebook.read_text(encoding="utf-8-sig"))["cells"]
        return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return ""


def progress_map(folder: Path | None = None) -> str:
    """The lessons as lines of text, each with its exercises: ✓ passed, ✗ tried, ○ to do.

    Args:
        folder: where the notebooks and the record lie; by default the working folder, or else the course's.
    """
    here = Path(folder or ".")
    if not here.is_dir():
        raise NotADirectoryError(f"{here}: no such folder")
    lessons = sorted((here if folder or any(here.glob("[0-9][0-9]_*.ipynb")) else NOTEBOOKS).glob("[0-9][0-9]_*.ipynb"))
    record = read_progress((lessons[0].parent if lessons else here) / FILE)
    lines = []
    done = everything = 0
    for path in lessons:
        lesson, numbers = path.name[:2], exercises(path)
        states = [record.get((lesson, number), Record()) for number in numbers]
        done, everything = done + sum(state.passed for state in states), everything + len(states)
        marks = " ".join("✓" if state.passed else "✗" if state.attempts else "○" for state in states)
        lines.append(f"{lesson}  {marks or 'no exercises':13}  {title(path)}")
    lines.append(f"{done} of {everything} exercises passed; ✓ passed, ✗ tried, ○ to do")
    return "\n".join(lines)


def show_progress(folder: Path | None = None) -> None:
    """Print the map of the lessons with what is done."""
    print(progress_map(folder))
