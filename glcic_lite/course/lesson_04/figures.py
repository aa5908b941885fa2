"""The figures of lesson 04: the network as a row of blocks, its feature maps, how far its input is felt in a hole."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.transforms import Affine2D
from torch import Tensor

from glcic_lite.course.lesson_04.features import layer_names
from glcic_lite.course.lesson_04.layer_costs import LayerCost
from glcic_lite.course.shared.figures import HIGHLIGHT, HOLE, INPUT, OUTPUT, QUIET, WEIGHT
from glcic_lite.course.shared.sketch import INK, tint


def draw_network(
    costs: Sequence[LayerCost], faces: Sequence[np.ndarray], inputs: np.ndarray, width: float = 12.5
) -> Figure:
    """The network as blocks from left to right: their height is the layer's output, their depth its channels.

    Args:
        costs: of each layer, for the size and the channels.
        faces: one picture for each layer, (H, W) or (H, W, 3) in [0, 1], drawn on the side of its block that faces us.
        inputs: the same for the input.
        width: of the figure, in inches.
    """
    full = costs[-1].height
    blocks = [("input", 4, full, inputs, INPUT)]
    for cost, face in zip(costs, faces, strict=True):
        layer = cost.layer
        # As on the map of the course: what is dilated is orange, what enlarges is green.
        green = layer.kind == "output" or layer.upsamples
        colour = OUTPUT if green else HIGHLIGHT if layer.dilation > 1 else QUIET
        blocks.append((str(layer.number), cost.channels, cost.height, face, colour))
    most = max(channels for _, channels, *_ in blocks)

    height, depth, gap = 3.0, 0.3, 0.13  # of a block at full size; of the most channels; between blocks: in inches
    slant = np.array([0.55, 0.22]) * height  # the way back, for a whole side of the photo
    figure = plt.figure(figsize=(width, 5.0))
    ax = figure.add_axes((0, 0, 1, 1))
    x, places = 0.0, []
    for name, channels, side, face, colour in blocks:
        share = side / full
        deep, high, back = max(depth * channels / most, 0.03), height * share, slant * share
        bottom = -(high + back[1]) / 2
        corner = np.array([x, bottom])
        _block(ax, corner, deep, high, back, face, colour)
        places.append((name, x, x + deep + back[0], bottom, share, channels))
        x += deep + back[0] + gap
    total, lowest = x - gap, -(height + slant[1]) / 2
    for name, left, right, bottom, _, channels in places:
        ax.text((left + right) / 2, bottom - 0.1, name, ha="center", va="top", fontsize=13, fontweight="bold")
        ax.text((left + right) / 2, bottom - 0.44, str(channels), ha="center", va="top", fontsize=10.5)
    # Runs of blocks of one size, in words.
    words = {1.0: "full size", 0.5: "half", 0.25: "a quarter of each side"}
    start = 0
    for i in range(1, len(places) + 1):
        if i == len(places) or places[i][4] != places[start][4]:
            _bracket(ax, places[start][1], places[i - 1][2], lowest - 0.9, words.get(places[start][4], ""))
            start = i
    for place, cost in zip(places[1:], costs, strict=True):
        if cost.layer.stride != 1:
            words = "stride ½" if cost.layer.upsamples else f"stride {cost.layer.stride}"
            ax.text(place[1], -place[3] + 0.08, words, va="bottom", fontsize=11.5, color=INK)
    dilated = [place for place, cost in zip(places[1:], costs, strict=True) if cost.layer.dilation > 1]
    if dilated:
        amounts = ", ".join(str(cost.layer.dilation) for cost in costs if cost.layer.dilation > 1)
        y = -dilated[0][3] + 0.22
        _bracket(ax, dilated[0][1], dilated[-1][2], y, f"dilation {amounts}", up=True, line=HIGHLIGHT)
    ax.text(-0.02, lowest - 1.45, "under each block: the number of the layer, and below it the number of its channels",
            fontsize=11, color="#4a4f57", va="top")  # fmt: skip
    ax.set_xlim(-0.12, total + 0.12)
    ax.set_ylim(lowest - 1.8, -lowest + 0.12)
    ax.set_aspect("equal")
    ax.set_axis_off()
    figure.set_size_inches(width, width * (-2 * lowest + 1.92) / (total + 0.24))
    return figure


def _block(ax: Axes, corner, deep: float, high: float, back, face: np.ndarray, colour: str) -> None:
    """A box: the channels run to the right, the width of the picture goes back, the picture is on the right side."""
    x, y = corner
    right, above = np.array([deep, 0]), np.array([0, high])
    front = [corner, corner + right, corner + right + above, corner + above]
    top = [corner + above, corner + right + above, corner + right + above + back, corner + above + back]
    side = [corner + right, corner + right + back, corner + right + above + back, corner + right + above]
    line = dict(edgecolor="white", linewidth=0.8)
    ax.add_patch(
        Polygon(front, facecolor=tint(colour, 0.75), hatch={HIGHLIGHT: "//", OUTPUT: ".."}.get(colour), **line)
    )
    ax.add_patch(Polygon(top, facecolor=tint(colour, 0.45), **line))
    place = Affine2D(np.array([[back[0], 0, x + deep], [back[1], high, y], [0, 0, 1]]))
    shown = ax.imshow(face, extent=(0, 1, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="bilinear", zorder=2)
    shown.set_transform(place + ax.transData)
    ax.add_patch(Polygon(side, fill=False, edgecolor=colour, linewidth=1.6, zorder=3))


def _bracket(ax: Axes, left: float, right: float, y: float, words: str, up: bool = False, line: str = QUIET) -> None:
    """A bracket under a run of blocks (or, `up`, over it), with words."""
    tip = -0.09 if up else 0.09
    ax.plot([left, left, right, right], [y + tip, y, y, y + tip], color=line, linewidth=1.6, solid_joinstyle="miter")
    ax.text((left + right) / 2, y - tip, words, ha="center", va="bottom" if up else "top", fontsize=11.5, color=INK)


def draw_shares(axes: Sequence[Axes], costs: Sequence[LayerCost]) -> None:
    """Two rows of bars, one for each layer: its share of the parameters, and of the multiplications."""
    numbers = [cost.layer.number for cost in costs]
    for ax, values, colour, title in (
        (axes[0], [cost.parameters for cost in costs], WEIGHT, "share of the parameters"),
        (axes[1], [cost.multiplications for cost in costs], OUTPUT, "share of the multiplications"),
    ):
        shares = np.array(values) / sum(values)
        ax.bar(numbers, 100 * shares, color=colour)
        for number, share in zip(numbers, shares, strict=True):
            ax.text(number, 100 * share + 0.15, f"{100 * share:.1f}", ha="center", fontsize=9.5)
        ax.set_xticks(numbers)
        ax.set_ylim(0, 118 * shares.max())
        ax.set_title(title)
        ax.set_ylabel("per cent")
    axes[1].set_xlabel("layer")


def draw_differences(ax: Axes, curves: dict[str, Sequence[Sequence[float]]]) -> None:
    """How much of several photos is left after each layer, in three kinds of network: the mean, and a band over seeds.

    Args:
        curves: for each kind, a list of numbers, one for each layer, for each seed.
    """
    for (name, found), colour, style in zip(curves.items(), (QUIET, OUTPUT, WEIGHT), ("s--", "o-", "^:"), strict=True):
        layers = range(1, len(found[0]) + 1)
        ax.plot(layers, np.mean(found, axis=0), style, color=colour, label=name, markersize=6)
        ax.fill_between(layers, np.min(found, axis=0), np.max(found, axis=0), color=colour, alpha=0.25)
    ax.set_yscale("log")
    ax.set_xticks(layers)
    ax.set_xlabel("layer")
    ax.set_ylabel("difference from\nphoto to photo")
    ax.legend()


def input_figure(photo: np.ndarray, channels: Tensor) -> Figure:
    """A photo (H, W, 3) with its hole marked, and beside it the network's four input channels (4, H, W)."""
    figure, axes = plt.subplots(1, 5, figsize=(12.5, 2.9), layout="constrained")
    axes[0].imshow(photo)
    axes[0].set_title("photo and hole", fontsize=12)
    for ax, channel, name in zip(
        axes[1:], channels, ("red − mean", "green − mean", "blue − mean", "mask"), strict=True
    ):
        low, high = (0, 1) if name == "mask" else (-0.6, 0.6)
        ax.imshow(channel, cmap="gray", vmin=low, vmax=high)
        ax.set_title(f"{name}\n{channel.min():.2f} to {channel.max():.2f}", fontsize=12)
    for ax in axes:
        ax.set_axis_off()
    return figure


