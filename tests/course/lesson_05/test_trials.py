"""Lesson 05, section 6: the training of small discriminators, and the log that its verdict on S8 rests on."""

import numpy as np
import torch

from glcic_lite.course.lesson_05 import trials
from glcic_lite.course.lesson_05.defects import DEFECTS


def test_a_training_repeats_itself_and_every_share_is_one():
    first, again = (trials.train_discriminator(0, "local alone", 3) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True))
    found = trials.found_by(first)
    assert found.keys() == DEFECTS.keys() and all(0 <= share <= 1 for share in found.values())


def test_the_log_bears_out_what_the_lesson_says():
    found = {
        name: {kind: np.array(shares) for kind, shares in kinds.items()} for name, kinds in trials.logged().items()
    }
    blurred, step, foreign = found.values()
    for kinds in found.values():
        assert all(len(shares) >= 2 for shares in kinds.values())
    for detail in (blurred, step):
        assert detail["local alone"].min() > 0.9 and detail["both together"].min() > 0.9
        assert detail["both together"].min() > detail["global alone"].max()
    assert abs(foreign["local alone"] - 0.5).max() < 0.1
    assert min(foreign["global alone"].min(), foreign["both together"].min()) > 0.6
