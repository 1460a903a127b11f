"""CUDA graphs: hundreds of small kernels launched as one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch

from .hardware import on_gpu

WARM_UP = 3  # calls before the capture: they compile kernels and fill PyTorch's memory pool
Function = Callable[[], Any]


class Graphed:
    """A function without arguments that always works on the same tensors of a GPU: captured once, then replayed.

    The first `WARM_UP` calls run operation by operation. Python code in the function runs only then and in the capture, and
    must not wait for the device. A function that waits, for example for a number that a user's policy reads, is never
    captured, with a warning. Results must be written in place to tensors that exist already. Python numbers that the function
    reads are constants in the graph: when one of them changes, it is captured again.

    Args:
        function: called with a stream of its own as the current one.
        device: of the tensors.
        constants: returns the numbers that the function reads, comparable with `==`.
        generators: random generators that the function draws from.
    """

    def __init__(
        self,
        function: Function,
        device: torch.device,
        constants: Callable[[], Any],
        generators: Sequence[torch.Generator] = (),
    ) -> None:
        self.function, self.read_constants = function, constants
        self.graph = CudaGraph(device, generators)
        self.calls, self.captured, self.capturable = 0, False, True
        self.constants: Any = None

    def __call__(self) -> None:
        constants = self.read_constants()
        if constants != self.constants:
            self.captured, self.constants = False, constants
        self.calls += 1
        if self.calls == WARM_UP:
            self._check_capturable()
        elif self.calls < WARM_UP or not self.capturable:
            self.graph.run(self.function)
        else:
            if not self.captured:
                self.graph.capture(self.function)
                self.captured = True
            self.graph.replay()

    def _check_capturable(self) -> None:
        """Run the function once, and find out whether it can be captured."""
        place = self.graph.first_wait(self.function)
        if place is not None:
            self.capturable = False
            warnings.warn(
                f"{place} waits for the GPU, so that training cannot be one CUDA graph: it goes on operation by operation, "
                "slower",
                stacklevel=3,
            )


def graphed(
    function: Function, device: torch.device, constants: Callable[[], Any], generators: Sequence[torch.Generator] = ()
) -> Function:
    """On a GPU, the function as one CUDA graph, which returns None; else the function itself. See `Graphed`."""
    return Graphed(function, device, constants, generators) if on_gpu(device) else function


class CudaGraph:
    """PyTorch's CUDA graph of a function: run it eagerly, find where it waits, capture it, replay it."""

    def __init__(self, device: torch.device, generators: Sequence[torch.Generator]) -> None:
        self.device, self.generators = device, generators
        self.stream = torch.cuda.Stream(device)  # captures need another one than the default
        self.graph: torch.cuda.CUDAGraph | None = None

    def run(self, function: Function) -> None:
        """Run the function operation by operation, on the stream that is used for the capture."""
        with torch.cuda.device(self.device):
            here = torch.cuda.current_stream()
            self.stream.wait_stream(here)
            with torch.cuda.stream(self.stream):
                function()
            here.wait_stream(self.stream)

    def first_wait(self, function: Function) -> str | None:
        """Run the function; returns the file and line where it waited for the device, None if it did not."""
        before = torch.cuda.get_sync_debug_mode()
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                self.run(function)
        finally:
            torch.cuda.set_sync_debug_mode(before)
        waits = [warning for warning in caught if "synchronizing" in str(warning.message)]
        for warning in caught:
            if warning not in waits:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        return f"{waits[0].filename}:{waits[0].lineno}" if waits else None

    def capture(self, function: Function) -> None:
        """Record the kernels that the function launches; nothing is computed."""
        graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            graph.register_generator_state(generator)
        with (
            torch.cuda.device(self.device),
            torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"),
        ):
            function()
        self.graph = graph

    def replay(self) -> None:
        """Launch all kernels that were captured, on the current stream."""
        assert self.graph is not None
        with torch.cuda.device(self.device):
            self.graph.replay()
