"""python -m glcic_lite publish: a training run as a folder of weights with its evidence."""

from pathlib import Path
from typing import Annotated

import typer

from glcic_lite.commands.options import DATA_FOLDER, given_path
from glcic_lite.files import SHIPPED_WEIGHTS


def publish(
    run: Annotated[Path, typer.Argument(parser=given_path, help="A training run's folder.")],
    out: Annotated[Path, typer.Option("-o", "--out", parser=given_path, help="The folder to write.")] = SHIPPED_WEIGHTS,
    data: Annotated[
        Path, typer.Option(parser=given_path, help="Photos: a folder with train/ and test/ in it.")
    ] = DATA_FOLDER,
    best: Annotated[bool, typer.Option(help="The weights with the best validation, not the latest ones.")] = False,
) -> None:
    """Turn a run into a folder of weights: evaluated, with logs, a sheet of completions and a model card."""
    from glcic_lite.commands.bars import progress_bar
    from glcic_lite.evaluation import publishing
    from glcic_lite.method.photos import list_photos

    with progress_bar("hole") as bar:
        photos = len(list_photos(data / "train"))
        which = "best" if best else "network"
        publishing.publish(run, out, data / "test", photos, which, on_case=lambda case, filled: bar.update())
    print(f"{out}: weights, logs, evaluation and model card")
