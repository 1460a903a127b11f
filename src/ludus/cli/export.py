"""`ludus export`: an agent in another format."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..envs import OptionError, Options
from .arguments import parse
from .interrupts import import_agents
from .named import place_of
from .terminal import next_command, say


@dataclass
class Config:
    """Write an agent in another format: for Stable-Baselines3 (sb3), or from its zip file as an agent of Ludus (ludus)."""

    agent: Path
    """The folder that `ludus train` wrote, or a game, for the zoo's agent; for --format ludus, a zip file that this or
    Stable-Baselines3's PPO wrote."""
    out: Path
    """For sb3 the file to write, agent.zip; for ludus the folder."""
    format: str = "sb3"
    """sb3: a zip that Stable-Baselines3's PPO or DQN loads without Ludus. ludus: a folder, from a zip of its PPO."""
    env: str | None = None
    """For --format ludus: the game, or Gymnasium id, that the agent plays, where the zip does not say."""
    force: bool = False
    """Replace what is there."""
    options: Options = field(default_factory=Options)


def main(argv: list[str]) -> int:
    config = parse(Config, argv, "export")
    if config.format not in FORMATS:
        raise OptionError(f"unknown format {config.format!r}: choose from {', '.join(FORMATS)}")
    if config.env is None and config.options != Options():
        raise OptionError("options of a game need --env, the game that they are for")
    taken = any(config.out.iterdir()) if config.out.is_dir() else config.out.exists()
    if taken and not config.force:
        raise OptionError(f"--out {config.out} exists: give another name, or --force")
    import_agents()
    say(FORMATS[config.format](config))
    return 0


def to_sb3(config: Config) -> str:
    """Write Stable-Baselines3's zip; returns what to tell the user."""
    if config.env is not None:
        raise OptionError("--env is for --format ludus: an agent of Ludus knows what it plays")
    if config.out.suffix != ".zip" or config.out.is_dir():
        raise OptionError(f"--out must be a file that ends in .zip, got {str(config.out)!r}")
    from ..agents import load_agent
    from ..agents.training.sb3_export import export_zip, stable_policy

    agent = load_agent(place_of(config.agent), device="cpu")
    export_zip(agent, config.out)
    python = "" if stable_policy(agent) else f", in Python {sys.version_info.major}.{sys.version_info.minor}"
    kind = "DQN" if agent.acts_on_values else "PPO"
    return f"{config.out}: load it with stable_baselines3.{kind}.load({str(config.out)!r}){python}"


def from_sb3(config: Config) -> str:
    """Write a folder from Stable-Baselines3's zip; returns what to tell the user."""
    from ..agents import agent_class, load_agent
    from ..agents.checkpoints.sb3_zip import import_zip
    from ..agents.files.archive import is_archive

    own = is_archive(config.agent)  # which knows what it plays
    if config.env is None and not own:
        raise OptionError("--format ludus needs --env, the game that the agent plays")
    env = None if config.env is None else games_for(config)
    agent = load_agent(config.agent, env, "cpu") if own else import_zip(config.agent, env, "cpu", agent_class("ppo"))
    agent.save(config.out)
    return f"saved in {config.out}. Next: {next_command('evaluate', config.out)}"


def games_for(config: Config) -> Any:
    """The environment that --env names, as an SB3 `VecEnv` of one."""
    from ..envs.adapters.sb3 import vec_env
    from .making import is_game, make_gymnasium

    name = str(config.env)
    if is_game(name):
        return vec_env(name, num_envs=1, seed=0, **vars(config.options))
    return make_gymnasium(name, 1, 0, config.options)


FORMATS: dict[str, Callable[[Config], str]] = {"sb3": to_sb3, "ludus": from_sb3}
