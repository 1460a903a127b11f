"""A GPU on a CPU: the code paths of one, CUDA graphs captured and replayed, and a word for what a graph could not do.

A capture runs the function once and notes each of PyTorch's operations with its very tensors; then all memory that was there
before is put back as it was, since a capture computes nothing. A replay does the operations again, each into the tensors that
it made in the capture. What a function does beside that happens once, as on a GPU.
"""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from importlib import import_module

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import ludus.envs.engine.simulator
from ludus.agents.runtime import cuda_graph as graphs
from ludus.agents.runtime import hardware
from ludus.envs.engine.backends import CompiledBackend
from ludus.envs.engine.compile_cuda import CudaBackend
from ludus.envs.engine.kernel import RESET, STEP

WAITS = {"_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "unique_consecutive", "_unique2",
         "lift_fresh", "bincount"}  # fmt: skip
NEVER = 10**9
_recorders = []  # at work


class Waits(RuntimeError):
    """An operation that a GPU would have to be waited for in."""


def tensors_of(things):
    return [x for x in tree_leaves(things) if isinstance(x, torch.Tensor)]


def address(tensor):
    return tensor.untyped_storage().data_ptr()


def waits(operation, args):
    """Whether it looks at numbers."""
    name = operation._schema.name.removeprefix("aten::")
    by_mask = name in ("index", "index_put_") and any(x.dtype in (torch.bool, torch.uint8) for x in tensors_of(args[1]))
    return name in WAITS or by_mask


class Watch(TorchDispatchMode):
    """Notes the first place that waits."""

    place = None

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if self.place is None and waits(operation, args):
            frames = [f for f in traceback.extract_stack() if "/torch/" not in f.filename and f.filename != __file__]
            self.place = f"{frames[-1].filename}:{frames[-1].lineno}"
        return operation(*args, **(kwargs or {}))


class Record(TorchDispatchMode):
    """Notes operations, and memory as it was before them."""

    def __init__(self, generators):
        super().__init__()
        self.generators, self.calls, self.before, self.made, self.kept = generators, [], {}, set(), []

    def note_memory(self, tensors):
        for tensor in tensors:
            if address(tensor) and address(tensor) not in self.made and address(tensor) not in self.before:
                storage = tensor.untyped_storage()
                self.before[address(tensor)] = (storage, bytes_of(storage).clone())

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if waits(operation, args):
            raise Waits(f"{operation} waits for the device")
        for generator in (x for x in (*args, *kwargs.values()) if isinstance(x, torch.Generator)):
            if generator._cdata not in [known._cdata for known in self.generators]:  # Python's object may be another
                raise Waits(f"{operation} draws from a generator that the graph was not told of")
        given = tensors_of((args, kwargs))
        self.note_memory(given)
        result = operation(*args, **kwargs)
        made = tensors_of(result)
        new = [x for x in made if address(x) not in {address(y) for y in given}]
        self.made.update(map(address, new))
        self.kept.append(made)  # so that no address comes twice
        if new or operation._schema.is_mutable:
            self.calls.append((operation, args, kwargs, made if new else []))
        return result

    def launch(self, function, tensors):
        """A kernel that is not PyTorch's, and what it reads and writes."""
        self.note_memory(tensors)
        self.calls.append((function, (), {}, []))
        function()


def bytes_of(storage):
    return torch.empty(0, dtype=torch.uint8).set_(storage)


class Graph:
    """In place of `cuda_graph.CudaGraph`."""

    captures = 0

    def __init__(self, device, generators):
        self.generators, self.record = list(generators), None

    def run(self, function):
        function()

    def first_wait(self, function):
        with Watch() as watch:
            function()
        return watch.place

    def capture(self, function):
        Graph.captures += 1
        states = [generator.get_state() for generator in self.generators]
        default = torch.get_rng_state()
        self.record = Record(self.generators)
        _recorders.append(self.record)
        try:
            with self.record:
                function()
        finally:
            _recorders.pop()
        for storage, content in self.record.before.values():
            bytes_of(storage).copy_(content)
        for generator, state in zip(self.generators, states, strict=True):
            generator.set_state(state)
        assert torch.equal(default, torch.get_rng_state()), "drew from PyTorch's own generator"

    @torch.no_grad()
    def replay(self):
        for operation, args, kwargs, made in self.record.calls:
            result = operation(*args, **kwargs)
            for then, now in zip(made, tensors_of(result) if made else [], strict=True):
                if address(then) != address(now):
                    then.detach().copy_(now)


class Backend(CudaBackend):
    """A GPU's backend, whose kernel is machine code for the CPU over the same memory."""

    def __init__(self, layout, unverified, *_):
        self.cpu = CompiledBackend(layout, unverified, 1)
        self.layout, self.torch, self.device = layout, torch, "cpu"
        host = {**self.cpu.arrays, "faults": np.zeros(1, np.int64)}
        self.kinds = {name: array.dtype for name, array in host.items()}
        self.arrays = {name: torch.from_numpy(plain(array)) for name, array in host.items() if name != "records"}
        self.arrays["records"] = self.arrays["raw"]
        self._command = {}
        for command in (RESET, STEP):
            settings = host["settings"].copy()
            settings["command"] = command
            self._command[command] = torch.from_numpy(plain(settings))

    def _play(self):
        if _recorders:
            _recorders[-1].launch(self._run, list(self.arrays.values()))
        else:
            self._run()

    def _run(self):
        noted = self.cpu.play()
        if noted < 0:
            self.arrays["faults"][0] = -noted


def plain(array):
    """The same memory as a dtype that PyTorch has."""
    if array.dtype.names:
        return array.view(np.uint8).reshape(len(array), -1)
    return array.view(np.int64) if array.dtype == np.uint64 else array


@contextmanager
def pretended_gpu(monkeypatch, replayed):
    """Agents and simulators made here take the CPU for a GPU; `replayed`: with graphs, else operation by operation."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with monkeypatch.context() as patch:
        patch.setattr(hardware, "GPUS", ("cuda", "cpu"))
        patch.setattr(graphs, "CudaGraph", Graph)
        patch.setattr(graphs, "WARM_UP", 3 if replayed else NEVER)
        patch.setattr(ludus.envs.engine.simulator, "choose_backend", Backend)
        for module in ("adam", "optimizer"):  # which take such settings on GPUs alone
            module = import_module(f"torch.optim.{module}")
            patch.setattr(module, "_get_capturable_supported_devices", lambda *_, **__: ["cpu", "cuda"])
        try:
            yield
        finally:
            torch.set_num_threads(threads)
