"""What `training.py` starts in a process of its own: one measurement, its result a line of JSON.

python training_jobs.py JOB '{"argument": value, ...}'
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial, wraps
from itertools import islice
from statistics import fmean
from typing import Any

import torch
import torch.nn.functional as F
from stable_baselines3.common.callbacks import BaseCallback
from torch import Tensor, nn
from training_families import FAMILIES
from training_peers import WARM_UP, Settings, Side, make_agent, parameters_of, recipe_agent

ENDLESS = 1_000_000_000  # steps
PLANES = (10, 10, 4)
NUM_ACTIONS = 6


@dataclass
class Mark:
    """A moment of a training."""

    steps: int
    updates: int
    wall: float
    cpu: float

    @classmethod
    def now(cls, steps: int, updates: int = 0) -> Mark:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return cls(steps, updates, time.perf_counter(), time.process_time())

    def since(self, other: Mark) -> dict[str, float]:
        return {
            "steps": self.steps - other.steps, "updates": self.updates - other.updates,
            "seconds": self.wall - other.wall, "cpu_seconds": self.cpu - other.cpu,
        }  # fmt: skip


class Meter(BaseCallback):
    """Marks the beginning of each iteration after the warm-up, and ends training after so many seconds of them."""

    def __init__(self, seconds: float, warm_up: int, watch: Stopwatch | None = None) -> None:
        super().__init__()
        self.seconds, self.warm_up, self.watch = seconds, warm_up, watch
        self.iterations = 0
        self.first: Mark | None = None
        self.result: dict[str, float] = {}

    def _on_rollout_start(self) -> None:
        self.iterations += 1
        if self.iterations <= self.warm_up or self.result:
            return
        if self.first is None:
            self.first = self.mark()
            if self.watch is not None:
                self.watch.start()
        elif time.perf_counter() - self.first.wall >= self.seconds:
            self.result = self.mark().since(self.first)
            if self.watch is not None:
                self.watch.stop()

    def mark(self) -> Mark:
        return Mark.now(self.model.num_timesteps, self.model._n_updates)

    def _on_step(self) -> bool:
        return not self.result


def speed(side: Side, settings: Any, device: str, threads: int, seconds: float) -> dict[str, float]:
    """How many steps a side learns from in what time."""
    if side.agent is None:
        from jax_ppo import speed as speed_of_jax

        return speed_of_jax(settings, seconds)
    agent, meter = make_agent(side, settings, device, threads), Meter(seconds, settings.warm_up)
    agent.learn(ENDLESS, callback=meter)
    return {**meter.result, "parameters": parameters_of(agent)}


# Where the time goes


class Stopwatch:
    """Seconds spent in functions of Ludus, all threads together."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.lock = threading.Lock()
        self.running = False

    def start(self) -> None:
        self.seconds.clear()
        self.running = True

    def stop(self) -> None:
        self.running = False

    def around(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.perf_counter() - started
                if self.running:
                    with self.lock:
                        self.seconds[name] += took

        return timed

    def watch(self, owner: Any, attribute: str, name: str) -> None:
        """Time a method of a class, or a function under every name that modules of Ludus have for it."""
        function = getattr(owner, attribute)
        timed = self.around(function, name)
        owners = [owner]
        if not isinstance(owner, type):
            owners = [module for module in list(sys.modules.values()) if module.__name__.startswith("ludus")]
        for place in owners:
            for key, value in list(vars(place).items()):
                if value is function:
                    setattr(place, key, timed)


def breakdown(side: Side, settings: Settings, device: str, threads: int, seconds: float) -> dict[str, Any]:
    """Seconds of an iteration of ours, by part."""
    from ludus.agents.data import env_adapters as worlds
    from ludus.agents.data import rollout_buffer as rollout
    from ludus.agents.nn import actor_critic as networks
    from ludus.agents.ppo.ppo import advantages, ppo
    from ludus.agents.ppo.ppo import compiled_collect as rounds
    from ludus.agents.ppo.ppo import compiled_policy as backprop

    agent, watch = make_agent(side, settings, device, threads), Stopwatch()
    watch.watch(worlds.SimulatorAdapter, "step", "games")
    watch.watch(networks, "forward_step", "forward")
    watch.watch(backprop.CompiledActorCritic, "_think", "forward")
    watch.watch(rounds.CompiledCollector, "decide", "forward")
    watch.watch(rounds.CompiledCollector, "play", "collect")
    watch.watch(rollout, "collect", "collect")
    watch.watch(advantages, "generalized_advantages", "advantages")
    watch.watch(ppo.PPO, "collect_rollouts", "rollout")
    watch.watch(ppo.PPO, "train", "update")
    meter = Meter(seconds, settings.warm_up, watch)
    agent.learn(ENDLESS, callback=meter)
    iterations = meter.result["steps"] / settings.steps
    parts = parts_of(watch.seconds, meter.result["seconds"])
    return {"parts": {name: took / iterations for name, took in parts.items()}, "precision": agent.precision}


def parts_of(seconds: dict[str, float], whole: float) -> dict[str, float]:
    """Parts that add up to the whole; what threads did at once counts by its share of the rollout's time by the clock."""
    rollout = seconds["rollout"] - seconds["advantages"]
    scale = rollout / seconds["collect"]
    games, forward = scale * seconds["games"], scale * seconds["forward"]
    return {
        "games": games,
        "policy forward": forward,
        "rest of the rollout": rollout - games - forward,
        "advantages": seconds["advantages"],
        "update": seconds["update"],
        "other": whole - seconds["rollout"] - seconds["update"],
    }


def bare(settings: Settings, device: str, threads: int, precision: str, seconds: float) -> dict[str, float]:
    """The same arithmetic and nothing else: forward passes, rows gathered, gradients, Adam."""
    network = bare_network(settings.network).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-5, fused=True)
    obs = torch.randint(0, 2, (settings.n_steps, settings.num_envs, *PLANES), dtype=torch.uint8, device=device)
    targets = torch.randn(settings.steps, NUM_ACTIONS + 1, device=device)
    half = partial(torch.autocast, torch.device(device).type, torch.bfloat16, enabled=precision == "bf16")

    def iteration() -> None:
        with torch.no_grad(), half():
            for frame in obs:
                network(frame.float())
        for _ in range(settings.n_epochs):
            for rows in torch.randperm(settings.steps, device=device).split(settings.batch_size):
                with half():
                    error = F.mse_loss(network(obs.flatten(0, 1)[rows].float()).float(), targets[rows])
                optimizer.zero_grad()
                error.backward()
                optimizer.step()

    for _ in range(WARM_UP):
        iteration()
    began, count = Mark.now(0), 0
    while (took := Mark.now(count).since(began))["seconds"] < seconds:
        iteration()
        count += 1
    return {"seconds": took["seconds"] / count}


