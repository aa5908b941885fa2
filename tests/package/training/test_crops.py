"""A folder of photos as training samples: random crops, what is kept in memory, the mean colour."""

import pickle
import tracemalloc
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from glcic_lite.method.photos import PhotoError, list_photos, open_photo
from glcic_lite.training.crops import PhotoCrops, _has_contrast, mean_colour
from inputs import folder_with, noise


def test_training_keeps_few_bytes_a_photo(tmp_path):
    for number in range(3000):
        (tmp_path / f"Places365_train_{number:08d}.jpg").touch()
    longest = len(str(tmp_path / "Places365_train_00000000.jpg"))
    sizes = []
    for _ in range(3):  # Python's own table of interned strings may grow once meanwhile, by megabytes
        tracemalloc.start()
        crops = PhotoCrops(tmp_path, 32, (32, 40))
        sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert len(crops.paths) == 3000
    assert min(sizes) < longest * 3000 + 100_000, "paths would be a million"
    assert len(pickle.dumps(crops)) < longest * 3000 + 10_000, "what a worker that is not forked is sent"


def test_sample_n_shows_the_photo_that_its_seed_draws(tmp_path):
    """In the order of paths, by the first number of the generator seeded with (seed, n)."""
    for number in range(7):
        Image.fromarray(np.full((40, 40, 3), 30 * number, np.uint8)).save(tmp_path / f"{number}.png")
    crops = PhotoCrops(tmp_path, 32, (32, 40), seed=5, least_contrast=0)
    for n in range(20):
        drawn = np.random.default_rng((5, n)).integers(7)
        assert np.rint(crops[n].mean() * 255) == 30 * drawn


def test_the_memory_for_decoded_photos_is_shared_by_the_workers(tmp_path, monkeypatch):
    folder = folder_with(tmp_path, **{f"p{i}_png": noise(40, 40, i) for i in range(8)})
    cost = 4 * 40 * 40
    alone, worker = (PhotoCrops(folder, 32, (32, 40), cache_bytes=8 * cost) for _ in range(2))
    for i in range(60):
        alone[i]
    monkeypatch.setattr("glcic_lite.training.crops.get_worker_info", lambda: SimpleNamespace(num_workers=4))
    for i in range(60):
        worker[i]
    assert (len(alone._cache), len(worker._cache)) == (8, 2)


@pytest.mark.parametrize(
    "workers, processes, free, photos",
    [(1, 1, 1000, 8), (15, 1, 1000, 8), (4, 1, 32, 2), (4, 2, 32, 1), (15, 1, 4, 0)],
    ids=["one", "each has room for all", "little memory", "little memory, two GPUs", "hardly any"],
)
def test_every_worker_keeps_the_photos_that_fit_into_a_quarter_of_the_free_memory(
    tmp_path, monkeypatch, workers, processes, free, photos
):
    """Not a gigabyte divided by all workers: with fifteen, most photos were decoded anew for each crop."""
    folder = folder_with(tmp_path, **{f"p{i}_png": noise(40, 40, i) for i in range(8)})
    cost = 4 * 40 * 40
    monkeypatch.setattr("glcic_lite.training.crops.DECODED_BYTES", 8 * cost)
    monkeypatch.setattr(
        "glcic_lite.training.crops.psutil.virtual_memory", lambda: SimpleNamespace(available=free * cost)
    )
    monkeypatch.setattr("glcic_lite.training.crops.get_worker_info", lambda: SimpleNamespace(num_workers=workers))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    crops = PhotoCrops(folder, 32, (32, 40))
    for i in range(60):
        crops[i]
    assert len(crops._cache) == photos


def test_a_crop_of_a_large_jpeg_shows_the_same_part(tmp_path):
    photo = np.kron(noise(42, 60), np.ones((50, 50, 1), np.uint8))  # 2100 x 3000, in squares of 50 pixels
    (tmp_path / "jpg").mkdir()
    (tmp_path / "png").mkdir()
    Image.fromarray(photo).save(tmp_path / "jpg/a.jpg", quality=95, subsampling=0)
    Image.fromarray(photo).save(tmp_path / "png/a.png")
    fast, slow = (PhotoCrops(tmp_path / kind, 64, (64, 128)) for kind in ("jpg", "png"))
    for n in range(4):
        assert np.abs(fast[n] - slow[n]).mean() < 0.03


