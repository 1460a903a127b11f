"""Definite assignment: which local names have a value wherever a function reads them, and where it ends.

Compiled code does not look: a name that was not assigned holds whatever was in its place. So every path counts, as in Java
(JLS 16): both sides of an `if`, and loops that may not run once. Loops over what is known to have an element, such as a
`range` of a constant, run; what is known to be constant decides an `if` or a `while`.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Callable
from typing import Any

from .inference import UNKNOWN, Knowledge

Names = frozenset[str] | None  # assigned on every path to here; None: no path leads here
SIZED = {"range", "len", "enumerate", "zip", "min", "max", "abs", "int"}  # builtins that constants may be made with
ARITHMETIC = (
    ast.Expression, ast.Name, ast.Constant, ast.Tuple, ast.Call, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Subscript,
    ast.Attribute, ast.expr_context, ast.operator, ast.unaryop, ast.cmpop,
)  # fmt: skip


class Paths:
    """Follows the paths through a function and calls `refuse(node, what, instead)` where a name may have no value.

    Args:
        tree: the function's definition.
        known: what is known of its names.
        refuse: raises.

    Attributes:
        returns: whether some path comes to a `return`.
    """

    def __init__(self, tree: ast.FunctionDef, known: Knowledge, refuse: Callable[[ast.AST, str, str], Any]) -> None:
        self.known, self.refuse, self.returns = known, refuse, False
        arguments = tree.args
        given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        self.exits: list[tuple[list[Names], list[Names]]] = []  # of the loops around: at `break`, at `continue`
        self.parameters = frozenset(one.arg for one in given if one is not None)
        self.locals = frozenset(known.locals) - {tree.name}
        self.tree = tree

    def follow(self) -> Paths:
        """Follow all paths, once."""
        self.body(self.tree.body, self.parameters)
        return self

    def body(self, statements: list[ast.stmt], now: Names) -> Names:
        for statement in statements:
            if now is None:
                return None
            now = self.statement(statement, now)
        return now

    def statement(self, node: ast.stmt, now: frozenset[str]) -> Names:
        """The names that are assigned after a statement."""
        if isinstance(node, ast.If):
            self.reads(node.test, now)
            sides = self.sides(node.test)
            return both(
                self.body(node.body, now) if sides[0] else None, self.body(node.orelse, now) if sides[1] else None
            )
        if isinstance(node, (ast.While, ast.For)):
            return self.loop(node, now)
        if isinstance(node, ast.Match):
            return self.match(node, now)
        if isinstance(node, ast.FunctionDef):
            return now | {node.name}
        if isinstance(node, (ast.Break, ast.Continue)):
            self.exits[-1][isinstance(node, ast.Continue)].append(now)
            return None
        if isinstance(node, ast.Raise):  # its text is never built
            return None
        if isinstance(node, ast.AnnAssign) and node.value is None:
            return now
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self.reads(ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target), now)
        for part in ast.iter_child_nodes(node):
            if not (isinstance(node, ast.AnnAssign) and part is node.annotation):
                self.reads(part, now)
        if isinstance(node, ast.Return):
            self.returns = True
            return None
        return now | stored(node)

    def loop(self, node: ast.While | ast.For, now: frozenset[str]) -> Names:
        head = node.test if isinstance(node, ast.While) else node.iter
        self.reads(head, now)
        runs, passes = self.sides(head)  # whether it may run, and whether it may be passed by
        before = now
        if isinstance(node, ast.For):
            self.reads(node.target, now)
            before = now | stored(node.target)
        self.exits.append(([], []))
        end = self.body(node.body, before) if runs else None
        breaks, continues = self.exits.pop()
        end = both(end, *continues)  # of one time through the body
        endless = isinstance(node, ast.While) and not passes
        done = None if endless else both(end, now) if passes else end
        return both(self.body(node.orelse, done), *breaks)

    def match(self, node: ast.Match, now: frozenset[str]) -> Names:
        self.reads(node.subject, now)
        ends: list[Names] = []
        for case in node.cases:
            inside = now | {one.name for one in ast.walk(case.pattern) if isinstance(one, ast.MatchAs) and one.name}
            if case.guard is not None:
                self.reads(case.guard, inside)
            ends.append(self.body(case.body, inside))
        whole = any(
            isinstance(one.pattern, ast.MatchAs) and not one.pattern.pattern and not one.guard for one in node.cases
        )
        return both(*ends, None if whole else now)

    def reads(self, node: ast.AST, now: frozenset[str]) -> None:
        """Refuse the first name that an expression reads and that may have no value."""
        if isinstance(node, ast.Lambda):
            return
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in self.locals - now:
            what = f"{node.id} is read, but not assigned on every path to here"
            self.refuse(node, what, f"write {node.id} = ... before")
        for part in ast.iter_child_nodes(node):
            self.reads(part, now)

    def sides(self, node: ast.expr) -> tuple[bool, bool]:
        """Whether a test may be true, or a loop's iterable have elements, and whether it may not."""
        value = self.constant(node)
        if value is UNKNOWN:
            return True, True
        try:
            true = len(value) > 0 if hasattr(value, "__len__") else bool(value)
        except (TypeError, ValueError):
            return True, True
        return true, not true

    def constant(self, node: ast.expr) -> Any:
        """The value of an expression of constants alone; UNKNOWN for all else."""
        field = self.known.field(node)
        if field is not None:
            return range(field.shape[0]) if field.shape else UNKNOWN  # as long as the array
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("enumerate", "zip"):
            lengths = [self.constant(one) for one in node.args[: 1 if node.func.id == "enumerate" else None]]
            return min(lengths, key=len) if all(hasattr(one, "__len__") for one in lengths) and lengths else UNKNOWN
        node = ast.fix_missing_locations(_Lengths(self.known).visit(copy.deepcopy(node)))
        values: dict[str, Any] = {}
        for part in ast.walk(node):
            if not isinstance(part, ARITHMETIC):
                return UNKNOWN
            if isinstance(part, ast.Call) and not (isinstance(part.func, ast.Name) and part.func.id in SIZED):
                return UNKNOWN
            if isinstance(part, ast.Name):
                values[part.id] = self.of_name(part)
                if values[part.id] is UNKNOWN:
                    return UNKNOWN
        try:
            return eval(compile(ast.Expression(node), "", "eval"), {}, values)
        except Exception:  # which the rule itself will raise
            return UNKNOWN

    def of_name(self, node: ast.Name) -> Any:
        if node.id not in self.known.locals:
            value = self.known.value(node)
            return value if node.id not in SIZED or value is getattr(builtins, node.id) else UNKNOWN
        given = self.known.locals[node.id]
        return self.known.constant(given[0]) if len(given) == 1 and given[0] is not None else UNKNOWN


class _Lengths(ast.NodeTransformer):
    """Writes `len` and `.shape` of the record's arrays as numbers."""

    def __init__(self, known: Knowledge) -> None:
        self.known = known

    def visit_Call(self, node: ast.Call) -> ast.AST:
        field = self.known.field(node.args[0]) if len(node.args) == 1 else None
        if field is not None and field.shape and isinstance(node.func, ast.Name) and node.func.id == "len":
            return ast.copy_location(ast.Constant(field.shape[0]), node)
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        field = self.known.field(node.value)
        if field is not None and field.shape and node.attr == "shape":
            return ast.copy_location(ast.Tuple([ast.Constant(n) for n in field.shape], ast.Load()), node)
        return self.generic_visit(node)


def both(*ends: Names) -> Names:
    """The names that are assigned whichever path was taken."""
    taken = [end for end in ends if end is not None]
    return frozenset.intersection(*taken) if taken else None


def stored(node: ast.AST) -> frozenset[str]:
    """The names that a statement or a target assigns."""
    return frozenset(one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store))
