"""What all explorers share: every setting is drawn or explained, each change once, a fault is shown."""

import random

import pytest

from glcic_lite.course.lesson_01.convolution_explorer import ConvolutionExplorer
from glcic_lite.course.lesson_01.stack_explorer import StackExplorer
from glcic_lite.course.lesson_02.explorer import DownsamplingExplorer
from glcic_lite.course.lesson_03.explorer import TransposedExplorer
from glcic_lite.course.shared import explorers

EXPLORERS = [ConvolutionExplorer, StackExplorer, DownsamplingExplorer, TransposedExplorer]


def values_of(control):
    if hasattr(control, "options"):
        return [value for _, value in control._options_full]
    return [control.min, (control.min + control.max) // 2, control.max]


@pytest.mark.parametrize("kind", EXPLORERS)
def test_every_control_at_its_ends_and_many_settings_at_random(kind):
    explorer, chance = kind(), random.Random(0)
    size = explorer.picture().size
    for _ in range(60):
        name = chance.choice(list(explorer.settings))
        explorer.set(**{name: chance.choice(values_of(explorer._controls[name]))})
        assert explorer.picture().size == size, "the layout would jump"
        assert "<p" in explorer.words


@pytest.mark.parametrize("kind", EXPLORERS)
def test_a_change_is_drawn_once(kind, monkeypatch):
    """Also where it changes the range of another control: a slider should feel like a lever."""
    explorer, drawn = kind(), []
    monkeypatch.setattr(
        explorer, "scene", lambda **settings: drawn.append(settings) or kind.scene(explorer, **settings)
    )
    for control in explorer._controls.values():
        for value in values_of(control):
            before, count = control.value, len(drawn)
            control.value = value
            assert len(drawn) - count == (control.value != before)
            assert not drawn or drawn[-1] == explorer.settings


@pytest.mark.parametrize("kind", EXPLORERS)
def test_shown_it_brings_a_picture_for_readers_without_a_kernel(kind):
    data, _ = kind()._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"} <= set(data)


@pytest.mark.parametrize("kind", [ConvolutionExplorer, DownsamplingExplorer, TransposedExplorer])
def test_a_click_on_a_mark_moves_the_controls_it_names(kind):
    explorer = kind(position=1)
    clicks = [mark["click"] for mark in explorer._stage.scenes[0]["frames"][0]["sketch"]["marks"] if "click" in mark]
    last = explorer._controls["position"].max
    assert {click["position"] for click in clicks} == set(range(last + 1))
    explorer._clicked(explorer._stage, {"click": {"position": last}}, [])
    assert explorer.settings["position"] == last


@pytest.mark.parametrize("kind", EXPLORERS)
def test_an_unknown_setting_is_named(kind):
    with pytest.raises(TypeError, match="nonsense"):
        kind(nonsense=1)


def test_a_fault_is_shown_and_kept_and_does_not_stop_the_explorer():
    class Broken(ConvolutionExplorer):
        def scene(self, kernel, **settings):
            if kernel == 5:
                raise ValueError("<out of order>")
            return super().scene(kernel=kernel, **settings)

    explorer = Broken()
    explorer.set(kernel=5)
    assert "✗" in explorer.words and "&lt;out of order&gt;" in explorer.words
    assert len(explorers.callback_errors) == 1 and "out of order" in explorers.callback_errors[0]
    explorer.set(kernel=3)
    assert "✗" not in explorer.words
    explorers.callback_errors.clear()
