"""What a run says of itself while it goes on: its log, its callbacks, and the end of one not worth its hours."""

import pytest
import torch

from glcic_lite.method.losses import gan_loss, hole_errors, reconstruction_loss
from glcic_lite.method.networks import composite
from glcic_lite.training import TrainingError, health
from glcic_lite.training.health import WATCHED_ITERATIONS, WATCHED_LOSSES, Watch
from glcic_lite.training.log import LOG_COLUMNS
from glcic_lite.training.samples import cut_patches
from training_runs import SMOOTH, phases, same, starter


@pytest.fixture
def start(photos_folder, tmp_path, monkeypatch):
    return starter(photos_folder, tmp_path, monkeypatch)


# The log


def test_the_log_shows_losses_accuracies_and_gradients_where_a_phase_has_them(start):
    trainer = start(log_every=2)
    trainer.train()
    filled = {int(row["phase"]): {name for name in LOG_COLUMNS if row[name]} for row in trainer.run.rows("log.csv")}
    judged = {"discriminator", "real_accuracy", "fake_accuracy", "logit_spread", "discriminator_gradient"}
    assert filled == {1: {"reconstruction", "network_gradient"}, 2: judged, 3: set(LOG_COLUMNS)}


def test_on_log_gets_each_row_of_the_log_as_numbers(start):
    rows = []
    trainer = start(log_every=2)
    assert trainer.train(on_log=lambda trainer, row: rows.append(row), progress=False)
    written = trainer.run.rows("log.csv")
    assert [row["iteration"] for row in rows] == [int(row["iteration"]) for row in written] == [2, 3, 4, 5, 6, 8]
    for row, text in zip(rows, written, strict=True):
        assert {name: pytest.approx(value, rel=1e-5) for name, value in row.items()} == {
            name: float(value) for name, value in text.items() if value
        }


def test_on_log_may_stop_the_run(start):
    trainer = start()
    assert trainer.train(on_log=lambda trainer, row: row["iteration"] == 4) is False
    assert trainer.progress.iteration == 4
    assert trainer.run.latest_checkpoint().name == "00000004"


@pytest.mark.parametrize("callback", ["on_log", "on_validation"])
def test_a_picture_drawn_in_a_callback_changes_no_numbers(start, callback):
    settings = phases(3, 2, 3, averaging=0.0)  # the network that is trained is the one in the picture
    plain, drawing = start(settings, "plain", validate_every=2), start(settings, "drawing", validate_every=2)
    plain.train()
    drawing.train(**{callback: lambda t, row: t.validation.sheet(t.validated_network, t.device) and None})
    assert same(plain.bare_network.state_dict(), drawing.bare_network.state_dict())


def test_the_progress_bar_is_shown_only_where_it_is_wanted(start, capsys):
    start(phases(1, 0, 0), "with").train()
    assert "1/1" in capsys.readouterr().err
    start(phases(1, 0, 0), "without").train(progress=False)
    assert capsys.readouterr().err == ""


def test_measuring_gradients_changes_no_numbers(start):
    often, seldom = start(name="often", log_every=1), start(name="seldom", log_every=100)
    often.train()
    seldom.train()
    for name in ("bare_network", "bare_discriminator", "average"):
        assert same(getattr(often, name).state_dict(), getattr(seldom, name).state_dict())


def norm(gradients):
    return torch.cat([g.flatten() for g in gradients]).norm().item()


def test_the_gradients_in_the_log_are_those_of_the_losses(start):
    settings = phases(0, 0, 1, SMOOTH, alpha=0.1, discriminator_learning_rate=0.0)
    trainer, by_hand = start(settings, "run"), start(settings, "by hand")
    batch = next(trainer.batches())
    row = trainer.iterate(iter([batch]), measure=True)

    network, discriminator = by_hand.bare_network.train(), by_hand.bare_discriminator.train()
    output = network(batch["photo"], batch["mask"])
    completed = composite(batch["photo"], output, batch["mask"])
    photos = torch.cat([batch["photo"], completed])  # one batch, so that batch normalisation gives nothing away
    patches = cut_patches(photos, torch.cat([batch["real_patch"], batch["fake_patch"]]), settings.local_size)
    fooling = 0.1 * gan_loss(discriminator(photos, patches)[len(completed) :])
    error = reconstruction_loss(output, batch["photo"], batch["mask"])
    shares = [
        torch.autograd.grad(loss, output, retain_graph=True)[0].flatten(1).norm(dim=1).mean().item()
        for loss in (fooling, error)
    ]
    assert row["gradient_ratio"].item() == pytest.approx(shares[0] / shares[1], rel=1e-3)
    gradients = torch.autograd.grad(error + fooling, [p for p in network.parameters() if p.requires_grad])
    assert row["network_gradient"].item() == pytest.approx(norm(gradients), rel=1e-3)


