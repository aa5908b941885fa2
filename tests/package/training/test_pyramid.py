"""Crops cut out of photos that are kept in several sizes, and samples drawn a batch at a time."""

import contextlib
import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from glcic_lite.evaluation.ablations import FIRST_PHASE
from glcic_lite.evaluation.metrics import hole_psnr
from glcic_lite.files import DATA
from glcic_lite.method.photos import list_photos, open_photo
from glcic_lite.training import LESSON, LITE, PAPER, Settings
from glcic_lite.training.choices import training_choices
from glcic_lite.training.crops import PhotoCrops
from glcic_lite.training.pyramid import Pyramid, nearest_scale, scales
from glcic_lite.training.samples import TrainingSamples
from inputs import folder_with, noise
from training_runs import TINY, assert_same_run, phases, same, starter

IN_SIZES = dataclasses.replace(TINY, scales_per_octave=2, shuffled_colours=0.5, lowered_contrast=0.5)


@pytest.fixture
def start(photos_folder, tmp_path, monkeypatch):
    return starter(photos_folder, tmp_path, monkeypatch)


@given(st.integers(1, 5000), st.integers(0, 5000), st.integers(1, 8), st.floats(0, 1))
def test_the_nearest_scale_is_one_of_the_scales_and_at_most_half_a_step_away(low, more, per_octave, share):
    limits = (low, low + more)
    edge = low * (limits[1] / low) ** share
    nearest, every = nearest_scale(edge, limits, per_octave), scales(limits, per_octave)
    assert nearest in every and every[0] == limits[1] and every[-1] == low
    assert abs(nearest - edge) <= edge * (2 ** (0.5 / per_octave) - 1) + 1


def test_a_crop_is_a_piece_of_the_photo_as_pillow_resizes_it(tmp_path):
    photo = noise(90, 150)
    crops = PhotoCrops(folder_with(tmp_path, a_png=photo), 32, (40, 80), seed=4, least_contrast=0, scales_per_octave=2)
    seen = set()
    for n in range(20):
        random = crops.generator(n)
        random.integers(1)
        edge = nearest_scale(np.exp(random.uniform(*np.log((40, 80)))), (40, 80), 2)
        seen.add(edge)
        size = (round(150 * edge / 90), edge)
        level = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0))
        left, top = int(random.uniform(0, size[0] - 31)), int(random.uniform(0, size[1] - 31))
        expected = level[top : top + 32, left : left + 32]
        if random.random() < 0.5:
            expected = expected[:, ::-1]
        assert np.array_equal(crops.pixels(crops.generator(n)), expected)
    assert seen == {40, 57, 80}


def test_it_looks_as_if_that_piece_had_been_resized_on_its_own():
    """Quality: the same filter as for single crops, so only the rounding of its weights differs."""
    for path in list_photos(DATA / "photos" / "val")[:3]:
        photo = open_photo(path)
        for edge in scales(LITE.short_edge, LITE.scales_per_octave)[:3]:
            level = Pyramid(photo, 128)[edge]
            ratio = photo.width / level.shape[1], photo.height / level.shape[0]
            box = (40 * ratio[0], 30 * ratio[1], 168 * ratio[0], 158 * ratio[1])
            alone = np.asarray(photo.resize((128, 128), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0))
            assert hole_psnr(alone, level[30:158, 40:168], np.ones((128, 128), bool)) > 45


@settings(max_examples=20)
@given(st.tuples(st.integers(1, 200), st.integers(1, 200)), st.sampled_from([32, 64]), st.integers(1, 4))
def test_photos_of_any_size_give_crops_and_are_not_enlarged_without_need(size, crop_size, per_octave):
    lengths = scales((crop_size, 2 * crop_size), per_octave)
    pyramid = Pyramid(Image.fromarray(noise(*size)), crop_size)
    shapes = {pyramid[x].shape for x in lengths}
    assert all(min(shape[:2]) >= crop_size for shape in shapes)
    assert all(min(shape[:2]) <= max(min(size), crop_size) for shape in shapes)
    before = [pyramid[x].copy() for x in lengths]
    pyramid.keep(lengths)
    assert all(np.array_equal(a, pyramid[x]) for a, x in zip(before, lengths, strict=True))
    assert pyramid.bytes_of(lengths) == sum(np.prod(shape) for shape in shapes)


