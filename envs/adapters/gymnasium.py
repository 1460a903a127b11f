"""Games as Gymnasium environments: one game as an `Env`, many as a `VectorEnv`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from operator import index
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from ..arguments import describe, flag, one_of
from ..engine.game_html import game_html
from ..engine.options import Options
from ..engine.simulator import Simulator
from ..errors import ActionError, OptionError
from ..game import Game
from ..registry import find_game
from ..viewer.human import Viewer
from .shared import RENDER_SIZE, for_one, seed_games, spaces_of, to_numpy
from .spec import Specified


class GameEnv(Specified, gymnasium.Env[np.ndarray, Any]):  # pyright: ignore[reportIncompatibleVariableOverride]
    """One game, as `gymnasium.make("ludus/Breakout-v1")` gives it.

    Args:
        game: a name such as "Breakout", or a `Game`.
        render_mode: None, "rgb_array" (`render` returns a picture) or "human" (a window follows the game).
        mode: "compiled", or "python" and "debug" for the authors of games; see `Simulator`.
        **options: see `ludus.envs.Options`.
    """

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 10}  # noqa: RUF012 - as Gymnasium has it

    def __init__(
        self, game: str | Game, *, render_mode: str | None = None, mode: str = "compiled", **options: Any
    ) -> None:
        self.game = for_one(find_game(game))
        Options.of(self.game, options, GameEnv)  # refuses what only vectors of games take
        self.render_mode = one_of("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        self.simulator = Simulator(self.game, 1, autoreset="disabled", mode=mode, **options)
        self.observation_space, self.action_space = spaces_of(self.simulator)
        self.metadata = {**self.metadata, "render_fps": self.game.fps}
        self.spec = EnvSpec(
            self.game.id,
            "ludus.envs.gym:GameEnv",
            max_episode_steps=self.simulator.options.step_limit,
            order_enforce=False,
            disable_env_checker=True,
            kwargs={"game": game, "render_mode": render_mode, "mode": mode, **options},
        )
        self._viewer = Viewer(self.game.name, self.game.fps) if render_mode == "human" else None
        self._action = np.zeros(1, np.int64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode; the same seed gives the same episodes from here on, None goes on with the stream."""
        if options:
            raise OptionError(f"reset takes no options, got {describe(options)}")
        if seed is not None:
            super().reset(seed=self.simulator.seed(seed))
        self.simulator.reset()
        if self._viewer is not None:
            self._viewer.show(self.simulator.frame(0, RENDER_SIZE))
        return self.simulator.obs[0].copy(), self._infos()

    def action_masks(self) -> np.ndarray:
        """Which actions make sense now, (actions,) bool; the name is that of sb3-contrib's convention."""
        legal = self.simulator.legal
        return np.ones(len(self.simulator.actions), np.bool_) if legal is None else legal[0].copy()

    def _infos(self) -> dict[str, Any]:
        return {} if self.simulator.legal is None else {"action_mask": self.action_masks().astype(np.int8)}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Take a step; returns observation, reward, terminated, truncated and infos.

        `infos` is empty, but in games that have them tells of legal actions: "action_mask", (actions,) int8, which is what
        `action_space.sample` takes.

        Raises:
            ActionError: the action is not a whole number or out of range; nothing has changed.
            NotReset: the episode is over, or none was started.
        """
        try:
            self._action[0] = index(action)
        except (TypeError, OverflowError):
            valid = f"a whole number below {len(self.simulator.actions)}"
            raise ActionError(f"an action of {self.game.name} is {valid}, got {describe(action)}") from None
        sim = self.simulator
        ended = sim.step(self._action)
        if self._viewer is not None:
            self._viewer.show(sim.frame(0, RENDER_SIZE))
        if not ended:
            return sim.obs[0].copy(), sim.reward.item(), False, False, self._infos()
        return sim.obs[0].copy(), sim.reward.item(), sim.terminated.item(), sim.truncated.item(), self._infos()

    def render(self) -> np.ndarray | None:
        """The picture, (rows, columns, 3) uint8 with 480 pixels on the longer side, or None for a window."""
        if self._viewer is not None:
            self._viewer.show(self.simulator.frame(0, RENDER_SIZE))
            return None
        if self.render_mode is None:
            gymnasium.logger.warn("render() has nothing to do: make the environment with render_mode='rgb_array'")
            return None
        return self.simulator.frame(0, RENDER_SIZE)

    def get_keys_to_action(self) -> dict[tuple[int, ...], int]:
        """pygame's key codes and the actions they stand for, for `gymnasium.utils.play.play`."""
        import pygame

        connected, offered = pygame.display.get_init(), self.simulator.actions
        pygame.display.init()  # key names are not known before
        try:
            return {
                (pygame.key.key_code(key),): offered.index(name)
                for key, name in self.game.keys.items()
                if name in offered
            }
        finally:
            if not connected:
                pygame.display.quit()

    def _repr_html_(self) -> str | None:
        """How notebooks show it."""
        return game_html(self.simulator, "a gymnasium.Env")

    def close(self) -> None:
        """Close the window, if there is one; may be called twice."""
        if self._viewer is not None:
            self._viewer.close()
        self.simulator.close()


