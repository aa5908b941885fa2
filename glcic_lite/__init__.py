"""GLCIC lite: globally and locally consistent image completion (Iizuka et al., 2017), small enough to read."""

from glcic_lite.completion import complete
from glcic_lite.masks import MaskError
from glcic_lite.networks import CompletionNetwork, ContextDiscriminator
from glcic_lite.photos import PhotoError
from glcic_lite.pretrained import WeightsError

__all__ = ["CompletionNetwork", "ContextDiscriminator", "MaskError", "PhotoError", "WeightsError", "complete"]
