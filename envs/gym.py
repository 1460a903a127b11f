"""The faces that Gymnasium knows: one game as an `Env`, many as a `VectorEnv`. No rules in here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from operator import index
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from .errors import ActionError, OptionError
from .game import Game
from .options import Options
from .registry import find_game
from .simulator import Simulator

RENDER_SIZE = 480  # pixels of the longer side


class GameEnv(gymnasium.Env[np.ndarray, Any]):
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
        Options.of(self.game, options)  # refuses what only vectors of games take
        self.simulator = Simulator(self.game, 1, autoreset="disabled", mode=mode, **options)
        self.observation_space, self.action_space = spaces_of(self.simulator)
        self.metadata = {**self.metadata, "render_fps": self.game.fps}
        self.render_mode = one_of("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        self.spec = EnvSpec(
            self.game.id,
            "ludus.envs.gym:GameEnv",
            order_enforce=False,
            disable_env_checker=True,
            kwargs={"game": game, "render_mode": render_mode, "mode": mode, **options},
        )
        self._viewer = Viewer(self.game.name, self.game.fps) if render_mode == "human" else None
        self._action, self._obs = np.zeros(1, np.int64), self.simulator.obs[0]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode; the same seed gives the same episodes from here on, None goes on with the stream."""
        if options:
            raise OptionError(f"reset takes no options, got {', '.join(map(repr, options))}")
        if seed is not None:
            super().reset(seed=self.simulator.seed(seed))
        self.simulator.reset()
        if self._viewer is not None:
            self._viewer.show(self.simulator.frame(0, RENDER_SIZE))
        return self._obs.copy(), self._infos()

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
            raise ActionError(f"an action of {self.game.name} is {valid}, got {_describe(action)}") from None
        sim = self.simulator
        ended = sim.step(self._action)
        if self._viewer is not None:
            self._viewer.show(sim.frame(0, RENDER_SIZE))
        if not ended:
            return self._obs.copy(), sim.reward.item(), False, False, self._infos()
        return self._obs.copy(), sim.reward.item(), sim.terminated.item(), sim.truncated.item(), self._infos()

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

        pygame.display.init()  # key names are not known before
        offered = self.simulator.actions
        return {
            (pygame.key.key_code(key),): offered.index(name) for key, name in self.game.keys.items() if name in offered
        }

    def close(self) -> None:
        """Close the window, if there is one; may be called twice."""
        if self._viewer is not None:
            self._viewer.close()
        self.simulator.close()


