"""Words on the command line: what is taken, what is refused in one line, and how help looks."""

import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.__main__ import explained, main, split_imports
from ludus.agents.checkpoints.schema import SCHEMAS
from ludus.agents.nn.recurrent import CORES
from ludus.agents.nn.value_dists import DISTRIBUTIONS
from ludus.cli.arguments import parse
from ludus.cli.flags import CHOICES, flags_of
from ludus.cli.settings import PRESETS, SETTINGS
from ludus.cli.train import CONFIGS, defaults
from ludus.envs import OptionError
from ludus.envs.engine.options import OBS_TYPES


@dataclass
class Inner:
    """More."""

    rate: float = 0.5
    """How much."""
    sizes: tuple[int, ...] | None = (1, 2)
    """How large."""


@dataclass
class Words:
    """Of all kinds."""

    name: str
    """Who. Nothing more."""
    count: int = 3
    """How many."""
    out: Path | None = None
    """Where."""
    fast: bool = True
    """Or slow."""
    inner: Inner = field(default_factory=Inner)


def test_every_kind_of_field_is_a_flag():
    line = ["me", "--count", "1_000", "--out=-x", "--no-fast", "--rate", "-2.5", "--sizes", "4", "5"]
    assert parse(Words, line, "test") == Words("me", 1000, Path("-x"), False, Inner(-2.5, (4, 5)))
    assert parse(Words, ["me"], "test") == Words("me")
    assert parse(Words("you", count=9), [], "test") == Words("you", count=9)
    assert parse(Words, ["me", "--sizes", "None", "--out", "none"], "test").inner.sizes is None
    assert parse(Words, ["--count=4", "me"], "test").count == 4


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "ludus test needs NAME: who"),
        (["me", "--count", "many"], "--count must be a whole number, got 'many'"),
        (["me", "--count", "2.5"], "--count must be a whole number, got '2.5'"),
        (["me", "--rate", "nan"], "--rate must be a finite number, got 'nan'"),
        (["me", "--rate", "inf"], "--rate must be a finite number, got 'inf'"),
        (["me", "--rate", "fast"], "--rate must be a number, got 'fast'"),
        (["me", "--rate"], "--rate expected one argument"),
        (["me", "--cuont", "3"], "unknown flag --cuont: did you mean --count?"),
        (["me", "--coun", "3"], "unknown flag --coun: did you mean --count?"),
        (["me", "--output", "3"], "unknown flag --output: did you mean --out?"),
        (["me", "--lr", "3"], "unknown flag --lr; see"),  # of which there is none here
        (["me", "you"], "unexpected 'you'"),
        (["me", "--fast=yes"], "ignored explicit argument 'yes'"),
    ],
)
def test_what_is_wrong_is_one_line(line, message):
    with pytest.raises(OptionError) as caught:
        parse(Words, line, "test")
    assert message in str(caught.value) and "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.text(max_size=8), st.sampled_from(["--rate", "--sizes", "--out", "me", "--", "-5", "nan"])))
)
def test_any_words_make_a_dataclass_or_one_error(line):
    config = "refused"
    with suppress(OptionError):
        config = parse(Words, [word for word in line if not word.startswith("-h")], "test")
    assert config == "refused" or (config.name in line and np.isfinite(config.inner.rate))


def test_a_value_of_another_algorithms_flag_is_no_game():
    config = defaults(["--algo", "pqn", "--q-lambda", "0.5", "Breakout"])
    assert (config.game, config.algo) == ("Breakout", "pqn")


