"""`ludus.show`'s page inside a notebook's page: it plays by itself, as in Python, and may do nothing else."""

import numpy as np
import pytest

import ludus
from ludus.envs import Bot, Simulator


@pytest.fixture
def inside(page, tmp_path):
    """Show something in a page as notebooks do, and look inside its frame."""

    def look(shown, width=1100):
        page.size(width, 800)
        (tmp_path / "cell.html").write_text(f"<!doctype html><body>{shown._repr_html_()}", encoding="utf-8")
        page.open(f"file://{tmp_path}/cell.html")
        page.driver.switch_to.frame(page.driver.find_element("tag name", "iframe"))
        page.until("return document.documentElement.dataset.ready")
        return page

    yield look
    page.driver.switch_to.default_content()


def test_it_plays_as_it_was_asked_to(inside):
    page = inside(ludus.show("Catch", played_by="random", seed=7))
    assert page.run("return [player.session.players, String(player.session.seed)]") == [["random"], "7"]
    page.until("return player.session.steps > 1")
    script = """
        const {session, game} = player, found = [];
        game.seed(7), session.seat(["random"]);
        while (session.stage === "playing") session.step(session.choose([])), found.push([...game.raw]);
        return found"""
    sim = Simulator("Catch", seed=7, autoreset="disabled")
    sim.reset()
    bot = Bot(sim, "random", 7)
    for record in page.run(script):
        sim.step(bot.act())
        assert np.array_equal(sim.records.view(np.uint8).reshape(-1), record)
    assert page.run("return window.origin") == "null"  # a stranger to the notebook, which it cannot read


@pytest.mark.parametrize("width", [1100, 700])
def test_picture_and_controls_are_in_sight(inside, width):
    page = inside(ludus.show("Catch", played_by="heuristic"), width)
    script = "const box = document.querySelector(arguments[0]).getBoundingClientRect(); return [box.top, box.bottom]"
    for selector in ("#picture", "button[data-do=pause]"):
        top, bottom = page.run(script, selector)
        assert top >= 0 and bottom <= page.run("return innerHeight")
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")
