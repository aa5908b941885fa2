"""The photos and masks in the repository: files and tables agree."""

import csv
import re

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from glcic_lite.files import DATA
from glcic_lite.method.photos import list_photos, open_photo

PHOTOS, MASKS = DATA / "photos", sorted((DATA / "masks").glob("*.png"))
with open(PHOTOS / "ATTRIBUTION.csv", newline="", encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))


def photo_of(mask):
    return PHOTOS / "test" / f"{mask.stem.split('--')[0]}.jpg"


def test_every_photo_has_one_row_in_the_table_and_every_row_a_photo():
    files = [str(path.relative_to(PHOTOS).as_posix()) for path in list_photos(PHOTOS)]
    assert sorted(row["file"] for row in ROWS) == sorted(files)


def test_photos_are_split_into_train_val_and_test():
    assert {row["file"].split("/")[0] for row in ROWS} == {"train", "val", "test"}
    names = [row["file"].split("/")[1] for row in ROWS]
    assert len(names) == len(set(names)), "a photo in two splits"


@pytest.mark.parametrize("column", ["file", "title", "author", "licence", "source"])
def test_every_photo_has_what_its_attribution_needs(column):
    assert [row["file"] for row in ROWS if not row[column].strip()] == []


def test_licences_that_ask_for_a_link_have_one():
    assert [
        r["file"] for r in ROWS if r["licence"].startswith("CC") and not r["licence_url"].startswith("https://")
    ] == []


def test_licences_named_after_a_file_have_it_beside_them():
    for licence in {row["licence"] for row in ROWS if row["licence"].startswith("BSD")}:
        assert (PHOTOS / f"LICENSE-{licence}.txt").is_file()


def test_widths_and_heights_in_the_table_are_true():
    wrong = []
    for row in ROWS:
        with Image.open(PHOTOS / row["file"]) as image:
            if image.size != (int(row["width"]), int(row["height"])):
                wrong.append(row["file"])
    assert wrong == []


def test_photos_open_as_they_are_without_any_conversion():
    for path in list_photos(PHOTOS / "test"):
        with Image.open(path) as image:
            assert image.mode == "RGB" and open_photo(path).size == image.size


def test_there_are_at_least_eight_masks():
    assert len(MASKS) >= 8


@pytest.mark.parametrize("path", MASKS, ids=lambda path: path.stem)
def test_a_mask_has_the_name_and_the_size_of_its_photo_and_is_black_and_white(path):
    with Image.open(path) as image, Image.open(photo_of(path)) as photo:
        assert image.mode == "L" and image.size == photo.size
        assert set(np.unique(np.asarray(image)).tolist()) == {0, 255}


@pytest.mark.parametrize("path", MASKS, ids=lambda path: path.stem)
def test_a_mask_is_shaped_like_an_object_not_like_a_box(path):
    mask = np.asarray(Image.open(path)) > 0
    parts = ndimage.find_objects(ndimage.label(mask)[0])
    in_boxes = sum((rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in parts)
    assert mask.sum() < 0.9 * in_boxes


def rows_of_the_readme():
    lines = (DATA / "masks" / "README.md").read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| `", line)]


def test_the_readme_of_the_masks_lists_every_mask_with_its_photo():
    listed = {row[0].strip("`"): row[1].strip("`") for row in rows_of_the_readme()}
    assert listed == {path.name: photo_of(path).name for path in MASKS}


def test_the_readme_of_the_masks_says_what_each_covers_and_its_true_share():
    for name, _, covers, share, _ in rows_of_the_readme():
        mask = np.asarray(Image.open(DATA / "masks" / name.strip("`"))) > 0
        assert covers
        assert float(share) == pytest.approx(100 * mask.mean(), abs=0.006), name
