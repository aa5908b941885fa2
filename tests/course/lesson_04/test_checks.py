"""The checks of lesson 04: the untouched stub, right answers, and wrong ones that learners really give."""

import types
from fractions import Fraction

import nbformat
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from exercise_checks import ExerciseChecks
from glcic_lite.course.lesson_04 import checks
from glcic_lite.course.shared.checks import NOT_ATTEMPTED, NOT_YET
from glcic_lite.files import NOTEBOOKS
from glcic_lite.method.architecture import COMPLETION_NETWORK
from glcic_lite.method.networks import CompletionNetwork

LESSON = NOTEBOOKS / "04_completion_network.ipynb"


def parameters(kernel, ins, outs, norm):
    return kernel**2 * ins * outs + outs + 2 * outs * norm


def after(size, row):
    if row.upsamples:
        return (size - 1) * 2 - 2 * row.padding + row.kernel
    return (size + 2 * row.padding - row.dilation * (row.kernel - 1) - 1) // row.stride + 1


def sizes(height, width, layers, rule=after):
    found = []
    for row in layers:
        height, width = rule(height, row), rule(width, row)
        found.append((height, width))
    return found


def no_dilation(size, row):
    return after(size, row) if row.upsamples else (size + 2 * row.padding - row.kernel) // row.stride + 1


def convolution(kernel, dilation, stride, ins, outs, **options):
    if stride < 1:
        options.pop("padding_mode", None)  # transposed convolutions have none
        return nn.ConvTranspose2d(ins, outs, kernel, stride=2, padding=(kernel - 2) // 2, **options)
    return nn.Conv2d(ins, outs, kernel, stride, dilation * (kernel - 1) // 2, dilation, **options)


def block(*row):
    return nn.Sequential(convolution(*row), nn.BatchNorm2d(row[-1]), nn.ReLU(inplace=True))


class BlockClass(nn.Module):
    """The same in another style: own class, ReLU as a function, normalisation registered first."""

    def __init__(self, *row):
        super().__init__()
        self.norm = nn.BatchNorm2d(row[-1])
        self.conv = convolution(*row)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)))


def swapped(*row):
    return nn.Sequential(convolution(*row), nn.ReLU(), nn.BatchNorm2d(row[-1]))


