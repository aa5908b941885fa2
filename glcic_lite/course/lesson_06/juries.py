"""What the discriminators of a batch say: who of the two says it, and what batch normalisation gives away."""

import copy

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from glcic_lite.course.shared.figures import INPUT, OUTPUT, QUIET, WEIGHT
from glcic_lite.method.networks import ContextDiscriminator

Views = tuple[Tensor, Tensor]  # (N, 3, H, W) photos and (N, 3, PATCH, PATCH) patches


@torch.inference_mode()
def logit_and_shares(discriminators: ContextDiscriminator, photos: Tensor, patches: Tensor) -> dict[str, Tensor]:
    """The logit ("both"), and the shares of the global and of the local one that add up to it, but for the bias.

    The logit is a weighted sum of the features that both have found, so it splits.

    Returns:
        (N,) each, on the CPU.
    """
    device = discriminators.concatenation.weight.device
    photos, patches = photos.to(device), patches.to(device)
    weight, split = discriminators.concatenation.weight[0], discriminators.global_discriminator.features
    return {
        "both": discriminators(photos, patches).cpu(),
        "global": (discriminators.global_discriminator(photos) @ weight[:split]).cpu(),
        "local": (discriminators.local_discriminator(patches) @ weight[split:]).cpu(),
    }


@torch.no_grad()
def while_training(discriminators: ContextDiscriminator, *kinds: Views, together: int = 8) -> list[Tensor]:
    """Logits as in training: batch normalisation takes its statistics from a batch, `together` of each kind.

    Args:
        discriminators: stay as they are.
        kinds: such as photos and completions; all of a kind in one pair of tensors.

    Returns:
        (N,) for each kind, on the CPU.
    """
    training = copy.deepcopy(discriminators).train()
    device = training.concatenation.weight.device
    found = []
    for start in range(0, len(kinds[0][0]), together):
        batch = (torch.cat([kind[i][start : start + together] for kind in kinds]).to(device) for i in (0, 1))
        found.append(training(*batch).cpu().chunk(len(kinds)))
    return [torch.cat(parts) for parts in zip(*found, strict=True)]


def probabilities_figure(logits: dict[str, Tensor]) -> Figure:
    """One row a fill, one dot a photo: its probability of being real; a dark line at the median.

    Args:
        logits: by fill, (N,) each.
    """
    figure, ax = plt.subplots(figsize=(10.5, 0.62 * len(logits) + 1.1), layout="constrained")
    for row, (name, of_fill) in enumerate(logits.items()):
        values = torch.sigmoid(of_fill).numpy()
        spread = (np.arange(len(values)) * 0.618 % 1 - 0.5) * 0.6  # evenly, and the same every time
        colour = INPUT if name == "photo" else OUTPUT
        ax.plot(values, row + spread, "o", color=colour, markersize=4.5, alpha=0.6, markeredgewidth=0)
        ax.plot([np.median(values)] * 2, [row - 0.4, row + 0.4], color=WEIGHT, linewidth=3)
        ax.text(1.015, row, f"median {np.median(values):.2f}", va="center", fontsize=11)
    ax.axvline(0.5, color=QUIET, linestyle=":")
    ax.set_yticks(range(len(logits)), list(logits))
    ax.set_ylim(len(logits) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    ax.set_xlabel("probability of being real, by the two discriminators together")
    return figure
