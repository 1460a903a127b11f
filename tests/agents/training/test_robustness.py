"""Checkpoints withstand kills at any moment and damage of any kind; `benchmarks/robustness` does more of the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "robustness"
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}  # the script forks
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1300),
    pytest.mark.skipif(sys.platform != "linux", reason="forks and kills"),
]


@pytest.fixture(scope="module", params=[("ppo", 8, 100), ("dqn", 5, 50)], ids=["ppo", "dqn"])
def robustness(request):
    """A short run of the benchmark: an algorithm, how many kills and mutations, and what was found."""
    algo, kills, mutations = request.param
    command = [sys.executable, str(SCRIPT), "--algo", algo, "--kills", str(kills), "--mutations", str(mutations)]
    result = subprocess.run([*command, "--seed", "1"], capture_output=True, text=True, timeout=280, env=ONE_THREAD)
    assert result.returncode == 0, result.stderr
    return kills, mutations, json.loads(result.stdout)[algo]


def test_kills_at_any_moment_lose_nothing_that_was_saved(robustness):
    kills, _, found = robustness
    found = found["kills"]
    assert found["loadable"] + found["before_the_first_checkpoint"] == kills
    assert found["while_saving"] > 0 and found["went_back"] == 0
    assert found["equal"]


def test_damage_is_refused_or_changes_nothing(robustness):
    """What loads without a fitting digest says the very same: only its layout, such as a space, was changed."""
    _, mutations, found = robustness
    found = found["mutations"]
    assert found["failures"] == []
    assert sum(found["results"].values()) == mutations
    assert found["more_memory_kib"] < 300_000
