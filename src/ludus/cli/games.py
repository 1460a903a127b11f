"""`ludus games`: what there is to play."""

from __future__ import annotations

from dataclasses import dataclass

import tyro

from ..envs import Game, Options, all_games


@dataclass
class Config:
    """List the games: what they are about, what they show, and what one can do in them."""


def main(argv: list[str]) -> int:
    tyro.cli(Config, args=argv, prog="ludus games")
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("game", "players", "observation", "actions"):
        table.add_column(column, no_wrap=True)
    table.add_column("about", ratio=1)
    for game in all_games().values():
        table.add_row(f"[bold]{game.name}[/]", players(game), observation(game), actions(game), game.summary)
    console = Console()
    if not console.is_terminal:
        console.width = 200  # whole lines for grep
    console.print(table)
    console.print("Play one: [bold]ludus play GAME[/]. Train an agent: [bold]ludus train GAME[/].")
    return 0


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
