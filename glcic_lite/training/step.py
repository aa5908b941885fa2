"""One iteration: what a batch does to the networks in each of the three phases (section 3.4 of the paper)."""

import contextlib
import os
from collections.abc import Iterable, Iterator

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor, nn

from glcic_lite.method.losses import (
    discriminator_loss,
    gan_loss,
    grey_gradient,
    hole_errors,
    logarithmic_loss,
    mesh_errors,
)
from glcic_lite.method.networks import (
    CompletionNetwork,
    ContextDiscriminator,
    ConvolutionBlock,
    composite,
    differing_options,
)
from glcic_lite.method.pretrained import WeightsError
from glcic_lite.training.averaging import MovingAverage
from glcic_lite.training.blended_loss import blended
from glcic_lite.training.choices import TrainingChoices
from glcic_lite.training.samples import cut_patches
from glcic_lite.training.settings import Settings


class GradientNorms:
    """Norms of gradients, measured during the backward passes over one part of a batch.

    Args:
        wanted: whether to measure; otherwise nothing is done, and no time spent.
    """

    def __init__(self, wanted: bool):
        self.wanted = wanted
        self._norms: dict[str, Tensor] = {}

    def watch(self, name: str, photos: Tensor, mask: Tensor) -> None:
        """Note the gradient that arrives at photos (N, 3, H, W): its norm in each hole, averaged over the photos."""

        def note(gradient: Tensor) -> None:
            self._norms[name] = (gradient * mask).detach().flatten(1).norm(dim=1).mean()

        if self.wanted:
            photos.register_hook(note)

    def measure(self, name: str, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler) -> None:
        """Note the norm of the gradient of all of an optimizer's weights."""
        if self.wanted:
            weights = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            self._norms[name] = torch.stack([p.grad.norm() for p in weights]).norm() / scaler.get_scale()

    def columns(self) -> dict[str, Tensor]:
        """What was measured, by its names in the log."""
        norms = dict(self._norms)
        if "gan" in norms:
            norms["gradient_ratio"] = norms.pop("gan") / norms.pop("reconstruction")
        return norms


