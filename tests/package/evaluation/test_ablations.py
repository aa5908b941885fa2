"""The networks of lesson 09: each lacks just what its name says, and starts where it should."""

import json
import re
import shutil
from dataclasses import asdict, replace

import pytest
import torch
from PIL import Image

from glcic_lite.evaluation.ablations import (
    ABLATIONS,
    EVERY_ABLATION,
    LONG_ABLATIONS,
    ablations_card,
    folder_of,
    publish_ablations,
    shipped_ablations,
    train_ablations,
)
from glcic_lite.files import SHIPPED_ABLATIONS
from glcic_lite.method.networks import CompletionNetwork, ContextDiscriminator
from glcic_lite.method.pretrained import WeightsError
from glcic_lite.training.run_folder import RunError, RunFolder
from inputs import NARROW, texture


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for split in ("train", "val"):
        (folder / split).mkdir()
        for number in range(2):
            Image.fromarray(texture(70, 80, number)).save(folder / split / f"{number}.png")
    return folder


def quick(settings):
    """The same comparison in a second: narrow networks, small crops, one or two iterations."""
    phases = {name: min(getattr(settings, name), 2) for name in ("phase_1", "phase_2", "phase_3")}
    small = {"width": NARROW, "crop_size": 64, "local_size": 32, "short_edge": (64, 70), "hole_sides": (8, 24)}
    return replace(settings, **small, **phases, batch_size=2)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("ablations")
    folders = list(train_ablations(data, out, seeds=(3,), adapt=quick, precision="no"))
    assert folders == [folder_of(name, 3, out) for name in ABLATIONS]
    return out


def network(trained, name):
    return CompletionNetwork.from_pretrained(folder_of(name, 3, trained) / "network")


def test_each_completion_network_lacks_what_its_name_says(trained):
    dilations = {
        name: max(block.convolution.dilation[0] for block in network(trained, name).layers) for name in ABLATIONS
    }
    assert dilations.pop("no-dilation") == 1
    assert set(dilations.values()) == {16}
    assert [name for name in ABLATIONS if not network(trained, name).mask_channel] == ["no-mask"]


def test_each_discriminator_sees_what_its_name_says(trained):
    seen = {}
    for name in ABLATIONS:
        folder = folder_of(name, 3, trained) / "discriminators"
        if folder.exists():
            discriminators = ContextDiscriminator.from_pretrained(folder)
            seen[name] = (
                discriminators.global_discriminator is not None,
                discriminators.local_discriminator is not None,
            )
    assert seen == {
        "global-discriminator": (True, False),
        "local-discriminator": (False, True),
        "both-discriminators": (True, True),
    }


def test_those_with_discriminators_get_as_many_steps_as_the_one_without():
    steps = {name: a.settings.phase_1 + a.settings.phase_3 for name, a in ABLATIONS.items() if a.start == "full"}
    assert len(steps) == 4
    assert len(set(steps.values())) == 1


def test_everything_but_the_part_left_out_is_equal():
    def differences(one, other):
        one, other = ABLATIONS[one].settings.to_dict(), ABLATIONS[other].settings.to_dict()
        return {name for name in one if one[name] != other[name]}

    assert differences("full", "no-dilation") == {"dilated"}
    assert differences("full", "no-mask") == {"mask_channel"}
    assert differences("both-discriminators", "local-discriminator") == {"use_global"}
    assert differences("both-discriminators", "global-discriminator") == {"use_local"}


def test_what_is_trained_is_not_trained_again(trained, data):
    before = {name: RunFolder(folder_of(name, 3, trained)).rows("log.csv") for name in ABLATIONS}
    weights = network(trained, "both-discriminators").state_dict()
    list(train_ablations(data, trained, seeds=(3,), adapt=quick, precision="no"))
    assert before == {name: RunFolder(folder_of(name, 3, trained)).rows("log.csv") for name in ABLATIONS}
    again = network(trained, "both-discriminators").state_dict()
    assert all(torch.equal(again[name], value) for name, value in weights.items())


