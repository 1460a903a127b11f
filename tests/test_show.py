"""`ludus.show`: what notebooks get, what it says elsewhere, and what it refuses in a line."""

import html
import io
import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import stable_baselines3
from PIL import Image

import ludus
from ludus.envs import LudusError, OptionError, UnknownGame, find_game
from tests.agents.small import small
from tests.agents.training.test_agent_html import drawn, state_of

pytestmark = pytest.mark.usefixtures("one_thread")


WITHOUT = replace(find_game("Catch"), name="Plain", heuristic=None)  # without a simple player, and nowhere registered


def agent_of(name="PPO", **options):
    sizes = small(name, batch_size=16)
    return getattr(ludus, name)("mlp", ludus.make_sb3("Catch", 1, **options), seed=1, num_threads=1, **sizes)


@pytest.fixture(scope="module")
def agent():
    return agent_of()


def facts_of(shown):
    """What a page is told."""
    page = shown.content.decode()
    (frame,) = re.findall(r'<iframe srcdoc="([^"]*)"([^>]*)>', shown._repr_html_())
    assert html.unescape(frame[0]) == page and 'sandbox="allow-scripts"' in frame[1]
    return json.loads(re.search(r'id="facts-of-page">(.*?)</script>', page, re.DOTALL)[1])


def pictures_of(shown):
    assert "data:image/gif;base64," in shown._repr_html_()
    with Image.open(io.BytesIO(shown.content)) as image:
        return image.n_frames, image.size


def test_an_agent_is_a_page_in_which_it_plays(agent):
    before = state_of(agent), drawn()
    shown = ludus.show(agent, seed=7, size=400)
    facts = facts_of(shown)
    assert facts["begin"] == "players=agent&seed=7" and facts["agent"]["kind"] == "policy"
    assert "height:400px" in shown._repr_html_()
    assert (state_of(agent), drawn()) == before


def test_elsewhere_it_says_what_to_do(agent, tmp_path):
    shown = ludus.show(agent)
    size = f"{len(shown.content) / 1000:.0f} kB"
    assert repr(shown).startswith(f"<Catch, played by an agent, as a web page, {size}: a notebook shows it")
    assert ".save('Catch.html')" in repr(shown)
    shown.save(tmp_path / "Catch.html")
    assert (tmp_path / "Catch.html").read_bytes() == shown.content
    with pytest.raises(OptionError, match=r"path must end in \.html, got .*Catch\.gif"):
        shown.save(tmp_path / "Catch.gif")


def test_a_gif_is_an_episode(agent):
    before = state_of(agent), drawn()
    shown = ludus.show(agent, as_gif=True, size=64, max_episode_steps=4)
    assert pictures_of(shown) == (1 + 4, (64, 64))
    assert "score 0 in 4 steps" in shown._repr_html_() and ".save('Catch.gif')" in repr(shown)
    assert (state_of(agent), drawn()) == before


def test_what_no_page_can_run_is_a_gif():
    assert pictures_of(ludus.show(agent_of(obs_type="rgb", size=16), size=32)) == (10, (32, 32))


def test_several_players_sit_where_they_are_put():
    assert facts_of(ludus.show("TicTacToe", played_by="heuristic"))["begin"] == "players=heuristic,heuristic&seed=0"
    shown = ludus.show("TicTacToe", played_by=["heuristic", "random"], as_gif=True, size=32)
    assert "TicTacToe, played by its simple player and chance: score " in repr(shown)


def test_a_saved_agent_goes_by_its_folder_or_file_and_the_zoos_by_its_game(agent, tmp_path):
    agent.save(tmp_path / "run")
    agent.save(tmp_path / "one.zip")
    weights = facts_of(ludus.show(agent))["agent"]["weights"]
    for what in (tmp_path / "run", str(tmp_path / "one.zip"), tmp_path / "one"):
        assert facts_of(ludus.show(what))["agent"]["weights"] == weights
    for what in ("Catch", find_game("Catch")):
        facts = facts_of(ludus.show(what))
        assert facts["begin"] == "players=agent&seed=0" and facts["agent"]["weights"] != weights


