"""The training loop: three phases, one iteration at a time, stopped and resumed at will."""

import math
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, set_seed
from safetensors import SafetensorError
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from glcic_lite.device import bfloat16_is_faster, choose_device
from glcic_lite.networks import CompletionNetwork, ContextDiscriminator, composite
from glcic_lite.photos import mean_colour, save_image
from glcic_lite.pretrained import WeightsError
from glcic_lite.training.losses import discriminator_loss, gan_loss, reconstruction_loss
from glcic_lite.training.run_folder import RunError, RunFolder
from glcic_lite.training.samples import TrainingSamples, cut_patches
from glcic_lite.training.settings import Settings
from glcic_lite.training.validation import Validation


class TrainingError(RuntimeError):
    """Training that has gone wrong and should not go on; the message says what to try."""


class _Progress:
    """How far a run has come: part of every checkpoint."""

    def __init__(self):
        self.iteration = 0  # iterations done
        self.seconds = 0.0  # spent on them
        self.best_psnr = -math.inf
        self.window: list[dict[str, float]] = []  # losses since the last row of the log

    def state_dict(self) -> dict:
        return dict(vars(self))

    def load_state_dict(self, state: dict) -> None:
        vars(self).update(state)


class Trainer:
    """One training run in one folder.

    Args:
        settings: what decides the numbers; None takes those of the run to resume.
        photos: folder of photos to train on.
        validation_photos: folder of photos never trained on.
        out: the run's folder.
        resume: continue the run in `out` from its last checkpoint, with the numbers of a run never interrupted. The
            lengths of the phases may be changed by passing `settings`, and the precision; nothing else may.
        start_from: begin a new run with these completion weights, a folder or a Hub id, instead of random ones.
        workers: processes that decode photos; they change no numbers. 0 decodes between the iterations.
        precision: "bf16" or "fp16" (mixed precision), "no" (float32), or "auto": what the run to resume was started
            with, for a new run bfloat16 where it is faster.
        checkpoint_minutes, validate_every, log_every: minutes between checkpoints; iterations between validations
            with their sample sheet; iterations averaged into one row of the log.

    Raises:
        RunError: the folder holds a run already (or none to resume), or cannot be written to; or a precision that
            this device does not have.
        PhotoError: no photos in a folder.
        WeightsError: weights to start from that cannot be read or are of another network.
    """

    def __init__(
        self,
        settings: Settings | None,
        photos: str | os.PathLike,
        validation_photos: str | os.PathLike,
        out: str | os.PathLike,
        resume: bool = False,
        start_from: str | os.PathLike | None = None,
        workers: int = 0,
        precision: str = "auto",
        checkpoint_minutes: float = 5.0,
        validate_every: int = 500,
        log_every: int = 20,
    ):
        self.run = RunFolder(out)
        if resume and start_from is not None:
            raise RunError("a resumed run goes on with its own weights: leave start_from out")
        if resume:
            started_with, first_precision = self.run.settings()
            self.settings = settings or started_with
            _check_same_run(self.settings, started_with)
            if precision == "auto" and first_precision:
                precision = first_precision
        elif settings is None:
            raise RunError("a new run needs settings")
        else:
            self.settings = settings
        if precision == "auto":
            precision = "bf16" if bfloat16_is_faster(choose_device().type) else "no"
        # The average over processes of gradients is right for buffers that stay each process's own (batch norm).
        try:
            self.accelerator = Accelerator(
                cpu=choose_device().type == "cpu",
                mixed_precision=precision,
                gradient_accumulation_steps=self.settings.accumulation,
                kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
            )
        except ValueError as error:
            raise RunError(f"precision {precision}: {error}") from error
        self.device = self.accelerator.device
        self.precision = precision
        self.workers = workers
        self.checkpoint_minutes, self.validate_every, self.log_every = checkpoint_minutes, validate_every, log_every
        self.samples = TrainingSamples(photos, self.settings)
        self.validation = Validation(validation_photos, self.settings)
        if not resume and self.accelerator.is_main_process:
            self.run.claim()
        self.accelerator.wait_for_everyone()
        self._build(mean_colour(photos), start_from)
        self.progress = _Progress()
        self.accelerator.register_for_checkpointing(self.average, self.progress)
        if resume:
            self._load_checkpoint()
            return
        if start_from is not None:
            self.save_checkpoint()  # a run killed before its next checkpoint must not forget where it came from
        if self.accelerator.is_main_process:
            self.run.start(self.settings, precision)
        self.accelerator.wait_for_everyone()

    def _build(self, colour: tuple[float, float, float], start_from: str | os.PathLike | None) -> None:
        s = self.settings
        set_seed(s.seed)
        network = CompletionNetwork(s.width, colour, s.dilated, s.mask_channel)
        if start_from is not None:
            _load_weights(network, start_from)
        critics_width = s.width if s.discriminator_width is None else s.discriminator_width
        discriminator = ContextDiscriminator(s.crop_size, s.local_size, critics_width, s.use_global, s.use_local)
        network, discriminator = (x.to(memory_format=torch.channels_last) for x in (network, discriminator))
        self.average = AveragedModel(network, avg_fn=_moving_average(s.averaging), use_buffers=True).to(self.device)
        make = {"adadelta": _adadelta, "adam": _adam}[s.optimizer]
        self.network, self.discriminator, self.optimizer, self.discriminator_optimizer = self.accelerator.prepare(
            network,
            discriminator,
            make(network.parameters(), s.learning_rate, betas=(0.9, 0.999)),
            make(discriminator.parameters(), s.discriminator_learning_rate, betas=(0.5, 0.999)),
        )
        # The networks without what `prepare` wraps around them, for passes that must not touch their gradients.
        self.bare_network = self.accelerator.unwrap_model(self.network)
        self.bare_discriminator = self.accelerator.unwrap_model(self.discriminator)

    # One iteration

    def _reconstruction_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Phase 1: the completion network alone, on the squared error in the hole."""
        with self.accelerator.accumulate(self.network):
            output = self.network(batch["photo"], batch["mask"])
            loss = reconstruction_loss(output, batch["photo"], batch["mask"])
            self._descend(loss, self.optimizer)
        return {"reconstruction": loss}

    def _discriminator_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Phase 2: the discriminators alone."""
        with torch.no_grad(), self.accelerator.autocast():
            output = self.bare_network(batch["photo"], batch["mask"])
        with self.accelerator.accumulate(self.discriminator):
            return self._train_discriminator(batch, output)

    def _train_discriminator(self, batch: dict[str, Tensor], output: Tensor) -> dict[str, Tensor]:
        """Phases 2 and 3: the discriminators tell real photos from completed ones.

        They see the completed photo, hole from the network and the rest from the photo, never the bare output.
        """
        size = self.settings.local_size
        photo = batch["photo"]
        completed = composite(photo, output.detach().to(photo.dtype), batch["mask"])
        real = self.discriminator(photo, cut_patches(photo, batch["real_patch"], size))
        fake = self.discriminator(completed, cut_patches(completed, batch["fake_patch"], size))
        loss = discriminator_loss(real, fake)
        self._descend(loss, self.discriminator_optimizer)
        return {
            "discriminator": loss,
            "real_accuracy": (real > 0).float().mean(),
            "fake_accuracy": (fake < 0).float().mean(),
        }

    def _joint_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Phase 3: first the discriminators, then the network on squared error plus alpha times the GAN loss."""
        photo, mask = batch["photo"], batch["mask"]
        # One `accumulate` for both: each call counts as one part of a batch.
        with self.accelerator.accumulate(self.network, self.discriminator):
            output = self.network(photo, mask)
            losses = self._train_discriminator(batch, output)
            # The network's backward pass must leave no gradient in the discriminators for their next step to add in.
            self.bare_discriminator.requires_grad_(False)
            completed = composite(photo, output.to(photo.dtype), mask)
            patches = cut_patches(completed, batch["fake_patch"], self.settings.local_size)
            with self.accelerator.autocast():
                fooling = gan_loss(self.bare_discriminator(completed, patches))
            reconstruction = reconstruction_loss(output, photo, mask)
            self._descend(reconstruction + self.settings.alpha * fooling, self.optimizer)
            self.bare_discriminator.requires_grad_(True)
        return {"reconstruction": reconstruction, "gan": fooling, **losses}

    def _descend(self, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        self.accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def _iterate(self, batches: Iterator[dict[str, Tensor]]) -> dict[str, float]:
        """One iteration: one optimizer step (each) over one batch, in as many parts as the settings say."""
        phase = self.settings.phase(self.progress.iteration)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.network_learning_rate(self.progress.iteration)
        totals: dict[str, float] = {}
        for _ in range(self.settings.accumulation):
            batch = next(batches)
            if phase == 1:
                losses = self._reconstruction_step(batch)
            elif phase == 2:
                losses = self._discriminator_step(batch)
            else:
                losses = self._joint_step(batch)
            for name, value in losses.items():
                totals[name] = totals.get(name, 0.0) + value.item() / self.settings.accumulation
        if phase != 2:
            self.average.update_parameters(self.bare_network)
        return totals

    def _batches(self) -> Iterator[dict[str, Tensor]]:
        """The batches from where the run stands; sample n is the same whenever and wherever it is drawn."""
        s = self.settings
        part = s.batch_size // s.accumulation
        numbers = range(self.progress.iteration * s.batch_size, s.iterations * s.batch_size)
        processes, rank = self.accelerator.num_processes, self.accelerator.process_index
        if part % processes:
            raise RunError(f"a batch of {part} cannot be shared by {processes} processes")
        share = part // processes
        mine = [range(first + rank * share, first + (rank + 1) * share) for first in numbers[::part]]
        loader = DataLoader(
            self.samples,
            batch_sampler=mine,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            pin_memory=self.device.type == "cuda",
        )
        for batch in loader:
            for name in ("photo", "mask"):
                batch[name] = batch[name].to(self.device, non_blocking=True, memory_format=torch.channels_last)
            yield batch

    # The run

    def train(self, on_validation: Callable[["Trainer", dict], bool | None] | None = None) -> None:
        """Train to the end of the settings.

        Args:
            on_validation: called after each validation with this trainer and the row just measured; returning True
                ends the run early, with a checkpoint to resume from.

        Raises:
            TrainingError: the loss is no longer a number.
        """
        s, progress = self.settings, self.progress
        self._normalise_by_batch()
        batches = self._batches()
        window = progress.window
        last_checkpoint = time.monotonic()
        stopped = False
        shown = self.accelerator.is_main_process
        bar = tqdm(total=s.iterations, initial=progress.iteration, disable=not shown, unit="it", mininterval=1.0)
        while progress.iteration < s.iterations and not stopped:
            start = time.monotonic()
            losses = self._iterate(batches)
            phase = s.phase(progress.iteration)
            progress.iteration += 1
            progress.seconds += time.monotonic() - start
            bar.update()
            self._check(losses)
            window.append(losses)
            last = progress.iteration == s.iterations
            if progress.iteration % self.log_every == 0 or last or s.phase(progress.iteration) != phase:
                self._log(phase, window)
                bar.set_postfix_str(f"phase {phase}, " + ", ".join(f"{k} {v:.4g}" for k, v in window[-1].items()))
                window.clear()
            if progress.iteration % self.validate_every == 0 or last:
                row = self._validate(phase)
                stopped = bool(on_validation and on_validation(self, row))
            due = time.monotonic() - last_checkpoint > 60 * self.checkpoint_minutes and not window
            if self._everyone(due or last or stopped):
                self.save_checkpoint()
                last_checkpoint = time.monotonic()
        bar.close()

    def _everyone(self, decision: bool) -> bool:
        """The main process's decision, in all processes: their clocks differ, and a checkpoint needs all of them."""
        if self.accelerator.num_processes == 1:
            return decision
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([decision])[0]

    def _check(self, losses: dict[str, float]) -> None:
        broken = [name for name, value in losses.items() if not math.isfinite(value)]
        if broken:
            raise TrainingError(
                f"iteration {self.progress.iteration}: the {', '.join(broken)} loss is no longer a number. The last "
                f"checkpoint in {self.run.checkpoints} is sound. Try a smaller learning rate, or precision 'no'."
            )

    def _log(self, phase: int, window: list[dict[str, float]]) -> None:
        if not self.accelerator.is_main_process:
            return
        names = ("reconstruction", "gan", "discriminator", "real_accuracy", "fake_accuracy")
        row = {"iteration": self.progress.iteration, "phase": phase, "seconds": round(self.progress.seconds, 1)}
        row["learning_rate"] = f"{self.settings.network_learning_rate(self.progress.iteration - 1):.6g}"
        for name in names:
            values = [x[name] for x in window if name in x]
            row[name] = f"{sum(values) / len(values):.6g}" if values else ""
        self.run.append("log.csv", row)

    def _validate(self, phase: int) -> dict:
        """Measure, draw the sample sheet, and keep the weights if they are the best of this kind so far."""
        progress = self.progress
        row = {"iteration": progress.iteration, "phase": phase, "seconds": round(progress.seconds, 1)}
        if self.accelerator.is_main_process:
            network = self.validated_network
            row |= self.validation.measure(network, self.device)
            self.run.append("validation.csv", row)
            save_image(self.validation.sheet(network, self.device), self.run.samples / f"{progress.iteration:08d}.png")
            self.run.replace_weights("network", network.save_pretrained)
            if phase > 1:
                self.run.replace_weights("discriminators", self.bare_discriminator.save_pretrained)
            if row["psnr"] > progress.best_psnr:
                progress.best_psnr = row["psnr"]
                self.run.replace_weights("best", network.save_pretrained)
            self._normalise_by_batch()
        return row

    @property
    def validated_network(self) -> CompletionNetwork:
        """The network that is validated and saved: the moving average over the weights, or the weights themselves."""
        return self.average.module if self.settings.averaging else self.bare_network

    def _normalise_by_batch(self) -> None:
        """Let batch normalisation use the batch's own statistics; a validation switches to those it has kept."""
        self.bare_network.train()
        self.bare_discriminator.train()

    # Checkpoints

    def save_checkpoint(self) -> None:
        """Write the full state, whole or not at all; an error leaves the last checkpoint as it was."""
        partial = self.run.checkpoints / ".partial"
        if self.accelerator.is_main_process:
            shutil.rmtree(partial, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        try:
            self.accelerator.save_state(str(partial))
            self.accelerator.wait_for_everyone()
            if self.accelerator.is_main_process:
                self.run.publish_checkpoint(partial, self.progress.iteration)
        except (
            OSError,
            RuntimeError,
            SafetensorError,
        ) as error:  # torch and safetensors have their own for a full disk
            shutil.rmtree(partial, ignore_errors=True)
            raise TrainingError(
                f"checkpoint of iteration {self.progress.iteration} not written ({_first_line(error)}); "
                "the one before is intact"
            ) from error
        self.accelerator.wait_for_everyone()

    def _load_checkpoint(self) -> None:
        checkpoint = self.run.latest_checkpoint()
        if checkpoint is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                self.accelerator.load_state(str(checkpoint))
        if self.accelerator.is_main_process:
            self.run.forget_rows_after(self.progress.iteration)
        self.accelerator.wait_for_everyone()


def train(
    settings: Settings | None,
    photos: str | os.PathLike,
    validation_photos: str | os.PathLike,
    out: str | os.PathLike,
    **options,
) -> Path:
    """Train, or with `resume=True` go on training, and return the folder of the latest weights.

    Arguments, options and errors are those of `Trainer` and `Trainer.train`.
    """
    on_validation = options.pop("on_validation", None)
    trainer = Trainer(settings, photos, validation_photos, out, **options)
    trainer.train(on_validation)
    return trainer.run.path / "network"


def _load_weights(network: CompletionNetwork, source: str | os.PathLike) -> None:
    try:
        network.load_state_dict(CompletionNetwork.from_pretrained(source).state_dict())
    except RuntimeError as error:
        raise WeightsError(f"{source}: these weights are not of the network that the settings ask for") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _moving_average(decay: float) -> Callable:
    """An exponential moving average that starts short, so that the random first weights are soon forgotten."""

    def average(averaged: Tensor, current: Tensor, count: Tensor) -> Tensor:
        if not averaged.is_floating_point():
            return current
        n = float(count)
        return averaged.lerp(current.to(averaged.dtype), 1 - min(decay, (1 + n) / (10 + n)))

    return average


def _adadelta(parameters, learning_rate: float, betas) -> torch.optim.Optimizer:
    return torch.optim.Adadelta(parameters, lr=learning_rate)


def _adam(parameters, learning_rate: float, betas) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=learning_rate, betas=betas, fused=True)


def _check_same_run(settings: Settings, started_with: Settings) -> None:
    free = {"phase_1", "phase_2", "phase_3"}
    now, then = settings.to_dict(), started_with.to_dict()
    changed = [name for name in now if name not in free and now[name] != then[name]]
    if changed:
        raise RunError(f"a resumed run keeps its settings, but these differ: {', '.join(changed)}")
