"""Training samples: a crop of a photo, a hole in it, and the two patches that the local discriminator compares."""

import os

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from glcic_lite.method.masks import Box, free_form_strokes, hole_box, local_patch, random_box
from glcic_lite.training.crops import PhotoCrops
from glcic_lite.training.settings import Settings


def random_hole(random: np.random.Generator, settings: Settings, phase: int = 1) -> np.ndarray:
    """A random hole for one crop: a box or, for a share of the samples, brush strokes. Bool (crop_size, crop_size).

    In phase 1 it may be several boxes, as many as `settings.holes`: no discriminator looks at them yet, and every hole
    pixel teaches the network something.
    """
    size = (settings.crop_size, settings.crop_size)
    if random.random() < settings.stroke_share:
        length = int(random.integers(settings.crop_size // 4, settings.crop_size))
        return free_form_strokes(random, size, settings.stroke_width, length, int(random.integers(1, 4)))
    number = int(random.integers(1, settings.holes, endpoint=True)) if phase == 1 and settings.holes > 1 else 1
    mask = np.zeros(size, dtype=bool)
    for _ in range(number):
        mask[random_box(random, size, settings.hole_sides).slices] = True
    return mask


def lower_contrast(random: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """A photo (3, H, W) blended with a random colour, its contrast divided by up to twenty.

    In a busy photo a wrong tint hardly adds to the squared error, and areas of black or white are rare. Without faint
    crops of every brightness, ours painted a bright patch into a hole in a dark hillside. The colour is a grey
    with a slight tint; one in six is nearly black, one in six nearly white.
    """
    grey = random.uniform(-0.25, 1.25)
    colour = np.clip(grey + random.normal(0.0, 0.1, size=(3, 1, 1)), 0.0, 1.0).astype(np.float32)
    return colour + np.float32(np.exp(random.uniform(np.log(0.05), 0.0))) * (photo - colour)


class TrainingSamples(Dataset):
    """Sample n of a run, the same in every run with these settings: every sample has a hole of its own.

    Each sample is a dictionary of tensors:
        photo: (3, S, S) in [0, 1].
        mask: (1, S, S), 1 in the hole.
        fake_patch: (2,) top and left corner of the local patch, centred on the hole.
        real_patch: (2,) corner of a random patch of the same size, the local discriminator's real example.

    `samples[range(first, last)]` is a batch of them: the same with a first axis for the samples, and photos in memory
    with the channels last. Arguments and errors are those of `PhotoCrops`.
    """

    def __init__(self, folder: str | os.PathLike, settings: Settings, cache_bytes: int | None = None):
        s = settings
        self.crops = PhotoCrops(
            folder, s.crop_size, s.short_edge, s.seed, s.least_contrast, cache_bytes, s.scales_per_octave
        )
        self.settings = settings

    def __getitem__(self, index: int | range) -> dict[str, Tensor]:
        if isinstance(index, range):
            return self._batch(index)
        return {name: values[0] for name, values in self._batch(range(index, index + 1)).items()}

    def _batch(self, numbers: range) -> dict[str, Tensor]:
        count, size, patch = len(numbers), self.settings.crop_size, self.settings.local_size
        pixels = np.empty((count, size, size, 3), dtype=np.uint8)
        masks = np.empty((count, size, size), dtype=bool)
        fake_patches, real_patches = np.empty((2, count, 2), dtype=np.int64)
        faint: dict[int, np.ndarray] = {}
        for n, index in enumerate(numbers):
            random = self.crops.generator(index)
            pixels[n] = self.crops.pixels(random)
            if random.random() < self.settings.shuffled_colours:
                pixels[n] = _permuted(pixels[n], random.permutation(3))
            if self.settings.lowered_contrast and random.random() < self.settings.lowered_contrast:
                faint[n] = lower_contrast(random, (pixels[n] / np.float32(255)).transpose(2, 0, 1))
            masks[n] = random_hole(random, self.settings, self.settings.phase(index // self.settings.batch_size))
            fake: Box = local_patch(hole_box(masks[n]), patch, (size, size))
            fake_patches[n] = fake.top, fake.left
            real_patches[n] = random.integers(0, size - patch, size=2, endpoint=True)
        photo = torch.from_numpy(pixels).float().div_(255).permute(0, 3, 1, 2)
        for n, changed in faint.items():
            photo[n] = torch.from_numpy(changed)
        return {
            "photo": photo,
            "mask": torch.from_numpy(masks)[:, None].float(),
            "fake_patch": torch.from_numpy(fake_patches),
            "real_patch": torch.from_numpy(real_patches),
        }


def _permuted(pixels: np.ndarray, order: np.ndarray) -> np.ndarray:
    """A photo (H, W, 3) uint8 with its channels in another order."""
    result = np.empty_like(pixels)
    cv2.mixChannels([pixels], [result], [int(x) for pair in enumerate(order) for x in pair[::-1]])
    return result


def cut_patches(photos: Tensor, corners: Tensor, size: int) -> Tensor:
    """Cut one square out of each photo: (N, 3, H, W) and corners (N, 2), top and left, to (N, 3, size, size).

    All at once: for a GPU, starting a cut for each square would take longer than the cutting.
    """
    rows, columns = (corners[:, :, None] + torch.arange(size, device=corners.device)).unbind(1)  # (N, size) each
    which = torch.arange(len(photos), device=corners.device)
    return photos[which[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
