"""Monte Carlo tree search over records, as loops that are compiled with a game's rules.

PUCT as in AlphaZero (Silver et al. 2018), with values normalised by the lowest and the highest so far as in MuZero
(Schrittwieser et al. 2020). A position is a game's record, so that no model has to be learned, and one simulation takes one
step of the game. Board `i` has a tree of `ROOM` positions, of which the first is the root; all arrays are flat:

    nodes (N * ROOM,)    `NODE`                          records, raw, clocks of as many positions, see `kernel`
    edges (N * ROOM, A)  `EDGE`, one for each action     trees (N,) `TREE`
    search (1,)          `SEARCH`                        settings (1,) of the games
    streams (N, 2)       the search's own random numbers: those of the games are not here, so that nobody looks ahead
    obs (N * SEATS, ...) and legal (N, A): what the network is asked about; legal is all 1 where a game does not say
    priors (N, A) and values (N,) float32: what it answers
    actions, reward      room for a step

Where a step draws random numbers, an action leads to several positions. Each visit takes the step anew with other numbers and
goes on from what came of it: a position known already, or a new one. So an action's value is the mean over what chance
does, as often as chance does it.
"""

import math

import numpy as np

from .kernel import look, show_legal
from .placeholders import PLAYERS, act, viewer

CHANCE = False  # whether steps draw random numbers
GUIDED = False  # whether there is a network to ask; else priors are uniform and values 0
TURNS = False  # whether two players take turns

NODE = np.dtype(
    [
        ("value", "f8"),  # the network's, for whoever moves there; 0 at an end
        ("reward", "f8"),  # of the step that leads here, for whoever took it
        ("parent", "i4"),
        ("action", "i4"),  # from the parent
        ("sibling", "i4"),  # another position that the same action has led to, or 0
        ("visits", "i4"),
        ("state", "i4"),  # NEW, OPEN, ENDED or CUT
    ],
    align=True,
)
NEW, OPEN, ENDED, CUT = 0, 1, 2, 3  # not evaluated; has edges; the rules ended the episode there; a limit of steps did
EDGE = np.dtype([("total", "f8"), ("prior", "f4"), ("visits", "i4"), ("child", "i4")], align=True)
FORBIDDEN = -1.0  # as a prior: the action is not legal
TREE = np.dtype(
    [
        ("low", "f8"),  # the lowest and the highest value of an action so far
        ("high", "f8"),
        ("used", "i4"),  # positions
        ("asks", "i4"),  # the position that the network is asked about, or -1
    ],
    align=True,
)
SEARCH = np.dtype([("gamma", "f8"), ("simulations", "i8")], align=True)
C_PUCT = 1.25  # AlphaZero's; it grows with the logarithm of visits there, by a hundredth after 200


def plant_trees(
    nodes, edges, trees, records, raw, clocks, search, settings, streams, obs, legal, priors, values, actions, reward,
    backdrop, first, last,
):  # fmt: skip
    """Begin the trees of boards first .. last-1, whose roots have records and clocks; return how many have a question."""
    room = search[0].simulations + 1
    for i in range(first, last):
        tree, root = trees[i], nodes[i * room]
        tree.used, tree.asks = 1, -1
        tree.low, tree.high = (-1.0, 1.0) if TURNS else (math.inf, -math.inf)
        root.visits, root.parent, root.reward = 0, 0, 0.0
        root.state = NEW
        ask(i, 0, room, trees, records, obs, legal, backdrop)
    return last - first


def grow_trees(
    nodes, edges, trees, records, raw, clocks, search, settings, streams, obs, legal, priors, values, actions, reward,
    backdrop, first, last,
):  # fmt: skip
    """Take the network's answers in, and simulate until there is another question; return how many boards have one."""
    simulations, gamma, asking = search[0].simulations, search[0].gamma, 0
    room = simulations + 1
    for i in range(first, last):
        tree, root = trees[i], nodes[i * room]
        while tree.asks >= 0:
            k, tree.asks = tree.asks, -1
            expand(i, k, room, nodes, edges, legal, priors, values)
            back_up(i, k, room, nodes, edges, tree, records, gamma)
            while tree.asks < 0 and root.visits <= simulations:  # the root's own evaluation is no simulation
                k = descend(i, room, nodes, edges, tree, records, raw, clocks, settings, streams, actions, reward)
                if unknown(nodes[i * room + k]):
                    ask(i, k, room, trees, records, obs, legal, backdrop)
                else:
                    back_up(i, k, room, nodes, edges, tree, records, gamma)
            if GUIDED:
                break
        asking += tree.asks >= 0
    return asking


