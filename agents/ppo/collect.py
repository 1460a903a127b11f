"""One rollout of PPO, from games to advantages; on a GPU as two graphs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from ...envs import OptionError
from ..data.env_adapters import EnvAdapter, SimulatorAdapter, adapter_of
from ..data.rollout_buffer import collect
from ..nn.overridden import AskedPolicy
from ..runtime.cuda_graph import Graphed
from ..runtime.hardware import on_gpu
from .advantages import generalized_advantages
from .compiled_collect import CompiledCollector

if TYPE_CHECKING:
    from .ppo import PPO


class Player:
    """The games' side of an agent; `learner.Learner` is the optimiser's.

    Attributes:
        adapters: the games, or as many parts of them as threads play.
    """

    def __init__(self, agent: PPO) -> None:
        self.agent, self.data = agent, agent.data
        self.adapters: list[EnvAdapter] = []
        self._rounds: CompiledCollector | None = None
        self.play: Any = self._play_parts
        self.look_back: Any = self._look_back
        if on_gpu(agent.device):
            self.look_back = Graphed(self.look_back, agent.device, agent.constants)
            if agent.simulator is not None:
                self.play = Graphed(self.play, agent.device, agent.constants, agent.generators[:1])

    def prepare(self) -> None:
        """Worlds, memory and room for the rollout."""
        agent, data = self.agent, self.data
        if not self.adapters:
            self.adapters = self._make_worlds()
        elif agent.simulator is None:
            self.adapters[0].observe(agent._last_obs)  # type: ignore[attr-defined]
        if agent.policy.core is not None and agent.memory is None:
            agent.memory = agent.policy.core.initial_state(agent.n_envs, agent.device)
        if self.adapters[0].mask is not None and isinstance(agent.policy.head, AskedPolicy):
            raise OptionError("action masks need Ludus's own way to decide: leave out use_sde and methods of your own")
        if not data.allocated:
            data.allocate(self.adapters[0], agent.policy)
            edges = [agent.n_envs * k // len(self.adapters) for k in range(len(self.adapters) + 1)]
            self._ranges = list(zip(edges[:-1], edges[1:], strict=True))  # the games of each adapter, first to last-1
            self._parts = [data.part(*games) for games in self._ranges] if len(self.adapters) > 1 else [data]

    def play_part(self, k: int = 0, on_step: Any = None) -> bool:
        """The rollout of adapter k; returns False if `on_step(t)` asked to stop."""
        agent, adapter, data, generator = self.agent, self.adapters[k], self._parts[k], self.agent.generators[k]
        if isinstance(adapter, SimulatorAdapter) and adapter.mask is None and agent.backprop is not None:
            self._rounds = self._rounds or CompiledCollector(agent.backprop, adapter, data)
            self._rounds.play(agent.policy, generator)
            return True
        memory = None if agent.memory is None else agent.memory[slice(*self._ranges[k])]
        thinker = None if agent.backprop is None else agent.backprop.thinker()
        return collect(adapter, agent.policy, data, generator, memory, agent.autocast, on_step, thinker)

    def _make_worlds(self) -> list[EnvAdapter]:
        agent = self.agent
        if agent.simulator is None or agent.simulator.num_players > 1:
            return [adapter_of(agent)]
        return [SimulatorAdapter(part, agent.channels_first) for part in agent.simulator.split(agent.play_threads)]

    def _play_parts(self) -> None:
        """All games, each part of them by a thread of its own."""
        jobs = [partial(self.play_part, k) for k in range(len(self.adapters))]
        if self.agent.workers is not None and len(jobs) > 1:
            self.agent.workers.run(jobs)
        else:
            for job in jobs:
                job()

    @torch.no_grad()
    def _look_back(self) -> None:
        """Fill in the advantages."""
        agent, data = self.agent, self.data
        rewards = data.rewards
        if agent.reward_normalizer is not None:
            rewards = agent.reward_normalizer(rewards, data.dones, agent.gamma)
        if any(adapter.can_truncate for adapter in self.adapters):
            rewards = rewards + agent.gamma * data.bootstrap
        going_on = 1.0 - data.dones
        if data.signs is not None:
            going_on *= data.signs
        data.advantages.copy_(
            generalized_advantages(rewards, data.values, going_on, data.last_values, agent.gamma, agent.gae_lambda)
        )
        data.fill_columns()
