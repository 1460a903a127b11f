"""Self-play against earlier versions: in a share of the games, one player learns and the others are as it once was.

Against itself alone a policy may go in circles, and forget how to beat what it was. Which versions it meets is prioritised by
how hard they are, as in AlphaStar (Vinyals et al. 2019).
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from ...envs import OptionError
from ..data.env_adapters import SelfPlayAdapter
from ..data.rollout_buffer import RolloutTensors
from ..nn.actor_critic import each, forward_step

MOST = 16  # versions that are kept
GROUPS = 4  # of games, each with one version at a time
EVERY = 1 / 50  # of the training passes between two versions
SMOOTHING = 0.05  # of a version's share of points, for each episode that ends


class EarlierVersions:
    """A policy's earlier versions, and who plays where.

    The last games of a simulator are played against them; in game k, the seat k modulo the number of players learns.

    Args:
        policy: of which versions are kept, in evaluation mode; it has no memory.
        num_games, num_players: of the simulator.
        turns: whether players take turns, so that a row is a game, else a seat of one.
        share: of the games.
        generator: of which version plays, and of their actions.

    Attributes:
        games: (G,) int64, the games that are played against earlier versions.
        seats: (G,) int64, the seat that learns in each of them.
        version: (G,) int64, who has the other seats.
        weights: of all versions, by name, (MOST, ...) each; the first `count` are filled.
        score: (MOST,) float32, the share of points that the learner got against each, lately.
    """

    def __init__(
        self, policy: Any, num_games: int, num_players: int, turns: bool, share: float, generator: torch.Generator
    ) -> None:
        self.policy, self.generator, self.turns, self.num_players = policy, generator, turns, num_players
        self.games = torch.arange(num_games - max(1, round(share * num_games)), num_games)
        self.seats, self.version = self.games % num_players, torch.zeros_like(self.games)
        self.weights = {name: torch.zeros((MOST, *x.shape), dtype=x.dtype) for name, x in policy.state_dict().items()}
        self.score, self.count = torch.full((MOST,), 0.5), 0
        self.taken = -1.0  # progress of the training when the last version was taken
        self.players = [deepcopy(policy) for _ in range(GROUPS)]
        self.groups = [group for group in torch.arange(len(self.games)).chunk(GROUPS) if len(group)]

    @classmethod
    def of(cls, agent: Any, share: float) -> EarlierVersions:
        """Of an agent's policy, in its games."""
        sim, seed = agent.simulator, agent.generators[-1].initial_seed()
        generator = torch.Generator().manual_seed((seed + 1) % 2**63)
        return cls(agent.policy, sim.num_envs, sim.num_players, sim.game.turns, share, generator)

    def begin(self, progress: float) -> None:
        """Before a rollout: take a version if it is time for one, and draw who plays in each group of games.

        Args:
            progress: of the training, from 0 to 1.
        """
        if progress >= self.taken + EVERY or self.count == 0:
            self._take(progress)
        weights = (1 - self.score[: self.count]).square() + 1e-3  # the harder, the more often
        drawn = torch.multinomial(weights, len(self.groups), replacement=True, generator=self.generator)
        for player, group, version in zip(self.players, self.groups, drawn.tolist(), strict=False):
            player.load_state_dict({name: stack[version] for name, stack in self.weights.items()})
            player.set_training_mode(False)
            self.version[group] = version

    def _take(self, progress: float) -> None:
        """Keep the policy as it is now; if there is no room, in place of the easiest."""
        place = self.count if self.count < MOST else int(self.score.argmax())
        for name, x in self.policy.state_dict().items():
            self.weights[name][place] = x
        self.score[place], self.count, self.taken = 0.5, max(self.count, place + 1), progress

    @torch.no_grad()
    def act(self, obs: Any, masks: Tensor | None, theirs: Tensor, actions: Tensor) -> None:
        """Write the actions of earlier versions.

        Args:
            obs, masks: (N, ...), a row for each who acts.
            theirs: (N,) bool, rows of an earlier version's.
            actions: (N,), which are changed there.
        """
        for player, group in zip(self.players, self.groups, strict=False):
            rows = self._rows(self.games[group])
            self._act(player, rows[theirs[rows]], obs, masks, actions)

    def _act(self, player: Any, rows: Tensor, obs: Any, masks: Tensor | None, actions: Tensor) -> None:
        if len(rows):
            params = forward_step(player, each(lambda x: x[rows], obs), None, None if masks is None else masks[rows])[0]
            actions[rows] = player.head.sample(params, player.head.noise((len(rows),), self.generator))

    def _rows(self, games: Tensor) -> Tensor:
        """The rows of all who act in games (K,)."""
        if self.turns:
            return games
        return (games[:, None] * self.num_players + torch.arange(self.num_players)).flatten()

    def theirs(self, mover: Tensor | None, rows: int) -> Tensor:
        """(N,) bool, which rows are an earlier version's; `mover` (N,) is whose turn it is, None where all act at once."""
        found = torch.zeros(rows, dtype=torch.bool)
        if mover is not None:
            found[self.games] = mover[self.games] != self.seats
        else:
            others = torch.arange(self.num_players) != self.seats[:, None]  # (G, P)
            found[self._rows(self.games)] = others.flatten()
        return found

    def ended(self, over: Tensor, returns: Tensor) -> None:
        """Learn how hard versions are, from the episodes that ended: over (N,) bool, returns (N, P) of games."""
        for k in torch.nonzero(over[self.games]).flatten().tolist():
            own, seat = returns[self.games[k]], int(self.seats[k])
            others = torch.cat([own[:seat], own[seat + 1 :]]).max()
            points = 0.5 + 0.5 * float(torch.sign(own[seat] - others))
            version = int(self.version[k])
            self.score[version] += SMOOTHING * (points - self.score[version])

    def state(self) -> dict[str, Tensor]:
        """What going on with the training needs."""
        named = {f"weights.{name}": x for name, x in self.weights.items()}
        named |= {"generator": self.generator.get_state()}
        return {**named, "score": self.score, "taken": torch.tensor([self.count, self.taken], dtype=torch.float64)}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        for name, x in self.weights.items():
            x.copy_(tensors[f"weights.{name}"])
        self.score.copy_(tensors["score"])
        self.generator.set_state(tensors["generator"])
        count, self.taken = tensors["taken"].tolist()
        self.count = int(min(max(count, 0), MOST))


