"""Kernels on disk are machine code: whatever is not this user's own, and of this very game, is not run."""

import errno
import os
import shutil
import sys
from pathlib import Path

import pytest

from ludus.envs.engine import cache
from ludus.envs.engine.cache import cache_folder, read_kernel, write_kernel
from ludus.envs.engine.files import OddFile, read_file

KEY, OTHER = "a" * 64, "b" * 64
posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners and pipes here")


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("LUDUS_CACHE_DIR", str(tmp_path / "cache"))
    write_kernel("Catch", KEY, b"code")
    assert read_kernel("Catch", KEY) == b"code"
    return tmp_path / "cache"


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_a_kernel_of_another_game_is_not_taken(folder):
    write_kernel("Go", OTHER, b"other code")
    mine, other = (next(folder.glob(f"{name}-*.o")) for name in ("Catch", "Go"))
    shutil.copy(other, mine)
    assert read_kernel("Catch", KEY) is None
    assert read_kernel("Go", OTHER) == b"other code"


@posix
@pytest.mark.parametrize("thing", ["pipe", "link to an endless device", "link", "folder", "nothing in it", "too long"])
def test_what_is_no_kernel_is_not_read(folder, thing, monkeypatch, tmp_path):
    path = only_file(folder)
    whole = shutil.copy(path, tmp_path / "whole")
    path.unlink()
    match thing:
        case "pipe":
            os.mkfifo(path)
        case "link to an endless device":
            path.symlink_to("/dev/zero")
        case "link":
            path.symlink_to(whole)
        case "folder":
            path.mkdir()
        case "nothing in it":
            path.touch()
        case "too long":
            monkeypatch.setattr(cache, "MAX_KERNEL", 10)
            shutil.copy(whole, path)
    assert read_kernel("Catch", KEY) is None


@posix
@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_devices_are_no_files(path):
    with pytest.raises(OddFile, match=f"^{path} is not an ordinary file$"):
        read_file(Path(path), 100)


@posix
def test_a_file_that_others_may_write_is_not_run(folder):
    only_file(folder).chmod(0o666)
    assert read_kernel("Catch", KEY) is None


@posix
@pytest.mark.parametrize("how", ["others may write", "another user"])
def test_a_folder_of_others_is_not_used_and_that_is_said_once(folder, how, monkeypatch):
    if how == "others may write":
        folder.chmod(0o777)
    elif os.geteuid() == 0:
        os.chown(folder, 12345, -1)
    else:
        somebody = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: somebody)
    with pytest.warns(UserWarning, match=f"^compiled kernels are not kept in {folder}: .*{how}"):
        assert read_kernel("Catch", KEY) is None
    write_kernel("Go", OTHER, b"other code")  # a second warning would be an error here
    assert read_kernel("Catch", KEY) is None
    assert len(list(folder.iterdir())) == 1


@posix
def test_a_folder_is_made_for_this_user_alone(folder):
    assert folder.stat().st_mode & 0o077 == 0 and only_file(folder).stat().st_mode & 0o022 == 0


def test_a_full_disk_leaves_nothing(folder, monkeypatch):
    def no_room(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    write_kernel("Go", OTHER, b"other code")
    assert [path.name[:5] for path in folder.iterdir()] == ["Catch"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="they have folders of their own for this")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"HOME": "/home/me"}, "/home/me/.cache/ludus"),
        ({"HOME": "/home/me", "XDG_CACHE_HOME": "/big"}, "/big/ludus"),
        ({"HOME": "/home/me", "XDG_CACHE_HOME": ""}, "/home/me/.cache/ludus"),
        ({"HOME": "/home/me", "XDG_CACHE_HOME": "here"}, "/home/me/.cache/ludus"),
        ({"XDG_CACHE_HOME": "/big"}, "/big/ludus"),
        ({"LUDUS_CACHE_DIR": "/mine", "XDG_CACHE_HOME": "/big", "HOME": "/home/me"}, "/mine"),
        ({}, "/tmp/ludus-12345"),
        ({"HOME": "here"}, "/tmp/ludus-12345"),
    ],
)
def test_where_kernels_are_kept(given, expected, monkeypatch):
    import pwd

    def nobody(user):
        raise KeyError(f"getpwuid(): uid not found: {user}")

    for name in ("HOME", "XDG_CACHE_HOME", "LUDUS_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    assert cache_folder() == Path(expected)
