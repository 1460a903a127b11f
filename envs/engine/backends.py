"""Where a simulator's buffers live and what plays the games: plain Python or machine code, on CPU cores.

The GPU's backend is in `compile_cuda`. All of them have `arrays` in the order of `kernel.play_games`'s arguments.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import one_of, whole
from ..errors import ActionError, GameError, NotReset, OptionError
from . import kernel
from .compile import link
from .rules import check_parameters, check_rules
from .team import Team, Work
from .threads import once
from .trial import try_rules
from .trust import check_players
from .views import paint_backdrop, rule_error

if TYPE_CHECKING:
    from ..game import Game
    from .simulator import Simulator

SHARED = ("settings", "levels", "backdrop")  # buffers that are not one row a game
TWINS = ("records", "raw")  # buffers in the same memory
MOST_THREADS = 1024
SHOWN = 20  # actions named in a message, at most
WORTH_A_THREAD = 200_000  # bytes of records and observations, as of 400 games, that keep a thread busy long enough


def choose_backend(sim: Simulator, device: str, mode: str, num_threads: int | None) -> Any:
    """The backend for a device and a mode; raises OptionError if there is none."""
    one_of("mode", mode, ("compiled", "checked", "python", "debug"))
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise OptionError(f"device must be 'cpu' or 'cuda', or 'cuda:1' for the second, got {device!r}")
    if device != "cpu" and mode != "compiled":
        raise OptionError(f"mode={mode!r} is for device='cpu': a GPU plays compiled games only")
    if num_threads is not None:
        num_threads = whole("num_threads", num_threads, 1, MOST_THREADS)
    check_parameters(sim.game)
    if mode in ("compiled", "checked"):
        check_rules(sim.game)
    if mode == "compiled":
        try_rules(sim)
    if device.startswith("cuda"):
        from .compile_cuda import CudaBackend

        return CudaBackend(sim, device)
    if mode in ("compiled", "checked"):
        return CompiledBackend(sim, num_threads, checked=mode == "checked")
    return PythonBackend(sim, debug=mode == "debug")


def allocate(sim: Simulator) -> dict[str, np.ndarray]:
    """All buffers of the engine's loop, in the order of its arguments."""
    n, game, options = sim.num_envs, sim.game, sim.options
    players, seats = n * sim.num_players, n * sim.num_seats
    frame, mask = _frame_shape(sim), (n, len(sim.actions) if game.legal else 1)
    raw = np.zeros((n, game.State.itemsize), np.uint8)
    return {
        "records": raw.reshape(-1).view(game.State),
        "raw": raw,
        "clocks": np.zeros(n, kernel.CLOCK),
        "streams": np.zeros((n, 2), np.uint64),
        "totals": np.zeros(players, np.float64),
        "settings": options.settings(game, sim.autoreset_code),
        "levels": _levels(options.levels),
        "backdrop": np.zeros(_backdrop_shape(sim), np.uint8),
        "mask": np.zeros(n, np.bool_),
        "actions": np.zeros(seats, np.int64),
        "obs": np.zeros((seats, *frame), sim.obs_dtype),
        "final_obs": np.zeros((seats, *frame), sim.obs_dtype),
        "legal": np.zeros(mask, np.bool_),
        "final_legal": np.zeros(mask, np.bool_),
        "reward": np.zeros(players, np.float32),
        "terminated": np.zeros(n, np.bool_),
        "truncated": np.zeros(n, np.bool_),
        "episode_return": np.zeros(players, np.float32),
        "episode_length": np.zeros(n, np.int32),
    }


def _levels(levels: Sequence[int] | None) -> np.ndarray:
    """Seeds of levels (L,); one, which is not used, where there is no limit."""
    if isinstance(levels, range):
        return np.arange(levels.start, levels.stop, levels.step, dtype=np.int64)
    return np.array([0] if levels is None else levels, np.int64)


def _frame_shape(sim: Simulator) -> tuple[int, int, int]:
    """An observation as the engine's loop sees it; the same memory as `obs_shape`."""
    if sim.options.obs_type == "features":
        return (1, 1, sim.obs_shape[0])
    rows, columns, channels = sim.obs_shape
    return (rows, columns, channels) if sim.options.obs_type == "planes" else (1, rows, columns * channels)


