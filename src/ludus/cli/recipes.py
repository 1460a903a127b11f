"""Recipes: what `ludus train` and `ludus tune` begin with, from the zoo or from a JSON file, which is read without trust."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..agents.files.config import CONFIGS, options_of
from ..envs import Game, OptionError, Options, find_game
from ..envs.arguments import describe
from .making import is_game
from .settings import GYMNASIUM, SELF_PLAY, SETTINGS
from .settings_file import from_plain


@dataclass(frozen=True)
class Recipe:
    """What a file says.

    Attributes:
        name: of the file, for messages.
        about: a line on the protocol and where the settings come from.
        algo: the algorithm that did best.
        total_timesteps: that `algo` is trained for; None: as `ludus train` has it by itself.
        options: of the game.
        settings: of each algorithm, by its name; those that the file does not say are the algorithm's own.
    """

    name: str
    about: str
    algo: str = "ppo"
    total_timesteps: int | None = None
    options: Options = field(default_factory=Options)
    settings: Mapping[str, Any] = field(default_factory=lambda: {algo: kind() for algo, kind in SETTINGS.items()})


@dataclass(frozen=True)
class Start:
    """What is where no flag says otherwise: by a recipe or, without one, by algorithm and environment."""

    algo: str
    settings: Any
    options: Options = field(default_factory=Options)
    recipe: Recipe | None = None


def start_of(game: str | None, given: Mapping[str, Any]) -> Start:
    """What to begin with, by the recipe of a game if there is one, where these flags do not say otherwise."""
    file, wanted = given.get("recipe_file"), given.get("recipe", True)
    if given.get("algo", "ppo") not in SETTINGS:
        raise OptionError(f"unknown algorithm {given['algo']!r}: choose from {', '.join(SETTINGS)}")
    if file is not None and not wanted:
        raise OptionError("--recipe-file and --no-recipe exclude each other: give one of them")
    if game is None or not is_game(game):
        if file is not None or given.get("recipe"):
            raise OptionError(f"--recipe{'-file' if file else ''} is for games of Ludus: leave it out")
        algo = given.get("algo", "ppo")
        return Start(algo, bare(algo, game))
    recipe = recipe_for(find_game(game), file) if wanted else None
    if recipe is None and given.get("recipe"):
        raise OptionError(f"there is no recipe for {find_game(game).name}: leave out --recipe")
    algo = given.get("algo") or (recipe.algo if recipe else "ppo")
    if recipe is None:
        return Start(algo, bare(algo, game))
    settings = bare(algo, game) if sees_otherwise(recipe.options, given) else recipe.settings[algo]
    return Start(algo, settings, recipe.options, recipe)


def bare(algo: str, game: str | None) -> Any:
    """Settings by algorithm and environment, where neither recipe nor flag says anything."""
    if game is None:
        return SETTINGS[algo]()
    if not is_game(game):
        return GYMNASIUM[algo]
    return SELF_PLAY[algo] if find_game(game).players > 1 else SETTINGS[algo]()


def sees_otherwise(options: Options, given: Mapping[str, Any]) -> bool:
    """Whether flags let an agent see something else than its recipe is for, so that its settings say nothing."""
    own = given.get("obs_type", options.obs_type) != options.obs_type
    return own or bool(given.get("encoder") and not given.get("decode"))


def in_words(game: str, algo: str, file: Path | None = None) -> str:
    """Which recipe it was that flags began with, and what it has for an algorithm that is not its own."""
    recipe, whose = recipe_for(find_game(game), file), f"{file or 'the zoo'}'s for {game}"
    if recipe is not None and recipe.algo != algo:
        has = "options" if recipe.settings[algo] == bare(algo, game) else "options and settings"
        whose += f", which is by {recipe.algo.upper()} (for {algo.upper()} it has {has})"
    return f"recipe: {whose}; --no-recipe begins with bare defaults"


def recipe_for(game: Game, file: Path | None = None) -> Recipe | None:
    """The recipe in a file, or the zoo's for a game, None if it has none; raises OptionError."""
    from ..zoo import recipe_file

    if file is None:
        place = recipe_file(game.name)
        return None if place is None else parse_recipe(place.read_bytes(), f"the zoo's {place.name}", game)
    from ..agents.files.safe_io import CheckpointError, read_bytes

    try:
        return parse_recipe(read_bytes(file, 1_000_000), str(file), game)
    except CheckpointError as error:
        raise OptionError(f"--recipe-file {error}") from error


