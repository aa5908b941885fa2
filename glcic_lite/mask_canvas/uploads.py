"""Files that come into the studio from the browser, part by part, and results that leave it as files."""

import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePath

from glcic_lite.method.photos import PhotoError

LARGEST_MESSAGE = 4 * 2**20  # bytes; Jupyter drops a message of more than 10 MiB together with the whole connection
LARGEST_FILE = 512 * 2**20  # bytes that are collected in memory


class Upload:
    """A file that arrives in parts, in order."""

    def __init__(self) -> None:
        self._name, self._parts = "", []

    def add(self, name: str, part: int, content: bytes) -> None:
        """Take the next part; part 0 begins a new file.

        Raises:
            PhotoError: a part is missing, or the file is too large.
        """
        if part == 0:
            self._name, self._parts = name, []
        if name != self._name or part != len(self._parts):
            self._parts = []
            raise PhotoError(f"{base_name(name)}: a part of it was lost on its way; choose it again, or open its path")
        self._parts.append(content)
        if sum(map(len, self._parts)) > LARGEST_FILE:
            self._parts = []
            raise PhotoError(f"{base_name(name)}: larger than {LARGEST_FILE >> 20} MB; open it by its path instead")

    def take(self) -> bytes:
        """The whole file; nothing of it is kept."""
        content, self._parts = b"".join(self._parts), []
        return content


def base_name(name: str) -> str:
    """A file's name as the browser gives it, without folders."""
    return PurePath(name.replace("\\", "/")).name or "photo"


def open_content(name: str, content: bytes, opened):
    """What `opened`, a function of a path, makes of a file's content; its errors call the file by its name."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "upload"
        file.write_bytes(content)
        try:
            return opened(file)
        except ValueError as error:
            raise type(error)(str(error).replace(str(file), base_name(name))) from error


def new_files(folder: str | PurePath, title: str, endings: Sequence[str]) -> list[Path]:
    """Paths "<title>-<ending>" in a folder, all of them still free; else "<title>-2-<ending>" and so on."""
    number = 1
    while True:
        name = title if number == 1 else f"{title}-{number}"
        files = [Path(folder) / f"{name}-{ending}" for ending in endings]
        if not any(file.exists() for file in files):
            return files
        number += 1
