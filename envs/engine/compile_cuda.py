"""Games on a GPU: one thread plays one game, in tensors that torch owns.

The kernel is `kernel.play_game`, the function that the CPU runs, compiled by Numba-CUDA and launched on torch's current
stream, so that a policy and its games can share one CUDA graph. A step copies nothing, allocates nothing and waits for
nothing; a bad action is therefore noted on the device and reported by `check`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from numba import cuda
from numba.core import config as numba_config

from ..errors import ActionError, OptionError
from ..extras import packages_of
from .compile import link
from .cuda_cache import KernelCache
from .faults import check_shape, fault_error
from .kernel import FAULT, RESET, STEP, fault_of, play_game
from .layout import Layout, allocate
from .plain import as_plain
from .rendering import paint_backdrop

THREADS = 32  # games in a block, the fewest that fill a warp: a few thousand games are to reach every multiprocessor
SIMULATED = bool(getattr(numba_config, "ENABLE_CUDASIM", 0))  # Numba's CUDA simulator, for tests


def play_thread(
    records, raw, clocks, streams, totals, settings, levels, backdrop, mask, actions, obs, final_obs, legal, final_legal,
    reward, terminated, truncated, episode_return, episode_length, faults,
):  # fmt: skip
    """One game's part of a step or reset; after a fault it stands still and leaves that and its number in `faults`."""
    i: Any = cuda.grid(1)  # type: ignore[call-arg]
    if i >= streams.shape[0]:
        return
    if settings[0].command == STEP:
        fault = fault_of(i, clocks, settings, actions, legal)
        if fault > 0:
            faults[0] = 1 + i + FAULT * fault
            return
    play_game(
        i, records, raw, clocks, streams, totals, settings, levels, backdrop, mask, actions, obs, final_obs, legal,
        final_legal, reward, terminated, truncated, episode_return, episode_length,
    )  # fmt: skip


