"""The deck for a single lecture: its length, its timetable, and how it is made of tagged cells."""

import re

import nbformat
import pytest
from bs4 import BeautifulSoup

from glcic_lite.course.slides.decks import lessons_of_the_course
from glcic_lite.course.slides.executed import LessonError
from glcic_lite.course.slides.lecture import MINUTES, QUESTIONS, TAG, build_lecture, lecture
from glcic_lite.files import NOTEBOOKS


@pytest.fixture(scope="module")
def page():
    return BeautifulSoup(lecture(lessons_of_the_course()), "html.parser")


def test_it_has_the_length_of_a_lecture(page):
    slides = page.select(".slides .page")
    assert 40 <= len(slides) <= 50
    assert sum(MINUTES.values()) + QUESTIONS == 90
    assert all(slide.get_text(strip=True) or slide.img for slide in slides)


def test_every_lesson_has_its_column_and_its_minutes(page):
    columns = page.select(".slides > section")
    assert len(columns) == len(MINUTES) + 2, "a title and the questions"
    notes = [column.select_one(".notes p").get_text() for column in columns[1:-1]]
    begins = [sum(list(MINUTES.values())[:n]) for n in range(len(MINUTES) + 1)]
    assert notes == [
        f"Lesson {lesson}: minutes {begins[n]} to {begins[n + 1]}." for n, lesson in enumerate(sorted(MINUTES))
    ]


def test_no_link_leads_to_a_deck_that_may_not_be_there(page):
    assert not page.select(".slides a[href*='.html']")


def test_the_lecturers_page_has_the_same_timetable():
    text = (NOTEBOOKS / "LECTURERS.md").read_text(encoding="utf-8")
    table = text.split("## 90 minutes")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (\d\d)\b", table, re.MULTILINE)
    assert {lesson: int(minutes) for minutes, lesson in rows} == MINUTES


def lesson(path, counts=(1, 2)):
    def code(source, kind, tags=()):
        cell = nbformat.v4.new_code_cell(source, metadata={"slideshow": {"slide_type": kind}, "tags": list(tags)})
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"{source} is run\n")]
        return cell

    def text(source, kind, tags=()):
        return nbformat.v4.new_markdown_cell(source, metadata={"slideshow": {"slide_type": kind}, "tags": list(tags)})

    cells = [
        text("# 01 · Title", "slide"),
        text("## 3 · Not the first\n\n[further](02_more.ipynb)", "slide", [TAG]),
        code("one", "-", [TAG]),
        text("left out", "subslide"),
        code("two", "-", [TAG]),
    ]
    for cell, count in zip([cells[2], cells[4]], counts, strict=True):
        cell.execution_count = count
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_tagged_cells_alone_are_on_it(tmp_path):
    page = BeautifulSoup(lecture([lesson(tmp_path / "01_title.ipynb")]), "html.parser")
    slides = [slide.get_text(" ", strip=True) for slide in page.select(".slides .page")][1:-1]
    assert slides == ["Not the first further one is run", "two is run"], "two is not on a slide that is left out"
    assert "01 · Title" in page.select_one(".slides .page").text


def test_a_half_run_lesson_is_named_before_anything_is_written(tmp_path):
    path = lesson(tmp_path / "01_title.ipynb", counts=(1, None))
    with pytest.raises(LessonError, match="01_title.ipynb: 1 of its 2 .*Run All Cells"):
        build_lecture(tmp_path / "slides", [path])
    assert not (tmp_path / "slides").exists()