def unknown(node):
    """Whether the network has to be asked for a position's value: if it is new and no end."""
    return node.state == NEW or (node.state == CUT and node.visits == 0)


def ask(i, k, room, trees, records, obs, legal, backdrop):
    """Show the network position `k` of board `i`."""
    s = records[i * room + k]
    trees[i].asks = k
    if GUIDED:
        look(i, s, obs, True, backdrop)
    show_legal(i, s, legal)


def expand(i, k, room, nodes, edges, legal, priors, values):
    """Take in what the network says of a position."""
    node, count = nodes[i * room + k], 0
    for action in range(legal.shape[1]):
        count += legal[i, action]
    for action in range(legal.shape[1]):
        edge = edges[i * room + k, action]
        edge.total, edge.visits, edge.child = 0.0, 0, 0
        if not legal[i, action]:
            edge.prior = FORBIDDEN
        elif GUIDED:
            edge.prior = priors[i, action]
        else:
            edge.prior = 1.0 / count
    node.value = values[i]
    if node.state == NEW:
        node.state = OPEN


def descend(i, room, nodes, edges, tree, records, raw, clocks, settings, streams, actions, reward):
    """Go down from the root by the best actions, to a position without edges; returns it, a new one or an end."""
    k = 0
    while nodes[i * room + k].state == OPEN:
        action = best_action(nodes[i * room + k], edges[i * room + k], tree)
        child = edges[i * room + k, action].child
        if CHANCE or child == 0:
            child = follow(
                i, k, action, room, nodes, edges, tree, records, raw, clocks, settings, streams, actions, reward
            )
        k = child
    return k


def best_action(node, edges, tree):
    """PUCT; an action that was not tried counts for as much as the network gives the position."""
    best, highest, spread = -1, 0.0, math.sqrt(node.visits)
    for action in range(edges.shape[0]):
        edge = edges[action]
        if edge.prior >= 0.0:
            mean = edge.total / edge.visits if edge.visits > 0 else node.value
            score = normalised(mean, tree) + C_PUCT * edge.prior * spread / (1 + edge.visits)
            if best < 0 or score > highest:
                best, highest = action, score
    return best


def normalised(value, tree):
    """From 0 to 1 between the lowest and the highest value in the tree."""
    if tree.high > tree.low:
        return min(max((value - tree.low) / (tree.high - tree.low), 0.0), 1.0)
    return 0.0


def follow(i, k, action, room, nodes, edges, tree, records, raw, clocks, settings, streams, actions, reward):
    """Take a step from position `k`; returns the position it leads to."""
    new = tree.used
    here, there, edge = i * room + k, i * room + new, edges[i * room + k, action]
    for byte in range(raw.shape[1]):
        raw[there, byte] = raw[here, byte]
    clock, setting, mover = clocks[there], settings[0], viewer(records[here], 0)
    clock.elapsed, clock.last_action, clock.over = clocks[here].elapsed + 1, clocks[here].last_action, False
    actions[i] = action
    dead = act(i, records[there], actions, reward, clock, setting, streams[i])
    gain = reward[i * PLAYERS + mover]
    if CHANCE:
        known = edge.child
        while known > 0:
            if nodes[i * room + known].reward == gain and same(i * room + known, there, raw, clocks):
                return known
            known = nodes[i * room + known].sibling
    late = clock.elapsed == setting.max_episode_steps
    node = nodes[there]
    node.parent, node.action, node.sibling, node.visits = k, action, edge.child, 0
    node.reward, node.value = gain, 0.0
    node.state = ENDED if dead or (late and TURNS) else CUT if late else NEW  # in turns, what is cut off is a draw
    edge.child = new
    tree.used += 1
    return new


def same(one, other, raw, clocks):
    """Whether two positions are the same; what was done last counts, since it may be repeated."""
    different = clocks[one].last_action != clocks[other].last_action
    for k in range(raw.shape[1]):
        different |= raw[one, k] != raw[other, k]
    return not different


def back_up(i, k, room, nodes, edges, tree, records, gamma):
    """Count a visit of position `k` with all that led to it, and add its value to theirs."""
    value = nodes[i * room + k].value
    nodes[i * room + k].visits += 1
    while k > 0:
        node = nodes[i * room + k]
        here, above = i * room + k, i * room + node.parent
        if TURNS and viewer(records[here], 0) != viewer(records[above], 0):
            value = -value  # what one gains, the other loses
        value = node.reward + gamma * value
        edge = edges[above, node.action]
        edge.total += value
        edge.visits += 1
        nodes[above].visits += 1
        mean = edge.total / edge.visits
        tree.low, tree.high = min(tree.low, mean), max(tree.high, mean)
        k = node.parent
