"""What is replayed from a graph learns as what runs operation by operation: weights and logged figures to the last bit."""

import math

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import KVWriter, Logger
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

import ludus
from ludus.agents.nn.muon import Muon
from ludus.agents.q_learning import dqn as dqn_module
from ludus.envs.adapters.sb3 import vec_env

pytest.importorskip("numba_cuda", reason="needs numba-cuda[cu13]: pip install 'ludus[gpu]'")
from tests.agents.runtime.emulator import Graph, Waits, pretended_gpu

ITERATIONS = 6  # three to warm up, one that is captured and replayed, two replayed


class Figures(KVWriter):
    """All that is logged, but for times."""

    def __init__(self):
        self.rows = []

    def write(self, key_values, key_excluded, step=0):
        self.rows.append({name: value for name, value in key_values.items() if not name.startswith("time/")})

    def close(self):
        pass


def games_of(game, n, env):
    """Of Ludus, or of Gymnasium, which are played step by step whatever the device is."""
    if game.endswith("-v1"):
        return make_vec_env(game, n, seed=0)
    return vec_env(game, n, seed=0, **(env or {}))


def ppo(policy="mlp", game="Breakout", n=8, env=None, **settings):
    def make():
        given = {"n_steps": 4, "batch_size": 16, "n_epochs": 2, "seed": 0, **settings}
        return ludus.PPO(policy, games_of(game, n, env), **given), 4

    return make


def pqn(policy="mlp", game="Breakout", n=8, env=None, **settings):
    def make():
        given = {"n_steps": 4, "batch_size": 16, "n_epochs": 2, "seed": 0, **settings}
        return ludus.PQN(policy, games_of(game, n, env), **given), 4

    return make


def dqn(policy="mlp", game="Breakout", n=8, env=None, **settings):
    def make():
        given = {"train_freq": 2, "batch_size": 16, "buffer_size": 160, "learning_starts": 48, "target_update_interval": 64,
                 "replay_ratio": 2.0, "n_steps": 3, "double": True, "seed": 0}  # fmt: skip
        return ludus.DQN(policy, games_of(game, n, env), **{**given, **settings}), 4

    return make


CUT = {"max_episode_steps": 5}
VARIANTS = {
    "ppo": ppo(),
    "ppo cnn": ppo("cnn"),
    "ppo cut off": ppo(env=CUT),
    "ppo clip_range_vf": ppo(clip_range_vf=0.2),
    "ppo normalize_reward": ppo(normalize_reward=True, env=CUT),
    "ppo raw advantages": ppo(normalize_advantage=False),
    "ppo lstm": ppo(policy_kwargs={"memory": "lstm"}, env=CUT),
    "ppo mingru": ppo(policy_kwargs={"memory": "mingru"}, env=CUT),
    "ppo schedules": ppo(learning_rate=lambda left: 1e-3 * left, clip_range=lambda left: 0.2 * left),
    "ppo turns": ppo(game="ConnectFour"),
    "ppo together": ppo(game="Tron", n=4),
    "ppo together, cut off": ppo(game="PongDuel", n=4, env=CUT),
    "ppo masks": ppo(game="Game2048"),
    "ppo normalize_obs": ppo(game="CartPole", policy_kwargs={"normalize_obs": True}),
    "ppo MlpPolicy": ppo("MlpPolicy"),
    "ppo target_kl": ppo(target_kl=0.01),
    "ppo a small last minibatch": ppo(batch_size=12),
    "ppo three passes": ppo(n_epochs=3),
    "ppo bf16": ppo("cnn", precision="bf16"),
    "ppo muon": ppo(policy_kwargs={"optimizer_class": Muon}),
    "ppo Gymnasium": ppo(game="CartPole-v1", policy_kwargs={"memory": "mingru"}),
    "dqn": dqn(),
    "dqn cnn": dqn("cnn"),
    "dqn cut off": dqn(env=CUT),
    "dqn frame_stack": dqn(env={"frame_stack": 3, **CUT}),
    "dqn prioritized": dqn(prioritized=True),
    "dqn noisy": dqn(noisy=True),
    "dqn c51": dqn(distribution="c51"),
    "dqn qr": dqn(distribution="qr"),
    "dqn iqn": dqn(distribution="iqn"),
    "dqn munchausen": dqn(munchausen=True),
    "dqn dueling": dqn(dueling=True),
    "dqn single": dqn(double=False, huber=False),
    "dqn turns": dqn(game="ConnectFour"),
    "dqn together": dqn(game="Tron", n=4),
    "dqn layer_norm": dqn(layer_norm=True),
    "dqn spread": dqn(exploration_spread=7.0),
    "dqn rainbow": dqn(prioritized=True, noisy=True, distribution="c51", dueling=True, env=CUT),
    "pqn": pqn(),
    "pqn cnn": pqn("cnn"),
    "pqn cut off": pqn(env=CUT),
    "pqn dueling": pqn(dueling=True),
    "pqn turns": pqn(game="ConnectFour"),
    "pqn together": pqn(game="Tron", n=4),
    "pqn Gymnasium": pqn(game="CartPole-v1"),
}


