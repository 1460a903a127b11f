"""`ludus compare`: how much better one agent is than another, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..envs import OptionError, find_game
from ..envs.statistics import difference, iqm, probability_of_improvement
from .arguments import parse
from .episodes import Entry, Episodes, Progress, entries, play
from .figures import NO_INTERVAL, WIDTH, figure, new_table, span
from .interrupts import INTERRUPTED
from .out_file import check_figure, save_figure
from .players import is_bot
from .terminal import console, say, shown

FAIR = 10  # runs of a side
NAMED = 3  # agents of a side that are written out
Games = Mapping[str, tuple[list[Entry], list[Entry]]]  # who of A and of B plays, by game


@dataclass
class Config(Episodes):
    """Say how much higher the returns of agent A are than those of agent B, and how likely A is the better one.

    `ludus compare A B` takes two agents; `ludus compare A1 A2 A3 --to B1 B2 B3` runs of each, of one game or of several.
    """

    agent: tuple[Path, ...]
    """A and B or, with --to, the runs of A: folders that `ludus train` wrote, or games and bots, as in Snake:random."""
    to: tuple[Path, ...] | None = None
    """The runs of B."""
    against: str | None = None
    """Who has the other seats in a game for several: heuristic, random, or an agent's folder."""
    out: Path | None = None
    """A file for performance profiles, the share of scores above each threshold; its name ends in .png or .svg."""
    force: bool = False
    """Replace that file."""


@dataclass(frozen=True)
class Scores:
    """Of one game.

    Attributes:
        a: (K,) of A.
        b: (L,) of B.
        over: what they are of, runs or episodes.
        low: what a random player gets, if that was asked.
        high: what the heuristic gets.
    """

    a: np.ndarray
    b: np.ndarray
    over: str
    low: float = 0.0
    high: float = 1.0

    @property
    def normalized(self) -> tuple[np.ndarray, np.ndarray]:
        """Both, where a random player's mean return is 0 and the heuristic's 1."""
        return (self.a - self.low) / (self.high - self.low), (self.b - self.low) / (self.high - self.low)


def main(argv: list[str]) -> int:
    config = parse(Config, argv, "compare")
    first, second = sides(config)
    if config.out is not None:
        check_figure(config.out, config.force)
    players = entries([*first, *second], config)
    games = by_game(players, len(first))
    check(config, players, games)
    bots = [bot for player in players for bot in scale(player.game)] if len(games) > 1 else []
    with Progress(config.episodes) as progress:
        returns = played(config, entries(list(dict.fromkeys([*first, *second, *bots])), config), progress)
    if progress.stopped:
        say("interrupted before all had played: there is nothing to compare")
        return INTERRUPTED
    found = {rules: scores_of(pair, returns, scaled=len(games) > 1) for rules, pair in games.items()}
    show(first, second, found)
    if config.out is not None:
        draw(config.out, found, (f"A: {names(first)}", f"B: {names(second)}"))
    return 0


def sides(config: Config) -> tuple[Sequence[Path], Sequence[Path]]:
    """The agents of A and of B."""
    if config.to is not None:
        first, second = config.agent, config.to
    elif len(config.agent) == 2:
        first, second = config.agent[:1], config.agent[1:]
    else:
        raise OptionError(f"give two agents, or those of A, --to and those of B; got {len(config.agent)} without --to")
    if len({*first, *second}) < len(first) + len(second):
        raise OptionError("the same agent is given twice: leave one out")
    return first, second


def by_game(players: Sequence[Entry], count: int) -> Games:
    """Who of A, the first `count`, and of B plays each game; raises OptionError for a game that only one side plays."""
    found: dict[str, tuple[list[Entry], list[Entry]]] = {}
    for k, player in enumerate(players):
        found.setdefault(player.rules, ([], []))[k >= count].append(player)
    for rules, pair in found.items():
        if not all(pair):
            raise OptionError(f"{(pair[0] or pair[1])[0].who} plays {rules}, which no agent on the other side does")
    return found


def check(config: Config, players: Sequence[Entry], games: Games) -> None:
    """Find what is wrong before anything is played."""
    if config.device not in ("auto", "cpu") and (config.against or any(is_bot(player.who) for player in players)):
        raise OptionError("--device is for agents on their own: bots and opponents play on the CPU, leave it out")
    if len({player.game for player in players}) < len(games):
        raise OptionError("the same game is there under several rules: compare one of them at a time")
    for player in players:
        game = find_game(player.game) if "game" in player.environment else None
        if game is not None and game.players > 1 and config.against is None:
            raise OptionError(f"{game.name} is for several: --against heuristic lets A and B meet the same opponent")
        if len(games) > 1 and (game is None or game.heuristic is None):
            raise OptionError(f"{player.game} has no heuristic player to put it on one scale with others: leave it out")


