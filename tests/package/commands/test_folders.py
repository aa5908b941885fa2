"""A folder of photos and masks: which belong together, what is left out and named, continuing after a stop."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glcic_lite import __main__ as command_line
from glcic_lite.commands import folders
from glcic_lite.commands.folders import complete_folder
from glcic_lite.method.masks import grow, mask_image
from glcic_lite.method.photos import PhotoError
from glcic_lite.speed.completion import complete
from glcic_lite.speed.fast_network import FastNetwork
from inputs import hole, narrow_network, texture

NETWORK = narrow_network()
MASK = hole(40, 60, (20, 10, 40, 30))
PHOTO = texture(40, 60)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Three photos, one of them in a subfolder, and their masks."""
    monkeypatch.chdir(tmp_path)
    for folder in ("photos/more", "masks/more"):
        os.makedirs(folder)
    Image.fromarray(PHOTO).save("photos/one.jpg")
    Image.fromarray(texture(40, 60, 1)).save("photos/two.png")
    Image.fromarray(texture(40, 60, 2)).save("photos/more/three.png")
    for name in ("one", "two--left", "two--right", "more/three"):
        mask_image(MASK).save(f"masks/{name}.png")
    return tmp_path


def names(paths):
    return [p.as_posix() for p in paths]


def run():
    return complete_folder("photos", "masks", "out", NETWORK)


def test_every_photo_is_completed_with_each_of_its_masks(here):
    report = run()
    expected = ["out/more/three.png", "out/one.png", "out/two--left.png", "out/two--right.png"]
    assert sorted(names(report.completed)) == expected
    assert not report.left_out and not report.already_there
    for result in expected:
        assert Image.open(result).size == (60, 40)
    single = complete("photos/two.png", "masks/two--left.png", NETWORK)
    assert np.array_equal(np.asarray(Image.open("out/two--left.png")), np.asarray(single))


def test_masks_may_lie_in_one_folder_and_photos_in_several(here):
    os.rename("masks/more/three.png", "masks/three.png")
    assert "out/more/three.png" in names(run().completed)


def test_photos_and_masks_may_share_a_folder(here):
    mask_image(MASK).save("photos/one--mask.png")
    report = complete_folder("photos", "photos", "out", NETWORK)
    assert names(report.completed) == ["out/one--mask.png"]
    assert sorted(report.left_out) == [
        "photos/more/three.png: no mask of this name in photos",
        "photos/two.png: no mask of this name in photos",
    ]


def test_what_cannot_be_used_is_named_and_the_rest_completed(here):
    (here / "photos/broken.png").write_bytes((here / "photos/two.png").read_bytes()[:300])
    mask_image(MASK).save("masks/broken.png")
    Image.fromarray(PHOTO).save("photos/alone.png")
    mask_image(MASK).save("masks/nobodys.png")
    mask_image(MASK[1:]).save("masks/two--low.png")
    mask_image(np.ones_like(MASK)).save("masks/two--all.png")
    report = run()
    assert len(report.completed) == 4
    assert len(report.left_out) == 5
    for words in (
        "broken.png: truncated",
        "alone.png: no mask",
        "nobodys.png: no photo",
        "two--low.png: the mask is 60 x 39",
        "two--all.png: the mask covers the whole photo",
    ):
        assert sum(words in reason for reason in report.left_out) == 1, words


@pytest.mark.parametrize(
    "photo, mask, belongs",
    [("a", "a--b", True), ("a", "a---b", True), ("a-", "a---b", True), ("a--b", "a--b--c", True), ("a", "a-b", False),
     ("a", "ab--c", False), ("a--b", "a--c", False), ("", "a", False)],
)  # fmt: skip
def test_a_mask_belongs_to_the_photo_whose_name_stands_before_the_dashes(photo, mask, belongs):
    assert (photo in folders._photo_names(mask)) is belongs


def test_two_photos_do_not_write_one_result(here):
    Image.fromarray(PHOTO).save("photos/one.png")
    report = run()
    assert names(report.completed).count("out/one.png") == 1
    assert len(report.left_out) == 1 and "already the result of" in report.left_out[0]


@pytest.mark.parametrize("broken, sound", [("photos/one.bmp", "photos/one.jpg"), ("masks/one.bmp", "masks/one.png")])
def test_a_broken_file_does_not_stand_in_the_way_of_a_sound_one_of_its_name(here, broken, sound):
    """A phone exports IMG.HEIC and IMG.JPG."""
    Path(broken).write_bytes(b"no picture")
    report = run()
    assert "out/one.png" in names(report.completed)
    assert len(report.left_out) == 1 and f"{broken}: not a picture" in report.left_out[0]
    again = run()
    assert "out/one.png" in names(again.already_there)
    assert len(again.left_out) == 1 and "already there, made of one of" in again.left_out[0]


