"""Numba as a translator from rules to LLVM code: what it does for rules, without what it does for everybody.

Numba's own `njit` turns each function into machine code that can be called from Python, again with all that it calls, and
has passes for parallel loops, array expressions, object mode and closures. Of all this a kernel needs only the code of its
functions before they are optimized, so this is a target of Numba's for which nothing else is done: a library of it is just
a list of LLVM modules, and a function is compiled once for all constants that it is called with, such as colours, and once
for all kernels of a process that call it: what steps a game is the same whatever is shown, and a loop whatever its sizes.

All of it builds on Numba's way to add targets (`numba.core.target_extension`), of which not all is promised to last, so
`compile_cpu` goes back to `njit` if anything here breaks.
"""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numba import types
from numba.core import cgutils, codegen, compiler, cpu, ir, optional, sigutils, typed_passes, typing, untyped_passes  # noqa: F401
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import AnalysisPass, PassManager, register_pass
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError
from numba.core.registry import cpu_target
from numba.core.target_extension import CPU, dispatcher_registry, jit_registry, target_override, target_registry
from numba.cpython import builtins, iterators, listobj, mathimpl, numbers, rangeobj, slicing, tupleobj  # noqa: F401
from numba.np import arrayobj, npyimpl

from ..errors import GameError
from .bounded import with_fuel
from .compile import link

TARGET = "ludus"
MOST_SHARED = 1000  # functions, of some twenty games
_shared: OrderedDict[Any, QuickDispatcher] = OrderedDict()

# No allocation inside rules (_nrt), as on a GPU; x / 0 gives inf as in NumPy, so that no check slows the loop down.
# In checked kernels it raises, as in Python.
OPTIONS = {
    "nopython": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "_nrt": False,
}


@register_pass(mutates_CFG=False, analysis_only=True)
class CutsRefused(AnalysisPass):
    """Refuses to store a float in a whole number of a record, which would cut it without a word."""

    _name = "cuts_refused"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride] - as Numba's own
        for block in state.func_ir.blocks.values():
            for statement in block.body:
                name, kind = _stored_in(statement, state.typemap)
                if isinstance(kind, types.Integer) and isinstance(state.typemap[statement.value.name], types.Float):
                    where = f"{Path(statement.loc.filename).name}, line {statement.loc.line}"
                    raise GameError(f"{where}: a float is stored in {name}, which would cut it: write int(...)")
        return False


def _stored_in(statement: Any, typemap: Mapping[str, Any]) -> tuple[str, Any]:
    """What field of a record a statement writes to, and the type of its numbers; None if it writes to none."""
    if isinstance(statement, ir.SetAttr) and isinstance(record := typemap[statement.target.name], types.Record):
        return statement.attr, record.typeof(statement.attr)
    if isinstance(statement, (ir.SetItem, ir.StaticSetItem)):
        array = typemap[statement.target.name]
        return "an array", array.dtype if isinstance(array, types.NestedArray) else None
    return "", None


PASSES = (
    untyped_passes.TranslateByteCode,
    untyped_passes.FixupArgs,
    untyped_passes.IRProcessing,
    untyped_passes.DeadBranchPrune,  # an engine's `if FRAME_STACK == 1`, or a default of None
    untyped_passes.GenericRewrites,  # constant indices, `raise`
    untyped_passes.ReconstructSSA,
    typed_passes.NopythonTypeInference,
    CutsRefused,
    typed_passes.PreLowerStripPhis,
    typed_passes.NoPythonSupportedFeatureValidation,
    typed_passes.IRLegalization,
    typed_passes.NativeLowering,
    typed_passes.NoPythonBackend,
)


def translate(
    function: Callable[..., Any], names: Mapping[str, Any], signature: Any, checked: bool = False
) -> tuple[str, str]:
    """LLVM code of the linked function and all that it calls, not optimized, and the function's name in it.

    `checked`: an index outside its array, a division by zero and a whole number that does not fit raise, and a loop
    without end runs out of fuel.

    Rules that the short way refuses are tried again with all of Numba, which may know better and else says what is wrong.
    """
    options = options_of(checked)
    with target_override(TARGET), global_compiler_lock:
        try:
            code, name = _code_of(link(function, names, partial(shared_dispatcher, checked=checked)), signature)
        except (NumbaError, KeyError):
            RuleDispatcher.targetdescr.target_context.know_all()
            code, name = _code_of(link(function, names, partial(RuleDispatcher, options=options)), signature)
    return with_fuel(code) if checked else code, name


