"""What a file says of a pretrained encoder, checked: of an encoder's own, and of an agent's that has one."""

from __future__ import annotations

from typing import Any

from ..files.checks import full, number, one_of, optional, several, table, text, width
from ..nn.pretrained import Pretrained
from ..nn.vision import ACTIVATIONS, BODIES, NORMS, EncoderConfig

side = number(int, 1, 4096)
CONFIG = table(
    {
        "kind": one_of(list(BODIES)),
        "shape": several(side, 3),
        "grid": optional(several(side, 2)),
        "channels": optional(width),
        "depth": number(int, 0, 64),
        "activation": one_of(list(ACTIVATIONS)),
        "norm": one_of(list(NORMS)),
        "dropout": number(float, 0, 1),
        "width": width,
    },
    needed=("kind", "shape"),
)
NAMES = several(text, 256)
FACTS = full({"config": CONFIG, "planes": NAMES, "actions": NAMES})


def read_pretrained(name: str, facts: Any) -> Pretrained:
    """An encoder without its weights, from what `Pretrained.facts` said; raises ValueError."""
    found = FACTS(name, facts)
    config, planes, actions = found["config"], found["planes"], found["actions"]
    for part, count in (("shape", 3), ("grid", 2)):
        if config.get(part) is not None:
            if len(config[part]) != count:
                raise ValueError(f"{part} must be {count} numbers, got {config[part]}")
            config[part] = tuple(config[part])
    if any(one is None for one in (*planes, *actions)) or (planes and actions):
        raise ValueError("planes or actions must be names, and not both are there")
    return Pretrained(EncoderConfig(**config), tuple(planes), tuple(actions))
