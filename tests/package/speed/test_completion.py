"""Completing photos: any size, the same size out, known pixels untouched, and cropping that changes nothing."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from torch import nn

from glcic_lite.evaluation.fills import harmonic_fill
from glcic_lite.evaluation.metrics import hole_psnr
from glcic_lite.files import DATA
from glcic_lite.method import completion as plain
from glcic_lite.method.architecture import COMPLETION_NETWORK
from glcic_lite.method.masks import MaskError, mask_image, mask_to_tensor
from glcic_lite.method.networks import CompletionNetwork, composite
from glcic_lite.method.photos import list_photos, open_photo, photo_to_tensor
from glcic_lite.method.scale import scale_of
from glcic_lite.speed import completion, crops, quadtree
from glcic_lite.speed.completion import complete, paint
from glcic_lite.speed.crops import regions
from glcic_lite.speed.fast_network import FastNetwork
from glcic_lite.speed.stopping import Stopped
from inputs import hole, narrow_network, noise, texture
from whole_photo import assert_same_as_on_the_whole_photo, photos_with_holes

NETWORK = narrow_network()
both_ways = pytest.mark.parametrize("blend", [True, False], ids=["blended", "bare"])


# Plain and fast


@settings(max_examples=12)
@given(photo_and_mask=photos_with_holes(), blend=st.booleans(), option=st.sampled_from(["", "dilated", "mask_channel"]))
def test_plain_and_fast_complete_any_photo_alike(photo_and_mask, blend, option):
    network = narrow_network(**({option: False} if option else {}))
    expected = np.asarray(plain.complete(*photo_and_mask, network, blend)).astype(int)
    result = np.asarray(complete(*photo_and_mask, network, blend, torch.float32, scale=1))
    assert np.abs(result - expected).max() <= 1, "a number halfway between two grey levels may be rounded either way"
    assert (result != expected).mean() < 0.001


@settings(max_examples=4)
@given(st.integers(0, 2**32), st.booleans())
def test_plain_and_fast_agree_in_holes_so_large_that_they_are_tiled_and_solved_on_a_quadtree(seed, scattered):
    random = np.random.default_rng(seed)
    height, width = random.integers(120, 200, size=2)
    mask = hole(height, width, (*random.integers(0, 4, size=2), width - 2, height - 3))
    if scattered:
        mask &= random.random(mask.shape) < 0.7
    photo = noise(height, width)
    expected = np.asarray(plain.complete(photo, mask, NETWORK)).astype(int)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crops, "TILE", 100)
        patch.setattr(quadtree, "EVERY_PIXEL", 1000)
        result = np.asarray(complete(photo, mask, NETWORK, dtype=torch.float32, scale=1))
    assert np.abs(result - expected).max() <= 3  # a quadtree stays within half a per cent of the tint's range
    assert np.abs(result - expected).mean() < 0.3


@pytest.mark.parametrize("complete", [plain.complete, complete])
@both_ways
def test_both_keep_the_profile_the_mode_and_the_callers_arrays(complete, blend):
    image = Image.fromarray(noise(20, 30))
    image.info = {"icc_profile": b"a profile", "comment": "left behind"}
    mask, network = hole(20, 30, (5, 5, 15, 15)), narrow_network().train()
    before = np.array(image), mask.copy()
    assert complete(image, mask, network, blend).info == {"icc_profile": b"a profile"}
    assert network.training
    assert np.array_equal(np.asarray(image), before[0]) and np.array_equal(mask, before[1])


# Any photo, any mask


@settings(max_examples=25)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from(["RGB", "L", "RGBA", "LA", "P", "CMYK", "1"]),
    st.booleans(),
    st.data(),
)
def test_photos_of_any_size_and_mode_keep_their_size_and_their_known_pixels(height, width, mode, blend, data):
    image = Image.fromarray(noise(height, width)).convert(mode)
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    mask = random.random((height, width)) < data.draw(st.floats(0, 1))
    mask[random.integers(height), random.integers(width)] = False
    result = complete(image, mask, NETWORK, blend)
    assert result.mode == "RGB" and result.size == image.size
    known = np.asarray(open_photo(image))
    assert np.array_equal(np.asarray(result)[~mask], known[~mask])


@both_ways
def test_the_hole_is_filled_with_something_else(blend):
    photo, mask = noise(60, 70), hole(60, 70, (20, 20, 50, 40))
    result = np.asarray(complete(photo, mask, NETWORK, blend))
    assert (result != photo)[mask].mean() > 0.9


def test_without_blending_the_hole_holds_exactly_what_the_network_says():
    photo, mask = noise(64, 64), hole(64, 64, (20, 20, 50, 40))
    inputs = photo_to_tensor(photo), mask_to_tensor(mask)
    with torch.no_grad():
        answer = composite(inputs[0], NETWORK(*inputs), inputs[1])[0].permute(1, 2, 0) * 255
    completed = np.asarray(complete(photo, mask, NETWORK, blend=False, dtype=torch.float32))
    assert np.abs(completed - answer.numpy()).max() <= 0.51


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_an_empty_mask_returns_the_photo(mode):
    image = Image.fromarray(noise(31, 17)).convert(mode)
    result = complete(image, np.zeros((31, 17), bool), NETWORK)
    assert np.array_equal(np.asarray(result), np.asarray(open_photo(image)))
    assert result is not image


@both_ways
@pytest.mark.parametrize("size", [(1, 1), (8, 5), (64, 64)])
def test_a_mask_that_covers_everything_is_refused(size, blend):
    with pytest.raises(MaskError, match="whole photo"):
        complete(noise(*size), np.ones(size, bool), NETWORK, blend)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(MaskError, match="17 x 32 pixels, the photo 17 x 31"):
        complete(noise(31, 17), np.zeros((32, 17), bool), NETWORK)


def test_paths_arrays_and_pictures_are_all_photos_and_masks(tmp_path):
    photo, mask = noise(20, 30), hole(20, 30, (5, 5, 15, 15))
    Image.fromarray(photo).save(tmp_path / "photo.png")
    mask_image(mask).save(tmp_path / "mask.png")
    sources = [
        (photo, mask),
        (tmp_path / "photo.png", str(tmp_path / "mask.png")),
        (Image.fromarray(photo), mask_image(mask)),
    ]
    results = [np.asarray(complete(*source, NETWORK)) for source in sources]
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])


def test_what_is_passed_in_is_not_changed():
    photo, mask = noise(20, 30), hole(20, 30, (5, 5, 15, 15))
    before = photo.copy(), mask.copy()
    complete(photo, mask, NETWORK)
    assert np.array_equal(photo, before[0]) and np.array_equal(mask, before[1])


def test_the_colour_profile_stays_with_the_photo():
    image = Image.fromarray(noise(20, 30))
    image.info["icc_profile"] = b"a profile"
    result = complete(image, hole(20, 30, (5, 5, 15, 15)), NETWORK)
    assert result.info["icc_profile"] == b"a profile"


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_in_the_mode_it_was_in(training):
    network = narrow_network().train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    complete(noise(20, 30), hole(20, 30, (5, 5, 15, 15)), network)
    assert network.training is training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_the_mode_of_the_network_does_not_change_the_result():
    photo, mask = noise(20, 30), hole(20, 30, (5, 5, 15, 15))
    results = [np.asarray(complete(photo, mask, narrow_network().train(t))) for t in (True, False)]
    assert np.array_equal(*results)


@both_ways
@pytest.mark.parametrize("boxes", [[(20, 12, 44, 36)], [(40, 0, 63, 20)], [(0, 0, 5, 5), (50, 40, 63, 47)]])
def test_the_hidden_truth_never_reaches_the_result(blend, boxes):
    photo, mask = noise(47, 63), hole(47, 63, *boxes)
    other = np.where(mask[..., None], noise(47, 63, seed=1), photo)
    assert np.array_equal(
        np.asarray(complete(photo, mask, NETWORK, blend)), np.asarray(complete(other, mask, NETWORK, blend))
    )


def network_that_paints(colour: tuple[int, int, int]) -> CompletionNetwork:
    """A network whose output is one colour everywhere."""
    network = narrow_network()
    output = network.layers[-1].convolution
    nn.init.zeros_(output.weight)
    output.bias.data = torch.logit(torch.tensor(colour) / 255)
    return network


@pytest.mark.parametrize("frame", range(1, 9))
def test_blending_takes_the_tint_out_even_where_only_a_thin_frame_is_known(frame):
    """The pixel next to the photo meets it exactly, whatever colour the network paints."""
    photo = np.full((24, 24, 3), 100, np.uint8)
    mask = hole(24, 24, (frame, frame, 24 - frame, 24 - frame))
    bare = paint(photo, mask, network_that_paints((40, 200, 90)))
    assert (np.rint(bare[mask]) == (40, 200, 90)).all()
    result = np.asarray(complete(photo, mask, network_that_paints((40, 200, 90))))
    assert (result[mask] == 100).all()


def test_two_formats_paint_nearly_the_same():
    photo, mask = noise(60, 70), hole(60, 70, (20, 20, 50, 40))
    exact, rounded = (paint(photo, mask, NETWORK, dtype) for dtype in (torch.float32, torch.bfloat16))
    assert 0 < np.abs(exact - rounded).max() < 8


def test_painting_reaches_over_the_rim_where_blending_compares_it_with_the_photo():
    mask = hole(60, 70, (20, 20, 50, 40))
    painted = paint(noise(60, 70), mask, NETWORK)
    assert np.array_equal(painted.any(axis=2), ndimage.binary_dilation(mask))


# The network made ready for speed


@pytest.mark.parametrize("options", [{}, {"dilated": False}, {"mask_channel": False}])
def test_the_fast_network_computes_the_same_function(options):
    network = narrow_network(**options)
    photo, mask = torch.rand(1, 3, 48, 64), torch.zeros(1, 1, 48, 64)
    mask[..., 10:30, 20:40] = 1
    with torch.no_grad():
        assert torch.allclose(FastNetwork(network, torch.float32)(photo, mask), network(photo, mask), atol=1e-5)


def test_the_fast_network_is_a_copy():
    network = narrow_network().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    FastNetwork(network, torch.bfloat16)(torch.rand(1, 3, 8, 8), torch.zeros(1, 1, 8, 8))
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


# Cropping to what the hole can see


def far_sighted(first: bool) -> CompletionNetwork:
    """A network in which only the first (or the last) tap of every kernel counts.

    Its output depends on nothing but the outermost pixels of the receptive field: a crop that is a little too small
    changes everything.
    """
    network = narrow_network(seed=1)
    for row, block in zip(COMPLETION_NETWORK, network.layers, strict=True):
        weight = block.convolution.weight
        keep = torch.zeros_like(weight)
        if row.upsamples:  # the later taps of a transposed convolution look further up and left
            keep[..., 2:, 2:] = 1
        else:
            keep[..., :1, :1] = 1
        weight.data = weight.abs()
        weight.data /= weight.data.sum(dim=0 if row.upsamples else 1, keepdim=True)  # averages: nothing fades
        weight.data *= keep if first else keep.flip(2, 3)
    return network


NETWORKS = {"random": NETWORK, "looks up and left": far_sighted(True), "looks down and right": far_sighted(False)}
every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())


@every_network
@settings(max_examples=6)
@given(photo_and_mask=photos_with_holes(), tile=st.sampled_from([768, 24]))
def test_cropping_to_the_receptive_field_changes_nothing(network, photo_and_mask, tile):
    whole = crops.TILE
    try:
        crops.TILE = tile
        assert_same_as_on_the_whole_photo(*photo_and_mask, network)
    finally:
        crops.TILE = whole


@every_network
@pytest.mark.parametrize("phase", range(4))
def test_cropping_changes_nothing_at_any_phase_of_the_strides(network, phase):
    photo = noise(352, 372)
    mask = hole(352, 372, (180 + phase, 170 + phase, 181 + phase, 171 + phase))
    assert_same_as_on_the_whole_photo(photo, mask, network)


def test_far_sighted_networks_see_the_outermost_pixels_of_the_field():
    """The tests above can fail: one pixel at the field's far corner changes the result."""
    mask = hole(320, 320, (162, 162, 163, 163))
    for name, corner in (("looks up and left", (9, 9)), ("looks down and right", None)):
        photo = np.full((320, 320, 3), 128, np.uint8)
        before = plain.paint(photo, mask, NETWORKS[name])[162, 162]
        if corner:
            photo[corner] = 255
        else:
            photo[311, 311] = 255
        after = plain.paint(photo, mask, NETWORKS[name])[162, 162]
        assert np.abs(after - before).max() > 0.02, name


