"""Weights published elsewhere: files as Torch7 and PyTorch write them, read back exactly; anything else refused."""

import io
import json
import os
import pickle
import struct
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from glcic_lite import __main__ as command_line
from glcic_lite.commands.importing import CELEBA_MEAN, import_weights, network_from_pytorch, network_from_torch7
from glcic_lite.method.masks import Box, mask_image
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.pretrained import WeightsError
from glcic_lite.speed.completion import complete
from glcic_lite.speed.fast_network import FastNetwork
from inputs import NARROW, hole, narrow_network, noise
from torch7_files import Torch7Object, Torch7Writer, save, sequential, torch7_layers
from whole_photo import assert_same_as_on_the_whole_photo, photos_with_holes

MEAN = (0.4560, 0.4472, 0.4155)


def vivid_network(seed: int = 3, **options) -> CompletionNetwork:
    """Every weight, bias and statistic matters."""
    network = narrow_network(seed, **options)
    generator = torch.Generator().manual_seed(1)
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
            part.bias.data.normal_(0, 0.1, generator=generator)
            if isinstance(part, nn.BatchNorm2d):
                part.weight.data.uniform_(0.5, 1.5, generator=generator)
    network.mean_colour.copy_(torch.tensor(MEAN).view(3, 1, 1))
    return network


@pytest.fixture
def network():
    return vivid_network()


@pytest.fixture
def scene():
    """A photo and a mask whose hole touches the photo's border, where the zero padding matters."""
    photo = torch.from_numpy(noise(48, 64)).permute(2, 0, 1)[None] / 255
    return photo, torch.from_numpy(hole(48, 64, (0, 20, 30, 48), (50, 4, 58, 9)))[None, None].float()


# The authors' Torch7 file


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


def authors_program(layers, mean, photo, mask):
    """What the authors' program does with a photo, in plain torch, from the layers of their file alone."""
    known = photo.clone()
    for channel in range(3):
        known[:, channel] -= mean[channel]
    known[mask.bool().expand_as(known)] = 0
    values = torch.cat([known, mask], dim=1)
    for layer in layers:
        kind = layer.kind.removeprefix("nn.")
        fields = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in layer.fields.items()}
        if kind == "SpatialBatchNormalization":
            statistics = fields["running_mean"], fields["running_var"]
            values = F.batch_norm(values, *statistics, fields["weight"], fields["bias"], eps=fields["eps"])
        elif kind in ("ReLU", "Sigmoid"):
            values = torch.relu(values) if kind == "ReLU" else torch.sigmoid(values)
        else:
            convolution = F.conv_transpose2d if kind == "SpatialFullConvolution" else F.conv2d
            values = convolution(
                values,
                fields["weight"],
                fields["bias"],
                stride=(fields["dH"], fields["dW"]),
                padding=(fields["padH"], fields["padW"]),
                dilation=(fields.get("dilationH", 1), fields.get("dilationW", 1)),
            )
    return values


def test_the_imported_network_paints_what_the_authors_program_paints(file, network, scene):
    with torch.inference_mode():
        expected = authors_program(torch7_layers(network), MEAN, *scene)
        painted = network_from_torch7(file)(*scene)
    assert expected.std() > 0.05
    assert torch.allclose(painted, expected, atol=1e-6)  # everywhere, the photo's border included


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
def test_what_does_not_matter_is_skipped(network, tmp_path, change):
    layers = change(torch7_layers(network))
    path = save(tmp_path / "x.t7", {"model": sequential(layers), "mean": list(MEAN), "more": [1, {"a": True}]})
    imported = network_from_torch7(path)
    assert torch.equal(imported.layers[12].convolution.weight, network.layers[12].convolution.weight)
    assert torch.allclose(imported.mean_colour.flatten(), torch.tensor(MEAN))


def test_weights_kept_as_matrices_are_read(network, tmp_path):
    content = {"model": sequential(torch7_layers(network, old_style=True)), "mean": list(MEAN)}
    imported = network_from_torch7(save(tmp_path / "x.t7", content))
    assert torch.equal(imported.layers[3].convolution.weight, network.layers[3].convolution.weight)