def unlimited_env(game: str | Game, **options: Any) -> GameEnv:
    """What `gymnasium.make` calls for games with a limit of steps: its own wrapper cuts episodes off, where it is told to."""
    return GameEnv(game, **{"max_episode_steps": -1, **options})


class GameVectorEnv(Specified, VectorEnv[Any, Any, Any]):  # pyright: ignore[reportIncompatibleVariableOverride]
    """Many games of one kind, as `gymnasium.make_vec("ludus/Breakout-v1", num_envs=1024)` gives them.

    Results are what `gymnasium.vector.SyncVectorEnv` would give around single games, seeds and `infos` included, at another
    speed; rewards are float32, and an episode that ends in the last step that its limit allows has not been truncated, too.
    In games that have a mask of legal actions it is in `infos["action_mask"]`, (N, actions) int8. Gymnasium's wrappers for
    vectors fit around it. What their `RecordEpisodeStatistics` tells of episodes costs nothing here with `episode_info=True`:
    in steps in which episodes ended, `infos["episode"]` has their returns "r" and lengths "l", (N,) each, where
    `infos["_episode"]` is true; under SameStep, `infos["final_info"]` has them too.

    Args:
        game: a name such as "Breakout", or a `Game`.
        num_envs: how many games.
        device: "cpu" or "cuda".
        seed: for the first `reset` that is given none; None takes a new one from the operating system.
        autoreset_mode: Gymnasium's `AutoresetMode` or its value: "NextStep", "SameStep" or "Disabled".
        copy: return copies; if False, the simulator's own arrays, which the next step overwrites.
        output: "numpy", or "torch" for the simulator's own tensors, never copied.
        episode_info: report the returns and lengths of episodes that ended. Gymnasium's wrapper wants to write the same keys.
        render_mode: None or "rgb_array" (`render` returns a picture of each game).
        num_threads: see `Simulator`.
        mode: see `Simulator`.
        **options: see `ludus.envs.Options`.
    """

    metadata = {"render_modes": ["rgb_array"], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        game: str | Game,
        num_envs: int = 1,
        *,
        device: str = "cpu",
        seed: int | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        copy: bool = True,
        output: str = "numpy",
        episode_info: bool = False,
        render_mode: str | None = None,
        num_threads: int | None = None,
        mode: str = "compiled",
        **options: Any,
    ) -> None:
        self.game = for_one(find_game(game))
        Options.of(self.game, options, GameVectorEnv)
        autoreset_mode = getattr(autoreset_mode, "value", autoreset_mode)
        self.autoreset_mode = AutoresetMode(one_of("autoreset_mode", autoreset_mode, [m.value for m in AutoresetMode]))
        self.render_mode = one_of("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        self._torch = one_of("output", output, ("numpy", "torch")) == "torch"
        self._copies = flag("copy", copy)
        self.episode_info = flag("episode_info", episode_info)
        self.simulator = Simulator(
            self.game,
            num_envs,
            device=device,
            seed=seed,
            autoreset=self.autoreset_mode.name.lower(),
            num_threads=num_threads,
            mode=mode,
            **options,
        )
        self.num_envs = self.simulator.num_envs
        self.single_observation_space, self.single_action_space = spaces_of(self.simulator)
        self.metadata = {**self.metadata, "render_fps": self.game.fps, "autoreset_mode": self.autoreset_mode}
        self._first_seed = seed

    @property
    def _source(self) -> Any:
        """Where results come from: the simulator's arrays or, of the same memory, its tensors."""
        return self.simulator.tensors if self._torch else self.simulator

    def _give(self, array: Any) -> Any:
        shared = self._torch or (not self._copies and isinstance(array, np.ndarray))
        return array if shared else to_numpy(array)

    @cached_property
    def observation_space(self) -> gymnasium.Space[Any]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The space of all observations together; made when asked for, since it holds two arrays of that size."""
        return batch_space(self.single_observation_space, self.num_envs)

    @cached_property
    def action_space(self) -> gymnasium.Space[Any]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The space of all actions together."""
        return batch_space(self.single_action_space, self.num_envs)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start episodes in all games, or where `options["reset_mask"]`, (N,) bool, is true.

        A whole number seeds game k with `seed + k`, a list each game with its own; None goes on with the streams.
        """
        mask = self._reset_mask({} if options is None else options)
        if mask is None:  # all start anew: the seed given at the start is used now or never
            seed, self._first_seed = self._first_seed if seed is None else seed, None
        if seed is not None:
            seed_games(self.simulator, seed, mask)
            if isinstance(seed, (int, np.integer)):
                super().reset(seed=int(seed))
        self.simulator.reset(mask)
        return self._give(self._source.obs), self._masks(self._source.legal, mask)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Take a step in every game; `actions` (N,) are whole numbers, a NumPy array or a torch tensor.

        Returns:
            obs (N, ...), reward (N,) float32, terminated (N,) bool, truncated (N,) bool, infos

        Raises:
            ActionError: an action is not a whole number or out of range; nothing has changed.
            NotReset: an episode is over and `autoreset_mode` is Disabled, or none was started.
        """
        ended = self.simulator.step(actions)
        if ended < 0 and not self._torch:  # a GPU, and results that wait for it anyway
            self.simulator.check()
        source = self._source
        obs, reward, terminated, truncated = map(
            self._give, (source.obs, source.reward, source.terminated, source.truncated)
        )
        infos = self._masks(source.legal)
        return obs, reward, terminated, truncated, {**infos, **self._ends(source)} if ended else infos

    def render(self) -> tuple[np.ndarray, ...] | None:
        """A picture of each game, (rows, columns, 3) uint8."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() has nothing to do: make the environments with render_mode='rgb_array'")
            return None
        return tuple(self.simulator.frame(i, RENDER_SIZE) for i in range(self.num_envs))

    def _repr_html_(self) -> str | None:
        """How notebooks show it."""
        return game_html(self.simulator, "a gymnasium VectorEnv")

    def close_extras(self, **kwargs: Any) -> None:
        """Let go of threads."""
        self.simulator.close()

    def _reset_mask(self, options: dict[str, Any]) -> np.ndarray | None:
        if not isinstance(options, dict):
            raise OptionError(
                f"options of reset must be a dictionary such as {{'reset_mask': ...}}, got {describe(options)}"
            )
        if unknown := options.keys() - {"reset_mask"}:
            raise OptionError(f"reset takes no option {', '.join(sorted(map(repr, unknown)))}, only 'reset_mask'")
        mask = options.get("reset_mask")
        if mask is None:
            return None
        mask = np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_:
            raise OptionError(f"reset_mask must be bool of shape ({self.num_envs},), got {describe(mask)}")
        if not mask.any():
            raise OptionError("reset_mask must be true for one game or more, got none")
        return mask

    def _masks(self, legal: Any, whose: Any = None) -> dict[str, Any]:
        """The legal actions of some games or of all, (N, actions), in games that tell of them."""
        if legal is None:
            return {}
        if self._torch:
            import torch

            whose = legal.new_ones(self.num_envs) if whose is None else torch.as_tensor(whose, device=legal.device)
            return {"action_mask": legal, "_action_mask": whose}
        if whose is None:
            return {"action_mask": self._give(legal).view(np.int8), "_action_mask": np.ones(self.num_envs, np.bool_)}
        return {"action_mask": (to_numpy(legal) & whose[:, None]).view(np.int8), "_action_mask": whose.copy()}

    def _ends(self, source: Any) -> dict[str, Any]:
        """What Gymnasium's own vectors tell of the episodes that ended in this step."""
        ended, final_obs = source.terminated | source.truncated, source.final_obs
        statistics = {"r": source.episode_return, "l": source.episode_length}
        if not self._torch:
            ended = to_numpy(ended)
            if not ended.any():
                return {}
            statistics = {name: np.where(ended, to_numpy(array), 0) for name, array in statistics.items()}
        episode = {"episode": statistics, "_episode": ended} if self.episode_info else {}
        if self.autoreset_mode is not AutoresetMode.SAME_STEP:
            return episode
        final_obs = final_obs if self._torch else _final_obs(final_obs, ended)
        final_info = {**self._masks(source.final_legal, ended), **episode}
        return {"final_obs": final_obs, "_final_obs": ended, "final_info": final_info, "_final_info": ended, **episode}


def _final_obs(final_obs: Any, ended: np.ndarray) -> np.ndarray:
    """Gymnasium's layout: an array of objects, (N,), with the last observations of episodes that ended and None."""
    laid_out = np.full(len(ended), None, object)
    for i, obs in zip(np.flatnonzero(ended), to_numpy(final_obs[ended]), strict=True):
        laid_out[i] = obs
    return laid_out
