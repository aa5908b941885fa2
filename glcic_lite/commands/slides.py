"""python -m glcic_lite slides: the lessons as decks of slides."""

from pathlib import Path
from typing import Annotated

import typer


def slides(
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder to write; decks in it are replaced.")] = Path(
        "slides"
    ),
) -> None:
    """Turn each lesson into slides: one HTML file, which opens by double click and needs no network."""
    from glcic_lite.course.slides.decks import build_decks

    for deck in build_decks(out):
        print(deck)
