"""Tables of what `pretraining` measured."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from report import Table, describe

ABOUT = {
    "planes": "F1 of decoded planes on pictures that neither training nor the choice of weights has seen: the mean over "
    "planes that pictures show, and over all cells; 64x64 rgb. Seconds are process time on one core, collecting the frames "
    "included. Published for orientation, on Atari's games and so another task: supervised 0.82, ST-DIM 0.68, random 0.44 "
    "(Anand et al. 2019).",
    "probes": "F1 of planes by logistic regression on frozen embeddings of the Nature encoder, on pictures never seen, after "
    "three minutes of unsupervised training on one core, collecting the frames included; beside a random encoder of the "
    "same kind.",
}
TITLES = {"planes": "Planes from pictures, supervised", "probes": "What unsupervised encoders know"}


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


def account(found: dict[str, Any]) -> str:
    """The section of RESULTS.md."""
    tables = {"planes": planes_table, "probes": probes_table}
    parts = ["## Pretraining"]
    for part, processors in found.items():
        for measured in processors.values():
            parts += [describe(measured["machine"]), tables[part](measured).markdown()]
    return "\n\n".join(parts)
