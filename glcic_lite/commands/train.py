"""python -m glcic_lite train: the paper's three phases, or more of them."""

from pathlib import Path
from typing import Annotated

import typer

from glcic_lite.commands.options import (
    DATA_FOLDER,
    WHAT_TO_TRAIN_WITH,
    Precision,
    PrecisionOption,
    TrainingPhotos,
    given_path,
    settings_named,
)


def train(
    out: Annotated[Path, typer.Option("-o", "--out", parser=given_path, help="The run's folder.")],
    data: TrainingPhotos = DATA_FOLDER,
    settings: Annotated[
        str | None,
        typer.Option(
            help=f"{WHAT_TO_TRAIN_WITH} The default is lite, or with --resume the run's own; settings given with "
            "--resume may differ from these in the lengths of the phases only."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out.")] = False,
    start_from: Annotated[
        str | None, typer.Option(help="Start a new run from these weights instead of random ones.")
    ] = None,
    discriminators_from: Annotated[str | None, typer.Option(help="The same for the discriminators.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that decode photos; by default what suits the device.")
    ] = None,
    precision: PrecisionOption = Precision.auto,
    compile: Annotated[bool, typer.Option("--compile", help="Speed the networks up with torch.compile.")] = False,
    checkpoint_minutes: Annotated[float, typer.Option(min=0, help="Minutes between checkpoints.")] = 5.0,
    validate_every: Annotated[
        int, typer.Option(min=1, help="Iterations between validations and their pictures.")
    ] = 500,
    log_every: Annotated[int, typer.Option(min=1, help="Iterations averaged into one row of the log.")] = 20,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Continue even if the discriminators are dead, instead of stopping.")
    ] = False,
) -> None:
    """Train the networks in the paper's three phases, or continue a run (--resume).

    Ctrl-C stops it and saves a checkpoint. On several GPUs or machines: accelerate launch -m glcic_lite train ...
    """
    from glcic_lite.training import Trainer

    trainer = Trainer(
        None if resume and settings is None else settings_named("lite" if settings is None else settings),
        data / "train",
        data / "val",
        out,
        resume=resume,
        start_from=start_from,
        discriminators_from=discriminators_from,
        workers=workers,
        precision=str(precision),
        compile=compile,
        checkpoint_minutes=checkpoint_minutes,
        validate_every=validate_every,
        log_every=log_every,
        keep_going=keep_going,
    )
    if not trainer.train():
        raise typer.Exit(130)  # the usual exit status of a program that was interrupted
    if trainer.accelerator.is_main_process:
        print(f"weights: {trainer.run.path / 'network'}")
