"""The networks: the paper's counts, the order of layers, what they may and may not see, and safe weights."""

import io
import json
import logging
import os
import pickle
import re
import resource
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from glcic_lite.method.architecture import COMPLETION_NETWORK
from glcic_lite.method.networks import CompletionNetwork, ContextDiscriminator, composite, count_parameters
from glcic_lite.method.pretrained import WeightsError
from inputs import NARROW, narrow_network


def photo_and_mask(height=64, width=64, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.zeros(batch, 1, height, width)
    mask[..., 20:40, 24:44] = 1
    return torch.rand(batch, 3, height, width, generator=generator), mask


# The paper's networks


def test_completion_network_has_the_papers_parameters():
    with torch.device("meta"):
        assert count_parameters(CompletionNetwork()) == 6_072_131


def test_discriminator_pair_has_the_papers_parameters():
    with torch.device("meta"):
        assert count_parameters(ContextDiscriminator()) == 45_063_681


@pytest.mark.parametrize("row", COMPLETION_NETWORK, ids=lambda row: row.name)
def test_each_layer_is_its_row_of_the_table_then_norm_then_relu(row):
    with torch.device("meta"):
        block = CompletionNetwork().layers[row.number - 1]
    convolution, *after = block.children()
    assert isinstance(convolution, nn.ConvTranspose2d if row.upsamples else nn.Conv2d)
    assert convolution.kernel_size == (row.kernel, row.kernel)
    assert convolution.dilation == (row.dilation, row.dilation)
    assert convolution.stride == (int(1 / row.stride) if row.upsamples else row.stride,) * 2
    assert convolution.out_channels == row.channels
    assert convolution.bias is not None
    assert [type(x) for x in after] == ([nn.Sigmoid] if row.kind == "output" else [nn.BatchNorm2d, nn.ReLU])


def test_normalisation_may_come_after_the_activation():
    with torch.device("meta"):
        blocks = CompletionNetwork(norm_after_activation=True).layers
    assert all([*block._modules] == ["convolution", "relu", "norm"] for block in blocks[:-1])
    assert [*blocks[-1]._modules] == ["convolution", "sigmoid"]


def test_discriminator_convolutions_are_followed_by_norm_and_relu_and_vectors_by_relu_alone():
    discriminator = ContextDiscriminator(64, 32, NARROW).local_discriminator
    for block in discriminator.layers:
        assert [type(x) for x in block.children()] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert isinstance(discriminator.fully_connected, nn.Linear)
    assert discriminator(torch.rand(2, 3, 32, 32)).min() >= 0


def test_state_dict_names_map_to_the_rows_of_the_table():
    names = {name.split(".")[1] for name in narrow_network().state_dict() if name.startswith("layers.")}
    assert names == {row.name for row in COMPLETION_NETWORK}


@pytest.mark.parametrize("width, channels", [(1, 64), (0.5, 32), (1 / 16, 4), (1 / 1000, 1)])
def test_width_scales_channels_and_keeps_at_least_one(width, channels):
    with torch.device("meta"):
        network = CompletionNetwork(width)
    assert network.layers[0].convolution.out_channels == channels
    assert network.layers[-1].convolution.out_channels == 3


@pytest.mark.parametrize("width", [0, -1, float("nan")])
def test_impossible_widths_are_refused(width):
    with pytest.raises(ValueError, match="width"):
        CompletionNetwork(width)


def test_undilated_network_has_the_same_parameters_but_no_dilation():
    with torch.device("meta"):
        network = CompletionNetwork(dilated=False)
    assert count_parameters(network) == 6_072_131
    assert {part.dilation for part in network.modules() if isinstance(part, nn.Conv2d)} == {(1, 1)}


# What the completion network sees and says


@pytest.mark.parametrize("height, width", [(4, 4), (64, 96), (100, 36)])
def test_output_has_the_photos_size_and_range(network, height, width):
    photo, mask = torch.rand(1, 3, height, width), torch.ones(1, 1, height, width)
    with torch.no_grad():
        output = network(photo, mask)
    assert output.shape == photo.shape
    assert output.min() >= 0 and output.max() <= 1


@pytest.mark.parametrize("content", [0.0, 1.0, float("nan"), float("inf"), "noise"])
def test_what_lies_in_the_hole_never_influences_the_output(network, content):
    photo, mask = photo_and_mask()
    other = torch.rand_like(photo) if content == "noise" else torch.full_like(photo, content)
    with torch.no_grad():
        assert torch.equal(network(photo, mask), network(torch.where(mask > 0, other, photo), mask))


def test_what_lies_outside_the_hole_does_influence_the_output(network):
    photo, mask = photo_and_mask()
    with torch.no_grad():
        difference = network(photo, mask) - network(torch.where(mask > 0, photo, 1 - photo), mask)
    assert difference[..., 30, 30].abs().min() > 1e-6


def test_the_hole_is_filled_with_the_mean_colour_which_becomes_zero():
    network = narrow_network(mean_colour=(0.2, 0.4, 0.6))
    photo, mask = photo_and_mask()
    prepared = network.prepare(photo, mask)
    inside = mask.expand_as(photo) > 0
    assert not prepared[:, :3][inside].any()
    expected = photo - torch.tensor([0.2, 0.4, 0.6]).view(3, 1, 1)
    assert torch.equal(prepared[:, :3][~inside], expected[~inside])


def test_the_mean_colour_need_not_be_subtracted():
    network = narrow_network(mean_colour=(0.2, 0.4, 0.6), subtract_mean=False)
    photo, mask = photo_and_mask()
    prepared = network.prepare(torch.where(mask > 0, torch.nan, photo), mask)
    inside = mask.expand_as(photo) > 0
    assert torch.equal(prepared[:, :3][~inside], photo[~inside])
    assert torch.equal(prepared[0, :3, 30, 30], torch.tensor([0.2, 0.4, 0.6]))
    assert torch.equal(prepared[:, 3:], mask)


def test_the_mask_is_the_fourth_channel_unless_left_out():
    photo, mask = photo_and_mask()
    assert torch.equal(narrow_network().prepare(photo, mask)[:, 3:], mask)
    assert not narrow_network(mask_channel=False).prepare(photo, mask)[:, 3:].any()


@pytest.mark.parametrize("height, width", [(62, 64), (64, 65), (3, 4)])
def test_sizes_that_are_no_multiples_of_four_are_refused_by_name(network, height, width):
    with pytest.raises(ValueError, match=f"multiples of 4, not {height} x {width}"):
        network(torch.rand(1, 3, height, width), torch.zeros(1, 1, height, width))


@pytest.mark.parametrize(
    "photo, mask",
    [
        ((3, 64, 64), (1, 64, 64)),
        ((1, 1, 64, 64), (1, 1, 64, 64)),
        ((1, 3, 64, 64), (1, 3, 64, 64)),
        ((1, 3, 64, 64), (1, 1, 64, 32)),
        ((2, 3, 64, 64), (1, 1, 64, 64)),
    ],
)
def test_photos_and_masks_of_other_shapes_are_refused(network, photo, mask):
    with pytest.raises(ValueError, match="expected a photo"):
        network(torch.rand(photo), torch.zeros(mask))


def test_composite_takes_the_hole_from_the_network_and_the_rest_from_the_photo():
    photo, mask = photo_and_mask()
    output = photo + 2
    result = composite(photo, output, mask)
    assert torch.equal(result, photo + 2 * mask)


@pytest.mark.parametrize("dilated", [True, False])
def test_initialisation_lets_signals_through_the_whole_stack(dilated):
    torch.manual_seed(0)
    network = CompletionNetwork(0.25, dilated=dilated).eval()  # eval: normalisation is neutral and hides nothing
    x = network.prepare(*photo_and_mask())
    with torch.no_grad():
        for layer in network.layers[:-1]:
            x = layer(x)
            signal = x.std(dim=(0, 2, 3)).mean()  # what varies with the photo, not what biases add
            assert 0.003 < signal < 10, "the signal fades or explodes"


# The discriminators


@pytest.mark.parametrize("options", [{"use_local": False}, {"use_global": False}, {}], ids=["global", "local", "both"])
def test_each_discriminator_looks_at_its_own_picture_only(options):
    torch.manual_seed(0)
    discriminator = ContextDiscriminator(64, 32, NARROW, **options).eval()
    photo, patch = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        logits = discriminator(photo, patch)
        other_photo, other_patch = discriminator(1 - photo, patch), discriminator(photo, 1 - patch)
    assert logits.shape == (2,)
    assert torch.equal(logits, other_photo) == ("use_global" in options)
    assert torch.equal(logits, other_patch) == ("use_local" in options)


def test_a_context_discriminator_without_either_is_refused():
    with pytest.raises(ValueError, match="both"):
        ContextDiscriminator(use_global=False, use_local=False)


@pytest.mark.parametrize("sizes", [(96, 32), (64, 48)])
def test_discriminator_sizes_that_cannot_be_halved_are_refused(sizes):
    with pytest.raises(ValueError, match="multiple of"):
        ContextDiscriminator(*sizes, width=NARROW)


def test_discriminators_refuse_pictures_of_another_size():
    discriminator = ContextDiscriminator(64, 32, NARROW)
    with pytest.raises(ValueError, match="64"):
        discriminator(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))


