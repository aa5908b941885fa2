"""The checks of lesson 05: the untouched stub, right answers, and wrong ones that learners really give."""

import torch
import torch.nn.functional as F

from exercise_checks import ExerciseChecks
from glcic_lite.course.lesson_05 import checks
from glcic_lite.method.masks import hole_box, local_patch
from glcic_lite.method.networks import composite


def police_loss(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def with_entropy(real, fake):
    entropy = F.binary_cross_entropy_with_logits
    return entropy(real, torch.ones_like(real)) + entropy(fake, torch.zeros_like(fake))


def unstable(real, fake):
    return -torch.log(torch.sigmoid(real)).mean() - torch.log(1 - torch.sigmoid(fake)).mean()


def pull(logits):
    return torch.sigmoid(logits) - 1, -torch.sigmoid(logits)


def inputs(layers, size, width):
    for layer in layers:
        size //= layer.stride
    return max(1, round(layers[-1].channels * width)) * size**2


def patch_start(first, end, patch, size):
    return min(max((first + end - patch) // 2, 0), size - patch)


def cut(photos, masks, size, which=None):
    patches = []
    for number, photo in enumerate(photos):
        hole = hole_box(masks[number if which is None else which, 0].numpy() > 0.5)
        box = local_patch(hole, size, (photo.shape[2], photo.shape[1]))
        patches.append(photo[:, box.top : box.bottom, box.left : box.right])
    return torch.stack(patches)


def fakes(photos, outputs, masks, size):
    completed = masks * outputs + (1 - masks) * photos
    return completed, cut(completed, masks, size)


def as_found(photos, outputs, masks, size):
    """The public code of the exercise, with both its mistakes."""
    return outputs, cut(outputs, masks, size, 0)


def mixed(photos, outputs, masks, size):
    return composite(photos, outputs, masks), cut(outputs, masks, size)


RIGHT = [
    (checks.police_loss, police_loss),
    (checks.police_loss, with_entropy),
    (checks.police_loss, lambda real, fake: police_loss(real, fake).item()),
    (checks.pull, pull),
    (checks.pull, lambda logits: [1 / (1 + torch.exp(-logits)) - 1, -1 / (1 + torch.exp(-logits))]),
    (checks.fully_connected, inputs),
    (checks.fully_connected, lambda layers, size, width: (size >> len(layers)) ** 2 * int(512 * width)),
    (checks.patch_start, patch_start),
    (checks.patch_start, lambda a, b, p, s: min(max(-((p - a - b) // 2), 0), s - p)),  # rounded up
    (checks.fakes, fakes),
    (checks.fakes, lambda p, o, m, s: list(fakes(p, o, m, s))),
]

# (check, wrong answer, words that the message must hold)
WRONG = [
    (
        checks.police_loss,
        lambda real, fake: torch.log1p(torch.exp(-real)).mean() + torch.log1p(torch.exp(fake)).mean(),
        "exponential infinite",
    ),
    (checks.police_loss, lambda real, fake: police_loss(-real, -fake), "swapped"),
    (checks.police_loss, lambda real, fake: police_loss(real, -fake), "called 0"),
    (checks.police_loss, lambda real, fake: police_loss(real, fake) / 2, "added, not averaged"),
    (checks.police_loss, lambda real, fake: F.softplus(-real).sum() + F.softplus(fake).sum(), "mean over each"),
    (checks.police_loss, lambda real, fake: F.softplus(torch.cat([-real, fake])).mean(), "both batches together"),
    (checks.police_loss, lambda real, fake: F.softplus(-real).mean(), "fakes do not count"),
    (checks.police_loss, lambda real, fake: F.softplus(fake).mean(), "real ones do not count"),
    (checks.police_loss, lambda real, fake: -police_loss(real, fake), "the sign"),
    (checks.police_loss, unstable, "before the logarithm"),
    (checks.police_loss, lambda real, fake: real, "number is expected"),
    (checks.police_loss, lambda real, fake: fake.mean() - real.mean(), "your loss"),
    (checks.pull, lambda logits: pull(logits)[::-1], "swapped"),
    (checks.pull, lambda logits: tuple(-x for x in pull(logits)), "sign of both"),
    (checks.pull, lambda logits: (pull(logits)[0], -pull(logits)[1]), "sign of the second"),
    (checks.pull, lambda logits: (-pull(logits)[0], pull(logits)[1]), "sign of the first"),
    (checks.pull, lambda x: (-1 / torch.sigmoid(x), -1 / torch.sigmoid(-x)), "derivatives by D"),
    (checks.pull, lambda x: (torch.sigmoid(x) * torch.sigmoid(-x),) * 2, "sigmoid alone"),
    (checks.pull, lambda logits: pull(logits)[0], "pair"),
    (checks.pull, lambda logits: (pull(logits)[0].mean(), 0), "shape should be"),
    (checks.fully_connected, lambda t, size, w: int(t[-1].channels * w) * (size >> len(t)), "rows and columns"),
    (checks.fully_connected, lambda t, size, w: int(t[-1].channels * w), "channels only"),
    (checks.fully_connected, lambda t, size, w: inputs(t[1:], size, w), "one halving"),
    (checks.fully_connected, lambda t, size, w: inputs(t, size, 1), "`width` scales"),
    (checks.fully_connected, lambda t, size, w: int(t[-1].channels * w) * size**2, "halved by every layer"),
    (checks.fully_connected, lambda t, size, w: inputs(t, size, w) + 1, "too large"),
    (checks.fully_connected, lambda t, size, w: (inputs(t, size, w),), "number is expected"),
    (checks.patch_start, lambda a, b, p, s: (a + b - p) // 2, "outside the photo"),
    (checks.patch_start, lambda a, b, p, s: max((a + b - p) // 2, 0), "beyond the photo"),
    (checks.patch_start, lambda a, b, p, s: min(a, s - p), "share their centre"),
    (checks.patch_start, lambda a, b, p, s: min((a + b) // 2, s - p), "half the patch"),
    (checks.patch_start, lambda a, b, p, s: min(max((a + b - p) / 2, 0), s - p), "between two pixels"),
    (checks.patch_start, lambda a, b, p, s: 0 if a < p // 2 else s - p, "too far"),
    (checks.patch_start, lambda a, b, p, s: (a, b), "number is expected"),
    (checks.fakes, as_found, "both mistakes"),
    (checks.fakes, lambda p, o, m, s: (o, cut(o, m, s)), "the photo that counts"),
    (checks.fakes, lambda p, o, m, s: (fakes(p, o, m, s)[0], cut(fakes(p, o, m, s)[0], m, s, 0)), "first photo"),
    (checks.fakes, mixed, "patches still come from the raw"),
    (checks.fakes, lambda p, o, m, s: (o, fakes(p, o, m, s)[1]), "whole photo is still"),
    (checks.fakes, lambda p, o, m, s: fakes(o, p, m, s), "swapped"),
    (checks.fakes, lambda p, o, m, s: (p, cut(p, m, s)), "untouched"),
    (checks.fakes, lambda p, o, m, s: (fakes(p, o, m, s)[0], cut(p, m, s)), "untouched photos"),
    (checks.fakes, lambda p, o, m, s: fakes(p, o, m, s)[0][:0], "pair"),
    (checks.fakes, lambda p, o, m, s: (fakes(p, o, m, s)[0], cut(p, m, s - 2)), "shape should be"),
]  # fmt: skip


class TestChecks(ExerciseChecks):
    RIGHT, WRONG = RIGHT, WRONG
