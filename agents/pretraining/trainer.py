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

from ...envs import OptionError
from .method import Method

LOWEST = -1e9  # a score where there is none
PER_LOOK = 4  # times as long as a look took is trained before the next, where the clock decides
LOSS_OF = 2048  # rows of the validation part, at most
SAME = 1e-9  # of progress, which steps / steps may miss a whole number of looks by


@dataclass
class History:
    """What came of a training, one entry for each look at the validation part.

    Attributes:
        steps, seconds: gradient steps and seconds, by the trainer's clock, until then.
        loss: mean of the training loss since the look before.
        validation_loss, figures: on pictures that were not trained on.
        score: the figure that decides which look was the best.
        progress: from 0 to 1, of the training as it was planned then; a training that goes on with more time falls back.
        diverged: the gradient step from which the loss was not finite, where that ended the training; None: it was finite.
    """

    steps: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    figures: list[dict[str, float]] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    progress: list[float] = field(default_factory=list)
    diverged: int | None = None

    @property
    def best(self) -> int:
        """Which look was the best: of those with the highest score, the one with the lowest validation loss."""
        return max(range(len(self.score)), key=lambda k: (self.score[k], -self.validation_loss[k]))


def check_settings(**given: Any) -> None:
    """Raise OptionError for settings of a `Trainer` that cannot be."""
    whole = {"batch_size": given.get("batch_size"), "patience": given.get("patience"), "looks": given.get("looks")}
    for name, value in whole.items():
        if value is not None and value < 1:
            raise OptionError(f"{name} must be 1 or more, got {value}")
    for name in ("learning_rate", "time_limit", "epochs"):
        value = given.get(name)
        if value is not None and not 0 < value < math.inf:
            raise OptionError(f"{name} must be a finite number above 0, got {value}")
    if not 0 <= given.get("weight_decay", 0.0) < math.inf:
        raise OptionError(f"weight_decay must be a finite number from 0, got {given['weight_decay']}")
    if given.get("time_limit", 1) is None and given.get("epochs") is None:
        raise OptionError("epochs must be a number where time_limit is None: nothing else would end the training")


