"""Self-play against opponents: in a share of the games one player learns, and the others are as it once was, or bots.

Against itself alone a policy may go in circles, and forget how to beat what it was. Which opponents it meets is prioritised
by how hard they are, as in AlphaStar (Vinyals et al. 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...envs import Bot, OptionError, Simulator
from ...envs.bots import check_bot
from ..data.env_adapters import SelfPlayAdapter
from ..data.rollout_buffer import RolloutTensors
from ..nn.actor_critic import each, forward_step

MOST = 16  # versions that are kept
GROUPS = 4  # of games, each with one opponent at a time
EVERY = 1 / 50  # of the training passes between two versions
SMOOTHING = 0.05  # of the share of points against an opponent, for each episode that ends


class League:
    """A policy's earlier versions and bots, and who plays where.

    The last games of a simulator are played against them; in game k, the seat k modulo the number of players learns.
    An opponent below MOST is an earlier version, from there on the bots in their order.

    Args:
        policy: of which versions are kept, in evaluation mode; it has no memory.
        sim: the games.
        share: of the games that is played against opponents.
        bots: names of those that are met beside earlier versions.
        generator: of who plays, and of their actions.

    Attributes:
        games: (G,) int64, the games that are played against opponents.
        seats: (G,) int64, the seat that learns in each of them.
        opponent: (G,) int64, who has the other seats.
        weights: of all versions, by name, (MOST, ...) each; the first `count` are filled.
        score: (MOST + number of bots,) float32, the share of points that the learner got against each, lately.
    """

    def __init__(
        self, policy: Any, sim: Simulator, share: float, bots: Sequence[str], generator: torch.Generator
    ) -> None:
        self.policy, self.generator, self.num_players = policy, generator, sim.num_players
        self.turns = sim.game.turns  # so that a row is a game, else a seat of one
        self.bots = [Bot(sim, name) for name in bots]
        self.games = torch.arange(sim.num_envs - max(1, round(share * sim.num_envs)), sim.num_envs)
        self.seats, self.opponent = self.games % sim.num_players, torch.zeros_like(self.games)
        self.weights = {name: torch.zeros((MOST, *x.shape), dtype=x.dtype) for name, x in policy.state_dict().items()}
        self.score, self.count = torch.full((MOST + len(bots),), 0.5), 0
        self.taken = -1.0  # progress of the training when the last version was taken
        self.players = [deepcopy(policy) for _ in range(GROUPS)]
        self.groups = [group for group in torch.arange(len(self.games)).chunk(GROUPS) if len(group)]

    @classmethod
    def of(cls, agent: Any, share: float) -> League:
        """Of an agent's policy, in its games."""
        generator = torch.Generator().manual_seed((agent.generators[-1].initial_seed() + 1) % 2**63)
        return cls(agent.policy, agent.simulator, share, names_of(agent.opponents), generator)

    def begin(self, progress: float) -> None:
        """Before a rollout: take a version if it is time for one, and draw who plays in each group of games.

        Args:
            progress: of the training, from 0 to 1.
        """
        if progress >= self.taken + EVERY or self.count == 0:
            self._take(progress)
        weights = (1 - self.score).square() + 1e-3  # the harder, the more often
        weights[self.count : MOST] = 0.0
        drawn = torch.multinomial(weights, len(self.groups), replacement=True, generator=self.generator)
        for player, group, opponent in zip(self.players, self.groups, drawn.tolist(), strict=False):
            self.opponent[group] = opponent
            if opponent < MOST:
                player.load_state_dict({name: stack[opponent] for name, stack in self.weights.items()})
                player.set_training_mode(False)
        for bot in self.bots:  # anew, so that training can be resumed
            bot.seed(int(torch.randint(2**62, (), generator=self.generator)))

    def _take(self, progress: float) -> None:
        """Keep the policy as it is now; if there is no room, in place of the easiest."""
        place = self.count if self.count < MOST else int(self.score[:MOST].argmax())
        for name, x in self.policy.state_dict().items():
            self.weights[name][place] = x
        self.score[place], self.count, self.taken = 0.5, max(self.count, place + 1), progress

    @torch.no_grad()
    def act(self, obs: Any, masks: Tensor | None, theirs: Tensor, actions: Tensor) -> None:
        """Write the actions of opponents.

        Args:
            obs, masks: (N, ...), a row for each who acts.
            theirs: (N,) bool, rows of an opponent's.
            actions: (N,), which are changed there.
        """
        for player, group in zip(self.players, self.groups, strict=False):
            rows = self._rows(self.games[group])
            rows, bot = rows[theirs[rows]], int(self.opponent[group[0]]) - MOST
            if bot < 0:
                self._act(player, rows, obs, masks, actions)
            else:
                actions[rows] = self._bot_actions(self.bots[bot], self.games[group])[rows]

    def _bot_actions(self, bot: Bot, games: Tensor) -> Tensor:
        """(N,) int64, of a bot in these games (K,); anything elsewhere."""
        wanted = np.zeros(bot.sim.num_envs, np.bool_)
        wanted[games.numpy()] = True
        return torch.from_numpy(bot.act(wanted)).reshape(-1)

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
        """(N,) bool, which rows are an opponent's; `mover` (N,) is whose turn it is, None where all act at once."""
        found = torch.zeros(rows, dtype=torch.bool)
        if mover is not None:
            found[self.games] = mover[self.games] != self.seats
        else:
            others = torch.arange(self.num_players) != self.seats[:, None]  # (G, P)
            found[self._rows(self.games)] = others.flatten()
        return found

    def ended(self, over: Tensor, returns: Tensor) -> None:
        """Learn how hard opponents are, from the episodes that ended: over (N,) bool, returns (N, P) of games."""
        for k in torch.nonzero(over[self.games]).flatten().tolist():
            own, seat = returns[self.games[k]], int(self.seats[k])
            others = torch.cat([own[:seat], own[seat + 1 :]]).max()
            points = 0.5 + 0.5 * float(torch.sign(own[seat] - others))
            opponent = int(self.opponent[k])
            self.score[opponent] += SMOOTHING * (points - self.score[opponent])

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


