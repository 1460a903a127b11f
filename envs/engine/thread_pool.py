"""Threads that share the games of one step, or the steps of any other compiled loop.

A step of a thousand games takes 40 microseconds, so handing half of it to another thread must cost about one. Helpers
therefore stay in compiled code, where they need no interpreter lock: while one step follows another they spin until the
next begins, else they sleep until the caller wakes them. The caller plays too, and waits only for games that somebody is
playing: a helper that the operating system keeps from running, or that a fork has left behind, costs nothing.

Each thread owns a range of games, so that they stay in the cache of its core. It claims them in chunks, large
ones first, and when its own are gone, those of the others: cores need not be equally fast. What
the threads run is in `thread_pool_code`.
"""

from __future__ import annotations

import ctypes
import platform
import re
import weakref
from collections.abc import Callable
from ctypes import c_int64, c_void_p
from threading import Thread
from time import perf_counter
from typing import Any, NamedTuple

from .thread_pool_code import CODE
from .threads import once

SPINS = 4000  # pauses of a processor, in all about as long as:
SHORT_PAUSE, LONG_STEP = 100e-6, 200e-6  # seconds; see LoopThreads.play
PARTS, CHUNK = 16, 32  # nobody claims less than that part of a range, or so many games if that is less

_python = ctypes.pythonapi
_python.PyThread_allocate_lock.restype = ctypes.c_void_p
_python.PyThread_acquire_lock.argtypes = (ctypes.c_void_p, ctypes.c_int)
_python.PyThread_free_lock.argtypes = (ctypes.c_void_p,)
_python.PyThread_free_lock.restype = None


class Loop:
    """A compiled loop to be shared: a kernel of `compile_cpu`, the address of its table, and how many games that has.

    It holds on to the kernel and to `owners`, whose memory the table is in and names.
    """

    def __init__(self, kernel: Callable[[int, int, int], int], table: int, num_games: int, *owners: object) -> None:
        self.kernel, self.table, self.num_games, self.owners = kernel, table, num_games, owners
        self.address = ctypes.cast(kernel, ctypes.c_void_p).value  # type: ignore[arg-type]


class LoopThreads:
    """`num_members` threads, one of them the caller's, that share a loop.

    The helper threads end when this is closed or nobody refers to it any more, and do not keep the process alive.
    """

    def __init__(self, loop: Loop, num_members: int) -> None:
        self._plan = Plan(loop, num_members)
        self._stopped = self._took = 0.0  # when the last step ended, and how long it took
        self._address, self._play = ctypes.addressof(self._plan), functions().play
        helpers = [
            Thread(target=_help, args=(self._plan, k), name=f"ludus-{k}", daemon=True) for k in range(1, num_members)
        ]
        for helper in helpers:
            helper.start()
        self._end = weakref.finalize(self, _dismiss, self._plan, helpers)

    def play(self) -> int:
        """One step of all games; returns what the kernel would, or the lowest of its answers if one is negative.

        To wake a helper takes 20 microseconds of the caller's time and as many again until it plays. That pays in a
        long step, and at the start of a series of steps with short pauses, for which helpers stay awake. After a long
        pause they sleep at once, so as not to be in the way of what else the caller does between steps.
        """
        pause = perf_counter() - self._stopped
        started = self._stopped + pause
        quick = pause < SHORT_PAUSE
        code = self._play(self._address, quick or self._took > LONG_STEP, SPINS if quick else 0)
        self._stopped = perf_counter()
        self._took = self._stopped - started
        return code

    def assign(self, loop: Loop) -> None:
        """Another loop from the next step on."""
        self._plan.assign(loop)

    def close(self) -> None:
        """End the helper threads; the caller can still play alone."""
        self._end()


def _help(plan: Plan, number: int) -> None:
    """What a helper thread runs."""
    functions().help(ctypes.addressof(plan), number)


def _dismiss(plan: Plan, helpers: list[Thread]) -> None:
    """Let the helpers end, and wait for it."""
    plan.quit = 1
    functions().begin(ctypes.addressof(plan))
    for helper in helpers:
        helper.join()


GAP = c_int64 * 15  # keeps what different threads write in different cache lines, and out of each other's prefetch


class Member(ctypes.Structure):
    """One thread's range of games, and the lock that it sleeps on."""

    _fields_ = (
        ("first", c_int64),  # in the upper half, the number of the loop
        ("end", c_int64),
        ("gap0", GAP),
        ("next", c_int64),  # games from here on are not claimed yet
        ("gap1", GAP),
        ("parked", c_int64),  # 1: sleeps, or is about to; whoever sets it to 0 releases the lock
        ("lock", c_void_p),
        ("gap2", GAP),
    )


