"""Rules are read before they are compiled: what cannot work is refused in one line, what works is not."""

import re
import sys
import textwrap
from pathlib import Path
from types import FunctionType, ModuleType

import numpy as np
import pytest

from ludus.envs import Game, GameError, Simulator, all_games, canvas, cards, exact, rng
from ludus.envs.engine.inference import Knowledge
from ludus.envs.engine.rules import argument_names, check_rules, definition, reached
from ludus.envs.engine.syntax import Reader
from tests.envs.trajectories import assert_same

GAMES = list(all_games().values())

TOY = '''"""Toy: a game to plant lines in."""
import enum
import math
import random as chance_of_python
from math import sqrt

import numpy as np

from ludus.envs import Game, rng, state
from ludus.envs.canvas import fill, letter, rect
from ludus.envs.rng import below, chance, uniform

class Side(enum.IntEnum):
    LEFT = 0
    RIGHT = 1

class Config:
    size = 5

SIZE, TABLE, PAIRS, NAME = 5, (3, 1, 2, 4, 0), ((0, 1), (1, 0), (0, -1), (-1, 0)), "toy"
GRID = np.arange(25, dtype=np.int8).reshape(5, 5)
PARTS, SOME, WORDS = np.array([0.5, 0.25], np.float32), np.uint8(200), {1: 2}
State = state(x="i1", y="i2", f="f8", flag="?", lit="(5,5)i1", row="(5,)i2")

def helper(a, b=2):
    return a + b

def count_up(planes, row, col):
    planes[row, col] += 1

def more_or_less(s, *more):
    return s.x + more[0]

def reset(s, random):
    s.x, s.f, s.row[2] = below(random, 5), uniform(random), below(random, 9)
@RESET@

def step(s, action, random):
    s.y = (s.y + 1) % 100
@STEP@
    return 0.0, s.y > 50

def observe(s, planes):
    planes[s.x % 5, 0, 0] = 1
@OBSERVE@

def draw(s, canvas):
    fill(canvas, (9, 9, 9))
@DRAW@

GAME = Game("Toy", 1, State, reset, step, observe, draw, ("a", "b"), (5, 5), ("lit", "me"))
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes the toy with lines planted in its rules."""
    monkeypatch.setenv("LUDUS_CACHE_DIR", str(tmp_path / "cache"))

    def make(whole: str = "", **lines: str) -> Game:
        source = re.sub(r"(?<=@STEP@\n)    return.*", textwrap.indent(whole, "    "), TOY) if whole else TOY
        for rule in ("reset", "step", "observe", "draw"):
            source = source.replace(f"@{rule.upper()}@", textwrap.indent(lines.get(rule, "pass"), "    "))
        file = tmp_path / "toy.py"
        file.write_text(source)
        module = ModuleType("toy_of_a_test")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(source, file, "exec"), vars(module))
        return module.GAME

    return make


REFUSED = {
    "a = [1, 2]": "a list: write a tuple",
    "a = [k for k in TABLE]": "a list comprehension: write a for loop",
    "a = {k for k in TABLE}": "a set comprehension",
    "a = {k: 1 for k in TABLE}": "a dictionary comprehension",
    "s.x = sum(k for k in TABLE)": "a generator expression",
    "s.flag = s.x in {1, 2}": "a set: write a tuple: x in",
    "s.flag = s.x in [s.x, 2]": "a list: write a tuple",
    "a = 'left'": "the string 'left': let numbers stand for things",
    "a = f'{s.x}'": "an f-string",
    "s.x = len(NAME)": "NAME is a string",
    "s.x = WORDS[1]": "WORDS is a dict",
    "s.x = Config.size": "Config is a class",
    "print(s.x)": "print: look at rules with Simulator(GAME, mode='python')",
    "a = sorted(TABLE)": "sorted: write a for loop",
    "s.flag = any(TABLE)": "any: write a for loop",
    "s.flag = isinstance(s.x, int)": "isinstance: a field's type is known",
    "s.x = random.randint(0, 3)": "random.randint: take below(random, n)",
    "s.x = np.random.randint(3)": "np.random.randint: take below(random, n)",
    "s.x = chance_of_python.randint(0, 3)": "chance_of_python.randint: take below(random, n)",
    "s.x = rng.below(random, 3)": "rng.below: import what you need itself: from ludus.envs.rng import below",
    "s.x = np.clip(s.x, 0, 4)": "np.clip: write min(max(x, low), high)",
    "a = np.zeros(3)": "np.zeros: keep arrays in the record or as constants of the file",
    "s.f = np.abs(s.f)": "np.abs: write abs(x)",
    "s.x = below(action, random)": "below(action, random): write below(random, action)",
    "s.flag = chance(0.5, random)": "chance(0.5, random): write chance(random, 0.5)",
    "s.x = below(random, n=s.f)": "below(random, n=s.f), with a float: divide by // or write int(...)",
    "s.x = below(random, -1)": "below(random, -1): nothing from 0 is below that",
    "fill(s.row, 3)": "3 as a colour: write (red, green, blue)",
    "fill(s.row, NAME)": "NAME as a colour: write (red, green, blue)",
    "rect(s.row, 0, 0, 1, 1, color=(s.f, 0, 0))": "(s.f, 0, 0) as a colour: write (red, green, blue)",
    "fill(s.row, (110, 90, 80, 255))": "(110, 90, 80, 255) as a colour: write (red, green, blue)",
    "fill(s.row, (s.x, 300, 0))": "(s.x, 300, 0) as a colour: write (red, green, blue)",
    "fill(s.row, (0, -1, 0))": "(0, -1, 0) as a colour: write (red, green, blue)",
    "fill(s.row, TABLE)": "TABLE as a colour: write (red, green, blue)",
    "letter(s.row, 'A', 0, 0, 1, 1, (0, 0, 0))": "'A' to be written: write its number: 0 to 9 for digits, 10 for A",
    "s.f = math.sqr(s.f)": "the name 'math.sqr' is not there: did you mean math.sqrt?",
    "s.f = foo": "the name 'foo' is not there: define it first",
    "s.row_ = 1": "the field 'row_' is not there: did you mean row?",
    "a = s.row + 1": "arithmetic of a whole array, s.row: write a for loop",
    "s.row += 1": "arithmetic of a whole array, s.row",
    "s.flag = (s.row == 3).all()": "arithmetic of a whole array, s.row",
    "r = s.lit[1]\na = -r": "arithmetic of a whole array, r",
    "s.row[:] = s.row[::-1]": "a copy of a whole array",
    "s.lit[0] = s.lit[1]": "a copy of a whole array",
    "s.row = 0": "s.row is an array: write to its elements, s.row[...] = 0",
    "s.x = s.row": "s.row is an array: s.x takes one number",
    "a = s.row.copy()": ".copy() of an array or list: write a for loop",
    "s.x = s.lit.reshape(25)[3]": ".reshape() of an array or list",
    "s.x = s.row[s.f]": "the float s.f as an index: divide by // or write int(...)",
    "k = s.x / 2\ns.row[k] = 1": "the float k as an index",
    "s.x = TABLE[1.0]": "the float 1.0 as an index",
    "s.row[s.row] = 1": "the array s.row as an index",
    "GRID[0, 0] = 1": "GRID is a constant of the file: what changes belongs in the record",
    "Config.size += 1": "Config is a constant of the file",
    "global SIZE\nSIZE += 1": "global: what changes belongs in the record",
    "import math": "an import inside a rule: import at the top of the file",
    "if (k := s.x) > 2:\n    s.x = k": ":= inside an expression: assign in a line of its own",
    "a, *b = TABLE": "a starred name: name each part",
    "k = 1\ndel k": "del: leave it out",
    "try:\n    s.x = 1\nexcept ValueError:\n    pass": "try: ask with `if` before",
    "with open('f'):\n    pass": "with: leave it out",
    "class A:\n    pass": "a class: keep what belongs together in fields",
    "match (action, s.x):\n    case (0, 1):\n        s.x = 1": "a pattern with several parts",
    "a = GRID @ GRID": "@: write a for loop",
    "s.x = helper()": "helper with 0 arguments: it takes helper(a, b)",
    "s.x = helper(1, c=2)": "c= in a call of helper: it takes helper(a, b)",
    "def f(a, *, c):\n    return a + c\ns.x = f(1, c=2)": "c, a parameter by name alone",
    "yield 1": "yield: return the result at once",
    "return 1.0": "step returns 1 value: write return reward, terminated",
    "return 1.0, False, 0": "step returns 3 values: write return reward, terminated",
    "return True, 1.0": "step returns True as the reward",
    "return None, True": "step returns None as the reward",
    "reward = s.f\nreturn s.x == 3, reward": "step returns reward as terminated",
    "return s.x == 3, s.f": "step returns s.f as terminated: write return reward, terminated",
    "if s.x > 3:\n    return": "step returns nothing here",
    "return (0.0, True) if s.x else 1.0": "step returns 1 value",
    "raise ValueError(s.x)": "raise ValueError(s.x): write raise ValueError('a text')",
    "if s.x > 9:\n    raise s.x": "raise s.x: write raise ValueError('a text')",
    "assert s.x < 9, f'{s.x}'": "the text f'{s.x}' of assert: write raise ValueError('a text')",
    "if s.x:\n    r = 1.0\nreturn r, False": "r is read, but not assigned on every path to here: write r = ... before",
    "if s.x:\n    k = 1\nelif action:\n    pass\nelse:\n    k = 2\ns.y = k": "k is read, but not assigned",
    "while s.x > 2:\n    k = 1\n    s.x -= 1\ns.y = k": "k is read, but not assigned",
    "for k in range(s.x):\n    pass\ns.y = k": "k is read, but not assigned",
    "for k in range(SIZE - 5):\n    pass\ns.y = k": "k is read, but not assigned",
    "for k in range(SIZE):\n    if k > s.x:\n        continue\n    b = k\ns.y = b": "b is read, but not assigned",
    "while True:\n    if s.x:\n        break\n    k = 1\n    s.x = 1\ns.y = k": "k is read, but not assigned",
    "for k in range(SIZE):\n    if k == s.x:\n        break\nelse:\n    b = 1\ns.y = b": "b is read, but not assigned",
    "match action:\n    case 0:\n        k = 1\n    case 1:\n        k = 2\ns.y = k": "k is read, but not assigned",
    "k += 1": "k is read, but not assigned",
    "s.y = k\nk = 1": "k is read, but not assigned",
}  # fmt: skip


@pytest.mark.parametrize("lines", REFUSED)
def test_what_cannot_be_compiled_is_refused_with_its_line_and_what_to_write(lines: str, toy) -> None:
    game = toy(step=lines)
    with pytest.raises(GameError) as caught:
        check_rules(game)
    assert REFUSED[lines] in str(caught.value)
    assert str(caught.value).startswith("Toy: toy.py, line ")
    assert "\n" not in str(caught.value)
    number = int(str(caught.value).split("line ")[1].split(":")[0])
    start = TOY[: TOY.index("@STEP@")].count("\n") + 1
    assert start <= number <= start + len(lines.splitlines())


NO_RESULT = (
    "raise ValueError('never')",
    "while True:\n    s.x = 1",
    "while SIZE:\n    if s.x:\n        raise ValueError",
)


@pytest.mark.parametrize("lines", NO_RESULT)
def test_a_step_that_never_returns_is_refused(lines: str, toy) -> None:
    game = toy(step="pass", whole=lines)
    with pytest.raises(GameError, match=r"^Toy: toy\.py, line \d+: step returns nothing on any path") as caught:
        check_rules(game)
    assert "write return reward, terminated" in str(caught.value)


ASSIGNED = """
for k in range(SIZE):
    a = k
for k in range(len(s.row) - 1):
    b = k
for v in s.row:
    c = v
for i, v in enumerate(TABLE):
    d = i + v
for v in (1, 2):
    e = v
for k in range(s.lit.shape[1]):
    if k > s.x:
        f = k
        break
    f = 1
count = 3
for k in range(0, count):
    g = k
if s.x > 2:
    h = 1
elif s.x == 9:
    raise ValueError('never')
elif s.x == 8:
    return 0.0, True
else:
    h = 2
while True:
    m = s.x
    if m < 9:
        n = 1
        break
for k in range(SIZE):
    if k == s.x:
        p = k
        break
else:
    p = 0
match action:
    case 0:
        q = 1
    case _:
        q = 2
if SIZE:
    r = 1
s.row[0] = (a + b + c + d + e + f + g + h + k + n + p + q + r) % 40
""".strip()


def test_what_is_assigned_on_every_path_is_not_refused(toy) -> None:
    game = toy(step=ASSIGNED)
    check_rules(game)
    games = [Simulator(game, 3, seed=1, mode=mode) for mode in ("compiled", "debug")]
    assert assert_same(games[0], games[1], 60) > 0


ALLOWED = """
'a docstring is no string'
a: int = 3
b, c = s.x, action
s.x = min(max(b + c - 1, 0), SIZE - 1)
s.flag = s.x in (1, 2) or s.x in [3, 4] or 0 < s.x < 4
s.row[:] = 0
s.row[1:3] = 7
s.lit[0, :] = 1
s.lit[s.x] = 1
r = s.lit[1]
r[0] = s.row[-1]
for v in s.row:
    a += v
for i, v in enumerate(TABLE):
    a += i * v
for down, right in PAIRS:
    a += down - right
for k in [1, 2]:
    a += k
k = 0
while True:
    k += 1
    if k > 3:
        break
f = lambda n: n + k
def inner(n):
    return f(n) * action
match action:
    case 0:
        a += inner(1)
    case _:
        a -= 1
assert a != 12345, 'never'
if a == 12345:
    raise ValueError('never')
a += helper(1, b=3) + len(s.row) + sum(TABLE) + max(TABLE) + int(sqrt(9.0)) + ord('A') + s.lit.shape[0]
a += GRID[4, 4] * 100 + SOME + Side.RIGHT + helper(*(1, 2))
s.f = math.floor(s.f * 3.0) / 7 + PARTS[1] * 0.1 + (0.5 if chance(random, 0.5) else 1.0)
s.f += np.sqrt(2.0) + float(s.row.sum()) + math.pi
if s.row.any() and np.int64(a) > 2:
    s.x, s.y = int(s.y % 5), s.x + s.y
s.y = 40 + abs(a) % 20
""".strip()


def test_what_works_is_not_refused_and_computes_the_same(toy) -> None:
    game = toy(
        step=ALLOWED,
        reset="s.row[4] = more_or_less(s, 3)",
        observe="count_up(planes[:, :, 1], 2, 3)",
        draw="rect(canvas, s.x, s.x, 1.0, 1, (s.x * 20, 0, 0))",
    )
    check_rules(game)
    games = [Simulator(game, 3, seed=1, mode=mode) for mode in ("compiled", "python", "debug")]
    assert assert_same(games[0], games[1], 60) > 0
    assert assert_same(Simulator(game, 3, seed=1), games[2], 60) > 0


def test_all_games_and_toolboxes_pass() -> None:
    for game in GAMES:
        check_rules(game)
        seen = [function for function in reached([game.reset, game.step]) if definition(function.__code__)]
        assert len(seen) >= 2  # what is read is there
    count = 0
    for module in (canvas, cards, exact, rng):
        for function in vars(module).values():
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                tree = definition(function.__code__)
                if not function.__name__.startswith("_") and "->" not in str(function.__annotations__ and "->"):
                    names = {name: name for name in argument_names(function)}
                    known = Knowledge(tree, vars(module), "", np.dtype([("x", "i1")]), {})
                    Reader(function, known, names.get("random", ""), refuse_nothing).visit(tree)
                    count += 1
    assert count > 40


def refuse_nothing(node, what: str, instead: str) -> None:
    raise AssertionError(f"line {node.lineno}: {what}")
