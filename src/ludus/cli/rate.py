"""`ludus rate`: who is better, by games of everybody against everybody."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..envs import Game, OptionError, Options, Simulator
from ..envs.bots import BOTS, STEP_LIMIT, is_bot_kind
from .arguments import parse
from .making import is_game
from .named import place_of
from .out_file import check_out, write_out
from .players import load, opponent, seated, to_play, with_search
from .terminal import console, say, shown

if TYPE_CHECKING:
    from rich.table import Table

    from ..zoo.ratings import Estimate, Ratings
    from ..zoo.round_robin import RoundRobin

ANCHOR = "random"  # its rating is 0
LONGEST_NAME = 26
ACROSS = 9  # columns of a cross table that fit beside the names


@dataclass
class Config:
    """Rate players of a game for several by a round robin: Elo, from wins, draws and losses. The bots play along."""

    game: str
    """A game for several players (see `ludus games`)."""
    players: tuple[str, ...] = field(default=(), metadata={"positional": True})
    """Folders that `ludus train` wrote, or the game, for the zoo's agent; FOLDER:search-200 searches 200 simulations before
    each move. Bots named search-1 to search-10 look so many moves ahead by alpha-beta. Random, whose rating is 0, and the
    game's heuristic always play."""
    games: int = 100
    """Games of each pair, half of them in each order of seats; in longer games than 100_000 steps, the return until then
    decides."""
    deterministic: bool = False
    """Take the most likely action (greedy). Without chance in the game, give --opening, too: else all games are the same."""
    sampled: bool = True
    """Draw actions from the policy."""
    opening: int = 0
    """Steps at the start of each game that are random, the same for both orders of seats."""
    seed: int = 0
    """Of the games, of openings and of drawing actions."""
    json: Path | None = None
    """A file for ratings, intervals of all differences, and games won and drawn; its name ends in .json."""
    force: bool = False
    """Replace that file."""


