"""Fixed crops of photos never trained on, completed again and again: a number and a picture of how a run is doing."""

import os

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from glcic_lite.evaluation.metrics import PSNR_LIMIT, hole_psnr
from glcic_lite.method.masks import box_mask, free_form_strokes, random_box
from glcic_lite.method.networks import CompletionNetwork, composite
from glcic_lite.training.blended_loss import blended
from glcic_lite.training.crops import PhotoCrops
from glcic_lite.training.settings import Settings

CROPS = 32  # of each kind of hole


class Validation:
    """Fixed crops with fixed holes: boxes of three sizes in the middle of the range trained on, and strokes.

    Args:
        folder: photos never trained on.
        settings: the run's; crops and holes have its sizes. With `through_blending` the completions are blended, and
            cut off at black and white, as those of `complete`; else they are what the network paints.

    Attributes:
        photos: (N, 3, S, S) in [0, 1].
        masks: for each kind of hole, such as "box_24" or "strokes", (N, 1, S, S), 1 in the hole.
    """

    def __init__(self, folder: str | os.PathLike, settings: Settings):
        crops = PhotoCrops(folder, settings.crop_size, settings.short_edge, seed=20170720)
        self.through_blending = settings.through_blending
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
                photo, mask = (x[start : start + batch_size] for x in (self.photos, masks))
                output = self._paint(network, photo.to(device), mask.to(device)).cpu()
                levels = (255 * x.permute(0, 2, 3, 1).numpy() for x in (photo, output))
                values += (min(x, PSNR_LIMIT) for x in map(hole_psnr, *levels, mask[:, 0].numpy() > 0.5))
            results[kind] = round(float(np.mean(values)), 4)
        return {"psnr": round(float(np.mean(list(results.values()))), 4), **results}

    @torch.inference_mode()
    def sheet(self, network: CompletionNetwork, device: torch.device, crops: int = 8, scale: int = 1) -> Image.Image:
        """A picture: a column for each crop, and two rows for each kind of hole: the hole, and its completion below."""
        network.eval()
        size = self.photos.shape[-1]
        rows = [self.photos[:crops]]
        for masks in self.masks.values():
            photo, mask = self.photos[:crops].to(device), masks[:crops].to(device)
            output = self._paint(network, photo, mask)
            rows.append(torch.where(mask > 0.5, network.mean_colour, photo).cpu())
            rows.append(composite(photo, output, mask).cpu())
        grid = torch.stack(rows).permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2)  # (rows * H, crops * W, 3)
        sheet = Image.fromarray((grid.clamp(0, 1) * 255).round().to(torch.uint8).numpy())
        draw = ImageDraw.Draw(sheet)
        for i, kind in enumerate(self.masks):
            corner = (4, (2 * i + 1) * size + 4)
            draw.text(corner, kind.replace("_", " "), fill="white", stroke_width=2, stroke_fill="black")
        return sheet.resize((sheet.width * scale, sheet.height * scale), Image.Resampling.NEAREST)

    def _paint(self, network: CompletionNetwork, photo: Tensor, mask: Tensor) -> Tensor:
        output = network(photo, mask).float()
        return blended(output, photo, mask).clamp(0, 1) if self.through_blending else output


def _stacked(masks: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(masks)[:, None].astype(np.float32))
