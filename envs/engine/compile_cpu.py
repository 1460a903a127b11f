"""Compiled kernels for CPU cores: Numba turns rules into LLVM code, and the machine code is kept on disk.

Numba is imported only where a game is compiled for the first time. What it makes is optimized once more with the sizes of
all buffers known, saved as an object file, and from then on loaded by llvmlite alone, in a millisecond. A kernel is called
through ctypes with the address of a table of its buffers, which costs half a microsecond and frees the interpreter lock.
"""

from __future__ import annotations

import ctypes
import hashlib
import linecache
import math
import re
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import GameError
from .bounded import fuel_for
from .cache import read_kernel, write_kernel
from .compile import fingerprint, link
from .threads import making

RAISED = -(1 << 62)  # what a kernel returns if a rule raised an exception,
ENDLESS = RAISED + 1  # or, in checked kernels, went on and on
NUMBAS_OWN = ("numba_", "NRT_")  # how names of functions begin that are there only where Numba is
OWN_SOURCES = (Path(__file__).parent, Path(__file__).parent.parent)  # folders of the engine and of the toolboxes
_engines: dict[str, Callable[[int, int, int], int]] = {}  # kernels of this process


@dataclass(frozen=True)
class Buffer:
    """What a kernel must know of one array argument: its items, and its shape after the first axis.

    Sizes are compiled in, which makes loops over them fast; None leaves one open, to be read from the table. The optimizer
    takes it that no other argument shares an array's memory, which lets it keep numbers in registers, unless it is `shared`.
    `row` is the distance from one index of the first axis to the next, in items, where that is more than the others' sizes.
    """

    dtype: np.dtype
    inner_shape: tuple[int | None, ...] = ()
    shared: bool = False
    row: int | None = None

    @staticmethod
    def of(array: np.ndarray, shared: bool = False) -> Buffer:
        return Buffer(array.dtype, array.shape[1:], shared)

    @property
    def facts(self) -> tuple[Any, ...]:
        """All that code depends on."""
        kind = self.dtype.descr if self.dtype.names else self.dtype.str
        return kind, self.dtype.itemsize, self.inner_shape, self.shared, self.row


def compile_cpu(
    name: str,
    function: Callable[..., int],
    names: Mapping[str, Any],
    buffers: Sequence[Buffer],
    loose: bool = False,
    checked: bool = False,
) -> Callable[[int, int, int], int]:
    """Compile `function(*arrays, int, int) -> int` and return a callable `(address of table, int, int) -> int`.

    The table is a `Table`. `name` is the game's, for error messages. `loose`: float32 sums may be taken in another
    order than written, and products added without rounding first; games must not differ from plain Python by that.
    `checked`: an index outside its array, a division by zero or a whole number that does not fit where it is stored ends
    the call, which then answers RAISED, and so does a loop without end (ENDLESS); such a kernel is safe whatever its
    arrays hold.
    """
    key = fingerprint(function, names, [*(buffer.facts for buffer in buffers), loose, checked])
    with making:
        if key not in _engines:
            machine = _Machine()
            kept_as = f"{name}-{function.__name__}", machine.hash(key)
            code = read_kernel(*kept_as)
            if code is None:
                given = name, function, names, buffers
                ir = numba_ir(*given, checked) if loose or checked else kept_ir(*given)
                code = machine.compile(name, ir, loose)
                write_kernel(*kept_as, code)
            _engines[key] = machine.load(code)
        return _engines[key]


class Table:
    """What a kernel reads: for each array its address, its length, and the sizes that were left open.

    Keep it while a kernel may read: it holds on to the arrays.

    Attributes:
        words: (W,) int64.
        address: of the words, which a kernel is called with.
    """

    def __init__(self, arrays: Sequence[np.ndarray], buffers: Sequence[Buffer]) -> None:
        words = []
        for array, buffer in zip(arrays, buffers, strict=True):
            left_open = [have for have, size in zip(array.shape[1:], buffer.inner_shape, strict=True) if size is None]
            words += [array.ctypes.data, len(array), *left_open]
        self.arrays, self.words = tuple(arrays), np.array(words, np.int64)
        self.address: int = self.words.ctypes.data


def kept_ir(name: str, function: Callable[..., int], names: Mapping[str, Any], buffers: Sequence[Buffer]) -> str:
    """`numba_ir` without checks; kept on disk, since WebAssembly is made of the same code, and Numba takes longest."""
    key = _Machine().hash(fingerprint(function, names, [buffer.facts for buffer in buffers]))
    kept_as = f"{name}-{function.__name__}-llvm", key
    kept = read_kernel(*kept_as)
    if kept is not None:
        return zlib.decompress(kept).decode()
    ir = numba_ir(name, function, names, buffers, False)
    write_kernel(*kept_as, zlib.compress(ir.encode(), 1))
    return ir


