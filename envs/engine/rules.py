"""Checks of a game's rules before they are compiled: their parameters, their results and their source.

`check_rules` reads the rules and all the helpers that they reach, in milliseconds. Where a function's source is not at
hand, as at Python's prompt, only its parameters are checked.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NoReturn

from ..errors import GameError
from ..game import Game
from .assigned import Paths
from .compile import global_values, undecorated
from .inference import Knowledge
from .syntax import Reader

RULES = ("reset", "step", "observe", "draw", "backdrop", "legal", "heuristic", "click", "value")
ARRAYS = ("planes", "features", "allowed", "actions", "rewards")  # parameters of rules
TOOLBOXES = tuple(f"ludus.envs.{name}" for name in ("canvas", "cards", "exact", "rng"))


def parameters(game: Game) -> dict[str, tuple[str, ...]]:
    """The parameters of each rule, in order, as the guide names them."""
    viewer = ("player",) if game.players > 1 else ()
    value = {"value": ("s", "player")} if game.turns else {}
    return {
        "reset": ("s", "random"),
        "step": ("s", "actions", "rewards", "random") if game.together else ("s", "action", "random"),
        "observe": ("s", *viewer, "planes" if game.planes else "features"),
        "draw": ("s", *viewer, "canvas"),
        "backdrop": ("canvas",),
        "legal": ("s", "allowed"),
        "heuristic": ("s", *viewer, "random"),
        **value,
        "click": ("s", "x", "y"),
    }


@cache
def check_parameters(game: Game) -> None:
    """Raise GameError if a rule takes other parameters than it is given, or takes them in another order."""
    for rule, wanted in parameters(game).items():
        function = undecorated(getattr(game, rule))
        if function is None:
            continue
        right = f"write def {rule}({', '.join(wanted)})"
        if not isinstance(function, FunctionType):
            raise GameError(f"{game.name}: {rule} is no plain function but {type(function).__name__}: {right}")
        code, defaults = function.__code__, len(function.__defaults__ or ())
        names = code.co_varnames[: code.co_argcount]
        known = {name for rule in parameters(game).values() for name in rule}
        moved = any(name in known and name != other for name, other in zip(names, wanted, strict=False))
        most = len(wanted) if code.co_flags & inspect.CO_VARARGS else len(names)
        fits = len(names) - defaults <= len(wanted) <= most and not code.co_kwonlyargcount
        if moved or not fits:
            raise GameError(
                f"{game.name}: {place(code, code.co_firstlineno)}: {rule} takes ({', '.join(names)}): {right}"
            )


@cache
def check_rules(game: Game) -> None:
    """Raise GameError, in one line, for the first thing in a game's rules that cannot be compiled.

    Checked are parameters, results, and all that `syntax` knows of, in rules and in the helpers that they reach.
    """
    check_parameters(game)
    named = {rule: undecorated(getattr(game, rule)) for rule in RULES if getattr(game, rule) is not None}
    names = {function: dict(zip(parameters(game)[rule], argument_names(function), strict=False))
             for rule, function in named.items()}  # fmt: skip
    for function in reached(list(named.values())):
        if function.__module__ not in TOOLBOXES:
            _check_function(game, function, names)
    for rule, wanted in parameters(game).items():
        if getattr(game, rule) is not None:
            _check_results(game, rule, undecorated(getattr(game, rule)), wanted)


def _check_function(game: Game, function: FunctionType, names: dict[FunctionType, dict[str, str]]) -> None:
    tree = definition(function.__code__)
    if tree is None:
        return
    own, axes = names.get(function), {}
    if (
        own is None
    ):  # a helper: what it calls as the rules do their record and their random numbers is taken to be those
        arguments = argument_names(function)
        own = {name: given for rule in names.values() for name, given in rule.items() if given in arguments}
    else:
        axes = {own[name]: 3 if name == "planes" else 1 for name in ARRAYS if name in own}
    known = Knowledge(tree, function.__globals__ | captured(function), own.get("s", ""), game.State, axes)

    def refuse(node: ast.AST, what: str, instead: str) -> NoReturn:
        line = getattr(node, "lineno", tree.lineno)
        raise GameError(f"{game.name}: {place(function.__code__, line)}: {what}: {instead}")

    paths = Paths(tree, known, refuse)
    Reader(function, known, own.get("random", ""), refuse).visit(tree)
    paths.follow()


def argument_names(function: FunctionType) -> tuple[str, ...]:
    return function.__code__.co_varnames[: function.__code__.co_argcount]


def captured(function: FunctionType) -> dict[str, Any]:
    """What a function that was made inside another took from there."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {name: cell.cell_contents for name, cell in cells}


def reached(rules: list[FunctionType]) -> list[FunctionType]:
    """The rules and all functions of Python's that they call, each once."""
    found: dict[FunctionType, None] = dict.fromkeys(rules)
    todo = list(rules)
    while todo:
        function = todo.pop()
        values = [*dict(global_values(function, {})).values(), *captured(function).values()]
        new = [value for value in map(undecorated, values) if isinstance(value, FunctionType) and value not in found]
        found |= dict.fromkeys(new)
        todo += new
    return list(found)


