"""People's play: what is kept when the window closes, and the frames that are made of it."""

import json

import numpy as np
import pygame
import pytest

from ludus.agents.checkpoints.reader import digest_of
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.pretraining.demonstrations import frames_from_play
from ludus.cli import play
from ludus.envs import Observer, OptionError
from ludus.envs.viewer.window import Window


def at_the_window(monkeypatch, *doings, then=None):
    """`ludus play` opens a window at whose keyboard somebody does these things: keys to hold, and for how many seconds."""
    seen = []

    def run(session, caption):
        with Window(session.sim, caption) as window:
            for keys, seconds in doings:
                for key in keys:
                    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
                for key in window.pressed():
                    session.press(key)
                before = session.sim.records.copy()
                session.advance(seconds, window.held)
                seen.append((before, session.steps))
                for key in keys:
                    pygame.event.post(pygame.event.Event(pygame.KEYUP, key=key))
                window.pressed()
            if then is not None:
                raise then

    monkeypatch.setattr("ludus.envs.viewer.window.run", run)
    return seen


GAME = (([pygame.K_SPACE], 0.0), ([pygame.K_LEFT], 0.45), ([], 0.2), ([pygame.K_r], 0.0), ([pygame.K_RIGHT], 2.0))


def test_what_was_played_becomes_frames(monkeypatch, tmp_path, capsys):
    seen = at_the_window(monkeypatch, *GAME)
    assert play.main(["Catch", "--save", str(tmp_path / "mine")]) == 0
    (file,) = (tmp_path / "mine").iterdir()
    assert file.name == "Catch-1.json" and f"{file}: 15 steps" in capsys.readouterr().out
    frames = frames_from_play(tmp_path / "mine", size=32)
    assert frames.game == "ludus/Catch-v1" and frames.index.shape == (15, 1)
    left, right = frames.action_names.index("left"), frames.action_names.index("right")
    assert frames.action[:4, 0].tolist() == [left] * 4 and frames.action[6:, 0].tolist() == [right] * 9
    assert np.flatnonzero(frames.done[:, 0]).tolist() == [5, 14]  # the first was left, the second is over
    see, label = Observer("Catch", obs_type="rgb", size=32), Observer("Catch")
    for step, record in ((0, seen[1][0]), (4, seen[2][0]), (6, seen[4][0])):
        assert np.array_equal(frames.pictures[frames.index[step, 0]], see(record)[0])
        assert np.array_equal(frames.planes[frames.index[step, 0]], label(record)[0])


def test_each_time_has_a_file_and_all_are_read_together(monkeypatch, tmp_path):
    for _ in range(2):
        at_the_window(monkeypatch, *GAME)
        play.main(["Catch", "--save", str(tmp_path), "--seed", "3"])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["Catch-1.json", "Catch-2.json"]
    one, both = frames_from_play(tmp_path / "Catch-1.json"), frames_from_play(tmp_path)
    assert len(both.index) == 2 * len(one.index) and len(both) == len(one)
    assert both.done[len(one.index) - 1, 0]


def test_options_and_opponents_are_kept(monkeypatch, tmp_path):
    at_the_window(monkeypatch, ([pygame.K_SPACE], 0.0), ([pygame.K_RIGHT], 2.0))
    options = ["--repeat-action-probability", "0.5", "--full-action-space", "--levels", "3", "4"]
    play.main(["Breakout", "--save", str(tmp_path / "b"), *options])
    frames = frames_from_play(tmp_path / "b")
    assert len(frames.action_names) == 6 and set(frames.level.ravel().tolist()) <= {3, 4}

    def run(session, caption):
        session.press("space")
        session.click(1.5, 1.5)
        session.advance(1.0, [])

    monkeypatch.setattr("ludus.envs.viewer.window.run", run)
    play.main(["TicTacToe", "--save", str(tmp_path / "t"), "--against", "random"])
    frames = frames_from_play(tmp_path / "t")
    assert frames.action[0, 0] == 4 and len(frames.index) == 2


def test_what_was_played_is_kept_whatever_happens(monkeypatch, tmp_path):
    at_the_window(monkeypatch, *GAME[:2], then=RuntimeError("lost"))
    with pytest.raises(RuntimeError, match="lost"):
        play.main(["Catch", "--save", str(tmp_path)])
    assert len(frames_from_play(tmp_path).index) == 4


def test_nothing_played_is_nothing_saved(monkeypatch, tmp_path, capsys):
    at_the_window(monkeypatch)
    play.main(["Catch", "--save", str(tmp_path / "none")])
    assert "nothing was played" in capsys.readouterr().out
    with pytest.raises(CheckpointError, match="has no games that people played"):
        frames_from_play(tmp_path / "none")


def test_a_folder_that_cannot_be_written_is_told_before_anybody_plays(monkeypatch, tmp_path):
    seen = at_the_window(monkeypatch, *GAME)
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match=r"--save .*file cannot be written: it is a file, not a folder"):
        play.main(["Catch", "--save", str(tmp_path / "file")])
    assert seen == []


@pytest.fixture
def file(monkeypatch, tmp_path):
    at_the_window(monkeypatch, *GAME)
    play.main(["Catch", "--save", str(tmp_path), "--seed", "1"])
    return tmp_path / "Catch-1.json"


def rewrite(file, **changes):
    facts = json.loads(file.read_text()) | changes
    file.write_text(json.dumps(facts | {"sha256": digest_of(facts)}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "has format 2, this Ludus reads 1"),
        ({"version": 9}, "it was played in version 9 of Catch, here it is 1"),
        ({"game": "Cach"}, "did you mean Catch"),
        ({"games": [[0, 7]]}, "game 0, step 1: .*action"),
        ({"games": [[0] * 9, [0] * 10]}, "game 1, step 9: "),
        ({"games": [[[0, 1]]]}, "game 0, step 0: "),
        ({"games": [[0.5]]}, "games must be a whole number from 0 to 255"),
        ({"games": []}, "there are no frames"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"options": {"sise": 3}}, "did you mean 'size'"),
        ({"more": 1}, "the file has 'more'"),
    ],
)
def test_files_of_strangers_are_told(changes, message, file):
    rewrite(file, **changes)
    with pytest.raises((CheckpointError, OptionError), match=message) as error:
        frames_from_play(file)
    assert "\n" not in str(error.value)


def test_edited_files_are_told(file):
    file.write_text(file.read_text().replace('"seed":1', '"seed":2'))
    with pytest.raises(CheckpointError, match="damaged or was edited"):
        frames_from_play(file)


def test_games_that_show_each_player_another_picture_are_refused(monkeypatch, tmp_path):
    at_the_window(monkeypatch, ([pygame.K_SPACE], 0.0), ([pygame.K_LEFT], 1.0))
    play.main(["Tron", "--save", str(tmp_path)])
    with pytest.raises(OptionError, match="Tron shows every player another picture"):
        frames_from_play(tmp_path)
