"""DQN: that it learns, and that its parts agree with each other."""

import itertools

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.env_util import make_vec_env

import ludus
from ludus.agents.q_learning.collect import Collector, CompiledCollector
from ludus.agents.q_learning.dqn import DQN
from ludus.agents.q_learning.network import TorchQ
from ludus.agents.q_learning.targets import TargetSettings
from ludus.agents.training.evaluation import evaluate
from ludus.envs.adapters.sb3 import vec_env
from tests.agents.q_learning.catch import QUICK, SWITCHES, catch_agent, weights_of

# -- learning ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("switch", [{}, *SWITCHES.values()], ids=["plain", *SWITCHES])
def test_every_switch_learns_catch(switch):
    """Returns are 1 for a caught ball and -1 for a missed one; who plays at random catches one in three or fewer."""
    agent = catch_agent(**switch)
    means = [evaluate(agent, 100).mean]
    while means[-1] < 0.6 and agent.num_timesteps < 120_000:
        agent.learn(6_000, reset_num_timesteps=False)
        means.append(evaluate(agent, 100).mean)
    assert means[0] < 0.2 and means[-1] >= 0.6


def test_gymnasium_environments_take_the_same_path():
    agent = DQN("mlp", make_vec_env("ludus/Catch-v1", 8, seed=0), seed=0, **QUICK)
    agent.learn(15_000)
    assert agent.simulator is None and evaluate(agent, 50).mean > 0.3


class Signs(gymnasium.Env):
    """A dictionary of observations; the right action is the sign, of one step each."""

    observation_space = spaces.Dict({"sign": spaces.Box(-1, 1, (1,)), "noise": spaces.Box(-1, 1, (2,))})
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.right = int(self.np_random.integers(2))
        return self._obs(), {}

    def step(self, action):
        reward = float(int(action) == self.right)
        return self._obs(), reward, True, False, {}

    def _obs(self):
        noise = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        return {"sign": np.array([2.0 * self.right - 1], np.float32), "noise": noise}


def test_learns_from_dictionaries():
    agent = DQN("MultiInputPolicy", make_vec_env(Signs, 4, seed=0), seed=0, **QUICK)
    agent.learn(3_000)
    obs = {"sign": np.array([[-1.0], [1.0]], np.float32), "noise": np.zeros((2, 2), np.float32)}
    assert agent.predict(obs, deterministic=True)[0].tolist() == [0, 1]


def test_two_players_learn_with_one_policy_and_play_by_the_rules():
    env = vec_env("ConnectFour", num_envs=8, seed=0)
    agent = DQN("mlp", env, seed=0, **{**QUICK, "n_steps": 2, "double": True})
    agent.learn(3_000)  # the simulator raises at a move that the rules forbid
    memory = agent.replay
    rows = int(memory.count)
    played = memory.masks[:rows].gather(2, memory.actions[:rows].unsqueeze(-1))
    assert played.all() and (memory.factors[:rows] < 0).any() and agent._n_updates > 100


@pytest.mark.parametrize(
    ("options", "policy"), [({"obs_type": "rgb", "size": 36}, "nature"), ({"frame_stack": 2}, "mlp")]
)
def test_pictures_and_stacks_are_learned_from(options, policy):
    agent = catch_agent(4, policy=policy, options=options, learning_starts=100, buffer_size=1_000)
    before = weights_of(agent)
    agent.learn(400)
    kept = agent.replay.frames.shape[-1 if policy == "mlp" else 2]
    assert kept == agent.simulator.obs_shape[-1] // options.get("frame_stack", 1) if policy == "mlp" else kept == 3
    assert not torch.equal(weights_of(agent), before)


# -- the parts agree ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("distribution", "dueling", "double", "munchausen"),
    [*itertools.product((None, "qr"), (False, True), (False, True), (False, True))],
)
@pytest.mark.parametrize("game", ["Breakout", "ConnectFour"])
def test_chains_of_loops_say_what_pytorch_says(game, distribution, dueling, double, munchausen):
    """Targets, losses, errors and gradients; in a game of turns with forbidden moves, too."""
    atoms = 8 if distribution else None
    agent = DQN(
        "mlp", vec_env(game, num_envs=8, seed=1), seed=1, distribution=distribution, dueling=dueling, double=double,
        munchausen=munchausen, huber=double, n_steps=2, learning_starts=10_000, buffer_size=5_000, train_freq=1, atoms=atoms,
    )  # fmt: skip
    agent.learn(400)
    with torch.no_grad():
        for weight in agent.q_net_target.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    agent.target_network.refresh()
    batch = agent.replay.sample(64, agent.generators[1])
    settings = TargetSettings(double, munchausen, 0.03, 0.9, -1.0)
    network, in_pytorch = agent.network, TorchQ(agent.q_net, "")
    assert network.compiled_loss
    target = network.targets(batch, agent.target_network, settings, None).clone()
    weights = torch.rand(64, generator=torch.Generator().manual_seed(2))
    ours, found = network.gradients(batch.obs, batch.actions, target, weights)

    expected = in_pytorch.targets(batch, TorchQ(agent.q_net_target, ""), settings, None)
    assert torch.allclose(expected, target, atol=1e-4)
    theirs, loss = in_pytorch.gradients(batch.obs, batch.actions, target, weights)
    assert torch.allclose(found.loss, loss.loss, atol=1e-5) and torch.allclose(found.errors, loss.errors, atol=1e-4)
    assert torch.allclose(found.mean_value, loss.mean_value, atol=1e-4)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


