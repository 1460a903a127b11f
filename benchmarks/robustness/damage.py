"""Checkpoints with random damage: each is refused, or loads as the same agent or as one that can be trained on."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import random
import resource
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from robustness.kills import ROLLOUT, finish

from ludus.agents import load_agent
from ludus.agents.checkpoints.reader import digest_of
from ludus.agents.files.safe_io import CheckpointError, to_json
from ludus.envs import LudusError


def flip_bits(content: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def flip_a_bit_near_the_start(content: bytearray, rng: random.Random) -> None:
    content[rng.randrange(min(len(content), 2000))] ^= 1 << rng.randrange(8)


def truncate(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content)) :]


def insert(content: bytearray, rng: random.Random) -> None:
    where = rng.randrange(len(content))
    content[where:where] = rng.randbytes(rng.randrange(1, 20))


def blank_out(content: bytearray, rng: random.Random) -> None:
    where = rng.randrange(len(content))
    content[where : where + 512] = bytes(len(content[where : where + 512]))


def repeat(content: bytearray, rng: random.Random) -> None:
    where = rng.randrange(len(content))
    content[where:where] = content[where : where + rng.randrange(1, 200)]


def other_digits(content: bytearray, rng: random.Random) -> None:
    digits = [k for k, byte in enumerate(content[:5000]) if 48 <= byte <= 57]
    for k in rng.sample(digits, min(len(digits), rng.choice((1, 2, 5)))):
        content[k] = rng.randrange(48, 58)


DAMAGE: Sequence[Callable[[bytearray, random.Random], None]] = (
    flip_bits, flip_bits, flip_a_bit_near_the_start, truncate, insert, blank_out, repeat, other_digits,
)  # fmt: skip


def mutate(folder: Path, rng: random.Random) -> tuple[str, bool]:
    """Damage a file of a checkpoint; returns which, and whether the digests were made to fit again."""
    part, seal = rng.choice(("agent", "weights", "training")), rng.random() < 0.5
    path = folder / "agent.json" if part == "agent" else next(folder.glob(f"{part}-*"))
    content = bytearray(path.read_bytes())
    rng.choice(DAMAGE)(content, rng)
    path.write_bytes(content)
    return part, seal and reseal(folder, part)


def reseal(folder: Path, part: str) -> bool:
    """Make the digests fit what is there, as somebody who means harm would."""
    try:
        facts = json.loads((folder / "agent.json").read_bytes())
        if part != "agent":
            facts[part]["sha256"] = hashlib.sha256((folder / facts[part]["file"]).read_bytes()).hexdigest()
        facts["sha256"] = digest_of(facts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    (folder / "agent.json").write_bytes(to_json(facts))
    return True


def mutate_often(folder: Path, algo: str, mutations: int, seed: int) -> dict[str, Any]:
    """Load `mutations` damaged checkpoints; counts what came of it."""
    rng, good, bad = random.Random(seed), folder / "good", folder / "bad"
    if not (good / "agent.json").exists():
        finish(good, algo, 20 * ROLLOUT)
    (good / "train.json").unlink(missing_ok=True)
    load_agent(good, resume=True, device="cpu")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results, failures = Counter(), []
    for k in range(mutations):
        if k % 20 == 0:
            gc.collect()  # agents refer to their parts and these to them
        shutil.rmtree(bad, ignore_errors=True)
        shutil.copytree(good, bad)
        part, sealed = mutate(bad, rng)
        try:
            agent = load_agent(bad, resume=True, device="cpu")
            if sealed and not survives_training(agent):
                failures.append(f"mutation {k} of {part}: trained on, the process died")
            what = "other numbers, digests made to fit" if sealed else "the same agent"
            if not sealed and not same_description(good, bad):
                failures.append(f"mutation {k} of {part}: another agent was loaded")
        except CheckpointError as error:
            what = "refused"
            if "\n" in str(error) or len(str(error)) > 600:
                failures.append(f"mutation {k} of {part}: {error}")
        except Exception as error:
            failures.append(f"mutation {k} of {part}: {type(error).__name__}: {error}")
            continue
        results[f"{part}: {what}"] += 1
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    return {
        "mutations": mutations,
        "results": dict(sorted(results.items())),
        "failures": failures,
        "more_memory_kib": more,
    }


def survives_training(agent: Any) -> bool:
    """Whether a process that trains it for a rollout lives to tell; numbers that are none may end it, with an error."""
    process = os.fork()
    if not process:
        with suppress(LudusError):
            agent.learn(ROLLOUT, reset_num_timesteps=False)
        os._exit(0)
    return os.waitpid(process, 0)[1] == 0


def same_description(one: Path, other: Path) -> bool:
    """Whether two descriptions say the same, and name files of the same content."""
    facts = [json.loads((folder / "agent.json").read_bytes()) for folder in (one, other)]
    files = [facts[0][part]["file"] for part in ("weights", "training")]
    return facts[0] == facts[1] and all((one / name).read_bytes() == (other / name).read_bytes() for name in files)