class AgainstLeague(SelfPlayAdapter):
    """Games of which some are played against opponents, whose actions take the place of those given.

    Attributes:
        theirs: (T, N) bool, the rows of a rollout that are an opponent's, up to the step `t`.
    """

    def __init__(self, sim: Any, channels_first: bool, league: League, n_steps: int) -> None:
        super().__init__(sim, channels_first)
        self.league, self.t = league, 0
        self.theirs = torch.zeros((n_steps, self.num_envs), dtype=torch.bool)

    def begin(self, progress: float) -> None:
        """Before a rollout."""
        self.t = 0
        self.league.begin(progress)

    def step(self, actions: Tensor) -> int:
        theirs = self.league.theirs(self._player, self.num_envs)
        self.theirs[self.t] = theirs
        self.t += 1
        self.league.act(self.obs, self.mask, theirs, actions)
        ended = super().step(actions)
        if ended:
            self.league.ended(self._terminated | self._truncated, self._returns)
        return ended


def step_over(data: RolloutTensors, theirs: Tensor, gamma: float) -> None:
    """Make values where an opponent moved what comes of the next step, so that advantages look through them.

    The critic knows how the policy goes on, not how an opponent does. theirs (T, N) bool.
    """
    following = data.last_values
    for t in range(len(theirs) - 1, -1, -1):
        going_on = (1.0 - data.dones[t]) * (1.0 if data.signs is None else data.signs[t])
        data.values[t] = torch.where(theirs[t], data.rewards[t] + gamma * going_on * following, data.values[t])
        following = data.values[t]


def leave_out(data: RolloutTensors, theirs: Tensor, generator: torch.Generator) -> None:
    """Put steps of the learner's, drawn at random, in place of those of opponents, which it cannot learn from."""
    places = theirs.flatten().nonzero().flatten()
    own = (~theirs).flatten().nonzero().flatten()
    drawn = own[torch.randint(len(own), (len(places),), generator=generator)]
    tensors = [data.actions, data.params, data.values, data.log_probs, data.advantages, data.columns, data.masks]
    for tensor in (*(data.obs.values() if isinstance(data.obs, dict) else [data.obs]), *tensors):
        if tensor is not None:
            flat = tensor.flatten(0, 1)
            flat[places] = flat[drawn]


def names_of(bots: str | None) -> list[str]:
    """Of bots, from a list like "heuristic,search-4"."""
    return [name.strip() for name in bots.split(",")] if bots else []


def share_of(agent: Any) -> float:
    """Of an agent's games that are played against opponents; raises OptionError where that cannot be."""
    share, sim = float(agent.earlier_versions), agent.simulator
    if agent.opponents is not None and not share:
        raise OptionError("opponents are met in a share of the games, which is 0: give earlier_versions, such as 0.25")
    if share and agent.env is not None:
        why = (
            "is for games of several players" if sim is None or sim.num_players == 1
            else "needs a CPU" if agent.device.type != "cpu"
            else "is for policies without memory" if agent.policy.core is not None
            else ""
        )  # fmt: skip
        if why:
            raise OptionError(f"earlier_versions {why}: leave it out")
        assert sim is not None
        for name in names_of(agent.opponents):
            check_bot(sim.game, name)
    return share if agent.env is not None else 0.0
