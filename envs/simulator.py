"""Many games of one kind, stepped together in place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import kernel
from .compile import link, replacements
from .errors import ActionError, GameError, NotReset, OptionError
from .game import Game
from .options import Options
from .registry import find_game
from .rng import start_streams

AUTORESET = {"disabled": kernel.DISABLED, "same_step": kernel.SAME_STEP, "next_step": kernel.NEXT_STEP}
STATE = ("records", "clocks", "streams", "obs")  # what a trajectory depends on


class Simulator:
    """`num_envs` independent games that take one step per call, on CPU cores or on a GPU.

    After `reset` and after each `step`, these arrays hold the result, N games along the first axis. The simulator owns
    them and overwrites them in the next step; copy what you keep.

        obs             (N, rows, columns, channels) uint8, or (N, features) float32
        reward          (N,) float32
        terminated      (N,) bool      the rules ended the episode
        truncated       (N,) bool      `max_episode_steps` ended it
        final_obs       like obs       under same-step autoreset, the last observation of episodes that just ended;
                                       other rows are left as they were
        episode_return  (N,) float32   sum of rewards of the episode that just ended; other rows are left as they were
        episode_length  (N,) int32     its steps

    On the CPU they are NumPy arrays, and `tensors` has the same memory as torch tensors; on a GPU, both are tensors.

    Args:
        game: a name such as "Breakout", or a `Game`.
        num_envs: how many games, 1 or more.
        device: "cpu", "cuda" or "cuda:1".
        seed: of all random numbers; None takes a new one from the operating system.
        autoreset: what follows the end of an episode: "same_step" (the next one starts at once), "next_step" (the next
            call to `step` resets and ignores the action) or "disabled" (the caller resets).
        num_threads: CPU threads; None chooses by the amount of work.
        mode: "compiled", "python" (the rules as they are, slowly, for a debugger) or "debug" (python, with every write,
            reward and observation checked).
        **options: see `ludus.envs.Options`.

    Raises:
        UnknownGame, OptionError: a name or an argument is wrong; the message says what would be right.
    """

    def __init__(
        self,
        game: str | Game,
        num_envs: int = 1,
        *,
        device: str = "cpu",
        seed: int | None = None,
        autoreset: str = "same_step",
        num_threads: int | None = None,
        mode: str = "compiled",
        **options: Any,
    ) -> None:
        self.game = find_game(game)
        if isinstance(num_envs, bool) or not isinstance(num_envs, (int, np.integer)) or num_envs < 1:
            raise OptionError(f"num_envs must be a whole number from 1, got {num_envs!r}")
        if autoreset not in AUTORESET:
            raise OptionError(f"autoreset must be one of {', '.join(AUTORESET)}, got {autoreset!r}")
        self.num_envs, self.autoreset = int(num_envs), autoreset
        self.options = Options.of(self.game, options)
        self.actions = self.options.actions(self.game)
        self.obs_shape, self.obs_dtype, self.obs_low, self.obs_high = self.options.observation(self.game)
        self._names = replacements(self.game, self.options.obs_type or "", self.options.frame_stack)
        self._ready = False
        self._backend = _choose_backend(self, str(device), mode, num_threads)
        self.device = self._backend.device
        arrays = self._backend.arrays
        self.obs, self.final_obs = (arrays[name].reshape(self.num_envs, *self.obs_shape) for name in ("obs", "final_obs"))
        self.reward, self.terminated, self.truncated = arrays["reward"], arrays["terminated"], arrays["truncated"]
        self.episode_return, self.episode_length = arrays["episode_return"], arrays["episode_length"]
        self.seed(seed)

    def seed(self, seed: int | None = None) -> int:
        """Restart all random streams; takes effect with the next `reset`. Returns the seed used."""
        if seed is None:
            seed = int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> np.uint64(1))
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise OptionError(f"seed must be a whole number from 0, got {seed!r}")
        self.seed_used = int(seed)
        self.seed_each(np.full(self.num_envs, seed % 2**64, np.uint64), np.arange(self.num_envs, dtype=np.uint64))
        return self.seed_used

    def seed_each(self, seeds: np.ndarray, indices: np.ndarray, mask: np.ndarray | None = None) -> None:
        """Restart the streams of single games: game k as if it were number `indices[k]` under `seeds[k]`; uint64 each."""
        streams = self._backend.read("streams")
        chosen = slice(None) if mask is None else mask
        streams[chosen] = np.stack(start_streams(seeds, indices), axis=1)[chosen]
        self._backend.write("streams", streams)

    def reset(self, mask: np.ndarray | None = None) -> Any:
        """Start new episodes, in all games or where `mask` (N,) bool is true; returns `obs`."""
        if mask is None:
            mask = np.ones(self.num_envs, np.bool_)
        elif not self._ready and not np.all(mask):
            raise NotReset("the first reset must be of all games: call reset() without a mask")
        self._backend.reset(np.ascontiguousarray(mask, np.bool_))
        self._ready = True
        return self.obs

    def step(self, actions: Any) -> int:
        """Take one step in every game; `actions` (N,) are whole numbers below `len(self.actions)`.

        Returns how many episodes ended in this step (on a GPU: -1, since counting would wait for it).
        """
        if not self._ready:
            raise NotReset("step before reset: call reset() first")
        return self._backend.step(actions)

    def check(self) -> None:
        """Raise what went wrong on a GPU since the last check; on the CPU, `step` raises at once."""
        self._backend.check()

    def frame(self, index: int = 0, size: int = 480) -> np.ndarray:
        """A picture of one game: (rows, columns, 3) uint8, the longer side `size` pixels."""
        width, height = self.game.canvas
        rows, columns = round(size * height / max(width, height)), round(size * width / max(width, height))
        record = self._backend.read("records")[index : index + 1]
        return draw_pictures(self.game, record, rows, columns)[0]

    @cached_property
    def tensors(self) -> SimpleNamespace:
        """The arrays above as torch tensors, sharing memory."""
        import torch

        names = ("obs", "final_obs", "reward", "terminated", "truncated", "episode_return", "episode_length")
        return SimpleNamespace(**{name: torch.as_tensor(getattr(self, name)) for name in names})

    @property
    def records(self) -> np.ndarray:
        """The games' records, (N,) of dtype `game.State`; on the CPU the memory itself, on a GPU a copy."""
        return self._backend.read("records")

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of a trajectory depends on, as NumPy arrays."""
        return {"game": self.game.id, **{name: self._backend.read(name).copy() for name in STATE}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken, on any device."""
        if state.get("game") != self.game.id:
            raise OptionError(f"this state is of {state.get('game')}, not of {self.game.id}")
        for name in STATE:
            here = self._backend.read(name)
            if state[name].shape != here.shape or state[name].dtype != here.dtype:
                raise OptionError(
                    f"this state's {name} is {state[name].shape} of {state[name].dtype}, expected {here.shape} of {here.dtype}: "
                    "make the simulator with the same num_envs and options"
                )
        for name in STATE:
            self._backend.write(name, state[name])
        self._ready = True

    def close(self) -> None:
        """Let go of threads; the simulator can still be read."""
        self._backend.close()


