"""LPIPS, the learned perceptual distance of Zhang and others (CVPR 2018): an option, never part of the default table.

It compares what a network trained on a million labelled photos, AlexNet, makes of two pictures. The course does not
ship its two files of weights, and nothing here downloads them. Whoever has them gives `evaluate --lpips` their folder.
"""

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from glcic_lite.evaluation.metrics import Measure
from glcic_lite.method.pretrained import WeightsError

ALEXNET, LINEAR = "alexnet-owt-7be5be79.pth", "alex.pth"  # torchvision's, and the LPIPS authors' (version 0.1)
TAPS = (1, 4, 7, 9, 11)  # the layers of AlexNet, each a ReLU, whose outputs are compared
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of red, green and blue, from -1 to 1


def hole_lpips(folder: str | os.PathLike) -> Measure:
    """The metric, from a folder with the files `ALEXNET` and `LINEAR`.

    Returns:
        A measure of (photo, filled, mask) like those of `METRICS`: the mean over the pixels of the hole; 0 for equal,
        mostly below 1, and less is better. It looks at the whole photo, so its size and the hole's surroundings count.

    Raises:
        WeightsError: a file is missing, or is something else.
    """
    alexnet = _alexnet()
    weights = _read(Path(folder) / ALEXNET)
    linear = _read(Path(folder) / LINEAR)
    try:
        prefix = "features."
        alexnet.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
        # How much each channel counts: (1, channels, 1, 1) for each layer.
        importance = [linear[f"lin{number}.model.1.weight"] for number in range(len(TAPS))]
    except Exception as error:  # of whatever kind, the reason is in the files
        raise WeightsError(f"{folder}: {ALEXNET} and {LINEAR} are not the weights of LPIPS 0.1 with AlexNet") from error

    @torch.inference_mode()
    def lpips(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> float:
        pictures = torch.stack([torch.tensor(picture).permute(2, 0, 1) for picture in (photo, filled)]).float()
        x = (pictures / 127.5 - 1 - torch.tensor(SHIFT)[:, None, None]) / torch.tensor(SCALE)[:, None, None]
        distances = torch.zeros(mask.shape)
        for number, layer in enumerate(alexnet):
            x = layer(x)
            if number in TAPS:
                first, second = x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
                coarse = ((first - second).square() * importance[TAPS.index(number)]).sum(dim=1, keepdim=True)
                distances += interpolate(coarse, mask.shape, mode="bilinear")[0, 0]
        return float(distances[torch.tensor(mask)].mean())

    return lpips


def _alexnet() -> nn.Sequential:
    """AlexNet's convolutions (Krizhevsky, 2014), numbered as in torchvision."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
    )  # fmt: skip


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"{path}: LPIPS needs this file, and the course neither ships nor downloads it")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)  # never runs code
    except Exception as error:  # of whatever kind, the reason is in the file
        raise WeightsError(f"{path}: not a file of weights") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: not a file of weights")
    return content
