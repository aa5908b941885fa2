"""The look of the course: one set of colours with one meaning each, one style, captions under every figure."""

import io
import platform
import random
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Image as DisplayedImage
from IPython.display import Markdown, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from glcic_lite.device import choose_device, describe

# One colour, one meaning, in all lessons; taken from Okabe and Ito's colour-blind-safe palette (2008).
INPUT = "#56B4E9"  # sky blue: what goes into an operation
OUTPUT = "#009E73"  # green: what comes out
WEIGHT = "#0B3C6F"  # dark blue: weights, and the taps of a kernel
HOLE = "#CC79A7"  # pink: the hole, or what is unknown
HIGHLIGHT = "#E69F00"  # orange: look here
WRONG = "#D55E00"  # vermilion: errors and failures
QUIET = "#6B7078"  # grey: whatever is only context; dark enough to read, and to tell from HOLE

STYLE = {
    "figure.dpi": 110,
    "savefig.bbox": "tight",
    "savefig.facecolor": "white",
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.prop_cycle": plt.cycler(color=[INPUT, HIGHLIGHT, OUTPUT, HOLE, WRONG, WEIGHT]),
    "image.interpolation": "nearest",
    "legend.frameon": False,
}

Picture = Image.Image | np.ndarray


def set_up(seed: int = 0) -> torch.device:
    """The first cell of every lesson: the course's style, a fixed seed, and a line that says what it runs on.

    Returns:
        The device to compute on.
    """
    plt.rcParams.update(STYLE)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    device = choose_device()
    print(f"Python {platform.python_version()}, torch {torch.__version__}, on {describe(device)}; seed {seed}")
    return device


def caption(text: str) -> None:
    """A sentence under a figure that says what to look for in it."""
    display(Markdown(f"*{text}*"))


