"""Saving the agent during training, and when a signal ends it."""

from __future__ import annotations

import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stable_baselines3.common.callbacks import BaseCallback

from ..files.safe_io import CheckpointError


class Stopped(BaseException):
    """Raised to end training now. Not an Exception, so that no `except Exception` on its way catches it."""


class SaveCallback(BaseCallback):
    """Save the agent every `interval` seconds, where a rollout begins, and end training when asked to.

    Args:
        folder: where to.
        interval: seconds from one checkpoint to the next.
        keep: how many checkpoints to keep.
        resumed: whether the checkpoints in the folder are this training's own; others go with the first save.
        alone: whether this is the only process of the training; where there are others, all stop when a rollout is over.
    """

    def __init__(self, folder: Path, interval: float, keep: int = 1, resumed: bool = False, alone: bool = True) -> None:
        super().__init__()
        self.folder, self.interval, self.keep = folder, interval, keep
        self.stopped = self.breakable = False
        self.own, self.alone = resumed, alone
        self.last = time.monotonic()

    def stop(self) -> None:
        """End training; safe to call from a signal handler.

        Other callbacks, which may take long, as an evaluation does, are interrupted: no rollout is lost by that, since
        training resumes from where the rollout began. An update is finished first.
        """
        self.stopped = True
        if self.breakable and self.alone:
            self.breakable = False
            raise Stopped

    def save(self) -> None:
        """Save the agent now."""
        self.breakable = False
        self.model.save(self.folder, keep=self.keep if self.own else 1)  # type: ignore[call-arg]
        self.last, self.own = time.monotonic(), True

    def _save_if_possible(self) -> None:
        """Save, or warn if that fails: a disk that is full now may have room when training ends."""
        try:
            self.save()
        except CheckpointError as error:
            self.last = time.monotonic()
            steps = self.model.num_timesteps  # also makes it another warning than the last, which is shown again
            warnings.warn(f"{error}; training goes on at step {steps}", stacklevel=2)

    def _on_rollout_start(self) -> None:
        if self.stopped and self.alone:
            raise Stopped
        if time.monotonic() - self.last > self.interval:
            self._save_if_possible()

    def _on_step(self) -> bool:
        self.breakable = getattr(self.model, "boundary", None) is not None
        return not (self.stopped and (self.breakable or not self.alone))

    def _on_rollout_end(self) -> None:
        self.breakable = False


def ending_signals() -> list[signal.Signals]:
    """Signals that ask a program to end: SIGINT (Ctrl-C), SIGTERM, and SIGHUP unless `nohup` ignores it."""
    signals = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    return signals


@contextmanager
def stopped_by_signals(saver: SaveCallback, last: bool = False) -> Iterator[None]:
    """A context in which `ending_signals` make `learn` raise `Stopped` or return, so that `saver.save()` can follow.

    That waits for at most one update; on a GPU, also for a rollout and its callbacks. A save is never interrupted: signals
    after the first are ignored.

    Args:
        last: whether the process ends after this; then signals are also ignored from there on.
    """

    def handle(number: int, frame: object) -> None:
        saver.stop()

    previous = {number: signal.signal(number, handle) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_IGN if last and saver.stopped else handler)
