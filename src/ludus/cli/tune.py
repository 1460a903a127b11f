"""`ludus tune`: search for the settings that learn a game best, and compare them with the defaults."""

from __future__ import annotations

import dataclasses
import math
import multiprocessing
import os
import statistics
import time
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any

from ..envs import OptionError, Options
from .arguments import parse, read
from .flags import blank, flags_of
from .interrupts import INTERRUPTED, ended_like_ctrl_c, import_agents
from .making import make_agent, make_env, with_pictures_for_encoder
from .recipes import bare, in_words, start_of
from .settings import SETTINGS
from .settings_file import to_plain
from .terminal import imported, quoted, say
from .trials import DEFAULT, TUNED, Training, Work, run, score_in_words, trial_settings
from .tune_table import TuneTable

COMMON = ("algo", "recipe", "out", "total_timesteps", "trials", "time_limit", "jobs", "seeds", "storage", "seed")
START = 8.0  # seconds, about, until a process has begun
FEWEST = 2  # seeds that a comparison needs


@dataclass
class Config:
    """Search for settings that learn a game well; those that are given as flags are kept. Started again, it goes on."""

    game: str
    """A game's name (see `ludus games`), or a Gymnasium id such as CartPole-v1."""
    algo: str = field(default="ppo", metadata={"choices": tuple(SETTINGS)})
    """The algorithm, by itself the recipe's; docs/reference.md has what is tried of each."""
    recipe: bool = True
    """Begin with the zoo's recipe for this game, if it has one: algorithm, protocol, settings; other flags override it."""
    out: Path | None = None
    """Folder for study, report and recipe; processes with the same one share the work; None: runs/tune-GAME-ALGO."""
    total_timesteps: int = 500_000
    """Environment steps of each trial."""
    trials: int = 100
    """Trials in all, of all processes together, pruned ones included."""
    time_limit: float | None = None
    """Seconds in all. At the latest after half of them the comparison begins, with fewer seeds than --seeds if need be;
    None: trials alone decide."""
    jobs: int | None = None
    """Trials at once, which share the cores; None: one per core."""
    seeds: int = 5
    """Fresh seeds with which the best settings and the defaults are trained in the end."""
    storage: str | None = None
    """URL of the study's database, for processes on several machines, such as postgresql://HOST/NAME; None: a file of
    SQLite in --out."""
    seed: int = 0
    """Seed of the trials, all the same; those of the comparison follow it."""
    device: str = "auto"
    """cpu, cuda, or auto."""
    options: Options = field(default_factory=Options)
    settings: Any = field(default_factory=SETTINGS["ppo"])


def config_class(algo: str) -> type[Config]:
    """The flags of `ludus tune --algo ALGO`."""
    kind, choices = SETTINGS[algo], {"choices": tuple(SETTINGS)}
    fields = [("algo", str, field(default=algo, metadata=choices)), ("settings", kind, field(default_factory=kind))]
    return make_dataclass(f"Tune{algo.upper()}Config", fields, bases=(Config,), namespace={"__doc__": Config.__doc__})


CONFIGS = {algo: config_class(algo) for algo in SETTINGS}


def main(argv: list[str]) -> int:
    default, given = defaults(argv)
    config = parse(default, argv, "tune", COMMON)
    if config.seeds < FEWEST:
        raise OptionError(
            f"--seeds must be {FEWEST} or more, got {config.seeds}: from one, nobody can tell how much is chance"
        )
    import_agents()
    from ..agents.runtime.extras import need

    for package in ("optuna", "plotly"):  # which the report needs in the end
        need(package, "ludus tune", "tune")
    folder = config.out or Path("runs") / f"tune-{config.game.replace('/', '-')}-{config.algo}"
    training = training_of(with_pictures_for_encoder(config), given)
    folder.mkdir(parents=True, exist_ok=True)
    if config.recipe:
        say(in_words(config.game, config.algo))
    return tune(config, training, folder)


def defaults(argv: list[str]) -> tuple[Config, set[str]]:
    """Settings where no flag says otherwise, by algorithm, environment and recipe; and the names of flags that are given."""
    flags = {flag.name: flag for kind in CONFIGS.values() for flag in flags_of(blank(kind))}
    given, _ = read(list(flags.values()), argv)
    game = given.get("game")
    start = start_of(game, given)
    kind = CONFIGS[start.algo]
    if game is None:
        return blank(kind), set(given)
    recipe = start.recipe is not None
    return kind(game=game, recipe=recipe, settings=start.settings, options=start.options), set(given)


