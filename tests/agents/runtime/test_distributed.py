"""Two processes that learn one policy, over gloo."""

import json
import os
import socket
import subprocess
import sys

import pytest

pytestmark = pytest.mark.timeout(900)  # processes that wait for each other are slow on a busy machine

SCRIPT = """
import json, pathlib, sys
import torch
import ludus
from ludus.agents.runtime.distributed import join_group, leave_group
from ludus.agents.nn.normalize import RunningMoments
from ludus.agents.ppo.ppo import PPO

group = join_group("cpu")
env = ludus.make_sb3("Catch", 32, seed=100 * group.rank)
agent = PPO("mlp", env, n_steps=16, batch_size=256, learning_rate=3e-3, seed=group.rank, num_threads=1,
            target_kl=0.05, time_limit=200.0, normalize_reward=True, group=group)
agent.learn(40_000)
moments = RunningMoments((2,))
data = torch.arange(40.0).reshape(20, 2) ** 1.5
moments.update(data[:5] if group.rank == 0 else data[5:], group)
result = {
    "rank": group.rank, "steps": agent.num_timesteps,
    "weights": [p.double().sum().item() for p in agent.policy.parameters()],
    "obs": int(agent.simulator.records["ball_col"].sum()), "scale": float(agent.reward_normalizer.moments.variance),
    "return": sum(e["r"] for e in agent.ep_info_buffer) / len(agent.ep_info_buffer),
    "any": [group.any(group.rank == 1), group.any(False)], "gathered": group.gather(group.rank),
    "moments": [moments.mean.tolist(), moments.variance.tolist()],
    "truth": [data.double().mean(0).tolist(), data.double().var(0, correction=0).tolist()],
}
leave_group()
threads = pathlib.Path("/proc/self/task")  # on Linux
result["threads"] = [(thread / "comm").read_text().strip() for thread in threads.iterdir()] if threads.exists() else []
print(json.dumps(result))
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What each of two processes printed."""
    path = tmp_path_factory.mktemp("group") / "learn.py"
    path.write_text(SCRIPT)
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", str(path)],
            env={**os.environ, **common, "RANK": str(rank)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=600) for process in processes]
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors
    return [json.loads(out) for out, _ in outputs]


def test_weights_stay_the_same_and_games_differ(told):
    assert told[0]["weights"] == told[1]["weights"]
    assert told[0]["scale"] == told[1]["scale"]
    assert told[0]["obs"] != told[1]["obs"]


def test_they_learn_and_count_together(told):
    assert told[0]["steps"] == told[1]["steps"] and told[0]["steps"] % (2 * 32 * 16) == 0
    assert min(one["return"] for one in told) > 0.1  # at random: below 0


def test_what_they_tell_each_other(told):
    assert [one["any"] for one in told] == [[True, False]] * 2
    assert [one["gathered"] for one in told] == [[0, 1], None]
    for one in told:
        for mine, truth in zip(one["moments"], one["truth"], strict=True):
            assert mine == pytest.approx(truth)


def test_its_threads_end_with_the_group(told):
    """One that is still there when Python ends may abort the process."""
    assert not [name for one in told for name in one["threads"] if "gloo" in name]


def test_torchrun_trains_one_agent(tmp_path):
    out = tmp_path / "run"
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port()),
        "-m", "ludus", "train", "Catch", "--num-envs", "32", "--batch-size", "256", "--total-timesteps", "4000",
        "--device", "cpu", "--out", str(out),
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    assert "64 games at once" in result.stdout and result.stdout.count("done:") == 1
    assert json.loads((out / "agent.json").read_text())["timesteps"] == 4096
    assert len(list(out.glob("weights-*"))) == 1
