"""Types of a rule's expressions, as far as its source tells them: which are arrays, and which are floats.

It answers only where it is sure. All else is left to the rules run as plain Python and to the compiler.
"""

from __future__ import annotations

import ast
import builtins
import math
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from ..exact import cos, sin
from ..rng import uniform

UNKNOWN: Any = object()
FLOATS = (float, uniform, sin, cos, math.sqrt)  # functions that return one


class Knowledge:
    """What is known of the names of one function.

    Args:
        tree: the function's definition.
        values: what names stand for that the function reads from outside: module constants and closures.
        record: the name of the parameter that holds the game's record; "" if there is none.
        State: the record's dtype.
        axes: parameters that are arrays, with their number of axes.
    """

    def __init__(
        self, tree: ast.AST, values: Mapping[str, Any], record: str, State: np.dtype, axes: Mapping[str, int]
    ) -> None:
        self.values, self.record, self.State = values, record, State
        self.parameters = dict(axes)
        self.locals: dict[str, list[ast.expr | None]] = {}  # what is assigned to each name; None: something unknown
        self.bind(_statements(tree))
        self._open: set[str] = set()  # names that are being looked into, so that `x = x + 1` comes to an end

    def bind(self, nodes: Iterable[ast.AST]) -> None:
        """Note the names that these nodes bind."""
        for node in nodes:
            for name, value in _bound(node):
                self.locals.setdefault(name, []).append(value)

    def value(self, node: ast.AST) -> Any:
        """What a name or a dotted name from outside the function stands for; UNKNOWN if that cannot be said."""
        if isinstance(node, ast.Name) and node.id not in self.locals:
            return self.values.get(node.id, getattr(builtins, node.id, UNKNOWN))
        if isinstance(node, ast.Attribute):
            owner = self.value(node.value)
            if isinstance(owner, (ModuleType, type)):
                return getattr(owner, node.attr, UNKNOWN)
        return UNKNOWN

    def constant(self, node: ast.expr) -> Any:
        """The number or the like that is written out, or that a constant of the file is; else UNKNOWN."""
        try:
            return ast.literal_eval(node)
        except ValueError:
            return self.value(node)

    def field(self, node: ast.AST) -> np.dtype | None:
        """The type of a field, if that is what `s.name` is."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == self.record:
            return self.State[node.attr] if node.attr in (self.State.names or ()) else None
        return None

    def axes(self, node: ast.AST) -> int:
        """How many axes the array has that an expression is; 0 for numbers and wherever it is not known."""
        field = self.field(node)
        if field is not None:
            return len(field.shape)
        if isinstance(node, ast.Name):
            if node.id in self.parameters:
                return self.parameters[node.id]
            if node.id in self.locals:
                found = {self.axes(value) if value is not None else 0 for value in self._look_into(node.id)}
                return found.pop() if len(found) == 1 else 0
        if isinstance(node, ast.Subscript):
            return max(self.axes(node.value) - _counted(node.slice), 0)
        if isinstance(node, ast.BinOp):
            return max(self.axes(node.left), self.axes(node.right))
        if isinstance(node, ast.UnaryOp):
            return self.axes(node.operand)
        value = self.value(node)
        return value.ndim if isinstance(value, np.ndarray) else 0

    def is_float(self, node: ast.AST) -> bool:
        """Whether an expression is a float for certain."""
        field = self.field(node.value if isinstance(node, ast.Subscript) else node)
        if field is not None:
            return field.base.kind == "f"
        if isinstance(node, ast.Name) and node.id in self.locals:
            found = [value is not None and self.is_float(value) for value in self._look_into(node.id)]
            return bool(found) and all(found)
        if isinstance(node, ast.BinOp):
            return isinstance(node.op, ast.Div) or self.is_float(node.left) or self.is_float(node.right)
        if isinstance(node, ast.UnaryOp):
            return not isinstance(node.op, ast.Not) and self.is_float(node.operand)
        if isinstance(node, ast.IfExp):
            return self.is_float(node.body) and self.is_float(node.orelse)
        if isinstance(node, ast.Call):
            return self.value(node.func) in FLOATS
        value = node.value if isinstance(node, ast.Constant) else self.value(node)
        return isinstance(value, (float, np.floating))

    def _look_into(self, name: str) -> Iterator[ast.expr | None]:
        """All that is assigned to a name of the function."""
        if name in self._open:
            return
        self._open.add(name)
        try:
            yield from self.locals[name]
        finally:
            self._open.discard(name)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """A function and all statements within, in any order; expressions bind nothing that rules may use."""
    yield node
    for part in ("body", "orelse", "cases"):
        for child in getattr(node, part, []):
            yield from _statements(child)


def _bound(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """The names that a node binds, each with its new value, or None where that is not plain."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _pairs(target, node.value)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield from _pairs(node.target, node.value)
    elif isinstance(node, ast.AugAssign):
        yield from _pairs(node.target, ast.BinOp(node.target, node.op, node.value))
    elif isinstance(node, ast.For):
        yield from _pairs(node.target, None)
    elif isinstance(node, ast.FunctionDef):
        yield node.name, None
        for argument in (*node.args.posonlyargs, *node.args.args, node.args.vararg):
            if argument is not None:
                yield argument.arg, None
    elif isinstance(node, ast.match_case):
        for part in ast.walk(node.pattern):
            if isinstance(part, ast.MatchAs) and part.name:
                yield part.name, None
    elif isinstance(node, ast.arg):
        yield node.arg, None


def _pairs(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Starred):
        yield from _pairs(target.value, None)
    elif isinstance(target, (ast.Tuple, ast.List)):
        alike = isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts)
        for k, part in enumerate(target.elts):
            yield from _pairs(part, value.elts[k] if alike and isinstance(value, ast.Tuple) else None)


def _counted(index: ast.expr) -> int:
    """How many axes an index takes away."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return sum(not isinstance(part, ast.Slice) for part in parts)
