"""The students' copy, made of a small repository: what is in it, what is not, and that it never replaces anything."""

import csv
import zipfile

import nbformat
import numpy as np
import pytest
from PIL import Image

from glcic_lite.classroom import students_copy
from glcic_lite.classroom.students_copy import SHORT_EDGE, reduced, write_students_copy
from glcic_lite.course.slides.executed import STAMP, LessonError, fault, sources_hash
from glcic_lite.files import REPOSITORY

TEXT = """## Test yourself

1. Why?

<details>
<summary>Answer</summary>

Because.

</details>

[Solutions](solutions/01_solutions.ipynb), [next](02_more.ipynb), ![map](pictures/map.png)

<details><summary>Hint 1</summary>

Think.

</details>"""


def lesson(run=True):
    text, code = nbformat.v4.new_markdown_cell(TEXT), nbformat.v4.new_code_cell("print(1)")
    if run:
        code.execution_count = 1
        code.outputs = [nbformat.v4.new_output("stream", name="stdout", text="1\n")]
    return nbformat.v4.new_notebook(cells=[text, code])


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with two lessons, two photos, a package, and things that no student should get."""
    root = tmp_path / "repository"
    for folder in ("notebooks/solutions", "notebooks/teaching", "notebooks/pictures", "package/weights", "tests"):
        (root / folder).mkdir(parents=True)
    for folder in ("train", "test"):
        (root / "data" / "photos" / folder).mkdir(parents=True)
        pixels = np.random.default_rng(0).integers(0, 256, (500, 600, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "data" / "photos" / folder / "a.jpg", quality=95)
    (root / "data" / "masks").mkdir()
    (root / "data" / "photos" / "train" / "private.jpg").write_bytes(b"x")
    (root / "data" / "photos" / "ATTRIBUTION.csv").write_text("file,changes\ntrain/a.jpg,cut\ntest/a.jpg,cut\n")
    for name in ("01_first.ipynb", "02_more.ipynb", "solutions/01_solutions.ipynb"):
        nbformat.write(lesson(), root / "notebooks" / name)
    Image.new("RGB", (4, 4)).save(root / "notebooks" / "pictures" / "map.png")
    readme = "# Course\n\n[Help](CONTRIBUTING.md) [L](notebooks/01_first.ipynb) [web](https://example.org)\n\n"
    (root / "README.md").write_text(readme + "<!-- lecturers -->\nSecret\n<!-- /lecturers -->\nEnd\n")
    files = ("LICENSE", "requirements.txt", "pyproject.toml", "CONTRIBUTING.md", "notebooks/LECTURERS.md")
    for name in (*files, "notebooks/exam.ipynb", "notebooks/teaching/marking.md", "package/code.py", "tests/t.py"):
        (root / name).write_text("x")
    places = {"REPOSITORY": root, "NOTEBOOKS": root / "notebooks", "PACKAGE": root / "package", "DATA": root / "data"}
    for name, path in places.items():
        monkeypatch.setattr(students_copy, name, path)
    return root


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_is_in_the_copy_and_what_is_not(repository, tmp_path):
    archive = write_students_copy(tmp_path / "copy")
    assert names(tmp_path / "copy") == sorted(
        ["README.md", "LICENSE", "requirements.txt", "pyproject.toml", "package/code.py"]
        + ["notebooks/01_first.ipynb", "notebooks/02_more.ipynb", "notebooks/pictures/map.png"]
        + ["data/photos/ATTRIBUTION.csv", "data/photos/train/a.jpg", "data/photos/test/a.jpg"]
    )
    with zipfile.ZipFile(archive) as file:
        assert file.testzip() is None
        assert sorted(file.namelist()) == [f"copy/{name}" for name in names(tmp_path / "copy")]
    readme = (tmp_path / "copy" / "README.md").read_text()
    assert readme == "# Course\n\nHelp [L](notebooks/01_first.ipynb) [web](https://example.org)\n\nEnd\n"
    text = nbformat.read(tmp_path / "copy" / "notebooks" / "01_first.ipynb", as_version=4).cells[0].source
    assert "\nSolutions, [next](02_more.ipynb), ![map](pictures/map.png)" in text and "Because." in text


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("answers", [False, True])
def test_outputs_and_answers_where_asked(repository, tmp_path, clean, answers):
    write_students_copy(tmp_path / "copy", clean, answers)
    text, code = nbformat.read(tmp_path / "copy" / "notebooks" / "01_first.ipynb", as_version=4).cells
    assert (code.outputs == []) == (code.execution_count is None) == clean
    assert ("Because." in text.source) == ("Answer" in text.source) == answers
    assert "1. Why?" in text.source and "Think." in text.source, "questions and hints stay"


def test_training_photos_are_smaller_and_their_licence_is_told_so(repository, tmp_path):
    write_students_copy(tmp_path / "copy")
    photos = tmp_path / "copy" / "data" / "photos"
    assert Image.open(photos / "train" / "a.jpg").size == (round(600 * SHORT_EDGE / 500), SHORT_EDGE)
    assert (photos / "test" / "a.jpg").read_bytes() == (repository / "data/photos/test/a.jpg").read_bytes()
    with open(photos / "ATTRIBUTION.csv", newline="") as file:
        changes = {row["file"]: row["changes"] for row in csv.DictReader(file)}
    assert changes["test/a.jpg"] == "cut" and f"{SHORT_EDGE} px" in changes["train/a.jpg"]


def test_a_small_photo_stays_as_it_is(tmp_path):
    Image.new("RGB", (300, 200)).save(tmp_path / "a.jpg")
    assert reduced(tmp_path / "a.jpg") == (tmp_path / "a.jpg").read_bytes()


@pytest.mark.parametrize("there", ["copy/mine.txt", "copy.zip"])
def test_nothing_is_replaced(repository, tmp_path, there):
    (tmp_path / "copy").mkdir()
    (tmp_path / there).write_text("mine")
    with pytest.raises(FileExistsError, match="is there already"):
        write_students_copy(tmp_path / "copy")
    assert (tmp_path / there).read_text() == "mine"


def test_a_half_run_lesson_is_refused_and_nothing_is_left(repository, tmp_path):
    nbformat.write(lesson(run=False), repository / "notebooks" / "02_more.ipynb")
    with pytest.raises(LessonError, match="02_more.ipynb: none of its cells .* git checkout"):
        write_students_copy(tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["repository"]


# What counts as half run or edited


def executed(*sources, counts=None):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    for cell, count in zip(cells, counts or range(1, len(cells) + 1), strict=True):
        cell.execution_count = count
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata[STAMP] = sources_hash(notebook)
    return notebook


def test_a_whole_run_has_no_fault():
    notebook = executed("a", "b")
    assert fault("01.ipynb", notebook) == ""
    notebook.cells.append(nbformat.v4.new_code_cell(""))  # JupyterLab adds an empty one at the end
    notebook.cells.append(nbformat.v4.new_markdown_cell("a note of the reader's own"))
    del notebook.metadata[STAMP]
    assert fault("01.ipynb", notebook) == ""


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([None, None, None], "none of its cells"),
        ([1, 2, None], "1 of its 3"),
        ([1, 2, 4], "out of order or twice"),
        ([2, 1, 3], "out of order or twice"),
        ([4, 5, 6], "out of order or twice"),
    ],
)
def test_what_was_not_run_in_one_go_is_named_with_its_cure(counts, words):
    found = fault("01_first.ipynb", executed("a", "b", "c", counts=counts))
    assert found.startswith("01_first.ipynb") and words in found and "Run All" in found and "git checkout --" in found


def test_edited_code_and_errors_are_named():
    notebook = executed("a", "b")
    notebook.cells[1].source = "my answer"
    assert "not the course's own" in fault("01.ipynb", notebook)
    notebook = executed("a")
    notebook.cells[0].outputs = [nbformat.v4.new_output("error", ename="E", evalue="e", traceback=[])]
    assert "ended in an error" in fault("01.ipynb", notebook)


def test_what_is_no_notebook_is_named(tmp_path):
    (tmp_path / "01.ipynb").write_text("{")
    with pytest.raises(LessonError, match="cannot be read as a notebook"):
        fault(tmp_path / "01.ipynb")


def test_the_cure_names_the_file_as_git_does():
    path = REPOSITORY / "notebooks" / "solutions" / "01_solutions.ipynb"
    assert "-- notebooks/solutions/01_solutions.ipynb" in fault(path, executed("a", counts=[2]))
