"""Training: the right losses on the right pictures, and the three phases."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from glcic_lite.evaluation.metrics import PSNR_LIMIT
from glcic_lite.method.losses import (
    discriminator_loss,
    gan_loss,
    grey_gradient,
    hole_errors,
    logarithmic_loss,
    mesh_errors,
    mesh_kernels,
    reconstruction_loss,
)
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.training import LESSON, LITE, PAPER, Settings
from glcic_lite.training.blended_loss import blended
from glcic_lite.training.run_folder import RunFolder
from glcic_lite.training.samples import TrainingSamples, cut_patches
from glcic_lite.training.step import TrainingStep
from glcic_lite.training.validation import Validation
from inputs import narrow_network
from training_runs import SMOOTH, TINY, one_iteration, phases, same, starter, state_of


@pytest.fixture
def start(photos_folder, tmp_path, monkeypatch):
    return starter(photos_folder, tmp_path, monkeypatch)


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


def test_the_logarithmic_loss_is_the_mean_of_logarithms_and_takes_small_errors_as_seriously_as_large_ones():
    photo, mask = torch.zeros(2, 3, 8, 8), torch.ones(2, 1, 8, 8)
    output = torch.full((2, 3, 8, 8), 0.5)
    output[1] = 0.01
    output.requires_grad_()
    loss = logarithmic_loss(hole_errors(output, photo, mask), 1e-3)
    assert loss.item() == pytest.approx((np.log(0.25 + 1e-3) + np.log(1e-4 + 1e-3)) / 2, rel=1e-5)
    loss.backward()
    # The derivative of log(d ** 2 + floor) is 2 d / (d ** 2 + floor), shared by all numbers of both photos.
    expected = [2 * d / (d**2 + 1e-3) / output.numel() for d in (0.5, 0.01)]
    assert output.grad[:, 0, 0, 0].tolist() == pytest.approx(expected, rel=1e-4)


def test_an_error_floor_changes_what_phase_1_descends_and_not_what_it_logs(start):
    """The weights move along the logarithmic loss; the log has the squared error, to be compared with other runs."""
    plain, floored = start(phases(1, 0, 0)), start(phases(1, 0, 0, error_floor=0.01), "floored")
    batch = next(floored.batches())
    floored.step.normalise_by_batch()
    output = floored.bare_network(batch["photo"], batch["mask"])
    weights = [p for p in floored.bare_network.parameters() if p.requires_grad]
    loss = logarithmic_loss(hole_errors(output, batch["photo"], batch["mask"]), 0.01)
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights)])
    seen = {}
    for trainer in (plain, floored):
        trainer.step.normalise_by_batch()
        seen[trainer] = trainer.iterate(iter([batch]), measure=True)
    assert seen[floored]["network_gradient"].item() == pytest.approx(expected.norm().item(), rel=1e-3)
    assert seen[floored]["reconstruction"].item() == pytest.approx(seen[plain]["reconstruction"].item(), rel=1e-5)
    assert seen[plain]["network_gradient"].item() != pytest.approx(expected.norm().item(), rel=0.1)


@pytest.mark.parametrize("weight", [0.0, 1.0, 4.0])
def test_the_weight_of_colour_leaves_errors_in_grey_as_they_are(weight):
    random = torch.Generator().manual_seed(0)
    photo = torch.rand(2, 3, 8, 8, generator=random)
    mask = torch.zeros(2, 1, 8, 8)
    mask[..., 2:6, 3:7] = 1
    grey = torch.rand(2, 1, 8, 8, generator=random).expand(-1, 3, -1, -1)
    colour = torch.rand(2, 3, 8, 8, generator=random)
    colour = colour - colour.mean(dim=1, keepdim=True)
    errors = [hole_errors(photo + error, photo, mask, weight) for error in (grey, colour, grey + colour)]
    torch.testing.assert_close(errors[0], hole_errors(photo + grey, photo, mask))
    torch.testing.assert_close(errors[1], weight * hole_errors(photo + colour, photo, mask))
    torch.testing.assert_close(errors[2], errors[0] + errors[1])


@pytest.mark.parametrize("down, across", [(0, 1), (1, 0), (1, 1)])
def test_what_alternates_from_pixel_to_pixel_is_a_mesh(down, across):
    """Columns, rows and a chessboard count with nearly all of their squared error, each photo for itself."""
    y, x = torch.arange(64)[:, None], torch.arange(64)
    pattern = (1 - 2 * ((down * y + across * x) % 2)).float().expand(2, 3, 64, 64)
    photo, mask = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)), torch.ones(2, 1, 64, 64)
    amplitude = torch.tensor([0.1, 0.3]).view(2, 1, 1, 1)
    ratio = mesh_errors(photo + amplitude * pattern, photo, mask) / amplitude.flatten() ** 2
    assert ((ratio > 0.85) & (ratio < 1.0)).all(), ratio


def test_slopes_bends_and_coarser_patterns_are_no_mesh():
    y, x = torch.arange(64)[:, None] / 64, torch.arange(64) / 64
    errors = torch.stack([x + 0 * y, 3 * y**2 - 2 * x * y, (16 * torch.pi * x).sin() + 0 * y, 0.7 + 0 * x * y])
    errors = errors[:, None].expand(-1, 3, -1, -1)
    photo, mask = torch.zeros_like(errors), torch.ones(4, 1, 64, 64)
    share = mesh_errors(errors, photo, mask) / hole_errors(errors, photo, mask)
    assert (share < 0.01).all(), share


def test_errors_outside_the_hole_make_no_mesh():
    photo, mask = torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    chessboard = (1 - 2 * ((torch.arange(32)[:, None] + torch.arange(32)) % 2)).float().expand(1, 3, -1, -1)
    assert mesh_errors(chessboard * (1 - mask), photo, mask).item() == 0
    assert mesh_errors(chessboard * mask, photo, mask).item() > 0.5


def test_a_mesh_that_was_measured_first_can_still_be_trained_away():
    mesh_kernels.cache_clear()
    photo, mask = torch.zeros(1, 3, 32, 32), torch.ones(1, 1, 32, 32)
    painting = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        measured = mesh_errors(painting, photo, mask)
    painting.requires_grad_()
    errors = mesh_errors(painting, photo, mask)
    errors.sum().backward()
    assert errors.item() == measured.item() and painting.grad.norm() > 0


@pytest.mark.parametrize("phase", [1, 3])
@pytest.mark.parametrize("share, floor", [(0, 0), (0.5, 0.01)])
def test_colour_and_mesh_count_in_what_the_network_descends_and_not_in_the_log(start, phase, share, floor):
    trainer = start(
        phases(
            int(phase == 1), 0, int(phase == 3), alpha=0,
            through_blending=True, bare_share=share, colour_weight=3.0, mesh_weight=5.0, error_floor=floor,
        )
    )  # fmt: skip
    batch = next(trainer.batches())
    trainer.step.normalise_by_batch()
    photo, mask = batch["photo"], batch["mask"]
    output = trainer.bare_network(photo, mask)
    painting = blended(output, photo, mask)
    errors = hole_errors(painting, photo, mask, 3.0) + share * hole_errors(output, photo, mask, 3.0)
    errors = errors + 5.0 * mesh_errors(painting, photo, mask)
    loss = logarithmic_loss(errors, floor) if floor else errors.mean()
    weights = [p for p in trainer.bare_network.parameters() if p.requires_grad]
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights)]).norm()
    plain = reconstruction_loss(painting, photo, mask).item()
    values = trainer.iterate(iter([batch]), measure=True)
    assert values["reconstruction"].item() == pytest.approx(plain, rel=1e-4)
    assert values["network_gradient"].item() == pytest.approx(expected.item(), rel=1e-3)


@pytest.mark.parametrize("phase", [1, 3])
def test_the_bare_painting_may_count_beside_the_blended_one(start, phase):
    """What is logged stays the blended painting's error, to be compared with other runs."""
    settings = phases(int(phase == 1), 0, int(phase == 3), through_blending=True, bare_share=0.5, alpha=0)
    trainer = start(settings)
    batch = next(trainer.batches())
    trainer.step.normalise_by_batch()
    photo, mask = batch["photo"], batch["mask"]
    output = trainer.bare_network(photo, mask)
    seen = reconstruction_loss(blended(output, photo, mask), photo, mask)
    loss = seen + 0.5 * reconstruction_loss(output, photo, mask)
    weights = [p for p in trainer.bare_network.parameters() if p.requires_grad]
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights)]).norm()
    values = trainer.iterate(iter([batch]), measure=True)
    assert values["reconstruction"].item() == pytest.approx(seen.item(), rel=1e-4)
    assert values["network_gradient"].item() == pytest.approx(expected.item(), rel=1e-3)