def test_the_mean_colour_of_many_photos_looks_at_some_all_over_the_folder(tmp_path, monkeypatch):
    for number in range(20):
        value = 200 if number < 10 else 100
        Image.fromarray(np.full((4, 4, 3), value, np.uint8)).save(tmp_path / f"{number:02d}.png")
    monkeypatch.setattr("glcic_lite.training.crops.MEAN_PHOTOS", 4)
    opened = []
    monkeypatch.setattr(
        "glcic_lite.training.crops.open_photo", lambda path, **o: opened.append(path.name) or open_photo(path, **o)
    )
    assert mean_colour(tmp_path) == pytest.approx((150 / 255,) * 3, abs=1e-5)
    assert opened == ["00.png", "06.png", "13.png", "19.png"]


@pytest.mark.parametrize("use", [list_photos, mean_colour, lambda f: PhotoCrops(f, 32, (32, 64))])
@pytest.mark.parametrize("name, reason", [("missing", "no such folder"), ("empty", "no photos")])
def test_folders_without_photos_are_an_error(tmp_path, use, name, reason):
    (tmp_path / "empty").mkdir()
    with pytest.raises(PhotoError, match=reason):
        use(tmp_path / name)


def test_crop_n_is_always_the_same_crop(photos_folder):
    first, second = (PhotoCrops(photos_folder / "train", 32, (40, 80), seed=3) for _ in range(2))
    forwards = [first[i] for i in range(12)]
    backwards = [second[i] for i in reversed(range(12))][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(forwards, backwards, strict=True))


def test_crops_do_not_depend_on_the_cache(photos_folder):
    cached = PhotoCrops(photos_folder / "train", 32, (40, 80))
    uncached = PhotoCrops(photos_folder / "train", 32, (40, 80), cache_bytes=0)
    for i in (0, 1, 2, 1, 0):
        assert np.array_equal(cached[i], uncached[i])


def test_crops_differ_from_each_other_and_from_those_of_another_seed(photos_folder):
    crops = [PhotoCrops(photos_folder / "train", 32, (40, 80), seed=s)[i] for s in (0, 1) for i in range(6)]
    assert len({crop.tobytes() for crop in crops}) == 12


@settings(max_examples=40)
@given(
    st.tuples(st.integers(1, 200), st.integers(1, 200)),
    st.sampled_from([32, 64, 128]),
    st.tuples(st.integers(0, 50), st.integers(0, 100)),
)
def test_crops_of_photos_of_any_size_have_the_right_shape_and_range(tmp_path_factory, size, crop_size, more):
    folder = tmp_path_factory.mktemp("one")
    Image.fromarray(noise(*size)).save(folder / "photo.png")
    low = crop_size + more[0]
    crops = PhotoCrops(folder, crop_size, (low, low + more[1]), least_contrast=0)
    for i in range(4):
        crop = crops[i]
        assert crop.shape == (3, crop_size, crop_size) and crop.dtype == np.float32
        assert crop.min() >= 0 and crop.max() <= 1


def test_a_crop_of_the_photos_own_size_is_the_photo_or_its_mirror_image(tmp_path):
    photo = noise(64, 64)
    crops = PhotoCrops(folder_with(tmp_path, a_png=photo), 64, (64, 64))
    expected = photo.transpose(2, 0, 1).astype(np.float32) / 255
    seen = [crops[i] for i in range(16)]
    mirrored = [np.array_equal(crop, expected[:, :, ::-1]) for crop in seen]
    assert all(m or np.array_equal(crop, expected) for m, crop in zip(mirrored, seen, strict=True))
    assert 0 < sum(mirrored) < 16


def test_the_short_edge_decides_how_much_of_the_photo_a_crop_shows(tmp_path):
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None], (256, 256, 3))
    folder = folder_with(tmp_path, a_png=np.ascontiguousarray(ramp))
    for short_edge, rows in ((64, 256), (128, 128), (256, 64)):
        crop = PhotoCrops(folder, 64, (short_edge, short_edge), least_contrast=0)[0]
        assert abs(np.ptp(crop) * 255 - rows) <= rows * 64 / 64 / 10


