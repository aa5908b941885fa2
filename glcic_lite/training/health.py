"""Is a training run still worth its hours? What is watched, and when a run is called dead."""

import math

WATCHED_ITERATIONS = 500  # a verdict needs this many iterations in a row that look dead
WON_LOSS = 1e-3  # a healthy run's discriminator loss stays a hundred times above this
CONSTANT_LOGITS = 1e-3  # standard deviation of the logits, real and completed together; a healthy run's is above 0.1

LOSSES = ("reconstruction", "gan", "discriminator")
# What the watch needs of each phase.
WATCHED_LOSSES: dict[int, set[str]] = {
    1: set(),
    2: {"logit_spread"},
    3: {"logit_spread", "gan", "discriminator", "real_accuracy", "fake_accuracy"},
}

WON = (
    "the discriminators have won: over {n} iterations their loss stayed below {loss:g} and no answer was wrong, "
    "while the GAN loss kept rising, so the completion network learns nothing from them. Was phase "
    "1 long enough? If so, try a smaller discriminator_learning_rate, or a shorter phase 2"
)
BLIND = (
    "the discriminators are blind: over {n} iterations they gave every picture the same answer, so nothing can be "
    "learned from them. Try a smaller discriminator_learning_rate"
)


def broken_losses(losses: dict[str, float]) -> list[str]:
    """The names of the losses that are no longer finite numbers."""
    return [name for name in LOSSES if not math.isfinite(losses.get(name, 0.0))]


def average(window: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each value over the iterations that have it."""
    names = dict.fromkeys(name for values in window for name in values)
    columns = {name: [values[name] for values in window if name in values] for name in names}
    return {name: sum(column) / len(column) for name, column in columns.items()}


class Watch:
    """Looks at the averages of one stretch of iterations after another, and says when the discriminators are dead.

    Won: in phase 3, `WATCHED_ITERATIONS` long, a loss below `WON_LOSS`, every real and every completed photo
    recognised, and a GAN loss higher in the second half of that time than in the first. A generator that catches up
    makes it fall again, and phase 2, whose generator does not change, is meant to be won.

    Blind: in phases 2 and 3, just as long, logits that do not depend on the picture. Accuracies say little here: one
    logit for all makes one of them 0 and the other 1.
    """

    def __init__(self):
        self.stretches: list[tuple[int, int, dict[str, float]]] = []  # phase, iterations, averages; part of checkpoints

    def verdict(self, phase: int, window: list[dict[str, float]]) -> str | None:
        """Take in a stretch of iterations; what is wrong and what to try, or None."""
        self.stretches.append((phase, len(window), average(window)))
        while len(self.stretches) > 2 and self._iterations() - self.stretches[0][1] >= WATCHED_ITERATIONS:
            del self.stretches[0]
        if self._iterations() < WATCHED_ITERATIONS:
            return None
        if all(phase > 1 and x["logit_spread"] < CONSTANT_LOGITS for phase, _, x in self.stretches):
            return BLIND.format(n=self._iterations())
        if all(phase == 3 and _told_apart(x) for phase, _, x in self.stretches) and self._gan_loss_rises():
            return WON.format(n=self._iterations(), loss=WON_LOSS)
        return None

    def _iterations(self) -> int:
        return sum(count for _, count, _ in self.stretches)

    def _gan_loss_rises(self) -> bool:
        middle = len(self.stretches) // 2
        if middle == 0:
            return False
        before, after = (
            sum(count * x["gan"] for _, count, x in part) / sum(count for _, count, _ in part)
            for part in (self.stretches[:middle], self.stretches[middle:])
        )
        return after > before


def _told_apart(values: dict[str, float]) -> bool:
    # Averages over parts of batches: ten times a tenth need not be one. A single wrong answer makes a larger gap.
    always = min(values["real_accuracy"], values["fake_accuracy"]) > 1 - 1e-5
    return values["discriminator"] < WON_LOSS and always
