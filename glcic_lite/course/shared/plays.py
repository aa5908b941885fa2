"""Four plays on one stage: a strided, a dilated and a transposed convolution (two views), one output pixel at a time.

The pictures are those of Dumoulin and Visin, "A Guide to Convolution Arithmetic for Deep Learning" (2016): kernel 3
throughout; 5 × 5 to 2 × 2 with stride 2; 7 × 7 to 3 × 3 with dilation 2; and back from 2 × 2 to 5 × 5, the transpose of
the first. All numbers are computed by torch. All frames of a play hold the same marks in the same order, so that the
browser can let them glide from one frame to the next.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from glcic_lite.course.shared.figures import HIGHLIGHT, INPUT, OUTPUT, QUIET, WEIGHT
from glcic_lite.course.shared.sketch import INK, PAPER, Sketch, tint

WIDTH, HEIGHT = 1000, 480
CELL = 52  # the side of a pixel, the same everywhere, so that sizes can be compared by eye
MIDDLE = 228  # all grids are centred on this height
INPUT_AT, KERNEL_AT, OUTPUT_AT = 196, 516, 846  # the middles of the three grids, from the left
SUM_AT = 448
WHITE = "#ffffff"
STRENGTHS = np.array([0, 0.2, 0.42, 0.5, 0.66])  # of the output's green where so many inputs meet

KERNEL = np.arange(1, 10).reshape(3, 3)  # so plain that one sees at once when it is turned
STRIDED_INPUT = np.random.default_rng(3).integers(1, 4, (5, 5))
DILATED_INPUT = np.random.default_rng(5).integers(1, 4, (7, 7))
SMALL_INPUT = np.array([[1, 2], [3, 4]])  # of the transposed convolution


@dataclass(frozen=True)
class Frame:
    """One moment of a play: what is drawn, and what is said of it (HTML, one paragraph or two)."""

    sketch: Sketch
    words: str


@dataclass(frozen=True)
class Play:
    """A play.

    Attributes:
        name: as on its button.
        frames: the first shows the input alone, the last the finished output.
        about: what it shows, in a sentence: for readers without a kernel and for screen readers.
    """

    name: str
    frames: list[Frame]
    about: str


def convolution(photo: np.ndarray, kernel: np.ndarray, stride: int = 1, dilation: int = 1) -> np.ndarray:
    """A convolution without padding, computed by torch: whole numbers in, whole numbers out."""
    tensors = (torch.from_numpy(array.copy()).double()[None, None] for array in (photo, kernel))
    return F.conv2d(*tensors, stride=stride, dilation=dilation)[0, 0].long().numpy()


def transposed_convolution(photo: np.ndarray, kernel: np.ndarray, stride: int = 1) -> np.ndarray:
    """A transposed convolution without padding, computed by torch: whole numbers in, whole numbers out."""
    tensors = (torch.from_numpy(array.copy()).double()[None, None] for array in (photo, kernel))
    return F.conv_transpose2d(*tensors, stride=stride)[0, 0].long().numpy()


def with_zeros_between(photo: np.ndarray, stride: int, border: int) -> np.ndarray:
    """The photo with stride - 1 zeros between neighbours, and `border` rings of zeros around it."""
    rows, columns = (stride * (side - 1) + 1 for side in photo.shape)
    spread = np.zeros((rows, columns), dtype=photo.dtype)
    spread[::stride, ::stride] = photo
    return np.pad(spread, border)


def strided() -> Play:
    """5 × 5 to 2 × 2: the window moves on by two."""

    def words(row, column, terms):
        return f"The window stands at row {2 * row}, column {2 * column}: two pixels from one stop to the next."

    frames = _sliding(
        STRIDED_INPUT, KERNEL, stride=2, title="input 5 × 5", kernel_title="kernel 3 × 3", describe=words,
        beginning="Stride 2: the kernel will stop at every second pixel only.",
        end="Four sums instead of the nine that stride 1 would give: <b>5 × 5 becomes 2 × 2</b>. "
        "⌊(5 − 3) / 2⌋ + 1 = 2.",
    )  # fmt: skip
    return Play("stride 2", frames, "A 3 × 3 kernel moves over a 5 × 5 input with stride 2: 2 × 2 sums.")


def dilated() -> Play:
    """7 × 7 to 3 × 3: the nine taps lie two pixels apart."""

    def words(row, column, terms):
        return "Nine taps, two pixels apart: they span 5 × 5 inputs, and multiply only nine of them."

    frames = _sliding(
        DILATED_INPUT, KERNEL, dilation=2, title="input 7 × 7", kernel_title="kernel 3 × 3", describe=words,
        beginning="Dilation 2: the same nine weights, with one unread pixel between neighbours.",
        end="Nine multiplications for each output, as without dilation, over a field of 5 × 5: "
        "<b>7 × 7 becomes 3 × 3</b>. 7 − 2·(3 − 1) = 3.",
    )  # fmt: skip
    return Play("dilation 2", frames, "A 3 × 3 kernel with dilation 2 moves over a 7 × 7 input: 3 × 3 sums.")


def zeros_inserted() -> Play:
    """2 × 2 to 5 × 5 as an ordinary convolution, over an input with zeros between its pixels."""
    spread = with_zeros_between(SMALL_INPUT, stride=2, border=2)
    real = with_zeros_between(np.ones_like(SMALL_INPUT), stride=2, border=2) > 0

    def words(row, column, terms):
        met = len(terms)
        rest = f"The other {9 - met} taps meet zeros." if met < 9 else ""
        return f"The turned kernel moves on by <b>one</b>, half an input pixel. It meets {met} of the inputs. {rest}"

    frames = _sliding(
        spread, KERNEL[::-1, ::-1], title="input 2 × 2 among zeros", real=real,
        kernel_title="kernel turned by 180°", describe=words,
        beginning="Zeros are written between the inputs, so a step of one is half an input pixel: <b>stride ½</b>.",
        end="The same numbers as with stamps. Outputs meet 1, 2 or 4 inputs in turn: <b>a checkerboard</b>.",
    )  # fmt: skip
    about = "Zeros between the pixels of a 2 × 2 input; a turned 3 × 3 kernel moves over it by one: 5 × 5 sums."
    return Play("transposed: zeros between", frames, about)


def stamps() -> Play:
    """2 × 2 to 5 × 5: each input prints the kernel, multiplied by its value; overlaps add up."""
    end = (
        "Overlaps have added up. 1, 2 or 4 stamps meet in an output pixel, in turn: <b>a checkerboard</b>. "
        "(2 − 1)·2 + 3 = 5."
    )
    frames = [_stamp_frame(step, end) for step in range(SMALL_INPUT.size + 2)]
    about = "Each pixel of a 2 × 2 input prints the 3 × 3 kernel, times its value, two pixels further on: 5 × 5 sums."
    return Play("transposed: stamps", frames, about)


def _sliding(
    photo, kernel, title, kernel_title, describe, beginning, end, stride=1, dilation=1, real=None
) -> list[Frame]:  # fmt: skip
    """The frames of a kernel that moves over a photo.

    Args:
        real: True where the photo's number is an input, not an inserted zero.
        describe: a function of (row, column, terms) that returns words for the step of this output pixel.
    """
    has_zeros, real = real is not None, np.ones(photo.shape, dtype=bool) if real is None else real
    sums = convolution(photo, kernel, stride, dilation)
    met = convolution(real.astype(int), np.ones_like(kernel), stride, dilation) if has_zeros else None
    side = len(sums)
    frames = []
    for step in range(side * side + 2):
        here = divmod(step - 1, side) if 0 < step <= side * side else None
        row, column = here or (0, 0)  # at the start and the end the window is hidden, where it will come and was last
        if step > side * side:
            row = column = side - 1
        taps = [(row * stride + i * dilation, column * stride + j * dilation) for i in range(3) for j in range(3)]
        sketch = Sketch(WIDTH, HEIGHT)
        _titles(sketch, title, kernel_title, f"output {side} × {side}")
        left, top = _corner(INPUT_AT, len(photo))
        for i, j in np.ndindex(photo.shape):
            fill = tint(INPUT, 0.35) if real[i, j] else PAPER
            line = tint(INPUT, 0.9) if real[i, j] else tint(QUIET, 0.4)
            sketch.rectangle(left + j * CELL, top + i * CELL, CELL, CELL, fill, line)
        for i, j in taps:
            fill = WEIGHT if real[i, j] else tint(WEIGHT, 0.15)
            sketch.rectangle(left + j * CELL, top + i * CELL, CELL, CELL, fill, PAPER, hidden=not here)
        for i, j in np.ndindex(photo.shape):
            under = bool(here) and (i, j) in taps
            colour = WHITE if under and real[i, j] else INK if real[i, j] else QUIET
            y = top + (i + (0.38 if under else 0.5)) * CELL
            sketch.text(left + (j + 0.5) * CELL, y, str(photo[i, j]), 22, colour, bold=bool(real[i, j]))
        for (i, j), weight in zip(taps, kernel.ravel(), strict=True):
            colour = WHITE if real[i, j] else QUIET
            place = left + (j + 0.5) * CELL, top + (i + 0.79) * CELL
            sketch.text(*place, f"×{weight}", 15, colour, hidden=not here)
        span = ((len(kernel) - 1) * dilation + 1) * CELL
        window = left + column * stride * CELL, top + row * stride * CELL
        sketch.rectangle(*window, span, span, None, HIGHLIGHT, 4, hidden=not here)
        _kernel(sketch, kernel)
        strengths = np.full(sums.shape, 0.28) if met is None else STRENGTHS[met]
        strengths = np.where(np.arange(side * side).reshape(side, side) < step, strengths, 0)
        _sums(sketch, sums, strengths, here or (row, column), bool(here))
        terms = [(int(photo[i, j]), int(w)) for (i, j), w in zip(taps, kernel.ravel(), strict=True) if real[i, j]]
        shown = " + ".join(f"{value}·{weight}" for value, weight in terms) + f" = {sums[row, column]}"
        _sum_line(sketch, shown if here else "")
        words = beginning if step == 0 else end if not here else describe(row, column, terms)
        frames.append(Frame(sketch, _paragraph(words)))
    return frames


def _stamp_frame(step: int, end: str) -> Frame:
    """Step 0: nothing printed yet; then one stamp a step; at last all are printed and no one is pointed at."""
    size, stride, side = len(SMALL_INPUT), 2, 5
    here = divmod(step - 1, size) if 0 < step <= size * size else None
    row, column = here or ((0, 0) if step == 0 else (size - 1, size - 1))
    printed = np.where(np.arange(size * size).reshape(size, size) < step, SMALL_INPUT, 0)
    sums = transposed_convolution(printed, KERNEL, stride)
    meeting = transposed_convolution((printed > 0).astype(int), np.ones_like(KERNEL), stride)
    corner = row * stride, column * stride
    sketch = Sketch(WIDTH, HEIGHT)
    _titles(sketch, "input 2 × 2", "kernel 3 × 3", f"output {side} × {side}")
    left, top = _corner(INPUT_AT, size)
    for i, j in np.ndindex(size, size):
        at = bool(here) and (i, j) == here
        fill = INPUT if at else tint(INPUT, 0.35)
        click = {"step": i * size + j + 1}
        sketch.rectangle(left + j * CELL, top + i * CELL, CELL, CELL, fill, tint(INPUT, 0.9), click=click)
        place = left + (j + 0.5) * CELL, top + (i + 0.5) * CELL
        sketch.text(*place, str(SMALL_INPUT[i, j]), 22, "#000000" if at else INK, bold=True)
    sketch.rectangle(left + column * CELL, top + row * CELL, CELL, CELL, None, HIGHLIGHT, 4, hidden=not here)
    _kernel(sketch, KERNEL)
    left, top = _corner(OUTPUT_AT, side)
    stamped = {(corner[0] + i, corner[1] + j): KERNEL[i, j] for i, j in np.ndindex(3, 3)} if here else {}
    for i, j in np.ndindex(side, side):
        fill = tint(OUTPUT, float(STRENGTHS[meeting[i, j]]))
        sketch.rectangle(left + j * CELL, top + i * CELL, CELL, CELL, fill, tint(OUTPUT, 0.9))
    for i, j in np.ndindex(side, side):
        y = top + (i + (0.34 if (i, j) in stamped else 0.5)) * CELL
        text = str(sums[i, j]) if meeting[i, j] else ""
        sketch.text(left + (j + 0.5) * CELL, y, text, _fitting(text), INK, bold=True)
    for i, j in np.ndindex(3, 3):  # the label below each number: what this stamp has added
        x, y = left + (corner[1] + j) * CELL, top + (corner[0] + i) * CELL
        sketch.rectangle(x + 2, y + 0.62 * CELL, CELL - 4, 0.35 * CELL, WEIGHT, hidden=not here)
        added = f"+{SMALL_INPUT[row, column]}·{KERNEL[i, j]}"
        sketch.text(x + CELL / 2, y + 0.8 * CELL, added, 15, WHITE, hidden=not here)
    frame = left + corner[1] * CELL, top + corner[0] * CELL
    sketch.rectangle(*frame, 3 * CELL, 3 * CELL, None, HIGHLIGHT, 4, hidden=not here)
    value = int(SMALL_INPUT[row, column])
    _sum_line(sketch, f"{value} × kernel, printed at row {corner[0]}, column {corner[1]}" if here else "")
    if step == 0:
        words = "Each input pixel will print the kernel, multiplied by its own value, like a rubber stamp."
    elif here:
        words = "The next stamp is printed <b>two pixels</b> further on. Where stamps overlap, they add up."
    else:
        words = end
    return Frame(sketch, _paragraph(words))


def _titles(sketch: Sketch, photo: str, kernel: str, output: str) -> None:
    for x, text in ((INPUT_AT, photo), (KERNEL_AT, kernel), (OUTPUT_AT, output)):
        sketch.text(x, 18, text, 19, bold=True)
    sketch.text((INPUT_AT + 182 + KERNEL_AT - 78) / 2, MIDDLE, "✱", 26, QUIET)
    sketch.arrow(KERNEL_AT + 78 + 22, MIDDLE, OUTPUT_AT - 130 - 22, QUIET)


def _corner(middle: float, size: int) -> tuple[float, float]:
    """Left and top of a grid of size × size pixels."""
    return middle - size * CELL / 2, MIDDLE - size * CELL / 2


def _kernel(sketch: Sketch, kernel: np.ndarray) -> None:
    left, top = _corner(KERNEL_AT, len(kernel))
    for i, j in np.ndindex(kernel.shape):
        sketch.rectangle(left + j * CELL, top + i * CELL, CELL, CELL, WEIGHT, PAPER)
        sketch.text(left + (j + 0.5) * CELL, top + (i + 0.5) * CELL, str(kernel[i, j]), 22, WHITE, bold=True)


def _fitting(number: str) -> float:
    """The size of the letters with which a number fits into a pixel."""
    return 22 if len(number) < 3 else 19


def _sums(sketch: Sketch, sums: np.ndarray, strengths: np.ndarray, here: tuple[int, int], active: bool) -> None:
    """The output: of what is not known yet the strength is 0; the latest is framed; a click goes to a pixel's step."""
    left, top = _corner(OUTPUT_AT, len(sums))
    for i, j in np.ndindex(sums.shape):
        now = active and (i, j) == here
        fill = OUTPUT if now else tint(OUTPUT, float(strengths[i, j]))
        click = {"step": i * len(sums) + j + 1}
        sketch.rectangle(left + j * CELL, top + i * CELL, CELL, CELL, fill, tint(OUTPUT, 0.9), click=click)
        text = str(sums[i, j]) if strengths[i, j] else ""
        colour = WHITE if now else INK
        sketch.text(left + (j + 0.5) * CELL, top + (i + 0.5) * CELL, text, _fitting(text), colour, bold=True)
    frame = left + here[1] * CELL, top + here[0] * CELL
    sketch.rectangle(*frame, CELL, CELL, None, HIGHLIGHT, 4, hidden=not active)


def _sum_line(sketch: Sketch, text: str) -> None:
    sketch.text(WIDTH / 2, SUM_AT, text, 24, bold=True)


def _paragraph(text: str) -> str:
    return f'<p style="font-size:18px">{text}</p>'
