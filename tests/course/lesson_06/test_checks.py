"""The checks of lesson 06: the untouched stub, right answers, and wrong ones that learners really give."""

import itertools
import math
import random

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from exercise_checks import ExerciseChecks
from glcic_lite.course.lesson_06 import checks
from glcic_lite.course.lesson_06.blind_logs import DISEASES, letters
from glcic_lite.method.losses import discriminator_loss, gan_loss, reconstruction_loss
from glcic_lite.method.networks import composite

# Exercise 1


def holes(count, size, sides, random, one=False, square=False, include=True, inside=True, same_size=False):
    low, high = sides
    masks = torch.zeros(count, 1, size, size)
    lengths = None
    for i in range(count):
        if lengths is None or not (one or same_size):
            height, width = (int(n) for n in random.integers(low, high, 2, endpoint=include))
            lengths = (height, height) if square else (height, width)
            corner = None
        height, width = lengths
        if corner is None or not one:
            corner = [int(random.integers(0, size - n, endpoint=inside)) for n in (height, width)]
        masks[i, :, corner[0] : corner[0] + height, corner[1] : corner[1] + width] = 1
    return masks


def with_limits(limits):
    """Holes whose corner goes as far as `limits(size, sides, h, w)` says: for top and for left."""

    def draw(count, size, sides, random):
        masks = torch.zeros(count, 1, size, size)
        for mask in masks:
            height, width = random.integers(*sides, 2, endpoint=True)
            top, left = (random.integers(0, limit, endpoint=True) for limit in limits(size, sides, height, width))
            mask[:, top : top + height, left : left + width] = 1
        return masks

    return draw


def from_one_corner(count, size, sides, random):
    masks = torch.zeros(count, 1, size, size)
    top, left = random.integers(0, size - sides[1], 2, endpoint=True)
    for mask in masks:
        height, width = random.integers(*sides, 2, endpoint=True)
        mask[:, top : top + height, left : left + width] = 1
    return masks


def on_the_diagonal(count, size, sides, random):
    masks = torch.zeros(count, 1, size, size)
    for mask in masks:
        height, width = random.integers(*sides, 2, endpoint=True)
        start = random.integers(0, size - max(height, width), endpoint=True)
        mask[:, start : start + height, start : start + width] = 1
    return masks


def pushed_back(count, size, sides, random):
    masks = torch.zeros(count, 1, size, size)
    for mask in masks:
        height, width = random.integers(*sides, 2, endpoint=True)
        top, left = (min(random.integers(size), size - length) for length in (height, width))
        mask[:, top : top + height, left : left + width] = 1
    return masks


def noisy(count, size, sides, random):
    return torch.from_numpy((random.random((count, 1, size, size)) < 0.2).astype(np.float32))


# Exercise 2


def weighted(output, photo, mask):
    squared = ((output - photo) * mask) ** 2
    return (squared.sum((1, 2, 3)) / (3 * mask.sum((1, 2, 3)))).mean()


def one_by_one(output, photo, mask):
    losses = [((o - p) ** 2)[:, m[0] > 0].mean() for o, p, m in zip(output, photo, mask, strict=True)]
    return sum(losses) / len(losses)


def writing_into_its_arguments(output, photo, mask):
    photo.sub_(output).mul_(mask)
    return (photo.square().sum((1, 2, 3)) / mask.sum((1, 2, 3)) / 3).mean()


def without_a_gradient(output, photo, mask):
    losses = [((o - p) ** 2)[:, m[0] > 0].mean() for o, p, m in zip(output, photo, mask, strict=True)]
    return float(np.mean([x.item() for x in losses]))


def half_detached(output, photo, mask):
    error = (output - photo) * mask
    return (error * error.detach()).sum((1, 2, 3)).div(3 * mask.sum((1, 2, 3))).mean()


# Exercise 3


def without_limit(iteration, s):
    if iteration >= s.phase_1:
        return timetable(iteration, s)
    left = (s.phase_1 - iteration) / (s.phase_1 * s.learning_rate_decay)
    return s.learning_rate * (s.learning_rate_end + (1 - s.learning_rate_end) * left)


def towards_zero(iteration, s):
    if iteration >= s.phase_1:
        return timetable(iteration, s)
    left = (s.phase_1 - iteration) / (s.phase_1 * s.learning_rate_decay)
    return s.learning_rate * max(min(left, 1), s.learning_rate_end)


