"""Single measurements of pretraining, each in a process of its own on one core; see `processes`.

python -m pretraining.jobs planes '{"game": "Asterix", "seed": 0, "seconds": 60, ...}'      # in the folder above
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import torch
from pretraining.agents import SHUFFLED, agents
from pretraining.shifts import levels, looks, scarce
from processes import answer

from ludus.agents.pretraining.methods.planes import visible_planes
from ludus.agents.pretraining.play import collect_frames
from ludus.agents.pretraining.probes import probe_table
from ludus.agents.pretraining.run import pretrain

TRAINING = 0.94  # of the time; the rest is for the look at pictures never seen


def planes(game: str, seed: int, seconds: float, frames: int, shuffle: float, **_: Any) -> dict[str, Any]:
    """F1 of a decoder of planes on pictures never seen, after so many seconds, data included."""
    torch.set_num_threads(1)
    began = time.process_time()
    data = collect_frames(game, frames, shuffle=shuffle, seed=seed)
    result = pretrain(
        data, "planes", seed=seed, clock=time.process_time,
        time_limit=TRAINING * seconds - (time.process_time() - began),
    )  # fmt: skip
    spent = time.process_time() - began
    f1, shown = result.method.counts("test").f1, visible_planes(data)  # type: ignore[attr-defined]
    single = {name: float(x) for name, x, seen in zip(data.plane_names, f1, shown, strict=True) if seen and x == x}
    hidden = [name for name, seen in zip(data.plane_names, shown, strict=True) if not seen]
    mean = result.figures["f1"]
    return {
        "seconds": spent, "pictures": len(data), "test": len(data.rows("test")), "f1": mean, "planes": single,
        "not shown": hidden, "steps": result.history.steps[-1], "told": f"F1 {mean:.4f} in {spent:.0f} s",
    }  # fmt: skip


def probes(game: str, seed: int, seconds: float, method: str, **_: Any) -> dict[str, Any]:
    """What a linear classifier can tell of planes from the embeddings of an encoder trained without labels."""
    torch.set_num_threads(1)
    began = time.process_time()
    data = collect_frames(game, 40_000, shuffle=SHUFFLED.get(game, 0.0), seed=seed)
    result = pretrain(
        data, method, "nature", seed=seed, clock=time.process_time,
        time_limit=seconds - (time.process_time() - began),
    )  # fmt: skip
    spent = time.process_time() - began
    scores = probe_table(data, {method: result.method.encoder}, targets=("planes",), seed=seed)
    best = {score.encoder: score.f1 for score in scores if score.layer == "map" and score.labels == 6000}
    told = ", ".join(f"{name} {f1:.3f}" for name, f1 in best.items())
    return {"spent": spent, "scores": [asdict(score) for score in scores], "told": f"map, 6,000 labels: {told}"}


if __name__ == "__main__":
    answer({"planes": planes, "probes": probes, "agents": agents, "scarce": scarce, "looks": looks, "levels": levels})
