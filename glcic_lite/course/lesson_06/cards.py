"""What the paper's training would take on NVIDIA's cards: reckoned from counted operations and one measured card.

The H100 was measured (see `MEASURED`). Another card is taken to sustain the same share of its own peak; that is an
assumption, kinder to some cards than to others. This course's addition.
"""

from dataclasses import dataclass, replace

from glcic_lite.course.lesson_06.training_costs import cost
from glcic_lite.training.settings import PAPER, Settings


@dataclass(frozen=True)
class Card:
    """A graphics card, by its maker's data sheet.

    Attributes:
        memory: in bytes.
        peak: operations a second, matrix products of 16-bit numbers summed in 32 bits, without sparsity.
    """

    memory: float
    peak: float


CARDS = {
    "T4": Card(16e9, 65e12),
    "RTX 3060": Card(12e9, 25.5e12),
    "RTX 4090": Card(24e9, 165e12),
    "A100": Card(40e9, 312e12),
    "H100": Card(80e9, 989e12),
}
MEASURED = "H100"
STEP_SECONDS = {1: 0.082, 3: 0.123}  # of PAPER on it, a batch of 96 in phases 1 and 3: `bench train`
TASTE = {"phase_1": 200, "phase_2": 100, "phase_3": 100}  # what lesson 06, section 4, does of PAPER on a GPU
ROOM = 0.7  # share of the memory that the count may take; the rest is for what is not counted


@dataclass(frozen=True)
class Plan:
    """A training on a card.

    Attributes:
        accumulation: in how many parts a batch is computed.
        bytes: counted memory, of one part.
        seconds: reckoned, of the whole training.
    """

    accumulation: int
    bytes: float
    seconds: float


def share_of_peak() -> float:
    """The share of its peak that the measured card sustains over the paper's phases 1 and 3."""
    operations = cost(PAPER).operations
    seconds = {1: PAPER.phase_1 * STEP_SECONDS[1], 3: PAPER.phase_3 * STEP_SECONDS[3]}
    return sum(operations[phase] for phase in seconds) / sum(seconds.values()) / CARDS[MEASURED].peak


def plan(settings: Settings, card: Card) -> Plan:
    """How a training fits on a card, and how long it takes there.

    The batch is divided into the fewest equal parts of which one fits into `ROOM` of the memory.

    Raises:
        ValueError: not even one photo fits.
    """
    costs, batch = cost(settings), settings.batch_size
    for parts in range(1, batch + 1):
        if batch % parts == 0 and costs.memory(batch // parts) <= ROOM * card.memory:
            seconds = sum(costs.operations.values()) / (share_of_peak() * card.peak)
            return Plan(parts, costs.memory(batch // parts), seconds)
    raise ValueError("not even one photo fits: make the crops smaller or the networks narrower")


def cards_table() -> str:
    """The paper's training on each card, in Markdown, and the taste of it that section 4 gives."""
    taste = replace(PAPER, **TASTE)
    lines = [
        "| card | GB | peak, TFLOP/s | batch | `accumulation` | GB counted "
        f"| {taste.iterations:,} iterations, min | {PAPER.iterations:,}, days | |",
        "|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for name, card in CARDS.items():
        whole, short = plan(PAPER, card), plan(taste, card)
        lines.append(
            f"| {name} | {card.memory / 1e9:.0f} | {card.peak / 1e12:.0f} | {PAPER.batch_size} | {whole.accumulation} "
            f"| {whole.bytes / 1e9:.1f} | {short.seconds / 60:.1f} | {whole.seconds / 86400:.1f} "
            f"| {'from measured steps' if name == MEASURED else 'reckoned'} |"
        )
    return "\n".join(lines)
