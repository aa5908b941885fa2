"""Publishing a run: weights with logs, measurements, a sheet of completions, and a card that says what was measured."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from glcic_lite.evaluation.fills import CLASSICAL_FILLS, NETWORK_FILLS, telea_fill
from glcic_lite.evaluation.protocol import FILLS, HOLES, SMALL_HOLES, hole_cases
from glcic_lite.evaluation.publishing import (
    COLUMNS,
    SHEET_CROP,
    SHEET_FILLS,
    iterations_of_phases,
    markdown_table,
    model_card,
    publish,
    save_in_half,
    sheet_strip,
    verdict_lines,
)
from glcic_lite.evaluation.statistics import (
    DOES_NOT_HOLD,
    HOLDS,
    NO_DIFFERENCE,
    UNDECIDED,
    averages,
    mean_interval,
    paired_differences,
    verdict,
)
from glcic_lite.files import DATA, NOTEBOOKS, REPOSITORY, SHIPPED_WEIGHTS
from glcic_lite.method.networks import CompletionNetwork, ContextDiscriminator
from glcic_lite.method.photos import list_photos
from glcic_lite.training.run_folder import RunError, RunFolder
from glcic_lite.training.settings import LESSON
from inputs import NARROW, narrow_network, texture


@pytest.fixture(scope="module")
def test_photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("test")
    Image.fromarray(texture(270, 300)).save(folder / "one.png")
    return folder


@pytest.fixture(autouse=True)
def quick_fills(monkeypatch):
    """Publishing is tested here, not the fills: in place of those that take seconds a hole, one that does not."""
    for name, fill in CLASSICAL_FILLS.items():
        if fill.slow:
            monkeypatch.setitem(CLASSICAL_FILLS, name, replace(fill, function=telea_fill))


@pytest.fixture
def run_folder(tmp_path):
    """A run that has done 40 iterations of phase 1 and 20 of phase 2."""
    run = RunFolder(tmp_path / "run")
    run.claim()
    run.start(LESSON, "no")
    for iteration, phase in ((20, 1), (40, 1), (60, 2)):
        run.append(
            "log.csv", {"iteration": iteration, "phase": phase, "seconds": iteration * 60, "reconstruction": 0.1}
        )
    run.append("validation.csv", {"iteration": 60, "phase": 2, "seconds": 3600, "psnr": 15.0})
    narrow_network(seed=1).save_pretrained(run.path / "network")
    narrow_network(seed=2).save_pretrained(run.path / "best")
    ContextDiscriminator(128, 64, NARROW).save_pretrained(run.path / "discriminators")
    return run.path


@pytest.mark.parametrize(("weights", "seed"), [("network", 1), ("best", 2)])
def test_a_published_folder_holds_everything_and_opens(run_folder, test_photos, tmp_path, weights, seed):
    out = tmp_path / "mine"
    rows = publish(run_folder, out, test_photos, train_photos=162, weights=weights)
    for trained, shipped in (
        (narrow_network(seed=seed), CompletionNetwork.from_pretrained(out)),
        (
            ContextDiscriminator.from_pretrained(run_folder / "discriminators"),
            ContextDiscriminator.from_pretrained(out / "discriminators"),
        ),
    ):
        shipped = shipped.state_dict()
        for name, value in trained.state_dict().items():
            assert torch.allclose(shipped[name], value, rtol=1e-3, atol=1e-6)
            assert shipped[name].dtype == value.dtype
    for name in ("settings.json", "log.csv", "validation.csv"):
        assert (out / name).read_bytes() == (run_folder / name).read_bytes()
    assert not (out / "history.md").exists()
    assert markdown_table(RunFolder(out).rows("evaluation.csv")) == markdown_table(rows)
    card = (out / "README.md").read_text(encoding="utf-8")
    assert markdown_table(rows) in card
    assert "phase 1 40 iterations, phase 2 20 iterations, phase 3 has not begun" in card
    assert "1.0 hours" in card and "162 photos" in card
    assert Image.open(out / "completions.jpg").width == 2 * len(COLUMNS) * SHEET_CROP + 16


def test_iterations_after_the_weights_were_kept_are_not_counted(run_folder, test_photos, tmp_path):
    row = {"iteration": 75, "phase": 3, "seconds": 4500, "reconstruction": 0.1}
    RunFolder(run_folder).append("log.csv", row)  # a run that was stopped, or is in progress
    publish(run_folder, tmp_path / "mine", test_photos, train_photos=162)
    card = (tmp_path / "mine" / "README.md").read_text(encoding="utf-8")
    assert "60 iterations, 1.0 hours" in card and "phase 3 has not begun" in card


def test_weights_trained_further_are_published_with_the_whole_log_and_history(run_folder, test_photos, tmp_path):
    (run_folder / "history.md").write_text("At first, boxes alone.\n")
    publish(run_folder, tmp_path / "first", test_photos, train_photos=162)
    further = RunFolder(tmp_path / "further")
    further.claim()
    further.start(LESSON, "no")
    further.keep_earlier_logs(tmp_path / "first")
    assert (further.path / "history.md").read_text() == "At first, boxes alone.\n"
    further.append("log.csv", {"iteration": 20, "phase": 1, "seconds": 600.0, "reconstruction": 0.05})
    further.append("validation.csv", {"iteration": 20, "phase": 1, "seconds": 600.0, "psnr": 16.0, "box_8": 16.0})
    narrow_network(seed=3).save_pretrained(further.path / "network")
    publish(further.path, tmp_path / "second", test_photos, train_photos=162)
    log, validation = (RunFolder(tmp_path / "second").rows(name) for name in ("log.csv", "validation.csv"))
    assert [(row["iteration"], row["phase"], float(row["seconds"])) for row in log] == [
        ("20", "1", 1200), ("40", "1", 2400), ("60", "2", 3600), ("80", "1", 4200)
    ]  # fmt: skip
    assert [(row["iteration"], row["psnr"], row["box_8"]) for row in validation] == [
        ("60", "15.0", ""), ("80", "16.0", "16.0")
    ]  # fmt: skip
    card = (tmp_path / "second/README.md").read_text(encoding="utf-8")
    assert "80 iterations, " in card and "batches of 8 crops" in card
    assert "phase 1 60 iterations, phase 2 20 iterations" in card
    assert "At first, boxes alone." in card


@pytest.mark.parametrize("missing", ["log.csv", "validation.csv", "network"])
def test_a_run_that_has_not_come_to_its_first_validation_is_refused(run_folder, test_photos, tmp_path, missing):
    (run_folder / missing).rename(tmp_path / "away")
    with pytest.raises(RunError, match=f"no {missing} in it yet"):
        publish(run_folder, tmp_path / "out", test_photos, train_photos=162)
    assert not (tmp_path / "out").exists()


def test_a_call_that_fails_leaves_what_was_published_before(run_folder, test_photos, tmp_path):
    (run_folder / "history.md").write_text("At first, boxes alone.\n")
    out = tmp_path / "out"
    publish(run_folder, out, test_photos, train_photos=162)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    narrow_network(seed=9).save_pretrained(run_folder / "network")

    def stop(case, filled):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(run_folder, out, test_photos, train_photos=162, on_case=stop)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out"], "something was left behind"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("history.md", "Größe".encode("latin-1")),
        ("log.csv", b""),
        ("log.csv", b"iteration,phase,seconds\n"),
        ("validation.csv", b"iteration,phase,seconds,psnr\n"),
        ("validation.csv", b"iteration,phase,seconds,psnr\nx,y,z,1\n"),
    ],
)
def test_a_run_whose_logs_are_damaged_is_named_before_the_work(run_folder, test_photos, tmp_path, file, content):
    (run_folder / file).write_bytes(content)
    with pytest.raises(RunError, match="run"):
        publish(run_folder, tmp_path / "out", test_photos, train_photos=162, on_case=lambda *case: pytest.fail("work"))
    assert not (tmp_path / "out" / "README.md").exists()


@pytest.mark.parametrize("out", [".", "run", "run/network", "linked/best", "run/new", "notes", "notes/text", "x" * 300])
def test_a_place_that_holds_anything_else_is_refused_before_the_work(run_folder, tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "linked").symlink_to("run")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/text").write_text("precious")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises((RunError, OSError), match=out.replace("linked", "")[:40]):
        publish(run_folder, out, tmp_path / "no photos", train_photos=162)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_iterations_are_counted_by_phase_however_often_a_phase_comes():
    log = [{"iteration": str(end), "phase": str(phase)} for end, phase in ((5, 1), (9, 1), (12, 2), (20, 3), (27, 1))]
    assert iterations_of_phases(log) == {1: 9 + 7, 2: 3, 3: 8}


def test_half_precision_moves_the_output_by_a_small_part_of_a_grey_level(tmp_path):
    network = narrow_network(seed=1)
    photo, mask = torch.rand(2, 3, 64, 64), torch.zeros(2, 1, 64, 64)
    mask[:, :, 20:40, 20:40] = 1
    with torch.inference_mode():
        before = network.eval()(photo, mask)
        save_in_half(network, tmp_path)
        after = CompletionNetwork.from_pretrained(tmp_path)(photo, mask)
    assert 0 < 255 * (after - before).abs().mean() < 0.1


def test_the_sheet_shows_the_photo_and_never_the_truth_under_the_hole(test_photos):
    case = next(case for case in hole_cases(test_photos) if case.hole_kind == "box 48")
    sheet = sheet_strip(
        case, {name: fill(case.photo, case.mask) for name, fill in dict.fromkeys(SHEET_FILLS, telea_fill).items()}
    )
    with_hole, photo = sheet[:, :SHEET_CROP], sheet[:, SHEET_CROP : 2 * SHEET_CROP]
    hole = (with_hole == 128).all(axis=2)
    assert 48 * 48 <= hole.sum() < 48 * 48 + 50
    assert np.array_equal(with_hole[~hole], photo[~hole])


def test_the_card_of_the_shipped_weights_states_what_was_measured():
    rows = RunFolder(SHIPPED_WEIGHTS).rows("evaluation.csv")
    card = (SHIPPED_WEIGHTS / "README.md").read_text(encoding="utf-8")
    machine = re.search(r"Computed on (.*)\.\n", card)[1]
    assert card == model_card(SHIPPED_WEIGHTS, "lite", len(list_photos(DATA / "photos" / "train")), machine)
    assert {row["photos"] for row in averages(rows)} == {22}


def test_the_shipped_weights_are_small():
    assert sum(path.stat().st_size for path in SHIPPED_WEIGHTS.rglob("*")) < 15e6


# What the documents say of the shipped weights: each sentence holds in the measurements, or the test names it.

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
README_FILLS = ("mean colour", "harmonic", "biharmonic", "Telea", "FSR fast", "shift-map", "network, blended")


@pytest.fixture(scope="module")
def shipped_rows():
    return RunFolder(SHIPPED_WEIGHTS).rows("evaluation.csv")


def lesson(name):
    notebook = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    return "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")


def where(rows, word, other, metric="psnr", small=0.5):
    """The holes in which the completions' lead over another fill gets this verdict."""
    return [
        hole
        for hole in HOLES
        if verdict(mean_interval([*paired_differences(rows, "network, blended", other, metric, hole).values()]), small)
        == word
    ]