def allocate(sim: Simulator) -> dict[str, np.ndarray]:
    """All buffers of the engine's loop, in the order of its arguments."""
    n, game, options = sim.num_envs, sim.game, sim.options
    frame = _frame_shape(sim)
    raw = np.zeros((n, game.State.itemsize), np.uint8)
    return {
        "records": raw.reshape(-1).view(game.State),
        "raw": raw,
        "clocks": np.zeros(n, kernel.CLOCK),
        "streams": np.zeros((n, 2), np.uint64),
        "settings": options.settings(game, AUTORESET[sim.autoreset]),
        "levels": np.array(options.levels if options.levels is not None else [0], np.int64),
        "actions": np.zeros(n, np.int64),
        "obs": np.zeros((n, *frame), sim.obs_dtype),
        "final_obs": np.zeros((n, *frame), sim.obs_dtype),
        "reward": np.zeros(n, np.float32),
        "terminated": np.zeros(n, np.bool_),
        "truncated": np.zeros(n, np.bool_),
        "episode_return": np.zeros(n, np.float32),
        "episode_length": np.zeros(n, np.int32),
    }


def _frame_shape(sim: Simulator) -> tuple[int, int, int]:
    """An observation as the engine's loop sees it; the same memory as `obs_shape`."""
    if sim.options.obs_type == "features":
        return (1, 1, sim.obs_shape[0])
    rows, columns, channels = sim.obs_shape
    return (rows, columns, channels) if sim.options.obs_type == "planes" else (1, rows, columns * channels)


