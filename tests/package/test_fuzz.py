"""Damaged files of every kind that is read: a success or a known error of one line. Nothing else, and no waiting.

The damage is random and the same in every run; the number of files is fixed.
"""

import io
import json
import math
import signal
import struct
import threading
import warnings
from collections.abc import Callable
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from glcic_lite.commands.importing import _name_in_release, network_from_pytorch, network_from_torch7
from glcic_lite.commands.options import settings_named
from glcic_lite.evaluation.fills import FillError
from glcic_lite.evaluation.protocol import read_rows
from glcic_lite.files import SHIPPED_WEIGHTS
from glcic_lite.method.masks import open_mask
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import PhotoError, open_photo, opened_formats, save_image
from glcic_lite.method.pretrained import WeightsError
from glcic_lite.speed.measuring import process_bytes
from glcic_lite.training import LITE, RunError, Settings
from glcic_lite.training.run_folder import RunFolder
from inputs import narrow_network, texture
from torch7_files import save, sequential, torch7_layers

LONGEST = 20  # seconds that one damaged file may take
MOST_MEMORY = 600_000_000  # bytes above what was in use before
LONGEST_LINE = 400  # letters of an error


class Hangs(BaseException):
    """Not an Exception, so that nothing takes it for a damaged file."""


@contextmanager
def no_waiting():
    """Ends whatever takes longer than LONGEST seconds, where the system and the thread allow it."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(*signalled):
        raise Hangs

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcomes(read: Callable, contents: list[bytes], write: Callable, name: str, known: type[Exception]) -> list[bool]:
    """For each content, whether `read()` takes it once it has been written. Fails for any but the known errors."""
    taken = []
    memory = process_bytes("VmRSS", reset=True)
    for number, content in enumerate(contents):
        write(content)
        with no_waiting(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read()
            except known as error:
                text = str(error)
                assert "\n" not in text and len(text) < LONGEST_LINE and name in text, (number, text)
                assert "weights_only=False" not in text, (number, text)  # PyTorch's advice to run what is in a file
                taken.append(False)
            except Exception as error:
                raise AssertionError(f"content {number}: {type(error).__name__}: {error}") from error
            else:
                taken.append(True)
    peak = process_bytes("VmHWM")
    if memory is not None and peak is not None:
        assert peak - memory < MOST_MEMORY, f"{(peak - memory) / 1e6:.0f} MB"
    return taken


EXTREMES = [struct.pack(code, number) for code in ("<I", ">I") for number in (0, 1, 2**16, 2**31 - 1, 2**32 - 1)]


def damaged(content: bytes, random: np.random.Generator, start: int | None = None) -> bytes:
    """One of six kinds of damage to a file; within its first `start` bytes, if that is given."""
    length = min(start or len(content), len(content))
    place = int(random.integers(0, length))
    kind = int(random.integers(0, 6))
    if kind == 0:
        return content[:place]
    if kind == 1:  # sizes and counts that no file has
        extreme = EXTREMES[random.integers(0, len(EXTREMES))]
        return content[:place] + extreme + content[place + len(extreme) :]
    if kind == 2:
        return content[:place] + random.bytes(int(random.integers(1, 9))) + content[place:]
    if kind == 3:
        return content[:place] + content[place + int(random.integers(1, 9)) :]
    changed = bytearray(content)
    for bit in random.integers(0, 8 * length, 1 if kind == 4 else 12):
        changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# Pictures


def layered_psd(side: int = 24) -> bytes:
    """Two layers and their sum: Pillow reads this format, and does not write it."""
    record = struct.pack(">4iH", 0, 0, side, side, 3)
    record += b"".join(struct.pack(">hI", channel, 2 + side * side) for channel in range(3))
    record += b"8BIMnorm" + bytes([255, 0, 0, 0]) + struct.pack(">III", 12, 0, 0) + b"\x01a\x00\x00"
    pixels = b"".join(struct.pack(">H", 0) + bytes([value]) * side**2 for value in (10, 20, 30))
    layers = struct.pack(">h", 2) + record * 2 + pixels * 2
    layers = struct.pack(">I", len(layers)) + layers + struct.pack(">I", 0)
    head = b"8BPS" + struct.pack(">H6xHIIHHII", 1, 3, side, side, 8, 3, 0, 0)
    whole = struct.pack(">H", 0) + b"".join(bytes([value]) * side**2 for value in (200, 150, 100))
    return head + struct.pack(">I", len(layers)) + layers + whole


def pictures() -> dict[str, bytes]:
    """A sound file of each format that is opened, and of several ways to store pixels in it."""
    photo = Image.fromarray(texture(24, 32))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a scene"
    metadata = {"exif": exif, "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}
    deep = Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257)
    ways = [
        ("JPEG", photo, metadata),
        ("JPEG", photo.convert("CMYK"), {"progressive": True}),
        ("MPO", photo, {"save_all": True, "append_images": [photo.resize((8, 8))]}),
        ("PNG", photo.convert("RGBA"), metadata),
        ("PNG", photo.quantize(9), {"transparency": 3, "dpi": (300, 300)}),
        ("PNG", deep, {}),
        ("WEBP", photo, metadata),
        ("WEBP", photo.convert("RGBA"), {"lossless": True}),
        ("GIF", photo.quantize(9), {"transparency": 1}),
        *(("TIFF", photo, {"compression": way}) for way in ("raw", "tiff_lzw", "tiff_deflate", "jpeg", "packbits")),
        ("TIFF", photo.convert("1"), {"compression": "group4"}),
        ("TIFF", Image.fromarray(np.linspace(0, 1, 70, dtype=np.float32).reshape(7, 10)), {}),
        ("BMP", photo, {}),
        ("BMP", photo.quantize(9), {}),
        ("AVIF", photo, metadata),
        ("JPEG2000", photo, {}),
        ("PPM", photo, {}),
        ("TGA", photo.convert("RGBA"), {"compression": "tga_rle"}),
        ("ICO", photo, {"sizes": [(16, 16), (32, 32)]}),
        ("ICO", photo, {"sizes": [(16, 16)], "bitmap_format": "bmp"}),
    ]
    files = {"PSD 0": layered_psd()}
    for kind, picture, options in ways:
        if kind in Image.SAVE and (kind in opened_formats() or kind == "MPO"):
            buffer = io.BytesIO()
            picture.save(buffer, format=kind, **options)
            files[f"{kind} {len(files)}"] = buffer.getvalue()
    return files


Image.init()
PICTURES = pictures()


@pytest.mark.parametrize("kind", PICTURES)
def test_damaged_pictures(tmp_path, capfd, kind):
    """As photos, as photos written anew, and as masks."""
    random = np.random.default_rng(len(kind) + len(PICTURES[kind]))
    file = tmp_path / "damaged.jpg"

    def read_photo():
        photo = open_photo(file, max_pixels=1_000_000)
        assert photo.mode == "RGB" and photo.width * photo.height > 0
        save_image(photo, tmp_path / "damaged.tif")

    def read_mask():
        mask = open_mask(file)
        assert mask.dtype == bool and mask.ndim == 2

    for read in (read_photo, read_mask):
        contents = [PICTURES[kind], *(damaged(PICTURES[kind], random) for _ in range(25))]
        contents += [damaged(PICTURES[kind], random, start=120) for _ in range(15)]  # of the header
        taken = outcomes(read, contents, file.write_bytes, "damaged", PhotoError)
        assert taken[0] and not all(taken), "neither the whole file nor any damage was noticed"
    assert capfd.readouterr() == ("", ""), "a library prints lines of its own"


# Weights


def test_damaged_safetensors_and_configs(tmp_path, weights_folder):
    random = np.random.default_rng(1)
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((weights_folder / name).read_bytes())
    for name, count, start in (("model.safetensors", 25, 4000), ("config.json", 25, None)):
        whole = (weights_folder / name).read_bytes()
        taken = outcomes(
            lambda: CompletionNetwork.from_pretrained(tmp_path),
            [whole, *(damaged(whole, random, start) for _ in range(count))],
            (tmp_path / name).write_bytes,
            str(tmp_path),
            WeightsError,
        )
        assert taken[0] and not all(taken)
        (tmp_path / name).write_bytes(whole)


@pytest.mark.parametrize("kind", ["torch7", "zip", "before 1.6"])
def test_damaged_files_of_others(tmp_path, kind):
    random = np.random.default_rng(2)
    network = narrow_network(norm_after_activation=kind != "torch7", subtract_mean=kind == "torch7")
    file = tmp_path / "theirs"
    if kind == "torch7":
        read = network_from_torch7
        save(file, {"model": sequential(torch7_layers(network)), "mean": [0.4, 0.5, 0.6]})
    else:
        read = network_from_pytorch
        state = {_name_in_release(name): value for name, value in network.state_dict().items() if name != "mean_colour"}
        torch.save(state, file, _use_new_zipfile_serialization=kind == "zip")
    whole = file.read_bytes()
    contents = [whole, *(damaged(whole, random, 3000) for _ in range(25)), *(damaged(whole, random) for _ in range(15))]
    if kind == "zip":  # whose table of contents lies at its end
        contents += [whole[:-3000] + damaged(whole[-3000:], random) for _ in range(20)]
    taken = outcomes(lambda: read(file), contents, file.write_bytes, "theirs", WeightsError)
    assert taken[0] and not all(taken)


# Settings and tables


def random_value(random: np.random.Generator, depth: int = 3):
    """Any value that JSON can hold."""
    kind = int(random.integers(0, 9 if depth else 7))
    if kind < 7:
        number = int(random.integers(-9, 10))
        return [None, bool(number > 0), number, number / 7, 10.0 ** (34 * number), 10 ** abs(9 * number), "text"][kind]
    values = [random_value(random, depth - 1) for _ in range(random.integers(0, 4))]
    return values if kind == 7 else {f"{place} width": value for place, value in enumerate(values)}


ODD_VALUES = [None, True, -1, 0, 1, 3, 0.5, 1e-300, 1e300, 10**30, math.nan, math.inf, "text", {}, []]
ODD_VALUES += [[1e300, 1e300], [10**30, 10**30], [5, 1], [1, 2, 3], [[[]]]]


def test_random_settings(tmp_path):
    """Each field of sound settings replaced by odd values, some by anything; settings of another kind; damaged text."""
    random = np.random.default_rng(3)
    file = tmp_path / "settings.json"
    sound = LITE.to_dict()
    contents = [json.dumps(sound)]
    contents += [json.dumps(sound | {field: value}) for field in sound for value in ODD_VALUES]
    for _ in range(100):
        fields = random.choice(list(sound), size=int(random.integers(1, 4)), replace=False)
        contents.append(json.dumps(sound | {field: random_value(random) for field in fields}))
        contents.append(json.dumps(random_value(random)))
    whole = json.dumps(sound).encode()
    contents = [*(text.encode() for text in contents), *(damaged(whole, random) for _ in range(100))]

    def read():
        settings = settings_named(str(file))
        assert isinstance(settings, Settings)
        numbers = [x for value in settings.to_dict().values() for x in (value if isinstance(value, tuple) else [value])]
        assert all(math.isfinite(x) and x < 1e21 for x in numbers if isinstance(x, int | float))

    taken = outcomes(read, contents, file.write_bytes, "settings", RunError)
    assert taken[0] and 0 < sum(taken) < len(taken) / 2


def test_damaged_logs_and_measurements(tmp_path):
    random = np.random.default_rng(4)
    log = b"\n".join((SHIPPED_WEIGHTS / "log.csv").read_bytes().splitlines()[:6]) + b"\n"
    rows = b"\n".join((SHIPPED_WEIGHTS / "evaluation.csv").read_bytes().splitlines()[:12]) + b"\n"
    run = RunFolder(tmp_path)
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier/log.csv").write_bytes(log)

    def read_log():
        run.rows("log.csv")
        run.numbers("log.csv")
        run.all_rows("log.csv")
        run.forget_rows_after(10**9)

    for read, whole, name, known in (
        (read_log, log, "log.csv", RunError),
        (lambda: read_rows(tmp_path / "rows.csv"), rows, "rows.csv", FillError),
    ):
        contents = [whole, *(damaged(whole, random) for _ in range(60))]
        taken = outcomes(read, contents, (tmp_path / name).write_bytes, name, known)
        assert taken[0] and not all(taken), name
