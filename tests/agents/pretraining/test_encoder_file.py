"""Encoders on disk: what was written comes back, and what a stranger wrote does no harm."""

import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

import ludus
from ludus.agents.checkpoints.encoder_file import load_encoder, read_encoder, save_encoder
from ludus.agents.checkpoints.reader import digest_of
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.nn.classifier import Classifier
from ludus.agents.nn.text import TextConfig, TextEncoder
from ludus.agents.nn.vision import PictureEncoder, PlanesDecoder, for_pictures
from ludus.envs import OptionError

PLANES = ("ball", "paddle")


def decoder(**settings):
    config = for_pictures("grid", (32, 32, 3), (10, 10), **{"channels": 8, "depth": 1, "width": 16, **settings})
    return PlanesDecoder(PictureEncoder(config), PLANES)


@pytest.mark.parametrize(
    ("kind", "norm"),
    [(kind, norm) for kind in ("grid", "nature") for norm in ("none", "batch", "layer")] + [("impala", "none")],
)
def test_what_was_written_comes_back(tmp_path, kind, norm):
    network = PictureEncoder(for_pictures(kind, (40, 40, 3), (5, 7), norm=norm, channels=16, width=32)).eval()
    pictures = torch.randint(0, 255, (4, 3, 40, 40), dtype=torch.uint8)
    network.fit_statistics(pictures)
    save_encoder(tmp_path, network, {"figures": {"f1": 0.5}})
    back = read_encoder(tmp_path)
    assert torch.equal(back.encoder.network()(pictures), network(pictures))
    assert back.about == {"figures": {"f1": 0.5}} and back.encoder.config == network.config


def test_a_decoder_keeps_the_names_of_its_planes(tmp_path):
    network, pictures = decoder().eval(), torch.randint(0, 255, (4, 3, 32, 32), dtype=torch.uint8)
    save_encoder(tmp_path, network, {})
    back = load_encoder(tmp_path)
    assert back.planes == PLANES and torch.equal(back.network().decode(pictures), network.decode(pictures))


def test_another_encoder_takes_the_place_of_the_first(tmp_path):
    save_encoder(tmp_path, decoder(), {})
    save_encoder(tmp_path, decoder(), {})
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def doctored(folder, change):
    """The description in a folder with a change, under a digest that fits."""
    path = folder / "encoder.json"
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps({**facts, "sha256": digest_of(facts)}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda facts: facts.update(format=99), "has format 99"),
        (lambda facts: facts["config"].update(kind="odd"), "kind must be one of"),
        (lambda facts: facts["config"].update(shape=[32, 32]), "shape must be 3 numbers"),
        (lambda facts: facts["config"].update(shape=[10**9, 32, 3]), "shape must be a whole number"),
        (lambda facts: facts["config"].update(width=65_536), "is of another network"),
        (lambda facts: facts["config"].update(channels=60_000, depth=60), "is of another network"),
        (lambda facts: facts["config"].update(depth=2), "is of another network"),
        (lambda facts: facts["planes"].append("more"), "is of another network"),
        (lambda facts: facts["planes"].append(None), "planes must be words of at most"),
        (lambda facts: facts.pop("config"), "does not describe an encoder"),
        (lambda facts: facts["weights"].update(file="../../etc/passwd"), "weights cannot be in"),
        (lambda facts: facts["weights"].update(sha256="0"), "SHA-256"),
    ],
)
def test_what_a_stranger_wrote_is_refused_in_one_line(tmp_path, change, words):
    save_encoder(tmp_path, decoder(), {})
    doctored(tmp_path, change)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_encoder(tmp_path)
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    save_encoder(tmp_path, decoder(), {})
    (path,) = tmp_path.glob("*.safetensors")
    tensors = load_file(path)
    tensors["head.bias"][0] = torch.nan
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match="SHA-256"):
        load_encoder(tmp_path)


def test_a_folder_without_one_and_a_pipe_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"has no encoder\.json"):
        load_encoder(tmp_path)
    os.mkfifo(tmp_path / "encoder.json")
    with pytest.raises(CheckpointError):
        load_encoder(tmp_path)


def classifier(**settings):
    return Classifier(decoder().encoder, ("cat\n", "dog"), **settings).eval()


@pytest.mark.parametrize("several", [False, True])
def test_a_classifier_keeps_its_classes_and_tells_them(tmp_path, several):
    network, pictures = classifier(several=several), torch.randint(0, 255, (8, 3, 32, 32), dtype=torch.uint8)
    save_encoder(tmp_path, network, {})
    back = load_encoder(tmp_path).network()
    assert back.classes == ("cat\n", "dog") and back.several == several
    logits = network(pictures)
    assert torch.equal(back.predict(pictures), (logits > 0).to(torch.uint8) if several else logits.argmax(1))


