"""The mask canvas in a real JupyterLab: what is drawn there equals what strokes.py draws, to the pixel."""

import time
from pathlib import Path

import numpy as np
import pytest

from glcic_lite.mask_canvas.strokes import draw_rectangle, draw_stroke, grow, shrink

pytest_plugins = ["jupyterlab_driver"]
pytestmark = pytest.mark.browser

WIDTH, HEIGHT, BRUSH = 640, 480, 9
CELL = f"""
from glcic_lite.mask_canvas import MaskCanvas
from PIL import Image
canvas = MaskCanvas(Image.radial_gradient("L").resize(({WIDTH}, {HEIGHT})), brush_size={BRUSH})
canvas
"""


class CanvasPage:
    """A canvas in an open notebook, under the name `canvas` in its kernel. Positions are pixels of the mask."""

    def __init__(self, notebook, folder, size=(WIDTH, HEIGHT)):
        self.notebook, self.page, self.folder = notebook, notebook.page, folder
        self.width, self.height = size
        self.stage = self.page.locator(".mask-canvas .stage").first
        self.stage.wait_for()
        self.strokes = self.completed_strokes()

    def completed_strokes(self):
        return int(self.notebook.execute("print(canvas.completed_strokes)"))

    def position(self, point):
        """A whole position in the window that lies on a pixel of the mask, and the pixel that it lies on."""
        box = self.stage.evaluate("stage => stage.getBoundingClientRect().toJSON()")
        x = round(box["left"] + (point[0] + 0.5) * box["width"] / self.width)
        y = round(box["top"] + (point[1] + 0.5) * box["height"] / self.height)
        pixel_x = int((x - box["left"]) * self.width // box["width"])
        pixel_y = int((y - box["top"]) * self.height // box["height"])
        return (x, y), (pixel_x, pixel_y)

    def drag(self, points):
        """Draw with the mouse. Returns the pixels that it really went through."""
        positions, pixels = zip(*map(self.position, points), strict=True)
        self.page.mouse.move(*positions[0])
        self.page.mouse.down()
        for position in positions[1:]:
            self.page.mouse.move(*position)
        self.page.mouse.up()
        return list(pixels)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def click(self, label):
        self.page.locator(".mask-canvas").first.get_by_role("button", name=label, exact=True).click()

    def mask(self, new_strokes=1):
        """The mask in Python, once that many further strokes have arrived there."""
        self.strokes += new_strokes
        end = time.monotonic() + 60
        while self.completed_strokes() < self.strokes:
            assert time.monotonic() < end, f"stroke {self.strokes} did not arrive"
        assert self.completed_strokes() == self.strokes
        file = self.folder / "mask.npy"
        self.notebook.execute(f"import numpy; numpy.save({str(file)!r}, canvas.mask)")
        return np.load(file)

    def ink(self, view=0):
        """Where the browser shows ink: bool (H, W)."""
        opacity = (
            self.page.locator(".mask-canvas canvas")
            .nth(view)
            .evaluate(
                """canvas => {
                const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                return data.filter((_, index) => index % 4 === 3).join();
            }"""
            )
        )
        return np.fromstring(opacity, dtype=np.uint8, sep=",").reshape(self.height, self.width) > 0


@pytest.fixture(scope="module")
def shared_canvas(jupyterlab):
    notebook = jupyterlab.open([CELL], "canvas.ipynb")
    notebook.run_all()
    yield CanvasPage(notebook, jupyterlab.folder)
    notebook.close()


@pytest.fixture
def canvas(shared_canvas):
    """The canvas without a hole, at zoom 1, with a brush of 9 pixels."""
    shared_canvas.notebook.execute(f"canvas.photo = canvas.photo; canvas.brush_size = {BRUSH}")
    shared_canvas.stage.focus()
    shared_canvas.press("Escape", "b", "0")
    shared_canvas.page.wait_for_function(
        "document.querySelector('.mask-canvas [role=status]').textContent.startsWith('No hole')"
    )
    shared_canvas.strokes = shared_canvas.completed_strokes()
    return shared_canvas


def empty(width=WIDTH, height=HEIGHT):
    return np.zeros((height, width), dtype=bool)


def zigzag(count=50):
    return [(40 + 11 * step, 240 + (step * 67) % 190 - 95) for step in range(count)]


def test_a_stroke_equals_numpys_pixel_by_pixel(canvas):
    expected = empty()
    draw_stroke(expected, canvas.drag([*zigzag(), (700, 300), (600, -20), (300, 100)]), BRUSH)  # leaves the photo
    assert np.array_equal(canvas.ink(), expected)
    assert np.array_equal(canvas.mask(), expected)
    draw_stroke(expected, canvas.drag([(20, 20)]), BRUSH)  # a single click
    assert np.array_equal(canvas.mask(), expected)


def test_all_tools_equal_numpys(canvas):
    expected = empty()
    states = [expected.copy()]

    def done(action):
        assert np.array_equal(canvas.mask(), expected), action
        states.append(expected.copy())

    draw_stroke(expected, canvas.drag([(100, 100), (300, 200), (200, 300)]), BRUSH)
    done("brush")
    canvas.click("Rectangle")
    draw_rectangle(expected, *canvas.drag([(400, 300), (500, 350), (350, 200)])[::2])
    done("rectangle")
    canvas.click("Eraser")
    draw_stroke(expected, canvas.drag([(150, 100), (420, 260)]), BRUSH, erase=True)
    done("eraser")
    canvas.click("Grow the hole")
    expected = grow(expected, 3)
    done("grow")
    canvas.click("Shrink the hole")
    expected = shrink(expected, 3)
    done("shrink")
    canvas.click("Invert")
    expected = ~expected
    done("invert")
    canvas.click("Clear")
    expected = empty()
    done("clear")
    for state in states[-2::-1]:
        canvas.click("Undo")
        assert np.array_equal(canvas.mask(), state)
    assert canvas.page.get_by_role("button", name="Undo").get_attribute("aria-disabled") == "true"
    for state in states[1:4]:
        canvas.press("Control+Shift+z")
        assert np.array_equal(canvas.mask(), state)
    canvas.press("Control+z", "r")
    expected = states[2]
    draw_rectangle(expected, *canvas.drag([(10, 10), (30, 40)]))
    assert np.array_equal(canvas.mask(2), expected)
    canvas.press("y")  # nothing to redo after something new
    assert np.array_equal(canvas.mask(0), expected)


def test_drawing_while_zoomed_and_panned(canvas):
    canvas.press("+", "+", "+", "m")
    canvas.drag([(320, 240), (380, 280)])  # moves the photo, draws nothing
    canvas.press("b", "]", "]")
    size = int(canvas.page.locator(".mask-canvas output").inner_text().split()[0])
    assert size > BRUSH
    expected = empty()
    draw_stroke(expected, canvas.drag([(260, 180), (300, 230), (340, 200)]), size)
    assert np.array_equal(canvas.mask(), expected)


def test_ink_appears_while_the_kernel_is_busy(canvas):
    end_of_work = canvas.folder / "end of work"
    work = f"import pathlib, time\nwhile not pathlib.Path({str(end_of_work)!r}).exists(): time.sleep(0.05)"
    canvas.notebook.execute(work, wait=False)
    canvas.page.wait_for_function("jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'")
    expected = empty()
    for points in ([(100, 100), (200, 200)], [(300, 100), (400, 200)], [(500, 100), (600, 200)]):
        draw_stroke(expected, canvas.drag(points), BRUSH)
    assert np.array_equal(canvas.ink(), expected)
    assert canvas.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.status") == "busy"
    end_of_work.touch()
    assert np.array_equal(canvas.mask(3), expected)


def test_keyboard_alone_draws(canvas):
    canvas.stage.focus()
    canvas.press("Shift+ArrowLeft")
    status = canvas.page.locator(".mask-canvas [role=status]").first.inner_text()
    start = tuple(map(int, status.removeprefix("Brush at ").split(", ")))
    canvas.press("Space", *["ArrowRight"] * 5, "Shift+ArrowDown", "Space")
    expected = empty()
    draw_stroke(expected, [start, (start[0] + 15, start[1]), (start[0] + 15, start[1] + 1)], BRUSH)
    assert np.array_equal(canvas.mask(), expected)
    canvas.press("r", "Enter", "ArrowUp", "ArrowLeft", "Escape")  # given up
    canvas.press("Enter", "ArrowUp", "ArrowUp", "Enter")
    x, y = start[0] + 15 - 3, start[1] + 1 - 3
    draw_rectangle(expected, (x, y), (x, y - 6))
    assert np.array_equal(canvas.mask(), expected)
    canvas.press("Delete")
    assert not canvas.mask().any()


def test_a_stroke_is_given_up_while_the_button_is_down(canvas):
    keep = canvas.drag([(60, 60), (90, 60)])
    expected = empty()
    draw_stroke(expected, keep, BRUSH)
    assert np.array_equal(canvas.mask(), expected)
    canvas.press("0", "=", "=")  # zoomed, where a pointer without a stroke would move the photo
    for keys in (["Escape"], ["Control+z"], ["Control+y", "y", "Escape"]):
        view = canvas.page.locator(".mask-canvas .viewport").first
        positions = [canvas.position(point)[0] for point in [(300, 220), (330, 240), (350, 260)]]
        canvas.page.mouse.move(*positions[0])
        canvas.page.mouse.down()
        canvas.page.mouse.move(*positions[1])
        drawn = canvas.ink()
        assert drawn.sum() > expected.sum()
        canvas.press(*keys[:-1])
        assert np.array_equal(canvas.ink(), drawn), "a stroke under way has nothing after it"
        canvas.press(keys[-1])
        assert np.array_equal(canvas.ink(), expected)
        before = view.evaluate("view => [view.scrollLeft, view.scrollTop]")
        canvas.page.mouse.move(*positions[2])  # the button is still down, and neither draws nor moves the photo
        assert view.evaluate("view => [view.scrollLeft, view.scrollTop]") == before
        canvas.page.mouse.up()
        assert np.array_equal(canvas.ink(), expected)
    canvas.press("0")
    draw_stroke(expected, canvas.drag([(300, 300), (330, 330)]), BRUSH)
    assert np.array_equal(canvas.mask(), expected), "nothing that was given up has been sent"


def test_a_stroke_may_begin_and_end_beside_the_photo(canvas):
    around = canvas.page.locator(".mask-canvas .surround").first.bounding_box()
    inside = [canvas.position(point) for point in [(20, 100), (5, 200)]]
    canvas.page.mouse.move(around["x"] + 3, inside[0][0][1])
    canvas.page.mouse.down()
    for position, _ in inside:
        canvas.page.mouse.move(*position)
    canvas.page.mouse.move(around["x"] + 3, inside[1][0][1])
    canvas.page.mouse.up()
    drawn = canvas.mask()
    outside = canvas.stage.evaluate("(stage, x) => (x - stage.getBoundingClientRect().left)", around["x"] + 3)
    assert outside < 0, "the pointer was beside the photo"
    assert drawn[inside[0][1][1], 0] and drawn[inside[1][1][1], 0], "the ink runs over the photo's border"
    assert np.array_equal(canvas.ink(), drawn)
    assert canvas.page.evaluate("document.activeElement.className") == "stage"


def test_shift_draws_straight_lines(canvas):
    (start, begin), (turn, _), (end, last) = (canvas.position(point) for point in [(60, 60), (300, 90), (200, 300)])
    canvas.page.mouse.move(*start)
    canvas.page.keyboard.down("Shift")
    canvas.page.mouse.down()
    canvas.page.mouse.move(*turn, steps=9)
    canvas.page.mouse.move(*end, steps=9)
    canvas.page.mouse.up()
    expected = empty()
    draw_stroke(expected, [begin, last], BRUSH)
    assert np.array_equal(canvas.mask(), expected), "of the way there nothing is left"
    (position, point) = canvas.position((500, 400))
    canvas.page.mouse.click(*position)
    canvas.page.keyboard.up("Shift")
    draw_stroke(expected, [last, point], BRUSH)
    assert np.array_equal(canvas.mask(), expected), "a click with Shift goes on from where the last line ended"
    canvas.page.mouse.click(*canvas.position((60, 400))[0])
    draw_stroke(expected, [canvas.position((60, 400))[1]], BRUSH)
    assert np.array_equal(canvas.mask(), expected)


def test_a_steady_hand_leaves_out_the_tremor(canvas):
    random = np.random.default_rng(0)
    shaky = [(80 + 4 * step, 240 + int(random.integers(-5, 6))) for step in range(110)]
    height = {}
    for steady in (False, True):
        canvas.press("Delete")
        canvas.strokes = canvas.completed_strokes()
        if steady:
            canvas.click("Steady hand")
        canvas.drag(shaky)
        drawn = canvas.mask()
        assert np.array_equal(canvas.ink(), drawn)
        middle = drawn[:, 160:400]
        top = middle.argmax(axis=0)
        height[steady] = top.std()
    canvas.press("h")
    assert canvas.page.get_by_role("button", name="Steady hand").get_attribute("aria-pressed") == "false"
    assert height[True] < 0.65 * height[False]


def test_alt_and_the_wheel_change_the_brush(canvas):
    canvas.page.mouse.move(*canvas.position((300, 200))[0])
    canvas.page.keyboard.down("Alt")
    for turn, grows in ((-100, True), (100, False)):
        before = int(canvas.page.locator(".mask-canvas output").inner_text().split()[0])
        canvas.page.mouse.wheel(0, turn)
        sign = ">" if grows else "<"
        canvas.page.wait_for_function(
            f"parseInt(document.querySelector('.mask-canvas output').textContent) {sign} {before}"
        )
    canvas.page.keyboard.up("Alt")
    assert canvas.stage.bounding_box()["width"] == pytest.approx(WIDTH, abs=20), "the photo is not zoomed"


def test_a_mask_set_by_python_ends_the_stroke_under_way(canvas):
    positions = [canvas.position(point)[0] for point in [(100, 100), (150, 100), (300, 100)]]
    canvas.page.mouse.move(*positions[0])
    canvas.page.mouse.down()
    canvas.page.mouse.move(*positions[1])
    canvas.notebook.execute("mask = canvas.mask; mask[300:320, 400:440] = True; canvas.mask = mask")
    expected = empty()
    expected[300:320, 400:440] = True
    canvas.page.wait_for_function(
        "document.querySelector('.mask-canvas [role=status]').textContent.startsWith('Hole: 0.3')"
    )
    canvas.page.mouse.move(*positions[2])
    canvas.page.mouse.up()
    assert np.array_equal(canvas.ink(), expected)
    draw_stroke(expected, canvas.drag([(60, 60), (90, 60)]), BRUSH)
    assert np.array_equal(canvas.mask(), expected)


def test_finger_and_pen(canvas):
    browser = canvas.page.context.new_cdp_session(canvas.page)

    def touch(kind, *points):
        browser.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]},
        )

    def draw_with_pen(positions):
        for kind, (x, y) in zip(["mousePressed", "mouseMoved", "mouseReleased"], positions, strict=True):
            pen = {"pointerType": "pen", "button": "left", "buttons": int(kind != "mouseReleased"), "clickCount": 1}
            browser.send("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "force": 0.5, **pen})

    expected = empty()
    positions, pixels = zip(*map(canvas.position, [(100, 100), (150, 180), (300, 120)]), strict=True)
    touch("touchStart", positions[0])
    for position in positions[1:]:
        touch("touchMove", position)
    touch("touchEnd")
    draw_stroke(expected, pixels, BRUSH)
    assert np.array_equal(canvas.mask(), expected)

    # Two fingers zoom; neither leaves ink, and no line joins them.
    positions = [canvas.position(point)[0] for point in [(200, 240), (400, 240), (160, 240), (480, 240)]]
    width = canvas.stage.bounding_box()["width"]
    touch("touchStart", positions[0])
    touch("touchStart", *positions[:2])
    touch("touchMove", *positions[2:])
    touch("touchEnd", positions[2])
    touch("touchMove", positions[0])
    touch("touchEnd")
    assert canvas.stage.bounding_box()["width"] > 1.4 * width
    assert np.array_equal(canvas.ink(), expected)

    canvas.press("0")
    positions, pixels = zip(*map(canvas.position, [(300, 300), (350, 380), (500, 320)]), strict=True)
    draw_with_pen(positions)
    draw_stroke(expected, pixels[:2], BRUSH)
    assert np.array_equal(canvas.mask(), expected)

    # The palm lies down before the pen draws: its dot goes, and the line of the pen stays when the palm is lifted.
    positions, pixels = zip(*map(canvas.position, [(100, 350), (250, 330), (320, 300)]), strict=True)
    touch("touchStart", positions[0])
    draw_with_pen([*positions[1:], positions[2]])
    touch("touchEnd")
    draw_stroke(expected, pixels[1:], BRUSH)
    assert np.array_equal(canvas.mask(), expected)


def test_keys_stay_with_the_canvas_except_those_with_ctrl(canvas):
    count = "jupyterapp.shell.currentWidget.content.widgets.length"
    for target in (canvas.stage, canvas.page.get_by_role("button", name="Invert")):
        target.focus()
        canvas.press("x", "a", "j")  # JupyterLab: cut the cell, insert one above, select the next
        assert canvas.page.evaluate(count) == 1
    dirty = "jupyterapp.shell.currentWidget.context.model.dirty"
    assert canvas.page.evaluate(dirty)
    canvas.press("Control+s")
    canvas.page.wait_for_function(f"!{dirty}")


def test_an_error_in_a_callback_is_shown(canvas):
    error = canvas.page.locator(".mask-canvas .error")
    canvas.notebook.execute("def fail(canvas): raise ValueError('holes please')\ncanvas.on_stroke(fail)")
    canvas.drag([(100, 100), (120, 100)])
    error.wait_for()
    assert error.locator("summary").inner_text() == "ValueError: holes please"
    assert "Traceback" in error.locator("pre").text_content()
    canvas.notebook.execute("canvas.on_stroke(fail, remove=True)")
    canvas.drag([(200, 100), (220, 100)])
    error.wait_for(state="hidden")


def test_python_sets_the_mask_and_the_reader_can_undo_it(canvas):
    canvas.notebook.execute("mask = canvas.mask; mask[100:200, 300:400] = True; canvas.mask = mask")
    expected = empty()
    expected[100:200, 300:400] = True
    canvas.page.locator("[aria-label=Undo][aria-disabled=false]").wait_for()
    assert np.array_equal(canvas.ink(), expected)
    canvas.click("Undo")
    assert not canvas.mask().any()


def reload(canvas):
    """Reload the page until the canvas is there.

    ipywidgets gives a model two seconds to be restored. On a busy machine that is too short, it says "model not found"
    for good, and the reader has to reload again.
    """
    for _ in range(4):
        canvas.notebook.reload()
        canvas.page.locator(".mask-canvas .stage, :text('model not found')").first.wait_for()
        if canvas.stage.is_visible():
            return


def test_reload_second_view_and_reopening_without_its_kernel(jupyterlab):
    notebook = jupyterlab.open([CELL, "canvas"], "views.ipynb")
    notebook.run_all()
    canvas = CanvasPage(notebook, jupyterlab.folder)
    notebook.page.locator(".mask-canvas .stage").nth(1).wait_for()
    canvas.stage.scroll_into_view_if_needed()
    expected = empty()
    draw_stroke(expected, canvas.drag(zigzag(20)), BRUSH)
    assert np.array_equal(canvas.mask(), expected)
    assert np.array_equal(canvas.ink(view=1), expected)

    notebook.save()
    reload(canvas)
    assert np.array_equal(canvas.ink(), expected)
    assert notebook.page.locator(".mask-canvas .note").first.is_hidden()
    canvas.stage.scroll_into_view_if_needed()
    draw_stroke(expected, canvas.drag([(50, 50), (90, 90)]), BRUSH)
    assert np.array_equal(canvas.mask(), expected)

    notebook.save()
    notebook.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    notebook.execute("pass")  # a new kernel, which knows nothing of the canvas, is up
    reload(canvas)
    notebook.page.locator(".mask-canvas .note").first.wait_for()
    assert np.array_equal(canvas.ink(), expected)
    assert notebook.page.locator(".mask-canvas img").first.evaluate("photo => photo.naturalWidth") == WIDTH
    notebook.close()


def test_24_megapixels(canvas):
    canvas.notebook.execute("canvas.photo = canvas.photo.resize((6000, 4000))")
    try:
        canvas.page.wait_for_function("document.querySelector('.mask-canvas .ink').width === 1600")
        large = CanvasPage(canvas.notebook, canvas.folder, size=(1600, 1067))
        small = empty(1600, 1067)
        draw_stroke(small, large.drag([(100, 100), (800, 600), (1500, 300)]), BRUSH)
        mask = large.mask()
        assert mask.shape == (4000, 6000)
        rows, columns = np.arange(4000) * 1067 // 4000, np.arange(6000) * 1600 // 6000
        assert np.array_equal(mask, small[rows][:, columns])
    finally:
        canvas.notebook.execute(f"canvas.photo = canvas.photo.resize(({WIDTH}, {HEIGHT}))")


@pytest.mark.parametrize("theme", ["Dark", "Light"])  # light at the end, as it was
def test_axe_finds_nothing(canvas, theme):
    """Names, roles and contrast, looked at by axe-core; that it looks is tested with the studio."""
    page, notebook = canvas.page, canvas.notebook
    notebook.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", f"JupyterLab {theme}")
    page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(theme == 'Light').lower()}'")
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=Path(__file__).parent / "axe" / "axe.min.js")
    canvas.drag([(100, 100), (200, 200)])
    run = """async () => (await axe.run('.mask-canvas', {resultTypes: ['violations']})).violations
        .map(({id, nodes}) => `${id}: ${nodes.map((node) => node.html.slice(0, 120))}`)"""
    assert notebook.evaluate(run) == []