def test_another_epsilon_is_compensated(network, tmp_path):
    layers = torch7_layers(network)
    layers[1].fields["eps"] = 1e-3
    imported = network_from_torch7(save(tmp_path / "x.t7", {"model": sequential(layers), "mean": list(MEAN)}))
    network.layers[0].norm.eps = 1e-3
    photo, mask = torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    assert torch.allclose(imported(photo, mask), network(photo, mask), atol=1e-6)


def test_a_first_layer_that_claims_to_be_wide_takes_no_memory(network, tmp_path):
    layers = torch7_layers(network)
    layers[0].fields["bias"] = np.zeros(64_000, np.float32)  # a network of width 1,000: 6 million million numbers
    path = save(tmp_path / "x.t7", {"model": sequential(layers), "mean": list(MEAN)})
    with pytest.raises(WeightsError, match="01_conv.convolution.weight should be"):
        network_from_torch7(path)


def test_a_sequence_that_contains_itself_is_refused(tmp_path):
    loop = sequential([])
    loop.fields["modules"] = [loop]
    path = save(tmp_path / "x.t7", {"model": loop, "mean": list(MEAN)})
    with pytest.raises(WeightsError, match="contains itself"):
        network_from_torch7(path)


def without(layers, number):
    return layers[:number] + layers[number + 1 :]


def field(number, **fields):
    return lambda layers: layers[number].fields.update(fields)


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda x: x.pop(), "ends before 17_output"),
        (lambda x: x.append(Torch7Object("nn.Tanh", {})), "one layer more than the paper's: Tanh"),
        (lambda x: x.__setitem__(2, Torch7Object("nn.ELU", {})), "expected a ReLU in 01_conv, and found a ELU"),
        (lambda x: x.insert(1, x.pop(2)), "expected a SpatialBatchNormalization"),
        (field(18, dilationW=3), "dilationW of 07_dilated_conv should be 2, and is 3"),
        (field(36, adjW=1), "adjW of 13_deconv should be 0, and is 1"),
        (field(3, dH=1), "dH of 02_conv should be 2, and is 1"),
        (field(3, weight=np.zeros((9, 9), np.float32)), "02_conv"),
        (field(4, running_var=np.zeros(3, np.float32)), "02_conv.norm.running_var should be"),
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
def test_a_mean_that_is_not_a_colour_is_refused(network, tmp_path, mean):
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


@pytest.mark.parametrize("sizes", [(10**9, 3), (-5, 3), (3, 4), (2**40, 2**40)])
def test_a_tensor_that_claims_more_numbers_than_it_has_is_refused(tmp_path, sizes):
    writer = Torch7Writer()
    writer.write_tensor(np.zeros((3, 3), np.float32), sizes)
    (tmp_path / "x.t7").write_bytes(writer.bytes)
    with pytest.raises(WeightsError, match="damaged"):
        network_from_torch7(tmp_path / "x.t7")


@pytest.mark.parametrize("sizes, strides", [((20, 20), (0, 0)), ((10**6,), (0,)), ((2**40,), (0,))])
def test_a_tensor_that_claims_the_same_numbers_many_times_is_refused(tmp_path, sizes, strides):
    numbers = np.zeros(9, np.float32)
    writer = Torch7Writer()
    writer.write_tensor(np.lib.stride_tricks.as_strided(numbers, (9,) * len(sizes), strides), sizes, numbers)
    (tmp_path / "x.t7").write_bytes(writer.bytes)
    with pytest.raises(WeightsError, match="damaged"):
        network_from_torch7(tmp_path / "x.t7")


