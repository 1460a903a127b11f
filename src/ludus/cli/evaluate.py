"""`ludus evaluate`: how good an agent is."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..envs import OptionError
from .arguments import parse
from .episodes import Entry, Episodes, Progress, entries, options_of, play
from .evaluate_report import Played, Report, exploitability_table, heading, in_json, remarks, summary, table_of
from .figures import WIDTH
from .interrupts import INTERRUPTED
from .named import place_of
from .out_file import check_out, write_out
from .players import check_search, is_bot, to_play
from .run_facts import grouped, read_run
from .terminal import console, say

UNSEEN = 100_000  # levels that held-out ones are drawn from


@dataclass
class Config(Episodes):
    """Play whole episodes with an agent, or with several seeds of one or several agents, and report returns."""

    agent: tuple[Path, ...]
    """Folders that `ludus train` wrote: one, or several to be shown side by side; a game, for the zoo's agent; or a game and
    a bot, as in Snake:heuristic or ConnectFour:search-4."""
    against: str | None = None
    """Who has all seats but the first in a game for several: heuristic, random, search-4, or an agent's folder; None: the
    agent itself. `ludus rate` alternates seats."""
    both: bool = False
    """Play greedily and with sampled actions."""
    levels: bool = False
    """Play the levels that the agent was trained on (--levels of `ludus train`) and held-out ones: the generalization gap."""
    exploitability: bool = False
    """How much an opponent who knows the policy wins, exactly: of agents without a memory and simple players, in small games
    of two who take turns, such as KuhnPoker and LeducPoker."""
    seeds: int = 1
    """Seeds of games, each with --episodes of its own."""
    json: Path | None = None
    """A file for all returns and statistics; its name ends in .json."""
    force: bool = False
    """Replace that file."""


def main(argv: list[str]) -> int:
    config = parse(Config, argv, "evaluate")
    check(config)
    players = entries(config.agent, config)
    titles = {entry.rules: entry.who for entry in players}
    if len(titles) > 1:
        (one, first), (other, second) = list(titles.items())[:2]
        raise OptionError(f"{first} plays {one}, {second} plays {other}: give agents of one, or `ludus compare`")
    with Progress(config.episodes) as progress:
        played = list(evaluations(config, players, progress))
    steps = progress.steps if progress.stopped else None
    report = Report(played, of_one_kind(config.agent), config.episodes, config.against, config.search, steps)
    show(report)
    if config.json is not None:
        text = json.dumps(in_json(report), indent=2, allow_nan=False)
        write_out(config.json, lambda path: path.write_text(f"{text}\n"))
        say(f"saved in {config.json}")
    return INTERRUPTED if progress.stopped else 0


def show(report: Report) -> None:
    """Tables, and below them what there is to say of the figures."""
    say(heading(report))
    wide = console()
    wide.width = max(wide.width, WIDTH)
    if report.counted:
        wide.print(table_of(report))
    statistics = summary(report) if report.counted and report.of_one_kind else None
    for table in (statistics, exploitability_table(report)):
        if table is not None:
            wide.print(table)
    for line in remarks(report):
        say(line)


def of_one_kind(agents: Sequence[Path]) -> bool:
    """Whether they are one, or seeds of the same thing."""
    return len(agents) == 1 or (not any(map(is_bot, agents)) and len(grouped(map(read_run, agents))) == 1)


def check(config: Config) -> None:
    """Find what is wrong with the flags before anything is played."""
    bots = [who for who in config.agent if is_bot(who)]
    alone = not bots and config.against is None
    if not alone and config.device not in ("auto", "cpu"):
        raise OptionError("--device is for an agent on its own: bots and opponents play on the CPU, leave it out")
    if config.both and (config.sampled or bots):
        raise OptionError(f"--both is for agents: {bots[0]} plays in one way" if bots else "give --both or --sampled")
    if bots:
        check_search(bots[0], config.search)
    if config.sampled and len(bots) == len(config.agent):
        raise OptionError(f"--sampled is for agents: {bots[0]} plays in one way")
    if config.force and config.json is None:
        raise OptionError("--force replaces the file of --json, and there is none: leave it out")
    if config.levels and bots:
        raise OptionError(f"--levels is for agents: {bots[0]} was not trained on any")
    if len({place if is_bot(place) else place_of(place).resolve() for place in config.agent}) < len(config.agent):
        raise OptionError("the same agent is given twice: leave one out")
    if config.seed is not None and config.seed + (config.seeds - 1) * config.episodes >= 2**32:
        raise OptionError("--seed is too high for so many --seeds: the last must be below 2**32")
    if config.exploitability and (config.search or config.levels):
        raise OptionError(
            f"--exploitability is of a policy in every deal: leave out {'--search' if config.search else '--levels'}"
        )
    if config.json is not None:
        check_out("--json", config.json, (".json",), config.force)


def evaluations(config: Config, players: Sequence[Entry], progress: Progress) -> Iterator[Played]:
    """Let all play, one after the other, until Ctrl-C; the first is there in any case."""
    ways = (False, True) if config.both else (config.sampled,)
    for entry in players:
        kinds = levels_of(entry) if config.levels else {"": {}}
        exploited = dict(zip(ways, exploitabilities(entry, ways), strict=True)) if config.exploitability else {}
        for sampled in ways:
            for levels, options in kinds.items():
                for k in range(config.seeds):
                    seed = None if config.seed is None else config.seed + k * config.episodes  # no game is played twice
                    own = dataclasses.replace(config, seed=seed)
                    found = play(entry, own, progress, config.against, sampled, **options)
                    yield Played(entry, policy(entry.who, sampled), levels, seed, found, exploited.get(sampled))
                    if progress.stopped:
                        return


def exploitabilities(entry: Entry, ways: Sequence[bool]) -> list[float]:
    """How exploitable one is that plays in these ways, with sampled actions or not."""
    from ..zoo.exploitability import bot_policy, exploitability, policy_of
    from ..zoo.game_tree import GameTree

    with console(stderr=True).status("going through all positions of the game"):
        tree = GameTree(to_play(entry.game), **options_of(entry.environment))
    if entry.agent is None:
        return [exploitability(bot_policy(str(entry.who).rpartition(":")[2], tree), tree)] * len(ways)
    return [exploitability(policy_of(entry.agent, deterministic=not sampled), tree) for sampled in ways]


def levels_of(entry: Entry) -> dict[str, dict[str, Any]]:
    """Options of the game for levels that the agent was trained on, and for others."""
    levels = options_of(entry.environment).get("levels")
    if levels is None:
        raise OptionError(
            f"--levels: {entry.who} was trained on no finite set of levels: give --levels to `ludus train`"
        )
    first = max(levels) + 1
    return {"training": {"levels": levels}, "held-out": {"levels": range(first, first + UNSEEN)}}


def policy(who: Path, sampled: bool) -> str:
    """How actions were chosen."""
    return str(who).rpartition(":")[2] if is_bot(who) else "sampled" if sampled else "greedy"
