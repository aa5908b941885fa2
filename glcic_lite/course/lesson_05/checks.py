"""The checks of lesson 05."""

import random
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from glcic_lite.course.shared.checks import (
    NotYet,
    Suspect,
    call,
    check,
    compare_tensors,
    expect_number,
    expect_tensor,
    old_likely_cause,
)
from glcic_lite.method.architecture import GLOBAL_DISCRIMINATOR, LOCAL_DISCRIMINATOR
from glcic_lite.method.losses import discriminator_loss
from glcic_lite.method.masks import Box, hole_box, local_patch, random_box
from glcic_lite.method.networks import GlobalDiscriminator, LocalDiscriminator, composite


@check("Exercise 1")
def police_loss(police_loss: Callable) -> str:
    """`police_loss(real_logits, fake_logits)`: mean -log D of the real ones plus mean -log(1 - D) of the fakes."""
    cases, answers, wrong = [], [], None
    for number in range(5):
        real, fake = 2 * torch.randn(random.randint(3, 8)) + 0.5, 2 * torch.randn(random.randint(9, 14))
        shown = f"{len(real)} real and {len(fake)} fake logits between −6 and 6"
        answer = call(police_loss, real, fake, shown=shown, first=number == 0)
        answer = torch.tensor(float(expect_number(answer.detach() if isinstance(answer, Tensor) else answer, shown)))
        cases.append(dict(real=real, fake=fake))
        answers.append(answer)
        expected = discriminator_loss(real, fake)
        if not torch.isclose(answer, expected, rtol=1e-4, atol=1e-5):
            how = "large" if answer > expected else "small"
            wrong = wrong or f"For {shown} your loss, {answer:.4g}, is too {how}."
    if wrong:

        def softplus(sign_real: int, sign_fake: int) -> Callable:
            return lambda real, fake: F.softplus(sign_real * real).mean() + F.softplus(sign_fake * fake).mean()

        suspects = [
            Suspect(softplus(1, -1), "real and fake are swapped: the police learn to call every counterfeit real."),
            Suspect(softplus(-1, -1), "the fakes are to be called 0, so it is log(1 − D) that counts for them."),
            Suspect(lambda real, fake: softplus(-1, 1)(real, fake) / 2, "the two means are added, not averaged."),
            Suspect(lambda real, fake: F.softplus(-real).sum() + F.softplus(fake).sum(),
                    "take the mean over each batch; a sum grows with its size."),
            Suspect(lambda real, fake: F.softplus(torch.cat([-real, fake])).mean(),
                    "one mean over both batches together; here each has a mean of its own."),
            Suspect(lambda real, fake: F.softplus(-real).mean(), "the fakes do not count at all."),
            Suspect(lambda real, fake: F.softplus(fake).mean(), "the real ones do not count at all."),
            Suspect(lambda real, fake: -softplus(-1, 1)(real, fake), "the sign: a loss is what gets smaller."),
        ]  # fmt: skip
        raise NotYet(wrong + old_likely_cause(cases, answers, suspects))
    real, fake = torch.tensor([-200.0, 3.0]), torch.tensor([200.0, -1.0])
    shown = "logits of −200 and 200, police who are quite sure and quite wrong,"
    answer = call(police_loss, real, fake, shown=shown)
    answer = answer.item() if isinstance(answer, Tensor) else float(answer)
    if not abs(answer - discriminator_loss(real, fake).item()) < 0.1:
        raise NotYet(
            f"Right for ordinary logits. For {shown} it gives {answer:.4g}: before the logarithm is taken, the sigmoid "
            "has become exactly 0 or 1, or the exponential infinite. Is there a function that does it all in one step?"
        )
    return "It is the loss of the package, and it stays a number when the police are very sure."


