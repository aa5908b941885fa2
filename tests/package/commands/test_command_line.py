"""The command line: what it writes, and one line on standard error with exit status 2 for what goes wrong."""

import csv
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

from glcic_lite import __main__ as command_line
from glcic_lite.commands.doctor import checks, opencv_check
from glcic_lite.evaluation.metrics import GRAIN_METRICS, METRICS
from glcic_lite.evaluation.protocol import FILLS
from glcic_lite.method.masks import mask_image
from glcic_lite.method.networks import ContextDiscriminator
from glcic_lite.method.pretrained import WeightsError
from glcic_lite.speed.completion import complete
from glcic_lite.training import SETTINGS, Settings, Trainer
from glcic_lite.training.log import TrainingLog
from glcic_lite.training.run_folder import RunFolder
from inputs import hole, narrow_network, noise, texture
from torch7_files import save, sequential, torch7_layers

PHOTO, MASK = texture(40, 60), hole(40, 60, (20, 10, 40, 30))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a photo and a mask, some of them broken."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(PHOTO).save("photo.png")
    mask_image(MASK).save("mask.png")
    mask_image(MASK[:, 1:]).save("narrow.png")
    mask_image(np.ones_like(MASK)).save("full.png")
    frames = [Image.fromarray(noise(40, 60, seed)) for seed in range(2)]
    frames[0].save("moving.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "broken.png").write_bytes((tmp_path / "photo.png").read_bytes()[:800])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command line in this process: (exit status, standard output, standard error)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["glcic_lite", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            command_line.main()
        out, err = capsys.readouterr()
        return end.value.code or 0, out, err

    return run


def every_path() -> list[tuple[str, str]]:
    """Each command with each of its arguments and options that is a path."""

    def commands(group, name=""):
        for word, command in group.commands.items():
            yield from commands(command, f"{name}{word} ") if hasattr(command, "commands") else [(name + word, command)]

    return [
        (name, parameter.opts[-1])
        for name, command in commands(get_command(command_line.app))
        for parameter in command.params
        if "Path" in str(getattr(getattr(parameter, "type_descriptor", None), "annotation", ""))
    ]


def assert_one_line(status, err, reason):
    assert status == 2
    assert err.startswith("glcic_lite: ") and reason in err
    assert err.count("\n") == 1 and err.endswith("\n"), err


# complete


@pytest.mark.parametrize("blend", [True, False])
def test_complete_writes_what_the_function_returns(folder, run, weights_folder, blend):
    flag = "--blend" if blend else "--no-blend"
    status, out, err = run("complete", "photo.png", "mask.png", "-o", "out.png", "--weights", weights_folder, flag)
    assert (status, err) == (0, "")
    assert "out.png: 60 x 40" in out
    expected = complete(PHOTO, MASK, narrow_network(), blend)
    assert np.array_equal(np.asarray(Image.open("out.png")), np.asarray(expected))


def test_complete_reads_and_writes_jpeg(folder, run, weights_folder):
    Image.fromarray(PHOTO).save("photo.jpg")
    mask_image(MASK).save("mask.jpg")
    status, _, err = run("complete", "photo.jpg", "mask.jpg", "--out", "out.jpg", "--weights", weights_folder)
    assert (status, err) == (0, "")
    with Image.open("out.jpg") as image:
        assert image.format == "JPEG" and image.size == (60, 40)


BAD_CALLS = {
    "long name": (f"{'a' * 300} mask.png -o out.png", "aaa: file name too long"),
    "no photo": ("lost.png mask.png -o out.png", "lost.png: no such file"),
    "broken photo": ("broken.png mask.png -o out.png", "broken.png: truncated"),
    "text as photo": ("text.png mask.png -o out.png", "text.png: not a picture"),
    "folder as photo": ("empty mask.png -o out.png", "empty: no photos in this folder"),
    "animated photo": ("moving.gif mask.png -o out.png", "moving.gif: an animated"),
    "no mask": ("photo.png lost.png -o out.png", "lost.png: no such file"),
    "mask of another size": ("photo.png narrow.png -o out.png", "59 x 40"),
    "mask over everything": ("photo.png full.png -o out.png", "whole photo"),
    "unknown format": ("photo.png mask.png -o out.xyz", "out.xyz"),
    "no such folder to write to": ("photo.png mask.png -o lost/out.png", "lost"),
    "folder to write over": ("photo.png mask.png -o empty/../folder.png", "folder.png"),
}


@pytest.mark.parametrize("arguments, reason", BAD_CALLS.values(), ids=BAD_CALLS.keys())
def test_complete_says_in_one_line_what_is_wrong(folder, run, weights_folder, arguments, reason):
    (folder / "folder.png").mkdir()
    before = sorted(p.name for p in folder.iterdir())
    status, _, err = run("complete", *arguments.split(), "--weights", weights_folder)
    assert_one_line(status, err, reason)
    assert sorted(p.name for p in folder.iterdir()) == before, "something was left behind"


@pytest.mark.parametrize("weights", ["lost", "empty", "photo.png"])
def test_bad_weights_are_named_in_one_line(folder, run, weights):
    status, _, err = run("complete", "photo.png", "mask.png", "-o", "out.png", "--weights", weights)
    assert_one_line(status, err, weights)


@pytest.mark.parametrize("bad", ["broken.png mask.png", "photo.png narrow.png", "photo.png full.png"])
def test_a_failing_call_leaves_the_old_output_as_it_was(folder, run, weights_folder, bad):
    (folder / "out.png").write_bytes(b"precious")
    assert run("complete", *bad.split(), "-o", "out.png", "--weights", weights_folder)[0] == 2
    assert (folder / "out.png").read_bytes() == b"precious"


def test_output_that_exists_is_replaced(folder, run, weights_folder):
    (folder / "out.png").write_bytes(b"old")
    assert run("complete", "photo.png", "mask.png", "-o", "out.png", "--weights", weights_folder)[0] == 0
    assert Image.open("out.png").size == (60, 40)


@pytest.mark.parametrize("arguments", ["complete photo.png", "complete photo.png mask.png", "train", "nonsense"])
def test_incomplete_calls_end_with_status_2_and_no_traceback(folder, run, arguments):
    status, _, err = run(*arguments.split())
    assert status == 2 and err and "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    ["bench complete --width 0", "bench train --rounds 0", "evaluate --seed -1", "train -o run --log-every 0",
     "train -o run --validate-every 0", "train -o run --workers -1"],
)  # fmt: skip
def test_numbers_that_cannot_be_are_refused(folder, run, arguments):
    status, _, err = run(*arguments.split())
    assert status == 2 and arguments.split()[-2] in err and "Traceback" not in err


