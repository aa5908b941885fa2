"""Training: the right losses on the right pictures, the three phases, and runs that survive whatever stops them."""

import dataclasses
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import NARROW, narrow_network, noise
from PIL import Image
from safetensors.torch import load_file
from torch.utils.data import DataLoader

from glcic_lite.networks import CompletionNetwork
from glcic_lite.photos import PhotoError
from glcic_lite.pretrained import WeightsError
from glcic_lite.training import LESSON, LITE, PAPER, RunError, Settings, TrainingError
from glcic_lite.training import train as train_run
from glcic_lite.training.losses import discriminator_loss, gan_loss, reconstruction_loss
from glcic_lite.training.run_folder import RunFolder
from glcic_lite.training.samples import TrainingSamples, cut_patches
from glcic_lite.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("fresh_accelerator", "few_validation_crops")

TINY = Settings(
    width=NARROW,
    crop_size=64,
    local_size=32,
    short_edge=(64, 80),
    hole_sides=(16, 16),
    stroke_share=0.4,
    stroke_width=(4, 8),
    phase_1=3,
    phase_2=2,
    phase_3=3,
    batch_size=4,
    optimizer="adam",
    learning_rate=1e-3,
    joint_learning_rate=1e-3,
    discriminator_learning_rate=1e-3,
    averaging=0.9,
)
# Adadelta's step is smooth in the gradient; Adam's is nearly its sign, which turns rounding into whole steps.
SMOOTH = dataclasses.replace(
    TINY, optimizer="adadelta", learning_rate=1.0, joint_learning_rate=1.0, discriminator_learning_rate=1.0, averaging=0
)


@pytest.fixture
def few_validation_crops(monkeypatch):
    monkeypatch.setattr("glcic_lite.training.validation.CROPS", 8)


@pytest.fixture
def start(photos_folder, tmp_path):
    """Makes a trainer: start(settings, "name of its folder", **options)."""

    def start(settings=TINY, name="run", **options):
        options = {"precision": "no", "log_every": 1, "checkpoint_minutes": 1000} | options
        return Trainer(settings, photos_folder / "train", photos_folder / "val", tmp_path / name, **options)

    return start


def phases(phase_1, phase_2, phase_3, settings=TINY, **changes):
    return dataclasses.replace(settings, phase_1=phase_1, phase_2=phase_2, phase_3=phase_3, **changes)


def one_iteration(trainer):
    losses = trainer._iterate(trainer._batches())
    trainer.progress.iteration += 1
    return losses


def state_of(*modules):
    return [{name: value.clone() for name, value in module.state_dict().items()} for module in modules]


def same(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def flat_tensors(value):
    """All tensors and numbers in an optimizer's state, in order."""
    if isinstance(value, dict):
        return [x for key in sorted(value, key=str) for x in flat_tensors(value[key])]
    if isinstance(value, list | tuple):
        return [x for item in value for x in flat_tensors(item)]
    return [value]


def assert_same_run(first: Trainer, second: Trainer):
    """The two runs hold the same numbers, bit for bit, in memory and in their logs."""
    for name in ("bare_network", "bare_discriminator", "average"):
        assert same(getattr(first, name).state_dict(), getattr(second, name).state_dict()), name
    for name in ("optimizer", "discriminator_optimizer"):
        pairs = zip(
            flat_tensors(getattr(first, name).state_dict()),
            flat_tensors(getattr(second, name).state_dict()),
            strict=True,
        )
        assert all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs), name
    for name in ("log.csv", "validation.csv"):
        rows = [[{k: v for k, v in row.items() if k != "seconds"} for row in t.run.rows(name)] for t in (first, second)]
        assert rows[0] == rows[1], name
    assert first.progress.best_psnr == second.progress.best_psnr
    assert (first.run.path / "best/model.safetensors").read_bytes() == (
        second.run.path / "best/model.safetensors"
    ).read_bytes()


# Losses


def test_reconstruction_loss_is_the_mean_over_photos_of_the_mean_over_each_hole():
    photo, output = torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8)
    mask = torch.zeros(2, 1, 8, 8)
    mask[0, :, :2, :2] = 1  # four pixels, wrong by 0.5
    mask[1, :, 4:, :] = 1  # 32 pixels, half of them wrong by 1
    output[0, :, :2, :2] = 0.5
    output[1, :, 4:6, :] = 1
    output[:, :, 2:4, :] = 9  # outside the holes: does not count
    assert reconstruction_loss(output, photo, mask).item() == pytest.approx((0.25 + 0.5) / 2)


