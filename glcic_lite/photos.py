"""Opening photos safely, and a folder of photos as training samples."""

import io
import os
import warnings
from array import array
from bisect import bisect
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path

import numpy as np
import psutil
from PIL import ExifTags, Image, ImageCms, ImageOps
from torch.utils.data import Dataset, get_worker_info

from glcic_lite.device import training_processes_here

MAX_PIXELS = 120_000_000  # more than any camera's photo; a small file can claim far more and fill the memory
DRAFT_EDGE = 1024  # pixels that the short edge of a large photo keeps, at the least, where it is decoded in a hurry
MEAN_PHOTOS = 1000
DECODED_BYTES = 1_000_000_000  # most that decoded photos take in the memory of one process
PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}

PhotoSource = Image.Image | np.ndarray | str | os.PathLike


class PhotoError(ValueError):
    """A photo that cannot be used; the message names it and says why."""


def open_image(source: PhotoSource, max_pixels: int = MAX_PIXELS, least_edge: int | None = None) -> Image.Image:
    """Open a still picture in its own mode, upright, fully decoded.

    Args:
        source: a path, a PIL image, or an array: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); bool, unsigned 8 or 16 bit
            integers, or floats in [0, 1]. A PIL image that needs no change is returned itself, not copied.
        max_pixels: refuse pictures of more pixels than this before decoding them.
        least_edge: a JPEG file may be decoded at a half, a quarter or an eighth of its size, as long as its short edge
            keeps this many pixels; None: at its size.

    Raises:
        PhotoError: unreadable, truncated, animated, too large, empty, or an array of another shape or range.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _upright(source, _name(source), max_pixels, None)
    if not isinstance(source, str | os.PathLike):
        hint = "; a tensor (3, H, W) becomes one by .permute(1, 2, 0).numpy()" if hasattr(source, "permute") else ""
        raise PhotoError(f"a path, a PIL image or a numpy array is expected, not a {type(source).__name__}{hint}")
    with _opened(source, max_pixels) as image:  # closes the file, and leaves the pixels
        return _upright(image, _name(source), max_pixels, least_edge)


def _name(source: PhotoSource) -> str:
    return "the picture" if isinstance(source, Image.Image | np.ndarray) else str(source)


def _opened(source: str | os.PathLike, max_pixels: int) -> Image.Image:
    """A picture file of which nothing but the head is read yet."""
    name = _name(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit speaks below
            return Image.open(source)
    except FileNotFoundError as error:
        raise PhotoError(f"{name}: no such file") from error
    except Image.DecompressionBombError as error:
        raise PhotoError(f"{name}: more than {max_pixels / 1e6:.0f} megapixels, which is refused") from error
    except IsADirectoryError as error:
        raise PhotoError(f"{name}: a folder, not a photo") from error
    except Exception as error:  # damaged files make Pillow raise TypeError, struct.error and many more
        raise PhotoError(f"{name}: not a picture that can be read") from error


def _upright(image: Image.Image, name: str, max_pixels: int, least_edge: int | None) -> Image.Image:
    """The picture decoded, and turned as its EXIF data says."""
    width, height = image.size
    if width * height > max_pixels:
        raise PhotoError(f"{name}: {width} x {height} is more than {max_pixels / 1e6:.0f} megapixels, which is refused")
    if width * height == 0:
        raise PhotoError(f"{name}: has no pixels")
    try:
        frames = getattr(image, "n_frames", 1)
    except Exception as error:
        raise PhotoError(f"{name}: truncated or damaged ({error})") from error
    if frames > 1 and image.format != "MPO":  # MPO: a phone's JPEG with a second picture inside
        raise PhotoError(f"{name}: an animated or many-page picture ({frames} frames); save one of them as a photo")
    try:
        if least_edge is not None and min(image.size) >= 2 * least_edge:
            scale = least_edge / min(image.size)
            image.draft(None, (ceil(image.width * scale), ceil(image.height * scale)))
        image.load()
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        return ImageOps.exif_transpose(image) if turned else image
    except Exception as error:  # see `_opened`
        raise PhotoError(f"{name}: truncated or damaged ({error})") from error


def open_photo(source: PhotoSource, max_pixels: int = MAX_PIXELS, least_edge: int | None = None) -> Image.Image:
    """Open a photo as 8-bit RGB, whatever its mode.

    Rotation from EXIF is applied; greyscale and palette photos become RGB; 16-bit ones are reduced to 8 bit; CMYK is
    converted through its embedded colour profile where there is one; transparent parts are laid over white. An
    embedded RGB profile stays in `image.info["icc_profile"]`.

    Args and errors are those of `open_image`.
    """
    image = open_image(source, max_pixels, least_edge)
    profile = image.info.get("icc_profile")
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image, dtype=np.float64)
        if not np.isfinite(values).all():
            raise PhotoError(f"{_name(source)}: a picture in mode {image.mode} must hold finite numbers")
        top = 65535.0 if image.mode.startswith("I;16") or values.max() > 255 else 255.0
        if image.mode == "F" and values.max() <= 1:
            top = 1.0
        return Image.fromarray(np.rint(values.clip(0, top) * (255 / top)).astype(np.uint8)).convert("RGB")
    if image.mode == "CMYK":
        return _cmyk_to_rgb(image, profile)
    grey = image.mode in ("1", "L", "LA", "La")  # an embedded profile is one for grey then, of no use for RGB
    try:
        if image.has_transparency_data:
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image)
        photo = image.convert("RGB")
    except ValueError as error:
        raise PhotoError(f"{_name(source)}: a picture in mode {image.mode} cannot be made RGB") from error
    photo.info.pop("transparency", None)
    photo.info.pop("icc_profile", None)
    if profile and not grey:
        photo.info["icc_profile"] = profile
    return photo


def _cmyk_to_rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            photo = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            photo.info.pop("icc_profile", None)
            return photo
        except (ImageCms.PyCMSError, OSError):
            pass  # a damaged profile: the plain conversion still shows the photo
    photo = image.convert("RGB")
    photo.info.pop("icc_profile", None)
    return photo


def _from_array(array: np.ndarray) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or array.size == 0:
        raise PhotoError(f"an array of shape {array.shape} is no picture: (H, W), (H, W, 3) or (H, W, 4) is expected")
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif array.dtype == np.uint16:
        array = np.rint(array / 257).astype(np.uint8)
    elif np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise PhotoError("an array of floats must hold finite numbers from 0 to 1")
        array = np.rint(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise PhotoError(f"an array of {array.dtype} is no picture: bool, uint8, uint16 or floats are expected")
    return Image.fromarray(np.ascontiguousarray(array))


def picture_format(path: str | os.PathLike) -> str:
    """What Pillow calls the format that the suffix of a file to write stands for.

    Raises:
        PhotoError: for a suffix that names no format it can write.
    """
    suffix = Path(path).suffix
    kind = Image.registered_extensions().get(suffix.lower())
    if kind not in Image.SAVE:
        raise PhotoError(f"{path}: unknown picture format {suffix!r}; use .png or .jpg")
    return kind


def save_image(image: Image.Image, path: str | os.PathLike, quality: int = 95) -> None:
    """Write a picture whole or not at all: to a neighbouring file first, then renamed over the old one.

    The suffix decides the format. Photos written as PNG keep every pixel; `quality`, 1 to 100, is for JPEG and WebP.

    Raises:
        PhotoError: for a suffix that names no picture format, or one that cannot hold this picture.
        OSError: where the folder cannot be written to.
    """
    path = Path(path)
    kind = picture_format(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    options = {"quality": quality} if kind in ("JPEG", "WEBP") else {}
    if image.info.get("icc_profile"):
        options["icc_profile"] = image.info["icc_profile"]
    try:
        with open(partial, "wb") as file:
            try:
                image.save(file, format=kind, **options)
            except (ValueError, OSError) as error:
                if getattr(error, "errno", None) is not None:  # the disk's fault, not the format's
                    raise
                size = f"{image.width} x {image.height} pixels in mode {image.mode}"
                raise PhotoError(f"{path}: {kind} cannot hold {size} ({error}); use .png") from error
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


class PhotoIndex(Sequence):
    """The photos in a folder and the folders below it, sorted by path; told by their suffix, not opened.

    Made for millions of photos: their names lie in one string of bytes, 32 bytes a photo for names of 28 letters, where
    paths take hundreds. While it is made, the names in the largest single folder are in memory as a list too. Processes
    forked to decode photos share it. Folders are not followed through links.

    It is not kept on disk: listing takes some seconds a million photos on a local disk, and is never out of date.

    Raises:
        PhotoError: where there is no such folder, or no photo in it.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise PhotoError(f"{folder}: no such folder")
        names, ends = bytearray(), array("Q")
        self._starts, self._folders = [], []  # the number of the first photo in each stretch of one folder
        for place, name in _photo_names(os.fsencode(self.folder)):
            if not self._folders or self._folders[-1] != place:
                self._starts.append(len(ends))
                self._folders.append(place)
            names += name
            ends.append(len(names))
        if not ends:
            raise PhotoError(f"{folder}: no photos in this folder ({', '.join(sorted(PHOTO_SUFFIXES))})")
        self._names = bytes(names)
        self._ends = np.array(ends, dtype=np.min_scalar_type(ends[-1]))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> Path:
        if not -len(self) <= number < len(self):
            raise IndexError(f"photo {number} of {len(self)}")
        number %= len(self)
        start = int(self._ends[number - 1]) if number else 0
        place = self._folders[bisect(self._starts, number) - 1]
        return Path(os.fsdecode(place), os.fsdecode(self._names[start : int(self._ends[number])]))


