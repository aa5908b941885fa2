"""What each layer of a network costs: parameters and multiplications, counted by torch; and memory."""

import copy
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from glcic_lite.method.architecture import COMPLETION_NETWORK, Layer
from glcic_lite.method.networks import count_parameters


@dataclass(frozen=True)
class LayerCost:
    """One row of a layer table, in a network of some width, for a photo of some size.

    Attributes:
        layer: the table row.
        channels: of the output, in this network.
        height, width: of the output, in pixels.
        parameters: weights, biases, and scale and shift of the normalisation.
        multiplications: of the convolution, for one photo.
    """

    layer: Layer
    channels: int
    height: int
    width: int
    parameters: int
    multiplications: int


def layer_costs(
    blocks: Sequence[nn.Module], size: tuple[int, int], table: Sequence[Layer] = COMPLETION_NETWORK
) -> list[LayerCost]:
    """The cost of each block of a network, counted by torch on its meta device: nothing is computed.

    Args:
        blocks: one for each row, each with its `convolution`, such as `CompletionNetwork(...).layers`.
        size: (height, width) of the photo, multiples of 4.
        table: the rows.
    """
    values, costs = torch.empty(1, blocks[0].convolution.in_channels, *size, device="meta"), []
    for layer, block in zip(table, blocks, strict=True):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            values = copy.deepcopy(block).to("meta")(values)
        multiplications = counter.get_total_flops() // 2  # torch counts each multiplication and its addition as two
        costs.append(LayerCost(layer, *values.shape[1:], count_parameters(block), multiplications))
    return costs


def cost_lines(costs: Sequence[LayerCost]) -> Iterator[str]:
    """The costs as lines of text, one for each layer, with a heading and a sum."""
    yield " #  kind          kernel  dilation  stride      output  (C × H × W)   parameters   multiplications"
    for cost in costs:
        layer = cost.layer
        shape = f"{cost.channels:4} × {cost.height:4} × {cost.width:4}"
        yield (
            f"{layer.number:2}  {layer.kind:13} {layer.kernel} × {layer.kernel} {layer.dilation:8} "
            f"{layer.stride!s:>8} {shape:>24} {cost.parameters:12,} {cost.multiplications:17,}"
        )
    parameters, multiplications = sum(c.parameters for c in costs), sum(c.multiplications for c in costs)
    yield f"{'together':67} {parameters:12,} {multiplications:17,}"


def without_strides(table: Sequence[Layer] = COMPLETION_NETWORK) -> tuple[Layer, ...]:
    """The same layers at full size all the way: stride 1 everywhere, deconvolutions as 3 × 3 convolutions."""
    return tuple(
        replace(layer, kind="conv", kernel=3, stride=1) if layer.upsamples else replace(layer, stride=1)
        for layer in table
    )


class TensorMemory(TorchDispatchMode):
    """Counts the bytes of all tensors created while it is active, and how many exist at the same time.

        with TensorMemory() as memory:
            network(photo)
        print(memory.peak)

    The count is the same on every machine. The scratch memory of an operation is not included.

    Attributes:
        live: bytes of those tensors that still exist.
        peak: the largest value that `live` has had.
    """

    def __init__(self):
        super().__init__()
        self.live = self.peak = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        old = {id(storage) for storage in _storages((args, kwargs))}  # a view or an in-place result is not new
        result = operation(*args, **(kwargs or {}))
        for storage in {id(s): s for s in _storages(result)}.values():
            if id(storage) not in old:
                size = storage.nbytes()
                self.live += size
                self.peak = max(self.peak, self.live)
                weakref.finalize(storage, self._freed, size)
        return result

    def _freed(self, size: int) -> None:
        self.live -= size


def _storages(values) -> list:
    return [value.untyped_storage() for value in tree_leaves(values) if isinstance(value, torch.Tensor)]
