"""Imports between rooms point one way, and no file is in a circle; imports inside functions and for types count, too.

This is the one place where the order of rooms is written down.
"""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from ludus.agents import ALGORITHMS

ROOT = Path(__file__).parent.parent
FOLDERS = {"ludus": "src/ludus", "ludus.envs": "envs", "ludus.agents": "agents", "ludus.zoo": "zoo"}

# From the roof to the ground: a room may import what is below it. Rooms are folders, or single files beside them;
# `__init__` is the package's own file.
FLOORS = {
    "ludus": (
        ("__main__", "demo"),
        ("cli",),
        ("__init__",),
        ("notebook",),
        ("film", "web"),
        ("registration",),
        ("zoo",),
        ("agents",),
        ("envs",),
    ),
    "ludus.cli": (
        (
            "compare",
            "completion",
            "evaluate",
            "export",
            "games",
            "play",
            "plot",
            "rate",
            "pretrain",
            "record",
            "runs",
            "train",
            "tune",
            "watch",
            "zoo",
        ),  # verbs: none imports another
        ("evaluate_report", "export_web", "tune_table"),
        ("episodes", "pretrain_checks", "pretrain_data", "trials"),
        ("players", "run_facts", "run_folder", "session"),
        ("named", "recipes"),
        ("making",),
        ("settings_file",),
        ("settings",),
        ("arguments",),
        ("help",),
        ("flags",),
        ("figures", "out_file"),
        ("interrupts", "terminal", "verbs"),
        ("__init__",),
    ),
    "ludus.agents": (
        ("__init__",),
        ("pretraining", *{path.split(".")[0] for path in ALGORITHMS.values()}),  # the algorithms: none imports another
        ("training",),
        ("checkpoints",),
        ("data",),
        ("compiled",),
        ("nn",),
        ("runtime",),
        ("files",),
    ),
    "ludus.envs": (
        ("__init__",),
        ("gym", "multiagent", "sb3"),
        ("check",),
        ("bots",),
        ("adapters",),
        ("viewer",),
        ("engine",),
        ("registry",),
        ("games",),
        ("cards",),
        ("canvas", "exact", "game", "rng"),
        ("notebook", "statistics"),
        ("arguments",),
        ("errors", "extras"),
    ),
}


def modules(folders):
    """Files of packages by the names that Python has for them; `folders` are by package."""
    names = {}
    for package, folder in folders.items():
        for path in sorted(folder.rglob("*.py")):
            name = ".".join([package, *path.relative_to(folder).with_suffix("").parts])
            names[name.removesuffix(".__init__")] = path
    return names


def imported(name, path, known):
    """What a file imports of the modules that are known, anywhere in it."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" if f"{module}.{alias.name}" in known else module for alias in node.names}
    return {target for target in found if target in known and target != name}


def graph_of(folders):
    known = modules(folders)
    return {name: imported(name, path, known) for name, path in known.items()}


def room_of(name, package):
    """The folder or file of a package that a module is in; None if it is in another package."""
    if name == package:
        return "__init__"
    return name.removeprefix(f"{package}.").split(".")[0] if name.startswith(f"{package}.") else None


def upwards(graph, package, floors):
    """Imports of a room that is not below, as text."""
    level = {room: height for height, rooms in enumerate(floors) for room in rooms}
    pairs = [(name, target) for name, targets in graph.items() for target in targets]
    inside = [(name, target, room_of(name, package), room_of(target, package)) for name, target in pairs]
    return sorted(
        f"{name} -> {target}"
        for name, target, room, other in inside
        if room and other and room != other and level[room] >= level[other]
    )


def circle_in(graph):
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return " -> ".join(reversed(error.args[1]))
    return None


GRAPH = graph_of({package: ROOT / folder for package, folder in FOLDERS.items()})


@pytest.mark.parametrize("package", FLOORS)
def test_rooms_import_only_what_is_below_them(package):
    assert upwards(GRAPH, package, FLOORS[package]) == []


@pytest.mark.parametrize("package", FLOORS)
def test_no_imports_go_in_a_circle(package):
    inside = {name: targets for name, targets in GRAPH.items() if room_of(name, package)}
    assert circle_in(inside) is None


HOUSE = {
    "__init__.py": "from .high.one import f",
    "high/__init__.py": "",
    "high/one.py": "from ..low import two\nfrom ..low.two import g",
    "low/__init__.py": "",
    "low/two.py": "import os\nfrom .three import h",
    "low/three.py": "",
}
HOUSE_FLOORS = (("__init__",), ("high",), ("low",))
PLANTS = {
    "nothing": ({}, [], False),
    "upwards": ({"low/three.py": "from ..high import one"}, ["house.low.three -> house.high.one"], True),
    "in a function": (
        {"low/three.py": "def f():\n    from ..high.one import f"},
        ["house.low.three -> house.high.one"],
        True,
    ),
    "by its full name": ({"low/three.py": "import house.high.one"}, ["house.low.three -> house.high.one"], True),
    "from the front": ({"low/three.py": "from .. import f"}, ["house.low.three -> house"], True),
    "for types": (
        {"low/three.py": "if TYPE_CHECKING:\n    from ..high.one import F"},
        ["house.low.three -> house.high.one"],
        True,
    ),
    "a circle in a room": ({"low/three.py": "from . import two"}, [], True),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_import_is_found(plant, tmp_path):
    changes, arrows, circle = PLANTS[plant]
    for name, text in {**HOUSE, **changes}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    graph = graph_of({"house": tmp_path})
    assert upwards(graph, "house", HOUSE_FLOORS) == arrows
    assert (circle_in(graph) is not None) == circle
