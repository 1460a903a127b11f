"""Checkpoints withstand kills at any moment and damage of any kind; `benchmarks/robustness.py` does more of the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "robustness.py"
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}  # the script forks
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1300),
    pytest.mark.skipif(sys.platform != "linux", reason="forks and kills"),
]


@pytest.fixture(scope="module")
def robustness():
    """A short run of the benchmark: twenty kills and five hundred mutations."""
    command = [sys.executable, str(SCRIPT), "--kills", "20", "--mutations", "500", "--seed", "1"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=280, env=ONE_THREAD)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_kills_at_any_moment_lose_nothing_that_was_saved(robustness):
    found = robustness["kills"]
    assert found["loadable"] + found["before_the_first_checkpoint"] == 20
    assert found["while_saving"] > 0 and found["went_back"] == 0
    assert found["equal"]


def test_damage_is_refused_or_changes_nothing(robustness):
    """What loads without a fitting digest says the very same: only its layout, such as a space, was changed."""
    found = robustness["mutations"]
    assert found["failures"] == []
    assert sum(found["results"].values()) == 500
    assert found["more_memory_kib"] < 300_000
