"""What an agent cannot be made of, or would not use, is refused in one line that says what would be right."""

from inspect import signature

import gymnasium
import pytest
import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.policies import ActorCriticPolicy

import ludus
from ludus.agents import agent_class
from ludus.agents.checkpoints.schema import SCHEMAS
from ludus.agents.files.safe_io import CheckpointError
from ludus.envs import LudusError, OptionError, Simulator, UnknownGame, UnknownOption
from tests.agents.small import small

every = pytest.mark.parametrize("algo", SCHEMAS)


def make(algo, policy="MlpPolicy", env=None, **changes):
    env = ludus.make_sb3("Catch", 2) if env is None else env
    return agent_class(algo)(policy, env, **{**small(algo, n_steps=8, batch_size=8), "device": "cpu", **changes})


def line_of(call, error=OptionError):
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, (LudusError, TypeError)) and "\n" not in str(caught.value)
    return str(caught.value)


POLICY_KWARGS = {
    "net_arch": [[0], [-3], ["a"], [1.5], "x", 5, [None], [[8]], [10**9], {"qq": [8]}, {"pi": [0]}],
    "activation_fn": ["tanh", 5],
    "optimizer_class": ["Adam", 5],
    "features_extractor_class": ["cnn", 5],
    "optimizer_kwargs": [5, "eps"],
    "features_extractor_kwargs": [5, []],
    "normalize_images": ["no", None],
}
OF_PPO = {"ortho_init": ["x"], "log_std_init": ["x"], "share_features_extractor": ["no"], "memory_size": [0]}


@every
@pytest.mark.parametrize("name", [*POLICY_KWARGS, *OF_PPO])
def test_what_policies_are_told(algo, name):
    for value in {**POLICY_KWARGS, **OF_PPO}[name]:
        assert name in line_of(lambda value=value: make(algo, policy_kwargs={name: value})), value


@pytest.mark.filterwarnings("ignore:As shared layers")
@pytest.mark.parametrize("net_arch", [None, [8], (8,), [torch.tensor(8).numpy()[()]], {"pi": [8]}, [{"pi": [8]}]])
def test_layers_as_stable_baselines3_takes_them(net_arch):
    assert make("ppo", policy_kwargs={"net_arch": net_arch}).policy.mlp_extractor.latent_dim_pi in (8, 64)


@every
def test_what_nobody_would_use(algo):
    assert "did you mean 'net_arch'" in line_of(lambda: make(algo, policy_kwargs={"net_arc": [8]}), UnknownOption)
    assert "dictionary" in line_of(lambda: make(algo, policy_kwargs=[]))
    told = {"activation_fn": torch.nn.Tanh}
    for policy in ("mlp", "cnn"):
        assert "net_arch" in line_of(lambda policy=policy: make(algo, policy, policy_kwargs=told))
    used = make(algo, "mlp", policy_kwargs={**told, "net_arch": [8]}).policy
    assert any(isinstance(module, torch.nn.Tanh) for module in used.modules())
    if algo == "ppo":
        assert "memory" in line_of(lambda: make(algo, "mlp", policy_kwargs={"memory_size": 8}))


class Own(ActorCriticPolicy):
    def __init__(self, *args, **kwargs):
        self.mine = kwargs.pop("mine")
        super().__init__(*args, **kwargs)


def test_policies_of_ones_own_take_what_they_like():
    assert make("ppo", Own, policy_kwargs={"mine": 3}).policy.mine == 3


@pytest.mark.parametrize("policy", ["mlp", "cnn"])
def test_a_saved_policy_loads(tmp_path, policy):
    agent = make("ppo", policy)
    agent.policy.save(tmp_path / "policy.pth")
    twin, obs = type(agent.policy).load(tmp_path / "policy.pth", device="cpu"), agent.env.reset()
    assert twin.predict(obs, deterministic=True)[0].tolist() == agent.predict(obs, deterministic=True)[0].tolist()


@every
def test_policies(algo):
    for policy, near in {"CNN": "'cnn'", "Mlp": "'mlp'", "cnnpolicy": "'CnnPolicy'", "zzz": "policies are mlp"}.items():
        assert near in line_of(lambda policy=policy: make(algo, policy))
    for policy in (5, None, torch.nn.Linear):
        assert "policy must be" in line_of(lambda policy=policy: make(algo, policy))


