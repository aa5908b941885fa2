"""Turning a training run into published weights: measured, shown and described by code, not by hand."""

import json
import os
import platform
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from glcic_lite.device import choose_device, describe
from glcic_lite.evaluation.fills import NETWORK_FILLS
from glcic_lite.evaluation.protocol import HoleCase, evaluate
from glcic_lite.evaluation.statistics import (
    VERDICTS,
    amount,
    averages,
    mean_interval,
    paired_differences,
    verdict,
)
from glcic_lite.files import csv_text, expect_writable, read_text, write_text, written_beside
from glcic_lite.method.networks import CompletionNetwork, ContextDiscriminator, count_parameters
from glcic_lite.method.photos import save_image
from glcic_lite.method.pretrained import Pretrained
from glcic_lite.training.log import split_phases
from glcic_lite.training.run_folder import RunError, RunFolder

SHEET_CROP = 160  # side of the cut-outs on the sheet, in pixels
SHEET_HOLES = ("box 48", "stroke 20")  # left and right half of the sheet
SHEET_FILLS = ("Telea", "network", "network, blended")
COLUMNS = ("hole", "photo", "Telea", "network", "blended")
DIGITS = {"psnr": 2, "ssim": 3, "haarpsi": 3, "texture": 2, "l1": 1}  # after the decimal point, in tables

CARD_HEAD = """---
library_name: glcic-lite
license: mit
tags: [image-inpainting, image-completion]
---
"""
CARD = """

# {name}: completion network, width {width}

The completion network of Iizuka, Simo-Serra and Ishikawa (*Globally and Locally Consistent Image Completion*, 2017),
{parameters:,} parameters, trained on the {photos} photos in `data/photos/train`, by `python -m glcic_lite train` unless
the text below says otherwise. The photos' authors and licences are listed in `data/photos/ATTRIBUTION.csv`; the weights
are under the MIT licence.

```python
from glcic_lite import CompletionNetwork, complete

network = CompletionNetwork.from_pretrained({argument})
completed = complete("photo.jpg", "mask.png", network)
```

## Training

{iterations:,} iterations, {hours:.1f} hours of computing: {phases}.
In batches of {batch_size} crops of {crop_size} x {crop_size} pixels{judged}, with boxes of
{low} to {high} pixels or, for {strokes:.0%} of the crops, brush strokes. These and all other settings are in
`settings.json` (after several runs, those of the last one), the losses in `log.csv`, the validation in
`validation.csv`.{blending}

`discriminators/` holds the global and the local discriminator that it was trained against, as they were when its
training ended (unless the text below says otherwise), for `ContextDiscriminator.from_pretrained`. Before phase 2 there
are none.{history}

## Evaluation

The test photos (`data/photos/test`, never trained on), reduced to at most 640 pixels, with seeded holes: boxes of 32,
48 and 64 pixels and a brush stroke 20 pixels wide in one crop of 256 x 256 each, boxes of 96, 128 and 192 pixels in
another of 304 x 304. All numbers are computed over the pixels inside the hole and averaged over photos: PSNR in dB /
HaarPSI (Reisenhofer and others, 2018; 1 is equal) / gradient magnitude relative to the real photo's (1 is as much
texture; near 0 is fog). Every single measurement, with SSIM, L1 and seconds, is in `evaluation.csv`;
`python -m glcic_lite evaluate` repeats them all. Computed on {machine}.

{table}

"network, blended" is what `complete` returns: a hole larger than those of the training is painted in a reduced photo.
"scale 1" does without that, "network" is the bare output at scale 1. The others are classical: FSR is OpenCV's
frequency selective reconstruction (quick setting), shift-map its copier of patches. The harmonic fill is the smoothest
of all: PSNR favours it, and it is pure fog.

Has "network, blended" the higher PSNR? The differences photo by photo, and the 95 % t interval of their mean, say:

{verdicts}

*Undecided* means that these photos cannot tell.

![Every test photo with a box of 48 pixels and with a brush stroke: the hole, the photo, Telea's fill, the network's
output, and the blended result](completions.jpg)

## Limits

- "Texture" in the table says how much of the photo's is there; not all of it need be right: look at the pictures, for
  grain too. Holes larger than {high} pixels, which it never saw in training, come out soft.
- It knows no objects. It continues texture, edges and colour; it does not invent faces, windows or animals.
- {photos} photos are few. It has not learned what they do not show (text, people's faces, interiors).
"""
THROUGH_BLENDING = """

In the last run, the losses judged each painting after it was blended into its photo, as `complete` returns it, and the
discriminators saw it so, too (the setting `through_blending`, this course's addition to the paper). So look at the
blended result: the bare output (`blend=False`) may have a tint, {tint}."""


