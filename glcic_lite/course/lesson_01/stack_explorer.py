"""A stack of convolutions in one dimension: from one output pixel down to every input pixel that it depends on."""

import ipywidgets as widgets
import numpy as np

from glcic_lite.course.shared.explorers import Explorer, Scene, menu, whole_number, words
from glcic_lite.course.shared.figures import HIGHLIGHT, INPUT, OUTPUT, QUIET, WEIGHT
from glcic_lite.course.shared.sketch import INK, PAPER, Sketch, legend, tint

WIDTH, HEIGHT = 1000, 440
LEFT, RIGHT = 112, 136  # room for the names of the layers, and for their jumps
LOWEST, ROW = 332, 78  # top of the input's row, and from one layer to the next
DILATIONS = (1, 2, 3, 4, 6, 8, 9, 12, 16, 27)
LARGEST_STRIDE = 2
LAYERS = (1, 2, 3, 4)
OWN = "your own"
PRESETS = {  # dilations and strides, from the layer nearest the input
    "1, 1, 1, 1: no dilation": ((1, 1, 1, 1), (1, 1, 1, 1)),
    "2, 4, 8, 16: the paper's": ((2, 4, 8, 16), (1, 1, 1, 1)),
    "4, 4, 4, 4: always the same": ((4, 4, 4, 4), (1, 1, 1, 1)),
    "1, 2, 4, 8": ((1, 2, 4, 8), (1, 1, 1, 1)),
    "strides 1, 2, 1, 2: as in the encoder": ((1, 1, 1, 1), (1, 2, 1, 2)),
}


def paths(dilations: tuple[int, ...], strides: tuple[int, ...] | None = None) -> list[np.ndarray]:
    """In how many ways one output pixel reaches each pixel of each layer, through convolutions of 3 taps.

    Args:
        dilations: from the first layer (nearest the input) to the last.
        strides: likewise; all 1 if left out.

    Returns:
        One array for each level, from the input to the output. Each has an odd length; its middle entry belongs to
        the pixel under the output pixel, the others to its neighbours in that level.
    """
    strides = strides or (1,) * len(dilations)
    levels = [np.ones(1, dtype=np.int64)]
    for dilation, stride in zip(reversed(dilations), reversed(strides), strict=True):
        above = levels[0]
        reach = len(above) // 2 * stride + dilation
        below = np.zeros(2 * reach + 1, dtype=np.int64)
        for tap in (-dilation, 0, dilation):
            first = dilation + tap
            below[first : first + stride * len(above) - stride + 1 : stride] += above
        levels.insert(0, below)
    return levels


def jumps(strides: tuple[int, ...]) -> list[int]:
    """How many input pixels lie between two neighbours of each level, from the input (1) to the output."""
    return np.cumprod((1, *strides)).tolist()


class StackExplorer(Explorer):
    """Four layers of three taps each; sliders for the dilation and the stride of each layer."""

    words_height = 112
    columns = "repeat(auto-fit, minmax(max(200px, 22%), 1fr))"  # the four dilations in a row, the four strides below

    def controls(self):
        controls = {"preset": menu("preset", [OWN, *PRESETS])}
        controls["preset"].layout.grid_area = "auto / 1 / auto / -1"  # a row of its own
        for layer in LAYERS:
            controls[f"dilation_{layer}"] = widgets.SelectionSlider(
                options=DILATIONS, value=1, description=f"dilation {layer}"
            )
        for layer in LAYERS:
            controls[f"stride_{layer}"] = whole_number(f"stride {layer}", 1, 1, LARGEST_STRIDE)
        for name in list(controls)[1:]:
            controls[name].style.description_width = "72px"
        self._shown_preset = OWN
        return controls

    def adapt(self):
        name = self._controls["preset"].value
        sliders = [[self._controls[f"{kind}_{layer}"] for layer in LAYERS] for kind in ("dilation", "stride")]
        if name != OWN and name != self._shown_preset:  # the preset moves the sliders
            for row, values in zip(sliders, PRESETS[name], strict=True):
                for slider, value in zip(row, values, strict=True):
                    slider.value = value
        chosen = tuple(tuple(slider.value for slider in row) for row in sliders)
        if chosen != PRESETS.get(name):  # a slider has left the preset
            self._controls["preset"].value = OWN
        self._shown_preset = self._controls["preset"].value

    def scene(self, preset, **sliders):
        dilations = tuple(sliders[f"dilation_{layer}"] for layer in LAYERS)
        strides = tuple(sliders[f"stride_{layer}"] for layer in LAYERS)
        levels, jump = paths(dilations, strides), jumps(strides)
        field, touched = len(levels[0]), int((levels[0] > 0).sum())
        gaps = field - touched
        steps = " + ".join(f"2·{dilation}·{below}" for dilation, below in zip(dilations, jump, strict=False))
        seen = (
            f"It reads all <b>{touched}</b> of them: no gaps."
            if not gaps
            else f"It reads <b>{touched}</b> of them; {gaps} pixels inside its field never reach it: <b>gaps</b>."
        )
        return Scene(
            _draw_stack(dilations, strides, levels, jump),
            words(
                f"Field = 1 + Σ 2 · dilation · jump of the level below = 1 + {steps} = <b>{field}</b> pixels wide, "
                f"with 4 × 3 = 12 weights. {seen}",
                f"Jump, from the input up: {', '.join(map(str, jump))}. One step to the right in layer 4 is "
                f"<b>{jump[-1]}</b> input pixel{'s' * (jump[-1] > 1)}.",
                f"The middle input reaches the output along {_paths(levels[0][field // 2])}, "
                f"the outermost along {_paths(levels[0][0])}.",
            ),
        )


