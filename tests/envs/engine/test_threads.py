"""Threads that use Ludus for the first time at once, or one simulator together."""

import gc
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from ludus.envs import Simulator
from ludus.envs.engine import compile_cpu
from ludus.envs.engine.threads import Turns, making, once


def at_once(count, work):
    """Run `work(k)` in threads that begin together; returns what they returned."""
    barrier, results = threading.Barrier(count), [None] * count

    def run(k):
        barrier.wait()
        results[k] = work(k)

    threads = [threading.Thread(target=run, args=(k,), daemon=True) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    return results


def test_once_makes_a_thing_once():
    calls = []

    @once
    def make(name):
        time.sleep(0.05)
        calls.append(name)
        return object()

    made = at_once(8, lambda k: make("even" if k % 2 == 0 else "odd"))
    assert sorted(calls) == ["even", "odd"]
    assert len(set(map(id, made[::2]))) == 1 and made[0] is not made[1]


def test_makers_may_need_each_other():
    @once
    def inner():
        time.sleep(0.02)
        return 1

    @once
    def outer():
        return inner() + 1

    assert at_once(4, lambda k: outer() if k % 2 else inner()) == [1, 2, 1, 2]


def test_what_failed_is_tried_again():
    tries = []

    @once
    def make():
        tries.append(0)
        if len(tries) == 1:
            raise OSError("the disk was away")
        return len(tries)

    with pytest.raises(OSError, match="away"):
        make()
    assert make() == make() == 2


FIRST_USE = """
import threading
import ludus
from ludus.envs import Bot, Simulator

def use():
    barrier.wait()
    games = ludus.make_vec("Catch", 64, num_threads=3, seed=0)
    games.reset()
    results.append([games.step(games.action_space.sample() * 0)[0].tobytes() for _ in range(20)])
    games.simulator.frame(0, 64)

barrier, results = threading.Barrier(4), []
threads = [threading.Thread(target=use) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(results) == 4 and all(result == results[0] for result in results)
"""


@pytest.mark.parametrize("cache", ["empty", "filled"])
def test_the_first_use_may_be_by_many_threads(cache, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "shared-cache"
    assert folder.exists() == (cache == "filled")
    run_alone(FIRST_USE, LUDUS_CACHE_DIR=str(folder))


def run_alone(code, **environment):
    """In a process of its own, since it may crash."""
    command = [sys.executable, "-X", "faulthandler", "-c", code]
    result = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=250)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def test_a_kernel_holds_on_to_its_memory(monkeypatch, tmp_path):
    monkeypatch.setenv("LUDUS_CACHE_DIR", str(tmp_path))
    sim = Simulator("Catch", 2, seed=0)
    monkeypatch.setattr(compile_cpu, "_engines", {})
    again = Simulator("Catch", 2, seed=0)
    compile_cpu._engines.clear()
    gc.collect()
    assert sim._backend._function.engine is not again._backend._function.engine
    for one in (sim, again):
        one.reset()
        one.step(np.zeros(2, np.int64))
    assert sim.obs.tobytes() == again.obs.tobytes()


def test_a_table_holds_on_to_its_arrays():
    table = compile_cpu.Table([np.arange(3)], [compile_cpu.Buffer(np.dtype(np.int64))])
    gc.collect()
    assert table.arrays[0].tolist() == [0, 1, 2] and table.words.tolist() == [table.arrays[0].ctypes.data, 3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_fork_waits_until_nothing_is_being_made():
    held = threading.Event()

    def make():
        with making:
            held.set()
            time.sleep(0.2)

    maker = threading.Thread(target=make)
    maker.start()
    held.wait()
    child = os.fork()
    if not child:  # whoever made something in the parent is not here
        os._exit(0 if making.acquire(blocking=False) else 1)
    assert os.waitpid(child, 0)[1] == 0
    maker.join()


STEP_TOGETHER = """
import threading
import numpy as np
from ludus.envs import ActionError, Bot, Simulator

def play(sim, bot, seed):
    for _ in range(200):
        try:
            sim.step(bot.act().copy())
        except ActionError:  # another thread moved in between
            sim.frame(seed, 64), sim.view(0, seed), sim.state_dict()

for game, threads in (("Go", 1), ("Go", 3), ("Catch", 1)):
    sim = Simulator(game, 64, seed=0, num_threads=threads)
    sim.reset()
    players = [threading.Thread(target=play, args=(sim, Bot(sim, "random", k), k)) for k in range(4)]
    [player.start() for player in players]
    [player.join() for player in players]
"""


def test_threads_may_step_one_simulator():
    run_alone(STEP_TOGETHER)


@pytest.mark.parametrize("num_threads", [1, 2])
def test_steps_of_threads_follow_one_another(num_threads):
    sim = Simulator("Catch", 300, seed=0, num_threads=num_threads)  # every episode is of nine steps
    sim.reset()
    actions = [np.full(300, k) for k in range(3)]
    ended = at_once(3, lambda k: sum(sim.step(actions[k].copy()) for _ in range(300)))
    assert sum(ended) == 300 * (900 // 9)
    sim.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_fork_in_the_middle_of_a_step_leaves_the_turn_free():
    sim = Simulator("Catch", 4, seed=0, num_threads=1)
    sim.reset()
    with sim._turns:
        child = os.fork()
        if not child:
            sim.step(np.zeros(4, np.int64))
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


def test_a_turn_that_is_never_given_back_is_taken(monkeypatch):
    """As after an interrupt in the wrong place."""
    monkeypatch.setattr(Turns, "PATIENCE", 0.05)
    sim = Simulator("Catch", 4, seed=0, num_threads=1)
    sim.reset()
    sim._turns.free.pop()
    sim.step(np.zeros(4, np.int64))
    assert sim._turns.free == [None]


def test_an_interrupt_while_waiting_leaves_the_turn_to_who_has_it(monkeypatch):
    sim = Simulator("Catch", 4, seed=0, num_threads=1)
    sim.reset()

    def interrupted(turns):
        raise KeyboardInterrupt

    monkeypatch.setattr(Turns, "wait", interrupted)
    with sim._turns:
        with pytest.raises(KeyboardInterrupt):
            sim.step(np.zeros(4, np.int64))
        assert sim._turns.free == []
    assert sim._turns.free == [None]
