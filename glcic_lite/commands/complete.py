"""python -m glcic_lite complete: a photo, or a folder of photos."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glcic_lite.commands.options import Weights, expect_folder_for
from glcic_lite.files import SHIPPED_WEIGHTS

if TYPE_CHECKING:
    from glcic_lite.method.networks import CompletionNetwork


def complete(
    photo: Annotated[Path, typer.Argument(help="The photo, or a folder of photos.")],
    mask: Annotated[
        Path,
        typer.Argument(
            help="The mask: white where the hole is, of the photo's size; or a folder of masks named like the photos."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", help="Where to write the completed photo, .png or .jpg; or a folder for results."),
    ],
    weights: Weights = str(SHIPPED_WEIGHTS),
    blend: Annotated[bool, typer.Option(help="Remove the tint between hole and photo.")] = True,
) -> None:
    """Fill the hole of a photo, or of every photo in a folder. Called again on a folder, it continues."""
    from glcic_lite.method.masks import open_mask
    from glcic_lite.method.networks import CompletionNetwork
    from glcic_lite.method.photos import picture_format, save_image
    from glcic_lite.speed import completion

    start = time.perf_counter()
    if photo.is_dir():
        complete_every_photo(photo, mask, out, CompletionNetwork.from_pretrained(weights), blend)
        return
    expect_folder_for(out, photo, mask)  # before the work, not after it
    picture_format(out)
    network = CompletionNetwork.from_pretrained(weights)
    hole = open_mask(mask)
    result = completion.complete(photo, hole, network, blend)
    save_image(result, out)
    print(f"{out}: {result.width} x {result.height}, {time.perf_counter() - start:.1f} s")
    if not hole.any():
        print(f"{mask}: nothing in it is white, so there was no hole to fill")


def complete_every_photo(photos: Path, masks: Path, out: Path, network: "CompletionNetwork", blend: bool) -> None:
    """Complete a folder with a progress bar, and say what was left out and why."""
    from tqdm import tqdm

    from glcic_lite.commands.folders import complete_folder
    from glcic_lite.method.photos import PhotoError

    if not masks.is_dir():
        raise PhotoError(f"{photos}: a folder of photos needs a folder of masks, and {masks} is not a folder")
    with tqdm(unit="photo", disable=not (sys.stderr and sys.stderr.isatty())) as bar:
        report = complete_folder(
            photos, masks, out, network, blend, on_start=bar.reset, on_each=lambda target: bar.update()
        )
    for reason in report.left_out:
        print(f"glcic_lite: left out: {' '.join(reason.split())}", file=sys.stderr)
    if not (report.completed or report.already_there):
        raise PhotoError(f"{photos}: none of the photos could be completed")
    print(
        f"{out}: {len(report.completed)} completed, {len(report.already_there)} already there, "
        f"{len(report.left_out)} left out"
    )
