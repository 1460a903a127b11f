"""Games as Stable-Baselines3's `VecEnv`, with the statistics of episodes that its `Monitor` would add."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, tile_images

from ..arguments import one_of, seed_of
from ..engine.game_html import game_html
from ..engine.options import Options
from ..engine.simulator import Simulator
from ..errors import OptionError
from ..game import Game
from ..registry import find_game
from ..viewer.human import Viewer
from .shared import RENDER_SIZE, for_one, seed_games, spaces_of, to_numpy


class LudusVecEnv(VecEnv):
    """Many games of one kind; episodes that end start again in the same step.

    Observations, rewards and dones are copies that may be kept. The information of a game whose episode just ended has
    "terminal_observation", "TimeLimit.truncated" and, as `Monitor` would write it, "episode" with the return "r", the
    length "l" and the seconds "t" since this object was made; that of all others is empty.

    Args:
        game: a name such as "Breakout", or a `Game`.
        num_envs: how many games.
        device: "cpu" or "cuda"; what is returned lies in NumPy arrays either way (see `simulator` for the tensors).
        seed: for the first `reset`; game k gets `seed + k`. None takes a new one from the operating system.
        render_mode: None, "rgb_array" or "human" (one window for all games).
        num_threads: see `Simulator`.
        mode: see `Simulator`.
        **options: see `ludus.envs.Options`.

    Attributes:
        simulator: the `Simulator` underneath, for code that works on its arrays and tensors without copies.
    """

    def __init__(
        self,
        game: str | Game,
        num_envs: int = 8,
        *,
        device: str = "cpu",
        seed: int | None = None,
        render_mode: str | None = None,
        num_threads: int | None = None,
        mode: str = "compiled",
        **options: Any,
    ) -> None:
        self.game = self._admitted(find_game(game))
        Options.of(self.game, options, LudusVecEnv)
        self.render_mode = one_of("render_mode", render_mode, (None, "rgb_array", "human"))
        self.simulator = Simulator(
            self.game,
            num_envs,
            device=device,
            seed=seed,
            autoreset="same_step",
            num_threads=num_threads,
            mode=mode,
            **options,
        )
        super().__init__(self.simulator.num_envs * self.simulator.num_seats, *spaces_of(self.simulator))
        self.metadata = {"render_modes": ["rgb_array", "human"], "render_fps": self.game.fps}
        self.spec = None
        self._viewer = Viewer(self.game.name, self.game.fps)
        self._started = time.time()
        self._nothing: list[dict[str, Any]] = []
        self._actions: Any = None
        if seed is not None:
            self.seed(self.simulator.seed_used)

    def _admitted(self, game: Game) -> Game:
        """The game, if it is of the kind that this class is for."""
        return for_one(game)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """For the next `reset`: game k gets `seed + k`; None draws one. Returns them."""
        super().seed(None if seed is None else seed_of("seed", seed))
        self._seeds = [None if one is None else one % 2**64 for one in self._seeds]  # the last may be seed + k beyond
        return self._seeds

    def reset(self) -> np.ndarray:
        """Start episodes in all games, from the seeds given to `seed` since the last reset; returns observations."""
        if any(self._options):
            raise OptionError(f"reset takes no options, got {next(filter(None, self._options))}")
        if any(seed is not None for seed in self._seeds):
            seed_games(self.simulator, self._seeds[: self.simulator.num_envs])
            self._reset_seeds()
        self.simulator.reset()
        return to_numpy(self.simulator.obs)

    def step_async(self, actions: np.ndarray) -> None:
        """Hand over actions (N,), whole numbers, for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Take the step; returns obs (N, ...), rewards (N,) float32, dones (N,) bool and a list of information.

        Raises:
            ActionError: an action is not a whole number or out of range; nothing has changed.
        """
        sim = self.simulator
        ended = sim.step(self._actions)
        if ended < 0:  # a GPU, whose results are waited for here
            sim.check()
        truncated = to_numpy(sim.truncated)
        dones = to_numpy(sim.terminated) | truncated
        infos = self._empty_infos()
        if ended and dones.any():
            who = np.flatnonzero(dones)
            self._tell(infos, who, truncated[who], sim.final_obs[who], sim.episode_return[who], sim.episode_length[who])
        return to_numpy(sim.obs), to_numpy(sim.reward), dones, infos

    def _empty_infos(self) -> list[dict[str, Any]]:
        """A new list of empty dictionaries, the same ones again unless someone has written into them."""
        if any(self._nothing) or not self._nothing:
            self._nothing = [{} for _ in range(self.num_envs)]
        return self._nothing.copy()

    def _tell(self, infos: list[dict[str, Any]], who: np.ndarray, *ends: Any) -> None:
        """Replace the information of those, by number, whose episodes ended.

        `ends`, in the order of `who`: whether it was truncated, the last observation, the return, the length.
        """
        elapsed = round(time.time() - self._started, 6)
        for k, cut, obs, total, length in zip(who, *map(to_numpy, ends), strict=True):
            infos[k] = {
                "terminal_observation": obs,
                "TimeLimit.truncated": bool(cut),
                "episode": {"r": float(total), "l": int(length), "t": elapsed},
            }

    def get_images(self) -> list[np.ndarray]:
        """A picture of each game, (rows, columns, 3) uint8."""
        return [self.simulator.frame(k, RENDER_SIZE) for k in range(self.num_envs)]

    def render(self, mode: str | None = None) -> np.ndarray | None:
        """One picture of all games side by side, or None and a window if the mode is "human"."""
        if (mode or self.render_mode) != "human":
            return super().render(mode)
        self._viewer.show(tile_images(self.get_images()))
        return None

    @property
    def action_masks(self) -> Callable[[int], np.ndarray]:
        """The legal actions of game k, (actions,) bool, where the game has such; sb3-contrib looks for this name."""
        legal = self.simulator.legal
        if legal is None:
            raise AttributeError(f"all actions of {self.game.name} are legal always")
        return lambda k: to_numpy(legal[k])

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The attribute, once for each game asked for; all games share one."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set the attribute for all games; they share one, so that it cannot be set for some."""
        if len(set(self._get_indices(indices))) != self.num_envs:
            raise OptionError(f"{attr_name} is shared by all {self.num_envs} games: set it without indices")
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """Call a method for each game asked for: `render`, Gymnasium's of wrappers or, with a mask, `action_masks`."""
        methods: dict[str, Callable[..., Any]] = {
            "render": lambda k: self.simulator.frame(k, RENDER_SIZE),
            "get_wrapper_attr": lambda _, name: getattr(self, name),
            "has_wrapper_attr": lambda _, name: hasattr(self, name),
        }
        if self.simulator.legal is not None:
            methods["action_masks"] = self.action_masks
        if method_name not in methods:
            raise AttributeError(f"single games have no method {method_name!r}, only {', '.join(methods)}")
        return [methods[method_name](k, *args, **kwargs) for k in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        """True for `Monitor`, whose work is done here, and False for all other wrappers."""
        return [wrapper_class is Monitor for _ in self._get_indices(indices)]

    def _repr_html_(self) -> str | None:
        """How notebooks show it."""
        return game_html(self.simulator, "a Stable-Baselines3 VecEnv")

    def close(self) -> None:
        """Close the window, if there is one, and let go of threads."""
        self._viewer.close()
        self.simulator.close()


def overridden(env: LudusVecEnv) -> bool:
    """Whether a method that makes what an agent learns from is not Ludus's own, in its class or in the object."""
    methods = {name: getattr(type(env), name) for name in ("reset", "step", "step_async", "step_wait")}
    ours = ("ludus.envs.", "stable_baselines3.common.vec_env.")
    return any(name in vars(env) or not method.__module__.startswith(ours) for name, method in methods.items())


class SelfPlayVecEnv(LudusVecEnv):
    """Games for several players as environments of one agent that plays them all, one for each who acts in a step.

    Where players take turns, that is a game, seen by the mover, whose reward is returned; where they act together, each
    seat of each game. Agents of other libraries learn from it only where players act together: in a game of turns, the next
    observation is the other player's, which `ludus.PPO` knows and they do not.
    """

    def _admitted(self, game: Game) -> Game:
        if game.players == 1:
            raise OptionError(f"{game.name} is for one player: use ludus.make_sb3({game.name!r})")
        return game

    def reset(self) -> np.ndarray:
        """Start episodes in all games; returns observations (num_envs, ...)."""
        return super().reset().reshape(self.num_envs, *self.simulator.obs_shape)

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Take the step; returns obs, rewards, dones and a list of information, one for each who acts."""
        sim = self.simulator
        mover = to_numpy(sim.player) if sim.game.turns else None
        sim.step(np.asarray(self._actions).reshape(-1, sim.num_seats) if sim.num_seats > 1 else self._actions)
        sim.check()
        rewards, returns, truncated = map(to_numpy, (sim.reward, sim.episode_return, sim.truncated))
        if mover is not None:
            rewards, returns = rewards[np.arange(sim.num_envs), mover], returns[:, 0]
        over, obs_shape = to_numpy(sim.terminated) | truncated, (self.num_envs, *sim.obs_shape)
        infos = self._empty_infos()
        if over.any():
            who = np.flatnonzero(np.repeat(over, sim.num_seats))
            games = who // sim.num_seats
            final_obs = sim.final_obs.reshape(obs_shape)[who]
            self._tell(infos, who, truncated[games], final_obs, returns.reshape(-1)[who], sim.episode_length[games])
        return to_numpy(sim.obs).reshape(obs_shape), rewards.reshape(-1), np.repeat(over, sim.num_seats), infos


def vec_env(game: str | Game, num_envs: int = 8, **options: Any) -> LudusVecEnv:
    """The `VecEnv` that an agent learns a game in: alone, or as all of its players."""
    kind = SelfPlayVecEnv if find_game(game).players > 1 else LudusVecEnv
    return kind(game, num_envs, **options)