def absolute_end(iteration, s):
    if iteration >= s.phase_1:
        return timetable(iteration, s)
    left = min((s.phase_1 - iteration) / (s.phase_1 * s.learning_rate_decay), 1)
    return s.learning_rate_end + (s.learning_rate - s.learning_rate_end) * left


def timetable(iteration, s, rest=0.0, end=None, share=None, late=0, joint=None):
    iteration -= late
    if iteration >= s.phase_1 + s.phase_2:
        return s.joint_learning_rate if joint is None else s.learning_rate
    if iteration >= s.phase_1:
        return rest if rest is not None else s.learning_rate
    falling = s.phase_1 * (s.learning_rate_decay if share is None else share)
    left = min((s.phase_1 - iteration) / falling, 1)
    floor = s.learning_rate_end if end is None else end
    return s.learning_rate * (floor + (1 - floor) * left)


# Exercise 4


def by_keyword(network, discriminator, *others):
    def judge(photo):
        return discriminator(photo=photo)

    judge.requires_grad_ = discriminator.requires_grad_
    return step(network, judge, *others)


def step(network, discriminator, network_optimizer, discriminator_optimizer, photo, mask, alpha):
    output = network(photo, mask)
    completed = composite(photo, output, mask)
    step_loss = discriminator_loss(discriminator(photo), discriminator(completed.detach()))
    discriminator_optimizer.zero_grad()
    step_loss.backward()
    discriminator_optimizer.step()
    discriminator.requires_grad_(False)
    loss = reconstruction_loss(output, photo, mask) + alpha * gan_loss(discriminator(completed))
    network_optimizer.zero_grad()
    loss.backward()
    network_optimizer.step()
    discriminator.requires_grad_(True)
    return step_loss, loss


def step_by_autograd(network, discriminator, network_optimizer, discriminator_optimizer, photo, mask, alpha):
    """Another right way: gradients asked for by name, and the painting done twice."""
    with torch.no_grad():
        completed = composite(photo, network(photo, mask), mask)
    discriminator_optimizer.zero_grad()
    step_loss = discriminator_loss(discriminator(photo), discriminator(completed))
    step_loss.backward()
    discriminator_optimizer.step()
    output = network(photo, mask)
    loss = reconstruction_loss(output, photo, mask) + alpha * gan_loss(discriminator(composite(photo, output, mask)))
    parameters = list(network.parameters())
    for p, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        p.grad = gradient
    network_optimizer.step()
    return [step_loss.item(), loss.item()]


def leaking(network, discriminator, network_optimizer, discriminator_optimizer, photo, mask, alpha):
    """The bug of public implementations."""
    output = network(photo, mask)
    completed = composite(photo, output, mask)
    step_loss = discriminator_loss(discriminator(photo), discriminator(completed.detach()))
    step_loss.backward()
    discriminator_optimizer.step()
    discriminator_optimizer.zero_grad()
    loss = reconstruction_loss(output, photo, mask) + alpha * gan_loss(discriminator(completed))
    loss.backward()
    network_optimizer.step()
    network_optimizer.zero_grad()
    return step_loss, loss


def not_detached(network, discriminator, network_optimizer, discriminator_optimizer, photo, mask, alpha):
    """Comes out right: what the first half leaves in the network is cleared before the second."""
    output = network(photo, mask)
    completed = composite(photo, output, mask)
    step_loss = discriminator_loss(discriminator(photo), discriminator(completed))
    discriminator_optimizer.zero_grad()
    step_loss.backward(retain_graph=True)
    discriminator_optimizer.step()
    loss = reconstruction_loss(output, photo, mask) + alpha * gan_loss(discriminator(completed))
    network_optimizer.zero_grad()
    loss.backward()
    network_optimizer.step()
    return step_loss, loss


def frozen_for_good(network, discriminator, network_optimizer, discriminator_optimizer, photo, mask, alpha):
    result = step(network, discriminator, network_optimizer, discriminator_optimizer, photo, mask, alpha)
    discriminator.requires_grad_(False)
    return result


def backward_twice(network, discriminator, network_optimizer, discriminator_optimizer, photo, mask, alpha):
    output = network(photo, mask)
    completed = composite(photo, output, mask)
    step_loss = discriminator_loss(discriminator(photo), discriminator(completed))
    step_loss.backward()
    loss = reconstruction_loss(output, photo, mask) + alpha * gan_loss(discriminator(completed))
    loss.backward()
    return step_loss, loss


