"""python -m glcic_lite mix: the weighted mean of networks that grew from one another."""

from typing import Annotated

import typer

from glcic_lite.commands.options import WeightsFolder


def mix(
    parts: Annotated[
        list[str],
        typer.Argument(
            metavar="WEIGHTS=SHARE",
            help="Folders of weights (or hf:owner/name), each with its share; the shares sum to 1.",
        ),
    ],
    out: WeightsFolder,
) -> None:
    """Average networks that grew from one another: mix runs/fog/network=0.3 runs/grain/network=0.7 -o runs/mixed"""
    from glcic_lite.evaluation import mixing

    mixing.write_mixture([weights_and_share(part) for part in parts], out)
    print(f"{out}: {', '.join(parts)}")


def weights_and_share(part: str) -> tuple[str, float]:
    """ "runs/mine/network=0.5" as its two parts."""
    from glcic_lite.method.pretrained import WeightsError

    weights, _, share = part.rpartition("=")
    try:
        if weights:
            return weights, float(share)
    except ValueError:
        pass
    raise WeightsError(f"{part}: expected weights and their share, such as runs/mine/network=0.5")
