"""The completion network and the discriminators, built from the tables in `architecture.py` at any width."""

import hashlib
import math
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glcic_lite.files import SHIPPED_WEIGHTS
from glcic_lite.method.architecture import (
    COMPLETION_INPUT_CHANNELS,
    COMPLETION_NETWORK,
    DISCRIMINATOR_FEATURES,
    GLOBAL_DISCRIMINATOR,
    GLOBAL_DISCRIMINATOR_SIZE,
    LOCAL_DISCRIMINATOR,
    LOCAL_DISCRIMINATOR_SIZE,
    Layer,
    size_divisor,
    without_dilation,
)
from glcic_lite.method.pretrained import Pretrained

MID_GREY = (0.5, 0.5, 0.5)
LARGEST_HOLE = 128  # pixels; the paper trains on holes of 96 to 128


def _initialise(module: nn.Module) -> None:
    """Kaiming initialisation for layers followed by ReLU, so that signals neither vanish nor explode in 17 layers."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            # Weights are (out, in, ...) for a convolution, (in, out, ...) for its transpose: what reaches one output
            # is fan_in in the first case and, a stride of 2 letting only a quarter of the taps through, fan_out / 4
            # in the second. Batch normalisation corrects the rest.
            transposed = isinstance(part, nn.ConvTranspose2d)
            nn.init.kaiming_normal_(part.weight, mode="fan_out" if transposed else "fan_in", nonlinearity="relu")
            part.bias.data.zero_()


class ConvolutionBlock(nn.Sequential):
    """One row of a table: a (transposed) convolution, batch normalisation, ReLU; in that order, as the authors have it.

    With `norm_after_activation` ReLU comes before batch normalisation, as other programs have it.
    Maps (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride).
    """

    def __init__(self, layer: Layer, in_channels: int, out_channels: int, norm_after_activation: bool = False):
        convolution: nn.Module
        if layer.upsamples:
            convolution = nn.ConvTranspose2d(
                in_channels, out_channels, layer.kernel, stride=int(1 / layer.stride), padding=layer.padding
            )
        else:
            convolution = nn.Conv2d(
                in_channels,
                out_channels,
                layer.kernel,
                stride=int(layer.stride),
                padding=layer.padding,
                dilation=layer.dilation,
            )
        parts = OrderedDict[str, nn.Module](convolution=convolution)
        if layer.kind == "output":
            parts["sigmoid"] = nn.Sigmoid()
        else:
            parts["norm"] = nn.BatchNorm2d(out_channels)
            parts["relu"] = nn.ReLU(inplace=True)
            if norm_after_activation:
                parts.move_to_end("norm")
        super().__init__(parts)


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))


def _stack(
    layers: tuple[Layer, ...], in_channels: int, width: float, norm_after_activation: bool = False
) -> nn.Sequential:
    """The layers of a table, named after its rows. `width` scales every channel count but that of the output layer."""
    blocks = OrderedDict[str, nn.Module]()
    for layer in layers:
        out_channels = layer.channels if layer.kind == "output" else _scaled(layer.channels, width)
        blocks[layer.name] = ConvolutionBlock(layer, in_channels, out_channels, norm_after_activation)
        in_channels = out_channels
    return nn.Sequential(blocks)


class CompletionNetwork(nn.Module, Pretrained):
    """The completion network C of the paper (section 3.2, Table 1): photo and mask in, a whole photo out.

    Args:
        width: scales the channels of every layer; 1 is the paper's network with 6,072,131 parameters.
        mean_colour: red, green and blue in [0, 1] that fill the hole: the mean of the training photos.
        dilated: False replaces every dilation by 1, for the comparison in lessons 01 and 09.
        mask_channel: False feeds zeros in place of the mask, for the comparison in lessons 04 and 09.
        norm_after_activation: True normalises after ReLU, not before it. The paper's network does not; published
            weights of other programs may need it (see `importing`).
        subtract_mean: False leaves the photo as it is, its hole filled with the mean colour; the same reason. It is
            not the same function with other biases: the zero padding around the photo is then black, not mean.
        largest_hole: how thick the holes were that these weights were trained on, in pixels: `complete` reduces the
            photo where they are thicker. 128 in the paper (section 3.3), and for weights that do not say.

    The state dict names follow the table: `layers.07_dilated_conv.convolution.weight` belongs to row 7.
    """

    SHIPPED = SHIPPED_WEIGHTS
    mean_colour: Tensor  # (3, 1, 1)

    def __init__(
        self,
        width: float = 1.0,
        mean_colour: tuple[float, float, float] = MID_GREY,
        dilated: bool = True,
        mask_channel: bool = True,
        norm_after_activation: bool = False,
        subtract_mean: bool = True,
        largest_hole: float = LARGEST_HOLE,
    ):
        super().__init__()
        if not width > 0:
            raise ValueError(f"width must be positive, not {width}")
        if not 1 <= largest_hole < math.inf:
            raise ValueError(f"largest_hole must be at least 1 pixel, not {largest_hole}")
        table = COMPLETION_NETWORK if dilated else without_dilation()
        self.dilated, self.mask_channel = dilated, mask_channel
        self.norm_after_activation, self.subtract_mean = norm_after_activation, subtract_mean
        self.largest_hole = largest_hole
        self.layers = _stack(table, COMPLETION_INPUT_CHANNELS, width, norm_after_activation)
        self.register_buffer("mean_colour", torch.tensor(mean_colour, dtype=torch.float32).view(3, 1, 1))
        _initialise(self.layers)

    def prepare(self, photo: Tensor, mask: Tensor) -> Tensor:
        """The network's four input channels.

        The hole is filled with the mean colour and the mean colour is then subtracted from the whole photo, so that
        the hole holds zeros, and so does the zero padding around the photo (unless `subtract_mean` is False). The truth
        inside the hole is never read.

        Args:
            photo: (N, 3, H, W), red, green, blue in [0, 1].
            mask: (N, 1, H, W), 1 in the hole and 0 where the photo is known.

        Returns:
            (N, 4, H, W).
        """
        if self.subtract_mean:
            known = torch.where(mask > 0.5, 0.0, photo - self.mean_colour)
        else:
            known = torch.where(mask > 0.5, self.mean_colour, photo)
        return torch.cat([known, mask if self.mask_channel else torch.zeros_like(mask)], dim=1)

    def forward(self, photo: Tensor, mask: Tensor) -> Tensor:
        """Paint a whole photo; only what lies in the hole is meant to be used (see `composite`).

        Args:
            photo: (N, 3, H, W), red, green, blue in [0, 1]; H and W multiples of 4.
            mask: (N, 1, H, W), 1 in the hole and 0 where the photo is known.

        Returns:
            (N, 3, H, W) in [0, 1].

        Raises:
            ValueError: for other shapes. `glcic_lite.complete` takes photos of any size.
        """
        if photo.ndim != 4 or photo.shape[1] != 3 or mask.shape != (photo.shape[0], 1, *photo.shape[2:]):
            raise ValueError(
                "expected a photo (N, 3, H, W) and a mask (N, 1, H, W), "
                f"not {tuple(photo.shape)} and {tuple(mask.shape)}"
            )
        divisor = size_divisor()
        if photo.shape[2] % divisor or photo.shape[3] % divisor:
            raise ValueError(
                f"height and width must be multiples of {divisor}, not {photo.shape[2]} x {photo.shape[3]}: "
                "the network halves them twice and doubles them twice; glcic_lite.complete pads for you"
            )
        return self.layers(self.prepare(photo, mask))

    def save_pretrained(self, save_directory: str | Path, *args: Any, **options: Any) -> Any:
        """Write config.json, with the weights' `fingerprint`, and model.safetensors to a folder."""
        config: Any = options.pop("config", None) or self._hub_mixin_config
        return super().save_pretrained(
            save_directory, *args, config={**config, "fingerprint": fingerprint(self)}, **options
        )