def test_discriminator_loss_is_small_when_real_is_called_real_and_completed_completed():
    yes, no = torch.full((3,), 5.0), torch.full((3,), -5.0)
    small = -2 * np.log(1 / (1 + np.exp(-5)))
    assert discriminator_loss(yes, no).item() == pytest.approx(small, rel=1e-4)
    assert discriminator_loss(no, yes).item() == pytest.approx(small + 10, rel=1e-4)


def test_gan_loss_is_small_when_completed_photos_pass_for_real_and_steep_when_they_do_not():
    assert gan_loss(torch.full((3,), 8.0)).item() < 1e-3
    logits = torch.full((3,), -8.0, requires_grad=True)
    gan_loss(logits).backward()
    assert logits.grad.sum().item() == pytest.approx(-1, abs=1e-3)


# Settings


@pytest.mark.parametrize("settings", [PAPER, LITE, LESSON, TINY])
def test_settings_survive_a_json_file(settings):
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_the_paper_settings_are_those_of_the_paper():
    assert (PAPER.width, PAPER.crop_size, PAPER.local_size, PAPER.short_edge) == (1, 256, 128, (256, 384))
    assert (PAPER.hole_sides, PAPER.batch_size, PAPER.alpha, PAPER.optimizer) == ((96, 128), 96, 0.0004, "adadelta")
    assert (PAPER.phase_1, PAPER.phase_2, PAPER.iterations) == (90_000, 10_000, 500_000)
    assert (PAPER.stroke_share, PAPER.averaging) == (0, 0)


@pytest.mark.parametrize(
    "values",
    [
        {"crop_size": 100},
        {"local_size": 40},
        {"local_size": 512},
        {"hole_sides": (0, 5)},
        {"hole_sides": (9, 5)},
        {"hole_sides": (9, 500)},
        {"batch_size": 6, "accumulation": 4},
        {"batch_size": 0},
        {"optimizer": "sgd"},
        {"unknown": 1},
    ],
)
def test_impossible_settings_are_refused(values):
    with pytest.raises(ValueError):
        Settings.from_dict(values)


def test_iterations_belong_to_their_phases():
    assert [phases(2, 1, 2).phase(i) for i in range(5)] == [1, 1, 2, 3, 3]


def test_the_learning_rate_falls_at_the_end_of_phase_1_and_rests_in_phase_2():
    s = phases(10, 2, 2, learning_rate=1.0, learning_rate_end=0.2, learning_rate_decay=0.4, joint_learning_rate=0.5)
    rates = [s.network_learning_rate(i) for i in range(14)]
    assert rates == pytest.approx([1] * 7 + [0.8, 0.6, 0.4, 0, 0, 0.5, 0.5])


# Samples


def test_every_sample_has_a_hole_of_its_own(photos_folder):
    samples = TrainingSamples(photos_folder / "train", TINY)
    assert len({samples[i]["mask"].numpy().tobytes() for i in range(8)}) == 8


def test_no_hole_is_empty_and_boxes_and_strokes_both_occur(photos_folder):
    samples = TrainingSamples(photos_folder / "train", TINY)
    areas = [int(samples[i]["mask"].sum()) for i in range(30)]
    assert min(areas) > 0
    boxes = sum(area == 16 * 16 for area in areas)
    assert 10 <= boxes <= 25


def test_the_fake_patch_covers_the_hole_and_the_real_one_lies_anywhere(photos_folder):
    samples = TrainingSamples(photos_folder / "train", dataclasses.replace(TINY, stroke_share=0))
    drawn = [samples[i] for i in range(40)]
    for sample in drawn:
        top, left = sample["fake_patch"].tolist()
        assert sample["mask"][:, top : top + 32, left : left + 32].sum() == 16 * 16
    corners = torch.stack([sample["real_patch"] for sample in drawn])
    assert corners.min() >= 0 and corners.max() <= 32
    assert len(corners.unique(dim=0)) > 30


def test_samples_are_the_same_with_and_without_workers(photos_folder):
    samples = TrainingSamples(photos_folder / "train", TINY)
    alone, shared = (list(DataLoader(samples, sampler=range(6), batch_size=3, num_workers=n)) for n in (0, 2))
    for first, second in zip(alone, shared, strict=True):
        assert same(first, second)


