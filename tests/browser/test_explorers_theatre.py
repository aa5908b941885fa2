"""The theatre of arithmetic in a real JupyterLab: Play, Step, keys and clicks, and the look of both themes."""

import pytest

pytest_plugins = ["jupyterlab_driver"]
pytestmark = pytest.mark.browser

CELL = """
from glcic_lite.course.shared.theatre import ArithmeticTheatre
theatre = ArithmeticTheatre("strided")
theatre
"""


class Theatre:
    """The theatre in a notebook of its own."""

    def __init__(self, lab):
        self.notebook = lab.open([CELL], "theatre.ipynb")
        self.notebook.run_all()
        self.page = self.notebook.page
        self.cell = self.page.locator(".jp-CodeCell").first
        self.picture = self.cell.locator("svg.picture")
        self.picture.wait_for()

    def press(self, name):
        self.cell.get_by_role("button", name=name, exact=True).click(
            force=True
        )  # at an end "Step" is marked as disabled
        self.page.wait_for_timeout(100)

    def count(self):
        return self.cell.locator(".count").inner_text()

    def texts(self):
        """What is written in the picture and can be seen."""
        return self.picture.evaluate(
            "svg => [...svg.children].filter(c => c.style.opacity === '1').map(c => c.textContent).filter(Boolean)"
        )

    def output(self):
        """The numbers in the output: of all that is right of the kernel, from the top left."""
        return self.picture.evaluate(
            """svg => [...svg.children].filter(c => c.mark.kind === 'text' && c.mark.x > 650 && c.mark.y > 60
                && c.mark.y < 420 && c.mark.bold && !c.mark.hidden).map(c => c.textContent)"""
        )


@pytest.fixture(scope="module")
def shown(jupyterlab):
    theatre = Theatre(jupyterlab)
    yield theatre
    theatre.notebook.close()


@pytest.fixture
def theatre(shown):
    shown.press("stride 2")
    shown.press("Back to the start")
    return shown


def test_step_and_back(theatre):
    assert theatre.count() == "0 / 5"
    theatre.press("Step")
    assert theatre.count() == "1 / 5" and any(" = " in text for text in theatre.texts())
    theatre.press("Step")
    theatre.press("One step back")
    assert theatre.count() == "1 / 5"
    assert theatre.notebook.execute("print(theatre.step)") == "1\n"


def test_play_runs_to_the_end_and_can_be_paused(theatre):
    theatre.cell.locator(".speed").select_option("fast")
    theatre.press("Play")
    theatre.press("Pause")
    paused = theatre.count()
    theatre.page.wait_for_timeout(1200)
    assert theatre.count() == paused != "5 / 5"
    theatre.press("Play")
    theatre.page.wait_for_function("() => document.querySelector('.course-stage .count').textContent === '5 / 5'")
    assert theatre.cell.get_by_role("button", name="Play", exact=True).is_visible()


def test_the_keys_move_it_and_jupyterlab_does_nothing(theatre):
    cells = theatre.page.locator(".jp-Cell").count()
    theatre.press("Step")
    for key, expected in (("ArrowRight", "2"), ("End", "5"), ("ArrowLeft", "4"), ("Home", "0"), ("b", "0"), ("x", "0")):
        theatre.page.keyboard.press(key)
        theatre.page.wait_for_timeout(100)
        assert theatre.count() == f"{expected} / 5", key
    assert theatre.page.locator(".jp-Cell").count() == cells


def test_a_click_on_an_output_pixel_goes_to_the_step_that_computes_it(theatre):
    theatre.picture.locator(".click").nth(2).click()
    theatre.page.wait_for_timeout(100)
    assert theatre.count() == "3 / 5"


def test_after_a_click_into_the_picture_the_keys_are_its_own(theatre):
    theatre.picture.locator(".click").nth(2).click()
    cells = theatre.page.locator(".jp-Cell").count()
    top = theatre.picture.bounding_box()["y"]
    for key, expected in (("ArrowRight", "4"), ("x", "4"), ("ArrowLeft", "3")):
        theatre.page.keyboard.press(key)
        theatre.page.wait_for_timeout(100)
        assert theatre.count() == f"{expected} / 5", key
    assert theatre.page.locator(".jp-Cell").count() == cells and theatre.picture.bounding_box()["y"] == top


def test_both_views_of_the_transposed_convolution_end_in_the_same_numbers(theatre):
    theatre.press("transposed: stamps")
    theatre.page.keyboard.press("End")
    by_stamps = theatre.output()
    theatre.press("transposed: zeros between")
    assert theatre.count() == "26 / 26", "at its end, since the other one was at its end"
    assert len(by_stamps) == 25 and theatre.output() == by_stamps


def test_nothing_jumps_while_it_plays(theatre):
    for name in ("stride 2", "dilation 2", "transposed: stamps", "transposed: zeros between"):
        theatre.press(name)
        theatre.press("Back to the start")
        places = set()
        for _ in range(6):
            places.add(str((theatre.picture.bounding_box(), theatre.cell.evaluate("cell => cell.offsetHeight"))))
            theatre.press("Step")
        assert len(places) == 1


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_the_ground_and_the_ink_follow_the_theme(theatre, theme):
    theatre.notebook.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    theatre.page.wait_for_timeout(1500)
    ink, paper, cell = theatre.picture.evaluate(
        """svg => {
            const fill = (kind, colour) => getComputedStyle([...svg.children].find(
                c => c.mark.kind === kind && c.mark.fill === colour)).fill;
            const numbers = (css) => css.match(/[\\d.]+/g).slice(0, 3).map(Number)
                .map((v) => (css.startsWith('color(') ? v * 255 : v));
            return [fill('text', '#1b1f24'), fill('rectangle', '#009E73/0'), fill('rectangle', '#56B4E9/35')]
                .map(numbers);
        }"""
    )
    dark = theme.endswith("Dark")
    assert (max(paper) < 60) == dark and (min(paper) > 200) == (not dark)
    assert (min(ink) > 200) == dark and (max(ink) < 60) == (not dark)
    assert (max(cell) < 140) == dark, "a pale cell is mixed with the ground"