class TrainingStep:
    """The completion network and the discriminators with their optimizers, and the step that trains them.

    accelerate's own autocast, loss scaling and accumulation are not used: it keeps their settings once for a whole
    process, and a notebook may hold several trainers with different ones.

    Args:
        settings: sizes, phases, learning rates.
        choices: how to use the device.
        accelerator: knows the device and the other processes.
        colour: the mean colour of the photos to train on, three numbers in [0, 1].
        start_from: completion weights to start with, a folder or "hf:owner/name", instead of random ones.
        discriminators_from: the same for the discriminators.
        compile: whether to speed up the networks with `torch.compile`.

    Attributes:
        network, discriminator: as `accelerate` wraps them: their backward passes exchange gradients between processes.
        bare_network, bare_discriminator: the same without that, for passes that must not touch their gradients.
        average: the moving average of the network's weights.
        optimizer, discriminator_optimizer: theirs.

    Raises:
        WeightsError: weights to start from cannot be read or belong to another network.
    """

    def __init__(
        self,
        settings: Settings,
        choices: TrainingChoices,
        accelerator: Accelerator,
        colour: tuple[float, float, float],
        start_from: str | os.PathLike | None = None,
        discriminators_from: str | os.PathLike | None = None,
        compile: bool = False,
    ):
        self.settings, self.choices, self.accelerator = settings, choices, accelerator
        s = settings
        set_seed(s.seed)
        network = CompletionNetwork(s.width, colour, s.dilated, s.mask_channel, largest_hole=s.hole_sides[1])
        if start_from is not None:
            _load_weights(network, start_from)
        width = s.discriminator_width or s.width
        discriminator = ContextDiscriminator(s.judged_size, s.local_size, width, s.use_global, s.use_local)
        if discriminators_from is not None:
            _load_weights(discriminator, discriminators_from)
        network, discriminator = (x.to(memory_format=choices.memory_format) for x in (network, discriminator))
        for module in (network, discriminator):
            _freeze_idle_biases(module)
        self.average = MovingAverage(network, s.averaging).to(accelerator.device)
        if choices.synchronised_norm and accelerator.num_processes > 1:
            network, discriminator = (nn.SyncBatchNorm.convert_sync_batchnorm(x) for x in (network, discriminator))
        if compile:
            for module in (network, discriminator):
                module.compile()  # in place: the names in the state dict stay as they are
        self.network, self.discriminator, self.optimizer, self.discriminator_optimizer = accelerator.prepare(
            network,
            discriminator,
            _optimizer(s.optimizer, network, s.learning_rate, s.network_momentum, choices.fused),
            _optimizer(s.optimizer, discriminator, s.discriminator_learning_rate, 0.5, choices.fused),
        )
        for module in (self.network, self.discriminator):
            if isinstance(module, nn.parallel.DistributedDataParallel):
                # Statistics of batch normalisation are the same in all processes or, on a CPU, each process's own.
                module.broadcast_buffers = False
        self.bare_network = accelerator.unwrap_model(self.network)
        self.bare_discriminator = accelerator.unwrap_model(self.discriminator)
        self._discriminator_weights = [p for p in self.bare_discriminator.parameters() if p.requires_grad]
        # float16 cannot hold small gradients: the loss is scaled up before, and the gradients down after.
        self.scaler = torch.amp.GradScaler(accelerator.device.type, enabled=choices.precision == "fp16")

    @property
    def validated_network(self) -> CompletionNetwork:
        """The network that is validated and saved: the moving average of the weights, or the weights themselves."""
        return self.average.module if self.settings.averaging else self.bare_network

    def clear_gradients(self) -> None:
        """Drop the gradients that a step left behind when it was interrupted halfway."""
        for optimizer in (self.optimizer, self.discriminator_optimizer):
            optimizer.zero_grad(set_to_none=True)

    def normalise_by_batch(self) -> None:
        """Let batch normalisation use the batch's own statistics; a validation switches to those it has kept.

        With `kept_statistics` the completion network uses the kept ones while training, too, as it will when it
        completes photos: then the other photos of a batch cannot tint a photo, and the network can learn to get
        colours right more precisely. It must start from trained weights.
        """
        self.bare_network.train(not self.settings.kept_statistics)
        self.bare_discriminator.train()

    def iterate(self, batches: Iterator[dict[str, Tensor]], iteration: int, measure: bool = False) -> dict[str, Tensor]:
        """One optimizer step (each) over one batch, computed in as many parts as the settings say.

        Args:
            batches: gives the parts, as `TrainingSamples` describes them, with a first axis for the samples; perhaps
                with "rim", for `blended`.
            iteration: iterations done before this one; the phase and the learning rate depend on it.
            measure: also measure gradients, which takes a little time.

        Returns:
            Losses and the other columns of the log, as scalars. They stay on the device: fetching them here would make
            the processor wait for the GPU in every iteration.
        """
        phase, parts = self.settings.phase(iteration), self.settings.accumulation
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.network_learning_rate(iteration)
        step = {1: self._reconstruction_step, 2: self._discriminator_step, 3: self._joint_step}[phase]
        values: dict[str, Tensor] = {}
        for part in range(parts):
            last = part == parts - 1
            norms = GradientNorms(measure and last)
            with contextlib.ExitStack() as stack:
                if not last:  # processes exchange gradients once a batch
                    for network in (self.network, self.discriminator):
                        stack.enter_context(self.accelerator.no_sync(network))
                losses = step(next(batches), last, norms)
            for name, value in losses.items():
                values[name] = values.get(name, 0.0) + value.detach() / parts
        self.scaler.update()
        if phase != 2:
            self.average.update_parameters(self.bare_network)
        return values | norms.columns()

    # The three phases, each for one part of a batch: the last one ends in the optimizers' steps.

    def _reconstruction_step(self, batch: dict, last: bool, norms: GradientNorms) -> dict[str, Tensor]:
        """Phase 1: the completion network alone, on the squared error in the hole, or the logarithm of that."""
        output = self._paint(self.network, batch)
        error, descended = self._errors(output, self._seen(output, batch), batch)
        self._descend(descended, self.optimizer, "network_gradient", last, norms)
        return {"reconstruction": error}

    def _discriminator_step(self, batch: dict, last: bool, norms: GradientNorms) -> dict[str, Tensor]:
        """Phase 2: the discriminators alone."""
        with torch.no_grad():
            painting = self._seen(self._paint(self.bare_network, batch), batch)
        return self._train_discriminator(batch, painting, last, norms)

    def _joint_step(self, batch: dict, last: bool, norms: GradientNorms) -> dict[str, Tensor]:
        """Phase 3: first the discriminators, then the network on squared error plus alpha times the GAN loss."""
        mask = batch["mask"]
        output = self._paint(self.network, batch)
        painting = self._seen(output, batch)
        losses = self._train_discriminator(batch, painting, last, norms)
        # Grey before it is cut off at black and white, so that a channel beyond them gets the others' gradient, too.
        shown = grey_gradient(painting) if self.settings.gan_in_grey else painting
        completed = self._completed(shown, batch)
        compared = painting.view_as(painting)  # the same numbers; only its error's gradient passes through here
        norms.watch("gan", completed, mask)
        norms.watch("reconstruction", compared, mask)
        # The network's backward pass must leave no gradient in the discriminators for their next step to add in.
        with _frozen(self._discriminator_weights):
            fooling = gan_loss(self._discriminate(self.bare_discriminator, batch, completed)[1])
            error, descended = self._errors(output, compared, batch)
            loss = descended + self.settings.alpha * fooling
            self._descend(loss, self.optimizer, "network_gradient", last, norms)
        return {"reconstruction": error, "gan": fooling, **losses}

    # What the phases are made of

    def _paint(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """What the network paints, (N, 3, S, S) float32."""
        with self.choices.autocast:
            return network(batch["photo"], batch["mask"]).float()

    def _seen(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """The painting as losses and discriminators see it: as it is or, with `through_blending`, blended."""
        if not self.settings.through_blending:
            return output
        return blended(output, batch["photo"], batch["mask"], batch.get("rim"))

    def _errors(self, output: Tensor, painting: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The plain squared error in the holes, which is logged, and what the network descends, with all its weights.

        Args:
            output: the bare painting, which counts by `bare_share`.
            painting: as `_seen` makes it.
        """
        s, photo, mask = self.settings, batch["photo"], batch["mask"]
        errors = hole_errors(painting, photo, mask, s.colour_weight)
        with torch.no_grad():
            logged = (errors if s.colour_weight == 1 else hole_errors(painting, photo, mask)).mean()
        if s.bare_share:
            errors = errors + s.bare_share * hole_errors(output, photo, mask, s.colour_weight)
        if s.mesh_weight:
            errors = errors + s.mesh_weight * mesh_errors(painting, photo, mask)
        return logged, logarithmic_loss(errors, s.error_floor) if s.error_floor else errors.mean()

    def _completed(self, painting: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """The completed photos: the hole from the painting, the rest from the photo."""
        if self.settings.through_blending:
            painting = painting.clamp(0, 1)  # what blending takes beyond black and white would give it away
        return composite(batch["photo"], painting, batch["mask"])

    def _train_discriminator(
        self, batch: dict, painting: Tensor, last: bool, norms: GradientNorms
    ) -> dict[str, Tensor]:
        """Phases 2 and 3: the discriminators learn to tell real photos from completed ones.

        They see the completed photo, hole from the network and the rest from the photo, never the bare output.
        """
        completed = self._completed(painting.detach(), batch)
        real, fake = self._discriminate(self.discriminator, batch, completed)
        loss = discriminator_loss(real, fake)
        self._descend(loss, self.discriminator_optimizer, "discriminator_gradient", last, norms)
        return {
            "discriminator": loss,
            "real_accuracy": (real > 0).float().mean(),
            "fake_accuracy": (fake < 0).float().mean(),
            "logit_spread": torch.cat([real, fake]).detach().std(correction=0),
        }

    def _discriminate(
        self, discriminator: nn.Module, batch: dict[str, Tensor], completed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits of the real and of the completed photos, given to the discriminators in one batch: (N,) each.

        Batch normalisation is the reason: in a batch of completed photos alone, the statistics over the batch give away
        what all of them have in common, and a discriminator need not look at any one photo. Ours learned to tell every
        such batch from a real one, and hardly did better than chance on single photos. If the settings ask for it, each
        kind has a batch of its own all the same, as in many programs.
        """
        photos = torch.cat([batch["photo"], completed])
        corners = torch.cat([batch["real_patch"], batch["fake_patch"]])
        patches = cut_patches(photos, corners, self.settings.local_size)
        if "judged" in batch:
            photos = cut_patches(photos, batch["judged"].repeat(2, 1), self.settings.judged_size)
        batches = 1 if self.settings.judged_together else 2
        with self.choices.autocast:
            logits = [
                discriminator(*views).float()
                for views in zip(photos.chunk(batches), patches.chunk(batches), strict=True)
            ]
        real, fake = torch.cat(logits).chunk(2)
        return real, fake

    def _descend(self, loss: Tensor, optimizer, name: str, last: bool, norms: GradientNorms) -> None:
        """Add to the gradients and, at the end of the batch, let the optimizer make its step."""
        self.scaler.scale(loss / self.settings.accumulation).backward()
        if last:
            norms.measure(name, optimizer, self.scaler)
            self.scaler.step(optimizer)
            optimizer.zero_grad(set_to_none=True)


@contextlib.contextmanager
def _frozen(weights: Iterable[nn.Parameter]) -> Iterator[None]:
    """Inside, gradients pass through the layers of these weights and leave none in them."""
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


def _load_weights(network: CompletionNetwork | ContextDiscriminator, source: str | os.PathLike) -> None:
    given = type(network).from_pretrained(source)
    if differing := differing_options(given, network):
        raise WeightsError(
            f"{source}: these weights are not of the network that the settings ask for, but of one with "
            + ", ".join(differing)
        )
    try:
        network.load_state_dict(given.state_dict())
    except RuntimeError as error:
        raise WeightsError(f"{source}: these weights are not of the network that the settings ask for") from error


def _freeze_idle_biases(network: nn.Module) -> None:
    """Do not train the biases of convolutions before batch normalisation.

    It subtracts the mean, and with it whatever a bias adds: the gradient is zero but for rounding, and takes time.
    """
    for block in network.modules():
        if isinstance(block, ConvolutionBlock) and hasattr(block, "norm"):
            block.convolution.bias.requires_grad_(False)


def _optimizer(kind: str, network: nn.Module, learning_rate: float, momentum: float, fused: bool):
    if kind == "adadelta":
        return torch.optim.Adadelta(network.parameters(), lr=learning_rate)
    return torch.optim.Adam(network.parameters(), lr=learning_rate, betas=(momentum, 0.999), fused=fused)
