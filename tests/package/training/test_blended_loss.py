"""The loss through the blending: that it is the painting which `complete` blends, and that its gradients are right."""

import contextlib
import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch.utils._python_dispatch import TorchDispatchMode

from glcic_lite.evaluation.ablations import FIRST_PHASE, LONG_JOINT
from glcic_lite.evaluation.metrics import hole_psnr
from glcic_lite.method.blending import poisson_blend
from glcic_lite.method.completion import complete
from glcic_lite.method.masks import free_form_strokes
from glcic_lite.method.photos import tensor_to_photo
from glcic_lite.training import LESSON, LITE, PAPER, RunError, Settings
from glcic_lite.training.blended_loss import blended, rim_pixels
from glcic_lite.training.run_folder import RunFolder
from glcic_lite.training.samples import DrawnSamples
from glcic_lite.training.validation import Validation
from inputs import narrow_network
from training_runs import TINY, assert_same_run, one_iteration, phases, starter

THROUGH = dataclasses.replace(TINY, through_blending=True)


@pytest.fixture
def start(photos_folder, tmp_path, monkeypatch):
    return starter(photos_folder, tmp_path, monkeypatch)


def inputs(masks, dtype=torch.float64, seed=0):
    """Noise as paintings and photos, and masks (N, H, W) as a batch."""
    random = torch.Generator().manual_seed(seed)
    shape = (len(masks), 3, *np.shape(masks)[1:])
    painting, photo = (torch.rand(shape, dtype=dtype, generator=random) for _ in range(2))
    return painting, photo, torch.from_numpy(np.array(masks))[:, None].to(dtype)


def blended_by_the_course(painting, photo, mask):
    """Each photo as `complete` blends it."""
    painting, photo = (x.permute(0, 2, 3, 1).double().numpy() for x in (painting, photo))
    results = [poisson_blend(a, b, m) for a, b, m in zip(photo, painting, mask[:, 0].numpy() > 0.5, strict=True)]
    return torch.from_numpy(np.stack(results)).permute(0, 3, 1, 2)


SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 14), st.integers(1, 14))


@settings(max_examples=60, deadline=None)
@given(SHAPES.flatmap(lambda shape: arrays.arrays(bool, shape)))
def test_any_hole_is_blended_as_complete_blends_it(masks):
    """Holes at the border, in several parts, of single pixels, around known islands, none, everything."""
    painting, photo, mask = inputs(masks)
    inside = mask.expand_as(photo) > 0.5
    result = blended(painting, photo, mask)
    assert torch.allclose(result[inside], blended_by_the_course(painting, photo, mask)[inside], atol=1e-9)
    assert torch.equal(result[~inside], painting[~inside])
    all_at_once = blended(painting, photo, mask, rim_pixels(mask))
    assert torch.allclose(all_at_once, result, atol=1e-9)


def test_holes_of_the_training_are_blended_to_a_ten_thousandth_of_the_range_in_single_precision():
    """Boxes at all four borders, in a corner, several of them, right through the photo, strokes; all in one batch."""
    masks = np.zeros((8, 128, 128), bool)
    masks[0, 30:94, 40:104] = True
    masks[1, :20, 50:90] = masks[1, 60:90, :30] = True
    masks[2, 100:, 40:60] = masks[2, 30:60, 70:] = True
    masks[3, :64, :64] = True
    masks[4, 50:80] = True
    masks[5, 20:60, 20:60] = masks[5, 40:90, 50:110] = masks[5, 100:120, 5:30] = True
    for i in (6, 7):
        masks[i] = free_form_strokes(np.random.default_rng(i), (128, 128), (6, 24), 100, 3)
    painting, photo, mask = inputs(masks, torch.float32)
    inside = mask.expand_as(photo) > 0.5
    result, expected = blended(painting, photo, mask), blended_by_the_course(painting, photo, mask).float()
    assert (result - expected)[inside].abs().max() < 1e-4
    pixels_last = [x.contiguous(memory_format=torch.channels_last) for x in (painting, photo, mask)]
    assert torch.allclose(blended(*pixels_last), result, atol=1e-6)


