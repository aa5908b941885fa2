"""The small experiment that lesson 01 builds in view and later lessons import: both are the same."""

import nbformat
import pytest
import torch

from glcic_lite.course.shared import small_completion as package
from glcic_lite.files import NOTEBOOKS

LESSON = NOTEBOOKS / "01_receptive_fields_and_dilation.ipynb"


@pytest.fixture(scope="module")
def lesson():
    """What the lesson's own cells define."""
    cells = [cell.source for cell in nbformat.read(LESSON, as_version=4).cells if cell.cell_type == "code"]
    names = {}
    exec(cells[0], names)
    exec(next(source for source in cells if "def small_network" in source), names)
    return names


def test_the_same_photos_and_inputs(lesson):
    assert all(
        torch.equal(one, other)
        for one, other in zip(lesson["train_photos"], package.small_photos("train"), strict=True)
    )
    assert torch.equal(lesson["never_seen"], package.never_seen(len(lesson["never_seen"])))
    assert torch.equal(lesson["mean_colour"], package.mean_colour())
    assert (lesson["depth"] == package.depth).all()
    crops = lesson["never_seen"][:4]
    assert torch.equal(lesson["four_channels"](crops), package.four_channels(crops))


def test_the_same_network(lesson):
    torch.manual_seed(0)
    one = lesson["small_network"]((2, 4, 2))
    torch.manual_seed(0)
    other = package.small_network()
    assert [str(part) for part in one] == [str(part) for part in other]
    crops = package.never_seen(2)
    with torch.inference_mode():
        assert torch.equal(one(package.four_channels(crops)), other(package.four_channels(crops)))


@pytest.mark.parametrize("shrink", package.SHRINK)
@pytest.mark.parametrize("grow", package.GROW)
def test_every_way_of_shrinking_and_growing_keeps_the_size(shrink, grow):
    network = package.small_network(shrink=shrink, grow=grow)
    assert network(torch.zeros(2, 4, package.CROP, package.CROP)).shape == (2, 3, package.CROP, package.CROP)


def test_ways_of_shrinking_have_equally_many_weights():
    counts = {sum(p.numel() for p in package.small_network(shrink=s).parameters()) for s in package.SHRINK}
    assert len(counts) == 1


def test_the_undilated_network_is_blind_in_the_middle():
    crops = package.never_seen(2).requires_grad_()
    network = package.small_network((1, 1, 1)).eval()
    network(package.four_channels(crops))[:, :, package.CROP // 2, package.CROP // 2].sum().backward()
    assert crops.grad.abs().sum() == 0
    crops.grad = None
    network = package.small_network((2, 4, 2)).eval()
    network(package.four_channels(crops))[:, :, package.CROP // 2, package.CROP // 2].sum().backward()
    assert crops.grad.abs().sum() > 0


def test_training_again_gives_the_same_and_lowers_the_error():
    first = package.Training(package.small_network, seed=1, total=12).run()
    again = package.Training(package.small_network, seed=1, total=12).run()
    assert first.losses == again.losses
    assert sum(first.losses[-3:]) < sum(first.losses[:3])
    filled = first.fill(package.never_seen(2))
    known = package.small_hole.expand_as(filled) == 0
    assert torch.equal(filled[known], package.never_seen(2)[known])
    assert len(first.error_by_depth(package.never_seen(2))) == package.HOLE_SIDE // 2
