"""Single measurements of pretraining, each in a process of its own on one core; see `processes`.

All times are process time, what collecting the data took included.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from ludus.agents.pretraining.methods.planes import visible_planes
from ludus.agents.pretraining.play import collect_frames
from ludus.agents.pretraining.pretrain import pretrain


def planes(game: str, seed: int, seconds: float, frames: int, shuffle: float, **training: Any) -> dict[str, Any]:
    """F1 of a decoder of planes on pictures never seen, after so many seconds, data included."""
    torch.set_num_threads(1)
    began = time.process_time()
    data = collect_frames(game, frames, shuffle=shuffle, seed=seed)
    collected = time.process_time() - began
    result = pretrain(data, "planes", time_limit=seconds - collected, seed=seed, clock=time.process_time, **training)
    counts = result.method.counts("test")
    visible = visible_planes(data)
    names = np.array(data.plane_names)
    return {
        "seconds": collected + result.history.seconds[-1],
        "collecting": collected,
        "pictures": len(data),
        "test": len(data.rows("test")),
        "f1": float(np.nanmean(counts.f1[visible])),
        "planes": dict(zip(names[visible].tolist(), counts.f1[visible].tolist(), strict=True)),
        "not shown": names[~visible].tolist(),
    }
