"""The figures of lesson 08: run lengths, which strokes are completed, and paired measurements with their spread."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from glcic_lite.course.shared.figures import HIGHLIGHT, HOLE, INPUT, OUTPUT, QUIET, WEIGHT, show_drawing
from glcic_lite.mask_canvas.strokes import encode_runs
from glcic_lite.mask_canvas.worker import Worker


def show_runs(mask: np.ndarray) -> None:
    """A small mask as a grid; in the first pixel of each run the run's length."""
    figure, ax = plt.subplots(figsize=(9, 4.4), layout="constrained")
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
    show_drawing(figure, "A small mask as a grid, with the length of each run in its first pixel.")


class Span(NamedTuple):
    """A completion: of which stroke, from when to when, in seconds, and whether its answer was shown."""

    stroke: int
    begin: float
    end: float
    shown: bool


def newest_wins(arrivals: Sequence[float], seconds: float) -> list[Span]:
    """What the studio's `Worker` does when strokes arrive at these times, in order, and a completion takes `seconds`.

    It is the worker itself, but without a thread and on a clock of its own, so that the same strokes always give the
    same picture, at once.
    """
    spans, clock, coming, to_run = [], 0.0, list(enumerate(arrivals)), []
    worker = Worker(start=to_run.append)

    def let_strokes_arrive() -> None:
        while coming and coming[0][1] <= clock:
            number, _ = coming.pop(0)
            worker.ask(partial(complete, number), show)

    def complete(stroke: int) -> None:
        nonlocal clock
        begin, clock = clock, clock + seconds
        spans.append(Span(stroke, begin, clock, shown=False))
        let_strokes_arrive()

    def show(_answer: None) -> None:
        spans[-1] = spans[-1]._replace(shown=True)

    while coming:
        clock = max(clock, coming[0][1])
        let_strokes_arrive()
        to_run.pop()()
    return spans


def show_timeline(arrivals: Sequence[float], seconds: float) -> None:
    """Strokes as marks on a line of time, completions as bars below: shown, dropped, or never begun."""
    figure, ax = plt.subplots(figsize=(10.5, 2.9), layout="constrained")
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
    shown = sum(span.shown for span in spans)
    show_drawing(
        figure,
        f"A line of time with {len(arrivals)} strokes and the completions below them: {len(spans) - shown} dropped, "
        f"{shown} shown.",
    )


def show_spread(panels: dict[str, dict[str, Sequence[float]]], label: str, alternative_text: str) -> None:
    """Measurements of several groups: a dot each, joined by a line where they belong to the same photo, and the mean.

    Args:
        panels: title of a panel (none if empty), and its groups: name, and one value per photo, in the same order in
            every group.
        label: of the axis, with its unit.
    """
    size = (9 if len(panels) == 1 else 10.5, 3.8)
    figure, axes = plt.subplots(1, len(panels), figsize=size, layout="constrained", sharey=True, squeeze=False)
    for ax, (title, groups) in zip(axes[0], panels.items(), strict=True):
        _draw_spread(ax, groups)
        ax.set_title(title)
    axes[0, 0].set_ylabel(label)
    show_drawing(figure, alternative_text)


def _draw_spread(ax: Axes, groups: dict[str, Sequence[float]]) -> None:
    values = np.array(list(groups.values()), dtype=float)
    places = np.arange(len(groups))
    ax.plot(places, values, color=QUIET, alpha=0.45, linewidth=1)
    for place, row in zip(places, values, strict=True):
        ax.plot(np.full(row.size, place), row, "o", color=INPUT, markersize=5, alpha=0.8)
    ax.plot(places, values.mean(axis=1), "D-", color=WEIGHT, markersize=9, linewidth=2.5, label="mean")
    if values.min() < 0:
        ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xticks(places, groups)
    ax.set_xlim(-0.4, len(groups) - 0.6)
    ax.legend(loc="best")


def show_lines(
    x: Sequence[float],
    groups: dict[str, np.ndarray],
    x_label: str,
    label: str,
    alternative_text: str,
    marked: float | None = None,
) -> None:
    """The mean over photos of each group as a line, and the middle half of the photos as a band around it.

    Args:
        groups: name, and values (photos, len(x)).
        marked: where on the x axis a dashed line stands.
    """
    figure, ax = plt.subplots(figsize=(9, 3.8), layout="constrained")
    styles = zip(("o-", "s--", "^:", "D-."), (OUTPUT, WEIGHT, HIGHLIGHT, INPUT), strict=True)
    for (name, values), (style, colour) in zip(groups.items(), styles, strict=False):
        low, high = np.percentile(values, [25, 75], axis=0)
        ax.fill_between(x, low, high, color=colour, alpha=0.15)
        ax.plot(x, values.mean(axis=0), style, color=colour, linewidth=2.5, markersize=8, label=name)
    if marked is not None:
        ax.axvline(marked, color=HIGHLIGHT, linestyle="--")
    ax.set_xlabel(x_label)
    ax.set_ylabel(label)
    if len(groups) > 1:
        ax.legend(loc="best")
    show_drawing(figure, alternative_text)