def test_runs_that_knew_fewer_settings_are_as_they_were():
    older = LITE.to_dict()
    for name in ("bare_share", "colour_weight", "error_floor", "gan_in_grey", "global_size", "mesh_weight"):
        del older[name]
    older = Settings.from_dict(older)
    assert older.error_floor == PAPER.error_floor == older.bare_share == PAPER.bare_share == 0
    assert older.gan_in_grey is PAPER.gan_in_grey is False
    assert older.colour_weight == PAPER.colour_weight == 1 and older.mesh_weight == PAPER.mesh_weight == 0
    assert older.global_size is PAPER.global_size is None and older.judged_size == older.crop_size


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


@pytest.mark.parametrize(
    "changes, words",
    [({"width": 0}, "width"), ({"discriminator_width": -1}, "width"), ({"phase_2": -1}, "phase_2"),
     ({"stroke_width": (24, 6)}, "stroke_width"), ({"short_edge": (63, 80)}, "short edge"),
     ({"short_edge": (80, 70)}, "short edge"), ({"network_momentum": 1.0}, "momentum"),
     ({"network_momentum": -0.1}, "momentum"), ({"averaging": 2}, "averaging must be below 1"),
     ({"seed": -1}, "seed"), ({"seed": 2**32}, "seed"), ({"seed": True}, "seed"),
     ({"learning_rate": -1}, "learning_rate"), ({"width": "wide"}, "width must be a number"),
     ({"alpha": float("nan")}, "alpha"), ({"width": float("inf")}, "width"),
     ({"phase_1": 2.5}, "phase_1 must be a whole number"), ({"dilated": 1}, "dilated must be true or false"),
     ({"stroke_share": 1.5}, "stroke_share is a share"), ({"short_edge": 80}, "short_edge must be two whole numbers"),
     ({"short_edge": [80, 90, 100]}, "two whole numbers"), ({"optimizer": None}, "optimizer must be text"),
     ({"bare_share": 0.1}, "bare_share needs through_blending"),
     ({"global_size": 128}, "global_size 128 does not fit"), ({"global_size": 2.0}, "whole number, 0 or more, or null"),
     ({"global_size": 32}, "global_size must be 64"), ({"crop_size": 128, "short_edge": (128, 130), "global_size": 96},
     "multiples of 64"), ({"crop_size": 128, "short_edge": (128, 130), "global_size": 64, "local_size": 96},
     "does not fit into the 64 pixels")],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(TINY, **changes)


def test_iterations_belong_to_their_phases():
    assert [phases(2, 1, 2).phase(i) for i in range(5)] == [1, 1, 2, 3, 3]


def test_the_learning_rate_falls_at_the_end_of_phase_1_and_rests_in_phase_2():
    s = phases(10, 2, 2, learning_rate=1.0, learning_rate_end=0.2, learning_rate_decay=0.4, joint_learning_rate=0.5)
    rates = [s.network_learning_rate(i) for i in range(14)]
    assert rates == pytest.approx([1] * 7 + [0.8, 0.6, 0.4, 0, 0, 0.5, 0.5])


def test_the_learning_rate_of_phase_3_falls_likewise():
    s = phases(
        2, 1, 10, learning_rate=1.0, learning_rate_decay=0.4, joint_learning_rate=2.0, joint_learning_rate_end=0.2
    )
    rates = [s.network_learning_rate(i) for i in range(13)]
    assert rates == pytest.approx([1, 1, 0] + [2] * 7 + [1.6, 1.2, 0.8])


def test_the_networks_momentum_tells_from_the_second_step_on(start):
    """Adam's first step has nothing to remember."""
    fast, slow = (start(phases(2, 0, 0, network_momentum=x), str(x)) for x in (0.5, 0.9))
    for alike in (True, False):
        for trainer in (fast, slow):
            one_iteration(trainer)
        pairs = list(zip(fast.bare_network.parameters(), slow.bare_network.parameters(), strict=True))
        assert all(torch.allclose(a, b, atol=1e-7) for a, b in pairs) == alike


@pytest.mark.parametrize("together", [True, False])
def test_real_photos_are_judged_in_the_company_of_completed_ones_or_among_themselves(start, together):
    trainer = start(phases(0, 1, 0, SMOOTH, judged_together=together))
    batch = next(trainer.batches())
    trainer.step.normalise_by_batch()
    judge = trainer.step._discriminate
    beside_grey, grey = judge(trainer.bare_discriminator, batch, torch.full_like(batch["photo"], 0.5))
    beside_noise, noise = judge(trainer.bare_discriminator, batch, torch.rand_like(batch["photo"]))
    assert beside_grey.shape == grey.shape == (len(batch["photo"]),)
    assert torch.allclose(beside_grey, beside_noise) != together
    assert not torch.allclose(grey, noise)


def test_kept_statistics_are_kept_and_every_photo_is_completed_as_if_alone(start, tmp_path):
    narrow_network(seed=5).save_pretrained(tmp_path / "weights")
    for kept in (True, False):
        settings = phases(2, 1, 2, SMOOTH, kept_statistics=kept)
        trainer = start(settings, f"kept {kept}", start_from=tmp_path / "weights", validate_every=1)
        before = {k: v.clone() for k, v in trainer.bare_network.state_dict().items() if "running" in k}
        weights = {k: v.clone() for k, v in trainer.bare_network.named_parameters()}
        batch = next(trainer.batches())
        trainer.step.normalise_by_batch()
        together = trainer.bare_network(batch["photo"], batch["mask"])[:1]
        alone = trainer.bare_network(batch["photo"][:1], batch["mask"][:1])
        assert torch.allclose(together, alone, atol=1e-5) == kept
        if not kept:
            continue
        trainer.train()  # with a validation after each step, which must not switch back
        after = trainer.bare_network.state_dict()
        assert all(torch.equal(value, after[name]) for name, value in before.items())
        assert any(not torch.equal(value, weights[k]) for k, value in trainer.bare_network.named_parameters())


# Samples


def test_every_sample_has_a_hole_of_its_own(photos_folder):
    samples = TrainingSamples(photos_folder / "train", TINY)
    assert len({samples[i]["mask"].numpy().tobytes() for i in range(8)}) == 8


def photo_of(photos_folder, index=0, **changes):
    """A sample's photo under settings that differ from the plain ones in what is named."""
    return TrainingSamples(photos_folder / "train", dataclasses.replace(TINY, **changes))[index]["photo"]


def test_shuffled_colours_are_the_photos_own_in_another_order(photos_folder):
    plain = [photo_of(photos_folder, i) for i in range(8)]
    shuffled = [photo_of(photos_folder, i, shuffled_colours=1.0) for i in range(8)]
    orders = []
    for before, after in zip(plain, shuffled, strict=True):
        orders.append([next(j for j in range(3) if torch.equal(channel, before[j])) for channel in after])
    assert all(sorted(order) == [0, 1, 2] for order in orders) and len(set(map(tuple, orders))) > 2


def test_a_lower_contrast_draws_the_whole_photo_towards_one_colour_of_any_brightness(photos_folder):
    factors, brightness = [], []
    for i in range(60):
        plain, faint = photo_of(photos_folder, i), photo_of(photos_folder, i, lowered_contrast=1.0)
        before, after = (photo - photo.mean((1, 2), keepdim=True) for photo in (plain, faint))
        factor = (after.norm() / before.norm()).item()
        assert torch.allclose(after, factor * before, atol=1e-5)
        assert faint.min() >= 0 and faint.max() <= 1 and faint.dtype == torch.float32
        factors.append(factor)
        if factor < 0.5:
            colour = (faint.mean((1, 2)) - factor * plain.mean((1, 2))) / (1 - factor)
            assert colour.max() - colour.min() < 0.7
            brightness.append(colour.mean().item())
    assert 0.05 <= min(factors) < 0.2 < 0.7 < max(factors) <= 1
    assert min(brightness) < 0.1 and max(brightness) > 0.9 and any(0.3 < value < 0.7 for value in brightness)


def test_only_the_share_asked_for_is_changed(photos_folder):
    same_photo = [
        torch.equal(photo_of(photos_folder, i), photo_of(photos_folder, i, lowered_contrast=0.5)) for i in range(40)
    ]
    assert 8 < sum(same_photo) < 32


def test_faint_crops_are_kept_where_the_settings_say_so(tmp_path):
    for side in range(3):  # even but for a faint step
        photo = np.full((80, 80, 3), 100 + side, np.uint8)
        photo[:, 40:] += 8
        Image.fromarray(photo).save(tmp_path / f"{side}.png")
    for least, spread in ((2.0, 2.0), (0.0, 0.0)):
        samples = TrainingSamples(tmp_path, dataclasses.replace(TINY, least_contrast=least))
        found = [255 * samples[i]["photo"].mean(dim=0).std().item() for i in range(10)]
        assert min(found) >= spread and max(found) < 8


def test_no_hole_is_empty_and_boxes_and_strokes_both_occur(photos_folder):
    samples = TrainingSamples(photos_folder / "train", TINY)
    areas = [int(samples[i]["mask"].sum()) for i in range(30)]
    assert min(areas) > 0
    boxes = sum(area == 16 * 16 for area in areas)
    assert 10 <= boxes <= 25


def test_several_boxes_in_phase_1_and_one_that_the_patch_covers_later(photos_folder):
    settings = dataclasses.replace(TINY, stroke_share=0, holes=3, phase_1=20, phase_2=1, phase_3=19, batch_size=1)
    areas = [int(TrainingSamples(photos_folder / "train", settings)[i]["mask"].sum()) for i in range(40)]
    assert max(areas[:20]) > 16 * 16
    assert set(areas[20:]) == {16 * 16}


def test_the_fake_patch_covers_the_hole_and_the_real_one_lies_anywhere(photos_folder):
    samples = TrainingSamples(photos_folder / "train", dataclasses.replace(TINY, stroke_share=0))
    drawn = [samples[i] for i in range(40)]
    for sample in drawn:
        top, left = sample["fake_patch"].tolist()
        assert sample["mask"][:, top : top + 32, left : left + 32].sum() == 16 * 16
    corners = torch.stack([sample["real_patch"] for sample in drawn])
    assert corners.min() >= 0 and corners.max() <= 32
    assert len(corners.unique(dim=0)) > 30


WIDE = dict(crop_size=128, short_edge=(128, 140), hole_sides=(16, 40))


def test_what_the_global_discriminator_sees_lies_about_the_hole_and_changes_nothing_else(photos_folder):
    settings = dataclasses.replace(TINY, stroke_share=0, **WIDE)
    whole = TrainingSamples(photos_folder / "train", settings)
    part = TrainingSamples(photos_folder / "train", dataclasses.replace(settings, global_size=64))
    for i in range(30):
        sample = part[i]
        top, left = sample.pop("judged").tolist()
        assert 0 <= top <= 64 and 0 <= left <= 64
        assert sample["mask"][:, top : top + 64, left : left + 64].sum() == sample["mask"].sum()
        assert same(sample, whole[i])


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
    assert set(losses) == {"discriminator", "real_accuracy", "fake_accuracy", "logit_spread"}
    assert all(torch.equal(a, b) for a, b in zip(weights, trainer.bare_network.parameters(), strict=True))
    assert same(average, trainer.average.state_dict())
    assert not same(discriminator, trainer.bare_discriminator.state_dict())


def test_phase_3_trains_both(start):
    trainer = start(phases(0, 0, 1))
    network, discriminator = state_of(trainer.bare_network, trainer.bare_discriminator)
    losses = one_iteration(trainer)
    assert set(losses) == {"reconstruction", "gan", "discriminator", "real_accuracy", "fake_accuracy", "logit_spread"}
    assert not same(network, trainer.bare_network.state_dict())
    assert not same(discriminator, trainer.bare_discriminator.state_dict())


@pytest.mark.parametrize("phase", [1, 2, 3])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_no_gradient_is_left_anywhere_after_an_iteration(start, phase, accumulation):
    trainer = start(phases(*[int(phase == p) for p in (1, 2, 3)], accumulation=accumulation))
    parameters = [*trainer.bare_network.parameters(), *trainer.bare_discriminator.parameters()]
    trained = [p.requires_grad for p in parameters]
    one_iteration(trainer)
    assert all(p.grad is None for p in parameters)
    assert [p.requires_grad for p in parameters] == trained


def test_the_networks_step_in_phase_3_leaves_the_discriminators_weights_alone(start):
    """With a learning rate of zero for the discriminators, nothing else may change them."""
    trainer = start(phases(0, 0, 1, discriminator_learning_rate=0.0))
    before = [p.clone() for p in trainer.bare_discriminator.parameters()]
    one_iteration(trainer)
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.bare_discriminator.parameters(), strict=True))


