"""Writes `docs/games.md`, a GIF of every game, and a picture of all: what there is to play, from the games themselves.

    python docs/gallery.py [--pictures GAME,...|all]

The text comes from the docstrings, the figures from `benchmarks/results/games.json`; it is written each time. Pictures are
drawn anew for games whose files changed since, or for those that are named. `--check` only says what is out of date.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ludus.agents.training.progress_bar import quantity
from ludus.envs import Bot, Game, Options, Simulator, all_games, canvas, cards
from ludus.envs.viewer.scene import readable
from ludus.film import Episode, Film, halved, write_gif
from ludus.zoo.cards import AGENTS, agent_names, read_card

DOCS = Path(__file__).parent
TEXT, FOLDER, SHEET, HASHES = DOCS / "games.md", DOCS / "games", DOCS / "games.png", DOCS / "games" / "sources.json"
RESULTS = DOCS.parent / "benchmarks" / "results"
SIZE, STEPS, CELL, COLUMNS = 200, 80, 160, 9  # of GIFs in pixels and steps; of the picture of all
SEED = 7
KINDS = {"For one player": "alone", "For two in turn": "turns", "For several at once": "together"}
SECTIONS = ("Description", "Actions", "Observation", "Start", "Reward", "Termination", "Rules from")


def main() -> int:
    parser = argparse.ArgumentParser(description="Write docs/games.md and the pictures of all games.")
    parser.add_argument("--pictures", default="", help="games to draw anew, with commas between them, or all")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if something is out of date")
    arguments = parser.parse_args()
    games = own_games()
    old = [game for game in games if hashes().get(game.name) != source_hash(game)]
    text = page(games)
    if arguments.check:
        stale = [game.name for game in old] + ([] if TEXT.exists() and TEXT.read_text() == text else [TEXT.name])
        print("up to date" if not stale else f"out of date: {', '.join(stale)}; run python docs/gallery.py")
        return int(bool(stale))
    named = arguments.pictures.split(",")
    draw([game for game in games if game in old or game.name in named or named == ["all"]], games)
    TEXT.write_text(text)
    return 0


def own_games() -> list[Game]:
    """Those of this package, by kind and name."""
    games = [game for game in all_games().values() if game.step.__module__.startswith("ludus.")]
    return sorted(games, key=lambda game: (list(KINDS.values()).index(kind_of(game)), game.name))


def kind_of(game: Game) -> str:
    return "alone" if game.players == 1 else "turns" if game.turns else "together"


# Text


def page(games: list[Game]) -> str:
    """The whole of docs/games.md."""
    known = json.loads((RESULTS / "games.json").read_text()) if (RESULTS / "games.json").exists() else {}
    parts = [
        "# Games",
        f"<!-- Written by docs/gallery.py from the games' own files: change those, not this. -->\n\n{len(games)} games, "
        "each one file of rules in [`envs/games`](../envs/games).",
        f"![All games]({SHEET.name})",
        "`ludus play NAME` to play, `ludus watch NAME` to see its trained agent and `ludus watch NAME:heuristic` a simple "
        "player, `ludus train NAME` to train one.",
        summary(games, known),
    ]
    for title, kind in KINDS.items():
        parts.append(f"## {title}")
        parts += [entry(game) for game in games if kind_of(game) == kind]
    return "\n\n".join(parts) + "\n"


def summary(games: list[Game], known: dict[str, Any]) -> str:
    """A line for each game: what it shows, how fast it is, what simple players get."""
    lines = [
        "| game | about | observation | actions | steps/s | random | heuristic |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for game in games:
        shape, dtype, _, _ = Options().resolved(game).observation(game)
        rate = speed_of(game, known)
        scores = known.get("baselines", {}).get("games", {}).get(game.name, {})
        cells = [
            f"[{game.name}](#{game.name.lower()})", game.summary, f"{' x '.join(map(str, shape))} {dtype}",
            str(len(game.minimal_actions)), rate, spread(scores.get("random")), spread(scores.get("heuristic")),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    episodes, limit = protocol()
    note = (
        "Actions are those of the default, without the ones that do nothing. Steps per second on one core with 1024 games, "
        "observations included; mean return and standard deviation of a random player and of the game's own heuristic, over "
        f"{episodes} episodes, each cut after {limit} steps with its return so far (in games for several, of the first "
        "player against random ones). Both are measured by `benchmarks/games.py` and `benchmarks/environments.py`, see "
        "[RESULTS.md](../benchmarks/RESULTS.md)."
    )
    return "\n".join(lines) + "\n\n" + note


def protocol() -> tuple[str, ...]:
    """How many episodes a baseline is of, and after how many steps they are cut, as the benchmark says."""
    found = re.search(r"^EPISODES, STEP_LIMIT = (\d+), (\d+)$", (RESULTS.parent / "games.py").read_text(), re.M)
    assert found
    return found.groups()


def speed_of(game: Game, known: dict[str, Any]) -> str:
    """The rate that benchmarks measured."""
    games = known.get("speed", {}).get("games", {})
    found = games.get(game.name, {}).get("steps per second", {}).get("ludus", {}).get("cpu")
    if found is None:
        found = rate_of_minatar(game.name, known["speed"]["machine"]["processor"])
    return "-" if not found else f"{found / 1e6:.1f} M" if found >= 1e6 else f"{found / 1e3:.0f} k"


def rate_of_minatar(name: str, processor: str) -> float | None:
    """The rate on the processor that had all other games, too."""
    for file in RESULTS.glob("environments-*.json"):
        measured = json.loads(file.read_text())
        if measured["machine"]["processor"] == processor and name in measured["one core"]:
            return measured["one core"][name]["steps per second"]["Simulator"]["cpu"]
    return None


def spread(score: dict[str, float] | None) -> str:
    return "-" if not score else f"{short(score['mean'])} ± {short(score['standard deviation'])}"


def short(number: float) -> str:
    """Three digits, or all before the point."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def entry(game: Game) -> str:
    """A game's own docstring, with its picture."""
    found = {heading: " ".join(text.split()) for heading, text in game.sections.items()}
    keys = ", ".join(f"`{key}` {readable(action)}" for key, action in game.keys.items())
    lines = [f"### {game.name}", f"![{game.name}]({FOLDER.name}/{game.name}.gif)", f"`{game.id}`: {game.summary}."]
    lines += [f"**{name}.** {found[name]}" for name in SECTIONS if found.get(name)]
    if game.name in agent_names():
        lines.append(f"**Agent.** {agent_of(game)}")
    if game.players > 1:
        lines.append(f"**Players.** {', '.join(game.player_names)}.")
    return "\n\n".join([*lines, f"**Keys.** {keys}."] if keys else lines)


