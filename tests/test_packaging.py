"""The wheel holds every folder, and the folders cannot be imported by the wrong name."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOTS = {"ludus": "src/ludus", **{f"ludus.{name}": name for name in ("envs", "agents", "zoo")}}


def folders_on_disk():
    for package, folder in ROOTS.items():
        for file in sorted((ROOT / folder).rglob("*.py")):
            inner = file.parent.relative_to(ROOT / folder).parts
            yield ".".join([package, *inner])


def test_every_folder_with_code_is_in_the_wheel():
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == set(folders_on_disk())


def test_the_installed_package_is_this_one():
    import ludus

    assert ludus.__version__ == PROJECT["project"]["version"]


@pytest.mark.parametrize("folder", ["envs", "agents", "zoo"])
def test_a_folder_is_not_a_package_of_its_own(folder):
    result = subprocess.run([sys.executable, "-c", f"import {folder}"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert f"ImportError: this folder is the package ludus.{folder}" in result.stderr


def test_the_front_door_opens_fast_and_imports_nothing_heavy():
    heavy = ("torch", "numba", "stable_baselines3", "pygame", "rich")
    code = f"import sys, ludus; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_the_tab_key_offers_what_there_is_and_imports_nothing_heavy():
    code = """if True:
        import sys, ludus
        offered = [name for name in dir(ludus) if not name.startswith("_")]
        print(offered == sorted([*ludus.__all__, "agents", "envs", "zoo"]))
        print({"PPO", "load_agent", "evaluate", "Muon"} <= set(dir(ludus.agents)), "load_agent" in dir(ludus.zoo))
        print("torch" in sys.modules)
        print({"Simulator", "aec_env", "parallel_env"} <= set(dir(ludus.envs)))
        print(all(hasattr(room, name) for room in (ludus, ludus.agents, ludus.envs, ludus.zoo) for name in dir(room)))
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.split("\n")[:-1] == ["True", "True True", "False", "True", "True"], result.stderr


def test_no_word_of_the_readme_is_stale():
    """Every game of the registry is in the README's table."""
    from ludus.envs import all_games

    text = (ROOT / "README.md").read_text()
    own = [game for game in all_games().values() if game.step.__module__.startswith("ludus.")]
    assert own and all(game.name in text for game in own)
