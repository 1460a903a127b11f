"""The documentation site: built without a complaint, no link leads nowhere, and in a browser its games play."""

import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from ludus.cli.verbs import VERBS
from ludus.envs import all_games

from ..web.pages import BROWSER, DRIVER, MISSING, Page, Server, start_browser

DOCS = Path(__file__).parents[2] / "docs"
PLAYED = ("Breakout", "ConnectFour")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The site's folder, and what building it said."""
    out = tmp_path_factory.mktemp("docs")
    command = [sys.executable, str(DOCS / "build.py"), "--out", str(out), "--games", ",".join(PLAYED)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return out / "site", done.stdout + done.stderr


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--out", "{there}"), "has what this script did not make"),
        (("--out", "{there}/thesis.txt"), "has what this script did not make"),
        (("--out", str(DOCS)), "has what this script did not make"),
        (("--out", "{there}/new", "--games", "Pong,Pnog"), "--games: there is no 'Pnog'"),
    ],
)
def test_nothing_of_anybodys_is_deleted(given, message, tmp_path, monkeypatch, capsys):
    (tmp_path / "thesis.txt").write_text("important")
    spec = importlib.util.spec_from_file_location("build_docs", DOCS / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    monkeypatch.setattr(sys, "argv", ["build.py", *(word.format(there=tmp_path) for word in given)])
    with pytest.raises(SystemExit) as caught:
        build.main()
    assert caught.value.code == 2 and message in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "important" and (DOCS / "build.py").exists()


class Found(HTMLParser):
    """The links of a page, and the places in it that links may name."""

    def __init__(self, text):
        super().__init__()
        self.links, self.places = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.places.add(told.get("id"))
        self.links |= {told.get("href" if tag in ("a", "link") else "src")} - {None, ""}


def test_it_is_built_without_a_complaint(built):
    _, said = built
    assert "No issues found" in said
    assert not re.search("griffe|warning", said, re.I), said


def test_no_link_leads_nowhere(built):
    site, _ = built
    pages = {
        path: Found(path.read_text(encoding="utf-8")) for path in site.glob("**/*.html") if path.name != "404.html"
    }
    assert len(pages) > len(all_games()) + len([*DOCS.glob("**/*.md")])
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("#__"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.name}: {link}"
            if parts.fragment and target in pages and "play" not in target.parts:
                assert unquote(parts.fragment) in pages[target].places, f"{path.name}: {link}"


def test_nothing_comes_from_another_host(built):
    site, _ = built
    for path in site.glob("**/*.html"):
        loaded = re.findall(r"<(?:script|img|iframe|link)\b[^>]*(?:src|href)=\"?(https?://[^\"> ]+)", path.read_text())
        assert not [link for link in loaded if "canonical" not in link], path.name


def test_every_page_is_in_the_menu_every_game_and_verb_has_its_own(built):
    site, _ = built
    menu = yaml.safe_load((DOCS / "mkdocs.yml").read_text())["nav"]
    named = set(re.findall(r"[\w/-]+\.md", str(menu)))
    assert {path.relative_to(DOCS).as_posix() for path in DOCS.glob("**/*.md")} <= named
    assert {path.stem for path in (site / "games").glob("*.html")} >= {
        game.name for game in all_games().values() if game.step.__module__.startswith("ludus.")
    }
    command_line = (site / "command-line.html").read_text()
    assert all(f'id="ludus-{verb}"' in command_line for verb in VERBS)


@pytest.fixture(scope="module")
def page(built):
    if BROWSER is None or DRIVER is None:
        pytest.skip(MISSING)
    driver = start_browser()
    with Server(built[0]) as address:
        page = Page(driver)
        page.address = address
        yield page
    driver.quit()


def test_the_search_finds_the_simulator(page):
    page.open(f"{page.address}/index.html")
    page.until("return document.readyState === 'complete'")
    page.press("/", "Simulator")
    first = page.until("return document.activeElement.shadowRoot?.querySelector('a')?.href")
    assert first.endswith("#ludus.envs.engine.simulator.Simulator")
    assert page.complaints() == []


@pytest.mark.parametrize("game", PLAYED)
def test_a_games_page_plays_it(page, game):
    page.open(f"{page.address}/games/{game}.html")
    page.run("document.querySelector('iframe.game').scrollIntoView()")
    page.until("return document.querySelector('iframe.game').contentDocument.documentElement.dataset.ready")
    page.driver.switch_to.frame(page.driver.find_element("css selector", "iframe.game"))
    page.driver.find_element("css selector", "#frame").click()
    page.until("return document.querySelector('#status').innerText !== 'ready'")
    page.driver.switch_to.default_content()
    assert page.complaints() == []
    assert [url for url in page.requests() if not url.startswith(("data:", page.address))] == []