@pytest.mark.parametrize("accumulation", [1, 2])
def test_the_discriminators_gradient_is_that_of_the_whole_batch(start, accumulation):
    trainer = start(phases(0, 1, 0, SMOOTH, accumulation=accumulation))
    seen = []
    step = trainer.discriminator_optimizer.step
    trainer.discriminator_optimizer.step = lambda: (
        seen.append(norm([p.grad for p in trainer.bare_discriminator.parameters() if p.grad is not None])),
        step(),
    )
    row = trainer.iterate(trainer.batches(), measure=True)
    assert [row["discriminator_gradient"].item()] == pytest.approx(seen, rel=1e-4)


# The end of runs not worth their hours

HEALTHY = {
    "reconstruction": 0.03,
    "gan": 2.0,
    "discriminator": 0.4,
    "real_accuracy": 0.9,
    "fake_accuracy": 0.95,
    "logit_spread": 2.0,
}
WON = HEALTHY | {"discriminator": 2e-4, "real_accuracy": 1.0, "fake_accuracy": 1.0, "logit_spread": 9.0}
BLIND = HEALTHY | {"discriminator": 1.3863, "real_accuracy": 1.0, "fake_accuracy": 0.0, "logit_spread": 1e-6}


def verdicts(rows, stretch=50, phase=3):
    watch = Watch()
    return [watch.verdict(phase, [row] * stretch) for row in rows]


def rising(row, count, step=0.1):
    return [row | {"gan": 8 + step * i} for i in range(count)]


def test_a_healthy_run_is_never_called_dead():
    swings = [
        HEALTHY | {"discriminator": x, "gan": 1 / x, "real_accuracy": 1.0, "fake_accuracy": 1.0} for x in (0.1, 2)
    ]
    assert not any(verdicts(swings * 40))


def test_averages_over_parts_of_a_batch_hide_no_victory():
    for parts in (10, 12, 48):
        share = torch.zeros(())
        for _ in range(parts):
            share = share + torch.ones(()) / parts
        assert verdicts(rising(WON | {"real_accuracy": share.item(), "fake_accuracy": share.item()}, 10))[-1]


def test_discriminators_that_never_err_while_the_gan_loss_rises_have_won():
    *before, last = verdicts(rising(WON, 10))
    assert not any(before), "a verdict takes 500 iterations"
    assert "discriminators have won: over 500 iterations" in last and "discriminator_learning_rate" in last


@pytest.mark.parametrize(
    "rows, phase",
    [
        (rising(WON, 30, step=-0.1), 3),  # the network is catching up
        (rising(WON, 30), 2),  # which is there to be won
        (rising(WON | {"fake_accuracy": 0.999}, 30), 3),
        (rising(WON | {"discriminator": 0.01}, 30), 3),
        ((rising(WON, 9) + [HEALTHY]) * 4, 3),
    ],
    ids=["gan loss falls", "phase 2", "an error", "a loss", "a breath"],
)
def test_discriminators_that_are_only_good_have_not_won(rows, phase):
    assert not any(verdicts(rows, phase=phase))


@pytest.mark.parametrize("phase, dead", [(1, False), (2, True), (3, True)])
def test_discriminators_with_one_logit_for_all_are_blind(phase, dead):
    assert bool(verdicts([BLIND] * 10, phase=phase)[-1]) == dead
    assert not any(verdicts(([BLIND] * 9 + [HEALTHY]) * 3, phase=phase))


