"""The training loop: three phases, one iteration at a time, stopped and resumed at will.

What an iteration does is in `step.py`, what is recorded about it in `log.py`.
"""

import contextlib
import dataclasses
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from glcic_lite.device import bfloat16_is_faster
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import save_image
from glcic_lite.training.checkpoints import checkpoint_size, is_finite, load_checkpoint, save_checkpoint
from glcic_lite.training.choices import TrainingChoices, room_for_photos, training_choices
from glcic_lite.training.crops import mean_colour
from glcic_lite.training.interrupts import defer_interrupts, ignore_interrupts
from glcic_lite.training.log import TrainingError, TrainingLog, first_line, summary
from glcic_lite.training.run_folder import RunError, RunFolder
from glcic_lite.training.samples import DrawnSamples, TrainingSamples
from glcic_lite.training.settings import Settings
from glcic_lite.training.step import TrainingStep
from glcic_lite.training.validation import Validation

Callback = Callable[["Trainer", dict], bool | None]

_OUT_OF_MEMORY = (
    "the device's memory is too small for this batch: start a new run with twice the setting 'accumulation', "
    "which computes it in more parts (nearly the same: see `Trainer`), or with smaller crops or networks"
)
# How PyTorch reports workers that were killed, or that found too little shared memory or too few open files.
_WORKER_FAILURES = ("DataLoader worker (pid", "shared memory", "(shm)", "/torch_", "ancdata")


@contextlib.contextmanager
def fastest_kernels() -> Iterator[None]:
    """Let CUDA try once which convolution kernels are fastest: while training, all batches have one size."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


@contextlib.contextmanager
def _errors_explained() -> Iterator[None]:
    """Turn PyTorch's errors about too little memory, dead workers or a missing compiler into advice."""
    try:
        yield
    except (RuntimeError, OSError, MemoryError) as error:
        if isinstance(error, TrainingError):
            raise
        if any(words in str(error) for words in _WORKER_FAILURES):
            raise TrainingError(
                f"a process that decodes photos has failed ({first_line(error)}); shared memory may be too small: "
                "resume with fewer workers (0 needs no shared memory), or give a container more of it (--shm-size)"
            ) from error
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise TrainingError(_OUT_OF_MEMORY) from error
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):  # torch.compile's own
            raise
        raise TrainingError(f"torch.compile does not work here ({first_line(error)}): train without it") from error


