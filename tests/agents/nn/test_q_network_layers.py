"""Noisy layers and layer normalisation of Q networks, against the formulas of the literature."""

import math

import pytest
import torch
from torch import nn

from ludus.agents.nn.noisy import NoisyLinear, draw_noise
from ludus.agents.nn.q_network import ChannelNorm
from tests.agents.nn.q_networks import CHOICES, FLOATS, IMAGE, PLANES, network_of, observations, policy_of

# -- noise -------------------------------------------------------------------------------------------------------------


def noisy_layer(inputs=6, outputs=3):
    torch.manual_seed(0)
    return NoisyLinear(nn.Linear(inputs, outputs))


def noise_of(layer):
    """What is added to the layer's weights and biases, found out by what it makes of unit vectors."""
    with torch.no_grad():
        bias = layer(torch.zeros(1, layer.in_features))[0]
        weight = (layer(torch.eye(layer.in_features)) - bias).T
        return weight - layer.weight, bias - layer.bias


def test_a_noisy_layer_is_a_plain_one_where_nobody_learns():
    layer, x = noisy_layer(), torch.randn(5, 6)
    layer.draw(torch.Generator().manual_seed(0))
    layer.eval()
    assert torch.allclose(layer(x), x @ layer.weight.T + layer.bias, atol=1e-6)
    layer.train()
    assert not torch.allclose(layer(x), x @ layer.weight.T + layer.bias, atol=1e-2)


@pytest.mark.parametrize("inputs", [1, 16])
def test_a_noisy_layer_begins_as_published(inputs):
    """Weights uniform up to 1 / sqrt(p), sigma 0.5 / sqrt(p), for p inputs (Fortunato et al. 2018, section 3.2)."""
    layer = noisy_layer(inputs, 2000)
    reach = 1 / math.sqrt(inputs)
    for weight, sigma in ((layer.weight, layer.weight_sigma), (layer.bias, layer.bias_sigma)):
        assert weight.abs().max() <= reach and weight.var().item() == pytest.approx(reach**2 / 3, rel=0.1)
        assert torch.allclose(sigma, torch.full_like(weight, 0.5 * reach))


def test_noise_of_a_layer_is_of_a_row_and_a_column():
    """Of rank 1: f(column) f(row) for weights, f(column) for biases, where f(x) = sgn(x) sqrt(|x|)."""
    layer, generator = noisy_layer(), torch.Generator().manual_seed(1)
    layer.draw(generator)
    weight, bias = noise_of(layer)
    weight, bias = weight / layer.weight_sigma, bias / layer.bias_sigma
    column = bias
    row = weight[0] / column[0]
    assert torch.allclose(weight, torch.outer(column, row), atol=1e-4)
    again = torch.Generator().manual_seed(1)
    normal = torch.empty(6).normal_(generator=again), torch.empty(3).normal_(generator=again)
    expected = [x.sign() * x.abs().sqrt() for x in normal]
    assert torch.allclose(row, expected[0], atol=1e-4) and torch.allclose(column, expected[1], atol=1e-4)


def test_noise_has_mean_0_and_the_variance_of_its_factors():
    """E f(x)^2 = E |x| = sqrt(2 / pi) for a normal x: once for biases, twice for weights."""
    layer, generator = noisy_layer(2, 2), torch.Generator().manual_seed(0)
    with torch.no_grad():
        layer.weight_sigma.copy_(torch.tensor([[1.0, 2.0], [3.0, 0.0]]))
        layer.bias_sigma.copy_(torch.tensor([1.0, 2.0]))
    drawn = []
    for _ in range(4000):
        layer.draw(generator)
        drawn.append(torch.cat([x.flatten() for x in noise_of(layer)]))
    drawn = torch.stack(drawn)
    share = math.sqrt(2 / math.pi)
    expected = torch.tensor([1.0, 4.0, 9.0, 0.0, 0.0, 0.0]) * share**2
    expected[4:] = torch.tensor([1.0, 4.0]) * share
    assert torch.allclose(drawn.var(0), expected, rtol=0.12, atol=1e-6)
    assert (drawn.mean(0).abs() < 4 * (expected / 4000).sqrt() + 1e-6).all()


