"""The figures of lesson 08: run lengths, which strokes are completed, and paired measurements with their spread."""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from glcic_lite.course.shared.figures import HIGHLIGHT, HOLE, INPUT, OUTPUT, QUIET, WEIGHT
from glcic_lite.mask_canvas.strokes import encode_runs


def draw_runs(ax: Axes, mask: np.ndarray) -> None:
    """A small mask as a grid; in the first pixel of each run the run's length."""
    height, width = mask.shape
    ax.imshow(np.where(mask, 0.75, 1.0), cmap="gray", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(mask), strict=True):
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=HOLE, hatch="///", edgecolor="white"))
    start = 0
    for number, length in enumerate(encode_runs(mask)):
        row, column = divmod(start, width)
        if length:
            ax.text(
                column,
                row,
                length,
                ha="center",
                va="center",
                fontsize=13,
                fontweight="bold",
                color="black",
                bbox={"boxstyle": "circle,pad=0.25", "facecolor": "white", "edgecolor": HOLE if number % 2 else QUIET},
            )
        start += length
    ax.set_xticks(np.arange(-0.5, width), [])
    ax.set_yticks(np.arange(-0.5, height), [])
    ax.grid(color=QUIET, linewidth=0.8)
    ax.tick_params(length=0)


class Span(NamedTuple):
    """A completion: of which stroke, from when to when, in seconds, and whether its answer was shown."""

    stroke: int
    begin: float
    end: float
    shown: bool


def newest_wins(arrivals: Sequence[float], seconds: float) -> list[Span]:
    """What the studio's worker does when strokes arrive at these times, in order, and each completion takes `seconds`.

    It is one worker. Free, it takes the newest stroke that has arrived, if that is one it has not taken yet. An answer
    is shown if no newer stroke has arrived by the time it is ready.
    """
    spans, free, taken = [], 0.0, -1
    while taken < len(arrivals) - 1:
        begin = max(free, arrivals[taken + 1])
        newest = max(n for n, time in enumerate(arrivals) if time <= begin)
        free = begin + seconds
        spans.append(Span(newest, begin, free, not any(begin < time <= free for time in arrivals[newest + 1 :])))
        taken = newest
    return spans


def draw_timeline(ax: Axes, arrivals: Sequence[float], seconds: float) -> None:
    """Strokes as marks on a line of time, completions as bars below: shown, dropped, or never begun."""
    spans = newest_wins(arrivals, seconds)
    begun = {span.stroke for span in spans}
    for number, time in enumerate(arrivals):
        ax.plot([time, time], [0.62, 1.0], color=HOLE, linewidth=3)
        ax.text(time, 1.06, str(number), ha="center", fontsize=12)
        if number not in begun:
            ax.text(time, 0.5, "×", ha="center", va="center", fontsize=15, color=QUIET)
    for span in spans:
        ax.barh(
            0.15,
            span.end - span.begin,
            0.42,
            left=span.begin,
            facecolor=OUTPUT if span.shown else "white",
            edgecolor=OUTPUT if span.shown else QUIET,
            hatch=None if span.shown else "///",
        )
        ax.text(
            (span.begin + span.end) / 2,
            0.15,
            f"{span.stroke}",
            ha="center",
            va="center",
            fontsize=12,
            color="white" if span.shown else "black",
            bbox=None if span.shown else {"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )
    handles = [
        Patch(facecolor=HOLE, label="a stroke ends"),
        Patch(facecolor=OUTPUT, label="completed and shown"),
        Patch(facecolor="white", edgecolor=QUIET, hatch="///", label="completed, dropped"),
        plt.Line2D([], [], color=QUIET, marker="x", linestyle="", markersize=9, label="never begun"),
    ]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=4, fontsize=11)
    ax.set_ylim(-0.1, 1.25)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("seconds")


def draw_spread(ax: Axes, groups: dict[str, Sequence[float]], label: str, paired: bool = True) -> None:
    """Measurements of several groups: a dot each, joined by a line where they belong to the same photo, and the mean.

    Args:
        groups: name of the group, and one value a photo, in the same order in every group.
        label: of the axis, with its unit.
        paired: whether to join the values of one photo.
    """
    values = np.array(list(groups.values()), dtype=float)
    places = np.arange(len(groups))
    if paired:
        ax.plot(places, values, color=QUIET, alpha=0.45, linewidth=1)
    for place, row in zip(places, values, strict=True):
        ax.plot(np.full(row.size, place), row, "o", color=INPUT, markersize=5, alpha=0.8)
    ax.plot(places, values.mean(axis=1), "D-", color=WEIGHT, markersize=9, linewidth=2.5, label="mean")
    ax.set_xticks(places, groups)
    ax.set_xlim(-0.4, len(groups) - 0.6)
    ax.set_ylabel(label)
    ax.legend(loc="best")


def draw_lines(ax: Axes, x: Sequence[float], groups: dict[str, np.ndarray], x_label: str, label: str) -> None:
    """The mean over photos of each group as a line, and the middle half of the photos as a band around it.

    Args:
        groups: name, and values (photos, len(x)).
    """
    styles = zip(("o-", "s--", "^:", "D-."), (OUTPUT, WEIGHT, HIGHLIGHT, INPUT), strict=True)
    for (name, values), (style, colour) in zip(groups.items(), styles, strict=False):
        low, high = np.percentile(values, [25, 75], axis=0)
        ax.fill_between(x, low, high, color=colour, alpha=0.15)
        ax.plot(x, values.mean(axis=0), style, color=colour, linewidth=2.5, markersize=8, label=name)
    ax.set_xlabel(x_label)
    ax.set_ylabel(label)
    if len(groups) > 1:
        ax.legend(loc="best")