def show_figure(figure: Figure, alternative_text: str = "") -> None:
    """Show a figure that holds photos, as JPEG: as PNG it would be five times as large, and the notebook too large.

    Args:
        figure: closed afterwards.
        alternative_text: what a screen reader reads out.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", dpi=96, pil_kwargs={"quality": 80, "optimize": True})
    plt.close(figure)
    display(DisplayedImage(data=buffer.getvalue(), format="jpeg", alt=alternative_text or None))


class LivePicture:
    """A picture that changes in place while a cell runs, and stays, as an ordinary PNG, when the cell has finished.

    No widget is involved: the last picture is saved with the notebook like any other.
    """

    def __init__(self):
        self._handle = None

    def show(self, figure: Figure) -> None:
        """Draw a figure in the place of the last one, and close it."""
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=plt.rcParams["figure.dpi"])
        plt.close(figure)
        picture = DisplayedImage(data=buffer.getvalue(), format="png")
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)


def show_drawing(figure: Figure, alternative_text: str) -> None:
    """Show a figure of lines and areas, without photos, as a PNG of 64 colours: a third as large as one of all colours.

    Args:
        figure: closed afterwards.
        alternative_text: what a screen reader reads out.
    """
    full, small = io.BytesIO(), io.BytesIO()
    figure.savefig(full, format="png", dpi=plt.rcParams["figure.dpi"])
    plt.close(figure)
    Image.open(full, formats=["PNG"]).convert("RGB").quantize(64).save(small, format="PNG", optimize=True)
    display(DisplayedImage(data=small.getvalue(), format="png", alt=alternative_text))


def show_pictures(
    pictures: Sequence[Picture] | Sequence[Sequence[Picture]],
    titles: Sequence[str] | Sequence[Sequence[str]] = (),
    caption_text: str | None = None,
    row_titles: Sequence[str] = (),
    width: float = 11.0,
) -> None:
    """Photos side by side, in one row or several, with titles above and a caption below.

    Args:
        pictures: a row, or a list of rows, of PIL images or arrays; those of a row have the same size.
        titles: above the first row; or a list for each row.
        caption_text: the sentence under the figure, also its alternative text.
        row_titles: left of each row.
        width: of the whole figure, in inches.
    """
    rows = [list(row) for row in pictures] if isinstance(pictures[0], (list, tuple)) else [list(pictures)]
    columns = max(len(row) for row in rows)
    above = [list(row) for row in titles] if titles and not isinstance(titles[0], str) else [list(titles)]
    gap, left = 0.1, 0.35 if row_titles else 0.0  # in inches
    tops = [0.35 if i < len(above) and above[i] else 0.0 for i in range(len(rows))]
    picture_width = (width - left - gap * (columns - 1)) / columns
    heights = [picture_width * np.asarray(row[0]).shape[0] / np.asarray(row[0]).shape[1] for row in rows]
    total = sum(tops) + sum(heights) + gap * (len(rows) - 1)
    figure = plt.figure(figsize=(width, total))
    y = total
    for i, row in enumerate(rows):
        y -= tops[i] + heights[i]
        for j, picture in enumerate(row):
            x = left + j * (picture_width + gap)
            axes = figure.add_axes((x / width, y / total, picture_width / width, heights[i] / total))
            show_picture(axes, picture, above[i][j] if i < len(above) and j < len(above[i]) else "")
        if i < len(row_titles):
            figure.text(
                left / 2 / width, (y + heights[i] / 2) / total, row_titles[i], rotation=90, ha="center", va="center"
            )
        y -= gap
    show_figure(figure, caption_text or "")
    if caption_text:
        caption(caption_text)


def show_picture(axes: Axes, picture: Picture, title: str = "") -> None:
    """One photo, without ticks or frame."""
    axes.imshow(np.asarray(picture), interpolation="antialiased")
    axes.set_axis_off()
    if title:
        axes.set_title(title)


def draw_seeds(
    ax: Axes,
    values: Mapping[str, Sequence[float]],
    label: str,
    styles: Sequence[tuple[str, str]] = ((OUTPUT, "o"), (OUTPUT, "s"), (OUTPUT, "D")),
) -> None:
    """One row for each kind of network: a point for each seed, with the seed's number, and a bar at their mean.

    Args:
        values: for each kind, one number a seed.
        label: what the numbers are.
        styles: colour and marker of each kind. By default all are green, as outputs are; the row says which is which.
    """
    for row, (numbers, (colour, marker)) in enumerate(zip(values.values(), styles, strict=True)):
        mean = np.mean(numbers)
        ax.plot([mean] * 2, [row - 0.4, row + 0.4], color="black", linewidth=2.5)
        for seed, number in enumerate(numbers):
            height = row + 0.28 * (seed - (len(numbers) - 1) / 2)  # side by side, so that equal points stay apart
            ax.plot(number, height, marker, color=colour, markersize=9)
            away = -8 if number < mean else 8  # from the bar, which would strike the number through
            side = "right" if away < 0 else "left"
            ax.annotate(
                str(seed), (number, height), (away, 0), textcoords="offset points", ha=side, va="center", fontsize=9.5
            )
    ax.set_yticks(range(len(values)), values)
    ax.set_ylim(len(values) - 0.45, -0.55)
    ax.margins(x=0.1)
    ax.locator_params(axis="x", nbins=6)
    ax.set_xlabel(label)


def with_hole(photo: Picture, mask: np.ndarray) -> np.ndarray:
    """A photo with its hole marked in pink with diagonal stripes, so that colour is not the only sign.

    Args:
        photo: PIL image or (H, W, 3) array.
        mask: (H, W) bool, the hole.

    Returns:
        (H, W, 3) uint8.
    """
    shown = np.array(photo)[..., :3].copy()
    rows, columns = np.indices(mask.shape)
    stripe = max(4, max(mask.shape) // 80)
    light = (rows + columns) // stripe % 2 == 0
    pink = np.array([int(HOLE[i : i + 2], 16) for i in (1, 3, 5)])
    shown[mask & light] = pink
    shown[mask & ~light] = np.rint(pink * 0.45 + 255 * 0.55)
    return shown
