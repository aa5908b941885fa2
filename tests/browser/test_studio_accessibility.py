"""The studio and the canvas, looked at by axe-core in the browser: names, roles and contrast, light and dark."""

from pathlib import Path

import pytest

pytest_plugins = ["jupyterlab_driver"]
pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "axe" / "axe.min.js"
CELL = """
from glcic_lite.mask_canvas import MaskCanvas, completion_studio
from PIL import Image
studio = completion_studio("nagoya-castle")
studio.load_mask("box")
display(studio, MaskCanvas(Image.new("RGB", (64, 48), "teal")))
assert studio.wait(60)
"""
RUN = """async (part) => {
    const {violations} = await axe.run(part, {resultTypes: ['violations']});
    return violations.map(({id, help, nodes}) => `${id}: ${help}: ${nodes.map((node) => node.html.slice(0, 120))}`);
}"""


@pytest.fixture(scope="module")
def notebook(jupyterlab):
    notebook = jupyterlab.open([CELL], "axe.ipynb")
    notebook.run_all()
    notebook.page.locator(".studio .after").wait_for()
    notebook.page.add_script_tag(path=AXE)
    yield notebook
    notebook.close()


@pytest.mark.parametrize("theme", ["Dark", "Light"])  # light at the end, as it was
def test_axe_finds_nothing(notebook, theme):
    page = notebook.page
    notebook.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", f"JupyterLab {theme}")
    page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(theme == 'Light').lower()}'")
    notebook.execute("studio.view = 'side by side'")
    page.locator(".studio .result").wait_for()
    found = {}
    for name, opener in {"studio": "", "own": ".opener", "saving": ".saver", "keys": "[aria-label=Keys]"}.items():
        if opener:
            page.locator(f".studio {opener}").first.click()
            page.locator(f".studio .{name}").wait_for()
        found[name] = notebook.evaluate(RUN, ".studio")
        page.keyboard.press("Escape")
    page.locator(".studio .other-view").click()
    found["in place"] = notebook.evaluate(RUN, ".studio")
    found["canvas"] = notebook.evaluate(RUN, ".mask-canvas:not(.studio)")
    assert not any(found.values()), found
    # And it does look: a button without a name would be found.
    saver = page.locator(".studio .saver")
    words = saver.inner_text()
    saver.evaluate("button => button.textContent = ''")
    assert "button-name" in str(notebook.evaluate(RUN, ".studio"))
    saver.evaluate("(button, words) => button.textContent = words", words)
