"""The checks of lesson 06."""

import io
import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from glcic_lite.course.lesson_06.toy_run import ToyRun
from glcic_lite.course.shared.checks import NotYet, Suspect, call, check, expect_number, expect_tensor, old_likely_cause
from glcic_lite.method.losses import discriminator_loss, gan_loss, reconstruction_loss
from glcic_lite.method.networks import composite
from glcic_lite.training.settings import Settings


def _kept_box(mask: np.ndarray, shown: str) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the one box that a mask is 1 in."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        raise NotYet(f"For {shown} one of your holes is empty.")
    top, left = rows.min(), columns.min()
    height, width = rows.max() + 1 - top, columns.max() + 1 - left
    if len(rows) != height * width:
        raise NotYet(f"For {shown} one of your holes is no single box: {len(rows)} pixels in {height} x {width}.")
    return int(top), int(left), int(height), int(width)


@check("Exercise 1")
def holes(holes: Callable) -> str:
    """`holes(count, size, sides, random)`: masks (count, 1, size, size), a box of its own in each."""
    rounds, size, low, high = 400, 12, 5, 7  # enough that each size lies at each end of its way
    boxes = []
    for number in range(rounds):
        count = 6
        shown = f"count={count}, size={size}, sides=({low}, {high})"
        generator = np.random.default_rng(random.randrange(2**32))
        answer = call(holes, count, size, (low, high), generator, shown=shown, first=number == 0)
        masks = expect_tensor(answer, torch.zeros(count, 1, size, size), shown).numpy()
        if not np.isin(masks, (0, 1)).all():
            raise NotYet(f"For {shown} a mask holds other values than 0 and 1.")
        found = [_kept_box(mask[0], shown) for mask in masks]
        boxes.append(found)
        for _, _, height, width in found:
            if not (low <= height <= high and low <= width <= high):
                raise NotYet(f"For {shown} one of your holes is {width} px wide and {height} px high.")
    if all(len(set(found)) == 1 for found in boxes):
        raise NotYet("All samples of a batch have the same hole: each should have one of its own.")
    tops, lefts, heights, widths = (
        np.array(values) for values in zip(*[b for found in boxes for b in found], strict=True)
    )
    if (heights == widths).all():
        raise NotYet("All your holes are squares; each side has a random length of its own.")
    if all(len({box[2:] for box in found}) == 1 for found in boxes):
        raise NotYet("Within a batch all holes have the same size: each should have one of its own.")
    for name, lengths in (("height", heights), ("width", widths)):
        for edge in (low, high):
            if not (lengths == edge).any():
                raise NotYet(
                    f"Among {len(lengths)} holes none has a {name} of {edge} px; {low} and {high} are both allowed. "
                    "Is the upper end left out, as Python's ranges do?"
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
                        f"way, 0 and {last}. How far it may go depends on this hole's own "
                        f"{'height' if name == 'top' else 'width'}."
                    )
        # Cut off by the border, a hole looks like a smaller one: then about twice as many end there as begin at 0.
        if ((start + length) == size).sum() > 1.5 * (start == 0).sum():
            raise NotYet(f"Some holes seem to be cut off by the {'lower' if name == 'top' else 'right'} border.")
    return "Every sample has a hole of its own, anywhere in the photo."


def _loss_variant(kind: str) -> Callable:
    def compute(output: Tensor, photo: Tensor, mask: Tensor) -> Tensor:
        error = (output - photo).double()
        if kind == "all pixels":
            return error.square().mean()
        if kind == "outside":
            mask = 1 - mask
        masked = (error * mask).abs() if kind == "absolute" else (error * mask).square()
        sums, areas = masked.sum(dim=(1, 2, 3)), mask.sum(dim=(1, 2, 3))
        if kind == "over the photo":
            return masked.mean()
        if kind == "pooled":
            return sums.sum() / (3 * areas.sum())
        if kind == "channels":
            return (sums / areas).mean()
        if kind == "sum":
            return sums.sum()
        if kind == "root":
            return (sums / (3 * areas)).sqrt().mean()
        return (sums / (3 * areas)).mean()

    return compute


