"""Who plays: an agent from its folder, or a bot, as the command line names them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..envs import Bot, Game, Match, OptionError, Simulator, UnknownGame, find_game
from ..envs.arguments import whole
from ..envs.bots import BOTS, at_seat, is_bot_kind
from ..envs.engine.tree_search import MOST_SIMULATIONS
from .interrupts import import_agents
from .named import place_of, simple_players

SEARCHING = re.compile(r"(.+):search-(\d+)")


def is_bot(who: str | Path) -> bool:
    """Whether that is a game and a bot, as in "Snake:heuristic"."""
    name, _, kind = str(who).rpartition(":")
    return bool(name) and is_bot_kind(kind)


def with_search(who: str) -> tuple[str, int]:
    """An agent's folder and its simulations before each move, as in "runs/four:search-200"; 0: it does not search."""
    match = None if Path(who).exists() else SEARCHING.fullmatch(who)
    return (match[1], int(match[2])) if match else (who, 0)


def to_play(name: str) -> Game:
    """The game of that name; raises OptionError for an environment of Gymnasium's."""
    try:
        return find_game(name)
    except UnknownGame:
        import gymnasium

        if name in gymnasium.registry:
            raise OptionError(
                f"{name} is a Gymnasium environment: only Ludus's games can be played and shown"
            ) from None
        raise


def seats(
    who: str | Path,
    against: str | None,
    seed: int | None,
    num_envs: int | None = None,
    search: int = 0,
    **changes: Any,
) -> tuple[Any, Simulator]:
    """Who decides in one game, or in `num_envs`, and the game.

    Episodes of one game wait for a reset when they end, those of several start again.

    Args:
        who: the folder of an agent, or a game and a bot, as in "Snake:heuristic"; in a game for several, it has all seats
            but those of `against`.
        against: who has all seats but the first, a folder or a bot's name; None: `who` has them too.
        seed: of the games and of drawing actions; None: a new one every time.
        search: simulations of an agent's search before each of its moves; 0: it does not search.
        **changes: options of the game, in place of those an agent was trained with.
    """
    if is_bot(who):
        check_search(who, search)
        name, _, kind = str(who).rpartition(":")
        sim = make(find_game(name), seed, num_envs, changes)
        first: Any = Bot(sim, kind, seed or 0)
    else:
        agent, sim = load(Path(who), seed, num_envs, **changes)
        first = seated(agent, sim, search, seed or 0)
    if against is None:
        return first, sim
    if sim.num_players == 1:
        raise OptionError(f"{sim.game.name} is for one player: leave --against out")
    return at_seat(sim, first, 0, lambda seat: opponent(against, sim, (seed or 0) + seat)), sim


def opponent(who: str, sim: Simulator, seed: int, search: int = 0) -> Any:
    """A player for a simulator that is there already: a bot's name, or an agent's folder."""
    if is_bot_kind(who):
        check_search(who, search)
        return Bot(sim, who, seed)
    near = [] if Path(who).exists() else difflib.get_close_matches(who, (*BOTS, "search-4"), 1)
    if near:
        raise OptionError(f"there is no opponent {who!r}: did you mean {near[0]}?")
    agent, known = load(Path(who), seed, None)
    if known.game is not sim.game:
        raise OptionError(f"the agent in {who} plays {known.game.name}, not {sim.game.name}")
    return seated(agent, sim, search, seed)


def check_search(bot: str | Path, search: int) -> None:
    """Raise OptionError where a bot is asked to search."""
    if search:
        raise OptionError(f"--search is for agents, whose networks guide it: leave it out for {bot}, or take search-4")


def seated(agent: Any, sim: Simulator, search: int = 0, seed: int = 0) -> Any:
    """A player of the simulator's games: a bot is one already, an agent needs to look, to remember and, maybe, to search."""
    if isinstance(agent, (Bot, Match)):
        return agent
    return player_maker(search, seed)(agent, sim)


def player_maker(search: int, seed: int) -> Callable[[Any, Simulator], Any]:
    """What makes players of an agent and its games, with so many simulations before each move."""
    from ..agents.training.evaluation import Player
    from ..agents.training.search import Search

    simulations = whole("search", search, 0, MOST_SIMULATIONS)
    return partial(Search, simulations=simulations, seed=seed) if simulations else Player


def make(game: Game, seed: int | None, num_envs: int | None, options: dict[str, Any]) -> Simulator:
    if num_envs is None:
        return Simulator(game, seed=seed, autoreset="disabled", **options)
    return Simulator(game, num_envs, seed=seed, **options)


def agent_in(folder: Path, device: str = "cpu") -> Any:
    """The agent in a folder, or the zoo's for a game; raises OptionError with what was meant, if that was a bot."""
    import_agents()
    from ..agents import load_agent
    from .making import is_game

    name, _, kind = str(folder).rpartition(":")
    if not folder.exists() and is_game(name):
        raise OptionError(f"there is no bot {kind!r}: give {' or '.join(simple_players(name))}")
    return load_agent(place_of(folder), device=device)


def load(folder: Path, seed: int | None, num_envs: int | None, **changes: Any) -> tuple[Any, Simulator]:
    """The agent in `folder`, and one game of the kind it plays or several."""
    from ..agents.checkpoints.env_spec import make_environment

    agent = agent_in(folder)
    if "game" not in agent.environment:
        name = agent.environment.get("gymnasium", "something else")
        raise OptionError(
            f"this needs an agent that plays a game of Ludus; the one in {folder} plays {name}: only "
            "Ludus's games can be shown"
        )
    if seed is not None:
        agent.set_random_seed(seed)
    known = make_environment(agent.environment).simulator
    return agent, make(known.game, seed, num_envs, {**vars(known.options), **changes})
