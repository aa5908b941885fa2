"""What all explorers share: sliders, and below them a picture and a few words, redrawn in place.

The picture keeps its shape, and room is kept for the words, so that nothing flickers or jumps. An error in a
callback would otherwise go unnoticed; here the explorer shows it, and keeps it in `callback_errors` for the tests.
"""

import base64
import html
import io
import re
import traceback
from dataclasses import dataclass

import ipywidgets as widgets
from PIL import Image

from glcic_lite.course.shared.figures import WRONG
from glcic_lite.course.shared.sketch import Sketch
from glcic_lite.course.shared.stage import Stage

callback_errors: list[str] = []

TEXT_STYLE = "font-size:15px; line-height:1.55"
WIDEST = "1200px"  # wider, the sliders' ways would be long
COLUMNS = "repeat(auto-fit, minmax(max(250px, 30%), 1fr))"  # of controls: three, or fewer in a narrow window


@dataclass(frozen=True)
class Scene:
    """What an explorer shows for one setting.

    Attributes:
        sketch: the picture, always of the same size.
        words: one or more HTML paragraphs: the formula with its numbers, and what to look for.
    """

    sketch: Sketch
    words: str


class Explorer(widgets.VBox):
    """Controls, a picture, and words. Subclasses define `controls` and `scene`.

    The controls stand in a grid as wide as the picture. A mark of the picture with an entry `click` sets controls;
    one with `drag` moves them.

    Args:
        **settings: where the controls start.

    Attributes:
        words_height: space reserved for the words, in points, so that nothing below moves when they change.
        columns: of the grid of controls, as CSS.
        dragged: controls that are not shown, since dragging a mark of the picture moves them.
    """

    words_height = 84
    columns = COLUMNS
    dragged: tuple[str, ...] = ()

    def __init__(self, **settings):
        self._controls = self.controls()
        for name, value in settings.items():
            self._set(name, value)
            self.adapt()  # one setting may widen the range of the next
        self._busy = False
        self._stage = Stage(words_height=self.words_height, layout=widgets.Layout(width="100%"))
        self._show()
        self._stage.on_msg(self._clicked)
        for control in self._controls.values():
            control.layout.width = "auto"
        panel = widgets.GridBox(
            [control for name, control in self._controls.items() if name not in self.dragged],
            layout=widgets.Layout(width="100%", grid_template_columns=self.columns, grid_gap="0 18px"),
        )
        super().__init__([panel, self._stage], layout=widgets.Layout(max_width=WIDEST))
        for control in self._controls.values():
            control.observe(self._changed, names="value")

    def controls(self) -> dict[str, widgets.Widget]:
        """The controls, each under the name of the setting that it changes."""
        raise NotImplementedError

    def scene(self, **settings) -> Scene:
        """What to show for these settings. Impossible ones get an explanation, not an exception."""
        raise NotImplementedError

    def adapt(self) -> None:
        """Called after a change, before drawing: adjusts the range of one control to another's value."""

    @property
    def settings(self) -> dict:
        """The current value of every control."""
        return {name: control.value for name, control in self._controls.items()}

    def set(self, **settings) -> None:
        """Move controls from code, as a user would."""
        self._busy = True  # several controls, one new picture
        try:
            for name, value in settings.items():
                self._set(name, value)
                self.adapt()
        finally:
            self._busy = False
        self._show()

    def draggable(self, name: str, across: str, down: str, points: float) -> dict:
        """The entry `drag` of a mark that moves two controls, by the pointer or, in focus, by the arrow keys.

        Args:
            name: of the mark, for screen readers.
            across, down: the controls that moving it to the right, and down, makes larger.
            points: of the sketch that one step of a control is.
        """

        def way(control: str) -> dict:
            slider = self._controls[control]
            return {
                "control": control, "value": slider.value, "low": slider.min, "high": slider.max, "points": points,
            }  # fmt: skip

        return {"name": name, "across": way(across), "down": way(down)}

    def picture(self) -> Image.Image:
        """What is shown now, as a PIL image."""
        return self.scene(**self.settings).sketch.image

    def _repr_mimebundle_(self, **kwargs):
        """The live explorer and, for readers without a kernel, a picture of it."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        scene = self.scene(**self.settings)
        buffer = io.BytesIO()
        scene.sketch.image.quantize(64).save(buffer, format="PNG", optimize=True)
        data["image/png"] = base64.b64encode(buffer.getvalue()).decode()
        data["text/plain"] = f"{type(self).__name__}: run this cell to move its sliders"
        return data, {**metadata, "image/png": {"width": scene.sketch.width, "alt": plain(scene.words)}}

    @property
    def words(self) -> str:
        """The words that are shown now, as HTML."""
        return self._stage.scenes[0]["frames"][0]["words"]

    def _set(self, name: str, value) -> None:
        if name not in self._controls:
            raise TypeError(f"{type(self).__name__} has no setting {name!r}; it has {', '.join(self._controls)}")
        self._controls[name].value = value

    def _changed(self, change) -> None:
        if self._busy:  # adapt() has moved a control: drawing once is enough
            return
        self._show()

    def _show(self) -> None:
        self._busy = True
        try:
            scene = self._scene_or_fault()
        finally:
            self._busy = False
        self._stage.scenes = [{"name": "", "frames": [{"sketch": scene.sketch.for_browser(), "words": scene.words}]}]

    def _clicked(self, stage: Stage, content: dict, buffers: list) -> None:
        """A mark of the picture was clicked: move the controls that it names."""
        self.set(**content["click"])

    def _scene_or_fault(self) -> Scene:
        try:
            self.adapt()
            return self.scene(**self.settings)
        except Exception as error:
            callback_errors.append(traceback.format_exc())
            words = (
                f'<div style="{TEXT_STYLE}">{warning("This explorer has a fault")}: '
                f"{html.escape(f'{type(error).__name__}: {error}')}<br>Settings: "
                f"{html.escape(str(self.settings))}. Please report it.</div>"
            )
            shown = self._stage.scenes
            size = shown[0]["frames"][0]["sketch"] if shown else {"width": 900, "height": 300}
            return Scene(Sketch(size["width"], size["height"]), words)


def whole_number(description: str, value: int, low: int, high: int) -> widgets.IntSlider:
    """A slider over whole numbers; the arrow keys move it too."""
    return widgets.IntSlider(
        value,
        low,
        high,
        description=description,
        continuous_update=True,
        style={"description_width": "98px"},
    )


def menu(description: str, options, value=None) -> widgets.Dropdown:
    """A menu in line with the sliders; without `value` it starts at its first entry."""
    entries = list(options.values()) if isinstance(options, dict) else list(options)
    value = entries[0] if value is None else value
    return widgets.Dropdown(options=options, value=value, description=description, style={"description_width": "98px"})


def words(*paragraphs: str) -> str:
    """Paragraphs as HTML, in the size that all explorers use."""
    return "".join(f'<p style="{TEXT_STYLE}; margin:2px 0">{paragraph}</p>' for paragraph in paragraphs)


def warning(text: str) -> str:
    """A few words that must not be overlooked, as HTML: black on vermilion, legible in either theme."""
    return f'<b style="background:{WRONG}; color:black; padding:0 4px">✗ {text}</b>'


def plain(words: str) -> str:
    """Words in HTML as one line of plain text: what a screen reader reads out in place of the picture."""
    text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", words)).split())
    return re.sub(r" ([,.;:)])", r"\1", text)
