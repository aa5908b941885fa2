"""The checks of lesson 05: the untouched stub, right answers, and wrong ones that learners really give."""

import torch
import torch.nn.functional as F

from exercise_checks import ExerciseChecks
from glcic_lite.course.lesson_05 import checks
from glcic_lite.method.masks import hole_box, local_patch
from glcic_lite.method.networks import composite


def police(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def losses(real, fake):
    return police(real, fake), F.softplus(-fake).mean()


def with_entropy(real, fake):
    entropy = F.binary_cross_entropy_with_logits
    ones, zeros = torch.ones_like, torch.zeros_like
    return entropy(real, ones(real)) + entropy(fake, zeros(fake)), entropy(fake, ones(fake))


def unstable(real, fake):
    real, fake = torch.sigmoid(real), torch.sigmoid(fake)
    return -torch.log(real).mean() - torch.log(1 - fake).mean(), -torch.log(fake).mean()


def joined(photo, patch, global_part, local_part, last):
    return last(torch.cat([global_part(photo), local_part(patch)], dim=1))[:, 0]


def pull(logits):
    return torch.sigmoid(logits) - 1, -torch.sigmoid(logits)


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


def by_autograd(logits):
    leaf = logits.clone().requires_grad_()
    return tuple(torch.autograd.grad(loss.sum(), leaf)[0] for loss in (-F.logsigmoid(leaf), F.logsigmoid(-leaf)))


def by_backward(logits):
    slopes = []
    for sign in (1, -1):
        leaf = logits.clone().requires_grad_()
        (-sign * F.logsigmoid(sign * leaf)).sum().backward()
        slopes.append(leaf.grad)
    return slopes


def corners_exchanged(photos, outputs, masks, size):
    completed = composite(photos, outputs, masks)
    return completed, torch.stack(
        [
            photo[:, box.left : box.left + size, box.top : box.top + size]
            for photo, mask in zip(completed, masks, strict=True)
            for box in [local_patch(hole_box(mask[0].numpy() > 0.5), size, (mask.shape[2], mask.shape[1]))]
        ]
    )


def pinned_to_the_border(first, end, patch, size):
    """Nothing is exchanged here, and half of no length is taken."""
    return 0 if first == 0 and end < size else size - patch if end == size else patch_start(first, end, patch, size)


RIGHT = [
    (checks.losses, losses),
    (checks.losses, with_entropy),
    (checks.losses, lambda real, fake: [loss.item() for loss in losses(real, fake)]),
    (checks.joined, joined),
    (checks.joined, lambda p, q, g, loc, last: last(torch.hstack((g(p), loc(q)))).squeeze(1)),
    (checks.joined, lambda p, q, g, loc, last: last(torch.cat((g(p), loc(q)), -1)).flatten()),
    (checks.pull, pull),
    (checks.pull, lambda logits: [1 / (1 + torch.exp(-logits)) - 1, -1 / (1 + torch.exp(-logits))]),
    (checks.pull, lambda x: torch.stack(pull(x))),
    (checks.pull, lambda x: [pull(x)[0].tolist(), list(pull(x)[1])]),
    (checks.patch_start, lambda a, b, p, s: torch.tensor(float(patch_start(a, b, p, s)))),
    (checks.patch_start, patch_start),
    (checks.patch_start, lambda a, b, p, s: min(max(-((p - a - b) // 2), 0), s - p)),  # rounded up
    (checks.fakes, fakes),
    (checks.fakes, lambda p, o, m, s: list(fakes(p, o, m, s))),
]

# (check, wrong answer, words that the message must hold)
WRONG = [
    (
        checks.losses,
        lambda r, f: (torch.log1p(torch.exp(-r)).mean() + torch.log1p(torch.exp(f)).mean(), losses(r, f)[1]),
        "exponential infinite",
    ),
    (checks.losses, lambda r, f: losses(r, f)[::-1], "comes first"),
    (checks.losses, lambda r, f: (police(-r, -f), losses(r, f)[1]), "swapped"),
    (checks.losses, lambda r, f: (police(r, -f), losses(r, f)[1]), "called 0"),
    (checks.losses, lambda r, f: (police(r, f) / 2, losses(r, f)[1]), "added, not averaged"),
    (checks.losses, lambda r, f: (F.softplus(-r).sum() + F.softplus(f).sum(), losses(r, f)[1]), "mean over each"),
    (
        checks.losses,
        lambda r, f: (F.softplus(-r).sum() + F.softplus(f).sum(), F.softplus(-f).sum()),
        "in both losses",
    ),
    (checks.losses, lambda r, f: (F.softplus(torch.cat([-r, f])).mean(), losses(r, f)[1]), "both batches together"),
    (checks.losses, lambda r, f: (F.softplus(-r).mean(), losses(r, f)[1]), "fakes do not count"),
    (checks.losses, lambda r, f: (F.softplus(f).mean(), losses(r, f)[1]), "real ones do not count"),
    (checks.losses, lambda r, f: (-police(r, f), losses(r, f)[1]), "the sign of the police"),
    (checks.losses, lambda r, f: tuple(-loss for loss in losses(r, f)), "the sign of both"),
    (checks.losses, lambda r, f: (police(r, f), -police(r, f)), "sum of zero"),
    (checks.losses, unstable, "before the logarithm"),
    (checks.losses, lambda r, f: (police(r, f), -torch.log(torch.sigmoid(f)).mean()), "counterfeiter's loss is inf"),
    (checks.losses, lambda r, f: police(r, f), "pair is expected"),
    (checks.losses, lambda r, f: (r, f), "number is expected"),
    (checks.losses, lambda r, f: (f.mean() - r.mean(), -f.mean()), "your answer"),
    (checks.losses, lambda r, f: (police(r, f), F.logsigmoid(-f).mean()), "minimax form"),
    (checks.losses, lambda r, f: (police(r, f), F.softplus(f).mean()), "called 1"),
    (checks.losses, lambda r, f: (police(r, f), F.logsigmoid(f).mean()), "sign of the counterfeiter"),
    (checks.losses, lambda r, f: (police(r, f), F.softplus(-r).mean()), "not the real ones"),
    (checks.losses, lambda r, f: (police(r, f), F.softplus(-f).sum()), "grows with the batch"),
    (checks.joined, lambda p, q, g, loc, last: last(torch.cat([loc(q), g(p)], 1))[:, 0], "the other order"),
    (checks.joined, lambda p, q, g, loc, last: torch.sigmoid(joined(p, q, g, loc, last)), "the logit itself"),
    (checks.joined, lambda p, q, g, loc, last: last(torch.cat([g(p), loc(q)], 1)), "dimensions differs"),
    (checks.joined, lambda p, q, g, loc, last: last(torch.cat([g(p), loc(q)], 1)).squeeze(), "1 photo with a patch"),
    (checks.joined, lambda p, q, g, loc, last: last(torch.cat([g(p), loc(q)], 0)), "stopped with RuntimeError"),
    (checks.joined, lambda p, q, g, loc, last: last(torch.cat([g(p), 0 * loc(q)], 1))[:, 0], "local one found"),
    (checks.joined, lambda p, q, g, loc, last: last(torch.cat([0 * g(p), loc(q)], 1))[:, 0], "global one found"),
    (checks.joined, lambda p, q, g, loc, last: -joined(p, q, g, loc, last), "the sign"),
    (checks.joined, lambda p, q, g, loc, last: torch.relu(joined(p, q, g, loc, last)), "ReLU"),
    (checks.joined, lambda p, q, g, loc, last: joined(p, q, g, loc, last).mean(), "shape should be"),
    (checks.pull, lambda logits: pull(logits)[::-1], "swapped"),
    (checks.pull, lambda logits: tuple(-x for x in pull(logits)), "sign of both"),
    (checks.pull, lambda logits: (pull(logits)[0], -pull(logits)[1]), "sign of the second"),
    (checks.pull, lambda logits: (-pull(logits)[0], pull(logits)[1]), "sign of the first"),
    (checks.pull, lambda x: (-1 / torch.sigmoid(x), -1 / torch.sigmoid(-x)), "derivatives by D"),
    (checks.pull, lambda x: (-1 / torch.sigmoid(x), 1 / torch.sigmoid(-x)), "has lost a sign"),
    (checks.pull, lambda x: (torch.sigmoid(x) * torch.sigmoid(-x),) * 2, "sigmoid alone"),
    (checks.pull, lambda logits: pull(logits)[0], "pair"),
    (checks.pull, lambda x: (x - 1, -x), "the *sigmoid* of the logit"),
    (checks.pull, lambda x: (-1 / x, -1 / (1 - x)), "the *sigmoid* of the logit"),
    (checks.pull, lambda x: (pull(x)[0], -pull(x)[0]), "its sign turned"),
    (checks.pull, by_autograd, "without it"),
    (checks.pull, by_backward, "without it"),
    (checks.pull, lambda x: (-torch.sigmoid(-x) / torch.sigmoid(x), -torch.sigmoid(x)), "first has one factor"),
    (checks.pull, lambda x: (torch.sigmoid(x) - 1, -torch.sigmoid(x) / torch.sigmoid(-x)), "second has one factor"),
    (checks.pull, lambda x: (-F.logsigmoid(x), F.logsigmoid(-x)), "losses themselves"),
    (checks.pull, lambda x: (pull(x)[0], pull(x)[0]), "first again"),
    (checks.pull, lambda x: (pull(x)[0] * float("nan"), pull(x)[1]), "NaN"),
    (checks.pull, lambda logits: (pull(logits)[0].mean(), 0), "shape should be"),
    (checks.patch_start, lambda a, b, p, s: (a + b - p) // 2, "outside the photo"),
    (checks.patch_start, lambda a, b, p, s: max((a + b - p) // 2, 0), "beyond the photo"),
    (checks.patch_start, lambda a, b, p, s: min(a, s - p), "share their centre"),
    (checks.patch_start, lambda a, b, p, s: min((a + b) // 2, s - p), "half the patch"),
    (checks.patch_start, lambda a, b, p, s: min(max((a + b - p) / 2, 0), s - p), "between two pixels"),
    (checks.patch_start, lambda a, b, p, s: 0 if a < p // 2 else s - p, "too far"),
    (checks.patch_start, lambda a, b, p, s: (a, b), "number is expected"),
    (checks.patch_start, lambda a, b, p, s: patch_start(a, b, 64, s), "For first"),
    (checks.patch_start, lambda a, b, p, s: patch_start(a, b - 1, p, s), "one past the hole's last pixel"),
    (checks.patch_start, lambda a, b, p, s: min(max((a + b - 1) // 2 - p // 2, 0), s - p), "one past the hole's last"),
    (checks.patch_start, lambda a, b, p, s: min(max((a + b - p) // 2, 0), s - p - 1), "only as far as necessary"),
    (checks.patch_start, lambda a, b, p, s: max(min((a + b - p) // 2, 0), s - p), "exchanged"),
    (checks.patch_start, lambda a, b, p, s: min((a + b - p) // 2, 0, s - p), "exchanged"),
    (checks.patch_start, lambda a, b, p, s: min(max((a + b) // 2 - p, 0), s - p), "A whole patch"),
    (checks.patch_start, lambda a, b, p, s: min(max((b - a) // 2 - p // 2, 0), s - p), "half the hole's length"),
    (checks.patch_start, lambda a, b, p, s: min(max(b - p // 2, 0), s - p), "lies between `first` and `end`"),
    (checks.patch_start, lambda a, b, p, s: float("inf"), "no pixel's number"),
    (checks.patch_start, lambda a, b, p, s: min(b, s - p), "too far to the right"),
    (checks.patch_start, pinned_to_the_border, "too far to the right"),
    (checks.patch_start, lambda a, b, p, s: (s - p) // 2, "too far"),
    (checks.fakes, as_found, "both mistakes"),
    (checks.fakes, lambda p, o, m, s: (o, cut(o, m, s)), "the photo that counts"),
    (checks.fakes, lambda p, o, m, s: (o, cut(fakes(p, o, m, s)[0], m, s, 0)), "raw output"),
    (checks.fakes, lambda p, o, m, s: (fakes(p, o, m, s)[0], cut(fakes(p, o, m, s)[0], m, s, 0)), "first photo"),
    (checks.fakes, corners_exchanged, "rows and columns"),
    (checks.fakes, lambda p, o, m, s: (fakes(p, o, m, s)[0],) * 2, "shape should be"),
    (checks.fakes, lambda p, o, m, s: (fakes(p, o, m, s)[0], fakes(p, o, m, s)[0][..., :s, :s]), "upper left corner"),
    (checks.fakes, lambda p, o, m, s: (fakes(p, o, m, s)[0], fakes(p, o, m, s)[1][:1].repeat(len(p), 1, 1, 1)),
     "first photo's"),
    (checks.fakes, lambda p, o, m, s: fakes(p, o, m, s)[::-1], "shape should be"),
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
