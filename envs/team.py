"""A team of threads that share the games of one step.

A step of a thousand games takes 40 microseconds, so handing half of it to another thread must cost about one. Helpers
therefore stay in compiled code, where they need no interpreter lock: they spin for a moment until the next step begins,
then sleep until the caller wakes them. The caller plays too, and waits only for games that somebody is playing: a helper
that the operating system keeps from running, or that a fork has left behind, costs nothing.

Each member of the team owns a range of games, so that they stay in the cache of its core. It claims them chunk by chunk,
and when its own are gone, those of the others. What members do is written down in `teamwork`.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from threading import Thread

from .teamwork import Member, Plan, teamwork

SPINS = 2000  # about 50 microseconds
CHUNKS, LARGEST_CHUNK = 16, 64  # a range is cut in about that many chunks, of at most so many games

_python = ctypes.pythonapi
_python.PyThread_allocate_lock.restype = ctypes.c_void_p
_python.PyThread_acquire_lock.argtypes = (ctypes.c_void_p, ctypes.c_int)
_python.PyThread_free_lock.argtypes = (ctypes.c_void_p,)
_python.PyThread_free_lock.restype = None


class Team:
    """`num_members` threads, one of them the caller's, that play `num_games` games with a kernel of `compile_cpu`.

    The helpers end when the team is closed or nobody refers to it any more, and do not keep the process alive.
    """

    def __init__(self, kernel: Callable[[int, int, int], int], table: int, num_games: int, num_members: int) -> None:
        self._plan = _SharedPlan(kernel, table, num_games, num_members)
        self._address, self._play = ctypes.addressof(self._plan), teamwork().play
        helpers = [
            Thread(target=_help, args=(self._plan, k), name=f"ludus-{k}", daemon=True) for k in range(1, num_members)
        ]
        for helper in helpers:
            helper.start()
        self._end = weakref.finalize(self, _dismiss, self._plan, helpers)

    def play(self) -> int:
        """One step of all games; returns what the kernel would, or the lowest of its answers if one is negative."""
        return self._play(self._address)

    def close(self) -> None:
        """Send the helpers home; the caller can still play alone."""
        self._end()


class _SharedPlan(Plan):
    """A plan that owns its members; it lives as long as any thread may look at it."""

    def __init__(self, kernel: Callable[[int, int, int], int], table: int, num_games: int, num_members: int) -> None:
        bounds = [num_games * k // num_members for k in range(num_members + 1)]
        self.owned = (Member * num_members)()
        for member, first, end in zip(self.owned, bounds[:-1], bounds[1:], strict=True):
            member.first, member.next, member.end = first, end, end
            member.lock = _taken_lock(self)
        super().__init__(
            kernel=ctypes.cast(kernel, ctypes.c_void_p).value,  # type: ignore[arg-type]
            table=table,
            num_games=num_games,
            chunk=min(max(num_games // (num_members * CHUNKS), 1), LARGEST_CHUNK),
            num_members=num_members,
            members=ctypes.addressof(self.owned),
            spins=SPINS,
            acquire=ctypes.cast(_python.PyThread_acquire_lock, ctypes.c_void_p).value,
            release=ctypes.cast(_python.PyThread_release_lock, ctypes.c_void_p).value,
        )


def _taken_lock(owner: object) -> int:
    """A lock of Python's that somebody holds, freed with its owner."""
    lock = _python.PyThread_allocate_lock()
    _python.PyThread_acquire_lock(lock, 0)
    weakref.finalize(owner, _python.PyThread_free_lock, lock).atexit = False  # a helper may still be asleep then
    return lock


def _help(plan: Plan, number: int) -> None:
    """A helper's life."""
    teamwork().help(ctypes.addressof(plan), number)


def _dismiss(plan: Plan, helpers: list[Thread]) -> None:
    """Let the helpers end, and wait for it."""
    plan.quit = 1
    teamwork().begin(ctypes.addressof(plan))
    for helper in helpers:
        helper.join()