def _photo_names(folder: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Folder and name of each photo, in the order of their paths: files and folders side by side, by name."""
    found = []
    try:
        entries = os.scandir(folder)
    except PermissionError as error:
        warnings.warn(f"folder skipped: {os.fsdecode(folder)}: {error.strerror}", stacklevel=2)
        return
    with entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found.append((entry.name, True))
            elif (
                not entry.name.startswith(b".")
                and os.fsdecode(os.path.splitext(entry.name)[1]).lower() in PHOTO_SUFFIXES
            ):
                found.append((entry.name, False))
    found.sort()
    for name, is_folder in found:
        if is_folder:
            yield from _photo_names(os.path.join(folder, name))
        else:
            yield folder, name


def list_photos(folder: str | os.PathLike) -> list[Path]:
    """As `PhotoIndex`, as a list."""
    return list(PhotoIndex(folder))


class PhotoCrops(Dataset):
    """A folder of photos as an endless list of random square crops.

    Crop n is always the same crop: its random choices come from a generator seeded with (seed, n). A run that was
    stopped goes on with exactly the crops it would have seen, with any number of worker processes.

    As in the paper (section 4), a photo is thought of as resized so that its short edge has a random length, and a
    random square is cut out of that. Only the square is resized here, which is the same and far cheaper.

    Args:
        folder: a folder of photos, of any size and format.
        crop_size: side of the crops, in pixels.
        short_edge: smallest and largest random length of the photo's short edge, in pixels; drawn evenly on a
            logarithmic scale. A photo is never enlarged, unless it is smaller than the crop.
        seed: decides all random choices.
        least_contrast: crops whose grey levels (0 to 255) have a smaller standard deviation teach nothing; another one
            is drawn, up to ten times.
        cache_bytes: decoded photos are kept in memory up to this much, over all workers; None: up to `DECODED_BYTES` in
            each of them, but in all no more than a quarter of the memory that is free.

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
    ):
        if short_edge[0] < crop_size or short_edge[1] < short_edge[0]:
            raise ValueError(f"short_edge {short_edge} must rise and be at least the crop size, {crop_size}")
        self.paths = PhotoIndex(folder)
        self.crop_size = crop_size
        self.short_edge = short_edge
        self.seed = seed
        self.least_contrast = least_contrast
        self._cache: OrderedDict[int, Image.Image] = OrderedDict()
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
        for _ in range(10):
            photo = self._random_photo(random)
            width, height = photo.size
            low, high = np.log(self.short_edge)
            short_edge = max(np.exp(random.uniform(low, high)), self.crop_size)  # exp(log(64)) is a little under 64
            short_edge = min(short_edge, max(min(width, height), self.crop_size))
            side = self.crop_size * min(width, height) / short_edge  # of the square, in the photo's own pixels
            left, top = random.uniform(0, width - side), random.uniform(0, height - side)
            box = (left, top, left + side, top + side)
            size = (self.crop_size, self.crop_size)
            crop = np.asarray(photo.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0))
            if crop.mean(axis=2).std() >= self.least_contrast:
                break
        if random.random() < 0.5:
            crop = crop[:, ::-1]
        return np.ascontiguousarray(crop.transpose(2, 0, 1), dtype=np.float32) / 255

    def _random_photo(self, random: np.random.Generator) -> Image.Image:
        while True:
            number = int(random.integers(len(self.paths)))
            if number in self._broken:
                continue
            try:
                return self._photo(number)
            except PhotoError as error:
                self._broken.add(number)
                if len(self._broken) == len(self.paths):
                    self._broken.clear()  # the next call tries again: a drive may only have been away
                    raise PhotoError(f"none of the {len(self.paths)} photos can be read; the last: {error}") from error
                warnings.warn(f"photo skipped: {error}", stacklevel=2)

    def _photo(self, number: int) -> Image.Image:
        if number in self._cache:
            return self._cache[number]
        photo = open_photo(self.paths[number], least_edge=max(DRAFT_EDGE, 2 * self.short_edge[1]))
        if self._cache_room is None:
            self._cache_room = self._share_of_memory()
        cost = 4 * photo.width * photo.height  # Pillow keeps RGB in four bytes a pixel
        if cost <= self._cache_room:
            self._cache_room -= cost
            self._cache[number] = photo
        return photo

    def _share_of_memory(self) -> int:
        """Bytes that this process may fill with decoded photos."""
        worker = get_worker_info()
        workers = 1 if worker is None else worker.num_workers
        if self._cache_bytes is not None:
            return self._cache_bytes // workers
        free = psutil.virtual_memory().available
        return min(DECODED_BYTES, free // (4 * workers * training_processes_here()))


def mean_colour(folder: str | os.PathLike) -> tuple[float, float, float]:
    """The mean red, green and blue in [0, 1] over a folder of photos, each photo counting the same.

    Of a large folder `MEAN_PHOTOS` photos are looked at, spread evenly over it.
    """
    photos = PhotoIndex(folder)
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