def test_probability_is_the_sigmoid_of_the_logit():
    discriminator = ContextDiscriminator(64, 32, NARROW).eval()
    pictures = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(discriminator.probability(*pictures), torch.sigmoid(discriminator(*pictures)))


# Weights


@pytest.fixture
def damaged(weights_folder, tmp_path):
    """A copy of a good weights folder, to damage."""
    return shutil.copytree(weights_folder, tmp_path / "damaged")


def test_weights_come_back_as_they_were_saved(tmp_path):
    network = narrow_network(mean_colour=(0.1, 0.2, 0.3), dilated=False, mask_channel=False)
    network.save_pretrained(tmp_path)
    loaded = CompletionNetwork.from_pretrained(tmp_path)
    assert not loaded.training
    assert not loaded.mask_channel
    for name, value in network.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
    photo, mask = photo_and_mask()
    with torch.no_grad():
        assert torch.equal(network(photo, mask), loaded(photo, mask))


def test_every_flag_comes_back_and_what_an_older_config_lacks_is_as_in_the_paper(tmp_path):
    network = narrow_network(norm_after_activation=True, subtract_mean=False)
    network.save_pretrained(tmp_path)
    photo, mask = photo_and_mask()
    with torch.no_grad():
        assert torch.equal(CompletionNetwork.from_pretrained(tmp_path)(photo, mask), network(photo, mask))
    (tmp_path / "config.json").write_text(json.dumps({"width": NARROW, "mean_colour": [0.5, 0.5, 0.5]}))
    older = CompletionNetwork.from_pretrained(tmp_path)
    assert (older.norm_after_activation, older.subtract_mean, older.dilated) == (False, True, True)
    assert [*older.layers[0]._modules] == ["convolution", "norm", "relu"]
    assert older.largest_hole == 128


