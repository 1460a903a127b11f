"""`ludus pretrain`: train what an agent sees through, before the agent.

`ludus pretrain SOURCE` trains, `ludus pretrain collect GAME` keeps frames of a game, `ludus pretrain audit SOURCE` says what
is in them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..agents.pretraining.methods import METHODS
from ..envs import OptionError
from .arguments import parse
from .interrupts import import_agents
from .pretrain_checks import (
    check_out,
    check_place,
    check_preview,
    check_sees,
    check_settings,
    check_start,
    folder_of,
    game_of,
    in_flags,
    known_method,
)  # fmt: skip
from .pretrain_data import Play, Reading, data_of, progress
from .settings_file import to_plain
from .terminal import console, quoted, say, shown

ENCODERS = ("grid", "nature", "small", "impala")
COMMON = ("method", "encoder", "policy", "frames", "out", "time_limit", "seed", "overwrite", "resume")


@dataclass
class Network:
    """What the encoder is made of."""

    channels: int | None = None
    """Channels of its spatial map; None: as published; of grid, 32."""
    depth: int | None = None
    """Convolutions after the first, of grid; None: 2."""
    activation: str | None = field(default=None, metadata={"choices": ("relu", "silu", "gelu", "tanh")})
    """After each convolution; None: relu."""
    norm: str | None = field(default=None, metadata={"choices": ("none", "batch", "layer")})
    """Normalization after each convolution; None: batch, of impala none."""
    dropout: float | None = None
    """Probability of zeroing a channel of the map while training; None: 0."""
    width: int | None = None
    """Features of the output layer; None: 512, of texts 128."""


@dataclass
class Changes:
    """Random changes of the pictures that are trained on; `--preview` shows them."""

    shift: int = 0
    """Shift by up to so many pixels each way."""
    crop: float = 0.0
    """Crop a part of at least this share of the area, and enlarge it; 0: off."""
    rotation: float = 0.0
    """Rotate by up to so many degrees either way."""
    flip: bool = False
    """Mirror every second picture, left to right."""
    flip_vertical: bool = False
    """Mirror every second picture, top to bottom."""
    noise: float = 0.0
    """Standard deviation of noise at every pixel, where 1 is from black to white."""
    color_jitter: float = 0.0
    """Change brightness, contrast and saturation by a factor up to so much from 1, and hue by up to half of it."""


@dataclass
class Config:
    """Train an encoder of pictures. Other steps: `ludus pretrain collect GAME`, `ludus pretrain audit SOURCE`."""

    source: str
    """A game, whose frames are collected first; a folder of frames, or of what people played; or a data set: digits, mnist,
    cifar10, coco, imdb, OWNER/NAME of the Hugging Face hub, or a folder with one."""
    method: str | None = field(default=None, metadata={"choices": tuple(METHODS)})
    """What it is trained to do; None: planes for games that have some, st-dim for others, classify for data sets."""
    encoder: str | None = field(default=None, metadata={"choices": ENCODERS})
    """The network; None: what suits the method and the pictures."""
    start: Path | None = None
    """Begin from this encoder's folder, which other data or another method trained; None: from random weights."""
    labels: int | None = None
    """Learn from so many pictures of a game, drawn at random, a fifth of them for validation; None: from all."""
    out: Path | None = None
    """Folder for the encoder and its pictures; None: encoders/SOURCE-METHOD."""
    overwrite: bool = False
    """Replace the encoder in --out."""
    resume: bool = False
    """Go on with the training in --out, of the same data and settings; --epochs and --time-limit may be given anew."""
    time_limit: float | None = 60.0
    """Seconds to train for; None: --epochs decide alone."""
    epochs: float | None = None
    """Passes over the training part; None: the time limit decides alone."""
    batch_size: int | None = None
    """Pictures in a minibatch; None: what suits the method."""
    learning_rate: float | None = None
    """At the start; it falls to 0 along half a cosine. None: what suits the method."""
    weight_decay: float = 0.0
    """Of AdamW."""
    class_weight: str | None = field(default=None, metadata={"choices": ("balanced",)})
    """Of classify: balanced gives rare classes as much weight as common ones."""
    patience: int | None = None
    """Looks at the validation part, of 20, without a better figure, or a lower loss at the same one, after which training
    ends; None: never."""
    plots: bool = True
    """Write pictures of the training and of what the encoder sees into --out, and into TensorBoard's files there."""
    preview: Path | None = None
    """Write a PNG file that shows the random changes of pictures, and train nothing."""
    seed: int = 0
    """Of the games, the weights and the order of pictures."""
    play: Play = field(default_factory=Play)
    reading: Reading = field(default_factory=Reading)
    network: Network = field(default_factory=Network)
    changes: Changes = field(default_factory=Changes)


