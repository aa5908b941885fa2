"""The students' copy: lessons, package, photos and weights, without solutions and whatever else is the lecturer's."""

import copy
import csv
import io
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from PIL import Image

from glcic_lite.course.slides.executed import LessonError, fault
from glcic_lite.files import DATA, NOTEBOOKS, PACKAGE, REPOSITORY, csv_text, write_text

FILES = ("README.md", "LICENSE", "requirements.txt", "pyproject.toml")
LEFT_OUT = {"completions.jpg"}  # a sheet of 1.7 MB in the folder of weights
REDUCED = ("train", "val")  # the splits whose photos are made smaller; those of `test` are shown whole
SHORT_EDGE = 384  # px of training photos in the copy: the paper's training makes them as small
JPEG_QUALITY = 80
LARGEST_ZIP = 50_000_000  # bytes; the copy has some 45 million
_LECTURERS = re.compile(r"<!-- lecturers -->.*?<!-- /lecturers -->\n*", re.DOTALL)
_ANSWER = re.compile(r"\n*<details>\s*<summary>(?:<b>)?Answer(?:</b>)?</summary>.*?</details>", re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def write_students_copy(out: Path, clean: bool = False, answers: bool = True) -> Path:
    """Write the students' copy and a zip file of it.

    Args:
        out: a folder that is new or empty.
        clean: without the outputs of cells; otherwise with those of a whole run.
        answers: with the folded answers to the questions of *Test yourself*.

    Returns:
        The zip file: the folder's name and `.zip`, beside it.

    Raises:
        LessonError: a lesson is half run, or edited since it was run; it may hold a lecturer's own answers.
        OSError: something is there already, or cannot be written.
    """
    lessons = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not lessons:
        raise FileNotFoundError(f"{NOTEBOOKS}: no lessons here; copies are made in a copy of the course's repository")
    if not out.name:  # "." and "/"
        raise FileExistsError(f"{out}: is there already; choose another name")
    archive = out.with_name(out.name + ".zip")
    for target in (out, archive):
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise FileExistsError(f"{target}: is there already; choose another name, or delete it")
    faults = [found for path in lessons if (found := fault(path))]
    if faults:
        raise LessonError("; ".join(faults))
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        for source, target in _what_to_copy():
            (partial / target).parent.mkdir(parents=True, exist_ok=True)
            _copy(source, partial / target)
        for path in lessons:
            notebook = for_students(nbformat.read(path, as_version=4), clean, answers)
            nbformat.write(notebook, partial / "notebooks" / path.name)
        _unlink(partial)
        if out.exists():
            out.rmdir()
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _write_zip(out, archive)
    return archive


def for_students(notebook: nbformat.NotebookNode, clean: bool, answers: bool) -> nbformat.NotebookNode:
    """A lesson without its outputs, if `clean`, and without folded answers, unless `answers`."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code" and clean:
            cell.outputs, cell.execution_count = [], None
        if cell.cell_type == "markdown" and not answers:
            cell.source = _ANSWER.sub("", cell.source)
    return notebook


def _what_to_copy() -> Iterator[tuple[Path, Path]]:
    """Files and their places in the copy. Whatever else lies in the folders, such as a lecturer's own, stays."""
    for name in FILES:
        yield REPOSITORY / name, Path(name)
    for path in sorted(PACKAGE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.name not in LEFT_OUT and path.name[0] != ".":
            yield path, path.relative_to(REPOSITORY)
    for path in sorted((NOTEBOOKS / "pictures").iterdir()):
        yield path, path.relative_to(REPOSITORY)
    attribution = DATA / "photos" / "ATTRIBUTION.csv"
    with open(attribution, newline="", encoding="utf-8") as file:
        photos = [attribution.parent / row["file"] for row in csv.DictReader(file)]
    others = [attribution, *attribution.parent.glob("LICENSE*"), *(DATA / "masks").iterdir()]
    for path in sorted({*photos, *others}):
        yield path, path.relative_to(REPOSITORY)


def _copy(source: Path, target: Path) -> None:
    """A file; a photo for training at the size at which training uses it, and said so, as the licences ask."""
    if source.suffix == ".jpg" and source.parent.name in REDUCED:
        target.write_bytes(reduced(source))
    elif source.name == "ATTRIBUTION.csv":
        with open(source, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            if row["file"].startswith(REDUCED):
                row["changes"] += f"; here reduced to a short edge of at most {SHORT_EDGE} px"
        write_text(target, csv_text(rows))
    elif source.suffix == ".md":
        target.write_text(_LECTURERS.sub("", source.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        shutil.copyfile(source, target)


def reduced(photo: Path) -> bytes:
    """A JPEG whose short edge has at most `SHORT_EDGE` pixels; the file as it is where that is smaller."""
    whole = photo.read_bytes()
    with Image.open(io.BytesIO(whole), formats=["JPEG"]) as picture:
        scale = SHORT_EDGE / min(picture.size)
        if scale >= 1:
            return whole
        size = round(picture.width * scale), round(picture.height * scale)
        profile = picture.info.get("icc_profile")
        picture.draft(None, size)
        smaller = io.BytesIO()
        small = picture.resize(size, Image.Resampling.LANCZOS)
        small.save(smaller, "JPEG", quality=JPEG_QUALITY, optimize=True, icc_profile=profile)
    return min(whole, smaller.getvalue(), key=len)


def _unlink(folder: Path) -> None:
    """Links to what the copy does not have become plain text."""
    for path in [*folder.rglob("*.md"), *folder.glob("notebooks/*.ipynb")]:
        here = path.parent

        def or_text(link: re.Match, here=here) -> str:
            picture, text, target, _ = link.groups()
            there = re.match(r"[a-z]+:", target) or (here / target).exists()
            return link[0] if there else "" if picture else text

        if path.suffix == ".md":
            path.write_text(_LINK.sub(or_text, path.read_text(encoding="utf-8")), encoding="utf-8")
            continue
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = _LINK.sub(or_text, cell.source)
        nbformat.write(notebook, path)


def _write_zip(folder: Path, archive: Path) -> None:
    partial = archive.with_name(f".{archive.name}.{os.getpid()}.partial")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                how = zipfile.ZIP_STORED if path.suffix in (".jpg", ".png") else zipfile.ZIP_DEFLATED
                file.write(path, Path(folder.name) / path.relative_to(folder), how)
        partial.rename(archive)
    finally:
        partial.unlink(missing_ok=True)