def test_how_thick_the_holes_were_comes_back(tmp_path):
    narrow_network(largest_hole=40).save_pretrained(tmp_path)
    assert CompletionNetwork.from_pretrained(tmp_path).largest_hole == 40
    assert CompletionNetwork.from_pretrained().largest_hole == 64  # the shipped weights


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_without_one_of_the_two_files_is_refused_by_name(damaged, missing):
    (damaged / missing).unlink()
    with pytest.raises(WeightsError, match=f"no {missing}"):
        CompletionNetwork.from_pretrained(damaged)


@pytest.mark.parametrize(
    "name", ["/no/such/folder", "./nothing", "nothing", "a/b/c", "~/nothing-here", "runs/mien", "n" * 5000]
)
def test_a_folder_that_is_not_there_is_refused_without_asking_the_hub(monkeypatch, name):
    monkeypatch.setattr("glcic_lite.method.pretrained.hf_hub_download", lambda *a, **k: pytest.fail("asked the Hub"))
    with pytest.raises(WeightsError, match="no such folder"):
        CompletionNetwork.from_pretrained(name)


def test_a_hub_id_out_of_reach_is_a_weights_error(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="hf:nobody/nothing: .*out of reach"):
        CompletionNetwork.from_pretrained("hf:nobody/nothing", cache_dir=tmp_path)