@settings(max_examples=5, deadline=None)
@given(st.tuples(st.just(2), st.integers(1, 4), st.integers(1, 4)).flatmap(lambda shape: arrays.arrays(bool, shape)))
def test_the_gradients_are_right(masks):
    painting, photo, mask = inputs(masks)
    assert torch.autograd.gradcheck(lambda x: blended(x, photo, mask), painting.requires_grad_(), fast_mode=True)


def test_a_tint_costs_nothing_and_a_seam_has_no_gradient():
    masks = np.zeros((1, 16, 16), bool)
    masks[0, 4:12, 4:12] = True
    _, photo, mask = inputs(masks)
    painting = (photo + torch.tensor([0.3, -0.2, 0.1])[:, None, None]).requires_grad_()
    error = ((blended(painting, photo, mask) - photo) * mask).square().sum()
    error.backward()
    assert error.item() < 1e-20 and painting.grad.abs().max() < 1e-9


def test_what_lies_beyond_the_rim_matters_nothing():
    masks = np.zeros((1, 16, 16), bool)
    masks[0, 4:12, 4:12] = True
    painting, photo, mask = inputs(masks)
    (blended(painting.requires_grad_(), photo, mask) * mask).sum().backward()
    reached = painting.grad[0, 0] != 0
    rim = masks[0].copy()
    rim[3:13, 4:12] = rim[4:12, 3:13] = True
    assert np.array_equal(reached.numpy() | masks[0], rim)


# In training


def test_lite_trains_through_the_blending_and_what_follows_the_paper_or_was_logged_before_does_not():
    assert LITE.through_blending
    assert not any(s.through_blending for s in (PAPER, LESSON, FIRST_PHASE, LONG_JOINT))
    older = LITE.to_dict()
    del older["through_blending"]
    assert not Settings.from_dict(json.loads(json.dumps(older))).through_blending


@pytest.mark.parametrize("counts", [(1, 0, 0), (0, 1, 0), (0, 0, 1)], ids=["phase 1", "phase 2", "phase 3"])
def test_losses_and_discriminators_see_the_blended_painting(start, monkeypatch, counts):
    trainer = start(phases(*counts, THROUGH))
    batch = next(trainer.batches())
    trainer.step.normalise_by_batch()
    with torch.no_grad():
        painting = trainer.bare_network(batch["photo"], batch["mask"])
    expected = blended_by_the_course(painting, batch["photo"], batch["mask"]).float()
    compared, seen = [], []

    def compare(output, *more):
        compared.append(output)
        return output.sum(dim=(1, 2, 3)) * 0

    monkeypatch.setattr("glcic_lite.training.step.hole_errors", compare)
    trainer.bare_discriminator.register_forward_pre_hook(lambda module, pictures: seen.append(pictures[0]))
    one_iteration(trainer)
    hole = batch["mask"].expand_as(batch["photo"]) > 0.5
    assert len(compared) == (counts[1] == 0) and len(seen) == [0, 1, 2][counts.index(1)]
    for output in compared:
        assert torch.allclose(output[hole], expected[hole], atol=1e-4) and output.requires_grad
    for pictures in seen:
        assert torch.allclose(pictures[len(batch["photo"]) :], expected.clamp(0, 1), atol=1e-4)


# What an operation of PyTorch's tells the processor about the numbers in a tensor: a GPU has to be waited for.
ROUND_TRIPS = {"_local_scalar_dense", "_linalg_check_errors", "nonzero", "bincount", "masked_select", "equal"}


