"""What a working installation needs, checked one by one, each with what to do if it is missing."""

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

from glcic_lite.device import choose_device, describe
from glcic_lite.files import DATA
from glcic_lite.method.networks import CompletionNetwork, ContextDiscriminator, count_parameters
from glcic_lite.method.photos import PhotoError, list_photos
from glcic_lite.method.pretrained import WeightsError

PHOTOS = DATA / "photos"


class Check(NamedTuple):
    name: str
    ok: bool
    finding: str


def needed_packages() -> list[str]:
    """This package, and all that its pyproject.toml asks for but for the extras."""
    try:
        requirements = importlib.metadata.requires("glcic-lite") or []
    except importlib.metadata.PackageNotFoundError:
        requirements = []
    return ["glcic-lite", *(re.match(r"[\w.-]+", line)[0] for line in requirements if "extra ==" not in line)]


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
    yield Check("device", True, describe(choose_device()))
    for kind, name in ((CompletionNetwork, "weights"), (ContextDiscriminator, "discriminators")):
        try:
            network = kind.from_pretrained()
            yield Check(name, True, f"the shipped ones, {count_parameters(network):,} parameters")
        except WeightsError as error:
            yield Check(name, False, f"{error}; fetch the repository again: git checkout -- glcic_lite/weights")
    try:
        yield Check("photos", True, f"{len(list_photos(PHOTOS))} in {PHOTOS.name}/")
    except PhotoError as error:
        yield Check("photos", False, f"{error}; the lessons need the repository's data folder")
