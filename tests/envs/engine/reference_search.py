"""Tree search and minimax as textbooks write them, in plain Python over plain records: what the compiled loops must equal.

AlphaZero's PUCT (Silver et al. 2018), with MuZero's normalisation of values (Schrittwieser et al. 2020, appendix B). A tree
is of objects, and nothing is shared with the engine but the rules of games and how records are read. Random numbers are those
of the search, drawn in the same order.
"""

import math

import numpy as np

from ludus.envs.engine.plain import PlainRecords
from ludus.envs.rng import players_streams

C_PUCT = 1.25


class Position:
    """A record, whose rules are asked as plain Python."""

    def __init__(self, game, record):
        self.game, self.array = game, np.frombuffer(bytearray(record.tobytes()), game.State)
        self.s = PlainRecords(self.array)[0]

    @property
    def player(self):
        return self.s.player if self.game.turns else 0

    def legal(self):
        if self.game.legal is None:
            return list(range(len(self.game.minimal_actions)))
        allowed = np.zeros(len(self.game.actions), np.bool_)
        self.game.legal(self.s, allowed)
        return np.flatnonzero(allowed).tolist()

    def after(self, action, random):
        """The position after an action, the mover's reward, and whether the game is over."""
        there = Position(self.game, self.array[0])
        action = self.game.actions.index(self.game.minimal_actions[action])
        with np.errstate(over="ignore"):
            reward, over = self.game.step(there.s, action, random)
        return there, float(np.float32(reward)), bool(over)

    def observation(self):
        game = self.game
        shape, kind = (
            ((*game.shape, len(game.planes)), np.uint8) if game.planes else ((len(game.features),), np.float32)
        )
        out = np.zeros(shape, kind)
        game.observe(self.s, *([self.player] if game.players > 1 else []), out)
        return out


class Node:
    def __init__(self, position, reward=0.0, over=False):
        self.position, self.reward, self.over = position, reward, over
        self.visits, self.value, self.priors = 0, 0.0, None
        self.totals, self.counts, self.children = {}, {}, {}


class Reference:
    """A search of one position; `guide` is asked about one at a time."""

    def __init__(self, game, record, simulations, guide=None, gamma=1.0, seed=0, index=0):
        self.game, self.guide, self.gamma = game, guide, gamma
        with np.errstate(over="ignore"):  # random numbers wrap around
            self.random = np.array(players_streams(np.uint64(seed), np.uint64(index)), np.uint64)
        self.bounds = [-1.0, 1.0] if game.turns else [math.inf, -math.inf]
        self.root = Node(Position(game, record))
        self.evaluate(self.root)
        self.root.visits = 1
        for _ in range(simulations):
            self.simulate()
        actions = range(len(game.minimal_actions))
        self.visits = [self.root.counts.get(action, 0) for action in actions]
        self.value = np.array([self.root.totals.get(action, 0.0) for action in actions]).sum() / simulations

    def evaluate(self, node):
        legal = node.position.legal()
        node.priors = {action: float(np.float32(1.0 / len(legal))) for action in legal}
        if self.guide is not None:
            mask = np.zeros((1, len(self.game.minimal_actions)), np.bool_)
            mask[0, legal] = True
            priors, values = self.guide(node.position.observation()[None], mask)
            node.priors, node.value = {a: float(priors[0, a]) for a in legal}, float(values[0])

    def simulate(self):
        path, node = [], self.root
        while node.priors is not None and not node.over:
            action = max(node.priors, key=lambda a: (self.score(node, a), -a))
            path.append((node, action))
            node = self.follow(node, action)
        if node.priors is None and not node.over:
            self.evaluate(node)
        node.visits += 1
        value, below = node.value, node
        for above, action in reversed(path):
            if self.game.turns and above.position.player != below.position.player:
                value = -value
            value = below.reward + self.gamma * value
            above.visits += 1
            above.counts[action] = above.counts.get(action, 0) + 1
            above.totals[action] = above.totals.get(action, 0.0) + value
            mean = above.totals[action] / above.counts[action]
            self.bounds = [min(self.bounds[0], mean), max(self.bounds[1], mean)]
            below = above

    def score(self, node, action):
        count = node.counts.get(action, 0)
        mean = node.totals[action] / count if count else node.value
        low, high = self.bounds
        mean = min(max((mean - low) / (high - low), 0.0), 1.0) if high > low else 0.0
        return mean + C_PUCT * node.priors[action] * math.sqrt(node.visits) / (1 + count)

    def follow(self, node, action):
        """Take the step, with new random numbers; a position that it has led to before is the same node."""
        there, reward, over = node.position.after(action, self.random)
        key = action, there.array.tobytes(), reward
        if key not in node.children:
            node.children[key] = Node(there, reward, over)
        return node.children[key]


def minimax(position, depth, me=None, gain=0.0, weight=1.0):
    """What the root's player gets; later gains count 0.99 of sooner ones."""
    me = position.player if me is None else me
    found = [value_after(position, action, depth, me, gain, weight) for action in position.legal()]
    return max(found) if position.player == me else min(found)


def value_after(position, action, depth, me, gain, weight):
    there, reward, over = position.after(action, None)
    gain += weight * (reward if position.player == me else -reward)
    if over:
        return gain
    weight *= 0.99
    if depth == 1:
        value = position.game.value
        return gain + (0.0 if value is None else weight * value(there.s, me))
    return minimax(there, depth - 1, me, gain, weight)


def positions(game, count, plies, seed):
    """Simulators of `count` boards after so many random moves; episodes may have begun anew."""
    from ludus.envs import Bot, Simulator

    sim = Simulator(game, count, seed=seed)
    sim.reset()
    bot = Bot(sim, "random", seed)
    for _ in range(plies):
        sim.step(bot.act())
    return sim
