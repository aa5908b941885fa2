"""Photos without colour stay without colour, and toned prints (sepia, cyanotype) keep their tone.

Trained on colour photos, the network puts a little colour into any hole. Where all that it sees of a photo lies on one
curve from dark to light, what it paints is moved onto that curve before it is blended. This course's addition.
"""

import numpy as np

BRIGHTNESS = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # shares of red, green and blue, as Pillow has them
NEAR = 2.5  # grey levels: colours that lie on one curve but for that much (root mean square) are a toned print's
SAMPLE = 100_000  # pixels are enough to find the curve


def tone_curve(photo: np.ndarray, hole: np.ndarray) -> np.ndarray | None:
    """The one colour that each brightness has in a photo, if there is such a curve.

    Args:
        photo: (H, W, 3) uint8, read only where it is known.
        hole: (H, W) bool, True in the hole.

    Returns:
        None for a colour photo, or if nothing is known; (256, 3) for a toned one: the colour of each brightness;
        (256, 1) for one whose three channels are equal: the brightness itself.
    """
    if hole.all():
        return None
    red, green, blue = np.moveaxis(photo, 2, 0)
    if not (((red != green) | (green != blue)) & ~hole).any():
        return np.arange(256.0)[:, None]
    step = int(np.ceil(np.sqrt(hole.size / SAMPLE)))
    colours = photo[::step, ::step][~hole[::step, ::step]].astype(np.float64)
    brightness = np.rint(colours @ BRIGHTNESS).astype(int)
    count = np.bincount(brightness, minlength=256)
    levels = np.flatnonzero(count)
    spare = len(colours) - len(levels)  # a curve through as many points as it has levels would prove nothing
    if spare <= 0:
        return None
    sums = [np.bincount(brightness, channel, minlength=256)[levels] for channel in colours.T]
    curve = np.stack([np.interp(np.arange(256), levels, total / count[levels]) for total in sums], axis=1)
    away = ((colours - curve[brightness]) ** 2).mean(axis=1).sum() / spare
    return curve if away <= NEAR**2 else None


def on_curve(painted: np.ndarray, curve: np.ndarray | None) -> np.ndarray:
    """What the network painted, in the tones of the photo.

    Args:
        painted: (H, W, 3) float32 from 0 to 255, which is changed.
        curve: from `tone_curve`.

    Returns:
        (H, W, 3) float32 from 0 to 255; (H, W, 1) where the photo has no colour: one channel that stands for three.
    """
    if curve is None:
        return painted
    for row in painted:  # one at a time: large photos need no further memory
        brightness = row @ BRIGHTNESS
        for channel, tones in enumerate(curve.T):
            row[:, channel] = np.interp(brightness, np.arange(256), tones)
    return painted[..., : curve.shape[1]]
