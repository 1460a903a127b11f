"""Threads that run Python jobs on CPU cores.

PyTorch splits each operation over cores and waits for all of them every time, which is slow for the small networks of
games, and collapses when another program wants a core. Here each thread has a part of the games or of a minibatch to
itself and runs its operations undivided, and the threads wait for each other once a rollout or a minibatch. How work is
divided depends on settings alone, never on timing, so that results repeat to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
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
        self._pool: ThreadPoolExecutor | None = None

    def run(self, jobs: Jobs) -> list[Any]:
        """Run all jobs, the first in the caller's thread, and return their results in order; raises what a job raised.

        There may be fewer jobs than threads, or more: jobs whose numbers are equal modulo `count` share a thread.
        """
        results: list[Any] = [None] * len(jobs)
        if self._pool is None:
            one_core = partial(torch.set_num_threads, 1)
            self._pool = ThreadPoolExecutor(max(self.count - 1, 1), "ludus-worker", initializer=one_core)
        others = [self._pool.submit(_run_all, jobs[k :: self.count]) for k in range(1, min(self.count, len(jobs)))]
        try:
            results[:: self.count] = _run_all(jobs[:: self.count])
        finally:
            wait(others)  # after an error, too, no job goes on
        for k, part in enumerate(others, start=1):
            results[k :: self.count] = part.result()
        return results

    def close(self) -> None:
        """End the threads, until jobs need them again."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


def _run_all(jobs: Jobs) -> list[Any]:
    return [job() for job in jobs]
