"""The checks of lesson 04."""

import random
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from glcic_lite.course.shared.checks import (
    NotAttempted,
    NotYet,
    call,
    check,
    compare_tensors,
    exercise,
    expect_tensor,
    plain,
    read_tensor,
    whole,
)
from glcic_lite.method.architecture import COMPLETION_INPUT_CHANNELS, COMPLETION_NETWORK, HALF, Layer
from glcic_lite.method.networks import CompletionNetwork, ConvolutionBlock, count_parameters

NARROW = 1 / 16  # width of the networks that are tried out


def _parameters(kernel: int, ins: int, outs: int, norm: bool) -> int:
    """Counted from torch's own modules."""
    parts = [nn.Conv2d(ins, outs, kernel)] + ([nn.BatchNorm2d(outs)] if norm else [])
    return sum(count_parameters(part) for part in parts)


@exercise(
    1,
    _parameters,
    [
        (lambda k, i, o, norm: k**2 * i * o + o * norm * 2, "the biases are missing."),
        (lambda k, i, o, norm: k**2 * i * o + o, "batch normalisation learns something too."),
        (lambda k, i, o, norm: k**2 * i * o, "only the weights are counted."),
        (lambda k, i, o, norm: k**2 * i * o + o + 4 * o * norm,
         "the stored mean and variance are not learned: they are measured, so they are no parameters."),
        (lambda k, i, o, norm: k**2 * i * o + o + 4 * o * norm + norm,
         "all that is stored is counted; the mean, the variance and the number of batches are not learned."),
        (lambda k, i, o, norm: k**2 * i * o + o + o * norm,
         "batch normalisation learns two numbers per channel, a scale and a shift; the bias counts as well."),
        (lambda k, i, o, norm: k * i * o + o + 2 * o * norm, "a kernel is square: it has kernel × kernel weights."),
        (lambda k, i, o, norm: k**2 * o + o + 2 * o * norm,
         "every output channel has a kernel of its own for each input channel."),
        (lambda k, i, o, norm: k**2 * i * o + 3 * o, "a row without normalisation has no scale and shift either."),
        (lambda k, i, o, norm: k**2 * i * o + k**2 * o + 2 * o * norm,
         "a bias is one number for an output channel, not one for each tap."),
        (lambda k, i, o, norm: k**2 * i * o + o + 2 * i * norm,
         "the normalisation comes after the convolution: it has the output's channels."),
        (lambda k, i, o, norm: k**2 * i * o + i + 2 * o * norm, "there is one bias for each output channel."),
        (lambda k, i, o, norm: k**2 * i * o + i * o + 2 * o * norm,
         "there is one bias for each output channel, not one for each kernel."),
        (lambda k, i, o, norm: k**2 * i * o + 1 + 2 * o * norm, "there is one bias for each output channel, not one."),
        (lambda k, i, o, norm: k**2 * (i + o) + o + 2 * o * norm,
         "input and output channels are added; there is a kernel for every pair of them, so they multiply."),
        (lambda k, i, o, norm: k**2 * i + o + 2 * o * norm, "every output channel has kernels of its own."),
        (lambda k, i, o, norm: i * o + o + 2 * o * norm, "a kernel has kernel × kernel weights, not one."),
        (lambda k, i, o, norm: k**2 * i * o + o + 2 * norm,
         "batch normalisation learns two numbers for each channel, not two in all."),
    ],
    "On {count} rows the same as torch counts.",
)  # fmt: skip
def parameters():
    """`parameters(kernel, ins, outs, norm)`: the parameters of a row, its normalisation included where it has one."""
    yield dict(kernel=5, ins=4, outs=64, norm=True)
    yield dict(kernel=3, ins=32, outs=3, norm=False)
    for _ in range(8):
        norm = random.random() < 0.5
        yield dict(kernel=random.randint(1, 5), ins=random.randint(1, 40), outs=random.randint(2, 40), norm=norm)


def _convolution(layer: Layer, ins: int, outs: int) -> nn.Module:
    return ConvolutionBlock(layer, ins, outs).convolution


