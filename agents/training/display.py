"""What people see of an agent: itself in notebooks, a progress bar, and its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, ConvertCallback

from .agent_html import agent_html
from .live import finish_live_tables, put_live_table
from .logs import dump, record_progress
from .progress_bar import ProgressCallback

if TYPE_CHECKING:
    Base = BaseAlgorithm
else:
    Base = object


class Displayed(Base):
    """An agent that is seen. `_end_display` is to be called when `learn` ends, however it does."""

    bar: ProgressCallback | None = None

    def _repr_html_(self) -> str | None:
        """How notebooks show it."""
        return agent_html(self)

    def _init_callback(self, callback: Any, progress_bar: bool = False) -> BaseCallback:
        """Stable-Baselines3's, but the progress bar is Ludus's own, which needs no tqdm; its logger is there by now."""
        if not self._custom_logger:
            put_live_table(self._logger)
        if progress_bar:
            self.bar = ProgressCallback()
            callback = CallbackList(callback) if isinstance(callback, list) else callback
            callback = callback if isinstance(callback, BaseCallback) else ConvertCallback(callback)
            callback = CallbackList([callback, self.bar])
        return super()._init_callback(callback)

    def _end_display(self) -> None:
        """The last of what waits is shown, and nothing more."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
        if "_logger" in vars(self):
            finish_live_tables(self._logger)

    def dump_logs(self, iteration: int = 0) -> None:
        """Write the log, under Stable-Baselines3's names; a full disk does not end training."""
        record_progress(self, iteration)
        dump(self.logger, self.num_timesteps)