def test_what_does_not_fit_into_memory_gives_the_same_crops(photos_folder):
    all_kept, some_kept, nsome_kept = (
        PhotoCrops(photos_folder / "train", 64, (64, 80), cache_bytes=room, scales_per_octave=2)
        for room in (10**8, 80_000, 0)
    )
    for n in (*range(12), 3):
        crop = all_kept[n]
        assert np.array_equal(some_kept[n], crop) and np.array_equal(nsome_kept[n], crop)
    assert len(all_kept._cache) > len(some_kept._cache) > 0 and not nsome_kept._cache
    kept = sum(level.nbytes for pyramid in some_kept._cache.values() for level in pyramid._levels.values())
    assert kept + some_kept._cache_room == 80_000


@pytest.mark.parametrize("settings", [IN_SIZES, dataclasses.replace(IN_SIZES, scales_per_octave=0)])
def test_a_sample_is_the_same_alone_in_any_batch_and_in_any_process(photos_folder, settings):
    samples = TrainingSamples(photos_folder / "train", settings)
    alone = [samples[n] for n in range(12)]
    for first, last in ((0, 12), (5, 9), (7, 8)):
        batch = samples[range(first, last)]
        assert batch["photo"].is_contiguous(memory_format=torch.channels_last)
        for n in range(first, last):
            assert same(alone[n], {name: values[n - first] for name, values in batch.items()})
    fresh = TrainingSamples(photos_folder / "train", settings)
    batches = DataLoader(fresh, batch_size=None, sampler=[range(6, 12), range(6)], num_workers=2)
    for batch, first in zip(batches, (6, 0), strict=True):
        assert same(batch, samples[range(first, first + 6)])


def test_sample_n_has_the_hole_and_shows_the_photo_that_it_has_with_crops_of_any_size(photos_folder):
    """So figures that show sample 6 because of its hole go on showing it."""
    some, any_size = (
        TrainingSamples(photos_folder / "train", dataclasses.replace(TINY, scales_per_octave=n, least_contrast=0))
        for n in (2, 0)
    )
    assert all(torch.equal(some[n]["mask"], any_size[n]["mask"]) for n in range(12))


def test_a_run_with_a_few_sizes_goes_on_as_if_never_interrupted(start):
    settings = phases(2, 0, 0, IN_SIZES)
    whole = start(settings, "whole")
    whole.train()
    start(settings, "parts").train(on_log=lambda trainer, row: row["iteration"] == 1)
    resumed = start(None, "parts", resume=True, workers=1)
    resumed.train()
    assert_same_run(whole, resumed)


# Photos in the memory of a device, where crops are cut


@pytest.mark.parametrize("least_contrast", [8, 60])
def test_samples_cut_out_of_one_block_of_photos_are_the_same(photos_folder, least_contrast):
    wanted = dataclasses.replace(IN_SIZES, least_contrast=least_contrast)
    usual, in_block = (TrainingSamples(photos_folder / "train", wanted) for _ in range(2))
    photos = in_block.photos_for(torch.device("cpu"), 10**9)
    assert photos.dtype == torch.uint8
    for numbers in (range(16), range(40, 41)):
        drawn = in_block.drawn(numbers)
        assert "pixels" not in drawn and drawn["mirrored"].dtype == torch.bool
        here, there = usual[numbers], in_block.finished(drawn, photos)
        assert same(here, there)
        assert {name: x.stride() for name, x in here.items()} == {name: x.stride() for name, x in there.items()}


def test_samples_are_made_where_their_tensors_are_without_asking_for_a_number(photos_folder):
    """On the device without numbers, `meta`, reading one raises an error, and so does mixing it with another device.

    What holds there holds on a GPU, too, which would have to be waited for.
    """
    samples = TrainingSamples(photos_folder / "train", IN_SIZES)
    by_pixels = samples.drawn(range(4))
    photos = samples.photos_for(torch.device("meta"), 10**9)
    for drawn, block in ((by_pixels, None), (samples.drawn(range(4)), photos)):
        batch = samples.finished({name: x.to("meta") for name, x in drawn.items()}, block)
        assert {x.device.type for x in batch.values()} == {"meta"}
        assert [batch[x].shape for x in ("photo", "mask")] == [(4, 3, 64, 64), (4, 1, 64, 64)]


