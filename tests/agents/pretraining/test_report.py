"""Figures are made of what they show, written as PNG and in TensorBoard; and a verdict follows from the losses."""

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ludus.agents.nn.vision import PictureEncoder, PlanesDecoder, for_pictures
from ludus.agents.pretraining import plots
from ludus.agents.pretraining.method import Pictures
from ludus.agents.pretraining.methods.planes import Planes
from ludus.agents.pretraining.report import covers_picture, figures_of, first_seen, verdict, write_figures
from ludus.agents.pretraining.saliency import activation, saliency, says_plane
from ludus.agents.pretraining.trainer import History, Trainer
from ludus.envs import OptionError

from .small import collected

pytest.importorskip("matplotlib")
FALLING = [1.0, 0.5, 0.3, 0.2, 0.19, 0.185, 0.184, 0.183]


def history(train, new):
    steps = [100 * (k + 1) for k in range(len(train))]
    progress = [(k + 1) / len(train) for k in range(len(train))]
    seconds = [float(step) for step in steps]
    return History(steps, seconds, list(train), list(new), [{}] * len(new), [-x for x in new], progress)


@pytest.mark.parametrize(
    ("train", "new", "expected"),
    [
        (FALLING, FALLING, "Neither overfits nor underfits: the validation loss levelled off at 0.183"),
        (FALLING, [1.0, 0.5, 0.3, 0.25, 0.26, 0.3, 0.35, 0.4], "Overfits: from step 400 to 800 .* from 0.25 to 0.4:"),
        (FALLING, [1.0, 0.7, 0.6, 0.55, 0.53, 0.52, 0.515, 0.512], r"Overfits: at the end .* 0\.512, 2\.8 times"),
        (
            [1 / k for k in range(1, 9)],
            [1 / k for k in range(1, 9)],
            "Underfits: .* still fell from 0.25 to 0.1667 between",
        ),
        ([0.69] * 8, [0.7] * 8, "Underfits: the training loss hardly fell, from 0.69 to 0.69 in 800 steps"),
        ([1.0, 0.5], [1.0, 0.5], "Too short to judge: 2 looks at the validation part, 4 are needed"),
    ],
)
def test_the_verdict_follows_from_the_losses(train, new, expected):
    said = verdict(history(train, new))
    assert re.match(expected, said) and "\n" not in said
    assert re.search(r"; weights of step \d+ were kept\.$", said)


def test_a_training_that_diverged_is_told_what_would_help():
    broken = history(FALLING, FALLING)
    broken.diverged = 812
    words = "Diverged: the loss is not finite from step 812: a lower learning rate would help; weights of step 800 were kept."
    assert verdict(broken) == words


def test_few_gradient_steps_are_not_judged():
    short = history([0.69] * 8, [0.7] * 8)
    short.steps = list(range(1, 9))
    assert verdict(short).startswith("Too short to judge: 8 gradient steps, 50 are needed; weights of step 1")


def test_what_is_right_nearly_always_does_not_underfit():
    falling = [1 / k for k in range(1, 9)]
    good = history(falling, falling)
    assert verdict(good).startswith("Underfits")
    good.score[-1] = 0.99
    assert verdict(good).startswith("Neither")


def gone_on(first, rest, begins):
    """A training of one verdict's looks that goes on with more time, from a share of it."""
    both = history(first + rest, first + rest)
    share = (1 - begins) / len(rest)
    both.progress = [(k + 1) / len(first) for k in range(len(first))] + [
        begins + share * (k + 1) for k in range(len(rest) - 1)
    ]
    both.progress.append(1.0)
    return both


def test_a_training_that_went_on_is_not_judged_by_the_learning_rate_of_its_first_leg():
    falling = [1 / k for k in range(1, 9)]
    level = [0.126, 0.125, 0.1249, 0.1248, 0.1247, 0.1246]
    assert verdict(history(falling, falling)).startswith("Underfits: the validation loss still fell")
    assert verdict(gone_on(falling, level, 0.5)).startswith("Neither overfits nor underfits")
    assert verdict(gone_on(falling, level[:3], 0.5)).startswith(
        "Too short to judge: 3 looks at the validation part since it"
    )
    more = gone_on(falling, [0.12, 0.11, 0.1, 0.08], 0.7)
    assert verdict(more).startswith(
        "Underfits: with more time, from step 800 to 1,200, the validation loss fell from 0.125 to"
    )
    assert verdict(gone_on(falling, falling, 0.1)).startswith("Neither")  # it came to where it had been
    early = gone_on([1.0, 0.5], falling, 0.1)
    early.progress[:2] = 0.2, 0.3
    assert verdict(early).startswith("Underfits: the validation loss still fell from 0.3333 to 0.2 between")


