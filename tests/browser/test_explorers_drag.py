"""A hole that is dragged, in a real JupyterLab: by the mouse, and by the arrow keys."""

import pytest

pytest_plugins = ["jupyterlab_driver"]
pytestmark = pytest.mark.browser

CELL = """
import numpy as np
from glcic_lite.course.shared.explorers import Explorer, Scene, whole_number, words
from glcic_lite.course.shared.figures import HOLE
from glcic_lite.course.shared.sketch import Sketch

class Box(Explorer):
    dragged = ("left", "top")

    def controls(self):
        return {"side": whole_number("side", 20, 8, 40), "left": whole_number("left", 30, 0, 80),
                "top": whole_number("top", 30, 0, 80)}

    def scene(self, side, left, top):
        sketch = Sketch(900, 450)
        drag = self.draggable("hole", "left", "top", 4)
        sketch.rectangle(left * 4, top * 4, side * 4, side * 4, None, HOLE, 2, drag=drag)
        return Scene(sketch, words(f"{left}, {top}"))

box = Box()
box
"""


@pytest.fixture(scope="module")
def notebook(jupyterlab):
    notebook = jupyterlab.open([CELL], "drag.ipynb")
    notebook.run_all()
    notebook.page.locator("svg.picture .drag").wait_for()
    yield notebook
    notebook.close()


@pytest.fixture
def hole(notebook):
    notebook.execute("box.set(side=20, left=30, top=30)")
    notebook.page.wait_for_timeout(300)
    return notebook.page.locator("svg.picture .drag")


def place(notebook):
    notebook.page.wait_for_timeout(400)
    return notebook.execute("print(box.settings['left'], box.settings['top'])").split()


def drag(notebook, hole, across, down):
    mouse, box = notebook.page.mouse, hole.bounding_box()
    step = 4 * notebook.page.locator("svg.picture").bounding_box()["width"] / 900
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + across * step / 2, y + down * step / 2)
    mouse.move(x + across * step, y + down * step, steps=4)
    mouse.up()


def test_the_hole_follows_the_mouse(notebook, hole):
    drag(notebook, hole, 12, -7)
    assert place(notebook) == ["42", "23"]
    drag(notebook, hole, 3, 3)
    assert place(notebook) == ["45", "26"]


def test_it_stays_in_the_picture(notebook, hole):
    drag(notebook, hole, -60, 10)
    assert place(notebook) == ["0", "40"]


def test_the_arrow_keys_move_it_and_it_keeps_the_focus(notebook, hole):
    hole.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Shift+ArrowUp"):
        notebook.page.keyboard.press(key)
        notebook.page.wait_for_timeout(300)
    assert place(notebook) == ["32", "23"]


def test_it_has_a_name_and_no_sliders_of_its_own(notebook, hole):
    assert hole.get_attribute("aria-label") == "hole"
    assert notebook.page.locator(".jp-CodeCell [role=slider]").count() == 1