def test_a_mask_without_a_hole_gives_the_photo_back_and_is_named(folder, run, weights_folder):
    Image.new("L", (60, 40)).save("black.png")
    status, out, _ = run("complete", "photo.png", "black.png", "-o", "out.png", "--weights", weights_folder)
    assert status == 0 and "black.png: nothing in it is white" in out
    assert Image.open("out.png").tobytes() == Image.open("photo.png").convert("RGB").tobytes()


def test_help_names_every_command():
    out = CliRunner().invoke(command_line.app, ["--help"]).stdout
    assert all(name in out for name in ("complete", "train", "evaluate", "doctor"))


def test_the_program_runs_as_a_module_without_a_traceback(folder):
    """The one test in a process of its own: the exit status and both streams as a shell sees them."""
    call = [sys.executable, "-m", "glcic_lite", "complete", "lost.png", "mask.png", "-o", "out.png"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120)
    assert done.stdout == ""
    assert_one_line(done.returncode, done.stderr, "lost.png: no such file")


@pytest.mark.parametrize(("file", "said"), [((), "no space left"), (("out.png",), "out.png: no space left")])
def test_system_errors_are_said_without_their_number(run, monkeypatch, file, said):
    def full(**_):
        raise OSError(28, "No space left", *file)

    monkeypatch.setattr(command_line, "app", full)
    assert run() == (2, "", f"glcic_lite: {said}\n")


