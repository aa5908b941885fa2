"""Figures of training: samples with their patches, the timetable of the phases, curves by phase."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from glcic_lite.course.lesson_06.health import HEALTHY, accuracy
from glcic_lite.course.shared.figures import HIGHLIGHT, HOLE, INPUT, OUTPUT, QUIET, WEIGHT, WRONG, with_hole
from glcic_lite.training.log import box_kinds, split_phases, split_runs, split_validation
from glcic_lite.training.settings import Settings

LEGEND = dict(fontsize=10, frameon=True, framealpha=0.9, edgecolor="none")  # over curves
PHASES = {1: "completion network", 2: "discriminators", 3: "both"}
SHADES = {1: "#FFFFFF", 2: "#E9EBEE", 3: "#F7F0E1"}  # behind curves; the phase's number stands above, too


def draw_phases(ax: Axes, rows: Sequence[Mapping[str, float]], labels: bool = True, end: float | None = None) -> None:
    """Shade the iterations of each phase, and name it above where there is room.

    Args:
        labels: whether to name them.
        end: of the axis, in iterations; the last row's if left out.
    """
    start, width = 0, end or max(row["iteration"] for row in rows)
    for phase, part in split_phases(rows):
        stop = part[-1]["iteration"]
        ax.axvspan(start, stop, facecolor=SHADES[phase], edgecolor="none", zorder=0)
        if start:
            ax.axvline(start, color=QUIET, linewidth=0.8, linestyle=":")
        if labels and stop - start > 0.02 * width:
            words = f"phase {phase}" if stop - start > 0.13 * width else str(phase)
            middle = (start + stop) / 2
            ax.text(middle, 1.01, words, transform=ax.get_xaxis_transform(), ha="center", va="bottom", fontsize=10)
        start = stop


def draw_column(
    ax: Axes, rows: Sequence[Mapping[str, float]], name: str, label: str, colour: str, style: str = "-", smooth: int = 1
) -> None:
    """One column of a log against the iterations; a gap where a phase does not have it."""
    for _, part in split_phases(rows):
        found = [(row["iteration"], row[name]) for row in part if name in row]
        if not found:
            continue
        x, y = np.array(found).T
        if smooth > 1:
            y = np.array([y[max(0, n - smooth // 2) : n + smooth // 2 + 1].mean() for n in range(len(y))])
        ax.plot(x, y, style, color=colour, label=label, linewidth=2, markersize=3)
        label = None  # one entry in the legend, however many phases


def draw_curves(figure: FigureBase, rows: Sequence[Mapping[str, float]], settings: Settings) -> None:
    """The curves of a live picture: the squared error above; the discriminators and the GAN loss below."""
    top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw=dict(left=0.14, right=0.97, top=0.93, bottom=0.12,
                                                                      hspace=0.14))  # fmt: skip
    if rows:
        draw_phases(top, rows, end=settings.iterations)
        draw_phases(bottom, rows, labels=False)
    draw_column(top, rows, "reconstruction", "squared error in the hole", OUTPUT)
    draw_column(bottom, rows, "discriminator", "discriminators' loss", WEIGHT)
    draw_column(bottom, rows, "gan", "GAN loss", HIGHLIGHT, "--")
    bottom.set_xlim(0, settings.iterations)
    bottom.set_xlabel("iteration")
    for ax in (top, bottom):
        ax.set_ylim(0, None if ax.lines else 1)
        if ax.get_legend_handles_labels()[0]:
            place = "upper right" if ax is top else "upper left"
            ax.legend(loc=place, **LEGEND)
    if not bottom.get_legend_handles_labels()[0]:
        bottom.set_yticks([])
        words = "the discriminators' turn\ncomes in phases 2 and 3"
        bottom.text(0.5, 0.5, words, ha="center", va="center", color=QUIET, transform=bottom.transAxes, fontsize=11)


def samples_figure(samples: Sequence[Mapping], local_size: int) -> Figure:
    """A column a sample: photo, hole and both squares; the patch around the hole; the real patch.

    Args:
        samples: of `TrainingSamples`.
        local_size: side of the patches.
    """
    figure, axes = plt.subplots(3, len(samples), figsize=(1.75 * len(samples), 1.75 * 3 * 0.99), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    for column, sample in zip(axes.T, samples, strict=True):
        photo = np.rint(sample["photo"].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        mask = sample["mask"][0].numpy() > 0.5
        marked = with_hole(photo, mask)
        fake, real = (tuple(sample[name].tolist()) for name in ("fake_patch", "real_patch"))
        cut = [np.s_[top : top + local_size, left : left + local_size] for top, left in (fake, real)]
        for ax, picture in zip(column, (marked, marked[cut[0]], photo[cut[1]]), strict=True):
            ax.imshow(picture, interpolation="nearest")
            ax.set_xticks([])
            ax.set_yticks([])
        for (top, left), colour, style in ((fake, HIGHLIGHT, "-"), (real, INPUT, "--")):
            column[0].add_patch(Rectangle((left, top), local_size - 1, local_size - 1, fill=False, edgecolor=colour,
                                          linewidth=2.5, linestyle=style))  # fmt: skip
        for ax, colour, style in ((column[1], HIGHLIGHT, "-"), (column[2], INPUT, "--")):
            for spine in ax.spines.values():
                spine.set(visible=True, edgecolor=colour, linewidth=2.5, linestyle=style)
        column[0].spines[:].set_visible(False)
    for ax, name in zip(axes[:, 0], ("sample", "patch with\nthe hole (solid)", "real patch\n(dashed)"), strict=True):
        ax.set_ylabel(name, fontsize=11)
    return figure


def timetable_figure(named: Mapping[str, Settings]) -> Figure:
    """For each of several settings: the three phases to scale, and the completion network's learning rate above."""
    figure, axes = plt.subplots(len(named), 1, figsize=(11, 1.75 * len(named) + 0.3), layout="constrained")
    for ax, (name, s) in zip(np.atleast_1d(axes), named.items(), strict=True):
        start = 0
        for phase, count in ((1, s.phase_1), (2, s.phase_2), (3, s.phase_3)):
            ax.axvspan(start, start + count, facecolor=SHADES[phase], edgecolor=QUIET, linewidth=0.6)
            words = f"phase {phase}" if count > 0.06 * s.iterations else str(phase)
            more = f": {PHASES[phase]}\n{count:,} iterations" if count > 0.25 * s.iterations else f"\n{count:,}"
            ax.text(start + count / 2, 1.32, words + more, ha="center", va="center", fontsize=9.5,
                    bbox=dict(facecolor="white", alpha=0.75, edgecolor="none", pad=0.8))  # fmt: skip
            start += count
        x = np.unique(np.linspace(0, s.iterations - 1, 2000).astype(int))
        ax.plot(x, [s.network_learning_rate(int(i)) / s.learning_rate for i in x], color=OUTPUT, linewidth=2.5)
        ax.set_xlim(0, s.iterations)
        ax.set_ylim(-0.08, 1.62)
        ax.set_yticks([0, 1], ["0", f"{s.learning_rate:g}"])
        ax.set_title(f"{name}: {s.optimizer.capitalize()}, batches of {s.batch_size}", loc="left", fontsize=12)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    np.atleast_1d(axes)[-1].set_xlabel("iteration")
    figure.supylabel("learning rate of the completion network", fontsize=11)
    return figure