def varied(**change):
    return lambda *arguments: checks.right_joint_step(*arguments, **change)


# Exercise 5


def pack(run):
    return {
        "network": run.network.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "average": run.average,
        "generator": run.generator.get_state(),
        "iteration": run.iteration,
    }


def unpack(run, saved):
    run.network.load_state_dict(saved["network"])
    run.optimizer.load_state_dict(saved["optimizer"])
    run.generator.set_state(saved["generator"])
    run.average, run.iteration = saved["average"], saved["iteration"]
    return run


def without(name):
    """`unpack` that leaves one thing as it was in the fresh run."""

    def unpack_less(run, saved):
        return unpack(run, {**pack(run), **{key: value for key, value in saved.items() if key != name}})

    return pack, unpack_less


def weights_only(run, saved):
    """The network's weights, but not its statistics."""
    own = run.network.state_dict()
    own.update({key: value for key, value in saved["network"].items() if "running" not in key and "batches" not in key})
    return unpack(run, {**saved, "network": own})


def pack_in_eval(run):
    run.network.eval()
    return pack(run)


def checkpoint(functions):
    """The check of the pair `checkpoint`, `resume`; what is no pair stands for both."""
    return checks.checkpoint(*functions) if isinstance(functions, tuple) else checks.checkpoint(functions, functions)


# Exercise 6

TRUE = {letter: (disease, DISEASES[disease].cures[0]) for letter, disease in letters().items()}
LETTER = {disease: letter for letter, disease in letters().items()}


def diagnosed(*answers):
    """The right diagnoses, but for some, given as (disease that it is, diagnosis, cure)."""
    return TRUE | {LETTER[disease]: tuple(answer) for disease, *answer in answers}


# Exercise 7


def load(samples, batch_size, workers, cuda):
    return DataLoader(samples, batch_size, num_workers=workers, pin_memory=cuda)


def fast(network, optimizer, scaler, photo, mask, dtype):
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type="cpu", dtype=dtype):
        loss = reconstruction_loss(network(photo, mask), photo, mask)  # float32: the photo is
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


def by_batch_sampler(samples, batch_size, workers, cuda):
    batches = BatchSampler(SequentialSampler(samples), batch_size, drop_last=False)
    return DataLoader(samples, batch_sampler=batches, num_workers=workers, pin_memory=cuda)


def looking_at_gradients(network, optimizer, scaler, photo, mask, dtype):
    with torch.autocast(photo.device.type, dtype):
        loss = reconstruction_loss(network(photo, mask), photo, mask)
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    assert all(p.grad.dtype == torch.float32 for p in network.parameters())
    scaler.step(optimizer)
    scaler.update()
    return loss


def always_in_bfloat16(network, optimizer, scaler, photo, mask, dtype):
    return fast(network, optimizer, scaler, photo, mask, torch.bfloat16)


def fast_with(**change):
    return load, lambda *arguments: checks.right_fast_step(*arguments, **change)


def without_update(network, optimizer, scaler, photo, mask, dtype):
    with torch.autocast("cpu", dtype):
        loss = reconstruction_loss(network(photo, mask), photo, mask)
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    return loss


def plainly(network, optimizer, scaler, photo, mask, dtype=None):
    loss = reconstruction_loss(network(photo, mask), photo, mask)
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    return loss


def clipping(network, optimizer, scaler, photo, mask, dtype):
    with torch.autocast(photo.device.type, dtype):
        output = network(photo, mask)
    loss = reconstruction_loss(output.float(), photo, mask)
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1e6)
    scaler.step(optimizer)
    scaler.update()
    return loss


@pytest.mark.parametrize("seed", [0, 1])  # all gradients, and the first weights' alone
def test_the_gradients_of_one_batch_do_overflow(seed):
    weights, scales, losses = checks._train_fast(checks.right_fast_step, seed)
    moved = [not torch.equal(*pair) for pair in itertools.pairwise(weights)]
    assert moved == [True, False, True] and scales.tolist() == [4, 4, 2, 2] and losses.isfinite().all()


def halved(network, optimizer, scaler, photo, mask, dtype):
    return fast(network.to(dtype), optimizer, scaler, photo.to(dtype), mask.to(dtype), dtype)


