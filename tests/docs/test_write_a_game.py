"""The guide `docs/write-a-game.md`, followed to the letter: its files are written, its commands run, its outputs compared."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ludus.__main__ import main
from ludus.envs import GameError, UnknownGame, check_game, find_game, registry
from ludus.envs.engine import watchdog

GUIDE = (Path(__file__).parents[2] / "docs" / "write-a-game.md").read_text()
BLOCK = re.compile(r"(?:^`(?P<file>[^`\n]+)`\n\n)?^```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.M | re.S)
ROW = re.compile(r"^\| `(?P<where>\w+)` \| `(?P<line>[^`]+)` \| `(?P<message>[^`]+)` \|$", re.M)
FILES = {block["file"]: block["body"] for block in BLOCK.finditer(GUIDE) if block["file"]}

pytestmark = pytest.mark.timeout(900)  # it takes a minute of one core, which others may want, too

# The guide's command, and what runs here in its place: nothing is installed, nobody presses keys, training is short.
INSTALL, TRAIN = "pip install --editable .", "ludus --import mygames train Hedgehog --max-episode-steps 200 "
IN_PLACE_OF = {
    "pip install '.[video]'": "python -c 'import ludus, PIL'",
    "ludus --import mygames play Hedgehog": "ludus --import mygames play Hedgehog --help",
    TRAIN + "--time-limit 60 --out runs/hedgehog": TRAIN + "--total-timesteps 400_000 --out runs/hedgehog",
    "ludus --import mygames watch runs/hedgehog": "ludus --import mygames watch runs/hedgehog --episodes 1 --speed 64",
    INSTALL: "true",
}


@dataclass
class Command:
    """A command of the guide, what the reader types into it, what should appear, and what did."""

    line: str
    typed: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    output: str = ""
    status: int | None = None


def commands(kind: str, body: str) -> list[Command]:
    """The commands of a block: a console's lines after `$`, or Python without a file's name."""
    if kind == "python":
        return [Command(f"python -c {shlex.quote(body)}")]
    found: list[Command] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:]))
        elif line.startswith("(Pdb) "):
            found[-1].typed.append(line.removeprefix("(Pdb) "))
        else:
            found[-1].expected.append(line)
    return found


def run(command: Command, folder: Path, environment: dict[str, str]) -> None:
    result = subprocess.run(
        shlex.split(IN_PLACE_OF.get(command.line, command.line)),
        cwd=folder,
        env=environment,
        input="\n".join([*command.typed, ""]),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    command.output, command.status = result.stdout, result.returncode


def install(folder: Path, environment: dict[str, str]) -> None:
    """What `pip install --editable .` does with the guide's pyproject.toml."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    facts = folder / f"{project['name']}-{project['version']}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [f"{name} = {value}" for name, value in project["entry-points"]["ludus.games"].items()]
    (facts / "entry_points.txt").write_text("\n".join(["[ludus.games]", *lines, ""]))
    environment["PYTHONPATH"] = str(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader's folder, empty at first."""
    return tmp_path_factory.mktemp("afternoon")


@pytest.fixture(scope="module")
def afternoon(folder: Path) -> dict[str, Command]:
    """The whole guide, from top to bottom; the commands by their lines."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "LUDUS_CACHE_DIR": str(folder / ".cache"),
        "COLUMNS": "120",
        "OMP_NUM_THREADS": "1",
    }
    done: list[Command] = []
    for block in BLOCK.finditer(GUIDE):
        if block["file"]:
            (folder / block["file"]).write_text(block["body"])
        elif block["kind"] == "text":
            done[-1].expected += block["body"].splitlines()
        else:
            for command in commands(block["kind"], block["body"]):
                run(command, folder, environment)
                if command.line == INSTALL:
                    install(folder, environment)
                done.append(command)
    return {command.line: command for command in done}


def words(line: str) -> str:
    """A line without the spaces that tables are padded with."""
    return " ".join(line.split())


def shows(output: str, expected: str) -> bool:
    """Whether a line is among the output; `...` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in words(expected).split("..."))
    return any(re.search(pattern, words(line)) for line in output.splitlines())


