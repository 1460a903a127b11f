"""Where a trial runs: a process with a folder, a home and a cache of its own, and how it ended."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 240  # seconds that a trial may take on a busy machine


@dataclass
class Place:
    """A trial's own folder, with what its process finds around it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, arguments: list[str], **more: object) -> Outcome:
        """Run Python with these arguments to its end."""
        return self.start(arguments, **more).end()

    def start(self, arguments: list[str], **more: object) -> Running:
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, **more}
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        return Running(subprocess.Popen([sys.executable, *arguments], cwd=work, env=self.environment, **given))  # type: ignore[call-overload]

    def ludus(self, *arguments: str, **more: object) -> Outcome:
        return self.run(["-m", "ludus", *arguments], **more)


@dataclass
class Running:
    process: subprocess.Popen[str]

    def end(self) -> Outcome:
        try:
            text, _ = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return Outcome(None, self.process.communicate()[0] or "")
        return Outcome(self.process.returncode, text or "")


@dataclass
class Outcome:
    """How a process ended: its status, None if it had to be killed, and what it said."""

    status: int | None
    text: str

    def fault(self) -> str:
        """What no program may do; empty if it did not."""
        if self.status is None:
            return "did not end"
        if self.status < 0:
            return f"ended by {signal.Signals(-self.status).name}"
        return "a traceback" if "Traceback (most recent call last)" in self.text else ""

    def held(self, must: bool = True) -> str:
        return self.fault() or ("" if must else "not as asked")


def surroundings(folder: Path) -> Place:
    """A new home and cache, and no display."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LUDUS_", "XDG_"))}
    home = {"HOME": str(folder / "home"), "LUDUS_CACHE_DIR": str(folder / "cache"), "SDL_VIDEODRIVER": "dummy"}
    (folder / "home").mkdir()
    (folder / "cache").mkdir(mode=0o700)
    return Place(folder, {**kept, **home})


Trial = Callable[[Place, random.Random], str]  # what went wrong; empty if it held
