"""Options that several commands share, and how their values are read. Light: `--help` must not wait for PyTorch."""

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glcic_lite.files import DATA, expect_writable, read_json

if TYPE_CHECKING:
    from glcic_lite.training import Settings

WHAT_TO_TRAIN_WITH = "What to train with: paper, lite, lesson, or a JSON file like a run's settings.json."
DATA_FOLDER = DATA / "photos"  # the course's own, from whichever folder the command is called


def given_path(text: str) -> Path:
    """A path on the command line. An empty one, such as an unset variable, would count as the current folder."""
    if not text:
        raise typer.BadParameter("a path is expected, and this one is empty")
    return Path(text)


Weights = Annotated[
    str, typer.Option(help="Weights: a folder with config.json and model.safetensors, or hf:owner/name on the Hub.")
]
WeightsFolder = Annotated[
    Path, typer.Option("-o", "--out", parser=given_path, help="The folder to write, for use with --weights.")
]
TrainingPhotos = Annotated[
    Path, typer.Option("--data", parser=given_path, help="Photos: a folder with train/ and val/ in it.")
]
Rounds = Annotated[int, typer.Option(min=1, help="Measure this many times, in turns; the fastest counts.")]
Precision = StrEnum("Precision", ["auto", "bf16", "fp16", "no"])
PrecisionOption = Annotated[Precision, typer.Option(help="no is float32; auto is whatever is fastest here.")]


def one_line(text: object) -> str:
    """A message as a terminal can show it: in one line, and without characters that would steer it."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", re.sub(r"\s*[\r\n]\s*", " ", str(text).strip()))


def settings_named(name: str) -> "Settings":
    """The training settings of this name, or those in this JSON file.

    Raises:
        RunError: neither such a name nor such a file, or the file holds no valid settings.
    """
    from glcic_lite.training import SETTINGS, RunError, Settings

    if name in SETTINGS:
        return SETTINGS[name]
    try:
        values = read_json(name)
        values.pop("precision", None)  # recorded in a run's settings.json, but an option of its own on the command line
        return Settings.from_dict(values)
    except FileNotFoundError as error:
        raise RunError(f"settings {name!r}: neither one of {', '.join(SETTINGS)} nor a file") from error
    except (ValueError, TypeError, OSError) as error:
        raise RunError(f"settings {name}: {error}") from error


def expect_folder_for(file: Path, *inputs: Path) -> None:
    """Refuse a file that cannot be written or is one of the inputs, before the work whose result it would hold."""
    if not file.parent.is_dir():
        raise FileNotFoundError(f"{file}: there is no folder {file.parent}")
    expect_writable([file], inputs)
