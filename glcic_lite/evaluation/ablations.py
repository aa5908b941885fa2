"""What each part of the method contributes: small networks trained with one part left out, everything else equal.

    python -m glcic_lite ablations -o runs/ablations

trains the short ones, some hours on one CPU core; called again, it resumes where it stopped. `publish_ablations` then
copies what lesson 09 needs of them into the package.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from glcic_lite.evaluation.publishing import CARD_HEAD, expect_place_for_weights, save_in_half
from glcic_lite.files import SHIPPED_ABLATIONS, write_text
from glcic_lite.method.networks import CompletionNetwork, count_parameters
from glcic_lite.training import LITE, Settings, train
from glcic_lite.training.run_folder import RunError, RunFolder

# A quarter of the paper's width. The largest holes are three quarters of the crop wide: from their middle a network
# without dilation, whose receptive field is 91 to 95 pixels, sees almost no known pixels.
FIRST_PHASE = replace(
    LITE,
    width=0.25,
    local_size=96,
    short_edge=(128, 384),
    scales_per_octave=0,
    hole_sides=(24, 96),
    holes=1,
    stroke_share=0.0,
    shuffled_colours=0.0,
    phase_1=2000,
    phase_2=0,
    phase_3=0,
    alpha=0.0006,
    through_blending=False,  # the paper's losses
    learning_rate=1e-3,
    learning_rate_end=0.05,
    learning_rate_decay=0.4,
    discriminator_learning_rate=2e-4,
    averaging=0.995,
)
JOINT = replace(FIRST_PHASE, phase_1=0, phase_2=150, phase_3=450, joint_learning_rate=2e-4)
SEEDS = (0, 1)
# What those above could not decide: in boxes of 96 pixels none of them gets past the mean colour, and a few hundred
# steps against discriminators change next to nothing. So: holes no larger than what can be learned, four times the
# steps, and discriminators as strong as those that brought texture to the shipped weights. In the middle of 64 pixels
# a network without dilation sees 15 known pixels beyond the rim, one with it all the rest of the crop.
LONG = replace(FIRST_PHASE, hole_sides=(24, 64), phase_1=8000)
LONG_JOINT = replace(
    LONG,
    phase_1=0,
    phase_2=300,
    phase_3=1000,
    alpha=0.002,
    joint_learning_rate=1e-4,
    network_momentum=0.5,
    discriminator_width=0.5,
    discriminator_learning_rate=5e-4,
)
LONG_SEEDS = (0, 1, 2)

CARD = """

# The ablations of lesson 09

Small completion networks ({parameters:,} parameters, width {width}), each trained with a part of the method of Iizuka,
Simo-Serra and Ishikawa (*Globally and Locally Consistent Image Completion*, 2017) left out and everything else equal.
They are for comparison with each other, not for use: `glcic_lite/weights/lite` completes better than any of them.

    python -m glcic_lite ablations -o runs/ablations

trains them with the seeds 0 and 1; names and `--seed 2` train some of them with another seed, and `--long` those whose
names begin with `long-`. The authors and licences of the photos, those in `data/photos/train`, are listed in
`data/photos/ATTRIBUTION.csv`. Crops of {crop} x {crop} pixels. Each folder holds the weights in half precision, all
settings in `settings.json`, the losses in `log.csv` and the validation in `validation.csv`; the number at the end of
its name is the seed. The weights are under the MIT licence.

| folder | what | starts from | boxes, pixels | iterations | minutes |
|---|---|---|---|---|---|
{table}

