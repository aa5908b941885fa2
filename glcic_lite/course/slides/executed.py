"""Whether a lesson is what its own cells have computed: whole, in order, and not edited since.

Slides and students' copies show what is saved in the notebook. A lesson that was half run, or edited and not run again,
would show gaps or what is no longer true.
"""

import hashlib
from pathlib import Path

import nbformat

from glcic_lite.files import REPOSITORY

STAMP = "executed_sources"  # in the metadata of a notebook: what its code was when all of it was executed
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class LessonError(Exception):
    """A lesson that is half run or edited; the message names it, what was found, and the cure."""


def sources_hash(notebook: nbformat.NotebookNode) -> str:
    """A short hash of the code of all cells."""
    code = "\0".join(cell.source.strip() for cell in notebook.cells if cell.cell_type == "code")
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def fault(path: str | Path, notebook: nbformat.NotebookNode | None = None) -> str:
    """What is wrong with a lesson as it is saved, and the cure, in one line; empty if nothing is.

    Args:
        path: the notebook.
        notebook: its content, where that has been read already.

    Raises:
        LessonError: it cannot be read as a notebook.
    """
    path = Path(path)
    notebook = notebook or read_lesson(path)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    counts = [cell.execution_count for cell in cells]
    stamp = notebook.metadata.get(STAMP)
    if cells and not any(counts):
        found = "none of its cells has been run"
    elif None in counts:
        found = f"{counts.count(None)} of its {len(cells)} code cells have not been run"
    elif any(output.output_type == "error" for cell in cells for output in cell.outputs):
        found = "a cell ended in an error"
    elif counts != list(range(1, len(cells) + 1)):
        found = "cells were run out of order or twice"
    elif stamp and stamp != sources_hash(notebook):
        found = "its code is not the course's own any more"
    else:
        return ""
    place = path.resolve()
    place = place.relative_to(REPOSITORY) if place.is_relative_to(REPOSITORY) else path
    return (
        f"{path.name}: {found}. Run it whole (in JupyterLab: Run, Restart Kernel and Run All Cells; then save), "
        f"or take the course's own back: git checkout -- {place.as_posix()}"
    )


def read_lesson(path: str | Path) -> nbformat.NotebookNode:
    """A notebook, read.

    Raises:
        LessonError: it cannot be read as one.
    """
    try:
        return nbformat.read(path, as_version=4)
    except OSError:
        raise
    except Exception as error:  # nbformat raises whatever its parsers raise
        raise LessonError(f"{path}: cannot be read as a notebook ({type(error).__name__})") from error
