"""Files of sites: pages, modules and weights."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..envs import Game, OptionError, Options
from ..envs.adapters.web import WebGame, web_game
from ..envs.engine.files import write_whole
from ..envs.engine.kernel import DISABLED
from .page import GAME_SCRIPTS, START_SCRIPTS, STYLE, game_page, in_json, single_page, source_of, start_page


@dataclass(frozen=True)
class Exhibit:
    """A game to be shown.

    Attributes:
        game: compiled, see `web_game`.
        settings_of_people: of the engine, for games that people play; bytes.
        agent: who plays it, too; None: nobody but simple players.
    """

    game: WebGame
    settings_of_people: bytes
    agent: Any = None


def exhibit(game: Game, options: Options, agent: Any = None) -> Exhibit:
    """Compile a game for a page.

    People's own actions are taken as they are, without the chance of sticky ones, which are there for agents.

    Raises:
        OptionError: the game does not take these options.
        GameError: its rules do not compile.
    """
    of_people = replace(options, repeat_action_probability=0.0).settings(game, DISABLED)
    return Exhibit(web_game(game, **vars(options)), of_people.tobytes(), agent)


def exhibit_of_agent(agent: Any, game: Game, options: Mapping[str, Any]) -> Exhibit:
    """An agent with its game, as it learned it but for these options.

    Raises:
        NotForPages: a page cannot run it.
        OptionError: it does not know the game with these options.
    """
    from ..agents.checkpoints.env_spec import read_options
    from .agent import NotForPages, web_agent

    own = read_options(agent.environment.get("options", {}))
    known = Options.of(game, {**own, **options})
    if own.get("obs_type") in ("rgb", "grayscale"):
        told = f"train one on what {game.name} itself tells"
        raise NotForPages(f"a page cannot run an agent that sees pictures: {told}")
    shape, actions = known.observation(game)[0], len(known.actions(game))
    if (shape, actions) != (agent.observation_space.shape, getattr(agent.action_space, "n", None)):
        raise OptionError(f"the agent does not know {game.name} with these options: leave them out")
    return exhibit(game, known, web_agent(agent))


def write_page(out: Path, shown: Exhibit) -> None:
    """Write one HTML file that needs no other; raises OSError."""
    write(out.parent, {out.name: page_of(shown).encode()})


def page_of(shown: Exhibit, begin: str = "") -> str:
    """The HTML of a page that needs no other file.

    Args:
        begin: who plays and the seed, as an address has them behind #, where the address itself says nothing.
    """
    return single_page({**facts_of(shown, embedded), "begin": begin})


def write_site(out: Path, shown: Sequence[Exhibit]) -> None:
    """Write a folder for a web server; its first page is `index.html`; raises OSError."""
    several = len(shown) > 1
    scripts = {*GAME_SCRIPTS, *(START_SCRIPTS if several else ())}
    contents = {f"ludus/{name}": source_of(name).encode() for name in (STYLE, *scripts)}

    def beside(path: str, content: bytes) -> dict[str, str]:
        contents[path] = content
        return {"path": path}

    cards = []
    for one in shown:
        facts = facts_of(one, beside)
        name = facts["name"]
        contents[f"{name}.html" if several else "index.html"] = game_page(facts, several).encode()
        cards.append({"name": name, "summary": facts["summary"], "page": f"{name}.html", "facts": f"games/{name}.json"})
        if several:
            contents[f"games/{name}.json"] = in_json(facts).encode()
    if several:
        contents["index.html"] = start_page(cards).encode()
    write(out, contents)


def facts_of(shown: Exhibit, place: Callable[[str, bytes], dict[str, str]]) -> dict[str, Any]:
    """What a page has to know, for JSON; `place` puts a file where the page finds it, and says where that is."""
    name = shown.game.facts["name"]
    facts = {
        **shown.game.facts,
        **{name: [*shown.game.facts[name].items()] for name in ("keys", "second_keys")},  # whose order JSON would lose
        "code": place(f"games/{name}.wasm", shown.game.code),
        "settings_of_people": list(shown.settings_of_people),
    }
    if shown.agent is not None:
        facts["agent"] = {
            **shown.agent.facts,
            "code": place("games/network.wasm", shown.agent.code),
            "weights": place(f"games/{name}.weights", shown.agent.weights),
        }
    return facts


def embedded(path: str, content: bytes) -> dict[str, str]:
    """A file within the page itself."""
    return {"base64": base64.b64encode(content).decode()}


def write(folder: Path, contents: dict[str, bytes]) -> None:
    """Write files, each whole or not at all, and pages after what they load."""
    for path in sorted(contents, key=lambda path: path.endswith(".html")):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / path, contents[path])
