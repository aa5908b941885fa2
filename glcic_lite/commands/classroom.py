"""python -m glcic_lite classroom new, collect, progress, times: what a lecturer needs around the lessons."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from glcic_lite.commands.options import expect_folder_for, given_path


def new(
    folder: Annotated[
        Path, typer.Argument(parser=given_path, help="The folder to write; a zip file of it is written beside it.")
    ],
    clean: Annotated[bool, typer.Option("--clean", help="Without the outputs of cells.")] = False,
    answers: Annotated[bool, typer.Option(help="With the folded answers to Test yourself.")] = True,
) -> None:
    """Make the students' copy. Lessons, package, photos and weights, without solutions, questions and notes for
    lecturers; also for yourself, if you want to keep the lessons as they are."""
    from glcic_lite.classroom.students_copy import LARGEST_ZIP, write_students_copy

    archive = write_students_copy(folder, clean, answers)
    size = archive.stat().st_size
    print(f"{folder}: the students' copy; {archive}: {size / 1e6:.1f} MB")
    if size > LARGEST_ZIP:
        print(
            f"glcic_lite: {archive}: too large for many learning platforms; --clean makes it smaller", file=sys.stderr
        )


def collect(
    folders: Annotated[
        list[Path],
        typer.Argument(
            parser=given_path, help="A student's folder, or a folder that holds one for each student; may be repeated."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", parser=given_path, help="Write every result to this CSV file.")
    ] = None,
    progress_only: Annotated[
        bool, typer.Option("--progress-only", help="Read the progress files alone; nothing is executed.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=1, max=100_000, help="For one answer.")] = 60.0,
    memory: Annotated[float, typer.Option(min=0.1, max=100_000, help="For one answer, in GB.")] = 2.0,
) -> None:
    """Say who is done with which exercise. This runs the students' code: their answers, not the rest of their
    notebooks, in processes that may write nowhere but in a folder of their own, start no program, and have limited time
    and memory. Code that is bent on it gets around that, and can claim to be right; on a machine that matters use
    --progress-only, or a container."""
    from glcic_lite.classroom import collecting
    from glcic_lite.classroom.sealing import can_seal
    from glcic_lite.files import csv_text, write_text

    if out:
        handed_in = (file for folder in folders for ending in ("*.ipynb", "*.jsonl") for file in folder.rglob(ending))
        expect_folder_for(out, *handed_in)
    students = collecting.hand_ins(folders)
    if not progress_only:
        seal = "sealed off from network and files" if can_seal() else "NOT sealed off: this system has no means for it"
        print(f"Running the code of {len(students)} students, {seal}.", file=sys.stderr)

    def say(name: str, results: list[collecting.Result]) -> None:
        done = sum(result.state == "correct" for result in results)
        print(f"{name}: {done} of {len(results)}", file=sys.stderr, flush=True)

    with _ended_by_signals():
        results = collecting.collect(students, not progress_only, seconds, int(memory * 1e9), say)
    if out:  # before anything is printed: a closed pipe must not lose it
        write_text(out, csv_text([vars(result) for result in results]))
    print(collecting.table(results))
    for result in results:
        if result.state == "stopped":
            print(f"{result.student}, lesson {result.lesson}, exercise {result.exercise}: {result.message}")


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Inside, whoever ends this process, or closes its terminal, ends the students' processes as well."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [signal.signal(number, lambda received, frame: sys.exit(128 + received)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def progress(
    folder: Annotated[
        Path | None,
        typer.Argument(
            parser=given_path, help="Where your notebooks are; by default the working folder or the course's."
        ),
    ] = None,
) -> None:
    """Show the map of the lessons with the exercises that you have passed."""
    from glcic_lite.course.shared.progress import show_progress

    show_progress(folder)


def times() -> None:
    """Estimate how long each lesson takes, from its words, code and exercises."""
    from glcic_lite.classroom.lesson_time import lesson_times

    print(f"{'lesson':6} {'reading':>8} {'code':>6} {'exercises':>10} {'all':>6}  says   (minutes)")
    for number, time in lesson_times().items():
        print(
            f"{number:6} {time.reading:8.0f} {time.code:6.0f} {time.exercises:10.0f} {time.all:6.0f}  "
            f"{time.stated or '-':>4}"
        )
