"""The HTML of pages. Whatever comes from games, agents or their authors is escaped here."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from string import Template
from typing import Any

LIBRARY = ("ludus.js", "network.js", "session.js", "places.js", "panel.js")
GAME_SCRIPTS, START_SCRIPTS = (*LIBRARY, "player.js"), (*LIBRARY, "start.js")
STYLE = "style.css"
ICON = (  # a dark tile with a ball and a paddle
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='4' fill='%23141720'/%3E%3Ccircle cx='9' cy='6' r='2.5' fill='%2382aaff'/%3E"
    "%3Crect x='3' y='11' width='8' height='2' rx='1' fill='%23e8ebf3'/%3E%3C/svg%3E"
)
COMMON_POLICY = "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'"


def source_of(name: str) -> str:
    """The text of a file in this folder."""
    return files("ludus.web").joinpath(name).read_text(encoding="utf-8")


def game_page(facts: dict[str, Any], several: bool) -> str:
    """A game's page in a site, which loads what `facts` names by its path.

    Args:
        facts: for `player.js`; plain, for JSON.
        several: whether the site has other games, and a first page to go back to.
    """
    link = '<a href="index.html">← all games</a>' if several else ""
    return filled("page.html", facts["name"], facts["summary"], facts, link, *linked(GAME_SCRIPTS))


def single_page(facts: dict[str, Any]) -> str:
    """A game's page that needs no other file; `facts` hold what it loads in base64."""
    return filled("page.html", facts["name"], facts["summary"], facts, "", *embedded(GAME_SCRIPTS))


def start_page(games: list[dict[str, Any]]) -> str:
    """The first page of a site of several games, each a dictionary with `name`, `summary`, `page` and `facts`, a path."""
    return filled("start.html", "Ludus", "", games, "", *linked(START_SCRIPTS))


def filled(template: str, title: str, summary: str, facts: Any, home: str, *parts: str) -> str:
    policy, style, scripts = parts
    return Template(source_of("head.html") + source_of(template)).substitute(
        title=html.escape(title),
        summary=html.escape(summary),
        facts=in_json(facts),
        home=home,
        icon=ICON,
        policy=html.escape(policy, quote=False),
        style=style,
        scripts=scripts,
    )


def in_json(facts: Any) -> str:
    """JSON that ends no script element."""
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def linked(scripts: tuple[str, ...]) -> tuple[str, str, str]:
    """A policy, style and scripts that lie in the site's folder `ludus`."""
    policy = f"{COMMON_POLICY}; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'"
    tags = "\n".join(f'<script src="ludus/{name}" defer></script>' for name in scripts)
    return policy, f'<link rel="stylesheet" href="ludus/{STYLE}">', tags


def embedded(scripts: tuple[str, ...]) -> tuple[str, str, str]:
    """The same within the page; the policy lets nothing else run, by its SHA-256, and nothing be loaded."""
    style, script = source_of(STYLE), "\n".join(source_of(name) for name in scripts)
    policy = f"{COMMON_POLICY}; script-src {sha256(script)} 'wasm-unsafe-eval'; style-src {sha256(style)}"
    return policy, f"<style>{style}</style>", f"<script>{script}</script>"


def sha256(text: str) -> str:
    """As policies have it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
