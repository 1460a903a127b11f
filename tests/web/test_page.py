"""A game's page in a browser: it is played, watched, paused and read, by keyboard, mouse and touch."""

import numpy as np
import pytest
from selenium.webdriver import Keys

from ludus.envs import Bot, Simulator

AIMED = "return player.game.facts.actions[player.game.actionAt(...player.pointer)]"
SEAT = """
    const choice = document.querySelectorAll("#seats select")[arguments[0]];
    choice.value = arguments[1];
    choice.dispatchEvent(new Event("change"))"""
FIELD = """
    const [kind, place] = player.facts.record[arguments[0]];
    return player.game.memory.view(kind, player.game.at.records + place, 1)[0]"""


def wait_for_stage(page, stage):
    page.until("return player.session.stage === arguments[0]", stage)


def test_keys_play(page, site):
    page.play(f"{site}/Breakout.html#seed=1")
    page.until("return document.querySelector('#card').innerText.includes('press a key')")
    page.press(" ")
    wait_for_stage(page, "playing")
    before = page.run(FIELD, "paddle")
    page.run("document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft', bubbles: true}))")  # and held
    page.until(f"return (() => {{{FIELD}}})() < arguments[1]", "paddle", before)
    page.run("document.body.dispatchEvent(new KeyboardEvent('keyup', {key: 'ArrowLeft', bubbles: true}))")
    assert page.run("return player.held") == []
    assert not page.shows("#card")


def test_it_plays_as_in_python(page, site):
    """The same seed gives the same records, with a player of the same seed, step by step."""
    page.play(f"{site}/Breakout.html#seed=7&players=random")
    script = """
        const {session, game} = player, found = [];
        game.seed(7), session.seat(["random"]);
        while (session.stage === "playing") session.step(session.choose([])), found.push([...game.raw]);
        return [found, session.scores, session.steps]"""
    records, scores, steps = page.run(script)
    sim = Simulator("Breakout", seed=7, autoreset="disabled", repeat_action_probability=0.1, full_action_space=True)
    sim.reset()
    bot, total = Bot(sim, "random", 7), 0.0
    for record in records:
        ended = sim.step(bot.act())
        total += float(sim.reward[0])
        assert np.array_equal(sim.records.view(np.uint8).reshape(-1), record)
    assert ended == 1 and steps == len(records) > 5 and scores == [total]


def test_people_take_no_sticky_actions(page, site):
    page.play(f"{site}/Breakout.html")
    chance = "return player.game.memory.view('float64', player.game.at.settings, 1)[0]"
    assert page.run(chance) == 0
    page.run("player.session.seat(['agent'])")
    assert page.run(chance) == 0.1


def test_the_agent_wins_points(page, site):
    page.play(f"{site}/Breakout.html#players=agent&seed=3")
    page.press("+" * 6)
    page.tells("#speed", "64×")
    page.until("return Math.max(...player.session.scores, ...player.session.returns) >= 10")
    page.tells("#decision h2", "VALUE OF EACH ACTION")
    rows = page.run("return [...document.querySelectorAll('#bars li')].map((row) => row.innerText.split('\\n')[0])")
    assert rows == ["noop", "left", "up", "right", "down", "fire"]
    assert page.run("return document.querySelectorAll('#bars .chosen').length") == 1


def test_watching_is_paused_stepped_and_slowed(page, site):
    page.play(f"{site}/Breakout.html#players=heuristic")
    page.until("return player.session.steps > 1")
    page.press(" ")
    wait_for_stage(page, "paused")
    steps = page.run("return player.session.steps")
    page.press("n", "n", "-")
    page.until("return player.session.steps === arguments[0]", steps + 2)
    page.tells("#speed", "1/2×")
    page.click("button[data-do=pause]")
    wait_for_stage(page, "playing")
    page.press("r")
    page.until("return player.session.steps < arguments[0]", steps)


def test_the_keyboard_alone_will_do(page, site):
    page.play(f"{site}/Breakout.html#players=heuristic")
    page.run("document.querySelector('#picture').focus()")
    reached = []
    for _ in range(8):
        page.press(Keys.TAB)
        reached.append(page.run("return document.activeElement.dataset.do ?? document.activeElement.tagName"))
    assert reached == ["SELECT", "pause", "once", "again", "slower", "faster", "rules", "full"]
    page.run("document.querySelector('button[data-do=once]').focus()")
    page.press(" ")
    wait_for_stage(page, "paused")
    steps = page.run("return player.session.steps")
    page.press(Keys.ENTER)
    page.until("return player.session.steps === arguments[0]", steps + 1)


def test_the_rules_are_read_while_the_game_stands_still(page, site):
    page.play(f"{site}/Breakout.html#players=heuristic")
    page.press("h")
    steps = page.run("return player.session.steps")
    text = page.text("#rules")
    assert "Reward" in text and "Termination" in text
    page.run("return new Promise((done) => setTimeout(done, 400))")
    assert page.run("return player.session.steps") == steps
    page.press(Keys.ESCAPE)
    page.until("return player.session.steps > arguments[0]", steps)