@check("Exercise 2")
def loss(loss: Callable) -> str:
    """`loss(output, photo, mask)`: squared error, averaged over each hole and then over the photos."""
    cases, answers, wrong = [], [], None
    for number in range(5):
        count, size = random.choice([2, 3]), 8
        photo, output = torch.rand(count, 3, size, size), torch.rand(count, 3, size, size)
        mask = torch.zeros(count, 1, size, size)
        for i in range(count):
            mask[i, :, 1 : 3 + 2 * i, 1 : 4 + i] = 1  # holes of different sizes: it matters over what is averaged
        case = dict(output=output, photo=photo, mask=mask)
        shown = f"a batch of {count} photos of {size} x {size}"
        answer = call(loss, *case.values(), shown=shown, first=number == 0)
        value = expect_number(answer.detach() if isinstance(answer, Tensor) else answer, shown)
        expected = float(reconstruction_loss(output, photo, mask))
        cases.append(case)
        answers.append(torch.tensor(float(value), dtype=torch.float64))
        if abs(value - expected) > 1e-4 * expected and wrong is None:
            wrong = f"For {shown} your loss, {value:.4g}, is too {'large' if value > expected else 'small'}."
    if wrong:
        suspects = [
            Suspect(_loss_variant("all pixels"), "the error is averaged over all pixels; the mask is not used."),
            Suspect(_loss_variant("over the photo"),
                    "the sum over the hole is divided by the pixels of the whole photo, so small holes hardly count."),
            Suspect(_loss_variant("pooled"),
                    "all holes are pooled, so a large one counts more than a small one; average over each hole first."),
            Suspect(_loss_variant("channels"),
                    "the mask has one channel and the error three: the mean is over three numbers a pixel."),
            Suspect(_loss_variant("absolute"), "the error is not squared."),
            Suspect(_loss_variant("outside"), "the error is taken outside the hole; the mask is 1 inside."),
            Suspect(_loss_variant("sum"), "it is a sum; a mean does not depend on the sizes of hole and batch."),
            Suspect(_loss_variant("root"), "a root is taken; the paper's loss is the mean squared error itself."),
        ]  # fmt: skip
        raise NotYet(wrong + old_likely_cause(cases, answers, suspects))
    return "Every hole counts the same, whatever its size."


def _rate(iteration: int, settings: Settings, rest=0.0, floor=True, late=0, whole=False, joint=True) -> float:
    """The timetable, and what is often made of it."""
    s, iteration = settings, iteration - late
    if iteration >= s.phase_1 + s.phase_2:
        return s.joint_learning_rate if joint else s.learning_rate
    if iteration >= s.phase_1:
        return s.learning_rate if rest is None else rest
    falling = s.phase_1 * (1.0 if whole else s.learning_rate_decay)
    left = s.phase_1 - iteration
    if left >= falling:
        return s.learning_rate
    end = s.learning_rate_end if floor else 0.0
    return s.learning_rate * (end + (1 - end) * left / falling)


@check("Exercise 3")
def timetable(rate: Callable) -> str:
    """`rate(iteration, settings)`: the completion network's learning rate, as `Settings.network_learning_rate`."""
    cases, answers, wrong = [], [], None
    for number in range(4):
        settings = Settings(
            phase_1=10 * random.randint(2, 9), phase_2=random.randint(3, 9), phase_3=9,
            learning_rate=random.choice([2e-3, 1e-2]), learning_rate_end=random.choice([0.1, 0.25]),
            learning_rate_decay=random.choice([0.3, 0.5]), joint_learning_rate=random.choice([1e-4, 5e-4]),
        )  # fmt: skip
        for iteration in range(settings.iterations):
            shown = (
                f"iteration {iteration} of a run with {settings.phase_1}, {settings.phase_2} and {settings.phase_3} "
                "iterations in its phases"
            )
            first = number == iteration == 0
            value = expect_number(call(rate, iteration, settings, shown=shown, first=first), shown)
            expected = settings.network_learning_rate(iteration)
            cases.append(dict(iteration=iteration, settings=settings))
            answers.append(torch.tensor(float(value), dtype=torch.float64))
            if abs(value - expected) > 1e-6 * max(expected, 1e-5) and wrong is None:
                wrong = f"For {shown} your rate, {value:.3g}, is too {'large' if value > expected else 'small'}."
    if wrong:

        def variant(**change) -> Callable:
            return lambda iteration, settings: torch.tensor(_rate(iteration, settings, **change), dtype=torch.float64)

        suspects = [
            Suspect(variant(rest=None), "in phase 2 the completion network rests: its rate is 0."),
            Suspect(variant(floor=False), "the rate should fall to `learning_rate_end` times itself, not to 0."),
            Suspect(variant(whole=True), "it should fall over the last share of phase 1 only, not over all of it."),
            Suspect(variant(late=1), "the phases begin one iteration late; iterations are counted from 0."),
            Suspect(variant(joint=False), "phase 3 has a rate of its own, `joint_learning_rate`."),
        ]  # fmt: skip
        raise NotYet(wrong + old_likely_cause(cases, answers, suspects))
    return f"All {len(cases)} rates agree with the package's."


