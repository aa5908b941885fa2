"""What is recorded about a run: how far it has come, its losses, its log, and a verdict on its health."""

import contextlib
import errno
import itertools
import math
import pickle
from collections.abc import Iterator, Mapping, Sequence

import torch
from accelerate import Accelerator
from safetensors import SafetensorError
from torch import Tensor

from glcic_lite.training.health import LOSSES, WATCHED_LOSSES, Watch, average, broken_losses
from glcic_lite.training.run_folder import RunFolder
from glcic_lite.training.settings import Settings

# The columns of log.csv: averages over some iterations and over the processes; the last three are measured in the last
# of these iterations.
LOG_COLUMNS = (
    *LOSSES,
    "real_accuracy",  # share of the real photos that the discriminators call real
    "fake_accuracy",  # share of the completed photos that they call completed
    "logit_spread",  # standard deviation of their logits, real and completed together
    "network_gradient",  # norm of the gradient of all weights of the completion network
    "discriminator_gradient",  # the same of the discriminators
    # At the completed photo: the gradient of alpha times the GAN loss over that of the error that the network descends
    # (weighed by `colour_weight` and `mesh_weight`; with an `error_floor`, its logarithm; what `bare_share` adds is
    # left out).
    "gradient_ratio",
)


class TrainingError(RuntimeError):
    """Training has gone wrong and should not continue; the message says what to try."""


class Progress:
    """How far a run has come: part of every checkpoint."""

    def __init__(self):
        self.iteration = 0  # iterations done
        self.seconds = 0.0  # spent on them
        self.best_psnr = -math.inf
        self.window: list[dict[str, float]] = []  # losses since the last row of the log
        self.watched: list[tuple] = []  # what the watch over the discriminators has seen
        self.photos: tuple[int, int] | None = None  # number of the photos trained on, and a checksum of their names

        self.scaler: torch.amp.GradScaler | None = None  # with float16: its factor belongs to the state

    def state_dict(self) -> dict:
        scaled = self.scaler is not None and self.scaler.is_enabled()
        return vars(self) | {"scaler": self.scaler.state_dict() if scaled else None}

    def load_state_dict(self, state: dict) -> None:
        scaler, saved = self.scaler, state.get("scaler")
        _expect_progress(vars(self) | state)
        vars(self).update(state)  # what a checkpoint of an earlier version lacks keeps its first value
        self.scaler = scaler
        if saved and scaler is not None and scaler.is_enabled():  # a run may be resumed in another precision
            scaler.load_state_dict(saved)


def _expect_progress(state: dict) -> None:
    """Raise `ValueError` unless this may be the state of a run: a file of the right format can hold anything."""

    def is_number(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool)

    def are_losses(
        values: object,
    ) -> bool:  # among them gradients, which may be NaN in float16: such a step is left out
        return isinstance(values, dict) and all(map(is_number, values.values()))

    def is_stretch(value: object) -> bool:  # see `Watch`
        if not (isinstance(value, list | tuple) and [type(x) for x in value] == [int, int, dict]):
            return False
        return value[0] in WATCHED_LOSSES and are_losses(value[2]) and value[2].keys() >= WATCHED_LOSSES[value[0]]

    good = {
        "iteration": isinstance(state["iteration"], int) and state["iteration"] >= 0,
        "seconds": is_number(state["seconds"]) and 0 <= state["seconds"] < math.inf,
        "best_psnr": is_number(state["best_psnr"]),
        "window": isinstance(state["window"], list) and all(map(are_losses, state["window"])),
        "watched": isinstance(state["watched"], list) and all(map(is_stretch, state["watched"])),
        "photos": state["photos"] is None
        or (isinstance(state["photos"], list | tuple) and [type(x) for x in state["photos"]] == [int, int]),
    }
    for name, is_good in good.items():
        if not is_good:
            raise ValueError(f"what it holds for {name!r} is not what a run leaves there")


