"""Which network the studio completes with, and what it is called."""

from collections.abc import Callable
from pathlib import PurePath

import torch

from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.pretrained import on_the_hub
from glcic_lite.speed.completion import shipped_network

SHIPPED, YOURS = "the shipped weights", "your network"


def load_network(
    network: CompletionNetwork | str | PurePath | None, say: Callable[[str], None] = print
) -> tuple[CompletionNetwork, str]:
    """The network, and what it is called.

    Args:
        network: a network, a folder of weights, "hf:owner/name", or None for the shipped weights.
        say: is called with what the reader is waiting for, before a download.

    Raises:
        WeightsError: the weights cannot be used; the message says why.
    """
    if network is None:
        return shipped_network(), SHIPPED
    if isinstance(network, CompletionNetwork):
        return network, SHIPPED if same_weights(network, shipped_network()) else YOURS
    if on_the_hub(network):
        say(f"Downloading the weights {network} from the Hugging Face Hub ...")
    return CompletionNetwork.from_pretrained(network), str(network)


def same_weights(one: CompletionNetwork, other: CompletionNetwork) -> bool:
    """Whether two networks are alike in every number, wherever and however often they were loaded."""
    ours, theirs = one.state_dict(), other.state_dict()
    options = ("dilated", "mask_channel", "norm_after_activation", "subtract_mean", "largest_hole")
    if ours.keys() != theirs.keys() or any(getattr(one, name) != getattr(other, name) for name in options):
        return False
    return all(torch.equal(value.cpu(), theirs[name].cpu()) for name, value in ours.items())
