"""Measurements in processes of their own: a function of a module, its arguments and its result as JSON.

python -m training.jobs speed '{"threads": 1, ...}'      # in this folder
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Any

from report import FOLDER


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this thread, and those that it starts, on one core; where the system has no such call, do nothing."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def run_job(
    module: str, name: str, threads: int, device: str = "cpu", python: str = sys.executable, **arguments: Any
) -> Any:
    """The result of a job, which a fresh interpreter computes; with one thread it stays on one core.

    Args:
        module: whose `__main__` calls `answer`.
        name: of the job, which takes `device`, `threads` and the arguments.
        python: the interpreter.

    Raises:
        SystemExit: if the process failed, with the end of what it said.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    if device == "cpu":
        environment |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    if threads == 1:
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    command = [python, "-m", module, name, json.dumps({"device": device, "threads": threads, **arguments})]
    with one_core() if threads == 1 else nullcontext():
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=FOLDER)
    if done.returncode:
        raise SystemExit(f"{module} {name} {arguments} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def answer(jobs: dict[str, Callable[..., Any]]) -> None:
    """The child's part: do the job that the command line names, and print its result."""
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    with redirect_stdout(sys.stderr):  # what libraries print
        result = jobs[name](**arguments)
    print(json.dumps(result))
