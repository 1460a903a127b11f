"""For every game a recipe, the protocol and the settings that learn well under it, and a trained agent."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

if not __package__ or "." not in __package__:
    raise ImportError("this folder is the package ludus.zoo: install Ludus (pip install .) and import ludus.zoo")

__all__ = ["load_agent", "recipe", "recipe_file", "recipe_names"]


def recipe_names() -> list[str]:
    """The names of the games that have a recipe."""
    names = [path.name for path in files("ludus.zoo.recipes").iterdir()]
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def recipe_file(game: str) -> Any:
    """The file of a game's recipe, of `importlib.resources`, or None if it has none."""
    return files("ludus.zoo.recipes").joinpath(f"{game}.json") if game in recipe_names() else None


def recipe(game: str) -> dict[str, Any]:
    """The recipe of a game: `about`, `options` (see `ludus.envs.Options`), `algo`, the algorithm that did best, with its
    `total_timesteps`, and settings of `ludus train` by algorithm, `ppo`, `dqn` and `pqn`, where they are not the defaults.

    Raises:
        OptionError: there is none.
    """
    from ..envs import OptionError

    file = recipe_file(game)
    if file is None:
        raise OptionError(f"there is no recipe for {game}; there are some for {', '.join(recipe_names())}")
    return json.loads(file.read_text())


def load_agent(game: str, device: str = "cpu") -> Any:
    """The trained agent of a game, as `ludus.agents.load_agent` returns one.

        agent = ludus.zoo.load_agent("Breakout")
        actions, _ = agent.predict(observations, deterministic=True)

    In a game that tells which actions are legal, `predict` is to be told them, or the agent plays far below what it can:

        masks = np.stack(env.env_method("action_masks"))  # of ludus.make_sb3, (N, A) bool
        actions, _ = agent.predict(observations, deterministic=True, action_masks=masks)

    Raises:
        UnknownGame, OptionError: there is no such game, or no agent for it.
        CheckpointError: its files are not as they were made.
    """
    from ..agents import load_agent as read
    from ..envs import OptionError, find_game
    from .cards import agent_folder, agent_names

    name = find_game(game).name
    folder = agent_folder(name)
    if folder is None:
        raise OptionError(f"the zoo has no agent for {name}; it has some for {', '.join(agent_names())}")
    return read(folder, device=device)
