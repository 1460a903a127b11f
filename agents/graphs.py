"""CUDA graphs: hundreds of small kernels launched as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

WARM_UP = 3  # calls before the capture: they compile kernels and fill PyTorch's memory pool


class Graphed:
    """A function without arguments that always works on the same tensors, on a GPU; captured, then replayed.

    The first calls run as they are. What the function does on the host happens only then, and must not wait for the
    device. What it keeps must lie in tensors that it fills in place.

    Args:
        function: called with the current stream on the device.
        generators: that it draws from.
    """

    def __init__(self, function: Callable[[], Any], generators: Sequence[torch.Generator] = ()) -> None:
        self.function, self.generators = function, generators
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        self.calls += 1
        if self.calls <= WARM_UP:
            self._run_aside()
            return
        if self.graph is None:
            self._capture()
        assert self.graph is not None
        self.graph.replay()

    def _run_aside(self) -> None:
        """On a stream of its own, as a capture will be."""
        stream, here = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            self.function()
        here.wait_stream(stream)

    def _capture(self) -> None:
        graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph):
            self.function()
        self.graph = graph
