"""Keeping the agent while it trains."""

from __future__ import annotations

import time
from pathlib import Path

from stable_baselines3.common.callbacks import BaseCallback


class SaveCallback(BaseCallback):
    """Save the agent every `interval` seconds, between two updates, and end training soon after `stop` is called."""

    def __init__(self, folder: Path, interval: float) -> None:
        super().__init__()
        self.folder, self.interval = folder, interval
        self.stopped = False
        self.last = time.monotonic()

    def stop(self) -> None:
        """Ask training to end after the current step; safe to call from a signal handler."""
        self.stopped = True

    def _on_rollout_start(self) -> None:
        if time.monotonic() - self.last > self.interval:
            self.model.save(str(self.folder))
            self.last = time.monotonic()

    def _on_step(self) -> bool:
        return not self.stopped
