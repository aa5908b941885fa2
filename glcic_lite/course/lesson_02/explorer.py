"""Stride and pooling, one output pixel at a time, over a picture that can be shifted."""

import ipywidgets as widgets
import numpy as np
import torch
import torch.nn.functional as F

from glcic_lite.course.shared.explorers import Explorer, Scene, whole_number, words
from glcic_lite.course.shared.figures import HIGHLIGHT, INPUT, OUTPUT, QUIET, WRONG
from glcic_lite.course.shared.sketch import INK, Sketch, legend, tint

WIDTH, HEIGHT = 940, 430
GRID = 372
SIZE = 12
OPERATIONS = ("strided convolution (mean)", "strided convolution (edges)", "max pooling", "average pooling")
PATTERNS = ("a bright dot", "an edge", "fine stripes", "a slope")


def pattern(name: str, shift: int) -> np.ndarray:
    """(SIZE, SIZE) whole numbers from 0 to 9, moved to the right by `shift` pixels."""
    rows, columns = np.indices((SIZE, SIZE))
    columns = columns - shift
    if name == "a bright dot":
        return np.where((rows == 5) & (columns == 5), 9, 1)
    if name == "an edge":
        return np.where(columns >= 5, 8, 1)
    if name == "fine stripes":
        return np.where(columns % 2 == 0, 9, 0)
    return np.clip(columns + rows // 2, 0, 9)


def shrunk(values: np.ndarray, operation: str, window: int, stride: int) -> np.ndarray:
    """The smaller picture, computed by torch."""
    photo = torch.from_numpy(values).double()[None, None]
    if operation == "max pooling":
        return F.max_pool2d(photo, window, stride)[0, 0].numpy()
    if operation == "average pooling":
        return F.avg_pool2d(photo, window, stride)[0, 0].numpy()
    return F.conv2d(photo, torch.from_numpy(weights(operation, window))[None, None], stride=stride)[0, 0].numpy()


def weights(operation: str, window: int) -> np.ndarray:
    """The strided convolution's weights: all equal, or the right half of the window minus the left one."""
    if operation == "strided convolution (mean)":
        return np.full((window, window), 1 / window**2)
    sides = np.sign(np.arange(window) - (window - 1) / 2)
    return np.tile(sides / max(window * (window // 2), 1), (window, 1))


class DownsamplingExplorer(Explorer):
    """Menus for operation and picture; sliders for window, stride, shift and output pixel."""

    words_height = 112

    def controls(self):
        menu = dict(style={"description_width": "98px"}, layout=widgets.Layout(width="330px"))
        return {
            "operation": widgets.Dropdown(options=OPERATIONS, value="max pooling", description="operation", **menu),
            "picture": widgets.Dropdown(options=PATTERNS, description="picture", **menu),
            "window": whole_number("window", 2, 1, 5, 250),
            "stride": whole_number("stride", 2, 1, 5, 250),
            "shift": whole_number("shift picture by", 0, 0, 4, 250),
            "position": whole_number("output pixel", 0, 0, 35, 250),
        }

    def adapt(self):
        out = (SIZE - self._controls["window"].value) // self._controls["stride"].value + 1
        self._controls["position"].max = out * out - 1

    def scene(self, operation, picture, window, stride, shift, position):
        values = pattern(picture, shift)
        smaller = shrunk(values, operation, window, stride)
        unmoved = shrunk(pattern(picture, 0), operation, window, stride)
        out = len(smaller)
        row, column = divmod(min(position, out * out - 1), out)
        block = values[row * stride : row * stride + window, column * stride : column * stride + window]
        return Scene(
            _draw_downsampling(values, smaller, unmoved, row, column, window, stride),
            words(
                "output size = ⌊(input − window) / stride⌋ + 1 = "
                f"⌊({SIZE} − {window}) / {stride}⌋ + 1 = <b>{out}</b>: {SIZE * SIZE} pixels become {out * out}.",
                f"Row {row}, column {column}: {_in_words(operation, block)} = <b>{_number(smaller[row, column])}</b>",
                _moved_in_words(shift, smaller, unmoved, window, stride),
            ),
        )


def _in_words(operation: str, block: np.ndarray) -> str:
    numbers = ", ".join(map(str, block.ravel())) if block.size <= 9 else f"{block.size} numbers"
    if operation == "max pooling":
        return f"the largest of {numbers}"
    if operation == "strided convolution (edges)":
        return "mean of the window's right side minus mean of its left side"
    return f"the mean of {numbers}" + (f" (every weight is 1/{block.size})" if "convolution" in operation else "")


def _moved_in_words(shift: int, smaller: np.ndarray, unmoved: np.ndarray, window: int, stride: int) -> str:
    skipped = ""
    if stride > window:
        skipped = " Windows leave pixels between them that are never read."
    elif len(_read(len(smaller), window, stride)) < SIZE:
        skipped = " No window reaches the last rows and columns: they are never read."
    if shift == 0:
        return "Shift the picture by one pixel and see which outputs change." + skipped
    changed = int((np.abs(smaller - unmoved) > 1e-9).sum())
    return (
        f"Shifted by {shift}: {changed} of {smaller.size} outputs differ from those of the unshifted picture "
        f"(marked ≠); the largest change is {_number(np.abs(smaller - unmoved).max())}." + skipped
    )


def _read(out: int, window: int, stride: int) -> set[int]:
    """The rows (and likewise the columns) of the input that some window covers."""
    return {place * stride + tap for place in range(out) for tap in range(window)}


def _number(value: float) -> str:
    shown = round(float(value), 2) + 0.0  # without the sign of a zero
    return f"{shown:.2f}".rstrip("0").rstrip(".").replace("-", "−")


def _draw_downsampling(values, smaller, unmoved, row, column, window, stride) -> Sketch:
    sketch = Sketch(WIDTH, HEIGHT)
    cell, top = GRID / SIZE, 30
    read = _read(len(smaller), window, stride)
    for i in range(SIZE):
        for j in range(SIZE):
            x, y = 24 + j * cell, top + i * cell
            sketch.rectangle(x, y, cell, cell, tint(INPUT, 0.08 + 0.1 * values[i, j]), tint(INPUT, 0.9))
            if i in read and j in read:
                sketch.text(x + cell / 2, y + cell / 2, str(values[i, j]), 13.5)
            else:
                sketch.cross(x + 3, y + 3, cell - 6, QUIET)
    for i in range(len(smaller)):
        for j in range(len(smaller)):
            x, y = 24 + j * stride * cell, top + i * stride * cell
            if stride >= window:  # overlapping windows would be a tangle of lines
                sketch.rectangle(x + 1.5, y + 1.5, window * cell - 3, window * cell - 3, None, tint(INK, 0.55), 1)
    x, y = 24 + column * stride * cell, top + row * stride * cell
    sketch.rectangle(x, y, window * cell, window * cell, None, HIGHLIGHT, 3.5)

    out = len(smaller)
    cell_out = min(GRID / out, 56)
    left, high = 540 + (GRID - out * cell_out) / 2, top + (GRID - out * cell_out) / 2
    scale = max(np.abs(smaller).max(), 1e-9)
    for i in range(out):
        for j in range(out):
            x, y, here = left + j * cell_out, high + i * cell_out, (i, j) == (row, column)
            fill = tint(OUTPUT, 0.08 + 0.6 * abs(smaller[i, j]) / scale)
            sketch.rectangle(x, y, cell_out, cell_out, fill, tint(OUTPUT, 0.9))
            if cell_out >= 28:
                size = 13.5 if cell_out > 40 else 10.5
                sketch.text(x + cell_out / 2, y + cell_out / 2, _number(smaller[i, j]), size, bold=here)
            if abs(smaller[i, j] - unmoved[i, j]) > 1e-9:
                sketch.text(x + cell_out - 3, y + 3, "≠", 12 if cell_out > 40 else 9.5, WRONG, "rt", bold=True)
            if here:
                sketch.rectangle(x, y, cell_out, cell_out, None, HIGHLIGHT, 3.5)
    sketch.arrow(430, top + GRID / 2, 505, QUIET)
    sketch.text(24 + GRID / 2, 14, f"input {SIZE} × {SIZE}", 14, bold=True)
    sketch.text(540 + GRID / 2, 14, f"output {out} × {out}", 14, bold=True)
    entries = [
        ("cell", tint(INPUT, 0.6), "input"),
        ("frame", HIGHLIGHT, "the window and its output"),
        ("cell", tint(OUTPUT, 0.4), "output (pale: near 0)"),
    ]
    entries += [("cross", "white", "never read")] * (len(read) < SIZE)
    legend(sketch, HEIGHT - 13, entries)
    return sketch