def trained(make, monkeypatch, replayed, callback=None):
    """The agent, its figures, and how many graphs were captured."""
    with pretended_gpu(monkeypatch, replayed):
        Graph.captures = 0
        torch.manual_seed(0)
        agent, steps = make()
        figures = Figures()
        agent.set_logger(Logger(None, [figures]))
        agent.learn(ITERATIONS * steps * agent.n_envs, callback=callback, log_interval=1)
    return agent, figures.rows, Graph.captures


def assert_same(make, monkeypatch, callback=None):
    """Eager and replayed; returns how many graphs there were."""
    monkeypatch.setattr(dqn_module, "LOG_INTERVAL", 0.0)
    (eager, rows, none), (replayed, others, captures) = (
        trained(make, monkeypatch, replayed, callback and callback()) for replayed in (False, True)
    )
    assert none == 0
    for (name, one), two in zip(eager.policy.named_parameters(), replayed.policy.parameters(), strict=True):
        assert torch.equal(one, two), f"{name}: {float((one - two).abs().max())} apart"
    assert len(rows) == len(others) > 2
    for one, two in zip(rows, others, strict=True):
        assert one.keys() == two.keys()
        apart = {name: (one[name], two[name]) for name in one if not (one[name] == two[name] or one[name] != one[name])}
        assert apart == {}
    return captures


@pytest.mark.filterwarnings("ignore:You have specified a mini-batch size")
@pytest.mark.parametrize("name", VARIANTS)
def test_replayed_as_eager(name, monkeypatch):
    captures = assert_same(VARIANTS[name], monkeypatch)
    if "Gymnasium" in name:  # whose games are not PyTorch's operations, so that what learns alone is captured
        assert captures == 2
    else:
        assert captures == (2 if name.startswith("dqn") or "target_kl" in name else 3)


@pytest.mark.parametrize("name", ["ppo lstm", "ppo muon", "dqn rainbow", "pqn"])
def test_saved_and_gone_on_with(name, monkeypatch, tmp_path):
    """Between what was captured before and what is captured anew, nothing is lost."""
    with pretended_gpu(monkeypatch, replayed=True):
        agent, steps = VARIANTS[name]()
        agent.learn(6 * steps * agent.n_envs)
        agent.save(tmp_path)
        agent.learn(5 * steps * agent.n_envs, reset_num_timesteps=False)
        again = type(agent).load(tmp_path, resume=True)
        again.learn(5 * steps * agent.n_envs, reset_num_timesteps=False)
    assert all(torch.equal(a, b) for a, b in zip(agent.policy.parameters(), again.policy.parameters(), strict=True))


class Late(BaseCallback):
    """Does something to the agent when everything was captured."""

    def __init__(self, act):
        super().__init__()
        self.act, self.rollouts = act, 0

    def _on_rollout_start(self):
        self.rollouts += 1
        if self.rollouts == (9 if self.model.algorithm == "dqn" else 5):
            self.act(self.model)

    def _on_step(self):
        return True


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (ppo(normalize_reward=True, env=CUT), {"gamma": 0.5}),
        (ppo(), {"gae_lambda": 0.3}),
        (ppo(), {"ent_coef": 0.5}),
        (ppo(), {"vf_coef": 3.0}),
        (ppo(), {"max_grad_norm": 0.01}),
        (ppo(), {"n_epochs": 3}),
        (ppo(), {"batch_size": 32}),
        (ppo(), {"normalize_advantage": False}),
        (ppo(), {"clip_range_vf": lambda _: 0.1}),
        (dqn(), {"munchausen": True}),
        (dqn(), {"max_grad_norm": 0.01}),
        (dqn(munchausen=True), {"munchausen_alpha": 0.1}),
        (dqn(prioritized=True), {"priority_exponent": 0.1}),
        (pqn(), {"gamma": 0.5}),
        (pqn(), {"q_lambda": 0.1}),
        (pqn(), {"max_grad_norm": 0.01}),
    ],
    ids=lambda given: "" if callable(given) else str(next(iter(given))),
)
def test_settings_that_change_count_at_once(make, settings, monkeypatch):
    def changes():
        return Late(lambda agent: vars(agent).update(settings))

    unchanged, _, _ = trained(make, monkeypatch, replayed=False)
    changed, _, _ = trained(make, monkeypatch, replayed=False, callback=changes())
    pairs = zip(unchanged.policy.parameters(), changed.policy.parameters(), strict=True)
    assert any(not torch.equal(one, two) for one, two in pairs), "the change has no effect"
    assert assert_same(make, monkeypatch, changes) > 3


