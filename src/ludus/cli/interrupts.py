"""Ctrl-C and other signals that end a process: none is lost, and none interrupts where that would break something."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LATER = 0.05  # seconds
INTERRUPTED = 130  # the exit status that shells have for it
ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def no_interrupt_lost(last: bool) -> Iterator[None]:
    """Within, a Ctrl-C whose exception Python has to drop, as in a callback of its import system, comes again.

    Args:
        last: whether the process ends with this; a signal that comes later then changes nothing. Else all signals are
            afterwards as they were.
    """
    hook, handlers = sys.unraisablehook, {number: signal.getsignal(number) for number in ENDING}

    def dropped(lost: Any) -> None:
        if issubclass(lost.exc_type, Exception):
            return hook(lost)
        again = threading.Timer(LATER, _thread.interrupt_main)  # now, it would be dropped once more
        again.daemon = True
        again.start()

    sys.unraisablehook = dropped
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in handlers.items():
            wanted = signal.SIG_IGN if last else handler
            if signal.getsignal(number) != wanted:
                signal.signal(number, wanted)


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """Within, Ctrl-C ends the process: what is imported in C++ would not survive an exception."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Within, other signals that end a process raise KeyboardInterrupt, too, unless they are ignored, as by `nohup`."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    ours = threading.current_thread() is threading.main_thread()
    changed = [number for number in ENDING if ours and signal.getsignal(number) == signal.SIG_DFL]
    for number in changed:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


def import_agents() -> None:
    """PyTorch and Stable-Baselines3, which take seconds."""
    with leaving_at_once():
        pass
