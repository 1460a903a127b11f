"""Saves that fail change nothing, and saves at the same time wait for each other."""

import errno
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from ludus.agents import load_agent
from ludus.agents.checkpoints.reader import read_description
from ludus.agents.files import safe_io as files
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.ppo.ppo import PPO
from ludus.envs.engine.files import lock
from tests.agents.checkpoints.catch import catch_agent


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="there is no folder"):
        read_description(tmp_path / "nothing" / "agent.json")


def test_a_folder_that_cannot_be_written(trained, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match=r"cannot save the agent.*: it is a file, not a folder"):
        trained[0].save(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("k", range(8))
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_at_any_moment_leaves_an_agent(trained, tmp_path, monkeypatch, call, k):
    """The k-th call of the system fails: the folder then has the agent before or the one after, and nothing else."""
    agent = catch_agent()
    agent.learn(128)
    agent.save(tmp_path, keep=2)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    agent.learn(128, reset_num_timesteps=False)
    calls, original = [], getattr(os, call)

    def fail(*arguments):
        calls.append(arguments)
        if len(calls) == k + 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*arguments)

    monkeypatch.setattr(files.os, call, fail)
    with suppress(CheckpointError):
        agent.save(tmp_path, keep=2)
        assert len(calls) <= k, "it was not told that the disk failed"
    monkeypatch.undo()
    assert PPO.load(tmp_path, resume=True).num_timesteps in (128, 256)
    assert not list(tmp_path.glob(".*"))
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    newest = json.loads(after["agent.json"])["timesteps"]
    if newest == 128:
        assert {name: after[name] for name in before} == before
        assert set(after) - set(before) <= {"agent-128.json"}


def full(monkeypatch, folder, room):
    """A disk on which the files of a folder may have so many bytes."""
    original = os.fsync

    def fsync(handle):
        if sum(path.stat().st_size for path in folder.iterdir()) > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(handle)

    monkeypatch.setattr(files.os, "fsync", fsync)


def trained_on(agent, folder, times):
    for _ in range(times):
        agent.learn(128, reset_num_timesteps=False)
        agent.save(folder, keep=3)
    return sum(path.stat().st_size for path in folder.iterdir()) // times


def test_on_a_full_disk_the_oldest_make_room_for_the_newest(tmp_path, monkeypatch):
    agent = catch_agent()
    one = trained_on(agent, tmp_path, 3)
    full(monkeypatch, tmp_path, int(2.5 * one))
    agent.learn(128, reset_num_timesteps=False)
    with pytest.warns(UserWarning, match=r"No space left on device: .*agent-(128|256).json makes room"):
        agent.save(tmp_path, keep=3)
    assert sorted(path.name for path in tmp_path.glob("agent*")) == ["agent-384.json", "agent.json"]
    assert [load_agent(tmp_path / name).num_timesteps for name in ("agent-384.json", "agent.json")] == [384, 512]


def test_the_newest_whole_one_never_makes_room(tmp_path, monkeypatch):
    agent = catch_agent()
    one = trained_on(agent, tmp_path, 3)
    full(monkeypatch, tmp_path, int(1.5 * one))
    agent.learn(128, reset_num_timesteps=False)
    with pytest.warns(UserWarning, match="makes room"), pytest.raises(CheckpointError, match="No space left on device"):
        agent.save(tmp_path, keep=3)
    monkeypatch.undo()
    assert PPO.load(tmp_path, resume=True).num_timesteps == 384


@pytest.mark.parametrize("name", ["run", "run.zip"])
def test_threads_that_save_one_agent_in_one_place_take_turns(trained, tmp_path, name):
    with ThreadPoolExecutor(8) as threads:
        done = [threads.submit(trained[0].save, tmp_path / name) for _ in range(40)]
    assert [future.exception() for future in done] == [None] * 40
    assert PPO.load(tmp_path / name).num_timesteps == 256


@pytest.mark.skipif(not hasattr(os, "O_DIRECTORY"), reason="folders cannot be locked")
def test_a_save_of_another_process_is_waited_for_and_then_named(trained, tmp_path, monkeypatch):
    trained[0].save(tmp_path)
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    assert lock(handle)  # as another process would
    monkeypatch.setattr(files, "PATIENCE", 0.05)
    with pytest.raises(CheckpointError, match=f"cannot save the agent in {tmp_path}: another save is under way there"):
        trained[0].save(tmp_path)
    os.close(handle)
    trained[0].save(tmp_path)
    assert PPO.load(tmp_path).num_timesteps == 256


FULL_DISK = """
import resource, sys
import torch
from ludus.agents.ppo.ppo import PPO
agent = PPO.load(sys.argv[1], resume=True, device="cpu")
with torch.no_grad():
    next(agent.policy.parameters()).add_(1)
agent.num_timesteps += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    agent.save(sys.argv[1])
except Exception as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_a_full_disk_leaves_the_earlier_checkpoint(trained, tmp_path):
    trained[0].save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    result = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True)
    assert result.stdout.strip() == f"cannot save the agent in {tmp_path}: File too large", result.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_link_in_the_way_is_not_followed(trained, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / f".agent.json.{os.getpid()}.tmp").symlink_to(precious)
    (folder / "agent.json").symlink_to(precious)
    trained[0].save(folder)
    assert precious.read_text() == "precious"
    assert not (folder / "agent.json").is_symlink()


@pytest.mark.parametrize("name", ["run", "run.zip"])
def test_what_could_not_be_read_again_is_not_written(tmp_path, name):
    agent = catch_agent()
    agent.learn(128)
    agent.save(tmp_path / name)
    agent.environment["options"]["comment"] = "x" * files.MAX_JSON
    with pytest.raises(
        CheckpointError, match=r"agent.json would have 1,\d+,\d+ bytes, and 1,000,000 can be read again"
    ):
        agent.save(tmp_path / name)
    assert load_agent(tmp_path / name).num_timesteps == 128
