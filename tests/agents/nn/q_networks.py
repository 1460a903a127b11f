"""Small Q networks and observations for them."""

import numpy as np
import torch
from gymnasium import spaces

from ludus.agents.nn.q_network import Q_POLICIES

PLANES = spaces.Box(0, 1, (5, 6, 3), np.uint8)
IMAGE = spaces.Box(0, 255, (3, 36, 36), np.uint8)
FLOATS = spaces.Box(-1, 1, (7,), np.float32)
DICTIONARY = spaces.Dict({"image": IMAGE, "place": FLOATS, "kind": spaces.Discrete(4)})
CHOICES = 4


def policy_of(name="mlp", space=PLANES, choices=CHOICES, **kwargs):
    torch.manual_seed(0)
    return Q_POLICIES[name](space, spaces.Discrete(choices), lambda _: 1e-3, **kwargs)


def network_of(name="mlp", space=PLANES, **kwargs):
    return policy_of(name, space, **kwargs).q_net


def observations(space, count=9, seed=0):
    space.seed(seed)
    samples = [space.sample() for _ in range(count)]
    if isinstance(space, spaces.Dict):
        return {name: torch.as_tensor(np.stack([sample[name] for sample in samples])) for name in space.spaces}
    return torch.as_tensor(np.stack(samples))