```python
from glcic_lite import CompletionNetwork
from glcic_lite.evaluation.ablations import shipped_ablations

network = CompletionNetwork.from_pretrained(shipped_ablations()["no-dilation"][0])
```
"""


@dataclass(frozen=True)
class Ablation:
    """One network of the comparison.

    Attributes:
        settings: how it is trained; the seed in them is replaced.
        start: the ablation whose weights, of the same seed, it starts from; None: random weights.
        about: what is trained, in a few words.
    """

    settings: Settings
    start: str | None
    about: str


ABLATIONS = {
    "full": Ablation(FIRST_PHASE, None, "dilation, mask channel, squared error alone"),
    "no-dilation": Ablation(replace(FIRST_PHASE, dilated=False), None, "every dilation set to 1"),
    "no-mask": Ablation(replace(FIRST_PHASE, mask_channel=False), None, "zeros in place of the mask"),
    # The same number of further steps of the completion network for all four; only the discriminators differ.
    "error-alone": Ablation(
        replace(JOINT, phase_1=JOINT.phase_3, phase_2=0, phase_3=0, learning_rate=2e-4, learning_rate_end=1.0),
        "full",
        "no discriminator: squared error alone",
    ),
    "global-discriminator": Ablation(
        replace(JOINT, use_local=False), "full", "squared error and the global discriminator"
    ),
    "local-discriminator": Ablation(
        replace(JOINT, use_global=False), "full", "squared error and the local discriminator"
    ),
    "both-discriminators": Ablation(JOINT, "full", "squared error and both discriminators, the paper's method"),
}

# Trained by `ablations --long`, some six hours on one CPU core. Lesson 09 takes as many as are shipped.
LONG_ABLATIONS = {
    "long-full": Ablation(LONG, None, "dilation, mask channel, squared error alone, four times the steps"),
    "long-no-dilation": Ablation(replace(LONG, dilated=False), None, "every dilation set to 1, four times the steps"),
    "long-no-mask": Ablation(
        replace(LONG, mask_channel=False), None, "zeros in place of the mask, four times the steps"
    ),
    # The twin of the three below: the same steps on the same crops and holes, and no gradient from any discriminator.
    "long-alpha-0": Ablation(replace(LONG_JOINT, alpha=0.0), "long-full", "both discriminators, and alpha 0"),
    "long-global": Ablation(replace(LONG_JOINT, use_local=False), "long-full", "the global discriminator, alpha 0.002"),
    "long-local": Ablation(replace(LONG_JOINT, use_global=False), "long-full", "the local discriminator, alpha 0.002"),
    "long-both": Ablation(LONG_JOINT, "long-full", "both discriminators, alpha 0.002"),
}
EVERY_ABLATION = ABLATIONS | LONG_ABLATIONS


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
    """Train the ablations that are not finished yet, one after another, each from its last checkpoint.

    Args:
        data: a folder of photos with train/ and val/ in it.
        out: gets a run folder for each.
        names: which of `EVERY_ABLATION`, each after the one it starts from; None: all of `ABLATIONS`.
        seeds: of weights and samples; every ablation is trained once with each.
        adapt: changes the settings of all of them, for a quicker trial.
        options: as for `train`.

    Yields:
        The run folder of each, once it is trained. An interrupt ends the current one, with a checkpoint, and the rest
        are not begun.
    """
    for seed in seeds:
        for name in names or ABLATIONS:
            ablation, folder = EVERY_ABLATION[name], folder_of(name, seed, out)
            settings = adapt(replace(ablation.settings, seed=seed))
            begun = (folder / "settings.json").exists()  # even if it was killed before its first checkpoint
            start = None if begun or ablation.start is None else folder_of(ablation.start, seed, out) / "network"
            train(
                settings, *(Path(data) / x for x in ("train", "val")), folder, resume=begun, start_from=start, **options
            )
            if not is_finished(RunFolder(folder)):
                return  # interrupted: whoever stopped this one does not want the next one to start
            yield folder


def is_finished(run: RunFolder) -> bool:
    """Whether a run has done all its iterations: its last checkpoint is written after its last weights."""
    last = run.latest_checkpoint()
    return last is not None and int(last.name) == run.settings()[0].iterations


def publish_ablations(runs: str | os.PathLike, out: str | os.PathLike = SHIPPED_ABLATIONS) -> list[str]:
    """Copy weights and logs of every finished ablation, and write a model card that lists all that are there.

    Args:
        runs: the folder that `train_ablations` fills; what is not finished is left out.
        out: gets a folder for each, which replaces one of the same name.

    Returns:
        The names of the folders copied, such as "full-0", in the order of `EVERY_ABLATION`.

    Raises:
        RunError: something else would be replaced, such as the runs themselves.
    """
    out, published = Path(out), []
    if (out / "README.md").exists() and not shipped_ablations(out):
        raise RunError(f"{out / 'README.md'}: already exists, and describes no ablations; choose another folder")
    for name in EVERY_ABLATION:
        for folder in sorted(Path(runs).glob(f"{name}-[0-9]*")):
            run, target = RunFolder(folder), out / folder.name
            if not is_finished(run):
                continue
            expect_place_for_weights(target, folder)
            out.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=out, prefix=f".{target.name}-") as parts:
                new = Path(parts) / target.name
                save_in_half(CompletionNetwork.from_pretrained(folder / "network"), new)
                for file in ("settings.json", "log.csv", "validation.csv"):
                    shutil.copyfile(folder / file, new / file)
                shutil.rmtree(target, ignore_errors=True)  # not before the new one is whole
                new.rename(target)
            published.append(folder.name)
    if published:
        write_text(out / "README.md", ablations_card(out))
    return published


def ablations_card(folder: str | os.PathLike) -> str:
    """The model card of a folder of published ablations."""
    lines = []
    for name, seeds in shipped_ablations(folder).items():
        ablation = EVERY_ABLATION[name]
        start = f"`{ablation.start}`" if ablation.start else "random weights"
        for path in seeds.values():
            last = RunFolder(path).rows("log.csv")[-1]
            settings, _ = RunFolder(path).settings()
            low, high = settings.hole_sides
            lines.append(
                f"| `{path.name}` | {ablation.about} | {start} | {low} to {high} | {last['iteration']} | "
                f"{float(last['seconds']) / 60:.0f} |"
            )
    return CARD_HEAD + CARD.format(
        parameters=count_parameters(CompletionNetwork.from_pretrained(path)),  # these three are the same for all
        width=settings.width,
        crop=settings.crop_size,
        table="\n".join(lines),
    )


def shipped_ablations(folder: str | os.PathLike = SHIPPED_ABLATIONS) -> dict[str, dict[int, Path]]:
    """The published ablations: name to seed to folder, in the order of `EVERY_ABLATION`; missing ones are left out."""
    found: dict[str, dict[int, Path]] = {}
    for name in EVERY_ABLATION:
        for path in sorted(Path(folder).glob(f"{name}-[0-9]*")):
            found.setdefault(name, {})[int(path.name.rpartition("-")[2])] = path
    return found
