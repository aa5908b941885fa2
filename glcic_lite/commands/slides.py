"""python -m glcic_lite slides: the lessons as decks of slides."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from glcic_lite.commands.options import given_path

Plan = StrEnum("Plan", ["lessons", "lecture"])


def slides(
    out: Annotated[
        Path, typer.Option("-o", "--out", parser=given_path, help="The folder to write; decks in it are replaced.")
    ] = Path("slides"),
    plan: Annotated[
        Plan, typer.Option(help="lessons: a deck for each. lecture: one deck across them, for ninety minutes.")
    ] = Plan.lessons,
) -> None:
    """Turn the lessons into slides: HTML files, which open by double click and need no network."""
    if plan == Plan.lecture:
        from glcic_lite.course.slides.lecture import build_lecture

        print(build_lecture(out))
        return
    from glcic_lite.course.slides.decks import build_decks

    for deck in build_decks(out):
        print(deck)