@pytest.mark.parametrize(
    "claim",
    [
        struct.pack("<ii", 2, 2**31 - 1),  # a text
        struct.pack("<iii", 8, 1, 2**31 - 1),  # a function
        struct.pack("<ii3si18sq", 4, 1, b"", 18, b"torch.FloatStorage", 2**40),
        struct.pack("<iii3si18sq", 4, 1, 3, b"V 1", 18, b"torch.FloatStorage", 2**40),
        struct.pack("<iii3si17si", 4, 1, 3, b"V 1", 17, b"torch.FloatTensor", 2**31 - 1),
    ],
)
def test_what_a_torch7_file_only_claims_takes_no_memory(tmp_path, claim):
    (tmp_path / "x.t7").write_bytes(claim + bytes(100))
    tracemalloc.start()
    with pytest.raises(WeightsError, match="x.t7: "):
        network_from_torch7(tmp_path / "x.t7")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_tables_nested_too_deeply_are_refused(tmp_path):
    (tmp_path / "x.t7").write_bytes(b"".join(struct.pack("<iiiid", 3, n, 1, 1, 1.0) for n in range(1, 5000)))
    with pytest.raises(WeightsError, match="x.t7: not a Torch7 file, or damaged .RecursionError"):
        network_from_torch7(tmp_path / "x.t7")


def unfolding(make, leaf, depth=60):
    """Something that is small in a file and 2^60 times as large when unfolded."""
    for _ in range(depth):
        leaf = make([leaf, leaf])
    return leaf


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda c: c | {"model": unfolding(sequential, sequential([]))}, "more than 500 layers"),
        (lambda c: c | {"model": unfolding(sequential, Torch7Object("nn.ReLU", {}))}, "more than 500 layers"),
        (lambda c: c | {"mean": unfolding(list, 0.5)}, "expected a tensor"),
        (
            lambda c: c | {"model": sequential([Torch7Object("nn.X", {"bias": unfolding(list, 1.0)})])},
            "expected a tensor",
        ),
    ],
    ids=["sequences", "layers", "mean", "bias"],
)
def test_a_file_that_unfolds_exponentially_is_refused_at_once(network, tmp_path, change, reason):
    content = change({"model": sequential(torch7_layers(network)), "mean": list(MEAN)})
    with pytest.raises(WeightsError, match=f"x.t7: .*{reason}"):
        network_from_torch7(save(tmp_path / "x.t7", content))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match="lost.t7: no such file"):
        network_from_torch7(tmp_path / "lost.t7")


def test_the_missing_package_is_named(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchfile", None)
    with pytest.raises(WeightsError, match="torchfile"):
        network_from_torch7(file)


OTHERS = {
    b"": "empty",
    b"\n<!DOCTYPE html><html><title>Virus scan warning</title></html>": "a web page",
    b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>': "a web page",
    b'{"error": "not found"}': "JSON",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n": "a Git LFS pointer",
    b"\x1f\x8b\x08" + bytes(99): "a gzip archive",
    b"BZh91AY&SY" + bytes(99): "a bzip2 archive",
    pickle.dumps({"conv1.weight": 1}, protocol=4): "a Python pickle, which can run code",
    b"4\n1\n3\nV 1\n13\nnn.Sequential\n": "a Torch7 file in ASCII",
    b"PK\x05\x06" + bytes(18): "a zip archive, and not one of PyTorch",
    b"Not found": "neither a Torch7 nor a PyTorch file",
}


@pytest.mark.parametrize("content, what", OTHERS.items(), ids=OTHERS.values())
@pytest.mark.parametrize("package", [True, False], ids=["torchfile", "no torchfile"])
def test_a_file_of_another_kind_is_called_what_it_is(tmp_path, monkeypatch, content, what, package):
    if not package:
        monkeypatch.setitem(sys.modules, "torchfile", None)
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(WeightsError, match=f"x: .*{what}"):
        import_weights(tmp_path / "x", tmp_path / "out")


def test_a_safetensors_file_is_called_so(late, tmp_path):
    late.save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="a safetensors file, which needs no import"):
        import_weights(tmp_path / "model.safetensors", tmp_path / "out")


def test_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(WeightsError, match=f"{file}: cannot be read: not a file"):
            import_weights(file, tmp_path / "out")


