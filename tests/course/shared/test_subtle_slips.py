"""Answers that break just one promise of an exercise, and nothing else: the checks must not call them correct.

Each stands for a promise that was once made in an exercise's words, and not tested.
"""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, default_collate

from glcic_lite.course.lesson_01 import checks as lesson_01
from glcic_lite.course.lesson_02 import checks as lesson_02
from glcic_lite.course.lesson_04 import checks as lesson_04
from glcic_lite.course.lesson_05 import checks as lesson_05
from glcic_lite.course.lesson_06 import checks as lesson_06
from glcic_lite.course.lesson_07 import checks as lesson_07
from glcic_lite.course.lesson_08 import checks as lesson_08
from glcic_lite.course.lesson_09 import checks as lesson_09
from glcic_lite.course.shared.checks import NOT_YET
from glcic_lite.evaluation.metrics import hole_psnr
from glcic_lite.method.masks import hole_box
from glcic_lite.method.networks import CompletionNetwork


def boxes(place, length=lambda random, low, high: random.integers(low, high, endpoint=True)):
    """Exercise 1 of lesson 06, with a place along one axis drawn by `place(random, size, length)`."""

    def holes(count, size, sides, random):
        masks = torch.zeros(count, 1, size, size)
        for mask in masks:
            height, width = length(random, *sides), length(random, *sides)
            top, left = place(random, size, height), place(random, size, width)
            mask[:, top : top + height, left : left + width] = 1
        return masks

    return holes


