"""Training samples: a crop of a photo, a hole in it, and the two patches that the local discriminator compares."""

import os

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from glcic_lite.method.masks import free_form_strokes, hole_box, local_patch, random_box
from glcic_lite.training.blended_loss import rim_pixels
from glcic_lite.training.crops import PhotoCrops, Window
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


def lower_contrast(random: np.random.Generator) -> tuple[np.ndarray, np.float32]:
    """A random colour (3,) float32 to blend a photo with, and the share of its contrast that it keeps, 1/20 to 1.

    In a busy photo a wrong tint hardly adds to the squared error, and areas of black or white are rare. Without faint
    crops of every brightness, ours painted a bright patch into a hole in a dark hillside. The colour is a grey
    with a slight tint; one in six is nearly black, one in six nearly white.
    """
    grey = random.uniform(-0.25, 1.25)
    colour = np.clip(grey + random.normal(0.0, 0.1, size=3), 0.0, 1.0).astype(np.float32)
    return colour, np.float32(np.exp(random.uniform(np.log(0.05), 0.0)))


class TrainingSamples(Dataset):
    """Sample n of a run, the same in every run with these settings: every sample has a hole of its own.

    Each sample is a dictionary of tensors:
        photo: (3, S, S) in [0, 1].
        mask: (1, S, S), 1 in the hole.
        fake_patch: (2,) top and left corner of the local patch, centred on the hole.
        real_patch: (2,) corner of a random patch of the same size, the local discriminator's real example.
        judged: (2,) corner of what the global discriminator sees, centred on the hole; only if the settings have a
            `global_size`.

    `samples[range(first, last)]` is a batch of them: the same with a first axis for the samples, and photos in memory
    with the channels last. Arguments and errors are those of `PhotoCrops`.
    """

    def __init__(self, folder: str | os.PathLike, settings: Settings, cache_bytes: int | None = None):
        s = settings
        self.crops = PhotoCrops(
            folder, s.crop_size, s.short_edge, s.seed, s.least_contrast, cache_bytes, s.scales_per_octave
        )
        self.settings = settings
        self._in_one_block = False

    def __getitem__(self, index: int | range) -> dict[str, Tensor]:
        if isinstance(index, range):
            return self.finished(self.drawn(index))
        return {name: values[0] for name, values in self[range(index, index + 1)].items()}

    def photos_for(self, device: torch.device, room: int) -> Tensor | None:
        """All photos in a device's memory, for `finished` to cut crops from; None if they take more than `room` bytes.

        They are decoded now; processes that draw samples should be started after that. See `kept_in_one_block`.
        """
        block = self.crops.kept_in_one_block(room)
        self._in_one_block = block is not None
        return None if block is None else torch.from_numpy(block).to(device)

    def drawn(self, numbers: range) -> dict[str, Tensor]:
        """Everything random about a batch of samples, in few bytes, from which `finished` makes the batch.

        Instead of a crop's pixels it says where they lie, after `photos_for` has found room for the photos.
        """
        count, size, patch = len(numbers), self.settings.crop_size, self.settings.local_size
        around_the_hole = {"fake_patch": patch}  # sides of squares centred on it
        if self.settings.global_size:
            around_the_hole["judged"] = self.settings.global_size
        corners = {name: np.empty((count, 2), dtype=np.int64) for name in around_the_hole}
        pixels = np.empty((0 if self._in_one_block else count, size, size, 3), dtype=np.uint8)
        start, row = np.empty((2, count), dtype=np.int64)
        order = np.tile(np.arange(3), (count, 1))
        masks, mirrored = np.empty((count, 1, size, size), dtype=bool), np.empty(count, dtype=bool)
        real_patches = np.empty((count, 2), dtype=np.int64)
        colour, contrast = np.zeros((count, 3, 1, 1), dtype=np.float32), np.ones((count, 1, 1, 1), dtype=np.float32)
        for n, index in enumerate(numbers):
            random = self.crops.generator(index)
            window = self.crops.window(random)
            if random.random() < self.settings.shuffled_colours:
                order[n] = random.permutation(3)
            if self.settings.lowered_contrast and random.random() < self.settings.lowered_contrast:
                colour[n, :, 0, 0], contrast[n] = lower_contrast(random)
            masks[n] = random_hole(random, self.settings, self.settings.phase(index // self.settings.batch_size))
            hole = hole_box(masks[n, 0])
            for name, side in around_the_hole.items():
                square = local_patch(hole, side, (size, size))
                corners[name][n] = square.top, square.left
            real_patches[n] = random.integers(0, size - patch, size=2, endpoint=True)
            start[n], row[n], mirrored[n] = window.start, window.row, window.mirrored
            if not self._in_one_block:
                _copy(window, order[n], pixels[n])
        arrays = {"mask": masks, "real_patch": real_patches, **corners}
        if self._in_one_block:
            arrays |= {"start": start, "row": row, "mirrored": mirrored, "order": order}
        else:
            arrays |= {"pixels": pixels}
        if self.settings.lowered_contrast:
            arrays |= {"colour": colour, "contrast": contrast}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def finished(self, drawn: dict[str, Tensor], photos: Tensor | None = None) -> dict[str, Tensor]:
        """The batch that was drawn, made where the tensors are: all samples at once, and nothing waits for a GPU.

        Args:
            drawn: from `drawn`, on any device.
            photos: from `photos_for`, on the same device.
        """
        if photos is not None:
            pixels = _cut_windows(
                photos, *(drawn[x] for x in ("start", "row", "mirrored", "order")), self.settings.crop_size
            )
        else:
            pixels = drawn["pixels"]
        photo = pixels.float().div_(255).permute(0, 3, 1, 2)
        if "contrast" in drawn:
            colour, contrast = drawn["colour"], drawn["contrast"]
            photo = torch.where(contrast < 1, colour + contrast * (photo - colour), photo)
        rest = {name: drawn[name] for name in ("fake_patch", "real_patch", "judged", "rim") if name in drawn}
        return {"photo": photo, "mask": drawn["mask"].float(), **rest}


class DrawnSamples(Dataset):
    """What `TrainingSamples.drawn` draws, for processes that draw beside the training: it is a quarter of the bytes.

    Args:
        samples: to draw from.
        rims: whether to add "rim", the rims of the holes, for `blended`: then a GPU need not look for them.
    """

    def __init__(self, samples: TrainingSamples, rims: bool):
        self.samples, self.rims = samples, rims

    def __getitem__(self, numbers: range) -> dict[str, Tensor]:
        drawn = self.samples.drawn(numbers)
        return drawn | {"rim": rim_pixels(drawn["mask"])} if self.rims else drawn


def _copy(window: Window, order: np.ndarray, crop: np.ndarray) -> None:
    """Copy the pixels of a window into a crop (S, S, 3), mirrored and with the channels in another order."""
    pixels = cv2.flip(window.pixels, 1) if window.mirrored else window.pixels
    cv2.mixChannels([pixels], [crop], [int(x) for pair in enumerate(order) for x in pair[::-1]])


def _cut_windows(photos: Tensor, start: Tensor, row: Tensor, mirrored: Tensor, order: Tensor, size: int) -> Tensor:
    """The same for a batch of windows, out of a block of bytes: (N, size, size, 3) uint8.

    Args:
        photos: (bytes,) uint8.
        start, row: (N,) as in `Window`.
        mirrored: (N,) bool.
        order: (N, 3): which channel becomes the first, the second and the third.
    """
    across = torch.arange(size, device=photos.device)
    columns = torch.where(mirrored[:, None], size - 1 - across, across)  # (N, size)
    rows = start[:, None] + across * row[:, None]  # (N, size)
    return photos[rows[:, :, None, None] + 3 * columns[:, None, :, None] + order[:, None, None, :]]


def cut_patches(photos: Tensor, corners: Tensor, size: int) -> Tensor:
    """Cut one square out of each photo: (N, 3, H, W) and corners (N, 2), top and left, to (N, 3, size, size).

    All at once: for a GPU, starting a cut for each square would take longer than the cutting.
    """
    rows, columns = (corners[:, :, None] + torch.arange(size, device=corners.device)).unbind(1)  # (N, size) each
    which = torch.arange(len(photos), device=corners.device)
    return photos[which[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
