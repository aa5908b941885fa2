"""The three defects of lesson 05: each changes what it says, where it says, and nothing else."""

import pytest
import torch

from glcic_lite.course.lesson_05.defects import (
    CROP,
    DEFECTS,
    FEATHER,
    HOLE,
    PATCH,
    STEP,
    blurred,
    blurred_hole,
    boxes,
    brightness_step,
    crops_and_corners,
    foreign_piece,
    spoiled,
)
from glcic_lite.training.samples import cut_patches


@pytest.fixture
def samples():
    generator = torch.Generator().manual_seed(0)
    photos = [torch.randint(30, 220, (3, 96, 110), dtype=torch.uint8, generator=generator) for _ in range(4)]
    return *crops_and_corners(photos, 12, generator), generator


def test_crops_and_corners(samples):
    photos, corners, _ = samples
    assert photos.shape == (12, 3, CROP, CROP) and photos.min() >= 0 and photos.max() <= 1
    assert corners.shape == (12, 2) and corners.min() >= 0 and corners.max() <= CROP - PATCH
    assert cut_patches(photos, corners, PATCH).shape == (12, 3, PATCH, PATCH)


@pytest.mark.parametrize("side", [HOLE, PATCH])
def test_boxes_are_centred_on_the_patches(samples, side):
    _, corners, _ = samples
    for box, (top, left) in zip(boxes(corners, side), corners.tolist(), strict=True):
        expected = torch.zeros(CROP, CROP)
        inset = (PATCH - side) // 2
        expected[top + inset : top + inset + side, left + inset : left + inset + side] = 1
        assert torch.equal(box[0], expected)


def test_blurring_keeps_what_is_constant_and_calms_the_rest(samples):
    photos, *_ = samples
    constant = torch.full((1, 3, 20, 24), 0.3)
    assert torch.allclose(blurred(constant), constant, atol=1e-6)
    assert blurred(photos).std() < 0.5 * photos.std()


@pytest.mark.parametrize("defect", [blurred_hole, brightness_step])
def test_defects_of_detail_stay_in_the_hole(samples, defect):
    photos, corners, generator = samples
    changed = (defect(photos, corners, generator) != photos).any(1, keepdim=True)
    hole = boxes(corners, HOLE) > 0
    assert not (changed & ~hole).any()
    assert (changed & hole).sum() > 0.95 * hole.sum()


def test_a_brightness_step_is_one_step_up_or_down(samples):
    photos, corners, generator = samples
    difference = brightness_step(photos, corners, generator) - photos
    assert set(difference[difference != 0].mul(1000).round().int().abs().tolist()) == {round(1000 * STEP)}
    assert (difference > 0).any() and (difference < 0).any()


def test_a_foreign_piece_is_a_flawless_patch_of_another_photo(samples):
    photos, corners, generator = samples
    spoiled_photos = foreign_piece(photos, corners, generator)
    assert torch.equal(
        cut_patches(spoiled_photos, corners, PATCH), cut_patches(photos.roll(1, 0), corners, PATCH)
    )  # what a local discriminator gets is a real photo: it cannot find anything
    for before, after, (top, left) in zip(photos, spoiled_photos, corners.tolist(), strict=True):
        far = torch.ones(CROP, CROP, dtype=torch.bool)
        reach = 3 * FEATHER
        far[max(top - reach, 0) : top + PATCH + reach, max(left - reach, 0) : left + PATCH + reach] = False
        assert torch.equal(before[:, far], after[:, far])


def test_all_defects_in_equal_numbers(samples):
    photos, corners, generator = samples
    mixed = spoiled(photos, corners, generator)
    assert mixed.shape == photos.shape
    third = len(photos) // len(DEFECTS)
    assert torch.equal(mixed[:third], blurred_hole(photos[:third], corners[:third], generator))
    changed = (mixed != photos).any(1).flatten(1).float().mean(1)
    assert (changed > 0.9 * (HOLE / CROP) ** 2).all()
    assert (changed[2 * third :] > (PATCH / CROP) ** 2 * 0.95).all()
