"""The cache of GPU kernels on disk: compiling one takes seconds, and Numba's own cache never finds it again.

(Its key has the functions that a kernel calls, which `link` makes anew in each process.) What is kept is machine code for one
kind of GPU, as bytes; nothing is unpickled.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .cache import read_kernel, write_kernel
from .compile import fingerprint
from .layout import Layout


class KernelCache:
    """In place of Numba-CUDA's own, with its two methods, for the kernel of one kind of simulator."""

    def __init__(self, layout: Layout, function: Any) -> None:
        self.name, self.names, self.function = f"{layout.game.name}-cuda", layout.names, function

    def key(self, signature: Any) -> str:
        """All that the code depends on, hashed."""
        from numba.cuda.cudadrv.nvvm import NVVM

        sources = [Path(__file__).with_name(name).read_bytes() for name in ("compile_cuda.py", "cuda_cache.py")]
        compilers = [version("numba"), version("numba-cuda"), NVVM().get_version()]
        return fingerprint(
            self.function, self.names, [str(kind) for kind in signature], self.capability(), compilers, sources
        )

    @staticmethod
    def capability() -> tuple[Any, ...]:
        """Of the GPU at hand, as Numba-CUDA has it."""
        from numba.cuda.codegen import CUDACodeLibrary

        return CUDACodeLibrary(None, "")._ensure_cc(None)

    def load_overload(self, signature: Any, context: Any) -> Any:
        """The kernel for arguments of these types, as Numba-CUDA makes one of its own cache; None if it is not there."""
        code = read_kernel(self.name, self.key(signature))
        try:
            return None if code is None else kernel_of(code, signature, self.capability())
        except Exception:  # another version of Numba-CUDA, different inside
            return None

    def save_overload(self, signature: Any, kernel: Any) -> None:
        """Keep it."""
        cubin = kernel._codelibrary.get_cubin().code
        write_kernel(self.name, self.key(signature), kernel.entry_name.encode() + b"\0" + bytes(cubin))


def kernel_of(code: bytes, signature: Any, capability: tuple[Any, ...]) -> Any:
    """Numba-CUDA's kernel of machine code and the name in it."""
    from numba.core.types import void
    from numba.cuda.codegen import CUDACodeLibrary
    from numba.cuda.dispatcher import _Kernel

    entry, _, cubin = code.partition(b"\0")
    name = entry.decode()
    kept = {capability: import_module("cuda.core").ObjectCode.from_cubin(cubin)}
    library_of: Any = CUDACodeLibrary._rebuild
    kernel_with: Any = _Kernel._rebuild
    library = library_of(
        codegen=None, name=name, entry_name=name, llvm_strs=[], ptx_cache={}, linkerinfo_cache={}, max_registers=None,
        cubin_cache=kept, nvvm_options={}, needs_cudadevrt=False, nrt=False,
        use_cooperative=False, lto=False,
    )  # fmt: skip
    return kernel_with(
        cooperative=False, name=name, signature=void(*signature), codelibrary=library, debug=False, lineinfo=False,
        call_helper=None, extensions=[],
    )  # fmt: skip