def test_patches_are_cut_at_top_and_left():
    photos = torch.arange(2 * 3 * 8 * 8).reshape(2, 3, 8, 8)
    patches = cut_patches(photos, torch.tensor([[1, 2], [4, 0]]), 4)
    assert torch.equal(patches[0], photos[0, :, 1:5, 2:6]) and torch.equal(patches[1], photos[1, :, 4:8, :4])


# The three phases


def test_phase_1_trains_the_network_and_leaves_the_discriminators_alone(start):
    trainer = start(phases(1, 0, 0))
    network, discriminator = state_of(trainer.bare_network, trainer.bare_discriminator)
    losses = one_iteration(trainer)
    assert set(losses) == {"reconstruction"}
    assert not same(network, trainer.bare_network.state_dict())
    assert same(discriminator, trainer.bare_discriminator.state_dict())


def test_phase_2_trains_the_discriminators_and_leaves_the_networks_weights_alone(start):
    trainer = start(phases(0, 1, 0))
    weights = [p.clone() for p in trainer.bare_network.parameters()]
    (average,), (discriminator,) = state_of(trainer.average), state_of(trainer.bare_discriminator)
    losses = one_iteration(trainer)
    assert set(losses) == {"discriminator", "real_accuracy", "fake_accuracy"}
    assert all(torch.equal(a, b) for a, b in zip(weights, trainer.bare_network.parameters(), strict=True))
    assert same(average, trainer.average.state_dict())
    assert not same(discriminator, trainer.bare_discriminator.state_dict())


def test_phase_3_trains_both(start):
    trainer = start(phases(0, 0, 1))
    network, discriminator = state_of(trainer.bare_network, trainer.bare_discriminator)
    losses = one_iteration(trainer)
    assert set(losses) == {"reconstruction", "gan", "discriminator", "real_accuracy", "fake_accuracy"}
    assert not same(network, trainer.bare_network.state_dict())
    assert not same(discriminator, trainer.bare_discriminator.state_dict())


@pytest.mark.parametrize("phase", [1, 2, 3])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_no_gradient_is_left_anywhere_after_an_iteration(start, phase, accumulation):
    trainer = start(phases(*[int(phase == p) for p in (1, 2, 3)], accumulation=accumulation))
    one_iteration(trainer)
    parameters = [*trainer.bare_network.parameters(), *trainer.bare_discriminator.parameters()]
    assert all(p.grad is None for p in parameters)
    assert all(p.requires_grad for p in parameters)


def test_the_networks_step_in_phase_3_leaves_the_discriminators_weights_alone(start):
    """With a learning rate of zero for the discriminators, nothing else may change them."""
    trainer = start(phases(0, 0, 1, discriminator_learning_rate=0.0))
    before = [p.clone() for p in trainer.bare_discriminator.parameters()]
    one_iteration(trainer)
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.bare_discriminator.parameters(), strict=True))


def test_alpha_weighs_the_gan_loss(start, tmp_path):
    """With alpha at zero phase 3 trains the network on the reconstruction loss alone; with a large one it does not."""
    results = {}
    for alpha in (0.0, 10.0):
        trainer = start(phases(0, 0, 1, alpha=alpha), name=f"alpha-{alpha}")
        one_iteration(trainer)
        results[alpha] = state_of(trainer.bare_network)[0]
    alone = start(phases(1, 0, 0, learning_rate_decay=0.0), name="alone")
    one_iteration(alone)
    assert same(results[0.0], alone.bare_network.state_dict())
    assert not same(results[10.0], results[0.0])


@pytest.mark.parametrize("phase", [2, 3])
def test_discriminators_see_photos_and_completed_photos_never_the_bare_output(start, phase):
    trainer = start(phases(0, int(phase == 2), int(phase == 3)))
    seen = []
    trainer.bare_discriminator.register_forward_pre_hook(lambda module, pictures: seen.append(pictures))
    batch = next(trainer._batches())
    one_iteration(trainer)
    known = (batch["mask"] == 0).expand_as(batch["photo"])
    (photo, patch), *completed = seen
    assert torch.equal(photo, batch["photo"])
    assert torch.equal(patch, cut_patches(photo, batch["real_patch"], 32))
    assert len(completed) == (1 if phase == 2 else 2)  # in phase 3 once more, for the network's own loss
    for photo, patch in completed:
        assert torch.equal(photo[known], batch["photo"][known])
        assert (photo != batch["photo"])[~known].float().mean() > 0.9
        assert torch.equal(patch, cut_patches(photo, batch["fake_patch"], 32))
    assert completed[0][0].grad_fn is None, "the discriminators' step reaches into the network"
    if phase == 3:
        assert completed[1][0].grad_fn is not None


