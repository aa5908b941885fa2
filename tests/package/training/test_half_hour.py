"""The settings of CONTRIBUTING's half hour on a GPU."""

import json
from pathlib import Path

import pytest

import glcic_lite.training
from glcic_lite.method.networks import CompletionNetwork, ContextDiscriminator, count_parameters
from glcic_lite.training.settings import Settings

FOLDER = Path(glcic_lite.training.__file__).parent / "half_hour"
FIRST, SECOND = (
    Settings.from_dict(json.loads((FOLDER / f"{name}.json").read_text())) for name in ("phase_1", "phases_2_and_3")
)


def test_they_fit_the_shipped_weights_and_together_make_the_three_phases():
    shipped = CompletionNetwork.from_pretrained()
    for settings in (FIRST, SECOND):
        mine = CompletionNetwork(settings.width)
        assert count_parameters(mine) == count_parameters(shipped) and settings.dilated and settings.mask_channel
        assert settings.through_blending and settings.kept_statistics
        assert settings.hole_sides[1] == shipped.largest_hole
    assert FIRST.phase_1 and not FIRST.phase_2 and not FIRST.phase_3
    assert SECOND.phase_2 and SECOND.phase_3 and not SECOND.phase_1


def test_no_file_between_the_pieces_of_phase_1_is_larger_than_16_mib():
    network = count_parameters(CompletionNetwork(FIRST.width))
    discriminator = count_parameters(ContextDiscriminator(FIRST.crop_size, FIRST.local_size, FIRST.discriminator_width))
    # Adam keeps two numbers for each weight; the discriminators rest, so they have no state yet.
    for numbers in (2 * network, discriminator):
        assert 4 * numbers < 16 * 2**20


@pytest.mark.parametrize("settings", [FIRST, SECOND], ids=["phase 1", "phases 2 and 3"])
def test_contributing_names_the_lengths_that_it_speaks_of(settings):
    text = (Path(__file__).parents[3] / "CONTRIBUTING.md").read_text()
    assert f"last {settings.learning_rate_decay:.0%} of phase 1".replace("%", " %") in text
    if settings.phase_3:
        assert f"{settings.phase_3:,}" in text
