"""The supervised method: planes from pictures."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from ludus.agents.pretraining.methods.planes import best_threshold, visible_planes
from ludus.agents.pretraining.metrics import Counts, confusion
from ludus.agents.pretraining.play import collect_frames
from ludus.agents.pretraining.run import pretrain
from ludus.envs import OptionError, Simulator


@pytest.fixture(scope="module")
def catch():
    """Catch has few states: those that play does not reach are put together."""
    return collect_frames("Catch", 6400, shuffle=1.0, size=40, seed=0)


def test_planes_are_learned_from_pictures_never_seen(catch):
    result = pretrain(catch, "planes", settings={"channels": 16, "depth": 1}, epochs=30, time_limit=None, seed=0)
    assert result.figures["f1"] > 0.95
    rows = catch.rows("test")
    pictures = torch.from_numpy(catch.pictures[rows]).permute(0, 3, 1, 2)
    decoded, true = result.network.decode(pictures).numpy(), catch.planes[rows]
    for plane, name in enumerate(catch.plane_names):
        expected = f1_score(true[..., plane].ravel(), decoded[..., plane].ravel())
        assert result.figures[f"f1/{name}"] == pytest.approx(expected)


def f1_above(threshold, values, there):
    found = values > threshold
    return float(2 * (found & there).sum() / (found.sum() + there.sum()))


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=1, max_size=30).filter(
        lambda x: any(y for _, y in x)
    )
)
@settings(max_examples=100, deadline=None)
def test_no_threshold_is_better_than_the_best(pairs):
    values, there = torch.tensor([float(value) for value, _ in pairs]), torch.tensor([yes for _, yes in pairs])
    best = f1_above(best_threshold(values, there.int()), values, there)
    assert all(f1_above(threshold, values, there) <= best + 1e-6 for threshold in np.arange(-6, 6, 0.5))


def test_counts_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 2, (500, 3)), rng.integers(0, 2, (500, 3))
    counts = Counts.of(predicted[:200], true[:200]) + Counts.of(predicted[200:], true[200:])
    for name, reference in {"f1": f1_score, "precision": precision_score, "recall": recall_score}.items():
        assert getattr(counts, name) == pytest.approx(reference(true, predicted, average=None))
    assert counts.accuracy == pytest.approx((true == predicted).mean(0))
    absent = Counts.of(np.zeros((5, 1), int), np.zeros((5, 1), int))
    assert np.isnan(absent.f1[0]) and absent.accuracy[0] == 1
    matrix = confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_a_plane_that_no_picture_shows_is_told():
    """Tetris does not draw how far its clock is, which `phase` tells."""
    frames = collect_frames("Tetris", 6400, seed=0)
    shown = dict(zip(frames.plane_names, visible_planes(frames), strict=True))
    assert shown == {"settled": True, "falling": True, "next": True, "phase": False}


def test_a_game_without_planes_and_too_few_pictures_are_refused():
    with pytest.raises(OptionError, match="shows no planes"):
        pretrain(collect_frames("Pong", 640, size=40), "planes", "nature")
    with pytest.raises(OptionError, match="1 different pictures are too few"):
        pretrain(collect_frames(Simulator("TicTacToe", 64, seed=0), 64, policy="random"), "planes", time_limit=1)
    with pytest.raises(OptionError, match="there is no method 'plane'"):
        pretrain(collect_frames("Asterix", 1280, size=40), "plane", time_limit=1)
