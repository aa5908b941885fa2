"""What a training run costs in memory and arithmetic, counted without running it.

The networks are built on torch's "meta" device: shapes without numbers. A pass through them still tells how much is
multiplied and what autograd keeps for the backward pass. What a GPU adds on top (workspaces of the convolutions, the
memory of its own libraries, fragments) is not counted.
"""

import functools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from glcic_lite.method.networks import CompletionNetwork, ContextDiscriminator, count_parameters
from glcic_lite.training.settings import Settings

NUMBER = 4  # bytes of a 32-bit number
OPTIMIZER_NUMBERS = 2  # that Adam and Adadelta keep for each weight


@dataclass(frozen=True)
class Pass:
    """One photo through one network.

    Attributes:
        operations: of its convolutions and fully connected layers, forward; two a multiplication with its addition.
        kept: numbers that autograd keeps for the backward pass, weights left out.
        parameters: of the network.
    """

    operations: float
    kept: int
    parameters: int


@dataclass(frozen=True)
class Cost:
    """A whole run.

    Attributes:
        operations: by phase, 1 to 3, of all its iterations.
        weights_bytes: weights, gradients, the optimizers' numbers and the averaged copy.
        photo_bytes: what autograd keeps for each photo of a batch in the joint phase, the largest.
    """

    operations: dict[int, float]
    weights_bytes: int
    photo_bytes: float

    def memory(self, photos: int) -> float:
        """Bytes for the training of a batch of so many photos at once."""
        return self.weights_bytes + photos * self.photo_bytes


def one_pass(network: nn.Module, *inputs: Tensor) -> Pass:
    """Count a pass of these photos; network and inputs are on the meta device."""
    kept: dict[int, Tensor] = {}  # by storage: what two operations keep is kept once
    own = {p.untyped_storage()._cdata for p in [*network.parameters(), *network.buffers()]}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()._cdata
        if storage not in own:
            kept[storage] = tensor
        return tensor

    counter = FlopCounterMode(display=False)
    with counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(*inputs)
    return Pass(counter.get_total_flops(), sum(tensor.numel() for tensor in kept.values()), count_parameters(network))


@functools.cache
def passes(settings: Settings) -> tuple[Pass, Pass]:
    """One photo through the completion network and through the discriminators."""
    s = settings
    with torch.device("meta"):
        network = CompletionNetwork(s.width, dilated=s.dilated, mask_channel=s.mask_channel)
        width = s.discriminator_width or s.width
        discriminator = ContextDiscriminator(s.judged_size, s.local_size, width, s.use_global, s.use_local)
        # Two photos, halved below: batch normalisation needs more than one value a channel.
        photo, mask = torch.zeros(2, 3, s.crop_size, s.crop_size), torch.zeros(2, 1, s.crop_size, s.crop_size)
        seen, patch = (torch.zeros(2, 3, side, side) for side in (s.judged_size, s.local_size))
        counts = one_pass(network, photo, mask), one_pass(discriminator, seen, patch)
    return tuple(Pass(x.operations / 2, x.kept // 2, x.parameters) for x in counts)


def cost(settings: Settings, mixed: bool = True) -> Cost:
    """What a run with these settings costs.

    A backward pass multiplies twice as much as the forward pass: once for the gradient of the weights, once for that of
    the input. Phase 2: the completion network forward, and the discriminators forward and back on a real and on a
    completed photo. Phase 3: that, the completion network backward, and the discriminators once more forward and back
    on both photos, for the gradient of the photos alone.

    Args:
        mixed: with mixed precision half of the kept bytes are saved.
    """
    s = settings
    network, discriminator = passes(s)
    by_phase = {
        1: s.phase_1 * 3 * network.operations,
        2: s.phase_2 * (network.operations + 2 * 3 * discriminator.operations),
        3: s.phase_3 * (3 * network.operations + 2 * 3 * discriminator.operations + 2 * 2 * discriminator.operations),
    }
    numbers = (2 + OPTIMIZER_NUMBERS) * (network.parameters + discriminator.parameters)
    numbers += network.parameters if s.averaging else 0
    # In the joint phase the network's pass waits while the discriminators see a real and a completed photo.
    kept = network.kept + 2 * discriminator.kept
    return Cost(
        operations={phase: s.batch_size * done for phase, done in by_phase.items()},
        weights_bytes=NUMBER * numbers,
        photo_bytes=kept * NUMBER / (2 if mixed else 1),
    )
