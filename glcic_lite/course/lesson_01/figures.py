"""The figures of lesson 01: receptive fields over a photo, layer by layer and as heat maps; times; errors."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from glcic_lite.course.shared.figures import HIGHLIGHT, HOLE, INPUT, OUTPUT, QUIET, show_figure, with_hole
from glcic_lite.method.masks import Box
from glcic_lite.method.receptive_field import FieldAfterLayer


def show_views(photo, mask: np.ndarray, views: Sequence[Box], titles: Sequence[str], alternative_text: str) -> None:
    """The same photo once for each view; what lies outside the view is pale.

    Args:
        photo: PIL image or (H, W, 3) array.
        mask: (H, W) bool, the hole.
        views: for each copy, the box that one output pixel sees.
        titles: one for each copy.
        alternative_text: what a screen reader reads out.
    """
    figure, axes = plt.subplots(1, len(views), figsize=(12, 12 / len(views) * mask.shape[0] / mask.shape[1] + 0.4),
                                layout="constrained")  # fmt: skip
    shown = with_hole(photo, mask)
    for ax, view, title in zip(axes, views, titles, strict=True):
        pale = np.rint(255 - (255 - shown.astype(float)) * 0.22).astype(np.uint8)
        inside = (slice(max(view.top, 0), view.bottom), slice(max(view.left, 0), view.right))
        pale[inside] = shown[inside]
        ax.imshow(pale, interpolation="antialiased")
        ax.add_patch(Rectangle((view.left - 0.5, view.top - 0.5), view.width, view.height, fill=False,
                               edgecolor=HIGHLIGHT, linewidth=3))  # fmt: skip
        ax.plot((view.left + view.right) / 2, (view.top + view.bottom) / 2, marker="+", color="black", markersize=16,
                markeredgewidth=2.5)  # fmt: skip
        ax.set_xlim(-0.5, mask.shape[1] - 0.5)
        ax.set_ylim(mask.shape[0] - 0.5, -0.5)
        ax.set_axis_off()
        ax.set_title(title)
    show_figure(figure, alternative_text)


def draw_times(ax: Axes, dilations: Sequence[int], dilated: Sequence[float], zero_filled: Sequence[float]) -> None:
    """The time of a dilated convolution and of its zero-filled kernel, relative to no dilation; both axes are logs."""
    ax.plot(dilations, np.array(zero_filled) / dilated[0], "s--", color=QUIET, label="zero-filled large kernel")
    ax.plot(dilations, np.array(dilated) / dilated[0], "o-", color=OUTPUT, label="dilated 3 × 3 kernel")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(dilations, [str(dilation) for dilation in dilations])
    ax.set_xlabel("dilation")
    ax.set_ylabel("time, relative to\nan undilated 3 × 3")
    ax.legend()


def draw_growth(ax: Axes, dilated: Sequence[FieldAfterLayer], plain: Sequence[FieldAfterLayer]) -> None:
    """The field after every layer of two networks, as bars with a number at the end of each."""
    positions = np.arange(len(dilated))
    for rows, colour, hatch, shift, name in (
        (dilated, INPUT, None, -0.2, "dilations 2, 4, 8, 16 in layers 7 to 10"),
        (plain, QUIET, "///", 0.2, "the same layers undilated"),
    ):
        fields = [row.field for row in rows]
        ax.barh(positions + shift, fields, 0.38, color=colour, hatch=hatch, edgecolor="white", label=name)
        for y, field in zip(positions + shift, fields, strict=True):
            ax.text(field + 3, y, str(field), va="center", fontsize=9.5)
    labels = [
        f"{row.layer.number} {row.layer.kind}" + (f" ×{row.layer.dilation}" if row.layer.dilation > 1 else "")
        for row in dilated
    ]
    ax.set_yticks(positions, labels)
    ax.invert_yaxis()
    ax.set_xlabel("field of one output pixel of this layer, in pixels of the photo")
    ax.legend(loc="upper right", fontsize=12)


DECADES = 4  # that a logarithmic map of influence spans


def draw_heat(
    ax: Axes, values: np.ndarray, title: str, square: int | None = None, hole: Box | None = None, log: bool = False
) -> AxesImage:
    """A map of influence, black where there is none; its square root is shown, or only the peak would be visible.

    Args:
        values: (H, W), 0 or more.
        square: side of the theoretical field, framed in orange around the middle.
        hole: framed in pink, dashed.
        log: show the logarithm instead, over `DECADES` powers of ten; less than that is black, too.
    """
    shares = values / values.max()
    if log:
        norm = LogNorm(10.0**-DECADES, 1)
        image = ax.imshow(shares.clip(norm.vmin), cmap="inferno", norm=norm, interpolation="nearest")
    else:
        image = ax.imshow(np.sqrt(shares), cmap="inferno", vmin=0, vmax=1, interpolation="nearest")
    ax.set_title(title, fontsize=12.5)
    ax.set_xticks([])
    ax.set_yticks([])
    height, width = values.shape
    if square:
        corner = (width / 2 - square / 2 - 0.5, height / 2 - square / 2 - 0.5)
        ax.add_patch(Rectangle(corner, square, square, fill=False, edgecolor=HIGHLIGHT, linewidth=2))
    if hole:
        ax.add_patch(Rectangle((hole.left - 0.5, hole.top - 0.5), hole.width, hole.height, fill=False,
                               edgecolor=HOLE, linewidth=2, linestyle="--"))  # fmt: skip
    return image


def influence_figure(maps: dict[str, np.ndarray], squares: Sequence[int], hole: Box) -> Figure:
    """Maps of influence side by side on one logarithmic scale, each relative to its own largest value."""
    figure, axes = plt.subplots(1, len(maps), figsize=(12, 4.3), layout="constrained")
    for ax, (name, values), square in zip(axes, maps.items(), squares, strict=True):
        image = draw_heat(ax, values, name, square, hole, log=True)
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.set_ticks([10.0**-power for power in range(DECADES + 1)], labels=["1", "1/10", "1/100", "1/1,000", "1/10,000"])
    bar.minorticks_off()
    bar.set_label("influence (largest = 1)", fontsize=11)
    return figure


def influence_radius(values: np.ndarray, share: float, centre: tuple[int, int] | None = None) -> int:
    """Half the side, in pixels, of the centred square that holds this share of a map's total."""
    row, column = centre or (values.shape[0] // 2, values.shape[1] // 2)
    rows, columns = np.indices(values.shape)
    distance = np.maximum(abs(rows - row), abs(columns - column))
    totals = np.cumsum(np.bincount(distance.ravel(), weights=values.ravel()))
    return int(np.searchsorted(totals, share * totals[-1]))


def training_figure(
    pictures: dict[str, np.ndarray], courses: dict[str, list[tuple[int, float]]], constant: float, steps: int, side: int
) -> Figure:
    """Two networks in training, side by side: a photo, its hole, what each network paints now, and both errors.

    Args:
        pictures: by title; the middle of each, `side` pixels wide, is framed.
        courses: for each network, steps and errors in that middle so far.
        constant: the error there of the training photos' mean colour.
        steps: of the whole training.
    """
    figure, axes = plt.subplots(1, len(pictures) + 1, figsize=(12, 2.9), layout="constrained",
                                gridspec_kw={"width_ratios": [1] * len(pictures) + [1.8]})  # fmt: skip
    for ax, (title, picture) in zip(axes, pictures.items(), strict=False):
        ax.imshow(picture, interpolation="nearest")
        corner = (picture.shape[0] - side) / 2 - 0.5
        ax.add_patch(Rectangle((corner, corner), side, side, fill=False, edgecolor=HIGHLIGHT, linewidth=2))
        ax.set_title(title, fontsize=12)
        ax.set_axis_off()
    draw_courses(axes[-1], {name: [course] for name, course in courses.items()}, constant)
    axes[-1].set_xlim(0, 1.03 * steps)
    return figure


def draw_courses(ax: Axes, courses: dict[str, list[list[tuple[int, float]]]], constant: float) -> None:
    """The error in the middle of the hole in the course of trainings, for two networks: the mean, and all seeds' span.

    Args:
        courses: for each network, for each seed, steps and errors; the same steps for all seeds.
        constant: the error of the training photos' mean colour.
    """
    ax.axhline(constant, color="black", linestyle=":", linewidth=2, label="the training photos' mean colour")
    for (name, runs), colour, style in zip(courses.items(), (QUIET, OUTPUT), ("s--", "o-"), strict=True):
        steps = [step for step, _ in runs[0]]
        errors = np.array([[error for _, error in run] for run in runs])
        ax.plot(steps, errors.mean(0), style, color=colour, markersize=5, linewidth=2, label=name)
        ax.fill_between(steps, errors.min(0), errors.max(0), color=colour, alpha=0.3)
    ax.set_ylim(0.15, 0.3)
    ax.set_xlabel("training step")
    ax.set_title("error in the middle 8 px (of 1)", fontsize=12)
    ax.legend(fontsize=10, loc="lower left")


def draw_errors(ax: Axes, errors: dict[str, list[np.ndarray]], blind: np.ndarray) -> None:
    """The error at each distance from the rim, for two networks: the mean, and a band that spans the seeds.

    Args:
        errors: for each network, a curve for each seed.
        blind: the curve of the training photos' mean colour.
    """
    ax.plot(blind, ":", color="black", linewidth=2, label="the training photos' mean colour")
    for (name, curves), colour, style in zip(errors.items(), (QUIET, OUTPUT), ("s--", "o-"), strict=True):
        ax.plot(np.mean(curves, axis=0), style, color=colour, markersize=5, label=name)
        ax.fill_between(range(len(blind)), np.min(curves, axis=0), np.max(curves, axis=0), color=colour, alpha=0.3)
    ax.set_xlabel("distance to the rim of the hole, in pixels")
    ax.set_title("error by the distance to the rim", fontsize=12)
    ax.set_ylabel("error (root mean square,\nwhite − black = 1)")
    ax.set_ylim(0.1)
    ax.legend(loc="lower right", fontsize=10)
