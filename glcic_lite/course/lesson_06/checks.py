"""The checks of lesson 06."""

import io
import math
import random
import re
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from glcic_lite.course.lesson_06.blind_logs import CURES, DISEASES, letters
from glcic_lite.course.lesson_06.toy_run import ToyRun
from glcic_lite.course.shared.checks import (
    NotAttempted,
    NotYet,
    call,
    check,
    exercise,
    expect_number,
    expect_tensor,
    likely_cause,
    plain,
    read_value,
)
from glcic_lite.method.losses import discriminator_loss, gan_loss, reconstruction_loss
from glcic_lite.method.networks import composite
from glcic_lite.training.settings import Settings


def _kept_box(mask: np.ndarray, shown: str) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the one box that a mask is 1 in."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        raise NotYet(f"For {shown} one of your masks has no hole.")
    top, left = rows.min(), columns.min()
    height, width = rows.max() + 1 - top, columns.max() + 1 - left
    if len(rows) != height * width:
        raise NotYet(f"For {shown} one of your holes is not a single box: {len(rows)} pixels in {height} x {width}.")
    return int(top), int(left), int(height), int(width)


def _draws_from_generator(holes: Callable, *case) -> None:
    """Raise `NotYet` if equal generators give different masks, or the generator is never used."""
    masks, used = [], []
    for _ in range(2):
        generator = np.random.default_rng(7)
        before = generator.bit_generator.state
        masks.append(plain(call(holes, *case, generator, shown="a generator with seed 7")))
        used.append(generator.bit_generator.state != before)
    if not all(used) or not np.array_equal(*(np.asarray(mask) for mask in masks)):
        raise NotYet(
            "Your holes do not come from the generator that your function is given: with the same seed they must be "
            "the same again, or no run can be repeated. Draw with `random.integers`."
        )


@check("Exercise 1")
def holes(holes: Callable) -> str:
    """`holes(count, size, sides, random)`: masks (count, 1, size, size), each with a box of its own."""
    rounds, size, low, high = 400, 12, 5, 7  # enough for every size to lie at both ends of its range
    boxes = []
    for number in range(rounds):
        count = 6
        shown = f"count={count}, size={size}, sides=({low}, {high})"
        generator = np.random.default_rng(random.randrange(2**32))
        answer = call(holes, count, size, (low, high), generator, shown=shown, first=number == 0)
        kept = expect_tensor(answer, torch.zeros(count, 1, size, size), shown)
        if not kept.is_floating_point():
            kind = str(kept.dtype).removeprefix("torch.")
            raise NotYet(f"Your masks are of type {kind}; with floats the losses can multiply and subtract.")
        masks = kept.numpy()
        if not np.isin(masks, (0, 1)).all():
            raise NotYet(f"For {shown} a mask has values other than 0 and 1.")
        found = [_kept_box(mask[0], shown) for mask in masks]
        boxes.append(found)
        for _, _, height, width in found:
            if not (low <= height <= high and low <= width <= high):
                raise NotYet(f"For {shown} one of your holes is {width} px wide and {height} px high.")
    _draws_from_generator(holes, 6, size, (low, high))
    if all(len(set(found)) == 1 for found in boxes):
        raise NotYet("All samples of a batch have the same hole: each should have one of its own.")
    tops, lefts, heights, widths = np.array(boxes).reshape(-1, 4).T
    if (heights == widths).all():
        raise NotYet("All your holes are squares; each side has a random length of its own.")
    if all(len({box[2:] for box in found}) == 1 for found in boxes):
        raise NotYet("Within a batch all holes have the same size: each should have one of its own.")
    for name, lengths in (("height", heights), ("width", widths)):
        for edge in (low, high):
            if not (lengths == edge).any():
                raise NotYet(
                    f"Among {len(lengths)} holes none has a {name} of {edge} px; {low} and {high} are both allowed."
                    + " Is the upper end left out, as Python's ranges do?" * (edge == high)
                )
    if (tops == lefts).all():
        raise NotYet("All your holes lie on the diagonal: top and left edge are the same number.")
    if all(len({box[:2] for box in found}) == 1 for found in boxes):
        raise NotYet("Within a batch all holes begin at the same corner: each should have a place of its own.")
    for name, start, length in (("top", tops, heights), ("left", lefts, widths)):
        if start.min() > 0 or (start + length).max() < size:
            far = "upper or left" if start.min() > 0 else "lower or right"
            raise NotYet(f"No hole ever touches the {far} border; look at how far the {name} edge may go.")
        for height in range(low, high + 1):
            for width in range(low, high + 1):
                own = start[(heights == height) & (widths == width)]
                last = size - (height if name == "top" else width)
                if not len(own) or own.min() > 0 or own.max() < last:
                    raise NotYet(
                        f"Holes {width} px wide and {height} px high never have their {name} edge at both ends of its "
                        f"range, 0 and {last}. How far it may go depends on this hole's own "
                        f"{'height' if name == 'top' else 'width'}."
                    )
        # Cut off by the border, a hole looks like a smaller one: then about twice as many end there as begin at 0.
        if ((start + length) == size).sum() > 1.5 * (start == 0).sum():
            last, first = ("lower", "upper") if name == "top" else ("right", "left")
            raise NotYet(
                f"Far more holes end at the {last} border than begin at the {first} one. Are some cut off there, or "
                "pushed back inside? Every position should be as likely as any other."
            )
    if _unevenness(np.array(boxes).reshape(-1, 4), size, low, high) > 700:  # of 3,000 right answers none had over 560
        raise NotYet(
            "Some holes come up far more often than others: height and width are drawn independently, each length as "
            "likely as any other, and so is every position of each hole."
        )
    return "Every sample has a hole of its own, anywhere in the photo."


