"""Agents do what Stable-Baselines3's do with the same lines: both run side by side, and what they did is compared."""

import gymnasium
import numpy as np
import pytest
import stable_baselines3
import torch
from gymnasium import spaces
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import configure
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

import ludus
from ludus.agents.replay import Replay
from ludus.envs import OptionError

SETTINGS = {
    "PPO": {"n_steps": 16, "batch_size": 32, "n_epochs": 1},
    "DQN": {"learning_starts": 8, "buffer_size": 500, "train_freq": 1},
    "PQN": {"n_steps": 16, "batch_size": 32, "n_epochs": 1},
}
BOTH = [(library, name) for name in ("PPO", "DQN") for library in (stable_baselines3, ludus)] + [(ludus, "PQN")]
OURS = [pytest.param(ludus, name, id=name) for name in SETTINGS]
IDS = [f"{library.__name__}-{name}" for library, name in BOTH]
both = pytest.mark.parametrize(("library", "name"), BOTH, ids=IDS)


@pytest.fixture(autouse=True)
def one_thread():
    """Stable-Baselines3's small networks wait for PyTorch's threads most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def agent_of(library, name, policy="MlpPolicy", env=None, **settings):
    env = make_vec_env("CartPole-v1", n_envs=2, seed=0) if env is None else env
    settings = {**SETTINGS[name], **settings}
    if "batch_size" in settings and not hasattr(env, "num_envs"):
        settings["batch_size"] = 16  # a rollout of one game
    return getattr(library, name)(policy, env, seed=0, **settings)


class Counted(DummyVecEnv):
    """Two CartPoles that count their steps."""

    def __init__(self):
        super().__init__([lambda: gymnasium.make("CartPole-v1")] * 2)
        self.steps = self.resets = 0

    def step_async(self, actions):
        self.steps += 1
        super().step_async(actions)

    def reset(self):
        self.resets += 1
        return super().reset()


# -- environments --------------------------------------------------------------------------------------------------------


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
        with pytest.raises(OptionError, match="action_masks=True comes too late, the memory was made with False"):
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


# -- what learns ---------------------------------------------------------------------------------------------------------


def encoder_of(agent):
    policy = agent.policy
    return policy.mlp_extractor if hasattr(policy, "mlp_extractor") else policy.q_net.q_net[0]


@both
def test_frozen_layers_do_not_move(library, name):
    """Though they moved before, so that the optimiser has averages and gradients of them."""
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
    assert agent.learner.descent.adam is not None  # loops
    encoder = agent.policy.mlp_extractor if policy == "MlpPolicy" and name == "PPO" else online_of(agent).features_extractor
    for part in (encoder, agent.policy.value_net if name == "PPO" else encoder):
        part.requires_grad_(False)
        frozen = [weight.clone() for weight in part.parameters()]
        agent.learn(64)
        assert all(torch.equal(*pair) for pair in zip(frozen, part.parameters(), strict=True))
    agent.policy.requires_grad_(True)
    agent.learn(64)
    assert agent.learner.descent.adam is not None


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
    owner, place = (agent.policy, "action_net") if name == "PPO" else (agent.policy.q_net.q_net, "3" if name == "PQN" else "2")
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
    sequence = agent.policy.mlp_extractor.policy_net if name == "PPO" else agent.policy.q_net.q_net
    sequence[0] = nn.Linear(4, sequence[0].out_features)
    with pytest.raises(OptionError, match=r"policy.optimizer has weights that are not the policy's.*make it anew"):
        agent.learn(64)


# -- settings ------------------------------------------------------------------------------------------------------------


def test_new_settings_of_ppo_are_used():
    agent = agent_of(ludus, "PPO", env=ludus.make_sb3("Breakout", 4, seed=0), clip_range_vf=0.5).learn(64)
    agent.n_steps, agent.batch_size, agent.clip_range, agent.clip_range_vf = 8, 16, 0.05, 0.1
    agent.learning_rate, agent.gamma = 1e-4, 0.0
    agent.learn(64)
    assert agent.logger.name_to_value["train/clip_range"] == pytest.approx(0.05)
    assert agent.logger.name_to_value["train/clip_range_vf"] == pytest.approx(0.1)
    assert agent.logger.name_to_value["train/learning_rate"] == 1e-4
    data = agent.player.data
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
    world = agent_of(ludus, "DQN").learn(16).world
    memory = Replay(world, 8, choices=2, gamma=0.9)
    memory.factors[0, 0] = -0.9
    memory.suit(world, gamma)
    memory.suit(world, 0.25)
    assert memory.factors[0].tolist() == [-0.25, 0.25]


@pytest.mark.parametrize(
    ("name", "setting", "value", "message"),
    [
        ("DQN", "dueling", True, "networks were made with False"),
        ("DQN", "buffer_size", 50, "memory was made with 500"),
        ("DQN", "n_steps", 3, "memory was made with 1"),
        ("PQN", "layer_norm", False, "networks were made with True"),
        ("PPO", "policy_kwargs", {"net_arch": [8]}, "networks were made with {}"),
    ],
)
def test_settings_that_come_too_late_are_refused(name, setting, value, message):
    agent = agent_of(ludus, name).learn(16)
    setattr(agent, setting, value)
    with pytest.raises(OptionError, match=f"^{setting}=.*comes too late, the {message}: make a new agent"):
        agent.learn(16)


# -- dropout and batch normalisation -------------------------------------------------------------------------------------


class Modes(BaseFeaturesExtractor):
    """Dropout and batch normalisation; `seen` has the modes in which minibatches and single games were looked at."""

    seen: set = set()  # noqa: RUF012

    def __init__(self, space):
        super().__init__(space, 8)
        self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))

    def forward(self, obs):
        Modes.seen.add(("updates" if torch.is_grad_enabled() else "play", self.training))
        return self.net(obs)


@both
@pytest.mark.parametrize("games", [1, 3])
def test_dropout_is_for_updates_alone(library, name, games):
    env = make_vec_env("CartPole-v1", n_envs=games, seed=0)
    kwargs = {"policy_kwargs": {"features_extractor_class": Modes}}
    agent = agent_of(library, name, env=env, **({} if name == "DQN" else {"n_steps": 32}), **kwargs)
    Modes.seen = set()
    agent.learn(64)
    agent.predict(env.reset())  # must not leave it switched off
    agent.learn(64, reset_num_timesteps=False)
    assert Modes.seen == {("play", False), ("updates", True)}


@pytest.mark.parametrize("library", [stable_baselines3, ludus])
def test_the_target_network_takes_over_what_was_averaged(library):
    kwargs = {"policy_kwargs": {"features_extractor_class": Modes}, "tau": 0.0, "target_update_interval": 16}
    agent = agent_of(library, "DQN", **kwargs)
    online, target = (net.features_extractor.net[1] for net in (agent.policy.q_net, agent.policy.q_net_target))
    weight = target.weight.clone()
    agent.learn(64)
    assert target.running_mean.abs().sum() > 0 and torch.equal(target.weight, weight)
    agent._on_step() if library is stable_baselines3 else agent.learner.follow(0.0)


def test_layers_that_see_a_whole_minibatch_are_not_shared_by_threads():
    settings = {"n_steps": 2048, "batch_size": 4096, "num_threads": 2}
    plain = agent_of(ludus, "PPO", **settings)
    assert plain.learn_threads == 2
    normed = agent_of(ludus, "PPO", policy_kwargs={"features_extractor_class": Modes}, **settings)
    assert normed.learn_threads == 1


def test_noisy_layers_explore_and_dropout_does_not():
    agent = agent_of(ludus, "DQN", noisy=True, policy_kwargs={"features_extractor_class": Modes})
    noisy, modes = agent.policy.q_net.q_net[0], []

    class Look(BaseCallback):
        def _on_step(self):
            modes.append((noisy.training, agent.policy.q_net.features_extractor.training))
            return True

    agent.learn(32, callback=Look())
    assert set(modes) == {(True, False)}
    agent.predict(np.zeros((2, 4), np.float32))
    assert not noisy.training


# -- predictions ---------------------------------------------------------------------------------------------------------


def test_what_was_normalised_in_training_is_normalised_in_predictions():
    """Stable-Baselines3's `get_distribution` and `predict_values` call their base class's `extract_features`."""
    agent = agent_of(ludus, "PPO", policy_kwargs={"normalize_obs": True}).learn(64)
    obs = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    policy = agent.policy
    values, log_probs, _ = policy.evaluate_actions(obs, actions := torch.arange(50) % 2)
    assert torch.allclose(policy.get_distribution(obs).log_prob(actions), log_probs, atol=1e-6)
    assert torch.allclose(policy.predict_values(obs), values, atol=1e-6)
    likely, _ = agent.explain(obs.numpy())
    assert (agent.predict(obs.numpy(), deterministic=True)[0] == likely.argmax(1)).all()


# -- spaces --------------------------------------------------------------------------------------------------------------

PARTS = {"a": spaces.Discrete(3, start=2), "b": spaces.Box(-1, 1, (2, 2)), "c": spaces.Box(0, 255, (36, 36, 1), np.uint8)}
OBSERVATIONS = {
    "Discrete": spaces.Discrete(5),
    "Discrete from 3": spaces.Discrete(5, start=3),
    "MultiDiscrete": spaces.MultiDiscrete([3, 4]),
    "MultiDiscrete from 1 and -2": spaces.MultiDiscrete([3, 4], start=[1, -2]),
    "MultiDiscrete of bytes": spaces.MultiDiscrete([3, 4], dtype=np.uint8),
    "MultiBinary": spaces.MultiBinary(4),
    "Dict": spaces.Dict(PARTS),
}


class Strict(gymnasium.Env):
    """Shows anything, and takes nothing but what its space has."""

    def __init__(self, observation_space, action_space):
        self.observation_space, self.action_space, self.steps = observation_space, action_space, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        assert self.action_space.contains(action), f"{action} is not in {self.action_space}"
        self.steps += 1
        return self.observation_space.sample(), 0.0, self.steps % 7 == 0, self.steps % 5 == 0, {}


@pytest.mark.parametrize("policy", ["mlp", "theirs"])
@pytest.mark.parametrize("space", OBSERVATIONS)
@pytest.mark.parametrize(("library", "name"), OURS)
def test_observations_of_every_kind(library, name, space, policy):
    space = OBSERVATIONS[space]
    policy = {"mlp": "mlp", "theirs": "MultiInputPolicy" if isinstance(space, spaces.Dict) else "MlpPolicy"}[policy]
    env = Strict(space, spaces.Discrete(3, start=-4))
    agent = agent_of(library, name, policy, env).learn(24)
    for deterministic in (True, False):
        action, _ = agent.predict(space.sample(), deterministic=deterministic)
        assert env.action_space.contains(action[()])
        assert env.action_space.contains(agent.policy.predict(space.sample(), deterministic=deterministic)[0][()])


def test_numbers_are_seen_one_hot_as_stable_baselines3_sees_them():
    for space in (spaces.Discrete(5), spaces.MultiDiscrete([3, 4])):
        ours, theirs = (agent_of(lib, "PPO", env=Strict(space, spaces.Discrete(2))) for lib in (ludus, stable_baselines3))
        ours.policy.load_state_dict(theirs.policy.state_dict())
        obs, _ = ours.policy.obs_to_tensor(np.stack([space.sample() for _ in range(9)]))
        assert torch.equal(ours.policy.predict_values(obs), theirs.policy.predict_values(obs))
        shifted = type(space)(space.n, start=7) if isinstance(space, spaces.Discrete) else None
        if shifted:
            moved = agent_of(ludus, "PPO", env=Strict(shifted, spaces.Discrete(2)))
            moved.policy.load_state_dict(theirs.policy.state_dict())
            assert torch.equal(moved.policy.predict_values(obs + 7), theirs.policy.predict_values(obs))


@pytest.mark.parametrize("start", [0, 5])
def test_actions_count_from_where_their_space_does(start):
    env = Strict(spaces.Box(-1, 1, (3,)), spaces.MultiDiscrete([2, 3], start=[start, -1]))
    agent = agent_of(ludus, "PPO", env=env).learn(32)
    assert env.action_space.contains(agent.predict(env.observation_space.sample())[0])


@pytest.mark.parametrize("space", [spaces.Tuple([spaces.Discrete(3)]), spaces.Box(-1, 1, ())])
@pytest.mark.parametrize(("library", "name"), OURS)
def test_observations_that_no_network_takes_are_refused(library, name, space):
    with pytest.raises(OptionError, match="wrap the environment in gymnasium.wrappers.FlattenObservation"):
        agent_of(library, name, "mlp", Strict(space, spaces.Discrete(2)))


def test_actions_that_no_network_takes_are_refused():
    with pytest.raises(OptionError, match="MultiDiscrete spaces of one axis"):
        agent_of(ludus, "PPO", "mlp", Strict(spaces.Discrete(2), spaces.MultiDiscrete([[2, 3], [2, 2]])))
    with pytest.raises(OptionError, match=r"encoder 'cnn' takes images or planes, got observations Discrete\(2\): use 'mlp'"):
        agent_of(ludus, "PPO", "cnn", Strict(spaces.Discrete(2), spaces.Discrete(2)))


# -- callbacks -----------------------------------------------------------------------------------------------------------


class Listen(BaseCallback):
    """Notes the local variables at each step, and what buffers say when a rollout is over."""

    def __init__(self):
        super().__init__()
        self.heard, self.rollouts, self.last_obs = [], [], []

    def _on_step(self):
        self.heard.append(dict(self.locals))
        self.last_obs.append(np.copy(self.model._last_obs))
        return True

    def _on_rollout_end(self):
        buffer = self.locals.get("rollout_buffer")
        if hasattr(buffer, "observations"):
            names = ("observations", "actions", "rewards", "returns", "advantages", "values", "log_probs", "episode_starts")
            self.rollouts.append({name: np.copy(np.asarray(getattr(buffer, name))).reshape(16, 2, -1) for name in names})
            self.rollouts[-1] |= {"size": buffer.size(), "pos": buffer.pos, "full": buffer.full}


def kind_of(value):
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return str(value.dtype).removeprefix("torch."), tuple(value.shape)
    return bool if isinstance(value, np.bool_) else type(value)


OBJECTS = {"self", "env", "callback", "rollout_buffer", "replay_buffer", "train_freq"}  # objects of the library's own


@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_callbacks_hear_what_stable_baselines3s_hear(name):
    heard = {}
    for library in (stable_baselines3, ludus):
        listen = heard[library] = Listen()
        agent_of(library, name).learn(64, callback=listen)
        for before, after in zip(listen.last_obs[1:], listen.heard, strict=False):
            assert (before == after["new_obs"]).all()
    theirs, ours = heard[stable_baselines3].heard, heard[ludus].heard
    assert len(theirs) == len(ours) == 32
    for one, other in zip(theirs, ours, strict=True):
        assert set(one) - set(other) <= {"idx", "done", "terminal_obs", "terminal_value"}  # left over from the last step
        for key in set(one) & set(other) - OBJECTS:
            assert kind_of(one[key]) == kind_of(other[key]), key


@pytest.mark.parametrize("games", ["CartPole", "ludus/CartPole"])
def test_a_rollout_buffer_says_what_stable_baselines3s_says(games):
    """Its buffer computes the same from the same rewards, values and starts; weights stand still, so the last value is known."""
    env = ludus.make_sb3("CartPole", 2, seed=0) if games != "CartPole" else None
    listen = Listen()
    agent = agent_of(ludus, "PPO", env=env, gamma=0.9, gae_lambda=0.8, learning_rate=0.0)
    agent.learn(96, callback=listen)
    theirs = stable_baselines3.common.buffers.RolloutBuffer(
        16, agent.observation_space, agent.action_space, "cpu", 0.8, 0.9, 2
    )
    for rollout, following in zip(listen.rollouts, listen.rollouts[1:], strict=False):
        assert (rollout["size"], rollout["pos"], rollout["full"]) == (16, 16, True)
        for name in ("rewards", "values", "log_probs", "episode_starts"):
            setattr(theirs, name, rollout[name].reshape(16, 2).astype(np.float32))
        last = agent.policy.predict_values(torch.as_tensor(following["observations"][0])).detach()
        theirs.compute_returns_and_advantage(last, following["episode_starts"][0].ravel())
        for name in ("returns", "advantages"):
            assert np.allclose(getattr(theirs, name), rollout[name][..., 0], atol=1e-5)
    batches = list(agent.rollout_buffer.get(10))
    assert [len(batch.returns) for batch in batches] == [10, 10, 10, 2] and batches[0].actions.shape == (10, 1)
    assert torch.equal(torch.cat([b.returns for b in batches]).sort()[0], agent.rollout_buffer.returns.flatten().sort()[0])


@pytest.mark.parametrize(("library", "name"), OURS)
@pytest.mark.parametrize("stack", [1, 2])
def test_callbacks_see_the_observations_of_games(library, name, stack):
    """Catch's ball falls a row a step: an episode's observations follow from each other, and its last is known."""
    env = ludus.make_sb3("Catch", 2, seed=0, frame_stack=stack)
    agent, listen = agent_of(library, name, "mlp", env, **({"train_freq": 4} if name == "DQN" else {})), Listen()
    agent.learn(64, callback=listen)
    lengths = [0, 0]
    for before, after, step in zip(listen.last_obs, listen.last_obs[1:], listen.heard, strict=False):
        assert (step["new_obs"] == after).all() and before.shape == after.shape
        for game in range(2):
            newest = before[game, ..., -2:]
            assert newest[lengths[game], :, 0].sum() == 1  # the ball
            lengths[game] += 1
            info = step["infos"][game]
            assert ("terminal_observation" in info) == ("episode" in info) == bool(step["dones"][game])
            if step["dones"][game]:
                final = info["terminal_observation"][..., -2:]
                assert final[9, :, 0].sum() + final[9, :, 1].sum() >= 1 and info["episode"]["l"] == lengths[game] == 9
                lengths[game] = 0
    assert (agent._last_obs == listen.heard[-1]["new_obs"]).all()


# -- logs ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_logs_have_what_stable_baselines3s_have(tmp_path, name):
    columns, tags = {}, {}
    for library in (stable_baselines3, ludus):
        folder = tmp_path / library.__name__
        agent = agent_of(library, name, tensorboard_log=str(folder)).learn(128, tb_log_name="run")
        agent.logger.close()
        events = EventAccumulator(str(folder / "run_1")).Reload()
        tags[library] = set(events.Tags()["scalars"])
        agent.set_logger(configure(str(folder), ["csv"]))
        agent.learn(128)
        agent.logger.close()
        columns[library] = set((folder / "progress.csv").read_text().splitlines()[0].split(","))
    assert columns[ludus] >= columns[stable_baselines3] and tags[ludus] >= tags[stable_baselines3]
    counts = {"PPO": "time/iterations", "DQN": "time/episodes"}
    assert tags[ludus] >= {"train/n_updates", "time/time_elapsed", counts[name]}
    assert "_hparams_/session_start_info" in events.summary_metadata


def test_a_progress_bar_needs_nothing_else(monkeypatch, capsys):
    monkeypatch.setattr("stable_baselines3.common.callbacks.tqdm", None)
    steps = []
    agent = agent_of(ludus, "PPO").learn(64, progress_bar=True, callback=lambda heard, _: steps.append(heard["n_steps"]) or True)
    assert len(steps) == 32 and agent.bar is None


# -- warnings and counts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", [stable_baselines3, ludus])
def test_more_games_than_steps_between_targets_is_said(library):
    with pytest.warns(UserWarning, match="The number of environments used is greater"):
        agent_of(library, "DQN", target_update_interval=1)


@pytest.mark.parametrize("library", [stable_baselines3, ludus])
def test_as_many_updates_as_steps(library):
    agent = agent_of(library, "DQN", train_freq=3, gradient_steps=-1, learning_starts=0).learn(3)
    assert agent.logger.name_to_value["train/n_updates"] == agent._n_updates == 6


@pytest.mark.parametrize("library", [stable_baselines3, ludus])
def test_train_learns_when_it_is_asked_to(library):
    agent = agent_of(library, "DQN", learning_starts=1000).learn(24)
    before = agent.q_net.q_net[0].weight.clone()
    agent.train(gradient_steps=2, batch_size=8)
    assert agent._n_updates == 2 and not torch.equal(before, agent.q_net.q_net[0].weight)


# -- policies of the user's ----------------------------------------------------------------------------------------------


class Constant(ActorCriticPolicy):
    """Values are what `forward` says, and nothing else."""

    def forward(self, obs, deterministic=False):
        actions, values, log_probs = super().forward(obs, deterministic)
        return actions, torch.full_like(values, 7.0), log_probs


class Eager(ActorCriticPolicy):
    """Judges actions in a way of its own, and counts how often."""

    judged = 0

    def evaluate_actions(self, obs, actions):
        self.judged += len(actions)
        values, log_probs, _ = super().evaluate_actions(obs, actions)
        return values, log_probs, None


@pytest.mark.parametrize("library", [stable_baselines3, ludus])
@pytest.mark.parametrize("games", ["CartPole", "Pendulum", "ludus/CartPole"])
def test_methods_of_a_policy_are_called(library, games):
    env = ludus.make_sb3("CartPole", 2, seed=0) if "/" in games else make_vec_env(f"{games}-v1", 2, seed=0)
    listen = Listen()
    agent_of(library, "PPO", Constant, env).learn(32, callback=listen)
    assert (listen.rollouts[0]["values"] == 7.0).all()
    agent = agent_of(library, "PPO", Eager, env).learn(64)
    assert agent.policy.judged == 64


@pytest.mark.parametrize("squash", [False, True])
@pytest.mark.parametrize("library", [stable_baselines3, ludus])
def test_state_dependent_exploration(library, squash):
    """In Stable-Baselines3's words, which PPO of Ludus asks: both draw from PyTorch's generator, and do the same."""
    env = make_vec_env("Pendulum-v1", 2, seed=0)
    listen = Listen()
    policy_kwargs = {"squash_output": squash}
    agent = agent_of(library, "PPO", env=env, use_sde=True, sde_sample_freq=4, policy_kwargs=policy_kwargs)
    agent.learn(32, callback=listen)
    first = np.concatenate([step["actions"].ravel() for step in listen.heard[:16]])
    other = agent_of(stable_baselines3, "PPO", env=make_vec_env("Pendulum-v1", 2, seed=0), use_sde=True, sde_sample_freq=4,
                     policy_kwargs=policy_kwargs)
    listen = Listen()
    other.learn(32, callback=listen)
    assert np.allclose(first, np.concatenate([step["actions"].ravel() for step in listen.heard[:16]]), atol=1e-5)
    assert env.action_space.contains(agent.predict(env.observation_space.sample())[0])


def test_policies_that_cannot_be_asked_are_refused():
    with pytest.raises(OptionError, match="a policy with memory decides in Ludus's way"):
        agent_of(ludus, "PPO", env=make_vec_env("Pendulum-v1", 2), use_sde=True, policy_kwargs={"memory": "lstm"})
    with pytest.raises(OptionError, match="action masks need Ludus's own way to decide"):
        agent_of(ludus, "PPO", Eager, masked_env()).learn(32)
    with pytest.raises(OptionError, match="other policies' actions count from 0"):
        agent_of(ludus, "PPO", Eager, Strict(spaces.Discrete(2), spaces.Discrete(2, start=1)))


def masked_env():
    class Masked(Strict):
        def action_masks(self):
            return np.ones(2, bool)

    return Masked(spaces.Box(-1, 1, (2,)), spaces.Discrete(2))