def publish(
    run: str | os.PathLike,
    out: str | os.PathLike,
    test_photos: str | os.PathLike,
    train_photos: int,
    weights: str = "network",
    on_case: Callable[[HoleCase, dict[str, np.ndarray]], None] | None = None,
) -> list[dict]:
    """Copy a run's weights, its discriminators and logs to `out`, evaluate them, and write a sheet and a model card.

    Everything is written to a folder beside it first and then moved: a call that fails or is killed while it measures
    leaves what was published before untouched.

    Args:
        run: a training run's folder.
        out: the folder to write, such as glcic_lite/weights/lite.
        test_photos: photos never trained on.
        train_photos: how many photos the run was trained on, for the card.
        weights: "network", the latest weights, or "best", those with the best validation.
        on_case: as for `evaluate`.

    Returns:
        The rows of the evaluation, as in evaluation.csv.

    Raises:
        RunError: there is no run, it has not reached its first validation, or `out` belongs to it or holds other files.
        OSError: `out` cannot be written to.
    """
    out = Path(out).absolute()
    expect_place_for_weights(out, Path(run))
    out.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(out) as new:
        new.mkdir()
        _copy_run(RunFolder(run), new, weights)
        rows = _write_evaluation(new, test_photos, on_case)
        write_text(new / "README.md", model_card(new, out.name, train_photos))
        out.mkdir(exist_ok=True)
        shutil.rmtree(out / "discriminators", ignore_errors=True)
        (out / "history.md").unlink(missing_ok=True)  # these two are not always part of what is published
        for written in new.iterdir():
            os.replace(written, out / written.name)
    return rows


def expect_place_for_weights(out: Path, run: Path) -> None:
    """Only a new or empty folder is written to, or one of published weights.

    Raises:
        RunError: `out` belongs to the run, or holds other files.
        OSError: it cannot be written to.
    """
    if run.resolve() in (out.resolve(), *out.resolve().parents):
        raise RunError(f"{out}: belongs to the run, whose files would be replaced; choose another folder")
    if os.path.lexists(out) and not (out.is_dir() and ((out / "config.json").exists() or not any(out.iterdir()))):
        raise RunError(f"{out}: already exists, and holds no weights; choose another folder")
    expect_writable([out / "config.json"])


def _copy_run(run: RunFolder, out: Path, weights: str) -> None:
    """A run's settings, logs, history and weights, these in half precision."""
    run.settings()  # raises where there is no run
    for needed in ("log.csv", "validation.csv", weights):
        if not (run.path / needed).exists():
            raise RunError(f"{run.path}: no {needed} in it yet; a run can be published after its first validation")
    log, validation = run.all_rows("log.csv"), run.all_rows("validation.csv")  # read once: the run may be in progress
    # The weights are those of the last validation; the log of a run in progress, or of a stopped one, is longer.
    try:
        last = int(validation[-1]["iteration"])
        log = [row for row in log if int(row["iteration"]) <= last]
        if not log:
            raise ValueError("log.csv has no rows")
        if (run.path / "history.md").exists():
            read_text(run.path / "history.md")  # written by hand, and perhaps not in UTF-8
    except (ValueError, TypeError, LookupError) as error:
        raise RunError(f"{run.path}: its logs or its history are not as they should be ({error})") from error
    for file, rows in (("log.csv", log), ("validation.csv", validation)):
        write_text(out / file, csv_text(rows))
    for file in ("settings.json", "history.md"):  # a run that starts from these weights continues the history
        if (run.path / file).exists():
            shutil.copyfile(run.path / file, out / file)
    save_in_half(CompletionNetwork.from_pretrained(run.path / weights), out)
    if (run.path / "discriminators").is_dir():
        save_in_half(ContextDiscriminator.from_pretrained(run.path / "discriminators"), out / "discriminators")