@pytest.mark.parametrize("floor", [0.0, 0.01])
def test_alpha_weighs_the_gan_loss(start, tmp_path, floor):
    """With alpha at zero phase 3 trains the network on the squared error alone, or its logarithm; else it does not."""
    results = {}
    for alpha in (0.0, 10.0):
        trainer = start(phases(0, 0, 1, alpha=alpha, error_floor=floor), name=f"alpha-{alpha}")
        one_iteration(trainer)
        results[alpha] = state_of(trainer.bare_network)[0]
    alone = start(phases(1, 0, 0, learning_rate_decay=0.0, error_floor=floor), name="alone")
    one_iteration(alone)
    assert same(results[0.0], alone.bare_network.state_dict())
    assert not same(results[10.0], results[0.0])


def test_a_grey_gradient_leaves_the_pictures_and_flows_back_as_the_mean_over_the_colours():
    pictures = torch.rand(2, 3, 4, 4, requires_grad=True)
    weights = torch.rand(2, 3, 4, 4)
    shown = grey_gradient(pictures)
    assert torch.equal(shown, pictures)
    (shown * weights).sum().backward()
    assert torch.allclose(pictures.grad, weights.mean(1, keepdim=True).expand_as(weights))


@pytest.mark.parametrize("through_blending", [False, True])
@pytest.mark.parametrize("in_grey", [False, True])
def test_the_gan_loss_may_be_kept_from_changing_colours(start, in_grey, through_blending):
    trainer = start(phases(0, 0, 1, alpha=1e5, gan_in_grey=in_grey, through_blending=through_blending))
    arrived, seen = [], []

    def listen(module, given, output):
        output.register_hook(arrived.append)

    trainer.bare_network.register_forward_hook(listen)
    trainer.bare_discriminator.register_forward_pre_hook(lambda module, pictures: seen.append(pictures[0]))
    one_iteration(trainer)
    (gradient,) = arrived
    tint = (gradient - gradient.mean(1, keepdim=True)).norm() / gradient.norm()
    assert tint < 0.01 if in_grey else tint > 0.1
    assert torch.equal(*seen)  # both halves of the step show the discriminators the same colours


