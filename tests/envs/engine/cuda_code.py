"""A simulator's kernel compiled for a GPU that is not here, up to machine code, and not loaded."""

from types import SimpleNamespace

import numba
import numpy as np
import pytest
from numba.cuda import codegen, dispatcher

from ludus.envs.engine import compile_cuda

HOPPER = (9, 0, "")  # compute capability, as Numba-CUDA has it


def compile_for(sim, capability=HOPPER, cache=None):
    """The kernel of a simulator on a CPU, for a GPU of that capability; perhaps from a cache."""
    arrays = (*sim._backend.arrays.values(), np.zeros(1, np.int64))
    kernel = compile_cuda.new_kernel(sim._layout.names)
    kernel._cache = cache or kernel._cache
    with pytest.MonkeyPatch.context() as patch:
        device = SimpleNamespace(compute_capability=capability[:2])
        patch.setattr(dispatcher, "get_current_device", lambda: device)
        patch.setattr(dispatcher._Kernel, "bind", lambda self: None)
        patch.setattr(codegen.CUDACodeLibrary, "_ensure_cc", lambda self, given: given or capability)
        compile_cuda.compile_exactly(kernel, tuple(numba.typeof(array) for array in arrays))
    return kernel


def library_of(kernel):
    """The code of a compiled kernel: `get_asm_str(cc)`, which the linker is given, and `get_cubin(cc)`, what it makes."""
    (compiled,) = kernel.overloads.values()
    return compiled._codelibrary