def _backdrop_shape(sim: Simulator) -> tuple[int, int, int]:
    """One picture of those that are stacked, as the engine's loop sees it; next to nothing where none is needed."""
    if sim.game.backdrop is None or sim.options.obs_type not in ("rgb", "grayscale"):
        return (1, 1, 1)
    rows, columns, channels = sim.obs_shape
    return (1, rows, columns * channels // sim.options.frame_stack)


class CpuBackend:
    """What the two CPU backends share: NumPy buffers, and actions checked on the way in."""

    device = "cpu"
    checks = True  # it can play what may be no state that the rules reach, see `trust`

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.arrays = allocate(sim)
        self.actions = self.arrays["actions"]  # those of the latest step

    def point_at(self, actions: Any) -> None:
        """Check the actions and let the games read them."""
        raise NotImplementedError

    def play(self) -> int:
        """Run `kernel.play_games` over all games."""
        raise NotImplementedError

    def reset(self, mask: np.ndarray) -> None:
        self.arrays["mask"][:] = mask
        self.arrays["settings"]["command"] = kernel.RESET
        try:
            self.play()
        finally:
            self.arrays["settings"]["command"] = kernel.STEP
        if self.sim._doubt.whole.some:
            self.sim._doubt.settle(mask)

    def step(self, actions: Any) -> int:
        self.point_at(actions)
        ended = self.play()
        if ended < 0:
            raise self.fault(ended)
        if self.sim._doubt.whole.some:
            self.sim._doubt.settle(self.arrays["clocks"]["elapsed"] == 0)
            check_players(self.sim)
        return ended

    def read(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def write(self, name: str, value: np.ndarray) -> None:
        self.arrays[name][...] = value

    def take_actions(self, actions: Any) -> np.ndarray:
        """Actions as a contiguous int64 array (N * seats,), without a copy if they are one."""
        actions = np.asarray(actions)
        if actions.dtype != np.int64:
            if actions.dtype.kind not in "iu":
                raise ActionError(f"actions must be whole numbers, got an array of {actions.dtype}")
            actions = actions.astype(np.int64)
        check_shape(self.sim, actions.shape)
        return np.ascontiguousarray(actions).reshape(-1)

    def check(self) -> None:
        pass

    def fault(self, code: int) -> Exception:
        """The error that a negative answer of the kernel stands for."""
        fault, i = divmod(-1 - code, kernel.FAULT)
        return fault_error(self.sim, fault, i, self.actions)

    def close(self) -> None:
        pass


def check_shape(sim: Simulator, shape: Any) -> None:
    """Raise if actions of that shape are not one for each who acts."""
    right = (sim.num_envs,) if sim.num_seats == 1 else (sim.num_envs, sim.num_seats)
    if tuple(shape) != right:
        each = "game" if sim.num_seats == 1 else "player of each game"
        raise ActionError(f"actions must have shape {right}, one for each {each}; got {tuple(shape)}")


def fault_error(sim: Simulator, fault: int, i: int, actions: np.ndarray | None) -> Exception:
    """The error that `kernel.fault_of` game `i` stands for, after these actions (N * seats,)."""
    if fault == kernel.OVER:
        return NotReset(f"the episode of environment {i} is over: reset it before the next step")
    names = sim.actions
    given = [] if actions is None else actions[i * sim.num_seats : (i + 1) * sim.num_seats].tolist()
    if fault == kernel.ILLEGAL:
        allowed = [f"{k} {names[k]}" for k in np.flatnonzero(sim._backend.read("legal")[i])]
        more = ", ..." if len(allowed) > SHOWN else ""
        move = f"{given[0]} {names[given[0]]}" if given else "given"
        return ActionError(
            f"action {move} of environment {i} is not allowed by the rules of {sim.game.name}: now it could be "
            f"{', '.join(allowed[:SHOWN])}{more}"
        )
    wrong = next((action for action in given if not 0 <= action < len(names)), None)
    choices = ", ".join(f"{k} {name}" for k, name in enumerate(names[:SHOWN]))
    more = f", ... up to {len(names) - 1}" if len(names) > SHOWN else ""
    return ActionError(f"action {wrong} of environment {i} is out of range: {sim.game.name} takes {choices}{more}")


class CompiledBackend(CpuBackend):
    """Machine code, over one or more threads."""

    def __init__(self, sim: Simulator, num_threads: int | None, checked: bool = False) -> None:
        from .compile_cpu import ENDLESS, Buffer, Table, compile_cpu

        super().__init__(sim)
        arrays = list(self.arrays.values())
        paint_backdrop(sim, self.arrays["backdrop"])
        buffers = [Buffer.of(array, shared=name in TWINS) for name, array in self.arrays.items()]
        self._compile = once(partial(compile_cpu, sim.game.name, kernel.play_games, sim._names, buffers))
        self._function = self._compile(checked=checked)
        self._table, self._raised, self._checked = Table(arrays, buffers), ENDLESS, checked
        self._address = self._table.address
        self._actions_at = 2 * list(self.arrays).index("actions")
        threads = num_threads or min(_num_cores(), sim.num_envs * _work(sim) // WORTH_A_THREAD) or 1
        self._team: Team | None = None
        if threads > 1 and sim.num_envs > 1:
            work = Work(self._function, self._address, sim.num_envs, self._table)
            self._team = Team(work, min(threads, sim.num_envs))

    def point_at(self, actions: Any) -> None:
        if actions is not self.actions:  # an array that comes again and again is looked at once
            self.actions = self.take_actions(actions)
            self._table.words[self._actions_at] = _address_of(self.actions)

    def play(self) -> int:
        doubt = self.sim._doubt.whole.some
        if doubt:
            code = self._compile(checked=True)(self._address, 0, self.sim.num_envs)
        else:
            code = self._team.play() if self._team else self._function(self._address, 0, self.sim.num_envs)
        if code <= self._raised:
            raise rule_error(self.sim.game, code, self._checked, doubt)
        if self._checked:
            check_finite(self.sim.game, self.arrays)
        return code

    def part(self, sim: Simulator, first: int, last: int) -> CompiledBackend:
        """A backend of `sim` for games first .. last-1 alone, on the same memory, without helpers."""
        from .compile_cpu import Buffer, Table

        twin, all_games = copy(self), self.sim.num_envs
        twin.sim, twin._team = sim, None
        twin.arrays = {
            name: array if name in SHARED else array[first * len(array) // all_games : last * len(array) // all_games]
            for name, array in self.arrays.items()
        }
        twin.actions = twin.arrays["actions"]
        arrays = list(twin.arrays.values())
        twin._table = Table(arrays, [Buffer.of(array) for array in arrays])
        twin._address = twin._table.address
        return twin

    def close(self) -> None:
        if self._team is not None:
            self._team.close()


def check_finite(game: Game, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise GameError if compiled rules left a number that is not finite where plain Python would refuse it."""
    records = arrays["records"]
    found = [
        ("step gave the reward", arrays["reward"]),
        *((f"a rule left {name} =", records[name]) for name in game.State.names or ()),
        ("observe wrote the feature", arrays["obs"]),
        ("observe wrote the feature", arrays["final_obs"]),
        ("the rewards of an episode add up to", arrays["episode_return"]),
    ]
    for what, numbers in found:
        if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
            raise GameError(f"{game.name}: {what} {numbers[~np.isfinite(numbers)][0]}, which is not finite")


def _address_of(array: np.ndarray) -> int:
    """Where a contiguous array's memory lies; a microsecond sooner than `array.ctypes.data` says it."""
    if array.flags.writeable:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    return array.ctypes.data


def _num_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _work(sim: Simulator) -> int:
    """Bytes that one game reads and writes in a step, about."""
    return int(np.prod(sim.obs_shape)) * sim.obs_dtype.itemsize * sim.num_seats + sim.game.State.itemsize


class PythonBackend(CpuBackend):
    """The rules as they are."""

    def __init__(self, sim: Simulator, debug: bool) -> None:
        from .plain import as_constant, as_plain, watched

        super().__init__(sim)
        names = watched(sim.game, sim._names) if debug else sim._names
        if self.arrays["backdrop"].size > 1:
            link(kernel.draw_backdrops, names, constant=as_constant)(self.arrays["backdrop"], 0, 1)
        self._function = link(kernel.play_games, names, constant=as_constant)
        self._arguments = [as_plain(name, array) for name, array in self.arrays.items()]
        self._names = names

    def plain_loop(self, function: Callable[..., int], arrays: list[np.ndarray]) -> Callable[[int, int, int], int]:
        """Another of the kernel's loops, as `compile_cpu` would give it: a table's address, first, last."""
        from .plain import as_constant, as_plain

        linked: Any = link(function, self._names, constant=as_constant)
        arguments = [as_plain("", array) for array in arrays]

        def loop(table: int, first: int, last: int) -> int:
            with np.errstate(over="ignore"):
                return int(linked(*arguments, first, last))

        return loop

    def point_at(self, actions: Any) -> None:
        self.actions = self.take_actions(actions)
        self.arrays["actions"][:] = self.actions

    def play(self) -> int:
        with np.errstate(over="ignore"):  # random numbers wrap around
            return int(self._function(*self._arguments, 0, self.sim.num_envs))
