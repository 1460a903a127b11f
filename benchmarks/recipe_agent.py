"""What `ludus train GAME` begins with, on one thread, as benchmarks measure it."""

from __future__ import annotations

import dataclasses
from typing import Any

from ludus.cli import train
from ludus.cli.making import make_agent, make_env


def agent_by_recipe(game: str, algo: str | None = None, num_threads: int = 1, **about: Any) -> tuple[Any, Any]:
    """The config by the zoo's recipe for a game, and the agent that it makes.

    Args:
        algo: None: that of the recipe.
        about: what is other than in the recipe: settings of the algorithm, and of `ludus train`, such as seed and time_limit.
    """
    config = train.from_recipe(game, algo, device="cpu", tensorboard=False)
    own = {field.name for field in dataclasses.fields(config)}
    for name in own & about.keys():
        setattr(config, name, about[name])
    settings = {name: value for name, value in about.items() if name not in own}
    config.settings = dataclasses.replace(config.settings, num_threads=num_threads, **settings)
    return config, make_agent(config, make_env(config), None)
