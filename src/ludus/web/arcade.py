"""The first page of a site of several games: a card for each, by kind, and one game at the top that people can play there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .page import START_SCRIPTS, START_STYLE, STYLE, linked, page, part, source_of

KINDS = {"arcade": "Arcade", "step by step": "Step by step", "in turn": "Boards and cards", "at once": "All at once"}
ON_TOP = ("Breakout", "Asterix")  # the first of these or, without them, the first game
NOT_FOR_CARDS = ("sections", "agent")  # of facts: what only a game's own page needs


def arcade_page(games: Sequence[dict[str, Any]]) -> str:
    """The page.

    Args:
        games: facts of each, as their own pages have them, in the order of `in_order`.
    """
    names = [facts["name"] for facts in games]
    top = games[next((names.index(name) for name in ON_TOP if name in names), 0)]
    parts = {
        "wordmark": source_of("wordmark.html"),
        "stage": part("stage.html", title=top["name"]),
        "chips": "".join(chips(games)),
        "cards": "".join(card(facts) for facts in games),
    }
    invitation, there = ("Watch its agent", "#players=agent") if "agent" in top else ("Open its page", "")
    told = [{name: fact for name, fact in facts.items() if name not in NOT_FOR_CARDS} for facts in games]
    return page(
        "arcade.html",
        "Ludus",
        {"games": told, "top": top["name"]},
        linked(START_SCRIPTS, (STYLE, START_STYLE)),
        parts,
        game=top["name"],
        page=page_name(top) + there,
        invitation=invitation,
        count=str(len(games)),
    )


def in_order(games: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of a kind together, each kind as it was given."""
    return sorted(games, key=lambda facts: list(KINDS).index(kind_of(facts)))


def kind_of(facts: dict[str, Any]) -> str:
    """One of `KINDS`, by how a game is played: against time or not, in turn or at once."""
    if facts["players"] > 1:
        return "at once" if facts["seats"] > 1 else "in turn"
    return "step by step" if facts["waits"] else "arcade"


def page_name(facts: dict[str, Any]) -> str:
    """The file of a game's page."""
    return f"{facts['name']}.html"


def chips(games: Sequence[dict[str, Any]]) -> list[str]:
    """What filters the cards by kind, for the kinds that there are."""
    kinds = [kind_of(facts) for facts in games]
    counts = {"": len(kinds)} | {kind: kinds.count(kind) for kind in KINDS if kind in kinds}
    return [
        part(
            "chip.html",
            {"checked": "" if kind else " checked"},
            kind=kind,
            label=KINDS.get(kind, "All"),
            count=str(count),
        )
        for kind, count in counts.items()
    ]


def card(facts: dict[str, Any]) -> str:
    """A game's card."""
    kind, players = kind_of(facts), facts["players"]
    return part(
        "card.html",
        {"agent": "<i>agent</i>" if "agent" in facts else ""},
        kind=kind,
        how=kind if players == 1 else f"{players} {kind}",
        page=page_name(facts),
        name=facts["name"],
        about=facts["summary"] and f"{facts['summary'][:1].upper()}{facts['summary'][1:]}.",
    )
