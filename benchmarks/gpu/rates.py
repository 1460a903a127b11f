"""How fast a GPU plays and learns: whole iterations once all is captured, their kernels and what waits for the device."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gpu.common import PROTOCOL, Facts, Sizes, captured, given, replaced, wait
from stable_baselines3.common.callbacks import BaseCallback


def games_alone(sizes: Sizes, num_envs: int, threads: int) -> Facts:
    """Random play of Breakout, from a graph of 32 steps."""
    from ludus.envs import Simulator
    from ludus.envs.engine import compile_cuda

    with replaced(compile_cuda, "THREADS", threads):
        sim = Simulator("Breakout", num_envs, device=sizes.device, seed=0, **PROTOCOL)
        sim.reset()
        actions = torch.randint(0, len(sim.actions), (32, num_envs), device=sizes.device)

        def play() -> None:
            for row in actions:
                sim.step(given(row))

        play()
        replay = captured(play, sizes)
        wait(sizes)
        began, count = time.perf_counter(), 20
        for _ in range(count):
            replay()
        wait(sizes)
    seconds = (time.perf_counter() - began) / (count * len(actions))
    sim.check()
    return {"M steps/s": num_envs / seconds / 1e6, "us a step": 1e6 * seconds}


class Meter(BaseCallback):
    """The times at which iterations begin after the warm-up, and a profile of the last one."""

    def __init__(self, sizes: Sizes, warm_up: int, profiled: bool) -> None:
        super().__init__()
        self.sizes, self.warm_up, self.profiled = sizes, warm_up, profiled
        self.iterations, self.times, self.profile = 0, [], None

    def _on_rollout_start(self) -> None:
        self.iterations += 1
        if self.iterations <= self.warm_up:
            return
        wait(self.sizes)
        self.times.append((time.perf_counter(), self.model.num_timesteps))
        if len(self.times) == self.sizes.iterations and self.profiled:
            kinds = torch.profiler.ProfilerActivity
            self.profile: Any = torch.profiler.profile(
                activities=[kinds.CPU] + [kinds.CUDA] * (self.sizes.device != "cpu")
            )
            self.profile.start()
        elif self.profile is not None:
            self.profile.stop()

    def _on_step(self) -> bool:
        return len(self.times) <= self.sizes.iterations


def rate_of(sizes: Sizes, make: Callable[[], Any], profiled: bool = True) -> Facts:
    """Steps a second, once all is captured; and of one iteration the top kernels, and what waited for the device."""
    agent = make()
    meter = Meter(sizes, 8 if sizes.device != "cpu" else 1, profiled)
    agent.learn(10**9, callback=meter)
    (began, first), (ended, last) = meter.times[0], meter.times[sizes.iterations - 1]
    facts: Facts = {"M steps/s": (last - first) / (ended - began) / 1e6}
    facts["ms an iteration"] = 1e3 * (ended - began) / (sizes.iterations - 1)
    if sizes.device != "cpu":
        facts["GiB"] = torch.cuda.max_memory_reserved() / 2**30
        torch.cuda.reset_peak_memory_stats()
    return {**facts, **profile_of(meter.profile)} if profiled else facts


def profile_of(profile: Any) -> Facts:
    """Kernels by the time they took, and the host's calls that wait."""
    events = profile.key_averages()
    kernels = [
        event for event in events if str(event.device_type).endswith("CUDA") and event.self_device_time_total > 0
    ]
    kernels.sort(key=lambda event: -event.self_device_time_total)
    waits = {event.key: event.count for event in events if "Synchronize" in event.key or "DtoH" in event.key}
    return {
        "busy ms": sum(event.self_device_time_total for event in kernels) / 1e3,
        "kernels": sum(event.count for event in kernels),
        "top": [(event.key[:60], event.count, round(event.self_device_time_total / 1e3, 2)) for event in kernels[:6]],
        "waits": waits,
    }


class Score(BaseCallback):
    """Stops when the mean return of the last hundred episodes is high enough."""

    def __init__(self, target: float) -> None:
        super().__init__()
        self.target, self.mean = target, -np.inf

    def _on_rollout_start(self) -> None:
        episodes = self.model.ep_info_buffer
        if episodes is not None and len(episodes) == episodes.maxlen:
            self.mean = float(np.mean([episode["r"] for episode in episodes]))

    def _on_step(self) -> bool:
        return self.mean < self.target


def time_to_score(sizes: Sizes, make: Callable[[], Any]) -> Facts:
    """PPO's, on Breakout under MinAtar's protocol; compiling not counted."""
    agent, score = make(), Score(sizes.target)
    agent.time_limit = sizes.seconds
    began = time.perf_counter()
    agent.learn(10**9, callback=score)
    seconds = time.perf_counter() - began
    reached = score.mean >= sizes.target
    return {"reached": reached, "seconds": seconds, "mean return": score.mean, "M steps": agent.num_timesteps / 1e6}
