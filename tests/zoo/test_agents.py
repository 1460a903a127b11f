"""The zoo's own agents: one for every game, made by its recipe as it is now, small, and as good as their cards say."""

import pytest

from ludus.__main__ import main
from ludus.cli.settings_file import to_plain
from ludus.cli.train import from_recipe
from ludus.envs import find_game
from ludus.zoo import recipe, recipe_names
from ludus.zoo.cards import AGENTS, CHECKSUMS, agent_folder, agent_names, read_card, read_sums


def test_every_recipe_has_an_agent():
    assert agent_names() == recipe_names()
    assert {name.split("/")[0] for name in read_sums(AGENTS)} == set(recipe_names())


@pytest.mark.parametrize("game", recipe_names())
def test_the_card_is_of_the_recipe(game):
    folder = agent_folder(game)
    assert folder is not None
    card, facts = read_card(folder), recipe(game)
    assert (card["game"], card["version"]) == (game, find_game(game).version)
    assert card["algo"] == from_recipe(game).algo and card["steps"] >= from_recipe(game).total_timesteps
    assert card["settings"] == to_plain(facts.get(card["algo"], {})) and card["options"] == facts.get("options", {})


def test_all_of_them_are_small():
    assert sum(path.stat().st_size for path in AGENTS.rglob("*")) <= 40e6
    assert (AGENTS / CHECKSUMS).exists()


def test_some_are_as_good_as_their_cards_say(capsys):
    """`ludus zoo verify` alone plays all of them."""
    games = ["Catch", "CliffWalking", "KuhnPoker", "TicTacToe"]
    assert main(["zoo", "verify", *games]) == 0
    assert f"{len(games)} agents, 0 evaluations not as the card says" in capsys.readouterr().out
