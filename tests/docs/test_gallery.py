"""docs/games.md and its pictures are of the games as they are."""

import subprocess
import sys
from pathlib import Path

from ludus.envs import all_games

ROOT = Path(__file__).parents[2]


def test_the_gallery_is_up_to_date():
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "gallery.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_game_has_its_picture_and_is_named_in_the_readme():
    text, readme = (ROOT / "docs" / "games.md").read_text(), (ROOT / "README.md").read_text()
    for game in all_games().values():
        if game.step.__module__.startswith("ludus."):
            assert f"### {game.name}\n" in text and game.name in readme
            assert (ROOT / "docs" / "games" / f"{game.name}.gif").stat().st_size > 1000
