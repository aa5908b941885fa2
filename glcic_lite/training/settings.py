"""What a training run is made of: settings in four groups, and three named sets of them."""

import math
import reprlib
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class Networks:
    """The three networks, and what an ablation may leave out of them."""

    width: float = 1.0  # scales the channels of all three networks ...
    discriminator_width: float | None = None  # ... unless the discriminators are to have a width of their own
    dilated: bool = True
    mask_channel: bool = True
    use_global: bool = True
    use_local: bool = True


@dataclass(frozen=True)
class Samples:
    """The training samples: section 4 of the paper. Lengths are in pixels."""

    crop_size: int = 256
    global_size: int | None = None  # side of what the global discriminator sees, about the hole; None: the whole crop
    local_size: int = 128
    short_edge: tuple[int, int] = (256, 384)
    scales_per_octave: int = 0  # lengths of the short edge from one to its half, photos resized once; 0: any length
    hole_sides: tuple[int, int] = (96, 128)
    holes: int = 1  # most boxes in a crop in phase 1; later there is one, on which the local discriminator is centred
    stroke_share: float = 0.0  # share of the holes that are brush strokes instead of a box
    stroke_width: tuple[int, int] = (6, 24)
    shuffled_colours: float = 0.0  # share of the crops whose red, green and blue are permuted
    lowered_contrast: float = 0.0  # share of the crops that are blended with a random colour; only in our history
    least_contrast: float = 8.0  # crops whose grey levels have a smaller standard deviation are drawn again
    seed: int = 0  # also of the networks' random weights

    def _check_samples(self) -> None:
        if not self.stroke_width[0] <= self.stroke_width[1]:
            raise ValueError(f"stroke_width {self.stroke_width} must be two rising numbers")
        if self.stroke_share and self.stroke_width[1] > self.crop_size:
            raise ValueError(f"stroke_width {self.stroke_width} does not fit into crops of {self.crop_size}")
        if self.crop_size % 64 or self.judged_size % 64 or self.local_size % 32:
            raise ValueError(
                "crop_size and global_size must be multiples of 64 and local_size of 32: the discriminators halve them"
            )
        if not self.crop_size <= self.short_edge[0] <= self.short_edge[1]:
            raise ValueError(f"photos with a short edge of {self.short_edge} give no crops of {self.crop_size}")
        if not self.hole_sides[0] <= self.hole_sides[1]:
            raise ValueError(f"hole_sides {self.hole_sides} must be two rising numbers")
        if not self.hole_sides[1] <= self.crop_size:
            raise ValueError(f"hole_sides {self.hole_sides} do not fit into crops of {self.crop_size}")
        if self.judged_size > self.crop_size:
            raise ValueError(f"global_size {self.judged_size} does not fit into crops of {self.crop_size}")
        if self.local_size > self.judged_size:
            raise ValueError(
                f"a local patch of {self.local_size} does not fit into the {self.judged_size} pixels that the global "
                "discriminator sees"
            )

    @property
    def judged_size(self) -> int:
        """Side of what the global discriminator sees: `global_size`, or the whole crop as in the paper."""
        return self.global_size or self.crop_size


@dataclass(frozen=True)
class Phases:
    """The three phases: section 3.4 of the paper, T_C, T_D and the rest of T_train. Lengths are in iterations."""

    phase_1: int = 90_000
    phase_2: int = 10_000
    phase_3: int = 400_000
    alpha: float = 0.0004  # weight of the GAN loss in phase 3
    through_blending: bool = False  # losses and discriminators see the painting blended, as `complete` returns it
    bare_share: float = 0.0  # with `through_blending`: the weight of the bare painting's error beside the blended one's
    error_floor: float = 0.0  # if not 0, the network descends `logarithmic_loss` with this floor, and alpha weighs that
    colour_weight: float = 1.0  # how much an error in colour counts beside one in grey (`losses.hole_errors`)
    mesh_weight: float = 0.0  # how much an error that repeats every two pixels counts besides (`losses.mesh_errors`)
    gan_in_grey: bool = False  # the GAN loss may change how bright a pixel is, but not its colour
    batch_size: int = 96  # over all processes
    accumulation: int = 1  # a batch is computed in this many parts, one after the other, where memory is short

    def _check_phases(self) -> None:
        if self.batch_size % self.accumulation:
            raise ValueError(f"a batch of {self.batch_size} cannot be computed in {self.accumulation} equal parts")
        if self.bare_share and not self.through_blending:
            raise ValueError("bare_share needs through_blending: without it, the bare painting's error is all there is")
        if not self.iterations:
            raise ValueError("phase_1, phase_2 and phase_3 are all 0, so there is nothing to train")

    @property
    def iterations(self) -> int:
        """Iterations of all three phases, T_train in the paper."""
        return self.phase_1 + self.phase_2 + self.phase_3

    def phase(self, iteration: int) -> int:
        """The phase, 1 to 3, that an iteration (counted from 0) belongs to."""
        return 1 if iteration < self.phase_1 else 2 if iteration < self.phase_1 + self.phase_2 else 3


