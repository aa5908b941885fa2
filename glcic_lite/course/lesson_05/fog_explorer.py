"""Slide between two networks, one that paints fog and one that paints texture, and see what they fill a hole with."""

import copy
from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from glcic_lite.course.lesson_05.this_hole import between, close_up, filled
from glcic_lite.course.shared.discriminator_scores import CROP, CropWithHole
from glcic_lite.course.shared.explorers import Explorer, Scene, menu, words
from glcic_lite.course.shared.figures import HOLE, with_hole
from glcic_lite.course.shared.sketch import Sketch
from glcic_lite.evaluation.metrics import gradient_energy_ratio, hole_psnr
from glcic_lite.method.masks import Box
from glcic_lite.method.networks import CompletionNetwork

WIDTH, TOP, SIDE = 930, 30, 288
HEIGHT = TOP + SIDE + 12
LEFTS = (12, 321, 630)  # of the three panels
BEYOND = 150  # per cent; above 100 the weights run on in the same direction


class FogExplorer(Explorer):
    """A slider from fog, 0 %, to the GAN loss, 100 %, and a menu of photos.

    Args:
        network: any of the two; it stays as it is.
        fog, sharp: the weights at both ends of the slider.
        crops: by the names that the menu shows.
    """

    words_height = 60
    columns = "repeat(auto-fit, minmax(max(250px, 40%), 1fr))"  # two

    def __init__(
        self, network: CompletionNetwork, fog: dict[str, Tensor], sharp: dict[str, Tensor],
        crops: dict[str, CropWithHole], **settings,
    ):  # fmt: skip
        self._crops = crops
        mixed = copy.deepcopy(network).cpu().eval()

        @lru_cache(maxsize=64)  # coming back to a place takes no time
        def fill(photo: str, share: int) -> np.ndarray:
            mixed.load_state_dict(between(fog, sharp, share / 100))
            with torch.inference_mode():
                return filled(mixed, [crops[photo]])[0]

        self._fill = fill
        super().__init__(**settings)

    def controls(self):
        slider = widgets.IntSlider(
            100, 0, BEYOND, 10, description="GAN loss, %", continuous_update=True, style={"description_width": "98px"}
        )
        return {"photo": menu("photo", self._crops.keys()), "share": slider}

    def scene(self, photo, share):
        crop = self._crops[photo]
        picture = self._fill(photo, share)
        texture = gradient_energy_ratio(crop.photo, picture, crop.mask)
        where = close_up(crop.hole)
        sketch = Sketch(WIDTH, HEIGHT)
        panels = (
            ("the hole", with_hole(crop.photo, crop.mask), Box(0, 0, CROP, CROP)),
            (f"filled, {share} %", picture, where),
            ("the photo", crop.photo, where),
        )
        for left, (title, shown, part) in zip(LEFTS, panels, strict=True):
            sketch.text(left + SIDE / 2, 14, title, 14, bold=True)
            sketch.photo(Image.fromarray(shown[part.slices]), left, TOP, SIDE, SIDE)
            zoom = SIDE / part.width
            sketch.dashed_rectangle(
                left + (crop.hole.left - part.left) * zoom, TOP + (crop.hole.top - part.top) * zoom,
                crop.hole.width * zoom, crop.hole.height * zoom, HOLE,
            )  # fmt: skip
        place = (
            "the squared error alone" if share == 0 else "with the GAN loss" if share == 100
            else "between the two" if share < 100 else "beyond what was trained"
        )  # fmt: skip
        return Scene(
            sketch,
            words(
                f"{share} %, {place}: the hole has <b>{texture:.0%} of the photo's texture</b>, and its PSNR is "
                f"<b>{hole_psnr(crop.photo, picture, crop.mask):.1f} dB</b> (more is nearer to the photo)."
            ),
        )
