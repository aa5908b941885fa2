"""The figures of lesson 09: pictures with their numbers, means with their intervals, curves, and error maps."""

import io
from collections.abc import Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image as DisplayedImage
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from glcic_lite.course.shared.figures import HIGHLIGHT, HOLE, INPUT, OUTPUT, QUIET, WEIGHT, WRONG, show_picture
from glcic_lite.evaluation.statistics import amount, averages, decimals, mean_interval, verdict
from glcic_lite.method.masks import Box, hole_box

# Each fill has the same colour, mark and line in every figure of the lesson; the network is green, as in all lessons.
FILL_STYLES = {
    "network, blended": dict(color=OUTPUT, marker="o", linestyle="-"),
    "network": dict(color=OUTPUT, marker="o", linestyle=":", markerfacecolor="white"),
    "network, blended, scale 1": dict(color=OUTPUT, marker="P", linestyle="-."),
    "FSR fast": dict(color=HIGHLIGHT, marker="X", linestyle="-"),
    "shift-map": dict(color=WRONG, marker="*", linestyle="-."),
    "Telea": dict(color=INPUT, marker="s", linestyle="--"),
    "Navier-Stokes": dict(color=WEIGHT, marker="^", linestyle="-."),
    "harmonic": dict(color=QUIET, marker="D", linestyle=(0, (5, 1))),
    "biharmonic": dict(color=QUIET, marker="d", linestyle=":"),
    "mean colour": dict(color=HOLE, marker="v", linestyle=(0, (1, 1))),
}
METRIC_WORDS = {
    "psnr": "PSNR, in dB\nhigher is better",
    "l1": "L1, in grey levels\nlower is better",
    "ssim": "SSIM\nhigher is better",
    "haarpsi": "HaarPSI\nhigher is better",
    "texture": "texture\n1: as in the photo",
}


def around(photo: np.ndarray, mask: np.ndarray, margin: int = 32, side: int | None = None) -> np.ndarray:
    """A square cut-out around the hole, `margin` pixels wider on each side, moved inside the photo at its border.

    Args:
        side: of the cut-out, reduced or enlarged, in pixels; None: as it is.
    """
    cut_out = photo[window_around(mask, margin).slices]
    return cut_out if side is None else cv2.resize(cut_out, (side, side), interpolation=cv2.INTER_AREA)