def main(argv: list[str]) -> int:
    config = parse(Config, argv, "rate")
    if config.games % 2:
        raise OptionError(f"--games must be even, since seats alternate, got {config.games}")
    if config.json is not None:
        check_out("--json", config.json, (".json",), config.force)
    game = to_play(config.game)
    whos = entrants(game, config.players)
    sim, players = at_the_table(game, whos, config.games // 2, config.seed)
    found = played(sim, players, whos, config)
    report(config, game, whos, found)
    return 0


def entrants(game: Game, given: Sequence[str]) -> list[str]:
    """Everybody who plays, sorted, so that the order of arguments changes nothing; raises OptionError for one given twice."""
    whos = [bot if is_bot_kind(bot := who.removeprefix(f"{game.name}:")) else who for who in given]
    places = [
        who if is_name(who) else (place_of(Path(with_search(who)[0])).resolve(), with_search(who)[1]) for who in whos
    ]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise OptionError(f"{given[number]} is given twice: give each player once")
    bots = [bot for bot in BOTS if bot == ANCHOR or game.heuristic is not None]
    return sorted({*whos, *bots})


def is_name(who: str) -> bool:
    """Whether it is a bot's name rather than an agent: a folder, or a game of which the zoo has one."""
    folder, _ = with_search(who)
    return is_bot_kind(who) or not (Path(folder).exists() or is_game(folder))


def at_the_table(game: Game, whos: Sequence[str], num_envs: int, seed: int) -> tuple[Simulator, list[Any]]:
    """The games, as the agents were trained in them, and the players; raises OptionError if agents cannot meet."""
    agents = {who: load(Path(with_search(who)[0]), seed, None) for who in whos if not is_name(who)}
    options = Options()
    for number, (who, (_, known)) in enumerate(agents.items()):
        if known.game is not game:
            raise OptionError(f"the agent in {who} plays {known.game.name}, not {game.name}")
        if number and known.options != options:
            names = [name for name, value in vars(known.options).items() if value != getattr(options, name)]
            raise OptionError(
                f"{next(iter(agents))} and {who} differ in {', '.join(names)} of their games: rate them apart"
            )
        options = known.options
    sim = Simulator(game, num_envs, seed=seed, **vars(options))
    players = [
        seated(agents[who][0], sim, with_search(who)[1], seed + number)
        if who in agents
        else opponent(who, sim, seed + number)
        for number, who in enumerate(whos)
    ]
    return sim, players


def played(sim: Simulator, players: Sequence[Any], whos: Sequence[str], config: Config) -> RoundRobin:
    from ..zoo.round_robin import round_robin

    pairs = len(players) * (len(players) - 1) // 2
    with console(stderr=True).status("") as status:

        def tell(number: int, first: int, second: int) -> None:
            status.update(f"pair {number + 1} of {pairs}: {shown(whos[first])} and {shown(whos[second])}")

        return round_robin(sim, players, config.seed, not config.sampled, config.opening, tell)


def report(config: Config, game: Game, whos: Sequence[str], found: RoundRobin) -> None:
    """Print tables and what to know of them, and write the file."""
    from ..zoo.ratings import Ratings

    ratings = Ratings(found.wins, found.draws)
    order = sorted(range(len(whos)), key=lambda k: -ratings.points[k])
    above = [ratings.over(one, next_) for one, next_ in zip(order, order[1:], strict=False)]
    names = short_names(whos)
    actions = "sampled" if config.sampled else "greedy"
    opened = f", {config.opening} random steps first" if config.opening else ""
    say(f"{game.name}: {config.games} games a pair, seats alternate, {actions} actions{opened}")
    out = console()
    out.print(table_of(ratings, above, found, order, names, whos.index(ANCHOR)))
    for start in range(0, len(order), ACROSS):
        out.print(cross_table(found, order, names, range(start, min(start + ACROSS, len(order)))))
    for line in remarks(found, names):
        say(line)
    if config.json is not None:
        write(config.json, config, game, whos, found, ratings)


def remarks(found: RoundRobin, names: Sequence[str]) -> Iterator[str]:
    """What to know of the ratings."""
    yield f"rating: {ANCHOR} is 0; 400 points above another are ten games won for each lost"
    if found.repeated:
        pairs = ", ".join(f"{names[first]} first, {names[second]} second" for first, second in found.repeated[:2])
        more = f" and {len(found.repeated) - 2} more" if len(found.repeated) > 2 else ""
        yield f"the same game every time, which counts once: {pairs}{more}; --opening N makes them differ"
    if found.in_opening:
        yield f"{found.in_opening} games had ended within the opening: they are left out"
    if found.unfinished:
        yield f"{found.unfinished} games had not ended after {STEP_LIMIT} steps; their return until then decided"


def short_names(whos: Sequence[str]) -> list[str]:
    """The last part of each path or, where two have the same, the end of the whole path."""
    tails = [os.path.basename(os.path.normpath(who)) for who in whos]
    names = [shown(tail if tails.count(tail) == 1 else who) for tail, who in zip(tails, whos, strict=True)]
    return [name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}" for name in names]


def new_table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(columns[0], no_wrap=True)
    for column in columns[1:]:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def table_of(
    ratings: Ratings,
    above: Sequence[Estimate],
    found: RoundRobin,
    order: Sequence[int],
    names: Sequence[str],
    anchor: int,
) -> Table:
    """A row for each player, the best first."""
    table = new_table("player", "rating", "95 % interval", "above the next", "score")
    score, games = scores(found), games_of(found)
    for place, player in enumerate(order):
        rating = ratings.over(player, anchor)
        interval = "" if player == anchor else f"{rating.low:.0f} to {rating.high:.0f}"
        lead = f"{above[place].low:.0f} to {above[place].high:.0f}" if place < len(above) else ""
        share = score[player].sum() / games[player].sum()
        table.add_row(names[player], f"{rating.value:.0f}", interval, lead, f"{share:.1%}")
    return table


def cross_table(found: RoundRobin, order: Sequence[int], names: Sequence[str], part: range) -> Table:
    """What share of its games each player won of another, in percent, a draw as a half; columns in the order of rows."""
    score, games = scores(found), games_of(found)
    table = new_table("score in %, against", *(str(place + 1) for place in part))
    for place, player in enumerate(order):
        others = (order[column] for column in part)
        cells = (
            "" if player == other else f"{100 * score[player, other] / games[player, other]:.0f}" for other in others
        )
        table.add_row(f"{place + 1:2} {names[player]}", *cells)
    return table


def scores(found: RoundRobin) -> np.ndarray:
    """(P, P) games won of each other, a draw as a half."""
    return found.wins + found.draws / 2


def games_of(found: RoundRobin) -> np.ndarray:
    """(P, P) games that count."""
    return found.wins + found.wins.T + found.draws


def write(out: Path, config: Config, game: Game, whos: Sequence[str], found: RoundRobin, ratings: Ratings) -> None:
    from ..agents.files.safe_io import to_json

    def plain(estimate: Estimate) -> list[float]:
        return [estimate.value, estimate.low, estimate.high]

    everybody = range(len(whos))
    facts = {
        "game": game.name, "games": config.games, "seed": config.seed, "sampled": config.sampled,
        "opening": config.opening, "players": list(whos), "wins": found.wins.tolist(), "draws": found.draws.tolist(),
        "ratings": [plain(ratings.over(one, whos.index(ANCHOR))) for one in everybody],
        "above": [[plain(ratings.over(one, other)) for other in everybody] for one in everybody],
        "repeated": [list(pair) for pair in found.repeated], "unfinished": found.unfinished,
    }  # fmt: skip
    write_out(out, lambda path: path.write_bytes(to_json(facts)))
    say(f"saved in {out}")