def parse_recipe(content: bytes, name: str, game: Game) -> Recipe:
    """A recipe from a file's content; raises OptionError that names the file and the line."""
    from ..agents.files.safe_io import CheckpointError, parse_json

    try:
        text, facts = content.decode(), parse_json(content, name)
    except UnicodeDecodeError as error:
        raise OptionError(f"{name} is not text in UTF-8") from error
    except CheckpointError as error:
        raise OptionError(str(error)) from error
    kinds: dict[str, Any] = {"about": str, "algo": str, "total_timesteps": int, "options": Mapping, "published": list}
    kinds |= dict.fromkeys(SETTINGS, Mapping)
    try:
        for key, value in facts.items():
            _check(key, value, kinds)
        if facts.get("algo", "ppo") not in SETTINGS:
            raise _Wrong("algo", f"algo must be one of {', '.join(SETTINGS)}, got {describe(facts['algo'])}")
        if facts.get("total_timesteps", 1) < 1:
            raise _Wrong("total_timesteps", f"total_timesteps must be 1 or more, got {facts['total_timesteps']}")
        options = _options(facts.get("options", {}), game)
        settings = {algo: _settings(algo, facts.get(algo, {}), game) for algo in SETTINGS}
    except _Wrong as wrong:
        raise OptionError(f"{name}, line {_line(text, wrong.keys)}: {wrong}") from None
    plain = {key: facts[key] for key in ("algo", "total_timesteps") if key in facts}
    return Recipe(name, facts.get("about", ""), options=options, settings=settings, **plain)


class _Wrong(ValueError):
    """What is wrong with the value at `keys`, the last of which is inside of the others."""

    def __init__(self, *keys_and_message: str) -> None:
        *self.keys, message = keys_and_message
        super().__init__(message)


def _check(key: str, value: Any, kinds: Mapping[str, Any]) -> None:
    if key not in kinds:
        raise _Wrong(key, f"there is no {describe(key)} in a recipe, only {', '.join(kinds)}")
    if not isinstance(value, kinds[key]) or isinstance(value, bool):
        what = {str: "text", int: "a whole number", Mapping: "a table", list: "a list"}[kinds[key]]
        raise _Wrong(key, f"{key} must be {what}, got {describe(value)}")


def _plain(section: str, kind: Any, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass that a table has, each of its kind."""
    hints, found = typing.get_type_hints(kind), {}
    for key, value in facts.items():
        if key not in hints:
            near = difflib.get_close_matches(key, hints, 1)
            hint = f": did you mean {near[0]!r}?" if near else ""
            raise _Wrong(section, key, f"there is no {describe(key)} among the settings of {section}{hint}")
        try:
            found[key] = from_plain(key, hints[key], value)
        except ValueError as error:
            raise _Wrong(section, key, str(error)) from None
    return found


def _options(facts: Mapping[str, Any], game: Game) -> Options:
    options = Options(**_plain("options", Options, facts))
    try:
        options.resolved(game)
    except OptionError as error:
        wrong = next((key for key in facts if str(error).find(key) >= 0), "options")
        raise _Wrong("options", wrong, str(error)) from None
    return options


def _settings(algo: str, facts: Mapping[str, Any], game: Game) -> Any:
    """The settings of an algorithm, each within the limits that its config gives."""
    found = _plain(algo, SETTINGS[algo], facts)
    for option in options_of(CONFIGS[algo]):
        value = found.get(option.name)
        if value is None:
            continue
        low, high = option.low, option.high
        if (
            (option.choices and value not in option.choices)
            or (low is not None and value < low)
            or (high is not None and value > high)
        ):
            bounds = option.bounds or f"from {low:g} to {high:g}"
            raise _Wrong(algo, option.name, f"{option.name} must be {bounds}, got {describe(value)}")
    return dataclasses.replace(bare(algo, game.name), **found)


def _line(text: str, keys: list[str]) -> int:
    """Of a key in JSON text, where each of `keys` comes after the one before it."""
    place = 0
    for key in keys:
        place = max(place, text.find(f'"{key}"', place))
    return text.count("\n", 0, place) + 1