def layers_figure(pictures: Sequence[np.ndarray], titles: Sequence[str], mask: np.ndarray, columns: int = 6) -> Figure:
    """One picture for each layer, in rows, with the hole outlined.

    Args:
        pictures: (H, W) or (H, W, 3) in [0, 1]; of any size.
        titles: one for each picture.
        mask: (H, W) bool, the hole, at the photo's size.
    """
    rows = -(-len(pictures) // columns)
    height = 9.8 / columns * mask.shape[0] / mask.shape[1] + 0.28
    figure, axes = plt.subplots(rows, columns, figsize=(9.8, rows * height), layout="constrained")
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, picture, title in zip(axes.flat, pictures, titles, strict=False):
        sides = (-0.5, mask.shape[1] - 0.5, mask.shape[0] - 0.5, -0.5)
        ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="bilinear", extent=sides)
        ax.contour(mask, levels=[0.5], colors=HOLE, linewidths=1.4, linestyles="dashed")
        ax.set_title(title, fontsize=10.5, fontweight="normal")  # bold, the longest names would touch
    return figure


def draw_arrival(ax: Axes, shares: np.ndarray, reached: Sequence[int]) -> None:
    """A map with its colour bar: how much the surroundings matter, by layer (down) and distance to the rim (across).

    Args:
        shares: (layers, depths), 0 or more, 1 for "as much as outside the hole"; exactly 0 where nothing has arrived.
        reached: for each layer, the depth in pixels up to which anything has arrived.
    """
    layers, depths = shares.shape
    shown = ax.imshow(
        np.ma.masked_equal(shares, 0), cmap="viridis", vmin=0, vmax=1, aspect="auto", interpolation="nearest",
        extent=(0, depths, layers + 0.5, 0.5),
    )  # fmt: skip
    ax.set_facecolor(tint(HOLE, 0.55))
    edges_x, edges_y = [], []
    for layer, depth in enumerate(reached, 1):
        edges_x += [min(depth, depths)] * 2
        edges_y += [layer - 0.5, layer + 0.5]
    ax.plot(edges_x, edges_y, color=HIGHLIGHT, linewidth=2.5, clip_on=False)
    ax.set_yticks(range(1, layers + 1), layer_names(), fontsize=10)
    ax.set_xlabel("distance to the rim of the hole, in pixels of the photo")
    label = "how much a position changes with the photo,\ncompared with positions outside the hole"
    ax.figure.colorbar(shown, ax=ax, label=label, extend="max")  # single layers exceed 1


Curves = Sequence[Sequence[tuple[int, float]]]


def draw_late_start(ax: Axes, curves: dict[str, Curves], flat: float, as_trained: Curves) -> None:
    """The error while training, for each kind of network: (step, error) for each seed, a line each.

    `flat` is the error of a flat fill of the mean colour, a dotted line. `as_trained` are the curves of the normalised
    networks, measured with the statistics of the batch: thin lines.
    """
    for (name, runs), colour, style in zip(curves.items(), (QUIET, WEIGHT, OUTPUT), ("s--", "^:", "o-"), strict=True):
        for number, run in enumerate(run for run in runs if run):
            ax.plot(*zip(*run, strict=True), style, color=colour, label=None if number else name, markersize=4)
    for number, run in enumerate(as_trained):
        label = None if number else "the same, by the batch's statistics"
        ax.plot(*zip(*run, strict=True), color=OUTPUT, linewidth=1, alpha=0.8, label=label)
    ax.axhline(flat, color="black", linestyle=":", label="the mean colour")
    ax.set_xlabel("step")
    ax.set_ylabel("error in the hole\n(root mean square)")
    ax.legend()
