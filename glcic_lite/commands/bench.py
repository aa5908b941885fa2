"""python -m glcic_lite bench complete, bench train: how fast this machine is."""

from pathlib import Path
from typing import Annotated

import typer

from glcic_lite.commands.options import DATA_FOLDER, WHAT_TO_TRAIN_WITH, Rounds, given_path, settings_named


def bench_complete(
    width: Annotated[
        float, typer.Option(min=1 / 64, help="Width of the network; 1 is the paper's. Its weights are random.")
    ] = 1.0,
    megapixels: Annotated[float, typer.Option(min=0, help="Leave out photos larger than this.")] = 24.0,
    eager_megapixels: Annotated[
        float,
        typer.Option(
            min=0, help="Do not run the plain network on photos larger than this: it needs 1 GB per megapixel."
        ),
    ] = 1.0,
    rounds: Rounds = 3,
) -> None:
    """Compare `complete` with the plain network, eager and in float32 on the whole photo: time, memory, share of the
    processor's measured peak."""
    from glcic_lite.speed.benchmarks import complete_table
    from glcic_lite.training import RunError, Settings

    try:
        Settings(width=width)  # which knows what widths there may be
    except ValueError as error:
        raise RunError(f"--width: {error}") from error
    for line in complete_table(width, megapixels, eager_megapixels, rounds):
        print(line, flush=True)


def bench_train(
    data: Annotated[Path, typer.Option(parser=given_path, help="Photos: a folder with train/ in it.")] = DATA_FOLDER,
    settings: Annotated[str, typer.Option(help=WHAT_TO_TRAIN_WITH)] = "lite",
    rounds: Rounds = 5,
    compile: Annotated[
        bool, typer.Option("--compile", help="Measure the project's step as in `train --compile`.")
    ] = False,
) -> None:
    """Compare the project's training step with a plain one in float32; and count how many training samples a core draws
    per second."""
    from glcic_lite.training.benchmarks import training_table

    for line in training_table(settings_named(settings), data / "train", rounds, compile):
        print(line, flush=True)
