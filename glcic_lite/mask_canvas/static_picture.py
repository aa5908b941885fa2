"""The studio as a still picture, for readers without a kernel."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP, TITLE_HEIGHT = 16, 30  # pixels


def still_picture(photo: Image.Image, hole: np.ndarray, result: Image.Image, width: int) -> Image.Image:
    """The photo with its hole, and beside it the completed one; `width` pixels wide in all."""
    wide = (width - GAP) // 2
    each = wide, min(max(1, round(wide * photo.height / photo.width)), 4 * width)  # of a very long photo: squeezed
    canvas = Image.new("RGB", (width, each[1] + TITLE_HEIGHT), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(18)
    marked = np.asarray(photo).copy()
    rows, columns = np.nonzero(hole)
    stripe = (rows + columns) // max(1, 7 * max(photo.size) // each[0]) % 2
    strength = np.where(stripe, 0.63, 0.45)[:, None]  # as on the canvas
    marked[hole] = np.rint(marked[hole] * (1 - strength) + np.array([222, 0, 120]) * strength)
    for left, name, content in ((0, "Painted over", Image.fromarray(marked)), (wide + GAP, "Completed", result)):
        draw.text((left, 2), name, fill="black", font=font)
        canvas.paste(content.resize(each, Image.Resampling.LANCZOS, reducing_gap=3.0), (left, TITLE_HEIGHT))
    return canvas
