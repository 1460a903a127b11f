"""The HTML of pages. Whatever comes from games, agents or their authors is escaped here."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from importlib.resources import files
from string import Template
from types import MappingProxyType
from typing import Any

LIBRARY = ("elements.js", "ludus.js", "session.js", "places.js", "stage.js")
GAME_SCRIPTS, START_SCRIPTS = (*LIBRARY, "network.js", "panel.js", "player.js"), (*LIBRARY, "card.js", "arcade.js")
STYLE, START_STYLE = "style.css", "arcade.css"
ICON = (  # a dark tile with a ball and a paddle
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='4' fill='%23141720'/%3E%3Ccircle cx='9' cy='6' r='2.5' fill='%2382aaff'/%3E"
    "%3Crect x='3' y='11' width='8' height='2' rx='1' fill='%23e8ebf3'/%3E%3C/svg%3E"
)
COMMON_POLICY = "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'"


def source_of(name: str) -> str:
    """The text of a file in this folder."""
    return files("ludus.web").joinpath(name).read_text(encoding="utf-8")


def game_page(facts: dict[str, Any], before: str = "", after: str = "") -> str:
    """A game's page in a site, which loads what `facts` names by its path.

    Args:
        facts: for `player.js`; plain, for JSON.
        before, after: names of the games beside it, in a site of several, which has a first page to go back to.
    """
    if not after:
        return page_of_game(facts, linked(GAME_SCRIPTS))
    ways = part("ways.html", {"wordmark": source_of("wordmark.html")}, before=before, after=after)
    return page_of_game(facts, linked(GAME_SCRIPTS), ways, part("onward.html", after=after))


def single_page(facts: dict[str, Any]) -> str:
    """A game's page that needs no other file; `facts` hold what it loads in base64."""
    return page_of_game(facts, embedded(GAME_SCRIPTS))


def page_of_game(facts: dict[str, Any], loaded: tuple[str, str, str], ways: str = "", onward: str = "") -> str:
    parts = {"ways": ways, "onward": onward, "stage": part("stage.html", title=facts["name"])}
    return page("page.html", facts["name"], facts, loaded, parts, title=facts["name"], summary=facts["summary"])


def page(
    template: str, tab: str, facts: Any, loaded: tuple[str, str, str], parts: Mapping[str, str], **words: str
) -> str:
    """A whole page.

    Args:
        template: of what follows the head.
        tab: title of the page, as tabs of browsers have it.
        facts: for its scripts; plain, for JSON.
        loaded: policy, styles and scripts, as `linked` or `embedded` has them.
        parts, words: of the template, see `part`.
    """
    policy, style, scripts = loaded
    policy = html.escape(policy, quote=False)
    head = part("head.html", {"policy": policy, "style": style, "icon": ICON}, title=tab)
    text = head + part(template, {**parts, "facts": in_json(facts), "scripts": scripts}, **words)
    return text.encode("utf-8", "replace").decode()  # halves of characters, which no file can have


def part(template: str, parts: Mapping[str, str] = MappingProxyType({}), **words: str) -> str:
    """A piece of HTML from its template: `parts` are HTML already, `words` are escaped."""
    safe = {name: html.escape(word) for name, word in words.items()}
    return Template(source_of(template)).substitute(parts, **safe)


def in_json(facts: Any) -> str:
    """JSON that ends no script element."""
    return json.dumps(facts, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def linked(scripts: tuple[str, ...], styles: tuple[str, ...] = (STYLE,)) -> tuple[str, str, str]:
    """A policy, styles and scripts that lie in the site's folder `ludus`."""
    policy = f"{COMMON_POLICY}; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'"
    links = "\n".join(f'<link rel="stylesheet" href="ludus/{name}">' for name in styles)
    return policy, links, "\n".join(f'<script src="ludus/{name}" defer></script>' for name in scripts)


def embedded(scripts: tuple[str, ...]) -> tuple[str, str, str]:
    """The same within the page; the policy lets nothing else run, by its SHA-256, and nothing be loaded."""
    style, script = source_of(STYLE), "\n".join(source_of(name) for name in scripts)
    policy = f"{COMMON_POLICY}; script-src {sha256(script)} 'wasm-unsafe-eval'; style-src {sha256(style)}"
    return policy, f"<style>{style}</style>", f"<script>{script}</script>"


def sha256(text: str) -> str:
    """As policies have it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