def test_choices_that_are_shown_are_those_that_are_taken():
    shown = {flag.name: flag.choices for flag in flags_of(CONFIGS["dqn"](""))}
    assert {*shown["algo"]} == {*CONFIGS} == {*SCHEMAS} and {*shown["preset"]} == {*PRESETS["dqn"]}
    assert CHOICES["obs_type"] == OBS_TYPES
    for algo, schema in SCHEMAS.items():
        flags = {flag.name: flag for flag in flags_of(SETTINGS[algo]())}
        assert {*flags["policy"].choices} - {"auto"} == {*schema.policies}
    assert {*CORES} == {"lstm", "mingru"} and {*DISTRIBUTIONS} == {"c51", "qr", "iqn"}  # those of the configs


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--total-timesteps", "-5"], "--total-timesteps must be 1 or more, got -5"),
        (["--time-limit", "nan"], "--time-limit must be a finite number, got 'nan'"),
        (["--time-limit", "-1"], "--time-limit must be above 0, got -1.0"),
        (["--time-limit", "0"], "--time-limit must be above 0, got 0.0"),
        (["--save-interval", "-1"], "--save-interval must be 0 or more"),
        (["--seed", "-1"], "--seed must be from 0 to 4294967295, got -1"),
        (["--num-envs", "1000000000"], "--num-envs 1000000000 with --n-steps 16 takes 3400.0 GB, where"),
        (["--n-steps", "1000000000", "--num-envs", "2"], "left: use at most --n-steps "),
        (["--n-steps", "1000000000", "--num-envs", "1000000000"], "left: use at most a part of it"),
        (["--seed", "4294967296"], "--seed must be from 0 to 4294967295, got 4294967296"),
        (["--max-episode-steps", "0"], "must be a whole number from 1 to 2147483647, or -1 for no limit, got 0"),
        (["--gamma", "2"], "ludus: --gamma must be a number from 0 to 1, got 2.0"),
        (["--n-epochs", "0"], "ludus: --n-epochs must be a whole number from 1"),
        (["--n-steps", "-1"], "ludus: --n-steps must be a whole number from 1"),
        (["--n_epochs=0"], "ludus: --n-epochs must be a whole number from 1"),
        (["--frame-stack", "0"], "ludus: --frame-stack must be a whole number from 1"),
        (["--batch-size", "1"], "ludus: --batch-size must be 2 or more, got 1: give --no-normalize-advantage"),
        (["--clip-range", "-1"], "ludus: --clip-range must be a number from 0"),
        (["--learning-rate", "-1"], "ludus: --learning-rate must be a number from 0"),
    ],
)
def test_numbers_out_of_range_train_nothing(flags, message, tmp_path, capsys):
    assert main(["train", "Catch", "--out", str(tmp_path / "run"), *flags]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "Catch", "--out", ""], "--out must not be empty"),
        (["train", "Catch", "--out="], "--out must not be empty"),
        (["train", "Catch", "--out", "a\nb"], r"--out must be one line of at most 1000 characters, got 'a\nb'"),
        (["record", "Catch:random", "--out", ""], "--out must not be empty"),
        (["evaluate", ""], "must not be empty"),
    ],
)
def test_names_that_no_file_should_have(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train Catch --munchausen", "--munchausen is for DQN: --algo dqn; see"),
        ("train Catch --exploration_fraction=1", "--exploration-fraction is for DQN and PQN: --algo dqn or pqn; see"),
        ("train Catch --algo dqn --gae-lambda 1", "--gae-lambda is for PPO: --algo ppo; see"),
        (
            "train Catch --munchausn",
            "unknown flag --munchausn: did you mean --munchausen, which is for DQN: --algo dqn?",
        ),
        ("train Catch --lr 1", "unknown flag --lr: did you mean --learning-rate?"),
        ("evaluate Snake --heuristc", "unknown flag --heuristc: did you mean --against heuristic?"),
        ("evaluate Snake --det", "unknown flag --det: did you mean --deterministic?"),
        ("evaluate Snake:heuristc", "there is no bot 'heuristc': give Snake:heuristic or Snake:random"),
        ("evaluate TicTacToe:random --against heuristc", "there is no opponent 'heuristc': did you mean heuristic?"),
        ("play Catch --seat 2", "Catch is for one player: leave --seat out"),
        ("play Catch --against random", "Catch is for one player: leave --against out"),
        ("trian Catch", "unknown verb 'trian': did you mean 'train'?"),
    ],
)
def test_what_was_meant_is_named(line, message, capsys):
    assert main(line.split()) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize("verb", [["evaluate"], ["watch"], ["record", "--out", "x.gif"], ["train"], ["play"]])
@pytest.mark.parametrize("seed", ["-1", "4294967296", str(10**30)])
def test_every_verb_takes_the_same_seeds(verb, seed, capsys):
    assert main([verb[0], "Catch", *verb[1:], "--seed", seed]) == 2
    assert capsys.readouterr().err == f"ludus: --seed must be from 0 to 4294967295, got {seed}\n"