def test_a_torch7_discriminator_is_called_so(network, tmp_path):
    layers = [*torch7_layers(network)[:6], Torch7Object("nn.Linear", {})]
    for content in (sequential(layers), {"model": sequential(layers), "mean": list(MEAN)}):
        with pytest.raises(WeightsError, match="x.t7: .*discriminator"):
            network_from_torch7(save(tmp_path / "x.t7", content))


def test_the_width_is_that_of_the_file(file):
    assert network_from_torch7(file).layers[0].convolution.out_channels == round(64 * NARROW)


def test_a_mean_colour_for_a_file_that_contains_its_own_is_refused(file, tmp_path):
    with pytest.raises(WeightsError, match="its own mean colour"):
        import_weights(file, tmp_path / "authors", MEAN)


# The PyTorch release


@pytest.fixture
def late():
    """A network as in the PyTorch release."""
    return vivid_network(norm_after_activation=True, subtract_mean=False)


def release(network: CompletionNetwork) -> dict[str, torch.Tensor]:
    """The network's state dict with the names of the PyTorch release: that of a module whose parts have these names."""
    module = nn.Module()
    for number, block in enumerate(network.layers, start=1):
        kind = "deconv" if isinstance(block.convolution, nn.ConvTranspose2d) else "conv"
        module.add_module(f"{kind}{number}", block.convolution)
        if hasattr(block, "norm"):
            module.add_module(f"bn{number}", block.norm)
    return module.state_dict()


def released_program(state, mean, photo, mask):
    """What the release's program does with a photo, in plain torch, from its state dict alone."""
    values = torch.cat([photo - photo * mask + torch.tensor(mean).view(1, 3, 1, 1) * mask, mask], dim=1)
    for number in range(1, 18):
        options = {"padding": 2 if number == 1 else 1}
        if 7 <= number <= 10:
            options = {"padding": 2 ** (number - 6), "dilation": 2 ** (number - 6)}
        if number in (2, 4, 13, 15):
            options["stride"] = 2
        name, convolution = ("deconv", F.conv_transpose2d) if number in (13, 15) else ("conv", F.conv2d)
        values = convolution(values, state[f"{name}{number}.weight"], state[f"{name}{number}.bias"], **options)
        if number == 17:
            return torch.sigmoid(values)
        entries = ("running_mean", "running_var", "weight", "bias")
        values = F.batch_norm(torch.relu(values), *(state[f"bn{number}.{entry}"] for entry in entries))


def test_the_release_has_the_papers_keys_and_shapes():
    """The names and shapes of the published file, written out."""
    with torch.device("meta"):
        state = release(CompletionNetwork(norm_after_activation=True))
    assert len(state) == 17 * 2 + 16 * 5
    assert state["conv1.weight"].shape == (64, 4, 5, 5)
    assert state["deconv13.weight"].shape == (256, 128, 4, 4) and state["bn13.running_var"].shape == (128,)
    assert state["conv16.weight"].shape == (32, 64, 3, 3) and state["conv17.bias"].shape == (3,)
    assert state["bn16.num_batches_tracked"].dtype == torch.int64 and "bn17.weight" not in state


@pytest.mark.parametrize("today", [True, False], ids=["zip", "before 1.6"])
@pytest.mark.parametrize(
    "change",
    [
        lambda state: state,
        lambda state: {f"module.{name}": value for name, value in state.items()},
        lambda state: {name: value for name, value in state.items() if "num_batches" not in name},
        lambda state: {name: value.double() if value.is_floating_point() else value for name, value in state.items()},
    ],
    ids=["as released", "of several GPUs", "before 0.4.1", "in float64"],
)
def test_the_network_in_a_state_dict_paints_what_its_program_paints(late, scene, tmp_path, change, today):
    state = release(late)
    torch.save(change(state), tmp_path / "model_cn", _use_new_zipfile_serialization=today)
    imported = network_from_pytorch(tmp_path / "model_cn", MEAN)
    assert not imported.training
    with torch.inference_mode():
        expected = released_program(state, MEAN, *scene)
        assert expected.std() > 0.05
        assert torch.allclose(imported(*scene), expected, atol=1e-6)  # everywhere, the photo's border included
        assert not torch.allclose(vivid_network()(*scene), expected, atol=0.01)  # the paper's order is another network


