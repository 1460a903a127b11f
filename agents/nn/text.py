"""Text encoders that are pretrained: a tokenizer with its vocabulary, and a network from tokens to features."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...envs import OptionError

TOKEN = re.compile(r"\w+(?:'\w+)*|[^\w\s]")  # words, with what apostrophes join, and signs
LONGEST = 100  # letters of a word; what has more, such as an encoded file, is never in a vocabulary
NOTHING, UNKNOWN, FIRST = 0, 1, 2  # numbers of tokens: behind the end, a word that is not known, the first word


@dataclass(frozen=True)
class Tokenizer:
    """Texts as numbers of tokens: words in lower case and signs, or bytes of UTF-8.

    Attributes:
        words: the vocabulary; `words[k]` is number `FIRST + k`. Empty: bytes, of which b is number `FIRST + b`.
        length: tokens of a text, what is behind them is cut off.
    """

    words: tuple[str, ...] = ()
    length: int = 256

    @classmethod
    def fit(cls, texts: Iterable[str], most: int = 20_000, length: int = 256) -> Tokenizer:
        """With the most frequent words of texts, at most so many of up to `LONGEST` letters; of bytes if that is 0."""
        if not most:
            return cls((), length)
        found = (token for text in texts for token in TOKEN.findall(text.lower()))
        counts = Counter(token for token in found if len(token) <= LONGEST)
        ordered = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(tuple(ordered[:most]), length)

    @property
    def tokens(self) -> int:
        """How many numbers there are."""
        return FIRST + (len(self.words) or 256)

    def encode(self, texts: Iterable[str]) -> np.ndarray:
        """(N, length) int32, `NOTHING` behind the end of a text; raises OptionError for a single text."""
        if isinstance(texts, str):
            raise OptionError("texts must be a list of them, got a single one: put it in brackets")
        numbers = {word: FIRST + k for k, word in enumerate(self.words)}
        rows = [self._row(text, numbers) for text in texts]
        encoded = np.full((len(rows), self.length), NOTHING, np.int32)
        for row, tokens in zip(encoded, rows, strict=True):
            row[: len(tokens)] = tokens
        return encoded

    def _row(self, text: str, numbers: Mapping[str, int]) -> list[int]:
        if not self.words:
            return [FIRST + byte for byte in text.encode()[: self.length]]
        found = (match[0] for match in TOKEN.finditer(text.lower()))
        return [numbers.get(word, UNKNOWN) for word, _ in zip(found, range(self.length), strict=False)]


@dataclass(frozen=True)
class TextConfig:
    """What a text encoder is made of; plain numbers and words.

    Attributes:
        words, length: of its `Tokenizer`.
        channels: of the embedding and the convolution.
        dropout: probability of zeroing a channel of a token's embedding while training.
        width: features of the output layer.
    """

    words: tuple[str, ...] = ()
    length: int = 256
    channels: int = 64
    dropout: float = 0.3
    width: int = 128


class TextEncoder(nn.Module):
    """Tokens (B, L) -> features (B, width): embedding, a convolution over three tokens beside it, mean over the text.

    The mean of embeddings (Joulin et al. 2017) is what a short training learns from; the convolution (Kim 2014) adds what
    neighbours say together, such as "not good".

    Args:
        config: what it is made of.
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        if config.length < 1 or config.channels < 1:
            raise OptionError(f"length and channels must be 1 or more, got {config.length} and {config.channels}")
        self.config, self.tokenizer = config, Tokenizer(config.words, config.length)
        self.embedding = nn.Embedding(self.tokenizer.tokens, config.channels, padding_idx=NOTHING)
        self.convolution = nn.Conv1d(config.channels, config.channels, 3, padding=1)
        self.dropout = nn.Dropout(config.dropout)
        self.layer = nn.Sequential(nn.Linear(config.channels, config.width), nn.ReLU(inplace=True))

    def forward(self, tokens: Tensor) -> Tensor:
        there = (tokens != NOTHING).unsqueeze(-1)  # (B, L, 1)
        x = self.dropout(self.embedding(tokens))  # (B, L, F)
        x = x + self.convolution(x.mT).mT.relu()
        mean = (x * there).sum(1) / there.sum(1).clamp(min=1)
        return self.layer(mean)

    @torch.no_grad()
    def encode(self, texts: Iterable[str]) -> Tensor:
        """Features (B, width) of texts as they are."""
        tokens = torch.from_numpy(self.tokenizer.encode(texts))
        return self(tokens.to(self.embedding.weight.device))
