"""Threads that learn side by side."""

import threading

import pytest
import torch

from ludus.agents.runtime.threads import WorkerThreads, undivided


@pytest.fixture
def workers():
    team = WorkerThreads(3)
    yield team
    team.close()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_results_come_in_order(workers, count):
    assert workers.run([lambda k=k: k * k for k in range(count)]) == [k * k for k in range(count)]


def test_jobs_run_at_the_same_time(workers):
    together = threading.Barrier(3, timeout=20)  # breaks unless three threads arrive
    assert sorted(workers.run([together.wait] * 3)) == [0, 1, 2]


def test_an_error_reaches_the_caller_and_the_threads_go_on(workers):
    with pytest.raises(ZeroDivisionError):
        workers.run([lambda: 1, lambda: 1 / 0, lambda: 2])
    assert workers.run([lambda: 1, lambda: 2]) == [1, 2]


def test_operations_are_undivided(workers):
    before = torch.get_num_threads()
    with undivided():
        assert workers.run([torch.get_num_threads] * 3) == [1, 1, 1]
    assert torch.get_num_threads() == before


def test_closing_ends_the_threads():
    team = WorkerThreads(4)
    assert team._pool is None  # until there is work for them
    together = threading.Barrier(4, timeout=20)  # each job in a thread of its own
    team.run([together.wait] * 4)
    threads = [*team._pool._threads]
    assert len(threads) == 3 and all(thread.is_alive() for thread in threads)
    team.close()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert team.run([lambda: 5]) == [5]
