"""The checks of lesson 05."""

import math
import random
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glcic_lite.course.shared.checks import NotYet, call, exercise, expect_number
from glcic_lite.method.losses import gan_loss
from glcic_lite.method.masks import Box, hole_box, local_patch, random_box
from glcic_lite.method.networks import composite


def _police(real: Tensor, fake: Tensor, sign_real: int = -1, sign_fake: int = 1) -> float:
    return (F.softplus(sign_real * real).mean() + F.softplus(sign_fake * fake).mean()).item()


def _counterfeiter(fake: Tensor) -> float:
    return gan_loss(fake).item()


def _both(real: Tensor, fake: Tensor) -> tuple[float, float]:
    return _police(real, fake), _counterfeiter(fake)


def _slip_of_the_police(change: Callable) -> Callable:
    return lambda real, fake: (change(real, fake), _counterfeiter(fake))


def _slip_of_the_counterfeiter(change: Callable) -> Callable:
    return lambda real, fake: (_police(real, fake), change(real, fake))


def _survive_certainty(losses: Callable) -> None:
    """Raise `NotYet` if losses that are right otherwise overflow."""
    real, fake = torch.tensor([-200.0, 3.0, 200.0]), torch.tensor([200.0, -200.0])
    shown = "logits of −200 and 200, police who are quite sure,"
    answers = call(losses, real, fake, shown=shown)
    for name, answer, right in zip(_LOSSES, answers, _both(real, fake), strict=True):
        if not abs(float(answer) - right) < 0.1:
            raise NotYet(
                f"Right for ordinary logits. For {shown} {name} is {float(answer):.4g}: before the logarithm is taken, "
                "the sigmoid has become exactly 0 or 1, or the exponential infinite. Is there a function that does it "
                "all in one step?"
            )


_LOSSES = ("the police's loss", "the counterfeiter's loss")


@exercise(
    1,
    _both,
    [
        (lambda real, fake: (_police(real, fake, 1, -1), F.softplus(fake).mean().item()),
         "every sign within softplus: −log(sigmoid(x)) is softplus(−x)."),
        (lambda real, fake: _both(real.sigmoid(), fake.sigmoid()),
         "the sigmoid is taken twice: softplus, or the cross entropy with logits, already holds it."),
        (lambda real, fake: _both(real.mean(), fake.mean()),
         "the mean comes last: it is that of the losses, not of the logits."),
        (lambda real, fake: _both(real, fake)[::-1], "the two are swapped: the police's loss comes first."),
        (lambda real, fake: (-_police(real, fake), -_counterfeiter(fake)),
         "the sign of both: these are the means of log D, and both losses have a minus before it."),
        (lambda real, fake: (_police(real, fake), -_police(real, fake)),
         "this is a game for a sum of zero; the counterfeiter's loss looks at the fakes only, and is −log D."),
        (lambda real, fake: (F.softplus(-real).sum() + F.softplus(fake).sum(), F.softplus(-fake).sum()),
         "take the mean over each batch, in both losses; a sum grows with its size."),
        *((_slip_of_the_police(change), cause) for change, cause in (
            (partial(_police, sign_real=1, sign_fake=-1),
             "real and fake are swapped: the police learn to call every counterfeit real."),
            (partial(_police, sign_real=1), "the real ones are to be called 1, and −log D is softplus(−x)."),
            (partial(_police, sign_fake=-1), "the fakes are to be called 0, so it is log(1 − D) that counts for them."),
            (lambda real, fake: _police(real, fake) / 2, "the two means are added, not averaged."),
            (lambda real, fake: F.softplus(-real).sum() + F.softplus(fake).sum(),
             "take the mean over each batch; a sum grows with its size."),
            (lambda real, fake: F.softplus(torch.cat([-real, fake])).mean(),
             "one mean over both batches together; here each has a mean of its own."),
            (lambda real, fake: F.softplus(-real).mean(), "the fakes do not count at all."),
            (lambda real, fake: F.softplus(fake).mean(), "the real ones do not count at all."),
            (lambda real, fake: -_police(real, fake), "the sign of the police's: a loss is what gets smaller."),
        )),
        *((_slip_of_the_counterfeiter(change), cause) for change, cause in (
            (lambda real, fake: F.logsigmoid(-fake).mean(),
             "this is log(1 − D), the minimax form; −log D is asked for, and section 2 says why."),
            (lambda real, fake: F.softplus(fake).mean(),
             "the counterfeiter wants his notes to be called 1; this loss is small when they are called 0."),
            (lambda real, fake: F.logsigmoid(fake).mean(), "the sign of the counterfeiter's: a loss gets smaller."),
            (lambda real, fake: F.softplus(-real).mean(), "his notes are the fakes, not the real ones."),
            (lambda real, fake: F.softplus(-fake).sum(), "take the mean; a sum grows with the batch."),
        )),
    ],
    "They are the package's losses, and stay numbers when the police are very sure.",
    then=_survive_certainty,
    parts=_LOSSES,
    say=lambda real, fake: f"{len(real)} real and {len(fake)} fake logits between −6 and 6",
)  # fmt: skip
def losses():
    """`losses(real_logits, fake_logits)`: mean -log D(real) plus mean -log(1 - D(fake)); and mean -log D(fake)."""
    for _ in range(5):
        yield dict(real=2 * torch.randn(random.randint(3, 8)) + 0.5, fake=2 * torch.randn(random.randint(9, 14)))