def test_noise_repeats_from_a_seed_and_stays_until_it_is_drawn_again():
    network, obs = network_of("mlp", noisy=True, dueling=True), observations(PLANES)
    network.train()
    generator, values = torch.Generator(), []
    for seed in (1, 2, 1):
        draw_noise(network, generator.manual_seed(seed))
        values.append(network(obs))
        assert torch.equal(network(obs), values[-1])
    assert torch.equal(values[0], values[2]) and not torch.allclose(values[0], values[1], atol=1e-3)


@pytest.mark.parametrize(("name", "noisy"), [("mlp", 4), ("cnn", 3), ("MlpPolicy", 4)])
def test_all_fully_connected_layers_are_noisy_and_learn_how_much(name, noisy):
    """The two of a duel among them."""
    network = network_of(name, noisy=True, dueling=True)
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    assert len(linear) == noisy and all(type(layer) is NoisyLinear for layer in linear)
    network.train()
    draw_noise(network, torch.Generator().manual_seed(0))
    network(observations(PLANES)).square().sum().backward()
    assert all(layer.weight_sigma.grad.abs().sum() > 0 and layer.bias_sigma.grad.abs().sum() > 0 for layer in linear)


def test_a_policy_without_training_acts_without_noise():
    policy, obs = policy_of("mlp", noisy=True), observations(PLANES)
    draw_noise(policy, torch.Generator().manual_seed(0))
    policy.set_training_mode(True)
    noisy = policy.q_net(obs)
    policy.set_training_mode(False)
    plain = policy.q_net(obs)
    draw_noise(policy, torch.Generator().manual_seed(1))
    assert torch.equal(policy.q_net(obs), plain) and not torch.allclose(noisy, plain, atol=1e-3)


# -- normalisation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "space", "kinds"),
    [
        ("mlp", PLANES, [nn.LayerNorm] * 2),
        ("cnn", PLANES, [ChannelNorm, nn.LayerNorm]),
        ("nature", IMAGE, [ChannelNorm] * 3 + [nn.LayerNorm]),
        ("MlpPolicy", FLOATS, [nn.LayerNorm] * 2),
        ("CnnPolicy", IMAGE, [ChannelNorm] * 3 + [nn.LayerNorm]),
    ],
)
def test_what_goes_into_each_relu_is_normalised(name, space, kinds):
    """And nothing else is: neither observations nor what comes out."""
    network, seen = network_of(name, space, layer_norm=True), []
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_pre_hook(lambda _, x: seen.append(x[0].detach().clone()))
    norms = [module for module in network.modules() if isinstance(module, nn.LayerNorm)]
    network(observations(space, 4).float() * 3)
    assert [type(norm) for norm in norms] == kinds and len(seen) == len(kinds)
    for x in seen:  # (B, W), or (B, C, H, W) over channels; gain 1 and shift 0 at the start
        assert torch.allclose(x.mean(1), torch.zeros(()), atol=1e-5)
        assert torch.allclose(x.var(1, unbiased=False), torch.ones(()), atol=0.05)
    assert type(network.q_net[-1]) is nn.Linear


def test_residual_towers_are_normalised_where_a_relu_follows_a_layer():
    network = network_of("impala", IMAGE, layer_norm=True, features_extractor_kwargs={"channels": (4, 6)})
    norms = [type(module) for module in network.modules() if isinstance(module, nn.LayerNorm)]
    assert norms == [ChannelNorm] * 4 + [nn.LayerNorm]
    assert network(observations(IMAGE, 2)).shape == (2, CHOICES)


def test_channels_are_normalised_place_by_place():
    """(x - mean) / sqrt(variance + epsilon) over channels, times a gain for each, plus a shift."""
    norm, x = ChannelNorm(5), torch.randn(3, 5, 4, 2)
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
    mean, variance = x.mean(1, keepdim=True), x.var(1, unbiased=False, keepdim=True)
    expected = (x - mean) / (variance + norm.eps).sqrt()
    expected = expected * norm.weight.view(1, -1, 1, 1) + norm.bias.view(1, -1, 1, 1)
    assert torch.allclose(norm(x), expected, atol=1e-5)