def window_around(mask: np.ndarray, margin: int) -> Box:
    """The square that `around` cuts out."""
    box, (height, width) = hole_box(mask), mask.shape
    side = min(max(box.width, box.height) + 2 * margin, height, width)
    left = int(np.clip((box.left + box.right - side) // 2, 0, width - side))
    top = int(np.clip((box.top + box.bottom - side) // 2, 0, height - side))
    return Box(left, top, left + side, top + side)


def show_light(figure: Figure, alternative_text: str) -> None:
    """Like `show_figure`, in half the bytes: this lesson shows hundreds of photos. The figure is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", dpi=82, pil_kwargs={"quality": 41, "optimize": True, "progressive": True})
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
    """Pictures in rows, each with an optional title above and a few lines of text below.

    Args:
        rows: pictures; those in a row have the same size.
        titles: a list for each row, or one for the first row only.
        alternative_text: what a screen reader says of the figure.
        texts: what stands below each picture, a list for each row.
        row_titles: to the left of each row.
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
    """The numbers of a fill, as they stand below its picture."""
    psnr = "∞" if np.isinf(measured["psnr"]) else f"{measured['psnr']:.1f}"
    return f"PSNR {psnr} dB\nSSIM {measured['ssim']:.2f}\ntexture {measured['texture']:.2f}"


def means_table(rows: list[dict], metric: str, digits: int = 1) -> str:
    """The means and their intervals as a Markdown table: a row for each fill, a column for each kind of hole.

    Args:
        rows: as from `evaluate`.
        metric: one of `METRICS`.
        digits: after the decimal point.
    """
    means = averages(rows)
    cells = {
        (row["fill"], row["hole"]): f"**{row[metric]:.{digits}f}** ({row[f'{metric}_interval'].ends(f'.{digits}f')})"
        for row in means
    }
    holes = list(dict.fromkeys(row["hole"] for row in means))
    lines = [f"| {METRIC_WORDS[metric].splitlines()[0]} | {' | '.join(holes)} |", "|:--" + "|:-:" * len(holes) + "|"]
    lines += [f"| {fill} | {' | '.join(cells[fill, hole] for hole in holes)} |" for fill in fills_of(rows)]
    return "\n".join(lines)


def fills_of(rows: list[dict]) -> list[str]:
    """The fills that rows of `evaluate` measure, in the order of `FILL_STYLES`."""
    there = {row["fill"] for row in rows}
    return [fill for fill in FILL_STYLES if fill in there]


def contest_table(rows: list[dict], metrics: Sequence[str] = ("psnr", "haarpsi", "texture")) -> str:
    """Every fill in every kind of hole as a Markdown table: the means of some metrics, and the seconds a hole.

    The best mean of a metric in a kind of hole is bold, and so is what is printed as the same number; for texture the
    best is the one nearest to 1.
    """
    means = averages(rows)
    cells = {(row["fill"], row["hole"]): row for row in means}
    holes = list(dict.fromkeys(row["hole"] for row in means))
    off = {"l1": lambda value: value, "texture": lambda value: abs(value - 1)}

    def text(fill: str, hole: str, metric: str) -> str:
        return f"{cells[fill, hole][metric]:.{1 if metric in ('psnr', 'l1') else 2}f}"

    def distance(fill: str, hole: str, metric: str) -> float:
        return off.get(metric, lambda value: -value)(cells[fill, hole][metric])

    best = {
        (metric, hole): text(min(fills_of(rows), key=lambda fill: distance(fill, hole, metric)), hole, metric)
        for metric in metrics
        for hole in holes
    }
    lines = [f"| {' / '.join(METRIC_WORDS[m].split(chr(10))[0] for m in metrics)} / s | {' | '.join(holes)} |"]
    lines.append("|:--" + "|:-:" * len(holes) + "|")
    for fill in fills_of(rows):
        texts = []
        for hole in holes:
            parts = []
            for metric in metrics:
                words = text(fill, hole, metric)
                parts.append(f"**{words}**" if words == best[metric, hole] else words)
            parts.append(f"{cells[fill, hole]['seconds']:.2g}")
            pairs = (parts[:2], parts[2:])  # on two lines: one is too long for a laptop's screen
            texts.append("<br>".join("\u00a0/\u00a0".join(pair) for pair in pairs))
        lines.append(f"| {fill} | {' | '.join(texts)} |")
    return "\n".join(lines)


def contest_figure(rows: list[dict], metrics: Sequence[str] = ("psnr", "haarpsi", "texture")) -> Figure:
    """The mean of each metric against the side of the box: a panel for each metric, a line for each fill."""
    means = [row for row in averages(rows) if row["hole"].startswith("box ")]
    figure, axes = plt.subplots(1, len(metrics), figsize=(12, 4.6), layout="constrained", squeeze=False)
    for ax, metric in zip(axes[0], metrics, strict=True):
        for fill in fills_of(rows):
            points = [(int(row["hole"].split()[1]), row[metric]) for row in means if row["fill"] == fill]
            ax.plot(*zip(*points, strict=True), linewidth=2, markersize=7, label=fill, **FILL_STYLES[fill])
        ax.set_title(METRIC_WORDS[metric], fontsize=12)
        ax.set_xlabel("side of the box, in pixels")
        ax.set_xticks(sorted({int(row["hole"].split()[1]) for row in means}))
        if metric == "texture":
            ax.axhline(1, color="black", linewidth=0.8, linestyle=":")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=11)
    return figure


def verdicts_table(
    differences: dict[str, dict[str, Sequence[float]]], small: dict[str, float] | float, head: str = ""
) -> str:
    """Verdicts as a Markdown table: a row for each claim, a column for each case, and in it verdict, mean and interval.

    Args:
        differences: claim to case to one difference a photo, above 0 where the claim is right.
        small: what counts as a small difference: one number, or one for each claim.
        head: of the first column, mostly the unit.
    """
    cases = list(dict.fromkeys(case for of_claim in differences.values() for case in of_claim))
    lines = [f"| {head} | {' | '.join(cases)} |", "|:--" + "|:-:" * len(cases) + "|"]
    for claim, of_claim in differences.items():
        limit = small if isinstance(small, float | int) else small[claim]
        texts = []
        for case in cases:
            if case not in of_claim:
                texts.append("")
                continue
            interval = mean_interval(of_claim[case])
            word = verdict(interval, limit)
            spec = f"+.{decimals(interval)}f"
            texts.append(f"**{word}{amount(word, limit)}**<br>{interval.mean:{spec}} ({interval.ends(spec)})")
        lines.append(f"| {claim} | {' | '.join(texts)} |")
    return "\n".join(lines)


def means_figure(rows: list[dict]) -> Figure:
    """A panel for each metric, a group for each kind of hole, a mark for each fill, the interval as a thin line.

    Args:
        rows: as from `evaluate`.
    """
    means = averages(rows)
    holes = list(dict.fromkeys(row["hole"] for row in means))
    figure, axes = plt.subplots(1, len(METRIC_WORDS), figsize=(13.5, 4.6), layout="constrained")
    fills = fills_of(rows)
    offsets = np.linspace(-0.36, 0.36, len(fills))
    for ax, (metric, words) in zip(axes, METRIC_WORDS.items(), strict=True):
        for offset, fill in zip(offsets, fills, strict=True):
            style = FILL_STYLES[fill]
            found = {row["hole"]: row[f"{metric}_interval"] for row in means if row["fill"] == fill}
            middle, low, high = np.array([found[hole] for hole in holes]).T
            places = np.arange(len(holes)) + offset
            mark = {key: value for key, value in style.items() if key != "linestyle"}
            ax.vlines(places, low, high, color=style["color"], linewidth=1.2, alpha=0.8)
            ax.plot(places, middle, linestyle="none", markersize=6, label=fill, **mark)
        ax.set_xticks(range(len(holes)), [hole.replace(" ", "\n") for hole in holes])
        ax.set_title(words, fontsize=12)
        for place in range(len(holes) - 1):
            ax.axvline(place + 0.5, color=QUIET, linewidth=0.6, alpha=0.5)
    axes[-1].axhline(1, color="black", linewidth=0.8, linestyle=":")
    legend_below(figure, axes[:1])
    return figure


def differences_figure(panels: dict[str, dict[str, Sequence[float]]], title: str = "") -> Figure:
    """Panels of `draw_differences` with the same rows: label of the axis to group to differences."""
    figure, axes = plt.subplots(1, len(panels), figsize=(12, 3.7), layout="constrained", sharey=True)
    for ax, (label, groups) in zip(axes, panels.items(), strict=True):
        draw_differences(ax, groups, label)
    axes[len(axes) // 2].set_title(title)
    return figure


def draw_differences(ax: Axes, groups: dict[str, Sequence[float]], label: str) -> None:
    """A row for each group: a dot per photo, the mean as a diamond, its interval as a bar, and a line at zero.

    Args:
        groups: name to one number per photo; groups too small for an interval get none.
        label: of the axis, with its unit.
    """
    for row, values in enumerate(groups.values()):
        spread = np.random.default_rng(0).uniform(-0.2, 0.2, len(values))
        ax.plot(values, row + spread, "o", color=INPUT, markersize=5, alpha=0.6)
        middle, low, high = mean_interval(values)
        ax.plot([low, high], [row, row], color=WEIGHT, linewidth=5, solid_capstyle="butt")
        ax.plot(middle, row, "D", color=HIGHLIGHT, markersize=6, markeredgecolor=WEIGHT)
    low, high = min(map(min, groups.values())), max(map(max, groups.values()))
    if low < 0 < high:
        ax.axvline(0, color="black", linewidth=1)
    ax.set_yticks(range(len(groups)), groups)
    ax.set_ylim(len(groups) - 0.5, -0.5)
    ax.set_xlabel(label)
    ax.locator_params(axis="x", nbins=5)  # with more, long numbers overlap


def moved_figure(distances: Sequence[int], moved: np.ndarray, smooth: np.ndarray) -> Figure:
    """PSNR of moved content, (photos, distances), against that of the smoothest fill, (photos,)."""
    figure, ax = plt.subplots(figsize=(8.5, 3.8), layout="constrained")
    ax.plot(distances, moved.mean(axis=0), "o-", color=OUTPUT, linewidth=2.5, label="the true content, moved")
    words = "the smoothest fill, no content at all"
    ax.axhline(smooth.mean(), color=QUIET, linestyle="--", linewidth=2.5, label=words)
    ax.set(xlabel="moved by, in pixels", ylabel="PSNR in the hole, in dB")
    ax.legend()
    return figure


def curves_figure(
    x: Sequence,
    panels: dict[str, dict[str, np.ndarray]],
    x_label: str,
    y_label: str = "",
    line: float | None = None,
    shaded: tuple[float, float, str] | None = None,
) -> Figure:
    """The mean over photos for each fill, with a band of the middle half of the photos for the first fill.

    Args:
        x: the places along the axis, or their names.
        panels: title to name of a fill to values (photos, len(x)).
        y_label: of all panels; without one their scales differ, and the titles say what is shown.
        line: where a dashed line stands.
        shaded: from where to where a panel is shaded, and what is said there.
    """
    size = (11.5, 4) if len(panels) > 1 else (8.5, 3.7)
    figure, axes = plt.subplots(1, len(panels), figsize=size, layout="constrained", sharey=bool(y_label), squeeze=False)
    for ax, (title, fills) in zip(axes[0], panels.items(), strict=True):
        for number, (fill, values) in enumerate(fills.items()):
            if number == 0:
                low, high = np.percentile(values, [25, 75], axis=0)
                ax.fill_between(x, low, high, color=FILL_STYLES[fill]["color"], alpha=0.12, linewidth=0)
            ax.plot(x, np.mean(values, axis=0), linewidth=2.3, markersize=7, label=fill, **FILL_STYLES[fill])
        ax.set_xlabel(x_label)
        ax.set_title(title)
        ax.set_xticks(x)
        if line is not None:
            ax.axvline(line, color=HIGHLIGHT, linestyle="--")
        if shaded:
            ax.axvspan(*shaded[:2], color=HIGHLIGHT, alpha=0.08)
            ax.text(sum(shaded[:2]) / 2, 0.02, shaded[2], transform=ax.get_xaxis_transform(), ha="center", fontsize=10)
        if title.startswith("texture"):
            ax.axhline(1, color="black", linestyle=":", linewidth=1)
            ax.set_ylim(0, 1.1)
    axes[0, 0].set_ylabel(y_label)
    legend_below(figure, axes[0, :1])
    return figure


def even_figure(levels: Sequence[int], too_bright: dict[str, Sequence[float]]) -> Figure:
    """By how many grey levels fills of evenly grey photos are too bright, against the photo's grey level."""
    figure, ax = plt.subplots(figsize=(8.5, 3.4), layout="constrained")
    for name, values in too_bright.items():
        ax.plot(levels, values, linewidth=2.3, label=name, **FILL_STYLES[name])
    ax.axhline(0, color="black", linestyle=":", linewidth=1)
    ax.set_xlabel("grey level of the photo: 0 is black, 255 is white")
    ax.set_ylabel("too bright by, in levels")
    legend_below(figure, [ax])
    return figure


def seam_figure(steps: dict[str, float]) -> Figure:
    """The mean step across the hole's edge, of "the photo" and of each fill, as bars."""
    figure, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
    colours = [FILL_STYLES[name]["color"] if name in FILL_STYLES else QUIET for name in steps]
    ax.barh(list(steps), list(steps.values()), color=colours)
    ax.invert_yaxis()
    ax.axvline(steps["the photo"], color="black", linestyle=":")
    ax.set_xlabel("step across the hole's edge, in grey levels")
    return figure


def show_error_maps(maps: dict[str, np.ndarray], side: int, alternative_text: str) -> None:
    """Where in a square hole the error lies, averaged over photos: a map for each fill, one scale for all.

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


def parts_figure(
    logs: dict[str, dict[int, list[dict]]],
    panels: dict[str, dict[str, dict[int, float]]],
    least: float,
    baselines: dict[str, dict[str, float]],
) -> Figure:
    """How networks were trained (`draw_training`), and a panel of `draw_runs` for each measure, by its label.

    Args:
        baselines: label of a panel to name of a fill to its mean there.
    """
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained", width_ratios=(1.2, 1, 1))
    draw_training(axes[0], logs)
    for ax, (label, values) in zip(axes[1:], panels.items(), strict=True):
        draw_runs(ax, values, label, least, baselines[label])
    axes[2].set_yticklabels([])
    return figure


def middles_figure(
    panels: dict[str, dict[str, dict[int, float]]], least: float, baselines: Sequence[dict[str, float]]
) -> Figure:
    """A panel of `draw_runs` for each kind of hole, by its label, all with the same rows; baselines in their order."""
    figure, axes = plt.subplots(1, len(panels), figsize=(12, 3.4), layout="constrained", sharey=True, squeeze=False)
    for ax, (label, values), lines in zip(axes[0], panels.items(), baselines, strict=True):
        draw_runs(ax, values, label, least, lines)
    return figure


def discriminators_figure(
    panels: dict[str, dict[str, dict[int, float]]],
    least: Sequence[float],
    step: float,
    baselines: dict[str, dict[str, float]],
) -> Figure:
    """A panel of `draw_runs` for each measure, by its label; the last one is the seam, `step` the photos' own.

    Args:
        baselines: as for `parts_figure`.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(12, 3.2), layout="constrained", sharey=True)
    for ax, (label, values), span in zip(axes, panels.items(), least, strict=True):
        draw_runs(ax, values, label, span, baselines[label])
    axes[-1].axvline(step, color="black", linestyle=":")
    axes[-1].text(step, -0.45, "the photos'", rotation=90, ha="right", va="top", fontsize=10)
    lines = (step, *baselines[label].values())
    dots = [value for seeds in panels[label].values() for value in seeds.values()]
    right = max(axes[-1].get_xlim()[1], 1.05 * step)
    axes[-1].set_xlim(
        min(min(lines) - 0.12 * (right - min(lines)), *(0.9 * dot for dot in dots)), right
    )  # room for words
    return figure


def draw_runs(
    ax: Axes,
    values: dict[str, dict[int, float]],
    label: str,
    least: float = 0.0,
    baselines: dict[str, float] | None = None,
) -> None:
    """A row for each network: a dot per seed, with the seed's number in it, and a line at their mean.

    Args:
        values: name of the network to seed to number; a network without any has not been trained yet.
        label: of the axis, with its unit.
        least: what the axis spans at least, so that a tiny difference looks tiny.
        baselines: fills that no network should score less than, and their numbers: a vertical line for each.
    """
    for row, seeds in enumerate(values.values()):
        if not seeds:
            ax.text(0.02, row, "not trained yet", transform=ax.get_yaxis_transform(), va="center", fontsize=11)
            continue
        ax.plot([np.mean(list(seeds.values()))] * 2, [row - 0.36, row + 0.36], color=WEIGHT, linewidth=2.5)
        for number, (seed, value) in enumerate(seeds.items()):
            place = row + (0.16 * (2 * number - len(seeds) + 1) if len(seeds) > 1 else 0)
            ax.plot(value, place, "o", color=OUTPUT, markersize=13)
            ax.text(value, place, str(seed), color="white", ha="center", va="center", fontsize=9, fontweight="bold")
    numbers = [value for seeds in values.values() for value in seeds.values()]
    for name, value in (baselines or {}).items():
        ax.axvline(value, color="black", linestyle="--" if name == "mean colour" else ":", linewidth=1.5)
        ax.text(value, len(values) - 0.52, name, rotation=90, ha="right", va="bottom", fontsize=10)
        numbers.append(value)
    centre, span = (max(numbers) + min(numbers)) / 2, max(1.3 * (max(numbers) - min(numbers)), least)
    ax.set_xlim(centre - span / 2, centre + span / 2)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_yticks(range(len(values)), values)
    ax.set_ylim(len(values) - 0.5, -0.5)
    ax.set_xlabel(label)


def draw_training(ax: Axes, logs: dict[str, dict[int, list[dict]]], smoothing: int = 15) -> None:
    """How the squared error fell: a line for each network and seed, each point the mean of some rows of its log.

    Args:
        logs: name of the network to seed to the rows of its log.csv.
        smoothing: how many rows are averaged into a point.
    """
    styles = zip(("-", "--", ":", "-."), (OUTPUT, WRONG, WEIGHT, HIGHLIGHT), strict=True)
    for (name, seeds), (line, colour) in zip(logs.items(), styles, strict=False):
        for number, rows in enumerate(seeds.values()):
            steps = np.array([int(row["iteration"]) for row in rows])
            error = np.array([float(row["reconstruction"]) for row in rows])
            kernel = np.ones(min(smoothing, error.size)) / min(smoothing, error.size)
            smooth, at = np.convolve(error, kernel, "valid"), np.convolve(steps, kernel, "valid")
            width, label = (1.2, None) if number else (2.2, name)
            ax.plot(at, smooth, line, color=colour, linewidth=width, label=label)
    ax.set_xlabel("iteration")
    ax.set_ylabel("squared error in the hole")
    ax.set_title("during training")
    ax.legend(fontsize=11)


def sheet(strips: Sequence[np.ndarray], across: int = 2, gap: int = 10) -> np.ndarray:
    """Strips of pictures, all of the same size, laid out in rows of `across`, left to right: (H, W, 3) uint8."""
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
    """`sheet` as a figure, with the titles of the columns above each strip in the first row; `width` is in inches."""
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
    figure.legend(found.values(), found, loc="outside lower center", ncols=min(len(found), 5), fontsize=11)
