"""Mixing networks that grew from one another: the mean of their weights, number by number.

Two runs that start from the same weights and continue with other settings or other batches end up close to each other.
What they have in common survives in the mean of their weights, and what is peculiar to one, including chance, fades:
between a network that paints fog and one that paints too much texture lie all degrees. For networks that were trained
from scratch the mean is useless: the same feature sits in a different channel of each.

M. Wortsman and others: "Model soups", ICML 2022, and "Robust fine-tuning of zero-shot models", CVPR 2022.
"""

import math
import os
from collections.abc import Sequence

import torch

from glcic_lite.method.networks import CompletionNetwork, differing_options
from glcic_lite.method.pretrained import WeightsError, new_folder, write_new_folder


@torch.no_grad()
def mix(parts: Sequence[tuple[str | os.PathLike, float]]) -> CompletionNetwork:
    """The weighted mean of completion networks.

    Args:
        parts: for each network its weights (a folder or "hf:owner/name") and its share. The shares add up to 1. One may
            be negative: the mixture then lies beyond the other networks, away from this one.

    Returns:
        A network in evaluation mode.

    Raises:
        WeightsError: fewer than two networks, shares that do not add up to 1, weights that cannot be read or belong to
            different architectures; or shares so far outside 0 to 1 that a variance of batch normalisation would be
            negative.
    """
    if len(parts) < 2:
        raise WeightsError("a mixture needs at least two networks")
    if not math.isclose(total := sum(share for _, share in parts), 1, abs_tol=1e-6):
        raise WeightsError(f"the shares of a mixture must add up to 1, not {total:g}")
    networks = [CompletionNetwork.from_pretrained(source) for source, _ in parts]
    states = [network.state_dict() for network in networks]
    for (source, _), network, state in zip(parts, networks, states, strict=True):
        if differing := differing_options(network, networks[0]):
            raise WeightsError(f"{source}: not a network like {parts[0][0]}, but one with {', '.join(differing)}")
        if any(value.shape != states[0][name].shape for name, value in state.items()):
            raise WeightsError(f"{source}: not of the same width as {parts[0][0]}")
        if not torch.allclose(network.mean_colour, networks[0].mean_colour, rtol=0, atol=1e-3):  # which a run inherits
            raise WeightsError(f"{source}: has another mean colour than {parts[0][0]}, so neither grew from the other")
    shares = [share for _, share in parts]
    for name, mixed in states[0].items():
        if mixed.is_floating_point():  # everything but batch normalisation's count of batches
            mixed.copy_(sum(share * state[name] for share, state in zip(shares, states, strict=True)))
            if not mixed.isfinite().all():
                raise WeightsError(f"these shares go too far: some numbers in {name} would be infinite")
            if name.endswith("running_var") and (mixed < 0).any():
                raise WeightsError(f"these shares go too far: a variance in {name} would be negative")
    return networks[0]


def write_mixture(parts: Sequence[tuple[str | os.PathLike, float]], out: str | os.PathLike) -> CompletionNetwork:
    """Mix networks, as `mix` does, and write a folder: config.json, model.safetensors and a README of what was mixed.

    Raises:
        WeightsError: as for `mix`; or `out` is not empty.
        OSError: `out` cannot be written.
    """
    out = new_folder(out)
    mixture = mix(parts)
    lines = [f"# {out.name}: a mixture", "", "The mean, number by number, of the weights of", ""]
    lines += [f"- {source}: {share:g}" for source, share in parts]
    write_new_folder(mixture, out, "\n".join(lines) + "\n")
    return mixture