def test_the_readmes_table_is_that_of_the_measurements(shipped_rows):
    table = re.search(r"<!-- the table of the weights -->\n(.*?)\n<!-- its end -->", README, re.DOTALL)[1]
    assert table == markdown_table(shipped_rows, ("psnr", "texture"), README_FILLS)


def test_what_the_readme_and_lesson_00_say_of_the_weights_was_measured(shipped_rows):
    small, large = ["box 32", "box 48", "box 64", "stroke 20"], ["box 96", "box 128", "box 192"]
    text, first = (" ".join(words.split()) for words in (README, lesson("00_complete_a_photo")))
    means = {(row["fill"], row["hole"]): row for row in averages(shipped_rows)}

    assert "In every hole the network has a higher PSNR than the shift-map and Telea's fill" in text
    assert set(where(shipped_rows, HOLDS, "shift-map")) == set(where(shipped_rows, HOLDS, "Telea")) == set(HOLES)
    assert (
        "In PSNR it is ahead of OpenCV's frequency selective reconstruction (FSR) in boxes of 96 pixels and more"
        in text
    )
    assert (
        "in smaller ones and in strokes these photos cannot tell network and FSR apart, in PSNR or in texture" in text
    )
    assert (
        "Up to 64 pixels, and in strokes, these photos cannot tell it from the network, neither in decibels nor"
        in first
    )
    for hole in HOLES:
        ends = [
            mean_interval([*paired_differences(shipped_rows, other, "network, blended", "texture", hole).values()])
            for other in ("FSR fast", "Telea")
        ]
        if hole in large:
            assert min(interval.low for interval in ends) > 0, "where FSR, and Telea's fill, have more texture"
        else:
            assert ends[0].low < 0 < ends[0].high
    assert "lifts the mean from 0.23 to 0.44" in first and "it is 0.23 without it" in text
    flat = [row for row in shipped_rows if (row["fill"], row["hole"]) == ("mean colour", "box 32")]
    without_the_sky = sorted(float(row["texture"]) for row in flat)[:-1]
    assert f"{np.mean(without_the_sky):.2f}" == "0.23"
    assert where(shipped_rows, HOLDS, "FSR fast") == large
    assert set(where(shipped_rows, UNDECIDED, "FSR fast")) == set(small)
    assert "and the harmonic fill, the smoothest of all, these photos name no winner by PSNR in any hole" in text
    assert where(shipped_rows, HOLDS, "harmonic") == where(shipped_rows, DOES_NOT_HOLD, "harmonic") == []
    for words in (text, first):
        assert "about half of the photo's texture" in words
    assert all(0.4 < means["network, blended", hole]["texture"] < 0.6 for hole in small)
    assert "nearly all the texture" in text and "2.5 dB or more" in text
    for hole in HOLES:
        assert 0.75 < means["shift-map", hole]["texture"] < 1.05
        assert means["network, blended", hole]["psnr"] - means["shift-map", hole]["psnr"] > 2.5

    assert "in the largest boxes fewer than a single flat colour" in first
    for hole in large:
        behind = [*paired_differences(shipped_rows, "mean colour", "shift-map", hole=hole).values()]
        assert (mean_interval(behind).low > 0) == (hole == "box 192")
    assert "no other is far ahead of it in decibels, but it has less than a third of the texture" in first
    assert "The network is about level with it in decibels, with more texture" in first
    for hole in HOLES:
        others = ("mean colour", "Telea", "FSR fast", "shift-map", "network, blended")  # those of the lesson's table
        assert max(means[fill, hole]["psnr"] for fill in others) < means["harmonic", hole]["psnr"] + 0.75
        assert abs(means["network, blended", hole]["psnr"] - means["harmonic", hole]["psnr"]) < 0.75
        harmonic, network, copied = (means[f, hole]["texture"] for f in ("harmonic", "network, blended", "shift-map"))
        assert harmonic < min(network, 1 / 3) and network < copied