@check("Exercise 2")
def pull(pull: Callable) -> str:
    """`pull(logits)`: the derivatives by the logit of -log D and of log(1 - D), D the sigmoid: a pair of tensors."""
    cases, answers, wrong = [], [], None
    for number in range(4):
        logits = (3 * torch.randn(6)).clamp(-4, 4)  # further out, 1 - D has few digits left in float32
        shown = "six random logits"
        answer = call(pull, logits, shown=shown, first=number == 0)
        try:
            first, second = answer
        except (TypeError, ValueError):
            raise NotYet(f"For {shown} a pair is expected: the derivatives of −log D and of log(1 − D).") from None
        leaf = logits.clone().requires_grad_()
        strong = torch.autograd.grad(-F.logsigmoid(leaf).sum(), leaf)[0]
        weak = torch.autograd.grad(F.logsigmoid(-leaf).sum(), leaf)[0]
        cases.append(dict(logits=logits))
        parts = [expect_tensor(x, logits, f"the {which} of {shown}") for x, which in ((first, "first"),
                                                                                      (second, "second"))]  # fmt: skip
        answers.append(torch.stack(parts))
        for part, expected, name in ((first, strong, "−log D"), (second, weak, "log(1 − D)")):
            try:
                compare_tensors(part, expected, f"the derivative of {name} at {shown}")
            except NotYet as difference:
                wrong = wrong or difference
    if wrong:

        def variant(change: Callable) -> Callable:
            return lambda logits: torch.stack(change(torch.sigmoid(logits)))

        suspects = [
            Suspect(variant(lambda d: (-d, d - 1)), "the two are swapped."),
            Suspect(variant(lambda d: (1 - d, d)), "the sign of both: a larger logit makes both losses smaller."),
            Suspect(variant(lambda d: (d - 1, d)), "the sign of the second: log(1 − D) falls as the logit grows."),
            Suspect(variant(lambda d: (1 - d, -d)), "the sign of the first: −log D falls as the logit grows."),
            Suspect(variant(lambda d: (-1 / d, -1 / (1 - d))),
                    "these are the derivatives by D. By the logit there is one factor more, the sigmoid's own "
                    "derivative D(1 − D)."),
            Suspect(variant(lambda d: (d * (1 - d), d * (1 - d))), "this is the derivative of the sigmoid alone."),
        ]  # fmt: skip
        raise NotYet(str(wrong) + old_likely_cause(cases, answers, suspects))
    return "One pulls hardest where the police are sure of a counterfeit; the other lets go there."


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))


@check("Exercise 3")
def fully_connected(fully_connected_inputs: Callable) -> str:
    """`fully_connected_inputs(layers, size, width)`: how many numbers reach the fully connected layer."""
    kinds = {LocalDiscriminator: LOCAL_DISCRIMINATOR, GlobalDiscriminator: GLOBAL_DISCRIMINATOR}
    cases, answers, wrong = [], [], None
    near, far = LocalDiscriminator, GlobalDiscriminator
    settings = [(near, 128, 1), (far, 256, 1), (near, 64, 0.25), (far, 128, 0.25), (near, 96, 0.5), (far, 320, 0.125)]
    for number, (kind, size, width) in enumerate(settings):
        layers = kinds[kind]
        shown = f"a table of {len(layers)} layers, size={size}, width={width}"
        answer = call(fully_connected_inputs, layers, size, width, shown=shown, first=number == 0)
        answer = expect_number(answer, shown)
        cases.append(dict(layers=layers, size=size, width=width))
        answers.append(answer)
        with torch.device("meta"):  # no memory, no numbers: only shapes
            expected = kind(size, width).fully_connected.in_features
        if answer != expected and wrong is None:
            wrong = f"For {shown} your answer, {answer:g}, is too {'large' if answer > expected else 'small'}."
    if wrong:

        def count(layers, size, width, power=2, skip=0, by_width=True, halve=True):
            side = size // 2 ** (len(layers) - skip) if halve else size
            channels = _scaled(layers[-1].channels, width) if by_width else layers[-1].channels
            return channels * side**power

        suspects = [
            Suspect(lambda **c: count(**c, power=1), "a feature map has rows and columns: side × side."),
            Suspect(lambda **c: count(**c, power=0), "these are the channels only; each is a whole feature map."),
            Suspect(lambda **c: count(**c, skip=1), "one halving is missing: every layer of the table halves."),
            Suspect(lambda **c: count(**c, by_width=False), "`width` scales the channels, too."),
            Suspect(lambda **c: count(**c, halve=False), "the photo is halved by every layer before it gets there."),
        ]
        raise NotYet(wrong + old_likely_cause(cases, answers, suspects))
    return "Right for both tables and at every size. Double the photo's side, and this layer gets four times as large."


