"""What a GPU does while Ludus plays and learns: rates of the games alone, and what waits for the device in a rollout."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from training.jobs import ENDLESS, Mark
from training.ppo_peers import GAME, PROTOCOL, WARM_UP, Settings, Side, make_agent

COPIED = 4 * 2**30  # bytes of the tensor whose copy tells the bandwidth
PERIOD = 64  # steps after which the random actions come again
WAITS = ("Synchronize", "Memcpy DtoH")
READ_AND_WRITTEN = ("records", "clocks", "streams", "totals")
TOUCHED = ("actions", "obs", "reward", "terminated", "truncated")


def games(device: str, threads: int, num_envs: int, seconds: float) -> dict[str, float]:
    """Random play on the GPU, step after step from Python and as a CUDA graph of many steps."""
    from ludus.envs import Simulator

    sim = Simulator(GAME, num_envs, seed=0, device=device, **PROTOCOL)
    sim.reset()
    actions = torch.randint(0, len(sim.actions), (PERIOD, num_envs), device=device)

    def period() -> None:
        for row in actions:
            sim.step(row)

    launched = rate(period, PERIOD * num_envs, seconds)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        period()
    replayed = rate(graph.replay, PERIOD * num_envs, seconds)
    sim.check()
    size = bytes_of_a_step()
    found = {"num_envs": num_envs, "launched": launched, "graph": replayed, "bytes": size, "bandwidth": bandwidth()}
    return {**found, "share": max(launched, replayed) * size / found["bandwidth"]}


def rate(play: Callable[[], Any], steps: int, seconds: float) -> float:
    """Steps per second by the clock, after a first call that is not counted."""
    play()
    began, count = Mark.now(0), 0
    while (took := Mark.now(count).since(began)["seconds"]) < seconds:
        for _ in range(8):
            play()
        count += 8 * steps
    return count / took


def bytes_of_a_step() -> int:
    """What a step of one game must read and write: its record, clock and random stream both, actions and results once."""
    from ludus.envs import Simulator

    arrays: dict[str, np.ndarray] = Simulator(GAME, 1, **PROTOCOL)._backend.arrays
    return sum(2 * arrays[name].nbytes for name in READ_AND_WRITTEN) + sum(arrays[name].nbytes for name in TOUCHED)


def bandwidth() -> float:
    """Bytes that a copy inside the GPU's memory reads and writes in a second."""
    source = torch.zeros(COPIED, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return rate(lambda: target.copy_(source), 2 * COPIED, 0.5)


class Profiler(BaseCallback):
    """Profiles one rollout after the warm-up."""

    def __init__(self) -> None:
        super().__init__()
        self.iterations = 0
        self.profile = new_profile()
        self.counts: dict[str, int] = {}

    def _on_rollout_start(self) -> None:
        self.iterations += 1
        if self.iterations == WARM_UP + 1:
            torch.cuda.synchronize()
            self.profile.start()

    def _on_rollout_end(self) -> None:
        if self.iterations == WARM_UP + 1:
            self.profile.stop()
            self.counts = counts_of(self.profile)

    def _on_step(self) -> bool:
        return not self.counts


def new_profile() -> Any:
    activities = torch.profiler.ProfilerActivity
    return torch.profiler.profile(activities=[activities.CPU, activities.CUDA])


def counts_of(profile: Any) -> dict[str, int]:
    """How often the host called CUDA, by name."""
    names = {event.key: event.count for event in profile.key_averages()}
    return {name: count for name, count in names.items() if name.startswith(("cuda", "cu", "Memcpy"))}


def profile(side: Side, settings: Settings, device: str, threads: int) -> dict[str, Any]:
    """Calls of CUDA in one rollout; what profiling itself adds is taken off."""
    empty = new_profile()
    empty.start()
    empty.stop()
    agent, profiler = make_agent(side, settings, device, threads), Profiler()
    agent.learn(ENDLESS, callback=profiler)
    own = counts_of(empty)
    calls = {name: count - own.get(name, 0) for name, count in profiler.counts.items()}
    waits = {name: count for name, count in calls.items() if count > 0 and any(word in name for word in WAITS)}
    return {"steps": settings.n_steps, "waits": waits, "calls": calls}


def jax_backend(device: str, threads: int) -> dict[str, str]:
    """Where JAX computes: cpu or gpu."""
    return {"backend": import_module("jax").default_backend()}
