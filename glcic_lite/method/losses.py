"""The two losses of the paper (section 3.4), and what this course adds to them."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor


def hole_errors(output: Tensor, photo: Tensor, mask: Tensor, colour_weight: float = 1.0) -> Tensor:
    """The squared error of each photo, averaged over its hole and the three colours: (N,).

    Args:
        output, photo: (N, 3, H, W) in [0, 1].
        mask: (N, 1, H, W), 1 in the hole; no hole may be empty.
        colour_weight: how much an error in colour counts beside one in grey, 0 or more. 1 is the plain squared error;
            anything else is this course's addition. A pixel's squared error is three times the square of its mean error
            over red, green and blue (grey), plus the squares of what each of the three errs beyond that mean (colour).
            The second part is multiplied by this.
    """
    difference = (output - photo).float()
    if colour_weight != 1:
        grey = difference.mean(dim=1, keepdim=True)
        difference = grey + colour_weight**0.5 * (difference - grey)
    squared_error = (difference * mask).square().sum(dim=(1, 2, 3))
    return squared_error / (3 * mask.sum(dim=(1, 2, 3)))


def mesh_errors(output: Tensor, photo: Tensor, mask: Tensor) -> Tensor:
    """The part of each photo's squared error that is a mesh, repeating every two pixels: (N,).

    Of the error in the hole, what alternates from column to column, from row to row, or like a chessboard; this
    course's addition to the paper. Photos have little of that. A network whose last layers double the size of its
    picture makes it easily: in a transposed convolution each pixel of a 2 x 2 block has weights of its own.

    Arguments are those of `hole_errors`.
    """
    error = ((output - photo).float() * mask).flatten(0, 1)[:, None]  # (3 N, 1, H, W)
    energy = F.conv2d(error, mesh_kernels(error.device), padding=4).square().sum(dim=(1, 2, 3))
    return energy.unflatten(0, (-1, 3)).sum(dim=1) / (3 * mask.sum(dim=(1, 2, 3)))


@lru_cache  # a copy to a GPU in every step would make the processor wait for it
@torch.inference_mode(False)  # whoever measures may ask first, and what is made then could not be trained through
def mesh_kernels(device: torch.device) -> Tensor:
    """Three filters for columns, rows and a chessboard that alternate from pixel to pixel: (3, 1, 9, 9).

    Each is a smooth mean over nine pixels, the binomial coefficients, down times across. With alternating signs that
    lets through what changes its sign from pixel to pixel, and nothing of an even slope or bend.
    """
    smooth = torch.tensor([1.0, 8, 28, 56, 70, 56, 28, 8, 1], device=device) / 256
    alternating = smooth * torch.tensor([1.0, -1] * 4 + [1], device=device)
    directions = ((smooth, alternating), (alternating, smooth), (alternating, alternating))
    return torch.stack([down[:, None] * across for down, across in directions])[:, None]


def reconstruction_loss(output: Tensor, photo: Tensor, mask: Tensor) -> Tensor:
    """The squared error inside the hole, weighted by the mask as in equation 2.

    It is averaged over the hole of each photo and then over the photos: averaged over all pixels, small holes would
    hardly count, and the loss would change whenever the hole's share of the photo does.

    Arguments are those of `hole_errors`.
    """
    return hole_errors(output, photo, mask).mean()


def logarithmic_loss(errors: Tensor, floor: float) -> Tensor:
    """The mean logarithm of the photos' squared errors, this course's addition to the paper.

    PSNR is a logarithm, too, and averaged over photos. A few busy photos make up much of the squared error (about half
    comes from a quarter of the test photos, `weights/lite/evaluation.csv`); with the logarithm every photo has its say.

    Args:
        errors: (N,), squared errors, as `hole_errors` gives them.
        floor: is added to each error first: errors far below it hardly count.
    """
    return (errors + floor).log().mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Cross-entropy of the discriminators: real photos should be called 1, completed ones 0 (equation 3).

    Args:
        real_logits, fake_logits: (N,), before the sigmoid.
    """
    real = F.binary_cross_entropy_with_logits(real_logits.float(), real_logits.float().new_ones(real_logits.shape))
    fake = F.binary_cross_entropy_with_logits(fake_logits.float(), fake_logits.float().new_zeros(fake_logits.shape))
    return real + fake


def gan_loss(fake_logits: Tensor) -> Tensor:
    """What the completion network minimises to pass for real: -log D.

    The paper writes log(1 - D), whose gradient vanishes while the discriminators win; -log D has the same goal and a
    strong gradient there (Goodfellow et al., 2014, section 3), and is what implementations use.
    """
    return F.binary_cross_entropy_with_logits(fake_logits.float(), fake_logits.float().new_ones(fake_logits.shape))


def grey_gradient(pictures: Tensor) -> Tensor:
    """The same pictures, (N, 3, H, W); but a gradient flows back through them as its mean over the three colours.

    So a loss can change how bright a pixel becomes, not its colour: this course's addition to the paper. Our
    discriminators were slow to learn that leaves and fur have no red, green and blue dots.
    """
    grey = pictures.mean(dim=1, keepdim=True)
    return pictures.detach() + (grey - grey.detach())
