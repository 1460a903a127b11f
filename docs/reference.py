"""Writes `docs/reference.md`, what rules may use and the options of algorithms, and the table of mistakes in
`docs/write-a-game.md`, from the code itself.

    python docs/reference.py [--check]

`--check` only says what is out of date.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import runpy
from collections.abc import Sequence
from pathlib import Path
from types import FunctionType, ModuleType

from ludus.agents import CONFIGS
from ludus.agents.files.config import Layers, Option, Range, options_of
from ludus.agents.training.options import AgentConfig
from ludus.envs import Options, canvas, cards, exact, game, rng
from ludus.envs.engine.rules import RULES, parameters
from ludus.envs.engine.syntax import BUILTINS, METHODS, NUMPY, NUMPY_INSTEAD, SYNTAX
from ludus.envs.viewer.scene import RESERVED

DOCS = Path(__file__).parent
GUIDE, REFERENCE = DOCS / "write-a-game.md", DOCS / "reference.md"
MISTAKES = runpy.run_path(str(DOCS / "mistakes.py"))["MISTAKES"]
TABLE = "| in | the line | what you read |\n|---|---|---|\n"
INSIDE = (
    {"bitmap", "is_color"} | {"fill_rect", "fill_ellipse", "fill_rounded_rect", "fill_triangle", "stretch", "stroke"}
    | {"write_letter", "write_number", "raster", "pixel_at", "copy_pixels", "mix", "next_bits", "scale"}
    | {"start_streams", "level_stream", "reduced", "sine_near_zero", "cosine_near_zero"}
)  # fmt: skip

ALLOWED = """\
| may be used | for example |
|---|---|
| numbers, comparisons, `and`, `or`, `not` | `0 <= s.row < SIZE` |
| `if`, `for`, `while`, `break`, `match` on one number, `assert`, `raise` | `for down, right in ((0, 1), (1, 0)):` |
| tuples, also of tuples; `in` | `s.row in (0, 7)` |
| functions of your own, with defaults; `lambda` | `def near(s, row, col=0): ...` |
| constants of your file: numbers, tuples, NumPy arrays, `enum.IntEnum` | `SPEED = np.array([1, 2, 4])` |
| fields of the record; elements of its arrays; a row or part of one | `s.board[2, 3] = 1`, `row = s.board[2]` |
| one number for a whole array or part of it | `s.board[:] = 0`, `planes[:, 3, 0] = 1` |
| Python's `abs` `bool` `divmod` `enumerate` `float` `int` `len` `max` `min` `pow` `range` `round` `sum` `zip` | `min(s.row + 1, 7)` |
| `math`, exact in `sqrt` `floor` `ceil`; `sin` and `cos` from `ludus.envs.exact` | `math.sqrt(2.0)` |
"""  # noqa: E501 - tables have long lines

NUMBERS = """\
- **Whole numbers** are 64 bits wide while you compute, and must fit their field where they are stored. What does not fit is
  an error as plain Python, as in `check_game`; compiled rules keep the lowest bits, without a word, for speed.
- **Floats** are 64 bits wide. A float in a whole number's field is refused: write `int(...)`, which cuts, or `round(...)`.
- **Indices** are whole numbers from 0. One that is negative counts from the end, in Python and compiled alike, and is mostly
  a mistake: a constant one, `s.row[-1]`, is fine, and one that was computed, `s.row[s.col - 1]`, is an error as plain
  Python. That holds for the record, `planes`, `allowed` and NumPy arrays of your file; tuples are Python's own.
- **Division by zero** is an error as plain Python and wherever indices are checked; else compiled rules raise nothing.
- **What is not finite** is an error there, too: a reward, an episode's return, a feature, a float of the record.
- **Loops** come to an end. `check_game` stops one that does not and names its line.
"""

KEYS = """\
Names are pygame's: `a` to `z`, `0` to `9`, `space`, `return`, `tab`, `backspace`, `left`, `right`, `up`, `down`,
`left shift`, `right ctrl`, `f1` to `f12`, `[1]` for the number pad, `,` `.` `-` and so on.
A window keeps {reserved} for itself.
"""

ALGORITHMS = """\
Arguments of the constructors, under the names of Stable-Baselines3 where it has them, and flags of `ludus train`, which has
defaults of its own. What has no default here is for `ludus train` alone, and what has none of `ludus train` is for Python
alone, but that `--seed` and `--time-limit` are flags with any algorithm. `ludus tune` tries the values of its column.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Write docs/reference.md and the guide's table of mistakes.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if something is out of date")
    arguments = parser.parse_args()
    pages = {REFERENCE: reference(), GUIDE: guide(GUIDE.read_text())}
    stale = [page for page, text in pages.items() if not page.exists() or page.read_text() != text]
    if arguments.check:
        print("up to date" if not stale else f"out of date: {', '.join(p.name for p in stale)}; run python {__file__}")
        return int(bool(stale))
    for page in stale:
        page.write_text(pages[page])
    return 0


def guide(text: str) -> str:
    """The guide with its table of mistakes made anew."""
    before, after = text.split(TABLE)
    rows = [f"| `{where}` | `{line}` | `{message}` |\n" for where, line, message in MISTAKES]
    return before + TABLE + "".join(rows) + after[after.index("\n\n") + 1 :]


