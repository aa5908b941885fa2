"""python -m glcic_lite evaluate: the weights against classical fills."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from glcic_lite.commands.options import DATA_FOLDER, Weights, expect_folder_for
from glcic_lite.files import SHIPPED_WEIGHTS


def evaluate(
    photos: Annotated[Path, typer.Argument(help="A folder of photos never trained on.")] = DATA_FOLDER / "test",
    weights: Weights = str(SHIPPED_WEIGHTS),
    seed: Annotated[int, typer.Option(min=0, help="Determines crops and holes.")] = 0,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write every measurement to this CSV file.")] = None,
) -> None:
    """Compare the weights with classical fills: PSNR with its 95 % interval over photos, L1 in grey levels, SSIM and
    texture inside seeded holes."""
    from tqdm import tqdm

    from glcic_lite.evaluation import protocol
    from glcic_lite.evaluation.statistics import averages
    from glcic_lite.files import csv_text, write_text
    from glcic_lite.method.networks import CompletionNetwork

    if out:
        expect_folder_for(out)
    network = CompletionNetwork.from_pretrained(weights)
    with tqdm(unit="hole", disable=not (sys.stderr and sys.stderr.isatty())) as bar:
        rows = protocol.evaluate(photos, network, seed, on_case=lambda case, filled: bar.update())
    print(f"{'hole':10} {'fill':18} {'photos':>6} {'PSNR dB':>8} {'(95 %)':>16} {'L1':>6} {'SSIM':>6} {'texture':>8}")
    for row in averages(rows):
        interval = f"({row['psnr_interval'].ends()})"
        print(
            f"{row['hole']:10} {row['fill']:18} {row['photos']:6d} {row['psnr']:8.2f} {interval:>16} {row['l1']:6.1f} "
            f"{row['ssim']:6.3f} {row['texture']:8.2f}"
        )
    if out:
        write_text(out, csv_text(rows))
