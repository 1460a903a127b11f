"""Alpha-beta search over records, as a loop that is compiled with a game's rules; what bots named "search-4" do.

Minimax to a fixed depth (Knuth & Moore 1975), where a position is worth what was gained on the way, and what the game's own
rule `value` says, if it has one. Later gains count a little
less, so that no win is put off. Moves that cut off elsewhere are tried first (the history heuristic, Schaeffer 1989). A level
is a position on the way to the present one; board `i` has `room` of them, one more than the depth, and the first is its game:

    levels (N * room,)   `LEVEL`            records, raw    of as many positions, see `kernel`
    moves (N * room, A)  int64: those allowed at a level; the ones before `tried` were tried, in this order
    history (N * 2, A)   int64, by player: how far above the leaves a move cut off, squared and added up
    legal (N, A)         bool               games (N, itemsize)  the records of the games as bytes, which are read
    wanted (N,)          bool: where an answer is wanted
    streams (N, 2)       the bot's random numbers, which say in what order moves of the root are tried
    actions (N, 1)       int64, the answers                 nodes (N,) int64: steps that were taken
"""

import math

import numpy as np

from ..rng import below
from .placeholders import legal_actions, step, value_of

LEVEL = np.dtype(
    [
        ("gain", "f8"),  # on the way here; this and the next three as the root's player counts
        ("value", "f8"),  # the best of the moves tried here, for whoever moves
        ("alpha", "f8"),  # what the root's player can have elsewhere, at least
        ("beta", "f8"),  # what the other can hold the root's player to elsewhere
        ("weight", "f8"),  # of a gain here
        ("count", "i4"),  # moves
        ("tried", "i4"),
    ],
    align=True,
)
PATIENCE = 0.99  # what is left of a gain that comes a step later


def search_games(levels, records, raw, moves, history, legal, games, wanted, streams, actions, nodes, first, last):
    """Write the best of the moves in games first .. last-1, in as many steps as there is room for; of equals, any one."""
    for i in range(first, last):
        nodes[i] = 0
        if wanted[i]:
            actions[i, 0] = search(i, levels, records, raw, moves, history, legal, games, streams, nodes)
    return 0


def search(i, levels, records, raw, moves, history, legal, games, streams, nodes):
    """The best move in game `i`; among equals the one tried first, and moves of the root are tried in random order."""
    room = moves.shape[0] // nodes.shape[0]
    root = i * room
    for byte in range(raw.shape[1]):
        raw[root, byte] = games[i, byte]
    for action in range(history.shape[1]):
        history[2 * i, action] = history[2 * i + 1, action] = 0
    levels[root].gain, levels[root].weight = 0.0, 1.0
    enter(i, root, levels, records, moves, legal, -math.inf, math.inf, True)
    shuffle(moves[root], levels[root].count, streams[i])
    me, best, here = records[root].player, 0, root
    while here >= root:
        level, mover = levels[here], records[here].player
        if level.tried == level.count or level.alpha >= level.beta:
            if here > root and take(level.value, levels[here - 1], records[here - 1].player == me):
                best = leave(i, root, here - 1, room, levels, records, moves, history, best)
            here -= 1
            continue
        action = next_move(moves[here], level, history[2 * i + mover], here == root)
        for byte in range(raw.shape[1]):
            raw[here + 1, byte] = raw[here, byte]
        reward, over = step(records[here + 1], action, streams[i])
        nodes[i] += 1
        gain = level.gain + level.weight * (reward if mover == me else -reward)
        leaf = here + 2 == root + room
        if leaf and not over:
            gain += level.weight * PATIENCE * value_of(records[here + 1], me)
        if over or leaf:
            if take(gain, level, mover == me):
                best = leave(i, root, here, room, levels, records, moves, history, best)
        else:
            here += 1
            levels[here].gain, levels[here].weight = gain, level.weight * PATIENCE
            mine = records[here].player == me
            enter(i, here, levels, records, moves, legal, level.alpha, level.beta, mine)
    return best


def enter(i, here, levels, records, moves, legal, alpha, beta, mine):
    """Begin with a position, whose moves are not tried yet."""
    level, count = levels[here], 0
    for action in range(legal.shape[1]):
        legal[i, action] = False
    legal_actions(records[here], legal[i])
    for action in range(legal.shape[1]):
        if legal[i, action]:
            moves[here, count] = action
            count += 1
    level.count, level.tried, level.alpha, level.beta = count, 0, alpha, beta
    level.value = -math.inf if mine else math.inf


def take(value, level, mine):
    """Look at the value of a move; returns whether it is better than those before, for whoever moves."""
    if mine and value > level.value:
        level.value = value
        level.alpha = max(level.alpha, value)
        return True
    if not mine and value < level.value:
        level.value = value
        level.beta = min(level.beta, value)
        return True
    return False


def leave(i, root, here, room, levels, records, moves, history, best):
    """Remember a move that was better: the root's, which is returned, or one that cuts off the rest."""
    level = levels[here]
    action = moves[here, level.tried - 1]
    if here == root:
        return action
    if level.alpha >= level.beta:
        history[2 * i + records[here].player, action] += (root + room - here) ** 2
    return best


def next_move(moves, level, history, as_they_are):
    """The move to try next: the one that cut off most or, at the root, the next in order."""
    k = level.tried
    if not as_they_are:
        for other in range(k + 1, level.count):
            if history[moves[other]] > history[moves[k]]:
                moves[k], moves[other] = moves[other], moves[k]
    level.tried += 1
    return moves[k]


def shuffle(moves, count, random):
    """Put moves into random order (Fisher and Yates)."""
    for k in range(count - 1, 0, -1):
        other = below(random, k + 1)
        moves[k], moves[other] = moves[other], moves[k]
