"""The canvas's JavaScript without a browser: what node can run of it, and how its modules reach the browser."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from glcic_lite.mask_canvas import MaskCanvas
from glcic_lite.mask_canvas.strokes import draw_rectangle, draw_stroke, encode_runs, grow, shrink
from glcic_lite.mask_canvas.studio import CompletionStudio
from glcic_lite.mask_canvas.widget import BROWSER, linked

FOLDER = Path(__file__).parent / "javascript"
MODULES = sorted(path.name for path in BROWSER.glob("*.js"))
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def run_node(*arguments, text=None):
    done = subprocess.run(["node", *map(str, arguments)], input=text, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_node
def test_the_modules_own_tests():
    run_node("--test", FOLDER / "modules.test.mjs")


@needs_node
@pytest.mark.parametrize("name", MODULES)
def test_every_module_can_be_read(name):
    run_node("--check", BROWSER / name)


@needs_node
def test_all_tools_equal_numpys_pixel_by_pixel():
    random = np.random.default_rng(0)
    drawings, expected = [], []
    for _ in range(60):
        width, height = (int(side) for side in random.integers(1, 70, 2))
        mask, steps = np.zeros((height, width), dtype=bool), []
        for tool in random.choice(["stroke", "stroke", "rectangle", "grow", "shrink", "invert"], 6):
            points = random.integers(-20, 90, (int(random.integers(1, 6)) if tool == "stroke" else 2, 2)).tolist()
            size, pixels, erase = 2 * int(random.integers(0, 9)) + 1, int(random.integers(1, 6)), random.random() < 0.3
            steps.append({"tool": tool, "points": points, "size": size, "pixels": pixels, "erase": bool(erase)})
            match tool:
                case "stroke":
                    draw_stroke(mask, points, size, erase)
                case "rectangle":
                    draw_rectangle(mask, *points, erase)
                case "grow":
                    mask = grow(mask, pixels)
                case "shrink":
                    mask = shrink(mask, pixels)
                case "invert":
                    mask = ~mask
        drawings.append({"width": width, "height": height, "steps": steps})
        expected.append(encode_runs(mask))
    assert json.loads(run_node(FOLDER / "draw.mjs", text=json.dumps(drawings))) == expected


@pytest.mark.parametrize(("widget", "entry"), [(MaskCanvas, "canvas.js"), (CompletionStudio, "studio.js")])
def test_a_widget_brings_along_every_module_it_imports(widget, entry):
    text = widget._esm if isinstance(widget._esm, str) else str(widget._esm)
    assert text == linked(entry)
    sources = json.loads(re.search(r"^const sources = (.*);$", text, re.M)[1])
    assert list(sources)[-1] == entry, "the last one is what the widget exports"
    for position, (name, source) in enumerate(sources.items()):
        assert source == (BROWSER / name).read_text(encoding="utf-8")
        imported = set(re.findall(r'^import .* from "\./(.*)";$', source, re.M))
        assert imported <= set(list(sources)[:position]), f"{name} comes after what it imports"
        assert len(imported) == len(re.findall(r"^import\b", source, re.M)), f"{name}: imports stand on one line each"
    assert "export default" in sources[entry]
    if entry == "studio.js":
        assert sorted(sources) == MODULES, "no module is left over"
