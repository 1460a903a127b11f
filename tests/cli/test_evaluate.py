"""`ludus evaluate`: several agents, seeds, policies and levels, with statistics that follow from the returns."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import trim_mean

from ludus.__main__ import main
from ludus.agents.checkpoints.env_spec import title_of
from ludus.cli.episodes import entries
from ludus.cli.evaluate import Config, levels_of
from ludus.envs import Evaluation, Simulator, evaluate_player
from ludus.envs.bots import Bot, same

from .trained import train

LEVELS = ("--levels", "3", "5", "8")


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [train(folder / f"seed{seed}", "Catch", "--seed", str(seed), *LEVELS) for seed in range(3)]


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return train(tmp_path_factory.mktemp("other") / "slow", "Catch", "--learning-rate", "1e-4", *LEVELS)


@pytest.fixture
def told(tmp_path, capsys):
    """What a command says, and what it writes."""

    def run(*arguments):
        out = tmp_path / "found.json"
        status = main(["evaluate", *arguments, "--episodes", "20", "--json", str(out), "--force"])
        said = capsys.readouterr()
        assert status == 0, said.err
        return " ".join(said.out.split()), json.loads(out.read_text())

    return run


def refused(capsys, *arguments):
    assert main(["evaluate", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_seeds_are_judged_by_their_means(seeds, told):
    text, facts = told(*seeds, "--sampled")
    means = np.array([np.mean(one["returns"]) for one in facts["evaluations"]])
    assert [one["agent"] for one in facts["evaluations"]] == seeds and facts["over"] == "runs"
    found = {one["of"]: one["value"] for one in facts["statistics"]}
    assert found == pytest.approx({"mean": means.mean(), "median": np.median(means), "IQM": trim_mean(means, 0.25)})
    for one in facts["statistics"]:
        low, high = one["interval"]
        assert means.min() <= low <= one["value"] <= high <= means.max()
    assert "over 3 runs" in text and "seed0" in text and "too narrow; 10 runs" in text
    assert all(f"{mean:.2f}" in text for mean in means)


def test_one_agent_is_judged_by_its_episodes(seeds, told):
    text, facts = told(seeds[0], "--both")
    greedy, sampled = facts["evaluations"]
    assert (greedy["policy"], sampled["policy"]) == ("greedy", "sampled") and facts["over"] == "episodes"
    assert greedy["returns"] != sampled["returns"] and "over 20 episodes" in text
    value = next(one["value"] for one in facts["statistics"] if (one["policy"], one["of"]) == ("sampled", "mean"))
    assert value == pytest.approx(np.mean(sampled["returns"]))


def test_seeds_of_games_are_other_games(seeds, told):
    _, facts = told(seeds[0], "--seeds", "2", "--sampled")
    one, other = facts["evaluations"]
    assert (one["seed"], other["seed"]) == (0, 20) and one["returns"] != other["returns"]
    value = next(one["value"] for one in facts["statistics"] if one["of"] == "mean")
    assert value == pytest.approx(np.mean([*one["returns"], *other["returns"]]))


def test_levels_held_out_are_none_of_those_trained_on(seeds):
    folder = Path(seeds[0])
    (entry,) = entries([folder], Config((folder,)))
    kinds = levels_of(entry)
    assert tuple(kinds["training"]["levels"]) == (3, 5, 8)
    assert not {3, 5, 8} & {*kinds["held-out"]["levels"]}


def test_the_generalization_gap_is_the_difference_of_means(seeds, told):
    text, facts = told(seeds[0], "--levels")
    seen, unseen = (np.mean(one["returns"]) for one in facts["evaluations"])
    assert [one["levels"] for one in facts["evaluations"]] == ["training", "held-out"]
    (gap,) = facts["generalization_gaps"]
    assert gap["value"] == pytest.approx(seen - unseen) and gap["interval"][0] < gap["value"] < gap["interval"][1]
    assert f"generalization gap, greedy: {seen - unseen + 0.0:.2f}, 95 % interval" in text


def test_every_run_has_a_gap_of_its_own(seeds, told):
    _, facts = told(*seeds, "--levels", "--sampled")
    means = np.array([np.mean(one["returns"]) for one in facts["evaluations"]]).reshape(3, 2)
    (gap,) = facts["generalization_gaps"]
    assert gap["value"] == pytest.approx((means[:, 0] - means[:, 1]).mean())


def test_agents_of_other_settings_are_side_by_side_but_not_one(seeds, other, told):
    text, facts = told(seeds[0], other)
    assert len(facts["evaluations"]) == 2 and "statistics" not in facts
    assert "not seeds of one setting" in text and "over 2 runs" not in text


def test_a_game_without_chance_has_no_interval(told, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    text, facts = told("CliffWalking:heuristic")
    assert facts["evaluations"][0]["alike"] and all(one["interval"] is None for one in facts["statistics"])
    assert "all 20 episodes are the same, state for state: no chance in them, so no interval" in text
    assert "-13.00 to -13.00" not in text and "over 20 episodes" not in text


def test_a_statistic_that_no_resample_changes_has_no_interval(told):
    """At random a snake rarely finds food: the mean varies, the median is 0."""
    text, facts = told("Snake:random", "--seeds", "4")
    found = {one["of"]: one["interval"] for one in facts["statistics"]}
    assert found["mean"] is not None and found["median"] is None and "-: no interval, since resampling changes" in text


def test_the_first_player_is_judged(told):
    text, facts = told("TicTacToe:heuristic", "--against", "random")
    returns = np.array(facts["evaluations"][0]["returns"])
    assert returns.shape == (20, 2) and "player 1, over 20 episodes" in text and facts["against"] == "random"
    assert facts["statistics"][0]["value"] == pytest.approx(returns[:, 0].mean())


def test_equal_returns_are_not_taken_for_certainty(agent, capsys, monkeypatch):
    """An agent that never misses in Catch: every ball falls elsewhere, every return is 1."""

    def predict(obs, state=None, deterministic=False):
        ball, paddle = (obs[:, :, :, plane].sum(1).argmax(1) for plane in (0, 1))
        return 1 + np.sign(ball - paddle), None

    monkeypatch.setattr(agent, "predict", predict)
    assert main(["evaluate", "run", "--episodes", "30"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "all 30 returns are 1, which tells no interval" in text and "1.00 to 1.00" not in text


def test_episodes_are_alike_only_state_for_state():
    for game, alike in (("CliffWalking", True), ("Catch", False), ("Breakout", False)):
        sim = Simulator(game, 8, seed=0)
        assert evaluate_player(Bot(sim, "heuristic"), sim, step_limit=50).alike == alike
    sim = Simulator("CliffWalking", 1, seed=0)
    assert not evaluate_player(Bot(sim, "heuristic"), sim).alike  # one episode tells nothing
    assert same(sim.records) and Evaluation(np.zeros(1), np.zeros(1, np.int64), True).interval is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Catch:random", "Breakout:random"], "Catch:random plays Catch, Breakout:random plays Breakout"),
        (["Catch:random", "Catch:random"], "the same agent is given twice"),
        (["Catch:random", "--both"], "--both is for agents: Catch:random plays in one way"),
        (["Catch:random", "--sampled"], "--sampled is for agents: Catch:random plays in one way"),
        (["Catch:random", "--force"], "--force replaces the file of --json, and there is none"),
        (["Catch:random", "--levels"], "--levels is for agents"),
        (["Catch:random", "--seeds", "0"], "--seeds must be 1 or more"),
        (["Catch:random", "--seed", "4294967295", "--seeds", "2"], "--seed is too high"),
        (["Catch:random", "--exploitability"], "Catch has no tree of positions"),
        (["KuhnPoker:random", "--exploitability", "--max-episode-steps", "2"], "--max-episode-steps must be left out"),
        (["Catch:random", "--json", "found.txt"], "--json must end in .json"),
        (["Catch:random", "--json", "nowhere/found.json"], "the folder nowhere cannot be written"),
    ],
)
def test_bad_input_is_one_line(arguments, message, capsys):
    assert message in refused(capsys, *arguments)


def test_policies_and_levels_are_refused_where_there_are_none(seeds, capsys, tmp_path):
    assert "give --both or --sampled" in refused(capsys, seeds[0], "--both", "--sampled")
    without = train(tmp_path / "run")
    assert "was trained on no finite set of levels" in refused(capsys, without, "--levels")


def test_exploitability_is_of_each_policy(told, capsys, tmp_path):
    run = train(tmp_path / "run", "KuhnPoker")
    text, facts = told(run, "--both", "--exploitability")
    greedy, sampled = (one["exploitability"] for one in facts["evaluations"])
    assert greedy != sampled and f"greedy {greedy:.4f}" in text and f"sampled {sampled:.4f}" in text
    text, facts = told("KuhnPoker:random", "KuhnPoker:heuristic", "--exploitability", "--against", "heuristic")
    assert "KuhnPoker:random random 0.4583" in text and "KuhnPoker:heuristic heuristic 0.0000" in text
    assert "0 in a Nash equilibrium" in text
    assert told("KuhnPoker:random")[1]["evaluations"][0]["exploitability"] is None
    assert "leave out --search" in refused(capsys, run, "--exploitability", "--search", "2")


def test_a_file_that_is_there_stays(capsys, tmp_path):
    (tmp_path / "found.json").write_text("precious")
    assert "--force" in refused(capsys, "Catch:random", "--json", str(tmp_path / "found.json"))
    assert (tmp_path / "found.json").read_text() == "precious"


def test_many_levels_are_told_by_their_ends():
    facts = {"game": "Snake", "options": {"obs_type": "planes", "levels": list(range(20)), "frame_stack": 2}}
    assert title_of(facts) == "Snake (levels=[0, 1, ..., 19; 20 in all], frame_stack=2)"
    assert title_of({"game": "Snake", "options": {"levels": {"range": [0, 9, 1]}}}) == "Snake (levels=range(0, 9, 1))"


def test_bots_play_by_the_rules_that_agents_beside_them_learned(tmp_path):
    run = train(tmp_path / "run", "Catch", "--repeat-action-probability", "0.5", "--frame-stack", "2")
    both = Path(run), Path("Catch:random")
    agent, bot = entries(both, Config(both))
    assert bot.options == {"repeat_action_probability": 0.5} and agent.rules == bot.rules


def test_evaluate_takes_another_limit_of_steps(capsys):
    """CliffWalking at random falls and starts again, mostly for thousands of steps."""
    for limit, lengths in ((5, {5}), (9, {9})):
        arguments = ["CliffWalking:random", "--episodes", "3", "--max-episode-steps", str(limit)]
        assert main(["evaluate", *arguments]) == 0
        row = next(line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("random"))
        assert {int(row.split()[-1])} == lengths
