"""What discriminators say: crops, fills, scores, and the explorer of lesson 05."""

import nbformat
import numpy as np
import pytest
import torch

from glcic_lite import CompletionNetwork, ContextDiscriminator
from glcic_lite.course.lesson_05.explorer import SCENES, DiscriminatorExplorer, scene_photo
from glcic_lite.course.shared import explorers
from glcic_lite.course.shared.discriminator_scores import (
    CROP,
    PATCH,
    crops_with_holes,
    fills,
    preferred_share,
    views,
)
from glcic_lite.files import NOTEBOOKS
from glcic_lite.method.masks import Box

LESSON = NOTEBOOKS / "05_context_discriminators.ipynb"


@pytest.fixture(scope="module")
def discriminators():
    torch.manual_seed(0)
    return ContextDiscriminator(CROP, PATCH, width=1 / 8).eval()


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return CompletionNetwork(width=1 / 16).eval()


@pytest.fixture(scope="module")
def shown():
    return crops_with_holes(3)


def test_crops_are_the_same_every_time_and_fit(shown):
    for one, other in zip(shown, crops_with_holes(3), strict=True):
        assert (one.photo == other.photo).all() and one.hole == other.hole
        assert one.photo.shape == (CROP, CROP, 3) and one.photo.dtype == np.uint8
        assert (one.patch.width, one.patch.height) == (PATCH, PATCH)
        assert one.patch.left <= one.hole.left and one.hole.bottom <= one.patch.bottom  # holes are 64 px at most
        assert one.mask.sum() == one.hole.width * one.hole.height


def test_fills_change_the_hole_only_and_never_read_it(shown, network):
    for name, fill in fills(network).items():
        photo, mask = shown[0].photo, shown[0].mask
        filled = fill(photo, mask)
        assert (filled[~mask] == photo[~mask]).all(), name
        other = photo.copy()
        other[mask] = 255 - other[mask]
        assert ((fill(other, mask) == filled).all()) == (name != "photo"), name


def test_views_are_the_whole_and_its_patch(shown):
    whole, patch = views(shown[0].photo, Box(10, 20, 10 + PATCH, 20 + PATCH))
    assert torch.equal(patch, whole[:, 20 : 20 + PATCH, 10 : 10 + PATCH])
    assert whole[:, 5, 7].mul(255).tolist() == pytest.approx(shown[0].photo[5, 7].tolist())


def test_preferred_share_counts_ties_half():
    assert preferred_share(torch.tensor([1.0, 2, 3, 4]), torch.tensor([0.0, 3, 3, 0])) == 0.625


# The explorer


@pytest.fixture
def explorer(discriminators, network):
    explorers.callback_errors.clear()
    yield DiscriminatorExplorer(discriminators, network)
    assert explorers.callback_errors == []


def ends(control):
    return [v for _, v in control._options_full] if hasattr(control, "options") else [control.min, control.max]


def test_every_control_at_its_ends(explorer):
    size = explorer.picture().size
    for name in explorer.settings:
        for value in ends(explorer._controls[name]):
            explorer.set(**{name: value})
            assert explorer.picture().size == size, "the layout would jump"
            assert "real</b>" in explorer.words


def test_a_step_asks_the_discriminators_once(explorer, discriminators):
    asked = []
    hook = discriminators.register_forward_hook(lambda *_: asked.append(explorer.settings["left"]))
    for left in (20, 25, 60):
        explorer.set(left=left)
    hook.remove()
    assert asked == [20, 25, 60]


def test_it_says_where_the_patch_lies_and_what_it_misses(explorer):
    explorer.set(width=20, height=20, left=54, top=54)
    assert "centred on it" in explorer.words
    explorer.set(left=0, top=54)
    assert "22 px right" in explorer.words and "up" not in explorer.words
    explorer.set(left=108, top=0)
    assert "22 px left" in explorer.words and "22 px down" in explorer.words
    explorer.set(width=80, height=20)
    assert "larger than the patch" in explorer.words and "no known pixel" not in explorer.words
    explorer.set(height=80)
    assert "no known pixel" in explorer.words


def test_the_hole_stays_inside_when_it_grows(explorer):
    explorer.set(width=8, left=CROP - 8)
    explorer.set(width=96)
    assert explorer.settings["left"] == CROP - 96


def test_scenes_are_whole_crops():
    for name in SCENES:
        photo = scene_photo(name)
        assert photo.shape == (CROP, CROP, 3) and photo.std() > 20
        assert not (photo[-1] == 0).all(), "the crop reaches over the photo's border"


# What the lesson builds in view


@pytest.fixture(scope="module")
def lesson():
    cells = [cell.source for cell in nbformat.read(LESSON, as_version=4).cells if cell.cell_type == "code"]
    names = {}
    exec(cells[0][: cells[0].index("device = set_up")], names)
    for built in ("class OneDiscriminator", "class TwoDiscriminators"):
        source = next(source for source in cells if built in source)
        exec(source[: source.index("with torch.device")], names)
    return names


@pytest.mark.parametrize(("sizes", "width"), [((128, 64), 1 / 8), ((192, 96), 1 / 16)])
def test_the_lessons_discriminators_are_the_packages(lesson, sizes, width):
    ours = lesson["TwoDiscriminators"](*sizes, width)
    package = ContextDiscriminator(*sizes, width)
    assert list(ours.state_dict()) == list(package.state_dict())
    ours.load_state_dict(package.state_dict())
    photo, patch = torch.rand(2, 3, sizes[0], sizes[0]), torch.rand(2, 3, sizes[1], sizes[1])
    for mode in (True, False):
        assert torch.equal(ours.train(mode)(photo, patch), package.train(mode)(photo, patch))


def test_the_lessons_discriminators_have_the_papers_parameters(lesson):
    with torch.device("meta"):
        assert sum(p.numel() for p in lesson["TwoDiscriminators"]().parameters()) == 45_063_681