def test_the_paths_of_all_commands_are_found():
    assert len(every_path()) >= 24


@pytest.mark.parametrize(("command", "path"), every_path())
def test_no_command_takes_an_empty_path_for_the_working_folder(folder, run, command, path):
    before = [other for name, other in every_path() if name == command and not other.startswith("-")]
    given = ["" if other == path else "x" for other in before] + ([path, ""] if path.startswith("-") else [])
    status, out, err = run(*command.split(), *given)
    assert_one_line(status, err, "this one is empty")
    assert not out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "Missing command"),
        (["nonsense"], "nonsense"),
        (["bench"], "Missing command"),
        (["complete", "photo.png"], "Missing argument 'mask'"),
        (["complete", "photo.png", "mask.png"], "--out"),
        *(
            (
                ["complete", "x.png", "m.png", "-o", "o.png", "--scale", scale],
                "none of auto, 1, 1/2, 1/3, 1/4 and so on",
            )
            for scale in ("0", "1e400", "1e999999999", "-1", "nan", "1/0", "1" * 5000)
        ),
        (["ablations", "-o", "x", "--seed", "4294967296"], "--seed"),
        (["classroom", "collect", "x", "--memory", "inf"], "--memory"),
        (["evaluate", "--sed", "3"], "--sed"),
        (["evaluate", "--seed", "three"], "--seed"),
        (["evaluate", "--seed", "-1"], "--seed"),
        (["doctor", "thoroughly"], "thoroughly"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused_in_one_line(folder, run, arguments, reason):
    status, out, err = run(*arguments)
    assert out == ""
    assert_one_line(status, err, reason)
    assert "--help" in err


def test_a_folder_of_photos_that_is_not_there_is_named_before_where_the_results_go(folder, run):
    status, _, err = run("complete", "lost", "masks", "-o", "results")
    assert_one_line(status, err, "lost: no such file or folder")


def test_what_cannot_be_written_is_refused_before_the_work(folder, run, weights_folder, monkeypatch):
    monkeypatch.setattr("glcic_lite.speed.completion.complete", lambda *given: pytest.fail("it has begun"))
    monkeypatch.setattr("glcic_lite.evaluation.protocol.evaluate", lambda *given, **more: pytest.fail("it has begun"))
    for arguments, reason in (
        (("complete", "photo.png", "mask.png", "-o", "lost/out.png"), "there is no folder lost"),
        (("complete", "photo.png", "mask.png", "-o", "out.xyz"), "unknown picture format"),
        (("evaluate", "empty", "-o", "lost/rows.csv"), "there is no folder lost"),
    ):
        status, out, err = run(*arguments, "--weights", weights_folder)
        assert_one_line(status, err, reason)


def test_a_warning_is_one_line_too(folder, weights_folder):
    os.makedirs("some")
    Image.fromarray(noise(256, 300)).save("some/a.png")
    (folder / "some/b.png").write_text("no picture")
    call = [sys.executable, "-m", "glcic_lite", "evaluate", "some", "--weights", str(weights_folder)]
    call += ["--hole", "box 32", "--fill", "mean colour"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert done.stderr.startswith("glcic_lite: photo skipped: some/b.png") and done.stderr.count("\n") == 1


def test_names_that_are_no_text_are_written_all_the_same(folder, run, weights_folder):
    os.makedirs("odd")
    Image.fromarray(noise(256, 300)).save(os.fsencode("odd/") + b"\xff.png", "PNG")
    status, out, err = run(
        "evaluate", "odd", "--weights", weights_folder, "-o", "rows.csv", "--hole", "box 32", "--fill", "Telea"
    )
    assert (status, err) == (0, "") and "Telea" in out
    assert "\\udcff.png" in (folder / "rows.csv").read_text()


def test_help_is_no_error(run):
    for arguments in (["--help"], ["bench", "--help"]):
        status, out, err = run(*arguments)
        assert (status, err) == (0, "") and "Usage" in out


# evaluate


def test_evaluate_prints_averages_and_writes_every_measurement(folder, run, weights_folder, photos_folder, monkeypatch):
    monkeypatch.setattr("glcic_lite.evaluation.protocol.BOX_SIDES", (32,))
    status, out, _ = run("evaluate", photos_folder / "test", "--weights", weights_folder, "--out", "rows.csv")
    assert status == 0
    assert "box 32" in out and "Telea" in out and "network, blended" in out and "L1" in out
    with open("rows.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * len(FILLS)
    assert set(rows[0]) == {"photo", "hole", "fill", "case", *METRICS, "seconds"}


def test_evaluate_measures_only_what_is_asked_for_and_takes_what_is_known(folder, run, weights_folder, photos_folder):
    asked = ("evaluate", photos_folder / "test", "--weights", weights_folder, "--hole", "box 32")
    status, out, _ = run(*asked, "--fill", "shift-map", "--fill", "network", "-o", "rows.csv")
    assert status == 0 and "shift-map" in out
    assert "Telea" not in out and "box 48" not in out
    told = re.sub(r"(,shift-map,\w+,)[\d.]+", r"\g<1>77.0", (folder / "rows.csv").read_text())
    (folder / "told.csv").write_text(told)
    status, out, _ = run(*asked, "--fill", "shift-map", "--known", "told.csv")
    assert status == 0 and "77.00" in out
    status, out, _ = run(*asked, "--fill", "shift-map", "--known", "told.csv", "--again")
    assert status == 0 and "77.00" not in out


def test_what_is_measured_is_written_before_it_is_printed(folder, run, weights_folder, photos_folder, monkeypatch):
    def closed(*words, **options):
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", closed)
    with pytest.raises((OSError, SystemExit)):
        run(
            "evaluate", photos_folder / "test", "--weights", weights_folder, "--hole", "box 32", "--fill", "harmonic",
            "-o", "rows.csv",
        )  # fmt: skip
    assert (folder / "rows.csv").read_text().count("\n") > 1


def test_too_little_memory_is_said_in_one_line(folder, run, monkeypatch):
    def greedy(*given, **options):
        raise MemoryError

    monkeypatch.setattr("glcic_lite.method.photos.picture_format", greedy)
    (folder / "p.png").write_bytes(b"")
    assert_one_line(*run("complete", "p.png", "m.png", "-o", "o.png")[::2], "not enough memory")


def test_evaluate_measures_grain_if_asked(folder, run, weights_folder, photos_folder):
    asked = ("evaluate", photos_folder / "test", "--weights", weights_folder, "--hole", "box 32", "--fill", "harmonic")
    status, out, _ = run(*asked, "--grain", "-o", "rows.csv")
    assert status == 0 and out.splitlines()[0].endswith("seconds colours mesh dB")
    with open("rows.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {"photo", "hole", "fill", "case", *METRICS, *GRAIN_METRICS, "seconds"}
    *_, colours, mesh = out.splitlines()[1].split()
    assert float(colours) == pytest.approx(np.mean([float(row["colour_texture"]) for row in rows]), abs=0.005)
    assert float(mesh) == pytest.approx(np.mean([float(row["mesh"]) for row in rows]), abs=0.05)
    assert float(colours) < 0.5 and float(mesh) < -5  # fog


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--hole", "box 33"), "box 33; there are box 32"),
        (("--fill", "magic"), "magic; there are mean colour"),
        (("--known", "lost.csv"), "there is no file lost.csv"),
    ],
)
def test_evaluate_refuses_what_does_not_exist(run, weights_folder, arguments, reason):
    status, _, err = run("evaluate", *arguments, "--weights", weights_folder)
    assert_one_line(status, err, reason)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--known", "photo.png"), "photo.png: not a table of measurements"),
        (("--known", "words.csv"), "words.csv: not a table of measurements"),
        (("-o", "some/../photo.png"), "photo.png: is one of the inputs"),
        (("-o", "words.csv", "--known", "words.csv"), "words.csv: is one of the inputs"),
    ],
)
def test_evaluate_reads_no_other_file_and_replaces_no_input(folder, run, weights_folder, arguments, reason):
    (folder / "some").mkdir()
    words = ["a", "FSR fast", *["many"] * (len(METRICS) + 1)]
    (folder / "words.csv").write_text(f"case,fill,seconds,{','.join(METRICS)}\n{','.join(words)}\n")
    before = {path: path.read_bytes() for path in folder.glob("*.*")}
    status, _, err = run("evaluate", ".", *arguments, "--weights", weights_folder)
    assert_one_line(status, err, reason)
    assert before == {path: path.read_bytes() for path in folder.glob("*.*")}


