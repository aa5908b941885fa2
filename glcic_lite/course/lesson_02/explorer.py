"""Stride and pooling, one output pixel at a time, over a picture that can be shifted."""

import numpy as np
import torch
import torch.nn.functional as F

from glcic_lite.course.shared.explorers import Explorer, Scene, menu, whole_number, words
from glcic_lite.course.shared.figures import HIGHLIGHT, INPUT, OUTPUT, QUIET, WRONG
from glcic_lite.course.shared.sketch import INK, PAPER, Sketch, legend, tint

WIDTH, HEIGHT = 1180, 386
TOP, CELL = 62, 28
OUTPUT_ROOM = 236  # the side of the largest output, in points
SIZE = 10  # of the input
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
    """Menus for operation and picture; sliders for window, stride, shift and, or by a click, output pixel."""

    words_height = 112

    def controls(self):
        return {
            "operation": menu("operation", OPERATIONS, "max pooling"),
            "window": whole_number("window", 2, 1, 5),
            "stride": whole_number("stride", 2, 1, 5),
            "picture": menu("picture", PATTERNS),
            "shift": whole_number("shift picture by", 0, 0, 4),
            "position": whole_number("output pixel", 0, 0, 24),
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
            _draw_downsampling(pattern(picture, 0), unmoved, values, smaller, row, column, window, stride, shift),
            words(
                "output size = ⌊(input − window) / stride⌋ + 1 = "
                f"⌊({SIZE} − {window}) / {stride}⌋ + 1 = <b>{out}</b>: {SIZE * SIZE} pixels become {out * out}.",
                f"Row {row}, column {column}, shifted: {_in_words(operation, block)} = "
                f"<b>{_number(smaller[row, column])}</b>",
                _moved_in_words(shift, smaller, unmoved, window, stride),
            ),
        )


def _in_words(operation: str, block: np.ndarray) -> str:
    numbers = ", ".join(map(str, block.ravel())) if block.size <= 9 else f"{block.size} numbers"
    if operation == "max pooling":
        return f"the largest of {numbers}"
    if operation == "strided convolution (edges)":
        if block.size == 1:
            return "a window of one pixel has no sides"
        return "mean of the window's right side minus mean of its left side"
    return f"the mean of {numbers}" + (f" (every weight is 1/{block.size})" if "convolution" in operation else "")


def _moved_in_words(shift: int, smaller: np.ndarray, unmoved: np.ndarray, window: int, stride: int) -> str:
    skipped = ""
    if stride > window:
        skipped += " Windows leave pixels between them that are never read."
    if max(_read(len(smaller), window, stride)) + max(0, stride - window) < SIZE - 1:
        skipped += (
            " No window reaches the last rows and columns: they are not read either."
            if skipped
            else (" No window reaches the last rows and columns: they are never read.")
        )
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


def _draw_downsampling(before, smaller_before, after, smaller_after, row, column, window, stride, shift) -> Sketch:
    """The picture as it was with its output on the left, the shifted one with its own on the right."""
    sketch = Sketch(WIDTH, HEIGHT)
    scale = max(np.abs(smaller_before).max(), np.abs(smaller_after).max(), 1e-9)
    here = row, column
    for left, title, values, smaller in (
        (16, "as it was", before, smaller_before),
        (616, f"shifted by {shift}" if shift else "not shifted yet: the same", after, smaller_after),
    ):
        sketch.text(left, 14, title, 16, anchor="lm", bold=True)
        _draw_input(sketch, left, values, len(smaller), here, window, stride)
        sketch.arrow(left + SIZE * CELL + 8, TOP + SIZE * CELL / 2, left + SIZE * CELL + 30, QUIET)
        changed = np.abs(smaller - smaller_before) > 1e-9
        _draw_output(sketch, left + SIZE * CELL + 38, smaller, changed, here, scale)
    sketch.line(593, 8, 593, TOP + SIZE * CELL, tint(QUIET, 0.4), 1)
    entries = [
        ("cell", tint(INPUT, 0.5), "input"),
        ("frame", HIGHLIGHT, "the window and its output"),
        ("cell", tint(OUTPUT, 0.4), "output (pale: near 0): click a pixel"),
    ]
    entries += [("cross", PAPER, "never read")] * (len(_read(len(smaller_after), window, stride)) < SIZE)
    legend(sketch, HEIGHT - 14, entries, left=16)
    return sketch


def _draw_input(sketch: Sketch, left: float, values: np.ndarray, out: int, here, window: int, stride: int) -> None:
    sketch.text(left + SIZE * CELL / 2, TOP - 16, f"input {SIZE} × {SIZE}", 14)
    read = _read(out, window, stride)
    for i in range(SIZE):
        for j in range(SIZE):
            x, y = left + j * CELL, TOP + i * CELL
            sketch.rectangle(x, y, CELL, CELL, tint(INPUT, 0.06 + 0.06 * values[i, j]), tint(INPUT, 0.8))
            if i in read and j in read:
                sketch.text(x + CELL / 2, y + CELL / 2, str(values[i, j]), 14)
            else:
                sketch.cross(x + 4, y + 4, CELL - 8, QUIET)
    if stride >= window:  # overlapping windows would be a tangle of lines
        for i in range(out):
            for j in range(out):
                x, y = left + j * stride * CELL, TOP + i * stride * CELL
                sketch.rectangle(x + 1.5, y + 1.5, window * CELL - 3, window * CELL - 3, None, tint(INK, 0.55), 1)
    x, y = left + here[1] * stride * CELL, TOP + here[0] * stride * CELL
    sketch.rectangle(x, y, window * CELL, window * CELL, None, HIGHLIGHT, 3.5)


def _draw_output(sketch: Sketch, left: float, smaller: np.ndarray, changed: np.ndarray, here, scale: float) -> None:
    out = len(smaller)
    sketch.text(left + OUTPUT_ROOM / 2, TOP - 16, f"output {out} × {out}", 14)
    cell = min(OUTPUT_ROOM / out, 47)
    start, top = left + (OUTPUT_ROOM - out * cell) / 2, TOP + (SIZE * CELL - out * cell) / 2
    for i in range(out):
        for j in range(out):
            x, y = start + j * cell, top + i * cell
            fill = tint(OUTPUT, 0.06 + 0.55 * abs(smaller[i, j]) / scale)
            sketch.rectangle(x, y, cell, cell, fill, tint(OUTPUT, 0.9), click={"position": i * out + j})
            lower = 0.1 * cell if changed[i, j] else 0  # room for the mark above the number
            if cell > 20:
                size = 14.5 if cell > 38 else 10 if cell > 28 else 8.5
                sketch.text(x + cell / 2, y + cell / 2 + lower, _number(smaller[i, j]), size, bold=(i, j) == here)
            if changed[i, j]:
                sketch.text(x + cell - 3, y + 0.2 * cell, "≠", 14 if cell > 38 else 10, WRONG, "rm", bold=True)
    sketch.rectangle(start + here[1] * cell, top + here[0] * cell, cell, cell, None, HIGHLIGHT, 3.5)