@pytest.mark.parametrize("stretch", [20, 333, 1000])
def test_the_verdict_does_not_hang_on_how_often_the_log_is_written(stretch):
    assert any(verdicts(rising(WON, 60), stretch))
    assert any(verdicts([BLIND] * 60, stretch))


def freeze(trainer):
    """Discriminators whose last layer sees nothing."""
    torch.nn.init.zeros_(trainer.bare_discriminator.concatenation.weight)


STILL = {"discriminator_learning_rate": 0.0}


@pytest.mark.parametrize("counts", [(0, 8, 0), (0, 0, 8)], ids=["phase 2", "phase 3"])
def test_a_run_with_blind_discriminators_stops_with_advice(start, monkeypatch, counts):
    monkeypatch.setattr(health, "WATCHED_ITERATIONS", 5)
    trainer = start(phases(*counts, **STILL), checkpoint_minutes=0)
    freeze(trainer)
    with pytest.raises(TrainingError, match="iteration 5: the discriminators are blind.*--keep-going"):
        trainer.train()
    assert trainer.run.rows("log.csv")[-1]["iteration"] == "5"
    assert trainer.run.latest_checkpoint().name == "00000004"


def test_a_run_with_discriminators_that_have_won_stops_with_advice(start, monkeypatch):
    monkeypatch.setattr(health, "WATCHED_ITERATIONS", 5)
    trainer = start(phases(1, 1, 8))
    certain_of_everything(trainer, monkeypatch)
    with pytest.raises(TrainingError, match="iteration 7: the discriminators have won.*--keep-going"):
        trainer.train()


def certain_of_everything(trainer, monkeypatch):
    calls = []

    def discriminate(discriminator, batch, completed):
        calls.append(completed)
        weights = sum(p.sum() for p in discriminator.parameters())  # a graph to go back through
        logits = 0 * (weights + completed.sum()) + torch.ones(len(completed))
        return 20.0 * logits, (-20.0 - len(calls)) * logits

    monkeypatch.setattr(trainer.step, "_discriminate", discriminate)


def test_a_dead_run_goes_on_where_that_is_asked_for(start, monkeypatch):
    monkeypatch.setattr(health, "WATCHED_ITERATIONS", 5)
    trainer = start(phases(0, 0, 8, **STILL), keep_going=True)
    freeze(trainer)
    assert trainer.train()


def test_a_resumed_run_remembers_what_the_watch_has_seen(start, monkeypatch):
    monkeypatch.setattr(health, "WATCHED_ITERATIONS", 5)
    trainer = start(phases(0, 8, 0, **STILL))
    freeze(trainer)
    trainer.train(on_log=lambda trainer, row: row["iteration"] == 3)
    with pytest.raises(TrainingError, match="iteration 5: .*blind"):
        start(None, resume=True).train()


@pytest.mark.parametrize("log_every, told_at", [(1, 2), (3, 3), (100, 6)])
def test_a_loss_that_is_no_number_is_named_with_its_iteration_before_anything_is_saved(
    start, monkeypatch, log_every, told_at
):
    trainer = start(phases(6, 0, 0), log_every=log_every, validate_every=100, checkpoint_minutes=0)

    def explode(*given):
        return hole_errors(*given) * (float("inf") if trainer.progress.iteration == 1 else 1)

    monkeypatch.setattr("glcic_lite.training.step.hole_errors", explode)
    with pytest.raises(TrainingError, match="iteration 2: the reconstruction loss is no longer a number"):
        trainer.train()
    assert trainer.progress.iteration == told_at
    latest = trainer.run.latest_checkpoint()
    assert latest is None or int(latest.name) < 2
    assert not (trainer.run.path / "network").exists()


def test_what_a_checkpoint_must_hold_of_each_phase_is_enough_for_a_verdict():
    for phase, names in WATCHED_LOSSES.items():
        watch = Watch()
        watch.stretches = [(phase, WATCHED_ITERATIONS, dict.fromkeys(names, 0.0)) for _ in range(2)]
        watch.verdict(phase, [dict.fromkeys(names, 0.0)] * 2)