def health_figure(rows: Sequence[Mapping[str, float]], smooth: int = 1) -> Figure:
    """The last phases 2 and 3 of a log: losses, accuracies, and gradients, as far as the log has them."""
    figure, axes = plt.subplots(1, 3, figsize=(11.5, 3.6), layout="constrained")
    panels = (
        ("losses", (("discriminator", "discriminators", WEIGHT, "-"), ("gan", "GAN loss", HIGHLIGHT, "--"))),
        ("share judged rightly", (("real_accuracy", "real photos", INPUT, "-"),
                                  ("fake_accuracy", "completed photos", HOLE, "--"))),
        ("gradients", (("gradient_ratio", "GAN part / error part", WRONG, "-"),)),
    )  # fmt: skip
    later = [[row for row in run if row["phase"] > 1] for run in split_runs(rows)]
    late = next(filter(None, reversed(later)), [])
    for ax, (title, columns) in zip(axes, panels, strict=True):
        for name, label, colour, style in columns:
            draw_column(ax, late, name, label, colour, style, smooth)
        ax.set_title(title, fontsize=12)
        ax.set_xlabel("iteration")
        if ax.lines:
            ax.legend(**LEGEND)
        else:
            ax.set_yticks([])
            ax.text(0.5, 0.5, "not in this log", ha="center", va="center", color=QUIET, transform=ax.transAxes)
        if late:
            first = min(row["iteration"] for row in late)
            ax.set_xlim(first, max(row["iteration"] for row in late))
            ax.xaxis.set_major_locator(MaxNLocator(4))
            ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes[1].set_ylim(-0.04, 1.04)
    axes[1].axhline(0.5, color=QUIET, linewidth=1, linestyle=":")
    if axes[2].lines:
        axes[2].set_yscale("log")
        axes[2].axhline(1, color=QUIET, linewidth=1, linestyle=":")
    return figure


