"""Ctrl-C and a notebook's stop button: the current iteration is finished first."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def defer_interrupts() -> Iterator[threading.Event]:
    """Inside, the first interrupt only sets an event; the second raises KeyboardInterrupt as usual."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked  # interrupts reach only the main thread
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
    """In a process that decodes photos: training handles the interrupt, and still needs its next batch."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
