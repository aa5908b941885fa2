"""Taking a completion back while it is under way: between its steps it asks whether it is still wanted."""

from collections.abc import Callable

Check = Callable[[], None]  # called between steps; raises `Stopped` when the work is no longer wanted


class Stopped(Exception):
    """A completion was taken back before it was done: its `should_stop` returned True."""


def never() -> None:
    """The check of work that nobody takes back."""


def check_for(should_stop: Callable[[], bool] | None) -> Check:
    """A check that raises `Stopped` as soon as `should_stop` returns True; None: never."""
    if should_stop is None:
        return never

    def check() -> None:
        if should_stop():
            raise Stopped("the completion was taken back")

    return check
