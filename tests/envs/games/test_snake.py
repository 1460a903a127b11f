"""Snake against a model of its own: a queue of cells, as anyone would write it in Python."""

from collections import Counter, deque

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from ludus.envs import Bot, Simulator

SIZE = 12
WAYS = ((-1, 0), (0, 1), (1, 0), (0, -1))


def ahead(cell, action):
    return cell[0] + WAYS[action][0], cell[1] + WAYS[action][1]


def only_cell(plane):
    [cell] = np.argwhere(plane)
    return tuple(cell.tolist())


def snake_in(planes):
    """The cells of the snake that an observation shows, from tail to head."""
    head, cells = only_cell(planes[..., 0]), [only_cell(planes[..., 1])]
    while cells[-1] != head and len(cells) < SIZE * SIZE:
        [way] = np.flatnonzero(planes[cells[-1]][3:])
        cells.append(ahead(cells[-1], way))
    assert len(set(cells)) == len(cells) == planes[..., 3:].sum() + 1
    return cells


class Model:
    def __init__(self, planes):
        self.cells, self.fruit = deque(snake_in(planes)), only_cell(planes[..., 2])

    def step(self, action):
        """Returns (reward, terminated); the next fruit is not its business."""
        neck, head = self.cells[-2], self.cells[-1]
        if ahead(head, action) == neck:
            action = WAYS.index((head[0] - neck[0], head[1] - neck[1]))
        new = ahead(head, action)
        tail = None if new == self.fruit else self.cells.popleft()
        dies = not (0 <= new[0] < SIZE and 0 <= new[1] < SIZE) or new in self.cells
        if dies:
            self.cells.appendleft(tail)  # the dead do not move
            return 0.0, True
        self.cells.append(new)
        return float(new == self.fruit), len(self.cells) == SIZE * SIZE


def follow(sim, actions):
    """Play game 0 and the model side by side until the end; returns the fruits eaten."""
    fruits, start = 0, len(snake_in(sim.obs[0]))
    for action in actions:
        model = Model(sim.obs[0])
        expected = model.step(action)
        sim.step(np.full(1, action))
        assert (sim.reward[0], sim.terminated[0]) == expected
        assert snake_in(sim.obs[0]) == list(model.cells)
        fruits += int(sim.reward[0])
        assert len(model.cells) == start + fruits
        if sim.terminated[0]:
            break
        assert (only_cell(sim.obs[0, ..., 2]) == model.fruit) == (sim.reward[0] == 0)
        assert only_cell(sim.obs[0, ..., 2]) not in model.cells
    return fruits


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 3), max_size=60))
def test_any_actions_do_what_the_model_says(seed, actions):
    sim = Simulator("Snake", seed=seed, autoreset="disabled", num_threads=1)
    sim.reset()
    cells = snake_in(sim.obs[0])
    assert len(cells) == 3 and cells[-1] == (6, 6)
    follow(sim, actions)


def test_long_snakes_do_what_the_model_says():
    longest = 0
    for seed in range(12):
        sim = Simulator("Snake", seed=seed, autoreset="disabled", num_threads=1)
        sim.reset()
        bot = Bot(sim, "heuristic", seed)
        longest = max(longest, follow(sim, (int(bot.act()[0]) for _ in range(600))))
    assert longest > 20


def lay(sim, cells, fruit):
    """Put a snake, from tail to head, into every game."""
    field = np.zeros((SIZE, SIZE), np.int8)
    for here, there in zip(cells, [*cells[1:], None], strict=True):
        if there is not None:
            heading = WAYS.index((there[0] - here[0], there[1] - here[1]))
        field[here] = heading + 1
    values = {"way": field, "length": len(cells), "heading": heading}
    for name, (row, col) in (("head", cells[-1]), ("tail", cells[0]), ("fruit", fruit)):
        values |= {f"{name}_row": row, f"{name}_col": col}
    for name, value in values.items():
        sim.records[name] = value


def zigzag():
    return [(row, col if row % 2 == 0 else SIZE - 1 - col) for row in range(SIZE) for col in range(SIZE)]


def test_the_head_may_follow_the_tail_but_not_the_cell_before_it():
    square = [(4, 4), (4, 5), (5, 5), (5, 4)]
    for cells, dies in ((square, False), ([(3, 4), *square], True)):
        sim = Simulator("Snake", autoreset="disabled", num_threads=1)
        sim.reset()
        lay(sim, cells, (0, 0))
        sim.step(np.zeros(1, np.int64))
        assert sim.terminated[0] == dies


def test_a_full_field_is_the_end():
    cells = zigzag()
    sim = Simulator("Snake", autoreset="disabled", num_threads=1)
    sim.reset()
    lay(sim, cells[:-1], cells[-1])
    sim.step(np.full(1, 3))
    assert sim.reward[0] == 1.0 and sim.terminated[0]
    assert snake_in(sim.obs[0]) == cells


def test_fruit_appears_in_every_free_cell_alike():
    games, cells = 20_000, zigzag()[:40]
    sim = Simulator("Snake", games, seed=1)
    sim.reset()
    start = Counter(zip(sim.records["fruit_row"].tolist(), sim.records["fruit_col"].tolist(), strict=True))
    lay(sim, cells, (3, 7))  # one step ahead of the head
    sim.step(np.full(games, 3))
    assert (sim.reward == 1).all()
    later = Counter(zip(sim.records["fruit_row"].tolist(), sim.records["fruit_col"].tolist(), strict=True))
    eaten = {*cells, (3, 7)}
    assert not eaten & set(later) and len(later) == SIZE * SIZE - len(eaten)
    assert chisquare(list(later.values())).pvalue > 1e-4
    away = [count for cell, count in start.items() if 6 not in cell]  # no start covers these
    assert len(away) == (SIZE - 1) ** 2 and chisquare(away).pvalue > 1e-4


def test_the_heuristic_never_dies_where_it_could_live():
    sim, deaths = Simulator("Snake", 64, seed=2), 0
    sim.reset()
    bot = Bot(sim, "heuristic", 2)
    for _ in range(600):
        before = sim.obs.copy()
        sim.step(bot.act())
        for game in np.flatnonzero(sim.terminated):
            deaths += 1
            assert all(Model(before[game]).step(action)[1] for action in range(4))
    assert deaths > 20
