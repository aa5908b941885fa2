"""The evaluation protocol: which crops and holes are tested, and every fill measured on each of them.

It is the course's own, not the paper's. What a classical fill scores in a hole never changes, so its rows are kept in
`classical_fills.csv` beside this file, and looked up; only the network's are measured again for every network.

    python -m glcic_lite evaluate --again --fill "FSR fast" --fill shift-map -o classical_fills.csv

makes it anew, in a quarter of an hour.
"""

import csv
import hashlib
import io
import os
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from glcic_lite.evaluation.fills import CLASSICAL_FILLS, NETWORK_FILLS, Fill, FillError, network_fill
from glcic_lite.evaluation.metrics import METRICS, Measure, measure_all
from glcic_lite.files import PACKAGE, read_text
from glcic_lite.method.completion import shipped_network
from glcic_lite.method.masks import Box, box_mask, free_form_strokes
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import PhotoError, list_photos, open_photo
from glcic_lite.speed.fast_network import FastNetwork

LARGEST_TABLE = 2**28  # bytes
CROP = 256  # side of the test crops, in pixels
LONG_SIDE = 640  # the photos are reduced to this first: at full size a crop would show a piece of fur, not a scene
BOX_SIDES = (32, 48, 64)
STROKE_WIDTH = 20
LARGE_CROP = 304  # of the crops for the larger boxes: as large as the lowest of the test photos allows
LARGE_BOX_SIDES = (96, 128, 192)
SMALL_HOLES = ("box 32", "box 48", "box 64", "stroke 20")
HOLES = (*SMALL_HOLES, "box 96", "box 128", "box 192")
CLASSICAL_ROWS = PACKAGE / "evaluation" / "classical_fills.csv"
# FSR's thorough setting takes minutes in a large hole: it is measured only if it is asked for.
FILLS = (*(name for name in CLASSICAL_FILLS if name != "FSR best"), *NETWORK_FILLS)


class HoleCase(NamedTuple):
    """A crop of a test photo and one hole in it."""

    photo_name: str
    hole_kind: str
    photo: np.ndarray  # (CROP, CROP, 3) uint8; LARGE_CROP for the large boxes
    mask: np.ndarray  # the same height and width, bool

    @property
    def digest(self) -> str:
        """Twelve characters that stand for exactly these pixels and this hole."""
        return hashlib.sha256(self.photo.tobytes() + np.packbits(self.mask).tobytes()).hexdigest()[:12]


