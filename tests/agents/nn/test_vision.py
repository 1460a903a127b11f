"""Picture encoders: what goes in, what they are made of, and batch normalization in the weights."""

import pytest
import torch

from ludus.agents.nn.classifier import Classifier
from ludus.agents.nn.frozen import AT_ONCE, FrozenEncoder
from ludus.agents.nn.pretrained import Pretrained
from ludus.agents.nn.vision import ClonedPolicy, EncoderConfig, PictureEncoder, PlanesDecoder, for_pictures
from ludus.envs import OptionError

ON = {
    "nothing": lambda encoder: encoder,
    "planes": lambda encoder: PlanesDecoder(encoder, ["ball", "paddle"]),
    "actions": lambda encoder: ClonedPolicy(encoder, ["up", "down", "fire"]),
}


def some_pictures(n=8, size=40):
    """(n, 3, size, size) uint8, in the memory's order of what environments give: the channels last."""
    return torch.randint(0, 255, (n, size, size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)


def trained(kind, stands, **settings):
    """A network whose batch statistics and affine weights are not those of the beginning."""
    torch.manual_seed(0)
    encoder = PictureEncoder(for_pictures(kind, (40, 40, 3), (5, 7), **{"channels": 8, "width": 16, **settings}))
    encoder.fit_statistics(some_pictures())
    network = ON[stands](encoder)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.weight, 1, 0.3)
            torch.nn.init.normal_(module.bias, 0, 0.3)
    for _ in range(5):
        network(some_pictures())
    return network.eval()


def as_pretrained(network):
    names = {name: getattr(network, name, ()) for name in ("planes", "actions")}
    config = getattr(network, "encoder", network).config
    return Pretrained(config, **names, weights=network.state_dict())


@pytest.mark.parametrize("sides", [(36, 36), (60, 64), (64, 64), (84, 84), (83, 90)])
@pytest.mark.parametrize("kind", ["grid", "nature", "small", "impala"])
def test_every_pixel_is_seen(kind, sides):
    torch.manual_seed(0)
    pictures = torch.rand(2, 3, *sides, requires_grad=True)
    PictureEncoder(for_pictures(kind, (*sides, 3), (10, 10))).spatial(pictures).square().sum().backward()
    assert pictures.grad.abs().sum((0, 1)).min() > 0


@pytest.mark.parametrize("stands", ON)
@pytest.mark.parametrize("kind", ["grid", "nature", "small"])
def test_batch_normalization_goes_into_the_weights(kind, stands):
    network, seen = trained(kind, stands, norm="batch"), some_pictures()
    before = as_pretrained(network)
    after = before.for_agents()
    assert before.config.norm == "batch" and after.config.norm == "none" and after.for_agents() is after
    torch.testing.assert_close(after.network()(seen), network(seen), rtol=1e-4, atol=1e-4)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in after.network().modules())


def test_agents_take_no_classifier():
    """Whose classes may be so many that no agent's file could be read with them."""
    encoder = trained("nature", "nothing", norm="batch")
    told = Pretrained(encoder.config, classes=("cat", "dog"), weights=Classifier(encoder, ("cat", "dog")).state_dict())
    taken, seen = told.for_agents(), some_pictures()
    assert taken.classes == () and "classes" not in taken.facts()
    torch.testing.assert_close(taken.network()(seen), encoder(seen), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_other_normalization_stays(norm):
    told = as_pretrained(trained("grid", "planes", norm=norm))
    assert told.for_agents() is told


def test_pictures_of_whole_numbers_and_of_floats_are_standardized_alike():
    encoder, seen = trained("grid", "nothing"), some_pictures(200)
    encoder.fit_statistics(seen)
    whole = encoder.standardized(seen)
    torch.testing.assert_close(whole, encoder.standardized(seen.float() / 255))
    assert whole.mean(0).abs().max() < 1e-4 and whole.std() == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize("decode", [True, False])
def test_many_pictures_are_encoded_as_few_are(decode):
    frozen = FrozenEncoder(as_pretrained(trained("grid", "planes")), decode)
    seen = some_pictures(2 * AT_ONCE + 3)
    together, single = frozen(seen), torch.cat([frozen(some) for some in seen.split(AT_ONCE // 2)])
    torch.testing.assert_close(together, single)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("nature", {"depth": 3}),
        ("small", {"depth": 1}),
        ("impala", {"norm": "batch"}),
        ("impala", {"activation": "silu"}),
    ],
)
def test_settings_that_an_encoder_makes_no_use_of_are_refused(kind, settings):
    with pytest.raises(OptionError, match=f"{next(iter(settings))} .* encoder '{kind}'.*leave it out"):
        PictureEncoder(EncoderConfig(kind, (64, 64, 3), **settings))
