"""A stack of convolutions in one dimension: from one output pixel down to every input pixel that it depends on."""

import ipywidgets as widgets
import numpy as np

from glcic_lite.course.shared.explorers import Explorer, Scene, words
from glcic_lite.course.shared.figures import HIGHLIGHT, INPUT, OUTPUT, QUIET, WEIGHT
from glcic_lite.course.shared.sketch import INK, Sketch, legend, tint

WIDTH, HEIGHT = 940, 400
DILATIONS = (1, 2, 3, 4, 6, 8, 9, 12, 16, 27)
PRESETS = {
    "your own": (),  # None would show an empty menu
    "1, 1, 1, 1: no dilation": (1, 1, 1, 1),
    "2, 4, 8, 16: the paper's": (2, 4, 8, 16),
    "4, 4, 4, 4: always the same": (4, 4, 4, 4),
    "1, 2, 4, 8": (1, 2, 4, 8),
}


def paths(dilations: tuple[int, ...]) -> list[np.ndarray]:
    """In how many ways one output pixel reaches each pixel of each layer, through 3-tap convolutions of stride 1.

    Args:
        dilations: from the first layer (nearest the input) to the last.

    Returns:
        One array for each level, from the input to the output; entry [reach + x] belongs to the pixel at offset x,
        where reach is the sum of all dilations.
    """
    reach = sum(dilations)
    levels = [np.zeros(2 * reach + 1, dtype=np.int64)]
    levels[0][reach] = 1
    for dilation in reversed(dilations):
        above = levels[0]
        below = above.copy()
        below[dilation:] += above[:-dilation]
        below[:-dilation] += above[dilation:]
        levels.insert(0, below)
    return levels


class StackExplorer(Explorer):
    """Four layers of three taps each; a slider for the dilation of each layer."""

    words_height = 84

    def controls(self):
        controls = {"preset": widgets.Dropdown(options=PRESETS, description="preset", value=())}
        controls["preset"].layout.width = "300px"
        for layer in (1, 2, 3, 4):
            controls[f"layer_{layer}"] = widgets.SelectionSlider(
                options=DILATIONS,
                value=1,
                description=f"layer {layer}",
                layout=widgets.Layout(width="290px"),
            )
        self._shown_preset = ()
        return controls

    def adapt(self):
        preset = self._controls["preset"].value
        if preset and preset != self._shown_preset:  # the preset moves the sliders
            for layer, dilation in enumerate(preset, 1):
                self._controls[f"layer_{layer}"].value = dilation
        chosen = tuple(self._controls[f"layer_{layer}"].value for layer in (1, 2, 3, 4))
        if chosen != self._controls["preset"].value:  # a slider has left the preset
            self._controls["preset"].value = ()
        self._shown_preset = self._controls["preset"].value

    def scene(self, preset, layer_1, layer_2, layer_3, layer_4):
        dilations = (layer_1, layer_2, layer_3, layer_4)
        levels = paths(dilations)
        field, touched = len(levels[0]), int((levels[0] > 0).sum())
        gaps = field - touched
        sizes = " + ".join(f"2·{dilation}" for dilation in dilations)
        seen = (
            f"It reads all <b>{touched}</b> of them: no gaps."
            if not gaps
            else f"It reads <b>{touched}</b> of them; {gaps} pixels inside its field never reach it: <b>gaps</b>."
        )
        return Scene(
            _draw_stack(dilations, levels),
            words(
                f"Field = 1 + {sizes} = <b>{field}</b> pixels wide, with 4 × 3 = 12 weights. {seen}",
                f"The middle input reaches the output along {_paths(levels[0][field // 2])}, "
                f"the outermost along {_paths(levels[0][0])}.",
            ),
        )


def _paths(number: int) -> str:
    return f"{number} path" + ("" if number == 1 else "s")


def _draw_stack(dilations: tuple[int, ...], levels: list[np.ndarray]) -> Sketch:
    sketch = Sketch(WIDTH, HEIGHT)
    count = len(levels[0])
    left, room = 100, WIDTH - 120
    cell = min(26.0, room / count)
    start = left + (room - cell * count) / 2
    height = min(cell, 18.0) if cell > 9 else 11
    rows = [HEIGHT - 76 - level * 70 for level in range(5)]  # the input at the bottom, the output on top
    for level in range(4, 0, -1):  # taps first, cells over them
        dilation = dilations[level - 1]
        for x in np.flatnonzero(levels[level]):
            for tap in (-dilation, 0, dilation):
                above, below = start + (x + 0.5) * cell, start + (x + tap + 0.5) * cell
                sketch.line(above, rows[level] + height, below, rows[level - 1], tint(WEIGHT, 0.55), 0.8)
    for level in range(5):
        top = levels[level].max()
        colour = INPUT if level == 0 else OUTPUT if level == 4 else QUIET
        for x, ways in enumerate(levels[level]):
            fill = tint(colour, 0.25 + 0.75 * ways / top) if ways else "white"
            sketch.rectangle(start + x * cell, rows[level], cell, height, fill, tint(QUIET, 0.45), 0.5)
            if level == 0 and not ways and cell > 5:
                side = min(cell, height) - 3
                x_cross, y_cross = start + (x + 0.5) * cell - side / 2, rows[0] + (height - side) / 2
                sketch.cross(x_cross, y_cross, side, tint(QUIET, 0.8))
        name = "input" if level == 0 else "output" if level == 4 else f"layer {level}"
        sketch.text(12, rows[level] + height / 2, name, 13.5, anchor="lm", bold=level in (0, 4))
        if level:
            sketch.text(12, rows[level] + height / 2 + 35, f"dilation {dilations[level - 1]}", 11.5, WEIGHT, "lm")
    y = rows[0] + height + 9
    sketch.line(start, y, start + count * cell, y, HIGHLIGHT, 2)
    for x in (start, start + count * cell):
        sketch.line(x, y - 5, x, y + 5, HIGHLIGHT, 2)
    sketch.text(start + count * cell / 2, y + 14, f"field: {count} pixels", 13.5, INK, bold=True)
    legend(
        sketch,
        HEIGHT - 12,
        [
            ("cell", INPUT, "read along many paths"),
            ("cell", tint(INPUT, 0.3), "along few"),
            ("cross", "white", "inside the field, never read: a gap"),
            ("cell", tint(WEIGHT, 0.55), "line: one tap of a kernel"),
        ],
    )
    return sketch