STEP = ("records", "raw", "clocks", "streams", "settings", "levels", "actions", "obs", "final_obs", "reward", "terminated",
        "truncated", "episode_return", "episode_length")  # fmt: skip
RESET = ("records", "raw", "clocks", "streams", "settings", "levels", "obs", "mask")


def _choose_backend(sim: Simulator, device: str, mode: str, num_threads: int | None) -> Any:
    if mode not in ("compiled", "python", "debug"):
        raise OptionError(f"mode must be compiled, python or debug, got {mode!r}")
    if device.split(":")[0] not in ("cpu", "cuda"):
        raise OptionError(f"device must be 'cpu' or 'cuda', got {device!r}")
    if num_threads is not None and num_threads < 1:
        raise OptionError(f"num_threads must be 1 or more, got {num_threads!r}")
    if device.startswith("cuda"):
        from .compile_cuda import CudaBackend

        return CudaBackend(sim, device)
    if mode == "compiled":
        return CompiledBackend(sim, num_threads)
    return PythonBackend(sim, debug=mode == "debug")


class CpuBackend:
    """What the two CPU backends share: NumPy buffers, and actions checked on the way in."""

    device = "cpu"

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.arrays = allocate(sim)
        self.arrays["mask"] = np.zeros(sim.num_envs, np.bool_)

    def read(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def write(self, name: str, value: np.ndarray) -> None:
        self.arrays[name][...] = value

    def take_actions(self, actions: Any) -> np.ndarray:
        """Actions as a contiguous int64 array (N,), without a copy if they are one."""
        actions = np.asarray(actions)
        if actions.dtype != np.int64:
            if actions.dtype.kind not in "iu":
                raise ActionError(f"actions must be whole numbers, got an array of {actions.dtype}")
            actions = actions.astype(np.int64)
        if actions.shape != (self.sim.num_envs,):
            raise ActionError(f"actions must have shape ({self.sim.num_envs},), one a game; got {actions.shape}")
        return np.ascontiguousarray(actions)

    def check(self) -> None:
        pass

    def fault(self, code: int, actions: np.ndarray) -> Exception:
        """The error that a negative answer of the kernel stands for."""
        if code <= kernel.OVER:
            return NotReset(f"the episode of environment {kernel.OVER - code} is over: reset it before the next step")
        i, names = -1 - code, self.sim.actions
        choices = ", ".join(f"{k} {name}" for k, name in enumerate(names))
        return ActionError(f"action {actions[i]} of environment {i} is out of range: {self.sim.game.name} takes {choices}")

    def close(self) -> None:
        pass


class CompiledBackend(CpuBackend):
    """Machine code, over one or more threads."""

    def __init__(self, sim: Simulator, num_threads: int | None) -> None:
        from .compile_cpu import RAISED, Buffer, compile_cpu, table_of

        super().__init__(sim)
        self._raised, self._actions = RAISED, None

        def build(function: Any, names: tuple[str, ...]) -> tuple[Any, np.ndarray]:
            arrays = [self.arrays[name] for name in names]
            return compile_cpu(sim.game.name, function, sim._names, [Buffer.of(a) for a in arrays]), table_of(arrays)

        self._step, self._step_table = build(kernel.step_games, STEP)
        self._reset, self._reset_table = build(kernel.reset_games, RESET)
        self._step_address, self._reset_address = self._step_table.ctypes.data, self._reset_table.ctypes.data
        self._actions_at = 2 * STEP.index("actions")
        self._pool: ThreadPoolExecutor | None = None
        threads = num_threads or min(os.cpu_count() or 1, sim.num_envs * _work(sim) // WORTH_A_THREAD) or 1
        bounds = np.linspace(0, sim.num_envs, min(threads, sim.num_envs) + 1).astype(int).tolist()
        self._ranges = list(zip(bounds[:-1], bounds[1:], strict=True))
        if len(self._ranges) > 1:
            self._pool = ThreadPoolExecutor(len(self._ranges) - 1, "ludus")

    def reset(self, mask: np.ndarray) -> None:
        self.arrays["mask"][:] = mask
        self._run(self._reset, self._reset_address)

    def step(self, actions: Any) -> int:
        if actions is not self._actions:  # an array that comes again and again is looked at once
            self._actions = actions = self.take_actions(actions)
            self._step_table[self._actions_at] = actions.ctypes.data
        finished = self._run(self._step, self._step_address)
        if finished < 0:
            raise self.fault(finished, actions)
        return finished

    def _run(self, function: Any, table: int) -> int:
        if self._pool is None:
            code = function(table, 0, self.sim.num_envs)
        else:
            rest = [self._pool.submit(function, table, *bounds) for bounds in self._ranges[1:]]
            answers = [function(table, *self._ranges[0]), *(future.result() for future in rest)]
            code = min(answers) if min(answers) < 0 else sum(answers)
        if code == self._raised:
            raise GameError(f"{self.sim.game.name}: a rule raised an exception; run it with mode='debug' to see where")
        return code

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()


WORTH_A_THREAD = 500_000  # bytes of records and observations that make handing work to a thread pay


def _work(sim: Simulator) -> int:
    return int(np.prod(sim.obs_shape)) * sim.obs_dtype.itemsize + sim.game.State.itemsize


class PythonBackend(CpuBackend):
    """The rules as they are."""

    def __init__(self, sim: Simulator, debug: bool) -> None:
        from .plain import PlainRecords, watched

        super().__init__(sim)
        names = watched(sim.game, sim._names) if debug else sim._names
        self._step, self._reset = link(kernel.step_games, names), link(kernel.reset_games, names)
        self._plain = {name: PlainRecords(self.arrays[name]) for name in ("records", "clocks", "settings")}

    def reset(self, mask: np.ndarray) -> None:
        self.arrays["mask"][:] = mask
        self._call(self._reset, RESET)

    def step(self, actions: Any) -> int:
        actions = self.take_actions(actions)
        self.arrays["actions"][:] = actions
        finished = self._call(self._step, STEP)
        if finished < 0:
            raise self.fault(finished, actions)
        return finished

    def _call(self, function: Any, names: tuple[str, ...]) -> int:
        with np.errstate(over="ignore"):  # random numbers wrap around
            return int(function(*(self._plain.get(n, self.arrays[n]) for n in names), 0, self.sim.num_envs))


def draw_pictures(game: Game, records: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Records (N,) as RGB pictures, (N, rows, columns, 3) uint8."""
    from .compile_cpu import Buffer, compile_cpu, table_of

    arrays = (np.ascontiguousarray(records), np.zeros((len(records), rows, columns * 3), np.uint8))
    function = compile_cpu(game.name, kernel.draw_games, replacements(game), [Buffer.of(a) for a in arrays])
    table = table_of(arrays)  # must outlive the call
    function(table.ctypes.data, 0, len(records))
    return arrays[1].reshape(len(records), rows, columns, 3)
