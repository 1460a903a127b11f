"""docs/reference.md and the guide's table of mistakes are of the code as it is."""

import subprocess
import sys
from pathlib import Path

from ludus.envs.engine.syntax import BUILTINS, SYNTAX

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, str(DOCS / "reference.py"), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_has_all_that_is_refused_and_every_call_that_draws() -> None:
    text = (DOCS / "reference.md").read_text()
    for what, instead in (*SYNTAX.values(), *((f"`{name}`", instead) for name, instead in BUILTINS.items())):
        assert f"| {what} | {instead} |" in text
    for call in ("rounded_rect(canvas, x, y, width, height, radius, color)", "below(random, n)", "max_episode_steps"):
        assert call in text
