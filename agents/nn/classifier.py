"""Classes of pictures or texts: a pretrained encoder and a layer on it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

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

    @torch.no_grad()
    def predict(self, inputs: Tensor) -> Tensor:
        """The number of the class of each, (B,) int64; where there may be several, (B, K) uint8 of 0 and 1."""
        logits = self(inputs)
        return (logits > 0).to(torch.uint8) if self.several else logits.argmax(1)
