"""Threads that run Python jobs on CPU cores.

PyTorch splits each operation over cores and waits for all of them every time, which is slow for the small networks of
games, and collapses when another program wants a core. Here each thread has a part of the games or of a minibatch to
itself and runs its operations undivided, and the threads wait for each other once a rollout or a minibatch. How work is
divided depends on settings alone, never on timing, so that results repeat to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Semaphore, Thread
from typing import Any

import torch

Jobs = Sequence[Callable[[], Any]]


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
    """`count` threads, the caller's among them. They start with the first jobs that need them, and end with `close`."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._workers: list[_Worker] = []

    def run(self, jobs: Jobs) -> list[Any]:
        """Run all jobs, the first in the caller's thread, and return their results in order; raises what a job raised.

        There may be fewer jobs than threads, or more: job k goes to thread k modulo `count`.
        """
        parts = [jobs[k :: self.count] for k in range(self.count)]
        while len(self._workers) < min(self.count, len(jobs)) - 1:
            self._workers.append(_Worker())
        busy = [(worker, part) for worker, part in zip(self._workers, parts[1:], strict=False) if part]
        for worker, part in busy:
            worker.start(part)
        results: list[Any] = [None] * len(jobs)
        results[:: self.count] = _run_all(parts[0])
        for k, (worker, _) in enumerate(busy, start=1):
            results[k :: self.count] = worker.wait()
        for result in results:
            if isinstance(result, _Raised):
                raise result.error
        return results

    def close(self) -> None:
        """End the threads, until jobs need them again."""
        for worker in self._workers:
            worker.stop()
        self._workers = []


class _Raised:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def _run_all(jobs: Jobs) -> list[Any]:
    """The jobs' results. An exception is a result as well, so that no thread waits for ever."""
    results: list[Any] = []
    for job in jobs:
        try:
            results.append(job())
        except BaseException as error:
            results.append(_Raised(error))
    return results


class _Worker:
    """One thread, and semaphores that say when it has work and when the work is done."""

    def __init__(self) -> None:
        self._go, self._done = Semaphore(0), Semaphore(0)
        self._jobs: Jobs | None = None
        self._results: list[Any] = []
        self.thread = Thread(target=self._work, name="ludus-worker", daemon=True)
        self.thread.start()

    def start(self, jobs: Jobs) -> None:
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
            self._results = _run_all(self._jobs)
            self._done.release()