@pytest.mark.parametrize("photos, reason", [("empty", "no photos"), ("lost", "no such folder")])
def test_evaluate_names_a_folder_without_photos(folder, run, weights_folder, photos, reason):
    status, _, err = run("evaluate", photos, "--weights", weights_folder)
    assert_one_line(status, err, reason)


@pytest.mark.filterwarnings("ignore:photo skipped")
def test_evaluate_with_no_photo_large_enough_is_an_error_and_keeps_the_old_table(folder, run, weights_folder):
    (folder / "rows.csv").write_text("precious")
    (folder / "small").mkdir()
    Image.fromarray(PHOTO).save("small/photo.png")
    status, _, err = run("evaluate", "small", "--weights", weights_folder, "--out", "rows.csv")
    assert_one_line(status, err, "256 x 256")
    assert (folder / "rows.csv").read_text() == "precious"


# train


TINY = Settings(
    width=1 / 16,
    crop_size=64,
    local_size=32,
    short_edge=(64, 80),
    hole_sides=(16, 16),
    phase_1=1,
    phase_2=1,
    phase_3=1,
    batch_size=2,
    optimizer="adam",
    learning_rate=1e-3,
)


@pytest.fixture
def tiny_training(monkeypatch, fresh_accelerator):
    monkeypatch.setitem(SETTINGS, "lesson", TINY)
    monkeypatch.setattr("glcic_lite.training.validation.CROPS", 8)