def numba_ir(
    name: str, function: Callable[..., int], names: Mapping[str, Any], buffers: Sequence[Buffer], checked: bool
) -> str:
    """LLVM code of the linked function, with an `entry` that takes the table."""
    import numba
    from numba.np.numpy_support import from_dtype

    arrays = [
        numba.types.Array(from_dtype(b.dtype), 1 + len(b.inner_shape), "C" if b.row is None else "A") for b in buffers
    ]
    signature = numba.types.int64(*arrays, numba.types.int64, numba.types.int64)
    try:
        code, callee = _translate(function, names, signature, checked)
    except KeyError as error:
        raise GameError(f"{name}: its rules use {error}, which the record does not have") from error
    except GameError as error:
        raise GameError(f"{name}: {error}") from error
    except Exception as error:  # mostly NumbaError, but what it does not foresee may be anything
        raise GameError(f"{name}: {_one_line(error)}") from error
    return code + _entry(callee, buffers, checked)


def _translate(
    function: Callable[..., int], names: Mapping[str, Any], signature: Any, checked: bool
) -> tuple[str, str]:
    """LLVM code of the linked function, and its name there."""
    from numba.core.errors import NumbaError, UnsupportedBytecodeError

    try:
        from .numba_pipeline import translate

        return translate(function, names, signature, checked)
    except (GameError, KeyError, NumbaError, UnsupportedBytecodeError):
        raise  # the rules are wrong
    except Exception:  # another version of Numba, different inside
        return _translate_slowly(function, names, signature, checked)


def _translate_slowly(
    function: Callable[..., int], names: Mapping[str, Any], signature: Any, checked: bool
) -> tuple[str, str]:
    """LLVM code and name of a function, by Numba's public interface, which takes twice as long as `translate`."""
    import numba

    # As in `numba_pipeline.OPTIONS`.
    jit: Any = numba.njit(  # type: ignore[call-overload]
        error_model="python" if checked else "numpy",
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
        _nrt=False,
        boundscheck=checked or None,
    )
    dispatcher = link(function, names, jit)
    dispatcher.compile(signature)
    result = dispatcher.overloads[tuple(signature.args)]
    return result.library.get_llvm_str(), result.fndesc.llvm_func_name


def _one_line(error: Exception) -> str:
    """What Numba says, in its first sentence, and the line of the rules that it is about."""
    from .rules import source_name  # which nothing here needs before something is wrong

    text = str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    what = next((line for line in lines if not line.startswith(("Failed in", "File ", "During"))), type(error).__name__)
    for file, line in re.findall(r'(?:at|from|File) "?([^"\n]+?)"?(?: \(|, line )(\d+)', text):
        path = Path(file).resolve()
        source = linecache.getline(str(path), int(line)).strip()  # also of a notebook's cell, which is no file
        if source and path.parent not in OWN_SOURCES and "numba" not in path.parts:
            return f"{source_name(str(path))}, line {line}: Numba cannot compile {source} ({what[:160]})"
    return f"its rules do not compile. Numba says: {what[:160]}"


def _entry(callee: str, buffers: Sequence[Buffer], checked: bool) -> str:
    """An LLVM function that reads the table and calls Numba's, which wants each array as seven or more separate values.

    Known sizes are written as constants, so that the optimizer can unroll and vectorise over them.
    """
    lines: list[str] = []
    arguments = ["ptr %result", "ptr %error"]

    def emit(value: str) -> str:
        lines.append(f"%v{len(lines)} = {value}")
        return f"%v{len(lines) - 1}"

    word = iter(range(1_000_000))

    def load(kind: str) -> str:
        return emit(f"load {kind}, ptr {emit(f'getelementptr i64, ptr %table, i64 {next(word)}')}")

    for buffer in buffers:
        data, length = load("ptr"), load("i64")
        shape = [length, *(load("i64") if size is None else str(size) for size in buffer.inner_shape)]
        strides = [str(buffer.dtype.itemsize)]
        for size in reversed(shape[1:]):
            strides.insert(0, emit(f"mul i64 {strides[0]}, {size}"))
        if buffer.row is not None:
            strides[0] = str(buffer.row * buffer.dtype.itemsize)
        count = emit(f"udiv i64 {emit(f'mul i64 {strides[0]}, {length}')}, {buffer.dtype.itemsize}")  # items in all
        alone = "" if buffer.shared else "noalias "
        arguments += ["ptr null", "ptr null", f"i64 {count}", f"i64 {buffer.dtype.itemsize}", f"ptr {alone}{data}"]
        arguments += [f"i64 {number}" for number in (*shape, *strides)]
    body = "\n  ".join(lines)
    numbers = sum(math.prod(size for size in buffer.inner_shape if size is not None) for buffer in buffers)
    return f"""
define i64 @entry(ptr %table, i64 %first, i64 %last) {{
  %result = alloca i64
  %error = alloca ptr
  {body}
  {fuel_for(numbers) if checked else ""}
  %status = call i32 @{callee}({", ".join(arguments)}, i64 %first, i64 %last)
  %value = load i64, ptr %result
  %ok = icmp eq i32 %status, 0
  %left = {"load i64, ptr @fuel" if checked else "add i64 0, 0"}
  %dry = icmp slt i64 %left, 0
  %fault = select i1 %dry, i64 {ENDLESS}, i64 {RAISED}
  %answer = select i1 %ok, i64 %value, i64 %fault
  ret i64 %answer
}}
"""


