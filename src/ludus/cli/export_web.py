"""Web pages of games and of agents: `ludus export --format web`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..envs import OptionError, Options, find_game
from ..web.site import Exhibit, exhibit, exhibit_of_agent, write_page, write_site
from .interrupts import import_agents
from .named import is_of_zoo
from .out_file import NotWritten
from .players import agent_in, is_bot
from .terminal import say


def write_pages(names: Sequence[Path], out: Path, options: Options, agents: bool, single_file: bool) -> str:
    """Write the pages of games and agents; returns what to tell the user.

    Args:
        names: games, or agents' folders.
        out: a folder or, of a `single_file`, a file.
        options: of the games; what is not given is as the agent knows it.
        agents: take the zoo's agents along.

    Raises:
        OptionError, UnknownGame, CheckpointError, GameError: one line for what cannot be a page.
        NotWritten: the disk is full, or the like.
    """
    check_out(names, out, single_file)
    shown = [exhibit_of(name, options, agents) for name in names]
    games = [one.game.facts["name"] for one in shown]
    for name in games:
        if games.count(name) > 1:
            raise OptionError(f"{name} is there twice: a site has one page for each game")
    try:
        if single_file:
            write_page(out, shown[0])
            return f"{out}: open it in a browser"
        write_site(out, shown)
    except OSError as error:
        raise NotWritten(f"cannot write {out}: {error.strerror}") from error
    return f"saved in {out}. To see it: python -m http.server --directory {out}"


def check_out(names: Sequence[Path], out: Path, single_file: bool) -> None:
    """Raise OptionError for a name that is not one of a folder or, of a single file, not one of a page."""
    if not single_file:
        if out.exists() and not out.is_dir():
            raise OptionError(f"--out {out} is a file: name a folder, or give --single-file for one page")
        return
    if len(names) > 1:
        raise OptionError(f"--single-file is for one game, got {len(names)}: leave it out for a site of several")
    if out.suffix != ".html" or out.is_dir():
        raise OptionError(f"--out must be a file that ends in .html for --single-file, got {str(out)!r}")


def exhibit_of(name: Path, options: Options, agents: bool) -> Exhibit:
    """A game, with its agent if there is one that a page can run."""
    if is_bot(name):
        game = str(name).rpartition(":")[0]
        raise OptionError(f"{name} is a simple player, whom every page has: give {game}, the game")
    if not is_of_zoo(name):
        return exhibit_in(name, options)
    game = find_game(str(name))
    if agents and zoo_has(game.name):
        try:
            return exhibit_in(name, options)
        except OptionError as error:
            say(f"{game.name}: without the zoo's agent; {error}")
    return exhibit(game, Options.of(game, vars(options)))


def zoo_has(game: str) -> bool:
    """Whether the zoo has an agent for a game."""
    import_agents()
    from ..zoo.cards import agent_names

    return game in agent_names()


def exhibit_in(name: Path, options: Options) -> Exhibit:
    """An agent with its game, as it learned it but for options that are given."""
    given = {option: value for option, value in vars(options).items() if value != getattr(Options(), option)}
    agent = agent_in(name)
    if "game" not in agent.environment:
        raise OptionError(f"the agent in {name} plays no game of Ludus: only those become pages")
    return exhibit_of_agent(agent, find_game(agent.environment["game"]), given)
