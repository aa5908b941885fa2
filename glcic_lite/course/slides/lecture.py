"""One deck across the lessons for a single lecture of ninety minutes, made of the cells that are tagged for it.

A cell with the tag `slide-lecture` comes as on its lesson's own deck. A slide before them has the timetable, one after
them asks for questions.
"""

import copy
import re
from collections.abc import Iterable
from pathlib import Path

import nbformat

from glcic_lite.course.slides.decks import columns_of, lessons_of_the_course, page, title_of
from glcic_lite.course.slides.executed import LessonError, fault
from glcic_lite.files import write_text

TAG = "slide-lecture"
TITLE = "Globally and locally consistent image completion"
MINUTES = {"00": 5, "01": 19, "02": 6, "03": 6, "04": 12, "05": 15, "06": 7, "07": 3, "08": 3, "09": 4}
QUESTIONS = 10  # minutes
_NUMBER = re.compile(r"(<h2[^>]*>|<p class=\"head\">)\d+(?:\.\d+)? · ")
_LINK = re.compile(r"<a [^>]*href=\"\d\d_\w+\.html[^>]*>(.*?)</a>", re.DOTALL)


def build_lecture(out: str | Path, notebooks: Iterable[str | Path] | None = None) -> Path:
    """Write `lecture.html` into the folder `out`.

    Raises:
        LessonError: a lesson is half run or edited.
        OSError: there is no notebook, or a file cannot be read or written.
    """
    chosen = lessons_of_the_course() if notebooks is None else [Path(path) for path in notebooks]
    faults = [found for path in chosen if (found := fault(path))]
    if faults:
        raise LessonError("; ".join(faults))
    Path(out).mkdir(parents=True, exist_ok=True)
    deck = Path(out) / "lecture.html"
    write_text(deck, lecture(chosen))
    return deck


def lecture(notebooks: Iterable[Path]) -> str:
    """The deck as a page of HTML: a column for each lesson that has tagged cells."""
    columns, rows, minute = [], [], 0
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        cells = _tagged(notebook)
        if not cells:
            continue
        lasts = MINUTES.get(path.name[:2], 0)
        slides = [slide for column in columns_of(cells, path.parent) for slide in column]
        slides[0]["notes"].insert(0, f"<p>Lesson {path.name[:2]}: minutes {minute} to {minute + lasts}.</p>")
        columns.append(slides)
        rows.append(f"| {title_of(notebook)} | {lasts} |")
        minute += lasts
    table = "\n".join(["| | Minutes |", "|---|---:|", *rows, f"| **Questions** | {QUESTIONS} |"])
    first = nbformat.v4.new_markdown_cell(f"# {TITLE}\n\n{table}", metadata=_on_a_slide())
    closing = "## Questions\n\nAll of this runs on a laptop: lesson 00 is where to begin."
    last = nbformat.v4.new_markdown_cell(closing, metadata=_on_a_slide())
    columns = [*columns_of([first], Path()), *columns, *columns_of([last], Path())]
    # The lessons' own decks need not be there, and the numbers of their sections say nothing here.
    return _NUMBER.sub(r"\1", _LINK.sub(r"\1", page(TITLE, columns)))


def _on_a_slide() -> dict:
    return {"slideshow": {"slide_type": "slide"}}


def _tagged(notebook: nbformat.NotebookNode) -> list:
    """Copies of the tagged cells. One that would continue the slide of a cell left out begins a slide."""
    found, before = [], False
    for cell in notebook.cells:
        tagged = TAG in cell.metadata.get("tags", ())
        if tagged:
            cell = copy.copy(cell)
            if not before and cell.metadata.slideshow.slide_type == "-":
                cell.metadata = nbformat.from_dict(cell.metadata | {"slideshow": {"slide_type": "subslide"}})
            found.append(cell)
        if tagged or cell.metadata.get("slideshow", {}).get("slide_type") not in ("skip", "notes"):
            before = tagged
    return found