def missing_symbols(module: Any) -> list[str]:
    """Functions that a module calls and a later process, which has LLVM and Python but no Numba, would not find."""
    import llvmlite.binding as llvm

    called = [function.name for function in module.functions if function.is_declaration]
    return [
        name
        for name in called
        if not name.startswith("llvm.") and (name.startswith(NUMBAS_OWN) or not llvm.address_of_symbol(name))
    ]


class _Machine:
    """This computer's code generator."""

    def __init__(self) -> None:
        import llvmlite
        import llvmlite.binding as llvm

        self.llvm = llvm
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.name, self.features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
        self.version = llvmlite.__version__

    def hash(self, key: str) -> str:
        """The kernel's key on this processor and with these compilers."""
        from importlib.metadata import version

        parts = (
            key,
            Path(__file__).read_bytes(),  # how tables are laid out and code is made
            Path(__file__).with_name("numba_pipeline.py").read_bytes(),
            Path(__file__).with_name("bounded.py").read_bytes(),
            self.name,
            self.features,
            self.version,
            version("numba"),
            sys.platform,
            sys.implementation.cache_tag,
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def _target(self, wide: bool = False) -> Any:
        """What code is made for; `wide`: vectors as long as the processor has, where LLVM would halve them.

        It does so for Intel's AVX-512. Sums of products gain half their speed by it, while games, with their short loops,
        gain nothing and some lose a third.
        """
        target = self.llvm.Target.from_default_triple()
        longest = ",-prefer-256-bit" if wide and target.name.startswith("x86") else ""
        return target.create_target_machine(
            cpu=self.name, features=self.features + longest, opt=3, jit=True, codemodel="jitdefault"
        )

    def compile(self, name: str, ir: str, loose: bool = False) -> bytes:
        """An object file of the whole module."""
        module, target = self.optimized(ir, loose)
        self.llvm.create_mcjit_compiler(
            self.llvm.parse_assembly(""), self._target()
        )  # makes what there is known to LLVM
        if missing := missing_symbols(module):
            raise GameError(
                f"{name}: its rules need Numba's {missing[0]}, as reshape does; use plain loops and indices"
            )
        return target.emit_object(module)

    def optimized(self, ir: str, loose: bool = False) -> tuple[Any, Any]:
        """The whole module as it should be, now that the sizes are known, and the target that it is for."""
        if loose:  # sums of float32 in any order
            ir = re.sub(r"= (fadd|fsub|fmul) float", r"= \1 reassoc contract float", ir)
        module, target = self.llvm.parse_assembly(ir), self._target(wide=loose)
        module.verify()
        optimise(self.llvm, module, target, "entry")
        return module, target

    def load(self, code: bytes) -> Callable[[int, int, int], int]:
        """Put an object file into memory; returns its function, which holds on to that memory."""
        engine = self.llvm.create_mcjit_compiler(self.llvm.parse_assembly(""), self._target())
        engine.add_object_file(self.llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        function = kind(engine.get_function_address("entry"))
        function.engine = engine  # type: ignore[attr-defined]
        return function


def optimise(llvm: Any, module: Any, target: Any, kept: str) -> None:
    """Inline, drop and improve all of a module but the function `kept`.

    First each function is tidied up by itself, while it still has to serve callers outside: else the sizes of buffers do not
    get through to those that are not inlined, and pixels are drawn up to eight times slower.
    """
    own = [function for function in module.functions if not function.is_declaration]
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=3))
    passes = builder.getFunctionPassManager()
    for function in own:
        passes.run(function, builder)
    for function in own:
        if function.name != kept:
            function.linkage = "internal"
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
