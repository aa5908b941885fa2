"""A transposed convolution as a stamp: every input pixel prints the kernel, multiplied by its value, on the output."""

import numpy as np
import torch
import torch.nn.functional as F

from glcic_lite.course.shared.explorers import Explorer, Scene, menu, warning, whole_number, words
from glcic_lite.course.shared.figures import HIGHLIGHT, INPUT, OUTPUT, QUIET, WEIGHT, WRONG
from glcic_lite.course.shared.sketch import INK, PAPER, Sketch, legend, tint

WIDTH, HEIGHT = 940, 440
GRID, TOP = 372, 30
LARGEST_INPUT, LARGEST_KERNEL = 6, 5
SHOWN = {"the sums": "sums", "how many stamps overlap": "counts"}

_random = np.random.default_rng(7)
INPUTS = _random.integers(1, 6, (LARGEST_INPUT, LARGEST_INPUT))
WEIGHTS = _random.choice([-1, 1, 2, 3], (LARGEST_KERNEL, LARGEST_KERNEL), p=[0.2, 0.4, 0.25, 0.15])


def transposed_size(size: int, kernel: int, stride: int, padding: int) -> int:
    """The side of a transposed convolution's output; 0 or less if the padding cuts everything away."""
    return (size - 1) * stride - 2 * padding + kernel


def transposed(size: int, kernel: int, stride: int, padding: int, ones: bool = False) -> np.ndarray:
    """The output, computed by torch; with ones as inputs and weights it counts the stamps that overlap."""
    photo, weight = INPUTS[:size, :size], WEIGHTS[:kernel, :kernel]
    if ones:
        photo, weight = np.ones_like(photo), np.ones_like(weight)
    tensors = (torch.from_numpy(a).double()[None, None] for a in (photo, weight))
    return F.conv_transpose2d(*tensors, stride=stride, padding=padding)[0, 0].long().numpy()


class TransposedExplorer(Explorer):
    """Sliders for input size, kernel, stride and padding; one more, or a click, chooses the input pixel."""

    words_height = 142

    def controls(self):
        return {
            "size": whole_number("input size", 3, 1, LARGEST_INPUT),
            "kernel": whole_number("kernel", 3, 1, LARGEST_KERNEL),
            "stride": whole_number("stride", 2, 1, 4),
            "padding": whole_number("padding", 0, 0, 2),
            "position": whole_number("input pixel", 0, 0, 8),
            "shown": menu("output shows", SHOWN),
        }

    def adapt(self):
        self._controls["position"].max = self._controls["size"].value ** 2 - 1

    def scene(self, size, kernel, stride, padding, position, shown):
        out = transposed_size(size, kernel, stride, padding)
        formula = (
            "output size = (input − 1)·stride − 2·padding + kernel = "
            f"({size} − 1)·{stride} − 2·{padding} + {kernel} = <b>{out if out > 0 else 'none'}</b>"
        )
        row, column = divmod(min(position, size * size - 1), size)
        if out <= 0:
            return Scene(
                _draw_stamps(None, None, row, column, size, kernel, stride, padding, shown),
                words(
                    formula,
                    f"{warning('Impossible:')} the stamps span {_pixels(out + 2 * padding)} in all, "
                    f"and a padding of {padding} cuts {padding} away on every side: nothing is left.",
                    "Less padding would help, or a larger input, kernel or stride.",
                ),
            )
        counts = transposed(size, kernel, stride, padding, ones=True)
        sums = transposed(size, kernel, stride, padding)
        corner = f"row {_signed(row * stride - padding)}, column {_signed(column * stride - padding)}"
        reaches = min(row, column) * stride < padding or max(row, column) * stride - padding + kernel > out
        cut = ", partly beyond the edge, where the padding cuts it off" if reaches else ""
        return Scene(
            _draw_stamps(sums, counts, row, column, size, kernel, stride, padding, shown),
            words(
                formula,
                f"Input pixel at row {row}, column {column}: its value <b>{INPUTS[row, column]}</b> times the "
                f"{kernel} × {kernel} kernel is printed with its corner at {corner}{cut}. "
                + (f"The next one is printed {stride} further along. " if column < size - 1 else "")
                + "Where stamps overlap, they add up.",
                _evenness(counts, kernel, stride),
            ),
        )


def _pixels(count: int) -> str:
    return "1 pixel" if count == 1 else f"{count} pixels"


def _signed(number: int) -> str:
    return str(number).replace("-", "−")


