"""Agents go to Stable-Baselines3 and come from there as they are."""

import subprocess
import sys

import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import DummyVecEnv

import ludus
from ludus.agents.checkpoints.sb3_zip import import_zip
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.ppo.ppo import PPO
from ludus.agents.training.sb3_export import export_zip
from tests.agents.encoded import behind_an_encoder

SMALL = {"n_steps": 16, "batch_size": 64, "n_epochs": 2, "seed": 0, "device": "cpu"}
PIXELS = {"obs_type": "rgb", "size": 36}


def poles():
    return make_vec_env("CartPole-v1", n_envs=8, seed=0)


EXPORTED = {
    "mlp": lambda: PPO("mlp", ludus.make_sb3("Catch", 8), **SMALL),
    "cnn": lambda: PPO("cnn", ludus.make_sb3("Breakout", 8, frame_stack=2), **SMALL),
    "nature": lambda: PPO("nature", ludus.make_sb3("Catch", 8, **PIXELS), **SMALL),
    "impala": lambda: PPO("impala", ludus.make_sb3("Catch", 8, **PIXELS), **SMALL),
    "CnnPolicy": lambda: PPO("CnnPolicy", ludus.make_sb3("Catch", 8, **PIXELS), **SMALL),
    "MlpPolicy": lambda: PPO(
        "MlpPolicy", poles(), learning_rate=LinearSchedule(1e-3, 0, 1), clip_range_vf=0.5, **SMALL
    ),
    "normalized": lambda: PPO("mlp", poles(), policy_kwargs={"normalize_obs": True}, **SMALL),
    "frozen": lambda: behind_an_encoder("freeze", **SMALL),
    "decoded": lambda: behind_an_encoder("decode", **SMALL),
    "continuous": lambda: PPO("MlpPolicy", make_vec_env("Pendulum-v1", n_envs=8, seed=0), **SMALL),
}

OUTSIDE = """
import sys

class NoLudus:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "ludus":
            raise ModuleNotFoundError(f"there is no {name} here")

sys.meta_path.insert(0, NoLudus())

import gymnasium, numpy as np, torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv

class Noise(gymnasium.Env):
    def __init__(self, observation_space, action_space):
        self.observation_space, self.action_space = observation_space, action_space
    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}
    def step(self, action):
        return self.observation_space.sample(), 1.0, bool(self.np_random.random() < 0.1), False, {}

for name in sys.argv[2:]:
    agent = PPO.load(f"{sys.argv[1]}/{name}.zip", device="cpu")
    obs = np.load(f"{sys.argv[1]}/{name}.npy")
    tensor, _ = agent.policy.obs_to_tensor(obs)
    with torch.no_grad():
        distribution, values = agent.policy.get_distribution(tensor).distribution, agent.policy.predict_values(tensor)
    params = distribution.logits if hasattr(distribution, "logits") else distribution.loc
    greedy = agent.predict(obs, deterministic=True)[0]
    torch.manual_seed(7)
    sampled = agent.predict(obs)[0]
    np.savez(f"{sys.argv[1]}/{name}.npz", greedy=greedy, sampled=sampled, params=params, values=values)

    env = DummyVecEnv([lambda: Noise(agent.observation_space, agent.action_space) for _ in range(8)])
    agent = PPO.load(f"{sys.argv[1]}/{name}.zip", env=env, device="cpu")
    before = {key: tensor.clone() for key, tensor in agent.policy.state_dict().items()}
    agent.learn(256)
    moved = [not torch.equal(tensor, before[key]) for key, tensor in agent.policy.named_parameters()]
    assert all(moved) and agent.num_timesteps == 256
    agent.save(f"{sys.argv[1]}/{name}-again.zip")
    again = PPO.load(f"{sys.argv[1]}/{name}-again.zip", device="cpu")
    assert np.array_equal(again.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])
assert "ludus" not in sys.modules
"""


