"""Files and functions stay short enough to be read at once; the rules of games, which are one file each, may be longer."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(
    path
    for folder in ("agents", "envs", "src", "zoo", "benchmarks", "tests", "docs")
    for path in (ROOT / folder).rglob("*.py")
    if ROOT / "envs" / "games" not in path.parents
)
LONGEST_FILE, LONGEST_FUNCTION = 350, 50  # lines


def functions(text):
    """The functions in a file and their lengths in lines, without decorators."""
    nodes = ast.walk(ast.parse(text))
    return [
        (node.name, (node.end_lineno or 0) - node.lineno + 1)
        for node in nodes
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]


def too_long(text):
    """What is longer than it may be, as text."""
    lines = len(text.splitlines())
    found = [f"{lines} lines"] if lines > LONGEST_FILE else []
    return found + [f"{name} has {length} lines" for name, length in functions(text) if length > LONGEST_FUNCTION]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path):
    assert too_long(path.read_text()) == []


def test_lengths_are_counted():
    assert functions(
        "@f\ndef short(): ...\nclass A:\n    async def long(self):\n        x = 1\n\n        return x"
    ) == [
        ("short", 1),
        ("long", 4),
    ]
