"""A student's answers, taken out of a notebook without running it.

An answer is the code cell that calls an exercise's check, and, of the cells above it, the imports, functions, classes
and assignments that it uses: not the trainings, figures and widgets between them.
"""

import ast
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LARGEST = 100_000_000  # bytes; a larger file is no notebook of this course
_CALL = re.compile(r"^checks\.(\w+)\(", re.MULTILINE)
_HEADING = re.compile(r"^#+ Exercise (\d+): ", re.MULTILINE)
_MAGIC = re.compile(r"^[ \t]*[%!?].*$", re.MULTILINE)


class HandInError(Exception):
    """A notebook that cannot be read; the message says which and why."""


@dataclass(frozen=True)
class Answer:
    """What a student has made of one exercise.

    Attributes:
        exercise: its number in the lesson.
        check: the name of its check in the lesson's `checks`.
        code: Python that defines what the check is given; empty if there is nothing to run.
        arguments: the Python of the check's arguments, as in a call.
        problem: why there is nothing to run: "not attempted", "missing", or what is wrong with it.
    """

    exercise: int
    check: str
    code: str = ""
    arguments: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Stub:
    """An exercise as the lesson poses it."""

    exercise: int
    check: str
    source: str


def read_cells(path: Path) -> list[dict]:
    """The cells of a notebook, each with `cell_type` and its `source` as text.

    Raises:
        HandInError: it is not a notebook.
    """
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            raise HandInError(f"{path}: is not a file")
        if path.stat().st_size > LARGEST:
            raise HandInError(f"{path}: has {path.stat().st_size / 1e6:.0f} MB, too large for a notebook")
        cells = json.loads(path.read_text(encoding="utf-8-sig"))["cells"]
        return [{"cell_type": cell["cell_type"], "source": "".join(cell["source"])} for cell in cells]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise HandInError(f"{path}: cannot be read as a notebook ({type(error).__name__})") from error


def stubs(lesson: Path) -> list[Stub]:
    """The exercises of a lesson of the course, in order."""
    cells = read_cells(lesson)
    found = []
    for cell, after in zip(cells, cells[1:], strict=False):
        heading = _HEADING.search(cell["source"]) if cell["cell_type"] == "markdown" else None
        call = _CALL.search(after["source"])
        if heading and call:
            found.append(Stub(int(heading[1]), call[1], after["source"]))
    return found


def import_of_checks(lesson: Path) -> str:
    """The line of a lesson that imports its checks."""
    for source in (cell["source"] for cell in read_cells(lesson) if cell["cell_type"] == "code"):
        for node in ast.parse(_MAGIC.sub("", source)).body:
            if isinstance(node, ast.ImportFrom) and any(alias.name == "checks" for alias in node.names):
                return f"from {node.module} import checks"
    raise HandInError(f"{lesson}: imports no checks")


def read_answers(notebook: Path, exercises: Iterable[Stub]) -> list[Answer]:
    """The answers in a student's notebook, one for each exercise of the lesson.

    Raises:
        HandInError: it is not a notebook.
    """
    sources = [cell["source"] for cell in read_cells(notebook) if cell["cell_type"] == "code"]
    return [_answer(sources, stub) for stub in exercises]


def _answer(sources: list[str], stub: Stub) -> Answer:
    calls = [n for n, source in enumerate(sources) if stub.check in _CALL.findall(source)]
    if not calls:
        return Answer(stub.exercise, stub.check, problem="missing")
    last = calls[-1]
    if sources[last].strip() == stub.source.strip():
        return Answer(stub.exercise, stub.check, problem="not attempted")
    try:
        body = _parse(sources[last])
        called = [
            node
            for part in body
            for node in ast.walk(part)
            if isinstance(node, ast.Call) and _check_called(node) == stub.check
        ]
        if not called:  # its name stands in a text
            return Answer(stub.exercise, stub.check, problem="missing")
        given: list[ast.AST] = [*called[-1].args, *called[-1].keywords]
        own = [node for node in body if not (isinstance(node, ast.Expr) and _check_called(node.value))]
        above = [node for source in sources[:last] for node in _parse_or_skip(source)]
        code = ast.unparse(ast.Module([*_used(above, [*own, *given]), *own], []))
        return Answer(stub.exercise, stub.check, code, ", ".join(map(ast.unparse, given)))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else type(error).__name__
        return Answer(stub.exercise, stub.check, problem=f"not Python that can be read, {where}")


def _parse(source: str) -> list[ast.stmt]:
    return ast.parse(_MAGIC.sub("", source)).body


def _parse_or_skip(source: str) -> list[ast.stmt]:
    try:
        return _parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _check_called(node: ast.AST) -> str:
    """The name of the check that an expression calls, if it is such a call."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        return node.func.attr if node.func.value.id == "checks" else ""
    return ""


def _used(above: list[ast.stmt], wanted: list[ast.AST]) -> list[ast.stmt]:
    """Of the statements above, those that define what is wanted, in their order; the latest definition counts."""
    latest = {name: n for n, node in enumerate(above) for name in _defined(node)}
    taken: set[int] = set()
    while wanted:
        names = {n.id for n in ast.walk(wanted.pop()) if isinstance(n, ast.Name)}
        for n in {latest[name] for name in names if name in latest} - taken:
            taken.add(n)
            wanted.append(above[n])
    return [above[n] for n in sorted(taken)]


def _defined(node: ast.stmt) -> set[str]:
    """The names that a statement at the top of a cell defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return set()
