"""A training begins from an encoder that other data or another method has trained."""

import pytest
import torch

from ludus.agents import load_encoder
from ludus.agents.pretraining import collect_frames, pretrain
from ludus.agents.pretraining.run import method_of
from ludus.cli.pretrain import main
from ludus.envs import OptionError


@pytest.fixture(scope="module")
def frames():
    return collect_frames("Catch", 640, size=40)


@pytest.fixture(scope="module")
def decoder(frames):
    return pretrain(frames, "planes", "grid", settings={"channels": 8}, epochs=1).network


def test_new_data_goes_on_where_the_old_ended(decoder):
    new = collect_frames("Catch", 640, size=40, seed=5)
    begun = method_of(new, "planes", None, {}, start=decoder).network
    for name, weight in decoder.state_dict().items():
        assert torch.equal(weight, begun.state_dict()[name]), name
    result = pretrain(new, "planes", epochs=1, start=decoder)
    assert not torch.equal(result.network.head.weight, decoder.head.weight)
    assert torch.equal(decoder.head.weight, begun.head.weight)  # what it began from stays as it was


def test_another_method_takes_the_encoder_alone(frames):
    encoder = pretrain(frames, "autoencoder", "grid", settings={"channels": 8}, epochs=1).network
    begun = method_of(frames, "planes", None, {}, start=encoder).network
    for name, weight in encoder.state_dict().items():
        assert torch.equal(weight, begun.encoder.state_dict()[name]), name
    assert all(weight.requires_grad for weight in begun.parameters())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"encoder": "grid"}, "brings its own encoder: leave out encoder and its settings"),
        ({"settings": {"width": 64}}, "brings its own encoder: leave out encoder and its settings"),
    ],
)
def test_settings_beside_it_are_refused(frames, decoder, given, message):
    with pytest.raises(OptionError, match=message):
        pretrain(frames, "planes", epochs=1, start=decoder, **given)


def test_what_does_not_fit_is_refused(frames, decoder):
    with pytest.raises(OptionError, match="sees pictures of 40x40x3, these are of 48x48x3"):
        pretrain(collect_frames("Catch", 640, size=48), "planes", start=decoder)
    nature = pretrain(frames, "autoencoder", "nature", settings={"width": 16}, epochs=1).network
    with pytest.raises(OptionError, match="rows and columns"):
        pretrain(frames, "planes", start=nature)


def test_the_command_line_starts_from_a_folder(tmp_path, capsys):
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    small = ["--frames", "640", "--size", "40", "--no-plots", "--epochs", "1"]
    assert (
        main(["Catch", "--method", "autoencoder", "--encoder", "grid", "--channels", "8", "--out", first, *small]) == 0
    )
    assert main(["Catch", "--start", first, "--out", second, *small]) == 0
    assert load_encoder(second).network().encoder.config == load_encoder(first).network().config
    with pytest.raises(OptionError, match="--start brings its own encoder: leave out --width"):
        main(["Catch", "--start", first, "--width", "8", "--out", str(tmp_path / "third"), *small])