def test_finished_ablations_are_published_and_others_left_out(trained, tmp_path):
    runs, out = tmp_path / "runs", tmp_path / "out"
    shutil.copytree(trained, runs)
    (unfinished,) = (runs / "no-mask-3" / "checkpoints").iterdir()
    unfinished.rename(unfinished.with_name("00000001"))
    expected = [name for name in ABLATIONS if name != "no-mask"]
    assert publish_ablations(runs, out) == [f"{name}-3" for name in expected]
    assert list(shipped_ablations(out)) == expected
    for name in expected:
        folder = shipped_ablations(out)[name][3]
        published, original = CompletionNetwork.from_pretrained(folder), network(trained, name)
        assert all(parameter.dtype == torch.float32 for parameter in published.parameters())
        for key, value in original.state_dict().items():
            assert torch.allclose(published.state_dict()[key].float(), value.float(), rtol=1e-3, atol=1e-6)
        for file in ("settings.json", "log.csv", "validation.csv"):
            assert (folder / file).read_bytes() == (folder_of(name, 3, trained) / file).read_bytes()
        assert (folder / "model.safetensors").stat().st_size < 0.65 * sum(
            4 * value.numel() for value in original.state_dict().values()
        )
    card = (out / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}-3`" in card for name in expected) and "no-mask" not in card
    assert "MIT licence" in card and "python -m glcic_lite ablations" in card


def test_publishing_again_replaces_what_was_there(trained, tmp_path):
    publish_ablations(trained, tmp_path)
    (tmp_path / "full-3" / "old.txt").write_text("old")
    publish_ablations(trained, tmp_path)
    assert not (tmp_path / "full-3" / "old.txt").exists()
    assert (tmp_path / "full-3" / "model.safetensors").exists()


def test_neither_the_runs_nor_other_files_are_replaced(trained, tmp_path):
    (tmp_path / "README.md").write_text("precious")
    before = {path for path in trained.rglob("*")}
    for out in (trained, tmp_path):
        with pytest.raises(RunError, match="choose another folder"):
            publish_ablations(trained, out)
    assert before == {path for path in trained.rglob("*")} and (tmp_path / "README.md").read_text() == "precious"


def test_what_cannot_be_published_leaves_what_was_there(trained, tmp_path):
    runs, out = tmp_path / "runs", tmp_path / "out"
    runs.mkdir()
    shutil.copytree(folder_of("no-mask", 3, trained), runs / "no-mask-3")
    publish_ablations(runs, out)
    before = sorted(path.name for path in out.iterdir())
    for missing in ("network/model.safetensors", "log.csv"):
        hidden = runs / "no-mask-3" / missing
        content = hidden.read_bytes()
        hidden.unlink()
        with pytest.raises((WeightsError, OSError)):
            publish_ablations(runs, out)
        hidden.write_bytes(content)
        assert (out / "no-mask-3" / "model.safetensors").exists() and (out / "no-mask-3" / "log.csv").exists()
        assert sorted(path.name for path in out.iterdir()) == before


def test_the_card_lists_those_published_before_as_well(trained, tmp_path):
    publish_ablations(trained, tmp_path / "out")
    (tmp_path / "out/full-3").rename(tmp_path / "out/full-4")  # of another seed, trained elsewhere
    (tmp_path / "runs").mkdir()
    shutil.copytree(folder_of("no-mask", 3, trained), tmp_path / "runs/no-mask-3")
    assert publish_ablations(tmp_path / "runs", tmp_path / "out") == ["no-mask-3"]
    card = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert [f"`{name}-3`" in card for name in ABLATIONS] == [name != "full" for name in ABLATIONS]
    assert "`full-4`" in card


def test_a_long_one_is_shipped_like_any_other_and_the_card_says_how_it_differs(trained, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(folder_of("full", 3, trained), runs / "long-full-3")
    settings = runs / "long-full-3" / "settings.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"hole_sides": [9, 24]}))
    assert RunFolder(runs / "long-full-3").settings()[0].hole_sides == (9, 24)
    shutil.copytree(folder_of("full", 3, trained), runs / "full-3")
    assert publish_ablations(runs, tmp_path / "out") == ["full-3", "long-full-3"]
    card = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert [re.search(rf"`{name}-3`.*\| (\d+ to \d+) \|", card)[1] for name in ("full", "long-full")] == [
        "8 to 24", "9 to 24"
    ]  # fmt: skip


def test_the_card_of_the_shipped_ablations_is_that_of_their_files():
    assert (SHIPPED_ABLATIONS / "README.md").read_text(encoding="utf-8") == ablations_card(SHIPPED_ABLATIONS)


def test_nothing_finished_publishes_nothing(tmp_path):
    assert publish_ablations(tmp_path / "runs", tmp_path / "out") == []
    assert shipped_ablations(tmp_path / "out") == {}


def test_the_shipped_ablations_open_and_lack_what_their_names_say():
    shipped = shipped_ablations()
    assert shipped["full"], "lesson 09 compares everything with it"
    for name, seeds in shipped.items():
        for folder in seeds.values():
            opened = CompletionNetwork.from_pretrained(folder)
            assert opened.mask_channel != name.endswith("no-mask")
            dilated = max(block.convolution.dilation[0] for block in opened.layers) > 1
            assert dilated != name.endswith("no-dilation")
    assert sum(path.stat().st_size for path in SHIPPED_ABLATIONS.rglob("*")) < 25e6


def test_an_interrupt_stops_all_of_them(data, tmp_path, monkeypatch):
    began = []

    def interrupted(settings, photos, validation_photos, out, **options):
        began.append(out)
        run = RunFolder(out)
        run.claim()
        run.start(settings, "no")  # and no checkpoint of its last iteration

    monkeypatch.setattr("glcic_lite.evaluation.ablations.train", interrupted)
    assert list(train_ablations(data, tmp_path, ["full", "no-mask"], (3,), quick)) == []
    assert began == [folder_of("full", 3, tmp_path)]


def test_one_killed_before_its_first_checkpoint_begins_again(data, tmp_path):
    folder = folder_of("full", 3, tmp_path)
    run = RunFolder(folder)
    run.claim()
    run.start(quick(replace(ABLATIONS["full"].settings, seed=3)), "no")
    assert list(train_ablations(data, tmp_path, ["full"], (3,), quick, precision="no")) == [folder]
    CompletionNetwork.from_pretrained(folder / "network")


def test_the_command_line_names_an_ablation_that_is_not_there(tmp_path, capsys, monkeypatch):
    from glcic_lite import __main__ as command_line

    monkeypatch.setattr("sys.argv", ["glcic_lite", "ablations", "-o", str(tmp_path), "no-photos"])
    with pytest.raises(SystemExit) as stopped:
        command_line.main()
    assert stopped.value.code == 2
    assert "no-photos" in capsys.readouterr().err


def test_the_command_line_trains_with_the_seeds_it_is_given(tmp_path, monkeypatch):
    from glcic_lite import __main__ as command_line

    asked = []
    monkeypatch.setattr(
        "glcic_lite.evaluation.ablations.train_ablations", lambda *given, **options: asked.append(given[2:]) or []
    )
    for more in ([], ["full", "no-mask", "--seed", "2", "--seed", "5"], ["--long"]):
        monkeypatch.setattr("sys.argv", ["glcic_lite", "ablations", "-o", str(tmp_path), *more])
        with pytest.raises(SystemExit) as stopped:
            command_line.main()
        assert not stopped.value.code
    assert [tuple(seeds) for _, seeds in asked] == [(0, 1), (2, 5), (0, 1, 2)]
    assert asked[1][0] == ["full", "no-mask"] and asked[2][0] == list(LONG_ABLATIONS)


def test_the_long_comparison_differs_from_its_full_networks_in_one_thing_each():
    def changed(name, other):
        settings = asdict(EVERY_ABLATION[other].settings)
        return {k for k, v in asdict(EVERY_ABLATION[name].settings).items() if settings[k] != v}

    assert changed("long-no-dilation", "long-full") == {"dilated"}
    assert changed("long-no-mask", "long-full") == {"mask_channel"}
    assert changed("long-alpha-0", "long-both") == {"alpha"} and EVERY_ABLATION["long-alpha-0"].settings.alpha == 0
    assert changed("long-global", "long-both") == {"use_local"} and changed("long-local", "long-both") == {"use_global"}


def test_with_alpha_0_the_discriminators_change_nothing(data, tmp_path):
    """The twin of the long comparison: other discriminators, the same completion network."""

    def small(settings):
        return quick(replace(settings, alpha=0.0, discriminator_width=NARROW))

    (full,) = train_ablations(data, tmp_path / "a", ["long-full"], (3,), small, precision="no")
    shutil.copytree(full, tmp_path / "b" / full.name)
    one, other = (
        next(train_ablations(data, tmp_path / out, [name], (3,), small, precision="no")) / "network"
        for out, name in (("a", "long-global"), ("b", "long-alpha-0"))
    )
    first, second = (CompletionNetwork.from_pretrained(folder).state_dict() for folder in (one, other))
    assert all(torch.equal(first[name], value) for name, value in second.items())