class ToyCritic(nn.Module):
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
        return self.layers(torch.cat([photo * (1 - mask), mask], dim=1))


def right_joint_step(
    network: nn.Module, critic: nn.Module, network_optimizer, critic_optimizer, photo: Tensor, mask: Tensor,
    alpha: float, *, clear="before", freeze=True, clear_network=True, detach=True, shown="completed", sign=1,
    weighted=True,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """One joint step, and by its keywords what is often done wrong in it. Returns both losses.

    Args:
        clear: when the critic's gradients are cleared: "before" its backward pass, "after" its step, or "never".
        freeze: whether the network's backward pass leaves no gradients in the critic.
        clear_network: whether the network's old gradients are cleared.
        detach: whether the critic's backward pass stops at the completed photo.
        shown: what the critic judges: "completed" photos or the bare "output".
        sign: -1 trains the network to be found out.
        weighted: whether the GAN loss is multiplied by alpha.
    """
    output = network(photo, mask)
    if clear_network:
        network_optimizer.zero_grad()
    completed = composite(photo, output, mask) if shown == "completed" else output
    critic_loss = discriminator_loss(critic(photo), critic(completed.detach() if detach else completed))
    if clear == "before":
        critic_optimizer.zero_grad()
    critic_loss.backward(retain_graph=not detach)
    critic_optimizer.step()
    if clear == "after":
        critic_optimizer.zero_grad()
    critic.requires_grad_(not freeze)
    loss = reconstruction_loss(output, photo, mask) + sign * (alpha if weighted else 1.0) * gan_loss(critic(completed))
    loss.backward()
    network_optimizer.step()
    critic.requires_grad_(True)
    return critic_loss, loss


def _train_jointly(step: Callable, seed: int, learner: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Three joint steps from equal weights on equal photos: the network's weights, the critic's, and all losses."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network, critic = ToyNetwork(), ToyCritic()
        photos, mask = torch.rand(3, 4, 3, 8, 8), torch.zeros(4, 1, 8, 8)
    mask[:, :, 2:6, 2:6] = 1
    optimizers = [torch.optim.SGD(x.parameters(), lr=0.5) for x in (network, critic)]
    returned = []
    for number in range(3):
        arguments = (network, critic, *optimizers, photos[number], mask, 0.3)
        if not learner:
            returned += [float(loss.detach()) for loss in step(*arguments)]
            continue
        # Not through `call` with its copies alone: networks and optimizers must be the very ones that are looked at.
        answer = call(step, *arguments, shown="a joint step", first=number == 0)
        try:
            losses = [float(loss.detach() if isinstance(loss, Tensor) else loss) for loss in answer]
        except (TypeError, ValueError):
            losses = []
        if len(losses) != 2:
            raise NotYet("Your step should return two numbers: the critic's loss and the network's.")
        returned += losses
        if not all(p.requires_grad for p in critic.parameters()):
            raise NotYet(
                "After your step the critic's weights have `requires_grad=False`: its next step would not train it. "
                "Switch it on again."
            )
    flat = [torch.cat([p.detach().flatten() for p in x.parameters()]) for x in (network, critic)]
    return flat[0], flat[1], torch.tensor(returned)


@check("Exercise 4")
def joint_step(step: Callable) -> str:
    """`step(network, critic, network_optimizer, critic_optimizer, photo, mask, alpha)`: (critic loss, network loss)."""
    seeds = [random.randrange(2**31) for _ in range(2)]
    cases, answers, wrong = [], [], None
    for seed in seeds:
        network, critic, losses = _train_jointly(step, seed, learner=True)
        right_network, right_critic, right_losses = _train_jointly(right_joint_step, seed, learner=False)
        cases.append({"seed": seed})
        answers.append(torch.cat([network, critic]))
        if not torch.isfinite(answers[-1]).all():
            raise NotYet("After three steps some weights are no longer numbers.")
        right = torch.allclose(network, right_network, atol=1e-5), torch.allclose(critic, right_critic, atol=1e-5)
        if not all(right) and wrong is None:
            names = [name for name, fine in zip(("network's", "critic's"), right, strict=True) if not fine]
            wrong = f"After three steps the {' and the '.join(names)} weights differ from what they should be."
    if wrong:

        def variant(**change) -> Callable:
            def compute(seed: int) -> Tensor:
                changed = lambda *arguments: right_joint_step(*arguments, **change)  # noqa: E731
                return torch.cat(_train_jointly(changed, seed, learner=False)[:2])

            return compute

        suspects = [
            Suspect(variant(freeze=False, clear="after"),
                    "the network's backward pass leaves gradients in the critic, and the critic's next step adds "
                    "them in: it is trained a little to be fooled."),
            Suspect(variant(freeze=False, clear="never"), "the critic's old gradients are never cleared."),
            Suspect(variant(clear="never"), "the critic's old gradients are never cleared."),
            Suspect(variant(clear_network=False), "the network's gradients of the step before are added in."),
            Suspect(variant(shown="output"),
                    "the critic is shown the bare output; it should judge the completed photo, known pixels and all."),
            Suspect(variant(sign=-1), "the network is trained to be found out: its sign is wrong."),
            Suspect(variant(weighted=False), "`alpha` does not weigh the GAN loss."),
            Suspect(variant(detach=False),
                    "the critic's backward pass reaches into the network: show the critic a detached photo."),
        ]  # fmt: skip
        raise NotYet(wrong + old_likely_cause(cases, answers, suspects))
    if not torch.allclose(losses, right_losses, atol=1e-4):
        raise NotYet("The weights are right, but what is returned is not the critic's loss and then the network's.")
    return "Each half of the step trains one network and leaves no trace in the other."


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
        words = " ".join(str(error).split())[:120]
        raise NotYet(
            "Your dictionary holds something that does not come back from a file opened with `weights_only=True`: use "
            f"state dictionaries, tensors and plain values, not whole objects ({words} ...)."
        ) from None
    fresh = ToyRun(seed + 1)
    fresh.generator.manual_seed(seed + 2)
    resumed = call(resume, fresh, saved, shown="a fresh run and what was saved")
    if not isinstance(resumed, ToyRun):
        raise NotYet("`resume` should return the run.")
    _hold_same_state(resumed, stopped)
    for _ in range(3):
        resumed.step()
    if resumed.losses != straight.losses[-3:] and resumed.losses != straight.losses:
        raise NotYet("Right after resuming all is as it was, but the numbers that follow differ.")
    return "Seven steps without a break and four plus three give the same numbers, bit for bit."


def _hold_same_state(resumed: ToyRun, stopped: ToyRun) -> None:
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
            raise NotYet(f"The resumed network has other {kind} than the stopped one (`{name}`).")
    states = [run.optimizer.state_dict()["state"] for run in (resumed, stopped)]
    if states[0].keys() != states[1].keys() or not all(
        torch.equal(states[0][key][name], value) for key, part in states[1].items() for name, value in part.items()
    ):
        raise NotYet("The optimizer has forgotten its running averages: Adam's next steps will be as if it began anew.")
    if not torch.equal(resumed.generator.get_state(), stopped.generator.get_state()):
        raise NotYet("The random generator is not where it was: the next samples will be other ones.")
    if not torch.equal(resumed.average, stopped.average):
        raise NotYet("The moving average over the weights, which is what a run hands out in the end, is lost.")
