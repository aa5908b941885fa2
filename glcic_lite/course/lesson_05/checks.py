"""The checks of lesson 05."""

import math
import random
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from glcic_lite.course.shared.checks import NotYet, call, exercise, expect_number
from glcic_lite.method.architecture import GLOBAL_DISCRIMINATOR, LOCAL_DISCRIMINATOR, Layer
from glcic_lite.method.losses import discriminator_loss
from glcic_lite.method.masks import Box, hole_box, local_patch, random_box
from glcic_lite.method.networks import GlobalDiscriminator, LocalDiscriminator, composite


def _two_means(real: Tensor, fake: Tensor, sign_real: int = -1, sign_fake: int = 1) -> float:
    return (F.softplus(sign_real * real).mean() + F.softplus(sign_fake * fake).mean()).item()


def _survives_certainty(police_loss: Callable) -> None:
    """Raise `NotYet` if a loss that is right otherwise overflows."""
    real, fake = torch.tensor([-200.0, 3.0]), torch.tensor([200.0, -1.0])
    shown = "logits of −200 and 200, police who are quite sure and quite wrong,"
    answer = float(call(police_loss, real, fake, shown=shown))
    if not abs(answer - _two_means(real, fake)) < 0.1:
        raise NotYet(
            f"Right for ordinary logits. For {shown} it gives {answer:.4g}: before the logarithm is taken, the sigmoid "
            "has become exactly 0 or 1, or the exponential infinite. Is there a function that does it all in one step?"
        )


@exercise(
    1,
    lambda real, fake: discriminator_loss(real, fake).item(),
    [
        (partial(_two_means, sign_real=1, sign_fake=-1),
         "real and fake are swapped: the police learn to call every counterfeit real."),
        (partial(_two_means, sign_fake=-1), "the fakes are to be called 0, so it is log(1 − D) that counts for them."),
        (lambda real, fake: _two_means(real, fake) / 2, "the two means are added, not averaged."),
        (lambda real, fake: F.softplus(-real).sum() + F.softplus(fake).sum(),
         "take the mean over each batch; a sum grows with its size."),
        (lambda real, fake: F.softplus(torch.cat([-real, fake])).mean(),
         "one mean over both batches together; here each has a mean of its own."),
        (lambda real, fake: F.softplus(-real).mean(), "the fakes do not count at all."),
        (lambda real, fake: F.softplus(fake).mean(), "the real ones do not count at all."),
        (lambda real, fake: -_two_means(real, fake), "the sign: a loss is what gets smaller."),
    ],
    "It is the package's loss, and it stays a number when the police are very sure.",
    then=_survives_certainty,
    noun="loss",
    say=lambda real, fake: f"{len(real)} real and {len(fake)} fake logits between −6 and 6",
)  # fmt: skip
def police_loss():
    """`police_loss(real_logits, fake_logits)`: mean -log D of the real ones plus mean -log(1 - D) of the fakes."""
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
        (_of_d(lambda d: (-(1 - d) / d, -d)), "the first has one factor too many: −1/D times D(1 − D)."),
        (_of_d(lambda d: (d - 1, -d / (1 - d))), "the second has one factor too many: −1/(1 − D) times D(1 − D)."),
        (_of_d(lambda d: (-torch.log(d), torch.log(1 - d))), "these are the losses themselves, not their slopes."),
        (_of_d(lambda d: (d - 1, d - 1)), "the second is the first again; log(1 − D) has a derivative of its own."),
        (_of_d(lambda d: (d * (1 - d), d * (1 - d))), "this is the derivative of the sigmoid alone."),
    ],
    "One pulls hardest where the discriminator is sure of a fake; the other lets go there.",
    without=dict(of_torch="grad|backward"),
    parts=("the derivative of −log D", "that of log(1 − D)"),
    say=lambda logits: "six random logits",
)  # fmt: skip
def pull():
    """`pull(logits)`: the derivatives by the logit of -log D and of log(1 - D), D the sigmoid: a pair of tensors."""
    for _ in range(4):
        yield dict(logits=(3 * torch.randn(6)).clamp(-4, 4))  # further out, 1 - D has few digits left in float32


def _counted_inputs(layers, size, width, power=2, first=0, last=None, by_width=True, strides=True) -> int:
    channels = max(1, round(layers[-1].channels * width)) if by_width else layers[-1].channels
    for layer in layers[first:last]:
        size //= layer.stride if strides else 2
    return channels * size**power