@check("Exercise 4")
def patch_start(patch_start: Callable) -> str:
    """`patch_start(first, end, patch, size)`: where the local patch begins, along one axis."""
    cases = [(40, 60, 64, 128), (0, 20, 64, 128), (100, 128, 64, 128), (60, 81, 64, 128), (0, 128, 64, 128),
             (10, 20, 64, 64)]  # fmt: skip
    for _ in range(60):
        size = random.randint(64, 300)
        first = random.randint(0, size - 2)
        cases.append((first, random.randint(first + 1, size), 64, size))
    for number, (first, end, patch, size) in enumerate(cases):
        shown = f"first={first}, end={end}, patch={patch}, size={size}"
        start = expect_number(call(patch_start, first, end, patch, size, shown=shown, first=number == 0), shown)
        if start != int(start):
            raise NotYet(f"For {shown} your patch begins at {start:g}, between two pixels. `//` divides to whole ones.")
        right = local_patch(Box(first, 0, end, 1), patch, (size, patch)).left
        # A hole and a patch of which one is odd have no common centre: either neighbour will do.
        centred = abs(2 * start + patch - first - end) <= 1 and 0 <= start <= size - patch
        if start == right or centred:
            continue
        if start < 0:
            raise NotYet(f"For {shown} your patch begins at {start:g}, outside the photo. In Python a negative index "
                         "does not fail: it cuts from the other end.")  # fmt: skip
        if start + patch > size:
            raise NotYet(f"For {shown} your patch ends at {start + patch:g}, beyond the photo's {size} pixels: the "
                         "slice would come out shorter than a patch.")  # fmt: skip
        cause = ""
        if start in (first, min(first, size - patch)):
            cause = " It begins where the hole begins; the two should share their centre."
        elif start in ((first + end) // 2, min((first + end) // 2, size - patch)):
            cause = " It begins at the hole's centre; half the patch should lie before that."
        elif right in (0, size - patch):
            cause = " Near the border it should move inside only as far as it must."
        raise NotYet(f"For {shown} your patch begins at {start:g}, too far to the "
                     f"{'right' if start > right else 'left'}.{cause}")  # fmt: skip
    return f"On {len(cases)} holes, near the border and far from it, the patch lies where it should."


def _cut(photos: Tensor, masks: Tensor, size: int, first_only: bool = False) -> Tensor:
    holes = [hole_box(masks[0 if first_only else n, 0].numpy() > 0.5) for n in range(len(photos))]
    boxes = [local_patch(hole, size, (photos.shape[3], photos.shape[2])) for hole in holes]
    return torch.stack([photo[(slice(None), *box.slices)] for photo, box in zip(photos, boxes, strict=True)])


@check("Exercise 5")
def fakes(fakes: Callable) -> str:
    """`fakes(photos, outputs, masks, size)`: completed photos and the patches around their holes, as a pair."""
    cases, answers, wrong = [], [], None
    for number in range(4):
        count, side, size = random.randint(3, 5), random.choice([48, 56, 64]), 32
        photos, outputs = torch.rand(count, 3, side, side), torch.rand(count, 3, side, side)
        masks = torch.zeros(count, 1, side, side)
        for mask in masks:
            box = random_box(np.random.default_rng(random.getrandbits(32)), (side, side), (8, 24))
            mask[(0, *box.slices)] = 1
        shown = f"{count} photos of {side} px, each with a hole of its own,"
        answer = call(fakes, photos, outputs, masks, size, shown=shown, first=number == 0)
        try:
            whole, patches = answer
        except (TypeError, ValueError):
            raise NotYet(f"For {shown} a pair is expected: the completed photos and their patches.") from None
        completed = composite(photos, outputs, masks)
        whole = expect_tensor(whole, completed, f"the completed photos, given {shown}")
        expected = _cut(completed, masks, size)
        patches = expect_tensor(patches, expected, f"the patches, given {shown}")
        cases.append(dict(photos=photos, outputs=outputs, masks=masks, size=size))
        answers.append(torch.cat([whole.flatten(), patches.flatten()]))
        for part, right, name in ((whole, completed, "completed photos"), (patches, expected, "patches")):
            try:
                compare_tensors(part, right, f"the {name}, given {shown}")
            except NotYet as difference:
                wrong = wrong or difference
    if wrong:

        def variant(whole: str, source: str, first_only: bool = False) -> Callable:
            def compute(photos, outputs, masks, size):
                options = {"output": outputs, "photo": photos, "composite": composite(photos, outputs, masks),
                           "inverted": composite(outputs, photos, masks)}  # fmt: skip
                cut = _cut(options[source], masks, size, first_only)
                return torch.cat([options[whole].flatten(), cut.flatten()])

            return compute

        raw = "outside the hole it is the photo that counts, not what the network painted over it."
        one = "every patch is cut around the hole of the first photo; each photo has its own."
        suspects = [
            Suspect(variant("output", "output", True), f"both mistakes are still there: {raw} And {one}"),
            Suspect(variant("output", "output"), raw),
            Suspect(variant("composite", "composite", True), one),
            Suspect(variant("composite", "output"), f"the patches still come from the raw output: {raw}"),
            Suspect(variant("composite", "output", True), f"the patches come from the raw output, and {one}"),
            Suspect(variant("output", "composite"), f"the whole photo is still the raw output: {raw}"),
            Suspect(variant("composite", "photo"), "the patches come from the untouched photos: nothing is fake."),
            Suspect(variant("inverted", "inverted"), "inside and outside are swapped: the mask is 1 in the hole."),
            Suspect(variant("photo", "photo"), "the photos are returned untouched: nothing is fake."),
        ]
        raise NotYet(str(wrong) + old_likely_cause(cases, answers, suspects))
    return "Now the discriminators see what a reader will see, each at its own place."
