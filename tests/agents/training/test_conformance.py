"""Agents learn with what is there when `learn` begins, as Stable-Baselines3's do: environment, layers, optimizer."""

import pytest
import torch
from stable_baselines3.common.env_util import make_vec_env
from torch import nn

import ludus
from ludus.agents.data.replay_buffer import ReplayTensors
from ludus.envs import OptionError
from tests.agents.conformance import OURS, Counted, agent_of, both

pytestmark = pytest.mark.usefixtures("one_thread")

# -- environments --


@both
@pytest.mark.parametrize("reset", [True, False])
def test_training_goes_on_where_set_env_says(library, name, reset):
    first, second = Counted(), Counted()
    agent = agent_of(library, name, env=first).learn(64)
    assert first.steps >= 32 and agent._last_obs is not None
    before = first.steps
    agent.set_env(second, force_reset=reset)
    assert (agent._last_obs is None) == reset and agent.get_env() is second
    if not reset:
        second.reset()
    agent.learn(64, reset_num_timesteps=False)
    assert (first.steps, second.steps, second.resets) == (before, 32, 1)
    assert agent.num_timesteps == 64 + 64


@pytest.mark.parametrize(("library", "name"), OURS)
def test_training_goes_on_in_other_games(library, name):
    first, second = (ludus.make_sb3("Breakout", 4, seed=seed) for seed in (0, 1))
    agent = agent_of(library, name, "mlp", first).learn(64)
    agent.set_env(second)
    clocks = [env.simulator.state_dict()["clocks"].copy() for env in (first, second)]
    agent.learn(64, reset_num_timesteps=False)
    assert (first.simulator.state_dict()["clocks"] == clocks[0]).all()
    assert (second.simulator.state_dict()["clocks"] != clocks[1]).any()
    agent.set_env(make_vec_env("ludus/Breakout-v1", 4))  # games one by one, behind Gymnasium's face
    assert agent.simulator is None
    if name == "DQN":  # they tell which actions are legal, which its memory has no room for
        with pytest.raises(
            OptionError, match="action_masks=True comes too late, the replay buffer was made with False"
        ):
            agent.learn(64, reset_num_timesteps=False)
        agent.replay = None
    agent.learn(64, reset_num_timesteps=False)
    assert agent.num_timesteps == 3 * 64


def test_a_memory_outlives_its_games():
    agent = agent_of(ludus, "DQN", "mlp", ludus.make_sb3("Breakout", 4, seed=0)).learn(64)
    held, rows = agent.replay, int(agent.replay.count)
    agent.set_env(ludus.make_sb3("Breakout", 4, seed=1))
    agent.learn(64, reset_num_timesteps=False)
    assert agent.replay is held and int(held.count) == rows + 16
    over = held.terminated[rows - 1] | held.truncated[rows - 1]
    assert over.all(), "what followed in other games would have been learned as what a step led to"


# -- what learns --


def encoder_of(agent):
    policy = agent.policy
    return policy.mlp_extractor if hasattr(policy, "mlp_extractor") else policy.q_net.q_net[0]


@both
def test_frozen_layers_do_not_move(library, name):
    """Though they moved before, so that the optimizer has averages and gradients of them."""
    agent = agent_of(library, name).learn(64)
    frozen = encoder_of(agent)
    frozen.requires_grad_(False)
    before = [weight.clone() for weight in agent.policy.parameters()]
    still = {id(weight) for weight in frozen.parameters()} | {id(w) for w in target_of(agent).parameters()}
    agent.learn(64)
    for old, weight in zip(before, agent.policy.parameters(), strict=True):
        assert torch.equal(old, weight) or id(weight) not in still
    assert any(not torch.equal(old, weight) for old, weight in zip(before, agent.policy.parameters(), strict=True))
    frozen.requires_grad_(True)
    agent.learn(64)
    assert all(weight.grad is not None for weight in frozen.parameters())


def target_of(agent):
    return getattr(agent.policy, "q_net_target", nn.Identity())


@pytest.mark.parametrize("policy", ["mlp", "cnn", "MlpPolicy"])
@pytest.mark.parametrize(("library", "name"), OURS)
def test_frozen_layers_do_not_move_where_loops_compute_the_rest(library, name, policy):
    kwargs = {"activation_fn": nn.ReLU} if policy == "MlpPolicy" else {}
    agent = agent_of(library, name, policy, ludus.make_sb3("Breakout", 4, seed=0), policy_kwargs=kwargs).learn(64)
    assert agent.optimizer_step.adam is not None  # loops
    shared = policy == "MlpPolicy" and online_of(agent) is agent.policy
    encoder = agent.policy.mlp_extractor if shared else online_of(agent).features_extractor
    for part in (encoder, getattr(agent.policy, "value_net", encoder)):
        part.requires_grad_(False)
        frozen = [weight.clone() for weight in part.parameters()]
        agent.learn(64)
        assert all(torch.equal(*pair) for pair in zip(frozen, part.parameters(), strict=True))
    agent.policy.requires_grad_(True)
    agent.learn(64)
    assert agent.optimizer_step.adam is not None


def online_of(agent):
    return getattr(agent.policy, "q_net", agent.policy)


