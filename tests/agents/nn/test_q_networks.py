"""Q networks, against Stable-Baselines3's and against the formulas of the literature."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.dqn import policies as stable
from torch import nn

from ludus.agents.nn.encoders import ENCODERS
from ludus.agents.nn.q_network import Duel, ImplicitQNet, QPolicy
from ludus.agents.nn.value_dists import Categorical, Quantile, Scalar
from tests.agents.nn.q_networks import CHOICES, DICTIONARY, FLOATS, IMAGE, PLANES, network_of, observations, policy_of

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
