"""What `ludus evaluate` reports: tables of returns, statistics with intervals, and what to know of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..envs.bots import STEP_LIMIT, Evaluation
from ..envs.statistics import STATISTICS, difference, interval
from .episodes import Entry
from .figures import NO_INTERVAL, figure, new_table, span
from .named import called
from .run_facts import short_names
from .terminal import shown

if TYPE_CHECKING:
    from rich.table import Table

FEW = 10  # runs: a bootstrap interval over fewer is too narrow


@dataclass(frozen=True)
class Played:
    """One evaluation.

    Attributes:
        policy: greedy, sampled, or a bot's kind.
        levels: training or held-out; empty where that is not asked.
        exploitability: of the policy, in units of return; None where that is not asked.
    """

    entry: Entry
    policy: str
    levels: str
    seed: int | None
    found: Evaluation
    exploitability: float | None = None


@dataclass(frozen=True)
class Report:
    """What came of a command.

    Attributes:
        played: at least one evaluation.
        of_one_kind: whether the agents are one, or seeds of the same thing, so that figures over all of them mean something.
        episodes: that each evaluation was to have.
        search: simulations before each of an agent's moves.
        steps: after which Ctrl-C ended all; None: nothing did.
    """

    played: Sequence[Played]
    of_one_kind: bool
    episodes: int
    against: str | None = None
    search: int = 0
    steps: int | None = None

    @property
    def counted(self) -> list[Played]:
        """Evaluations with episodes that ended."""
        return [one for one in self.played if len(one.found.returns) > 0]

    @property
    def agents(self) -> list[Path]:
        """Who played, once each."""
        return list(dict.fromkeys(one.entry.who for one in self.played))

    @property
    def several_players(self) -> bool:
        return self.played[0].found.returns.ndim > 1

    @property
    def over(self) -> str:
        """What the scores are of."""
        return "runs" if len(self.agents) > 1 else "episodes"

    def scores(self) -> dict[tuple[str, str], np.ndarray]:
        """Of the first player, by policy and levels: mean returns of runs where there are several, else of episodes."""
        found: dict[tuple[str, str], dict[Path, list[np.ndarray]]] = {}
        for one in self.counted:
            found.setdefault((one.policy, one.levels), {}).setdefault(one.entry.who, []).append(one.found.scores)
        pooled = {kind: [np.concatenate(scores) for scores in runs.values()] for kind, runs in found.items()}
        means = self.over == "runs"
        return {kind: np.array([x.mean() for x in runs]) if means else runs[0] for kind, runs in pooled.items()}

    def gaps(self) -> dict[str, tuple[float, tuple[float, float] | None]]:
        """The generalization gap of each policy, mean return on training less that on held-out levels, with its interval.

        Of several runs each has a gap of its own.
        """
        found, gaps = self.scores(), {}
        for policy in dict.fromkeys(policy for policy, levels in found if levels == "held-out"):
            seen, unseen = found[policy, "training"], found[policy, "held-out"]
            if self.over == "episodes":
                gaps[policy] = difference(seen, unseen)
            elif len(seen) == len(unseen):
                gaps[policy] = float((seen - unseen).mean()), interval(seen - unseen)
        return gaps


# -- tables ------------------------------------------------------------------------------------------------------------


def heading(report: Report) -> str:
    """The game, and who plays it, in which way, if all rows have that in common."""
    first = report.played[0]
    parts = [first.entry.title, called(first.entry.who)] if len(report.agents) == 1 else [first.entry.rules]
    parts[-1] += f" with {report.search} simulations a move" if report.search else ""
    parts[-1] += f" against {report.against}" if report.against else ""
    policies = {one.policy for one in report.played}
    return ", ".join([*parts, *(policies if report.several_players and len(policies) == 1 else [])])


def table_of(report: Report) -> Table:
    """A row for each evaluation, or for each player of it."""
    counted, several = report.counted, report.several_players
    names = dict(zip(report.agents, short_names(report.agents), strict=True))
    cells = {
        "agent": [shown(names[one.entry.who]) for one in counted],
        "policy": [one.policy for one in counted],
        "levels": [one.levels for one in counted],
        "seed": [str(one.seed) for one in counted],
    }
    told = [name for name, column in cells.items() if len(set(column)) > 1 or (name == "policy" and not several)]
    numbers = ["episodes", "return", "95 % interval", "std", "min", "max", "length"]
    table = new_table(told, ["player", *numbers] if several else numbers)
    for row, one in enumerate(counted):
        for k, returns in enumerate(one.found.returns.T if several else [one.found.returns]):
            table.add_row(
                *(cells[name][row] for name in told), *([str(k + 1)] if several else []), str(len(returns)),
                figure(returns.mean()), span(interval(returns)), figure(returns.std()), f"{returns.min():g}",
                f"{returns.max():g}", f"{one.found.lengths.mean():.0f}",
            )  # fmt: skip
    return table


def summary(report: Report) -> Table | None:
    """Mean, median and interquartile mean with their intervals, over runs or over episodes; None where all are the same."""
    found = report.scores()
    varied = {kind: scores for kind, scores in found.items() if not equal(scores)}
    if not varied:
        return None
    player = "player 1, " if report.several_players else ""
    over = f"{player}over {len(next(iter(varied.values())))} {report.over}"
    words = [name for k, name in enumerate(("policy", "levels")) if len({kind[k] for kind in found}) > 1]
    table = new_table([*words, over], ["return", "95 % interval"])
    for policy, levels in varied:
        scores, said = varied[policy, levels], {"policy": policy, "levels": levels}
        for name, statistic in STATISTICS.items():
            table.add_row(*map(said.get, words), name, figure(statistic(scores)), span(interval(scores, statistic)))
            said = dict.fromkeys(said, "")
    return table


def exploitability_table(report: Report) -> Table | None:
    """A row for each policy; None where that was not asked."""
    names = dict(zip(report.agents, short_names(report.agents), strict=True))
    found = {(one.entry.who, one.policy): one.exploitability for one in report.played}
    if None in found.values():
        return None
    several = len(report.agents) > 1
    table = new_table(["agent", "policy"] if several else ["policy"], ["exploitability"])
    for (who, policy), gap in found.items():
        table.add_row(*([shown(names[who])] if several else []), policy, f"{gap:.4f}")
    return table


def equal(scores: np.ndarray) -> bool:
    """Whether all are the same."""
    return bool((scores == scores[0]).all())


# -- words -------------------------------------------------------------------------------------------------------------


def remarks(report: Report) -> Iterator[str]:
    """What to know of the figures, and of episodes that have no end."""
    for policy, (gap, between) in report.gaps().items() if report.of_one_kind else ():
        sure = "" if between is None else f", 95 % interval {span(between)}"
        yield f"generalization gap, {policy}: {figure(gap)}{sure}"
    if not report.of_one_kind:
        yield "not seeds of one setting: `ludus compare` says how much better one is"
    elif 1 < len(report.agents) < FEW:
        yield f"a bootstrap interval over {len(report.agents)} runs is too narrow; {FEW} runs make a fair one"
    yield from dict.fromkeys(without_interval(one) for one in report.counted if one.found.interval is None)
    varied = [x for x in report.scores().values() if not equal(x)] if report.of_one_kind else []
    if any(interval(x, statistic) is None for x in varied for statistic in STATISTICS.values()):
        yield NO_INTERVAL
    yield from cut_off(report)
    if report.played[0].exploitability is not None:
        yield "exploitability: what a best response wins on average; 0 in a Nash equilibrium"
    if {one.policy for one in report.played} == {"greedy"}:
        yield "greedy: the most likely actions; --sampled draws them, as training does"


def without_interval(one: Played) -> str:
    """Why an evaluation has no interval: one of no width would look like certainty."""
    scores, name = one.found.scores, str(one.entry.who) if one.entry.agent is None else f"{one.entry.who}, {one.policy}"
    if one.found.alike:
        return f"{name}: all {len(scores)} episodes are the same, state for state: no chance in them, so no interval"
    if len(scores) == 1:
        return f"{name}: one episode tells no interval"
    return f"{name}: all {len(scores)} returns are {scores[0]:g}, which tells no interval"


def cut_off(report: Report) -> Iterator[str]:
    """What to know of episodes that did not end."""
    stopped, episodes = report.steps is not None, report.episodes * len(report.played)
    if stopped:
        yield f"interrupted after {report.steps} steps"
    unfinished = sum(one.found.unfinished for one in report.played)
    if unfinished:
        where = "then" if stopped else f"after {STEP_LIMIT} steps, where they are left"
        yield f"{unfinished} of {episodes} episodes had not ended {where}; their return so far is counted"
    if unfinished and not stopped:
        yield "--max-episode-steps N ends episodes sooner"
    ended = sum(len(one.found.returns) for one in report.played)
    if ended < episodes:
        yield f"only {ended} of {episodes} episodes had ended, which are counted"


# -- a file ------------------------------------------------------------------------------------------------------------


def in_json(report: Report) -> dict[str, Any]:
    """All returns, and the statistics of those that ended, as JSON holds them."""
    evaluations = [
        {
            "agent": str(one.entry.who), "policy": one.policy, "levels": one.levels or None, "seed": one.seed,
            "returns": one.found.returns.tolist(), "lengths": one.found.lengths.tolist(),
            "unfinished": one.found.unfinished, "alike": one.found.alike, "exploitability": one.exploitability,
        }
        for one in report.played
    ]  # fmt: skip
    facts = {"environment": report.played[0].entry.rules, "against": report.against, "search": report.search}
    facts |= {"evaluations": evaluations}
    if not report.of_one_kind:
        return facts
    statistics = [
        {"policy": policy, "levels": levels or None, "of": name, "value": float(of(x)), "interval": interval(x, of)}
        for (policy, levels), x in report.scores().items()
        for name, of in STATISTICS.items()
    ]
    gaps = [{"policy": policy, "value": gap, "interval": between} for policy, (gap, between) in report.gaps().items()]
    return {**facts, "over": report.over, "statistics": statistics, "generalization_gaps": gaps}