def _write_evaluation(out: Path, test_photos: str | os.PathLike, on_case: Callable | None) -> list[dict]:
    """Evaluate the weights in a folder, and write every measurement and the sheet of completions."""
    strips: dict[str, list[np.ndarray]] = {hole: [] for hole in SHEET_HOLES}

    def keep_strip(case: HoleCase, filled: dict[str, np.ndarray]) -> None:
        if case.hole_kind in SHEET_HOLES:
            strips[case.hole_kind].append(sheet_strip(case, filled))
        if on_case:
            on_case(case, filled)

    measured = evaluate(test_photos, CompletionNetwork.from_pretrained(out), on_case=keep_strip)
    # Rounded first, so that the card's averages are those of the file to the last digit.
    rows = [{k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} for row in measured]
    write_text(out / "evaluation.csv", csv_text(rows))
    save_image(completion_sheet(*strips.values()), out / "completions.jpg", quality=85)
    return rows


def model_card(folder: str | os.PathLike, name: str, train_photos: int, machine: str | None = None) -> str:
    """The README of a folder of weights, from the other files in it.

    Args:
        folder: config.json, the weights, settings, logs and evaluation, and history.md if there is one.
        name: of the weights.
        train_photos: how many photos they were trained on.
        machine: where they were evaluated; None: here.
    """
    run, history = RunFolder(folder), Path(folder) / "history.md"
    settings, _ = run.settings()
    log = run.rows("log.csv")
    tint = "which nothing in that run told it to avoid"
    if settings.bare_share:
        tint = f"as its own error counted only {settings.bare_share:g} times as much"
    phases = [
        f"phase {phase} {f'{count:,} iterations' if count else 'has not begun'}"
        for phase, count in iterations_of_phases(log).items()
    ]
    return CARD_HEAD + CARD.format(
        name=name,
        width=json.loads((run.path / "config.json").read_text(encoding="utf-8"))["width"],
        parameters=count_parameters(CompletionNetwork.from_pretrained(folder)),
        photos=train_photos,
        argument="" if name == "lite" else f'"{name}"',
        iterations=int(log[-1]["iteration"]),
        batch_size=settings.batch_size,
        crop_size=settings.crop_size,
        judged=f", of which the global discriminator sees {settings.global_size}" if settings.global_size else "",
        hours=float(log[-1]["seconds"]) / 3600,
        phases=", ".join(phases),
        low=settings.hole_sides[0],
        high=settings.hole_sides[1],
        strokes=settings.stroke_share,
        blending=THROUGH_BLENDING.format(tint=tint) if settings.through_blending else "",
        history=f"\n\n{history.read_text(encoding='utf-8').strip()}" if history.exists() else "",
        machine=machine or f"{describe(choose_device())}, {platform.machine()}",
        table=markdown_table(run.rows("evaluation.csv")),
        verdicts=verdict_lines(run.rows("evaluation.csv")),
    )


def save_in_half(network: Pretrained, folder: Path) -> None:
    """Save weights in half precision, in half the space; they are loaded as float32 all the same.

    Rounding changes the output by a small fraction of a grey level on average.
    """
    network.half().save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # the Hub mixin's own; the card here describes all files