def observations(agent, count):
    """What the agent's environment shows while it acts, (count, ...)."""
    seen = [agent.env.reset()]
    while len(seen) * len(seen[0]) < count:
        seen.append(agent.env.step(agent.predict(seen[-1])[0])[0])
    return np.concatenate(seen)


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """Agents, observations, and what stock Stable-Baselines3 made of both where Ludus cannot be imported."""
    folder, agents = tmp_path_factory.mktemp("sb3"), {}
    for name, make in EXPORTED.items():
        agents[name] = make()
        agents[name].learn(256)
        np.save(
            folder / f"{name}.npy", observations(agents[name], 256 if "rgb" in str(agents[name].environment) else 4096)
        )
        export_zip(agents[name], folder / f"{name}.zip")
    command = [sys.executable, "-c", OUTSIDE, str(folder), *EXPORTED]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return folder, agents


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_an_agent_is_the_same_where_there_is_no_ludus(outside, name):
    folder, agent = outside[0], outside[1][name]
    there, obs = np.load(folder / f"{name}.npz"), np.load(folder / f"{name}.npy")
    tensor, _ = agent.policy.obs_to_tensor(obs)
    with torch.no_grad():
        distribution, values = agent.policy.get_distribution(tensor).distribution, agent.policy.predict_values(tensor)
    params = distribution.logits if hasattr(distribution, "logits") else distribution.loc
    assert len(obs) >= 256
    assert np.array_equal(there["greedy"], agent.predict(obs, deterministic=True)[0])
    torch.manual_seed(7)
    assert np.array_equal(there["sampled"], agent.predict(obs)[0])
    assert np.allclose(there["params"], params, rtol=0, atol=1e-6)
    assert np.allclose(there["values"], values, rtol=0, atol=1e-6)
    assert len(np.unique(there["values"])) > 10


@pytest.mark.slow
def test_what_the_agent_says_of_itself_is_what_it_does_there(outside):
    folder, agents = outside
    probabilities, values = agents["mlp"].explain(np.load(folder / "mlp.npy"))
    there = np.load(folder / "mlp.npz")
    assert np.allclose(np.exp(there["params"]), probabilities, rtol=0, atol=1e-6)
    assert np.allclose(there["values"].ravel(), values, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_export_holds_the_settings_and_leaves_the_agent_alone(outside, name):
    agent = outside[1][name]
    stock = stable_baselines3.PPO.load(outside[0] / f"{name}.zip", device="cpu")
    for setting in ("n_steps", "batch_size", "n_epochs", "gamma", "ent_coef", "seed", "num_timesteps", "n_envs"):
        assert getattr(stock, setting) == getattr(agent, setting), setting
    assert stock.lr_schedule(1.0) == agent.lr_schedule(1.0) and stock.clip_range(1.0) == agent.clip_range(1.0)
    assert len(stock.policy.optimizer.state_dict()["state"]) == len(agent.policy.optimizer.state_dict()["state"]) > 0
    agent.learn(128, reset_num_timesteps=False)


def test_export_does_not_disturb_the_random_numbers(tmp_path):
    agent = EXPORTED["mlp"]()
    torch.manual_seed(3)
    export_zip(agent, tmp_path / "agent.zip")
    after = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(1))


