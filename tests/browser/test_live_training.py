"""Stopping a training in a real JupyterLab, while its cell runs, with the toolbar's ■; and going on with it."""

import json

import pytest

pytest_plugins = ["jupyterlab_driver"]
pytestmark = pytest.mark.browser

# A run so long that only a stop can end it in time.
SET_UP = """
import sys, tempfile
from pathlib import Path
import numpy as np
from PIL import Image
from glcic_lite.course.lesson_06.live_training import LiveTraining
from glcic_lite.training import Settings, Trainer

work = Path(tempfile.mkdtemp())
for split in ("train", "val"):
    (work / split).mkdir()
    for i in range(2):
        noise = np.random.default_rng(i).integers(0, 256, (10, 12, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((96, 80)).save(work / split / f"{i}.png")
settings = Settings(width=1 / 16, crop_size=64, local_size=32, short_edge=(64, 80), hole_sides=(12, 16), batch_size=4,
                    phase_1=100_000, optimizer="adam", learning_rate=1e-3)

def live(**options):
    trainer = Trainer(options.pop("settings", None), work / "train", work / "val", work / "run", precision="no",
                      log_every=2, validate_every=10**6, **options)
    return LiveTraining(trainer, crops=(0, 1))
"""
CELLS = [
    SET_UP,
    "first = live(settings=settings)\nfirst.run()",
    "second = live(resume=True)\nsecond.run()",
]


@pytest.fixture(scope="module")
def notebook(jupyterlab):
    notebook = jupyterlab.open(CELLS, "live.ipynb")
    yield notebook
    notebook.close()


def run_cell(notebook, number):
    """Start a cell without waiting for it; the promise of its end is kept in the page."""
    notebook.evaluate(
        """(number) => {
            const panel = jupyterapp.shell.currentWidget;
            panel.content.activeCellIndex = number;
            window.cellDone = false;
            jupyterapp.commands.execute('notebook:run-cell').then(() => { window.cellDone = true; });
        }""",
        number,
    )


def cell(notebook, number):
    return notebook.page.locator(".jp-CodeCell").nth(number)


def wait_for_curves(notebook, number):
    """Until two different pictures have been seen, the second one with a few iterations more."""
    picture = cell(notebook, number).locator(".jp-OutputArea img")
    picture.wait_for()
    first = picture.get_attribute("src")
    notebook.page.wait_for_function(
        """([number, first]) => {
            const image = document.querySelectorAll('.jp-CodeCell')[number].querySelector('.jp-OutputArea img');
            return image && image.src !== first;
        }""",
        arg=[number, first],
    )
    return picture.bounding_box()


def assert_stopped(notebook, number, box):
    notebook.page.wait_for_function("window.cellDone")
    text = cell(notebook, number).locator(".jp-OutputArea").inner_text()
    assert "A checkpoint is written; the run can be resumed." in text
    assert "Traceback" not in text
    after = cell(notebook, number).locator(".jp-OutputArea img").bounding_box()
    assert (after["width"], after["height"]) == (box["width"], box["height"]), "the picture has jumped"


def interrupt(notebook):
    notebook.page.locator(".jp-NotebookPanel-toolbar").get_by_role("button", name="Interrupt the kernel").click()


def test_a_running_training_is_stopped_by_the_toolbar_and_goes_on_in_the_next_cell(notebook):
    run_cell(notebook, 0)
    notebook.page.wait_for_function("window.cellDone")

    run_cell(notebook, 1)
    box = wait_for_curves(notebook, 1)
    interrupt(notebook)
    assert_stopped(notebook, 1, box)
    done = int(notebook.execute("print(first.trainer.progress.iteration)"))
    assert 0 < done < 100_000

    run_cell(notebook, 2)
    box = wait_for_curves(notebook, 2)
    interrupt(notebook)
    assert_stopped(notebook, 2, box)
    iterations = json.loads(
        notebook.execute("print([int(row['iteration']) for row in second.trainer.run.rows('log.csv')])")
    )
    assert iterations == sorted(set(iterations)) and iterations[-1] > done
