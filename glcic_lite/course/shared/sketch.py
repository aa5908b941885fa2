"""Drawings of grids of pixels: a list of rectangles, lines, words and photos, which two hands can draw.

In a running notebook the browser draws them (browser/stage.js), so that they follow the theme and the width of the
window, stay sharp on a projector, and can be clicked. `image` draws the same list with Pillow, for readers without a
kernel. Lengths are in points of the page.
"""

import base64
import io
from functools import cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from glcic_lite.course.shared.figures import QUIET

SCALE = 2  # pixels of `image` for one point on the page
INK = "#1b1f24"
USUAL = {"thickness": 1, "anchor": "mm"}  # not sent to the browser, to keep a drawing small
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


class Tint(str):
    """A colour mixed with white, as a hexadecimal string that remembers what it was mixed from.

    In a dark theme the browser mixes the colour with the dark ground instead.
    """

    colour: str
    strength: float


def tint(colour: str, strength: float) -> Tint:
    """A colour mixed with white: 0 is white, 1 the colour itself."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    mixed = Tint("#" + "".join(f"{round(255 + (part - 255) * strength):02x}" for part in parts))
    mixed.colour, mixed.strength = colour, strength
    return mixed


PAPER = tint(INK, 0)  # the ground: white, or dark in a dark theme


@cache
def font(pixels: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib, so that every machine draws the same."""
    return ImageFont.truetype(FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"), pixels)


class Sketch:
    """An empty page to draw on.

    Each mark is a dictionary, so that it can be sent to the browser as it is. The methods return it; more entries may
    be added: `click`, the settings that a click on it sets, and `hidden`, which keeps a place in the list without being
    seen, so that a mark can fade in later (see theatre.py).

    Args:
        width, height: in points.
    """

    def __init__(self, width: int, height: int):
        self.width, self.height = width, height
        self.marks: list[dict] = []

    def rectangle(
        self, left: float, top: float, width: float, height: float, fill: str | None = None, line: str | None = None,
        thickness: float = 1, dashed: bool = False, **more,
    ) -> dict:  # fmt: skip
        """A filled or outlined box."""
        return self._add(
            kind="rectangle", x=left, y=top, width=width, height=height, fill=fill, line=line, thickness=thickness,
            dashed=dashed, **more,
        )  # fmt: skip

    def dashed_rectangle(self, left: float, top: float, width: float, height: float, line: str, **more) -> dict:
        """An outline of dashes: for what is not really there, such as padding."""
        return self.rectangle(left, top, width, height, None, line, dashed=True, **more)

    def line(
        self, x0: float, y0: float, x1: float, y1: float, colour: str = INK, thickness: float = 1, **more
    ) -> dict:  # fmt: skip
        """A straight line."""
        return self._add(kind="line", x=x0, y=y0, dx=x1 - x0, dy=y1 - y0, line=colour, thickness=thickness, **more)

    def cross(self, left: float, top: float, side: float, colour: str) -> None:
        """A diagonal cross over a cell."""
        self.line(left, top, left + side, top + side, colour, 1.5)
        self.line(left, top + side, left + side, top, colour, 1.5)

    def text(
        self, x: float, y: float, text: str, size: float = 13, colour: str = INK, anchor: str = "mm",
        bold: bool = False, **more,
    ) -> dict:  # fmt: skip
        """Text on a line whose middle is at y; `anchor`: "mm" is centred on x, "lm" starts there, "rm" ends there."""
        return self._add(kind="text", x=x, y=y, text=text, size=size, fill=colour, anchor=anchor, bold=bold, **more)

    def photo(self, photo: Image.Image, left: float, top: float, width: float, height: float, **more) -> dict:
        """A photo, enlarged to this size without smoothing: its pixels are what is to be seen."""
        buffer = io.BytesIO()
        photo.save(buffer, format="PNG", compress_level=1)
        source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
        return self._add(kind="photo", x=left, y=top, width=width, height=height, source=source, **more)

    def arrow(self, x0: float, y: float, x1: float, colour: str = INK) -> None:
        """A horizontal arrow to the right."""
        self.line(x0, y, x1, y, colour, 2)
        for side in (-6, 6):
            self.line(x1, y, x1 - 8, y + side, colour, 2)

    def _add(self, **mark) -> dict:
        self.marks.append(mark)
        return mark

    def for_browser(self) -> dict:
        """The drawing as the browser gets it. A tint travels as its colour and the percentage of it."""
        marks = [
            {
                name: round(value, 1) if isinstance(value, float) else _mixed(value)
                for name, value in mark.items()
                if value is not None and value is not False and value != USUAL.get(name)
            }
            for mark in self.marks
        ]
        return {"width": self.width, "height": self.height, "marks": marks}

    @property
    def image(self) -> Image.Image:
        """The drawing on white, `SCALE` pixels for each point."""
        return self.drawn(SCALE)

    def drawn(self, scale: float) -> Image.Image:
        """The drawing on white, `scale` pixels for each point."""
        image = Image.new("RGB", (round(self.width * scale), round(self.height * scale)), "white")
        pen = ImageDraw.Draw(image)
        for mark in self.marks:
            if not mark.get("hidden"):
                _DRAW[mark["kind"]](image, pen, mark, scale)
        return image


def _mixed(value):
    return f"{value.colour}/{round(100 * value.strength)}" if isinstance(value, Tint) else value


def _draw_rectangle(image, pen, mark, scale) -> None:
    left, top = mark["x"], mark["y"]
    box = [round(v * scale) for v in (left, top, left + mark["width"], top + mark["height"])]
    width = max(1, round(mark["thickness"] * scale)) if mark["line"] else 0
    if not mark["dashed"]:
        pen.rectangle(box, fill=mark["fill"], outline=mark["line"], width=width)
        return
    dash = round(4 * scale)
    for start in range(box[0], box[2], 2 * dash):
        for y in (box[1], box[3]):
            pen.line([start, y, min(start + dash, box[2]), y], fill=mark["line"], width=width)
    for start in range(box[1], box[3], 2 * dash):
        for x in (box[0], box[2]):
            pen.line([x, start, x, min(start + dash, box[3])], fill=mark["line"], width=width)


def _draw_line(image, pen, mark, scale) -> None:
    ends = (mark["x"], mark["y"], mark["x"] + mark["dx"], mark["y"] + mark["dy"])
    pen.line([round(v * scale) for v in ends], fill=mark["line"], width=max(1, round(mark["thickness"] * scale)))


def _draw_text(image, pen, mark, scale) -> None:
    letters = font(round(mark["size"] * scale), mark["bold"])
    place = mark["x"] * scale, mark["y"] * scale
    pen.text(place, mark["text"], fill=mark["fill"], font=letters, anchor=mark["anchor"])


def _draw_photo(image, pen, mark, scale) -> None:
    photo = Image.open(io.BytesIO(base64.b64decode(mark["source"].partition(",")[2])), formats=["PNG"])
    large = photo.resize((round(mark["width"] * scale), round(mark["height"] * scale)), Image.Resampling.NEAREST)
    image.paste(large, (round(mark["x"] * scale), round(mark["y"] * scale)))


_DRAW = {"rectangle": _draw_rectangle, "line": _draw_line, "text": _draw_text, "photo": _draw_photo}


def legend(sketch: Sketch, y: float, entries: list[tuple[str, str | None, str]], left: float = 24) -> None:
    """A line of small boxes and what each stands for.

    Args:
        entries: ("cell", "frame", "dashed" or "cross"; colour; words).
    """
    x = left
    for kind, colour, text in entries:
        if kind == "dashed":
            sketch.dashed_rectangle(x, y - 7, 14, 14, colour or QUIET)
        elif kind == "frame":
            sketch.rectangle(x, y - 7, 14, 14, None, colour, 2.5)
        else:
            sketch.rectangle(x, y - 7, 14, 14, colour, QUIET)
        if kind == "cross":
            sketch.cross(x, y - 7, 14, QUIET)
        sketch.text(x + 21, y, text, 12.5, anchor="lm")
        x += 21 + font(25).getlength(text) / 2 + 22