def measured(read):
    """Exercise 5 of lesson 01, with `read(gradient, size)` for the gradient (H, W) of the middle output pixel."""

    def field(network, size):
        photo = torch.ones(1, 1, size, size, requires_grad=True)
        out = network(photo)
        out[0, 0, out.shape[2] // 2, out.shape[3] // 2].backward()
        return read(photo.grad[0, 0], size)

    return field


def positive_columns(gradient, size):
    columns = (gradient > 0).any(0).nonzero().flatten()
    return int(columns[-1] - columns[0]) + 1 if len(columns) else 0


def twice_the_left_side(gradient, size):
    return 2 * (size // 2 - int((gradient != 0).any(0).nonzero()[0])) + 1


def block(padding=None, transposed_padding=None):
    def make(kernel, dilation, stride, ins, outs):
        if stride < 1:
            around = (kernel - 2) // 2 if transposed_padding is None else transposed_padding
            convolution = nn.ConvTranspose2d(ins, outs, kernel, 2, around)
        else:
            around = padding if padding is not None and stride == 2 else dilation * (kernel - 1) // 2
            convolution = nn.Conv2d(ins, outs, kernel, int(stride), around, dilation)
        return nn.Sequential(convolution, nn.BatchNorm2d(outs), nn.ReLU())

    return make


class SmallPhotosOnly(CompletionNetwork):
    def forward(self, photo, mask):
        if photo.shape[2] > 32:
            raise ValueError("too large")
        return super().forward(photo, mask)


class MultiplesOf8(CompletionNetwork):
    def forward(self, photo, mask):
        if photo.shape[2] % 8 or photo.shape[3] % 8:
            raise ValueError("multiples of 8, please")
        return super().forward(photo, mask)


def looks_at_the_loss(network, optimizer, scaler, photo, mask, dtype):
    """The gradients may overflow all the same."""
    with torch.autocast(photo.device.type, dtype):
        output = network(photo, mask)
    loss = lesson_06.reconstruction_loss(output.float(), photo, mask)
    optimizer.zero_grad()
    if not torch.isfinite(loss):
        scaler.update(scaler.get_scale() / 2)
        return loss
    scaler.scale(loss).backward()
    for parameter in network.parameters():
        parameter.grad /= scaler.get_scale()
    optimizer.step()
    return loss


def fast(loader=lambda s, b, w, c: DataLoader(s, b, num_workers=w, pin_memory=c), step=lesson_06.right_fast_step):
    return loader, step


def folded(weight, bias, mean, variance, gamma, beta, eps):
    scale = (gamma**2 / (variance + eps)).sqrt()  # the sign of gamma is lost
    return weight * scale[:, None, None, None], (bias - mean) * scale + beta


def shown_instead(stand_in):
    """Exercise 5 of lesson 09, with `stand_in(truth)`, (pixels, 3) to the same, in the hole; or a whole photo."""

    def fair(fill, photo, mask):
        given = photo.copy()
        given[mask] = np.clip(stand_in(photo[mask].astype(float)), 0, 255)
        return hole_psnr(photo, fill(given, mask.copy()), mask)

    return fair


def blanked_box(fill, photo, mask):
    given = photo.copy()
    given[hole_box(mask).slices] = 127
    return hole_psnr(photo, fill(given, mask.copy()), mask)


NOISE = np.random.default_rng(0)


def a_few_as_they_are(truth):
    return np.where(np.arange(len(truth))[:, None] < 6, truth, 127)


SLIPS = {
    "1.5 positive gradients": (lesson_01.measured_field, measured(positive_columns)),
    "1.5 both sides alike": (lesson_01.measured_field, measured(twice_the_left_side)),
    "2.1 smallest magnitude": (
        lesson_02.max_pool,
        lambda photo, size: -lesson_02._blocks(photo, size).abs().amin((1, 3)),
    ),
    "4.2 stride 1 keeps the size": (
        lesson_04.sizes,
        lesson_04._sizes_by(lambda n, row: n if row.stride == 1 else lesson_04._formula(n, row)),
    ),
    "4.3 padding 1 at stride 2": (lesson_04.block, block(padding=1)),
    "4.3 deconvolution padded by 1": (lesson_04.block, block(transposed_padding=1)),
    "4.4 infinity": (
        lesson_04.prepare,
        lambda p, m, c: torch.cat([torch.where(p.isnan(), 0.0, p - c) * (1 - m), m], dim=1),
    ),
    "4.5 multiples of 8": (lesson_04.repaired, MultiplesOf8),
    "4.5 small photos only": (lesson_04.repaired, SmallPhotosOnly),
    "5.1 real logits of 200": (
        lesson_05.losses,
        lambda r, f: ((torch.log1p(torch.exp(r)) - r).mean() + F.softplus(f).mean(), F.softplus(-f).mean()),
    ),
    "5.2 forward autograd": (
        lesson_05.pull,
        lambda logits: tuple(
            torch.func.jvp(loss, (logits,), (torch.ones_like(logits),))[1]
            for loss in (lambda x: -F.logsigmoid(x), lambda x: F.logsigmoid(-x))
        ),
    ),
    "6.1 corners": (lesson_06.holes, boxes(lambda random, size, side: int(random.choice([0, size - side])))),
    "6.1 pushed inside": (
        lesson_06.holes,
        boxes(lambda random, size, side: int(np.clip(random.integers(size) - side // 2, 0, size - side))),
    ),
    "6.1 mostly small": (
        lesson_06.holes,
        boxes(
            lambda random, size, side: int(random.integers(size - side, endpoint=True)),
            lambda random, low, high: int(min(random.integers(low, high, endpoint=True) for _ in range(2))),
        ),
    ),
    "6.7 the loss alone": (lesson_06.faster, fast(step=looks_at_the_loss)),
    "6.7 from the end": (
        lesson_06.faster,
        fast(lambda s, b, w, c: DataLoader(s[::-1], b, num_workers=w, pin_memory=c)),
    ),
    "6.7 batches turned round": (
        lesson_06.faster,
        fast(
            lambda s, b, w, c: DataLoader(
                s, b, num_workers=w, pin_memory=c, collate_fn=lambda part: default_collate(part[::-1])
            )
        ),
    ),
    "6.7 pinned for workers": (
        lesson_06.faster,
        fast(lambda s, b, w, c: DataLoader(s, b, num_workers=w, pin_memory=w > 0)),
    ),
    "6.7 one worker": (
        lesson_06.faster,
        fast(lambda s, b, w, c: DataLoader(s, b, num_workers=min(w, 1), pin_memory=c)),
    ),
    "7.4 the sign of gamma": (lesson_07.fold, folded),
    "8.3 approximate distances": (
        lesson_08.grown,
        lambda mask, pixels: cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) < pixels + 0.5,
    ),
    "9.5 the box around the hole": (lesson_09.fair_psnr, blanked_box),
    "9.5 the truth's tint": (lesson_09.fair_psnr, shown_instead(lambda t: 127 + t.mean(0) - t.mean() + 0 * t)),
    "9.5 the truth's contrast": (
        lesson_09.fair_psnr,
        shown_instead(lambda t: 127 + NOISE.normal(size=t.shape) * t.std(axis=0)),
    ),
    "9.5 the truth's pixels in another order": (
        lesson_09.fair_psnr,
        shown_instead(lambda t: 127 + NOISE.permutation(t - t.mean(axis=0))),
    ),
    "9.5 a few pixels of the truth": (lesson_09.fair_psnr, shown_instead(a_few_as_they_are)),
}


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # of torch.func itself
@pytest.mark.parametrize(("check", "answer"), SLIPS.values(), ids=SLIPS)
def test_a_broken_promise_is_noticed_every_time(check, answer):
    answers = answer if isinstance(answer, tuple) else (answer,)
    for _ in range(4):
        verdict = check(*answers)
        assert verdict.state == NOT_YET, verdict
        raised = isinstance(answer, type)  # the two networks refuse a photo, and that is their slip
        assert ("stopped with" in verdict.message) == raised, verdict


FAIR = {
    "grey": lambda truth: 127 + 0 * truth,
    "black": lambda truth: 0 * truth,
    "noise": lambda truth: NOISE.integers(0, 256, truth.shape),
    "the same noise": lambda truth: np.random.default_rng(0).integers(0, 256, truth.shape),
    "a colour at random": lambda truth: NOISE.integers(0, 256, 3) + 0 * truth,
    "noise around a colour": lambda truth: NOISE.integers(0, 256, 3) + NOISE.normal(0, 30, truth.shape),
}


@pytest.mark.parametrize("stand_in", FAIR.values(), ids=FAIR)
def test_whatever_knows_nothing_of_the_truth_is_fair(stand_in):
    for _ in range(15):
        verdict = lesson_09.fair_psnr(shown_instead(stand_in))
        assert verdict.state != NOT_YET, verdict