def _derivatives(logits: Tensor) -> tuple[Tensor, Tensor]:
    leaf = logits.clone().requires_grad_()
    losses = (-F.logsigmoid(leaf), F.logsigmoid(-leaf))
    return tuple(torch.autograd.grad(loss.sum(), leaf)[0] for loss in losses)


def _of_d(change: Callable) -> Callable:
    return lambda logits: change(torch.sigmoid(logits))


@exercise(
    2,
    _derivatives,
    [
        (_of_d(lambda d: (-d, d - 1)), "the two are swapped."),
        (_of_d(lambda d: (1 - d, d)), "the sign of both: a larger logit makes both losses smaller."),
        (_of_d(lambda d: (d - 1, d)), "the sign of the second: log(1 − D) falls as the logit grows."),
        (_of_d(lambda d: (1 - d, -d)), "the sign of the first: −log D falls as the logit grows."),
        (_of_d(lambda d: (-1 / d, -1 / (1 - d))),
         "these are the derivatives by D. By the logit there is one more factor, the sigmoid's derivative D(1 − D)."),
        (_of_d(lambda d: (-1 / d, 1 / (1 - d))),
         "these would be derivatives by D, and the second has lost a sign: within log(1 − D) there is a −D. And the "
         "derivative by the logit has one more factor."),
        (_of_d(lambda d: (-(1 - d) / d, -d)), "the first has one factor too many: −1/D times D(1 − D)."),
        (_of_d(lambda d: (d - 1, -d / (1 - d))), "the second has one factor too many: −1/(1 − D) times D(1 − D)."),
        (_of_d(lambda d: (-torch.log(d), torch.log(1 - d))), "these are the losses themselves, not their slopes."),
        (_of_d(lambda d: (d - 1, d - 1)), "the second is the first again; log(1 − D) has a derivative of its own."),
        (_of_d(lambda d: (d - 1, 1 - d)),
         "the second is the first with its sign turned; log(1 − D) has a derivative of its own."),
        (lambda logits: (logits - 1, -logits), "D is the *sigmoid* of the logit, not the logit."),
        (lambda logits: (-1 / logits, -1 / (1 - logits)),
         "D is the *sigmoid* of the logit, and the derivative by the logit has one more factor: D(1 − D)."),
        (_of_d(lambda d: (d * (1 - d), d * (1 - d))), "this is the derivative of the sigmoid alone."),
    ],
    "One pulls hardest where the discriminator is sure of a fake; the other lets go there.",
    without=dict(of_torch="grad|backward|_make_dual"),  # the last: of torch.func.jvp
    parts=("the derivative of −log D", "that of log(1 − D)"),
    say=lambda logits: "six random logits",
)  # fmt: skip
def pull():
    """`pull(logits)`: the derivatives by the logit of -log D and of log(1 - D), D the sigmoid: a pair of tensors."""
    for _ in range(4):
        yield dict(logits=(3 * torch.randn(6)).clamp(-4, 4))  # further out, 1 - D has few digits left in float32


def _logit(photo, patch, global_part, local_part, last, swapped=False, sigmoid=False) -> Tensor:
    found = [global_part(photo), local_part(patch)]
    with torch.no_grad():
        logit = last(torch.cat(found[::-1] if swapped else found, dim=1)).squeeze(1)
    return torch.sigmoid(logit) if sigmoid else logit


def _half_alone(photo, patch, global_part, local_part, last, keep: int) -> Tensor:
    found = [global_part(photo), local_part(patch)]
    found[1 - keep] = torch.zeros_like(found[1 - keep])
    with torch.no_grad():
        return last(torch.cat(found, dim=1)).squeeze(1)