def test_far_holes_are_run_apart_and_near_ones_together():
    far = hole(400, 2000, (10, 10, 30, 30), (1900, 300, 1950, 350))
    near = hole(400, 2000, (10, 10, 30, 30), (40, 10, 60, 30))
    assert len(list(regions(far))) == 2
    assert len(list(regions(near))) == 1


def test_a_small_hole_costs_the_same_in_any_photo():
    def work(side):
        mask = np.zeros((side, side), bool)
        mask[side // 2 : side // 2 + 20, side // 2 : side // 2 + 20] = True
        return sum(region.width * region.height for _, region in regions(mask))

    assert work(4000) == work(1000) < 340**2


def test_no_crop_exceeds_a_tile_and_its_surroundings():
    mask = np.zeros((2400, 3200), bool)
    mask[100:2300, 60:3100] = True
    for target, region in regions(mask):
        assert target.width * target.height <= crops.TILE**2
        assert region.width <= target.width + 153 + 152 + 2 * 4
        assert region.height <= target.height + 153 + 152 + 2 * 4


@settings(max_examples=12)
@given(st.integers(0, 2**32), st.floats(0.001, 0.3), st.sampled_from([768, 16]))
def test_targets_hold_the_whole_hole_and_lie_in_their_regions(seed, share, tile):
    random = np.random.default_rng(seed)
    mask = random.random((60, 80)) < share
    covered = np.zeros_like(mask)
    whole = crops.TILE
    try:
        crops.TILE = tile
        for target, region in regions(mask):
            covered[target.slices] = True
            assert region.left <= target.left and target.right <= region.right
            assert region.top <= target.top and target.bottom <= region.bottom
            assert not any(edge % 4 for edge in region)
    finally:
        crops.TILE = whole
    assert covered[mask].all()


def test_what_lies_out_of_sight_of_the_hole_is_never_looked_at():
    mask = hole(400, 1200, (20, 20, 60, 60))
    far = noise(400, 1200)
    near = far.copy()
    near[:, 300:] = 0
    assert np.array_equal(
        np.asarray(complete(far, mask, NETWORK))[mask], np.asarray(complete(near, mask, NETWORK))[mask]
    )


# The scale follows the hole

THIN = narrow_network(largest_hole=10)  # has learned no more than thin scratches
every_scale = st.sampled_from(["auto", 1, 1 / 2, 1 / 3, 1 / 7, 1 / 500])


@settings(max_examples=25)
@given(st.integers(1, 160), st.integers(1, 160), st.booleans(), every_scale, st.integers(0, 2**32), st.floats(0.02, 1))
def test_at_any_scale_known_pixels_stay_and_the_hidden_truth_is_not_read(height, width, blend, scale, seed, share):
    random = np.random.default_rng(seed)
    mask = random.random((height, width)) < share**3  # scattered pixels
    top, left = random.integers(height), random.integers(width)
    mask[top : top + int(share * height), left : left + int(share * width)] = True
    mask[random.integers(height), random.integers(width)] = False
    photo = noise(height, width, seed)
    other = np.where(mask[..., None], noise(height, width, seed + 1), photo)
    result = np.asarray(complete(photo, mask, THIN, blend, scale=scale))
    assert result.shape == photo.shape
    assert np.array_equal(result[~mask], photo[~mask])
    assert np.array_equal(result, np.asarray(complete(other, mask, THIN, blend, scale=scale)))


@pytest.mark.parametrize("box", [(60, 50, 100, 90), (0, 50, 30, 90), (121, 3, 160, 60)])
@both_ways
def test_auto_takes_the_scale_that_scale_of_tells(box, blend):
    photo, mask = noise(150, 160), hole(150, 160, box)
    assert scale_of(mask, THIN.largest_hole) < 1 == scale_of(mask, NETWORK.largest_hole)
    results = [
        np.asarray(complete(photo, mask, THIN, blend, scale=scale))
        for scale in ("auto", scale_of(mask, THIN.largest_hole), 1)
    ]
    assert np.array_equal(results[0], results[1])
    assert (results[0] != results[2])[mask].mean() > 0.5
    assert np.array_equal(results[2], np.asarray(complete(photo, mask, NETWORK, blend)))


@both_ways
def test_a_thin_part_is_completed_at_full_size_though_a_thick_one_lies_beside_it(blend):
    photo, mask = noise(150, 160), hole(150, 160, (20, 20, 60, 60), (64, 20, 70, 90))
    auto, bare = (np.asarray(complete(photo, mask, THIN, blend, torch.float32, scale)) for scale in ("auto", 1))
    assert np.abs(auto[:, 62:].astype(int) - bare[:, 62:]).max() <= 1
    assert (auto != bare)[20:60, 20:60].mean() > 0.5


def test_a_thick_hole_meets_the_photo_on_its_rim():
    photo = np.full((150, 160, 3), 100, np.uint8)
    mask = hole(150, 160, (40, 40, 110, 100))
    result = np.asarray(complete(photo, mask, network_that_paints((40, 200, 90)), scale=1 / 4))
    assert np.abs(result.astype(int) - 100).max() <= 1


def test_the_copy_is_the_same_whatever_strips_it_is_made_of(monkeypatch):
    photo, mask = noise(150, 160), hole(150, 160, (40, 40, 110, 100))
    whole = np.asarray(complete(photo, mask, THIN))
    monkeypatch.setattr(completion, "STRIP", 1)
    assert np.array_equal(np.asarray(complete(photo, mask, THIN)), whole)


def test_a_fast_network_knows_how_thick_the_holes_were():
    photo, mask = noise(150, 160), hole(150, 160, (40, 40, 110, 100))
    results = [np.asarray(complete(photo, mask, network)) for network in (THIN, FastNetwork(THIN))]
    assert np.array_equal(*results)


def test_another_scale_is_refused():
    with pytest.raises(ValueError, match="scale is"):
        complete(noise(20, 30), hole(20, 30, (5, 5, 15, 15)), NETWORK, scale=3)


# Photos without colour


@settings(max_examples=30)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from(["L", "LA", "I;16", "1", "RGB", "P"]),
    st.booleans(),
    every_scale,
    st.integers(0, 2**32),
)
def test_a_photo_without_colour_stays_without_colour(height, width, mode, blend, scale, seed):
    random = np.random.default_rng(seed)
    grey = random.integers(0, 256, (height, width), dtype=np.uint8)
    sixteen_bit = Image.fromarray(grey.astype(np.uint16) * 257)
    image = sixteen_bit if mode == "I;16" else Image.fromarray(grey).convert(mode)
    mask = random.random((height, width)) < random.random()
    mask[random.integers(height), random.integers(width)] = False
    result = np.asarray(complete(image, mask, THIN, blend, scale=scale))
    assert (result == result[..., :1]).all()


