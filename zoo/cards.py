"""Trained agents: for each game a folder with the agent, and its card: how it was trained, and how good it is.

A file of SHA-256 checksums guards all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..agents.files.checks import full, json_object, line, number, one_of, optional, several, table
from ..agents.files.safe_io import CheckpointError, read_bytes, read_json, short
from ..envs.bots import BOTS

CARD, CHECKSUMS = "card.json", "SHA256SUMS"
FORMAT = 1
AGENTS = Path(str(files("ludus.zoo"))) / "agents"

figure = number(float, -1e12, 1e12)
whole = number(int, 0, 2**62)
returns = {"mean": figure, "low": figure, "high": figure}
played = {
    "policy": one_of(("greedy", "sampled")), "against": optional(one_of(BOTS)), "episodes": number(int, 1, 1_000_000),
    "seed": number(int, 0, 2**31),
}  # fmt: skip
PARTS = {
    "format": number(int, FORMAT, FORMAT),
    "game": line,
    "version": whole,  # of the game
    "algo": line,
    "about": line,  # the protocol
    "options": json_object,
    "settings": json_object,  # that are not the algorithm's own
    "seed": whole,
    "steps": whole,
    "seconds": number(float, 0, 1e9),  # of training
    "threads": whole,
    "machine": line,
    "versions": table({"ludus": line, "torch": line, "python": line}),
    # mean returns with a 95 % bootstrap interval over episodes; `against` None: alone
    "evaluation": several(full({**played, "median": figure, **returns}), 16),
    "bots": several(full({"who": line, **returns}), 8),
    "seeds": several(full({"seed": whole, **returns}), 64),  # every training by this recipe, this one included
    "published": several(full({"who": line, "score": figure, "protocol": line}), 16),
    "curve": several(several(figure, 3), 1000),  # steps, seconds, mean return of the last hundred episodes
    "exploitability": full({"greedy": figure, "sampled": figure}),  # in games where it can be computed
}  # fmt: skip
FACTS = table(PARTS, needed=PARTS.keys() - {"exploitability"})


def agent_names() -> list[str]:
    """The games that have a trained agent, or should have one by the checksums."""
    listed = read_sums(AGENTS) if (AGENTS / CHECKSUMS).exists() else {}
    return sorted({name.partition("/")[0] for name in listed} | {path.parent.name for path in AGENTS.glob(f"*/{CARD}")})


def agent_folder(game: str) -> Path | None:
    """The folder of a game's trained agent, None if there is none; raises CheckpointError if it is not as it was made."""
    folder = AGENTS / game
    if game not in agent_names():
        return None
    check_sums(folder)
    return folder


def read_card(folder: Path) -> dict[str, Any]:
    """What a card says; raises CheckpointError in one line."""
    path = folder / CARD
    try:
        card = FACTS("card", read_json(path))
        _check_facts(card, folder.name)
        return card
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(f"{path}: {short(error)}") from error


def _check_facts(card: dict[str, Any], game: str) -> None:
    """Raise ValueError where parts of a card do not belong together."""
    if card["game"] != game:
        raise ValueError(f"it is the card of {short(card['game'])}, in the folder of {game}")
    if not card["evaluation"] and "exploitability" not in card:
        raise ValueError("it has no evaluation")
    for found in (*card["evaluation"], *card["bots"], *card["seeds"]):
        if found["low"] > found["high"]:
            raise ValueError(f"an interval from {found['low']:g} to {found['high']:g}")


def check_sums(folder: Path) -> None:
    """Raise CheckpointError unless the files of an agent are those that the checksums beside its folder are of."""
    listed = read_sums(folder.parent)
    there = {f"{folder.name}/{path.name}": path for path in (folder.iterdir() if folder.is_dir() else ())}
    known = {name for name in listed if name.startswith(f"{folder.name}/")}
    for name in sorted(known ^ set(there)):
        raise CheckpointError(
            f"{folder} is not as it was made: {short(name)} is {'missing' if name in known else 'new'}"
        )
    for name, path in there.items():
        if sum_of(path) != listed[name]:
            raise CheckpointError(f"{path} is damaged or was edited: its SHA-256 is not that in {CHECKSUMS}")


def read_sums(agents: Path) -> dict[str, str]:
    """SHA-256 by name of file, as sha256sum writes them."""
    path = agents / CHECKSUMS
    lines = read_bytes(path, 1_000_000).decode(errors="replace").splitlines()
    pairs = [line.split("  ", 1) for line in lines]
    if any(len(pair) != 2 for pair in pairs):
        raise CheckpointError(f"{path} is not as sha256sum writes it")
    return {name: digest for digest, name in pairs}


def write_sums(agents: Path) -> None:
    """Write the checksums of all files in folders of agents."""
    found: Iterable[Path] = sorted(path for folder in agents.iterdir() if folder.is_dir() for path in folder.iterdir())
    lines = [f"{sum_of(path)}  {path.parent.name}/{path.name}\n" for path in found]
    (agents / CHECKSUMS).write_text("".join(lines))


def sum_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(read_bytes(path, 2**30)).hexdigest()


def in_words(card: dict[str, Any]) -> str:
    """What an agent gets by its best actions, and what bots get: a sentence."""
    greedy = [found for found in card["evaluation"] if found["policy"] == "greedy"]
    names = {"random": "chance", "heuristic": "the simple player"}
    if any(found["against"] for found in greedy):
        results = [f"{found['mean']:+.2f} against {names[found['against']]}" for found in greedy]
        return f"The agent gets {' and '.join(results)}, on average."
    bots = "".join(f", {names[bot['who']]} {rounded(bot['mean'])}" for bot in reversed(card["bots"]))
    return f"The agent gets {rounded(greedy[0]['mean'])} on average{bots}." if greedy else ""


def rounded(mean: float) -> str:
    return f"{mean:,.0f}" if abs(mean) >= 1000 else f"{mean:.3g}"
