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
FACTS = full({"config": CONFIG, "planes": several(text, 256)})


def read_pretrained(name: str, facts: Any) -> Pretrained:
    """An encoder without its weights, from what `Pretrained.facts` said; raises ValueError."""
    found = FACTS(name, facts)
    config, planes = found["config"], found["planes"]
    for part, count in (("shape", 3), ("grid", 2)):
        if config.get(part) is not None:
            if len(config[part]) != count:
                raise ValueError(f"{part} must be {count} numbers, got {config[part]}")
            config[part] = tuple(config[part])
    if any(plane is None for plane in planes):
        raise ValueError("planes must be names")
    return Pretrained(EncoderConfig(**config), tuple(planes))
