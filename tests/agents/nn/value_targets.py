"""Random inputs of targets of distributions."""

import numpy as np
import torch
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32 - 1)


def some_target(seed, batch=4, choices=3, atoms=7):
    """Returns (B,), the target network's numbers (B, A, Z), a policy (B, A) and what each action brings beside (B, A)."""
    rng = np.random.default_rng(seed)
    policy = rng.dirichlet(np.ones(choices), batch)
    arrays = rng.normal(size=batch), rng.normal(size=(batch, choices, atoms)), policy, rng.normal(size=(batch, choices))
    return [torch.tensor(x, dtype=torch.float32) for x in arrays]