def _unevenness(boxes: np.ndarray, size: int, low: int, high: int) -> float:
    """How far boxes (N, 4) of (top, left, height, width) are from equally likely: chi-square over all there can be."""
    tops, lefts, heights, widths = boxes.T
    found = 0.0
    for height in range(low, high + 1):
        for width in range(low, high + 1):
            own = (heights == height) & (widths == width)
            counts = np.zeros((size - height + 1, size - width + 1))
            np.add.at(counts, (tops[own], lefts[own]), 1)
            expected = len(boxes) / (high - low + 1) ** 2 / counts.size
            found += ((counts - expected) ** 2 / expected).sum()
    return found


def _squares_in(output: Tensor, photo: Tensor, mask: Tensor) -> Tensor:
    """The sum of the squared errors in each hole."""
    return ((output - photo) * mask).square().sum(dim=(1, 2, 3))


def _can_be_descended(loss: Callable) -> None:
    """Raise `NotYet` unless a loss that is right has a gradient that reaches the output."""
    output, photo, mask = torch.rand(2, 2, 3, 8, 8)[0].requires_grad_(), torch.rand(2, 3, 8, 8), torch.zeros(2, 1, 8, 8)
    mask[0, :, 1:3, 1:4] = mask[1, :, 2:7, 2:5] = 1
    # Not by `call`: its copies would be no leaves. Here they are none either, so a loss may write into them.
    value = loss(output * 1, photo.clone(), mask.clone())
    words = "The number is right, but no gradient gets from it back to the output, and so it cannot train anything. "
    if not isinstance(value, Tensor) or not value.requires_grad:
        raise NotYet(words + "Return a tensor of torch, without `item()`, `detach()` or numpy on the way.")
    (slope,) = torch.autograd.grad(value.sum(), output, allow_unused=True)
    if slope is None:
        raise NotYet(words + "Do not make a new tensor of it (`torch.tensor(...)`): return the one that was computed.")
    (right,) = torch.autograd.grad(reconstruction_loss(output, photo, mask), output)
    if not torch.allclose(slope, right, atol=1e-6):
        raise NotYet("The number is right, but its gradient is not. Is a part of it detached, or made by numpy?")


def _area(mask: Tensor) -> Tensor:
    return 3 * mask.sum(dim=(1, 2, 3))


@exercise(
    2,
    lambda output, photo, mask: reconstruction_loss(output, photo, mask).item(),
    [
        (lambda o, p, m: (o - p).square().mean(), "the error is averaged over all pixels; the mask is not used."),
        (lambda o, p, m: _squares_in(o, p, m).mean() / o[0].numel(),
         "the sum over the hole is divided by the pixels of the whole photo, so small holes hardly count."),
        (lambda o, p, m: _squares_in(o, p, m).sum() / _area(m).sum(),
         "all holes are pooled, so a large one counts more than a small one; average over each hole first."),
        (lambda o, p, m: 3 * (_squares_in(o, p, m) / _area(m)).mean(),
         "the mask has one channel and the error three: the mean is over three numbers a pixel."),
        (lambda o, p, m: (((o - p) * m).abs().sum(dim=(1, 2, 3)) / _area(m)).mean(), "the error is not squared."),
        (lambda o, p, m: (_squares_in(o, p, 1 - m) / _area(1 - m)).mean(),
         "the error is taken outside the hole; the mask is 1 inside."),
        (lambda o, p, m: (_squares_in(o, p, m) / _area(m)).sum(),
         "the means of the holes are added up; take their mean over the photos."),
        (lambda o, p, m: (_squares_in(o, p, m) / _area(m))[0], "only the first photo counts."),
        (lambda o, p, m: ((o - p) * m).square().mean() / m.mean() , "all holes are pooled, so a large one counts more "
         "than a small one; average over each hole first."),
        (lambda o, p, m: (((o - p) * m).sum(dim=(1, 2, 3)) / _area(m)).square().mean(),
         "the errors are averaged before they are squared, so that too bright and too dark cancel out."),
        (lambda o, p, m: _squares_in(o, p, m).sum(),
         "it is a sum; a mean does not depend on the sizes of hole and batch."),
        (lambda o, p, m: (_squares_in(o, p, m) / _area(m)).sqrt().mean(),
         "a root is taken; the paper's loss is the mean squared error itself."),
    ],
    "Every hole counts the same, whatever its size.",
    then=_can_be_descended,
    noun="loss",
    say=lambda output, photo, mask: f"a batch of {len(photo)} photos of {photo.shape[3]} x {photo.shape[2]}",
)  # fmt: skip
def loss():
    """`loss(output, photo, mask)`: squared error, averaged over each hole and then over the photos."""
    for _ in range(5):
        count, size = random.choice([2, 3]), 8
        output, photo = torch.rand(2, count, 3, size, size)
        mask = torch.zeros(count, 1, size, size)
        for i in range(count):
            mask[i, :, 1 : 3 + 2 * i, 1 : 4 + i] = 1  # holes of different sizes: it matters over what is averaged
        yield dict(output=output, photo=photo, mask=mask)


