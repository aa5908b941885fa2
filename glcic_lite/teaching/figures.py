"""The look of the course: one set of colours with one meaning each, one style, captions under every figure."""

import platform
import random
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
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
QUIET = "#8A8F98"  # grey: everything that is only context

STYLE = {
    "figure.dpi": 110,
    "savefig.bbox": "tight",
    "savefig.facecolor": "white",
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titleweight": "semibold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.prop_cycle": plt.cycler(color=[INPUT, HIGHLIGHT, OUTPUT, HOLE, WRONG, WEIGHT]),
    "image.interpolation": "nearest",
    "legend.frameon": False,
}

Picture = Image.Image | np.ndarray


def set_up(seed: int = 0) -> torch.device:
    """The first cell of every lesson: the course's style, a fixed seed, and a line that says on what it runs.

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
    """A sentence under a figure, saying what is to be seen in it."""
    display(Markdown(f"*{text}*"))


def show_pictures(
    pictures: Sequence[Picture] | Sequence[Sequence[Picture]],
    titles: Sequence[str] = (),
    caption_text: str | None = None,
    row_titles: Sequence[str] = (),
    width: float = 11.0,
) -> Figure:
    """Photos beside each other, in one row or several, at equal height, with titles above and a caption below.

    Args:
        pictures: a row, or a list of rows, of PIL images or arrays; those of a row have the same size.
        titles: above the first row.
        caption_text: the sentence under the figure.
        row_titles: left of each row.
        width: of the whole figure, in inches.
    """
    rows = [list(row) for row in pictures] if isinstance(pictures[0], (list, tuple)) else [list(pictures)]
    columns = max(len(row) for row in rows)
    shapes = [np.asarray(row[0]).shape for row in rows]
    heights = [width / columns * shape[0] / shape[1] for shape in shapes]
    figure, axes = plt.subplots(
        len(rows),
        columns,
        figsize=(width, sum(heights) + 0.35 * len(rows)),
        squeeze=False,
        gridspec_kw={"height_ratios": heights},
        layout="constrained",
    )
    for i, row in enumerate(rows):
        for j in range(columns):
            axes[i, j].set_axis_off()
            if j < len(row):
                show_picture(axes[i, j], row[j], titles[j] if i == 0 and j < len(titles) else "")
        if i < len(row_titles):
            axes[i, 0].text(
                -0.03, 0.5, row_titles[i], rotation=90, ha="right", va="center", transform=axes[i, 0].transAxes
            )
    plt.show()
    if caption_text:
        caption(caption_text)
    return figure


def show_picture(axes: Axes, picture: Picture, title: str = "") -> None:
    """One photo, without ticks or frame."""
    axes.imshow(np.asarray(picture), interpolation="antialiased")
    axes.set_axis_off()
    if title:
        axes.set_title(title)


def with_hole(photo: Picture, mask: np.ndarray) -> np.ndarray:
    """A photo with its hole marked: pink with diagonal stripes, so that colour is not the only sign. (H, W, 3) uint8."""
    shown = np.array(photo)[..., :3].copy()
    rows, columns = np.indices(mask.shape)
    stripe = max(4, max(mask.shape) // 80)
    light = (rows + columns) // stripe % 2 == 0
    pink = np.array([int(HOLE[i : i + 2], 16) for i in (1, 3, 5)])
    shown[mask & light] = pink
    shown[mask & ~light] = np.rint(pink * 0.45 + 255 * 0.55)
    return shown
