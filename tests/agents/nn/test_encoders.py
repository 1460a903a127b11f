"""Encoders: what they take, what comes out, and how they begin."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import preprocess_obs
from torch import nn

from ludus.agents.nn.actor_critic import POLICIES
from ludus.agents.nn.encoders import ENCODERS, ImpalaCnn, MinAtarCnn, NatureCnn
from ludus.agents.nn.muon import Muon
from ludus.envs import OptionError

WIDTH = {"mlp": 128, "cnn": 128, "nature": 512, "impala": 256}


def planes(*shape):
    return spaces.Box(0, 1, shape, np.uint8)


def image(*shape):
    return spaces.Box(0, 255, shape, np.uint8)


def batch(space, size=5):
    space.seed(0)
    return preprocess_obs(torch.as_tensor(np.stack([space.sample() for _ in range(size)])), space)


@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("mlp", spaces.Box(-1, 1, (4,), np.float32)),
        ("mlp", planes(10, 10, 4)),
        ("cnn", planes(10, 10, 4)),
        ("cnn", planes(3, 5, 2)),
        ("cnn", image(3, 40, 40)),
        ("nature", planes(36, 40, 2)),
        ("nature", image(1, 36, 36)),
        ("nature", image(4, 84, 84)),
        ("impala", planes(10, 10, 7)),
        ("impala", planes(1, 9, 2)),
        ("impala", image(3, 33, 20)),
        ("impala", image(3, 84, 84)),
    ],
)
def test_features_and_gradients(name, space):
    torch.manual_seed(0)
    encoder = ENCODERS[name](space)
    features = encoder(batch(space))
    assert features.shape == (5, WIDTH[name]) and encoder.features_dim == WIDTH[name]
    (features * torch.randn_like(features)).sum().backward()
    for parameter_name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("sides", [(36, 36), (41, 36), (60, 64), (64, 64), (84, 84), (83, 90)])
@pytest.mark.parametrize("name", ["cnn", "nature", "impala"])
def test_every_pixel_is_seen(name, sides):
    torch.manual_seed(0)
    obs = torch.rand(2, *sides, 3, requires_grad=True)
    ENCODERS[name](planes(*sides, 3))._flat(obs).square().sum().backward()
    assert obs.grad.abs().sum((0, 3)).min() > 0


@pytest.mark.parametrize("name", ["cnn", "nature", "impala"])
def test_planes_and_the_transposed_image_give_the_same_features(name):
    last, first = ENCODERS[name](planes(40, 44, 3)), ENCODERS[name](image(3, 40, 44))
    first.load_state_dict(last.state_dict())
    obs = batch(planes(40, 44, 3))
    assert torch.allclose(last(obs), first(obs.permute(0, 3, 1, 2)), atol=1e-5)


@pytest.mark.parametrize("name", ENCODERS)
def test_an_observation_stays_as_it_is(name):
    obs = batch(planes(36, 36, 2)) - 0.5
    before = obs.clone()
    ENCODERS[name](planes(36, 36, 2))(obs)
    assert torch.equal(obs, before)


def test_published_architectures():
    def count(encoder):
        return sum(p.numel() for p in encoder.parameters())

    def convolutions(*pairs, kernel):
        return sum(kernel**2 * a * b + b for a, b in pairs)

    assert count(MinAtarCnn(planes(10, 10, 4))) == (9 * 4 * 16 + 16) + (1024 * 128 + 128)
    assert count(NatureCnn(image(4, 84, 84))) == 1_684_128  # DQN's without its last layer
    blocks = [(3, 16), *[(16, 16)] * 4, (16, 32), *[(32, 32)] * 4, (32, 32), *[(32, 32)] * 4]
    assert count(ImpalaCnn(image(3, 84, 84))) == convolutions(*blocks, kernel=3) + (11 * 11 * 32 * 256 + 256)


@pytest.mark.parametrize("name", ENCODERS)
def test_policies_begin_orthogonal(name):
    """Gain sqrt 2 in the encoder, 0.01 and 1 in the heads, no bias (Huang et al. 2022, "The 37 details of PPO")."""
    policy = POLICIES[name](planes(36, 36, 2), spaces.Discrete(3), lambda _: 1e-3)
    assert isinstance(policy.features_extractor, ENCODERS[name])
    layers = [m for m in policy.features_extractor.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    gains = {**dict.fromkeys(layers, 2**0.5), policy.action_net: 0.01, policy.value_net: 1.0}
    assert sum(p.numel() for layer in gains for p in layer.parameters()) == sum(p.numel() for p in policy.parameters())
    for layer, gain in gains.items():
        singular = torch.linalg.svdvals(layer.weight.detach().flatten(1))
        assert torch.allclose(singular, torch.full_like(singular, gain), rtol=1e-3)
        assert not layer.bias.any()


def test_arguments_reach_the_encoder():
    encoder = ImpalaCnn(planes(10, 10, 4), channels=(8, 8), width=32)
    assert encoder(batch(planes(10, 10, 4))).shape == (5, 32)
    policy = POLICIES["mlp"](
        planes(2, 2, 1), spaces.Discrete(2), lambda _: 1e-3, features_extractor_kwargs={"sizes": (16,)}
    )
    assert policy.features_dim == 16


def test_optimizer_of_a_policy():
    arguments = (planes(10, 10, 4), spaces.Discrete(2), lambda _: 1e-3)
    adam, muon = POLICIES["cnn"](*arguments).optimizer, POLICIES["cnn"](*arguments, optimizer_class=Muon).optimizer
    assert adam.defaults["fused"] and adam.defaults["eps"] == 1e-5
    assert isinstance(muon, Muon) and muon.defaults["lr"] == 1e-3


@pytest.mark.parametrize(
    ("name", "space", "message"),
    [
        ("nature", image(3, 35, 84), "'nature' needs at least 36x36 pixels, got 35x84: use 'impala'"),
        ("nature", planes(10, 10, 4), "'nature' needs at least 36x36 pixels, got 10x10: use 'impala'"),
        ("cnn", planes(1, 9, 2), "'cnn' needs at least 3x3 pixels, got 1x9: use 'impala'"),
        ("cnn", spaces.Box(-1, 1, (4,), np.float32), r"got observations of shape \(4,\): use 'mlp'"),
        ("impala", spaces.Box(-1, 1, (4, 4), np.float32), r"got observations of shape \(4, 4\): use 'mlp'"),
    ],
)
def test_what_an_encoder_cannot_take(name, space, message):
    with pytest.raises(OptionError, match=message):
        ENCODERS[name](space)
