"""What holds for every game, by being registered."""

import re

import numpy as np
import pytest

from ludus.cli.session import IDLE
from ludus.envs import Bot, Match, Observer, OptionError, Simulator, all_games, evaluate_player
from ludus.envs.engine.plain import PlainRecord

GAMES = list(all_games().values())
every_game = pytest.mark.parametrize("game", GAMES, ids=[game.name for game in GAMES])
with_heuristic = pytest.mark.parametrize(
    "game", [game for game in GAMES if game.heuristic is not None], ids=lambda game: game.name
)
RESULTS = ("records", "totals", "obs", "legal", "reward", "terminated", "truncated", "episode_return")


def results(sim):
    return {name: sim._backend.read(name).tobytes() for name in RESULTS}


@every_game
def test_a_state_saved_in_mid_episode_goes_on_the_same(game):
    sim, other = Simulator(game, 16, seed=5), Simulator(game, 16, seed=99)
    sim.reset()
    player = Bot(sim, "random")
    for _ in range(11):
        sim.step(player.act())
    saved = sim.state_dict()
    actions = []
    for _ in range(30):
        actions.append(player.act().copy())
        sim.step(actions[-1])
    other.load_state_dict(saved)
    for chosen in actions:
        other.step(chosen)
    assert results(other) == results(sim)


@every_game
def test_a_game_is_the_same_alone_and_among_others(game):
    many, one = Simulator(game, 5, seed=3), Simulator(game, 1, seed=3)
    many.reset()
    one.reset()
    player = Bot(many, "random")
    for _ in range(50):
        actions = player.act()
        many.step(actions)
        one.step(actions[:1])
        assert many.records[:1].tobytes() == one.records.tobytes()
        assert np.array_equal(many.obs[:1], one.obs)


@pytest.mark.parametrize("game", [game for game in GAMES if game.turns], ids=lambda game: game.name)
def test_hidden_is_said_where_one_player_cannot_tell_what_the_other_sees(game):
    """Positions that look the same to one player look the same to the other, unless something is hidden."""
    sim, observer = Simulator(game, 200, seed=1), Observer(game)
    sim.reset()
    bot, seen = Bot(sim, "random"), {}
    for _ in range(20):
        mine, theirs = observer(sim.records, 0), observer(sim.records, 1)
        for k, player in enumerate(sim.player.tolist()):
            seen.setdefault((player, mine[k].tobytes()), set()).add(theirs[k].tobytes())
        sim.step(bot.act())
    assert any(len(views) > 1 for views in seen.values()) == game.hidden


@every_game
def test_observations_are_inside_the_declared_space(game):
    sim = Simulator(game, 64, seed=1)
    kinds = ["random", *(["heuristic"] if game.heuristic is not None else [])]
    players = [Bot(sim, kind) for kind in kinds]
    sim.reset()
    for t in range(200):
        sim.step(players[t // 20 % len(players)].act())
        assert np.all((sim.obs >= sim.obs_low) & (sim.obs <= sim.obs_high))
        assert np.all(np.isfinite(sim.obs))


@every_game
def test_the_docstring_numbers_actions_as_they_are_by_default(game):
    text = " ".join(game.sections["Actions"].split())
    if text.startswith("0"):
        for number, name in re.findall(r"(\d+) ([a-z]\w*(?: drop)?)", re.split("[.:]", text)[0]):
            assert game.minimal_actions[int(number)] == name.replace(" ", "_")
    if game.minimal_actions != game.actions:
        assert ", ".join(f"{k} {name}" for k, name in enumerate(game.minimal_actions)) in text
        assert f"{game.actions.index('fire')} fire" in text.split("`full_action_space`")[1]


@every_game
def test_a_random_player_only_does_what_is_allowed(game):
    if game.legal is None:
        pytest.skip("all actions are allowed always")
    sim = Simulator(game, 64, seed=2)
    sim.reset()
    player = Bot(sim, "random")
    for _ in range(200):
        actions = player.act()
        assert sim.legal[np.arange(64), actions].all()
        sim.step(actions)
        assert sim.legal.any(axis=1).all()  # games that ended have begun again


def chosen_by_hand(sim):
    """The actions that keys, clicks and doing nothing stand for."""
    game, record = sim.game, PlainRecord(sim.records[0])
    found = {sim.actions.index(name) for name in game.keys.values() if name in sim.actions}
    if not game.waits:
        found |= {sim.actions.index(name) for name in IDLE if name in sim.actions}
    if game.click is not None:
        width, height = game.canvas
        places = (np.arange(80) + 0.5) / 80
        found |= {int(game.click(record, float(x * width), float(y * height))) for x in places for y in places}
    return found


@every_game
def test_a_person_can_do_all_that_is_allowed_and_nothing_else(game):
    sim = Simulator(game, 1, seed=6)
    sim.reset()
    player = Bot(sim, "random")
    for _ in range(4):
        allowed = set(range(len(sim.actions)) if sim.legal is None else np.flatnonzero(sim.legal[0]))
        offered = chosen_by_hand(sim)
        assert allowed <= offered, [sim.actions[action] for action in allowed - offered]
        assert offered <= {-1, *range(len(sim.actions))}
        for _ in range(7):
            sim.step(player.act())


def mean_return(game, *kinds):
    """Of the first player; the last of `kinds` has all other seats. Small games, ruled by chance, are played more often."""
    sim = Simulator(game, 300 if game.State.itemsize > 16 else 30_000, seed=4, max_episode_steps=1000)
    seats = [Bot(sim, kinds[min(seat, len(kinds) - 1)], 10 + seat) for seat in range(sim.num_players)]
    player = seats[0] if len(seats) == 1 else Match(sim, seats)
    return evaluate_player(player, sim).mean


@with_heuristic
def test_a_heuristic_is_better_than_chance(game):
    assert mean_return(game, "heuristic", "random") > mean_return(game, "random")


@every_game
def test_the_number_of_players_is_the_games(game):
    with pytest.raises(OptionError, match=f"players must be a whole number from {game.min_players} to {game.players}"):
        Simulator(game, players=game.players + 1)
    for players in range(game.min_players, game.players + 1):
        sim = Simulator(game, 2, players=players)
        sim.reset()
        assert sim.reward.shape == ((2,) if players == 1 else (2, players))
