"""The studio's second thread, and its rule: the newest request wins (lesson 08)."""

import threading
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def _in_a_thread(run: Callable[[], None]) -> None:
    # Not a daemon, so that Python waits for it before it exits: cutting PyTorch off in mid-work aborts the process.
    threading.Thread(target=run, name="completion").start()


class Worker:
    """Answers requests one at a time, while the caller carries on.

    - When it is free, it takes the newest request; older ones that still wait are forgotten.
    - If a newer request has arrived while it worked, its answer is dropped.

        worker = Worker()
        worker.ask(lambda: complete(photo, mask), show)    # show(result) is called, unless something newer is asked for
        worker.wait()

    Args:
        start: called with a function to run when there is something to do: it starts a thread.

    Attributes:
        lock: held while an answer is shown; hold it to change several things that `show` must not see half changed.
        asked: counts the requests and cancellations so far.
    """

    def __init__(self, start: Callable[[Callable[[], None]], None] = _in_a_thread):
        self.lock = threading.RLock()
        self.asked = 0
        self._start = start
        self._idle = threading.Condition(self.lock)
        self._waiting: tuple[int, Callable, Callable] | None = None
        self._running = False
        self._under_way = 0  # the number of the request that is being answered
        self._thread: threading.Thread | None = None

    def ask(self, compute: Callable[[], Answer], show: Callable[[Answer], None]) -> None:
        """Ask for `show(compute())`, both in the worker's thread; `show` only if nothing newer has been asked for."""
        with self.lock:
            self.asked += 1
            self._waiting = self.asked, compute, show
            self._start_if_idle()

    def cancel(self) -> None:
        """Forget the request that waits, and drop the answer to the one under way."""
        with self.lock:
            self.asked += 1
            self._waiting = None

    def overtaken(self) -> bool:
        """Whether the request under way is no longer wanted: a newer one was asked for, it was cancelled, or the
        program ends. What takes long may ask this now and then, and give up.
        """
        return self._under_way != self.asked or not threading.main_thread().is_alive()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is left to do. Returns False if it takes longer than `seconds`; at once in `show`."""
        if threading.current_thread() is self._thread:
            return True
        with self.lock:
            return self._idle.wait_for(lambda: not self._running, seconds)

    def _start_if_idle(self) -> None:
        if self._waiting is not None and not self._running:
            self._running = True
            self._start(self._run)

    def _run(self) -> None:
        self._thread = threading.current_thread()
        try:
            self._answer_requests()
        except BaseException:  # of `compute` or `show`; what has been asked for since gets a new thread
            with self.lock:
                self._stop()
                self._start_if_idle()
            raise

    def _answer_requests(self) -> None:
        while request := self._take_newest():
            number, compute, show = request
            self._under_way = number
            try:
                answer = compute()
            except SystemExit as error:  # a thread that raises it ends without a word
                raise RuntimeError("a request to the worker called sys.exit()") from error
            with self.lock:
                if number == self.asked:  # nothing newer has been asked for meanwhile
                    show(answer)

    def _take_newest(self) -> tuple[int, Callable, Callable] | None:
        """The newest request, or None if there is none left; then the thread ends."""
        with self.lock:
            request, self._waiting = self._waiting, None
            if request is None:
                self._stop()
            return request

    def _stop(self) -> None:
        self._running, self._thread = False, None
        self._idle.notify_all()
