"""What a callback changes about policy and optimizer while `learn` is running is used, as in Stable-Baselines3."""

import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.torch_layers import FlattenExtractor
from torch import nn

import ludus
from ludus.envs import OptionError
from tests.agents.conformance import agent_of, both

pytestmark = pytest.mark.usefixtures("one_thread")


class Change(BaseCallback):
    """Calls `change(agent)` once, at the end of the rollout with this number or, if asked, at its start."""

    def __init__(self, change, rollout=1, at="end"):
        super().__init__()
        self.change, self.rollout, self.at, self.rollouts = change, rollout, at, 0

    def _on_step(self):
        return True

    def _on_rollout_start(self):
        self.rollouts += 1
        self._change_at("start")

    def _on_rollout_end(self):
        self._change_at("end")

    def _change_at(self, at):
        if self.rollouts == self.rollout and self.at == at:
            self.change(self.model)
            self.weights = {name: x.detach().clone() for name, x in self.model.policy.named_parameters()}


def last_layer(agent):
    q_net = getattr(agent.policy, "q_net", None)
    if q_net is None:
        return agent.policy.action_net
    return [module for module in q_net.modules() if isinstance(module, nn.Linear)][-1]


def made(library, name, **kwargs):
    sizes = {"DQN": {"train_freq": 16, "learning_starts": 16, "target_update_interval": 10_000}}.get(name, {})
    env = None if name != "PQN" else ludus.make_sb3("CartPole", 2, seed=0)
    policy = "MlpPolicy" if name != "PQN" else "mlp"
    return agent_of(library, name, policy, env, **{"learning_rate": 1e-2, **sizes, **kwargs})


def learned(library, name, change, **kwargs):
    """The names of parameters that moved after a change, and the agent and the callback."""
    agent, callback = made(library, name), Change(change, **kwargs)
    agent.learn(160, callback=callback)
    named = agent.policy.named_parameters()
    moved = {n for n, x in named if n in callback.weights and not torch.equal(callback.weights[n], x)}
    return moved, agent, callback


@both
@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD])
def test_another_optimizer_steps_from_then_on(library, name, kind):
    def change(agent):
        agent.policy.optimizer = kind(last_layer(agent).parameters(), lr=1e-2)

    moved, agent, _ = learned(library, name, change)
    known = {id(x): n for n, x in agent.policy.named_parameters()}
    assert moved == {known[id(x)] for x in last_layer(agent).parameters()}
    assert agent.policy.optimizer.param_groups[0]["lr"] == 1e-2


@both
def test_options_of_the_optimizer_are_used_from_then_on(library, name):
    def change(agent):
        agent.policy.optimizer.param_groups[0]["weight_decay"] = 1e5  # which outweighs every gradient

    _, agent, callback = learned(library, name, change)
    named = dict(agent.policy.named_parameters())
    assert total(named.values()) < 0.9 * total(callback.weights.values())


def total(tensors):
    return sum(float(x.detach().abs().sum()) for x in tensors)


@both
def test_a_weight_is_frozen_and_freed(library, name):
    moved, agent, _ = learned(library, name, lambda agent: last_layer(agent).weight.requires_grad_(False))
    known = {id(x): n for n, x in agent.policy.named_parameters()}
    weight, bias = known[id(last_layer(agent).weight)], known[id(last_layer(agent).bias)]
    assert weight not in moved and bias in moved
    callback = Change(lambda agent: last_layer(agent).weight.requires_grad_(True))
    agent.learn(160, callback=callback)
    assert not torch.equal(callback.weights[weight], last_layer(agent).weight)


class Recorder(Change):
    """Stores observations and values of rollouts, too."""

    def _on_rollout_end(self):
        super()._on_rollout_end()
        buffer = self.model.rollout_buffer
        self.seen = buffer.observations.copy(), buffer.values.copy()


class Branches(FlattenExtractor):
    turned = False

    def forward(self, obs):
        return -super().forward(obs) if self.turned else super().forward(obs)


def relu(agent):
    agent.policy.mlp_extractor.value_net[1] = nn.ReLU()


def turn(agent):
    agent.policy.features_extractor.turned = True


def new_critic(agent):
    agent.policy.value_net = nn.Linear(64, 1)
    agent.policy.optimizer = torch.optim.Adam(agent.policy.parameters())


