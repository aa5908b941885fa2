"""LPIPS as an option: the authors' arithmetic, on weights made here, since none are shipped."""

import numpy as np
import pytest
import torch
from PIL import Image

from glcic_lite.evaluation.fills import harmonic_fill
from glcic_lite.evaluation.lpips import ALEXNET, LINEAR, _alexnet, hole_lpips
from glcic_lite.evaluation.protocol import evaluate
from glcic_lite.evaluation.statistics import averages
from glcic_lite.method.photos import save_image
from glcic_lite.method.pretrained import WeightsError
from inputs import hole, narrow_network, texture

PHOTO, MASK = texture(64, 80), hole(64, 80, (20, 10, 50, 40))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder as a user would have it, with random numbers in place of trained ones."""
    folder, random = tmp_path_factory.mktemp("lpips"), np.random.default_rng(0)
    state = {}
    for name, parameter in _alexnet().named_parameters():
        spread = (2 / parameter[0].numel()) ** 0.5 if parameter.dim() > 1 else 0.1
        state[f"features.{name}"] = torch.tensor(random.normal(0, spread, parameter.shape)).float()
    linear = {
        f"lin{number}.model.1.weight": torch.tensor(random.uniform(0, 1, (1, channels, 1, 1))).float()
        for number, channels in enumerate((64, 192, 384, 256, 256))
    }
    torch.save(state | {"classifier.1.weight": torch.zeros(3)}, folder / ALEXNET)
    torch.save(linear, folder / LINEAR)
    return folder


def test_it_is_the_authors_distance(weights):
    measure = hole_lpips(weights)
    # computed by the package lpips 0.1.4 (spatial=True, mean over the hole) with these very weights
    assert measure(PHOTO, harmonic_fill(PHOTO, MASK), MASK) == pytest.approx(0.2419218, rel=1e-4)
    assert measure(PHOTO, PHOTO, MASK) == 0


def test_a_file_that_is_missing_or_something_else_is_one_line(weights, tmp_path):
    with pytest.raises(WeightsError, match=f"{ALEXNET}: LPIPS needs this file") as missing:
        hole_lpips(tmp_path)
    assert "\n" not in str(missing.value)
    (tmp_path / ALEXNET).write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="not a file of weights"):
        hole_lpips(tmp_path)
    for name in (ALEXNET, LINEAR):
        torch.save({"x": torch.zeros(1)}, tmp_path / name)
    with pytest.raises(WeightsError, match="are not the weights of LPIPS"):
        hole_lpips(tmp_path)


def test_it_is_a_column_where_it_is_asked_for(weights, tmp_path):
    save_image(Image.fromarray(texture(256, 256)), tmp_path / "one.png")
    chosen = dict(network=narrow_network(), holes=["box 32"], fills=["Telea", "network, blended"])
    more = {"lpips": hole_lpips(weights)}
    rows = evaluate(tmp_path, **chosen, more=more)
    assert all(0 < row["lpips"] < 5 for row in rows) and "lpips" not in evaluate(tmp_path, **chosen)[0]
    assert [row["lpips"] for row in averages(rows)] == [row["lpips"] for row in rows]
    told = [{**row, "psnr": "1.5"} for row in rows]
    assert all(row["psnr"] > 1.5 for row in evaluate(tmp_path, **chosen, more=more, known=told))


def test_the_command_line_says_which_file_is_missing(tmp_path, monkeypatch, capsys):
    from glcic_lite import __main__ as command_line

    monkeypatch.setattr("sys.argv", ["glcic_lite", "evaluate", "--lpips", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        command_line.main()
    assert stopped.value.code == 2 and ALEXNET in capsys.readouterr().err
