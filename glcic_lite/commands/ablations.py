"""python -m glcic_lite ablations: the small networks of lesson 09."""

from pathlib import Path
from typing import Annotated

import typer

from glcic_lite.commands.options import DATA_FOLDER, Precision, PrecisionOption, TrainingPhotos, given_path


def ablations(
    out: Annotated[
        Path,
        typer.Option("-o", "--out", parser=given_path, help="The folder that gets a run's folder for each network."),
    ],
    data: TrainingPhotos = DATA_FOLDER,
    names: Annotated[list[str] | None, typer.Argument(help="Which of them; all by default.")] = None,
    precision: PrecisionOption = Precision.auto,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, max=2**32 - 1, help="Train with this seed; may be repeated.")
    ] = None,
    long: Annotated[
        bool,
        typer.Option("--long", help="Those of the long comparison, three seeds: some six hours on one CPU core."),
    ] = False,
    ship: Annotated[
        Path | None, typer.Option(parser=given_path, help="Then copy weights and logs of all networks trained here.")
    ] = None,
) -> None:
    """Train the small networks of lesson 09, each with a part of the method left out. Called again, it continues."""
    from glcic_lite.evaluation.ablations import (
        EVERY_ABLATION,
        LONG_ABLATIONS,
        LONG_SEEDS,
        SEEDS,
        publish_ablations,
        train_ablations,
    )
    from glcic_lite.training import RunError

    unknown = sorted(set(names or ()) - set(EVERY_ABLATION))
    if unknown:
        raise RunError(f"no such ablation: {', '.join(unknown)}; there are {', '.join(EVERY_ABLATION)}")
    if long and names:
        raise RunError("either names or --long: it stands for all whose names begin with long-")
    if long:
        names = list(LONG_ABLATIONS)
    seeds = tuple(seed or (LONG_SEEDS if long else SEEDS))
    for folder in train_ablations(data, out, names, seeds, precision=str(precision), validate_every=250):
        print(f"{folder}: trained")
    if ship:
        print(f"{ship}: {', '.join(publish_ablations(out, ship))}")
