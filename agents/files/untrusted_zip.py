"""Zip files from strangers: read within limits, and never unpickled but by torch's restricted reader of tensors.

All that is wrong with a file raises CheckpointError with one line that does not name the file.
"""

from __future__ import annotations

import io
import pickle
import stat
import zipfile
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from typing import IO, Any

import torch
from torch import Tensor

from .safe_io import CheckpointError, short

MAX_MEMBERS = 10_000
CHUNK = 1_000_000  # bytes read at once
COUNTER = ".num_batches_tracked"  # what batch normalization counts in whole numbers


class ShortReads:
    """A file of which no more than a chunk is read at once; `zipfile` would read a directory of any size."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.seek, self.tell, self.seekable = file, file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > CHUNK:
            raise CheckpointError(f"its directory of members has {size} bytes")
        return self.file.read(size)


def read_members(file: IO[bytes], limits: Mapping[str, int], optional: Set[str] = frozenset()) -> dict[str, bytes]:
    """The content of the members that `limits` names, each with the bytes it may have; others are not touched."""
    with explained("it is not a whole zip file"):
        archive = open_archive(file)
        missing = set(limits) - set(archive.namelist())
        for name in sorted(missing - optional):
            raise CheckpointError(f"it has no member {name!r}")
        return {name: read_member(archive, name, limit) for name, limit in limits.items() if name not in missing}


def read_tensors(content: bytes, limit: int) -> dict[str, Tensor]:
    """A dictionary of finite float32 tensors, and counters of batches, that `torch.save` wrote, of `limit` bytes in all."""
    with explained("it is not a file of tensors"):
        tensors = saved_by_torch(content, limit)
        check_tensors(tensors, limit)
        return dict(tensors)


def read_optimizer(content: bytes, limit: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The settings of an optimizer that `torch.save` wrote, and its state, by number of the weight and name."""
    with explained("its optimizer is not a file of tensors"):
        state = saved_by_torch(content, limit)
        (group,) = state["param_groups"]
        kept = ((f"{int(n)}.{key}", x) for n, slots in state["state"].items() for key, x in slots.items())
        return dict(group), {name: torch.as_tensor(x) for name, x in kept if x is not None}


def saved_by_torch(content: bytes, limit: int) -> Any:
    """What `torch.save` wrote of tensors and plain values, of `limit` bytes in all, on the CPU.

    torch reads a copy made here, for its own reader of zips has no limits.
    """
    copy = io.BytesIO()
    archive = open_archive(io.BytesIO(content))
    if sum(info.file_size for info in archive.infolist()) > limit:
        raise CheckpointError(f"the tensors unpack to more than {limit} bytes")
    with zipfile.ZipFile(copy, "w") as clean:
        for name in archive.namelist():
            clean.writestr(name, read_member(archive, name, limit))
    copy.seek(0)
    try:
        return torch.load(copy, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # torch's own words advise to load it without protection
        raise CheckpointError("the file of tensors is damaged, or has more than tensors in it") from error


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Whatever strange bytes make `zipfile` and torch raise becomes one line."""
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:
        raise CheckpointError(f"{what}: {type(error).__name__}: {short(error)}") from error


def open_archive(file: IO[bytes]) -> zipfile.ZipFile:
    """A zip that holds a moderate number of plain files, each name once."""
    archive = zipfile.ZipFile(ShortReads(file))  # type: ignore[arg-type]
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise CheckpointError(f"it has {len(members)} members, more than {MAX_MEMBERS}")
    if len(set(archive.namelist())) < len(members):
        raise CheckpointError("it has two members of one name")
    links = [info.filename for info in members if stat.S_ISLNK(info.external_attr >> 16)]
    if links:
        raise CheckpointError(f"its member {short(links[0])!r} is a link")
    return archive


def read_member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """A member's content; `zipfile` gives no more bytes than are declared, and checks their sum."""
    declared = archive.getinfo(name).file_size
    if declared > limit:
        raise CheckpointError(f"its member {short(name)!r} has {declared} bytes, more than {limit}")
    with archive.open(name) as file:
        return b"".join(iter(lambda: file.read(CHUNK), b""))


def check_tensors(tensors: Any, limit: int) -> None:
    """Raise CheckpointError unless these are named weights; a few bytes can declare a tensor of any size."""
    if not isinstance(tensors, dict) or not tensors:
        raise CheckpointError("it is not a file of named tensors")
    for name, tensor in tensors.items():
        fault = fault_of(tensor, torch.int64 if str(name).endswith(COUNTER) else torch.float32)
        if fault:
            raise CheckpointError(f"{short(name)} {fault}")
    if sum(tensor.nbytes for tensor in tensors.values()) > limit:
        raise CheckpointError(f"the tensors have more than {limit} bytes")


def fault_of(tensor: Any, dtype: torch.dtype = torch.float32) -> str | None:
    """What keeps a thing from being a plain array of finite numbers of a type, all of them there."""
    if not isinstance(tensor, Tensor) or tensor.layout is not torch.strided or tensor.device.type != "cpu":
        return "is not a plain array"
    if tensor.dtype is not dtype:
        return f"is {tensor.dtype}, expected {dtype}"
    if tensor.numel() == 0:
        return f"has the shape {tuple(tensor.shape)}, which no weights have"
    if tensor.untyped_storage().nbytes() < tensor.nbytes:
        return "has fewer numbers than its shape says"
    return None if torch.isfinite(tensor).all() else "has numbers that are not finite"
