"""Games typed into a notebook's cell: its docstring is the game's, and what is wrong is said with its name."""

import linecache
import sys
from types import ModuleType, SimpleNamespace

import pytest

from ludus.envs import Game, GameError, Simulator

CELL = '''"""Light: put it on.

Description
    A lamp.
"""
from ludus.envs import Game, state
from ludus.envs.canvas import fill

def reset(s, random): ...
def step(s, action, random):
    s.lit = action
    return 1.0 * s.lit, True
def observe(s, planes): planes[0, 0, 0] = s.lit
def draw(s, canvas): fill(canvas, (200, 200, 200 * s.lit))
GAME = Game("Light", 1, state(lit="i1"), reset, step, observe, draw, ("off", "on"), (1, 1), ("lit",))
'''


@pytest.fixture
def typed(monkeypatch):
    """Run a cell as IPython does: in a module that is no file, from a source that `linecache` alone knows."""
    notebook = ModuleType("a_notebook", "Automatically created module")
    monkeypatch.setitem(sys.modules, "a_notebook", notebook)

    def run(source, lines=None):
        file = "/nowhere/ipykernel_1/1234567.py"
        monkeypatch.setitem(linecache.cache, file, (len(source), None, (lines or source).splitlines(True), file))
        exec(compile(source, file, "exec"), notebook.__dict__)
        return notebook.GAME

    return run


def test_a_cells_docstring_is_the_games(typed):
    game = typed(CELL)
    assert game.summary == "put it on" and game.sections == {"Description": "A lamp."}


def test_a_cell_without_one_has_none(typed):
    assert typed(CELL[CELL.index("from") :]).doc == ""
    assert typed(CELL, "%time 1\n" + CELL).doc == ""  # which Python cannot read
    game = typed(CELL)
    assert Game.doc.fget(SimpleNamespace(step=SimpleNamespace(__module__="nowhere"))) == "" and game.doc


def test_it_plays(typed):
    sim = Simulator(typed(CELL), 2)
    sim.reset()
    sim.step([0, 1])
    assert sim.reward.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("shell", ["IPython", "none"])
def test_what_is_wrong_is_said_with_its_cell(typed, shell, monkeypatch):
    cells = {"/nowhere/ipykernel_1/1234567.py": ("Cell", "In[5]")}
    there = SimpleNamespace(get_ipython=lambda: SimpleNamespace(compile=SimpleNamespace(format_code_name=cells.get)))
    monkeypatch.setitem(
        sys.modules, "IPython", there if shell == "IPython" else SimpleNamespace(get_ipython=lambda: None)
    )
    name = "cell In[5]" if shell == "IPython" else "1234567.py"
    with pytest.raises(
        GameError, match=rf"^Light: {name.replace('[', '.').replace(']', '.')}, line 11: .*'lot' is not"
    ):
        Simulator(typed(CELL.replace("s.lit = action", "s.lot = action")))
