"""Where the repository keeps its things, and how a file is written whole: stated here and nowhere else."""

import csv
import io
import json
import os
import re
import reprlib
import shutil
import stat
import tempfile
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
SHIPPED_WEIGHTS = PACKAGE / "weights" / "lite"
SHIPPED_ABLATIONS = PACKAGE / "weights" / "ablations"
REPOSITORY = PACKAGE.parent  # what follows is there only where the package lies in the repository
DATA = REPOSITORY / "data"
NOTEBOOKS = REPOSITORY / "notebooks"
MASK_SEPARATOR = "--"  # "harbour--boat.png" and "harbour--crane.png" are two masks for "harbour.jpg"

LARGEST_TEXT = 2**20  # bytes: far beyond any settings or config, and little memory

_writing = threading.Lock()  # two threads that wrote the same file at once would share its partial one


def read_text(path: str | os.PathLike, largest: int = LARGEST_TEXT) -> str:
    """The text of a small file in UTF-8.

    Raises:
        OSError: it cannot be read, has more bytes than `largest`, or is no regular file: a pipe may never end.
        UnicodeDecodeError: it is not text.
    """
    expect_regular(path)
    if os.path.getsize(path) > largest:
        raise OSError(f"{path}: larger than {largest:,} bytes, the limit for such a file")
    with open(path, encoding="utf-8-sig", newline="") as file:  # some editors on Windows begin a file with a mark
        return file.read()


def read_json(path: str | os.PathLike) -> dict:
    """The names and values in a small JSON file.

    Raises:
        OSError: as for `read_text`.
        ValueError: it is no JSON, holds something else than names with values, or names something twice.
    """

    def once(pairs: list[tuple[str, object]]) -> dict:
        names = [name for name, _ in pairs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{reprlib.repr(twice[0])} is there twice")
        return dict(pairs)

    try:
        values = json.loads(read_text(path), object_pairs_hook=once)
    except RecursionError as error:
        raise ValueError("its parts lie too deep in one another") from error
    if not isinstance(values, dict):
        raise ValueError(f"names with values are expected, not {reprlib.repr(values)}")
    return values


def expect_regular(path: str | os.PathLike) -> None:
    """Refuse pipes, devices and folders, before opening them: opening a pipe waits until somebody writes to it.

    Raises:
        OSError: not a regular file; FileNotFoundError where there is none.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(f"{path}: not a regular file, but a folder, a pipe or a device")


def csv_text(rows: list[dict], header: list[str] | None = None) -> str:
    """The text of a CSV file with these rows, all with the names in the header or, without one, of the first row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=header or list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))  # a file's name need not be text


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: to one beside it first, which is then renamed over the old one.

    Raises:
        OSError: the disk is full, or the folder cannot be written to; it names the file.
    """
    try:
        with _writing, written_beside(path) as partial:
            with open(partial, "xb") as file:  # x: never through a link that lies there
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """The place of a file or folder to be written beside `path`; whatever is left there in the end is deleted.

    So is what processes that were killed have left for the same `path`.
    """
    begin = f".{path.name[:40]}."  # shorter than the longest name there can be
    partial = path.with_name(f"{begin}{os.getpid()}.partial")
    with suppress(OSError):
        for name in os.listdir(path.parent):
            owner = re.fullmatch(r"(\d{1,9})\.partial", name[len(begin) :]) if name.startswith(begin) else None
            if owner and (name == partial.name or not _is_running(int(owner[1]))):
                _delete(path.with_name(name))
    try:
        yield partial
    finally:
        _delete(partial)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _is_running(process: int) -> bool:
    if os.name == "nt":  # where os.kill would end it; and where files that somebody still writes cannot be deleted
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it runs, and belongs to somebody else
        return True
    return True


def expect_writable(targets: Iterable[Path], inputs: Iterable[Path] = ()) -> None:
    """Refuse, before the work whose results they would hold, files that cannot be written or are among the inputs.

    Files are compared, not only names: neither links nor the case of letters hide that two paths are one file. Folders
    that are missing are taken for ones that will be made.

    Raises:
        OSError: a target is an input, another target or not a regular file, has too long a name, or its folder is not
            writable.
    """
    taken = set().union(*(_identity(path) for path in inputs))
    folders: dict[Path, Path] = {}  # those that are there already, each with a target in it
    alike: dict[str, Path] = {}  # targets by their names without case
    for target in targets:
        if taken & _identity(target):
            raise FileExistsError(f"{target}: is one of the inputs, which are never overwritten; choose another place")
        if target.exists() and not target.is_file():
            raise OSError(f"{target}: is a folder or a device; the result needs a file's name")
        folder = target.parent
        while not os.path.lexists(folder) and folder != folder.parent:
            folder = folder.parent
        for path in (target, *(folder / name for name in target.relative_to(folder).parts)):
            with suppress(FileNotFoundError):
                os.lstat(path)  # raises if the name is too long
        folders[folder] = target
        other = alike.setdefault(_without_case(target), target)
        if other != target and _ignores_case(folder):
            raise FileExistsError(f"{target}: would replace {other}, as case does not count here; rename one of them")
    for folder, target in folders.items():
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(target)) from error


def _without_case(path: Path) -> str:
    return unicodedata.normalize("NFC", os.path.abspath(path)).casefold()


def _ignores_case(folder: Path) -> bool:
    """Whether R.png and r.png are one file in this folder, as is usual on Windows and macOS."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".case-", suffix=".partial") as file:
        return os.path.exists(os.path.join(folder, os.path.basename(file.name).upper()))


def _identity(path: Path) -> set[object]:
    """What two paths have in common if they are one file: its place, and where there is a file, its number."""
    identity: set[object] = {os.path.join(os.path.realpath(path.parent), path.name)}
    with suppress(OSError):
        found = os.stat(path)
        identity.add((found.st_dev, found.st_ino))
    return identity
