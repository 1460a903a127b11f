"""The training loop that all methods share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .method import Method

LOWEST = -1e9  # a score where there is none


@dataclass
class History:
    """What came of a training, one entry for each look at the validation part.

    Attributes:
        steps, seconds: gradient steps and seconds, by the trainer's clock, until then.
        loss: mean of the training loss since the look before.
        validation_loss, figures: on pictures that were not trained on.
        score: the figure that decides which look was the best.
    """

    steps: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    figures: list[dict[str, float]] = field(default_factory=list)
    score: list[float] = field(default_factory=list)

    @property
    def best(self) -> int:
        """Which look was the best; the first of several that were."""
        return max(range(len(self.score)), key=self.score.__getitem__)


class Trainer:
    """Trains a method and keeps its best weights.

    Args:
        method: is trained; its encoder's mean picture and scale are there already.
        batch_size: rows of a minibatch.
        learning_rate: at the start; it falls to 0 along a half cosine (Loshchilov & Hutter 2017) over the whole training.
        weight_decay: of AdamW.
        time_limit, epochs: when it ends, by seconds or passes over the training part; whichever is first.
        patience: looks without a better figure after which it ends early.
        looks: at the validation part, over the whole training.
        seed: of minibatches; what methods draw comes from PyTorch's own generator.
        clock: tells seconds; `time.process_time` where the machine is shared.
    """

    def __init__(
        self,
        method: Method,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        time_limit: float | None = 60.0,
        epochs: float | None = None,
        patience: int | None = None,
        looks: int = 20,
        seed: int = 0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.method, self.batch_size, self.patience, self.looks = method, batch_size, patience, looks
        self.learning_rate, self.time_limit, self.clock = learning_rate, time_limit, clock
        self.generator = torch.Generator().manual_seed(seed)
        self.rows = method.rows("train")
        self.max_steps = None if epochs is None else max(1, round(epochs * len(self.rows) / batch_size))
        parameters = [p for p in method.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(parameters, learning_rate, weight_decay=weight_decay, fused=True)
        self.history, self.best = History(), None
        self.steps, self.spent, self.interrupted = 0, 0.0, False
        self.order = torch.zeros(0, dtype=torch.int64)

    def train(self, tell: Callable[[Trainer], Any] = lambda _: None) -> History:
        """Train until time, epochs or patience are over, or until Ctrl-C; the method has its best weights then.

        Raises KeyboardInterrupt before the first look.
        """
        try:
            self._train(tell)
        except KeyboardInterrupt:
            if self.best is None:
                raise
            self.interrupted = True
        if self.best is not None:
            self.method.load_state_dict(self.best)
        self.method.eval()
        self.method.finish()
        return self.history

    def _train(self, tell: Callable[[Trainer], Any]) -> None:
        began, before = self.clock(), self.spent
        losses: list[Tensor] = []
        while not self._over():
            losses.append(self.step())
            self.spent = before + self.clock() - began
            if self.progress >= (len(self.history.steps) + 1) / self.looks:
                self.look(losses)
                losses = []
                tell(self)
        if losses:
            self.look(losses)
            tell(self)

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        by_time = 0.0 if self.time_limit is None else self.spent / self.time_limit
        return min(1.0, max(by_time, 0.0 if self.max_steps is None else self.steps / self.max_steps))

    def _over(self) -> bool:
        history = self.history
        early = (
            self.patience is not None and bool(history.steps) and len(history.steps) - 1 - history.best >= self.patience
        )
        return self.progress >= 1.0 or early

    def step(self) -> Tensor:
        """One gradient step; returns the loss ()."""
        self.method.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * 0.5 * (1 + math.cos(math.pi * self.progress))
        loss = self.method.loss(self._minibatch())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.steps += 1
        return loss.detach()

    def _minibatch(self) -> Tensor:
        """The next rows (B,) of a random order of all, which is drawn anew when it is used up."""
        if len(self.order) < min(self.batch_size, len(self.rows)):
            self.order = self.rows[torch.randperm(len(self.rows), generator=self.generator)]
        rows, self.order = self.order[: self.batch_size], self.order[self.batch_size :]
        return rows

    @torch.no_grad()
    def look(self, losses: list[Tensor]) -> None:
        """Evaluate on the validation part; keep the weights if they are the best so far."""
        self.method.eval()
        rows = self.method.rows("validation")[:2048]
        validation = torch.stack([self.method.loss(some) * len(some) for some in rows.split(256)]).sum() / len(rows)
        history = self.history
        history.steps.append(self.steps)
        history.seconds.append(self.spent)
        history.loss.append(float(torch.stack(losses).mean()))
        history.validation_loss.append(float(validation))
        figures = self.method.figures("validation")
        history.score.append(figures.get(self.method.judged_by, LOWEST))
        history.figures.append(figures)
        if history.best == len(history.steps) - 1:
            self.best = deepcopy(self.method.state_dict())
