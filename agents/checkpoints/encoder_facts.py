"""What a file says of a pretrained encoder, checked: of an encoder's own, and of an agent's that has one."""

from __future__ import annotations

from typing import Any

from ..files.checks import full, number, one_of, optional, several, table, width, yes_or_no
from ..files.safe_io import short
from ..nn.pretrained import TEXT, Pretrained
from ..nn.text import TextConfig
from ..nn.vision import ACTIVATIONS, BODIES, NORMS, EncoderConfig

MAX_SIDE = 4096  # of pictures and grids
MAX_LENGTH = 65_536  # tokens of a text
MAX_NAMES = 10_000  # planes, actions or classes
MAX_NAME = 1000  # characters


def anything(name: str, value: Any) -> str:
    """A check for words of a vocabulary and names of planes and classes, which whoever made the data has chosen."""
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise ValueError(f"{name} must be words of at most {MAX_NAME} characters, got {short(repr(value))}")
    return value


def is_text(config: Any) -> bool:
    """Whether a file's config is that of an encoder of texts."""
    return isinstance(config, dict) and config.get("kind") == TEXT


side = number(int, 1, MAX_SIDE)
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
TEXT_CONFIG = full(
    {
        "kind": one_of([TEXT]),
        "words": several(anything, 1_000_000),
        "length": number(int, 1, MAX_LENGTH),
        "channels": width,
        "dropout": number(float, 0, 1),
        "width": width,
    }
)
NAMES = several(anything, MAX_NAMES)
PARTS = {
    "config": lambda name, value: (TEXT_CONFIG if is_text(value) else CONFIG)(name, value),
    "planes": NAMES, "actions": NAMES, "classes": NAMES, "several": yes_or_no,
}  # fmt: skip
FACTS = table(PARTS, needed=("config", "planes", "actions"))


def read_pretrained(name: str, facts: Any) -> Pretrained:
    """An encoder without its weights, from what `Pretrained.facts` said; raises ValueError."""
    found = FACTS(name, facts)
    config, planes, actions = found["config"], found["planes"], found["actions"]
    classes = found.get("classes", [])
    if sum(map(bool, (planes, actions, classes))) > 1:
        raise ValueError("of planes, actions and classes there may be one")
    rest: dict[str, Any] = {"classes": tuple(classes), "several": found.get("several", False)}
    if config["kind"] == TEXT:
        if planes or actions:
            raise ValueError("an encoder of texts tells no planes and chooses no actions")
        named = {name: value for name, value in config.items() if name != "kind"}
        return Pretrained(TextConfig(**{**named, "words": tuple(config["words"])}), **rest)
    for part, count in (("shape", 3), ("grid", 2)):
        if config.get(part) is not None:
            if len(config[part]) != count:
                raise ValueError(f"{part} must be {count} numbers, got {config[part]}")
            config[part] = tuple(config[part])
    return Pretrained(EncoderConfig(**config), tuple(planes), tuple(actions), **rest)
