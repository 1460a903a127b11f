"""The part of Python that rules may use: a reader of their source refuses what CPUs and GPUs cannot both run.

The tables below say of each thing what it is called and what to write instead; `docs/reference.md` is made from them.
Refused is only what is known not to work. What is refused here was tried, on the CPU, as PTX and in plain Python.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import inspect
import random
from collections.abc import Callable
from enum import Enum
from types import FunctionType, ModuleType
from typing import Any, NoReturn

import numpy as np

from .inference import UNKNOWN, Knowledge
from .toolbox_calls import check_call

LOOP = "write a for loop over its elements"
RANDOM = "take below(random, n), chance(random, p) or uniform(random) from ludus.envs.rng"
FIXED = "write raise ValueError('a text'), an exception with a text that is not computed"
CONSTANT = "a file's constants are numbers, tuples and NumPy arrays"

SYNTAX: dict[type[ast.AST], tuple[str, str]] = {
    ast.List: ("a list", 'write a tuple, (1, 2), or give the record a field such as row="(8,)i1"'),
    ast.Dict: ("a dictionary", "look numbers up in a tuple or NumPy array of your file"),
    ast.Set: ("a set", "write a tuple: x in (1, 2)"),
    ast.ListComp: ("a list comprehension", "write a for loop"),
    ast.SetComp: ("a set comprehension", "write a for loop"),
    ast.DictComp: ("a dictionary comprehension", "write a for loop"),
    ast.GeneratorExp: ("a generator expression", "write a for loop"),
    ast.JoinedStr: ("an f-string", "rules compute with numbers; `number` of ludus.envs.canvas writes one on a picture"),
    ast.Global: ("global", "what changes belongs in the record: state(count='i4'), then s.count"),
    ast.Nonlocal: ("nonlocal", "what changes belongs in the record: state(count='i4'), then s.count"),
    ast.NamedExpr: (":= inside an expression", "assign in a line of its own"),
    ast.Starred: ("a starred name", "name each part"),
    ast.Delete: ("del", "leave it out"),
    ast.Try: ("try", "ask with `if` before"),
    ast.TryStar: ("try", "ask with `if` before"),
    ast.With: ("with", "leave it out: rules open nothing"),
    ast.Import: ("an import inside a rule", "import at the top of the file"),
    ast.ImportFrom: ("an import inside a rule", "import at the top of the file"),
    ast.ClassDef: ("a class", "keep what belongs together in fields of the record"),
    ast.Yield: ("yield", "return the result at once"),
    ast.YieldFrom: ("yield", "return the result at once"),
    ast.Await: ("await", "leave it out"),
    ast.MatchSequence: ("a pattern with several parts", "match one number, or ask with `if`"),
    ast.MatchMapping: ("a pattern of a dictionary", "match one number, or ask with `if`"),
    ast.MatchClass: ("a pattern of a class", "match one number, or ask with `if`"),
    ast.MatMult: ("@", LOOP),
}  # fmt: skip

BUILTINS: dict[str, str] = {
    "print": "look at rules with Simulator(GAME, mode='python'), where print works, or in a debugger",
    "input": "what a player does comes as `action`",
    "open": "read files at the top of your file, into tuples or NumPy arrays",
    **dict.fromkeys(("list", "bytearray", "dict", "set", "frozenset"), "write a tuple, or give the record a field"),
    "tuple": "write the tuple out: (a, b)",
    **dict.fromkeys(("str", "repr", "chr", "bin", "hex", "format"), "rules compute with numbers"),
    **dict.fromkeys(("any", "all"), "write a for loop"),
    "sorted": "write a for loop",
    "reversed": "write range(n - 1, -1, -1)",
    **dict.fromkeys(("isinstance", "type", "getattr", "setattr", "vars", "dir", "callable"), "a field's type is known"),
    **dict.fromkeys(("eval", "exec", "compile", "globals", "locals", "__import__"), "write it out"),
}

NUMPY = {
    "pi", "e", "inf", "nan", "sqrt", "minimum", "maximum", "hypot", "isnan", "logical_and", "logical_or",
    "logical_not", "sum", "any", "all", "ndindex", "ndenumerate", "bool_", "int8", "int16", "int32", "int64", "uint8",
    "uint64", "float32", "float64",
}  # fmt: skip

NUMPY_INSTEAD = {
    "clip": "write min(max(x, low), high)",
    "abs": "write abs(x)",
    "round": "write round(x)",
    **dict.fromkeys(("sin", "cos"), "import it from ludus.envs.exact"),
    **dict.fromkeys(("floor", "ceil"), "import it from math"),
    "where": "write a if test else b",
}

METHODS = {  # of arrays and lists
    "append", "argmax", "argmin", "argsort", "astype", "clear", "clip", "copy", "cumsum", "extend",
    "flatten", "insert", "items", "keys", "max", "mean", "min", "nonzero", "pop", "prod", "ravel", "remove", "repeat",
    "reshape", "sort", "tolist", "values",
}  # fmt: skip


class Reader(ast.NodeVisitor):
    """Reads one function and calls `refuse(node, what, instead)` at the first thing that rules may not say.

    Args:
        function: the function.
        known: what is known of its names.
        random: the name of the parameter that holds the random numbers; "" if there is none.
        refuse: raises.
    """

    def __init__(
        self, function: FunctionType, known: Knowledge, random: str, refuse: Callable[[ast.AST, str, str], NoReturn]
    ) -> None:
        self.function, self.known, self.random, self.refuse = function, known, random, refuse

    def visit(self, node: ast.AST) -> None:
        if type(node) in SYNTAX:
            self.refuse(node, *SYNTAX[type(node)])
        super().visit(node)

    # definitions: annotations are not run, and docstrings are no strings

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        arguments = node.args
        for extra in (arguments.kwarg, *arguments.kwonlyargs):
            if extra is not None:
                self.refuse(node, f"{extra.arg}, a parameter by name alone", "let it be one of those in order")
        for part in (*arguments.defaults, *node.body):
            self.visit(part)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.known.bind(node.args.args)
        self.visit(node.body)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._stores(node, node.target, node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.visit(node.value)

    def visit_Assert(self, node: ast.Assert) -> None:
        self.visit(node.test)
        if node.msg is not None and not self._is_fixed(node.msg):
            self.refuse(node, f"the text {ast.unparse(node.msg)} of assert", FIXED)

    def visit_Raise(self, node: ast.Raise) -> None:
        """What is raised only ends the game, with a text that is not computed."""
        made = node.exc if isinstance(node.exc, ast.Call) else None
        kind = self.known.value(made.func if made else node.exc) if node.exc else ValueError
        fixed = made is None or (not made.keywords and all(map(self._is_fixed, made.args)))
        if not fixed or node.cause or not (isinstance(kind, type) and issubclass(kind, BaseException)):
            self.refuse(node, ast.unparse(node), FIXED)

    def _is_fixed(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Constant) or self.known.value(node) is not UNKNOWN

    # values

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, (str, bytes)):
            self.refuse(node, f"the string {node.value!r}", "let numbers stand for things: LEFT, RIGHT = 0, 1")

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in self.known.locals:
            return
        value = self.known.value(node)
        if value is UNKNOWN:
            self._undefined(node, node.id, "the name", [*self.known.locals, *self.known.values])
        if value is getattr(builtins, node.id, UNKNOWN) and node.id in BUILTINS:
            self.refuse(node, node.id, BUILTINS[node.id])
        self._constant(node, node.id, value)

    def _undefined(self, node: ast.AST, name: str, what: str, names: list[str]) -> None:
        near = difflib.get_close_matches(name, names, 1)
        self.refuse(node, f"{what} {name!r} is not there", f"did you mean {near[0]}?" if near else "define it first")

    def _constant(self, node: ast.AST, name: str, value: Any) -> None:
        if isinstance(value, (list, dict, set, frozenset, bytearray)):
            self.refuse(node, f"{name} is a {type(value).__name__}", f"{CONSTANT}: make it one of those")
        if isinstance(value, str):
            self.refuse(node, f"{name} is a string", f"{CONSTANT}: let a number stand for it")
        if isinstance(value, range):
            self.refuse(node, f"{name} is a range", f"{CONSTANT}: write the range where it is needed")
        kind = value if isinstance(value, type) else type(value)
        simple = isinstance(value, (FunctionType, ModuleType, tuple)) or issubclass(
            kind, (Enum, tuple, np.generic, np.ndarray, np.dtype, BaseException)
        )
        if not simple and kind.__module__ not in ("builtins", "functools") and not hasattr(value, "py_func"):
            what = "a class" if isinstance(value, type) else f"an object of {kind.__name__}"
            self.refuse(node, f"{name} is {what}", f"{CONSTANT}: give each a name of its own, SIZE = 5")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        if owner and owner == self.random:
            self.refuse(node, f"{owner}.{node.attr}", RANDOM)
        if owner and owner == self.known.record and node.attr not in (self.known.State.names or ()):
            self._undefined(node, node.attr, "the field", list(self.known.State.names or ()))
        module = self.known.value(node.value)
        if isinstance(module, ModuleType):
            self._of_module(node, module)
        else:
            self.visit(node.value)

    def _of_module(self, node: ast.Attribute, module: ModuleType) -> None:
        name, attribute = ast.unparse(node), getattr(module, node.attr, UNKNOWN)
        if module in (random, np.random) or attribute is np.random:
            self.refuse(node, name, RANDOM)
        if attribute is UNKNOWN:
            self._undefined(node, name, "the name", [f"{ast.unparse(node.value)}.{one}" for one in dir(module)])
        if module is np:
            if node.attr not in NUMPY:
                other = "keep arrays in the record or as constants of the file, and " + LOOP
                self.refuse(node, name, NUMPY_INSTEAD.get(node.attr, other))
        elif module.__name__ != "math":
            self.refuse(node, name, f"import what you need itself: from {module.__name__} import {node.attr}")

    # arrays

    def visit_Subscript(self, node: ast.Subscript) -> None:
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        for part in parts:
            if self.known.is_float(part):
                self.refuse(node, f"the float {ast.unparse(part)} as an index", "divide by // or write int(...)")
            if self.known.axes(part) or isinstance(part, ast.Tuple):
                self.refuse(node, f"the array {ast.unparse(part)} as an index", LOOP)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.MatMult):
            self.refuse(node, *SYNTAX[ast.MatMult])
        self._numbers(node, node.left, node.right)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        self._numbers(node, node.operand)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        inside = isinstance(node.ops[-1], (ast.In, ast.NotIn))
        self._numbers(node, node.left, *node.comparators[: -1 if inside else None])
        for part in (node.left, *node.comparators):
            if not (inside and _is_tuple_to_python(part)):
                self.visit(part)

    def visit_For(self, node: ast.For) -> None:
        parts = (node.target, *([] if _is_tuple_to_python(node.iter) else [node.iter]), *node.body, *node.orelse)
        for part in parts:
            self.visit(part)

    def _numbers(self, node: ast.expr, *operands: ast.expr) -> None:
        for operand in operands:
            if self.known.axes(operand):
                self.refuse(node, f"arithmetic of a whole array, {ast.unparse(operand)}", LOOP)

    # assignments

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._stores(node, target, node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if self.known.axes(node.target):
            self.refuse(node, f"arithmetic of a whole array, {ast.unparse(node.target)}", LOOP)
        self._stores(node, node.target, node.value)

    def _stores(self, node: ast.AST, target: ast.expr, value: ast.expr) -> None:
        self._keeps_constants(node, target)
        wanted, given = self.known.axes(target), self.known.axes(value)
        if isinstance(target, ast.Subscript) and wanted and given:
            self.refuse(node, "a copy of a whole array", LOOP)
        if self.known.field(target) is not None and wanted != given:
            text = ast.unparse(target)
            if wanted:
                self.refuse(node, f"{text} is an array", f"write to its elements, {text}[...] = {ast.unparse(value)}")
            self.refuse(node, f"{ast.unparse(value)} is an array", f"{text} takes one number")
        self.visit(target)
        self.visit(value)

    def _keeps_constants(self, node: ast.AST, target: ast.expr) -> None:
        """Refuse to write into what belongs to the file, such as TABLE[0] or Config.size."""
        while isinstance(target, (ast.Subscript, ast.Attribute)):
            target = target.value
            if isinstance(target, ast.Name) and target.id not in self.known.locals and target.id in self.known.values:
                self.refuse(node, f"{target.id} is a constant of the file", "what changes belongs in the record")

    # calls

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS and self._is_value(node.func.value):
            self.refuse(node, f".{node.func.attr}() of an array or list", LOOP)
        callee = self.known.value(node.func)
        callee = getattr(callee, "py_func", callee)
        if isinstance(callee, FunctionType):
            self._arguments(node, callee)
        self.visit(node.func)
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            if callee is not ord:
                self.visit(argument.value if isinstance(argument, ast.Starred) else argument)

    def _is_value(self, node: ast.expr) -> bool:
        value = self.known.value(node)
        return value is UNKNOWN or not isinstance(value, (ModuleType, type))

    def _arguments(self, node: ast.Call, callee: FunctionType) -> None:
        """Arguments are as many as the function takes."""
        code, names = callee.__code__, {keyword.arg for keyword in node.keywords}
        if code.co_flags & inspect.CO_VARARGS or any(isinstance(argument, ast.Starred) for argument in node.args):
            return
        takes, given = code.co_varnames[: code.co_argcount], len(node.args) + len(names)
        unknown = [name for name in names if name not in takes[len(node.args) :]]
        if unknown or not len(takes) - len(callee.__defaults__ or ()) <= given <= len(takes):
            name = ast.unparse(node.func)
            what = (
                f"{unknown[0]}= in a call of {name}" if unknown else f"{name} with {given} argument{'s' * (given != 1)}"
            )
            self.refuse(node, what, f"it takes {name}({', '.join(takes)})")
        values = dict(zip(takes, node.args, strict=False)) | {
            word.arg: word.value for word in node.keywords if word.arg
        }
        check_call(node, callee, values, self.known, self.random, self.refuse)


def _is_tuple_to_python(node: ast.expr) -> bool:
    """Whether it is a list of numbers that Python itself makes a tuple of, as after `in`."""
    return isinstance(node, ast.List) and all(isinstance(one, ast.Constant) for one in node.elts)