def all_convolutions(kernel, dilation, stride, ins, outs):
    step = 1 if stride < 1 else stride
    return nn.Sequential(
        nn.Conv2d(ins, outs, kernel, step, dilation * (kernel - 1) // 2, dilation), nn.BatchNorm2d(outs), nn.ReLU()
    )


def unpadded(kernel, dilation, stride, ins, outs):
    if stride < 1:
        return block(kernel, dilation, stride, ins, outs)
    return nn.Sequential(nn.Conv2d(ins, outs, kernel, stride, 0, dilation), nn.BatchNorm2d(outs), nn.ReLU())


def mirrored(*row):
    return nn.Sequential(convolution(*row, padding_mode="replicate"), nn.BatchNorm2d(row[-1]), nn.ReLU())


def prepare(photo, mask, mean):
    return torch.cat([torch.where(mask > 0.5, 0.0, photo - mean), mask], dim=1)


def lazy_block(kernel, dilation, stride, ins, outs):
    if stride < 1:
        convolution = nn.LazyConvTranspose2d(outs, kernel, stride=2, padding=(kernel - 2) // 2)
    else:
        convolution = nn.LazyConv2d(outs, kernel, stride, dilation * (kernel - 1) // 2, dilation)
    return nn.Sequential(convolution, nn.LazyBatchNorm2d(), nn.ReLU())


class LazyNetwork(CompletionNetwork):
    """The package's, with convolutions that find out for themselves how many channels come in."""

    def __init__(self, width, mean_colour):
        super().__init__(width, mean_colour)
        for part in self.layers:
            old = part.convolution
            kind = nn.LazyConvTranspose2d if isinstance(old, nn.ConvTranspose2d) else nn.LazyConv2d
            options = {} if isinstance(old, nn.ConvTranspose2d) else dict(dilation=old.dilation)
            part.convolution = kind(old.out_channels, old.kernel_size, old.stride, old.padding, **options)


def fractions(height, width, layers):
    """Right, and with the course's own strides, one of which is a Fraction."""

    def rule(size, row):
        if row.upsamples:
            return (size - 1) / row.stride - 2 * row.padding + row.kernel
        return (size + 2 * row.padding - row.dilation * (row.kernel - 1) - 1) // row.stride + 1

    return sizes(height, width, layers, rule)


def by_yield(height, width, layers):
    yield from sizes(height, width, layers)


class Network(nn.Module):
    """The right network, and, by its options, every wrong one."""

    def __init__(
        self, width=1.0, mean_colour=(0.5, 0.5, 0.5), told=True, deconv=4, order="norm, relu", end=nn.Sigmoid,
        sizes="pad", dilated=True, bias=True, subtract=True, mask_first=False, stop=17, multiply=False,
    ):  # fmt: skip
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean_colour).view(3, 1, 1))
        self.told, self.sizes, self.subtract, self.mask_first = told, sizes, subtract, mask_first
        self.multiply = multiply
        parts, ins = [], 4 if told else 3
        for row in COMPLETION_NETWORK[:stop]:
            outs = row.channels if row.kind == "output" else max(1, round(row.channels * width))
            if row.upsamples:
                parts.append(
                    nn.ConvTranspose2d(ins, outs, deconv, stride=2, padding=1, output_padding=4 - deconv, bias=bias)
                )
            else:
                dilation = row.dilation if dilated else 1
                parts.append(nn.Conv2d(ins, outs, row.kernel, row.stride, dilation * (row.kernel - 1) // 2, dilation))
            if row.kind == "output":
                parts.append(end())
            else:
                by_name = {"norm": nn.BatchNorm2d(outs), "relu": nn.ReLU(inplace=True)}
                parts += [by_name[name] for name in order.split(", ")]
            ins = outs
        self.layers = nn.Sequential(*parts)

    def forward(self, photo, mask):
        height, width = photo.shape[2:]
        if self.sizes == "refuse" and (height % 4 or width % 4):
            raise ValueError("multiples of 4, please")
        if self.sizes == "resize both":
            photo, mask = (F.interpolate(x, size=(height + -height % 4, width + -width % 4)) for x in (photo, mask))
        if self.sizes == "pad above":
            photo, mask = (F.pad(x, (-width % 4, 0, -height % 4, 0)) for x in (photo, mask))
        if self.sizes in ("pad", "minus zero"):
            photo, mask = (F.pad(x, (0, -width % 4, 0, -height % 4), mode="replicate") for x in (photo, mask))
        known = torch.where(mask > 0.5, 0.0, photo - (self.mean if self.subtract else 0))
        if self.multiply:
            known = (photo - self.mean) * (1 - mask)
        channels = [mask, known] if self.mask_first else [known, mask]
        painted = self.layers(torch.cat(channels, dim=1) if self.told else known)
        if self.sizes in ("pad", "cut", "move"):
            painted = painted[..., :height, :width]
        if self.sizes == "minus zero":
            painted = painted[..., : -(-height % 4), : -(-width % 4)]
        if self.sizes == "pad above":
            painted = painted[..., -height:, -width:]
        if self.sizes.startswith("resize"):
            painted = F.interpolate(painted, size=(height, width), mode="bilinear")
        return painted.roll(1, dims=2) if self.sizes == "move" and height % 4 else painted


def variant(**options):
    return lambda width, mean_colour: Network(width, mean_colour, **options)


FAULTS = dict(told=False, deconv=3, order="relu, norm", end=nn.Tanh, sizes="any")  # those of the exercise


def all_but(*mended):
    return variant(**{name: value for name, value in FAULTS.items() if name not in mended})


RIGHT = [
    (checks.parameters, parameters),
    (checks.parameters, lambda kernel, ins, outs, norm: torch.tensor(parameters(kernel, ins, outs, norm))),
    (checks.sizes, sizes),
    (checks.parameters, lambda k, i, o, with_norm: Fraction(parameters(k, i, o, with_norm))),
    (checks.sizes, lambda height, width, layers: [list(pair) for pair in sizes(height, width, layers)]),
    (checks.sizes, fractions),
    (checks.sizes, by_yield),
    (checks.sizes, lambda height, width, layers: torch.tensor(sizes(height, width, layers))),
    (checks.sizes, lambda height, width, layers: np.array(sizes(height, width, layers), dtype=float)),
    (checks.block, lazy_block),
    (checks.prepare, lambda p, m, c: prepare(p, m, c).requires_grad_()),
    (checks.repaired, LazyNetwork),
    (checks.block, block),
    (checks.block, BlockClass),
    (checks.block, lambda *row: block(*row).double()),
    (checks.prepare, lambda p, m, c: (one for one in prepare(p.double(), m, c))),
    (checks.prepare, prepare),
    (checks.prepare, lambda p, m, c: torch.cat([torch.where(m > 0.5, c, p) - c, m], dim=1)),
    (checks.repaired, Network),
    (checks.repaired, variant(sizes="refuse")),
    (checks.repaired, variant(sizes="cut")),
    (checks.repaired, variant(sizes="pad above")),
    (checks.repaired, lambda width, mean_colour: CompletionNetwork(width, mean_colour)),
]

# (check, wrong answer, words that the message must hold)
WRONG = [
    (checks.parameters, lambda kernel, ins, outs, norm: parameters(kernel, ins, outs, norm) - outs, "biases"),
    (checks.parameters, lambda kernel, ins, outs, norm: kernel**2 * ins * outs, "only the weights"),
    (checks.parameters, lambda kernel, ins, outs, norm: parameters(kernel, ins, outs, False), "learns something"),
    (checks.parameters, lambda kernel, ins, outs, norm: parameters(kernel, ins, outs, 2 * norm), "no parameters"),
    (checks.parameters, lambda kernel, ins, outs, norm: parameters(kernel, ins, outs, norm / 2), "two numbers"),
    (checks.parameters, lambda kernel, ins, outs, norm: kernel * ins * outs + outs + 2 * outs * norm, "square"),
    (checks.parameters, lambda kernel, ins, outs, norm: parameters(kernel, 1, outs, norm), "kernel of its own"),
    (checks.parameters, lambda kernel, ins, outs, norm: parameters(kernel, ins, outs, True), "without norm"),
    (checks.parameters, lambda kernel, ins, outs, norm: "many", "number is expected"),
    (checks.parameters, lambda k, i, o, norm: (k**2 + 1) * i * o + 2 * o * norm, "not one for each kernel"),
    (checks.parameters, lambda k, i, o, norm: k**2 * (i + o) + o + 2 * o * norm, "they multiply"),
    (checks.parameters, lambda k, i, o, norm: parameters(k, i, o, norm) - o + 1, "each output channel, not one"),
    (checks.parameters, lambda k, i, o, norm: k**2 * i * o + o + 2 * norm, "not two in all"),
    (checks.parameters, lambda k, i, o, norm: parameters(1, i, o, norm), "not one"),
    (checks.parameters, lambda k, i, o, norm: (k**2 * i * o, o, 2 * o * norm), "number is expected"),
    (checks.sizes, lambda h, w, layers: [(after(h, row), after(w, row)) for row in layers], "row before it has left"),
    (checks.sizes, lambda h, w, layers: sizes(h, h, layers), "not square"),
    (checks.sizes, lambda h, w, layers: [(h, w), *sizes(h, w, layers)], "one a layer"),
    (
        checks.sizes,
        lambda h, w, layers: sizes(
            h, w, layers, lambda n, row: row.kernel - 2 * row.padding if row.upsamples else after(n, row)
        ),
        "`int(1/2)` is 0",
    ),
    (
        checks.sizes,
        lambda h, w, layers: sizes(h, w, layers, lambda n, row: after(n, row) + 2 * row.upsamples),
        "n − 1 steps",
    ),
    (
        checks.sizes,
        lambda h, w, layers: sizes(h, w, layers, lambda n, row: after(n, row) + 4 * row.padding * row.upsamples),
        "does not add",
    ),
    (checks.block, lambda *row: nn.Sequential(*block(*row)[:2], nn.ReLU6()), "cuts off at 6"),
    (checks.block, lambda *row: nn.Sequential(*block(*row)[:2], nn.Sigmoid()), "output row alone"),
    (checks.block, lambda *row: nn.ModuleList(block(*row)), "only keeps layers"),
    (checks.block, lambda *row: nn.Sequential(nn.BatchNorm2d(row[3]), *block(*row)[::2]), "comes after the"),
    (checks.prepare, lambda p, m, c: prepare(c - p, m, 0), "the sign"),
    (checks.prepare, lambda p, m, c: prepare(p, m, p.mean(dim=(2, 3), keepdim=True)), "own mean"),
    (checks.prepare, lambda p, m, c: prepare(p.flip(1), m, c), "red and blue"),
    (checks.prepare, lambda p, m, c: torch.cat([torch.where(m > 0.5, 1.0, p) - c, m], dim=1), "white before"),
    (checks.sizes, lambda h, w, layers: sizes(h, w, layers, lambda n, row: int(n / row.stride)), "rounds up"),
    (
        checks.sizes,
        lambda h, w, layers: sizes(h, w, layers, lambda n, row: -(-n // 2) if row.stride == 2 else int(n / row.stride)),
        "not for every kernel",
    ),
    (checks.sizes, lambda h, w, layers: sizes(h, w, layers, no_dilation), "dilation is left out"),
    (
        checks.sizes,
        lambda h, w, layers: sizes(h, w, layers, lambda n, row: 2 * n if row.upsamples else after(n, row)),
        "formula of lesson 03",
    ),
    (checks.sizes, lambda h, w, layers: [pair[::-1] for pair in sizes(h, w, layers)], "exchanged"),
    (checks.sizes, lambda h, w, layers: sizes(h, w, layers)[-1:], "one a layer"),
    (checks.sizes, lambda h, w, layers: (h, w), "list of pairs"),
    (checks.sizes, lambda h, w, layers: sizes(h, w, layers, lambda n, row: n / row.stride), "whole number"),
    (checks.sizes, lambda h, w, layers: [(x + 0.4, y) for x, y in sizes(h, w, layers)], "whole number"),
    (checks.sizes, lambda h, w, layers: [(float("inf"), y) for x, y in sizes(h, w, layers)], "whole number"),
    (checks.sizes, lambda h, w, layers: [("a", "b") for _ in layers], "whole number"),
    (checks.sizes, lambda h, w, layers: dict(sizes=sizes(h, w, layers)), "list of pairs"),
    (checks.sizes, lambda h, w, layers: [(h, w)] * len(layers), "not torch's"),
    (checks.block, swapped, "ReLU comes before"),
    (checks.block, lambda *row: block(*row)[:2], "no ReLU"),
    (checks.block, lambda *row: nn.Sequential(convolution(*row), nn.ReLU()), "one batch normalisation"),
    (checks.block, lambda *row: nn.Sequential(convolution(*row, bias=False), *block(*row)[1:]), "no bias"),
    (checks.block, all_convolutions, "What does this stride say"),
    (checks.block, unpadded, "`padding`"),
    (checks.block, mirrored, "copies of its pixels"),
    (checks.block, lambda k, d, s, ins, outs: block(k, 1, s, ins, outs), "`dilation`"),
    (checks.block, lambda *row: "block", "module of torch"),
    (checks.block, lambda *row: nn.Sequential(convolution(*row), nn.BatchNorm2d(row[-1], affine=False)), "no scale"),
    (
        checks.block,
        lambda *row: nn.Sequential(convolution(*row), nn.BatchNorm2d(row[-1], track_running_stats=False)),
        "no running statistics",
    ),
    (checks.block, lambda *row: block(*row[:3], row[4], row[3]), "weights should have the shape"),
    (checks.block, lambda *row: nn.Sequential(*block(*row), nn.ReLU(), convolution(*row)), "one convolution"),
    (checks.block, lambda *row: nn.Sequential(*block(*row)[:2], nn.LeakyReLU()), "a little of what is negative"),
    (checks.prepare, lambda p, m, c: torch.cat([p - c, m], dim=1), "leak"),
    (checks.prepare, lambda p, m, c: torch.cat([(p - c) * (1 - m), m], dim=1), "0 times NaN"),
    (checks.prepare, lambda p, m, c: torch.cat([(p + c) * (1 - m), m], dim=1), "added, not subtracted"),
    (checks.prepare, lambda p, m, c: torch.cat([(p - c.mean()) * (1 - m), m], dim=1), "one grey"),
    (checks.prepare, lambda p, m, c: torch.cat([torch.where(m > 0.5, c, p - c), m], dim=1), "holds zeros"),
    (checks.prepare, lambda p, m, c: torch.cat([(p - c) * (1 - m), m, m, m], dim=1), "not three"),
    (checks.prepare, lambda p, m, c: torch.cat([torch.where(m > 0, c, p), m], dim=1), "not subtracted yet"),
    (checks.prepare, lambda p, m, c: torch.cat([p * (1 - m) - c, m], dim=1), "black before"),
    (checks.prepare, lambda p, m, c: torch.cat([p * (1 - m), m], dim=1), "from the known part"),
    (checks.prepare, lambda p, m, c: torch.cat([(p - c) * (1 - m), 1 - m], dim=1), "where the photo is known"),
    (checks.prepare, lambda p, m, c: torch.cat([(p - c) * m, m], dim=1), "hole kept"),
    (checks.prepare, lambda p, m, c: torch.cat([m, (p - c) * (1 - m)], dim=1), "last of the four"),
    (checks.prepare, lambda p, m, c: (p - c) * (1 - m), "mask itself is missing"),
    (checks.repaired, all_but("told"), "1 of 5 is fixed"),
    (checks.repaired, all_but("told"), "row 13"),
    (checks.repaired, all_but("told", "deconv"), "below zero"),
    (checks.repaired, all_but("told", "deconv", "order"), "a photo does not"),
    (checks.repaired, all_but("told", "deconv", "order", "end"), "comes back as"),
    (checks.repaired, all_but("deconv", "order", "end", "sizes"), "does not depend on where the hole is"),
    (checks.repaired, variant(sizes="resize"), "4 of 5 are fixed"),
    (checks.repaired, variant(sizes="resize both"), "resized"),
    (checks.repaired, variant(sizes="move"), "moved"),
    (checks.repaired, variant(sizes="minus zero"), "a slice that ends at -0"),
    (checks.repaired, variant(dilated=False), "dilation of row 7"),
    (checks.repaired, variant(bias=False), "no bias"),
    (checks.repaired, variant(order="norm"), "below zero"),
    (checks.repaired, variant(order="relu"), "0 batch normalisations"),
    (checks.repaired, variant(end=nn.Identity), "a photo does not"),
    (checks.repaired, variant(end=nn.Softsign), "a photo does not"),
    (checks.repaired, variant(end=nn.Hardsigmoid), "not the sigmoid"),
    (checks.repaired, variant(stop=16), "not one for each row"),
    (checks.repaired, variant(subtract=False), "now the input differs"),
    (checks.repaired, variant(mask_first=True), "now the input differs"),
    (checks.repaired, variant(multiply=True), "0 times NaN"),
    (checks.repaired, lambda width, mean_colour: mean_colour, "subclass"),
]


class TestChecks(ExerciseChecks):
    RIGHT, WRONG = RIGHT, WRONG


def test_every_mistake_of_the_exercise_is_seen_alone_and_the_whole_is_not_attempted():
    verdict = checks.repaired(variant(**FAULTS))
    assert verdict.state == NOT_ATTEMPTED and "All 5" in verdict.message
    for name, value in FAULTS.items():
        verdict = checks.repaired(variant(**{name: value}))
        assert verdict.state == NOT_YET and "4 of 5 are fixed" in verdict.message, (name, verdict)


def test_the_lessons_network_holds_just_these_mistakes():
    """The class that the learner gets, taken from the notebook itself."""
    cells = [cell.source for cell in nbformat.read(LESSON, as_version=4).cells if cell.cell_type == "code"]
    names = dict(
        nn=nn,
        torch=torch,
        COMPLETION_NETWORK=COMPLETION_NETWORK,
        checks=types.SimpleNamespace(repaired=lambda network: None),
    )
    exec(next(source for source in cells if "class FoundOnTheWeb" in source), names)
    verdict = checks.repaired(names["FoundOnTheWeb"])
    assert verdict.state == NOT_ATTEMPTED and "All 5" in verdict.message


def test_the_network_built_in_view_is_the_packages():
    cells = [cell.source for cell in nbformat.read(LESSON, as_version=4).cells if cell.cell_type == "code"]
    source = next(source for source in cells if "class MyCompletionNetwork" in source)
    names = dict(nn=nn, torch=torch, COMPLETION_NETWORK=COMPLETION_NETWORK, COMPLETION_INPUT_CHANNELS=4)
    exec(source[: source.index("\nmine = ")], names)
    mean = (0.3, 0.5, 0.6)
    mine, package = names["MyCompletionNetwork"](1 / 16, mean).eval(), CompletionNetwork(1 / 16, mean).eval()
    assert {k: v.shape for k, v in mine.state_dict().items()} == {k: v.shape for k, v in package.state_dict().items()}
    mine.load_state_dict(package.state_dict())
    photo, mask = torch.rand(1, 3, 24, 32), (torch.rand(1, 1, 24, 32) < 0.3).float()
    with torch.inference_mode():
        assert torch.equal(mine(photo, mask), package(photo, mask))
