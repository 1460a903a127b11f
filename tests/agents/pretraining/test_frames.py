"""Frames: pictures once each, in parts that share none, with the planes that the game shows."""

import numpy as np
import pytest

from ludus.agents.pretraining.collect import shuffled
from ludus.agents.pretraining.frames import PARTS, Gallery, digest_of, part_of
from ludus.agents.pretraining.play import collect_frames
from ludus.envs import Observer, OptionError, Simulator


@pytest.fixture(scope="module")
def frames():
    return collect_frames("Asterix", 1280, seed=5)


def test_pictures_are_there_once_and_the_parts_share_none(frames):
    assert len({picture.tobytes() for picture in frames.pictures}) == len(frames)
    rows = [frames.rows(part) for part in PARTS]
    assert sorted(np.concatenate(rows)) == list(range(len(frames)))
    assert 0.7 < len(rows[0]) / len(frames) < 0.9 and all(len(some) > 0 for some in rows)
    assert frames.seen.sum() == frames.index.size == 1280


def test_the_same_arguments_give_the_same_frames(frames):
    again, other = collect_frames("Asterix", 1280, seed=5), collect_frames("Asterix", 1280, seed=6)
    for name in ("pictures", "planes", "digests", "index", "action", "reward", "done", "part"):
        assert np.array_equal(getattr(frames, name), getattr(again, name)), name
    assert not np.array_equal(frames.action, other.action)


def test_a_picture_is_of_the_same_part_wherever_it_is_seen(frames):
    other = collect_frames("Asterix", 1280, seed=5, policy="random")
    parts = dict(zip(frames.digests.tolist(), frames.part.tolist(), strict=True))
    shared = [(parts[d], p) for d, p in zip(other.digests.tolist(), other.part.tolist(), strict=True) if d in parts]
    assert len(shared) > 10 and all(a == b for a, b in shared)


def test_steps_are_those_of_the_game(frames):
    sim = Simulator("Asterix", frames.index.shape[1], seed=5)
    sim.reset()
    pictures, planes = Observer("Asterix", obs_type="rgb"), Observer("Asterix")
    for t in range(frames.index.shape[0]):
        assert np.array_equal(frames.pictures[frames.index[t]], pictures(sim.records))
        assert np.array_equal(frames.planes[frames.index[t]], planes(sim.records))
        sim.step(frames.action[t])
        assert np.array_equal(frames.reward[t], sim.reward)
        assert np.array_equal(frames.done[t], sim.terminated | sim.truncated)


@pytest.mark.parametrize("part", PARTS)
def test_pairs_are_steps_of_one_episode_with_both_pictures_in_the_part(frames, part):
    first, second = frames.pairs(part)
    games = frames.index.shape[1]
    assert len(first) > 0 and np.array_equal(second, first + games)
    assert not frames.done.reshape(-1)[first].any()
    number = PARTS.index(part)
    assert (frames.part[frames.index.reshape(-1)[[*first, *second]]] == number).all()


@pytest.mark.parametrize("count", [10, 57, 400])
def test_labels_of_some_pictures_leave_the_test_part_as_it_is(frames, count):
    some, again, other = frames.labelled(count, 1), frames.labelled(count, 1), frames.labelled(count, 2)
    train, validation = some.rows("train"), some.rows("validation")
    assert len(validation) == count // 5 and len(train) + len(validation) == count
    assert not set(train) & set(validation)
    assert np.array_equal(some.rows("test"), frames.rows("test"))
    assert np.array_equal(some.part, again.part) and not np.array_equal(some.part, other.part)
    assert len(frames.rows("train")) > count  # the frames themselves are as they were


@pytest.mark.parametrize("count", [9, 100_000])
def test_labels_that_there_are_not_are_refused(frames, count):
    with pytest.raises(OptionError, match=rf"labels must be from 10 to \d+, .* got {count}"):
        frames.labelled(count)


def test_planes_that_differ_under_the_same_picture_are_told():
    gallery = Gallery()
    picture = np.zeros((2, 4, 4, 3), np.uint8)
    planes = np.zeros((2, 2, 2, 3), np.uint8)
    planes[1, 0, 0, 1] = 1
    assert gallery.add(picture, planes).tolist() == [0, 0]
    assert gallery.arrays()["ambiguous"].tolist() == [[False, True, False]] and gallery.seen == [2]


def test_shares_of_parts_follow_from_digests_alone():
    digests = np.random.default_rng(0).integers(0, 2**64, 100_000, dtype=np.uint64)
    shares = np.bincount(part_of(digests), minlength=3) / len(digests)
    assert np.allclose(shares, (0.8, 0.1, 0.1), atol=0.01)
    pictures = np.random.default_rng(1).integers(0, 255, (50, 8, 8, 3)).astype(np.uint8)
    assert len(set(digest_of(pictures).tolist())) == 50


def test_shuffled_records_have_each_field_of_some_game():
    sim = Simulator("Breakout", 16, seed=1)
    sim.reset()
    mixed = shuffled(sim.records, 64, np.random.default_rng(0))
    for name in mixed.dtype.names:
        known = {value.tobytes() for value in sim.records[name]}
        assert all(value.tobytes() in known for value in mixed[name])
    more = collect_frames("Breakout", 640, shuffle=0.5)
    assert len(more) > len(collect_frames("Breakout", 640)) and more.seen.sum() == 640 * 1.5


@pytest.mark.parametrize(("frames", "games"), [(64, 2), (640, 10), (4096, 64), (10_000, 64)])
def test_few_frames_are_of_few_games_which_come_further(frames, games):
    index = collect_frames("Breakout", frames, size=8).index
    assert index.shape == (frames // games, games)


def test_frames_that_do_not_fit_into_memory_are_refused(monkeypatch):
    with pytest.raises(OptionError, match=r"frames must be at most .* of this size, got 99,999,999,999,999: they take"):
        collect_frames("Breakout", 99_999_999_999_999)
    room = 640 * (8 * 8 * 3 + 10 * 10 * 4 + 38)
    monkeypatch.setattr("ludus.agents.pretraining.collect.available_memory", lambda device: room)
    assert collect_frames("Breakout", 640, size=8).index.size == 640
    for more in ({"shuffle": 0.1}, {"size": 9}):
        with pytest.raises(OptionError, match="frames must be at most"):
            collect_frames("Breakout", 640, **{"size": 8, **more})


def test_what_is_wrong_is_said():
    with pytest.raises(OptionError, match="frames must be 64 or more"):
        collect_frames("Breakout", 10)
    with pytest.raises(OptionError, match="another picture"):
        collect_frames("Tron", 640)
    with pytest.raises(OptionError, match="policy must be random, heuristic or both"):
        collect_frames("Breakout", 640, policy="nobody")
