"""Every notebook of the course: its format, as notebooks/README.md describes it, and that it runs through."""

import base64
import re
import struct

import nbformat
import pytest

from glcic_lite.course.slides.executed import fault
from glcic_lite.files import NOTEBOOKS
from notebook_runner import WIDGET_VIEW, NotebookError, execute, to_print

LESSONS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
SOLUTIONS = sorted((NOTEBOOKS / "solutions").glob("*.ipynb"))
OVERTURE = "00_complete_a_photo.ipynb"  # it has no exercises
LARGEST = 1_000_000  # bytes; GitHub shows notebooks of this size, and a clone stays small
LARGEST_OF = {OVERTURE: 2_000_000}  # photos, compared at full size
PICTURES = ("image/png", "image/jpeg")

lessons = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
lessons_with_exercises = pytest.mark.parametrize(
    "path", [path for path in LESSONS if path.name != OVERTURE], ids=lambda path: path.stem
)
all_notebooks = pytest.mark.parametrize("path", LESSONS + SOLUTIONS, ids=lambda path: path.stem)


def read(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert not (found := fault(path, notebook)), found
    return notebook


def markdown(path):
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert LESSONS


@lessons
def test_it_opens_with_title_goals_needs_and_time(path):
    number = path.name[:2]
    cells = read(path).cells
    assert cells[0].cell_type == "markdown"
    assert re.match(rf"# {number} · \S", cells[0].source), "the first cell begins with '# NN · Title'"
    text = markdown(path)
    for needed in (r"\*\*Goals\.\*\*", r"\*\*Needs\.\*\*", r"\*\*Time\.\*\* .*minutes", r"GPU"):
        assert re.search(needed, text), f"no {needed} in the opening"
    goals = re.search(r"\*\*Goals\.\*\*.*?\n((?:- .*\n(?:  .*\n)*)+)", text.replace("\n\n-", "\n-", 1))
    assert goals, "the goals are a list"


@lessons
def test_navigation(path):
    """Each lesson links to its neighbours, at the top."""
    top = read(path).cells[0].source
    neighbours = {p.name[:2]: p.name for p in LESSONS}
    number = int(path.name[:2])
    for neighbour in (number - 1, number + 1):
        name = neighbours.get(f"{neighbour:02d}")
        if name:
            assert f"({name})" in top, f"no link to {name} in the first cell"


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_solutions_lead_back(path):
    lesson = next((p for p in LESSONS if p.name[:2] == path.name[:2]), None)
    assert lesson, "solutions to no lesson"
    assert f"(../{lesson.name})" in read(path).cells[0].source


@all_notebooks
def test_set_up_comes_first(path):
    first = code_cells(path)[0]
    assert "set_up(" in first.source
    printed = "".join(output.get("text", "") for output in first.outputs)
    assert all(word in printed for word in ("Python", "torch", "seed")), "versions, device and seed are printed"


@all_notebooks
def test_executed_from_top_to_bottom_without_errors(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.get("text")


@all_notebooks
def test_it_carries_no_widgets_and_is_small(path):
    notebook = read(path)
    assert "widgets" not in notebook.metadata
    for cell in code_cells(path):
        for output in cell.outputs:
            data = output.get("data", {})
            assert WIDGET_VIEW not in data, (
                "reopened, this shows 'model not found': python tests/helpers/notebook_runner.py --write"
            )
            assert "image/svg+xml" not in data, "SVG is garbled in an untrusted notebook; use PNG"
    assert path.stat().st_size <= LARGEST_OF.get(path.name, LARGEST)


@all_notebooks
def test_pictures_are_sound_and_have_captions(path):
    """The last picture of a cell is followed by a caption: one italic sentence, or a few."""
    for cell in code_cells(path):
        last = None
        for position, output in enumerate(cell.outputs):
            data = output.get("data", {})
            for kind in PICTURES:
                if kind in data:
                    last = position
                    content = base64.b64decode(data[kind])
                    assert content[:4] == b"\x89PNG" if kind == "image/png" else content[:2] == b"\xff\xd8"
                    if kind == "image/png":
                        width, height = struct.unpack(">II", content[16:24])
                        assert 200 <= width <= 4000 and height <= 4000
        if last is not None:
            after = [output.get("data", {}).get("text/markdown", "") for output in cell.outputs[last + 1 :]]
            assert any(re.fullmatch(r"\*[^*].*\*", text.strip(), re.DOTALL) for text in after), (
                f"no caption after the picture of: {cell.source[:80]}"
            )


@all_notebooks
def test_nothing_to_fold_is_left_open(path):
    text = markdown(path)
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>") == text.count("</summary>")
    assert not re.search(r"<summary>[^\n]*</summary>\n(?!\n)", text), (
        "an empty line after </summary>, or no Markdown inside"
    )


def exercises(path):
    """The Markdown of each exercise, and the code cell that follows it."""
    cells, found = read(path).cells, {}
    for cell, after in zip(cells, cells[1:], strict=False):
        heading = re.search(r"^#+ Exercise (\d+): .*\((\d+) minutes, (easy|medium|tricky|hard)\)$", cell.source, re.M)
        if cell.cell_type == "markdown" and heading:
            assert after.cell_type == "code", f"after exercise {heading[1]} comes its stub"
            found[int(heading[1])] = (cell.source[heading.start() :], after)
    return found


@lessons_with_exercises
def test_exercises(path):
    found = exercises(path)
    assert list(found) == list(range(1, len(found) + 1))
    assert len(found) >= 4
    for number, (text, stub) in found.items():
        assert len(re.findall(r"<summary>Hint \d</summary>", text)) == 2, f"exercise {number}: two folded hints"
        assert re.search(r"^checks\.\w+\(.*\)$", stub.source, re.M), f"exercise {number}: its check is called"
        shown = "".join(str(output.get("data", {}).get("text/markdown", "")) for output in stub.outputs)
        assert f"Exercise {number}: not attempted" in shown, f"exercise {number}: the stub is not attempted"


@lessons_with_exercises
def test_every_exercise_is_solved(path):
    solution = NOTEBOOKS / "solutions" / f"{path.name[:2]}_solutions.ipynb"
    assert solution.exists()
    shown = "".join(
        str(output.get("data", {}).get("text/markdown", "")) for cell in code_cells(solution) for output in cell.outputs
    )
    for number in exercises(path):
        assert f"Exercise {number}: correct" in shown
    assert "not yet" not in shown and "not attempted" not in shown


@lessons_with_exercises
def test_recap_self_test_and_references(path):
    text = markdown(path)
    assert re.search(r"^## Recap$", text, re.M)
    assert re.search(r"^## References$", text, re.M)
    assert "It does not work?" in text, "troubleshooting, folded"
    self_test = re.search(r"^## Test yourself$(.*?)^## ", text, re.M | re.S)
    assert self_test
    assert 3 <= len(re.findall(r"<summary>Answer</summary>", self_test[1])) <= 5


@all_notebooks
def test_it_runs(path):
    """In a clean kernel, with every widget moved to its ends."""
    executed = execute(path)
    assert all(cell.execution_count for cell in executed.cells if cell.cell_type == "code")


# The runner itself: it must see what an ordinary execution does not.


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("1 / 0", "ZeroDivisionError"),
        (
            "import ipywidgets\n"
            "slider = ipywidgets.IntSlider(1, 0, 5)\n"
            "slider.observe(lambda change: 1 / change['new'], names='value')\n"
            "display(slider)",
            "division",
        ),
        (
            "import ipywidgets\n"
            "ipywidgets.interact(lambda n: 1 / n, n=ipywidgets.IntSlider(1, 0, 5));",
            "division",
        ),
        (
            "import ipywidgets\noutput = ipywidgets.Output()\ndisplay(output)\nwith output:\n    1 / 0",
            "division",
        ),
        (
            "import ipywidgets\n"
            "button = ipywidgets.Button()\n"
            "button.on_click(lambda b: 1 / 0)\n"
            "display(button)\nbutton.click()",
            "division",
        ),
        (
            "from glcic_lite.course.lesson_01.convolution_explorer import ConvolutionExplorer\n"
            "class Broken(ConvolutionExplorer):\n"
            "    def scene(self, kernel, **settings):\n"
            "        return super().scene(kernel=kernel, **settings) if kernel < 7 else 1 / 0\n"
            "display(Broken())",
            "division",
        ),
        ("import warnings\nwarnings.warn('old name')", "old name"),
    ],
    ids=["cell", "observer", "interact", "output", "button", "explorer", "warning"],
)  # fmt: skip
def test_the_runner_finds_errors(tmp_path, source, words):
    path = tmp_path / "broken.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    with pytest.raises(NotebookError, match=words):
        execute(path, seconds=30)


def test_the_runner_gives_up_on_a_kernel_that_does_not_answer_and_tries_once_more(tmp_path):
    path, begun = tmp_path / "slow.ipynb", tmp_path / "begun"
    source = f"begun = open({str(begun)!r}, 'a+')\nbegun.write('x'); begun.flush(); begun.seek(0)\n"
    source += "if begun.read() == 'x':\n    import time\n    time.sleep(300)"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    with pytest.warns(UserWarning, match="no end after 10 s"):
        execute(path, seconds=10)
    assert begun.read_text() == "xx"


def test_the_runner_passes_what_works(tmp_path):
    source = "import ipywidgets\nipywidgets.interact(lambda n: n * 2, n=ipywidgets.IntSlider(1, 0, 5));"
    path = tmp_path / "works.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    kept = to_print(execute(path, seconds=30))
    assert not fault(path, kept)
    kept.cells[0].source += "  # edited afterwards"
    assert "not the course's own" in fault(path, kept)
