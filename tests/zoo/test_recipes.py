"""Recipes: every one is for a game that exists, `ludus train` begins with it, and a doctored one is refused in one line."""

import json

import pytest

from ludus.__main__ import main
from ludus.cli.recipes import in_words, parse_recipe, recipe_for
from ludus.cli.settings import SETTINGS
from ludus.cli.train import defaults, from_recipe
from ludus.envs import OptionError, find_game
from ludus.envs.registry import all_games, is_own
from ludus.zoo import recipe, recipe_names

MINATAR = ("Asterix", "Breakout", "Freeway", "Seaquest", "SpaceInvaders")


@pytest.mark.parametrize("name", recipe_names())
def test_recipe_makes_settings(name):
    assert find_game(name).name == name
    config, told = from_recipe(name), recipe(name)
    assert config.algo == told.get("algo", "ppo") and told["about"]
    for key, value in told.get(config.algo, {}).items():
        assert getattr(config.settings, key) == (tuple(value) if isinstance(value, list) else value)


def test_every_game_has_one():
    assert recipe_names() == sorted(game.name for game in all_games().values() if is_own(game))


@pytest.mark.parametrize("name", MINATAR)
def test_minatars_games_have_minatars_protocol(name):
    options = from_recipe(name).options
    assert options.repeat_action_probability == 0.1 and options.full_action_space


def test_the_recipe_is_what_training_begins_with():
    assert defaults(["Breakout"]) == defaults(["Breakout", "--recipe"]) == from_recipe("Breakout")
    bare = defaults(["Breakout", "--no-recipe"])
    assert bare.options.repeat_action_probability == 0 and not bare.recipe and bare.settings == SETTINGS[bare.algo]()


def recipe_file(tmp_path, **facts):
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({"about": "a test", **facts}, indent=1))
    return str(path)


def test_a_file_says_algorithm_protocol_settings_and_steps(tmp_path):
    file = recipe_file(
        tmp_path, algo="pqn", total_timesteps=1234, options={"max_episode_steps": 77},
        pqn={"num_envs": 32, "net_arch": [8, 9]},
    )  # fmt: skip
    config = defaults(["Catch", "--recipe-file", file])
    assert (config.algo, config.total_timesteps, config.options.max_episode_steps) == ("pqn", 1234, 77)
    assert config.settings == SETTINGS["pqn"](num_envs=32, net_arch=(8, 9))
    other = defaults(
        ["Catch", "--recipe-file", file, "--algo", "dqn"]
    )  # the protocol is the game's, steps are the algorithm's
    assert other.settings == SETTINGS["dqn"]() and other.options == config.options
    assert other.total_timesteps == defaults(["Catch", "--no-recipe"]).total_timesteps


@pytest.mark.parametrize("flags", [["--obs-type", "rgb"], ["--encoder", "some"], ["--encoder", "some", "--freeze"]])
def test_settings_are_for_what_the_recipe_sees(tmp_path, flags):
    file = recipe_file(tmp_path, ppo={"num_envs": 32}, options={"max_episode_steps": 77})
    config = defaults(["Catch", "--recipe-file", file, *flags])
    assert config.settings.num_envs == SETTINGS["ppo"]().num_envs and config.options.max_episode_steps == 77
    decoded = defaults(["Catch", "--recipe-file", file, "--encoder", "some", "--decode"])
    assert decoded.settings.num_envs == 32


WRONG = {  # content: line and message
    '{"about": 3}': (1, "about must be text, got 3"),
    '{"about": "",\n "algo": "magic"}': (2, "algo must be one of ppo, dqn, pqn, got 'magic'"),
    '{"options": {},\n "magic": {}}': (2, "there is no 'magic' in a recipe"),
    '{"total_timesteps": 0}': (1, "total_timesteps must be 1 or more, got 0"),
    '{"total_timesteps": true}': (1, "total_timesteps must be a whole number, got True"),
    '{"pqn": {\n "n_steps": 8,\n "gamma": 1.5}}': (3, "gamma must be 0 to 1, got 1.5"),
    '{"dqn": {"gamma": 0.9},\n "pqn": {"n_stepz": 8,\n "gamma": 0.5}}': (2, "did you mean 'n_steps'?"),
    '{"dqn": {"gamma": 0.9},\n "pqn": {"n_steps": 8,\n "gamma": "0.5"}}': (3, "gamma is '0.5', which it cannot be"),
    '{"ppo": {"policy":\n "magic"}}': (1, "policy must be auto"),
    '{"options": {\n\n "size": 64, "frame_stack": 99}}': (3, "frame_stack must be a whole number from 1 to 64, got 99"),
    '{"options": {"obs_type": "smell"}}': (1, "unknown obs_type 'smell'"),
}


@pytest.mark.parametrize("content", WRONG)
def test_a_doctored_recipe_is_refused_with_its_line(content):
    line, message = WRONG[content]
    with pytest.raises(OptionError) as caught:
        parse_recipe(content.encode(), "mine.json", find_game("Catch"))
    assert str(caught.value).startswith(f"mine.json, line {line}: ") and message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"), (b"\xff{}", "is not text in UTF-8"), (b'{"about": NaN}', "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b'{"ppo": {}, "ppo": {}}', "a name is there twice"), (b'{"a":' * 5000, "is not JSON"),
        ('{"ppo": {}}'.encode("utf-16"), "is not text in UTF-8"),
        (b'{"ppo": {"learning_rate": 1%s}}' % (b"0" * 400), "learning_rate is too large a number"),
        (b'{"ppo": {"ent_coef": -1e999}}', "ent_coef must be from -1e.09 to 1e.09"),
        (b'{"algo": "%s"}' % (b"x" * 100_000), "got .x{79}$"),
    ],
)  # fmt: skip
def test_what_is_no_recipe_is_refused_in_one_line(content, message):
    with pytest.raises(OptionError, match=f"mine.json.*{message}"):
        parse_recipe(content, "mine.json", find_game("Catch"))


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["Catch", "--recipe"], "there is no recipe for Catch"),
        (["Catch", "--recipe-file", "nothing.json"], "nothing.json cannot be read: No such file"),
        (["Catch", "--recipe-file", "x.json", "--no-recipe"], "exclude each other"),
        (["CartPole-v1", "--recipe-file", "x.json"], "--recipe-file is for games of Ludus"),
        (["CartPole-v1", "--recipe"], "--recipe is for games of Ludus"),
    ],
)
def test_what_cannot_be_is_said(words, answer, capsys, monkeypatch):
    monkeypatch.setattr("ludus.zoo.recipe_names", lambda: ["Asterix"])
    assert main(["train", *words]) == 2
    err = capsys.readouterr().err
    assert answer in err and err.count("\n") == 1


def test_what_a_recipe_has_for_another_algorithm_is_said():
    assert in_words("Breakout", "pqn") == "recipe: the zoo's for Breakout; --no-recipe begins with bare defaults"
    assert "which is by PQN (for PPO it has options and settings)" in in_words("Breakout", "ppo")
    assert "which is by PQN (for DQN it has options)" in in_words("Breakout", "dqn")


def test_unknown_recipe_is_one_line(monkeypatch):
    monkeypatch.setattr("ludus.zoo.recipe_names", lambda: ["Asterix"])
    with pytest.raises(OptionError, match=r"there is no recipe for Catch; there are some for Asterix"):
        recipe("Catch")
    assert recipe_for(find_game("Catch")) is None