class GameVectorEnv(VectorEnv[Any, Any, Any]):
    """Many games of one kind, as `gymnasium.make_vec("ludus/Breakout-v1", num_envs=1024)` gives them.

    Results are what `gymnasium.vector.SyncVectorEnv` would give around single games, seeds included, at another speed.
    `infos` is an empty dictionary but for steps in which episodes ended: then `infos["episode"]` has their returns "r"
    and lengths "l", (N,) each, where `infos["_episode"]` is true. To wrap in Gymnasium's `RecordEpisodeStatistics`,
    which wants to write the same keys, give `episode_info=False`. In games that have a mask of legal actions it is there
    after every step, as `infos["action_mask"]`, (N, actions) int8 (torch: bool).

    Args:
        game: a name such as "Breakout", or a `Game`.
        num_envs: how many games.
        device: "cpu" or "cuda".
        seed: for the first `reset` that is given none; None takes a new one from the operating system.
        autoreset_mode: Gymnasium's `AutoresetMode` or its value: "NextStep", "SameStep" or "Disabled".
        copy: return copies; if False, the simulator's own arrays, which the next step overwrites.
        output: "numpy", or "torch" for the simulator's own tensors, never copied.
        episode_info: report the returns and lengths of episodes that ended.
        render_mode: None or "rgb_array" (`render` returns a picture of each game).
        num_threads, mode: see `Simulator`.
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
        episode_info: bool = True,
        render_mode: str | None = None,
        num_threads: int | None = None,
        mode: str = "compiled",
        **options: Any,
    ) -> None:
        self.game = for_one(find_game(game))
        Options.of(self.game, options)
        autoreset_mode = getattr(autoreset_mode, "value", autoreset_mode)
        self.autoreset_mode = AutoresetMode(one_of("autoreset_mode", autoreset_mode, [m.value for m in AutoresetMode]))
        self._torch = one_of("output", output, ("numpy", "torch")) == "torch"
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
        self.num_envs, self.episode_info = self.simulator.num_envs, episode_info
        self.single_observation_space, self.single_action_space = spaces_of(self.simulator)
        self.metadata = {**self.metadata, "render_fps": self.game.fps, "autoreset_mode": self.autoreset_mode}
        self.render_mode = one_of("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        self._first_seed = seed
        source = self.simulator.tensors if self._torch else self.simulator
        self._legal = source.legal if self.simulator.legal is not None else None
        self._everywhere = np.ones(self.simulator.num_envs, np.bool_)
        self._results = source.obs, source.reward, source.terminated, source.truncated
        self._give = to_numpy if copy and not self._torch else lambda array: array

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
        mask = self._reset_mask(options or {})
        if mask is None:  # all start anew: the seed given at the start is used now or never
            seed, self._first_seed = self._first_seed if seed is None else seed, None
        if seed is not None:
            seed_games(self.simulator, seed, mask)
            if isinstance(seed, (int, np.integer)):
                super().reset(seed=int(seed))
        self.simulator.reset(mask)
        return self._give(self._results[0]), self._masks()

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
        obs, reward, terminated, truncated = map(self._give, self._results)
        return obs, reward, terminated, truncated, {**self._masks(), **self._infos()} if ended else self._masks()

    def _masks(self) -> dict[str, Any]:
        """The legal actions, (N, actions), in games that tell of them, as Gymnasium's own vectors lay them out."""
        if self._legal is None:
            return {}
        mask = self._give(self._legal)
        return {"action_mask": mask if self._torch else mask.view(np.int8), "_action_mask": self._everywhere}

    def render(self) -> tuple[np.ndarray, ...] | None:
        """A picture of each game, (rows, columns, 3) uint8."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() has nothing to do: make the environments with render_mode='rgb_array'")
            return None
        return tuple(self.simulator.frame(i, RENDER_SIZE) for i in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        """Let go of threads."""
        self.simulator.close()

    def _reset_mask(self, options: dict[str, Any]) -> np.ndarray | None:
        if unknown := options.keys() - {"reset_mask"}:
            raise OptionError(f"reset takes no option {', '.join(map(repr, sorted(unknown)))}, only 'reset_mask'")
        mask = options.get("reset_mask")
        if mask is None:
            return None
        mask = np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_:
            raise OptionError(f"reset_mask must be bool of shape ({self.num_envs},), got {_describe(mask)}")
        if not mask.any():
            raise OptionError("reset_mask must be true for one game or more, got none")
        return mask

    def _infos(self) -> dict[str, Any]:
        """What Gymnasium's own vectors tell of the episodes that ended in this step."""
        sim = self.simulator.tensors if self._torch else self.simulator
        ended, infos = sim.terminated | sim.truncated, {}
        returns, lengths, final = sim.episode_return, sim.episode_length, sim.final_obs
        same_step = self.autoreset_mode is AutoresetMode.SAME_STEP
        if not self._torch:
            ended = to_numpy(ended)
            if not ended.any():
                return infos
            returns, lengths = np.where(ended, to_numpy(returns), 0), np.where(ended, to_numpy(lengths), 0)
            final = _final_obs(final, ended) if same_step else None
        if same_step:
            infos |= {"final_obs": final, "_final_obs": ended, "final_info": {}, "_final_info": ended}
        if self.episode_info:
            infos |= {"episode": {"r": returns, "l": lengths}, "_episode": ended}
        return infos


