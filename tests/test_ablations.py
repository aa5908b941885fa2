"""The networks of lesson 09: each lacks just what its name says, and starts where it should."""

from dataclasses import replace

import pytest
import torch
from conftest import NARROW, texture
from PIL import Image

from glcic_lite.ablations import ABLATIONS, folder_of, train_ablations
from glcic_lite.networks import CompletionNetwork, ContextDiscriminator
from glcic_lite.training.run_folder import RunFolder


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


def test_each_critic_sees_what_its_name_says(trained):
    seen = {}
    for name in ABLATIONS:
        folder = folder_of(name, 3, trained) / "discriminators"
        if folder.exists():
            critics = ContextDiscriminator.from_pretrained(folder)
            seen[name] = (critics.global_discriminator is not None, critics.local_discriminator is not None)
    assert seen == {"global-critic": (True, False), "local-critic": (False, True), "both-critics": (True, True)}


def test_those_with_critics_get_as_many_steps_as_the_one_without():
    steps = {name: a.settings.phase_1 + a.settings.phase_3 for name, a in ABLATIONS.items() if a.start == "full"}
    assert len(steps) == 4
    assert len(set(steps.values())) == 1


def test_everything_but_the_part_left_out_is_equal():
    def differences(one, other):
        one, other = ABLATIONS[one].settings.to_dict(), ABLATIONS[other].settings.to_dict()
        return {name for name in one if one[name] != other[name]}

    assert differences("full", "no-dilation") == {"dilated"}
    assert differences("full", "no-mask") == {"mask_channel"}
    assert differences("both-critics", "local-critic") == {"use_global"}
    assert differences("both-critics", "global-critic") == {"use_local"}


def test_what_is_trained_is_not_trained_again(trained, data):
    before = {name: RunFolder(folder_of(name, 3, trained)).rows("log.csv") for name in ABLATIONS}
    weights = network(trained, "both-critics").state_dict()
    list(train_ablations(data, trained, seeds=(3,), adapt=quick, precision="no"))
    assert before == {name: RunFolder(folder_of(name, 3, trained)).rows("log.csv") for name in ABLATIONS}
    again = network(trained, "both-critics").state_dict()
    assert all(torch.equal(again[name], value) for name, value in weights.items())


def test_the_command_line_names_an_ablation_that_is_not_there(tmp_path, capsys, monkeypatch):
    from glcic_lite import __main__ as command_line

    monkeypatch.setattr("sys.argv", ["glcic_lite", "ablations", "-o", str(tmp_path), "no-photos"])
    with pytest.raises(SystemExit) as stopped:
        command_line.main()
    assert stopped.value.code == 2
    assert "no-photos" in capsys.readouterr().err