def test_photos_are_never_enlarged_unless_they_are_smaller_than_the_crop(tmp_path):
    ramp = np.broadcast_to(np.arange(100, dtype=np.uint8)[:, None, None], (100, 100, 3))
    folder = folder_with(tmp_path, a_png=np.ascontiguousarray(ramp))
    crop = PhotoCrops(folder, 64, (500, 500), least_contrast=0)[0]  # enlarged to 500, it would show 13 rows
    assert abs(np.ptp(crop) * 255 - 63) <= 2


def test_crops_without_contrast_are_drawn_again(tmp_path):
    photo = np.full((64, 640, 3), 90, np.uint8)
    photo[:, 320:] = noise(64, 320)
    folder = folder_with(tmp_path, half_png=photo)
    lax = PhotoCrops(folder, 32, (64, 64), least_contrast=0)
    strict = PhotoCrops(folder, 32, (64, 64), least_contrast=8)
    assert any(lax[i].std() < 1e-3 for i in range(20))
    assert all(strict[i].mean(axis=0).std() * 255 >= 8 for i in range(20))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 80), st.floats(0, 60), st.floats(0, 60))
def test_the_contrast_of_a_crop_is_judged_by_all_of_its_rows(seed, least, of_quarter, of_rest):
    """Also where the quarter of the rows that is looked at first has more or less of it than the others."""
    random = np.random.default_rng(seed)
    spread = np.where(np.arange(64)[:, None, None] % 4 == 0, of_quarter, of_rest)
    crop = (128 + random.normal(size=(64, 64, 3)) * spread).clip(0, 255).astype(np.uint8)
    assert _has_contrast(crop, least) == (crop.sum(axis=2).std() / 3 >= least)


def test_a_folder_of_flat_photos_still_gives_crops(tmp_path):
    crops = PhotoCrops(folder_with(tmp_path, flat_png=np.full((40, 40, 3), 7, np.uint8)), 32, (32, 40))
    assert np.allclose(crops[0], 7 / 255)


def test_broken_photos_are_skipped_with_one_warning_each_that_names_them(tmp_path):
    crops = PhotoCrops(folder_with(tmp_path, good_png=noise(40, 40), bad_png=b"no photo", worse_jpg=b""), 32, (32, 40))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for i in range(40):
            crops[i]
    messages = sorted(str(w.message) for w in caught)
    assert len(messages) == 2
    assert "bad.png" in messages[0] and "worse.jpg" in messages[1]


@pytest.mark.filterwarnings("ignore:photo skipped")
def test_a_folder_of_broken_photos_is_an_error(tmp_path):
    folder = folder_with(tmp_path, a_png=b"no photo", b_png=b"neither")
    with pytest.raises(PhotoError, match="none of the 2 photos can be read"):
        PhotoCrops(folder, 32, (32, 40))[0]
    with pytest.raises(PhotoError, match="none of the photos can be read"):
        mean_colour(folder)


@pytest.mark.filterwarnings("ignore:photo skipped")
def test_photos_that_were_away_for_a_moment_are_read_again(tmp_path):
    (tmp_path / "photos").mkdir()
    folder = folder_with(tmp_path / "photos", a_png=noise(40, 40), b_png=noise(40, 40, 1))
    crops = PhotoCrops(folder, 32, (32, 40))
    folder.rename(tmp_path / "away")
    with pytest.raises(PhotoError, match="none of the 2 photos can be read"):
        crops[0]
    (tmp_path / "away").rename(folder)
    assert crops[0].shape == (3, 32, 32)


@pytest.mark.parametrize("short_edge", [(31, 64), (64, 63)])
def test_a_short_edge_that_cannot_be_is_refused(photos_folder, short_edge):
    with pytest.raises(ValueError, match="short_edge"):
        PhotoCrops(photos_folder / "train", 32, short_edge)


def test_mean_colour_counts_each_photo_the_same_whatever_its_size(tmp_path):
    small, large = np.full((4, 4, 3), (255, 0, 51), np.uint8), np.full((90, 90, 3), (0, 0, 153), np.uint8)
    assert mean_colour(folder_with(tmp_path, a_png=small, b_png=large)) == pytest.approx((0.5, 0, 0.4), abs=1e-5)


def test_mean_colour_skips_broken_photos_with_a_warning(tmp_path):
    folder = folder_with(tmp_path, a_png=np.full((4, 4, 3), 255, np.uint8), b_png=b"no photo")
    with pytest.warns(UserWarning, match="b.png"):
        assert mean_colour(folder) == (1, 1, 1)
