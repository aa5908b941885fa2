"""The pictures of README.md and lesson 00: the map is drawn, and shown with the credit that its photos need."""

import matplotlib.pyplot as plt
import nbformat

from glcic_lite.course.shared.pictures import LESSONS, PHOTOS, draw_course_map
from glcic_lite.course.shared.samples import credit
from glcic_lite.files import NOTEBOOKS


def test_the_map_has_a_panel_for_each_lesson():
    figure = draw_course_map()
    assert [ax.get_title(loc="left")[4:] for ax in figure.axes] == list(LESSONS)
    assert len(LESSONS) == len(list(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")))
    plt.close(figure)


def test_the_map_stands_in_lesson_00_with_its_credit():
    cells = nbformat.read(NOTEBOOKS / "00_complete_a_photo.ipynb", as_version=4).cells
    (cell,) = [cell for cell in cells if "(pictures/map.jpg)" in cell.source]
    assert f"*{credit(*PHOTOS)}*" in cell.source
