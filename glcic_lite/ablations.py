"""What each part of the method is good for: small networks trained with the part left out, everything else equal.

    python -m glcic_lite ablations -o runs/ablations

trains all of them, some hours on one CPU core; called again, it goes on where it stopped.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from glcic_lite.training import LITE, Settings, train

# A quarter of the paper's width. The largest holes are three quarters of the crop wide: from their middle a network
# without dilation, whose field is 91 to 95 pixels, sees next to nothing that is known.
FIRST_PHASE = replace(
    LITE,
    width=0.25,
    local_size=96,
    short_edge=(128, 384),
    hole_sides=(24, 96),
    holes=1,
    stroke_share=0.0,
    shuffled_colours=0.0,
    phase_1=3000,
    phase_2=0,
    phase_3=0,
    learning_rate=1e-3,
    averaging=0.995,
)
JOINT = replace(FIRST_PHASE, phase_1=0, phase_2=300, phase_3=1000, joint_learning_rate=2e-4)
SEEDS = (0, 1)


@dataclass(frozen=True)
class Ablation:
    """One network of the comparison.

    Attributes:
        settings: how it is trained; its seed is replaced.
        start: the ablation whose weights, of the same seed, it starts from; None: at random.
        about: what it is for, in a few words.
    """

    settings: Settings
    start: str | None
    about: str


ABLATIONS = {
    "full": Ablation(FIRST_PHASE, None, "dilation, mask channel, squared error alone"),
    "no-dilation": Ablation(replace(FIRST_PHASE, dilated=False), None, "every dilation set to 1"),
    "no-mask": Ablation(replace(FIRST_PHASE, mask_channel=False), None, "zeros in place of the mask"),
    # As many further steps of the completion network for all four; what differs is who judges them.
    "error-alone": Ablation(
        replace(JOINT, phase_1=JOINT.phase_3, phase_2=0, phase_3=0, learning_rate=2e-4, learning_rate_end=1.0),
        "full",
        "no critic: squared error alone",
    ),
    "global-critic": Ablation(replace(JOINT, use_local=False), "full", "squared error and the global critic"),
    "local-critic": Ablation(replace(JOINT, use_global=False), "full", "squared error and the local critic"),
    "both-critics": Ablation(JOINT, "full", "squared error and both critics, the paper's method"),
}


def folder_of(name: str, seed: int, out: str | os.PathLike) -> Path:
    """The run folder of one ablation with one seed."""
    return Path(out) / f"{name}-{seed}"


def train_ablations(
    data: str | os.PathLike,
    out: str | os.PathLike,
    names: list[str] | None = None,
    seeds: tuple[int, ...] = SEEDS,
    adapt: Callable[[Settings], Settings] = lambda settings: settings,
    **options,
) -> Iterator[Path]:
    """Train the ablations that are not trained yet, one after the other, each from its last checkpoint.

    Args:
        data: a folder of photos with train/ and val/ in it.
        out: the folder that gets a run folder for each.
        names: which of `ABLATIONS`, each with the one it starts from before it; None: all.
        seeds: of weights and samples; every ablation is trained once for each.
        adapt: changes the settings of all of them, for a quicker trial.
        options: as for `train`.

    Yields:
        The run folder of each, once it is trained.
    """
    for seed in seeds:
        for name in names or ABLATIONS:
            ablation, folder = ABLATIONS[name], folder_of(name, seed, out)
            settings = adapt(replace(ablation.settings, seed=seed))
            begun = (folder / "checkpoints").is_dir() and any((folder / "checkpoints").iterdir())
            start = None if begun or ablation.start is None else folder_of(ablation.start, seed, out) / "network"
            train(
                settings, *(Path(data) / x for x in ("train", "val")), folder, resume=begun, start_from=start, **options
            )
            yield folder