class TrainingLog:
    """Takes in the losses of each iteration, writes log.csv, and says when a run should not continue.

    Args:
        run: the folder to write to.
        settings: the run's.
        accelerator: averages over the processes, and knows the main one, which writes.
        keep_going: continue even if the discriminators are dead (see `health.Watch`).
    """

    def __init__(self, run: RunFolder, settings: Settings, accelerator: Accelerator, keep_going: bool = False):
        self.run, self.settings, self.accelerator, self.keep_going = run, settings, accelerator, keep_going
        self.progress = Progress()
        self.watch = Watch()
        self._pending: list[dict[str, Tensor]] = []  # losses that are still on the device

    def add(self, losses: dict[str, Tensor]) -> None:
        """Count an iteration, and leave its losses where they are for now: fetching them would wait for the device."""
        self._pending.append(losses)
        self.progress.iteration += 1

    def fetch(self) -> None:
        """Fetch the last iterations' losses from the device, averaged over the processes, all at once.

        Raises:
            TrainingError: one of them is no longer a number; in all processes at once.
        """
        if not self._pending:
            return
        values = torch.stack([value.float() for losses in self._pending for value in losses.values()])
        numbers = iter(self.accelerator.reduce(values, "mean").tolist())
        fetched = [{name: next(numbers) for name in losses} for losses in self._pending]
        self._pending.clear()
        for iteration, losses in enumerate(fetched, start=self.progress.iteration - len(fetched) + 1):
            if broken := broken_losses(losses):
                raise self.diverged(iteration, f"the {', '.join(broken)} loss is no longer a number")
        self.progress.window.extend(fetched)

    def diverged(self, iteration: int, words: str) -> TrainingError:
        """The error for numbers that are no longer finite, with what to do: it depends on what has been saved."""
        checkpoint = self.run.latest_checkpoint()
        advice = "Start a new run with a smaller learning rate, or with precision 'no'."
        if checkpoint is not None:
            advice = (
                f"Resume from {checkpoint}, the last checkpoint, with precision 'no'; if it ends the same way, start a "
                "new run with a smaller learning rate."
            )
        return TrainingError(f"iteration {iteration}: {words}. {advice}")

    def write_row(self, phase: int) -> dict:
        """Add a row to log.csv: the averages since the row before. Returns it, as numbers."""
        row = {"iteration": self.progress.iteration, "phase": phase, "seconds": round(self.progress.seconds, 1)}
        row["learning_rate"] = self.settings.network_learning_rate(self.progress.iteration - 1)
        row |= average(self.progress.window)
        if self.accelerator.is_main_process:
            names = ("iteration", "phase", "seconds", "learning_rate", *LOG_COLUMNS)
            text = {name: f"{row[name]:.6g}" if name in row else "" for name in names}
            with self.errors_explained():
                self.run.append("log.csv", text | {name: row[name] for name in names[:3]})
        return row

    def check_health(self, phase: int) -> None:
        """Judge the discriminators' health by the losses since the last row, and start the next row.

        Raises:
            TrainingError: they are dead.
        """
        verdict = self.watch.verdict(phase, self.progress.window)
        self.progress.watched = self.watch.stretches
        if verdict and not self.keep_going:
            raise TrainingError(
                f"iteration {self.progress.iteration}: {verdict}; or continue regardless (keep_going, --keep-going)."
            )
        self.progress.window.clear()

    def resume(self) -> None:
        """Continue where the checkpoint of a resumed run stands: later rows of its logs will be written again."""
        self.watch.stretches = self.progress.watched
        if self.accelerator.is_main_process:
            self.run.forget_rows_after(self.progress.iteration)
        self.accelerator.wait_for_everyone()

    @contextlib.contextmanager
    def errors_explained(self) -> Iterator[None]:
        """Turns the failure to write one of the run's files into advice."""
        try:
            yield
        except (OSError, SafetensorError) as error:  # the latter for a full disk
            full = not isinstance(error, OSError) or error.errno in (errno.ENOSPC, errno.EDQUOT)
            advice = "Free some disk space and resume." if full else "Remove the cause and resume."
            raise TrainingError(
                f"iteration {self.progress.iteration}: {self.run.path} cannot be written to ({first_line(error)}); "
                f"the last checkpoint is intact. {advice}"
            ) from error


def summary(row: dict) -> str:
    """A row of the log in a few words, for the progress bar."""
    values = ", ".join(f"{name} {row[name]:.4g}" for name in LOSSES if name in row)
    return f"phase {row['phase']}, {values}"


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    if isinstance(error, pickle.UnpicklingError):  # PyTorch's message advises to let the file run code
        return "not a file of numbers alone, or damaged"
    return str(error).strip().partition("\n")[0] or type(error).__name__


# Reading a log, as rows of texts or of numbers


def split_phases(rows: Sequence[Mapping]) -> list[tuple[int, list[Mapping]]]:
    """The rows of a log cut where the phase changes: (phase, rows), in order.

    The log of weights that were trained on after their phase 3 passes through the phases more than once.
    """
    return [(phase, list(part)) for phase, part in itertools.groupby(rows, key=lambda row: int(row["phase"]))]


def split_runs(rows: Sequence[Mapping[str, float]]) -> list[list[Mapping[str, float]]]:
    """A log that holds several runs, cut where the phases start again or the validation has other holes."""
    runs: list[list[Mapping[str, float]]] = []
    for row in rows:
        if not runs or row["phase"] < runs[-1][-1]["phase"] or box_kinds(row) != box_kinds(runs[-1][-1]):
            runs.append([])
        runs[-1].append(row)
    return runs


def split_validation(
    rows: Sequence[Mapping[str, float]], validation: Sequence[Mapping[str, float]]
) -> list[list[Mapping[str, float]]]:
    """The validation cut where a run of the log ends, or where it continues with other holes.

    Two runs may both have been validated in phase 3 alone, with the same holes: then only the log tells them apart.
    """
    starts = [run[0]["iteration"] for run in split_runs(rows)]
    parts = [
        [row for row in validation if start <= row["iteration"] < end]
        for start, end in zip([0, *starts[1:]], [*starts[1:], math.inf], strict=True)
    ]
    return [run for part in parts for run in split_runs(part)]


def box_kinds(row: Mapping[str, float]) -> set[str]:
    """The kinds of boxes in a row of validation.csv, such as "box_24"."""
    return {name for name in row if name.startswith("box_")}
