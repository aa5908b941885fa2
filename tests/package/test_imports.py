"""Imports point one way: method, what builds on it, then commands and course. Read from the source."""

import ast
from graphlib import TopologicalSorter

import pytest

from glcic_lite.files import PACKAGE

MODULES = sorted(PACKAGE.rglob("*.py"))
# What a room may import besides itself; `files` and `device` are the ground that all stand on.
GROUND = {"files", "device"}
MIDDLE = {"speed", "training", "evaluation", "mask_canvas"}
ALLOWED = {
    "files": set(),
    "device": set(),
    "method": {"files", "device"},
    **{room: GROUND | {"method"} | MIDDLE for room in MIDDLE},
    "course": GROUND | {"method", "course"} | MIDDLE,
    "commands": GROUND | {"method", "course", "commands"} | MIDDLE,
    "__main__": GROUND | {"method", "commands"} | MIDDLE,
    "__init__": {"method", "speed"},
}


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """The package's modules that a file imports, at its top or inside a function, as dotted names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "glcic_lite":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if file_of(inner).exists() or folder_of(inner).is_dir() else node.module)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where it leads"
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.partition(".")[0] == "glcic_lite"}
    return found


def folder_of(name):
    return PACKAGE.joinpath(*name.split(".")[1:])


def file_of(name):
    return folder_of(name).with_suffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_it_imports_only_what_it_may(path):
    room = room_of(path)
    for name in imported(path):
        other = name.split(".")[1] if "." in name else "__init__"
        assert other == room or other in ALLOWED[room], f"{room} must not import {name}"


@pytest.mark.parametrize("number", range(10))
def test_a_lesson_imports_no_other_lesson(number):
    for path in (PACKAGE / "course" / f"lesson_{number:02d}").glob("*.py"):
        for name in imported(path):
            parts = name.split(".")
            assert parts[1] != "course" or parts[2] in ("shared", f"lesson_{number:02d}"), f"{path.name} imports {name}"


def test_shared_knows_no_lesson():
    for path in (PACKAGE / "course" / "shared").glob("*.py"):
        for name in imported(path):
            assert ".course.lesson_" not in name, f"{path.name} imports {name}"


def test_no_module_imports_itself_in_a_circle():
    graph = {}
    for path in MODULES:
        name = ".".join(["glcic_lite", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
        graph[name] = imported(path) - {name}
    TopologicalSorter(graph).prepare()


def test_the_rules_can_be_broken(tmp_path):
    """The reader of imports sees those inside functions, and whole packages."""
    file = tmp_path / "bad.py"
    file.write_text("def f():\n    from glcic_lite.course.shared import figures\n    import glcic_lite.training.loop\n")
    assert imported(file) == {"glcic_lite.course.shared.figures", "glcic_lite.training.loop"}