def test_classes_are_told_of_arrays_texts_and_whatever_is_meant():
    network, pictures = classifier(), torch.randint(0, 255, (4, 3, 32, 32), dtype=torch.uint8)
    told = network.predict(pictures)
    for same in (pictures.numpy(), pictures / 255, pictures.double().numpy() / 255):
        assert torch.equal(network.predict(same), told)
    assert torch.allclose(network.probabilities(pictures).sum(1), torch.ones(4))
    for wrong, words in (
        (pictures[0], r"must be \(B, 3, 32, 32\), got \(3, 32, 32\)"),
        (pictures.permute(0, 2, 3, 1), r"got \(4, 32, 32, 3\)"),
        (pictures.float(), "uint8 or floats from 0 to 1, got numbers from 0 to 25"),
        (pictures.float() / 255 - 2, "floats from 0 to 1"),
        (torch.full((1, 3, 32, 32), torch.nan), "floats from 0 to 1"),
    ):
        with pytest.raises(OptionError, match=words):
            network.predict(wrong)
    texts = Classifier(TextEncoder(TextConfig(("good", "bad"), 8, 4, width=6)), ("yes", "no")).eval()
    tokens = texts.encoder.tokenizer.encode(["good", "bad bad"])
    assert torch.equal(texts.probabilities(["good", "bad bad"]), texts.probabilities(tokens))
    with pytest.raises(OptionError, match="a list of them"):
        texts.predict("good")


def test_an_encoder_of_texts_keeps_its_words(tmp_path):
    encoder = TextEncoder(TextConfig(("good", "bad", "\x1b"), 8, 4, width=6)).eval()
    save_encoder(tmp_path, encoder, {})
    back = load_encoder(tmp_path).network()
    assert torch.equal(back.encode(["good, not bad"]), encoder.encode(["good, not bad"]))
    save_encoder(tmp_path, Classifier(encoder, ("yes", "no")), {})
    assert load_encoder(tmp_path).network().encoder.config == encoder.config
    with pytest.raises(OptionError, match="the encoder reads texts"):
        ludus.PPO("cnn", ludus.make_sb3("Catch", 2, obs_type="rgb"), policy_kwargs={"encoder": tmp_path})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda facts: facts["config"].update(length=10**9), "length must be a whole number"),
        (lambda facts: facts["config"].update(words="good"), "words must be a list"),
        (lambda facts: facts["config"].update(words=["good", "bad", 7]), "words must be words of at most"),
        (lambda facts: facts["config"]["words"].append("more"), "is of another network"),
        (lambda facts: facts.update(planes=["ball"]), "there may be one"),
        (lambda facts: facts.update(classes=[], planes=["ball"]), "tells no planes"),
        (lambda facts: facts["classes"].append("more"), "is of another network"),
    ],
)
def test_nor_does_a_doctored_classifier_of_texts(tmp_path, change, words):
    network = Classifier(TextEncoder(TextConfig(("good", "bad"), 8, 4, width=6)), ("yes", "no"))
    save_encoder(tmp_path, network, {})
    doctored(tmp_path, change)
    with pytest.raises(CheckpointError, match=words):
        load_encoder(tmp_path)


def test_names_and_words_of_data_sets_come_back_however_many_and_odd_they_are(tmp_path):
    odd = ("a\nb", "\x1b[31m", "\udc80", "я" * 1000)
    planes = (*odd, *(f"plane {k}" for k in range(400)))
    save_encoder(tmp_path / "planes", PlanesDecoder(decoder().encoder, planes), {})
    assert load_encoder(tmp_path / "planes").planes == planes
    words = tuple(f"{'слово' * 2}{k}" for k in range(20_000))  # above 1 MB where letters are escaped
    save_encoder(tmp_path / "words", TextEncoder(TextConfig(words, 8, 2, width=2)), {})
    assert load_encoder(tmp_path / "words").network().config.words == words


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (lambda: Classifier(decoder().encoder, ("cat", "d" * 1001)), "classes must be words of at most 1000"),
        (lambda: PlanesDecoder(decoder().encoder, [str(k) for k in range(10_001)]), "planes must be a list of at most"),
        (lambda: TextEncoder(TextConfig(("a" * 2000,), 8, 2, width=2)), "words must be words of at most"),
        (lambda: TextEncoder(TextConfig((), 65_537, 2, width=2)), "length must be a whole number from 1 to 65536"),
        (
            lambda: TextEncoder(TextConfig(("a" * 900,) * 30_000, 8, 1, width=1)),
            "would have .* MB, and 20 MB can be read",
        ),
    ],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path, network, said):
    save_encoder(tmp_path, decoder(), {})
    there = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match=said) as caught:
        save_encoder(tmp_path, network(), {})
    assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == there
