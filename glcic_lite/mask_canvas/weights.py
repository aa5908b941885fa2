"""Which network the studio completes with, and what it is called."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import PurePath

from glcic_lite.files import SHIPPED_WEIGHTS
from glcic_lite.method.networks import CompletionNetwork, fingerprint
from glcic_lite.method.pretrained import on_the_hub
from glcic_lite.speed.completion import shipped_network

SHIPPED, YOURS = "the shipped weights", "your network"


def load_network(
    network: CompletionNetwork | str | PurePath | None, say: Callable[[str], None] = print
) -> tuple[CompletionNetwork, str]:
    """The network, and what it is called: the shipped weights are recognised wherever they were loaded from.

    Args:
        network: a network, a folder of weights, "hf:owner/name", or None for the shipped weights.
        say: is called with what the reader is waiting for, before a download.

    Raises:
        WeightsError: the weights cannot be used; the message says why.
    """
    if network is None:
        return shipped_network(), SHIPPED
    if isinstance(network, CompletionNetwork):
        name = YOURS
    else:
        if on_the_hub(network):
            say(f"Downloading the weights {network} from the Hugging Face Hub ...")
        network, name = CompletionNetwork.from_pretrained(network), str(network)
    return network, SHIPPED if fingerprint(network) == shipped_fingerprint() else name


@cache
def shipped_fingerprint() -> str:
    """What the shipped weights are, as their config.json says."""
    return json.loads((SHIPPED_WEIGHTS / "config.json").read_text(encoding="utf-8")).get("fingerprint", "")
