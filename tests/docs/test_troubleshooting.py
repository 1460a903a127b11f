"""The guide `docs/troubleshooting.md`: every message that it quotes is one of the source's, and its answers are true."""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from ludus.agents.files.config import CONFIGS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "troubleshooting.md").read_text()
MESSAGE = re.compile(r"^\| (?:``(.+?)``|`([^`]+)`) \| ", re.M)
MESSAGES = [one or other for one, other in MESSAGE.findall(GUIDE)]


def text_of(node):
    """A string as people would quote it, `...` for what is filled in; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "..." for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = text_of(node.left), text_of(node.right)
        return None if parts == (None, None) else "".join(part or "..." for part in parts)
    return None


@cache
def strings():
    """All strings of the source but docstrings, in one line each."""
    files = [path for folder in ("src", "envs", "agents", "zoo") for path in (ROOT / folder).rglob("*.py")]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text()))]
    docs = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    return {" ".join(text.split()) for node in nodes if id(node) not in docs and (text := text_of(node))}


def test_messages_are_found_in_the_guide():
    assert len(MESSAGES) == GUIDE[GUIDE.index("## Messages") :].count("\n| ") - GUIDE.count("| message |") >= 70
    assert len(set(MESSAGES)) == len(MESSAGES)


def test_every_quoted_message_is_in_the_source():
    assert not [message for message in MESSAGES if not any(message in text for text in strings())]
    assert min(len(re.sub(r"[^a-z]", "", message)) for message in MESSAGES) >= 12  # else it might be in any


def test_a_message_that_nobody_says_would_be_seen():
    assert not any("step before reset: call reset() last" in text for text in strings())


def test_the_example_of_minatars_protocol_prints_what_it_says(capsys):
    (program,) = re.findall(r"```python\n(.*?)```", GUIDE, re.S)
    exec(program, {})
    assert capsys.readouterr().out.splitlines()[0] == "ludus/Breakout-v1 6 None"


def test_numbers_of_games_are_the_defaults():
    told = re.search(r"(\d+) for PPO, (\d+) for DQN and (\d+) for PQN", GUIDE)
    assert [int(number) for number in told.groups()] == [CONFIGS[name]().num_envs for name in ("ppo", "dqn", "pqn")]


def test_games_do_not_import_pytorch():
    program = "import sys, ludus; env = ludus.make_vec('Catch', 2); env.reset(); print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ))
    assert result.stdout == "False\n", result.stderr
