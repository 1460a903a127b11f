"""The guide `docs/pretraining.md`, followed to the letter, at a small size."""

import re
import shlex
from pathlib import Path

import pytest

from ludus.__main__ import main
from ludus.agents import save_encoder
from ludus.agents.nn.classifier import Classifier
from ludus.agents.nn.text import TextConfig, TextEncoder
from ludus.agents.pretraining.methods import METHODS

GUIDE = (Path(__file__).parents[2] / "docs" / "pretraining.md").read_text()
BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.M | re.S)
BLOCKS = [(block["kind"], block["body"]) for block in BLOCK.finditer(GUIDE)]
SMALL = {  # what is added to a command, by its beginning, and left out of it
    "pretrain collect": ("--frames 3200 --size 32", ""),
    "pretrain data": ("--epochs 3 --channels 8 --depth 1", ""),
    "train": ("--total-timesteps 4096 --num-envs 64", "--time-limit 60"),
    "watch": ("--episodes 1 --speed 64 --sampled", ""),
}

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("one_thread")]


def made_small(command):
    words = command.removeprefix("ludus ")
    for beginning, (more, less) in SMALL.items():
        if words.startswith(beginning):
            return shlex.split(f"{words.replace(less, '') if less else words} {more}")
    return shlex.split(words)


def test_five_commands_lead_from_nothing_to_an_agent(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    commands = [
        line[2:] for kind, body in BLOCKS if kind == "console" for line in body.splitlines() if "ludus " in line
    ]
    assert len(commands) == 5
    for command in commands:
        assert main(made_small(command)) == 0, command
    out = capsys.readouterr().out
    assert "different pictures" in out and "on what was never seen: f1" in out
    assert {path.stem for path in Path("encoders/asterix/plots").glob("*.png")} >= {
        "loss",
        "planes",
        "f1",
        "embeddings",
    }
    program = "\n".join(body for kind, body in BLOCKS if kind == "python").replace(
        'obs_type="rgb")', 'obs_type="rgb", size=32)'
    )
    assert main(["pretrain", "digits", "--epochs", "1", "--no-plots"]) == 0
    reviews = Classifier(TextEncoder(TextConfig(("dull", "lovely"), 8)), ("bad", "good"))
    save_encoder("encoders/reviews-classify", reviews, {})
    found = {}
    exec(program.replace("learn(10_000)", "learn(64)"), found)
    assert found["encoder"].planes == ("player", "enemy", "trail", "gold")


def test_the_table_of_methods_is_that_of_the_code():
    rows = re.findall(r"^\| `([\w-]+)` \| ([^|]+?) \|", GUIDE[GUIDE.index("## Methods") : GUIDE.index("## Use")], re.M)
    assert dict(rows[1:]) == {name: text for name, (_, text) in METHODS.items()}