def test_train_makes_weights_that_complete_opens_and_resume_finds_nothing_left(
    folder, run, photos_folder, tiny_training
):
    data = ("--data", photos_folder, "--out", "run", "--precision", "no")
    status, out, _ = run("train", *data, "--settings", "lesson")
    assert status == 0 and out.endswith("weights: run/network\n")
    first = (folder / "run/network/model.safetensors").read_bytes()
    assert run("train", *data, "--resume")[0] == 0
    assert (folder / "run/network/model.safetensors").read_bytes() == first
    assert run("complete", "photo.png", "mask.png", "-o", "out.png", "--weights", "run/network")[0] == 0


def test_resume_with_settings_makes_a_run_longer_and_refuses_any_other_change(
    folder, run, photos_folder, tiny_training
):
    data = ("train", "--data", photos_folder, "--out", "run", "--precision", "no")
    assert run(*data, "--settings", "lesson")[0] == 0
    longer = TINY.to_dict() | {"phase_3": TINY.phase_3 + 2}
    (folder / "longer.json").write_text(json.dumps(longer))
    assert run(*data, "--resume", "--settings", "longer.json")[0] == 0
    assert RunFolder(folder / "run").rows("log.csv")[-1]["iteration"] == str(TINY.iterations + 2)
    (folder / "other.json").write_text(json.dumps(longer | {"alpha": 1.0}))
    status, _, err = run(*data, "--resume", "--settings", "other.json")
    assert_one_line(status, err, "alpha")


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["--resume"], "there is no run here"),
        (["--data", "lost"], "no such folder"),
        (["--start-from", "lost"], "lost: no such folder"),
        (["--out", "photo.png"], "photo.png"),
    ],
)
def test_train_says_in_one_line_what_is_wrong(folder, run, photos_folder, tiny_training, arguments, reason):
    status, _, err = run("train", "--settings", "lesson", "--out", "run", "--data", photos_folder, *arguments)
    assert_one_line(status, err, reason)


