"""Threads that learn side by side on CPU cores.

PyTorch splits each operation over cores and waits for all of them every time, which is slow for the small networks of
games, and collapses when another program wants a core. Here each thread has a share of the games or of a minibatch to
itself, runs its operations undivided, and they wait for each other once a rollout or a minibatch. How work is shared
depends on settings alone, never on timing, so that results repeat to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Semaphore, Thread
from typing import Any

import torch


@contextmanager
def undivided() -> Iterator[None]:
    """Run each of this thread's PyTorch operations on one core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class WorkerThreads:
    """`count` threads, the caller's among them, that wait for work between calls of `run`."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._helpers = [_Helper() for _ in range(count - 1)]

    def run(self, jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        """Do all jobs, the first in the caller's thread, and return their results in order; raises what a job raised.

        There may be fewer jobs than threads, or more: the k-th goes to thread k modulo `count`.
        """
        lots = [jobs[k :: self.count] for k in range(self.count)]
        for helper, lot in zip(self._helpers, lots[1:], strict=True):
            if lot:
                helper.start(lot)
        answers = [
            _attempt(lots[0]),
            *(helper.wait() if lot else [] for helper, lot in zip(self._helpers, lots[1:], strict=True)),
        ]
        results: list[Any] = [None] * len(jobs)
        for k, answer in enumerate(answers):
            results[k :: self.count] = answer
        for result in results:
            if isinstance(result, _Raised):
                raise result.error
        return results

    def close(self) -> None:
        """End the threads."""
        for helper in self._helpers:
            helper.stop()
        self._helpers, self.count = [], 1


class _Raised:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def _attempt(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """The jobs' results; what one raises is a result, too, so that nobody waits for ever."""
    results: list[Any] = []
    for job in jobs:
        try:
            results.append(job())
        except BaseException as error:
            results.append(_Raised(error))
    return results


class _Helper:
    """One thread and its two gates."""

    def __init__(self) -> None:
        self._go, self._done = Semaphore(0), Semaphore(0)
        self._jobs: Sequence[Callable[[], Any]] | None = None
        self._results: list[Any] = []
        self.thread = Thread(target=self._work, name="ludus-worker", daemon=True)
        self.thread.start()

    def start(self, jobs: Sequence[Callable[[], Any]]) -> None:
        self._jobs = jobs
        self._go.release()

    def wait(self) -> list[Any]:
        self._done.acquire()
        results, self._results = self._results, []
        return results

    def stop(self) -> None:
        self._jobs = None
        self._go.release()

    def _work(self) -> None:
        torch.set_num_threads(1)
        while True:
            self._go.acquire()
            if self._jobs is None:
                return
            self._results = _attempt(self._jobs)
            self._done.release()
