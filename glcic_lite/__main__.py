"""GLCIC lite: fill holes in photos, and train, measure and publish the networks that do it."""

import io
import re
import sys
import warnings
from collections.abc import Callable

import typer

from glcic_lite.commands.ablations import ablations
from glcic_lite.commands.bench import bench_complete, bench_train
from glcic_lite.commands.classroom import collect, new, progress, times
from glcic_lite.commands.complete import complete
from glcic_lite.commands.doctor import doctor
from glcic_lite.commands.evaluate import evaluate
from glcic_lite.commands.import_weights import import_weights
from glcic_lite.commands.mix import mix
from glcic_lite.commands.options import one_line
from glcic_lite.commands.publish import publish
from glcic_lite.commands.slides import slides
from glcic_lite.commands.train import train

app = typer.Typer(add_completion=False, help=__doc__, rich_markup_mode=None)
bench = typer.Typer(help="Measure how fast this machine is.", rich_markup_mode=None)
classroom = typer.Typer(help="Copies for students, who has done what, and how long it takes.", rich_markup_mode=None)
COMMANDS: dict[typer.Typer, tuple[Callable, ...]] = {
    app: (complete, train, evaluate, publish, mix, ablations, import_weights, slides, doctor),
    bench: (bench_complete, bench_train),
    classroom: (new, collect, progress, times),
}
for group, commands in COMMANDS.items():
    for command in commands:
        # The list of commands shows the first sentence whole; typer by itself would cut it off.
        sentence = re.split(r"[.:] |[.:]$", " ".join((command.__doc__ or "").split()))[0]
        name = command.__name__.removeprefix("bench_").replace("_", "-")
        group.command(name, short_help=f"{sentence}.")(command)
for name, group in (("bench", bench), ("classroom", classroom)):
    app.add_typer(group, name=name, short_help=group.info.help)


def expected_errors() -> tuple[type[Exception], ...]:
    """What can go wrong without being a mistake in this program. Imported only once something has gone wrong."""
    from glcic_lite.classroom.answers import HandInError
    from glcic_lite.classroom.students_copy import LessonError
    from glcic_lite.evaluation.fills import FillError
    from glcic_lite.method.masks import MaskError
    from glcic_lite.method.photos import PhotoError
    from glcic_lite.method.pretrained import WeightsError
    from glcic_lite.training import RunError, TrainingError

    return HandInError, LessonError, FillError, PhotoError, MaskError, WeightsError, RunError, TrainingError, OSError


def main() -> None:
    """Run the command line; an expected error becomes one line on standard error and exit status 2."""
    for stream in (sys.stdout, sys.stderr):  # not every terminal can show every file's name
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = lambda message, *where: print(f"glcic_lite: {one_line(message)}", file=sys.stderr)
    try:
        status = app(standalone_mode=False)  # standalone, typer would print errors itself, in four lines
    except MemoryError:  # before anything else is imported
        problem = "not enough memory"
    except typer.TyperException as error:
        problem = f"{error.format_message().rstrip('.')}; --help says more"
    except expected_errors() as error:
        problem = str(error)
        if isinstance(error, OSError) and error.strerror:  # without Python's "[Errno 36]"
            where = f"{error.filename}: " if error.filename else ""
            problem = f"{where}{error.strerror[0].lower()}{error.strerror[1:]}"
    else:
        sys.exit(status)
    print(f"glcic_lite: {one_line(problem)}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
