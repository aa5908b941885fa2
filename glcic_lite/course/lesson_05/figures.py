"""The figures of lesson 05: the toy game, its counts, what discriminators see, say and look at."""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from glcic_lite.course.lesson_05.defects import PATCH
from glcic_lite.course.lesson_05.this_hole import close_up, relative
from glcic_lite.course.lesson_05.toy_gan import FOG, strips
from glcic_lite.course.shared.discriminator_scores import CropWithHole
from glcic_lite.course.shared.figures import (
    HIGHLIGHT,
    HOLE,
    INPUT,
    OUTPUT,
    QUIET,
    WEIGHT,
    WRONG,
    show_drawing,
    show_figure,
)
from glcic_lite.method.masks import Box

LOW, HIGH = -0.75, 1.75  # the part of the plane that is drawn
JUDGED = LinearSegmentedColormap.from_list("judged", ["#9aa0a8", "white"])  # grey: counterfeit, white: real


# The toy


def draw_plane(ax: Axes, police: Callable[[Tensor], Tensor] | None, real: Tensor) -> None:
    """The plane of the two hidden pixels: real ones as blue crosses, on what the police think of every point.

    Args:
        police: (N, 2) to logits (N,) or (N, 1); None leaves the plane white.
        real: (N, 2).
    """
    if police is not None:
        axis = torch.linspace(LOW, HIGH, 60)
        points = torch.cartesian_prod(axis, axis)
        with torch.no_grad():
            judged = torch.sigmoid(police(points)).view(60, 60).T
        levels = np.linspace(0, 1, 11)  # bands of a tenth
        ax.contourf(axis, axis, judged, levels, cmap=JUDGED)
        ax.contour(axis, axis, judged, [0.5], colors=QUIET, linewidths=1.2)
    ax.plot(*real.T, "x", color=INPUT, markersize=6, label="real")
    ax.set(xlim=(LOW, HIGH), ylim=(LOW, HIGH), xticks=(0, 1), yticks=(0, 1), aspect="equal")
    ax.set_xlabel("first hidden pixel")
    ax.set_ylabel("second hidden pixel")


def draw_strips(ax: Axes, columns: Tensor) -> None:
    """Strips of eight pixels, one standing column each, side by side; the hole between the pink lines."""
    ax.imshow(columns.T.clamp(0, 1), cmap="gray", vmin=0, vmax=1, aspect="auto", extent=(0, len(columns), 8, 0))
    for edge in (3, 5):
        ax.axhline(edge, color=HOLE, linewidth=2, linestyle="--")
    ax.set_yticks((1.5, 4, 6.5), ["known", "hole", "known"], fontsize=11)
    ax.tick_params(left=False)


def game_figure(
    police: Callable[[Tensor], Tensor], real: Tensor, history: Tensor, losses: dict[str, list[float]], steps: int
) -> Figure:
    """One frame of a training: the plane with the counterfeiter's way through it, its strips so far, both losses.

    Args:
        history: (snapshots, 1, 2), the one fill at each snapshot so far.
        losses: by name, one number a step.
        steps: of the whole training.
    """
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained", width_ratios=(1, 1.35, 1.35))
    draw_plane(axes[0], police, real)
    trail = history[:, 0]
    axes[0].plot(*trail[-25:].T, "-", color=OUTPUT, linewidth=1.5)
    axes[0].plot(*trail[-1], "o", color=OUTPUT, markeredgecolor="black", markersize=10, label="counterfeit")
    axes[0].legend(loc="lower right", fontsize=10, frameon=True)
    axes[0].set_title("pale: judged real", fontsize=12.5)
    draw_strips(axes[1], strips(trail))
    snapshots = len(trail) * steps / max(len(next(iter(losses.values()))), 1)
    axes[1].set_xlim(0, snapshots)
    axes[1].set_xticks(np.linspace(0, snapshots, 3), [f"{n:.0f}" for n in np.linspace(0, steps, 3)])
    axes[1].set_xlabel("training step")
    axes[1].set_title("the counterfeit strip, step by step")
    for (name, values), colour, style in zip(losses.items(), (WEIGHT, OUTPUT), ("-", "--"), strict=True):
        axes[2].plot(range(0, len(values), 10), values[::10], style, color=colour, linewidth=1.4, label=name)
    axes[2].set_xlim(0, steps)
    axes[2].set_ylim(0, 3)
    axes[2].set_xlabel("training step")
    axes[2].set_title("losses")
    axes[2].legend(fontsize=11)
    return figure


