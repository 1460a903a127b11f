"""Kickstarting (Schmitt et al. 2018): a policy first learns to do what a teacher would do where the policy comes.

Where rewards are so rare that chance finds none, reinforcement learning has something to improve on from the start.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...envs import Bot, OptionError, Simulator
from ...envs.bots import check_bot
from ..nn.action_dists import CategoricalHead

NONE = -1.0  # where there is no advice
NEED_COEFFICIENT = ("kickstart_fraction", "kickstart_teacher")  # which mean nothing without one


class Advice:
    """What a bot would do in each game of a simulator, for all who act."""

    def __init__(self, sim: Simulator, teacher: str) -> None:
        self.bot, self.wanted = Bot(sim, teacher), True
        self.none = torch.full((sim.num_envs * sim.num_seats,), NONE)
        self.legal = None if sim.legal is None else torch.as_tensor(sim.legal)

    def begin(self, seed: int, wanted: bool = True) -> None:
        """Before a rollout, of which nothing may be wanted.

        The bot's random numbers depend on the seed alone, so that training can be resumed.
        """
        self.wanted = wanted
        self.bot.seed(seed % 2**64)

    def actions(self) -> Tensor:
        """(N,) float32, a number for each who acts; NONE where the bot would do what is not legal."""
        if not self.wanted:
            return self.none
        advised = torch.from_numpy(self.bot.act().reshape(-1).copy())
        if self.legal is None:
            return advised.float()
        legal = self.legal.reshape(len(advised), -1).gather(1, advised.unsqueeze(1)).squeeze(1)
        return torch.where(legal, advised, NONE).float()


def coefficient_of(agent: Any) -> float:
    """The coefficient of the cross-entropy, as far as it is annealed."""
    progress = 1.0 - agent._current_progress_remaining
    return agent.kickstart_coef * max(0.0, 1.0 - progress / agent.kickstart_fraction)


def advised(agent: Any) -> bool:
    """Whether an agent's games have to advise it; raises OptionError where they cannot."""
    unused = [name for name in NEED_COEFFICIENT if getattr(agent, name) != getattr(type(agent), name)]
    if not agent.kickstart_coef and unused:
        raise OptionError(f"{unused[0]} is for a kickstart_coef above 0, and it is 0: give one, or leave it out")
    if not agent.kickstart_coef or agent.env is None:
        return False
    sim = agent.simulator
    why = (
        "is for games of Ludus" if sim is None
        else "needs a CPU" if agent.device.type != "cpu" or not isinstance(sim.obs, np.ndarray)
        else "is for policies without methods of their own" if not isinstance(agent.policy.head, CategoricalHead)
        else ""
    )  # fmt: skip
    if why:
        raise OptionError(f"kickstart_coef {why}: leave it out")
    assert sim is not None
    try:
        check_bot(sim.game, agent.kickstart_teacher)
    except OptionError as error:
        raise OptionError(f"kickstart_teacher is {agent.kickstart_teacher!r}, but {error}") from error
    return True