def test_neither_flag_can_be_left_out(late, scene):
    with torch.inference_mode():
        expected = late(*scene)
        for options in ({"norm_after_activation": True}, {"subtract_mean": False}):
            other = vivid_network(**options)
            assert (other(*scene) - expected).abs().max() > 0.01
        # Another bias in the first layer cannot replace the mean either: it differs at the photo's border.
        other = vivid_network(norm_after_activation=True)
        first = other.layers[0].convolution
        first.bias += (first.weight[:, :3] * other.mean_colour).sum(dim=(1, 2, 3))
        difference = (other(*scene) - expected).abs()
    assert difference.max() > 1e-3


def test_the_command_makes_a_folder_that_complete_uses(late, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save(release(late), "model_cn_step400000")
    photo, mask = noise(50, 61), hole(50, 61, (0, 20, 30, 50))
    Image.fromarray(photo).save("photo.png")
    mask_image(mask).save("mask.png")
    run(monkeypatch, "import-weights", "model_cn_step400000", "-o", "faces", "--mean-colour", *MEAN)
    out, err = capsys.readouterr()
    assert err == "" and out.startswith("faces: ") and "MIT" in out and "CelebA" in out
    config = json.loads((tmp_path / "faces/config.json").read_text())
    assert config["norm_after_activation"] and not config["subtract_mean"]
    card = (tmp_path / "faces/README.md").read_text()
    assert "license: other" in card and "license: mit" not in card and "GLCIC-PyTorch" in card
    opened = CompletionNetwork.from_pretrained("faces")
    assert all(torch.equal(value, opened.state_dict()[name]) for name, value in late.state_dict().items())
    run(monkeypatch, "complete", "photo.png", "mask.png", "-o", "out.png", "--weights", "faces")
    assert np.array_equal(np.asarray(Image.open("out.png")), np.asarray(complete(photo, mask, late)))


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["glcic_lite", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        command_line.main()
    return end.value.code


def test_the_mean_colour_is_that_of_the_release_by_default(late, tmp_path):
    torch.save(release(late), tmp_path / "model_cn")
    import_weights(tmp_path / "model_cn", tmp_path / "faces")
    opened = CompletionNetwork.from_pretrained(tmp_path / "faces")
    assert torch.equal(opened.mean_colour.flatten(), torch.tensor(CELEBA_MEAN))


@pytest.mark.parametrize("colour", [(0.5, 0.5), (123.0, 117.0, 104.0), (-0.1, 0.5, 0.5), (float("nan"), 0.5, 0.5)])
def test_a_mean_colour_that_is_not_a_colour_is_refused(late, tmp_path, colour):
    torch.save(release(late), tmp_path / "model_cn")
    with pytest.raises(WeightsError, match="mean colour"):
        network_from_pytorch(tmp_path / "model_cn", colour)


def repeated(*shape):
    """A tensor of one number that claims many."""
    return torch.ones(1).expand(shape)


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda s: s.pop("conv7.weight"), "conv7.weight is missing"),
        (lambda s: s.pop("bn3.running_var"), "bn3.running_var is missing"),
        (lambda s: s.pop("conv1.weight"), "conv1.weight is missing"),
        (lambda s: s.update({"conv1.weight": torch.ones(())}), "conv1.weight is missing"),
        (lambda s: s.update({"conv1.weight": torch.ones(0, 4, 5, 5)}), "conv1.weight is missing"),
        (lambda s: s.update({"conv1.weight": torch.ones(4, 3, 5, 5)}), r"conv1.weight should be \(4, 4, 5, 5\)"),
        (lambda s: s.update({"bn17.weight": torch.ones(3)}), "bn17.weight does not belong"),
        (lambda s: s.update({"linear1.bias": torch.ones(3)}), "linear1.bias does not belong"),
        (lambda s: s.update({"conv17.bias": torch.ones(4)}), r"conv17.bias should be \(3,\), and is \(4,\)"),
        (lambda s: s.update({"conv17.bias": torch.full((3,), torch.nan)}), "conv17.bias is not all finite"),
        (lambda s: s.update({"conv17.bias": torch.ones(3, dtype=torch.int64)}), "conv17.bias is not all finite"),
        (lambda s: s.update({"conv17.bias": repeated(3)}), "conv17.bias is not a tensor with numbers"),
        (lambda s: s.update({"conv1.weight": repeated(10**12, 4, 5, 5)}), "conv1.weight is not a tensor with numbers"),
        (lambda s: s.update({"conv17.bias": torch.ones(3).to_sparse()}), "conv17.bias is not a tensor with numbers"),
        (lambda s: s.update({"conv17.bias": torch.ones(3, device="meta")}), "conv17.bias is not a tensor with numbers"),
        (lambda s: s.update({"conv17.bias": [1.0, 2.0, 3.0]}), "conv17.bias is not a tensor with numbers"),
        (lambda s: s.update({17: torch.ones(3)}), "no state dict"),
        (lambda s: s.clear(), "no state dict"),
    ],
)
def test_another_state_dict_is_refused_by_name(late, tmp_path, change, reason):
    state = release(late)
    change(state)
    torch.save(state, tmp_path / "model_cn")
    with pytest.raises(WeightsError, match=f"model_cn: .*({reason})"):
        network_from_pytorch(tmp_path / "model_cn")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"state": {}}},
        lambda state: {"model": state},
        lambda state: {"generator": state, "discriminator": {"linear1.bias": torch.zeros(1)}},
        lambda state: {"model": {"state_dict": {f"module.{name}": value for name, value in state.items()}}},
        lambda state: {"epoch": 3, "cn": state, "cd": {"linear1.bias": torch.zeros(1)}},
        lambda state: {
            "state_dict": {f"generator.{name}": value for name, value in state.items()}
            | {"discriminator.linear1.bias": torch.zeros(1)}
        },
    ],
)
def test_a_wrapped_state_dict_is_opened(late, tmp_path, wrap):
    torch.save(wrap(release(late)), tmp_path / "model_cn")
    imported = network_from_pytorch(tmp_path / "model_cn")
    assert torch.equal(imported.layers[3].convolution.weight, late.layers[3].convolution.weight)