@exercise(
    3,
    _logit,
    [
        (partial(_logit, swapped=True),
         "the local features come first; `last` has learned its weights in the other order, global then local."),
        (partial(_logit, sigmoid=True), "the sigmoid is applied; the losses of exercise 1 take the logit itself."),
        (partial(_logit, swapped=True, sigmoid=True), "the order of the two is swapped, and a sigmoid is applied."),
        (partial(_half_alone, keep=0), "what the local one found does not count."),
        (partial(_half_alone, keep=1), "what the global one found does not count."),
        (lambda *case: -_logit(*case), "the sign: a large logit means *real*."),
        (lambda *case: torch.relu(_logit(*case)), "a ReLU after the last layer: no logit could be negative."),
    ],
    "One logit for each photo, whatever the batch, from both views.",
    say=lambda photo, **_: f"{len(photo)} photo{'s' if len(photo) > 1 else ''} with a patch each",
)  # fmt: skip
def joined():
    """`joined(photo, patch, global_part, local_part, last)`: one logit for each photo, (N,)."""
    for count in (4, 3, 1):
        wide, close = random.choice([(5, 5), (6, 4)])
        global_part, local_part = (
            nn.Sequential(nn.Flatten(), nn.Linear(3 * side * side, features), nn.ReLU()).requires_grad_(False)
            for side, features in ((8, wide), (4, close))
        )
        case = dict(photo=torch.rand(count, 3, 8, 8), patch=torch.rand(count, 3, 4, 4), global_part=global_part,
                    local_part=local_part, last=nn.Linear(wide + close, 1).requires_grad_(False))  # fmt: skip
        case["last"].bias -= _logit(**case).mean()  # logits of both signs, so that a ReLU shows
        yield case