def agent_of(game: Game) -> str:
    """What the card says of the zoo's agent, beside simple players in the same games."""
    card = read_card(AGENTS / game.name)
    bots = {bot["who"]: short(bot["mean"]) for bot in card["bots"]}
    simple = " and ".join(f"the {who} player {mean}" for who, mean in bots.items())
    policy = "sampled" if "exploitability" in card else "greedy"
    returns = ", ".join(
        f"{short(x['mean'])}{' against the ' + x['against'] + ' player' if x['against'] else ''} "
        f"({short(x['low'])} to {short(x['high'])})"
        for x in card["evaluation"]
        if x["policy"] == policy
    )
    text = f"{card['algo'].upper()}, {quantity(card['steps'])} steps: a mean return of {returns}, {policy}; "
    about = card["about"]
    text += f"{simple}{', against random ones' if game.players > 1 else ''}. {about[0].upper()}{about[1:]}."
    if "exploitability" in card:
        text += f" Exploitability {card['exploitability'][policy]:.3f}."
    return text


# Pictures


def hashes() -> dict[str, str]:
    return json.loads(HASHES.read_text()) if HASHES.exists() else {}


def source_hash(game: Game) -> str:
    """Of what a game's picture depends on: its own file and how things are drawn."""
    sources = (sys.modules[game.step.__module__], canvas, cards)
    return hashlib.sha256(b"".join(Path(str(source.__file__)).read_bytes() for source in sources)).hexdigest()[:16]


def draw(changed: list[Game], games: list[Game]) -> None:
    """Draw the GIFs of games that changed, and the picture of all."""
    FOLDER.mkdir(exist_ok=True)
    for game in changed:
        print(f"drawing {game.name}", flush=True)
        sim, episode = played(game, SEED)
        fps = min(game.fps, 3) if game.waits else game.fps
        write_gif(FOLDER / f"{game.name}.gif", Film(sim, [episode], SIZE, fps), fps)
    if changed or not SHEET.exists():
        draw_sheet(games)
    HASHES.write_text(json.dumps({game.name: source_hash(game) for game in games}, indent=2, sort_keys=True) + "\n")


def played(game: Game, seed: int) -> tuple[Simulator, Episode]:
    """Some steps of one game, by its heuristic if it has one."""
    sim = Simulator(game, seed=seed, autoreset="disabled")
    player = Bot(sim, "heuristic" if game.heuristic is not None else "random", seed)
    sim.reset()
    episode = Episode([sim.records.copy()], 0.0)
    for _ in range(STEPS):
        over = sim.step(player.act())
        episode.records.append(sim.records.copy())
        if over:
            break
    return sim, episode


def draw_sheet(games: list[Game]) -> None:
    """One picture of all games, each in mid-game."""
    from PIL import Image

    rows = -(-len(games) // COLUMNS)
    pitch = CELL + 12
    sheet = np.full((rows * pitch + 12, COLUMNS * pitch + 12, 3), (24, 27, 36), np.uint8)
    for k, game in enumerate(games):
        sim, episode = played(game, SEED)
        sim.records[:] = episode.records[len(episode.records) * 2 // 3]
        picture = halved(sim.frame(0, 2 * CELL))
        top, left = 12 + k // COLUMNS * pitch, 12 + k % COLUMNS * pitch
        top, left = top + (CELL - picture.shape[0]) // 2, left + (CELL - picture.shape[1]) // 2
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    Image.fromarray(sheet).save(SHEET, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