PLACES = {
    "games": ("mlp", lambda: ludus.make_sb3("Catch", 8, seed=0)),
    "games cut off": ("mlp", lambda: ludus.make_sb3("Catch", 8, seed=0, max_episode_steps=5)),
    "stacked frames": ("mlp", lambda: ludus.make_sb3("Catch", 8, seed=0, frame_stack=2)),
    "CartPole": ("MlpPolicy", lambda: make_vec_env("CartPole-v1", 8, seed=0)),
    "CartPole cut off": ("MlpPolicy", lambda: make_vec_env("CartPole-v1", 8, seed=0, env_kwargs={"max_episode_steps": 7})),
    "masks": ("mlp", lambda: make_vec_env("ludus/Game2048-v1", 8, seed=0)),
    "a network without loops": ({"activation_fn": torch.nn.ELU}, lambda: make_vec_env("CartPole-v1", 8, seed=0)),
}  # fmt: skip


@pytest.mark.parametrize("place", [*PLACES])
def test_steps_as_loops_are_the_steps_of_pytorch(place, monkeypatch):
    """The same games, actions and memory, whoever plays them."""
    memories, (policy, make_env) = [], PLACES[place]
    kwargs = {} if isinstance(policy, str) else {"policy_kwargs": policy}
    for loops in (True, False):
        if not loops:
            monkeypatch.setattr("ludus.agents.q_learning.base.CompiledCollector", lambda *args: Collector(*args[:-1]))
        policy = policy if isinstance(policy, str) else "MlpPolicy"
        settings = {**QUICK, "learning_starts": 64, "train_freq": 4, "exploration_final_eps": 0.5}
        agent = DQN(policy, make_env(), seed=0, **settings, **kwargs)
        agent.learn(640)
        assert (
            isinstance(agent.collector, CompiledCollector) == loops
            and int(agent.replay.count) > 0
            and agent._n_updates > 0
        )
        memories.append(agent.replay.state())
    for name, tensor in memories[0].items():
        assert torch.equal(tensor, memories[1][name]), name


def test_double_asks_one_network_which_and_the_other_how_much():
    agent = catch_agent(8, double=True)
    agent.learn(200)
    with torch.no_grad():
        for weight in agent.q_net_target.parameters():
            weight.mul_(-1.0)
    agent.target_network.refresh()
    batch = agent.replay.sample(32, agent.generators[1])
    best = agent.q_net(batch.next_obs).argmax(1, keepdim=True)
    expected = batch.returns + batch.discounts * agent.q_net_target(batch.next_obs).gather(1, best).squeeze(1)
    targets = agent.network.targets(batch, agent.target_network, TargetSettings(True, False, 0.03, 0.9, -1.0), None)
    assert torch.allclose(targets.squeeze(1), expected, atol=1e-5)
    assert not torch.equal(agent.q_net_target(batch.next_obs).argmax(1, keepdim=True), best)


@pytest.mark.filterwarnings("ignore:The number of environments used is greater")
@pytest.mark.parametrize(
    ("num_envs", "train_freq", "batch_size"), [(1, 1, 32), (1, 4, 32), (64, 1, 256), (4096, 1, 512)]
)
def test_replay_ratio_holds_for_any_number_of_games(num_envs, train_freq, batch_size):
    agent = catch_agent(
        num_envs, train_freq=train_freq, batch_size=batch_size, replay_ratio=0.5, learning_starts=0,
        buffer_size=8 * num_envs + 1000,
    )  # fmt: skip
    steps = max(4 * num_envs, 2_000)
    agent.learn(steps)
    learned = agent._n_updates * batch_size
    assert learned == pytest.approx(0.5 * agent.num_timesteps, abs=batch_size + 2 * num_envs * train_freq)


def test_target_network_follows_when_it_is_due():
    agent = catch_agent(8, target_update_interval=10**9, learning_starts=0)
    first = [weight.clone() for weight in agent.q_net_target.parameters()]
    agent.learn(400)
    assert all(map(torch.equal, first, agent.q_net_target.parameters()))
    assert not all(map(torch.equal, first, agent.q_net.parameters()))
    agent.target_update_interval = 8
    agent.learn(8, reset_num_timesteps=False)
    assert not all(map(torch.equal, first, agent.q_net_target.parameters()))
