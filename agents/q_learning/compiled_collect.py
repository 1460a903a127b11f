"""One step in all games as a chain of loops for agents that act on values: look, decide, choose, play, note.

`exploration.explore` and `pqn.QRollout.collect` say the same in PyTorch's operations, some dozen small ones, which for a few
games take longer than the games and the network together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..compiled.kernel import Kernel
from ..data.final_obs import write_rows
from ..nn.value_dists import Scalar
from ..ppo.compiled_collect import keep, note
from .compiled_loss import ATOMS, CHOICES, DUELING, advantage_of, common_of, numbers_of

if TYPE_CHECKING:
    from ..data.env_adapters import SimulatorAdapter, VecEnvAdapter
    from ..data.replay_buffer import ReplayTensors
    from .exploration import Steps
    from .value_fit import ValueFit


def choose_best(out, legal, epsilon, noise, clock, numbers, actions, chosen, values, bests, first, last):
    """Choose a random legal action with a chance of epsilon (N,), else the best, for games first .. last-1.

    out (N', W) are raw numbers, legal (1 or N, A); noise (T, N, A + 1) as in `exploration.choose`. Written: actions (T, N)
    and chosen (N,), values (T, N) of the actions chosen and bests (T + 1, N) of the best.
    """
    choices, atoms, t = int(numbers[CHOICES]), int(numbers[ATOMS]), clock[0]
    for n in range(first, last):
        best, random, highest, luck = 0, 0, -math.inf, -1.0
        for a in range(choices):
            if legal[n % legal.shape[0], a]:
                value = advantage_of(out, n, a, atoms)
                if value > highest:
                    best, highest = a, value
                if noise[t, n, a] > luck:
                    random, luck = a, noise[t, n, a]
        action = random if noise[t, n, choices] < epsilon[n] else best
        common = 0.0
        for z in range(atoms):
            common += common_of(out, n, z, choices, atoms, numbers[DUELING] > 0) / atoms
        actions[t, n] = chosen[n] = action
        values[t, n] = advantage_of(out, n, action, atoms) + common
        bests[t, n] = highest + common
    return 0


def remember(reward, terminated, truncated, chosen, row, rewards, ends, cuts, actions, first, last):
    """What came of a step, from (N,) to (T, N) at `row` of a memory, for games first .. last-1."""
    t = row[0]
    for n in range(first, last):
        rewards[t, n], ends[t, n], cuts[t, n], actions[t, n] = reward[n], terminated[n], truncated[n], chosen[n]
    return 0


class CompiledQCollector:
    """Plays games on a CPU with exploration and notes what they come to.

    Args:
        fit: who decides: by loops where it is `chained`, else as it can.
        adapter: whose tensors must stay where they are.
        steps: where T steps of N games are noted.
        epsilon: (N,), chance of a random action.
        judged: whether values are wanted; else nobody decides where all actions are random.

    Attributes:
        values: (T, N), what was expected of the actions chosen; bests: (T + 1, N), of the best ones, and after the last step.
    """

    def __init__(
        self, fit: ValueFit, adapter: SimulatorAdapter | VecEnvAdapter, steps: Steps, epsilon: Tensor, judged: bool
    ) -> None:
        count, games = steps.actions.shape
        self.judged = judged
        network, self.pool = fit.online, fit.agent.pool  # type: ignore[attr-defined]
        self.adapter, self.steps, self.epsilon = adapter, steps, epsilon
        self.clock, self.noise = torch.zeros(1, dtype=torch.int64), torch.zeros(count, games, network.choices + 1)
        self.values, self.bests = torch.zeros(count, games), torch.zeros(count + 1, games)
        self.chosen, self._time = torch.zeros(games, dtype=torch.int64), self.clock.numpy()
        self._network, self._values_of = network, fit.values
        self._look: list[Kernel] | None = None
        if fit.chained and fit.backprop is not None:
            # (N, *shape) -> (N, K), the adapter's own memory
            self._look, out = fit.backprop.forward_of(adapter.obs.flatten(1))
            self._raw, meaning = out[:games, : fit.backprop.size], (network.distribution, network.dueling)
        else:
            out = self._raw = torch.zeros(games, network.choices)
            meaning = Scalar(), False
        legal = torch.ones((1, network.choices), dtype=torch.bool) if adapter.mask is None else adapter.mask
        numbers = numbers_of(network.choices, *meaning, 1.0, 1.0, 0.0, 0.0)
        read, written = (out, legal, epsilon, self.noise, self.clock, numbers), (steps.actions, self.chosen)
        self._choose = Kernel(choose_best, *read, *written, self.values, self.bests, units=games)
        happened = (
            adapter.reward,
            adapter.terminated,
            adapter.truncated,
            adapter.episode_return,
            adapter.episode_length,
        )
        noted = (steps.rewards, steps.dones, steps.truncated, steps.episode_return, steps.episode_length)
        self._note = Kernel(note, *happened, self.clock, *noted, units=games)

    def keeps(self, kept: Any, clock: Tensor) -> Callable[[], None]:
        """What keeps observations in rows of (T, N, *shape)."""
        obs = self.adapter.obs
        if self._look is None:
            return lambda: write_rows(kept, clock, obs)
        loop = Kernel(keep, obs.flatten(1), kept.flatten(2), clock, units=len(obs))
        return lambda: self.pool.run(loop)

    def remembers(self, replay: ReplayTensors) -> Kernel:
        """A loop that keeps what came of a step in a replay memory."""
        adapter = self.adapter
        happened = (adapter.reward, adapter.terminated, adapter.truncated, self.chosen, replay.row)
        kept = (replay.rewards, replay.terminated, replay.truncated, replay.actions)
        return Kernel(remember, *happened, *kept, units=len(self.chosen))

    @torch.no_grad()
    def play(self, generator: torch.Generator, before: Callable[[], Any], after: Callable[[int, int], bool]) -> bool:
        """T steps; `before()` is called when one is to be decided on, `after(t, ended)` when it was taken.

        Returns False if that asked to stop.
        """
        self.noise.uniform_(generator=generator)
        asked = np.any(self.noise.numpy()[:, :, -1] >= self.epsilon.numpy(), axis=1).tolist()  # who decides
        for t in range(len(self.noise)):
            self._time[0] = t
            before()
            if asked[t] or self.judged:
                self.look()
            self.pool.run(self._choose)
            ended = self.adapter.step(self.chosen)
            self.pool.run(self._note)
            if not after(t, ended):
                return False
        return True

    def look_ahead(self) -> None:
        """What is expected of the best actions after the last step."""
        self.look()
        values = self._raw
        if self._look is not None:
            values = self._network.distribution.mean(self._network.assemble(values))
        if self.adapter.mask is not None:
            values = values.masked_fill(~self.adapter.mask, -torch.inf)
        torch.amax(values, 1, out=self.bests[-1])

    def look(self) -> None:
        """What is expected of each action in all games as they are."""
        if self._look is None:
            self._raw.copy_(self._values_of(self.adapter.obs))
        else:
            self.pool.run(*self._look)