def own_method(agent):
    agent.policy.features_extractor.forward = lambda obs: 2 * obs.float()


@pytest.mark.parametrize("library", [stable_baselines3, ludus])
@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("change", [relu, turn, new_critic, own_method])
def test_another_network_plays_from_then_on(library, change, at):
    """The learning rate is 0, so that what the policy says at the end is what it said in the last rollout."""
    agent = made(library, "PPO", learning_rate=0.0, policy_kwargs={"features_extractor_class": Branches})
    recorder = Recorder(change, rollout=3 if at == "start" else 2, at=at)
    agent.learn(3 * agent.n_steps * agent.n_envs, callback=recorder)
    obs, values = recorder.seen
    expected = agent.policy.predict_values(torch.as_tensor(obs.reshape(-1, 4))).detach().numpy()
    assert recorder.rollouts == 3 and np.allclose(expected.ravel(), values.ravel(), atol=1e-5)


@both
def test_another_activation_is_what_gradients_go_through(library, name):
    """With an activation that lets nothing through, layers before it stand still."""

    class Nothing(nn.Module):
        def forward(self, x):
            return 0.0 * x

    def change(agent):
        for module in list(agent.policy.modules()):
            if isinstance(module, nn.Sequential):
                for k, layer in enumerate(module):
                    if isinstance(layer, (nn.ReLU, nn.Tanh)):
                        module[k] = Nothing()

    agent, callback = made(library, name, max_grad_norm=1e9), Change(change)
    agent.learn(160, callback=callback)
    first = next(n for n, x in agent.policy.named_parameters() if x.dim() > 1)
    gradient = dict(agent.policy.named_parameters())[first].grad
    assert gradient is None or not gradient.any()


def test_a_new_layer_that_no_optimizer_knows_is_refused():
    def change(agent):
        agent.policy.action_net = nn.Linear(64, 2)

    with pytest.raises(OptionError, match="make it anew"):
        learned(ludus, "PPO", change)


def test_nothing_is_made_anew_where_nothing_changed():
    networks = []

    class Look(Change):
        def _on_rollout_end(self):
            networks.append(self.model.network)

    for name in ("PPO", "PQN", "DQN"):
        networks.clear()
        agent = made(ludus, name)
        agent.learn(160, callback=Look(None))
        assert len(networks) > 2 and {id(network) for network in networks} == {id(agent.network)}
        agent.learn(32)
        assert agent._made_of is None


# -- the optimizer's step and its learning rate --


@both
@pytest.mark.parametrize("when", ["before", "during"])
def test_hooks_of_the_optimizer_are_called(library, name, when):
    called = []

    def hook(agent):
        agent.policy.optimizer.register_step_pre_hook(lambda *_: called.append("before"))
        agent.policy.optimizer.register_step_post_hook(lambda *_: called.append("after"))

    agent = made(library, name)
    if when == "before":
        hook(agent)
    agent.learn(160, callback=Change(hook) if when == "during" else None)
    assert called and called == ["before", "after"] * (len(called) // 2)


@both
def test_a_step_of_the_optimizer_instance_is_called(library, name):
    agent, called = made(library, name), []
    step = agent.policy.optimizer.step
    agent.policy.optimizer.step = lambda *args: called.append(1) or step(*args)
    agent.learn(64)
    assert called


def test_hooks_on_accumulated_gradients_are_refused():
    agent = made(ludus, "PPO")
    last_layer(agent).weight.register_post_accumulate_grad_hook(lambda weight: None)
    with pytest.raises(OptionError, match="register_step_pre_hook"):
        agent.learn(64)


@both
def test_a_method_that_sets_the_learning_rate_is_called(library, name):
    class Mine(getattr(library, name)):
        def _update_learning_rate(self, optimizers):
            super()._update_learning_rate(optimizers)
            self.rates.append(optimizers.param_groups[0]["lr"])
            optimizers.param_groups[0]["lr"] = 0.0

    agent = made(library, name)
    agent.__class__, agent.rates = Mine, []
    before = [x.detach().clone() for x in last_layer(agent).parameters()]
    agent.learn(64)
    assert agent.rates and set(agent.rates) == {1e-2}
    assert all(torch.equal(one, other) for one, other in zip(before, last_layer(agent).parameters(), strict=True))