def crops_figure(rows: Mapping[str, np.ndarray], height: float = 1.15) -> Figure:
    """Rows of small crops, each with its name on the left.

    Args:
        rows: (N, S, S, 3) in [0, 1] each.
        height: of a row, in inches.
    """
    columns = len(next(iter(rows.values())))
    figure, axes = plt.subplots(len(rows), columns, figsize=(height * columns + 1.6, height * len(rows)),
                                gridspec_kw=dict(left=1.6 / (height * columns + 1.6), right=1, top=1, bottom=0,
                                                 wspace=0.04, hspace=0.04))  # fmt: skip
    for line, (name, crops) in zip(axes, rows.items(), strict=True):
        for ax, crop in zip(line, crops, strict=True):
            ax.imshow(crop, interpolation="antialiased")
            ax.set_axis_off()
        line[0].text(-0.07, 0.5, name, transform=line[0].transAxes, ha="right", va="center", fontsize=12)
    return figure


def failure_figure(courses: Mapping[str, Sequence[Mapping[str, float]]], smooth: int) -> Figure:
    """Several runs side by side: discriminators' loss, their accuracy, ratio of the gradients, error in the hole."""
    figure, panels = plt.subplots(2, 2, figsize=(11.5, 6.4), layout="constrained", sharex=True)
    axes = panels.ravel()
    styles = ((OUTPUT, "-"), (HIGHLIGHT, "--"), (WRONG, ":"), (WEIGHT, "-."))
    for (name, rows), (colour, style) in zip(courses.items(), styles, strict=False):
        x = [row["iteration"] for row in rows]
        for ax, values in (
            (axes[0], [row["discriminator"] for row in rows]),
            (axes[1], [accuracy(row) for row in rows]),
            (axes[2], [row.get("gradient_ratio", np.nan) for row in rows]),
            (axes[3], [row.get("reconstruction", np.nan) for row in rows]),
        ):
            there = [(at, value) for at, value in zip(x, values, strict=True) if np.isfinite(value)]  # not in phase 2
            if not there:
                continue
            x_there, values = zip(*there, strict=True)
            means = [np.mean(values[max(0, n - smooth + 1) : n + 1]) for n in range(len(values))]
            ax.plot(x_there, means, style, color=colour, linewidth=2.4, label=name)
        for ax in axes:
            ax.axvline(sum(row["phase"] == 2 for row in rows) + 0.5, color=QUIET, linewidth=1)
    titles = ("discriminators' loss", "share judged rightly", "ratio of the gradients", "squared error in the hole")
    for ax, title in zip(axes, titles, strict=True):
        ax.set_title(title, fontsize=12)
    for ax in panels[1]:
        ax.set_xlabel("iteration")
    axes[0].set_ylim(0)
    axes[1].set_ylim(0, 1.04)
    axes[2].set_yscale("log")
    axes[3].set_ylim(0)
    for ax, name in zip(axes, ("discriminator", "accuracy", "gradient_ratio"), strict=False):
        draw_healthy(ax, name)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=11)
    return figure


def draw_healthy(ax: Axes, name: str) -> None:
    """Shade the range in which a measure of `HEALTHY` is healthy; the curves keep their axis."""
    limits = ax.get_ylim()
    ax.axhspan(*HEALTHY[name][1], facecolor=OUTPUT, alpha=0.13, edgecolor="none", zorder=0)
    ax.set_ylim(limits)