class Operations(TorchDispatchMode):
    """Notes the names of all operations inside."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.names.add(operation.overloadpacket.__name__)
        return operation(*args, **(kwargs or {}))


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_a_step_waits_for_no_number_where_the_rims_come_with_the_samples(start, phase):
    # The moving average is left out: it counts in a tensor that stays on the processor.
    trainer = start(phases(*(int(phase == x) for x in (1, 2, 3)), THROUGH, averaging=0))
    trainer.step.normalise_by_batch()
    with_rims, without = (trainer.samples.finished(DrawnSamples(trainer.samples, x)[range(4)]) for x in (True, False))
    seen = []
    for batch in (with_rims, without):
        with Operations() as operations:
            trainer.iterate(iter([batch]))
        seen.append(operations.names & ROUND_TRIPS)
    assert not seen[0] and {"nonzero", "bincount"} <= seen[1]


@pytest.mark.cuda
@pytest.mark.parametrize("phase", [1, 2, 3])
def test_on_cuda_a_step_is_launched_without_waiting_for_the_gpu(start, phase):
    trainer = start(phases(*(2 * int(phase == x) for x in (1, 2, 3)), THROUGH), precision="auto")
    trainer.step.normalise_by_batch()
    with contextlib.closing(trainer.batches()) as batches:
        first, second = next(batches), next(batches)
    assert first["rim"].is_cuda
    trainer.iterate(iter([first]))  # prepares things
    torch.cuda.set_sync_debug_mode("error")
    try:
        trainer.iterate(iter([second]))
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_run_through_the_blending_goes_on_as_if_never_interrupted(start):
    settings = phases(1, 1, 1, THROUGH)
    whole = start(settings, "whole")
    whole.train()
    start(settings, "parts").train(on_log=lambda trainer, row: row["iteration"] == 2)
    resumed = start(None, "parts", resume=True)
    assert resumed.settings.through_blending
    resumed.train()
    assert_same_run(whole, resumed)


def test_runs_from_before_the_setting_go_on_without_it(start, tmp_path):
    start(phases(2, 0, 0)).train(on_log=lambda trainer, row: True)
    file = RunFolder(tmp_path / "run").path / "settings.json"
    values = json.loads(file.read_text())
    del values["through_blending"]
    file.write_text(json.dumps(values))
    with pytest.raises(RunError, match="differ: through_blending; name no settings"):
        start(phases(2, 0, 0, THROUGH), resume=True)
    resumed = start(None, resume=True)
    assert not resumed.settings.through_blending and resumed.train()


def test_the_validation_judges_what_complete_returns(photos_folder, monkeypatch):
    monkeypatch.setattr("glcic_lite.training.validation.CROPS", 3)
    network = narrow_network(seed=2)
    through, bare = (Validation(photos_folder / "val", s) for s in (THROUGH, TINY))
    measured = through.measure(network, torch.device("cpu"))
    expected = []
    for photo, mask in zip(through.photos, through.masks["box_16"], strict=True):
        levels, hole = tensor_to_photo(photo), mask[0].numpy() > 0.5
        expected.append(hole_psnr(levels, np.asarray(complete(levels, hole, network)), hole))
    assert measured["box_16"] == pytest.approx(np.mean(expected), abs=0.02)
    assert bare.measure(network, torch.device("cpu"))["box_16"] != pytest.approx(measured["box_16"], abs=0.1)
    sheets = [np.asarray(x.sheet(network, torch.device("cpu"), 3)) for x in (through, bare)]
    assert (sheets[0] != sheets[1]).any()


@pytest.mark.cuda
def test_a_gpu_blends_as_the_processor_does():
    masks = np.zeros((4, 64, 48), bool)
    for i in range(3):
        masks[i] = free_form_strokes(np.random.default_rng(i), (48, 64), (4, 12), 60, 2)
    tensors = inputs(masks, torch.float32)
    here, there = blended(*tensors), blended(*(x.cuda() for x in tensors))
    with_rims = blended(*(x.cuda() for x in tensors), rim_pixels(tensors[2]).cuda())
    assert torch.allclose(here, there.cpu(), atol=1e-4) and torch.allclose(here, with_rims.cpu(), atol=1e-4)