def test_an_agent_with_memory_is_refused(tmp_path):
    agent = PPO("mlp", ludus.make_sb3("Catch", 8), policy_kwargs={"memory": "mingru"}, **SMALL)
    with pytest.raises(CheckpointError, match="has no memory") as caught:
        export_zip(agent, tmp_path / "agent.zip")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot write"):
        export_zip(EXPORTED["mlp"](), tmp_path / "file" / "agent.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# -- import ------------------------------------------------------------------------------------------------------------


def pictures():
    """Random pixels, (64, 64, 3) uint8."""
    import gymnasium

    class Pictures(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
        action_space = gymnasium.spaces.Discrete(5)

        def reset(self, seed=None, options=None):
            return self.observation_space.sample(), {}

        def step(self, action):
            return self.observation_space.sample(), 1.0, False, False, {}

    return DummyVecEnv([Pictures])


def stock(policy, env, **settings):
    agent = stable_baselines3.PPO(policy, env, n_steps=32, batch_size=16, n_epochs=1, device="cpu", **settings)
    return agent.learn(32)


APART = {"share_features_extractor": False, "features_extractor_kwargs": {"features_dim": 32}}
IMPORTED = {
    "default": lambda: stock("MlpPolicy", "CartPole-v1"),
    "ReLU": lambda: stock(
        "MlpPolicy",
        "CartPole-v1",
        policy_kwargs={"activation_fn": torch.nn.ReLU, "net_arch": {"pi": [8], "vf": [16, 4]}},
    ),
    "linear": lambda: stock("MlpPolicy", "CartPole-v1", policy_kwargs={"net_arch": []}),
    "continuous": lambda: stock("MlpPolicy", "Pendulum-v1", policy_kwargs={"log_std_init": -1.0}),
    "pictures": lambda: stock("CnnPolicy", pictures()),
    "pictures as they are": lambda: stock("CnnPolicy", pictures(), policy_kwargs={"normalize_images": False}),
    "two encoders": lambda: stock("CnnPolicy", pictures(), policy_kwargs={**APART, "net_arch": [8]}),
    "a game": lambda: stock("MlpPolicy", ludus.make_sb3("Catch", 1)),
}


@pytest.mark.parametrize("name", IMPORTED)
def test_an_agent_of_stable_baselines_comes_in_as_it_is(tmp_path, name):
    agent = IMPORTED[name]()
    agent.save(tmp_path / "agent.zip")
    obs = observations(agent, 64)
    back = import_zip(tmp_path / "agent.zip", agent.env, "cpu", ludus.PPO)
    assert np.array_equal(back.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])
    tensor, _ = agent.policy.obs_to_tensor(obs)
    assert torch.equal(back.policy.predict_values(tensor), agent.policy.predict_values(tensor))
    assert set(back.policy.state_dict()) == set(agent.policy.state_dict())
    before = [parameter.detach().clone() for parameter in back.policy.parameters()]
    back.learn(32)
    assert any(not torch.equal(a, b) for a, b in zip(before, back.policy.parameters(), strict=True))


def test_settings_come_in(tmp_path):
    settings = {"gamma": 0.9, "gae_lambda": 0.8, "ent_coef": 0.01, "target_kl": 0.5, "seed": 3, "max_grad_norm": 1.0}
    agent = stock("MlpPolicy", "CartPole-v1", learning_rate=LinearSchedule(1e-5, 0, 1), clip_range=0.1, **settings)
    agent.save(tmp_path / "agent.zip")
    back = import_zip(tmp_path / "agent.zip", "CartPole-v1", "cpu", ludus.PPO)
    assert {name: getattr(back, name) for name in settings} == settings
    assert (back.n_steps, back.batch_size, back.n_epochs, back.num_timesteps) == (32, 16, 1, 32)
    assert (back.lr_schedule(0.5), back.clip_range(0.5), back.clip_range_vf) == (5e-6, 0.1, None)


def test_there_and_back_again(tmp_path):
    agent = PPO("MlpPolicy", poles(), **SMALL)
    export_zip(agent, tmp_path / "agent.zip")
    back = import_zip(tmp_path / "agent.zip", poles(), "cpu", ludus.PPO)
    obs = observations(agent, 64)
    assert np.array_equal(back.explain(obs)[0], agent.explain(obs)[0])


# -- what the optimizer remembers, and what else a file tells ----------------------------------------------------------

OPTIMIZED = {
    "adam": {},
    "adam of other averages": {"policy_kwargs": {"optimizer_kwargs": {"betas": (0.5, 0.9)}}},
    "rmsprop": {"policy_kwargs": {"optimizer_class": torch.optim.RMSprop, "optimizer_kwargs": {"alpha": 0.9}}},
    "adamw": {"policy_kwargs": {"optimizer_class": torch.optim.AdamW}},
    "sgd": {"policy_kwargs": {"optimizer_class": torch.optim.SGD, "optimizer_kwargs": {"momentum": 0.9}}},
    "sde": {"env": "Pendulum-v1", "use_sde": True, "policy_kwargs": {"full_std": False, "use_expln": True}},
}


def cached(agent):
    state = agent.policy.optimizer.state_dict()
    numbers = {
        f"{n}.{key}": torch.as_tensor(x)
        for n, slots in state["state"].items()
        for key, x in slots.items()
        if x is not None
    }
    group = state["param_groups"][0]
    settings = {name: group.get(name) for name in ("eps", "alpha", "momentum", "weight_decay")}
    return numbers, {**settings, "betas": tuple(group.get("betas", ()))}


@pytest.mark.parametrize("name", OPTIMIZED)
def test_the_optimiser_comes_in_with_what_it_remembers(tmp_path, name):
    given = {"env": "CartPole-v1", **OPTIMIZED[name]}
    env = given.pop("env")
    agent = stock("MlpPolicy", env, **given)
    agent.save(tmp_path / "agent.zip")
    come, told = (
        PPO.load(tmp_path / "agent.zip", env=env, device="cpu"),
        PPO("MlpPolicy", env, **{**SMALL, "batch_size": 16}, **given),
    )
    told.set_parameters(tmp_path / "agent.zip")
    for back in (come, told):
        assert type(back.policy.optimizer) is type(agent.policy.optimizer)
        (here, settings), (there, expected) = cached(back), cached(agent)
        assert here.keys() == there.keys() and all(torch.equal(here[key], there[key]) for key in there)
        assert settings == expected
        obs = observations(agent, 8)
        assert np.array_equal(back.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])
    come.save(tmp_path / "kept")
    kept = cached(PPO.load(tmp_path / "kept", device="cpu"))[0]
    assert all(torch.equal(kept[key], there[key]) for key in there)
    come.learn(32, reset_num_timesteps=False)


