"""Games as WebAssembly: sizes of their modules, and how fast these play beside the compiled loops of CPU cores.

    python benchmarks/web.py [--games Snake,Tetris] [--write]

Both play the same 1000 games with the same random actions on one thread, a step of all in one call, and are timed in turn;
games that end are begun anew between calls, which is not timed. WebAssembly runs in wasmtime, whose compiler is Cranelift;
browsers have their own. A module has all loops of a game: its rules, pictures, simple players and clicks.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from report import Table, describe, machine, three_digits, times, write_results
from rich.console import Console

from ludus.envs import Bot, Simulator, all_games
from ludus.envs.adapters.web import web_game

sys.path.insert(0, str(Path(__file__).parents[1]))  # the runtime lies with the tests

from tests.envs.wasm_runtime import WasmGame

PACKAGES = ("ludus", "numba", "wasmtime")
GAMES, STEPS, WARM = 1000, 300, 20
console = Console()


def measure(name: str) -> dict[str, Any]:
    """Sizes in bytes, and medians of nanoseconds for a step of one game."""
    game = web_game(name, GAMES)
    code, web = game.code, WasmGame(game)
    sim = Simulator(name, GAMES, seed=0, autoreset="disabled", num_threads=1)
    bot = Bot(sim, "random")
    web.seed(0)
    web.reset()
    sim.reset()
    spent: dict[str, list[float]] = {"web": [], "native": []}
    for step in range(WARM + STEPS):
        actions = bot.act()
        web.actions[:] = actions.reshape(-1)
        began = time.perf_counter()
        ended = web.call("play")
        between = time.perf_counter()
        same = sim.step(actions) == ended
        done = time.perf_counter()
        if not same:
            raise SystemExit(f"{name}: as WebAssembly, other episodes end")
        if step >= WARM:
            spent["web"].append(between - began)
            spent["native"].append(done - between)
        over = np.array(sim.terminated | sim.truncated)
        if over.any():
            sim.reset(over)
            web.reset(over)
    rates = {way: 1e9 * median(seconds) / GAMES for way, seconds in spent.items()}
    return {"game": name, "bytes": len(code), "gzipped": len(gzip.compress(code, 9)), **rates}


def table_of(rows: list[dict[str, Any]]) -> Table:
    """A row for each game, and the sum of all sizes."""
    found = [
        [
            row["game"], f"{row['bytes'] / 1e3:.1f}", f"{row['gzipped'] / 1e3:.1f}", three_digits(row["web"]),
            three_digits(row["native"]), times(row["web"] / row["native"]),
        ]
        for row in rows
    ]  # fmt: skip
    total = [f"{sum(row[size] for row in rows) / 1e3:.0f}" for size in ("bytes", "gzipped")]
    ratio = times(median(row["web"] / row["native"] for row in rows))
    note = "Sizes of modules, as they are and gzipped; nanoseconds a step of one game, and their ratio; at last its median."
    columns = ["game", "kB", "gzipped", "ns, WebAssembly", "ns, compiled", "times"]
    return Table("Games as WebAssembly", note, columns, [*found, ["all", *total, "-", "-", ratio]])


def account(found: dict[str, Any]) -> str:
    """The section of RESULTS.md."""
    return "\n\n".join(["## Web pages", describe(found["machine"]), table_of(found["rows"]).markdown()])


def main() -> None:
    parser = argparse.ArgumentParser(description="Games as WebAssembly: sizes and rates.")
    parser.add_argument("--games", type=lambda text: text.split(","), default=list(all_games()))
    parser.add_argument("--write", action="store_true", help="keep the results in RESULTS.md")
    arguments, rows = parser.parse_args(), []
    for name in arguments.games:
        rows.append(measure(name))
        console.print(
            f"{name}: {rows[-1]['bytes']} bytes, {rows[-1]['web']:.0f} and {rows[-1]['native']:.0f} ns a step"
        )
    found = {"machine": machine(PACKAGES), "rows": rows}
    if arguments.write:
        write_results("web", found, account(found))
    console.print(table_of(rows).rich())


if __name__ == "__main__":
    main()