def faster(functions):
    """The check of the pair `loader`, `step`; what is no pair stands for both."""
    return checks.faster(*functions) if isinstance(functions, tuple) else checks.faster(functions, functions)


RIGHT = [
    (checks.holes, holes),
    (checks.holes, lambda *arguments: holes(*arguments).numpy()),
    (checks.holes, with_limits(lambda size, sides, h, w: (size - h, size - w))),
    (checks.loss, weighted),
    (checks.loss, one_by_one),
    (checks.loss, writing_into_its_arguments),
    (checks.timetable, timetable),
    (checks.timetable, lambda iteration, s: s.network_learning_rate(iteration)),
    (checks.joint_step, step),
    (checks.joint_step, step_by_autograd),
    (checks.joint_step, lambda *arguments: torch.stack(step(*arguments))),
    (checks.joint_step, by_keyword),
    (checkpoint, (pack, unpack)),
    (checkpoint, (pack, lambda run, saved: unpack(run, {**saved, "average": saved["average"].clone()}))),
    (checks.diagnoses, TRUE),
    (checks.diagnoses, {letter: list(TRUE[letter]) for letter in sorted(TRUE, reverse=True)}),
    (faster, (load, fast)),
    (faster, (load, checks.right_fast_step)),
    (faster, (by_batch_sampler, fast)),
    (faster, (load, looking_at_gradients)),
    (faster, (load, clipping)),
]

