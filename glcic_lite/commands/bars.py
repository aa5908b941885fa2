"""Progress bars: in a terminal as usual; into a file or a pipe a line now and then, so that a log shows it, too."""

import sys
import time
from typing import TextIO

from tqdm import tqdm

SECONDS_A_LINE = 10.0


class _Lines:
    """A stream in which every state of a bar is a line of its own, from some seconds on."""

    def __init__(self, stream: TextIO):
        self._stream, self._silent_until = stream, time.monotonic() + SECONDS_A_LINE

    def write(self, text: str) -> None:
        words = text.strip()
        if words and time.monotonic() >= self._silent_until:
            self._stream.write(f"{words}\n")

    def flush(self) -> None:
        self._stream.flush()


def progress_bar(unit: str, total: int | None = None) -> tqdm:
    """A bar on standard error that counts `unit`; what is done in a few seconds leaves nothing in a log."""
    if sys.stderr is None:  # pythonw has none
        return tqdm(unit=unit, total=total, disable=True)
    if sys.stderr.isatty():
        return tqdm(unit=unit, total=total)
    return tqdm(
        unit=unit,
        total=total,
        file=_Lines(sys.stderr),
        mininterval=SECONDS_A_LINE,
        maxinterval=SECONDS_A_LINE,
        ascii=True,
        ncols=80,
    )
