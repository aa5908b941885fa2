"""The figures of lesson 09: pictures with their numbers, fills compared with intervals, curves, and error maps."""

import io
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image as DisplayedImage
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from glcic_lite.course.shared.figures import HIGHLIGHT, HOLE, INPUT, OUTPUT, QUIET, WEIGHT, WRONG, show_picture
from glcic_lite.evaluation.statistics import averages, mean_interval
from glcic_lite.method.masks import Box, hole_box

# Each fill has one colour, mark and line in every figure of the lesson; green is the network, as in all lessons.
FILL_STYLES = {
    "network, blended": dict(color=OUTPUT, marker="o", linestyle="-"),
    "network": dict(color=OUTPUT, marker="o", linestyle=":", markerfacecolor="white"),
    "Telea": dict(color=INPUT, marker="s", linestyle="--"),
    "Navier-Stokes": dict(color=WEIGHT, marker="^", linestyle="-."),
    "harmonic": dict(color=QUIET, marker="D", linestyle=(0, (5, 1))),
    "mean colour": dict(color=HOLE, marker="v", linestyle=(0, (1, 1))),
}
METRIC_WORDS = {
    "psnr": "PSNR, in dB\nhigher is better",
    "l1": "L1, in grey levels\nlower is better",
    "ssim": "SSIM\nhigher is better",
    "texture": "texture\n1 is as much as the photo",
}


def around(photo: np.ndarray, mask: np.ndarray, margin: int = 32) -> np.ndarray:
    """A square cut-out around the hole, `margin` pixels wider on each side, moved inside the photo at its border."""
    window = window_around(mask, margin)
    return photo[window.slices]


