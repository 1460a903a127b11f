"""A replay buffer of tensors on the device where the agent learns.

Rows are steps, columns are games; a new row overwrites the oldest. An observation is stored once, in its own dtype, as the
step's observation and the step before's next one. Of stacked frames only the newest is stored, and the stack is put together
when it is read. Nothing here waits for the device, so that all of it fits into a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...envs import OptionError
from ..compiled.network import cached
from ..nn.actor_critic import each
from ..runtime.hardware import on_gpu
from .batch import Batch
from .env_adapters import EnvAdapter
from .final_obs import FinalObservations, write_rows
from .returns import NStepReturns, n_step_returns
from .sum_tree import SumTree

STORED = ("frames", "actions", "rewards", "terminated", "truncated", "factors", "ages", "masks", "row", "count")


class ReplayTensors:
    """The last `steps` steps of N games.

    Args:
        adapter: of the N games.
        steps: T; at least n_steps + frame_stack + 1.
        choices: number of actions.
        n_steps: number of steps of a transition.
        gamma: discount of the reward one step later.
        frame_stack: number of frames in an observation.
        stack_axis: the frames' axis in an observation (*shape).
        prioritized: sample in proportion to priorities (Schaul et al. 2016).
    """

    def __init__(
        self,
        adapter: EnvAdapter,
        steps: int,
        *,
        choices: int,
        n_steps: int = 1,
        gamma: float = 0.99,
        frame_stack: int = 1,
        stack_axis: int = -1,
        prioritized: bool = False,
    ) -> None:
        needed = n_steps + frame_stack + 1
        if steps < needed:
            raise OptionError(f"buffer_size must be at least {needed * adapter.num_envs}, {needed} steps of every game")
        self.steps, self.games, self.n_steps, self.gamma = steps, adapter.num_envs, n_steps, gamma
        self.frame_stack, self.stack_axis, self.choices = frame_stack, stack_axis, choices
        device = self.device = adapter.reward.device
        newest = each(self._newest, adapter.obs)
        self.frames = each(lambda x: torch.zeros((steps, *x.shape), dtype=x.dtype, device=device), newest)
        shape = (steps, self.games)
        self.actions = torch.zeros(shape, dtype=torch.int64, device=device)
        self.rewards = torch.zeros(shape, device=device)
        self.terminated, self.truncated = (torch.zeros(shape, dtype=torch.bool, device=device) for _ in range(2))
        self.ages = torch.zeros(shape, dtype=torch.int32, device=device) if frame_stack > 1 else None
        self.factors = torch.full(shape, gamma, device=device)  # discount after each step
        self.masks = None
        if adapter.mask is not None:
            self.masks = torch.ones((*shape, choices), dtype=torch.bool, device=device)
        # The next row to write, and the number of rows written: on the device, for graphs to read.
        self.row = torch.zeros(1, dtype=torch.int64, device=device)
        self.count = torch.zeros(1, dtype=torch.int64, device=device)
        self.tree = SumTree(steps * self.games, device) if prioritized else None
        self.highest = torch.ones(1, dtype=torch.float64, device=device)  # priority so far, given to new transitions
        self._columns = torch.arange(self.games, device=device)
        self._ahead = torch.arange(n_steps, device=device)
        self._n_step_loops: dict[int, NStepReturns] = {}
        self._back = torch.arange(frame_stack - 1, -1, -1, device=device)
        self.can_truncate = adapter.can_truncate
        self.final_obs = FinalObservations(adapter.obs, self.truncated, adapter.max_episode_steps)

    def has_dtypes_of(self, adapter: EnvAdapter) -> bool:
        """Whether observations have the dtypes that are stored; an environment's may differ from its space's."""
        ours, theirs = ((x if isinstance(x, dict) else {"": x}) for x in (self.frames, adapter.obs))
        return all(x.dtype == ours[name].dtype for name, x in theirs.items())

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: all but loops, which know addresses."""
        return {**vars(self), "_n_step_loops": {}}

    def continue_with(self, adapter: EnvAdapter, gamma: float) -> None:
        """Take other games of the same kind, and this discount for all that is stored."""
        self.can_truncate = self.can_truncate or adapter.can_truncate
        if gamma != self.gamma:  # in games of turns factors have signs
            self.factors.copy_(torch.full_like(self.factors, gamma).copysign(self.factors))
            self.gamma = gamma

    # -- writing -------------------------------------------------------------------------------------------------------

    def store_obs(self, adapter: EnvAdapter) -> None:
        """Observations and action masks before a step; then comes `store_step`."""
        write_rows(self.frames, self.row, each(self._newest, adapter.obs))
        self.store_masks(adapter)

    def store_masks(self, adapter: EnvAdapter) -> None:
        """Action masks, if there are any."""
        if self.masks is not None and adapter.mask is not None:
            self.masks.index_copy_(0, self.row, adapter.mask.unsqueeze(0))

    def store_step(self, adapter: EnvAdapter, actions: Tensor) -> None:
        """Actions (N,) and what the step that they led to returned; completes the row."""
        row = self.row
        self.actions.index_copy_(0, row, actions.unsqueeze(0))
        self.rewards.index_copy_(0, row, adapter.reward.unsqueeze(0))
        terminated, truncated = adapter.terminated, adapter.truncated
        if not adapter.can_truncate:  # a game of turns that is truncated is a draw, without a value after it
            terminated, truncated = terminated | truncated, torch.zeros_like(truncated)
        self.terminated.index_copy_(0, row, terminated.unsqueeze(0))
        self.truncated.index_copy_(0, row, truncated.unsqueeze(0))
        if adapter.signs is not None:
            self.factors.index_copy_(0, row, (self.gamma * adapter.signs).unsqueeze(0))
        self.advance(adapter)

    def advance(self, adapter: EnvAdapter, ended: int = 1) -> None:
        """Go to the next row. `ended` is 0 only if no episode ended in this one."""
        if self.ages is not None:
            self._count_ages()
        if self.can_truncate and ended:
            self.final_obs.store(self.row, self.truncated.index_select(0, self.row).squeeze(0), adapter.final_obs)
        elif self.can_truncate:
            self.final_obs.store_none(self.row)
        if on_gpu(self.device):
            self.row.add_(1).remainder_(self.steps)
            self.count.add_(1).clamp_(max=self.steps)
        else:  # PyTorch's operations take longer than a step of one game
            row, count = self.row.numpy(), self.count.numpy()
            row[0], count[0] = (row[0] + 1) % self.steps, min(count[0] + 1, self.steps)
        if self.tree is not None:
            self._update_priorities()

    def break_off(self, adapter: EnvAdapter) -> None:
        """The games are about to be reset: their episodes count as truncated, with final observations `adapter.obs`."""
        if on_gpu(self.device):  # where graphs know the buffer's tensors, which would have to move if they grew
            self.count.zero_()
            return
        if int(self.count):
            last = (self.row - 1) % self.steps
            running = ~(self.terminated[last] | self.truncated[last]).squeeze(0)
            self.truncated[last] |= running
            self.can_truncate = True
            self.final_obs.store(last, running, adapter.obs)

    def _count_ages(self) -> None:
        """The number of steps of the episode before this one, up to a stack's."""
        assert self.ages is not None
        before = self.row - 1  # the last row of all, if this is the first: nothing was stored there yet, its age is 0
        ended = (self.terminated | self.truncated)[before]
        fresh = ended | (self.count == 0)
        age = torch.where(fresh, 0, self.ages[before] + 1).clamp_(max=self.frame_stack - 1)
        self.ages.index_copy_(0, self.row, age)

    def _update_priorities(self) -> None:
        """The next row to be overwritten gets priority 0; the newest that can be sampled the highest so far."""
        assert self.tree is not None
        going = (self.row + self.frame_stack - 1) % self.steps
        coming = (self.row - 1 - self.n_steps) % self.steps
        there = self.count > self.n_steps + self.frame_stack - 1
        for row, priority in ((coming, torch.where(there, self.highest, 0.0)), (going, torch.zeros_like(self.highest))):
            self.tree.set(row * self.games + self._columns, priority.expand(self.games))

    # -- reading -------------------------------------------------------------------------------------------------------

    @property
    def ready(self) -> Tensor:
        """(1,), number of rows that can be sampled: the newest lack a next observation, the oldest may lack frames."""
        return (self.count - self.n_steps - self.frame_stack + 1).clamp_(min=0)

    def sample(self, size: int, generator: torch.Generator, beta: float | Tensor = 1.0) -> Batch:
        """B transitions, drawn uniformly or in proportion to priorities.

        Args:
            beta: exponent of the importance-sampling weights, 0 to 1; at 1 they correct the priorities in full.
        """
        noise = torch.empty(size, dtype=torch.float64, device=self.device).uniform_(generator=generator)
        if self.tree is None:
            return self.at(self._uniform(noise))
        if not on_gpu(self.device) and not float(self.tree.total) > 0:
            raise OptionError(
                "all priorities are zero, so that nothing can be drawn: set_priorities to some above zero"
            )
        parts = torch.arange(size, dtype=torch.float64, device=self.device)
        indices = self.tree.find((parts + noise) / size * self.tree.total)  # one from each of B equal parts
        relative = self.tree.leaves[indices] / self.tree.total * (self.ready * self.games)  # N P(i)
        weights = relative.pow(-beta)
        return self.at(indices)._replace(weights=(weights / weights.max()).float())

    def _uniform(self, noise: Tensor) -> Tensor:
        """Indices (B,) from noise (B,), 0 to 1."""
        ready, row, count = self.ready, self.row, self.count
        if not on_gpu(self.device):  # plain numbers, which PyTorch takes faster
            ready, row, count = int(ready), int(row), int(count)
        span = ready * self.games
        place = (noise * span).long().clamp_(max=span - 1)
        first = row - count + self.frame_stack - 1
        rows, games = place // self.games, place % self.games
        return (rows + first) % self.steps * self.games + games

    def set_priorities(self, indices: Tensor, priorities: Tensor) -> None:
        """Of transitions (B,), by `Batch.indices`."""
        assert self.tree is not None
        priorities = priorities.to(torch.float64)
        self.tree.set(indices, priorities)
        torch.maximum(self.highest, priorities.max(), out=self.highest)

    def at(self, indices: Tensor) -> Batch:
        """The transitions that begin at these places, row * N + game.

        On a CPU, returns and discounts are overwritten by the next call for as many.
        """
        returns, discounts, lasts = self._n_step_returns(indices)
        games = indices % self.games
        followings = (lasts + self.games) % (self.steps * self.games)
        next_obs = self.obs(followings)
        masks, next_masks = (None if self.masks is None else self.masks.flatten(0, 1)[i] for i in (indices, followings))
        if self.can_truncate:
            last = lasts // self.games
            next_obs = self.final_obs.replace(next_obs, last, games)
            if next_masks is not None:
                next_masks |= self.truncated[last, games].unsqueeze(1)
        actions = self.actions.view(-1).index_select(0, indices)
        weights = torch.ones_like(returns)
        return Batch(self.obs(indices), actions, returns, discounts, next_obs, masks, next_masks, indices, weights)

    def compile_for(self, size: int) -> None:
        """Compile the loops for minibatches of this size."""
        if not on_gpu(self.device):
            self._n_step_loop(size)

    def _n_step_loop(self, size: int) -> NStepReturns:
        stored = self.rewards, self.terminated, self.truncated, self.factors
        return cached(self._n_step_loops, size, lambda: NStepReturns(stored, self.n_steps, size))

    def _n_step_returns(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns and discounts (B,) of transitions, and the places (B,) of their last steps."""
        if not on_gpu(self.device):
            return self._n_step_loop(len(indices))(indices)
        rows, games = indices // self.games, indices % self.games
        steps, columns = (rows.unsqueeze(1) + self._ahead) % self.steps, games.unsqueeze(1)  # (B, n)
        ends = self.terminated[steps, columns] | self.truncated[steps, columns]
        returns, discounts, taken = n_step_returns(self.rewards[steps, columns], ends, self.factors[steps, columns])
        last = (rows + taken - 1) % self.steps
        return returns, torch.where(self.terminated[last, games], 0.0, discounts), last * self.games + games

    def obs(self, places: Tensor) -> Any:
        """(B, *shape), as the policy takes them, of places row * N + game."""
        if self.ages is None:
            return each(lambda x: x.flatten(0, 1).index_select(0, places), self.frames)
        rows, games = places // self.games, places % self.games
        back = torch.minimum(self._back, self.ages[rows, games].unsqueeze(1))  # (B, k): an episode starts with copies
        frames = self.frames[(rows.unsqueeze(1) - back) % self.steps, games.unsqueeze(1)]  # (B, k, *frame)
        return torch.cat(frames.unbind(1), self._axis)

    def newest_obs(self, count: int) -> Any:
        """Observations of the newest rows, (count, N, *frame), where they are real numbers; none of others."""
        frames = self.frames if isinstance(self.frames, dict) else {"observation": self.frames}
        real = {name: x for name, x in frames.items() if x.is_floating_point()}
        if not real:
            return {}
        if not on_gpu(self.device) and int(self.row) >= count:
            return {name: x[int(self.row) - count : int(self.row)] for name, x in real.items()}
        rows = (self.row - torch.arange(count, 0, -1, device=self.device)) % self.steps
        return {name: x[rows] for name, x in real.items()}

    # -- state ---------------------------------------------------------------------------------------------------------

    @property
    def nbytes(self) -> int:
        """Bytes of all rows, filled or not."""
        return sum(tensor.nbytes for tensor in self.state().values())

    @property
    def filled(self) -> int:
        """Number of rows, from the first on, outside of which nothing is stored."""
        row, count = int(self.row), int(self.count)
        wrapped = count > row or (self.tree is not None and bool(self.tree.leaves[row * self.games :].any()))
        return self.steps if wrapped else row

    def state(self, rows: int | None = None) -> dict[str, Tensor]:
        """All that is stored, by name: the buffer's own tensors, or their first `rows` rows."""
        named: dict[str, Any] = {name: getattr(self, name) for name in STORED}
        named |= {f"finals.{name}": getattr(self.final_obs, name) for name in ("obs", "places", "used")}
        if self.tree is not None:
            named |= {"priorities": self.tree.leaves, "highest": self.highest}
        whole = {name: value for name, value in named.items() if isinstance(value, Tensor)}
        dicts = {name: value for name, value in named.items() if isinstance(value, dict)}
        found = {**whole, **{f"{name}.{key}": x for name, parts in dicts.items() for key, x in parts.items()}}
        if rows is None:
            return found
        fixed = {name for name, x in found.items() if len(x) == 1 or name.startswith("finals.obs")}
        return {name: x if name in fixed else x[: len(x) // self.steps * rows] for name, x in found.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Put the `state` of a buffer with the same arguments, of all rows or those filled, into a new one.

        Raises OptionError if it points outside of the buffer or of the rows given.
        """
        rows, row, count = len(state["actions"]), int(state["row"]), int(state["count"])
        room = len(next(x for name, x in state.items() if name.startswith("finals.obs")))
        limits = {"row": self.steps - 1, "count": self.steps, "actions": self.choices - 1, "finals.places": room - 1}
        for name, highest in limits.items():
            if state[name].numel() and (int(state[name].min()) < 0 or int(state[name].max()) > highest):
                raise OptionError(f"the replay buffer's {name} must be from 0 to {highest}: the file is damaged")
        if rows < self.steps and not 0 <= count <= row == rows:
            raise OptionError(f"the replay buffer has {rows} rows, of which {count} end at {row}: the file is damaged")
        if room != self.final_obs.room + 1:
            self.final_obs.resize(room - 1)
        for name, tensor in self.state(rows).items():
            if len(tensor) != len(state[name]):
                raise OptionError(f"the replay buffer's {name} must have {len(tensor)} rows: the file is damaged")
            tensor.copy_(state[name])
        self.can_truncate = self.can_truncate or bool(self.truncated.any())
        torch.sum(self.truncated, 1, out=self.final_obs.counts)
        if self.tree is not None:
            self.tree.refresh()

    # -- frames --------------------------------------------------------------------------------------------------------

    @property
    def _axis(self) -> int:
        return self.stack_axis if self.stack_axis < 0 else self.stack_axis + 1

    def _newest(self, obs: Tensor) -> Tensor:
        """The newest frame of observations (N, *shape), which comes last."""
        if self.frame_stack == 1:
            return obs
        size = obs.shape[self._axis] // self.frame_stack
        return obs.narrow(self._axis, obs.shape[self._axis] - size, size)