def test_what_lesson_09_says_of_the_contest_was_measured(shipped_rows):
    text = " ".join(lesson("09_evaluation_and_limits").split())
    boxes = [hole for hole in HOLES if hole.startswith("box")]
    assert "`complete` is ahead of FSR from 96 pixels on, at the largest size, too" in text
    assert [h for h in where(shipped_rows, HOLDS, "FSR fast") if h in boxes] == ["box 96", "box 128", "box 192"]
    assert "At *scale 1* the network is ahead of FSR at 96 pixels only; at 128 and 192 these photos cannot tell" in text
    at_full_size = [
        verdict(
            mean_interval(
                [*paired_differences(shipped_rows, "network, blended, scale 1", "FSR fast", hole=hole).values()]
            ),
            0.5,
        )
        for hole in ("box 96", "box 128", "box 192")
    ]
    assert at_full_size == [HOLDS, UNDECIDED, UNDECIDED]
    assert "6.5 dB behind the best at 32 pixels, 2.2 dB at 192" in text
    psnr = {(row["fill"], row["hole"]): row["psnr"] for row in averages(shipped_rows)}
    behind = [max(psnr[fill, h] for fill in FILLS) - psnr["mean colour", h] for h in ("box 32", "box 192")]
    assert [f"{value:.1f}" for value in behind] == ["6.5", "2.2"]
    assert "Against the smoothest fill of all `complete` is ahead *in decibels* at no size for certain" in text
    assert "certain: at 48, 128 and 192 pixels the mean is about three tenths of a decibel ahead" in text
    assert "of a decibel ahead, and its interval still touches zero" in text
    assert where(shipped_rows, HOLDS, "harmonic") == where(shipped_rows, DOES_NOT_HOLD, "harmonic") == []
    for hole in boxes:
        lead = np.mean([*paired_differences(shipped_rows, "network, blended", "harmonic", hole=hole).values()])
        assert (0.25 < lead < 0.35) == (hole in ("box 48", "box 128", "box 192"))
    assert "By L1, which forgives a few large errors, it is ahead at 128 and 192, by more than a level" in text
    fewer = {
        hole: mean_interval([*paired_differences(shipped_rows, "harmonic", "network, blended", "l1", hole).values()])
        for hole in boxes
    }
    assert [hole for hole in boxes if fewer[hole].low > 0] == ["box 128", "box 192"]
    assert min(fewer["box 128"].mean, fewer["box 192"].mean) > 1
    small = [row for row in shipped_rows if row["hole"] in SMALL_HOLES]
    means = {(row["fill"], row["hole"]): row for row in averages(small)}

    def over_all_four(other, metric="psnr", small_difference=0.5):
        differences = paired_differences(small, "network, blended", other, metric)
        return verdict(mean_interval(list(differences.values())), small_difference)

    assert "is ahead of the classics, of the biharmonic fill and of shift-map" in text
    assert {over_all_four(other) for other in ("Telea", "Navier-Stokes", "biharmonic", "shift-map")} == {HOLDS}
    assert "from the harmonic fill it differs by less than half a decibel" in text
    assert over_all_four("harmonic") == NO_DIFFERENCE and over_all_four("FSR fast") == UNDECIDED
    assert "more texture than Telea's fill, and far more than the harmonic one; whether more than FSR" in text
    assert {over_all_four(other, "texture", 0.05) for other in ("harmonic", "Telea")} == {HOLDS}
    assert all(
        means["network, blended", hole]["texture"] > 0.2 + means["harmonic", hole]["texture"] for hole in SMALL_HOLES
    )
    assert over_all_four("FSR fast", "texture", 0.05) == UNDECIDED


