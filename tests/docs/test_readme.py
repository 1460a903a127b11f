"""What the README shows is what happens."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_readme_has_its_examples():
    assert len(BLOCKS) == 9
    assert len([line for line in BLOCKS[0].splitlines() if line.strip()]) <= 10
    assert len([line for line in BLOCKS[1].splitlines() if line.strip()]) <= 15


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_example_runs(number, tmp_path):
    result = subprocess.run([sys.executable, "-c", BLOCKS[number]], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    if number == 0:
        assert re.search(r"breaks \d+\.\d bricks a step", result.stdout)
    if number == 1:
        final = re.findall(r"ep_rew_mean +\| +(-?\d+\.?\d*)", result.stdout)[-1]
        assert float(final) > 0.9  # the shortest way to the gem costs at most 0.07


def test_every_command_has_a_verb():
    from ludus.__main__ import VERBS

    verbs = re.findall(r"\bludus ([a-z]+) ", "\n".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL)))
    assert verbs
    assert set(verbs) <= set(VERBS)
