"""Trained agents: found by the game's name, guarded by checksums, described by cards that are read without trust."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import ludus.zoo
from ludus.__main__ import main
from ludus.agents import load_agent
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.ppo.ppo import PPO
from ludus.agents.training.evaluation import Player, evaluate
from ludus.envs import Bot, Match, OptionError, Simulator, evaluate_player
from ludus.envs.adapters.sb3 import vec_env
from ludus.envs.adapters.shared import seed_games
from ludus.zoo import cards
from ludus.zoo.cards import CARD, CHECKSUMS, FORMAT, agent_folder, agent_names, in_words, read_card, write_sums
from ludus.zoo.exploitability import exploitabilities
from ludus.zoo.judging import returns_of, returns_of_bot
from tests.agents.checkpoints.catch import catch_agent


@pytest.fixture(scope="module")
def trained():
    agent = catch_agent()
    agent.learn(256)
    return agent


@pytest.fixture
def zoo(trained, tmp_path, monkeypatch):
    """A zoo of one agent, whose card says what it does."""
    folder = tmp_path / "Catch"
    trained.save(folder, resumable=False)
    mean = float(returns_of(trained, episodes=20).mean())
    found = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}
    card = {
        "format": FORMAT, "game": "Catch", "version": 1, "algo": "ppo", "about": "a test", "options": {}, "settings": {},
        "seed": 0, "steps": 256, "seconds": 0.5, "threads": 1, "machine": "any", "versions": {"ludus": "0.1.0"},
        "evaluation": [
            {"policy": "greedy", "against": None, "episodes": 20, "seed": 1_000_000, "median": 1.0, **found},
        ],
        "bots": [{"who": "random", "mean": -0.5, "low": -0.6, "high": -0.4}], "seeds": [{"seed": 0, **found}],
        "published": [], "curve": [[256, 0.5, -0.5]],
    }  # fmt: skip
    (folder / CARD).write_text(json.dumps(card))
    write_sums(tmp_path)
    monkeypatch.setattr(cards, "AGENTS", tmp_path)
    return folder


def test_agents_are_found_by_the_games_name(zoo, trained):
    assert agent_names() == ["Catch"] and agent_folder("Catch") == zoo and agent_folder("Snake") is None
    assert read_card(zoo)["steps"] == 256
    weights, expected = (agent.policy.state_dict() for agent in (load_agent(zoo), trained))
    assert all(np.array_equal(weights[name], expected[name]) for name in expected)


def test_verbs_take_the_name_of_a_game(zoo, capsys):
    assert main(["evaluate", "Catch", "--episodes", "5"]) == 0
    by_name = capsys.readouterr().out
    assert main(["evaluate", str(zoo), "--episodes", "5"]) == 0
    assert by_name.splitlines()[1:] == capsys.readouterr().out.splitlines()[1:]  # below the title
    assert main(["evaluate", "Snake", "--episodes", "5"]) == 2
    assert "Snake is a game, and the zoo has no agent for it: give Snake:heuristic" in capsys.readouterr().err


def edit(path, change):
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))


@pytest.mark.parametrize("file", ["agent.json", "weights", CARD])
def test_files_that_are_not_as_they_were_made_are_refused(zoo, file, capsys):
    path = next(path for path in zoo.iterdir() if path.name.startswith(file))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{path.name} is damaged or was edited: its SHA-256"):
        agent_folder("Catch")
    assert main(["evaluate", "Catch"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_files_that_are_missing_or_new_are_named(zoo):
    (zoo / "more").write_text("")
    with pytest.raises(CheckpointError, match="Catch/more is new"):
        agent_folder("Catch")
    (zoo / "more").unlink()
    (zoo / "agent.json").unlink()
    with pytest.raises(CheckpointError, match=r"Catch/agent\.json is missing"):
        agent_folder("Catch")


@pytest.mark.parametrize("content", ["", "nonsense\n", "\x00"])
def test_checksums_that_are_none_are_refused(zoo, content):
    (zoo.parent / CHECKSUMS).write_text(content)
    with pytest.raises(CheckpointError, match=f"{CHECKSUMS}|is new"):
        agent_folder("Catch")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card.pop("steps"), "card lacks 'steps'"),
        (lambda card: card.update(magic=1), "card has 'magic'"),
        (lambda card: card.update(format=99), "format must be a whole number"),
        (lambda card: card["evaluation"][0].update(mean="good"), "mean must be a number"),
        (lambda card: card.update(game="two\nlines"), "game must be one line"),
        (lambda card: card.update(curve=[[1, 2, 3]] * 1001), "curve must be a list of at most 1000"),
        (lambda card: card.update(algo=None), "algo must be one line of text, got null"),
        (lambda card: card.update(game="Maze"), "it is the card of Maze, in the folder of Catch"),
        (lambda card: card.update(evaluation=[]), "it has no evaluation"),
        (lambda card: card["evaluation"][0].update(policy="zzz"), "policy must be one of greedy, sampled"),
        (lambda card: card["evaluation"][0].update(against="junk"), "against must be one of random, heuristic"),
        (lambda card: card["evaluation"][0].update(episodes=2**61), "episodes must be a whole number from 1"),
        (lambda card: card["evaluation"][0].update(seed=2**62), "seed must be a whole number from 0"),
        (lambda card: card["bots"][0].update(low=9.0), "an interval from 9 to"),
    ],
)
def test_a_doctored_card_is_refused_in_one_line(zoo, change, message):
    edit(zoo / CARD, change)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_card(zoo)
    assert "\n" not in str(caught.value) and CARD in str(caught.value)


def test_what_the_checksums_name_has_to_be_there(zoo, capsys):
    (zoo / CARD).unlink()
    for words in (["zoo", "list"], ["zoo", "verify"], ["evaluate", "Catch"]):
        assert main(words) == 2
        assert "Catch/card.json is missing" in capsys.readouterr().err


def test_the_list_is_of_cards_as_they_were_made(zoo, capsys):
    edit(zoo / CARD, lambda card: card["evaluation"][0].update(mean=999.0, high=1000.0))
    assert main(["zoo", "list"]) == 2
    assert "damaged or was edited" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "the agent of Catch is of version 99 of the game, which is 1"),
        ({"options": {"repeat_action_probability": 0.5}}, "was trained with other options than its card says"),
    ],
)
def test_a_card_is_of_its_agent(zoo, change, message, capsys):
    edit(zoo / CARD, lambda card: card.update(change))
    write_sums(zoo.parent)
    assert main(["zoo", "verify"]) == 2
    assert message in capsys.readouterr().err


def test_an_evaluation_is_of_as_many_players_as_there_are(zoo, capsys):
    edit(zoo / CARD, lambda card: card["evaluation"][0].update(against="random"))
    write_sums(zoo.parent)
    assert main(["zoo", "verify"]) == 2
    assert "evaluations that are not for 1 players" in capsys.readouterr().err


def test_the_list_says_who_is_not_better_than_the_heuristic(zoo, capsys):
    edit(zoo / CARD, lambda card: card["bots"].append({"who": "heuristic", "mean": 1.0, "low": 1.0, "high": 1.0}))
    write_sums(zoo.parent)
    main(["zoo", "list"])
    assert "Not clearly better than the simple players: Catch." in capsys.readouterr().out


def test_python_finds_agents_by_the_games_name_too(zoo, trained):
    agent = ludus.zoo.load_agent("catch")
    expected = trained.policy.state_dict()
    assert all(np.array_equal(weight, expected[name]) for name, weight in agent.policy.state_dict().items())
    with pytest.raises(OptionError, match="the zoo has no agent for Snake; it has some for Catch"):
        ludus.zoo.load_agent("Snake")


def test_export_and_plot_find_agents_by_the_games_name(zoo, tmp_path, capsys):
    assert main(["export", "Catch", "--out", str(tmp_path / "catch.zip")]) == 0
    edit(zoo / CARD, lambda card: card.update(curve=[[128, 0.2, -0.9], [256, 0.5, -0.5]]))
    write_sums(zoo.parent)
    assert main(["plot", "Catch", "--out", str(tmp_path / "catch.png")]) == 0
    assert (tmp_path / "catch.png").stat().st_size > 1000
    capsys.readouterr()
    assert main(["evaluate", "Catch", "catch", "--episodes", "5"]) == 2
    assert "the same agent is given twice" in capsys.readouterr().err
    assert main(["evaluate", "Cathc", "--episodes", "5"]) == 2
    assert "did you mean Catch, the game, whose agent is in the zoo?" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_reproduced_saves_when_a_signal_comes(number, tmp_path):
    """Ctrl-C reaches both processes, as in a terminal; SIGTERM the first alone."""
    out = tmp_path / "again"
    command = [sys.executable, "-m", "ludus", "zoo", "reproduce", "Snake", "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        deadline = time.monotonic() + 200
        while not (out / "curve.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
        told, _ = process.communicate(timeout=100)
    assert process.returncode == 130 or "saved in" in told
    assert (out / "agent.json").exists()


def test_the_list_fits_a_terminal(zoo, capsys):
    assert main(["zoo", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80 and any(line.split()[:3] == ["Catch", "PPO", "256"] for line in lines)


def test_verification_fails_where_a_card_says_too_much(zoo, capsys):
    assert main(["zoo", "verify"]) == 0
    assert "as it says" in capsys.readouterr().out
    edit(zoo / CARD, lambda card: card["evaluation"][0].update(mean=2.0, low=1.9, high=2.1))
    write_sums(zoo.parent)
    assert main(["zoo", "verify", "Catch"]) == 1
    assert "NOT as it says" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["zoo"], "needs STEP"),
        (["zoo", "feed"], "choose from list, verify, reproduce"),
        (["zoo", "list", "--seed", "3"], "--seed is for `ludus zoo reproduce`"),
        (["zoo", "verify", "Snake"], "the zoo has no agent for Snake"),
        (["zoo", "verify", "Nowhere"], "Nowhere"),
        (["zoo", "reproduce"], "needs one GAME"),
    ],
)
def test_what_cannot_be_is_said(zoo, words, answer, capsys):
    assert main(words) == 2
    err = capsys.readouterr().err
    assert answer in err and err.count("\n") == 1


def test_exploitability_is_verified_like_returns(tmp_path, monkeypatch, capsys, zoo):
    agent = PPO("mlp", vec_env("KuhnPoker", 2), n_steps=8, batch_size=16, seed=0)
    found = exploitabilities(agent)
    agent.save(tmp_path / "KuhnPoker", resumable=False)
    card = {**json.loads((zoo / CARD).read_text()), "game": "KuhnPoker", "evaluation": []}
    for told, fits in ((found, True), ({**found, "sampled": found["sampled"] - 0.01}, False)):
        (tmp_path / "KuhnPoker" / CARD).write_text(json.dumps({**card, "exploitability": told}))
        write_sums(tmp_path)
        assert main(["zoo", "verify", "KuhnPoker"]) == (0 if fits else 1)
        said = " ".join(capsys.readouterr().out.split())
        assert (
            f"KuhnPoker, exploitability, greedy: {found['greedy']:.4f}, card {found['greedy']:.4f}: as it says" in said
        )
        assert ("NOT as it says" in said) != fits
    assert exploitabilities(load_agent(zoo)) == {}


def test_returns_are_those_of_whole_episodes(trained):
    assert np.array_equal(returns_of(trained, episodes=7), evaluate(trained, 7, seed=1_000_000).returns)


def test_in_games_for_several_every_seat_is_had():
    found = returns_of_bot("heuristic", "TicTacToe", {}, "random", episodes=11, seed=5)
    first, second = Simulator("TicTacToe", 6), Simulator("TicTacToe", 5)
    expected = []
    for seat, sim in enumerate((first, second)):
        seed_games(sim, 5 + 6 * seat)
        bots = [Bot(sim, "heuristic" if seat == k else "random", 105 if seat == k else 5 + k) for k in range(2)]
        expected += evaluate_player(Match(sim, bots), sim).returns[:, seat].tolist()
    assert found.tolist() == expected


def test_an_agent_of_a_game_for_two_is_judged_at_both_seats():
    agent = PPO("mlp", vec_env("TicTacToe", num_envs=8, seed=0), seed=0, n_steps=8, batch_size=32)
    found = returns_of(agent, "random", episodes=4, seed=3)
    sim = Simulator("TicTacToe", 2)  # the last two of the four, where it is second
    seed_games(sim, 5)
    agent.set_random_seed(4)
    match = Match(sim, [Bot(sim, "random", 3), Player(agent, sim)])
    assert found[2:].tolist() == evaluate_player(match, sim, True).returns[:, 1].tolist()


@pytest.mark.parametrize("game", agent_names())
def test_a_card_says_in_a_sentence_what_its_agent_gets(game):
    card = read_card(agent_folder(game))
    told = in_words(card)
    mean = next(found["mean"] for found in card["evaluation"] if found["policy"] == "greedy")
    assert told.startswith("The agent gets ") and told.endswith(".") and "chance" in told and len(told) < 100
    assert float(re.search(r"[-+]?\d[\d.,]*", told)[0].replace(",", "")) == pytest.approx(mean, rel=0.01, abs=0.006)
