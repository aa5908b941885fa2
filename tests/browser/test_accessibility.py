"""Colours that can be read and told apart, pictures that can be read aloud."""

import re
from itertools import combinations

import nbformat
import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from glcic_lite.course.lesson_01.convolution_explorer import ConvolutionExplorer
from glcic_lite.course.shared import figures
from glcic_lite.course.shared.explorers import plain, warning
from glcic_lite.files import NOTEBOOKS

LESSONS = sorted(NOTEBOOKS.rglob("*.ipynb"))
COLOURS = {
    name: getattr(figures, name) for name in ("INPUT", "OUTPUT", "WEIGHT", "HOLE", "HIGHLIGHT", "WRONG", "QUIET")
}
WORDS, LARGE_WORDS = 4.5, 3.0  # contrast that WCAG 2.2, level AA, asks for: text; text from 14 points bold
APART = 10  # CIEDE2000; a difference of about 2 is the smallest that most people see

# How colours look to people without one of the three kinds of cones, on linear RGB: Machado, Oliveira and Fernandes,
# "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009, severity 1.
SEEN_BY = {
    "everybody else": np.eye(3),
    "protanopes": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopes": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopes": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def rgb(colour):
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def linear(values):
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def encoded(values):
    values = np.clip(values, 0, 1)
    return np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)


def contrast(one, other):
    darker, lighter = sorted(float(linear(rgb(colour)) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_the_standard_says():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)  # the well-known grey that only just fails


def test_what_is_written_in_colour_can_be_read():
    assert contrast(COLOURS["QUIET"], "#FFFFFF") >= WORDS
    assert contrast(COLOURS["WEIGHT"], "#FFFFFF") >= WORDS
    assert contrast(COLOURS["WRONG"], "#FFFFFF") >= LARGE_WORDS


def test_warnings_can_be_read_in_either_theme():
    ground, ink = re.search(r"background:(#\w+); color:(\w+)", warning("Look")).groups()
    assert ink == "black" and contrast("#000000", ground) >= WORDS


@pytest.mark.parametrize("who", SEEN_BY)
def test_the_colours_differ_for_everybody(who):
    """Any two of them may meet in one figure."""
    seen = {
        name: rgb2lab(encoded(np.array(SEEN_BY[who]) @ linear(rgb(colour)))[None, None])[0, 0]
        for name, colour in COLOURS.items()
    }
    apart = {pair: float(deltaE_ciede2000(*(seen[name] for name in pair))) for pair in combinations(seen, 2)}
    close = {pair: round(distance, 1) for pair, distance in apart.items() if distance < APART}
    assert not close


def test_two_colours_of_one_look_would_be_found():
    """The grey of earlier versions and the pink of holes look the same to deuteranopes."""
    matrix = np.array(SEEN_BY["deuteranopes"])
    grey, pink = (rgb2lab(encoded(matrix @ linear(rgb(c)))[None, None])[0, 0] for c in ("#8A8F98", figures.HOLE))
    assert deltaE_ciede2000(grey, pink) < APART / 2


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_picture_can_be_read_aloud(path):
    """A picture among the outputs has an alternative text, or a caption right after it, before the next picture."""
    for cell in nbformat.read(path, as_version=4).cells:
        for text in re.findall(r"!\[([^\]]*)\]\(", cell.source) if cell.cell_type == "markdown" else []:
            assert text.strip(), cell.source[:80]
        outputs = cell.get("outputs", ())
        for position, output in enumerate(outputs):
            data = output.get("data", {})
            for kind in ("image/png", "image/jpeg"):
                if kind in data:
                    words = output.metadata.get(kind, {}).get("alt") or ""
                    for after in outputs[position + 1 :]:
                        if any(other.startswith("image/") for other in after.get("data", {})):
                            break
                        words += after.get("data", {}).get("text/markdown", "")
                    assert len(words.split()) >= 4, f"neither alternative text nor caption: {cell.source[:80]}"
            for tag in re.findall(r"<img\b[^>]*>", data.get("text/html", "")):
                assert re.search(r'\balt="[^"]+"', tag), (
                    f"a picture in HTML without alternative text: {cell.source[:80]}"
                )
        for tag in re.findall(r"<img\b[^>]*>", cell.source) if cell.cell_type == "markdown" else []:
            assert re.search(r'\balt="[^"]+"', tag), tag


def test_an_explorers_picture_says_what_it_shows():
    explorer = ConvolutionExplorer(kernel=3, dilation=2)
    data, metadata = explorer._repr_mimebundle_()
    said = metadata["image/png"]["alt"]
    assert "image/png" in data and len(said.split()) > 8
    assert "<" not in said and "&" not in said
    assert said == plain(explorer.scene(**explorer.settings).words)


def test_plain_text_of_html():
    assert plain("<p>3 &times; 3 &lt; 9</p><p><b>so</b> it is</p>") == "3 × 3 < 9 so it is"