def _rate(
    iteration: int, settings: Settings, rests=True, floor=True, late=0, whole=False, joint=True, absolute=False,
    limit=True, start=False, step=False, line=lambda end, left: end + (1 - end) * left,
) -> float:  # fmt: skip
    """The timetable, and what is often made of it."""
    s, iteration = settings, iteration - late
    if iteration >= s.phase_1 + s.phase_2:
        return s.joint_learning_rate if joint else s.learning_rate
    if iteration >= s.phase_1:
        return 0.0 if rests else s.learning_rate
    falling = s.phase_1 * (1.0 if whole else 1 - s.learning_rate_decay if start else s.learning_rate_decay)
    left = (s.phase_1 - iteration) / falling
    if limit:
        left = min(1, left)
    end = s.learning_rate_end if floor else 0.0
    if step and left < 1:
        left = 0
    if absolute:
        return end + (s.learning_rate - end) * left
    return s.learning_rate * line(end, left)


def _late_phase(iteration: int, settings: Settings, late: set[int]) -> float:
    """The timetable in which the phases after those named by `late` begin one iteration late."""
    s = settings
    if iteration == s.phase_1 and 1 in late:
        return s.learning_rate * s.learning_rate_end
    if iteration == s.phase_1 + s.phase_2 and 2 in late:
        return 0.0
    return _rate(iteration, s)


@exercise(
    3,
    lambda iteration, settings: settings.network_learning_rate(iteration),
    [
        (partial(_rate, rests=False), "in phase 2 the completion network rests: its rate is 0."),
        (partial(_rate, floor=False), "the rate should fall to `learning_rate_end` times itself, not to 0."),
        (partial(_rate, whole=True), "it should fall over the last share of phase 1 only, not over all of it."),
        *(
            (partial(_late_phase, late=late), "a phase begins *at* its first iteration: `>=`, not `>`.")
            for late in ({1}, {2}, {1, 2})
        ),
        (partial(_rate, late=1), "the phases begin one iteration late; iterations are counted from 0."),
        (partial(_rate, late=-1), "the phases begin one iteration early; iterations are counted from 0."),
        (
            partial(_rate, line=lambda end, left: (1 - end) * left),
            "`end +` is missing: without it the rate begins too low, and falls to 0.",
        ),
        (
            partial(_rate, line=lambda end, left: end * left),
            "the share is multiplied by the end; it should lead from 1 *to* the end.",
        ),
        (
            partial(_rate, absolute=True),
            "`learning_rate_end` is taken for the last rate itself; it is a share of `learning_rate`.",
        ),
        (
            partial(_rate, limit=False),
            "the straight line is followed before the fall begins, too: until then the rate stays at `learning_rate`.",
        ),
        (
            partial(_rate, start=True),
            "`learning_rate_decay` is the share of phase 1 in which the rate falls, the last one, not the one before.",
        ),
        (partial(_rate, step=True), "the rate drops in one step; it should fall in a straight line."),
        (lambda iteration, s: s.learning_rate, "the rate never changes."),
        (partial(_rate, joint=False), "phase 3 has a rate of its own, `joint_learning_rate`."),
        (
            lambda iteration, s: _rate(iteration, s) if iteration < s.phase_1 + s.phase_2 else 0.0,
            "in phase 3 both networks train: the rate is `joint_learning_rate`.",
        ),
        (
            lambda iteration, s: (
                _rate(iteration, s)
                if iteration < s.phase_1
                else 0.0
                if iteration < s.phase_2
                else s.joint_learning_rate
            ),
            "between phases 1 and 3 the rate is 0: phase 2 lasts `phase_2` iterations, until phase_1 + phase_2.",
        ),
        (
            lambda iteration, s: (
                _rate(iteration, s)
                if iteration >= s.phase_1
                else s.learning_rate
                * max(s.learning_rate_end, min(1, (s.phase_1 - iteration) / (s.phase_1 * s.learning_rate_decay)))
            ),
            "the line falls towards 0 and is held up at the end; it should lead to the end itself.",
        ),
        (
            lambda iteration, s: (
                _rate(iteration, s)
                if iteration >= s.phase_1
                else s.learning_rate
                * (
                    s.learning_rate_end
                    + (1 - s.learning_rate_end)
                    * min(1, (s.phase_1 - 1 - iteration) / (s.phase_1 * s.learning_rate_decay - 1))
                )
            ),
            "the line would reach its end at iteration `phase_1`, one after the last of the phase.",
        ),
        (
            lambda iteration, s: (
                _rate(iteration, s)
                if iteration >= s.phase_1
                else s.learning_rate
                * s.learning_rate_end ** (1 - min(1, (s.phase_1 - iteration) / (s.phase_1 * s.learning_rate_decay)))
            ),
            "it falls by equal shares; it should fall in a straight line.",
        ),
    ],
    "All {count} rates agree with the package's.",
    noun="rate",
    tolerance=1e-7,
    say=lambda iteration, settings: (
        f"iteration {iteration} of a run with {settings.phase_1}, {settings.phase_2} and "
        f"{settings.phase_3} iterations in its phases"
    ),
)
def timetable():
    """`rate(iteration, settings)`: the completion network's learning rate, against the package's."""
    for decay in (0.3, 0.5, 0.4, 0.2):
        settings = Settings(
            # Not 90: 90 * 0.7 is 62.999... in floating point, and whoever rounds that down is not wrong by it.
            phase_1=10 * random.randint(2, 8), phase_2=random.randint(3, 9), phase_3=9,
            learning_rate=random.choice([2e-3, 1e-2]), learning_rate_end=random.choice([0.1, 0.25]),
            learning_rate_decay=decay, joint_learning_rate=random.choice([1e-4, 5e-4]),
        )  # fmt: skip
        for iteration in range(settings.iterations):
            yield dict(iteration=iteration, settings=settings)


