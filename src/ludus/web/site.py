"""Files of sites: pages, modules and weights."""

from __future__ import annotations

import base64
import gzip
import html
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..envs import Game, OptionError, Options
from ..envs.adapters.web import WebGame, web_game
from ..envs.engine.files import OddFile, open_file, write_whole
from ..envs.engine.kernel import DISABLED
from .arcade import arcade_page, in_order, page_name
from .page import COMMON_POLICY, GAME_SCRIPTS, START_SCRIPTS, START_STYLE, STYLE, game_page, single_page, source_of


@dataclass(frozen=True)
class Exhibit:
    """A game to be shown.

    Attributes:
        game: compiled, see `web_game`.
        settings_of_people: of the engine, for games that people play; bytes.
        agent: who plays it, too; None: nobody but simple players.
        told: what there is to say of the agent, a sentence.
    """

    game: WebGame
    settings_of_people: bytes
    agent: Any = None
    told: str = ""


def exhibit(game: Game, options: Options, agent: Any = None) -> Exhibit:
    """Compile a game for a page.

    People's own actions are taken as they are, without the chance of sticky ones, which are there for agents.

    Raises:
        OptionError: the game does not take these options.
        GameError: its rules do not compile.
    """
    of_people = replace(options, repeat_action_probability=0.0).settings(game, DISABLED)
    return Exhibit(web_game(game, **vars(options)), of_people.tobytes(), agent)


def exhibit_of_agent(agent: Any, game: Game, known: Options) -> Exhibit:
    """An agent with its game, whose options are those of `options_for`; raises NotForPages if a page cannot run it."""
    from .agent import NotForPages, web_agent

    if known.obs_type in ("rgb", "grayscale"):
        told = f"train one on what {game.name} itself tells"
        raise NotForPages(f"a page cannot run an agent that sees pictures: {told}")
    return exhibit(game, known, web_agent(agent))


def options_for(agent: Any, game: Game, options: Mapping[str, Any]) -> Options:
    """Those that an agent learned its game with, but for some that are given; raises OptionError if it cannot play so."""
    from ..agents.checkpoints.env_spec import read_options

    known = Options.of(game, {**read_options(agent.environment.get("options", {})), **options})
    (*shape,), actions = known.observation(game)[0], len(known.actions(game))
    seen = tuple(agent.observation_space.shape or ())
    transposed = (*shape[-1:], *shape[:-1])  # of pictures, as Stable-Baselines3 has them
    if seen not in (tuple(shape), transposed) or actions != getattr(agent.action_space, "n", None):
        raise OptionError("the agent does not know its game with these options: leave them out, or leave the agent out")
    return known


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
    contents: dict[str, bytes] = {}

    def beside(path: str, content: bytes) -> dict[str, str]:
        contents[path] = content
        return {"path": path}

    games = in_order([facts_of(one, beside) for one in shown])
    if len(games) == 1:
        pages = {"index.html": game_page(games[0])}
    else:
        names = [facts["name"] for facts in games]
        around = zip(games, [names[-1], *names[:-1]], [*names[1:], names[0]], strict=True)
        pages = {page_name(facts): game_page(facts, before, after) for facts, before, after in around}
        pages["index.html"] = arcade_page(games)
    library = {*GAME_SCRIPTS, STYLE} | ({*START_SCRIPTS, START_STYLE} if len(games) > 1 else set())
    texts = pages | {f"ludus/{name}": source_of(name) for name in sorted(library)}
    written = contents | {path: text.encode() for path, text in texts.items()}
    write(out, written)
    clear(out, written)


def facts_of(shown: Exhibit, place: Callable[[str, bytes], dict[str, str]]) -> dict[str, Any]:
    """What a page has to know, for JSON; `place` puts a file where the page finds it, and says where that is."""
    name = shown.game.facts["name"]
    facts = {
        **shown.game.facts,
        **{name: [*shown.game.facts[name].items()] for name in ("keys", "second_keys")},  # whose order JSON would lose
        "settings": trimmed(shown.game.facts["settings"]),
        "settings_of_people": trimmed(shown.settings_of_people),
        "code": place(f"games/{name}.wasm.gz", packed(shown.game.code)),
    }
    if shown.agent is not None:
        facts["agent"] = {
            **shown.agent.facts,
            "code": place("ludus/network.wasm.gz", packed(shown.agent.code)),
            "weights": place(f"games/{name}.weights", shown.agent.weights),
            "told": shown.told,
        }
    return facts


def trimmed(settings: Sequence[int]) -> list[int]:
    """Without the zeros at the end, of which there are thousands."""
    return list(bytes(settings).rstrip(b"\0"))


def packed(code: bytes) -> bytes:
    """A module as it travels, whether its server compresses files or not: a third of its size. (Weights stay as large.)"""
    return gzip.compress(code, 9, mtime=0)


def embedded(path: str, content: bytes) -> dict[str, str]:
    """A file within the page itself."""
    return {"base64": base64.b64encode(content).decode()}


def clear(folder: Path, kept: Container[str]) -> None:
    """Remove what an earlier site left there: its pages would be without their files, or have others'."""
    for path in [*folder.glob("*.html"), *folder.glob("games/*.wasm.gz"), *folder.glob("games/*.weights")]:
        ours = path.suffix != ".html" or is_page(path)
        if path.relative_to(folder).as_posix() not in kept and ours:
            path.unlink()


def is_page(path: Path) -> bool:
    """Whether this is a page of a site, by the policy that stands at its beginning; what cannot be read is none."""
    with suppress(OSError, OddFile), open_file(path) as file:
        return html.escape(COMMON_POLICY, quote=False).encode() in file.read(2000)
    return False


def write(folder: Path, contents: dict[str, bytes]) -> None:
    """Write files, each whole or not at all, and pages after what they load."""
    for path in sorted(contents, key=lambda path: path.endswith(".html")):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / path, contents[path])
