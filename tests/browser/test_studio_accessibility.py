"""The studio and the canvas, looked at by axe-core in the browser: names, roles and contrast, light and dark."""

from pathlib import Path

import pytest

from jupyterlab_driver import JupyterLab, find_chromium

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


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_nothing(theme):
    pytest.importorskip("playwright")
    if find_chromium() is None:
        pytest.skip("no Chromium is installed, so nothing can be tried in a browser")
    with JupyterLab(theme=f"JupyterLab {theme}") as lab:
        notebook = lab.open([CELL])
        notebook.run_all()
        page = notebook.page
        page.locator(".studio .after").wait_for()
        page.add_script_tag(path=AXE)
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
        page.locator(".studio .saver").evaluate("button => button.textContent = ''")
        assert "button-name" in str(notebook.evaluate(RUN, ".studio"))
        notebook.close()
