"""Mixtures of networks: means of their weights, written whole; what does not belong together is not mixed."""

import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glcic_lite import __main__ as command_line
from glcic_lite.evaluation.mixing import mix, write_mixture
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.pretrained import WeightsError
from inputs import narrow_network


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Weights of three networks of one kind."""
    parent = tmp_path_factory.mktemp("weights")
    paths = [parent / f"seed{seed}" for seed in range(3)]
    for seed, path in enumerate(paths):
        narrow_network(seed).save_pretrained(path)
    return paths


def assert_is_the_mean(mixture, parts):
    states = [CompletionNetwork.from_pretrained(path).state_dict() for path, _ in parts]
    for name, value in mixture.state_dict().items():
        if value.is_floating_point():
            mean = sum(share * state[name].double() for (_, share), state in zip(parts, states, strict=True))
            torch.testing.assert_close(value.double(), mean, rtol=0, atol=1e-6)


@settings(max_examples=20)
@given(st.floats(0, 1), st.floats(0, 1))
def test_every_weight_and_statistic_is_the_mean(folders, first, second):
    first, second = first / 2, second / 2
    parts = list(zip(folders, (first, second, 1 - first - second), strict=True))
    assert_is_the_mean(mix(parts), parts)


def test_a_share_of_one_is_the_network_itself(folders):
    photo, mask = torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    mask[..., 8:20, 8:20] = 1
    mixture = mix([(folders[0], 0.0), (folders[1], 1.0)])
    with torch.no_grad():
        assert not mixture.training
        assert torch.equal(mixture(photo, mask), CompletionNetwork.from_pretrained(folders[1])(photo, mask))


def test_one_can_go_beyond_a_network_but_not_to_negative_variances(folders):
    assert_is_the_mean(mix(parts := [(folders[0], 1.2), (folders[1], -0.2)]), parts)
    with pytest.raises(WeightsError, match="too far.*running_var"):
        mix([(folders[0], 9.0), (folders[1], -8.0)])


def test_the_networks_stay_as_they_are_and_the_folder_says_what_was_mixed(folders, tmp_path):
    before = [(path / "model.safetensors").read_bytes() for path in folders]
    written = write_mixture(parts := [(folders[0], 0.25), (folders[2], 0.75)], tmp_path / "mixed")
    assert [(path / "model.safetensors").read_bytes() for path in folders] == before
    opened = CompletionNetwork.from_pretrained(tmp_path / "mixed")
    assert all(torch.equal(value, written.state_dict()[name]) for name, value in opened.state_dict().items())
    assert_is_the_mean(opened, parts)
    assert f"- {folders[2]}: 0.75" in (tmp_path / "mixed" / "README.md").read_text()


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (narrow_network(dilated=False), "dilated = False"),
        (narrow_network(norm_after_activation=True), "norm_after_activation = True"),
        (narrow_network(width=1 / 8), "width"),
        (narrow_network(mean_colour=(0.5, 0.5, 0.6)), "mean colour"),
    ],
)
def test_networks_of_different_kinds_are_refused_by_name(folders, tmp_path, network, reason):
    network.save_pretrained(tmp_path / "other")
    with pytest.raises(WeightsError, match=f"other: .*{reason}"):
        write_mixture([(folders[0], 0.5), (tmp_path / "other", 0.5)], tmp_path / "mixed")
    assert not (tmp_path / "mixed").exists()


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (["seed0=0.5", "seed1=0.4"], "add up to 1, not 0.9"),
        (["seed0=1"], "at least two"),
        (["seed0=0.5", "seed1=half"], "seed1=half: expected"),
        (["seed0", "seed1"], "seed0: expected"),
        (["seed0=nan", "seed1=1"], "not nan"),
        (["seed0=1e308", "seed1=-1e308", "seed0=1"], "go too far"),
        (["seed0=0.5", "lost/=0.5"], "lost/: no such folder"),
    ],
)
def test_the_command_mixes_and_says_in_one_line_what_is_wrong(folders, monkeypatch, capsys, parts, reason):
    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["glcic_lite", "mix", *arguments, "-o", "mixed"])
        with pytest.raises(SystemExit) as end:
            command_line.main()
        return end.value.code or 0

    monkeypatch.chdir(folders[0].parent)
    shutil.rmtree("mixed", ignore_errors=True)
    assert run(*parts) == 2
    err = capsys.readouterr().err
    assert reason in err and err.count("\n") == 1
    assert run("seed0=0.5", "seed1=0.5") == 0
    assert_is_the_mean(CompletionNetwork.from_pretrained("mixed"), [("seed0", 0.5), ("seed1", 0.5)])
    assert run("seed0=0.5", "seed1=0.5") == 2
    assert "already exists" in capsys.readouterr().err
