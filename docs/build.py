"""Builds the documentation site: pages of this folder, and those that are derived, with games to be played in them.

    python docs/build.py [--out build/docs] [--games all|none|GAME,...]

It puts pages together in OUT/docs, has Zensical make OUT/site of them, and exports the games into OUT/site/play. A link that
leads nowhere, or a docstring that cannot be read, ends it.
"""

from __future__ import annotations

import argparse
import inspect
import os
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ludus.__main__ import main as ludus
from ludus.cli.completion import flags_for
from ludus.cli.help import default_of, usage
from ludus.cli.verbs import VERBS
from ludus.envs import find_game

DOCS = Path(__file__).parent
ROOT = DOCS.parent
MADE = {"docs", "site", "mkdocs.yml", ".cache"}  # in OUT
OUTSIDE = {  # pages of the site that are files outside this folder
    "results.md": "benchmarks/RESULTS.md", "benchmarks.md": "benchmarks/README.md", "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}  # fmt: skip
IN_SITE = {source: page for page, source in OUTSIDE.items()} | {"README.md": "index.md"}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]\(([^)\s]+)\)")
PART = re.compile(r'^--8<-- "README\.md:(\w+)"$', re.M)  # of README, between two comments of that name
GAME = re.compile(r"^### (\w+)\n(.*?)(?=^### |^## |\Z)", re.M | re.S)  # of games.md
PLAY = """\
<iframe class="game" src="../play/{name}.html" title="{name}, to be played" loading="lazy" allow="fullscreen"></iframe>

<p><a class="md-button" href="../play/{name}.html" target="_blank">Open it in a page of its own</a></p>
"""
ARCADE = """\
<p><a class="md-button md-button--primary" href="play/index.html" target="_blank">Play in the arcade</a></p>
"""
USE = """\
```console
$ ludus play {name}
$ ludus watch {name}
$ ludus train {name}
```

```python
import ludus

env = ludus.make("{name}", render_mode="human")       # a gymnasium.Env
games = ludus.make_vec("{name}", num_envs=1024)       # a gymnasium.vector.VectorEnv
```
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the documentation site.")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "docs")
    parser.add_argument("--games", default="all", help="which are to be played in the site: all, none, or names")
    arguments = parser.parse_args()
    games = dict(GAME.findall((DOCS / "games.md").read_text(encoding="utf-8")))
    played = {"all": [*games], "none": []}.get(arguments.games, arguments.games.split(","))
    if unknown := [name for name in played if name not in games]:
        parser.error(f"--games: there is no {unknown[0]!r}; there are {', '.join(games)}")
    if not cleared(arguments.out):
        parser.error(f"--out {arguments.out} has what this script did not make: name a folder that is new, or its own")
    write_sources(arguments.out / "docs", games, played)
    shutil.copy(DOCS / "mkdocs.yml", arguments.out)
    environment = {**os.environ, "NO_COLOR": "1"}
    made = subprocess.run([sys.executable, "-m", "zensical", "build", "--strict"], cwd=arguments.out, env=environment)
    if made.returncode != 0 or not played:
        return made.returncode
    site = arguments.out / "site"
    return ludus(["export", *played, "--format", "web", "--out", str(site / "play")])


def cleared(out: Path) -> bool:
    """Remove what this script left in a folder before; whether there is nothing now that is anybody else's."""
    if not out.exists():
        return True
    if not out.is_dir() or not {path.name for path in out.iterdir()} <= MADE:
        return False
    shutil.rmtree(out)
    return True


def write_sources(folder: Path, games: dict[str, str], played: Sequence[str]) -> None:
    """What the site is made of: this folder's pages and pictures, and all that is derived."""
    pages = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in DOCS.glob("**/*.md")}
    pages |= {page: (ROOT / source).read_text(encoding="utf-8") for page, source in OUTSIDE.items()}
    pages["command-line.md"] = command_line()
    pages["games.md"] = gallery(pages["games.md"], played)
    pages |= {f"games/{name}.md": game_page(name, text, name in played) for name, text in games.items()}
    for page, text in pages.items():
        write(folder / page, LINK.sub(lambda link, page=page: in_site(link, page), with_parts(text)))
    for pattern in ("*.png", "*.gif", "*.css", "*.ipynb", "games/*.gif"):
        for path in DOCS.glob(pattern):
            copy(path, folder / path.relative_to(DOCS))
    for path in (ROOT / "benchmarks" / "results").glob("*.png"):
        copy(path, folder / "results" / path.name)


def with_parts(text: str) -> str:
    """A page with the parts of README that it asks for."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return PART.sub(
        lambda part: readme.split(f"[start:{part[1]}] -->\n")[1].split(f"<!-- --8<-- [end:{part[1]}]")[0], text
    )


def in_site(link: re.Match[str], page: str) -> str:
    """A link of the repository as the site has it: without the link, if it leads to a file that is no page of the site."""
    picture, text, target = link.groups()
    if re.match(r"#|\w+:", target):
        return link[0]
    path, _, anchor = target.partition("#")
    source = posixpath.normpath(posixpath.join(posixpath.dirname(OUTSIDE.get(page, f"docs/{page}")), path))
    found = IN_SITE.get(source, re.sub("^(docs|benchmarks)/", "", source))
    if source not in IN_SITE and not source.startswith(("docs/", "benchmarks/results/")):
        return text
    found = posixpath.relpath(found, posixpath.dirname(page) or ".")
    return f"{picture}[{text}]({found}{'#' + anchor if anchor else ''})"


def gallery(text: str, played: Sequence[str]) -> str:
    """The table of all games, each with a link to a page of its own, in place of all their rules."""
    text = re.sub(r"^\| \[(\w+)\]\(#\w+\)", r"| [\1](games/\1.md)", GAME.sub("", text), flags=re.M)
    text = re.sub(r"^## .*\n", "", text, flags=re.M)
    if len(played) > 1:  # of one alone, the export has no first page
        text = re.sub(r"^!\[All games\].*\n", rf"\g<0>\n{ARCADE}", text, flags=re.M)
    return f"---\nhide: [navigation, toc]\n---\n\n{text}"


def game_page(name: str, text: str, played: bool) -> str:
    """A game: to be played, its rules in words, how to begin, and the file that it is."""
    picture = f"![{name}](games/{name}.gif)"
    assert picture in text
    words = text.replace(picture, "").strip()
    rules = "".join(f"    {line}\n" for line in ["```python", *rules_of(name).splitlines(), "```"])
    show = PLAY.format(name=name) if played else f"![{name}]({name}.gif)"
    return f'# {name}\n\n{show}\n\n{words}\n\n{USE.format(name=name)}\n??? note "All of its rules"\n\n{rules}'


def rules_of(name: str) -> str:
    """A game's file."""
    return Path(inspect.getfile(find_game(name).step)).read_text(encoding="utf-8")


def command_line() -> str:
    """Every verb with all of its flags, as `--help-all` has them."""
    lines = ["# Command line", "`ludus VERB --help` shows the flags that are used most, and `--help-all` all of these."]
    for verb, summary in VERBS.items():
        about = import_module(f"ludus.cli.{verb}").Config.__doc__ or summary
        rows = [[f"`{usage(flag)}`", f"{flag.help}{default_of(flag)}"] for flag in flags_for(verb, [])]
        table = [
            "| flag | |",
            "|---|---|",
            *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows),
        ]
        lines += [f"## ludus {verb}", " ".join(about.split()), "\n".join(table)]
    return "\n\n".join(lines) + "\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


if __name__ == "__main__":
    sys.exit(main())
