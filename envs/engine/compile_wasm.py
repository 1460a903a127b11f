"""Compiled kernels for WebAssembly: one module with a game's loops, which a page or any runtime plays.

What Numba makes of the rules for CPU cores is LLVM code, and LLVM writes WebAssembly as well: the same loops, for wasm32 in
place of this machine, without a linker, a C library or anything else from outside but the memory and the stack. A loop is
called with the address of a table of its buffers, as on CPU cores, see `compile_cpu`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import GameError
from .compile_cpu import Buffer, kept_ir, optimise
from .threads import making
from .wasm_module import imports, with_exports

TRIPLE = "wasm32-unknown-unknown"
# What every browser has had since 2021; without them, copies and conversions would call functions from outside.
FEATURES = "+bulk-memory,+bulk-memory-opt,+sign-ext,+nontrapping-fptoint,+mutable-globals"
FMOD = "write the remainder of floats, x % y, as x - y * math.floor(x / y)"
INSTEAD = {"sin": "use ludus.envs.exact", "cos": "use ludus.envs.exact", "fmod": FMOD}  # of functions of the C library
OTHERS = "square roots, and the sine and cosine of ludus.envs.exact, run everywhere"
GIVEN = {"__linear_memory", "__stack_pointer", "__indirect_function_table"}  # what every module is given


@dataclass(frozen=True)
class Loop:
    """A loop of the engine, to be compiled.

    Attributes:
        function: `function(*arrays, int, int) -> int`.
        names: what stands in the place of placeholders, see `compile.link`.
        buffers: of its arrays, by their names, in the order of its arguments.
    """

    function: Callable[..., int]
    names: Mapping[str, Any]
    buffers: Mapping[str, Buffer]


def compile_wasm(name: str, loops: Mapping[str, Loop]) -> bytes:
    """A module that exports these loops, by their names, each `(address of table, int64, int64) -> int64`.

    It imports `env.__linear_memory`, a memory, and `env.__stack_pointer`, a mutable global (i32).

    Args:
        name: the game's, for error messages.

    Raises:
        GameError: the rules do not compile, or need a function from outside.
    """
    import llvmlite.binding as llvm

    with making:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        machine = llvm.Target.from_triple(TRIPLE).create_target_machine(
            cpu="mvp", features=FEATURES, opt=3, reloc="static"
        )
        whole = llvm.parse_assembly("")
        for export, loop in loops.items():
            ir = kept_ir(name, loop.function, loop.names, list(loop.buffers.values()))
            whole.link_in(_optimized(llvm, machine, ir, export))
        code = with_exports(machine.emit_object(whole), loops)
    if foreign := [needed for needed, _ in imports(code) if needed not in GIVEN]:
        instead = INSTEAD.get(foreign[0], OTHERS)
        raise GameError(f"{name}: its rules need {foreign[0]}, which WebAssembly has not: {instead}")
    return code


def _optimized(llvm: Any, machine: Any, ir: str, export: str) -> Any:
    """The LLVM module of one loop, all of it internal but the function `export`."""
    ir = re.sub(r'target datalayout = ".*"', f'target datalayout = "{machine.target_data}"', ir)
    ir = re.sub(r'target triple = ".*"', f'target triple = "{TRIPLE}"', ir)
    module = llvm.parse_assembly(ir.replace("@entry(", f"@{export}("))
    module.verify()
    for variable in module.global_variables:  # Numba's are "common", which WebAssembly does not have
        if not variable.is_declaration:
            variable.linkage = "internal"
    optimise(llvm, module, machine, export)
    return module