_OTHER_TABLE = (Layer(1, "conv", 5, 1, 2, 24), Layer(2, "conv", 5, 1, 1, 40), Layer(3, "conv", 5, 1, 2, 80))


def _inputs(layers: Sequence[Layer], size: int, width: float) -> int:
    if layers is _OTHER_TABLE:
        return _counted_inputs(layers, size, width)
    kind = LocalDiscriminator if layers is LOCAL_DISCRIMINATOR else GlobalDiscriminator
    with torch.device("meta"):  # no memory, no numbers: only shapes
        return kind(size, width).fully_connected.in_features


def _shown_table(layers: Sequence[Layer], size: int, width: float) -> str:
    strides = f" with strides {[layer.stride for layer in layers]}" if layers is _OTHER_TABLE else ""
    return f"a table of {len(layers)} layers{strides}, size={size}, width={width}"


@exercise(
    3,
    _inputs,
    [
        (partial(_counted_inputs, strides=False),
         "the rows' strides are not used: not every table halves in every layer."),
        *((partial(_counted_inputs, strides=strides, **slip), cause) for strides in (True, False) for slip, cause in (
            (dict(power=1), "a feature map has rows and columns: side × side."),
            (dict(power=0), "these are the channels only; each is a whole feature map."),
            (dict(first=1), "one halving is missing: every layer of the table halves."),
            (dict(last=-1), "one halving is missing: the last layer's counts as well."),
            (dict(by_width=False), "`width` scales the channels too."),
            (dict(first=99), "the photo is halved by every layer before it gets there."),
        )),
        (lambda layers, size, width: sum(
            _counted_inputs(layers[: n + 1], size, width) for n in range(len(layers))),
         "all layers' outputs are added up; only the last one's reaches the fully connected layer."),
    ],
    "Right for both tables and at every size. Double the photo's side, and this layer gets four times as large.",
    say=_shown_table,
)  # fmt: skip
def fully_connected():
    """`fully_connected_inputs(layers, size, width)`: how many numbers reach the fully connected layer."""
    for size, width in ((128, 1), (64, 0.25), (96, 0.5)):
        yield dict(layers=LOCAL_DISCRIMINATOR, size=size, width=width)
        yield dict(layers=GLOBAL_DISCRIMINATOR, size=2 * size, width=width)
        yield dict(layers=_OTHER_TABLE, size=size, width=width)


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
    if start in (first, min(first, size - patch)):
        cause = " It begins where the hole begins; the two should share their centre."
    elif start in ((first + end) // 2, min((first + end) // 2, size - patch)):
        cause = " It begins at the hole's centre; half the patch should lie before that."
    elif start in {
        min(max((first + end - 1 - odd) // 2 - half, 0), size - patch)
        for odd in (0, 1)
        for half in (patch // 2, (patch + 1) // 2)
    }:
        cause = " By one: `end` is one past the hole's last pixel, so the centre is at (first + end) / 2."
    elif start == min(max((first + end - 64) // 2, 0), size - 64):
        cause = " Is the patch always 64 px for you? It has `patch`."
    elif start in (end, end - patch, first - patch, first - patch // 2):
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
    for first, end, size in ((40, 60, 128), (0, 20, 128), (100, 128, 128), (60, 81, 128), (0, 128, 128), (10, 20, 64)):
        yield dict(first=first, end=end, patch=64, size=size)
    for _ in range(60):
        patch = random.choice([16, 33, 48, 64, 96])
        size = random.randint(patch, 300)
        first = random.randint(0, size - 2)
        yield dict(first=first, end=random.randint(first + 1, size), patch=patch, size=size)


def _completed(
    photos, outputs, masks, size, whole="composite", source="composite", first_hole=False, exchanged=False, corner=False
):
    """The photos and patches that discriminators get; by the last three arguments what is often handed to them."""
    options = {"composite": composite(photos, outputs, masks), "inverted": composite(outputs, photos, masks)}
    options |= {"output": outputs, "photo": photos}
    holes = [hole_box(masks[0 if first_hole else n, 0].numpy() > 0.5) for n in range(len(photos))]
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
    ],
    "Now the discriminators see what a reader will see, each at its own place.",
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
        yield dict(photos=photos, outputs=outputs, masks=masks, size=32)
