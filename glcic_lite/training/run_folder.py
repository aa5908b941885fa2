"""A run's folder on disk: settings, checkpoints written whole or not at all, logs, sample pictures, the weights.

runs/mine/
  settings.json        what decides the run's numbers
  checkpoints/00012000 the full state after 12,000 iterations: networks, optimizers, averages, random states
  log.csv              losses, averaged over a few iterations a row
  history.md           by hand, if settings were changed on the way: what and when, for the model card
  earlier/             the logs of the published weights that the run started from
  validation.csv       PSNR in the hole on fixed crops
  samples/*.png        the same fixed crops, completed, as the run continues
  network/             the latest weights, as `CompletionNetwork.from_pretrained` opens them
  discriminators/      from phase 2 on: the latest discriminators, as `ContextDiscriminator.from_pretrained` opens them
  best/                the weights with the best validation so far
"""

import contextlib
import csv
import errno
import io
import json
import os
import reprlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from glcic_lite.files import csv_text, expect_regular, read_json, read_text, write_text
from glcic_lite.training.settings import Settings

LARGEST_LOG = 2**30  # bytes
OF_EVERY_CHECKPOINT = "custom_checkpoint_0.pkl"  # a file by which those of this program are known


class RunError(ValueError):
    """A run folder that cannot be used as asked."""


_locks: set[IO] = set()  # the files through which this process keeps other trainers out of its runs


def _leave_locks_to_parent() -> None:
    for file in _locks:
        file.close()


if hasattr(os, "register_at_fork"):  # else a worker that outlives a killed trainer would keep its run locked
    os.register_at_fork(after_in_child=_leave_locks_to_parent)


