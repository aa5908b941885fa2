"""The studio in Jupyter Notebook 7, which is built from JupyterLab's parts but lays them out by itself."""

import pytest

from jupyterlab_driver import JupyterLab, find_chromium

CELL = """
from glcic_lite.mask_canvas import completion_studio
studio = completion_studio("nagoya-castle")
studio
"""


@pytest.mark.browser
def test_a_stroke_is_completed():
    pytest.importorskip("playwright")
    pytest.importorskip("notebook", reason="Jupyter Notebook 7 is not installed")
    if find_chromium() is None:
        pytest.skip("no Chromium is installed, so nothing can be tried in a browser")
    with JupyterLab(application="notebook") as jupyter:
        notebook = jupyter.open([CELL])
        notebook.run_all()
        page = notebook.page
        box = page.locator(".studio .stage").bounding_box()
        page.mouse.move(box["x"] + 200, box["y"] + 100)
        page.mouse.down()
        page.mouse.move(box["x"] + 260, box["y"] + 150, steps=5)
        page.mouse.up()
        page.locator(".studio .after").wait_for()
        printed = notebook.execute("print(studio.wait(60), studio.completions, bool(studio.hole.any()), studio.error)")
        assert printed.split() == ["True", "1", "True"]
        assert page.locator(".studio .answer .words").inner_text().startswith("Completed")
        # Its keys are looked for before the studio hears of them, and stay away all the same.
        page.keyboard.type("mabxcvddyr1jk")
        assert notebook.evaluate(
            "() => jupyterapp.shell.currentWidget.content.widgets.map((cell) => cell.model.type)"
        ) == ["code"]
        assert page.locator(".studio .stage").is_visible()
        page.keyboard.press("Control+s")  # but those with Ctrl are the notebook's
        page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
        notebook.close()
