"""Choose a photo, the size of the hole and its place, and see every fill with its numbers."""

import base64
import io
from functools import lru_cache

import numpy as np
from PIL import Image

from glcic_lite.course.lesson_09.figures import window_around
from glcic_lite.course.shared.explorers import Explorer, Scene, menu, whole_number, words
from glcic_lite.course.shared.figures import HOLE, OUTPUT, QUIET, with_hole
from glcic_lite.course.shared.samples import sample_photo
from glcic_lite.course.shared.sketch import INK, Sketch
from glcic_lite.evaluation.fills import every_fill
from glcic_lite.evaluation.metrics import measure_all
from glcic_lite.method.masks import Box, box_mask
from glcic_lite.method.networks import CompletionNetwork

SIDE, GAP, TOP, BELOW = 222, 14, 24, 42  # of a panel, between panels, above and below each, in points
ACROSS, DOWN = 4, 2
WIDTH = ACROSS * (SIDE + GAP) - GAP
HEIGHT = DOWN * (TOP + SIDE + BELOW)
CROP = 256
LARGEST = 96
MARGIN = 28  # shown around the hole, in pixels

# A crop of CROP x CROP from each, the photo reduced to 640 px first: (left, top).
SCENES = {
    "petra-treasury": (150, 110),
    "wildflower-meadow": (200, 100),
    "river-otters": (150, 60),
    "nagoya-castle": (250, 80),
    "stone-wall-and-sky": (180, 90),
    "citrus-slices": (180, 90),
    "pont-du-gard": (180, 90),
    "meerkats": (160, 20),
}


class FillExplorer(Explorer):
    """The hole is dragged; a menu for the photo, a slider for the hole's side.

    Args:
        network: its fill is compared with the classical ones.
    """

    words_height = 60
    dragged = ("left", "top")

    def __init__(self, network: CompletionNetwork, **settings):
        photos = {
            name: np.asarray(sample_photo(name, 640).crop((left, top, left + CROP, top + CROP)))
            for name, (left, top) in SCENES.items()
        }

        @lru_cache(maxsize=64)  # returning to a hole takes no time
        def filled(photo: str, side: int, left: int, top: int):
            mask = box_mask((CROP, CROP), Box(left, top, left + side, top + side))
            found = every_fill(photos[photo], mask, network)
            numbers = {name: measure_all(photos[photo], result, mask) for name, result in found.items()}
            return photos[photo], mask, found, numbers

        self.network, self._filled = network, filled
        super().__init__(**settings)

    def controls(self):
        return {
            "photo": menu("photo", SCENES.keys()),
            "side": whole_number("hole's side", 48, 8, LARGEST),
            "left": whole_number("left edge", 104, 0, CROP - 8),
            "top": whole_number("upper edge", 104, 0, CROP - 8),
        }

    def adapt(self):
        for name in ("left", "top"):
            self._controls[name].max = CROP - self._controls["side"].value

    def scene(self, photo, side, left, top):
        original, mask, filled, numbers = self._filled(photo, side, left, top)
        order = ["mean colour", "harmonic", "Telea", "Navier-Stokes", "network", "network, blended"]
        best = {metric: max(order, key=lambda name: numbers[name][metric]) for metric in ("psnr", "ssim")}
        textured = [name for name in order if not np.isnan(numbers[name]["texture"])]
        nearest = "the photo itself has no texture here"
        if textured:
            nearest = min(textured, key=lambda name: abs(numbers[name]["texture"] - 1))
            nearest = f"texture nearest to the photo's: <b>{nearest}</b>"
        sketch = Sketch(WIDTH, HEIGHT)
        panels = [("the photo", original, None)]
        panels += [(name, filled[name], numbers[name]) for name in order]
        window = window_around(mask, MARGIN)
        sketch.text(SIDE / 2, TOP / 2, "drag the hole", 14, bold=True)
        sketch.photo(Image.fromarray(with_hole(original, mask)), 0, TOP, SIDE, SIDE)
        zoom = SIDE / CROP
        place = left * zoom, TOP + top * zoom
        drag = self.draggable("hole", "left", "top", zoom)
        sketch.rectangle(*place, side * zoom, side * zoom, None, HOLE, 2, drag=drag)
        for number, (name, picture, measured) in enumerate(panels, 1):
            x, y = number % ACROSS * (SIDE + GAP), number // ACROSS * (TOP + SIDE + BELOW)
            sketch.text(x + SIDE / 2, y + TOP / 2, name, 14, bold=True)
            shown = Image.fromarray(np.ascontiguousarray(picture[window.slices]))
            sketch.photo(shown, x, y + TOP, SIDE, SIDE)
            if measured:
                zoom = SIDE / window.width
                hole = x + (left - window.left) * zoom, y + TOP + (top - window.top) * zoom
                sketch.dashed_rectangle(*hole, side * zoom, side * zoom, "#ffffff")
                texture = f"   texture {measured['texture']:.2f}" if textured else ""
                lines = f"PSNR {measured['psnr']:.1f} dB", f"SSIM {measured['ssim']:.2f}{texture}"
                for line, text in enumerate(lines):
                    first = line == 0 and name == best["psnr"]
                    sketch.text(
                        x + SIDE / 2, y + TOP + SIDE + 11 + 17 * line, ("★ " if first else "") + text, 12.5,
                        OUTPUT if first else QUIET if not line else INK, bold=first,
                    )  # fmt: skip
        return Scene(
            sketch,
            words(
                f"A hole of {side} × {side} px. Highest PSNR (★): <b>{best['psnr']}</b>; highest SSIM: "
                f"<b>{best['ssim']}</b>; {nearest}. Which one would you keep?"
            ),
        )

    def _repr_mimebundle_(self, **kwargs):
        """As for every explorer, but the picture that stands in for it is a JPEG, because it contains eight photos."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        buffer = io.BytesIO()
        image = self.picture()
        image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(
            buffer, format="JPEG", quality=48, optimize=True, progressive=True
        )
        del data["image/png"]
        data["image/jpeg"] = base64.b64encode(buffer.getvalue()).decode()
        return data, {"image/jpeg": {"width": WIDTH, "alt": metadata["image/png"]["alt"]}}
