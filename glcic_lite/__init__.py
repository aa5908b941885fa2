"""GLCIC lite: globally and locally consistent image completion (Iizuka et al., 2017), small enough to read."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glcic_lite.method.masks import MaskError
    from glcic_lite.method.networks import CompletionNetwork, ContextDiscriminator
    from glcic_lite.method.photos import PhotoError
    from glcic_lite.method.pretrained import WeightsError
    from glcic_lite.method.scale import scale_of
    from glcic_lite.speed.completion import complete
    from glcic_lite.speed.stopping import Stopped

__all__ = [
    "CompletionNetwork",
    "ContextDiscriminator",
    "MaskError",
    "PhotoError",
    "Stopped",
    "WeightsError",
    "complete",
    "scale_of",
]
MODULES = {
    "MaskError": "method.masks",
    "CompletionNetwork": "method.networks",
    "ContextDiscriminator": "method.networks",
    "PhotoError": "method.photos",
    "WeightsError": "method.pretrained",
    "complete": "speed.completion",
    "Stopped": "speed.stopping",
    "scale_of": "method.scale",
}


def __getattr__(name: str):
    """The names above are imported when first used: the command line's --help need not wait seconds for PyTorch."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