# (check, wrong answer, words that the message must hold)
WRONG = [
    (checks.holes, lambda *a: holes(*a).bool(), "of type bool"),
    (checks.holes, pushed_back, "pushed back inside"),
    (faster, (load, always_in_bfloat16), "in the type that your function is given"),
    (
        faster,
        (
            lambda samples, size, workers, cuda: DataLoader(
                samples, size, num_workers=workers, pin_memory=cuda, drop_last=True
            ),
            fast,
        ),
        "leaves some out",
    ),
    (checkpoint, (pack_in_eval, unpack), "saving changes it"),
    (checkpoint, (lambda run: {"run": run}, unpack), "such as the `ToyRun` in yours"),
    (
        checkpoint,
        (lambda run: pack(run) | {"average": run.average.numpy()}, unpack),
        "such as the numpy array in yours",
    ),
    (checkpoint, (lambda run: pack(run) | {"average": run.average.tolist()}, unpack), "should be a tensor again"),
    (checkpoint, (lambda run: {**pack(run), "generator": run.generator}, unpack), "such as the `Generator` in yours"),
    (checks.holes, lambda *a: holes(*a, one=True), "same hole"),
    (checks.holes, lambda *a: holes(*a, square=True), "squares"),
    (checks.holes, lambda *a: holes(*a, include=False), "upper end left out"),
    (checks.holes, lambda *a: holes(*a, inside=False), "border"),
    (checks.holes, lambda *a: holes(*a, same_size=True), "same size"),
    (checks.holes, on_the_diagonal, "diagonal"),
    (checks.holes, from_one_corner, "same corner"),
    (checks.holes, with_limits(lambda size, sides, h, w: (size - sides[1],) * 2), "both ends"),
    (
        checks.holes,
        with_limits(lambda size, sides, h, w: (size - w, size - h)),
        "own height",
    ),
    (checks.holes, with_limits(lambda size, sides, h, w: (size - sides[0],) * 2), "cut off"),
    (checks.holes, noisy, "not a single box"),
    (checks.holes, lambda c, n, s, r: holes(c, n, s, np.random.default_rng()), "generator that your function is given"),
    (
        checks.holes,
        lambda c, n, s, r: holes(c, n, s, np.random.default_rng(3)),
        "generator that your function is given",
    ),
    (checks.holes, lambda c, n, s, r: holes(c, n, s, np.random.RandomState()), ""),
    (checks.holes, lambda c, n, s, r: 1 - holes(c, n, s, r), ""),
    (checks.holes, lambda c, n, s, r: holes(c, n, s, r).transpose(0, 1), "shape"),
    (checks.holes, lambda c, n, s, r: holes(c, n, s, r).tolist()[0], "tensor is expected"),
    (checks.holes, lambda c, n, s, r: torch.zeros(c, 1, n, n), "no hole"),
    (checks.holes, lambda *a: holes(*a)[:, 0], "shape"),
    (checks.holes, lambda *a: holes(*a) * 0.5, "values other than 0 and 1"),
    (checks.holes, lambda c, n, s, r: holes(c, n, (s[0], s[1] + 4), r), "wide"),
    (checks.loss, lambda output, photo, mask: ((output - photo) ** 2).mean(), "all pixels"),
    (checks.loss, lambda output, photo, mask: (((output - photo) * mask) ** 2).mean(), "whole photo"),
    (checks.loss, lambda o, p, m: (((o - p) * m) ** 2).sum() / (3 * m.sum()), "pooled"),
    (
        checks.loss,
        lambda o, p, m: ((((o - p) * m) ** 2).sum((1, 2, 3)) / m.sum((1, 2, 3))).mean(),
        "three numbers a pixel",
    ),
    (checks.loss, lambda o, p, m: weighted(o, p, 1 - m), "outside the hole"),
    (
        checks.loss,
        lambda o, p, m: (((o - p) * m).abs().sum((1, 2, 3)) / (3 * m.sum((1, 2, 3)))).mean(),
        "not squared",
    ),
    (checks.loss, lambda o, p, m: (((o - p) * m) ** 2).sum(), "it is a sum"),
    (checks.loss, without_a_gradient, "no gradient"),
    (checks.loss, lambda o, p, m: torch.tensor(weighted(o, p, m).item(), requires_grad=True), "a new tensor"),
    (checks.loss, lambda o, p, m: weighted(o, p, m) * float("nan"), "number is expected, not NaN"),
    (checks.holes, lambda c, n, s, r: holes(c, n, (s[0] + 1, s[1]), r), "are both allowed."),
    (checks.loss, lambda o, p, m: weighted(o.detach(), p, m), "no gradient"),
    (checks.loss, lambda o, p, m: weighted(o, p, m).item(), "no gradient"),
    (checks.loss, half_detached, "gradient is not"),
    (checks.loss, lambda o, p, m: weighted(o, p, m) * len(o), "added up"),
    (checks.loss, lambda o, p, m: weighted(o[:1], p[:1], m[:1]), "first photo"),
    (checks.loss, lambda o, p, m: ((((o - p) * m).sum((1, 2, 3)) / (3 * m.sum((1, 2, 3)))) ** 2).mean(), "cancel out"),
    (checks.loss, lambda o, p, m: weighted(o, p, m) ** 0.5, "too large"),
    (checks.loss, lambda o, p, m: ((o - p) * m) ** 2, "a number is expected"),
    (checks.timetable, lambda i, s: timetable(i, s, rest=None), "rests"),
    (checks.timetable, lambda i, s: timetable(i, s, end=0.0), "not to 0"),
    (checks.timetable, lambda i, s: timetable(i, s, share=1.0), "last share"),
    (checks.timetable, lambda i, s: timetable(i, s, late=1), "one iteration late"),
    (checks.timetable, lambda i, s: timetable(i, s, joint=False), "rate of its own"),
    (checks.timetable, lambda i, s: s.learning_rate, "never changes"),
    (checks.timetable, lambda i, s: timetable(i, s, late=-1), "one iteration early"),
    (checks.timetable, lambda i, s: timetable(i, s) * (i < s.phase_1), "both networks train"),
    (checks.timetable, towards_zero, "held up at the end"),
    (checks.timetable, lambda i, s: [timetable(i, s)], "number is expected"),
    (
        checks.timetable,
        lambda i, s: timetable(i, s) - s.learning_rate * s.learning_rate_end * (i < s.phase_1),
        "`end +` is missing",
    ),
    (
        checks.timetable,
        lambda i, s: timetable(i, s, end=0.0) * (s.learning_rate_end if i < s.phase_1 else 1),
        "multiplied by the end",
    ),
    (checks.timetable, absolute_end, "share of `learning_rate`"),
    (checks.timetable, without_limit, "before the fall begins"),
    (checks.timetable, lambda i, s: timetable(i, s, share=1 - s.learning_rate_decay), ""),
    (checks.timetable, lambda i, s: 0.0, "too small"),
    (checks.timetable, lambda i, s: float("inf"), "too large"),
    (checks.timetable, lambda i, s: s, "number is expected"),
    (checks.joint_step, leaking, "leaves gradients in the discriminator"),
    (checks.joint_step, varied(clear="never"), "never cleared"),
    (checks.joint_step, varied(clear="never", freeze=False), "never cleared"),
    (checks.joint_step, varied(clear_network=False), "step before"),
    (checks.joint_step, varied(shown="output"), "bare output"),
    (checks.joint_step, varied(sign=-1), "sign"),
    (checks.joint_step, varied(weighted=False), "alpha"),
    (checks.joint_step, varied(detach=False), "detached"),
    (checks.joint_step, not_detached, "detached"),
    (checks.joint_step, checks._network_first, "network's step comes first"),
    (checks.joint_step, varied(reaches=False), "does not move the network"),
    (checks.joint_step, varied(reconstruct=False), "squared error is missing"),
    (checks.joint_step, varied(gan=lambda logits: 0 * logits.sum()), "it is missing, or"),
    (checks.joint_step, varied(gan=lambda logits: torch.log1p(-torch.sigmoid(logits)).mean()), "saturating"),
    (checks.joint_step, lambda *arguments: [math.nan, math.nan], ""),
    (checks.joint_step, lambda *arguments: ("a", "b"), "two numbers"),
    (checks.joint_step, frozen_for_good, "requires_grad=False"),
    (checks.joint_step, backward_twice, "RuntimeError"),
    (checks.joint_step, lambda *arguments: 1.0, "two numbers"),
    (checks.joint_step, lambda *arguments: step(*arguments)[::-1], "exchanged"),
    (checks.joint_step, lambda *arguments: [0 * loss for loss in step(*arguments)], "what is returned"),
    (checks.joint_step, lambda *arguments: (0.0, 0.0), "network's and the discriminator's"),
    (checkpoint, without("network"), "The weights of the resumed network differ"),
    (checkpoint, without("optimizer"), "optimizer has forgotten"),
    (checkpoint, without("generator"), "generator is not where it was"),
    (checkpoint, without("iteration"), "has done 0 steps"),
    (checkpoint, without("average"), "moving average"),
    (checkpoint, (pack, weights_only), "batch norm statistics"),
    (checkpoint, (lambda run: {"run": run}, unpack), "weights_only=True"),
    (checkpoint, (lambda run: [run.iteration], unpack), "dictionary"),
    (checkpoint, (pack, lambda run, saved: saved), "return the run"),
    (checks.diagnoses, diagnosed(("network too slow", "phase 1 too short", "longer phase 1")), "5 of 6 are right"),
    (checks.diagnoses, diagnosed(("healthy", "network too slow", "faster network")), "stays where it began"),
    (checks.diagnoses, diagnosed(("alpha too large", "healthy", "go on")), "stay in range"),
    (checks.diagnoses, diagnosed(("alpha too large", "alpha too large", "larger alpha")), "does not treat it"),
    (checks.diagnoses, diagnosed(("network too fast", "network too fast", "Slower Network")), "words in `CURES`"),
    (checks.diagnoses, diagnosed(("network too fast", 3, "slower network")), "words in `DISEASES`"),
    (checks.diagnoses, {**TRUE, "B": None}, "without a diagnosis: B"),
    (checks.diagnoses, {**TRUE, "B": "healthy"}, "pair is expected"),
    (checks.diagnoses, "healthy", "pair is expected"),
    (faster, fast_with(scaled=False), "loss is not scaled"),
    (faster, fast_with(by_scaler=False), "optimizer's own"),
    (faster, fast_with(cleared=False), "step before"),
    (faster, (load, without_update), "update()"),
    (faster, (load, plainly), "torch.autocast"),
    (faster, (load, lambda *a: fast(*a[:-1], torch.float16)), "in the type that your function is given"),
    (faster, (load, halved), "stay float32"),
    (faster, (load, lambda *a: a[2].get_scale() * fast(*a)), "scaled one"),
    (faster, (load, lambda *a: (fast(*a), 1)), "one number"),
    (faster, (lambda *a: load(*a[:2], 0, a[3]), fast), "num_workers=0"),
    (faster, (lambda *a: load(*a[:3], False), fast), "pin_memory=False"),
    (faster, (lambda *a: load(a[0], 2, *a[2:]), fast), "batches of 2"),
    (faster, (lambda s, b, w, c: DataLoader(s, b, True, num_workers=w, pin_memory=c), fast), "order of the samples"),
    (faster, (lambda *a: a[0], fast), "return a `DataLoader`"),
]


@pytest.fixture(autouse=True)
def seeds():
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


class TestChecks(ExerciseChecks):
    RIGHT, WRONG = RIGHT, WRONG
    VALUES = (checks.diagnoses,)