class Plan(ctypes.Structure):
    """What the members share; it lives as long as any thread may look at it."""

    _fields_ = (
        ("kernel", c_void_p),
        ("table", c_void_p),
        ("num_games", c_int64),
        ("chunk", c_int64),  # games that are claimed at least
        ("num_members", c_int64),
        ("members", c_void_p),
        ("spins", c_int64),  # pauses before the caller, waiting for the last games, goes to sleep
        ("acquire", c_void_p),  # PyThread_acquire_lock
        ("release", c_void_p),  # PyThread_release_lock
        ("cede", c_void_p),  # the system's function that lets others run
        ("rousing", c_int64),  # 0: whoever sleeps may sleep on
        ("patience", c_int64),  # pauses before a helper, waiting for the next step, goes to sleep
        ("quit", c_int64),  # 1: helpers end
        ("gap0", GAP),
        ("begun", c_int64),  # steps
        ("gap1", GAP),
        ("finished", c_int64),  # steps
        ("gap2", GAP),
        ("left", c_int64),  # games of this step that nobody has reported as played
        ("ended", c_int64),  # episodes in this step
        ("worst", c_int64),  # the lowest answer of the kernel, or 0
        ("busy", c_int64),  # 1: a step is under way
        ("gap3", GAP),
    )

    def __init__(self, loop: Loop, num_members: int) -> None:
        self._owned = (Member * num_members)()
        for member in self._owned:
            member.lock = _taken_lock(self)
        super().__init__(
            num_members=num_members,
            members=ctypes.addressof(self._owned),
            spins=SPINS,
            acquire=ctypes.cast(_python.PyThread_acquire_lock, ctypes.c_void_p).value,
            release=ctypes.cast(_python.PyThread_release_lock, ctypes.c_void_p).value,
            cede=functions().cede,
        )
        self._loops = 0
        self.assign(loop)

    def assign(self, loop: Loop) -> None:
        """What to play from the next step on; a helper that is still looking for games of the last takes no harm."""
        self._loop, num_games = loop, loop.num_games  # whose memory is read
        self.kernel, self.table, self.num_games = loop.address, loop.table, num_games
        self.chunk = min(max(num_games // (self.num_members * PARTS), 1), CHUNK)
        self._loops = (self._loops + 1) % (1 << 31)
        base, first = self._loops << 32, 0
        for k, member in enumerate(self._owned, 1):
            last = num_games * k // self.num_members
            member.first, member.end = base + first, base + last
            first = last


def _taken_lock(owner: object) -> int:
    """A lock of Python's that somebody holds, freed with its owner."""
    lock = _python.PyThread_allocate_lock()
    _python.PyThread_acquire_lock(lock, 0)
    weakref.finalize(owner, _python.PyThread_free_lock, lock).atexit = False  # a helper may still be asleep then
    return lock


class Functions(NamedTuple):
    """The compiled functions; calling one frees the interpreter lock."""

    play: Callable[[Any, bool, int], int]
    help: Callable[[Any, int], None]
    begin: Callable[[Any], None]
    cede: int  # the address of the system's function that lets other threads run


@once
def functions() -> Functions:
    """Compile `thread_pool_code.CODE`, which takes a few milliseconds."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine(opt=0, jit=True, codemodel="jitdefault")
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(_code()), target)
    engine.finalize_object()

    def function(name: str, *kinds: Any) -> Any:
        found = ctypes.CFUNCTYPE(*kinds)(engine.get_function_address(name))
        found.engine = engine  # type: ignore[attr-defined]  # which holds it in memory
        return found

    return Functions(
        play=function("play", c_int64, c_void_p, c_int64, c_int64),
        help=function("help", None, c_void_p, c_int64),
        begin=function("begin", None, c_void_p),
        cede=llvm.address_of_symbol("sched_yield") or llvm.address_of_symbol("SwitchToThread"),  # POSIX, Windows
    )


PAUSES = {  # by processor: tells it that a loop only waits
    "x86_64": "llvm.x86.sse2.pause()",
    "amd64": "llvm.x86.sse2.pause()",
    "aarch64": "llvm.aarch64.isb(i32 15)",
    "arm64": "llvm.aarch64.isb(i32 15)",
}


def _code() -> str:
    """`thread_pool_code.CODE` as LLVM reads it: its two shorthands written out, with the structures' offsets."""
    pause = PAUSES.get(platform.machine().lower(), "llvm.donothing()")
    code = CODE.replace("PAUSE()", f"call void @{pause}").replace("sizeof(Member)", str(ctypes.sizeof(Member)))
    code = re.sub(r"(%\w+) = read (\w+) (.*)", r"\1_at = at \3\n  \1 = load \2, ptr \1_at", code)
    code = re.sub(r"at (\w+)\.(\w+) of (%\w+)", _address, code)
    return f"{code}\ndeclare void @{pause.replace('15', '')}\n"


def _address(match: re.Match[str]) -> str:
    """Instead of `at Plan.left of %plan`."""
    structure = {"Plan": Plan, "Member": Member}[match[1]]
    return f"getelementptr i8, ptr {match[3]}, i64 {getattr(structure, match[2]).offset}"