def link_cuda(function: Callable[..., None], names: Mapping[str, Any]) -> Callable[..., None]:
    """The kernel as a plain function whose callees are device functions: what `cuda.jit` and `cuda.compile` take."""
    kept: dict[Callable[..., Any], Any] = {}

    def wrap(part: Callable[..., Any]) -> Any:
        if SIMULATED or part.__code__ is function.__code__:  # Numba's simulator runs plain functions
            return part
        if part not in kept:
            kept[part] = cuda.jit(part, device=True)
        return kept[part]

    return link(function, names, wrap)


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Compile as CPUs compute: by default NVVM rounds `a * b + c` once, which would move pixels and float states."""
    if SIMULATED:
        yield
        return
    from numba.cuda.cudadrv import nvvm

    original = nvvm.compile_ir
    nvvm.compile_ir = partial(original, fma=False)
    try:
        yield
    finally:
        nvvm.compile_ir = original


def new_kernel(names: Mapping[str, Any]) -> Any:
    """The kernel of the games whose rules `names` has, see `Layout.names`; not compiled yet.

    Without link-time optimization: the linker would make the machine code, and round `a * b + c` once. (`lto` is dropped
    where `cuda.jit` is not given the function at once.)
    """
    function = link_cuda(play_thread, names)
    return cuda.jit(function) if SIMULATED else cuda.jit(function, lto=False)


def compile_exactly(kernel: Any, signature: tuple[Any, ...]) -> None:
    """Compile the kernel for arguments of these types, and for no others: those would be compiled less exactly."""
    try:
        with exact_arithmetic():
            kernel.compile(signature)
    except (ImportError, RuntimeError) as error:  # what Numba-CUDA raises where a library is missing
        if not any(library in str(error) for library in ("NVVM", "nvvm", "nvrtc", "nvJitLink")):
            raise
        raise OptionError(
            "device='cuda' needs NVIDIA's compiler, and Numba-CUDA finds none: "
            f"pip install {packages_of('gpu')}, or set CUDA_HOME to a CUDA toolkit ({str(error).splitlines()[0]})"
        ) from error
    kernel.disable_compile()


def ready(kernel: Any, num_envs: int, stream: int) -> Callable[..., None]:
    """The kernel, to be launched for so many games on a stream of that address."""
    threads = min(THREADS, num_envs)
    with warnings.catch_warnings():  # which Numba gives where there are fewer blocks than a large GPU could take
        warnings.filterwarnings("ignore", "Grid size")
        return kernel[-(-num_envs // threads), threads, cuda.external_stream(stream) if stream else 0]


class CudaBackend:
    """A simulator's tensors and kernels on a GPU, or on Numba's CUDA simulator (NUMBA_ENABLE_CUDASIM=1) for tests."""

    checks = False  # it has no checked kernels, see `saved_states`

    def __init__(self, layout: Layout, device: str) -> None:
        import torch

        if not SIMULATED and find_spec("numba_cuda") is None:
            raise OptionError(f"device='cuda' needs Numba-CUDA: pip install {packages_of('gpu')}")
        if not SIMULATED and not torch.cuda.is_available():
            raise OptionError("device='cuda' but torch sees no GPU here: use device='cpu'")
        self.layout, self.torch = layout, torch
        self.device = "cpu" if SIMULATED else str(torch.empty(0, device=device).device)  # with its number
        host = {**allocate(layout), "faults": np.zeros(1, np.int64)}
        paint_backdrop(layout, host["backdrop"])
        self.kinds = {name: array.dtype for name, array in host.items()}
        self.arrays = {name: self._tensor(array) for name, array in host.items() if name != "records"}
        self.arrays["records"] = self.arrays["raw"]
        self._command = {}  # the settings of a step and of a reset, on the device, so that a step changes nothing from here
        for command in (RESET, STEP):
            settings = host["settings"].copy()
            settings["command"] = command
            self._command[command] = self._tensor(settings)
        self._launches: dict[int, Any] = {}  # the kernel, ready for each stream that it was launched on
        self._kernel = new_kernel(layout.names)
        with self._here():
            self._arguments = [self._device_array(name) for name in host]
            if not SIMULATED:
                self._kernel._cache = KernelCache(layout, play_thread)
                compile_exactly(self._kernel, tuple(map(self._kernel.typeof_pyval, self._arguments)))

    def _tensor(self, array: np.ndarray) -> Any:
        """A buffer on the device; records are kept as bytes, and unsigned counters as signed ones."""
        if array.dtype.names:
            array = array.view(np.uint8).reshape(len(array), -1)
        elif array.dtype == np.uint64:
            array = array.view(np.int64)
        return self.torch.from_numpy(array.copy()).to(self.device)

    def _device_array(self, name: str) -> Any:
        """The tensor as Numba's kernels take it, of the same memory."""
        tensor, kind = self.arrays[name], self.kinds[name]
        array = tensor.numpy() if SIMULATED else cuda.as_cuda_array(tensor)
        if kind.names:
            array = array.reshape(-1).view(kind)
        elif kind == np.uint64:
            array = array.view(kind)
        if not SIMULATED:
            return array
        seen = as_plain(name, array)  # Python's numbers are as wide as a GPU's, NumPy's are not
        return cuda.cudadrv.devicearray.FakeCUDAArray(seen) if isinstance(seen, np.ndarray) else seen

    def _here(self) -> AbstractContextManager[Any]:
        """Numba launches on the device that is current, which need not be this one."""
        return nullcontext() if SIMULATED else self.torch.cuda.device(self.device)

    def _play(self) -> None:
        """Launch one thread a game on torch's current stream."""
        if SIMULATED:
            with np.errstate(over="ignore"):  # random numbers wrap around
                self._launch_on(0)(*self._arguments)
            return
        with self._here():
            self._launch_on(self.torch.cuda.current_stream(self.device).cuda_stream)(*self._arguments)

    def _launch_on(self, stream: int) -> Callable[..., None]:
        """The kernel, ready to be launched on a stream of that address."""
        if stream not in self._launches:
            self._launches[stream] = ready(self._kernel, self.layout.num_envs, stream)
        return self._launches[stream]

    def reset(self, mask: np.ndarray) -> None:
        self.write("mask", mask)
        self.arrays["settings"].copy_(self._command[RESET])
        self._play()
        self.arrays["settings"].copy_(self._command[STEP])

    def step(self, actions: Any) -> int:
        actions = self.torch.as_tensor(actions)
        if actions.dtype.is_floating_point or actions.dtype == self.torch.bool:
            raise ActionError(f"actions must be whole numbers, got a tensor of {actions.dtype}")
        check_shape(self.layout, actions.shape)
        self.arrays["actions"].copy_(actions.reshape(-1), non_blocking=True)
        self._play()
        return -1

    def check(self) -> None:
        """Wait for the device and raise what it noted: an action out of range, or a step after an episode's end."""
        noted = int(self.arrays["faults"][0])
        if noted:
            self.arrays["faults"].zero_()
            fault, i = divmod(noted - 1, FAULT)
            raise fault_error(self.layout, fault, i, self.read("actions"), self.read("legal"))

    def read(self, name: str) -> np.ndarray:
        array = np.ascontiguousarray(self.arrays[name].to("cpu", copy=True).numpy())
        kind = self.kinds[name]
        return array.reshape(-1).view(kind) if kind.names else array.view(kind)

    def write(self, name: str, value: np.ndarray) -> None:
        value = np.ascontiguousarray(value)
        if value.dtype.names:
            value = value.view(np.uint8).reshape(len(value), -1)
        elif value.dtype == np.uint64:
            value = value.view(np.int64)
        self.arrays[name].copy_(self.torch.from_numpy(value.copy()).reshape(self.arrays[name].shape))

    def close(self) -> None:
        pass