def test_a_large_hole_in_a_grey_photo_is_solved_on_a_quadtree_and_grey(monkeypatch):
    monkeypatch.setattr(quadtree, "EVERY_PIXEL", 100)
    photo = noise(150, 160)[..., :1].repeat(3, axis=2)
    result = np.asarray(complete(photo, hole(150, 160, (40, 40, 110, 100)), NETWORK))
    assert (result == result[..., :1]).all()


@settings(max_examples=6)
@given(photo_and_mask=photos_with_holes(), blend=st.booleans())
def test_plain_and_fast_complete_grey_photos_alike(photo_and_mask, blend):
    photo, mask = photo_and_mask
    photo = photo[..., :1].repeat(3, axis=2)
    expected = np.asarray(plain.complete(photo, mask, NETWORK, blend)).astype(int)
    result = np.asarray(complete(photo, mask, NETWORK, blend, torch.float32, scale=1))
    assert np.abs(result - expected).max() <= 1
    assert (expected == expected[..., :1]).all()


@both_ways
@pytest.mark.parametrize("scale", [1, 1 / 3])
def test_a_toned_print_keeps_its_tone(blend, scale):
    """Brown in, brown out, though the network paints blue."""
    grey = texture(150, 160)[..., 0] / 255
    photo = np.stack([230 * grey, 190 * grey, 140 * grey], axis=2).astype(np.uint8)
    mask = hole(150, 160, (40, 40, 110, 100))
    result = np.asarray(complete(photo, mask, network_that_paints((40, 90, 200)), blend, scale=scale))[mask].astype(int)
    assert (result[:, 0] > result[:, 1]).all() and (result[:, 1] > result[:, 2]).all()