def test_losses_that_are_alike_are_no_success():
    short = history(FALLING, FALLING)
    short.score = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7]
    assert verdict(short).startswith(
        "Underfits: the validation loss of 0.183 is about as low as the training loss of 0.183"
    )
    assert "came to 0.700 alone" in verdict(short)
    short.score[-1] = 0.97
    assert verdict(short).startswith("Neither")


def texts(figure):
    """All that is written in a figure."""
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    for axes in figure.axes:
        found += [axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()]
        found += [label.get_text() for label in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    return found + [text.get_text() for legend in legends for text in legend.get_texts()]


def test_loss_curves_mark_the_best():
    figure = plots.loss_curves([10, 20, 3000], [3.0, 0.2, 0.1], [3.0, 0.5, 0.7], 1)
    (axes,) = figure.axes
    assert [line.get_ydata().tolist() for line in axes.lines[:2]] == [[3.0, 0.2, 0.1], [3.0, 0.5, 0.7]]
    assert axes.get_yscale() == "log" and "best, step 20" in texts(figure)
    assert plots.loss_curves([1, 2], [1.0, 0.5], [1.0, 0.9], 1).axes[0].get_yscale() == "linear"


def test_the_worst_classes_come_first():
    figure = plots.f1_bars(np.array([0.9, np.nan, 0.2, 1.0]), ["a", "b", "c", "d"], np.array([5, 0, 1200, 7]))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["c (1,200)", "a (5)", "d (7)"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.2, 0.9, 1.0]
    assert any("never there nor predicted: b" in text for text in texts(figure))


def test_confusion_is_in_shares_of_the_true_class():
    figure = plots.confusion_matrix(np.array([[3, 1], [0, 0]]), ["cat", "dog"])
    assert figure.axes[0].images[0].get_array().tolist() == [[0.75, 0.25], [0, 0]]
    assert {"75", "25", "cat", "dog"} <= set(texts(figure))
    assert not list(plots.confusion_matrix(np.eye(30, dtype=int), [str(k) for k in range(30)]).axes[0].texts)


def test_the_worst_level_and_class_are_in_the_corner():
    f1 = np.array([[0.9, 0.8, 1.0], [0.5, 0.1, np.nan], [np.nan] * 3])
    figure = plots.f1_by_level(f1, ["good", "bad", "absent"], [11, 12, 13])
    shown = figure.axes[0].images[0].get_array()
    assert shown[0, 0] == 0.1 and shown.mask[0, 2] and shown.mask[2].all()
    labels = texts(figure)
    assert labels.index("12") < labels.index("11") < labels.index("13")


def test_embeddings_of_a_kind_are_near_each_other():
    pytest.importorskip("sklearn")
    labels = np.arange(60) % 2
    rng = np.random.default_rng(0)
    figure = plots.embedding_map(rng.normal(size=(60, 5)) + 40 * labels[:, None], labels, ["left", "right"])
    one, other = (np.asarray(points.get_offsets()) for points in figure.axes[0].collections)
    assert len(one) == len(other) == 30
    gap = np.linalg.norm(one.mean(0) - other.mean(0))
    assert gap > 2 * max(np.linalg.norm(points - points.mean(0), axis=1).mean() for points in (one, other))
    assert {"left", "right"} <= set(texts(figure))
    with pytest.raises(OptionError, match="10 embeddings or more, got 3"):
        plots.embedding_map(np.zeros((3, 2)), np.zeros(3, int), ["a"])


def test_decoded_planes_show_what_is_missed_and_made_up():
    pictures = np.zeros((2, 8, 8, 3), np.uint8)
    true, predicted = np.zeros((2, 2, 2, 2, 3), np.uint8)
    true[0, 0, 0, [0, 2]] = 1
    predicted[0, 0, 0, 0] = 1
    predicted[1, 1, 1, 1] = 1
    figure = plots.decoded_planes(pictures, true, predicted, ["ball", "wall", "enemy"])
    lines = np.array(figure.axes).reshape(4, 2)

    def colors(axes):
        drawn = axes.images[1].get_array()
        return {tuple(np.round(color, 2)) for color in drawn.reshape(-1, 4) if color[3] > 0}

    assert len(colors(lines[1, 0])) == 2 and len(colors(lines[2, 0])) == 1 and colors(lines[1, 1]) == set()
    assert colors(lines[3, 0]) != colors(lines[3, 1]) and len(colors(lines[3, 0]) | colors(lines[3, 1])) == 2
    assert {"ball", "wall", "enemy", "wrong: missed", "wrong: made up"} <= set(texts(figure))


def test_planes_have_the_same_colours_in_all_figures_and_the_legend_is_whole():
    names = ["gold", "a plane with a long name", "wall"]

    def drawn(only, count):
        true = np.zeros((count, 2, 2, 3), np.uint8)
        true[:, 0, 0, only] = 1
        return plots.decoded_planes(np.zeros((count, 8, 8, 3), np.uint8), true, true, names)

    def colors(figure):
        (legend,) = figure.legends
        patches = zip(legend.get_texts(), legend.get_patches(), strict=True)
        return {text.get_text(): patch.get_facecolor() for text, patch in patches}

    assert colors(drawn([1, 2], 2))["wall"] == colors(drawn([2], 5))["wall"] == colors(drawn([0, 2], 3))["wall"]
    for count in (1, 2, 5):
        figure = drawn([0, 1, 2], count)
        figure.draw_without_rendering()
        assert figure.legends[0].get_window_extent().x1 <= figure.bbox.x1


def test_a_board_that_does_not_cover_the_picture_stands_alone():
    planes = np.zeros((1, 5, 3, 2), np.uint8)
    figure = plots.decoded_planes(np.zeros((1, 8, 8, 3), np.uint8), planes, planes, ["a", "b"], over=False)
    assert [tuple(axes.images[0].get_extent()) for axes in figure.axes] == [(0, 8, 8, 0)] + [(0, 3, 5, 0)] * 3
    assert covers_picture(collected("Breakout", steps=2)) and not covers_picture(collected("Tetris", steps=2))


def test_pixels_stay_pixels():
    for picture in (np.zeros((1, 4, 4, 3), np.uint8), np.zeros((1, 4, 4, 1), np.float32)):
        figure = plots.reconstructions(picture, np.ones(picture.shape, np.float32))
        assert {image.get_interpolation() for axes in figure.axes for image in axes.images} <= {"nearest", None}
        assert figure.axes[2].images[1].get_array().max() == 1


@pytest.fixture(scope="module")
def trained():
    """A decoder of Asterix's planes after a few steps."""
    torch.manual_seed(0)
    frames = collected("Asterix", steps=80, levels=range(30), max_episode_steps=40)
    encoder = PictureEncoder(for_pictures("grid", frames.pictures.shape[1:], frames.planes.shape[1:3], channels=8))
    pictures = Pictures(frames)
    encoder.fit_statistics(pictures[torch.from_numpy(frames.rows("train"))])
    method = Planes(encoder, frames, pictures)
    trainer = Trainer(method, 16, time_limit=None, epochs=2, looks=4)
    return method, trainer.train()


def test_all_figures_that_apply_are_written(trained, tmp_path):
    pytest.importorskip("captum")
    pytest.importorskip("sklearn")
    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    figures = figures_of(*trained)
    named = {"loss", "activation", "embeddings", "f1", "planes", "saliency-worst-plane", "f1-by-level"}
    assert set(figures) == named
    files = write_figures(tmp_path / "figures", figures, trained[1], tmp_path / "log")
    assert {file.stem for file in files} == named
    for file in files:
        with Image.open(file) as picture:
            assert np.asarray(picture).std() > 1
    log = EventAccumulator(str(tmp_path / "log")).Reload().Tags()
    assert set(log["images"]) == named
    assert {"loss/train", "loss/validation", "f1", "f1/player"} <= set(log["scalars"])


def test_a_method_that_reconstructs_gets_reconstructions(trained):
    pytest.importorskip("captum")
    method, _ = trained
    few = SimpleNamespace(
        frames=method.frames, encoder=method.encoder, pictures=method.pictures, eval=method.eval,
        network=method.encoder,
        reconstruct=lambda x: 1 - x.float() / 255,
    )  # fmt: skip
    assert {"reconstructions", "activation", "saliency"} <= set(figures_of(few))


def test_a_method_that_learned_classes_gets_a_confusion_matrix():
    pytest.importorskip("captum")
    pytest.importorskip("sklearn")
    torch.manual_seed(0)
    inputs = torch.randint(0, 256, (30, 16, 16, 1), dtype=torch.uint8)
    labels = np.arange(30) % 3
    data = SimpleNamespace(labels=labels, class_names=("a", "b", "c"), rows=lambda part: np.arange(30))
    encoder = PictureEncoder(for_pictures("impala", (16, 16, 1), None, channels=4, width=8)).eval()
    method = SimpleNamespace(
        frames=data, encoder=encoder, network=encoder, eval=lambda: None,
        pictures=Pictures(SimpleNamespace(pictures=inputs.numpy())), predict=lambda rows: np.zeros(30, np.int64),
    )  # fmt: skip
    figures = figures_of(method)
    assert set(figures) == {"embeddings", "confusion", "f1", "activation", "saliency"}
    assert figures["confusion"].axes[0].images[0].get_array().tolist() == [[1, 0, 0]] * 3
    assert "a (10)" in texts(figures["f1"])
    data.labels = np.eye(3, dtype=np.uint8)[labels]  # several classes each, as it may be
    method.predict = lambda rows: data.labels
    assert set(figures_of(method)) == {"f1", "activation", "saliency"}


def test_saliency_is_where_the_plane_is_read():
    pytest.importorskip("captum")
    torch.manual_seed(0)
    encoder = PictureEncoder(for_pictures("grid", (16, 16, 1), (4, 4), channels=4, depth=0))
    decoder = PlanesDecoder(encoder, ["it"]).eval()
    pictures = torch.randint(0, 256, (2, 1, 16, 16), dtype=torch.uint8)

    def first_cell(x):
        return decoder(x)[:, 0, 0, 0]

    for kind in ("integrated gradients", "gradients"):
        heat = saliency(first_cell, pictures, encoder.mean, kind)
        assert heat.shape == (2, 16, 16) and (heat >= 0).all()
        assert heat[:, :8, :8].mean() > 5 * heat[:, 12:, 12:].mean()
    both = saliency(says_plane(decoder, 0), pictures, encoder.mean)
    assert both.shape == (2, 16, 16) and both.max() > 0
    assert activation(encoder, pictures).shape == (2, 4, 4)
    with pytest.raises(OptionError, match="kind must be one of"):
        saliency(first_cell, pictures, encoder.mean, "guesses")


def test_integrated_gradients_add_up_to_the_difference():
    """Completeness (Sundararajan et al. 2017): of a linear function, the attribution is weight times difference."""
    pytest.importorskip("captum")
    weight = torch.tensor([[1.0, -2.0], [3.0, 0.0]])
    pictures = torch.tensor([[[[255, 255], [0, 255]]]], dtype=torch.uint8)
    heat = saliency(lambda x: (x * weight).sum((1, 2, 3)), pictures, torch.zeros(1, 2, 2))
    assert np.allclose(heat[0], [[1, 2], [0, 0]], atol=1e-5)


def test_values_are_those_of_the_first_step_that_shows_a_picture():
    index, values = np.array([[0, 1], [1, 3]]), np.array([[5, 6], [7, 8]])
    assert first_seen(index, values, 5).tolist() == [5, 6, -1, 8, -1]


@pytest.mark.parametrize(
    ("package", "needs", "ask"),
    [
        ("matplotlib.figure", "a figure needs matplotlib", lambda: plots.f1_bars(np.ones(2), ["a", "b"])),
        (
            "sklearn.manifold",
            "t-SNE needs scikit-learn",
            lambda: plots.embedding_map(np.ones((20, 2)), np.ones(20), "ab"),
        ),
        (
            "captum.attr",
            "saliency needs captum",
            lambda: saliency(lambda x: x, torch.zeros(1, 1, 2, 2), torch.zeros(1)),
        ),
    ],
)
def test_a_missing_package_is_named(package, needs, ask, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(OptionError, match=f"{needs}: pip install '"):
        ask()