def number(pattern: str, output: str) -> float:
    found = re.search(pattern, output)
    assert found, f"no {pattern} in {output}"
    return float(found[1])


def test_the_game_is_one_file_of_sixty_lines_and_one_line_registers_it() -> None:
    assert len(FILES["mygames/hedgehog.py"].splitlines()) <= 60
    assert max(map(len, FILES["mygames/hedgehog.py"].splitlines())) <= 120
    assert FILES["mygames/__init__.py"].count("register") == 1
    assert FILES["mygames/__init__.py"].splitlines()[-1] == "ludus.register(GAME)"


def test_every_command_works(afternoon: dict[str, Command]) -> None:
    assert len(afternoon) >= 12
    failed = {command.line: command.output for command in afternoon.values() if command.status != 0}
    assert not failed


def test_what_the_guide_shows_is_what_the_reader_sees(afternoon: dict[str, Command]) -> None:
    shown = [(command, line) for command in afternoon.values() for line in command.expected]
    assert len(shown) >= 10
    for command, line in shown:
        assert shows(command.output, line), f"{command.line}\nshould show {line!r}, gives\n{command.output}"


def test_what_runs_in_place_of_the_guides_commands_is_still_in_the_guide(afternoon: dict[str, Command]) -> None:
    assert set(IN_PLACE_OF) <= set(afternoon)


def test_a_minute_of_training_beats_chance(afternoon: dict[str, Command]) -> None:
    check = next(command.output for line, command in afternoon.items() if "check_game" in line)
    chance = number(r"and (-?[\d.]+) points on average", check)
    learned = number(r"greedy +100 +(-?[\d.]+) ", afternoon["ludus --import mygames evaluate runs/hedgehog"].output)
    assert -1.5 < chance < -0.5
    assert learned > chance + 1


def test_pictures_come_out(afternoon: dict[str, Command], folder: Path) -> None:
    from PIL import Image

    with Image.open(folder / "hedgehog.gif") as film:
        assert film.n_frames > 10
        assert film.size == (320, 320)
    with Image.open(folder / "hedgehog.png") as picture:
        colors = {tuple(color) for color in np.asarray(picture).reshape(-1, 3).tolist()}
    garden, berry, fur, snout, eye, fox = re.findall(r"\((\d+, \d+, \d+)\)+\n", FILES["mygames/hedgehog.py"])[:6]
    for color in (garden, berry, fur, snout, eye, fox):
        assert tuple(map(int, color.split(","))) in colors


def test_a_page_comes_out(afternoon: dict[str, Command], folder: Path) -> None:
    page = (folder / "hedgehog.html").read_text()
    assert "<title>Hedgehog</title>" in page and '"kind":"policy"' in page


def test_the_game_can_be_played(afternoon: dict[str, Command]) -> None:
    assert "usage: ludus play" in afternoon["ludus --import mygames play Hedgehog"].output
    watched = afternoon["ludus --import mygames watch runs/hedgehog"].output
    assert "episodes: 1, mean return:" in watched


def test_the_table_of_errors_is_complete() -> None:
    table = GUIDE[GUIDE.index("| in | the line |") :].split("\n\n")[0].splitlines()[2:]
    assert len(table) == len(ROW.findall(GUIDE)) >= 6


