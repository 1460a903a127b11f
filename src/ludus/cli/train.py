"""`ludus train`: train an agent and store it in a folder."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any

from ..envs import OptionError, Options, find_game
from .arguments import check, parse, read
from .flags import blank, flags_of
from .interrupts import import_agents
from .making import is_game, make_agent, make_env, with_pictures_for_encoder
from .recipes import in_words, start_of
from .run_folder import run_folder
from .settings import PRESETS, SETTINGS
from .settings_file import SETTINGS as SETTINGS_FILE
from .settings_file import read_json_settings, read_settings, write_settings
from .terminal import console, next_command, say

COMMON = (  # what `--help` shows
    "algo", "recipe", "out", "resume", "total_timesteps", "time_limit", "num_envs", "learning_rate", "policy", "seed",
)  # fmt: skip
MAY_CHANGE = {  # from one process of a run to the next
    "total_timesteps", "time_limit", "save_interval", "keep", "device", "tensorboard", "out", "overwrite", "resume",
}  # fmt: skip


@dataclass
class Config:
    """Train an agent on a game of Ludus, or on any Gymnasium environment."""

    game: str
    """A game's name (see `ludus games`), or a Gymnasium id such as CartPole-v1."""
    algo: str = field(default="ppo", metadata={"choices": tuple(SETTINGS)})
    """The algorithm, by itself the recipe's; each has flags of its own: `ludus train --algo dqn --help-all`."""
    preset: str | None = field(default=None, metadata={"choices": tuple(name for x in PRESETS.values() for name in x)})
    """Settings as published. Of dqn: dqn (2015) or rainbow; None: what did best here. Other flags override it."""
    recipe: bool = True
    """Begin with the zoo's recipe for this game, if it has one: algorithm, protocol, settings; other flags override it."""
    recipe_file: Path | None = None
    """Begin with the recipe in this file, as `ludus tune` writes it, in place of the zoo's."""
    out: Path | None = None
    """Folder for the agent and its logs; None: runs/GAME-ALGO-DATE-TIME."""
    total_timesteps: int = 5_000_000
    """Environment steps to train for, over all games."""
    time_limit: float | None = None
    """Stop after this many seconds, annealing by the clock where it is ahead; None: steps alone decide."""
    seed: int | None = 0
    """Seed of environments, weights and sampling; None: a new one every time."""
    device: str = "auto"
    """cpu, cuda, or auto."""
    save_interval: float = 60.0
    """Seconds between two checkpoints."""
    keep: int = 3
    """Checkpoints to keep."""
    overwrite: bool = False
    """Replace the agent in --out."""
    resume: bool = False
    """Go on from the newest checkpoint in --out with its settings, if there is one, else start. --total-timesteps and
    --time-limit may be given anew."""
    tensorboard: bool = True
    """Write TensorBoard logs beside the agent."""
    options: Options = field(default_factory=Options)
    settings: Any = field(default_factory=SETTINGS["ppo"])


def config_class(algo: str) -> type[Config]:
    """The flags of `ludus train --algo ALGO`."""
    kind, choices = SETTINGS[algo], {"choices": tuple(SETTINGS)}
    fields = [("algo", str, field(default=algo, metadata=choices)), ("settings", kind, field(default_factory=kind))]
    return make_dataclass(f"{algo.upper()}Config", fields, bases=(Config,), namespace={"__doc__": Config.__doc__})


CONFIGS = {algo: config_class(algo) for algo in SETTINGS}


def main(argv: list[str]) -> int:
    config = defaults(argv)
    return train(parse(config, argv, "train", COMMON, of_others(config.algo)))


def of_others(algo: str) -> dict[str, str]:
    """The flags that other algorithms have and this one has not, with whose they are."""
    flags = {name: {flag.flag for flag in flags_of(blank(kind))} for name, kind in CONFIGS.items()}
    owners = {flag: [name for name in CONFIGS if flag in flags[name]] for flag in set().union(*flags.values())}
    return {
        flag: f"is for {' and '.join(map(str.upper, names))}: --algo {' or '.join(names)}"
        for flag, names in sorted(owners.items())
        if algo not in names
    }


