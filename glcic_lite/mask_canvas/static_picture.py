"""The studio as a still picture, for readers without a kernel."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP, TITLE_HEIGHT, CREDIT_HEIGHT = 16, 30, 24  # pixels
WIDE = 2.5  # a photo that is so many times as wide as high has its completion below it, not beside it


def still_picture(
    photo: Image.Image, hole: np.ndarray, result: Image.Image, width: int, credit: str = ""
) -> Image.Image:
    """The photo with its hole, and beside it, or below a panorama, the completed one; `width` pixels wide."""
    below = photo.width > WIDE * photo.height
    wide = width if below else (width - GAP) // 2
    each = wide, min(max(1, round(wide * photo.height / photo.width)), 4 * width)  # of a very long photo: squeezed
    second = (0, each[1] + TITLE_HEIGHT + GAP) if below else (wide + GAP, 0)
    height = second[1] + TITLE_HEIGHT + each[1] + (CREDIT_HEIGHT if credit else 0)
    canvas = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(18)
    marked = np.asarray(photo).copy()
    rows, columns = np.nonzero(hole)
    stripe = (rows + columns) // max(1, 7 * max(photo.size) // each[0]) % 2
    strength = np.where(stripe, 0.63, 0.45)[:, None]  # as on the canvas
    marked[hole] = np.rint(marked[hole] * (1 - strength) + np.array([222, 0, 120]) * strength)
    for (left, top), name, content in (
        ((0, 0), "Painted over", Image.fromarray(marked)),
        (second, "Completed", result),
    ):
        draw.text((left, top + 2), name, fill="black", font=font)
        canvas.paste(content.resize(each, Image.Resampling.LANCZOS, reducing_gap=3.0), (left, top + TITLE_HEIGHT))
    if credit:
        draw.text((0, height - CREDIT_HEIGHT + 4), credit, fill="#5f6368", font=ImageFont.load_default(13))
    return canvas