def test_one_line_says_that_the_hub_is_being_asked(monkeypatch, capsys):
    """In place of those that the Hub's program prints each time that it tries again."""

    def try_again(*arguments, **options):
        logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 8s [Retry 5/5].")
        raise OSError

    monkeypatch.setattr("glcic_lite.method.pretrained.hf_hub_download", try_again)
    hub, theirs = logging.getLogger("huggingface_hub"), io.StringIO()
    monkeypatch.setattr(hub, "handlers", [logging.StreamHandler(theirs)])
    before = hub.level
    with pytest.raises(WeightsError, match="out of reach"):
        CompletionNetwork.from_pretrained("hf:nobody/nothing")
    assert capsys.readouterr() == ("", "asking the Hugging Face Hub for nobody/nothing ...\n")
    assert theirs.getvalue() == "" and hub.level == before


def test_weights_on_the_hub_are_opened_as_a_folder_is(monkeypatch, weights_folder):
    asked = []

    def download(*arguments, **options):
        asked.append((*arguments, options))
        return str(weights_folder / arguments[1])

    monkeypatch.setattr("glcic_lite.method.pretrained.hf_hub_download", download)
    loaded = CompletionNetwork.from_pretrained("hf:owner/name", revision="v1")
    assert asked == [("owner/name", file, {"revision": "v1"}) for file in ("config.json", "model.safetensors")]
    assert torch.equal(loaded.mean_colour, CompletionNetwork.from_pretrained(weights_folder).mean_colour)


def test_a_pipe_in_place_of_a_file_is_refused_at_once(damaged):
    for name in ("model.safetensors", "config.json"):
        (damaged / name).unlink()
        os.mkfifo(damaged / name)
        with pytest.raises(WeightsError, match=f"no {name}"):
            CompletionNetwork.from_pretrained(damaged)


def test_a_file_in_place_of_a_folder_is_refused(weights_folder):
    with pytest.raises(WeightsError):
        CompletionNetwork.from_pretrained(weights_folder / "model.safetensors")


