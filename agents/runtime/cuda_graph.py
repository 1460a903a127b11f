"""CUDA graphs: hundreds of small kernels launched as one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from ..training.agent import Agent

WARM_UP = 3  # calls before the capture: they compile kernels and fill PyTorch's memory pool
Function = Callable[[], Any]


class Graphed:
    """A function without arguments that always works on the same tensors, on a GPU; captured, then replayed.

    The first calls run as they are. What the function does on the host happens only then, and must not wait for the
    device; one that does wait, such as a policy of the user's that looks at a number, is never captured, with a warning.
    What it keeps must lie in tensors that it fills in place. The agent's settings are numbers in the graph: when one of
    them changes, it is captured again.

    Args:
        function: called with the current stream on the agent's device.
        agent: whose settings it reads.
        generators: that it draws from.
    """

    def __init__(self, function: Function, agent: Agent, generators: Sequence[torch.Generator] = ()) -> None:
        self.function, self.agent = function, agent
        self.graph = CudaGraph(agent.device, generators)
        self.calls, self.captured, self.can_be = 0, False, True
        self.constants: Any = None

    def __call__(self) -> None:
        constants = self.agent.constants()
        if constants != self.constants:
            self.captured, self.constants = False, constants
        self.calls += 1
        if self.calls == WARM_UP:
            self._try()
        elif self.calls < WARM_UP or not self.can_be:
            self.graph.run(self.function)
        else:
            if not self.captured:
                self.graph.capture(self.function)
                self.captured = True
            self.graph.replay()

    def _try(self) -> None:
        """The last call before the capture: whether there can be one."""
        place = self.graph.first_wait(self.function)
        if place is not None:
            self.can_be = False
            warnings.warn(
                f"{place} waits for the GPU, so that training cannot be one CUDA graph: it goes on operation by operation, "
                "slower",
                stacklevel=3,
            )


class CudaGraph:
    """What a device does with a function: run it, look for what waits, capture it, replay it."""

    def __init__(self, device: torch.device, generators: Sequence[torch.Generator]) -> None:
        self.device, self.generators = device, generators
        self.stream = torch.cuda.Stream(device)  # captures need another one than the default
        self.graph: torch.cuda.CUDAGraph | None = None

    def run(self, function: Function) -> None:
        """Without a graph, on the stream that a capture would be on."""
        with torch.cuda.device(self.device):
            here = torch.cuda.current_stream()
            self.stream.wait_stream(here)
            with torch.cuda.stream(self.stream):
                function()
            here.wait_stream(self.stream)

    def first_wait(self, function: Function) -> str | None:
        """Run it; the file and line where it waited for the device, None if it did not."""
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
        """Note what it launches; nothing is computed."""
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
        """All that was captured, on the current stream."""
        assert self.graph is not None
        with torch.cuda.device(self.device):
            self.graph.replay()
