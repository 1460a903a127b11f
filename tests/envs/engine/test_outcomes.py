"""Every way a rule can go, with its probability: counted by hand, and beside what is drawn."""

from collections import Counter

import numpy as np
import pytest

from ludus.envs import Game, OptionError, Simulator, find_game, state
from ludus.envs.engine.outcomes import Outcomes
from ludus.envs.rng import below, chance, uniform


def reset(s, random):
    s.die = below(random, 3)
    if s.die == 2 and chance(random, 0.25):  # not every way draws as often
        s.die = 5 + below(random, 2)
    if chance(random, 0.0) or not chance(random, 1.0):
        s.die = 100


def step(s, action, random):
    s.die = int(10 * uniform(random)) if action else sum_of_three(random)
    return 0.0, False


def sum_of_three(random):
    total = 0
    for _ in range(3):
        total += below(random, 60)
    return total


def show(s, features):
    features[0] = s.die


DICE = Game(
    "Dice",
    1,
    state(die="i2"),
    reset,
    step,
    show,
    lambda s, canvas: None,
    features=("die",),
    actions=("roll", "spin"),
    keys={},
)


def test_ways_are_counted_with_their_probabilities():
    ways = list(Outcomes(DICE)("reset", np.zeros((), DICE.State)))
    assert [int(record["die"]) for _, record, _ in ways] == [0, 1, 2, 5, 6]
    assert [probability for probability, *_ in ways] == pytest.approx([1 / 3, 1 / 3, 1 / 4, 1 / 24, 1 / 24])


def told(record):
    """What a record says, without the gaps between its fields."""
    return tuple(record[name].tobytes() for name in record.dtype.names)


@pytest.mark.parametrize("name", ["KuhnPoker", "LeducPoker"])
def test_what_is_drawn_is_among_the_ways_as_often_as_they_say(name):
    game, likely = find_game(name), Counter()
    for probability, record, _ in Outcomes(game)("reset", np.zeros((), game.State)):
        likely[told(record)] += probability
    assert sum(likely.values()) == pytest.approx(1)
    sim = Simulator(name, 5_000, seed=5)
    sim.reset()
    drawn = Counter(map(told, sim.records))
    assert set(drawn) <= set(likely)
    for way, probability in likely.items():  # each fails by chance once in a million
        assert abs(drawn[way] - 5_000 * probability) < 5 * np.sqrt(5_000 * probability) + 1


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (1, "Dice draws from a continuum: only what `below` and `chance` draw"),
        (0, "step can go in more than 100,000 ways"),
    ],
)
def test_what_cannot_be_gone_through_is_refused_in_a_line(action, message):
    with pytest.raises(OptionError, match=message):
        for _ in Outcomes(DICE)("step", np.zeros((), DICE.State), action):
            pass
