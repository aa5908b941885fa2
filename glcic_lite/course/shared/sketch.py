"""Drawing grids of pixels fast: a few milliseconds for each picture, so that a slider responds at once.

Matplotlib would take ten times as long. Lengths are in points of the page; the picture is drawn at twice that, so that
it stays sharp on a projector.
"""

import copy
import io
from functools import cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from glcic_lite.course.shared.figures import QUIET

SCALE = 2  # pixels of the picture for one point on the page
INK = "#1b1f24"
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@cache
def font(size: float, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib, so that every machine draws the same."""
    return ImageFont.truetype(FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"), round(size * SCALE))


def tint(colour: str, strength: float) -> str:
    """A colour mixed with white: 0 is white, 1 the colour itself."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 + (part - 255) * strength):02x}" for part in parts)


class Sketch:
    """A white page to draw on.

    Args:
        width, height: in points.
    """

    def __init__(self, width: int, height: int):
        self.width, self.height = width, height
        self.image = Image.new("RGB", (width * SCALE, height * SCALE), "white")
        self._pen = ImageDraw.Draw(self.image)

    def copy(self) -> "Sketch":
        """A copy of the page, to draw more on."""
        twin = copy.copy(self)
        twin.image = self.image.copy()
        twin._pen = ImageDraw.Draw(twin.image)
        return twin

    def paste(self, other: "Sketch", left: float, top: float) -> None:
        """Lay another page on this one."""
        self.image.paste(other.image, (round(left * SCALE), round(top * SCALE)))

    def rectangle(
        self, left: float, top: float, width: float, height: float, fill: str | None = None, line: str | None = None,
        thickness: float = 1,
    ) -> None:  # fmt: skip
        """A filled or outlined box."""
        box = [round(v * SCALE) for v in (left, top, left + width, top + height)]
        self._pen.rectangle(box, fill=fill, outline=line, width=round(thickness * SCALE) if line else 0)

    def dashed_rectangle(self, left: float, top: float, width: float, height: float, line: str) -> None:
        """An outline of dashes: for what is not really there, such as padding."""
        for offset in range(2, int(width), 8):
            for y in (top, top + height):
                self.line(left + offset, y, left + min(offset + 4, width), y, line)
        for offset in range(2, int(height), 8):
            for x in (left, left + width):
                self.line(x, top + offset, x, top + min(offset + 4, height), line)

    def line(self, x0: float, y0: float, x1: float, y1: float, colour: str = INK, thickness: float = 1) -> None:
        """A straight line."""
        self._pen.line(
            [round(v * SCALE) for v in (x0, y0, x1, y1)], fill=colour, width=max(1, round(thickness * SCALE))
        )

    def cross(self, left: float, top: float, side: float, colour: str) -> None:
        """A diagonal cross over a cell."""
        self.line(left, top, left + side, top + side, colour, 1.5)
        self.line(left, top + side, left + side, top, colour, 1.5)

    def text(
        self, x: float, y: float, text: str, size: float = 13, colour: str = INK, anchor: str = "mm",
        bold: bool = False,
    ) -> None:  # fmt: skip
        """Text; `anchor` as in Pillow: "mm" is centred on the point, "lm" starts at it."""
        self._pen.text((x * SCALE, y * SCALE), text, fill=colour, font=font(size, bold), anchor=anchor)

    def arrow(self, x0: float, y: float, x1: float, colour: str = INK) -> None:
        """A horizontal arrow."""
        self.line(x0, y, x1 - 4, y, colour, 2)
        points = [(x1, y), (x1 - 9, y - 6), (x1 - 9, y + 6)]
        self._pen.polygon([(round(px * SCALE), round(py * SCALE)) for px, py in points], fill=colour)

    def png(self) -> bytes:
        """The picture as a PNG file. Lightly compressed: it does not travel far, and time matters more than size."""
        buffer = io.BytesIO()
        self.image.save(buffer, format="PNG", compress_level=1)
        return buffer.getvalue()


def legend(sketch: Sketch, y: float, entries: list[tuple[str, str | None, str]], left: float = 24) -> None:
    """A line of small boxes and what each stands for.

    Args:
        entries: ("cell", "frame", "dashed" or "cross"; colour; words).
    """
    x = left
    for kind, colour, text in entries:
        if kind == "dashed":
            sketch.dashed_rectangle(x, y - 7, 14, 14, QUIET)
        elif kind == "frame":
            sketch.rectangle(x, y - 7, 14, 14, None, colour, 2.5)
        else:
            sketch.rectangle(x, y - 7, 14, 14, colour, QUIET)
        if kind == "cross":
            sketch.cross(x, y - 7, 14, QUIET)
        sketch.text(x + 21, y, text, 12.5, anchor="lm")
        x += 21 + font(12.5).getlength(text) / SCALE + 22
