"""python -m glcic_lite import-weights: weights published elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from glcic_lite.commands.options import WeightsFolder, given_path


def import_weights(
    file: Annotated[
        Path,
        typer.Argument(
            parser=given_path,
            help="The authors' Torch7 file, such as completionnet_places2.t7; or a PyTorch file of "
            "otenim/GLCIC-PyTorch, such as model_cn_step400000.",
        ),
    ],
    out: WeightsFolder,
    mean_colour: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            metavar="R G B",
            help="The colour that fills the hole, each value from 0 to 1. A PyTorch file does not contain it: it is "
            "'mpv' in the config.json beside it. The default is that of the released weights, the mean of CelebA.",
        ),
    ] = None,
) -> None:
    """Turn weights published elsewhere into a folder that all commands can open: the authors' own weights, or those of
    the widely used PyTorch program. Nothing in the file is executed."""
    from glcic_lite.commands import importing
    from glcic_lite.method.networks import count_parameters

    network = importing.import_weights(file, out, mean_colour)
    print(f"{out}: {count_parameters(network):,} parameters; {importing.release_of(file).licence}")
