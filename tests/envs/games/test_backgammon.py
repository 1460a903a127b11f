"""Backgammon against OpenSpiel's `backgammon` with full scoring, and each single move against the rule in a few lines.

OpenSpiel moves two men at a time, ours one. So what is compared is where a whole turn may lead: the set of positions
after it, all sequences of our moves on one side and of the reference's actions on the other.
"""

from functools import cache

import numpy as np
import pytest

from ludus.envs import Bot, Simulator
from tests.envs.trajectories import Against, play_out

pyspiel = pytest.importorskip("pyspiel")
FACES, BAR, PASS = 6, 25, 0


def new_state():
    game = pyspiel.load_game("backgammon", {"scoring_type": "full_scoring", "max_player_turns": 10_000})
    return game.new_initial_state()


def roll(state, dice, starts):
    """The chance outcome with those dice, and that player to move."""
    for outcome, _ in state.chance_outcomes():
        after = state.child(outcome)
        if after.current_player() == starts and sorted(after.observation_tensor(0)[-2:]) == sorted(dice):
            return after
    raise AssertionError("no such roll")


def position(state):
    """The men as in our record: of both players, by point as each counts, 0 those that are off, 25 the bar."""
    numbers = np.array(state.observation_tensor(0))
    points = numbers[:192].reshape(2, 24, 4)
    men = np.zeros((2, 26), np.int8)
    counts = points @ [1, 2, 3, 1] + 3 * (points[:, :, 3] > 0)
    men[0, 1:25], men[1, 1:25] = counts[0, ::-1], counts[1]
    men[0, [25, 0]], men[1, [25, 0]] = numbers[192:194], numbers[195:197]
    return men.tobytes()


def their_turns(state):
    """All positions that the mover can reach, each with a state; a double is two actions."""
    mover, found, halves = state.current_player(), {}, {position(state): state}
    while halves:
        nearer = {}
        for half in halves.values():
            for action in half.legal_actions():
                after = half.child(action)
                goes_on = after.current_player() == mover
                (nearer if goes_on else found)[position(after)] = after
        halves = nearer
    return found


class Probe:
    """Plays our rules on from given records."""

    def __init__(self, size=1024):
        self.sim = Simulator("Backgammon", size, seed=1, autoreset="disabled")

    def children(self, records, actions):
        """After each action: the record, the actions allowed next, and whether the game is over."""
        results = []
        for start in range(0, len(records), self.sim.num_envs):
            some, chosen = records[start : start + self.sim.num_envs], actions[start : start + self.sim.num_envs]
            self.sim.reset()
            padded = np.argmax(self.sim.legal, axis=1)
            self.sim.records[: len(some)], padded[: len(some)] = some, chosen
            self.sim.legal[np.arange(len(some)), chosen] = True
            self.sim.step(padded)
            results += zip(
                self.sim.records[: len(some)].copy(),
                self.sim.legal[: len(some)].copy(),
                self.sim.terminated[: len(some)].copy(),
                strict=True,
            )
        return results


def our_turns(probe, record, legal):
    """All positions that the mover can reach."""
    found, here = set(), {b"": (record, legal)}
    while here:
        pairs = [(rec, action) for rec, mask in here.values() for action in np.flatnonzero(mask)]
        here = {}
        for rec, mask, over in probe.children(np.array([rec for rec, _ in pairs]), np.array([a for _, a in pairs])):
            if over or rec["player"] != record["player"]:
                found.add(rec["men"].tobytes())
            else:
                here[rec["men"].tobytes() + rec["left"].tobytes()] = (rec, mask)
    return found


@pytest.mark.parametrize(("kind", "turns"), [("random", 600), ("heuristic", 600)])
def test_turns_and_results_are_the_references(kind, turns):
    games, probe = 2, Probe(256)
    sim = Simulator("Backgammon", games, seed=3)
    bot = Bot(sim, kind, seed=4)
    sim.reset()
    theirs = [roll(new_state(), record["dice"], record["player"]) for record in sim.records]
    played = ends = double_turns = 0
    while played < turns:
        start = [record.copy() for record in sim.records]
        fresh = [record["left"].sum() == (4 if record["dice"][0] == record["dice"][1] else 2) for record in start]
        for k in np.flatnonzero(fresh):
            reachable = their_turns(theirs[k])
            assert our_turns(probe, start[k], sim.legal[k].copy()) == set(reachable)
            theirs[k] = reachable  # until our turn has ended, which tells the way
            played += 1
            double_turns += start[k]["dice"][0] == start[k]["dice"][1]
        actions = bot.act().copy()
        ended = probe.children(np.array(start), actions)  # the positions after the step, before a new game begins
        sim.step(actions)
        for k in range(games):
            men, mover = ended[k][0]["men"].tobytes(), start[k]["player"]
            if sim.terminated[k]:
                assert theirs[k][men].is_terminal() and theirs[k][men].returns() == sim.reward[k].tolist()
                theirs[k], ends = roll(new_state(), sim.records[k]["dice"], sim.player[k]), ends + 1
            elif sim.player[k] != mover:
                theirs[k] = roll(theirs[k][men], sim.records[k]["dice"], sim.player[k])
            assert sim.terminated[k] or not sim.reward[k].any()
    assert double_turns > turns / 10
    assert ends >= 4


