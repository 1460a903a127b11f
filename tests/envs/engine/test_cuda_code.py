"""The code that GPUs are given, on a machine without one: what is linked, how it is launched, what the assembler says."""

import re
import subprocess
import warnings
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from ludus.envs import OptionError, Simulator, all_games

pytest.importorskip("numba_cuda", reason="needs numba-cuda[cu13]: pip install 'ludus[gpu]'")
from numba import cuda
from numba.cuda.dispatcher import _Kernel

from ludus.envs.engine import compile_cuda
from ludus.envs.engine.compile_cuda import link_cuda, new_kernel, play_thread, ready
from ludus.envs.engine.cuda_cache import KernelCache
from tests.envs.engine.cuda_code import HOPPER, compile_for, library_of

WITH_SPRITES = "Asterix"  # drawing takes Numba-CUDA up to a minute to compile, so one game speaks for the canvas
PIXELS = {"obs_type": "rgb", "size": 24}


def roundings_left_out(ptx):
    """Multiply-adds, and products and sums that the assembler may make one of."""
    return re.findall(r"\b(?:fma\.rn|(?:mul|add|sub))\.f(?:32|64)", ptx)


@pytest.mark.parametrize(("game", "options"), [*((game, {}) for game in all_games()), (WITH_SPRITES, PIXELS)])
def test_what_is_linked_rounds_as_a_cpu_does_and_spills_nothing(game, options, tmp_path):
    kernel = compile_for(Simulator(game, 1, **options), HOPPER)
    assert not kernel._can_compile  # other types, which would be compiled less exactly, when it is launched
    library = library_of(kernel)
    assert library._lto is False  # else the linker is given other code than this
    ptx = library.get_asm_str(HOPPER)
    assert ".target sm_90" in ptx and ".entry" in ptx and "play_thread" in ptx
    assert roundings_left_out(ptx) == []
    spills = spilled(ptx, tmp_path)
    assert spills == 0, f"{spills} bytes of registers were spilled"


def spilled(ptx, folder):
    """Bytes of registers that do not fit, by NVIDIA's assembler."""
    from cuda import pathfinder

    assembler = pathfinder.find_nvidia_binary_utility("ptxas") or pytest.skip(
        "needs ptxas: pip install nvidia-cuda-nvcc"
    )
    (folder / "kernel.ptx").write_text(ptx)
    command = [assembler, "-arch=sm_90", "-v", str(folder / "kernel.ptx"), "-o", str(folder / "kernel.cubin")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = re.findall(r"(\d+) bytes spill (?:stores|loads)", said)
    assert found, said
    return sum(map(int, found))


def test_link_time_optimisation_would_contract(monkeypatch):
    """What the test above guards against, so that it is known to be able to fail."""
    sim = Simulator("CartPole", 1)
    names = sim._layout.names
    assert cuda.jit(lto=False)(link_cuda(play_thread, names)).targetoptions["lto"] is True  # dropped by Numba-CUDA
    assert new_kernel(names).targetoptions["lto"] is False
    monkeypatch.setattr(compile_cuda, "new_kernel", lambda names: cuda.jit(link_cuda(play_thread, names), lto=True))
    linked = library_of(compile_for(sim, HOPPER)).get_lto_ptx(HOPPER)
    assert len(roundings_left_out(linked)) > 10


@pytest.mark.parametrize("num_envs", [1, 5, 64, 1024, 4096, 5000, 65536])
def test_no_number_of_games_makes_numba_warn_at_launch(num_envs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        launch = ready(new_kernel(Simulator("Catch", 1)._layout.names), num_envs, stream=0)
    blocks, threads = launch.griddim[0], launch.blockdim[0]
    assert (blocks - 1) * threads < num_envs <= blocks * threads and threads <= 128


def test_a_few_thousand_games_reach_every_multiprocessor():
    launch = ready(new_kernel(Simulator("Catch", 1)._layout.names), 4096, stream=0)
    assert launch.griddim[0] >= 128  # an H200 has 132


def test_device_arrays_have_the_types_that_are_compiled_for():
    """Types are those of NumPy arrays here and of device arrays there: they must be the same."""
    sim = Simulator("Catch", 4)
    for name, array in sim._backend.arrays.items():
        there = cuda.cudadrv.devicearray.DeviceNDArray(array.shape, array.strides, array.dtype, gpu_data=object())
        kernel = new_kernel(sim._layout.names)
        assert kernel.typeof_pyval(there) == kernel.typeof_pyval(np.asarray(array)), name


def test_without_a_compiler_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(compile_cuda, "find_spec", lambda name: None if name == "numba_cuda" else find_spec(name))
    with pytest.raises(OptionError, match=r"needs Numba-CUDA: pip install 'numba-cuda"):
        Simulator("Catch", 2, device="cuda")


def test_a_kernel_is_compiled_once(monkeypatch, tmp_path):
    """What is kept is found by the next process: here by a new kernel, made of new functions."""
    monkeypatch.setenv("LUDUS_CACHE_DIR", str(tmp_path / "cache"))
    compiled, made = [], _Kernel.__init__

    def counted(self, *args, **kwargs):
        compiled.append(self)
        made(self, *args, **kwargs)

    monkeypatch.setattr(_Kernel, "__init__", counted)

    def kernel_for(game, **options):
        sim = Simulator(game, 1, **options)
        (kernel,) = compile_for(sim, HOPPER, KernelCache(sim._layout, play_thread)).overloads.values()
        return kernel

    first, again = kernel_for("Catch"), kernel_for("Catch")
    assert len(compiled) == 1
    assert again.entry_name == first.entry_name and again.signature == first.signature
    one, two = (kernel._codelibrary.get_cubin(HOPPER).code for kernel in (first, again))
    assert bytes(one) == bytes(two)
    kernel_for("Catch", frame_stack=2)
    assert len(compiled) == 2
    [path] = [path for path in (tmp_path / "cache").glob("Catch-cuda-*") if bytes(one) in path.read_bytes()]
    path.write_bytes(path.read_bytes()[:-1] + b"?")  # damaged: compiled anew
    kernel_for("Catch")
    assert len(compiled) == 3
