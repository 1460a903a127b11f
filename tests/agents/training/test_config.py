"""An option is described once, in the config of its algorithm, and found wherever options are shown, taken or stored."""

import runpy
from dataclasses import dataclass, fields
from inspect import signature
from pathlib import Path

import pytest
import stable_baselines3
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

import ludus
from ludus.agents import ALGORITHMS, CONFIGS
from ludus.agents.checkpoints.schema import SCHEMAS, schema_of
from ludus.agents.files.config import Range, option, options_of
from ludus.agents.ppo.config import PPOConfig
from ludus.agents.q_learning.config import PQNConfig
from ludus.agents.training import saved_agent
from ludus.cli.arguments import flags_of, parse
from ludus.cli.settings import SETTINGS, settings_of
from ludus.envs import OptionError

REFERENCE = Path(__file__).parents[3] / "docs" / "reference.py"


@dataclass(frozen=True)
class ToyConfig(PPOConfig):
    """A toy."""

    curiosity: float = option(
        0.5, "Weight of the exploration bonus.", 0, 2, train=1.5, unit="rewards", tune=Range(0, 1)
    )


class Toy(ludus.PPO):
    """PPO with an option more."""

    algorithm, config = "toy", ToyConfig


def toy(**changes):
    return Toy("mlp", ludus.make_sb3("Catch", 2), n_steps=8, batch_size=8, device="cpu", **changes)


def test_the_constructor_takes_a_new_option_checks_and_documents_it():
    assert signature(Toy).parameters["curiosity"].default == 0.5
    assert (toy().curiosity, toy(curiosity=1).curiosity) == (0.5, 1)
    with pytest.raises(OptionError, match=r"curiosity must be a number from 0 to 2, got 3"):
        toy(curiosity=3)
    assert "curiosity: Weight of the exploration bonus. [0 to 2]" in (Toy.__doc__ or "")
    assert "curiosity" not in signature(ludus.PPO).parameters


def test_the_command_line_has_a_flag_for_it():
    settings = settings_of("toy", ToyConfig)
    (flag,) = [flag for flag in flags_of(settings()) if flag.name == "curiosity"]
    assert (flag.flag, flag.kind, flag.default) == ("--curiosity", float, 1.5)
    assert flag.help == "Weight of the exploration bonus."
    assert parse(settings, ["--curiosity", "0.25"], "toy").curiosity == 0.25


def test_checkpoints_store_it_and_those_from_before_get_its_default(tmp_path, monkeypatch):
    monkeypatch.setitem(SCHEMAS, "toy", schema_of(ToyConfig))
    toy(curiosity=0.75).save(tmp_path / "new")
    assert Toy.load(tmp_path / "new").curiosity == 0.75
    before = schema_of(PPOConfig)  # without the option
    monkeypatch.setitem(SCHEMAS, "toy", before)
    toy(curiosity=0.75).save(tmp_path / "old")
    monkeypatch.setitem(SCHEMAS, "toy", schema_of(ToyConfig))
    monkeypatch.setattr("ludus.agents.checkpoints.manifest.LATER", {"curiosity"})
    assert Toy.load(tmp_path / "old").curiosity == 0.5


def test_the_reference_has_a_row_for_it():
    table = runpy.run_path(str(REFERENCE))["algorithm"](ToyConfig)
    assert "| `curiosity` | `0.5` | `1.5` | 0 to 1 | 0 to 2 | rewards | Weight of the exploration bonus. |" in table


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_option_has_all_its_parts(name):
    config, agent = CONFIGS[name], getattr(ludus, CONFIGS[name].__name__.removesuffix("Config"))
    assert agent.config is config and agent.algorithm == name
    for each in options_of(config):
        assert each.help.endswith(".") and each.use in ("agent", "policy", "train"), each.name
        assert (each.name in signature(agent).parameters) == (each.use == "agent" or each.name == "policy"), each.name
        assert (each.name in {field.name for field in fields(SETTINGS[name])}) == each.flag, each.name
        for value in (each.default, each.train):
            inside = not isinstance(value, float) or each.low is None or each.low <= value <= each.high
            assert inside and (not each.choices or value in (*each.choices, None)), each.name


@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_defaults_are_those_of_stable_baselines3(name):
    theirs = signature(getattr(stable_baselines3, name)).parameters
    for each in options_of(CONFIGS[name.lower()]):
        assert each.use != "agent" or each.name not in theirs or each.default == theirs[each.name].default, each.name


def test_an_algorithm_of_its_own_needs_no_more_than_its_class_and_config():
    @dataclass(frozen=True)
    class OwnConfig(PQNConfig):
        """A config."""

    class Own(saved_agent.SavedAgent, OnPolicyAlgorithm):
        """An algorithm."""

        algorithm, config, fixed = "own", OwnConfig, {"gae_lambda": 1.0}

    assert list(signature(Own).parameters)[:6] == [
        "policy", "env", "learning_rate", "n_steps", "batch_size", "n_epochs",
    ]  # fmt: skip
    assert "gae_lambda" not in signature(Own).parameters and "q_lambda" in (Own.__doc__ or "")
