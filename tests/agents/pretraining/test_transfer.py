"""The frozen encoder of one task as features for another."""

import re
from dataclasses import replace
from textwrap import dedent

import numpy as np
import pytest
import torch

from ludus.agents.nn.text import TextConfig, TextEncoder
from ludus.agents.nn.vision import PictureEncoder, for_pictures
from ludus.agents.pretraining import transfer as module
from ludus.agents.pretraining.datasets import load_examples
from ludus.agents.pretraining.datasets.examples import Examples, parts_of
from ludus.agents.pretraining.methods.classify import Inputs
from ludus.agents.pretraining.run import pretrain
from ludus.agents.pretraining.transfer import features, transfer
from ludus.envs import OptionError


def encoder_of(examples):
    torch.manual_seed(0)
    encoder = PictureEncoder(for_pictures("small", examples.inputs.shape[1:], None, width=64))
    encoder.fit_statistics(Inputs(examples)[torch.from_numpy(examples.rows("train"))])
    return encoder


def test_the_example_does_what_it_says():
    example = dedent(re.search(r":\n\n(    .*?)\n\n", module.__doc__, re.DOTALL)[1])
    names = {"load_examples": load_examples, "pretrain": pretrain, "transfer": transfer}
    exec(example, names)
    encoder, new, figures = (names[name] for name in ("encoder", "new", "figures"))
    assert {*figures} == {"accuracy", "f1", "random_accuracy", "random_f1"}
    assert min(figures.values()) > 0.5  # of five classes
    before = {name: x.clone() for name, x in encoder.state_dict().items()}
    assert transfer(encoder, new, labels=25) == figures
    assert all(torch.equal(x, before[name]) for name, x in encoder.state_dict().items())
    assert transfer(encoder, new)["accuracy"] > figures["accuracy"]


def test_what_one_task_taught_helps_with_another():
    """Faint patterns in noise: who learned all four of them tells from few labels to which half one belongs."""
    rng = np.random.default_rng(0)
    patterns, labels = rng.integers(0, 60, (4, 16, 16, 1)), rng.integers(0, 4, 800)
    pictures = (patterns[labels] + rng.integers(0, 190, (800, 16, 16, 1))).astype(np.uint8)
    first = Examples("patterns", pictures, labels, tuple("abcd"), parts_of(pictures))
    second = Examples("halves", pictures, labels % 2, ("even", "odd"), first.part)
    settings = {"channels": 16, "width": 32, "norm": "batch"}
    result = pretrain(first, settings=settings, time_limit=30, epochs=15, looks=3)
    assert result.figures["accuracy"] > 0.8
    figures = transfer(result.network, second, labels=30, spatial=False)
    assert figures["accuracy"] > figures["random_accuracy"] + 0.1


def test_pictures_of_another_size_and_colour_are_made_to_fit():
    digits, rows = load_examples("digits"), np.arange(5)
    encoder = encoder_of(digits)
    coloured = replace(digits, inputs=digits.inputs.repeat(3, 3))
    expected = features(encoder, digits, rows)
    assert expected.shape == (5, np.prod(encoder.map_shape))
    np.testing.assert_allclose(features(encoder, coloured, rows), expected, atol=1e-4)
    large = replace(coloured, inputs=np.full((1797, 16, 20, 3), 99, np.uint8))  # of one gray, which resizing keeps
    gray = replace(digits, inputs=np.full((1797, 8, 8, 1), 99, np.uint8))
    np.testing.assert_allclose(features(encoder, large, rows), features(encoder, gray, rows), atol=1e-4)


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
