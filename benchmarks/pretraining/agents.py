"""One agent that learns from pixels, with the encoder that a variant pretrains first; process time is counted from there."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from math import nan
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from stable_baselines3.common.callbacks import BaseCallback

from ludus.agents import save_encoder
from ludus.agents.nn.vision import PictureEncoder, for_pictures
from ludus.agents.pretraining import collect_frames, pretrain
from ludus.cli import train
from ludus.cli.making import make_agent, make_env
from ludus.envs import Options

FRAMES, POINTS = 20_000, 100
FIVE_MINUTES = 300
RECIPES = ("Breakout", "SpaceInvaders")  # that are for MinAtar's own protocol; in other games, PPO has its defaults
SHUFFLED = {"Breakout": 0.5}  # shares of records put together from several games', where play comes to too few


@dataclasses.dataclass(frozen=True)
class Variant:
    """How an agent sees.

    Attributes:
        method: that its encoder is pretrained by, "random" for none, and None for an agent without encoder.
        encoder: the network.
        flags: of `ludus train`, but for the encoder.
        obs_type: what the game shows.
        share: of the time that may be spent on the encoder, collecting included.
        seconds: that it has; a third of what it is compared with.
        few: whether two seeds of one game are enough.
    """

    method: str | None
    encoder: str = "nature"
    flags: dict[str, Any] = dataclasses.field(default_factory=dict)
    obs_type: str | None = "rgb"
    share: float = 0.25
    seconds: float = FIVE_MINUTES / 3
    few: bool = False


# Of PPO on Atari, as RL Baselines3 Zoo has them (Raffin 2020): Ludus's defaults are for many more steps a second.
ATARI = {
    "num_envs": 8, "n_steps": 128, "batch_size": 256, "n_epochs": 4, "learning_rate": 2.5e-4, "clip_range": 0.1,
    "ent_coef": 0.01,
}  # fmt: skip
END_TO_END = {
    "pixels, end to end": Variant(None, seconds=FIVE_MINUTES),
    "pixels, end to end, Atari's settings": Variant(None, flags=ATARI, seconds=FIVE_MINUTES, few=True),
}
VARIANTS = {
    **END_TO_END,
    "random, frozen": Variant("random", flags={"freeze": True}),
    "supervised, frozen": Variant("planes", "grid", {"freeze": True}, share=0.1),
    "unsupervised, frozen": Variant("autoencoder", flags={"freeze": True}),
    "unsupervised, fine-tuned": Variant("autoencoder"),
    "behaviour cloned": Variant("cloning"),
    "decoded planes": Variant("planes", "grid", {"decode": True}, share=0.1),
    "true planes": Variant(None, obs_type=None),
}


class Curve(BaseCallback):
    """Points (process time, steps, mean return of the last hundred episodes); ends the training when the time is up."""

    def __init__(self, began: float, seconds: float) -> None:
        super().__init__()
        self.began, self.seconds, self.points = began, seconds, []
        self.over = False

    def _on_step(self) -> bool:
        return not self.over

    def _on_rollout_end(self) -> None:
        spent, episodes = time.process_time() - self.began, self.model.ep_info_buffer
        self.over = spent >= self.seconds
        if episodes and spent >= self.seconds * (len(self.points) + 1) / POINTS:
            mean = fmean(float(episode["r"]) for episode in episodes)
            self.points.append((round(spent, 2), self.num_timesteps, round(mean, 3)))


def prepared(variant: Variant, game: str, options: Options, seed: int, seconds: float, folder: Path) -> None:
    """Write the encoder of a variant, from a game with these options."""
    began = time.process_time()
    frames = collect_frames(
        game, FRAMES if variant.method != "random" else 2_000, shuffle=SHUFFLED.get(game, 0.0), seed=seed,
        repeat_action_probability=options.repeat_action_probability, full_action_space=options.full_action_space,
    )  # fmt: skip
    if variant.method == "random":
        torch.manual_seed(seed)
        network: Any = PictureEncoder(for_pictures(variant.encoder, frames.pictures.shape[1:], None)).eval()
        pictures = torch.from_numpy(frames.pictures[:1000]).permute(0, 3, 1, 2)
        network.fit_statistics(pictures)
        network.fit_map_scale(pictures)
    else:
        limit = seconds - (time.process_time() - began)
        given = {"clock": time.process_time, "time_limit": limit, "seed": seed}
        network = pretrain(frames, variant.method, variant.encoder, **given).network
    save_encoder(folder, network, {})


def agents(game: str, variant: str, seed: int, seconds: float, algo: str = "ppo", **_: Any) -> dict[str, Any]:
    """The curve of one agent."""
    torch.set_num_threads(1)
    began, chosen = time.process_time(), VARIANTS[variant]
    config = train.from_recipe(game, algo) if game in RECIPES else train.CONFIGS[algo](game=game)
    config = dataclasses.replace(config, device="cpu", tensorboard=False, seed=seed, total_timesteps=10**9)
    changes: dict[str, Any] = {"num_threads": 1, **chosen.flags}
    with tempfile.TemporaryDirectory() as folder:
        if chosen.method is not None:
            prepared(chosen, game, config.options, seed, chosen.share * seconds, Path(folder))
            changes["encoder"] = folder
        pretrained = time.process_time() - began
        config.settings = dataclasses.replace(config.settings, **changes)
        config.options = dataclasses.replace(config.options, obs_type=chosen.obs_type)
        config.time_limit = seconds - pretrained  # by which it anneals
        agent = make_agent(config, make_env(config), None)
    started, curve = time.process_time(), Curve(began, seconds)
    agent.elapsed = lambda: time.process_time() - started  # by which it anneals and ends, also on a busy machine
    agent.learn(config.total_timesteps, callback=curve)
    spent = time.process_time() - began
    rate = agent.num_timesteps / (spent - pretrained)
    return {
        "pretraining": pretrained, "spent": spent, "steps": agent.num_timesteps, "rate": rate, "curve": curve.points,
        "told": f"{curve.points[-1][2] if curve.points else nan:.1f} after {agent.num_timesteps:,} steps, {rate:,.0f} a s",
    }  # fmt: skip
