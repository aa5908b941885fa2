"""A folder of photos as training samples: random square crops, and the photos' mean colour."""

import os
import warnings
import zlib
from typing import NamedTuple

import cv2
import numpy as np
import psutil
from PIL import Image
from torch.utils.data import Dataset, get_worker_info

from glcic_lite.method.photos import PhotoError, list_photos, open_photo
from glcic_lite.training.choices import training_processes_here
from glcic_lite.training.pyramid import Pyramid, nearest_scale, scales

DRAFT_EDGE = 1024  # pixels that the short edge of a large photo keeps, at least, where it is decoded at reduced size
MEAN_PHOTOS = 1000
DECODED_BYTES = 1_000_000_000  # most that decoded photos take in the memory of one process


class Window(NamedTuple):
    """Where a crop is: a part of a photo, perhaps to be mirrored.

    Attributes:
        pixels: (crop_size, crop_size, 3) uint8, not yet mirrored; to be read only.
        mirrored: whether the crop is the mirror image of that.
        start: number of its first byte in the block of `PhotoCrops.kept_in_one_block`; -1: the photo is in none.
        row: bytes of the block from one row of the crop to the next.
    """

    pixels: np.ndarray
    mirrored: bool
    start: int
    row: int


class PhotoCrops(Dataset):
    """A folder of photos as an endless list of random square crops.

    Crop n is always the same crop: its random choices come from a generator seeded with (seed, n). A run that was
    stopped continues with exactly the crops it would have seen, with any number of worker processes.

    As in the paper (section 4), a photo is in effect resized so that its short edge has a random length, and a
    random square is cut out of that. Only the square is resized here, which is the same and far cheaper. With
    `scales_per_octave` the length is one of a few; each photo is resized once to each of them, and the square only cut.

    Args:
        folder: a folder of photos, of any size and format.
        crop_size: side of the crops, in pixels.
        short_edge: smallest and largest random length of the photo's short edge, in pixels; drawn evenly on a
            logarithmic scale. A photo is never enlarged, unless it is smaller than the crop.
        seed: decides all random choices.
        least_contrast: crops whose grey levels (0 to 255) have a smaller standard deviation teach nothing; another one
            is drawn, up to ten times.
        cache_bytes: decoded photos are kept in memory up to this much, over all workers; None: up to `DECODED_BYTES` in
            each of them, but in all no more than a quarter of the memory that is free. Crops do not depend on it.
        scales_per_octave: how many lengths of the short edge there are, from one to its half; 0: any length.

    A large JPEG is decoded at a half, a quarter or an eighth of its size, which is faster, as long as its short edge
    keeps `DRAFT_EDGE` pixels and twice the largest `short_edge`.

    Broken photos are skipped with a warning that names them.

    Raises:
        PhotoError: no such folder, no photos in it, or none that can be read.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        crop_size: int,
        short_edge: tuple[int, int],
        seed: int = 0,
        least_contrast: float = 8.0,
        cache_bytes: int | None = None,
        scales_per_octave: int = 0,
    ):
        if short_edge[0] < crop_size or short_edge[1] < short_edge[0]:
            raise ValueError(f"short_edge {short_edge} must rise and be at least the crop size, {crop_size}")
        # One block of bytes, which forked workers share: as paths, a million photos take 330 MB in each of them.
        self.paths = np.array([os.fsencode(path) for path in list_photos(folder)])
        # Their number, and a checksum of their names: other photos make other crops.
        names = b"\0".join(os.path.relpath(path, os.fsencode(folder)) for path in self.paths)
        self.identity = (len(self.paths), zlib.crc32(names))
        self.crop_size = crop_size
        self.short_edge = short_edge
        self.seed = seed
        self.least_contrast = least_contrast
        self.scales_per_octave = scales_per_octave
        self._cache: dict[int, Image.Image | Pyramid] = {}
        self._cache_bytes = cache_bytes
        self._cache_room: int | None = None  # bytes left of this process's own share; its first photo decides on it
        self._broken: set[int] = set()

    def generator(self, index: int) -> np.random.Generator:
        """The random generator of sample `index`."""
        return np.random.default_rng((self.seed, index))

    def __getitem__(self, index: int) -> np.ndarray:
        """Crop number `index`: (3, crop_size, crop_size), float32 in [0, 1]."""
        return self.crop(self.generator(index))

    def crop(self, random: np.random.Generator) -> np.ndarray:
        """A random crop: (3, crop_size, crop_size), float32 in [0, 1]."""
        return np.ascontiguousarray(self.pixels(random).transpose(2, 0, 1), dtype=np.float32) / 255

    def pixels(self, random: np.random.Generator) -> np.ndarray:
        """A random crop as it is in memory: (crop_size, crop_size, 3) uint8, to be read only."""
        window = self.window(random)
        return cv2.flip(window.pixels, 1) if window.mirrored else window.pixels

    def window(self, random: np.random.Generator) -> Window:
        """The same crop, and where it lies."""
        for _ in range(10):
            window = self._any_window(random)
            if _has_contrast(window.pixels, self.least_contrast):
                break
        return window._replace(mirrored=bool(random.random() < 0.5))

    def kept_in_one_block(self, room: int) -> np.ndarray | None:
        """Decode all photos now, and keep all their sizes in one block of bytes; windows then say where they lie in it.

        Args:
            room: bytes that the block may take.

        Returns:
            The block, (bytes,) uint8; None if, as far as the first photos tell, there is no room for all, and if crops
            are of any size. Crops are the same in either case.

        Raises:
            PhotoError: no photo can be read.
        """
        if not self.scales_per_octave:
            return None
        lengths, pyramids, used = scales(self.short_edge, self.scales_per_octave), {}, 0
        for number in range(len(self.paths)):
            try:
                pyramid = Pyramid(self._decoded(number), self.crop_size)
            except PhotoError as error:
                self._skip(number, error)
                continue
            used += pyramid.bytes_of(lengths)
            if used * len(self.paths) > room * (number + 1):
                return None
            pyramid.keep(lengths)
            pyramids[number] = pyramid
        block, start = np.empty(used, np.uint8), 0
        for pyramid in pyramids.values():
            start = pyramid.move_into(block, start)
        self._cache = pyramids
        return block

    def _any_window(self, random: np.random.Generator) -> Window:
        photo = self._random_photo(random)
        low, high = np.log(self.short_edge)
        short_edge = max(np.exp(random.uniform(low, high)), self.crop_size)  # exp(log(64)) is a little under 64
        if isinstance(photo, Pyramid):
            scale = nearest_scale(short_edge, self.short_edge, self.scales_per_octave)
            pixels, start = photo[scale], photo.start(scale)
            left, top = (int(random.uniform(0, side - self.crop_size + 1)) for side in pixels.shape[1::-1])
            row = 3 * pixels.shape[1]
            start = start if start < 0 else start + top * row + 3 * left
            return Window(pixels[top : top + self.crop_size, left : left + self.crop_size], False, start, row)
        width, height = photo.size
        short_edge = min(short_edge, max(min(width, height), self.crop_size))
        side = self.crop_size * min(width, height) / short_edge  # of the square, in the photo's own pixels
        left, top = random.uniform(0, width - side), random.uniform(0, height - side)
        box = (left, top, left + side, top + side)
        size = (self.crop_size, self.crop_size)
        crop = np.asarray(photo.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0))
        return Window(crop, False, -1, crop.strides[0])

    def _random_photo(self, random: np.random.Generator) -> Image.Image | Pyramid:
        while True:
            number = int(random.integers(len(self.paths)))
            if number in self._broken:
                continue
            try:
                return self._photo(number)
            except PhotoError as error:
                self._skip(number, error)

    def _skip(self, number: int, error: PhotoError) -> None:
        self._broken.add(number)
        if len(self._broken) == len(self.paths):
            self._broken.clear()  # the next call tries again: a drive may only have been away
            raise PhotoError(f"none of the {len(self.paths)} photos can be read; the last: {error}") from error
        warnings.warn(f"photo skipped: {error}", stacklevel=3)

    def _photo(self, number: int) -> Image.Image | Pyramid:
        if number in self._cache:
            return self._cache[number]
        photo = self._decoded(number)
        if self._cache_room is None:
            self._cache_room = self._share_of_memory()
        cost = 4 * photo.width * photo.height  # Pillow keeps RGB in four bytes a pixel
        pyramid = Pyramid(photo, self.crop_size) if self.scales_per_octave else None
        if pyramid is not None:
            lengths = scales(self.short_edge, self.scales_per_octave)
            cost = pyramid.bytes_of(lengths)
        if cost <= self._cache_room:
            self._cache_room -= cost
            self._cache[number] = pyramid or photo
            if pyramid is not None:
                pyramid.keep(lengths)
        return pyramid or photo

    def _decoded(self, number: int) -> Image.Image:
        return open_photo(os.fsdecode(self.paths[number]), least_edge=max(DRAFT_EDGE, 2 * self.short_edge[1]))

    def _share_of_memory(self) -> int:
        """Bytes that this process may fill with decoded photos."""
        worker = get_worker_info()
        workers = 1 if worker is None else worker.num_workers
        if self._cache_bytes is not None:
            return self._cache_bytes // workers
        free = psutil.virtual_memory().available
        return min(DECODED_BYTES, free // (4 * workers * training_processes_here()))


def _has_contrast(crop: np.ndarray, least: float) -> bool:
    """Whether a crop's contrast is at least so much."""
    # The sum of all squared deviations is at least that of a quarter of the rows. Nearly always this is enough.
    return _contrast(crop[::4]) >= 2 * least or _contrast(crop) >= least


