"""Time to score: seconds and steps of training until the mean return passes targets."""

from __future__ import annotations

import time
from itertools import islice
from statistics import fmean
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback
from training.families import FAMILIES
from training.ppo_peers import Settings, recipe_agent


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
        from training.jax_ppo import learning_curve

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
