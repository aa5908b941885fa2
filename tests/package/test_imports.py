"""Imports point one way: method, what builds on it, then course and commands. Read from the source."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter

import pytest

import glcic_lite
from glcic_lite.files import PACKAGE

MODULES = sorted(PACKAGE.rglob("*.py"))
# What a folder of the package may import besides itself; `files` and `device` are open to all.
GROUND = {"files", "device"}
MIDDLE = {"speed", "training", "evaluation", "mask_canvas"}
ALLOWED = {
    "files": set(),
    "device": set(),
    "method": {"files", "device"},
    **{folder: GROUND | {"method"} | MIDDLE for folder in MIDDLE},
    "course": GROUND | {"method", "course"} | MIDDLE,
    "classroom": GROUND | {"course", "classroom"},
    "commands": GROUND | {"method", "course", "classroom", "commands"} | MIDDLE,
    "__main__": GROUND | {"method", "classroom", "commands"} | MIDDLE,
    "__init__": {"method", "speed"},
}


def folder_name(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def forbidden(folder, names):
    """Those of the imported names that a folder must not import; `from glcic_lite import ...` is for users alone."""
    others = {name: name.split(".")[1] if "." in name else "__init__" for name in names}
    return [name for name, other in others.items() if other != folder and other not in ALLOWED[folder]]


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
    assert not forbidden(folder_name(path), imported(path))


def test_only_the_package_itself_imports_by_a_string():
    """Such imports are invisible here; those of `__init__` are the ones it also writes out for type checkers.

    A package that nobody needs to have, pillow-heif, is no part of this one.
    """
    by_a_string = r"import_module(?!\(\"pillow_heif\"\))|__import__|run_module"
    for path in MODULES:
        by_string = re.search(by_a_string, path.read_text(encoding="utf-8"))
        assert not by_string or path == PACKAGE / "__init__.py", path
    public = {name: f"glcic_lite.{module}" for name, module in glcic_lite.MODULES.items()}
    assert set(public.values()) == imported(PACKAGE / "__init__.py") and set(public) == set(glcic_lite.__all__)
    for name, module in public.items():
        assert getattr(glcic_lite, name).__module__ == module


def test_help_does_not_wait_for_pytorch():
    code = "import sys, glcic_lite.__main__; assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("number", range(10))
def test_a_lesson_imports_no_other_lesson(number):
    for path in (PACKAGE / "course" / f"lesson_{number:02d}").glob("*.py"):
        for name in imported(path):
            parts = name.split(".")
            assert parts[1] != "course" or parts[2] in ("shared", f"lesson_{number:02d}"), f"{path.name} imports {name}"


def test_shared_imports_no_lesson():
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
    """Imports inside functions, of whole packages and of modules are seen, and refused where they point upwards."""
    file = tmp_path / "bad.py"
    file.write_text("def f():\n    from glcic_lite.course.shared import figures\n    import glcic_lite.training.loop\n")
    assert imported(file) == {"glcic_lite.course.shared.figures", "glcic_lite.training.loop"}
    assert forbidden("method", imported(file)) and forbidden("commands", {"glcic_lite"})
    assert (
        forbidden("speed", imported(file))
        == ["glcic_lite.course.shared.figures"]
        == forbidden("__main__", imported(file))
    )
    file.write_text("from glcic_lite import course, complete\n")
    assert imported(file) == {"glcic_lite.course", "glcic_lite"}