class Trainer:
    """One training run in one folder: on one device, or the same code in several processes under `accelerate launch`.

    Several processes share each batch and average their gradients, which is the same as one process computing the batch
    in as many parts (`Settings.accumulation`), up to rounding and up to batch normalisation: on NVIDIA GPUs its
    statistics are taken over all processes (SyncBatchNorm), so the number of GPUs changes nothing; on a CPU, where
    there is no such layer, each process normalises by its own share of the batch. (In phase 3 a batch in parts differs
    in one more way: the discriminators make their step in the last part, so all earlier parts meet them as they were
    before it.)

    Several trainers may live in one process, as in a notebook; they share nothing.

    Args:
        settings: what decides the numbers; None takes those of the run to resume.
        photos: folder of photos to train on.
        validation_photos: folder of photos never trained on.
        out: the run's folder.
        resume: continue the run in `out` from its last checkpoint, with the numbers of a run never interrupted (to the
            last bit on a CPU; on a GPU up to the order in which its kernels add). The lengths of the phases may be
            changed by passing `settings`, and the precision; nothing else may.
        start_from: start a new run with these completion weights, a folder or "hf:owner/name", instead of random ones.
            Logs in the folder are kept, and published before the run's own.
        discriminators_from: the same for the discriminators, which phase 2 then trains further; their logs are not
            taken over.
        workers: processes that decode photos; they change no numbers. 0 decodes between the iterations, None is what
            suits the device.
        precision: "bf16" or "fp16" (mixed precision), "no" (float32), or "auto": what the run to resume was started
            with; for a new run, what is fastest on the device.
        compile: whether to speed up the networks with `torch.compile`, which takes a minute or more at the start; the
            numbers change by rounding only, and weights are saved as ever.
        keep_going: continue even if the discriminators are dead (see `health.Watch`), instead of stopping with advice.
        choices: how to use which device, in place of `precision` and `workers`: for comparisons.
        checkpoint_minutes, validate_every, log_every: minutes between checkpoints; iterations between validations
            with their sample sheet; iterations averaged into one row of the log.

    Raises:
        RunError: the folder already holds a run (or none to resume), cannot be written to, or is on a disk without
            room for the checkpoints; or this device does not have the precision.
        PhotoError: no photos in a folder.
        WeightsError: weights to start from cannot be read or belong to another network.
    """

    def __init__(
        self,
        settings: Settings | None,
        photos: str | os.PathLike,
        validation_photos: str | os.PathLike,
        out: str | os.PathLike,
        resume: bool = False,
        start_from: str | os.PathLike | None = None,
        discriminators_from: str | os.PathLike | None = None,
        workers: int | None = 0,
        precision: str = "auto",
        checkpoint_minutes: float = 5.0,
        validate_every: int = 500,
        log_every: int = 20,
        compile: bool = False,
        keep_going: bool = False,
        choices: TrainingChoices | None = None,
    ):
        self.run = RunFolder(out)
        if resume and (start_from is not None or discriminators_from is not None):
            raise RunError("a resumed run continues with its own weights: omit start_from and discriminators_from")
        started_with, first_precision = self.run.settings() if resume else (None, None)
        self.settings = _settings_of_run(settings, started_with)
        if precision == "auto" and first_precision:
            precision = first_precision
        try:
            self.choices = choices or training_choices(precision, workers)
        except ValueError as error:
            raise RunError(f"precision {precision}: {error}") from error
        self.accelerator = _accelerator(self.choices)
        self.device = self.accelerator.device
        self._agree_with_other_processes()
        self.precision = self.choices.precision
        if self.precision == first_precision == "bf16" and not bfloat16_is_faster(self.device.type):
            warnings.warn(
                "the run was started in bf16, which is slow on this device; another precision may be faster",
                stacklevel=2,
            )
        self.checkpoint_minutes, self.validate_every, self.log_every = checkpoint_minutes, validate_every, log_every
        self.samples = TrainingSamples(photos, self.settings)
        self.validation = Validation(validation_photos, self.settings)
        new = not resume and self.accelerator.is_main_process
        if new:
            self.run.expect_free()
        if not resume:
            self._prepare(photos, start_from, discriminators_from, compile, keep_going)
        if new:
            self.run.claim()  # not before all else is in order: an error leaves no empty folder
        with self._alone_in_run():
            if new:
                self.run.claim()  # again, now that no other trainer can
            if self.accelerator.is_main_process:
                self.run.clear_leftovers()
            self.accelerator.wait_for_everyone()
            if resume:  # not before it is clear that nobody else is at work: a second trainer may not fit on the device
                self._prepare(photos, start_from, discriminators_from, compile, keep_going)
                self._resume(started_with)
            else:
                self._begin(start_from, discriminators_from)

    def _alone_in_run(self) -> contextlib.AbstractContextManager:
        """The main process's lock on the run's folder; the others belong to it."""
        return self.run.alone() if self.accelerator.is_main_process else contextlib.nullcontext()

    @_errors_explained()
    def _prepare(self, photos, start_from, discriminators_from, compile: bool, keep_going: bool) -> None:
        """Make what is trained, and what a checkpoint holds."""
        colour = mean_colour(photos)
        self.step = TrainingStep(
            self.settings, self.choices, self.accelerator, colour, start_from, discriminators_from, compile
        )
        # What is trained and how far it has come, under names of its own: callbacks and lessons look at them.
        self.bare_network, self.bare_discriminator = self.step.bare_network, self.step.bare_discriminator
        self.optimizer, self.discriminator_optimizer = self.step.optimizer, self.step.discriminator_optimizer
        self.average = self.step.average
        self.log = TrainingLog(self.run, self.settings, self.accelerator, keep_going)
        self.progress = self.log.progress
        self.accelerator.register_for_checkpointing(self.average, self.progress)
        self.progress.scaler = self.step.scaler
        self.progress.photos = self.samples.crops.identity
        self.run.check_room(checkpoint_size(self.bare_network, self.bare_discriminator))

    def _agree_with_other_processes(self) -> None:
        """Share a batch out evenly, and take the main process's precision: on a CPU "auto" measures which is faster."""
        part, processes = self.settings.batch_size // self.settings.accumulation, self.accelerator.num_processes
        if part % processes:
            raise RunError(f"a batch of {part} cannot be shared by {processes} processes")
        if processes > 1:
            agreed = broadcast_object_list([self.choices.precision])[0]
            self.choices = dataclasses.replace(self.choices, precision=agreed)

    def _begin(self, start_from: str | os.PathLike | None, discriminators_from: str | os.PathLike | None) -> None:
        """Record a new run on disk: from here on it can be resumed."""
        if start_from is not None and self.accelerator.is_main_process:
            self.run.keep_earlier_logs(start_from)
        if start_from is not None or discriminators_from is not None:
            self.save_checkpoint()  # a run killed before its next checkpoint must not forget where it came from
        if self.accelerator.is_main_process:
            self.run.start(self.settings, self.precision)
        self.accelerator.wait_for_everyone()

    def _resume(self, started_with: Settings) -> None:
        """Load the last checkpoint and continue from there."""
        photos = self.progress.photos
        load_checkpoint(self.run, self.accelerator)
        then, self.progress.photos = self.progress.photos, photos
        if then and photos and tuple(then) != photos:
            warnings.warn(
                f"the photos are not those of the last checkpoint ({then[0]} then, {photos[0]} now): from here on the "
                "numbers are not those of a run never interrupted",
                stacklevel=4,
            )
        self.log.resume()
        if self.settings != started_with and self.accelerator.is_main_process:
            self.run.start(self.settings, self.precision)  # a run made longer stays so when it is resumed again

    @property
    def validated_network(self) -> CompletionNetwork:
        """The network that is validated and saved: the moving average of the weights, or the weights themselves."""
        return self.step.validated_network

    def iterate(self, batches: Iterator[dict[str, Tensor]], measure: bool = False) -> dict[str, Tensor]:
        """The next iteration, as `TrainingStep.iterate` describes it; counting it is left to the caller."""
        return self.step.iterate(batches, self.progress.iteration, measure)

    def batches(self) -> Iterator[dict[str, Tensor]]:
        """The batches from where the run stands; sample n is the same whenever and wherever it is drawn."""
        s = self.settings
        photos = self._photos  # before there are other processes, which share what is decoded here
        part = s.batch_size // s.accumulation
        numbers = range(self.progress.iteration * s.batch_size, s.iterations * s.batch_size)
        rank, share = self.accelerator.process_index, part // self.accelerator.num_processes
        loader = DataLoader(
            DrawnSamples(self.samples, rims=s.through_blending and self.device.type != "cpu"),
            batch_size=None,  # the samples come as batches
            sampler=(range(first + rank * share, first + (rank + 1) * share) for first in numbers[::part]),
            num_workers=self.choices.workers,
            persistent_workers=self.choices.workers > 0,
            pin_memory=self.choices.pinned,
            worker_init_fn=ignore_interrupts,
        )
        for drawn in loader:
            drawn = {name: x.to(self.device, non_blocking=self.choices.pinned) for name, x in drawn.items()}
            batch = self.samples.finished(drawn, photos)
            for name in ("photo", "mask"):
                batch[name] = batch[name].contiguous(memory_format=self.choices.memory_format)
            yield batch

    @cached_property
    def _photos(self) -> Tensor | None:
        """The photos in the device's memory, if the choices say so and they fit."""
        if not self.choices.photos_on_device:
            return None
        return self.samples.photos_for(self.device, room_for_photos(self.device))

    @_errors_explained()
    @fastest_kernels()
    def train(
        self,
        on_validation: Callback | None = None,
        on_log: Callback | None = None,
        progress: bool = True,
    ) -> bool:
        """Train to the end of the settings, or until someone says stop.

        An interrupt (Ctrl-C, a notebook's stop button) lets the current iteration finish, writes a checkpoint, says so
        and returns; a second one stops at once. In a run of several processes the first waits for the next row of the
        log.

        Args:
            on_validation: called after each validation with this trainer and the row of validation.csv: "iteration",
                "phase", "seconds", "psnr" and a number for each kind of hole. Returning True ends the run early, with a
                checkpoint to resume from. In the main process only, as `on_log`.
            on_log: called with this trainer and each row of log.csv, as numbers; what a phase does not have is missing.
                Returning True ends the run early too.
            progress: whether to show a progress bar.

        Returns:
            Whether the end was reached.

        Raises:
            TrainingError: the loss is no longer a number, the discriminators are dead, or a file of the run cannot be
                written. The last checkpoint is intact.
            RunError: another trainer is at work in the run's folder.
        """
        with self._alone_in_run():
            return self._train(on_validation, on_log, progress)

    def _train(self, on_validation: Callback | None, on_log: Callback | None, progress: bool) -> bool:
        s, now = self.settings, self.progress
        self.step.clear_gradients()
        self.step.normalise_by_batch()
        if now.iteration >= s.iterations and not self._is_validated():
            self._validate(s.phase(max(now.iteration - 1, 0)))  # the settings were made shorter than the run already is
        batches = self.batches()
        last_checkpoint = time.monotonic()
        bar = tqdm(
            total=s.iterations,
            initial=now.iteration,
            disable=not (progress and self.accelerator.is_main_process),
            unit="it",
            mininterval=1.0,
            file=_Unbreakable(sys.stderr),
        )
        stopped = False
        # Batches are closed, too: an error that a notebook keeps would keep the processes that decode photos alive.
        with defer_interrupts() as interrupt, contextlib.closing(bar), contextlib.closing(batches):
            while now.iteration < s.iterations and not stopped:
                start = time.monotonic()
                phase = s.phase(now.iteration)
                last = now.iteration + 1 == s.iterations
                row_due = (now.iteration + 1) % self.log_every == 0 or last or s.phase(now.iteration + 1) != phase
                validation_due = (now.iteration + 1) % self.validate_every == 0 or last
                self.log.add(self.iterate(batches, measure=row_due))
                alone = self.accelerator.num_processes == 1  # else all processes must do the same, and clocks differ
                pause = row_due or validation_due or (alone and interrupt.is_set())
                if pause:
                    self.log.fetch()
                now.seconds += time.monotonic() - start
                bar.update()
                stop = False
                if row_due:
                    row = self.log.write_row(phase)
                    bar.set_postfix_str(summary(row))
                    stop |= self._call(on_log, row)
                    self.log.check_health(phase)
                if validation_due:
                    stop |= self._call(on_validation, self._validate(phase))
                if pause:
                    stopped = self._for_all_processes(stop or interrupt.is_set())
                    due = time.monotonic() - last_checkpoint > 60 * self.checkpoint_minutes and row_due
                    if last or stopped or self._for_all_processes(due):
                        self.save_checkpoint()
                        last_checkpoint = time.monotonic()
        if interrupt.is_set() and self.accelerator.is_main_process:
            message = f"stopped after iteration {now.iteration:,} of {s.iterations:,}; a checkpoint in {self.run.path}"
            tqdm.write(f"{message} holds everything, and resuming continues from there", file=_Unbreakable(sys.stderr))
        return now.iteration >= s.iterations

    def _call(self, callback: Callback | None, row: dict) -> bool:
        if callback is None or not self.accelerator.is_main_process:
            return False
        stop = bool(callback(self, row))
        self.step.normalise_by_batch()  # the callback may have drawn a picture
        return stop

    def _for_all_processes(self, decision: bool) -> bool:
        """The main process's decision, in all processes: a checkpoint needs all of them."""
        if self.accelerator.num_processes == 1:
            return decision
        return broadcast_object_list([decision])[0]

    def _is_validated(self) -> bool:
        """Whether the last validation, and with it the weights in the run's folder, is of this very iteration."""
        rows = self.run.rows("validation.csv")
        return bool(rows) and int(rows[-1]["iteration"]) == self.progress.iteration

    def _validate(self, phase: int) -> dict:
        """Measure, draw the sample sheet, and keep the weights if they are the best so far."""
        self._expect_finite()
        progress = self.progress
        row = {"iteration": progress.iteration, "phase": phase, "seconds": round(progress.seconds, 1)}
        if self.accelerator.is_main_process:
            network = self.validated_network
            row |= self.validation.measure(network, self.device)
            sheet = self.validation.sheet(network, self.device)
            with self.log.errors_explained():
                self.run.append("validation.csv", row)
                save_image(sheet, self.run.samples / f"{progress.iteration:08d}.png")
                self.run.replace_weights("network", network.save_pretrained)
                if phase > 1:
                    self.run.replace_weights("discriminators", self.bare_discriminator.save_pretrained)
                if row["psnr"] > progress.best_psnr:
                    self.run.replace_weights("best", network.save_pretrained)
                    progress.best_psnr = row["psnr"]
            self.step.normalise_by_batch()
        return row

    def save_checkpoint(self) -> None:
        """Write the full state, whole or not at all; an error leaves the last checkpoint as it was."""
        self._expect_finite()
        save_checkpoint(self.run, self.accelerator, self.progress.iteration)

    def _expect_finite(self) -> None:
        """Weights can become NaN after the last loss that was computed with them; they replace no sound ones."""
        if not is_finite(self.accelerator):
            raise self.log.diverged(self.progress.iteration, "weights or optimizer contain NaN or infinity")