def _sizes(height: int, width: int, layers: Sequence[Layer]) -> list[tuple[int, int]]:
    """By running torch's own convolutions on the meta device, where nothing is computed but shapes."""
    with torch.device("meta"):
        values, found = torch.empty(1, 1, height, width), []
        for layer in layers:
            values = _convolution(layer, 1, 1)(values)
            found.append(tuple(values.shape[2:]))
    return found


def _sizes_by(rule: Callable[[int, Layer], int]) -> Callable:
    def sizes(height, width, layers):
        found = []
        for layer in layers:
            height, width = rule(height, layer), rule(width, layer)
            found.append((height, width))
        return found

    return sizes


def _formula(size: int, layer: Layer, dilated: bool = True, padded: bool = True, plus_one: bool = True) -> int:
    padding = layer.padding if padded else 0
    if layer.upsamples:
        return (size - 1) * 2 - 2 * padding + layer.kernel
    span = (layer.kernel - 1) * (layer.dilation if dilated else 1) + 1
    return (size + 2 * padding - span) // layer.stride + plus_one


def _read_pairs(answer, expected: list, shown: str) -> list[tuple[int, int]]:
    try:
        pairs = [(height, width) for height, width in answer]
    except (TypeError, ValueError):
        raise NotYet(f"For {shown} a list of pairs (height, width) is expected.") from None
    if len(pairs) != len(expected):
        raise NotYet(f"For {shown} {len(expected)} pairs are expected, one a layer; yours are {len(pairs)}.")
    try:
        return [(whole(height), whole(width)) for height, width in pairs]
    except (TypeError, ValueError) as error:
        words = f"For {shown} a size is a whole number of pixels: {error}."
        hint = " (`//` rounds down where `/` leaves a fraction. In a deconvolution a stride of 1/2 is a step of 2.)"
        raise NotYet(words + hint) from None


def _compare_sizes(pairs: list, expected: list, shown: str) -> None:
    """Raise `NotYet` naming the first layer after which the size differs."""
    for row, (mine, right) in enumerate(zip(pairs, expected, strict=True), start=1):
        if mine != right:
            raise NotYet(f"For {shown} your size after row {row}, {mine[0]} × {mine[1]}, is not torch's.")


_ODD_ONES = (
    Layer(1, "conv", 4, 1, 2, 8),
    Layer(2, "dilated conv", 3, 3, 2, 8),
    Layer(3, "deconv", 3, 1, HALF, 8),
    Layer(4, "conv", 4, 1, 1, 8),
    Layer(5, "conv", 5, 1, 3, 8),
)


def _shown_size(height: int, width: int, layers: Sequence[Layer]) -> str:
    rows = f"{len(layers)} rows that are not in the table" if layers is _ODD_ONES else f"the first {len(layers)} rows"
    return f"height={height}, width={width} and {rows}"


