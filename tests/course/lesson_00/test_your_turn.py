"""Lesson 00's last section: whatever photo and mask a beginner gives it."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from glcic_lite.course.lesson_00 import your_turn
from glcic_lite.method.masks import MaskError
from glcic_lite.method.photos import PhotoError
from inputs import texture


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Image.fromarray(texture(90, 140)).save("mine.png")
    for name, level in (("black", 0), ("red", 76), ("white", 255)):
        Image.new("L", (140, 90), level).save(f"{name}.png")
    mask = np.zeros((90, 140), np.uint8)
    mask[:30, :30] = 255
    mask[70:, 130:] = 255
    Image.fromarray(mask).save("corners.png")
    Image.new("L", (60, 60)).save("other.png")


def test_without_anything_a_meadow_gets_a_round_hole():
    photo, hole, words = your_turn.opened(None, None)
    assert max(photo.size) == 640 and hole.shape == photo.size[::-1]
    assert abs(hole.sum() - np.pi * 24**2) < 60 and "48 pixels" in words and "Photo" in words


@pytest.mark.parametrize("path", ["mine.png", "~/mine.png", " mine.png ", '"mine.png"'])
def test_a_photo_by_itself(folder, path):
    photo, hole, words = your_turn.opened(path, None)
    assert photo.size == (140, 90) and hole.any() and "30 pixels" in words and words.startswith("Your photo.")


@pytest.mark.parametrize(
    ("photo", "mask", "reason"),
    [
        ("nowhere.png", None, "nowhere.png: no such file"),
        ("", None, "my_photo is empty"),
        ("https://example.org/mine.png", None, "download the picture first"),
        ("mine.png", "  ", "my_mask is empty"),
        ("mine.png", "nowhere.png", "nowhere.png: no such file"),
        ("mine.png", "other.png", "60 x 60"),
        ("mine.png", "black.png", "all black"),
        ("mine.png", "red.png", "paint the hole white"),
        ("mine.png", "white.png", "covers the whole photo"),
        ("mine.png", np.zeros((90, 140), np.int64), "all black"),
        (np.zeros((9, 30, 3), np.uint8), None, "only 30 x 9 pixels"),
    ],
)
def test_what_cannot_be_used_is_said(folder, photo, mask, reason):
    with pytest.raises((PhotoError, MaskError), match=reason):
        your_turn.opened(photo, mask)


def test_a_photo_for_a_mask_is_noticed(folder):
    assert "is it a mask?" in your_turn.opened("mine.png", "mine.png")[2]
    clear = Image.new("RGBA", (140, 90), (120, 120, 120, 0))
    clear.paste((255, 255, 255, 255), (20, 20, 40, 40))
    whole_numbers = np.zeros((90, 140), np.int64)
    whole_numbers[20:40, 20:40] = 1
    for mask in ("corners.png", clear, whole_numbers):
        photo, hole, words = your_turn.opened("mine.png", mask)
        assert hole.any() and "is it a mask?" not in words


def test_a_mask_that_is_turned_round_is_noticed(folder):
    mask = np.ones((90, 140), bool)
    mask[20:40, 20:40] = False
    assert "mostly white" in your_turn.opened("mine.png", mask)[2]
    assert "mostly white" not in your_turn.opened("mine.png", ~mask)[2]


@pytest.mark.parametrize("shape", [(600, 80), (300, 2000), (130, 130), (40, 50)])
def test_the_close_up_shows_the_hole(shape):
    hole = np.zeros(shape, bool)
    hole[:12, :12] = hole[-9:, -9:] = True  # in two corners
    part = hole[your_turn.close_up(hole).slices]
    assert part.shape[0] == part.shape[1] == min(120, *shape)
    assert part[:12, :12].all()


@pytest.mark.parametrize(("size", "pictures"), [((80, 600), 3), ((90, 90), 6)])
def test_a_tall_photo_is_shown_close_up_alone(monkeypatch, size, pictures):
    shown = []
    monkeypatch.setattr(your_turn, "show_pictures", lambda rows, **_: shown.extend(sum(rows, [])))
    photo = Image.new("RGB", size)
    hole = np.zeros(size[::-1], bool)
    hole[5:9, 5:9] = True
    your_turn.show(photo, hole, [photo, photo], "")
    assert len(shown) == pictures
    plt.close("all")