class LeavesTraces:
    """Unpickling this writes a file: what a hostile checkpoint would do."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (exec, (f"open({str(self.path)!r}, 'w').close()",))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "model.pt"])
def test_pickled_weights_are_refused_and_nothing_in_them_runs(damaged, tmp_path, name):
    trace = tmp_path / "trace"
    poison = pickle.dumps(LeavesTraces(trace))
    (damaged / "model.safetensors").unlink()
    (damaged / name).write_bytes(poison)
    with pytest.raises(WeightsError):
        CompletionNetwork.from_pretrained(damaged)
    assert not trace.exists()
    pickle.loads(poison)  # the poison is real: it would have left a trace
    assert trace.exists()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n"


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("content, what", [(LFS, "Git LFS pointer"), (b"<html>", "web page"), (b"", "empty file")])
def test_a_file_of_another_kind_is_called_what_it_is(damaged, name, content, what):
    (damaged / name).write_bytes(content)
    with pytest.raises(WeightsError, match=f"{name} in this folder is an? {what}"):
        CompletionNetwork.from_pretrained(damaged)


def test_a_huge_config_is_not_read(damaged):
    with open(damaged / "config.json", "ab") as file:
        file.truncate(2**40)  # a hole: it takes no room on the disk
    with pytest.raises(WeightsError, match="config.json in this folder has more than"):
        CompletionNetwork.from_pretrained(damaged)


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    "damage",
    [cut, lambda d: b"", lambda d: d[:4], lambda d: b"\xff" * 64, lambda d: d[:100] + b"\0" * 50 + d[150:]],
    ids=["truncated", "empty", "header cut", "huge header", "header overwritten"],
)
def test_damaged_weights_are_refused(damaged, damage):
    file = damaged / "model.safetensors"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(WeightsError):
        CompletionNetwork.from_pretrained(damaged)


@pytest.mark.parametrize(
    "config",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        "{}",
        json.dumps({"width": 0.5}),
        json.dumps({"width": "wide"}),
        json.dumps({"width": -1}),
        '{"width": Infinity}',
        json.dumps({"width": NARROW, "mean_colour": [0.5, 0.5]}),
        json.dumps({"global_size": 256, "local_size": 128}),
        json.dumps({"width": NARROW, "dilated": "no"}),
        json.dumps({"width": NARROW, "mask_channel": 1}),
        json.dumps({"width": True}),
        json.dumps({"width": NARROW, "mean_colour": "grey"}),
        json.dumps({"width": NARROW, "largest_hole": 0}),
        json.dumps({"width": NARROW, "largest_hole": -64}),
        json.dumps({"width": NARROW, "largest_hole": "64"}),
        json.dumps({"width": NARROW, "largest_hole": [64]}),
        json.dumps({"width": NARROW, "largest_hole": True}),
        json.dumps({"width": NARROW, "largest_hole": None}),
        '{"width": 0.0625, "largest_hole": NaN}',
        '{"width": 0.0625, "largest_hole": Infinity}',
        "[" * 100_000,
        '{"width": 0.0625, "width": 0.0625}',
        json.dumps({"width": NARROW, "dilatd": False}),
        '{"width": 1e400}',
        '{"width": 1e308}',
        json.dumps({"width": NARROW, "mean_colour": [float("nan"), 0.5, 0.5]}),
    ],
)
def test_a_config_that_is_damaged_or_of_another_network_is_refused(damaged, config):
    (damaged / "config.json").write_text(config)
    with pytest.raises(WeightsError) as refused:
        CompletionNetwork.from_pretrained(damaged)
    assert "\n" not in str(refused.value)
    assert not re.search("NoneType|attribute|cannot convert", str(refused.value))


def state_with(change):
    state = narrow_network().state_dict()
    change(state)
    return {name: value.contiguous() for name, value in state.items()}


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.pop("layers.07_dilated_conv.convolution.weight"),
        lambda s: s.update(surplus=torch.zeros(3)),
        lambda s: s.update({"layers.17_output.convolution.bias": torch.zeros(4)}),
        lambda s: s["layers.05_conv.convolution.weight"].view(-1)[3:4].fill_(float("nan")),
        lambda s: s["layers.05_conv.norm.running_var"][:1].fill_(float("inf")),
        lambda s: s["layers.05_conv.norm.running_var"][:1].fill_(-1e-3),
        lambda s: s["layers.05_conv.convolution.weight"].view(-1)[3:4].fill_(-1e38),
        lambda s: s["mean_colour"].fill_(1e30),
        lambda s: s["mean_colour"].fill_(-3),
        lambda s: s["mean_colour"][1:2].fill_(1.5),
        lambda s: s.update({name: s[name].to(torch.complex64) for name in ["layers.05_conv.convolution.weight"]}),
        lambda s: [value.fill_(1e6) for name, value in s.items() if name.endswith("weight")],
        lambda s: s["layers.05_conv.convolution.weight"].zero_(),
        lambda s: s.update({name: s[name].to(torch.int8) for name in ["layers.05_conv.convolution.weight"]}),
    ],
    ids=[
        "missing",
        "surplus",
        "shape",
        "nan",
        "infinite",
        "negative variance",
        "huge",
        "huge colour",
        "negative colour",
        "colour beyond white",
        "complex",
        "overflows",
        "zeros",
        "whole numbers",
    ],
)
def test_weights_of_another_network_are_refused(damaged, change):
    save_file(state_with(change), damaged / "model.safetensors")
    with pytest.raises(WeightsError):
        CompletionNetwork.from_pretrained(damaged)


def test_a_config_that_asks_for_a_huge_network_takes_no_memory(damaged):
    config = json.loads((damaged / "config.json").read_text())
    (damaged / "config.json").write_text(json.dumps(config | {"width": 10}))  # 600 million numbers, 2.4 GB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WeightsError, match="size mismatch"):
        CompletionNetwork.from_pretrained(damaged)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kilobytes


@settings(max_examples=30)
@given(st.data())
def test_no_damaged_byte_makes_loading_fail_otherwise_than_with_a_weights_error(weights_folder, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("flipped")
    shutil.copytree(weights_folder, folder, dirs_exist_ok=True)
    content = bytearray((folder / "model.safetensors").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, 4000))] = data.draw(st.integers(0, 255))
    (folder / "model.safetensors").write_bytes(content)
    try:
        CompletionNetwork.from_pretrained(folder)
    except WeightsError as error:
        assert str(error).startswith(str(folder))


@pytest.mark.cuda
def test_completion_network_gives_the_same_on_cuda(network):
    photo, mask = photo_and_mask()
    with torch.no_grad():
        here = network(photo, mask)
        there = network.cuda()(photo.cuda(), mask.cuda()).cpu()
    assert (here - there).abs().max() < 1e-2  # TF32 convolutions