@dataclass
class Collect:
    """Collect frames of a game into a folder, with the planes under them."""

    game: str
    """A game's name."""
    out: Path
    """Folder for the frames."""
    overwrite: bool = False
    """Replace the frames in --out."""
    seed: int = 0
    """Of the games and who plays them."""
    play: Play = field(default_factory=Play)


@dataclass
class Look:
    """Say what frames are good for: different pictures, planes that they do not show, class balance, and advice."""

    source: str
    """A folder that `ludus pretrain collect` or `ludus play --save` wrote, or a game."""
    seed: int = 0
    """Of the games, where frames are collected first."""
    play: Play = field(default_factory=Play)


def main(argv: list[str]) -> int:
    step, rest = (STEPS[argv[0]], argv[1:]) if argv and argv[0] in STEPS else (train, argv)
    return step(rest)


def config_for(before: list[str]) -> Any:
    """The flags after these words."""
    return {"collect": Collect, "audit": Look}.get(before[0] if before else "", Config)


def collect(argv: list[str]) -> int:
    """Keep frames."""
    config = parse(Collect, argv, "pretrain collect", ("out", "policy", "frames", "overwrite", "seed"))
    import_agents()
    from ..agents.pretraining.shards import NAME, save_frames

    check_place(config.out)
    if (config.out / NAME).exists() and not config.overwrite:
        raise OptionError(f"--out {config.out} has frames: give another folder, or --overwrite")
    frames = data_of(config.game, config.play, config.seed)
    save_frames(frames, config.out)
    say(f"{frames.index.size} frames, {len(frames)} different pictures, saved in {config.out}")
    say("Next: ", (f"ludus pretrain {quoted(config.out)}", "bold"))
    return 0


def audit(argv: list[str]) -> int:
    """Say what is in frames."""
    config = parse(Look, argv, "pretrain audit")
    import_agents()
    from ..agents.pretraining.audit import audit as audit_of
    from ..agents.pretraining.audit import records_of_play
    from ..agents.pretraining.frames import Frames

    frames = data_of(config.source, config.play, config.seed)
    if not isinstance(frames, Frames):
        raise OptionError(f"audit is for frames of games, {config.source} is a data set with labels")
    game = game_of(frames)
    print(audit_of(frames, records_of_play(game) if game and frames.plane_names else None).text())
    return 0


def train(argv: list[str]) -> int:
    """Train an encoder."""
    config = parse(Config, argv, "pretrain", COMMON)
    import_agents()
    from ..agents.checkpoints.encoder_file import load_encoder, save_encoder
    from ..agents.pretraining.augment import Augmentation
    from ..agents.pretraining.run import default_method

    check_settings(config)
    augmentation = Augmentation(**asdict(config.changes))
    if config.preview is not None:
        check_preview(config.preview, augmentation)
    else:
        check_out(config, known_method(config))
    start = None if config.start is None else load_encoder(config.start).network()
    if start is not None:
        check_start(config, start)
    tokenizer = getattr(getattr(start, "encoder", start), "tokenizer", None)
    data = data_of(config.source, config.play, config.seed, config.reading, tokenizer)
    if config.labels is not None:
        data = with_labels(data, config.labels, config.seed)
    if config.preview is not None:
        return show_changes(data, augmentation, config.preview)
    if start is not None:
        check_sees(config, start, (data.pictures if hasattr(data, "pictures") else data.inputs).shape[1:])
    method = config.method or default_method(data)
    folder, game = folder_of(config, method), game_of(data)
    check_out(config, method)
    result = trained(data, method, config, augmentation, start, folder)
    about = {"source": config.source, "method": method, "figures": result.figures, "settings": to_plain(config)}
    save_encoder(folder, result.network, about)
    print_figures(result)
    draw(result, folder, config.plots)
    if not hasattr(data, "game"):
        say(f"saved in {folder}; in Python: ludus.agents.load_encoder({str(folder)!r}).network().predict(inputs)")
    elif game is None:
        say(f"saved in {folder}")
    else:
        use = {"planes": " --decode", "cloning": ""}.get(method, " --freeze")
        say(f"saved in {folder}. Next: ", (f"ludus train {game} --encoder {quoted(folder)}{use}", "bold"))
    return 0


