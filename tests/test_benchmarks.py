"""What benchmarks keep between runs."""

import dataclasses
import importlib
from functools import partial
from pathlib import Path

import pytest


@pytest.fixture
def ablation(monkeypatch, tmp_path):
    """The script, with its results in another folder."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    script = importlib.import_module("ablation")
    for name in ("read_figures", "write_figures"):
        monkeypatch.setattr(script, name, partial(getattr(script, name), folder=tmp_path))
    return script


def test_an_ablation_goes_on_where_it_was_interrupted(ablation):
    row = ablation.all_rows(ablation.DQNSettings())[0]
    case, other = row.cases(["Breakout"], seeds=2, steps=1000)
    ablation.Kept().keep(case, {"game": "Breakout", "seed": 0, "steps": 1024, "greedy": 1.5, "curve": []})

    kept = ablation.Kept()
    assert kept.find(case)["greedy"] == 1.5
    assert kept.find(other) is None
    assert kept.find(dataclasses.replace(case, changes={**case.changes, "net_arch": (64,)})) is None


def test_an_ablation_says_who_is_above_the_base_on_every_game(ablation):
    means = {"base": [2.0, 10.0], "better": [2.1, 11.0], "half": [1.0, 90.0]}
    assert ablation.above(means, "base") == "Above base on every game: better."
    assert ablation.above({"base": [1.0], "half": [0.5]}, "base") == "Above base on every game: none."
    assert ablation.above({"half": [0.5]}, "base") == ""
