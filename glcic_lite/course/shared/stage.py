"""A stage in the browser: it shows sketches, one or several that are played in turn, and says what was clicked."""

from pathlib import Path

import anywidget
import traitlets

BROWSER = Path(__file__).parent / "browser"


class Stage(anywidget.AnyWidget):
    """Shows one scene; a scene is a list of frames, and a scene of one frame is a still picture.

    Clicks on marks that have a `click` entry arrive at the functions given to `on_msg`, as {"click": that entry}.

    Attributes:
        scenes: a list of {"name", "frames": list of {"sketch": `Sketch.for_browser()`, "words": HTML}}. A frame may
            have "changes", {place in the list: mark}, in place of "sketch": what differs from the frame before.
        scene: which of them is shown.
        step: the frame that is shown; 0 is the first.
    """

    _esm = BROWSER / "stage.js"
    _css = BROWSER / "stage.css"

    scenes = traitlets.List().tag(sync=True)
    scene = traitlets.Int(0).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    words_height = traitlets.Int(0, help="Room kept for the words, in points; it grows where they need more.").tag(
        sync=True
    )


def as_changes(frames: list[dict]) -> list[dict]:
    """The same frames, each after the first with only those marks that differ from the one before: far fewer bytes.

    Args:
        frames: {"sketch", "words"}; all sketches have equally many marks.
    """
    short = frames[:1]
    for before, frame in zip(frames, frames[1:], strict=False):
        marks = zip(before["sketch"]["marks"], frame["sketch"]["marks"], strict=True)
        changes = {str(place): now for place, (then, now) in enumerate(marks) if now != then}
        short.append({"changes": changes, "words": frame["words"]})
    return short
