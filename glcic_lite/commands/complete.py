"""python -m glcic_lite complete: a photo, or a folder of photos."""

import os
import re
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glcic_lite.commands.options import Weights, expect_folder_for, given_path, one_line
from glcic_lite.files import SHIPPED_WEIGHTS

if TYPE_CHECKING:
    from glcic_lite.commands.folders import FolderReport
    from glcic_lite.method.scale import Scale


def scale_named(name: str) -> "Scale":
    """auto, 1, 1/2, 1/3, ... as `complete` takes it."""
    from glcic_lite.method.scale import given_reduction

    written = name.strip()
    try:
        if not re.fullmatch(r"auto|\d{1,6}(\.\d{1,9})?(/\d{1,6})?", written):  # 1e999999999 would take for ever
            raise ValueError
        scale: Scale = "auto" if written == "auto" else float(Fraction(written))
        given_reduction(scale)
    except (ValueError, ZeroDivisionError) as error:
        raise typer.BadParameter(f"{name!r} is none of auto, 1, 1/2, 1/3, 1/4 and so on") from error
    return scale


def complete(
    photo: Annotated[Path, typer.Argument(parser=given_path, help="The photo, or a folder of photos.")],
    mask: Annotated[
        Path,
        typer.Argument(
            parser=given_path,
            help="The mask: white where the hole is, of the photo's size; for a folder of photos a folder of masks "
            "named like them, or one mask for all.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            parser=given_path,
            help="Where to write the completed photo, .png or .jpg; or a folder for results.",
        ),
    ],
    weights: Weights = str(SHIPPED_WEIGHTS),
    blend: Annotated[bool, typer.Option(help="Remove the tint between hole and photo.")] = True,
    grow: Annotated[int, typer.Option(min=0, max=2000, help="Make the hole larger by so many pixels all round.")] = 0,
    scale: Annotated[
        str, typer.Option(help="Of the photo the network sees: 1, 1/2, 1/3, ...; auto follows the hole's thickness.")
    ] = "auto",
    keep_alpha: Annotated[
        bool, typer.Option("--keep-alpha", help="Known pixels stay as transparent as they are.")
    ] = False,
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of a JPEG, WebP or AVIF file.")] = 95,
    file_format: Annotated[
        str | None,
        typer.Option("--format", help="Of the results in a folder: png (unless told otherwise), jpg, webp, ..."),
    ] = None,
    mask_suffix: Annotated[
        str | None, typer.Option(help="In a folder: what a mask's name has after the photo's, such as \"_mask001\".")
    ] = None,
) -> None:
    """Fill the hole of a photo, or of every photo in a folder. Called again on a folder, it continues."""
    from glcic_lite.method import masks
    from glcic_lite.method.networks import CompletionNetwork
    from glcic_lite.method.photos import expect_alpha, picture_format, save_image, with_alpha
    from glcic_lite.speed import completion

    start = time.perf_counter()
    chosen = scale_named(scale)
    if photo.is_dir():
        how = {"mask_suffix": mask_suffix, "grow_by": grow, "scale": chosen, "keep_alpha": keep_alpha}
        ending = f".{(file_format or 'png').lower().removeprefix('.')}"
        complete_every_photo(photo, mask, out, weights, blend, **how, ending=ending, quality=quality)
        return
    if not os.path.lexists(photo):
        raise FileNotFoundError(f"{photo}: no such file or folder")
    for name, value in (("--format", file_format), ("--mask-suffix", mask_suffix)):
        if value is not None:
            raise typer.BadParameter(f"{name} is for a folder of photos, and {photo} is not a folder")
    expect_folder_for(out, photo, mask)  # before the work, not after it
    picture_format(out)
    if keep_alpha:
        expect_alpha(out)
    network = CompletionNetwork.from_pretrained(weights)
    hole = masks.grow(masks.open_mask(mask), grow)
    result = completion.complete(photo, hole, network, blend, None, chosen)
    if keep_alpha:
        result = with_alpha(photo, result, hole)
    save_image(result, out, quality)
    print(one_line(f"{out}: {result.width} x {result.height}, {time.perf_counter() - start:.1f} s"))
    if not hole.any():
        print(one_line(f"{mask}: {masks.why_no_hole(mask)}"))


def complete_every_photo(photos: Path, masks: Path, out: Path, weights: str, blend: bool, **how: Any) -> None:
    """Complete a folder with a progress bar, and say what was left out and why; `how` is for `complete_folder`."""
    from glcic_lite.commands.bars import progress_bar
    from glcic_lite.commands.folders import complete_folder
    from glcic_lite.method.networks import CompletionNetwork
    from glcic_lite.method.photos import PhotoError

    network = CompletionNetwork.from_pretrained(weights)
    with progress_bar("photo") as bar:
        report = complete_folder(
            photos, masks, out, network, blend, on_start=bar.reset, on_each=lambda target: bar.update(), **how
        )
    for reason in report.left_out:
        print(f"glcic_lite: left out: {one_line(reason)}", file=sys.stderr)
    if not (report.completed or report.already_there):
        raise PhotoError(f"{photos}: none of the photos could be completed{advice(report)}")
    print(
        one_line(
            f"{out}: {len(report.completed)} completed, {len(report.already_there)} already there, "
            f"{len(report.left_out)} left out"
        )
    )


def advice(report: "FolderReport") -> str:
    """How masks are named, if that is why nothing could be completed."""
    if not all("of this name" in reason for reason in report.left_out):
        return ""
    return (
        '; a mask is named like its photo, or has more after two hyphens ("harbour--boat.png" for "harbour.jpg"); '
        '--mask-suffix "_mask001" sets another rule, and one mask, a file, serves all photos'
    )
