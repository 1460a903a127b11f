"""Agents' networks in pages: the same numbers and choices as PyTorch's, and reasons for what cannot run there."""

import base64

import numpy as np
import pytest
import torch
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

import ludus
from ludus.agents.nn.actor_critic import forward_step
from ludus.envs import OptionError
from ludus.web.agent import web_agent
from ludus.web.page import source_of

from .pages import Server

OBSERVATIONS = 1000


class Strides(BaseFeaturesExtractor):
    """Two convolutions, with padding, strides and a number of channels that loops pad."""

    def __init__(self, space):
        super().__init__(space, 24)
        rows, columns, planes = space.shape
        self.first = torch.nn.Conv2d(planes, 12, 3, padding=1)
        self.second = torch.nn.Conv2d(12, 9, (3, 2), stride=2, padding=1)
        flat = 9 * ((rows - 1) // 2 + 1) * (columns // 2 + 1)
        self.last = torch.nn.Linear(flat, 24)

    def forward(self, obs):
        x = self.second(self.first(obs.permute(0, 3, 1, 2)).relu()).relu()
        return self.last(x.flatten(1)).relu()


AGENTS = {  # by what is special about them
    "features": ("PPO", "mlp", "CartPole", {}),
    "normalised features": ("PPO", "mlp", "Acrobot", {"policy_kwargs": {"normalize_obs": True}}),
    "tanh, two towers": ("PPO", "MlpPolicy", "Acrobot", {}),
    "convolution": ("PPO", "cnn", "Breakout", {}),
    "convolutions with strides": ("PPO", "cnn", "Breakout", {"policy_kwargs": {"features_extractor_class": Strides}}),
    "layer norm": ("PQN", "mlp", "Catch", {"layer_norm": True}),
    "layer norm of channels": ("PQN", "cnn", "Breakout", {"layer_norm": True}),
    "dueling": ("DQN", "cnn", "Breakout", {"dueling": True}),
    "dueling and layer norm": ("DQN", "mlp", "Acrobot", {"dueling": True, "layer_norm": True}),
    "noisy": ("DQN", "mlp", "Catch", {"noisy": True}),
}


def make(algorithm, policy, game, arguments):
    """An agent whose weights are all random."""
    agent = getattr(ludus, algorithm)(policy, ludus.make_sb3(game, 1), seed=1, device="cpu", **arguments)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in agent.policy.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
        if getattr(agent.policy, "normalizer", None) is not None:
            agent.policy.normalizer.update(
                2 + 3 * torch.randn(100, *agent.observation_space.shape, generator=generator)
            )
    return agent


def observations(space):
    """(N, *shape) of the space's kind."""
    random = np.random.default_rng(3)
    if space.dtype == np.uint8:
        return (random.random((OBSERVATIONS, *space.shape)) < 0.2).astype(np.uint8)
    return random.normal(0, 2, (OBSERVATIONS, *space.shape)).astype(np.float32)


def numbers_of(agent, obs):
    """Logits or values (N, A) of PyTorch's, and what the state is worth to PPO (N,)."""
    agent.policy.set_training_mode(False)
    if agent.acts_on_values:
        return agent.q_values(obs).numpy(), None
    with torch.no_grad():
        logits, values, _ = forward_step(agent.policy, agent.policy.obs_to_tensor(obs)[0])
    return logits.numpy(), values.numpy()


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A page that has the scripts and does nothing."""
    folder = tmp_path_factory.mktemp("library")
    names = ("ludus.js", "network.js")
    for name in names:
        (folder / name).write_text(source_of(name))
    scripts = "".join(f'<script src="{name}"></script>' for name in names)
    (folder / "index.html").write_text(f'<!doctype html><link rel="icon" href="data:,">{scripts}')
    with Server(folder) as address:
        yield address


@pytest.mark.parametrize("kind", AGENTS)
def test_numbers_and_choices_are_those_of_pytorch(page, library, kind):
    agent = make(*AGENTS[kind])
    obs, found = observations(agent.observation_space), web_agent(agent)
    page.open(library)
    packed = [base64.b64encode(part).decode() for part in (found.code, found.weights, obs.tobytes())]
    script = """
        const [code, weights, packed] = arguments[0].map((text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
        const obs = arguments[1] ? packed : new Float32Array(packed.buffer), answers = [];
        return Network.load(code, weights, arguments[2]).then((network) => {
            const size = obs.length / arguments[3], game = { obs, allows: () => true };
            for (let k = 0; k < arguments[3]; k++) {
                const [numbers] = network.outputs(obs.subarray(k * size, (k + 1) * size)), told = network.decide(game, k);
                answers.push([numbers, told.worth ? told.numbers : numbers, told.chosen, told.value]);
            }
            return answers;
        })"""
    answers = page.run(script, packed, bool(obs.dtype == np.uint8), found.facts, OBSERVATIONS)
    wanted, worth = numbers_of(agent, obs)
    numbers = np.array([answer[1] for answer in answers])
    chosen = np.array([answer[2] for answer in answers])
    assert np.abs(numbers - wanted).max() < 1e-5 * max(np.abs(wanted).max(), 1)
    assert len(set(chosen)) > 1 and np.array_equal(chosen, agent.predict(obs, deterministic=True)[0])
    told = np.array([answer[3] for answer in answers])
    assert np.abs(told - (wanted.max(1) if worth is None else worth)).max() < 1e-5 * max(np.abs(wanted).max(), 1)


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        (("PPO", "mlp", "Catch", {"policy_kwargs": {"memory": "mingru"}}), "recurrent"),
        (("DQN", "mlp", "Catch", {"distribution": "qr"}), "values that are distributions"),
        (("PPO", "impala", "Catch", {}), "a page cannot run this agent"),
    ],
    ids=["recurrent", "distributions", "sums"],
)
def test_what_a_page_cannot_run_is_refused(agent, reason):
    with pytest.raises(OptionError, match=reason) as error:
        web_agent(make(*agent))
    assert "\n" not in str(error.value)


def test_pictures_are_refused():
    env = ludus.make_sb3("Catch", 1, obs_type="rgb", size=16)
    with pytest.raises(OptionError, match="image observations"):
        web_agent(ludus.PPO("mlp", env, device="cpu"))