def test_settings_that_cannot_be_are_named_in_one_line(folder, run, photos_folder):
    (folder / "mine.json").write_text('{"crop_size": 512}')
    status, _, err = run("train", "--settings", "mine.json", "--out", "run", "--data", photos_folder)
    assert_one_line(status, err, "short edge")
    assert not (folder / "run").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("null", "names with values are expected, not None"),
        ("[]", "names with values are expected, not []"),
        ('{"width": 0.5, "width": 0.25}', "'width' is there twice"),
        (json.dumps({"a\n\x1b[31m" + "b" * 100_000: 1}), "unknown settings"),
    ],
)
def test_settings_that_are_something_else_are_named_in_one_line(folder, run, photos_folder, text, words):
    (folder / "mine.json").write_text(text)
    status, _, err = run("train", "--settings", "mine.json", "--out", "run", "--data", photos_folder)
    assert_one_line(status, err, words)
    assert "\x1b" not in err and len(err) < 300


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_settings_are_read_from_regular_files_alone(folder, run, photos_folder, tiny_training, kind):
    """A pipe waits for ever, /dev/zero never ends."""
    if kind == "pipe":
        os.mkfifo("settings.json")
    elif kind == "device":
        os.symlink("/dev/zero", "settings.json")
    else:
        os.mkdir("settings.json")
    status, _, err = run("train", "--data", photos_folder, "-o", "run", "--settings", "settings.json")
    assert_one_line(status, err, "settings settings.json: settings.json: not a regular file")
    os.mkdir("run")
    os.rename("settings.json", "run/settings.json")
    status, _, err = run("train", "--data", photos_folder, "-o", "run", "--resume")
    assert_one_line(status, err, "run/settings.json cannot be read")


def test_train_refuses_a_folder_that_holds_a_run(folder, run, photos_folder, tiny_training):
    (folder / "run").mkdir()
    (folder / "run/settings.json").write_text("{}")
    status, _, err = run("train", "--settings", "lesson", "--out", "run", "--data", photos_folder)
    assert_one_line(status, err, "--resume")
    assert (folder / "run/settings.json").read_text() == "{}"


@pytest.mark.parametrize("option", ["--settings", "--precision"])
def test_train_refuses_unknown_names(folder, run, option):
    status, _, err = run("train", "--out", "run", option, "nonsense")
    assert status == 2 and "nonsense" in err and "Traceback" not in err


def test_an_interrupted_run_ends_with_status_130_and_goes_on_with_resume(
    folder, run, photos_folder, tiny_training, monkeypatch
):
    data = ("train", "--data", photos_folder, "--out", "run", "--precision", "no")
    with monkeypatch.context() as patch:
        patch.setattr(
            TrainingLog, "write_row", lambda log, phase: signal.raise_signal(signal.SIGINT) or {"phase": phase}
        )
        status, out, err = run(*data, "--settings", "lesson", "--log-every", "1")
    assert status == 130 and out == ""
    assert "stopped after iteration 1 of 3" in err
    status, out, _ = run(*data, "--resume")
    assert status == 0 and out == "weights: run/network\n"


def test_every_option_of_train_reaches_the_trainer(folder, run, photos_folder, tiny_training, monkeypatch):
    seen = {}

    class Spy(Trainer):
        def __init__(self, *arguments, **options):
            seen.update(options)
            super().__init__(*arguments, **options)

    monkeypatch.setattr("glcic_lite.training.Trainer", Spy)
    narrow_network().save_pretrained(folder / "given")
    ContextDiscriminator(TINY.crop_size, TINY.local_size, TINY.width).save_pretrained(folder / "discriminators")
    options = {"--workers": 0, "--checkpoint-minutes": 7.0, "--validate-every": 3, "--log-every": 2}
    options |= {"--start-from": "given", "--discriminators-from": "discriminators"}
    pairs = [str(x) for pair in options.items() for x in pair]
    call = ("train", "--data", photos_folder, "--out", "run", "--settings", "lesson", "--precision", "bf16")
    assert run(*call, *pairs, "--keep-going")[0] == 0
    for name, value in options.items():
        assert seen[name.removeprefix("--").replace("-", "_")] == value
    assert (seen["precision"], seen["keep_going"], seen["compile"], seen["resume"]) == ("bf16", True, False, False)


