"""Classes of pictures or texts: a pretrained encoder and a layer on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...envs import OptionError
from .text import TextEncoder
from .vision import PictureEncoder


class Classifier(nn.Module):
    """Inputs as the encoder takes them -> logits (B, K).

    Args:
        encoder: of pictures or texts.
        classes: their names, in order.
        several: whether an input may have several classes, or none; else it has one.
    """

    def __init__(self, encoder: PictureEncoder | TextEncoder, classes: Sequence[str], several: bool = False) -> None:
        super().__init__()
        self.encoder, self.classes, self.several = encoder, tuple(classes), several
        self.head = nn.Linear(encoder.config.width, len(classes))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.encoder(inputs))

    def predict(self, inputs: Any) -> Tensor:
        """The number of the class of each input, (B,) int64; where there may be several, (B, K) uint8 of 0 and 1.

        Args:
            inputs: pictures (B, C, H, W), uint8 or floats from 0 to 1; or texts, or their tokens (B, L); arrays or tensors.

        Raises:
            OptionError: the encoder is not for such inputs.
        """
        shares = self.probabilities(inputs)
        return (shares > 0.5).to(torch.uint8) if self.several else shares.argmax(1)

    @torch.no_grad()
    def probabilities(self, inputs: Any) -> Tensor:
        """Of each class, (B, K); they sum to 1 where an input has one class. Takes what `predict` takes."""
        texts = isinstance(self.encoder, TextEncoder)
        logits = self(self._tokens(inputs) if texts else self._pictures(inputs))
        return logits.sigmoid() if self.several else logits.softmax(1)

    def _tokens(self, texts: Any) -> Tensor:
        encoder: Any = self.encoder
        if not isinstance(texts, (np.ndarray, Tensor)):
            texts = encoder.tokenizer.encode(texts)
        return torch.as_tensor(texts, device=self.head.weight.device)

    def _pictures(self, pictures: Any) -> Tensor:
        x = torch.as_tensor(pictures, device=self.head.weight.device)
        height, width, channels = self.encoder.config.shape  # type: ignore[union-attr]
        if x.ndim != 4 or x.shape[1:] != (channels, height, width):
            raise OptionError(f"pictures must be (B, {channels}, {height}, {width}), got {tuple(x.shape)}")
        if x.dtype != torch.uint8:
            x = x.float()
            if x.numel() and not 0 <= float(x.min()) <= float(x.max()) <= 1:
                raise OptionError(
                    f"pictures must be uint8 or floats from 0 to 1, got numbers from {float(x.min()):g} to {float(x.max()):g}"
                )
        return x
