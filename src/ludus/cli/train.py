"""`ludus train`: train PPO and keep the agent in a folder."""

from __future__ import annotations

import dataclasses
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..envs import LudusError, OptionError, Options, UnknownGame, find_game

Flat = tyro.conf.OmitArgPrefixes


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
    """Network: mlp (128, 128), cnn (MinAtar's), or Stable-Baselines3's MlpPolicy, CnnPolicy."""


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
    overwrite: bool = False
    """Replace the agent in --out."""
    tensorboard: bool = True
    """Write TensorBoard logs beside the agent."""
    ppo: Flat[PPOSettings] = field(default_factory=PPOSettings)
    options: Flat[Options] = field(default_factory=Options)


def main(argv: list[str]) -> int:
    config = tyro.cli(Config, args=argv, prog="ludus train", default=defaults(argv))
    return train(config)


def defaults(argv: list[str]) -> Config:
    """What settings are where no flag says otherwise; it depends on the kind of environment, and on the recipe."""
    named = next((a for a in argv if not a.startswith("-")), "")
    if not named:
        return Config(game=tyro.MISSING)
    if not _is_game(named):
        return Config(game=named, ppo=GYMNASIUM_DEFAULTS)
    return from_recipe(named) if "--recipe" in argv else Config(game=named)


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

    from ..agents.progress import clock, quantity

    console = Console()
    folder = choose_folder(config)
    env = make_env(config)
    agent = make_agent(config, env, folder)
    console.print(
        f"training [bold]PPO[/] on [bold]{config.game}[/], {env.num_envs} games at once; Ctrl-C saves and stops"
    )
    started = time.monotonic()
    interrupted = learn(agent, config, folder, console)
    agent.save(folder)
    seconds = time.monotonic() - started
    episodes = [episode["r"] for episode in agent.ep_info_buffer or ()]
    mean = f"mean return of the last {len(episodes)} episodes {sum(episodes) / len(episodes):.2f}, " if episodes else ""
    console.print(
        f"{'interrupted' if interrupted else 'done'}: {mean}{quantity(agent.num_timesteps)} steps in {clock(seconds)}"
    )
    console.print(f"saved in {folder}. Next: [bold]ludus evaluate {folder}[/]", soft_wrap=True)
    env.close()
    return 0


def learn(agent: Any, config: Config, folder: Path, console: Any) -> bool:
    """Run the training loop; a signal ends it after the current step. Returns whether one came."""
    from ..agents.progress import ProgressCallback
    from ..agents.saving import SaveCallback

    saver = SaveCallback(folder, config.save_interval)
    progress = ProgressCallback(console)
    previous = {number: signal.signal(number, lambda *_: saver.stop()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        agent.learn(config.total_timesteps, callback=[saver, progress], tb_log_name="tensorboard")
    finally:
        progress.close()
        for number, handler in previous.items():
            signal.signal(number, handler)
    return saver.stopped


def choose_folder(config: Config) -> Path:
    """The run's folder, made; raises OptionError if it is taken or cannot be written."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    name = config.game.replace("/", "-")
    folder = config.out or Path("runs") / f"{name}-ppo-{stamp}"
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"--out {folder} is a file: give a folder")
    if folder.exists() and any(folder.iterdir()) and not config.overwrite:
        raise OptionError(f"--out {folder} exists and is not empty: give another folder, or --overwrite")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OptionError(f"--out {folder} cannot be written: {error.strerror}") from error
    return folder


def make_env(config: Config) -> Any:
    """The games, as an SB3 `VecEnv`."""
    settings = config.ppo
    if settings.num_envs < 1:
        raise OptionError(f"num_envs must be a whole number from 1, got {settings.num_envs}")
    device = choose_device(config.device)
    if _is_game(config.game):
        from ..envs.sb3 import LudusVecEnv

        options = {f.name: getattr(config.options, f.name) for f in dataclasses.fields(Options)}
        return LudusVecEnv(config.game, num_envs=settings.num_envs, seed=config.seed, device=device, **options)
    return make_gymnasium(config.game, settings.num_envs, config.seed, config.options)


def make_gymnasium(name: str, num_envs: int, seed: int | None, options: Options) -> Any:
    import gymnasium
    from stable_baselines3.common.env_util import make_vec_env

    given = {f.name for f in dataclasses.fields(Options) if getattr(options, f.name) != getattr(Options(), f.name)}
    if given:
        raise OptionError(f"{', '.join(sorted(given))} is for games of Ludus; {name} is a Gymnasium environment")
    try:
        gymnasium.spec(name)
    except (gymnasium.error.Error, ImportError) as error:
        try:
            find_game(name)
        except UnknownGame as unknown:
            raise UnknownGame(f"{unknown}; it is no Gymnasium id either ({' '.join(str(error).split())})") from error
    return make_vec_env(name, n_envs=num_envs, seed=seed)


def choose_device(device: str) -> str:
    """cpu or cuda, as asked and as there is."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise OptionError("device='cuda' but torch sees no GPU here: use device='cpu'")
    return device


def make_agent(config: Config, env: Any, folder: Path) -> Any:
    from stable_baselines3.common.utils import LinearSchedule

    from ..agents.ppo import PPO

    settings = dataclasses.asdict(config.ppo)
    settings.pop("num_envs")
    rate = settings.pop("learning_rate")
    settings["learning_rate"] = LinearSchedule(rate, 0.0, 1.0) if settings.pop("anneal") else rate
    if settings["policy"] not in PPO.policy_aliases:
        raise OptionError(f"unknown policy {settings['policy']!r}: choose from {', '.join(PPO.policy_aliases)}")
    logs = str(folder) if config.tensorboard else None
    try:
        return PPO(
            settings.pop("policy"), env, seed=config.seed, device=choose_device(config.device), time_limit=config.time_limit,
            tensorboard_log=logs, **settings,
        )  # fmt: skip
    except (AssertionError, ValueError) as error:
        raise LudusError(f"these settings do not make an agent: {error}") from error


def _is_game(name: str) -> bool:
    try:
        find_game(name)
    except UnknownGame:
        return False
    return True
