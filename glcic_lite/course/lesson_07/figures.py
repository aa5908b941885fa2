"""The figures of lesson 07: what each layer computes, squares in a hole, and how far a blend moves a completion."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from glcic_lite.course.shared.figures import HIGHLIGHT, INPUT, OUTPUT, QUIET, show_figure, with_hole
from glcic_lite.method.architecture import COMPLETION_NETWORK
from glcic_lite.method.masks import Box
from glcic_lite.speed.fast_network import Need
from glcic_lite.speed.quadtree import Quadtree


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


def draw_needs(ax: Axes, needs: Sequence[Need], size: int, target: tuple[int, int]) -> None:
    """One bar a layer: the pixels of the photo, along one axis, for which the layer computes its output.

    Args:
        needs: as from `glcic_lite.speed.fast_network.needs`.
        size: of the photo along this axis, in pixels.
        target: the part of the output that is wanted, (first, one past the last).
    """
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


def draw_squares(ax: Axes, tree: Quadtree, mask: np.ndarray, corner: tuple[int, int], side: int) -> None:
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
