"""The theatre of arithmetic: a stage with Play, Step and a speed, for the plays of plays.py.

Without a kernel it is an animated PNG, drawn from the same sketches; a reader that shows no animation shows its first
picture, the finished one.
"""

import base64
import io

import ipywidgets as widgets
import numpy as np
from PIL import Image, ImageColor

from glcic_lite.course.shared.explorers import WIDEST
from glcic_lite.course.shared.plays import WIDTH, Frame, Play, dilated, stamps, strided, zeros_inserted
from glcic_lite.course.shared.stage import Stage, as_changes

PLAYS = {"strided": strided, "dilated": dilated, "stamps": stamps, "zeros": zeros_inserted}
STILL_WIDTH = 720  # of the animated picture, in pixels; larger, it would be a large file
COLOURS = 32
LONG, SHORT = 1500, 700  # milliseconds: for a frame of a short play, of a long one
REST = 3000  # milliseconds that the first and the last picture of a play stay


class ArithmeticTheatre(Stage):
    """Strided, dilated and transposed convolution on one stage.

    Args:
        play: what the stage opens with, and whose picture readers without a kernel get: "strided", "dilated",
            "stamps" or "zeros". All four can be chosen on the stage.

    Raises:
        ValueError: there is no such play.
    """

    def __init__(self, play: str):
        if play not in PLAYS:
            raise ValueError(f"there is no play {play!r}: choose from {', '.join(PLAYS)}")
        plays = {name: make() for name, make in PLAYS.items()}
        self._opening = plays[play]
        super().__init__(
            scenes=[{"name": one.name, "frames": as_changes(_for_browser(one))} for one in plays.values()],
            scene=list(PLAYS).index(play),
            words_height=64,
            layout=widgets.Layout(width="100%", max_width=WIDEST),
        )

    def _repr_mimebundle_(self, **kwargs):
        """The live stage and, for readers without a kernel, its moving picture."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        data["image/png"] = base64.b64encode(animated_png(self._opening)).decode()
        data["text/plain"] = "ArithmeticTheatre: run this cell to play it"
        return data, {**metadata, "image/png": {"width": STILL_WIDTH, "alt": self._opening.about}}


def _for_browser(play: Play) -> list[dict]:
    return [{"sketch": frame.sketch.for_browser(), "words": frame.words} for frame in play.frames]


def animated_png(play: Play) -> bytes:
    """A play as a picture that moves: an animated PNG, repeated without end. It begins with the finished output."""
    pace = LONG if len(play.frames) < 12 else SHORT
    frames = [play.frames[-1], *play.frames]
    times = [REST, REST, *[pace] * (len(play.frames) - 2), REST]
    shots = [frame.sketch.drawn(STILL_WIDTH / WIDTH) for frame in frames]
    palette = _palette(frames, shots)
    pictures = [np.asarray(shot.quantize(palette=palette, dither=Image.Dither.NONE)) for shot in shots]
    # What has not changed since the picture before is transparent: that makes the file a third as large.
    layers = [pictures[0]]
    layers += [np.where(now == then, COLOURS, now) for then, now in zip(pictures, pictures[1:], strict=False)]
    images = [Image.fromarray(layer.astype(np.uint8), "P") for layer in layers]
    for image in images:
        image.putpalette(palette.getpalette()[: 3 * COLOURS] + [255] * 3)
    buffer = io.BytesIO()
    images[0].save(
        buffer, format="PNG", save_all=True, append_images=images[1:], duration=times, loop=0, optimize=True,
        transparency=COLOURS, blend=1, disposal=0,
    )  # fmt: skip
    return buffer.getvalue()


def _palette(frames: list[Frame], shots: list[Image.Image]) -> Image.Image:
    """Colours for all frames: exactly those that were drawn with; the rest for the edges of letters."""
    used = {mark.get(part) for frame in frames for mark in frame.sketch.marks for part in ("fill", "line")}
    exact = sorted({ImageColor.getrgb(colour) for colour in used if colour})
    together = Image.fromarray(np.concatenate([np.asarray(shot) for shot in shots]))
    edges = together.quantize(COLOURS - len(exact)).getpalette()
    palette = Image.new("P", (1, 1))
    palette.putpalette(([part for colour in exact for part in colour] + edges)[: 3 * COLOURS])
    return palette