def compare_figure(histories: dict[str, Tensor], real: Tensor) -> Figure:
    """Several trainings: above, where in the plane the fills were in the last third; below, a strip in time.

    Args:
        histories: by name, (snapshots, N, 2).
    """
    figure, axes = plt.subplots(
        2, len(histories), figsize=(12, 5.6), layout="constrained", height_ratios=(2.1, 1), squeeze=False
    )
    for column, (name, history) in enumerate(histories.items()):
        above, below = axes[:, column]
        draw_plane(above, None, real)
        last = history[-(len(history) // 3) :]
        if history.shape[1] == 1:
            above.plot(*last[:, 0].T, "-", color=OUTPUT, linewidth=1)
            above.plot(*last[:, 0].T, "o", color=OUTPUT, markersize=4.5, alpha=0.7)
        else:
            above.plot(*last[-1].T, "o", color=OUTPUT, markersize=4.5, alpha=0.7)
        above.plot(*FOG, "*", color=WRONG, markersize=14, markeredgecolor="white")
        above.set_title(name, fontsize=12.5)
        draw_strips(below, strips(history[:, 0]))
        below.set_xticks(())
        below.set_xlabel("time →")
        if column:
            above.set_ylabel("")
            below.set_yticks(())
    return figure


def dots_figure(
    measures: dict[str, dict[str, Sequence[float]]], limits: dict[str, tuple[float, float]], guessing: bool = False
) -> Figure:
    """One panel a measure, one row a way of training, one dot a seed, a line at their mean.

    Args:
        measures: measure to way to one number a seed.
        limits: of each measure's axis.
        guessing: whether the measures are shares of which guessing reaches one half, which is then marked.
    """
    names = list(next(iter(measures.values())))
    figure, axes = plt.subplots(
        1, len(measures), figsize=(12, 0.55 * len(names) + 1.3), layout="constrained", sharey=True
    )
    for ax, (measure, ways) in zip(axes, measures.items(), strict=True):
        for row, name in enumerate(names):
            values = np.asarray(ways[name], dtype=float)
            spread = np.linspace(-0.22, 0.22, len(values)) if len(values) > 1 else [0]
            ax.plot([values.mean()] * 2, [row - 0.35, row + 0.35], color=WEIGHT, linewidth=2.5)
            ax.plot(values, row + np.asarray(spread), "o", color=OUTPUT, markersize=7, alpha=0.8, clip_on=False)
            ax.axhline(row, color=QUIET, linewidth=0.6, zorder=0)
        ax.set_xlim(*limits[measure])
        ax.set_title(measure, fontsize=12)
        ax.set_ylim(len(names) - 0.5, -0.5)
        if guessing:
            ax.axvline(0.5, color=QUIET, linestyle=":")
            ax.set_xticks((0.5, 0.75, 1), ["50 %\nguessing", "75 %", "100 %"])
    axes[0].set_yticks(range(len(names)), names)
    return figure


def show_strips(strips: dict[str, Tensor], alternative_text: str) -> None:
    """Strips of eight pixels, by title, lying side by side; the hole between the pink lines."""
    figure, axes = plt.subplots(1, len(strips), figsize=(10.5, 1.5), layout="constrained")
    for ax, (title, strip) in zip(axes, strips.items(), strict=True):
        ax.imshow(strip[None], cmap="gray", vmin=0, vmax=1, aspect="auto")
        for edge in (2.5, 4.5):
            ax.axvline(edge, color=HOLE, linewidth=3, linestyle="--")
        ax.set(title=title, xticks=(), yticks=())
    show_drawing(figure, alternative_text)


def pull_figure(
    logits: Tensor, curves: dict[str, tuple[Tensor, Tensor]], pulls: dict[str, Sequence[Sequence[float]]]
) -> Figure:
    """Both ways to write the loss: the loss, its slope, and its pull on the fog while the discriminator learns.

    Args:
        curves: by name, the loss and the size of its slope at the logits.
        pulls: by name, one row for each seed, a number for each step.
    """
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.7), layout="constrained")
    for name, colour, style in zip(curves, (OUTPUT, WEIGHT), ("-", "--"), strict=True):
        for ax, values in zip(axes, curves[name], strict=False):
            ax.plot(logits, values, style, color=colour, label=name, linewidth=2)
        for run in pulls[name]:
            calm = np.convolve(run, np.ones(15) / 15, "valid")  # the mean of 15 steps
            axes[2].plot(np.arange(7, len(run) - 7), calm, style, color=colour, linewidth=1.4)
    for ax in axes[:2]:
        ax.axvspan(-6, -2.5, color=HIGHLIGHT, alpha=0.18)
        ax.set_xlabel("logit of a fake")
    for ax, title in zip(axes, ("the loss", "its pull on the logit", "pull on the fog's pixels"), strict=True):
        ax.set_title(title)
    axes[0].legend(fontsize=10.5, loc="lower left")
    axes[1].text(-5.9, 0.44, "the dis-\ncriminator\nis sure", fontsize=11)
    axes[2].set_yscale("log")
    axes[2].set_xlabel("steps the discriminator is ahead")
    return figure


