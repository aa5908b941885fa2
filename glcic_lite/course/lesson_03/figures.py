"""The figures of lesson 03: small arrays with their numbers written out."""

import numpy as np
from matplotlib.axes import Axes

from glcic_lite.course.shared.figures import WEIGHT


def draw_matrix(ax: Axes, matrix: np.ndarray, title: str) -> None:
    """A matrix of weights from 0 to 3, each with its number; zeros are pale."""
    ax.imshow(matrix, cmap="Blues", vmin=0, vmax=4.5)
    for (row, column), value in np.ndenumerate(matrix):
        colour, alpha = "white" if value > 2 else WEIGHT, 1 if value else 0.3
        ax.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, alpha=alpha)
    ax.set_title(title)
    ax.set_xlabel("input pixel")
    ax.set_ylabel("output pixel")
    ax.set_xticks(range(matrix.shape[1]))
    ax.set_yticks(range(matrix.shape[0]))


def draw_counts(ax: Axes, counts: np.ndarray, title: str) -> None:
    """How many stamps meet at each pixel: (H, W), up to 9, each with its number."""
    ax.imshow(counts, cmap="Greens", vmin=0, vmax=10)
    for (row, column), value in np.ndenumerate(counts):
        colour = "white" if value > 6 else "black"  # on dark green and on light
        ax.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=11, color=colour)
    ax.set_title(title)
    ax.set_axis_off()