def window_around(mask: np.ndarray, margin: int) -> Box:
    """The square that `around` cuts out."""
    box, (height, width) = hole_box(mask), mask.shape
    side = min(max(box.width, box.height) + 2 * margin, height, width)
    left = int(np.clip((box.left + box.right - side) // 2, 0, width - side))
    top = int(np.clip((box.top + box.bottom - side) // 2, 0, height - side))
    return Box(left, top, left + side, top + side)


def show_light(figure: Figure, alternative_text: str) -> None:
    """As `show_figure`, in half the bytes: this lesson shows hundreds of photos. The figure is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", dpi=96, pil_kwargs={"quality": 48, "optimize": True, "progressive": True})
    plt.close(figure)
    display(DisplayedImage(data=buffer.getvalue(), format="jpeg", alt=alternative_text))


def show_grid(
    rows: Sequence[Sequence[np.ndarray]],
    titles: Sequence[Sequence[str]] | Sequence[str] = (),
    alternative_text: str = "",
    texts: Sequence[Sequence[str]] = (),
    row_titles: Sequence[str] = (),
    width: float = 8.0,
) -> None:
    """Pictures in rows, each with a title above and a few lines below, as far as they are given.

    Args:
        rows: pictures, those of a row of the same size.
        titles: a list for each row, or one for the first row alone.
        alternative_text: what a screen reader says of the figure.
        texts: what stands below each picture, a list a row.
        row_titles: left of each row.
        width: of the figure, in inches.
    """
    if titles and isinstance(titles[0], str):
        titles = [titles]
    columns = max(len(row) for row in rows)
    gap, left, line = 0.1, 0.3 if row_titles else 0.0, 0.19  # in inches
    side = (width - left - gap * (columns - 1)) / columns
    above = [0.3 if i < len(titles) else 0.0 for i in range(len(rows))]
    below = [
        0.08 + line * max(t.count("\n") + 1 for t in texts[i]) if i < len(texts) else 0.0 for i in range(len(rows))
    ]
    heights = [side * row[0].shape[0] / row[0].shape[1] for row in rows]
    total = sum(above) + sum(below) + sum(heights) + gap * (len(rows) - 1)
    figure, y = plt.figure(figsize=(width, total)), total
    for i, row in enumerate(rows):
        y -= above[i] + heights[i]
        for j, picture in enumerate(row):
            x = left + j * (side + gap)
            ax = figure.add_axes((x / width, y / total, side / width, heights[i] / total))
            show_picture(ax, picture)
            if i < len(titles):
                ax.set_title(titles[i][j], fontsize=12, pad=4)
            if i < len(texts):
                figure.text((x + side / 2) / width, (y - 0.05) / total, texts[i][j], ha="center", va="top", fontsize=11)
        if i < len(row_titles):
            figure.text(0, (y + heights[i] / 2) / total, row_titles[i], rotation=90, va="center", fontsize=12)
        y -= below[i] + gap
    show_light(figure, alternative_text)


def in_words(measured: dict[str, float]) -> str:
    """A fill's numbers, as they stand below its picture."""
    psnr = "∞" if np.isinf(measured["psnr"]) else f"{measured['psnr']:.1f}"
    return f"PSNR {psnr} dB\nSSIM {measured['ssim']:.2f}\ntexture {measured['texture']:.2f}"


def means_table(rows: list[dict], metric: str, digits: int = 1) -> str:
    """The means and their intervals as a Markdown table: a row a fill, a column a kind of hole.

    Args:
        rows: as from `evaluate`.
        metric: one of `METRICS`.
        digits: behind the point.
    """
    means = averages(rows, intervals=True)
    cells = {(row["fill"], row["hole"]): row for row in means}
    holes = list(dict.fromkeys(row["hole"] for row in means))
    lines = [
        f"| {METRIC_WORDS[metric].split(chr(10))[0]} | " + " | ".join(holes) + " |",
        "|:--" + "|:-:" * len(holes) + "|",
    ]
    for fill in FILL_STYLES:
        found = [cells[fill, hole] for hole in holes]
        text = [
            f"**{row[metric]:.{digits}f}** ({row[f'{metric}_low']:.{digits}f} – {row[f'{metric}_high']:.{digits}f})"
            for row in found
        ]
        lines.append(f"| {fill} | " + " | ".join(text) + " |")
    return "\n".join(lines)


def means_figure(rows: list[dict], metrics: Sequence[str] = ("psnr", "l1", "ssim", "texture")) -> Figure:
    """A panel a metric, a group a kind of hole, a mark a fill, with the interval of its mean as a thin line.

    Args:
        rows: as from `evaluate`.
    """
    means = averages(rows, intervals=True)
    holes = list(dict.fromkeys(row["hole"] for row in means))
    figure, axes = plt.subplots(1, len(metrics), figsize=(12, 4.4), layout="constrained")
    offsets = np.linspace(-0.3, 0.3, len(FILL_STYLES))
    for ax, metric in zip(axes, metrics, strict=True):
        for offset, (fill, style) in zip(offsets, FILL_STYLES.items(), strict=True):
            found = {row["hole"]: row for row in means if row["fill"] == fill}
            middle, low, high = (
                np.array([found[hole][metric + end] for hole in holes]) for end in ("", "_low", "_high")
            )
            places = np.arange(len(holes)) + offset
            mark = {key: value for key, value in style.items() if key != "linestyle"}
            ax.vlines(places, low, high, color=style["color"], linewidth=1.2, alpha=0.8)
            ax.plot(places, middle, linestyle="none", markersize=7, label=fill, **mark)
        ax.set_xticks(range(len(holes)), [hole.replace(" ", "\n") for hole in holes])
        ax.set_title(METRIC_WORDS[metric], fontsize=12)
        for place in range(len(holes) - 1):
            ax.axvline(place + 0.5, color=QUIET, linewidth=0.6, alpha=0.5)
    axes[-1].axhline(1, color="black", linewidth=0.8, linestyle=":")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=11)
    return figure


def draw_differences(ax: Axes, groups: dict[str, Sequence[float]], label: str, interval: bool = True) -> None:
    """A row a group: a dot a photo, the mean as a diamond and its interval as a bar, and a line at zero.

    Args:
        groups: name to one difference a photo.
        label: of the axis, with its unit.
        interval: False draws dots and mean only, for groups too small for an interval.
    """
    for row, values in enumerate(groups.values()):
        values = np.asarray(values, dtype=float)
        spread = np.random.default_rng(0).uniform(-0.2, 0.2, values.size)
        ax.plot(values, row + spread, "o", color=INPUT, markersize=5, alpha=0.6)
        middle, low, high = mean_interval(values)
        if interval:
            ax.plot([low, high], [row, row], color=WEIGHT, linewidth=5, solid_capstyle="butt")
        ax.plot(middle, row, "D", color=HIGHLIGHT, markersize=9, markeredgecolor=WEIGHT)
    ax.axvline(0, color="black", linewidth=1)
    ax.set_yticks(range(len(groups)), groups)
    ax.set_ylim(len(groups) - 0.5, -0.5)
    ax.set_xlabel(label)
    ax.locator_params(axis="x", nbins=5)  # more, and long numbers run together


def draw_curves(ax: Axes, x: Sequence[float], fills: dict[str, np.ndarray], x_label: str, label: str) -> None:
    """The mean over photos for each fill, with the band of the middle half of the photos for the first one.

    Args:
        x: the places along the axis.
        fills: a name of `FILL_STYLES`, and values (photos, len(x)).
    """
    for number, (fill, values) in enumerate(fills.items()):
        style = FILL_STYLES[fill]
        if number == 0:
            low, high = np.percentile(values, [25, 75], axis=0)
            ax.fill_between(x, low, high, color=style["color"], alpha=0.12, linewidth=0)
        ax.plot(x, np.mean(values, axis=0), linewidth=2.3, markersize=7, label=fill, **style)
    ax.set_xlabel(x_label)
    ax.set_ylabel(label)


def show_error_maps(maps: dict[str, np.ndarray], side: int, alternative_text: str) -> None:
    """Where in a square hole the error lies, averaged over photos: one map a fill, one scale for all.

    Args:
        maps: name to (H, W), the mean absolute error in grey levels; the hole is the middle square of `side` pixels.
    """
    figure, axes = plt.subplots(1, len(maps), figsize=(6, 2), layout="constrained")
    top = max(np.percentile(values, 99) for values in maps.values())
    for ax, (name, values) in zip(axes, maps.items(), strict=True):
        height, width = values.shape
        shown = ax.imshow(values, cmap="magma", vmin=0, vmax=top)
        corner = ((width - side) / 2 - 0.5, (height - side) / 2 - 0.5)
        ax.add_patch(plt.Rectangle(corner, side, side, fill=False, edgecolor="white", linestyle="--", linewidth=1.5))
        ax.set_title(name, fontsize=11)
        ax.set_axis_off()
    figure.colorbar(shown, ax=axes, label="grey levels", shrink=0.85)
    show_light(figure, alternative_text)


def draw_seeds(ax: Axes, values: dict[str, dict[int, float]], label: str, least: float = 0.0) -> None:
    """A row a network: a dot a seed, with the seed's number in it, and a line at their mean.

    Args:
        values: name of the network to seed to number.
        label: of the axis, with its unit.
        least: what the axis spans at least, so that a tiny difference looks tiny.
    """
    for row, seeds in enumerate(values.values()):
        ax.plot([np.mean(list(seeds.values()))] * 2, [row - 0.36, row + 0.36], color=WEIGHT, linewidth=2.5)
        for number, (seed, value) in enumerate(seeds.items()):
            place = row + (0.16 * (2 * number - len(seeds) + 1) if len(seeds) > 1 else 0)
            ax.plot(value, place, "o", color=OUTPUT, markersize=13)
            ax.text(value, place, str(seed), color="white", ha="center", va="center", fontsize=9, fontweight="bold")
    numbers = [value for seeds in values.values() for value in seeds.values()]
    centre, span = (max(numbers) + min(numbers)) / 2, max(1.3 * (max(numbers) - min(numbers)), least)
    ax.set_xlim(centre - span / 2, centre + span / 2)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_yticks(range(len(values)), values)
    ax.set_ylim(len(values) - 0.5, -0.5)
    ax.set_xlabel(label)


def draw_training(ax: Axes, logs: dict[str, dict[int, list[dict]]], smoothing: int = 15) -> None:
    """How the squared error fell: a line a network and seed, each point the mean over some rows of its log.

    Args:
        logs: name of the network to seed to the rows of its log.csv.
        smoothing: rows averaged into a point.
    """
    styles = zip(("-", "--", ":", "-."), (OUTPUT, WRONG, WEIGHT, HIGHLIGHT), strict=True)
    for (name, seeds), (line, colour) in zip(logs.items(), styles, strict=False):
        for number, rows in enumerate(seeds.values()):
            steps = np.array([int(row["iteration"]) for row in rows])
            error = np.array([float(row["reconstruction"]) for row in rows])
            kernel = np.ones(min(smoothing, error.size)) / min(smoothing, error.size)
            smooth, at = np.convolve(error, kernel, "valid"), np.convolve(steps, kernel, "valid")
            ax.plot(at, smooth, line, color=colour, linewidth=2.2 if not number else 1.2,
                    label=name if not number else None)  # fmt: skip
    ax.set_xlabel("iteration")
    ax.set_ylabel("squared error in the hole")


def sheet(strips: Sequence[np.ndarray], across: int = 2, gap: int = 10) -> np.ndarray:
    """Strips of pictures, all of one size, laid out in rows of `across`, left to right: (H, W, 3) uint8."""
    height, width, _ = strips[0].shape
    rows = -(-len(strips) // across)
    page = np.full((rows * (height + gap) - gap, across * (width + gap) - gap, 3), 255, np.uint8)
    for number, strip in enumerate(strips):
        y, x = number // across * (height + gap), number % across * (width + gap)
        page[y : y + height, x : x + width] = strip
    return page


def show_sheet(
    strips: Sequence[np.ndarray], titles: Sequence[str], alternative_text: str, across: int = 2, width: float = 6.0
) -> None:
    """`sheet` as a figure, the columns' titles above each of the strips in the first row; `width` is in inches."""
    page = sheet(strips, across)
    figure, ax = plt.subplots(figsize=(width, width * page.shape[0] / page.shape[1]), layout="constrained")
    ax.imshow(page, interpolation="antialiased")
    ax.set_axis_off()
    side, length = strips[0].shape[:2]
    for number in range(across):
        for place, title in enumerate(titles):
            ax.text(number * (length + 10) + (place + 0.5) * side, -8, title, ha="center", va="bottom", fontsize=9)
    show_light(figure, alternative_text)


def legend_below(figure: Figure, axes: Sequence[Axes]) -> None:
    """One legend for all panels, below them."""
    found: dict[str, object] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    figure.legend(found.values(), found, loc="outside lower center", ncols=len(found), fontsize=11)


def measure_by_photo(names: Sequence[str], values: Sequence[float]) -> np.ndarray:
    """The mean of several values of the same photo, in the order in which the photos first appear: (photos,)."""
    groups: dict[str, list[float]] = {}
    for name, value in zip(names, values, strict=True):
        groups.setdefault(name, []).append(value)
    return np.array([np.mean(group) for group in groups.values()])