@dataclass(frozen=True)
class Optimizers:
    """How gradients change the weights; the paper trains with AdaDelta."""

    optimizer: str = "adadelta"  # or "adam"
    learning_rate: float = 1.0  # of the completion network in phase 1
    learning_rate_end: float = 1.0  # phase 1 ends with this share of it ...
    learning_rate_decay: float = 0.4  # ... falling in a straight line over this last share of the phase
    joint_learning_rate: float = 1.0  # the same for phase 3 ...
    joint_learning_rate_end: float = 1.0  # ... which ends with this share of it, falling likewise
    discriminator_learning_rate: float = 1.0  # in phases 2 and 3
    averaging: float = 0.0  # decay of the moving average of the weights, which is validated and saved; 0: no averaging

    # Nothing but the history of the shipped weights (weights/lite/history.md) needed anything but these values.
    network_momentum: float = 0.9  # Adam's first beta for the completion network; the discriminators' is 0.5
    kept_statistics: bool = False  # the completion network normalises by the statistics it started with
    judged_together: bool = True  # the discriminators get real and completed photos in one batch, not in two

    def _check_optimizers(self) -> None:
        for name in ("network_momentum", "averaging"):
            if getattr(self, name) >= 1:
                raise ValueError(f"{name} must be below 1, not {reprlib.repr(getattr(self, name))}")
        if self.optimizer not in ("adadelta", "adam"):
            raise ValueError(f"optimizer must be adadelta or adam, not {self.optimizer!r}")