def test_a_channel_beyond_white_gets_the_others_share_of_the_grey_gradient(start):
    """Where red is cut off at white it has no gradient of its own; taken without it, the mean would change colours."""
    trainer = start(phases(0, 0, 1, alpha=1e5, gan_in_grey=True, through_blending=True))
    batch, arrived = next(trainer.batches()), []

    def redden(module, given, output):
        output = output + 2 * torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1) * batch["mask"]  # the rim stays as it is
        output.register_hook(arrived.append)
        return output

    trainer.bare_network.register_forward_hook(redden)
    trainer.step.iterate(iter([batch]), 0)
    (gradient,) = arrived
    tint = (gradient - gradient.mean(1, keepdim=True)).norm() / gradient.norm()
    assert gradient.norm() > 0 and tint < 0.01


@pytest.mark.parametrize("phase", [2, 3])
def test_discriminators_see_photos_and_completed_photos_never_the_bare_output(start, phase):
    trainer = start(phases(0, int(phase == 2), int(phase == 3)))
    seen = []
    trainer.bare_discriminator.register_forward_pre_hook(lambda module, pictures: seen.append(pictures))
    batch = next(trainer.batches())
    one_iteration(trainer)
    known = (batch["mask"] == 0).expand_as(batch["photo"])
    assert len(seen) == (1 if phase == 2 else 2)  # in phase 3 once more, for the network's own loss
    for photos, patches in seen:
        (photo, completed), (photo_patch, completed_patch) = photos.chunk(2), patches.chunk(2)
        assert torch.equal(photo, batch["photo"])
        assert torch.equal(photo_patch, cut_patches(photo, batch["real_patch"], 32))
        assert torch.equal(completed[known], photo[known])
        assert (completed != photo)[~known].float().mean() > 0.9
        assert torch.equal(completed_patch, cut_patches(completed, batch["fake_patch"], 32))
    assert seen[0][0].grad_fn is None, "the discriminators' step reaches into the network"
    if phase == 3:
        assert seen[1][0].grad_fn is not None