def reference() -> str:
    reserved = ", ".join(f"`{key}` ({what})" for key, what in RESERVED.items())
    parts = [
        "# Reference\n\nFor authors of games, who find a better beginning in "
        "[the guide](write-a-game.md); [options of the algorithms](#algorithms) are at the end.\n",
        "## The rules\n\n" + rules(),
        "## What rules may use\n\n" + ALLOWED,
        "## What they may not, and what to write instead\n\nThe same words are the error's, with file and line. It comes "
        "before anything is compiled, in `check_game` and wherever a game is made.\n\n" + refused(),
        "## Numbers, indices, loops\n\n" + NUMBERS,
        *(f"## `{module.__name__}`\n\n{calls(module)}" for module in (rng, exact, canvas, cards)),
        "Outside rules, `bitmap(picture, **colors)` makes a sprite from text; see its docstring.\n",
        "## Fields of `Game`\n\n" + fields(),
        "## Names of keys\n\n" + KEYS.format(reserved=reserved),
        "## Options that every game takes\n\n" + options(),
        "## Algorithms\n\n" + ALGORITHMS,
        *(f"### {config.__name__.removesuffix('Config')}\n\n{algorithm(config)}" for config in CONFIGS.values()),
        "### All algorithms\n\n" + table(options_of(AgentConfig)),
    ]
    return "\n".join(parts)


def rules() -> str:
    lines = ["| rule | alone | in turn | together |", "|---|---|---|---|"]
    kinds = [game_of(players=1), game_of(players=2, player=True), game_of(players=2)]
    for rule in RULES:
        taken = (parameters(kind).get(rule) for kind in kinds)
        cells = ("-" if names is None else f"`({', '.join(names)})`" for names in taken)
        lines.append(f"| `{rule}` | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", "Of a game with features, `observe` gets `features` in place of `planes`.", ""])


def game_of(players: int, player: bool = False) -> game.Game:
    """A game of that kind, to ask for the parameters of its rules."""
    record = game.state(player="i1") if player else game.state(x="i1")

    def rule() -> None: ...

    return game.Game("Any", 1, record, rule, rule, rule, rule, ("a",), (1, 1), ("one",), players=players,
                     legal=rule if player else None)  # fmt: skip


def refused() -> str:
    words = BUILTINS | {f"np.{name}": instead for name, instead in NUMPY_INSTEAD.items()}
    found = dict.fromkeys([*SYNTAX.values(), *((f"`{name}`", instead) for name, instead in words.items())])
    lines = ["| not in rules | instead |", "|---|---|", *(f"| {what} | {instead} |" for what, instead in found)]
    methods, numpy = (", ".join(f"`{name}`" for name in sorted(names)) for names in (METHODS, NUMPY))
    return "\n".join(
        [*lines, f"| methods of arrays and lists: {methods} | write a for loop |",
         "| arithmetic of whole arrays, copies of arrays | write a for loop over elements |",
         f"| other things of NumPy's, but for {numpy} | keep arrays in the record or as constants of the file, and write a "
         "for loop |", ""]
    )  # fmt: skip


def calls(module: ModuleType) -> str:
    lines = ["| call | what it does |", "|---|---|"]
    for name, function in vars(module).items():
        own = isinstance(function, FunctionType) and function.__module__ == module.__name__
        if own and name[0] != "_" and name not in INSIDE:
            first = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
            lines.append(f"| `{name}{inspect.signature(function)}` | {first} |")
    return "\n".join([*lines, ""])


def fields() -> str:
    """The class's fields with the comments beside them."""
    lines = ["| field | default | what it is |", "|---|---|---|"]
    source = inspect.getsource(game.Game).splitlines()
    for node in ast.parse("\n".join(source)).body[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            default = "" if node.value is None else f"`{ast.unparse(node.value)}`"
            if "field(" in default:
                default = "`{}`"
            comment = source[node.lineno - 1].partition("  # ")[2]
            lines.append(f"| `{node.target.id}` | {default} | {comment or ast.unparse(node.annotation)} |")
    return "\n".join([*lines, ""])


def options() -> str:
    lines = ["| option | what it does |", "|---|---|"]
    body = ast.parse(inspect.getsource(Options)).body[0].body  # type: ignore[attr-defined]
    for node, after in zip(body, body[1:], strict=False):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(after, ast.Expr):
            lines.append(f"| `{node.target.id}` | {ast.literal_eval(after.value)} |")
    return "\n".join([*lines, ""])


def algorithm(config: type) -> str:
    """The options that not all algorithms have, those with a flag of `ludus train` first."""
    own = [option for option in options_of(config) if option not in options_of(AgentConfig)]
    return table(sorted(own, key=lambda option: not option.flag))


def table(options: Sequence[Option]) -> str:
    lines = [
        "| option | default | `ludus train` | `ludus tune` tries | bounds | unit | meaning |",
        "|---|---|---|---|---|---|---|",
    ]
    for option in options:
        default = {"agent": f"`{option.default}`", "policy": "in `policy_kwargs`", "train": ""}[option.use]
        train = f"`{option.train}`" if option.flag else ""
        cells = f"`{option.name}`", default, train, tried(option), option.bounds, option.unit, option.help
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def tried(option: Option) -> str:
    """What tuning tries, in words."""
    match option.tune:
        case Range(low, high, log):
            return f"{low:g} to {high:g}{', by logarithm' if log else ''}"
        case Layers(counts, widths):
            return f"{counts[0]} to {counts[-1]} layers of {' or '.join(map(str, widths))}"
        case None:
            return ""
    return ", ".join(f"`{value}`" if isinstance(value, str) else str(value) for value in option.tune)


if __name__ == "__main__":
    raise SystemExit(main())
