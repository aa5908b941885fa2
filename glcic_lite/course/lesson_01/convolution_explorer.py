"""A convolution, one output pixel at a time: which inputs meet which weights, for any kernel, stride and dilation."""

import numpy as np
import torch
import torch.nn.functional as F

from glcic_lite.course.shared.explorers import Explorer, Scene, warning, whole_number, words
from glcic_lite.course.shared.figures import HIGHLIGHT, INPUT, OUTPUT, QUIET, WEIGHT, WRONG
from glcic_lite.course.shared.sketch import INK, PAPER, Sketch, legend, tint

WIDTH, HEIGHT = 940, 440
GRID = 372  # largest side of a grid, in points
LARGEST_INPUT, LARGEST_KERNEL, LARGEST_PADDING = 12, 7, 4

_random = np.random.default_rng(4)
INPUTS = _random.integers(0, 10, (LARGEST_INPUT, LARGEST_INPUT))
WEIGHTS = _random.choice([-1, 0, 1, 2], (LARGEST_KERNEL, LARGEST_KERNEL), p=[0.3, 0.1, 0.35, 0.25])


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """The side of a convolution's output; 0 or less if the kernel does not fit even once."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def convolved(size: int, kernel: int, stride: int, padding: int, dilation: int) -> np.ndarray:
    """The explorer's output values, computed by torch: (output size, output size)."""
    photo = torch.from_numpy(INPUTS[:size, :size]).double()[None, None]
    weight = torch.from_numpy(WEIGHTS[:kernel, :kernel]).double()[None, None]
    return F.conv2d(photo, weight, stride=stride, padding=padding, dilation=dilation)[0, 0].long().numpy()


