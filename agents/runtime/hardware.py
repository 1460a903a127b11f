"""What this machine is good for: where agents compute, arithmetic in half precision, and how many threads."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import torch

from ...envs import OptionError

GPUS = ("cuda",)  # kinds of device that work is handed to and that are not waited for; tests take others for such


def on_gpu(device: torch.device | str) -> bool:
    """Whether work there is handed over, captured in graphs, and looked at only when it is done."""
    return torch.device(device).type in GPUS


def has_gpu() -> bool:
    """Whether PyTorch sees one here."""
    return torch.cuda.is_available()


def choose_device(asked: str) -> str:
    """For games and agent alike: "auto" is a GPU where there is one; under torchrun, "cuda" is this process's own.

    Raises OptionError if there is none of that name.
    """
    if asked == "auto":
        asked = "cuda" if has_gpu() else "cpu"
    if asked.startswith("cuda") and not has_gpu():
        raise OptionError(f"device={asked!r} but torch sees no GPU here: use device='cpu'")
    if asked == "cuda" and "LOCAL_RANK" in os.environ:
        return f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        return str(torch.device(asked))
    except RuntimeError as error:
        raise OptionError(f"device must be auto, cpu or cuda, got {asked!r}") from error


def device_beside(games: str, asked: torch.device | str) -> str:
    """Where an agent computes whose games are on a device: there. Raises OptionError if another is asked for."""
    there, wanted = torch.device(games), torch.device(games if asked == "auto" else asked)
    if wanted.type != there.type or wanted.index not in (None, there.index):
        raise OptionError(
            f"the agent's device is {str(asked)!r} but its games are on {games!r}: make the games with "
            f"device={str(asked)!r}, or leave the agent's device out"
        )
    return games


def choose_precision(precision: str, device: str) -> str:
    """fp32 or bf16, as asked or, if "auto", as is faster; device is "cpu" or "cuda"."""
    if precision not in ("auto", "fp32", "bf16"):
        raise OptionError(f"precision must be auto, fp32 or bf16, got {precision!r}")
    if precision != "auto":
        return precision
    half = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if half else "fp32"


def default_threads() -> int:
    """As many as PyTorch would use, which obeys OMP_NUM_THREADS, but no more than this process may have."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(torch.get_num_threads(), allowed))


def threads_worth(threads: int, worth: int) -> int:
    """As many of `threads` as the work is worth, at least one."""
    return max(1, min(threads, worth))


def available_memory(device: torch.device) -> int | None:
    """Bytes that can still be had there; None if the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