def defaults(argv: list[str]) -> Config:
    """What settings are where no flag says otherwise: those of a run that is resumed, else by algorithm and environment."""
    flags = {flag.name: flag for kind in CONFIGS.values() for flag in flags_of(blank(kind))}  # of all algorithms
    given, _ = read(list(flags.values()), argv)
    folder, game, preset = given.get("out"), given.get("game"), given.get("preset")
    if given.get("resume") and folder and (folder / "agent.json").exists():
        return dataclasses.replace(read_config(folder), overwrite=False)  # which was for how it began
    config = for_game(game, given)
    return with_preset(config, preset) if preset else config


def for_game(game: str | None, given: dict[str, Any]) -> Config:
    """What settings are where these flags do not say otherwise, see `start_of`."""
    start = start_of(game, given)
    kind, recipe = CONFIGS[start.algo], start.recipe
    if game is None:
        return blank(kind)
    config = kind(game=game, recipe=recipe is not None, settings=start.settings, options=start.options)
    if recipe is None:
        return config
    same = recipe.total_timesteps is not None and start.algo == recipe.algo
    steps = recipe.total_timesteps if same else config.total_timesteps
    return dataclasses.replace(config, recipe_file=given.get("recipe_file"), total_timesteps=steps)


def with_preset(config: Config, preset: str) -> Config:
    """The config with settings of a preset."""
    if preset not in PRESETS.get(config.algo, ()):
        known = (f"{', '.join(presets)}, with --algo {algo}" for algo, presets in PRESETS.items())
        raise OptionError(f"--preset {preset}: choose from {'; '.join(known)}")
    settings = dataclasses.replace(config.settings, **PRESETS[config.algo][preset])
    return dataclasses.replace(config, preset=preset, settings=settings)


def read_config(folder: Path) -> Config:
    """The settings of the run in a folder."""
    algo = str(read_json_settings(folder).get("algo", "ppo") if (folder / SETTINGS_FILE).exists() else "ppo")
    if algo not in CONFIGS:
        raise OptionError(
            f"{folder / SETTINGS_FILE}: unknown algorithm {algo!r}: it must be one of {', '.join(CONFIGS)}"
        )
    return read_settings(folder, CONFIGS[algo])


def from_recipe(game: str, algo: str | None = None, **changes: Any) -> Config:
    """The zoo's recipe for a game as settings; raises OptionError if there is none."""
    given = {"recipe": True} if algo is None else {"recipe": True, "algo": algo}
    return dataclasses.replace(for_game(game, given), **changes)


def train(config: Config) -> int:
    """Train, save and say what comes next."""
    import_agents()
    from ..agents.runtime.distributed import join_group
    from ..agents.runtime.hardware import choose_device

    check(config)
    group = join_group(choose_device(config.device))
    if group is not None and group.rank > 0:
        return follow(config, group)
    if group is not None and config.algo != "ppo":
        raise OptionError(f"several processes learn PPO together, not {config.algo.upper()}: leave torchrun out")
    if group is not None and config.resume:
        raise OptionError("--resume is for one process: the games of the others are not kept")
    with run_folder(config) as folder:
        return train_in(folder, config, group)


def train_in(folder: Path, config: Config, group: Any) -> int:
    """Train, with checkpoints in a folder that no other training has; returns the exit status."""
    from ..agents.training.progress_bar import clock, quantity

    resumed = config.resume and (folder / "agent.json").exists()
    agent = go_on(config, folder) if resumed else begin(config, folder, group)
    if config.recipe and not resumed:
        say(in_words(config.game, config.algo, config.recipe_file))
    if resumed and agent.num_timesteps >= config.total_timesteps:
        say(f"done already: {quantity(agent.num_timesteps)} steps; for more, give --total-timesteps")
        return 0
    if resumed and config.time_limit is not None and agent.elapsed() >= config.time_limit:
        say(f"done already: {clock(agent.elapsed())} of training; for more, give --time-limit")
        return 0
    how = f", from step {agent.num_timesteps}" if resumed else ""
    games = f", {agent.steps_at_once} games at once{how}; Ctrl-C saves and stops"
    say("training ", (config.algo.upper(), "bold"), " on ", (config.game, "bold"), games)
    if agent.network is not None:
        say(f"network: {agent.network.why}")
    started = time.monotonic()
    interrupted = learn(agent, config, folder, resumed)
    seconds = time.monotonic() - started
    episodes = [episode["r"] for episode in agent.ep_info_buffer or ()]
    actions = "epsilon-greedy" if agent.acts_on_values else "sampled"
    figure = f"{sum(episodes) / len(episodes):.2f} ({actions} actions)" if episodes else ""
    mean = f"mean return of the last {len(episodes)} episodes {figure}, " if episodes else ""
    say(f"{'interrupted' if interrupted else 'done'}: {mean}{quantity(agent.num_timesteps)} steps in {clock(seconds)}")
    say(f"saved in {folder}. Next: ", (next_command("evaluate", folder), "bold"))
    return 0


