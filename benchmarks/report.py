"""What benchmarks share: tables, a description of the machine, and one section each in RESULTS.md."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.table import Table as RichTable

FOLDER = Path(__file__).parent
ABSENT = "not installed"


@dataclass
class Table:
    """A table for the terminal and for RESULTS.md; the first column is text, the others are right-aligned."""

    title: str
    note: str
    columns: list[str]
    rows: list[list[str]]

    def rich(self) -> RichTable:
        table = RichTable(title=self.title, caption=self.note, title_justify="left", caption_justify="left")
        for k, column in enumerate(self.columns):
            table.add_column(column, justify="right" if k else "left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        lines = [self.columns, ["---"] + ["---:"] * (len(self.columns) - 1), *self.rows]
        return "\n".join([f"### {self.title}", "", self.note, "", *(f"| {' | '.join(line)} |" for line in lines)])


def amount(number: float) -> str:
    """Three digits and a unit: 3.41 M, 853 k, 642."""
    for unit, letter in ((1e6, " M"), (1e3, " k")):
        if number >= 0.9995 * unit:
            return three_digits(number / unit) + letter
    return f"{number:.0f}"


def times(ratio: float | None) -> str:
    """A ratio as 6.51x or 12.3x; a dash for none."""
    return "-" if ratio is None else f"{three_digits(ratio)}x"


def between(interval: Sequence[float] | None) -> str:
    """An interval as 1.2 to 3.4; a dash for none."""
    return "-" if interval is None else "{:.1f} to {:.1f}".format(*interval)


def three_digits(number: float) -> str:
    """6.51, 12.3, 642, 1200."""
    return f"{number:.0f}" if number >= 99.95 else f"{number:#.3g}"


def machine(packages: tuple[str, ...]) -> dict[str, Any]:
    """What figures depend on: processor, system, versions, and the date."""
    return {
        "date": date.today().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: installed_version(name) for name in packages},
    }


def all_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The processor's name, with family and model, since virtual machines may shorten the name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = facts.get("model name", platform.machine())
    return f"{name} (family {facts['cpu family']}, model {facts['model']})" if "cpu family" in facts else name


def installed_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ABSENT


def describe(facts: dict[str, Any]) -> str:
    """The machine in one paragraph."""
    hardware = f"{facts['processor']}, {facts['cores']} cores, {facts['system']}"
    packages = ", ".join(f"{name} {number}" for name, number in facts["packages"].items())
    return f"{facts['date']}, {hardware}, Python {facts['python']}; {packages}."


def sampled_as(algo: str) -> str:
    """How an agent plays that does not play greedily."""
    return "sampled" if algo == "ppo" else "with exploration"


def write_results(name: str, found: dict[str, Any], text: str, folder: Path = FOLDER) -> None:
    """Keep figures in results/NAME.json and their account in RESULTS.md, between the benchmark's two markers.

    What else the page holds stays as it is.
    """
    write_figures(name, found, folder)
    page = folder / "RESULTS.md"
    page.write_text(with_section(page.read_text() if page.exists() else "# Results\n", name, text))


def write_figures(name: str, found: dict[str, Any], folder: Path = FOLDER) -> None:
    """Keep figures in results/NAME.json, whole at any moment."""
    results = folder / "results" / f"{name}.json"
    results.parent.mkdir(exist_ok=True)
    draft = results.with_suffix(".part")
    draft.write_text(in_lines(found) + "\n")
    draft.replace(results)


def in_lines(found: dict[str, Any]) -> str:
    """JSON with a line for each figure, and for each list of plain values."""

    def joined(lines: re.Match[str]) -> str:
        return "[" + re.sub(r",\n *", ", ", lines[1]) + "]"

    return re.sub(r"\[\n *([^][{}]*?)\n *\]", joined, json.dumps(found, indent=2))


def read_figures(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """What results/NAME.json has; nothing if there is none."""
    results = folder / "results" / f"{name}.json"
    return json.loads(results.read_text()) if results.exists() else {}


def with_section(page: str, name: str, text: str) -> str:
    """The page with that section replaced, or added at its end."""
    start, end = f"<!-- {name}: start -->", f"<!-- {name}: end -->"
    section = f"{start}\n{text}\n{end}"
    before, found, rest = page.partition(start)
    if not found:
        return f"{page.rstrip()}\n\n{section}\n"
    _, closed, after = rest.partition(end)
    if not closed:
        raise ValueError(f"the page has {start} but no {end}")
    return before + section + after
