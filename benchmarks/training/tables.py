"""What was measured of training, as tables and as its section of RESULTS.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from report import ABSENT, Table, amount, describe, times
from training.dqn_peers import Q_SHAPES, Q_SIDES
from training.other_peers import ENVIRONMENT, OTHER_SIDES
from training.ppo_peers import AUTO, PYTORCH, SIDES

Found = dict[str, Any]
NETWORKS = {
    "mlp": "An MLP of 128 and 128, shared by actor and critic",
    "cnn": "A 3x3 convolution of 16 channels and a layer of 128, shared by actor and critic",
    "towers": "An MLP of 128 and 128 for the actor and one for the critic",
    "own": "The same convolution and layer as a class of the user's own, given to both libraries as "
    "`features_extractor_class`",
}
Q_NETWORKS = {
    "mlp": "An MLP of 128 and 128 and six values",
    "cnn": "A 3x3 convolution of 16 channels, a layer of 128 and six values",
}
TITLES = {"mlp": "shared MLP", "cnn": "CNN", "towers": "two MLPs", "own": "a CNN of the user's own"}
HEADINGS = {
    "speed": "Steps per second of learning",
    "breakdown": "Where the time goes",
    "score": "Time to score",
    "dqn": "DQN: steps per second of learning",
    "dqn-score": "DQN and PQN: time to score",
    "others": "In an environment of another library: steps per second of learning",
    "gpu-speed": "On a GPU: steps per second of learning",
    "gpu-games": "On a GPU: the games alone",
    "gpu-score": "On a GPU: time to score",
    "gpu-dqn": "On a GPU: DQN, steps per second of learning",
}
NO_GPU = (
    "No GPU was there. `python benchmarks/training --parts gpu --write` on a machine with one fills "
    "this section and leaves the others as they are."
)
PROTOCOL = (
    "Breakout under MinAtar's own protocol: sticky actions 0.1, all six actions, no limit of steps. Every measurement is a "
    "process of its own; rates are medians over interleaved rounds, by the clock, without compiling and the first iterations."
)


def account(found: dict[str, dict[str, Found]]) -> str:
    """The section of RESULTS.md, of what each processor had for each part."""
    sections, no_gpu = ["## Training", PROTOCOL], not any(name.startswith("gpu") for name in found)
    for part, heading in HEADINGS.items():
        if part in found:
            measured = list(found[part].values())
            sections += [table.markdown() for table in TABLES[part](measured)]
            sections += [each["remark"] for each in measured if "remark" in each]
        elif part == "gpu-speed" and no_gpu:
            sections.append(f"### On a GPU\n\n{NO_GPU}")
        elif not (part.startswith("gpu") and no_gpu):
            command = f"python benchmarks/training --parts {part} --write"
            sections.append(f"### {heading}\n\nNot measured yet: `{command}`.")
    return "\n\n".join(sections)


def speed_tables(measured: list[Found], heading: str = HEADINGS["speed"]) -> list[Table]:
    """One table a network: a row for processor, settings and threads, a column a side."""
    return [speed_table(measured, network, heading) for network in networks_of(measured, NETWORKS)]


def networks_of(measured: list[Found], names: Iterable[str]) -> list[str]:
    """Those that were measured anywhere."""
    seen = {row["network"] for found in measured for row in found["rows"]}
    return [name for name in names if name in seen]


def speed_table(measured: list[Found], network: str, heading: str) -> Table:
    present = {row["side"] for found in measured for row in found["rows"]}
    sides = [side for side, facts in SIDES.items() if network in facts.networks and (facts.packages or side in present)]
    peers = [side for side in sides if side not in ("Ludus", AUTO)]
    lines, parameters = [], 0
    for found in measured:
        rows = [row for row in found["rows"] if row["network"] == network]
        for case in dict.fromkeys((row["settings"], row["threads"]) for row in rows):
            rates = {row["side"]: row["steps per second"] for row in rows if (row["settings"], row["threads"]) == case}
            ratios = [both_ratios(rates, peer) for peer in peers]
            lines.append([where(found, *case), *(rate_cell(rates, side, rows) for side in sides), *ratios])
            parameters = rows[0]["parameters"]
    note = (
        f"{efforts(measured)} {NETWORKS[network]}: {parameters:,} parameters on every side. Ratios are of `Ludus`, which "
        "computes in single precision like its peers, to each of them"
    )
    if AUTO in present:
        note += f", and in brackets of `{AUTO}`, which computes in bfloat16 on GPUs that have it, as `ludus train` does"
    if PYTORCH in present:
        note += f"; `{PYTORCH}` is Ludus without compiled loops"
    title = f"{heading}, {TITLES[network]}"
    return Table(title, f"{note}.", ["settings", *sides, *(f"to {peer}" for peer in peers)], lines)


def both_ratios(rates: dict[str, float], peer: str) -> str:
    """Of ours in single precision to a peer and, if it was measured, in the precision that it chooses by itself."""
    own = times(ratio(rates, AUTO, peer))
    return times(ratio(rates, "Ludus", peer)) + (f" ({own})" if AUTO in rates and peer in rates else "")


def dqn_tables(measured: list[Found], heading: str = HEADINGS["dqn"]) -> list[Table]:
    """One table a network: a row for processor, settings and threads, a column a side."""
    return [dqn_table(measured, network, heading) for network in networks_of(measured, Q_NETWORKS)]


def dqn_table(measured: list[Found], network: str, heading: str) -> Table:
    peers = [side for side in Q_SIDES if side != "Ludus"]
    lines = [line for found in measured for line in dqn_lines(found, network, peers)]
    parameters = next(row["parameters"] for found in measured for row in found["rows"] if row["network"] == network)
    note = (
        f"{efforts(measured)} {Q_NETWORKS[network]}: {parameters:,} parameters on every side. Steps per second, in "
        f"brackets gradient steps per second. All learn from eight transitions for each step played; the last ratio is of "
        f"`Ludus` in each row to `{peers[0]}` in the setting that Stable-Baselines3 has by itself, {Q_SHAPES[0]}, with the "
        "number of threads that is faster for it. The arithmetic is the same on every side, see `dqn_peers.py`."
    )
    columns = ["settings", *Q_SIDES, *(f"to {peer}" for peer in peers), "to SB3's own setting"]
    return Table(f"{heading}, {TITLES[network].removeprefix('shared ')}", note, columns, lines)


def dqn_lines(found: Found, network: str, peers: list[str]) -> list[list[str]]:
    """What one processor had."""
    rows = [row for row in found["rows"] if row["network"] == network]
    own = max((row["steps per second"] for row in rows if row["side"] == peers[0] and is_own(row)), default=None)
    lines = []
    for settings, threads in dict.fromkeys((row["settings"], row["threads"]) for row in rows):
        here = {row["side"]: row for row in rows if (row["settings"], row["threads"]) == (settings, threads)}
        rates = {side: row["steps per second"] for side, row in here.items()}
        cells = [
            rate_cell(rates, side, rows) + (f" ({amount(here[side]['updates per second'])})" if side in here else "")
            for side in Q_SIDES
        ]
        ratios = [times(ratio(rates, "Ludus", peer)) for peer in peers]
        to_own = times(rates["Ludus"] / own if own else None)
        lines.append([where(found, settings, threads), *cells, *ratios, to_own])
    return lines


def other_tables(measured: list[Found]) -> list[Table]:
    """A row for processor, settings and threads."""
    lines = []
    for found in measured:
        for case in dict.fromkeys((row["settings"], row["threads"]) for row in found["rows"]):
            rows = {row["side"]: row for row in found["rows"] if (row["settings"], row["threads"]) == case}
            rates, cpu_rates = (
                {side: row[name] for side, row in rows.items()} for name in ("steps per second", "steps per CPU-second")
            )
            ratios = [times(ratio(some, "Ludus", "SB3")) for some in (rates, cpu_rates)]
            lines.append([where(found, *case), *(amount(rates[side]) for side in OTHER_SIDES), *ratios])
    note = (
        f"{efforts(measured)} {ENVIRONMENT} with Stable-Baselines3's own settings and its `MlpPolicy`; see "
        "`other_peers.py`. The last column is of processor time, which other programs change less."
    )
    return [Table(HEADINGS["others"], note, ["settings", *OTHER_SIDES, "to SB3", "by processor time"], lines)]


def is_own(row: Found) -> bool:
    """Whether the settings are those that Stable-Baselines3 has by itself."""
    return row["settings"] == str(Q_SHAPES[0])


def rate_cell(rates: dict[str, float], side: str, rows: list[Found]) -> str:
    """A rate; where there is none, whether the side is missing or was only measured elsewhere."""
    if side in rates:
        return amount(rates[side])
    return "-" if any(row["side"] == side for row in rows) else ABSENT


def ratio(rates: dict[str, float], one: str, other: str) -> float | None:
    return rates[one] / rates[other] if one in rates and other in rates else None


def breakdown_tables(found: Found) -> list[Table]:
    """Parts in per cent of an iteration."""
    parts = list(found["rows"][0]["parts"])
    lines = []
    for row in found["rows"]:
        shares = [f"{100 * row['parts'][part] / row['seconds']:.0f} %" for part in parts]
        case = f"{row['network']}, {row['settings']}; {cores(row['threads'])}, {row['precision']}"
        lines.append(
            [
                case,
                milliseconds(row["seconds"]),
                *shares,
                milliseconds(row["bare"]),
                times(row["seconds"] / row["bare"]),
            ]
        )
    note = (
        f"{intro(found)} An iteration of `ludus.PPO` by timers around `collect_rollouts` and `train`. Games alone, which "
        "the rollout contains, are as many steps of random play. `mlp` is what the recipe trains. Bare torch does the same "
        "arithmetic without games or RL: as many forward passes, rows gathered for as many minibatches, gradients of a "
        "squared error and Adam; all of it in bfloat16 where ours says bf16."
    )
    columns = ["settings", "iteration", *parts, "bare torch", "ratio"]
    return [Table(HEADINGS["breakdown"], note, columns, lines)]


def cores(threads: int) -> str:
    return "1 core" if threads == 1 else f"{threads} threads"


def milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


def score_tables(found: Found, heading: str = HEADINGS["score"], settings: str = "ppo_peers.py") -> list[Table]:
    """A row for each training."""
    lines = []
    for row in found["rows"]:
        passed = [reached(row, f"{target:g}") for target in found["targets"]]
        rate = amount(row["steps"] / row["seconds"]) if row["seconds"] else "-"
        lines.append([row["candidate"], str(row["seed"]), *passed, rate, f"{row['mean']:.1f}"])
    note = (
        f"{intro(found)} Seconds of training, and steps, until the mean return of the last hundred training episodes passes "
        f"a target. A training ends when all are passed, when its steps are used up, or after {found['limit']:g} s; the last "
        f"column is the mean then. The settings are in `{settings}`."
    )
    targets = [f"passes {target:g}" for target in found["targets"]]
    return [Table(heading, note, ["who", "seed", *targets, "steps/s", "at the end"], lines)]


def reached(row: Found, target: str) -> str:
    """When a target was passed."""
    if target not in row["passed"]:
        return f"not within {row['seconds']:.0f} s ({amount(row['steps'])})"
    when = row["passed"][target]
    return f"{when['seconds']:.1f} s ({amount(when['steps'])})"


def gpu_games_tables(found: Found) -> list[Table]:
    """Rates of the games, and what waits for the device."""
    rates = [
        [
            f"{row['num_envs']:.0f}", amount(row["launched"]), amount(row["graph"]), f"{row['bytes']:.0f}",
            f"{row['bandwidth'] / 1e12:.2f} TB/s", f"{100 * row['share']:.1f} %",
        ]
        for row in found["games"]
    ]  # fmt: skip
    note = (
        f"{intro(found)} Random actions that are there already; launched from Python step by step, and as a CUDA graph of 64 "
        "steps. Bytes are what a step must read and write at the least; the share is of the bandwidth that a large copy "
        "within the GPU's memory had in the same process."
    )
    columns = ["games", "launched", "CUDA graph", "bytes a step", "a copy's bandwidth", "share"]
    waits = found["waits"]
    lines = [[name, str(count)] for name, count in waits["waits"].items()] or [["none", "0"]]
    about = f"Calls that wait for the device in one rollout of {waits['steps']} steps of training, by `torch.profiler`."
    return [
        Table(HEADINGS["gpu-games"], note, columns, rates),
        Table("On a GPU: what a rollout waits for", about, ["call", "times"], lines),
    ]


def intro(found: Found) -> str:
    """The machine on which a part was measured."""
    facts = found["machine"]
    return describe(facts) + (f" On {facts['gpu']}." if "gpu" in facts else "")


def efforts(measured: list[Found]) -> str:
    """The machines, and how much was measured on each."""
    each = [
        f"{intro(found)} Median of {found['effort']['rounds']} rounds of {found['effort']['seconds']:g} s."
        for found in measured
    ]
    return " ".join(each)


def where(found: Found, settings: str, threads: int) -> str:
    """A row's name: the processor, the settings and how many threads."""
    facts = found["machine"]
    return f"{facts.get('gpu', facts['processor'])}: {settings}; {cores(threads)}"


def each_by_itself(tables: Callable[[Found], list[Table]]) -> Callable[[list[Found]], list[Table]]:
    """One processor's tables after the other's."""
    return lambda measured: [table for found in measured for table in tables(found)]


TABLES: dict[str, Callable[[list[Found]], list[Table]]] = {
    "speed": speed_tables,
    "breakdown": each_by_itself(breakdown_tables),
    "score": each_by_itself(score_tables),
    "dqn": dqn_tables,
    "others": other_tables,
    "dqn-score": each_by_itself(lambda found: score_tables(found, HEADINGS["dqn-score"], "dqn_peers.py")),
    "gpu-speed": lambda measured: speed_tables(measured, HEADINGS["gpu-speed"]),
    "gpu-games": each_by_itself(gpu_games_tables),
    "gpu-score": each_by_itself(lambda found: score_tables(found, HEADINGS["gpu-score"])),
    "gpu-dqn": lambda measured: dqn_tables(measured, HEADINGS["gpu-dqn"]),
}
