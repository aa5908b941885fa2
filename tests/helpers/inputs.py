"""Photos, masks and networks that many tests take as their inputs."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch import nn

from glcic_lite.method.masks import Box, box_mask
from glcic_lite.method.networks import CompletionNetwork

NARROW = 1 / 16  # width of the networks in tests: 4 to 16 channels a layer


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A photo of independent random pixels: (H, W, 3) uint8. No two pixels say the same."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A photo with structure at several scales: (H, W, 3) uint8."""
    random = np.random.default_rng(seed)
    layers = [
        ndimage.gaussian_filter(random.normal(size=(height, width, 3)), (sigma, sigma, 0), mode="wrap") * sigma
        for sigma in (1, 4, 12)
    ]
    values = sum(layers)
    return np.rint(255 * (values - values.min()) / np.ptp(values)).astype(np.uint8)


def hole(height: int, width: int, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A mask (H, W) whose hole is made of boxes (left, top, right, bottom)."""
    mask = np.zeros((height, width), dtype=bool)
    for box in boxes:
        mask |= box_mask((width, height), Box(*box))
    return mask


def narrow_network(seed: int = 0, width: float = NARROW, **options) -> CompletionNetwork:
    """A random network with random batch statistics, in evaluation mode: every part of it has a say."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = CompletionNetwork(width, **options)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1, generator=generator)
            part.running_var.uniform_(0.5, 1.5, generator=generator)
            part.bias.data.normal_(0.2, 0.1, generator=generator)
    return network.eval()


def folder_with(path: Path, **photos) -> Path:
    """Photos in a folder, from arrays or the bytes of files: a_png=... becomes a.png."""
    for name, content in photos.items():
        file = path / name.replace("_", ".")
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            Image.fromarray(content).save(file)
    return path