def _code_of(dispatcher: RuleDispatcher, signature: Any) -> tuple[str, str]:
    dispatcher.compile(signature)
    result = dispatcher.overloads[signature.args]
    whole, *parts = map(llvm.parse_assembly, result.library.all_modules())
    for part in parts:
        whole.link_in(part)
    return str(whole), result.fndesc.llvm_func_name


def options_of(checked: bool) -> dict[str, Any]:
    """Numba's, for a kernel."""
    return {**OPTIONS, **({"boundscheck": True, "error_model": "python"} if checked else {})}


def shared_dispatcher(function: FunctionType, checked: bool) -> QuickDispatcher:
    """That of a linked function, or of an equal one from before: the same code that reads the same values."""
    values = {name: value for name, value in function.__globals__.items() if not name.startswith("__")}
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    read = tuple(map(_identity, (*values, *values.values(), *cells, function.__defaults__)))
    key = checked, function.__qualname__, function.__code__.co_filename, function.__code__, read
    if key not in _shared:
        _shared[key] = QuickDispatcher(function, options_of(checked))
    _shared.move_to_end(key)
    if len(_shared) > MOST_SHARED:
        _shared.popitem(last=False)
    return _shared[key]


def _identity(value: Any) -> Any:
    """What tells a value that a function reads from others. Functions are dispatchers by now, which are kept."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, Dispatcher):
        return id(value)
    if isinstance(value, tuple):
        return tuple(map(_identity, value))
    return type(value), repr(value)


class Rules(CPU):
    """The target: a CPU, since all of Numba's implementations for CPUs hold."""


target_registry[TARGET] = Rules