@every
def test_environments(algo, tmp_path):
    kind = agent_class(algo)
    for env in (5, [1], gymnasium.make, None):
        assert "env must be" in line_of(lambda env=env: kind("MlpPolicy", env))
    assert "did you mean Breakout" in line_of(lambda: make(algo, env="Brekout"), UnknownGame)
    for env in ("Nope-v1", "", "nowhere:Nope-v1"):
        assert "no Gymnasium id" in line_of(lambda env=env: make(algo, env=env), UnknownGame)
    agent = make(algo)
    agent.save(tmp_path)
    for env in (ludus.make_vec("Catch", 2), gymnasium.make_vec("CartPole-v1", 2)):
        for use in (lambda env: make(algo, env=env), agent.set_env, lambda env: kind.load(tmp_path, env)):
            assert "make_sb3" in line_of(lambda use=use, env=env: use(env))
    assert "vec_env('Catch')" in line_of(lambda: make(algo, env=Simulator("Catch", 2)))
    assert "env must be" in line_of(lambda: kind.load(tmp_path, "Catch"))


@every
def test_names_that_there_are_not(algo, tmp_path):
    near = line_of(lambda: make(algo, learning_rat=1), TypeError)
    assert "did you mean 'learning_rate'" in near and SCHEMAS[algo].title in near
    if algo != "dqn":
        assert "did you mean 'n_steps'" in line_of(lambda: make(algo, n_step=1), UnknownOption)
    assert "'zzz'" in line_of(lambda: make(algo, zzz=1), UnknownOption)
    make(algo).save(tmp_path)
    near = line_of(lambda: agent_class(algo).load(tmp_path, learning_rat=1), TypeError)
    assert "did you mean 'learning_rate'" in near


@every
def test_devices_and_threads(algo, tmp_path):
    make(algo).save(tmp_path)
    for device in ("x", None, [1], "cuda:x"):
        for env in (None, make_vec_env("CartPole-v1", 1)):
            assert "device" in line_of(lambda device=device, env=env: make(algo, env=env, device=device))
        assert "device" in line_of(lambda device=device: agent_class(algo).load(tmp_path, device=device))
    for threads in (0, "x", 1.5):
        assert "num_threads" in line_of(lambda threads=threads: make(algo, num_threads=threads))


def test_clips():
    for value in (None, -0.1, "x"):
        assert "clip_range" in line_of(lambda value=value: make("ppo", clip_range=value))
    for value in (0, -0.1, "x"):
        assert "clip_range_vf" in line_of(lambda value=value: make("ppo", clip_range_vf=value))
    assert "learning_rate" in line_of(lambda: make("dqn", learning_rate=None))


@pytest.mark.parametrize("name", ["", None, 5, b"x"])
def test_names_of_files(name):
    ppo, dqn = make("ppo"), make("dqn")
    for use in (ppo.save, ludus.PPO.load, ppo.set_parameters, dqn.save_replay_buffer, dqn.load_replay_buffer):
        assert "for its name" in line_of(lambda use=use: use(name), CheckpointError)


@every
def test_a_name_that_is_suggested_is_another_one_that_is_taken(algo):
    """The base classes of Stable-Baselines3's take more, such as `action_noise`."""
    kind = agent_class(algo)
    takes = kind.constructor.parameters
    beyond = {name for base in kind.__mro__[1:] for name in signature(base.__init__).parameters} - {*takes, "self"}
    assert "support_multi_env" in beyond and (algo != "dqn" or "action_noise" in beyond)
    for name in beyond - {"args", "kwargs"}:
        line = line_of(lambda: make(algo, **{name: None}), UnknownOption)  # noqa: B023
        assert repr(name) in line
        hint = line.partition("did you mean ")[2].strip("'?")
        assert not hint or hint in takes, line


def test_arguments_of_a_class_of_the_users_are_suggested():
    class Mine(ludus.DQN):
        def __init__(self, *args, horizon=3, **kwargs):
            super().__init__(*args, **kwargs)

    assert "did you mean 'horizon'?" in line_of(lambda: Mine("MlpPolicy", "CartPole-v1", horizn=3), UnknownOption)
