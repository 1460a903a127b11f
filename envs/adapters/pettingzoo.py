"""Games for several players as PettingZoo environments: `AECEnv` and `ParallelEnv`.

from ludus.envs import aec_env, parallel_env
env = aec_env("ConnectFour")                      # players take turns
env = parallel_env("Tron", players=3)             # players act together
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Space
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils import wrappers
from pettingzoo.utils.conversions import parallel_to_aec

from ..arguments import one_of
from ..engine.game_html import game_html
from ..engine.options import Options
from ..engine.simulator import Simulator
from ..errors import ActionError, OptionError
from ..game import Game
from ..registry import find_game
from ..viewer.human import Viewer
from .shared import RENDER_SIZE, spaces_of

ILLEGAL_REWARD = -1  # what a move costs that the rules forbid; it ends the game, as PettingZoo's wrapper has it


def aec_env(game: str | Game, *, render_mode: str | None = None, **options: Any) -> AECEnv[str, Any, Any]:
    """A game as PettingZoo's `AECEnv`, in its usual wrappers: one player after the other is asked to act.

    In games in which players take turns, an observation is a dictionary of "observation" and "action_mask" (int8, 1 where
    an action is legal). An illegal action ends the game and costs who made it 1. Games in which players act together are
    served by PettingZoo's own conversion.

    Args:
        game: a name such as "ConnectFour", or a `Game`, for two or more players.
        render_mode: None, "rgb_array" or "human".
        **options: see `ludus.envs.Options`.
    """
    found = find_game(game)
    raw = raw_env(found, render_mode=render_mode, **options)
    if found.turns:
        raw = wrappers.TerminateIllegalWrapper(raw, illegal_reward=ILLEGAL_REWARD)
    return Ordered(wrappers.AssertOutOfBoundsWrapper(raw))


def raw_env(game: str | Game, *, render_mode: str | None = None, **options: Any) -> AECEnv[str, Any, Any]:
    """The same without wrappers: illegal actions raise `ActionError` and change nothing."""
    found = find_game(game)
    if found.turns:
        return TurnEnv(found, render_mode=render_mode, **options)
    return parallel_to_aec(parallel_env(found, render_mode=render_mode, **options))


def parallel_env(game: str | Game, *, render_mode: str | None = None, **options: Any) -> TogetherEnv:
    """A game in which players act together, as PettingZoo's `ParallelEnv`; see `aec_env` for the arguments."""
    return TogetherEnv(find_game(game), render_mode=render_mode, **options)


class Ordered(wrappers.OrderEnforcingWrapper):
    """PettingZoo's outermost wrapper, which keeps methods such as `_repr_html_` of what it is around to itself."""

    def _repr_html_(self) -> str | None:
        unwrapped: Any = self.unwrapped
        return unwrapped._repr_html_()


