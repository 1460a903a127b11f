"""An actor-critic of a few lines on the base class: a loss in PyTorch and a `train`, as CONTRIBUTING.md tells it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

import ludus
from ludus.agents.compiled.actor_critic import Loss
from ludus.agents.files.config import option
from ludus.agents.training import options
from ludus.agents.training.on_policy import OnPolicyActorCritic
from ludus.agents.training.options import AgentConfig


@dataclass(frozen=True)
class BaselineConfig(AgentConfig):
    """REINFORCE with a baseline (Williams 1992)."""

    n_steps: int = options.n_steps(32, train=32)
    learning_rate: float = options.learning_rate(1e-3, train=5e-3)
    gamma: float = options.gamma()
    baseline_coef: float = option(0.5, "Coefficient of the baseline's loss.", 0, 100)
    max_grad_norm: float = options.max_grad_norm(0.5)
    num_threads: int | None = options.num_threads("each update")
    network: ClassVar[str] = "actor_critic"
    positional: ClassVar[tuple[str, ...]] = ("learning_rate", "n_steps", "gamma")


def loss_of(log_probs, entropies, values, columns, baseline_coef):
    _, advantages, returns, _ = columns.unbind(-1)
    policy_loss, baseline_loss = -(advantages * log_probs).mean(), (values - returns).square().mean()
    loss = policy_loss + baseline_coef * baseline_loss
    return loss, torch.stack([policy_loss, baseline_loss, loss]).detach()


class Baseline(OnPolicyActorCritic, OnPolicyAlgorithm):
    """REINFORCE with a baseline."""

    algorithm, config = "baseline", BaselineConfig
    loss = Loss(("policy_gradient_loss", "baseline_loss", "loss"), loss_of)

    def train(self):
        self._begin_update()
        gradients, parts = self._gradients(self.order, self.columns, self.baseline_coef)
        self.optimizer_step.step(gradients, parts[-1], self.max_grad_norm)
        self._n_updates += 1
        self._end_update()


def trained(updates, **kwargs):
    games = ludus.make_sb3("Catch", 32, seed=0)
    agent = Baseline("mlp", games, learning_rate=5e-3, seed=0, device="cpu", policy_kwargs=kwargs)
    return agent.learn(32 * 32 * updates)


def test_a_loss_and_a_train_are_enough_to_learn():
    agent = trained(120)
    log = agent.logger.name_to_value
    assert agent.network.why == "compiled loops" and agent.gae_lambda == 1.0
    assert log["train/loss"] == pytest.approx(log["train/policy_gradient_loss"] + 0.5 * log["train/baseline_loss"])
    assert agent._n_updates == log["train/n_updates"] == 120
    assert np.mean([episode["r"] for episode in agent.ep_info_buffer]) > 0.5  # by chance about -0.55


def test_policies_may_be_recurrent():
    agent = trained(3, memory="mingru", memory_size=8)
    assert agent.network.why == "PyTorch: recurrent" and agent._n_updates == 3
