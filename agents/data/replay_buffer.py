"""What happened, kept to learn from again: a replay memory as tensors, on the device where the learning happens.

Rows are steps, columns are games; a new row takes the place of the oldest. An observation is kept once, in its own dtype, and
serves as what the step was decided on and as what the step before led to. Of a stack of frames the newest alone is kept, and
the stack is put together when it is read. Nothing here waits for the device, so that all of it fits into a CUDA graph.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from gymnasium import spaces
from torch import Tensor

from ...envs import OptionError
from ..compiled.kernel import Kernel
from ..compiled.network import remembered
from ..nn.actor_critic import each
from ..runtime.hardware import available_memory, on_gpu
from .env_adapters import EnvAdapter
from .final_obs import FinalObservations, write_rows
from .returns import look_ahead, n_step_returns
from .sum_tree import SumTree

KEPT = ("frames", "actions", "rewards", "terminated", "truncated", "factors", "ages", "masks", "row", "count")
FINALS_KEPT = ("places", "used")
BESIDES = 48  # bytes a transition takes at most beside its observation, masks aside


class Batch(NamedTuple):
    """B transitions of n steps.

    Attributes:
        obs, next_obs: (B, *shape), as the policy takes them; the second is what the last of the steps led to.
        actions: (B,) int64, of the first step.
        returns: (B,) float32, discounted rewards of the steps.
        discounts: (B,) float32, of what follows them: 0 where the episode was over, below 0 where it is the other's turn.
        masks, next_masks: (B, A) bool, legal actions before and afterwards, or None where all are. Where an episode was
            cut off, nobody tells which would have been, and the second are all true.
        indices: (B,) int64, for `ReplayTensors.set_priorities`.
        weights: (B,) float32, 1 or, where some are drawn more often, less for those.
    """

    obs: Any
    actions: Tensor
    returns: Tensor
    discounts: Tensor
    next_obs: Any
    masks: Tensor | None
    next_masks: Tensor | None
    indices: Tensor
    weights: Tensor


class ReplayTensors:
    """The last `steps` steps of N games.

    Args:
        adapter: whose steps they are.
        steps: T; at least n_steps + frame_stack + 1.
        n_steps: how many steps a transition is of.
        gamma: discount of the reward one step later.
        frame_stack: how many frames an observation has.
        stack_axis: of an observation without its first axis, along which they lie.
        prioritized: draw in proportion to priorities.
        choices: how many actions there are.
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
        self.frames = each(
            lambda x: torch.zeros((steps, *self._newest(x).shape), dtype=x.dtype, device=device), adapter.obs
        )
        shape = (steps, self.games)
        self.actions = torch.zeros(shape, dtype=torch.int64, device=device)
        self.rewards = torch.zeros(shape, device=device)
        self.terminated, self.truncated = (torch.zeros(shape, dtype=torch.bool, device=device) for _ in range(2))
        self.ages = torch.zeros(shape, dtype=torch.int32, device=device) if frame_stack > 1 else None
        self.factors = torch.full(shape, gamma, device=device)  # how much of what follows a step counts
        self.masks = None
        if adapter.mask is not None:
            self.masks = torch.ones((*shape, choices), dtype=torch.bool, device=device)
        # Where the next row goes, and how many there are: on the device, for graphs to read.
        self.row = torch.zeros(1, dtype=torch.int64, device=device)
        self.count = torch.zeros(1, dtype=torch.int64, device=device)
        self.tree = SumTree(steps * self.games, device) if prioritized else None
        self.highest = torch.ones(1, dtype=torch.float64, device=device)  # priority so far: a new transition's
        self._columns = torch.arange(self.games, device=device)
        self._ahead = torch.arange(n_steps, device=device)
        self._outlooks: dict[int, Outlook] = {}
        self._back = torch.arange(frame_stack - 1, -1, -1, device=device)
        self.can_truncate = adapter.can_truncate
        self.finals = FinalObservations(self, adapter)

    def holds(self, adapter: EnvAdapter) -> bool:
        """Whether what its games show is what the memory has room for; numbers may be of another kind than the space's."""
        kinds = [(x if isinstance(x, dict) else {"": x}) for x in (adapter.obs, self.frames)]
        return all(x.dtype == kinds[1][name].dtype for name, x in kinds[0].items())

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles are made of: all but loops, which know addresses."""
        return {**vars(self), "_outlooks": {}}

    def suit(self, adapter: EnvAdapter, gamma: float) -> None:
        """Go on with games of the same kind, and with this discount for all that is kept."""
        self.can_truncate = self.can_truncate or adapter.can_truncate
        if gamma != self.gamma:
            self.factors.copy_(
                torch.full_like(self.factors, gamma).copysign(self.factors)
            )  # signs are whose turn it is
            self.gamma = gamma

    # -- writing -------------------------------------------------------------------------------------------------------

    def begin(self, adapter: EnvAdapter) -> None:
        """Keep what a step is decided on; once before each `end`, in this order."""
        write_rows(self.frames, self.row, each(self._newest, adapter.obs))
        self.keep_masks(adapter)

    def keep_masks(self, adapter: EnvAdapter) -> None:
        """Which actions are legal."""
        if self.masks is not None and adapter.mask is not None:
            self.masks.index_copy_(0, self.row, adapter.mask.unsqueeze(0))

    def end(self, adapter: EnvAdapter, actions: Tensor) -> None:
        """Keep what came of the step."""
        row = self.row
        self.actions.index_copy_(0, row, actions.unsqueeze(0))
        self.rewards.index_copy_(0, row, adapter.reward.unsqueeze(0))
        over, cut = adapter.terminated, adapter.truncated
        if not adapter.can_truncate:  # a game of turns that is cut off is a draw, and nothing follows
            over, cut = over | cut, torch.zeros_like(cut)
        self.terminated.index_copy_(0, row, over.unsqueeze(0))
        self.truncated.index_copy_(0, row, cut.unsqueeze(0))
        if adapter.signs is not None:
            self.factors.index_copy_(0, row, (self.gamma * adapter.signs).unsqueeze(0))
        self.advance(adapter)

    def advance(self, adapter: EnvAdapter, ended: int = 1) -> None:
        """The row is complete; all that follows from it."""
        if self.ages is not None:
            self._count_ages()
        if self.can_truncate and ended:
            self.finals.keep(self.row, self.truncated.index_select(0, self.row).squeeze(0), adapter.final_obs)
        elif self.can_truncate:
            self.finals.none(self.row)
        if on_gpu(self.device):
            self.row.add_(1).remainder_(self.steps)
            self.count.add_(1).clamp_(max=self.steps)
        else:  # PyTorch's operations would take longer than a step of one game
            row, count = self.row.numpy(), self.count.numpy()
            row[0], count[0] = (row[0] + 1) % self.steps, min(count[0] + 1, self.steps)
        if self.tree is not None:
            self._renew_priorities()

    def break_off(self, adapter: EnvAdapter) -> None:
        """The games are to begin anew: the last step led to what they show now, and to nothing that comes later."""
        if on_gpu(self.device):  # where graphs may know the memory's tensors, which could have to move
            self.count.zero_()
            return
        if int(self.count):
            last = (self.row - 1) % self.steps
            cut = ~(self.terminated[last] | self.truncated[last]).squeeze(0)
            self.truncated[last] |= cut
            self.can_truncate = True
            self.finals.keep(last, cut, adapter.obs)

    def _count_ages(self) -> None:
        """How many steps of its episode came before, up to what a stack needs."""
        assert self.ages is not None
        before = self.row - 1  # the last row of all, if this is the first: no step was kept there yet, its age is 0
        ended = (self.terminated | self.truncated)[before]
        fresh = ended | (self.count == 0)
        age = torch.where(fresh, 0, self.ages[before] + 1).clamp_(max=self.frame_stack - 1)
        self.ages.index_copy_(0, self.row, age)

    def _renew_priorities(self) -> None:
        """Nobody is to draw a row that is about to go; the newest that can be drawn gets the highest priority."""
        assert self.tree is not None
        going = (self.row + self.frame_stack - 1) % self.steps
        coming = (self.row - 1 - self.n_steps) % self.steps
        there = self.count > self.n_steps + self.frame_stack - 1
        for row, priority in ((coming, torch.where(there, self.highest, 0.0)), (going, torch.zeros_like(self.highest))):
            self.tree.set(row * self.games + self._columns, priority.expand(self.games))

    # -- reading -------------------------------------------------------------------------------------------------------

    @property
    def ready(self) -> Tensor:
        """(1,), how many rows can be drawn: what follows the newest is not known, and some see frames that are gone."""
        return (self.count - self.n_steps - self.frame_stack + 1).clamp_(min=0)

    def sample(self, size: int, generator: torch.Generator, beta: float | Tensor = 1.0) -> Batch:
        """Draw B transitions, uniformly or in proportion to priorities.

        Args:
            beta: how far weights make up for what is drawn more often, 0 to 1.
        """
        noise = torch.empty(size, dtype=torch.float64, device=self.device).uniform_(generator=generator)
        if self.tree is None:
            return self.at(self._uniform(noise))
        if not on_gpu(self.device) and not float(self.tree.total) > 0:
            raise OptionError(
                "all priorities are zero, so that nothing can be drawn: set_priorities to some above zero"
            )
        lots = torch.arange(size, dtype=torch.float64, device=self.device)
        indices = self.tree.find((lots + noise) / size * self.tree.total)  # one from each of B equal parts
        chances = self.tree.leaves[indices] / self.tree.total * (self.ready * self.games)
        weights = chances.pow(-beta)
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
        """Of transitions (B,) that were drawn."""
        assert self.tree is not None
        priorities = priorities.to(torch.float64)
        self.tree.set(indices, priorities)
        torch.maximum(self.highest, priorities.max(), out=self.highest)

    def at(self, indices: Tensor) -> Batch:
        """The transitions that begin at these places, row * N + game.

        On a CPU, returns and discounts are written over when as many are asked for again.
        """
        returns, discounts, lasts = self._look_ahead(indices)
        games = indices % self.games
        followings = (lasts + self.games) % (self.steps * self.games)
        next_obs = self.obs(followings)
        masks, next_masks = (None if self.masks is None else self.masks.flatten(0, 1)[i] for i in (indices, followings))
        if self.can_truncate:
            last = lasts // self.games
            next_obs = self.finals.put(next_obs, last, games)
            if next_masks is not None:
                next_masks |= self.truncated[last, games].unsqueeze(1)
        actions = self.actions.view(-1).index_select(0, indices)
        weights = torch.ones_like(returns)
        return Batch(self.obs(indices), actions, returns, discounts, next_obs, masks, next_masks, indices, weights)

    def expect(self, size: int) -> None:
        """Be ready for minibatches of this size: what they need is compiled or read from disk only once."""
        if not on_gpu(self.device):
            remembered(self._outlooks, size, lambda: Outlook(self, size))

    def _look_ahead(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns and discounts (B,) of transitions, and the places (B,) of their last steps."""
        if not on_gpu(self.device):
            outlook = remembered(self._outlooks, len(indices), lambda: Outlook(self, len(indices)))
            return outlook.of(indices)
        rows, games = indices // self.games, indices % self.games
        steps, columns = (rows.unsqueeze(1) + self._ahead) % self.steps, games.unsqueeze(1)  # (B, n)
        over, cut = self.terminated[steps, columns], self.truncated[steps, columns]
        returns, discounts, taken = n_step_returns(
            self.rewards[steps, columns], over | cut, self.factors[steps, columns]
        )
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

    def newest(self, count: int) -> Any:
        """Observations of the newest rows, (count, N, *frame), where they are real numbers; nothing of others."""
        frames = self.frames if isinstance(self.frames, dict) else {"observation": self.frames}
        real = {name: x for name, x in frames.items() if x.is_floating_point()}
        if not real:
            return {}
        if not on_gpu(self.device) and int(self.row) >= count:
            return {name: x[int(self.row) - count : int(self.row)] for name, x in real.items()}
        rows = (self.row - torch.arange(count, 0, -1, device=self.device)) % self.steps
        return {name: x[rows] for name, x in real.items()}

    # -- keeping -------------------------------------------------------------------------------------------------------

    @property
    def nbytes(self) -> int:
        """Its size."""
        return sum(tensor.nbytes for tensor in self.state().values())

    def state(self) -> dict[str, Tensor]:
        """All that the memory holds, by name: its own tensors."""
        named: dict[str, Any] = {name: getattr(self, name) for name in KEPT}
        named |= {
            "finals.obs": self.finals.obs,
            **{f"finals.{name}": getattr(self.finals, name) for name in FINALS_KEPT},
        }
        if self.tree is not None:
            named |= {"priorities": self.tree.leaves, "highest": self.highest}
        whole = {name: value for name, value in named.items() if isinstance(value, Tensor)}
        parts = {
            f"{name}.{key}": x for name, value in named.items() if isinstance(value, dict) for key, x in value.items()
        }
        return {**whole, **parts}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave, of a memory of the same kind; raises OptionError if it points outside of it."""
        room = len(next(x for name, x in state.items() if name.startswith("finals.obs")))
        limits = {"row": self.steps - 1, "count": self.steps, "actions": self.choices - 1, "finals.places": room - 1}
        for name, highest in limits.items():
            if state[name].numel() and (int(state[name].min()) < 0 or int(state[name].max()) > highest):
                raise OptionError(f"the memory's {name} must be from 0 to {highest}: the file is damaged")
        if room != self.finals.room + 1:
            self.finals.resize(room - 1)
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
        self.can_truncate = self.can_truncate or bool(self.truncated.any())
        torch.sum(self.truncated, 1, out=self.finals.counts)
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


class Outlook:
    """`ReplayTensors._look_ahead` as a loop, for B transitions on the CPU; what it gives is written over at the next."""

    def __init__(self, replay: ReplayTensors, count: int) -> None:
        self.indices, self.lasts = (torch.zeros(count, dtype=torch.int64) for _ in range(2))
        self.returns, self.discounts = torch.zeros(count), torch.zeros(count)
        kept = (replay.rewards, replay.terminated, replay.truncated, replay.factors)
        read = (self.indices, torch.tensor([replay.n_steps]))
        self.loop = Kernel(look_ahead, *kept, *read, self.returns, self.discounts, self.lasts, units=count)

    def of(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self.indices.copy_(indices)
        self.loop()
        return self.returns, self.discounts, self.lasts


def check_room(space: spaces.Space, transitions: int, frame_stack: int, device: torch.device, masked: int = 0) -> int:
    """Bytes that a memory of so many transitions takes; raises OptionError if there is not that much left.

    Args:
        masked: how many actions there are, if not all are always legal.
    """
    parts = space.spaces.values() if isinstance(space, spaces.Dict) else (space,)
    frame = sum(math.prod(part.shape or ()) * (part.dtype or torch.float32).itemsize for part in parts) // frame_stack
    each_one = frame + BESIDES + masked
    needed, left = transitions * each_one, available_memory(device)
    if left is not None and needed > left:
        most = int(left // each_one)
        raise OptionError(
            f"buffer_size={transitions} takes {needed / 1e9:.1f} GB on {device.type}, where {left / 1e9:.1f} GB are left: "
            f"use at most {most}"
        )
    return needed
