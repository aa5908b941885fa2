"""Evaluation: metrics against values computed by hand, fills that cannot cheat, and the same cases every time."""

from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import stats
from skimage.metrics import structural_similarity

from glcic_lite.evaluation import fills
from glcic_lite.evaluation.fills import (
    CLASSICAL_FILLS,
    NETWORK_FILLS,
    FillError,
    fsr_best_fill,
    mean_fill,
    navier_stokes_fill,
    network_fill,
    network_fills,
    telea_fill,
)
from glcic_lite.evaluation.metrics import (
    GRAIN_METRICS,
    METRICS,
    PSNR_LIMIT,
    colour_texture_ratio,
    gradient,
    gradient_energy_ratio,
    hole_haarpsi,
    hole_l1,
    hole_mesh,
    hole_psnr,
    hole_ssim,
    measure_all,
)
from glcic_lite.evaluation.protocol import (
    CLASSICAL_ROWS,
    CROP,
    FILLS,
    HOLES,
    LARGE_CROP,
    SMALL_HOLES,
    HoleCase,
    evaluate,
    hole_cases,
    read_rows,
)
from glcic_lite.evaluation.statistics import (
    DOES_NOT_HOLD,
    FEWEST,
    HOLDS,
    NO_DIFFERENCE,
    UNDECIDED,
    Interval,
    averages,
    decimals,
    mean_interval,
    paired_differences,
    paired_verdict,
    verdict,
    verdict_over_seeds,
)
from glcic_lite.files import DATA
from glcic_lite.method.masks import MaskError
from glcic_lite.method.photos import PhotoError
from glcic_lite.speed.completion import complete
from inputs import hole, narrow_network, noise, texture

PHOTO = texture(64, 80)
MASK = hole(64, 80, (20, 10, 50, 40))
TRIED = {**CLASSICAL_FILLS, "network": network_fill(narrow_network())}
del TRIED["FSR best"]  # takes seconds a hole: it has a smaller one below
every_fill = pytest.mark.parametrize("fill", TRIED.values(), ids=TRIED.keys())


# Metrics


def test_psnr_of_a_constant_error_is_known():
    filled = PHOTO.copy()
    filled[MASK] = np.where(PHOTO[MASK] > 127, PHOTO[MASK] - 51, PHOTO[MASK] + 51)  # a fifth of 255
    assert hole_psnr(PHOTO, filled, MASK) == pytest.approx(20 * np.log10(5))


def test_psnr_of_an_equal_photo_is_infinite():
    assert hole_psnr(PHOTO, PHOTO, MASK) == float("inf")


def test_psnr_and_l1_do_not_overflow_in_eight_bits():
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    everywhere = np.ones((8, 8), bool)
    assert hole_psnr(black, white, everywhere) == hole_psnr(white, black, everywhere) == 0
    assert hole_l1(black, white, everywhere) == hole_l1(white, black, everywhere) == 255


def test_l1_counts_pixels_and_channels_of_the_hole_alike():
    filled = PHOTO.copy()
    filled[MASK, 0] = np.where(PHOTO[MASK, 0] > 127, PHOTO[MASK, 0] - 30, PHOTO[MASK, 0] + 30)
    assert hole_l1(PHOTO, filled, MASK) == pytest.approx(10)
    assert hole_l1(PHOTO, PHOTO, MASK) == 0


def test_ssim_is_one_for_an_equal_photo_and_near_zero_for_an_unrelated_one():
    assert hole_ssim(PHOTO, PHOTO, MASK) == pytest.approx(1)
    filled = np.where(MASK[..., None], noise(64, 80, 5), PHOTO)
    assert abs(hole_ssim(noise(64, 80), filled, MASK)) < 0.1


def test_ssim_of_a_flat_fill_follows_the_formula():
    """Of two flat areas only the brightness term of the formula is left."""
    first, second = np.full((64, 80, 3), 100, np.uint8), np.full((64, 80, 3), 150, np.uint8)
    c = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c) / (100**2 + 150**2 + c)
    assert hole_ssim(first, second, MASK) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("box", [(20, 10, 50, 40), (0, 0, 1, 1), (76, 60, 80, 64), (0, 0, 80, 20)])