def another_optimizer(agent):
    agent.policy.optimizer = torch.optim.Adam(agent.policy.parameters(), lr=0.1, betas=(0.5, 0.6))


def an_option(agent):
    agent.policy.optimizer.param_groups[0]["weight_decay"] = 0.9


def frozen(agent):
    next(agent.policy.parameters()).requires_grad_(False)


@pytest.mark.parametrize("make", [ppo(), dqn(), pqn()], ids=["ppo", "dqn", "pqn"])
@pytest.mark.parametrize("change", [another_optimizer, an_option, frozen])
def test_an_optimizer_that_changes_counts_at_once(make, change, monkeypatch):
    unchanged, _, graphs = trained(make, monkeypatch, replayed=True)
    changed, _, more = trained(make, monkeypatch, replayed=True, callback=Late(change))
    pairs = zip(unchanged.policy.parameters(), changed.policy.parameters(), strict=True)
    assert any(not torch.equal(one, two) for one, two in pairs), "the change has no effect"
    assert more > graphs, "nothing was captured anew"
    assert_same(make, monkeypatch, lambda: Late(change))


@pytest.mark.parametrize("make", [ppo(), dqn(noisy=True), pqn()], ids=["ppo", "dqn", "pqn"])
def test_seeding_anew(make, monkeypatch):
    def seeded():
        agent, steps = make()
        agent.set_random_seed(7)
        return agent, steps

    assert assert_same(seeded, monkeypatch) > 1
    assert assert_same(make, monkeypatch, lambda: Late(lambda agent: agent.set_random_seed(7))) > 1


@pytest.mark.parametrize("make", [ppo(), dqn(), pqn()], ids=["ppo", "dqn", "pqn"])
def test_observations_are_fetched_once_where_nobody_asks(make, monkeypatch):
    fetched, fetch = [], ludus.PPO.present_obs

    def counted(self):
        fetched.append(self.num_timesteps)
        return fetch(self)

    for kind in (ludus.PPO, ludus.DQN, ludus.PQN):
        monkeypatch.setattr(kind, "present_obs", counted, raising=False)
    agent, _, _ = trained(make, monkeypatch, replayed=True)
    assert fetched == [agent.num_timesteps]
    assert np.array_equal(agent._last_obs, agent.simulator.obs.numpy())


class Peeping(BaseFeaturesExtractor):
    """Of a user who looks at a number."""

    def __init__(self, space):
        super().__init__(space, 8)
        self.layer = nn.Linear(math.prod(space.shape), 8)

    def forward(self, obs):
        features = self.layer(obs.flatten(1))
        return features if features.sum() > 1e9 else features.relu()


def test_a_policy_that_waits_learns_without_graphs(monkeypatch):
    make = ppo("MlpPolicy", policy_kwargs={"features_extractor_class": Peeping})
    with pytest.warns(UserWarning, match=r"test_cuda_graph.py:\d+ waits for the GPU.*operation by operation") as told:
        captures = assert_same(make, monkeypatch)
    assert captures == 1 and len(told) == 2  # looking back needs no policy; playing and learning do


def test_the_emulator_sees_what_a_graph_cannot_do():
    x, known, other = torch.arange(4.0), torch.Generator(), torch.Generator()
    graph = Graph(torch.device("cpu"), [known])
    for function in (x.max().item, lambda: x[x > 1], x.nonzero, lambda: x.clone().uniform_(generator=other)):
        with pytest.raises(Waits):
            graph.capture(function)
    total = torch.zeros(4)
    graph.capture(lambda: total.add_(x.clone().uniform_(generator=known)))
    assert not total.any()  # a capture computes nothing
    graph.replay()
    assert total.any()