@pytest.mark.parametrize("critics", [{"use_local": False}, {"use_global": False}])
@pytest.mark.parametrize("variant", [{}, {"dilated": False, "mask_channel": False}])
def test_ablated_networks_train_too(start, critics, variant):
    trainer = start(phases(1, 1, 1, **critics, **variant))
    trainer.train()
    assert trainer.progress.iteration == 3


def test_a_run_leaves_logs_pictures_and_weights(start, tmp_path):
    start(TINY, validate_every=4).train()
    run = RunFolder(tmp_path / "run")
    log = run.rows("log.csv")
    assert [(int(row["iteration"]), int(row["phase"])) for row in log] == list(
        zip(range(1, 9), [1, 1, 1, 2, 2, 3, 3, 3], strict=True)
    )
    assert [bool(row["reconstruction"]) for row in log] == [True] * 3 + [False] * 2 + [True] * 3
    assert [bool(row["discriminator"]) for row in log] == [False] * 3 + [True] * 5
    assert [row["iteration"] for row in run.rows("validation.csv")] == ["4", "8"]
    assert sorted(p.name for p in run.samples.iterdir()) == ["00000004.png", "00000008.png"]
    assert Image.open(run.samples / "00000004.png").size == (8 * 64, 5 * 64)
    for name in ("network", "best"):
        assert not CompletionNetwork.from_pretrained(run.path / name).training


def test_training_lowers_the_loss(start):
    trainer = start(phases(40, 0, 0, learning_rate=4e-3), log_every=10)
    trainer.train()
    losses = [float(row["reconstruction"]) for row in trainer.run.rows("log.csv")]
    assert losses[-1] < 0.7 * losses[0]


def test_validation_changes_no_numbers_of_the_training(start):
    often, never = start(name="often", validate_every=2), start(name="never")
    often.train()
    never.train()
    assert same(often.bare_network.state_dict(), never.bare_network.state_dict())


def test_the_average_over_weights_is_what_is_saved(start):
    trainer = start()
    trainer.train()
    saved = CompletionNetwork.from_pretrained(trainer.run.path / "network").state_dict()
    assert same(saved, trainer.average.module.state_dict())
    assert not same(saved, trainer.bare_network.state_dict())


# Gradient accumulation


@pytest.fixture
def frozen_norm(monkeypatch):
    """Batch normalisation in evaluation mode: the one thing that ties the photos of a batch together is gone."""

    def evaluate(trainer):
        trainer.bare_network.eval()
        trainer.bare_discriminator.eval()

    monkeypatch.setattr(Trainer, "_normalise_by_batch", evaluate)


@pytest.mark.parametrize("counts", [(2, 0, 0), (0, 2, 0), (0, 0, 2)], ids=["phase 1", "phase 2", "phase 3"])
def test_a_batch_in_parts_gives_the_same_update_as_the_whole_batch(start, frozen_norm, counts):
    # In phase 3 the network meets discriminators that have, or have not yet, made this iteration's step: they rest.
    rest = {"discriminator_learning_rate": 0.0} if counts[2] else {}
    whole = start(phases(*counts, SMOOTH, **rest), "whole")
    before = [p.clone() for p in [*whole.bare_network.parameters(), *whole.bare_discriminator.parameters()]]
    whole.train()
    parts = start(phases(*counts, SMOOTH, accumulation=2, **rest), "parts")
    parts.train()
    pairs = [
        (a, b)
        for name in ("bare_network", "bare_discriminator")
        for a, b in zip(getattr(whole, name).parameters(), getattr(parts, name).parameters(), strict=True)
    ]
    moved = max((a - b).abs().max().item() for (a, _), b in zip(pairs, before, strict=True))
    assert moved > 1e-4
    assert max((a - b).abs().max().item() for a, b in pairs) < 0.01 * moved


