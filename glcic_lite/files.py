"""Where the repository keeps its things, and how a file is written whole: stated here and nowhere else."""

import csv
import io
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
SHIPPED_WEIGHTS = PACKAGE / "weights" / "lite"
SHIPPED_ABLATIONS = PACKAGE / "weights" / "ablations"
REPOSITORY = PACKAGE.parent  # what follows is there only where the package lies in the repository
DATA = REPOSITORY / "data"
NOTEBOOKS = REPOSITORY / "notebooks"
MASK_SEPARATOR = "--"  # "harbour--boat.png" and "harbour--crane.png" are two masks for "harbour.jpg"


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
    partial = path.with_name(f".{path.name[:40]}.{os.getpid()}.partial")  # shorter than the longest name there can be
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def expect_writable(targets: Iterable[Path], inputs: Iterable[Path] = ()) -> None:
    """Refuse, before the work whose results they would hold, files that cannot be written or are among the inputs.

    Files are compared, not only names: neither links nor the case of letters hide that two paths are one file. Folders
    that are missing are taken for ones that will be made.

    Raises:
        OSError: a target is an input or not a regular file, has too long a name, or its folder is not writable.
    """
    taken = set().union(*(_identity(path) for path in inputs))
    folders = {}
    for target in targets:
        if taken & _identity(target):
            raise FileExistsError(f"{target}: is one of the inputs, which are never overwritten; choose another place")
        if target.exists() and not target.is_file():
            raise OSError(f"{target}: is a folder or a device; the result needs a file's name")
        folder = target.parent
        while not os.path.lexists(folder):
            folder = folder.parent
        for name in target.relative_to(folder).parts:
            with suppress(FileNotFoundError):
                os.lstat(folder / name)  # raises if the name is too long
        folders[folder] = target
    for folder, target in folders.items():
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(target)) from error


def _identity(path: Path) -> set[object]:
    """What two paths have in common if they are one file: its place, and where there is a file, its number."""
    identity: set[object] = {os.path.join(os.path.realpath(path.parent), path.name)}
    with suppress(OSError):
        found = os.stat(path)
        identity.add((found.st_dev, found.st_ino))
    return identity
