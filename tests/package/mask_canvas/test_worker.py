"""The worker's rule and its thread: the newest request wins, and a program that has one ends cleanly."""

import subprocess
import sys
import threading
from functools import partial

import pytest

from glcic_lite.mask_canvas.worker import Worker

SECONDS = 60


def test_the_newest_request_wins():
    worker, gate, begun, shown = Worker(), threading.Semaphore(0), [], []

    def compute(number):
        begun.append(number)
        assert gate.acquire(timeout=SECONDS)
        return number

    worker.ask(partial(compute, 0), shown.append)
    while not begun:
        assert not worker.wait(0.01)
    for number in (1, 2):
        worker.ask(partial(compute, number), shown.append)
    gate.release(2)
    assert worker.wait(SECONDS)
    assert (begun, shown, worker.asked) == ([0, 2], [2], 3)
    worker.ask(partial(compute, 3), shown.append)
    worker.cancel()
    gate.release()
    assert worker.wait(SECONDS) and shown == [2], "what was cancelled is not shown"


def test_show_may_wait_for_the_worker_and_ask_again():
    worker, shown = Worker(), []

    def show(answer):
        assert worker.wait()
        shown.append(answer)
        if answer < 3:
            worker.ask(lambda: answer + 1, show)

    worker.ask(lambda: 1, show)
    assert worker.wait(SECONDS) and shown == [1, 2, 3]


def test_a_request_that_calls_sys_exit_does_not_end_in_silence():
    failures = []

    def start(run):
        try:
            run()
        except RuntimeError as error:
            failures.append(str(error))

    worker = Worker(start)
    worker.ask(sys.exit, print)
    assert worker.wait(SECONDS) and "sys.exit()" in failures[0]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_does_not_end_the_worker():
    threads, shown = [], []

    def start(run):
        threads.append(threading.Thread(target=run))
        threads[-1].start()

    worker = Worker(start)
    for fail_in_show in (False, True):
        worker.ask((lambda: 1) if fail_in_show else (lambda: 1 / 0), lambda answer: shown[answer])
        assert worker.wait(SECONDS), "whoever waits must not wait for ever"
    worker.ask(lambda: "fine", shown.append)
    assert worker.wait(SECONDS) and shown == ["fine"]
    for thread in threads:
        thread.join()  # so that what they say of the errors belongs to this test


def test_a_script_that_makes_a_studio_and_ends_ends_cleanly():
    """Its first completion is under way then; cutting PyTorch off in mid-work would abort the process."""
    script = "import numpy as np; from glcic_lite.mask_canvas import completion_studio\n"
    script += "completion_studio(np.full((400, 600, 3), 99, np.uint8))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
