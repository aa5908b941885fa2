"""Every import is a declared dependency, and every declared dependency is used: both read from the source."""

import ast
import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest

from glcic_lite.files import NOTEBOOKS, PACKAGE, REPOSITORY

PYPROJECT = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(PYPROJECT)["project"]
DISTRIBUTIONS = packages_distributions()
TESTS = REPOSITORY / "tests"
HELPERS = {path.stem for path in (TESTS / "helpers").glob("*.py")}
PROGRAMS = {"jupyterlab", "pytest-xdist", "ruff", "mypy"}  # started, not imported


def name_of(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


RUNTIME = {name_of(line) for line in PROJECT["dependencies"]}
IMPORT = {name_of(line) for line in PROJECT["optional-dependencies"]["import"]}
TEST = {name_of(line) for line in PROJECT["optional-dependencies"]["test"]}
HEIC = {name_of(line) for line in PROJECT["optional-dependencies"]["heic"]}  # imported only where it is installed


def code_of(path):
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "code")
    return re.sub(r"^([ \t]*)[%!].*$", r"\1pass", code, flags=re.MULTILINE)  # commands of IPython


def imported(code):
    """The distributions whose modules are imported, at the top or inside a function."""
    modules = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module.partition(".")[0])
    found = set()
    for module in modules - sys.stdlib_module_names - HELPERS - {"glcic_lite"}:
        assert module in DISTRIBUTIONS, f"{module} is not installed"
        found |= {name_of(name) for name in DISTRIBUTIONS[module]}
    return found


@pytest.mark.parametrize(
    "folder, pattern, allowed",
    [(PACKAGE, "*.py", RUNTIME | IMPORT), (NOTEBOOKS, "*.ipynb", RUNTIME), (TESTS, "*.py", RUNTIME | IMPORT | TEST)],
    ids=["package", "notebooks", "tests"],
)
def test_every_import_is_declared(folder, pattern, allowed):
    paths = [path for path in folder.rglob(pattern) if ".ipynb_checkpoints" not in path.parts]
    assert paths
    for path in paths:
        missing = imported(code_of(path)) - allowed
        assert not missing, f"{path.relative_to(REPOSITORY)} imports {', '.join(sorted(missing))}"


def test_every_dependency_of_the_package_is_used():
    used = set().union(*(imported(code_of(path)) for path in PACKAGE.rglob("*.py")))
    assert not (RUNTIME | IMPORT) - PROGRAMS - used


def test_every_dependency_of_the_tests_is_used():
    used = set().union(*(imported(code_of(path)) for path in TESTS.rglob("*.py")))
    assert not TEST - PROGRAMS - IMPORT - used


def test_every_dependency_has_a_reason():
    lines = re.findall(r'^.*"[\w-]+[<>=]+[\w.*]+".*$', PYPROJECT.partition("[tool.")[0], re.MULTILINE)
    requirements = [line for line in lines if "requires" not in line]
    assert len(requirements) == len(RUNTIME) + len(IMPORT) + len(TEST) + len(HEIC)
    for line in requirements:
        assert re.search(r"# \S", line), f"no reason: {line.strip()}"


def test_the_reader_of_imports_sees_those_inside_functions():
    assert imported("def f():\n    import numpy.random\n    from PIL import Image\nimport os") == {"numpy", "pillow"}