def test_the_network_may_see_more_of_a_photo_than_its_discriminators(start):
    trainer = start(phases(0, 0, 1, global_size=64, **WIDE))
    painted, judged = [], []
    trainer.bare_network.register_forward_pre_hook(lambda module, pictures: painted.append(pictures[0]))
    trainer.bare_discriminator.register_forward_pre_hook(lambda module, pictures: judged.append(pictures))
    batch = next(trainer.batches())
    one_iteration(trainer)
    assert torch.equal(painted[0], batch["photo"]) and painted[0].shape[2:] == (128, 128)
    assert len(judged) == 2
    for photos, patches in judged:
        assert torch.equal(photos.chunk(2)[0], cut_patches(batch["photo"], batch["judged"], 64))
        assert torch.equal(patches.chunk(2)[0], cut_patches(batch["photo"], batch["real_patch"], 32))


@pytest.mark.parametrize("discriminators", [{"use_local": False}, {"use_global": False}])
@pytest.mark.parametrize("variant", [{}, {"dilated": False, "mask_channel": False}])
def test_ablated_networks_train_too(start, discriminators, variant):
    trainer = start(phases(1, 1, 1, **discriminators, **variant))
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


def test_the_biases_that_are_not_trained_are_those_without_a_say(start):
    """Batch normalisation takes away what they add: no gradient but rounding, and the same output without them."""
    trainer = start(phases(1, 0, 0))
    network, batch = trainer.bare_network.train(), next(trainer.batches())
    idle = [p for p in network.parameters() if not p.requires_grad]
    assert len(idle) == 16, "all layers but the output layer"
    loss = reconstruction_loss(network(batch["photo"], batch["mask"]), batch["photo"], batch["mask"])
    for bias in idle:
        bias.requires_grad_(True)
    gradients = torch.autograd.grad(
        reconstruction_loss(network(batch["photo"], batch["mask"]), batch["photo"], batch["mask"]),
        [*idle, network.layers[-1].convolution.bias],
    )
    assert max(g.abs().max() for g in gradients[:-1]) < 1e-4 * gradients[-1].abs().max()
    with torch.no_grad():
        for bias in idle:
            bias.normal_()
        moved = reconstruction_loss(network(batch["photo"], batch["mask"]), batch["photo"], batch["mask"])
    assert moved.item() == pytest.approx(loss.item(), rel=1e-4)


# Gradient accumulation


@pytest.fixture
def frozen_norm(monkeypatch):
    """Batch normalisation in evaluation mode: the one thing that ties the photos of a batch together is gone."""

    def evaluate(step):
        step.bare_network.eval()
        step.bare_discriminator.eval()

    monkeypatch.setattr(TrainingStep, "normalise_by_batch", evaluate)


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


def test_a_hole_met_exactly_counts_a_hundred_decibels(photos_folder):
    """Infinitely many would make every mean infinite, and no later weights the best."""

    class Knows(torch.nn.Module):
        def forward(self, photo, mask):
            return photo

    measured = Validation(photos_folder / "val", TINY).measure(Knows(), torch.device("cpu"))
    assert set(measured.values()) == {PSNR_LIMIT}