def _final_obs(final_obs: Any, ended: np.ndarray) -> np.ndarray:
    """Gymnasium's layout: an array of objects, (N,), with the last observations of episodes that ended and None."""
    laid_out = np.full(len(ended), None, object)
    for i, obs in zip(np.flatnonzero(ended), to_numpy(final_obs[ended]), strict=True):
        laid_out[i] = obs
    return laid_out


def seed_games(simulator: Simulator, seed: int | Sequence[int | None], mask: np.ndarray | None = None) -> None:
    """Seed as Gymnasium does: game k by `seed + k`, or each by its own; None leaves a game's stream as it is."""
    count = simulator.num_envs
    seeds = [seed + k for k in range(count)] if isinstance(seed, (int, np.integer)) else list(seed)
    if len(seeds) != count:
        raise OptionError(f"give one seed a game: expected {count}, got {len(seeds)}")
    for k, number in enumerate(seeds):
        if number is not None and (not isinstance(number, (int, np.integer)) or number < 0):
            raise OptionError(f"seed must be a whole number from 0, got {number!r} for environment {k}")
    chosen = np.array([number is not None for number in seeds])
    numbers = np.array([int(number or 0) % 2**64 for number in seeds], np.uint64)
    simulator.seed_each(numbers, np.zeros(count, np.uint64), chosen if mask is None else chosen & mask)


def spaces_of(simulator: Simulator) -> tuple[Box, Discrete]:
    """The observation and the action space of one game."""
    low, high = simulator.obs_low, simulator.obs_high
    return Box(low, high, simulator.obs_shape, simulator.obs_dtype.type), Discrete(len(simulator.actions))


def for_one(game: Game) -> Game:
    """The game, if it is for one player."""
    if game.players > 1:
        face = "aec_env" if game.turns else "parallel_env"
        raise OptionError(
            f"{game.name} is for {game.players} players: use ludus.envs.{face}({game.name!r}) or ludus.envs.Simulator"
        )
    return game


def to_numpy(array: Any) -> np.ndarray:
    """A copy of one of the simulator's arrays in the computer's main memory, as NumPy's."""
    return array.copy() if isinstance(array, np.ndarray) else array.to("cpu", copy=True).numpy()


def one_of(name: str, value: Any, valid: Sequence[Any]) -> Any:
    """The value, if it is valid."""
    if value not in valid:
        raise OptionError(f"{name} must be one of {', '.join(map(repr, valid))}; got {_describe(value)}")
    return value


def _describe(value: Any) -> str:
    """A value in a few words on one line."""
    if hasattr(value, "shape") and hasattr(value, "dtype") and value.shape != ():
        return f"an array of shape {tuple(value.shape)} and {value.dtype}"
    return " ".join(repr(value).split())[:80]


class Viewer:
    """A window that shows pictures at a person's pace; closing it ends the showing, not the run."""

    def __init__(self, title: str, fps: int) -> None:
        self.title, self.fps = title, fps
        self.window: Any = None
        self.closed = False

    def show(self, picture: np.ndarray) -> None:
        """Show a picture, (rows, columns, 3) uint8, and wait until its time is over."""
        import pygame

        if self.closed:
            return
        if self.window is None:
            pygame.display.init()
            pygame.display.set_caption(self.title)
            self.window, self.clock = pygame.display.set_mode(picture.shape[1::-1]), pygame.time.Clock()
        if any(event.type == pygame.QUIT for event in pygame.event.get()):
            return self.close()
        pygame.surfarray.blit_array(self.window, picture.swapaxes(0, 1))
        pygame.display.flip()
        self.clock.tick(self.fps)

    def close(self) -> None:
        """Close the window; may be called twice."""
        if self.window is not None:
            import pygame

            pygame.display.quit()
        self.window, self.closed = None, True