def test_ssim_and_texture_of_the_surroundings_are_those_of_the_whole_photo(box):
    mask = hole(64, 80, box)
    filled = np.where(mask[..., None], noise(64, 80, 5), PHOTO)
    _, similarity = structural_similarity(PHOTO, filled, channel_axis=2, full=True, data_range=255)
    assert hole_ssim(PHOTO, filled, mask) == pytest.approx(similarity[mask].mean(), abs=1e-9)
    whole = gradient(filled)[mask].mean() / gradient(PHOTO)[mask].mean()
    assert gradient_energy_ratio(PHOTO, filled, mask) == pytest.approx(whole)


def test_texture_is_one_for_the_photo_zero_for_fog_and_grows_with_contrast():
    fog = np.full_like(PHOTO, 128)
    soft = (PHOTO // 2 + 64).astype(np.uint8)
    assert gradient_energy_ratio(PHOTO, PHOTO, MASK) == 1
    assert gradient_energy_ratio(PHOTO, fog, MASK) == 0
    assert gradient_energy_ratio(PHOTO, soft, MASK) == pytest.approx(0.5, abs=0.02)


def test_texture_of_a_ramp_is_its_slope():
    ramp = np.repeat(np.arange(0, 160, 2, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    assert gradient_energy_ratio(ramp // 2, ramp, MASK) == pytest.approx(2)


def test_texture_of_the_colours_sees_coloured_grain_and_no_grey_one():
    grain = np.random.default_rng(0).integers(-20, 21, size=(64, 80, 1)) * MASK[..., None]
    grey, coloured = (np.clip(PHOTO.astype(int) // 2 + 64 + grain * hue, 0, 255) for hue in ([1, 1, 1], [1, -2, 1]))
    plain = PHOTO.astype(int) // 2 + 64
    assert colour_texture_ratio(plain, plain, MASK) == 1
    assert colour_texture_ratio(plain, grey, MASK) == pytest.approx(1)
    assert colour_texture_ratio(plain, coloured, MASK) > 1.5
    assert colour_texture_ratio(plain, plain.mean(axis=2, keepdims=True).repeat(3, axis=2), MASK) == pytest.approx(0)
    assert np.isnan(colour_texture_ratio(np.full_like(PHOTO, 128), PHOTO, MASK))


@pytest.mark.parametrize("period, is_seen", [(2, True), (4, False), (8, False)])
def test_a_mesh_is_what_alternates_from_pixel_to_pixel(period, is_seen):
    down, across = np.mgrid[:64, :80]
    waves = 10.0 * np.cos(2 * np.pi * down / period) * np.cos(2 * np.pi * across / period)
    filled = np.clip(PHOTO + (waves * MASK)[..., None], 0, 255)
    assert hole_mesh(PHOTO, PHOTO, MASK) == 0
    assert (hole_mesh(PHOTO, filled, MASK) > 3) == is_seen


def test_the_mesh_of_a_known_amplitude_is_known_in_decibels():
    rows = np.where(np.arange(64) % 2, 1.0, -1.0)[:, None, None] * np.ones((64, 80, 3))
    assert hole_mesh(128 + 3 * rows, 128 + 6 * rows, MASK) == pytest.approx(20 * np.log10(2))
    assert hole_mesh(128 + 3 * rows, np.full_like(rows, 128), MASK) < -40
    assert np.isnan(hole_mesh(np.full_like(rows, 128), 128 + 3 * rows, MASK))


@pytest.mark.parametrize("metric", [*METRICS.values(), *GRAIN_METRICS.values()], ids=[*METRICS, *GRAIN_METRICS])
def test_metrics_look_at_the_hole_only(metric):
    filled = np.where(MASK[..., None], noise(64, 80, 5), PHOTO)
    elsewhere = filled.copy()
    elsewhere[:, 60:] = 255 - elsewhere[:, 60:]  # further away than any window reaches
    assert metric(PHOTO, filled, MASK) == metric(PHOTO, elsewhere, MASK)


# Fills


@every_fill
def test_fills_keep_what_is_known_and_change_the_hole(fill):
    filled = fill(PHOTO, MASK)
    assert filled.dtype == np.uint8 and filled.shape == PHOTO.shape
    assert np.array_equal(filled[~MASK], PHOTO[~MASK])
    assert (filled != PHOTO)[MASK].any()


@every_fill
def test_fills_never_read_the_hole(fill):
    other = np.where(MASK[..., None], noise(64, 80, 5), PHOTO)
    assert np.array_equal(fill(PHOTO, MASK), fill(other, MASK))


@every_fill
def test_fills_do_not_change_the_photo_they_are_given(fill):
    photo = PHOTO.copy()
    fill(photo, MASK)
    assert np.array_equal(photo, PHOTO)


def test_the_thorough_frequency_selective_fill_differs_from_the_quick_one_in_the_hole_alone():
    photo, mask = texture(32, 40), hole(32, 40, (12, 10, 22, 20))
    best, fast = (CLASSICAL_FILLS[name](photo, mask) for name in ("FSR best", "FSR fast"))
    assert np.array_equal(best[~mask], photo[~mask]) and np.array_equal(best[~mask], fast[~mask])
    assert (best != fast)[mask].any()
    assert np.array_equal(best, fsr_best_fill(np.where(mask[..., None], noise(32, 40, 5), photo), mask))


PLACES = {
    "corner": [(0, 0, 10, 12)],
    "a whole side": [(0, 0, 21, 30)],
    "all but a column": [(0, 0, 40, 30), (41, 0, 42, 30)],
    "two, one of a single pixel": [(5, 5, 6, 6), (20, 12, 33, 22)],
}


@every_fill
@pytest.mark.parametrize("boxes", PLACES.values(), ids=PLACES)
def test_fills_fill_every_kind_of_hole_the_same_every_time(fill, boxes):
    photo, mask = texture(30, 42) | np.uint8(1), hole(30, 42, *boxes)
    filled = fill(photo, mask)
    assert np.array_equal(filled[~mask], photo[~mask])
    assert np.array_equal(filled, fill(photo, mask))


@pytest.mark.parametrize("size", [(1, 2), (3, 5), (17, 9)])
@pytest.mark.parametrize("name", CLASSICAL_FILLS)
def test_classical_fills_take_tiny_photos(name, size):
    photo, mask = noise(*size), np.zeros(size, dtype=bool)
    mask[0, 0] = True
    filled = CLASSICAL_FILLS[name](photo, mask)
    assert filled.shape == photo.shape and np.array_equal(filled[~mask], photo[~mask])


@pytest.mark.parametrize("name", CLASSICAL_FILLS)
def test_nothing_to_fill_is_a_copy_and_nothing_known_an_error(name):
    """The shift-map of OpenCV, asked to fill nothing, ends the process."""
    photo = noise(12, 14)
    copy = CLASSICAL_FILLS[name](photo, np.zeros((12, 14), bool))
    assert np.array_equal(copy, photo) and not np.shares_memory(copy, photo)
    with pytest.raises(MaskError, match="covers the whole photo"):
        CLASSICAL_FILLS[name](photo, np.ones((12, 14), bool))


@pytest.mark.parametrize("name", CLASSICAL_FILLS)
def test_every_classical_fill_says_what_it_does_and_where_it_comes_from(name):
    fill = CLASSICAL_FILLS[name]
    assert 10 < len(fill.about) < 90 and fill.source and "\n" not in fill.about + fill.source


def test_haarpsi_is_the_one_of_an_established_implementation():
    """Values of piq 0.8.0 (`piq.haarpsi`, double precision) on whole pictures."""
    everywhere = np.ones((64, 80), bool)
    for filled, expected in (
        (noise(64, 80, 5), 0.3795378868),
        ((PHOTO // 2 + 64).astype(np.uint8), 0.7520160553),
        (np.roll(PHOTO, 3, axis=1), 0.4960866064),
        (np.full_like(PHOTO, 128), 0.0865550498),
    ):
        assert hole_haarpsi(PHOTO, filled, everywhere) == pytest.approx(expected, abs=1e-9)
    assert hole_haarpsi(PHOTO, PHOTO, MASK) == pytest.approx(1)
    flat = np.full_like(PHOTO, 90)
    assert hole_haarpsi(flat, flat, MASK) == pytest.approx(1)


@pytest.mark.parametrize("box", [(21, 9, 50, 40), (0, 0, 1, 1), (75, 59, 80, 64)])
def test_haarpsi_does_not_depend_on_how_much_lies_around(box):
    whole, mask = texture(112, 128), hole(112, 128, box)
    mask = np.roll(mask, (24, 24), axis=(0, 1)) if box[0] == 21 else mask
    filled = np.where(mask[..., None], noise(112, 128, 5), whole)
    cut = np.s_[:100, :] if box[1] < 50 else np.s_[:, :]
    assert hole_haarpsi(whole, filled, mask) == pytest.approx(
        hole_haarpsi(whole[cut], filled[cut], mask[cut]), abs=1e-12
    )


@pytest.mark.parametrize("name", ["FSR fast", "shift-map"])
def test_the_number_of_threads_does_not_change_a_fill(name):
    threads, results = cv2.getNumThreads(), []
    try:
        for number in (1, 4):
            cv2.setNumThreads(number)
            results.append(CLASSICAL_FILLS[name](PHOTO, MASK))
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(*results)


@pytest.mark.parametrize("name", ["FSR fast", "FSR best", "shift-map"])
def test_an_opencv_without_xphoto_is_one_line_that_says_what_to_install(name, monkeypatch):
    monkeypatch.delattr(fills.cv2, "xphoto")
    with pytest.raises(FillError, match="pip install opencv-contrib-python-headless") as caught:
        CLASSICAL_FILLS[name](PHOTO, MASK)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("box", [(20, 10, 50, 40), (0, 0, 30, 64)])
def test_running_the_network_once_gives_both_of_its_fills(box):
    mask, network = hole(64, 80, box), narrow_network()
    mask[2:5, 70:75] = True
    both = network_fills(PHOTO, mask, network)
    for name, blend in (("network", False), ("network, blended", True)):
        assert np.array_equal(both[name], network_fill(network, blend)(PHOTO, mask))


def test_a_hole_thicker_than_learned_is_completed_as_complete_does_it_and_bare_at_scale_1():
    mask, network = hole(160, 170, (20, 20, 140, 140)), narrow_network()
    network.largest_hole = 40
    photo = texture(160, 170)
    both = network_fills(photo, mask, network)
    assert np.array_equal(both["network, blended"], complete(photo, mask, network))
    assert not np.array_equal(both["network, blended"], complete(photo, mask, network, scale=1))
    assert np.array_equal(both["network"], complete(photo, mask, network, blend=False, scale=1))


def test_mean_fill_is_the_mean_of_what_is_known():
    filled = mean_fill(PHOTO, MASK)
    assert (filled[MASK] == np.rint(PHOTO[~MASK].mean(axis=0))).all()


# Cases


def cases(folder, seed=0):
    return list(hole_cases(folder, seed))


def test_cases_are_the_same_every_time(photos_folder):
    first, second = cases(photos_folder / "test"), cases(photos_folder / "test")
    assert all(
        np.array_equal(a.photo, b.photo) and np.array_equal(a.mask, b.mask) for a, b in zip(first, second, strict=True)
    )


def test_another_seed_gives_other_cases(photos_folder):
    first, second = cases(photos_folder / "test"), cases(photos_folder / "test", seed=1)
    assert not any(np.array_equal(a.mask, b.mask) for a, b in zip(first, second, strict=True))


def test_each_photo_has_a_box_of_every_size_and_a_stroke(photos_folder):
    kinds = list(SMALL_HOLES)
    assert [(c.photo_name, c.hole_kind) for c in cases(photos_folder / "test")] == [
        (f"test-{i}.png", kind) for i in range(2) for kind in kinds
    ]


def test_large_boxes_lie_in_a_larger_crop_and_leave_the_small_ones_as_they_were(tmp_path):
    photo = texture(400, 330)
    Image.fromarray(photo).save(tmp_path / "a.png")
    found = list(hole_cases(tmp_path, large=True))
    assert [case.hole_kind for case in found] == list(HOLES)
    for case in found[4:]:
        assert case.photo.shape == (LARGE_CROP, LARGE_CROP, 3)
        assert case.mask.sum() == int(case.hole_kind.split()[1]) ** 2
    small = cases(tmp_path)
    assert [case.digest for case in small] == [case.digest for case in found[:4]]
    Image.fromarray(photo[:300]).save(tmp_path / "a.png")  # too small for a large crop
    assert [case.hole_kind for case in hole_cases(tmp_path, large=True)] == list(SMALL_HOLES)


def test_every_test_photo_is_large_enough_for_every_hole():
    kinds = Counter(case.hole_kind for case in hole_cases(DATA / "photos" / "test", large=True))
    assert kinds == dict.fromkeys(HOLES, 22)


def test_the_digest_stands_for_pixels_and_hole():
    case = HoleCase("a", "box", PHOTO, MASK)
    assert case.digest == HoleCase("b", "other", PHOTO.copy(), MASK.copy()).digest
    photo, mask = PHOTO.copy(), MASK.copy()
    photo[0, 0, 0] ^= 1
    mask[0, 0] ^= True
    assert len({case.digest, HoleCase("a", "box", photo, MASK).digest, HoleCase("a", "box", PHOTO, mask).digest}) == 3


def test_crops_lie_inside_their_photos_and_boxes_have_their_size(photos_folder):
    for case in cases(photos_folder / "test"):
        photo = np.asarray(Image.open(photos_folder / "test" / case.photo_name))
        windows = np.lib.stride_tricks.sliding_window_view(photo[..., 0], (CROP, CROP))
        assert (windows == case.photo[..., 0]).all(axis=(2, 3)).any()
        assert case.mask.shape == (CROP, CROP)
        if case.hole_kind.startswith("box"):
            assert case.mask.sum() == int(case.hole_kind.split()[1]) ** 2


def test_small_and_broken_photos_are_skipped_with_a_warning_that_names_them(tmp_path):
    Image.fromarray(texture(280, 280)).save(tmp_path / "good.png")
    Image.fromarray(texture(255, 400)).save(tmp_path / "small.png")
    (tmp_path / "broken.png").write_bytes(b"no photo")
    with pytest.warns(UserWarning) as caught:
        names = {case.photo_name for case in cases(tmp_path)}
    assert names == {"good.png"}
    assert "broken.png" in str(caught[0].message) and "small.png" in str(caught[1].message)


@pytest.mark.filterwarnings("ignore:photo skipped")
def test_a_folder_without_one_usable_photo_is_an_error(tmp_path):
    Image.fromarray(texture(40, 40)).save(tmp_path / "small.png")
    with pytest.raises(PhotoError, match="256 x 256"):
        evaluate(tmp_path, narrow_network())


@pytest.fixture
def quick_fills(monkeypatch):
    """In place of the fills that take seconds a hole, one that does not: for tests of what is done with results."""
    for name, fill in CLASSICAL_FILLS.items():
        if fill.slow:
            monkeypatch.setitem(CLASSICAL_FILLS, name, replace(fill, function=navier_stokes_fill))


def test_evaluation_measures_every_fill_on_every_case(photos_folder, monkeypatch, quick_fills):
    monkeypatch.setattr("glcic_lite.evaluation.protocol.BOX_SIDES", (32,))
    seen = []
    rows = evaluate(photos_folder / "test", narrow_network(), on_case=lambda case, filled: seen.append(case))
    assert len(seen) == 4
    assert len(rows) == 4 * len(FILLS)
    assert {row["fill"] for row in rows} == {*CLASSICAL_FILLS, *NETWORK_FILLS} - {"FSR best"}
    case = seen[2]
    wanted = {"photo": case.photo_name, "hole": case.hole_kind, "fill": "Telea"}
    (row,) = [row for row in rows if wanted.items() <= row.items()]
    filled = telea_fill(case.photo, case.mask)
    assert [row[name] for name in METRICS] == [measure(case.photo, filled, case.mask) for measure in METRICS.values()]


def test_kinds_of_holes_and_fills_can_be_chosen(photos_folder):
    rows = evaluate(photos_folder / "test", narrow_network(), holes=["box 48"], fills=["Telea", "network"])
    assert [(row["hole"], row["fill"]) for row in rows] == [("box 48", "Telea"), ("box 48", "network")] * 2
    assert all(row["seconds"] > 0 for row in rows)


def test_what_slow_fills_score_is_known_and_looked_up_only_for_the_very_same_hole(photos_folder, quick_fills):
    def of_network(rows):
        return [{k: v for k, v in row.items() if k != "seconds"} for row in rows if row["fill"] in NETWORK_FILLS]

    folder, shown = photos_folder / "test", []
    chosen = dict(holes=["box 32"], fills=["shift-map", "Telea", "network"])
    first = evaluate(folder, narrow_network(), **chosen, known=[])
    told = [{**row, "psnr": "1.5", "l1": "2", "seconds": "9"} for row in first]  # as text, and not what it would find
    again = evaluate(folder, narrow_network(), **chosen, known=told, on_case=lambda case, filled: shown.append(filled))
    assert [row["psnr"] for row in again if row["fill"] == "shift-map"] == [1.5, 1.5]
    assert [row["seconds"] for row in again if row["fill"] == "shift-map"] == [9, 9]
    assert all(row["psnr"] > 1.5 for row in again if row["fill"] != "shift-map") and of_network(again) == of_network(
        first
    )
    assert [list(filled) for filled in shown] == [["Telea", "network"]] * 2
    other = evaluate(folder, narrow_network(), seed=1, **chosen, known=told)
    assert all(row["psnr"] > 1.5 for row in other)
    older = [{k: v for k, v in row.items() if k != "haarpsi"} for row in told]
    assert all(row["psnr"] > 1.5 for row in evaluate(folder, narrow_network(), **chosen, known=older))


def test_the_shipped_rows_are_those_of_the_test_photos():
    """Every slow fill of the default table, for every case; and a sample of them measured again."""
    rows = {(row["case"], row["fill"]): row for row in read_rows(CLASSICAL_ROWS)}
    slow = [name for name in FILLS if name in CLASSICAL_FILLS and CLASSICAL_FILLS[name].slow]
    for number, case in enumerate(hole_cases(DATA / "photos" / "test", large=True)):
        for name in slow:
            row = rows[case.digest, name]
            assert (row["photo"], row["hole"]) == (case.photo_name, case.hole_kind)
            if number in (0, 31):
                again = measure_all(case.photo, CLASSICAL_FILLS[name](case.photo, case.mask), case.mask)
                assert float(row["psnr"]) == pytest.approx(again["psnr"], abs=0.3)  # versions of OpenCV differ a little


def test_holes_are_sorted_by_size_and_seconds_averaged():
    rows = [row("a", kind, "x", psnr=1.0, seconds="0.5") for kind in ("stroke 20", "box 128", "box 32", "box 96")]
    found = averages(rows)
    assert [mean["hole"] for mean in found] == ["box 32", "box 96", "box 128", "stroke 20"]
    assert found[0]["seconds"] == 0.5


def test_averages_are_taken_over_photos_for_each_hole_and_fill():
    def measured(photo, hole_kind, fill, value):
        return {"photo": photo, "hole": hole_kind, "fill": fill, "psnr": value, "ssim": value / 10, "texture": 1.0}

    rows = [
        measured("a", "box 32", "x", 1),
        measured("a", "box 32", "y", 5),
        measured("b", "box 32", "x", 4),
        measured("a", "box 48", "x", 7),
    ]
    found = {(r["hole"], r["fill"]): (r["photos"], r["psnr"], r["ssim"]) for r in averages(rows)}
    assert found == {
        ("box 32", "x"): (2, 2.5, pytest.approx(0.25)),
        ("box 32", "y"): (1, 5, 0.5),
        ("box 48", "x"): (1, 7, pytest.approx(0.7)),
    }


def row(photo, hole_kind, fill, **metrics):
    return {"photo": photo, "hole": hole_kind, "fill": fill, **metrics}


def test_averages_work_with_numbers_read_as_text_and_with_metrics_missing():
    rows = [row("a", "box 32", "x", psnr="10.5", ssim="0.5"), row("b", "box 32", "x", psnr="11.5", ssim="0.7")]
    (mean,) = averages(rows)
    numbers = {name: value for name, value in mean.items() if not name.endswith("_interval")}
    assert numbers == {"hole": "box 32", "fill": "x", "photos": 2, "psnr": 11.0, "ssim": pytest.approx(0.6)}


def test_a_white_photo_spoils_no_average():
    white = np.full_like(PHOTO, 255)
    rows = []
    for photo, name in (*((PHOTO, f"a{n}") for n in range(FEWEST)), (white, "b")):
        for fill, filled in (("x", photo), ("y", np.full_like(PHOTO, 128))):
            rows.append({"photo": name, "hole": "box 32", "fill": fill} | measure_all(photo, filled, MASK))
    assert rows[-2]["psnr"] == float("inf") and np.isnan(rows[-2]["texture"])
    x, y = averages(rows)
    assert x["psnr"] == PSNR_LIMIT == x["psnr_interval"].low and np.isfinite(y["psnr"])
    assert (x["texture"], y["texture"]) == (1, 0)
    names = {row["photo"] for row in rows}
    assert set(paired_differences(rows, "x", "y")) == names
    assert paired_differences(rows, "x", "y", "texture") == dict.fromkeys(names - {"b"}, 1)
    (alone,) = averages(rows[-2:-1])
    assert np.isnan(alone["texture"])


def test_photos_of_one_name_in_two_folders_are_two(tmp_path):
    for number, folder in enumerate(("a", "b")):
        (tmp_path / folder).mkdir()
        Image.fromarray(noise(CROP, CROP, number)).save(tmp_path / folder / "1.png")
    assert {case.photo_name for case in hole_cases(tmp_path)} == {"a/1.png", "b/1.png"}


def test_averages_with_intervals_enclose_the_mean():
    rows = [row(str(n), "box 32", "x", psnr=float(n % 5), l1=float(n)) for n in range(10)]
    (mean,) = averages(rows)
    for metric in ("psnr", "l1"):
        assert mean[f"{metric}_interval"].low < mean[metric] < mean[f"{metric}_interval"].high


@pytest.mark.parametrize("photos", [FEWEST, 22])
@pytest.mark.parametrize(
    ("draw", "true_mean", "least"),
    [(lambda random, n: random.normal(3, 2, n), 3, 0.935), (lambda random, n: random.gamma(2, size=n), 2, 0.9)],
    ids=["normal", "skewed"],
)
def test_the_interval_contains_the_true_mean_about_19_times_in_20(photos, draw, true_mean, least):
    """For normal values exactly so; for skewed ones a little less often."""
    random = np.random.default_rng(1)
    found = [mean_interval(draw(random, photos)) for _ in range(2000)]
    covered = np.mean([interval.low < true_mean < interval.high for interval in found])
    assert least <= covered <= 0.965


def test_the_interval_is_the_t_interval():
    values = np.random.default_rng(2).normal(size=22)
    found = mean_interval(values.tolist())
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found == (pytest.approx(values.mean()), pytest.approx(low), pytest.approx(high))
    assert mean_interval([2.0] * FEWEST) == (2, 2, 2)


@pytest.mark.parametrize("photos", [0, 1, FEWEST - 1])
def test_of_few_values_there_is_no_interval(photos):
    found = mean_interval([5.0] * photos)
    assert found.mean == 5 or photos == 0
    assert np.isnan(found.low) and np.isnan(found.high) and found.ends() == "none"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.01, 0.2, HOLDS),
        (-2.0, -0.01, DOES_NOT_HOLD),
        (-0.3, 0.4, NO_DIFFERENCE),
        (-0.3, 0.6, UNDECIDED),
        (-0.6, 0.3, UNDECIDED),
        (float("nan"), float("nan"), UNDECIDED),
    ],
)
def test_the_verdict_follows_from_the_interval(low, high, expected):
    assert verdict(Interval(0.0, low, high), small=0.5) == expected
    without_small = verdict(Interval(0.0, low, high))
    assert without_small == (UNDECIDED if expected == NO_DIFFERENCE else expected)


def test_a_verdict_on_pairs_says_what_it_rests_on():
    random = np.random.default_rng(0)
    worse = random.normal(20, 3, 40)
    assert "c: HOLDS. In 40 of 40 pairs; mean difference +1.00 dB" in paired_verdict("c", worse + 1, worse, " dB")
    assert "DOES NOT HOLD. In 0 of 40" in paired_verdict("c", worse - 1, worse)
    assert "UNDECIDED" in paired_verdict("c", worse + random.normal(size=40) * 3, worse)
    assert "UNDECIDED" in paired_verdict("c", worse, worse)
    assert "NO DIFFERENCE LARGER THAN 0.5 dB. In 0 of 40" in paired_verdict("c", worse, worse, " dB", small=0.5)
    assert paired_verdict("c", worse, worse - 1) == paired_verdict("c", np.ones(40))
    few = paired_verdict("c", worse[:5] + 1, worse[:5], " dB")
    assert few == "c: UNDECIDED. In 5 of 5 pairs; mean difference +1.00 dB, interval none"


def runs(*levels):
    """Networks of the seeds 0, 1, ...: one value a photo, around each level."""
    return {seed: level + np.linspace(-0.1, 0.1, 22) for seed, level in enumerate(levels)}


@pytest.mark.parametrize(
    ("better", "worse", "word", "why"),
    [
        (runs(3, 3, 3), runs(2, 2, 2), HOLDS, "every one of 3 seeds"),
        (runs(3, 3, 3), runs(0, 0, 0), HOLDS, "every one of 3 seeds"),  # one of the two got past the baseline
        (runs(2, 2, 2), runs(3, 3, 3), DOES_NOT_HOLD, "every one of 3 seeds"),
        (runs(3, 3, 3), runs(3, 3, 3), NO_DIFFERENCE, "0.5 dB"),
        (runs(3, 3, 2), runs(2, 2, 3), UNDECIDED, "the seeds disagree: holds, holds, does not hold"),
        (runs(3, 3), runs(2, 2, 2), UNDECIDED, "2 of 3 pairs"),
        (runs(3, 3, 3), {1: runs(2)[0]}, UNDECIDED, "1 of 3 pairs"),
        ({}, {}, UNDECIDED, "0 of 3 pairs"),
        (runs(3, 0.9, 3), runs(2, 0, 2), UNDECIDED, "with seed 1 neither network is shown to be above the baseline"),
    ],
)
def test_several_seeds_decide_together_and_only_above_the_baseline(better, worse, word, why):
    found = verdict_over_seeds(better, worse, np.ones(22), (0, 1, 2), 0.5, " dB")
    assert found[0] == word and why in found[1]


def test_tiny_differences_are_printed_with_as_many_decimals_as_they_need():
    random = np.random.default_rng(0)
    line = paired_verdict("c", 0.0004 + 0.002 * random.normal(size=22), small=0.05)
    assert "NO DIFFERENCE LARGER THAN 0.05" in line and "0.00 " not in line and "-0.00," not in line
    assert decimals(Interval(1.0, 0.5, 1.5)) == 2 and decimals(Interval(0.01, -0.0004, 0.02)) == 4
    assert decimals(Interval(0.0, 0.0, 0.0)) == 2 and decimals(Interval(1e-9, -1e-9, 1e-8)) == 6
    assert decimals(Interval(0.5, float("nan"), float("nan"))) == 2


def test_paired_differences_are_taken_within_photo_and_hole():
    rows = [
        row("a", "box 32", "x", psnr=20.0),
        row("a", "box 32", "y", psnr=19.0),
        row("a", "box 48", "x", psnr=15.0),
        row("a", "box 48", "y", psnr=18.0),
        row("b", "box 32", "y", psnr=30.0),
        row("b", "box 32", "x", psnr=30.5),
    ]
    assert paired_differences(rows, "x", "y") == {"a": pytest.approx(-1), "b": pytest.approx(0.5)}
    assert paired_differences(rows, "y", "x", hole="box 48") == {"a": pytest.approx(3)}


def test_the_shipped_weights_beat_filling_with_the_mean_colour():
    """On the first three photos of the test split, blended and bare, for every kind of hole."""
    psnr: dict[str, list[float]] = {"mean": [], "bare": [], "blended": []}
    for number, case in enumerate(hole_cases(DATA / "photos" / "test")):
        if number == 12:
            break
        painted = network_fills(case.photo, case.mask)
        filled = {"mean": mean_fill(case.photo, case.mask), "bare": painted["network"]}
        for name, picture in (filled | {"blended": painted["network, blended"]}).items():
            psnr[name].append(hole_psnr(case.photo, picture, case.mask))
    assert np.mean(psnr["bare"]) > np.mean(psnr["mean"])
    assert np.mean(psnr["blended"]) > np.mean(psnr["mean"])
