"""Adam as loops against PyTorch's, and what optimizers are given."""

import copy

import pytest
import torch

from ludus import DQN, PPO, PQN, make_sb3
from ludus.agents.compiled.adam import adam_loops_of
from ludus.agents.compiled.trace import NotCompiled
from ludus.agents.nn.muon import Muon
from ludus.envs.adapters.sb3 import vec_env


def weights_and(optimizer, *args, **kwargs):
    torch.manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(*shape)) for shape in ((3, 70), (5,), (1, 1), (64, 4))]
    return weights, optimizer(weights, *args, **kwargs)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("max_norm", [0.5, 1e9])
def test_steps_like_pytorchs(max_norm, fused):
    ours, optimizer = weights_and(torch.optim.Adam, 3e-3, betas=(0.8, 0.99), eps=1e-5, fused=fused)
    theirs, reference = copy.deepcopy((ours, optimizer))
    for step in range(20):
        gradients = [torch.randn_like(weight) * 10 ** (step % 3 - 1) for weight in ours]
        for group in (*optimizer.param_groups, *reference.param_groups):
            group["lr"] = 3e-3 * (1 - step / 20)
        loops = adam_loops_of(optimizer, ours)  # begun anew from the optimizer's state each time
        norm = loops.norm(gradients)
        loops.step(min(1.0, max_norm / (norm + 1e-6)))
        for weight, gradient in zip(theirs, gradients, strict=True):
            weight.grad = gradient.clone()
        expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
        reference.step()
        assert norm == pytest.approx(float(expected), rel=1e-5)
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, other, atol=1e-6)
        for name, value in reference.state[other].items():
            assert torch.allclose(optimizer.state[mine][name], value, atol=1e-6), name


def test_notices_other_tensors():
    """What a loaded checkpoint brings."""
    weights, optimizer = weights_and(torch.optim.Adam, 1e-2)
    gradients = [torch.ones_like(weight) for weight in weights]
    loops = adam_loops_of(optimizer, weights)
    loops.norm(gradients)
    loops.step(1.0)
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    loops.norm(gradients)
    loops.step(1.0)
    assert {float(optimizer.state[weight]["step"]) for weight in weights} == {2.0}


@pytest.mark.parametrize(
    ("optimizer", "kwargs"),
    [(torch.optim.AdamW, {}), (torch.optim.SGD, {}), (Muon, {}), (torch.optim.Adam, {"amsgrad": True}),
     (torch.optim.Adam, {"weight_decay": 0.1})],
)  # fmt: skip
def test_only_for_adam_alone(optimizer, kwargs):
    weights, made = weights_and(optimizer, 1e-3, **kwargs)
    assert adam_loops_of(made, weights) is None


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        (PPO, {"n_steps": 16, "batch_size": 64, "n_epochs": 2}),
        (DQN, {"learning_starts": 64, "batch_size": 64, "train_freq": 4, "gradient_steps": 2, "buffer_size": 1000}),
        (PQN, {"n_steps": 16, "batch_size": 64, "n_epochs": 2}),
    ],
    ids=["ppo", "dqn", "pqn"],
)
def test_convolutions_learn_by_pytorch_as_by_loops(algorithm, settings, monkeypatch):
    """Gradients of convolutions come channels last from PyTorch, and a fused optimizer takes them as they lie."""

    def learned():
        agent = algorithm(
            "cnn", make_sb3("Breakout", 16, seed=0), seed=0, learning_rate=1e-3, num_threads=1, **settings
        )
        before = [weight.detach().clone() for weight in agent.policy.parameters()]
        agent.learn(256)
        after = [weight.detach() for weight in agent.policy.parameters()]
        return before, after

    def refuse(*_):
        raise NotCompiled("a test")

    before, by_loops = learned()
    for name in ("training.network.compile_actor_critic", "q_learning.network.compile_q_network"):
        monkeypatch.setattr(f"ludus.agents.{name}", refuse)
    _, by_pytorch = learned()
    moved = [float((one - first).abs().mean()) for first, one in zip(before, by_loops, strict=True)]
    apart = [float((one - other).abs().mean()) for one, other in zip(by_loops, by_pytorch, strict=True)]
    assert max(moved) > 1e-3
    assert all(gap < 0.05 * way + 1e-9 for gap, way in zip(apart, moved, strict=True))


def test_convolutions_learn_where_moves_are_forbidden():
    agent = PPO("cnn", vec_env("ConnectFour", 16), n_steps=8, batch_size=64, num_threads=1)
    before = [weight.detach().clone() for weight in agent.policy.parameters()]
    agent.learn(256)
    assert agent.optimizer_step.adam is not None
    assert all(not torch.equal(first, now) for first, now in zip(before, agent.policy.parameters(), strict=True))