def test_names_that_look_alike_belong_together(here):
    """macOS writes an accented letter as two characters, most other systems as one."""
    Image.fromarray(PHOTO).save("photos/\u00e9t\u00e9.png")
    mask_image(MASK).save("masks/e\u0301te\u0301.png")
    report = run()
    assert not report.left_out and len(report.completed) == 5


@pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="needs links")
def test_a_mask_that_is_a_link_to_itself_is_named(here):
    os.symlink("loop.png", "loop.png")
    with pytest.raises(PhotoError, match="loop.png: a link that leads nowhere"):
        complete_folder("photos", "loop.png", "out", NETWORK)


def test_a_second_call_continues_where_the_first_stopped(here, monkeypatch):
    def stop_after(count):
        seen = []

        def fill(*args):
            if len(seen) == count:
                raise KeyboardInterrupt
            seen.append(args)
            return complete(*args)

        return fill

    monkeypatch.setattr(folders, "complete", stop_after(2))
    with pytest.raises(KeyboardInterrupt):
        run()
    written = sorted(p for p in here.glob("out/**/*.png"))
    before = {p: p.stat().st_mtime_ns for p in written}
    assert len(written) == 2
    monkeypatch.setattr(folders, "complete", complete)
    report = run()
    assert len(report.already_there) == 2 and len(report.completed) == 2
    assert all(p.stat().st_mtime_ns == before[p] for p in written)
    assert not list(here.glob("out/**/.*")), "nothing half-written is left"


def test_a_changed_mask_is_completed_again(here):
    run()
    later = os.stat("out/one.png").st_mtime + 10
    os.utime("masks/one.png", (later, later))
    assert names(run().completed) == ["out/one.png"]


def test_results_inside_the_photos_folder_are_not_photos(here):
    first = complete_folder("photos", "masks", "photos/out", NETWORK)
    second = complete_folder("photos", "masks", "photos/out", NETWORK)
    assert len(first.completed) == len(second.already_there) == 4
    assert not second.left_out


@pytest.mark.parametrize("out", [".", ".."])
def test_the_photos_may_lie_in_the_folder_of_the_results(here, monkeypatch, out):
    os.makedirs("in")
    for folder in ("photos", "masks"):
        os.rename(folder, f"in/{folder}")
    monkeypatch.chdir(here / "in")
    report = complete_folder("photos", "masks", out, NETWORK)
    assert len(report.completed) == 4 and not report.left_out


def test_a_link_to_a_photo_that_is_gone_is_named_and_the_rest_completed(here):
    run()
    os.remove("out/one.png")
    os.remove("photos/two.png")
    os.symlink("nowhere.png", "photos/two.png")
    report = run()
    assert names(report.completed) == ["out/one.png"]
    assert len(report.left_out) == 2 and all("two.png" in reason for reason in report.left_out)


@pytest.mark.parametrize("out", ["photos/one.jpg", "photos/one.jpg/results"])
def test_results_cannot_lie_in_a_file(here, out):
    with pytest.raises(OSError, match=f"{out}: results need a folder, and .*one.jpg is not one"):
        complete_folder("photos", "masks", out, NETWORK)


@pytest.mark.parametrize("out", ["photos", "masks", "masks/../photos"])
def test_results_never_lie_among_photos_or_masks(here, out):
    with pytest.raises(PhotoError, match="folder of their own"):
        complete_folder("photos", "masks", out, NETWORK)


@pytest.mark.parametrize(
    "photos, masks", [("lost", "masks"), ("photos", "lost"), ("empty", "masks"), ("photos", "empty")]
)
def test_folders_without_photos_or_masks_are_an_error(here, photos, masks):
    os.mkdir("empty")
    with pytest.raises(PhotoError, match="lost: no such folder|empty: no photos"):
        complete_folder(photos, masks, "out", NETWORK)


def test_progress_is_reported(here):
    told = []
    complete_folder("photos", "masks", "out", NETWORK, on_start=told.append, on_each=told.append)
    assert told[0] == 4 and len(told) == 5