def test_a_click_on_a_board_is_a_move_and_the_agent_answers(page, site):
    page.play(f"{site}/ConnectFour.html")
    page.tells("#who", "you: yellow")
    page.click("#frame")
    wait_for_stage(page, "playing")
    page.tells("#status", "your move")
    page.press("---")  # so that it can be seen thinking
    page.click("#frame", 0.5, 0.6)
    page.until("return player.session.steps === 1")
    page.tells("#status", "red is thinking")
    page.press("+++")
    page.until("return player.session.steps === 2")
    assert page.run("return player.session.players") == ["you", "agent"]
    assert page.run("return player.game.facts.actions.map((_, k) => player.game.allows(k))") == [True] * 7
    discs = page.run("return player.game.raw[player.facts.record.taken[1]]")
    assert discs == 2


def test_arrows_and_enter_choose_a_place_on_a_board(page, site):
    page.play(f"{site}/ConnectFour.html#players=you,you")
    page.press(Keys.ENTER, Keys.ARROW_RIGHT)
    assert page.run(AIMED) == "d"  # the middle
    page.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_UP)  # there is nothing above
    assert page.run(AIMED) == "b" and page.run("return player.session.steps") == 0
    page.press(Keys.ENTER)
    assert page.run("return [player.session.steps, player.session.actions]") == [1, [1]]
    assert "←" in page.text("#keys dl")


def test_seats_change_without_the_game_being_lost(page, site):
    page.play(f"{site}/ConnectFour.html#players=you,agent&seed=1")
    page.press(Keys.ENTER, "4")
    page.until("return player.session.asked && player.session.steps === 2")
    page.tells("#decision h2", "RED: LAST ACTION")
    page.run(SEAT, 1, "you")
    assert page.run("return [player.session.stage, player.session.steps]") == ["playing", 2]
    page.run(SEAT, 0, "agent")
    page.until("return player.session.steps === 3")
    page.tells("#decision h2", "YELLOW: LAST ACTION")


def test_another_address_is_another_game(page, site):
    page.play(f"{site}/ConnectFour.html#players=you,agent")
    page.run("location.hash = 'players=random,random'")
    page.until("return window.player?.session.players.join() === 'random,random'")


def test_a_move_that_is_not_allowed_is_told(page, site):
    page.play(f"{site}/ConnectFour.html#players=you,you")
    page.press("x")
    page.press(*"1111111")
    page.until("return player.session.steps === 6")
    page.tells("#status", "not allowed now")


def test_the_end_of_a_game_is_shown_and_another_offered(page, site):
    page.play(f"{site}/ConnectFour.html#players=you,you")
    page.press("x")
    page.press(*"1212121")
    wait_for_stage(page, "over")
    page.until("return document.querySelector('#result').checkVisibility()")
    page.tells("#result h2", "yellow wins")
    page.tells("#result p", "yellow: 1, red: -1")
    page.click("#result button")
    wait_for_stage(page, "playing")
    page.until("return !document.querySelector('#result').checkVisibility()")
    assert page.run("return player.session.steps") == 0


def test_fingers_press_buttons(page, site):
    page.size(390, 844, touch=True)
    page.play(f"{site}/Breakout.html#seed=1")
    assert page.shows("#pad")
    page.touch("#pad .right")
    page.until("return player.session.stage === 'playing' && player.held.includes('right')")
    before = page.run(FIELD, "paddle")
    page.until(f"return (() => {{{FIELD}}})() > arguments[1]", "paddle", before)
    page.lift()
    page.until("return player.held.length === 0")


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_the_page_fits_its_screen(page, site, width):
    page.size(width, 800, touch=width < 1000)
    page.play(f"{site}/ConnectFour.html")
    assert page.run("return document.documentElement.scrollWidth") == width
    box = page.run("return document.querySelector('#picture').getBoundingClientRect().toJSON()")
    assert box["width"] == pytest.approx(box["height"], abs=1)
    assert box["width"] > 300 and box["left"] >= 0 and box["right"] <= width and box["bottom"] <= 800


def test_a_telephone_on_its_side_shows_all_of_the_game(page, site):
    page.size(844, 390, touch=True)
    page.play(f"{site}/Breakout.html")
    for part in ("#frame", "#pad .left", "#pad .right"):
        box = page.run("return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()", part)
        assert box["top"] >= 0 and box["bottom"] <= 390 and box["left"] >= 0 and box["right"] <= 844, part
    assert page.run("return document.documentElement.scrollWidth") == 844


def test_others_may_have_the_seats(page, site):
    page.play(f"{site}/ConnectFour.html")
    page.run(SEAT, 0, "heuristic")
    assert page.run("return player.session.players") == ["heuristic", "agent"]
    page.until("return player.session.steps >= 2")
    names = page.run("return [...document.querySelectorAll('#seats select option')].map((one) => one.value)")
    assert names == ["you", "agent", "heuristic", "random"] * 2 + ["best", "drawn"]


def test_actions_are_drawn_by_their_probabilities(page, site):
    page.play(f"{site}/ConnectFour.html#players=agent,agent")
    script = """
        const {session, game} = player, count = 2000, shares = new Array(7).fill(0);
        session.pause();
        for (let k = 0; k < count; k++) shares[session.network.decide(game, 0, true).chosen] += 1 / count;
        return [shares, session.network.decide(game, 0).numbers]"""
    shares, probabilities = page.run(script)
    assert max(probabilities) < 0.99
    assert np.abs(np.array(shares) - probabilities).max() < 0.06  # five standard deviations of the widest


def test_nothing_comes_from_elsewhere(page, site):
    page.play(f"{site}/Breakout.html")
    asked = page.requests()
    assert len(asked) > 8
    assert [url for url in asked if not url.startswith((site, "data:"))] == []