class Trainer:
    """Trains a method and keeps its best weights.

    Args:
        method: is trained; its encoder's mean picture and scale are there already.
        batch_size: rows of a minibatch; None: what suits the method.
        learning_rate: at the start; it falls to 0 along a half cosine (Loshchilov & Hutter 2017) over the whole training.
            None: what suits the method.
        weight_decay: of AdamW.
        time_limit, epochs: when it ends, by seconds or passes over the training part; whichever is first.
        patience: looks that are no better than the best before (see `History.best`), after which it ends early.
        looks: at the validation part, over the whole training.
        seed: of minibatches; what methods draw comes from PyTorch's own generator.
        clock: tells seconds; `time.process_time` where the machine is shared.

    Raises:
        OptionError: a setting is none that a training can have.
    """

    def __init__(
        self,
        method: Method,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        weight_decay: float = 0.0,
        time_limit: float | None = 60.0,
        epochs: float | None = None,
        patience: int | None = None,
        looks: int = 20,
        seed: int = 0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        check_settings(
            batch_size=batch_size, learning_rate=learning_rate, weight_decay=weight_decay, time_limit=time_limit,
            epochs=epochs, patience=patience, looks=looks,
        )  # fmt: skip
        batch_size = method.batch_size if batch_size is None else batch_size
        learning_rate = method.learning_rate if learning_rate is None else learning_rate
        self.settings = {"batch_size": batch_size, "learning_rate": learning_rate, "weight_decay": weight_decay}
        self.settings |= {"seed": seed, "looks": looks}  # those that decide what comes of it, but for how long it is
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

        Where the loss is not finite any more, it ends, too, and `history.diverged` says from which step.

        Raises KeyboardInterrupt before the first look, and OptionError where the loss is not finite up to it.
        """
        try:
            self._train(tell)
        except KeyboardInterrupt:
            if self.best is None:
                raise
            self.interrupted = True
        if self.best is None and self.history.diverged is not None:
            raise OptionError(f"{diverged(self.history)}; there are no weights to keep")
        if self.best is not None:
            self.method.load_state_dict(self.best)
        self.method.eval()
        self.method.finish()
        return self.history

    def _train(self, tell: Callable[[Trainer], Any]) -> None:
        began, before = self.clock(), self.spent
        losses: list[Tensor] = []
        due, rest = self._mark + 1, None  # the next look, and the time by the clock before which it does not come
        fewest = self.steps + self._steps_per_look()
        while not self._over():
            losses.append(self.step())
            now = self.clock()
            self.spent = before + now - began
            worth = self.steps >= fewest if rest is None else now >= rest
            if self._mark >= due and (worth or not self._by_time):
                due = self._mark + 1
                self._look(losses, tell)
                losses, after = [], self.clock()
                self.spent, rest = before + after - began, after + PER_LOOK * (after - now)
        if losses and self.history.diverged is None:
            self._look(losses, tell)

    def _steps_per_look(self) -> float:
        """Steps that take `PER_LOOK` times as long as a look, while none was timed: a step is three passes of a batch."""
        rows = len(self.method.rows("validation"))
        return PER_LOOK / 3 * (min(rows, LOSS_OF) + rows) / self.batch_size  # for the loss and for the figures

    def _look(self, losses: list[Tensor], tell: Callable[[Trainer], Any]) -> None:
        """Look, and tell of it if all is well."""
        self.look(losses)
        if self.history.diverged is None:
            tell(self)

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        return min(1.0, max(self._shares))

    @property
    def _shares(self) -> tuple[float, float]:
        """Of the time limit and of the steps that are over."""
        by_time = 0.0 if self.time_limit is None else self.spent / self.time_limit
        return by_time, 0.0 if self.max_steps is None else self.steps / self.max_steps

    @property
    def _by_time(self) -> bool:
        """Whether it is the clock that will end the training: else looks come at the same steps, however fast it is."""
        by_time, by_steps = self._shares
        return by_time > by_steps

    @property
    def _mark(self) -> int:
        """How many looks there would be until now, if they came evenly."""
        return math.floor(self.progress * self.looks + SAME)

    def _over(self) -> bool:
        history = self.history
        since = len(history.steps) - 1 - history.best if history.steps else 0
        early = self.patience is not None and since >= self.patience
        return self.progress >= 1.0 or early or history.diverged is not None

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
        """Evaluate on the validation part; keep the weights if they are the best so far.

        Losses or weights that are not finite are no look: `history.diverged` says since when.
        """
        self.method.eval()
        rows = self.method.rows("validation")[:LOSS_OF]
        validation = torch.stack([self.method.loss(some) * len(some) for some in rows.split(256)]).sum() / len(rows)
        history, recent = self.history, torch.stack(losses)
        if not (recent.isfinite().all() and validation.isfinite() and self._finite()):
            bad = (~recent.isfinite()).nonzero()
            history.diverged = self.steps - len(losses) + 1 + int(bad[0]) if len(bad) else self.steps
            return
        figures = {name: x for name, x in self.method.figures("validation").items() if math.isfinite(x)}
        history.steps.append(self.steps)  # from here on all at once, so that Ctrl-C finds whole looks
        history.seconds.append(self.spent)
        history.progress.append(self.progress)
        history.loss.append(float(recent.mean()))
        history.validation_loss.append(float(validation))
        history.score.append(figures.get(self.method.judged_by, LOWEST))
        history.figures.append(figures)
        if history.best == len(history.steps) - 1:
            self.best = deepcopy(self.method.state_dict())

    def _finite(self) -> bool:
        """Whether weights and the optimizer's state are: a training could not go on from others."""
        states = [x for state in self.optimizer.state.values() for x in state.values() if isinstance(x, Tensor)]
        tensors = [*self.method.state_dict().values(), *states]
        return all(bool(x.isfinite().all()) for x in tensors if x.is_floating_point())


def diverged(history: History) -> str:
    """What there is to say of a training that did."""
    return f"the loss is not finite from step {history.diverged:,}: a lower learning rate would help"