@pytest.mark.parametrize("row", [pytest.param(row, id=row["line"]) for row in ROW.finditer(GUIDE)])
def test_mistakes_are_told_as_the_guide_says(
    row: re.Match[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, where, line = FILES["mygames/hedgehog.py"], row["where"], row["line"]
    if line.startswith("def "):
        broken = re.sub(rf"^def {where}\(.*$", line, source, flags=re.M)
    elif where == "file":
        broken = source.replace("\ndef reset", f"\n{line}\ndef reset")
    elif where == "State":
        broken = re.sub(rf"{line.split('=')[0]}=\"\w+\"", line, source)
    else:
        broken = re.sub(rf"^def {where}\(.*$", lambda rule: f"{rule[0]}\n    {line}", source, flags=re.M)
    assert broken != source
    file = tmp_path / "hedgehog.py"
    file.write_text(broken)
    monkeypatch.setenv("LUDUS_CACHE_DIR", str(tmp_path))
    module = ModuleType("broken_hedgehog")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(watchdog, "PATIENCE", 0.5)
    with pytest.raises(GameError) as caught:  # noqa: PT012 - some mistakes are found when the file is read
        exec(compile(broken, file, "exec"), vars(module))
        check_game(module.GAME, steps=40)
    assert row["message"] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in; what is imported from it does not outlast the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (None, ["--import", "nowhere", "games"], "there is no package nowhere, neither in this folder nor installed"),
        (None, ["--import=nowhere.at_all", "games"], "there is no package nowhere.at_all"),
        (None, ["--import=", "games"], "--import takes a package's name, such as mygames, got ''"),
        (None, ["--import", "../mygames", "games"], "--import takes a package's name, such as mygames"),
        (
            "",
            ["--import", "mygame.py", "games"],
            "--import takes a name without .py, from the current folder: --import mygame",
        ),
        (
            "",
            ["--import", "empty_1", "play", "Hedgehog"],
            "empty_1 registered no game: let it end with ludus.register(GAME)",
        ),
        ("x = = 1", ["--import", "broken_1", "games"], "SyntaxError: invalid syntax (broken_1.py, line 1)"),
        ("\n1 / 0", ["--import", "broken_2", "games"], "ZeroDivisionError: division by zero (broken_2.py, line 2)"),
        ("import nowhere", ["--import", "broken_3", "games"], "No module named 'nowhere' (broken_3.py, line 1)"),
        ("import ludus; ludus.register(3)", ["--import", "broken_4", "games"], "register takes a Game, got int"),
    ],
)
def test_a_package_that_cannot_be_imported_is_one_line(
    content: str | None, arguments: list[str], message: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (here / f"{arguments[1]}.py").write_text(content)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Hedgehog", "unknown game 'Hedgehog': one of your own must be imported and call ludus.register(GAME)"),
        ("Walk", "unknown game 'Walk': did you mean CliffWalking? If not, one of your own must be imported"),
        ("mygame.py", "unknown game 'mygame.py': that is a file. Let it end with ludus.register(GAME), import it"),
    ],
)
def test_who_forgets_the_import_is_reminded(
    name: str, words: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", name]) == 2
    assert words in (error := capsys.readouterr().err)
    assert f"ludus --import {'mygame' if name == 'mygame.py' else 'PACKAGE'} ..." in error


@pytest.mark.parametrize("name", ["stranger", "stranger:GAME", "stranger.GAME", "ludus/stranger"])
def test_asking_for_a_game_never_imports_a_module_of_that_name(name: str, here: Path) -> None:
    """An agent's file names its game; that file may come from anybody."""
    (here / "stranger.py").write_text("raise SystemExit('imported')")
    sys.path.insert(0, str(here))
    with pytest.raises(UnknownGame):
        find_game(name)
    assert "stranger" not in sys.modules


def test_an_installed_package_that_is_broken_is_warned_of_and_left_out(here: Path) -> None:
    (here / "broken_5.py").write_text("1 / 0")
    facts = here / "broken_5-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-5\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[ludus.games]\nbroken = broken_5\n")
    sys.path.insert(0, str(here))
    registry._import_packages.cache_clear()
    with pytest.warns(UserWarning, match="the games of 'broken_5' cannot be imported: ZeroDivisionError"):
        games = registry.all_games()
    assert "Catch" in games