# What the discriminators are made of


def parameters_figure(rows: Sequence[tuple[str, str, int]]) -> Figure:
    """One bar a layer: how many parameters it has.

    Args:
        rows: (discriminator, layer, number); fully connected layers are those whose name says so, and are hatched.
    """
    figure, ax = plt.subplots(figsize=(10, 0.33 * len(rows) + 0.8), layout="constrained")
    for y, (_, layer, number) in enumerate(rows):
        full = "fully connected" in layer
        ax.barh(
            y, number / 1e6, 0.75, color=WEIGHT if full else INPUT, hatch="///" if full else None, edgecolor="white"
        )
        ax.text(number / 1e6 + 0.08, y, f"{number:,}", va="center", fontsize=10)
    ax.set_yticks(range(len(rows)), [f"{which}: {layer}" for which, layer, _ in rows], fontsize=10.5)
    ax.invert_yaxis()
    ax.set_xlim(0, max(number for *_, number in rows) / 1e6 * 1.15)
    ax.set_xlabel("parameters, in millions")
    return figure


# What they see


def framed(
    ax: Axes, picture: np.ndarray, hole: Box | None = None, patch: Box | None = None, smooth: bool = True
) -> None:
    """A photo with a dashed pink frame around the hole and an orange one around the patch."""
    ax.imshow(picture, interpolation="bicubic" if smooth else "nearest")
    for box, colour, style in ((patch, HIGHLIGHT, "-"), (hole, HOLE, "--")):
        if box is not None:
            corner = (box.left - 0.5, box.top - 0.5)
            ax.add_patch(
                Rectangle(corner, box.width, box.height, fill=False, edgecolor=colour, linewidth=3, linestyle=style,
                          clip_on=False)
            )  # fmt: skip
    ax.set_xticks(())
    ax.set_yticks(())
    for side in ax.spines.values():
        side.set_visible(False)


def show_two_fills(pictures: dict[str, np.ndarray], hole: Box, errors: dict[str, float], alternative_text: str) -> None:
    """A photo with its hole, and the hole filled in several ways, each with its squared error.

    Args:
        pictures: (H, W, 3) uint8, by name.
        errors: mean squared error in the hole, in grey levels, of those that are fills.
    """
    figure, axes = plt.subplots(1, len(pictures), figsize=(10.5, 4.1), layout="constrained")
    for ax, (name, picture) in zip(axes, pictures.items(), strict=True):
        framed(ax, picture, hole)
        ax.set_title(name)
        if name in errors:
            ax.set_xlabel(f"squared error {errors[name]:,.0f}", fontsize=14, fontweight="bold")
    show_figure(figure, alternative_text)