def hole_cases(folder: str | os.PathLike, seed: int = 0, large: bool = False) -> Iterator[HoleCase]:
    """One crop of every photo in a folder, each with a box of every size and one brush stroke; the same every time.

    With `large`, the boxes of `LARGE_BOX_SIDES` follow, in a crop of their own; photos too small for it go without.
    Photos that cannot be read or are too small for any crop are skipped with a warning.
    """
    for number, path in enumerate(list_photos(folder)):
        try:
            photo = open_photo(path)
        except PhotoError as error:
            warnings.warn(f"photo skipped: {error}", stacklevel=2)
            continue
        photo.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS, reducing_gap=None)
        if min(photo.size) < CROP:
            warnings.warn(f"photo skipped: {path} is smaller than {CROP} x {CROP} once reduced", stacklevel=2)
            continue
        random = np.random.default_rng((seed, number))
        crop = _crop(photo, CROP, random)
        name = path.relative_to(folder).as_posix()  # another folder may hold another photo of the same name
        for side in BOX_SIDES:
            yield HoleCase(name, f"box {side}", crop, _box(crop, side, random))
        stroke = free_form_strokes(random, (CROP, CROP), (STROKE_WIDTH, STROKE_WIDTH), CROP // 2)
        yield HoleCase(name, f"stroke {STROKE_WIDTH}", crop, stroke)
        if large and min(photo.size) >= LARGE_CROP:
            crop = _crop(photo, LARGE_CROP, random)
            for side in LARGE_BOX_SIDES:
                yield HoleCase(name, f"box {side}", crop, _box(crop, side, random))


def _crop(photo: Image.Image, side: int, random: np.random.Generator) -> np.ndarray:
    left, top = (int(random.integers(0, length - side, endpoint=True)) for length in photo.size)
    return np.asarray(photo.crop((left, top, left + side, top + side)))


def _box(crop: np.ndarray, side: int, random: np.random.Generator) -> np.ndarray:
    length = crop.shape[0]
    x, y = (int(v) for v in random.integers(0, length - side, size=2, endpoint=True))
    return box_mask((length, length), Box(x, y, x + side, y + side))


def evaluate(
    folder: str | os.PathLike,
    network: CompletionNetwork | None = None,
    seed: int = 0,
    on_case: Callable[[HoleCase, dict[str, np.ndarray]], None] | None = None,
    holes: Collection[str] | None = None,
    fills: Iterable[str] = FILLS,
    known: Iterable[dict] | None = None,
    more: Mapping[str, Measure] | None = None,
) -> list[dict]:
    """Fill every hole of `hole_cases` in every way and measure the result.

    Args:
        folder: photos never trained on.
        network: the weights to measure; None: the shipped ones.
        seed: determines crops and holes.
        on_case: called after each hole with the case and the results, by the fill's name; slow fills whose measurements
            are known are not among them.
        holes: kinds of holes such as "box 48"; None: all.
        fills: which of `CLASSICAL_FILLS` and `NETWORK_FILLS`.
        known: rows of earlier calls; those of slow classical fills are taken from here where photo and hole are equal
            to the last pixel. None: those of `CLASSICAL_ROWS`.
        more: further metrics by name, such as `GRAIN_METRICS` or one from `hole_lpips`. Nothing is known of them, so
            slow fills are measured again.

    Returns:
        One row for each hole and fill: photo, hole, fill, case (the digest), psnr (dB), ssim, haarpsi, texture (ratio),
        l1 (grey levels), those of `more`, seconds (that the fill took, on the machine where it was measured).

    Raises:
        PhotoError: no photo in the folder can be used.
        FillError: a fill cannot run in this installation.
    """
    more = more or {}
    ways, measured = _ways(fills, network), _by_case(read_rows(CLASSICAL_ROWS) if known is None else known)
    rows: list[dict] = []
    for case in hole_cases(folder, seed, large=True):
        if holes is not None and case.hole_kind not in holes:
            continue
        filled, digest = {}, case.digest
        for name, fill in ways.items():
            row = measured.get((digest, name))
            if row is None or more:
                start = time.perf_counter()
                filled[name] = fill(case.photo, case.mask)
                seconds = time.perf_counter() - start
                row = measure_all(case.photo, filled[name], case.mask) | {"seconds": seconds}
                row |= {column: measure(case.photo, filled[name], case.mask) for column, measure in more.items()}
            key = {"photo": case.photo_name, "hole": case.hole_kind, "fill": name, "case": digest}
            rows.append(key | {column: row[column] for column in (*METRICS, *more, "seconds")})
        if on_case:
            on_case(case, filled)
    if not rows:
        raise PhotoError(f"{folder}: no photo can be read and is large enough for a crop of {CROP} x {CROP}")
    return rows


def _ways(names: Iterable[str], network: CompletionNetwork | None) -> dict[str, Fill]:
    """The fills of these names; the network is prepared once for all holes."""
    ways: dict[str, Fill] = {}
    fast = None
    for name in names:
        if name in CLASSICAL_FILLS:
            ways[name] = CLASSICAL_FILLS[name]
        else:
            fast = fast or FastNetwork(network or shipped_network())
            ways[name] = {
                "network": network_fill(fast, blend=False, scale=1),
                "network, blended, scale 1": network_fill(fast, scale=1),
                "network, blended": network_fill(fast),
            }[name]
    return ways


def _by_case(rows: Iterable[dict]) -> dict[tuple[str, str], dict]:
    """The rows of slow classical fills, with numbers as numbers, by case and fill."""
    return {
        (row["case"], row["fill"]): {column: float(row[column]) for column in (*METRICS, "seconds")}
        for row in rows
        if row["fill"] in CLASSICAL_FILLS
        and CLASSICAL_FILLS[row["fill"]].slow
        and row.keys() >= {"case", "seconds", *METRICS}  # an older table lacks some
    }


def read_rows(path: str | os.PathLike) -> list[dict]:
    """The rows of a CSV file of measurements, as text; none if there is no such file.

    Raises:
        FillError: it is another file.
    """
    if not Path(path).exists():
        return []
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(path, LARGEST_TABLE), newline="")))
        _by_case(rows)
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise FillError(f"{path}: not a table of measurements as `evaluate` writes it ({error})") from error
    return rows