def test_wrappings_that_leave_open_which_network_is_meant_are_refused(late, tmp_path):
    endless: dict = {}
    endless["state_dict"] = endless
    for content, reason in (
        ({"model": release(late), "generator": release(late)}, "several names"),
        ({"one": release(late), "two": release(late)}, "several names .one, two."),
        (endless, "state_dict is not a tensor"),
    ):
        torch.save(content, tmp_path / "model_cn")
        with pytest.raises(WeightsError, match=f"model_cn: .*{reason}"):
            network_from_pytorch(tmp_path / "model_cn")


@pytest.mark.parametrize("prefix", ["", "module.", "model_ld.", "model_gd."])
def test_a_discriminator_is_called_so(tmp_path, prefix):
    state = {"conv1.weight": torch.zeros(64, 3, 5, 5), "linear1.bias": torch.zeros(1024)}
    torch.save({prefix + name: value for name, value in state.items()}, tmp_path / "model_cd")
    with pytest.raises(WeightsError, match="model_cd: .*this is a discriminator"):
        network_from_pytorch(tmp_path / "model_cd")


def unfolding_pickle(use: bytes, from_inside: bool) -> bytes:
    """A pickle of a value that is 2^60 values when unfolded; `use` is what it is used for."""
    steps = b"\x80\x02X\x01\0\0\0aq\0"
    for number in range(60):
        again = b"h%c" % number * 2
        steps += again + b"\x86q%c" % (number + 1)  # a pair of twice the value before
    if not from_inside:
        return steps + use
    steps = b"\x80\x02" + b"".join(b"]q%c0" % number for number in range(61))  # lists, still empty
    return steps + b"".join(b"h%c(h%ch%ce0" % (n, n + 1, n + 1) for n in range(60)) + b"h\0" + use


