"""One game, one result: plain Python, compiled for the CPU, and CUDA agree to the last bit."""

import os
import subprocess
import sys

import numpy as np
import pytest

from ludus.envs import Bot, Simulator, all_games, find_game
from tests.envs.trajectories import assert_same, suited

GAMES = list(all_games())
# Plain Python is slow. What is the engine's, these games show; `make check` asks all others, which takes an hour.
ALWAYS = ("Asterix", "Breakout", "Catch", "Freeway", "Seaquest", "SpaceInvaders", "TicTacToe", "Tron")
MOST = [pytest.param(game, marks=[] if game in ALWAYS else pytest.mark.long) for game in GAMES]
PIXELS = {"obs_type": "rgb", "size": 24}
VARIANTS = {
    "sticky, truncated, all actions": {
        "repeat_action_probability": 0.3,
        "max_episode_steps": 37,
        "full_action_space": True,
    },
    "levels": {"levels": range(3, 30, 4)},
    "stack of planes": {"frame_stack": 3, "max_episode_steps": 20},
    "rgb": PIXELS,
    "stack of grayscale": {"obs_type": "grayscale", "size": 20, "frame_stack": 4, "max_episode_steps": 20},
}


@pytest.mark.parametrize("game", MOST)
def test_python_and_compiled_agree_for_thousands_of_steps(game):
    compiled, python = Simulator(game, 4, seed=7), Simulator(game, 4, seed=7, mode="python")
    assert_same(compiled, python, steps=2500 if find_game(game).players == 1 and game in ALWAYS else 300)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("game", MOST)
def test_python_and_compiled_agree_on_every_option(game, variant):
    options = suited(game, VARIANTS[variant])
    compiled, python = Simulator(game, 2, seed=1, **options), Simulator(game, 2, seed=1, mode="python", **options)
    ended = assert_same(compiled, python, steps=60)
    assert ended > 0 or "max_episode_steps" not in options


@pytest.mark.parametrize("game", MOST)
def test_threads_change_nothing(game):
    one, three = Simulator(game, 7, seed=5, num_threads=1), Simulator(game, 7, seed=5, num_threads=3)
    assert_same(one, three, steps=300)
    three.close()


@pytest.mark.parametrize("autoreset", ["next_step", "same_step"])
def test_python_and_compiled_agree_on_autoreset(autoreset):
    compiled, python = (
        Simulator("Catch", 3, seed=2, autoreset=autoreset, mode=mode) for mode in ("compiled", "python")
    )
    assert assert_same(compiled, python, steps=60) > 0


IN_CUDA_SIMULATOR = """
import sys
import threading

from numba.cuda.simulator.kernel import BlockThread
from tests.envs.trajectories import assert_same, suited
from ludus.envs import Simulator


def start(thread):  # here and at once: to hand over to a thread and to wait for it takes milliseconds on busy cores
    threading.current_thread = lambda: thread  # what `cuda.grid` asks
    thread.run()


BlockThread.start = start
game, steps = sys.argv[1], int(sys.argv[2])
options = suited(game, dict(seed=11, repeat_action_probability=0.1, max_episode_steps=400))
assert_same(Simulator(game, 1, device="cuda", **options), Simulator(game, 1, **options), steps)
assert_same(Simulator(game, 5, device="cuda", **options), Simulator(game, 5, **options), 10)
print("same")
"""


@pytest.mark.parametrize("game", MOST)
def test_cuda_simulator_agrees(game):
    """Numba's own CUDA simulator runs the kernels of `compile_cuda`, launched as on a GPU."""
    steps = "5000" if find_game(game).players == 1 and game in ALWAYS else "500"
    pytest.importorskip("numba_cuda", reason="needs numba-cuda[cu13]: pip install 'ludus[gpu]'")
    command = [sys.executable, "-W", "ignore::RuntimeWarning", "-c", IN_CUDA_SIMULATOR, game, steps]
    result = subprocess.run(command, env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True, text=True)
    assert result.stdout == "same\n", result.stderr[-2000:]


def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.mark.gpu
@pytest.mark.parametrize("options", [{}, PIXELS, {"frame_stack": 3}], ids=["planes", "rgb", "stack"])
@pytest.mark.parametrize("game", GAMES)
def test_gpu_agrees_for_ten_thousand_steps(game, options):
    if not has_gpu():
        pytest.skip("no GPU here")
    options = suited(game, {**options, "seed": 3, "repeat_action_probability": 0.1, "max_episode_steps": 500})
    gpu, cpu = Simulator(game, 64, device="cuda", **options), Simulator(game, 64, **options)
    gpu.reset()
    cpu.reset()
    player = Bot(cpu, "random")
    for _ in range(160):  # 160 steps of 64 games
        actions = player.act()
        gpu.step(actions)
        cpu.step(actions)
        assert gpu.records.tobytes() == cpu.records.tobytes()
        for name in ("obs", "reward", "terminated", "truncated"):
            assert np.array_equal(getattr(gpu, name).cpu().numpy(), getattr(cpu, name)), name
    gpu.check()