class _Unbreakable:
    """A stream for the progress bar: hours of training must not end because nobody reads it any more."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # broken, closed, or None
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self._stream.flush()

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


def train(
    settings: Settings | None,
    photos: str | os.PathLike,
    validation_photos: str | os.PathLike,
    out: str | os.PathLike,
    **options,
) -> Path:
    """Train, or with `resume=True` continue training, and return the folder of the latest weights.

    Arguments, options and errors are those of `Trainer` and `Trainer.train`.

    Several GPUs of one machine can be used from a notebook too, in a kernel where nothing has touched a GPU and no
    `Trainer` has been made yet; callbacks then run in another process than the notebook's:

        from accelerate import notebook_launcher

        def run():
            train(settings, photos, validation_photos, out)

        notebook_launcher(run, num_processes=2)
    """
    calls = {name: options.pop(name) for name in ("on_validation", "on_log", "progress") if name in options}
    trainer = Trainer(settings, photos, validation_photos, out, **options)
    trainer.train(**calls)
    return trainer.run.path / "network"


def _settings_of_run(settings: Settings | None, started_with: Settings | None) -> Settings:
    """The settings to train with: those given, or those that the run to resume was started with."""
    if started_with is None and settings is None:
        raise RunError("a new run needs settings")
    if started_with is None or settings is None:
        return settings or started_with
    free = {"phase_1", "phase_2", "phase_3"}
    now, then = settings.to_dict(), started_with.to_dict()
    changed = [name for name in now if name not in free and now[name] != then[name]]
    if changed:
        raise RunError(
            f"a resumed run keeps its settings, but these differ: {', '.join(changed)}; name no settings to go on with "
            "the run's own"
        )
    return settings


def _accelerator(choices: TrainingChoices) -> Accelerator:
    """The accelerator for a device; accelerate keeps one device for a whole process."""
    try:
        accelerator = Accelerator(cpu=choices.device.type == "cpu", mixed_precision="no")
    except ValueError as error:
        raise RunError(f"{first_line(error)} (one Python process can train on one kind of device)") from error
    if accelerator.device.type != choices.device.type:
        raise RunError(
            f"this Python process already trains on {accelerator.device.type}, so it cannot train on "
            f"{choices.device.type}: restart it"
        )
    return accelerator
