"""What tuning tries: the options of an algorithm that have a `tune` in its config."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ...agents.files.config import CONFIGS, Layers, Range, options_of

if TYPE_CHECKING:
    from optuna import Trial

LAYERS, WIDTH = "layers", "width"  # what stands for net_arch


def space_of(algorithm: str, settings: Any, fixed: Collection[str] = ()) -> dict[str, Any]:
    """What is tried of each option, by name, widened where the settings to begin with are beyond it.

    Args:
        algorithm: such as "ppo".
        settings: a dataclass of the values of all options, the first trial.
        fixed: names of options that stay as they are.
    """
    options = [option for option in options_of(CONFIGS[algorithm]) if option.tune is not None]
    values = {o.name: getattr(settings, o.name) for o in options}
    if values.get("activation", "") is None:
        values["activation"] = "tanh"  # which that is, of layers
    space = {o.name: widened(o.tune, values[o.name]) for o in options if o.name not in fixed}
    return {name: tried for name, tried in space.items() if tried is not None}


def widened(tried: Any, value: Any) -> Any:
    """What is tried, this value included; None where it cannot be."""
    if isinstance(tried, tuple):
        return tried if value in tried else (*tried, value)
    if isinstance(tried, Range):
        if value is None or (tried.log and value <= 0):
            return None
        return dataclasses.replace(tried, low=min(tried.low, value), high=max(tried.high, value))
    if len(set(value or ())) > 1:
        return None  # layers of different widths
    counts, widths = {*tried.counts, len(value or ())}, {*tried.widths, *(value or ())}
    return Layers(tuple(sorted(counts)), tuple(sorted(widths)))


def suggested(trial: Trial, space: dict[str, Any], settings: Any) -> Any:
    """The settings of a trial: those to begin with, and what Optuna suggests of what is tried."""
    found: dict[str, Any] = {}
    for name, tried in space.items():
        whole = isinstance(getattr(settings, name), int)
        if name == "activation" and not found.get("net_arch", settings.net_arch):
            found[name] = None  # of no layers
        elif isinstance(tried, Layers):
            count = trial.suggest_categorical(LAYERS, tried.counts)
            found[name] = (trial.suggest_categorical(WIDTH, tried.widths),) * count if count else None
        elif isinstance(tried, tuple):
            found[name] = trial.suggest_categorical(name, tried)
        elif whole:
            found[name] = trial.suggest_int(name, int(tried.low), int(tried.high), log=tried.log)
        else:
            found[name] = rounded(trial.suggest_float(name, tried.low, tried.high, log=tried.log))
    return fitting(dataclasses.replace(settings, **found))


def parameters_of(space: dict[str, Any], settings: Any) -> dict[str, Any]:
    """What Optuna has to suggest for these settings."""
    values = {name: getattr(settings, name) for name in space}
    if "net_arch" in values:
        layers = values.pop("net_arch") or ()
        values |= {LAYERS: len(layers), **({WIDTH: layers[0]} if layers else {})}
    if values.get("activation", "") is None:
        values |= {"activation": "tanh"} if settings.net_arch else {}
    return {name: value for name, value in values.items() if name != "activation" or value is not None}


def rounded(value: float) -> float:
    """Two digits, which are enough to try and better to read."""
    return float(f"{value:.2g}")


def fitting(settings: Any) -> Any:
    """The settings with no minibatch larger than a rollout."""
    if "buffer_size" in vars(settings):
        return settings
    return dataclasses.replace(settings, batch_size=min(settings.batch_size, settings.n_steps * settings.num_envs))
