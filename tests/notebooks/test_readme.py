"""README: what it shows and promises is there, and its commands are those that are really used."""

import re
import subprocess

import pytest

from glcic_lite.files import REPOSITORY

TEXT = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def command(marker: str) -> str:
    return re.search(rf"<!-- {marker} -->\n```bash\n(.+?)\n```", TEXT, re.DOTALL).group(1)


def test_every_picture_has_alternative_text():
    assert not re.search(r"!\[\s*\]", TEXT)


def test_every_lesson_is_on_the_tour():
    for lesson in (REPOSITORY / "notebooks").glob("[0-9][0-9]_*.ipynb"):
        assert f"(notebooks/{lesson.name})" in TEXT


@pytest.mark.parametrize("marker", ["the course command", "the test command"])
def test_each_command_is_one_line_and_makes_its_own_environment(marker):
    line = command(marker)
    assert "\n" not in line and line.startswith("python3 -m venv .venv && . .venv/bin/activate && ")


def test_the_course_command_opens_the_first_lesson():
    assert (REPOSITORY / command("the course command").split()[-1]).name == "00_complete_a_photo.ipynb"


def test_continuous_integration_runs_exactly_the_readmes_test_command():
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    extraction = re.search(r"test_command=\$\((.+)\)\n", script).group(1)
    found = subprocess.run(["bash", "-c", extraction], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == command("the test command")


def test_the_workflow_for_other_systems_holds_the_readmes_commands_and_nothing_else():
    text = (REPOSITORY / ".ci" / "workflow.yml").read_text(encoding="utf-8")
    blocks = re.findall(r"run: \|\n((?: {10}.+\n)+)", text)
    unix, windows = ([line.strip() for line in block.splitlines()] for block in blocks)
    assert text.count("run:") == 2 and unix == [command("the test command")]
    environment = ["py -m venv .venv", r".venv\Scripts\activate"]
    assert all(f"`{line}`" in TEXT for line in environment)
    assert windows == environment + command("the test command").split(" && ")[2:]


def test_every_module_of_the_package_is_in_the_table():
    for path in (REPOSITORY / "glcic_lite").iterdir():
        known_elsewhere = path.name in ("__init__.py", "__main__.py", "__pycache__", "weights")
        assert known_elsewhere or f"`{path.name}{'/' if path.is_dir() else ''}`" in TEXT, path.name
