"""What `training` measures, part by part; each part returns what results/training.json stores of it."""

from __future__ import annotations

from functools import partial
from itertools import product
from statistics import median
from typing import Any, NamedTuple

import processes
from report import all_cores
from rich.console import Console
from training.dqn_peers import GPU_Q_SHAPES, Q_CANDIDATES, Q_SHAPES, Q_SIDES
from training.dqn_peers import NETWORKS as Q_NETWORKS
from training.families import FAMILIES
from training.other_peers import OTHER_SHAPES, OTHER_SIDES
from training.ppo_peers import AUTO, CANDIDATES, GPU_CANDIDATES, GPU_SHAPES, SHAPES, SIDES, Settings
from training.tables import NETWORKS

RECIPE = Settings(512, 16, 4, 1024, "mlp")
TARGETS, Q_TARGETS = (10.0, 20.0), (10.0,)
run_job = partial(processes.run_job, "training.jobs")
console = Console()


class Effort(NamedTuple):
    """How much to measure."""

    rounds: int
    seconds: float  # of one measurement, at least
    seeds: int  # of ours
    peer_seeds: int
    limit: float  # seconds of a training
    only: str = ""  # what the names of candidates for a score must have in them


def thread_counts() -> list[int]:
    return sorted({1, all_cores()})


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
    whole = median(sum(ours["parts"][name] for name in ("rollout", "update", "other")) for ours, _ in samples)
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
