"""The algorithms that are compared: their settings, who has them, and a peer's best."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from training.dqn_peers import Q_SIDES, QSettings, tuned_sb3_dqn
from training.other_peers import OTHER_SIDES, OwnSettings
from training.ppo_peers import SIDES, Settings, Side, tuned_sb3_agent


class Family(NamedTuple):
    """An algorithm.

    Attributes:
        settings: how much is played and learned, made of a list of numbers.
        sides: who is compared, by name.
        tuned: Stable-Baselines3's agent with settings that are good for it, where time to score is measured.
    """

    settings: Callable[..., Any]
    sides: dict[str, Side]
    tuned: Callable[..., Any] | None = None


FAMILIES = {
    Settings.algo: Family(Settings, SIDES, tuned_sb3_agent),
    QSettings.algo: Family(QSettings, Q_SIDES, tuned_sb3_dqn),
    OwnSettings.algo: Family(OwnSettings, OTHER_SIDES),
}