def test_photos_that_do_not_fit_stay_where_they_were(photos_folder):
    samples, usual = (TrainingSamples(photos_folder / "train", IN_SIZES) for _ in range(2))
    needed = len(samples.photos_for(torch.device("cpu"), 10**9))
    assert len(TrainingSamples(photos_folder / "train", IN_SIZES).photos_for(torch.device("cpu"), 2 * needed)) == needed
    poor = TrainingSamples(photos_folder / "train", IN_SIZES)
    assert poor.photos_for(torch.device("cpu"), needed // 2) is None
    assert same(poor[range(8)], usual[range(8)])
    any_size = TrainingSamples(photos_folder / "train", dataclasses.replace(IN_SIZES, scales_per_octave=0))
    assert any_size.photos_for(torch.device("cpu"), 10**9) is None


def test_few_photos_are_decoded_to_see_that_a_million_do_not_fit(photos_folder, monkeypatch):
    samples = TrainingSamples(photos_folder / "train", IN_SIZES)
    decoded = []
    monkeypatch.setattr(
        samples.crops, "_decoded", lambda number: decoded.append(number) or Image.fromarray(noise(100, 100))
    )
    samples.crops.paths = np.repeat(samples.crops.paths[:1], 1_000_000)
    assert samples.photos_for(torch.device("cpu"), 10**9) is None and decoded == [0]


def test_broken_photos_are_named_and_left_out_of_the_block(tmp_path):
    wanted = dataclasses.replace(IN_SIZES, least_contrast=0)
    folder = folder_with(tmp_path, a_png=noise(90, 70), bad_png=b"no photo", c_png=noise(66, 99, 1))
    usual, in_block = (TrainingSamples(folder, wanted) for _ in range(2))
    with pytest.warns(UserWarning, match=r"bad\.png"):
        photos = in_block.photos_for(torch.device("cpu"), 10**9)
    with pytest.warns(UserWarning, match=r"bad\.png"):
        here = usual[range(12)]
    assert same(here, in_block.finished(in_block.drawn(range(12)), photos))


def test_a_run_that_cuts_on_its_device_is_the_same_run(start):
    """Also in processes that draw, and when it is resumed."""
    settings = phases(2, 0, 0, IN_SIZES)
    whole = start(settings, "whole")
    whole.train()
    on_device = dataclasses.replace(training_choices("no", workers=1), photos_on_device=True)
    start(settings, "parts", choices=on_device).train(on_log=lambda trainer, row: row["iteration"] == 1)
    resumed = start(None, "parts", resume=True, choices=dataclasses.replace(on_device, workers=0))
    resumed.train()
    assert resumed._photos is not None and whole._photos is None
    assert_same_run(whole, resumed)


@pytest.mark.cuda
def test_samples_cut_on_cuda_are_those_of_the_processor_up_to_rounding(start, photos_folder):
    trainer = start(IN_SIZES, choices=training_choices("no", workers=1, device=torch.device("cuda")))
    with contextlib.closing(trainer.batches()) as batches:
        batch = next(batches)
    assert trainer._photos is not None and trainer._photos.is_cuda
    expected = TrainingSamples(photos_folder / "train", IN_SIZES)[range(4)]
    assert all(torch.allclose(batch[name].cpu().float(), x.float(), atol=1e-6) for name, x in expected.items())


def test_lite_takes_a_few_sizes_and_what_follows_the_paper_or_was_logged_before_does_not():
    assert LITE.scales_per_octave
    assert not any(s.scales_per_octave for s in (PAPER, LESSON, FIRST_PHASE))
    older = LITE.to_dict()
    del older["scales_per_octave"]
    assert not Settings.from_dict(json.loads(json.dumps(older))).scales_per_octave
