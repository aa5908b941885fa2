"""Move a hole about a photo; see what each of the two discriminators gets, and what they say of it."""

import numpy as np
import torch
from PIL import Image

from glcic_lite.course.shared.discriminator_scores import CROP, PATCH, fills, scores, views
from glcic_lite.course.shared.explorers import Explorer, Scene, menu, whole_number, words
from glcic_lite.course.shared.figures import HIGHLIGHT, HOLE, with_hole
from glcic_lite.course.shared.samples import sample_photo
from glcic_lite.course.shared.sketch import Sketch, legend
from glcic_lite.method.masks import Box, box_mask, local_patch
from glcic_lite.method.networks import CompletionNetwork, ContextDiscriminator

WIDTH, HEIGHT, TOP, SIDE = 930, 352, 30, 288
LEFTS = (12, 321, 630)  # of the three panels

# A crop of CROP x CROP from each, after the photo's short edge is reduced to 240 px: (name, left, top).
SCENES = {
    "bridge": ("pont-du-gard", 110, 60),
    "meerkats": ("meerkats", 60, 8),
    "castle": ("nagoya-castle", 60, 30),
    "spices": ("spice-market-sacks", 60, 60),
}


def scene_photo(name: str) -> np.ndarray:
    """(CROP, CROP, 3) uint8."""
    photo, left, top = SCENES[name]
    small = sample_photo(photo)
    scale = 240 / min(small.size)
    small = small.resize((round(small.width * scale), round(small.height * scale)), Image.Resampling.LANCZOS)
    return np.asarray(small.crop((left, top, left + CROP, top + CROP)))


class DiscriminatorExplorer(Explorer):
    """The hole is dragged; sliders for its size, menus for photo and fill.

    Args:
        discriminators: those that are asked.
        network: completes the photo where the fill is "network".
    """

    words_height = 86
    columns = "repeat(auto-fit, minmax(max(250px, 40%), 1fr))"  # two
    dragged = ("left", "top")

    def __init__(self, discriminators: ContextDiscriminator, network: CompletionNetwork, **settings):
        self._discriminators, self._fills = discriminators, fills(network)
        self._photos = {name: scene_photo(name) for name in SCENES}
        super().__init__(**settings)

    def controls(self):
        return {
            "photo": menu("photo", SCENES.keys()),
            "fill": menu("the hole holds", self._fills.keys(), "network"),
            "width": whole_number("hole's width", 40, 8, 96),
            "height": whole_number("hole's height", 32, 8, 96),
            "left": whole_number("left edge", 44, 0, CROP - 8),
            "top": whole_number("upper edge", 48, 0, CROP - 8),
        }

    def adapt(self):
        self._controls["left"].max = CROP - self._controls["width"].value
        self._controls["top"].max = CROP - self._controls["height"].value

    def scene(self, photo, fill, width, height, left, top):
        original = self._photos[photo]
        hole = Box(left, top, left + width, top + height)
        patch = local_patch(hole, PATCH, (CROP, CROP))
        mask = box_mask((CROP, CROP), hole)
        filled = self._fills[fill](original, mask)
        both = zip(views(filled, patch), views(original, patch), strict=True)
        logits = scores(self._discriminators, *(torch.stack(view) for view in both))
        of_fill, of_photo = torch.sigmoid(logits).tolist()
        return Scene(
            _sketch(original, filled, mask, hole, patch, self.draggable("hole", "left", "top", SIDE / CROP)),
            words(
                _patch_in_words(hole, patch),
                f"The two together say: <b>{of_fill:.0%} real</b>"
                + ("." if fill == "photo" else f" (of the untouched photo, seen in the same place: {of_photo:.0%})."),
            ),
        )


def _patch_in_words(hole: Box, patch: Box) -> str:
    """Where the patch lies, in words, and why."""
    asked = ((hole.left + hole.right - PATCH) // 2, (hole.top + hole.bottom - PATCH) // 2)
    across, down = patch.left - asked[0], patch.top - asked[1]
    moves = [f"{abs(n)} px {side[n > 0]}" for n, side in ((across, ("left", "right")), (down, ("up", "down"))) if n]
    text = f"The hole is {hole.width} × {hole.height} px. "
    if moves:
        text += f"Centred on it, the patch of {PATCH} px would reach over the border: it moves {' and '.join(moves)}."
    else:
        text += f"The patch of {PATCH} px lies centred on it."
    if hole.width > PATCH or hole.height > PATCH:
        unknown = ", and sees no known pixel" if hole.width >= PATCH and hole.height >= PATCH else ""
        text += f" <b>The hole is larger than the patch</b>: the local discriminator misses part of it{unknown}."
    elif hole.width == hole.height == PATCH:
        text += " The local discriminator sees no known pixel."
    return text


def _sketch(original: np.ndarray, filled: np.ndarray, mask: np.ndarray, hole: Box, patch: Box, drag: dict) -> Sketch:
    sketch = Sketch(WIDTH, HEIGHT)
    titles = ("drag the hole", f"global gets {CROP} × {CROP} px", f"local gets {PATCH} × {PATCH} px")
    pictures = (with_hole(original, mask), filled, filled[patch.slices])
    for left, title, picture in zip(LEFTS, titles, pictures, strict=True):
        sketch.text(left + SIDE / 2, 14, title, 14, bold=True)
        sketch.photo(Image.fromarray(picture), left, TOP, SIDE, SIDE)
    zoom = SIDE / CROP
    x, y = LEFTS[0] + patch.left * zoom, TOP + patch.top * zoom
    sketch.rectangle(x, y, patch.width * zoom, patch.height * zoom, None, HIGHLIGHT, 3.5)
    x, y = LEFTS[0] + hole.left * zoom, TOP + hole.top * zoom
    sketch.rectangle(x, y, hole.width * zoom, hole.height * zoom, None, HOLE, 2, drag=drag)
    for left, box, scale in (
        (LEFTS[1], hole, zoom),
        (LEFTS[2], _relative(hole, patch), SIDE / PATCH),
    ):
        x, y = left + box.left * scale, TOP + box.top * scale
        sketch.dashed_rectangle(x, y, box.width * scale, box.height * scale, HOLE)
    legend(
        sketch, HEIGHT - 14,
        [("cell", HOLE, "hole"), ("frame", HIGHLIGHT, "the local discriminator's patch"),
         ("dashed", HOLE, "where the hole was (not shown to the discriminators)")],
    )  # fmt: skip
    return sketch


def _relative(hole: Box, patch: Box) -> Box:
    """The part of the hole that lies in the patch, counted from the patch's corner."""
    return Box(
        max(hole.left, patch.left) - patch.left,
        max(hole.top, patch.top) - patch.top,
        min(hole.right, patch.right) - patch.left,
        min(hole.bottom, patch.bottom) - patch.top,
    )
