"""How fast agents learn, side by side with other packages.

    python benchmarks/training.py [--parts speed,breakdown,score,dqn,dqn-score,others,gpu] [--quick] [--write]

Every measurement is a process of its own, and what is compared runs interleaved, A B C A B C ...; each figure is the
median over the rounds. Compiling and the first iterations are left out. Parts can be measured one at a time, on different
machines: results/training.json keeps each part once for every processor, and --write leaves the others as they are.

    speed      steps per second of learning, on one core and on all
    breakdown  where the time of an iteration of ours goes, next to the same arithmetic in bare torch
    score      seconds of training until the mean return of the last hundred episodes passes a target
    dqn        steps and gradient steps per second of DQN, on one core and on all
    dqn-score  seconds until the target is passed, of DQN and PQN
    others     steps per second of learning in an environment of another library
    gpu        gpu-speed, gpu-games, gpu-score and gpu-dqn: the same on a GPU, the games alone, what waits for the device
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from contextlib import nullcontext
from itertools import product
from statistics import median
from typing import Any, NamedTuple

import torch
from environments import one_core
from report import FOLDER, all_cores, machine, read_figures, write_results
from rich.console import Console
from training_families import FAMILIES
from training_others import OTHER_SHAPES, OTHER_SIDES
from training_peers import AUTO, CANDIDATES, GPU_CANDIDATES, GPU_SHAPES, SIDES, Settings
from training_q_peers import GPU_Q_SHAPES, Q_CANDIDATES, Q_SHAPES, Q_SIDES
from training_q_peers import NETWORKS as Q_NETWORKS
from training_tables import NETWORKS, TABLES, account

PACKAGES = ("ludus", "torch", "numpy", "stable-baselines3", "minatar", "sbx-rl", "jax", "gymnax")
SHAPES = (Settings(8, 128, 4, 256), Settings(64, 128, 2, 2048))
RECIPE = Settings(512, 16, 4, 1024, "mlp")
TARGETS, Q_TARGETS = (10.0, 20.0), (10.0,)
GPU_PARTS = ("gpu-speed", "gpu-games", "gpu-score", "gpu-dqn")
DEFAULT_PARTS = "speed,breakdown,score,dqn,dqn-score,others,gpu"
console = Console()


class Effort(NamedTuple):
    """How much to measure."""

    rounds: int
    seconds: float  # of one measurement, at least
    seeds: int  # of ours
    peer_seeds: int
    limit: float  # seconds of a training
    only: str = ""  # what the names of candidates for a score must have in them


def run_job(name: str, threads: int, device: str = "cpu", **arguments: Any) -> dict[str, Any]:
    """One measurement in a process of its own; with one thread it stays on one core. Jobs are told device and threads."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    if device == "cpu":
        environment["JAX_PLATFORMS"] = "cpu"
        environment["CUDA_VISIBLE_DEVICES"] = ""
    if threads == 1:
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    command = [
        sys.executable,
        str(FOLDER / "training_jobs.py"),
        name,
        json.dumps({"device": device, "threads": threads, **arguments}),
    ]
    with one_core() if threads == 1 else nullcontext():
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name} {arguments} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def thread_counts() -> list[int]:
    return sorted({1, all_cores()})


# The parts: each returns what results/training.json keeps


def measure_speed(effort: Effort) -> dict[str, Any]:
    """Steps per second of learning, on the CPU."""
    shapes = [shape._replace(network=network) for network in NETWORKS for shape in SHAPES]
    cases = [case for case in product(shapes, thread_counts(), SIDES) if case[0].network in SIDES[case[2]].networks]
    return {"rows": speeds(cases, "cpu", effort)}


def measure_gpu_speed(effort: Effort) -> dict[str, Any]:
    """The same on a GPU; peers that step games one by one, at the smallest shape alone."""
    quick = ["Ludus", AUTO] + ["PureJaxRL-style"] * jax_sees_gpu()
    cases = list(product(GPU_SHAPES, [all_cores()], quick))
    cases += [(GPU_SHAPES[0], all_cores(), side) for side in ("SB3 on minatar", "SB3 on Ludus")]
    return {"rows": speeds(cases, "cuda", effort)}


def jax_sees_gpu() -> bool:
    """Whether the games and the learner in JAX are installed and would run on the GPU."""
    return SIDES["PureJaxRL-style"].present and run_job("jax_backend", all_cores(), "cuda")["backend"] == "gpu"


def measure_dqn(effort: Effort) -> dict[str, Any]:
    """Steps and gradient steps per second of DQN, on the CPU."""
    shapes = [shape._replace(network=network) for network in Q_NETWORKS for shape in Q_SHAPES]
    return {"rows": speeds(list(product(shapes, thread_counts(), Q_SIDES)), "cpu", effort)}


