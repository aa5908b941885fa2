"""Completion in miniature: what lesson 05 counts is what is there."""

import pytest
import torch

from glcic_lite.course.lesson_05 import toy_gan
from glcic_lite.course.lesson_05.toy_gan import FOG, GRAIN, NEAR, PLACES, hidden_edges, shares, strips


def test_every_strip_has_one_edge_and_the_known_pixels_around_the_hole():
    whole = strips(PLACES)
    assert whole.shape == (3, 8)
    assert (whole[:, :3] == 0).all() and (whole[:, 5:] == 1).all()
    assert (whole.diff(dim=1).abs().sum(1) == 1).all()
    assert whole.diff(dim=1).argmax(1).tolist() == [4, 3, 2]  # behind, within and before the hole


def test_hidden_edges_lie_at_the_three_places_equally_often():
    torch.manual_seed(0)
    edges = hidden_edges(3000)
    assert shares(edges) == pytest.approx(torch.full((3,), 1 / 3), abs=0.04)
    assert (edges - PLACES[torch.cdist(edges, PLACES).argmin(1)]).std() == pytest.approx(GRAIN, rel=0.05)


def test_the_fog_has_the_smallest_squared_error_and_is_not_plausible():
    grid = torch.cartesian_prod(torch.linspace(-0.5, 1.5, 61), torch.linspace(-0.5, 1.5, 61))
    errors = [toy_gan.error(point.view(1, 1, 2)) for point in grid]
    assert toy_gan.error(FOG.view(1, 1, 2)) <= min(errors)
    assert shares(FOG[None]).sum() == 0
    for place in PLACES:
        assert toy_gan.error(place.view(1, 1, 2)) > 1.4 * toy_gan.error(FOG.view(1, 1, 2))


def test_a_fill_is_plausible_within_its_distance_only():
    near = PLACES + torch.tensor([0.99 * NEAR, 0])
    far = PLACES - torch.tensor([1.01 * NEAR, 0])
    assert shares(near).tolist() == pytest.approx([1 / 3] * 3)
    assert shares(far).sum() == 0


def test_what_is_counted():
    at = {name: place.expand(4, 2) for name, place in zip("abc", PLACES, strict=True)}
    at["fog"] = FOG.expand(4, 2)
    at["all"] = torch.cat([PLACES, FOG[None]])

    def course(*names):
        return torch.stack([at[name] for name in names])

    assert toy_gan.jumps(course("a", "a", "b", "b", "a")) == 2
    assert toy_gan.jumps(course("a", "fog", "a", "fog", "c")) == 1  # through the fog and back is no jump
    assert toy_gan.jumps(course("fog", "all", "fog")) == 0
    assert toy_gan.plausible_share(course("a", "fog")) == 0.5
    assert toy_gan.plausible_share(course("all")) == 0.75
    assert toy_gan.places_used(course("all", "a")) == 2
    assert toy_gan.places_used(course("fog")) == 0
    assert [len(part) for part in toy_gan.thirds(course(*"aaabbbccc"))] == [3, 3, 3]
    assert toy_gan.error(course("a", "a")) == pytest.approx(PLACES.square().mean().item())