def begin(config: Config, folder: Path, group: Any) -> Any:
    """A new agent, and a note of its settings in the folder."""
    config = with_pictures_for_encoder(config)
    agent = make_agent(config, make_env(config), folder, group)
    write_settings(folder, config)
    return agent


def follow(config: Config, group: Any) -> int:
    """Learn along as one of several processes: with games of its own, and without a word or a file. The first decides
    when to stop."""
    import signal

    from ..agents.runtime.distributed import leave_group
    from ..agents.training.save_callback import ending_signals

    for number in ending_signals():
        signal.signal(number, signal.SIG_IGN)
    seed = None if config.seed is None else config.seed + group.rank * config.settings.num_envs
    agent = make_agent(config, make_env(dataclasses.replace(config, seed=seed)), None, group)
    agent.learn(config.total_timesteps)
    leave_group()
    return 0


def go_on(config: Config, folder: Path) -> Any:
    """The agent of the newest checkpoint, where it was; raises OptionError if flags say what cannot change."""
    from ..agents import load_agent
    from ..agents.runtime.hardware import choose_device

    check_unchanged(read_config(folder), config)
    agent = load_agent(folder, device=choose_device(config.device), resume=True)
    agent.time_limit, agent.tensorboard_log = config.time_limit, str(folder) if config.tensorboard else None
    write_settings(folder, config)
    return agent


def check_unchanged(before: Config, now: Config) -> None:
    """Raise OptionError for a setting that a training cannot change on its way."""
    then, here = flat(before), flat(now)
    if is_game(before.game) and is_game(now.game):
        then["game"], here["game"] = (find_game(config.game).name for config in (before, now))
    for name in set(here) - MAY_CHANGE:
        if here[name] != then[name]:
            flag = "the game" if name == "game" else f"--{name.replace('_', '-')}"
            raise OptionError(
                f"--resume: {flag} was {then[name]} and cannot become {here[name]}; start anew without it"
            )


def flat(config: Config) -> dict[str, Any]:
    """All settings by name."""
    facts = dataclasses.asdict(config)
    facts |= {**facts.pop("settings"), **facts.pop("options")}
    return {name: list(value) if isinstance(value, (tuple, range)) else value for name, value in facts.items()}


def learn(agent: Any, config: Config, folder: Path, resumed: bool) -> bool:
    """Run the training loop and save; a signal ends it early. Returns whether one came."""
    from ..agents.runtime.distributed import leave_group
    from ..agents.training.curve_callback import CurveCallback
    from ..agents.training.progress_bar import ProgressCallback
    from ..agents.training.save_callback import SaveCallback, Stopped, stopped_by_signals

    saver = SaveCallback(folder, config.save_interval, config.keep, resumed, alone=agent.group is None)
    progress, curve = ProgressCallback(console()), CurveCallback(folder, resumed)
    with stopped_by_signals(saver, last=True):
        try:
            agent.learn(
                config.total_timesteps - (agent.num_timesteps if resumed else 0), callback=[saver, progress, curve],
                tb_log_name="tensorboard", reset_num_timesteps=not resumed,
            )  # fmt: skip
        except Stopped:
            pass
        finally:
            progress.close()
        curve.add()
        saver.save()
    leave_group()
    return saver.stopped
