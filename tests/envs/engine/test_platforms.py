"""Machine code for computers that were not there: it can be made, and calls nothing that they do not have."""

import llvmlite.binding as llvm
import pytest

from ludus.envs import Simulator
from ludus.envs.engine import compile_cpu, kernel
from ludus.envs.engine.compile_cpu import Buffer
from ludus.envs.engine.thread_pool import PAUSES, functions

TARGETS = {  # triple -> how an object file of its kind begins
    "aarch64-unknown-linux-gnu": b"\x7fELF",
    "arm64-apple-macosx14.0.0": b"\xcf\xfa\xed\xfe",
    "x86_64-apple-macosx14.0.0": b"\xcf\xfa\xed\xfe",
    "x86_64-pc-windows-msvc-elf": b"\x7fELF",  # as llvmlite loads it there
}
IN_EVERY_C_LIBRARY = {"memset", "memcpy", "memmove", "fmod", "floor", "sqrt", "__chkstk", "bzero", "round"}


@pytest.fixture(scope="module")
def code():
    """LLVM code of a game with floats in its record."""
    sim = Simulator("CartPole", 2)
    buffers = [Buffer.of(array, name in ("records", "raw")) for name, array in sim._backend.arrays.items()]
    return compile_cpu.numba_ir("CartPole", kernel.play_games, sim._layout.names, buffers, checked=False)


@pytest.mark.parametrize("triple", TARGETS)
def test_a_kernel_for_another_computer(triple, code, monkeypatch):
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(triple).create_target_machine(opt=3, jit=True, codemodel="jitdefault")
    monkeypatch.setattr(compile_cpu._Machine, "_target", lambda machine, wide=False: target)
    lines = [line for line in code.splitlines() if not line.startswith(("target triple", "target datalayout"))]
    module, _ = compile_cpu._Machine().optimized(f'target triple = "{triple}"\n' + "\n".join(lines))
    called = {function.name for function in module.functions if function.is_declaration}
    assert {name for name in called if not name.startswith("llvm.")} <= IN_EVERY_C_LIBRARY
    assert target.emit_object(module).startswith(TARGETS[triple])


def test_what_numba_alone_has_is_missing():
    Simulator("Catch").reset()  # so that LLVM knows what this process has
    module = llvm.parse_assembly("""
declare double @fmod(double, double)
declare void @numba_attempt_nocopy_reshape()
declare void @no_such_function()
declare i64 @llvm.smin.i64(i64, i64)
""")
    assert compile_cpu.missing_symbols(module) == ["numba_attempt_nocopy_reshape", "no_such_function"]


def test_threads_know_how_to_give_way():
    assert functions().cede > 0 and "arm64" in PAUSES


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64"])
def test_a_pool_for_another_processor(machine, monkeypatch):
    from ludus.envs.engine import thread_pool

    monkeypatch.setattr(thread_pool.platform, "machine", lambda: machine)
    module = llvm.parse_assembly(thread_pool._code())
    module.verify()
    assert "play" in [function.name for function in module.functions]
