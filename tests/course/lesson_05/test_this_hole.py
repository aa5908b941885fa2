"""Lesson 05, section 5: the same network trained on with and without the GAN loss, and the slider between both."""

import nbformat
import numpy as np
import pytest
import torch

from glcic_lite import CompletionNetwork, ContextDiscriminator
from glcic_lite.course.lesson_05 import this_hole
from glcic_lite.course.lesson_05.fog_explorer import BEYOND, FogExplorer
from glcic_lite.course.shared import explorers
from glcic_lite.course.shared.discriminator_scores import CROP, PATCH, crops_with_holes
from glcic_lite.files import NOTEBOOKS

LESSON = NOTEBOOKS / "05_context_discriminators.ipynb"


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return CompletionNetwork(width=1 / 16).eval(), ContextDiscriminator(CROP, PATCH, width=1 / 16).eval()


@pytest.fixture(scope="module")
def crops():
    return crops_with_holes(2)


@pytest.fixture(scope="module")
def batch(crops):
    torch.manual_seed(0)
    mask = torch.stack([torch.from_numpy(crop.mask)[None].float() for crop in crops])
    corners = torch.tensor([(crop.patch.top, crop.patch.left) for crop in crops])
    return {"photo": torch.rand(2, 3, CROP, CROP), "mask": mask, "real_patch": corners, "fake_patch": corners}


@pytest.fixture(scope="module")
def after_a_step(networks, batch):
    """Trains a copy for one step; returns its weights."""

    def train(alpha, step=this_hole.joint_step):
        twin = this_hole.Twin(*networks, alpha, torch.device("cpu"), step)
        twin.train_on(batch)
        return twin.weights()

    return train


@pytest.fixture(scope="module")
def sharp(after_a_step):
    return after_a_step(0.1)


def test_the_lessons_step_is_this_one(after_a_step, sharp):
    cells = [cell.source for cell in nbformat.read(LESSON, as_version=4).cells if cell.cell_type == "code"]
    names = {}
    exec(cells[0][: cells[0].index("device = set_up")], names)
    exec(next(source for source in cells if "def joint_step" in source), names)
    lessons = after_a_step(0.1, names["joint_step"])
    assert all(torch.equal(lessons[name], sharp[name]) for name in sharp)


def test_only_alpha_makes_the_twins_differ_and_the_original_stays(networks, after_a_step, sharp):
    before = {name: value.clone() for name, value in networks[0].state_dict().items()}
    fog = after_a_step(0)
    assert all(torch.equal(networks[0].state_dict()[name], before[name]) for name in before)
    assert any(not torch.equal(fog[name], before[name]) for name in fog)
    assert any(not torch.equal(fog[name], sharp[name]) for name in fog)
    assert all(torch.equal(fog[name], before[name]) for name in fog if "running" in name)


def test_between_two_networks():
    one, other = {"a": torch.zeros(3), "n": torch.tensor(7)}, {"a": torch.ones(3), "n": torch.tensor(9)}
    for share in (0, 0.25, 1, 1.5):
        mixed = this_hole.between(one, other, share)
        assert mixed["a"].tolist() == [share] * 3 and mixed["n"] == 7


def test_what_is_measured(networks, crops):
    pictures = this_hole.filled(networks[0], crops)
    for crop, picture in zip(crops, pictures, strict=True):
        assert picture.dtype == np.uint8 and (picture[~crop.mask] == crop.photo[~crop.mask]).all()
    found = this_hole.measured(networks[0], crops)
    assert list(found) == list(this_hole.MEASURES) and found["texture"] < 1 < found["psnr"]


def test_the_log_bears_out_what_the_lesson_says():
    texture, psnr = (this_hole.logged()[name] for name in this_hole.MEASURES)
    without, with_gan = (np.array(texture[way]) for way in this_hole.WAYS)
    assert len(without) == len(with_gan) == this_hole.SEEDS
    before = texture["before"]
    assert (with_gan > 1.6 * without).all() and (with_gan > 1.4 * np.array(before)).all()
    assert (without < 0.9 * np.array(before)).all()
    assert (np.abs(np.array(psnr["squared error alone"]) - psnr["before"]) < 0.1).all()
    assert (np.array(psnr["with the GAN loss"]) < np.array(psnr["before"]) - 0.5).all()
    assert np.mean(psnr["with the GAN loss"]) < np.mean(psnr["squared error alone"])


def test_the_slider_at_its_ends(networks, crops):
    fog, sharp = networks[0].state_dict(), CompletionNetwork(width=1 / 16).state_dict()
    explorers.callback_errors.clear()
    explorer = FogExplorer(networks[0], fog, sharp, {"one": crops[0], "two": crops[1]})
    size, seen = explorer.picture().size, []
    for photo in ("one", "two"):
        for share in (0, 100, BEYOND):
            explorer.set(photo=photo, share=share)
            assert explorer.picture().size == size and f"{share} %" in explorer.words
            seen.append(explorer.words)
    assert explorers.callback_errors == [] and len(set(seen)) == 6
