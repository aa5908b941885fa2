"""The figures of lesson 07: what is looked at and computed, how long it takes, squares in a hole, how blends move."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from glcic_lite.course.shared.figures import HIGHLIGHT, INPUT, OUTPUT, QUIET, WEIGHT, show_figure, with_hole
from glcic_lite.method.architecture import COMPLETION_NETWORK
from glcic_lite.method.masks import Box
from glcic_lite.method.receptive_field import reach
from glcic_lite.speed.benchmarks import Measured
from glcic_lite.speed.fast_network import Need
from glcic_lite.speed.quadtree import Quadtree

TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)  # seconds


def show_looked_at(photo, mask: np.ndarray, regions: Sequence[Box], alternative_text: str) -> None:
    """A photo with its hole, pale wherever the network does not look; each region it looks at in an orange frame.

    Args:
        photo: PIL image or (H, W, 3) array.
        mask: (H, W) bool, the hole.
        regions: the crops that the network is run on.
    """
    shown = with_hole(photo, mask)
    pale = np.rint(255 - (255 - shown.astype(float)) * 0.25).astype(np.uint8)
    figure, ax = plt.subplots(figsize=(10, 10 * mask.shape[0] / mask.shape[1]), layout="constrained")
    for region in regions:
        pale[region.slices] = shown[region.slices]
    ax.imshow(pale, interpolation="antialiased")
    for region in regions:
        corner = (region.left - 0.5, region.top - 0.5)
        ax.add_patch(Rectangle(corner, region.width, region.height, fill=False, edgecolor=HIGHLIGHT, linewidth=3))
    ax.set_axis_off()
    show_figure(figure, alternative_text)


def show_margins(margins: Sequence[int], differences: dict[str, list[float]]) -> None:
    """How far crops with ever larger margins differ from the whole photo, on a logarithmic scale.

    Args:
        margins: around the hole, in pixels.
        differences: the largest difference at each margin, in grey levels, by the network's name.
    """
    figure, ax = plt.subplots(figsize=(9.5, 4.2), layout="constrained")
    for (name, values), colour, style in zip(differences.items(), (INPUT, WEIGHT), ("o-", "s--"), strict=True):
        ax.plot(margins, np.maximum(values, 1e-6), style, color=colour, label=name)
    ax.axvline(reach()[0], color=HIGHLIGHT, linewidth=2)
    ax.text(reach()[0] + 2, 3, f"{reach()[0]} px", color="black")
    ax.set_yscale("log")
    ax.set_xlabel("margin around the hole, in pixels")
    ax.set_ylabel("largest difference from the\nwhole photo, in grey levels")
    ax.legend(loc="lower left")
    plt.show()


def show_needs(needs: Sequence[Need], size: int, target: tuple[int, int]) -> None:
    """One bar a layer: the pixels of the photo, along one axis, for which the layer computes its output.

    Args:
        needs: as from `glcic_lite.speed.fast_network.needs`.
        size: of the photo along this axis, in pixels.
        target: the part of the output that is wanted, (first, one past the last).
    """
    _, ax = plt.subplots(figsize=(10.5, 6), layout="constrained")
    jump, rows = 1.0, []
    for layer, need in zip(COMPLETION_NETWORK, needs, strict=True):
        jump *= float(layer.stride)
        rows.append((layer, need.output[0] * jump, need.output[1] * jump))
    for y, (_, first, last) in enumerate(rows):
        ax.barh(y, size, 0.8, color=QUIET, alpha=0.18)
        ax.barh(y, last - first, 0.8, left=first, color=INPUT if y < len(rows) - 1 else OUTPUT)
        ax.text(last + 8, y, f"{last - first:.0f}", va="center", fontsize=10)
    ax.axvspan(*target, facecolor="none", edgecolor=HIGHLIGHT, linewidth=2, linestyle="--")
    labels = [f"{x.number} {x.kind}" + (f" ×{x.dilation}" if x.dilation > 1 else "") for x, *_ in rows]
    ax.set_yticks(range(len(rows)), labels, fontsize=10)
    ax.invert_yaxis()
    ax.set_xlim(0, size)
    ax.set_xlabel("column, in pixels of the photo")
    plt.show()


def show_times(by_photo: Sequence[Measured], by_hole: Sequence[Measured]) -> None:
    """The seconds of `complete` and of the plain network: one hole in ever larger photos, ever larger holes in one."""
    figure, axes = plt.subplots(1, 2, figsize=(11.5, 4.2), layout="constrained", sharey=True)
    megapixels = [row.size[0] * row.size[1] / 1e6 for row in by_photo]
    plain = [(m, row.plain_seconds) for m, row in zip(megapixels, by_photo, strict=True) if row.plain_seconds]
    axes[0].plot(*zip(*plain, strict=True), "s--", color=QUIET, label="plain network, whole photo")
    axes[0].plot(megapixels, [row.seconds for row in by_photo], "o-", color=OUTPUT, label="complete")
    axes[0].set_xlabel(f"photo, in megapixels (hole: {by_photo[0].hole} px)")
    axes[0].set_ylabel("seconds")
    sides = [row.hole for row in by_hole]
    axes[1].plot(sides, [row.seconds for row in by_hole], "o-", color=OUTPUT, label="complete")
    axes[1].axhline(plain[-1][1], linestyle="--", color=QUIET, label="plain network, whole photo")
    width, height = by_hole[0].size
    axes[1].set_xlabel(f"side of the hole, in pixels (photo: {width} × {height})")
    for ax in axes:
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.minorticks_off()
        ax.set_yticks(TICKS, [f"{seconds:g}" for seconds in TICKS])
        ax.legend()
    axes[0].set_ylim(min(row.seconds for row in (*by_photo, *by_hole)) * 0.7, plain[-1][1] * 1.5)
    axes[0].set_xticks(megapixels, [f"{m:.1f}" for m in megapixels])
    axes[1].set_xticks(sides, [str(side) for side in sides])
    plt.show()


def show_squares(tree: Quadtree, mask: np.ndarray) -> None:
    """The squares of a quadtree in two parts of a hole, bool (500, 700): wide, and close to its rim."""
    _, axes = plt.subplots(1, 2, figsize=(11.5, 5.6), layout="constrained")
    _draw_squares(axes[0], tree, mask, (25, 40), 300)
    _draw_squares(axes[1], tree, mask, (120, 90), 60)
    axes[0].set_title("the squares in a part of the hole")
    axes[1].set_title("closer to the rim")
    plt.show()


def _draw_squares(ax: Axes, tree: Quadtree, mask: np.ndarray, corner: tuple[int, int], side: int) -> None:
    """The squares of a quadtree in a part of the photo, `side` pixels wide, from (row, column) `corner` on."""
    top, left = corner
    ax.imshow(np.where(mask[..., None], 255, 205).astype(np.uint8).repeat(3, axis=2), extent=_pixels(mask))
    for level, squares in enumerate(tree.squares):
        size = 2**level
        near = squares[
            (squares[:, 0] >= top - size) & (squares[:, 0] < top + side)
            & (squares[:, 1] >= left - size) & (squares[:, 1] < left + side)
        ]  # fmt: skip
        patches = [Rectangle((column - 0.5, row - 0.5), size, size) for row, column in near]
        ax.add_collection(PatchCollection(patches, facecolor="none", edgecolor=INPUT, linewidth=0.8))
    ax.set_xlim(left, left + side)
    ax.set_ylim(top + side, top)
    ax.set_axis_off()


def _pixels(mask: np.ndarray) -> tuple[float, float, float, float]:
    height, width = mask.shape
    return -0.5, width - 0.5, height - 0.5, -0.5


def show_moves(before: np.ndarray, blends: dict[str, np.ndarray], mask: np.ndarray, alternative_text: str) -> None:
    """How far each blend moved a picture that it should have left alone: maps of grey levels, one scale for all.

    Args:
        before: (H, W, 3) uint8, the picture.
        blends: what each way of blending made of it, by name.
        mask: (H, W) bool, the hole.
    """
    figure, axes = plt.subplots(1, len(blends), figsize=(11.5, 3.6), layout="constrained")
    for ax, (name, blend) in zip(axes, blends.items(), strict=True):
        moved = np.abs(blend.astype(float) - before).mean(axis=2)
        shown = ax.imshow(moved, cmap="magma", vmin=0, vmax=40)
        ax.contour(mask, levels=[0.5], colors="white", linewidths=1, linestyles="dashed")
        ax.set_title(f"{name}\n{moved[mask].mean():.1f} grey levels in the hole", fontsize=12)
        ax.set_axis_off()
    figure.colorbar(shown, ax=axes, label="moved by, in grey levels of 255", shrink=0.8)
    show_figure(figure, alternative_text)