def test_without_an_agent_nothing_waits_for_pytorch():
    code = "import sys, ludus; print(ludus.show('Catch', played_by='you')); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("<Catch, played by you, as a web page") and done.stdout.endswith("\nFalse\n")


def test_options_are_the_games(agent):
    limited, usual = (facts_of(ludus.show(agent, **more))["settings"] for more in ({"max_episode_steps": 5}, {}))
    assert limited != usual


@pytest.mark.parametrize(
    ("what", "more", "message"),
    [
        ("Braekout", {}, "did you mean Breakout?"),
        ("runs/nowhere", {}, "there is no file or folder 'runs/nowhere'"),
        (3, {}, "show takes a game, an agent, or the name or folder of one, got 3"),
        ("Catch", {"played_by": "me"}, "played_by must be you, agent, heuristic, random, or a list of those, got 'me'"),
        ("Catch", {"played_by": 3}, "or a list of those, got 3"),
        ("Catch", {"played_by": np.array(["you", "agent"])}, "or a list of those, got"),
        ("a" * 300, {}, "unknown game"),
        ("Tron", {"players": 2, "played_by": ["random"] * 4}, "a word for each player of Tron, 2, got 4"),
        ("Catch", {"as_gif": True, "obs_type": "rgb"}, "the agent does not know its game with these options"),
        (
            "Catch",
            {"played_by": "random", "as_gif": True, "autoreset": "same_step"},
            "unexpected keyword argument 'autoreset'",
        ),
        ("Catch", {"played_by": "random", "as_gif": True, "num_envs": 4}, "unexpected keyword argument 'num_envs'"),
        (WITHOUT, {"played_by": "agent"}, "there is no agent for Plain: train one"),
        (WITHOUT, {"played_by": ["heuristic"]}, "Plain describes no simple player"),
        ("TicTacToe", {"played_by": ["you"] * 3}, "a word for each player of TicTacToe, 2, got 3"),
        ("Catch", {"played_by": "random", "seed": -1}, "seed must be a whole number from 0"),
        ("Catch", {"played_by": "random", "size": 3}, "size must be a whole number from 16 to 2048, got 3"),
        ("Catch", {"played_by": "random", "as_gif": 1}, "as_gif must be True or False, got 1"),
        ("Catch", {"played_by": "you", "as_gif": True}, "nobody plays in a GIF"),
        ("Catch", {"played_by": "random", "max_steps": 5}, "unexpected keyword argument 'max_steps': did you mean"),
    ],
)
def test_what_cannot_be_shown_is_one_line(what, more, message):
    with pytest.raises(LudusError) as caught:
        ludus.show(what, **more)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_those_who_play_are_as_many_as_the_game_has():
    shown = ludus.show("Tron", players=2, played_by=["random", "heuristic"])
    assert facts_of(shown)["begin"].startswith("players=random,heuristic&")
    gif = ludus.show("Tron", players=2, played_by=["random", "heuristic"], as_gif=True, size=64, max_episode_steps=20)
    assert gif.content.startswith(b"GIF8")


def test_what_belongs_to_stable_baselines3_is_told_the_way(agent):
    theirs = stable_baselines3.PPO("MlpPolicy", ludus.make_sb3("Catch", 1), device="cpu")
    with pytest.raises(OptionError, match=r"show ludus.PPO.load\(PATH, env=ludus.make_sb3\(GAME\)\)"):
        ludus.show(theirs)
    with pytest.raises(OptionError, match=r"to see an agent, show\(agent\)"):
        ludus.show("Catch", played_by=agent)


def test_an_agent_in_another_librarys_environment_is_refused():
    agent = ludus.PPO("mlp", "CartPole-v1", n_steps=16, batch_size=16)
    with pytest.raises(OptionError, match="the agent plays CartPole-v1: only games of Ludus can be shown"):
        ludus.show(agent)


def test_a_gif_without_pillow_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(OptionError, match=r"a GIF needs pillow: pip install 'imageio"):
        ludus.show("Catch", played_by="random", as_gif=True)


def test_a_game_that_is_nowhere_registered_can_be_shown():
    assert facts_of(ludus.show(WITHOUT))["begin"] == "players=random&seed=0"
    with pytest.raises(UnknownGame):
        ludus.show("Plain")
