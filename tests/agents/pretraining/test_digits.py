"""Pictures from outside, learned from end to end, and how good that is."""

import numpy as np
import pytest
import torch

from ludus.agents.nn.vision import PictureEncoder, for_pictures
from ludus.agents.pretraining.datasets import load_examples
from ludus.agents.pretraining.datasets.examples import LEFT_OUT, Examples, allocate, parts_of
from ludus.agents.pretraining.frames import PARTS
from ludus.agents.pretraining.methods.classify import Classify, Inputs
from ludus.agents.pretraining.run import pretrain
from ludus.agents.pretraining.trainer import Trainer
from ludus.envs import OptionError


@pytest.fixture(scope="module")
def digits():
    return load_examples("digits")


def classifier(examples, device="cpu", seed=0, **settings):
    torch.manual_seed(seed)
    encoder = PictureEncoder(for_pictures("small", examples.inputs.shape[1:], None, width=128))
    inputs = Inputs(examples, device)
    encoder.fit_statistics(inputs[torch.from_numpy(examples.rows("train"))])
    return Classify(encoder, examples, inputs, **settings)


def test_digits_are_there_without_a_download(digits):
    assert digits.inputs.shape == (1797, 8, 8, 1) and digits.inputs.dtype == np.uint8
    assert digits.inputs.max() == 255
    assert digits.labels.shape == (1797,) and set(digits.labels) == set(range(10))
    sizes = [len(digits.rows(part)) for part in PARTS]
    assert sum(sizes) == 1797 and min(sizes) > 100


def test_an_encoder_learns_digits_in_seconds(digits):
    result = pretrain(digits, time_limit=None, epochs=12, looks=3)  # some seconds
    figures, method, loss = result.figures, result.method, result.history.loss
    assert figures["accuracy"] >= 0.94  # of 157 pictures; longer trainings, with augmentation, come to 0.98 and above
    assert figures["f1"] == pytest.approx(np.mean([figures[f"f1/{name}"] for name in digits.class_names]))
    assert loss[-1] < loss[0]
    table = method.confusion("test")
    assert table.sum() == len(digits.rows("test"))
    assert np.trace(table) / table.sum() == pytest.approx(figures["accuracy"])


def few(labels, classes=2, part=None):
    """Examples of noise with these labels."""
    labels = np.asarray(labels)
    pictures = np.random.default_rng(0).integers(0, 256, (len(labels), 8, 8, 1), np.uint8)
    part = parts_of(pictures) if part is None else part
    return Examples("few", pictures, labels, tuple("abcdefgh"[:classes]), part)


def test_rare_classes_weigh_as_much_if_that_is_asked_for():
    labels = np.array([0] * 90 + [1] * 10)
    method = classifier(few(labels), class_weight="balanced")
    train = labels[method.examples.rows("train")]
    totals = [float(method.weight[k]) * (train == k).sum() for k in (0, 1)]
    assert totals[0] == pytest.approx(totals[1])
    assert classifier(few(labels)).weight is None
    with pytest.raises(OptionError, match="class_weight must be 'balanced' or None, got 'rare'"):
        classifier(few(labels), class_weight="rare")


def test_several_classes_of_an_example_are_learned():
    rng = np.random.default_rng(1)
    labels = (rng.random((600, 3)) < [0.5, 0.2, 0.1]).astype(np.uint8)
    pictures = np.zeros((600, 12, 12, 1), np.uint8)
    for k in range(3):
        pictures[:, 4 * k : 4 * k + 4] = labels[:, k, None, None, None] * 200
    pictures += rng.integers(0, 50, pictures.shape, np.uint8)
    examples = Examples("bars", pictures, labels, ("top", "middle", "bottom"), parts_of(pictures))
    method = classifier(examples, class_weight="balanced")
    before = method.figures("test")["f1"]
    Trainer(method, time_limit=10, epochs=6, looks=2).train()
    figures = method.figures("test")
    assert before < 0.9 < figures["f1"] and figures["accuracy"] > 0.95
    assert method.predict(torch.arange(5)).shape == (5, 3)
    with pytest.raises(OptionError, match="none is taken for another"):
        method.confusion("test")


def test_precision_and_recall_are_those_of_scikit_learn(digits):
    from sklearn.metrics import precision_recall_fscore_support

    method = classifier(digits)
    figures = method.figures("validation")
    rows = digits.rows("validation")
    predicted = method.predict(torch.from_numpy(rows))
    expected = precision_recall_fscore_support(digits.labels[rows], predicted, labels=range(10), zero_division=np.nan)
    for name, values in zip(("precision", "recall"), expected, strict=False):
        np.testing.assert_allclose([figures.get(f"{name}/{k}", np.nan) for k in range(10)], values)


def test_classes_at_cells_are_for_another_method():
    labels = np.zeros((100, 2, 2, 2), np.uint8)
    with pytest.raises(OptionError, match=r"classes at cells: train the method planes on examples\.frames\(\)"):
        classifier(few(labels))


def test_examples_too_few_are_refused():
    with pytest.raises(OptionError, match="few has 3 examples and none of them is of the"):
        few([0, 1, 0])
    with pytest.raises(OptionError, match="few has one class"):
        few([0] * 100, classes=1)


def test_no_example_is_in_two_parts():
    pictures = np.random.default_rng(0).integers(0, 256, (200, 4, 4, 1), np.uint8)
    pictures[150:160] = pictures[:10]  # the test part repeats what training has
    split = np.repeat(np.array([0, 2], np.uint8), [150, 50])
    part = parts_of(pictures, split)
    assert (part[:10] == LEFT_OUT).all() and (part[150:] == 2).all()
    assert set(part[10:150]) == {0, 1}  # what there is no validation part of comes from training
    assert (parts_of(pictures[::-1], split[::-1]) == part[::-1]).all()


def test_some_classes_alone(digits):
    some = digits.only(("7", "3"))
    assert some.class_names == ("7", "3") and set(some.labels) == {0, 1}
    assert len(some) == (digits.labels == 7).sum() + (digits.labels == 3).sum()
    with pytest.raises(OptionError, match="digits has no class 'x': choose from 0, 1"):
        digits.only(("x",))


def test_what_does_not_fit_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr("ludus.agents.pretraining.datasets.examples.available_memory", lambda device: 10**6)
    told = []
    with pytest.raises(
        OptionError, match=r"huge takes 1\.2 GB of memory, and 1 MB is left: give a limit \(--limit 416\)"
    ):
        allocate("huge", (1_000_000, 20, 20, 3), np.uint8, told.append)
    assert told == ["huge: 1,000,000 pictures of 20x20x3, 1.2 GB"]


def test_an_unknown_data_set_is_named():
    with pytest.raises(OptionError, match="there is no data set 'digit': choose digits, mnist, cifar10, coco, imdb"):
        load_examples("digit")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    with pytest.raises(OptionError, match=r"digits needs scikit-learn: pip install 'captum"):
        load_examples("digits")
