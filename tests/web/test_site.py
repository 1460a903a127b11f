"""Sites and single files: they need nothing from elsewhere, nothing in them is taken for HTML, and damage is told."""

import dataclasses
import re
import shutil

import pytest

from ludus.__main__ import main
from ludus.envs import Game, Options, find_game, state
from ludus.envs.canvas import fill, rect
from ludus.web.page import GAME_SCRIPTS, START_SCRIPTS, START_STYLE, STYLE, in_json, source_of
from ludus.web.site import exhibit, write_page, write_site

from .pages import Server

EVIL = (
    """</script><script>window.hacked = 1</script><img src=x onerror="window.hacked = 2"> & 'quotes' "double" \u202e☃"""
)


def reset(s, random):
    s.at = 2


def step(s, action, random):
    s.at += 2 * action - 1
    return (1.0, True) if s.at == 4 else (0.0, s.at == 0)


def observe(s, planes):
    planes[0, s.at, 0] = 1


def draw(s, canvas):
    fill(canvas, (10, 10, 30))
    rect(canvas, s.at, 0, 1, 1, (250, 200, 90))


@pytest.fixture(scope="module")
def hostile():
    """A game of whose words none is harmless."""
    game = Game(
        "Walk", 1, state(at="i1"), reset, step, observe, draw, actions=(EVIL, "right"), shape=(1, 5), planes=("me",),
        keys={"left": EVIL, "right": "right", "constructor": "right"},
    )  # fmt: skip
    told = type("Told", (Game,), {"doc": f"Walk: {EVIL}.\n\nDescription\n    {EVIL} and half a letter, \ud800\n"})
    return told(**{field.name: getattr(game, field.name) for field in dataclasses.fields(game) if field.init})


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    out = tmp_path_factory.mktemp("single") / "catch.html"
    assert main(["export", "Catch", "--format", "web", "--single-file", "--out", str(out)]) == 0
    return out


def test_a_single_file_opens_from_disk(page, single):
    page.play(single.as_uri() + "#players=agent&seed=1")
    page.press("++++++")
    page.until("return player.session.returns.length >= 5")
    assert page.run("return player.session.returns.slice(0, 5)") == [1] * 5  # as the zoo's card says: it catches all
    assert [url for url in page.requests() if not url.startswith("data:")] == [single.as_uri()]


def test_a_game_that_is_over_waits_for_people(page, single):
    page.play(single.as_uri())
    page.press(" ", "++++")
    page.until("return player.session.stage === 'over'")
    page.tells("#result h2", "game over")
    page.until("return player.session.rested > 0.6")
    page.press(" ")
    page.until("return player.session.stage !== 'over' || player.session.returns.length > 1")


def test_the_policy_lets_nothing_else_run(page, single):
    page.play(single.as_uri())
    page.run("""
        const script = document.createElement("script");
        script.textContent = "window.hacked = 1";
        document.body.append(script)""")
    assert page.run("return window.hacked") is None
    (complaint,) = page.complaints()
    assert "Content Security Policy" in complaint


def test_words_of_games_are_only_words(page, hostile, tmp_path):
    out = tmp_path / "walk.html"
    write_page(out, exhibit(hostile, Options.of(hostile, {})))
    page.play(out.as_uri())
    assert EVIL in page.run("return document.querySelector('#who').textContent")
    keys = page.run("return document.querySelector('#keys').textContent")
    assert EVIL in keys and "constructor" in keys and "native code" not in keys
    page.press("h")
    assert EVIL in page.run("return document.querySelector('#rules').textContent")
    assert page.run("return document.querySelectorAll('img').length") == 0
    assert page.run("return window.hacked") is None


def test_words_of_games_are_only_words_on_the_first_page(page, hostile, tmp_path):
    walk, catch = (exhibit(game, Options.of(game, {})) for game in (hostile, find_game("Catch")))
    write_site(tmp_path, [walk, catch])
    with Server(tmp_path) as address:
        page.play(f"{address}/")
        assert EVIL in page.run("return document.querySelector('#games').textContent")
        assert EVIL in page.run("return document.querySelector('#hero-keys').textContent")
        page.until("return cards.every((card) => card.painted >= 0)")
        assert page.run("return document.querySelectorAll('img').length") == 0
        page.play(f"{address}/Walk.html")
        assert EVIL in page.run("return document.querySelector('#who').textContent")
        assert page.run("return window.hacked") is None
        page.open("about:blank")


def test_json_ends_no_script():
    assert "</" not in in_json({EVIL: EVIL})


@pytest.mark.parametrize("name", sorted({*GAME_SCRIPTS, *START_SCRIPTS, STYLE, START_STYLE}))
def test_files_can_be_embedded_and_are_short(name):
    source = source_of(name)
    assert "</script" not in source and "</style" not in source and "<!--" not in source
    assert "//" not in re.sub(r"(?m)(^| )// .*", "", source)  # no address of anything
    assert len(source.splitlines()) <= 350 and max(map(len, source.splitlines())) <= 126


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "site"
    assert main(["export", "Catch", "--format", "web", "--out", str(out)]) == 0
    return out


@pytest.fixture
def folder(exported, tmp_path):
    """Of one game, with its agent, to be damaged."""
    return shutil.copytree(exported, tmp_path / "site")


def test_damaged_files_are_told(page, folder):
    weights, code = folder / "games" / "Catch.weights", folder / "games" / "Catch.wasm.gz"
    whole = weights.read_bytes()
    damages = {
        f"the agent's weights are not whole: 1000 bytes of {len(whole)}": lambda: weights.write_bytes(whole[:1000]),
        "games/Catch.wasm.gz is not whole": lambda: (
            weights.write_bytes(whole),
            code.write_bytes(code.read_bytes()[:-100]),
        ),
    }
    for message, damage in damages.items():
        damage()
        with Server(folder) as address:
            page.open(f"{address}/")
            page.until("return document.querySelector('#card').innerText.includes(arguments[0])", message)
            assert "This game cannot be played" in page.text("#card")
            assert page.run("return window.player") is None


def test_a_missing_file_is_told(page, folder):
    (folder / "games" / "Catch.weights").unlink()
    with Server(folder) as address:
        page.open(f"{address}/")
        page.until("return document.querySelector('#card').innerText.includes('games/Catch.weights is missing (404)')")
    assert len(page.complaints()) == 1  # the browser's own


def test_a_folder_opened_from_disk_says_what_to_do(page, folder):
    page.open((folder / "index.html").as_uri())
    page.until("return document.querySelector('#card').innerText.includes('--single-file')")


def test_the_site_is_all_there_is(folder):
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    scripts = sorted(f"ludus/{name}" for name in (*GAME_SCRIPTS, STYLE, "network.wasm.gz"))
    assert names == ["games/Catch.wasm.gz", "games/Catch.weights", "index.html", *scripts]