class ConvolutionExplorer(Explorer):
    """Sliders for input size, kernel, stride, padding and dilation; one more, or a click, chooses the output pixel."""

    words_height = 118

    def controls(self):
        return {
            "size": whole_number("input size", 7, 1, LARGEST_INPUT),
            "kernel": whole_number("kernel", 3, 1, LARGEST_KERNEL),
            "dilation": whole_number("dilation", 1, 1, 4),
            "stride": whole_number("stride", 1, 1, 4),
            "padding": whole_number("padding", 0, 0, LARGEST_PADDING),
            "position": whole_number("output pixel", 0, 0, 24),
        }

    def adapt(self):
        settings = self.settings
        settings.pop("position")
        self._controls["position"].max = max(output_size(**settings), 1) ** 2 - 1

    def scene(self, size, kernel, dilation, stride, padding, position):
        geometry = dict(size=size, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
        out = output_size(**geometry)
        span = dilation * (kernel - 1) + 1
        formula = (
            "output size = ⌊(input + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1 = "
            f"⌊({size} + 2·{padding} − {dilation}·({kernel} − 1) − 1) / {stride}⌋ + 1 = "
            f"<b>{out if out > 0 else 'none'}</b>"
        )
        if out <= 0:
            need = -(-(span - size) // 2)
            return Scene(
                _draw_impossible(size, kernel, dilation, padding, span),
                words(
                    formula,
                    f"{warning('Impossible:')} the kernel spans {span} pixels, but input and padding "
                    f"together have only {size + 2 * padding}: there is no place where it fits.",
                    f"A padding of {need} or more would help, or a smaller kernel or dilation."
                    if need <= LARGEST_PADDING
                    else "A smaller kernel or dilation would help; so much padding this explorer does not have.",
                ),
            )
        row, column = divmod(min(position, out * out - 1), out)
        values = convolved(**geometry)
        plural = "s" * (kernel > 1)
        return Scene(
            _draw_convolution(values[row, column], row, column, out, **geometry),
            words(
                formula,
                f"Output pixel at row {row}, column {column}: "
                + _sum_in_words(values[row, column], row, column, **geometry),
                f"The kernel spans <b>{span} × {span}</b> pixels with <b>{kernel * kernel}</b> weight{plural}: "
                f"{kernel * kernel} multiplication{plural} for one output pixel, {kernel * kernel * out * out} in all.",
            ),
        )


def _sum_in_words(value, row, column, size, kernel, stride, padding, dilation) -> str:
    if kernel > 3:
        return f"the sum of {kernel * kernel} products = <b>{value}</b>"
    padded = np.pad(INPUTS[:size, :size], padding)
    products = [
        f"{padded[row * stride + i * dilation, column * stride + j * dilation]}·{_signed(WEIGHTS[i, j])}"
        for i in range(kernel)
        for j in range(kernel)
    ]
    return " + ".join(products) + f" = <b>{value}</b>"


def _signed(number: int) -> str:
    return f"({number})".replace("-", "−") if number < 0 else str(number)


def _input_grid(sketch: Sketch, left: float, top: float, cell: float, size: int, padding: int, unread=()) -> None:
    for row in range(size + 2 * padding):
        for column in range(size + 2 * padding):
            x, y = left + column * cell, top + row * cell
            i, j = row - padding, column - padding
            if 0 <= i < size and 0 <= j < size:
                sketch.rectangle(x, y, cell, cell, tint(INPUT, 0.35), tint(INPUT, 0.9))
                if (row, column) in unread:
                    sketch.cross(x, y, cell, QUIET)
                elif cell >= 14:
                    sketch.text(x + cell / 2, y + cell / 2, str(INPUTS[i, j]), min(15, cell * 0.48))
            else:
                sketch.dashed_rectangle(x + 1, y + 1, cell - 2, cell - 2, tint(QUIET, 0.7))
                if cell >= 14:
                    sketch.text(x + cell / 2, y + cell / 2, "0", min(14, cell * 0.45), QUIET)


def _places(whole: int, out: int) -> tuple[float, ...]:
    """Side of the cells, left and top of the grid: of the input, then of the output."""
    cell = min(44, GRID / whole)
    left, top = 24 + (GRID - whole * cell) / 2, 30 + (GRID - whole * cell) / 2
    # The output's cells are as large as the input's where there is room, so that the sizes can be compared.
    cell_out = min(cell, GRID / out)
    return cell, left, top, cell_out, 540 + (GRID - out * cell_out) / 2, 30 + (GRID - out * cell_out) / 2


def _draw_convolution(value, row, column, out, size, kernel, stride, padding, dilation) -> Sketch:
    sketch = Sketch(WIDTH, HEIGHT)
    values = convolved(size, kernel, stride, padding, dilation)
    whole = size + 2 * padding
    used = {start + tap * dilation for start in range(0, (out - 1) * stride + 1, stride) for tap in range(kernel)}
    unread = {(i, j) for i in range(whole) for j in range(whole) if i not in used or j not in used}
    unread = {(i, j) for i, j in unread if padding <= min(i, j) and max(i, j) < padding + size}
    cell, left, top, cell_out, left_out, top_out = _places(whole, out)
    _input_grid(sketch, left, top, cell, size, padding, unread)
    for i in range(kernel):
        for j in range(kernel):
            y, x = row * stride + i * dilation, column * stride + j * dilation
            _tap(sketch, left + x * cell, top + y * cell, cell, y - padding, x - padding, size, WEIGHTS[i, j])
    span = (dilation * (kernel - 1) + 1) * cell
    sketch.rectangle(left + column * stride * cell, top + row * stride * cell, span, span, None, HIGHLIGHT, 2.5)
    for i in range(out):
        for j in range(out):
            cell_of_output = sketch, left_out + j * cell_out, top_out + i * cell_out, cell_out, values[i, j]
            _output_cell(*cell_of_output, i * out + j, (i, j) == (row, column))
    x, y = left_out + column * cell_out, top_out + row * cell_out
    sketch.rectangle(x, y, cell_out, cell_out, None, HIGHLIGHT, 2.5)
    sketch.arrow(430, 30 + GRID / 2, 505, QUIET)
    padded = f" and padding {padding}" if padding else ""
    sketch.text(24 + GRID / 2, 14, f"input {size} × {size}{padded}", 14, bold=True)
    sketch.text(540 + GRID / 2, 14, f"output {out} × {out}", 14, bold=True)
    entries = [
        ("cell", tint(INPUT, 0.35), "input"),
        ("cell", WEIGHT, "input that meets a weight"),
        ("frame", HIGHLIGHT, "the kernel's span and its output"),
        ("cell", tint(OUTPUT, 0.28), "output: click a pixel"),
    ]
    entries += [("dashed", None, "padding")] * (padding > 0)
    entries += [("cross", PAPER, "never read")] * bool(unread)
    legend(sketch, HEIGHT - 14, entries)
    return sketch


def _output_cell(sketch: Sketch, x: float, y: float, cell: float, value: int, position: int, here: bool) -> None:
    fill = OUTPUT if here else tint(OUTPUT, 0.28)
    sketch.rectangle(x, y, cell, cell, fill, tint(OUTPUT, 0.9), click={"position": position})
    if cell >= 17:
        text, colour = str(value).replace("-", "−"), "#ffffff" if here else INK
        sketch.text(x + cell / 2, y + cell / 2, text, min(15, cell * 0.42), colour, bold=here)


def _tap(sketch: Sketch, x: float, y: float, cell: float, i: int, j: int, size: int, weight: int) -> None:
    value = INPUTS[i, j] if 0 <= i < size and 0 <= j < size else 0
    sketch.rectangle(x, y, cell, cell, WEIGHT, PAPER)
    if cell >= 28:
        sketch.text(x + cell * 0.5, y + cell * 0.36, str(value), min(15, cell * 0.42), "#ffffff", bold=True)
        sketch.text(x + cell * 0.5, y + cell * 0.77, f"×{weight}".replace("-", "−"), min(11.5, cell * 0.3), "#ffffff")
    elif cell >= 14:
        sketch.text(x + cell / 2, y + cell / 2, str(value), cell * 0.5, "#ffffff", bold=True)


def _draw_impossible(size, kernel, dilation, padding, span) -> Sketch:
    sketch = Sketch(WIDTH, HEIGHT)
    whole = size + 2 * padding
    cell = min(44, GRID / max(span, whole))
    left, top = 24 + (GRID - max(span, whole) * cell) / 2, 30 + (GRID - max(span, whole) * cell) / 2
    _input_grid(sketch, left, top, cell, size, padding)
    for i in range(kernel):
        for j in range(kernel):
            y, x = i * dilation, j * dilation
            if y < whole and x < whole:
                _tap(sketch, left + x * cell, top + y * cell, cell, y - padding, x - padding, size, WEIGHTS[i, j])
            else:
                sketch.rectangle(left + x * cell, top + y * cell, cell, cell, tint(WRONG, 0.35), WRONG)
                sketch.cross(left + x * cell, top + y * cell, cell, WRONG)
    sketch.rectangle(left, top, span * cell, span * cell, None, WRONG, 2.5)
    sketch.text(
        24 + GRID / 2, 14, f"input {size} × {size}" + (f" and padding {padding}" if padding else ""), 14, bold=True
    )
    sketch.arrow(430, 30 + GRID / 2, 505, QUIET)
    sketch.text(540 + GRID / 2, 30 + GRID / 2 - 12, "no output", 17, WRONG, bold=True)
    sketch.text(540 + GRID / 2, 30 + GRID / 2 + 14, f"the kernel spans {span}, there are {whole}", 14)
    entries = [
        ("cell", tint(INPUT, 0.35), "input"),
        ("cell", WEIGHT, "input that meets a weight"),
        ("cell", tint(WRONG, 0.35), "weight with no input: does not fit"),
    ]
    legend(sketch, HEIGHT - 14, entries)
    return sketch
