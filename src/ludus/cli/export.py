"""`ludus export`: an agent in another format, or games and agents as web pages."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..envs import OptionError, Options
from .arguments import parse
from .export_web import ALL, write_pages
from .interrupts import import_agents
from .named import place_of
from .terminal import next_command, say


@dataclass
class Config:
    """Write an agent in another format: for Stable-Baselines3 (sb3), from its zip file as an agent of Ludus (ludus), or for
    web pages (web), in which games are played and agents watched."""

    agent: tuple[Path, ...]
    """The folder that `ludus train` wrote, or a game, for the zoo's agent; for --format ludus, a zip file that this or
    Stable-Baselines3's PPO wrote; for --format web, one or several games or folders, or all, which is every game of Ludus."""
    out: Path
    """For sb3 the file to write, agent.zip; for ludus and web the folder; for web with --single-file a file, game.html."""
    format: str = "sb3"
    """sb3: a zip that Stable-Baselines3's PPO or DQN loads without Ludus. ludus: a folder, from a zip of its PPO. web: pages
    for any web server."""
    single_file: bool = False
    """For --format web: one game as one HTML file, which opens from disk."""
    agents: bool = True
    """For --format web: take the zoo's agents of games along, where there are any."""
    env: str | None = None
    """For --format ludus: the game, or Gymnasium id, that the agent plays, where the zip does not say."""
    force: bool = False
    """Replace what is there."""
    options: Options = field(default_factory=Options)


def main(argv: list[str]) -> int:
    config = parse(Config, argv, "export")
    if config.format not in FORMATS:
        raise OptionError(f"unknown format {config.format!r}: choose from {', '.join(FORMATS)}")
    if config.format != "web":
        check_single(config)
    taken = any(config.out.iterdir()) if config.out.is_dir() else config.out.exists()
    if taken and not config.force:
        raise OptionError(f"--out {config.out} exists: give another name, or --force")
    say(FORMATS[config.format](config))
    return 0


def check_single(config: Config) -> None:
    """Raise OptionError for what formats other than web do not take."""
    if ALL in config.agent:
        raise OptionError("all is every game as web pages: give --format web")
    if len(config.agent) > 1:
        raise OptionError(f"--format {config.format} takes one agent, got {len(config.agent)}")
    for flag in ["--single-file"] * config.single_file + ["--no-agents"] * (not config.agents):
        raise OptionError(f"{flag} is for --format web: leave it out")
    if config.env is None and config.options != Options():
        raise OptionError("options of a game need --env, the game that they are for")


def to_web(config: Config) -> str:
    """Write web pages; returns what to tell the user."""
    if config.env is not None:
        raise OptionError("--env is for --format ludus: name the games themselves")
    return write_pages(config.agent, config.out, config.options, config.agents, config.single_file)


def to_sb3(config: Config) -> str:
    """Write Stable-Baselines3's zip; returns what to tell the user."""
    if config.env is not None:
        raise OptionError("--env is for --format ludus: an agent of Ludus knows what it plays")
    if config.out.suffix != ".zip" or config.out.is_dir():
        raise OptionError(f"--out must be a file that ends in .zip, got {str(config.out)!r}")
    import_agents()
    from ..agents import load_agent
    from ..agents.training.sb3_export import export_zip, stable_policy

    agent = load_agent(place_of(config.agent[0]), device="cpu")
    export_zip(agent, config.out)
    python = "" if stable_policy(agent) else f", in Python {sys.version_info.major}.{sys.version_info.minor}"
    kind = "DQN" if agent.acts_on_values else "PPO"
    return f"{config.out}: load it with stable_baselines3.{kind}.load({str(config.out)!r}){python}"


def from_sb3(config: Config) -> str:
    """Write a folder from Stable-Baselines3's zip; returns what to tell the user."""
    import_agents()
    from ..agents import agent_class, load_agent
    from ..agents.checkpoints.sb3_zip import import_zip
    from ..agents.files.archive import is_archive

    own = is_archive(config.agent[0])  # which knows what it plays
    if config.env is None and not own:
        raise OptionError("--format ludus needs --env, the game that the agent plays")
    env = None if config.env is None else games_for(config)
    agent = (
        load_agent(config.agent[0], env, "cpu") if own else import_zip(config.agent[0], env, "cpu", agent_class("ppo"))
    )
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


FORMATS: dict[str, Callable[[Config], str]] = {"sb3": to_sb3, "ludus": from_sb3, "web": to_web}
