"""What the layers of a completion network compute on the way, and how far into a hole the known pixels are felt."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from glcic_lite.method.architecture import COMPLETION_NETWORK
from glcic_lite.method.masks import Box
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.receptive_field import field_layer_by_layer, input_span


@torch.inference_mode()
def feature_maps(network: CompletionNetwork, photo: Tensor, mask: Tensor) -> list[Tensor]:
    """The input and the output of every layer: 18 tensors (N, channels, height, width).

    Args:
        network: its mode and number format are left as they are.
        photo: (N, 3, H, W) in [0, 1].
        mask: (N, 1, H, W), 1 in the hole.
    """
    values = network.prepare(photo, mask)
    found = [values]
    for block in network.layers:
        values = block(values)
        found.append(values)
    return found


def layer_names() -> list[str]:
    """Short names of the 17 layers: "7 dilated conv ×2"."""
    return [
        f"{row.number} {row.kind}" + (f" ×{row.dilation}" if row.dilation > 1 else "") for row in COMPLETION_NETWORK
    ]


def strongest_channel(features: Tensor) -> int:
    """The channel of (channels, H, W) that varies most over the picture."""
    return int(features.float().flatten(1).std(1).argmax())


def as_grey(channel: Tensor) -> np.ndarray:
    """One channel (H, W) as a picture in [0, 1]: black is its smallest value, white is reached by one pixel in 200."""
    values = channel.float().cpu().numpy()
    low, high = values.min(), np.quantile(values, 0.995)
    return np.clip((values - low) / max(high - low, 1e-12), 0, 1)


def depth_below(mask: np.ndarray) -> np.ndarray:
    """The distance of each hole pixel to the nearest known one, in pixels, 1 at the rim and 0 outside: (H, W).

    Diagonal steps count as one, as for a square receptive field. What lies outside the photo does not count as known.
    """
    return ndimage.distance_transform_cdt(mask, metric="chessboard")


def predicted_arrival(hole: Box) -> list[int]:
    """By the arithmetic of lesson 01: after each of the 17 layers, the depth in pixels that the known pixels reach.

    Positions of a reduced layer are counted where they lie in the photo, as in `depth_by_layer`.
    """
    found = []
    for number in range(1, len(COMPLETION_NETWORK) + 1):
        layers = COMPLETION_NETWORK[:number]
        jump = int(field_layer_by_layer(layers)[-1].jump)
        depths, seen = [], []  # along each axis: the distance to the rim, and whether something known is in the field
        for start, stop in ((hole.top, hole.bottom), (hole.left, hole.right)):
            places = range(-(-start // jump) * jump, stop, jump)
            spans = [input_span(place // jump, place // jump + 1, layers) for place in places]
            depths.append([min(place - start, stop - 1 - place) + 1 for place in places])
            seen.append([first < start or end > stop for first, end in spans])
        reached = np.minimum.outer(*depths)[np.logical_or.outer(*seen)]
        found.append(int(reached.max(initial=0)))
    return found


def depth_by_layer(changes: list[Tensor], mask: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """How strongly the known pixels are felt, by layer and by distance to the rim of the hole.

    Args:
        changes: by layer, how much each position changes with the known part of the photo, (height, width), as the
            lesson measures it.
        mask: (H, W) bool, the hole.

    Returns:
        (shares, reached): the mean change at each depth relative to the mean outside the hole, (17, depths); and for
        each layer the greatest depth where anything changed at all.
    """
    depth = depth_below(mask)
    depths = np.arange(1, depth.max() + 1)
    shares, reached = np.zeros((len(changes), len(depths))), []
    for row, change in enumerate(changes):
        values = change.cpu().numpy()
        jump = mask.shape[0] // values.shape[0]
        places = depth[::jump, ::jump]
        outside = values[places == 0].mean()
        deepest = int(places[(values > 0) & (places > 0)].max(initial=0))
        band = -(-places // jump)  # 1 for the positions next to the rim, 2 for those behind them, and so on
        means = np.array([values[band == n].mean() for n in range(1, band.max() + 1)]) / outside
        shares[row] = np.where(depths <= deepest, means[(-(-depths // jump)).clip(max=len(means)) - 1], 0)
        reached.append(deepest)
    return shares, reached
