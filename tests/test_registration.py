"""Games are known to Gymnasium whatever is imported first, and Ludus alone imports little."""

import subprocess
import sys

import pytest

MAKE = "assert gymnasium.make('ludus/Breakout-v1').reset()[0].shape == (10, 10, 4)"


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize(
    "imports",
    [
        "import ludus, gymnasium", "import gymnasium, ludus", "import gymnasium.vector, ludus",
        "import ludus, gymnasium.envs.registration", "import ludus; ludus.envs; import gymnasium",
        "from ludus.envs import Game; import gymnasium",
    ],
)  # fmt: skip
def test_in_either_order(imports):
    result = python(f"{imports}; {MAKE}")
    assert result.returncode == 0, result.stderr


def test_ludus_alone_imports_neither_gymnasium_nor_numpy():
    result = python(
        "import sys, ludus; print([m for m in ('gymnasium', 'numpy', 'torch', 'numba') if m in sys.modules])"
    )
    assert result.stdout.strip() == "[]", result.stderr


def test_gymnasium_is_imported_as_ever():
    """The same spec and loader as without Ludus."""
    code = "import gymnasium; print(gymnasium.__spec__.name, gymnasium.__spec__.origin, type(gymnasium.__loader__))"
    assert python(f"import ludus; {code}").stdout == python(code).stdout != ""


def test_without_gymnasium():
    """What needs it says so in Python's own words."""
    result = python("import sys; sys.modules['gymnasium'] = None; import ludus; print('here'); import gymnasium")
    assert result.stdout.strip() == "here" and "ModuleNotFoundError" in result.stderr


def test_names_come_when_they_are_asked_for():
    result = python("import ludus; print(ludus.Game.__name__, ludus.register.__name__, ludus.envs.Simulator.__name__)")
    assert result.stdout.split() == ["Game", "register", "Simulator"], result.stderr
    assert "has no attribute 'nonsense'" in python("import ludus; ludus.nonsense").stderr


def test_names_are_listed_before_they_are_asked_for():
    """As the Tab key of IPython and `dir` need them."""
    result = python(
        "import ludus; print(*dir(ludus)); print(*dir(ludus.envs));import ludus.envs.multiagent as m; print(*dir(m))"
    )
    front, envs, turns = (line.split() for line in result.stdout.splitlines())
    assert {"PPO", "DQN", "PQN", "Game", "register", "make", "make_vec", "make_sb3", "envs"} <= {*front}, result.stderr
    assert {"aec_env", "parallel_env", "Simulator"} <= {*envs} and {"connect_four_v1", "tron_v1"} <= {*turns}
