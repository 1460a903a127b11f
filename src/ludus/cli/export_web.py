"""Web pages of games and of agents: `ludus export --format web`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..envs import Game, OptionError, Options, all_games, find_game
from ..envs.registry import is_own
from ..web.site import Exhibit, exhibit, exhibit_of_agent, options_for, write_page, write_site
from .interrupts import import_agents
from .named import is_of_zoo
from .out_file import NotWritten
from .players import agent_in, is_bot
from .terminal import console, quoted, say, shown

FEW = 6  # games, of which one line tells
ALL = Path("all")  # in place of names: every game of Ludus, the arcade


def write_pages(names: Sequence[Path], out: Path, options: Options, agents: bool, single_file: bool) -> str:
    """Write the pages of games and agents; returns what to tell the user.

    Args:
        names: games, or agents' folders; or `ALL` alone.
        out: a folder or, of a `single_file`, a file.
        options: of the games; what is not given is as the agent knows it.
        agents: take the zoo's agents along.

    Raises:
        OptionError, UnknownGame, CheckpointError, GameError: one line for what cannot be a page.
        NotWritten: the disk is full, or the like.
    """
    check_out(names, out, single_file)
    found = exhibits(names, options, agents)
    games = [one.game.facts["name"] for one in found]
    for name in games:
        if [other.lower() for other in games].count(name.lower()) > 1:  # which file systems may not tell apart
            raise OptionError(f"{name} is there twice: a site has one page for each game")
        if name.lower() == "index" and len(games) > 1:
            raise OptionError(f"{name} is the name of a site's first page: export the game {name} alone")
    try:
        if single_file:
            write_page(out, found[0])
            return f"{out}: open it in a browser"
        write_site(out, found)
    except OSError as error:
        raise NotWritten(f"cannot write {out}: {error.strerror}") from error
    return f"saved in {shown(str(out))}. To see it: python -m http.server --directory {quoted(out)}"


def check_out(names: Sequence[Path], out: Path, single_file: bool) -> None:
    """Raise OptionError for a name that is not one of a folder or, of a single file, not one of a page."""
    if ALL in names and len(names) > 1:
        raise OptionError("all is every game of Ludus: leave the other names out")
    if not single_file:
        if out.exists() and not out.is_dir():
            raise OptionError(f"--out {out} is a file: name a folder, or give --single-file for one page")
        return check_within(out)
    if len(names) > 1 or ALL in names:
        got = "all" if ALL in names else len(names)
        raise OptionError(f"--single-file is for one game, got {got}: leave it out for a site of several")
    if out.suffix != ".html" or out.is_dir():
        raise OptionError(f"--out must be a file that ends in .html for --single-file, got {str(out)!r}")
    check_within(out)


def check_within(out: Path) -> None:
    """Raise OptionError if what it is to be in is a file: known at once, not when everything is compiled."""
    if (within := next((place for place in out.parents if place.exists()), None)) and not within.is_dir():
        raise OptionError(f"--out {out} cannot be there: {within} is a file, not a folder")


def every_game(options: Options) -> list[Game]:
    """Ludus's own; raises OptionError before any is compiled if one does not take these options."""
    games = [game for game in all_games().values() if is_own(game)]
    for game in games:
        Options.of(game, vars(options))
    return games


def exhibits(names: Sequence[Path], options: Options, agents: bool) -> list[Exhibit]:
    """Compile games, and say which go without the zoo's agent, a line for each reason."""
    wanted = every_game(options) if ALL in names else names
    found: list[Exhibit] = []
    lacking: dict[str, list[str]] = {}  # by the reason
    with console(stderr=True).status("") as status:
        for one in wanted:
            name = one.name if isinstance(one, Game) else shown(str(one))
            status.update(f"{name}, {len(found) + 1} of {len(wanted)}")
            if len(wanted) > FEW and len(found) % FEW == 0 and not sys.stderr.isatty():  # where nobody sees the status
                print(f"{len(found)} of {len(wanted)} games", file=sys.stderr, flush=True)
            exhibited, reason = exhibit_of(one, options, agents)
            found.append(exhibited)
            if reason:
                lacking.setdefault(reason, []).append(name)
    for reason, games in lacking.items():
        say(f"{', '.join(games)}: without the zoo's agent; {reason}")
    return found


def exhibit_of(one: Path | Game, options: Options, agents: bool) -> tuple[Exhibit, str]:
    """A game with its agent if there is one that a page can run, and why it goes without one that there is."""
    if isinstance(one, Path):
        if is_bot(one):
            game = str(one).rpartition(":")[0]
            raise OptionError(f"{one} is a simple player, whom every page has: give {game}, the game")
        if not is_of_zoo(one):
            return exhibit_in(one, options), ""
        one = find_game(str(one))
    folder, reason = zoo_folder(one.name) if agents else None, ""
    if folder is not None:
        try:
            return replace(exhibit_in(folder, options), told=told_of(folder) if options == Options() else ""), ""
        except OptionError as error:
            reason = str(error)
    return exhibit(one, Options.of(one, vars(options))), reason


def told_of(folder: Path) -> str:
    """What the card of the zoo's agent says that it gets."""
    from ..zoo.cards import in_words, read_card

    return in_words(read_card(folder))


def zoo_folder(game: str) -> Path | None:
    """Where the zoo's agent for a game is, if there is one."""
    import_agents()
    from ..zoo.cards import agent_folder

    return agent_folder(game)


def exhibit_in(name: Path, options: Options) -> Exhibit:
    """An agent with its game, as it learned it but for options that are given."""
    given = {option: value for option, value in vars(options).items() if value != getattr(Options(), option)}
    agent = agent_in(name)
    if "game" not in agent.environment:
        raise OptionError(f"the agent in {name} plays no game of Ludus: only those become pages")
    game = find_game(agent.environment["game"])
    return exhibit_of_agent(agent, game, options_for(agent, game, given))