@pytest.mark.parametrize(("library", "name"), OURS)
def test_nothing_to_learn_is_an_error(library, name):
    agent = agent_of(library, name)
    agent.policy.requires_grad_(False)
    with pytest.raises(OptionError, match="nothing to learn: all weights are frozen"):
        agent.learn(64)


@both
@pytest.mark.parametrize("games", ["CartPole", "Breakout"])
def test_a_new_optimizer_is_used(library, name, games):
    env = ludus.make_sb3("Breakout", 4, seed=0) if games == "Breakout" else None
    agent = agent_of(library, name, env=env).learn(64)
    old, weights = agent.policy.optimizer, list(online_of(agent).parameters())
    before = len(old.state), float(next(iter(old.state.values()))["step"])
    agent.policy.optimizer = torch.optim.RMSprop(weights)
    agent.learn(64)
    assert set(agent.policy.optimizer.state) == set(weights)
    assert (len(old.state), float(next(iter(old.state.values()))["step"])) == before


@both
@pytest.mark.parametrize("games", ["CartPole", "Breakout"])
def test_a_new_layer_learns(library, name, games):
    env = ludus.make_sb3("Breakout", 4, seed=0) if games == "Breakout" else None
    agent = agent_of(library, name, env=env).learn(64)
    owner, place = (
        (agent.policy, "action_net")
        if online_of(agent) is agent.policy
        else (agent.policy.q_net.q_net, "3" if name == "PQN" else "2")
    )
    old = getattr(owner, place)
    new = nn.Linear(old.in_features, old.out_features)
    setattr(owner, place, new)
    agent.policy.optimizer = torch.optim.Adam(online_of(agent).parameters(), lr=1e-3)
    before = old.weight.clone(), new.weight.clone()
    agent.learn(64)
    assert torch.equal(before[0], old.weight) and not torch.equal(before[1], new.weight)


@pytest.mark.parametrize(("library", "name"), OURS)
def test_an_optimizer_of_other_weights_is_refused(library, name):
    """Stable-Baselines3 goes on, and the new layer learns nothing."""
    agent = agent_of(library, name)
    sequence = agent.policy.mlp_extractor.policy_net if online_of(agent) is agent.policy else agent.policy.q_net.q_net
    sequence[0] = nn.Linear(4, sequence[0].out_features)
    with pytest.raises(OptionError, match=r"policy.optimizer has weights that are not the policy's.*make it anew"):
        agent.learn(64)


# -- settings --


def test_new_settings_of_ppo_are_used():
    agent = agent_of(ludus, "PPO", env=ludus.make_sb3("Breakout", 4, seed=0), clip_range_vf=0.5).learn(64)
    agent.n_steps, agent.batch_size, agent.clip_range, agent.clip_range_vf = 8, 16, 0.05, 0.1
    agent.learning_rate, agent.gamma = 1e-4, 0.0
    agent.learn(64)
    assert agent.logger.name_to_value["train/clip_range"] == pytest.approx(0.05)
    assert agent.logger.name_to_value["train/clip_range_vf"] == pytest.approx(0.1)
    assert agent.logger.name_to_value["train/learning_rate"] == 1e-4
    data = agent.data
    assert data.rewards.shape == (8, 4) and torch.allclose(data.columns[..., 2], data.rewards, atol=1e-5)


def test_new_settings_of_dqn_are_used():
    agent = agent_of(ludus, "DQN", train_freq=4).learn(64)
    agent.gamma, agent.train_freq, agent.exploration_final_eps, agent.exploration_fraction = 0.5, 8, 0.9, 0.1
    agent.learn(64)
    assert agent.steps.rewards.shape == (8, 2) and agent.exploration_rate == pytest.approx(0.9)
    agent.lr_schedule = lambda _: 0.25  # as users of Stable-Baselines3 do it
    batch = agent.replay.at(torch.arange(4))
    assert set(batch.discounts.tolist()) <= {0.0, 0.5}
    agent.learn(8)
    assert agent.policy.optimizer.param_groups[0]["lr"] == 0.25


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_a_memory_keeps_whose_turn_it_was(gamma):
    adapter = agent_of(ludus, "DQN").learn(16).adapter
    memory = ReplayTensors(adapter, 8, choices=2, gamma=0.9)
    memory.factors[0, 0] = -0.9
    memory.continue_with(adapter, gamma)
    memory.continue_with(adapter, 0.25)
    assert memory.factors[0].tolist() == [-0.25, 0.25]


@pytest.mark.parametrize(
    ("name", "setting", "value", "message"),
    [
        ("DQN", "dueling", True, "networks were made with False"),
        ("DQN", "buffer_size", 50, "replay buffer was made with 500"),
        ("DQN", "n_steps", 3, "replay buffer was made with 1"),
        ("PQN", "layer_norm", False, "networks were made with True"),
        ("PPO", "policy_kwargs", {"net_arch": [8]}, "networks were made with {}"),
    ],
)
def test_settings_that_come_too_late_are_refused(name, setting, value, message):
    agent = agent_of(ludus, name).learn(16)
    setattr(agent, setting, value)
    with pytest.raises(OptionError, match=f"^{setting}=.*comes too late, the {message}: make a new agent"):
        agent.learn(16)
