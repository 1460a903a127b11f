"""States from anywhere may be loaded: they are known again, refused, or played with every index checked."""

import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ludus.envs import Bot, OptionError, Simulator, all_games
from ludus.envs.engine import cache
from tests.envs.trajectories import random_actions, snapshot

GAMES = all_games()


def begun(game, num_envs=8, steps=3, **options):
    """A simulator in the middle of episodes."""
    sim = Simulator(game, num_envs, seed=1, num_threads=1, **options)
    sim.reset()
    bot = Bot(sim, "random")
    for _ in range(steps):
        sim.step(bot.act())
    return sim


def from_outside(sim):
    """Its state, as somebody else would have saved it."""
    return sim.state_dict() | {"seal": b""}


def test_what_was_saved_here_is_known_again():
    sim = begun("Breakout")
    sim.load_state_dict(sim.state_dict())
    assert not sim._unverified.whole.some


def test_a_later_process_knows_it_again(tmp_path, monkeypatch):
    code = "import sys; from ludus.envs.engine.cache import secret; sys.stdout.write(secret().hex())"
    environment = {**os.environ, "LUDUS_CACHE_DIR": str(tmp_path / "cache")}
    secrets = [subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True).stdout for _ in "12"]
    assert secrets[0] == secrets[1] and len(secrets[0]) == 64


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no modes of files here")
def test_a_secret_that_others_may_read_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("LUDUS_CACHE_DIR", str(tmp_path / "cache"))
    make = cache.secret.__wrapped__
    first, path = make(), tmp_path / "cache" / "secret"
    assert make() == first and path.stat().st_mode & 0o077 == 0
    path.chmod(0o644)
    assert make() != first and path.stat().st_mode & 0o077 == 0


def change_a_record(state):
    state["records"]["paddle"][0] ^= 1


def change_a_clock(state):
    state["clocks"]["elapsed"][0] += 1


@pytest.mark.parametrize("change", [change_a_record, change_a_clock])
def test_what_was_changed_is_not(change):
    sim = begun("Breakout")
    state = sim.state_dict()
    change(state)
    sim.load_state_dict(state)
    assert sim._unverified.whole.some and sim.state_dict()["seal"] == b""


def test_nor_what_other_rules_have_made():
    def step(s, action, random):
        return 0.0, False

    sim, other = begun("Catch"), Simulator(replace(GAMES["Catch"], step=step), 8, num_threads=1)
    other.load_state_dict(sim.state_dict())
    assert other._unverified.whole.some


@pytest.mark.parametrize("autoreset", ["same_step", "next_step"])
@pytest.mark.parametrize("game", ["Catch", "Breakout", "TicTacToe", "Tron"])
def test_doubt_changes_nothing_and_ends_with_the_episodes(game, autoreset):
    one, other = begun(game, autoreset=autoreset), begun(game, steps=0, autoreset=autoreset)
    other.load_state_dict(from_outside(one))
    assert other._unverified.games.all()
    bot = Bot(one, "random", 5)
    for _ in range(400):
        actions = bot.act().copy()
        assert one.step(actions) == other.step(actions)
        assert snapshot(one) == snapshot(other)
    assert not other._unverified.whole.some and other.state_dict()["seal"] == one.state_dict()["seal"] != b""


def test_parts_share_the_doubt():
    one, other = begun("Catch"), begun("Catch", steps=0)
    parts = other.split(2)
    other.load_state_dict(from_outside(one))
    for part in parts:
        part._ready = True
    for k, actions in enumerate(random_actions(one, 10)):
        assert other._unverified.games[:4].any() == (k < 6)
        one.step(actions)
        parts[0].step(actions[:4])
    assert other._unverified.games.tolist() == [False] * 4 + [True] * 4
    for actions in random_actions(one, 10):
        parts[1].step(actions[4:])
    assert not other._unverified.whole.some
    assert other.obs[:4].tobytes() == one.obs[:4].tobytes()


def test_a_copy_doubts_the_same():
    sim = begun("Catch")
    sim.load_state_dict(from_outside(sim))
    for part in (sim, sim.split(2)[1]):
        twin = pickle.loads(pickle.dumps(part))
        assert twin._unverified.whole.some and len(twin._unverified.games) == part.num_envs
        twin.reset()
        assert not twin._unverified.whole.some
    assert sim._unverified.games.all()


def test_a_reset_ends_the_doubt_where_it_is():
    sim = begun("Catch", autoreset="disabled")
    sim.load_state_dict(from_outside(sim))
    sim.reset(np.arange(8) < 3)
    assert sim._unverified.games.tolist() == [False] * 3 + [True] * 5
    sim.reset()
    assert not sim._unverified.whole.some


