"""What is told of frames: every figure is counted again here, from frames that are made so."""

from dataclasses import replace

import numpy as np
import pytest

from ludus.agents.pretraining.audit import audit, hidden_planes, overlap, overlap_by_level, records_of_play
from ludus.agents.pretraining.collect import level_of
from ludus.agents.pretraining.frames import Frames, digest_of
from ludus.envs import OptionError, Simulator, find_game

from .small import collected


def made(index, planes, done=None, level=None, action=None, reward=None):
    """Frames of pictures with numbers on them; index (T, N), planes (U, rows, columns, P)."""
    index, planes = np.array(index), np.array(planes, np.uint8)
    pictures = np.zeros((len(planes), 4, 4, 1), np.uint8)
    pictures[:, 0, 0, 0] = np.arange(len(planes))
    zeros = np.zeros(index.shape, np.int64)
    return Frames(
        "ludus/Catch-v1",
        {"obs_type": "rgb", "size": 16},
        ("ball", "paddle"),
        ("left", "right"),
        pictures,
        planes,
        np.zeros((len(planes), 2), np.bool_),
        np.bincount(index.ravel(), minlength=len(planes)),
        digest_of(pictures),
        index,
        zeros if action is None else np.array(action),
        zeros - 1,
        np.zeros(index.shape, np.float32) if reward is None else np.array(reward, np.float32),
        np.zeros(index.shape, np.bool_) if done is None else np.array(done),
        level=level,
    )


def test_figures_are_counted():
    planes = np.zeros((3, 2, 2, 2))
    planes[0, :, :, 0] = 1
    planes[1, 0, 0, 0] = 1
    frames = made([[0, 1], [0, 0]], planes, done=[[0, 1], [0, 0]], action=[[0, 0], [0, 1]], reward=[[0, 0], [0, 2]])
    frames.ambiguous[0, 0] = True
    found = audit(frames)
    assert (found.frames, found.unique, found.unstepped, found.new, found.episodes) == (4, 3, 1, 0.5, 1)
    ball, paddle = found.planes
    assert (ball.cells, ball.pictures, ball.two_labels) == (5 / 12, 2 / 3, 1.0)
    assert (paddle.cells, paddle.pictures, paddle.two_labels) == (0, 0, 0)
    assert found.actions == {"left": 0.75, "right": 0.25}
    assert found.rewards == {0.0: 3, 2.0: 1}
    assert sum(found.parts.values()) == 3 and found.two_labels == 1.0
    assert "Never present: paddle" in found.text()
    assert "Not shown: ball (100%)" in found.text()


def test_parts_by_content_share_no_picture():
    frames = collected(steps=60)
    assert audit(frames).overlap == 0
    frames.pictures[np.flatnonzero(frames.part == 0)[0]] = frames.pictures[np.flatnonzero(frames.part == 2)[0]]
    assert overlap(frames) == 1


def test_levels_that_show_the_same_share_their_pictures():
    steps, games = 3, 20
    same = np.tile(np.arange(steps)[:, None], (1, games))
    apart = np.arange(steps * games).reshape(steps, games)
    level = np.tile(np.arange(games), (steps, 1))
    assert overlap_by_level(made(same, np.zeros((steps, 1, 1, 2)), level=level)) == 1.0
    assert overlap_by_level(made(apart, np.zeros((steps * games, 1, 1, 2)), level=level)) == 0.0
    assert overlap_by_level(made(apart, np.zeros((steps * games, 1, 1, 2)))) == 0.0  # episodes
    assert np.isnan(overlap_by_level(made(same[:, :9], np.zeros((steps, 1, 1, 2)), level=level[:, :9])))


def test_whole_levels_are_of_one_part():
    frames = collected("Maze", steps=30, levels=range(40), max_episode_steps=5).split_by_level()
    parts = frames.part[frames.index]
    for level in np.unique(frames.level):
        kinds = set(parts[frames.level == level].tolist())
        assert max(kinds) in (0, 1, 2)
        if max(kinds) == 2:  # whatever training levels do not show
            assert not np.isin(frames.index[(frames.level == level) & (parts == 2)], frames.index[parts == 0]).any()
    assert {0, 1, 2} == set(parts.ravel().tolist())
    assert overlap(frames) == 0
    with pytest.raises(OptionError, match="a split by level needs 10 levels, there are 0"):
        collected(steps=3).split_by_level()


def test_the_level_of_each_episode_is_known():
    levels = (7, 1, 30)
    frames = collected("Maze", steps=30, levels=levels, max_episode_steps=5)
    assert set(frames.level.ravel().tolist()) == set(levels)
    began = np.arange(30) % 5 == 0
    first = {level: frames.index[began][frames.level[began] == level] for level in levels}
    assert all(len(set(rows.tolist())) == 1 for rows in first.values())  # a level always begins alike
    assert len({int(rows[0]) for rows in first.values()}) == 3
    assert (frames.level.reshape(6, 5, 4) == frames.level.reshape(6, 5, 4)[:, :1]).all()  # for the whole episode


def test_a_level_is_told_by_its_stream_whatever_was_drawn():
    sim = Simulator("Breakout", 1, seed=3, levels=[5])
    sim.reset()
    for _ in range(50):
        sim.step(np.zeros(1, np.int64))
    streams = sim.state_dict()["streams"]
    assert level_of(streams[0], range(1000)) == 5


def test_fields_that_no_picture_shows_are_found():
    frames = collected("Tetris", steps=5, size=64)
    records = records_of_play("Tetris", 64)
    assert records.dtype == find_game("Tetris").State and len(records) == 64
    found = audit(frames, records)
    planes = {plane.name: plane for plane in found.planes}
    assert planes["phase"].hidden == 1.0 and planes["phase"].fields[0] == "ticks"
    shown = [plane for plane in found.planes if plane.name != "phase" and plane.hidden < 0.5]
    assert shown
    with pytest.raises(OptionError, match="2 records or more; got 1"):
        hidden_planes(frames, records[:1])


def test_text_fits_a_terminal():
    for game in ("Breakout", "Seaquest", "Catch"):
        text = audit(collected(game, steps=10), records_of_play(game, 16)).text()
        assert max(map(len, text.splitlines())) <= 80
        assert "the training part has" in text.lower()


def test_advice_follows_the_figures():
    frames = made(np.zeros((20, 2), int), np.ones((1, 2, 2, 2)))
    advice = " ".join(audit(frames).advice())
    assert "100% of actions are left" in advice
    assert "No step had a reward" in advice
    assert "Only 2.5% of frames are pictures not seen before" in advice
    assert "There are no pictures for" in advice
    good = replace(frames, reward=np.ones((20, 2), np.float32), action=np.arange(40).reshape(20, 2) % 2)
    assert "reward" not in " ".join(audit(good).advice()) and "actions are" not in " ".join(audit(good).advice())
