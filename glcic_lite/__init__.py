"""GLCIC lite: globally and locally consistent image completion (Iizuka et al., 2017), small enough to read."""

from glcic_lite.method.masks import MaskError
from glcic_lite.method.networks import CompletionNetwork, ContextDiscriminator
from glcic_lite.method.photos import PhotoError
from glcic_lite.method.pretrained import WeightsError
from glcic_lite.speed.completion import complete

__all__ = ["CompletionNetwork", "ContextDiscriminator", "MaskError", "PhotoError", "WeightsError", "complete"]