def _paths(number: int) -> str:
    return f"{number} path" + ("" if number == 1 else "s")


def _draw_stack(dilations, strides, levels: list[np.ndarray], jump: list[int]) -> Sketch:
    sketch = Sketch(WIDTH, HEIGHT)
    room = WIDTH - LEFT - RIGHT
    middle = LEFT + room / 2
    cell = min(26.0, room / max(len(levels[0]), jump[-1] * 3))  # the output's neighbour has to find room, too
    height = min(cell, 18.0) if cell > 9 else 12.0
    tops = [LOWEST - level * ROW for level in range(len(levels))]  # the input at the bottom, the output on top

    def centre(level: int, pixel: int) -> float:
        return middle + (pixel - len(levels[level]) // 2) * jump[level] * cell

    for level in range(1, len(levels)):  # taps first, pixels over them
        dilation, stride = dilations[level - 1], strides[level - 1]
        for pixel in np.flatnonzero(levels[level]).tolist():
            for tap in (0, dilation, 2 * dilation):
                ends = centre(level, pixel), centre(level - 1, pixel * stride + tap)
                sketch.line(ends[0], tops[level] + height, ends[1], tops[level - 1], tint(WEIGHT, 0.75), 0.8)
    for level, (ways, top) in enumerate(zip(levels, tops, strict=True)):
        colour = INPUT if level == 0 else OUTPUT if level == len(levels) - 1 else QUIET
        wide = jump[level] * cell
        for first, after in _runs(ways, wide):
            fill = tint(colour, 0.25 + 0.75 * ways[first] / ways.max()) if ways[first] else PAPER
            edge = tint(QUIET, 0.45) if wide > 2.5 else None
            left = centre(level, first) - wide / 2
            sketch.rectangle(left, top, (after - first) * wide, height, fill, edge, 0.5)
            if level == 0 and not ways[first] and cell > 5:
                side = min(cell, height) - 3
                sketch.cross(centre(0, first) - side / 2, top + (height - side) / 2, side, tint(QUIET, 0.8))
        _draw_jump(sketch, middle, top, height, wide, jump[level], is_output=level == len(levels) - 1)
        name = "input" if level == 0 else "output" if level == len(levels) - 1 else f"layer {level}"
        sketch.text(8, top + height / 2, name, 14.5, anchor="lm", bold=level in (0, len(levels) - 1))
        if level:
            y = top + height / 2 + ROW / 2
            sketch.text(8, y - 8, f"dilation {dilations[level - 1]}", 12.5, QUIET, "lm")
            sketch.text(8, y + 8, f"stride {strides[level - 1]}", 12.5, QUIET, "lm")
    y, half = LOWEST + height + 12, len(levels[0]) * cell / 2
    sketch.line(middle - half, y, middle + half, y, INK, 1.5)
    for x in (middle - half, middle + half):
        sketch.line(x, y - 5, x, y + 5, INK, 1.5)
    sketch.text(middle, y + 17, f"field: {len(levels[0])} pixels", 15, INK, bold=True)
    legend(
        sketch,
        HEIGHT - 14,
        [
            ("cell", INPUT, "read along the most paths of its row"),
            ("cell", tint(INPUT, 0.3), "along fewer"),
            ("cross", PAPER, "never read: a gap"),
            ("cell", tint(WEIGHT, 0.75), "line: one tap of a kernel"),
            ("frame", HIGHLIGHT, "jump: from a pixel to the next"),
        ],
        left=8,
    )
    return sketch


def _runs(ways: np.ndarray, wide: float) -> list[tuple[int, int]]:
    """The pixels one by one, (first, after); where they are too narrow to be told apart, equal neighbours together."""
    pixels = len(ways)
    if wide > 2.5:
        return [(pixel, pixel + 1) for pixel in range(pixels)]
    starts = [0, *(np.flatnonzero(np.diff(ways)) + 1).tolist()]
    return list(zip(starts, [*starts[1:], pixels], strict=True))


def _draw_jump(sketch: Sketch, middle: float, top: float, height: float, wide: float, jump: int, is_output: bool):
    """From the middle pixel of a level to its right neighbour; of the output the neighbour is only sketched."""
    if is_output:
        sketch.dashed_rectangle(middle + wide / 2, top, wide, height, QUIET)
    y = top - 5
    sketch.line(middle, y, middle + wide, y, HIGHLIGHT, 3)
    for x in (middle, middle + wide):
        sketch.line(x, y - 4, x, y + 4, HIGHLIGHT, 2)
    sketch.text(WIDTH - 8, top + height / 2, f"jump {jump}", 14.5, anchor="rm", bold=jump > 1)
