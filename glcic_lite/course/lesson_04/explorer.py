"""Feature maps to browse: what any channel of any layer makes of a photo with a hole."""

import numpy as np
from PIL import Image

from glcic_lite.course.lesson_04.features import as_grey, depth_below, feature_maps
from glcic_lite.course.shared.explorers import Explorer, Scene, menu, whole_number, words
from glcic_lite.course.shared.figures import HIGHLIGHT, HOLE, QUIET
from glcic_lite.course.shared.sketch import SCALE, Sketch, legend
from glcic_lite.method.architecture import COMPLETION_NETWORK
from glcic_lite.method.masks import mask_to_tensor
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.photos import photo_to_tensor

WIDTH, HEIGHT = 940, 412
LARGE, SMALL, GAP = 350, 128, 10  # sides of the pictures, and the room between them, in points
COLUMNS, ROWS = 4, 2
ORDERS = {
    "those that vary most come first": "varied",
    "those strongest in the hole come first": "hole",
    "by their numbers": "number",
}
INPUT_NAMES = ("red", "green", "blue", "the mask")


class FeatureExplorer(Explorer):
    """A slider for the layer, one for the channel, and an order for the channels.

    Args:
        network: a completion network; it runs once, here.
        photo: (H, W, 3) uint8, square.
        mask: (H, W) bool, True in the hole.
        **settings: where the controls start.
    """

    words_height = 92

    def __init__(self, network: CompletionNetwork, photo: np.ndarray, mask: np.ndarray, **settings):
        device = network.mean_colour.device
        maps = feature_maps(network, photo_to_tensor(photo).to(device), mask_to_tensor(mask).to(device))
        self._maps = [values[0].float().cpu() for values in maps]
        self._mask = mask
        self._outlines = {side: _outline(mask, side * SCALE) for side in (LARGE, SMALL)}
        self._orders = [self._order(values) for values in self._maps]
        super().__init__(**settings)

    def controls(self):
        controls = {
            "layer": whole_number("layer", 0, 0, len(COMPLETION_NETWORK)),
            "channel": whole_number("channel", 1, 1, len(self._maps[0])),
            "order": menu("channels", ORDERS),
        }
        return controls

    def adapt(self):
        channels = len(self._maps[self._controls["layer"].value])
        slider = self._controls["channel"]
        if slider.max != channels:
            slider.value = min(slider.value, channels)
            slider.max = channels

    def scene(self, layer, channel, order):
        maps, places = self._maps[layer], self._orders[layer][order]
        chosen = int(places[channel - 1])
        sketch = Sketch(WIDTH, HEIGHT)
        top = 30
        sketch.text(4, 13, _title(layer, chosen), 14, anchor="lm", bold=True)
        self._paste(sketch, maps[chosen], 4, top, LARGE)
        sketch.rectangle(3, top - 1, LARGE + 2, LARGE + 2, None, HIGHLIGHT, 3)
        page = (channel - 1) // (COLUMNS * ROWS) * COLUMNS * ROWS
        for place in range(page, min(page + COLUMNS * ROWS, len(maps))):
            x = 4 + LARGE + 22 + (place - page) % COLUMNS * (SMALL + GAP)
            y = top + 18 + (place - page) // COLUMNS * (SMALL + 34)
            number = int(places[place])
            self._paste(sketch, maps[number], x, y, SMALL)
            if place == channel - 1:
                sketch.rectangle(x - 1, y - 1, SMALL + 2, SMALL + 2, None, HIGHLIGHT, 3)
            name = INPUT_NAMES[number] if layer == 0 else f"channel {number + 1}"
            sketch.text(x + SMALL / 2, y + SMALL + 11, name, 11.5)
        last = min(page + COLUMNS * ROWS, len(maps))
        sketch.text(4 + LARGE + 22, top + 4, f"channels {page + 1} to {last} of {len(maps)}, in the chosen order",
                    12.5, anchor="lm")  # fmt: skip
        legend(
            sketch,
            HEIGHT - 13,
            [
                ("cell", "#ffffff", "large value"),
                ("cell", "#000000", "smallest value"),
                ("frame", HOLE, "pink line: rim of the hole"),
                ("frame", HIGHLIGHT, "the channel shown large"),
            ],
            left=8,
        )
        return Scene(sketch, words(*self._description(layer, chosen)))

    def _description(self, layer: int, chosen: int) -> tuple[str, str]:
        values = self._maps[layer]
        shape = f"{values.shape[0]} channels of {values.shape[1]} × {values.shape[2]}"
        if layer == 0:
            return (
                f"The network's input: {shape}. Red, green and blue minus the mean colour, and the mask.",
                "In the hole the three colours are exactly 0: the mean colour, with no trace of what was there.",
            )
        row = COMPLETION_NETWORK[layer - 1]
        kind = "the " + row.kind if row.kind == "output" else "a " + row.kind
        kind += f" with dilation {row.dilation}" if row.dilation > 1 else ""
        kind += ", which halves the size" if row.stride > 1 else ", which doubles the size" if row.upsamples else ""
        deep = self._depth(values) > self._depth(values).max() * 0.6
        outside = self._depth(values) == 0
        on = (values[chosen] > 0).float()
        hole = self._depth(values) > 0
        switched = (
            ""
            if row.kind == "output"
            else f"Channel {chosen + 1} is above zero at {float(on[hole].mean()):.0%} of the positions in the hole, "
            f"{float(on[outside].mean()):.0%} outside. "
        )
        varies = ""
        if deep.sum() > 1 and outside.sum() > 1:  # else there is nothing to compare
            share = float(values[:, deep].std(1).mean() / values[:, outside].std(1).mean())
            varies = (
                f"Over all channels, the deep middle of the hole varies <b>{share:.0%}</b> as much as what is outside."
            )
        return f"Layer {layer}, {kind}: {shape}.", switched + varies

    def _depth(self, values) -> np.ndarray:
        jump = self._mask.shape[0] // values.shape[1]
        return depth_below(self._mask)[::jump, ::jump]

    def _order(self, values) -> dict[str, np.ndarray]:
        hole = self._depth(values) > 0
        return {
            "varied": np.argsort(-values.flatten(1).std(1).numpy(), kind="stable"),
            "hole": np.argsort(-values[:, hole].mean(1).numpy(), kind="stable"),
            "number": np.arange(len(values)),
        }

    def _paste(self, sketch: Sketch, channel, left: float, top: float, side: int) -> None:
        grey = Image.fromarray(np.rint(as_grey(channel) * 255).astype(np.uint8))
        grey = grey.resize((side * SCALE, side * SCALE), Image.Resampling.NEAREST).convert("RGB")
        grey.paste(Image.new("RGB", grey.size, HOLE), mask=self._outlines[side])
        sketch.photo(grey, left, top, side, side)
        sketch.rectangle(left, top, side, side, None, QUIET, 0.5)


def _title(layer: int, chosen: int) -> str:
    if layer == 0:
        return f"input: {INPUT_NAMES[chosen]}"
    return f"after layer {layer}: channel {chosen + 1}"


def _outline(mask: np.ndarray, side: int) -> Image.Image:
    """The rim of the hole as a line: a greyscale image of side × side pixels to paste a colour through."""
    large = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize((side, side), Image.Resampling.BILINEAR))
    depth = depth_below(large >= 128)
    return Image.fromarray(((depth > 0) & (depth <= 3)).astype(np.uint8) * 255)
