"""Networks that say what actions are worth, against Stable-Baselines3's and against the formulas of the literature."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.dqn import policies as stable
from torch import nn

from ludus.agents.nn.encoders import ENCODERS
from ludus.agents.nn.noisy import NoisyLinear, draw_noise
from ludus.agents.nn.q_network import Q_POLICIES, ChannelNorm, Duel, ImplicitQNet, QPolicy
from ludus.agents.nn.value_dists import Categorical, Quantile, Scalar

PLANES = spaces.Box(0, 1, (5, 6, 3), np.uint8)
IMAGE = spaces.Box(0, 255, (3, 36, 36), np.uint8)
FLOATS = spaces.Box(-1, 1, (7,), np.float32)
DICTIONARY = spaces.Dict({"image": IMAGE, "place": FLOATS, "kind": spaces.Discrete(4)})
CHOICES = 4


def policy_of(name="mlp", space=PLANES, choices=CHOICES, **kwargs):
    torch.manual_seed(0)
    return Q_POLICIES[name](space, spaces.Discrete(choices), lambda _: 1e-3, **kwargs)


def network_of(name="mlp", space=PLANES, **kwargs):
    return policy_of(name, space, **kwargs).q_net


def observations(space, count=9, seed=0):
    space.seed(seed)
    samples = [space.sample() for _ in range(count)]
    if isinstance(space, spaces.Dict):
        return {name: torch.as_tensor(np.stack([sample[name] for sample in samples])) for name in space.spaces}
    return torch.as_tensor(np.stack(samples))


# -- the plain network -------------------------------------------------------------------------------------------------

THEIRS = {
    "planes": ("MlpPolicy", stable.MlpPolicy, PLANES, {}),
    "floats": ("MlpPolicy", stable.MlpPolicy, FLOATS, {"net_arch": [9, 5], "activation_fn": nn.Tanh}),
    "images": ("CnnPolicy", stable.CnnPolicy, IMAGE, {}),
    "images as they are": ("MlpPolicy", stable.MlpPolicy, IMAGE, {"normalize_images": False, "net_arch": [8]}),
    "dictionaries": ("MultiInputPolicy", stable.MultiInputPolicy, DICTIONARY, {"net_arch": [16]}),
    "numbers": ("MlpPolicy", stable.MlpPolicy, spaces.Discrete(5), {}),
    "several numbers": ("MlpPolicy", stable.MlpPolicy, spaces.MultiDiscrete([3, 4]), {}),
    "bits": ("MlpPolicy", stable.MlpPolicy, spaces.MultiBinary(6), {}),
}


@pytest.mark.parametrize("kind", [*THEIRS])
def test_without_options_it_is_the_network_of_stable_baselines3(kind):
    """Weight by weight, also as it begins; and the target network is the same one."""
    name, their_class, space, kwargs = THEIRS[kind]
    ours = policy_of(name, space, **kwargs)
    torch.manual_seed(0)
    theirs = their_class(space, spaces.Discrete(CHOICES), lambda _: 1e-3, **kwargs)
    ours_begins, theirs_begins = ours.state_dict(), theirs.state_dict()
    assert list(ours_begins) == list(theirs_begins)
    assert all(torch.equal(ours_begins[name], theirs_begins[name]) for name in ours_begins)
    with torch.no_grad():
        for weight in theirs.q_net.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    ours.load_state_dict(theirs.state_dict())
    obs = observations(space)
    assert ours.q_net(obs).shape == (9, CHOICES)
    for network in ("q_net", "q_net_target"):
        assert torch.allclose(getattr(ours, network)(obs), getattr(theirs, network)(obs), atol=1e-6)
    assert torch.equal(ours._predict(obs), theirs._predict(obs))


@pytest.mark.parametrize(("normalize", "divisor"), [(True, 255.0), (False, 1.0)])
def test_images_are_divided_by_255_unless_told_otherwise(normalize, divisor):
    network = network_of("impala", IMAGE, normalize_images=normalize)
    obs = observations(IMAGE, 3)
    assert torch.allclose(network.extract_features(obs), network.features_extractor(obs.float() / divisor))


@pytest.mark.parametrize("space", [PLANES, FLOATS])
def test_what_is_no_image_is_taken_as_it_is(space):
    network, obs = network_of("mlp", space), observations(space)
    assert torch.equal(network.extract_features(obs), network.features_extractor(obs.float()))
    assert obs.dtype == torch.as_tensor(np.zeros(1, space.dtype)).dtype


@pytest.mark.parametrize("name", ["mlp", "cnn", "nature", "impala"])
def test_policies_by_name_are_a_layer_on_the_encoder_of_that_name(name):
    network = network_of(name, IMAGE)
    assert type(network.features_extractor) is ENCODERS[name]
    (last,) = network.q_net
    obs = observations(IMAGE, 2)
    features = network.features_extractor(obs / 255)
    assert torch.allclose(network(obs), features @ last.weight.T + last.bias, atol=1e-6)


@pytest.mark.parametrize("kwargs", [{}, {"dueling": True}, {"implicit": True, "distribution": Quantile(8)}])
@pytest.mark.parametrize("name", ["mlp", "MlpPolicy"])
def test_a_policy_that_was_written_is_read_again(tmp_path, name, kwargs):
    policy, obs = policy_of(name, **kwargs), observations(PLANES)
    policy.save(tmp_path / "policy.pt")
    again = type(policy).load(tmp_path / "policy.pt", "cpu")
    assert torch.equal(again.q_net(obs), policy.q_net(obs))


# -- dueling -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [2, 7, 64])
@pytest.mark.parametrize("atoms", [1, 5])
def test_a_dueling_network_adds_centred_advantages_to_a_value(width, atoms):
    """Q = V + A - mean A, atom by atom, each from its half of the last hidden layer (Wang et al. 2016, equation 9)."""
    distribution = Scalar() if atoms == 1 else Quantile(atoms)
    network = network_of("MlpPolicy", net_arch=[11, width], dueling=True, distribution=distribution)
    obs, duel = observations(PLANES), network.q_net[-1]
    hidden = network.q_net[:-1](obs.float().flatten(1))
    left, right = hidden[:, : width // 2], hidden[:, width // 2 :]
    advantage = (left @ duel.advantage.weight.T + duel.advantage.bias).view(-1, CHOICES, atoms)
    value = right @ duel.value.weight.T + duel.value.bias
    out = network.outputs(obs)
    assert type(duel) is Duel and out.shape == (9, CHOICES, atoms)
    assert torch.allclose(out, value[:, None] + advantage - advantage.mean(1, keepdim=True), atol=1e-5)
    assert torch.allclose(out.mean(1), value, atol=1e-5)  # so the advantages' mean vanishes


@pytest.mark.parametrize("implicit", [False, True])
def test_a_common_shift_of_advantages_changes_nothing(implicit):
    network = network_of(dueling=True, implicit=implicit, distribution=Quantile(6) if implicit else None)
    obs = observations(PLANES)
    before = network(obs)
    with torch.no_grad():
        network.q_net[-1].advantage.bias += 5.0
        assert torch.allclose(network(obs), before, atol=1e-5)
        network.q_net[-1].value.bias += 5.0
        assert torch.allclose(network(obs), before + 5.0, atol=1e-5)


WIDTHS = {  # encoder's name and arguments -> width of its last layer for one decision
    "mlp": ("mlp", {}, 128),
    "mlp of other sizes": ("mlp", {"sizes": (9, 12, 7)}, 7),
    "cnn": ("cnn", {}, 128),
    "cnn of another width": ("cnn", {"channels": 3, "width": 24}, 24),
    "nature": ("nature", {}, 512),
    "impala": ("impala", {"channels": (2, 3), "width": 10}, 10),
}


@pytest.mark.parametrize("kind", [*WIDTHS])
def test_each_half_of_a_duel_has_the_width_of_a_whole_encoder(kind):
    name, kwargs, width = WIDTHS[kind]
    single = network_of(name, IMAGE, features_extractor_kwargs=kwargs)
    duel = network_of(name, IMAGE, features_extractor_kwargs=kwargs, dueling=True)
    assert single.features_extractor.features_dim == single.q_net[-1].in_features == width
    assert duel.q_net[-1].advantage.in_features == duel.q_net[-1].value.in_features == width
    assert duel(observations(IMAGE, 2)).shape == (2, CHOICES)


def test_encoders_with_hidden_layers_after_them_and_those_of_others_keep_their_width():
    after = network_of("mlp", net_arch=[20], dueling=True)
    assert after.features_extractor.features_dim == 128 and after.q_net[-1].value.in_features == 10
    others = network_of("CnnPolicy", IMAGE, dueling=True)
    assert others.features_extractor.features_dim == 512 and others.q_net[-1].value.in_features == 256
    given = {"sizes": (6, 8)}
    network_of("mlp", dueling=True, features_extractor_kwargs=given)
    assert given == {"sizes": (6, 8)}


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


# -- distributions -----------------------------------------------------------------------------------------------------

DISTRIBUTIONS = {
    "a number": (Scalar(), 1, lambda out: out[..., 0]),
    "c51": (Categorical(-2.0, 6.0, 51), 51, lambda out: out.softmax(-1) @ torch.linspace(-2.0, 6.0, 51)),
    "c51 of 7": (Categorical(0.0, 1.0, 7), 7, lambda out: out.softmax(-1) @ (torch.arange(7) / 6)),
    "qr": (Quantile(32), 32, lambda out: out.mean(-1)),
}  # fmt: skip


@pytest.mark.parametrize("dueling", [False, True])
@pytest.mark.parametrize("kind", [*DISTRIBUTIONS])
@pytest.mark.parametrize("name", ["mlp", "cnn", "MlpPolicy"])
def test_values_are_the_means_of_distributions(name, kind, dueling):
    distribution, atoms, mean = DISTRIBUTIONS[kind]
    network, obs = network_of(name, distribution=distribution, dueling=dueling), observations(PLANES)
    out = network.outputs(obs)
    assert out.shape == (9, CHOICES, atoms)
    assert network(obs).shape == (9, CHOICES) and torch.allclose(network(obs), mean(out), atol=1e-5)
    raw = network.q_net(network.extract_features(obs))
    assert raw.shape == (9, (CHOICES + dueling) * atoms)
    assert torch.equal(network.assemble(raw), out)


def test_numbers_of_an_action_lie_side_by_side():
    network = network_of(distribution=Quantile(3))
    raw = torch.arange(2.0 * CHOICES * 3).view(2, -1)
    assert torch.equal(network.assemble(raw)[1, 2], raw[1, 6:9])


@pytest.mark.parametrize("dueling", [False, True])
@pytest.mark.parametrize("name", ["mlp", "MlpPolicy"])
def test_quantiles_are_of_the_fractions_asked_for(name, dueling):
    """From hidden(x) * relu(W cos(pi i tau) + b), i from 1 to 64 (Dabney et al. 2018b, equation 4)."""
    network = network_of(name, implicit=True, distribution=Quantile(8), dueling=dueling)
    obs, fractions = observations(PLANES, 5), torch.rand(5, 12, generator=torch.Generator().manual_seed(0))
    out = network.outputs(obs, fractions)
    assert type(network) is ImplicitQNet and out.shape == (5, CHOICES, 12)
    layer = network.embedding[0]
    hidden = network.q_net[:-1](network.extract_features(obs))
    for b in range(5):
        for k in range(12):
            waves = torch.tensor([math.cos(math.pi * i * float(fractions[b, k])) for i in range(1, 65)])
            embedded = torch.relu(layer.weight @ waves + layer.bias)
            expected = network.assemble(network.q_net[-1]((hidden[b] * embedded).unsqueeze(0)))[0, :, 0]
            assert torch.allclose(out[b, :, k], expected, atol=1e-4)


def test_fractions_matter_and_their_order_does_not():
    network, obs = network_of(implicit=True, distribution=Quantile(8)), observations(PLANES, 5)
    fractions = torch.rand(5, 12, generator=torch.Generator().manual_seed(0))
    out = network.outputs(obs, fractions)
    assert torch.allclose(network.outputs(obs, fractions.flip(1)), out.flip(2), atol=1e-6)
    assert not torch.allclose(network.outputs(obs, fractions * 0.5), out, atol=1e-3)
    assert (out.std(2) > 1e-4).all()


def test_values_of_quantiles_of_any_fraction_are_over_equal_steps():
    network, obs = network_of(implicit=True, distribution=Quantile(4)), observations(PLANES, 5)
    middles = torch.tensor([0.125, 0.375, 0.625, 0.875]).expand(5, -1)
    assert torch.equal(network.outputs(obs), network.outputs(obs, middles))
    assert torch.allclose(network(obs), network.outputs(obs, middles).mean(-1))


# -- dictionaries ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"dueling": True, "distribution": Quantile(5)},
        {"implicit": True, "distribution": Quantile(5), "layer_norm": True},
        {"noisy": True, "distribution": Categorical(-1, 1)},
    ],
)
def test_dictionaries_of_observations_have_values_that_depend_on_every_part(kwargs):
    network, obs = network_of("MultiInputPolicy", DICTIONARY, **kwargs), observations(DICTIONARY, 6)
    values = network(obs)
    assert values.shape == (6, CHOICES)
    for name in DICTIONARY.spaces:
        changed = {**obs, name: obs[name].flip(0)}
        assert not torch.allclose(network(changed), values, atol=1e-6), name
    values.square().sum().backward()
    assert all(weight.grad is not None for name, weight in network.named_parameters() if "sigma" not in name)


def test_the_target_network_begins_as_the_online_one():
    policy = policy_of("cnn", dueling=True, noisy=True, layer_norm=True, distribution=Categorical(-1, 1))
    online, target = policy.q_net.state_dict(), policy.q_net_target.state_dict()
    assert isinstance(policy, QPolicy) and list(online) == list(target)
    assert all(torch.equal(online[name], target[name]) for name in online)
    assert online["q_net.0.value.weight"].data_ptr() != target["q_net.0.value.weight"].data_ptr()