@pytest.fixture
def call(monkeypatch, capsys, weights_folder):
    """Runs the command line in this process: (exit status, standard output, standard error)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["glcic_lite", "complete", *arguments, "--weights", str(weights_folder)])
        with pytest.raises(SystemExit) as end:
            command_line.main()
        out, err = capsys.readouterr()
        return end.value.code or 0, out, err

    return call


def test_the_command_line_completes_a_folder_and_names_what_it_left_out(here, call):
    Image.fromarray(PHOTO).save("photos/alone.png")
    status, out, err = call("photos", "masks", "-o", "out")
    assert status == 0
    assert out == "out: 4 completed, 0 already there, 1 left out\n"
    assert err == "glcic_lite: left out: photos/alone.png: no mask of this name in masks\n"
    assert call("photos", "masks", "-o", "out")[1] == "out: 0 completed, 4 already there, 1 left out\n"


def test_a_folder_in_which_nothing_works_is_an_error(here, call):
    for path in (here / "photos").rglob("*.*"):
        path.write_text("no picture")
    status, _, err = call("photos", "masks", "-o", "out")
    assert status == 2
    assert err.splitlines()[-1] == "glcic_lite: photos: none of the photos could be completed"
    assert err.count("left out") == 4 and "Traceback" not in err
    assert not (here / "out").exists()


# Files that are left out, each with a true reason


def reason_for(report, name) -> str:
    reasons = [reason for reason in report.left_out if reason.startswith(name)]
    assert len(reasons) == 1, (name, report.left_out)
    return reasons[0]


@pytest.mark.parametrize("kind, suffix", [("JPEG", ".jfif"), ("GIF", ".gif"), ("JPEG2000", ".jp2"), ("TGA", ".tga")])
def test_whatever_a_single_call_reads_is_seen_in_a_folder(here, kind, suffix):
    Image.fromarray(PHOTO).save(f"photos/four{suffix}", format=kind)
    mask_image(MASK).save("masks/four.jfif", format="JPEG")
    assert "out/four.png" in names(run().completed)


def test_every_file_that_is_no_picture_is_named(here):
    for name in ("photos/raw.cr2", "photos/raw2.dng", "photos/README", "masks/one.svg", "masks/five.svg"):
        (here / name).write_text("no picture")
    (here / "photos/.hidden").touch()
    Image.fromarray(PHOTO).save("photos/five.jpg")
    mask_image(MASK).save("masks/raw.png")
    report = run()
    assert len(report.completed) == 4
    assert "ending .cr2" in reason_for(report, "photos/raw.cr2")
    assert "no ending" in reason_for(report, "photos/README")
    assert reason_for(report, "masks/raw.png") == "masks/raw.png: its photo is photos/raw.cr2, which is not read"
    assert reason_for(report, "photos/five.jpg") == "photos/five.jpg: its mask is masks/five.svg, which is not read"
    assert len(report.left_out) == 7


def test_a_mask_in_another_subfolder_than_its_photo_is_named_as_such(here):
    os.makedirs("masks/other")
    os.rename("masks/more/three.png", "masks/other/three.png")
    report = run()
    assert report.left_out == [
        "photos/more/three.png: its mask is in another folder, masks/other/three.png",
        "masks/other/three.png: its photo is in another folder, photos/more/three.png",
    ]


def test_masks_without_a_white_pixel_are_left_out_with_advice(here):
    label = Image.fromarray(MASK.astype(np.uint8), mode="P")
    label.putpalette([0, 0, 0, 128, 0, 0])
    label.save("masks/one.png")
    mask_image(np.zeros_like(MASK)).save("masks/two--left.png")
    report = run()
    assert sorted(names(report.completed)) == ["out/more/three.png", "out/two--right.png"]
    reason = reason_for(report, "photos/one.jpg")
    assert "masks/one.png: nothing in it is white" in reason and "128, 0, 0" in reason and "label picture" in reason
    assert "masks/two--left.png: nothing in it is white" in reason_for(report, "photos/two.png")
    assert not os.path.exists("out/one.png")


def test_what_the_results_format_cannot_hold_is_left_out_and_the_rest_completed(here):
    Image.new("RGB", (16400, 1)).save("photos/wide.png")
    mask = np.zeros((1, 16400), bool)
    mask[0, 7] = True
    mask_image(mask).save("masks/wide.png")
    report = complete_folder("photos", "masks", "out", NETWORK, ending=".webp")
    assert len(report.completed) == 4 and "16400 x 1" in reason_for(report, "out/wide.webp")


def test_masks_in_a_folder_inside_that_of_the_photos_are_not_photos(here):
    os.rename("masks", "photos/masks")
    report = complete_folder("photos", "photos/masks", "out", NETWORK)
    assert len(report.completed) == 4 and not report.left_out


# Other names, one mask, and options


def test_a_suffix_says_which_masks_belong_to_a_photo(here):
    for number in (1, 2):
        mask_image(MASK).save(f"photos/one_mask00{number}.png")
    report = complete_folder("photos", "photos", "out", NETWORK, mask_suffix="_mask001")
    assert names(report.completed) == ["out/one_mask001.png"]
    assert sorted(reason.partition(":")[0] for reason in report.left_out) == [
        "photos/more/three.png",
        "photos/one_mask002.png",
        "photos/two.png",
    ]


@pytest.mark.parametrize(
    "suffix, mask, photo",
    [("_m", "a_m.png", ["a"]), ("_m.png", "a_m.png", ["a"]), ("_m.png", "a_m.jpg", []), ("_m", "a.png", []),
     ("_m", "_m.png", []), ("", "a--b.png", ["a--b"]), (None, "a--b.png", ["a--b", "a"])],
)  # fmt: skip
def test_the_suffix_may_have_the_ending_too(suffix, mask, photo):
    assert folders._names_for(Path(mask), suffix) == photo


def test_one_mask_serves_all_photos_and_results_have_their_names(here):
    Image.fromarray(texture(30, 60)).save("photos/low.png")
    report = complete_folder("photos", "masks/one.png", "out", NETWORK)
    assert sorted(names(report.completed)) == ["out/more/three.png", "out/one.png", "out/two.png"]
    assert "the mask is 60 x 40 pixels, the photo 60 x 30" in reason_for(report, "photos/low.png")
    single = complete("photos/two.png", MASK, NETWORK)
    assert np.array_equal(np.asarray(Image.open("out/two.png")), np.asarray(single))


def test_the_one_mask_may_lie_among_the_photos(here):
    mask_image(MASK).save("photos/mask.png")
    report = complete_folder("photos", "photos/mask.png", "out", NETWORK)
    assert len(report.completed) == 3 and not report.left_out


@pytest.mark.parametrize("content, words", [(None, "mask.png: not a picture"), (0, "mask.png: nothing in it is white")])
def test_one_mask_that_cannot_be_used_is_an_error(here, call, content, words):
    if content is None:
        (here / "mask.png").write_text("no picture")
    else:
        Image.new("L", (60, 40), content).save("mask.png")
    status, _, err = call("photos", "mask.png", "-o", "out")
    assert status == 2 and words in err and err.count("\n") == 1
    assert not (here / "out").exists()


def test_the_options_of_a_single_call_hold_for_every_photo(here):
    options = {"grow_by": 3, "scale": 1 / 2, "ending": ".tif"}
    report = complete_folder("photos", "masks", "out", NETWORK, **options)
    assert len(report.completed) == 4 and all(path.suffix == ".tif" for path in report.completed)
    expected = complete("photos/one.jpg", grow(MASK, 3), NETWORK, scale=1 / 2)
    assert np.array_equal(np.asarray(Image.open("out/one.tif")), np.asarray(expected))


def test_results_have_the_format_and_quality_that_are_asked_for(here, call):
    sizes = []
    for quality in ("30", "95"):
        status, out, err = call("photos", "masks", "-o", f"out{quality}", "--format", "JPG", "--quality", quality)
        assert (status, err) == (0, "") and "4 completed" in out
        sizes.append((here / f"out{quality}/one.jpg").stat().st_size)
    assert sizes[0] < 0.6 * sizes[1]


def test_known_pixels_of_every_photo_keep_their_transparency(here):
    rgba = np.dstack([PHOTO, PHOTO[..., 0]])
    Image.fromarray(rgba).save("photos/two.png")
    complete_folder("photos", "masks", "out", NETWORK, keep_alpha=True)
    result = np.asarray(Image.open("out/two--left.png"))
    assert np.array_equal(result[~MASK], rgba[~MASK]) and (result[MASK, 3] == 255).all()
    assert Image.open("out/one.png").mode == "RGB", "it has no transparent part"


@pytest.mark.parametrize(
    "options, words",
    [
        (("--format", "xyz"), "unknown picture format '.xyz'"),
        (("--format", "jpg", "--keep-alpha"), "JPEG keeps no transparency"),
        (("--scale", "3"), "none of auto, 1, 1/2"),
        (("--grow", "-1"), "--grow"),
        (("--quality", "0"), "--quality"),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_line(here, call, options, words):
    status, _, err = call("photos", "masks", "-o", "out", *options)
    assert status == 2 and words in err and err.count("\n") == 1
    assert not (here / "out").exists()


def test_where_no_mask_belongs_to_a_photo_the_rules_are_named(here, call):
    mask_image(MASK).save("photos/one_mask001.png")
    status, _, err = call("photos", "photos", "-o", "out")
    assert status == 2 and err.count("left out") == 4
    assert "two hyphens" in err.splitlines()[-1] and "--mask-suffix" in err.splitlines()[-1]


# Photos and masks are never overwritten


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("which", ["photo", "mask"])
def test_a_result_that_would_replace_an_input_is_refused_before_anything_is_written(here, which):
    """The results' folder holds that of the photos or masks, and a subfolder of the photos has the same name."""
    inner = "photos" if which == "photo" else "masks"
    os.makedirs(f"photos/{inner}")
    Image.fromarray(PHOTO).save(f"photos/{inner}/two.jpg")
    mask_image(MASK).save("masks/two.png")
    before = contents(here)
    with pytest.raises(OSError, match=f"{inner}/two.*png: is one of the inputs"):
        complete_folder("photos", "masks", ".", NETWORK)
    assert contents(here) == before


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_links_to_inputs_are_refused_too(here, link):
    os.mkdir("out")
    link(here / "photos/two.png", "out/one.png")
    before = contents(here)
    with pytest.raises(OSError, match="out/one.png: is one of the inputs"):
        run()
    assert contents(here) == before


