"""The training loop: three phases, one iteration at a time, stopped and resumed at will."""

import contextlib
import itertools
import math
import os
import shutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, set_seed
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from glcic_lite.device import TrainingChoices, training_choices
from glcic_lite.networks import CompletionNetwork, ContextDiscriminator, ConvolutionBlock, composite
from glcic_lite.photos import mean_colour, save_image
from glcic_lite.pretrained import WeightsError
from glcic_lite.training.health import LOSSES, Watch, average, broken_losses
from glcic_lite.training.losses import discriminator_loss, gan_loss, reconstruction_loss
from glcic_lite.training.run_folder import RunError, RunFolder
from glcic_lite.training.samples import TrainingSamples, cut_patches
from glcic_lite.training.settings import Settings
from glcic_lite.training.validation import Validation


class TrainingError(RuntimeError):
    """Training that has gone wrong and should not go on; the message says what to try."""


# What log.csv says of each stretch of iterations: averages over it and over the processes; the last three are measured
# in its last iteration.
LOG_COLUMNS = (
    *LOSSES,
    "real_accuracy",  # share of the real photos that the discriminators call real
    "fake_accuracy",  # share of the completed photos that they call completed
    "logit_spread",  # standard deviation of their logits, real and completed together
    "network_gradient",  # norm of the gradient of all weights of the completion network
    "discriminator_gradient",  # the same of the discriminators
    "gradient_ratio",  # at the completed photo: gradient of alpha times the GAN loss over that of the squared error
)

Callback = Callable[["Trainer", dict], bool | None]


class _Progress:
    """How far a run has come: part of every checkpoint."""

    def __init__(self):
        self.iteration = 0  # iterations done
        self.seconds = 0.0  # spent on them
        self.best_psnr = -math.inf
        self.window: list[dict[str, float]] = []  # losses since the last row of the log
        self.watched: list[tuple] = []  # what the watch over the discriminators has seen

    def state_dict(self) -> dict:
        return dict(vars(self))

    def load_state_dict(self, state: dict) -> None:
        vars(self).update(state)  # what a checkpoint of an earlier version lacks keeps its first value


