"""`ludus games`: what there is to play."""

from __future__ import annotations

from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from ..envs import Game, Options, all_games
from .arguments import parse
from .terminal import console, say

WIDE = 110  # columns that the whole table takes


@dataclass
class Config:
    """List the games: what they are about, what they show, and what one can do in them."""


def main(argv: list[str]) -> int:
    parse(Config, argv, "games")
    out = console()
    if not out.is_terminal:
        out.width = 200  # whole lines for grep
    out.print(wide_table() if out.width >= WIDE else narrow_table())
    say("Play one: ", ("ludus play GAME", "bold"), ". Train an agent: ", ("ludus train GAME", "bold"), ".")
    return 0


def wide_table() -> Table:
    """A row with all that is said of each game."""
    table = new_table("game", "players", "observation", "actions")
    for game in all_games().values():
        table.add_row(Text(game.name, "bold"), players(game), observation(game), actions(game), game.summary)
    return table


def narrow_table() -> Table:
    """What each game is about, and below that what it shows and takes."""
    table = new_table("game", "players")
    for game in all_games().values():
        details = (f"\n{observation(game)}, {actions(game)} actions", "dim")
        table.add_row(Text(game.name, "bold"), players(game), Text.assemble(game.summary, details))
    return table


def new_table(*columns: str) -> Table:
    """One with these columns, and a last one for what games are about."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    table.add_column("about", ratio=1)
    return table


def players(game: Game) -> str:
    """How many play, and whether they take turns."""
    if game.players == 1:
        return "1"
    number = f"{game.min_players}-{game.players}" if game.min_players < game.players else str(game.players)
    return f"{number} in turn" if game.turns else f"{number} at once"


def observation(game: Game) -> str:
    """Shape and dtype of what the game shows by default."""
    shape, dtype, _, _ = Options().resolved(game).observation(game)
    return f"{' x '.join(map(str, shape))} {dtype}"


def actions(game: Game) -> str:
    """How many actions do something, and how many there are in the full set."""
    minimal, full = len(game.minimal_actions), len(game.actions)
    return str(full) if minimal == full else f"{minimal} (of {full})"