def measure_others(effort: Effort) -> dict[str, Any]:
    """Steps per second of learning in an environment of another library, on one core: networks are small."""
    return {"rows": speeds(list(product(OTHER_SHAPES, [1], OTHER_SIDES)), "cpu", effort)}


def measure_gpu_dqn(effort: Effort) -> dict[str, Any]:
    """The same on a GPU, and ours with more games."""
    cases = list(product(Q_SHAPES, [all_cores()], Q_SIDES))
    return {"rows": speeds([*cases, *product(GPU_Q_SHAPES, [all_cores()], ["Ludus"])], "cuda", effort)}


def speeds(cases: list[tuple[Any, int, str]], device: str, effort: Effort) -> list[dict[str, Any]]:
    """Median rates of those that are installed, taken in turns; a case is settings, threads and a side's name."""
    present = [case for case in cases if FAMILIES[case[0].algo].sides[case[2]].present]
    samples: dict[Any, list[dict[str, float]]] = {case: [] for case in present}
    for number in range(effort.rounds):
        for case in present:
            settings, threads, side = case
            job = {"algo": settings.algo, "side": side, "settings": settings, "seconds": effort.seconds}
            found = run_job("speed", threads, device, **job)
            samples[case].append(found)
            rate = found["steps"] / found["seconds"]
            say(f"round {number + 1}, {settings.network}, {settings}, {threads} threads, {side}: {rate:,.0f} steps/s")
    rows = [speed_row(case, samples[case]) for case in present]
    check_sizes(rows)
    return rows


def speed_row(case: tuple[Any, int, str], samples: list[dict[str, float]]) -> dict[str, Any]:
    settings, threads, side = case
    rates = [sample["steps"] / sample["seconds"] for sample in samples]
    cpu_rates = [sample["steps"] / sample["cpu_seconds"] for sample in samples]
    row = {
        "side": side, "network": settings.network, "settings": str(settings), "threads": threads,
        "steps per second": median(rates), "steps per CPU-second": median(cpu_rates), "rounds": rates,
        "parameters": samples[0]["parameters"],
    }  # fmt: skip
    if settings.algo == "dqn":
        row["updates per second"] = median(sample["updates"] / sample["seconds"] for sample in samples)
    return row


def check_sizes(rows: list[dict[str, Any]]) -> None:
    """Raise if sides had networks of different sizes."""
    for network, settings in {(row["network"], row["settings"]) for row in rows}:
        sizes = {
            row["side"]: row["parameters"] for row in rows if (row["network"], row["settings"]) == (network, settings)
        }
        assert len(set(sizes.values())) == 1, f"the sides' networks {network!r} differ in size: {sizes}"


def measure_breakdown(effort: Effort) -> dict[str, Any]:
    """Parts of an iteration of ours, and the same arithmetic alone."""
    cases = list(product((*SHAPES, RECIPE), thread_counts()))
    samples: dict[Any, list[tuple[dict[str, Any], float]]] = {case: [] for case in cases}
    for number in range(effort.rounds):
        for settings, threads in cases:
            common = {"settings": settings, "seconds": effort.seconds}
            ours = run_job("breakdown", threads, side=AUTO, **common)
            bare = run_job("bare", threads, precision=ours["precision"], **common)
            samples[settings, threads].append((ours, bare["seconds"]))
            say(f"round {number + 1}, {settings.network}, {settings}, {threads} threads: {ours}, bare {bare}")
    return {"rows": [breakdown_row(case, samples[case]) for case in cases]}


def breakdown_row(case: tuple[Settings, int], samples: list[tuple[dict[str, Any], float]]) -> dict[str, Any]:
    settings, threads = case
    parts = {name: median(ours["parts"][name] for ours, _ in samples) for name in samples[0][0]["parts"]}
    whole = median(sum(ours["parts"].values()) for ours, _ in samples)
    alone = median(seconds for _, seconds in samples)
    found = {"network": settings.network, "settings": str(settings), "threads": threads}
    return {**found, "precision": samples[0][0]["precision"], "seconds": whole, "parts": parts, "bare": alone}


def measure_score(effort: Effort) -> dict[str, Any]:
    """Time to score on all cores, one training at a time."""
    return scores(CANDIDATES, "cpu", effort)


def measure_gpu_score(effort: Effort) -> dict[str, Any]:
    """Time to score on a GPU."""
    there = {"recipe": True, "sb3": SIDES["SB3 on minatar"].present, "jax": jax_sees_gpu()}
    return scores({name: facts for name, facts in GPU_CANDIDATES.items() if there[facts["who"]]}, "cuda", effort)


def measure_dqn_score(effort: Effort) -> dict[str, Any]:
    """Time to score of agents that act on values, on all cores."""
    there = {"recipe": True, "sb3": Q_SIDES["SB3 on minatar"].present}
    candidates = {name: facts for name, facts in Q_CANDIDATES.items() if there[facts["who"]]}
    return scores(candidates, "cpu", effort, Q_TARGETS)


