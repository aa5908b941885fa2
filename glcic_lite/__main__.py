"""The command line: python -m glcic_lite complete, train, evaluate, bench, ..., one function for each command."""

import json
import sys
import time
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from glcic_lite.files import SHIPPED_WEIGHTS
from glcic_lite.method.masks import MaskError, open_mask
from glcic_lite.method.networks import CompletionNetwork, count_parameters
from glcic_lite.method.photos import PhotoError, picture_format, save_image
from glcic_lite.method.pretrained import WeightsError
from glcic_lite.training import SETTINGS, RunError, Settings, TrainingError

EXPECTED_ERRORS = (PhotoError, MaskError, WeightsError, RunError, TrainingError, OSError)

app = typer.Typer(add_completion=False, help=__doc__, rich_markup_mode=None)

WHAT_TO_TRAIN_WITH = f"What to train with: {', '.join(SETTINGS)}, or a JSON file like a run's settings.json."
SettingsName = Annotated[str, typer.Option(help=WHAT_TO_TRAIN_WITH)]
Rounds = Annotated[int, typer.Option(min=1, help="Measure this often, in turns; the fastest counts.")]
Weights = Annotated[str, typer.Option(help="Weights: a folder with config.json and model.safetensors, or a Hub id.")]


@app.command()
def complete(
    photo: Annotated[Path, typer.Argument(help="The photo; or a folder of photos.")],
    mask: Annotated[
        Path,
        typer.Argument(
            help="The mask: white where the hole is, of the photo's size; or a folder of masks of its names."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", help="Where to write the completed photo, .png or .jpg; or the results' folder."),
    ],
    weights: Weights = str(SHIPPED_WEIGHTS),
    blend: Annotated[bool, typer.Option(help="Remove the tint between hole and photo.")] = True,
) -> None:
    """Fill the hole of a photo, or those of a folder of photos; called again, a folder is gone on with."""
    from glcic_lite.speed.completion import complete as fill

    start = time.perf_counter()
    if not photo.is_dir():  # before the work, not after it
        picture_format(out)
        _expect_folder(out)
    network = CompletionNetwork.from_pretrained(weights)
    if photo.is_dir():
        _complete_folder(photo, mask, out, network, blend)
    else:
        hole = open_mask(mask)
        result = fill(photo, hole, network, blend)
        save_image(result, out)
        print(f"{out}: {result.width} x {result.height}, {time.perf_counter() - start:.1f} s")
        if not hole.any():
            print(f"{mask}: nothing in it is white, so there was no hole to fill")


def _expect_folder(out: Path) -> None:
    if not out.parent.is_dir():
        raise FileNotFoundError(f"{out}: there is no folder {out.parent}")


def _complete_folder(photos: Path, masks: Path, out: Path, network: CompletionNetwork, blend: bool) -> None:
    from tqdm import tqdm

    from glcic_lite.commands.folders import complete_folder

    if not masks.is_dir():
        raise PhotoError(f"{photos}: a folder of photos needs a folder of masks, and {masks} is none")
    with tqdm(unit="photo", disable=not sys.stderr.isatty()) as bar:
        report = complete_folder(
            photos, masks, out, network, blend, on_start=bar.reset, on_each=lambda target: bar.update()
        )
    for reason in report.left_out:
        print(f"glcic_lite: left out: {' '.join(reason.split())}", file=sys.stderr)
    if not (report.completed or report.already_there):
        raise PhotoError(f"{photos}: none of the photos could be completed")
    print(
        f"{out}: {len(report.completed)} completed, {len(report.already_there)} already there, "
        f"{len(report.left_out)} left out"
    )


bench = typer.Typer(help="Measure how fast this machine is.", rich_markup_mode=None)
app.add_typer(bench, name="bench")


@bench.command(name="complete")
def bench_complete(
    width: Annotated[
        float, typer.Option(min=1 / 64, help="Width of the network; 1 is the paper's. Its weights are random.")
    ] = 1.0,
    megapixels: Annotated[float, typer.Option(help="Leave out photos larger than this.")] = 24.0,
    eager_megapixels: Annotated[
        float, typer.Option(help="Do not run the plain network on photos larger than this: it needs 1 GB a megapixel.")
    ] = 1.0,
    rounds: Rounds = 3,
) -> None:
    """The plain network, eager and in float32 on the whole photo, against `complete`: time, memory, matrix peak."""
    from glcic_lite.commands import benchmarks

    for line in benchmarks.complete_table(width, megapixels, eager_megapixels, rounds):
        print(line, flush=True)


@bench.command(name="train")
def bench_train(
    data: Annotated[Path, typer.Option(help="Photos: a folder with train/ in it.")] = Path("data/photos"),
    settings: SettingsName = "lite",
    rounds: Rounds = 5,
    compile: Annotated[
        bool, typer.Option("--compile", help="Measure the project's step as `train --compile`.")
    ] = False,
) -> None:
    """A training step, plain in float32 against the project's; and how many training samples a core draws a second."""
    from glcic_lite.commands import benchmarks

    for line in benchmarks.training_table(_settings(settings), data / "train", rounds, compile):
        print(line, flush=True)


Precision = StrEnum("Precision", ["auto", "bf16", "fp16", "no"])


def _settings(name: str) -> Settings:
    if name in SETTINGS:
        return SETTINGS[name]
    try:
        values = json.loads(Path(name).read_text(encoding="utf-8"))
        values.pop("precision", None)  # noted in a run's settings.json, but no setting: it has an option of its own
        return Settings.from_dict(values)
    except FileNotFoundError as error:
        raise RunError(f"settings {name!r}: neither one of {', '.join(SETTINGS)} nor a file") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise RunError(f"settings {name}: {error}") from error


@app.command()
def train(
    out: Annotated[Path, typer.Option("-o", "--out", help="The run's folder.")],
    data: Annotated[Path, typer.Option(help="Photos: a folder with train/ and val/ in it.")] = Path("data/photos"),
    settings: Annotated[
        str | None,
        typer.Option(
            help=f"{WHAT_TO_TRAIN_WITH} By default lite; with --resume the run's own, and others may differ from these "
            "in the lengths of the phases only."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    start_from: Annotated[str | None, typer.Option(help="Begin a new run with these weights, not at random.")] = None,
    discriminators_from: Annotated[str | None, typer.Option(help="The same for the discriminators.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that decode photos; by default what suits the device.")
    ] = None,
    precision: Annotated[Precision, typer.Option(help="no is float32, auto is what is fastest here.")] = "auto",
    compile: Annotated[bool, typer.Option("--compile", help="Let torch.compile make the networks faster.")] = False,
    checkpoint_minutes: Annotated[float, typer.Option(min=0, help="Minutes between checkpoints.")] = 5.0,
    validate_every: Annotated[
        int, typer.Option(min=1, help="Iterations between validations and their pictures.")
    ] = 500,
    log_every: Annotated[int, typer.Option(min=1, help="Iterations averaged into a row of the log.")] = 20,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on where the discriminators are dead, instead of stopping.")
    ] = False,
) -> None:
    """Train the networks in the paper's three phases, or go on with a run (--resume).

    Ctrl-C ends it with a checkpoint. On several GPUs or machines: accelerate launch -m glcic_lite train ...
    """
    from glcic_lite.training import Trainer

    trainer = Trainer(
        None if resume and settings is None else _settings("lite" if settings is None else settings),
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
        raise typer.Exit(130)  # as programs do that an interrupt has ended
    if trainer.accelerator.is_main_process:
        print(f"weights: {trainer.run.path / 'network'}")


@app.command()
def evaluate(
    photos: Annotated[Path, typer.Argument(help="A folder of photos never trained on.")] = Path("data/photos/test"),
    weights: Weights = str(SHIPPED_WEIGHTS),
    seed: Annotated[int, typer.Option(min=0, help="Decides crops and holes.")] = 0,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write every measurement to this CSV file.")] = None,
) -> None:
    """Measure the weights against classical fills: PSNR with its 95 % interval over photos, L1 in grey levels, SSIM and
    texture inside seeded holes."""
    from tqdm import tqdm

    from glcic_lite.evaluation.evaluate import evaluate as measure
    from glcic_lite.evaluation.statistics import averages
    from glcic_lite.files import csv_text, write_text

    if out:
        _expect_folder(out)
    network = CompletionNetwork.from_pretrained(weights)
    with tqdm(unit="hole", disable=not sys.stderr.isatty()) as bar:
        rows = measure(photos, network, seed, on_case=lambda case, filled: bar.update())
    print(f"{'hole':10} {'fill':18} {'photos':>6} {'PSNR dB':>8} {'(95 %)':>16} {'L1':>6} {'SSIM':>6} {'texture':>8}")
    for row in averages(rows, intervals=True):
        interval = f"({row['psnr_low']:.2f} to {row['psnr_high']:.2f})"
        print(
            f"{row['hole']:10} {row['fill']:18} {row['photos']:6d} {row['psnr']:8.2f} {interval:>16} {row['l1']:6.1f} "
            f"{row['ssim']:6.3f} {row['texture']:8.2f}"
        )
    if out:
        write_text(out, csv_text(rows))


@app.command()
def publish(
    run: Annotated[Path, typer.Argument(help="A training run's folder.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder to write.")] = SHIPPED_WEIGHTS,
    data: Annotated[Path, typer.Option(help="Photos: a folder with train/ and test/ in it.")] = Path("data/photos"),
    best: Annotated[bool, typer.Option(help="The weights with the best validation, not the latest ones.")] = False,
) -> None:
    """Turn a run into a folder of weights: evaluated, with logs, a sheet of completions and a model card."""
    from tqdm import tqdm

    from glcic_lite.evaluation.publishing import publish as write
    from glcic_lite.method.photos import list_photos

    with tqdm(unit="hole", disable=not sys.stderr.isatty()) as bar:
        photos = len(list_photos(data / "train"))
        write(run, out, data / "test", photos, "best" if best else "network", on_case=lambda case, filled: bar.update())
    print(f"{out}: weights, logs, evaluation and model card")


@app.command()
def mix(
    parts: Annotated[
        list[str],
        typer.Argument(metavar="WEIGHTS=SHARE", help="Folders of weights, each with its share; shares add up to 1."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder to write, for --weights.")],
) -> None:
    """Mix networks that grew from one another, as in: mix runs/fog/network=0.3 runs/grain/network=0.7 -o runs/mixed"""
    from glcic_lite.evaluation import mixing

    mixing.write_mixture([_weights_and_share(part) for part in parts], out)
    print(f"{out}: {', '.join(parts)}")


def _weights_and_share(part: str) -> tuple[str, float]:
    weights, _, share = part.rpartition("=")
    try:
        if weights:
            return weights, float(share)
    except ValueError:
        pass
    raise WeightsError(f"{part}: expected weights and their share, such as runs/mine/network=0.5")


@app.command()
def ablations(
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder that gets a run folder for each.")],
    data: Annotated[Path, typer.Option(help="Photos: a folder with train/ and val/ in it.")] = Path("data/photos"),
    names: Annotated[list[str] | None, typer.Argument(help="Which of them; all if left out.")] = None,
    precision: Annotated[Precision, typer.Option(help="no is float32, auto is bf16 where it is faster.")] = "auto",
    seed: Annotated[list[int] | None, typer.Option(min=0, help="Train with this seed; may be repeated.")] = None,
    ship: Annotated[Path | None, typer.Option(help="Then copy weights and logs of all that are trained here.")] = None,
) -> None:
    """Train the small networks of lesson 09, each with a part of the method left out; called again, it goes on."""
    from glcic_lite.evaluation.ablations import ABLATIONS, SEEDS, publish_ablations, train_ablations

    unknown = sorted(set(names or ()) - set(ABLATIONS))
    if unknown:
        raise RunError(f"no such ablation: {', '.join(unknown)}; there are {', '.join(ABLATIONS)}")
    seeds = tuple(seed or SEEDS)
    for folder in train_ablations(data, out, names, seeds, precision=str(precision), validate_every=250):
        print(f"{folder}: trained")
    if ship:
        print(f"{ship}: {', '.join(publish_ablations(out, ship))}")


@app.command(name="import-weights")
def import_weights(
    file: Annotated[
        Path,
        typer.Argument(
            help="The authors' Torch7 file, such as completionnet_places2.t7; or a PyTorch file of "
            "otenim/GLCIC-PyTorch, such as model_cn_step400000."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder to write, for --weights.")],
    mean_colour: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            metavar="R G B",
            help="The colour that fills the hole, each from 0 to 1. A PyTorch file does not hold it: it is 'mpv' in "
            "the config.json beside it, and by default that of the released weights, the mean of CelebA.",
        ),
    ] = None,
) -> None:
    """Turn weights of others, downloaded from their repository, into a folder that all commands open: the authors' own
    or those of the widely used PyTorch program. Nothing in the file is executed."""
    from glcic_lite.commands import importing

    network = importing.import_weights(file, out, mean_colour)
    print(f"{out}: {count_parameters(network):,} parameters; {importing.release_of(file).licence}")


@app.command()
def slides(
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder to write; decks in it are replaced.")] = Path(
        "slides"
    ),
) -> None:
    """Write the lessons' slides: an HTML file each, which opens by double click and needs no network."""
    from glcic_lite.course.slides.decks import build_decks

    for deck in build_decks(out):
        print(deck)


@app.command()
def doctor() -> None:
    """Check this installation: versions, device, weights, photos. Exit status 1 if something is missing."""
    from glcic_lite.commands.doctor import checks

    healthy = True
    for check in checks():
        healthy &= check.ok
        print(f"{'OK     ' if check.ok else 'PROBLEM'}  {check.name}: {check.finding}")
    raise typer.Exit(0 if healthy else 1)


def main() -> None:
    """Run the command line; what can go wrong is said in one line on standard error, with exit status 2."""
    for stream in (sys.stdout, sys.stderr):  # not every terminal can show every file's name
        stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = lambda message, *where: print(f"glcic_lite: {message}", file=sys.stderr)
    try:
        sys.exit(app(standalone_mode=False) or 0)  # else typer itself would say what is wrong, in four lines
    except typer.TyperException as error:
        problem = f"{error.format_message().rstrip('.')}; --help says more"
    except EXPECTED_ERRORS as error:
        problem = str(error)
    print(f"glcic_lite: {' '.join(problem.split())}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