class RuleLibrary(codegen.JITCodeLibrary):
    """A function's LLVM modules, as text, and the libraries of what it calls, neither optimized nor loaded."""

    def __init__(self, owner: RuleCodegen, name: str) -> None:
        codegen.CodeLibrary.__init__(self, owner, name)
        self.modules: list[str] = []
        self.callees: list[RuleLibrary] = []

    def add_ir_module(self, ir_module: Any) -> None:
        self.modules.append(cgutils.normalize_ir_text(str(ir_module)))

    def add_linking_library(self, library: RuleLibrary) -> None:
        self.callees.append(library)

    def finalize(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        return 0  # by its contract: not here

    def all_modules(self) -> list[str]:
        """Its own and, each once, those of all that it calls."""
        found, todo = {self: None}, [self]
        while todo:
            new = [library for library in todo.pop().callees if library not in found]
            found |= dict.fromkeys(new)
            todo += new
        return [module for library in found for module in library.modules]


class RuleCodegen(codegen.JITCPUCodegen):
    """Makes libraries; nothing is ever loaded, so there is no environment to set."""

    _library_class = RuleLibrary

    def set_env(self, env_name: str, env: Any) -> None:
        pass


class RuleContext(cpu.CPUContext):
    """What Numba knows how to compile: what is imported above, which are numbers, tuples, arrays and records.

    All the rest comes with `know_all`. It takes a third of a second to import, mostly SciPy for linear algebra.
    """

    knows_all = False

    def __init__(self, typing_context: typing.Context) -> None:
        super().__init__(typing_context, TARGET)
        self._internal_codegen = RuleCodegen(TARGET)

    def load_additional_registries(self) -> None:
        if self.knows_all:
            super().load_additional_registries()
        else:
            self.install_registry(mathimpl.registry)
            self.install_registry(npyimpl.registry)

    def get_function(self, fn: Any, sig: Any, _firstcall: bool = True) -> Any:
        """An implementation; with the one check of bounds that Numba leaves out: of `array.flat[index]`."""
        found = super().get_function(fn, sig, _firstcall)  # type: ignore[call-arg]
        what = fn.get_impl_key(sig) if isinstance(fn, types.Function) else fn
        flat = what in (operator.getitem, operator.setitem) and isinstance(sig.args[0], types.NumpyFlatType)
        if not (flat and self.enable_boundscheck):
            return found

        def checked(builder: Any, args: Any, loc: Any = None) -> Any:
            kind = sig.args[0]
            iterator = arrayobj.make_array_flat_cls(kind)(self, builder, value=args[0])
            array = self.make_array(kind.array_type)(self, builder, value=iterator.array)
            index = self.cast(builder, args[1], sig.args[1], types.intp)
            cgutils.do_boundscheck(self, builder, index, array.nitems)
            return found(builder, args)

        return checked

    def cast(self, builder: Any, val: Any, fromty: Any, toty: Any) -> Any:
        """A value as one of another type; in checked kernels, of the whole numbers only those that fit."""
        made = super().cast(builder, val, fromty, toty)
        given: Any = types.unliteral(fromty)
        whole = isinstance(given, types.Integer) and isinstance(toty, types.Integer)
        if self.enable_boundscheck and whole and _bits(toty) < _bits(given):
            back = super().cast(builder, made, toty, given)
            value = super().cast(builder, val, fromty, given)
            with cgutils.if_unlikely(builder, builder.icmp_unsigned("!=", value, back)):
                self.call_conv.return_user_exc(builder, OverflowError, ("a number does not fit where it is stored",))
        return made

    def know_all(self) -> None:
        # First Numba's own target, since whichever comes first makes the runtime that all of them share.
        cpu_target.target_context.refresh()  # type: ignore[attr-defined]
        self.knows_all = True
        self.refresh()

    def post_lowering(self, mod: Any, library: RuleLibrary) -> None:
        """Numba would link its runtime for allocations here."""


def _bits(kind: Any) -> int:
    return kind.bitwidth


class RuleTarget:
    """Where dispatchers look for options and contexts: what Numba calls a target descriptor."""

    options = cpu.CPUTargetOptions

    def __init__(self) -> None:
        self.typing_context = typing.Context()
        self.target_context = RuleContext(self.typing_context)


class RuleDispatcher(Dispatcher):
    """A function of the target, compiled with all of Numba's passes."""

    targetdescr = RuleTarget()
    _compiler: Any

    def __init__(self, function: Callable[..., Any], options: Any = OPTIONS, pipeline: Any = compiler.Compiler) -> None:
        super().__init__(function, targetoptions=dict(options), pipeline_class=pipeline)


class QuickDispatcher(RuleDispatcher):
    """A function compiled with few passes, for few signatures, and without measuring how long each took."""

    def __init__(self, function: Callable[..., Any], options: Any = OPTIONS) -> None:
        nested = any(isinstance(constant, CodeType) for constant in function.__code__.co_consts)
        super().__init__(function, options, compiler.Compiler if nested else QuickCompiler)

    def compile(self, sig: Any) -> Any:
        args, result = sigutils.normalize_signature(sig)
        if args not in self.overloads:
            self.overloads[args] = self._compiler.compile(args, result)
        return self.overloads[args].entry_point

    def get_call_template(self, args: Any, kws: Any) -> Any:
        python_signature, args = self._compiler.fold_argument_types(args, kws)
        args = tuple(_general(arg) for arg in args)
        self.compile(args)
        name = self.py_func.__name__
        template = typing.make_concrete_template(name, key=name, signatures=[self.overloads[args].signature])
        return template, python_signature, args, {}


def _general(kind: Any) -> Any:
    """The type that a function is compiled for: not for the number 3 but for all numbers of its kind, in tuples too."""
    kind = types.unliteral(kind)
    if type(kind) in (types.Tuple, types.UniTuple):
        return types.BaseTuple.from_types([_general(item) for item in kind])
    return kind


class QuickCompiler(compiler.CompilerBase):
    """The passes that functions without functions inside need."""

    def define_pipelines(self) -> list[PassManager]:
        manager = PassManager("nopython")
        for step in PASSES:
            manager.add_pass(step, step.__name__)
        manager.finalize()
        return [manager]


def _jit(**options: Any) -> Callable[[Callable[..., Any]], RuleDispatcher]:
    """Numba's decorator for its own implementations of builtins and NumPy, written in Python too."""
    return lambda function: RuleDispatcher(function, {"nopython": True, **options})


dispatcher_registry[Rules] = RuleDispatcher
jit_registry[Rules] = _jit
