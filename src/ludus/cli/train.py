"""`ludus train`: train PPO and keep the agent in a folder."""

from __future__ import annotations

import dataclasses
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..envs import OptionError, Options, find_game
from .making import choose_device, is_game, make_agent, make_env
from .settings_file import SETTINGS, read_settings, write_settings

Flat = tyro.conf.OmitArgPrefixes
MAY_CHANGE = {  # from one process of a run to the next
    "total_timesteps", "time_limit", "save_interval", "keep", "device", "tensorboard", "out", "overwrite", "resume",
}  # fmt: skip


@dataclass
class PPOSettings:
    """PPO, in Stable-Baselines3's terms. The defaults suit many small games at once on a CPU."""

    num_envs: int = 512
    """Games played side by side."""
    n_steps: int = 16
    """Steps in each game between two updates."""
    batch_size: int = 1024
    """Transitions in a minibatch."""
    n_epochs: int = 4
    """Passes over the rollout in an update."""
    learning_rate: float = 2.5e-3
    """Adam's step size at the start."""
    anneal: bool = True
    """Bring the learning rate to zero linearly until the end of training."""
    gamma: float = 0.99
    """Discount of the reward one step later."""
    gae_lambda: float = 0.95
    """Bias against variance of the advantages, 0 to 1 (GAE)."""
    clip_range: float = 0.2
    """How far an update may move an action's probability, as a ratio."""
    clip_range_vf: float | None = None
    """How far an update may move a value, in units of reward; None: any distance."""
    ent_coef: float = 0.01
    """Weight of the entropy bonus."""
    vf_coef: float = 0.5
    """Weight of the value loss."""
    max_grad_norm: float = 0.5
    """The gradient is cut to this norm."""
    normalize_advantage: bool = True
    """Normalise the advantages of each minibatch."""
    target_kl: float | None = None
    """Stop an update when the policy moved further than 1.5 times this, in nats; None: never."""
    precision: str = "auto"
    """Of the encoder's arithmetic: fp32, bf16, or auto (bf16 where the processor has it)."""
    policy: str = "mlp"
    """Network: mlp (128, 128), cnn (MinAtar's), nature, impala, or Stable-Baselines3's MlpPolicy, CnnPolicy."""
    memory: str | None = None
    """Recurrent core between encoder and actor: lstm or mingru; None: no memory."""
    optimizer: str = "adam"
    """adam, or muon for the hidden matrices."""
    normalize_obs: bool = False
    """Bring observations of numbers to mean 0 and variance 1 by running statistics."""
    normalize_reward: bool = False
    """Divide rewards by the running standard deviation of returns."""
    num_threads: int | None = None
    """CPU threads that share the games and each minibatch; None: one a core."""


GYMNASIUM_DEFAULTS = PPOSettings(
    num_envs=8,
    n_steps=64,
    batch_size=128,
    n_epochs=10,
    learning_rate=1e-3,
    ent_coef=0.0,
    gamma=0.98,
    policy="MlpPolicy",
)


@dataclass
class Config:
    """Train PPO on a game of Ludus, or on any Gymnasium environment."""

    game: Annotated[str, tyro.conf.Positional]
    """A game's name (see `ludus games`), or a Gymnasium id such as CartPole-v1."""
    recipe: bool = False
    """Begin with the zoo's recipe for this game: a published protocol and settings; other flags go before it."""
    out: Path | None = None
    """Folder for the agent and its logs; None: runs/GAME-ppo-DATE-TIME."""
    total_timesteps: int = 5_000_000
    """Environment steps to train for, over all games."""
    time_limit: float | None = None
    """Stop after this many seconds, annealing by the clock where it is ahead; None: steps alone decide."""
    seed: int | None = 0
    """Of games, weights and sampling; None: a new one every time."""
    device: str = "auto"
    """cpu, cuda, or auto."""
    save_interval: float = 60.0
    """Seconds between two checkpoints."""
    keep: int = 3
    """Checkpoints to keep."""
    overwrite: bool = False
    """Replace the agent in --out."""
    resume: bool = False
    """Go on from the newest checkpoint in --out, if there is one; its settings are kept. Else start."""
    tensorboard: bool = True
    """Write TensorBoard logs beside the agent."""
    ppo: Flat[PPOSettings] = field(default_factory=PPOSettings)
    options: Flat[Options] = field(default_factory=Options)


def main(argv: list[str]) -> int:
    config = tyro.cli(Config, args=argv, prog="ludus train", default=defaults(argv))
    return train(config)


def defaults(argv: list[str]) -> Config:
    """What settings are where no flag says otherwise: those of a run that is resumed, else by the kind of environment."""
    if "--resume" in argv and (folder := out_of(argv)) and (folder / "agent.json").exists():
        return read_settings(folder, Config)
    words = [a for a in argv if not a.startswith("-")]
    named = next((word for word in words if is_game(word)), words[0] if words else "")
    if not named:
        return Config(game=tyro.MISSING)
    if not is_game(named):
        return Config(game=named, ppo=GYMNASIUM_DEFAULTS)
    return from_recipe(named) if "--recipe" in argv else Config(game=named)


def out_of(argv: list[str]) -> Path | None:
    """The folder that --out names."""
    given = [b for a, b in zip(argv, [*argv[1:], ""], strict=True) if a == "--out"]
    given += [a.removeprefix("--out=") for a in argv if a.startswith("--out=")]
    return Path(given[-1]) if given and given[-1] else None


