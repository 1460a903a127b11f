"""How long the arcade takes to be there, and how much is loaded for it, in chromium without a window.

    python benchmarks/arcade.py [--site FOLDER] [--write]

A browser that has never been there opens the first page of all games, from Python's own web server on this machine, and then
scrolls through it; another one opens a game's own page. `--site` is what `ludus export all --format web` wrote; without one,
that is done first. Let the machine be idle: times are by the clock.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from report import Table, describe, machine, write_results
from rich.console import Console

from ludus.__main__ import main as ludus

sys.path.insert(0, str(Path(__file__).parents[1]))  # the browser lies with the tests

from tests.web.pages import Page, Server, start_browser

PACKAGES = ("ludus", "selenium")
TIMES = 5
GAMES = ("Breakout", "Muncher", "Go", "Lander")
NOW = "return performance.now() / 1000"  # seconds since the page was asked for
LOADED = "return performance.getEntries().reduce((sum, entry) => sum + (entry.transferSize ?? 0), 0) / 1000"
MOVING = "return cards.every((card) => !card.seen || card.painted >= 0)"
console = Console()


def first_page(address: str) -> dict[str, float]:
    """Seconds and kilobytes of the arcade for somebody who comes for the first time."""
    driver = start_browser()
    try:
        page = Page(driver)
        page.play(f"{address}/index.html")
        found = {"game at the top, s": page.run(NOW)}
        page.until(MOVING)
        found |= {"cards in view, s": page.run(NOW), "kB by then": page.run(LOADED)}
        for number in range(page.run("return cards.length")):
            page.run("cards[arguments[0]].node.scrollIntoView()", number)
            page.until("return cards[arguments[0]].painted >= 0", number)
        return found | {"kB of all": page.run(LOADED)}
    finally:
        driver.quit()


def game_page(address: str, game: str) -> dict[str, float]:
    """The same of a game's own page, with its agent."""
    driver = start_browser()
    try:
        page = Page(driver)
        page.play(f"{address}/{game}.html")
        return {"ready, s": page.run(NOW), "kB": page.run(LOADED)}
    finally:
        driver.quit()


def measure(site: Path) -> list[dict[str, Any]]:
    """A row for each page: medians of `TIMES` visits."""
    rows = []
    with Server(site) as address:
        for name in ("the arcade", *GAMES):
            visits = [first_page(address) if name == "the arcade" else game_page(address, name) for _ in range(TIMES)]
            rows.append({"page": name, **{fact: median(visit[fact] for visit in visits) for fact in visits[0]}})
            console.print(rows[-1])
    return rows


def tables(rows: list[dict[str, Any]]) -> list[Table]:
    note = (
        f"Medians of {TIMES} visits, each of a browser that starts with an empty cache; compiled games travel gzipped."
    )
    first, *others = rows
    facts = [fact for fact in first if fact != "page"]
    games = [[row["page"], f"{row['ready, s']:.2f}", f"{row['kB']:.0f}"] for row in others]
    shown = [f"{first[fact]:.2f}" if fact.endswith(" s") else f"{first[fact]:.0f}" for fact in facts]
    return [
        Table("The first page of all games", note, facts, [shown]),
        Table("A game's page, with its agent", note, ["game", "ready, s", "kB"], games),
    ]


def account(found: dict[str, Any]) -> str:
    """The section of RESULTS.md."""
    return "\n\n".join(
        ["## Arcade", describe(found["machine"]), *(table.markdown() for table in tables(found["rows"]))]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="How long the arcade takes to be there.")
    parser.add_argument("--site", type=Path, help="the exported arcade")
    parser.add_argument("--write", action="store_true", help="keep the results in RESULTS.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        site = arguments.site or Path(temporary) / "arcade"
        if arguments.site is None and ludus(["export", "all", "--format", "web", "--out", str(site)]):
            raise SystemExit("the games could not be exported")
        found = {"machine": machine(PACKAGES), "rows": measure(site)}
    if arguments.write:
        write_results("arcade", found, account(found))
    for table in tables(found["rows"]):
        console.print(table.rich())


if __name__ == "__main__":
    main()
