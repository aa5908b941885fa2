"""Lesson 06, exercise 6: six short trainings, one healthy and five sick, whose logs do not say which is which.

    python -m glcic_lite.course.lesson_06.blind_logs

trains them, some three minutes on one CPU core, and writes `blind_logs.csv` beside this file.
"""

import csv
import random
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from glcic_lite.course.lesson_06.small_photos import write_small_photos
from glcic_lite.training import LESSON, Settings, Trainer

LOG = Path(__file__).with_name("blind_logs.csv")
COLUMNS = (
    "iteration", "phase", "reconstruction", "discriminator", "gan", "real_accuracy", "fake_accuracy", "gradient_ratio",
)  # fmt: skip
LOG_EVERY = 3  # iterations a row

# The smallest networks that still show every disease.
HEALTHY = replace(LESSON, width=1 / 16, discriminator_width=1 / 8, holes=1, phase_1=60, phase_2=30, phase_3=60,
                  joint_learning_rate=1e-3)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A disease.

    Attributes:
        settings: that bring it about.
        cures: the names of those that help.
        sign: by which its log is known, a clause.
    """

    settings: Settings
    cures: tuple[str, ...]
    sign: str


DISEASES = {
    "healthy": Case(HEALTHY, ("go on",), "the error falls in phase 1, and in phase 3 all four measures stay in range"),
    "alpha too large": Case(
        replace(HEALTHY, alpha=5000 * HEALTHY.alpha),
        ("smaller alpha",),
        "in phase 3 the ratio of the gradients lies far above its range, and the error in the hole rises",
    ),
    "blind discriminators": Case(
        replace(HEALTHY, discriminator_learning_rate=1000 * HEALTHY.discriminator_learning_rate),
        ("slower discriminators",),
        "the discriminators' loss shoots up in phase 2; later it is near 1.39, hardly better than guessing, and the "
        "ratio of the gradients lies far below its range",
    ),
    "phase 1 too short": Case(
        replace(HEALTHY, phase_1=3, phase_2=97, phase_3=50, joint_learning_rate=2e-4),
        ("longer phase 1",),
        "phase 2 begins when the error has hardly fallen, and soon every judgement is right",
    ),
    "network too slow": Case(
        replace(HEALTHY, learning_rate=1e-5, joint_learning_rate=1e-5),
        ("faster network",),
        "the error in the hole stays where it began, through all of a phase 1 that is long enough",
    ),
    "network too fast": Case(
        replace(HEALTHY, learning_rate=30.0),
        ("slower network",),
        "the error in the hole is several times that of a grey fill, and stays there",
    ),
}
CURES = (
    "go on", "smaller alpha", "larger alpha", "slower discriminators", "faster discriminators", "slower network",
    "faster network", "longer phase 1",
)  # fmt: skip


def letters() -> dict[str, str]:
    """Which disease each letter stands for."""
    return dict(zip("ABCDEF", random.Random(24).sample(sorted(DISEASES), len(DISEASES)), strict=True))


def logs() -> dict[str, list[dict[str, float]]]:
    """The rows of each log, by letter; a column that a phase does not have is left out of its rows."""
    found: dict[str, list[dict[str, float]]] = {letter: [] for letter in letters()}
    with open(LOG, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[row.pop("log")].append({name: float(value) for name, value in row.items() if value})
    return found


def train(settings: Settings, photos: Path, folder: Path) -> list[dict[str, float]]:
    """Train with these settings on the small photos; the rows of the run's log."""
    trainer = Trainer(settings, photos / "train", photos / "val", folder, precision="no", log_every=LOG_EVERY,
                      validate_every=1_000_000)  # fmt: skip
    trainer.train(progress=False)
    return trainer.run.numbers("log.csv")


def main() -> None:
    """Train, and write the logs."""
    with tempfile.TemporaryDirectory() as scratch, open(LOG, "w", newline="", encoding="utf-8") as file:
        photos = write_small_photos(Path(scratch) / "photos", short_edge=128, grey=True)
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["log", *COLUMNS])
        for letter, disease in letters().items():
            for row in train(DISEASES[disease].settings, photos, Path(scratch) / letter):
                writer.writerow([letter, *(f"{row[name]:.4g}" if name in row else "" for name in COLUMNS)])
            file.flush()
            print(letter, "done", flush=True)


if __name__ == "__main__":
    main()