def training_of(config: Config, given: set[str]) -> Training:
    """What all trials have in common; an agent is made once, so that what cannot be is refused before any trial."""
    from ..zoo.tuning.space import space_of

    space = space_of(config.algo, config.settings, given)
    if not space:
        raise OptionError("every setting is given: leave one out, for there to be something to tune")
    training = Training(
        config.game, config.algo, config.seed, config.device, config.total_timesteps, config.options, config.settings,
        space, threads=max(1, cores() // jobs(config)),
    )  # fmt: skip
    make_agent(training, make_env(training), None)
    return training


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def jobs(config: Config) -> int:
    return config.jobs or cores()


def tune(config: Config, training: Training, folder: Path) -> int:
    """Search, compare, report; returns the exit status."""
    from ..zoo.tuning.space import parameters_of
    from ..zoo.tuning.study import begin, open_storage

    began = time.monotonic()
    url = config.storage or f"sqlite:///{folder.absolute()}/study.db"
    storage, name = open_storage(url), f"{config.game} {config.algo}"
    study = begin(storage, name, facts_of(training), [parameters_of(training.space, training.settings)])
    work = Work(training, url, name, config.trials, packages=tuple(imported))
    say("tuning ", (config.algo.upper(), "bold"), " on ", (config.game, "bold"), f": {', '.join(training.space)}")
    say(f"score: {score_in_words(training)}")
    say(f"{jobs(config)} at once, in {folder}; Ctrl-C stops, and the same command goes on")

    def left() -> float:
        return math.inf if config.time_limit is None else began + config.time_limit - time.monotonic()

    table = TuneTable(study, config.trials, "trials")
    if not worked(work, study, jobs(config), lambda: left() < reserve(study, config), table):
        return INTERRUPTED
    if not completed(study):
        raise OptionError("no trial has ended: give more --time-limit, or fewer --total-timesteps")
    tuned = trial_settings(study, study.best_trial.number, training)
    if tuned == training.settings:
        conclude(folder, training, study, None, tuned)
        return 0
    comparison, work = compared_with(tuned, work, study, config, storage)

    def told() -> bool:
        return left() < 0 and len(pairs_of(comparison)) >= FEWEST

    table = TuneTable(comparison, work.trials, "comparison")
    if not worked(work, comparison, jobs(config), told, table):
        return INTERRUPTED
    conclude(folder, training, study, pairs_of(comparison), tuned)
    return 0


def compared_with(tuned: Any, work: Work, study: Any, config: Config, storage: Any) -> tuple[Any, Work]:
    """The study that trains tuned and default settings with fresh seeds, and what there is to do."""
    from ..zoo.tuning.study import begin

    name = f"{work.study}: trial {study.best_trial.number} against the defaults"
    seeds = range(config.seed + 1, config.seed + 1 + config.seeds)
    pairs = [{"settings": which, "seed": seed} for seed in seeds for which in (TUNED, DEFAULT)]
    comparison = begin(storage, name, {}, pairs, prune=False)
    for pair in pairs:
        comparison.enqueue_trial(pair, skip_if_exists=True)  # of more seeds than before
    return comparison, dataclasses.replace(work, study=name, trials=len(pairs), tuned=tuned)


def facts_of(training: Training) -> dict[str, Any]:
    """What trials of one study have in common, for its storage."""
    facts = to_plain({f.name: getattr(training, f.name) for f in dataclasses.fields(training)})
    kept = {name: to_plain(facts[name]) for name in ("game", "algo", "seed", "total_timesteps", "options", "settings")}
    return {**kept, "tuned": sorted(training.space)}


def reserve(study: Any, config: Config) -> float:
    """Seconds, about, that the comparison will take; at most half of the time that there is."""
    ended = [trial.duration.total_seconds() for trial in completed(study)]
    rounds = math.ceil(2 * config.seeds / jobs(config))
    return min((config.time_limit or 0) / 2, START + rounds * statistics.median(ended)) if ended else 0.0


def completed(study: Any) -> list[Any]:
    """The trials that were trained to the end."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]


def pairs_of(comparison: Any) -> list[tuple[float, float]]:
    """The scores of tuned and default settings, of each seed that has both."""
    scores: dict[int, dict[str, float]] = {}
    for trial in completed(comparison):
        scores.setdefault(trial.params["seed"], {})[trial.params["settings"]] = trial.value
    return [(both[TUNED], both[DEFAULT]) for _, both in sorted(scores.items()) if len(both) == 2]


def worked(work: Work, study: Any, count: int, enough: Any, table: TuneTable) -> bool:
    """Let processes work, until all is done or it is enough; returns False after Ctrl-C."""
    from ..zoo.tuning.study import ended

    if len(ended(study)) >= work.trials:
        return True
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    processes = [context.Process(target=run, args=(work, stop, os.getpid())) for _ in range(count)]
    for process in processes:
        process.start()
    interrupted = False
    try:
        with ended_like_ctrl_c(), table:
            while any(process.is_alive() for process in processes) and not enough():
                table.show()
                time.sleep(0.5)
    except KeyboardInterrupt:
        interrupted = True
        say("stopping: trials that had begun are put back")
    stop.set()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise OptionError("a process that ran trials has failed, what it said stands above; the same command goes on")
    return not interrupted


def conclude(folder: Path, training: Training, study: Any, pairs: Any, tuned: Any) -> None:
    """Write report and recipe, and say what came out.

    Args:
        pairs: scores of tuned and default settings, a pair for each seed; None: they are the same.
    """
    from ..zoo.tuning.recipe import write_recipe
    from ..zoo.tuning.report import Comparison, write_report

    compared = None if pairs is None else Comparison(*zip(*pairs, strict=True))
    changes = to_plain(changes_of(tuned, bare(training.algo, training.game)))
    title = f"{training.game}, {training.algo.upper()}"
    write_report(folder / "report.html", title, score_in_words(training), study, compared, changes)
    if compared is None:
        say(f"no trial was better than the first, which has the default settings; saved: {folder / 'report.html'}")
        return
    how = f"`ludus tune {training.game} --algo {training.algo}`, {training.total_timesteps} steps a trial"
    options = to_plain(changes_of(training.options, Options()))
    about, steps = f"Tuned by {how}. {compared}", training.total_timesteps
    write_recipe(folder / "recipe.json", training.algo, steps, about, options, changes)
    say(str(compared))
    say(f"saved: {folder / 'report.html'}, {folder / 'recipe.json'}. Next: ", (next_training(training, folder), "bold"))


def changes_of(values: Any, defaults: Any) -> dict[str, Any]:
    """The fields of a dataclass that are not as in another."""
    return {name: value for name, value in vars(values).items() if value != getattr(defaults, name)}


def next_training(training: Training, folder: Path) -> str:
    """A command to be pasted, that trains with the recipe."""
    packages = "".join(f" --import {name}" for name in imported)
    return (
        f"ludus{packages} train {training.game} --algo {training.algo} --recipe-file {quoted(folder / 'recipe.json')}"
    )
