"""The network of an agent: which implementation is chosen, and that it is said."""

import pytest
import torch
from stable_baselines3.common.logger import Logger

import ludus
from ludus.agents.runtime.threads import WorkerThreads
from ludus.agents.training.network import TorchNetwork
from ludus.envs.adapters.sb3 import vec_env

CASES = {
    "compiled loops": {},
    "PyTorch: recurrent": {"policy_kwargs": {"memory": "mingru"}},
    "PyTorch: bf16": {"precision": "bf16"},
}


def agent_of(game="Catch", **kwargs):
    settings = {"n_steps": 8, "batch_size": 16, "n_epochs": 1, "seed": 0, **kwargs}
    return ludus.PPO("mlp", vec_env(game, 4, seed=0), device="cpu", **settings)


@pytest.mark.parametrize("why", CASES)
def test_the_start_of_training_says_what_computes(why, capsys):
    agent = agent_of(verbose=1, **CASES[why])
    assert agent.network.why == why
    agent.learn(32)
    assert capsys.readouterr().out.count(f"Network: {why}\n") == 1
    agent.verbose = 0
    agent.learn(32)
    assert "Network" not in capsys.readouterr().out


@pytest.mark.parametrize("game", ["Breakout", "ConnectFour"])
def test_both_implementations_agree(game):
    """Outputs, and gradients of a whole rollout; in ConnectFour with action masks."""
    agent = agent_of(game)
    agent.learn(32)
    networks = agent.network, TorchNetwork(agent.policy, agent.loss, WorkerThreads(1))
    assert networks[0].why == "compiled loops"
    agent.set_logger(Logger(None, []))
    agent._begin_update()
    obs, mask = agent.samples["obs"], agent.samples.get("masks")
    found = []
    for network in networks:
        network.refresh()
        with torch.no_grad():
            params, values, state = network.forward(obs, None, mask)
            assert state is None and torch.equal(network.values(obs), values)
            outputs = [params.clone(), values.clone()]
        gradients, parts = network.gradients(agent.samples, torch.arange(32), agent.columns, agent.loss_settings)
        found.append([*outputs, *(gradient.clone() for gradient in gradients), parts])
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5, rtol=1e-4)
