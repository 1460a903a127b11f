"""Arrows between rooms point one way, and no file is in a circle: imports inside functions and for types count, too."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# From the roof to the ground: a room may know those below it. Names are of folders, or of single files beside them.
AGENTS = (
    ("__init__",),
    ("ppo", "q_learning"),
    ("training",),
    ("checkpoints",),
    ("data",),
    ("compiled",),
    ("nn",),
    ("runtime",),
    ("files",),
)


def modules(folder, package):
    """Files of a package by their names in Python."""
    names = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        parts = [package, *path.relative_to(ROOT / folder).with_suffix("").parts]
        names[".".join(parts).removesuffix(".__init__") if len(parts) > 2 else ".".join(parts)] = path
    return names


def imported(name, path, known):
    """What a file imports of the modules that are known, anywhere in it."""
    package = name.split(".") if path.name == "__init__.py" and not name.endswith("__init__") else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" if f"{module}.{alias.name}" in known else module for alias in node.names}
    return {target for target in found if target in known and target != name}


def graph_of(folder, package):
    known = modules(folder, package)
    return {name: imported(name, path, known) for name, path in known.items()}


def upwards(graph, package, floors):
    """Imports of a room that is not below, as text."""
    level = {room: height for height, rooms in enumerate(floors) for room in rooms}

    def room(name):
        return name.removeprefix(f"{package}.").split(".")[0]

    return sorted(
        f"{name} -> {target}"
        for name, targets in graph.items()
        for target in targets
        if room(name) != room(target) and level[room(name)] >= level[room(target)]
    )


def circle_in(graph):
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return " -> ".join(reversed(error.args[1]))
    return None


@pytest.mark.parametrize(("folder", "package", "floors"), [("agents", "ludus.agents", AGENTS)])
def test_rooms_know_only_what_is_below_them(folder, package, floors):
    assert upwards(graph_of(folder, package), package, floors) == []


@pytest.mark.parametrize(("folder", "package"), [("agents", "ludus.agents")])
def test_no_imports_go_in_a_circle(folder, package):
    assert circle_in(graph_of(folder, package)) is None