def test_too_many_environments_of_another_library(tmp_path, capsys):
    assert main(["train", "CartPole-v1", "--num-envs", "1000000000", "--out", str(tmp_path / "run")]) == 2
    assert "--num-envs must be a whole number from 1 to 10000 for CartPole-v1" in capsys.readouterr().err


# -- errors that are not the program's fault ---------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["train", "evaluate", "watch", "play", "record", "export"])
def test_a_verb_without_its_argument_is_one_line(verb, capsys):
    assert main([verb]) == 2
    error = capsys.readouterr().err
    assert (
        f"ludus {verb} needs {'GAME' if verb in ('train', 'play') else 'AGENT'}: " in error and error.count("\n") == 1
    )


def test_a_package_that_is_missing_is_named_with_the_line_that_installs_it(tmp_path, monkeypatch, capsys):
    def fail(name, **options):
        raise gymnasium.error.DependencyNotInstalled('Box2D is not installed, run `pip install "gymnasium[box2d]"`')

    monkeypatch.setattr("stable_baselines3.common.env_util.gym.make", fail)
    assert main(["train", "CartPole-v1", "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and 'pip install "gymnasium[box2d]"' in error
    assert not (tmp_path / "run").exists()


def test_what_runs_out_of_memory_is_one_line_and_a_bug_is_not():
    for error in (
        MemoryError("Unable to allocate 186 GiB"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried ..."),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("can't start new thread"),
    ):
        assert explained(error).startswith("not enough memory")
    assert explained(OSError(28, "No space left on device", "runs/x")) == "No space left on device: runs/x"
    assert "libtorch_cpu.so" in explained(ImportError("libtorch_cpu.so: failed to map segment from shared object"))
    assert explained(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None


@pytest.mark.parametrize("verb", [["evaluate"], ["watch"], ["record", "--out", "x.gif"]])
@pytest.mark.parametrize(
    ("who", "message"),
    [
        ("Snake", "Snake is a game, and the zoo has no agent for it: give Snake:heuristic or Snake:random"),
        ("snake", "`ludus train Snake` makes an agent"),
        ("Snake:best", "there is no bot 'best': give Snake:heuristic or Snake:random"),
        ("nowhere", "there is no folder nowhere"),
    ],
)
def test_a_game_in_place_of_an_agent_gets_its_players_named(verb, who, message, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("ludus.zoo.cards.AGENTS", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main([verb[0], who, *verb[1:]]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_import_works_wherever_it_stands(tmp_path, monkeypatch, capsys):
    assert split_imports(["--import", "a", "play", "X", "--import=b", "--seed", "1"]) == (
        ["a", "b"],
        ["play", "X", "--seed", "1"],
    )
    monkeypatch.chdir(tmp_path)
    assert main(["games", "--import", "no_such_package"]) == 2
    assert "--import: there is no package no_such_package" in capsys.readouterr().err


PACKAGES = {
    "an error of its own kind": ("class Own(BaseException): pass\nraise Own('no')", "Own: no (package_{k}.py, line 2)"),
    "an error without words": (
        "class Own(Exception):\n    def __str__(self): raise ValueError\nraise Own",
        "Own: an error without words (package_{k}.py, line 3)",
    ),
    "the program's end": ("import sys\nsys.exit(3)", "SystemExit: 3 (package_{k}.py, line 2)"),
    "lines": ("raise ValueError('a\\nb')", "ValueError: a b (package_{k}.py, line 1)"),
}


@pytest.mark.parametrize("kind", PACKAGES)
def test_a_package_that_fails_is_named_in_one_line(kind, tmp_path, monkeypatch, capsys):
    (code, message), k = PACKAGES[kind], list(PACKAGES).index(kind)
    (tmp_path / f"package_{k}.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["games", "--import", f"package_{k}"]) == 2
    assert capsys.readouterr().err == f"ludus: --import package_{k}: {message.format(k=k)}\n"


def test_a_batch_that_does_not_divide_the_rollout_is_told_in_our_words(tmp_path, capsys):
    command = ["train", "Catch", "--num-envs", "16", "--batch-size", "100", "--total-timesteps", "256"]
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main([*command, "--out", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().err == (
        "ludus: warning: --batch-size 100 does not divide the rollout of 256 transitions (--n-steps times --num-envs): the "
        "last minibatch of each pass has 56; 64 would divide it\n"
    )