def with_labels(data: Any, count: int, seed: int) -> Any:
    """Frames with labels of some pictures alone."""
    if not hasattr(data, "labelled"):
        raise OptionError("--labels is for frames of games: --limit says how many examples of a data set are read")
    try:
        return data.labelled(count, seed)
    except OptionError as error:
        raise OptionError(f"--{error}") from error


def trained(data: Any, method: str, config: Config, augmentation: Any, start: Any, folder: Path) -> Any:
    """The result of the training, with a bar while it lasts."""
    from ..agents.pretraining.run import pretrain

    sizes = ", ".join(f"{len(data.rows(part))} {part}" for part in ("train", "validation", "test"))
    say(f"{method}, on {sizes} pictures")
    with in_flags(config), progress("training", 1.0) as tell, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the loss is not finite")  # the verdict says so, too
        return pretrain(
            data, method, config.encoder, lambda trainer: tell(trainer.progress), asdict(config.network), augmentation,
            config.class_weight, folder, config.resume, start, batch_size=config.batch_size,
            learning_rate=config.learning_rate, weight_decay=config.weight_decay, time_limit=config.time_limit,
            epochs=config.epochs, patience=config.patience, seed=config.seed,
        )  # fmt: skip


def show_changes(data: Any, augmentation: Any, path: Path) -> int:
    """Write the sheet of what each change does."""
    from ..agents.pretraining.augment import preview
    from ..agents.runtime.extras import need

    pictures = data.pictures if hasattr(data, "pictures") else data.inputs
    if pictures.ndim != 4:
        raise OptionError("--preview is for pictures, not for texts")
    sheet = preview(pictures[:: max(1, len(pictures) // 6)][:6], augmentation)
    need("PIL.Image", "preview").fromarray(sheet).save(path)
    say(f"{path}: a row for each picture, a column for each change")
    return 0


def draw(result: Any, folder: Path, plots: bool) -> None:
    """A sentence for the terminal, and pictures into the folder; where packages for them are missing, a line."""
    from rich.text import Text

    from ..agents.pretraining.report import figures_of, verdict, write_figures

    if result.history.steps:
        console().print(Text(shown(verdict(result.history))))  # wrapped between words
    if not plots:
        return
    try:
        files = write_figures(folder / "plots", figures_of(result.method, result.history), result.history, folder)
    except OptionError as error:
        say(f"no pictures: {error}")
    else:
        say(f"{len(files)} pictures in {folder / 'plots'}")


def print_figures(result: Any) -> None:
    """On pictures never seen: the figures over all, and a table of F1 of each class, the worst first."""
    from rich import box
    from rich.table import Table

    figures, network = result.figures, result.network
    whole = {name: value for name, value in figures.items() if "/" not in name}
    say("on what was never seen: " + ", ".join(f"{name} {value:.3f}" for name, value in whole.items()))
    single = {name.partition("/")[2]: value for name, value in figures.items() if name.startswith("f1/")}
    if single:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("class")
        table.add_column("F1", justify="right")
        for name, value in sorted(single.items(), key=lambda pair: pair[1]):
            table.add_row(shown(name), f"{value:.3f}")
        names = next((found for of in ("planes", "classes", "actions") if (found := getattr(network, of, ()))), ())
        for name in (name for name in names if name not in single):
            table.add_row(shown(name), "-", "not in the test pictures")
        console().print(table)


STEPS: dict[str, Callable[[list[str]], int]] = {"collect": collect, "audit": audit}
