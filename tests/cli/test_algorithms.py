"""`--algo dqn` and `--algo pqn`, through every verb."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from ludus.__main__ import main
from ludus.agents import CONFIGS as AGENT_CONFIGS
from ludus.agents import load_agent
from ludus.agents.training.evaluation import Player
from ludus.cli import watch
from ludus.cli.arguments import parse
from ludus.cli.making import make_agent, make_env
from ludus.cli.settings import PRESETS, SETTINGS
from ludus.cli.settings_file import to_plain
from ludus.cli.train import CONFIGS, defaults
from ludus.envs import Options, Simulator
from ludus.envs.viewer.window import Window
from ludus.zoo import recipe, recipe_names

from .test_train_evaluate import here, refused
from .test_train_evaluate import ludus as run

SIZES = {"num_envs": 16, "n_steps": 16, "batch_size": 64, "buffer_size": 4000, "learning_starts": 500}


def quick(algo):
    """Flags for a short training: sizes that the algorithm has, where they are smaller than its defaults."""
    usual = vars(SETTINGS[algo]())
    sizes = {name: size for name, size in SIZES.items() if size < usual.get(name, 0)}
    return [
        *(text for name, size in sizes.items() for text in (f"--{name.replace('_', '-')}", str(size))),
        "--policy",
        "mlp",
    ]


QUICK = {algo: quick(algo) for algo in SETTINGS if algo != "ppo"}  # whose training `test_train_evaluate` has


@pytest.fixture(scope="module", params=QUICK)
def trained(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / request.param
    command = ["train", "Catch", "--algo", request.param, "--total-timesteps", "6000", "--out", str(folder)]
    result = run(*command, *QUICK[request.param])
    assert result.returncode == 0, result.stderr
    return request.param, folder, result.stdout


def test_train_says_what_it_did_and_keeps_the_agent(trained):
    algo, folder, output = trained
    assert f"training {algo.upper()} on Catch, 16 games at once" in output and "done: mean return" in output
    assert json.loads((folder / "agent.json").read_text())["algorithm"] == algo
    assert type(load_agent(folder)).__name__ == algo.upper() and list(folder.glob("tensorboard*/events*"))


def test_evaluate_and_record(trained, tmp_path):
    _, folder, _ = trained
    result = run("evaluate", str(folder), "--episodes", "20")
    assert result.returncode == 0 and "greedy" in result.stdout, result.stderr
    result = run("record", str(folder), "--out", str(tmp_path / "play.gif"), "--max-steps", "20")
    assert result.returncode == 0 and (tmp_path / "play.gif").stat().st_size > 1000, result.stderr


@pytest.mark.parametrize("algo", SETTINGS)
@pytest.mark.parametrize(("options", "encoder"), [({}, None), ({"size": 36}, "NatureCnn"), ({"size": 20}, "ImpalaCnn")])
def test_each_has_the_network_that_suits_what_it_sees(algo, options, encoder):
    seen = Options(obs_type="rgb", **options) if options else Options()
    config = CONFIGS[algo]("Catch", options=seen, settings=SETTINGS[algo](num_envs=64), device="cpu")
    agent = make_agent(config, make_env(config), None)
    network = getattr(agent.policy, "q_net", agent.policy)
    on_planes = {"mlp": "MlpEncoder", "cnn": "MinAtarCnn"}[type(agent).config.on_planes]
    assert {"ppo": "MlpEncoder", "dqn": "MinAtarCnn", "pqn": "MlpEncoder"}.get(algo, on_planes) == on_planes
    assert type(network.features_extractor).__name__ == (encoder or on_planes)


def test_export_says_how_to_load_it(trained, tmp_path):
    algo, folder, _ = trained
    result = run("export", str(folder), "--out", str(tmp_path / "agent.zip"))
    title = "PPO" if AGENT_CONFIGS[algo].network == "actor_critic" else "DQN"
    assert result.returncode == 0 and f"stable_baselines3.{title}.load" in result.stdout, result.stderr


def test_resume_goes_on_and_keeps_its_settings(trained, capsys):
    algo, folder, _ = trained
    steps = load_agent(folder).num_timesteps
    assert here("train", "Catch", "--out", str(folder), "--resume", "--total-timesteps", str(steps + 2_000)) == 0
    assert f"training {algo.upper()} on Catch, 16 games at once, from step {steps}" in capsys.readouterr().out
    assert load_agent(folder).num_timesteps >= steps + 2_000


def test_the_window_shows_what_actions_are_worth(trained, tmp_path):
    _, folder, _ = trained
    agent, sim = load_agent(folder), Simulator("Catch", seed=1, autoreset="disabled")
    session = watch.Session(Player(agent, sim), sim, watch.Config(Path(folder)))
    decision = session.scene().decision
    obs = np.array(sim.obs)
    assert decision.worth == (AGENT_CONFIGS[agent.algorithm].network == "q_network")
    assert np.allclose(decision.numbers, agent.explain(obs)[0][0])
    assert not decision.worth or decision.values[-1] == pytest.approx(max(decision.numbers))
    with Window(sim, "test") as window:
        window.show(session.scene())


@pytest.mark.parametrize("algo", CONFIGS)
def test_help_explains_every_setting_of_an_algorithm(algo):
    text = run("train", "--algo", algo, "--help-all").stdout
    for field in dataclasses.fields(SETTINGS[algo]):
        assert re.search(rf"--(\[no-\])?{field.name.replace('_', '-')}\b", text), field.name


@pytest.mark.parametrize("preset", PRESETS["dqn"])
def test_presets_are_settings_that_flags_go_before(preset):
    config = defaults(["Breakout", "--algo", "dqn", "--preset", preset])
    settings = dataclasses.asdict(config.settings)
    assert config.preset == preset and PRESETS["dqn"][preset].items() <= settings.items()


@pytest.mark.parametrize("algo", SETTINGS)
@pytest.mark.parametrize("game", recipe_names())
def test_a_recipe_is_for_every_algorithm(algo, game):
    config = defaults([game, "--recipe", "--algo", algo])
    assert (
        config.algo == algo
        and config.recipe
        and to_plain(config.options)
        == {
            **to_plain(Options()),
            **recipe(game).get("options", {}),
        }
    )


BAD = {
    "unknown algorithm": (["--algo", "sac"], "unknown algorithm 'sac': choose from ppo, dqn, pqn"),
    "preset of another": (["--preset", "rainbow"], "--preset rainbow: choose from dqn, rainbow, with --algo dqn"),
    "unknown preset": (["--algo", "dqn", "--preset", "agent57"], "--preset agent57: choose from"),
    "unknown policy": (["--algo", "dqn", "--policy", "huge"], "unknown policy 'huge': choose from mlp, cnn"),
    "unknown distribution": (
        ["--algo", "dqn", "--distribution", "normal"],
        "distribution must be one of c51, qr, iqn, None",
    ),
    "small memory": (["--algo", "dqn", "--buffer-size", "10"], "--buffer-size must be at least"),
}


@pytest.mark.parametrize(("flags", "line"), BAD.values(), ids=BAD)
def test_bad_flags_are_one_clear_line(flags, line, tmp_path):
    assert line in refused("train", "Catch", "--out", str(tmp_path / "run"), *flags)


def test_an_algorithm_cannot_change_on_the_way(trained):
    algo, folder, _ = trained
    other = "pqn" if algo == "dqn" else "dqn"
    assert "--algo" in refused("train", "Catch", "--algo", other, "--out", str(folder), "--resume")


def test_layers_and_activation_of_ppo_are_flags(capsys):
    import torch

    words = ["Catch", "--num-envs", "4", "--n-steps", "8", "--batch-size", "32", "--net-arch", "24", "16"]
    config = parse(defaults(words), [*words, "--activation", "silu"], "train")
    layers = list(make_agent(config, make_env(config), None).policy.mlp_extractor.policy_net)
    assert [layer.out_features for layer in layers if isinstance(layer, torch.nn.Linear)] == [24, 16]
    assert [type(layer) for layer in layers[1::2]] == [torch.nn.SiLU] * 2
    assert main(["train", *words, "--activation", "sine"]) == 2
    assert "--activation must be relu, tanh or silu, got 'sine'" in capsys.readouterr().err
