"""How agents show themselves in notebooks."""

from __future__ import annotations

from typing import Any

from stable_baselines3.common.utils import LinearSchedule

from ...envs.engine.game_html import picture_of
from ...envs.notebook import facts_html, or_nothing
from ..checkpoints.env_spec import title_of
from ..checkpoints.manifest import innermost
from ..files.config import arguments_of
from .progress_bar import clock, quantity

# Options that are not about what is learned.
UNSHOWN = ("verbose", "tensorboard_log", "stats_window_size", "num_threads")


@or_nothing
def agent_html(agent: Any) -> str:
    """An `Agent` as HTML; nothing changes there.

    None, without an error, where that cannot be made, so that notebooks show text.
    """
    sim = agent.simulator
    picture, note = (None, "") if sim is None else picture_of(sim)
    rows = {
        "network": network_in_words(agent),
        "trained": training_in_words(agent),
        "return": returns_in_words(agent),
        "games": f"{agent.n_envs:,} on {agent.device}",
        "options": options_in_words(agent),
    }
    return facts_html(type(agent).__name__, f"plays {title_of(agent.environment)}", "", rows, picture, note)


def network_in_words(agent: Any) -> str:
    """Such as `cnn, 135 k parameters, compiled loops`."""
    count = sum(parameter.numel() for parameter in agent.policy.parameters())
    computed = getattr(agent.network, "why", "")
    return ", ".join(filter(None, (agent.policy_name, f"{quantity(count)} parameters", computed)))


def training_in_words(agent: Any) -> str:
    """Timesteps, and minutes and seconds."""
    if not agent.num_timesteps:
        return "not yet"
    return f"{quantity(agent.num_timesteps)} timesteps in {clock(agent.elapsed())}"


def returns_in_words(agent: Any) -> str:
    """The mean over the last episodes, while exploring; nothing before there are some."""
    returns = [episode["r"] for episode in agent.ep_info_buffer or ()]
    return f"{sum(returns) / len(returns):.2f}, mean of the last {len(returns)} episodes of training" if returns else ""


def options_in_words(agent: Any) -> str:
    """The learning rate, and options that are not the constructor's defaults."""
    options = arguments_of(agent.config)
    found = {
        name: innermost(agent.setting(name)) for name, one in options.items() if one.recorded and name not in UNSHOWN
    }
    usual = {name: option.default for name, option in options.items()} | {"learning_rate": None}
    told = {name: value for name, value in found.items() if value != usual[name] and value != {}}
    told |= {f"policy_kwargs[{name!r}]": value for name, value in agent.policy_kwargs.items()}
    return ", ".join(f"{name}={in_short(value)}" for name, value in told.items())


def in_short(value: Any) -> str:
    """A setting's value in words."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, LinearSchedule):
        return f"{value.start:g} to {value.end:g}"
    return getattr(value, "__name__", "a function" if callable(value) else str(value))
