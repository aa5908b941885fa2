"""Ctrl-C and a notebook's stop button: the iteration at hand is finished first."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def interrupts_wait() -> Iterator[threading.Event]:
    """Here the first interrupt only sets an event; the second is a KeyboardInterrupt as ever."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked  # interrupts reach the main thread alone
        return

    def ask(number, frame):
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)


def ignore_interrupts(worker: int) -> None:
    """In a process that decodes photos: an interrupt is the training's to handle, which still needs its next batch."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
