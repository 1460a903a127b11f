"""What a run's folder tells: who learned what, under which settings; and which runs are seeds of the same thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .interrupts import import_agents
from .named import place_of

NO_MATTER = {"seed", "verbose", "tensorboard_log", "stats_window_size", "num_threads"}  # which does not make it another
LONGEST, MOST = 40, 3  # letters of a setting in a label, and how many


@dataclass(frozen=True)
class Run:
    """An agent in a folder, by its description.

    Attributes:
        environment: as `agents.checkpoints.env_spec` tells it.
        title: of the environment, such as `Breakout (repeat_action_probability=0.1)`.
        settings: all that makes another agent, but the seed.
    """

    path: Path
    environment: dict[str, Any]
    title: str
    algorithm: str
    steps: int
    settings: dict[str, Any]

    @property
    def game(self) -> str:
        """The environment's name alone."""
        return str(self.environment.get("game") or self.environment.get("gymnasium") or self.title)


def read_run(path: Path) -> Run:
    """The agent of a folder, one of its descriptions, a zip file or, for a game's name, the zoo; raises LudusError."""
    import_agents()
    from ..agents.checkpoints.env_spec import title_of
    from ..agents.checkpoints.reader import read_facts
    from ..agents.files.archive import opened
    from ..agents.files.checks import json_object, number
    from ..agents.files.safe_io import CheckpointError, short

    with opened(place_of(path)) as (place, name):
        facts = read_facts(place, name)
    try:
        environment = json_object("environment", facts.get("environment"))
        settings: dict[str, Any] = {name: facts.get(name) for name in ("policy", "num_envs")}
        for part in ("settings", "schedules", "policy_kwargs"):
            settings |= json_object(part, facts.get(part))
        steps = number(int, 0, 2**62)("timesteps", facts.get("timesteps"))
        title = short(title_of(environment))
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{place.name_of(name)}: {short(error)}") from error
    kept = {name: value for name, value in settings.items() if name not in NO_MATTER}
    return Run(path, environment, title, facts["algorithm"], steps, kept)


def grouped(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs of the same algorithm and settings in the same environment together, in the order of the first of each."""
    groups: list[list[Run]] = []
    for run in runs:
        mine = next((group for group in groups if alike(group[0], run)), None)
        if mine is None:
            groups.append([run])
        else:
            mine.append(run)
    return groups


def alike(one: Run, other: Run) -> bool:
    """Whether two runs differ in nothing but seeds and steps."""
    return all(getattr(one, name) == getattr(other, name) for name in ("environment", "algorithm", "settings"))


def labels(runs: Sequence[Run]) -> list[str]:
    """What tells runs from each other: the algorithm, and settings that others of the same algorithm have otherwise.

    Where these do not, which is rare, the folder does.
    """
    found = [", ".join([run.algorithm.upper(), *differing(run, runs)]) for run in runs]
    return [
        label if found.count(label) == 1 else f"{label}, {run.path}" for label, run in zip(found, runs, strict=True)
    ]


def differing(run: Run, others: Sequence[Run]) -> list[str]:
    """The settings that are not the same in all runs of this run's algorithm, in words; the first three."""
    rivals, missing = [flat(other) for other in others if other.algorithm == run.algorithm], object()
    own = {name: value for name, value in flat(run).items() if any(r.get(name, missing) != value for r in rivals)}
    words = [f"{name} {in_words(value)}" for name, value in own.items()]
    short = [word if len(word) <= LONGEST else f"{word[: LONGEST - 3]}..." for word in words]
    return short if len(short) <= MOST else [*short[:MOST], "..."]


def flat(run: Run) -> Mapping[str, Any]:
    """Settings and the environment's options by name."""
    options = {**run.environment.get("options", {}), **run.environment.get("arguments", {})}
    return {**run.settings, **options}


def in_words(value: Any) -> str:
    """A setting as people write it: a schedule by its start, 0.001 to 0 where it ends elsewhere."""
    from ..envs.errors import printable

    if isinstance(value, dict) and {"start", "end"} <= set(value):
        return f"{in_words(value['start'])} to {in_words(value['end'])}"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else printable(str(value))


def short_names(paths: Sequence[Path]) -> list[str]:
    """Names of folders that are side by side, else whole paths."""
    names = [path.name for path in paths]
    side_by_side = len({path.parent for path in paths}) == 1 and len(paths) > 1 and all(names)
    return names if side_by_side else [str(path) for path in paths]
