"""`ludus completion`: what the Tab key completes in bash, zsh and fish.

The scripts ask Ludus itself: `ludus completion bash WORD ...` prints how the last word may go on, a line for each way; zsh
and fish also get a tab and an explanation. Where nothing is printed, the shell completes names of files.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ..envs import OptionError, all_games
from ..envs.bots import bots_of
from .arguments import HELP_ALL, parse
from .flags import Flag, blank, flags_of
from .verbs import VERBS, split_imports

SCRIPTS = {
    "bash": r"""_ludus() {
    local word line="${COMP_LINE:0:COMP_POINT}" words
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    mapfile -t COMPREPLY < <(ludus completion bash "${words[@]}" 2>/dev/null)
    word="${words[-1]}"  # bash takes what follows the last : or = for a word of its own
    word="${word%"${word##*[:=]}"}"
    COMPREPLY=("${COMPREPLY[@]#"$word"}")
}
complete -o default -F _ludus ludus
""",
    "zsh": r"""#compdef ludus
_ludus() {
    local -a lines plain
    local line
    lines=("${(@f)$(ludus completion zsh "${(@Q)words[1,CURRENT]}" 2>/dev/null)}")
    for line in ${(@)lines:#}; do
        plain+=("${${line%%$'\t'*}//:/\\:}${${line#*$'\t'}:+:${line#*$'\t'}}")
    done
    if (( ${#plain} )); then _describe -V ludus plain; else _files; fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _ludus ludus
""",
    "fish": r"""function __ludus_complete
    set -l found (ludus completion fish (commandline -opc) (commandline -ct) 2>/dev/null)
    if set -q found[1]
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c ludus -f -a '(__ludus_complete)'
""",
}
HOW = {
    "bash": 'eval "$(ludus completion bash)"',
    "zsh": 'eval "$(ludus completion zsh)"',
    "fish": "ludus completion fish | source",
}
BOTS = {
    "heuristic": "the game's simple player",
    "random": "any allowed action",
    "search-4": "the best of what can be seen four moves ahead",
}
FILES = {"bash": "~/.bashrc", "zsh": "~/.zshrc", "fish": "~/.config/fish/config.fish"}


@dataclass
class Config:
    """Print a script for a shell. With `eval "$(ludus completion bash)"` in ~/.bashrc, Tab knows verbs, flags and games."""

    shell: str
    """bash, zsh or fish."""


def main(argv: list[str]) -> int:
    shell, words = argv[0] if argv else "", argv[1:]
    if shell in SCRIPTS and words and words != ["--help"] and words != [HELP_ALL]:
        for word, text in ways_on(words[1:]):
            print(word if shell == "bash" else f"{word}\t{text}")
        return 0
    config = parse(Config, argv, "completion")
    if config.shell not in SCRIPTS:
        raise OptionError(f"completion is for {', '.join(SCRIPTS)}, not for {config.shell!r}")
    print(f"# To have this always, put the following line into {FILES[config.shell]}:\n# {HOW[config.shell]}")
    print(SCRIPTS[config.shell], end="")
    return 0


def ways_on(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Ways to go on with the last word after `ludus`, each with an explanation."""
    *before, word = words or [""]
    if before[-1:] == ["--import"]:
        yield from starting(word, packages())
        return
    _, before = split_imports(before)
    if before[:1] == ["help"]:
        before = before[1:]
    if not before:
        yield from starting(word, {**VERBS, "help": "explain a verb"}.items())
    elif before[0] in VERBS:
        yield from ways_on_with(flags_for(before[0], before[1:]), before[1:], word)


def ways_on_with(flags: Sequence[Flag], before: Sequence[str], word: str) -> Iterator[tuple[str, str]]:
    """What may come next on the command line, after a verb of these flags, with descriptions."""
    spoken = {flag.flag: flag for flag in flags if not flag.positional}
    head, equals, rest = word.partition("=")
    last = spoken.get(before[-1] if before else "")
    if equals and head in spoken:
        yield from ((f"{head}={value}", text) for value, text in values(spoken[head], rest))
    elif word.startswith("-"):
        more = {"--help": "the flags used most", HELP_ALL: "all flags", "--import": "a package with games of your own"}
        yield from starting(word, [*((name, flag.help) for name, flag in spoken.items()), *more.items()])
    elif last is not None and last.kind is not bool:
        yield from values(last, word)
    else:
        for flag in flags:
            if flag.positional:
                yield from values(flag, word)


def flags_for(verb: str, before: Sequence[str]) -> list[Flag]:
    """A verb's flags; those of `train` depend on the algorithm."""
    module = import_module(f"ludus.cli.{verb}")
    if hasattr(module, "config_for"):
        return list(flags_of(blank(module.config_for(list(before)))))
    said = re.search(r"--algo[ =](\w+)", " ".join(before))
    kinds = getattr(module, "CONFIGS", {})
    return list(flags_of(blank(kinds.get(said[1] if said else None, module.Config))))


def values(flag: Flag, word: str) -> Iterator[tuple[str, str]]:
    """Values of a flag that begin with a word."""
    if flag.name in ("game", "env", "source"):
        yield from starting(word, ((game.name, game.summary) for game in all_games().values()))
    elif flag.name in ("agent", "to", "against", "players"):
        yield from agents(word, whole=flag.name != "against")
    elif flag.name == "run":
        yield from folders_of_agents(word)
    elif flag.name == "shell":
        yield from starting(word, ((shell, "") for shell in SCRIPTS))
    else:
        yield from starting(word, ((choice, "") for choice in flag.choices))


def packages() -> Iterator[tuple[str, str]]:
    """What `--import` finds in the current folder."""
    for path in sorted([*Path().glob("*.py"), *(found.parent for found in Path().glob("*/__init__.py"))]):
        yield path.stem, "in this folder"


def agents(word: str, whole: bool) -> Iterator[tuple[str, str]]:
    """Folders with agents, of the current folder or below, and bots, with their games if `whole`."""
    yield from folders_of_agents(word)
    if not whole:
        yield from starting(word, BOTS.items())
    elif word:
        for game in all_games().values():
            yield from starting(word, ((f"{game.name}:{bot}", f"a simple player: {bot}") for bot in bots_of(game)))


def folders_of_agents(word: str) -> Iterator[tuple[str, str]]:
    """Those of the current folder or below that begin with a word."""
    for depth in ("*", "*/*"):
        for found in sorted(glob.glob(f"{glob.escape(word)}{depth}/agent.json")):
            yield str(Path(found).parent), "an agent"


def starting(word: str, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((name, text) for name, text in pairs if name.startswith(word))