def test_an_episode_that_has_not_begun_here_is_in_doubt():
    """Though its clock stands at 0, as after a reset."""
    sim = begun("Catch", steps=0)
    sim.load_state_dict(from_outside(sim))
    with pytest.raises(ValueError, match="out of range"):
        sim.step(np.full(8, 77))
    assert sim._unverified.games.all()
    sim.step(np.zeros(8, np.int64))
    assert sim._unverified.games.all()


WRONG = [
    ("Go", "records", "player", 7, "player in its records must be from 0 to 1, got 7 in row 1"),
    ("Tron", "records", "active", -3, "active in its records must be from 0 to 1, got -3 in row 1"),
    ("CartPole", "records", "angle", np.nan, "angle in its records must be finite, got nan in row 1"),
    ("Catch", "clocks", "elapsed", -1, "elapsed in its clocks must be from 0 to inf, got -1 in row 1"),
    ("Catch", "clocks", "last_action", 3, "last_action in its clocks must be from 0 to 2, got 3 in row 1"),
    ("Catch", "totals", None, np.inf, "totals must be finite, got inf in row 1"),
    ("Catch", "obs", None, 2, "obs must be from 0 to 1, got 2 in row 1"),
]


@pytest.mark.parametrize(("game", "array", "field", "value", "message"), WRONG)
def test_what_no_game_can_hold_is_refused(game, array, field, value, message):
    sim = begun(game)
    state = from_outside(sim)
    (state[array] if field is None else state[array][field])[1] = value
    before = snapshot(sim)
    with pytest.raises(OptionError) as caught:
        sim.load_state_dict(state)
    assert str(caught.value) == f"this state is none that a game can be in: {message}"
    assert snapshot(sim) == before and not sim._unverified.whole.some


def test_episodes_longer_than_here_are_refused():
    """Their end would never come."""
    with pytest.raises(
        OptionError, match=r"^an episode of this state has gone on for 3 steps, here max_episode_steps is 3$"
    ):
        begun("Catch", steps=0, max_episode_steps=3).load_state_dict(begun("Catch").state_dict())
    for limit in (4, -1):
        begun("Catch", steps=0, max_episode_steps=limit).load_state_dict(begun("Catch").state_dict())


def test_bools_are_0_or_1():
    sim = begun("Bomber")
    state = sim.state_dict()
    state["records"].view(np.uint8).reshape(8, -1)[2, sim.game.State.fields["burning"][1]] = 2
    with pytest.raises(OptionError, match="burning in its records must be from 0 to 1, got 2 in row 2"):
        sim.load_state_dict(state)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, r"a state is what state_dict\(\) returned, got NoneType"),
        ({}, "this state is of None, not of ludus/Catch-v1"),
        ({"game": "ludus/Catch-v1"}, "this state's records must be a NumPy array, got NoneType"),
        ({"game": "ludus/Catch-v1", "records": [1]}, "this state's records must be a NumPy array, got list"),
    ],
)
def test_what_is_no_state_is_refused(state, message):
    with pytest.raises(OptionError, match=message):
        Simulator("Catch").load_state_dict(state)


def test_a_gpu_begins_new_episodes(monkeypatch):
    """It has no kernels that check; here a CPU's says that it has none."""
    sim = begun("Catch")
    state = from_outside(sim)
    state["records"]["paddle"] = 100
    monkeypatch.setattr(sim._backend, "checks", False)
    with pytest.warns(UserWarning, match="which a GPU cannot check: new episodes begin"):
        sim.load_state_dict(state)
    assert not sim._unverified.whole.some and not sim._backend.read("clocks")["elapsed"].any()
    assert sim.records["paddle"].max() < 10


def impossible_states(*arguments):
    """What `impossible_states.py` found, by game."""
    command = [sys.executable, "-X", "faulthandler", str(Path(__file__).with_name("impossible_states.py")), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=290)
    assert result.returncode == 0, result.stderr[-2000:]
    return {name: found for line in result.stdout.splitlines() for name, found in json.loads(line).items()}


@pytest.mark.parametrize("group", range(6))
def test_no_record_makes_a_game_write_elsewhere_or_play_for_ever(group):
    names = list(GAMES)[group::6]
    found = impossible_states("8", *names)
    assert list(found) == names
    assert all(sum(counts.values()) == 8 for counts in found.values())
    assert sum(counts["stopped"] for counts in found.values()) > 0


def test_nor_do_pictures_views_and_simple_players():
    assert impossible_states("--kernels", "12", "Bomber")["Bomber"]["stopped"] > 0
