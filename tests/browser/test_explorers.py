"""The explorers in a real JupyterLab: the keyboard and the mouse move them, the picture follows, and nothing jumps."""

import json
import time

import pytest

pytest_plugins = ["jupyterlab_driver"]
pytestmark = pytest.mark.browser

MODULES = {
    "ConvolutionExplorer": "lesson_01.convolution_explorer",
    "StackExplorer": "lesson_01.stack_explorer",
    "DownsamplingExplorer": "lesson_02.explorer",
    "TransposedExplorer": "lesson_03.explorer",
}


@pytest.fixture(scope="module")
def notebook(jupyterlab):
    """One notebook with an explorer in each cell, under its class's name in lower case."""
    cells = [
        f"from glcic_lite.course.{module} import {name}\n{name.lower()} = {name}()\n{name.lower()}"
        for name, module in MODULES.items()
    ]
    notebook = jupyterlab.open(cells, "explorers.ipynb")
    notebook.run_all()
    notebook.execute(f"first = {{explorer: explorer.settings for explorer in ({', '.join(MODULES).lower()})}}")
    yield notebook
    notebook.close()


class ExplorerPage:
    """One of the explorers in the notebook."""

    def __init__(self, notebook, name):
        self.notebook, self.variable = notebook, name.lower()
        self.cell = notebook.page.locator(".jp-CodeCell").nth(list(MODULES).index(name))
        self.picture = self.cell.locator("svg.picture")
        self.picture.wait_for()

    def settings(self):
        return self.notebook.execute(f"print({self.variable}.settings)")

    def shown(self):
        """The marks of the picture that the browser is showing; what is written in each is really there."""
        marks, written = self.picture.evaluate(
            "svg => [[...svg.children].map(c => c.mark), [...svg.children].map(c => c.textContent)]"
        )
        assert [mark.get("text", "") for mark in marks] == written
        return marks

    def drawn(self):
        """The marks of the picture that the kernel drew last."""
        frame = f"{self.variable}._stage.scenes[0]['frames'][0]"
        return json.loads(self.notebook.execute(f"import json; print(json.dumps({frame}['sketch']['marks']))"))

    def place(self):
        return self.cell.evaluate("cell => [cell.offsetTop, cell.offsetHeight]"), self.picture.bounding_box()

    def has_changed(self, settings, seconds=10.0):
        """Whether they become others."""
        end = time.monotonic() + seconds
        while self.settings() == settings:
            if time.monotonic() > end:
                return False
        return True

    def wait_for_picture(self):
        """Wait until the browser shows the picture that the kernel drew last, and return its marks."""
        for _ in range(100):
            shown = self.shown()
            if shown == self.drawn():
                return shown
            self.notebook.page.wait_for_timeout(50)
        raise AssertionError("the picture in the browser does not follow the sliders")


@pytest.fixture(params=list(MODULES))
def explorer(notebook, request):
    """As it was at first, whatever the tests before have done to it."""
    explorer = ExplorerPage(notebook, request.param)
    notebook.execute(
        f"if {explorer.variable}.settings != first[{explorer.variable}]:\n"
        f"    for _ in range(2):  # one setting may narrow the range of another\n"
        f"        {explorer.variable}.set(**first[{explorer.variable}])"
    )
    explorer.wait_for_picture()
    explorer.picture.scroll_into_view_if_needed()
    return explorer


def test_the_arrow_keys_move_a_slider_and_the_picture_follows(explorer):
    handle = explorer.cell.get_by_role("slider").first
    settings, picture = explorer.settings(), explorer.shown()
    handle.focus()
    at, top = (int(float(handle.get_attribute(f"aria-value{which}"))) for which in ("now", "max"))
    explorer.notebook.page.keyboard.press("ArrowLeft" if at == top else "ArrowRight")
    assert explorer.has_changed(settings)
    assert explorer.wait_for_picture() != picture


def test_tab_leads_to_every_control_in_order(explorer):
    controls = explorer.cell.locator("[role=slider], select").all()
    number_of = """(element, all) => [...element.closest('.jp-CodeCell').querySelectorAll(all)]
        .indexOf(document.activeElement)"""
    controls[0].focus()
    reached = [0]
    for _ in range(3 * len(controls)):  # a slider's number can be typed, too, and is a stop of its own
        explorer.notebook.page.keyboard.press("Tab")
        at = controls[0].evaluate(number_of, "[role=slider], select")
        if at >= 0 and at != reached[-1]:
            reached.append(at)
    assert reached == list(range(len(controls)))


def test_a_click_moves_a_slider_and_nothing_jumps(explorer):
    explorer.notebook.page.wait_for_timeout(300)  # JupyterLab has settled after the last scrolling
    sliders = explorer.cell.get_by_role("slider")
    before, moved = explorer.place(), 0
    for number in range(sliders.count()):
        settings = explorer.settings()
        track = explorer.cell.locator(".noUi-target").nth(number)
        box = track.bounding_box()
        handle = sliders.nth(number)
        at, low, high = (float(handle.get_attribute(f"aria-value{which}")) for which in ("now", "min", "max"))
        share = 0.1 if at > (low + high) / 2 else 0.9
        explorer.notebook.page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        # Not every slider has room to move in, but a busy browser must not pass for one that has none.
        moved += explorer.has_changed(settings, 0.3 if moved >= 2 else 3)
        explorer.wait_for_picture()
        assert explorer.place() == before, "the picture or what stands below it has moved"
    assert moved >= 2  # some sliders may have no room to move in at the others' settings


def test_a_click_on_a_pixel_chooses_it(explorer):
    pixels = explorer.cell.locator("svg.picture .click")
    if explorer.variable == "stackexplorer":  # its pixels have nothing to say
        assert pixels.count() == 0
        return
    before, last = explorer.settings(), pixels.last
    asked = last.evaluate("element => element.mark.click")
    last.click()
    assert explorer.has_changed(before)
    explorer.wait_for_picture()
    assert f"'position': {asked['position']}" in explorer.settings()


def test_controls_are_as_wide_as_the_picture_at_any_width(explorer):
    page = explorer.notebook.page
    try:
        for width in (700, 1280, 1600):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(400)
            panel = explorer.cell.locator(".widget-gridbox").bounding_box()
            picture = explorer.picture.bounding_box()
            output = explorer.cell.locator(".jp-OutputArea-output").first.bounding_box()
            assert picture["width"] == pytest.approx(panel["width"], abs=1)
            assert picture["x"] == pytest.approx(panel["x"], abs=1)
            assert picture["width"] <= output["width"] + 1, "cut off"
            drawing = explorer.picture.evaluate("svg => svg.viewBox.baseVal.width / svg.viewBox.baseVal.height")
            assert picture["width"] / picture["height"] == pytest.approx(drawing, rel=0.01), "a gap"
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.wait_for_timeout(400)


def test_every_control_has_a_name_for_screen_readers(explorer):
    for control in explorer.cell.locator("[role=slider], select").all():
        name = control.evaluate(
            """(element) => {
                const label = element.getAttribute('aria-label')
                    || element.getAttribute('aria-labelledby')
                    || element.closest('.widget-inline-hbox, .jupyter-widgets')?.querySelector('label')?.textContent;
                return label || '';
            }"""
        )
        assert name.strip(), control.evaluate("element => element.outerHTML")


def test_no_callback_has_failed(notebook, explorer):
    assert (
        notebook.execute("from glcic_lite.course.shared.explorers import callback_errors; print(callback_errors)")
        == "[]\n"
    )
