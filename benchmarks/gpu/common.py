"""How much `gpu` checks, and what its checks share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch

PROTOCOL: dict[str, Any] = {"repeat_action_probability": 0.1, "full_action_space": True}
Facts = dict[str, Any]


class Sizes(NamedTuple):
    """How much is played; `small` is how many games learn at once."""

    device: str
    games: tuple[str, ...]
    alone: tuple[int, ...]
    small: int
    learned: tuple[tuple[str, str, int], ...]  # by PPO: network, precision, games
    n_steps: int
    iterations: int
    parity_steps: int
    workers: int  # processes that compile
    seconds: float  # of training towards a score
    target: float


def full_sizes(cores: int) -> Sizes:
    """On a GPU."""
    from ludus.envs import all_games

    learned = tuple(product(("mlp", "cnn"), ("fp32", "bf16"), (4096, 16384)))
    return Sizes("cuda", tuple(all_games()), (1024, 4096, 16384, 65536), 4096, learned, 32, 12, 200, cores, 60.0, 20.0)


DRY = Sizes("cpu", ("Catch",), (64,), 4, (("mlp", "fp32", 4), ("cnn", "bf16", 8)), 4, 2, 10, 1, 1.0, -10.0)


def given(actions: torch.Tensor) -> Any:
    """As a simulator takes them."""
    return actions if actions.is_cuda else actions.numpy()


def on_host(array: Any) -> np.ndarray:
    return array.cpu().numpy() if isinstance(array, torch.Tensor) else array


def captured(function: Callable[[], Any], sizes: Sizes) -> Callable[[], Any]:
    """The function once done, and as a graph; on a CPU, as it is."""
    if sizes.device == "cpu":
        function()
        return function
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    graph.replay()
    return graph.replay


def wait(sizes: Sizes) -> None:
    if sizes.device != "cpu":
        torch.cuda.synchronize()


@contextmanager
def replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)