def from_recipe(game: str, **changes: Any) -> Config:
    """The zoo's recipe for a game as settings."""
    from ..zoo import recipe

    facts = recipe(find_game(game).name)
    return Config(
        game=game, recipe=True, ppo=PPOSettings(**facts["ppo"]), options=Options(**facts["options"]), **changes
    )


def train(config: Config) -> int:
    """Train, save and say what comes next."""
    from rich.console import Console

    from ..agents.distributed import join_group
    from ..agents.progress import clock, quantity

    if config.keep < 1:
        raise OptionError(f"keep must be 1 or more, got {config.keep}")
    group = join_group(choose_device(config.device))
    if group is not None and group.rank > 0:
        return follow(config, group)
    if group is not None and config.resume:
        raise OptionError("--resume is for one process: the games of the others are not kept")
    console = Console()
    folder = choose_folder(config)
    resumed = config.resume and (folder / "agent.json").exists()
    try:
        agent = go_on(config, folder) if resumed else begin(config, folder, group)
    except BaseException:
        with suppress(OSError):
            folder.rmdir()  # if it is empty: nothing was lost, nothing is left behind
        raise
    if resumed and agent.num_timesteps >= config.total_timesteps:
        console.print(f"done already: {quantity(agent.num_timesteps)} steps; for more, give --total-timesteps")
        return 0
    how = f", from step {agent.num_timesteps}" if resumed else ""
    console.print(
        f"training [bold]PPO[/] on [bold]{config.game}[/], {agent.steps_at_once} games at once{how}; Ctrl-C saves and stops"
    )
    started = time.monotonic()
    interrupted = learn(agent, config, folder, console, resumed)
    seconds = time.monotonic() - started
    episodes = [episode["r"] for episode in agent.ep_info_buffer or ()]
    mean = f"mean return of the last {len(episodes)} episodes {sum(episodes) / len(episodes):.2f}, " if episodes else ""
    console.print(
        f"{'interrupted' if interrupted else 'done'}: {mean}{quantity(agent.num_timesteps)} steps in {clock(seconds)}"
    )
    console.print(f"saved in {folder}. Next: [bold]ludus evaluate {folder}[/]", soft_wrap=True)
    return 0


def begin(config: Config, folder: Path, group: Any) -> Any:
    """A new agent, and a note of its settings in the folder."""
    agent = make_agent(config, make_env(config), folder, group)
    write_settings(folder, config)
    return agent


def follow(config: Config, group: Any) -> int:
    """Learn along as one of several processes: with games of its own, and without a word or a file. The first decides
    when to stop."""
    import signal

    from ..agents.distributed import leave_group

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    seed = None if config.seed is None else config.seed + group.rank * config.ppo.num_envs
    agent = make_agent(config, make_env(dataclasses.replace(config, seed=seed)), None, group)
    agent.learn(config.total_timesteps)
    leave_group()
    return 0


def go_on(config: Config, folder: Path) -> Any:
    """The agent of the newest checkpoint, where it was; raises OptionError if flags say what cannot change."""
    from ..agents.checkpoint import load_agent

    check_unchanged(read_settings(folder, Config), config)
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
    facts |= {**facts.pop("ppo"), **facts.pop("options")}
    return {name: list(value) if isinstance(value, (tuple, range)) else value for name, value in facts.items()}


def learn(agent: Any, config: Config, folder: Path, console: Any, resumed: bool) -> bool:
    """Run the training loop and save; a signal ends it early. Returns whether one came."""
    from ..agents.distributed import leave_group
    from ..agents.progress import ProgressCallback
    from ..agents.saving import SaveCallback, Stopped, stopped_by_signals

    saver = SaveCallback(folder, config.save_interval, config.keep, resumed, alone=agent.group is None)
    progress = ProgressCallback(console)
    with stopped_by_signals(saver):
        try:
            agent.learn(
                config.total_timesteps - (agent.num_timesteps if resumed else 0), callback=[saver, progress],
                tb_log_name="tensorboard", reset_num_timesteps=not resumed,
            )  # fmt: skip
        except Stopped:
            pass
        finally:
            progress.close()
        saver.save()
    leave_group()
    return saver.stopped


def choose_folder(config: Config) -> Path:
    """The run's folder, made; raises OptionError if it is taken or cannot be written."""
    if config.resume and config.out is None:
        raise OptionError("--resume needs --out, the folder of the run to go on with")
    if config.resume and config.overwrite:
        raise OptionError("--resume or --overwrite, not both: one goes on with what is there, the other replaces it")
    stamp = time.strftime("%Y%m%d-%H%M%S")
    name = config.game.replace("/", "-")
    folder = config.out or Path("runs") / f"{name}-ppo-{stamp}"
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"--out {folder} is a file: give a folder")
    taken = folder.exists() and any(folder.iterdir())
    ours = config.overwrite or (config.resume and any((folder / file).exists() for file in ("agent.json", SETTINGS)))
    if taken and not ours:
        raise OptionError(f"--out {folder} exists and is not empty: give another folder, or --overwrite")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OptionError(f"--out {folder} cannot be written: {error.strerror}") from error
    return folder
