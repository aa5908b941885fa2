"""Fixed crops of photos never trained on, completed again and again: a number and a picture of how a run is doing."""

import os

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from glcic_lite.method.masks import box_mask, free_form_strokes, random_box
from glcic_lite.method.networks import CompletionNetwork, composite
from glcic_lite.training.crops import PhotoCrops
from glcic_lite.training.settings import Settings

CROPS = 32  # of each kind of hole


def hole_psnr(output: Tensor, photo: Tensor, mask: Tensor) -> Tensor:
    """Peak signal to noise ratio inside each hole, in decibels: (N,). Shapes as in `reconstruction_loss`."""
    error = ((output - photo) * mask).square().sum(dim=(1, 2, 3)) / (3 * mask.sum(dim=(1, 2, 3)))
    return -10 * torch.log10(error.clamp_min(1e-10))


class Validation:
    """Fixed crops with fixed holes: boxes of three sizes in the middle of the range trained on, and strokes.

    Args:
        folder: photos never trained on.
        settings: the run's; crops and holes are of its sizes.
    """

    def __init__(self, folder: str | os.PathLike, settings: Settings):
        crops = PhotoCrops(folder, settings.crop_size, settings.short_edge, seed=20170720)
        size = settings.crop_size
        low, high = settings.hole_sides
        self.photos = torch.from_numpy(np.stack([crops[i] for i in range(CROPS)]))
        self.masks: dict[str, Tensor] = {}
        for side in sorted({low, (low + high) // 2, high}):
            holes = []
            for i in range(CROPS):
                box = random_box(np.random.default_rng((side, i)), (size, size), (side, side))
                holes.append(box_mask((size, size), box))
            self.masks[f"box_{side}"] = _stacked(holes)
        if settings.stroke_share:
            width = sum(settings.stroke_width) // 2
            self.masks["strokes"] = _stacked(
                [
                    free_form_strokes(np.random.default_rng((width, i)), (size, size), (width, width), size // 2)
                    for i in range(CROPS)
                ]
            )

    @torch.inference_mode()
    def measure(self, network: CompletionNetwork, device: torch.device, batch_size: int = 16) -> dict[str, float]:
        """Mean hole PSNR in decibels for each kind of hole, and over all of them as "psnr"."""
        network.eval()
        results = {}
        for kind, masks in self.masks.items():
            values = []
            for start in range(0, CROPS, batch_size):
                photo = self.photos[start : start + batch_size].to(device)
                mask = masks[start : start + batch_size].to(device)
                values.append(hole_psnr(network(photo, mask).float(), photo, mask).cpu())
            results[kind] = round(torch.cat(values).mean().item(), 4)
        return {"psnr": round(float(np.mean(list(results.values()))), 4), **results}

    @torch.inference_mode()
    def sheet(self, network: CompletionNetwork, device: torch.device, crops: int = 8, scale: int = 1) -> Image.Image:
        """A picture: a column a crop; two rows a kind of hole, the hole above and its completion below."""
        network.eval()
        size = self.photos.shape[-1]
        rows = [self.photos[:crops]]
        for masks in self.masks.values():
            photo, mask = self.photos[:crops].to(device), masks[:crops].to(device)
            output = network(photo, mask).float()
            rows.append(torch.where(mask > 0.5, network.mean_colour, photo).cpu())
            rows.append(composite(photo, output, mask).cpu())
        grid = torch.stack(rows).permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2)  # (rows * H, crops * W, 3)
        sheet = Image.fromarray((grid.clamp(0, 1) * 255).round().to(torch.uint8).numpy())
        draw = ImageDraw.Draw(sheet)
        for i, kind in enumerate(self.masks):
            corner = (4, (2 * i + 1) * size + 4)
            draw.text(corner, kind.replace("_", " "), fill="white", stroke_width=2, stroke_fill="black")
        return sheet.resize((sheet.width * scale, sheet.height * scale), Image.Resampling.NEAREST)


def _stacked(masks: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(masks)[:, None].astype(np.float32))