@pytest.mark.parametrize("accumulation", [1, 2, 4])  # batch normalisation needs two photos a part
def test_an_iteration_is_one_step_of_each_optimizer_in_however_many_parts(start, accumulation):
    trainer = start(phases(2, 1, 3, accumulation=accumulation, batch_size=2 * accumulation))
    trainer.train()
    steps = [
        {int(state["step"]) for state in optimizer.state_dict()["state"].values()}
        for optimizer in (trainer.optimizer, trainer.discriminator_optimizer)
    ]
    assert steps == [{2 + 3}, {1 + 3}]


# Stopping and going on


@pytest.mark.parametrize("stop", [1, 3, 4, 5, 6])
def test_a_resumed_run_has_the_numbers_of_one_never_interrupted(start, stop):
    """Stopped in every phase, and between them; with rows of the log that average over several iterations."""
    options = {"log_every": 2, "validate_every": 1}
    straight = start(name="straight", **options)
    straight.train()
    stopped = start(name="stopped", **options)
    stopped.train(on_validation=lambda trainer, row: row["iteration"] == stop)
    assert stopped.progress.iteration == stop
    resumed = start(None, name="stopped", resume=True, **options)
    assert resumed.progress.iteration == stop
    resumed.train()
    assert_same_run(straight, resumed)


def test_a_run_with_workers_has_the_numbers_of_one_without(start):
    alone, shared = start(name="alone"), start(name="shared", workers=2)
    alone.train()
    shared.train()
    assert_same_run(alone, shared)


def test_resuming_goes_back_to_the_last_checkpoint_and_forgets_the_rows_after_it(start):
    straight = start(name="straight", validate_every=2)
    straight.train()
    trainer = start(name="killed", validate_every=2)
    trainer.train(on_validation=lambda trainer, row: row["iteration"] == 4)
    for name in ("log.csv", "validation.csv"):  # what a run writes between its last checkpoint and its end
        row = trainer.run.rows(name)[-1]
        trainer.run.append(name, row | {"iteration": 5})
        with open(trainer.run.path / name, "a") as file:
            file.write("6,3,0.")
    resumed = start(None, name="killed", resume=True, validate_every=2)
    resumed.train()
    assert_same_run(straight, resumed)


def test_a_run_killed_before_its_first_checkpoint_begins_again(start):
    straight = start(name="straight")
    straight.train()
    start(name="killed").run.append("log.csv", {"iteration": 1, "phase": 1})
    resumed = start(None, name="killed", resume=True)
    assert resumed.progress.iteration == 0
    resumed.train()
    assert_same_run(straight, resumed)


SCRIPT = """
import sys
from glcic_lite.training import Settings, validation
from glcic_lite.training.trainer import Trainer
validation.CROPS = 8
photos, out, settings = sys.argv[1], sys.argv[2], Settings(**eval(sys.argv[3]))
trainer = Trainer(settings, photos + "/train", photos + "/val", out, precision="no", checkpoint_minutes=0,
                  log_every=1, validate_every=10)
sys.stdout.write(f"{trainer.accelerator.num_processes} processes\\n")
trainer.train()
"""


def script_call(tmp_path, photos_folder, out, settings):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    return [str(script), str(photos_folder), str(tmp_path / out), repr(settings.to_dict())]


