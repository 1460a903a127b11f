"""The guide `docs/checkpoints.md`: its commands and programs run, at a small size, and its tables are those of real files."""

import json
import re
import shlex
from pathlib import Path

import pytest
from safetensors import safe_open

import ludus
from ludus.__main__ import main
from ludus.agents import ALGORITHMS, agent_class
from ludus.agents.checkpoints.reader import FORMAT
from ludus.cli.train import MAY_CHANGE
from tests.agents.small import small

GUIDE = (Path(__file__).parents[2] / "docs" / "checkpoints.md").read_text()
CODE = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.M | re.S)
COMMANDS = [line[2:].split(" # ")[0].rstrip() for line in GUIDE.splitlines() if line.startswith("$ ludus ")]
SMALL = "--num-envs 16 --n-steps 16 --batch-size 64 --device cpu --no-recipe --algo ppo"

pytestmark = pytest.mark.usefixtures("one_thread")


def rows(heading):
    """The cells of the table under a heading."""
    lines = GUIDE[GUIDE.index(f"\n{heading}\n") :].split("\n| ", 1)[1].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in f"| {line.removeprefix('| ')}".strip("|").split(" | ")] for line in lines[2:]]


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


def made_small(command):
    """The words after `ludus`, on a small game and for a few steps."""
    words = command.removeprefix("ludus ").replace("Breakout", "Catch").replace("30000000", "2048")
    more = {"train": f"{SMALL} --total-timesteps 1024", "evaluate": "--episodes 10"}.get(words.split()[0], "")
    return shlex.split(f"{words} {more}" if "2048" not in words else f"{words} {SMALL}")


def test_the_commands_save_resume_and_exchange(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert len(COMMANDS) == 6
    for command in COMMANDS:
        assert main(made_small(command)) == 0, command
    out = " ".join(capsys.readouterr().out.split())
    assert "done already: 1.02 k steps" in out and "from step 1024" in out
    assert json.loads(Path("runs/b2/agent.json").read_text())["timesteps"] == 2048


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the programs run, one after the other."""
    return tmp_path_factory.mktemp("programs")


def test_the_programs_do_what_they_say(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert len(CODE) == 3
    exact, read, own = (program.replace("20_480", "1_024") for program in CODE)
    exec(exact, {})
    assert capsys.readouterr().out == "2048 True\n"
    exec(read, {})
    assert re.match(r"Catch 1024\n\{'action_net\.bias': \(3,\)", capsys.readouterr().out)
    exec(own, {})
    out = capsys.readouterr().out
    assert re.match(r"not kept in the file, so give it to load again: learning_rate \(.*features_extractor_class", out)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """An agent of each algorithm, saved after a few steps: its description, and the names of its tensors by part."""
    found = {}
    for name in ALGORITHMS:
        path = tmp_path_factory.mktemp(name)
        agent = agent_class(name)("mlp", ludus.make_sb3("Catch", 4), **small(name))
        agent.mine = "an attribute of the user's"
        agent.learn(64)
        agent.save(path, exclude=["gamma"])
        facts = json.loads((path / "agent.json").read_text())
        tensors = {}
        for part in ("weights", "optimizer", "training"):
            with safe_open(path / facts[part]["file"], "np") as file:
                tensors[part] = set(file.keys())
        found[name] = facts, tensors
        assert {re.sub(r"-[0-9a-f]{16}", "", file.name) for file in path.iterdir()} == {
            "agent.json", "weights.safetensors", "optimizer.safetensors", "training.safetensors",
        }  # fmt: skip
    return found


def test_the_table_of_files_has_all(saved):
    told = [name for cells in rows("## What a folder holds") for name in names(cells[0])]
    assert [re.sub("-<.*>", "", name) for name in told] == [
        "agent.json", "agent.json", "weights.safetensors", "optimizer.safetensors", "training.safetensors",
    ]  # fmt: skip


def test_the_table_of_fields_is_that_of_descriptions(saved):
    told = [name for cells in rows("### agent.json") for name in names(cells[0])]
    for facts, _ in saved.values():
        assert set(told) == set(facts)
    assert f"| `format` | {FORMAT}: " in GUIDE and f"Ludus reads format {FORMAT};" in GUIDE


def test_the_table_of_tensors_is_that_of_files(saved):
    told = {}
    for part, cell, _ in rows("### Tensors"):
        told.setdefault(part, []).extend(names(cell))
    for _, tensors in saved.values():
        assert set(told["optimizer"]) <= tensors["optimizer"]
        for name in tensors["training"]:
            assert (
                name in told["training"] or name.partition(".")[0] + "." in told["training"] or name == "generators.1"
            )
    assert set(told["weights"]) <= saved["ppo"][1]["weights"]
    assert {name.partition(".")[0] for name in saved["dqn"][1]["training"]} >= {"replay", "numbers"}


def test_what_resume_may_change_is_told():
    text = " ".join(GUIDE.split())
    told = set(names(text[text.index("What may change is") :].split(" Where ")[0]))
    flags = {f"--{name.replace('_', '-')}" for name in MAY_CHANGE - {"out", "overwrite", "resume", "tensorboard"}}
    assert told == flags | {"--no-tensorboard"}