@exercise(
    2,
    _sizes,
    [
        (_sizes_by(lambda n, layer: int(n / layer.stride)),
         "a strided layer rounds up here, not down: the padding gives it one more position."),
        *((_sizes_by(divided),
           "dividing by the stride is right for the paper's rows, not for every kernel: take the size formulas of "
           "lessons 01 and 03.")
          for divided in (lambda n, layer: -(-n // 2) if layer.stride == 2 else int(n / layer.stride),
                          lambda n, layer: 2 * n if layer.upsamples else -(-n // layer.stride))),
        (_sizes_by(lambda n, layer: _formula(n, layer, dilated=False)), "the dilation is left out."),
        (_sizes_by(lambda n, layer: _formula(n, layer, padded=False)), "the padding is left out."),
        (_sizes_by(lambda n, layer: _formula(n, layer, plus_one=False)),
         "after the division one position is missing: the first."),
        (_sizes_by(lambda n, layer: 2 * n if layer.upsamples else _formula(n, layer)),
         "a deconvolution doubles only with the right kernel and padding: take the formula of lesson 03."),
        (_sizes_by(lambda n, layer: 2 * n - 2 * layer.padding + layer.kernel if layer.upsamples
                   else _formula(n, layer)),
         "in a deconvolution there are n − 1 steps between n pixels."),
        (_sizes_by(lambda n, layer: (n - 1) * 2 + 2 * layer.padding + layer.kernel if layer.upsamples
                   else _formula(n, layer)), "the padding of a deconvolution cuts away; it does not add."),
        (_sizes_by(lambda n, layer: _formula(n, layer) if layer.upsamples else
                   (n + layer.padding - layer.dilation * (layer.kernel - 1) - 1) // layer.stride + 1),
         "padding is added on both sides."),
        (_sizes_by(lambda n, layer: _formula(n, layer) if layer.upsamples else
                   (n + 2 * layer.padding - layer.dilation * layer.kernel) // layer.stride + 1),
         "a kernel of k taps has k − 1 steps between them, not k."),
        (_sizes_by(lambda n, layer: _formula(n, layer) if layer.upsamples else
                   -(-(n + 2 * layer.padding - layer.dilation * (layer.kernel - 1) - 1) // layer.stride) + 1),
         "the division is rounded up; a step for which there is no room left is not taken."),
        (_sizes_by(lambda n, layer: (n + 2 * layer.padding - layer.dilation * (layer.kernel - 1) - 1) // layer.stride
                   + 1), "deconvolutions have a formula of their own: that of lesson 03."),
        (lambda height, width, layers: [(_formula(height, layer), _formula(width, layer)) for layer in layers],
         "every row is given the photo's own size; it gets what the row before it has left."),
        (lambda height, width, layers: _sizes(height, height, layers), "the photo is not square."),
        (_sizes_by(lambda n, layer: layer.kernel - 2 * layer.padding if layer.upsamples else _formula(n, layer)),
         "`int(1/2)` is 0; a stride of 1/2 is a step of 2."),
        (lambda height, width, layers: [(h, w) for w, h in _sizes(height, width, layers)],
         "height and width are exchanged."),
    ],
    "Every size is torch's. Note what became of 658 × 1083.",
    say=_shown_size,
    read=_read_pairs,
    compare=_compare_sizes,
)  # fmt: skip
def sizes():
    """`sizes(height, width, layers)`: the list of (height, width) after each layer, for layers of any kind."""
    for height, width in ((256, 256), (540, 960), (658, 1083)):
        yield dict(height=height, width=width, layers=COMPLETION_NETWORK)
    yield dict(height=random.choice([31, 37, 45]), width=random.choice([53, 69, 75]), layers=_ODD_ONES)
    yield dict(height=random.choice([41, 43]), width=random.choice([58, 62]), layers=COMPLETION_NETWORK[:12])


def _kinds(module: nn.Module, *kinds: type) -> list[nn.Module]:
    return [part for part in module.modules() if isinstance(part, kinds)]


def _materialise(network: nn.Module, *inputs: torch.Tensor, shown: str) -> None:
    """Run a network once if it has lazy modules, which get their shapes by that."""
    if any(nn.parameter.is_lazy(parameter) for parameter in network.parameters()):
        with torch.no_grad():
            call(network, *inputs, shown=shown)


def _expect_usual(norms: Sequence[nn.BatchNorm2d]) -> None:
    """Raise `NotYet` if a normalisation learns nothing or stores nothing."""
    for norm in norms:
        if norm.weight is None or norm.running_mean is None:
            missing = "no scale and shift" if norm.weight is None else "no running statistics"
            raise NotYet(f"Your batch normalisation has {missing}; `nn.BatchNorm2d(outs)` without options has both.")


def _shake(norms: Sequence[nn.BatchNorm2d]) -> None:
    """Random statistics, scales and shifts, so that the place of a normalisation shows."""
    for norm in norms:
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.4, 1.6)
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0, 0.5)


def _compare_block(module: nn.Module, reference: ConvolutionBlock, shown: str) -> None:
    """Raise `NotYet` unless a block computes what `reference` does, once both have the same weights."""
    if not isinstance(module, nn.Module):
        raise NotYet(f"For {shown} a module of torch is expected, such as `nn.Sequential(...)`.")
    if isinstance(module, nn.ModuleList | nn.ModuleDict):
        raise NotYet(f"A `{type(module).__name__}` only keeps layers; `nn.Sequential` also runs them, one by one.")
    module.float()
    _materialise(module, torch.zeros(2, reference.convolution.in_channels, 12, 16), shown=shown)
    convolutions, norms = _kinds(module, nn.Conv2d, nn.ConvTranspose2d), _kinds(module, nn.BatchNorm2d)
    right = reference.convolution
    if len(convolutions) != 1:
        raise NotYet(f"For {shown} one convolution is expected in the module; there are {len(convolutions)}.")
    convolution = convolutions[0]
    if not isinstance(convolution, type(right)):
        raise NotYet(f"For {shown} your convolution is a `{type(convolution).__name__}`. What does this stride say?")
    if convolution.weight.shape != right.weight.shape:
        raise NotYet(
            f"For {shown} the weights should have the shape {tuple(right.weight.shape)}; yours have "
            f"{tuple(convolution.weight.shape)}."
        )
    if convolution.bias is None:
        raise NotYet(f"For {shown} your convolution has no bias; all of this network's have one.")
    if len(norms) != 1:
        raise NotYet(f"For {shown} one batch normalisation is expected in the module; there are {len(norms)}.")
    if norms[0].num_features != right.out_channels:
        raise NotYet(
            f"For {shown} your normalisation is made for {norms[0].num_features} channels. It comes after the "
            f"convolution, which puts out {right.out_channels}."
        )
    _expect_usual(norms)
    _shake(norms)
    right.load_state_dict(convolution.state_dict())
    reference.norm.load_state_dict(norms[0].state_dict())
    photo = 10 * torch.randn(2, right.in_channels, 12, 16)  # large: an activation that has an upper end shows it
    for mode in ("evaluation", "training"):
        module.train(mode == "training")
        reference.train(mode == "training")
        with torch.no_grad():
            # The learner's runs on twins: in training mode a normalisation changes what it has stored.
            expected = reference(photo)
            answer = call(module, photo, shown=shown)
            try:
                expect_tensor(answer, expected, f"an input of shape {tuple(photo.shape)} and {shown}")
                compare_tensors(answer, expected, f"{shown}, in {mode} mode,", tolerance=1e-4)
            except NotYet as difference:
                cause = _other_settings(convolution, right) or _block_cause(answer, reference, photo)
                raise NotYet(str(difference) + cause) from None
            except RuntimeError:
                raise NotYet(f"For {shown} your module's output is of a kind that cannot be compared.") from None


def _other_settings(convolution: nn.Module, right: nn.Module) -> str:
    """The first setting of a convolution that differs from the right one's."""
    for name in ("stride", "dilation", "padding", "output_padding", "groups"):
        if getattr(convolution, name) != getattr(right, name) and not isinstance(convolution.padding, str):
            return f" Likely cause: the convolution's `{name}`, which is {getattr(convolution, name)}."
    return ""


def _block_cause(answer: torch.Tensor, reference: ConvolutionBlock, photo: torch.Tensor) -> str:
    convolution, norm = reference.convolution, reference.norm
    bare = convolution(photo)
    repeated, mirrored, wrapped = (
        _padded_otherwise(convolution, photo, mode) for mode in ("replicate", "reflect", "circular")
    )
    for variant, cause in (
        (norm(F.relu(bare)), "the ReLU comes before the normalisation."),
        (norm(bare), "there is no ReLU."),
        (F.relu(bare), "the normalisation is there but not used."),
        (bare, "only the convolution is used."),
        (F.relu(norm(repeated)), "the border is padded with copies of its pixels, not with zeros."),
        (F.relu(norm(mirrored)), "the border is mirrored, not padded with zeros."),
        (F.relu(norm(wrapped)), "the border goes on at the opposite side; it is padded with zeros."),
        (F.relu6(norm(bare)), "`ReLU6` cuts off at 6; `nn.ReLU` has no upper end."),
        (F.leaky_relu(norm(bare)), "`LeakyReLU` lets a little of what is negative through; `nn.ReLU` nothing."),
        (F.elu(norm(bare)), "`ELU` bends what is negative; `nn.ReLU` makes it zero."),
        (torch.sigmoid(norm(bare)), "the sigmoid belongs to the output row alone; a block ends in `nn.ReLU`."),
    ):
        if variant.shape == answer.shape and torch.allclose(variant, answer, rtol=1e-4, atol=1e-4):
            return f" Likely cause: {cause}"
    return ""


def _padded_otherwise(convolution: nn.Module, photo: torch.Tensor, mode: str) -> torch.Tensor:
    if not isinstance(convolution, nn.Conv2d) or convolution.padding[0] >= min(photo.shape[2:]):
        return convolution(photo)
    around = F.pad(photo, [convolution.padding[0]] * 4, mode=mode)
    return F.conv2d(around, convolution.weight, convolution.bias, convolution.stride, 0, convolution.dilation)


def _block(kernel: int, dilation: int, stride: float, ins: int, outs: int) -> ConvolutionBlock:
    kind = "deconv" if stride < 1 else "dilated conv" if dilation > 1 else "conv"
    return ConvolutionBlock(Layer(1, kind, kernel, dilation, stride, outs), ins, outs)


@exercise(
    3,
    _block,
    praise="Blocks of every kind in the table do what the package's do, with the same weights.",
    read=lambda answer, expected, shown: answer,
    compare=_compare_block,
)
def block():
    """`block(kernel, dilation, stride, ins, outs)`: a module of (transposed) convolution, normalisation and ReLU."""
    kinds = (
        (3, 1, 1),
        (5, 1, 1),
        (3, 1, 2),
        (3, 4, 1),
        (4, 1, HALF),
        (3, 16, 1),
        (5, 1, 2),
        (3, 2, 2),
        (6, 1, HALF),
        (2, 1, HALF),
    )
    for kernel, dilation, stride in kinds:
        ins, outs = random.randint(2, 5), random.randint(6, 9)
        yield dict(kernel=kernel, dilation=dilation, stride=stride, ins=ins, outs=outs)


def _prepared(photo: torch.Tensor, mask: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    network = CompletionNetwork(width=NARROW, mean_colour=tuple(mean.flatten().tolist()))
    return network.prepare(photo, mask)


def _never_reads(prepare: Callable) -> None:
    """Raise `NotYet` if NaN or infinity in the hole comes through: what is multiplied by zero has been read."""
    photo, mask, mean = torch.rand(1, 3, 6, 8), torch.zeros(1, 1, 6, 8), torch.rand(3, 1, 1)
    mask[..., 2:4, 3:6] = 1
    photo = photo.masked_fill(mask > 0, torch.nan)
    photo[..., 2, 3:6] = torch.inf
    answer = call(prepare, photo, mask, mean, shown='"not a number" in the hole')
    prepared = read_tensor(plain(answer), torch.empty(1, 4, 6, 8), "it").float()
    if not torch.isfinite(prepared).all():
        raise NotYet(
            'Right for ordinary photos. But "not a number" (NaN) or infinity in the hole comes through, for '
            "0 times NaN is NaN, and 0 times infinity, too: choose between two values (`torch.where`) rather than "
            "multiply."
        )
    if not torch.allclose(prepared, _prepared(photo, mask, mean)):
        raise NotYet(
            'Right for ordinary photos. But with "not a number" (NaN) in the hole the known part changes, too.'
        )


def _four(known: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return torch.cat([known, mask], dim=1)


@exercise(
    4,
    _prepared,
    [
        (lambda p, m, c: _four(p - c, m), "the hole still holds the truth: a leak."),
        (lambda p, m, c: _four(p * (1 - m) + c * m, m),
         "the hole has the mean colour, but the mean colour is not subtracted yet."),
        (lambda p, m, c: _four(p * (1 - m) - c, m),
         "the hole is black before the mean colour is subtracted; it should have the mean colour."),
        (lambda p, m, c: _four(p * (1 - m), m), "the mean colour is not subtracted from the known part."),
        (lambda p, m, c: _four((p - c) * (1 - m), 1 - m),
         "the mask is 1 in the hole; yours says where the photo is known."),
        (lambda p, m, c: _four((p - c) * m, m), "the known part is emptied and the hole kept."),
        (lambda p, m, c: _four(m, (p - c) * (1 - m)), "the mask is the last of the four channels."),
        (lambda p, m, c: (p - c) * (1 - m), "the mask itself is missing."),
        (lambda p, m, c: _four((p + c) * (1 - m), m), "the mean colour is added, not subtracted."),
        (lambda p, m, c: _four((p - c.mean()) * (1 - m), m), "one grey is subtracted; each colour has its own mean."),
        (lambda p, m, c: _four(torch.where(m > 0.5, c, p - c), m),
         "the hole holds the mean colour; after the mean colour is subtracted it holds zeros."),
        (lambda p, m, c: torch.cat([(p - c) * (1 - m), m.expand(-1, 3, -1, -1)], dim=1),
         "the mask is one channel, not three."),
        (lambda p, m, c: _four((c - p) * (1 - m), m), "the sign: the photo minus the mean colour."),
        (lambda p, m, c: _four(torch.where(m > 0.5, 1.0, p - c), m), "the hole holds ones; it should hold zeros."),
        (lambda p, m, c: _four(torch.where(m > 0.5, 1.0 - c, p - c), m),
         "the hole is white before the mean colour is subtracted; it should have the mean colour."),
        (lambda p, m, c: _four(torch.where(m > 0.5, 0.5 - c, p - c), m),
         "the hole is grey before the mean colour is subtracted; it should have the mean colour."),
        (lambda p, m, c: _four((p - p.mean(dim=(2, 3), keepdim=True)) * (1 - m), m),
         "each photo's own mean is subtracted; `mean` is that of all photos, and is given."),
        (lambda p, m, c: _four((2 * p - 1) * (1 - m), m), "the range is −1 to 1; here the mean colour is subtracted."),
        (lambda p, m, c: _four((p.flip(1) - c) * (1 - m), m), "red and blue are exchanged."),
        (lambda p, m, c: _four((p - c) * (1 - m), m).permute(0, 2, 3, 1), "the channels come second: (N, 4, H, W)."),
    ],
    "Four channels, and nothing of what was in the hole.",
    then=_never_reads,
    say=lambda photo, mask, mean: f"a photo of shape {tuple(photo.shape)}",
)  # fmt: skip
def prepare():
    """`prepare(photo, mask, mean)`: the four input channels, the hole's colours never read."""
    for number in range(4):
        count, height, width = 3 if number == 0 else random.randint(1, 3), random.randint(5, 9), random.randint(5, 9)
        photo, mask = torch.rand(count, 3, height, width), (torch.rand(count, 1, height, width) < 0.4).float()
        yield dict(photo=photo, mask=mask, mean=torch.rand(3, 1, 1))


class _Trace:
    """What each convolution of a network got and gave in one run, in the order in which they ran."""

    def __init__(self, network: nn.Module, photo: torch.Tensor, mask: torch.Tensor, shown: str):
        self.convolutions, self.inputs, self.outputs = [], [], []
        self.norms: list[nn.BatchNorm2d] = []
        handles = [
            part.register_forward_hook(self._see)
            for part in _kinds(network, nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)
        ]
        try:
            with torch.no_grad():
                self.answer = call(network, photo, mask, shown=shown)
        finally:
            for handle in handles:
                handle.remove()

    def _see(self, module, inputs, output):
        if isinstance(module, nn.BatchNorm2d):
            self.norms.append(module)
            return
        self.convolutions.append(module)
        self.inputs.append(inputs[0].clone())  # a ReLU in place would change it later
        self.outputs.append(output.clone())


MISTAKES = 5  # in the network of the exercise
ODD_SIZES = ((22, 31), (24, 30), (27, 32), (25, 33))  # no multiples of 4


@check("Exercise 5")
def repaired(make: Callable) -> str:
    """`make(width, mean_colour)`: the network `CompletionNetwork`, once its five mistakes are fixed."""
    if make is None or make is ...:
        raise NotAttempted
    mean = (0.3, 0.55, 0.6)
    network = call(make, NARROW, mean, shown="width=1/16", first=True)
    if not isinstance(network, nn.Module):
        raise NotYet("A class of networks is expected, a subclass of `nn.Module`.")
    _materialise(network, torch.rand(2, 3, 20, 28), torch.zeros(2, 1, 20, 28), shown="a photo of 20 × 28")
    _expect_usual(_kinds(network, nn.BatchNorm2d))
    _shake(_kinds(network, nn.BatchNorm2d))
    for convolution in _kinds(network, nn.Conv2d, nn.ConvTranspose2d):
        nn.init.normal_(convolution.weight, std=0.3)  # large values, so that the ends of the sigmoid are reached
        if convolution.bias is not None:
            nn.init.normal_(convolution.bias, std=0.3)
    network.eval()
    photo, mask = torch.rand(2, 3, 20, 28), (torch.rand(2, 1, 20, 28) < 0.3).float()
    trace = _Trace(network, photo, mask, "a photo of 20 × 28")
    if isinstance(trace.answer, torch.Tensor) and not trace.answer.numel():
        raise NotYet(
            f"For a photo of 20 × 28 an output of shape {tuple(trace.answer.shape)} comes back: a slice that ends at "
            "-0 is empty."
        )
    found = [_mask_symptom(network, mean), _row_symptom(trace), _order_symptom(trace), _output_symptom(trace)]
    symptoms = [words for words in (*found, _size_symptom(network)) if words]
    if len(symptoms) == MISTAKES:
        raise NotAttempted(f"All {MISTAKES} mistakes are still in it. Fix one, then run this cell again.")
    if symptoms:
        mended = MISTAKES - len(symptoms)
        raise NotYet(f"{mended} of {MISTAKES} {'is' if mended == 1 else 'are'} fixed. A symptom: {symptoms[0]}")
    _compare_network(network, trace, photo, mask, mean)
    with torch.no_grad():
        unread = call(network, photo.masked_fill(mask > 0.5, torch.nan), mask, shown='"not a number" in the hole')
    if not torch.equal(unread, trace.answer):
        raise NotYet(
            f"All {MISTAKES} are fixed, but now the hole is read: “not a number” in it reaches the output, for 0 times "
            "NaN is NaN. Choose (`torch.where`) rather than multiply."
        )
    with torch.no_grad():
        larger = "a photo of 64 × 76"  # which must not be refused either
        call(network, torch.rand(1, 3, 64, 76), torch.zeros(1, 1, 64, 76), shown=larger)
    for height, width in ODD_SIZES:
        _check_pixels_in_place(network, torch.rand(1, 3, height, width), mean)
    return "With the same weights your network gives the same output as the package's."


def _mask_symptom(network: nn.Module, mean: tuple[float, float, float]) -> str:
    photo = torch.tensor(mean).view(1, 3, 1, 1).expand(1, 3, 20, 28)
    left, right = torch.zeros(2, 1, 1, 20, 28)
    left[..., :9], right[..., 18:] = 1, 1
    with torch.no_grad():
        outputs = [call(network, photo, mask, shown="a photo of the mean colour") for mask in (left, right)]
    if torch.equal(*outputs):
        return "in a photo that has the mean colour everywhere, the output does not depend on where the hole is."
    return ""


def _row_symptom(trace: _Trace) -> str:
    if len(trace.convolutions) != len(COMPLETION_NETWORK):
        return f"{len(trace.convolutions)} convolutions run, not one for each row of the table."
    for row, convolution in zip(COMPLETION_NETWORK, trace.convolutions, strict=True):
        right = _convolution(row, 1, 1)
        if not isinstance(convolution, type(right)):
            return f"the convolution of row {row.number} is a `{type(convolution).__name__}`."
        for name, what in (("kernel_size", "kernel"), ("stride", "stride"), ("dilation", "dilation")):
            if getattr(convolution, name) != getattr(right, name):
                return f"the {what} of row {row.number} is {getattr(convolution, name)[0]}; compare it with the table."
        if (convolution.padding, convolution.output_padding) != (right.padding, right.output_padding):
            return f"the padding of row {row.number} does not fit its kernel."
        if convolution.bias is None:
            return f"the convolution of row {row.number} has no bias."
        outs = row.channels if row.kind == "output" else max(1, round(row.channels * NARROW))
        if convolution.out_channels != outs:
            return f"row {row.number} has {convolution.out_channels} output channels at width 1/16."
    return ""


def _order_symptom(trace: _Trace) -> str:
    """Whether normalisation and then ReLU stand between each convolution and the next."""
    between = max(len(trace.convolutions) - 1, 0)
    if len(trace.norms) != between:
        return f"{len(trace.norms)} batch normalisations run between {between + 1} convolutions."
    for i, received in enumerate(trace.inputs[1:]):
        if (received < 0).any():
            return f"the convolution of row {i + 2} receives numbers below zero."
    for i in range(between):
        received = trace.inputs[i + 1]
        given, norm = trace.outputs[i], trace.norms[i]
        if norm.num_features != given.shape[1]:
            return f"the normalisations do not follow the convolutions in order, from number {i + 1} on."
        with torch.no_grad():
            right = F.relu(norm(given))
        if received.shape == right.shape and torch.allclose(received, right, rtol=1e-4, atol=1e-4):
            continue
        return f"what the convolution of row {i + 2} receives is not the normalised output of row {i + 1}, cut at zero."
    return ""


def _output_symptom(trace: _Trace) -> str:
    answer = trace.answer
    if not isinstance(answer, torch.Tensor) or not trace.outputs:
        return "no photo comes out."
    last = trace.outputs[-1]
    if answer.shape == last.shape and torch.allclose(answer, torch.sigmoid(last), rtol=1e-4, atol=1e-4):
        return ""
    if answer.min() < 0 or answer.max() > 1:
        return f"the output runs from {answer.min():.2f} to {answer.max():.2f}; a photo does not."
    return "what comes out is not the sigmoid of what the last convolution gives."


def _size_symptom(network: nn.Module) -> str:
    for height, width in ODD_SIZES:
        photo, mask = torch.rand(1, 3, height, width), torch.zeros(1, 1, height, width)
        mask[..., 5:9, 5:9] = 1
        try:
            with torch.no_grad():
                answer = network(photo, mask)
        except ValueError:  # refusing such sizes is fine too: the package's own network does
            continue
        except Exception as error:
            return f"a photo of {height} × {width} stops it with {type(error).__name__}."
        if answer.shape != photo.shape:
            return f"a photo of {height} × {width} comes back as {answer.shape[2]} × {answer.shape[3]}."
    return ""


def _compare_network(
    network: nn.Module, trace: _Trace, photo: torch.Tensor, mask: torch.Tensor, mean: tuple[float, float, float]
) -> None:
    """Raise `NotYet` unless the network gives what the package's gives with the same weights."""
    reference = CompletionNetwork(NARROW, mean).eval()
    prepared = reference.prepare(photo, mask)
    if trace.inputs[0].shape != prepared.shape:
        raise NotYet(
            f"The first convolution receives {trace.inputs[0].shape[1]} channels, not {COMPLETION_INPUT_CHANNELS}."
        )
    try:
        compare_tensors(trace.inputs[0], prepared, "what the first convolution receives")
    except NotYet as difference:
        turned = torch.cat([prepared[:, :-1], 1 - prepared[:, -1:]], dim=1)
        words = "The mask is 1 in the hole; yours says where the photo is known."
        if not torch.allclose(trace.inputs[0], turned, atol=1e-4):
            words = str(difference)
        raise NotYet(f"All {MISTAKES} are fixed, but now the input differs. {words}") from None
    for i, block in enumerate(reference.layers):
        block.convolution.load_state_dict(trace.convolutions[i].state_dict())
        if i < len(trace.norms):
            block.norm.load_state_dict(trace.norms[i].state_dict())
    with torch.no_grad():
        compare_tensors(trace.answer, reference(photo, mask), "a photo of 20 × 28", tolerance=1e-4)


def _check_pixels_in_place(network: nn.Module, photo: torch.Tensor, mean: tuple[float, float, float]) -> None:
    """Raise `NotYet` if a photo whose sides are no multiples of 4 is resized, not padded, or the output is."""
    height, width = photo.shape[2:]
    mask = torch.zeros(1, 1, height, width)
    mask[..., 5:9, 5:9] = 1
    try:
        with torch.no_grad():
            network(photo, mask)
    except ValueError:  # refused
        return
    trace = _Trace(network, photo, mask, f"a photo of {height} × {width}")
    prepared = CompletionNetwork(NARROW, mean).prepare(photo, mask)
    given, painted = trace.inputs[0], torch.sigmoid(trace.outputs[-1])
    for top in range(given.shape[2] - height + 1):
        for left in range(given.shape[3] - width + 1):
            window = (..., slice(top, top + height), slice(left, left + width))
            if all(
                whole[window].shape == part.shape and torch.allclose(whole[window], part, rtol=1e-4, atol=1e-4)
                for whole, part in ((given, prepared), (painted, trace.answer))
            ):
                return
    raise NotYet(
        f"{MISTAKES - 1} of {MISTAKES} are fixed. A symptom: a photo of {height} × {width} comes back in its own "
        "size, but its pixels have moved: it, or what was painted, is resized. Pad the photo, and cut the result back."
    )
