"""Tables of what `pretraining` measured."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Any

import numpy as np
from pretraining.agents import END_TO_END
from report import Table, amount, between, describe

from ludus.envs.statistics import interval, iqm

UNSEEN = (  # of 64x64 pictures; to be measured again
    "Of Snake and Muncher, agents on the Nature network (all but those of planes and of supervised encoders) did not see the "
    "last four rows and columns of the pictures, and the autoencoder was an earlier one; Breakout and Space Invaders were "
    "measured again without these faults, with as many seeds as the table says."
)
ABOUT = {
    "planes": "F1 of decoded planes on pictures that neither training nor the choice of weights has seen: the mean over "
    "planes that pictures show, and over all cells; 64x64 rgb. Seconds are process time on one core, collecting "
    "the frames included. Published for orientation, on Atari's games and so another task: supervised 0.82, ST-DIM "
    "0.68, random 0.44 (Anand et al. 2019).",
    "probes": "F1 of planes by logistic regression on frozen embeddings of the Nature encoder, on pictures never seen, "
    "after three minutes of unsupervised training on one core, collecting the frames included; beside a random "
    "encoder of the same kind.",
    "agents": "PPO by its defaults (in MinAtar's games by the zoo's recipe), on 64x64 rgb but for true planes: five minutes "
    "of process time on one core for pixels end to end, by two sets of settings, a third of it for all others, "
    "pretraining and its data included; each anneals over its own time. Return: mean of the last hundred episodes "
    "of training, interquartile mean over seeds and its 95 % bootstrap interval (Agarwal et al. 2021). As good "
    "after: when the seeds' mean curve passes where the better of both end to end finishes. Planes, then: the "
    "return of true planes after as many steps. All agents of a seed are of one machine, seeds are of several. "
    f"{UNSEEN}",
    "scarce": "F1 on pictures never seen, by the number of labelled pictures, a fifth of which choose the best weights (all: "
    "those of 160,000 frames that differ, but for the test part, at most 100,000); half a minute of training on one core. "
    "Noise: standard deviation 0.05; colours: jitter of 0.5. Autoencoder first: a minute on all pictures of the training "
    "part, without labels.",
    "looks": "F1 on pictures never seen that are changed, of decoders trained for a minute on one core with random changes "
    "of their own: none, noise (0.05), colours (jitter of 0.5).",
    "levels": "F1 on pictures never seen, after a minute of training on one core on 200 levels: where other pictures of the "
    "same levels were learned from, and where 20 levels were kept apart.",
}
TITLES = {
    "planes": "Planes from pictures, supervised", "probes": "What unsupervised encoders know",
    "agents": "Does pretraining help?", "scarce": "Planes from few labels", "looks": "Planes of another look",
    "levels": "Planes of levels never seen",
}  # fmt: skip


def planes_table(found: dict[str, Any]) -> Table:
    """A row for each game: F1 of all seeds, and the worst plane."""
    games = list(dict.fromkeys(row["game"] for row in found["rows"]))
    rows = []
    for game in games:
        runs = sorted((row for row in found["rows"] if row["game"] == game), key=lambda row: row["seed"])
        planes = {name: fmean(run["planes"][name] for run in runs) for name in runs[0]["planes"]}
        worst = min(planes, key=planes.__getitem__)
        f1 = [run["f1"] for run in runs]
        hidden = ", ".join(runs[0]["not shown"]) or "-"
        rows.append([
            game, f"{fmean(run['seconds'] for run in runs):.0f}", f"{fmean(f1):.4f}",
            " ".join(f"{x:.4f}" for x in f1), f"{worst} {planes[worst]:.3f}", str(runs[0]["pictures"]), hidden,
        ])  # fmt: skip
    columns = ["game", "s", "F1", "seeds", "worst plane", "pictures", "not shown"]
    return Table(TITLES["planes"], ABOUT["planes"], columns, rows)


def probes_table(found: dict[str, Any]) -> Table:
    """A row for each game and encoder: map and output, at each number of labels."""
    cells: dict[tuple[str, str], dict[tuple[str, int], list[float]]] = {}
    for row in found["rows"]:
        for score in row["scores"]:
            name = row["method"] if score["encoder"] != "random" else "random"
            place = cells.setdefault((row["game"], name), {})
            place.setdefault((score["layer"], score["labels"]), []).append(score["f1"])
    labels = sorted({key[1] for place in cells.values() for key in place})
    keys = [(layer, count) for layer in ("map", "output") for count in labels]
    rows = [
        [f"{game}, {name}", *(f"{fmean(place[key]):.3f}" if key in place else "-" for key in keys)]
        for (game, name), place in sorted(cells.items())
    ]
    return Table(TITLES["probes"], ABOUT["probes"], ["encoder", *(f"{a}, {b:,}" for a, b in keys)], rows)


def agents_table(found: dict[str, Any]) -> Table:
    """A row for each game and variant."""
    rows = []
    for game in dict.fromkeys(row["game"] for row in found["rows"]):
        runs: dict[str, list[dict[str, Any]]] = {}
        for row in found["rows"]:
            if row["game"] == game and row["curve"]:
                runs.setdefault(row["variant"], []).append(row)
        bases = [[run["curve"][-1][2] for run in runs[name]] for name in END_TO_END if name in runs]
        target = max(map(fmean, bases), default=float("nan"))
        for variant, some in runs.items():
            finals = np.array([run["curve"][-1][2] for run in some])
            upper = {run["seed"]: run["curve"] for run in runs.get("true planes", [])}
            there = [return_at(upper[run["seed"]], run["steps"]) for run in some if run["seed"] in upper]
            when = as_good_after([run["curve"] for run in some], target)
            rows.append([
                f"{game}, {variant}", str(len(some)), f"{iqm(finals):.1f}", between(interval(finals, iqm)),
                amount(fmean(run["steps"] for run in some)), amount(fmean(run["rate"] for run in some)),
                f"{fmean(run['pretraining'] for run in some):.0f}", "-" if when is None else f"{when:.0f}",
                f"{fmean(there):.1f}" if there else "-",
            ])  # fmt: skip
    columns = ["game, agent", "seeds", "return", "95 %", "steps", "steps/s", "pretraining, s", "as good after, s"]
    columns.append("planes, then")
    return Table(TITLES["agents"], ABOUT["agents"], columns, rows)


def return_at(curve: list[list[float]], steps: int) -> float:
    """That of a curve of (seconds, steps, return) after so many steps."""
    return float(np.interp(steps, [point[1] for point in curve], [point[2] for point in curve]))


def f1_table(part: str) -> Callable[[dict[str, Any]], Table]:
    """A row for each game and way, the means over seeds of nested or flat F1 by condition."""

    def table(found: dict[str, Any]) -> Table:
        cells: dict[str, dict[str, list[float]]] = {}
        for row in found["rows"]:
            nested = row["f1"] if isinstance(next(iter(row["f1"].values())), dict) else {"": row["f1"]}
            for way, scores in nested.items():
                place = cells.setdefault(f"{row['game']}, {way}" if way else row["game"], {})
                for condition, f1 in scores.items():
                    place.setdefault(condition, []).append(f1)
        conditions = list(dict.fromkeys(name for place in cells.values() for name in place))
        rows = [
            [name, *(f"{fmean(place[key]):.3f}" if key in place else "-" for key in conditions)]
            for name, place in sorted(cells.items())
        ]
        return Table(TITLES[part], ABOUT[part], ["game", *conditions], rows)

    return table


def as_good_after(curves: list[list[list[float]]], target: float) -> float | None:
    """When the mean of curves of (seconds, steps, return) first passes a return; None: never."""
    times = np.linspace(0, max(curve[-1][0] for curve in curves), 301)[1:]
    lines = [np.interp(times, *zip(*((s, r) for s, _, r in curve), strict=True), left=-np.inf) for curve in curves]
    passed = np.flatnonzero(np.mean(lines, 0) >= target)
    return float(times[passed[0]]) if len(passed) else None


TABLES: dict[str, Callable[[dict[str, Any]], Table]] = {
    "planes": planes_table, "probes": probes_table, "agents": agents_table,
    "scarce": f1_table("scarce"), "looks": f1_table("looks"), "levels": f1_table("levels"),
}  # fmt: skip


def together(processors: dict[str, Any]) -> dict[str, Any]:
    """The rows of all processors: of each game and seed those of the one that has most, which are measured side by side."""
    pairs = dict.fromkeys((row["game"], row["seed"]) for measured in processors.values() for row in measured["rows"])
    chosen = []
    for game, seed in sorted(pairs):
        kinds = [
            [row for row in measured["rows"] if (row["game"], row["seed"]) == (game, seed)]
            for measured in processors.values()
        ]
        chosen += max(kinds, key=len)
    return {"rows": chosen}


def account(found: dict[str, Any]) -> str:
    """The section of RESULTS.md."""
    parts = ["## Pretraining"]
    for part, processors in found.items():
        if part == "agents":
            parts += [*(describe(measured["machine"]) for measured in processors.values())]
            parts.append(TABLES[part](together(processors)).markdown())
            continue
        for measured in processors.values():
            parts += [describe(measured["machine"]), TABLES[part](measured).markdown()]
    return "\n\n".join(parts)
