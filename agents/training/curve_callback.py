"""Keeping the curve of a training."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from statistics import fmean
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from ..files.curve import add_point, read_curve, write_curve
from ..files.safe_io import CheckpointError

SOONEST = 0.2  # seconds from one point to the next
SHARE = 0.005  # of the time so far that has to pass: a curve of hours has no more than some thousand points


class CurveCallback(BaseCallback):
    """Write `curve.csv` into a run's folder, see `files.curve`.

    Args:
        folder: where to.
        resumed: whether training goes on from a checkpoint there; of the curve, what came later is dropped.
    """

    def __init__(self, folder: Path, resumed: bool = False) -> None:
        super().__init__()
        self.folder, self.resumed = folder, resumed
        self.writable, self.due, self.written = True, 0.0, 0

    def _on_training_start(self) -> None:
        before, self.written = None, self.model.num_timesteps
        if self.resumed:
            try:
                before = read_curve(self.folder).until(self.model.num_timesteps)
            except CheckpointError as error:
                warnings.warn(f"{error}; a new curve begins", stacklevel=2)
        self._write(write_curve, before)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if time.monotonic() >= self.due:
            self.add()

    def _on_training_end(self) -> None:
        self.add()

    def add(self) -> None:
        """Add a point now, if there are episodes to tell of and steps since the last one."""
        episodes, seconds = self.model.ep_info_buffer, self.model.elapsed()  # type: ignore[attr-defined]
        self.due = time.monotonic() + max(SOONEST, SHARE * seconds)
        if episodes and self.model.num_timesteps > self.written:
            self.written = self.model.num_timesteps
            returns, lengths = (fmean(float(episode[key]) for episode in episodes) for key in ("r", "l"))
            self._write(add_point, self.written, seconds, returns, lengths)

    def _write(self, write: Any, *what: Any) -> None:
        """Write, or warn once if that fails: a full disk ends no training."""
        if not self.writable:
            return
        try:
            write(self.folder, *what)
        except OSError as error:
            self.writable = False
            warnings.warn(f"the curve cannot be written: {error.strerror or error}; training goes on", stacklevel=3)