# bench


def test_bench_train_has_a_ratio_for_each_step(folder, run, photos_folder, tiny_training):
    status, out, err = run("bench", "train", "--data", photos_folder, "--settings", "lesson", "--rounds", "1")
    assert status == 0, err
    assert "phase 1" in out and "phase 3" in out and "samples drawn" in out


# import-weights


def test_import_weights_makes_weights_that_complete_opens_and_names_the_licence(folder, run):
    layers = torch7_layers(narrow_network())
    save(folder / "authors.t7", {"model": sequential(layers), "mean": [0.4, 0.5, 0.6]})
    status, out, err = run("import-weights", "authors.t7", "-o", "authors")
    assert (status, err) == (0, "")
    assert out.startswith("authors: ") and "CC BY-NC-SA 4.0" in out
    assert run("complete", "photo.png", "mask.png", "-o", "out.png", "--weights", "authors")[0] == 0


@pytest.mark.parametrize(
    "file, out, reason",
    [
        ("lost.t7", "new", "no such file"),
        ("photo.png", "new", "this is a picture, not weights"),
        ("authors.t7", ".", "already exists"),
    ],
)
def test_import_weights_says_in_one_line_what_is_wrong(folder, run, file, out, reason):
    save(folder / "authors.t7", {"model": sequential(torch7_layers(narrow_network())), "mean": [0.4, 0.5, 0.6]})
    status, _, err = run("import-weights", file, "-o", out)
    assert_one_line(status, err, reason)
    assert not (folder / "config.json").exists()


# doctor


def test_doctor_finds_everything_in_place(run):
    status, out, _ = run("doctor")
    assert status == 0, out
    assert "PROBLEM" not in out
    for name in ("Python", "torch", "device", "weights", "photos"):
        assert f"OK       {name}: " in out


def test_doctor_says_what_is_missing_and_what_to_do(run, monkeypatch, tmp_path):
    monkeypatch.setattr("glcic_lite.files.DATA", tmp_path / "lost")
    asked_for = ["torch>=2.6", "no-such-package>=1", 'pytest>=8.3; extra == "test"']
    monkeypatch.setattr("glcic_lite.commands.doctor.importlib.metadata.requires", lambda name: asked_for)
    status, out, _ = run("doctor")
    assert status == 1
    assert "PROBLEM  photos: " in out
    assert "PROBLEM  no-such-package: missing; run: pip install -r requirements.txt" in out


@pytest.mark.parametrize("second", ["opencv-python", "opencv-python-headless", "opencv-contrib-python"])
def test_doctor_notices_a_second_opencv(monkeypatch, second):
    real = importlib.metadata.version
    monkeypatch.setattr("importlib.metadata.version", lambda name: "5.0" if name == second else real(name))
    check = opencv_check()
    assert not check.ok and f"{second} and opencv-contrib-python-headless overwrite" in check.finding
    assert "pip uninstall -y opencv-python opencv-python-headless" in check.finding


def test_doctor_notices_an_opencv_without_xphoto(monkeypatch):
    assert opencv_check().ok
    monkeypatch.delattr("cv2.xphoto")
    check = opencv_check()
    assert not check.ok and "xphoto" in check.finding and "\n" not in check.finding


def test_doctor_reports_damaged_weights(monkeypatch):
    def refuse():
        raise WeightsError("truncated")

    monkeypatch.setattr("glcic_lite.method.networks.CompletionNetwork.from_pretrained", refuse)
    found = {check.name: check for check in checks()}
    assert not found["weights"].ok and "truncated" in found["weights"].finding