def test_a_linked_folder_of_results_is_no_way_round(here):
    os.mkdir("out")
    os.symlink(here / "photos/more", "out/more")
    with pytest.raises(OSError, match="out/more/three.png: is one of the inputs"):
        run()


def test_a_folder_where_a_result_belongs_is_refused_before_the_work(here, monkeypatch):
    os.makedirs("out/one.png")
    monkeypatch.setattr(folders, "complete", lambda *args: pytest.fail("worked"))
    with pytest.raises(OSError, match="out/one.png: is a folder"):
        run()


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="only Linux has a folder that not even root can write to")
@pytest.mark.parametrize("out", ["/proc/self/out", "x" * 300, "photos/two.png/out"])
def test_results_that_cannot_be_written_are_refused_before_the_work(here, monkeypatch, out):
    monkeypatch.setattr(folders, "complete", lambda *args: pytest.fail("worked"))
    with pytest.raises(OSError, match=out):
        complete_folder("photos", "masks", out, NETWORK)


def test_a_loop_of_links_and_a_pipe_are_named_and_the_rest_completed(here):
    os.symlink("loop.png", "photos/loop.png")
    os.mkfifo("photos/pipe.png")
    for name in ("loop", "pipe"):
        mask_image(MASK).save(f"masks/{name}.png")
    for already_there in (0, 4):
        report = complete_folder("photos", "masks", "photos/out", NETWORK)
        assert (len(report.completed), len(report.already_there)) == (4 - already_there, already_there)
        assert [reason.partition(":")[0] for reason in report.left_out] == ["photos/loop.png", "photos/pipe.png"]
        mask_image(MASK).save("photos/out/loop.png")  # a result of a photo that was there once


@pytest.mark.parametrize("ending", ["/../x.png", ".x/.png", "png", ""])
def test_what_is_no_ending_is_refused(here, ending):
    with pytest.raises(PhotoError, match="not the ending of a picture's name|unknown picture format"):
        complete_folder("photos", "masks", "out", NETWORK, ending=ending)
    assert not (here / "out").exists()


def test_the_network_is_prepared_once(here, monkeypatch):
    made = []
    prepare = FastNetwork.__init__
    monkeypatch.setattr(FastNetwork, "__init__", lambda self, *args: made.append(self) or prepare(self, *args))
    assert len(run().completed) == 4 and len(made) == 1


def test_a_photo_without_a_mask_is_not_overwritten_either(here):
    os.makedirs("photos/photos")
    for name in ("photos/alone.png", "photos/photos/alone.jpg"):
        Image.fromarray(PHOTO).save(name)
    os.mkdir("masks/photos")
    mask_image(MASK).save("masks/photos/alone.png")
    with pytest.raises(OSError, match="photos/alone.png: is one of the inputs"):
        complete_folder("photos", "masks", ".", NETWORK)
