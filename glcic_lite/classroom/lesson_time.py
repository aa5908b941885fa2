"""How long a lesson takes, from its words, its code and its exercises, so that no time is stated from hope."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from glcic_lite.course.slides.decks import count_words
from glcic_lite.files import NOTEBOOKS

WORDS_A_MINUTE = 180  # a text with formulas, to be understood; novels are read at some 240
LINES_A_MINUTE = 20  # of code that one follows; half of it draws. Without the set-up and the stubs
SECONDS_A_PICTURE = 20
_EXERCISE = re.compile(r"^#+ Exercise \d+: .*\((\d+) minutes, \w+\)$", re.MULTILINE)
_FOLDED = re.compile(r"<details>.*?</details>", re.DOTALL)
_STATED = re.compile(r"\*\*Time\.\*\*\s+(?:About\s+)?(\d+|five|ten)[^.]*?minutes", re.IGNORECASE)


@dataclass(frozen=True)
class LessonTime:
    """Minutes: for reading and looking, for following the code, for the exercises; and what the lesson says."""

    reading: float
    code: float
    exercises: float
    stated: int | None

    @property
    def all(self) -> float:
        return self.reading + self.code + self.exercises


def lesson_time(path: Path) -> LessonTime:
    """The time of one lesson. Folded text is left out, references and an exercise's own words are not read twice.

    Waiting for cells is not counted: they compute while one reads.
    """
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    words = lines = pictures = exercises = 0
    stated = None
    set_up = True
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            if not set_up and "checks." not in source:
                lines += sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in source.splitlines())
            set_up = False
            pictures += sum(any(k.startswith("image/") for k in out.get("data", {})) for out in cell["outputs"])
        elif cell["cell_type"] == "markdown":
            said = _STATED.search(source)
            if said and stated is None:
                stated = {"five": 5, "ten": 10}.get(said[1].lower()) or int(said[1])
            found = _EXERCISE.search(source)
            if found:
                exercises += int(found[1])
                source = source[: found.start()]  # its minutes include reading the task
            if not source.startswith("## References"):
                words += count_words(_FOLDED.sub("", source))
    return LessonTime(
        words / WORDS_A_MINUTE + pictures * SECONDS_A_PICTURE / 60, lines / LINES_A_MINUTE, exercises, stated
    )


def lesson_times() -> dict[str, LessonTime]:
    """Of all lessons, by number."""
    return {path.name[:2]: lesson_time(path) for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