def blind_figure(logs: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """A row a log, under its letter: error in the hole, discriminators' and GAN loss, accuracy, ratio of gradients.

    The losses are cut off at 8. Shades: the phases in the first column, the healthy range in the others.
    """
    figure, axes = plt.subplots(len(logs), 4, figsize=(11.5, 1.45 * len(logs) + 0.6), layout="constrained",
                                sharex=True, sharey="col")  # fmt: skip
    figure.get_layout_engine().set(h_pad=0.03, hspace=0.01)
    for line, (letter, rows) in zip(axes, logs.items(), strict=True):
        rows = [{**row, "accuracy": accuracy(row)} if row["phase"] > 1 else row for row in rows]
        draw_phases(line[0], rows)
        draw_column(line[0], rows, "reconstruction", "error", OUTPUT)
        draw_column(line[1], rows, "discriminator", "discriminators", WEIGHT)
        draw_column(line[1], rows, "gan", "GAN loss", HIGHLIGHT, "--")
        draw_column(line[2], rows, "accuracy", "accuracy", INPUT)
        draw_column(line[3], rows, "gradient_ratio", "ratio", WRONG)
        line[0].set_ylabel(letter, rotation=0, fontsize=16, labelpad=14, va="center")
    titles = ("error in the hole", "losses", "share judged rightly", "ratio of the gradients")
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title, fontsize=12, pad=18)
    axes[0, 0].set_ylim(0)
    axes[0, 1].set_ylim(0, 8)
    axes[0, 1].legend(fontsize=9, loc="upper left")
    axes[0, 2].set_ylim(0, 1.04)
    axes[0, 3].set_yscale("log")
    for line in axes:
        for ax, name in zip(line[1:], ("discriminator", "accuracy", "gradient_ratio"), strict=True):
            draw_healthy(ax, name)
    for ax in axes[-1]:
        ax.set_xlabel("iteration")
    return figure


def learning_rates_figure(
    losses: Mapping[float, Sequence[float]], words: Sequence[str], grey: Sequence[float]
) -> Figure:
    """The error in the hole against the iterations, averaged over five of them: a curve for each learning rate.

    Args:
        losses: of each iteration, by learning rate.
        words: what to say of each rate.
        grey: what the mean colour would have, in each iteration.
    """
    figure, ax = plt.subplots(figsize=(9.5, 3.9), layout="constrained")
    styles = ((QUIET, "-."), (OUTPUT, "-"), (HIGHLIGHT, "--"), (WRONG, "x"), (QUIET, ":"))
    named = {f"{rate:g}: {word}": values for (rate, values), word in zip(losses.items(), words, strict=True)}
    for (label, values), (colour, style) in zip({**named, "the mean colour": grey}.items(), styles, strict=True):
        smooth = [np.mean(values[max(0, n - 4) : n + 1]) for n in range(len(values))]
        ax.plot(range(1, len(values) + 1), smooth, style, color=colour, linewidth=2, label=label)
    ax.set_xlabel("iteration")
    ax.set_ylabel("error in the hole")
    ax.set_ylim(0)
    ax.legend(title="learning rate", loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=10.5)
    return figure


def log_figure(rows: Sequence[Mapping[str, float]], validation: Sequence[Mapping[str, float]]) -> Figure:
    """A long run: the error in the hole, and the validation by kind of hole, with the phases shaded."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 4.2), layout="constrained")
    for ax in (left, right):
        draw_phases(ax, rows)
        ax.set_xlim(0, rows[-1]["iteration"])
        ax.set_xlabel("iteration")
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    draw_column(left, rows, "reconstruction", "each row of the log", INPUT, ".")
    draw_column(left, rows, "reconstruction", "average over twenty rows", WEIGHT, "-", smooth=20)
    left.set_ylim(0)
    left.set_ylabel("squared error in the hole")
    left.legend(fontsize=10.5)
    boxes = sorted(set().union(*map(box_kinds, validation)), key=lambda kind: int(kind.removeprefix("box_")))
    kinds = [*boxes, "strokes"]
    markers = ("o", "s", "^", "D", "v", "P", "X", "*")
    colours = (INPUT, OUTPUT, WEIGHT, HOLE, HIGHLIGHT, QUIET, WRONG, "black")
    runs = split_validation(rows, validation)
    for kind, colour, marker in zip(kinds, colours[: len(kinds)], markers[: len(kinds)], strict=True):
        label = kind.replace("_", " ") + " px" * kind.startswith("box")
        for run in runs:  # not joined: the next one begins from other weights, or with other crops
            measured = [row for row in run if kind in row]
            if measured:
                x, y = [row["iteration"] for row in measured], [row[kind] for row in measured]
                right.plot(x, y, marker=marker, markersize=4, color=colour, label=label, linewidth=2)
                label = None
    right.set_ylabel("PSNR in the hole, dB")
    right.legend(fontsize=10.5, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=min(len(kinds), 4))
    return figure
