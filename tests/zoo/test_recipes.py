"""Every recipe is for a game that exists, and its settings are known."""

import pytest

from ludus.cli.train import defaults, from_recipe
from ludus.envs import OptionError, find_game
from ludus.zoo import recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_recipe_makes_settings(name):
    assert find_game(name).name == name
    config = from_recipe(name)
    assert config.options.repeat_action_probability == 0.1
    assert config.options.full_action_space
    assert recipe(name)["about"]


def test_the_flag_chooses_the_recipe():
    assert defaults(["Breakout", "--recipe"]) == from_recipe("Breakout")
    assert defaults(["Breakout"]).options.repeat_action_probability == 0


def test_unknown_recipe_is_one_line():
    with pytest.raises(OptionError, match=r"there is no recipe for Catch; there are some for Asterix"):
        recipe("Catch")
