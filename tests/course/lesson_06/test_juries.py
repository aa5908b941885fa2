"""What the discriminators of a batch say: the shares of a logit, and the statistics of a batch."""

import pytest
import torch

from glcic_lite import ContextDiscriminator
from glcic_lite.course.lesson_06.juries import logit_and_shares, while_training
from glcic_lite.course.shared.discriminator_scores import CROP, PATCH, scores


@pytest.fixture(scope="module")
def discriminators():
    torch.manual_seed(0)
    return ContextDiscriminator(CROP, PATCH, width=1 / 8).eval()


@pytest.fixture(scope="module")
def views():
    torch.manual_seed(1)
    return torch.rand(3, 3, CROP, CROP), torch.rand(3, 3, PATCH, PATCH)


def test_the_two_shares_and_the_bias_add_up_to_the_logit(discriminators, views):
    parts = logit_and_shares(discriminators, *views)
    bias = discriminators.concatenation.bias.item()
    assert torch.allclose(parts["global"] + parts["local"] + bias, parts["both"], atol=1e-5)
    assert torch.equal(parts["both"], scores(discriminators, *views))
    changed = logit_and_shares(discriminators, views[0], torch.zeros_like(views[1]))
    assert torch.equal(changed["global"], parts["global"])


def test_while_training_a_picture_is_judged_beside_its_batch(discriminators, views):
    before = {name: value.clone() for name, value in discriminators.state_dict().items()}
    other = tuple(1 - part for part in views)
    alone = while_training(discriminators, views, together=3)[0]
    beside, _ = while_training(discriminators, views, other, together=3)
    assert alone.shape == beside.shape == (3,)
    assert not torch.allclose(alone, beside, atol=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in discriminators.state_dict().items())