def bare_network(kind: str) -> nn.Module:
    """The layers of a shared network; logits and value come out of one last layer."""
    first = {
        "cnn": [Turn(), nn.Conv2d(PLANES[-1], 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 128), nn.ReLU()],
        "mlp": [nn.Flatten(), nn.Linear(400, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()],
    }[kind]
    return nn.Sequential(*first, nn.Linear(128, NUM_ACTIONS + 1))


class Turn(nn.Module):
    """(B, H, W, C) -> (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2)


# Time to score


class Scores(BaseCallback):
    """Notes when the mean return of the last hundred episodes passes each target, and ends training after the last."""

    def __init__(self, targets: list[float], limit: float) -> None:
        super().__init__()
        self.targets, self.limit = targets, limit
        self.passed: dict[str, dict[str, float]] = {}
        self.mean = self.seconds = self.began = 0.0

    def _on_training_start(self) -> None:
        self.began = time.perf_counter()

    def _on_step(self) -> bool:
        now = time.perf_counter() - self.began
        if now - self.seconds < 0.2:
            return True
        self.seconds = now
        episodes = self.model.ep_info_buffer or ()
        if len(episodes) >= 100:
            self.note(self.model.num_timesteps, now, fmean(float(episode["r"]) for episode in islice(episodes, 100)))
        return not self.over

    def note(self, steps: int, seconds: float, mean: float) -> None:
        self.mean, self.seconds = mean, seconds
        for target in self.targets:
            if mean >= target:
                self.passed.setdefault(f"{target:g}", {"seconds": seconds, "steps": steps})

    @property
    def over(self) -> bool:
        return len(self.passed) == len(self.targets) or self.seconds > self.limit


def score(
    candidate: dict[str, Any], seed: int, device: str, threads: int, targets: list[float], limit: float
) -> dict[str, Any]:
    """Train a candidate until it is good enough, or time is up."""
    scores = Scores(targets, limit)
    if candidate["who"] == "jax":
        from jax_ppo import learning_curve

        steps, settings = 0, Settings(*candidate["settings"])
        for steps, seconds, mean in learning_curve(settings, seed, candidate["total_timesteps"]):
            scores.note(steps, seconds, mean)
            if scores.over:
                break
    else:
        agent, total = candidate_agent(candidate, seed, device)
        agent.learn(total, callback=scores)
        steps = agent.num_timesteps
    return {"passed": scores.passed, "seconds": scores.seconds, "steps": steps, "mean": scores.mean}


def candidate_agent(candidate: dict[str, Any], seed: int, device: str) -> tuple[Any, int]:
    """The agent, and for how many steps it trains at the most."""
    algo, total, changes = candidate.get("algo", "ppo"), candidate.get("total_timesteps"), candidate.get("changes", {})
    if candidate["who"] == "recipe":
        return recipe_agent(seed, device, algo, total, candidate.get("time_limit"), changes)
    family, settings = FAMILIES[algo], candidate["settings"]
    assert total is not None and family.tuned is not None
    return family.tuned(seed, device, settings and family.settings(*settings), **changes), total


def main() -> None:
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    family = FAMILIES[arguments.pop("algo", "ppo")]
    if "settings" in arguments:
        arguments["settings"] = family.settings(*arguments["settings"])
    if "side" in arguments:
        arguments["side"] = family.sides[arguments["side"]]
    jobs: dict[str, Callable[..., Any]] = {"speed": speed, "breakdown": breakdown, "bare": bare, "score": score}
    if name not in jobs:
        from training_gpu import JOBS

        jobs = JOBS
    torch.set_num_threads(arguments["threads"])
    with redirect_stdout(sys.stderr):  # what libraries print
        result = jobs[name](**arguments)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
