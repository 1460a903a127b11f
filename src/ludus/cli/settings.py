"""The flags that `ludus train` has for each algorithm, made from the options of its config, and their defaults."""

from __future__ import annotations

from dataclasses import field, make_dataclass
from typing import Any

from ..agents.files.config import CONFIGS, options_of


def settings_of(name: str, config: Any) -> Any:
    """A dataclass of the options of a config that are flags, with the defaults of `ludus train`."""
    fields = [
        (
            option.name,
            option.type,
            field(default=option.train, metadata={"help": option.help, "choices": option.choices}),
        )
        for option in options_of(config)
        if option.flag
    ]
    namespace = {"__doc__": config.__doc__, "__reduce__": lambda self: (unpickled, (name, vars(self)))}
    return make_dataclass(f"{name.upper()}Settings", fields, namespace=namespace)


def unpickled(name: str, values: dict[str, Any]) -> Any:
    """The settings of an algorithm: pickles know no class by its name that was made of a config."""
    return SETTINGS[name](**values)


SETTINGS = {name: settings_of(name, config) for name, config in CONFIGS.items()}
GYMNASIUM = {name: SETTINGS[name](**config.gymnasium) for name, config in CONFIGS.items()}
SELF_PLAY = {name: SETTINGS[name](**config.self_play) for name, config in CONFIGS.items()}
PRESETS = {name: config.presets for name, config in CONFIGS.items() if config.presets}
