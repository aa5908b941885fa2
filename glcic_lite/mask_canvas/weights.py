"""Which network the studio completes with, and what is known of its weights."""

import json
from collections.abc import Callable
from pathlib import PurePath

from glcic_lite.files import SHIPPED_WEIGHTS
from glcic_lite.method.networks import CompletionNetwork
from glcic_lite.method.pretrained import on_the_hub
from glcic_lite.speed.completion import shipped_network


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
        return shipped_network(), "the shipped weights"
    if isinstance(network, CompletionNetwork):
        return network, "the shipped weights" if network is shipped_network() else "your network"
    if on_the_hub(network):
        say(f"Downloading the weights {network} from the Hugging Face Hub ...")
    return CompletionNetwork.from_pretrained(network), str(network)


def learned_width(network: CompletionNetwork) -> int:
    """The widest holes that the shipped weights were trained on, in pixels; 0 for other weights: not known."""
    if network is not shipped_network():
        return 0
    settings = json.loads((SHIPPED_WEIGHTS / "settings.json").read_text(encoding="utf-8"))
    return settings["hole_sides"][1]
