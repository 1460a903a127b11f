"""The guide `docs/notebooks.md`: its code runs, at a small size."""

import re
from pathlib import Path

import pytest

import ludus
from ludus.notebook import Shown

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "notebooks.md").read_text()
(CODE,) = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.M | re.S)

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_code_shows_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made, show = [], ludus.show

    def shown(*args, **kwargs):
        made.append(show(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(ludus, "show", shown, raising=False)
    small = (
        re.sub("Breakout|SpaceInvaders", "Catch", CODE).replace("ConnectFour", "TicTacToe").replace("50_000", "2048")
    )
    exec(small, {})
    assert [one.name for one in made] == ["Catch.html"] * 2 + [
        "TicTacToe.html",
        "Catch.html",
        "Catch.gif",
        "Catch.html",
    ]
    assert all(isinstance(one, Shown) for one in made)
    assert Path("catch.html").read_bytes() == made[-1].content


def test_what_it_names_is_there():
    for file in re.findall(r"\]\(([\w./-]+)\)", GUIDE):
        assert (DOCS / file).exists(), file