def _lock(file: IO) -> None:
    """Lock an open file until it is closed or its process ends. Raises BlockingIOError if another holds the lock."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            raise BlockingIOError from error
        # Some network drives have no locks: there, as before, it is up to the reader.


class RunFolder:
    """The files of one run. All writing happens in the main process of a distributed run."""

    REPLACED = ("network", "discriminators", "best", "log.csv", "validation.csv")  # as the run continues

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        self.samples = self.path / "samples"
        self.earlier = self.path / "earlier"

    def expect_free(self) -> None:
        """Make sure that a new run may use the folder, which need not be there.

        Raises:
            RunError: it holds a run already, or something that a run would replace.
        """
        if (self.path / "settings.json").exists():
            raise RunError(f"{self.path}: holds a run already; continue it with --resume, or choose another folder")
        ours = {folder for folder in self._checkpoints() if (folder / OF_EVERY_CHECKPOINT).exists()}
        foreign = sorted({*self.checkpoints.glob("*")} - {*ours, self.checkpoints / ".partial"})
        foreign += sorted(file for file in self.samples.glob("*") if not file.name.endswith(".partial"))
        foreign += [self.path / name for name in self.REPLACED if (self.path / name).exists()]
        if foreign:
            raise RunError(f"{foreign[0]}: already exists and belongs to no run; choose another folder for the run")

    def claim(self) -> None:
        """Make the folder for a new run.

        Raises:
            RunError: as for `expect_free`; or it cannot be written to.
        """
        self.expect_free()
        self._make_folders()

    def _make_folders(self) -> None:
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            self.samples.mkdir(exist_ok=True)
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written to ({error.strerror})") from error

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other trainer, of this process or another, out of the run. The end of a process ends this, too.

        Raises:
            RunError: another trainer is at work in this folder; or it cannot be written to.
        """
        try:
            with contextlib.suppress(FileNotFoundError):
                expect_regular(self.path / ".lock")
            file = open(self.path / ".lock", "ab")  # noqa: SIM115 - closed below
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written to ({error.strerror or error})") from error
        with file:
            try:
                _lock(file)
            except BlockingIOError as error:
                raise RunError(f"{self.path}: another trainer is at work in this folder; wait until it ends") from error
            _locks.add(file)
            try:
                yield
            finally:
                _locks.discard(file)

    def clear_leftovers(self) -> None:
        """Delete what a killed trainer left half written, complete what it was about to rename, and make again what
        somebody has deleted.

        Raises:
            RunError: the folder cannot be written to.
        """
        self._make_folders()
        for name in ("network", "discriminators", "best"):
            final, old = self.path / name, self.path / f".old-{name}"
            if old.exists() and not final.exists():
                os.replace(old, final)
            for folder in (old, self.path / f".new-{name}"):
                shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.checkpoints / ".partial", ignore_errors=True)
        if not (self.path / "settings.json").exists():  # killed before `start`: its checkpoints belong to no run
            for folder in self._checkpoints():
                shutil.rmtree(folder, ignore_errors=True)
        for place in (self.path, self.samples):
            for file in place.glob(".*.partial"):
                file.unlink(missing_ok=True)

    def start(self, settings: Settings, precision: str) -> None:
        """Write down what decides the numbers of a new run: from here on it can be resumed.

        Raises:
            RunError: the folder cannot be written to.
        """
        try:
            values = settings.to_dict() | {"precision": precision}
            write_text(self.path / "settings.json", json.dumps(values, indent=2) + "\n")
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written to ({error.strerror})") from error

    def settings(self) -> tuple[Settings, str | None]:
        """The settings and the precision the run was started with; None where the precision was not written down.

        Raises:
            RunError: there is no run here, or its settings cannot be read.
        """
        try:
            values = read_json(self.path / "settings.json")
            precision = values.pop("precision", None)
            if not isinstance(precision, str | None):
                raise ValueError(f"precision must be text, not {reprlib.repr(precision)}")
            return Settings.from_dict(values), precision
        except FileNotFoundError as error:
            raise RunError(f"{self.path}: there is no run here") from error
        except (ValueError, TypeError, OSError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise RunError(f"{self.path}/settings.json cannot be read: {why}") from error

    def _checkpoints(self) -> list[Path]:
        """The complete checkpoints, oldest first."""
        return sorted(p for p in self.checkpoints.glob("*") if p.name.isdigit())

    def latest_checkpoint(self) -> Path | None:
        """The newest complete checkpoint, None before the first."""
        return next(reversed(self._checkpoints()), None)

    def publish_checkpoint(self, partial: Path, iteration: int, keep: int = 2) -> None:
        """Turn a checkpoint written to `partial` into the newest one, atomically, and delete old ones.

        Renaming a folder is atomic, so a run killed at any moment leaves only complete checkpoints.
        """
        for file in partial.rglob("*"):
            if file.is_file():
                with open(file, "rb+") as handle:
                    os.fsync(handle.fileno())
        final = self.checkpoints / f"{iteration:08d}"
        shutil.rmtree(final, ignore_errors=True)
        os.replace(partial, final)
        for old in self._checkpoints()[:-keep]:
            shutil.rmtree(old, ignore_errors=True)

    def check_room(self, checkpoint_bytes: int) -> None:
        """Make sure that the disk has room for the checkpoints: two are kept while a third is being written.

        Raises:
            RunError: it does not.
        """
        folder = next(folder for folder in (self.path, *self.path.absolute().parents) if folder.exists())
        kept = sum(file.stat().st_size for file in self.checkpoints.rglob("*") if file.is_file())
        needed, free = 3 * checkpoint_bytes - kept, shutil.disk_usage(folder).free
        if free < needed:
            raise RunError(f"{self.path}: checkpoints need {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free")

    def append(self, name: str, row: dict) -> None:
        """Add a row to a CSV file of the run; a new file gets the row's names as its header.

        A file that an earlier version of this program started, without some of these names, gets them too.
        """
        path = self.path / name
        header = []
        if path.exists():
            with _readable(path):
                header = next(csv.reader(_lines(path)), [])
        if set(row) - set(header):
            header += [column for column in row if column not in header]
            write_text(path, csv_text([dict.fromkeys(header, "") | old for old in self.rows(name)], header))
        with open(path, "a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, fieldnames=header, lineterminator="\n").writerow(row)

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of a CSV file of the run; none where there is no such file."""
        path = self.path / name
        if not path.exists():
            return []
        with _readable(path):
            # A killed run may have left half a row.
            return [row for row in csv.DictReader(_lines(path)) if None not in row.values()]

    def numbers(self, name: str) -> list[dict[str, float]]:
        """As `rows`, with numbers for texts. What a phase does not have is left out."""
        rows = self.rows(name)
        with _readable(self.path / name):
            return [{column: float(value) for column, value in row.items() if value not in ("", None)} for row in rows]

    def keep_earlier_logs(self, weights: str | os.PathLike) -> None:
        """Keep the logs and the history beside the published weights that a run starts from: it continues them.

        Weights without a log, or from the Hub, have none.
        """
        if not (Path(weights) / "log.csv").is_file():
            return
        self.earlier.mkdir(exist_ok=True)
        for name, folder in (("log.csv", self.earlier), ("validation.csv", self.earlier), ("history.md", self.path)):
            if (Path(weights) / name).is_file():
                shutil.copyfile(Path(weights) / name, folder / name)

    def all_rows(self, name: str) -> list[dict[str, str]]:
        """As `rows`, after those of the weights the run started from; iterations and seconds continue theirs."""
        earlier = RunFolder(self.earlier)
        log = earlier.rows("log.csv")
        if not log:
            return self.rows(name)
        with _readable(earlier.path / "log.csv"):
            done, spent = int(log[-1]["iteration"]), float(log[-1]["seconds"])
        rows = self.rows(name)
        with _readable(self.path / name):
            for row in rows:
                row["iteration"] = str(int(row["iteration"]) + done)
                row["seconds"] = f"{float(row['seconds']) + spent:.1f}"
        rows = earlier.rows(name) + rows
        header = list(dict.fromkeys(column for row in rows for column in row))  # validations may have other holes
        return [dict.fromkeys(header, "") | row for row in rows]

    def forget_rows_after(self, iteration: int) -> None:
        """Drop the rows that a killed run wrote after its last checkpoint: the resumed run writes them again."""
        for name in ("log.csv", "validation.csv"):
            path, rows = self.path / name, self.rows(name)
            if not path.exists():
                continue
            with _readable(path):
                kept = [row for row in rows if int(row["iteration"]) <= iteration]
            if kept:
                write_text(path, csv_text(kept))
            else:
                path.unlink()

    def replace_weights(self, name: str, save) -> None:
        """Replace the weights folder `name` by what `save(folder)` writes; a reader never finds half of them."""
        final, partial, old = (self.path / f"{prefix}{name}" for prefix in ("", ".new-", ".old-"))
        shutil.rmtree(partial, ignore_errors=True)
        save(partial)
        shutil.rmtree(old, ignore_errors=True)
        if final.exists():
            os.replace(final, old)
        os.replace(partial, final)
        shutil.rmtree(old, ignore_errors=True)


def _lines(path: Path) -> io.StringIO:
    return io.StringIO(read_text(path, LARGEST_LOG), newline="")


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn the errors of reading a log into one that names it."""
    try:
        yield
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise RunError(
            f"{path}: is not a log as this program writes it, in UTF-8 ({error}); repair it, or move it away"
        ) from error
