"""Measurements of training, each started by `measure.py` in a process of its own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from environments import calibrate, rate_of, simulator_player
from processes import answer
from stable_baselines3.common.callbacks import BaseCallback
from torch import Tensor, nn
from training.families import FAMILIES
from training.ppo_peers import GAME, PROTOCOL, WARM_UP, Settings, Side, make_agent, parameters_of

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
    """Measures whole iterations after a warm-up, and ends training after so many seconds of them.

    Args:
        seconds: to measure, at least.
        warm_up, updates: iterations and gradient steps that come before.
        begin, end: called when the measurement begins and ends.
    """

    def __init__(
        self,
        seconds: float,
        warm_up: int,
        updates: int = 0,
        begin: Callable[[], None] = lambda: None,
        end: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.seconds, self.warm_up, self.updates, self.begin, self.end = seconds, warm_up, updates, begin, end
        self.iterations = 0
        self.first: Mark | None = None
        self.result: dict[str, float] = {}

    def _on_rollout_start(self) -> None:
        self.iterations += 1
        if self.iterations <= self.warm_up or self.model._n_updates < self.updates or self.result:
            return
        if self.first is None:
            self.first = self.mark()
            self.begin()
        elif time.perf_counter() - self.first.wall >= self.seconds:
            self.result = self.mark().since(self.first)
            self.end()

    def mark(self) -> Mark:
        return Mark.now(self.model.num_timesteps, self.model._n_updates)

    def _on_step(self) -> bool:
        return not self.result


def speed(side: Side, settings: Any, device: str, threads: int, seconds: float) -> dict[str, float]:
    """How many steps a side learns from in what time."""
    if side.agent is None:
        from training.jax_ppo import speed as speed_of_jax

        return speed_of_jax(settings, seconds)
    agent, meter = make_agent(side, settings, device, threads), Meter(seconds, settings.warm_up)
    agent.learn(ENDLESS, callback=meter)
    return {**meter.result, "parameters": parameters_of(agent)}


def command_line(algo: str, device: str, threads: int, seconds: float) -> dict[str, float]:
    """The same of `ludus train Breakout --algo ...` with its defaults, checkpoints included; few actions are random."""
    import ludus
    from ludus.__main__ import main as run_ludus

    agent_class, meter = getattr(ludus, algo.upper()), Meter(seconds, 2, updates=50)
    learn = agent_class.learn

    def metered(self: Any, total_timesteps: int, callback: Any = None, **more: Any) -> Any:
        callbacks = callback if isinstance(callback, list) else [] if callback is None else [callback]
        return learn(self, total_timesteps, [*callbacks, meter], **more)

    agent_class.learn = metered
    flags = ["--exploration-initial-eps", "0.05", "--exploration-final-eps", "0.05"] if algo != "ppo" else []
    with tempfile.TemporaryDirectory() as folder:
        run_ludus(
            ["train", GAME, "--algo", algo, "--device", device, "--num-threads", str(threads), "--out", f"{folder}/run",
             "--no-tensorboard", "--total-timesteps", str(ENDLESS), *flags]
        )  # fmt: skip
    return meter.result


def breakdown(side: Side, settings: Settings, device: str, threads: int, seconds: float) -> dict[str, Any]:
    """Seconds of an iteration of ours, by part; `games alone` is as many steps of random play."""
    agent = make_agent(side, settings, device, threads)
    spent = {"collect_rollouts": 0.0, "train": 0.0}
    found: dict[str, float] = {}

    def timed(name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        result = method(*args, **kwargs)
        spent[name] += time.perf_counter() - began
        return result

    for name in spent:
        setattr(agent, name, partial(timed, name, getattr(agent, name)))
    begin, end = partial(spent.update, spent.copy()), lambda: found.update(spent)
    meter = Meter(seconds, settings.warm_up, begin=begin, end=end)
    agent.learn(ENDLESS, callback=meter)
    iterations = meter.result["steps"] / settings.steps
    rollout, update = (found[name] / iterations for name in ("collect_rollouts", "train"))
    games = simulator_player(GAME, settings.num_envs, threads, **PROTOCOL)
    alone = settings.steps / rate_of(games, calibrate(games, seconds / 4)).wall
    other = meter.result["seconds"] / iterations - rollout - update
    parts = {"rollout": rollout, "update": update, "other": other, "games alone": alone}
    return {"parts": parts, "precision": agent.precision}


def bare(settings: Settings, device: str, threads: int, precision: str, seconds: float) -> dict[str, float]:
    """The same arithmetic and nothing else: forward passes, rows gathered, gradients, Adam."""
    network = bare_network(settings.network).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-5, fused=True)
    obs = torch.randint(0, 2, (settings.n_steps, settings.num_envs, *PLANES), dtype=torch.uint8, device=device)
    targets = torch.randn(settings.steps, NUM_ACTIONS + 1, device=device)
    autocast = partial(torch.autocast, torch.device(device).type, torch.bfloat16, enabled=precision == "bf16")

    def iteration() -> None:
        with torch.no_grad(), autocast():
            for frame in obs:
                network(frame.float())
        for _ in range(settings.n_epochs):
            for rows in torch.randperm(settings.steps, device=device).split(settings.batch_size):
                with autocast():
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
        "cnn": [
            ChannelsFirst(),
            nn.Conv2d(PLANES[-1], 16, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(1024, 128),
            nn.ReLU(),
        ],
        "mlp": [nn.Flatten(), nn.Linear(400, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()],
    }[kind]
    return nn.Sequential(*first, nn.Linear(128, NUM_ACTIONS + 1))


class ChannelsFirst(nn.Module):
    """(B, H, W, C) -> (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2)


def of_family(job: Callable[..., Any], algo: str = "ppo", **arguments: Any) -> Any:
    """The job, whose settings and side are given as lists and names of an algorithm."""
    family = FAMILIES[algo]
    if "settings" in arguments:
        arguments["settings"] = family.settings(*arguments["settings"])
    if "side" in arguments:
        arguments["side"] = family.sides[arguments["side"]]
    return job(**arguments)


def main() -> None:
    from training.gpu_jobs import games, jax_backend, profile
    from training.score import score

    jobs = {job.__name__: partial(of_family, job) for job in (speed, breakdown, bare, profile)}
    answer({**jobs, "command_line": command_line, "score": score, "games": games, "jax_backend": jax_backend})


if __name__ == "__main__":
    main()