def iterations_of_phases(log: list[dict]) -> dict[int, int]:
    """How many iterations of each phase were done, from the rows of a log."""
    done, before = {1: 0, 2: 0, 3: 0}, 0
    for phase, rows in split_phases(log):
        end = int(rows[-1]["iteration"])
        done[phase] += end - before
        before = end
    return done


def markdown_table(
    rows: list[dict], metrics: tuple[str, ...] = ("psnr", "haarpsi", "texture"), fills: Iterable[str] | None = None
) -> str:
    """The averages of an evaluation: a row for each fill (None: all there are), a column for each kind of hole."""
    means = averages(rows)
    holes, there = (list(dict.fromkeys(row[key] for row in means)) for key in ("hole", "fill"))
    cells = {(row["fill"], row["hole"]): row for row in means}
    lines = ["| fill | " + " | ".join(holes) + " |", "|---" * (len(holes) + 1) + "|"]
    for fill in there if fills is None else fills:
        texts = [" / ".join(f"{cells[fill, hole][m]:.{DIGITS[m]}f}" for m in metrics) for hole in holes]
        lines.append(f"| {fill} | {' | '.join(texts)} |")
    return "\n".join(lines)


def verdict_lines(rows: list[dict], metric: str = "psnr", small: float = 0.5, unit: str = " dB") -> str:
    """Is what `complete` returns above each other fill, photo by photo? A Markdown line for each, holes by verdict.

    Args:
        rows: as from `evaluate`.
        metric: one of `METRICS` of which more is better.
        small: what counts as a small difference, for `verdict`.
        unit: printed after it.
    """
    means = averages(rows)
    holes, fills = (list(dict.fromkeys(row[key] for row in means)) for key in ("hole", "fill"))
    lines = []
    for fill in fills:
        if fill in NETWORK_FILLS:
            continue
        found: dict[str, list[str]] = {}
        for hole in holes:
            differences = paired_differences(rows, "network, blended", fill, metric, hole)
            found.setdefault(verdict(mean_interval(list(differences.values())), small), []).append(hole)
        parts = (f"{word}{amount(word, small, unit)} in {', '.join(found[word])}" for word in VERDICTS if word in found)
        lines.append(f"- above {fill}: {'; '.join(parts)}")
    return "\n".join(lines)


def sheet_strip(case: HoleCase, filled: dict[str, np.ndarray]) -> np.ndarray:
    """One hole, filled in several ways and cut out around it, side by side: (SHEET_CROP, 5 * SHEET_CROP, 3)."""
    centre = np.argwhere(case.mask).mean(axis=0)
    top, left = (int(np.clip(c - SHEET_CROP / 2, 0, case.mask.shape[0] - SHEET_CROP)) for c in centre)
    emptied = np.where(case.mask[..., None], np.uint8(128), case.photo)
    pictures = [emptied, case.photo, *(filled[name] for name in SHEET_FILLS)]
    return np.concatenate([p[top : top + SHEET_CROP, left : left + SHEET_CROP] for p in pictures], axis=1)


def completion_sheet(left: list[np.ndarray], right: list[np.ndarray]) -> Image.Image:
    """Every test photo: the strips of `sheet_strip` below one another, one kind of hole on each side."""
    half = np.concatenate(left, axis=0), np.concatenate(right, axis=0)
    gap = np.full((half[0].shape[0], 16, 3), 255, np.uint8)
    body = np.concatenate([half[0], gap, half[1]], axis=1)
    sheet = Image.new("RGB", (body.shape[1], body.shape[0] + 24), "white")
    sheet.paste(Image.fromarray(body), (0, 24))
    draw = ImageDraw.Draw(sheet)
    for i in range(2):
        for j, title in enumerate(COLUMNS):
            x = i * (len(COLUMNS) * SHEET_CROP + 16) + j * SHEET_CROP + 6
            draw.text((x, 4), title, fill="black", font_size=15)
    return sheet
