"""The authors' weights: a Torch7 file as Torch7 writes it, read back to the last bit; anything else refused."""

import sys

import numpy as np
import pytest
import torch
from conftest import NARROW, narrow_network
from torch import nn
from torch7_files import Torch7Object, Torch7Writer, save, sequential, torch7_layers

from glcic_lite.importing import import_weights, network_from_torch7
from glcic_lite.networks import CompletionNetwork
from glcic_lite.pretrained import WeightsError

MEAN = (0.4560, 0.4472, 0.4155)


@pytest.fixture
def network():
    """Every weight, bias and statistic has a say."""
    network = narrow_network(3)
    generator = torch.Generator().manual_seed(1)
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
            part.bias.data.normal_(0, 0.1, generator=generator)
            if isinstance(part, nn.BatchNorm2d):
                part.weight.data.uniform_(0.5, 1.5, generator=generator)
    network.mean_colour.copy_(torch.tensor(MEAN).view(3, 1, 1))
    return network


@pytest.fixture
def file(network, tmp_path):
    mean = np.array(MEAN, dtype=np.float32)
    return save(tmp_path / "completionnet_places2.t7", {"model": sequential(torch7_layers(network)), "mean": mean})


def test_layer_0_is_a_convolution_and_layer_48_the_last_one(network):
    kinds = [layer.kind for layer in torch7_layers(network)]
    assert len(kinds) == 50
    assert kinds[:3] == ["nn.SpatialConvolution", "nn.SpatialBatchNormalization", "nn.ReLU"]
    assert kinds[48:] == ["nn.SpatialConvolution", "nn.Sigmoid"]


def test_the_imported_network_is_the_one_in_the_file(file, network, tmp_path):
    import_weights(file, tmp_path / "authors")
    imported = CompletionNetwork.from_pretrained(tmp_path / "authors")
    assert imported.state_dict().keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(imported.state_dict()[name], value), name
    photo, mask = torch.rand(1, 3, 32, 40), (torch.rand(1, 1, 32, 40) > 0.5).float()
    assert torch.equal(imported(photo, mask), network(photo, mask))


def test_the_folder_carries_the_authors_licence(file, tmp_path):
    import_weights(file, tmp_path / "authors")
    card = (tmp_path / "authors/README.md").read_text()
    assert "license: cc-by-nc-sa-4.0" in card and "NonCommercial" in card and "Iizuka" in card
    assert "license: mit" not in card


@pytest.mark.parametrize(
    "change",
    [
        lambda layers: [sequential(layers[:10]), *layers[10:]],
        lambda layers: [Torch7Object(x.kind.replace("nn.", "cudnn."), x.fields) for x in layers],
        lambda layers: [*layers[:-1], Torch7Object("nn.Sigmoid", {"forget": b"\x1bLJ code of a Lua function"})],
    ],
    ids=["a sequence in the sequence", "cudnn", "a function"],
)
def test_what_does_not_matter_is_passed_over(network, tmp_path, change):
    layers = change(torch7_layers(network))
    path = save(tmp_path / "x.t7", {"model": sequential(layers), "mean": list(MEAN), "more": [1, {"a": True}]})
    imported = network_from_torch7(path)
    assert torch.equal(imported.layers[12].convolution.weight, network.layers[12].convolution.weight)
    assert torch.allclose(imported.mean_colour.flatten(), torch.tensor(MEAN))


def test_weights_kept_as_matrices_are_read(network, tmp_path):
    content = {"model": sequential(torch7_layers(network, old_style=True)), "mean": list(MEAN)}
    imported = network_from_torch7(save(tmp_path / "x.t7", content))
    assert torch.equal(imported.layers[3].convolution.weight, network.layers[3].convolution.weight)


def test_another_epsilon_is_made_up_for(network, tmp_path):
    layers = torch7_layers(network)
    layers[1].fields["eps"] = 1e-3
    imported = network_from_torch7(save(tmp_path / "x.t7", {"model": sequential(layers), "mean": list(MEAN)}))
    network.layers[0].norm.eps = 1e-3
    photo, mask = torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    assert torch.allclose(imported(photo, mask), network(photo, mask), atol=1e-6)


def without(layers, number):
    return layers[:number] + layers[number + 1 :]


