"""A folder of photos and a folder of masks, completed one after the other."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from glcic_lite.files import MASK_SEPARATOR, expect_writable
from glcic_lite.method.completion import shipped_network
from glcic_lite.method.masks import MaskError
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import PhotoError, list_photos, save_image
from glcic_lite.speed.completion import complete
from glcic_lite.speed.fast_network import FastNetwork


@dataclass
class FolderReport:
    """What became of a folder of photos.

    Attributes:
        completed: the files written now.
        already_there: the files that an earlier call wrote; they are left as they are.
        left_out: for each photo or mask without a result, the reason, which names it.
    """

    completed: list[Path] = field(default_factory=list)
    already_there: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def complete_folder(
    photos: str | os.PathLike,
    masks: str | os.PathLike,
    out: str | os.PathLike,
    network: CompletionNetwork | None = None,
    blend: bool = True,
    on_start: Callable[[int], None] | None = None,
    on_each: Callable[[Path], None] | None = None,
) -> FolderReport:
    """Complete every photo of a folder, and of the folders in it, with each of its masks.

    A mask belongs to a photo if it has the photo's name up to the suffix: "harbour.png" to "harbour.jpg"; so does
    "harbour--boat.png", and any other mask whose name begins with the photo's and two hyphens. It lies in the same
    subfolder of its own folder, or directly in that. The result has the mask's name and is a PNG, so that no known
    pixel changes.

    Each result is written whole or not at all. Called again, the function continues where it stopped: results that are
    newer than their photo and mask are left alone.

    Args:
        photos, masks: the two folders. They may be the same one, if all masks have names with two hyphens.
        out: the folder for the results; created if necessary.
        network, blend: as for `complete`.
        on_start: called with the number of results to expect.
        on_each: called with the file of each result, written or not, once it is dealt with.

    Returns:
        A `FolderReport`. It names the photos and masks that could not be used; all others are completed.

    Raises:
        PhotoError: no photos, no masks, or `out` is the folder of the photos or masks.
        WeightsError: the network paints NaN or infinite numbers.
        OSError: the results cannot be written, or one would replace a photo or mask; nothing has been written then.
    """
    photos, masks, out = Path(photos), Path(masks), Path(out)
    if os.path.realpath(out) in (os.path.realpath(photos), os.path.realpath(masks)):
        raise PhotoError(f"{out}: results need a folder of their own, not that of the photos or masks")
    report = FolderReport()
    work = _pairs(photos, masks, out, report)
    fast = FastNetwork(network or shipped_network()) if work else None
    if on_start:
        on_start(len(work))
    for target, (photo, mask) in work.items():
        if _is_newer(target, (photo, mask)):
            report.already_there.append(target)
        else:
            try:
                result = complete(photo, mask, fast, blend)
            except PhotoError as error:
                report.left_out.append(str(error))
            except MaskError as error:
                report.left_out.append(f"{mask}: {error}")
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                save_image(result, target)
                report.completed.append(target)
        if on_each:
            on_each(target)
    return report


def _is_newer(target: Path, sources: tuple[Path, ...]) -> bool:
    try:
        return target.stat().st_mtime >= max(source.stat().st_mtime for source in sources)
    except FileNotFoundError:  # no result yet, or a link to a photo that is gone
        return False


def _photo_names(stem: str) -> list[str]:
    """The names of the photos that a mask of this name may be for: its own, and what stands before each separator."""
    return [stem, *(stem[:end] for end in range(1, len(stem)) if stem.startswith(MASK_SEPARATOR, end))]


def _outside(out: Path, folder: Path) -> list[Path]:
    """The pictures of a folder, without those of `out` if that lies inside it: results of an earlier call."""
    pictures, inner = list_photos(folder), Path(os.path.realpath(out))
    if Path(os.path.realpath(folder)) not in inner.parents:
        return pictures
    return [picture for picture in pictures if inner not in Path(os.path.realpath(picture)).parents]


def _pairs(photos: Path, masks: Path, out: Path, report: FolderReport) -> dict[Path, tuple[Path, Path]]:
    """The photo and mask of each result; whatever has no counterpart goes into the report."""
    photo_files, mask_files = _outside(out, photos), _outside(out, masks)
    work: dict[Path, tuple[Path, Path]] = {}
    used = set()
    apart = os.path.realpath(photos) != os.path.realpath(masks)
    named: dict[tuple[Path, str], list[Path]] = {}  # masks by their place and the name of the photo they may be for
    for mask in mask_files:
        for name in _photo_names(mask.stem):
            named.setdefault((mask.relative_to(masks).parent, name), []).append(mask)
    for photo in photo_files:
        place = photo.relative_to(photos).parent
        places = dict.fromkeys((Path(), place))
        its_own = sorted(mask for there in places for mask in named.get((there, photo.stem), ()) if mask != photo)
        if not its_own and apart:
            report.left_out.append(f"{photo}: no mask of this name in {masks}")
        for mask in its_own:
            used.add(mask)
            target = out / place / f"{mask.stem}.png"
            if target in work:
                report.left_out.append(f"{photo}: {target} is already the result of {work[target][0]}")
            else:
                work[target] = photo, mask
    if apart:
        report.left_out += [f"{mask}: no photo of this name in {photos}" for mask in mask_files if mask not in used]
    expect_writable(work, [*photo_files, *mask_files])
    return work