class AgainstEarlierVersions(SelfPlayAdapter):
    """Games of which some are played against earlier versions, whose actions take the place of those given.

    Attributes:
        theirs: (T, N) bool, the rows of a rollout that are an earlier version's, up to the step `t`.
    """

    def __init__(self, sim: Any, channels_first: bool, versions: EarlierVersions, n_steps: int) -> None:
        super().__init__(sim, channels_first)
        self.versions, self.t = versions, 0
        self.theirs = torch.zeros((n_steps, self.num_envs), dtype=torch.bool)

    def begin(self, progress: float) -> None:
        """Before a rollout."""
        self.t = 0
        self.versions.begin(progress)

    def step(self, actions: Tensor) -> int:
        theirs = self.versions.theirs(self._player, self.num_envs)
        self.theirs[self.t] = theirs
        self.t += 1
        self.versions.act(self.obs, self.mask, theirs, actions)
        ended = super().step(actions)
        if ended:
            self.versions.ended(self._terminated | self._truncated, self._returns)
        return ended


def step_over(data: RolloutTensors, theirs: Tensor, gamma: float) -> None:
    """Make values where an earlier version moved what comes of the next step, so that advantages look through them.

    The critic knows how the policy goes on, not how an earlier version does. theirs (T, N) bool.
    """
    following = data.last_values
    for t in range(len(theirs) - 1, -1, -1):
        going_on = (1.0 - data.dones[t]) * (1.0 if data.signs is None else data.signs[t])
        data.values[t] = torch.where(theirs[t], data.rewards[t] + gamma * going_on * following, data.values[t])
        following = data.values[t]


def leave_out(data: RolloutTensors, theirs: Tensor, generator: torch.Generator) -> None:
    """Put steps of the learner's, drawn at random, in place of those of earlier versions, which it cannot learn from."""
    places = theirs.flatten().nonzero().flatten()
    own = (~theirs).flatten().nonzero().flatten()
    drawn = own[torch.randint(len(own), (len(places),), generator=generator)]
    tensors = [data.actions, data.params, data.values, data.log_probs, data.advantages, data.columns, data.masks]
    for tensor in (*(data.obs.values() if isinstance(data.obs, dict) else [data.obs]), *tensors):
        if tensor is not None:
            flat = tensor.flatten(0, 1)
            flat[places] = flat[drawn]


def share_of(agent: Any) -> float:
    """Of an agent's games that are played against earlier versions; raises OptionError where that cannot be."""
    share, sim = float(agent.earlier_versions), agent.simulator
    if share and agent.env is not None:
        why = (
            "is for games of several players" if sim is None or sim.num_players == 1
            else "needs a CPU" if agent.device.type != "cpu"
            else "is for policies without memory" if agent.policy.core is not None
            else ""
        )  # fmt: skip
        if why:
            raise OptionError(f"earlier_versions {why}: leave it out")
    return share if agent.env is not None else 0.0
