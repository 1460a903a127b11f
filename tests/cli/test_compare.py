"""`ludus compare`: differences and probabilities follow from the returns, and profiles are drawn."""

import re
from pathlib import Path

import numpy as np
import pytest

from ludus.__main__ import main
from ludus.cli.compare import Scores, row_of_all, scores_of
from ludus.cli.episodes import Entry
from ludus.envs import OptionError, Simulator, evaluate_player
from ludus.envs.bots import Bot
from ludus.envs.statistics import difference, probability_of_improvement

from .trained import train

NUMBER = r"(-?\d+\.\d\d)"


def said(capsys, *arguments, status=0):
    assert main(["compare", *arguments]) == status
    found = capsys.readouterr()
    if status == 2:
        assert found.err.count("\n") == 1
    return " ".join((found.err if status else found.out).split())


def returns(game, kind, episodes, seed=0):
    sim = Simulator(game, episodes, seed=seed)
    return evaluate_player(Bot(sim, kind, seed), sim).scores


def test_two_agents_are_compared_over_episodes(capsys):
    text = said(capsys, "Snake:heuristic", "Snake:random", "--episodes", "40")
    a, b = (returns("Snake", kind, 40) for kind in ("heuristic", "random"))
    gap, (low, high) = difference(a, b)
    row = [
        float(x) for x in re.search(rf"Snake {NUMBER} {NUMBER} {NUMBER} {NUMBER} to {NUMBER} {NUMBER}", text).groups()
    ]
    better, _ = probability_of_improvement(a, b)
    assert row == pytest.approx([a.mean(), b.mean(), gap, low, high, better], abs=0.006)
    assert "over episodes, which say nothing of other seeds" in text


def test_runs_are_compared_by_their_means(capsys, tmp_path):
    a = [train(tmp_path / f"a{seed}", "Catch", "--seed", str(seed)) for seed in range(2)]
    b = [train(tmp_path / f"b{seed}", "Catch", "--seed", str(seed), "--learning-rate", "1e-4") for seed in range(2)]
    text = said(capsys, *a, "--to", *b, "--episodes", "20", "--sampled")
    assert f"A: {a[0]}, {a[1]} B: {b[0]}, {b[1]}" in text
    assert "over runs' mean returns" in text and "over episodes" not in text
    one = said(capsys, a[0], "--to", *b, "--episodes", "20", "--sampled")
    assert "over episodes" in one  # one run has no seeds to resample


def test_several_games_are_on_one_scale(capsys):
    games = ("Catch", "Snake")
    heuristics, randoms = ([f"{game}:{kind}" for game in games] for kind in ("heuristic", "random"))
    text = said(capsys, *heuristics, "--to", *randoms, "--episodes", "30")
    a, b, gap = (float(x) for x in re.search(rf"all, normalized {NUMBER} {NUMBER} {NUMBER}", text).groups())
    assert a == pytest.approx(1, abs=0.2) and b == pytest.approx(0, abs=0.2) and gap == pytest.approx(a - b, abs=0.011)
    assert re.search("Catch.*Snake.*all, normalized", text)


def test_normalized_scores_are_0_for_a_random_player_and_1_for_the_heuristic():
    one = Scores(np.array([10.0, 20.0]), np.array([0.0, 30.0]), "runs", low=10.0, high=20.0)
    assert one.normalized[0].tolist() == [0, 1] and one.normalized[1].tolist() == [-1, 2]
    other = Scores(np.array([-1.0, 1.0]), np.array([0.0, 0.0]), "runs", low=-1.0, high=1.0)
    row = row_of_all([one, other])
    assert row[:4] == ["all, normalized", "0.50", "0.50", "0.00"]  # middle halves of 0 0 1 1 and of -1 .5 .5 2


def test_a_profile_goes_from_all_to_none():
    pytest.importorskip("matplotlib")
    from ludus.zoo.plots import performance_profiles

    figure = performance_profiles({"A": [np.array([3.0, 4.0, 9.0])], "B": [np.array([1.0, 1.0, 1.0])]}, "return")
    shares = [line.get_ydata() for line in figure.axes[0].get_lines()]
    assert len(shares) == 2 and all(share[0] == 1.0 and share[-1] == 0.0 for share in shares)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_profile_is_drawn(capsys, tmp_path, suffix):
    pytest.importorskip("matplotlib")
    out = tmp_path / f"profile.{suffix}"
    text = said(capsys, "Catch:heuristic", "Catch:random", "--episodes", "10", "--out", str(out))
    assert f"saved in {out}" in text
    assert out.read_bytes().startswith({"png": b"\x89PNG", "svg": b"<?xml"}[suffix])
    assert "--force" in said(capsys, "Catch:heuristic", "Catch:random", "--out", str(out), status=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Catch:random"], "give two agents"),
        (["Catch:random", "Catch:heuristic", "Snake:random"], "got 3 without --to"),
        (["Catch:random", "Catch:random"], "the same agent is given twice"),
        (["Catch:random", "Snake:random"], "Catch:random plays Catch, which no agent on the other side does"),
        (["Catch:random", "--to", "Catch:heuristic", "Snake:random"], "Snake:random plays Snake, which no agent"),
        (["TicTacToe:random", "TicTacToe:heuristic"], "TicTacToe is for several: --against heuristic"),
        (["Catch:random", "Catch:heuristic", "--device", "cuda"], "--device is for agents on their own"),
        (["Catch:random", "Catch:heuristic", "--out", "profile.pdf"], "--out must end in .png or .svg"),
    ],
)
def test_bad_input_is_one_line(arguments, message, capsys):
    assert message in said(capsys, *arguments, status=2)


def test_a_heuristic_that_is_no_better_makes_no_scale():
    player = Entry(Path("Catch:random"), None, {"game": "Catch", "options": {}}, {})
    returns = {Path("Catch:random"): np.zeros(3), Path("Catch:heuristic"): np.full(3, -1.0)}
    with pytest.raises(OptionError, match="no better than a random player"):
        scores_of(([player], [player]), returns, scaled=True)