@pytest.mark.parametrize("coloured", [True, False])
def test_where_a_reduced_copy_knows_nothing_the_photo_itself_says_whether_it_has_colours(coloured):
    photo = texture(90, 120)
    photo = photo if coloured else photo[..., :1].repeat(3, axis=2)
    mask = np.ones((90, 120), dtype=bool)
    mask[1::2, 1::2] = False  # a quarter is known: never half of what a smaller pixel stands for
    result = np.asarray(complete(photo, mask, network_that_paints((40, 90, 200)), False, scale=1 / 2))[mask]
    assert (np.ptp(result, axis=1) > 0).any() == coloured


# Taking a completion back


def test_a_completion_ends_wherever_it_is_told_to_stop(monkeypatch):
    monkeypatch.setattr(crops, "TILE", 60)
    monkeypatch.setattr(quadtree, "EVERY_PIXEL", 100)
    photo, mask = noise(150, 400), hole(150, 400, (40, 40, 110, 100), (300, 40, 310, 60))
    asked = []
    whole = np.asarray(complete(photo, mask, THIN, should_stop=lambda: bool(asked.append(0))))
    assert np.array_equal(whole, np.asarray(complete(photo, mask, THIN)))
    assert len(asked) > 2 * len(COMPLETION_NETWORK)  # two parts, each layer by layer
    for last in {1, 2, 5, len(asked) // 2, len(asked)}:
        countdown = iter(range(last - 1, -1, -1))
        with pytest.raises(Stopped):
            complete(photo, mask, THIN, should_stop=lambda: next(countdown) == 0)  # noqa: B023
        assert next(countdown, None) is None, "it is not asked again"


def test_what_should_stop_raises_passes_through():
    def broken() -> bool:
        raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        complete(noise(20, 30), hole(20, 30, (5, 5, 15, 15)), NETWORK, should_stop=broken)


# The shipped weights


@pytest.fixture(scope="module")
def shipped():
    return completion.shipped_network()


def test_the_shipped_weights_are_loaded_once(shipped):
    assert completion.shipped_network() is shipped


def test_the_shipped_weights_are_used_when_none_are_given(shipped):
    photo, mask = noise(20, 30), hole(20, 30, (5, 5, 15, 15))
    assert np.array_equal(np.asarray(complete(photo, mask)), np.asarray(complete(photo, mask, shipped)))


@pytest.mark.parametrize("side", [96, 128, 192])
def test_large_holes_are_completed_better_than_by_the_smoothest_fill_and_than_at_full_size(shipped, side):
    """Photos that the weights have never seen, but not the test photos: those are for the published table."""
    gains = []
    for number, path in enumerate(list_photos(DATA / "photos/val")[:: 1 if side == 96 else 2]):
        image = open_photo(path)
        image.thumbnail((640, 640))
        photo = np.asarray(image)
        left, top = np.random.default_rng(number).integers(0, np.subtract(image.size, side))
        mask = hole(*photo.shape[:2], (left, top, left + side, top + side))
        ways = complete(photo, mask, shipped), complete(photo, mask, shipped, scale=1), harmonic_fill(photo, mask)
        auto, full_size, smooth = (hole_psnr(photo, np.asarray(way), mask) for way in ways)
        gains.append((auto - smooth, auto - full_size))
    above_smooth, above_full_size = np.mean(gains, axis=0)
    assert above_smooth > (-0.1 if side == 96 else 0)
    assert above_full_size > (0.2 if side == 96 else 1)


@pytest.mark.cuda
def test_completion_runs_where_the_network_lies():
    photo, mask = noise(60, 70), hole(60, 70, (20, 20, 50, 40))
    here = np.asarray(complete(photo, mask, NETWORK)).astype(int)
    there = np.asarray(complete(photo, mask, narrow_network().cuda())).astype(int)
    assert np.abs(here - there).max() <= 2