class Trainer:
    """One training run in one folder: on one device, or the same code in several processes under `accelerate launch`.

    Several processes share each batch and average their gradients, which is the same as one process computing the batch
    in as many parts (`Settings.accumulation`), up to rounding and up to batch normalisation: on NVIDIA GPUs its
    statistics are taken over all processes (SyncBatchNorm), so the number of GPUs changes nothing; on a CPU, where
    there is no such layer, each process normalises by its own share of the batch.

    Several trainers may live in one process, as in a notebook; they share nothing.

    Args:
        settings: what decides the numbers; None takes those of the run to resume.
        photos: folder of photos to train on.
        validation_photos: folder of photos never trained on.
        out: the run's folder.
        resume: continue the run in `out` from its last checkpoint, with the numbers of a run never interrupted. The
            lengths of the phases may be changed by passing `settings`, and the precision; nothing else may.
        start_from: begin a new run with these completion weights, a folder or a Hub id, instead of random ones.
        workers: processes that decode photos; they change no numbers. 0 decodes between the iterations, None is what
            suits the device.
        precision: "bf16" or "fp16" (mixed precision), "no" (float32), or "auto": what the run to resume was started
            with, for a new run what is fastest on the device.
        compile: whether `torch.compile` makes the networks faster, which takes it a minute or more at the start; the
            numbers change by rounding only, and weights are saved as ever.
        keep_going: go on where the discriminators are dead (see `health.Watch`), instead of stopping with advice.
        choices: how to use which device, in place of `precision` and `workers`: for comparisons.
        checkpoint_minutes, validate_every, log_every: minutes between checkpoints; iterations between validations
            with their sample sheet; iterations averaged into one row of the log.

    Raises:
        RunError: the folder holds a run already (or none to resume), cannot be written to, or lies on a disk without
            room for the checkpoints; or a precision that this device does not have.
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
        try:
            self.choices = choices or training_choices(precision, workers)
        except ValueError as error:
            raise RunError(f"precision {precision}: {error}") from error
        # Precision and accumulation are this trainer's own business: accelerate keeps them once for a whole process.
        self.accelerator = Accelerator(cpu=self.choices.device.type == "cpu", mixed_precision="no")
        self.device = self.accelerator.device
        self.precision = self.choices.precision
        if self.device.type == "cuda":
            # All batches have one size: try once which kernels are fastest for it.
            torch.backends.cudnn.benchmark = True
        self.compile, self.keep_going = compile, keep_going
        self.checkpoint_minutes, self.validate_every, self.log_every = checkpoint_minutes, validate_every, log_every
        self.samples = TrainingSamples(photos, self.settings)
        self.validation = Validation(validation_photos, self.settings)
        if not resume and self.accelerator.is_main_process:
            self.run.claim()
        self.accelerator.wait_for_everyone()
        self._build(mean_colour(photos), start_from)
        self.progress = _Progress()
        self.watch = Watch()
        self.accelerator.register_for_checkpointing(self.average, self.progress)
        if self.scaler.is_enabled():
            self.accelerator.register_for_checkpointing(self.scaler)
        self._pending: list[dict[str, Tensor]] = []  # losses that are still on the device
        self.run.check_room(self._checkpoint_bytes())
        if resume:
            self._load_checkpoint()
            return
        if start_from is not None:
            self.save_checkpoint()  # a run killed before its next checkpoint must not forget where it came from
        if self.accelerator.is_main_process:
            self.run.start(self.settings, self.precision)
        self.accelerator.wait_for_everyone()

    def _build(self, colour: tuple[float, float, float], start_from: str | os.PathLike | None) -> None:
        s = self.settings
        set_seed(s.seed)
        network = CompletionNetwork(s.width, colour, s.dilated, s.mask_channel)
        if start_from is not None:
            _load_weights(network, start_from)
        critics_width = s.width if s.discriminator_width is None else s.discriminator_width
        discriminator = ContextDiscriminator(s.crop_size, s.local_size, critics_width, s.use_global, s.use_local)
        network, discriminator = (x.to(memory_format=self.choices.memory_format) for x in (network, discriminator))
        for module in (network, discriminator):
            _leave_idle_biases(module)
        self.average = _Average(network, s.averaging).to(self.device)
        if self.choices.synchronised_norm and self.accelerator.num_processes > 1:
            network, discriminator = (nn.SyncBatchNorm.convert_sync_batchnorm(x) for x in (network, discriminator))
        if self.compile:
            for module in (network, discriminator):
                module.compile()  # in place: the names in the state dict stay as they are
        make = {"adadelta": _adadelta, "adam": _adam}[s.optimizer]
        fused = self.choices.fused
        self.network, self.discriminator, self.optimizer, self.discriminator_optimizer = self.accelerator.prepare(
            network,
            discriminator,
            make(network.parameters(), s.learning_rate, (0.9, 0.999), fused),
            make(discriminator.parameters(), s.discriminator_learning_rate, (0.5, 0.999), fused),
        )
        for module in (self.network, self.discriminator):
            if isinstance(module, nn.parallel.DistributedDataParallel):
                # Statistics of batch normalisation are the same in all processes or, on a CPU, each one's own.
                module.broadcast_buffers = False
        # The networks without what `prepare` wraps around them, for passes that must not touch their gradients.
        self.bare_network = self.accelerator.unwrap_model(self.network)
        self.bare_discriminator = self.accelerator.unwrap_model(self.discriminator)
        self._discriminator_weights = [p for p in self.bare_discriminator.parameters() if p.requires_grad]
        # float16 cannot hold small gradients: the loss is scaled up before, and the gradients down after.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")

    # One iteration

    def iterate(self, batches: Iterator[dict[str, Tensor]], measure: bool = False) -> dict[str, Tensor]:
        """One optimizer step (each) over one batch, in as many parts as the settings say.

        Args:
            measure: also measure gradients, which takes a little time.

        Returns:
            Losses and what else the log is to show. They stay on the device: fetching them here would make the
            processor wait for the GPU in every iteration.
        """
        phase, parts = self.settings.phase(self.progress.iteration), self.settings.accumulation
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.network_learning_rate(self.progress.iteration)
        step = {1: self._reconstruction_step, 2: self._discriminator_step, 3: self._joint_step}[phase]
        values: dict[str, Tensor] = {}
        for part in range(parts):
            last = part == parts - 1
            with contextlib.ExitStack() as stack:
                if not last:  # processes exchange gradients once a batch
                    for network in (self.network, self.discriminator):
                        stack.enter_context(self.accelerator.no_sync(network))
                measured: dict[str, Tensor] | None = {} if measure and last else None
                for name, value in step(next(batches), last, measured).items():
                    values[name] = values.get(name, 0.0) + value.detach() / parts
        self.scaler.update()
        if phase != 2:
            self.average.update_parameters(self.bare_network)
        return values | (measured or {})

    def _reconstruction_step(self, batch: dict, last: bool, measured: dict | None) -> dict[str, Tensor]:
        """Phase 1: the completion network alone, on the squared error in the hole."""
        output = self._complete(self.network, batch)
        loss = reconstruction_loss(output, batch["photo"], batch["mask"])
        self._descend(loss, self.optimizer, last, measured, "network_gradient")
        return {"reconstruction": loss}

    def _discriminator_step(self, batch: dict, last: bool, measured: dict | None) -> dict[str, Tensor]:
        """Phase 2: the discriminators alone."""
        with torch.no_grad():
            output = self._complete(self.bare_network, batch)
        return self._train_discriminator(batch, output, last, measured)

    def _complete(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        with self.choices.autocast:
            return network(batch["photo"], batch["mask"]).float()

    def _judge(self, discriminator: nn.Module, batch: dict[str, Tensor], completed: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the real and of the completed photos, given to the discriminators in one batch.

        Batch normalisation is why: in a batch of completed photos alone, the statistics over the batch give away what
        all of them have in common, and a discriminator need not look at any one photo. Ours came to tell every such
        batch from a real one and, photo by photo, hardly better than a coin.
        """
        photos = torch.cat([batch["photo"], completed])
        corners = torch.cat([batch["real_patch"], batch["fake_patch"]])
        patches = cut_patches(photos, corners, self.settings.local_size)
        with self.choices.autocast:
            real, fake = discriminator(photos, patches).float().chunk(2)
        return real, fake

    def _train_discriminator(
        self, batch: dict[str, Tensor], output: Tensor, last: bool, measured: dict | None
    ) -> dict[str, Tensor]:
        """Phases 2 and 3: the discriminators tell real photos from completed ones.

        They see the completed photo, hole from the network and the rest from the photo, never the bare output.
        """
        completed = composite(batch["photo"], output.detach(), batch["mask"])
        real, fake = self._judge(self.discriminator, batch, completed)
        loss = discriminator_loss(real, fake)
        self._descend(loss, self.discriminator_optimizer, last, measured, "discriminator_gradient")
        return {
            "discriminator": loss,
            "real_accuracy": (real > 0).float().mean(),
            "fake_accuracy": (fake < 0).float().mean(),
            "logit_spread": torch.cat([real, fake]).detach().std(correction=0),
        }

    def _joint_step(self, batch: dict, last: bool, measured: dict | None) -> dict[str, Tensor]:
        """Phase 3: first the discriminators, then the network on squared error plus alpha times the GAN loss."""
        photo, mask = batch["photo"], batch["mask"]
        output = self._complete(self.network, batch)
        losses = self._train_discriminator(batch, output, last, measured)
        # The network's backward pass must leave no gradient in the discriminators for their next step to add in.
        for weight in self._discriminator_weights:
            weight.requires_grad_(False)
        completed = composite(photo, output, mask)
        compared = output.view_as(output)  # the same numbers, through which flows the squared error's gradient alone
        norms: dict[str, Tensor] = {}
        if measured is not None:
            for name, picture in (("gan", completed), ("reconstruction", compared)):
                picture.register_hook(lambda gradient, name=name: norms.update({name: _mean_norm(gradient * mask)}))
        fooling = gan_loss(self._judge(self.bare_discriminator, batch, completed)[1])
        reconstruction = reconstruction_loss(compared, photo, mask)
        self._descend(
            reconstruction + self.settings.alpha * fooling, self.optimizer, last, measured, "network_gradient"
        )
        for weight in self._discriminator_weights:
            weight.requires_grad_(True)
        if measured is not None:
            measured["gradient_ratio"] = norms["gan"] / norms["reconstruction"]
        return {"reconstruction": reconstruction, "gan": fooling, **losses}

    def _descend(self, loss: Tensor, optimizer, last: bool, measured: dict | None, name: str) -> None:
        """Add to the gradients and, at the end of the batch, make the optimizer's step."""
        self.scaler.scale(loss / self.settings.accumulation).backward()
        if not last:
            return
        if measured is not None:
            weights = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            norms = torch.stack([p.grad.norm() for p in weights])
            measured[name] = norms.norm() / self.scaler.get_scale()
        self.scaler.step(optimizer)
        optimizer.zero_grad(set_to_none=True)

    def batches(self) -> Iterator[dict[str, Tensor]]:
        """The batches from where the run stands; sample n is the same whenever and wherever it is drawn."""
        s = self.settings
        part = s.batch_size // s.accumulation
        numbers = range(self.progress.iteration * s.batch_size, s.iterations * s.batch_size)
        processes, rank = self.accelerator.num_processes, self.accelerator.process_index
        if part % processes:
            raise RunError(f"a batch of {part} cannot be shared by {processes} processes")
        share = part // processes
        loader = DataLoader(
            self.samples,
            batch_sampler=(range(first + rank * share, first + (rank + 1) * share) for first in numbers[::part]),
            num_workers=self.choices.workers,
            persistent_workers=self.choices.workers > 0,
            pin_memory=self.choices.pinned,
            worker_init_fn=_ignore_interrupt,
        )
        for batch in loader:
            for name in ("photo", "mask"):
                batch[name] = batch[name].to(
                    self.device, non_blocking=self.choices.pinned, memory_format=self.choices.memory_format
                )
            yield batch

    # The run

    def train(
        self,
        on_validation: Callback | None = None,
        on_log: Callback | None = None,
        progress: bool = True,
    ) -> bool:
        """Train to the end of the settings, or until someone says stop.

        An interrupt (Ctrl-C, a notebook's stop button) ends the iteration at hand, writes a checkpoint, says so and
        returns; a second one does not wait for that. In a run of several processes it waits for the next row of the
        log.

        Args:
            on_validation: called after each validation with this trainer and the row of validation.csv: "iteration",
                "phase", "seconds", "psnr" and one number a kind of hole. Returning True ends the run early, with a
                checkpoint to resume from. In the main process only, as `on_log`.
            on_log: called with this trainer and each row of log.csv, as numbers; what a phase does not have is missing.
                Returning True ends the run early too.
            progress: whether to show a progress bar.

        Returns:
            Whether the end was reached.

        Raises:
            TrainingError: the loss is no longer a number, the discriminators are dead, or a file of the run cannot be
                written. The last checkpoint is sound.
        """
        s, now = self.settings, self.progress
        self._normalise_by_batch()
        batches = self.batches()
        last_checkpoint = time.monotonic()
        bar = tqdm(
            total=s.iterations,
            initial=now.iteration,
            disable=not (progress and self.accelerator.is_main_process),
            unit="it",
            mininterval=1.0,
        )
        stopped = False
        with _interrupts_wait() as interrupt, contextlib.closing(bar):
            while now.iteration < s.iterations and not stopped:
                start = time.monotonic()
                phase = s.phase(now.iteration)
                last = now.iteration + 1 == s.iterations
                row_due = (now.iteration + 1) % self.log_every == 0 or last or s.phase(now.iteration + 1) != phase
                validation_due = (now.iteration + 1) % self.validate_every == 0 or last
                self._pending.append(self.iterate(batches, measure=row_due))
                now.iteration += 1
                alone = self.accelerator.num_processes == 1  # else all processes must do the same, and clocks differ
                pause = row_due or validation_due or (alone and interrupt.is_set())
                if pause:
                    self._fetch_losses()
                now.seconds += time.monotonic() - start
                bar.update()
                stop = False
                if row_due:
                    row = self._log(phase)
                    bar.set_postfix_str(_in_short(row))
                    stop |= self._call(on_log, row)
                    self._watch_discriminators(phase)
                    now.window.clear()
                if validation_due:
                    stop |= self._call(on_validation, self._validate(phase))
                if pause:
                    stopped = self._everyone(stop or interrupt.is_set())
                    due = time.monotonic() - last_checkpoint > 60 * self.checkpoint_minutes and row_due
                    if last or stopped or self._everyone(due):
                        self.save_checkpoint()
                        last_checkpoint = time.monotonic()
        if interrupt.is_set() and self.accelerator.is_main_process:
            message = f"stopped after iteration {now.iteration:,} of {s.iterations:,}; a checkpoint in {self.run.path}"
            tqdm.write(f"{message} holds everything, and resuming goes on from there", file=sys.stderr)
        return now.iteration == s.iterations

    def _call(self, callback: Callback | None, row: dict) -> bool:
        if callback is None or not self.accelerator.is_main_process:
            return False
        stop = bool(callback(self, row))
        self._normalise_by_batch()  # the callback may have drawn a picture
        return stop

    def _everyone(self, decision: bool) -> bool:
        """The main process's decision, in all processes: a checkpoint needs all of them."""
        if self.accelerator.num_processes == 1:
            return decision
        return broadcast_object_list([decision])[0]

    def _fetch_losses(self) -> None:
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
                raise TrainingError(
                    f"iteration {iteration}: the {', '.join(broken)} loss is no longer a number. The last "
                    f"checkpoint in {self.run.checkpoints} is sound. Try a smaller learning rate, or precision 'no'."
                )
        self.progress.window.extend(fetched)

    def _log(self, phase: int) -> dict:
        row = {"iteration": self.progress.iteration, "phase": phase, "seconds": round(self.progress.seconds, 1)}
        row["learning_rate"] = self.settings.network_learning_rate(self.progress.iteration - 1)
        row |= average(self.progress.window)
        if self.accelerator.is_main_process:
            names = ("iteration", "phase", "seconds", "learning_rate", *LOG_COLUMNS)
            text = {name: f"{row[name]:.6g}" if name in row else "" for name in names}
            with self._explained():
                self.run.append("log.csv", text | {name: row[name] for name in names[:3]})
        return row

    def _watch_discriminators(self, phase: int) -> None:
        verdict = self.watch.verdict(phase, self.progress.window)
        self.progress.watched = self.watch.stretches
        if verdict and not self.keep_going:
            raise TrainingError(
                f"iteration {self.progress.iteration}: {verdict}; or go on regardless (keep_going, --keep-going)."
            )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns the failure to write one of the run's files into advice."""
        try:
            yield
        except (OSError, SafetensorError) as error:
            raise TrainingError(
                f"iteration {self.progress.iteration}: {self.run.path} cannot be written to ({_first_line(error)}); "
                "the last checkpoint is intact. Make room and resume."
            ) from error

    def _validate(self, phase: int) -> dict:
        """Measure, draw the sample sheet, and keep the weights if they are the best of this kind so far."""
        progress = self.progress
        row = {"iteration": progress.iteration, "phase": phase, "seconds": round(progress.seconds, 1)}
        if self.accelerator.is_main_process:
            network = self.validated_network
            row |= self.validation.measure(network, self.device)
            sheet = self.validation.sheet(network, self.device)
            with self._explained():
                self.run.append("validation.csv", row)
                save_image(sheet, self.run.samples / f"{progress.iteration:08d}.png")
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

    def _checkpoint_bytes(self) -> int:
        """What a checkpoint comes to: weights, two numbers a weight in each optimizer, and the averaged weights."""
        network, discriminator = (
            sum(p.numel() * p.element_size() for p in module.parameters())
            for module in (self.bare_network, self.bare_discriminator)
        )
        return 4 * network + 3 * discriminator

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
        except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors report a full disk as these
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
            self.watch.stretches = self.progress.watched
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


