"""A watchdog for rules that run as plain Python: it ends loops that do not end, and the error has the loop's line."""

from __future__ import annotations

import ast
import ctypes
import threading
import time
from collections.abc import Callable
from types import CodeType, TracebackType

from .rules import definition

PATIENCE = (
    5.0  # seconds of the processor; what rules do in a step takes milliseconds, making a large world half a second
)


class EndlessError(Exception):
    """Raised in a rule that runs for too long."""

    def __init__(self) -> None:
        super().__init__(f"it has not come to an end after {PATIENCE:g} seconds: look at this loop")


class Watchdog:
    """Raises EndlessError in the thread that made it, if that computes for PATIENCE seconds without calling `alive`.

    Time is the processor's, where the system tells it for one thread, so that a busy machine is no reason. As a context
    manager it watches what is inside.
    """

    def __init__(self) -> None:
        self._thread, self._over = threading.get_ident(), threading.Event()
        self._clock = _clock_of(self._thread)
        self._watch = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watchdog:
        self.alive()
        self._watch.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._over.set()
        self._watch.join()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), None)  # it may come too late

    def alive(self) -> None:
        """Begin to count anew."""
        self._since = self._clock()

    def _look(self) -> None:
        while not self._over.wait(PATIENCE / 20):
            if self._clock() - self._since > PATIENCE:
                stop = ctypes.py_object(EndlessError)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), stop)
                return


def _clock_of(thread: int) -> Callable[[], float]:
    """A thread's own time on processors, in seconds; on systems without it, time as it passes."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return time.monotonic
    clock = time.pthread_getcpuclockid(thread)
    return lambda: time.clock_gettime(clock)


def loop_around(code: CodeType, line: int) -> int:
    """The first line of the innermost loop that a line is in."""
    tree = definition(code)
    loops = [node for node in ast.walk(tree) if isinstance(node, (ast.While, ast.For))] if tree else []
    around = [loop.lineno for loop in loops if loop.lineno <= line <= (loop.end_lineno or line)]
    return max(around, default=line)
