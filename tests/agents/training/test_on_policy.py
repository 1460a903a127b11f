"""An actor-critic of a few lines on the base class: the example of the guide `docs/add-an-algorithm.md`."""

import re
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import ludus

GUIDE = Path(__file__).parents[3] / "docs" / "add-an-algorithm.md"


@pytest.fixture(scope="module")
def reinforce(tmp_path_factory):
    """The guide's class, in a package of two files."""
    config, code = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.S)
    folder = tmp_path_factory.mktemp("reinforce") / "guides_reinforce"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "config.py").write_text(config.replace("from ..", "from ludus.agents."))
    (folder / "reinforce.py").write_text(code.replace("from ..", "from ludus.agents."))
    sys.path.insert(0, str(folder.parent))
    yield import_module("guides_reinforce.reinforce").REINFORCE
    sys.path.remove(str(folder.parent))


def trained(algorithm, updates, **kwargs):
    games = ludus.make_sb3("Catch", 32, seed=0)
    agent = algorithm("mlp", games, learning_rate=5e-3, seed=0, device="cpu", policy_kwargs=kwargs)
    return agent.learn(32 * 32 * updates)


def test_a_loss_and_a_train_are_enough_to_learn(reinforce):
    agent = trained(reinforce, 120)
    log = agent.logger.name_to_value
    assert agent.network.why == "compiled loops" and agent.gae_lambda == 1.0
    assert log["train/loss"] == pytest.approx(log["train/policy_gradient_loss"] + 0.5 * log["train/baseline_loss"])
    assert agent._n_updates == log["train/n_updates"] == 120
    assert np.mean([episode["r"] for episode in agent.ep_info_buffer]) > 0.5  # by chance about -0.55


def test_policies_may_be_recurrent(reinforce):
    agent = trained(reinforce, 3, memory="mingru", memory_size=8)
    assert agent.network.why == "PyTorch: recurrent" and agent._n_updates == 3