def _check_start(start: float, case: tuple[int, int, int, int], shown: str) -> None:
    """Raise `NotYet` unless a patch that begins at `start` lies where it should."""
    first, end, patch, size = case
    if not math.isfinite(start) or start != int(start):
        raise NotYet(
            f"For {shown} your patch begins at {start:g}, which is no pixel's number."
            if not math.isfinite(start)
            else f"For {shown} your patch begins at {start:g}, between two pixels. `//` rounds down to a whole one."
        )
    right = local_patch(Box(first, 0, end, 1), patch, (size, patch)).left
    # A hole and a patch of which one is odd have no common centre: either neighbour will do.
    if start == right or abs(2 * start + patch - first - end) <= 1 and 0 <= start <= size - patch:
        return
    words = f"For {shown} your patch begins at {start:g}, "
    if start < 0:
        raise NotYet(
            words + "outside the photo. A negative index does not fail in Python: it counts from the other end."
        )
    if start + patch > size:
        raise NotYet(
            f"{words}and so reaches beyond the photo's {size} pixels: the slice would be shorter than a patch."
        )
    cause = ""
    between = (first + end - patch) // 2
    inside = first > 0 and end < size  # at the border, other slips begin there as well
    if inside and size > patch and start in (min(between, 0), max(min(between, 0), size - patch)):
        cause = (
            " Are `min` and `max` exchanged? One keeps the patch from beginning before 0, the other from ending late."
        )
    elif start in (first, min(first, size - patch)):
        cause = " It begins where the hole begins; the two should share their centre."
    elif start in ((first + end) // 2, min((first + end) // 2, size - patch)):
        cause = " It begins at the hole's centre; half the patch should lie before that."
    elif start == min(max((first + end) // 2 - patch, 0), size - patch):
        cause = " A whole patch lies before the hole's centre; it should be half of one."
    elif inside and start == min(max((end - first) // 2 - patch // 2, 0), size - patch):
        cause = " (end − first) / 2 is half the hole's length, and not where its centre is."
    elif start in {
        min(max((first + end - 1 - odd) // 2 - half, 0), size - patch)
        for odd in (0, 1)
        for half in (patch // 2, (patch + 1) // 2)
    }:
        cause = " By one: `end` is one past the hole's last pixel, so the centre is at (first + end) / 2."
    elif start == min(max(first + end // 2 - patch // 2, 0), size - patch):
        cause = " Brackets are missing: `first + end // 2` halves `end` alone."
    elif start == min(max(first + end - patch, 0), size - patch):
        cause = " `first + end − patch` is twice what is asked for: the centre is at (first + end) / 2."
    elif start == min(max((first + end - 64) // 2, 0), size - 64):
        cause = " Is the patch always 64 px for you? It has `patch`."
    elif start in {
        min(max(wrong, 0), size - patch)
        for wrong in (end, end - patch, end - patch // 2, first - patch, first - patch // 2)
    } - {0, size - patch}:
        cause = " The hole's centre lies between `first` and `end`, and the patch's centre half a patch from its start."
    elif right in (0, size - patch):
        cause = " Near the border it should move inside only as far as necessary."
    raise NotYet(f"{words}too far to the {'right' if start > right else 'left'}.{cause}")


@exercise(
    4,
    lambda **case: tuple(case.values()),  # an odd hole has two right answers: each is held to what its case asks for
    praise="On {count} holes, near the border and far from it, the patch lies where it should.",
    read=lambda answer, case, shown: expect_number(answer, shown),
    compare=_check_start,
)
def patch_start():
    """`patch_start(first, end, patch, size)`: where the local patch begins, along one axis."""
    # The first tells the slips apart: none of them begins where another does.
    for first, end, size in (
        (70, 150, 256),
        (40, 60, 128),
        (0, 20, 128),
        (100, 128, 128),
        (60, 81, 128),
        (0, 128, 128),
        (10, 20, 64),
    ):
        yield dict(first=first, end=end, patch=64, size=size)
    for _ in range(60):
        patch = random.choice([16, 33, 48, 64, 96])
        size = random.randint(patch, 300)
        first = random.randint(0, size - 2)
        yield dict(first=first, end=random.randint(first + 1, size), patch=patch, size=size)


def _completed(
    photos,
    outputs,
    masks,
    size,
    whole="composite",
    source="composite",
    first_hole=False,
    last_hole=False,
    exchanged=False,
    corner=False,
):
    """The photos and patches that discriminators get; by the last six arguments what is often handed to them."""
    options = {"composite": composite(photos, outputs, masks), "inverted": composite(outputs, photos, masks)}
    options |= {"output": outputs, "photo": photos, "hole": masks * outputs, "sum": masks * outputs + photos}
    numbers = [0 if first_hole else -1 if last_hole else n for n in range(len(photos))]
    holes = [hole_box(masks[n, 0].numpy() > 0.5) for n in numbers]
    boxes = [local_patch(hole, size, (photos.shape[3], photos.shape[2])) for hole in holes]
    if exchanged:
        boxes = [Box(box.top, box.left, box.top + size, box.left + size) for box in boxes]
    if corner:
        boxes = [Box(0, 0, size, size) for _ in boxes]
    patches = [photo[(slice(None), *box.slices)] for photo, box in zip(options[source], boxes, strict=True)]
    return options[whole], torch.stack(patches)


_RAW = "outside the hole it is the photo that counts, not what the network painted over it."
_FIRST = "every patch is cut around the hole of the first photo; each photo has its own."


@exercise(
    5,
    _completed,
    [
        (partial(_completed, whole="output", source="output", first_hole=True),
         f"both mistakes are still there: {_RAW} And {_FIRST}"),
        (partial(_completed, whole="output", source="output"), _RAW),
        (partial(_completed, first_hole=True), _FIRST),
        (partial(_completed, source="output"), f"the patches still come from the raw output: {_RAW}"),
        (partial(_completed, source="output", first_hole=True), f"the patches come from the raw output, and {_FIRST}"),
        (partial(_completed, whole="output", first_hole=True),
         f"the whole photo is still the raw output: {_RAW} And {_FIRST}"),
        (partial(_completed, whole="output"), f"the whole photo is still the raw output: {_RAW}"),
        (partial(_completed, source="photo"), "the patches come from the untouched photos: nothing is fake."),
        (partial(_completed, whole="inverted", source="inverted"),
         "inside and outside are swapped: the mask is 1 in the hole."),
        (partial(_completed, exchanged=True),
         "rows and columns of the corner are exchanged: `top` counts rows, which come first."),
        (partial(_completed, corner=True), "every patch is cut from the upper left corner of its photo."),
        (lambda *case: (_completed(*case)[0], _completed(*case)[1][:1].expand(len(case[0]), -1, -1, -1)),
         "all patches are the first photo's."),
        (partial(_completed, whole="photo", source="photo"), "the photos are returned untouched: nothing is fake."),
        (partial(_completed, whole="hole", source="hole"), "outside the hole nothing is left; it keeps the photo."),
        (partial(_completed, whole="sum", source="sum"),
         "in the hole photo and painting are added: take the photo out of it first, (1 − mask) · photo."),
        (partial(_completed, last_hole=True), "every patch is cut around the last photo's hole; each has its own."),
    ],
    "Now the discriminators see what a reader will see, each at its own place.",
    keeps=True,
    parts=("the completed photos", "their patches"),
    say=lambda photos, outputs, masks, size: f"{len(photos)} photos of {photos.shape[3]} px, each with its own hole",
)  # fmt: skip
def fakes():
    """`fakes(photos, outputs, masks, size)`: completed photos and the patches around their holes, as a pair."""
    for _ in range(4):
        count, side = random.randint(3, 5), random.choice([48, 56, 64])
        masks = torch.zeros(count, 1, side, side)
        for mask in masks:
            box = random_box(np.random.default_rng(random.getrandbits(32)), (side, side), (8, 24))
            mask[(0, *box.slices)] = 1
        photos, outputs = torch.rand(2, count, 3, side, side)
        yield dict(photos=photos, outputs=outputs, masks=masks, size=random.choice([24, 32, 40]))
