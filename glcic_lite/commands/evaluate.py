"""python -m glcic_lite evaluate: the weights against classical fills."""

from pathlib import Path
from typing import Annotated

import typer

from glcic_lite.commands.options import DATA_FOLDER, Weights, expect_folder_for, given_path
from glcic_lite.files import SHIPPED_WEIGHTS

# Headings and formats of what is measured only if it is asked for.
MORE_COLUMNS = {"colour_texture": ("colours", "7.2f"), "mesh": ("mesh dB", "7.1f"), "lpips": ("LPIPS", "7.3f")}


def evaluate(
    photos: Annotated[
        Path, typer.Argument(parser=given_path, help="A folder of photos never trained on.")
    ] = DATA_FOLDER / "test",
    weights: Weights = str(SHIPPED_WEIGHTS),
    seed: Annotated[int, typer.Option(min=0, help="Determines crops and holes.")] = 0,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", parser=given_path, help="Write every measurement to this CSV file.")
    ] = None,
    hole: Annotated[
        list[str] | None, typer.Option(help='Only holes of this kind, such as "box 192"; may be repeated.')
    ] = None,
    fill: Annotated[list[str] | None, typer.Option(help='Only this fill, such as "FSR best"; may be repeated.')] = None,
    known: Annotated[
        Path | None,
        typer.Option(
            parser=given_path,
            help="A CSV file of earlier measurements, from which those of slow classical fills are taken.",
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Measure slow classical fills even if they are known.")
    ] = False,
    grain: Annotated[
        bool,
        typer.Option(
            "--grain",
            help="Measure two flaws that the other numbers miss: coloured grain (texture of the colours alone) and a "
            "mesh of single pixels (decibels above the photo). Slow classical fills are then measured again.",
        ),
    ] = False,
    lpips: Annotated[
        Path | None,
        typer.Option(
            parser=given_path,
            help="Measure LPIPS, too: a folder with its weights, alexnet-owt-7be5be79.pth (torchvision's) and alex.pth "
            "(the LPIPS authors', version 0.1). Nothing is downloaded. Slow classical fills are then measured again.",
        ),
    ] = None,
) -> None:
    """Compare the weights with classical fills inside seeded holes: PSNR with its 95 % interval over photos, SSIM,
    HaarPSI, texture, L1 in grey levels, and seconds a hole. What slow classical fills score on the test photos is
    known and not measured again. "FSR best" takes minutes in a large hole, and is measured only if --fill names it."""
    from glcic_lite.commands.bars import progress_bar
    from glcic_lite.evaluation import protocol
    from glcic_lite.evaluation.lpips import hole_lpips
    from glcic_lite.evaluation.metrics import GRAIN_METRICS
    from glcic_lite.evaluation.statistics import averages
    from glcic_lite.files import csv_text, write_text
    from glcic_lite.method.networks import CompletionNetwork

    if out:
        expect_folder_for(out, *photos.rglob("*"), *([known] if known else []))
    if known and not known.is_file():
        raise typer.BadParameter(f"there is no file {known}", param_hint="--known")
    every_fill = (*protocol.FILLS, "FSR best")
    for given, there, option in ((hole, protocol.HOLES, "--hole"), (fill, every_fill, "--fill")):
        unknown = set(given or ()) - set(there)
        if unknown:
            raise typer.BadParameter(f"{', '.join(sorted(unknown))}; there are {'; '.join(there)}", param_hint=option)
    more = (GRAIN_METRICS if grain else {}) | ({"lpips": hole_lpips(lpips)} if lpips else {})
    network = CompletionNetwork.from_pretrained(weights)
    with progress_bar("hole") as bar:
        rows = protocol.evaluate(
            photos,
            network,
            seed,
            on_case=lambda case, filled: bar.update(),
            holes=hole or None,
            fills=fill or protocol.FILLS,
            known=[] if again else protocol.read_rows(known) if known else None,
            more=more,
        )
    if out:  # before anything is printed: a closed pipe must not lose it
        write_text(out, csv_text(rows))
    print(
        f"{'hole':10} {'fill':26} {'photos':>6} {'PSNR dB':>8} {'(95 %)':>16} {'SSIM':>6} {'HaarPSI':>7} "
        f"{'texture':>8} {'L1':>6} {'seconds':>8}" + "".join(f" {MORE_COLUMNS[name][0]:>7}" for name in more)
    )
    for row in averages(rows):
        interval = f"({row['psnr_interval'].ends()})"
        print(
            f"{row['hole']:10} {row['fill']:26} {row['photos']:6d} {row['psnr']:8.2f} {interval:>16} "
            f"{row['ssim']:6.3f} {row['haarpsi']:7.3f} {row['texture']:8.2f} {row['l1']:6.1f} {row['seconds']:8.2f}"
            + "".join(f" {row[name]:{MORE_COLUMNS[name][1]}}" for name in more)
        )
