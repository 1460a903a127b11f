"""The first page of a site of several games: its cards play, it is searched, and everything is reached by keys, too."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By

TWO = ["Breakout", "ConnectFour"]
SHOWN = "return shown().map((card) => card.facts.name)"
MOVED = "return cards.every((card, k) => card.session && card.painted > arguments[0][k])"


SPEC = importlib.util.spec_from_file_location(
    "screenshots_web", Path(__file__).parents[2] / "docs" / "screenshots_web.py"
)
screenshots_web = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(screenshots_web)


@pytest.fixture
def arcade(page, site):
    page.play(f"{site}/")
    return page


def opened(page, name):
    """Wait until a game's page is there."""
    page.until("return document.documentElement.dataset.ready && window.player?.facts.name === arguments[0]", name)


def focused(page):
    return page.run("return document.activeElement.querySelector('strong')?.innerText ?? document.activeElement.id")


def test_each_game_has_a_card_that_moves_and_opens_it(arcade, site):
    links = arcade.run("return cards.map(({ link }) => [link.querySelector('strong').innerText, link.href])")
    assert links == [[name, f"{site}/{name}.html"] for name in TWO]
    arcade.until("return cards.every((card) => card.session)")
    arcade.until(MOVED, arcade.run("return cards.map((card) => card.painted)"))
    asked = arcade.requests()
    assert [url for url in asked if not url.startswith((site, "data:"))] == []
    assert not any("weights" in url or "network" in url for url in asked)
    arcade.click("#games li:nth-child(2) a")
    opened(arcade, "ConnectFour")


def test_cards_out_of_view_do_not_play(arcade):
    arcade.size(1280, 300)
    arcade.until("return playing.size === 0")
    arcade.run("document.querySelector('#games').scrollIntoView()")
    arcade.until("return playing.size === 2")


def test_kinds_and_words_find_games(arcade):
    assert arcade.run(SHOWN) == TWO
    arcade.click("#tools [value='in turn']")
    assert arcade.run(SHOWN) == ["ConnectFour"]
    arcade.run("search.focus()")
    arcade.press("bricks")
    arcade.until("return document.querySelector('#nothing').checkVisibility()")
    assert arcade.text("#found") == "0 of 2 games"
    arcade.click("#nothing button")
    assert arcade.run(SHOWN) == TWO
    arcade.press("brick ball")  # the search has the focus
    assert arcade.run(SHOWN) == ["Breakout"]


def test_keys_go_from_game_to_game_and_open_one(arcade):
    arcade.press("/")
    assert arcade.run("return document.activeElement === search")
    arcade.press(Keys.ARROW_DOWN)
    assert focused(arcade) == "Breakout"
    for key, name in ((Keys.ARROW_RIGHT, TWO[1]), (Keys.ARROW_RIGHT, TWO[1]), (Keys.HOME, TWO[0]), (Keys.END, TWO[1])):
        arcade.press(key)
        assert focused(arcade) == name
    arcade.press(Keys.ENTER)
    opened(arcade, "ConnectFour")


def test_enter_opens_what_was_looked_for(arcade):
    arcade.press("/", *"connect four", Keys.ENTER)
    opened(arcade, "ConnectFour")


def test_the_tab_key_reaches_everything_and_all_has_a_name(arcade):
    arcade.run("document.body.focus()")
    reached = []
    for _ in range(9):
        arcade.press(Keys.TAB)
        reached.append(arcade.driver.switch_to.active_element.accessible_name.strip())
    assert reached[:3] == ["Play Breakout", "Watch its agent", "Breakout: Enter to play, Escape to leave"]
    assert reached[3:7] == ["All 2", "Find a game", "Surprise me", "Hold still"]
    assert [name.split()[0] for name in reached[7:]] == TWO
    controls = arcade.driver.find_elements(By.CSS_SELECTOR, "a, button, input")
    assert len(controls) > 8 and all(one.accessible_name for one in controls if one.is_displayed())


def test_the_game_at_the_top_plays_itself_until_somebody_takes_over(arcade):
    arcade.tells("#status", "demo")
    arcade.until("return hero.session.steps > arguments[0]", arcade.run("return hero.session.steps"))
    arcade.run("document.querySelector('#picture').focus()")
    arcade.press(" ")
    assert arcade.run("return hero.session.players") == ["you"]
    arcade.tells("#status", "playing")
    arcade.press("---")  # so that it lasts
    arcade.run("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}))")
    arcade.until("return document.querySelector('#stick').dataset.way === 'right'")
    arcade.press("p")
    arcade.tells("#card strong", "Paused")
    arcade.press(Keys.ESCAPE)
    arcade.tells("#status", "demo")
    arcade.click("#take")
    assert arcade.run("return hero.session.players") == ["you"]


def test_nothing_moves_for_those_who_want_no_motion(page, site):
    page.prefers(reduced_motion="reduce")
    page.play(f"{site}/")
    page.until("return cards.every((card) => card.painted >= 0)")
    steps = "return [hero.session, ...cards.map((card) => card.session)].map((session) => session.steps)"
    before = page.run(steps)
    page.run("return new Promise((done) => setTimeout(done, 500))")
    assert page.run(steps) == before
    page.click("#still")
    page.until("return cards.every((card, k) => card.session.steps !== arguments[0][k])", before[1:])


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_the_page_fits_its_screen(page, site, width):
    page.size(width, 800, touch=width < 1000)
    page.play(f"{site}/")
    assert page.run("return document.documentElement.scrollWidth") <= width
    box = page.run("return document.querySelector('#cabinet').getBoundingClientRect().toJSON()")
    assert box["left"] >= 0 and box["right"] <= width and box["width"] > 300


def test_games_lead_to_the_next_and_back_to_all(page, site):
    page.play(f"{site}/Breakout.html")
    page.click("#ways [rel=next]")
    opened(page, "ConnectFour")
    page.click("#ways [rel=next]")  # and from the last to the first
    opened(page, "Breakout")
    page.click("#ways [rel=prev]")
    opened(page, "ConnectFour")
    page.click("#ways a")
    page.until("return location.pathname === '/index.html' && document.documentElement.dataset.ready")


def test_a_card_says_what_is_wrong(arcade):
    arcade.until("return cards.every((card) => card.session)")
    arcade.run("""
        const card = new Card(cards[0].node, { ...cards[0].facts, code: { path: "games/none.wasm.gz" } });
        return see(card, true)""")
    assert arcade.text("#games .about") == "games/none.wasm.gz is missing (404)"
    assert len(arcade.complaints()) == 1  # the browser's own


def test_pictures_of_it_are_taken(page, site, monkeypatch):
    monkeypatch.setattr(screenshots_web, "SECONDS", 0.1)
    light, dark = (screenshots_web.shoot(page, f"{site}/", "", (390, 600), dark) for dark in (False, True))
    assert light.size == dark.size == (390, 600)
    assert np.asarray(light.convert("L")).mean() > np.asarray(dark.convert("L")).mean() + 50