def test_a_run_killed_at_any_moment_ends_with_the_numbers_of_one_never_interrupted(start, tmp_path, photos_folder):
    settings = phases(30, 10, 20)
    options = {"validate_every": 10}
    straight = start(settings, name="straight", **options)
    straight.train()
    call = [sys.executable, *script_call(tmp_path, photos_folder, "killed", settings)]
    checkpoints = tmp_path / "killed/checkpoints"
    with subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not (checkpoints.is_dir() and any(p.name.isdigit() for p in checkpoints.iterdir())):
            assert process.poll() is None and time.monotonic() < deadline, "the run did not get going"
            time.sleep(0.01)
        time.sleep(random.uniform(0, 1.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
    resumed = start(None, name="killed", resume=True, **options)
    print("killed; resumed from iteration", resumed.progress.iteration)
    resumed.train()
    assert_same_run(straight, resumed)


def test_a_resumed_run_keeps_its_precision(start, tmp_path, monkeypatch):
    """Which format is faster is timed; a busy moment must not change the numbers of a run."""
    monkeypatch.setattr("glcic_lite.training.trainer.bfloat16_is_faster", lambda device: False)
    start(precision="auto")
    monkeypatch.setattr("glcic_lite.training.trainer.bfloat16_is_faster", lambda device: True)
    assert start(None, resume=True, precision="auto").precision == "no"


def test_bfloat16_trains(start):
    trainer = start(precision="bf16")
    trainer.train()
    assert all(np.isfinite(float(row["psnr"])) for row in trainer.run.rows("validation.csv"))


def test_an_unknown_precision_is_refused_before_a_run_is_made(start, tmp_path):
    with pytest.raises(RunError, match="precision nonsense"):
        start(precision="nonsense")
    assert not (tmp_path / "run").exists()


def test_phases_may_be_made_longer_on_resuming(start):
    start(phases(1, 0, 0)).train()
    longer = start(phases(1, 1, 1), resume=True)
    longer.train()
    assert longer.progress.iteration == 3


def test_on_resuming_changed_settings_are_refused_by_name(start):
    start(phases(1, 0, 0)).train()
    with pytest.raises(RunError, match="batch_size, alpha|alpha, batch_size"):
        start(phases(1, 0, 0, batch_size=2, alpha=1.0), resume=True)


def test_there_must_be_a_run_to_resume(start):
    with pytest.raises(RunError, match="no run to resume"):
        start(None, resume=True)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"widht": 1}', '{"width": 1, "crop_size": "big"}'])
def test_damaged_settings_of_a_run_are_named(start, tmp_path, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/settings.json").write_text(content)
    with pytest.raises(RunError, match="settings.json cannot be read"):
        start(None, resume=True)


def test_a_folder_that_holds_a_run_is_refused_and_kept(start, tmp_path):
    start(phases(1, 0, 0)).train()
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    with pytest.raises(RunError, match="holds a run already; continue it with --resume"):
        start()
    assert {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()} == before


def test_a_new_run_needs_settings(start):
    with pytest.raises(RunError, match="settings"):
        start(None)


def test_a_file_in_the_way_of_the_run_folder_is_named(start, tmp_path):
    (tmp_path / "run").write_text("precious")
    with pytest.raises(RunError, match="cannot be written to"):
        start()
    assert (tmp_path / "run").read_text() == "precious"


@pytest.mark.parametrize("missing", ["train", "val"])
def test_a_missing_photo_folder_is_named_before_a_run_is_made(photos_folder, tmp_path, missing):
    folders = {name: photos_folder / name for name in ("train", "val")} | {missing: tmp_path / "lost"}
    with pytest.raises(PhotoError, match="lost"):
        Trainer(TINY, folders["train"], folders["val"], tmp_path / "run", precision="no")
    assert not (tmp_path / "run").exists()


# Weights to start from


def test_a_run_may_start_from_weights(start, tmp_path):
    weights = narrow_network(seed=5)
    weights.save_pretrained(tmp_path / "weights")
    trainer = start(start_from=tmp_path / "weights")
    assert same(trainer.bare_network.state_dict(), weights.state_dict())
    assert same(trainer.average.module.state_dict(), weights.state_dict())


def test_a_run_killed_before_its_first_checkpoint_remembers_the_weights_it_started_from(start, tmp_path):
    narrow_network(seed=5).save_pretrained(tmp_path / "weights")
    straight = start(name="straight", start_from=tmp_path / "weights")
    straight.train()
    start(name="killed", start_from=tmp_path / "weights")
    shutil.rmtree(tmp_path / "weights")
    resumed = start(None, name="killed", resume=True)
    resumed.train()
    assert_same_run(straight, resumed)


def test_weights_of_another_network_to_start_from_are_refused_before_a_run_is_made(start, tmp_path):
    narrow_network(width=1 / 8).save_pretrained(tmp_path / "weights")
    with pytest.raises(WeightsError, match="not of the network"):
        start(start_from=tmp_path / "weights")
    assert not (tmp_path / "run/settings.json").exists()


# What goes wrong


def test_a_loss_that_is_no_number_stops_the_run_with_advice_and_sound_checkpoints(start, monkeypatch):
    trainer = start(checkpoint_minutes=0)

    def explode(output, photo, mask):
        loss = reconstruction_loss(output, photo, mask)
        return loss * float("nan") if trainer.progress.iteration == 2 else loss

    monkeypatch.setattr("glcic_lite.training.trainer.reconstruction_loss", explode)
    with pytest.raises(
        TrainingError, match="iteration 3: the reconstruction loss is no longer a number.*learning rate"
    ):
        trainer.train()
    assert trainer.run.latest_checkpoint().name == "00000002"
    for file in trainer.run.latest_checkpoint().glob("*.safetensors"):
        assert all(value.isfinite().all() for value in load_file(file).values() if value.is_floating_point())


def checkpoint_bytes(trainer):
    folder = trainer.run.latest_checkpoint()
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def assert_last_checkpoint_survives(trainer, error="not written.*the one before is intact"):
    before = checkpoint_bytes(trainer)
    one_iteration(trainer)
    with pytest.raises(TrainingError, match=error):
        trainer.save_checkpoint()
    assert checkpoint_bytes(trainer) == before
    assert [p.name for p in trainer.run.checkpoints.iterdir()] == ["00000001"], "half a checkpoint was left"


@pytest.mark.parametrize(
    "step", ["accelerate.Accelerator.save_state", "os.fsync", "os.replace", "accelerate.accelerator.save_custom_state"]
)
def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one_intact(start, monkeypatch, step):
    trainer = start()
    one_iteration(trainer)
    trainer.save_checkpoint()

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(step, fail)
    assert_last_checkpoint_survives(trainer)


@pytest.mark.parametrize("room", [3_000, 100_000])
def test_a_disk_that_fills_up_for_real_leaves_the_last_checkpoint_intact(start, room):
    """Torch and safetensors report a failed write in their own ways; a limit on file sizes provokes it."""
    trainer = start()
    one_iteration(trainer)
    trainer.save_checkpoint()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        assert_last_checkpoint_survives(trainer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_only_the_two_newest_checkpoints_are_kept(start):
    trainer = start(checkpoint_minutes=0)
    trainer.train()
    assert sorted(p.name for p in trainer.run.checkpoints.iterdir()) == ["00000007", "00000008"]


@pytest.mark.filterwarnings("ignore:photo skipped")
def test_broken_photos_among_the_training_photos_do_not_stop_a_run(tmp_path, photos_folder):
    (tmp_path / "photos").mkdir()
    Image.fromarray(noise(80, 80)).save(tmp_path / "photos/good.png")
    (tmp_path / "photos/bad.png").write_bytes(b"no photo")
    weights = train_run(phases(1, 1, 1), tmp_path / "photos", photos_folder / "val", tmp_path / "run", precision="no")
    assert (weights / "model.safetensors").is_file()


def test_a_batch_that_processes_cannot_share_is_refused(start, monkeypatch):
    trainer = start(phases(1, 0, 0, batch_size=3))
    monkeypatch.setattr(type(trainer.accelerator), "num_processes", 2)
    with pytest.raises(RunError, match="3 cannot be shared by 2"):
        next(trainer._batches())


# Several processes


@pytest.fixture
def one_thread():
    """Sums in the same order as in a process with one thread: to the last bit, threads matter."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_two_processes_make_the_same_updates_as_one(start, tmp_path, photos_folder, one_thread):
    """Two processes with half a batch each equal one process that computes the batch in two parts.

    That is the true comparison: batch normalisation sees half a batch in both. The statistics it keeps for evaluation
    are each process's own, and the logged loss is the main process's, so the weights are compared; up to the end of
    phase 2, because in phase 3 the network meets discriminators that have, or have not yet, made their step.
    """
    settings = phases(1, 1, 1, SMOOTH)
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    launch += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    call = [*launch, *script_call(tmp_path, photos_folder, "two", settings)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(call, capture_output=True, text=True, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("2 processes") == 2
    assert RunFolder(tmp_path / "two").rows("log.csv")[-1]["iteration"] == "3"

    one = start(dataclasses.replace(settings, accumulation=2), name="one", checkpoint_minutes=0)
    one.train()
    compared = 0
    for file in ("model.safetensors", "model_1.safetensors"):
        here, there = (load_file(Path(tmp_path / run / "checkpoints/00000002" / file)) for run in ("one", "two"))
        assert here.keys() == there.keys()
        for name in here:
            if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
                assert torch.allclose(here[name], there[name], atol=2e-5, rtol=1e-3), name
                compared += 1
    assert compared > 60


@pytest.mark.cuda
def test_training_runs_on_cuda(start):
    trainer = start(precision="auto")
    trainer.train()
    assert trainer.device.type == "cuda"
    assert all(np.isfinite(float(row["psnr"])) for row in trainer.run.rows("validation.csv"))


def test_a_resumed_run_takes_no_other_weights_to_start_from(start, weights_folder):
    start()
    with pytest.raises(RunError, match="its own weights"):
        start(None, resume=True, start_from=weights_folder)