def scores(
    candidates: dict[str, dict[str, Any]], device: str, effort: Effort, targets: tuple[float, ...] = TARGETS
) -> dict[str, Any]:
    """Every candidate with several seeds."""
    rows = []
    for name, candidate in candidates.items():
        if effort.only not in name:
            continue
        for seed in range(effort.seeds if candidate["who"] == "recipe" else effort.peer_seeds):
            arguments = {"candidate": candidate, "seed": seed, "targets": targets, "limit": effort.limit}
            found = run_job("score", all_cores(), device, **arguments)
            rows.append({"candidate": name, "seed": seed, **found})
            say(f"{rows[-1]}")
    return {"targets": targets, "limit": effort.limit, "rows": rows}


def measure_gpu_games(effort: Effort) -> dict[str, Any]:
    """The games alone, and what waits for the device in a rollout."""
    rates = []
    for num_envs in (4096, 16384, 65536, 262144, 1048576):
        rounds = [run_job("games", all_cores(), "cuda", num_envs=num_envs, seconds=0.5) for _ in range(effort.rounds)]
        rates.append({name: median(found[name] for found in rounds) for name in rounds[0]})
        say(f"{rates[-1]}")
    waits = run_job("profile", all_cores(), "cuda", side=AUTO, settings=GPU_SHAPES[0])
    return {"games": rates, "waits": waits}


MEASURE = {
    "speed": measure_speed, "breakdown": measure_breakdown, "score": measure_score,
    "dqn": measure_dqn, "dqn-score": measure_dqn_score, "others": measure_others,
    "gpu-speed": measure_gpu_speed, "gpu-games": measure_gpu_games, "gpu-score": measure_gpu_score,
    "gpu-dqn": measure_gpu_dqn,
}  # fmt: skip


def say(line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True)


def facts_of(part: str) -> dict[str, Any]:
    """The machine, with the GPU where the part ran on one."""
    facts = machine(PACKAGES)
    if part in GPU_PARTS:
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How fast agents learn, side by side with other packages.")
    parser.add_argument("--parts", default=DEFAULT_PARTS, help=f"of {', '.join(MEASURE)}; gpu: all on a GPU")
    parser.add_argument("--quick", action="store_true", help="one short round, one seed: rough")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds after which a training for score ends")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3, help="of each training of ours for score")
    parser.add_argument("--peer-seeds", type=int, default=1, help="of each training of a peer")
    parser.add_argument(
        "--remark", nargs=2, metavar=("PART", "TEXT"), help="keep this with a part until it is measured anew"
    )
    parser.add_argument("--only", default="", help="for score: candidates with this in their name; other rows stay")
    parser.add_argument("--write", action="store_true", help="keep results in RESULTS.md and results/training.json")
    return parser.parse_args()


def chosen_parts(text: str) -> list[str]:
    """Parts by name; those on a GPU only where there is one."""
    names = [name for word in text.split(",") for name in (GPU_PARTS if word == "gpu" else (word,))]
    unknown = [name for name in names if name not in MEASURE]
    if unknown:
        raise SystemExit(f"there is no part {unknown[0]}; there are {', '.join(MEASURE)}")
    if torch.cuda.is_available():
        return names
    if any(name in GPU_PARTS for name in names):
        say("no GPU here: its sections stay as they are; fill them with `--parts gpu --write` where there is one")
    return [name for name in names if name not in GPU_PARTS]


def main() -> None:
    """Measure, show, and with --write keep after every part."""
    arguments = parse()
    effort = Effort(arguments.rounds, 5.0, arguments.seeds, arguments.peer_seeds, arguments.limit, arguments.only)
    if arguments.quick:
        effort = Effort(1, 0.5, 1, 1, arguments.limit, arguments.only)
    found = read_figures("training")
    if arguments.remark:
        part, text = arguments.remark
        if part not in found:
            raise SystemExit(f"--remark {part}: this part was not measured; there are {', '.join(found)}")
        here = found[part].get(facts_of(part)["processor"])
        if here is None:
            raise SystemExit(f"--remark {part}: this part was not measured on this processor")
        here["remark"] = text
        write_results("training", found, account(found))
        return
    for part in chosen_parts(arguments.parts):
        facts, processors = facts_of(part), found.setdefault(part, {})
        earlier = processors.get(facts["processor"], {"rows": []})
        processors[facts["processor"]] = {"machine": facts, "effort": effort._asdict(), **MEASURE[part](effort)}
        if effort.only and part.endswith("score"):
            kept = [row for row in earlier["rows"] if effort.only not in row["candidate"]]
            processors[facts["processor"]]["rows"] += kept
        for table in TABLES[part](list(processors.values())):
            console.print(table.rich())
        if arguments.write:
            write_results("training", found, account(found))


if __name__ == "__main__":
    main()
