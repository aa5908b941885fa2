"""The figures of lesson 02: a test pattern made smaller, and what the layers of a network cost."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from glcic_lite.course.shared.figures import OUTPUT, QUIET


def zone_plate(side: int = 256) -> Tensor:
    """Rings that get finer outwards, until one light pixel follows one dark one: (1, 1, side, side) in [0, 1].

    Where a reduced picture shows rings elsewhere than around the middle, it shows what was never there: aliasing.
    """
    axis = torch.arange(side, dtype=torch.float64) - side / 2
    squared = axis[:, None] ** 2 + axis[None, :] ** 2
    return (0.5 + 0.5 * torch.cos(np.pi * squared / side)).float()[None, None]


def draw_plates(axes: Sequence[Axes], plates: dict[str, Tensor]) -> None:
    """Grey pictures (1, 1, H, W) in [0, 1] with titles: the first smoothed, the reduced ones with visible pixels."""
    for ax, (name, plate) in zip(axes, plates.items(), strict=True):
        # Without smoothing, the screen's pixels would add rings of their own to the full plate.
        interpolation = "antialiased" if ax is axes[0] else "nearest"
        ax.imshow(plate[0, 0], cmap="gray", vmin=0, vmax=1, interpolation=interpolation)
        ax.set_title(name, fontsize=12)
        ax.set_axis_off()


def draw_costs(axes: Sequence[Axes], operations: dict[str, np.ndarray], memory: dict[str, np.ndarray]) -> None:
    """Two rows of bars for each of two networks: the multiplications of each layer, and the bytes of its output."""
    for ax, costs, unit, divisor, title in (
        (axes[0], operations, "billion multiplications", 1e9, "computation"),
        (axes[1], memory, "MiB", 2**20, "memory for the layer's output"),
    ):
        styles = zip(costs.items(), (OUTPUT, QUIET), (None, "///"), (-0.2, 0.2), strict=True)
        for (name, numbers), colour, hatch, shift in styles:
            places = np.arange(1, len(numbers) + 1)
            ax.bar(places + shift, numbers / divisor, 0.4, color=colour, hatch=hatch, edgecolor="white", label=name)
        ax.set_xticks(places)
        ax.set_xlabel("layer")
        ax.set_ylabel(unit)
        ax.set_title(title)
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)


def draw_flicker(ax: Axes, ways: dict[str, tuple[float, float]], blurs: dict[float, tuple[float, float]]) -> None:
    """Flicker over detail, for ways of shrinking (named) and for ever stronger blurs (a line, named by their width).

    A blur of 0 is a bare stride, which has its name already.
    """
    ax.plot(*zip(*blurs.values(), strict=True), color=QUIET, marker="o", linestyle="--")
    for sigma, place in blurs.items():
        if sigma == 0:
            continue
        ax.annotate(f"Gaussian, {sigma:g} px", place, xytext=(8, -12), textcoords="offset points", fontsize=10)
    for name, place in ways.items():
        ax.plot(*place, color=OUTPUT, marker="s", markersize=9, linestyle="")
        ax.annotate(name, place, xytext=(-8, 8), textcoords="offset points", fontsize=11, ha="right")
    ax.set_xlabel("detail: differences between neighbours (average pooling: 1)")
    ax.set_ylabel("flicker (lower is steadier)")
    ax.set_ylim(0)
