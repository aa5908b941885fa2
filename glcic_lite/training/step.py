"""One iteration: what a batch does to the networks in each of the three phases."""

import contextlib
import os
from collections.abc import Iterator

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor, nn

from glcic_lite.method.losses import discriminator_loss, gan_loss, reconstruction_loss
from glcic_lite.method.networks import (
    CompletionNetwork,
    ContextDiscriminator,
    ConvolutionBlock,
    composite,
    differing_options,
)
from glcic_lite.method.pretrained import WeightsError
from glcic_lite.training.averaging import MovingAverage
from glcic_lite.training.choices import TrainingChoices
from glcic_lite.training.samples import cut_patches
from glcic_lite.training.settings import Settings


class Learner:
    """The completion network, the discriminators, and their optimizers.

    Args:
        settings: sizes, phases, learning rates.
        choices: how to use the device.
        accelerator: knows the device and the other processes.
        colour: the mean colour of the photos to train on.
        start_from: completion weights to begin with, a folder or a Hub id, instead of random ones.
        discriminators_from: the same for the discriminators.
        compile: whether `torch.compile` makes the networks faster.

    Attributes:
        network, discriminator: as `accelerate` wraps them: their backward passes exchange gradients between processes.
        bare_network, bare_discriminator: the same without that, for passes that must not touch their gradients.
        average: the moving average over the network's weights.
        optimizer, discriminator_optimizer: theirs.

    Raises:
        WeightsError: weights to start from that cannot be read or are of another network.
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
        network = CompletionNetwork(s.width, colour, s.dilated, s.mask_channel)
        if start_from is not None:
            _load_weights(network, start_from)
        critics_width = s.width if s.discriminator_width is None else s.discriminator_width
        discriminator = ContextDiscriminator(s.crop_size, s.local_size, critics_width, s.use_global, s.use_local)
        if discriminators_from is not None:
            _load_weights(discriminator, discriminators_from)
        network, discriminator = (x.to(memory_format=choices.memory_format) for x in (network, discriminator))
        for module in (network, discriminator):
            _leave_idle_biases(module)
        self.average = MovingAverage(network, s.averaging).to(accelerator.device)
        if choices.synchronised_norm and accelerator.num_processes > 1:
            network, discriminator = (nn.SyncBatchNorm.convert_sync_batchnorm(x) for x in (network, discriminator))
        if compile:
            for module in (network, discriminator):
                module.compile()  # in place: the names in the state dict stay as they are
        make = {"adadelta": _adadelta, "adam": _adam}[s.optimizer]
        self.network, self.discriminator, self.optimizer, self.discriminator_optimizer = accelerator.prepare(
            network,
            discriminator,
            make(network.parameters(), s.learning_rate, (s.network_momentum, 0.999), choices.fused),
            make(discriminator.parameters(), s.discriminator_learning_rate, (0.5, 0.999), choices.fused),
        )
        for module in (self.network, self.discriminator):
            if isinstance(module, nn.parallel.DistributedDataParallel):
                # Statistics of batch normalisation are the same in all processes or, on a CPU, each one's own.
                module.broadcast_buffers = False
        self.bare_network = accelerator.unwrap_model(self.network)
        self.bare_discriminator = accelerator.unwrap_model(self.discriminator)
        self._discriminator_weights = [p for p in self.bare_discriminator.parameters() if p.requires_grad]
        # float16 cannot hold small gradients: the loss is scaled up before, and the gradients down after.
        self.scaler = torch.amp.GradScaler(accelerator.device.type, enabled=choices.precision == "fp16")

    @property
    def validated_network(self) -> CompletionNetwork:
        """The network that is validated and saved: the moving average over the weights, or the weights themselves."""
        return self.average.module if self.settings.averaging else self.bare_network

    def begin_afresh(self) -> None:
        """Forget what a step left behind that was interrupted in its middle: gradients, and weights held still."""
        for weight in self._discriminator_weights:
            weight.requires_grad_(True)
        for optimizer in (self.optimizer, self.discriminator_optimizer):
            optimizer.zero_grad(set_to_none=True)

    def normalise_by_batch(self) -> None:
        """Let batch normalisation use the batch's own statistics; a validation switches to those it has kept.

        Where the settings say so, the completion network goes on with the kept ones, as it will when it completes
        photos: whatever else happens to be in the batch then puts no tint on a photo, and the network can learn to get
        colours more nearly right. It must start from trained weights.
        """
        self.bare_network.train(not self.settings.kept_statistics)
        self.bare_discriminator.train()

    def iterate(self, batches: Iterator[dict[str, Tensor]], iteration: int, measure: bool = False) -> dict[str, Tensor]:
        """One optimizer step (each) over one batch, in as many parts as the settings say.

        Args:
            batches: gives the parts, as `TrainingSamples` describes them, with a first axis for the samples.
            iteration: iterations done before this one; the phase and the learning rate depend on it.
            measure: also measure gradients, which takes a little time.

        Returns:
            Losses and what else the log is to show. They stay on the device: fetching them here would make the
            processor wait for the GPU in every iteration.
        """
        phase, parts = self.settings.phase(iteration), self.settings.accumulation
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.network_learning_rate(iteration)
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

    # The three phases

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

    # What the phases are made of

    def _complete(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        with self.choices.autocast:
            return network(batch["photo"], batch["mask"]).float()

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

    def _judge(self, discriminator: nn.Module, batch: dict[str, Tensor], completed: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the real and of the completed photos, given to the discriminators in one batch.

        Batch normalisation is why: in a batch of completed photos alone, the statistics over the batch give away what
        all of them have in common, and a discriminator need not look at any one photo. Ours came to tell every such
        batch from a real one and, photo by photo, hardly better than a coin. Where the settings ask for it, each kind
        has a batch of its own all the same, as in many programs.
        """
        photos = torch.cat([batch["photo"], completed])
        corners = torch.cat([batch["real_patch"], batch["fake_patch"]])
        patches = cut_patches(photos, corners, self.settings.local_size)
        batches = 1 if self.settings.judged_together else 2
        with self.choices.autocast:
            logits = [
                discriminator(*views).float()
                for views in zip(photos.chunk(batches), patches.chunk(batches), strict=True)
            ]
        real, fake = torch.cat(logits).chunk(2)
        return real, fake

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


def _adadelta(parameters, learning_rate: float, betas, fused: bool) -> torch.optim.Optimizer:
    return torch.optim.Adadelta(parameters, lr=learning_rate)


def _adam(parameters, learning_rate: float, betas, fused: bool) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=learning_rate, betas=betas, fused=fused)
