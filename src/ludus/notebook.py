"""`ludus.show`: a game or an agent's play inside a notebook, as a web page or as a moving picture."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .envs import Bot, Game, Match, OptionError, Options, Simulator, UnknownGame, find_game
from .envs.arguments import describe, flag, seed_of, whole
from .envs.engine.files import write_whole
from .envs.notebook import FAINT
from .envs.registry import is_own
from .film import MOST_FPS, Film, play, write_gif

PLAYERS = ("you", "agent", "heuristic", "random")
HEIGHT, LONGER_SIDE = 540, 320  # pixels, of a page and of a GIF
MOST_STEPS = 1000  # of a GIF


@dataclass(frozen=True, repr=False)
class Shown:
    """What `show` returns: as the last expression of a notebook's cell, it is seen.

    Attributes:
        title: what it shows, in words.
        name: of a file that would hold it.
        content: of that file.
        shown: HTML that notebooks put into the page.
    """

    title: str
    name: str
    content: bytes
    shown: str

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, which ends as `name` does; raises OptionError for another, and OSError."""
        suffix = Path(self.name).suffix
        if Path(path).suffix.lower() != suffix:
            raise OptionError(f"path must end in {suffix}, got {os.fspath(path)!r}")
        write_whole(Path(path), self.content)

    def _repr_html_(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return (
            f"<{self.title}, {len(self.content) / 1000:.0f} kB: a notebook shows it as the last expression of a cell; "
            f"elsewhere, .save({self.name!r}) writes a file for a browser>"
        )


def show(
    what: Any,
    *,
    played_by: str | Sequence[str] | None = None,
    seed: int = 0,
    size: int | None = None,
    as_gif: bool = False,
    **options: Any,
) -> Shown:
    """Show a game or an agent in a notebook: `ludus.show("Breakout")`, `ludus.show(agent)`.

    It is a web page, in which people play, too, or a GIF of one episode, where `as_gif` says so or no page can run the
    agent: recurrent ones, and those that see pictures. Agents take their best actions, and are not changed.

    Args:
        what: a game's name, or a `Game`, for the zoo's agent; an agent; or the folder or file of a saved one.
        played_by: "agent", "heuristic", "random" or "you", for all seats, or a list with one for each; None: the agent
            or, where there is none, the game's simple player or, without, chance.
        seed: of the game's random numbers, from 0.
        size: pixels: the height of a page (540), or the longer side of a GIF (320).
        as_gif: a GIF, which has at most 1000 steps; it needs Pillow.
        options: of the game, see `ludus.envs.Options`, in place of those that an agent was trained with; such as
            `max_episode_steps=200`.

    Raises:
        UnknownGame, OptionError, GameError, CheckpointError: one line for what cannot be shown.
    """
    from .web.site import options_for

    words = words_of(played_by)
    game, agent = found(what, with_agent=not words or "agent" in words)
    known = Options.of(game, options) if agent is None else options_for(agent, game, options)
    players = players_of(game, agent, words, known.players or game.players)
    seed, size = seed_of("seed", seed), None if size is None else whole("size", size, 16, 2048)
    if flag("as_gif", as_gif) or not (page := page_of(game, agent, players, seed, known)):
        return as_picture(game, agent, players, seed, size or LONGER_SIDE, known)
    frame = (
        f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts" allowfullscreen title="{game.name}" '
        f'style="width:100%;height:{size or HEIGHT}px;border:0;border-radius:10px"></iframe>'
    )
    return Shown(f"{title_of(game, players)}, as a web page", f"{game.name}.html", page.encode(), frame)


def found(what: Any, with_agent: bool) -> tuple[Game, Any]:
    """The game that is meant, and its agent or None; a game's own, of the zoo, only where it is wanted."""
    if hasattr(what, "predict") and hasattr(what, "environment"):
        return game_of(what), what
    if isinstance(what, Game):
        return what, zoo_agent(what) if with_agent else None
    if not isinstance(what, (str, os.PathLike)):
        theirs = hasattr(what, "predict") and hasattr(what, "get_parameters")
        hint = (
            ": of Stable-Baselines3's, save it and show ludus.PPO.load(PATH, env=ludus.make_sb3(GAME))"
            if theirs
            else ""
        )
        raise OptionError(f"show takes a game, an agent, or the name or folder of one, got {describe(what)}{hint}")
    if os.path.exists(what) or os.path.exists(f"{os.fspath(what)}.zip"):
        from .agents import load_agent

        agent = load_agent(what, device="cpu")
        return game_of(agent), agent
    try:
        game = find_game(str(what))
    except UnknownGame as error:
        place = f"there is no file or folder {os.fspath(what)!r}"
        raise UnknownGame(place if os.sep in os.fspath(what) else f"{error}; {place} either") from None
    return game, zoo_agent(game) if with_agent else None


def game_of(agent: Any) -> Game:
    if getattr(agent, "simulator", None) is not None:
        return agent.simulator.game
    if "game" not in agent.environment:
        name = agent.environment.get("gymnasium", "something else")
        raise OptionError(f"the agent plays {name}: only games of Ludus can be shown")
    return find_game(agent.environment["game"])


def zoo_agent(game: Game) -> Any:
    """The zoo's agent of a game, None if it has none."""
    if not is_own(game):
        return None
    from .zoo import load_agent
    from .zoo.cards import agent_names

    return load_agent(game.name) if game.name in agent_names() else None


def words_of(played_by: Any) -> list[str]:
    """Who plays, by seats, or one for all; none where nobody said so."""
    words = [played_by] if isinstance(played_by, str) else [] if played_by is None else played_by
    if not isinstance(words, (list, tuple)) or any(not isinstance(word, str) or word not in PLAYERS for word in words):
        hint = "; to see an agent, show(agent)" if hasattr(played_by, "predict") else ""
        raise OptionError(
            f"played_by must be {', '.join(PLAYERS)}, or a list of those, got {describe(played_by)}{hint}"
        )
    return list(words)


def players_of(game: Game, agent: Any, words: Sequence[str], seats: int) -> Sequence[str]:
    """The same, with who plays where nobody said so; raises OptionError for whom there is not."""
    if not words:
        return ["agent" if agent is not None else "heuristic" if game.heuristic is not None else "random"]
    if "agent" in words and agent is None:
        raise OptionError(f"there is no agent for {game.name}: train one, and show that")
    if "heuristic" in words and game.heuristic is None:
        raise OptionError(f"{game.name} describes no simple player: leave 'heuristic' out")
    if len(words) not in (1, seats):
        raise OptionError(f"played_by must have a word for each player of {game.name}, {seats}, got {len(words)}")
    return words


def title_of(game: Game, players: Sequence[str]) -> str:
    names = {"agent": "an agent", "heuristic": "its simple player", "random": "chance"}
    return f"{game.name}, played by {' and '.join(names.get(word, word) for word in players)}"


# -- a page ------------------------------------------------------------------------------------------------------------


def page_of(game: Game, agent: Any, players: Sequence[str], seed: int, options: Options) -> str | None:
    """The page's HTML; None if no page can run the agent."""
    from .web import site

    seats = players if len(players) > 1 else [*players] * (options.players or game.players)
    begin = f"players={','.join(seats)}&seed={seed}"
    if agent is None:  # without PyTorch, which takes seconds
        return site.page_of(site.exhibit(game, options), begin)
    from .web.agent import NotForPages

    try:
        return site.page_of(site.exhibit_of_agent(agent, game, options), begin)
    except NotForPages:
        return None


# -- a moving picture --------------------------------------------------------------------------------------------------


def as_picture(game: Game, agent: Any, players: Sequence[str], seed: int, size: int, options: Options) -> Shown:
    """An episode as a GIF."""
    from .agents.runtime.extras import need

    need("PIL.Image", "a GIF", "video")
    if "you" in players:
        raise OptionError("nobody plays in a GIF: leave played_by='you' out, or as_gif")
    sim = Simulator(game, seed=seed, autoreset="disabled", num_threads=1, **vars(options))
    fps = min(game.fps, MOST_FPS)
    episode = play(who_plays(sim, agent, players, seed), sim, MOST_STEPS, sampled=False)
    file = io.BytesIO()
    write_gif(file, Film(sim, [episode], size, fps), fps)
    title = f"{title_of(game, players)}: score {episode.score:g} in {len(episode.records) - 1} steps"
    source = base64.b64encode(file.getvalue()).decode()
    image = (
        f'<div><img src="data:image/gif;base64,{source}" alt="{title}" style="display:block;margin:0;border-radius:8px">'
        f'<div style="{FAINT};font-size:12px">{title}</div></div>'
    )
    return Shown(f"{title}, as a GIF", f"{game.name}.gif", file.getvalue(), image)


def who_plays(sim: Simulator, agent: Any, players: Sequence[str], seed: int) -> Any:
    """Who decides in a simulator."""

    def one(word: str, seat: int) -> Any:
        if word != "agent":
            return Bot(sim, word, seed + seat)
        from .agents.training.evaluation import Player

        return Player(agent, sim)

    made = [one(word, seat) for seat, word in enumerate(players)]
    return made[0] if len(made) == 1 else Match(sim, made)
