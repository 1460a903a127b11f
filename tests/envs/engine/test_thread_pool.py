"""Threads that share the games of one step: the same results for any number of them, and no trace of them afterwards."""

import gc
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from ludus.envs import ActionError, Game, GameError, NotReset, Simulator, state
from tests.envs.trajectories import assert_same, random_actions, snapshot


def helpers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("ludus-")]


@pytest.mark.parametrize("num_envs", [1, 2, 7, 97, 1001])
def test_any_number_of_threads_gives_the_same(num_envs):
    for num_threads in (2, 3, 5):
        one = Simulator("Breakout", num_envs, seed=3, num_threads=1, max_episode_steps=50)
        many = Simulator("Breakout", num_envs, seed=3, num_threads=num_threads, max_episode_steps=50)
        assert assert_same(one, many, steps=120) > 0
        many.close()


def test_twenty_thousand_steps_lose_no_episode():
    sim = Simulator("Catch", 33, seed=1, num_threads=3, max_episode_steps=7)
    sim.reset()
    actions = random_actions(sim, 20)
    counted = over = 0
    for k in range(20_000):
        counted += sim.step(actions[k % 20])
        over += np.count_nonzero(sim.terminated | sim.truncated)
    assert counted == over > 20_000
    sim.close()


@pytest.mark.parametrize("pause", [0.0, 0.0001, 0.001])
def test_helpers_wake_up_again(pause):
    """After a pause they sleep or are just about to."""
    one, three = (Simulator("Breakout", 300, seed=2, num_threads=n) for n in (1, 3))
    one.reset()
    three.reset()
    for actions in random_actions(one, 200):
        time.sleep(pause)
        assert one.step(actions) == three.step(actions)
    assert snapshot(one) == snapshot(three)
    three.close()


def test_two_simulators_at_once():
    sims = [Simulator("Breakout", 200, seed=seed, num_threads=2) for seed in range(2)]
    alone = [Simulator("Breakout", 200, seed=seed, num_threads=1) for seed in range(2)]

    def play(sim):
        sim.reset()
        for actions in random_actions(sim, 500):
            sim.step(actions)

    threads = [threading.Thread(target=play, args=(sim,)) for sim in sims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for sim, reference in zip(sims, alone, strict=True):
        play(reference)
        assert snapshot(sim) == snapshot(reference)
        sim.close()


def test_a_second_caller_disturbs_nobody():
    """Nobody should step one simulator from two threads, but who does must get it back."""
    sim = Simulator("Breakout", 100, seed=0, num_threads=2)
    sim.reset()
    actions = random_actions(sim, 1)[0]
    callers = [threading.Thread(target=lambda: [sim.step(actions) for _ in range(500)]) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
        assert not caller.is_alive()
    sim.close()


def reset(s, random):
    s.x = 0


def step(s, action, random):
    """Bad luck comes to those who were good for long, as no player is by chance, nor any game that is tried."""
    if action == 1 and s.x > 50:
        raise ValueError("one is bad luck")
    s.x = s.x + 1 if action == 0 else 0
    return 1.0, s.x == 100


def observe(s, planes):
    planes[0, 0, 0] = s.x > 0


def draw(s, canvas):
    pass


UNLUCKY = Game(
    "Unlucky", 1, state(x="i1"), reset, step, observe, draw, shape=(1, 1), planes=("x",), actions=("good", "bad")
)


@pytest.mark.parametrize("num_threads", [1, 2, 5])
@pytest.mark.parametrize("where", [0, 500, 999])
def test_a_rule_that_raises(num_threads, where):
    sim = Simulator(UNLUCKY, 1000, seed=0, num_threads=num_threads)
    sim.reset()
    actions = np.zeros(1000, np.int64)
    for _ in range(60):
        sim.step(actions)
    actions[where] = 1
    with pytest.raises(
        GameError, match=r"^Unlucky: a rule raised an exception; run it with mode='debug' to see where$"
    ):
        sim.step(actions)
    actions[where] = 0
    sim.reset()
    assert sum(sim.step(actions) for _ in range(100)) == 1000
    sim.close()


@pytest.mark.parametrize("where", [0, 500, 999])
def test_an_action_out_of_range_changes_nothing(where):
    sim = Simulator("Breakout", 1000, seed=0, num_threads=3)
    sim.reset()
    actions = np.zeros(1000, np.int64)
    sim.step(actions)
    before = snapshot(sim)
    actions[where] = -1
    with pytest.raises(ActionError, match=f"action -1 of environment {where} is out of range"):
        sim.step(actions)
    assert snapshot(sim) == before
    actions[where] = 0
    sim.step(actions)
    sim.close()


def test_an_episode_that_is_over_changes_nothing():
    sim = Simulator("Catch", 50, seed=0, num_threads=3, autoreset="disabled", max_episode_steps=1)
    sim.reset()
    actions = np.zeros(50, np.int64)
    assert sim.step(actions) == 50
    before = snapshot(sim)
    with pytest.raises(NotReset, match="environment 0"):
        sim.step(actions)
    assert snapshot(sim) == before
    sim.close()


def test_actions_may_be_read_only():
    sim = Simulator("Breakout", 10, seed=0, num_threads=2)
    sim.reset()
    actions = np.zeros(10, np.int64)
    actions.flags.writeable = False
    sim.step(actions)
    sim.close()


def test_close_ends_the_threads_and_the_simulator_plays_on():
    before = len(helpers())
    one, three = (Simulator("Breakout", 100, seed=4, num_threads=n) for n in (1, 3))
    assert len(helpers()) == before + 2
    three.close()
    three.close()
    assert len(helpers()) == before
    assert_same(one, three, steps=20)


@pytest.mark.parametrize("pause", [0.0, 0.01])
def test_garbage_collection_ends_the_threads(pause):
    before = len(helpers())
    sim = Simulator("Breakout", 100, seed=4, num_threads=3)
    sim.reset()
    time.sleep(pause)
    del sim
    gc.collect()
    assert len(helpers()) == before


PLAY = """
import os, sys, threading, multiprocessing
import numpy as np
from ludus.envs import Simulator

sim = Simulator("Breakout", 500, seed=0, num_threads=3)
sim.reset()
actions = np.zeros(500, np.int64)

def play(steps=200):
    for _ in range(steps):
        sim.step(actions)

play()
"""
ENDS = {
    "fork": "child = os.fork(); play(); sim.close(); child or os._exit(0); assert os.waitpid(child, 0)[1] == 0",
    "fork without close": "child = os.fork(); play(); child or sys.exit(0); assert os.waitpid(child, 0)[1] == 0",
    "fork during a step": """
for _ in range(5):
    threading.Thread(target=play, args=(10**9,), daemon=True).start()
    child = os.fork()
    if not child:
        play()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
""",
    "multiprocessing": """
child = multiprocessing.get_context("fork").Process(target=play)
child.start(); play(); child.join(); assert child.exitcode == 0
""",
    "exit": "",
    "exit with an error": "sys.exit(0 if sim.obs.any() else 1)",
    "exit while a thread plays": "threading.Thread(target=play, args=(10**9,), daemon=True).start(); play()",
}


@pytest.mark.parametrize("end", ENDS)
def test_a_process_ends(end):
    if "fork" in ENDS[end] and not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PLAY + ENDS[end]]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