def _contrast(crop: np.ndarray) -> float:
    """The standard deviation of the grey levels, the means of red, green and blue, of a crop (H, W, 3) uint8."""
    red, green, blue = cv2.split(crop)
    total = cv2.add(cv2.add(red, green, dtype=cv2.CV_16U), blue, dtype=cv2.CV_16U)
    return cv2.meanStdDev(total)[1].item() / 3


def mean_colour(folder: str | os.PathLike) -> tuple[float, float, float]:
    """The mean red, green and blue in [0, 1] over a folder of photos, each photo counting the same.

    In a large folder only `MEAN_PHOTOS` photos are used, spread evenly over it.
    """
    photos = list_photos(folder)
    means = []
    for number in np.linspace(0, len(photos) - 1, min(len(photos), MEAN_PHOTOS)).round():
        try:
            photo = open_photo(photos[int(number)], least_edge=DRAFT_EDGE)
        except PhotoError as error:
            warnings.warn(f"photo skipped: {error}", stacklevel=2)
            continue
        means.append(np.asarray(photo.resize((32, 32), Image.Resampling.BOX)).mean(axis=(0, 1)) / 255)
    if not means:
        raise PhotoError(f"{folder}: none of the photos can be read")
    return tuple(round(float(x), 6) for x in np.mean(means, axis=0))
