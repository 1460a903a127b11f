"""What an encoder looks at: how active its map is, and which pixels matter to what it says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ...envs import OptionError
from ..nn.vision import PictureEncoder, PlanesDecoder
from ..runtime.extras import need

KINDS = ("integrated gradients", "gradients")


@torch.no_grad()
def activation(encoder: PictureEncoder, pictures: Tensor) -> np.ndarray:
    """How active the spatial map is, (B, h, w): the mean of absolute values over its channels; pictures (B, C, H, W)."""
    return encoder.eval().spatial(pictures).abs().mean(1).cpu().numpy()


def saliency(
    says: Callable[[Tensor], Tensor], pictures: Tensor, baseline: Tensor, kind: str = "integrated gradients"
) -> np.ndarray:
    """How much each pixel matters to a number that a network says, (B, H, W), by Captum.

    Args:
        says: pictures (B, C, H, W), floats from 0 to 1 -> numbers (B,).
        pictures: uint8.
        baseline: (C, H, W), floats: a picture that says nothing, such as the encoder's mean picture.
        kind: "integrated gradients" from there to the picture (Sundararajan et al. 2017), whose sum is what the picture adds
            to the number; or plain "gradients" (Simonyan et al. 2014), which are faster, and noisier.
    """
    if kind not in KINDS:
        raise OptionError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    attr = need("captum.attr", "saliency")
    x = (pictures.float() / 255).requires_grad_()
    if kind == "gradients":
        found = attr.Saliency(says).attribute(x)
    else:
        steps = 32  # of the integral
        found = attr.IntegratedGradients(says).attribute(
            x, baseline[None].expand_as(x).contiguous(), n_steps=steps, internal_batch_size=max(64, len(x))
        )
    return found.abs().sum(1).detach().cpu().numpy()


def says_plane(decoder: PlanesDecoder, plane: int) -> Callable[[Tensor], Tensor]:
    """For `saliency`: the logits of a plane where the decoder finds it, or else its highest one."""

    def says(x: Tensor) -> Tensor:
        logits = decoder(x)[:, plane].flatten(1)  # (B, cells)
        found = torch.where(logits > 0, logits, 0).sum(1)
        return torch.where((logits > 0).any(1), found, logits.amax(1))

    return says


def says_features(encoder: PictureEncoder) -> Callable[[Tensor], Tensor]:
    """For `saliency`: the length of the features."""
    return lambda x: encoder(x).norm(dim=1)