class ToyDiscriminator(nn.Module):
    """A discriminator of a few weights: (N, 3, H, W) to logits (N,)."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 1, 3))

    def forward(self, photo: Tensor) -> Tensor:
        return self.layers(photo).mean(dim=(1, 2, 3))


class ToyNetwork(nn.Module):
    """A completion network of a few weights: photo (N, 3, H, W) and mask (N, 1, H, W) to (N, 3, H, W)."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(4, 6, 3, padding=1), nn.Tanh(), nn.Conv2d(6, 3, 3, padding=1), nn.Sigmoid()
        )

    def forward(self, photo: Tensor, mask: Tensor) -> Tensor:
        return self.layers(torch.cat([torch.where(mask > 0.5, 0.0, photo), mask], dim=1))


def right_joint_step(
    network: nn.Module, discriminator: nn.Module, network_optimizer, discriminator_optimizer, photo: Tensor,
    mask: Tensor, alpha: float, *, clear="before", freeze=True, clear_network=True, detach=True, shown="completed",
    sign=1, weighted=True, gan=gan_loss, reaches=True, reconstruct=True, exchanged=False, half=False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """One joint step, and by its keywords what is often done wrong in it. Returns both losses.

    Args:
        clear: when the discriminator's gradients are cleared: "before" its backward pass, "after" its step, or "never".
        freeze: whether the network's backward pass leaves no gradients in the discriminator.
        clear_network: whether the network's old gradients are cleared.
        detach: whether the discriminator's backward pass stops at the completed photo.
        shown: what the discriminator gets: "completed" photos, the bare "output", or that in its own half "only".
        sign: -1 trains the network to be found out.
        weighted: whether the GAN loss is multiplied by alpha.
        gan: the loss that takes the logits of completed photos.
        reaches: whether the GAN loss has a gradient in the network.
        reconstruct: whether the squared error counts.
        exchanged: whether the discriminator is trained to call completed photos real.
        half: whether its loss is half of what it should be.
    """
    output = network(photo, mask)
    if clear_network:
        network_optimizer.zero_grad()
    completed = output if shown == "output" else composite(photo, output, mask)
    judged = output if shown == "only" else completed
    logits = discriminator(photo), discriminator(judged.detach() if detach else judged)
    fake_loss = discriminator_loss(*(logits[::-1] if exchanged else logits)) * (0.5 if half else 1)
    if clear == "before":
        discriminator_optimizer.zero_grad()
    fake_loss.backward(retain_graph=not detach)
    discriminator_optimizer.step()
    if clear == "after":
        discriminator_optimizer.zero_grad()
    discriminator.requires_grad_(not freeze)
    weight = sign * (alpha if weighted else 1.0)
    fooled = discriminator(completed if reaches else completed.detach())
    loss = reconstruct * reconstruction_loss(output, photo, mask) + weight * gan(fooled)
    loss.backward()
    network_optimizer.step()
    discriminator.requires_grad_(True)
    return fake_loss, loss


def _network_first(network, discriminator, network_optimizer, discriminator_optimizer, photo, mask, alpha):
    output = network(photo, mask)
    completed = composite(photo, output, mask)
    loss = reconstruction_loss(output, photo, mask) + alpha * gan_loss(discriminator(completed))
    network_optimizer.zero_grad()
    loss.backward()
    network_optimizer.step()
    fake_loss = discriminator_loss(discriminator(photo), discriminator(completed.detach()))
    discriminator_optimizer.zero_grad()
    fake_loss.backward()
    discriminator_optimizer.step()
    return fake_loss, loss


_NOT_DETACHED = "the discriminator's backward pass reaches into the network: show the discriminator a detached photo."


def _train_jointly(step: Callable, seed: int, strict: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Three joint steps from equal weights on equal photos: both networks' weights, and all losses.

    Raises:
        NotYet: the step returns something else, or, if `strict`, the discriminator's half reaches into the network.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network, discriminator = ToyNetwork(), ToyDiscriminator()
        photos, mask = torch.rand(3, 4, 3, 8, 8), _different_holes()
    reached: list[bool] = []  # whether a gradient has got through the discriminator to the photo that it judged

    def watch(_, given, named):
        for judged in (*given, *named.values()):
            if judged.requires_grad:
                judged.register_hook(lambda gradient: reached.append(True))

    discriminator.register_forward_pre_hook(watch, with_kwargs=True)
    optimizers = [torch.optim.SGD(x.parameters(), lr=0.5) for x in (network, discriminator)]
    early: list[bool] = []
    optimizers[1].register_step_pre_hook(lambda *_: early.append(bool(reached)))
    returned = []
    for number in range(3):
        # `call` copies tensors only: networks and optimizers are the very ones that are looked at afterwards.
        arguments = (network, discriminator, *optimizers, photos[number], mask, 0.3)
        answer = call(step, *arguments, shown="a joint step", first=number == 0)
        try:
            losses = [float(expect_number(loss, "a joint step")) for loss in answer]
        except (TypeError, NotYet):
            losses = []
        if len(losses) != 2:
            raise NotYet("Your step should return two numbers: the discriminator's loss and the network's.")
        returned += losses
        if not all(p.requires_grad for p in discriminator.parameters()):
            raise NotYet(
                "After your step the discriminator's weights have `requires_grad=False`: its next step would not train "
                "it. Switch it on again."
            )
        reached.clear()
    if strict and any(early):
        raise NotYet(f"Likely cause: {_NOT_DETACHED}")
    flat = [torch.cat([p.detach().flatten() for p in x.parameters()]) for x in (network, discriminator)]
    return *flat, torch.tensor(returned)


_JOINT_SUSPECTS = [
    (dict(freeze=False, clear="after"),
     "the network's backward pass leaves gradients in the discriminator, and the discriminator's next step adds them "
     "in: it is trained a little to be fooled."),
    (dict(freeze=False, clear="never"), "the discriminator's old gradients are never cleared."),
    (dict(clear="never"), "the discriminator's old gradients are never cleared."),
    (dict(clear_network=False), "the network's gradients of the step before are added in."),
    (dict(shown="output"),
     "the discriminator is shown the bare output; it should judge the completed photo, known pixels and all."),
    (dict(shown="only"),
     "in its own half the discriminator is shown the bare output; it should judge the completed photo."),
    (dict(exchanged=True), "`discriminator_loss` takes the real photos' logits first."),
    (dict(half=True), "the discriminator's loss is halved; it is the sum of both parts."),
    (dict(sign=-1), "the network is trained to be found out: its sign is wrong."),
    (dict(weighted=False), "the GAN loss is not multiplied by `alpha`."),
    (dict(detach=False), _NOT_DETACHED),
    (dict(reaches=False),
     "the GAN loss does not move the network: it is missing, or its gradient is stopped by a `detach()`."),
    (dict(reconstruct=False), "the network's loss is the GAN loss alone; the squared error is missing."),
    (dict(gan=lambda logits: nn.functional.logsigmoid(-logits).mean()),
     "the GAN loss is the saturating one, log(1 − D); `gan_loss` is −log D."),
]  # fmt: skip


@check("Exercise 4")
def joint_step(step: Callable) -> str:
    """`step(network, discriminator, network_optimizer, discriminator_optimizer, photo, mask, alpha)`: both losses."""
    cases = [dict(seed=random.randrange(2**31)) for _ in range(2)]
    answers, wrong = [], ""
    for case in cases:
        *weights, losses = _train_jointly(step, **case)
        *right_weights, right_losses = _train_jointly(right_joint_step, **case)
        answers.append(tuple(weights))
        if not all(torch.isfinite(part).all() for part in weights):
            raise NotYet("After three steps some weights are no longer finite numbers.")
        names = [
            name
            for name, mine, right in zip(("network's", "discriminator's"), weights, right_weights, strict=True)
            if not torch.allclose(mine, right, atol=1e-5)
        ]
        if names and not wrong:
            wrong = f"After three steps the {' and the '.join(names)} weights differ from what they should be."
    if wrong:
        suspects = [
            (lambda seed, change=change: _train_jointly(partial(right_joint_step, **change), seed)[:2], cause)
            for change, cause in _JOINT_SUSPECTS
        ]
        suspects.append(
            (
                lambda seed: _train_jointly(_network_first, seed)[:2],
                "the network's step comes first; the "
                "discriminator's should, so that the network is judged by the newer one.",
            )
        )
        raise NotYet(wrong + likely_cause(cases, answers, suspects))
    try:
        _train_jointly(step, **cases[0], strict=True)
    except NotYet as reached:
        raise NotYet(
            "The weights come out right, but only because what the first half leaves in the network is thrown away. "
            f"{reached}"
        ) from None
    if torch.allclose(losses.view(-1, 2).flip(1).flatten(), right_losses, atol=1e-4):
        raise NotYet("The weights are right, but the two losses are exchanged: the discriminator's comes first.")
    if not torch.allclose(losses, right_losses, atol=1e-4):
        raise NotYet("The weights are right, but what is returned is not the discriminator's loss and the network's.")
    return "Each half of the step trains one network, and nothing that it leaves behind reaches the next step."


@check("Exercise 5")
def checkpoint(checkpoint: Callable, resume: Callable) -> str:
    """`checkpoint(run)`: a dictionary to be saved. `resume(run, saved)`: puts it into a fresh run and returns that."""
    seed = random.randrange(2**31)
    straight, stopped = ToyRun(seed), ToyRun(seed)
    for _ in range(7):
        straight.step()
    for _ in range(4):
        stopped.step()
    kept = call(checkpoint, stopped, shown="a run after four steps", first=True)
    if not isinstance(kept, dict):
        raise NotYet("`checkpoint` should return a dictionary.")
    buffer = io.BytesIO()
    try:
        torch.save(kept, buffer)
        buffer.seek(0)
        saved = torch.load(buffer, weights_only=True)
    except Exception as error:
        what = re.search(r"GLOBAL \S*?(\w+) was not|cannot pickle '(?:\S*\.)?(\w+)'", str(error))
        found = (what[1] or what[2]) if what else ""
        found = {"_reconstruct": "numpy array", "scalar": "numpy number"}.get(found, found and f"`{found}`")
        example = f", such as the {found} in yours" if found else ""
        raise NotYet(
            "Your dictionary contains something that does not come back from a file opened with `weights_only=True`: "
            f"use state dictionaries, tensors and plain values, not whole objects{example}."
        ) from None
    fresh = ToyRun(seed + 1)
    fresh.generator.manual_seed(seed + 2)
    resumed = call(resume, fresh, saved, shown="a fresh run and what was saved")
    if not isinstance(resumed, ToyRun):
        raise NotYet("`resume` should return the run.")
    _compare_states(resumed, stopped)
    for _ in range(3):
        resumed.step()
    if resumed.losses != straight.losses[-3:] and resumed.losses != straight.losses:
        raise NotYet("Right after resuming all is as it was, but the numbers that follow differ.")
    for _ in range(3):
        stopped.step()
    if stopped.losses != straight.losses:
        raise NotYet("The run that was saved goes on with other numbers than one that never was: saving changes it.")
    _compare_states(resumed, stopped)
    return "Seven steps without a break and four plus three give the same numbers, bit for bit."


def _compare_states(resumed: ToyRun, stopped: ToyRun) -> None:
    """Raise `NotYet`, naming the first thing that a resumed run lacks."""
    if resumed.iteration != stopped.iteration:
        raise NotYet(
            f"The resumed run thinks that it has done {resumed.iteration} steps; it was stopped after "
            f"{stopped.iteration}. Its learning rate depends on that."
        )
    weights = dict(stopped.network.named_parameters())
    for name, value in resumed.network.state_dict().items():
        if not torch.equal(value, stopped.network.state_dict()[name]):
            kind = "weights" if name in weights else "batch norm statistics"
            raise NotYet(f"The {kind} of the resumed network differ from those of the stopped one (`{name}`).")
    states = [run.optimizer.state_dict()["state"] for run in (resumed, stopped)]
    if states[0].keys() != states[1].keys() or not all(
        torch.equal(states[0][key][name], value) for key, part in states[1].items() for name, value in part.items()
    ):
        raise NotYet(
            "The optimizer has forgotten its running averages: Adam will take its next steps as if it had just begun."
        )
    if not torch.equal(resumed.generator.get_state(), stopped.generator.get_state()):
        raise NotYet("The random generator is not where it was: the next samples will be different.")
    if not isinstance(resumed.average, Tensor):
        raise NotYet("`average` of the resumed run should be a tensor again: the run goes on with it.")
    if not torch.equal(resumed.average, stopped.average):
        raise NotYet("The moving average of the weights, which is what a run saves in the end, is lost.")


@check("Exercise 6")
def diagnoses(answers: dict) -> str:
    """`answers`: a pair (disease, cure) for each letter."""
    form = 'A pair is expected for each letter, such as `"A": ("healthy", "go on")`.'
    given = read_value(answers, dict, form)
    if all(value is None or value is ... for value in given.values()):
        raise NotAttempted("Put your answers in place of `None`, then run this cell again.")
    right = letters()
    missing = [letter for letter in right if given.get(letter) is None or given.get(letter) is ...]
    if missing:
        raise NotYet(f"Still without a diagnosis: {', '.join(missing)}.")
    found = []
    for letter, disease in right.items():
        try:
            claimed, cure = given[letter]
        except (TypeError, ValueError):
            raise NotYet(f"Log {letter}: {form[0].lower()}{form[1:]}") from None
        for word, list_name, known in ((claimed, "DISEASES", DISEASES), (cure, "CURES", CURES)):
            if not isinstance(word, str) or word not in known:
                raise NotYet(f"Log {letter}: {word!r} is not among the words in `{list_name}`.")
        if claimed != disease:
            found.append(f'Log {letter} is not "{claimed}": there {DISEASES[claimed].sign}.')
        elif (disease, cure) == ("phase 1 too short", "slower discriminators"):
            found.append(
                f'Log {letter}: the disease is right, but "{cure}" would hold back a consequence; the cause lies in '
                "phase 1, which would still be too short."
            )
        elif cure not in DISEASES[disease].cures:
            found.append(f'Log {letter}: the disease is right, but "{cure}" does not treat it.')
    if found:
        raise NotYet(f"{len(right) - len(found)} of {len(right)} are right. {found[0]}")
    return "All six, and each with its cure."


class _WatchedNetwork(ToyNetwork):
    """Notes in which type its convolutions compute; None: without autocast.

    Args:
        computes: whether it does compute; not every CPU has convolutions in float16.
    """

    def __init__(self, computes: bool = True):
        super().__init__()
        self.seen: list[torch.dtype | None] = []
        self._computes = computes

    def forward(self, photo: Tensor, mask: Tensor) -> Tensor:
        self.seen.append(torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None)
        return super().forward(photo, mask) if self._computes else photo * sum(p.mean() for p in self.parameters())


def right_fast_step(
    network: nn.Module, optimizer, scaler: torch.amp.GradScaler, photo: Tensor, mask: Tensor, dtype: torch.dtype, *,
    scaled=True, by_scaler=True, cleared=True, twice="",
) -> Tensor:  # fmt: skip
    """One step with autocast and scaler, and by its keywords what is often done wrong in it. Returns the loss.

    Args:
        scaled: whether the loss is scaled before its backward pass.
        by_scaler: whether the scaler makes the optimizer's step.
        cleared: whether the old gradients are cleared.
        twice: whether the optimizer makes a step of its own "before" or "after" the scaler's.
    """
    with torch.autocast(photo.device.type, dtype):
        output = network(photo, mask)
    loss = reconstruction_loss(output.float(), photo, mask)
    if cleared:
        optimizer.zero_grad()
    (scaler.scale(loss) if scaled else loss).backward()
    if twice == "before" or not by_scaler:
        optimizer.step()
    if by_scaler:
        scaler.step(optimizer)
        scaler.update()
    if twice == "after":
        optimizer.step()
    return loss


def _different_holes() -> Tensor:
    """(4, 1, 8, 8): a mask for each photo of a batch, of another size each."""
    masks = torch.zeros(4, 1, 8, 8)
    for number, mask in enumerate(masks):
        mask[:, 1 : 4 + number, 2:6] = 1
    return masks


_FAST_STEPS = 4  # the third one's gradients overflow


def _train_fast(step: Callable, seed: int, strict: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Steps from equal weights on equal photos: the weights after each step, the scale after each, the losses.

    Raises:
        NotYet: the step returns something else, or, if `strict`, does not compute as it should.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network, photos = _WatchedNetwork(), torch.rand(_FAST_STEPS, 4, 3, 8, 8)
    mask = _different_holes()
    weights, scales, losses = [], [], []
    # The loss stays finite, as it mostly does where scaled gradients overflow: whoever looks at the loss sees nothing.
    for parameter in list(network.parameters())[: 1 if seed % 2 else None]:
        parameter.register_hook(lambda g: g.index_fill(0, torch.tensor([0]), math.inf) if len(losses) == 2 else g)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    scaler.scale(torch.zeros(1))  # as in a run under way: a step without `scale` is then no error, only wrong
    for number, photo in enumerate(photos):
        shown = "a step" if number != 2 else "a step with gradients that are not finite"
        arguments = (network, optimizer, scaler, photo, mask, torch.bfloat16)
        try:
            answer = call(step, *arguments, shown=shown, first=number == 0)
        except NotYet as stopped:
            if "No inf checks" in str(stopped):  # PyTorch's words
                raise NotYet(
                    "`scaler.update()` came before the scaler had made a step: first `scaler.step(optimizer)`, which "
                    "replaces `optimizer.step()`, then `scaler.update()`."
                ) from None
            raise
        losses.append(_loss_of(answer))
        weights.append(torch.cat([p.detach().float().flatten() for p in network.parameters()]))
        scales.append(scaler.get_scale())
        if strict and any(p.dtype != torch.float32 for p in network.parameters()):
            raise NotYet("The network's own weights have changed their type: they stay float32, and autocast converts.")
        if strict:
            _expect_types(network.seen, (number + 1) * [torch.bfloat16])
    if strict:  # autocast's own choice on a CPU is bfloat16: another type tells whether it is the one asked for
        network = _WatchedNetwork(computes=False)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        scaler.scale(torch.zeros(1))
        call(step, network, optimizer, scaler, photos[0], mask, torch.float16, shown="a step in float16")
        _expect_types(network.seen, [torch.float16])
    return torch.stack(weights), torch.tensor(scales), torch.tensor(losses)


def _expect_types(seen: list, expected: list) -> None:
    if seen != expected:
        raise NotYet(
            "In each step the network should run once, in the type that your function is given. Call it under "
            "`torch.autocast(photo.device.type, dtype)`."
        )


def _loss_of(answer) -> float:
    """The loss that a step returns, whatever its type."""
    try:
        return float(plain(answer))
    except (TypeError, ValueError, RuntimeError):
        raise NotYet("Your step should return its loss, one number.") from None


_FAST_SUSPECTS = [
    (dict(by_scaler=False), "the optimizer's own `step()` knows nothing of the scale, nor of gradients that are not "
     "finite; the scaler makes the step, and then has to be told that it is over."),
    *((dict(twice=twice),
     "two steps are made, one by the scaler and one by the optimizer itself; the scaler's is enough.")
      for twice in ("before", "after")),
    (dict(scaled=False), "the loss is not scaled; `scaler.step` divides the gradients all the same."),
    (dict(cleared=False), "the gradients of the step before are added in."),
]  # fmt: skip


def _compare_loaders(loader: Callable) -> None:
    """Raise `NotYet` unless `loader(samples, batch_size, workers, cuda)` gives a loader with these settings."""
    samples = [dict(photo=torch.rand(3, 8, 8)) for _ in range(11)]  # a last batch is smaller, and counts as well
    for batch_size, workers, cuda in ((4, 2, False), (3, 0, True), (5, 0, False)):
        shown = f"batch_size={batch_size}, workers={workers}, cuda={cuda}"
        made = call(loader, samples, batch_size, workers, cuda, shown=shown, first=batch_size == 4)
        if not isinstance(made, DataLoader):
            raise NotYet("Your `loader` should return a `DataLoader` of torch.")
        if made.num_workers != workers:
            raise NotYet(f"For {shown} your loader has num_workers={made.num_workers}.")
        if made.pin_memory != cuda:
            raise NotYet(f"For {shown} your loader has pin_memory={made.pin_memory}: pinned memory is for CUDA.")
        batches = [list(batch) for batch in made.batch_sampler or ()]
        if not batches or len(batches[0]) != batch_size:
            raise NotYet(f"For {shown} your loader makes batches of {len(batches[0]) if batches else None}.")
        in_order = [n for batch in batches for n in batch] == list(range(len(samples)))
        if in_order and not (workers or cuda):  # here it runs quickly, and needs no card
            given = list(made)
            if not all(isinstance(batch, dict) and "photo" in batch for batch in given):
                raise NotYet("Your loader's batches should be dictionaries, as its samples are: torch joins them so.")
            photos = [photo for batch in given for photo in batch["photo"]]
            in_order = len(photos) == len(samples) and all(
                torch.equal(photo, sample["photo"]) for photo, sample in zip(photos, samples, strict=True)
            )
        if not in_order:
            raise NotYet("Your loader changes the order of the samples, or leaves some out: no run could be resumed.")


@check("Exercise 7")
def faster(loader: Callable, step: Callable) -> str:
    """`loader(samples, batch_size, workers, cuda)`, and `step(network, optimizer, scaler, photo, mask, dtype)`."""
    _compare_loaders(loader)
    cases = [dict(seed=2 * random.randrange(2**30) + odd) for odd in (0, 1)]
    answers = [_train_fast(step, **case, strict=True) for case in cases]
    rights = [_train_fast(right_fast_step, **case) for case in cases]
    for (weights, scales, losses), (right_weights, right_scales, right_losses) in zip(answers, rights, strict=True):
        # The weights are the same however much they are scaled by; the scale tells whether an overflow was noticed.
        near = torch.allclose(weights, right_weights, atol=1e-4, equal_nan=True)
        if not near or not torch.equal(scales, right_scales):
            suspects = [
                (lambda seed, change=change: _train_fast(partial(right_fast_step, **change), seed)[:2], cause)
                for change, cause in _FAST_SUSPECTS
            ]
            what = "weights" if not near else "scaler's factor"
            cause = likely_cause(cases, [answer[:2] for answer in answers], suspects)
            raise NotYet(f"After some steps, one with an overflow, the {what} should be different.{cause}")
        if not torch.allclose(losses, right_losses, rtol=1e-3, equal_nan=True):
            raise NotYet("The training is right; what is returned is not the loss itself. Is it the scaled one?")
    return "16-bit numbers, a scaled loss, a step left out where the gradients overflow, and photos in their order."