def show_views(rows: Sequence[tuple[str, np.ndarray, np.ndarray, Box, Box]], alternative_text: str) -> None:
    """For each row a photo with its hole and patch, then what the global and what the local discriminator gets.

    Args:
        rows: (title, photo with the hole marked, completed photo, hole, patch).
    """
    figure, axes = plt.subplots(
        len(rows), 3, figsize=(7.5, 2.45 * len(rows) + 0.4), layout="constrained", squeeze=False
    )
    for line, (title, marked, completed, hole, patch) in enumerate(rows):
        framed(axes[line, 0], marked, hole, patch)
        framed(axes[line, 1], completed)
        framed(axes[line, 2], completed[patch.slices])
        axes[line, 0].set_ylabel(title, fontsize=13)
    sides = (completed.shape[0], patch.width)
    axes[0, 0].set_title("hole and patch", fontsize=12)
    for ax, name, side in zip(axes[0, 1:], ("global", "local"), sides, strict=True):
        ax.set_title(f"{name} gets {side} × {side} px", fontsize=12)
    show_figure(figure, alternative_text)


# What the GAN loss does to a hole


def twins_figure(
    crop: CropWithHole, fills: dict[str, np.ndarray], courses: dict[str, list[dict[str, float]]], steps: int
) -> Figure:
    """One frame of a training: the hole as each copy of the network fills it now, and both courses so far.

    Args:
        fills: the completed crop by the way of training, (H, W, 3) uint8.
        courses: by the same names, what was measured at equal distances, the first before the training.
        steps: of the whole training.
    """
    figure, axes = plt.subplots(
        1, len(fills) + 2, figsize=(12, 3.3), layout="constrained", width_ratios=[1] * (len(fills) + 1) + [1.5]
    )
    near = close_up(crop.hole)
    hole = relative(crop.hole, near)
    for ax, (name, picture) in zip(axes, {**fills, "the photo": crop.photo}.items(), strict=False):
        framed(ax, picture[near.slices], hole, smooth=False)
        ax.set_title(name, fontsize=12)
    every = 10
    for (name, course), colour, style in zip(courses.items(), (QUIET, OUTPUT), ("s--", "o-"), strict=True):
        values = [point["texture"] for point in course]
        axes[-1].plot(range(0, every * len(values), every), values, style, color=colour, linewidth=2, label=name)
    axes[-1].axhline(1, color="black", linestyle=":", linewidth=1.5)
    axes[-1].text(steps, 0.98, "the photos' own", ha="right", va="top", fontsize=10)
    axes[-1].set(xlim=(-1, steps + 1), ylim=(0, 1.1), xlabel="training step")
    axes[-1].set_title("texture in the holes", fontsize=12)
    axes[-1].legend(fontsize=10, loc="lower right")
    return figure


# What each alone misses


def show_defects(rows: dict[str, Sequence[np.ndarray]], corners: Tensor, alternative_text: str) -> None:
    """One row a defect, by title, one column a photo; the local patch is framed.

    Args:
        rows: (H, W, 3) uint8 each.
        corners: (photos, 2), top and left of each photo's patch.
    """
    figure, axes = plt.subplots(len(rows), len(corners), figsize=(6.6, 6.9), layout="constrained")
    for line, (title, pictures) in zip(axes, rows.items(), strict=True):
        for ax, picture, (top, left) in zip(line, pictures, corners.tolist(), strict=True):
            framed(ax, picture, patch=Box(left, top, left + PATCH, top + PATCH))
        line[0].set_ylabel(title, fontsize=13)
    show_figure(figure, alternative_text)
