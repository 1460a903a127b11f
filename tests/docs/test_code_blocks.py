"""Every code block of README and the guides runs, at a small size, and every command is one that the command line takes."""

import re
import shlex
from pathlib import Path

import pytest

from ludus.cli.completion import flags_for
from ludus.cli.verbs import VERBS, split_imports

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
ELSEWHERE = {  # pages whose blocks have a test of their own, and where that is
    "README.md": "test_readme.py", "evaluation.md": "test_evaluation.py", "pretraining.md": "test_pretraining.py",
    "web.md": "test_web.py", "write-a-game.md": "test_write_a_game.py",
    "add-an-algorithm.md": "../agents/training/test_on_policy.py", "own-code.md": "test_own_code.py",
    "notebooks.md": "test_notebooks.py", "checkpoints.md": "test_checkpoints.py",
    "troubleshooting.md": "test_troubleshooting.py",
}  # fmt: skip
SMALLER = {  # what makes a block quick
    "10_000_000": "20_000", "500_000": "20_000", "100_000": "20_000", 'device="cuda"': 'device="cpu"',
    "buffer_size=20_000": "buffer_size=100_000", "4096": "64",
}  # fmt: skip


def blocks(page, language):
    """The blocks of a language, without the mark of their list or note."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", page.read_text(encoding="utf-8"), re.M | re.S)
    return [re.sub(f"^{indent}", "", text, flags=re.M) for indent, text in found]


HERE = [
    pytest.param(text, id=f"{page.name}-{number}")
    for page in PAGES
    if page.name not in ELSEWHERE
    for number, text in enumerate(blocks(page, "python"))
]


@pytest.mark.filterwarnings("ignore:not kept in the file")  # a class of one's own, of which the guide tells as much
@pytest.mark.parametrize("text", HERE)
def test_a_block_runs(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for large, small in SMALLER.items():
        text = text.replace(large, small)
    names = {}
    exec(text, names)
    assert len(names) > 2


def test_blocks_that_are_not_here_are_elsewhere():
    for page, test in ELSEWHERE.items():
        assert page in (Path(__file__).parent / test).read_text(), f"{test} does not read {page}"


def commands():
    """Each `ludus` command of the pages, with its page; in a loop of the shell, what is in it."""
    for page in PAGES:
        for text in blocks(page, "console"):
            for line in text.splitlines():
                for found in re.findall(r"(?:^\$ |; do |^ +)(?:[./\w]+/)?ludus ([^;|#]*)", line):
                    yield page.name, found.strip()


def test_every_command_is_one(tmp_path):
    found = [*commands()]
    assert len(found) > 60
    for page, command in found:
        _, words = split_imports(shlex.split(command.replace("...", "").replace("$seed", "0")))
        if words[:1] == ["help"] or words[1:] in (["--help"], ["--help-all"]):
            assert set(words[1:2]) <= {*VERBS, "--help", "--help-all"}, (page, command)
            continue
        assert words[0] in VERBS, (page, command)
        known = {flag.flag for flag in flags_for(words[0], words[1:])}
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        unknown = {flag for flag in given if flag not in known and flag.replace("--no-", "--", 1) not in known}
        assert not unknown, (page, command)
