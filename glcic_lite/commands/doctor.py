"""python -m glcic_lite doctor: what a working installation needs, and what to do where something is missing."""

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

import typer

from glcic_lite import files

OPENCV_PACKAGES = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


class Check(NamedTuple):
    name: str
    ok: bool
    finding: str


def doctor() -> None:
    """Check this installation: versions, device, weights, photos. Exit status 1 if something is missing."""
    healthy = True
    for check in checks():
        healthy &= check.ok
        print(f"{'OK     ' if check.ok else 'PROBLEM'}  {check.name}: {check.finding}")
    raise typer.Exit(0 if healthy else 1)


def needed_packages() -> list[str]:
    """This package and everything in its pyproject.toml except the extras."""
    try:
        requirements = importlib.metadata.requires("glcic-lite") or []
    except importlib.metadata.PackageNotFoundError:
        requirements = []
    return ["glcic-lite", *(re.split(r"[^\w.-]", line)[0] for line in requirements if "extra ==" not in line)]


def opencv_check() -> Check:
    """Whether exactly one of OpenCV's four packages is installed, and the one with the fills of xphoto.

    All four bring a folder `cv2`: each overwrites the others', and uninstalling one takes files from the rest.
    """
    found = [name for name in OPENCV_PACKAGES if _is_installed(name)]
    wanted = "opencv-contrib-python-headless"
    repair = f"run: pip uninstall -y {' '.join(OPENCV_PACKAGES)} && pip install {wanted}"
    if len(found) > 1:
        return Check("OpenCV", False, f"{' and '.join(found)} overwrite each other's files; {repair}")
    try:
        import cv2
    except ImportError as error:
        return Check("OpenCV", False, f"cannot be imported ({error}); {repair}")
    if not hasattr(cv2, "xphoto"):
        return Check("OpenCV", False, f"lacks the module xphoto; {repair}")
    return Check("OpenCV", True, f"{cv2.__version__}, with xphoto")


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def checks() -> Iterator[Check]:
    """Python, packages, device, weights and photos, one after the other."""
    version = ".".join(map(str, sys.version_info[:3]))
    recent = sys.version_info >= (3, 11)
    yield Check("Python", recent, version if recent else f"{version}; the course needs 3.11 or newer")
    for package in needed_packages():
        try:
            yield Check(package, True, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            yield Check(package, False, "missing; run: pip install -r requirements.txt")

    yield opencv_check()

    from glcic_lite.device import choose_device, describe
    from glcic_lite.method.networks import CompletionNetwork, ContextDiscriminator, count_parameters
    from glcic_lite.method.photos import PhotoError, list_photos
    from glcic_lite.method.pretrained import WeightsError

    yield Check("device", True, describe(choose_device()))
    for kind, name in ((CompletionNetwork, "weights"), (ContextDiscriminator, "discriminators")):
        try:
            network = kind.from_pretrained()
            yield Check(name, True, f"the shipped ones, {count_parameters(network):,} parameters")
        except WeightsError as error:
            yield Check(name, False, f"{error}; restore them: git checkout -- glcic_lite/weights")
    photos = files.DATA / "photos"
    try:
        yield Check("photos", True, f"{len(list_photos(photos))} in {photos}")
    except PhotoError as error:
        yield Check("photos", False, f"{error}; the lessons need the repository's data folder")