def test_a_card_says_if_the_losses_saw_the_painting_blended(tmp_path):
    folder = tmp_path / "weights"
    shutil.copytree(SHIPPED_WEIGHTS, folder, ignore=shutil.ignore_patterns("discriminators", "*.jpg", "history.md"))
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    cards = []
    for blending, share in ((False, 0), (True, 0), (True, 0.2)):
        changes = {"through_blending": blending, "bare_share": share}
        (folder / "settings.json").write_text(json.dumps(settings | changes))
        cards.append(model_card(folder, "lite", 162, "a machine"))
    without, with_it, with_share = cards
    assert "nothing in that run told it to avoid" in with_it and "its own error counted" not in with_it
    assert "its own error counted only 0.2 times as much" in with_share and "told it to avoid" not in with_share
    assert "`through_blending`" not in without.split("## Evaluation")[0]
    assert "judged each painting after it was blended into its photo" in with_it.split("## Evaluation")[0]
    assert "`validation.csv`.\n\nIn the last run, the losses" in with_it


def test_the_verdicts_on_a_card_are_those_of_the_rule(shipped_rows):
    lines = dict(line.removeprefix("- above ").split(": ", 1) for line in verdict_lines(shipped_rows).splitlines())
    assert set(lines) == set(FILLS) - set(NETWORK_FILLS)
    for other, line in lines.items():
        for part in line.split("; "):
            word, _, holes = part.rpartition(" in ")
            assert set(holes.split(", ")) == set(where(shipped_rows, word.removesuffix(" 0.5 dB"), other))