def can_use(mine, theirs, die):
    """The points from which a man can be moved by a die, one man at a time."""
    rear = max(point for point in range(26) if mine[point])
    for point in range(1, 26):
        target = point - die
        if not mine[point] or (mine[BAR] and point != BAR):
            continue
        if (target > 0 and theirs[BAR - target] < 2) or (target <= 0 and rear <= 6 and (target == 0 or point == rear)):
            yield point


def after(mine, point, die):
    mine = list(mine)
    mine[point] -= 1
    mine[max(point - die, 0)] += 1
    return tuple(mine)


def without(dice, die):
    k = dice.index(die)
    return dice[:k] + dice[k + 1 :]


@cache
def most_dice(mine, theirs, dice):
    """How many dice can be used. (A man that is hit blocks nobody before or after.)"""
    uses = [
        1 + most_dice(after(mine, point, die), theirs, without(dice, die))
        for die in set(dice)
        for point in can_use(mine, theirs, die)
    ]
    return max(uses, default=0)


def allowed_moves(mine, theirs, dice):
    best = most_dice(mine, theirs, dice)
    moves = {
        (point, die)
        for die in set(dice)
        for point in can_use(mine, theirs, die)
        if 1 + most_dice(after(mine, point, die), theirs, without(dice, die)) == best
    }
    return {move for move in moves if best > 1 or move[1] == max(die for _, die in moves)}


def test_legal_moves_use_as_many_dice_as_possible_and_else_the_higher():
    sim = Simulator("Backgammon", 40, seed=5)
    bots = [Bot(sim, kind, seed=6) for kind in ("random", "heuristic")]
    sim.reset()
    forced = passed = checked = 0
    for step in range(250):
        for k in range(40):
            record = sim.records[k]
            dice = tuple(np.repeat(record["dice"], record["left"]).tolist())
            mine, theirs = (tuple(men.tolist()) for men in record["men"][[record["player"], 1 - record["player"]]])
            moves = allowed_moves(mine, theirs, dice)
            numbers = sorted(FACES * (point - 1) + die for point, die in moves) or [PASS]
            assert numbers == np.flatnonzero(sim.legal[k]).tolist()
            checked, passed = checked + 1, passed + (numbers == [PASS])
            forced += len(moves) < sum(len(list(can_use(mine, theirs, die))) for die in set(dice))
        most_dice.cache_clear()
        sim.step(bots[step // 10 % 2].act())
    assert checked == 10_000 and passed > 200 and forced > 15


def test_both_players_begin_and_dice_are_fair():
    sim = Simulator("Backgammon", 30_000, seed=7)
    sim.reset()
    dice, counts = np.unique(np.column_stack([sim.player, sim.records["dice"]]), axis=0, return_counts=True)
    assert len(counts) == 30 and np.abs(counts - 1000).max() < 4.5 * np.sqrt(1000)
    assert all((first > second) == (player == 0) for player, first, second in dice.astype(int))


def test_rolls_in_mid_game_are_fair():
    sim = Simulator("Backgammon", 30_000, seed=7)
    sim.reset()
    starters, rolls = sim.player.copy(), []
    waiting = np.ones(30_000, bool)
    for _ in range(3):  # the first turn is of two moves, or of one
        sim.step(np.argmax(sim.legal, axis=1))
        fresh = waiting & (sim.player != starters)
        waiting &= ~fresh
        rolls.append(sim.records["dice"][fresh].copy())
    rolls = np.concatenate(rolls)
    _, counts = np.unique(rolls, axis=0, return_counts=True)
    assert len(rolls) == 30_000 and len(counts) == 36
    assert np.abs(counts - 30_000 / 36).max() < 4.5 * np.sqrt(30_000 / 36)


@pytest.mark.parametrize("seat", [0, 1])
def test_the_heuristic_beats_chance_in_both_seats(seat):
    sim = Simulator("Backgammon", 64, seed=8)
    bots = [Bot(sim, "random", 9), Bot(sim, "random", 10)]
    bots[seat] = Bot(sim, "heuristic", 11)
    returns, _ = play_out(sim, Against(sim, *bots), 256)
    assert (returns[:, seat] > 0).mean() > 0.9
