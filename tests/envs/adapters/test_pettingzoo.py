"""PettingZoo's own tests pass for every game for several players, and its conventions are kept."""

import warnings

import gymnasium
import numpy as np
import pytest
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, render_test, seed_test

import ludus
from ludus.envs import ActionError, OptionError, all_games, multiagent
from ludus.envs.adapters.pettingzoo import aec_env, module_name, parallel_env, raw_env
from ludus.envs.registry import find_game

GAMES = [game for game in all_games().values() if game.players > 1]
TURNS = [game.name for game in GAMES if game.turns]
TOGETHER = [game.name for game in GAMES if game.together]


@pytest.mark.filterwarnings("ignore::UserWarning")  # api_test warns of good style, such as the shape of observations
@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_pettingzoos_aec_tests(game):
    api_test(aec_env(game), num_cycles=60)
    seed_test(lambda: aec_env(game), num_cycles=40)
    render_test(lambda **options: aec_env(game, **options))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("game", TOGETHER)
def test_pettingzoos_parallel_tests(game):
    parallel_api_test(parallel_env(game), num_cycles=60)
    parallel_seed_test(lambda: parallel_env(game), num_cycles=40)


@pytest.mark.parametrize("game", TURNS)
def test_rewards_are_zero_sum_and_the_last_ones_reach_both(game):
    env = raw_env(game)
    env.reset(seed=3)
    totals = dict.fromkeys(env.possible_agents, 0.0)
    for agent in env.agent_iter(3000):
        obs, reward, terminated, truncated, _ = env.last()
        totals[agent] += reward
        legal = np.flatnonzero(obs["action_mask"])
        assert (terminated or truncated) == (len(legal) == 0)
        env.step(None if terminated or truncated else int(legal[0]))
    assert sum(totals.values()) == pytest.approx(0)


def test_the_second_player_sees_the_board_from_the_other_side():
    env = raw_env("TicTacToe")
    env.reset()
    env.step(4)
    mine, theirs = (env.observe(f"player_{k}")["observation"] for k in range(2))
    assert mine[1, 1].tolist() == [1, 0] and theirs[1, 1].tolist() == [0, 1]
    assert env.observe("player_0")["action_mask"].sum() == 0 and env.observe("player_1")["action_mask"].sum() == 8


def test_an_illegal_move_loses_in_wrappers_and_is_an_error_without():
    bare = raw_env("TicTacToe")
    bare.reset()
    bare.step(0)
    with pytest.raises(ActionError, match="not allowed by the rules of TicTacToe: now it could be 1 b3"):
        bare.step(0)
    assert bare.agent_selection == "player_1"
    env = aec_env("TicTacToe")
    env.reset()
    env.step(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        env.step(0)
    assert env.terminations == {"player_0": True, "player_1": True}
    assert env.rewards == {"player_0": 0, "player_1": -1}


def test_players_leave_and_the_others_go_on():
    env = parallel_env("Tron", players=3)
    env.reset(seed=0)
    assert env.agents == ["player_0", "player_1", "player_2"]
    left = []
    while env.agents:
        before = list(env.agents)
        _, rewards, terminated, truncated, _ = env.step(dict.fromkeys(env.agents, 0))  # all drive up
        assert set(rewards) == set(before) and not any(truncated.values())
        left += [agent for agent in before if terminated[agent]]
    assert sorted(left) == env.possible_agents


def test_time_is_up_for_all_at_once():
    env = parallel_env("Tron", max_episode_steps=1)
    env.reset(seed=0)
    _, _, terminated, truncated, _ = env.step(dict(zip(env.agents, (1, 3, 2, 0), strict=True)))
    assert not any(terminated.values()) and all(truncated.values()) and env.agents == []


def test_factories_are_named_as_pettingzoo_names_modules():
    from ludus.envs.multiagent import tic_tac_toe_v1, tron_v1

    assert tic_tac_toe_v1.env().metadata["name"] == "tic_tac_toe_v1"
    assert tron_v1.parallel_env(players=2).possible_agents == ["player_0", "player_1"]
    assert not hasattr(tic_tac_toe_v1, "parallel_env")
    assert [module_name(game) for game in GAMES] == [
        getattr(multiagent, module_name(game)).env().metadata["name"] for game in GAMES
    ]
    with pytest.raises(AttributeError):
        getattr(multiagent, "chess_v1")  # noqa: B009


def test_the_wrong_face_names_the_right_one():
    with pytest.raises(OptionError, match="use aec_env"):
        parallel_env("TicTacToe")
    with pytest.raises(OptionError, match=r"is for one player: use ludus.make\('Breakout'\)"):
        aec_env("Breakout")
    for make in (ludus.make, ludus.make_vec, ludus.make_sb3):
        with pytest.raises(OptionError, match=r"is for 4 players: use ludus.envs.parallel_env\('Tron'\)"):
            make("Tron")
    with pytest.raises(OptionError, match="players must be a whole number from 2 to 4, got 5"):
        parallel_env("Tron", players=5)
    with pytest.raises(OptionError, match="players must be a whole number from 1 to 1"):
        ludus.make("Breakout", players=2)


def test_actions_that_are_none():
    env = parallel_env("Tron", players=2)
    env.reset()
    with pytest.raises(ActionError, match="there is none for player_1"):
        env.step({"player_0": 0})
    with pytest.raises(ActionError, match=r"is a whole number, got 0\.5"):
        env.step({"player_0": 0, "player_1": 0.5})
    with pytest.raises(ActionError, match="action 7 of environment 0 is out of range: Tron takes 0 up"):
        env.step({"player_0": 0, "player_1": 7})


def test_all_that_gymnasium_knows_can_be_made_there():
    for name, spec in gymnasium.registry.items():
        if spec.namespace == "ludus":
            assert find_game(name).players == 1, f"gymnasium.make({name!r}) would raise"
