"""Frames on disk: what is read is what was written, and what is wrong is told in one line."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from ludus.agents.checkpoints.reader import digest_of as digest_of_facts
from ludus.agents.files import described
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.pretraining import shards
from ludus.agents.pretraining.merge import cut, merged
from ludus.agents.pretraining.shards import add_frames, load_frames, open_shards, save_frames
from ludus.envs import OptionError

from .small import collected, collector, ordered

ARRAYS = ("pictures", "planes", "ambiguous", "seen", "digests", "part", *shards.STEPS)


@pytest.fixture(scope="module")
def frames():
    return collected(shuffle=0.5)


def same(one, other):
    """Whether two are alike to the last number."""
    facts = ("game", "options", "plane_names", "action_names")
    return all(getattr(one, name) == getattr(other, name) for name in facts) and all(
        np.array_equal(getattr(one, name), getattr(other, name))
        and getattr(one, name).dtype == getattr(other, name).dtype
        for name in ARRAYS
    )


def test_what_is_read_is_what_was_written(frames, tmp_path):
    save_frames(frames, tmp_path / "data")
    assert same(load_frames(tmp_path / "data"), frames)
    save_frames(collected("Catch"), tmp_path / "data")  # in place of them
    assert load_frames(tmp_path / "data").game == "ludus/Catch-v1"
    assert len(list((tmp_path / "data").iterdir())) == 2


def test_large_data_become_several_shards(frames, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 50 * frames.pictures[0].nbytes)
    save_frames(frames, tmp_path)
    found = list(open_shards(tmp_path))
    assert len(found) == len(open_shards(tmp_path)) > 2
    assert max(map(len, found)) < len(frames)
    assert same(ordered(load_frames(tmp_path)), ordered(frames))


def test_cutting_and_merging_undo_each_other(frames):
    parts = list(cut(frames, 20))
    assert sum(part.seen.sum() for part in parts) == frames.seen.sum() > frames.index.size
    assert same(ordered(merged(parts, [True] * len(parts))), ordered(frames))


def test_frames_are_added_while_they_are_collected(tmp_path):
    one, whole = collector(), collector()
    for k in range(3):
        one.collect(15)
        add_frames(one.take(), tmp_path, continues=k > 0)
    whole.collect(45)
    assert open_shards(tmp_path).continues == [False, True, True]
    assert same(load_frames(tmp_path), whole.frames())


def test_between_collections_episodes_are_cut(tmp_path):
    for _ in range(2):
        add_frames(collected(steps=5), tmp_path)
    frames = load_frames(tmp_path)
    assert frames.done[4].all() and not frames.done[9].any()
    assert len(frames) == len(collected(steps=5))  # the same pictures again
    assert (frames.index[:5] == frames.index[5:]).all()


def test_a_picture_with_two_labels_in_two_shards_is_ambiguous():
    one = collected(steps=1)
    other = replace(one, planes=one.planes.copy())
    other.planes[0, 0, 0, 1] ^= 1
    both = merged([one, other])
    assert both.ambiguous.sum() == 1 and both.ambiguous[0, 1]
    assert np.array_equal(both.planes, one.planes)
    assert np.array_equal(both.seen, 2 * one.seen)


def test_frames_of_another_game_are_not_added(frames, tmp_path):
    save_frames(frames, tmp_path)
    with pytest.raises(CheckpointError, match=r"has frames of game ludus/Breakout-v\d, not of ludus/Catch-v1"):
        add_frames(collected("Catch"), tmp_path)
    assert same(load_frames(tmp_path), frames)


def test_games_without_planes_have_frames_too(tmp_path):
    frames = collected("LeducPoker", steps=3)
    save_frames(frames, tmp_path)
    assert frames.planes.shape[1:] == (0, 0, 0)
    assert same(load_frames(tmp_path), frames)


def test_more_than_memory_is_refused_before_it_is_read(frames, tmp_path, monkeypatch):
    save_frames(frames, tmp_path)
    monkeypatch.setattr(shards, "available_memory", lambda device: 1000)
    with pytest.raises(OptionError, match="GB are free: read them shard by shard"):
        load_frames(tmp_path)
    assert sum(map(len, open_shards(tmp_path))) == len(frames)


# -- what is wrong is told


def rewrite(folder, **changes):
    """Change the description, its SHA-256 with it."""
    facts = json.loads((folder / shards.NAME).read_text()) | changes
    facts["sha256"] = digest_of_facts(facts)
    (folder / shards.NAME).write_text(json.dumps(facts))


def forge(folder, frames):
    """Write frames that were not checked."""
    shard = shards._write_shard(frames, folder, False)
    rewrite(folder, shards=[shard])


BAD = {
    "index": (lambda f: f.index.__setitem__((3, 1), len(f)), "step 3 of game 1: index must be from 0 to"),
    "action": (lambda f: f.action.__setitem__((0, 2), -1), "step 0 of game 2: action must be from 0 to 2"),
    "advice": (lambda f: f.advice.__setitem__((5, 0), 3), "step 5 of game 0: advice must be from -1 to 2"),
    "reward": (
        lambda f: f.reward.__setitem__((1, 3), np.nan),
        "reward has numbers that are not finite|step 1 of game 3",
    ),
    "planes": (lambda f: f.planes.__setitem__((7, 0, 0, 0), 2), "picture 7: planes must be of 0 and 1"),
    "picture": (lambda f: f.pictures.__setitem__(4, f.pictures[2]), "picture 4: picture must be different from"),
    "seen": (lambda f: f.seen.__setitem__(0, -1), "picture 0: seen must be 0 or more"),
}


@pytest.mark.parametrize("name", BAD)
def test_the_file_and_the_row_are_named(name, tmp_path):
    frames = collected(steps=10)
    save_frames(frames, tmp_path)
    damage, message = BAD[name]
    damage(frames)
    forge(tmp_path, frames)
    with pytest.raises(CheckpointError, match=message) as error:
        load_frames(tmp_path)
    assert "frames-" in str(error.value) and "\n" not in str(error.value)


def test_wrong_frames_are_not_written(tmp_path):
    frames = collected(steps=10)
    frames.action[2, 1] = 99
    with pytest.raises(CheckpointError, match="frames to save, step 2 of game 1: action must be from 0 to 2"):
        save_frames(frames, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_damaged_shards_are_told(frames, tmp_path):
    save_frames(frames, tmp_path)
    file = next(tmp_path.glob("frames-*"))
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CheckpointError, match=rf"{file.name} is damaged"):
        load_frames(tmp_path)
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=rf"{file.name} is damaged"):
        load_frames(tmp_path)
    file.unlink()
    with pytest.raises(CheckpointError, match=rf"{file.name} cannot be read: No such file"):
        load_frames(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 9}, "has format 9, this Ludus reads 1"),
        ({"shards": []}, "does not describe frames: it names no shards"),
        ({"game": None}, "game must be one line of text, got null"),
        ({"picture": [16, 16]}, "expected|is of another"),
        ({"more": 1}, "the description has 'more'"),
        ({"games": 0}, "games must be a whole number from 1"),
    ],
)
def test_foreign_descriptions_are_told(changes, message, frames, tmp_path):
    save_frames(frames, tmp_path)
    rewrite(tmp_path, **changes)
    with pytest.raises(CheckpointError, match=message):
        load_frames(tmp_path)


def test_shards_are_files_beside_their_description(frames, tmp_path):
    save_frames(frames, tmp_path)
    shard = json.loads((tmp_path / shards.NAME).read_text())["shards"][0]
    rewrite(tmp_path, shards=[{**shard, "file": "../elsewhere.safetensors"}])
    with pytest.raises(CheckpointError, match="frames cannot be in"):
        load_frames(tmp_path)


def test_edited_and_missing_descriptions_are_told(frames, tmp_path):
    with pytest.raises(CheckpointError, match=r"has no frames\.json"):
        load_frames(tmp_path)
    save_frames(frames, tmp_path)
    file = tmp_path / shards.NAME
    file.write_text(file.read_text().replace("Breakout", "Brakeout"))
    with pytest.raises(CheckpointError, match="damaged or was edited"):
        load_frames(tmp_path)
    file.write_text("{")
    with pytest.raises(CheckpointError, match="is not JSON"):
        load_frames(tmp_path)


def test_a_shard_of_other_arrays_is_told(frames, tmp_path):
    save_frames(frames, tmp_path)
    content = safetensors.numpy.save({"pictures": np.zeros((2, 2), np.uint8)})
    digest = hashlib.sha256(content).hexdigest()
    (tmp_path / f"frames-{digest[:16]}.safetensors").write_bytes(content)
    shard = {"file": f"frames-{digest[:16]}.safetensors", "sha256": digest}
    rewrite(tmp_path, shards=[{**shard, "pictures": 2, "steps": 1, "continues": False}])
    with pytest.raises(CheckpointError, match="action is only in one of them"):
        load_frames(tmp_path)


def test_nothing_is_not_saved(tmp_path):
    with pytest.raises(OptionError, match="there are no frames: collect"):
        collector().frames()
    with pytest.raises(OptionError, match="there are no frames to put together"):
        merged([])


def test_a_failed_save_leaves_what_was_there(frames, tmp_path, monkeypatch):
    save_frames(frames, tmp_path)

    def fail(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(described, "write_whole", fail)
    with pytest.raises(CheckpointError, match=r"cannot save frames in .*: No space left"):
        save_frames(collected("Catch"), tmp_path)
    assert same(load_frames(tmp_path), frames)


def test_there_may_be_as_many_shards_as_can_be_read_and_no_more(frames, tmp_path, monkeypatch):
    save_frames(frames, tmp_path)
    shard = open_shards(tmp_path).facts["shards"][0]
    facts = shards.description(frames)
    content = shards.described(facts, [shard] * 9_999)
    described.write_description(tmp_path, shards.NAME, content, shards.SHARD, {shard["file"]})
    add_frames(frames, tmp_path)
    assert len(open_shards(tmp_path)) == 10_000
    there = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match="would have more than 10,000 shards: give another folder"):
        add_frames(frames, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == there


def test_planes_may_have_odd_names_and_games_may_not(frames, tmp_path):
    planes = tuple(f"plane\n{k}" for k in range(frames.planes.shape[3]))
    save_frames(replace(frames, plane_names=planes), tmp_path)
    assert open_shards(tmp_path).facts["plane_names"] == list(planes)
    with pytest.raises(CheckpointError, match="game must be one line"):
        save_frames(replace(frames, game="a\nb"), tmp_path)
    assert load_frames(tmp_path).game == frames.game and len(list(tmp_path.iterdir())) == 2
