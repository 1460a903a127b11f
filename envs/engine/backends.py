"""What plays a simulator's games on CPU cores: machine code, or the rules as plain Python.

The GPU's backend is in `compile_cuda`. All have `arrays` in the order of the arguments of `kernel.play_games`.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..arguments import describe, one_of, whole
from ..errors import ActionError, OptionError
from . import kernel
from .checked_play import try_rules
from .compile import link
from .compile_cpu import ENDLESS, Buffer, Table, compile_cpu
from .faults import check_finite, check_shape, fault_error, rule_error
from .layout import Layout, allocate
from .plain import as_constant, as_plain, watched
from .rendering import paint_backdrop
from .rules import check_parameters, check_rules
from .saved_states import Unverified, check_players
from .thread_pool import Loop, LoopThreads
from .threads import once

SHARED = ("settings", "levels", "backdrop")  # buffers that are not one row a game
TWINS = ("records", "raw")  # buffers in the same memory
MOST_THREADS = 1024
WORTH_A_THREAD = 200_000  # bytes of records and observations, as of 400 games, that keep a thread busy long enough


def choose_backend(
    layout: Layout, unverified: Unverified, simulator: type[Any], device: str, mode: str, num_threads: int | None
) -> Any:
    """The backend for a device and a mode.

    Args:
        layout: which games, and how many.
        unverified: the games that play on from a state that came from outside; the backend reads and updates it.
        simulator: the class `Simulator`, by which the rules of users are tried first.

    Raises:
        OptionError: there is no such backend.
        GameError: the game's rules cannot be compiled, or fail when they are tried.
    """
    one_of("mode", mode, ("compiled", "checked", "python", "debug"))
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise OptionError(f"device must be 'cpu' or 'cuda', or 'cuda:1' for the second, got {device!r}")
    if device != "cpu" and mode != "compiled":
        raise OptionError(f"mode={mode!r} is for device='cpu': a GPU plays compiled games only")
    if num_threads is not None:
        num_threads = whole("num_threads", num_threads, 1, MOST_THREADS)
    check_parameters(layout.game)
    if mode in ("compiled", "checked"):
        check_rules(layout.game)
    if mode == "compiled":
        try_rules(layout, simulator)
    if device.startswith("cuda"):
        from .compile_cuda import CudaBackend

        return CudaBackend(layout, device)
    if mode in ("compiled", "checked"):
        return CompiledBackend(layout, unverified, num_threads, checked=mode == "checked")
    return PythonBackend(layout, unverified, debug=mode == "debug")


class CpuBackend:
    """What the two CPU backends share: NumPy buffers, and actions checked on the way in."""

    device = "cpu"
    checks = True  # it can play what may be no state that the rules reach, see `saved_states`

    def __init__(self, layout: Layout, unverified: Unverified) -> None:
        self.layout, self.unverified = layout, unverified
        self.arrays = allocate(layout)
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
        if self.unverified.whole.some:
            self.unverified.settle(mask)

    def step(self, actions: Any) -> int:
        self.point_at(actions)
        ended = self.play()
        if ended < 0:
            raise self.fault(ended)
        if self.unverified.whole.some:
            self.unverified.settle(self.arrays["clocks"]["elapsed"] == 0)
            check_players(self.layout.game, self.arrays["records"])
        return ended

    def read(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def write(self, name: str, value: np.ndarray) -> None:
        self.arrays[name][...] = value

    def take_actions(self, actions: Any) -> np.ndarray:
        """Actions as a contiguous int64 array (N * seats,), without a copy if they are one."""
        try:
            actions = np.asarray(actions)
        except (ValueError, TypeError) as error:  # lists of different lengths
            raise ActionError(
                f"actions must be an array or a list of whole numbers, got {describe(actions)}"
            ) from error
        if actions.dtype != np.int64:
            if actions.dtype.kind not in "iu":
                raise ActionError(f"actions must be whole numbers, got an array of {actions.dtype}")
            actions = actions.astype(np.int64)
        check_shape(self.layout, actions.shape)
        return np.ascontiguousarray(actions).reshape(-1)

    def check(self) -> None:
        pass

    def fault(self, code: int) -> Exception:
        """The error that a negative answer of the kernel stands for."""
        fault, i = divmod(-1 - code, kernel.FAULT)
        return fault_error(self.layout, fault, i, self.actions, self.arrays["legal"])

    def close(self) -> None:
        pass


class CompiledBackend(CpuBackend):
    """Machine code, over one or more threads."""

    def __init__(self, layout: Layout, unverified: Unverified, num_threads: int | None, checked: bool = False) -> None:
        super().__init__(layout, unverified)
        arrays = list(self.arrays.values())
        paint_backdrop(layout, self.arrays["backdrop"])
        buffers = [Buffer.of(array, shared=name in TWINS) for name, array in self.arrays.items()]
        self._compile = once(partial(compile_cpu, layout.game.name, kernel.play_games, layout.names, buffers))
        self._function = self._compile(checked=checked)
        self._table, self._checked = Table(arrays, buffers), checked
        self._address = self._table.address
        self._actions_at = 2 * list(self.arrays).index("actions")
        work = layout.num_envs * (layout.obs_bytes * layout.num_seats + layout.game.State.itemsize)  # bytes in a step
        threads = num_threads or min(_num_cores(), work // WORTH_A_THREAD) or 1
        self._pool: LoopThreads | None = None
        if threads > 1 and layout.num_envs > 1:
            loop = Loop(self._function, self._address, layout.num_envs, self._table)
            self._pool = LoopThreads(loop, min(threads, layout.num_envs))

    def point_at(self, actions: Any) -> None:
        if actions is not self.actions:  # an array that comes again and again is looked at once
            self.actions = self.take_actions(actions)
            self._table.words[self._actions_at] = _address_of(self.actions)

    def play(self) -> int:
        unverified = self.unverified.whole.some
        if unverified:
            code = self._compile(checked=True)(self._address, 0, self.layout.num_envs)
        else:
            code = self._pool.play() if self._pool else self._function(self._address, 0, self.layout.num_envs)
        if code <= ENDLESS:
            raise rule_error(self.layout.game, code, self._checked, unverified)
        if self._checked:
            check_finite(self.layout.game, self.arrays)
        return code

    def part(self, unverified: Unverified, first: int, last: int) -> CompiledBackend:
        """A backend for games first .. last-1 alone, on the same memory, in the caller's thread alone."""
        twin, all_games = copy(self), self.layout.num_envs
        twin.layout, twin.unverified, twin._pool = replace(self.layout, num_envs=last - first), unverified, None
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
        if self._pool is not None:
            self._pool.close()


def _address_of(array: np.ndarray) -> int:
    """Where a contiguous array's memory lies; a microsecond sooner than `array.ctypes.data` says it."""
    if array.flags.writeable:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    return array.ctypes.data


def _num_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class PythonBackend(CpuBackend):
    """The rules as they are."""

    def __init__(self, layout: Layout, unverified: Unverified, debug: bool) -> None:
        super().__init__(layout, unverified)
        names = watched(layout.game, layout.names) if debug else layout.names
        if self.arrays["backdrop"].size > 1:
            link(kernel.draw_backdrops, names, constant=as_constant)(self.arrays["backdrop"], 0, 1)
        self._function = link(kernel.play_games, names, constant=as_constant)
        self._arguments = [as_plain(name, array) for name, array in self.arrays.items()]
        self._names = names

    def plain_loop(self, function: Callable[..., int], arrays: list[np.ndarray]) -> Callable[[int, int, int], int]:
        """Another of the kernel's loops, as `compile_cpu` would give it: a table's address, first, last."""
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
            return int(self._function(*self._arguments, 0, self.layout.num_envs))
