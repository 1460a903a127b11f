"""What benchmarks store between runs, and how they compare."""

import dataclasses
import importlib
from functools import partial
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def ablation(monkeypatch, tmp_path):
    """The script, with its results in another folder."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    script = importlib.import_module("ablation")
    for name in ("read_figures", "write_figures"):
        monkeypatch.setattr(script, name, partial(getattr(script, name), folder=tmp_path))
    return script


def test_an_ablation_goes_on_where_it_was_interrupted(ablation):
    row = ablation.all_rows(ablation.SETTINGS["dqn"]())[0]
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


@pytest.fixture
def benchmark(monkeypatch):
    """Imports a script by its name."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


def test_two_checkouts_are_measured_in_turns(benchmark, monkeypatch):
    script, seen = benchmark("before_after"), []
    rates = {
        "old": {"steps": 100, "seconds": 1.0, "cpu_seconds": 2.0},
        "new": {"steps": 90, "seconds": 1.0, "cpu_seconds": 1.0},
    }

    def run_job(module, job, threads, python, seconds, **arguments):
        seen.append(python)
        return rates[python]

    monkeypatch.setattr(script, "run_job", run_job)
    sides = {"before": "old", "after": "new"}
    found = script.measure(["agents"], sides, 2, "PPO LSTM")
    assert seen == ["old", "new", "new", "old"]
    (row,) = [script.summary(samples) for samples in found.values()]
    assert row["ratio"] == {"wall": 0.9, "cpu": 1.8} and row["wall"] == {"before": 100, "after": 90}
    assert script.table({"PPO": row}).rows == [["PPO", "100", "90", "0.90", "1.80"]]


def test_names_of_rows_fit_a_terminal(benchmark):
    script = benchmark("before_after")
    names = [case.name for part in script.PARTS.values() for case in part()]
    assert len(set(names)) == len(names) and max(map(len, names)) <= 42


def test_figures_are_kept_as_they_are_with_a_line_for_each_list(benchmark, tmp_path):
    report, found = (
        benchmark("report"),
        {"curve": [[0.5, 1], [1, 2]], "none": [], "told": "[ 1,  2 ] {", "rows": [{"a": [True]}]},
    )
    report.write_figures("some", found, tmp_path)
    assert report.read_figures("some", tmp_path) == found
    assert "    [0.5, 1],\n" in (tmp_path / "results" / "some.json").read_text()


def test_the_account_of_training_is_made_of_its_figures(benchmark):
    section = benchmark("training.tables").account(benchmark("report").read_figures("training"))
    assert section in (BENCHMARKS / "RESULTS.md").read_text()


def test_the_account_of_pretraining_is_made_of_its_figures(benchmark):
    section = benchmark("pretraining.tables").account(benchmark("report").read_figures("pretraining"))
    assert section in (BENCHMARKS / "RESULTS.md").read_text()


@pytest.mark.parametrize("script", ["time_to_score", "web"])
def test_other_accounts_are_made_of_their_figures(benchmark, script):
    section = benchmark(script).account(benchmark("report").read_figures(script))
    assert section in (BENCHMARKS / "RESULTS.md").read_text()


def test_seeds_of_agents_are_not_put_together_from_several_machines(benchmark):
    rows = [{"game": "Snake", "seed": 0, "variant": name} for name in ("a", "b", "c")]
    processors = {"one": {"rows": rows[:2]}, "other": {"rows": rows}}
    assert benchmark("pretraining.tables").together(processors)["rows"] == rows
    script = importlib.import_module("pretraining.__main__")
    jobs = [{**row, "seconds": 1.0} for row in rows]
    assert script.not_complete(jobs, {"one": {"rows": rows[:2]}, "other": {"rows": rows[1:]}}) == jobs
    assert script.not_complete(jobs, processors) == []


def test_the_zoos_table_is_made_of_the_cards(benchmark):
    script = benchmark("zoo")
    cards = [script.read_card(script.AGENTS / game) for game in script.agent_names()]
    assert script.table_of(cards).markdown() in (BENCHMARKS / "RESULTS.md").read_text()
    known = script.kept(benchmark("report").read_figures("zoo"))
    for card in cards:
        assert card["seed"] in {found["seed"] for found in known[card["game"]]}
        assert len(card["seeds"]) == len(known[card["game"]])