def composite(photo: Tensor, output: Tensor, mask: Tensor) -> Tensor:
    """The completed photo: the network's output inside the hole, the photo outside (step 6 of the program).

    Args:
        photo, output: (N, 3, H, W).
        mask: (N, 1, H, W), 1 in the hole.
    """
    return torch.where(mask > 0.5, output, photo)


class _Discriminator(nn.Module):
    """A stack of strided convolutions and one fully connected layer: (N, 3, size, size) to (N, features)."""

    def __init__(self, table: tuple[Layer, ...], size: int, width: float):
        super().__init__()
        shrink = size_divisor(table)
        if size % shrink:
            raise ValueError(f"this discriminator's input size must be a multiple of {shrink}, not {size}")
        self.size = size
        self.features = _scaled(DISCRIMINATOR_FEATURES, width)
        self.layers = _stack(table, 3, width)
        self.fully_connected = nn.Linear(_scaled(table[-1].channels, width) * (size // shrink) ** 2, self.features)
        _initialise(self)

    def forward(self, photo: Tensor) -> Tensor:
        if photo.shape[1:] != (3, self.size, self.size):
            raise ValueError(f"expected (N, 3, {self.size}, {self.size}), not {tuple(photo.shape)}")
        return torch.relu(self.fully_connected(self.layers(photo).flatten(1)))


class LocalDiscriminator(_Discriminator):
    """Judges a patch centred on the hole (Table 2b): (N, 3, 128, 128) to (N, 1024) at the paper's size and width."""

    def __init__(self, size: int = LOCAL_DISCRIMINATOR_SIZE, width: float = 1.0):
        super().__init__(LOCAL_DISCRIMINATOR, size, width)


class GlobalDiscriminator(_Discriminator):
    """Judges the whole photo (Table 2a): (N, 3, 256, 256) to (N, 1024) at the paper's size and width."""

    def __init__(self, size: int = GLOBAL_DISCRIMINATOR_SIZE, width: float = 1.0):
        super().__init__(GLOBAL_DISCRIMINATOR, size, width)


class ContextDiscriminator(nn.Module, Pretrained):
    """Both discriminators and the layer that joins them (section 3.3, Table 2c): is this photo real?

    Args:
        global_size, local_size: sides of what each of the two sees, in pixels: the whole training photo, 256, and the
            patch around the hole, 128, in the paper.
        width: scales every channel; at 1 both together have 45,063,681 parameters.
        use_global, use_local: False leaves one discriminator out, for the comparison in lessons 05 and 09.
    """

    SHIPPED = SHIPPED_WEIGHTS / "discriminators"

    def __init__(
        self,
        global_size: int = GLOBAL_DISCRIMINATOR_SIZE,
        local_size: int = LOCAL_DISCRIMINATOR_SIZE,
        width: float = 1.0,
        use_global: bool = True,
        use_local: bool = True,
    ):
        super().__init__()
        if not (use_global or use_local):
            raise ValueError("use_global and use_local cannot both be False")
        self.global_discriminator = GlobalDiscriminator(global_size, width) if use_global else None
        self.local_discriminator = LocalDiscriminator(local_size, width) if use_local else None
        used = [x for x in (self.global_discriminator, self.local_discriminator) if x is not None]
        self.concatenation = nn.Linear(sum(x.features for x in used), 1)
        nn.init.normal_(self.concatenation.weight, std=0.01)
        nn.init.zeros_(self.concatenation.bias)

    def forward(self, photo: Tensor, patch: Tensor) -> Tensor:
        """Logits (N,), before the sigmoid: positive where the photo is judged real.

        The sigmoid is left to the loss, where torch computes it with the logarithm in one exact step.

        Args:
            photo: (N, 3, global_size, global_size) in [0, 1].
            patch: (N, 3, local_size, local_size) in [0, 1], cut around the hole.
        """
        features = []
        if self.global_discriminator is not None:
            features.append(self.global_discriminator(photo))
        if self.local_discriminator is not None:
            features.append(self.local_discriminator(patch))
        return self.concatenation(torch.cat(features, dim=1)).squeeze(1)

    def probability(self, photo: Tensor, patch: Tensor) -> Tensor:
        """The probability (N,), in [0, 1], that each photo is real."""
        return torch.sigmoid(self(photo, patch))


def count_parameters(module: nn.Module) -> int:
    """How many parameters training adjusts."""
    return sum(parameter.numel() for parameter in module.parameters())


def differing_options(network: nn.Module, other: nn.Module) -> list[str]:
    """The options in which two networks differ, as `network` has them: "dilated = False", ...

    The shapes of the weights do not show them. Discriminators have no such options.
    """
    names = ("dilated", "mask_channel", "norm_after_activation", "subtract_mean")
    differing = [name for name in names if getattr(network, name, None) != getattr(other, name, None)]
    return [f"{name} = {getattr(network, name)}" for name in differing]


def fingerprint(network: CompletionNetwork) -> str:
    """What these weights are, whatever object or folder holds them: 16 hexadecimal digits of a hash (SHA-256).

    It depends on every number, on their names and shapes, and on the options that they do not show.
    """
    digest = hashlib.sha256()
    for name in ("dilated", "mask_channel", "norm_after_activation", "subtract_mean", "largest_hole"):
        digest.update(f"{name} {float(getattr(network, name))}\n".encode())
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)}\n".encode() + value.float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