def scale(game: str) -> tuple[Path, Path]:
    """The bots whose returns are 0 and 1 where there are several games."""
    return Path(f"{game}:random"), Path(f"{game}:heuristic")


def played(config: Config, players: Sequence[Entry], progress: Progress) -> dict[Path, np.ndarray]:
    """Returns (episodes,) of all, until Ctrl-C."""
    found = {}
    for player in players:
        found[player.who] = play(player, config, progress, config.against, config.sampled).scores
        if progress.stopped:
            break
    return found


def scores_of(pair: tuple[list[Entry], list[Entry]], returns: Mapping[Path, np.ndarray], scaled: bool) -> Scores:
    """Mean returns of runs where both sides have several, else the returns of all episodes; if `scaled`, with a scale.

    Raises OptionError if the heuristic is no better than a random player.
    """
    runs = all(len(side) > 1 for side in pair)
    of = [[returns[player.who] for player in side] for side in pair]
    a, b = (np.array([x.mean() for x in side]) if runs else np.concatenate(side) for side in of)
    over = "runs" if runs else "episodes"
    if not scaled:
        return Scores(a, b, over)
    game = pair[0][0].game
    low, high = (float(returns[bot].mean()) for bot in scale(game))
    if not low < high:
        raise OptionError(
            f"{game}: its heuristic is no better than a random player, which makes no scale: leave it out"
        )
    return Scores(a, b, over, low, high)


# -- shown -------------------------------------------------------------------------------------------------------------


def show(first: Sequence[Path], second: Sequence[Path], found: Mapping[str, Scores]) -> None:
    """Who is compared, a table, and what to know of it."""
    say("A: ", names(first))
    say("B: ", names(second))
    rows = [row_of(rules.partition(" (")[0], scores) for rules, scores in found.items()]
    if len(found) > 1:
        rows.append(row_of_all(list(found.values())))
    table = new_table(["game"], ["A", "B", "A - B", "95 % interval", "P(A > B)", "95 % interval"])
    for row in rows:
        table.add_row(*row)
    wide = console()
    wide.width = max(wide.width, WIDTH)
    wide.print(table)
    for line in remarks(found, dashes=any("-" in row for row in rows)):
        say(line)


def names(agents: Sequence[Path]) -> str:
    """Of some agents."""
    more = f" and {len(agents) - NAMED} more" if len(agents) > NAMED else ""
    return ", ".join(map(str, agents[:NAMED])) + more


def row_of(game: str, scores: Scores) -> list[str]:
    """Means, their difference and the probability of improvement in one game."""
    (gap, sure), (better, how_sure) = difference(scores.a, scores.b), probability_of_improvement(scores.a, scores.b)
    means = figure(scores.a.mean()), figure(scores.b.mean())
    return [shown(game), *means, figure(gap), span(sure), figure(better), span(how_sure)]


def row_of_all(scores: Sequence[Scores]) -> list[str]:
    """The same of interquartile means of normalized scores over all games."""
    a, b = zip(*(one.normalized for one in scores), strict=True)
    (gap, sure), (better, how_sure) = difference(a, b, iqm), probability_of_improvement(a, b)
    means = figure(iqm(np.concatenate(a))), figure(iqm(np.concatenate(b)))
    return ["all, normalized", *means, figure(gap), span(sure), figure(better), span(how_sure)]


def remarks(found: Mapping[str, Scores], dashes: bool) -> Iterator[str]:
    """What the figures are of."""
    yield from (rules for rules in found if "(" in rules)  # of which the table has the name alone
    over = {scores.over for scores in found.values()}
    if "episodes" in over:
        yield "over episodes, which say nothing of other seeds of training: --to takes runs"
    if "runs" in over:
        yield f"over runs' mean returns; with fewer than {FAIR} a side, intervals are too narrow"
    if len(found) > 1:
        yield "normalized: random 0, heuristic 1; of all games the IQM, and the mean P"
    if dashes:
        yield NO_INTERVAL


def draw(out: Path, found: Mapping[str, Scores], who: tuple[str, str]) -> None:
    """Performance profiles of A and B, over all games; `who` they are."""
    from ..zoo.plots import performance_profiles

    several = len(found) > 1
    a, b = zip(*(scores.normalized if several else (scores.a, scores.b) for scores in found.values()), strict=True)
    of = "normalized score: random 0, heuristic 1" if several else f"return, {next(iter(found))}"
    save_figure(out, performance_profiles({who[0]: list(a), who[1]: list(b)}, of))