def test_settings_and_progress_come_in_or_are_said_to_be_lost(tmp_path):
    class Mine(torch.optim.Adam):
        pass

    rate = LinearSchedule(1e-3, 1e-5, 0.5)
    told = {"stats_window_size": 7, "learning_rate": rate, "tensorboard_log": str(tmp_path / "log")}
    agent = stock("MlpPolicy", "CartPole-v1", **told)
    agent.save(tmp_path / "agent.zip")
    back = PPO.load(tmp_path / "agent.zip", env="CartPole-v1", device="cpu")
    assert (back._stats_window_size, back.tensorboard_log) == (7, told["tensorboard_log"])
    assert [back.lr_schedule(x) for x in (1, 0.8, 0.1)] == [rate(x) for x in (1, 0.8, 0.1)]
    for name in ("num_timesteps", "_n_updates", "_episode_num", "_total_timesteps"):
        assert getattr(back, name) == getattr(agent, name)
    lost = {"clip_range": lambda left: 0.1 * left, "policy_kwargs": {"optimizer_class": Mine}}
    stock("MlpPolicy", "CartPole-v1", **lost).save(tmp_path / "lost.zip")
    with pytest.warns(UserWarning, match=r"clip_range was a function, give load clip_range=; its optimizer was .*Mine"):
        PPO.load(tmp_path / "lost.zip", env="CartPole-v1", device="cpu")


def test_parameters_come_from_stable_baselines_dqn(tmp_path, one_thread):
    agent = stable_baselines3.DQN("MlpPolicy", "CartPole-v1", learning_starts=10, seed=0, device="cpu").learn(60)
    agent.save(tmp_path / "agent.zip")
    back = ludus.DQN("MlpPolicy", "CartPole-v1", device="cpu", buffer_size=1000)
    back.set_parameters(tmp_path / "agent.zip")
    for here, there in (
        (back.policy.state_dict(), agent.policy.state_dict()),
        (cached(back)[0], cached(agent)[0]),
    ):
        assert here.keys() == there.keys() and all(torch.equal(here[key], there[key]) for key in there)
    other = PPO("mlp", ludus.make_sb3("Catch", 8), **SMALL)
    before = other.policy.state_dict()["action_net.weight"].clone()
    with pytest.raises(CheckpointError, match="its policy is not") as caught:
        other.set_parameters(tmp_path / "agent.zip")
    assert "\n" not in str(caught.value) and torch.equal(other.policy.state_dict()["action_net.weight"], before)


@pytest.mark.parametrize("name", ["MlpPolicy", "CnnPolicy", "DQN"])
def test_policies_go_there_and_come_back_alone(tmp_path, name):
    if name == "DQN":
        agent, there = ludus.DQN("MlpPolicy", poles(), buffer_size=1000), stable_baselines3.dqn.MlpPolicy
    else:
        agent, there = EXPORTED[name](), getattr(stable_baselines3.ppo, name)
    agent.policy.save(tmp_path / "policy.pth")
    stable = there.load(tmp_path / "policy.pth", device="cpu")
    stable.save(tmp_path / "back.pth")
    back, obs = type(agent.policy).load(tmp_path / "back.pth", device="cpu"), observations(agent, 64)
    for policy in (stable, back):
        assert np.array_equal(policy.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])