def _load_weights(network: CompletionNetwork, source: str | os.PathLike) -> None:
    try:
        network.load_state_dict(CompletionNetwork.from_pretrained(source).state_dict())
    except RuntimeError as error:
        raise WeightsError(f"{source}: these weights are not of the network that the settings ask for") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _leave_idle_biases(network: nn.Module) -> None:
    """Do not train the biases of convolutions before batch normalisation.

    It takes the mean away, and with it whatever a bias adds: the gradient is zero but for rounding, and takes time.
    """
    for block in network.modules():
        if isinstance(block, ConvolutionBlock) and hasattr(block, "norm"):
            block.convolution.bias.requires_grad_(False)


def _mean_norm(gradient: Tensor) -> Tensor:
    """The norm of each sample's gradient, averaged over the samples."""
    return gradient.detach().flatten(1).norm(dim=1).mean()


def _in_short(row: dict) -> str:
    values = ", ".join(f"{name} {row[name]:.4g}" for name in LOSSES if name in row)
    return f"phase {row['phase']}, {values}"


class _Average(AveragedModel):
    """An exponential moving average over a network's weights and statistics.

    It starts short, so that the random first weights are soon forgotten. With a decay of 0 nobody looks at it, and it
    keeps the first weights.
    """

    def __init__(self, network: nn.Module, decay: float):
        super().__init__(network, use_buffers=True)
        self.decay = decay

    def to(self, device: torch.device) -> "_Average":
        super().to(device)
        self.n_averaged = self.n_averaged.cpu()  # read in every iteration, which must not wait for a GPU
        return self

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        if not self.decay:
            return
        n = int(self.n_averaged)
        share = 1.0 if n == 0 else 1 - min(self.decay, (1 + n) / (10 + n))
        pairs = [
            (own, new)
            for own, new in zip(
                itertools.chain(self.module.parameters(), self.module.buffers()),
                itertools.chain(model.parameters(), model.buffers()),
                strict=True,
            )
        ]
        fractions = [pair for pair in pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_(*(list(side) for side in zip(*fractions, strict=True)), share)
        for own, new in pairs:
            if not own.is_floating_point():
                own.copy_(new)
        self.n_averaged += 1


def _adadelta(parameters, learning_rate: float, betas, fused: bool) -> torch.optim.Optimizer:
    return torch.optim.Adadelta(parameters, lr=learning_rate)


def _adam(parameters, learning_rate: float, betas, fused: bool) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=learning_rate, betas=betas, fused=fused)


def _ignore_interrupt(worker: int) -> None:
    """In a process that decodes photos: an interrupt is the training's to handle, which still needs its next batch."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[threading.Event]:
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


def _check_same_run(settings: Settings, started_with: Settings) -> None:
    free = {"phase_1", "phase_2", "phase_3"}
    now, then = settings.to_dict(), started_with.to_dict()
    changed = [name for name in now if name not in free and now[name] != then[name]]
    if changed:
        raise RunError(f"a resumed run keeps its settings, but these differ: {', '.join(changed)}")
