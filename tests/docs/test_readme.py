"""What README.md shows is what happens."""

import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text()
FIVE_LINES, A_GAME, OPTIONS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(code, folder):
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_five_lines_train_an_agent_and_save_it(tmp_path):
    assert len([line for line in FIVE_LINES.splitlines() if line.strip()]) <= 5
    assert "ep_rew_mean" in run(FIVE_LINES.replace("500_000", "20_000"), tmp_path)
    assert (tmp_path / "runs" / "first" / "agent.json").exists()


def test_fifteen_lines_make_a_game_that_is_learned(tmp_path):
    assert len([line for line in A_GAME.splitlines() if line.strip()]) <= 15
    final = re.findall(r"ep_rew_mean +\| +(-?\d+\.?\d*)", run(A_GAME, tmp_path))[-1]
    assert float(final) > 0.9  # the shortest way to the gem costs at most 0.07


def test_options_are_taken(tmp_path):
    run(OPTIONS, tmp_path)


def test_lines_fit_a_page():
    """As GitHub shows a README, code has room for some 105 characters before it scrolls."""
    code = re.findall(r"```\w+\n(.*?)```", README, re.DOTALL)
    assert max(len(line) for block in code for line in block.splitlines()) <= 105