@dataclass(frozen=True)
class Settings(Optimizers, Phases, Samples, Networks):
    """Everything that decides the numbers of a run.

    The groups are its base classes, not its attributes: a setting has one short name in code, in `dataclasses.replace`
    and in a run's settings.json. The defaults are the paper's; where the paper says nothing, they leave a thing out.
    """

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):  # JSON has no tuples
                object.__setattr__(self, field.name, value := tuple(value))
            is_right, words = _TYPES[field.type]
            if not is_right(value):
                raise ValueError(f"{field.name} must be {words}, not {reprlib.repr(value)}")
            if value is not None and field.name in _BOUNDS:
                least, most = _BOUNDS[field.name]
                if not all(least <= x <= most for x in (value if isinstance(value, tuple) else (value,))):
                    share = "is a share, and " if (least, most) == (0, 1) else ""
                    raise ValueError(f"{field.name} {share}must be {least} to {most}, not {reprlib.repr(value)}")
        self._check_samples()
        self._check_phases()
        self._check_optimizers()
        if not (self.use_global or self.use_local):
            raise ValueError("use_global and use_local cannot both be false: one discriminator must be left")

    def network_learning_rate(self, iteration: int) -> float:
        """The completion network's learning rate at an iteration counted from 0; in phase 2 it is 0."""
        phase = self.phase(iteration)
        if phase == 2:
            return 0.0
        if phase == 1:
            rate, end, length, left = self.learning_rate, self.learning_rate_end, self.phase_1, self.phase_1 - iteration
        else:
            rate, end = self.joint_learning_rate, self.joint_learning_rate_end
            length, left = self.phase_3, self.iterations - iteration
        falling = length * self.learning_rate_decay
        return rate if left >= falling else rate * (end + (1 - end) * left / falling)

    def to_dict(self) -> dict:
        """Plain values, for a JSON file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "Settings":
        """The reverse of `to_dict`.

        Raises:
            ValueError: an unknown name or an impossible value.
        """
        if not isinstance(values, dict):
            raise ValueError(f"settings must be names with values, not {reprlib.repr(values)}")
        unknown = set(values) - {x.name for x in fields(cls)}
        if unknown:
            first = [reprlib.repr(name) for name in sorted(unknown)[:3]]
            more = [f"{len(unknown) - 3} more"] if len(unknown) > 3 else []
            raise ValueError(f"unknown settings: {', '.join(first + more)}")
        return cls(**values)


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _is_whole(value) -> bool:
    return isinstance(value, int) and _is_number(value)


# What each type of setting allows: a JSON file can hold anything.
_TYPES = {
    bool: (lambda value: isinstance(value, bool), "true or false"),
    str: (lambda value: isinstance(value, str), "text"),
    int: (_is_whole, "a whole number, 0 or more"),
    float: (_is_number, "a number, 0 or more"),
    int | None: (lambda value: value is None or _is_whole(value), "a whole number, 0 or more, or null"),
    float | None: (lambda value: value is None or _is_number(value), "a number, 0 or more, or null"),
    tuple[int, int]: (
        lambda value: isinstance(value, tuple) and len(value) == 2 and all(map(_is_whole, value)),
        "two whole numbers, 0 or more",
    ),
}

# The least and the most that a number may be: far beyond what is of use, and short of what overflows or never ends.
_BOUNDS: dict[str, tuple[float, float]] = {
    "width": (1 / 256, 16),
    "discriminator_width": (1 / 256, 16),
    "crop_size": (64, 4096),
    "global_size": (64, 4096),
    "local_size": (32, 4096),
    "short_edge": (1, 65_536),
    "scales_per_octave": (0, 100),
    "hole_sides": (1, 4096),
    "holes": (1, 1000),
    "stroke_share": (0, 1),
    "stroke_width": (1, 4096),
    "shuffled_colours": (0, 1),
    "lowered_contrast": (0, 1),
    "least_contrast": (0, 127.5),  # half black, half white
    "seed": (0, 2**32 - 1),
    "phase_1": (0, 10**9),
    "phase_2": (0, 10**9),
    "phase_3": (0, 10**9),
    "alpha": (0, 1e6),
    "bare_share": (0, 1e6),
    "error_floor": (0, 1),
    "colour_weight": (0, 1e6),
    "mesh_weight": (0, 1e6),
    "batch_size": (1, 65_536),
    "accumulation": (1, 65_536),
    "learning_rate": (0, 1e20),  # lesson 06 shows what absurd rates do
    "learning_rate_end": (0, 1),
    "learning_rate_decay": (0, 1),
    "joint_learning_rate": (0, 1e20),
    "joint_learning_rate_end": (0, 1),
    "discriminator_learning_rate": (0, 1e20),
}

PAPER = Settings()

# For many hours on two CPU cores. Half the width and a quarter of the area of the paper's crops; holes and strokes of
# all sizes a reader may draw. From few photos a network learns which colours are common, and tints a pink rose brown;
# where colours are permuted at random, it has to take them from around the hole. In phase 3 the discriminators must
# learn faster than the network, or it paints stripes along the edges of the hole (tried with a `network_momentum` of
# 0.5). Narrow ones cost little. The shipped weights got their texture in crops of 192 with a `global_size` of 128, with
# `error_floor`, `gan_in_grey` and `bare_share`; with `colour_weight` they lost most of its coloured grain, and with
# `mesh_weight` a fine mesh. `half_hour/phases_2_and_3.json` has all six, which are the course's additions;
# `weights/lite/history.md` says why.
LITE = Settings(
    width=0.5,
    discriminator_width=0.25,
    crop_size=128,
    local_size=64,
    short_edge=(128, 640),
    scales_per_octave=3,
    hole_sides=(16, 64),
    holes=4,
    stroke_share=0.35,
    shuffled_colours=0.5,
    phase_1=200_000,
    phase_2=400,
    phase_3=80_000,
    alpha=0.002,
    through_blending=True,
    batch_size=8,
    optimizer="adam",
    learning_rate=6e-4,
    learning_rate_end=0.05,
    joint_learning_rate=1e-4,
    joint_learning_rate_end=0.05,
    discriminator_learning_rate=5e-4,
    averaging=0.999,
)

# A minute on a laptop's CPU, for lesson 06: narrow networks on small crops with small holes.
LESSON = Settings(
    width=1 / 8,
    discriminator_width=1 / 4,
    crop_size=64,
    local_size=32,
    short_edge=(64, 200),
    hole_sides=(12, 20),
    holes=4,
    phase_1=400,
    phase_2=40,
    phase_3=80,
    alpha=0.002,
    batch_size=8,
    optimizer="adam",
    learning_rate=3e-3,
    learning_rate_end=0.05,
    learning_rate_decay=0.6,
    joint_learning_rate=5e-4,
    discriminator_learning_rate=5e-4,
    averaging=0.95,
)

SETTINGS = {"paper": PAPER, "lite": LITE, "lesson": LESSON}