@pytest.mark.parametrize("today", [True, False], ids=["zip", "before 1.6"])
@pytest.mark.parametrize(
    "steps",
    [
        unfolding_pickle(b"}q\xffh\x3cK\x01s.", from_inside=False),  # the key of a dictionary, which is hashed
        unfolding_pickle(
            b"h\x3c\x85Q.", from_inside=False
        ),  # the kind of a storage, which an error message would print
        unfolding_pickle(b"\x85Q.", from_inside=True),
    ],
    ids=["key", "storage", "lists"],
)
def test_a_pickle_that_unfolds_exponentially_is_refused_at_once(tmp_path, steps, today):
    torch.save({}, tmp_path / "model_cn", _use_new_zipfile_serialization=today)
    if today:
        with zipfile.ZipFile(tmp_path / "model_cn", "w") as archive:
            archive.writestr("archive/data.pkl", steps)
            archive.writestr("archive/version", b"3")
    else:
        whole = io.BytesIO((tmp_path / "model_cn").read_bytes())
        for _ in range(3):
            pickle.load(whole)
        (tmp_path / "model_cn").write_bytes(whole.getvalue()[: whole.tell()] + steps + b"\x80\x02]q\0.")
    with pytest.raises(WeightsError, match="model_cn: values in it refer to one another so often"):
        network_from_pytorch(tmp_path / "model_cn")


def test_a_torchscript_program_is_called_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "program", "w") as archive:
        for name in ("program/data.pkl", "program/code/__torch__.py", "program/constants.pkl"):
            archive.writestr(name, b"")
    with pytest.raises(WeightsError, match="program: this is a TorchScript program, and code is never run"):
        network_from_pytorch(tmp_path / "program")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
@pytest.mark.parametrize("exists", [False, True])
def test_a_full_disk_names_the_folder_and_leaves_nothing_in_it(late, tmp_path, exists):
    """A limit on the size of files stands in for the disk's end."""
    import resource

    torch.save(release(late), tmp_path / "model_cn")
    out = tmp_path / "faces"
    if exists:
        out.mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(OSError, match=f"{out}: cannot be written"):
            import_weights(tmp_path / "model_cn", out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(out.iterdir()) == [] if exists else not out.exists()
    (tmp_path / "faces").mkdir(exist_ok=True)
    (out / ".weights.999999999.partial").mkdir()  # as one that was killed leaves it
    import_weights(tmp_path / "model_cn", out)
    assert sorted(os.listdir(out)) == ["README.md", "config.json", "model.safetensors"]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="only Linux has a folder that not even root can write to")
@pytest.mark.parametrize("out", ["/proc/self/x", "x" * 300, "model_cn", "model_cn/x", "loop", "."])
def test_a_folder_that_cannot_be_written_is_refused_before_the_file_is_read(tmp_path, monkeypatch, capsys, out):
    monkeypatch.chdir(tmp_path)
    os.symlink("loop", "loop")
    (tmp_path / "model_cn").write_bytes(b"anything")
    monkeypatch.setattr("glcic_lite.commands.importing.release_of", lambda file: pytest.fail("it has begun"))
    assert run(monkeypatch, "import-weights", "model_cn", "-o", out) == 2
    told = capsys.readouterr().err
    assert out in told and told.count("\n") == 1


def test_an_archive_that_unpacks_to_more_than_the_file_is_refused(late, tmp_path):
    torch.save(release(late), tmp_path / "stored")
    with zipfile.ZipFile(tmp_path / "stored") as stored, zipfile.ZipFile(tmp_path / "bomb", "w", 8) as bomb:
        for name in stored.namelist():
            bomb.writestr(name, stored.read(name))
        bomb.writestr("archive/data/999", bytes(10**7))
    with pytest.raises(WeightsError, match="bomb: "):
        network_from_pytorch(tmp_path / "bomb")


