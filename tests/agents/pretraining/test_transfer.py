"""The frozen encoder of one task as features for another."""

import numpy as np
import pytest
import torch

from ludus.agents.nn.text import TextConfig, TextEncoder
from ludus.agents.nn.vision import PictureEncoder, for_pictures
from ludus.agents.pretraining.datasets import load_examples
from ludus.agents.pretraining.datasets.examples import Examples, parts_of
from ludus.agents.pretraining.methods.classify import Classify, Inputs
from ludus.agents.pretraining.trainer import Trainer
from ludus.agents.pretraining.transfer import features, transfer
from ludus.envs import OptionError

pytestmark = pytest.mark.usefixtures("one_thread")


def encoder_of(examples):
    torch.manual_seed(0)
    encoder = PictureEncoder(for_pictures("small", examples.inputs.shape[1:], None, width=64))
    encoder.fit_statistics(Inputs(examples)[torch.from_numpy(examples.rows("train"))])
    return encoder


def test_some_digits_help_to_tell_others():
    digits = load_examples("digits")
    known, new = digits.only("01234"), digits.only("56789")
    encoder = encoder_of(known)
    Trainer(Classify(encoder, known, Inputs(known)), learning_rate=2e-3, time_limit=20, epochs=8, looks=4).train()
    before = {name: x.clone() for name, x in encoder.state_dict().items()}
    figures = transfer(encoder, new, labels=50)
    assert all(torch.equal(x, before[name]) for name, x in encoder.state_dict().items())
    assert figures["accuracy"] > figures["random_accuracy"] + 0.02
    assert transfer(encoder, new, labels=50) == figures
    assert transfer(encoder, new)["accuracy"] > figures["accuracy"]


def test_pictures_of_another_size_and_colour_are_made_to_fit():
    digits = load_examples("digits")
    encoder = encoder_of(digits)
    large = digits.inputs.repeat(2, 1).repeat(2, 2).repeat(3, 3)
    other = Examples("large", large, digits.labels, digits.class_names, digits.part)
    rows = np.arange(5)
    assert other.inputs.shape[1:] == (16, 16, 3)
    np.testing.assert_allclose(features(encoder, other, rows), features(encoder, digits, rows), atol=0.5)
    assert features(encoder, digits, rows, spatial=True).shape == (5, np.prod(encoder.map_shape))


def test_what_does_not_fit_is_refused():
    digits = load_examples("digits")
    encoder, tokens = encoder_of(digits), np.arange(400, dtype=np.int32).reshape(100, 4)
    texts = Examples("texts", tokens, np.arange(100) % 2, ("a", "b"), parts_of(tokens), ("one",))
    with pytest.raises(OptionError, match="texts has texts: the encoder is not for them"):
        transfer(encoder, texts)
    with pytest.raises(OptionError, match="texts was read with other words than the encoder's"):
        transfer(TextEncoder(TextConfig(("two",), 4)), texts)
    with pytest.raises(OptionError, match="the 1 labels are all of one class: give more"):
        transfer(encoder, digits, labels=1)