def _evenness(counts: np.ndarray, kernel: int, stride: int) -> str:
    found = sorted(set(counts.ravel().tolist()))
    numbers = f"Stamps that meet in one output pixel: {', '.join(map(str, found))}. "
    if kernel % stride and len(found) == 1:
        return numbers + f"{kernel} is not a multiple of {stride}: uneven, but there are too few outputs to see it."
    if kernel < stride:
        return numbers + "The kernel is smaller than the stride, so some outputs are <b>never reached</b> (0)."
    if kernel % stride:
        return numbers + f"{kernel} is not a multiple of {stride}: an <b>uneven</b> pattern, the seed of checkerboards."
    return numbers + f"{kernel} is a multiple of {stride}: <b>even</b> everywhere except near the border."


def _draw_stamps(sums, counts, row, column, size, kernel, stride, padding, shown) -> Sketch:
    sketch = Sketch(WIDTH, HEIGHT)
    whole = (size - 1) * stride + kernel  # before the padding cuts the rim away
    out = whole - 2 * padding
    cell = min(44, GRID / max(whole, size))
    left, top = 24 + (GRID - size * cell) / 2, TOP + (GRID - size * cell) / 2
    for i in range(size):
        for j in range(size):
            here = (i, j) == (row, column)
            x, y = left + j * cell, top + i * cell
            fill = INPUT if here else tint(INPUT, 0.35)
            sketch.rectangle(x, y, cell, cell, fill, tint(INPUT, 0.9), click={"position": i * size + j})
            colour = "#000000" if here else INK
            sketch.text(x + cell / 2, y + cell / 2, str(INPUTS[i, j]), min(15, cell * 0.48), colour, bold=here)
            if here:
                sketch.rectangle(x, y, cell, cell, None, HIGHLIGHT, 3)

    left, top = 540 + (GRID - whole * cell) / 2, TOP + (GRID - whole * cell) / 2
    most = counts.max() if counts is not None else 1
    for i in range(whole):
        for j in range(whole):
            x, y, p, q = left + j * cell, top + i * cell, i - padding, j - padding
            u, v = i - row * stride, j - column * stride
            stamped = 0 <= u < kernel and 0 <= v < kernel
            if not (0 <= p < out and 0 <= q < out):  # cut away
                sketch.dashed_rectangle(x + 1, y + 1, cell - 2, cell - 2, tint(QUIET, 0.8))
                if stamped:
                    sketch.rectangle(x + 3, y + 3, cell - 6, cell - 6, tint(WEIGHT, 0.25))
                continue
            fill = tint(OUTPUT, 0.1 + 0.6 * counts[p, q] / most) if counts[p, q] else PAPER
            sketch.rectangle(x, y, cell, cell, WEIGHT if stamped else fill, PAPER if stamped else tint(OUTPUT, 0.9))
            number = sums[p, q] if shown == "sums" else counts[p, q]
            text = str(number).replace("-", "−")
            if stamped and cell >= 28 and shown == "sums":
                sketch.text(x + cell / 2, y + cell * 0.36, text, min(15, cell * 0.42), "#ffffff", bold=True)
                weight = WEIGHTS[u, v]
                small = f"{INPUTS[row, column]}·" + (f"(−{-weight})" if weight < 0 else str(weight))
                fits = cell * (0.3 if len(small) < 5 else 0.24)
                sketch.text(x + cell / 2, y + cell * 0.77, small, min(11.5, fits), "#ffffff")
            elif cell >= 18 or stamped:  # smaller numbers could not be read anyway
                size_of_text = min(15, cell * 0.42)
                sketch.text(x + cell / 2, y + cell / 2, text, size_of_text, "#ffffff" if stamped else INK)
    x, y = left + column * stride * cell, top + row * stride * cell
    sketch.rectangle(x, y, kernel * cell, kernel * cell, None, HIGHLIGHT, 3)
    sketch.arrow(430, TOP + GRID / 2, 505, QUIET)
    sketch.text(24 + GRID / 2, 14, f"input {size} × {size}", 14, bold=True)
    if out > 0:
        sketch.text(540 + GRID / 2, 14, f"output {out} × {out}", 14, bold=True)
    else:
        sketch.text(540 + GRID / 2, 14, "no output: everything is cut away", 14, WRONG, bold=True)
    entries = [
        ("cell", tint(INPUT, 0.35), "input: click a pixel"),
        ("cell", WEIGHT, "this input's stamp (small: value · weight)"),
        ("cell", tint(OUTPUT, 0.25), "output, few stamps"),
        ("cell", tint(OUTPUT, 0.7), "many"),
    ]
    entries += [("dashed", None, "cut away by padding")] * (padding > 0)
    legend(sketch, HEIGHT - 14, entries)
    return sketch
