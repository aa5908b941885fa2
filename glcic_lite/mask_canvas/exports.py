"""Before and after for others to look at: a page that opens in any browser, and a moving picture for a slide."""

import base64
import html
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

GIF_SIDE = 800  # pixels on the long side
HOLD, STEP, STEPS = 1200, 50, 12  # milliseconds that a photo stands still and that a step of the wipe takes; steps
BAR = 2  # pixels, the line between before and after

PAGE = Path(__file__).parent / "browser" / "before_after.html"


def wipe_page(before: Image.Image, after: Image.Image, title: str, filled_by: str, credit: str) -> str:
    """A web page in one file, to be wiped between before and after with mouse, finger or keys; it needs no network.

    Args:
        before, after: of one size.
    """
    profile = before.info.get("icc_profile")
    values = {
        "title": html.escape(title),
        "filled_by": html.escape(filled_by),
        "credit": html.escape(credit),
        "width": str(before.width),
        "height": str(before.height),
        "before": _address(before, profile),
        "after": _address(after, profile),
    }
    return re.sub("@@([a-z_]+)@@", lambda found: values[found[1]], PAGE.read_text(encoding="utf-8"))


def _address(picture: Image.Image, profile: bytes | None) -> str:
    png = io.BytesIO()  # not JPEG: around the hole, both must be the same pixels
    picture.save(png, "PNG", icc_profile=profile)
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()


def before_after_gif(before: Image.Image, after: Image.Image) -> bytes:
    """A GIF that runs for ever: before, a wipe, after, and a wipe back; at most 800 pixels on its long side."""
    if max(before.size) > GIF_SIDE:
        size = [max(1, round(side * GIF_SIDE / max(before.size))) for side in before.size]
        before, after = (picture.resize(size, Image.Resampling.LANCZOS) for picture in (before, after))
    both = Image.new("RGB", (before.width, 2 * before.height))
    both.paste(before, (0, 0))
    both.paste(after, (0, before.height))
    palette = both.quantize(255, Image.Quantize.MEDIANCUT)  # one for all frames, or the photo would flicker
    colours = palette.getpalette()[: 3 * 255]
    white = len(colours) // 3
    palette.putpalette([*colours, 255, 255, 255])
    # Where both are the same they stay the same: dithering would spread the hole's pixels over the known ones.
    first, second = (np.asarray(picture.quantize(palette=palette)).copy() for picture in (before, after))
    same = (np.asarray(before) == np.asarray(after)).all(axis=2)
    second[same] = first[same]
    frames = [(first, HOLD)]
    for step in range(1, STEPS):
        edge = before.width * step // STEPS
        frame = first.copy()
        frame[:, :edge] = second[:, :edge]
        frame[:, edge : edge + BAR] = white
        frames.append((frame, STEP))
    frames += [(second, HOLD), *frames[:0:-1]]
    pictures = []
    for values, _ in frames:
        picture = Image.fromarray(values, "P")
        picture.putpalette(palette.getpalette())
        pictures.append(picture)
    gif = io.BytesIO()
    durations = [milliseconds for _, milliseconds in frames]
    pictures[0].save(gif, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0, optimize=False)
    return gif.getvalue()