# results


def _check_results(game: Game, rule: str, function: FunctionType, wanted: tuple[str, ...]) -> None:
    """Refuse what is surely no result of that rule; the rest shows when the rules run."""
    if rule not in ("step", "heuristic", "value", "click"):
        return
    tree = definition(function.__code__)
    if not isinstance(tree, ast.FunctionDef):
        return
    pair = rule == "step" and not game.together
    single = {"step": "terminated", "value": "value"}.get(rule, "action")
    right = f"write return {'reward, terminated' if pair else single}"

    def refuse(line: int, what: str) -> NoReturn:
        raise GameError(f"{game.name}: {place(function.__code__, line)}: {rule} returns {what}: {right}")

    known = Knowledge(tree, function.__globals__ | captured(function), wanted[0], game.State, {})
    for statement in returns(tree.body):
        for value in outcomes(statement.value):
            if value is None or (isinstance(value, ast.Constant) and value.value is None):
                refuse(statement.lineno, "nothing here")
            count = len(value.elts) if isinstance(value, ast.Tuple) else 1
            sure = isinstance(value, (ast.Tuple, ast.Constant, ast.Compare, ast.UnaryOp))
            if sure and count != 1 + pair:
                refuse(statement.lineno, f"{count} value{'s' * (count > 1)}")
            first = value.elts[0] if isinstance(value, ast.Tuple) else value
            if pair and isinstance(first, ast.Constant) and type(first.value) not in (int, float):
                refuse(statement.lineno, f"{first.value!r} as the reward")
            last = value.elts[-1] if isinstance(value, ast.Tuple) else value
            if pair and (known.is_float(last) or (isinstance(last, ast.Name) and last.id == "reward")):
                refuse(statement.lineno, f"{ast.unparse(last)} as terminated")
    if not ends(tree.body):
        refuse(tree.body[-1].lineno, "nothing when it gets past its last line")
    if not Paths(tree, known, lambda *_: None).follow().returns:
        refuse(tree.body[-1].lineno, "nothing on any path: it only raises, or its loop has neither break nor return")


def returns(body: Iterable[ast.AST]) -> Iterator[ast.Return]:
    """The return statements of a function, without those of functions inside."""
    for node in body:
        if isinstance(node, ast.Return):
            yield node
        elif not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.expr)):
            yield from returns(ast.iter_child_nodes(node))


def outcomes(value: ast.expr | None) -> Iterator[ast.expr | None]:
    """An expression, or both sides of `a if test else b`."""
    if isinstance(value, ast.IfExp):
        yield from outcomes(value.body)
        yield from outcomes(value.orelse)
    else:
        yield value


def ends(body: list[ast.stmt]) -> bool:
    """Whether statements never get past the last of them, as far as that can be seen."""
    last = body[-1]
    if isinstance(last, ast.If):
        return ends(last.body) and bool(last.orelse) and ends(last.orelse)
    if isinstance(last, ast.Match):
        return all(ends(case.body) for case in last.cases)
    return isinstance(last, (ast.Return, ast.Raise, ast.While, ast.For, ast.With, ast.Try))


# sources


def place(code: CodeType, line: int) -> str:
    """Where a line is, as messages say it."""
    return f"{source_name(code.co_filename)}, line {line}"


def source_name(file: str) -> str:
    """The name of a file or, of a notebook's cell, the one that it has there, such as `cell In[5]`."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    cell = shell.compile.format_code_name(file) if shell else None
    return f"cell {cell[1]}" if cell else Path(file).name


def definition(code: CodeType) -> ast.FunctionDef | None:
    """The syntax tree of a function; None where its source is not at hand, or is of something else by now."""
    node = _functions(code.co_filename).get((code.co_firstlineno, code.co_name))
    if node is None:
        return None
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    return node if names == list(code.co_varnames[: code.co_argcount]) else None


def _functions(file: str) -> dict[tuple[int, str], ast.FunctionDef]:
    """All functions of a file, by their first line and their name."""
    lines = linecache.getlines(file)
    if file not in _parsed or _parsed[file][0] is not lines:
        try:
            body = ast.parse("".join(lines), file).body
        except SyntaxError:
            body = []
        found = {(min(one.lineno for one in (node, *node.decorator_list)), node.name): node for node in _within(body)}
        _parsed[file] = lines, found
    return _parsed[file][1]


def _within(body: list[ast.stmt]) -> Iterator[ast.FunctionDef]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef):
            yield statement
        for part in ("body", "orelse", "finalbody"):
            yield from _within(getattr(statement, part, []))


_parsed: dict[str, tuple[list[str], dict[tuple[int, str], ast.FunctionDef]]] = {}  # files, with the lines they had
