"""A folder of photos and a folder of masks, completed one after the other."""

import os
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from glcic_lite.files import MASK_SEPARATOR, expect_writable
from glcic_lite.method.completion import shipped_network
from glcic_lite.method.masks import MaskError, grow, open_mask, why_no_hole
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import (
    PHOTO_SUFFIXES,
    PhotoError,
    expect_alpha,
    list_files,
    list_photos,
    picture_format,
    save_image,
    with_alpha,
)
from glcic_lite.method.scale import Scale
from glcic_lite.speed.completion import complete
from glcic_lite.speed.fast_network import FastNetwork


@dataclass
class FolderReport:
    """What became of a folder of photos.

    Attributes:
        completed: the files written now.
        already_there: the files that an earlier call wrote; they are left as they are.
        left_out: for each file without a result, the reason, which names it. Hidden files are not mentioned.
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
    *,
    mask_suffix: str | None = None,
    grow_by: int = 0,
    scale: Scale = "auto",
    keep_alpha: bool = False,
    ending: str = ".png",
    quality: int = 95,
) -> FolderReport:
    """Complete every photo of a folder, and of the folders in it, with each of its masks.

    A mask belongs to a photo if it has the photo's name up to the suffix: "harbour.png" to "harbour.jpg"; so does
    "harbour--boat.png", and any other mask whose name begins with the photo's and two hyphens. It lies in the same
    subfolder of its own folder, or directly in that. The result has the mask's name and is a PNG, so that no known
    pixel changes.

    One mask may serve all photos, if they have its size; results then have the photos' names.

    Each result is written whole or not at all. Called again, the function continues where it stopped: results that are
    newer than their photo and mask are left alone, whatever network and options they were made with.

    Args:
        photos, masks: the two folders. They may be the same one, if all masks have names with two hyphens or a suffix.
            Instead of a folder of masks: the file of one.
        out: the folder for the results; created if necessary.
        network, blend, scale: as for `complete`.
        on_start: called with the number of results to expect.
        on_each: called with the file of each result, written or not, once it is dealt with.
        mask_suffix: what a mask's name has after the photo's, instead of the rule above: "_mask001".
        grow_by: make every hole larger by so many pixels, as `masks.grow` does.
        keep_alpha: known pixels keep their transparency, as `with_alpha` does it.
        ending: of the results' names, such as ".jpg"; it decides their format.
        quality: of JPEG, WebP and AVIF results, 1 to 100.

    Returns:
        A `FolderReport`. It names the files that could not be used; all others are completed.

    Raises:
        PhotoError: no photos, no masks, the one mask cannot be used, `out` is the folder of the photos or masks, or
            the format is none, or one without transparency where that is to be kept.
        MaskError: the one mask has no hole.
        WeightsError: the network paints NaN or infinite numbers.
        OSError: the results cannot be written, or one would replace a photo or mask; nothing has been written then.
    """
    photos, masks, out = Path(photos), Path(masks), Path(out)
    if os.path.realpath(out) in (os.path.realpath(photos), os.path.realpath(masks)):
        raise PhotoError(f"{out}: results need a folder of their own, not that of the photos or masks")
    nearest = next(folder for folder in (out, *out.absolute().parents) if os.path.lexists(folder))
    if not nearest.is_dir():
        raise NotADirectoryError(f"{out}: results need a folder, and {nearest} is not one")
    if Path(f"results{ending}").suffix != ending:
        raise PhotoError(f"{ending}: not the ending of a picture's name; use .png or .jpg")
    picture_format(f"results*{ending}")
    if keep_alpha:
        expect_alpha(f"results*{ending}")
    report, hole_for_all = FolderReport(), None
    if masks.is_symlink() and not masks.exists():
        raise PhotoError(f"{masks}: a link that leads nowhere")
    if masks.is_dir() or not masks.exists():
        work = _pairs(photos, masks, out, mask_suffix, ending, report)
    else:
        hole_for_all = open_mask(masks)
        if not hole_for_all.any():
            raise MaskError(f"{masks}: {why_no_hole(masks)}")
        hole_for_all = grow(hole_for_all, grow_by)
        work = _with_one_mask(photos, masks, out, ending, report)
    fast = FastNetwork(network or shipped_network()) if work else None
    if on_start:
        on_start(len(work))
    for target, pairs in work.items():
        there = all(_is_newer(target, pair) for pair in pairs)
        if there and len(pairs) > 1:
            names = " or ".join(dict.fromkeys(str(path) for pair in pairs for path in pair))
            report.left_out.append(f"{target}: already there, made of one of {names}")
        done = ""
        for photo, mask in () if there else pairs:
            if done:
                report.left_out.append(f"{photo}: with {mask}: {target} is already {done}")
                continue
            try:
                hole = grow(open_mask(mask), grow_by) if hole_for_all is None else hole_for_all
                if not hole.any():
                    raise MaskError(why_no_hole(mask))
                result = complete(photo, hole, fast, blend, None, scale)
                if keep_alpha:
                    result = with_alpha(photo, result, hole)
                target.parent.mkdir(parents=True, exist_ok=True)
                save_image(result, target, quality)
            except PhotoError as error:
                report.left_out.append(str(error))
            except MaskError as error:
                report.left_out.append(f"{photo}: with {mask}: {error}")
            else:
                report.completed.append(target)
                done = f"the result of {photo} with {mask}"
        if there:
            report.already_there.append(target)
        if on_each:
            on_each(target)
    return report


def _is_newer(target: Path, sources: tuple[Path, ...]) -> bool:
    try:
        return target.stat().st_mtime >= max(source.stat().st_mtime for source in sources)
    except OSError:  # no result yet, or a link to a photo that is gone, or to itself
        return False


def _composed(name: str) -> str:
    """A name with each accented letter as one character: macOS writes two, which look the same."""
    return unicodedata.normalize("NFC", name)


def _stem(file: Path) -> str:
    return _composed(file.stem)


def _place(file: Path, folder: Path) -> str:
    """The subfolder of a folder in which a file lies."""
    return _composed(str(file.relative_to(folder).parent))


def _photo_names(stem: str) -> list[str]:
    """The names of the photos that a mask of this name may be for: its own, and what stands before each separator."""
    return [stem, *(stem[:end] for end in range(1, len(stem)) if stem.startswith(MASK_SEPARATOR, end))]


def _names_for(mask: Path, suffix: str | None) -> list[str]:
    """The names, without their endings, of the photos that a mask may be for."""
    if suffix is None:
        return _photo_names(_stem(mask))
    suffix = _composed(suffix)
    name = _composed(mask.name) if Path(suffix).suffix.lower() in PHOTO_SUFFIXES else _stem(mask)
    return [name.removesuffix(suffix)] if name.endswith(suffix) and name != suffix else []


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in PHOTO_SUFFIXES


def _files(folder: Path, *others: Path) -> list[Path]:
    """The files of a folder, without those of the others where these lie inside it: masks, results of earlier calls."""
    files, place = list_files(folder), Path(os.path.realpath(folder))
    inner = {other for other in (Path(os.path.realpath(other)) for other in others) if place in other.parents}
    if inner:
        files = [file for file in files if not inner.intersection(Path(os.path.realpath(file)).parents)]
    if not any(map(_is_picture, files)):
        list_photos(folder)  # says that there are none
    return files


Work = dict[Path, list[tuple[Path, Path]]]  # photo and mask for each result; the first pair that can be read makes it


def _with_one_mask(photos: Path, mask: Path, out: Path, ending: str, report: FolderReport) -> Work:
    """Every photo of a folder, with the same mask."""
    work: Work = {}
    files = [file for file in _files(photos, out) if os.path.realpath(file) != os.path.realpath(mask)]
    for photo in filter(_is_picture, files):
        work.setdefault((out / photo.relative_to(photos)).with_suffix(ending), []).append((photo, mask))
    _name_unknown(files, report)
    expect_writable(work, [*files, mask])
    return work


def _pairs(photos: Path, masks: Path, out: Path, mask_suffix: str | None, ending: str, report: FolderReport) -> Work:
    """Every photo of a folder with each of its masks; whatever has no counterpart goes into the report."""
    apart = os.path.realpath(photos) != os.path.realpath(masks)
    photo_files = _files(photos, out, masks)
    mask_files = _files(masks, out, photos) if apart else photo_files
    named: dict[tuple[str, str], list[Path]] = {}  # masks by their place and the name of the photo they may be for
    for mask in mask_files:
        for name in _names_for(mask, mask_suffix):
            named.setdefault((_place(mask, masks), name), []).append(mask)

    def masks_of(photo: Path) -> list[Path]:
        places = dict.fromkeys((".", _place(photo, photos)))
        return sorted(mask for place in places for mask in named.get((place, _stem(photo)), ()) if mask != photo)

    work: Work = {}
    used: set[Path] = set()
    alone: list[Path] = []
    for photo in filter(_is_picture, photo_files):
        if photo in used and not apart:
            continue  # in a folder of both, it is a mask
        its_own = masks_of(photo)
        readable = list(filter(_is_picture, its_own))
        used.update(readable)
        for mask in readable:
            target = (out / photo.relative_to(photos)).with_name(f"{mask.stem}{ending}")
            work.setdefault(target, []).append((photo, mask))
        if its_own and not readable and apart:
            report.left_out.append(f"{photo}: its mask is {its_own[0]}, which is not read")
        elif not readable:
            alone.append(photo)
    elsewhere = {name: masks_there[0] for (_, name), masks_there in named.items() if _is_picture(masks_there[0])}
    for photo in alone:
        if _stem(photo) in elsewhere and apart:
            report.left_out.append(f"{photo}: its mask is in another folder, {elsewhere[_stem(photo)]}")
        elif photo not in used:
            report.left_out.append(f"{photo}: no mask of this name in {masks}")
    if apart:
        waiting = {mask: file for file in photo_files if not _is_picture(file) for mask in masks_of(file)}
        by_name = {_stem(photo): photo for photo in filter(_is_picture, photo_files)}
        for mask in filter(_is_picture, mask_files):
            if mask in used:
                continue
            why = f"no photo of this name in {photos}"
            if mask in waiting:
                why = f"its photo is {waiting[mask]}, which is not read"
            for name in _names_for(mask, mask_suffix):
                if name in by_name:
                    why = f"its photo is in another folder, {by_name[name]}"
            report.left_out.append(f"{mask}: {why}")
    _name_unknown(dict.fromkeys([*photo_files, *mask_files]), report)
    expect_writable(work, [*photo_files, *mask_files])
    return work


def _name_unknown(files: Iterable[Path], report: FolderReport) -> None:
    for file in files:
        if not _is_picture(file):
            ending = f"the ending {file.suffix}" if file.suffix else "no ending"
            report.left_out.append(f"{file}: not read, for it has {ending}; save it as PNG or JPEG if it is a picture")