def test_weights_that_no_training_leaves_behind_are_refused(late, network, tmp_path):
    state = release(late)
    state["bn3.running_var"].fill_(-1)
    torch.save(state, tmp_path / "model_cn")
    with pytest.raises(WeightsError, match="model_cn: .*variance"):
        network_from_pytorch(tmp_path / "model_cn")
    network.layers[2].convolution.weight.data.fill_(1e38)
    content = {"model": sequential(torch7_layers(network)), "mean": list(MEAN)}
    with pytest.raises(WeightsError, match="x.t7: .*no training"):
        network_from_torch7(save(tmp_path / "x.t7", content))


def test_a_name_of_several_lines_stays_on_one(late, tmp_path):
    torch.save(release(late) | {"conv\n99": torch.ones(1)}, tmp_path / "model_cn")
    with pytest.raises(WeightsError, match="conv.99 does not belong") as caught:
        network_from_pytorch(tmp_path / "model_cn")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("today", [True, False], ids=["zip", "before 1.6"])
def test_a_pickle_with_code_is_refused_in_one_line_and_nothing_in_it_runs(
    late, tmp_path, monkeypatch, capsys, today, recwarn
):
    for number, content in enumerate([Dangerous(), {**release(late), "conv17.bias": Dangerous()}, late]):
        file = tmp_path / f"model_{number}"
        torch.save(content, file, _use_new_zipfile_serialization=today)
        assert run(monkeypatch, "import-weights", file, "-o", tmp_path / "faces") == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1
        assert err.startswith(f"glcic_lite: {file}: not a PyTorch file of tensors alone")
    assert not Dangerous.ran and not (tmp_path / "faces").exists()
    torch.load(tmp_path / "model_0", weights_only=False)  # the poison is real
    assert Dangerous.ran
    Dangerous.ran = False


def test_a_damaged_pytorch_file_is_refused(late, tmp_path):
    torch.save(release(late), tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for share in np.linspace(0, 0.999, 20):
        (tmp_path / "cut").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(WeightsError, match="cut: "):
            import_weights(tmp_path / "cut", tmp_path / "faces")
    with pytest.raises(WeightsError, match="lost: no such file"):
        import_weights(tmp_path / "lost", tmp_path / "faces")
    with pytest.raises(WeightsError, match="cannot be read"):
        import_weights(tmp_path, tmp_path / "faces")


# The fast version of such a network

LATE = {
    name: vivid_network(norm_after_activation=True, subtract_mean=False, **options)
    for name, options in {"dilated": {}, "undilated": {"dilated": False}}.items()
}
both_ways = pytest.mark.parametrize("network", LATE.values(), ids=LATE.keys())


@both_ways
@settings(max_examples=20)
@given(st.sampled_from([(4, 4), (8, 400), (64, 72), (340, 16)]), st.integers(0, 2**32))
def test_the_fast_network_paints_any_part_of_what_the_network_paints(network, size, seed):
    height, width = size
    random = np.random.default_rng(seed)
    left, top = int(random.integers(width)), int(random.integers(height))
    target = Box(left, top, int(random.integers(left + 1, width + 1)), int(random.integers(top + 1, height + 1)))
    photo = torch.from_numpy(noise(height, width)).permute(2, 0, 1)[None] / 255
    mask = torch.from_numpy(hole(height, width, target))[None, None].float()
    with torch.inference_mode():
        expected = network(photo, mask)[(..., *target.slices)]
    assert (FastNetwork(network, torch.float32)(photo, mask, target) - expected).abs().max() < 1e-5


def test_the_fast_network_in_bfloat16_is_within_a_grey_level_on_average(late, scene):
    with torch.inference_mode():
        difference = FastNetwork(late, torch.bfloat16)(*scene) - late(*scene)
    assert 0 < difference.abs().mean() * 255 < 1


@both_ways
@settings(max_examples=6)
@given(photos_with_holes())
def test_cropping_to_the_receptive_field_changes_nothing(network, photo_and_mask):
    assert_same_as_on_the_whole_photo(*photo_and_mask, network)
