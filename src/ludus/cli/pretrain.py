"""`ludus pretrain`: train what an agent sees through, before the agent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..envs import OptionError
from .arguments import parse
from .interrupts import import_agents
from .terminal import console, quoted, say

ENCODERS = ("grid", "nature", "impala")
COMMON = ("method", "encoder", "policy", "frames", "out", "time_limit", "seed", "overwrite")  # what `--help` shows


@dataclass
class Network:
    """What the encoder is made of."""

    channels: int | None = None
    """Channels of its spatial map; None: as published, 64 for grid."""
    depth: int = 2
    """Convolutions after the first, of grid."""
    activation: str = field(default="relu", metadata={"choices": ("relu", "silu", "gelu", "tanh")})
    """After each convolution."""
    norm: str = field(default="none", metadata={"choices": ("none", "batch", "layer")})
    """Normalization after each convolution."""
    dropout: float = 0.0
    """Probability of zeroing a channel of the map while training."""
    width: int = 512
    """Features of the output layer."""


@dataclass
class Config:
    """Train an encoder of a game's pictures: collect frames, train, and say how good it is on pictures never seen."""

    game: str
    """A game's name, whose frames are collected first."""
    method: str = field(default="planes", metadata={"choices": ("planes",)})
    """What it is trained to do."""
    encoder: str | None = field(default=None, metadata={"choices": ENCODERS})
    """The network; None: what suits the method, grid for planes and nature for others."""
    policy: str = "both"
    """Who plays while frames are collected: random, heuristic, both, or an agent's folder."""
    frames: int = 50_000
    """Frames to collect."""
    shuffle: float = 0.0
    """Share of further frames whose fields come from several games, for games that reach few states by themselves."""
    obs_type: str = field(default="rgb", metadata={"choices": ("rgb", "grayscale")})
    """Pictures that the encoder sees."""
    size: int = 64
    """Width and height of the pictures, in pixels."""
    out: Path | None = None
    """Folder for the encoder; None: encoders/GAME-METHOD."""
    overwrite: bool = False
    """Replace the encoder in --out."""
    resume: bool = False
    """Go on with the training in --out, of the same frames and settings; --epochs and --time-limit may be given anew."""
    time_limit: float | None = 60.0
    """Seconds of process time to train for; None: --epochs decide alone."""
    epochs: float | None = None
    """Passes over the training pictures; None: the time limit decides alone."""
    batch_size: int = 64
    """Pictures in a minibatch."""
    learning_rate: float = 1e-3
    """At the start; it falls to 0 along half a cosine."""
    weight_decay: float = 0.0
    """Of AdamW."""
    patience: int | None = None
    """Looks at the validation pictures without a better figure after which training ends; None: never."""
    seed: int = 0
    """Of the games, the weights and the order of pictures."""
    network: Network = field(default_factory=Network)


def main(argv: list[str]) -> int:
    config = parse(Config, argv, "pretrain", COMMON)
    import_agents()
    from ..agents.checkpoints.encoder_file import NAME, write_encoder
    from ..agents.pretraining.pretrain import pretrain
    from ..envs import find_game

    game = find_game(config.game)
    folder = config.out or Path("encoders") / f"{game.name}-{config.method}"
    if (folder / NAME).exists() and not (config.overwrite or config.resume):
        raise OptionError(f"--out {folder} has an encoder: give another folder, --overwrite or --resume")
    frames = frames_of(game, config)
    say(f"{frames.index.size} frames, {len(frames)} different pictures")
    with progress("training", 1.0) as tell:
        result = pretrain(
            frames, config.method, config.encoder, lambda trainer: tell(trainer.progress),
            asdict(config.network), batch_size=config.batch_size, learning_rate=config.learning_rate,
            weight_decay=config.weight_decay, time_limit=config.time_limit, epochs=config.epochs,
            patience=config.patience, seed=config.seed, folder=folder, resume=config.resume,
        )  # fmt: skip
    about = {
        "game": frames.game, "method": config.method, "frames": int(frames.index.size), "pictures": len(frames),
        "figures": result.figures, "settings": {**asdict(config), "out": str(folder)},
    }  # fmt: skip
    write_encoder(folder, result.network, about)
    print_figures(result.figures)
    use = "--decode" if config.method == "planes" else "--freeze"
    say(f"saved in {folder}. Next: ", (f"ludus train {game.name} --encoder {quoted(folder)} {use}", "bold"))
    return 0


def frames_of(game: Any, config: Config) -> Any:
    """Frames of the game, from who is to play it."""
    from ..agents.pretraining.play import NUM_ENVS, POLICIES, collect_frames
    from .players import load, seated

    sim: Any = game
    policy: Any = config.policy
    if policy not in POLICIES:
        agent, sim = load(Path(policy), config.seed, NUM_ENVS)
        if sim.game is not game:
            raise OptionError(f"the agent in {policy} plays {sim.game.name}, not {game.name}")
        policy = seated(agent, sim)
    with progress(f"collecting {config.frames} frames", config.frames) as tell:
        return collect_frames(
            sim, config.frames, policy, config.obs_type, config.size, config.shuffle, config.seed, tell
        )


def print_figures(figures: dict[str, float]) -> None:
    """On pictures never seen: the figures over all, and a table of those of each class."""
    from rich import box
    from rich.table import Table

    whole = {name: value for name, value in figures.items() if "/" not in name}
    say("on pictures never seen: " + ", ".join(f"{name} {value:.3f}" for name, value in whole.items()))
    single = {name.partition("/")[2]: value for name, value in figures.items() if "/" in name}
    if single:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("plane")
        table.add_column("F1", justify="right")
        for name, value in sorted(single.items(), key=lambda pair: pair[1]):
            table.add_row(name, "never there" if value != value else f"{value:.3f}")
        console().print(table)


@contextmanager
def progress(text: str, total: float) -> Iterator[Any]:
    """A bar on a terminal's standard error; gives a function that takes how much is done."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    out = console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(bar_width=28), TimeElapsedColumn()
    with Progress(*columns, console=out, disable=not out.is_terminal) as bar:
        task = bar.add_task(text, total=total)
        yield lambda done: bar.update(task, completed=done)