def field(number, **fields):
    return lambda layers: layers[number].fields.update(fields)


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda x: x.pop(), "ends before 17_output"),
        (lambda x: x.append(Torch7Object("nn.Tanh", {})), "a layer more than the paper's: Tanh"),
        (lambda x: x.__setitem__(2, Torch7Object("nn.ELU", {})), "in 01_conv a ReLU is expected, and there is a ELU"),
        (lambda x: x.insert(1, x.pop(2)), "a SpatialBatchNormalization is expected"),
        (field(18, dilationW=3), "dilationW of 07_dilated_conv should be 2, and is 3"),
        (field(36, adjW=1), "adjW of 13_deconv should be 0, and is 1"),
        (field(3, dH=1), "dH of 02_conv should be 2, and is 1"),
        (field(3, weight=np.zeros((9, 9), np.float32)), "02_conv"),
        (field(4, running_var=np.zeros(3, np.float32)), "running_var of 02_conv should be"),
        (field(4, running_var=None), "02_conv|tensor"),
        (field(4, bias=np.full(8, np.nan, np.float32)), "finite"),
        (field(0, bias=None), "tensor"),
    ],
)
def test_another_network_is_refused_by_name(network, tmp_path, change, reason):
    layers = torch7_layers(network)
    change(layers)
    path = save(tmp_path / "x.t7", {"model": sequential(layers), "mean": list(MEAN)})
    with pytest.raises(WeightsError, match=f"x.t7: not the authors' completion network: .*({reason})"):
        network_from_torch7(path)


@pytest.mark.parametrize("mean", [[0.1, 0.2], [123.0, 117.0, 104.0], "grey", None, [[0.1], [0.2], [0.3]]])
def test_a_mean_that_is_no_colour_is_refused(network, tmp_path, mean):
    path = save(tmp_path / "x.t7", {"model": sequential(torch7_layers(network)), "mean": mean})
    with pytest.raises(WeightsError, match="x.t7: "):
        network_from_torch7(path)


@pytest.mark.parametrize("content", [{"mean": list(MEAN)}, [1, 2], "text", None, 7])
def test_a_torch7_file_of_something_else_is_refused(tmp_path, content):
    with pytest.raises(WeightsError, match="x.t7: no table with a model and a mean"):
        network_from_torch7(save(tmp_path / "x.t7", content))


@pytest.mark.parametrize("model", [None, 3, [], sequential([]), sequential(None), Torch7Object("nn.Sequential", 5)])
def test_a_model_without_layers_is_refused(tmp_path, model):
    with pytest.raises(WeightsError, match="x.t7: not the authors' completion network"):
        network_from_torch7(save(tmp_path / "x.t7", {"model": model, "mean": list(MEAN)}))


def test_a_truncated_file_is_refused_wherever_it_ends(file, tmp_path):
    whole = file.read_bytes()
    for share in np.linspace(0, 0.999, 40):
        (tmp_path / "x.t7").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(WeightsError, match="x.t7: "):
            network_from_torch7(tmp_path / "x.t7")


def test_files_of_other_kinds_are_refused_and_nothing_in_them_runs(tmp_path):
    path = tmp_path / "x.t7"
    random = np.random.default_rng(0)
    torch.save({"model": Dangerous()}, path)
    for content in (path.read_bytes(), b"", b"PK\x03\x04", *(random.bytes(n) for n in range(1, 200, 7))):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="x.t7: "):
            network_from_torch7(path)
    assert not Dangerous.ran


class Dangerous:
    ran = False

    def __reduce__(self):
        return (setattr, (Dangerous, "ran", True))


@pytest.mark.parametrize("sizes", [(10**9, 3), (-5, 3), (3, 4)])
def test_a_tensor_that_claims_more_numbers_than_it_has_is_refused(tmp_path, sizes):
    writer = Torch7Writer()
    writer.write_tensor(np.zeros((3, 3), np.float32), sizes)
    (tmp_path / "x.t7").write_bytes(writer.bytes)
    with pytest.raises(WeightsError, match="damaged"):
        network_from_torch7(tmp_path / "x.t7")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match="lost.t7: no such file"):
        network_from_torch7(tmp_path / "lost.t7")


def test_the_missing_package_is_named(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchfile", None)
    with pytest.raises(WeightsError, match="torchfile"):
        network_from_torch7(file)


def test_the_width_is_that_of_the_file(file):
    assert network_from_torch7(file).layers[0].convolution.out_channels == round(64 * NARROW)