class _Players:
    """What both classes below share: one game, its spaces, its pictures."""

    def __init__(self, game: Game, render_mode: str | None, options: dict[str, Any]) -> None:
        if game.players == 1:
            raise OptionError(f"{game.name} is for one player: use ludus.make({game.name!r})")
        Options.of(game, options)  # refuses what only vectors of games take
        self.game, self.simulator = game, Simulator(game, 1, autoreset="disabled", **options)
        self.possible_agents = [f"player_{k}" for k in range(self.simulator.num_players)]
        self.agents: list[str] = []
        self.metadata = {
            "render_modes": ["human", "rgb_array"],
            "name": module_name(game),
            "is_parallelizable": game.together,
            "render_fps": game.fps,
        }
        self.render_mode = one_of("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        self._viewer = Viewer(game.name, game.fps)
        self._spaces = {agent: spaces_of(self.simulator) for agent in self.possible_agents}

    def action_space(self, agent: str) -> Discrete:
        """All actions of a player, those included that are not legal now."""
        return self._spaces[agent][1]

    def render(self) -> np.ndarray | None:
        """The picture that a spectator sees, (rows, columns, 3) uint8, or None for a window."""
        if self.render_mode is None:
            return None
        picture = self.simulator.frame(0, RENDER_SIZE)
        if self.render_mode == "rgb_array":
            return picture
        self._viewer.show(picture)
        return None

    def _repr_html_(self) -> str | None:
        """How notebooks show it."""
        return game_html(self.simulator, f"a pettingzoo.{'AECEnv' if self.game.turns else 'ParallelEnv'}")

    def close(self) -> None:
        """Close the window, if there is one; may be called twice."""
        self._viewer.close()
        self.simulator.close()

    def _start(self, seed: int | None) -> None:
        if seed is not None:
            self.simulator.seed(seed)
        self.simulator.reset()
        self.agents = self.possible_agents[:]

    def _show(self) -> None:
        if self.render_mode == "human":
            self.render()


class TurnEnv(_Players, AECEnv[str, Any, Any]):
    """A game in which players take turns, as `raw_env` gives it."""

    def __init__(self, game: Game, *, render_mode: str | None = None, **options: Any) -> None:
        AECEnv.__init__(self)
        _Players.__init__(self, game, render_mode, options)
        mask = Box(0, 1, (len(self.simulator.actions),), np.int8)
        self._observed = {
            agent: Dict({"observation": space, "action_mask": mask}) for agent, (space, _) in self._spaces.items()
        }

    def observation_space(self, agent: str) -> Space[Any]:
        """A dictionary of "observation" and "action_mask"."""
        return self._observed[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start an episode; the same seed gives the same episodes from here on. `options` are ignored."""
        self._start(seed)
        self.rewards, self._cumulative_rewards = (dict.fromkeys(self.agents, 0.0) for _ in range(2))
        self.terminations, self.truncations = (dict.fromkeys(self.agents, False) for _ in range(2))
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self.agent_selection = self._mover()
        self._show()

    def step(self, action: Any) -> None:
        """The selected player acts; the other's reward is the negative of the mover's."""
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        sim = self.simulator
        ended = sim.step(np.array([whole(self.game, action)]))
        self._cumulative_rewards[agent] = 0.0
        self.rewards = dict(zip(self.possible_agents, sim.reward[0].tolist(), strict=True))
        if ended:
            self.terminations = dict.fromkeys(self.agents, bool(sim.terminated[0]))
            self.truncations = dict.fromkeys(self.agents, bool(sim.truncated[0]))
            self.agent_selection = next(other for other in self.agents if other != agent)
        else:
            self.agent_selection = self._mover()
        self._accumulate_rewards()
        self._show()

    def observe(self, agent: str) -> dict[str, np.ndarray]:
        """What a player sees; nothing is legal for one who is not to move."""
        mask, legal = np.zeros(len(self.simulator.actions), np.int8), self.simulator.legal
        if agent == self.agent_selection and not (self.terminations[agent] or self.truncations[agent]):
            mask[:] = legal[0]  # type: ignore[index]  # games of turns have it
        return {"observation": self.simulator.view(self.possible_agents.index(agent)), "action_mask": mask}

    def _mover(self) -> str:
        return self.possible_agents[int(self.simulator.player[0])]


class TogetherEnv(_Players, ParallelEnv[str, Any, Any]):
    """A game in which players act together, as `parallel_env` gives it."""

    def __init__(self, game: Game, *, render_mode: str | None = None, **options: Any) -> None:
        if game.turns:
            raise OptionError(f"the players of {game.name} take turns: use aec_env({game.name!r})")
        _Players.__init__(self, game, render_mode, options)

    def observation_space(self, agent: str) -> Box:
        """What each player sees."""
        return self._spaces[agent][0]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Any]]]:
        """Start an episode; the same seed gives the same episodes from here on. `options` are ignored."""
        self._start(seed)
        self._show()
        return self._seen(self.agents), {agent: {} for agent in self.agents}

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """All who still play act; returns observations, rewards, terminations, truncations and infos of each."""
        if missing := [agent for agent in self.agents if agent not in actions]:
            raise ActionError(f"every player in `agents` needs an action; there is none for {', '.join(missing)}")
        sim, playing = self.simulator, self.agents
        if not playing:
            return {}, {}, {}, {}, {}
        given = [whole(self.game, actions[agent]) if agent in playing else 0 for agent in self.possible_agents]
        sim.step(np.array([given]))
        rewards = dict(zip(self.possible_agents, sim.reward[0].tolist(), strict=True))
        left = np.zeros(sim.num_players, np.bool_) if sim.active is None else sim.active[0] == 0
        over, late = bool(sim.terminated[0]), bool(sim.truncated[0])
        out = dict(zip(self.possible_agents, (left | over).tolist(), strict=True))
        self.agents = [agent for agent in playing if not (out[agent] or late)]
        self._show()
        return (
            self._seen(playing),
            {agent: rewards[agent] for agent in playing},
            {agent: out[agent] for agent in playing},
            {agent: late and not out[agent] for agent in playing},
            {agent: {} for agent in playing},
        )

    def _seen(self, agents: list[str]) -> dict[str, np.ndarray]:
        return {agent: self.simulator.obs[0, self.possible_agents.index(agent)].copy() for agent in agents}


def whole(game: Game, action: Any) -> int:
    """An action as a whole number; whether there is such an action is the simulator's to say."""
    if np.ndim(action) != 0 or not np.issubdtype(np.asarray(action).dtype, np.integer):
        raise ActionError(f"an action of {game.name} is a whole number, got {action!r}")
    return int(action)


def module_name(game: Game) -> str:
    """As PettingZoo names its modules: `connect_four_v1`."""
    return f"{re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', game.name).lower()}_v{game.version}"
