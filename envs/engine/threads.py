"""For programs with several threads: functions that run once, and a lock by which threads take turns."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# One lock for all that is made once, so that makers may need each other in any order. A fork waits until nothing is being
# made: the child would inherit a lock, ours, Numba's or LLVM's, whose holder is not there to give it back.
making = RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=making.acquire, after_in_parent=making.release, after_in_child=making.release)


def once(make: Callable[P, R]) -> Callable[P, R]:
    """Call `make` once for each arguments; threads that ask meanwhile wait for the result.

    `functools.cache` lets all threads that come before the first result call it and keeps the last one's, so that what
    the others were given may be freed while they use it.
    """
    made: dict[Any, R] = {}

    @wraps(make)
    def ask(*arguments: P.args, **named: P.kwargs) -> R:
        key = (arguments, *named.items())
        if key not in made:
            with making:
                if key not in made:
                    made[key] = make(*arguments, **named)
        return made[key]

    return ask


class Turns:
    """A lock for what one thread after the other may do: `with turns: ...`, or as `Simulator.step` does where time counts.

    Nobody waits, as a rule, and then a pop from a list, which is atomic, costs a fifth of a `threading.Lock`. Who has to
    wait looks again and again, and is let in by the next who is done.
    """

    __slots__ = ("_process", "free", "wanted")
    PATIENCE = 60.0  # seconds

    def __init__(self) -> None:
        self.free, self.wanted, self._process = [None], False, os.getpid()  # free: empty while somebody has the turn

    def __enter__(self) -> None:
        try:
            self.free.pop()
        except IndexError:
            self.wait()

    def __exit__(self, *error: object) -> None:
        self.free.append(None)
        if self.wanted:
            self.let_in()

    def wait(self) -> None:
        """Take a turn that somebody has.

        Who does not give it back in a minute is taken to be gone: Ctrl-C may come between any two lines. After a fork,
        whoever had it certainly is. Should they come back, their turn is none: `free` is another list then.
        """
        deadline = time.monotonic() + self.PATIENCE
        while time.monotonic() < deadline and os.getpid() == self._process:
            self.wanted = True
            time.sleep(1e-4)
            try:
                return self.free.pop()
            except IndexError:
                continue
        self.free, self._process = [], os.getpid()

    def let_in(self) -> None:
        """Stay away for long enough that who waits looks again."""
        self.wanted = False
        time.sleep(1e-3)
